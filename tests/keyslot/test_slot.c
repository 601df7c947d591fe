/* SPDX-License-Identifier: MIT */
/* Slots: the automaton, generations, holders and references, places. */
#include "../../src/keyslot/sealing.h"
#include "keyslot_lab.h"

enum { SLOTS = 4, LANES = 3 };

static struct toy toy;
static struct svmc_keyslots ks;
static _Alignas(64) uint8_t pool[16384];
static const uint8_t key_bytes[64] = { 1, 2, 3 };

/* ---- hardware: what is in which place ---------------------------------------------------------*/

static uint64_t programmed[SLOTS]; /* cookie, 0: nothing */
static unsigned programs, evictions, program_fails;
static bool was_reset;

static enum svmc_status program(void *ctx, uint32_t place, const struct svmc_keyslot_key *key,
                                struct svmc_cipher_key *room)
{
    CHECK(ctx == &ks && place < SLOTS && key->bytes == NULL);
    if (++programs == program_fails)
        return SVMC_ERR_AUTH;
    programmed[place] = key->cookie;
    room->priv[0] = key->cookie;
    return SVMC_OK;
}

static void evict(void *ctx, uint32_t place, struct svmc_cipher_key *room)
{
    CHECK(ctx == &ks && place < SLOTS);
    CHECK((programmed[place] != 0 && room->priv[0] == programmed[place]) || was_reset);
    evictions++;
    programmed[place] = 0;
    room->priv[0] = 0;
}

static const struct svmc_keyslot_ops hardware = { sizeof hardware, 0, &ks, program, evict };

static struct svmc_keyslots_config config(uint32_t kind, uint32_t places)
{
    struct svmc_keyslots_config c = { .crypto = &toy.ops,
                                      .ops = kind == SVMC_KEYSLOT_HARDWARE ? &hardware : NULL,
                                      .kind = kind,
                                      .slots = SLOTS,
                                      .places = places,
                                      .lanes = LANES };
    return c;
}

static void start(uint32_t kind, uint32_t places)
{
    struct svmc_keyslots_config c = config(kind, places);

    toy_init(&toy);
    memset(programmed, 0, sizeof programmed);
    programs = evictions = program_fails = 0;
    was_reset = false;
    CHECK_EQ(svmc_keyslots_init(&ks, &c, pool, sizeof pool), SVMC_OK);
}

static svmc_key_handle load(uint64_t cookie)
{
    struct svmc_keyslot_key key = { .domain = 7,
                                    .epoch = 9,
                                    .cookie = cookie,
                                    .alg = SVMC_ALG_AES_256_XTS,
                                    .unit_bytes = 64,
                                    .bytes = ks.priv.ops ? NULL : key_bytes };
    svmc_key_handle handle = { 0xdead };

    CHECK_EQ(svmc_keyslot_load(&ks, &key, &handle), SVMC_OK);
    return handle;
}

static enum svmc_status hold(uint32_t lane, svmc_key_handle handle)
{
    struct svmc_keyslot_use use;

    return svmc_keyslot_hold(&ks, lane, handle, &use);
}

static enum svmc_status drain(svmc_key_handle handle)
{
    return svmc_keyslot_revoke(&ks, handle, SVMC_KEYSLOT_DRAIN);
}

static enum svmc_status cut(svmc_key_handle handle)
{
    return svmc_keyslot_revoke(&ks, handle, SVMC_KEYSLOT_CUT);
}

