/* SPDX-License-Identifier: MIT */
/* A pool as bytes: tokens die, handles are not given out again, VMs open with a new generation. */
#include <svmcore/state.h>

#include "../../src/core/bytes.h"
#include "../harness.h"
#include "token_lab.h"

#define FRAME 16u

static struct token_lab lab, next, before;
static uint8_t saved[1024], again[1024];

static size_t save(const struct svmc_token_pool *pool, uint8_t *out)
{
    size_t len, need;

    CHECK_EQ(svmc_token_pool_save(pool, NULL, 0, &need), SVMC_ERR_FULL);
    CHECK_EQ(svmc_token_pool_save(pool, out, sizeof saved, &len), SVMC_OK);
    CHECK_EQ(len, need);
    return len;
}

/* A pool that knows nothing, with the lab's caller and grant. */
static void open_next(void)
{
    token_lab_open(&next);
    svmc_token_pool_drop(&next.pool);
    CHECK_EQ(svmc_token_pool_init(&next.pool, &next.config), SVMC_OK);
}

static enum svmc_status enrol(struct token_lab *in, struct svmc_token *out)
{
    return svmc_token_enrol(&in->pool, &in->caller, &in->grant, SVMC_OK, out);
}

TEST(token_state, a_token_dies_and_its_handle_is_not_another_ones) /* ST-13 ST-14 TK-1 TK-9 */
{
    struct svmc_token fresh, old;
    size_t len;

    token_lab_start(&lab);
    old = lab.token;
    len = save(&lab.pool, saved);
    for (unsigned i = 0; i + 16 <= len; i++) /* TK-14: and no tag is in the bytes */
        CHECK(memcmp(saved + i, old.tag, 16) != 0);
    open_next();
    CHECK_EQ(svmc_token_pool_load(&next.pool, saved, len), SVMC_OK);
    CHECK_EQ(save(&next.pool, again), len);
    CHECK_MEM(saved, again, len);
    CHECK_EQ(token_lab_check(&next, &next.caller, &old), SVMC_TOKEN_REFUSED);
    CHECK((next.why & SVMC_TOKEN_STALE) != 0 && (next.why & SVMC_TOKEN_UNKNOWN) == 0, "%x",
          next.why);
    CHECK_EQ(enrol(&next, &fresh), SVMC_ERR_STATE); /* its window is closed */
    CHECK_EQ(svmc_token_vm_open(&next.pool, LAB_VM, 9), SVMC_ERR_STATE);
    CHECK_EQ(svmc_token_vm_restore(&next.pool, LAB_VM, 1), SVMC_ERR_ARG); /* as it was */
    CHECK_EQ(svmc_token_vm_restore(&next.pool, LAB_VM, 2), SVMC_OK);
    CHECK_EQ(enrol(&next, &fresh), SVMC_ERR_STALE); /* of before the restore */
    next.caller.vm_generation = 2;
    for (unsigned i = 1; i < LAB_ENTRIES; i++) {
        CHECK_EQ(enrol(&next, &fresh), SVMC_OK, "%u", i);
        CHECK(fresh.handle != old.handle, "%u", i);
        if ((fresh.handle & 0xffff) == (old.handle & 0xffff))
            CHECK_EQ(fresh.handle >> 16, (old.handle >> 16) + 1);
        CHECK_EQ(token_lab_check(&next, &next.caller, &old), SVMC_TOKEN_REFUSED);
        CHECK_EQ(token_lab_walk(&next, &next.caller, &fresh), SVMC_TOKEN_ALLOWED);
    }
    CHECK_EQ(enrol(&next, &fresh), SVMC_ERR_FULL);
}

TEST(token_state, an_entry_that_is_used_up_stays_so) /* ST-14 TK-1 */
{
    struct svmc_token token;
    size_t len;

    token_lab_open(&lab);
    for (unsigned i = 0; i < 65535; i++) { /* the last one that was freed is the next */
        CHECK_EQ(enrol(&lab, &token), SVMC_OK);
        CHECK_EQ(token.handle & 0xffff, 1);
        CHECK_EQ(svmc_token_revoke(&lab.pool, token.handle), SVMC_OK);
    }
    len = save(&lab.pool, saved);
    open_next();
    CHECK_EQ(svmc_token_pool_load(&next.pool, saved, len), SVMC_OK);
    CHECK_EQ(svmc_token_vm_restore(&next.pool, LAB_VM, 2), SVMC_OK);
    next.caller.vm_generation = 2;
    for (unsigned i = 2; i < LAB_ENTRIES; i++) {
        CHECK_EQ(enrol(&next, &token), SVMC_OK);
        CHECK((token.handle & 0xffff) != 1);
    }
    CHECK_EQ(enrol(&next, &token), SVMC_ERR_FULL);
}

TEST(token_state, events_that_nobody_read_are_counted) /* ST-13 TK-15 */
{
    struct svmc_token_event event = { .kind = SVMC_TOKEN_EVENT_OWN };
    size_t len;

    token_lab_open(&lab);
    for (unsigned i = 0; i < 9; i++) /* six find room */
        (void)!svmc_token_report(&lab.pool, &event);
    len = save(&lab.pool, saved);
    open_next();
    CHECK_EQ(svmc_token_pool_load(&next.pool, saved, len), SVMC_OK);
    event = token_lab_event(&next);
    CHECK_EQ(event.kind, SVMC_TOKEN_EVENT_LOST);
    CHECK_EQ(event.what, 9);
    CHECK_EQ(token_lab_event(&next).kind, SVMC_TOKEN_EVENT_NONE);
}

