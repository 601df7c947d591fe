/* SPDX-License-Identifier: MIT */
/* docs/spec/image.md: deltas on their parents, generations, and the rounds of a migration. */
#include "image_lab.h"

static struct image_lab lab;
static uint8_t body[IMAGE_LAB_BODY];

enum { CHAIN = 6 };
static struct {
    uint8_t bytes[IMAGE_LAB_BYTES];
    size_t n;
    struct svmc_image_name name;
} row[CHAIN];

static const uint8_t session[16] = "a migration", other_session[16] = "another one";

static enum svmc_image_reason load(unsigned i, const struct svmc_image_config *config,
                                   struct svmc_image_name *name)
{
    return image_lab_load(config, row[i].bytes, row[i].n, body, name);
}

static void save(unsigned i, const struct svmc_image_config *config)
{
    CHECK_EQ(image_lab_save(&lab, config, row[i].bytes, &row[i].n, &row[i].name), SVMC_IMAGE_NONE);
}

/* What a restored VM has: pages of an image over what was there. */
static void apply(uint8_t *memory, const struct svmc_image_section *section)
{
    const uint8_t *map = body + section[0].offset, *page = body + section[1].offset;

    for (uint64_t p = 0; p < IMAGE_LAB_PAGES; p++) {
        uint32_t kind = (uint32_t)map[p / 4] >> 2 * (p % 4) & 3;

        if (kind == SVMC_IMAGE_ZERO)
            memset(memory + p * 4096, 0, 4096);
        if (kind == SVMC_IMAGE_HERE)
            memcpy(memory + p * 4096, page + 4096 * svmc_image_map_count(map, p), 4096);
    }
}

/* ---- deltas ----------------------------------------------------------------------------------*/

TEST(image_chain, deltas_give_the_last_state) /* IM-13 IM-19 IM-20 */
{
    static uint8_t memory[IMAGE_LAB_PAGES * 4096];
    struct svmc_image_config config;
    uint64_t rng = harness_seed();
    struct svmc_image_name name;

    image_lab_init(&lab, SVMC_ALG_CHACHA20_POLY1305, true);
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    for (unsigned i = 0; i < CHAIN; i++) {
        config.generation = 10 + i;
        save(i, &config);
        config = image_lab_reader(&lab);
        config.generation = 10 + i;
        config.parent = i > 0 ? &row[i - 1].name : NULL;
        CHECK_EQ(load(i, &config, &name), SVMC_IMAGE_NONE);
        CHECK_EQ(svmc_image_map_check(body + lab.section[0].offset, &lab.section[1], i > 0), 1);
        CHECK_EQ(svmc_image_map_check(body + lab.section[0].offset, &lab.section[1], 0), i == 0);
        CHECK_EQ(svmc_image_may_run(&name), 1);
        apply(memory, lab.section);
        CHECK_MEM(memory, lab.memory, sizeof memory, "delta %u", i);
        lab.has_dirty = true;
        lab.dirty[0] = harness_random(&rng) & 0xfff & ~(uint64_t)2;
        for (uint64_t p = 0; p < IMAGE_LAB_PAGES; p++)
            if (lab.dirty[0] >> p & 1)
                memset(lab.memory + p * 4096, (int)(i * (p % 3)), 4096);
        config = image_lab_config(&lab, SVMC_IMAGE_DELTA);
        config.parent = &row[i].name;
    }
}

