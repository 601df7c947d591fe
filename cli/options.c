/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <svmcore/disk.h>

static const char usage[] =
    "usage: svmcore seal COMMAND [OPTION...] FILE...\n"
    "\n"
    "Sealed disks and images of VMs.\n"
    "\n"
    "  create      make a sealed disk or image\n"
    "  inspect     what a file says of itself; wants no key, verifies nothing\n"
    "  verify      open all of it, release nothing\n"
    "  rekey       another provider's key, another VM key, or another epoch\n"
    "  convert     raw <-> sealed, length-preserving <-> authentic\n"
    "  passphrase  another passphrase for a key file\n"
    "\n"
    "svmcore seal COMMAND --help says more.\n"
    "\n"
    "Exit status: 0 good; 1 the file is refused: changed, cut, foreign, old, or no such file\n"
    "format; 2 usage; 3 the system: a file cannot be read or written; 4 no key: the provider, the\n"
    "passphrase, or not the file's key; 5 stopped by a signal, and nothing is changed.\n";

static const char usage_create[] =
    "usage: svmcore seal create --mode length|authentic --from RAW|--size SIZE [OPTION...] FILE\n"
    "       svmcore seal create --section SECTION=FROM... [OPTION...] FILE\n"
    "\n"
    "Makes a sealed disk, or an image, and FILE.vmkey beside it: the VM's key, wrapped with the\n"
    "provider's. Who loses FILE.vmkey or the provider's key loses FILE.\n"
    "\n"
    "  --mode length        sectors keep their size; what is changed is not noticed\n"
    "  --mode authentic     every sector is verified before it is read\n"
    "  --from RAW           what is on the disk\n"
    "  --size SIZE          an empty disk: bytes, or with K, M, G, T; authentic: it reads as "
    "zeros,\n"
    "                       length: as noise\n"
    "  --sector 512|4096    length: bytes of a sector (default 4096, where they fit)\n"
    "  --journal N          authentic: sectors between checkpoints (default 256)\n"
    "  --number N           of a disk: which of the VM's it is; the host asks for this one "
    "(default\n"
    "                       0)\n"
    "  --section SECTION=FROM\n"
    "                       an image's section from a file: memory:ID@ADDRESS, context:ID,\n"
    "                       device:ID, state:ID, or NUMBER:ID with a number from 0x1000 on\n"
    "  --generation N       of an image (default 1)\n"
    "  --vm ID              32 hexadecimal digits (default: drawn by lot)\n";

static const char usage_inspect[] =
    "usage: svmcore seal inspect [--json] FILE...\n"
    "\n"
    "Header, algorithm, key, epoch, completeness, generation of sealed disks and images, wrapped\n"
    "VM keys and key files. It shows no secret and wants no key; so nothing of it is verified.\n";

static const char usage_verify[] =
    "usage: svmcore seal verify [OPTION...] FILE...\n"
    "\n"
    "Opens all of FILE, and says what is the first thing that is not as it was sealed. Deltas and\n"
    "rounds come behind what they stand on: verify WHOLE DELTA DELTA. Of a length-preserving disk\n"
    "only the header can be verified.\n"
    "\n"
    "  --generation N       an image that is older is refused\n";

static const char usage_rekey[] =
    "usage: svmcore seal rekey [OPTION...] FILE\n"
    "\n"
    "Without --new-vm-key and --new-epoch the VM key is wrapped anew, and FILE stays. Else all of\n"
    "it is sealed anew, beside, and then put in place. Cut off at any time there is the old file "
    "or\n"
    "the new one, and its key; FILE.vmkey has both keys for that moment.\n"
    "\n"
    "  --new-key-provider P the provider whose key wraps the VM key from now on\n"
    "  --new-passphrase-file F\n"
    "                       its passphrase\n"
    "  --new-vm-key         another VM key: the old one is of no use then\n"
    "  --new-epoch          the same VM key, another epoch\n";

