/* SPDX-License-Identifier: MIT */
/** What the files of this back end share. */
#ifndef PORT_OPENSSL_PRIVATE_H
#define PORT_OPENSSL_PRIVATE_H
#include <svmcore/port/openssl.h>

enum svmc_status svmc_openssl_load(void *ctx, struct svmc_cipher_key *key, uint32_t alg,
                                   const uint8_t *bytes, uint32_t lanes);
void svmc_openssl_drop(void *ctx, struct svmc_cipher_key *key);
enum svmc_status svmc_openssl_seal(void *ctx, struct svmc_cipher_key *key,
                                   const struct svmc_cipher_unit *u);
enum svmc_status svmc_openssl_open(void *ctx, struct svmc_cipher_key *key,
                                   const struct svmc_cipher_unit *u);
enum svmc_status svmc_openssl_crypt(void *ctx, struct svmc_cipher_key *key,
                                    const struct svmc_cipher_unit *u, uint32_t encrypt);

#endif
