/* SPDX-License-Identifier: MIT */
/** A call is judged: the same work for every token, and for none. docs/spec/token.md. */
#include "pool_private.h"

#define COUNTER_TRIES 4u /* somebody else's call came between */

/* What is not as it must be: in each part a word that is 0 if it is. */
struct parts {
    uint64_t gone;  /* the handle */
    uint64_t place; /* isa and privilege, offset: as in svmc_token_entry */
    uint64_t restored, expired, vm, vcpu, root, page, context, frame, locked;
    uint64_t tag;
};

/* One check on its way. */
struct judged {
    struct svmc_token_entry *entry;
    uint64_t live;  /* before the entry was read */
    uint64_t head;  /* isa, user, reserved */
    uint64_t other; /* the sum of all parts but frame and tag */
    uint64_t rights, grant;
    struct parts parts;
};

/* 1 if any bit is set; computed, so that no compiler has something to jump over. */
static inline uint32_t any(uint64_t word)
{
    return (uint32_t)((word | (0 - word)) >> 63);
}

TOKEN_INLINE bool is_sound(const struct svmc_token_pool *pool, const struct svmc_token_vcpu *vcpu,
                           const struct svmc_token_caller *caller, const struct svmc_token *token,
                           struct judged *j)
{
    if (!pool || !vcpu || !caller || !token || !pool->priv.config.entries)
        return false;
    j->head = core_load_le64((const uint8_t *)caller + offsetof(struct svmc_token_caller, isa));
    return (j->head >> 9) == 0; /* user is 0 or 1, the rest 0 */
}

TOKEN_INLINE void begin(const struct svmc_token_pool *pool, uint32_t handle, struct judged *j)
{
    j->entry = token_at(pool, handle & INDEX_MASK);
    j->live = __atomic_load_n(&j->entry->priv.live, __ATOMIC_ACQUIRE);
    j->other = 0;
}

TOKEN_INLINE void judge_frame(const struct svmc_token_caller *caller, struct judged *j)
{
    j->parts.frame = token_get(&j->entry->priv.frame) ^ caller->frame;
}

TOKEN_INLINE void judge_tag(const struct svmc_token *token, struct judged *j)
{
    j->parts.tag = (token_get(&j->entry->priv.tag[0]) ^ core_load_le64(token->tag)) |
                   (token_get(&j->entry->priv.tag[1]) ^ core_load_le64(token->tag + 8));
    CORE_KEEP(j->parts.tag);
}

/* TK-10 TK-11: what the vCPU remembers of handles that share these bits. */
static inline uint32_t memo_of(uint32_t handle)
{
    return handle & (SVMC_TOKEN_MEMOS - 1);
}

/* TK-11 */
TOKEN_INLINE bool is_locked(const struct svmc_token_vcpu *vcpu, uint32_t handle, uint64_t now)
{
    uint32_t n = memo_of(handle);

    return vcpu->priv.lock[n].handle == handle && now < vcpu->priv.lock[n].until;
}

/* Into the sum as soon as it is known: gcc would keep all of them until the end. */
TOKEN_INLINE void add(uint64_t *sum, uint64_t part)
{
    *sum |= part;
    CORE_KEEP(*sum);
}

/* TK-5: the handle and each part of the binding; `other` is their sum. All that a verdict tells of
   the entry is read here: what is read behind the second look at `live` may be another token's.
   `locks`: some token is locked out on this vCPU. */
TOKEN_INLINE void judge(const struct svmc_token_vcpu *vcpu, const struct svmc_token_caller *caller,
                        uint32_t handle, bool locks, struct judged *j)
{
    const struct svmc_token_entry *e = j->entry;
    struct parts *p = &j->parts;
    uint64_t again;
    uint32_t at;

    p->gone = (j->live ^ (ALIVE | handle >> GENERATION_BITS)) & (ALIVE | GENERATION_MASK);
    add(&j->other, p->gone);
    p->place = (caller->offset | j->head << PLACE_ISA) ^ token_get(&e->priv.place);
    p->page = token_get(&e->priv.page) ^ caller->page;
    add(&j->other, p->place | p->page);
    p->vm = token_get(&e->priv.vm) ^ caller->vm;
    add(&j->other, p->vm);
    p->restored = token_get(&e->priv.vm_generation) ^ caller->vm_generation;
    add(&j->other, p->restored);
    p->root = token_get(&e->priv.root) ^ caller->root;
    add(&j->other, p->root);
    p->context = (caller->thread ^ token_get(&e->priv.thread)) & token_get(&e->priv.thread_mask);
    p->context |= caller->returns - token_get(&e->priv.returns) > token_get(&e->priv.return_span);
    add(&j->other, p->context);
    j->grant = token_get(&e->priv.grant);
    at = caller->vcpu - (uint32_t)(j->grant >> 32);
    p->vcpu = (~(token_get(&e->priv.vcpus) >> (at & 63)) & 1) | at >> 6;
    add(&j->other, p->vcpu);
    p->expired = token_get(&e->priv.until) <= caller->ticks;
    p->locked = locks && is_locked(vcpu, handle, caller->ticks);
    add(&j->other, p->expired | p->locked);
    j->rights = token_get(&e->priv.rights);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    again = j->live ^ token_get(&e->priv.live); /* written meanwhile */
    p->gone |= again;
    add(&j->other, again);
}

