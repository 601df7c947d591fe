/* SPDX-License-Identifier: MIT */
/* The largest disk, of 2^40 sectors and seven levels, on a store that keeps what was written. */
#include "disk_lab.h"

enum { CELLS = 1 << 13 }; /* of 512 bytes, found by their place on the store */

static struct disk_lab lab;
static struct {
    uint64_t at; /* + 1; 0: free */
    uint8_t bytes[SVMC_DISK_BLOCK];
} cell[CELLS];

static uint32_t cell_of(uint64_t at)
{
    uint64_t seed = at;
    uint32_t n = (uint32_t)harness_random(&seed) % CELLS;

    while (cell[n].at != 0 && cell[n].at != at + 1)
        n = (n + 1) % CELLS;
    return n;
}

static enum svmc_status sparse_read(void *ctx, uint64_t at, void *dst, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i += SVMC_DISK_BLOCK)
        memcpy((uint8_t *)dst + i, cell[cell_of(at + i)].bytes, SVMC_DISK_BLOCK);
    return SVMC_OK;
}

static enum svmc_status sparse_write(void *ctx, uint64_t at, const void *src, size_t n)
{
    (void)ctx;
    CHECK(at + n <= svmc_disk_store_bytes(&lab.config));
    for (size_t i = 0; i < n; i += SVMC_DISK_BLOCK) {
        uint32_t c = cell_of(at + i);

        cell[c].at = at + i + 1;
        memcpy(cell[c].bytes, (const uint8_t *)src + i, SVMC_DISK_BLOCK);
    }
    return SVMC_OK;
}

static enum svmc_status sparse_flush(void *ctx)
{
    (void)ctx;
    return SVMC_OK;
}

TEST(disk_deep, the_largest_disk) /* DK-2 DK-13 DK-17 */
{
    static const uint64_t sectors[] = { 0,
                                        1,
                                        63,
                                        64,
                                        4095,
                                        4096,
                                        (1ull << 18) - 1,
                                        1ull << 24,
                                        (1ull << 30) + 5,
                                        (1ull << 36) + 65,
                                        1ull << 39,
                                        (1ull << 40) - 1 };
    const unsigned count = sizeof sectors / sizeof sectors[0];
    struct svmc_disk_store store = {
        .size = sizeof store, .read = sparse_read, .write = sparse_write, .flush = sparse_flush
    };

    memset(cell, 0, sizeof cell);
    disk_lab_init(&lab, 1, 1ull << 40);
    lab.config.store = &store;
    for (uint32_t nodes = 1; nodes < 10; nodes += 4) {
        lab.config.nodes = nodes; /* fewer than levels: each way is walked anew */
        lab.config.erase = SVMC_DISK_ERASE;
        REQUIRE(CHECK_EQ(disk_lab_format(&lab), SVMC_OK));
        for (unsigned turn = 1; turn < 3; turn++)
            for (unsigned i = 0; i < count; i++)
                CHECK_EQ(disk_lab_write(&lab, sectors[i], turn * 100 + i), SVMC_OK);
        CHECK_EQ(svmc_disk_flush(&lab.disk, &lab.result), SVMC_OK);
        CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
        REQUIRE(CHECK_EQ(disk_lab_open(&lab), SVMC_OK));
        for (unsigned i = 0; i < count; i++) {
            CHECK(disk_lab_is(&lab, sectors[i], 200 + i), "%u", i);
            CHECK(disk_lab_is(&lab, sectors[i] ^ 2, 0), "%u", i);
        }
        CHECK_EQ(lab.disk.priv.levels, 7);
        CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
    }
}

/* Each leaf was sealed in a session of its own; then one checkpoint needs all of their subkeys,
   and one read the subkeys of its whole way. */
TEST(disk_deep, a_checkpoint_of_many_sessions) /* DK-13 DK-19 DK-20 */
{
    enum { LEAVES = 24 };
    static const uint8_t bytes[64] = { 1 };
    struct svmc_disk_store store = {
        .size = sizeof store, .read = sparse_read, .write = sparse_write, .flush = sparse_flush
    };
    struct svmc_keyslot_key key = { .alg = SVMC_ALG_AES_256_GCM, .unit_bytes = 4096 };
    svmc_key_handle taken;

    memset(cell, 0, sizeof cell);
    disk_lab_init(&lab, 1, 1ull << 30);
    lab.config.store = &store;
    lab.config.nodes = 1;
    REQUIRE(CHECK_EQ(disk_lab_format(&lab), SVMC_OK));
    for (uint64_t n = 0; n < LEAVES; n++) {
        for (uint64_t i = 0; i < 9; i++) /* the ninth makes a checkpoint of the other eight */
            CHECK_EQ(disk_lab_write(&lab, (n << 12) + (i < 8), n + 1), SVMC_OK);
        CHECK_EQ(svmc_disk_flush(&lab.disk, &lab.result), SVMC_OK);
        CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
        REQUIRE(CHECK_EQ(disk_lab_open(&lab), SVMC_OK));
    }
    CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
    lab.config.erase = 0;
    key.bytes = bytes;
    for (unsigned n = 0; n < 6; n++) /* of eight: one to seal is left, and one to open */
        CHECK_EQ(svmc_keyslot_load(&lab.slots, &key, &taken), SVMC_OK);
    REQUIRE(CHECK_EQ(disk_lab_open(&lab), SVMC_OK));
    for (uint64_t turn = 0; turn < 3; turn++)
        for (uint64_t n = 0; n < LEAVES; n++) {
            CHECK_EQ(disk_lab_write(&lab, (n << 12) + 2, 100 + n), SVMC_OK, "%" PRIu64, n);
            CHECK(disk_lab_is(&lab, n << 12, n + 1), "%" PRIu64, n);
        }
    for (uint64_t n = 0; n < LEAVES; n++)
        CHECK(disk_lab_is(&lab, (n << 12) + 1, n + 1) &&
                  disk_lab_is(&lab, (n << 12) + 2, 100 + n) && disk_lab_is(&lab, n << 12, n + 1),
              "%" PRIu64, n);
    CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
}
