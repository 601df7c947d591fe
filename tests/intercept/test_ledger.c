/* SPDX-License-Identifier: MIT */
/* docs/spec/audit.md: the ledger, and that nobody but its reader notices it. */
#include <svmcore/audit.h>
#include <svmcore/state.h>

#include "../../src/core/bytes.h"
#include "../fakehost/crypto.h"
#include "scenarios.h"

static struct lab lab, other;
static struct svmc_ledger ledger;
static struct fakehost_answer honest;

static void set_up(void)
{
    uint64_t rng = 8;

    lab_init(&lab, &rng);
    lab.world.clock_step = 1;
    memset(&ledger, 0x55, sizeof ledger);
    CHECK_EQ(svmc_vcpu_set_ledger(&lab.vc, &ledger), SVMC_OK);
}

static struct svmc_ledger_sums sums_of(uint16_t kind)
{
    struct svmc_ledger_entry e;

    for (uint32_t i = 0; svmc_ledger_read(&ledger, i, &e) == SVMC_OK; i++)
        if (e.kind == kind)
            return e.sums;
    CHECK(false, "no row of kind %x", kind);
    return (struct svmc_ledger_sums){ 0 };
}

static enum svmc_status give(uint32_t status)
{
    CHECK(fakehost_prepare(lab.world.page, &honest));
    if (status == SVMC_REPLY_RETRY)
        honest.reply = (struct svmc_reply){ .seq = honest.request.seq, .status = status };
    CHECK(fakehost_send(lab.world.page, &honest));
    return svmc_vcpu_enter(&lab.vc, &lab.out);
}

/* Every scenario with every lie, a retry where it is legal, and the truth; exits done inside. */
static void run_all(void)
{
    static const struct svmc_exit inside[] = {
        { .kind = SVMC_KIND_HLT, .count = 1 },
        { .kind = SVMC_KIND_OUT, .size = 1, .count = 1 },
        { .kind = SVMC_KIND_OUT, .size = 3, .count = 1 },
        { .kind = 0x0abc, .count = 1 },
        { .kind = SVMC_KIND_WFI, .count = 1, .isa = SVMC_ISA_A64 },
    };

    for (unsigned n = 0; n < scenario_count; n++) {
        memset(lab.vc.priv.time, 0, sizeof lab.vc.priv.time); /* another processor's time */
        CHECK_EQ(lab_exit(&lab, n), SVMC_OK, "%s", scenarios[n].name);
        for (unsigned lie = 0; lie < fakehost_lie_count; lie++) {
            CHECK(fakehost_prepare(lab.world.page, &honest));
            if (!fakehost_lie_applies(lie, &honest.request))
                continue;
            CHECK(fakehost_lie(lab.world.page, &honest, lie));
            CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY);
        }
        if (honest.request.kind >> 12 >= 2 && honest.request.kind >> 12 != 8 &&
            !(honest.request.kind >= SVMC_KIND_DATA_ABORT &&
              honest.request.kind <= SVMC_KIND_INSN_ABORT)) /* no ID, MSR, time, abort */
            CHECK_EQ(give(SVMC_REPLY_RETRY), SVMC_OK, "%s", scenarios[n].name);
        if (n % 5 == 4)
            svmc_vcpu_cancel(&lab.vc);
        else
            CHECK_EQ(give(SVMC_REPLY_DONE), SVMC_OK, "%s", scenarios[n].name);
    }
    for (unsigned i = 0; i < sizeof inside / sizeof inside[0]; i++)
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &inside[i], &lab.out),
                 inside[i].size == 3 ? SVMC_ERR_ARG : SVMC_OK, "%u", i);
    lab.world.fail_at = lab.world.calls + 1; /* and one that fails */
    CHECK_EQ(lab_exit(&lab, scenario_named("hypercall own")), SVMC_ERR_CALLBACK);
    lab.world.fail_at = 0;
}

