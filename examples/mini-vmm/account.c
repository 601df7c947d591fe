/* SPDX-License-Identifier: MIT */
#include "account.h"

#include <string.h>
#include <sys/random.h>
#ifdef MINI_VMM_SODIUM
#include <svmcore/port/sodium.h>
#endif

#define ALG   SVMC_ALG_MAC_BLAKE2B_256
#define PIECE 64u /* entries */

/* Asked for once: each time it tests itself. */
static const struct svmc_crypto_ops *crypto(void)
{
#ifdef MINI_VMM_SODIUM
    return svmc_sodium_ops();
#else
    return NULL;
#endif
}

bool account_open(struct account *a, struct svmc_vcpu *vc)
{
    const struct svmc_crypto_ops *ops = a->crypto = crypto();

    if (svmc_vcpu_set_ledger(vc, &a->ledger) != SVMC_OK)
        return false;
    if (!ops)
        return true;
    if (getrandom(a->key, sizeof a->key, 0) != (ssize_t)sizeof a->key ||
        svmc_audit_init(&a->ring, ops, ALG, a->key, a->entries, ACCOUNT_ENTRIES, NULL) != SVMC_OK)
        return false;
    a->chained = true;
    return svmc_vcpu_set_audit(vc, &a->ring) == SVMC_OK;
}

void account_close(struct account *a)
{
    uint8_t bytes[PIECE * SVMC_AUDIT_ENTRY_BYTES], before[SVMC_AUDIT_TAG_BYTES];
    uint64_t from;
    size_t len, good;

    a->holds = a->chained && svmc_audit_head_read(&a->ring, &a->head) == SVMC_OK;
    memcpy(before, a->head.before, sizeof before);
    from = a->head.oldest;
    while (a->holds && from < a->head.next) {
        const uint8_t *last = a->head.next - from <= PIECE ? a->head.last : NULL;

        a->holds =
            svmc_audit_read(&a->ring, from, bytes, sizeof bytes, &len) == SVMC_OK &&
            svmc_audit_verify(a->crypto, ALG, a->key, before, bytes, len, last, &good) == SVMC_OK &&
            good > 0;
        if (a->holds)
            memcpy(before, bytes + len - sizeof before, sizeof before);
        from += len / SVMC_AUDIT_ENTRY_BYTES;
    }
}
