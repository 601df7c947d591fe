/* SPDX-License-Identifier: MIT */
/* EX-62: struct kvm_run of s390x. Bytes by hand from the KVM ABI; offsets where its header is. */
#include <svmcore/exit_kvm.h>

#include "scenarios.h"

#if defined(__s390x__) && defined(__linux__)
#include <linux/kvm.h>
_Static_assert(offsetof(struct kvm_run, exit_reason) == 8, "the ABI we read by offset");
_Static_assert(offsetof(struct kvm_run, psw_mask) == 32, "psw_mask");
_Static_assert(offsetof(struct kvm_run, s390_sieic.icptcode) == 48, "s390_sieic.icptcode");
_Static_assert(offsetof(struct kvm_run, s390_sieic.ipa) == 50, "s390_sieic.ipa");
_Static_assert(offsetof(struct kvm_run, s390_sieic.ipb) == 52, "s390_sieic.ipb");
_Static_assert(offsetof(struct kvm_run, s390_reset_flags) == 48, "s390_reset_flags");
_Static_assert(offsetof(struct kvm_run, kvm_valid_regs) == 304, "kvm_valid_regs");
_Static_assert(offsetof(struct kvm_run, s.regs.gprs) == 328, "s.regs.gprs");
_Static_assert(KVM_EXIT_S390_SIEIC == 13 && KVM_EXIT_S390_RESET == 14, "reasons");
_Static_assert(KVM_SYNC_GPRS == 2, "registers");
_Static_assert(KVM_S390_RESET_POR == 1 && KVM_S390_RESET_CLEAR == 2, "flags");
_Static_assert(KVM_S390_RESET_SUBSYSTEM == 4 && KVM_S390_RESET_CPU_INIT == 8, "flags");
_Static_assert(KVM_S390_RESET_IPL == 16, "flags");
#endif

#define R(n) (SVMC_REG_S390_R0 + (n))

static uint8_t run[2368];
static struct svmc_exit exit_;
static const struct svmc_exit zero;

static void put(unsigned at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        run[at + i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

static void sieic(uint8_t code, uint16_t ipa, uint32_t ipb, uint64_t psw_mask)
{
    memset(run, 0, sizeof run);
    put(8, 4, 13);
    put(32, 8, psw_mask);
    put(48, 1, code);
    put(50, 2, ipa);
    put(52, 4, ipb);
    put(304, 8, 0x1fff);
    for (unsigned i = 0; i < 16; i++)
        put(328 + 8 * i, 8, 0x100 * i);
}

static void reset(uint64_t flags)
{
    memset(run, 0, sizeof run);
    put(8, 4, 14);
    put(48, 8, flags);
}

static enum svmc_status parse(void)
{
    enum svmc_status st;

    memset(&exit_, 0xee, sizeof exit_);
    st = svmc_exit_from_kvm_s390(run, sizeof run, &exit_);
    if (st != SVMC_OK)
        CHECK_MEM(&exit_, &zero, sizeof zero, "an error leaves nothing");
    return st;
}

TEST(exit_kvm_s390, interceptions) /* EX-62 */
{
    sieic(0x04, 0x8324, 0x05000000, 0); /* diag 2,4,0x500 */
    CHECK_EQ(parse(), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_DIAG_500);
    CHECK_EQ(exit_.isa, SVMC_ISA_S390X);
    CHECK_EQ(exit_.finish, SVMC_FINISH_REGS);
    CHECK_EQ(exit_.user, 0);
    sieic(0x04, 0x8302, 0x50000000, 0); /* diag 0,2,0(5): the code is in GR5 */
    CHECK_EQ(parse(), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_DIAG_500);
    sieic(0x04, 0xae1f, 0xf0030000, 0); /* sigp 1,15,3(15) */
    CHECK_EQ(parse(), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_SIGP);
    CHECK_EQ(exit_.arg[0], R(15));
    CHECK_EQ(exit_.value, 3);
    sieic(0x1c, 0, 0, 0x0002000180000000); /* a disabled wait, which KVM hands on */
    CHECK_EQ(parse(), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_SHUTDOWN);
    sieic(0x04, 0xb2b0, 0x10000000, 0x0001000000000000); /* stfle, problem state */
    CHECK_EQ(parse(), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_UNKNOWN);
    CHECK_EQ(exit_.user, 1);
}

TEST(exit_kvm_s390, a_reset_is_diagnose_308) /* EX-62 */
{
    for (uint64_t flags = 0; flags < 64; flags++) {
        bool good = flags == 28 || flags == 30;

        reset(flags);
        CHECK_EQ(parse(), good ? SVMC_OK : SVMC_ERR_MISMATCH, "flags %u", (unsigned)flags);
        CHECK_EQ(exit_.kind, good ? SVMC_KIND_DIAG_308 : 0);
        CHECK_EQ(exit_.value, good ? (flags == 30 ? 3 : 4) : 0);
    }
    reset((uint64_t)1 << 63 | 28);
    CHECK_EQ(parse(), SVMC_ERR_MISMATCH);
}

TEST(exit_kvm_s390, the_rest_is_refused) /* EX-62 */
{
    for (unsigned reason = 0; reason < 64; reason++) {
        sieic(0x04, 0xb230, 0, 0);
        put(8, 4, reason);
        CHECK_EQ(parse(),
                 reason == 13   ? SVMC_OK
                 : reason == 14 ? SVMC_ERR_MISMATCH
                                : SVMC_ERR_UNSUPPORTED,
                 "%u", reason);
    }
    sieic(0x04, 0xb230, 0, 0);
    put(304, 8, ~(uint64_t)2);
    CHECK_EQ(parse(), SVMC_ERR_MISMATCH, "without general registers");
    sieic(0x68, 0xb230, 0, 0);
    CHECK_EQ(parse(), SVMC_ERR_UNSUPPORTED, "a protected guest");
    sieic(0x04, 0x1812, 0, 0);
    CHECK_EQ(parse(), SVMC_ERR_MISMATCH, "lr 1,2");
    CHECK_EQ(svmc_exit_from_kvm_s390(NULL, sizeof run, &exit_), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_kvm_s390(run, 455, &exit_), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_kvm_s390(run, sizeof run, NULL), SVMC_ERR_ARG);
}
