/* SPDX-License-Identifier: MIT */
/* Slots and functions as bytes: what comes back, under which handles, and what for. */
#include <svmcore/keyslot_state.h>

#include "../../src/core/bytes.h"
#include "keyslot_lab.h"

#define FRAME      16u
#define SLOT_BYTES 40u
#define RUN_BYTES  12u

static struct lab lab;
static struct toy toy;
static const uint32_t mixed[] = { SVMC_ALG_AES_256_XTS, SVMC_ALG_AES_256_GCM };
static const uint32_t lines[] = { 64, 64 };
static uint8_t saved[65536], again[65536];
static struct svmc_keyslot_saved list[64];
static uint8_t data[LAB_PAGES * SVMC_DMA_PAGE];

static size_t save_slots(const struct svmc_keyslots *ks, uint8_t *out)
{
    size_t len, need;

    CHECK_EQ(svmc_keyslots_save(ks, NULL, 0, &need), SVMC_ERR_FULL);
    CHECK_EQ(svmc_keyslots_save(ks, out, sizeof saved, &len), SVMC_OK);
    CHECK_EQ(len, need);
    return len;
}

static void bind(struct svmc_devices *table, uint32_t bdf, svmc_key_handle handle)
{
    enum svmc_status st = svmc_device_bind(table, bdf, handle);

    CHECK(st == SVMC_OK || st == SVMC_ERR_STATE, "%x: %u", bdf, (unsigned)st);
}

static uint32_t bound(const struct svmc_devices *table, uint32_t bdf)
{
    svmc_key_handle handle;
    enum svmc_status st = svmc_device_find(table, bdf, &handle);

    return st == SVMC_OK ? handle.raw : 0;
}

static size_t save_devices(const struct svmc_devices *table, uint8_t *out)
{
    size_t len, need;

    CHECK_EQ(svmc_devices_save(table, NULL, 0, &need), SVMC_ERR_FULL);
    CHECK_EQ(svmc_devices_save(table, out, sizeof saved, &len), SVMC_OK);
    CHECK_EQ(len, need);
    return len;
}

static enum svmc_status write_by(uint32_t device, uint64_t iova, size_t n,
                                 struct svmc_dma_result *r)
{
    return dma_lab_move(&lab, device, SVMC_DMA_WRITE, iova, data, n, r);
}

/* The lab's host in another process: its memory is there, its slots and functions are bytes. */
static void restart(void)
{
    const struct svmc_keyslots_config pool = {
        .crypto = lab.crypto, .kind = SVMC_KEYSLOT_SOFTWARE, .slots = 9, .lanes = LAB_LANES
    };
    const struct svmc_devices_config table = { .segments = 1, .buses = 4 };
    const struct svmc_dma_config engine = { .slots = &lab.ks,
                                            .devices = &lab.devices,
                                            .ops = &lab.ops,
                                            .pages = 32,
                                            .cache = 16,
                                            .stripes = 64 };
    svmc_key_handle other;

    svmc_keyslots_drop(&lab.ks);
    CHECK_EQ(svmc_keyslots_init(&lab.ks, &pool, lab.pool, sizeof lab.pool), SVMC_OK);
    CHECK_EQ(svmc_devices_init(&lab.devices, &table, lab.table, sizeof lab.table), SVMC_OK);
    CHECK_EQ(svmc_dma_init(&lab.dma, &engine, lab.engine, sizeof lab.engine), SVMC_OK);
    for (unsigned i = 0; i < 3; i++) /* somebody else was first: no handle is what it was */
        CHECK_EQ(svmc_keyslot_load(&lab.ks, &lab.key[0], &other), SVMC_OK);
}

