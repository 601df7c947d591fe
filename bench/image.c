/* SPDX-License-Identifier: MIT */
/*
 * seal.image-1: an image of 32 MiB of memory, map, header, table and end included, a chunk of
 * 64 KiB; beside as many calls of the same back end's AEAD. seal.image-2: the same by two threads,
 * beside one: processor time of the slower one, and on the wall. seal.image-raw-2: the AEAD by two
 * threads beside one, which is what this machine gives for two; seal.image-2-of-raw: image-2 beside
 * that. seal.image-open: the way back.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <svmcore/image.h>
#include <svmcore/port/openssl.h>

#include "figure.h"
#include "random.h"

enum { CHUNK = 65536, CHUNKS = 512, PAGES = CHUNK / 4096 * CHUNKS, LANES = 2 };
enum { MAP_BYTES = PAGES / 4, MEMORY_CHUNKS = CHUNKS + 1, THREADS = 2 };

static _Alignas(4096) uint8_t memory[(size_t)CHUNKS * CHUNK];
static uint8_t stored[(size_t)MEMORY_CHUNKS * (CHUNK + 64) + 4096], head[1024], tail[576];
static _Alignas(64) uint8_t arena_memory[SVMC_KEYARENA_BYTES(1)], pool_memory[16384];
static _Alignas(64) uint8_t map[4096], opened[THREADS][CHUNK];
static uint32_t marks[MEMORY_CHUNKS];
static struct svmc_keyarena arena;
static struct svmc_vmkey key;
static struct svmc_keyslots slots;
static struct svmc_sealer sealer;
static struct svmc_image image;
static _Alignas(SVMC_CIPHER_ROOM_ALIGN) struct svmc_cipher_key raw_key;
static const struct svmc_crypto_ops *crypto;

static void must(int ok)
{
    if (!ok) {
        fprintf(stderr, "bench: image\n");
        exit(1);
    }
}

static void prepare(void)
{
    const struct svmc_keyslots_config pool = { .crypto = crypto, .slots = 4, .lanes = LANES };
    const struct svmc_sealer_config config = { .crypto = crypto,
                                               .slots = &slots,
                                               .key = &key,
                                               .protect = SVMC_PROTECT_ALL,
                                               .alg = SVMC_ALG_AES_256_GCM };
    uint64_t rng = 1;

    for (size_t i = 0; i < sizeof memory; i += 8) {
        uint64_t word = harness_random(&rng);

        memcpy(memory + i, &word, 8);
    }
    memset(stored, 1, sizeof stored);
    must(svmc_keyarena_init(&arena, crypto, arena_memory, sizeof arena_memory) == SVMC_OK &&
         svmc_vmkey_create(&key, &arena, map, SVMC_ALG_DERIVE_BLAKE2B) == SVMC_OK &&
         svmc_keyslots_init(&slots, &pool, pool_memory, sizeof pool_memory) == SVMC_OK &&
         svmc_sealer_init(&sealer, &config) == SVMC_OK &&
         crypto->cipher_load(crypto->ctx, &raw_key, SVMC_ALG_AES_256_GCM, memory, LANES) ==
             SVMC_OK);
}

/* ---- writing ---------------------------------------------------------------------------------*/

/* Of each part of the memory, by itself: IM-19. */
static uint64_t make_map(uint32_t part, uint32_t parts)
{
    const uint64_t pages = PAGES / parts, first = part * pages;

    return svmc_image_map_make(map + first / 4, pages, memory + first * 4096, NULL);
}

static void begin(uint64_t here)
{
    struct svmc_image_section section[2] = {
        { SVMC_IMAGE_MAP, 0, 0, sizeof memory, 0, MAP_BYTES, 0, 0 },
        { SVMC_IMAGE_MEMORY, 0, 0, sizeof memory, 0, 0, 0, 0 },
    };
    const struct svmc_image_config config = {
        .sealer = &sealer, .marks = marks, .marks_count = MEMORY_CHUNKS, .kind = SVMC_IMAGE_WHOLE
    };
    uint64_t body;

    (void)svmc_keyslots_recycle(&slots);
    section[1].stored = 4096 * here;
    must(svmc_image_layout(section, 2, &body) == 1 &&
         svmc_image_begin(&image, &config, section, 2, head, head + 192) == SVMC_IMAGE_NONE &&
         image.priv.chunks == MEMORY_CHUNKS);
}

/* The map has the first 4096 bytes of the body: a chunk's pages follow one another in memory. */
static void seal_chunks(uint32_t lane, uint64_t from, uint64_t step)
{
    static _Thread_local uint8_t first[CHUNK];

    for (uint64_t i = from; i < MEMORY_CHUNKS; i += step) {
        const uint8_t *in = i == 0 ? first : memory + i * CHUNK - 4096;

        if (i == 0) {
            memcpy(first, map, 4096);
            memcpy(first + 4096, memory, CHUNK - 4096);
        }
        must(svmc_image_seal_chunk(&image, lane, i, in, stored + i * (CHUNK + 64)) ==
             SVMC_IMAGE_NONE);
    }
}

static void end(void)
{
    struct svmc_image_name name;

    must(svmc_image_end(&image, tail, &name) == SVMC_IMAGE_NONE &&
         svmc_image_drop(&image) == SVMC_OK);
}

static void write_one(void)
{
    begin(make_map(0, 1));
    seal_chunks(0, 0, 1);
    end();
}

