/* SPDX-License-Identifier: MIT */
/** Cryptography: libsodium and OpenSSL, where the build has them. */
#include "back_end.h"

#include "embed.h"

#ifdef MINI_VMM_SODIUM
#include <svmcore/port/sodium.h>
#endif
#ifdef MINI_VMM_OPENSSL
#include <svmcore/port/openssl.h>
#endif

static struct vcpu *drawer;

const struct svmc_crypto_ops *tokens_back_end(void)
{
#ifdef MINI_VMM_SODIUM
    return svmc_sodium_ops();
#else
    return NULL;
#endif
}

/* OpenSSL first: it has AES-XTS. */
const struct svmc_crypto_ops *dma_back_end(void)
{
#ifdef MINI_VMM_OPENSSL
    return svmc_openssl_ops();
#else
    return tokens_back_end();
#endif
}

/* In pieces that a tape has. */
static enum svmc_status draw(void *ctx, void *dst, size_t n)
{
    enum svmc_status st = SVMC_OK;

    (void)ctx;
    for (size_t at = 0, some; at < n && st == SVMC_OK; at += some) {
        some = n - at < 64 ? n - at : 64;
        st = embed_ops.random(drawer, (uint8_t *)dst + at, some);
    }
    return st;
}

void back_end_draw_for(struct vcpu *v)
{
    drawer = v;
}

struct svmc_crypto_ops back_end_taped(const struct svmc_crypto_ops *from)
{
    struct svmc_crypto_ops ops = *from;

    ops.random = draw;
    return ops;
}
