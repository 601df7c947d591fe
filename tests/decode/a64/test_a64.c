/* SPDX-License-Identifier: MIT */
/* The rules of docs/spec/a64.md: for each layout a word and what it decodes to. */
#include "../../harness.h"
#include <svmcore/insn.h>

#include "../../../src/core/bytes.h"
#include "../../../src/decode/a64/a64.h"
#include "../../../src/decode/a64/a64_tables.h"

#define X(n)   (SVMC_REG_X0 + (n))
#define SP     SVMC_REG_SP
#define XZR    SVMC_REG_XZR
#define NONE   SVMC_REG_NONE
#define GPR    SVMC_REG_KIND_GPR
#define VECTOR SVMC_REG_KIND_VECTOR
#define ID(n)  SVMC_A64_##n
#define F(n)   SVMC_INSN_##n
#define R      SVMC_ACCESS_READ
#define W      SVMC_ACCESS_WRITE
#define RW     SVMC_ACCESS_RW

static enum svmc_status decode(uint32_t word, struct svmc_insn *out)
{
    struct svmc_cpu cpu = { .isa = SVMC_ISA_A64 };
    uint8_t bytes[4];

    core_store_le32(bytes, word);
    memset(out, 0xee, sizeof *out);
    return svmc_a64_decode(&cpu, bytes, sizeof bytes, out);
}

struct memory_row {
    char text[40]; /* as an assembler takes it: the expected values follow from it */
    uint32_t word;
    uint16_t id;
    uint8_t access, bytes, count, kind, reg, reg_bytes, base;
    int32_t disp;
    uint16_t flags;
    uint8_t reg2, reg3, index, scale, extend, imm;
};

/* In a row: no second or third register, no index. */
#define NO NONE, NONE, NONE, 0, 0, 0

