/* SPDX-License-Identifier: MIT */
/* Measured ranges: the object, MACs, adding and letting go, scans. */
#include "../harness.h"
#include "measure_lab.h"

static struct measure_lab lab, was;

static enum svmc_measure_why why;
static uint32_t range;

static const struct svmc_measure zero;

TEST(measure, init_refuses_what_is_missing) /* ME-1 ME-16 */
{
    static const struct {
        size_t at, bytes;
        uint64_t value;
        const char *name;
    } bad[] = {
        { offsetof(struct svmc_measure_config, crypto), sizeof(void *), 0, "crypto" },
        { offsetof(struct svmc_measure_config, ops), sizeof(void *), 0, "ops" },
        { offsetof(struct svmc_measure_config, pages), sizeof(void *), 0, "pages" },
        { offsetof(struct svmc_measure_config, ranges), sizeof(void *), 0, "ranges" },
        { offsetof(struct svmc_measure_config, room), sizeof(void *), 0, "room" },
        { offsetof(struct svmc_measure_config, page_count), 4, 0, "no pages" },
        { offsetof(struct svmc_measure_config, page_count), 4, ~0ull, "too many pages" },
        { offsetof(struct svmc_measure_config, range_count), 4, 0, "no ranges" },
        { offsetof(struct svmc_measure_config, range_count), 4, ~0ull, "too many ranges" },
        { offsetof(struct svmc_measure_config, reserved), 4, ~0ull, "reserved" },
        { offsetof(struct svmc_measure_config, ignore), 8, ~0ull, "all bits ignored" },
        { offsetof(struct svmc_measure_config, mac_alg), 4, 0, "no MAC" },
    };
    struct svmc_measure_config config;
    struct svmc_measure m;

    lab_prepare(&lab, SVMC_ALG_MAC_BLAKE2B_256);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        config = lab.config;
        memcpy((uint8_t *)&config + bad[i].at, &bad[i].value, bad[i].bytes);
        memset(&m, 0xee, sizeof m);
        CHECK_EQ(svmc_measure_init(&m, &config), SVMC_ERR_ARG, "%s", bad[i].name);
        CHECK_MEM(&m, &zero, sizeof m, "%s", bad[i].name);
    }
    CHECK_EQ(svmc_measure_init(&m, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_measure_init(NULL, &lab.config), SVMC_ERR_ARG);
    config = lab.config;
    config.mac_alg = SVMC_ALG_SHA_256;
    CHECK_EQ(svmc_measure_init(&m, &config), SVMC_ERR_ARG, "a hash is no MAC");
    for (unsigned i = 0; i < 4; i++) {
        struct svmc_crypto_ops ops = lab.crypto.ops;
        struct svmc_measure_ops mine = lab.ops;

        config = lab.config;
        config.crypto = &ops;
        config.ops = &mine;
        if (i == 0)
            ops.mac = NULL;
        else if (i == 1)
            ops.random = NULL;
        else if (i == 2)
            ops.wipe = NULL;
        else
            mine.guest_span = NULL;
        CHECK_EQ(svmc_measure_init(&m, &config), SVMC_ERR_ARG, "%u", i);
    }
}

TEST(measure, the_key_is_drawn_and_wiped) /* ME-1 */
{
    static struct measure_lab other;
    struct svmc_measure m;

    lab_start(&lab, 1);
    lab_start(&other, 2);
    CHECK(memcmp(lab.m.priv.key, other.m.priv.key, sizeof lab.m.priv.key) != 0);
    REQUIRE(lab_add(&lab, 1, 3, 9, 1, &range, NULL) == SVMC_OK);
    svmc_measure_drop(&lab.m);
    CHECK_MEM(&lab.m, &zero, sizeof zero);
    for (unsigned i = 0; i < sizeof lab.pages; i++)
        REQUIRE(((uint8_t *)lab.pages)[i] == 0);
    for (unsigned i = 0; i < sizeof lab.ranges; i++)
        REQUIRE(((uint8_t *)lab.ranges)[i] == 0);
    for (unsigned i = 0; i < sizeof lab.room; i++)
        REQUIRE(((uint8_t *)&lab.room)[i] == 0);
    svmc_measure_drop(&lab.m);
    svmc_measure_drop(NULL);
    for (unsigned k = 1; k <= 2; k++) { /* random fails */
        lab_prepare(&lab, SVMC_ALG_MAC_BLAKE2B_256);
        lab.crypto.fail_at = k;
        memset(&m, 0xee, sizeof m);
        CHECK_EQ(svmc_measure_init(&m, &lab.config), SVMC_ERR_CALLBACK);
        CHECK_MEM(&m, &zero, sizeof m);
    }
}

