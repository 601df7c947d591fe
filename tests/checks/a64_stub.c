/* SPDX-License-Identifier: MIT */
/*
 * The stub in the processor that runs the test. The handler of a fault may not use thread-local
 * data before the register has its own value again.
 */
#include "a64_slot.h"
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

/* What the handler leaves; bytes one by one, for memcpy could be anybody's. */
__attribute__((optimize("no-stack-protector"))) static void stopped(int number, siginfo_t *info,
                                                                    void *context)
{
    ucontext_t *uc = context;
    struct stub_machine *m = (struct stub_machine *)stub_host[2];
    const struct fpsimd_context *fp = (const void *)uc->uc_mcontext.__reserved;

    __asm__ volatile("msr tpidr_el0, %0" : : "r"(stub_host[1]));
    m->signal = number;
    m->code = info->si_code;
    m->address = (uint64_t)info->si_addr;
    m->pc = uc->uc_mcontext.pc;
    for (unsigned i = 0; i < 31; i++)
        m->general[i] = uc->uc_mcontext.regs[i];
    m->general[31] = uc->uc_mcontext.sp;
    if (fp->head.magic == FPSIMD_MAGIC)
        memcpy(m->vector, fp->vregs, sizeof m->vector);
    uc->uc_mcontext.pc = (uint64_t)stub_leave;
    uc->uc_mcontext.sp = stub_host[0];
}

uint64_t stub_pc(unsigned slot)
{
    return slot_entry(slot) + 4;
}

void stub_put(unsigned slot, uint32_t first, uint32_t second)
{
    slot_put(slot, first, second);
}

void stub_flush(void)
{
    slot_flush();
}

bool stub_is_big(void)
{
    return false;
}

static bool map(void)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE;
    char *base = (char *)(uintptr_t)STUB_BASE, *arena = (char *)(uintptr_t)ARENA;

    if (mmap(base, STUB_END - STUB_BASE, PROT_NONE, flags, -1, 0) != base)
        return false;
    return mprotect(base, ARENA_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0 &&
           mprotect(arena + ARENA_PAGE, 3 * ARENA_PAGE, PROT_READ | PROT_WRITE) == 0 &&
           mprotect(arena + 4 * ARENA_PAGE, ARENA_PAGE, PROT_READ) == 0;
}

const char *stub_open(void)
{
    static char stack[65536];
    const stack_t ss = { .ss_sp = stack, .ss_size = sizeof stack };
    struct sigaction sa = { .sa_flags = SA_SIGINFO | SA_ONSTACK };

    if (!map())
        return "addresses from 0x50000000 on";
    slot_lay();
    sa.sa_sigaction = stopped;
    if (sigaltstack(&ss, NULL) != 0 || sigaction(SIGSEGV, &sa, NULL) != 0 ||
        sigaction(SIGBUS, &sa, NULL) != 0 || sigaction(SIGILL, &sa, NULL) != 0)
        return "signals";
    return NULL;
}

uint64_t stub_dczid(void)
{
    uint64_t v;

    __asm__ volatile("mrs %0, dczid_el0" : "=r"(v));
    return v;
}

void stub_run(unsigned slot, struct stub_machine *m)
{
    m->signal = 0;
    m->entry = slot_entry(slot);
    stub_enter(m);
}
