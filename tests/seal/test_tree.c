/* SPDX-License-Identifier: MIT */
/* docs/spec/seal.md, the tree of counters: what it says beside an array, each node given back older
   or changed, a call that fails at every place. */
#include "../../src/core/bytes.h"
#include "seal_lab.h"

#include <stdlib.h>
#include <svmcore/seal_tree.h>

enum { LEAVES = 32 * 32 + 40, NODES = 34 + 2 + 1, NODE = SVMC_TREE_NODE_BYTES };

static struct seal_lab lab;
static struct svmc_tree tree;
static uint8_t nodes[NODES][NODE], before[NODES][NODE];
static uint8_t scratch[SVMC_TREE_LEVELS_MAX * NODE];
static uint64_t truth[LEAVES];

/* ---- who looks whether a nonce comes twice ---------------------------------------------------*/

enum { SEEN = 1 << 16 };
static uint64_t seen[SEEN];
static unsigned twice;

static void record(const uint8_t *key, const uint8_t *nonce)
{
    uint64_t sum = core_load_le64(key), at;

    sum ^= harness_random(&(uint64_t){ core_load_le64(nonce) });
    sum += harness_random(&(uint64_t){ core_load_le32(nonce + 8) });
    sum = harness_random(&sum) | 1;
    for (at = sum % SEEN; seen[at] != 0 && seen[at] != sum; at = (at + 1) % SEEN)
        ;
    twice += seen[at] == sum;
    seen[at] = sum;
}

static struct svmc_tree_config config_of(void)
{
    return (struct svmc_tree_config){ .sealer = &lab.sealer,
                                      .leaves = LEAVES,
                                      .nodes = nodes,
                                      .node_bytes = sizeof nodes,
                                      .scratch = scratch };
}

static void begin(void)
{
    struct svmc_tree_config config = config_of();

    seal_lab_init(&lab, SVMC_ALG_AES_256_GCM, true);
    lab.crypto.toy.sealed = record;
    memset(seen, 0, sizeof seen);
    twice = 0;
    memset(nodes, 0xee, sizeof nodes); /* what was never written is not looked at */
    memset(truth, 0, sizeof truth);
    REQUIRE(svmc_tree_init(&tree, &config) == SVMC_SEAL_NONE);
}

static enum svmc_seal_reason set(uint64_t leaf, uint64_t value)
{
    enum svmc_seal_reason why = svmc_tree_set(&tree, 1, leaf, value);

    if (why == SVMC_SEAL_NONE)
        truth[leaf] = value;
    return why;
}

static bool holds(uint64_t leaf)
{
    uint64_t value = 99;

    return svmc_tree_get(&tree, 2, leaf, &value) == SVMC_SEAL_NONE && value == truth[leaf];
}

static bool is_refused(uint64_t leaf)
{
    uint64_t value = 99;

    return svmc_tree_get(&tree, 2, leaf, &value) == SVMC_SEAL_TAG && value == 0 &&
           svmc_tree_set(&tree, 2, leaf, 1) == SVMC_SEAL_TAG;
}

