/* SPDX-License-Identifier: MIT */
#include "traps.h"

#include <string.h>
#include <sys/ptrace.h>

#include <svmcore/iox.h>

#include "decode.h"
#include "memory.h"

#define CS_64      0x33u /* Linux asm/segment.h: __USER_CS, and __USER32_CS is 0x23 */
#define VECTOR_UD  6u
#define VECTOR_PF  14u
#define PF_PRESENT 1u
#define FLAG_HIGH  1u /* bits of DX for VMCALL and VMMCALL: backdoor_def.h */
#define FLAG_WRITE 2u

/* A thread that stopped at an instruction. */
struct stop {
    struct task *task;
    struct user_regs_struct regs;
    struct svmc_insn insn;
    struct trap trap;
};

static enum svmc_isa isa_of(const struct stop *s)
{
    return s->regs.cs == CS_64 ? SVMC_ISA_X86_64 : SVMC_ISA_X86_32;
}

static bool fetch(struct stop *s)
{
    uint8_t bytes[SVMC_INSN_MAX];
    size_t n = memory_peek(s->task->tid, s->regs.rip, bytes, sizeof bytes);

    return decode(isa_of(s), bytes, n, &s->insn);
}

static void get_args(struct stop *s)
{
    const uint64_t arg[SVMC_IOX_ARGS] = { s->regs.rax, s->regs.rbx, s->regs.rcx, s->regs.rdx,
                                          s->regs.rsi, s->regs.rdi, s->regs.rbp };

    memcpy(s->trap.call.arg, arg, sizeof arg);
    s->trap.tid = s->task->tid;
    s->trap.memory = memory_of(&s->task->tid);
    s->trap.call.user = 1;
    s->trap.call.isa = (uint8_t)isa_of(s);
}

static bool set_args(struct stop *s)
{
    s->regs.rax = s->trap.call.arg[0];
    s->regs.rbx = s->trap.call.arg[1];
    s->regs.rcx = s->trap.call.arg[2];
    s->regs.rdx = s->trap.call.arg[3];
    s->regs.rsi = s->trap.call.arg[4];
    s->regs.rdi = s->trap.call.arg[5];
    s->regs.rbp = s->trap.call.arg[6];
    return ptrace(PTRACE_SETREGS, s->task->tid, NULL, &s->regs) == 0;
}

/* What Linux makes of an exception: arch/x86/kernel/traps.c, arch/x86/mm/fault.c. */
static int give_fault(pid_t tid, const struct svmc_fault *fault)
{
    siginfo_t info = { 0 };

    info.si_signo = fault->vector == VECTOR_UD ? SIGILL : SIGSEGV;
    info.si_code = SI_KERNEL;
    if (fault->vector == VECTOR_UD) {
        info.si_code = ILL_ILLOPN;
    } else if (fault->vector == VECTOR_PF) {
        info.si_code = (fault->error & PF_PRESENT) != 0 ? SEGV_ACCERR : SEGV_MAPERR;
        info.si_addr = (void *)(uintptr_t)fault->address;
    }
    ptrace(PTRACE_SETSIGINFO, tid, NULL, &info);
    return info.si_signo;
}

static int make_call(struct machine *m, struct stop *s, int signal, unsigned length)
{
    struct svmc_fault fault = { 0 };

    get_args(s);
    switch (machine_call(m, &s->trap, &fault)) {
    case OUTCOME_DONE:
        s->regs.rip += length;
        return set_args(s) ? 0 : signal;
    case OUTCOME_AGAIN:
        return set_args(s) ? 0 : signal;
    case OUTCOME_FAULT:
        if (!set_args(s))
            return signal;
        return give_fault(s->task->tid, &fault);
    case OUTCOME_NOT_OURS:
    default:
        return signal;
    }
}

static int answer_cpuid(struct machine *m, struct stop *s, int signal, unsigned length)
{
    uint32_t regs[4] = { (uint32_t)s->regs.rax, 0, (uint32_t)s->regs.rcx, 0 };

    machine_cpuid(m, s->task->tid, regs);
    s->regs.rax = regs[0];
    s->regs.rbx = regs[1];
    s->regs.rcx = regs[2];
    s->regs.rdx = regs[3];
    s->regs.rip += length;
    return ptrace(PTRACE_SETREGS, s->task->tid, NULL, &s->regs) == 0 ? 0 : signal;
}

/* #GP: a port, which ring 3 may not use; or CPUID, which the processor refuses. */
static int protection(struct machine *m, struct stop *s)
{
    struct svmc_iox io;
    uint16_t port;

    if (!fetch(s))
        return SIGSEGV;
    if (s->insn.id == SVMC_X86_CPUID && s->task->space && s->task->space->cpuid_faults)
        return answer_cpuid(m, s, SIGSEGV, s->insn.length);
    if (svmc_iox_from_insn(&s->insn, s->regs.eflags, &io) != SVMC_OK)
        return SIGSEGV;
    port = io.immediate ? io.port : (uint16_t)s->regs.rdx;
    if (!machine_is_call(&io, port, &s->trap.call))
        return SIGSEGV;
    s->trap.way = WAY_IN;
    return make_call(m, s, SIGSEGV, s->insn.length);
}

/* #UD: an instruction that was rewritten, or VMCALL and VMMCALL where they are none. */
static int undefined(struct machine *m, struct stop *s)
{
    const struct site *site =
        s->task->space ? sites_find(&s->task->space->sites, s->regs.rip) : NULL;
    unsigned id, length;

    if (!site && !fetch(s))
        return SIGILL;
    id = site ? site->id : s->insn.id;
    length = site ? site->length : s->insn.length;
    if (id == SVMC_X86_CPUID && site)
        return answer_cpuid(m, s, SIGILL, length);
    if (id != SVMC_X86_VMCALL && id != SVMC_X86_VMMCALL)
        return SIGILL;
    s->trap.way = id == SVMC_X86_VMCALL ? WAY_VMCALL : WAY_VMMCALL;
    s->trap.call.way = 1;
    s->trap.call.high = (s->regs.rdx & FLAG_HIGH) != 0;
    s->trap.call.write = (s->regs.rdx & FLAG_WRITE) != 0;
    return make_call(m, s, SIGILL, length);
}

int traps_signal(struct machine *m, struct task *task, const siginfo_t *info)
{
    struct stop s = { .task = task };
    bool segv = info->si_signo == SIGSEGV && info->si_code == SI_KERNEL;
    bool ill = info->si_signo == SIGILL && info->si_code == ILL_ILLOPN;

    /* what somebody has sent is not the processor's */
    if ((!segv && !ill) || ptrace(PTRACE_GETREGS, task->tid, NULL, &s.regs) != 0)
        return info->si_signo;
    return segv ? protection(m, &s) : undefined(m, &s);
}
