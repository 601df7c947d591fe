/* SPDX-License-Identifier: MIT */
/*
 * A store that changes, moves, keeps back and lies: what was not written last is refused with its
 * own reason, and the guest's buffer has none of it. Wiping is found out, and undone by nobody who
 * does not say so.
 */
#include "disk_lab.h"

static struct disk_lab lab, other;
static uint8_t image[DISK_LAB_BYTES], older[DISK_LAB_BYTES];
static uint8_t buffer[4 * SVMC_DISK_SECTOR];
static const uint8_t nothing[4 * SVMC_DISK_SECTOR];

enum { SECTORS = 70 };

/* DK-2, by hand: header, roots, maps, journal of 8, two leaves and the top twice, the sectors. */
enum {
    AT_ROOT = 4096,
    AT_MAP = 3 * 4096,
    AT_JOURNAL = AT_MAP + 2 * 4096,
    AT_LEAF = AT_JOURNAL + 8 * 4096,
    AT_TOP = AT_LEAF + 4 * 4096,
    AT_DATA = AT_TOP + 2 * 4096
};

/* A disk whose sectors 0 to 55 lie where they belong, 56 to 63 in the journal. */
static bool make(struct disk_lab *l, uint8_t name)
{
    disk_lab_init(l, name, SECTORS);
    if (!CHECK_EQ(disk_lab_format(l), SVMC_OK))
        return false;
    for (uint64_t s = 0; s < 64; s++)
        if (!CHECK_EQ(disk_lab_write(l, s, s + 1), SVMC_OK))
            return false;
    CHECK_EQ(svmc_disk_flush(&l->disk, &l->result), SVMC_OK);
    return true;
}

/* What an open finds: the disk is all right, an open refuses, or a check does. */
static uint32_t found(struct disk_lab *l)
{
    uint32_t reason;

    CHECK_EQ(svmc_disk_drop(&l->disk), SVMC_OK);
    if (disk_lab_open(l) == SVMC_OK)
        (void)!svmc_disk_check(&l->disk, 0, l->config.sectors, &l->result);
    reason = l->result.reason;
    CHECK_EQ(svmc_disk_drop(&l->disk), SVMC_OK);
    return reason;
}

static void keep(uint8_t *copy)
{
    memcpy(copy, lab.store.now, DISK_LAB_BYTES);
}

static void put_back(const uint8_t *copy)
{
    memcpy(lab.store.now, copy, DISK_LAB_BYTES);
}

TEST(disk_hostile, layout_is_that_of_the_specification) /* DK-2 */
{
    uint64_t sum = 0xcbf29ce484222325u; /* FNV-1a of all that make() writes */

    REQUIRE(make(&lab, 1));
    for (size_t i = 0; i < sizeof lab.store.now; i++)
        sum = (sum ^ lab.store.now[i]) * 0x100000001b3u;
    CHECK_EQ(sum, 0x112c32717db0a54d, "not the same bytes on every processor");
    CHECK_EQ(svmc_disk_store_bytes(&lab.config), AT_DATA + SECTORS * 4096);
    CHECK_MEM(lab.store.now, "SVMD\1\2\x31\x31\0\x10\0\0\x08\0\0\0\x46\0\0\0\0\0\0\0\1", 25);
    CHECK_MEM(lab.store.now + AT_ROOT, "SVMR\1\0\0\0", 8);
    CHECK_EQ(found(&lab), SVMC_DISK_NONE);
}