/* Every layout with an address. */
static const struct memory_row memory_rows[] = {
    { "ldr w9, [x10], #4", 0xb8404549, ID(LDR), R, 4, 1, GPR, X(9), 4, X(10), 4, F(POST_INDEX),
      NO },
    { "str w8, [x10], #4", 0xb8004548, ID(STR), W, 4, 1, GPR, X(8), 4, X(10), 4, F(POST_INDEX),
      NO }, /* nvme-cli 2397, kvm-guest-drivers-windows 177 */
    { "str x0, [sp, #-16]!", 0xf81f0fe0, ID(STR), W, 8, 1, GPR, X(0), 8, SP, -16, F(PRE_INDEX),
      NO },
    { "ldrb w1, [x2, #4095]", 0x397ffc41, ID(LDR), R, 1, 1, GPR, X(1), 4, X(2), 4095, F(ZERO), NO },
    { "ldrsb w1, [x2]", 0x39c00041, ID(LDR), R, 1, 1, GPR, X(1), 4, X(2), 0, F(SIGN), NO },
    { "ldrsb x1, [x2]", 0x39800041, ID(LDR), R, 1, 1, GPR, X(1), 8, X(2), 0, F(SIGN), NO },
    { "ldrsw x1, [x2, #4]", 0xb9800441, ID(LDR), R, 4, 1, GPR, X(1), 8, X(2), 4, F(SIGN), NO },
    { "str xzr, [x2, #32760]", 0xf93ffc5f, ID(STR), W, 8, 1, GPR, XZR, 8, X(2), 32760, 0, NO },
    { "ldur x3, [x4, #-1]", 0xf85ff083, ID(LDUR), R, 8, 1, GPR, X(3), 8, X(4), -1, 0, NO },
    { "sttrh w3, [x4, #2]", 0x78002883, ID(STTR), W, 2, 1, GPR, X(3), 4, X(4), 2, F(UNPRIVILEGED),
      NO },
    { "ldr q3, [x4, #16]", 0x3dc00483, ID(LDR), R, 16, 1, VECTOR, 3, 16, X(4), 16, 0, NO },
    { "str b3, [x4, #1]", 0x3d000483, ID(STR), W, 1, 1, VECTOR, 3, 1, X(4), 1, 0, NO },
    { "ldr x0, [x1, w2, sxtw #3]", 0xf862d820, ID(LDR), R, 8, 1, GPR, X(0), 8, X(1), 0, 0, NONE,
      NONE, X(2), 8, SVMC_INDEX_SXTW, 0 },
    { "str w0, [sp, x2]", 0xb8226be0, ID(STR), W, 4, 1, GPR, X(0), 4, SP, 0, 0, NONE, NONE, X(2), 1,
      SVMC_INDEX_PLAIN, 0 },
    { "ldrb w0, [x1, w2, uxtw]", 0x38624820, ID(LDR), R, 1, 1, GPR, X(0), 4, X(1), 0, F(ZERO), NONE,
      NONE, X(2), 1, SVMC_INDEX_UXTW, 0 },
    { "ldr d0, [x1, xzr, sxtx #3]", 0xfc7ff820, ID(LDR), R, 8, 1, VECTOR, 0, 8, X(1), 0, 0, NONE,
      NONE, XZR, 8, SVMC_INDEX_SXTX, 0 },
    { "ldr x0, .-4", 0x58ffffe0, ID(LDR), R, 8, 1, GPR, X(0), 8, SVMC_REG_PC, -4, 0, NO },
    { "ldp x29, x30, [sp], #16", 0xa8c17bfd, ID(LDP), R, 8, 2, GPR, X(29), 8, SP, 16, F(POST_INDEX),
      X(30), NONE, NONE, 0, 0, 0 },
    { "stp w0, wzr, [x1, #-256]", 0x29207c20, ID(STP), W, 4, 2, GPR, X(0), 4, X(1), -256, 0, XZR,
      NONE, NONE, 0, 0, 0 },
    { "ldpsw x0, x1, [x2, #4]!", 0x69c08440, ID(LDP), R, 4, 2, GPR, X(0), 8, X(2), 4,
      F(SIGN) | F(PRE_INDEX), X(1), NONE, NONE, 0, 0, 0 },
    { "stnp q0, q1, [x2, #32]", 0xac010440, ID(STNP), W, 16, 2, VECTOR, 0, 16, X(2), 32,
      F(NONTEMPORAL), 1, NONE, NONE, 0, 0, 0 },
    { "ldnp x0, x1, [x2]", 0xa8400440, ID(LDNP), R, 8, 2, GPR, X(0), 8, X(2), 0, F(NONTEMPORAL),
      X(1), NONE, NONE, 0, 0, 0 },
    { "stgp x0, x1, [x2, #16]", 0x69008440, ID(STGP), W, 8, 2, GPR, X(0), 8, X(2), 16, 0, X(1),
      NONE, NONE, 0, 0, 0 },
    { "stxr w0, x1, [x2]", 0xc8007c41, ID(STXR), W, 8, 1, GPR, X(1), 8, X(2), 0, F(EXCLUSIVE), NONE,
      X(0), NONE, 0, 0, 0 },
    { "stlxp w0, w1, w2, [x3]", 0x88208861, ID(STLXP), W, 4, 2, GPR, X(1), 4, X(3), 0,
      F(EXCLUSIVE) | F(RELEASE), X(2), X(0), NONE, 0, 0, 0 },
    { "ldaxrb w1, [x2]", 0x085ffc41, ID(LDAXR), R, 1, 1, GPR, X(1), 4, X(2), 0,
      F(EXCLUSIVE) | F(ACQUIRE) | F(ZERO), NO },
    { "ldxp x1, x2, [x3]", 0xc87f0861, ID(LDXP), R, 8, 2, GPR, X(1), 8, X(3), 0, F(EXCLUSIVE), X(2),
      NONE, NONE, 0, 0, 0 },
    { "stlr w1, [x2]", 0x889ffc41, ID(STLR), W, 4, 1, GPR, X(1), 4, X(2), 0, F(RELEASE), NO },
    { "ldar x1, [x2]", 0xc8dffc41, ID(LDAR), R, 8, 1, GPR, X(1), 8, X(2), 0, F(ACQUIRE), NO },
    { "ldaddal x1, x2, [x3]", 0xf8e10062, ID(LDADD), RW, 8, 1, GPR, X(2), 8, X(3), 0,
      F(ATOMIC) | F(ACQUIRE) | F(RELEASE), X(1), NONE, NONE, 0, 0, 0 },
    { "swpab w1, w2, [x3]", 0x38a18062, ID(SWP), RW, 1, 1, GPR, X(2), 4, X(3), 0,
      F(ATOMIC) | F(ACQUIRE) | F(ZERO), X(1), NONE, NONE, 0, 0, 0 },
    { "casl x1, x2, [x3]", 0xc8a1fc62, ID(CAS), RW, 8, 1, GPR, X(2), 8, X(3), 0,
      F(ATOMIC) | F(RELEASE), X(1), NONE, NONE, 0, 0, 0 },
    { "casp w0, w1, w2, w3, [x4]", 0x08207c82, ID(CASP), RW, 4, 2, GPR, X(2), 4, X(4), 0, F(ATOMIC),
      X(0), NONE, NONE, 0, 0, 0 },
    { "swpp x1, x2, [x3]", 0x19228061, ID(SWPP), RW, 8, 2, GPR, X(1), 8, X(3), 0, F(ATOMIC), X(2),
      NONE, NONE, 0, 0, 0 },
    { "ld64b x2, [x0]", 0xf83fd002, ID(LD64B), R, 64, 1, GPR, X(2), 8, X(0), 0, F(ATOMIC), NO },
    { "st64bv x1, x2, [x0]", 0xf821b002, ID(ST64BV), W, 64, 1, GPR, X(2), 8, X(0), 0, F(ATOMIC),
      NONE, X(1), NONE, 0, 0, 0 },
    { "ldapursh x1, [x2, #-2]", 0x599fe041, ID(LDAPUR), R, 2, 1, GPR, X(1), 8, X(2), -2,
      F(SIGN) | F(ACQUIRE), NO },
    { "stilp w3, w1, [x19, #-8]!", 0x99010a63, ID(STILP), W, 4, 2, GPR, X(3), 4, X(19), -8,
      F(RELEASE) | F(PRE_INDEX), X(1), NONE, NONE, 0, 0, 0 },
    { "ldiapp w1, w9, [x19]", 0x99491a61, ID(LDIAPP), R, 4, 2, GPR, X(1), 4, X(19), 0, F(ACQUIRE),
      X(9), NONE, NONE, 0, 0, 0 },
    { "ldraa x30, [x29, #-8]!", 0xf87fffbe, ID(LDRAA), R, 8, 1, GPR, X(30), 8, X(29), -8,
      F(PRE_INDEX), NO },
    { "ld4 {v0.8b-v3.8b}, [x0]", 0x0c400000, ID(LD4), R, 1, 32, VECTOR, 0, 8, X(0), 0, 0, NO },
    { "ld1 {v0.16b-v3.16b}, [x0], #64", 0x4cdf2000, ID(LD1), R, 1, 64, VECTOR, 0, 16, X(0), 64,
      F(POST_INDEX), NO },
    { "ld1 {v0.16b-v3.16b}, [x0], x1", 0x4cc12000, ID(LD1), R, 1, 64, VECTOR, 0, 16, X(0), 0,
      F(POST_INDEX), NONE, NONE, X(1), 1, 0, 0 },
    { "ld1 {v0.b}[1], [x0]", 0x0d400400, ID(LD1), R, 1, 1, VECTOR, 0, 1, X(0), 0, 0, NONE, NONE,
      NONE, 0, 0, 1 },
    { "st1 {v0.d}[0], [x0], #8", 0x0d9f8400, ID(ST1), W, 8, 1, VECTOR, 0, 8, X(0), 8, F(POST_INDEX),
      NO },
    { "ld1r {v0.16b}, [x0]", 0x4d40c000, ID(LD1R), R, 1, 1, VECTOR, 0, 16, X(0), 0, 0, NO },
    { "stg sp, [x0, #16]!", 0xd9201c1f, ID(STG), W, 16, 1, GPR, SP, 8, X(0), 16, F(PRE_INDEX), NO },
    { "ldg x0, [x1, #-16]", 0xd97ff020, ID(LDG), R, 16, 1, GPR, X(0), 8, X(1), -16, 0, NO },
    { "ldgm x0, [x1]", 0xd9e00020, ID(LDGM), R, 0, 0, GPR, X(0), 8, X(1), 0, 0, NO },
    { "cpyfp [x0]!, [x1]!, x2!", 0x19010440, ID(CPYFP), RW, 1, 0, GPR, X(1), 8, X(0), 0, 0, X(2),
      NONE, NONE, 0, 0, 0 },
    { "setpt [x0]!, x2!, x1", 0x19c11440, ID(SETP), W, 1, 0, GPR, X(1), 8, X(0), 0, F(UNPRIVILEGED),
      X(2), NONE, NONE, 0, 0, 1 },
    { "prfm pldl1keep, [x1, w1, uxtw]", 0xf8a14820, ID(PRFM), 0, 0, 0, 0, NONE, 0, X(1), 0, 0, NONE,
      NONE, X(1), 1, SVMC_INDEX_UXTW, 0 },
    { "prfm pstl1keep, [x1, #8]", 0xf9800430, ID(PRFM), 0, 0, 0, 0, NONE, 0, X(1), 8, 0, NONE, NONE,
      NONE, 0, 0, 16 },
    { "rprfm pldkeep, x0, [x0]", 0xf8a04818, ID(RPRFM), 0, 0, 0, GPR, X(0), 8, X(0), 0, 0, NO },
};

