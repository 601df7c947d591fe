/* SPDX-License-Identifier: MIT */
/* Measured ranges beside a pool: which calls are walked, and which pages call no more. */
#include <svmcore/token.h>

#include "../harness.h"
#include "measure_lab.h"

#define CODE_FRAME 1u
#define DATA_FRAME 4u

static struct measure_lab lab;
static struct svmc_token_pool pool;
static struct svmc_token_entry entries[4];
static struct svmc_token_vm vms[1];
static struct svmc_token_slot slots[8];
static struct svmc_token_vcpu vcpu;
static struct svmc_token token;
static struct svmc_measure_path path;
static uint32_t code, data;
static uint64_t stage2;
static unsigned walks;

static uint32_t add(unsigned frame, bool is_code)
{
    struct svmc_token_caller caller = lab_caller(LAB_ROOT, CODE_FRAME);
    svmc_gpa at = { lab_at(frame) };
    uint8_t digest[SVMC_HASH_BYTES];
    struct svmc_measure_spec spec = {
        .frames = &at, .count = 1, .token = token.handle, .caller = &caller
    };
    uint32_t range;

    fake_blake2b(digest, sizeof digest, NULL, 0, (const uint8_t *)lab.memory[frame],
                 SVMC_MEASURE_PAGE_BYTES);
    if (is_code) {
        spec.digest = digest;
        spec.digest_alg = SVMC_ALG_BLAKE2B_256;
        spec.code = 1;
    }
    CHECK_EQ(svmc_measure_add(&lab.m, &spec, &range, NULL), SVMC_OK);
    caller.frame = 0;
    if (is_code)
        CHECK_EQ(svmc_measure_path_take(&lab.m, &caller, &path, NULL), SVMC_OK);
    return range;
}

/* A program that is measured, has enrolled and holds a page of code and one of data. */
static void start(uint64_t seed)
{
    const struct svmc_token_config config = { .crypto = &lab.crypto.ops,
                                              .entries = entries,
                                              .vms = vms,
                                              .events = slots,
                                              .entry_count = 4,
                                              .vm_count = 1,
                                              .event_count = 8,
                                              .miss_limit = 1000000,
                                              .lock_ticks = 1 };
    const struct svmc_token_grant grant = { .vcpus = 1,
                                            .classes = 2,
                                            .until = SVMC_TOKEN_FOREVER,
                                            .page = LAB_CODE + lab_at(CODE_FRAME),
                                            .frame = lab_at(CODE_FRAME) };
    struct svmc_token_caller caller = lab_caller(LAB_ROOT, CODE_FRAME);

    lab_start(&lab, seed);
    svmc_token_vcpu_init(&vcpu);
    token.handle = 0;
    code = add(CODE_FRAME, true);
    CHECK_EQ(svmc_token_pool_init(&pool, &config), SVMC_OK);
    CHECK_EQ(svmc_token_vm_open(&pool, LAB_VM, 1), SVMC_OK);
    CHECK_EQ(svmc_token_enrol(&pool, &caller, &grant, SVMC_OK, &token), SVMC_OK);
    CHECK_EQ(svmc_measure_hold(&lab.m, code, token.handle, NULL), SVMC_OK);
    data = add(DATA_FRAME, false);
    stage2 = 1;
    walks = 0;
}

/* A call from the page of code, as a judge lets the pool decide. */
static unsigned call(void)
{
    struct svmc_token_caller caller = lab_caller(LAB_ROOT, CODE_FRAME);
    struct svmc_token_verdict verdict;
    enum svmc_status st;

    caller.frame = 0;
    caller.stage2_generation = svmc_measure_generation(&lab.m, stage2);
    CHECK_EQ(svmc_token_check(&pool, &vcpu, &caller, &token, &verdict), SVMC_OK);
    if (verdict.end == SVMC_TOKEN_WALK) {
        walks++;
        st = svmc_measure_path_check(&lab.m, &caller, &path, &caller.frame, NULL);
        if (st != SVMC_OK)
            caller.frame = UINT64_MAX;
        CHECK_EQ(svmc_token_check_walk(&pool, &vcpu, &caller, &token, &verdict), SVMC_OK);
    }
    return verdict.end;
}

/* Rounds until all is told. */
static void scan(void)
{
    struct svmc_measure_stand out;
    uint32_t end = lab.m.priv.rounds + 2;

    do
        CHECK_EQ(svmc_measure_scan(&lab.m, 4, &out), SVMC_OK);
    while (out.rounds != end);
}

static void unload(uint32_t range)
{
    uint32_t holder;

    CHECK_EQ(svmc_measure_unload(&lab.m, range, 0, &holder, NULL), SVMC_OK);
}

