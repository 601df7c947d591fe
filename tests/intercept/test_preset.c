/* SPDX-License-Identifier: MIT */
/* docs/spec/policy.md: the ready-made policies, seen through a vCPU. */
#include "scenarios.h"

static struct lab lab;

static void start(enum svmc_preset preset)
{
    uint64_t rng = 3;

    world_init(&lab.world, &rng);
    CHECK_EQ(svmc_policy_preset(&lab.policy, preset, LAB_REFUSALS, LAB_RETRIES), SVMC_OK);
    CHECK_EQ(lab.policy.priv.sealed, 0, "open");
    CHECK_EQ(svmc_policy_seal(&lab.policy), SVMC_OK);
    CHECK_EQ(svmc_vcpu_init(&lab.vc, &world_ops, &lab.world, &lab.policy, lab.world.page, 7),
             SVMC_OK);
}

static enum svmc_action act(uint16_t kind, uint32_t size, uint64_t address)
{
    bool a64 = kind == SVMC_KIND_SYSREG_READ || kind == SVMC_KIND_SYSREG_WRITE;
    const struct svmc_exit exit = { .kind = kind,
                                    .size = size,
                                    .count = 1,
                                    .address = address,
                                    .isa = a64 ? SVMC_ISA_A64 : SVMC_ISA_NONE };

    svmc_vcpu_cancel(&lab.vc);
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit, &lab.out), SVMC_OK);
    return (enum svmc_action)lab.out.action;
}

TEST(preset, secure_is_a_pc_without_devices) /* PO-8 */
{
    static const uint32_t readable[] = {
        0x17,       0x2a,       0x8b,       0xc0010010, 0xc001001f,
        0xc0010055, 0xc0010058, 0xc0011022, 0xc001102a, 0xc001102c
    };
    static const uint8_t ones[8] = { 255, 255, 255, 255, 255, 255, 255, 255 };
    unsigned msrs = 0;

    start(SVMC_PRESET_SECURE);
    CHECK_EQ(lab.policy.priv.mode, SVMC_MODE_STRICT);
    for (uint32_t port = 0; port < 65536; port += port % 256 == 255 ? 1 : 51) {
        CHECK_EQ(act(SVMC_KIND_IN, 1, port), SVMC_ACT_RESUME, "%x", (unsigned)port);
        REQUIRE(lab.out.data_bytes == 1);
        CHECK_EQ(lab.out.data[0], 0xff);
        CHECK_EQ(act(SVMC_KIND_OUT, 1, port), SVMC_ACT_RESUME, "%x", (unsigned)port);
    }
    for (uint32_t msr = 0; msr < 0x2000; msr++)
        for (unsigned range = 0; range < 4; range++) {
            const uint32_t first[] = { 0, 0xc0000000, 0xc0010000, 0x40000000 };
            bool listed = false;

            for (unsigned i = 0; i < sizeof readable / sizeof readable[0]; i++)
                listed = listed || readable[i] == first[range] + msr;
            msrs += listed;
            CHECK_EQ(act(SVMC_KIND_RDMSR, 0, first[range] + msr),
                     listed ? SVMC_ACT_RESUME : SVMC_ACT_INJECT, "%x", first[range] + msr);
        }
    CHECK_EQ(msrs, sizeof readable / sizeof readable[0]);
    CHECK_EQ(act(SVMC_KIND_WRMSR, 0, 0x8b), SVMC_ACT_RESUME);
    CHECK_EQ(act(SVMC_KIND_WRMSR, 0, 0xc0010010), SVMC_ACT_INJECT);
    CHECK_EQ(act(SVMC_KIND_MMIO_READ, 8, 0xa0000), SVMC_ACT_RESUME);
    REQUIRE(lab.out.data_bytes == 8);
    CHECK_MEM(lab.out.data, ones, 8);
    CHECK_EQ(act(SVMC_KIND_MMIO_WRITE, 1, 0xfffff), SVMC_ACT_RESUME);
    CHECK_EQ(act(SVMC_KIND_MMIO_READ, 1, 0x100000), SVMC_ACT_INJECT);
    CHECK_EQ(act(SVMC_KIND_MMIO_READ, 1, 0x9ffff), SVMC_ACT_INJECT);
    CHECK_EQ(lab.vc.priv.seq_count, 0, "the host learned nothing");
    CHECK_EQ(lab.vc.priv.stats.bytes_shown, 0);
}

