/* SPDX-License-Identifier: MIT */
/** KVM_EXIT_ARM_NISV on a vCPU that is none, with registers as arm64 numbers them. */
#include <svmcore/port/kvm_finish_a64.h>

#include "../../harness.h"
#include "fake_vcpu.h"

/* The kernel's numbers, from the headers of arm64 (asm/kvm.h): struct kvm_regs in 32-bit words. */
#define CORE_X(n)  (0x6030000000100000u + 2 * (n))
#define CORE_SP    CORE_X(31)
#define CORE_PC    CORE_X(32)
#define CORE_STATE CORE_X(33)
#define SP_EL1     0x6030000000100044u
#define ELR_EL1    0x6030000000100046u
#define SPSR_EL1   0x6030000000100048u
#define VECTOR_0   0x6040000000100054u
#define SCTLR_EL1  0x603000000013c080u
#define CPACR_EL1  0x603000000013c082u
#define ESR_EL1    0x603000000013c290u
#define FAR_EL1    0x603000000013c300u
#define VBAR_EL1   0x603000000013c600u

#define CODE   0x8000u
#define DATA   0x9000u
#define DEVICE 0x10000000u
#define WNR    0x40u
#define EL0    0u
#define EL1H   5u
#define DAIF   0x3c0u

#define LDP      0xa9400c22u /* x2, x3, [x1] */
#define STP_PRE  0xa9810c22u /* x2, x3, [x1, #16]! */
#define STR_POST 0xb8004422u /* w2, [x1], #4 */
#define LDR_Q    0x3dc00020u /* q0, [x1] */
#define STR_Q    0x3d800020u
#define LDADDAL  0xf8e20023u /* x2, x3, [x1] */
#define LDRSB    0x39800022u /* x2, [x1] */
#define ADD      0x8b020020u /* x0, x1, x2 */

static struct fake_lab lab;
static struct svmc_kvm_finish_a64 f;
static struct svmc_kvm_finished out;

static uint64_t get(uint64_t id)
{
    uint64_t value;

    memcpy(&value, fake_one_reg(&lab, id)->bytes, sizeof value);
    return value;
}

static void set(uint64_t id, uint64_t value)
{
    memcpy(fake_one_reg(&lab, id)->bytes, &value, sizeof value);
}

/* At EL1, MMU off, with this word at PC and X1 at a device; the exit has this syndrome. */
static bool prepare(uint32_t word, bool callbacks, uint64_t iss)
{
    const struct svmc_kvm_finish_ops *ops = fake_bare(&lab, callbacks);

    for (unsigned i = 0; i < 4; i++)
        lab.memory[CODE + i] = (uint8_t)(word >> 8 * i);
    for (unsigned i = 0; i < 31; i++)
        set(CORE_X(i), 0x1000 + i);
    set(CORE_X(1), DEVICE + 0x20);
    set(CORE_PC, CODE);
    set(CORE_STATE, EL1H);
    set(CPACR_EL1, 3 << 20);
    set(VBAR_EL1, 0xa000);
    lab.run.run.exit_reason = KVM_EXIT_ARM_NISV;
    lab.run.run.arm_nisv.esr_iss = iss;
    lab.run.run.arm_nisv.fault_ipa = DEVICE + 0x20;
    return CHECK_EQ(svmc_kvm_finish_a64_open(&f, FAKE_VCPU, &lab.run, ops, &lab, 4), SVMC_OK);
}

TEST(kvm_finish_a64, a_pair_is_two_exits) /* KV-30 KV-32 */
{
    struct kvm_run *run = &lab.run.run;

    REQUIRE(prepare(LDP, false, 5));
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(svmc_kvm_finish_a64_exit(&f, &out), SVMC_OK);
        CHECK_EQ(out.action, SVMC_EXEC_PENDING);
        CHECK(svmc_kvm_finish_a64_waits(&f));
        CHECK_EQ(run->exit_reason, KVM_EXIT_MMIO);
        CHECK_EQ(run->mmio.phys_addr, DEVICE + 0x20 + 8 * i);
        CHECK(run->mmio.len == 8 && !run->mmio.is_write);
        CHECK_EQ(lab.sets, 0);
        memset(run->mmio.data, 0x11 * ((int)i + 1), 8);
    }
    CHECK_EQ(svmc_kvm_finish_a64_exit(&f, &out), SVMC_OK);
    CHECK_EQ(out.action, SVMC_EXEC_DONE);
    CHECK_EQ(get(CORE_X(2)), 0x1111111111111111);
    CHECK_EQ(get(CORE_X(3)), 0x2222222222222222);
    CHECK_EQ(get(CORE_PC), CODE + 4);
    CHECK_EQ(lab.sets, 3); /* nothing else was touched */
    CHECK(!svmc_kvm_finish_a64_waits(&f));
}

