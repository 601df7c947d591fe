/* SPDX-License-Identifier: MIT */
/*
 * The race of tests/checks/keyslot_race.c step by step, on one thread, the same on every processor:
 * built with KEYSLOT_STEPS, keyslot_step() is called between the two accesses of a hold, and of who
 * revokes, evicts or exchanges, whose order matters. There the other side does all that it does. No
 * key is seen that is wiped or another's. With KEYSLOT_REORDERED a hold loads the slot's word
 * before its marker is to be seen, as a processor may do without the fence: that has to be caught.
 */
#include "../../src/keyslot/sealing.h"
#include "../keyslot/keyslot_lab.h"

static struct toy toy;
static struct svmc_keyslots ks;
static _Alignas(64) uint8_t pool[8192];
static uint8_t key_bytes[64];
static svmc_key_handle slot[2]; /* they share one place in hardware */
static uint32_t kind, wrong, held, waited;

static void (*at_step)(void);

void keyslot_step(void)
{
    void (*now)(void) = at_step;

    at_step = NULL;
    if (now)
        now();
}

/* ---- what control does -----------------------------------------------------------------------*/

static enum svmc_keyslot_revoke how;

static void revoke(void)
{
    enum svmc_status st = svmc_keyslot_revoke(&ks, slot[0], how);

    CHECK(st == SVMC_OK || st == SVMC_ERR_BUSY);
    waited += st == SVMC_ERR_BUSY;
}

static void evict_it(void)
{
    enum svmc_status st = svmc_keyslot_bring(&ks, slot[1]);

    CHECK(st == SVMC_OK || st == SVMC_ERR_BUSY);
    waited += st == SVMC_ERR_BUSY;
}

/* Another key under the same handle. */
static void exchange(void)
{
    const struct svmc_keyslot_key key = { .domain = 0x3333333333333333,
                                          .alg = SVMC_ALG_AES_256_XTS,
                                          .unit_bytes = 64,
                                          .bytes = key_bytes };
    enum svmc_status st;

    memcpy(key_bytes, &key.domain, 8);
    st = svmc_keyslot_exchange(&ks, slot[0], &key);
    CHECK(st == SVMC_OK || st == SVMC_ERR_BUSY);
    waited += st == SVMC_ERR_BUSY;
    CHECK_EQ(svmc_keyslot_state(&ks, slot[0]), SVMC_KEYSLOT_ACTIVE);
}

/* ---- what a holder does ----------------------------------------------------------------------*/

/* A key in its room begins with the slot's owner, as load() and program() leave it. */
static void look(const struct svmc_keyslot_use *use)
{
    wrong += use->room->priv[0] != use->domain;
}

/* `inside`: what happens within the hold; `later`: while the key is used. */
static void hold(void (*inside)(void), void (*later)(void))
{
    struct svmc_keyslot_use use;

    at_step = inside;
    if (svmc_keyslot_hold(&ks, 0, slot[0], &use) == SVMC_OK) {
        held++;
        look(&use);
        if (later)
            later();
        look(&use);
    }
    at_step = NULL;
    svmc_keyslot_release(&ks, 0);
}

static struct svmc_keyslot_use kept;
static bool keeps;

/* Within control: the hold goes on when control has gone on. */
static void begin_hold(void)
{
    keeps = svmc_keyslot_hold(&ks, 1, slot[0], &kept) == SVMC_OK;
    held += keeps;
    if (keeps)
        look(&kept);
}

static void end_hold(void)
{
    if (keeps)
        look(&kept);
    keeps = false;
    svmc_keyslot_release(&ks, 1);
}

/* ---- the pool --------------------------------------------------------------------------------*/

static enum svmc_status load(void *ctx, struct svmc_cipher_key *key, uint32_t alg,
                             const uint8_t *bytes, uint32_t lanes)
{
    (void)ctx, (void)alg, (void)lanes;
    memcpy(&key->priv[0], bytes, 8);
    return SVMC_OK;
}

static void drop(void *ctx, struct svmc_cipher_key *key)
{
    (void)ctx;
    memset(key, 0, sizeof *key);
}

static enum svmc_status program(void *ctx, uint32_t place, const struct svmc_keyslot_key *key,
                                struct svmc_cipher_key *room)
{
    (void)ctx, (void)place;
    room->priv[0] = key->domain;
    return SVMC_OK;
}

static void evict(void *ctx, uint32_t place, struct svmc_cipher_key *room)
{
    (void)ctx, (void)place;
    memset(room, 0, sizeof *room);
}

static void start(void)
{
    static const struct svmc_keyslot_ops ops = { sizeof ops, 0, NULL, program, evict };
    const struct svmc_keyslots_config config = { .crypto = &toy.ops,
                                                 .ops = kind ? &ops : NULL,
                                                 .kind = kind,
                                                 .slots = 2,
                                                 .places = kind ? 1 : 2,
                                                 .lanes = 2 };

    toy_init(&toy);
    toy.ops.cipher_load = load;
    toy.ops.cipher_drop = drop;
    at_step = NULL;
    keeps = false;
    CHECK_EQ(svmc_keyslots_init(&ks, &config, pool, sizeof pool), SVMC_OK);
    for (uint32_t i = 0; i < 2; i++) {
        struct svmc_keyslot_key key = { .domain = 0x1111111111111111 * (i + 1),
                                        .alg = SVMC_ALG_AES_256_XTS,
                                        .unit_bytes = 64,
                                        .bytes = kind ? NULL : key_bytes };

        memcpy(key_bytes, &key.domain, 8);
        CHECK_EQ(svmc_keyslot_load(&ks, &key, &slot[i]), SVMC_OK);
    }
    if (kind)
        CHECK_EQ(svmc_keyslot_bring(&ks, slot[0]), SVMC_OK);
}

TEST(keyslot_steps, no_order_shows_a_wiped_key) /* KS-6 KS-7 KS-9 KS-10 KS-13 KS-21 */
{
    uint32_t orders = 0;

    for (kind = SVMC_KEYSLOT_SOFTWARE; kind <= SVMC_KEYSLOT_HARDWARE; kind++)
        for (unsigned action = 0; action < 3; action++) {
            void (*control)(void) = action < 2 ? revoke : kind ? evict_it : exchange;

            how = (enum svmc_keyslot_revoke)(action & 1);
            for (unsigned when = 0; when < 4; when++, orders++) {
                start();
                if (when == 0)
                    control();
                hold(when == 1 ? control : NULL, when == 2 ? control : NULL);
                if (when == 3)
                    control();
                if (action < 2) /* it ends, whoever held */
                    CHECK(svmc_keyslot_state(&ks, slot[0]) == SVMC_KEYSLOT_WIPED ||
                          svmc_keyslot_revoke(&ks, slot[0], how) == SVMC_OK);
            }
            start(); /* a hold within control: it goes on after control has looked */
            at_step = begin_hold;
            control();
            end_hold();
            orders++;
        }
    printf("%" PRIu32 " orders, %" PRIu32 " holds, %" PRIu32 " waited for: %" PRIu32
           " looks at a wrong key\n",
           orders, held, waited, wrong);
    CHECK(held != 0 && waited != 0);
#ifdef KEYSLOT_REORDERED
    CHECK(wrong != 0, "the detector does not see what it is there to see");
#else
    CHECK_EQ(wrong, 0);
#endif
}
