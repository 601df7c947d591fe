/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls from the command line of a Linux guest, x86-64, AArch64, RISC-V or s390x: is anybody
 * there, a native call, VMware's version, an RPC. A guest without a host that answers is told so.
 * Build: cc -Iinclude examples/guest-tools/(all).c; nothing of the library is linked.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <sys/io.h>
#endif

#include "fault.h"
#include "rpc.h"

#if !SVMC_HCALL_HERE
#error "the guest's header has no call for this processor"
#endif

enum { FINE, REFUSED, NOBODY, USAGE }; /* exit status */

static const char *const way_names[] = { "none", "port", "vmcall", "vmmcall", "trap", "call" };
enum { WAYS = sizeof way_names / sizeof way_names[0] };

static int usage(void)
{
    fputs(
        "usage: svmc-call [OPTION]... probe\n"
        "       svmc-call [OPTION]... call [OWNER:]NUMBER [ARGUMENT]...\n"
        "       svmc-call [OPTION]... version\n"
        "       svmc-call [OPTION]... rpc TEXT\n"
        "\n"
        "  probe    who answers, and by which instruction\n"
        "  call     a native call with up to 6 arguments: status word and results\n"
        "  version  of a host that speaks VMware's ABI\n"
        "  rpc      TEXT, e.g. 'info-get guestinfo.name', to such a host; prints the reply\n"
        "\n"
        "  --way    port, vmcall, vmmcall (x86), trap (the others): do not probe, use this one\n"
        "  --low    rpc: four bytes a call\n"
        "  --iopl   x86, as root: ask the kernel for the ports, where the host has no other door\n"
        "\n"
        "exit status: 0; 1: the host refused; 2: nobody answers; 3: usage\n",
        stderr);
    return USAGE;
}

/* What runs below fault_attempt: each call of the tool. */
struct job {
    const struct svmc_guest *guest;
    svmc_hcall_word control, word[6], status;
    const char *text;
    char *reply;
    size_t room, reply_bytes;
    enum rpc_end end;
    int high;
};

static void do_call(void *of)
{
    struct job *j = of;

    j->status = svmc_call(j->guest, j->control, j->word);
}

static void do_version(void *of)
{
    struct job *j = of;

    j->word[1] = ~(svmc_hcall_word)SVMC_VMWARE_MAGIC;
    j->word[2] = 0xffff0000 | SVMC_VMWARE_GET_VERSION;
    j->status = svmc_vmware_low(j->guest, j->word);
}

static void do_rpc(void *of)
{
    struct job *j = of;

    j->end = rpc(j->guest, j->high, j->text, strlen(j->text), j->reply, j->room, &j->reply_bytes);
}

static int nobody(const char *abi)
{
    fprintf(stderr, "svmc-call: nobody answers a %s call\n", abi);
    return NOBODY;
}

static int print_probe(const struct svmc_guest *g)
{
    printf("native: %s", way_names[g->way % WAYS]);
    if (g->way == SVMC_WAY_PORT)
        printf(" %#x", g->port);
    if (g->abi)
        printf(", version %u", g->abi);
    printf("\nvmware: %s\n", way_names[g->vmware % WAYS]);
    return g->way == SVMC_WAY_NONE && g->vmware == SVMC_WAY_NONE ? NOBODY : FINE;
}

static int number_of(const char *text, svmc_hcall_word *value)
{
    char *end;

    errno = 0;
    *value = strtoul(text, &end, 0);
    return *text && !*end && errno == 0;
}

