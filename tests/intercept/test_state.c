/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's state travels: saved while any exit waits, loaded into a new vCPU over a copy of the
 * guest, it comes to the same as the one that stayed. Hostile bytes change nothing.
 */
#include <svmcore/guest/hypercall.h>
#include <svmcore/state.h>

#include "../../src/core/bytes.h"
#include "../../src/intercept/intercept_private.h"
#include "../fakehost/crypto.h"
#include "scenarios.h"

#define STATE_MOST   8192u
#define FRAME        16u
#define VCPU_BYTES   (FRAME + 0x1c8u) /* docs/spec/state.md: what is always there */
#define RECORD_BYTES 78u

static struct lab stays, goes, before;
static struct fakehost_answer honest;
static uint8_t saved[STATE_MOST], again[STATE_MOST];

/* A new vCPU over the same guest, with a page and a secret of its own. */
static void move_guest(void)
{
    uint64_t rng = 4711;

    goes.full_wipe = stays.full_wipe;
    lab_init(&goes, &rng);
    memcpy(goes.world.reg, stays.world.reg, sizeof goes.world.reg);
    memcpy(goes.world.memory, stays.world.memory, sizeof goes.world.memory);
    memcpy(goes.world.hole, stays.world.hole, sizeof goes.world.hole);
    goes.policy.priv.mode = stays.policy.priv.mode;
    goes.world.random = 0x1234567890abcdef;
    CHECK_EQ(svmc_vcpu_init(&goes.vc, &world_ops, &goes.world, &goes.policy, goes.world.page, 7),
             SVMC_OK);
}

static size_t save(const struct lab *lab, uint8_t *out)
{
    size_t len, need;

    CHECK_EQ(svmc_vcpu_save(&lab->vc, NULL, 0, &need), SVMC_ERR_FULL);
    CHECK_EQ(svmc_vcpu_save(&lab->vc, out, STATE_MOST, &len), SVMC_OK);
    CHECK_EQ(len, need);
    return len;
}

/* Save the one, load the other, and save that: the same bytes, the same page. */
static void travel(const char *name)
{
    size_t len = save(&stays, saved);
    uint64_t secret;

    move_guest();
    secret = goes.vc.priv.seq_secret;
    CHECK_EQ(svmc_vcpu_load(&goes.vc, saved, len, &goes.out), SVMC_OK, "%s", name);
    CHECK_EQ(goes.vc.priv.seq_secret, secret, "%s: its own", name); /* ST-8 */
    CHECK_EQ(goes.out.action, stays.vc.priv.pending.active ? SVMC_ACT_DELEGATED : SVMC_ACT_RESUME,
             "%s", name);
    CHECK_EQ(goes.out.stop, SVMC_STOP_NONE, "%s", name);
    CHECK_EQ(save(&goes, again), len, "%s", name);
    CHECK_MEM(saved, again, len, "%s: saved again", name);
    if (stays.vc.priv.pending.active) {
        CHECK_MEM(goes.world.page, stays.world.page, SVMC_PAGE_REP_SEQ, "%s: request", name);
        CHECK_MEM(goes.world.page + SVMC_PAGE_DATA, stays.world.page + SVMC_PAGE_DATA,
                  SVMC_PAGE_BYTES - SVMC_PAGE_DATA, "%s: data", name);
    }
    for (unsigned i = SVMC_PAGE_REP_SEQ; i < SVMC_PAGE_DATA; i++)
        CHECK_EQ(goes.world.page[i], 0, "%s: reply area, %u", name, i);
}

/* The same reply to both; false: no exit waits any more. */
static bool answer_both(const char *name, bool lie)
{
    enum svmc_status st;

    if (!fakehost_prepare(stays.world.page, &honest))
        return false;
    if (lie)
        honest.reply.status = 9;
    CHECK(fakehost_send(stays.world.page, &honest) && fakehost_send(goes.world.page, &honest));
    st = svmc_vcpu_enter(&stays.vc, &stays.out);
    CHECK_EQ(svmc_vcpu_enter(&goes.vc, &goes.out), st, "%s", name);
    CHECK_EQ(goes.out.action, stays.out.action, "%s", name);
    CHECK_EQ(goes.out.rule, stays.out.rule, "%s", name);
    CHECK_EQ(goes.out.data_bytes, stays.out.data_bytes, "%s", name);
    if (stays.out.data_bytes != 0 && goes.out.data_bytes == stays.out.data_bytes)
        CHECK_MEM(goes.out.data, stays.out.data, stays.out.data_bytes, "%s", name);
    CHECK_MEM(&goes.out.fault, &stays.out.fault, sizeof goes.out.fault, "%s", name);
    CHECK_MEM(goes.world.reg, stays.world.reg, sizeof goes.world.reg, "%s: registers", name);
    CHECK_MEM(goes.world.memory, stays.world.memory, sizeof goes.world.memory, "%s", name);
    CHECK_MEM(&goes.vc.priv.stats, &stays.vc.priv.stats, sizeof goes.vc.priv.stats, "%s: counters",
              name);
    return st == SVMC_ERR_HOST_REPLY || stays.out.action == SVMC_ACT_DELEGATED;
}

