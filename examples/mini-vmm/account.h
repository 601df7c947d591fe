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
    /* the end */
    bool chained; /* there is a ring */
    bool holds;
    struct svmc_audit_head head;
};

/** Attach both to a vCPU that has just been made ready. false: the library refuses. */
bool account_open(struct account *account, struct svmc_vcpu *vc);

/** Read the ring as a third party would, piece by piece, and check the chain. */
void account_close(struct account *account);

#endif
