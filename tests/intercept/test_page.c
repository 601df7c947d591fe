/* SPDX-License-Identifier: MIT */
/* The page of docs/spec/page.md: its bytes by hand, and that nothing else decides about them. */
#include <svmcore/guest/hypercall.h>

#include "scenarios.h"

static struct lab a, b;
static uint8_t want[SVMC_PAGE_BYTES];

static void put(unsigned at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        want[at + i] = (uint8_t)(value >> (8 * i));
}

/* The header that all requests of vCPU 7 begin with; the n-th request, counted from 0. */
static void expect(unsigned n, uint16_t kind, uint8_t completion, uint8_t direction)
{
    memset(want, 0, sizeof want);
    put(0x000, 4, 0x504d5653); /* "SVMP" */
    put(0x004, 2, 1);
    put(0x006, 2, 0x200);
    put(0x008, 2, kind);
    put(0x00a, 1, completion);
    put(0x00b, 1, direction);
    put(0x00c, 4, 7);
    put(0x010, 8, 0x0007000000000000u | (0x5eed5eed5eedu ^ n));
}

static void compare(const char *what)
{
    for (unsigned i = 0; i < SVMC_PAGE_BYTES; i++)
        if (!CHECK_EQ(a.world.page[i], want[i], "%s: byte 0x%03x", what, i))
            return;
}

static void exit_with(const struct svmc_exit *exit)
{
    uint64_t rng = 9;

    a.full_wipe = !a.full_wipe; /* by turns with what a host scribbled, and a page as handed over */
    lab_init(&a, &rng);
    a.world.reg[SVMC_REG_RAX] = 0xaaaaaaaa00000001u;
    a.world.reg[SVMC_REG_RCX] = 0xcccccccc00000002u;
    if (a.full_wipe)
        memset(a.world.page, 0x5a, sizeof a.world.page);
    CHECK_EQ(svmc_vcpu_exit(&a.vc, exit, &a.out), SVMC_OK);
}

TEST(page, golden_bytes_cpuid) /* PG-1 PG-2 PG-3 PG-5 PG-6 */
{
    exit_with(&(struct svmc_exit){ .kind = SVMC_KIND_CPUID, .count = 1 });
    expect(0, 0x0001, 1, 1);
    put(0x018, 8, 3);
    put(0x020, 2, 0xa20f); /* cpuid */
    put(0x03c, 4, 1);
    put(0x040, 8, 1); /* EAX, ECX: the upper halves stay inside */
    put(0x048, 8, 2);
    compare("cpuid");
}

TEST(page, golden_bytes_out_and_mmio_write)
{
    exit_with(&(struct svmc_exit){
        .kind = SVMC_KIND_OUT, .size = 2, .count = 1, .address = LAB_PORT, .value = 0xffff4142 });
    expect(0, 0x2002, 1, 2);
    put(0x018, 8, 1);
    put(0x020, 2, 0xef66); /* out dx, ax whatever the guest's form was */
    put(0x030, 8, 0x60);
    put(0x038, 4, 2);
    put(0x03c, 4, 1);
    put(0x040, 8, 0x4142);
    compare("out");

    exit_with(&(struct svmc_exit){ .kind = SVMC_KIND_MMIO_WRITE,
                                   .size = 8,
                                   .count = 1,
                                   .address = LAB_GPA,
                                   .value = 0x1122334455667788 });
    expect(0, 0x4002, 1, 2);
    put(0x018, 8, 1);
    put(0x020, 3, 0x008948); /* mov [rax], rax */
    put(0x030, 8, LAB_GPA);
    put(0x038, 4, 8);
    put(0x03c, 4, 1);
    put(0x040, 8, 0x1122334455667788);
    compare("mmio write");
}

TEST(page, golden_bytes_system_registers)
{
    exit_with(&(struct svmc_exit){ .kind = SVMC_KIND_SYSREG_READ,
                                   .size = 8,
                                   .count = 1,
                                   .address = LAB_SYSREG,
                                   .isa = SVMC_ISA_A64,
                                   .value = 0xdeadbeef });
    expect(0, 0x1003, 1, 1);
    put(0x020, 4, 0xd538cc80); /* mrs x0, icc_ctlr_el1; binutils */
    put(0x030, 8, LAB_SYSREG);
    put(0x038, 4, 8);
    put(0x03c, 4, 1);
    compare("mrs");

    exit_with(&(struct svmc_exit){ .kind = SVMC_KIND_SYSREG_WRITE,
                                   .size = 8,
                                   .count = 1,
                                   .address = LAB_SYSREG,
                                   .isa = SVMC_ISA_A64,
                                   .value = 0x1122334455667788 });
    expect(0, 0x1004, 1, 2);
    put(0x018, 8, 1);
    put(0x020, 4, 0xd518cc80); /* msr icc_ctlr_el1, x0 */
    put(0x030, 8, LAB_SYSREG);
    put(0x038, 4, 8);
    put(0x03c, 4, 1);
    put(0x040, 8, 0x1122334455667788);
    compare("msr");
}