TEST(ledger, rows_sum_up_to_the_counters) /* AU-1 */
{
    struct svmc_ledger_sums all = { 0 };
    struct svmc_ledger_entry e;
    struct svmc_stats stats;
    uint32_t rows = 0;

    set_up();
    run_all();
    CHECK_EQ(svmc_vcpu_stats(&lab.vc, &stats), SVMC_OK);
    for (; svmc_ledger_read(&ledger, rows, &e) == SVMC_OK; rows++) {
        CHECK(e.name == svmc_kind_name(e.kind));
        CHECK_EQ(e.timed, 1);
        CHECK(e.sums.ticks_worst <= e.sums.ticks_total);
        CHECK((e.sums.answered > 0) == (e.sums.ticks_worst > 0), "%s", e.name);
        all.exits += e.sums.exits;
        all.delegated += e.sums.delegated;
        all.bytes_shown += e.sums.bytes_shown;
        all.bytes_accepted += e.sums.bytes_accepted;
        all.refused += e.sums.refused;
        all.retries += e.sums.retries;
        all.answered += e.sums.answered;
    }
    CHECK(rows > 10 && rows <= SVMC_LEDGER_ROWS);
    CHECK_EQ(e.kind, 0, "zeroed behind the last row");
    CHECK(e.name == NULL);
    CHECK_EQ(all.exits, stats.exits);
    CHECK_EQ(all.delegated, stats.verdicts[SVMC_VERDICT_DELEGATE]);
    CHECK_EQ(all.bytes_shown, stats.bytes_shown);
    CHECK_EQ(all.bytes_accepted, stats.bytes_accepted);
    CHECK_EQ(all.refused, stats.refused);
    CHECK_EQ(all.retries, stats.retries);
    CHECK_EQ(all.answered, scenario_count - scenario_count / 5);
    CHECK(all.bytes_shown > 100 && all.bytes_accepted > 100 && all.refused > 100 &&
          all.retries > 10);
    CHECK_EQ(svmc_ledger_read(&ledger, UINT32_MAX, &e), SVMC_ERR_ARG);
    CHECK_EQ(svmc_ledger_read(&ledger, SVMC_LEDGER_ROWS, &e), SVMC_ERR_ARG);
}

TEST(ledger, each_kind_has_its_own_row) /* AU-1: widths of rows.def by hand */
{
    struct svmc_ledger_entry e;

    set_up();
    for (uint32_t i = 0; svmc_ledger_read(&ledger, i, &e) == SVMC_OK; i++)
        CHECK((e.kind == SVMC_KIND_UNKNOWN) == (i == 0) &&
                  (i == 0 || strcmp(svmc_kind_name(e.kind), "unknown") != 0),
              "row %u", i);
    CHECK_EQ(lab_exit(&lab, scenario_named("cpuid own")), SVMC_OK);
    CHECK_EQ(give(SVMC_REPLY_DONE), SVMC_OK);
    CHECK_EQ(lab_exit(&lab, scenario_named("outs 2 own")), SVMC_OK);
    CHECK_EQ(give(SVMC_REPLY_RETRY), SVMC_OK);
    CHECK_EQ(give(SVMC_REPLY_DONE), SVMC_OK);
    CHECK_EQ(lab_exit(&lab, scenario_named("rdmsr kvm")), SVMC_OK);
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY); /* nothing is there */
    svmc_vcpu_cancel(&lab.vc);
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &(struct svmc_exit){ .kind = 0x7123, .count = 1 }, &lab.out),
             SVMC_OK);
    CHECK_EQ(
        svmc_vcpu_exit(&lab.vc, &(struct svmc_exit){ .kind = SVMC_KIND_HLT, .count = 1 }, &lab.out),
        SVMC_OK);
