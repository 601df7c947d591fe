/* SPDX-License-Identifier: MIT */
/*
 * Any order of calls to a pool in hardware and a device table, beside a model of both: who may hold
 * what, which place has which key, what is busy, what is wiped (KS-3 to KS-16, DT-3 to DT-8).
 */
#include <stdbool.h>
#include <svmcore/device.h>

#include "input.h"

enum { SLOTS = 5, PLACES = 2, LANES = 3, LOADS = 64 };

/* The model: each load that there was. */
static struct load {
    svmc_key_handle handle;
    uint32_t refs;
    bool active, draining, cut;
} loads[LOADS];
static uint32_t count, held[LANES]; /* load + 1 */
static uint64_t in_place[PLACES];   /* cookie: load + 1 */
static bool program_fails;
static uint32_t bound[16]; /* of functions 0x1f0 to 0x1ff: handles */

static struct svmc_keyslots ks;
static struct svmc_devices table;
static _Alignas(64) uint8_t pool[8192], entries[1024 * 4 + 512];

static enum svmc_status program(void *ctx, uint32_t place, const struct svmc_keyslot_key *key,
                                struct svmc_cipher_key *room)
{
    (void)ctx, (void)room;
    require(place < PLACES);
    if (program_fails)
        return SVMC_ERR_FULL;
    in_place[place] = key->cookie;
    return SVMC_OK;
}

/* Nobody holds or has a reference to what is evicted; or it is cut, and references do not count. */
static void evict(void *ctx, uint32_t place, struct svmc_cipher_key *room)
{
    const struct load *l;

    (void)ctx, (void)room;
    require(place < PLACES && in_place[place] != 0);
    l = &loads[in_place[place] - 1];
    require(l->refs == 0 || l->cut);
    for (uint32_t i = 0; i < LANES; i++)
        require(held[i] != in_place[place]);
    in_place[place] = 0;
}

static void wipe(void *ctx, void *dst, size_t n)
{
    (void)ctx;
    memset(dst, 0, n);
}

static enum svmc_status crypt_none(void *ctx, struct svmc_cipher_key *key,
                                   const struct svmc_cipher_unit *u, uint32_t encrypt)
{
    (void)ctx, (void)key, (void)u, (void)encrypt;
    return SVMC_ERR_CALLBACK;
}

static const struct svmc_crypto_ops crypto = { .size = sizeof crypto,
                                               .wipe = wipe,
                                               .crypt = crypt_none };
static const struct svmc_keyslot_ops hardware = { sizeof hardware, 0, NULL, program, evict };

static bool is_resident(uint32_t n)
{
    return in_place[0] == n + 1 || in_place[1] == n + 1;
}

static bool is_held(uint32_t n)
{
    return held[0] == n + 1 || held[1] == n + 1 || held[2] == n + 1;
}

static void load_one(void)
{
    const struct svmc_keyslot_key key = { .cookie = count + 1,
                                          .alg = SVMC_ALG_AES_256_XTS,
                                          .unit_bytes = 64 };
    uint32_t busy = 0, slot;
    svmc_key_handle handle;

    if (count == LOADS)
        return;
    for (uint32_t i = 0; i < count; i++)
        busy += loads[i].active || loads[i].draining || loads[i].refs != 0;
    if (busy == SLOTS) {
        require(svmc_keyslot_load(&ks, &key, &handle) == SVMC_ERR_FULL && handle.raw == 0);
        return;
    }
    require(svmc_keyslot_load(&ks, &key, &handle) == SVMC_OK);
    slot = handle.raw & 0xffff;
    for (uint32_t i = 0; i < count; i++) {
        require(loads[i].handle.raw != handle.raw);
        require((loads[i].handle.raw & 0xffff) != slot ||
                (!loads[i].active && !loads[i].draining && loads[i].refs == 0));
    }
    loads[count++] = (struct load){ .handle = handle, .active = true };
}

static void hold_one(uint32_t n, uint32_t lane, bool by_ref)
{
    struct load *l = &loads[n];
    enum svmc_status want = held[lane]                                           ? SVMC_ERR_STATE
                            : l->active && is_resident(n)                        ? SVMC_OK
                            : l->active                                          ? SVMC_ERR_ABSENT
                            : by_ref && l->draining && !l->cut && is_resident(n) ? SVMC_OK
                                                                                 : SVMC_ERR_STALE;
    struct svmc_keyslot_use use;

    if (by_ref && l->refs == 0)
        return; /* the caller's to have */
    require((by_ref ? svmc_keyslot_hold_ref(&ks, lane, l->handle, &use)
                    : svmc_keyslot_hold(&ks, lane, l->handle, &use)) == want);
    if (want == SVMC_OK) {
        require(use.place < PLACES && in_place[use.place] == n + 1);
        held[lane] = n + 1;
    }
}

static void revoke_one(uint32_t n, bool cut)
{
    struct load *l = &loads[n];
    enum svmc_status st;

    if (!l->active && !l->draining) {
        require(svmc_keyslot_revoke(&ks, l->handle, cut) == SVMC_ERR_STALE);
        return;
    }
    l->active = false;
    l->draining = true;
    l->cut |= cut;
    st = svmc_keyslot_revoke(&ks, l->handle, cut);
    require(st == (is_held(n) || (l->refs != 0 && !l->cut) ? SVMC_ERR_BUSY : SVMC_OK));
    if (st == SVMC_OK) {
        l->draining = false;
        require(!is_resident(n));
    }
}