TEST(page, golden_bytes_time)
{
    static const struct {
        uint16_t kind;
        uint32_t text;
        uint8_t address;
    } rows[] = { { 0x8001, 0x310f, 0 }, { 0x8002, 0xf9010f, 0 }, { 0x8003, 0x330f, 3 } };

    for (unsigned i = 0; i < 3; i++) {
        exit_with(&(struct svmc_exit){
            .kind = rows[i].kind, .count = 1, .address = 3, .value = 0xdeadbeef });
        expect(0, rows[i].kind, 1, 1);
        put(0x020, 4, rows[i].text);
        put(0x030, 8, rows[i].address); /* the number of a counter alone */
        put(0x03c, 4, 1);
        compare("time");
    }
    exit_with(&(struct svmc_exit){
        .kind = SVMC_KIND_RDTIME, .size = 8, .count = 1, .address = 0xc01, .isa = SVMC_ISA_RV64 });
    expect(0, 0x8004, 1, 1);
    put(0x020, 4, 0xc0102573); /* rdtime a0 */
    put(0x030, 8, 0xc01);
    put(0x038, 4, 8);
    put(0x03c, 4, 1);
    compare("rdtime");
    exit_with(&(struct svmc_exit){ .kind = SVMC_KIND_RDCOUNTER,
                                   .size = 4,
                                   .count = 1,
                                   .address = 0xc9f,
                                   .isa = SVMC_ISA_RV32 });
    expect(0, 0x8006, 1, 1);
    put(0x020, 4, 0xc9f02573); /* csrr a0, hpmcounter31h */
    put(0x030, 8, 0xc9f);
    put(0x038, 4, 4);
    put(0x03c, 4, 1);
    compare("rdcounter");
    exit_with(&(struct svmc_exit){ .kind = SVMC_KIND_WBINVD, .count = 1, .address = 3 });
    expect(0, 0x7001, 0, 0);
    put(0x020, 2, 0x090f);
    compare("wbinvd");
}

TEST(page, golden_bytes_calls)
{
    uint64_t rng = 9;

    a.full_wipe = false;
    lab_init(&a, &rng);
    a.world.reg[SVMC_REG_X0 + 1] = 0x8000000100000203; /* the upper half is no argument */
    a.world.reg[SVMC_REG_X0 + 2] = 0x40080000;
    CHECK_EQ(lab_exit(&a, scenario_named("a64 smc, 32 bits")), SVMC_OK);
    expect(0, 0x5003, 1, 1);
    put(0x018, 8, 3);
    put(0x020, 4, 0xd4000003); /* smc #0 */
    put(0x030, 8, 0x84000003);
    put(0x038, 4, 4);
    put(0x03c, 4, 1);
    put(0x040, 8, 0x203);
    put(0x048, 8, 0x40080000);
    compare("smc");

    lab_init(&a, &rng);
    for (unsigned i = 0; i < 8; i++)
        a.world.reg[SVMC_REG_RV_X0 + 10 + i] = 0x1100000000000000u + i;
    CHECK_EQ(lab_exit(&a, scenario_named("rv64 ecall")), SVMC_OK);
    expect(0, 0x5004, 1, 1);
    put(0x018, 8, 0x3f);
    put(0x020, 4, 0x73); /* ecall */
    put(0x030, 8, (uint64_t)0x48534d << 32);
    put(0x038, 4, 8);
    put(0x03c, 4, 1);
    for (unsigned i = 0; i < 6; i++)
        put(0x040 + 8 * i, 8, 0x1100000000000000u + i);
    compare("ecall");

    lab_init(&a, &rng);
    for (unsigned i = 1; i <= 6; i++)
        a.world.reg[SVMC_REG_X0 + i] = 0x2200000000000000u + i;
    CHECK_EQ(lab_exit(&a, scenario_named("a64 hvc")), SVMC_OK);
    expect(0, 0x5002, 1, 1);
    put(0x018, 8, 7);
    put(0x020, 4, 0xd4000002); /* hvc #0 */
    put(0x030, 8, 0xc4000003);
    put(0x038, 4, 8);
    put(0x03c, 4, 1);
    for (unsigned i = 0; i < 3; i++)
        put(0x040 + 8 * i, 8, 0x2200000000000001u + i);
    compare("hvc");
}

TEST(page, golden_bytes_outs_data)
{
    static const uint8_t text[5] = { 'H', 'e', 'l', 'l', 'o' };

    exit_with(&(struct svmc_exit){
        .kind = SVMC_KIND_OUTS, .size = 1, .count = 5, .address = LAB_PORT, .data = text });
    expect(0, 0x3002, 2, 2);
    put(0x020, 2, 0x6ef3); /* rep outsb */
    put(0x030, 8, 0x60);
    put(0x038, 4, 1);
    put(0x03c, 4, 5);
    memcpy(want + 0x200, text, sizeof text);
    compare("outs");
}

TEST(page, golden_bytes_notice) /* PG-8 */
{
    exit_with(&(struct svmc_exit){ .kind = SVMC_KIND_HLT, .count = 1 });
    expect(0, 0x6001, 0, 0);
    put(0x020, 1, 0xf4);
    compare("hlt");
}

TEST(page, nothing_undeclared_slips_in) /* PG-1 PG-6, A8 */
{
    exit_with(&(struct svmc_exit){
        .kind = SVMC_KIND_CPUID, .count = 1, .address = 0xdeadbeef, .value = 0xdeadbeef });
    expect(0, 0x0001, 1, 1);
    put(0x018, 8, 3);
    put(0x020, 2, 0xa20f);
    put(0x03c, 4, 1);
    put(0x040, 8, 1);
    put(0x048, 8, 2);
    compare("cpuid with leftovers");
}