TEST(state, each_exit_that_waits_is_answered_elsewhere) /* ST-6 ST-7 ST-8 PG-1 R17 */
{
    unsigned waited = 0;

    for (unsigned n = 0; n < 2 * scenario_count; n++) {
        const char *name = scenarios[n / 2].name;
        uint64_t rng = 99 + n;
        bool more = true;

        stays.full_wipe = n % 2 != 0;
        lab_init(&stays, &rng);
        CHECK_EQ(lab_begin(&stays, n / 2), SVMC_OK, "%s", name);
        CHECK_EQ(stays.out.action, SVMC_ACT_DELEGATED, "%s", name);
        for (unsigned parts = 0; more && parts < 8; parts++) { /* before each part of a block */
            waited++;
            travel(name);
            more = answer_both(name, false);
        }
        CHECK(!more, "%s", name);
        travel(name); /* ST-4: and when nothing waits */
        CHECK_EQ(goes.out.action, SVMC_ACT_RESUME, "%s", name);
    }
    stays.full_wipe = false;
    CHECK(waited > 2 * scenario_count, "only %u: no block went in parts", waited);
}

/* A string of a backend that takes `least` chunks, or one more: ST-7. */
static void check_string(struct svmc_exit e, bool partial, unsigned least)
{
    uint64_t rng = 7;
    unsigned chunks = 0;

    lab_init(&stays, &rng);
    e.address = LAB_PORT;
    e.data = e.kind == SVMC_KIND_OUTS ? stays.backend_data : NULL;
    CHECK_EQ(svmc_vcpu_exit(&stays.vc, &e, &stays.out), SVMC_OK);
    while (stays.out.action == SVMC_ACT_DELEGATED && chunks++ < 8) {
        travel("string");
        if (partial && chunks == 1) { /* half of the first chunk */
            CHECK(fakehost_prepare(stays.world.page, &honest));
            honest.reply.status = SVMC_REPLY_PARTIAL;
            honest.reply.done /= 2;
            honest.reply.data_bytes = honest.reply.data_bytes ? honest.reply.done * e.size : 0;
            CHECK(fakehost_send(stays.world.page, &honest));
            CHECK_EQ(svmc_vcpu_enter(&stays.vc, &stays.out), SVMC_OK);
            continue;
        }
        (void)answer_both("string", false);
    }
    CHECK_EQ(stays.out.action, SVMC_ACT_RESUME);
    CHECK(chunks == least || chunks == least + 1, "%u", chunks);
}

TEST(state, a_string_goes_on_in_the_middle) /* ST-7 R11 */
{
    for (unsigned n = 0; n < 8; n++) {
        struct svmc_exit e = { .kind = n % 2 ? SVMC_KIND_OUTS : SVMC_KIND_INS,
                               .size = n & 2 ? 4 : 1 };

        e.count = SVMC_EXIT_DATA_MAX / e.size;
        check_string(e, n >= 4, 2);
        e.count = 5;
        check_string(e, n >= 4, 1);
        e.backward = 1; /* one at a time: EX-7; a part of one is none */
        check_string(e, false, 5);
    }
}

