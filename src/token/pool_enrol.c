/* SPDX-License-Identifier: MIT */
/** How tokens come into being, change and die. docs/spec/token.md. */
#include "pool_private.h"

#define PAGE_MASK   ((uint64_t)4095)
#define KNOWN_FLAGS ((uint32_t)(SVMC_TOKEN_ONE_THREAD | SVMC_TOKEN_BEAT_KILLS))

static bool is_sound_site(uint64_t page, uint64_t frame, uint32_t offset)
{
    return ((page | frame) & PAGE_MASK) == 0 && offset <= PAGE_MASK;
}

static bool is_sound(const struct svmc_token_caller *who, const struct svmc_token_grant *g)
{
    unsigned reserved = 0;

    for (unsigned i = 0; i < sizeof who->reserved; i++)
        reserved |= who->reserved[i];
    return reserved == 0 && who->isa != 0 && who->user <= 1 && /* SVMC_ISA_NONE: no call fits */
           is_sound_site(g->page, g->frame, g->offset) && g->vcpus != 0 &&
           g->vcpu_first <= UINT32_MAX - 63 && g->classes != 0 &&
           (g->classes & ~SVMC_TOKEN_CLASSES) == 0 && (g->flags & ~KNOWN_FLAGS) == 0 &&
           g->until > who->ticks && g->beat_ticks <= UINT64_MAX - who->ticks;
}

/* TK-3: 16 bytes that no other has. Every tag is compared with, whole. */
CORE_COLD static enum svmc_status draw(const struct svmc_token_pool *pool, struct svmc_token *out)
{
    const struct svmc_crypto_ops *ops = pool->priv.config.crypto;
    bool same = ops->random(ops->ctx, out->tag, sizeof out->tag) != SVMC_OK;

    for (uint32_t i = 0; i < pool->priv.config.entry_count; i++) { /* the dead have 0 */
        const struct svmc_token_entry *e = token_at(pool, i);
        uint64_t differ = (e->priv.tag[0] ^ core_load_le64(out->tag)) |
                          (e->priv.tag[1] ^ core_load_le64(out->tag + 8));

        CORE_KEEP(differ);
        same |= differ == 0;
    }
    token_said(&same, sizeof same);
    if (same)
        memset(out->tag, 0, sizeof out->tag);
    return same ? SVMC_ERR_CALLBACK : SVMC_OK;
}

static void set_tag(struct svmc_token_entry *e, const struct svmc_token *token)
{
    token_put(&e->priv.tag[0], core_load_le64(token->tag));
    token_put(&e->priv.tag[1], core_load_le64(token->tag + 8));
}

/* The list of a parent's children; entry 0 is the parent of those that enrolled. */
static void link_below(struct svmc_token_pool *pool, struct svmc_token_entry *e, uint32_t parent)
{
    struct svmc_token_entry *p = token_at(pool, parent);
    uint32_t index = token_index(pool, e);

    e->priv.parent = parent;
    e->priv.previous = 0;
    e->priv.next = p->priv.child;
    if (p->priv.child != 0)
        token_at(pool, p->priv.child)->priv.previous = index;
    p->priv.child = index;
}

static void unlink_from_parent(struct svmc_token_pool *pool, struct svmc_token_entry *e)
{
    if (e->priv.previous != 0)
        token_at(pool, e->priv.previous)->priv.next = e->priv.next;
    else
        token_at(pool, e->priv.parent)->priv.child = e->priv.next;
    if (e->priv.next != 0)
        token_at(pool, e->priv.next)->priv.previous = e->priv.previous;
}