/* TK-5: for the hypervisor alone. */
CORE_COLD uint32_t svmc_token_why(const struct svmc_token_pool *pool,
                                  const struct svmc_token_vcpu *vcpu,
                                  const struct svmc_token_caller *caller,
                                  const struct svmc_token *token)
{
    struct judged j;
    const struct parts *p = &j.parts;
    uint32_t given, reasons;

    if (!is_sound(pool, vcpu, caller, token, &j))
        return 0;
    begin(pool, token->handle, &j);
    judge_tag(token, &j); /* TK-14: the later, the more registers are taken, and halves spilled */
    judge_frame(caller, &j);
    judge(vcpu, caller, token->handle, true, &j);
    given = (token->handle >> GENERATION_BITS) - 1 < ((uint32_t)j.live & GENERATION_MASK);
    reasons = any(p->gone) * (given ? SVMC_TOKEN_STALE : SVMC_TOKEN_UNKNOWN) |
              any(p->restored) * SVMC_TOKEN_RESTORED | any(p->expired) * SVMC_TOKEN_EXPIRED |
              any(p->vm) * SVMC_TOKEN_OTHER_VM | any(p->vcpu) * SVMC_TOKEN_OTHER_VCPU |
              any(p->root) * SVMC_TOKEN_OTHER_ROOT |
              any(p->place >> PLACE_ISA) * SVMC_TOKEN_PRIVILEGE |
              any((uint32_t)p->place | p->page) * SVMC_TOKEN_SITE |
              any(p->context) * SVMC_TOKEN_CONTEXT | any(p->frame) * SVMC_TOKEN_REMAPPED |
              any(p->locked) * SVMC_TOKEN_LOCKED | any(p->tag) * SVMC_TOKEN_TAG;
    token_said(&reasons, sizeof reasons);
    return reasons;
}

static void tell(struct svmc_token_pool *pool, const struct svmc_token_caller *caller,
                 uint32_t handle, uint32_t kind, uint64_t what)
{
    struct svmc_token_event event = { .vm = caller->vm,
                                      .ticks = caller->ticks,
                                      .what = what,
                                      .kind = kind,
                                      .handle = handle,
                                      .vcpu = caller->vcpu };

    (void)svmc_token_push(pool, &event);
}

/* TK-11: a token is locked out on this vCPU, in place of another one that shares these bits. */
CORE_APART static uint64_t lock_out(const struct svmc_token_config *c, struct svmc_token_vcpu *vcpu,
                                    uint64_t now, uint32_t handle)
{
    uint32_t n = memo_of(handle), round;
    uint64_t until = UINT64_MAX, ticks;

    if (vcpu->priv.lock[n].handle != handle)
        vcpu->priv.lock[n].rounds = 0;
    round = vcpu->priv.lock[n].rounds & 31;
    ticks = c->lock_ticks << round;
    if (round < c->lock_rounds && ticks >> round == c->lock_ticks && ticks < UINT64_MAX - now) {
        until = now + ticks;
        vcpu->priv.lock[n].rounds++;
    }
    vcpu->priv.lock[n].handle = handle;
    vcpu->priv.lock[n].until = until;
    if (until > vcpu->priv.locked_until)
        vcpu->priv.locked_until = until;
    return until;
}

/* TK-11: what a miss too many leads to. */
CORE_APART static void alarm(struct svmc_token_pool *pool, struct svmc_token_vcpu *vcpu,
                             const struct svmc_token_caller *caller, const struct svmc_token *token)
{
    const struct svmc_token_config *c = &pool->priv.config;

    if (vcpu->priv.misses >= c->miss_limit) {
        vcpu->priv.misses = 0;
        tell(pool, caller, token->handle, SVMC_TOKEN_EVENT_PROBED,
             svmc_token_why(pool, vcpu, caller, token) & ~(uint32_t)SVMC_TOKEN_REMAPPED);
    }
    if (vcpu->priv.near < c->miss_limit)
        return;
    vcpu->priv.near = 0;
    tell(pool, caller, token->handle, SVMC_TOKEN_EVENT_LOCKED,
         lock_out(c, vcpu, caller->ticks, token->handle));
}