/* A64-3, A64-4, A64-5, A64-6, A64-7, A64-8, A64-9, A64-10, A64-11 */
TEST(a64, loads_and_stores)
{
    for (size_t i = 0; i < sizeof memory_rows / sizeof memory_rows[0]; i++) {
        const struct memory_row *r = &memory_rows[i];
        bool prefetch = r->access == 0;
        struct svmc_insn got;
        struct svmc_insn want = {
            .id = r->id,
            .isa = SVMC_ISA_A64,
            .length = 4,
            .insn_class = prefetch ? SVMC_CLASS_PREFETCH : SVMC_CLASS_MEMORY,
            .flags = r->flags,
            .operand_bytes = r->reg_bytes,
            .address_bytes = 8,
            .access = r->access,
            .segment = SVMC_SEG_NONE,
            .base = r->base,
            .index = r->index,
            .scale = r->scale,
            .mem_bytes = r->bytes,
            .mem_count = r->count,
            .index_extend = r->extend,
            .reg_kind = r->kind,
            .reg = r->reg,
            .reg_bytes = r->reg_bytes,
            .reg2 = r->reg2,
            .reg3 = r->reg3,
            .disp = r->disp,
            .imm = r->imm,
        };

        CHECK_EQ(decode(r->word, &got), SVMC_OK, "%s", r->text);
        CHECK_EQ(got.priv_raw[0], r->word, "%s", r->text);
        want.privilege = got.privilege; /* A64-15, below */
        want.priv_form = got.priv_form; /* private */
        memcpy(want.priv_raw, got.priv_raw, sizeof want.priv_raw);
        CHECK_MEM(&got, &want, sizeof want, "%s", r->text);
    }
}