TEST(page, odd_widths_have_no_instruction) /* PG-5 */
{
    exit_with(&(struct svmc_exit){
        .kind = SVMC_KIND_MMIO_READ, .count = 1, .size = 3, .address = LAB_GPA });
    expect(0, 0x4001, 1, 1);
    put(0x030, 8, LAB_GPA);
    put(0x038, 4, 3);
    put(0x03c, 4, 1);
    compare("three bytes");
}

/* ---- the text of an instruction: each kind and size, by hand from the manuals ----------------*/

#define T(kind, isa, size, ...)                    \
    {                                              \
        SVMC_KIND_##kind, SVMC_ISA_##isa, size, 0, \
        {                                          \
            __VA_ARGS__                            \
        }                                          \
    }
#define AT(kind, isa, size, number, ...)                \
    {                                                   \
        SVMC_KIND_##kind, SVMC_ISA_##isa, size, number, \
        {                                               \
            __VA_ARGS__                                 \
        }                                               \
    }

/* As the bytes lie in memory; of a word that is little-endian, its lowest first. */
static const struct text {
    uint16_t kind;
    uint8_t isa, size; /* 0: whatever it is */
    uint32_t number;   /* address, where the text has it; else 0 */
    uint8_t bytes[8];
} texts[] = {
    /* AMD APM vol. 3, chapters 3 and 4, opcodes; ModRM 00: [rax] and rax; 66: 16 bits; 48: REX.W */
    T(CPUID, X86_64, 0, 0x0f, 0xa2),
    T(RDMSR, X86_64, 0, 0x0f, 0x32),
    T(WRMSR, X86_64, 0, 0x0f, 0x30),
    T(IN, X86_64, 1, 0xec), /* from dx, here and below */
    T(IN, X86_64, 2, 0x66, 0xed),
    T(IN, X86_64, 4, 0xed),
    T(OUT, X86_64, 1, 0xee),
    T(OUT, X86_64, 2, 0x66, 0xef),
    T(OUT, X86_64, 4, 0xef),
    T(INS, X86_64, 1, 0xf3, 0x6c), /* with REP */
    T(INS, X86_64, 2, 0x66, 0xf3, 0x6d),
    T(INS, X86_64, 4, 0xf3, 0x6d),
    T(OUTS, X86_64, 1, 0xf3, 0x6e),
    T(OUTS, X86_64, 2, 0x66, 0xf3, 0x6f),
    T(OUTS, X86_64, 4, 0xf3, 0x6f),
    T(MMIO_READ, X86_64, 1, 0x8a, 0x00), /* MOV */
    T(MMIO_READ, X86_64, 2, 0x66, 0x8b, 0x00),
    T(MMIO_READ, X86_64, 4, 0x8b, 0x00),
    T(MMIO_READ, X86_64, 8, 0x48, 0x8b, 0x00),
    T(MMIO_WRITE, X86_64, 1, 0x88, 0x00),
    T(MMIO_WRITE, X86_64, 2, 0x66, 0x89, 0x00),
    T(MMIO_WRITE, X86_64, 4, 0x89, 0x00),
    T(MMIO_WRITE, X86_64, 8, 0x48, 0x89, 0x00),
    T(HYPERCALL, X86_64, 0, 0x0f, 0x01, 0xd9), /* VMMCALL */
    T(HLT, X86_64, 0, 0xf4),
    T(MONITOR, X86_64, 0, 0x0f, 0x01, 0xc8),
    T(MWAIT, X86_64, 0, 0x0f, 0x01, 0xc9),
    T(PAUSE, X86_64, 0, 0xf3, 0x90),
    T(WBINVD, X86_64, 0, 0x0f, 0x09),
    T(INVD, X86_64, 0, 0x0f, 0x08),
    T(RDTSC, X86_64, 0, 0x0f, 0x31),
    T(RDTSCP, X86_64, 0, 0x0f, 0x01, 0xf9),
    T(RDPMC, X86_64, 0, 0x0f, 0x33),
    /* Arm ARM C6.2; loads and stores with an unsigned offset of 0, of x0 by x0 */
    T(MMIO_READ, A64, 1, 0x00, 0x00, 0x40, 0x39), /* LDRB, LDRH, LDR */
    T(MMIO_READ, A64, 2, 0x00, 0x00, 0x40, 0x79),
    T(MMIO_READ, A64, 4, 0x00, 0x00, 0x40, 0xb9),
    T(MMIO_READ, A64, 8, 0x00, 0x00, 0x40, 0xf9),
    T(MMIO_WRITE, A64, 1, 0x00, 0x00, 0x00, 0x39), /* STRB, STRH, STR */
    T(MMIO_WRITE, A64, 2, 0x00, 0x00, 0x00, 0x79),
    T(MMIO_WRITE, A64, 4, 0x00, 0x00, 0x00, 0xb9),
    T(MMIO_WRITE, A64, 8, 0x00, 0x00, 0x00, 0xf9),
    AT(SYSREG_READ, A64, 8, LAB_SYSREG, 0x80, 0xcc, 0x38, 0xd5),  /* MRS x0, S3_0_C12_C12_4 */
    AT(SYSREG_READ, A64, 8, LAB_CNTVCT, 0x40, 0xe0, 0x3b, 0xd5),  /* MRS x0, S3_3_C14_C0_2 */
    AT(SYSREG_WRITE, A64, 8, LAB_SYSREG, 0x80, 0xcc, 0x18, 0xd5), /* MSR */
    T(HVC, A64, 0, 0x02, 0x00, 0x00, 0xd4),
    T(SMC, A64, 0, 0x03, 0x00, 0x00, 0xd4),
    T(WFI, A64, 0, 0x7f, 0x20, 0x03, 0xd5),
    T(WFE, A64, 0, 0x5f, 0x20, 0x03, 0xd5),
    /* RISC-V unprivileged, chapter "RV32/64G Instruction Set Listings"; privileged 3.3.3, WFI */
    T(SBI, RV64, 0, 0x73, 0x00, 0x00, 0x00), /* ECALL */
    T(SBI, RV32, 0, 0x73, 0x00, 0x00, 0x00),
    T(WFI, RV64, 0, 0x73, 0x00, 0x50, 0x10),
    T(WFI, RV32, 0, 0x73, 0x00, 0x50, 0x10),
    AT(RDTIME, RV64, 8, 0xc01, 0x73, 0x25, 0x10, 0xc0),    /* CSRRS a0, time, x0 */
    AT(RDCOUNTER, RV64, 8, 0xc00, 0x73, 0x25, 0x00, 0xc0), /* cycle */
    AT(RDCOUNTER, RV32, 4, 0xc82, 0x73, 0x25, 0x20, 0xc8), /* instreth */
    T(HCALL, PPC64, 0, 0x22, 0x00, 0x00, 0x44), /* Power ISA book III, 4.3.1: SC, LEV 1 */
    /* PoP, appendix B; base register 5 and no displacement, where there is one */
    T(DIAG_288, S390X, 0, 0x83, 0x02, 0x50, 0x00), /* R1 0, R3 2 */
    T(DIAG_500, S390X, 0, 0x83, 0x02, 0x50, 0x00),
    T(DIAG_44, S390X, 0, 0x83, 0x02, 0x50, 0x00),
    T(DIAG_9C, S390X, 0, 0x83, 0x02, 0x50, 0x00),
    T(DIAG_308, S390X, 0, 0x83, 0x02, 0x50, 0x00),
    T(SPX, S390X, 0, 0xb2, 0x10, 0x50, 0x00),
    T(LPSW, S390X, 0, 0xb2, 0xb2, 0x50, 0x00), /* LPSWE */
    T(LCTL, S390X, 0, 0xb7, 0x0f, 0x50, 0x00), /* of control registers 0 to 15 */
    T(CSCH, S390X, 0, 0xb2, 0x30, 0x00, 0x00),
    T(HSCH, S390X, 0, 0xb2, 0x31, 0x00, 0x00),
    T(RSCH, S390X, 0, 0xb2, 0x38, 0x00, 0x00),
    T(XSCH, S390X, 0, 0xb2, 0x76, 0x00, 0x00),
    T(SAL, S390X, 0, 0xb2, 0x37, 0x00, 0x00),
    T(RCHP, S390X, 0, 0xb2, 0x3b, 0x00, 0x00),
    T(SSCH, S390X, 0, 0xb2, 0x33, 0x50, 0x00),
    T(MSCH, S390X, 0, 0xb2, 0x32, 0x50, 0x00),
    T(STSCH, S390X, 0, 0xb2, 0x34, 0x50, 0x00),
    T(TSCH, S390X, 0, 0xb2, 0x35, 0x50, 0x00),
    T(TPI, S390X, 0, 0xb2, 0x36, 0x50, 0x00),
    T(STSI, S390X, 0, 0xb2, 0x7d, 0x50, 0x00),
    T(SIGP, S390X, 0, 0xae, 0x02, 0x50, 0x00),
    /* not in there: Linux arch/s390, drivers/s390/cio/ioasm.c, include/asm/sclp.h and uv.h,
       hypfs/hypfs_sprp.c, kernel/sthyi.c, include/asm/pci_insn.h and pci/pci_insn.c */
    T(CHSC, S390X, 0, 0xb2, 0x5f, 0x00, 0x10),  /* RRE: r1 */
    T(SERVC, S390X, 0, 0xb2, 0x20, 0x00, 0x12), /* RRE: r1, r2 */
    T(STHYI, S390X, 0, 0xb2, 0x56, 0x00, 0x02), /* r0, r2, here and below */
    T(UVC, S390X, 0, 0xb9, 0xa4, 0x00, 0x02),
    T(PCISTG, S390X, 0, 0xb9, 0xd0, 0x00, 0x02),
    T(PCILG, S390X, 0, 0xb9, 0xd2, 0x00, 0x02),
    T(RPCIT, S390X, 0, 0xb9, 0xd3, 0x00, 0x02),
    T(PCISTB, S390X, 0, 0xeb, 0x02, 0x50, 0x00, 0x00, 0xd4), /* RSY */
    T(MPCIFC, S390X, 0, 0xe3, 0x00, 0x50, 0x00, 0x00, 0xd0), /* RXY */
    T(STPCIFC, S390X, 0, 0xe3, 0x00, 0x50, 0x00, 0x00, 0xd4),
};
#define TEXTS (sizeof texts / sizeof texts[0])

