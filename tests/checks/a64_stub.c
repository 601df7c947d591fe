/* SPDX-License-Identifier: MIT */
/*
 * A slot: X30 comes from TPIDR_EL0, where the two words leave no register free; then they; then X30
 * goes back there, for the way out. The handler of a fault may not use thread-local data before the
 * register has its own value again.
 */
#include "a64_stub.h"
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define SLOT_WORDS 16u

/* Of the program while a slot runs: SP, TPIDR_EL0, the machine. */
uint64_t stub_host[3];
int stub_enter(struct stub_machine *m);
void stub_exit(void), stub_leave(void);

_Static_assert(offsetof(struct stub_machine, entry) == 256 &&
                   offsetof(struct stub_machine, vector) == 272,
               "the assembly has them there");

__asm__(".text\n"
        ".global stub_enter\n"
        "stub_enter:\n"
        "stp x29, x30, [sp, #-160]!\n"
        "stp x19, x20, [sp, #16]\n"
        "stp x21, x22, [sp, #32]\n"
        "stp x23, x24, [sp, #48]\n"
        "stp x25, x26, [sp, #64]\n"
        "stp x27, x28, [sp, #80]\n"
        "stp d8, d9, [sp, #96]\n"
        "stp d10, d11, [sp, #112]\n"
        "stp d12, d13, [sp, #128]\n"
        "stp d14, d15, [sp, #144]\n"
        "ldr x1, =stub_host\n"
        "mov x2, sp\n"
        "mrs x3, tpidr_el0\n"
        "stp x2, x3, [x1]\n"
        "str x0, [x1, #16]\n"
        "add x1, x0, #272\n"
        "ld1 {v0.2d-v3.2d}, [x1], #64\n"
        "ld1 {v4.2d-v7.2d}, [x1], #64\n"
        "ld1 {v8.2d-v11.2d}, [x1], #64\n"
        "ld1 {v12.2d-v15.2d}, [x1], #64\n"
        "ld1 {v16.2d-v19.2d}, [x1], #64\n"
        "ld1 {v20.2d-v23.2d}, [x1], #64\n"
        "ld1 {v24.2d-v27.2d}, [x1], #64\n"
        "ld1 {v28.2d-v31.2d}, [x1], #64\n"
        "ldp x1, x2, [x0, #240]\n" /* X30, SP */
        "msr tpidr_el0, x1\n"
        "mov sp, x2\n"
        "ldr x30, [x0, #256]\n"
        "ldp x2, x3, [x0, #16]\n"
        "ldp x4, x5, [x0, #32]\n"
        "ldp x6, x7, [x0, #48]\n"
        "ldp x8, x9, [x0, #64]\n"
        "ldp x10, x11, [x0, #80]\n"
        "ldp x12, x13, [x0, #96]\n"
        "ldp x14, x15, [x0, #112]\n"
        "ldp x16, x17, [x0, #128]\n"
        "ldp x18, x19, [x0, #144]\n"
        "ldp x20, x21, [x0, #160]\n"
        "ldp x22, x23, [x0, #176]\n"
        "ldp x24, x25, [x0, #192]\n"
        "ldp x26, x27, [x0, #208]\n"
        "ldp x28, x29, [x0, #224]\n"
        "ldp x0, x1, [x0]\n"
        "br x30\n"
        ".global stub_exit\n"
        "stub_exit:\n"
        "ldr x30, =stub_host\n"
        "ldr x30, [x30, #16]\n"
        "stp x0, x1, [x30]\n"
        "mov x0, x30\n"
        "stp x2, x3, [x0, #16]\n"
        "stp x4, x5, [x0, #32]\n"
        "stp x6, x7, [x0, #48]\n"
        "stp x8, x9, [x0, #64]\n"
        "stp x10, x11, [x0, #80]\n"
        "stp x12, x13, [x0, #96]\n"
        "stp x14, x15, [x0, #112]\n"
        "stp x16, x17, [x0, #128]\n"
        "stp x18, x19, [x0, #144]\n"
        "stp x20, x21, [x0, #160]\n"
        "stp x22, x23, [x0, #176]\n"
        "stp x24, x25, [x0, #192]\n"
        "stp x26, x27, [x0, #208]\n"
        "stp x28, x29, [x0, #224]\n"
        "mrs x1, tpidr_el0\n"
        "mov x2, sp\n"
        "stp x1, x2, [x0, #240]\n"
        "add x0, x0, #272\n"
        "st1 {v0.2d-v3.2d}, [x0], #64\n"
        "st1 {v4.2d-v7.2d}, [x0], #64\n"
        "st1 {v8.2d-v11.2d}, [x0], #64\n"
        "st1 {v12.2d-v15.2d}, [x0], #64\n"
        "st1 {v16.2d-v19.2d}, [x0], #64\n"
        "st1 {v20.2d-v23.2d}, [x0], #64\n"
        "st1 {v24.2d-v27.2d}, [x0], #64\n"
        "st1 {v28.2d-v31.2d}, [x0], #64\n"
        ".global stub_leave\n"
        "stub_leave:\n"
        "ldr x1, =stub_host\n"
        "ldp x2, x3, [x1]\n"
        "mov sp, x2\n"
        "msr tpidr_el0, x3\n"
        "mov w0, #0\n"
        "ldp x19, x20, [sp, #16]\n"
        "ldp x21, x22, [sp, #32]\n"
        "ldp x23, x24, [sp, #48]\n"
        "ldp x25, x26, [sp, #64]\n"
        "ldp x27, x28, [sp, #80]\n"
        "ldp d8, d9, [sp, #96]\n"
        "ldp d10, d11, [sp, #112]\n"
        "ldp d12, d13, [sp, #128]\n"
        "ldp d14, d15, [sp, #144]\n"
        "ldp x29, x30, [sp], #160\n"
        "ret\n"
        ".ltorg\n");

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

static uint32_t *slot_at(unsigned slot)
{
    return (uint32_t *)(uintptr_t)STUB_BASE + slot * SLOT_WORDS;
}

uint64_t stub_pc(unsigned slot)
{
    return (uint64_t)(uintptr_t)(slot_at(slot) + 1);
}

void stub_put(unsigned slot, uint32_t first, uint32_t second)
{
    uint32_t *at = slot_at(slot);

    at[1] = first;
    at[2] = second;
}

void stub_flush(void)
{
    __builtin___clear_cache((char *)slot_at(0), (char *)slot_at(STUB_SLOTS));
}

static void lay(unsigned slot)
{
    uint32_t *at = slot_at(slot);
    uint64_t out = (uint64_t)(uintptr_t)stub_exit;

    at[0] = 0xd53bd05e; /* mrs x30, tpidr_el0 */
    at[3] = 0xd51bd05e; /* msr tpidr_el0, x30 */
    at[4] = 0x5800009e; /* ldr x30, [pc + 16] */
    at[5] = 0xd61f03c0; /* br x30 */
    memcpy(at + 8, &out, sizeof out);
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
    for (unsigned i = 0; i < STUB_SLOTS; i++)
        lay(i);
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
    m->entry = (uint64_t)(uintptr_t)slot_at(slot);
    stub_enter(m);
}
