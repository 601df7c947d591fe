/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <svmcore/disk.h>
#include <svmcore/guest/hypercall.h>
#include <svmcore/version.h>
#include <svmcore/vmware_types.h>

#include "../guests/bootinfo.h"
#include "store.h"
#include "wire.h"

static const char usage[] =
    "usage: mini-vmm [OPTION...] [GUEST.bin]\n"
    "\n"
    "Runs a secure guest on /dev/kvm. Its devices live in another process, the untrusted host,\n"
    "which sees nothing of the guest but 4096-byte parameter pages. Where /dev/kvm cannot be "
    "used,\n"
    "a recorded trace of real exits runs instead, and the first line says so and why.\n"
    "Without GUEST.bin: the demo guest, hello.\n"
    "\n"
    "  --vcpus N            processors of the guest, 1 to 4 (default 1); each has a thread, a "
    "page\n"
    "                       and doorbells, all have one host\n"
    "  --host-format FORM   what the host is shown: page, kvm_run, ghcb, tdx (default page)\n"
    "\n"
    "Hypercalls that the trusted side answers itself; the host learns nothing of them:\n"
    "  --hypercalls         VMware's calls at ports 5658 and 5659, native ones at a doorbell of "
    "their\n"
    "                       own, both announced by CPUID; the guest is then calls.bin\n"
    "  --guestinfo KEY=VALUE what info-get guestinfo.KEY is answered, and the native call; repeat "
    "it;\n"
    "                       implies --hypercalls (default hello=world)\n"
    "  --native-port HEX    the doorbell of native calls (default 565d); implies --hypercalls\n"
    "\n"
    "Tokens: a program in the guest that the trusted side knows, and others that are not it:\n"
    "  --tokens             the guest is tokens.bin: the program enrols and changes a page through "
    "its\n"
    "                       gate; all else is tried and refused, a line each; one vCPU; implies\n"
    "                       --hypercalls, and --quiet unless there is --all\n"
    "\n"
    "DMA: two devices of the host reach pages that are held encrypted, by the engine alone:\n"
    "  --dma                the guest is dma.bin: it uses a block device and a net device; what "
    "the\n"
    "                       host has no right to is tried and refused, a line each; the bus "
    "shows\n"
    "                       ciphertext; one vCPU; implies --quiet unless there is --all\n"
    "\n"
    "Instructions that KVM cannot emulate are finished by the library:\n"
    "  --finish             the guest is finish.bin: it executes such on the MMIO device and on "
    "RAM, "
    "and\n"
    "                       prints a line each; implies --quiet unless there is --all\n"
    "  --no-finish          not even then: KVM's error ends the run\n"
    "\n"
    "A hostile host:\n"
    "  --evil[=LIE,...]     the host tells lies before the truth; all of them, or those named\n"
    "  --list-lies          name the lies and the rules that refuse them\n"
    "  --scan               search the host's memory and each page for the guest's secret\n"
    "  --leak               the guest prints its secret, and --scan must find it\n"
    "\n"
    "Sealing:\n"
    "  --protect LIST       seal what is not in use: memory, context, disk, image, with commas;\n"
    "                       context: a processor's registers between two exits; disk: what the "
    "guest\n"
    "                       writes to its block device, checked before it reads it; image: the "
    "guest\n"
    "                       as a whole leaves this process sealed, or not at all\n"
    "  --memory-budget N    at most N percent of the guest's pages lie open (with memory: 50); "
    "others\n"
    "                       are sealed, and come back when they are touched; N,userfaultfd or\n"
    "                       N,slots: this way and no other. Without GUEST.bin: budget\n"
    "\n";