TEST(state, what_was_not_staged_is_taken_out_of_the_page) /* ST-7 */
{
    unsigned n = scenario_named("outs 1 kvm");
    struct svmc_reply retry = { .status = SVMC_REPLY_RETRY };
    uint64_t rng = 5;

    lab_init(&stays, &rng);
    CHECK_EQ(lab_begin(&stays, n), SVMC_OK);
    CHECK_EQ(stays.vc.priv.pending.staged, 0);
    travel("outs"); /* and a RETRY shows the bytes once more */
    CHECK(fakehost_prepare(goes.world.page, &honest));
    retry.seq = honest.request.seq;
    CHECK_EQ(svmc_reply_write(goes.world.page, &retry, NULL), SVMC_OK);
    CHECK_EQ(svmc_vcpu_enter(&goes.vc, &goes.out), SVMC_OK);
    CHECK_EQ(goes.out.action, SVMC_ACT_DELEGATED);
    CHECK_MEM(goes.world.page + SVMC_PAGE_DATA, stays.backend_data, 5);
}

TEST(state, a_way_of_a_host_ends_where_it_would_have) /* ST-5 ST-8 R11 R16 PG-7 */
{
    unsigned n = scenario_named("in al own");
    struct svmc_reply retry = { .status = SVMC_REPLY_RETRY };
    uint64_t rng = 5, numbers[LAB_RETRIES + 1];
    size_t len;

    lab_init(&stays, &rng);
    CHECK_EQ(lab_begin(&stays, n), SVMC_OK);
    for (unsigned i = 0; i < LAB_RETRIES + 1; i++) { /* moved before each RETRY */
        CHECK(fakehost_prepare(stays.world.page, &honest));
        numbers[i] = honest.request.seq;
        for (unsigned j = 0; j < i; j++)
            CHECK(numbers[j] != numbers[i], "%u and %u", j, i);
        CHECK_EQ(numbers[i] >> 48, 7);
        travel("retry");
        retry.seq = numbers[i];
        CHECK_EQ(svmc_reply_write(goes.world.page, &retry, NULL), SVMC_OK);
        CHECK_EQ(svmc_vcpu_enter(&goes.vc, &goes.out), SVMC_OK);
        stays = goes;
        stays.vc.priv.policy = &stays.policy;
        stays.vc.priv.ctx = &stays.world;
        stays.vc.priv.page = stays.world.page;
    }
    CHECK_EQ(stays.out.action, SVMC_ACT_STOP);
    CHECK_EQ(stays.out.stop, SVMC_STOP_RETRIES);
    len = save(&stays, saved); /* EX-9: and it stays stopped */
    move_guest();
    CHECK_EQ(svmc_vcpu_load(&goes.vc, saved, len, &goes.out), SVMC_OK);
    CHECK_EQ(goes.out.action, SVMC_ACT_STOP);
    CHECK_EQ(goes.out.stop, SVMC_STOP_RETRIES);
    CHECK_EQ(lab_begin(&goes, n), SVMC_ERR_STATE);
    CHECK_EQ(goes.out.stop, SVMC_STOP_RETRIES);
}

TEST(state, refusals_in_a_row_are_not_forgotten) /* ST-5 R16 */
{
    unsigned n = scenario_named("in al own");
    uint64_t rng = 5;

    lab_init(&stays, &rng);
    stays.policy.priv.refusal_limit = 3;
    CHECK_EQ(lab_begin(&stays, n), SVMC_OK);
    for (unsigned i = 0; i < 2; i++) {
        travel("refused");
        goes.policy.priv.refusal_limit = 3;
        CHECK(answer_both("refused", true));
        CHECK_EQ(stays.vc.priv.refusals, i + 1);
    }
    travel("refused");
    goes.policy.priv.refusal_limit = 3;
    (void)answer_both("refused", true);
    CHECK_EQ(goes.out.action, SVMC_ACT_STOP);
    CHECK_EQ(goes.out.stop, SVMC_STOP_REFUSALS);
}

TEST(state, refusals_do_not_begin_anew_at_the_end_of_their_count) /* ST-5 R16 */
{
    uint64_t rng = 5;
    size_t len;

    lab_init(&stays, &rng);
    CHECK_EQ(lab_begin(&stays, scenario_named("in al own")), SVMC_OK);
    len = save(&stays, saved);
    memset(saved + 24, 0xff, 4);
    move_guest();
    CHECK_EQ(svmc_vcpu_load(&goes.vc, saved, len, &goes.out), SVMC_OK);
    CHECK(fakehost_prepare(goes.world.page, &honest));
    honest.reply.seq ^= 1;
    CHECK(fakehost_send(goes.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&goes.vc, &goes.out), SVMC_ERR_HOST_REPLY);
    CHECK_EQ(goes.out.stop, SVMC_STOP_REFUSALS);
}

