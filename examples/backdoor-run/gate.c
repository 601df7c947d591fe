/* SPDX-License-Identifier: MIT */
#include "gate.h"

#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "decode.h"
#include "memory.h"
#include "report.h"

#define ARCH_CPUID_SET 0x1012u /* Linux asm/prctl.h, ARCH_SET_CPUID */
#define INT3           0xccu

static const uint8_t int3 = INT3;

void gate_exec(struct task *task)
{
    struct space *space = space_new(NULL);

    if (!space) {
        report("no memory; process %d is on its own", (int)task->tid);
        return;
    }
    space_drop(task->space);
    task->space = space;
    if (!start_read(task->tid, &space->start)) {
        space->phase = PHASE_RUNNING;
        report("process %d: %s: CPUID, VMCALL and VMMCALL are not answered", (int)task->tid,
               space->start.is_64 ? "no auxiliary vector" : "a 32-bit program");
    } else if (!memory_read(task->tid, space->start.entry, space->entry_bytes,
                            sizeof space->entry_bytes) ||
               !memory_poke(task->tid, space->start.entry, &int3, 1)) {
        space->phase = PHASE_RUNNING;
        report("process %d: no breakpoint at its entry: CPUID is not answered", (int)task->tid);
    }
}

/* At the entry: arch_prctl(ARCH_SET_CPUID, 0), executed by the program itself, and back to us. */
static bool ask(struct task *task, struct user_regs_struct *regs)
{
    static const uint8_t call[3] = { 0x0f, 0x05, INT3 };

    task->space->entry_regs = *regs;
    task->space->entry_regs.rip = task->space->start.entry;
    if (!memory_poke(task->tid, task->space->start.entry, call, sizeof call))
        return false;
    *regs = task->space->entry_regs;
    regs->rax = SYS_arch_prctl;
    regs->rdi = ARCH_CPUID_SET;
    regs->rsi = 0;
    task->space->phase = PHASE_ASKING;
    return true;
}

/* r_brk is a function that only returns: a breakpoint there needs no step over it. */
static void watch_loader(struct task *task)
{
    struct memory memory = memory_of(&task->tid);
    struct r_debug debug;
    struct svmc_insn insn;
    uint64_t at, bias;
    uint8_t bytes[2 * SVMC_INSN_MAX];
    size_t n, skip = 0;

    if (!start_debug(&memory, &task->space->start, &debug, &bias))
        return;
    at = debug.r_brk;
    n = memory_peek(task->tid, at, bytes, sizeof bytes);
    if (decode(SVMC_ISA_X86_64, bytes, n, &insn) && insn.id == SVMC_X86_ENDBR64)
        skip = insn.length;
    if (decode(SVMC_ISA_X86_64, bytes + skip, n - skip, &insn) && insn.id == SVMC_X86_RET &&
        insn.length == 1 && memory_poke(task->tid, at + skip, &int3, 1))
        task->space->brk = at + skip;
}

static bool look(struct task *task, const struct names *wanted)
{
    if (!sites_update(&task->space->sites, task->tid, wanted))
        report("process %d: not all of its code could be looked through", (int)task->tid);
    return true;
}

/* The answer is there: all as it was, and the program begins. */
static bool begin(struct task *task, struct user_regs_struct *regs, const struct names *wanted)
{
    struct space *space = task->space;

    space->cpuid_faults = space->phase == PHASE_ASKING && regs->rax == 0;
    if (space->phase == PHASE_ASKING)
        *regs = space->entry_regs;
    regs->rip = space->start.entry;
    space->phase = PHASE_RUNNING;
    if (!memory_poke(task->tid, space->start.entry, space->entry_bytes, sizeof space->entry_bytes))
        return false;
    watch_loader(task);
    return look(task, wanted);
}

/* What `ret` does. */
static bool loader_returns(struct task *task, struct user_regs_struct *regs,
                           const struct names *wanted)
{
    uint64_t back;

    if (!memory_read(task->tid, regs->rsp, &back, sizeof back))
        return false;
    regs->rsp += sizeof back;
    regs->rip = back;
    return look(task, wanted);
}

bool gate_breakpoint(struct task *task, const struct names *wanted)
{
    struct user_regs_struct regs;
    struct space *space = task->space;
    uint64_t at;
    bool ours = false;

    if (!space || ptrace(PTRACE_GETREGS, task->tid, NULL, &regs) != 0)
        return false;
    at = regs.rip - 1;
    if (space->phase == PHASE_LOADING && at == space->start.entry)
        ours = ask(task, &regs) || begin(task, &regs, wanted);
    else if (space->phase == PHASE_ASKING && at == space->start.entry + 2)
        ours = begin(task, &regs, wanted);
    else if (space->brk != 0 && at == space->brk)
        ours = loader_returns(task, &regs, wanted);
    return ours && ptrace(PTRACE_SETREGS, task->tid, NULL, &regs) == 0;
}