/* As docs/spec/state.md has it, by hand. */
TEST(token_state, the_bytes) /* ST-1 ST-13 */
{
    /* the frame; lost, VMs, entries; the VMs with their generations; entries 1 to 3 */
    static const uint8_t want[] = { 'S',  'V',  'S',  'T',  1, 0, 4, 0, 70,   0,    0,    0,
                                    0,    0,    0,    0,    0, 0, 0, 0, 0,    0,    0,    0,
                                    2,    0,    0,    0,    3, 0, 0, 0, 0x11, 0x11, 0,    0,
                                    0,    0,    0,    0,    1, 0, 0, 0, 0,    0,    0,    0,
                                    8,    7,    6,    5,    4, 3, 2, 1, 0xf8, 0xf7, 0xf6, 0xf5,
                                    0xf4, 0xf3, 0xf2, 0xf1, 1, 0, 2, 0, 1,    0 };
    struct svmc_token token[4];

    token_lab_open(&lab);
    CHECK_EQ(svmc_token_vm_open(&lab.pool, 0x0102030405060708, 0xf1f2f3f4f5f6f7f8), SVMC_OK);
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(enrol(&lab, &token[i]), SVMC_OK);
    CHECK_EQ(svmc_token_revoke(&lab.pool, token[1].handle), SVMC_OK);
    CHECK_EQ(enrol(&lab, &token[3]), SVMC_OK);
    CHECK_EQ(save(&lab.pool, saved), sizeof want);
    CHECK_MEM(saved, want, sizeof want);
}

/* Refused with nothing changed, or a state that saves as the bytes are. */
static enum svmc_status load_hostile(const uint8_t *bytes, size_t len)
{
    enum svmc_status st = svmc_token_pool_load(&next.pool, bytes, len);

    if (st == SVMC_OK) {
        CHECK_EQ(save(&next.pool, again), len);
        CHECK_MEM(again, bytes, len);
    } else {
        CHECK_MEM(next.entries, before.entries, sizeof next.entries);
        CHECK_MEM(next.vms, before.vms, sizeof next.vms);
        CHECK_MEM(&next.pool, &before.pool, sizeof next.pool);
    }
    next = before;
    return st;
}

TEST(token_state, hostile_bytes) /* ST-2 ST-3 ST-13 ST-14 */
{
    struct svmc_token token;
    size_t len;

    token_lab_start(&lab);
    CHECK_EQ(svmc_token_vm_open(&lab.pool, 0x1112, 4), SVMC_OK);
    CHECK_EQ(enrol(&lab, &token), SVMC_OK);
    len = save(&lab.pool, saved);
    open_next();
    before = next;
    CHECK_EQ(load_hostile(saved, len), SVMC_OK);
    for (size_t cut = 0; cut < len; cut++)
        CHECK_EQ(load_hostile(saved, cut), SVMC_ERR_FORMAT, "%zu", cut);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        saved[bit / 8] ^= (uint8_t)(1u << bit % 8);
        (void)load_hostile(saved, len);
        saved[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    saved[4] = 2;
    CHECK_EQ(load_hostile(saved, len), SVMC_ERR_UNSUPPORTED);
    saved[4] = 1;
    saved[6] = SVMC_SAVED_VCPU;
    CHECK_EQ(load_hostile(saved, len), SVMC_ERR_PURPOSE);
    saved[6] = SVMC_SAVED_TOKENS;
    saved[FRAME + 16] ^= 3; /* 1111 becomes 1112: twice */
    CHECK_EQ(load_hostile(saved, len), SVMC_ERR_FORMAT);
    saved[FRAME + 16] ^= 3;
    saved[FRAME + 24] = 0; /* no generation */
    CHECK_EQ(load_hostile(saved, len), SVMC_ERR_FORMAT);
    saved[FRAME + 24] = 1;
    saved[len - 2] = saved[len - 1] = 0; /* an entry that was never used */
    CHECK_EQ(load_hostile(saved, len), SVMC_ERR_FORMAT);
}

TEST(token_state, pools_that_do_not_fit) /* ST-14 */
{
    struct svmc_token token;
    size_t len;

    token_lab_start(&lab);
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(enrol(&lab, &token), SVMC_OK);
    CHECK_EQ(svmc_token_vm_open(&lab.pool, 0x1112, 4), SVMC_OK);
    len = save(&lab.pool, saved);
    for (unsigned entries = 4; entries < 8; entries++)
        for (unsigned vms = 1; vms < 3; vms++) {
            open_next();
            next.pool.priv.config.entry_count = entries;
            next.pool.priv.config.vm_count = vms;
            before = next;
            CHECK_EQ(load_hostile(saved, len), entries < 6 || vms < 2 ? SVMC_ERR_FULL : SVMC_OK,
                     "%u, %u", entries, vms);
        }
    CHECK_EQ(svmc_token_pool_load(&lab.pool, saved, len), SVMC_ERR_STATE); /* it has tokens */
    CHECK_EQ(svmc_token_pool_load(NULL, saved, len), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_pool_load(&next.pool, NULL, len), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_pool_save(NULL, saved, 9, &len), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_pool_save(&lab.pool, NULL, 9, &len), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_pool_save(&lab.pool, saved, 9, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_pool_save(&lab.pool, saved, 9, &len), SVMC_ERR_FULL);
    svmc_token_pool_drop(&lab.pool);
    CHECK_EQ(svmc_token_pool_save(&lab.pool, saved, 9, &len), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_pool_load(&lab.pool, saved, 9), SVMC_ERR_ARG);
}