/* RDTSC, answered with this time. */
static enum svmc_status tell_time(struct lab *lab, uint64_t time)
{
    CHECK(fakehost_prepare(lab->world.page, &honest));
    honest.reply.out[0] = (uint32_t)time;
    honest.reply.out[1] = time >> 32;
    CHECK(fakehost_send(lab->world.page, &honest));
    return svmc_vcpu_enter(&lab->vc, &lab->out);
}

TEST(state, time_goes_on_and_not_back) /* ST-8 R13 */
{
    unsigned n = scenario_named("rdtsc own");
    const uint64_t last = 0x123456789a;
    uint64_t rng = 5;

    lab_init(&stays, &rng);
    stays.world.clock = 1000000;
    CHECK_EQ(lab_begin(&stays, n), SVMC_OK);
    CHECK_EQ(tell_time(&stays, last), SVMC_OK);
    CHECK_EQ(lab_begin(&stays, n), SVMC_OK);
    travel("time"); /* the new clock begins where it likes, and the guest lay for long */
    CHECK_EQ(tell_time(&goes, last - 1), SVMC_ERR_HOST_REPLY);
    CHECK_EQ(goes.out.rule, 13);
    CHECK_EQ(tell_time(&goes, last + 0x100000000), SVMC_OK);
    CHECK_EQ(goes.out.action, SVMC_ACT_RESUME);
    CHECK_EQ(lab_begin(&goes, n), SVMC_OK); /* from here on by its clock */
    CHECK_EQ(tell_time(&goes, last + 0x500000000), SVMC_ERR_HOST_REPLY);
    CHECK_EQ(goes.out.rule, 13);
}

TEST(state, a_policy_that_has_become_tighter_is_asked_again) /* ST-6 */
{
    static const char *const names[] = { "out 1 kvm",  "wrmsr own",  "hypercall own",   "a64 hvc",
                                         "rv64 ecall", "a64 mrs x9", "mov ebx, m32 own" };
    size_t len;

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct svmc_policy none;
        uint64_t rng = 5;

        lab_init(&stays, &rng);
        CHECK_EQ(lab_begin(&stays, scenario_named(names[i])), SVMC_OK);
        len = save(&stays, saved);
        move_guest();
        CHECK_EQ(svmc_policy_init(&none, 1, 1), SVMC_OK);
        CHECK_EQ(svmc_policy_seal(&none), SVMC_OK);
        CHECK_EQ(svmc_vcpu_init(&goes.vc, &world_ops, &goes.world, &none, goes.world.page, 7),
                 SVMC_OK);
        before = goes;
        CHECK_EQ(svmc_vcpu_load(&goes.vc, saved, len, &goes.out), SVMC_ERR_REFUSED, "%s", names[i]);
        CHECK_EQ(goes.out.action, SVMC_ACT_STOP);
        CHECK_MEM(&goes.vc, &before.vc, sizeof goes.vc, "%s", names[i]);
        CHECK_MEM(goes.world.page, before.world.page, SVMC_PAGE_BYTES);
    }
}

/* Loading these bytes is refused with nothing changed, or is a state that saves as they are. */
static enum svmc_status load_hostile(const uint8_t *bytes, size_t len, const char *name)
{
    enum svmc_status st;
    size_t n;

    st = svmc_vcpu_load(&goes.vc, bytes, len, &goes.out);
    if (st == SVMC_OK) {
        CHECK_EQ(svmc_vcpu_save(&goes.vc, again, sizeof again, &n), SVMC_OK, "%s", name);
        CHECK_EQ(n, len, "%s", name);
        CHECK_MEM(again, bytes, len, "%s", name);
    } else {
        CHECK_EQ(goes.out.action, SVMC_ACT_STOP, "%s", name);
        CHECK_MEM(&goes.vc, &before.vc, sizeof goes.vc, "%s: changed", name);
        CHECK_MEM(goes.world.page, before.world.page, SVMC_PAGE_BYTES, "%s: page", name);
    }
    if (st == SVMC_OK)
        goes.vc = before.vc;
    memset(goes.world.page, 0, sizeof goes.world.page);
    return st;
}

