/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <svmcore/version.h>

#include "grow.h"
#include "report.h"
#include "tracer.h"

static const char help[] =
    "usage: backdoor-run [OPTION...] -- PROGRAM [ARGUMENT...]\n"
    "\n"
    "Runs an unmodified x86-64 program as if it ran in a guest of VMware: what it asks the\n"
    "hypervisor by IN, VMCALL or VMMCALL is answered from a small machine made of the options\n"
    "below. Everything else the program does, it does here. No hypervisor and no root is needed,\n"
    "only ptrace. All processes and threads that it starts are served as well.\n"
    "\n"
    "What the machine holds:\n"
    "  --set guestinfo.KEY=VALUE       what `info-get guestinfo.KEY` finds; repeat it for more\n"
    "  --set-file guestinfo.KEY=FILE   the same, with the contents of a file\n"
    "  --store FILE       read more of them from FILE, and keep there what the program sets, in\n"
    "                     the form of a VMX file: guestinfo.KEY = \"VALUE\"\n"
    "  --namespace NAME/KEY=VALUE      what `vmware-namespace-cmd get-value NAME -k KEY` finds\n"
    "  --reply COMMAND=ANSWER          answer any other RPCI command that begins with COMMAND:\n"
    "                     ANSWER is sent as it stands, `1 TEXT` for success, `0 REASON` for none\n"
    "  --send MESSAGE     send MESSAGE to each TCLO channel that is opened; several go out one\n"
    "                     after the other, each when the answer to the last one is there\n"
    "  --share NAME[=FOLDER]           a shared folder, to be read; without FOLDER it is empty\n"
    "  --device NAME      a removable device, connected\n"
    "\n"
    "How the machine is reached:\n"
    "  --way in|vmcall|vmmcall         the instruction that CPUID tells the program to use\n"
    "                     (default in); IN is always answered\n"
    "  --hb on|off        high bandwidth: whole messages, or four bytes a call (default on)\n"
    "  --checkpoint       as if the machine were saved in the middle of each message: the program\n"
    "                     must send or fetch it again\n"
    "  --emulator QEMU    PROGRAM is one of AArch64, and QEMU its emulator with what it needs, "
    "e.g.\n"
    "                     'qemu-aarch64-static -L /usr/aarch64-linux-gnu'; the instruction is "
    "MRS,\n"
    "                     --way has no meaning, what PROGRAM starts is not served, and of its\n"
    "                     threads one at a time may call: QEMU 7.2 does not tell two apart\n"
    "  --rewrite PATTERN  rewrite CPUID, VMCALL and VMMCALL also in libraries whose file has such\n"
    "                     a name; the program itself, libvmtools*, libguestlib*, libguestStore*\n"
    "                     and libDeployPkg* always are\n"
    "\n"
    "What you see of it:\n"
    "  --trace[=FILE]     a line for each call, on standard error or in FILE\n"
    "  --log FILE         append what the program writes into the log of its VM\n"
    "  --help, --version\n"
    "\n"
    "Limits. CPUID does not trap on most processors, so it is rewritten in the memory of the\n"
    "program when the loader has finished, and after each dlopen; where the processor can refuse\n"
    "it, all CPUID is seen. Constructors of libraries run before that. A program that reads its\n"
    "own code sees the difference. Signals that a call raises are never delivered, but Linux\n"
    "resets a handler of SIGSEGV or SIGILL that is ignored or blocked at that time. 32-bit\n"
    "programs get answers to IN alone. Programs with set-user-ID run without it.\n"
    "\n"
    "Exit status: that of PROGRAM, and if a signal ended it, the same signal; 125 backdoor-run\n"
    "itself failed; 126 PROGRAM cannot be run; 127 it is not there.\n"
    "\n"
    "Examples:\n"
    "  backdoor-run --set guestinfo.hello=hi -- vmware-rpctool 'info-get guestinfo.hello'\n"
    "  backdoor-run --store guest.vmx -- vmware-rpctool 'info-set guestinfo.ip 10.0.0.7'\n"
    "  backdoor-run --trace --way vmmcall -- vmware-checkvm\n"
    "  backdoor-run --trace --send ping -- vmtoolsd\n";

static int refuse(const char *what, const char *detail)
{
    report("%s%s%s (see --help)", what, detail ? ": " : "", detail ? detail : "");
    return TRACER_FAILED;
}

