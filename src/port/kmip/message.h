/* SPDX-License-Identifier: MIT */
/** The one question that is asked of a KMIP server, and its answer. No OpenSSL in here. */
#ifndef KMIP_MESSAGE_H
#define KMIP_MESSAGE_H
#include <svmcore/provider.h>

#define KMIP_ASK_BYTES    512u  /* the longest question */
#define KMIP_ANSWER_BYTES 8192u /* the longest answer that is taken */

/** KM-3: Get Attributes and Get of one key, in one message. @return its bytes; 0: no room. */
size_t svmc_kmip_ask(uint8_t *out, size_t room, const uint8_t *id, size_t id_bytes);

/**
 * KM-2: how long an answer is, by its first 8 bytes.
 *
 * @return SVMC_FETCH_NONE and *bytes, at most KMIP_ANSWER_BYTES; SVMC_FETCH_FORMAT; _TOO_LONG.
 */
enum svmc_fetch_reason svmc_kmip_length(const uint8_t head[8], size_t *bytes);

/** KM-4: read an answer. @return SVMC_FETCH_NONE: what it says is in *a, to be judged. */
enum svmc_fetch_reason svmc_kmip_answer(const uint8_t *at, size_t n,
                                        struct svmc_provider_answer *a);

#endif
