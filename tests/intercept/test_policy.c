/* SPDX-License-Identifier: MIT */
/* docs/spec/exit.md: who answers what, and that nothing loosens it. */
#include <svmcore/guest/hypercall.h>

#include "../../src/intercept/intercept_private.h"
#include "scenarios.h"

static struct lab lab;
static struct svmc_policy policy;

static enum svmc_action judge(struct svmc_exit exit)
{
    exit.count = 1;
    if (lab.vc.priv.pending.active)
        svmc_vcpu_cancel(&lab.vc);
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit, &lab.out), SVMC_OK);
    return (enum svmc_action)lab.out.action;
}

static void fresh(void)
{
    uint64_t rng = 11;

    lab_init(&lab, &rng);
}

TEST(policy, what_is_not_listed_is_a_fault) /* EX-4 */
{
    fresh();
    CHECK_EQ(judge((struct svmc_exit){ .kind = SVMC_KIND_IN, .size = 1, .address = 0x5f }),
             SVMC_ACT_INJECT);
    CHECK_EQ(lab.out.fault.vector, 13);
    CHECK_EQ(judge((struct svmc_exit){ .kind = SVMC_KIND_IN, .size = 1, .address = 0x60 }),
             SVMC_ACT_DELEGATED);
    CHECK_EQ(judge((struct svmc_exit){ .kind = SVMC_KIND_RDMSR, .address = LAB_MSR + 1 }),
             SVMC_ACT_INJECT);
    CHECK_EQ(judge((struct svmc_exit){ .kind = SVMC_KIND_RDMSR, .address = 0x12345678 }),
             SVMC_ACT_INJECT, "no MSR page");
    CHECK_EQ(
        judge((struct svmc_exit){ .kind = SVMC_KIND_MMIO_READ, .size = 4, .address = 0xfdfffffc }),
        SVMC_ACT_INJECT);
    CHECK_EQ(
        judge((struct svmc_exit){ .kind = SVMC_KIND_MMIO_READ, .size = 4, .address = 0xfe000ffc }),
        SVMC_ACT_DELEGATED, "the last word of the window");
    CHECK_EQ(judge((struct svmc_exit){ .kind = 0x7777 }), SVMC_ACT_INJECT);
    CHECK_EQ(lab.out.fault.vector, 6, "no row: #UD");
    CHECK_EQ(judge((struct svmc_exit){ .kind = SVMC_KIND_UNKNOWN }), SVMC_ACT_INJECT);
}

TEST(policy, an_access_over_two_verdicts_is_a_fault) /* EX-5 */
{
    fresh();
    CHECK_EQ(judge((struct svmc_exit){ .kind = SVMC_KIND_IN, .size = 4, .address = 0x60 }),
             SVMC_ACT_DELEGATED);
    CHECK_EQ(judge((struct svmc_exit){ .kind = SVMC_KIND_IN, .size = 4, .address = 0x61 }),
             SVMC_ACT_INJECT);
    CHECK_EQ(judge((struct svmc_exit){ .kind = SVMC_KIND_IN, .size = 4, .address = 0xfffe }),
             SVMC_ACT_INJECT, "wraps");
}

/* EX-5, every size at random ports and at both ends, beside what is said port by port. */
TEST(policy, every_port_of_an_access_is_asked)
{
    static struct svmc_policy ports;
    static enum svmc_verdict said[SVMC_POLICY_PORTS];
    uint64_t rng = 5;

    CHECK_EQ(svmc_policy_init(&ports, 1, 1), SVMC_OK);
    for (unsigned i = 0; i < SVMC_POLICY_PORTS; i++) { /* often as the one before */
        if (i < 4 || i >= SVMC_POLICY_PORTS - 4)       /* as it would be if ports wrapped */
            said[i] = SVMC_VERDICT_DELEGATE;
        else if (harness_random(&rng) % 4 != 0)
            said[i] = said[i - 1];
        else
            said[i] = (enum svmc_verdict)(harness_random(&rng) % (SVMC_VERDICT_TERMINATE + 1));
        CHECK_EQ(svmc_policy_set_ports(&ports, i, 1, SVMC_ACCESS_READ, said[i]), SVMC_OK);
    }
    for (unsigned i = 0; i < SVMC_POLICY_PORTS + 4; i++)
        for (unsigned size = 1; size <= 4; size *= 2) {
            struct svmc_exit e = {
                .kind = SVMC_KIND_IN, .count = 1, .size = (uint16_t)size, .address = i
            };
            enum svmc_verdict want = i < SVMC_POLICY_PORTS ? said[i] : SVMC_VERDICT_FAULT;

            for (unsigned k = 1; k < size; k++)
                if (i + k >= SVMC_POLICY_PORTS || said[i + k] != want)
                    want = SVMC_VERDICT_FAULT;
            CHECK_EQ(svmc_intercept_judge(&ports, svmc_intercept_rule(e.kind), &e), want,
                     "port %u, %u bytes", i, size);
        }
}