/* The text of this exit; TEXTS: it has none. */
static unsigned text_of(const struct svmc_exit *e, uint16_t kind)
{
    unsigned n = 0;

    while (n < TEXTS &&
           (texts[n].kind != kind || texts[n].isa != (e->isa ? e->isa : SVMC_ISA_X86_64) ||
            (texts[n].size != 0 && texts[n].size != e->size) ||
            (texts[n].number != 0 && texts[n].number != e->address)))
        n++;
    return n;
}

/* What a page shows of one, and that it is asked for. */
static bool shows(const struct svmc_exit *e, uint16_t kind, const char *what)
{
    static const uint8_t zero[16];
    unsigned n = text_of(e, kind);

    if (a.out.action != SVMC_ACT_DELEGATED && a.out.action != SVMC_ACT_NOTIFIED)
        return false;
    CHECK_EQ(a.world.page[8] | a.world.page[9] << 8, kind, "%s", what);
    CHECK_MEM(a.world.page + 0x20, n < TEXTS ? texts[n].bytes : zero, 8, "%s, size %u, isa %u",
              what, e->size, e->isa);
    CHECK_MEM(a.world.page + 0x28, zero, 8, "%s", what);
    return n < TEXTS;
}

/* A vCPU that tells the host of hints, too, and makes one call more. */
static void talkative(void)
{
    static const enum svmc_kind hints[] = { SVMC_KIND_MONITOR, SVMC_KIND_MWAIT, SVMC_KIND_PAUSE,
                                            SVMC_KIND_INVD };
    uint64_t rng = 9;

    world_init(&a.world, &rng);
    CHECK_EQ(svmc_policy_init(&a.policy, LAB_REFUSALS, LAB_RETRIES), SVMC_OK);
    lab_delegate(&a.policy, 6, FAKEHOST_HCALL_RESULTS);
    for (unsigned i = 0; i < sizeof hints / sizeof hints[0]; i++)
        CHECK_EQ(svmc_policy_set_kind(&a.policy, hints[i], SVMC_VERDICT_NOTIFY), SVMC_OK);
    CHECK_EQ(svmc_policy_set_call(&a.policy, SVMC_KIND_HVC, LAB_SMC, 2, 1), SVMC_OK);
    CHECK_EQ(svmc_policy_seal(&a.policy), SVMC_OK);
    CHECK_EQ(svmc_vcpu_init(&a.vc, &world_ops, &a.world, &a.policy, a.world.page, 7), SVMC_OK);
    a.world.reg[SVMC_REG_X0] = LAB_SMC; /* of 32 bits; the scenarios have one of 64 */
    memset(&a.out, 0, sizeof a.out);
}

