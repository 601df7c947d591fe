/* SPDX-License-Identifier: MIT */
/*
 * Power fails at each store call of a workload: what was not flushed is lost, there, or torn and
 * reordered. After the next start every sector is as at the last commit, or all are as at the one
 * that was cut; with an anchor it is known which. The table notes keys and nonces of all lives of a
 * disk. SVMC_COUNT: how many cuts (100), SVMC_SEED.
 */
#include "disk_lab.h"

#include <stdlib.h>

enum { SECTORS_MAX = 150, LIVES = 60 };

static struct disk_lab lab;
static struct {
    uint64_t now[SECTORS_MAX];    /* what reads must give */
    uint64_t before[SECTORS_MAX]; /* the same when the last call began */
    uint64_t safe[SECTORS_MAX];   /* at the last commit that is known of */
    uint64_t next;                /* value */
    uint64_t generation;
    unsigned anchors;
} model;

static void note_commit(void)
{
    if (lab.disk.priv.generation != model.generation)
        memcpy(model.safe, model.before, sizeof model.safe);
    model.generation = lab.disk.priv.generation;
}

/* Whether all sectors are as at the last commit, and whether they are as before the last call. */
static bool compare(bool *old, bool *young)
{
    static uint8_t got[SVMC_DISK_SECTOR], want[SVMC_DISK_SECTOR];

    *old = *young = true;
    for (uint64_t s = 0; s < lab.config.sectors; s++) {
        if (!CHECK_EQ(svmc_disk_read(&lab.disk, s, 1, got, &lab.result), SVMC_OK, "%" PRIu64, s))
            return false;
        disk_lab_fill(want, sizeof want, s, model.safe[s]);
        *old = *old && memcmp(got, want, sizeof want) == 0;
        if (model.before[s] != model.safe[s])
            disk_lab_fill(want, sizeof want, s, model.before[s]);
        *young = *young && memcmp(got, want, sizeof want) == 0;
    }
    return true;
}

/* One write, flush or read. @return whether there is power. */
static bool step(uint64_t *seed)
{
    const uint64_t s = harness_random(seed) % lab.config.sectors;
    const unsigned what = harness_random(seed) % 16;

    memcpy(model.before, model.now, sizeof model.before);
    if (what < 2) {
        if (svmc_disk_flush(&lab.disk, &lab.result) != SVMC_OK)
            return false;
        memcpy(model.safe, model.now, sizeof model.safe);
        model.generation = lab.disk.priv.generation;
        return true;
    }
    if (what < 4) {
        bool same = disk_lab_is(&lab, s, model.now[s]);

        CHECK(same || lab.store.is_off, "%" PRIu64 " reads as another", s);
        return !lab.store.is_off;
    }
    if (disk_lab_write(&lab, s, ++model.next) == SVMC_OK)
        model.now[s] = model.next;
    note_commit();
    return !lab.store.is_off;
}

/* After the next start: old or new, all at once. */
static bool is_recovered(bool anchored)
{
    const bool was_kept = lab.store.anchors != model.anchors;
    bool old, young;

    if (!CHECK_EQ(disk_lab_open(&lab), SVMC_OK, "reason %" PRIu32, lab.result.reason) ||
        !compare(&old, &young))
        return false;
    if (anchored) /* then there is no choice */
        *(was_kept ? &old : &young) = false;
    if (!CHECK(old || young, "neither"))
        return false;
    if (!old)
        memcpy(model.safe, model.before, sizeof model.safe);
    memcpy(model.now, model.safe, sizeof model.now);
    return true;
}

/* Up to the cut at the k-th store call, and the next start. */
static bool live(unsigned k, enum disk_lab_cut how, bool anchored, uint64_t *seed)
{
    const bool host_survives = harness_random(seed) % 4 == 0;

    lab.store.calls = 0;
    lab.store.cut_at = k;
    lab.store.keeps_anchor = harness_random(seed) % 2;
    model.generation = lab.disk.priv.generation;
    do
        model.anchors = lab.store.anchors;
    while (step(seed));
    disk_lab_cut(&lab, how, seed);
    if (host_survives) /* the same epoch: subkeys must differ */
        CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
    else
        disk_lab_boot(&lab);
    return is_recovered(anchored);
}

static bool begin(uint64_t *seed, bool anchored)
{
    memset(&model, 0, sizeof model);
    disk_lab_init(&lab, (uint8_t)harness_random(seed), 60 + harness_random(seed) % 90);
    lab.config.journal = 8 * (1 + (uint32_t)(harness_random(seed) % 3));
    lab.config.nodes = 1 + (uint32_t)(harness_random(seed) % 4);
    if (!anchored)
        lab.store.ops.anchor = NULL;
    return CHECK_EQ(disk_lab_format(&lab), SVMC_OK);
}

TEST(disk_cut,
     each_sector_is_old_or_new_and_no_nonce_comes_twice) /* DK-7 DK-12 DK-13 DK-14 DK-18 */
{
    const char *text = getenv("SVMC_COUNT");
    const uint64_t count = text ? strtoull(text, NULL, 0) : 100;
    uint64_t seed = harness_seed(), cuts = 0, sealed = 0;
    const uint64_t first = seed;

    while (cuts < count) {
        const bool anchored = harness_random(&seed) % 4 != 0;

        REQUIRE(begin(&seed, anchored));
        for (unsigned n = 0; n < LIVES && cuts < count; n++, cuts++) {
            const unsigned k = 1 + (unsigned)(harness_random(&seed) % 90);
            const enum disk_lab_cut how = (enum disk_lab_cut)(harness_random(&seed) % 3);

            REQUIRE(live(k, how, anchored, &seed), "seed %" PRIu64 ", cut %" PRIu64, first, cuts);
        }
        sealed += disk_lab_pairs();
        CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
    }
    if (text)
        printf("%" PRIu64 " cuts, %" PRIu64 " seals, seed %" PRIu64 "\n", cuts, sealed, first);
}

TEST(disk_cut, at_every_store_call_of_a_workload) /* DK-14 */
{
    for (unsigned how = 0; how < 3; how++)
        for (unsigned k = 1; k < 90; k++) {
            uint64_t seed = 7;

            REQUIRE(begin(&seed, k % 2 == 0));
            REQUIRE(live(k, (enum disk_lab_cut)how, k % 2 == 0, &seed), "%u, call %u", how, k);
            CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
        }
}
