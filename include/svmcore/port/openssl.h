/* SPDX-License-Identifier: MIT */
/** A back end of svmcore/crypto.h with AES-256-XTS: OpenSSL 3. Hosted; an archive of its own. */
#ifndef SVMCORE_PORT_OPENSSL_H
#define SVMCORE_PORT_OPENSSL_H
#include "../config.h"
#include "../crypto.h"
#ifdef __cplusplus
extern "C" {
#endif

/**
 * libcrypto's default provider behind the table of svmcore/crypto.h: all but XChaCha20-Poly1305.
 * BLAKE2b is the archive's own, for OpenSSL has it with 64 bytes only.
 *
 * A loaded key is two EVP contexts a lane on OpenSSL's heap, made by cipher_load and cleansed by
 * cipher_drop; the room in the caller's memory has only their addresses. Who wants them in memory
 * that is not swapped out calls mlockall(), or takes port/sodium for what it has. open decrypts
 * before it has the whole tag: what is in `out` during the call is not verified.
 *
 * Owns:    the table is constant and lives as long as the program.
 * State:   each call holds OpenSSL against the published vectors (below a millisecond), so ask once
 *          and keep the answer.
 * Threads: any.
 *
 * @return the table; NULL if OpenSSL lacks an algorithm or fails a vector.
 */
SVMC_API SVMC_NODISCARD const struct svmc_crypto_ops *svmc_openssl_ops(void);

#ifdef __cplusplus
}
#endif
#endif