/* An exit of this kind that needs nothing else, ended by us or not. */
static struct svmc_exit text_exit(const struct text *t, bool own)
{
    bool x86 = t->isa == SVMC_ISA_X86_64, s390 = t->isa == SVMC_ISA_S390X;
    unsigned class = t->kind >> 12;

    return (struct svmc_exit){ .kind = t->kind,
                               .isa = x86 && !own ? SVMC_ISA_NONE : t->isa,
                               .size = t->size,
                               .count = 1,
                               .address = t->number                  ? t->number
                                          : class == 1               ? LAB_MSR
                                          : class == 2 || class == 3 ? LAB_PORT
                                                                     : LAB_GPA,
                               .address_bytes = 8,
                               .buffer = { WORLD_LINEAR + 0x100 },
                               .data = a.backend_data,
                               .value = s390 ? 0x2000 : 0, /* a prefix, a page */
                               .arg = { SVMC_REG_S390_R0 + 2 },
                               .dest_bytes = 8,
                               .dest_reg = x86                      ? SVMC_REG_RAX
                                           : t->isa == SVMC_ISA_A64 ? SVMC_REG_X0
                                                                    : SVMC_REG_RV_X0 + 10,
                               .finish = s390  ? SVMC_FINISH_REGS
                                         : own ? SVMC_FINISH_REGS | SVMC_FINISH_RIP
                                               : SVMC_FINISH_BACKEND,
                               .insn_bytes = own && !s390 ? 4 : 0 };
}

TEST(page, the_text_of_an_instruction_is_the_manuals) /* PG-5 */
{
    unsigned seen[TEXTS] = { 0 };

    for (unsigned n = 0; n < TEXTS; n++)
        for (unsigned own = 0; own < 2; own++) {
            struct svmc_exit e = text_exit(&texts[n], own);

            talkative();
            if (svmc_vcpu_exit(&a.vc, &e, &a.out) == SVMC_OK)
                seen[n] += shows(&e, e.kind, svmc_kind_name(e.kind));
        }
    a.full_wipe = false;
    for (unsigned n = 0; n < scenario_count; n++) { /* and what needs more; and all that has none */
        struct svmc_exit e = scenarios[n].exit;
        uint64_t rng = 9;
        uint16_t kind =
            e.kind == SVMC_KIND_OUT && e.address == SVMC_HCALL_PORT ? SVMC_KIND_HYPERCALL : e.kind;

        lab_init(&a, &rng);
        CHECK_EQ(lab_begin(&a, n), SVMC_OK, "%s", scenarios[n].name);
        if (shows(&e, kind, scenarios[n].name))
            seen[text_of(&e, kind)]++;
    }
    for (unsigned n = 0; n < TEXTS; n++)
        CHECK(seen[n] > 0, "%s, size %u, isa %u", svmc_kind_name(texts[n].kind), texts[n].size,
              texts[n].isa);
}

