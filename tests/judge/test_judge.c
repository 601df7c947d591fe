/* SPDX-License-Identifier: MIT */
/** Calls of the dispatcher, judged by a pool: docs/spec/judge.md. */
#include <svmcore/judge.h>

#include <string.h>

#include "../harness.h"
#include "../token/token_lab.h"

#define OWNER     9u
#define CALL_OPEN 8u  /* classes 2 and 3 */
#define CALL_LOW  9u  /* class 1 */
#define CALL_GO   10u /* class 3, PARTIAL */
#define VCPUS     4u
#define IP        0xffff800000123104u

static struct world {
    struct token_lab lab;
    struct svmc_judge judge;
    struct svmc_token_vcpu vcpus[VCPUS];
    struct svmc_hcall_table table;
    struct svmc_hcall_vm vm;
    struct svmc_hcall_vcpu vcpu[VCPUS];
    struct svmc_hcall_slot slots[VCPUS];
    uint64_t room[256], scratch[64];
    unsigned calls, fail_at; /* of callbacks, 1-based; 0: none */
    unsigned walks, locks, handled, refusals;
    bool locked;
    int walk_is;   /* 0: the frame; 1: AUTH; 2: another frame; 3: it fails with one; 4: STALE */
    int caller_is; /* 0: as it is; 1: another vCPU; 2: another privilege; 3: no isa */
    uint32_t why;
    uint64_t arg_seen;
} w;

static bool fails(void)
{
    return ++w.calls == w.fail_at;
}

static enum svmc_status caller(void *ctx, const struct svmc_hcall_call *call,
                               struct svmc_token_caller *out)
{
    uint32_t vcpu = out->vcpu;
    uint8_t user = out->user;

    CHECK(ctx == &w && user == call->user && out->root == 0);
    *out = w.lab.caller;
    out->frame = 0;
    out->vcpu = w.caller_is == 1 ? vcpu + 1 : vcpu;
    out->user = w.caller_is == 2 ? !user : user;
    out->isa = w.caller_is == 3 ? SVMC_ISA_NONE : out->isa;
    return fails() ? SVMC_ERR_STATE : SVMC_OK;
}

static enum svmc_status walk(void *ctx, const struct svmc_token_caller *who, uint32_t handle,
                             uint64_t *frame)
{
    CHECK(ctx == &w && who->root == LAB_ROOT && !w.locked);
    CHECK(handle == w.lab.token.handle || w.walk_is == 0);
    w.walks++;
    *frame = w.walk_is == 2 ? LAB_FRAME + 4096 : LAB_FRAME;
    if (fails() || w.walk_is == 3)
        return SVMC_ERR_CALLBACK;
    return w.walk_is == 1 ? SVMC_ERR_AUTH : w.walk_is == 4 ? SVMC_ERR_STALE : SVMC_OK;
}

static void refused(void *ctx, const struct svmc_token_caller *who,
                    const struct svmc_hcall_call *call, uint32_t why)
{
    CHECK(ctx == &w && who->vm == w.lab.caller.vm && (call->control & SVMC_HCALL_TOKEN) &&
          !w.locked);
    w.refusals++;
    w.why = why;
}

static void lock(void *ctx)
{
    CHECK(ctx == &w && !w.locked);
    w.locked = true;
    w.locks++;
}

static void unlock(void *ctx)
{
    CHECK(ctx == &w && w.locked);
    w.locked = false;
}

static const struct svmc_judge_ops ops = { .size = sizeof ops,
                                           .caller = caller,
                                           .walk = walk,
                                           .refused = refused,
                                           .lock = lock,
                                           .unlock = unlock };

static enum svmc_status token(void *ctx, uint32_t vcpu, const struct svmc_hcall_call *call,
                              struct svmc_hcall_accepted *out)
{
    return svmc_judge_call(&((struct world *)ctx)->judge, vcpu, call, out);
}

static const struct svmc_hcall_ops hcall_ops = { .size = sizeof hcall_ops, .token = token };

