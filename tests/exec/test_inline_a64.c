/* SPDX-License-Identifier: MIT */
/* The executor of A64 in a host's own source, its callbacks inlined: exec/inline_a64.h. */
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
#include "exec/inline_a64.h"

TEST(exec_a64, callbacks_can_be_compiled_in) /* XE-10 EA-4 */
{
    static const struct {
        uint32_t word;
        enum svmc_exec_action want;
    } rows[] = {
        { 0xb9000041, SVMC_EXEC_DONE },         /* STR W1, [X2] */
        { 0xb9400043, SVMC_EXEC_DONE },         /* LDR W3, [X2] */
        { 0xb8210043, SVMC_EXEC_NEEDS_ATOMIC }, /* LDADD W1, W3, [X2] */
        { 0x3dc00041, SVMC_EXEC_NEEDS_VECTOR }, /* LDR Q1, [X2] */
    };
    const struct svmc_cpu cpu = { .isa = SVMC_ISA_A64 };
    struct svmc_exec_a64 regs = { .pstate = 5, .cpacr = 3u << 20 };
    struct svmc_exec_result out;
    struct svmc_insn insn;
    struct svmc_exec x;

    REQUIRE(svmc_exec_init(&x, &inlined, NULL) == SVMC_OK);
    regs.general[1] = 0x42;
    regs.general[2] = 0xfee00000;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t w = rows[i].word;
        uint8_t bytes[4] = { (uint8_t)w, (uint8_t)(w >> 8), (uint8_t)(w >> 16),
                             (uint8_t)(w >> 24) };

        CHECK_EQ(svmc_insn_decode(&cpu, bytes, 4, &insn), SVMC_OK);
        CHECK_EQ(svmc_exec_a64_start(&x, &regs, &insn, &out), SVMC_OK);
        CHECK_EQ(out.action, rows[i].want, "%u", i);
    }
    CHECK_EQ(device, 0x42);
    CHECK_EQ(regs.general[3], 0x42);
}