/* TK-5 TK-11: the verdict. `unwalked`: not 0 if the frame is not known. */
TOKEN_INLINE void settle(struct svmc_token_pool *pool, struct svmc_token_vcpu *vcpu,
                         const struct svmc_token_caller *caller, const struct svmc_token *token,
                         const struct judged *j, uint64_t unwalked, struct svmc_token_verdict *out)
{
    uint32_t refused = any(j->other | j->parts.tag), guess = refused - any(j->other);
    uint32_t walk = any(unwalked);
    uint32_t limit = pool->priv.config.miss_limit;
    uint64_t all;

    token_said(&refused, sizeof refused);
    token_said(&guess, sizeof guess);
    all = (uint64_t)(refused | walk) - 1;        /* all ones: ALLOWED */
    out->end = (uint8_t)((refused ^ 1) << walk); /* ALLOWED, twice that is WALK */
    out->rights = j->rights & all;
    out->classes = (uint32_t)(j->grant & all);
    vcpu->priv.misses += refused;
    vcpu->priv.near = (vcpu->priv.near + guess) & (0 - refused);
    if (SELDOM((vcpu->priv.misses >= limit) | (vcpu->priv.near >= limit)))
        alarm(pool, vcpu, caller, token);
}

TOKEN_INLINE uint64_t unknown_mapping(const struct svmc_token_vcpu *vcpu,
                                      const struct svmc_token_caller *caller, uint32_t handle,
                                      uint64_t live)
{
    uint32_t n = memo_of(handle);

    return (vcpu->priv.memo[n].live ^ live) | (vcpu->priv.memo[n].handle ^ handle) |
           (vcpu->priv.memo[n].generation ^ caller->stage2_generation);
}

static void remember(struct svmc_token_vcpu *vcpu, const struct svmc_token_caller *caller,
                     uint32_t handle, uint64_t live)
{
    uint32_t n = memo_of(handle);

    if (caller->stage2_generation == 0)
        return;
    vcpu->priv.memo[n].live = live;
    vcpu->priv.memo[n].handle = handle;
    vcpu->priv.memo[n].generation = caller->stage2_generation;
}

TOKEN_INLINE void check(struct svmc_token_pool *pool, struct svmc_token_vcpu *vcpu,
                        const struct svmc_token_caller *caller, const struct svmc_token *token,
                        bool locks, struct judged *j, struct svmc_token_verdict *out)
{
    begin(pool, token->handle, j);
    judge_tag(token, j);
    judge(vcpu, caller, token->handle, locks, j);
    settle(pool, vcpu, caller, token, j, unknown_mapping(vcpu, caller, token->handle, j->live),
           out);
}

/* TK-11: something is locked out on this vCPU. */
CORE_COLD static enum svmc_status check_beside_locks(struct svmc_token_pool *pool,
                                                     struct svmc_token_vcpu *vcpu,
                                                     const struct svmc_token_caller *caller,
                                                     const struct svmc_token *token,
                                                     struct svmc_token_verdict *out)
{
    struct judged j;

    if (!is_sound(pool, vcpu, caller, token, &j))
        return SVMC_ERR_ARG;
    check(pool, vcpu, caller, token, true, &j, out);
    return SVMC_OK;
}

enum svmc_status svmc_token_check(struct svmc_token_pool *pool, struct svmc_token_vcpu *vcpu,
                                  const struct svmc_token_caller *caller,
                                  const struct svmc_token *token, struct svmc_token_verdict *out)
{
    struct judged j;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!is_sound(pool, vcpu, caller, token, &j))
        return SVMC_ERR_ARG;
    if (SELDOM(caller->ticks < vcpu->priv.locked_until))
        return check_beside_locks(pool, vcpu, caller, token, out);
    check(pool, vcpu, caller, token, false, &j, out);
    return SVMC_OK;
}

/* TK-10: a frame that the embedder walked to. */
TOKEN_INLINE void walked(struct svmc_token_pool *pool, struct svmc_token_vcpu *vcpu,
                         const struct svmc_token_caller *caller, const struct svmc_token *token,
                         struct judged *j, struct svmc_token_verdict *out)
{
    uint32_t moved = any(j->parts.frame) & (any(j->other | j->parts.tag) ^ 1);

    token_said(&moved, sizeof moved);
    add(&j->other, j->parts.frame);
    settle(pool, vcpu, caller, token, j, 0, out);
    if (out->end == SVMC_TOKEN_ALLOWED)
        remember(vcpu, caller, token->handle, j->live);
    else if (moved != 0)
        tell(pool, caller, token->handle, SVMC_TOKEN_EVENT_REMAPPED, caller->frame);
}