static uint32_t handle(void *ctx, struct svmc_hcall_run *run)
{
    CHECK(ctx == &w);
    w.handled++;
    w.arg_seen = run->arg[0];
    CHECK(run->token == w.lab.token.handle && run->rights == w.lab.grant.rights && run->ip == IP);
    run->arg[0] = run->token_class;
    return SVMC_HCALL_OK;
}

static uint32_t go_on(void *ctx, struct svmc_hcall_run *run)
{
    (void)handle(ctx, run);
    if (run->resumed)
        return SVMC_HCALL_OK;
    run->progress = 1;
    return SVMC_HCALL_PARTIAL;
}

static const struct svmc_hcall_schema schema = { .arg = { { .kind = SVMC_HCALL_U64 } },
                                                 .results = 1 };
#define MAY (SVMC_HCALL_MAY_ALL & ~SVMC_HCALL_ANY_CLASS)
static const struct svmc_hcall_entry entries[] = {
    { .handler = handle,
      .may = MAY | SVMC_HCALL_CLASS(2) | SVMC_HCALL_CLASS(3),
      .number = CALL_OPEN,
      .since = 1,
      .name = "open" },
    { .handler = handle,
      .may = MAY | SVMC_HCALL_CLASS(1),
      .number = CALL_LOW,
      .since = 1,
      .name = "low" },
    { .handler = go_on,
      .may = MAY | SVMC_HCALL_CLASS(3),
      .number = CALL_GO,
      .since = 1,
      .flags = SVMC_HCALL_MAY_PARTIAL,
      .name = "go" },
};
static const struct svmc_hcall_owner owner = { .calls = entries,
                                               .schemas = &schema,
                                               .call_count = 3,
                                               .schema_count = 1,
                                               .may = SVMC_HCALL_MAY_ALL,
                                               .first = 1,
                                               .last = 1,
                                               .owner = OWNER };

static void start(void)
{
    static const struct svmc_hcall_place place = { .isa = SVMC_ISA_X86_64 };

    memset(&w, 0, sizeof w);
    token_lab_open(&w.lab);
    w.lab.grant.classes = 1u << 2 | 1u << 3;
    CHECK_EQ(svmc_token_enrol(&w.lab.pool, &w.lab.caller, &w.lab.grant, SVMC_OK, &w.lab.token),
             SVMC_OK);
    for (uint32_t i = 0; i < VCPUS; i++)
        svmc_token_vcpu_init(&w.vcpus[i]);
    CHECK_EQ(svmc_judge_init(&w.judge, &w.lab.pool, w.vcpus, VCPUS, &ops, &w), SVMC_OK);
    CHECK_EQ(svmc_hcall_init(&w.table, &owner, 1, w.room, sizeof w.room, NULL), SVMC_OK);
    w.vm = (struct svmc_hcall_vm){ .table = &w.table,
                                   .ops = &hcall_ops,
                                   .ctx = &w,
                                   .crypto = &w.lab.fake.ops,
                                   .mac_alg = SVMC_ALG_MAC_BLAKE2B_256 };
    for (uint32_t i = 0; i < VCPUS; i++) {
        struct svmc_hcall_room room = { .scratch = w.scratch, .scratch_bytes = sizeof w.scratch };

        room.slots = &w.slots[i];
        room.slot_count = 1;
        CHECK_EQ(svmc_hcall_vcpu_init(&w.vcpu[i], &w.vm, i, &place, &room), SVMC_OK);
    }
}

