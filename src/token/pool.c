/* SPDX-License-Identifier: MIT */
/** A pool of tokens and its VMs. docs/spec/token.md. */
#include "pool_private.h"

static bool is_sound(const struct svmc_token_config *c)
{
    return c->entries && c->vms && c->events && c->crypto && CORE_HAS_OP(c->crypto, random) &&
           (c->mac_alg == 0 || CORE_HAS_OP(c->crypto, mac)) && c->entry_count >= 2 &&
           c->entry_count <= INDEX_MASK + 1 && c->vm_count != 0 && c->event_count >= 2 &&
           c->event_count <= 65536 && (c->event_count & (c->event_count - 1)) == 0 &&
           (c->expected || c->expected_count == 0) && c->miss_limit != 0 && c->lock_rounds < 32 &&
           c->lock_ticks != 0 && c->reserved == 0;
}

/* Everything that was lent, to zero. */
static void clear(const struct svmc_token_config *c)
{
    core_wipe(c->entries, c->entry_count * sizeof *c->entries);
    core_wipe(c->vms, c->vm_count * sizeof *c->vms);
    core_wipe(c->events, c->event_count * sizeof *c->events);
    if (c->expected)
        core_wipe(c->expected, c->expected_count * sizeof *c->expected);
}

CORE_COLD enum svmc_status svmc_token_pool_init(struct svmc_token_pool *pool,
                                                const struct svmc_token_config *config)
{
    const struct svmc_crypto_ops *ops;
    uint64_t start[2] = { 0 };

    if (!pool)
        return SVMC_ERR_ARG;
    memset(pool, 0, sizeof *pool);
    if (!config || !is_sound(config))
        return SVMC_ERR_ARG;
    ops = config->crypto; /* TK-10: no vCPU remembers a mapping of the pool that was here before */
    if (ops->random(ops->ctx, start, sizeof start) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    token_said(start, sizeof start); /* no secret, as a tag is one */
    pool->priv.config = *config;
    clear(config);
    for (uint32_t i = 1; i < config->entry_count; i++) {
        token_at(pool, i)->priv.live = start[0] & VERSION_START;
        token_at(pool, i)->priv.next = i + 1 < config->entry_count ? i + 1 : 0;
    }
    pool->priv.free = 1;
    for (uint32_t i = 0; i < config->event_count; i++)
        config->events[i].priv.turn = i; /* clamp: below event_count */
    return SVMC_OK;
}

/* TK-14 */
CORE_COLD void svmc_token_pool_drop(struct svmc_token_pool *pool)
{
    if (!pool)
        return;
    if (pool->priv.config.entries)
        clear(&pool->priv.config);
    core_wipe(pool, sizeof *pool);
}

/* NULL: the pool does not know it. */
CORE_COLD struct svmc_token_vm *svmc_token_find_vm(const struct svmc_token_pool *pool, uint64_t vm)
{
    struct svmc_token_vm *v = pool->priv.config.vms;

    for (uint32_t i = 0; i < pool->priv.config.vm_count; i++, v++)
        if (v->priv.state != VM_FREE && v->priv.id == vm)
            return v;
    return NULL;
}

CORE_COLD enum svmc_status svmc_token_vm_open(struct svmc_token_pool *pool, uint64_t vm,
                                              uint64_t generation)
{
    struct svmc_token_vm *v;

    if (!pool || !pool->priv.config.vms || generation == 0)
        return SVMC_ERR_ARG;
    if (svmc_token_find_vm(pool, vm))
        return SVMC_ERR_STATE;
    v = pool->priv.config.vms;
    for (uint32_t i = 0; i < pool->priv.config.vm_count; i++, v++)
        if (v->priv.state == VM_FREE) {
            v->priv.id = vm;
            v->priv.generation = generation;
            v->priv.state = VM_OPEN;
            return SVMC_OK;
        }
    return SVMC_ERR_FULL;
}

/* TK-2 */
CORE_COLD enum svmc_status svmc_token_vm_seal(struct svmc_token_pool *pool, uint64_t vm)
{
    struct svmc_token_vm *v = pool ? svmc_token_find_vm(pool, vm) : NULL;

    if (!v)
        return SVMC_ERR_ARG;
    if (v->priv.state == VM_SEALED)
        return SVMC_ERR_STATE;
    v->priv.state = VM_SEALED;
    return SVMC_OK;
}

/* TK-9 */
CORE_COLD enum svmc_status svmc_token_vm_restore(struct svmc_token_pool *pool, uint64_t vm,
                                                 uint64_t generation)
{
    struct svmc_token_vm *v = pool ? svmc_token_find_vm(pool, vm) : NULL;

    if (!v || generation <= v->priv.generation)
        return SVMC_ERR_ARG;
    svmc_token_kill_vm(pool, vm);
    v->priv.generation = generation;
    v->priv.state = VM_OPEN;
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_token_vm_close(struct svmc_token_pool *pool, uint64_t vm)
{
    struct svmc_token_vm *v = pool ? svmc_token_find_vm(pool, vm) : NULL;

    if (!v)
        return SVMC_ERR_ARG;
    svmc_token_kill_vm(pool, vm);
    memset(v, 0, sizeof *v);
    return SVMC_OK;
}

CORE_COLD void svmc_token_vcpu_init(struct svmc_token_vcpu *vcpu)
{
    if (vcpu)
        memset(vcpu, 0, sizeof *vcpu);
}
