/* SPDX-License-Identifier: MIT */
/* Each argument at its edge, and each callback that is not there or gives nothing: EX-1, STYLE. */
#include "scenarios.h"

#include <svmcore/guest/hypercall.h>

static struct lab lab, before;
static struct svmc_policy policy;
static struct fakehost_answer honest;

static void fresh(void)
{
    uint64_t rng = 31;

    lab_init(&lab, &rng);
}

static void start(const char *name)
{
    fresh();
    CHECK_EQ(lab_exit(&lab, scenario_named(name)), SVMC_OK, "%s", name);
    CHECK(fakehost_prepare(lab.world.page, &honest));
}

static enum svmc_status take(struct svmc_exit e)
{
    if (lab.vc.priv.pending.active)
        svmc_vcpu_cancel(&lab.vc);
    return svmc_vcpu_exit(&lab.vc, &e, &lab.out);
}

/* ---- strings ---------------------------------------------------------------------------------*/

static const struct svmc_exit own_ins = { .kind = SVMC_KIND_INS,
                                          .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                                          .insn_bytes = 2,
                                          .size = 4,
                                          .count = 4,
                                          .repeat = 1,
                                          .address = LAB_PORT,
                                          .address_bytes = 8,
                                          .buffer = { WORLD_LINEAR + 0x100 } };

TEST(edges, one_exit_at_a_time) /* R1 */
{

    fresh();
    CHECK_EQ(lab_exit(&lab, scenario_named("cpuid own")), SVMC_OK);
    memcpy(&before, &lab, sizeof before);
    CHECK_EQ(lab_exit(&lab, scenario_named("rdmsr own")), SVMC_ERR_STATE);
    CHECK_MEM(&lab.vc, &before.vc, sizeof before.vc);
    CHECK_MEM(lab.world.page, before.world.page, sizeof before.world.page);
}

TEST(edges, strings_are_checked_field_by_field) /* EX-1 */
{
    struct svmc_exit e = own_ins;

    fresh();
    for (unsigned bytes = 0; bytes < 10; bytes++) {
        e = own_ins;
        e.address_bytes = (uint8_t)bytes;
        CHECK_EQ(take(e), bytes == 2 || bytes == 4 || bytes == 8 ? SVMC_OK : SVMC_ERR_ARG, "%u",
                 bytes);
    }
    e = own_ins;
    e.repeat = 2;
    CHECK_EQ(take(e), SVMC_ERR_ARG);
    e = own_ins;
    e.backward = 2;
    CHECK_EQ(take(e), SVMC_ERR_ARG);
    e = own_ins;
    e.repeat = 0;
    CHECK_EQ(take(e), SVMC_ERR_ARG, "several elements without REP");
    e.count = 1;
    CHECK_EQ(take(e), SVMC_OK);
    e = own_ins;
    e.isa = SVMC_ISA_A64;
    CHECK_EQ(take(e), SVMC_ERR_ARG, "no string of A64");
    e = (struct svmc_exit){ .kind = SVMC_KIND_INS, .size = 1, .address = LAB_PORT };
    CHECK_EQ(take(e), SVMC_ERR_ARG, "a backend's string of nothing");
    e = (struct svmc_exit){
        .kind = SVMC_KIND_OUTS, .size = 1, .count = 1, .address = LAB_PORT, .data = NULL
    };
    CHECK_EQ(take(e), SVMC_ERR_ARG, "without its bytes");
}