static uint64_t word(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (unsigned i = 8; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

static struct svmc_hcall_call call_of(uint32_t number, uint64_t flags)
{
    struct svmc_hcall_call call = {
        .control = (uint64_t)SVMC_HCALL_ABI << SVMC_HCALL_ABI_SHIFT | flags | SVMC_HCALL_TOKEN |
                   OWNER << SVMC_HCALL_OWNER_SHIFT | number,
        .token = { w.lab.token.handle, word(w.lab.token.tag), word(w.lab.token.tag + 8) },
        .ip = IP,
        .user = 1,
    };

    return call;
}

/* The status code, or 0xffff: the dispatcher failed. */
static unsigned made(struct svmc_hcall_call *call, uint32_t vcpu)
{
    struct svmc_hcall_result result;

    if (svmc_hcall_dispatch(&w.vcpu[vcpu], call, &result) != SVMC_OK)
        return 0xffff;
    CHECK_EQ(result.end, SVMC_HCALL_DONE);
    return SVMC_HCALL_CODE_OF(result.status);
}

static unsigned ask(uint32_t number, uint64_t flags)
{
    struct svmc_hcall_call call = call_of(number, flags);

    return made(&call, w.lab.caller.vcpu);
}

TEST(judge, a_good_token_gets_through_and_is_walked_once) /* JU-3 JU-4 */
{
    struct svmc_hcall_call call;

    start();
    call = call_of(CALL_OPEN, 0);
    call.arg[0] = 77;
    CHECK_EQ(made(&call, w.lab.caller.vcpu), SVMC_HCALL_OK);
    CHECK_EQ(call.arg[0], 2, "the lowest class"); /* JU-5 */
    CHECK(w.walks == 1 && w.handled == 1 && w.arg_seen == 77 && w.refusals == 0);
    CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_OK);
    CHECK_EQ(w.walks, 1);
    w.lab.caller.stage2_generation++;
    CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_OK);
    CHECK_EQ(w.walks, 2);
}

/* Each part of who calls is the pool's business; here: that it arrives there. */
TEST(judge, what_differs_is_refused_and_all_look_alike) /* JU-2 JU-5 */
{
    static const struct {
        char name[24];
        uint32_t why;
    } rows[] = {
        { "tag low", SVMC_TOKEN_TAG },
        { "tag high", SVMC_TOKEN_TAG },
        { "beside the handle", SVMC_TOKEN_UNKNOWN },
        { "generation", SVMC_TOKEN_UNKNOWN },
        { "index", SVMC_TOKEN_UNKNOWN },
        { "vcpu", SVMC_TOKEN_OTHER_VCPU },
        { "kernel", SVMC_TOKEN_PRIVILEGE },
        { "root", SVMC_TOKEN_OTHER_ROOT },
        { "page", SVMC_TOKEN_SITE },
        { "offset", SVMC_TOKEN_SITE },
        { "thread", SVMC_TOKEN_CONTEXT },
        { "returns", SVMC_TOKEN_CONTEXT },
        { "vm", SVMC_TOKEN_OTHER_VM },
        { "restored", SVMC_TOKEN_RESTORED },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_hcall_call call;
        uint32_t vcpu;
        unsigned code;

        start();
        w.lab.grant.flags = SVMC_TOKEN_ONE_THREAD;
        w.lab.grant.vcpus = 1;
        w.lab.grant.vcpu_first = w.lab.caller.vcpu;
        w.lab.grant.returns = w.lab.caller.returns;
        w.lab.grant.return_bytes = 1;
        CHECK_EQ(svmc_token_enrol(&w.lab.pool, &w.lab.caller, &w.lab.grant, SVMC_OK, &w.lab.token),
                 SVMC_OK);
        vcpu = w.lab.caller.vcpu;
        CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_OK, "%s", rows[i].name);
        call = call_of(CALL_OPEN, 0);
        call.token[1] ^= i == 0 ? (uint64_t)1 << 63 : 0;
        call.token[2] ^= i == 1;
        call.token[0] ^= i == 2 ? (uint64_t)1 << 32 : i == 3 ? 1u << 17 : i == 4 ? 8u : 0u;
        vcpu ^= i == 5;
        call.user ^= i == 6;
        w.lab.caller.root ^= i == 7 ? 4096 : 0;
        w.lab.caller.page ^= i == 8 ? 4096 : 0;
        w.lab.caller.offset ^= i == 9;
        w.lab.caller.thread ^= i == 10;
        w.lab.caller.returns += i == 11 ? 4096 : 0;
        w.lab.caller.vm ^= i == 12;
        w.lab.caller.vm_generation += i == 13;
        w.refusals = w.handled = 0;
        code = made(&call, vcpu);
        CHECK_EQ(code, SVMC_HCALL_DENIED, "%s", rows[i].name);
        CHECK(w.refusals == 1 && w.handled == 0, "%s", rows[i].name);
        CHECK_EQ(w.why & (0 - w.why), rows[i].why, "%s", rows[i].name); /* JU-7 */
    }
}