static void store_le64(uint8_t *p, uint64_t v)
{
    for (unsigned i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

TEST(measure, the_mac_is_the_one_of_the_table) /* ME-2 A11 */
{
    static uint8_t text[32 + SVMC_MEASURE_PAGE_BYTES];
    uint8_t key[SVMC_MAC_KEY_BYTES], want[SVMC_HASH_BYTES];

    lab_prepare(&lab, SVMC_ALG_MAC_BLAKE2B_256);
    REQUIRE(svmc_measure_init(&lab.m, &lab.config) == SVMC_OK);
    REQUIRE(lab_add(&lab, 3, 2, 9, 0, &range, NULL) == SVMC_OK);
    CHECK_EQ(range, 0x10000);
    memset(key, 1, sizeof key); /* the first that fakehost's random gives */
    for (unsigned i = 0; i < 2; i++) {
        store_le64(text, LAB_VM);
        store_le64(text + 8, lab_at(3 + i));
        store_le64(text + 16, 1 + i);
        store_le64(text + 24, 0x10000);
        memcpy(text + 32, lab.memory[3 + i], SVMC_MEASURE_PAGE_BYTES);
        fake_blake2b(want, sizeof want, key, sizeof key, text, sizeof text);
        CHECK_MEM(lab.pages[i].priv.mac, want, sizeof want, "page %u", i);
    }
}

/* Whole rounds, after the end of one that is on; how many events, the last one in *event. */
static unsigned scan_rounds(struct measure_lab *l, unsigned rounds,
                            struct svmc_measure_event *event)
{
    struct svmc_measure_stand out;
    uint32_t end = l->m.priv.rounds + rounds + (l->m.priv.at != 0);
    unsigned found = 0;

    do {
        if (!CHECK_EQ(svmc_measure_scan(&l->m, 5, &out), SVMC_OK))
            return found;
        if (out.event.kind != SVMC_MEASURE_NOTHING && event)
            *event = out.event;
        found += out.event.kind != SVMC_MEASURE_NOTHING;
    } while (out.rounds < end);
    return found;
}

TEST(measure, pages_cannot_be_swapped_or_copied) /* ME-2 A11 */
{
    struct svmc_measure_event event = { 0 };

    lab_start(&lab, 3);
    REQUIRE(lab_add(&lab, 2, 4, 9, 0, &range, NULL) == SVMC_OK);
    CHECK_EQ(scan_rounds(&lab, 2, NULL), 0);
    for (unsigned i = 0; i < SVMC_MEASURE_PAGE_BYTES / 8; i++) { /* the contents of two pages */
        uint64_t word = lab.memory[3][i];

        lab.memory[3][i] = lab.memory[5][i];
        lab.memory[5][i] = word;
    }
    CHECK_EQ(scan_rounds(&lab, 1, NULL), 2);

    lab_start(&lab, 3); /* frames 2 and 4 hold the same: a MAC is of one of them alone */
    REQUIRE(lab_add(&lab, 2, 4, 9, 0, &range, NULL) == SVMC_OK);
    memcpy(lab.pages[2].priv.mac, lab.pages[0].priv.mac, SVMC_HASH_BYTES);
    CHECK_EQ(scan_rounds(&lab, 1, &event), 1);
    CHECK_EQ(event.frame, lab_at(4));
}

/* The MAC of frame 2, whose range is the first, in a VM and with an id of one's choice. */
static void mac_in(uint64_t vm, uint32_t generation, uint8_t mac[SVMC_HASH_BYTES])
{
    lab_prepare(&lab, SVMC_ALG_MAC_BLAKE2B_256); /* the same key each time */
    lab.config.vm = vm;
    if (svmc_measure_init(&lab.m, &lab.config) != SVMC_OK)
        abort();
    lab.ranges[0].priv.generation = generation;
    for (unsigned i = 0; i < sizeof lab.memory[2] / 8; i++)
        lab.memory[2][i] = 0;
    {
        struct svmc_token_caller caller = lab_caller(LAB_ROOT, 2);
        svmc_gpa frame = { lab_at(2) };
        struct svmc_measure_spec spec = {
            .frames = &frame, .count = 1, .token = 9, .caller = &caller
        };

        caller.vm = vm;
        CHECK_EQ(svmc_measure_add(&lab.m, &spec, &range, NULL), SVMC_OK);
    }
    memcpy(mac, lab.pages[0].priv.mac, SVMC_HASH_BYTES);
}

TEST(measure, a_mac_is_one_vms_and_one_ranges) /* ME-2 */
{
    uint8_t first[SVMC_HASH_BYTES], again[SVMC_HASH_BYTES], vm[SVMC_HASH_BYTES],
        id[SVMC_HASH_BYTES];

    mac_in(1, 0, first);
    mac_in(1, 0, again);
    mac_in(2, 0, vm);
    mac_in(1, 7, id);
    CHECK_MEM(first, again, sizeof first);
    CHECK(memcmp(first, vm, sizeof first) != 0, "VM");
    CHECK(memcmp(first, id, sizeof first) != 0, "range");
}

TEST(measure, a_page_that_changes_meanwhile) /* ME-3 */
{
    struct svmc_measure_event event = { 0 };

    lab_start(&lab, 4);
    lab.flip = &lab.memory[3][100]; /* changed between the digest and the MAC */
    REQUIRE(lab_add(&lab, 3, 1, 9, 1, &range, NULL) == SVMC_OK);
    CHECK_EQ(scan_rounds(&lab, 1, &event), 1, "one copy had both, and the next look says so");
    CHECK_EQ(event.kind, SVMC_MEASURE_DIFFERS);

    lab_start(&lab, 4);
    REQUIRE(lab_add(&lab, 3, 1, 9, 0, &range, NULL) == SVMC_OK);
    lab.spans = 0;
    lab.flip = &lab.memory[3][100];
    CHECK_EQ(scan_rounds(&lab, 1, NULL), 1, "a look says what the MAC saw");
    CHECK_EQ(lab.spans, 1, "once");
}

TEST(measure, each_bit_of_a_page_counts) /* ME-2 ME-8 K7 */
{
    uint64_t rng = 5;

    for (unsigned i = 0; i < 200; i++) {
        uint64_t pick = harness_random(&rng);
        struct svmc_measure_event event = { 0 };

        lab_start(&lab, pick);
        REQUIRE(lab_add(&lab, 3, 2, 9, 0, &range, NULL) == SVMC_OK);
        lab.memory[3 + (pick & 1)][pick >> 1 & 511] ^= 1ull << (pick >> 10 & 63);
        CHECK_EQ(scan_rounds(&lab, 1, &event), 1);
        CHECK_EQ(event.kind, SVMC_MEASURE_DIFFERS);
        CHECK_EQ(event.frame, lab_at(3 + (pick & 1)));
        CHECK_EQ(event.version, 1 + (pick & 1));
        CHECK_EQ(event.range, range);
        CHECK_EQ(event.token, 9);
    }
}

/* A spec that is in order, to be spoiled. */
static svmc_gpa frames[LAB_FRAMES];
static struct svmc_token_caller caller;
static struct svmc_measure_spec sound(unsigned first, uint32_t count)
{
    caller = lab_caller(LAB_ROOT + 0x1000 * 9, first);
    for (uint32_t i = 0; i < count; i++)
        frames[i].v = lab_at(first + i);
    return (struct svmc_measure_spec){
        .frames = frames, .count = count, .token = 9, .caller = &caller
    };
}

static void refused(const struct svmc_measure_spec *spec, enum svmc_status st,
                    enum svmc_measure_why reason, const char *name)
{
    lab_keep(&was, &lab);
    range = 77;
    why = SVMC_MEASURE_GRANTED;
    CHECK_EQ(svmc_measure_add(&lab.m, spec, &range, &why), st, "%s", name);
    CHECK_EQ(why, reason, "%s", name);
    CHECK_EQ(range, 0, "%s", name);
    CHECK(lab_same(&lab, &was), "%s: something changed", name);
}

TEST(measure, add_is_all_or_nothing) /* ME-4 ME-5 A13 K7 */
{
    struct svmc_measure_spec spec;

    lab_start(&lab, 6);
    REQUIRE(lab_add(&lab, 20, 2, 5, 0, &range, NULL) == SVMC_OK);
    REQUIRE(lab_add(&lab, 22, 2, 9, 0, &range, NULL) == SVMC_OK);
    spec = sound(3, 4);
    frames[3].v += 8;
    refused(&spec, SVMC_ERR_AUTH, SVMC_MEASURE_FRAME, "not aligned");
    spec = sound(3, 4);
    frames[3].v = lab_at(LAB_FRAMES);
    refused(&spec, SVMC_ERR_AUTH, SVMC_MEASURE_FRAME, "no memory");
    spec = sound(3, 4);
    frames[3] = frames[1];
    refused(&spec, SVMC_ERR_AUTH, SVMC_MEASURE_FRAME, "twice");
    spec = sound(3, 4);
    frames[2].v = lab_at(20);
    refused(&spec, SVMC_ERR_AUTH, SVMC_MEASURE_FRAME, "another token's");
    spec = sound(3, 4);
    frames[2].v = lab_at(22);
    refused(&spec, SVMC_ERR_AUTH, SVMC_MEASURE_FRAME, "its own already");
    spec = sound(3, 4);
    caller.root ^= 0x1000;
    refused(&spec, SVMC_ERR_AUTH, SVMC_MEASURE_WHO, "a token of two address spaces");
    spec = sound(3, 4);
    caller.vm++;
    spec.token = 8;
    refused(&spec, SVMC_ERR_AUTH, SVMC_MEASURE_WHO, "another VM");
    spec = sound(3, 4);
    spec.count = 0;
    refused(&spec, SVMC_ERR_ARG, SVMC_MEASURE_GRANTED, "no page");
    spec = sound(3, 4);
    spec.caller = NULL;
    refused(&spec, SVMC_ERR_ARG, SVMC_MEASURE_GRANTED, "nobody");
    spec = sound(3, 4);
    spec.frames = NULL;
    refused(&spec, SVMC_ERR_ARG, SVMC_MEASURE_GRANTED, "nowhere");
    spec = sound(3, 4);
    spec.reserved[1] = 1;
    refused(&spec, SVMC_ERR_ARG, SVMC_MEASURE_GRANTED, "reserved");
    refused(NULL, SVMC_ERR_ARG, SVMC_MEASURE_GRANTED, "NULL");
    spec = sound(0, 20);
    REQUIRE(svmc_measure_add(&lab.m, &spec, &range, &why) == SVMC_OK);
    spec = sound(28, 1);
    refused(&spec, SVMC_ERR_FULL, SVMC_MEASURE_GRANTED, "no record is free");
    CHECK_EQ(svmc_measure_add(&lab.m, &spec, NULL, NULL), SVMC_ERR_ARG);
    lab_start(&lab, 6);
    for (unsigned i = 0; i < LAB_RANGES; i++)
        REQUIRE(lab_add(&lab, i, 1, 9, 0, &range, NULL) == SVMC_OK);
    spec = sound(28, 1);
    refused(&spec, SVMC_ERR_FULL, SVMC_MEASURE_GRANTED, "no range is free");
    CHECK_EQ(scan_rounds(&lab, 2, NULL), 0);
}

TEST(measure, versions_end) /* ME-2 */
{
    lab_start(&lab, 6);
    lab.m.priv.version = ((uint64_t)1 << 48) - 3;
    CHECK_EQ(lab_add(&lab, 3, 3, 9, 0, &range, NULL), SVMC_ERR_FULL);
    CHECK_EQ(lab_add(&lab, 3, 2, 9, 0, &range, NULL), SVMC_OK);
    CHECK_EQ(lab_add(&lab, 7, 1, 9, 0, &range, NULL), SVMC_ERR_FULL);
    CHECK_EQ(scan_rounds(&lab, 1, NULL), 0);
}

TEST(measure, code_is_what_was_expected) /* ME-6 A12 */
{
    uint8_t digest[SVMC_HASH_BYTES];
    struct svmc_measure_spec spec;

    lab_start(&lab, 7);
    spec = sound(3, 2);
    spec.code = 1;
    refused(&spec, SVMC_ERR_ARG, SVMC_MEASURE_GRANTED, "code without a digest");
    spec.digest = digest;
    refused(&spec, SVMC_ERR_ARG, SVMC_MEASURE_GRANTED, "without an algorithm");
    spec.digest_alg = SVMC_ALG_MAC_BLAKE2B_256;
    refused(&spec, SVMC_ERR_ARG, SVMC_MEASURE_GRANTED, "which is no hash");
    spec.digest_alg = 0x1f;
    refused(&spec, SVMC_ERR_UNSUPPORTED, SVMC_MEASURE_GRANTED, "which nobody knows");
    spec.digest_alg = SVMC_ALG_BLAKE2B_256;
    fake_blake2b(digest, sizeof digest, NULL, 0, (const uint8_t *)lab.memory[3],
                 2 * SVMC_MEASURE_PAGE_BYTES);
    digest[31] ^= 1;
    refused(&spec, SVMC_ERR_AUTH, SVMC_MEASURE_DIGEST, "another program");
    digest[31] ^= 1;
    spec.frames = (const svmc_gpa[]){ { lab_at(4) }, { lab_at(3) } };
    refused(&spec, SVMC_ERR_AUTH, SVMC_MEASURE_DIGEST, "its pages in another order");
    spec.frames = frames;
    spec.code = 3;
    refused(&spec, SVMC_ERR_ARG, SVMC_MEASURE_GRANTED, "code 3");
    spec.code = SVMC_MEASURE_PROGRAM;
    CHECK_EQ(svmc_measure_add(&lab.m, &spec, &range, &why), SVMC_OK);
    CHECK_EQ(lab.crypto.open, 0, "every hash has ended");
    lab.crypto.ops.hash_add = NULL;
    spec.frames = (const svmc_gpa[]){ { lab_at(10) }, { lab_at(11) } };
    refused(&spec, SVMC_ERR_ARG, SVMC_MEASURE_GRANTED, "no hash in the table");
}

TEST(measure, unload_forgets) /* ME-17 A9 */
{
    uint32_t ids[3], holder = 1, again;

    lab_start(&lab, 8);
    for (unsigned i = 0; i < 3; i++)
        REQUIRE(lab_add(&lab, 4 * i, 4, 20 + i, 0, &ids[i], NULL) == SVMC_OK);
    lab_keep(&was, &lab);
    CHECK_EQ(svmc_measure_unload(&lab.m, ids[1], 20, &holder, &why), SVMC_ERR_AUTH);
    CHECK_EQ(why, SVMC_MEASURE_TOKEN);
    CHECK_EQ(svmc_measure_unload(&lab.m, ids[1] + 0x10000, 0, &holder, &why), SVMC_ERR_STALE);
    CHECK_EQ(why, SVMC_MEASURE_RANGE);
    CHECK_EQ(svmc_measure_unload(&lab.m, ids[1] + 5, 0, &holder, &why), SVMC_ERR_STALE);
    CHECK_EQ(svmc_measure_unload(&lab.m, ids[1] | 0xfff0, 0, &holder, &why), SVMC_ERR_STALE);
    CHECK_EQ(svmc_measure_unload(&lab.m, 0, 0, &holder, NULL), SVMC_ERR_STALE);
    CHECK_EQ(svmc_measure_unload(&lab.m, ids[1], 0, NULL, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_measure_unload(NULL, ids[1], 0, &holder, NULL), SVMC_ERR_ARG);
    CHECK_EQ(holder, 0);
    CHECK(lab_same(&lab, &was));
    CHECK_EQ(svmc_measure_unload(&lab.m, ids[1], 21, &holder, &why), SVMC_OK);
    CHECK_EQ(holder, 21, "the token to be revoked");
    for (unsigned i = 0; i < LAB_PAGES; i++)
        for (unsigned k = 0; k < SVMC_HASH_BYTES; k++)
            REQUIRE(lab.pages[i].priv.state != 0 || lab.pages[i].priv.mac[k] == 0);
    CHECK_EQ(svmc_measure_unload(&lab.m, ids[1], 0, &holder, &why), SVMC_ERR_STALE);
    CHECK_EQ(holder, 0);
    memset(lab.memory[5], 0, sizeof lab.memory[5]); /* nobody's any more */
    CHECK_EQ(scan_rounds(&lab, 2, NULL), 0);
    REQUIRE(lab_add(&lab, 4, 4, 21, 0, &again, NULL) == SVMC_OK);
    CHECK(again != ids[1] && (again & 0xffff) == (ids[1] & 0xffff), "%x after %x", again, ids[1]);
    CHECK_EQ(svmc_measure_unload(&lab.m, ids[1], 0, &holder, NULL), SVMC_ERR_STALE, "still");
}

TEST(measure, forget_lets_all_of_a_token_go) /* ME-17 A9 A15 */
{
    uint32_t ids[5], holder, again;

    lab_start(&lab, 20);
    for (unsigned i = 0; i < 5; i++) /* the last one is nobody's */
        REQUIRE(lab_add(&lab, 4 * i, 4, i == 4 ? 0 : 20 + i % 2, i < 2, &ids[i], NULL) == SVMC_OK);
    lab_keep(&was, &lab);
    svmc_measure_forget(&lab.m, 77);
    CHECK(lab_same(&lab, &was), "who holds none");
    svmc_measure_forget(&lab.m, 21);
    for (unsigned i = 0; i < 20; i++)
        lab.memory[i][9] ^= (i / 4 & 1) && i < 16;
    CHECK_EQ(scan_rounds(&lab, 2, NULL), 0, "of the others nothing differs");
    for (unsigned i = 1; i < 4; i += 2)
        CHECK_EQ(svmc_measure_unload(&lab.m, ids[i], 0, &holder, NULL), SVMC_ERR_STALE, "%u", i);
    CHECK_EQ(lab.m.priv.used, 12);
    svmc_measure_forget(&lab.m, 0);
    CHECK_EQ(lab.m.priv.used, 0);
    for (unsigned i = 0; i < 5; i++)
        CHECK_EQ(svmc_measure_unload(&lab.m, ids[i], 0, &holder, NULL), SVMC_ERR_STALE, "%u", i);
    for (unsigned i = 0; i < LAB_PAGES; i++)
        for (unsigned k = 0; k < SVMC_HASH_BYTES; k++)
            REQUIRE(lab.pages[i].priv.state == 0 && lab.pages[i].priv.mac[k] == 0);
    for (unsigned i = 0; i < 5; i++) { /* of the same frames, after a restore */
        REQUIRE(lab_add(&lab, 4 * i, 4, 30 + i, i < 2, &again, NULL) == SVMC_OK);
        for (unsigned k = 0; k < 5; k++)
            CHECK(again != ids[k]);
    }
    CHECK_EQ(scan_rounds(&lab, 2, NULL), 0);
    svmc_measure_forget(NULL, 0);
    svmc_measure_drop(&lab.m);
    svmc_measure_forget(&lab.m, 0);
}

TEST(measure, no_id_comes_back) /* ME-17 A9 */
{
    static uint8_t given[1 << 13]; /* a bit a generation */
    uint32_t id, holder, first = 0, n = 0;
    enum svmc_status st;

    lab_start(&lab, 8);
    lab.config.range_count = 1;
    REQUIRE(svmc_measure_init(&lab.m, &lab.config) == SVMC_OK);
    for (; n < 0x20000; n++) {
        st = lab_add(&lab, 4, 1, 20 + n % 3, 0, &id, NULL);
        if (st != SVMC_OK)
            break;
        first = n == 0 ? id : first;
        REQUIRE((id & 0xffff) == 0 && id != 0);
        REQUIRE(!(given[id >> 19] >> (id >> 16 & 7) & 1), "%x again", id);
        given[id >> 19] |= (uint8_t)(1 << (id >> 16 & 7));
        REQUIRE(svmc_measure_unload(&lab.m, id, 0, &holder, NULL) == SVMC_OK);
    }
    CHECK_EQ(n, 0xffff);
    CHECK_EQ(st, SVMC_ERR_FULL);
    CHECK_EQ(svmc_measure_unload(&lab.m, first, 0, &holder, NULL), SVMC_ERR_STALE);
}

/* ---- scans -----------------------------------------------------------------------------------*/

TEST(measure, a_call_keeps_to_its_budget) /* ME-7 K8 */
{
    struct svmc_measure_stand out;
    uint32_t seen, rounds = 0;

    lab_start(&lab, 9);
    CHECK_EQ(svmc_measure_scan(&lab.m, 4, &out), SVMC_OK, "nothing to look at");
    CHECK_EQ(out.looks, 0);
    REQUIRE(lab_add(&lab, 0, 10, 9, 0, &range, NULL) == SVMC_OK);
    CHECK_EQ(svmc_measure_scan(&lab.m, 0, &out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_measure_scan(NULL, 1, &out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_measure_scan(&lab.m, 1, NULL), SVMC_ERR_ARG);
    for (uint32_t budget = 1; budget < 14; budget++) {
        lab.spans = 0;
        REQUIRE(svmc_measure_scan(&lab.m, budget, &out) == SVMC_OK);
        CHECK_EQ(lab.spans, budget < 10 ? budget : 10);
        CHECK_EQ(out.looks, lab.spans);
        CHECK_EQ(out.left, lab.m.priv.used - lab.m.priv.at);
    }
    rounds = out.rounds;
    while (lab.m.priv.at != 0)
        REQUIRE(svmc_measure_scan(&lab.m, 1, &out) == SVMC_OK);
    CHECK(rounds >= 8, "%u", rounds);
    for (unsigned r = 0; r < 20; r++) { /* each page once a round */
        seen = 0;
        for (unsigned i = 0; i < 10; i++) {
            CHECK_EQ(lab.m.priv.at, i);
            REQUIRE(svmc_measure_scan(&lab.m, 1, &out) == SVMC_OK);
            CHECK(!(seen >> lab.last_frame & 1), "round %u look %u", r, i);
            seen |= 1u << lab.last_frame;
        }
        CHECK_EQ(seen, 0x3ff);
    }
}

TEST(measure, no_page_waits_longer_than_stated) /* ME-9 K8 */
{
    static const uint32_t budgets[] = { 1, 3, 7, 10, 16 };
    struct svmc_measure_stand out;
    unsigned last[10], worst;

    for (unsigned b = 0; b < sizeof budgets / sizeof budgets[0]; b++) {
        uint32_t looks = budgets[b] < 10 ? budgets[b] : 10, rest = looks - looks / 2;

        lab_start(&lab, 10 + b);
        REQUIRE(lab_add(&lab, 0, 10, 9, 0, &range, NULL) == SVMC_OK);
        memset(last, 0, sizeof last);
        worst = 0;
        for (unsigned call = 1; call < 400; call++) {
            for (unsigned h = 0; h < 8; h++) /* somebody who would have the rest starve */
                CHECK_EQ(svmc_measure_hint(&lab.m, (svmc_gpa){ lab_at(h & 1) + h }), SVMC_OK);
            lab.seen = 0;
            REQUIRE(svmc_measure_scan(&lab.m, budgets[b], &out) == SVMC_OK);
            for (unsigned f = 2; f < 10; f++) {
                if (lab.seen >> f & 1)
                    last[f] = call;
                else if (call - last[f] > worst)
                    worst = call - last[f];
            }
        }
        CHECK(worst < (2 * 10 - 1 + rest - 1) / rest, "budget %u: %u calls without", budgets[b],
              worst);
    }
}

TEST(measure, what_was_found_is_told_once) /* ME-8 K12 */
{
    struct svmc_measure_event event = { 0 };
    struct svmc_measure_stand out;

    lab_start(&lab, 11);
    REQUIRE(lab_add(&lab, 0, 8, 9, 0, &range, NULL) == SVMC_OK);
    lab.memory[3][511] ^= 1ull << 63;
    do
        REQUIRE(svmc_measure_scan(&lab.m, 8, &out) == SVMC_OK);
    while (out.event.kind == SVMC_MEASURE_NOTHING);
    CHECK_EQ(out.event.kind, SVMC_MEASURE_DIFFERS);
    CHECK_EQ(out.event.frame, lab_at(3));
    CHECK_EQ(lab.last_frame, 3, "the event ended the call");
    lab.memory[3][511] ^= 1ull << 63;
    CHECK_EQ(scan_rounds(&lab, 3, NULL), 0);
    lab.away = 1u << 5;
    CHECK_EQ(scan_rounds(&lab, 1, &event), 1);
    CHECK_EQ(event.kind, SVMC_MEASURE_GONE);
    CHECK_EQ(event.frame, lab_at(5));
    lab.away = 0;
    CHECK_EQ(scan_rounds(&lab, 3, NULL), 0);
}

TEST(measure, ranges_come_and_go_in_a_round) /* ME-7 ME-9 ME-17 */
{
    uint64_t rng = 12;
    uint32_t ids[6] = { 0 }, holder, looked = 0, round = 0; /* bit n: frame n, in this round */
    struct svmc_measure_stand out;

    lab_start(&lab, 12);
    for (unsigned i = 0; i < 3000; i++) {
        unsigned n = (unsigned)(harness_random(&rng) % 6);
        uint32_t here = 0, below = 0;

        if (ids[n] == 0) {
            REQUIRE(lab_add(&lab, 4 * n, 4, 20 + n, 0, &ids[n], NULL) == SVMC_OK);
        } else {
            REQUIRE(svmc_measure_unload(&lab.m, ids[n], 0, &holder, NULL) == SVMC_OK);
            ids[n] = 0;
            looked &= ~(15u << 4 * n);
        }
        for (unsigned k = 0; k < 6; k++)
            here |= ids[k] ? 15u << 4 * k : 0;
        if (lab.m.priv.rounds != round) /* what was left is let go */
            looked = 0;
        round = lab.m.priv.rounds;
        for (uint32_t k = 0; k < lab.m.priv.at; k++)
            below |= 1u << lab.pages[lab.pages[k].priv.order].priv.frame / 4096;
        CHECK_EQ(below, looked, "turn %u: what the round has done", i);
        for (uint64_t left = harness_random(&rng) % 9; left-- > 0 && here != 0;) {
            REQUIRE(svmc_measure_scan(&lab.m, 1, &out) == SVMC_OK && out.looks == 1);
            CHECK_EQ(out.event.kind, SVMC_MEASURE_NOTHING);
            CHECK((1u << lab.last_frame & here & ~looked) != 0, "turn %u", i);
            looked |= 1u << lab.last_frame;
            CHECK_EQ(looked == here, out.rounds != round, "turn %u", i);
            round = out.rounds;
            if (looked == here)
                looked = 0;
        }
    }
    CHECK(round > 300, "%u rounds", round);
}

TEST(measure, hints_come_first) /* ME-10 */
{
    struct svmc_measure_stand out;

    lab_start(&lab, 13);
    REQUIRE(lab_add(&lab, 0, 20, 9, 0, &range, NULL) == SVMC_OK);
    CHECK_EQ(svmc_measure_hint(NULL, (svmc_gpa){ 0 }), SVMC_ERR_ARG);
    CHECK_EQ(svmc_measure_hint(&lab.m, (svmc_gpa){ lab_at(25) }), SVMC_OK, "not measured");
    CHECK_EQ(lab.m.priv.hints, 0);
    for (unsigned i = 0; i < 20; i++) {
        unsigned frame = i * 7 % 20;

        lab.memory[frame][i] ^= 4;
        CHECK_EQ(svmc_measure_hint(&lab.m, (svmc_gpa){ lab_at(frame) + 9 }), SVMC_OK);
        CHECK_EQ(svmc_measure_hint(&lab.m, (svmc_gpa){ lab_at(frame) }), SVMC_OK, "again");
        CHECK_EQ(lab.m.priv.hints, 1);
        REQUIRE(svmc_measure_scan(&lab.m, 2, &out) == SVMC_OK);
        CHECK_EQ(out.event.kind, SVMC_MEASURE_DIFFERS);
        CHECK_EQ(out.event.frame, lab_at(frame));
        CHECK_EQ(out.looks, 1);
    }
    for (unsigned i = 0; i < SVMC_MEASURE_HINTS; i++)
        CHECK_EQ(svmc_measure_hint(&lab.m, (svmc_gpa){ lab_at(i) }), SVMC_OK);
    CHECK_EQ(svmc_measure_hint(&lab.m, (svmc_gpa){ lab_at(19) }), SVMC_ERR_FULL);
    REQUIRE(svmc_measure_scan(&lab.m, 6, &out) == SVMC_OK);
    CHECK_EQ(lab.m.priv.hints, SVMC_MEASURE_HINTS - 3, "at most half of a call");
    CHECK_EQ(out.looks, 6);
}

TEST(measure, a_hint_to_what_was_let_go_is_nothing) /* ME-10 ME-17 */
{
    struct svmc_measure_stand out;
    uint32_t other, holder;

    lab_start(&lab, 14);
    REQUIRE(lab_add(&lab, 0, 4, 9, 0, &range, NULL) == SVMC_OK);
    REQUIRE(lab_add(&lab, 8, 4, 9, 0, &other, NULL) == SVMC_OK);
    CHECK_EQ(svmc_measure_hint(&lab.m, (svmc_gpa){ lab_at(2) }), SVMC_OK);
    REQUIRE(svmc_measure_unload(&lab.m, range, 9, &holder, NULL) == SVMC_OK);
    lab.spans = 0;
    REQUIRE(svmc_measure_scan(&lab.m, 2, &out) == SVMC_OK);
    CHECK_EQ(out.looks, 2);
    CHECK_EQ(lab.spans, 2);
    CHECK_EQ(lab.m.priv.hints, 0);
}
