/* SPDX-License-Identifier: MIT */
/** BLAKE2b of RFC 7693 with any length of output: OpenSSL 3.0 gives a hash of 64 bytes only. */
#ifndef PORT_OPENSSL_BLAKE2B_H
#define PORT_OPENSSL_BLAKE2B_H
#include <stddef.h>
#include <stdint.h>

struct openssl_blake2b {
    uint64_t chain[8], bytes; /* compressed so far */
    uint32_t fill, out_bytes;
    uint8_t block[128];
};

/** key may be NULL with key_bytes 0; both lengths up to 64. */
void svmc_openssl_blake2b_begin(struct openssl_blake2b *s, const uint8_t *key, size_t key_bytes,
                                size_t out_bytes);
void svmc_openssl_blake2b_add(struct openssl_blake2b *s, const void *bytes, size_t n);
/** out[out_bytes of the begin]; the state is left for the caller to wipe. */
void svmc_openssl_blake2b_end(struct openssl_blake2b *s, uint8_t *out);

#endif
