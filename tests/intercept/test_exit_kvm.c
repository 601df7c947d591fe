/* SPDX-License-Identifier: MIT */
/* EX-2: struct kvm_run in and out. Bytes by hand from the KVM ABI. */
#include "scenarios.h"

#if defined(__x86_64__) && defined(__linux__)
#include <linux/kvm.h>
_Static_assert(offsetof(struct kvm_run, exit_reason) == 8, "the ABI we read by offset");
_Static_assert(offsetof(struct kvm_run, io.direction) == 32, "io.direction");
_Static_assert(offsetof(struct kvm_run, io.size) == 33, "io.size");
_Static_assert(offsetof(struct kvm_run, io.port) == 34, "io.port");
_Static_assert(offsetof(struct kvm_run, io.count) == 36, "io.count");
_Static_assert(offsetof(struct kvm_run, io.data_offset) == 40, "io.data_offset");
_Static_assert(offsetof(struct kvm_run, mmio.phys_addr) == 32, "mmio.phys_addr");
_Static_assert(offsetof(struct kvm_run, mmio.data) == 40, "mmio.data");
_Static_assert(offsetof(struct kvm_run, mmio.len) == 48, "mmio.len");
_Static_assert(offsetof(struct kvm_run, mmio.is_write) == 52, "mmio.is_write");
_Static_assert(offsetof(struct kvm_run, msr.error) == 32, "msr.error");
_Static_assert(offsetof(struct kvm_run, msr.index) == 44, "msr.index");
_Static_assert(offsetof(struct kvm_run, msr.data) == 48, "msr.data");
_Static_assert(KVM_EXIT_IO == 2 && KVM_EXIT_HLT == 5 && KVM_EXIT_MMIO == 6, "reasons");
_Static_assert(KVM_EXIT_SHUTDOWN == 8, "reasons");
_Static_assert(KVM_EXIT_X86_RDMSR == 29 && KVM_EXIT_X86_WRMSR == 30, "reasons");
#endif

#define RUN_BYTES 8192u
#define DATA_AT   4096u

static uint8_t run[RUN_BYTES];
static struct svmc_exit exit_;

static void put(unsigned at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        run[at + i] = (uint8_t)(value >> (8 * i));
}

static void io(unsigned direction, unsigned size, unsigned port, unsigned count)
{
    memset(run, 0, sizeof run);
    put(8, 4, 2);
    put(32, 1, direction);
    put(33, 1, size);
    put(34, 2, port);
    put(36, 4, count);
    put(40, 8, DATA_AT);
    for (unsigned i = 0; i < 64; i++)
        run[DATA_AT + i] = (uint8_t)(0x41 + i);
}

static void mmio(uint64_t gpa, unsigned len, unsigned write)
{
    memset(run, 0, sizeof run);
    put(8, 4, 6);
    put(32, 8, gpa);
    put(40, 8, 0x8877665544332211);
    put(48, 4, len);
    put(52, 1, write);
}

static void msr(unsigned reason, uint32_t index, uint64_t data)
{
    memset(run, 0, sizeof run);
    put(8, 4, reason);
    put(32, 1, 0xff); /* error: ours to clear */
    put(44, 4, index);
    put(48, 8, data);
}

static enum svmc_status parse(void)
{
    memset(&exit_, 0xee, sizeof exit_);
    return svmc_exit_from_kvm(run, sizeof run, &exit_);
}

TEST(exit_kvm, ports)
{
    io(1, 2, 0x3f8, 1);
    CHECK_EQ(parse(), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_OUT);
    CHECK_EQ(exit_.size, 2);
    CHECK_EQ(exit_.count, 1);
    CHECK_EQ(exit_.address, 0x3f8);
    CHECK_EQ(exit_.value, 0x4241);
    CHECK_EQ(exit_.finish, SVMC_FINISH_BACKEND);
    io(0, 4, 0xffff, 1);
    CHECK_EQ(parse(), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_IN);
    CHECK_EQ(exit_.value, 0, "what stands in the buffer of an IN is nobody's");
    io(1, 1, 0x3f8, 60);
    CHECK_EQ(parse(), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_OUTS);
    CHECK_EQ(exit_.count, 60);
    CHECK(exit_.data == run + DATA_AT, "data");
    io(0, 4, 0x3f8, 3);
    CHECK_EQ(parse(), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_INS);
}