TEST(tree, its_nodes_are_counted) /* SE-29 */
{
    static const struct {
        uint64_t leaves, nodes;
    } rows[] = {
        { 0, 0 },
        { 1, 1 },
        { 32, 1 },
        { 33, 3 },
        { 1024, 33 },
        { 1025, 33 + 3 },
        { LEAVES, NODES },
        { 1 << 20, 32768 + 1024 + 32 + 1 },
        { SVMC_TREE_LEAVES_MAX + 1, 0 },
        { UINT64_MAX, 0 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK_EQ(svmc_tree_node_bytes(rows[i].leaves), rows[i].nodes * NODE, "%u", i);
}

TEST(tree, it_is_set_up_of_what_there_is) /* SE-29 SE-32 */
{
    struct svmc_tree_config good, c;
    struct svmc_tree_root root;
    struct svmc_tree t;
    uint64_t value;

    begin();
    svmc_tree_save(&tree, &root);
    good = config_of();
#define IMPOSSIBLE(member, value)                                          \
    do {                                                                   \
        c = good;                                                          \
        c.member = value;                                                  \
        memset(&t, 0xa5, sizeof t);                                        \
        CHECK_EQ(svmc_tree_init(&t, &c), SVMC_SEAL_RANGE, #member);        \
        CHECK(seal_lab_is_zero(&t, sizeof t), #member);                    \
        CHECK_EQ(svmc_tree_load(&t, &c, &root), SVMC_SEAL_RANGE, #member); \
    } while (0)
    IMPOSSIBLE(sealer, NULL);
    IMPOSSIBLE(nodes, NULL);
    IMPOSSIBLE(scratch, NULL);
    IMPOSSIBLE(leaves, 0);
    IMPOSSIBLE(leaves, SVMC_TREE_LEAVES_MAX + 1);
    IMPOSSIBLE(node_bytes, sizeof nodes - 1);
#undef IMPOSSIBLE
    CHECK_EQ(svmc_tree_init(NULL, &good), SVMC_SEAL_RANGE);
    CHECK_EQ(svmc_tree_init(&t, NULL), SVMC_SEAL_RANGE);
    CHECK_EQ(svmc_tree_load(&t, &good, NULL), SVMC_SEAL_RANGE);
    CHECK_EQ(svmc_tree_load(NULL, &good, &root), SVMC_SEAL_RANGE);
    CHECK_EQ(svmc_tree_get(NULL, 0, 0, &value), SVMC_SEAL_RANGE);
    CHECK_EQ(svmc_tree_get(&tree, 0, 0, NULL), SVMC_SEAL_RANGE);
    CHECK_EQ(svmc_tree_get(&tree, 0, LEAVES, &value), SVMC_SEAL_RANGE);
    CHECK_EQ(svmc_tree_get(&tree, 0, UINT64_MAX, &value), SVMC_SEAL_RANGE);
    CHECK_EQ(svmc_tree_set(NULL, 0, 0, 1), SVMC_SEAL_RANGE);
    CHECK_EQ(svmc_tree_set(&tree, 0, LEAVES, 1), SVMC_SEAL_RANGE);
    lab.crypto.fake.fail_at = lab.crypto.fake.calls + 1;
    CHECK_EQ(svmc_tree_init(&t, &good), SVMC_SEAL_CRYPTO);
    CHECK(seal_lab_is_zero(&t, sizeof t));
    svmc_sealer_key(&lab.sealer, SVMC_KEY_DESTROYED, 15);
    CHECK_EQ(svmc_tree_get(&tree, 0, 0, &value), SVMC_SEAL_KEY_STATE);
    CHECK_EQ(svmc_tree_drop(&tree), SVMC_OK);
    CHECK_EQ(svmc_tree_drop(&tree), SVMC_OK); /* {0} */
    CHECK_EQ(svmc_tree_drop(NULL), SVMC_ERR_ARG);
    CHECK(seal_lab_is_empty(&lab));
    svmc_tree_save(NULL, &root);
    CHECK(seal_lab_is_zero(&root, sizeof root));
    svmc_tree_save(&tree, NULL);
}

TEST(tree, it_holds_what_was_set) /* SE-30 SE-31 */
{
    uint64_t random = harness_seed();

    begin();
    for (uint64_t leaf = 0; leaf < LEAVES; leaf += 7)
        CHECK(holds(leaf));
    for (unsigned i = 0; i < 600; i++)
        CHECK_EQ(set(harness_random(&random) % LEAVES, harness_random(&random)), SVMC_SEAL_NONE);
    CHECK_EQ(set(0, 1), SVMC_SEAL_NONE);
    CHECK_EQ(set(LEAVES - 1, UINT64_MAX), SVMC_SEAL_NONE);
    for (uint64_t leaf = 0; leaf < LEAVES; leaf++)
        CHECK(holds(leaf), "%" PRIu64, leaf);
    CHECK_EQ(twice, 0);
}

TEST(tree, a_node_is_a_unit_of_the_sealer) /* SE-29 */
{
    struct svmc_sealed_unit u;
    uint8_t text[256], tag[16];

    begin();
    CHECK_EQ(set(1, 5), SVMC_SEAL_NONE);
    CHECK_EQ(set(70, 0x1122334455667788), SVMC_SEAL_NONE);
    memcpy(tag, nodes[2] + 256, 16); /* leaves 64 to 95 */
    u = (struct svmc_sealed_unit){
        .number = 2, .version = 2, .in = nodes[2], .out = text, .bytes = 256, .tag = tag
    };
    CHECK_EQ(svmc_open_unit(&lab.sealer, 0, &tree.priv.use, &u), SVMC_SEAL_NONE);
    CHECK_EQ(core_load_le64(text + 6 * 8), 0x1122334455667788);
    memcpy(tag, nodes[34] + 256, 16); /* the first of level 1 */
    u.number = (uint64_t)1 << 36;
    u.in = nodes[34];
    CHECK_EQ(svmc_open_unit(&lab.sealer, 0, &tree.priv.use, &u), SVMC_SEAL_NONE);
    CHECK_EQ(core_load_le64(text), 1);
    CHECK_EQ(core_load_le64(text + 2 * 8), 2);
    memcpy(tag, nodes[36] + 256, 16); /* the top */
    u.number = (uint64_t)2 << 36;
    u.in = nodes[36];
    CHECK_EQ(svmc_open_unit(&lab.sealer, 0, &tree.priv.use, &u), SVMC_SEAL_NONE);
    CHECK_EQ(core_load_le64(text), 2);
}

TEST(tree, an_older_node_is_refused) /* SE-30 SE-31 */
{
    static const unsigned way[] = { 2, 34, 36 };

    begin();
    CHECK_EQ(set(70, 1), SVMC_SEAL_NONE);
    CHECK_EQ(set(700, 1), SVMC_SEAL_NONE);
    memcpy(before, nodes, sizeof nodes);
    CHECK_EQ(set(70, 2), SVMC_SEAL_NONE);
    for (unsigned some = 1; some < 8; some++) { /* any of them, also the whole way */
        uint8_t now[NODES][NODE];

        memcpy(now, nodes, sizeof now);
        for (unsigned i = 0; i < 3; i++)
            if (some & 1u << i)
                memcpy(nodes[way[i]], before[way[i]], NODE);
        CHECK(is_refused(70), "%u", some);
        CHECK_EQ(is_refused(700), (some & 6) != 0, "%u", some); /* another bottom */
        memcpy(nodes, now, sizeof now);
        CHECK(holds(70) && holds(700), "%u", some);
    }
    memcpy(before[0], nodes[2], NODE); /* another place */
    memcpy(nodes[2], nodes[21], NODE);
    CHECK(is_refused(70));
    memcpy(nodes[2], before[0], NODE);
    for (unsigned bit = 0; bit < NODE * 8; bit++)
        for (unsigned i = 0; i < 3; i++) {
            nodes[way[i]][bit / 8] ^= (uint8_t)(1u << bit % 8);
            CHECK(is_refused(70), "%u", bit);
            nodes[way[i]][bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    CHECK(holds(70));
}

TEST(tree, a_call_that_fails_changes_nothing) /* SE-31 */
{
    uint64_t value;

    begin();
    for (uint64_t i = 0; i < 12; i++)
        CHECK_EQ(set(i * 90, i), SVMC_SEAL_NONE);
    memcpy(before, nodes, sizeof nodes);
    for (unsigned k = 1; k <= 6; k++) {
        lab.crypto.toy.fail_at = lab.crypto.toy.calls + k;
        CHECK_EQ(set(90, 77), SVMC_SEAL_CRYPTO, "%u", k);
        CHECK_MEM(nodes, before, sizeof nodes, "%u", k);
        CHECK(holds(90) && holds(180), "%u", k);
    }
    lab.crypto.toy.fail_at = lab.crypto.toy.calls + 2;
    CHECK_EQ(svmc_tree_get(&tree, 0, 90, &value), SVMC_SEAL_CRYPTO);
    CHECK_EQ(value, 0);
    CHECK_EQ(set(90, 78), SVMC_SEAL_NONE);
    CHECK(holds(90));
    CHECK_EQ(twice, 0);
}

TEST(tree, a_tree_that_was_written_is_read) /* SE-32 SE-6 */
{
    struct svmc_tree_config config = config_of();
    struct svmc_tree_root root, wrong;
    uint64_t value;

    begin();
    for (uint64_t i = 0; i < 12; i++)
        CHECK_EQ(set(i * 90, i), SVMC_SEAL_NONE);
    svmc_tree_save(&tree, &root);
    CHECK_EQ(root.version, 12);
    CHECK_EQ(svmc_tree_drop(&tree), SVMC_OK);
    CHECK_EQ(svmc_sealer_renew(&lab.sealer), SVMC_OK); /* another epoch: a restart */
    CHECK_EQ(svmc_tree_load(&tree, &config, &root), SVMC_SEAL_NONE);
    for (uint64_t leaf = 0; leaf < LEAVES; leaf++)
        CHECK(holds(leaf));
    CHECK_EQ(set(0, 1), SVMC_SEAL_STATE);
    for (unsigned i = 0; i < 4; i++) {
        wrong = root;
        wrong.version -= i == 0;
        wrong.version += i == 1;
        wrong.id.index += i == 2;
        wrong.id.epoch[3] ^= i == 3;
        CHECK_EQ(svmc_tree_drop(&tree), SVMC_OK);
        CHECK_EQ(svmc_tree_load(&tree, &config, &wrong), SVMC_SEAL_NONE);
        CHECK_EQ(svmc_tree_get(&tree, 0, 0, &value), SVMC_SEAL_TAG, "%u", i);
    }
    wrong = root;
    wrong.alg = SVMC_ALG_AES_256_XTS;
    CHECK_EQ(svmc_tree_drop(&tree), SVMC_OK);
    CHECK_EQ(svmc_tree_load(&tree, &config, &wrong), SVMC_SEAL_ALG);
    CHECK(seal_lab_is_zero(&tree, sizeof tree));
}

/* A host puts any older nodes back, some of the time. SVMC_COUNT: how many steps. SE-30 SE-31 */
TEST(tree, histories_are_what_the_model_says)
{
    const char *text = getenv("SVMC_COUNT");
    unsigned count = text ? (unsigned)strtoul(text, NULL, 10) : 2500;
    uint64_t random = harness_seed();

    count = count < SEEN / 8 ? count : SEEN / 8; /* what `seen` has room for */
    begin();
    memcpy(before, nodes, sizeof nodes);
    for (unsigned step = 0; step < count; step++) {
        uint64_t leaf = harness_random(&random) % 8 * 150, value = 99;
        unsigned n = (unsigned)(harness_random(&random) % NODES);
        uint8_t was[NODE];
        bool changed;

        lab.crypto.toy.fail_at = harness_random(&random) % 13 == 0 ? lab.crypto.toy.calls + 3 : 0;
        if (harness_random(&random) % 2) {
            (void)set(leaf, harness_random(&random));
            CHECK(lab.crypto.toy.fail_at != 0 || holds(leaf), "%u", step);
            continue;
        }
        lab.crypto.toy.fail_at = 0;
        memcpy(was, nodes[n], NODE);
        memcpy(nodes[n], before[n], NODE);
        changed = memcmp(was, before[n], NODE) != 0;
        if (svmc_tree_get(&tree, 0, leaf, &value) == SVMC_SEAL_NONE)
            CHECK_EQ(value, truth[leaf], "%u", step); /* it is not on the way */
        else
            CHECK(changed && value == 0, "%u", step);
        memcpy(nodes[n], was, NODE);
        if (harness_random(&random) % 20 == 0)
            memcpy(before, nodes, sizeof nodes);
    }
    CHECK_EQ(twice, 0);
}