TEST(page, a_hypercall_looks_the_same_by_every_way_in) /* HC-1 */
{
    uint64_t rng = 3, rng2 = 3;

    lab_init(&a, &rng);
    lab_init(&b, &rng2);
    CHECK_EQ(lab_exit(&a, scenario_named("hypercall by doorbell")), SVMC_OK);
    CHECK_EQ(lab_exit(&b, scenario_named("hypercall own")), SVMC_OK);
    CHECK_MEM(a.world.page, b.world.page, SVMC_PAGE_BYTES, "doorbell and VMMCALL");
    CHECK_MEM(a.world.page + 0x20, "\x0f\x01\xd9", 3, "vmmcall");
}

TEST(page, sequence_counts_in_secret) /* PG-7 */
{
    struct svmc_exit exit = { .kind = SVMC_KIND_HLT, .count = 1 };

    exit_with(&exit);
    CHECK_EQ(svmc_vcpu_exit(&a.vc, &exit, &a.out), SVMC_OK);
    expect(1, 0x6001, 0, 0);
    put(0x020, 1, 0xf4);
    compare("second notice");
}

/* What the policy of lab_init shows of register r of a call: a mask. */
static uint64_t shown_of_call(const struct svmc_exit *e, unsigned r)
{
    unsigned args = e->address == LAB_HVC ? 3 : e->address == LAB_SMC ? 2 : 6;

    if (e->kind == SVMC_KIND_HCALL)
        return r >= SVMC_REG_PPC_R0 + 3 &&
                       r <= SVMC_REG_PPC_R0 + 3 + (e->address == LAB_PAPR ? 1u : 4u)
                   ? UINT64_MAX
                   : 0;
    if (e->kind == SVMC_KIND_SBI)
        return r < SVMC_REG_RV_X0 + 10 || r >= SVMC_REG_RV_X0 + 18 ? 0
               : e->isa == SVMC_ISA_RV32                           ? UINT32_MAX
                                                                   : UINT64_MAX;
    if ((e->kind != SVMC_KIND_HVC && e->kind != SVMC_KIND_SMC) || r < SVMC_REG_X0 ||
        r > SVMC_REG_X0 + args)
        return 0;
    return r == SVMC_REG_X0 || e->address == LAB_SMC ? UINT32_MAX : UINT64_MAX;
}

/* The same of the later kinds of s390x, whose slots show parts of registers: page.md. */
static uint64_t shown_of_s390(const struct svmc_exit *e, unsigned r)
{
    static const struct {
        uint16_t kind;
        uint64_t arg[SVMC_EXIT_ARGS];
    } rows[] = {
        { SVMC_KIND_STHYI, { UINT64_MAX, 0, 0 } },
        { SVMC_KIND_PCILG, { 0, 0xffffffff000f000f, UINT64_MAX } },
        { SVMC_KIND_PCISTG, { UINT32_MAX, 0xffffffff000f000f, UINT64_MAX } }, /* 4 bytes */
        { SVMC_KIND_PCISTB, { 0xffffffff000f1fff, UINT64_MAX, 0 } },
        { SVMC_KIND_RPCIT, { 0xffffffff00000000, UINT64_MAX, UINT64_MAX } },
        { SVMC_KIND_MPCIFC, { 0xffffffff00ff00ff, 0, 0 } },
        { SVMC_KIND_STPCIFC, { 0xffffffff00ff0000, 0, 0 } },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned n = 0; rows[i].kind == e->kind && n < SVMC_EXIT_ARGS; n++)
            if (e->arg[n] == r)
                return rows[i].arg[n];
    return e->kind == SVMC_KIND_TPI && r == SVMC_REG_S390_CR6 ? 0xff000000 : 0;
}

/* Registers of b: those that the row of e declares are a's, the others its own. */
static void share_declared(const struct svmc_exit *e)
{
    for (unsigned r = 0; r < WORLD_REGS; r++) {
        bool hcall = e->kind == SVMC_KIND_HYPERCALL || e->address == 0x565c;
        bool declared = (e->kind == SVMC_KIND_CPUID && (r == SVMC_REG_RAX || r == SVMC_REG_RCX)) ||
                        (hcall && (r == SVMC_REG_RDI || r == SVMC_REG_RSI || (r >= 8 && r <= 11)));
        uint64_t keep = declared ? (hcall ? UINT64_MAX : UINT32_MAX) : shown_of_call(e, r);

        if (keep == 0)
            keep = shown_of_s390(e, r);
        for (unsigned i = 0; e->kind == SVMC_KIND_DIAG_288 && i < SVMC_EXIT_ARGS; i++)
            if (r == e->arg[i])
                keep = UINT64_MAX;
        if (e->kind == SVMC_KIND_DIAG_500 && r >= SVMC_REG_S390_R0 + 1 && r <= SVMC_REG_S390_R0 + 4)
            keep = UINT64_MAX;
        if (e->kind >= SVMC_KIND_CSCH && e->kind <= SVMC_KIND_TSCH && r == SVMC_REG_S390_R0 + 1)
            keep = UINT32_MAX;
        if ((e->from & SVMC_FROM_VALUE_REG) && r == e->value_reg)
            keep = e->value_high ? 0xff00 : UINT64_MAX >> (64 - 8 * e->size);

        b.world.reg[r] = (a.world.reg[r] & keep) | (b.world.reg[r] & ~keep);
    }
    if ((e->repeat && e->kind == SVMC_KIND_OUTS) || e->kind == SVMC_KIND_SSCH ||
        e->kind == SVMC_KIND_MSCH || e->kind == SVMC_KIND_MPCIFC || e->kind == SVMC_KIND_CHSC)
        memcpy(b.world.memory + (e->buffer.v - WORLD_LINEAR),
               a.world.memory + (e->buffer.v - WORLD_LINEAR),
               e->kind == SVMC_KIND_CHSC ? 16 : (size_t)e->count * e->size);
    if (e->kind == SVMC_KIND_PCISTB) /* as many as it says */
        memcpy(b.world.memory + (e->buffer.v - WORLD_LINEAR),
               a.world.memory + (e->buffer.v - WORLD_LINEAR), e->value);
    if (e->kind ==
        SVMC_KIND_HOST_CALL) { /* likewise; not what lies between immediate and registers */
        memcpy(b.world.memory + e->buffer.v, a.world.memory + e->buffer.v, 2);
        memcpy(b.world.memory + e->buffer.v + 8, a.world.memory + e->buffer.v + 8, 248);
    }
    if (e->kind == SVMC_KIND_SERVC) /* a real address */
        memcpy(b.world.memory + e->buffer.v, a.world.memory + e->buffer.v,
               e->buffer.v == 0x3000 ? 2048 : 4096);
}