TEST(keyslot_state, a_host_goes_on_elsewhere) /* ST-9 ST-10 ST-11 ST-12 KS-18 KS-20 DM-22 */
{
    struct svmc_dma_result r;
    svmc_key_handle was[LAB_VMS], fresh;
    size_t slots, devices;
    uint32_t count;

    memset(data, 0x3c, sizeof data);
    toy_init(&toy);
    dma_lab_init(&lab, &toy.ops, mixed, lines);
    memcpy(was, lab.slot, sizeof was);
    slots = save_slots(&lab.ks, saved);
    devices = save_devices(&lab.devices, again);
    restart();
    CHECK_EQ(svmc_keyslots_load(saved, slots, NULL, 0, &count), SVMC_ERR_FULL);
    CHECK_EQ(count, LAB_VMS);
    CHECK_EQ(svmc_keyslots_load(saved, slots, list, 64, &count), SVMC_OK);
    CHECK_EQ(count, LAB_VMS);
    for (uint32_t vm = 0; vm < LAB_VMS; vm++) { /* slots go upwards: VM 0 was first */
        CHECK_EQ(list[vm].was.raw, was[vm].raw);
        CHECK_EQ(list[vm].now.raw, 0);
        CHECK_EQ(list[vm].key.domain, 100 + vm);
        CHECK_EQ(list[vm].key.epoch, lab.key[vm].epoch);
        CHECK_EQ(list[vm].key.opens, 1);
        list[vm].key.bytes = lab.key_bytes[vm];
        CHECK_EQ(svmc_keyslot_load(&lab.ks, &list[vm].key, &list[vm].now), SVMC_OK);
        CHECK(list[vm].now.raw != was[vm].raw);
        CHECK_EQ(svmc_keyslot_left(&lab.ks, list[vm].now), 0);
        lab.slot[vm] = list[vm].now;
    }
    CHECK_EQ(svmc_devices_load(&lab.devices, list, count, again, devices), SVMC_OK);
    for (uint32_t vm = 0; vm < LAB_VMS; vm++) {
        CHECK(dma_lab_holds(&lab, vm), "VM %u", vm);
        CHECK_EQ(write_by(4 * vm, 5, 1, &r), SVMC_ERR_FULL); /* an old epoch opens alone */
        CHECK_EQ(r.reason, SVMC_DMA_BUDGET);
        /* and what is written from now on has the next one's key */
        lab.key[vm].before = list[vm].now;
        lab.key[vm].epoch += 100;
        for (unsigned i = 0; i < 64; i++)
            lab.key_bytes[vm][i] ^= 0x5a;
        CHECK_EQ(svmc_keyslot_load(&lab.ks, &lab.key[vm], &fresh), SVMC_OK);
        CHECK_EQ(svmc_device_rebind_slot(&lab.devices, list[vm].now, fresh), LAB_DEVICES / LAB_VMS);
        for (uint32_t page = 0; page < LAB_PAGES; page++)
            lab.page_slot[vm][page] = list[vm].now;
        CHECK(dma_lab_holds(&lab, vm), "VM %u: the old epoch's pages", vm);
    }
}

TEST(keyslot_state, a_load_for_opening_has_no_budget) /* KS-20 */
{
    struct svmc_keyslot_key key;
    svmc_key_handle handle;

    toy_init(&toy);
    dma_lab_init(&lab, &toy.ops, mixed, lines);
    key = lab.key[0];
    key.opens = 1;
    CHECK_EQ(svmc_keyslot_load(&lab.ks, &key, &handle), SVMC_OK);
    CHECK_EQ(svmc_keyslot_left(&lab.ks, handle), 0);
    key.units = 5;
    CHECK_EQ(svmc_keyslot_load(&lab.ks, &key, &handle), SVMC_ERR_ARG);
    CHECK_EQ(handle.raw, 0);
    key.units = 0;
    key.opens = 2;
    CHECK_EQ(svmc_keyslot_load(&lab.ks, &key, &handle), SVMC_ERR_ARG);
}

/* ---- chains of slots -------------------------------------------------------------------------*/

enum { SLOTS = 24 };

static struct svmc_keyslots ks, ks2;
static _Alignas(64) uint8_t pool[2][65536];
static const uint8_t key_bytes[64] = { 1, 2, 3 };

static void pool_init(struct svmc_keyslots *k, uint8_t *memory, uint32_t slots)
{
    const struct svmc_keyslots_config c = {
        .crypto = &toy.ops, .kind = SVMC_KEYSLOT_SOFTWARE, .slots = slots, .lanes = 1
    };

    CHECK_EQ(svmc_keyslots_init(k, &c, memory, sizeof pool[0]), SVMC_OK);
}

