/* SPDX-License-Identifier: MIT */
/** A subkey on its way into a slot. */
#include "keyslot_private.h"
#include "sealing.h"

/* KS-21: into the slot that it has, where that has a key still. */
static enum svmc_status place(struct svmc_keyslots *ks, const struct svmc_keyslot_key *key,
                              svmc_key_handle *slot)
{
    enum svmc_status st = SVMC_ERR_STALE;

    if (slot->raw != 0)
        st = svmc_keyslot_exchange(ks, *slot, key);
    return st == SVMC_ERR_STALE ? svmc_keyslot_load(ks, key, slot) : st;
}

enum svmc_status svmc_keyslot_subkey(struct svmc_keyslots *ks, const struct keyslot_subkey *from,
                                     struct svmc_keyslot_key *key, svmc_key_handle *slot)
{
    const struct svmc_crypto_ops *ops = ks->priv.crypto;
    uint8_t bytes[SVMC_DERIVE_BYTES];
    svmc_key_handle next = *slot;
    enum svmc_status st;

    if (ks->priv.kind != SVMC_KEYSLOT_SOFTWARE) {
        st = place(ks, key, &next);
    } else {
        key->bytes = bytes;
        st = svmc_vmkey_subkey(from->key, (enum svmc_key_purpose)from->purpose, key->alg, from->id,
                               bytes);
        if (st == SVMC_OK)
            st = place(ks, key, &next);
        key->bytes = NULL;
        ops->wipe(ops->ctx, bytes, sizeof bytes);
    }
    if (st == SVMC_OK)
        *slot = next;
    return st;
}