TEST(judge, the_walk_is_believed_and_nothing_else) /* JU-3 JU-7 */
{
    start();
    w.walk_is = 2;
    CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_DENIED);
    CHECK_EQ(w.why, SVMC_TOKEN_REMAPPED);
    CHECK_EQ(token_lab_event(&w.lab).what, LAB_FRAME + 4096);
    w.walk_is = 1;
    CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_DENIED);
    CHECK_EQ(w.why, SVMC_TOKEN_REMAPPED);
    CHECK_EQ(token_lab_event(&w.lab).kind, SVMC_TOKEN_EVENT_REMAPPED);
    w.walk_is = 4; /* the same of a way that is older */
    CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_DENIED);
    CHECK_EQ(w.why, SVMC_TOKEN_REMAPPED);
    CHECK_EQ(token_lab_event(&w.lab).kind, SVMC_TOKEN_EVENT_REMAPPED);
    w.walk_is = 3;
    CHECK_EQ(ask(CALL_OPEN, 0), 0xffff);
    CHECK_EQ(w.handled, 0);
    w.walk_is = 0;
    CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_OK);
    w.lab.token.tag[0] ^= 1; /* refused without a walk: no word about the frame */
    w.walks = 0;
    CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_DENIED);
    CHECK(w.why == SVMC_TOKEN_TAG && w.walks == 0);
}

TEST(judge, a_class_of_the_call_and_of_the_token) /* JU-5 */
{
    struct svmc_hcall_call call;

    start();
    CHECK_EQ(ask(CALL_LOW, 0), SVMC_HCALL_DENIED);
    CHECK(w.refusals == 1 && w.why == 0 && w.handled == 0);
    for (unsigned i = 0; i < 2 * LAB_LIMIT; i++) /* which is no miss */
        CHECK_EQ(ask(CALL_LOW, 0), SVMC_HCALL_DENIED);
    call = call_of(CALL_GO, 0);
    CHECK_EQ(made(&call, w.lab.caller.vcpu), SVMC_HCALL_PARTIAL);
    call.control |= SVMC_HCALL_RESUME;
    CHECK_EQ(made(&call, w.lab.caller.vcpu), SVMC_HCALL_OK);
    CHECK_EQ(call.arg[0], 3);
}

TEST(judge, guesses_lock_the_vcpu_that_makes_them) /* JU-1 */
{
    start();
    CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_OK);
    w.lab.token.tag[5] ^= 1;
    for (unsigned i = 0; i < LAB_LIMIT; i++)
        CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_DENIED);
    w.lab.token.tag[5] ^= 1;
    CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_DENIED);
    CHECK_EQ(w.why, SVMC_TOKEN_LOCKED);
    {
        struct svmc_hcall_call call = call_of(CALL_OPEN, 0);

        CHECK_EQ(made(&call, w.lab.caller.vcpu - 1), SVMC_HCALL_OK, "another vCPU");
    }
    w.lab.caller.ticks += LAB_LOCK;
    CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_OK);
}

static struct svmc_hcall_call tagged(uint32_t number, uint64_t arg, uint64_t counter,
                                     uint64_t flags)
{
    struct svmc_hcall_call call = call_of(number, SVMC_HCALL_TAGGED | flags);
    struct svmc_token_call made_of = { .control = call.control, .counter = counter };
    uint8_t mac[SVMC_TOKEN_TAG_BYTES];

    call.arg[0] = made_of.arg[0] = arg;
    CHECK_EQ(
        svmc_token_call_mac(&w.lab.fake.ops, SVMC_ALG_MAC_BLAKE2B_256, &w.lab.token, &made_of, mac),
        SVMC_OK);
    call.token[0] |= counter << 32;
    call.token[1] = word(mac);
    call.token[2] = word(mac + 8);
    return call;
}