struct other_row {
    char text[32];
    uint32_t word;
    uint16_t id;
    uint8_t class, privilege, reg, reg_bytes, reg2;
    int32_t disp;
    uint32_t imm;
};

#define PRIV(n)  SVMC_PRIVILEGE_##n
#define CLASS(n) SVMC_CLASS_##n

/* The number of a system register is op0:op1:CRn:CRm:op2. */
static const struct other_row other_rows[] = {
    { "b .-4", 0x17ffffff, ID(B), CLASS(BRANCH), 0, NONE, 0, NONE, -4, 0 },
    { "bl .+134217724", 0x95ffffff, ID(BL), CLASS(BRANCH), 0, NONE, 0, NONE, 134217724, 0 },
    { "b.ne .+8", 0x54000041, ID(B_COND), CLASS(BRANCH), 0, NONE, 0, NONE, 8, 1 },
    { "bc.al .+8", 0x5400005e, ID(BC_COND), CLASS(BRANCH), 0, NONE, 0, NONE, 8, 14 },
    { "cbz w1, .+8", 0x34000041, ID(CBZ), CLASS(BRANCH), 0, X(1), 4, NONE, 8, 0 },
    { "cbnz xzr, .-8", 0xb5ffffdf, ID(CBNZ), CLASS(BRANCH), 0, XZR, 8, NONE, -8, 0 },
    { "tbz x0, #63, .+8", 0xb6f80040, ID(TBZ), CLASS(BRANCH), 0, X(0), 8, NONE, 8, 63 },
    { "tbnz w0, #31, .-32768", 0x37fc0000, ID(TBNZ), CLASS(BRANCH), 0, X(0), 4, NONE, -32768, 31 },
    { "blr x8", 0xd63f0100, ID(BLR), CLASS(BRANCH), 0, X(8), 8, NONE, 0, 0 },
    { "ret", 0xd65f03c0, ID(RET), CLASS(BRANCH), 0, X(30), 8, NONE, 0, 0 },
    { "braa x2, sp", 0xd71f085f, ID(BRAA), CLASS(BRANCH), 0, X(2), 8, SP, 0, 0 },
    { "retaa", 0xd65f0bff, ID(RETAA), CLASS(BRANCH), 0, NONE, 0, NONE, 0, 0 },
    { "retaasppc .-124", 0x550003ff, ID(RETAASPPC), CLASS(BRANCH), 0, NONE, 0, NONE, -124, 0 },
    { "retabsppcr x1", 0xd65f0fe1, ID(RETABSPPC), CLASS(BRANCH), 0, X(1), 8, NONE, 0, 0 },
    { "svc #65535", 0xd41fffe1, ID(SVC), CLASS(SYSCALL), 0, NONE, 0, NONE, 0, 65535 },
    { "hvc #1", 0xd4000022, ID(HVC), CLASS(HYPERCALL), PRIV(KERNEL), NONE, 0, NONE, 0, 1 },
    { "smc #0", 0xd4000003, ID(SMC), CLASS(HYPERCALL), PRIV(KERNEL), NONE, 0, NONE, 0, 0 },
    { "brk #0xf000", 0xd43e0000, ID(BRK), CLASS(INTERRUPT), 0, NONE, 0, NONE, 0, 0xf000 },
    { "hlt #2", 0xd4400040, ID(HLT), CLASS(HALT_DEBUG), 0, NONE, 0, NONE, 0, 2 },
    { "dcps3", 0xd4a00003, ID(DCPS3), CLASS(HALT_DEBUG), 0, NONE, 0, NONE, 0, 0 },
    { "tcancel #7", 0xd46000e0, ID(TCANCEL), CLASS(TRANSACTION), PRIV(SWITCHED), NONE, 0, NONE, 0,
      7 },
    { "tstart x3", 0xd5233063, ID(TSTART), CLASS(TRANSACTION), PRIV(SWITCHED), X(3), 8, NONE, 0,
      0 },
    { "eret", 0xd69f03e0, ID(ERET), CLASS(RETURN), PRIV(KERNEL), NONE, 0, NONE, 0, 0 },
    { "drps", 0xd6bf03e0, ID(DRPS), CLASS(RETURN), PRIV(KERNEL), NONE, 0, NONE, 0, 0 },
    { "nop", 0xd503201f, ID(NOP), CLASS(NOP), 0, NONE, 0, NONE, 0, 0 },
    { "yield", 0xd503203f, ID(YIELD), CLASS(PAUSE), 0, NONE, 0, NONE, 0, 1 },
    { "wfe", 0xd503205f, ID(WFE), CLASS(IDLE), PRIV(SWITCHED), NONE, 0, NONE, 0, 2 },
    { "wfi", 0xd503207f, ID(WFI), CLASS(IDLE), PRIV(SWITCHED), NONE, 0, NONE, 0, 3 },
    { "hint #95", 0xd5032bff, ID(HINT), CLASS(NOP), 0, NONE, 0, NONE, 0, 95 },
    { "wfit x5", 0xd5031025, ID(WFIT), CLASS(IDLE), PRIV(SWITCHED), X(5), 8, NONE, 0, 0 },
    { "dsb sy", 0xd5033f9f, ID(DSB), CLASS(BARRIER), 0, NONE, 0, NONE, 0, 15 },
    { "dsb oshnxs", 0xd503323f, ID(DSB), CLASS(BARRIER), 0, NONE, 0, NONE, 0, 2 },
    { "cfinv", 0xd500401f, ID(CFINV), CLASS(OTHER), 0, NONE, 0, NONE, 0, 0 },
    { "msr daifset, #2", 0xd50342df, ID(MSR_IMM), CLASS(SYSTEM_REG), PRIV(SWITCHED), NONE, 0, NONE,
      0, 3 << 11 | 4 << 7 | 2 << 3 | 6 },
    { "msr pan, #1", 0xd500419f, ID(MSR_IMM), CLASS(SYSTEM_REG), PRIV(KERNEL), NONE, 0, NONE, 0,
      0 << 11 | 4 << 7 | 1 << 3 | 4 },
    { "mrs x0, cntvct_el0", 0xd53be040, ID(MRS), CLASS(SYSTEM_REG), PRIV(SWITCHED), X(0), 8, NONE,
      0, 3 << 14 | 3 << 11 | 14 << 7 | 0 << 3 | 2 },
    { "msr sctlr_el1, x1", 0xd5181001, ID(MSR), CLASS(SYSTEM_REG), PRIV(KERNEL), X(1), 8, NONE, 0,
      3 << 14 | 0 << 11 | 1 << 7 | 0 << 3 | 0 },
    { "msr hcr_el2, xzr", 0xd51c111f, ID(MSR), CLASS(SYSTEM_REG), PRIV(HYP), XZR, 8, NONE, 0,
      3 << 14 | 4 << 11 | 1 << 7 | 1 << 3 | 0 },
    { "mrs x2, scr_el3", 0xd53e1102, ID(MRS), CLASS(SYSTEM_REG), PRIV(MACHINE), X(2), 8, NONE, 0,
      3 << 14 | 6 << 11 | 1 << 7 | 1 << 3 | 0 },
    { "dc zva, x0", 0xd50b7420, ID(DC), CLASS(CACHE), PRIV(SWITCHED), X(0), 8, NONE, 0,
      1 << 14 | 3 << 11 | 7 << 7 | 4 << 3 | 1 },
    { "ic iallu", 0xd508751f, ID(IC), CLASS(CACHE), PRIV(KERNEL), XZR, 8, NONE, 0,
      1 << 14 | 0 << 11 | 7 << 7 | 5 << 3 | 0 },
    { "at s1e1r, x0", 0xd5087800, ID(AT), CLASS(TRANSLATE), PRIV(KERNEL), X(0), 8, NONE, 0,
      1 << 14 | 0 << 11 | 7 << 7 | 8 << 3 | 0 },
    { "tlbi vmalle1", 0xd508871f, ID(TLBI), CLASS(TLB), PRIV(KERNEL), XZR, 8, NONE, 0,
      1 << 14 | 0 << 11 | 8 << 7 | 7 << 3 | 0 },
    { "cpp rctx, x0", 0xd50b73e0, ID(CPP), CLASS(SYSTEM_REG), PRIV(SWITCHED), X(0), 8, NONE, 0,
      1 << 14 | 3 << 11 | 7 << 7 | 3 << 3 | 7 },
    { "sysl x0, #3, c7, c4, #1", 0xd52b7420, ID(SYSL), CLASS(SYSTEM_REG), PRIV(SWITCHED), X(0), 8,
      NONE, 0, 1 << 14 | 3 << 11 | 7 << 7 | 4 << 3 | 1 },
    { "mrrs x30, xzr, s2_0_c1_c7_2", 0xd570175e, ID(MRRS), CLASS(SYSTEM_REG), PRIV(KERNEL), X(30),
      8, XZR, 0, 2 << 14 | 0 << 11 | 1 << 7 | 7 << 3 | 2 },
    { "tlbip vae1, x0, x1", 0xd5488720, ID(TLBIP), CLASS(TLB), PRIV(KERNEL), X(0), 8, X(1), 0,
      1 << 14 | 0 << 11 | 8 << 7 | 7 << 3 | 1 },
    { "add x0, x0, #1", 0x91000400, ID(DATA_IMM), CLASS(A64_DATA_IMM), 0, NONE, 0, NONE, 0, 0 },
    { "add x0, x0, x1", 0x8b010000, ID(DATA_REG), CLASS(A64_DATA_REG), 0, NONE, 0, NONE, 0, 0 },
    { "fadd d0, d0, d1", 0x1e612800, ID(SIMD), CLASS(A64_SIMD), 0, NONE, 0, NONE, 0, 0 },
    { "ld1b {z0.b}, p0/z, [x0]", 0xa400a000, ID(SVE), CLASS(A64_SVE), 0, NONE, 0, NONE, 0, 0 },
    { "zero {za}", 0xc00800ff, ID(SME), CLASS(A64_SME), 0, NONE, 0, NONE, 0, 0 },
};