static const char usage_convert[] =
    "usage: svmcore seal convert --to raw|length|authentic [OPTION...] FILE [NEW]\n"
    "\n"
    "A disk in another form, in place of FILE or as NEW. From raw it makes FILE.vmkey, as create\n"
    "does. An image becomes a folder NEW of its sections with --to raw. What is not genuine does\n"
    "not get out: then there is no NEW.\n"
    "\n"
    "  --sector 512|4096, --journal N, --number N, --vm ID   as for create\n";

static const char usage_passphrase[] =
    "usage: svmcore seal passphrase [OPTION...] KEYFILE\n"
    "\n"
    "The same key under another passphrase: nothing is sealed or wrapped anew. An older copy of\n"
    "KEYFILE opens with the old passphrase still: a key that may be known wants rekey.\n"
    "\n"
    "  --passphrase-file F  the old passphrase is its first line; -: standard input. Without it a\n"
    "                       terminal is asked\n"
    "  --new-passphrase-file F\n"
    "                       the new one likewise; with - for both, the next line\n"
    "  --key-cost N,KIB     passes over so much memory for each try of a passphrase (default: as\n"
    "                       before)\n";

static const char usage_keys[] =
    "  --key-provider file:PATH\n"
    "                       a key file under a passphrase; --make-key: made where there is none\n"
    "  --key-provider 'kmip://HOST:PORT/KEYID?cert=FILE&key=FILE&ca=FILE[&name=NAME]'\n"
    "                       a KMIP server; name: that its certificate has to have (default HOST)\n"
    "  --passphrase-file F  the passphrase is its first line; -: standard input. Without it a\n"
    "                       terminal is asked\n"
    "  --timeout-ms N       bound for the provider's answer (default 10000)\n"
    "  --anchor F           authentic disks: what only you can write: a file with the disk's last\n"
    "                       state; an older one is refused then\n";

static const char usage_more[] =
    "  --make-key           make the key file if it is not there\n"
    "  --key-cost N,KIB     of a key file that is made: passes over so much memory for each try "
    "of\n"
    "                       a passphrase (default 3,262144)\n"
    "  --cipher NAME        aes-256-gcm (default), chacha20-poly1305, xchacha20-poly1305\n"
    "  --force              replace what is there\n";

static const char usage_end[] = "  --quiet              no bar on a terminal\n"
                                "  --help\n";

/* Options that a command takes: bits of enum seal_command. */
#define C (1u << SEAL_CREATE)
#define I (1u << SEAL_INSPECT)
#define V (1u << SEAL_VERIFY)
#define R (1u << SEAL_REKEY)
#define X (1u << SEAL_CONVERT)
#define P (1u << SEAL_PASSPHRASE)

enum {
    OPT_MODE = 1,
    OPT_TO,
    OPT_FROM,
    OPT_SIZE,
    OPT_SECTOR,
    OPT_JOURNAL,
    OPT_NUMBER,
    OPT_SECTION,
    OPT_GENERATION,
    OPT_VM,
    OPT_PROVIDER,
    OPT_WORD,
    OPT_TIMEOUT,
    OPT_ANCHOR,
    OPT_NEW_PROVIDER,
    OPT_NEW_WORD,
    OPT_NEW_KEY,
    OPT_NEW_EPOCH,
    OPT_MAKE,
    OPT_COST,
    OPT_CIPHER,
    OPT_FORCE,
    OPT_JSON,
    OPT_QUIET,
    OPT_HELP,
    OPTIONS
};