#define ROW(kind, exits_, delegated_, shown, accepted, refused_, retries_, answered_) \
    do {                                                                              \
        const struct svmc_ledger_sums s = sums_of(SVMC_KIND_##kind);                  \
        CHECK_EQ(s.exits, exits_, #kind);                                             \
        CHECK_EQ(s.delegated, delegated_, #kind);                                     \
        CHECK_EQ(s.bytes_shown, shown, #kind);                                        \
        CHECK_EQ(s.bytes_accepted, accepted, #kind);                                  \
        CHECK_EQ(s.refused, refused_, #kind);                                         \
        CHECK_EQ(s.retries, retries_, #kind);                                         \
        CHECK_EQ(s.answered, answered_, #kind);                                       \
    } while (0)
    ROW(CPUID, 1, 1, 4 + 4, 4 * 4, 0, 0, 1);
    ROW(OUTS, 1, 1, 2 * (2 + 5 * 2), 0, 0, 1, 1);
    ROW(RDMSR, 1, 1, 4, 0, 1, 0, 0);
    ROW(UNKNOWN, 1, 0, 0, 0, 0, 0, 0);
    ROW(HLT, 1, 0, 0, 0, 0, 0, 0);
    ROW(IN, 0, 0, 0, 0, 0, 0, 0);
#undef ROW
}

TEST(ledger, ticks_go_from_the_exit_to_the_accepted_answer) /* AU-3 */
{
    static const unsigned waits[] = { 100, 70, 250, 30 };
    unsigned in_1 = scenario_named("in 1 kvm");
    struct svmc_ledger_sums s;

    set_up();
    lab.world.clock_step = 0;
    for (unsigned i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        CHECK_EQ(lab_exit(&lab, in_1), SVMC_OK);
        lab.world.clock += waits[i] / 2;
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY);
        CHECK_EQ(give(SVMC_REPLY_RETRY), SVMC_OK);
        lab.world.clock += waits[i] / 2;
        CHECK_EQ(give(SVMC_REPLY_DONE), SVMC_OK);
        lab.world.clock += 1000; /* the guest runs */
    }
    s = sums_of(SVMC_KIND_IN);
    CHECK_EQ(s.answered, 4);
    CHECK_EQ(s.ticks_total, 100 + 70 + 250 + 30);
    CHECK_EQ(s.ticks_worst, 250);
    CHECK_EQ(lab_exit(&lab, in_1), SVMC_OK); /* never answered: no ticks */
    lab.world.clock += 9000;
    svmc_vcpu_cancel(&lab.vc);
    CHECK_EQ(lab_exit(&lab, in_1), SVMC_OK); /* a clock that went back */
    lab.world.clock -= 500;
    CHECK_EQ(give(SVMC_REPLY_DONE), SVMC_OK);
    s = sums_of(SVMC_KIND_IN);
    CHECK_EQ(s.answered, 5);
    CHECK_EQ(s.ticks_total, 100 + 70 + 250 + 30);
    CHECK_EQ(s.ticks_worst, 250);
}

TEST(ledger, without_a_clock_it_says_so) /* AU-3 */
{
    for (unsigned way = 0; way < 2; way++) {
        struct svmc_host_ops ops = world_ops;
        struct svmc_ledger_entry e;
        uint64_t rng = 8;

        if (way == 0)
            ops.size = offsetof(struct svmc_host_ops, ticks); /* a table from before it was there */
        else
            ops.ticks = NULL;
        lab_init(&lab, &rng);
        lab.world.clock_step = 1;
        CHECK_EQ(svmc_vcpu_init(&lab.vc, &ops, &lab.world, &lab.policy, lab.world.page, 7),
                 SVMC_OK);
        CHECK_EQ(svmc_vcpu_set_ledger(&lab.vc, &ledger), SVMC_OK);
        CHECK_EQ(lab_exit(&lab, scenario_named("in 1 kvm")), SVMC_OK);
        CHECK_EQ(give(SVMC_REPLY_DONE), SVMC_OK);
        CHECK_EQ(svmc_ledger_read(&ledger, 0, &e), SVMC_OK);
        CHECK_EQ(e.timed, 0, "way %u", way);
        CHECK_EQ(sums_of(SVMC_KIND_IN).answered, 1);
        CHECK_EQ(sums_of(SVMC_KIND_IN).ticks_total, 0);
        CHECK_EQ(lab.world.clock_calls, 0);
    }
}

TEST(ledger, it_comes_and_goes_between_exits) /* AU-2 */
{
    struct svmc_ledger_entry e;
    unsigned in_1 = scenario_named("in 1 kvm");

    set_up();
    CHECK_EQ(lab_exit(&lab, in_1), SVMC_OK);
    CHECK_EQ(svmc_vcpu_set_ledger(&lab.vc, NULL), SVMC_ERR_STATE);
    CHECK_EQ(svmc_vcpu_set_audit(&lab.vc, NULL), SVMC_ERR_STATE);
    CHECK_EQ(give(SVMC_REPLY_DONE), SVMC_OK);
    CHECK_EQ(sums_of(SVMC_KIND_IN).exits, 1);

    CHECK_EQ(svmc_vcpu_set_ledger(&lab.vc, NULL), SVMC_OK);
    CHECK_EQ(lab_exit(&lab, in_1), SVMC_OK);
    CHECK_EQ(give(SVMC_REPLY_DONE), SVMC_OK);
    CHECK_EQ(sums_of(SVMC_KIND_IN).exits, 1, "it was away");

    CHECK_EQ(svmc_vcpu_set_ledger(&lab.vc, &ledger), SVMC_OK);
    CHECK_EQ(sums_of(SVMC_KIND_IN).exits, 0, "it starts at 0");
    CHECK_EQ(lab_exit(&lab, in_1), SVMC_OK);
    CHECK_EQ(give(SVMC_REPLY_DONE), SVMC_OK);
    CHECK_EQ(sums_of(SVMC_KIND_IN).exits, 1, "and has nothing of before");
    CHECK_EQ(sums_of(SVMC_KIND_IN).bytes_shown, 2);
    svmc_vcpu_drop(&lab.vc);
    CHECK_EQ(sums_of(SVMC_KIND_IN).exits, 1, "it outlives the vCPU");

    CHECK_EQ(svmc_vcpu_set_ledger(&lab.vc, &ledger), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vcpu_set_ledger(NULL, &ledger), SVMC_ERR_ARG);
    CHECK_EQ(svmc_ledger_read(NULL, 0, &e), SVMC_ERR_ARG);
    CHECK_EQ(svmc_ledger_read(&ledger, 0, NULL), SVMC_ERR_ARG);
    memset(&ledger, 0, sizeof ledger);
    CHECK_EQ(svmc_ledger_read(&ledger, 0, &e), SVMC_ERR_ARG);
}

TEST(ledger, nobody_notices_it) /* AU-4 */
{
    static struct fake_crypto fake;
    static struct svmc_audit_ring ring;
    static uint8_t memory[16 * SVMC_AUDIT_ENTRY_BYTES];
    uint64_t rng = 8;
    unsigned quiet;

    lab_init(&lab, &rng);
    lab.world.clock_step = 1;
    run_all();
    quiet = lab.world.clock_calls; /* for R13 alone */
    CHECK(quiet < scenario_count / 2);
    other = lab;
    set_up();
    fake_crypto_init(&fake);
    CHECK_EQ(svmc_audit_init(&ring, &fake.ops, SVMC_ALG_SHA_256, NULL, memory, 16, NULL), SVMC_OK);
    CHECK_EQ(svmc_vcpu_set_audit(&lab.vc, &ring), SVMC_OK);
    run_all();
    CHECK(lab.world.clock_calls > quiet + scenario_count);
    CHECK(lab_same(&lab, &other));
    CHECK_MEM(lab.world.page, other.world.page, sizeof lab.world.page);
    CHECK_MEM(&lab.vc.priv.stats, &other.vc.priv.stats, sizeof lab.vc.priv.stats);
    CHECK_EQ(lab.world.calls, other.world.calls);
    CHECK_EQ(lab.world.reg_writes, other.world.reg_writes);
    CHECK_EQ(svmc_vcpu_set_ledger(&lab.vc, NULL), SVMC_OK);
    CHECK_EQ(svmc_vcpu_set_audit(&lab.vc, NULL), SVMC_OK);
    CHECK_EQ(lab.vc.priv.recording, 0);
}

static uint8_t saved[16 + 80 * SVMC_LEDGER_ROWS], again[sizeof saved];

TEST(ledger, sums_travel_by_kind) /* ST-17 AU-1 */
{
    static struct svmc_ledger was, zero;
    size_t len, n;

    set_up();
    run_all();
    was = ledger;
    CHECK_EQ(svmc_ledger_save(&ledger, saved, sizeof saved, &len), SVMC_OK);
    CHECK_EQ(svmc_ledger_load(&ledger, saved, len), SVMC_ERR_STATE); /* it has counted */
    set_up();
    zero = ledger;
    CHECK_EQ(svmc_ledger_load(&ledger, saved, len), SVMC_OK);
    CHECK_MEM(&ledger, &was, sizeof was);
    CHECK_EQ(svmc_ledger_save(&ledger, again, sizeof again, &n), SVMC_OK);
    CHECK(n == len && memcmp(again, saved, len) == 0);
    for (size_t cut = 0; cut < len; cut++) {
        ledger = zero;
        CHECK_EQ(svmc_ledger_load(&ledger, saved, cut), SVMC_ERR_FORMAT, "%zu", cut);
        CHECK_MEM(&ledger, &zero, sizeof zero);
    }
    for (size_t bit = 0; bit < 8 * len; bit += bit < 8 * 100 ? 1 : 61) {
        ledger = zero;
        saved[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (svmc_ledger_load(&ledger, saved, len) != SVMC_OK) {
            CHECK_MEM(&ledger, &zero, sizeof zero, "%zu", bit);
        } else {
            CHECK_EQ(svmc_ledger_save(&ledger, again, sizeof again, &n), SVMC_OK);
            CHECK(n == len && memcmp(again, saved, len) == 0, "%zu", bit);
        }
        saved[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    ledger = zero;
    saved[6] = SVMC_SAVED_VCPU;
    CHECK_EQ(svmc_ledger_load(&ledger, saved, len), SVMC_ERR_PURPOSE);
    saved[6] = SVMC_SAVED_LEDGER;
    core_store_le64(saved + 16, 0x0ff0); /* the first one */
    CHECK_EQ(svmc_ledger_load(&ledger, saved, len), SVMC_ERR_UNSUPPORTED);
    core_store_le64(saved + 16, 0x10000);
    CHECK_EQ(svmc_ledger_load(&ledger, saved, len), SVMC_ERR_FORMAT);
    core_store_le64(saved + 16, core_load_le64(saved + 16 + 80)); /* twice */
    CHECK_EQ(svmc_ledger_load(&ledger, saved, len), SVMC_ERR_FORMAT);
    CHECK_MEM(&ledger, &zero, sizeof zero);
    core_store_le32(saved + 8, 16 + 80);
    core_store_le64(saved + 16, SVMC_KIND_IN);
    memset(saved + 24, 0, 72); /* nothing counted */
    CHECK_EQ(svmc_ledger_load(&ledger, saved, 16 + 80), SVMC_ERR_FORMAT);
}

/* As docs/spec/state.md has it, by hand. */
TEST(ledger, the_bytes_of_sums) /* ST-1 ST-17 */
{
    uint8_t want[16 + 80] = { 'S', 'V', 'S', 'T', 1, 0, 6, 0, 96 };
    size_t len;

    set_up();
    lab.world.clock_step = 0;
    CHECK_EQ(svmc_ledger_save(&ledger, NULL, 0, &len), SVMC_ERR_FULL);
    CHECK_EQ(len, 16);
    CHECK_EQ(lab_exit(&lab, scenario_named("in eax own")), SVMC_OK);
    CHECK_EQ(give(SVMC_REPLY_DONE), SVMC_OK);
    core_store_le64(want + 16, SVMC_KIND_IN);
    want[24] = want[32] = 1; /* exits, delegated */
    want[40] = 2;            /* bytes shown, accepted */
    want[48] = 4;
    want[72] = 1; /* answered */
    CHECK_EQ(svmc_ledger_save(&ledger, saved, sizeof saved, &len), SVMC_OK);
    CHECK_EQ(len, sizeof want);
    CHECK_MEM(saved, want, sizeof want);
    CHECK_EQ(svmc_ledger_save(NULL, saved, 9, &len), SVMC_ERR_ARG);
    CHECK_EQ(svmc_ledger_save(&ledger, NULL, 9, &len), SVMC_ERR_ARG);
    CHECK_EQ(svmc_ledger_save(&ledger, saved, 9, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_ledger_load(NULL, saved, 9), SVMC_ERR_ARG);
    CHECK_EQ(svmc_ledger_load(&ledger, NULL, 9), SVMC_ERR_ARG);
    ledger.priv.magic = 0;
    CHECK_EQ(svmc_ledger_load(&ledger, saved, 9), SVMC_ERR_ARG);
    CHECK_EQ(svmc_ledger_save(&ledger, saved, 9, &len), SVMC_ERR_ARG);
}

/* Ledger and sums of a vCPU that moves: the exit that waits is counted once. */
TEST(ledger, a_vcpu_and_its_sums_go_together) /* ST-4 ST-17 AU-1 AU-2 */
{
    static struct svmc_ledger moved;
    uint64_t rng = 9;
    uint8_t *sums = again;
    size_t len, n;

    set_up();
    CHECK_EQ(lab_exit(&lab, scenario_named("in eax own")), SVMC_OK);
    CHECK_EQ(svmc_vcpu_save(&lab.vc, saved, sizeof saved, &len), SVMC_OK);
    CHECK_EQ(svmc_ledger_save(&ledger, sums, sizeof again, &n), SVMC_OK);
    lab_init(&other, &rng);
    CHECK_EQ(svmc_vcpu_set_ledger(&other.vc, &moved), SVMC_OK);
    CHECK_EQ(svmc_ledger_load(&moved, sums, n), SVMC_OK);
    CHECK_EQ(svmc_vcpu_load(&other.vc, saved, len, &other.out), SVMC_OK);
    lab = other; /* `give` answers lab's */
    lab.vc.priv.policy = &lab.policy;
    lab.vc.priv.ctx = &lab.world;
    lab.vc.priv.page = lab.world.page;
    CHECK_EQ(give(SVMC_REPLY_DONE), SVMC_OK);
    ledger = moved;
    CHECK_EQ(sums_of(SVMC_KIND_IN).exits, 1);
    CHECK_EQ(sums_of(SVMC_KIND_IN).delegated, 1);
    CHECK_EQ(sums_of(SVMC_KIND_IN).bytes_shown, 2);
    CHECK_EQ(sums_of(SVMC_KIND_IN).bytes_accepted, 4);
    CHECK_EQ(sums_of(SVMC_KIND_IN).answered, 1);
}
