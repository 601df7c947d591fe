/* SPDX-License-Identifier: MIT */
/** Cryptography: libsodium and OpenSSL, where the build has them. */
#include "dma.h"
#include "tokens.h"

#ifdef MINI_VMM_SODIUM
#include <svmcore/port/sodium.h>
#endif
#ifdef MINI_VMM_OPENSSL
#include <svmcore/port/openssl.h>
#endif

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
