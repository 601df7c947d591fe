/* SPDX-License-Identifier: MIT */
/* A vCPU's registers for the trap matchers: which were asked for, and one that cannot be read. */
#ifndef TESTS_HCALL_TRAP_LAB_H
#define TESTS_HCALL_TRAP_LAB_H
#include <svmcore/trap.h>

#include "../harness.h"

#define MAGIC       0x564d5868u
#define WAY(way)    (1u << SVMC_TRAP_WAY_##way)
#define ABI(abi)    (1u << SVMC_TRAP_##abi)
#define ALL_ABIS    (ABI(VMWARE) | ABI(NATIVE) | ABI(IO))
#define LOW_WORD    0x860000000eu /* IN EAX, DX; open-vm-tools backdoorGcc64_arm64.c */
#define OUT_WORD    0x8600000018u /* REP OUTSB */
#define IN_WORD     0x860000001cu /* REP INSB */
#define NATIVE_WORD 0x8700000000u
#define CONTROL     0x0100000000000008u /* a native control word: version 1, number 8 */

static struct {
    uint64_t reg[256];
    unsigned calls;
    unsigned fail_at; /* 1-based; 0: none */
    unsigned execute; /* s390x: length of the EXECUTE whose target it is */
    uint32_t last;    /* asked for */
} lab;
static struct svmc_trap got;
static struct svmc_trap_config config;

static inline enum svmc_status lab_read(void *ctx, uint32_t reg, uint64_t *value)
{
    CHECK(ctx == &lab && *value == 0);
    if (reg >= 256) {
        CHECK(false, "register %u", reg);
        return SVMC_ERR_ARG;
    }
    lab.last = reg;
    if (++lab.calls == lab.fail_at) {
        *value = lab.reg[reg]; /* left behind, and not to be used */
        return SVMC_ERR_STATE;
    }
    *value = lab.reg[reg];
    return SVMC_OK;
}

static const struct svmc_host_ops ops = {
    .size = offsetof(struct svmc_host_ops, reg_read) + sizeof(void *),
    .reg_read = lab_read,
};

static inline bool all_zero(const struct svmc_trap *trap)
{
    static const struct svmc_trap zero;

    return memcmp(trap, &zero, sizeof zero) == 0;
}

/* Every register has a value of its own, garbage in its upper half. */
static inline void lab_reset(void)
{
    memset(&lab, 0, sizeof lab);
    for (unsigned n = 0; n < 256; n++)
        lab.reg[n] = 0xdeadbeef00000000u + 0x01010101u * n;
    memset(&config, 0, sizeof config);
    config.abis = ALL_ABIS;
    memset(&got, 0xee, sizeof got);
}

/* `run` matches what the lab holds; each register that it asks for cannot be read once. */
static inline void fail_each(enum svmc_status (*run)(void), const char *what)
{
    unsigned count;

    lab.calls = lab.fail_at = 0;
    CHECK_EQ(run(), SVMC_OK, "%s", what);
    count = lab.calls;
    CHECK(count > 0, "%s", what);
    for (unsigned k = 1; k <= count; k++) {
        lab.calls = 0;
        lab.fail_at = k;
        memset(&got, 0xee, sizeof got);
        CHECK_EQ(run(), SVMC_ERR_CALLBACK, "%s: call %u", what, k);
        CHECK(all_zero(&got), "%s: call %u", what, k);
        CHECK_EQ(lab.calls, k, "%s: nothing is asked after it", what);
    }
    lab.fail_at = 0;
}

static inline void check_args(enum svmc_isa isa)
{
    for (unsigned n = 0; n < SVMC_IOX_ARGS; n++)
        CHECK_EQ(got.arg[n], lab.reg[svmc_iox_reg(isa, n)], "argument %u", n);
}

/* Where the hardware has moved the PC it has to be known how far. */
static inline unsigned back_of_call(void)
{
    switch (got.way) {
    case SVMC_TRAP_WAY_HVC:
        return 4;
    case SVMC_TRAP_WAY_DIAG:
        return lab.execute ? lab.execute : 4;
    case SVMC_TRAP_WAY_ZERO:
        return lab.execute ? lab.execute : 2;
    default:
        return 0;
    }
}

/* A call of VMware's; nothing of a fault or a value beside it. */
static inline void check_vmware(bool high, bool write, unsigned bytes, const char *what)
{
    static const struct svmc_fault none;

    CHECK_EQ(got.verdict, SVMC_TRAP_CALL, "%s", what);
    CHECK_EQ(got.abi, SVMC_TRAP_VMWARE, "%s", what);
    CHECK_EQ(got.high, high, "%s", what);
    CHECK_EQ(got.write, write, "%s", what);
    CHECK_EQ(got.insn_bytes, bytes, "%s", what);
    CHECK_EQ(got.io.bytes, high ? 1 : 4, "%s", what);
    CHECK_EQ(got.io.in, !write, "%s", what);
    CHECK_EQ(got.io.string, high, "%s", what);
    CHECK_EQ(got.io.repeat, high, "%s", what);
    CHECK_MEM(&got.fault, &none, sizeof none, "%s", what);
    CHECK(got.value == 0 && got.dest == 0 && got.back == back_of_call(), "%s", what);
}

static inline void check_native(unsigned bytes, const char *what)
{
    static const struct svmc_fault none;
    static const struct svmc_iox no_io;

    CHECK_EQ(got.verdict, SVMC_TRAP_CALL, "%s", what);
    CHECK_EQ(got.abi, SVMC_TRAP_NATIVE, "%s", what);
    CHECK_EQ(got.insn_bytes, bytes, "%s", what);
    CHECK_MEM(&got.fault, &none, sizeof none, "%s", what);
    CHECK_MEM(&got.io, &no_io, sizeof no_io, "%s", what);
    CHECK(got.arg[0] == 0 && got.arg[6] == 0 && got.value == 0, "%s", what);
    CHECK_EQ(got.back, back_of_call(), "%s", what);
}

static inline void check_forward(unsigned vector, unsigned has_error, uint32_t error,
                                 uint64_t address, const char *what)
{
    CHECK_EQ(got.verdict, SVMC_TRAP_FORWARD, "%s", what);
    CHECK_EQ(got.fault.raised, 1, "%s", what);
    CHECK_EQ(got.fault.vector, vector, "%s", what);
    CHECK_EQ(got.fault.has_error, has_error, "%s", what);
    CHECK_EQ(got.fault.error, error, "%s", what);
    CHECK_EQ(got.fault.address, address, "%s", what);
    CHECK(got.abi == 0 && got.arg[0] == 0 && got.io.bytes == 0 && got.value == 0, "%s", what);
}

#endif