TEST(policy, const_reads_as_an_empty_bus)
{
    uint64_t rng = 1;

    fresh();
    CHECK_EQ(svmc_policy_init(&policy, 1, 1), SVMC_OK);
    CHECK_EQ(svmc_policy_set_ports(&policy, 0, 65536, SVMC_ACCESS_RW, SVMC_VERDICT_CONST), SVMC_OK);
    CHECK_EQ(svmc_policy_set_msrs(&policy, 0xc0000000, 8192, SVMC_ACCESS_RW, SVMC_VERDICT_CONST),
             SVMC_OK);
    CHECK_EQ(svmc_policy_seal(&policy), SVMC_OK);
    world_init(&lab.world, &rng);
    CHECK_EQ(svmc_vcpu_init(&lab.vc, &world_ops, &lab.world, &policy, lab.world.page, 0), SVMC_OK);
    CHECK_EQ(judge((struct svmc_exit){ .kind = SVMC_KIND_IN, .size = 2, .address = 0xffff - 1 }),
             SVMC_ACT_RESUME);
    REQUIRE(lab.out.data_bytes == 2);
    CHECK_MEM(lab.out.data, "\xff\xff", 2);
    CHECK_EQ(judge((struct svmc_exit){ .kind = SVMC_KIND_RDMSR, .address = 0xc0001fff }),
             SVMC_ACT_RESUME);
    REQUIRE(lab.out.data_bytes == 8);
    CHECK_MEM(lab.out.data, "\0\0\0\0\0\0\0\0", 8);
    CHECK_EQ(judge((struct svmc_exit){ .kind = SVMC_KIND_OUT, .size = 1, .address = 1 }),
             SVMC_ACT_RESUME, "ignored");
    CHECK_EQ(lab.out.data_bytes, 0);
    CHECK_EQ(lab.vc.priv.seq_count, 0, "the host learned nothing");
}

TEST(policy, system_registers_have_an_entry_each) /* EX-52 EX-1 */
{
    struct svmc_exit e = { .kind = SVMC_KIND_SYSREG_READ,
                           .size = 8,
                           .isa = SVMC_ISA_A64,
                           .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                           .insn_bytes = 4,
                           .dest_reg = SVMC_REG_X0 + 3,
                           .dest_bytes = 8,
                           .count = 1 };
    static const uint64_t other[] = { 0xbfff, 0xc040, 0x8000, 0x1c020, 0x10000c000 };
    uint64_t rng = 1;

    fresh();
    CHECK_EQ(svmc_policy_init(&policy, 1, 1), SVMC_OK);
    CHECK_EQ(svmc_policy_set_sysregs(&policy, SVMC_SYSREG(3, 0, 0, 0, 0), 64, SVMC_ACCESS_RW,
                                     SVMC_VERDICT_CONST),
             SVMC_OK);
    CHECK_EQ(svmc_policy_set_sysregs(&policy, 0xffff, 1, SVMC_ACCESS_READ, SVMC_VERDICT_TERMINATE),
             SVMC_OK);
    CHECK_EQ(svmc_policy_seal(&policy), SVMC_OK);
    world_init(&lab.world, &rng);
    CHECK_EQ(svmc_vcpu_init(&lab.vc, &world_ops, &lab.world, &policy, lab.world.page, 0), SVMC_OK);
    e.address = 0xc03f;
    CHECK_EQ(judge(e), SVMC_ACT_RESUME);
    CHECK_EQ(lab.world.reg[SVMC_REG_X0 + 3], 0, "reads as 0");
    e.kind = SVMC_KIND_SYSREG_WRITE;
    CHECK_EQ(judge(e), SVMC_ACT_RESUME, "ignored");
    CHECK_EQ(lab.vc.priv.seq_count, 0, "the host learned nothing");
    for (unsigned i = 0; i < sizeof other / sizeof other[0]; i++) {
        e.address = other[i];
        CHECK_EQ(judge(e), SVMC_ACT_INJECT, "%u", i);
        CHECK_EQ(lab.out.fault.vector, 0, "UNDEF: EC 0");
    }
    e.address = 0x7fff;
    CHECK_EQ(judge(e), SVMC_ACT_INJECT, "an instruction, no register");
    e.address = 0xffff;
    CHECK_EQ(judge(e), SVMC_ACT_INJECT, "writes have their own half");
    e.kind = SVMC_KIND_SYSREG_READ;
    e.size = 4;
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG);
    e.size = 8;
    CHECK_EQ(judge(e), SVMC_ACT_STOP);
}

