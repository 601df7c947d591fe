/* SPDX-License-Identifier: MIT */
/** What the guest's exits disclosed: the library's ledger and its chained ring of events. */
#ifndef ACCOUNT_H
#define ACCOUNT_H
#include <stdbool.h>
#include <stdint.h>
#include <svmcore/audit.h>

#define ACCOUNT_ENTRIES 4096u

/** Where a vCPU's sums and events go, and what became of them. */
struct account {
    struct svmc_ledger ledger;
    struct svmc_audit_ring ring;
    const struct svmc_crypto_ops *crypto; /* NULL: the build has none */
    uint8_t key[SVMC_MAC_KEY_BYTES];      /* this run's alone; a real keeper has it from its own */
    uint8_t entries[ACCOUNT_ENTRIES * SVMC_AUDIT_ENTRY_BYTES];
    bool chained; /* there is a ring */
};

/** The end: sums over the vCPUs, and what their chains say. */
struct totals {
    struct svmc_ledger_entry rows[SVMC_LEDGER_ROWS];
    uint32_t row_count;
    uint32_t chains, broken;
    uint64_t events, overwritten, lost;
    uint8_t last[SVMC_AUDIT_TAG_BYTES]; /* of the first chain */
};

/** Attach both to a vCPU that has just been made ready. false: the library refuses. */
bool account_open(struct account *account, struct svmc_vcpu *vc);

/** Add a vCPU's sums; read its ring as a third party would, piece by piece, and check the chain. */
void account_add(struct totals *to, const struct account *account);

#endif
