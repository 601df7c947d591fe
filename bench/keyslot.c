/* SPDX-License-Identifier: MIT */
/*
 * keyslot.dma-4096, -512: a page and a sector of encrypted memory written and read through the
 * engine in one unit each, opaque, beside the raw cipher on the same buffers; -lines: a sector in
 * lines of 64 bytes; -authentic: with AES-256-GCM. keyslot.memcpy-*: the limit. keyslot.dma-64: one
 * line. keyslot.hold: lookup, hold and release. keyslot.lookup-65536: the same 16 functions among
 * 65536 bound ones (peer: among 16), -random: any of them, -two-level: 16 in the small table.
 * keyslot.miss: a slot without a place gets that of another, its key derived from the VM's key in
 * the arena. keyslot.revoke-p99: nanoseconds on the wall from the first call to the wipe, while
 * threads move pages of the slot (-p50: the median).
 */
#include <pthread.h>
#include <string.h>
#include <svmcore/port/openssl.h>
#include <svmcore/port/sodium.h>
#include <svmcore/svmcore.h>
#include <unistd.h>

#include "../tests/random.h"
#include "figure.h"

enum { PAGES = 64, LANES = 4, LOOKUPS = 4096 };

static const struct svmc_crypto_ops *crypto, *sodium;
static struct svmc_keyslots ks;
static struct svmc_devices devices, few, many, small;
static struct svmc_dma dma;
static uint8_t memory[PAGES][SVMC_DMA_PAGE] __attribute__((aligned(4096)));
static uint8_t buffer[PAGES][SVMC_DMA_PAGE] __attribute__((aligned(4096)));
static struct svmc_dma_seal seals[PAGES];
static struct svmc_cipher_key raw_key __attribute__((aligned(64)));
static svmc_key_handle slot;
static uint32_t unit_bytes, request_bytes;
static const uint8_t key_bytes[64] = { 1, 2, 3, 4 };
static uint64_t sink;

static void must(enum svmc_status st)
{
    if (st != SVMC_OK) {
        fprintf(stderr, "bench: %s\n", svmc_status_name(st));
        exit(1);
    }
}

