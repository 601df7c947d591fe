/* SPDX-License-Identifier: MIT */
/**
 * Ciphers for tests, slow and straight from their documents, so that what is sealed on every
 * processor is real: AES-256 (FIPS 197) in GCM (SP 800-38D) and XTS (IEEE 1619), ChaCha20-Poly1305
 * (RFC 8439) and with XChaCha's nonce (draft-irtf-cfrg-xchacha-03).
 */
#ifndef FAKEHOST_CIPHER_H
#define FAKEHOST_CIPHER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <svmcore/crypto.h>

struct fake_cipher {
    uint32_t alg, lanes;
    uint8_t key[64];
};

/** in to out, and the tag of the ciphertext, which is what `seal` made of in, or else in. */
void fake_aead(const struct fake_cipher *c, const struct svmc_cipher_unit *u, bool seal,
               uint8_t tag[16]);
void fake_xts(const struct fake_cipher *c, const struct svmc_cipher_unit *u, bool encrypt);

#endif
