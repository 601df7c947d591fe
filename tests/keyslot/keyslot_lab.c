/* SPDX-License-Identifier: MIT */
#include "keyslot_lab.h"

#include "../../src/core/bytes.h"

/* ---- a crypto table --------------------------------------------------------------------------*/

struct toy_key {
    uint32_t alg, lanes;
    uint8_t key[64];
};

static uint64_t mix(uint64_t sum, const void *at, size_t n)
{
    const uint8_t *p = at;

    for (; n >= 8; n -= 8, p += 8) {
        sum ^= core_load_le64(p);
        sum = harness_random(&sum);
    }
    for (size_t i = 0; i < n; i++)
        sum = (sum ^ p[i]) * 0x100000001b3u;
    return harness_random(&sum);
}

static void stream(uint64_t seed, const void *in, void *out, size_t n)
{
    const uint8_t *from = in;
    uint8_t *to = out;

    for (size_t at = 0; at < n; at += 8) {
        uint64_t word = harness_random(&seed);

        if (at + 8 <= n) {
            core_store_le64(to + at, core_load_le64(from + at) ^ word);
            continue;
        }
        for (size_t i = at; i < at + 8 && i < n; i++, word >>= 8)
            to[i] = (uint8_t)(from[i] ^ word);
    }
}

/* One in `fail_at` fails, and leaves bytes that nobody may use. */
static bool begin(struct toy *toy, const struct toy_key *k, const struct svmc_cipher_unit *u)
{
    if (toy->between)
        toy->between();
    if (__atomic_add_fetch(&toy->calls, 1, __ATOMIC_RELAXED) != toy->fail_at &&
        u->lane < k->lanes && k->alg != 0)
        return true;
    if (u->n != 0)
        memset(u->out, 0xee, u->n);
    return false;
}

static void tag_of(const struct toy_key *k, const struct svmc_cipher_unit *u, const void *text,
                   uint8_t *tag)
{
    uint64_t sum = mix(k->alg, k->key, sizeof k->key);

    sum = mix(sum, u->nonce, svmc_cipher_shape_of(k->alg).nonce_bytes);
    for (uint32_t i = 0; i < u->pieces; i++)
        sum = mix(sum, u->ad[i].at, u->ad[i].bytes);
    sum = mix(sum, text, u->n);
    core_store_le64(tag, sum);
    core_store_le64(tag + 8, mix(sum, tag, 8));
}

static uint64_t seed_of(const struct toy_key *k, const struct svmc_cipher_unit *u)
{
    return mix(mix(k->alg + 1, k->key, sizeof k->key), u->nonce,
               svmc_cipher_shape_of(k->alg).nonce_bytes);
}

static enum svmc_status load(void *ctx, struct svmc_cipher_key *key, uint32_t alg,
                             const uint8_t *bytes, uint32_t lanes)
{
    struct toy *toy = ctx;
    struct toy_key k = { .alg = alg, .lanes = lanes };

    if (toy->load_fails)
        return SVMC_ERR_CALLBACK;
    memcpy(k.key, bytes, svmc_cipher_shape_of(alg).key_bytes);
    memcpy(key, &k, sizeof k);
    toy->loaded++;
    return SVMC_OK;
}

static void drop(void *ctx, struct svmc_cipher_key *key)
{
    memset(key, 0, sizeof *key);
    ((struct toy *)ctx)->loaded--;
}

static enum svmc_status seal(void *ctx, struct svmc_cipher_key *key,
                             const struct svmc_cipher_unit *u)
{
    const struct toy_key *k = (const void *)key;
    struct toy *toy = ctx;

    if (toy->sealed)
        toy->sealed(k->key, u->nonce);
    if (!begin(toy, k, u))
        return SVMC_ERR_CALLBACK;
    stream(seed_of(k, u), u->in, u->out, u->n);
    tag_of(k, u, u->out, u->tag);
    return SVMC_OK;
}

static enum svmc_status open_unit(void *ctx, struct svmc_cipher_key *key,
                                  const struct svmc_cipher_unit *u)
{
    const struct toy_key *k = (const void *)key;
    uint8_t tag[SVMC_TAG_BYTES];

    if (!begin(ctx, k, u))
        return SVMC_ERR_CALLBACK;
    tag_of(k, u, u->in, tag);
    if (memcmp(tag, u->tag, sizeof tag) != 0) {
        if (u->n != 0)
            memset(u->out, 0, u->n);
        return SVMC_ERR_AUTH;
    }
    stream(seed_of(k, u), u->in, u->out, u->n);
    return SVMC_OK;
}