static void *room(size_t bytes)
{
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

static enum svmc_status translate(void *ctx, uint32_t bdf, uint64_t iova,
                                  struct svmc_dma_page *page)
{
    (void)ctx, (void)bdf;
    *page = (struct svmc_dma_page){ memory[iova / SVMC_DMA_PAGE % PAGES], iova,
                                    &seals[iova / SVMC_DMA_PAGE % PAGES], slot, SVMC_ACCESS_RW };
    return SVMC_OK;
}

static void make_table(struct svmc_devices *t, uint32_t buses)
{
    const struct svmc_devices_config config = { .segments = 1, .buses = buses };
    size_t bytes = svmc_devices_bytes(&config);

    must(svmc_devices_init(t, &config, room(bytes), bytes));
}

static void prepare(void)
{
    static const struct svmc_dma_ops ops = { .size = sizeof ops, .translate = translate };
    const struct svmc_keyslots_config pool = {
        .crypto = crypto, .slots = 8, .places = 8, .lanes = LANES
    };
    struct svmc_dma_config engine = {
        .slots = &ks, .devices = &devices, .ops = &ops, .pages = 64, .cache = 256, .stripes = 256
    };
    size_t bytes = svmc_keyslots_bytes(&pool);

    must(svmc_keyslots_init(&ks, &pool, room(bytes), bytes));
    make_table(&devices, 0);
    bytes = svmc_dma_bytes(&engine);
    must(svmc_dma_init(&dma, &engine, room(bytes), bytes));
    memset(buffer, 0x5a, sizeof buffer);
}

static void use(uint32_t alg, uint32_t unit, uint32_t bytes)
{
    const struct svmc_keyslot_key key = {
        .domain = 1, .epoch = 1, .alg = alg, .unit_bytes = unit, .bytes = key_bytes
    };

    if (slot.raw != 0) {
        (void)svmc_device_unbind_slot(&devices, slot);
        must(svmc_keyslot_revoke(&ks, slot, SVMC_KEYSLOT_DRAIN));
        crypto->cipher_drop(crypto->ctx, &raw_key);
    }
    must(svmc_keyslot_load(&ks, &key, &slot));
    must(svmc_device_bind(&devices, SVMC_BDF(0, 3, 0, 0), slot));
    must(crypto->cipher_load(crypto->ctx, &raw_key, alg, key_bytes, 1));
    (void)svmc_keyslots_flush(&ks);
    memset(seals, 0, sizeof seals);
    unit_bytes = unit;
    request_bytes = bytes;
}

/* ---- moving ----------------------------------------------------------------------------------*/

static void move(uint32_t lane, uint32_t page, uint32_t direction)
{
    const struct svmc_dma_piece piece = { (uint64_t)page * SVMC_DMA_PAGE, buffer[page],
                                          request_bytes };
    const struct svmc_dma_request request = {
        .bdf = SVMC_BDF(0, 3, 0, 0), .direction = direction, .piece = &piece, .pieces = 1
    };
    struct svmc_dma_result r;

    must(svmc_dma_move(&dma, lane, &request, &r));
}

static void ours(void)
{
    for (uint32_t page = 0; page < PAGES; page++) {
        move(0, page, SVMC_DMA_WRITE);
        move(0, page, SVMC_DMA_READ);
    }
}

static void raw_opaque(void)
{
    uint64_t tweak[2] = { 0, 1 };
    struct svmc_cipher_unit u = { .nonce = (const uint8_t *)tweak, .n = unit_bytes };

    for (uint32_t page = 0; page < PAGES; page++)
        for (uint32_t encrypt = 1; encrypt < 2; encrypt--)
            for (uint32_t at = 0; at < request_bytes; at += unit_bytes) {
                tweak[0] = page * SVMC_DMA_PAGE + at;
                u.in = encrypt ? buffer[page] + at : memory[page] + at;
                u.out = encrypt ? memory[page] + at : buffer[page] + at;
                must(crypto->crypt(crypto->ctx, &raw_key, &u, encrypt));
            }
}

static void raw_authentic(void)
{
    static uint64_t nonce[2];
    uint8_t tag[16];
    struct svmc_cipher_unit u = { .nonce = (const uint8_t *)nonce, .n = unit_bytes, .tag = tag };

    for (uint32_t page = 0; page < PAGES; page++) {
        nonce[0]++;
        u.in = buffer[page];
        u.out = memory[page];
        must(crypto->seal(crypto->ctx, &raw_key, &u));
        u.in = memory[page];
        u.out = buffer[page];
        must(crypto->open(crypto->ctx, &raw_key, &u));
    }
}

static void copies(void)
{
    for (uint32_t page = 0; page < PAGES; page++) {
        memcpy(memory[page], buffer[page], request_bytes);
        __asm__ volatile("" : : : "memory");
        memcpy(buffer[page], memory[page], request_bytes);
        __asm__ volatile("" : : : "memory");
    }
}

/* ---- finding and holding ---------------------------------------------------------------------*/

static uint32_t near[LOOKUPS], far[LOOKUPS];

static void look(const struct svmc_devices *t, const uint32_t *bdf)
{
    svmc_key_handle handle = { 0 };

    for (unsigned i = 0; i < LOOKUPS; i++) { /* each waits for the last one, as it would */
        must(svmc_device_find(t, bdf[i] ^ (handle.raw >> 31), &handle));
        sink += handle.raw;
    }
}

static void look_few(void)
{
    look(&few, near);
}

static void look_many(void)
{
    look(&many, near);
}

static void look_far(void)
{
    look(&many, far);
}

static void look_small(void)
{
    look(&small, near);
}

static void holds(void)
{
    struct svmc_keyslot_use got;
    svmc_key_handle handle;

    for (unsigned i = 0; i < LOOKUPS; i++) {
        must(svmc_device_find(&devices, SVMC_BDF(0, 3, 0, 0), &handle));
        must(svmc_keyslot_hold(&ks, 0, handle, &got));
        sink += got.place;
        svmc_keyslot_release(&ks, 0);
    }
}

static void empty(void)
{
    for (unsigned i = 0; i < LOOKUPS; i++) {
        sink += i;
        __asm__ volatile("" : : : "memory");
    }
}

static void tables(void)
{
    uint64_t rng = 1;

    make_table(&few, 0);
    make_table(&many, 0);
    make_table(&small, 16);
    for (uint32_t i = 0; i < 65536; i++)
        must(svmc_device_bind(&many, i, (svmc_key_handle){ 0x10001 + i % 64 }));
    for (uint32_t i = 0; i < 16; i++) { /* on as many buses */
        must(svmc_device_bind(&few, SVMC_BDF(0, i, i, 0), (svmc_key_handle){ 0x10001 + i }));
        must(svmc_device_bind(&small, SVMC_BDF(0, i, i, 0), (svmc_key_handle){ 0x10001 + i }));
    }
    for (unsigned i = 0; i < LOOKUPS; i++) {
        uint32_t n = (uint32_t)(harness_random(&rng) >> 60);

        near[i] = SVMC_BDF(0, n, n, 0);
        far[i] = (uint32_t)(harness_random(&rng) >> 48);
    }
}

/* ---- a place for another ---------------------------------------------------------------------*/

static struct svmc_keyarena arena;
static struct svmc_vmkey vm_key;
static struct svmc_keyslots pool;
static svmc_key_handle guest[2];

static enum svmc_status program(void *ctx, uint32_t place, const struct svmc_keyslot_key *key,
                                struct svmc_cipher_key *where)
{
    const struct svmc_subkey_id id = { .index = key->cookie };

    (void)ctx, (void)place;
    return svmc_vmkey_cipher(&vm_key, SVMC_KEY_PAGE, key->alg, &id, 1, where);
}

static void evict(void *ctx, uint32_t place, struct svmc_cipher_key *where)
{
    (void)ctx, (void)place;
    sodium->cipher_drop(sodium->ctx, where);
}

static void misses(void)
{
    for (unsigned i = 0; i < 512; i++)
        must(svmc_keyslot_bring(&pool, guest[i % 2]));
}

static void derives(void) /* what is in it: a derivation, a schedule, a wipe */
{
    for (unsigned i = 0; i < 512; i++) {
        const struct svmc_subkey_id id = { .index = i % 2 };

        must(svmc_vmkey_cipher(&vm_key, SVMC_KEY_PAGE, SVMC_ALG_AES_256_GCM, &id, 1, &raw_key));
        sodium->cipher_drop(sodium->ctx, &raw_key);
    }
}

static void measure_miss(void)
{
    static const struct svmc_keyslot_ops ops = { sizeof ops, 0, NULL, program, evict };
    const struct svmc_keyslots_config config = { .crypto = sodium,
                                                 .ops = &ops,
                                                 .kind = SVMC_KEYSLOT_HARDWARE,
                                                 .slots = 2,
                                                 .places = 1,
                                                 .lanes = 2 };
    size_t bytes = svmc_keyslots_bytes(&config);

    must(svmc_keyarena_init(&arena, sodium, room(4096), 4096));
    must(svmc_vmkey_create(&vm_key, &arena, key_bytes, SVMC_ALG_DERIVE_BLAKE2B));
    must(svmc_keyslots_init(&pool, &config, room(bytes), bytes));
    for (uint32_t i = 0; i < 2; i++) {
        const struct svmc_keyslot_key key = { .cookie = i,
                                              .alg = SVMC_ALG_AES_256_GCM,
                                              .unit_bytes = 4096 };

        must(svmc_keyslot_load(&pool, &key, &guest[i]));
    }
    figure("keyslot.miss", misses, "derive-and-load", derives, 4, 512);
}

/* ---- revoked while busy ----------------------------------------------------------------------*/

static uint32_t over;
static _Thread_local uint32_t sink_busy;

static void *busy_main(void *arg)
{
    uint32_t lane = *(const uint32_t *)arg;
    static _Thread_local uint8_t mine[SVMC_DMA_PAGE];
    const struct svmc_dma_piece piece = { lane * SVMC_DMA_PAGE, mine, sizeof mine };
    const struct svmc_dma_request request = {
        .bdf = SVMC_BDF(0, 3, 0, 0), .direction = SVMC_DMA_WRITE, .piece = &piece, .pieces = 1
    };
    struct svmc_dma_result r;

    while (!__atomic_load_n(&over, __ATOMIC_RELAXED))
        sink_busy += svmc_dma_move(&dma, lane, &request, &r);
    return NULL;
}

static double wall(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* As many busy threads as leave this one a processor, two at most; with one processor none. */
static void measure_revoke(void)
{
    enum { TIMES = 4000 };
    static double took[TIMES];
    uint32_t lane[2] = { 1, 2 }, threads = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN) - 1;
    pthread_t thread[2];

    threads = threads < 2 ? threads : 2;
    use(SVMC_ALG_AES_256_XTS, 4096, 4096);
    for (uint32_t i = 0; i < threads; i++)
        if (pthread_create(&thread[i], NULL, busy_main, &lane[i]) != 0)
            exit(1);
    for (unsigned i = 0; i < TIMES; i++) {
        const struct svmc_keyslot_key key = { .alg = SVMC_ALG_AES_256_XTS,
                                              .unit_bytes = 4096,
                                              .bytes = key_bytes };
        enum svmc_status st;
        double start = wall();

        while (wall() - start < 20000)
            ; /* let them be in the middle of it */
        start = wall();
        do
            st = svmc_keyslot_revoke(&ks, slot, SVMC_KEYSLOT_CUT);
        while (st == SVMC_ERR_BUSY);
        took[i] = wall() - start;
        must(st);
        (void)svmc_device_unbind_slot(&devices, slot);
        must(svmc_keyslot_load(&ks, &key, &slot));
        must(svmc_device_bind(&devices, SVMC_BDF(0, 3, 0, 0), slot));
        (void)svmc_keyslots_flush(&ks);
    }
    __atomic_store_n(&over, 1, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    qsort(took, TIMES, sizeof *took, figure_order);
    figure_value("keyslot.revoke-p50", took[TIMES / 2], "ns");
    figure_value("keyslot.revoke-p99", took[TIMES / 100 * 99], "ns");
}

int main(void)
{
    crypto = svmc_openssl_ops();
    sodium = svmc_sodium_ops();
    if (!crypto || !sodium)
        return 1;
    prepare();
    use(SVMC_ALG_AES_256_XTS, 4096, 4096);
    figure("keyslot.dma-4096", ours, "raw-xts", raw_opaque, 60, 2 * PAGES);
    figure("keyslot.memcpy-4096", copies, "raw-xts", raw_opaque, 60, 2 * PAGES);
    use(SVMC_ALG_AES_256_XTS, 512, 512);
    figure("keyslot.dma-512", ours, "raw-xts", raw_opaque, 200, 2 * PAGES);
    figure("keyslot.memcpy-512", copies, "raw-xts", raw_opaque, 200, 2 * PAGES);
    use(SVMC_ALG_AES_256_XTS, 64, 512);
    figure("keyslot.dma-512-lines", ours, "raw-xts-lines", raw_opaque, 60, 2 * PAGES);
    use(SVMC_ALG_AES_256_XTS, 64, 64);
    figure("keyslot.dma-64", ours, "raw-xts", raw_opaque, 300, 2 * PAGES);
    figure("keyslot.hold", holds, "empty-loop", empty, 20, LOOKUPS);
    use(SVMC_ALG_AES_256_GCM, 4096, 4096);
    figure("keyslot.dma-4096-authentic", ours, "raw-gcm", raw_authentic, 30, 2 * PAGES);
    tables();
    figure("keyslot.lookup-65536", look_many, "lookup-16", look_few, 60, LOOKUPS);
    figure("keyslot.lookup-random", look_far, "lookup-16", look_few, 60, LOOKUPS);
    figure("keyslot.lookup-two-level", look_small, "lookup-16", look_few, 60, LOOKUPS);
    measure_revoke();
    measure_miss();
    return sink == 0;
}
