/* SPDX-License-Identifier: MIT */
/** What of a pool outlives its tokens: docs/spec/state.md, ST-13 and ST-14. */
#include "../core/state.h"
#include "pool_private.h"

#define VM_BYTES         16u
#define GENERATION_BYTES 2u

static uint16_t generation_of(const struct svmc_token_entry *e)
{
    return (uint16_t)(token_get(&e->priv.live) & GENERATION_MASK);
}

/* ---- writing ---------------------------------------------------------------------------------*/

/* TK-1: the last entry that was ever a token's. */
static uint32_t last_used(const struct svmc_token_pool *pool)
{
    uint32_t n = pool->priv.config.entry_count - 1;

    while (n != 0 && generation_of(token_at(pool, n)) == 0)
        n--;
    return n;
}

/* TK-15: what was lost, and what is lost now. */
static uint64_t lost_events(const struct svmc_token_pool *pool)
{
    return __atomic_load_n(&pool->priv.lost, __ATOMIC_RELAXED) +
           (uint32_t)(__atomic_load_n(&pool->priv.head, __ATOMIC_RELAXED) - pool->priv.tail);
}

/* ST-13 */
static void put_pool(struct state_writer *w, const struct svmc_token_pool *pool, size_t bytes)
{
    const struct svmc_token_vm *v = pool->priv.config.vms;
    uint32_t used = last_used(pool), vms = 0;

    for (uint32_t i = 0; i < pool->priv.config.vm_count; i++)
        vms += v[i].priv.state != VM_FREE;
    svmc_core_state_begin(w, SVMC_SAVED_TOKENS, STATE_FIRST, bytes);
    state_put64(w, lost_events(pool));
    state_put32(w, vms);
    state_put32(w, used);
    for (uint32_t i = 0; i < pool->priv.config.vm_count; i++, v++)
        if (v->priv.state != VM_FREE) {
            state_put64(w, v->priv.id);
            state_put64(w, v->priv.generation);
        }
    for (uint32_t i = 1; i <= used; i++)
        state_put16(w, generation_of(token_at(pool, i)));
}

CORE_COLD enum svmc_status svmc_token_pool_save(const struct svmc_token_pool *pool, uint8_t *out,
                                                size_t cap, size_t *len)
{
    struct state_writer w = { NULL, 0 };

    if (!len)
        return SVMC_ERR_ARG;
    *len = 0;
    if (!pool || !pool->priv.config.entries || (!out && cap != 0))
        return SVMC_ERR_ARG;
    put_pool(&w, pool, 0);
    *len = w.at;
    if (w.at > cap)
        return SVMC_ERR_FULL;
    w = (struct state_writer){ out, 0 };
    put_pool(&w, pool, *len);
    return SVMC_OK;
}

/* ---- reading ---------------------------------------------------------------------------------*/

static bool is_new(const struct svmc_token_pool *pool)
{
    const struct svmc_token_vm *v = pool->priv.config.vms;

    for (uint32_t i = 0; i < pool->priv.config.vm_count; i++, v++)
        if (v->priv.state != VM_FREE)
            return false;
    return last_used(pool) == 0;
}

/* ST-13: no VM twice, each with a generation. */
static bool are_vms(const uint8_t *vms, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *vm = vms + (size_t)i * VM_BYTES;

        if (core_load_le64(vm + 8) == 0)
            return false;
        for (const uint8_t *other = vms; other != vm; other += VM_BYTES)
            if (core_load_le64(other) == core_load_le64(vm))
                return false;
    }
    return true;
}

/* ST-14: entries go on with the generations that they had; who is used up stays so (TK-1). */
static void set_entries(struct svmc_token_pool *pool, const uint8_t *generations, uint32_t used)
{
    pool->priv.free = 0;
    for (uint32_t i = pool->priv.config.entry_count - 1; i != 0; i--) {
        struct svmc_token_entry *e = token_at(pool, i);
        uint16_t generation =
            i <= used ? core_load_le16(generations + (size_t)(i - 1) * GENERATION_BYTES) : 0;

        token_put(&e->priv.live, token_get(&e->priv.live) | generation);
        if (generation == GENERATION_MASK)
            continue;
        e->priv.next = pool->priv.free;
        pool->priv.free = i;
    }
}

/* ST-14: closed, until a greater generation opens them (TK-9). */
static void set_vms(struct svmc_token_pool *pool, const uint8_t *vms, uint32_t count)
{
    struct svmc_token_vm *v = pool->priv.config.vms;

    for (uint32_t i = 0; i < count; i++, v++, vms += VM_BYTES) {
        v->priv.id = core_load_le64(vms);
        v->priv.generation = core_load_le64(vms + 8);
        v->priv.state = VM_SEALED;
    }
}

CORE_COLD enum svmc_status svmc_token_pool_load(struct svmc_token_pool *pool, const uint8_t *bytes,
                                                size_t len)
{
    const uint8_t *vms, *generations;
    uint32_t vm_count, used;
    struct state_reader r;
    enum svmc_status st;
    uint64_t lost;

    if (!pool || !pool->priv.config.entries || !bytes)
        return SVMC_ERR_ARG;
    if (!is_new(pool))
        return SVMC_ERR_STATE;
    st = svmc_core_state_open(&r, SVMC_SAVED_TOKENS, bytes, len);
    if (st != SVMC_OK)
        return st;
    lost = state_get64(&r);
    vm_count = state_get32(&r);
    used = state_get32(&r);
    state_want(&r, vm_count <= r.left / VM_BYTES && used <= INDEX_MASK);
    vms = svmc_core_state_get(&r, (size_t)vm_count * VM_BYTES);
    generations = svmc_core_state_get(&r, (size_t)used * GENERATION_BYTES);
    if (svmc_core_state_close(&r) != SVMC_OK ||
        (used != 0 && core_load_le16(generations + (size_t)(used - 1) * GENERATION_BYTES) == 0))
        return SVMC_ERR_FORMAT;
    if (vm_count > pool->priv.config.vm_count || used >= pool->priv.config.entry_count)
        return SVMC_ERR_FULL;
    if (!are_vms(vms, vm_count))
        return SVMC_ERR_FORMAT;
    set_vms(pool, vms, vm_count);
    set_entries(pool, generations, used);
    __atomic_store_n(&pool->priv.lost, lost, __ATOMIC_RELAXED);
    token_settled();
    return SVMC_OK;
}
