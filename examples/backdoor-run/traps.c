/* SPDX-License-Identifier: MIT */
#include "traps.h"

#include <string.h>
#include <sys/ptrace.h>

#include <svmcore/insn.h>
#include <svmcore/iox.h>

#include "memory.h"

#define CS_64          0x33u /* Linux asm/segment.h: __USER_CS, and __USER32_CS is 0x23 */
#define VECTOR_UD      6u
#define VECTOR_PF      14u
#define PF_PRESENT     1u
#define BACKDOOR       0x5658u /* open-vm-tools lib/include/backdoor_def.h */
#define BACKDOOR_HIGH  0x5659u
#define LOW(x)         ((x)&0xffffffffu)

struct trap {
    struct task *task;
    struct user_regs_struct regs;
    struct svmc_insn insn;
    struct call call;
};

static bool fetch(struct trap *t)
{
    struct svmc_cpu cpu = { .vendor = SVMC_VENDOR_AMD };
    uint8_t bytes[SVMC_INSN_MAX];
    size_t n = memory_peek(t->task->tid, t->regs.rip, bytes, sizeof bytes);

    cpu.isa = t->regs.cs == CS_64 ? SVMC_ISA_X86_64 : SVMC_ISA_X86_32;
    memset(cpu.features, 0xff, sizeof cpu.features);
    return svmc_insn_decode(&cpu, bytes, n, &t->insn) == SVMC_OK;
}

static void get_args(struct trap *t)
{
    const uint64_t arg[SVMC_IOX_ARGS] = { t->regs.rax, t->regs.rbx, t->regs.rcx, t->regs.rdx,
                                          t->regs.rsi, t->regs.rdi, t->regs.rbp };

    memcpy(t->call.arg, arg, sizeof arg);
    t->call.tid = t->task->tid;
    t->call.isa = t->regs.cs == CS_64 ? SVMC_ISA_X86_64 : SVMC_ISA_X86_32;
}

static bool set_args(struct trap *t)
{
    t->regs.rax = t->call.arg[0];
    t->regs.rbx = t->call.arg[1];
    t->regs.rcx = t->call.arg[2];
    t->regs.rdx = t->call.arg[3];
    t->regs.rsi = t->call.arg[4];
    t->regs.rdi = t->call.arg[5];
    t->regs.rbp = t->call.arg[6];
    return ptrace(PTRACE_SETREGS, t->task->tid, NULL, &t->regs) == 0;
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

static int make_call(struct machine *m, struct trap *t, int signal, unsigned length)
{
    struct svmc_fault fault = { 0 };

    get_args(t);
    switch (machine_call(m, &t->call, &fault)) {
    case OUTCOME_DONE:
        t->regs.rip += length;
        return set_args(t) ? 0 : signal;
    case OUTCOME_AGAIN:
        return set_args(t) ? 0 : signal;
    case OUTCOME_FAULT:
        return give_fault(t->task->tid, &fault);
    case OUTCOME_NOT_OURS:
    default:
        return signal;
    }
}

static int answer_cpuid(struct machine *m, struct trap *t, int signal, unsigned length)
{
    struct cpuid cpuid = { .eax = (uint32_t)t->regs.rax, .ecx = (uint32_t)t->regs.rcx };

    machine_cpuid(m, &cpuid);
    t->regs.rax = cpuid.eax;
    t->regs.rbx = cpuid.ebx;
    t->regs.rcx = cpuid.ecx;
    t->regs.rdx = cpuid.edx;
    t->regs.rip += length;
    return ptrace(PTRACE_SETREGS, t->task->tid, NULL, &t->regs) == 0 ? 0 : signal;
}

/* #GP: a port, which ring 3 may not use; or CPUID, which the processor refuses. */
static int protection(struct machine *m, struct trap *t)
{
    struct svmc_iox io;
    uint16_t port;

    if (!fetch(t))
        return SIGSEGV;
    if (t->insn.id == SVMC_X86_CPUID && t->task->space && t->task->space->cpuid_faults)
        return answer_cpuid(m, t, SIGSEGV, t->insn.length);
    if (svmc_iox_from_insn(&t->insn, t->regs.eflags, &io) != SVMC_OK)
        return SIGSEGV;
    port = io.immediate ? io.port : (uint16_t)t->regs.rdx;
    if (port != BACKDOOR && port != BACKDOOR_HIGH)
        return SIGSEGV;
    t->call.way = WAY_IN;
    t->call.high = port == BACKDOOR_HIGH;
    t->call.write = !io.in;
    return make_call(m, t, SIGSEGV, t->insn.length);
}

/* #UD: an instruction that was rewritten, or VMCALL and VMMCALL where they are none. */
static int undefined(struct machine *m, struct trap *t)
{
    const struct site *site = t->task->space ? sites_find(&t->task->space->sites, t->regs.rip)
                                             : NULL;
    unsigned id, length;

    if (!site && !fetch(t))
        return SIGILL;
    id = site ? site->id : t->insn.id;
    length = site ? site->length : t->insn.length;
    if (id == SVMC_X86_CPUID && site)
        return answer_cpuid(m, t, SIGILL, length);
    if (id != SVMC_X86_VMCALL && id != SVMC_X86_VMMCALL)
        return SIGILL;
    t->call.way = id == SVMC_X86_VMCALL ? WAY_VMCALL : WAY_VMMCALL;
    return make_call(m, t, SIGILL, length);
}

int traps_signal(struct machine *m, struct task *task, const siginfo_t *info)
{
    struct trap t = { .task = task };
    bool segv = info->si_signo == SIGSEGV && info->si_code == SI_KERNEL;
    bool ill = info->si_signo == SIGILL && info->si_code == ILL_ILLOPN;

    /* what somebody has sent is not the processor's */
    if ((!segv && !ill) || ptrace(PTRACE_GETREGS, task->tid, NULL, &t.regs) != 0)
        return info->si_signo;
    return segv ? protection(m, &t) : undefined(m, &t);
}