/* DK-3 DK-6 DK-7: of the header, the root that counts, and what they lead to. */
TEST(disk_hostile, every_bit_counts)
{
    const struct {
        char name[16];
        size_t at, bits, step;
    } rows[] = {
        { "header", 0, 112 * 8, 1 },
        { "header, behind", 112, 400 * 8, 29 },
        { "root 0", AT_ROOT, 200 * 8, 1 },
        { "root 0, behind", AT_ROOT + 200, 312 * 8, 29 },
        { "root 1", 2 * AT_ROOT, 200 * 8, 7 },
        { "map 0", AT_MAP, 512 * 8, 97 },
        { "map 1", AT_MAP + 4096, 512 * 8, 97 },
        { "sector", AT_DATA + 55 * 4096, 4096 * 8, 1021 },
        { "leaf", AT_LEAF, 4 * 4096 * 8, 1021 },
        { "top", AT_TOP, 2 * 4096 * 8, 1021 },
        { "journal", AT_JOURNAL, 8 * 4096 * 8, 1021 },
    };

    REQUIRE(make(&lab, 1));
    keep(image);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned refused = 0, tried = 0;

        for (size_t bit = 0; bit < rows[i].bits; bit += rows[i].step, tried++) {
            uint8_t *byte = lab.store.now + rows[i].at + bit / 8;

            *byte ^= (uint8_t)(1u << bit % 8);
            refused += found(&lab) != SVMC_DISK_NONE;
            *byte ^= (uint8_t)(1u << bit % 8);
        }
        /* not used now: one root, one map, one place of a node, both of a node without sectors */
        CHECK(refused == tried || (refused == 0 && strncmp(rows[i].name, "root", 4) == 0) ||
                  (refused == 0 && strncmp(rows[i].name, "map", 3) == 0) ||
                  (i >= 8 && refused >= tried / 5),
              "%s: %u of %u", rows[i].name, refused, tried);
    }
    CHECK_MEM(image, lab.store.now, sizeof image);
    CHECK_EQ(found(&lab), SVMC_DISK_NONE);
}

/* ---- moved and old ---------------------------------------------------------------------------*/

/* Sector `s` cannot be read, its neighbours can, and a check says which. */
static void is_refused(uint64_t s, uint32_t reason, const char *what)
{
    CHECK_EQ(disk_lab_open(&lab), SVMC_OK, "%s", what);
    memset(buffer, 0x55, sizeof buffer);
    CHECK_EQ(svmc_disk_read(&lab.disk, s - 1, 2, buffer, &lab.result), SVMC_ERR_AUTH, "%s", what);
    CHECK_EQ(lab.result.reason, reason, "%s", what);
    CHECK_EQ(lab.result.sector, s, "%s", what);
    CHECK_MEM(buffer, nothing, 2 * SVMC_DISK_SECTOR, "%s", what); /* DK-9 */
    CHECK(disk_lab_is(&lab, s - 1, s), "%s", what);
    CHECK_EQ(svmc_disk_check(&lab.disk, 0, SECTORS, &lab.result), SVMC_ERR_AUTH, "%s", what);
    CHECK_EQ(lab.result.sector, s, "%s", what);
    CHECK_EQ(lab.result.done, s, "%s", what); /* DK-15 */
    CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
}

static uint8_t *sector_at(struct disk_lab *l, uint64_t s)
{
    return l->store.now + AT_DATA + s * 4096;
}

TEST(disk_hostile, what_is_not_the_sector_written_last_is_refused) /* DK-9 DK-17 */
{
    REQUIRE(make(&lab, 1) && make(&other, 1));
    keep(older);
    /* sector 9 again, and 7 others, so that it goes where it belongs */
    for (uint64_t s = 9; s < 18; s++)
        CHECK_EQ(disk_lab_write(&lab, s, s + 1), SVMC_OK);
    CHECK_EQ(svmc_disk_flush(&lab.disk, &lab.result), SVMC_OK);
    CHECK(memcmp(older + AT_DATA + 9 * 4096, sector_at(&lab, 9), 4096) != 0);
    CHECK_EQ(found(&lab), SVMC_DISK_NONE);
    keep(image);

    memcpy(sector_at(&lab, 9), image + AT_DATA + 10 * 4096, 4096);
    is_refused(9, SVMC_DISK_DATA, "another sector's");
    memcpy(sector_at(&lab, 9), older + AT_DATA + 9 * 4096, 4096);
    is_refused(9, SVMC_DISK_DATA, "older, the same text");
    memcpy(sector_at(&lab, 9), sector_at(&other, 9), 4096);
    is_refused(9, SVMC_DISK_DATA, "another disk's of the VM");
    memset(sector_at(&lab, 9), 0, 4096);
    is_refused(9, SVMC_DISK_DATA, "zeros");
    REQUIRE(make(&other, 2));
    memcpy(sector_at(&lab, 9), sector_at(&other, 9), 4096);
    is_refused(9, SVMC_DISK_DATA, "another VM's");
}