TEST(kvm_finish_a64, write_back_and_sign) /* KV-30 KV-34 */
{
    REQUIRE(prepare(STR_POST, true, WNR | 5)); /* virtio-win/kvm-guest-drivers-windows #177 */
    CHECK_EQ(svmc_kvm_finish_a64_exit(&f, &out), SVMC_OK);
    CHECK_EQ(out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab.writes, 1);
    CHECK_EQ(get(CORE_X(1)), DEVICE + 0x24);
    REQUIRE(prepare(STP_PRE, true, WNR | 5));
    CHECK_EQ(svmc_kvm_finish_a64_exit(&f, &out), SVMC_OK);
    CHECK_EQ(lab.writes, 2);
    CHECK_EQ(get(CORE_X(1)), DEVICE + 0x30);
    REQUIRE(prepare(LDRSB, false, 5));
    CHECK_EQ(svmc_kvm_finish_a64_exit(&f, &out), SVMC_OK);
    lab.run.run.mmio.data[0] = 0x80;
    CHECK_EQ(svmc_kvm_finish_a64_exit(&f, &out), SVMC_OK);
    CHECK_EQ(get(CORE_X(2)), 0xffffffffffffff80);
}

TEST(kvm_finish_a64, vector_registers) /* KV-33 */
{
    static const uint8_t want[16] = { 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41,
                                      0x49, 0x49, 0x49, 0x49, 0x49, 0x49, 0x49, 0x49 };

    REQUIRE(prepare(LDR_Q, true, 5));
    set(CORE_X(1), DEVICE + 0x40);
    CHECK_EQ(svmc_kvm_finish_a64_exit(&f, &out), SVMC_OK);
    CHECK_EQ(out.action, SVMC_EXEC_DONE);
    CHECK_MEM(fake_one_reg(&lab, VECTOR_0)->bytes, want, 16);
    REQUIRE(prepare(STR_Q, true, WNR | 5));
    set(CORE_X(1), DATA);
    memcpy(fake_one_reg(&lab, VECTOR_0)->bytes, want, 16);
    CHECK_EQ(svmc_kvm_finish_a64_exit(&f, &out), SVMC_OK);
    CHECK_MEM(lab.memory + DATA, want, 16);
}

TEST(kvm_finish_a64, an_atomic_of_memory_is_one) /* KV-33 */
{
    REQUIRE(prepare(LDADDAL, true, 5));
    set(CORE_X(1), DATA + 8);
    lab.memory[DATA + 8] = 7;
    CHECK_EQ(svmc_kvm_finish_a64_exit(&f, &out), SVMC_OK);
    CHECK_EQ(out.action, SVMC_EXEC_DONE);
    CHECK_EQ(get(CORE_X(3)), 7);
    CHECK_EQ(lab.memory[DATA + 8], 0x09);
    CHECK_EQ(lab.memory[DATA + 9], 0x10);
}

TEST(kvm_finish_a64, what_was_exchanged_for_it_is_not_executed) /* KV-31 */
{
    REQUIRE(prepare(LDP, true, WNR | 5)); /* what trapped was a store */
    CHECK_EQ(svmc_kvm_finish_a64_exit(&f, &out), SVMC_OK);
    CHECK_EQ(out.action, SVMC_EXEC_AGAIN);
    REQUIRE(prepare(ADD, true, 5)); /* and this none at all */
    CHECK_EQ(svmc_kvm_finish_a64_exit(&f, &out), SVMC_OK);
    CHECK_EQ(out.action, SVMC_EXEC_AGAIN);
    CHECK(lab.reads + lab.writes + lab.sets == 0);
    CHECK_EQ(get(CORE_PC), CODE);
}

TEST(kvm_finish_a64, an_abort_is_taken_to_el1) /* KV-35 */
{
    static const struct {
        uint32_t state, class, at;
    } rows[] = { { EL1H, 0x25, 0x200 }, { 4, 0x25, 0 }, { EL0, 0x24, 0x400 } };

    for (unsigned i = 0; i < 3; i++) {
        REQUIRE(prepare(LDP, true, 5));
        set(CORE_STATE, 0xf0000000 | rows[i].state);
        lab.device = SVMC_ERR_REFUSED; /* nothing answers there */
        CHECK_EQ(svmc_kvm_finish_a64_exit(&f, &out), SVMC_OK);
        CHECK_EQ(out.action, SVMC_EXEC_FAULT);
        CHECK_EQ(get(ESR_EL1), (uint64_t)rows[i].class << 26 | 1 << 25 | 0x10, "%u", i);
        CHECK_EQ(get(FAR_EL1), DEVICE + 0x20);
        CHECK_EQ(get(ELR_EL1), CODE);
        CHECK_EQ(get(SPSR_EL1), 0xf0000000 | rows[i].state);
        CHECK_EQ(get(CORE_PC), 0xa000 + rows[i].at);
        CHECK_EQ(get(CORE_STATE), 0xf0400000 | DAIF | EL1H); /* SCTLR.SPAN is 0: PAN */
        CHECK_EQ(get(CORE_X(2)), 0x1002);
    }
}