/* A random pool, of which model[] knows the truth. */
static struct {
    svmc_key_handle handle, before;
    uint64_t cookie;
} model[SLOTS];

static void random_pool(uint64_t *rng)
{
    uint64_t cookie = 0;

    toy_init(&toy);
    pool_init(&ks, pool[0], SLOTS);
    memset(model, 0, sizeof model);
    for (unsigned turn = 0; turn < 4 * SLOTS; turn++) {
        struct svmc_keyslot_key key = { .domain = harness_random(rng) % 2,
                                        .epoch = turn,
                                        .cookie = ++cookie,
                                        .alg = SVMC_ALG_AES_256_GCM,
                                        .unit_bytes = 128,
                                        .bytes = key_bytes };
        unsigned other = (unsigned)harness_random(rng) % SLOTS, n;
        svmc_key_handle handle;

        if (harness_random(rng) % 3 == 0) {
            if (model[other].handle.raw != 0)
                CHECK_EQ(svmc_keyslot_revoke(&ks, model[other].handle, SVMC_KEYSLOT_DRAIN),
                         SVMC_OK);
            model[other].handle.raw = 0;
            continue;
        }
        key.before = model[other].handle;
        if (svmc_keyslot_load(&ks, &key, &handle) != SVMC_OK) /* full, or another owner's */
            continue;
        n = (handle.raw & 0xffff) - 1;
        model[n].handle = handle;
        model[n].before = key.before;
        model[n].cookie = cookie;
    }
}

static void check_list(uint32_t count)
{
    uint32_t at = 0;

    for (unsigned n = 0; n < SLOTS; n++) {
        unsigned b = (model[n].before.raw & 0xffff) - 1;
        const struct svmc_keyslot_saved *s = list + at;

        if (model[n].handle.raw == 0)
            continue;
        CHECK(at++ < count);
        CHECK_EQ(s->was.raw, model[n].handle.raw, "%u", n);
        CHECK_EQ(s->key.cookie, model[n].cookie, "%u", n);
        if (model[n].before.raw != 0 && model[b].handle.raw == model[n].before.raw) {
            CHECK_EQ(list[s->before - 1].was.raw, model[n].before.raw, "%u", n);
            CHECK_EQ(s->order, list[s->before - 1].order + 1, "%u", n);
        } else { /* none, or one that is gone */
            CHECK_EQ(s->before, 0, "%u", n);
            CHECK_EQ(s->order, 0, "%u", n);
        }
    }
    CHECK_EQ(at, count);
}

TEST(keyslot_state, chains_come_back_in_their_order) /* ST-9 ST-10 KS-18 */
{
    uint64_t rng = harness_seed();
    uint32_t deep = 0;

    for (unsigned round = 0; round < 60; round++) {
        uint32_t count, loaded = 0;
        size_t len;

        random_pool(&rng);
        len = save_slots(&ks, saved);
        CHECK_EQ(svmc_keyslots_load(saved, len, list, 64, &count), SVMC_OK);
        check_list(count);
        pool_init(&ks2, pool[1], SLOTS);
        for (uint32_t order = 0; loaded < count && order < SLOTS; order++)
            for (uint32_t i = 0; i < count; i++) {
                if (list[i].order != order)
                    continue;
                deep = order > deep ? order : deep;
                list[i].key.bytes = key_bytes;
                if (list[i].before != 0)
                    list[i].key.before = list[list[i].before - 1].now;
                CHECK_EQ(svmc_keyslot_load(&ks2, &list[i].key, &list[i].now), SVMC_OK);
                loaded++;
            }
        CHECK_EQ(loaded, count);
        CHECK_EQ(save_slots(&ks2, again), len); /* as many, with other handles */
        svmc_keyslots_drop(&ks);
        svmc_keyslots_drop(&ks2);
    }
    CHECK(deep >= 2, "no chain: %u", deep);
}

/* ---- the device table ------------------------------------------------------------------------*/