TEST(judge, a_tagged_call_works_once_and_as_it_was_meant) /* JU-4 */
{
    struct svmc_hcall_call call, again;

    start();
    call = again = tagged(CALL_OPEN, 5, 3, 0);
    call.arg[0] = 6;
    CHECK_EQ(made(&call, w.lab.caller.vcpu), SVMC_HCALL_DENIED);
    call = again;
    call.control ^= CALL_OPEN ^ CALL_LOW;
    CHECK_EQ(made(&call, w.lab.caller.vcpu), SVMC_HCALL_DENIED);
    call = again;
    call.token[0] += (uint64_t)1 << 32;
    CHECK_EQ(made(&call, w.lab.caller.vcpu), SVMC_HCALL_DENIED);
    call = again;
    CHECK_EQ(made(&call, w.lab.caller.vcpu), SVMC_HCALL_OK);
    CHECK_EQ(w.arg_seen, 5);
    call = again;
    CHECK_EQ(made(&call, w.lab.caller.vcpu), SVMC_HCALL_DENIED);
    CHECK_EQ(w.handled, 1);
    call = tagged(CALL_OPEN, 5, 4, 0);
    w.walks = 0;
    w.walk_is = 2;
    CHECK_EQ(made(&call, w.lab.caller.vcpu), SVMC_HCALL_DENIED);
    CHECK_EQ(w.walks, 1);
    w.walk_is = 0;
    call = call_of(CALL_OPEN, SVMC_HCALL_TAGGED); /* the tag itself is no MAC */
    call.token[0] |= (uint64_t)9 << 32;
    CHECK_EQ(made(&call, w.lab.caller.vcpu), SVMC_HCALL_DENIED);
    w.lab.pool.priv.config.mac_alg = 0; /* a pool that has none */
    call = tagged(CALL_OPEN, 5, 9, 0);
    CHECK_EQ(made(&call, w.lab.caller.vcpu), SVMC_HCALL_DENIED);
}

TEST(judge, a_tagged_call_goes_on) /* HN-18: by its handle; counter and MAC are of each call */
{
    struct svmc_hcall_call call;
    uint64_t cursor;

    start();
    call = tagged(CALL_GO, 5, 1, 0);
    CHECK_EQ(made(&call, w.lab.caller.vcpu), SVMC_HCALL_PARTIAL);
    cursor = call.arg[0];
    call = tagged(CALL_GO, 5, 1, SVMC_HCALL_RESUME); /* a counter that was */
    call.arg[0] = cursor;
    CHECK_EQ(made(&call, w.lab.caller.vcpu), SVMC_HCALL_DENIED);
    call = tagged(CALL_GO, 5, 2, SVMC_HCALL_RESUME);
    call.arg[0] = cursor;
    CHECK_EQ(made(&call, w.lab.caller.vcpu), SVMC_HCALL_OK);
    CHECK_EQ(w.arg_seen, 5);
}

