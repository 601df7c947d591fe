/* SPDX-License-Identifier: MIT */
/**
 * A crypto back end for tests: plain BLAKE2b and SHA-256 straight from RFC 7693 and FIPS 180-4, and
 * the ciphers of cipher.h, so that what it gives is real on every processor. Every call is counted;
 * the k-th can fail or lie.
 */
#ifndef FAKEHOST_CRYPTO_H
#define FAKEHOST_CRYPTO_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <svmcore/crypto.h>

struct fake_crypto {
    struct svmc_crypto_ops ops; /* its ctx is this struct */
    unsigned calls;             /* that can fail, so far */
    unsigned fail_at;           /* 1-based number of the call that fails; 0: none */
    unsigned lie_at;            /* the same for a call that answers wrongly */
    unsigned lied;              /* lies told: not every function can */
    enum svmc_status failure;   /* what it fails with */
    int open;                   /* hashes begun and not ended */
    int loaded;                 /* keys loaded and not dropped */
    uint32_t lacks;             /* an algorithm that it does not have */
    bool leaks;                 /* leaves the text where a tag is wrong */
    unsigned given_up;          /* ended without an output */
    uint8_t counter;            /* "random" */
};

void fake_crypto_init(struct fake_crypto *fake);

/** BLAKE2b of any length of output and key up to 64. */
void fake_blake2b(uint8_t *out, size_t out_bytes, const uint8_t *key, size_t key_bytes,
                  const uint8_t *in, size_t n);

#endif