static enum svmc_status crypt(void *ctx, struct svmc_cipher_key *key,
                              const struct svmc_cipher_unit *u, uint32_t encrypt)
{
    const struct toy_key *k = (const void *)key;

    if (!begin(ctx, k, u) || encrypt > 1)
        return SVMC_ERR_CALLBACK;
    stream(seed_of(k, u), u->in, u->out, u->n);
    return SVMC_OK;
}

static void wipe(void *ctx, void *dst, size_t n)
{
    (void)ctx;
    memset(dst, 0, n);
}

void toy_init(struct toy *toy)
{
    memset(toy, 0, sizeof *toy);
    toy->ops = (struct svmc_crypto_ops){
        .size = sizeof toy->ops,
        .ctx = toy,
        .wipe = wipe,
        .cipher_load = load,
        .cipher_drop = drop,
        .seal = seal,
        .open = open_unit,
        .crypt = crypt,
    };
}

/* ---- two VMs, eight devices ------------------------------------------------------------------*/

uint32_t dma_lab_bdf(uint32_t device)
{
    return SVMC_BDF(0, device % 3, device, device % 8);
}

uint32_t dma_lab_vm(uint32_t device)
{
    return device / (LAB_DEVICES / LAB_VMS);
}

uint64_t dma_lab_address(uint32_t page)
{
    return (uint64_t)(page + 3) * SVMC_DMA_PAGE;
}

static enum svmc_status translate(void *ctx, uint32_t bdf, svmc_key_handle slot, uint64_t iova,
                                  struct svmc_dma_page *page)
{
    struct lab *lab = ctx;
    const struct dma_lab_map *m;
    uint32_t device = 0;

    __atomic_store_n(&lab->asked.raw, slot.raw, __ATOMIC_RELAXED);
    if (__atomic_add_fetch(&lab->translations, 1, __ATOMIC_RELAXED) == lab->translate_fails)
        return SVMC_ERR_CALLBACK;
    while (device < LAB_DEVICES && dma_lab_bdf(device) != bdf)
        device++;
    if (device == LAB_DEVICES || iova / SVMC_DMA_PAGE >= LAB_IOVAS)
        return SVMC_ERR_CALLBACK;
    m = &lab->map[dma_lab_vm(device)][iova / SVMC_DMA_PAGE];
    if (m->vm == LAB_VMS)
        return SVMC_ERR_CALLBACK;
    page->at = lab->memory[m->vm][m->page];
    page->address = dma_lab_address(m->page);
    page->seals = lab->seal[m->vm][m->page];
    page->slot = lab->page_slot[m->vm][m->page];
    if (page->slot.raw == 0)
        page->slot = lab->slot[m->vm];
    page->access = m->access;
    return SVMC_OK;
}

void dma_lab_bind(struct lab *lab, uint32_t vm)
{
    for (uint32_t d = 0; d < LAB_DEVICES; d++)
        if (dma_lab_vm(d) == vm)
            CHECK_EQ(svmc_device_bind(&lab->devices, dma_lab_bdf(d), lab->slot[vm]), SVMC_OK);
}

void dma_lab_load(struct lab *lab, uint32_t vm, uint8_t fill)
{
    struct dma_lab_map saved = lab->map[vm][0];
    struct svmc_dma_result result;

    for (size_t i = 0; i < sizeof lab->key_bytes[vm]; i++)
        lab->key_bytes[vm][i] = (uint8_t)(fill + i * 7);
    lab->key[vm].bytes = lab->key_bytes[vm];
    lab->key[vm].epoch++;
    CHECK_EQ(svmc_keyslot_load(&lab->ks, &lab->key[vm], &lab->slot[vm]), SVMC_OK);
    dma_lab_bind(lab, vm);
    memset(lab->seal[vm], 0, sizeof lab->seal[vm]);
    for (uint32_t page = 0; page < LAB_PAGES; page++) {
        lab->map[vm][0] = (struct dma_lab_map){ vm, page, SVMC_ACCESS_RW };
        svmc_keyslots_flush(&lab->ks);
        CHECK_EQ(dma_lab_move(lab, vm * LAB_DEVICES / LAB_VMS, SVMC_DMA_WRITE, 0,
                              lab->plain[vm][page], SVMC_DMA_PAGE, &result),
                 SVMC_OK);
    }
    lab->map[vm][0] = saved;
    svmc_keyslots_flush(&lab->ks);
}