static struct svmc_devices from, to;
static _Alignas(64) uint8_t table[2][262144];

static void table_init(struct svmc_devices *t, uint8_t *memory, uint32_t buses)
{
    const struct svmc_devices_config c = { .segments = 1, .buses = buses };

    CHECK_EQ(svmc_devices_init(t, &c, memory, sizeof table[0]), SVMC_OK);
}

/* The slots of a list of so many: number n was n + 1 with generation 3, is now 7 above. */
static void make_list(uint32_t count)
{
    memset(list, 0, sizeof list);
    for (uint32_t i = 0; i < count; i++) {
        list[i].was.raw = 3u << 16 | (i + 1);
        list[i].now.raw = 1u << 16 | (i + 7);
    }
}

TEST(keyslot_state, functions_find_their_slots_again) /* ST-11 ST-12 DT-1 DT-2 */
{
    uint64_t rng = harness_seed();

    for (unsigned round = 0; round < 6; round++) {
        size_t len;

        table_init(&from, table[0], round % 2 ? 40 : 0);
        table_init(&to, table[1], round % 3 ? 40 : 0);
        make_list(8);
        list[5].now.raw = 0; /* its key is not here */
        for (unsigned i = 0; i < 300; i++) {
            uint32_t bdf = SVMC_BDF(0, harness_random(&rng) % 30, harness_random(&rng) % 4,
                                    harness_random(&rng) % 8);

            bind(&from, bdf,
                 (svmc_key_handle){ 3u << 16 | (1 + (uint32_t)harness_random(&rng) % 9) });
        }
        len = save_devices(&from, saved);
        CHECK_EQ(svmc_devices_load(&to, list, 8, saved, len), SVMC_OK);
        for (uint32_t bdf = 0; bdf < 65536; bdf++) {
            uint32_t was = bound(&from, bdf), n = (was & 0xffff) - 1, want = 0;

            if (was != 0 && n < 8 && n != 5)
                want = 1u << 16 | (n + 7);
            if (bound(&to, bdf) != want)
                CHECK_EQ(bound(&to, bdf), want, "%x", bdf);
        }
        CHECK_EQ(svmc_devices_load(&to, list, 8, saved, len), SVMC_ERR_STATE); /* not new */
    }
}

TEST(keyslot_state, a_table_without_room_stays_empty) /* ST-12 DT-2 */
{
    svmc_key_handle handle = { 3u << 16 | 1 }, found;
    size_t len;

    table_init(&from, table[0], 0);
    for (uint32_t bus = 0; bus < 4; bus++)
        for (uint32_t i = 0; i < 256; i++) /* one run over all of them */
            CHECK_EQ(svmc_device_bind(&from, 256 * (10 + bus) + i, handle), SVMC_OK);
    CHECK_EQ(svmc_device_bind(&from, 256 * 20, (svmc_key_handle){ 3u << 16 | 2 }), SVMC_OK);
    len = save_devices(&from, saved);
    CHECK_EQ(len, FRAME + 2 * RUN_BYTES);
    for (uint32_t buses = 1; buses <= 6; buses++) {
        table_init(&to, table[1], buses);
        make_list(2);
        CHECK_EQ(svmc_devices_load(&to, list, 2, saved, len), buses < 5 ? SVMC_ERR_FULL : SVMC_OK,
                 "%u", buses);
        CHECK_EQ(svmc_device_find(&to, 256 * 10, &found), buses < 5 ? SVMC_ERR_REFUSED : SVMC_OK);
    }
    table_init(&to, table[1], 4); /* a slot that does not come back needs no row */
    CHECK_EQ(svmc_devices_load(&to, list, 1, saved, len), SVMC_OK);
    table_init(&to, table[1], 0);
    core_store_le32(saved + FRAME + RUN_BYTES, 65536); /* the next segment */
    CHECK_EQ(svmc_devices_load(&to, list, 2, saved, len), SVMC_ERR_FULL);
    CHECK_EQ(svmc_device_find(&to, 256 * 10, &found), SVMC_ERR_REFUSED);
}

/* ---- hostile bytes ---------------------------------------------------------------------------*/