TEST(edges, one_element_without_rep_leaves_rcx) /* EX-7 */
{
    struct svmc_exit e = own_ins;
    uint64_t rcx, rdi, rip;

    fresh();
    e.count = 1;
    e.repeat = 0;
    lab.world.reg[SVMC_REG_RDI] = rdi = e.buffer.v;
    rcx = lab.world.reg[SVMC_REG_RCX];
    rip = lab.world.reg[SVMC_REG_RIP];
    CHECK_EQ(take(e), SVMC_OK);
    CHECK(fakehost_prepare(lab.world.page, &honest) && fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    CHECK_EQ(lab.world.reg[SVMC_REG_RCX], rcx);
    CHECK_EQ(lab.world.reg[SVMC_REG_RDI], rdi + 4);
    CHECK_EQ(lab.world.reg[SVMC_REG_RIP], rip + 2);
}

TEST(edges, a_part_of_a_backends_outs_is_not_sent_again) /* EX-7 */
{
    start("outs 1 kvm");
    honest.reply.status = SVMC_REPLY_PARTIAL;
    honest.reply.done = 2;
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED);
    CHECK(fakehost_prepare(lab.world.page, &honest));
    CHECK_EQ(honest.request.count, 3);
    CHECK_MEM(lab.world.page + 0x200, lab.backend_data + 2, 3);
    CHECK_EQ(lab.world.page[0x203], 0);
}

/* Any linear address is the byte of guest memory with its low bits; notes where it was asked. */
static svmc_gva asked[8];
static unsigned asks, fault_at; /* 1-based; 0: none */
static bool no_span;

static enum svmc_status anywhere(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                 struct svmc_fault *fault)
{
    (void)ctx;
    (void)access;
    if (asks < sizeof asked / sizeof asked[0])
        asked[asks] = at;
    if (++asks == fault_at) {
        fault->raised = 1;
        fault->vector = 14;
        fault->address = at.v;
    }
    out->v = at.v % WORLD_MEMORY;
    return SVMC_OK;
}

static enum svmc_status span_or_none(void *ctx, svmc_gpa at, size_t n, uint32_t access, void **span)
{
    if (!no_span)
        return world_ops.guest_span(ctx, at, n, access, span);
    *span = NULL;
    return SVMC_OK;
}

static struct svmc_host_ops ops;

static void with_own_memory(void)
{
    fresh();
    ops = world_ops;
    ops.translate = anywhere;
    ops.guest_span = span_or_none;
    asks = fault_at = 0;
    no_span = false;
    CHECK_EQ(svmc_vcpu_init(&lab.vc, &ops, &lab.world, &lab.policy, lab.world.page, 7), SVMC_OK);
}