/* TK-4: a free entry becomes a token, below `parent`. */
CORE_COLD static enum svmc_status add(struct svmc_token_pool *pool, uint32_t parent,
                                      const struct svmc_token_caller *who,
                                      const struct svmc_token_grant *g, struct svmc_token *out)
{
    struct svmc_token_entry *e = token_at(pool, pool->priv.free);
    enum svmc_status st;
    uint64_t live;

    if (pool->priv.free == 0)
        return SVMC_ERR_FULL;
    st = draw(pool, out);
    if (st != SVMC_OK)
        return st;
    pool->priv.free = e->priv.next;
    live = token_begin(e) + 1; /* TK-1: the next generation */
    set_tag(e, out);
    token_put(&e->priv.vm, who->vm);
    token_put(&e->priv.vm_generation, who->vm_generation);
    token_put(&e->priv.root, who->root);
    token_put(&e->priv.page, g->page);
    token_put(&e->priv.frame, g->frame);
    token_put(&e->priv.place,
              g->offset | (uint64_t)who->isa << PLACE_ISA | (uint64_t)who->user << PLACE_USER);
    token_put(&e->priv.vcpus, g->vcpus);
    token_put(&e->priv.until, g->until);
    token_put(&e->priv.thread, who->thread);
    token_put(&e->priv.thread_mask, g->flags & SVMC_TOKEN_ONE_THREAD ? UINT64_MAX : 0);
    token_put(&e->priv.returns, g->returns);
    token_put(&e->priv.return_span, g->return_bytes - 1); /* 0: all there are */
    token_put(&e->priv.rights, g->rights);
    token_put(&e->priv.grant, g->classes | (uint64_t)g->vcpu_first << 32);
    token_put(&e->priv.counter, COUNTER_OF(live));
    e->priv.beat_ticks = g->beat_ticks;
    e->priv.beat_at = who->ticks + g->beat_ticks;
    e->priv.flags = g->flags;
    e->priv.child = 0;
    link_below(pool, e, parent);
    token_commit(e, live);
    token_settled();
    out->handle = token_handle(pool, e);
    return SVMC_OK;
}

/* TK-2 */
CORE_COLD enum svmc_status svmc_token_enrol(struct svmc_token_pool *pool,
                                            const struct svmc_token_caller *caller,
                                            const struct svmc_token_grant *grant,
                                            enum svmc_status measured, struct svmc_token *out)
{
    const struct svmc_token_vm *vm;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!pool || !pool->priv.config.vms || !caller || !grant || !is_sound(caller, grant))
        return SVMC_ERR_ARG;
    vm = svmc_token_find_vm(pool, caller->vm);
    if (!vm || vm->priv.state != VM_OPEN)
        return SVMC_ERR_STATE;
    if (vm->priv.generation != caller->vm_generation)
        return SVMC_ERR_STALE;
    if (measured != SVMC_OK)
        return SVMC_ERR_AUTH;
    return add(pool, 0, caller, grant, out);
}

/* TK-6: each vCPU of the child's is one of the parent's. */
static bool vcpus_within(const struct svmc_token_entry *parent, const struct svmc_token_grant *g)
{
    uint32_t first = (uint32_t)(parent->priv.grant >> 32);

    for (uint32_t n = 0; n < 64; n++) {
        uint32_t at = g->vcpu_first + n - first; /* below 64: within the parent's */

        if ((g->vcpus >> n & 1) && (at >= 64 || !(parent->priv.vcpus >> at & 1)))
            return false;
    }
    return true;
}

/* TK-6 */
static bool is_weaker(const struct svmc_token_entry *parent, const struct svmc_token_caller *who,
                      const struct svmc_token_grant *g)
{
    bool kernel_of_user = (parent->priv.place >> PLACE_USER & 1) && !who->user;

    return (g->rights & ~parent->priv.rights) == 0 &&
           (g->classes & ~(uint32_t)parent->priv.grant) == 0 && g->until <= parent->priv.until &&
           vcpus_within(parent, g) && !kernel_of_user && who->vm == parent->priv.vm &&
           who->vm_generation == parent->priv.vm_generation;
}

CORE_COLD enum svmc_status svmc_token_attenuate(struct svmc_token_pool *pool, uint32_t parent,
                                                const struct svmc_token_caller *holder,
                                                const struct svmc_token_grant *grant,
                                                struct svmc_token *out)
{
    const struct svmc_token_entry *p;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!pool || !pool->priv.config.entries || !holder || !grant || !is_sound(holder, grant))
        return SVMC_ERR_ARG;
    p = token_find(pool, parent);
    if (!p || p->priv.until <= holder->ticks)
        return SVMC_ERR_STALE;
    if (!is_weaker(p, holder, grant))
        return SVMC_ERR_AUTH;
    return add(pool, token_index(pool, p), holder, grant, out);
}