TEST(disk_hostile, older_metadata_is_refused) /* DK-7 DK-8 DK-9 */
{
    static const struct {
        char name[16];
        size_t at, bytes;
        uint32_t reason;
    } rows[] = {
        { "roots", AT_ROOT, 2 * 4096, SVMC_DISK_ROLLBACK },
        { "maps", AT_MAP, 2 * 4096, SVMC_DISK_NODE },
        { "journal", AT_JOURNAL, 8 * 4096, SVMC_DISK_DATA },
        { "leaves", AT_LEAF, 4 * 4096, SVMC_DISK_NODE },
        { "tops", AT_TOP, 2 * 4096, SVMC_DISK_NODE },
        { "all metadata", 0, AT_DATA, SVMC_DISK_ROLLBACK },
        { "all but header", 4096, DISK_LAB_BYTES - 4096, SVMC_DISK_ROLLBACK },
        { "the whole disk", 0, DISK_LAB_BYTES, SVMC_DISK_ROLLBACK },
    };

    REQUIRE(make(&lab, 1));
    keep(older);
    for (uint64_t n = 0; n < 36; n++) /* two checkpoints: both places of a node are others */
        CHECK_EQ(disk_lab_write(&lab, n * 7 % SECTORS, n + 1), SVMC_OK);
    CHECK_EQ(svmc_disk_flush(&lab.disk, &lab.result), SVMC_OK);
    keep(image);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put_back(image);
        memcpy(lab.store.now + rows[i].at, older + rows[i].at, rows[i].bytes);
        CHECK_EQ(found(&lab), rows[i].reason, "%s", rows[i].name);
    }
    /* one commit older is older */
    put_back(image);
    CHECK_EQ(found(&lab), SVMC_DISK_NONE);
    disk_lab_boot(&lab);
    CHECK_EQ(disk_lab_open(&lab), SVMC_OK);
    CHECK_EQ(disk_lab_write(&lab, 3, 99), SVMC_OK);
    CHECK_EQ(svmc_disk_flush(&lab.disk, &lab.result), SVMC_OK);
    put_back(image);
    CHECK_EQ(found(&lab), SVMC_DISK_ROLLBACK);
    /* without an anchor nobody can know */
    lab.store.ops.anchor = NULL;
    CHECK_EQ(found(&lab), SVMC_DISK_NONE);
}

/* ---- wiped, foreign, not one -----------------------------------------------------------------*/

TEST(disk_hostile, a_store_that_is_not_the_disk_says_why) /* DK-3 DK-4 DK-6 DK-7 */
{
    REQUIRE(make(&lab, 1) && make(&other, 2));
    keep(image);
    memset(lab.store.now, 0, 512);
    CHECK_EQ(found(&lab), SVMC_DISK_BLANK);
    put_back(image);
    memset(lab.store.now, 0, sizeof lab.store.now);
    CHECK_EQ(found(&lab), SVMC_DISK_BLANK);
    put_back(image);
    memset(lab.store.now + AT_ROOT, 0, 2 * 4096);
    CHECK_EQ(found(&lab), SVMC_DISK_LOST);
    memset(lab.store.now + AT_ROOT, 0xff, AT_DATA - AT_ROOT);
    CHECK_EQ(found(&lab), SVMC_DISK_LOST);
    memcpy(lab.store.now, other.store.now, sizeof lab.store.now);
    CHECK_EQ(found(&lab), SVMC_DISK_OWNER);
    lab.store.now[24] = 1; /* says that it is ours */
    CHECK_EQ(found(&lab), SVMC_DISK_CHANGED);
    put_back(image);
    lab.store.now[4] = 2;
    CHECK_EQ(found(&lab), SVMC_DISK_UNKNOWN);
    lab.store.now[4] = 1;
    lab.store.now[6] = lab.store.now[7] = 0x3f;
    CHECK_EQ(found(&lab), SVMC_DISK_UNKNOWN);
    put_back(image);
    lab.store.now[0] = 'X';
    CHECK_EQ(found(&lab), SVMC_DISK_HEADER);
    put_back(image);
    lab.config.sectors++;
    CHECK_EQ(found(&lab), SVMC_DISK_HEADER);
    lab.config.sectors--;
    lab.config.journal += 8;
    CHECK_EQ(found(&lab), SVMC_DISK_HEADER);
    lab.config.journal -= 8;
    CHECK_EQ(found(&lab), SVMC_DISK_NONE);
}

