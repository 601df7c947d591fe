/* SPDX-License-Identifier: MIT */
/* docs/spec/image.md: chunks on threads: each is sealed once, by whoever comes first, and the bytes
   are those that one thread makes. */
#include <pthread.h>

#include "image_lab.h"

static struct image_lab lab;
static struct svmc_image image;
static uint8_t bytes[IMAGE_LAB_BYTES], again[IMAGE_LAB_BYTES], body[IMAGE_LAB_BODY];
static struct svmc_image_name name;
static pthread_barrier_t together;

struct caller {
    uint32_t lane, done, refused, other;
};

/* All chunks, each caller from another one on: most of them are somebody else's. */
static void *writer_main(void *arg)
{
    struct caller *caller = arg;

    pthread_barrier_wait(&together);
    for (uint32_t k = 0; k < lab.chunks; k++) {
        uint32_t i = (k * 3 + caller->lane) % lab.chunks;
        enum svmc_image_reason why = image_lab_seal(&lab, &image, caller->lane, i, again);

        caller->done += why == SVMC_IMAGE_NONE;
        caller->refused += why == SVMC_IMAGE_NOT_NOW;
        caller->other += why != SVMC_IMAGE_NONE && why != SVMC_IMAGE_NOT_NOW;
    }
    return NULL;
}

static void *reader_main(void *arg)
{
    struct caller *caller = arg;

    pthread_barrier_wait(&together);
    for (uint32_t i = caller->lane; i < lab.chunks; i += SEAL_LAB_LANES)
        caller->done += svmc_image_open_chunk(&image, caller->lane, i, again + lab.chunk_at[i],
                                              IMAGE_LAB_BYTES - lab.chunk_at[i],
                                              body + i * 4096) == SVMC_IMAGE_NONE;
    return NULL;
}

static void run(void *(*what)(void *), struct caller caller[SEAL_LAB_LANES])
{
    pthread_t thread[SEAL_LAB_LANES];

    REQUIRE(pthread_barrier_init(&together, NULL, SEAL_LAB_LANES) == 0);
    for (uint32_t n = 0; n < SEAL_LAB_LANES; n++) {
        caller[n] = (struct caller){ .lane = n };
        REQUIRE(pthread_create(&thread[n], NULL, what, &caller[n]) == 0);
    }
    for (uint32_t n = 0; n < SEAL_LAB_LANES; n++)
        pthread_join(thread[n], NULL);
    pthread_barrier_destroy(&together);
}

TEST(image_threads, each_chunk_is_sealed_once) /* IM-7 IM-10 */
{
    struct svmc_image_section section[IMAGE_LAB_SECTIONS];
    struct caller caller[SEAL_LAB_LANES];
    struct svmc_image_config config;
    size_t n;

    image_lab_init(&lab, SVMC_ALG_AES_256_GCM, true);
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    CHECK_EQ(image_lab_save(&lab, &config, bytes, &n, &name), SVMC_IMAGE_NONE);
    for (unsigned round = 0; round < 20; round++) {
        uint32_t done = 0, refused = 0;

        image_lab_init(&lab, SVMC_ALG_AES_256_GCM, true);
        config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
        memset(again, 0, sizeof again);
        CHECK_EQ(image_lab_begin(&lab, &config, &image, again), SVMC_IMAGE_NONE);
        run(writer_main, caller);
        for (uint32_t k = 0; k < SEAL_LAB_LANES; k++) {
            done += caller[k].done;
            refused += caller[k].refused;
            CHECK_EQ(caller[k].other, 0);
        }
        CHECK_EQ(done, lab.chunks);
        CHECK_EQ(refused, (SEAL_LAB_LANES - 1) * lab.chunks);
        CHECK_EQ(svmc_image_end(&image, again + lab.end_at, &name), SVMC_IMAGE_NONE);
        CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
        CHECK_MEM(again, bytes, n);
    }
    config = image_lab_reader(&lab);
    CHECK_EQ(svmc_image_open(&image, &config, again, n), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_open_table(&image, 0, again + 192, n, section), SVMC_IMAGE_NONE);
    run(reader_main, caller);
    CHECK_EQ(svmc_image_close(&image, again + lab.end_at, 576, &name), SVMC_IMAGE_NONE);
    CHECK_MEM(body, lab.body, lab.body_bytes);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
}