TEST(policy, terminate_stops)
{
    fresh();
    CHECK_EQ(svmc_policy_set_ports(&lab.policy, 0x60, 1, SVMC_ACCESS_WRITE, SVMC_VERDICT_TERMINATE),
             SVMC_OK, "tightening a sealed policy");
    CHECK_EQ(judge((struct svmc_exit){ .kind = SVMC_KIND_IN, .size = 1, .address = 0x60 }),
             SVMC_ACT_DELEGATED, "reads are as before");
    CHECK_EQ(judge((struct svmc_exit){ .kind = SVMC_KIND_OUT, .size = 1, .address = 0x60 }),
             SVMC_ACT_STOP);
    CHECK_EQ(lab.out.stop, SVMC_STOP_POLICY);
    CHECK_EQ(lab_exit(&lab, 0), SVMC_ERR_STATE);
}

TEST(policy, sealed_is_never_loosened) /* EX-8 */
{
    fresh();
    CHECK_EQ(svmc_policy_set_ports(&lab.policy, 0, 1, SVMC_ACCESS_READ, SVMC_VERDICT_DELEGATE),
             SVMC_ERR_STATE);
    CHECK_EQ(svmc_policy_set_ports(&lab.policy, 0, 1, SVMC_ACCESS_READ, SVMC_VERDICT_CONST),
             SVMC_ERR_STATE);
    CHECK_EQ(svmc_policy_set_msrs(&lab.policy, 0, 1, SVMC_ACCESS_READ, SVMC_VERDICT_DELEGATE),
             SVMC_ERR_STATE);
    CHECK_EQ(svmc_policy_set_sysregs(&lab.policy, 0x8000, 1, SVMC_ACCESS_READ, SVMC_VERDICT_CONST),
             SVMC_ERR_STATE);
    CHECK_EQ(svmc_policy_set_hcall(&lab.policy, 9, 0, 0), SVMC_ERR_STATE);
    CHECK_EQ(svmc_policy_set_doorbell(&lab.policy, 1), SVMC_ERR_STATE);
    CHECK_EQ(svmc_policy_add_window(&lab.policy, (svmc_gpa){ 0 }, 1, SVMC_ACCESS_READ,
                                    SVMC_VERDICT_DELEGATE),
             SVMC_ERR_STATE);
    CHECK_EQ(svmc_policy_set_ports(&lab.policy, 0x61, 1, SVMC_ACCESS_READ, SVMC_VERDICT_TERMINATE),
             SVMC_OK);
    CHECK_EQ(svmc_policy_set_ports(&lab.policy, 0x61, 1, SVMC_ACCESS_READ, SVMC_VERDICT_FAULT),
             SVMC_OK, "taken, but TERMINATE is tighter and stays");
    CHECK_EQ(judge((struct svmc_exit){ .kind = SVMC_KIND_IN, .size = 1, .address = 0x61 }),
             SVMC_ACT_STOP);
}

