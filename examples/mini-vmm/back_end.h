/* SPDX-License-Identifier: MIT */
/** The cryptography of this build. NULL: none. */
#ifndef BACK_END_H
#define BACK_END_H
#include <svmcore/crypto.h>

struct vcpu;

/** OpenSSL, which has AES-XTS, or else libsodium; and libsodium alone, for tokens. */
const struct svmc_crypto_ops *dma_back_end(void);
const struct svmc_crypto_ops *tokens_back_end(void);

/** The same with random numbers that go on the tape: of the vCPU that was named last. --tokens and
 *  --dma are of one. */
struct svmc_crypto_ops back_end_taped(const struct svmc_crypto_ops *from);
void back_end_draw_for(struct vcpu *v);

#endif