TEST(state, every_length_and_every_bit) /* ST-2 ST-3 ST-6 ST-7 */
{
    static const char *const names[] = { "in al own",    "outs 4 own, crosses a page",
                                         "a64 hvc",      "page state",
                                         "s390 stpcifc", "hypercall own",
                                         "rdtsc own" };
    unsigned refused = 0, other = 0;

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint64_t rng = 5 + i;
        size_t len;

        lab_init(&stays, &rng);
        CHECK_EQ(lab_begin(&stays, scenario_named(names[i])), SVMC_OK);
        len = save(&stays, saved);
        move_guest();
        before = goes;
        for (size_t cut = 0; cut < len; cut++)
            CHECK_EQ(load_hostile(saved, cut, names[i]), SVMC_ERR_FORMAT, "%s, %zu", names[i], cut);
        for (size_t bit = 0; bit < 8 * len; bit += i < 2 || bit < 8 * FRAME ? 1 : 3) {
            saved[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (load_hostile(saved, len, names[i]) == SVMC_OK)
                other++;
            else
                refused++;
            saved[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        CHECK_EQ(load_hostile(saved, len, names[i]), SVMC_OK, "%s", names[i]);
    }
    CHECK(refused > 1000 && other > 1000, "%u refused, %u are other states", refused, other);
}

TEST(state, a_field_that_cannot_be_is_refused) /* ST-3 ST-5 ST-6 ST-7 */
{
    /* of "in al own": where, the byte there, what loading says; offsets from docs/spec/state.md */
    static const struct {
        char name[24];
        size_t at;
        uint8_t byte;
        enum svmc_status want;
    } rows[] = {
        { "magic", 0, 'T', SVMC_ERR_FORMAT },
        { "version 0", 4, 0, SVMC_ERR_FORMAT },
        { "version 2, and no policy", 4, 2, SVMC_ERR_POLICY },
        { "version 3", 4, 3, SVMC_ERR_UNSUPPORTED },
        { "version 257", 5, 1, SVMC_ERR_UNSUPPORTED },
        { "another kind", 6, 2, SVMC_ERR_PURPOSE },
        { "longer", 8, 0xff, SVMC_ERR_FORMAT },
        { "reserved", 12, 1, SVMC_ERR_FORMAT },
        { "another vCPU", 16, 8, SVMC_ERR_OWNER },
        { "no such stop", 20, 4, SVMC_ERR_FORMAT },
        { "stopped and waits", 20, 1, SVMC_ERR_FORMAT },
        { "waits twice", 22, 2, SVMC_ERR_FORMAT },
        { "nothing waits", 22, 0, SVMC_ERR_FORMAT },
        { "reserved", 28, 1, SVMC_ERR_FORMAT },
        { "no request so far", 32, 0, SVMC_ERR_FORMAT },
        { "no time, but one", 48, 1, SVMC_ERR_FORMAT },
        { "no such kind", VCPU_BYTES + 1, 0xff, SVMC_ERR_UNSUPPORTED },
        { "size 3", VCPU_BYTES + 2, 3, SVMC_ERR_FORMAT },
        { "no element", VCPU_BYTES + 4, 0, SVMC_ERR_FORMAT },
        { "another port", VCPU_BYTES + 8, 0x70, SVMC_ERR_REFUSED },
        { "destination", VCPU_BYTES + 36, 0xee, SVMC_ERR_FORMAT },
        { "a direction", VCPU_BYTES + 53, 1, SVMC_ERR_FORMAT },
        { "a block", VCPU_BYTES + 54, 1, SVMC_ERR_FORMAT },
        { "another's request", VCPU_BYTES + 62, 8, SVMC_ERR_FORMAT },
        { "not at its beginning", VCPU_BYTES + 68, 1, SVMC_ERR_FORMAT },
        { "nothing asked for", VCPU_BYTES + 72, 0, SVMC_ERR_FORMAT },
        { "kept", VCPU_BYTES + 76, 1, SVMC_ERR_FORMAT },
    };
    uint64_t rng = 5;
    size_t len;

    lab_init(&stays, &rng);
    CHECK_EQ(lab_begin(&stays, scenario_named("in al own")), SVMC_OK);
    len = save(&stays, saved);
    move_guest();
    before = goes;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t was = saved[rows[i].at];

        saved[rows[i].at] = rows[i].byte;
        CHECK_EQ(load_hostile(saved, len, rows[i].name), rows[i].want, "%s", rows[i].name);
        saved[rows[i].at] = was;
    }
    saved[len] = 0;
    CHECK_EQ(load_hostile(saved, len + 1, "longer"), SVMC_ERR_FORMAT);
}

TEST(state, a_way_that_no_exit_goes_is_refused) /* ST-3 ST-6 ST-7 EX-81 */
{
    /* where in the record, the byte there, bytes more at the end */
    static const struct {
        char exit[24], name[28];
        size_t at;
        uint8_t byte, more;
    } rows[] = {
        { "in al own", "from", 40, 0x10, 0 },
        { "ins 4 own", "out, not in", 53, 2, 0 },
        { "ins 4 own", "a block", 54, 1, 0 },
        { "ins 4 own", "kept", 76, 1, 0 },
        { "ins 4 own", "its own, in the middle", 68, 1, 4 },
        { "ins 4 own", "more than there are", 72, 6, 0 },
        { "ins 1 kvm", "not all that there are", 72, 4, 0 },
        { "page state", "operation 0", 78 + 6, 0, 0 },
        { "s390 stpcifc", "longer than its room", 54, 65, 0 },
        { "s390 stpcifc", "no bytes", 54, 0, 0 },
        { "s390 stpcifc", "more kept", 76, 65, 0 },
        { "s390 stpcifc", "behind its end", 68, 64, 0 },
        { "s390 stpcifc", "out, not in", 53, 2, 0 },
        { "s390 stpcifc", "two of them", 72, 2, 0 },
        { "a64 host call", "nothing comes back", 53, 2, 0 },
        { "s390 chsc", "nothing went out", 53, 1, 0 },
        { "s390 chsc", "no direction", 53, 0, 0 },
        { "s390 chsc", "four of them", 53, 4, 0 },
        { "s390 servc, long", "both, and not all out", 53, 3, 0 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t rng = 5;
        size_t len;

        lab_init(&stays, &rng);
        CHECK_EQ(lab_begin(&stays, scenario_named(rows[i].exit)), SVMC_OK, "%s", rows[i].exit);
        len = save(&stays, saved);
        move_guest();
        before = goes;
        CHECK_EQ(load_hostile(saved, len, rows[i].exit), SVMC_OK, "%s", rows[i].exit);
        saved[VCPU_BYTES + rows[i].at] = rows[i].byte;
        memset(saved + len, 0, rows[i].more);
        core_store_le32(saved + 8, (uint32_t)(len + rows[i].more));
        if (rows[i].at == 68 && rows[i].more != 0)
            saved[VCPU_BYTES + 72]--; /* as many as are left */
        CHECK_EQ(load_hostile(saved, len + rows[i].more, rows[i].name), SVMC_ERR_FORMAT, "%s: %s",
                 rows[i].exit, rows[i].name);
    }
}

TEST(state, why_it_was_stopped_has_to_be_a_reason) /* ST-5 EX-9 */
{
    uint64_t rng = 5;
    size_t len;

    lab_init(&stays, &rng);
    len = save(&stays, saved);
    for (uint8_t stop = 0; stop < 8; stop++) {
        move_guest();
        before = goes;
        saved[20] = stop;
        CHECK_EQ(load_hostile(saved, len, "stopped"),
                 stop < SVMC_STOP_ERROR ? SVMC_OK : SVMC_ERR_FORMAT, "%u", stop);
    }
}

TEST(state, callbacks_that_fail) /* ST-8 */
{
    static const char *const names[] = { "wrmsr kvm", "a64 hvc", "rv64 ecall", "hypercall own" };

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint64_t rng = 5;
        unsigned calls;
        size_t len;

        lab_init(&stays, &rng);
        CHECK_EQ(lab_begin(&stays, scenario_named(names[i])), SVMC_OK);
        len = save(&stays, saved);
        move_guest();
        goes.world.calls = 0;
        before = goes;
        CHECK_EQ(load_hostile(saved, len, names[i]), SVMC_OK);
        calls = goes.world.calls;
        for (unsigned k = 1; k <= calls; k++) {
            goes.world.calls = 0;
            goes.world.fail_at = k;
            CHECK_EQ(load_hostile(saved, len, names[i]), SVMC_ERR_CALLBACK, "%s, %u", names[i], k);
        }
    }
}

TEST(state, only_a_new_vcpu_is_loaded) /* ST-4 */
{
    uint64_t rng = 5;
    size_t len = 99, need;
    uint8_t same[4] = { 1, 2, 3, 4 };

    lab_init(&stays, &rng);
    CHECK_EQ(lab_begin(&stays, scenario_named("in al own")), SVMC_OK);
    need = save(&stays, saved);
    CHECK_EQ(svmc_vcpu_load(&stays.vc, saved, need, &stays.out), SVMC_ERR_STATE); /* it waits */
    CHECK_EQ(stays.vc.priv.pending.active, 1);
    travel("once");
    (void)answer_both("once", false);
    CHECK_EQ(svmc_vcpu_load(&stays.vc, saved, need, &stays.out), SVMC_ERR_STATE); /* it has run */
    move_guest();
    CHECK_EQ(svmc_vcpu_load(&goes.vc, NULL, need, &goes.out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vcpu_load(&goes.vc, saved, need, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vcpu_load(NULL, saved, need, &goes.out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vcpu_save(NULL, saved, need, &len), SVMC_ERR_ARG);
    CHECK_EQ(len, 0);
    CHECK_EQ(svmc_vcpu_save(&stays.vc, NULL, 4, &len), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vcpu_save(&stays.vc, saved, need, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vcpu_save(&stays.vc, same, sizeof same, &len), SVMC_ERR_FULL);
    CHECK_EQ(len, VCPU_BYTES);
    CHECK_EQ(core_load_le32(same), 0x04030201); /* kept */
}

/* ---- under another policy --------------------------------------------------------------------*/

static struct fake_crypto crypto;

/* Saved, with or without an exit that waits, and the policy named. */
static size_t save_named(bool waits)
{
    uint64_t rng = 5;

    fake_crypto_init(&crypto);
    lab_init(&stays, &rng);
    if (waits)
        CHECK_EQ(lab_begin(&stays, scenario_named("in al own")), SVMC_OK);
    CHECK_EQ(svmc_vcpu_name_policy(&stays.vc, &crypto.ops), SVMC_OK);
    return save(&stays, saved);
}

/* A new vCPU; named: its policy is. */
static void make_place(bool named)
{
    move_guest();
    if (named)
        CHECK_EQ(svmc_vcpu_name_policy(&goes.vc, &crypto.ops), SVMC_OK);
    before = goes;
}

TEST(state, a_named_policy_goes_with_its_vcpu) /* ST-19 PO-7 */
{
    uint8_t digest[32];
    size_t len;

    for (int waits = 0; waits < 2; waits++) {
        len = save_named(waits != 0);
        CHECK_EQ(len, VCPU_BYTES + 32 + (waits ? RECORD_BYTES : 0));
        CHECK_EQ(core_load_le16(saved + 4), 2);
        CHECK_EQ(svmc_policy_digest(&stays.policy, &crypto.ops, digest), SVMC_OK);
        CHECK_MEM(saved + VCPU_BYTES, digest, 32);
        make_place(true);
        CHECK_EQ(load_hostile(saved, len, "the same"), SVMC_OK);
        CHECK_EQ(goes.out.action, waits ? SVMC_ACT_DELEGATED : SVMC_ACT_RESUME);
        for (size_t n = 0; n < len; n++) { /* of each length */
            core_store_le32(saved + 8, (uint32_t)n);
            CHECK_EQ(load_hostile(saved, n, "cut"), SVMC_ERR_FORMAT, "%zu", n);
        }
    }
}

TEST(state, another_policy_is_refused) /* ST-19 */
{
    for (int waits = 0; waits < 2; waits++) {
        const size_t len = save_named(waits != 0);
        struct svmc_policy other;

        make_place(false);
        CHECK_EQ(load_hostile(saved, len, "none is named"), SVMC_ERR_POLICY);
        make_place(true);
        for (unsigned bit = 0; bit < 256; bit++) {
            saved[VCPU_BYTES + bit / 8] ^= (uint8_t)(1 << bit % 8);
            CHECK_EQ(load_hostile(saved, len, "bit"), SVMC_ERR_POLICY, "%u", bit);
            saved[VCPU_BYTES + bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        make_place(false); /* one that would let the exit wait, too */
        CHECK_EQ(svmc_policy_preset(&other, SVMC_PRESET_OPEN, 4, 4), SVMC_OK);
        CHECK_EQ(svmc_policy_seal(&other), SVMC_OK);
        CHECK_EQ(svmc_vcpu_init(&goes.vc, &world_ops, &goes.world, &other, goes.world.page, 7),
                 SVMC_OK);
        before = goes;
        core_store_le16(saved + 4, 1); /* as if it named none */
        memmove(saved + VCPU_BYTES, saved + VCPU_BYTES + 32, len - VCPU_BYTES - 32);
        core_store_le32(saved + 8, (uint32_t)(len - 32));
        CHECK_EQ(load_hostile(saved, len - 32, "its exit"), SVMC_OK);
        CHECK_EQ(save_named(waits != 0), len);
        CHECK_EQ(svmc_vcpu_name_policy(&goes.vc, &crypto.ops), SVMC_OK);
        before = goes;
        CHECK_EQ(load_hostile(saved, len, "another one"), SVMC_ERR_POLICY);
    }
}

TEST(state, a_policy_that_cannot_be_named_is_not) /* ST-19 */
{
    struct svmc_vcpu none = { 0 };
    size_t len = save_named(false), n;

    CHECK_EQ(svmc_vcpu_name_policy(NULL, &crypto.ops), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vcpu_name_policy(&none, &crypto.ops), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vcpu_name_policy(&stays.vc, NULL), SVMC_ERR_ARG); /* and the old name is gone */
    n = save(&stays, again);
    CHECK_EQ(n, len - 32);
    CHECK_EQ(core_load_le16(again + 4), 1);
    make_place(true);
    CHECK_EQ(svmc_vcpu_load(&goes.vc, again, n, &goes.out), SVMC_OK); /* it names none */
    for (unsigned k = 1; k < 5000; k++) {
        fake_crypto_init(&crypto);
        crypto.fail_at = k;
        if (svmc_vcpu_name_policy(&stays.vc, &crypto.ops) == SVMC_OK)
            return;
        CHECK_EQ(save(&stays, again), len - 32, "%u", k);
        CHECK_EQ(crypto.open, 0, "%u", k);
    }
    CHECK(false, "it never is");
}

/* As docs/spec/state.md has it, by hand. */
TEST(state, the_bytes_of_a_vcpu) /* ST-1 ST-4 ST-5 ST-6 */
{
    const size_t record = VCPU_BYTES;
    uint8_t want[VCPU_BYTES + RECORD_BYTES] = { 'S', 'V', 'S', 'T', 1, 0, 1 };
    struct svmc_exit e = scenarios[scenario_named("in al own")].exit;
    uint64_t rng = 5;

    e.state = SVMC_STATE_SHADOW_STI;
    lab_init(&stays, &rng);
    stays.vc.priv.seq_secret = (uint64_t)7 << 48 | 0x060504030201;
    CHECK_EQ(svmc_vcpu_exit(&stays.vc, &e, &stays.out), SVMC_OK);
    stays.vc.priv.stats.refused_by_rule[1] = 0x1122;
    stays.vc.priv.stats.observed_by_rule[18] = 0x3344;
    core_store_le32(want + 8, sizeof want);
    want[0x10] = 7;     /* id */
    want[0x16] = 1;     /* an exit waits */
    want[0x20] = 1;     /* requests */
    want[0x48] = 1;     /* exits */
    want[0x50] = 2;     /* bytes shown: the port's number */
    want[0x78 + 8] = 1; /* verdicts: DELEGATE */
    core_store_le16(want + 0xb8, 0x1122);
    core_store_le16(want + 0xb8 + 16 * 17 + 8, 0x3344);
    core_store_le16(want + record, SVMC_KIND_IN);
    want[record + 2] = 1;
    want[record + 4] = 1;
    want[record + 8] = LAB_PORT;
    want[record + 32] = 3;            /* insn_bytes */
    want[record + 36] = SVMC_REG_RAX; /* destination */
    want[record + 37] = 1;
    want[record + 46] = SVMC_STATE_SHADOW_STI;
    want[record + 48] = SVMC_FINISH_REGS | SVMC_FINISH_RIP;
    core_store_le64(want + record + 56, stays.vc.priv.seq_secret); /* number 0 */
    want[record + 72] = 1;                                         /* asked for */
    CHECK_EQ(save(&stays, saved), sizeof want);
    for (size_t i = 0; i < sizeof want; i++)
        CHECK_EQ(saved[i], want[i], "byte %zx", i);
    CHECK_EQ(svmc_saved_kind(saved, sizeof want), SVMC_SAVED_VCPU);
    CHECK_EQ(svmc_saved_kind(saved, 15), SVMC_SAVED_NONE);
    CHECK_EQ(svmc_saved_kind(NULL, 16), SVMC_SAVED_NONE);
    saved[0] = 0;
    CHECK_EQ(svmc_saved_kind(saved, sizeof want), SVMC_SAVED_NONE);
}
