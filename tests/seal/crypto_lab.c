/* SPDX-License-Identifier: MIT */
#include "crypto_lab.h"

bool crypto_lab_fails(struct crypto_lab *c)
{
    return c->is_quick && __atomic_add_fetch(&c->calls, 1, __ATOMIC_RELAXED) == c->fail_at;
}

static const struct svmc_crypto_ops *of(const struct crypto_lab *c)
{
    return c->is_quick ? &c->toy.ops : &c->fake.ops;
}

static enum svmc_status give_random(void *ctx, void *dst, size_t n)
{
    struct crypto_lab *c = ctx;

    return crypto_lab_fails(c) ? SVMC_ERR_CALLBACK : c->fake.ops.random(&c->fake, dst, n);
}

static enum svmc_status equal(void *ctx, const void *a, const void *b, size_t n)
{
    struct crypto_lab *c = ctx;

    return c->fake.ops.equal(&c->fake, a, b, n);
}

static void wipe(void *ctx, void *dst, size_t n)
{
    (void)ctx;
    memset(dst, 0, n);
}

static enum svmc_status load(void *ctx, struct svmc_cipher_key *key, uint32_t alg,
                             const uint8_t *bytes, uint32_t lanes)
{
    struct crypto_lab *c = ctx;

    return crypto_lab_fails(c) ? SVMC_ERR_CALLBACK
                               : of(c)->cipher_load(of(c)->ctx, key, alg, bytes, lanes);
}

static void drop(void *ctx, struct svmc_cipher_key *key)
{
    const struct svmc_crypto_ops *ops = of(ctx);

    ops->cipher_drop(ops->ctx, key);
}

static enum svmc_status seal(void *ctx, struct svmc_cipher_key *key,
                             const struct svmc_cipher_unit *u)
{
    struct crypto_lab *c = ctx;

    if (crypto_lab_fails(c)) /* the nonce is used all the same */
        c->toy.fail_at = c->toy.calls + 1;
    return of(c)->seal(of(c)->ctx, key, u);
}

static enum svmc_status open_unit(void *ctx, struct svmc_cipher_key *key,
                                  const struct svmc_cipher_unit *u)
{
    struct crypto_lab *c = ctx;

    return crypto_lab_fails(c) ? SVMC_ERR_CALLBACK : of(c)->open(of(c)->ctx, key, u);
}

static enum svmc_status crypt(void *ctx, struct svmc_cipher_key *key,
                              const struct svmc_cipher_unit *u, uint32_t encrypt)
{
    struct crypto_lab *c = ctx;

    return crypto_lab_fails(c) ? SVMC_ERR_CALLBACK : of(c)->crypt(of(c)->ctx, key, u, encrypt);
}

static enum svmc_status derive(void *ctx, uint32_t alg, const uint8_t *key,
                               const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    struct crypto_lab *c = ctx;

    return crypto_lab_fails(c) ? SVMC_ERR_CALLBACK
                               : c->fake.ops.derive(&c->fake, alg, key, piece, pieces, out);
}

void crypto_lab_init(struct crypto_lab *c)
{
    memset(c, 0, sizeof *c);
    fake_crypto_init(&c->fake);
    toy_init(&c->toy);
    c->ops = (struct svmc_crypto_ops){
        .size = sizeof c->ops,
        .ctx = c,
        .random = give_random,
        .equal = equal,
        .wipe = wipe,
        .cipher_load = load,
        .cipher_drop = drop,
        .seal = seal,
        .open = open_unit,
        .crypt = crypt,
        .derive = derive,
    };
}