TEST(measure_call, a_page_that_was_found_changed_calls_no_more) /* ME-20 TK-10 A5 A9 K12 */
{
    start(1);
    CHECK_EQ(call(), SVMC_TOKEN_ALLOWED);
    CHECK_EQ(call(), SVMC_TOKEN_ALLOWED);
    CHECK_EQ(walks, 1, "under one generation");
    lab.memory[CODE_FRAME][9] ^= 1;
    scan();
    CHECK_EQ(call(), SVMC_TOKEN_REFUSED, "changed");
    lab.memory[CODE_FRAME][9] ^= 1;
    CHECK_EQ(call(), SVMC_TOKEN_REFUSED, "and restored");
    unload(code);
    CHECK_EQ(call(), SVMC_TOKEN_REFUSED);
    code = add(CODE_FRAME, true);
    CHECK_EQ(call(), SVMC_TOKEN_ALLOWED, "measured anew");
    unload(code);
    CHECK_EQ(call(), SVMC_TOKEN_REFUSED, "unloaded");
    code = add(CODE_FRAME, true);
    CHECK_EQ(call(), SVMC_TOKEN_ALLOWED);
    svmc_measure_forget(&lab.m, token.handle);
    CHECK_EQ(call(), SVMC_TOKEN_REFUSED, "forgotten");
    code = add(CODE_FRAME, true);
    CHECK_EQ(call(), SVMC_TOKEN_ALLOWED);
    lab.away = 1u << CODE_FRAME;
    scan();
    CHECK_EQ(call(), SVMC_TOKEN_REFUSED, "gone");
}

TEST(measure_call, what_is_no_code_is_no_reason_to_walk) /* ME-20 */
{
    struct svmc_token_caller caller = lab_caller(LAB_ROOT, CODE_FRAME);
    svmc_gpa at = { lab_at(DATA_FRAME) };
    uint64_t was;

    start(2);
    was = svmc_measure_generation(&lab.m, stage2);
    CHECK_EQ(call(), SVMC_TOKEN_ALLOWED);
    CHECK_EQ(svmc_measure_open(&lab.m, data, at, &caller, token.handle, NULL), SVMC_OK);
    lab.memory[DATA_FRAME][3]++;
    CHECK_EQ(svmc_measure_close(&lab.m, data, at, &caller, token.handle, NULL), SVMC_OK);
    lab.memory[DATA_FRAME][3]++;
    scan();
    unload(data);
    CHECK_EQ(call(), SVMC_TOKEN_ALLOWED);
    CHECK_EQ(walks, 1);
    CHECK_EQ(svmc_measure_generation(&lab.m, stage2), was);
    CHECK_EQ(svmc_measure_generation(&lab.m, stage2 + 7), was + 7, "stage 2 counts");
    stage2++;
    CHECK_EQ(call(), SVMC_TOKEN_ALLOWED);
    CHECK_EQ(walks, 2);
    unload(code);
    code = add(CODE_FRAME, true);
    CHECK_EQ(svmc_measure_generation(&lab.m, 0), 0, "nothing is guarded");
    CHECK_EQ(svmc_measure_generation(NULL, 5), 0);
    stage2 = 0;
    CHECK_EQ(call() + call(), 2 * SVMC_TOKEN_ALLOWED);
    CHECK_EQ(walks, 4, "each call");
}

TEST(measure_call, any_history_beside_what_is_known_of_the_page) /* ME-20 TK-10 */
{
    uint64_t rng = harness_seed();
    bool whole = true, loaded = true, moved = true; /* moved: the next call is walked */
    unsigned allowed = 0, refused = 0, before;

    start(3);
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t r = harness_random(&rng);

        switch (r % 8) {
        case 0: /* found at once */
            lab.memory[CODE_FRAME][r >> 8 & 511] ^= 1;
            scan();
            moved |= loaded && whole;
            whole = false;
            break;
        case 1:
            lab.memory[DATA_FRAME][r >> 8 & 511] ^= 1;
            scan();
            break;
        case 2:
            if (loaded) {
                unload(code);
                moved = true;
            } else {
                code = add(CODE_FRAME, true);
                whole = true;
            }
            loaded = !loaded;
            break;
        case 3:
            unload(data);
            data = add(DATA_FRAME, false);
            break;
        case 4:
            stage2++;
            moved = true;
            break;
        default:
            before = walks;
            CHECK_EQ(call(), loaded && whole ? SVMC_TOKEN_ALLOWED : SVMC_TOKEN_REFUSED, "%u", i);
            CHECK_EQ(walks - before, moved || !loaded || !whole, "%u", i);
            allowed += loaded && whole;
            refused += !loaded || !whole;
            moved &= !(loaded && whole);
        }
    }
    CHECK(allowed > 500 && refused > 500, "%u %u", allowed, refused);
}