TEST(a64, branches_exceptions_and_system) /* A64-12, A64-13, A64-14, A64-15 */
{
    for (size_t i = 0; i < sizeof other_rows / sizeof other_rows[0]; i++) {
        const struct other_row *r = &other_rows[i];
        struct svmc_insn got;

        CHECK_EQ(decode(r->word, &got), SVMC_OK, "%s", r->text);
        CHECK_EQ(got.id, r->id, "%s", r->text);
        CHECK_EQ(got.insn_class, r->class, "%s", r->text);
        CHECK_EQ(got.privilege, r->privilege, "%s", r->text);
        CHECK_EQ(got.reg, r->reg, "%s", r->text);
        CHECK_EQ(got.reg_bytes, r->reg_bytes, "%s", r->text);
        CHECK_EQ(got.reg_kind, r->reg_bytes ? GPR : 0, "%s", r->text);
        CHECK_EQ(got.reg2, r->reg2, "%s", r->text);
        CHECK_EQ(got.reg3, NONE, "%s", r->text);
        CHECK_EQ(got.disp, r->disp, "%s", r->text);
        CHECK_EQ(got.imm, r->imm, "%s", r->text);
        CHECK(got.access == 0 && got.mem_bytes == 0 && got.mem_count == 0 && got.scale == 0 &&
                  got.base == NONE && got.index == NONE && got.flags == 0,
              "%s: no memory operand", r->text);
    }
}

