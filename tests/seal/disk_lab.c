/* SPDX-License-Identifier: MIT */
#include "disk_lab.h"

#include <stdlib.h>

#include "../../src/core/bytes.h"

/* ---- keys and nonces that sealed -------------------------------------------------------------*/

static uint64_t pair[DISK_LAB_PAIRS][2];
static unsigned pairs;

static void note(const uint8_t *key, const uint8_t *nonce)
{
    uint64_t a = core_load_le64(nonce), b = core_load_le32(nonce + 8);
    uint32_t cell;

    for (unsigned i = 0; i < 32; i += 8) {
        a ^= core_load_le64(key + i);
        a = harness_random(&a);
        b = (b ^ core_load_le64(key + i)) * 0x9e3779b97f4a7c15u;
        b = harness_random(&b);
    }
    cell = (uint32_t)a % DISK_LAB_PAIRS;
    for (; pair[cell][0] != 0 || pair[cell][1] != 0; cell = (cell + 1) % DISK_LAB_PAIRS)
        if (!CHECK(pair[cell][0] != a || pair[cell][1] != b, "a key and nonce twice"))
            return;
    pair[cell][0] = a;
    pair[cell][1] = b;
    if (!CHECK(++pairs < DISK_LAB_PAIRS / 8 * 7, "too many pairs to note"))
        abort();
}

unsigned disk_lab_pairs(void)
{
    return pairs;
}

/* ---- the crypto table ------------------------------------------------------------------------*/

/* fakehost's come again after 256. */
static uint64_t random_seed;

static enum svmc_status random_bytes(void *ctx, void *dst, size_t n)
{
    uint8_t *to = dst;

    if (crypto_lab_fails(ctx))
        return SVMC_ERR_CALLBACK;
    for (size_t i = 0; i < n; i++)
        to[i] = (uint8_t)harness_random(&random_seed);
    return SVMC_OK;
}

static enum svmc_status equal(void *ctx, const void *a, const void *b, size_t n)
{
    (void)ctx;
    return memcmp(a, b, n) == 0 ? SVMC_OK : SVMC_ERR_AUTH;
}

static void init_crypto(struct crypto_lab *c, uint8_t name)
{
    crypto_lab_init(c);
    random_seed = name;
    c->toy.sealed = note;
    c->ops.random = random_bytes;
    c->ops.equal = equal;
}

/* ---- the store -------------------------------------------------------------------------------*/

enum what { GO, FAIL, CUT, LIE };

static enum what next(struct disk_lab_store *s)
{
    unsigned k = ++s->calls;

    if (s->is_off || k == s->fail_at)
        return FAIL;
    if (k == s->lie_at)
        return LIE;
    s->is_off = k == s->cut_at;
    return s->is_off ? CUT : GO;
}

static bool is_good(uint64_t at, size_t n)
{
    return CHECK(at % SVMC_DISK_BLOCK == 0 && n % SVMC_DISK_BLOCK == 0 && n != 0 &&
                     at <= DISK_LAB_BYTES && n <= DISK_LAB_BYTES - at,
                 "%" PRIu64 " + %zu", at, n); /* DK-2 */
}

static enum svmc_status store_read(void *ctx, uint64_t at, void *dst, size_t n)
{
    struct disk_lab_store *s = ctx;
    enum what what = next(s);

    if (what == FAIL || what == CUT || !is_good(at, n)) {
        memset(dst, 0xee, n); /* nobody may use it */
        return SVMC_ERR_CALLBACK;
    }
    memcpy(dst, s->now + at, n);
    if (what == LIE)
        memset((uint8_t *)dst + n / 2, 0xdd, n - n / 2);
    return SVMC_OK;
}

static enum svmc_status store_write(void *ctx, uint64_t at, const void *src, size_t n)
{
    struct disk_lab_store *s = ctx;
    enum what what = next(s);

    if (what == FAIL || !is_good(at, n))
        return SVMC_ERR_CALLBACK;
    if (what == LIE)
        n = n / 2 / SVMC_DISK_BLOCK * SVMC_DISK_BLOCK;
    for (size_t i = 0; i < n; i += SVMC_DISK_BLOCK) {
        if (!CHECK(s->pendings < DISK_LAB_PENDING, "too much is pending"))
            abort();
        s->pending[s->pendings].block = (at + i) / SVMC_DISK_BLOCK;
        memcpy(s->pending[s->pendings++].bytes, (const uint8_t *)src + i, SVMC_DISK_BLOCK);
    }
    memcpy(s->now + at, src, n);
    return what == CUT ? SVMC_ERR_CALLBACK : SVMC_OK;
}

/* What of the pending blocks gets there: each, in their order, or by chance. */
static void settle(struct disk_lab_store *s, enum disk_lab_cut how, uint64_t *seed)
{
    for (uint32_t i = 0; i < s->pendings; i++) {
        uint8_t *to = s->stable + s->pending[i].block * SVMC_DISK_BLOCK;

        if (how == DISK_LAB_KEEPS || (how == DISK_LAB_TEARS && harness_random(seed) % 2))
            memcpy(to, s->pending[i].bytes, SVMC_DISK_BLOCK);
    }
    for (uint32_t i = 0; i < s->pendings; i++) {
        const size_t at = s->pending[i].block * SVMC_DISK_BLOCK;

        memcpy(s->now + at, s->stable + at, SVMC_DISK_BLOCK);
    }
    s->pendings = 0;
}

static enum svmc_status store_flush(void *ctx)
{
    struct disk_lab_store *s = ctx;
    enum what what = next(s);