TEST(judge, an_expected_call_comes_or_is_an_event) /* JU-6 TK-13: V10 */
{
    uint64_t what, control = call_of(CALL_OPEN, 0).control;
    struct svmc_token_event event;

    start();
    CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_OK);
    CHECK_EQ(w.locks, 0, "nothing is expected");
    CHECK_EQ(
        svmc_judge_expect(&w.judge, w.lab.token.handle, control, w.lab.caller.ticks + 5, &what),
        SVMC_OK);
    CHECK_EQ(what, OWNER << 16 | CALL_OPEN);
    CHECK_EQ(ask(CALL_OPEN, SVMC_HCALL_DRY_RUN), SVMC_HCALL_OK);
    CHECK_EQ(w.locks, 0, "a dry run is not the call");
    CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_OK);
    CHECK_EQ(w.locks, 1);
    CHECK_EQ(svmc_token_tick(&w.lab.pool, w.lab.caller.ticks + 6), SVMC_OK);
    CHECK_EQ(token_lab_event(&w.lab).kind, SVMC_TOKEN_EVENT_NONE);

    CHECK_EQ(svmc_judge_expect(&w.judge, w.lab.token.handle, control, w.lab.caller.ticks + 5, NULL),
             SVMC_OK);
    CHECK_EQ(ask(CALL_GO, 0), SVMC_HCALL_PARTIAL); /* another one */
    w.lab.token.tag[0] ^= 1;
    CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_DENIED); /* somebody else */
    w.lab.token.tag[0] ^= 1;
    w.lab.caller.ticks += 6;
    CHECK_EQ(svmc_token_tick(&w.lab.pool, w.lab.caller.ticks), SVMC_OK);
    event = token_lab_event(&w.lab);
    CHECK(event.kind == SVMC_TOKEN_EVENT_OVERDUE && event.what == what);
    w.locks = 0;
    CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_OK); /* too late, and nobody waits */
    CHECK_EQ(w.locks, 0);
    CHECK_EQ(svmc_judge_expect(&w.judge, w.lab.token.handle ^ 1u << 16, control, UINT64_MAX, NULL),
             SVMC_ERR_STALE);
    CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_OK);
    CHECK_EQ(w.locks, 0, "nothing came of it");
    CHECK_EQ(svmc_judge_expect(NULL, w.lab.token.handle, control, 1, NULL), SVMC_ERR_ARG);
}

TEST(judge, an_expected_call_is_late_by_its_own_tick) /* JU-6: whatever time another one has */
{
    uint64_t control = call_of(CALL_OPEN, 0).control, what;
    struct svmc_token_event event;

    start();
    CHECK_EQ(svmc_judge_expect(&w.judge, w.lab.token.handle, call_of(CALL_GO, 0).control,
                               w.lab.caller.ticks + 500, NULL),
             SVMC_OK);
    CHECK_EQ(
        svmc_judge_expect(&w.judge, w.lab.token.handle, control, w.lab.caller.ticks + 5, &what),
        SVMC_OK);
    w.lab.caller.ticks += 5;
    CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_OK);
    CHECK_EQ(svmc_token_tick(&w.lab.pool, w.lab.caller.ticks), SVMC_OK);
    event = token_lab_event(&w.lab);
    CHECK(event.kind == SVMC_TOKEN_EVENT_OVERDUE && event.what == what);
    w.lab.caller.ticks += 494;
    CHECK_EQ(ask(CALL_GO, 0), SVMC_HCALL_PARTIAL);
    CHECK_EQ(svmc_token_tick(&w.lab.pool, w.lab.caller.ticks + 1), SVMC_OK);
    CHECK_EQ(token_lab_event(&w.lab).kind, SVMC_TOKEN_EVENT_NONE);
}

/* The k-th callback fails, for each k: the hypervisor is told, nothing was made. */
TEST(judge, a_callback_that_fails) /* JU-2 JU-3 */
{
    for (unsigned k = 1; k < 4; k++) {
        struct svmc_hcall_call call, before;
        struct svmc_hcall_accepted accepted, none = { 0 };
        unsigned code;

        start();
        w.fail_at = k;
        call = before = call_of(CALL_OPEN, k == 3 ? SVMC_HCALL_TAGGED : 0);
        code = made(&call, w.lab.caller.vcpu);
        if (k == 3) { /* caller, walk, and no other: a wrong MAC */
            CHECK_EQ(code, SVMC_HCALL_DENIED);
            CHECK_EQ(w.calls, 2);
            continue;
        }
        CHECK_EQ(code, 0xffff);
        CHECK(w.handled == 0 && w.refusals == 0 && w.calls == k);
        CHECK(memcmp(&call, &before, sizeof call) == 0);
        w.calls = 0;
        memset(&accepted, 0xee, sizeof accepted);
        CHECK_EQ(svmc_judge_call(&w.judge, 3, &call, &accepted), SVMC_ERR_CALLBACK);
        CHECK_MEM(&accepted, &none, sizeof none);
        w.fail_at = 0;
        CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_OK);
    }
    start(); /* the pool's own: mac */
    {
        struct svmc_hcall_call call = tagged(CALL_OPEN, 1, 1, 0);

        w.lab.fake.fail_at = w.lab.fake.calls + 1;
        CHECK_EQ(made(&call, w.lab.caller.vcpu), 0xffff);
    }
    for (w.caller_is = 1; w.caller_is < 4; w.caller_is++)
        CHECK_EQ(ask(CALL_OPEN, 0), 0xffff, "%d", w.caller_is);
}