TEST(edges, outside_64_bit_mode_everything_ends_at_4_gib) /* EX-10 */
{
    struct svmc_exit e = own_ins;

    with_own_memory();
    e.isa = SVMC_ISA_X86_32;
    e.buffer.v = 0xfffffff8;
    e.address_bytes = 4;
    lab.world.reg[SVMC_REG_RIP] = 0xffffffff;
    lab.world.reg[SVMC_REG_RCX] = e.count;
    CHECK_EQ(take(e), SVMC_OK);
    CHECK(fakehost_prepare(lab.world.page, &honest) && fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    CHECK_EQ(asks, 4, "probed, and translated again");
    CHECK_EQ(asked[0].v, 0xfffffff8);
    CHECK_EQ(asked[1].v, 0);
    CHECK_EQ(lab.world.reg[SVMC_REG_RIP], 1);
    CHECK_MEM(lab.world.memory, honest.data + 8, 8, "the second page is the first one there is");
    with_own_memory();
    e.isa = SVMC_ISA_X86_64;
    CHECK_EQ(take(e), SVMC_OK);
    CHECK_EQ(asked[1].v, 0x100000000);
}

TEST(edges, a_span_that_is_none_is_refused)
{
    with_own_memory();
    no_span = true;
    CHECK_EQ(take(own_ins), SVMC_ERR_CALLBACK);
    CHECK_EQ(lab.out.action, SVMC_ACT_STOP);
}

/* R12 EX-6: a string that is answered inside loses its buffer between the two translations. */
TEST(edges, a_destination_that_is_lost_meanwhile_faults)
{
    struct svmc_exit e = own_ins;

    with_own_memory();
    CHECK_EQ(svmc_policy_init(&policy, 2, 2), SVMC_OK);
    CHECK_EQ(svmc_policy_set_ports(&policy, LAB_PORT, 4, SVMC_ACCESS_RW, SVMC_VERDICT_CONST),
             SVMC_OK);
    CHECK_EQ(svmc_policy_seal(&policy), SVMC_OK);
    CHECK_EQ(svmc_vcpu_init(&lab.vc, &ops, &lab.world, &policy, lab.world.page, 7), SVMC_OK);
    fault_at = 2;
    CHECK_EQ(take(e), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
    CHECK_EQ(lab.out.fault.vector, 14);
    CHECK_EQ(lab.world.reg_writes, 0);
}

TEST(edges, rip_that_cannot_be_read)
{
    struct svmc_exit nothing = own_ins, hlt = { .kind = SVMC_KIND_HLT,
                                                .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                                                .insn_bytes = 1,
                                                .count = 1 };

    fresh();
    nothing.count = 0;
    lab.world.fail_at = lab.world.calls + 1;
    CHECK_EQ(take(nothing), SVMC_ERR_CALLBACK);
    CHECK_EQ(lab.out.action, SVMC_ACT_STOP);
    lab.world.fail_at = lab.world.calls + 1;
    CHECK_EQ(take(hlt), SVMC_ERR_CALLBACK);
    CHECK_EQ(lab.world.reg_writes, 0);
}

/* ---- fields of an exit -----------------------------------------------------------------------*/

TEST(edges, what_every_exit_must_be) /* EX-1 */
{
    static const struct svmc_exit in = {
        .kind = SVMC_KIND_IN, .size = 1, .count = 1, .address = 96
    };
    struct svmc_exit e = in;

    fresh();
    CHECK_EQ(take(e), SVMC_OK);
    e.user = 2;
    CHECK_EQ(take(e), SVMC_ERR_ARG);
    for (unsigned isa = 0; isa < 256; isa++) {
        bool none = isa > SVMC_ISA_PPC64 || isa == SVMC_ISA_A32 || isa == SVMC_ISA_T32;

        e = in;
        e.isa = (uint8_t)isa;
        CHECK_EQ(take(e), none ? SVMC_ERR_ARG : SVMC_OK, "isa %u", isa);
    }
    svmc_vcpu_cancel(&lab.vc);
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, NULL, &lab.out), SVMC_ERR_ARG);
    CHECK_EQ(lab.out.action, SVMC_ACT_STOP);
    CHECK_EQ(lab.out.stop, SVMC_STOP_ERROR);
    e = (struct svmc_exit){ .kind = SVMC_KIND_OUT, .size = 4, .count = 1, .address = LAB_PORT };
    CHECK_EQ(take(e), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED);
    CHECK_EQ(lab.vc.priv.pending.exit.kind, SVMC_KIND_OUT, "a port, and not the doorbell");
}