enum svmc_status svmc_token_check_walk(struct svmc_token_pool *pool, struct svmc_token_vcpu *vcpu,
                                       const struct svmc_token_caller *caller,
                                       const struct svmc_token *token,
                                       struct svmc_token_verdict *out)
{
    struct judged j;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!is_sound(pool, vcpu, caller, token, &j))
        return SVMC_ERR_ARG;
    begin(pool, token->handle, &j);
    judge_frame(caller, &j);
    judge_tag(token, &j);
    judge(vcpu, caller, token->handle, true, &j);
    walked(pool, vcpu, caller, token, &j, out);
    return SVMC_OK;
}

/* TK-12 */
CORE_COLD enum svmc_status svmc_token_call_mac(const struct svmc_crypto_ops *ops, uint32_t mac_alg,
                                               const struct svmc_token *token,
                                               const struct svmc_token_call *call,
                                               uint8_t out[SVMC_TOKEN_TAG_BYTES])
{
    uint64_t key[SVMC_MAC_KEY_BYTES / 8] = { 0 };
    uint8_t text[(SVMC_TOKEN_ARGS + 3) * 8], mac[SVMC_HASH_BYTES] = { 0 };
    struct svmc_bytes piece = { text, sizeof text };
    enum svmc_status st;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, SVMC_TOKEN_TAG_BYTES);
    if (!ops || !CORE_HAS_OP(ops, mac) || !token || !call)
        return SVMC_ERR_ARG;
    memcpy(key, token->tag, sizeof token->tag);
    core_store_le64(text, token->handle);
    core_store_le64(text + 8, call->control);
    for (unsigned n = 0; n < SVMC_TOKEN_ARGS; n++)
        core_store_le64(text + 16 + 8 * (size_t)n, call->arg[n]);
    core_store_le64(text + 16 + 8 * (size_t)SVMC_TOKEN_ARGS, call->counter);
    st = ops->mac(ops->ctx, mac_alg, (const uint8_t *)key, &piece, 1, mac);
    st = core_crypto_verdict(st);
    if (st == SVMC_OK)
        memcpy(out, mac, SVMC_TOKEN_TAG_BYTES);
    core_wipe(key, sizeof key);
    return st;
}

/* TK-12: the first call with this counter, or a greater one, of this writing of the entry. */
CORE_COLD static bool is_new(struct svmc_token_entry *e, uint64_t live, uint64_t counter)
{
    uint64_t mine = COUNTER_OF(live) | counter, last = token_get(&e->priv.counter);

    for (unsigned i = 0; i < COUNTER_TRIES; i++) {
        if (COUNTER_OF(live) != (last >> 32 << 32) || mine <= last)
            return false;
        if (__atomic_compare_exchange_n(&e->priv.counter, &last, mine, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return true;
    }
    return false;
}

CORE_COLD enum svmc_status svmc_token_check_call(struct svmc_token_pool *pool,
                                                 struct svmc_token_vcpu *vcpu,
                                                 const struct svmc_token_caller *caller,
                                                 const struct svmc_token *token,
                                                 const struct svmc_token_call *call,
                                                 struct svmc_token_verdict *out)
{
    struct judged j;
    union { /* the pool's copy, for the time of one MAC */
        struct svmc_token token;
        uint64_t room[3]; /* whole words, to be wiped */
    } kept;
    uint8_t mac[SVMC_TOKEN_TAG_BYTES];
    enum svmc_status st;
    uint32_t refused;
    bool replayed;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!is_sound(pool, vcpu, caller, token, &j) || !call || call->counter > UINT32_MAX ||
        pool->priv.config.mac_alg == 0)
        return SVMC_ERR_ARG;
    begin(pool, token->handle, &j);
    kept.token.handle = token->handle;
    core_store_le64(kept.token.tag, token_get(&j.entry->priv.tag[0]));
    core_store_le64(kept.token.tag + 8, token_get(&j.entry->priv.tag[1]));
    st = svmc_token_call_mac(pool->priv.config.crypto, pool->priv.config.mac_alg, &kept.token, call,
                             mac);
    j.parts.tag = (core_load_le64(mac) ^ core_load_le64(token->tag)) |
                  (core_load_le64(mac + 8) ^ core_load_le64(token->tag + 8));
    CORE_KEEP(j.parts.tag);
    core_wipe(kept.room, sizeof kept.room);
    if (st != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    judge_frame(caller, &j);
    judge(vcpu, caller, token->handle, true, &j);
    refused = any(j.other | j.parts.tag | j.parts.frame);
    token_said(&refused, sizeof refused);
    replayed = refused == 0 && !is_new(j.entry, j.live, call->counter);
    add(&j.other, replayed);
    walked(pool, vcpu, caller, token, &j, out);
    if (replayed)
        tell(pool, caller, token->handle, SVMC_TOKEN_EVENT_REPLAYED, call->counter);
    return SVMC_OK;
}