TEST(slot, a_pool_is_laid_out) /* KS-1 KS-2 */
{
    static const struct {
        uint32_t kind, slots, places, lanes;
        bool possible;
    } rows[] = {
        { SVMC_KEYSLOT_SOFTWARE, 1, 1, 1, true },
        { SVMC_KEYSLOT_SOFTWARE, 65535, 65535, 256, true },
        { SVMC_KEYSLOT_HARDWARE, 65535, 1, 256, true },
        { SVMC_KEYSLOT_SOFTWARE, 0, 0, 1, false },
        { SVMC_KEYSLOT_SOFTWARE, 65536, 65536, 1, false },
        { SVMC_KEYSLOT_SOFTWARE, 4, 3, 1, false },
        { SVMC_KEYSLOT_SOFTWARE, 4, 0, 1, true }, /* as many as slots */
        { SVMC_KEYSLOT_HARDWARE, 4, 0, 1, true },
        { SVMC_KEYSLOT_HARDWARE, 4, 5, 1, false },
        { SVMC_KEYSLOT_SOFTWARE, 1, 1, 0, false },
        { SVMC_KEYSLOT_SOFTWARE, 1, 1, 257, false },
        { 2, 1, 1, 1, false },
    };
    struct svmc_keyslots_config c;
    size_t need;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        c = (struct svmc_keyslots_config){ .kind = rows[i].kind,
                                           .slots = rows[i].slots,
                                           .places = rows[i].places,
                                           .lanes = rows[i].lanes };
        CHECK_EQ(svmc_keyslots_bytes(&c) != 0, rows[i].possible, "row %zu", i);
    }
    CHECK_EQ(svmc_keyslots_bytes(NULL), 0);
    toy_init(&toy);
    c = config(SVMC_KEYSLOT_HARDWARE, 2);
    need = svmc_keyslots_bytes(&c);
    /* three lanes, two rooms, four slots, and three short arrays; a row of stamps for each lane */
    CHECK_EQ(need, (LANES + 2 * 12 + SLOTS + 1 + 1 + LANES) * 64);
    CHECK_EQ(svmc_keyslots_init(&ks, &c, pool, need - 1), SVMC_ERR_FULL);
    CHECK_EQ(svmc_keyslots_init(&ks, &c, pool + 8, need), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyslots_init(&ks, &c, NULL, need), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyslots_init(&ks, NULL, pool, need), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyslots_init(NULL, &c, pool, need), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyslots_init(&ks, &c, pool, need), SVMC_OK);
}

TEST(slot, a_table_without_what_is_needed_is_refused) /* KS-2 */
{
    struct svmc_keyslots_config c;
    struct svmc_keyslot_ops ops;

    toy_init(&toy);
    c = config(SVMC_KEYSLOT_SOFTWARE, SLOTS);
    c.crypto = NULL;
    CHECK_EQ(svmc_keyslots_init(&ks, &c, pool, sizeof pool), SVMC_ERR_ARG);
    c = config(SVMC_KEYSLOT_SOFTWARE, SLOTS);
    toy.ops.wipe = NULL;
    CHECK_EQ(svmc_keyslots_init(&ks, &c, pool, sizeof pool), SVMC_ERR_ARG);
    toy_init(&toy);
    toy.ops.cipher_drop = NULL;
    CHECK_EQ(svmc_keyslots_init(&ks, &c, pool, sizeof pool), SVMC_ERR_ARG);
    c = config(SVMC_KEYSLOT_HARDWARE, 2);
    CHECK_EQ(svmc_keyslots_init(&ks, &c, pool, sizeof pool), SVMC_OK);
    ops = hardware;
    c.ops = &ops;
    ops.evict = NULL;
    CHECK_EQ(svmc_keyslots_init(&ks, &c, pool, sizeof pool), SVMC_ERR_ARG);
    ops = hardware;
    ops.size = offsetof(struct svmc_keyslot_ops, evict);
    CHECK_EQ(svmc_keyslots_init(&ks, &c, pool, sizeof pool), SVMC_ERR_ARG);
    c.ops = NULL;
    CHECK_EQ(svmc_keyslots_init(&ks, &c, pool, sizeof pool), SVMC_ERR_ARG);
}

TEST(slot, goes_through_its_states) /* KS-3 KS-9 */
{
    svmc_key_handle a, b;

    start(SVMC_KEYSLOT_SOFTWARE, SLOTS);
    CHECK_EQ(svmc_keyslot_state(&ks, (svmc_key_handle){ 1 }), SVMC_KEYSLOT_FREE);
    a = load(1);
    CHECK_EQ(a.raw, 0x10001);
    CHECK_EQ(svmc_keyslot_state(&ks, a), SVMC_KEYSLOT_ACTIVE);
    CHECK_EQ(hold(0, a), SVMC_OK);
    CHECK_EQ(drain(a), SVMC_ERR_BUSY);
    CHECK_EQ(svmc_keyslot_state(&ks, a), SVMC_KEYSLOT_DRAINING);
    CHECK_EQ(hold(1, a), SVMC_ERR_STALE);
    CHECK_EQ(toy.loaded, 1);
    svmc_keyslot_release(&ks, 0);
    CHECK_EQ(drain(a), SVMC_OK);
    CHECK_EQ(svmc_keyslot_state(&ks, a), SVMC_KEYSLOT_WIPED);
    CHECK_EQ(toy.loaded, 0);
    CHECK_EQ(drain(a), SVMC_ERR_STALE);
    for (unsigned i = 0; i < SLOTS; i++)
        b = load(2); /* the last of them takes the slot again */
    CHECK_EQ(b.raw, 0x20001);
    CHECK_EQ(hold(0, a), SVMC_ERR_STALE);
    CHECK_EQ(drain(a), SVMC_ERR_STALE);
    CHECK_EQ(svmc_keyslot_state(&ks, a), SVMC_KEYSLOT_FREE);
    CHECK_EQ(hold(0, b), SVMC_OK);
    svmc_keyslot_release(&ks, 0);
}