/* One exit of any kind, answered as an honest host would. */
static void exchange(struct lab *lab, unsigned n)
{
    static struct fakehost_answer answer;

    REQUIRE(lab_exit(lab, n) == SVMC_OK, "%s", scenarios[n].name);
    REQUIRE(fakehost_prepare(lab->world.page, &answer), "%s", scenarios[n].name);
    REQUIRE(fakehost_send(lab->world.page, &answer), "%s", scenarios[n].name);
    REQUIRE(svmc_vcpu_enter(&lab->vc, &lab->out) == SVMC_OK, "%s", scenarios[n].name);
}

/*
 * PG-1, the two-run test: equal declared inputs, everything else random, the same secret and number
 * of earlier exits: identical 4096 bytes, no field masked. Either the page is as it was handed over
 * and other exits went before, or a host scribbled and the policy says full_wipe.
 */
TEST(page, equal_inputs_make_equal_pages)
{
    uint64_t rng = harness_seed();

    for (unsigned i = 0; i < 6000; i++) {
        unsigned n = i / 2 % scenario_count;

        a.full_wipe = b.full_wipe = i % 2 != 0;
        lab_init(&a, &rng);
        lab_init(&b, &rng);
        if (!a.full_wipe) {
            exchange(&a, (unsigned)(harness_random(&rng) % scenario_count));
            exchange(&b, (unsigned)(harness_random(&rng) % scenario_count));
            b.vc.priv.seq_count = a.vc.priv.seq_count; /* a block takes one, two or three */
        } else {
            memset(b.world.page, (int)i, sizeof b.world.page);
        }
        share_declared(&scenarios[n].exit);
        CHECK_EQ(lab_exit(&a, n), SVMC_OK, "%s", scenarios[n].name);
        CHECK_EQ(lab_exit(&b, n), SVMC_OK, "%s", scenarios[n].name);
        REQUIRE(memcmp(a.world.page, b.world.page, SVMC_PAGE_BYTES) == 0, "%s", scenarios[n].name);
    }
}

TEST(page, a_chunk_is_asked_for_in_a_page_without_the_chunk_before) /* PG-1 */
{
    static const uint8_t zero[SVMC_PAGE_DATA_BYTES];
    static struct fakehost_answer answer;

    for (unsigned turn = 0; turn < 2; turn++) { /* exit_with: full_wipe and not */
        exit_with(&(struct svmc_exit){
            .kind = SVMC_KIND_INS, .size = 1, .count = SVMC_EXIT_DATA_MAX, .address = LAB_PORT });
        REQUIRE(fakehost_prepare(a.world.page, &answer) && fakehost_send(a.world.page, &answer));
        CHECK_EQ(svmc_vcpu_enter(&a.vc, &a.out), SVMC_OK);
        REQUIRE(a.out.action == SVMC_ACT_DELEGATED);
        CHECK_MEM(a.world.page + 0x200, zero, sizeof zero, "the reply before this request");
        REQUIRE(fakehost_prepare(a.world.page, &answer) && fakehost_send(a.world.page, &answer));
        CHECK_EQ(svmc_vcpu_enter(&a.vc, &a.out), SVMC_OK);
        CHECK_EQ(a.out.action, SVMC_ACT_RESUME);
        CHECK_MEM(a.world.page + 0x200, zero, sizeof zero, "the answered exit");
    }
}