static void raw_chunks(uint32_t lane, uint32_t from, uint32_t step)
{
    uint64_t nonce[2] = { 0, lane };
    uint8_t tag[16];
    struct svmc_cipher_unit u = {
        .lane = lane, .nonce = (const uint8_t *)nonce, .n = CHUNK, .tag = tag
    };

    for (uint32_t i = from; i < CHUNKS; i += step) {
        nonce[0] = i;
        u.in = memory + (size_t)i * CHUNK;
        u.out = stored + (size_t)i * (CHUNK + 64);
        must(crypto->seal(crypto->ctx, &raw_key, &u) == SVMC_OK);
    }
}

static void raw(void)
{
    raw_chunks(0, 0, 1);
}

/* ---- reading ---------------------------------------------------------------------------------*/

static void read_one(void)
{
    const struct svmc_image_config config = { .sealer = &sealer,
                                              .marks = marks,
                                              .marks_count = MEMORY_CHUNKS };
    struct svmc_image_section section[2];
    struct svmc_image_name name;

    (void)svmc_keyslots_recycle(&slots);
    must(svmc_image_open(&image, &config, head, sizeof head) == SVMC_IMAGE_NONE &&
         svmc_image_open_table(&image, 0, head + 192, sizeof head - 192, section) ==
             SVMC_IMAGE_NONE);
    for (uint64_t i = 0; i < MEMORY_CHUNKS; i++)
        must(svmc_image_open_chunk(&image, 0, i, stored + i * (CHUNK + 64), CHUNK + 64,
                                   opened[0]) == SVMC_IMAGE_NONE);
    must(svmc_image_close(&image, tail, sizeof tail, &name) == SVMC_IMAGE_NONE &&
         svmc_image_drop(&image) == SVMC_OK);
}

/* ---- two threads -----------------------------------------------------------------------------*/

static double wall(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

struct share {
    uint32_t lane;
    uint64_t here; /* of its part of the map */
    double took;
};

static pthread_barrier_t mapped, begun;

static void *write_part(void *arg)
{
    struct share *share = arg;
    double start = figure_now();

    share->here = make_map(share->lane, THREADS);
    pthread_barrier_wait(&mapped);
    pthread_barrier_wait(&begun);
    seal_chunks(share->lane, share->lane, THREADS);
    share->took = figure_now() - start;
    return NULL;
}

static void *raw_part(void *arg)
{
    struct share *share = arg;
    double start = figure_now();

    raw_chunks(share->lane, share->lane, THREADS);
    share->took = figure_now() - start;
    return NULL;
}

/* @return what this thread and the slower one of the others take. */
static double by_two(void *(*part)(void *), bool writes)
{
    struct share share[THREADS] = { { .lane = 0 }, { .lane = 1 } };
    double start = figure_now(), slower;
    pthread_t thread[THREADS];

    for (uint32_t i = 0; i < THREADS; i++)
        must(pthread_create(&thread[i], NULL, part, &share[i]) == 0);
    if (writes) {
        pthread_barrier_wait(&mapped);
        begin(share[0].here + share[1].here);
        pthread_barrier_wait(&begun);
    }
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    if (writes)
        end();
    slower = share[0].took > share[1].took ? share[0].took : share[1].took;
    return slower + figure_now() - start;
}

static double write_two(void)
{
    return by_two(write_part, true);
}

static double raw_two(void)
{
    return by_two(raw_part, false);
}

static double write_one_too(void)
{
    double start = figure_now();

    write_one();
    return figure_now() - start;
}

static double raw_one(void)
{
    double start = figure_now();

    raw();
    return figure_now() - start;
}

/* All in turns: in each round the machine is the same for each. */
static void measure_two(void)
{
    enum { ROUNDS = 21, ONE = 0, TWO, RAW_ONE, RAW_TWO, WAYS };
    static double (*const way[WAYS])(void) = { write_one_too, write_two, raw_one, raw_two };
    static double own[WAYS][ROUNDS], on_wall[WAYS][ROUNDS];
    double took[WAYS], waited[WAYS];

    must(pthread_barrier_init(&mapped, NULL, THREADS + 1) == 0 &&
         pthread_barrier_init(&begun, NULL, THREADS + 1) == 0);
    for (unsigned r = 0; r < ROUNDS; r++)
        for (unsigned w = 0; w < WAYS; w++) {
            double start = wall();

            own[w][r] = way[w]() / CHUNKS;
            on_wall[w][r] = (wall() - start) / CHUNKS;
        }
    for (unsigned w = 0; w < WAYS; w++) {
        took[w] = figure_median(own[w], ROUNDS);
        waited[w] = figure_median(on_wall[w], ROUNDS);
    }
    figure_print("seal.image-2", took[TWO], "ns", "image-1", took[ONE]);
    figure_print("seal.image-2-wall", waited[TWO], "ns", "image-1", waited[ONE]);
    figure_print("seal.image-raw-2", took[RAW_TWO], "ns", "raw-1", took[RAW_ONE]);
    figure_print("seal.image-raw-2-wall", waited[RAW_TWO], "ns", "raw-1", waited[RAW_ONE]);
    figure_print("seal.image-2-of-raw", took[TWO], "ns", "raw-2", took[RAW_TWO]);
}

int main(void)
{
    crypto = svmc_openssl_ops();
    if (!crypto)
        return 1;
    prepare();
    figure_rounds("seal.image-1", write_one, "raw-aead", raw, 1, CHUNKS, 21);
    write_one(); /* what is read is an image again */
    figure_rounds("seal.image-open", read_one, "image-1", write_one, 1, CHUNKS, 21);
    measure_two();
    return 0;
}