/* A string is 4095 characters at most. */
static const char usage_more[] =
    "  --save FILE          write the guest to a file in its run, sealed, and end: memory,\n"
    "                       registers, devices, and the exit that waits for its answer\n"
    "  --save-at N          instead of the host's N-th answer, to the first vCPU (default 20)\n"
    "  --save-delta FILE    the same for what changed since --restore: a delta on those files\n"
    "  --restore FILE       go on where a guest was saved; again for each delta, in their order\n"
    "  --migrate-to SOCKET  move the guest to another mini-vmm, while it runs\n"
    "  --migrate-from SOCKET  wait for such a guest\n"
    "  --generation N       of the file that is written (default 1, of a delta one more than what "
    "it\n"
    "                       is laid on), or the oldest that is restored\n"
    "  --disk FILE          the guest's disk: --protect disk, and it outlives the run\n"
    "  --disk-mode MODE     authentic (default): what was not written last is refused; or length:\n"
    "                       sectors keep their length, and are secret alone\n"
    "  --disk-anchor FILE   authentic: 8 bytes that nobody else may write (default FILE.anchor)\n"
    "  --disk-number N      which of the guest's disks it is (default 0)\n"
    "  --key-provider URI   whose key wraps the guest's, for all of these: file:PATH (made if it "
    "is\n"
    "                       not there, with the passphrase in MINI_VMM_PASSPHRASE), or\n"
    "                       kmip://ADDRESS:PORT/KEY?CA,CERTIFICATE,KEYFILE,NAME, where NAME is\n"
    "                       that of the server's certificate, and may be missing\n"
    "  --key-cost PASSES,KIB  of a key file that is made: what a try of a passphrase costs "
    "(default\n"
    "                       2,65536)\n"
    "\n"
    "Traces:\n"
    "  --record FILE        write a trace of the run; FILE.1 ... for further vCPUs\n"
    "  --replay FILE        run a trace without /dev/kvm and host, compare every output bit for "
    "bit\n"
    "\n"
    "Output:\n"
    "  --json               one JSON document on stdout, nothing else\n"
    "  --all                do not fold exits that are alike\n"
    "  --quiet              no table of exits, no bar on a terminal\n"
    "  --help, --version\n"
    "\n"
    "For tests:\n"
    "  --seed HEX           the library's random numbers follow from this\n"
    "  --noise HEX          the guest's unused memory and registers, and its secret, too\n"
    "  --dump-pages FILE    write each request page, 4096 bytes each; FILE.1 ... likewise\n"
    "  --timeout-ms N       bound for an answer of the host, and for the guest between two exits\n"
    "                       (default 5000)\n"
    "  --dwell              the guest budget rests half a second in the middle of its work\n"
    "  --host PATH          the host program (default: mini-host beside mini-vmm)\n"
    "  --host-pid-file FILE write the host's process id there\n"
    "\n"
    "Exit status: 0 the guest passed and nothing was unexpected; 1 it failed, or a secret was\n"
    "found, or a replay differs, or a lie was accepted; 2 usage or file error; 3 the host died,\n"
    "does not answer or is not confined; 4 KVM failed in the run, or the guest hangs.\n"
    "\n"
    "Examples:\n"
    "  mini-vmm                      the demo\n"
    "  mini-vmm --evil --quiet       every lie, and what refused it\n"
    "  mini-vmm --scan --leak        the scanner finds what a guest gives away\n"
    "  mini-vmm --quiet --guestinfo hello=me --guestinfo mode=hostile --vcpus 2\n"
    "                                one processor abuses every call, the other one goes on\n"
    "  mini-vmm --record a.trace && mini-vmm --replay a.trace\n";

static int refuse(const char *what, const char *detail)
{
    fprintf(stderr, "mini-vmm: %s%s%s (see --help)\n", what, detail ? ": " : "",
            detail ? detail : "");
    return EXIT_USAGE;
}

static void list_lies(void)
{
    for (unsigned i = 0; i < LIE_ALL; i++) {
        char rule[8];

        snprintf(rule, sizeof rule, lies[i].rule ? "R%u" : "-", lies[i].rule);
        printf("%-20s %-4s %s%s\n", lies[i].name, rule, lies[i].what,
               i >= LIE_ENDLESS_RETRY ? " (only by name)" : "");
    }
}

