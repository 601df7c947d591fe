/* SPDX-License-Identifier: MIT */
/*
 * The executors of x86, RISC-V and A64 in one of a host's own files, its callbacks inlined:
 * exec/inline.h, exec/inline_a64.h.
 */
#include <svmcore/svmcore.h>

#include "../harness.h"

static uint32_t device;

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    (void)ctx, (void)access, (void)fault;
    out->v = at.v;
    return SVMC_OK;
}

static enum svmc_status read_reg(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    (void)ctx, (void)at;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)dst)[i] = (uint8_t)(device >> 8 * i);
    return SVMC_OK;
}

static enum svmc_status write_reg(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    (void)ctx, (void)at;
    device = 0;
    for (size_t i = n; i > 0; i--)
        device = device << 8 | ((const uint8_t *)src)[i - 1];
    return SVMC_OK;
}

static const struct svmc_exec_ops inlined = {
    .size = sizeof inlined, .translate = translate, .read = read_reg, .write = write_reg
};
#define SVMC_EXEC_OPS inlined
#include "exec/inline.h"
#include "exec/inline_a64.h"

struct inlined_row {
    uint8_t bytes[4];
    enum svmc_exec_action want;
};

static struct svmc_insn decode(const struct svmc_cpu *cpu, const struct inlined_row *r)
{
    struct svmc_insn insn;

    CHECK_EQ(svmc_insn_decode(cpu, r->bytes, 4, &insn), SVMC_OK);
    return insn;
}

TEST(exec, callbacks_can_be_compiled_in) /* XE-10 */
{
    static const struct inlined_row inlined_rows[] = {
        { { 0x89, 0x03 }, SVMC_EXEC_DONE },               /* MOV [RBX], EAX */
        { { 0x01, 0x03 }, SVMC_EXEC_DONE },               /* ADD [RBX], EAX */
        { { 0x8b, 0x0b }, SVMC_EXEC_DONE },               /* MOV ECX, [RBX] */
        { { 0xf0, 0xff, 0x03 }, SVMC_EXEC_NEEDS_ATOMIC }, /* LOCK INC [RBX] */
    };
    const struct svmc_cpu cpu = { .isa = SVMC_ISA_X86_64, .vendor = SVMC_VENDOR_AMD };
    struct svmc_exec_x86 regs = { .address_bits = 57, .rflags = 2, .cr0 = 1 };
    struct svmc_exec_result out;
    struct svmc_exec x;

    REQUIRE(svmc_exec_init(&x, &inlined, NULL) == SVMC_OK);
    regs.general[SVMC_REG_RAX] = 0x21;
    regs.general[SVMC_REG_RBX] = 0xfee00000;
    for (unsigned i = 0; i < sizeof inlined_rows / sizeof inlined_rows[0]; i++) {
        struct svmc_insn insn = decode(&cpu, &inlined_rows[i]);

        CHECK_EQ(svmc_exec_x86_start(&x, &regs, &insn, &out), SVMC_OK);
        CHECK_EQ(out.action, inlined_rows[i].want, "%u", i);
    }
    CHECK_EQ(device, 0x42);
    CHECK_EQ(regs.general[SVMC_REG_RCX], 0x42);
}

TEST(exec_rv, callbacks_can_be_compiled_in) /* XE-10 ER-6 */
{
    static const struct inlined_row inlined_rows[] = {
        { { 0x23, 0xa0, 0xc5, 0x00 }, SVMC_EXEC_DONE },         /* sw x12, (x11) */
        { { 0x03, 0xa5, 0x05, 0x00 }, SVMC_EXEC_DONE },         /* lw x10, (x11) */
        { { 0x2f, 0xa5, 0xc5, 0x00 }, SVMC_EXEC_NEEDS_ATOMIC }, /* amoadd.w x10, x12, (x11) */
    };
    const struct svmc_cpu cpu = { .isa = SVMC_ISA_RV64 };
    struct svmc_exec_rv regs = { .mode = 1 };
    struct svmc_exec_result out;
    struct svmc_exec x;

    REQUIRE(svmc_exec_init(&x, &inlined, NULL) == SVMC_OK);
    regs.general[11] = 0xfee00000;
    regs.general[12] = 0x42;
    for (unsigned i = 0; i < sizeof inlined_rows / sizeof inlined_rows[0]; i++) {
        struct svmc_insn insn = decode(&cpu, &inlined_rows[i]);

        CHECK_EQ(svmc_exec_rv_start(&x, &regs, &insn, &out), SVMC_OK);
        CHECK_EQ(out.action, inlined_rows[i].want, "%u", i);
    }
    CHECK_EQ(device, 0x42);
    CHECK_EQ(regs.general[10], 0x42);
}

TEST(exec_a64, callbacks_can_be_compiled_in) /* XE-10 EA-4 */
{
    static const struct inlined_row inlined_rows[] = {
        { { 0x41, 0x00, 0x00, 0xb9 }, SVMC_EXEC_DONE },         /* STR W1, [X2] */
        { { 0x43, 0x00, 0x40, 0xb9 }, SVMC_EXEC_DONE },         /* LDR W3, [X2] */
        { { 0x43, 0x00, 0x21, 0xb8 }, SVMC_EXEC_NEEDS_ATOMIC }, /* LDADD W1, W3, [X2] */
        { { 0x41, 0x00, 0xc0, 0x3d }, SVMC_EXEC_NEEDS_VECTOR }, /* LDR Q1, [X2] */
    };
    const struct svmc_cpu cpu = { .isa = SVMC_ISA_A64 };
    struct svmc_exec_a64 regs = { .pstate = 5, .cpacr = 3u << 20 };
    struct svmc_exec_result out;
    struct svmc_exec x;

    REQUIRE(svmc_exec_init(&x, &inlined, NULL) == SVMC_OK);
    regs.general[1] = 0x42;
    regs.general[2] = 0xfee00000;
    for (unsigned i = 0; i < sizeof inlined_rows / sizeof inlined_rows[0]; i++) {
        struct svmc_insn insn = decode(&cpu, &inlined_rows[i]);

        CHECK_EQ(svmc_exec_a64_start(&x, &regs, &insn, &out), SVMC_OK);
        CHECK_EQ(out.action, inlined_rows[i].want, "%u", i);
    }
    CHECK_EQ(device, 0x42);
    CHECK_EQ(regs.general[3], 0x42);
}