void dma_lab_revoke(struct lab *lab, uint32_t vm)
{
    CHECK_EQ(svmc_device_unbind_slot(&lab->devices, lab->slot[vm]), LAB_DEVICES / LAB_VMS);
    CHECK_EQ(svmc_keyslot_revoke(&lab->ks, lab->slot[vm], SVMC_KEYSLOT_DRAIN), SVMC_OK);
    CHECK_EQ(svmc_keyslots_quiet(&lab->ks, svmc_keyslots_flush(&lab->ks)), SVMC_OK);
}

void dma_lab_init(struct lab *lab, const struct svmc_crypto_ops *crypto, const uint32_t *alg,
                  const uint32_t *unit)
{
    const struct svmc_keyslots_config pool = {
        .crypto = crypto, .kind = SVMC_KEYSLOT_SOFTWARE, .slots = 8, .places = 8, .lanes = LAB_LANES
    };
    const struct svmc_devices_config table = { .segments = 1, .buses = 4 };
    const struct svmc_dma_config engine = { .slots = &lab->ks,
                                            .devices = &lab->devices,
                                            .ops = &lab->ops,
                                            .pages = 32,
                                            .cache = 16,
                                            .stripes = 64 };

    memset(lab, 0, sizeof *lab);
    lab->crypto = crypto;
    lab->ops = (struct svmc_dma_ops){ sizeof lab->ops, 0, lab, translate };
    CHECK_EQ(svmc_keyslots_init(&lab->ks, &pool, lab->pool, sizeof lab->pool), SVMC_OK);
    CHECK_EQ(svmc_devices_init(&lab->devices, &table, lab->table, sizeof lab->table), SVMC_OK);
    CHECK_EQ(svmc_dma_init(&lab->dma, &engine, lab->engine, sizeof lab->engine), SVMC_OK);
    for (uint32_t vm = 0; vm < LAB_VMS; vm++) {
        for (uint32_t i = 0; i < LAB_IOVAS; i++)
            lab->map[vm][i] =
                (struct dma_lab_map){ i < LAB_PAGES ? vm : LAB_VMS, i % LAB_PAGES, SVMC_ACCESS_RW };
        for (size_t i = 0; i < sizeof lab->plain[vm]; i++)
            ((uint8_t *)lab->plain[vm])[i] = (uint8_t)((i * 31 + i / 251) % 128 + vm * 128);
        lab->key[vm] = (struct svmc_keyslot_key){
            .domain = 100 + vm, .epoch = vm, .alg = alg[vm], .unit_bytes = unit[vm]
        };
        dma_lab_load(lab, vm, (uint8_t)(10 + 100 * vm));
    }
}

enum svmc_status dma_lab_move(struct lab *lab, uint32_t device, uint32_t direction, uint64_t iova,
                              void *buffer, size_t bytes, struct svmc_dma_result *result)
{
    const struct svmc_dma_piece piece = { iova, buffer, bytes };
    const struct svmc_dma_request request = {
        .bdf = dma_lab_bdf(device),
        .direction = direction,
        .piece = &piece,
        .pieces = 1,
    };

    return svmc_dma_move(&lab->dma, 0, &request, result);
}

bool dma_lab_holds(struct lab *lab, uint32_t vm)
{
    struct dma_lab_map saved = lab->map[vm][0];
    static uint8_t page[SVMC_DMA_PAGE];
    struct svmc_dma_result result;
    bool same = true;

    for (uint32_t i = 0; i < LAB_PAGES && same; i++) {
        lab->map[vm][0] = (struct dma_lab_map){ vm, i, SVMC_ACCESS_RW };
        svmc_keyslots_flush(&lab->ks);
        same = dma_lab_move(lab, vm * LAB_DEVICES / LAB_VMS, SVMC_DMA_READ, 0, page, sizeof page,
                            &result) == SVMC_OK &&
               memcmp(page, lab->plain[vm][i], sizeof page) == 0;
    }
    lab->map[vm][0] = saved;
    svmc_keyslots_flush(&lab->ks);
    return same;
}
