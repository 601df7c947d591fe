/* SPDX-License-Identifier: MIT */
/* EX-93: struct kvm_run of a little-endian Power host. Bytes by hand from the KVM ABI. */
#include <svmcore/exit_kvm.h>
#include <svmcore/exit_ppc.h>

#include "scenarios.h"

#if defined(__linux__) && !defined(__s390x__)
#include <linux/kvm.h>
_Static_assert(offsetof(struct kvm_run, papr_hcall.nr) == 32, "papr_hcall.nr");
_Static_assert(offsetof(struct kvm_run, papr_hcall.ret) == 40, "papr_hcall.ret");
_Static_assert(offsetof(struct kvm_run, papr_hcall.args) == 48, "papr_hcall.args");
_Static_assert(sizeof(((struct kvm_run *)0)->papr_hcall) == 88, "papr_hcall");
_Static_assert(KVM_EXIT_PAPR_HCALL == 19, "reasons");
#endif

#define R(n) (SVMC_REG_PPC_R0 + (n))
#define RET  40u
#define ARGS 48u

static uint8_t run[4096], before[4096];
static struct svmc_exit exit_;
static const struct svmc_exit zero;
static struct lab lab;
static struct fakehost_answer honest;

static void put(unsigned at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        run[at + i] = (uint8_t)(value >> (8 * i));
}

static enum svmc_status parse(void)
{
    memset(&exit_, 0xee, sizeof exit_);
    return svmc_exit_from_kvm_ppc(run, sizeof run, &exit_);
}

/* As KVM leaves it: R3 in nr, R4 to R12 in args. */
static void hypercall(uint64_t number)
{
    memset(run, 0, sizeof run);
    put(8, 4, 19);
    put(32, 8, number);
    for (unsigned i = 0; i < 9; i++)
        put(ARGS + 8 * i, 8, 0xa4a4a4a400000000u + i);
}

/* The same guest to the library: registers through the callbacks. */
static void start(uint64_t number)
{
    uint64_t rng = 6;

    hypercall(number);
    REQUIRE(parse() == SVMC_OK, "a hypercall");
    lab_init(&lab, &rng);
    lab.world.reg[R(3)] = number;
    for (unsigned i = 0; i < 9; i++)
        lab.world.reg[R(4) + i] = 0xa4a4a4a400000000u + i;
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit_, &lab.out), SVMC_OK);
}

TEST(exit_kvm_ppc, device_memory_is_finished_by_kvm) /* EX-93 */
{
    struct svmc_outcome o = { .action = SVMC_ACT_RESUME };

    memset(run, 0, sizeof run);
    put(8, 4, 6);
    put(32, 8, 0x10080000018);
    memcpy(run + 40, "\x12\x34\x56\x78\x9a\xbc\xde\xf0", 8); /* as the guest stores them */
    put(48, 4, 4);
    put(52, 1, 1);
    CHECK_EQ(parse(), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_MMIO_WRITE);
    CHECK_EQ(exit_.address, 0x10080000018);
    CHECK_EQ(exit_.size, 4);
    CHECK_EQ(exit_.value, 0x78563412, "its lowest byte is that at the address");
    CHECK_EQ(exit_.finish, SVMC_FINISH_BACKEND);
    CHECK_EQ(exit_.isa, SVMC_ISA_PPC64);
    CHECK_EQ(exit_.swap, 0, "KVM turns the bytes");
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_OK, "a write wants nothing");
    put(52, 1, 0);
    put(48, 4, 2);
    CHECK_EQ(parse(), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_MMIO_READ);
    o.data = (const uint8_t *)"\xaa\xbb";
    o.data_bytes = 2;
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_OK);
    CHECK_MEM(run + 40, "\xaa\xbb\x56", 3, "2 bytes and not more");
    for (unsigned len = 0; len < 12; len++) {
        put(48, 4, len);
        CHECK_EQ(parse(), len >= 1 && len <= 8 ? SVMC_OK : SVMC_ERR_MISMATCH, "%u", len);
    }
    put(48, 4, 0x80000001);
    CHECK_EQ(parse(), SVMC_ERR_MISMATCH);
    put(48, 4, 4);
    put(52, 1, 2);
    CHECK_EQ(parse(), SVMC_ERR_MISMATCH);
    CHECK_MEM(&exit_, &zero, sizeof zero);
}