/* TK-7 */
CORE_COLD enum svmc_status svmc_token_rotate(struct svmc_token_pool *pool, uint32_t handle,
                                             const struct svmc_token_site *site,
                                             struct svmc_token *out)
{
    struct svmc_token_entry *e;
    enum svmc_status st;
    uint64_t live;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!pool || !pool->priv.config.entries ||
        (site && (site->reserved != 0 || !is_sound_site(site->page, site->frame, site->offset))))
        return SVMC_ERR_ARG;
    e = token_find(pool, handle);
    if (!e)
        return SVMC_ERR_STALE;
    st = draw(pool, out);
    if (st != SVMC_OK)
        return st;
    live = token_begin(e);
    set_tag(e, out);
    token_put(&e->priv.counter, COUNTER_OF(live));
    if (site) {
        token_put(&e->priv.page, site->page);
        token_put(&e->priv.frame, site->frame);
        token_put(&e->priv.place, (e->priv.place >> 32 << 32) | site->offset);
    }
    token_commit(e, live);
    token_settled();
    out->handle = handle;
    return SVMC_OK;
}

/* TK-8: the tag is gone before the entry is another's. */
CORE_COLD static void bury(struct svmc_token_pool *pool, struct svmc_token_entry *e)
{
    uint64_t live = token_begin(e);
    struct svmc_token_event used_up = { .vm = e->priv.vm,
                                        .kind = SVMC_TOKEN_EVENT_RETIRED,
                                        .handle = token_handle(pool, e) };

    token_put(&e->priv.tag[0], 0);
    token_put(&e->priv.tag[1], 0);
    if ((live & GENERATION_MASK) == GENERATION_MASK) { /* TK-1: it would begin anew */
        (void)svmc_token_push_due(pool, &used_up, false);
        return;
    }
    e->priv.next = pool->priv.free;
    pool->priv.free = token_index(pool, e);
}

/* TK-8: its children are its parent's. */
CORE_COLD void svmc_token_kill(struct svmc_token_pool *pool, struct svmc_token_entry *e)
{
    unlink_from_parent(pool, e);
    while (e->priv.child != 0) {
        struct svmc_token_entry *child = token_at(pool, e->priv.child);

        unlink_from_parent(pool, child);
        link_below(pool, child, e->priv.parent);
    }
    bury(pool, e);
}

/* TK-8: every token of a VM. A tree is of one VM (TK-6): nobody inherits, so one pass will do. */
CORE_COLD void svmc_token_kill_vm(struct svmc_token_pool *pool, uint64_t vm)
{
    for (uint32_t i = 1; i < pool->priv.config.entry_count; i++) {
        struct svmc_token_entry *e = token_at(pool, i);

        if (!(e->priv.live & ALIVE) || e->priv.vm != vm)
            continue;
        if (e->priv.parent == 0)
            unlink_from_parent(pool, e);
        bury(pool, e);
    }
    token_settled();
}

/* Leaf by leaf, the top last. */
CORE_COLD void svmc_token_kill_subtree(struct svmc_token_pool *pool, struct svmc_token_entry *top)
{
    struct svmc_token_entry *at = top, *parent;

    for (;;) {
        while (at->priv.child != 0)
            at = token_at(pool, at->priv.child);
        parent = token_at(pool, at->priv.parent);
        svmc_token_kill(pool, at);
        if (at == top)
            return;
        at = parent;
    }
}

CORE_COLD static enum svmc_status revoke(struct svmc_token_pool *pool, uint32_t handle,
                                         bool subtree)
{
    struct svmc_token_entry *e;

    if (!pool || !pool->priv.config.entries)
        return SVMC_ERR_ARG;
    e = token_find(pool, handle);
    if (!e)
        return SVMC_ERR_STALE;
    if (subtree)
        svmc_token_kill_subtree(pool, e);
    else
        svmc_token_kill(pool, e);
    token_settled();
    return SVMC_OK;
}

enum svmc_status svmc_token_revoke(struct svmc_token_pool *pool, uint32_t handle)
{
    return revoke(pool, handle, false);
}

enum svmc_status svmc_token_revoke_subtree(struct svmc_token_pool *pool, uint32_t handle)
{
    return revoke(pool, handle, true);
}