static int call(const struct svmc_guest *g, int count, char **words)
{
    struct job job = { .guest = g };
    svmc_hcall_word owner = 0, number;
    char *colon = count > 0 ? strchr(words[0], ':') : NULL;
    int i;

    if (count < 1 || count > 7)
        return usage();
    if (colon) {
        *colon = 0;
        if (!number_of(words[0], &owner) || owner > 63)
            return usage();
        words[0] = colon + 1;
    }
    if (!number_of(words[0], &number) || number > 0xffff)
        return usage();
    for (i = 1; i < count; i++)
        if (!number_of(words[i], &job.word[i - 1]))
            return usage();
    job.control = SVMC_HCALL_CONTROL(number) | SVMC_HCALL_OWNER(owner);
    if (g->way == SVMC_WAY_NONE || fault_attempt(NULL, do_call, &job) != 0 ||
        !SVMC_HCALL_IS_STATUS(job.status))
        return nobody("native");
    printf("status: %#lx, code %u", job.status, SVMC_HCALL_CODE_OF(job.status));
    if (SVMC_HCALL_BAD_OF(job.status))
        printf(", argument %u", SVMC_HCALL_BAD_OF(job.status));
    if (SVMC_HCALL_HINT_OF(job.status))
        printf(", again after 2^%u ticks", SVMC_HCALL_HINT_OF(job.status));
    puts("");
    for (i = 0; i < 6; i++)
        printf("%#lx%c", job.word[i], i < 5 ? ' ' : '\n');
    return SVMC_HCALL_CODE_OF(job.status) == SVMC_HCALL_OK ? FINE : REFUSED;
}

static int version(const struct svmc_guest *g)
{
    struct job job = { .guest = g };

    if (g->vmware == SVMC_WAY_NONE || fault_attempt(NULL, do_version, &job) != 0 ||
        job.word[1] != SVMC_VMWARE_MAGIC)
        return nobody("VMware-compatible");
    printf("version %lu, type %lu\n", job.status, job.word[2]);
    return FINE;
}

static int request(const struct svmc_guest *g, int high, const char *text)
{
    static char reply[65536];
    struct job job = { .guest = g, .text = text, .reply = reply, .room = sizeof reply };

    job.high = high;
    if (g->vmware == SVMC_WAY_NONE || fault_attempt(NULL, do_rpc, &job) != 0)
        return nobody("VMware-compatible");
    if (job.end != RPC_DONE) {
        fprintf(stderr, "svmc-call: %s\n",
                job.end == RPC_NO_OPEN    ? "the host opens no channel"
                : job.end == RPC_TOO_LONG ? "the reply is too long"
                                          : "the host broke the message off");
        return REFUSED;
    }
    if (job.reply_bytes < 2 || (reply[0] != '0' && reply[0] != '1') || reply[1] != ' ') {
        fputs("svmc-call: the reply is none\n", stderr);
        return REFUSED;
    }
    fwrite(reply + 2, 1, job.reply_bytes - 2, reply[0] == '1' ? stdout : stderr);
    fputc('\n', reply[0] == '1' ? stdout : stderr);
    return reply[0] == '1' ? FINE : REFUSED;
}

/* A program may then use the ports, if root says so and lockdown does not say no. */
static int ports(void)
{
#if defined(__x86_64__)
    return iopl(3);
#else
    errno = ENOSYS;
    return -1;
#endif
}

int main(int argc, char **argv)
{
    struct svmc_probe_how how = { 0, 0, fault_attempt, NULL };
    struct svmc_guest guest = svmc_guest_default();
    unsigned way = SVMC_WAY_NONE;
    int at = 1, high = 1;

    for (; at < argc && argv[at][0] == '-'; at++) {
        if (!strcmp(argv[at], "--low")) {
            high = 0;
        } else if (!strcmp(argv[at], "--iopl")) {
            if (ports() != 0) {
                perror("svmc-call: iopl");
                return REFUSED;
            }
        } else if (!strcmp(argv[at], "--way") && at + 1 < argc) {
            at++;
            for (way = WAYS - 1; way != SVMC_WAY_NONE && strcmp(argv[at], way_names[way]); way--)
                ;
            if (way == SVMC_WAY_NONE)
                return usage();
        } else {
            return usage();
        }
    }
    if (at == argc)
        return usage();
    if (way == SVMC_WAY_NONE)
        svmc_probe(&guest, &how);
    else
        guest.way = guest.vmware = way;
    if (!strcmp(argv[at], "probe") && argc == at + 1)
        return print_probe(&guest);
    if (!strcmp(argv[at], "call"))
        return call(&guest, argc - at - 1, argv + at + 1);
    if (!strcmp(argv[at], "version") && argc == at + 1)
        return version(&guest);
    if (!strcmp(argv[at], "rpc") && argc == at + 2)
        return request(&guest, high, argv[at + 1]);
    return usage();
}