TEST(kvm_finish_a64, a_device_that_fails_is_named) /* KV-27 KV-34 */
{
    for (unsigned i = 0; i < 2; i++) {
        REQUIRE(prepare(i == 0 ? LDP : STP_PRE, true, i == 0 ? 5 : WNR | 5));
        lab.device = SVMC_ERR_STATE;
        CHECK_EQ(svmc_kvm_finish_a64_exit(&f, &out), SVMC_ERR_CALLBACK, "%u", i);
        CHECK_EQ(out.action, SVMC_EXEC_NONE, "%u", i);
        CHECK_EQ(out.exec.callback, i == 0 ? SVMC_EXEC_READ : SVMC_EXEC_WRITE, "%u", i);
        CHECK_EQ(out.exec.callback_status, SVMC_ERR_STATE, "%u", i);
        CHECK_EQ(get(CORE_PC), CODE, "%u", i);
        CHECK_EQ(lab.sets, 0, "%u", i);
    }
}

TEST(kvm_finish_a64, what_is_not_its_exit_is_left_alone) /* KV-30 KV-32 */
{
    REQUIRE(prepare(LDP, true, 5));
    set(CORE_STATE, 0x13); /* AArch32: the Xvisor case */
    CHECK_EQ(svmc_kvm_finish_a64_exit(&f, &out), SVMC_ERR_UNSUPPORTED);
    set(CORE_STATE, 9); /* EL2 */
    CHECK_EQ(svmc_kvm_finish_a64_exit(&f, &out), SVMC_ERR_UNSUPPORTED);
    lab.run.run.exit_reason = KVM_EXIT_MMIO;
    CHECK_EQ(svmc_kvm_finish_a64_exit(&f, &out), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(svmc_kvm_finish_a64_exit(NULL, &out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_finish_a64_exit(&f, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_finish_a64_open(NULL, 0, &lab.run, NULL, NULL, 4), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_finish_a64_open(&f, 0, NULL, NULL, NULL, 4), SVMC_ERR_ARG);
    CHECK_EQ(svmc_kvm_finish_a64_open(&f, 0, &lab.run, NULL, NULL, 4), SVMC_ERR_ARG);
    svmc_kvm_finish_a64_drop(NULL);
    CHECK_EQ(svmc_kvm_finish_a64_waits(NULL), 0);
}

TEST(kvm_finish_a64, every_call_of_kvm_may_fail) /* KV-34 */
{
    static struct fake_one_reg before[FAKE_ONE_REGS], after[FAKE_ONE_REGS];
    static const uint32_t words[] = { LDP, STP_PRE, LDR_Q };
    unsigned accesses, calls, opened;

    for (unsigned i = 0; i < 3; i++) {
        const uint64_t iss = i == 1 ? WNR | 5 : 5;

        REQUIRE(prepare(words[i], true, iss));
        opened = lab.calls;
        CHECK_EQ(svmc_kvm_finish_a64_exit(&f, &out), SVMC_OK);
        memcpy(after, lab.one, sizeof after);
        accesses = lab.reads + lab.writes;
        calls = lab.calls;
        for (unsigned k = opened + 1; k <= calls; k++) {
            REQUIRE(prepare(words[i], true, iss));
            lab.fail_at = k;
            memcpy(before, lab.one, sizeof before);
            CHECK_EQ(svmc_kvm_finish_a64_exit(&f, &out), SVMC_ERR_CALLBACK, "%u, %u", i, k);
            for (unsigned r = 0; r < FAKE_ONE_REGS; r++) /* what it has not seen yet is 0 */
                CHECK(before[r].id == 0 ||
                          memcmp(before[r].bytes, lab.one[r].bytes, sizeof before[r].bytes) == 0,
                      "%u, %u: %" PRIx64, i, k, before[r].id);
            CHECK_EQ(svmc_kvm_finish_a64_exit(&f, &out), SVMC_OK, "%u, %u", i, k);
            for (unsigned r = 0; r < FAKE_ONE_REGS; r++)
                CHECK_MEM(after[r].bytes, fake_one_reg(&lab, after[r].id)->bytes, 16);
            CHECK_EQ(lab.reads + lab.writes, accesses, "%u, %u: twice", i, k);
        }
    }
}

TEST(kvm_finish_a64, nothing_of_the_guest_stays) /* KV-36 */
{
    const uint64_t secret = 0x5ec2e70011223344;
    uint64_t at;

    REQUIRE(prepare(LDP, true, 5));
    set(CORE_X(20), secret);
    CHECK_EQ(svmc_kvm_finish_a64_exit(&f, &out), SVMC_OK);
    for (size_t i = 0; i + sizeof at <= sizeof f; i++) {
        memcpy(&at, (const uint8_t *)&f + i, sizeof at);
        REQUIRE(at != secret, "%zu", i);
    }
}
