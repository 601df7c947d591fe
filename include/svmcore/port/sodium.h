/* SPDX-License-Identifier: MIT */
/** The default back end of svmcore/crypto.h: libsodium. Hosted; an archive of its own. */
#ifndef SVMCORE_PORT_SODIUM_H
#define SVMCORE_PORT_SODIUM_H
#include "../config.h"
#include "../crypto.h"
#ifdef __cplusplus
extern "C" {
#endif

/**
 * libsodium behind the table of svmcore/crypto.h: all but AES-256-XTS, and AES-256-GCM only where
 * the processor has AES (svmc_crypto_try says so). A loaded key lies in its room alone;
 * what libsodium's AES-GCM leaves in dead frames of a stack, sodium_stackzero() of the thread that
 * sealed wipes.
 *
 * Owns:    the table is constant and lives as long as the program.
 * State:   the first call initialises libsodium; each call holds it against the published
 *          vectors (some microseconds), so ask once and keep the answer.
 * Threads: any.
 *
 * @return the table; NULL if libsodium cannot be initialised or fails the self-test: then there is
 *         no cryptography, and there is nothing to go on with.
 */
SVMC_API SVMC_NODISCARD const struct svmc_crypto_ops *svmc_sodium_ops(void);

#ifdef __cplusplus
}
#endif
#endif