TEST(policy, setters_refuse_nonsense_and_change_nothing)
{
    struct svmc_policy before;
    const svmc_gpa top = { UINT64_MAX };

    CHECK_EQ(svmc_policy_init(NULL, 1, 1), SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_init(&policy, 0, 1), SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_seal(&policy), SVMC_ERR_ARG, "never initialised");
    CHECK_EQ(svmc_policy_init(&policy, 1, 1), SVMC_OK);
    before = policy;
#define REFUSED(call) CHECK_EQ(call, SVMC_ERR_ARG)
    REFUSED(svmc_policy_set_ports(&policy, 0, 65537, SVMC_ACCESS_READ, SVMC_VERDICT_CONST));
    REFUSED(svmc_policy_set_ports(&policy, 65536, 1, SVMC_ACCESS_READ, SVMC_VERDICT_CONST));
    REFUSED(svmc_policy_set_ports(&policy, 1, 0xffffffff, SVMC_ACCESS_READ, SVMC_VERDICT_CONST));
    REFUSED(svmc_policy_set_ports(&policy, 1, 0, SVMC_ACCESS_READ, SVMC_VERDICT_CONST));
    REFUSED(svmc_policy_set_ports(&policy, 1, 1, SVMC_ACCESS_NONE, SVMC_VERDICT_CONST));
    REFUSED(svmc_policy_set_ports(&policy, 1, 1, SVMC_ACCESS_READ, SVMC_VERDICT_NOTIFY));
    REFUSED(svmc_policy_set_msrs(&policy, 0x1fff, 2, SVMC_ACCESS_READ, SVMC_VERDICT_CONST));
    REFUSED(svmc_policy_set_msrs(&policy, 0x2000, 1, SVMC_ACCESS_READ, SVMC_VERDICT_CONST));
    REFUSED(svmc_policy_set_sysregs(&policy, 0x7fff, 1, SVMC_ACCESS_READ, SVMC_VERDICT_CONST));
    REFUSED(svmc_policy_set_sysregs(&policy, 0x7fff, 2, SVMC_ACCESS_READ, SVMC_VERDICT_CONST));
    REFUSED(svmc_policy_set_sysregs(&policy, 0x8000, 0x8001, SVMC_ACCESS_READ, SVMC_VERDICT_CONST));
    REFUSED(svmc_policy_set_sysregs(&policy, 0x10000, 1, SVMC_ACCESS_READ, SVMC_VERDICT_CONST));
    REFUSED(svmc_policy_set_sysregs(&policy, 0x8000, 0, SVMC_ACCESS_READ, SVMC_VERDICT_CONST));
    REFUSED(svmc_policy_set_sysregs(&policy, 0x8000, 1, SVMC_ACCESS_READ, SVMC_VERDICT_NOTIFY));
    REFUSED(svmc_policy_add_window(&policy, top, 2, SVMC_ACCESS_READ, SVMC_VERDICT_CONST));
    REFUSED(svmc_policy_add_window(&policy, top, 0, SVMC_ACCESS_READ, SVMC_VERDICT_CONST));
    REFUSED(svmc_policy_set_hcall(&policy, SVMC_POLICY_HCALLS, 0, 0));
    REFUSED(svmc_policy_set_hcall(&policy, 0, SVMC_HCALL_ARGS + 1, 0));
    REFUSED(svmc_policy_set_hcall(&policy, 0, 0, SVMC_HCALL_RESULTS + 1));
#undef REFUSED
    CHECK_MEM(&policy, &before, sizeof policy);
    for (unsigned i = 0; i < SVMC_POLICY_WINDOWS; i++)
        CHECK_EQ(svmc_policy_add_window(&policy, (svmc_gpa){ i * 16 }, 16, SVMC_ACCESS_READ,
                                        SVMC_VERDICT_CONST),
                 SVMC_OK, "window %u", i);
    CHECK_EQ(svmc_policy_add_window(&policy, (svmc_gpa){ 15 * 16 + 15 }, 2, SVMC_ACCESS_READ,
                                    SVMC_VERDICT_CONST),
             SVMC_ERR_ARG, "overlaps");
    CHECK_EQ(svmc_policy_add_window(&policy, top, 1, SVMC_ACCESS_READ, SVMC_VERDICT_CONST),
             SVMC_ERR_FULL);
}

