/* SPDX-License-Identifier: MIT */
/** The next subkey of a slot whose budget ends. */
#include "dma_private.h"
#include "sealing.h"

/* DM-24: what goes into the new slot; the old one's owner, algorithm and unit. */
static enum svmc_status load(struct svmc_keyslots *ks, const struct svmc_vmkey *key,
                             enum svmc_key_purpose purpose, svmc_key_handle old,
                             const struct svmc_key_grant *grant, svmc_key_handle *out)
{
    const struct slot *s = slot_of(ks, old);
    const struct keyslot_subkey from = { key, (uint32_t)purpose, &grant->id };
    struct svmc_keyslot_key next = { 0 };

    next.domain = s->domain;
    next.epoch = s->epoch;
    next.alg = s->alg;
    next.unit_bytes = s->unit_bytes;
    next.cookie = ks->priv.kind == SVMC_KEYSLOT_SOFTWARE ? s->cookie : grant->id.index;
    next.units = grant->calls;
    next.before = old;
    return svmc_keyslot_subkey(ks, &from, &next, out);
}

enum svmc_status svmc_dma_renew(struct svmc_dma *dma, struct svmc_devices *devices,
                                struct svmc_vmkey *key, enum svmc_key_purpose purpose,
                                uint64_t units, svmc_key_handle *slot, struct svmc_key_grant *grant)
{
    svmc_key_handle next = { 0 };
    enum svmc_status st;
    uint64_t blocks;

    if (!grant)
        return SVMC_ERR_ARG;
    memset(grant, 0, sizeof *grant);
    if (!dma || dma->priv.lanes == 0 || !key || !slot || devices != dma->priv.devices ||
        units - 1 >= SVMC_SUBKEY_CALLS)
        return SVMC_ERR_ARG;
    if (svmc_keyslot_state(dma->priv.slots, *slot) != SVMC_KEYSLOT_ACTIVE)
        return SVMC_ERR_STALE;
    blocks = slot_of(dma->priv.slots, *slot)->unit_bytes / 16 + 1; /* KS-17 */
    st = svmc_vmkey_grant(key, purpose, units, units * blocks, grant);
    if (st == SVMC_OK)
        st = load(dma->priv.slots, key, purpose, *slot, grant, &next);
    if (st != SVMC_OK)
        return st;
    (void)svmc_device_rebind_slot(devices, *slot, next);
    *slot = next;
    return SVMC_OK;
}
