/* SPDX-License-Identifier: MIT */
/* What a guest sees or changes while a call runs, a format that is cut off, a store that says it
 * has flushed, and keys after a failure. */
#include "disk_lab.h"

enum { SECTORS = 70 };

static struct disk_lab lab;
static uint8_t guest[SVMC_DISK_SECTOR], plain[SVMC_DISK_SECTOR], held[SVMC_DISK_SECTOR];

/* The guest writes what it lent. */
static void scribble(void)
{
    memset(guest, 0xaa, sizeof guest);
}

/* The guest's buffer is as it was when the call began. */
static void look(void)
{
    CHECK_MEM(guest, held, sizeof guest, "something was released before it was verified");
}

TEST(disk_meanwhile, a_guest_that_writes_its_page_gets_what_was_copied) /* DK-11 */
{
    for (uint32_t mode = SVMC_DISK_LENGTH; mode <= SVMC_DISK_AUTHENTIC; mode++) {
        disk_lab_init(&lab, 1, SECTORS);
        if (mode == SVMC_DISK_LENGTH)
            lab.config.mode = mode, lab.config.journal = lab.config.nodes = 0;
        REQUIRE(disk_lab_format(&lab) == SVMC_OK);
        disk_lab_fill(plain, sizeof plain, 5, 6);
        memcpy(guest, plain, sizeof guest);
        lab.crypto.toy.between = scribble;
        CHECK_EQ(svmc_disk_write(&lab.disk, 5, 1, guest, &lab.result), SVMC_OK);
        lab.crypto.toy.between = NULL;
        CHECK(guest[0] == 0xaa);
        CHECK(disk_lab_is(&lab, 5, 6));
    }
}

TEST(disk_meanwhile, nothing_is_released_before_it_is_verified) /* DK-9 */
{
    disk_lab_init(&lab, 1, SECTORS);
    REQUIRE(disk_lab_format(&lab) == SVMC_OK);
    for (uint64_t n = 0; n < 20; n++) /* some in the journal, some not */
        CHECK_EQ(disk_lab_write(&lab, n, 6), SVMC_OK);
    memset(held, 0x55, sizeof held);
    for (uint64_t n = 0; n < 20; n++) {
        memcpy(guest, held, sizeof guest);
        disk_lab_fill(plain, sizeof plain, n, 6);
        lab.crypto.toy.between = look;
        CHECK_EQ(svmc_disk_read(&lab.disk, n, 1, guest, &lab.result), SVMC_OK);
        lab.crypto.toy.between = NULL;
        CHECK_MEM(guest, plain, sizeof guest);
    }
}

TEST(disk_meanwhile, a_format_that_is_cut_off_is_done_again) /* DK-5 */
{
    unsigned kept = 0, gone = 0;

    for (unsigned how = 0; how < 3; how++)
        for (unsigned k = 1; k < 8; k++) {
            uint64_t seed = k;
            enum svmc_status st;

            disk_lab_init(&lab, 1, SECTORS);
            REQUIRE(disk_lab_format(&lab) == SVMC_OK);
            CHECK_EQ(disk_lab_write(&lab, 3, 4), SVMC_OK);
            CHECK_EQ(svmc_disk_flush(&lab.disk, &lab.result), SVMC_OK);
            CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
            lab.config.erase = SVMC_DISK_ERASE;
            lab.store.calls = 0;
            lab.store.cut_at = k;
            lab.store.keeps_anchor = k % 2;
            st = disk_lab_format(&lab);
            disk_lab_cut(&lab, (enum disk_lab_cut)how, &seed);
            disk_lab_boot(&lab);
            if (disk_lab_open(&lab) == SVMC_OK) { /* the old one or the new one, whole */
                bool old = disk_lab_is(&lab, 3, 4);

                CHECK(old || disk_lab_is(&lab, 3, 0), "call %u", k);
                CHECK(!(st == SVMC_OK && old));
                kept++;
            } else {
                CHECK(lab.result.reason == SVMC_DISK_LOST ||
                          lab.result.reason == SVMC_DISK_ROLLBACK ||
                          lab.result.reason == SVMC_DISK_BLANK,
                      "call %u: %" PRIu32, k, lab.result.reason);
                gone++;
            }
            CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
            REQUIRE(CHECK_EQ(disk_lab_format(&lab), SVMC_OK));
            CHECK(disk_lab_is(&lab, 3, 0));
        }
    CHECK(kept > 3 && gone > 3, "%u, %u", kept, gone);
}