static bool number(const char *text, int base, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(text, &end, base);
    return errno == 0 && *text != 0 && *text != '-' && *end == 0;
}

/* --evil alone is every lie that is refused, and the race. */
static int want_lies(struct options *o, const char *list)
{
    char *copy = strdup(list ? list : "all"), *name, *rest;

    o->lies = strdup(list ? list : "all");
    if (!copy || !o->lies)
        return refuse("out of memory", NULL);
    for (name = strtok_r(copy, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        unsigned which = lie_find(name);

        if (strcmp(name, "all") == 0) {
            memset(o->wanted, 1, LIE_RACE + 1);
        } else if (which < LIE_ALL) {
            o->wanted[which] = 1;
        } else {
            refuse("unknown lie, try --list-lies", name);
            free(copy);
            return EXIT_USAGE;
        }
    }
    free(copy);
    return memchr(o->wanted, 1, sizeof o->wanted) ? -1 : refuse("--evil names no lie", NULL);
}

enum long_option {
    OPT_EVIL = 1,
    OPT_LIST,
    OPT_SCAN,
    OPT_LEAK,
    OPT_RECORD,
    OPT_REPLAY,
    OPT_JSON,
    OPT_ALL,
    OPT_QUIET,
    OPT_HELP,
    OPT_VERSION,
    OPT_SEED,
    OPT_NOISE,
    OPT_DUMP,
    OPT_TIMEOUT,
    OPT_VCPUS,
    OPT_FORM,
    OPT_HOST,
    OPT_PID,
    OPT_CALLS,
    OPT_INFO,
    OPT_PORT,
    OPT_TOKENS,
    OPT_DMA,
    OPT_PROTECT,
    OPT_BUDGET,
    OPT_DWELL,
    OPT_SAVE,
    OPT_SAVE_AT,
    OPT_RESTORE,
    OPT_MOVE_TO,
    OPT_MOVE_FROM,
    OPT_GENERATION,
    OPT_PROVIDER,
    OPT_FINISH,
    OPT_NO_FINISH,
    OPT_KEY_COST,
    OPT_DISK,
    OPT_DISK_MODE,
    OPT_DISK_ANCHOR,
    OPT_DISK_NUMBER,
    OPT_DELTA
};

static const struct option names[] = {
    { "evil", optional_argument, NULL, OPT_EVIL },
    { "list-lies", no_argument, NULL, OPT_LIST },
    { "scan", no_argument, NULL, OPT_SCAN },
    { "leak", no_argument, NULL, OPT_LEAK },
    { "record", required_argument, NULL, OPT_RECORD },
    { "replay", required_argument, NULL, OPT_REPLAY },
    { "json", no_argument, NULL, OPT_JSON },
    { "all", no_argument, NULL, OPT_ALL },
    { "quiet", no_argument, NULL, OPT_QUIET },
    { "help", no_argument, NULL, OPT_HELP },
    { "version", no_argument, NULL, OPT_VERSION },
    { "seed", required_argument, NULL, OPT_SEED },
    { "noise", required_argument, NULL, OPT_NOISE },
    { "dump-pages", required_argument, NULL, OPT_DUMP },
    { "timeout-ms", required_argument, NULL, OPT_TIMEOUT },
    { "host-format", required_argument, NULL, OPT_FORM },
    { "vcpus", required_argument, NULL, OPT_VCPUS },
    { "host", required_argument, NULL, OPT_HOST },
    { "host-pid-file", required_argument, NULL, OPT_PID },
    { "hypercalls", no_argument, NULL, OPT_CALLS },
    { "guestinfo", required_argument, NULL, OPT_INFO },
    { "native-port", required_argument, NULL, OPT_PORT },
    { "tokens", no_argument, NULL, OPT_TOKENS },
    { "dma", no_argument, NULL, OPT_DMA },
    { "finish", no_argument, NULL, OPT_FINISH },
    { "no-finish", no_argument, NULL, OPT_NO_FINISH },
    { "protect", required_argument, NULL, OPT_PROTECT },
    { "key-cost", required_argument, NULL, OPT_KEY_COST },
    { "disk", required_argument, NULL, OPT_DISK },
    { "disk-mode", required_argument, NULL, OPT_DISK_MODE },
    { "disk-anchor", required_argument, NULL, OPT_DISK_ANCHOR },
    { "disk-number", required_argument, NULL, OPT_DISK_NUMBER },
    { "save-delta", required_argument, NULL, OPT_DELTA },
    { "dwell", no_argument, NULL, OPT_DWELL },
    { "save", required_argument, NULL, OPT_SAVE },
    { "save-at", required_argument, NULL, OPT_SAVE_AT },
    { "generation", required_argument, NULL, OPT_GENERATION },
    { "migrate-to", required_argument, NULL, OPT_MOVE_TO },
    { "migrate-from", required_argument, NULL, OPT_MOVE_FROM },
    { "restore", required_argument, NULL, OPT_RESTORE },
    { "key-provider", required_argument, NULL, OPT_PROVIDER },
    { "memory-budget", required_argument, NULL, OPT_BUDGET },
    { NULL, 0, NULL, 0 },
};

static int take_number(struct options *o, int option)
{
    bool decimal = option == OPT_TIMEOUT || option == OPT_VCPUS;
    uint64_t most = option == OPT_TIMEOUT ? 3600000 : WIRE_VCPUS_MAX, value;

    if (!number(optarg, decimal ? 10 : 16, &value) || (decimal && (value == 0 || value > most)))
        return refuse("not a number of that kind", optarg);
    if (option == OPT_SEED)
        o->seed = value, o->has_seed = true;
    else if (option == OPT_NOISE)
        o->noise = value, o->has_noise = true;
    else if (option == OPT_VCPUS)
        o->vcpus = (uint32_t)value;
    else
        o->timeout_ms = (unsigned)value;
    return -1;
}

/* A port of its own: no device of the demo, nor VMware's, nor the host's doorbell. */
static int take_port(struct options *o)
{
    uint64_t value;

    if (!number(optarg, 16, &value) || value < 0x1000 || value > 0xfffc ||
        (value + 3 >= SVMC_VMWARE_PORT && value <= SVMC_HCALL_PORT))
        return refuse("not a port that is free", optarg);
    o->port = (uint16_t)value;
    o->calls = true;
    return -1;
}

/* KEY=VALUE: what does not fit is said now. */
static int take_info(struct options *o)
{
    const char *mark = strchr(optarg, '=');
    const char **more = realloc(o->info, (o->info_count + 1) * sizeof *more);

    if (!more)
        return refuse("out of memory", NULL);
    o->info = more;
    if (!mark || mark == optarg || mark - optarg > (long)STORE_KEY_BYTES ||
        strlen(mark + 1) > STORE_VALUE_BYTES || o->info_count == STORE_ENTRIES / 2 ||
        memchr(optarg, ' ', (size_t)(mark - optarg)))
        return refuse("--guestinfo wants KEY=VALUE, at most 64 and 512 bytes, 32 times", optarg);
    o->info[o->info_count++] = optarg;
    o->calls = true;
    return -1;
}

/* Names with commas between. */
static int take_protect(struct options *o)
{
    const char *at = optarg;

    do {
        size_t n = strcspn(at, ",");

        if (n == 6 && strncmp(at, "memory", n) == 0)
            o->protect |= SVMC_PROTECT(SVMC_KEY_PAGE);
        else if (n == 7 && strncmp(at, "context", n) == 0)
            o->protect |= SVMC_PROTECT(SVMC_KEY_CONTEXT);
        else if (n == 4 && strncmp(at, "disk", n) == 0)
            o->protect |= SVMC_PROTECT(SVMC_KEY_DISK);
        else if (n == 5 && strncmp(at, "image", n) == 0)
            o->protect |= SVMC_PROTECT(SVMC_KEY_IMAGE);
        else
            return refuse("--protect knows memory, context, disk and image", optarg);
        at += n + (at[n] == ',');
    } while (*at != 0);
    return -1;
}

/* PASSES,KIB of Argon2id. */
static int take_key_cost(struct options *o)
{
    char *end, *last;
    unsigned long passes = strtoul(optarg, &end, 10);
    unsigned long kib = *end == ',' ? strtoul(end + 1, &last, 10) : 0;

    if (passes < 1 || passes > 64 || kib < 8 || kib > 1ul << 20 || *last != 0)
        return refuse("--key-cost wants PASSES,KIB: 1 to 64, 8 to 1048576", optarg);
    o->key_cost = (struct vault_cost){ (uint32_t)passes, (uint32_t)kib };
    return -1;
}

/* Each of them is about a sealed disk. */
static int take_disk(struct options *o, int option)
{
    o->protect |= SVMC_PROTECT(SVMC_KEY_DISK);
    if (option == OPT_DISK)
        o->disk = optarg;
    else if (option == OPT_DISK_ANCHOR)
        o->disk_anchor = optarg;
    else if (option == OPT_DISK_NUMBER)
        return number(optarg, 10, &o->disk_number) ? -1
                                                   : refuse("not a number of that kind", optarg);
    else if (strcmp(optarg, "authentic") == 0)
        o->disk_mode = SVMC_DISK_AUTHENTIC;
    else if (strcmp(optarg, "length") == 0)
        o->disk_mode = SVMC_DISK_LENGTH;
    else
        return refuse("--disk-mode is authentic or length", optarg);
    return -1;
}

/* PERCENT, and how a touch is heard of. */
static int take_budget(struct options *o)
{
    char *end;
    unsigned long percent = strtoul(optarg, &end, 10);

    o->way = strcmp(end, ",userfaultfd") == 0 ? PAGER_FAULTS
             : strcmp(end, ",slots") == 0     ? PAGER_SLOTS
                                              : PAGER_ANY;
    if (end == optarg || *optarg == '-' || percent < 1 || percent > 99 ||
        (*end != 0 && o->way == PAGER_ANY))
        return refuse("--memory-budget wants 1 to 99 percent, and userfaultfd or slots", optarg);
    o->budget = (uint32_t)percent;
    o->protect |= SVMC_PROTECT(SVMC_KEY_PAGE);
    return -1;
}

static int take(struct options *o, int option)
{
    uint64_t *at;

    switch (option) {
    case OPT_EVIL:
        return want_lies(o, optarg);
    case OPT_LIST:
        list_lies();
        return EXIT_GOOD;
    case OPT_HELP:
        fputs(usage, stdout);
        fputs(usage_more, stdout);
        return EXIT_GOOD;
    case OPT_VERSION:
        printf("mini-vmm, libsvmcore %d.%d.%d\n", SVMC_VERSION / 10000, SVMC_VERSION / 100 % 100,
               SVMC_VERSION % 100);
        return EXIT_GOOD;
    case OPT_SEED:
    case OPT_NOISE:
    case OPT_TIMEOUT:
    case OPT_VCPUS:
        return take_number(o, option);
    case OPT_PORT:
        return take_port(o);
    case OPT_INFO:
        return take_info(o);
    case OPT_TOKENS:
        o->tokens = true;
        o->calls = true;
        return -1;
    case OPT_DMA:
        o->dma = true;
        return -1;
    case OPT_FINISH:
        o->finish = true;
        return -1;
    case OPT_NO_FINISH:
        o->no_finish = true;
        return -1;
    case OPT_PROTECT:
        return take_protect(o);
    case OPT_KEY_COST:
        return take_key_cost(o);
    case OPT_DISK:
    case OPT_DISK_MODE:
    case OPT_DISK_ANCHOR:
    case OPT_DISK_NUMBER:
        return take_disk(o, option);
    case OPT_SAVE:
    case OPT_DELTA:
        o->save = optarg;
        o->delta = option == OPT_DELTA;
        return -1;
    case OPT_SAVE_AT:
    case OPT_GENERATION:
        at = option == OPT_SAVE_AT ? &o->save_at : &o->generation;
        return number(optarg, 10, at) && *at > 0 ? -1 : refuse("not a number of that kind", optarg);
    case OPT_MOVE_TO:
        o->move_to = optarg;
        return -1;
    case OPT_MOVE_FROM:
        o->move_from = optarg;
        return -1;
    case OPT_RESTORE:
        if (o->restores == OPTIONS_FILES_MAX)
            return refuse("--restore: 16 files at most", NULL);
        o->restore[o->restores++] = optarg;
        return -1;
    case OPT_PROVIDER:
        o->provider = optarg;
        return -1;
    case OPT_DWELL:
        o->dwell = true;
        return -1;
    case OPT_BUDGET:
        return take_budget(o);
    case OPT_CALLS:
        o->calls = true;
        return -1;
    case OPT_FORM:
        o->form = form_find(optarg);
        return o->form && !form_has_dma(o->form) ? -1 : refuse("no such form", optarg);
    case OPT_SCAN:
        o->scan = true;
        return -1;
    case OPT_LEAK:
        o->leak = true;
        return -1;
    case OPT_JSON:
        o->json = true;
        return -1;
    case OPT_ALL:
        o->all = true;
        return -1;
    case OPT_QUIET:
        o->quiet = true;
        return -1;
    case OPT_RECORD:
        o->record = optarg;
        return -1;
    case OPT_REPLAY:
        o->replay = optarg;
        return -1;
    case OPT_DUMP:
        o->dump = optarg;
        return -1;
    case OPT_HOST:
        o->host = optarg;
        return -1;
    case OPT_PID:
        o->pid_file = optarg;
        return -1;
    default:
        return refuse("unknown option or missing argument", NULL);
    }
}

/* What goes together of all that seals. */
static int check_sealing(struct options *o)
{
    const bool files = o->save || o->restores > 0 || o->move_to || o->move_from;

    if (files &&
        (o->calls || o->dma || o->lies || o->replay || o->record || !form_is_page(o->form)))
        return refuse("--save, --restore, --migrate-: devices that are saved: no --hypercalls, "
                      "--tokens, --dma, --evil, --record, --replay, --host-format",
                      NULL);
    if (!o->provider != !(files || o->disk))
        return refuse("--save, --restore, --migrate-, --disk want a --key-provider, and nothing "
                      "else does",
                      NULL);
    if ((o->save && o->move_to) || (o->restores > 0 && o->move_from))
        return refuse("--migrate-to runs without --save, --migrate-from without --restore", NULL);
    if (o->move_to &&
        (o->protect & (SVMC_PROTECT(SVMC_KEY_PAGE) | SVMC_PROTECT(SVMC_KEY_CONTEXT))) != 0)
        return refuse("--migrate-to: memory is sent while it is in use: no --protect memory, "
                      "context",
                      NULL);
    if ((o->restores > 0 || o->move_from) && (o->guest || o->has_noise || o->vcpus > 1))
        return refuse("--restore, --migrate-from have a guest of their own: no GUEST, --noise, "
                      "--vcpus",
                      NULL);
    if (o->delta && (o->restores == 0 || (o->protect & SVMC_PROTECT(SVMC_KEY_PAGE)) != 0))
        return refuse("--save-delta: what changed since a --restore; no --memory-budget, which "
                      "needs the same log of KVM's",
                      NULL);
    if (o->protect && o->replay)
        return refuse("--replay has no guest to seal: no --protect, --memory-budget", NULL);
    if ((o->protect & SVMC_PROTECT(SVMC_KEY_DISK)) != 0 && (o->dma || o->lies || o->record))
        return refuse("--protect disk: the block device is the keeper's: no --dma, --evil, "
                      "--record",
                      NULL);
    if ((o->protect & SVMC_PROTECT(SVMC_KEY_DISK)) != 0 && !o->disk && (files || o->disk_anchor))
        return refuse("--protect disk: without --disk FILE it is of this run alone: no --save, "
                      "--restore, --migrate-, --disk-anchor",
                      NULL);
    if ((o->protect & SVMC_PROTECT(SVMC_KEY_IMAGE)) != 0 && (o->record || o->dump || o->leak))
        return refuse("--protect image: the guest leaves sealed alone: no --record, --dump-pages, "
                      "--leak",
                      NULL);
    if ((o->protect & SVMC_PROTECT(SVMC_KEY_PAGE)) != 0 &&
        (o->calls || o->dma || o->lies || (o->vcpus > 1 && o->way == PAGER_SLOTS)))
        return refuse("--memory-budget: nobody but the guest reads its memory: no --hypercalls, "
                      "--tokens, --dma, --evil; slots are of one vCPU",
                      NULL);
    if ((o->protect & SVMC_PROTECT(SVMC_KEY_PAGE)) != 0 && o->budget == 0)
        o->budget = 50;
    return -1;
}

int options_parse(struct options *o, int argc, char **argv)
{
    int option, status, index = 0;

    *o = (struct options){ .timeout_ms = 5000,
                           .save_at = 20,
                           .disk_mode = SVMC_DISK_AUTHENTIC,
                           .key_cost = { 2, 65536 },
                           .vcpus = 1,
                           .form = form_find("page"),
                           .port = NATIVE_PORT };
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", names, NULL)) != -1) {
        if (option == '?' || option == ':')
            return refuse(option == ':' ? "this option wants an argument" : "unknown option",
                          argv[optind - 1]);
        status = take(o, option);
        if (status >= 0)
            return status;
    }
    index = optind;
    if (argc - index > 1)
        return refuse("more than one guest", argv[index + 1]);
    o->guest = index < argc ? argv[index] : NULL;
    o->scan |= o->leak; /* a leak is there to be found */
    o->quiet |= (o->tokens || o->dma || o->finish) && !o->all;
    if (o->finish && (o->guest || o->calls || o->dma || o->protect || o->replay || o->vcpus > 1))
        return refuse("--finish has a guest of its own, on one vCPU: no GUEST, --hypercalls, "
                      "--tokens, --dma, --protect, --memory-budget, --replay, --vcpus",
                      NULL);
    if (o->dma && (o->calls || o->lies || o->replay || o->vcpus > 1 || !form_is_page(o->form)))
        return refuse("--dma runs alone, on one vCPU, and its host tries what it can: no --tokens, "
                      "--hypercalls, --evil, --replay, --vcpus, --host-format",
                      NULL);
    if (o->dma)
        o->form = form_find("page+dma");
    if (o->tokens && o->vcpus > 1)
        return refuse("--tokens: one vCPU alone: KVM's slots are one for all of them", NULL);
    if (o->lies && !form_is_page(o->form))
        return refuse("--evil: the lies are about pages: no --host-format", NULL);
    if (o->calls && o->record && o->vcpus > 1)
        return refuse("--record: what several vCPUs do with one store has no order in traces",
                      NULL);
    if (o->calls && o->lies && !o->guest)
        return refuse("--evil: calls.bin asks the host for too little: name a GUEST", NULL);
    if (o->replay && o->calls)
        return refuse("--replay has a store of its own: no --hypercalls, --guestinfo", NULL);
    if (o->replay && (o->record || o->lies || o->scan || o->guest))
        return refuse("--replay runs alone: no --record, --evil, --scan, --leak, GUEST", NULL);
    if (o->replay && (o->host || o->pid_file || o->has_noise || o->has_seed || o->vcpus > 1 ||
                      !form_is_page(o->form)))
        return refuse("--replay has no use for --host, --host-pid-file, --host-format, --noise, "
                      "--seed, --vcpus",
                      NULL);
    return check_sealing(o);
}