    if (what == FAIL || what == CUT)
        return SVMC_ERR_CALLBACK;
    if (what != LIE && !s->loses_flushes)
        settle(s, DISK_LAB_KEEPS, NULL);
    return SVMC_OK;
}

static enum svmc_status store_anchor(void *ctx, uint64_t value)
{
    struct disk_lab_store *s = ctx;
    enum what what = next(s);

    if (what == GO || (what == CUT && s->keeps_anchor)) {
        CHECK(s->pendings == 0 || s->lie_at != 0 || s->loses_flushes,
              "anchored before it is flushed"); /* DK-14 */
        s->anchor = value;
        s->anchors++;
    }
    return what == GO || what == LIE ? SVMC_OK : SVMC_ERR_CALLBACK;
}

/* ---- a host ----------------------------------------------------------------------------------*/

static const struct svmc_provider_key provider = {
    "disk's provider", (const uint8_t *)"a key that all hosts have: bytes"
};

static void set_up(struct disk_lab *lab)
{
    const struct svmc_keyslots_config pool = { .crypto = &lab->crypto.ops, .slots = 8, .lanes = 2 };
    const struct svmc_sealer_config sealer = {
        .crypto = &lab->crypto.ops,
        .slots = &lab->slots,
        .key = &lab->key,
        .domain = 7,
        .protect = SVMC_PROTECT(SVMC_KEY_DISK),
        .alg = SVMC_ALG_AES_256_GCM,
    };

    lab->crypto.is_quick = false;
    lab->crypto.fail_at = 0;
    CHECK_EQ(svmc_keyslots_init(&lab->slots, &pool, lab->pool, sizeof lab->pool), SVMC_OK);
    CHECK_EQ(svmc_keyarena_init(&lab->arena, &lab->crypto.ops, lab->keys, sizeof lab->keys),
             SVMC_OK);
    CHECK_EQ(svmc_sealer_init(&lab->sealer, &sealer), SVMC_OK);
    lab->sealer.priv.tested = 0xe; /* the others' vectors are not those of the quick one */
    lab->crypto.is_quick = true;
}

void disk_lab_init(struct disk_lab *lab, uint8_t name, uint64_t sectors)
{
    memset(lab, 0, offsetof(struct disk_lab, pool));
    memset(pair, 0, sizeof pair);
    pairs = 0;
    init_crypto(&lab->crypto, name);
    lab->vm[0] = name;
    lab->store.ops = (struct svmc_disk_store){ .size = sizeof lab->store.ops,
                                               .ctx = &lab->store,
                                               .read = store_read,
                                               .write = store_write,
                                               .flush = store_flush,
                                               .anchor = store_anchor };
    lab->config = (struct svmc_disk_config){ .sealer = &lab->sealer,
                                             .store = &lab->store.ops,
                                             .vm = lab->vm,
                                             .sectors = sectors,
                                             .mode = SVMC_DISK_AUTHENTIC,
                                             .sector_bytes = SVMC_DISK_SECTOR,
                                             .journal = 8,
                                             .nodes = 2,
                                             .lane = 1 };
    set_up(lab);
    CHECK_EQ(svmc_vmkey_create(&lab->key, &lab->arena, lab->vm, SVMC_ALG_DERIVE_BLAKE2B), SVMC_OK);
    CHECK_EQ(svmc_vmkey_wrap(&lab->key, &provider, SVMC_ALG_AES_256_GCM, lab->blob), SVMC_OK);
}

void disk_lab_boot(struct disk_lab *lab)
{
    memset(&lab->disk, 0, sizeof lab->disk);
    memset(&lab->key, 0, sizeof lab->key);
    set_up(lab);
    CHECK_EQ(
        svmc_vmkey_unwrap(&lab->key, &lab->arena, lab->vm, &provider, lab->blob, sizeof lab->blob),
        SVMC_OK);
}

void disk_lab_cut(struct disk_lab *lab, enum disk_lab_cut how, uint64_t *seed)
{
    settle(&lab->store, how, seed);
    lab->store.is_off = false;
    lab->store.cut_at = lab->store.calls = 0;
}

enum svmc_status disk_lab_format(struct disk_lab *lab)
{
    return svmc_disk_format(&lab->disk, &lab->config, lab->memory, sizeof lab->memory,
                            &lab->result);
}

enum svmc_status disk_lab_open(struct disk_lab *lab)
{
    lab->config.anchor = lab->store.anchor;
    return svmc_disk_open(&lab->disk, &lab->config, lab->memory, sizeof lab->memory, &lab->result);
}

void disk_lab_fill(uint8_t *bytes, size_t n, uint64_t sector, uint64_t value)
{
    uint64_t seed = value << 20 ^ sector;

    for (size_t i = 0; i < n; i += 8)
        core_store_le64(bytes + i, value == 0 ? 0 : harness_random(&seed));
}

enum svmc_status disk_lab_write(struct disk_lab *lab, uint64_t sector, uint64_t value)
{
    uint8_t bytes[SVMC_DISK_SECTOR];

    disk_lab_fill(bytes, lab->config.sector_bytes, sector, value);
    return svmc_disk_write(&lab->disk, sector, 1, bytes, &lab->result);
}

bool disk_lab_is(struct disk_lab *lab, uint64_t sector, uint64_t value)
{
    uint8_t want[SVMC_DISK_SECTOR], got[SVMC_DISK_SECTOR];

    disk_lab_fill(want, lab->config.sector_bytes, sector, value);
    memset(got, 0x55, sizeof got);
    return svmc_disk_read(&lab->disk, sector, 1, got, &lab->result) == SVMC_OK &&
           memcmp(want, got, lab->config.sector_bytes) == 0;
}