static void ref_one(uint32_t n, uint32_t lane)
{
    struct load *l = &loads[n];
    enum svmc_status st = svmc_keyslot_ref(&ks, lane, l->handle);

    require(st == (held[lane]                    ? SVMC_ERR_STATE
                   : l->active && is_resident(n) ? SVMC_OK
                   : l->active                   ? SVMC_ERR_ABSENT
                                                 : SVMC_ERR_STALE));
    l->refs += st == SVMC_OK;
}

static void unref_one(uint32_t n)
{
    struct load *l = &loads[n];
    enum svmc_status st;

    if (l->refs == 0)
        return;
    st = svmc_keyslot_unref(&ks, l->handle);
    require(st == (l->cut ? SVMC_ERR_STALE : SVMC_OK));
    l->refs--;
}

static void bring_one(uint32_t n, bool fails)
{
    struct load *l = &loads[n];
    bool was = is_resident(n), room = false;
    enum svmc_status st;

    for (uint32_t i = 0; i < PLACES; i++)
        room |= in_place[i] == 0 ||
                (loads[in_place[i] - 1].active && loads[in_place[i] - 1].refs == 0 &&
                 !is_held((uint32_t)in_place[i] - 1));
    program_fails = fails;
    st = svmc_keyslot_bring(&ks, l->handle);
    program_fails = false;
    require(st == (was && (l->active || !l->cut) ? SVMC_OK
                   : !l->active                  ? SVMC_ERR_STALE
                   : !room                       ? SVMC_ERR_BUSY
                   : fails                       ? SVMC_ERR_CALLBACK
                                                 : SVMC_OK));
    require(is_resident(n) == (was || st == SVMC_OK) || !l->active);
}

static void bind_one(uint32_t n, uint32_t at, bool unbind)
{
    uint32_t bdf = 0x1f0 + at;
    svmc_key_handle found;

    if (unbind)
        require(svmc_device_unbind(&table, bdf) == (bound[at] ? SVMC_OK : SVMC_ERR_STATE));
    else
        require(svmc_device_bind(&table, bdf, loads[n].handle) ==
                (bound[at] ? SVMC_ERR_STATE : SVMC_OK));
    bound[at] = unbind ? 0 : bound[at] ? bound[at] : loads[n].handle.raw;
    require(svmc_device_find(&table, bdf, &found) == (bound[at] ? SVMC_OK : SVMC_ERR_REFUSED));
    require(found.raw == bound[at]);
}

/* What a device says about itself. */
static void foreign(struct input *in)
{
    struct svmc_sriov sriov;
    uint32_t bdf, n, where;
    svmc_key_handle found;

    take(in, &bdf, sizeof bdf);
    take(in, &n, sizeof n);
    take(in, &sriov, sizeof sriov);
    if (svmc_device_find(&table, bdf, &found) == SVMC_OK)
        require(bdf - 0x1f0 < 16 && found.raw == bound[bdf - 0x1f0]);
    if (svmc_device_vf(&sriov, n, &where) == SVMC_OK)
        require(where >> 16 == sriov.pf >> 16 && where > sriov.pf && n >= 1 && n <= sriov.count);
    found.raw = n;
    (void)svmc_keyslot_revoke(&ks, (svmc_key_handle){ 0 }, SVMC_KEYSLOT_DRAIN);
    require(svmc_keyslot_state(&ks, found) <= SVMC_KEYSLOT_RETIRED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct svmc_keyslots_config config = { .crypto = &crypto,
                                                 .ops = &hardware,
                                                 .kind = SVMC_KEYSLOT_HARDWARE,
                                                 .slots = SLOTS,
                                                 .places = PLACES,
                                                 .lanes = LANES };
    const struct svmc_devices_config functions = { .segments = 1, .buses = 4 };
    struct input in = { data, size };

    memset(loads, 0, sizeof loads);
    memset(held, 0, sizeof held);
    memset(in_place, 0, sizeof in_place);
    memset(bound, 0, sizeof bound);
    count = 0;
    require(svmc_keyslots_init(&ks, &config, pool, sizeof pool) == SVMC_OK);
    require(svmc_devices_init(&table, &functions, entries, sizeof entries) == SVMC_OK);
    while (in.left > 0) {
        uint8_t what = take_byte(&in), arg = take_byte(&in);
        uint32_t n = count ? arg % count : 0, lane = arg % LANES;

        if (what % 12 == 0 || count == 0)
            load_one();
        else if (what % 12 < 3)
            hold_one(n, lane, what & 32);
        else if (what % 12 < 5)
            svmc_keyslot_release(&ks, lane), held[lane] = 0;
        else if (what % 12 == 5)
            revoke_one(n, what & 32);
        else if (what % 12 == 6)
            ref_one(n, lane);
        else if (what % 12 == 7)
            unref_one(n);
        else if (what % 12 < 10)
            bring_one(n, (what & 48) == 48);
        else if (what % 12 == 10)
            bind_one(n, arg % 16, what & 32);
        else
            foreign(&in);
        for (uint32_t i = 0; i < count; i++)
            require((svmc_keyslot_state(&ks, loads[i].handle) == SVMC_KEYSLOT_ACTIVE) ==
                    loads[i].active);
    }
    memset(held, 0, sizeof held);
    for (uint32_t i = 0; i < count; i++)
        loads[i].cut = true;
    svmc_keyslots_drop(&ks);
    require(in_place[0] == 0 && in_place[1] == 0);
    return 0;
}