TEST(policy, a_vcpu_wants_a_sealed_policy_and_every_required_op) /* EX-8 */
{
    struct svmc_host_ops ops = world_ops;
    uint64_t rng = 2;

    world_init(&lab.world, &rng);
    CHECK_EQ(svmc_policy_init(&policy, 1, 1), SVMC_OK);
#define INIT(o, p, pg, id) svmc_vcpu_init(&lab.vc, o, &lab.world, p, pg, id)
    CHECK_EQ(INIT(&ops, &policy, lab.world.page, 0), SVMC_ERR_ARG, "not sealed");
    CHECK_EQ(svmc_policy_seal(&policy), SVMC_OK);
    CHECK_EQ(INIT(NULL, &policy, lab.world.page, 0), SVMC_ERR_ARG);
    CHECK_EQ(INIT(&ops, NULL, lab.world.page, 0), SVMC_ERR_ARG);
    CHECK_EQ(INIT(&ops, &policy, NULL, 0), SVMC_ERR_ARG);
    CHECK_EQ(INIT(&ops, &policy, lab.world.page + 4, 0), SVMC_ERR_ARG);
    CHECK_EQ(INIT(&ops, &policy, lab.world.page, 65536), SVMC_ERR_ARG);
    ops.reg_write = NULL;
    CHECK_EQ(INIT(&ops, &policy, lab.world.page, 0), SVMC_ERR_ARG);
    ops = world_ops;
    ops.size = offsetof(struct svmc_host_ops, reg_write);
    CHECK_EQ(INIT(&ops, &policy, lab.world.page, 0), SVMC_ERR_ARG, "an older, shorter table");
    ops.size = offsetof(struct svmc_host_ops, translate);
    CHECK_EQ(INIT(&ops, &policy, lab.world.page, 0), SVMC_OK, "translate is optional");
    CHECK_EQ(lab_exit(&lab, scenario_named("ins 4 own")), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(lab.out.action, SVMC_ACT_STOP);
    lab.world.fail_at = lab.world.calls + 1;
    CHECK_EQ(INIT(&ops, &policy, lab.world.page, 0), SVMC_ERR_CALLBACK);
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_ARG, "a vCPU that was not made");
#undef INIT
}

TEST(policy, exits_are_checked_field_by_field) /* EX-1 */
{
    static const struct svmc_exit own_in = { .kind = SVMC_KIND_IN,
                                             .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                                             .insn_bytes = 1,
                                             .size = 1,
                                             .count = 1,
                                             .address = LAB_PORT,
                                             .dest_bytes = 1 };
    struct svmc_exit e;

    fresh();
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &own_in, &lab.out), SVMC_OK);
    svmc_vcpu_cancel(&lab.vc);