TEST(image_chain, a_delta_stands_on_its_parent_alone) /* IM-13 */
{
    struct svmc_image_config config;
    struct svmc_image_name name, wrong;

    image_lab_init(&lab, SVMC_ALG_CHACHA20_POLY1305, true);
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    save(0, &config);
    save(1, &config); /* the same state, another image */
    config = image_lab_config(&lab, SVMC_IMAGE_DELTA);
    config.parent = &row[0].name;
    config.generation = 6;
    save(2, &config);
    config.parent = &row[2].name;
    config.generation = 7;
    save(3, &config);
    for (unsigned i = 0; i < 4; i++)
        for (unsigned parent = 0; parent <= 4; parent++) {
            bool fits =
                (i < 2 && parent == 4) || (i == 2 && parent == 0) || (i == 3 && parent == 2);

            config = image_lab_reader(&lab);
            config.parent = parent < 4 ? &row[parent].name : NULL;
            CHECK_EQ(load(i, &config, &name), fits ? SVMC_IMAGE_NONE : SVMC_IMAGE_WRONG_PARENT,
                     "%u on %u", i, parent);
        }
    config.parent = &wrong;
    for (size_t bit = 0; bit < 8 * 48; bit++) {
        wrong = row[0].name;
        ((uint8_t *)&wrong)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK_EQ(load(2, &config, &name), SVMC_IMAGE_WRONG_PARENT);
    }
    wrong = row[0].name;
    wrong.generation = 6; /* a child is younger */
    CHECK_EQ(load(2, &config, &name), SVMC_IMAGE_OLD);
    wrong.generation = 7;
    CHECK_EQ(load(2, &config, &name), SVMC_IMAGE_OLD);
    wrong.generation = UINT64_MAX;
    CHECK_EQ(load(2, &config, &name), SVMC_IMAGE_OLD);
    config = image_lab_config(&lab, SVMC_IMAGE_DELTA);
    config.parent = &row[2].name;
    config.generation = 6;
    CHECK_EQ(image_lab_save(&lab, &config, row[4].bytes, &row[4].n, &name), SVMC_IMAGE_OLD);
}

TEST(image_chain, an_older_image_is_refused) /* IM-13 */
{
    struct svmc_image_config config;
    struct svmc_image_name name;

    image_lab_init(&lab, SVMC_ALG_CHACHA20_POLY1305, true);
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    for (unsigned i = 0; i < 4; i++) {
        config.generation = (uint64_t)1 << 20 * i;
        save(i, &config);
    }
    config = image_lab_reader(&lab);
    for (unsigned i = 0; i < 4; i++)
        for (unsigned newest = 0; newest < 4; newest++) {
            config.generation = (uint64_t)1 << 20 * newest;
            CHECK_EQ(load(i, &config, &name), i < newest ? SVMC_IMAGE_OLD : SVMC_IMAGE_NONE);
            CHECK(i >= newest || seal_lab_is_zero(body, sizeof body));
        }
}

/* ---- migration -------------------------------------------------------------------------------*/

/* Rounds 0 to CHAIN - 1, the last one with the VM stopped. */
static void migrate(void)
{
    image_lab_init(&lab, SVMC_ALG_CHACHA20_POLY1305, true);
    for (unsigned i = 0; i < CHAIN; i++) {
        struct svmc_image_config config =
            image_lab_config(&lab, i + 1 < CHAIN ? SVMC_IMAGE_ROUND : SVMC_IMAGE_LAST);

        config.session = session;
        config.parent = i > 0 ? &row[i - 1].name : NULL;
        lab.has_dirty = i > 0;
        lab.dirty[0] = 0x111u << i % 4;
        save(i, &config);
        CHECK_EQ(row[i].name.round, i);
    }
}

TEST(image_chain, rounds_are_taken_in_their_order_once) /* IM-14 */
{
    struct svmc_image_config config;
    struct svmc_image_name name;

    migrate();
    config = image_lab_reader(&lab);
    config.session = session;
    for (unsigned have = 0; have <= CHAIN; have++)
        for (unsigned i = 0; i < CHAIN; i++) { /* again, in order, one left out, ... */
            enum svmc_image_reason why;

            config.parent = have > 0 ? &row[have - 1].name : NULL;
            why = load(i, &config, &name);
            CHECK_EQ(why, i == have ? SVMC_IMAGE_NONE : SVMC_IMAGE_WRONG_ROUND, "%u after %u", i,
                     have);
            CHECK(why == SVMC_IMAGE_NONE || seal_lab_is_zero(body, sizeof body));
            CHECK_EQ(svmc_image_may_run(&name), why == SVMC_IMAGE_NONE && i + 1 == CHAIN);
            if (why == SVMC_IMAGE_NONE)
                CHECK_EQ(name.kind, i + 1 < CHAIN ? SVMC_IMAGE_ROUND : SVMC_IMAGE_LAST);
        }
}