TEST(preset, observe_and_open_delegate_all_but_hypercalls) /* PO-9 */
{
    for (uint32_t preset = SVMC_PRESET_OBSERVE; preset <= SVMC_PRESET_OPEN; preset++) {
        start((enum svmc_preset)preset);
        CHECK_EQ(lab.policy.priv.mode,
                 preset == SVMC_PRESET_OPEN ? SVMC_MODE_LENIENT : SVMC_MODE_OBSERVE);
        CHECK_EQ(lab.policy.priv.doorbell, 0);
        for (uint32_t port = 0; port < 65536; port += 255) {
            CHECK_EQ(act(SVMC_KIND_IN, 1, port), SVMC_ACT_DELEGATED, "%x", (unsigned)port);
            CHECK_EQ(act(SVMC_KIND_OUT, 1, port), SVMC_ACT_DELEGATED, "%x", (unsigned)port);
        }
        for (uint32_t reg = 0x8000; reg < 0x10000; reg++)
            CHECK_EQ(act(reg & 1 ? SVMC_KIND_SYSREG_READ : SVMC_KIND_SYSREG_WRITE, 8, reg),
                     SVMC_ACT_DELEGATED);
        for (uint32_t msr = 0; msr < 0x2000; msr++) {
            CHECK_EQ(act(SVMC_KIND_RDMSR, 0, msr), SVMC_ACT_DELEGATED);
            CHECK_EQ(act(SVMC_KIND_WRMSR, 0, 0xc0000000 + msr), SVMC_ACT_DELEGATED);
            CHECK_EQ(act(SVMC_KIND_RDMSR, 0, 0xc0010000 + msr), SVMC_ACT_DELEGATED);
            CHECK_EQ(act(SVMC_KIND_WRMSR, 0, 0x40000000 + msr),
                     msr < 256 ? SVMC_ACT_DELEGATED : SVMC_ACT_INJECT);
        }
        CHECK_EQ(act(SVMC_KIND_MMIO_READ, 8, 0), SVMC_ACT_DELEGATED);
        CHECK_EQ(act(SVMC_KIND_MMIO_WRITE, 1, (UINT64_C(1) << 52) - 1), SVMC_ACT_DELEGATED);
        for (unsigned n = 0; n < SVMC_POLICY_HCALLS; n++)
            CHECK_EQ(lab.policy.priv.hcalls[n].verdict, SVMC_VERDICT_FAULT);
    }
}

TEST(preset, nonsense_leaves_no_policy) /* PO-8 PO-9 */
{
    static const struct svmc_policy zero;

    CHECK_EQ(svmc_policy_preset(NULL, SVMC_PRESET_SECURE, 1, 1), SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_preset(&lab.policy, (enum svmc_preset)3, 1, 1), SVMC_ERR_ARG);
    CHECK_MEM(&lab.policy, &zero, sizeof zero);
    CHECK_EQ(svmc_policy_preset(&lab.policy, SVMC_PRESET_OPEN, 0, 1), SVMC_ERR_ARG);
    CHECK_MEM(&lab.policy, &zero, sizeof zero);
}

TEST(preset, a_device_goes_on_top) /* PO-8 */
{
    uint64_t rng = 3;

    start(SVMC_PRESET_SECURE);
    CHECK_EQ(svmc_policy_preset(&lab.policy, SVMC_PRESET_SECURE, 9, 9), SVMC_OK);
    CHECK_EQ(svmc_policy_set_ports(&lab.policy, 0x3f8, 8, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE),
             SVMC_OK);
    CHECK_EQ(svmc_policy_add_window(&lab.policy, (svmc_gpa){ 0xfe000000 }, 4096, SVMC_ACCESS_RW,
                                    SVMC_VERDICT_DELEGATE),
             SVMC_OK);
    CHECK_EQ(svmc_policy_seal(&lab.policy), SVMC_OK);
    world_init(&lab.world, &rng);
    CHECK_EQ(svmc_vcpu_init(&lab.vc, &world_ops, &lab.world, &lab.policy, lab.world.page, 7),
             SVMC_OK);
    CHECK_EQ(act(SVMC_KIND_OUT, 1, 0x3f8), SVMC_ACT_DELEGATED);
    CHECK_EQ(act(SVMC_KIND_OUT, 1, 0x400), SVMC_ACT_RESUME);
    CHECK_EQ(act(SVMC_KIND_MMIO_READ, 4, 0xfe000000), SVMC_ACT_DELEGATED);
}