TEST(judge, what_is_needed) /* JU-1 */
{
    struct svmc_judge judge, zero;
    struct svmc_judge_ops with = ops;
    struct svmc_hcall_call call;
    struct svmc_hcall_accepted accepted = { .token_class = 5 };

    start();
    memset(&zero, 0, sizeof zero);
#define REFUSED(...)                                              \
    memset(&judge, 0xee, sizeof judge);                           \
    CHECK_EQ(svmc_judge_init(&judge, __VA_ARGS__), SVMC_ERR_ARG); \
    CHECK(memcmp(&judge, &zero, sizeof zero) == 0)
    REFUSED(NULL, w.vcpus, VCPUS, &ops, &w);
    REFUSED(&w.lab.pool, NULL, VCPUS, &ops, &w);
    REFUSED(&w.lab.pool, w.vcpus, 0, &ops, &w);
    REFUSED(&w.lab.pool, w.vcpus, 0x80000000u, &ops, &w);
    REFUSED(&w.lab.pool, w.vcpus, VCPUS, NULL, &w);
    with.caller = NULL;
    REFUSED(&w.lab.pool, w.vcpus, VCPUS, &with, &w);
    with = ops;
    with.walk = NULL;
    REFUSED(&w.lab.pool, w.vcpus, VCPUS, &with, &w);
    with = ops;
    with.lock = NULL;
    REFUSED(&w.lab.pool, w.vcpus, VCPUS, &with, &w);
    with = ops;
    with.unlock = NULL;
    REFUSED(&w.lab.pool, w.vcpus, VCPUS, &with, &w);
    with.size = offsetof(struct svmc_judge_ops, refused); /* an older host: no log, no lock */
    CHECK_EQ(svmc_judge_init(&w.judge, &w.lab.pool, w.vcpus, VCPUS, &with, &w), SVMC_OK);
    w.lab.token.tag[0] ^= 1;
    CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_DENIED);
    w.lab.token.tag[0] ^= 1;
    CHECK_EQ(svmc_judge_expect(&w.judge, w.lab.token.handle, CALL_OPEN | OWNER << 16, 99, NULL),
             SVMC_OK);
    CHECK_EQ(ask(CALL_OPEN, 0), SVMC_HCALL_OK);
    CHECK(w.locks == 0 && w.refusals == 0);
    CHECK_EQ(svmc_token_tick(&w.lab.pool, 100), SVMC_OK);
    CHECK_EQ(token_lab_event(&w.lab).kind, SVMC_TOKEN_EVENT_NONE);
    call = call_of(CALL_OPEN, 0);
    CHECK_EQ(svmc_judge_call(&w.judge, 0, &call, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_judge_call(&w.judge, VCPUS, &call, &accepted), SVMC_ERR_ARG);
    CHECK_EQ(accepted.token_class, 0);
    CHECK_EQ(svmc_judge_call(&w.judge, 0, NULL, &accepted), SVMC_ERR_ARG);
    CHECK_EQ(svmc_judge_call(NULL, 0, &call, &accepted), SVMC_ERR_ARG);
    memset(&judge, 0, sizeof judge);
    CHECK_EQ(svmc_judge_call(&judge, 0, &call, &accepted), SVMC_ERR_ARG);
}