enum long_option {
    OPT_SET = 1,
    OPT_SET_FILE,
    OPT_STORE,
    OPT_NAMESPACE,
    OPT_REPLY,
    OPT_SEND,
    OPT_SHARE,
    OPT_DEVICE,
    OPT_WAY,
    OPT_HB,
    OPT_CHECKPOINT,
    OPT_EMULATOR,
    OPT_REWRITE,
    OPT_TRACE,
    OPT_LOG,
    OPT_HELP,
    OPT_VERSION
};

static const struct option names[] = {
    { "set", required_argument, NULL, OPT_SET },
    { "set-file", required_argument, NULL, OPT_SET_FILE },
    { "store", required_argument, NULL, OPT_STORE },
    { "namespace", required_argument, NULL, OPT_NAMESPACE },
    { "reply", required_argument, NULL, OPT_REPLY },
    { "send", required_argument, NULL, OPT_SEND },
    { "share", required_argument, NULL, OPT_SHARE },
    { "device", required_argument, NULL, OPT_DEVICE },
    { "way", required_argument, NULL, OPT_WAY },
    { "hb", required_argument, NULL, OPT_HB },
    { "checkpoint", no_argument, NULL, OPT_CHECKPOINT },
    { "emulator", required_argument, NULL, OPT_EMULATOR },
    { "rewrite", required_argument, NULL, OPT_REWRITE },
    { "trace", optional_argument, NULL, OPT_TRACE },
    { "log", required_argument, NULL, OPT_LOG },
    { "help", no_argument, NULL, OPT_HELP },
    { "version", no_argument, NULL, OPT_VERSION },
    { NULL, 0, NULL, 0 },
};

/* guestinfo.KEY=VALUE: where VALUE begins; NULL: it is of another form. */
static const char *split(const char *text, const char **key, size_t *key_bytes)
{
    const char prefix[] = "guestinfo.", *equals = strchr(text, '=');

    *key = text + sizeof prefix - 1;
    if (strncmp(text, prefix, sizeof prefix - 1) != 0 || !equals || equals < *key)
        return NULL;
    *key_bytes = (size_t)(equals - *key);
    return equals + 1;
}

static int set(struct options *o, const char *text, const char *key, size_t key_bytes,
               const void *value, size_t bytes)
{
    if (bytes > MACHINE_VALUE_BYTES)
        return refuse("this value is too long", text);
    switch (store_set(&o->machine->store, (const uint8_t *)key, key_bytes, value, bytes)) {
    case STORE_OK:
        return -1;
    case STORE_FULL:
        return refuse("there is no room for this value", text);
    case STORE_BAD_KEY:
    default:
        return refuse("this is no key", text);
    }
}

static int take_set(struct options *o, const char *text)
{
    const char *key, *value;
    size_t key_bytes;

    value = split(text, &key, &key_bytes);
    if (!value)
        return refuse("--set wants guestinfo.KEY=VALUE", text);
    return set(o, text, key, key_bytes, value, strlen(value));
}

static int take_set_file(struct options *o, const char *text)
{
    static char bytes[MACHINE_VALUE_BYTES + 1];
    const char *key, *path;
    size_t key_bytes, n;
    FILE *file;
    bool bad;

    path = split(text, &key, &key_bytes);
    if (!path)
        return refuse("--set-file wants guestinfo.KEY=FILE", text);
    file = fopen(path, "re");
    if (!file)
        return refuse(path, strerror(errno));
    n = fread(bytes, 1, sizeof bytes, file);
    bad = ferror(file) != 0;
    fclose(file);
    if (bad)
        return refuse(path, "it cannot be read");
    return set(o, text, key, key_bytes, bytes, n);
}

static int take_namespace(struct options *o, char *text)
{
    char *slash = strchr(text, '/'), *equals = slash ? strchr(slash, '=') : NULL;

    if (!equals)
        return refuse("--namespace wants NAME/KEY=VALUE", text);
    *slash = *equals = 0;
    if (!rpc_namespace_set(&o->machine->rpc, text, slash + 1, equals + 1))
        return refuse("this key or value of a namespace is refused", text);
    return -1;
}

