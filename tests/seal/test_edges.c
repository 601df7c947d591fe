/* SPDX-License-Identifier: MIT */
/* Checks of sealing that are seen at one edge alone: what a mutant of src/seal shows. */
#include <svmcore/disk.h>
#include <svmcore/seal_page.h>

#include "../../src/core/bytes.h"
#include "../../src/keyslot/sealing.h"
#include "../../src/seal/sealer_private.h"
#include "disk_lab.h"
#include "seal_lab.h"

enum { PAGE = SVMC_SEAL_PAGE_BYTES, BLOCKS = PAGE / 16 + 1 };

static struct seal_lab lab;
static struct svmc_seal_use use;
static uint8_t text[64], tag[SVMC_TAG_BYTES];

static struct svmc_sealed_unit unit(void)
{
    return (struct svmc_sealed_unit){
        .number = 1, .version = 1, .in = text, .out = text, .bytes = 16, .tag = tag
    };
}

/* ---- subkeys ---------------------------------------------------------------------------------*/

TEST(sealer, calls_end_before_blocks_do) /* SE-10 */
{
    struct svmc_sealed_unit u = unit();

    seal_lab_init(&lab, SVMC_ALG_AES_256_GCM, false);
    REQUIRE(svmc_seal_begin(&lab.sealer, SVMC_KEY_PAGE, 1, 100, &use) == SVMC_SEAL_NONE);
    CHECK_EQ(svmc_seal_unit(&lab.sealer, 0, &use, &u), SVMC_SEAL_NONE);
    CHECK(use.calls == 0 && use.blocks == 99);
    u.version = 2;
    CHECK_EQ(svmc_seal_unit(&lab.sealer, 0, &use, &u), SVMC_SEAL_BUDGET);
    CHECK(use.calls == 0 && use.blocks == 99);
}

TEST(sealer, what_was_not_tried_is_not_found) /* SE-2 SE-6 */
{
    struct svmc_subkey_id id;

    seal_lab_init(&lab, SVMC_ALG_AES_256_GCM, false);
    REQUIRE(svmc_seal_begin(&lab.sealer, SVMC_KEY_DISK, 1, 1, &use) == SVMC_SEAL_NONE);
    id = use.id;
    CHECK_EQ(svmc_seal_end(&lab.sealer, &use), SVMC_OK);
    CHECK_EQ(
        svmc_seal_find_tried(&lab.sealer, SVMC_KEY_DISK, SVMC_ALG_CHACHA20_POLY1305, &id, &use),
        SVMC_SEAL_ALG);
    CHECK_EQ(svmc_seal_find_tried(&lab.sealer, SVMC_KEY_DISK, 0, &id, &use), SVMC_SEAL_ALG);
    CHECK(seal_lab_is_empty(&lab));
    CHECK_EQ(svmc_seal_try(&lab.sealer, SVMC_ALG_CHACHA20_POLY1305), SVMC_SEAL_NONE);
    CHECK_EQ(
        svmc_seal_find_tried(&lab.sealer, SVMC_KEY_DISK, SVMC_ALG_CHACHA20_POLY1305, &id, &use),
        SVMC_SEAL_NONE);
}

TEST(sealer, a_subkey_whose_slot_is_gone_gets_another) /* KS-21 */
{
    struct svmc_subkey_id id;
    svmc_key_handle was;

    seal_lab_init(&lab, SVMC_ALG_AES_256_GCM, false);
    REQUIRE(svmc_seal_begin(&lab.sealer, SVMC_KEY_DISK, 1, 1, &use) == SVMC_SEAL_NONE);
    id = use.id;
    was = use.slot;
    CHECK_EQ(svmc_seal_find_tried(&lab.sealer, SVMC_KEY_DISK, use.alg, &id, &use), SVMC_SEAL_NONE);
    CHECK_EQ(use.slot.raw, was.raw); /* in its place */
    CHECK_EQ(svmc_keyslot_revoke(&lab.ks, use.slot, SVMC_KEYSLOT_CUT), SVMC_OK);
    CHECK_EQ(svmc_seal_find_tried(&lab.sealer, SVMC_KEY_DISK, use.alg, &id, &use), SVMC_SEAL_NONE);
    CHECK(use.slot.raw != was.raw && use.slot.raw != 0);
}