/* Both are of one VM and one shape: nothing but the number tells them apart. */
TEST(disk_hostile, another_disk_of_the_vm_is_not_taken_for_this_one) /* DK-21 */
{
    const uint8_t number[8] = { 8, 7, 6, 5, 4, 3, 2, 1 };

    for (uint32_t mode = SVMC_DISK_LENGTH; mode <= SVMC_DISK_AUTHENTIC; mode++) {
        const bool has_journal = mode == SVMC_DISK_AUTHENTIC;

        disk_lab_init(&lab, 1, SECTORS);
        lab.store.ops.anchor = NULL; /* the store is all there is */
        lab.config.mode = mode;
        lab.config.journal = has_journal ? 8 : 0;
        lab.config.nodes = has_journal ? 4 : 0;
        lab.config.number = 0x0102030405060708u;
        REQUIRE(disk_lab_format(&lab) == SVMC_OK);
        CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
        CHECK_MEM(lab.store.now + 56, number, sizeof number);
        CHECK_EQ(found(&lab), SVMC_DISK_NONE);
        for (unsigned bit = 0; bit < 64; bit++) {
            lab.config.number ^= (uint64_t)1 << bit;
            CHECK_EQ(disk_lab_open(&lab), SVMC_ERR_PURPOSE, "bit %u", bit);
            CHECK_EQ(lab.result.reason, SVMC_DISK_OTHER, "bit %u", bit);
            lab.store.now[56 + bit / 8] ^= (uint8_t)(1u << bit % 8); /* it says what is wanted */
            CHECK_EQ(disk_lab_open(&lab), SVMC_ERR_AUTH, "bit %u", bit);
            CHECK_EQ(lab.result.reason, SVMC_DISK_CHANGED, "bit %u", bit);
            lab.store.now[56 + bit / 8] ^= (uint8_t)(1u << bit % 8);
            lab.config.number ^= (uint64_t)1 << bit;
        }
        CHECK_EQ(found(&lab), SVMC_DISK_NONE);
    }
}

TEST(disk_hostile, only_who_says_so_erases) /* DK-4 DK-5 */
{
    REQUIRE(make(&lab, 1));
    CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
    keep(image);
    CHECK_EQ(disk_lab_format(&lab), SVMC_ERR_REFUSED);
    CHECK_EQ(lab.result.reason, SVMC_DISK_IN_USE);
    CHECK_MEM(image, lab.store.now, sizeof image);
    /* wiped, and still anchored: it was a disk */
    memset(lab.store.now, 0, sizeof lab.store.now);
    lab.config.anchor = lab.store.anchor;
    CHECK_EQ(disk_lab_format(&lab), SVMC_ERR_REFUSED);
    CHECK_EQ(lab.result.reason, SVMC_DISK_IN_USE);
    put_back(image);
    lab.config.erase = SVMC_DISK_ERASE;
    CHECK_EQ(disk_lab_format(&lab), SVMC_OK);
    for (uint64_t s = 0; s < SECTORS; s++)
        CHECK(disk_lab_is(&lab, s, 0), "%" PRIu64, s);
    CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
    CHECK_EQ(found(&lab), SVMC_DISK_NONE);
    put_back(image); /* the old disk, whole, is not the anchored one */
    CHECK_EQ(found(&lab), SVMC_DISK_ROLLBACK);
}

/* ---- what is called fails, or lies -----------------------------------------------------------*/

/* Every sector that can be read is as the model says, at least once it is opened again. */
static bool is_sound(const uint64_t *now, bool all)
{
    static uint8_t want[SVMC_DISK_SECTOR];

    for (uint64_t s = 0; s < SECTORS; s++) {
        memset(buffer, 0x55, SVMC_DISK_SECTOR);
        disk_lab_fill(want, sizeof want, s, now[s]);
        if (svmc_disk_read(&lab.disk, s, 1, buffer, &lab.result) == SVMC_OK) {
            if (!CHECK(memcmp(buffer, want, sizeof want) == 0, "%" PRIu64 " is wrong", s))
                return false;
        } else if (!CHECK(!all && memcmp(buffer, nothing, sizeof want) == 0, "%" PRIu64, s)) {
            return false;
        }
    }
    return true;
}

/* Writes and flushes until one fails. @return whether none did. */
static bool work(uint64_t now[SECTORS])
{
    for (uint64_t n = 0; n < 20; n++) {
        const uint64_t s = n * 11 % SECTORS;

        if (disk_lab_write(&lab, s, 100 + n) != SVMC_OK)
            return false;
        now[s] = 100 + n;
        if (n % 6 == 5 && svmc_disk_flush(&lab.disk, &lab.result) != SVMC_OK)
            return false;
    }
    return true;
}