TEST(slot, a_key_is_judged_before_a_slot_is_taken) /* KS-4 */
{
    struct svmc_keyslot_key good = { .alg = SVMC_ALG_AES_256_GCM,
                                     .unit_bytes = 4096,
                                     .bytes = key_bytes },
                            key;
    static const uint32_t units[] = { 0, 1, 32, 63, 65, 96, 8192, 0x80000000u };
    svmc_key_handle handle;

    start(SVMC_KEYSLOT_SOFTWARE, SLOTS);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        key = good;
        key.unit_bytes = units[i];
        handle.raw = 1;
        CHECK_EQ(svmc_keyslot_load(&ks, &key, &handle), SVMC_ERR_ARG, "%u", units[i]);
        CHECK_EQ(handle.raw, 0);
    }
    key = good;
    key.bytes = NULL;
    CHECK_EQ(svmc_keyslot_load(&ks, &key, &handle), SVMC_ERR_ARG);
    key = good;
    key.alg = SVMC_ALG_SHA_256;
    CHECK_EQ(svmc_keyslot_load(&ks, &key, &handle), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(svmc_keyslot_load(&ks, NULL, &handle), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyslot_load(&ks, &good, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyslot_load(NULL, &good, &handle), SVMC_ERR_ARG);
    toy.load_fails = 1;
    CHECK_EQ(svmc_keyslot_load(&ks, &good, &handle), SVMC_ERR_CALLBACK);
    CHECK_EQ(handle.raw, 0);
    CHECK_EQ(svmc_keyslot_state(&ks, (svmc_key_handle){ 0x10001 }), SVMC_KEYSLOT_FREE);
    toy.load_fails = 0;
    toy.ops.open = NULL;
    CHECK_EQ(svmc_keyslot_load(&ks, &good, &handle), SVMC_ERR_UNSUPPORTED);
    good.alg = SVMC_ALG_AES_256_XTS;
    toy.ops.crypt = NULL;
    CHECK_EQ(svmc_keyslot_load(&ks, &good, &handle), SVMC_ERR_UNSUPPORTED);
    toy_init(&toy);
    for (uint32_t i = 0; i < SLOTS; i++)
        CHECK_EQ(svmc_keyslot_load(&ks, &good, &handle), SVMC_OK);
    CHECK_EQ(svmc_keyslot_load(&ks, &good, &handle), SVMC_ERR_FULL);
    CHECK_EQ(handle.raw, 0);
    CHECK_EQ(toy.loaded, SLOTS);
}

TEST(slot, retires_before_its_generation_wraps) /* KS-5 */
{
    svmc_key_handle handle, first;

    start(SVMC_KEYSLOT_SOFTWARE, SLOTS);
    first = load(1);
    CHECK_EQ(drain(first), SVMC_OK);
    for (uint32_t i = 0; i < SLOTS * 0xffffu - 1; i++) {
        handle = load(1);
        if ((handle.raw & 0xffff) - 1 >= SLOTS || handle.raw >> 16 == 0 || drain(handle) != SVMC_OK)
            break;
    }
    CHECK_EQ(handle.raw >> 16, 0xffff);
    CHECK_EQ(svmc_keyslot_state(&ks, handle), SVMC_KEYSLOT_RETIRED);
    {
        struct svmc_keyslot_key key = { .alg = SVMC_ALG_AES_256_XTS,
                                        .unit_bytes = 64,
                                        .bytes = key_bytes };

        CHECK_EQ(svmc_keyslot_load(&ks, &key, &handle), SVMC_ERR_FULL);
    }
    CHECK_EQ(hold(0, first), SVMC_ERR_STALE);
    CHECK_EQ(svmc_keyslots_recycle(&ks), SLOTS);
    CHECK_EQ(svmc_keyslots_recycle(&ks), 0);
    CHECK_EQ(load(1).raw >> 16, 1);
}

TEST(slot, another_key_under_the_same_handle) /* KS-21 */
{
    static const uint8_t other[64] = { 9, 8, 7 };
    struct svmc_keyslot_key key = {
        .alg = SVMC_ALG_AES_256_XTS, .unit_bytes = 64, .bytes = other, .domain = 5
    };
    svmc_key_handle a, none = { 0 };
    struct svmc_keyslot_use use;
    uint8_t room[64];

    start(SVMC_KEYSLOT_SOFTWARE, SLOTS);
    a = load(1);
    CHECK_EQ(svmc_keyslot_hold(&ks, 1, a, &use), SVMC_OK);
    memcpy(room, use.room, sizeof room);
    CHECK_EQ(svmc_keyslot_exchange(&ks, a, &key), SVMC_ERR_BUSY);
    CHECK_MEM(use.room, room, sizeof room);
    CHECK_EQ(svmc_keyslot_state(&ks, a), SVMC_KEYSLOT_ACTIVE);
    svmc_keyslot_release(&ks, 1);
    CHECK_EQ(svmc_keyslot_ref(&ks, 0, a), SVMC_OK);
    CHECK_EQ(svmc_keyslot_exchange(&ks, a, &key), SVMC_ERR_BUSY);
    CHECK_EQ(svmc_keyslot_unref(&ks, a), SVMC_OK);
    for (uint32_t i = 0; i < 0x10010; i++) /* more often than there are generations */
        if (svmc_keyslot_exchange(&ks, a, &key) != SVMC_OK)
            break;
    CHECK_EQ(toy.loaded, 1);
    CHECK_EQ(svmc_keyslot_hold(&ks, 0, a, &use), SVMC_OK);
    CHECK(use.domain == 5 && memcmp(use.room, room, sizeof room) != 0);
    svmc_keyslot_release(&ks, 0);
    key.before = load(2);
    CHECK_EQ(svmc_keyslot_exchange(&ks, a, &key), SVMC_ERR_ARG);
    key.before = none;
    CHECK_EQ(svmc_keyslot_exchange(NULL, a, &key), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyslot_exchange(&ks, a, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyslot_exchange(&ks, none, &key), SVMC_ERR_STALE);
    key.alg = 99;
    CHECK_EQ(svmc_keyslot_exchange(&ks, a, &key), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(svmc_keyslot_state(&ks, a), SVMC_KEYSLOT_ACTIVE);
    key.alg = SVMC_ALG_AES_256_XTS;
    toy.load_fails = 1;
    CHECK_EQ(svmc_keyslot_exchange(&ks, a, &key), SVMC_ERR_CALLBACK);
    CHECK_EQ(toy.loaded, 1); /* neither: the other is of slot 2 */
    CHECK_EQ(svmc_keyslot_state(&ks, a), SVMC_KEYSLOT_WIPED);
    CHECK_EQ(svmc_keyslot_exchange(&ks, a, &key), SVMC_ERR_STALE);
    start(SVMC_KEYSLOT_HARDWARE, SLOTS);
    CHECK_EQ(svmc_keyslot_exchange(&ks, load(1), &key), SVMC_ERR_ARG);
}

TEST(slot, a_handle_that_names_nothing_is_stale) /* KS-6 KS-7 */
{
    static const uint32_t raws[] = { 0,       0x10000,    0x10002,    0x10005, 0x1ffff,
                                     0x20001, 0xffff0001, 0xffffffff, 1 };
    struct svmc_keyslot_use use;
    svmc_key_handle good;

    start(SVMC_KEYSLOT_SOFTWARE, SLOTS);
    good = load(1);
    for (size_t i = 0; i < sizeof raws / sizeof raws[0]; i++) {
        svmc_key_handle bad = { raws[i] };

        memset(&use, 0xee, sizeof use);
        CHECK_EQ(svmc_keyslot_hold(&ks, 0, bad, &use), SVMC_ERR_STALE, "%x", raws[i]);
        CHECK(use.room == NULL && use.domain == 0);
        CHECK_EQ(svmc_keyslot_ref(&ks, 0, bad), SVMC_ERR_STALE, "%x", raws[i]);
        CHECK_EQ(drain(bad), SVMC_ERR_STALE, "%x", raws[i]);
        CHECK_EQ(svmc_keyslot_bring(&ks, bad), SVMC_ERR_STALE, "%x", raws[i]);
        CHECK(svmc_keyslot_unref(&ks, bad) == SVMC_ERR_ARG, "%x", raws[i]);
    }
    CHECK_EQ(svmc_keyslot_hold(&ks, 0, good, &use), SVMC_OK);
    CHECK(use.domain == 7 && use.epoch == 9 && use.alg == SVMC_ALG_AES_256_XTS);
    CHECK(use.unit_bytes == 64 && use.place == 0 && use.room != NULL);
    CHECK_EQ(svmc_keyslot_hold(&ks, 0, good, &use), SVMC_ERR_STATE);
    CHECK_EQ(svmc_keyslot_hold(&ks, LANES, good, &use), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyslot_hold(&ks, UINT32_MAX, good, &use), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyslot_hold(&ks, 1, good, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyslot_hold(NULL, 1, good, &use), SVMC_ERR_ARG);
    svmc_keyslot_release(&ks, UINT32_MAX);
    svmc_keyslot_release(NULL, 0);
    svmc_keyslot_release(&ks, 1);
    CHECK_EQ(drain(good), SVMC_ERR_BUSY);
    svmc_keyslot_release(&ks, 0);
    CHECK_EQ(drain(good), SVMC_OK);
}

TEST(slot, every_lane_that_holds_is_waited_for) /* KS-8 KS-9 */
{
    svmc_key_handle a, b;

    for (uint32_t lane = 0; lane < LANES; lane++) {
        start(SVMC_KEYSLOT_SOFTWARE, SLOTS);
        a = load(1);
        b = load(2);
        CHECK_EQ(hold(lane, a), SVMC_OK);
        CHECK_EQ(hold((lane + 1) % LANES, b), SVMC_OK);
        CHECK_EQ(cut(a), SVMC_ERR_BUSY, "lane %u", lane);
        CHECK_EQ(toy.loaded, 2);
        svmc_keyslot_release(&ks, lane);
        CHECK_EQ(cut(a), SVMC_OK);
        CHECK_EQ(drain(b), SVMC_ERR_BUSY);
        CHECK_EQ(toy.loaded, 1);
    }
}

TEST(slot, a_reference_outlives_a_drain_and_not_a_cut) /* KS-10 KS-11 */
{
    struct svmc_keyslot_use use;
    svmc_key_handle a, b;

    start(SVMC_KEYSLOT_SOFTWARE, SLOTS);
    a = load(1);
    CHECK_EQ(svmc_keyslot_ref(&ks, 0, a), SVMC_OK);
    CHECK_EQ(svmc_keyslot_ref(&ks, 1, a), SVMC_OK);
    CHECK_EQ(drain(a), SVMC_ERR_BUSY);
    CHECK_EQ(svmc_keyslot_ref(&ks, 0, a), SVMC_ERR_STALE);
    CHECK_EQ(svmc_keyslot_hold(&ks, 0, a, &use), SVMC_ERR_STALE);
    CHECK_EQ(svmc_keyslot_hold_ref(&ks, 0, a, &use), SVMC_OK);
    CHECK(use.room != NULL);
    svmc_keyslot_release(&ks, 0);
    CHECK_EQ(svmc_keyslot_unref(&ks, a), SVMC_OK);
    CHECK_EQ(drain(a), SVMC_ERR_BUSY);
    CHECK_EQ(cut(a), SVMC_OK);
    CHECK_EQ(toy.loaded, 0);
    CHECK_EQ(svmc_keyslot_hold_ref(&ks, 0, a, &use), SVMC_ERR_STALE);
    for (uint32_t i = 0; i < SLOTS - 1; i++)
        b = load(2);
    {
        struct svmc_keyslot_key key = { .alg = SVMC_ALG_AES_256_XTS,
                                        .unit_bytes = 64,
                                        .bytes = key_bytes };
        /* the slot waits for its last reference */
        CHECK_EQ(svmc_keyslot_load(&ks, &key, &b), SVMC_ERR_FULL);
        CHECK_EQ(svmc_keyslot_unref(&ks, a), SVMC_ERR_STALE);
        CHECK_EQ(svmc_keyslot_unref(&ks, a), SVMC_ERR_ARG);
        CHECK_EQ(svmc_keyslot_load(&ks, &key, &b), SVMC_OK);
    }
    CHECK_EQ(b.raw, 0x20001);
    CHECK_EQ(svmc_keyslot_unref(&ks, a), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyslot_revoke(&ks, b, (enum svmc_keyslot_revoke)2), SVMC_ERR_ARG);
}

TEST(slot, a_cut_slot_is_not_held_by_reference) /* KS-10 */
{
    struct svmc_keyslot_use use;
    svmc_key_handle a;

    start(SVMC_KEYSLOT_SOFTWARE, SLOTS);
    a = load(1);
    CHECK_EQ(svmc_keyslot_ref(&ks, 0, a), SVMC_OK);
    CHECK_EQ(hold(1, a), SVMC_OK);
    CHECK_EQ(cut(a), SVMC_ERR_BUSY);
    CHECK_EQ(svmc_keyslot_hold_ref(&ks, 0, a, &use), SVMC_ERR_STALE);
    CHECK_EQ(drain(a), SVMC_ERR_BUSY); /* a cut stays one */
    CHECK_EQ(svmc_keyslot_unref(&ks, a), SVMC_ERR_STALE);
    svmc_keyslot_release(&ks, 1);
    CHECK_EQ(drain(a), SVMC_OK);
}

TEST(slot, no_trace_of_a_key_is_left) /* KS-12 */
{
    static const uint8_t nothing[64];
    struct svmc_keyslot_use use;
    svmc_key_handle a;
    unsigned found = 0;

    start(SVMC_KEYSLOT_SOFTWARE, SLOTS);
    a = load(1);
    (void)load(2);
    CHECK_EQ(svmc_keyslot_hold(&ks, 0, a, &use), SVMC_OK);
    CHECK(memcmp(use.room, nothing, sizeof nothing) != 0);
    svmc_keyslot_release(&ks, 0);
    CHECK_EQ(drain(a), SVMC_OK);
    CHECK_MEM(use.room, nothing, sizeof nothing);
    svmc_keyslots_drop(&ks);
    CHECK_EQ(toy.loaded, 0);
    for (size_t i = 0; i + 3 < sizeof pool; i++)
        found += memcmp(pool + i, key_bytes, 3) == 0;
    CHECK_EQ(found, 0);
    CHECK_EQ(hold(0, a), SVMC_ERR_ARG);
    svmc_keyslots_drop(&ks);
    svmc_keyslots_drop(NULL);
}

TEST(slot, places_go_to_who_was_held_last) /* KS-13 KS-14 */
{
    svmc_key_handle h[SLOTS];

    start(SVMC_KEYSLOT_HARDWARE, 2);
    for (uint32_t i = 0; i < SLOTS; i++) {
        h[i] = load(i + 1);
        CHECK_EQ(hold(0, h[i]), SVMC_ERR_ABSENT);
    }
    CHECK_EQ(programs, 0);
    CHECK_EQ(svmc_keyslot_bring(&ks, h[0]), SVMC_OK);
    CHECK_EQ(svmc_keyslot_bring(&ks, h[0]), SVMC_OK);
    CHECK_EQ(svmc_keyslot_bring(&ks, h[1]), SVMC_OK);
    CHECK(programs == 2 && evictions == 0 && programmed[0] == 1 && programmed[1] == 2);
    CHECK_EQ(hold(2, h[0]), SVMC_OK); /* h[1] is now the older one */
    svmc_keyslot_release(&ks, 2);
    CHECK_EQ(svmc_keyslot_bring(&ks, h[2]), SVMC_OK);
    CHECK(evictions == 1 && programmed[0] == 1 && programmed[1] == 3);
    CHECK_EQ(hold(0, h[1]), SVMC_ERR_ABSENT);
    CHECK_EQ(svmc_keyslot_state(&ks, h[1]), SVMC_KEYSLOT_ACTIVE);
    CHECK_EQ(hold(0, h[0]), SVMC_OK);
    CHECK_EQ(hold(1, h[2]), SVMC_OK);
    CHECK_EQ(svmc_keyslot_bring(&ks, h[3]), SVMC_ERR_BUSY); /* both are held */
    CHECK_EQ(evictions, 1);
    svmc_keyslot_release(&ks, 0);
    CHECK_EQ(svmc_keyslot_bring(&ks, h[3]), SVMC_OK); /* the older one is held, this one is not */
    CHECK(programmed[0] == 4 && programmed[1] == 3);
    svmc_keyslot_release(&ks, 1);
    CHECK_EQ(svmc_keyslot_ref(&ks, 0, h[2]), SVMC_OK);
    CHECK_EQ(svmc_keyslot_ref(&ks, 0, h[3]), SVMC_OK);
    CHECK_EQ(svmc_keyslot_bring(&ks, h[0]), SVMC_ERR_BUSY); /* both are referenced */
    CHECK_EQ(svmc_keyslot_unref(&ks, h[3]), SVMC_OK);
    CHECK_EQ(drain(h[2]), SVMC_ERR_BUSY);
    CHECK_EQ(svmc_keyslot_bring(&ks, h[0]), SVMC_OK);
    CHECK(programmed[0] == 1 && programmed[1] == 3);
    CHECK_EQ(svmc_keyslot_unref(&ks, h[2]), SVMC_OK);
    CHECK_EQ(drain(h[2]), SVMC_OK);
    CHECK_EQ(programmed[1], 0);
    CHECK_EQ(drain(h[3]), SVMC_OK); /* it has no place */
    CHECK_EQ(evictions, 4);
    CHECK_EQ(svmc_keyslot_bring(&ks, h[3]), SVMC_ERR_STALE);
    svmc_keyslots_drop(&ks);
    CHECK_EQ(programmed[0], 0);
}

TEST(slot, who_was_held_longest_ago_gives_way) /* KS-13 KS-14 */
{
    svmc_key_handle h[SLOTS];

    start(SVMC_KEYSLOT_HARDWARE, 2);
    for (uint32_t i = 0; i < SLOTS; i++)
        h[i] = load(i + 1);
    CHECK_EQ(svmc_keyslot_bring(&ks, h[0]), SVMC_OK);
    CHECK_EQ(svmc_keyslot_bring(&ks, h[1]), SVMC_OK);
    CHECK_EQ(svmc_keyslot_bring(&ks, h[2]), SVMC_OK); /* the first that came */
    CHECK(programmed[0] == 3 && programmed[1] == 2);
    CHECK_EQ(hold(0, h[1]), SVMC_OK);
    CHECK_EQ(svmc_keyslot_bring(&ks, h[3]), SVMC_OK);
    CHECK(programmed[0] == 4 && programmed[1] == 2);
    CHECK_EQ(svmc_keyslot_bring(&ks, h[2]), SVMC_OK); /* the oldest is held: the next one */
    CHECK(programmed[0] == 3 && programmed[1] == 2);
    svmc_keyslot_release(&ks, 0);
}

TEST(slot, what_could_not_be_programmed_is_absent) /* KS-13 KS-15 */
{
    svmc_key_handle a, b;

    start(SVMC_KEYSLOT_HARDWARE, 1);
    a = load(1);
    b = load(2);
    CHECK_EQ(svmc_keyslot_bring(&ks, a), SVMC_OK);
    program_fails = programs + 1;
    CHECK_EQ(svmc_keyslot_bring(&ks, b), SVMC_ERR_CALLBACK);
    CHECK_EQ(hold(0, a), SVMC_ERR_ABSENT);
    CHECK_EQ(hold(0, b), SVMC_ERR_ABSENT);
    CHECK_EQ(svmc_keyslot_bring(&ks, b), SVMC_OK);
    memset(programmed, 0, sizeof programmed); /* a reset */
    CHECK_EQ(svmc_keyslots_reprogram(&ks), SVMC_OK);
    CHECK_EQ(programmed[0], 2);
    CHECK_EQ(hold(0, b), SVMC_OK);
    svmc_keyslot_release(&ks, 0);
    program_fails = programs + 1;
    CHECK_EQ(svmc_keyslots_reprogram(&ks), SVMC_ERR_CALLBACK);
    CHECK_EQ(hold(0, b), SVMC_ERR_ABSENT);
    evictions = 0;
    CHECK_EQ(svmc_keyslot_bring(&ks, a), SVMC_OK);
    CHECK_EQ(evictions, 0); /* the place was free */
    start(SVMC_KEYSLOT_SOFTWARE, SLOTS);
    CHECK_EQ(svmc_keyslots_reprogram(&ks), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyslots_reprogram(NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyslot_bring(&ks, load(1)), SVMC_OK);
    CHECK_EQ(svmc_keyslot_bring(NULL, a), SVMC_ERR_ARG);
}

static void reset(void)
{
    memset(programmed, 0, sizeof programmed);
    was_reset = true;
}

TEST(slot, a_held_place_is_not_programmed_after_a_reset) /* KS-15 */
{
    svmc_key_handle a, b;

    for (unsigned fails = 0; fails < 2; fails++) {
        start(SVMC_KEYSLOT_HARDWARE, 1);
        a = load(1);
        b = load(2);
        CHECK_EQ(svmc_keyslot_bring(&ks, a), SVMC_OK);
        CHECK_EQ(hold(0, a), SVMC_OK); /* its request goes on */
        reset();
        programs = 0;
        program_fails = fails;
        CHECK_EQ(svmc_keyslots_reprogram(&ks), SVMC_ERR_BUSY);
        CHECK_EQ(programs, 0);
        CHECK_EQ(svmc_keyslot_bring(&ks, b), SVMC_ERR_BUSY);
        CHECK_EQ(svmc_keyslot_bring(&ks, a), SVMC_ERR_BUSY);
        CHECK_EQ(hold(1, a), SVMC_ERR_ABSENT);
        CHECK(programs == 0 && evictions == 0 && programmed[0] == 0);
        svmc_keyslot_release(&ks, 0);
        CHECK_EQ(svmc_keyslot_bring(&ks, a), fails ? SVMC_ERR_CALLBACK : SVMC_OK);
        CHECK_EQ(svmc_keyslot_bring(&ks, b), SVMC_OK);
        CHECK(programmed[0] == 2 && evictions == 1 - fails); /* what failed left it free */
        CHECK_EQ(hold(1, a), SVMC_ERR_ABSENT);
    }
}

TEST(slot, a_reference_keeps_its_place_after_a_reset) /* KS-15 */
{
    struct svmc_keyslot_use use;
    svmc_key_handle a, b;

    start(SVMC_KEYSLOT_HARDWARE, 1);
    a = load(1);
    b = load(2);
    CHECK_EQ(svmc_keyslot_bring(&ks, a), SVMC_OK);
    CHECK_EQ(svmc_keyslot_ref(&ks, 0, a), SVMC_OK);
    reset();
    program_fails = programs + 1;
    CHECK_EQ(svmc_keyslots_reprogram(&ks), SVMC_ERR_CALLBACK);
    CHECK_EQ(svmc_keyslot_bring(&ks, b), SVMC_ERR_BUSY);
    CHECK_EQ(drain(a), SVMC_ERR_BUSY);
    CHECK_EQ(svmc_keyslot_hold_ref(&ks, 0, a, &use), SVMC_ERR_ABSENT);
    CHECK_EQ(svmc_keyslot_hold(&ks, 0, a, &use), SVMC_ERR_STALE);
    CHECK_EQ(svmc_keyslot_bring(&ks, a), SVMC_OK); /* while it drains, too */
    CHECK_EQ(programmed[0], 1);
    CHECK_EQ(svmc_keyslot_hold_ref(&ks, 0, a, &use), SVMC_OK);
    svmc_keyslot_release(&ks, 0);
    reset();
    program_fails = programs + 1;
    CHECK_EQ(svmc_keyslots_reprogram(&ks), SVMC_ERR_CALLBACK);
    CHECK_EQ(svmc_keyslot_unref(&ks, a), SVMC_OK);
    CHECK_EQ(drain(a), SVMC_OK); /* wiped where it lay */
    CHECK_EQ(evictions, 1);
    CHECK_EQ(svmc_keyslot_bring(&ks, b), SVMC_OK);
    CHECK(programmed[0] == 2 && evictions == 1);
    CHECK_EQ(cut(b), SVMC_OK);
    CHECK_EQ(svmc_keyslot_bring(&ks, b), SVMC_ERR_STALE);
    for (uint32_t i = 0; i < SLOTS; i++)
        a = load(3);
    CHECK_EQ(a.raw & 0xffff, b.raw & 0xffff);
    CHECK_EQ(svmc_keyslot_bring(&ks, a), SVMC_OK);
    CHECK_EQ(svmc_keyslot_bring(&ks, b), SVMC_ERR_STALE); /* its slot's next load has a place */
}

TEST(slot, a_ticket_waits_for_who_held_before_it) /* KS-16 */
{
    svmc_key_handle a;
    uint64_t first, second;

    start(SVMC_KEYSLOT_SOFTWARE, SLOTS);
    a = load(1);
    CHECK_EQ(hold(0, a), SVMC_OK);
    first = svmc_keyslots_flush(&ks);
    CHECK_EQ(hold(1, a), SVMC_OK);
    second = svmc_keyslots_flush(&ks);
    CHECK_EQ(svmc_keyslots_quiet(&ks, first), SVMC_ERR_BUSY);
    svmc_keyslot_release(&ks, 0);
    CHECK_EQ(svmc_keyslots_quiet(&ks, first), SVMC_OK);
    CHECK_EQ(svmc_keyslots_quiet(&ks, second), SVMC_ERR_BUSY);
    CHECK_EQ(hold(0, a), SVMC_OK);
    svmc_keyslot_release(&ks, 1);
    CHECK_EQ(svmc_keyslots_quiet(&ks, second), SVMC_OK);
    svmc_keyslot_release(&ks, 0);
    ks.priv.epoch = UINT32_MAX; /* what the marker has of it wraps */
    CHECK_EQ(hold(0, a), SVMC_OK);
    first = svmc_keyslots_flush(&ks);
    CHECK_EQ(svmc_keyslots_quiet(&ks, first), SVMC_ERR_BUSY);
    svmc_keyslot_release(&ks, 0);
    CHECK_EQ(hold(0, a), SVMC_OK);
    CHECK_EQ(svmc_keyslots_quiet(&ks, first), SVMC_OK);
    svmc_keyslot_release(&ks, 0);
    CHECK_EQ(svmc_keyslots_flush(NULL), 0);
    CHECK_EQ(svmc_keyslots_quiet(NULL, 0), SVMC_ERR_ARG);
}