TEST(a64, privilege_of_memory) /* A64-15 */
{
    static const struct {
        uint32_t word;
        uint8_t privilege;
    } rows[] = {
        { 0xd9e00020, SVMC_PRIVILEGE_KERNEL },   /* ldgm x0, [x1] */
        { 0xd9600020, SVMC_PRIVILEGE_NONE },     /* ldg x0, [x1] */
        { 0xf83fd002, SVMC_PRIVILEGE_SWITCHED }, /* ld64b x2, [x0] */
        { 0x19010440, SVMC_PRIVILEGE_SWITCHED }, /* cpyfp [x0]!, [x1]!, x2! */
        { 0xb8404549, SVMC_PRIVILEGE_NONE },     /* ldr w9, [x10], #4 */
    };
    struct svmc_insn got;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_EQ(decode(rows[i].word, &got), SVMC_OK);
        CHECK_EQ(got.privilege, rows[i].privilege, "%08x", rows[i].word);
    }
}

TEST(a64, unallocated_and_reserved) /* A64-2 */
{
    static const struct {
        char text[48];
        uint32_t word;
        uint8_t refusal;
    } rows[] = {
        { "udf #0", 0x00000000, SVMC_REFUSAL_RESERVED },
        { "udf #65535", 0x0000ffff, SVMC_REFUSAL_RESERVED },
        { "behind udf", 0x00010000, SVMC_REFUSAL_NO_OPCODE },
        { "op0 = 0001", 0x02000000, SVMC_REFUSAL_NO_OPCODE },
        { "op0 = 0011", 0x86000000, SVMC_REFUSAL_NO_OPCODE },
        { "ldr size 10, opc 11", 0xb9c00000, SVMC_REFUSAL_NO_OPCODE },
        { "ldr register, option 000", 0xf8620820, SVMC_REFUSAL_NO_OPCODE },
        { "prfm post-index", 0xf8800400, SVMC_REFUSAL_NO_OPCODE },
        { "ldp opc 11", 0xe9400000, SVMC_REFUSAL_NO_OPCODE },
        { "ldnp opc 01", 0x68400000, SVMC_REFUSAL_NO_OPCODE },
        { "ldr literal, opc 11, V", 0xdc000000, SVMC_REFUSAL_NO_OPCODE },
        { "casp of an odd Rs", 0x48217c82, SVMC_REFUSAL_NO_OPCODE },
        { "ld64b of x1", 0xf83fd001, SVMC_REFUSAL_NO_OPCODE },
        { "ld64b of x24", 0xf83fd018, SVMC_REFUSAL_NO_OPCODE },
        { "swpp of xzr", 0x1922807f, SVMC_REFUSAL_RESERVED },
        { "ld2 of .1d", 0x0c408c00, SVMC_REFUSAL_RESERVED },
        { "ld1 {v0.h}, size 01", 0x0d404400, SVMC_REFUSAL_RESERVED },
        { "ld1 {v0.d}, S", 0x0d409400, SVMC_REFUSAL_RESERVED },
        { "ld1r, S", 0x0d40d000, SVMC_REFUSAL_RESERVED },
        { "ld1 without post-index, Rm", 0x0c412000, SVMC_REFUSAL_RESERVED },
        { "stgm with imm9", 0xd9a01000, SVMC_REFUSAL_NO_OPCODE },
        { "svc with op2", 0xd4000005, SVMC_REFUSAL_NO_OPCODE },
        { "br with op4", 0xd61f0001, SVMC_REFUSAL_NO_OPCODE },
        { "msr s0_0_c4_c1_7", 0xd50041ff, SVMC_REFUSAL_NO_OPCODE },
        { "mrrs of x1", 0xd5700001, SVMC_REFUSAL_NO_OPCODE },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_insn got;

        CHECK_EQ(decode(rows[i].word, &got), SVMC_ERR_UNDEFINED, "%s", rows[i].text);
        CHECK_EQ(got.refusal, rows[i].refusal, "%s", rows[i].text);
    }
}