static const struct option names[] = {
    { "mode", required_argument, NULL, OPT_MODE },
    { "to", required_argument, NULL, OPT_TO },
    { "from", required_argument, NULL, OPT_FROM },
    { "size", required_argument, NULL, OPT_SIZE },
    { "sector", required_argument, NULL, OPT_SECTOR },
    { "journal", required_argument, NULL, OPT_JOURNAL },
    { "number", required_argument, NULL, OPT_NUMBER },
    { "section", required_argument, NULL, OPT_SECTION },
    { "generation", required_argument, NULL, OPT_GENERATION },
    { "vm", required_argument, NULL, OPT_VM },
    { "key-provider", required_argument, NULL, OPT_PROVIDER },
    { "passphrase-file", required_argument, NULL, OPT_WORD },
    { "timeout-ms", required_argument, NULL, OPT_TIMEOUT },
    { "anchor", required_argument, NULL, OPT_ANCHOR },
    { "new-key-provider", required_argument, NULL, OPT_NEW_PROVIDER },
    { "new-passphrase-file", required_argument, NULL, OPT_NEW_WORD },
    { "new-vm-key", no_argument, NULL, OPT_NEW_KEY },
    { "new-epoch", no_argument, NULL, OPT_NEW_EPOCH },
    { "make-key", no_argument, NULL, OPT_MAKE },
    { "key-cost", required_argument, NULL, OPT_COST },
    { "cipher", required_argument, NULL, OPT_CIPHER },
    { "force", no_argument, NULL, OPT_FORCE },
    { "json", no_argument, NULL, OPT_JSON },
    { "quiet", no_argument, NULL, OPT_QUIET },
    { "help", no_argument, NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

static const uint32_t takes[OPTIONS] = {
    [OPT_MODE] = C,
    [OPT_TO] = X,
    [OPT_FROM] = C,
    [OPT_SIZE] = C,
    [OPT_SECTOR] = C | X,
    [OPT_JOURNAL] = C | X,
    [OPT_NUMBER] = C | X,
    [OPT_SECTION] = C,
    [OPT_GENERATION] = C | V,
    [OPT_VM] = C | X,
    [OPT_PROVIDER] = C | V | R | X,
    [OPT_WORD] = C | V | R | X | P,
    [OPT_TIMEOUT] = C | V | R | X,
    [OPT_ANCHOR] = C | V | R | X,
    [OPT_NEW_PROVIDER] = R,
    [OPT_NEW_WORD] = R | P,
    [OPT_NEW_KEY] = R,
    [OPT_NEW_EPOCH] = R,
    [OPT_MAKE] = C | R | X,
    [OPT_COST] = C | R | X | P,
    [OPT_CIPHER] = C | R | X,
    [OPT_FORCE] = C | X,
    [OPT_JSON] = I,
    [OPT_QUIET] = C | I | V | R | X | P,
    [OPT_HELP] = C | I | V | R | X | P,
};

static const struct {
    const char *name, *usage;
} commands[] = {
    [SEAL_CREATE] = { "create", usage_create },
    [SEAL_INSPECT] = { "inspect", usage_inspect },
    [SEAL_VERIFY] = { "verify", usage_verify },
    [SEAL_REKEY] = { "rekey", usage_rekey },
    [SEAL_CONVERT] = { "convert", usage_convert },
    [SEAL_PASSPHRASE] = { "passphrase", usage_passphrase },
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static int refuse(const char *detail, const char *what)
{
    return (int)cli_fail(CLI_USAGE, detail, "%s (see svmcore seal --help)", what);
}

/* A number; with a unit where `units` are K, M, G, T. */
static bool number(const char *text, uint64_t *value, const char *units)
{
    const char *unit;
    unsigned shift = 0;
    char *end;

    errno = 0;
    *value = strtoull(text, &end, 0);
    if (errno != 0 || end == text || *text == '-' || *text == '+' || *text == ' ')
        return false;
    if (*end != 0) {
        unit = strchr(units, *end);
        if (!unit || end[1] != 0)
            return false;
        shift = 10 * (unsigned)(unit - units + 1);
    }
    if (*value > UINT64_MAX >> shift)
        return false;
    *value <<= shift;
    return true;
}

static int take_number(struct seal_options *o, int option)
{
    uint64_t value;

    if (!number(optarg, &value, option == OPT_SIZE ? "KMGT" : ""))
        return refuse(optarg, "is not a number of that kind");
    switch (option) {
    case OPT_SIZE:
        o->size = value;
        return value > 0 && value <= INT64_MAX ? -1 : refuse(optarg, "is no size of a disk");
    case OPT_SECTOR:
        o->sector_bytes = (uint32_t)value;
        return value == SVMC_DISK_BLOCK || value == SVMC_DISK_SECTOR
                   ? -1
                   : refuse(optarg, "--sector wants 512 or 4096");
    case OPT_JOURNAL:
        o->journal = (uint32_t)value;
        return value >= 8 && value <= SVMC_DISK_JOURNAL_MAX && value % 8 == 0
                   ? -1
                   : refuse(optarg, "--journal wants a multiple of 8, 8 to 1024");
    case OPT_NUMBER:
        o->number = value;
        return -1;
    case OPT_GENERATION:
        o->generation = value;
        o->has_generation = true;
        return -1;
    default:
        o->provider.timeout_ms = o->next.timeout_ms = (uint32_t)value;
        return value - 1 < 3600000 ? -1 : refuse(optarg, "--timeout-ms wants 1 to 3600000");
    }
}

static int take_form(struct seal_options *o, int option)
{
    if (strcmp(optarg, "length") == 0)
        o->form = FORM_LENGTH;
    else if (strcmp(optarg, "authentic") == 0)
        o->form = FORM_AUTHENTIC;
    else if (option == OPT_TO && strcmp(optarg, "raw") == 0)
        o->form = FORM_RAW;
    else
        return refuse(optarg, option == OPT_TO ? "--to wants raw, length or authentic"
                                               : "--mode wants length or authentic");
    return -1;
}

static int take_cipher(struct seal_options *o)
{
    static const uint32_t algs[] = { SVMC_ALG_AES_256_GCM, SVMC_ALG_CHACHA20_POLY1305,
                                     SVMC_ALG_XCHACHA20_POLY1305 };
    static const char *const text[] = { "aes-256-gcm", "chacha20-poly1305", "xchacha20-poly1305" };

    for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++) {
        if (strcmp(optarg, text[i]) == 0) {
            o->alg = algs[i];
            return -1;
        }
    }
    return refuse(optarg, "--cipher wants aes-256-gcm, chacha20-poly1305 or xchacha20-poly1305");
}

static int take_cost(struct seal_options *o)
{
    char *comma = strchr(optarg, ',');
    uint64_t passes, memory;

    if (!comma)
        return refuse(optarg, "--key-cost wants PASSES,KIB");
    *comma = 0;
    if (!number(optarg, &passes, "") || !number(comma + 1, &memory, "") || passes == 0 ||
        passes > UINT32_MAX || memory > UINT32_MAX)
        return refuse(optarg, "--key-cost wants PASSES,KIB");
    o->provider.passes = o->next.passes = (uint32_t)passes;
    o->provider.memory_kib = o->next.memory_kib = (uint32_t)memory;
    return -1;
}

static int take_flag(struct seal_options *o, int option)
{
    switch (option) {
    case OPT_NEW_KEY:
        o->new_vm_key = true;
        break;
    case OPT_NEW_EPOCH:
        o->new_epoch = true;
        break;
    case OPT_MAKE:
        o->provider.make = o->next.make = true;
        break;
    case OPT_FORCE:
        o->force = true;
        break;
    case OPT_JSON:
        o->json = true;
        break;
    case OPT_QUIET:
        cli_quiet();
        break;
    default:
        printf("%s\n%s%s%s", commands[o->command].usage,
               (takes[OPT_PROVIDER] >> o->command & 1) != 0 ? usage_keys : "",
               (takes[OPT_MAKE] >> o->command & 1) != 0 ? usage_more : "", usage_end);
        return CLI_GOOD;
    }
    return -1;
}

static int take(struct seal_options *o, int option)
{
    switch (option) {
    case OPT_MODE:
    case OPT_TO:
        return take_form(o, option);
    case OPT_CIPHER:
        return take_cipher(o);
    case OPT_COST:
        return take_cost(o);
    case OPT_FROM:
        o->from = optarg;
        return -1;
    case OPT_SECTION:
        if (o->sections == SECTIONS_MAX)
            return refuse(optarg, "is one --section too many");
        o->section[o->sections++] = optarg;
        return -1;
    case OPT_VM:
        o->has_vm = cli_unhex(o->vm, sizeof o->vm, optarg);
        return o->has_vm ? -1 : refuse(optarg, "--vm wants 32 hexadecimal digits");
    case OPT_PROVIDER:
        o->provider.uri = optarg;
        return -1;
    case OPT_WORD:
        o->provider.passphrase_file = optarg;
        return -1;
    case OPT_NEW_PROVIDER:
        o->next.uri = optarg;
        return -1;
    case OPT_NEW_WORD:
        o->next.passphrase_file = optarg;
        return -1;
    case OPT_ANCHOR:
        o->anchor = optarg;
        return -1;
    case OPT_SIZE:
    case OPT_SECTOR:
    case OPT_JOURNAL:
    case OPT_NUMBER:
    case OPT_GENERATION:
    case OPT_TIMEOUT:
        return take_number(o, option);
    default:
        return take_flag(o, option);
    }
}

/* What the options have to be together. */
static int check(const struct seal_options *o)
{
    bool image = o->sections != 0;

    if (o->files == 0)
        return refuse(NULL,
                      o->command == SEAL_PASSPHRASE ? "KEYFILE is missing" : "FILE is missing");
    if (o->files > 1 &&
        (o->command == SEAL_CREATE || o->command == SEAL_REKEY || o->command == SEAL_PASSPHRASE ||
         (o->command == SEAL_CONVERT && o->files > 2)))
        return refuse(o->file[o->files - 1], "is one file too many");
    if (o->command == SEAL_CONVERT && o->form == FORM_NONE)
        return refuse(NULL, "--to is missing: raw, length or authentic");
    if (o->command == SEAL_CREATE && !image && o->form == FORM_NONE)
        return refuse(NULL, "--mode is missing: length or authentic; or --section for an image");
    if (o->command == SEAL_CREATE && !image && !o->from == (o->size == 0))
        return refuse(NULL, "a disk wants one of --from and --size");
    if (image && (o->form != FORM_NONE || o->from || o->size != 0 || o->anchor))
        return refuse(NULL, "--section makes an image: no --mode, --from, --size, --anchor");
    return -1;
}

int seal_options_read(struct seal_options *o, int argc, char **argv)
{
    int option, status;
    size_t i = 0;

    memset(o, 0, sizeof *o);
    o->alg = SVMC_ALG_AES_256_GCM;
    o->generation = 1;
    o->provider.flag = "--key-provider";
    o->next.flag = "--new-key-provider";
    o->provider.timeout_ms = o->next.timeout_ms = 10000;
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        fputs(usage, argc < 2 ? stderr : stdout);
        return argc < 2 ? CLI_USAGE : CLI_GOOD;
    }
    while (i < COMMANDS && strcmp(argv[1], commands[i].name) != 0)
        i++;
    if (i == COMMANDS)
        return refuse(argv[1], "is no command");
    o->command = (enum seal_command)i;
    opterr = 0;
    optind = 2;
    while ((option = getopt_long(argc, argv, ":", names, NULL)) != -1) {
        if (option == '?' || option == ':')
            return refuse(argv[optind - 1], option == '?' ? "is no option" : "wants an argument");
        if ((takes[option] >> o->command & 1) == 0)
            return refuse(commands[i].name, "does not take that option");
        status = take(o, option);
        if (status >= 0)
            return status;
    }
    o->file = argv + optind;
    o->files = argc - optind;
    return check(o);
}
