/* SPDX-License-Identifier: MIT */
/**
 * Where keys come from: a callback table before each key service. It is asked, polled and called
 * off, and never waits. What it answers is checked by svmcore/key_cache.h before it is used.
 * Source: docs/spec/provider.md, rules PR-1 to PR-4.
 */
#ifndef SVMCORE_PROVIDER_H
#define SVMCORE_PROVIDER_H
#include <stddef.h>
#include <stdint.h>
#include "status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_KEY_NAME_BYTES_MAX 64u /* of what a service calls a key */
#define SVMC_KEY_MATERIAL_BYTES 64u /* room for what it answers */
#define SVMC_KEY_CHECK_BYTES    16u

/** A key's state, with the values of KMIP's State (KMIP 1.4, 9.1.3.2.18). */
enum svmc_key_state {
    SVMC_KEY_PRE_ACTIVE = 1,
    SVMC_KEY_ACTIVE = 2,
    SVMC_KEY_DEACTIVATED = 3, /* opens, seals no more */
    SVMC_KEY_COMPROMISED = 4,
    SVMC_KEY_DESTROYED = 5,
    SVMC_KEY_DESTROYED_COMPROMISED = 6
};

/** What a key may be used for, with the bits of KMIP's Cryptographic Usage Mask. */
#define SVMC_KEY_MAY_SEAL 0x4u /* Encrypt */
#define SVMC_KEY_MAY_OPEN 0x8u /* Decrypt */

/** What a key is for, with the values of KMIP's Cryptographic Algorithm. */
#define SVMC_KEY_FOR_AES 0x3u

/** Why there is no key. Pinned: appended, never renumbered. */
enum svmc_fetch_reason {
    SVMC_FETCH_NONE = 0,
    SVMC_FETCH_PENDING = 1, /* ABSENT: a fetch is open: park the vCPU, step, ask again */
    SVMC_FETCH_FULL = 2,    /* FULL: the cache has no entry left */

    /* what a provider says. CALLBACK: it may be there again, and a key that is held stays so */
    SVMC_FETCH_PROVIDER = 16,    /* its callback failed */
    SVMC_FETCH_UNREACHABLE = 17, /* no connection */
    SVMC_FETCH_RESET = 18,       /* the connection broke */
    SVMC_FETCH_DEADLINE = 19,    /* no answer in time */
    SVMC_FETCH_SERVICE = 20,     /* the service says that it failed */
    /* AUTH: the service is not the one it should be */
    SVMC_FETCH_TLS = 21,          /* no session, for another reason than those below */
    SVMC_FETCH_PEER = 22,         /* its certificate: another authority, another name */
    SVMC_FETCH_PEER_EXPIRED = 23, /* its certificate is not valid any more, or not yet */
    /* FORMAT: what it sent is no answer */
    SVMC_FETCH_FORMAT = 24,
    SVMC_FETCH_CUT = 25,      /* it ends too early */
    SVMC_FETCH_TOO_LONG = 26, /* longer than the provider takes */
    /* REFUSED: the service does not take us */
    SVMC_FETCH_OWN_MISSING = 27, /* it wants a certificate */
    SVMC_FETCH_OWN_REFUSED = 28, /* it does not take ours */
    SVMC_FETCH_OWN_EXPIRED = 29,

    /* REFUSED, by the service: from here on a key that is held is wiped */
    SVMC_FETCH_DENIED = 48,
    SVMC_FETCH_NOT_FOUND = 49,
    /* what the cache finds in an answer. REFUSED: the key is not active */
    SVMC_FETCH_PRE_ACTIVE = 50,
    SVMC_FETCH_DEACTIVATED = 51,
    SVMC_FETCH_COMPROMISED = 52,
    SVMC_FETCH_DESTROYED = 53,
    SVMC_FETCH_STATE = 54,  /* no state at all */
    SVMC_FETCH_ID = 55,     /* KEY: another key's answer */
    SVMC_FETCH_ALG = 56,    /* KEY: for another algorithm */
    SVMC_FETCH_LENGTH = 57, /* KEY: of another length, or not as long as it says */
    SVMC_FETCH_USAGE = 58,  /* PURPOSE: may not be used for what is wanted */
    SVMC_FETCH_CHECK = 59   /* KEY: not the key whose check value was given */
};

/** A service's answer. The cache lends it for one poll, zeroed, and wipes it behind. */
struct svmc_provider_answer {
    uint64_t ticket;       /* of the request that this answers */
    uint64_t lease_ns;     /* how long it may be kept without asking again; 0: it does not say */
    uint64_t not_after_ns; /* how long it may be kept at all; 0: it does not say */
    uint32_t reason;       /* where poll fails: enum svmc_fetch_reason, 16 to 49 */
    uint32_t state;        /* enum svmc_key_state */
    uint32_t usage;        /* SVMC_KEY_MAY_ bits, and others of KMIP's */
    uint32_t alg;          /* SVMC_KEY_FOR_AES ... */
    uint32_t bits;         /* what the service says it is long */
    uint32_t id_bytes, key_bytes, reserved;
    uint8_t id[SVMC_KEY_NAME_BYTES_MAX];
    uint8_t key[SVMC_KEY_MATERIAL_BYTES];
};

/**
 * A key service. Every function gets `ctx` of the table first; none blocks, takes more than a
 * millisecond of the processor, or calls back into the library. One caller at a time; a table
 * serves one cache. Times are the cache's: nanoseconds of the host's clock. PR-1 to PR-3
 */
struct svmc_provider_ops {
    uint32_t size; /* sizeof(struct svmc_provider_ops) as the provider compiled it */
    uint32_t reserved;
    void *ctx;

    /* begin to fetch the key named id[id_bytes], which is lent for the call; deadline: when the
       cache gives up. After SVMC_OK the ticket is open until poll ends it, or cancel does */
    SVMC_NODISCARD enum svmc_status (*request)(void *ctx, uint64_t ticket, const uint8_t *id,
                                               size_t id_bytes, uint64_t deadline);
    /* SVMC_ERR_BUSY: not yet. SVMC_OK: the answer is there, and the ticket is over. All else:
       answer->reason says why there will be none, and the ticket is over */
    SVMC_NODISCARD enum svmc_status (*poll)(void *ctx, uint64_t ticket, uint64_t now,
                                            struct svmc_provider_answer *answer);
    /* forget an open ticket: nobody polls it any more; cannot fail */
    void (*cancel)(void *ctx, uint64_t ticket);
};

/** @return the status that goes with a reason; SVMC_ERR_CALLBACK for a number that is none. */
SVMC_API enum svmc_status svmc_fetch_status(uint32_t reason);

/** The name of a reason, e.g. "SVMC_FETCH_DENIED"; "SVMC_FETCH_?" for a number that is none.
 *  Static, never NULL. */
SVMC_API const char *svmc_fetch_name(uint32_t reason);

#ifdef __cplusplus
}
#endif
#endif