TEST(a64, every_cut_is_truncated) /* A64-1 */
{
    static const uint8_t bytes[4] = { 0x49, 0x45, 0x40, 0xb8 };
    struct svmc_cpu cpu = { .isa = SVMC_ISA_A64 };
    struct svmc_insn got;

    for (size_t n = 0; n < 4; n++)
        CHECK_EQ(svmc_a64_decode(&cpu, bytes, n, &got), SVMC_ERR_TRUNCATED, "%zu", n);
    CHECK_EQ(svmc_a64_decode(&cpu, bytes, 4, &got), SVMC_OK);
}

TEST(a64, words_of_a32_and_t32_are_not_read) /* A64-1 */
{
    static const uint32_t words[] = { 0xe5912004, 0xe1a00000, 0xb8404549, 0xd503201f, 0x4770bf00 };
    static const uint8_t isas[] = { SVMC_ISA_A32, SVMC_ISA_T32 };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        for (size_t k = 0; k < sizeof isas; k++) {
            struct svmc_cpu cpu = { .isa = isas[k] };
            struct svmc_insn got;
            uint8_t bytes[4];

            core_store_le32(bytes, words[i]);
            CHECK_EQ(svmc_insn_decode(&cpu, bytes, 4, &got), SVMC_ERR_UNSUPPORTED, "%08x",
                     words[i]);
            CHECK_EQ(got.length, 0, "%08x", words[i]);
        }
}

