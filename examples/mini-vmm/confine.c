/* SPDX-License-Identifier: MIT */
/** seccomp by hand: a list of system calls, all else kills the process. */
#include "confine.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define X32_BIT 0x40000000u

#define LOAD(field) \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, field))
#define RETURN(what)         BPF_STMT(BPF_RET | BPF_K, what)
#define EQUAL(k, yes, no)    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(k), yes, no)
#define AT_LEAST(k, yes, no) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (unsigned)(k), yes, no)
#define ALLOW(nr)            EQUAL(nr, 0, 1), RETURN(SECCOMP_RET_ALLOW)

/*
 * No new files, no memory image on disk, no further threads (root is exempt from the last). poll
 * takes no more descriptors than the first of these limits.
 */
static int limit(unsigned polled)
{
    static const int zero[] = { RLIMIT_CORE, RLIMIT_FSIZE, RLIMIT_NPROC, RLIMIT_MEMLOCK,
                                RLIMIT_MSGQUEUE };
    const struct rlimit none = { 0, 0 }, few = { polled, polled };

    if (setrlimit(RLIMIT_NOFILE, &few) != 0)
        return -1;

    for (unsigned i = 0; i < sizeof zero / sizeof zero[0]; i++)
        if (setrlimit((__rlimit_resource_t)zero[i], &none) != 0)
            return -1;
    return 0;
}

int confine(int fds, unsigned polled)
{
    struct sock_filter code[] = {
        LOAD(arch),
        EQUAL(AUDIT_ARCH_X86_64, 1, 0),
        RETURN(SECCOMP_RET_KILL_PROCESS),
        LOAD(nr),
        AT_LEAST(X32_BIT, 0, 1),
        RETURN(SECCOMP_RET_KILL_PROCESS),
        EQUAL(SYS_read, 2, 0),
        EQUAL(SYS_write, 1, 0),
        BPF_STMT(BPF_JMP | BPF_JA, 3),
        LOAD(args[0]),
        AT_LEAST(fds, 0, 1),
        RETURN(SECCOMP_RET_KILL_PROCESS),
        RETURN(SECCOMP_RET_ALLOW),
        ALLOW(SYS_poll),
        ALLOW(SYS_futex),
        ALLOW(SYS_clock_gettime),
        ALLOW(SYS_exit),
        ALLOW(SYS_exit_group),
        ALLOW(SYS_rt_sigreturn),
        ALLOW(SYS_restart_syscall),
        ALLOW(SYS_madvise),
        ALLOW(SYS_munmap),
        RETURN(SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = { .len = sizeof code / sizeof code[0], .filter = code };

    if (limit(polled) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0
               ? 0
               : -1;
}