TEST(image_chain, a_migration_is_of_one_session) /* IM-14 */
{
    struct svmc_image_config config;
    struct svmc_image_name name;

    migrate();
    config = image_lab_reader(&lab);
    config.session = other_session;
    CHECK_EQ(load(0, &config, &name), SVMC_IMAGE_WRONG_SESSION, "an old migration again");
    config.session = NULL;
    CHECK_EQ(load(0, &config, &name), SVMC_IMAGE_WRONG_SESSION, "a round is no saved image");
    config = image_lab_config(&lab, SVMC_IMAGE_WHOLE);
    save(0, &config);
    config = image_lab_reader(&lab);
    config.session = session;
    CHECK_EQ(load(0, &config, &name), SVMC_IMAGE_WRONG_SESSION, "a saved image is no round");
    config = image_lab_config(&lab, SVMC_IMAGE_ROUND);
    CHECK_EQ(image_lab_save(&lab, &config, row[0].bytes, &row[0].n, &name),
             SVMC_IMAGE_WRONG_SESSION);
}

TEST(image_chain, nothing_follows_the_last_round) /* IM-14 */
{
    struct svmc_image_config config;
    struct svmc_image_name name;

    migrate();
    config = image_lab_config(&lab, SVMC_IMAGE_ROUND);
    config.session = session;
    config.parent = &row[CHAIN - 1].name;
    CHECK_EQ(image_lab_save(&lab, &config, row[0].bytes, &row[0].n, &name),
             SVMC_IMAGE_WRONG_PARENT);
    config.parent = &row[1].name;
    config.kind = SVMC_IMAGE_DELTA;
    config.session = NULL;
    config.generation = 9;
    CHECK_EQ(image_lab_save(&lab, &config, row[0].bytes, &row[0].n, &name), SVMC_IMAGE_WRONG_PARENT,
             "a delta on a VM in flight");
    config.parent = &row[CHAIN - 1].name;
    CHECK_EQ(image_lab_save(&lab, &config, row[0].bytes, &row[0].n, &name), SVMC_IMAGE_NONE,
             "on one that has arrived");
}

TEST(image_chain, what_is_no_image_may_not_run) /* IM-16 */
{
    struct svmc_image_name name = { .kind = 0 };

    CHECK_EQ(svmc_image_may_run(NULL), 0);
    for (; name.kind < 300; name.kind++)
        CHECK_EQ(svmc_image_may_run(&name), name.kind == 1 || name.kind == 2 || name.kind == 4);
}

TEST(image_chain, a_writer_goes_on_with_its_own_image) /* IM-11: not with an older one of the VM */
{
    struct svmc_image_config config;
    uint8_t checkpoint[576];
    struct svmc_image image;
    uint64_t done;

    migrate();
    config = image_lab_config(&lab, SVMC_IMAGE_ROUND);
    config.session = session;
    config.parent = &row[0].name;
    CHECK_EQ(image_lab_begin(&lab, &config, &image, row[1].bytes), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_checkpoint(&image, 0, checkpoint), SVMC_IMAGE_NONE);
    CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    for (config.generation = 4; config.generation <= 6; config.generation++) {
        CHECK_EQ(svmc_image_resume(&image, &config, row[1].bytes, checkpoint, &done),
                 config.generation == 5 ? SVMC_IMAGE_NONE : SVMC_IMAGE_OLD);
        CHECK_EQ(svmc_image_drop(&image), SVMC_OK);
    }
    config.generation = 5;
    config.session = other_session;
    CHECK_EQ(svmc_image_resume(&image, &config, row[1].bytes, checkpoint, &done),
             SVMC_IMAGE_WRONG_SESSION);
    config.session = session;
    config.parent = &row[1].name;
    CHECK_EQ(svmc_image_resume(&image, &config, row[1].bytes, checkpoint, &done),
             SVMC_IMAGE_WRONG_ROUND);
}

/* A round of the same number and session by another sender: a VM that was cloned. */
TEST(image_chain, two_senders_do_not_mix) /* IM-14 */
{
    struct svmc_image_config config;
    struct svmc_image_name name, first;

    migrate();
    first = row[0].name;
    config = image_lab_config(&lab, SVMC_IMAGE_ROUND);
    config.session = session;
    save(0, &config);
    config.parent = &row[0].name;
    save(1, &config);
    config = image_lab_reader(&lab);
    config.session = session;
    config.parent = &first;
    CHECK_EQ(load(1, &config, &name), SVMC_IMAGE_WRONG_PARENT);
    config.parent = &row[0].name;
    CHECK_EQ(load(1, &config, &name), SVMC_IMAGE_NONE);
}