/* The bytes of a word are little-endian, and every byte of the result is written: twice the same
 * from two different fills.
 */
TEST(a64, the_result_is_written_whole) /* A64-1 */
{
    struct svmc_cpu cpu = { .isa = SVMC_ISA_A64 };
    uint64_t rng = harness_seed();

    for (unsigned i = 0; i < 100000; i++) {
        struct svmc_insn a, b;
        uint8_t bytes[4];

        core_store_le32(bytes, (uint32_t)harness_random(&rng));
        memset(&a, 0, sizeof a);
        memset(&b, 0xff, sizeof b);
        if (svmc_a64_decode(&cpu, bytes, 4, &a) != SVMC_OK)
            continue;
        CHECK_EQ(svmc_a64_decode(&cpu, bytes, 4, &b), SVMC_OK);
        CHECK_MEM(&a, &b, sizeof a, "%08x", core_load_le32(bytes));
    }
}

/* Words of each row, most of them with random operands, until one is no more specific row's. */
TEST(a64, every_row_is_reached) /* A64-2 */
{
    uint64_t rng = harness_seed();

    for (unsigned i = 1; i < A64_ROWS; i++) {
        const struct words_row *row = &a64_rows[i];
        uint32_t mask = a64_masks[row->mask], word = 0;
        struct svmc_insn got;
        enum svmc_status st;
        bool reached = false;

        for (unsigned n = 0; n < 10000 && !reached; n++) {
            word = row->match | ((uint32_t)harness_random(&rng) & ~mask);
            st = decode(word, &got);
            reached = row->id == SVMC_A64_NONE
                          ? st == SVMC_ERR_UNDEFINED && got.refusal == SVMC_REFUSAL_RESERVED
                          : st == SVMC_OK && got.id == row->id &&
                                got.insn_class == a64_attrs[row->attr].insn_class;
        }
        CHECK(reached, "row %u: %08x", i, row->match);
    }
}
