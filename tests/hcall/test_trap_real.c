/* SPDX-License-Identifier: MIT */
/*
 * docs/spec/trap.md, TM-6, against this processor: port instructions in user mode, the #GP that
 * the kernel passes on as SIGSEGV with registers and error code, and the matcher's answer taken.
 */
#include "trap_lab.h"

#if defined(__x86_64__) && defined(__linux__)
#include <signal.h>
#include <ucontext.h>

static const uint8_t where[] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                 REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                 REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP, REG_EFL };
static greg_t *regs;
static uint64_t resume_at; /* behind the instruction */
static volatile unsigned traps;
static volatile bool called;

static enum svmc_status read_real(void *ctx, uint32_t reg, uint64_t *value)
{
    (void)ctx;
    if (reg >= sizeof where)
        return SVMC_ERR_ARG;
    *value = (uint64_t)regs[where[reg]];
    return SVMC_OK;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    const struct svmc_host_ops real = { .size = sizeof real, .reg_read = read_real };
    struct svmc_trap_x86 raw = { .way = SVMC_TRAP_WAY_GP, .isa = SVMC_ISA_X86_64, .cpl = 3 };

    (void)number, (void)info;
    traps = traps + 1;
    regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    raw.error = (uint32_t)regs[REG_ERR];
    CHECK_EQ(regs[REG_TRAPNO], 13);
    CHECK_EQ(svmc_trap_from_x86(&config, &raw, (const uint8_t *)regs[REG_RIP], SVMC_INSN_MAX, &real,
                                NULL, &got),
             SVMC_OK);
    called = got.verdict == SVMC_TRAP_CALL;
    regs[REG_RIP] = called ? regs[REG_RIP] + got.insn_bytes : (greg_t)resume_at;
    if (called)
        regs[REG_RBX] = 0x1234; /* an answer */
}

static uint64_t rbx_after;
static char memory[64];

/* One instruction with these registers; if it is no call it is left out. */
#define EXECUTE(insn, rax, rdx)                                                       \
    do {                                                                              \
        uint64_t a = (rax), b = 0, c = 4, d = (rdx);                                  \
        const char *source = memory;                                                  \
        char *destination = memory;                                                   \
        called = false;                                                               \
        __asm__ volatile("leaq 1f(%%rip), %%r11; movq %%r11, %[at]; " insn "; 1: cld" \
                         : "+a"(a), "+b"(b), "+c"(c), "+d"(d), "+S"(source),          \
                           "+D"(destination), [at] "=m"(resume_at)                    \
                         :                                                            \
                         : "memory", "cc", "r11");                                    \
        rbx_after = b;                                                                \
    } while (0)

/* valgrind executes IN itself, and the fault is its end. */
static bool under_valgrind(void)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    bool found = false;

    while (maps && fgets(line, sizeof line, maps))
        found = found || strstr(line, "vgpreload");
    if (maps)
        (void)fclose(maps);
    return found;
}

static void check_real(bool high, bool write, unsigned bytes, const char *what)
{
    CHECK(called && rbx_after == 0x1234, "%s: it was answered", what);
    check_vmware(high, write, bytes, what);
    CHECK(got.user == 1 && (uint32_t)got.arg[0] == MAGIC, "%s", what);
}

TEST(trap_real, general_protection_of_this_processor) /* TM-2 TM-6 */
{
    struct sigaction now = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO }, before;

    if (under_valgrind()) {
        harness_skip("hardware: valgrind executes IN itself");
        return;
    }
    lab_reset();
    config.user = WAY(GP);
    config.port = 0x565c;
    sigaction(SIGSEGV, &now, &before);
    traps = 0;
    EXECUTE("inl %%dx, %%eax", MAGIC, 0x5658);
    if (traps == 0) { /* VMware, or KVM's enable_vmware_backdoor */
        sigaction(SIGSEGV, &before, NULL);
        harness_skip("hardware: port 0x5658 does not fault here");
        return;
    }
    check_real(false, false, 1, "in eax, dx");
    EXECUTE("outl %%eax, %%dx", MAGIC, 0x5658);
    check_real(false, true, 1, "out dx, eax");
    EXECUTE("rep outsb", MAGIC, 0x5659);
    check_real(true, true, 2, "rep outsb");
    EXECUTE("rep insb", MAGIC, 0x5659);
    check_real(true, false, 2, "rep insb");
    EXECUTE("outl %%eax, %%dx", CONTROL, 0x565c);
    CHECK(called && rbx_after == 0x1234);
    check_native(1, "the doorbell");
    EXECUTE("inb %%dx, %%al", MAGIC, 0x5658);
    check_forward(13, 1, 0, 0, "in al, dx");
    EXECUTE("inl %%dx, %%eax", 1, 0x5658);
    check_forward(13, 1, 0, 0, "another magic");
    EXECUTE("std; rep outsb", MAGIC, 0x5659);
    check_forward(13, 1, 0, 0, "backward");
    EXECUTE("hlt", MAGIC, 0x5658);
    check_forward(13, 1, 0, 0, "hlt");
    EXECUTE("int $0x21", MAGIC, 0x5658);
    check_forward(13, 1, 0x21 << 3 | 2, 0, "int 0x21: the gate's error code");
    CHECK_EQ(traps, 10);
    sigaction(SIGSEGV, &before, NULL);
}
#else
TEST(trap_real, general_protection_of_this_processor) /* TM-2 TM-6 */
{
    harness_skip("hardware: not x86-64");
}
#endif
