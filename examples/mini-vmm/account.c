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

static void add_rows(struct totals *to, const struct svmc_ledger *ledger)
{
    struct svmc_ledger_entry e;
    uint32_t n = 0;

    for (; n < SVMC_LEDGER_ROWS && svmc_ledger_read(ledger, n, &e) == SVMC_OK; n++) {
        struct svmc_ledger_sums *s = &to->rows[n].sums, before = *s;

        to->rows[n] = e;
        s->exits += before.exits;
        s->delegated += before.delegated;
        s->bytes_shown += before.bytes_shown;
        s->bytes_accepted += before.bytes_accepted;
        s->refused += before.refused;
        s->retries += before.retries;
        s->answered += before.answered;
        s->ticks_total += before.ticks_total;
        if (s->ticks_worst < before.ticks_worst)
            s->ticks_worst = before.ticks_worst;
    }
    to->row_count = n;
}

static bool chain_holds(const struct account *a, const struct svmc_audit_head *head)
{
    uint8_t bytes[PIECE * SVMC_AUDIT_ENTRY_BYTES], before[SVMC_AUDIT_TAG_BYTES];
    uint64_t from = head->oldest;
    size_t len, good;

    memcpy(before, head->before, sizeof before);
    while (from < head->next) {
        const uint8_t *last = head->next - from <= PIECE ? head->last : NULL;

        if (svmc_audit_read(&a->ring, from, bytes, sizeof bytes, &len) != SVMC_OK ||
            svmc_audit_verify(a->crypto, ALG, a->key, before, bytes, len, last, &good) != SVMC_OK ||
            good == 0)
            return false;
        memcpy(before, bytes + len - sizeof before, sizeof before);
        from += len / SVMC_AUDIT_ENTRY_BYTES;
    }
    return true;
}

void account_add(struct totals *to, const struct account *a)
{
    struct svmc_audit_head head;

    add_rows(to, &a->ledger);
    if (!a->chained)
        return;
    if (svmc_audit_head_read(&a->ring, &head) != SVMC_OK || !chain_holds(a, &head))
        to->broken++;
    if (to->chains++ == 0)
        memcpy(to->last, head.last, sizeof to->last);
    to->events += head.next;
    to->overwritten += head.oldest;
    to->lost += head.lost;
}
