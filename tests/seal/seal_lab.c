/* SPDX-License-Identifier: MIT */
#include "seal_lab.h"

const uint8_t seal_lab_vm[SVMC_VM_ID_BYTES] = "virtual machine";
const uint8_t seal_lab_other_vm[SVMC_VM_ID_BYTES] = "another machine";

/* ---- the table: whichever of the two ---------------------------------------------------------*/

static const struct svmc_crypto_ops *ciphers(void *ctx)
{
    struct seal_lab *lab = ctx;

    return lab->quick ? &lab->toy.ops : &lab->fake.ops;
}

static enum svmc_status give_random(void *ctx, void *dst, size_t n)
{
    struct seal_lab *lab = ctx;

    return lab->fake.ops.random(&lab->fake, dst, n);
}

static enum svmc_status equal(void *ctx, const void *a, const void *b, size_t n)
{
    struct seal_lab *lab = ctx;

    return lab->fake.ops.equal(&lab->fake, a, b, n);
}

static void wipe(void *ctx, void *dst, size_t n)
{
    (void)ctx;
    memset(dst, 0, n);
}

static enum svmc_status load(void *ctx, struct svmc_cipher_key *key, uint32_t alg,
                             const uint8_t *bytes, uint32_t lanes)
{
    return ciphers(ctx)->cipher_load(ciphers(ctx)->ctx, key, alg, bytes, lanes);
}

static void drop(void *ctx, struct svmc_cipher_key *key)
{
    ciphers(ctx)->cipher_drop(ciphers(ctx)->ctx, key);
}

static enum svmc_status seal(void *ctx, struct svmc_cipher_key *key,
                             const struct svmc_cipher_unit *u)
{
    return ciphers(ctx)->seal(ciphers(ctx)->ctx, key, u);
}

static enum svmc_status open_unit(void *ctx, struct svmc_cipher_key *key,
                                  const struct svmc_cipher_unit *u)
{
    return ciphers(ctx)->open(ciphers(ctx)->ctx, key, u);
}

static enum svmc_status derive(void *ctx, uint32_t alg, const uint8_t *key,
                               const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    struct seal_lab *lab = ctx;

    return lab->fake.ops.derive(&lab->fake, alg, key, piece, pieces, out);
}

/* ---- a VM ------------------------------------------------------------------------------------*/

struct svmc_sealer_config seal_lab_config(struct seal_lab *lab, uint32_t alg)
{
    return (struct svmc_sealer_config){ .crypto = &lab->ops,
                                        .slots = &lab->ks,
                                        .key = &lab->key,
                                        .domain = 7,
                                        .protect = SVMC_PROTECT_ALL,
                                        .alg = alg };
}

void seal_lab_init(struct seal_lab *lab, uint32_t alg, bool quick)
{
    const struct svmc_keyslots_config pool = { .crypto = &lab->ops,
                                               .slots = SEAL_LAB_SLOTS,
                                               .lanes = SEAL_LAB_LANES };
    struct svmc_sealer_config config = seal_lab_config(lab, alg);

    memset(lab, 0, sizeof *lab);
    fake_crypto_init(&lab->fake);
    toy_init(&lab->toy);
    lab->ops = (struct svmc_crypto_ops){
        .size = sizeof lab->ops,
        .ctx = lab,
        .random = give_random,
        .equal = equal,
        .wipe = wipe,
        .cipher_load = load,
        .cipher_drop = drop,
        .seal = seal,
        .open = open_unit,
        .derive = derive,
    };
    REQUIRE(svmc_keyarena_init(&lab->arena, &lab->ops, lab->keys, sizeof lab->keys) == SVMC_OK);
    REQUIRE(svmc_vmkey_create(&lab->key, &lab->arena, seal_lab_vm, SVMC_ALG_DERIVE_BLAKE2B) ==
            SVMC_OK);
    REQUIRE(svmc_vmkey_create(&lab->other, &lab->arena, seal_lab_other_vm,
                              SVMC_ALG_DERIVE_BLAKE2B) == SVMC_OK);
    REQUIRE(svmc_keyslots_init(&lab->ks, &pool, lab->pool, sizeof lab->pool) == SVMC_OK);
    REQUIRE(svmc_sealer_init(&lab->sealer, &config) == SVMC_OK);
    lab->quick = quick;
}

bool seal_lab_is_zero(const void *at, size_t n)
{
    const uint8_t *p = at;

    while (n > 0 && p[n - 1] == 0)
        n--;
    return n == 0;
}

bool seal_lab_is_empty(const struct seal_lab *lab)
{
    return lab->fake.loaded == 0 && lab->toy.loaded == 0 &&
           seal_lab_is_zero(lab->ks.priv.room, SEAL_LAB_SLOTS * sizeof(struct svmc_cipher_key));
}
