/* SPDX-License-Identifier: MIT */
/** Cryptography: libsodium, where the build has it. */
#include "tokens.h"

#ifdef MINI_VMM_SODIUM
#include <svmcore/port/sodium.h>
#endif

const struct svmc_crypto_ops *tokens_back_end(void)
{
#ifdef MINI_VMM_SODIUM
    return svmc_sodium_ops();
#else
    return NULL;
#endif
}