TEST(edges, addresses_beyond_their_space_are_faults) /* EX-5 */
{
    fresh();
    CHECK_EQ(take((struct svmc_exit){
                 .kind = SVMC_KIND_RDMSR, .count = 1, .address = (uint64_t)1 << 32 | LAB_MSR }),
             SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
    CHECK_EQ(take((struct svmc_exit){
                 .kind = SVMC_KIND_IN, .size = 1, .count = 1, .address = 0x10000 | LAB_PORT }),
             SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
}

/* ---- callbacks that are not there ------------------------------------------------------------*/

static enum svmc_status init_with(const struct svmc_host_ops *table)
{
    return svmc_vcpu_init(&lab.vc, table, &lab.world, &lab.policy, lab.world.page, 7);
}

TEST(edges, a_vcpu_wants_each_required_callback)
{
    static const size_t need[] = { offsetof(struct svmc_host_ops, random),
                                   offsetof(struct svmc_host_ops, reg_read),
                                   offsetof(struct svmc_host_ops, reg_write) };

    fresh();
    for (unsigned i = 0; i < 3; i++) {
        ops = world_ops;
        ops.size = (uint32_t)need[i];
        CHECK_EQ(init_with(&ops), SVMC_ERR_ARG, "%u: a table that ends before it", i);
        ops = world_ops;
        memset((char *)&ops + need[i], 0, sizeof ops.random);
        CHECK_EQ(init_with(&ops), SVMC_ERR_ARG, "%u: NULL", i);
    }
    CHECK_EQ(init_with(NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vcpu_init(NULL, &world_ops, &lab.world, &lab.policy, lab.world.page, 7),
             SVMC_ERR_ARG);
    CHECK_EQ(svmc_vcpu_init(&lab.vc, &world_ops, &lab.world, &lab.policy, NULL, 7), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vcpu_init(&lab.vc, &world_ops, &lab.world, NULL, lab.world.page, 7),
             SVMC_ERR_ARG);
}

TEST(edges, own_strings_want_memory)
{
    fresh();
    for (unsigned i = 0; i < 5; i++) {
        ops = world_ops;
        if (i == 0)
            ops.size = offsetof(struct svmc_host_ops, translate);
        if (i == 1)
            ops.size = offsetof(struct svmc_host_ops, guest_span);
        if (i == 2)
            ops.translate = NULL;
        if (i == 3)
            ops.guest_span = NULL;
        CHECK_EQ(init_with(&ops), SVMC_OK, "%u", i);
        CHECK_EQ(take(own_ins), i < 4 ? SVMC_ERR_UNSUPPORTED : SVMC_OK, "%u", i);
    }
}

/* ---- calls on what is no vCPU ----------------------------------------------------------------*/

TEST(edges, no_vcpu_no_outcome)
{
    static struct svmc_vcpu zero, *const none[] = { NULL, &zero };
    static const struct svmc_vcpu unchanged;
    const struct svmc_exit e = { .kind = SVMC_KIND_CPUID, .count = 1 };
    struct svmc_stats stats;

    for (unsigned i = 0; i < 2; i++) {
        memset(&lab.out, 0xff, sizeof lab.out);
        CHECK_EQ(svmc_vcpu_exit(none[i], &e, &lab.out), SVMC_ERR_ARG);
        CHECK_EQ(lab.out.action, SVMC_ACT_STOP);
        CHECK_EQ(svmc_vcpu_enter(none[i], &lab.out), SVMC_ERR_ARG);
        svmc_vcpu_cancel(none[i]);
        svmc_vcpu_drop(none[i]);
        memset(&stats, 0xff, sizeof stats);
        CHECK_EQ(svmc_vcpu_stats(none[i], &stats), SVMC_ERR_ARG);
        CHECK_EQ(stats.exits, 0);
    }
    CHECK_MEM(&zero, &unchanged, sizeof zero);
    fresh();
    CHECK_EQ(svmc_vcpu_stats(&lab.vc, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, NULL), SVMC_ERR_ARG);
}

/* ---- the host's side -------------------------------------------------------------------------*/

TEST(edges, the_hosts_calls_refuse_what_is_no_page)
{
    const struct svmc_reply reply = { .data_bytes = 0 };
    struct svmc_request request;
    uint8_t data[8];

    start("outs 1 kvm");
    CHECK_EQ(svmc_request_read(lab.world.page, NULL, data, 8), SVMC_ERR_ARG);
    CHECK_EQ(svmc_request_read(lab.world.page, &request, NULL, 8), SVMC_ERR_ARG);
    CHECK_EQ(svmc_request_read(lab.world.page + 4, &request, data, 8), SVMC_ERR_ARG);
    CHECK_EQ(svmc_request_read(lab.world.page, &request, NULL, 0), SVMC_OK, "its header alone");
    CHECK_EQ(request.count, 5);
    CHECK_EQ(svmc_reply_write(NULL, &reply, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_reply_write(lab.world.page + 4, &reply, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_reply_write(lab.world.page, NULL, NULL), SVMC_ERR_ARG);
    start("ins 1 kvm");
    CHECK_EQ(svmc_request_read(lab.world.page, &request, data, 1), SVMC_OK, "no data yet");
}

TEST(edges, a_hostile_core_is_not_believed_about_the_length)
{
    static uint8_t data[2 * SVMC_PAGE_DATA_BYTES];
    struct svmc_request request;

    start("outs 1 kvm");
    lab.world.page[0x3c] = 0x01; /* 3585 elements */
    lab.world.page[0x3d] = 0x0e;
    CHECK_EQ(svmc_request_read(lab.world.page, &request, data, sizeof data), SVMC_ERR_FULL);
    CHECK_EQ(request.kind, 0, "zeroed");
}

/* ---- the policy's setters --------------------------------------------------------------------*/

TEST(edges, a_setter_wants_an_open_policy_and_real_values) /* EX-8 */
{
    static struct svmc_policy zero, *const none[] = { NULL, &zero };
    const svmc_gpa at = { 0x1000 };

    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(svmc_policy_set_ports(none[i], 0, 1, SVMC_ACCESS_RW, SVMC_VERDICT_CONST),
                 SVMC_ERR_ARG);
        CHECK_EQ(svmc_policy_set_full_wipe(none[i]), SVMC_ERR_ARG);
        CHECK_EQ(svmc_policy_set_user_memory(none[i]), SVMC_ERR_ARG);
        CHECK_EQ(svmc_policy_set_doorbell(none[i], 1), SVMC_ERR_ARG);
        CHECK_EQ(svmc_policy_set_hcall(none[i], 1, 1, 1), SVMC_ERR_ARG);
        CHECK_EQ(svmc_policy_set_mode(none[i], SVMC_MODE_STRICT), SVMC_ERR_ARG);
        CHECK_EQ(svmc_policy_seal(none[i]), SVMC_ERR_ARG);
    }
    CHECK_EQ(svmc_policy_init(NULL, 1, 1), SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_init(&policy, 1, 1), SVMC_OK);
    CHECK_EQ(svmc_policy_set_ports(&policy, 0, 1, SVMC_ACCESS_NONE, SVMC_VERDICT_CONST),
             SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_set_ports(&policy, 0, 1, SVMC_ACCESS_READ_IF, SVMC_VERDICT_CONST),
             SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_set_ports(&policy, 0, 1, SVMC_ACCESS_RW, SVMC_VERDICT_NOTIFY),
             SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_set_msrs(&policy, 0, 0, SVMC_ACCESS_RW, SVMC_VERDICT_CONST), SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_set_msrs(&policy, 0x1fff, 2, SVMC_ACCESS_RW, SVMC_VERDICT_CONST),
             SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_set_hcall(&policy, SVMC_POLICY_HCALLS, 0, 0), SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_set_hcall(&policy, 0, SVMC_HCALL_ARGS + 1, 0), SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_set_hcall(&policy, 0, 0, SVMC_HCALL_RESULTS + 1), SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_seal(&policy), SVMC_OK);
    CHECK_EQ(svmc_policy_add_window(&policy, at, 1, SVMC_ACCESS_RW, SVMC_VERDICT_FAULT),
             SVMC_ERR_STATE, "not even a tighter one");
    CHECK_EQ(svmc_policy_set_full_wipe(&policy), SVMC_ERR_STATE);
    CHECK_EQ(svmc_policy_set_user_memory(&policy), SVMC_ERR_STATE);
    CHECK_EQ(svmc_policy_set_doorbell(&policy, 1), SVMC_ERR_STATE);
    CHECK_EQ(svmc_policy_set_hcall(&policy, 1, 1, 1), SVMC_ERR_STATE);
}

/* PO-2: a header of nothing but `cpuids` leaves, and one of `hcalls` hypercalls. */
TEST(edges, a_loaded_policy_stays_within_its_tables) /* PO-2 PO-3 */
{
    enum { HEAD = 56, LEAVES = 0x34, HCALLS = 0x1b };
    static const uint8_t head[HEAD] = { 0x53, 0x56, 0x50, 0x4c, 1, 0, HEAD, 0, 0,
                                        0,    0,    0,    3,    0, 0, 0,    2, [LEAVES + 1] = 2 };
    static uint8_t bytes[HEAD + 24 * (SVMC_POLICY_CPUIDS + 1)];

    for (unsigned count = SVMC_POLICY_CPUIDS; count <= SVMC_POLICY_CPUIDS + 1; count++) {
        unsigned length = HEAD + 24 * count;

        memcpy(bytes, head, sizeof head);
        bytes[8] = (uint8_t)length;
        bytes[9] = (uint8_t)(length >> 8);
        bytes[LEAVES] = (uint8_t)count;
        for (unsigned i = 0; i < count; i++)
            bytes[HEAD + 24 * i] = (uint8_t)i;
        CHECK_EQ(svmc_policy_load(&policy, bytes, length),
                 count > SVMC_POLICY_CPUIDS ? SVMC_ERR_FORMAT : SVMC_OK, "%u leaves", count);
    }
    for (unsigned second = 0; second < 256; second++) {
        memcpy(bytes, head, sizeof head);
        memset(bytes + HEAD, 0, 6);
        bytes[8] = HEAD + 6;
        bytes[HCALLS] = 2;
        bytes[HEAD] = 3;
        bytes[HEAD + 3] = (uint8_t)second;
        CHECK_EQ(svmc_policy_load(&policy, bytes, HEAD + 6),
                 second > 3 && second < SVMC_POLICY_HCALLS ? SVMC_OK : SVMC_ERR_FORMAT,
                 "hypercalls 3 and %u", second);
    }
}

/* ---- modes -----------------------------------------------------------------------------------*/

TEST(edges, a_part_with_slots_is_put_right) /* MO-3 R6 */
{
    fresh();
    lab.policy.priv.sealed = 0;
    CHECK_EQ(svmc_policy_set_mode(&lab.policy, SVMC_MODE_OBSERVE), SVMC_OK);
    CHECK_EQ(svmc_policy_seal(&lab.policy), SVMC_OK);
    CHECK_EQ(lab_exit(&lab, scenario_named("ins 1 kvm")), SVMC_OK);
    CHECK(fakehost_prepare(lab.world.page, &honest));
    honest.reply.status = SVMC_REPLY_PARTIAL;
    honest.reply.done = honest.reply.data_bytes = 2;
    honest.reply.out_valid = 1;
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED);
    CHECK_EQ(lab.out.rule, 6);
    CHECK_EQ(lab.vc.priv.pending.at, 2);
}

/* The lab's vCPU over another policy, which is sealed here. */
static void restart(struct lab *l)
{
    svmc_vcpu_drop(&l->vc);
    CHECK_EQ(svmc_policy_seal(&l->policy), SVMC_OK);
    CHECK_EQ(svmc_vcpu_init(&l->vc, &world_ops, &l->world, &l->policy, l->world.page, 7), SVMC_OK);
}

static enum svmc_status answer(struct lab *l, struct svmc_reply reply)
{
    struct svmc_request request;

    CHECK_EQ(svmc_request_read(l->world.page, &request, NULL, 0), SVMC_OK);
    reply.seq = request.seq;
    CHECK_EQ(svmc_reply_write(l->world.page, &reply, NULL), SVMC_OK);
    return svmc_vcpu_enter(&l->vc, &l->out);
}

TEST(edges, under_full_wipe_a_retry_writes_its_data_again) /* PG-1 */
{
    uint64_t rng = 3;

    for (unsigned own = 0; own < 2; own++) {
        unsigned n = scenario_named(own ? "outs 2 own" : "outs 1 kvm");
        uint8_t shown[16];

        lab.full_wipe = true;
        lab_init(&lab, &rng);
        CHECK_EQ(lab_exit(&lab, n), SVMC_OK);
        memcpy(shown, lab.world.page + SVMC_PAGE_DATA, sizeof shown);
        memset(lab.world.page + SVMC_PAGE_DATA, 0xee, SVMC_PAGE_DATA_BYTES);
        CHECK_EQ(answer(&lab, (struct svmc_reply){ .status = SVMC_REPLY_RETRY }), SVMC_OK);
        CHECK_MEM(lab.world.page + SVMC_PAGE_DATA, shown, sizeof shown, "own %u", own);
        CHECK_EQ(lab.world.page[SVMC_PAGE_BYTES - 1], 0, "own %u", own);
    }
    lab.full_wipe = false;
}

TEST(edges, a_counter_that_is_set_inside_starts_anew) /* R13 */
{
    const struct svmc_exit ask = {
        .kind = SVMC_KIND_RDTSC, .count = 1, .finish = 3, .insn_bytes = 2
    };
    const struct svmc_exit set = {
        .kind = SVMC_KIND_WRMSR, .count = 1, .finish = 3, .insn_bytes = 2, .address = 0x10
    };
    uint64_t rng = 4;

    lab_init(&lab, &rng);
    CHECK_EQ(svmc_policy_init(&lab.policy, 3, 3), SVMC_OK);
    CHECK_EQ(svmc_policy_set_msrs(&lab.policy, 0x10, 1, SVMC_ACCESS_WRITE, SVMC_VERDICT_INTERPRET),
             SVMC_OK);
    CHECK_EQ(svmc_policy_set_kind(&lab.policy, SVMC_KIND_RDTSC, SVMC_VERDICT_DELEGATE), SVMC_OK);
    restart(&lab);
    for (unsigned sets = 0; sets < 2; sets++) {
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &ask, &lab.out), SVMC_OK);
        CHECK_EQ(answer(&lab, (struct svmc_reply){ .done = 1,
                                                   .out_valid = 3,
                                                   .out = { sets == 0 ? 1000 : 5 } }),
                 SVMC_OK, "set %u times", sets);
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &set, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_RESUME);
    }
}