TEST(exit_kvm_ppc, a_hypercall_is_finished_by_kvm) /* EX-93 EX-69 */
{
    const struct svmc_ppc_exit raw = { .vector = 0xc00 };
    struct svmc_exit said;

    start(LAB_PAPR); /* one argument, four results */
    CHECK_EQ(svmc_exit_from_ppc(&raw, NULL, 0, &said), SVMC_OK);
    said.finish = SVMC_FINISH_BACKEND;
    CHECK_MEM(&exit_, &said, sizeof said);
    CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED);
    memcpy(before, run, sizeof run);
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, &lab.out), SVMC_OK, "nothing yet");
    CHECK_MEM(run, before, sizeof run);
    CHECK(fakehost_prepare(lab.world.page, &honest));
    CHECK_EQ(honest.request.in[0], 0xa4a4a4a400000000u);
    CHECK_EQ(honest.request.in[1], 0, "no more than it has");
    for (unsigned i = 0; i < 4; i++)
        honest.reply.out[i] = i ? 0x1111111111111111u * i : 0;
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.data_bytes, 32);
    CHECK_EQ(svmc_kvm_complete(run, RET + 79, &lab.out), SVMC_ERR_MISMATCH, "R12 is not there");
    CHECK_MEM(run, before, sizeof run);
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, &lab.out), SVMC_OK);
    for (unsigned i = 0; i < 32; i++) /* R3 to R6 */
        before[RET + i] = (uint8_t)(0x11 * (i / 8));
    CHECK_MEM(run, before, sizeof run, "R7 to R12 are the guest's");
}

TEST(exit_kvm_ppc, what_is_not_delegated_is_no_function) /* EX-93 EX-69 */
{
    static const uint64_t numbers[] = { 0, 0x300, 0x3c, 0xf000, UINT64_MAX };

    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        start(numbers[i]);
        CHECK_EQ(lab.out.action, SVMC_ACT_RESUME);
        CHECK_EQ(lab.out.data_bytes, 8);
        memcpy(before, run, sizeof run);
        CHECK_EQ(svmc_kvm_complete(run, sizeof run, &lab.out), SVMC_OK);
        memcpy(before + RET, "\xfe\xff\xff\xff\xff\xff\xff\xff", 8); /* H_FUNCTION, -2 */
        CHECK_MEM(run, before, sizeof run);
    }
}

TEST(exit_kvm_ppc, a_refused_answer_reaches_nobody) /* EX-93 R10 R6 */
{
    start(LAB_PAPR);
    memcpy(before, run, sizeof run);
    for (unsigned lie = 0; lie < 4; lie++) {
        CHECK(fakehost_prepare(lab.world.page, &honest));
        if (lie == 0)
            honest.reply.out[0] = 19; /* no code */
        if (lie == 1)
            honest.reply.out_valid = 0x1f; /* R7, too */
        if (lie == 2)
            honest.reply.out_valid = 7;
        if (lie == 3)
            honest.reply.out[4] = 1;
        CHECK(fakehost_send(lab.world.page, &honest));
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY, "%u", lie);
        CHECK_EQ(lab.out.data_bytes, 0);
        CHECK_EQ(svmc_kvm_complete(run, sizeof run, &lab.out), SVMC_OK, "nothing");
        CHECK_MEM(run, before, sizeof run, "%u", lie);
    }
}

TEST(exit_kvm_ppc, results_are_whole_registers) /* EX-93 */
{
    struct svmc_outcome o = { .action = SVMC_ACT_RESUME };

    hypercall(0x54);
    memcpy(before, run, sizeof run);
    o.data = (const uint8_t *)"0123456789abcdef0123456789abcdef0123456789";
    for (unsigned bytes = 0; bytes < 42; bytes++) {
        bool fine = bytes == 8 || bytes == 16 || bytes == 24 || bytes == 32;

        o.data_bytes = bytes;
        CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), fine ? SVMC_OK : SVMC_ERR_MISMATCH, "%u",
                 bytes);
        if (fine)
            memcpy(before + RET, o.data, bytes);
        CHECK_MEM(run, before, sizeof run, "%u", bytes);
    }
    o.action = SVMC_ACT_INJECT;
    CHECK_EQ(svmc_kvm_complete(run, sizeof run, &o), SVMC_ERR_UNSUPPORTED);
    CHECK_MEM(run, before, sizeof run);
}

TEST(exit_kvm_ppc, other_reasons_and_events) /* EX-93 */
{
    for (unsigned reason = 0; reason < 64; reason++)
        for (unsigned type = 0; type < 8; type++) {
            bool ends = reason == 8 || (reason == 24 && type >= 1 && type <= 3);

            memset(run, 0, sizeof run);
            put(8, 4, reason);
            put(32, 4, type);
            if (reason == 6 || reason == 19)
                continue;
            CHECK_EQ(parse(), ends ? SVMC_OK : SVMC_ERR_UNSUPPORTED, "%u.%u", reason, type);
            CHECK_EQ(exit_.kind, ends ? SVMC_KIND_SHUTDOWN : 0, "%u.%u", reason, type);
        }
    CHECK_EQ(svmc_exit_from_kvm_ppc(NULL, sizeof run, &exit_), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_kvm_ppc(run, 119, &exit_), SVMC_ERR_ARG);
    CHECK_MEM(&exit_, &zero, sizeof zero);
    CHECK_EQ(svmc_exit_from_kvm_ppc(run, sizeof run, NULL), SVMC_ERR_ARG);
}