static int take_reply(struct options *o, char *text)
{
    struct rpc *rpc = &o->machine->rpc;
    struct rpc_answer *answer;
    char *equals = strchr(text, '=');

    if (!equals || equals == text || (equals[1] != '0' && equals[1] != '1') || equals[2] != ' ')
        return refuse("--reply wants COMMAND=1 TEXT or COMMAND=0 REASON", text);
    *equals = 0;
    answer = grow((void **)&rpc->answers, &rpc->answer_count, &rpc->answer_cap, sizeof *answer);
    if (!answer)
        return refuse("out of memory", NULL);
    *answer = (struct rpc_answer){ .command = text, .answer = equals + 1 };
    return -1;
}

static int take_name(struct names *list, const char *name)
{
    const char **one = grow((void **)&list->list, &list->count, &list->cap, sizeof *one);

    if (!one)
        return refuse("out of memory", NULL);
    *one = name;
    return -1;
}

static int take_share(struct options *o, char *text)
{
    char *equals = strchr(text, '=');

    if (equals)
        *equals = 0;
    if (text[0] == 0 || strchr(text, '/'))
        return refuse("--share wants NAME or NAME=FOLDER", text);
    if (!hgfs_add(&o->machine->rpc.hgfs, text, equals ? equals + 1 : NULL))
        return refuse(equals ? equals + 1 : text, strerror(errno));
    return -1;
}

static int take_way(struct options *o, const char *text)
{
    static const char ways[][8] = {
        [WAY_IN] = "in", [WAY_VMCALL] = "vmcall", [WAY_VMMCALL] = "vmmcall"
    };

    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (strcmp(text, ways[i]) == 0) {
            o->machine->way = (enum way)i;
            return -1;
        }
    return refuse("--way is in, vmcall or vmmcall, not", text);
}

static int take_file(FILE **out, const char *path, const char *mode)
{
    *out = path ? fopen(path, mode) : stderr;
    return *out ? -1 : refuse(path, strerror(errno));
}

static int take(struct options *o, int option)
{
    switch (option) {
    case OPT_SET:
        return take_set(o, optarg);
    case OPT_SET_FILE:
        return take_set_file(o, optarg);
    case OPT_STORE:
        o->machine->store.file = optarg;
        return -1;
    case OPT_NAMESPACE:
        return take_namespace(o, optarg);
    case OPT_REPLY:
        return take_reply(o, optarg);
    case OPT_SEND:
        return take_name(&o->machine->messages, optarg);
    case OPT_SHARE:
        return take_share(o, optarg);
    case OPT_DEVICE:
        return take_name(&o->machine->rpc.devices, optarg);
    case OPT_REWRITE:
        return take_name(&o->wanted, optarg);
    case OPT_EMULATOR:
        o->emulator = optarg;
        return -1;
    case OPT_WAY:
        return take_way(o, optarg);
    case OPT_HB:
        o->high_bandwidth = strcmp(optarg, "on") == 0;
        return o->high_bandwidth || strcmp(optarg, "off") == 0
                   ? -1
                   : refuse("--hb is on or off, not", optarg);
    case OPT_CHECKPOINT:
        o->machine->checkpoint = true;
        return -1;
    case OPT_TRACE:
        return take_file(&o->machine->trace, optarg, "we");
    case OPT_LOG:
        return take_file(&o->machine->log, optarg, "ae");
    case OPT_HELP:
        fputs(help, stdout);
        return 0;
    case OPT_VERSION:
    default:
        printf("backdoor-run, libsvmcore %d.%d.%d\n", SVMC_VERSION / 10000,
               SVMC_VERSION / 100 % 100, SVMC_VERSION % 100);
        return 0;
    }
}

int options_parse(struct options *o, int argc, char **argv)
{
    static const char *const libraries[] = { "libvmtools*", "libguestlib*", "libguestStore*",
                                             "libDeployPkg*" };
    int option, status = -1;

    o->high_bandwidth = true;
    opterr = 0;
    for (size_t i = 0; status < 0 && i < sizeof libraries / sizeof libraries[0]; i++)
        status = take_name(&o->wanted, libraries[i]);
    /* '+': the options of the program are its own */
    while (status < 0 && (option = getopt_long(argc, argv, "+:", names, NULL)) != -1) {
        if (option == '?' || option == ':')
            return refuse(option == ':' ? "this option wants an argument" : "unknown option",
                          argv[optind - 1]);
        status = take(o, option);
    }
    if (status >= 0)
        return status;
    if (optind >= argc)
        return refuse("no program to run", NULL);
    o->program = argv + optind;
    return store_load(&o->machine->store) ? -1 : TRACER_FAILED;
}