TEST(edges, what_terminates_does_so_whatever_the_guest_gives) /* EX-8 EX-89 */
{
    struct svmc_exit e = { .kind = SVMC_KIND_HOST_CALL,
                           .size = 256,
                           .count = 1,
                           .finish = SVMC_FINISH_REGS,
                           .isa = SVMC_ISA_A64,
                           .buffer = { WORLD_LINEAR + 0x3008 } };
    uint64_t rng = 5;

    lab_init(&lab, &rng);
    CHECK_EQ(svmc_policy_init(&lab.policy, 3, 3), SVMC_OK);
    CHECK_EQ(svmc_policy_set_kind(&lab.policy, SVMC_KIND_HOST_CALL, SVMC_VERDICT_TERMINATE),
             SVMC_OK);
    restart(&lab);
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.stop, SVMC_STOP_POLICY);
}

TEST(edges, a_list_that_no_host_may_see_stays_inside) /* EX-81, in the copy that is shown */
{
    uint8_t list[16] = { [13] = 0xff };
    struct svmc_exit e = { .kind = SVMC_KIND_PAGE_STATE, .size = 8, .count = 2, .data = list };
    uint64_t rng = 6;

    list[6] = 0x10; /* operation 1; the second has none */
    lab_init(&lab, &rng);
    before = lab;
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG);
    CHECK(lab_same(&lab, &before));
    for (unsigned i = 0; i < SVMC_PAGE_BYTES; i++)
        CHECK_EQ(lab.world.page[i], 0, "byte %u", i);
}

TEST(edges, a_doorbell_makes_no_exit_sound) /* EX-1 HC-1: RIP alone */
{
    struct svmc_exit e = { .kind = SVMC_KIND_OUT,
                           .size = 4,
                           .count = 1,
                           .insn_bytes = 1,
                           .address = SVMC_HCALL_PORT,
                           .finish = SVMC_FINISH_RIP };

    fresh();
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG);
    CHECK_EQ(lab.out.action, SVMC_ACT_STOP);
}