TEST(slot, a_subkey_that_gets_no_slot_leaves_the_handle) /* KS-4 KS-21 */
{
    struct svmc_key_grant grant;
    const struct keyslot_subkey from = { &lab.key, SVMC_KEY_LINE, &grant.id };
    struct svmc_keyslot_key what = { .alg = SVMC_ALG_AES_256_GCM, .unit_bytes = 4096 };
    svmc_key_handle slot[SEAL_LAB_SLOTS + 1] = { { 0 } }, kept;
    struct svmc_keyslot_use held;

    seal_lab_init(&lab, SVMC_ALG_AES_256_GCM, false);
    REQUIRE(svmc_vmkey_grant(&lab.key, SVMC_KEY_LINE, 1, 1, &grant) == SVMC_OK);
    for (unsigned i = 0; i < SEAL_LAB_SLOTS; i++)
        CHECK_EQ(svmc_keyslot_subkey(&lab.ks, &from, &what, &slot[i]), SVMC_OK, "%u", i);
    kept.raw = slot[SEAL_LAB_SLOTS].raw = 0x00070001; /* of an earlier load */
    CHECK_EQ(svmc_keyslot_subkey(&lab.ks, &from, &what, &slot[SEAL_LAB_SLOTS]), SVMC_ERR_FULL);
    CHECK_EQ(slot[SEAL_LAB_SLOTS].raw, kept.raw);
    CHECK_EQ(svmc_keyslot_hold(&lab.ks, 0, slot[0], &held), SVMC_OK);
    CHECK_EQ(svmc_keyslot_subkey(&lab.ks, &from, &what, &slot[0]), SVMC_ERR_BUSY);
    svmc_keyslot_release(&lab.ks, 0);
    CHECK_EQ(svmc_keyslot_subkey(&lab.ks, &from, &what, &slot[0]), SVMC_OK);
    what.alg = 0x77;
    kept = slot[0];
    CHECK_EQ(svmc_keyslot_subkey(&lab.ks, &from, &what, &slot[0]), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(slot[0].raw, kept.raw);
}

/* ---- pages -----------------------------------------------------------------------------------*/

static struct svmc_pages pages;
static _Alignas(64) uint8_t memory[PAGE + 2 * 128 + 1024];
static uint8_t page[PAGE], sealed[PAGE];

static void begin_pages(void)
{
    const struct svmc_pages_config c = {
        .sealer = &lab.sealer, .pages = 9, .lanes = 1, .subkeys = 2
    };

    seal_lab_init(&lab, SVMC_ALG_AES_256_GCM, true);
    CHECK_EQ(svmc_pages_init(&pages, &c, memory, sizeof memory), SVMC_OK);
}

TEST(pages, an_old_copy_is_not_published_in_anothers_place) /* SE-18 */
{
    struct svmc_page_copy first, same, second;

    begin_pages();
    CHECK_EQ(svmc_pages_seal(&pages, 0, 3, page, sealed, tag, &first), SVMC_SEAL_NONE);
    same = first;
    CHECK_EQ(svmc_pages_publish(&pages, &first), SVMC_SEAL_NONE);
    svmc_pages_mark(&pages, 3, 1);
    CHECK_EQ(svmc_pages_seal(&pages, 0, 3, page, sealed, tag, &second), SVMC_SEAL_NONE);
    first = same;
    CHECK_EQ(svmc_pages_publish(&pages, &first), SVMC_SEAL_STATE);
    CHECK_EQ(svmc_pages_abort(&pages, &first), SVMC_SEAL_STATE);
    CHECK_EQ(svmc_pages_publish(&pages, &second), SVMC_SEAL_NONE);
}

TEST(pages, a_subkey_that_is_ready_is_not_made_again) /* SE-22 */
{
    uint64_t left;
    struct svmc_key_grant grant;

    begin_pages();
    left = svmc_pages_left(&pages);
    CHECK_EQ(left, 2 * (SVMC_SUBKEY_BLOCKS / BLOCKS)); /* blocks end before calls do */
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(svmc_pages_tend(&pages), SVMC_SEAL_NONE);
    CHECK_EQ(svmc_vmkey_grant(&lab.key, SVMC_KEY_PAGE, 1, 1, &grant), SVMC_OK);
    CHECK_EQ(grant.id.index, 2);
    CHECK_EQ(svmc_pages_drop(&pages), SVMC_OK);
}

/* ---- disks -----------------------------------------------------------------------------------*/

static struct disk_lab host;

enum { AT_SEAL = 64, AT_ROOT = 4096 }; /* DK-2, DK-3, by hand */

static void begin_disk(void)
{
    disk_lab_init(&host, 1, 70);
    CHECK_EQ(disk_lab_format(&host), SVMC_OK);
}

TEST(disk, a_header_is_of_one_algorithm) /* DK-3 */
{
    struct svmc_disk_info info;

    begin_disk();
    CHECK_EQ(svmc_disk_inspect(&host.store.ops, &info), SVMC_OK);
    host.store.now[AT_SEAL + 7] = SVMC_ALG_CHACHA20_POLY1305; /* of the entry that seals it */
    CHECK_EQ(svmc_disk_inspect(&host.store.ops, &info), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(svmc_disk_drop(&host.disk), SVMC_OK);
    CHECK_EQ(disk_lab_open(&host), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(host.result.reason, SVMC_DISK_UNKNOWN);
}

TEST(disk, an_entry_without_a_version_is_changed) /* DK-18 */
{
    begin_disk();
    CHECK_EQ(svmc_disk_drop(&host.disk), SVMC_OK);
    memset(host.store.now + AT_SEAL, 0, 7);
    CHECK_EQ(disk_lab_open(&host), SVMC_ERR_AUTH);
    CHECK_EQ(host.result.reason, SVMC_DISK_CHANGED);
}

TEST(disk, a_root_counts_in_its_own_place) /* DK-7 */
{
    begin_disk(); /* generation 1, in block 2 */
    host.store.ops.anchor = NULL;
    CHECK_EQ(svmc_disk_drop(&host.disk), SVMC_OK);
    CHECK_EQ(disk_lab_open(&host), SVMC_OK);
    CHECK_EQ(svmc_disk_drop(&host.disk), SVMC_OK);
    memcpy(host.store.now + AT_ROOT, host.store.now + 2 * AT_ROOT, SVMC_DISK_BLOCK);
    memset(host.store.now + 2 * AT_ROOT, 0, SVMC_DISK_BLOCK);
    CHECK_EQ(disk_lab_open(&host), SVMC_ERR_AUTH);
    CHECK_EQ(host.result.reason, SVMC_DISK_LOST);
}

TEST(disk, versions_end) /* DK-18 */
{
    begin_disk();
    host.disk.priv.version = SVMC_SEAL_VERSION_MAX;
    CHECK_EQ(disk_lab_write(&host, 1, 5), SVMC_ERR_FULL);
    CHECK_EQ(host.result.seal, SVMC_SEAL_BUDGET);
    CHECK_EQ(host.disk.priv.version, SVMC_SEAL_VERSION_MAX);
}

TEST(disk, blocks_end) /* DK-10 */
{
    disk_lab_init(&host, 1, 70);
    host.config.mode = SVMC_DISK_LENGTH;
    host.config.journal = host.config.nodes = 0;
    REQUIRE(disk_lab_format(&host) == SVMC_OK);
    host.disk.priv.blocks = 2 * 256 + 255;
    CHECK_EQ(disk_lab_write(&host, 1, 5), SVMC_OK);
    CHECK_EQ(disk_lab_write(&host, 2, 5), SVMC_OK);
    CHECK_EQ(disk_lab_write(&host, 3, 5), SVMC_ERR_FULL);
    CHECK_EQ(host.result.seal, SVMC_SEAL_BUDGET);
    CHECK(disk_lab_is(&host, 2, 5)); /* what is there opens */
}

/* A commit: the map, a flush, the root, a flush, the anchor. */
TEST(disk, who_does_not_know_which_root_counts_says_so) /* DK-14 */
{
    for (unsigned k = 1; k <= 5; k++) {
        const bool doubt = k >= 3;
        uint8_t out[SVMC_DISK_SECTOR];

        begin_disk();
        CHECK_EQ(disk_lab_write(&host, 1, 5), SVMC_OK);
        host.store.fail_at = host.store.calls + k;
        CHECK_EQ(svmc_disk_flush(&host.disk, &host.result), SVMC_ERR_CALLBACK, "%u", k);
        CHECK_EQ(host.result.reason, k == 5 ? SVMC_DISK_ANCHOR : SVMC_DISK_STORE, "%u", k);
        host.store.fail_at = 0;
        CHECK_EQ(disk_lab_write(&host, 2, 6), doubt ? SVMC_ERR_STATE : SVMC_OK, "%u", k);
        CHECK_EQ(host.result.reason, doubt ? SVMC_DISK_DOUBT : SVMC_DISK_NONE, "%u", k);
        CHECK_EQ(svmc_disk_read(&host.disk, 1, 1, out, &host.result),
                 doubt ? SVMC_ERR_STATE : SVMC_OK, "%u", k);
        CHECK_EQ(svmc_disk_flush(&host.disk, &host.result), doubt ? SVMC_ERR_STATE : SVMC_OK, "%u",
                 k);
        CHECK_EQ(svmc_disk_drop(&host.disk), SVMC_OK);
        CHECK_EQ(disk_lab_open(&host), SVMC_OK, "%u", k); /* the one or the other */
        CHECK(disk_lab_is(&host, 1, 5) || (doubt && disk_lab_is(&host, 1, 0)), "%u", k);
        CHECK_EQ(svmc_disk_drop(&host.disk), SVMC_OK);
    }
}