TEST(page, host_side_reads_what_was_asked_and_refuses_the_rest)
{
    struct svmc_request r;
    uint8_t data[8];

    exit_with(&(struct svmc_exit){ .kind = SVMC_KIND_OUTS,
                                   .size = 1,
                                   .count = 5,
                                   .address = LAB_PORT,
                                   .data = a.backend_data });
    CHECK_EQ(svmc_request_read(a.world.page, &r, data, sizeof data), SVMC_OK);
    CHECK_EQ(r.kind, SVMC_KIND_OUTS);
    CHECK_EQ(r.address, LAB_PORT);
    CHECK_EQ(r.count, 5);
    CHECK_MEM(data, a.backend_data, 5);
    CHECK_EQ(svmc_request_read(a.world.page, &r, data, 4), SVMC_ERR_FULL);
    CHECK_EQ(r.count, 0, "zeroed on error");
    CHECK_EQ(svmc_request_read(a.world.page + 1, &r, data, 8), SVMC_ERR_ARG);
    CHECK_EQ(svmc_request_read(NULL, &r, data, 8), SVMC_ERR_ARG);
    CHECK_EQ(svmc_reply_write(a.world.page, &(struct svmc_reply){ .fault = 256 }, NULL),
             SVMC_ERR_ARG, "would be cut to 0");
    a.world.page[0] ^= 1;
    CHECK_EQ(svmc_request_read(a.world.page, &r, data, 8), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(svmc_reply_write(a.world.page, &(struct svmc_reply){ .data_bytes = 3585 }, data),
             SVMC_ERR_ARG);
    CHECK_EQ(svmc_reply_write(a.world.page, &(struct svmc_reply){ .data_bytes = 1 }, NULL),
             SVMC_ERR_ARG);
}

TEST(page, only_kinds_have_names_and_rows) /* EX-4 */
{
    static const struct {
        uint16_t kind;
        const char *name;
    } kinds[] = {
        { 0x0001, "cpuid" },
        { 0x0040, "stsi" },
        { 0x0041, "sthyi" },
        { 0x1001, "rdmsr" },
        { 0x1002, "wrmsr" },
        { 0x1003, "sysreg-read" },
        { 0x1004, "sysreg-write" },
        { 0x1005, "csr-read" },
        { 0x1006, "csr-write" },
        { 0x1007, "csr-swap" },
        { 0x1008, "csr-set" },
        { 0x1009, "csr-clear" },
        { 0x2001, "in" },
        { 0x2002, "out" },
        { 0x3001, "ins" },
        { 0x3002, "outs" },
        { 0x4001, "mmio-read" },
        { 0x4002, "mmio-write" },
        { 0x4003, "data-abort" },
        { 0x4004, "protected-abort" },
        { 0x4005, "insn-abort" },
        { 0x4040, "pcilg" },
        { 0x4041, "pcistg" },
        { 0x4042, "pcistb" },
        { 0x5001, "hypercall" },
        { 0x5002, "hvc" },
        { 0x5003, "smc" },
        { 0x5004, "sbi" },
        { 0x5005, "hcall" },
        { 0x5008, "host-call" },
        { 0x5040, "diag-288" },
        { 0x5041, "diag-500" },
        { 0x6001, "hlt" },
        { 0x6002, "wfi" },
        { 0x6003, "wfe" },
        { 0x6004, "monitor" },
        { 0x6005, "mwait" },
        { 0x6006, "pause" },
        { 0x6040, "wait" },
        { 0x6041, "diag-44" },
        { 0x6042, "diag-9c" },
        { 0x7001, "wbinvd" },
        { 0x7002, "invd" },
        { 0x8001, "rdtsc" },
        { 0x8002, "rdtscp" },
        { 0x8003, "rdpmc" },
        { 0x8004, "rdtime" },
        { 0x8006, "rdcounter" },
        { 0x9001, "cr-read" },
        { 0x9002, "cr-write" },
        { 0x9003, "dr-read" },
        { 0x9004, "dr-write" },
        { 0x9005, "xsetbv" },
        { 0x9006, "clts" },
        { 0x9007, "lmsw" },
        { 0x9008, "sys-store" },
        { 0x9009, "sys-load" },
        { 0x9040, "spx" },
        { 0x9041, "lpsw" },
        { 0x9042, "lctl" },
        { 0xa001, "page-state" },
        { 0xa002, "map-gpa" },
        { 0xa003, "ripas" },
        { 0xa004, "s2ap" },
        { 0xa005, "dev-mem" },
        { 0xa040, "uvc" },
        { 0xb001, "guest-request" },
        { 0xb002, "guest-request-x" },
        { 0xb040, "csch" },
        { 0xb041, "hsch" },
        { 0xb042, "rsch" },
        { 0xb043, "xsch" },
        { 0xb044, "sal" },
        { 0xb045, "rchp" },
        { 0xb046, "ssch" },
        { 0xb047, "msch" },
        { 0xb048, "stsch" },
        { 0xb049, "tsch" },
        { 0xb04a, "chsc" },
        { 0xb04b, "tpi" },
        { 0xb04c, "servc" },
        { 0xb04d, "rpcit" },
        { 0xb04e, "mpcifc" },
        { 0xb04f, "stpcifc" },
        { 0xc001, "shutdown" },
        { 0xc002, "ap-create" },
        { 0xc040, "diag-308" },
        { 0xd001, "irq" },
        { 0xd002, "fiq" },
        { 0xd003, "serror" },
        { 0xd040, "sigp" },
    };
    uint64_t rng = 1;

    lab_init(&a, &rng);
    for (unsigned kind = 0, at = 0; kind < 65536; kind++) {
        struct svmc_exit e = { .kind = (uint16_t)kind, .count = 1 };
        bool known = at < sizeof kinds / sizeof kinds[0] && kinds[at].kind == kind;

        if (strcmp(svmc_kind_name((uint16_t)kind), known ? kinds[at].name : "unknown") != 0)
            CHECK(false, "kind 0x%x is called %s", kind, svmc_kind_name((uint16_t)kind));
        at += known;
        if (known)
            continue;
        REQUIRE(svmc_vcpu_exit(&a.vc, &e, &a.out) == SVMC_OK, "kind 0x%x", kind);
        REQUIRE(a.out.verdict == SVMC_VERDICT_FAULT && a.out.fault.vector == 6, "kind 0x%x", kind);
    }
}