#define REFUSED(change)                                                         \
    do {                                                                        \
        e = own_in;                                                             \
        change;                                                                 \
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG, #change); \
        CHECK_EQ(lab.out.action, SVMC_ACT_STOP, #change);                       \
        CHECK_EQ(lab.vc.priv.pending.active, 0, #change);                       \
    } while (0)
    REFUSED(e.finish = 4);
    REFUSED(e.finish = SVMC_FINISH_RIP);
    REFUSED(e.insn_bytes = 0);
    REFUSED(e.insn_bytes = SVMC_INSN_MAX + 1);
    REFUSED(e.size = 3);
    REFUSED(e.size = 8);
    REFUSED(e.count = 2);
    REFUSED(e.count = 0);
    REFUSED(e.dest_reg = SVMC_REG_RIP);
    REFUSED(e.dest_bytes = 3);
    REFUSED(e.dest_extend = 3);
    REFUSED(e.dest_high = 2);
    REFUSED(e.dest_high = 1; e.dest_bytes = 2);
    REFUSED(e.dest_high = 1; e.dest_reg = SVMC_REG_RSP);
    REFUSED(e.kind = SVMC_KIND_WRMSR); /* has a size */
    REFUSED(e.kind = SVMC_KIND_CPUID);
    REFUSED(e.kind = SVMC_KIND_INS; e.address_bytes = 3);
    REFUSED(e.isa = SVMC_ISA_X86_64 + 1);
    REFUSED(e.kind = SVMC_KIND_INS; e.address_bytes = 8; e.repeat = 2);
    REFUSED(e.kind = SVMC_KIND_INS; e.address_bytes = 8; e.backward = 9);
    REFUSED(e.kind = SVMC_KIND_INS; e.address_bytes = 8; e.count = 0);
    REFUSED(e.kind = SVMC_KIND_INS; e.finish = 0; e.count = SVMC_EXIT_DATA_MAX + 1);
    REFUSED(e.kind = SVMC_KIND_OUTS; e.finish = 0);
    REFUSED(e.kind = SVMC_KIND_MMIO_READ; e.size = 0);
    REFUSED(e.kind = SVMC_KIND_MMIO_READ; e.size = 9);
#undef REFUSED
}

TEST(policy, device_memory_over_a_page_is_a_fault) /* EX-1; the guest's doing, no caller's error */
{
    struct svmc_policy two;
    uint64_t rng = 1;

    CHECK_EQ(svmc_policy_init(&two, 1, 1), SVMC_OK);
    CHECK_EQ(svmc_policy_add_window(&two, (svmc_gpa){ 0 }, 0x10000, SVMC_ACCESS_RW,
                                    SVMC_VERDICT_DELEGATE),
             SVMC_OK);
    CHECK_EQ(svmc_policy_seal(&two), SVMC_OK);
    world_init(&lab.world, &rng);
    CHECK_EQ(svmc_vcpu_init(&lab.vc, &world_ops, &lab.world, &two, lab.world.page, 0), SVMC_OK);
    CHECK_EQ(judge((struct svmc_exit){ .kind = SVMC_KIND_MMIO_READ, .size = 4, .address = 0xffc }),
             SVMC_ACT_DELEGATED);
    CHECK_EQ(judge((struct svmc_exit){ .kind = SVMC_KIND_MMIO_READ, .size = 4, .address = 0xffe }),
             SVMC_ACT_INJECT);
}

TEST(policy, user_mode_has_no_devices_unless_it_may) /* EX-17; CVE-2023-46813 */
{
    struct svmc_exit e = {
        .kind = SVMC_KIND_MMIO_READ, .size = 4, .count = 1, .address = LAB_GPA, .user = 1
    };
    struct svmc_policy loose;
    uint64_t rng = 6;

    for (unsigned may = 0; may < 2; may++) {
        lab_init(&lab, &rng);
        CHECK_EQ(svmc_policy_init(&loose, 2, 2), SVMC_OK);
        CHECK_EQ(svmc_policy_add_window(&loose, (svmc_gpa){ LAB_GPA }, 16, SVMC_ACCESS_RW,
                                        SVMC_VERDICT_DELEGATE),
                 SVMC_OK);
        if (may)
            CHECK_EQ(svmc_policy_set_user_memory(&loose), SVMC_OK);
        CHECK_EQ(svmc_policy_seal(&loose), SVMC_OK);
        CHECK_EQ(svmc_policy_set_user_memory(&loose), SVMC_ERR_STATE);
        lab.vc.priv.policy = &loose;
        e.user = 1;
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, may ? SVMC_ACT_DELEGATED : SVMC_ACT_INJECT);
        svmc_vcpu_cancel(&lab.vc);
        e.user = 0;
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED, "the kernel");
    }
    CHECK_EQ(svmc_policy_set_user_memory(NULL), SVMC_ERR_ARG);
}

TEST(policy, counts_that_no_setter_made_stay_within_their_tables)
{
    struct svmc_hcall_rule *call = &lab.policy.priv.hcalls[LAB_HCALL];

    fresh();
    lab.policy.priv.window_count = UINT32_MAX;
    CHECK_EQ(judge((struct svmc_exit){ .kind = SVMC_KIND_MMIO_READ, .size = 4, .address = 0x8 }),
             SVMC_ACT_INJECT);
    call->args = SVMC_HCALL_ARGS + 1;
    CHECK_EQ(lab_exit(&lab, scenario_named("hypercall own")), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_RESUME); /* NOT_DEFINED, answered inside */
    CHECK_EQ(lab.world.reg[SVMC_REG_RAX], SVMC_HCALL_NOT_DEFINED);
    call->args = SVMC_HCALL_ARGS;
    call->results = SVMC_HCALL_RESULTS + 1;
    CHECK_EQ(lab_exit(&lab, scenario_named("hypercall own")), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_RESUME);
}