TEST(keyslot_state, every_length_and_every_bit) /* ST-2 ST-3 ST-10 ST-11 */
{
    static const struct svmc_keyslot_saved none[64];
    uint64_t rng = 5;
    uint32_t count, other = 0, refused = 0;
    size_t len;

    random_pool(&rng);
    len = save_slots(&ks, saved);
    for (size_t cut = 0; cut < len; cut++) {
        list[0].order = 9;
        CHECK_EQ(svmc_keyslots_load(saved, cut, list, 64, &count), SVMC_ERR_FORMAT, "%zu", cut);
        CHECK_EQ(count, 0);
        CHECK_MEM(list, none, sizeof list);
    }
    for (size_t bit = 0; bit < 8 * len; bit++) {
        saved[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (svmc_keyslots_load(saved, len, list, 64, &count) == SVMC_OK) {
            other++;
            for (uint32_t i = 0; i < count; i++) { /* never round in a circle */
                CHECK(list[i].before <= count);
                CHECK(list[i].before == 0 || list[i].order == list[list[i].before - 1].order + 1);
                CHECK(i == 0 || (list[i].was.raw & 0xffff) > (list[i - 1].was.raw & 0xffff));
            }
        } else {
            refused++;
            CHECK_EQ(count, 0);
        }
        saved[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK(other > 100 && refused > 100, "%u, %u", other, refused);
    make_list(4);
    table_init(&from, table[0], 4);
    for (uint32_t i = 0; i < 40; i++)
        bind(&from, i * 5, list[harness_random(&rng) % 4].was);
    len = save_devices(&from, saved);
    table_init(&to, table[1], 4);
    for (size_t cut = 0; cut < len; cut += 1 + cut / 20)
        if ((cut - FRAME) % RUN_BYTES != 0 || cut < FRAME) /* the length in the frame is wrong */
            CHECK_EQ(svmc_devices_load(&to, list, 4, saved, cut), SVMC_ERR_FORMAT, "%zu", cut);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        enum svmc_status st;

        saved[bit / 8] ^= (uint8_t)(1u << bit % 8);
        st = svmc_devices_load(&to, list, 4, saved, len);
        if (st == SVMC_OK)
            table_init(&to, table[1], 4);
        else
            CHECK_EQ(to.priv.used, 0, "%zu", bit);
        saved[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

TEST(keyslot_state, slots_that_cannot_be_are_refused) /* ST-10 */
{
    /* two slots in a row, number 1 and 2; what is put where */
    static const struct {
        char name[24];
        size_t at;
        uint32_t word;
        enum svmc_status want;
    } rows[] = {
        { "as they were", 0, 0x10002, SVMC_OK },
        { "generation 0", 0, 2, SVMC_ERR_FORMAT },
        { "slot 0", 0, 0x10000, SVMC_ERR_FORMAT },
        { "the same slot", 0, 0x10001, SVMC_ERR_FORMAT },
        { "before: itself", 4, 0x10002, SVMC_ERR_FORMAT },
        { "before: not there", 4, 0x10003, SVMC_ERR_FORMAT },
        { "before: another load", 4, 0x20001, SVMC_ERR_FORMAT },
        { "another owner's", 8, 78, SVMC_ERR_FORMAT },
        { "another algorithm", 32, SVMC_ALG_AES_256_XTS, SVMC_ERR_FORMAT },
        { "unit", 36, 100, SVMC_ERR_FORMAT },
        { "small unit", 36, 32, SVMC_ERR_FORMAT },
        { "large unit", 36, 8192, SVMC_ERR_FORMAT },
    };
    struct svmc_keyslot_key key = {
        .domain = 77, .alg = SVMC_ALG_AES_256_GCM, .unit_bytes = 64, .bytes = key_bytes
    };
    svmc_key_handle first, second;
    uint32_t count;
    size_t len;

    toy_init(&toy);
    pool_init(&ks, pool[0], 4);
    CHECK_EQ(svmc_keyslot_load(&ks, &key, &first), SVMC_OK);
    key.before = first;
    CHECK_EQ(svmc_keyslot_load(&ks, &key, &second), SVMC_OK);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        len = save_slots(&ks, saved);
        core_store_le32(saved + FRAME + SLOT_BYTES + rows[i].at, rows[i].word);
        CHECK_EQ(svmc_keyslots_load(saved, len, list, 64, &count), rows[i].want, "%s",
                 rows[i].name);
    }
    len = save_slots(&ks, saved);
    core_store_le32(saved + FRAME + 4, second.raw); /* each before the other */
    CHECK_EQ(svmc_keyslots_load(saved, len, list, 64, &count), SVMC_ERR_FORMAT);
    table_init(&to, table[1], 4);
    CHECK_EQ(svmc_devices_load(&to, list, 0, saved, len), SVMC_ERR_PURPOSE);
    saved[4] = 2;
    CHECK_EQ(svmc_keyslots_load(saved, len, list, 64, &count), SVMC_ERR_UNSUPPORTED);
}

TEST(keyslot_state, a_unit_has_its_bounds) /* ST-10 */
{
    struct svmc_keyslot_key key = {
        .domain = 77, .alg = SVMC_ALG_AES_256_GCM, .unit_bytes = 64, .bytes = key_bytes
    };
    svmc_key_handle handle;
    uint32_t count;
    size_t len;

    toy_init(&toy);
    pool_init(&ks, pool[0], 4);
    CHECK_EQ(svmc_keyslot_load(&ks, &key, &handle), SVMC_OK);
    len = save_slots(&ks, saved);
    for (uint32_t unit = 0; unit <= 8192; unit += 16) {
        core_store_le32(saved + FRAME + 36, unit);
        CHECK_EQ(svmc_keyslots_load(saved, len, list, 64, &count),
                 unit >= 64 && unit <= 4096 && (unit & (unit - 1)) == 0 ? SVMC_OK : SVMC_ERR_FORMAT,
                 "%u", unit);
    }
}

TEST(keyslot_state, runs_that_cannot_be_are_refused) /* ST-11 ST-12 DT-4 */
{
    /* of two runs: 00:00.0 to 00:00.3 and 00:02.0 to 00:02.1; word `at` becomes `word` */
    static const struct {
        char name[28];
        size_t at;
        uint32_t word;
        enum svmc_status want;
    } rows[] = {
        { "as they were", 0, 0, SVMC_OK },
        { "no slot", 8, 0, SVMC_ERR_FORMAT },
        { "no slot, either", 20, 0, SVMC_ERR_FORMAT },
        { "no function", 4, 0, SVMC_ERR_FORMAT },
        { "back", 12, 3, SVMC_ERR_FORMAT },
        { "into the next", 4, 17, SVMC_ERR_FORMAT },
        { "up to the next", 4, 16, SVMC_ERR_FORMAT },
        { "far away", 12, 0xfffffff0, SVMC_ERR_FORMAT },
        { "more than there are", 16, 0xffffffff, SVMC_ERR_FORMAT },
        { "more than segments have", 16, 256 * 65536 - 15, SVMC_ERR_FORMAT },
    };
    const svmc_key_handle handle = { 3u << 16 | 1 };
    size_t len;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        table_init(&from, table[0], 4);
        table_init(&to, table[1], 4);
        make_list(2);
        for (uint32_t n = 0; n < 4; n++)
            bind(&from, n, handle);
        bind(&from, 16, handle);
        bind(&from, 17, handle);
        len = save_devices(&from, saved);
        CHECK_EQ(len, FRAME + 2 * RUN_BYTES);
        core_store_le32(saved + FRAME + rows[i].at, rows[i].word);
        CHECK_EQ(svmc_devices_load(&to, list, 2, saved, len), rows[i].want, "%s", rows[i].name);
        CHECK_EQ(bound(&to, 0), rows[i].want == SVMC_OK ? list[0].now.raw : 0, "%s", rows[i].name);
    }
    len = save_devices(&from, saved);
    for (uint32_t buses = 0; buses < 5; buses += 4) { /* another function is bound there */
        table_init(&to, table[1], buses);
        bind(&to, 900, handle);
        CHECK_EQ(svmc_devices_load(&to, list, 2, saved, len), SVMC_ERR_STATE);
        CHECK_EQ(bound(&to, 0), 0);
    }
}

/* As docs/spec/state.md has them, by hand. */
TEST(keyslot_state, the_bytes) /* ST-1 ST-9 ST-11 */
{
    static const uint8_t slots[] = {
        'S',  'V',  'S',  'T',  1,    0,    2,    0,    56,
        0,    0,    0,    0,    0,    0,    0,       /* the frame */
        1,    0,    1,    0,    0,    0,    0,    0, /* was, before */
        0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 9,
        0,    0,    0,    0,    0,    0,    0, /* owner, epoch */
        5,    0,    0,    0,    0,    0,    0,    0,    SVMC_ALG_AES_256_GCM,
        0,    0,    0,    0,    2,    0,    0 /* cookie, alg, unit */
    };
    static const uint8_t devices[] = {
        'S',  'V',  'S',  'T', 1, 0, 3, 0, 40, 0, 0, 0, 0, 0,
        0,    0,    0x18, 1,   0, 0, 2, 0, 0,  0, 1, 0, 1, 0, /* 01:03.0 and 01:03.1 */
        0xff, 0xff, 0,    0,   1, 0, 0, 0, 2,  0, 1, 0
    };
    const struct svmc_keyslot_key key = { .domain = 0x1112131415161718,
                                          .epoch = 9,
                                          .cookie = 5,
                                          .alg = SVMC_ALG_AES_256_GCM,
                                          .unit_bytes = 512,
                                          .bytes = key_bytes };
    svmc_key_handle handle;

    toy_init(&toy);
    pool_init(&ks, pool[0], 4);
    CHECK_EQ(svmc_keyslot_load(&ks, &key, &handle), SVMC_OK);
    CHECK_EQ(save_slots(&ks, saved), sizeof slots);
    CHECK_MEM(saved, slots, sizeof slots);
    table_init(&from, table[0], 2);
    CHECK_EQ(svmc_device_bind(&from, SVMC_BDF(0, 1, 3, 1), handle), SVMC_OK);
    CHECK_EQ(svmc_device_bind(&from, SVMC_BDF(0, 1, 3, 0), handle), SVMC_OK);
    CHECK_EQ(svmc_device_bind(&from, 0xffff, (svmc_key_handle){ 0x10002 }), SVMC_OK);
    CHECK_EQ(save_devices(&from, saved), sizeof devices);
    CHECK_MEM(saved, devices, sizeof devices);
}

TEST(keyslot_state, callers_that_err) /* ST-2 */
{
    uint32_t count;
    size_t len = 9;

    toy_init(&toy);
    pool_init(&ks, pool[0], 4);
    table_init(&from, table[0], 2);
    CHECK_EQ(svmc_keyslots_save(NULL, saved, 99, &len), SVMC_ERR_ARG);
    CHECK_EQ(len, 0);
    CHECK_EQ(svmc_keyslots_save(&ks, NULL, 9, &len), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyslots_save(&ks, saved, 99, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyslots_load(NULL, 9, list, 64, &count), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyslots_load(saved, 9, NULL, 64, &count), SVMC_ERR_ARG);
    CHECK_EQ(svmc_keyslots_load(saved, 9, list, 64, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_devices_save(NULL, saved, 99, &len), SVMC_ERR_ARG);
    CHECK_EQ(svmc_devices_save(&from, NULL, 9, &len), SVMC_ERR_ARG);
    CHECK_EQ(svmc_devices_save(&from, saved, 99, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_devices_load(NULL, list, 0, saved, 9), SVMC_ERR_ARG);
    CHECK_EQ(svmc_devices_load(&from, NULL, 1, saved, 9), SVMC_ERR_ARG);
    CHECK_EQ(svmc_devices_load(&from, list, 1, NULL, 9), SVMC_ERR_ARG);
    svmc_keyslots_drop(&ks);
    CHECK_EQ(svmc_keyslots_save(&ks, saved, 99, &len), SVMC_ERR_ARG);
}