TEST(disk_meanwhile, a_store_that_lies_about_flushes_is_not_believed) /* DK-14 */
{
    unsigned refused = 0;

    for (unsigned n = 1; n < 60; n++) {
        const bool anchored = n % 2;
        uint64_t seed = n;
        uint64_t now[SECTORS] = { 0 };

        disk_lab_init(&lab, 1, SECTORS);
        if (!anchored)
            lab.store.ops.anchor = NULL;
        REQUIRE(disk_lab_format(&lab) == SVMC_OK);
        for (uint64_t i = 0; i < 30; i++) {
            const uint64_t s = i * 11 % SECTORS;

            if (i == 15) {
                CHECK_EQ(svmc_disk_flush(&lab.disk, &lab.result), SVMC_OK);
                lab.store.loses_flushes = true;
            }
            CHECK_EQ(disk_lab_write(&lab, s, now[s] = i + 1), SVMC_OK);
        }
        CHECK_EQ(svmc_disk_flush(&lab.disk, &lab.result), SVMC_OK);
        disk_lab_cut(&lab, DISK_LAB_TEARS, &seed);
        disk_lab_boot(&lab);
        if (disk_lab_open(&lab) != SVMC_OK) {
            refused++;
            continue;
        }
        for (uint64_t s = 0; s < SECTORS; s++) {
            const bool is_now = disk_lab_is(&lab, s, now[s]);
            const bool failed = lab.result.reason != SVMC_DISK_NONE;

            /* without an anchor an older commit may come back, never anything else */
            CHECK(is_now || failed || (!anchored && disk_lab_is(&lab, s, 0)), "%" PRIu64, s);
            refused += failed;
        }
        CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
    }
    CHECK(refused > 10, "%u", refused);
}

TEST(disk_meanwhile, no_key_is_left_where_a_call_failed) /* DK-16 */
{
    static const uint8_t zeros[sizeof lab.memory];

    for (uint32_t mode = SVMC_DISK_LENGTH; mode <= SVMC_DISK_AUTHENTIC; mode++) {
        bool made = false;

        for (unsigned k = 1; !made && CHECK(k < 20); k++) {
            disk_lab_init(&lab, 1, SECTORS);
            if (mode == SVMC_DISK_LENGTH)
                lab.config.mode = mode, lab.config.journal = lab.config.nodes = 0;
            lab.crypto.calls = 0;
            lab.crypto.fail_at = k;
            made = disk_lab_format(&lab) == SVMC_OK;
            CHECK(made || lab.crypto.toy.loaded == 0, "call %u", k);
            CHECK(made || memcmp(lab.memory, zeros, sizeof zeros) == 0, "call %u", k);
            CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
            CHECK_EQ(lab.crypto.toy.loaded, 0);
        }
        disk_lab_init(&lab, 1, SECTORS);
        lab.config.mode = SVMC_DISK_LENGTH;
        lab.config.journal = lab.config.nodes = 0;
        lab.crypto.ops.crypt = NULL; /* as libsodium's */
        CHECK_EQ(disk_lab_format(&lab), SVMC_ERR_UNSUPPORTED);
        CHECK_EQ(lab.result.reason, SVMC_DISK_UNKNOWN);
        CHECK_MEM(lab.store.now, zeros, 512); /* nothing was written */
    }
}