TEST(exit_kvm, memory_msr_and_the_rest)
{
    mmio(0xfe000010, 4, 1);
    CHECK_EQ(parse(), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_MMIO_WRITE);
    CHECK_EQ(exit_.address, 0xfe000010);
    CHECK_EQ(exit_.value, 0x44332211);
    mmio(0xfe000010, 3, 0);
    CHECK_EQ(parse(), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_MMIO_READ);
    CHECK_EQ(exit_.size, 3);
    msr(29, 0xc0000080, 0x1234);
    CHECK_EQ(parse(), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_RDMSR);
    CHECK_EQ(exit_.address, 0xc0000080);
    CHECK_EQ(exit_.value, 0);
    msr(30, 0x10, 0x1122334455667788);
    CHECK_EQ(parse(), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_WRMSR);
    CHECK_EQ(exit_.value, 0x1122334455667788);
    memset(run, 0, sizeof run);
    for (unsigned reason = 0; reason < 64; reason++) {
        unsigned want = reason == 5 ? SVMC_KIND_HLT : reason == 8 ? SVMC_KIND_SHUTDOWN : 0;

        if (reason == 2 || reason == 6 || reason == 29 || reason == 30)
            continue;
        put(8, 4, reason);
        CHECK_EQ(parse(), want ? SVMC_OK : SVMC_ERR_UNSUPPORTED, "reason %u", reason);
        CHECK_EQ(exit_.kind, want, "reason %u", reason);
    }
}

TEST(exit_kvm, what_kvm_cannot_mean_is_refused) /* CVE-2021-4093, CVE-2026-31588 */
{
    static const struct svmc_exit zero;

#define REFUSED(...)                                         \
    do {                                                     \
        __VA_ARGS__;                                         \
        CHECK_EQ(parse(), SVMC_ERR_MISMATCH, #__VA_ARGS__);  \
        CHECK_MEM(&exit_, &zero, sizeof zero, #__VA_ARGS__); \
    } while (0)
    REFUSED(io(2, 1, 0, 1));
    REFUSED(io(1, 3, 0, 1));
    REFUSED(io(1, 0, 0, 1));
    REFUSED(io(1, 8, 0, 1));
    REFUSED(io(1, 1, 0, 0));
    REFUSED(io(1, 1, 0, 4097));
    REFUSED(io(1, 4, 0, 0x40000001));
    REFUSED(io(1, 4, 0, 1); put(40, 8, RUN_BYTES - 3));
    REFUSED(io(1, 4, 0, 1); put(40, 8, UINT64_MAX));
    REFUSED(io(1, 4, 0, 1); put(40, 8, 8));
    REFUSED(mmio(0, 0, 0));
    REFUSED(mmio(0, 9, 0));
    REFUSED(mmio(0, 4, 2));
#undef REFUSED
    CHECK_EQ(svmc_exit_from_kvm(NULL, sizeof run, &exit_), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_kvm(run, 63, &exit_), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_kvm(run, sizeof run, NULL), SVMC_ERR_ARG);
}

static struct svmc_outcome outcome(unsigned action, const void *data, unsigned bytes)
{
    return (struct svmc_outcome){
        .action = (uint8_t)action, .data = data, .data_bytes = bytes, .fault.vector = 13
    };
}

TEST(exit_kvm, completion_puts_results_where_kvm_looks)
{
    struct svmc_outcome o = outcome(SVMC_ACT_RESUME, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);

    msr(29, 0x10, 0);
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_OK);
    CHECK_MEM(run + 48, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
    CHECK_EQ(run[32], 0, "no error");
    o.data_bytes = 4;
    mmio(0xfe000000, 4, 0);
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_OK);
    CHECK_MEM(run + 40, "\x11\x22\x33\x44\x55", 5, "4 bytes and not more");
    io(0, 2, 0x60, 2);
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_OK);
    CHECK_MEM(run + DATA_AT, "\x11\x22\x33\x44\x45", 5);
    o = outcome(SVMC_ACT_RESUME, NULL, 0);
    io(1, 2, 0x60, 2);
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_OK);
    msr(30, 0x10, 0);
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_OK);
    CHECK_EQ(run[32], 0);
    o = outcome(SVMC_ACT_INJECT, NULL, 0);
    msr(30, 0x10, 0);
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_OK);
    CHECK_EQ(run[32], 1, "KVM makes it #GP");
}

TEST(exit_kvm, completion_refuses_what_does_not_fit)
{
    struct svmc_outcome o = outcome(SVMC_ACT_RESUME, "\x11\x22\x33\x44", 4);
    uint8_t before[RUN_BYTES];

    io(0, 2, 0x60, 1);
    memcpy(before, run, sizeof run);
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_ERR_MISMATCH, "4 for 2");
    o.data_bytes = 0;
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_ERR_MISMATCH, "nothing for 2");
    o.action = SVMC_ACT_INJECT;
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_ERR_UNSUPPORTED);
    o.action = SVMC_ACT_INJECT + 1;
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_ERR_ARG, "no such action");
    o.action = SVMC_ACT_DELEGATED;
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_OK, "nothing to do yet");
    CHECK_MEM(run, before, sizeof run);
    CHECK_EQ(svmc_kvm_complete(NULL, sizeof run, &o), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_complete(run, 8, &o), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, NULL), SVMC_ERR_ARG);
}