TEST(disk_hostile, a_call_that_fails_changes_nothing) /* DK-11 DK-14 */
{
    for (unsigned which = 0; which < 2; which++) {
        unsigned k = 1;

        for (bool whole = false; !whole; k++) {
            uint64_t now[SECTORS] = { 0 };
            uint32_t reason;

            disk_lab_init(&lab, 1, SECTORS);
            REQUIRE(disk_lab_format(&lab) == SVMC_OK);
            lab.store.calls = lab.crypto.calls = 0;
            lab.store.fail_at = which == 0 ? k : 0;
            lab.crypto.fail_at = which == 1 ? k : 0;
            whole = work(now);
            lab.store.fail_at = lab.crypto.fail_at = 0;
            reason = lab.result.reason;
            CHECK(whole || reason == (which == 0 ? SVMC_DISK_STORE : SVMC_DISK_SEAL) ||
                      reason == SVMC_DISK_ANCHOR,
                  "%u, %u: %" PRIu32, which, k, reason);
            if (lab.disk.priv.doubt) { /* the disk was written up to the last flush, or this one */
                CHECK_EQ(disk_lab_write(&lab, 0, 1), SVMC_ERR_STATE);
                CHECK_EQ(lab.result.reason, SVMC_DISK_DOUBT);
                CHECK_EQ(svmc_disk_flush(&lab.disk, &lab.result), SVMC_ERR_STATE);
                CHECK_EQ(svmc_disk_read(&lab.disk, 0, 1, buffer, &lab.result), SVMC_ERR_STATE);
                CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
                CHECK_EQ(disk_lab_open(&lab), SVMC_OK, "%u, %u", which, k);
                CHECK_EQ(svmc_disk_check(&lab.disk, 0, SECTORS, &lab.result), SVMC_OK);
                continue;
            }
            REQUIRE(is_sound(now, true), "%u, %u", which, k);
            REQUIRE(CHECK(work(now), "%u, %u", which, k)); /* the same once more */
            CHECK_EQ(svmc_disk_flush(&lab.disk, &lab.result), SVMC_OK);
            disk_lab_boot(&lab);
            CHECK_EQ(disk_lab_open(&lab), SVMC_OK);
            REQUIRE(is_sound(now, true), "%u, %u, later", which, k);
        }
        CHECK(k > 40, "%u calls", k); /* there was something to fail */
    }
}

TEST(disk_hostile, a_call_that_lies_is_found_out) /* DK-9 DK-14 */
{
    for (unsigned k = 1; k < 80; k++) {
        uint64_t now[SECTORS] = { 0 };

        disk_lab_init(&lab, 1, SECTORS);
        REQUIRE(disk_lab_format(&lab) == SVMC_OK);
        lab.store.calls = 0;
        lab.store.lie_at = k;
        (void)work(now);
        if (!lab.disk.priv.doubt)
            REQUIRE(is_sound(now, false), "call %u", k);
        disk_lab_boot(&lab);
        lab.store.lie_at = 0;
        if (disk_lab_open(&lab) == SVMC_OK && lab.store.calls >= k)
            (void)!svmc_disk_check(&lab.disk, 0, SECTORS, &lab.result);
    }
}

TEST(disk_hostile, opening_fails_at_every_call) /* DK-6 DK-8 */
{
    REQUIRE(make(&lab, 1));
    for (unsigned which = 0; which < 2; which++) {
        bool opened = false;

        for (unsigned k = 1; !opened && CHECK(k < 40); k++) {
            disk_lab_boot(&lab);
            lab.store.calls = lab.crypto.calls = 0;
            lab.store.fail_at = which == 0 ? k : 0;
            lab.crypto.fail_at = which == 1 ? k : 0;
            opened = disk_lab_open(&lab) == SVMC_OK;
            lab.store.fail_at = lab.crypto.fail_at = 0;
            if (opened) /* also where the root that failed is not the one that is anchored */
                CHECK_EQ(svmc_disk_check(&lab.disk, 0, SECTORS, &lab.result), SVMC_OK, "%u", k);
            else {
                CHECK_EQ(lab.result.reason, which == 0 ? SVMC_DISK_STORE : SVMC_DISK_SEAL, "%u", k);
                CHECK_MEM(&lab.disk, nothing, sizeof lab.disk);
            }
            CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
        }
    }
    CHECK_EQ(found(&lab), SVMC_DISK_NONE);
}
