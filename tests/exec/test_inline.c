/* SPDX-License-Identifier: MIT */
/* The executor compiled into a host's own source, with its callbacks inlined: exec/inline.h. */
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

TEST(exec, callbacks_can_be_compiled_in) /* XE-10 */
{
    static const uint8_t codes[4][4] = { { 0x89, 0x03 },         /* MOV [RBX], EAX */
                                         { 0x01, 0x03 },         /* ADD [RBX], EAX */
                                         { 0x8b, 0x0b },         /* MOV ECX, [RBX] */
                                         { 0xf0, 0xff, 0x03 } }; /* LOCK INC [RBX] */
    const struct svmc_cpu cpu = { .isa = SVMC_ISA_X86_64, .vendor = SVMC_VENDOR_AMD };
    struct svmc_exec_x86 regs = { .address_bits = 57, .rflags = 2, .cr0 = 1 };
    struct svmc_exec_result out;
    struct svmc_insn insn;
    struct svmc_exec x;

    REQUIRE(svmc_exec_init(&x, &inlined, NULL) == SVMC_OK);
    regs.general[SVMC_REG_RAX] = 0x21;
    regs.general[SVMC_REG_RBX] = 0xfee00000;
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQ(svmc_insn_decode(&cpu, codes[i], 4, &insn), SVMC_OK);
        CHECK_EQ(svmc_exec_x86_start(&x, &regs, &insn, &out), SVMC_OK);
        CHECK_EQ(out.action, i < 3 ? SVMC_EXEC_DONE : SVMC_EXEC_NEEDS_ATOMIC, "%u", i);
    }
    CHECK_EQ(device, 0x42);
    CHECK_EQ(regs.general[SVMC_REG_RCX], 0x42);
}
