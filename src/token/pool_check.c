/* SPDX-License-Identifier: MIT */
/** A call is judged: the same work for every token, and for none. docs/spec/token.md. */
#include "pool_private.h"

#define COUNTER_TRIES 4u /* somebody else's call came between */

/* One check on its way. */
struct judged {
    struct svmc_token_entry *entry;
    uint64_t live; /* before the entry was read */
    uint64_t head; /* isa, user, reserved */
    uint32_t why;
};

/* `reason` if any bit differs; a product, so that no compiler has something to jump over. */
static inline uint32_t flag(uint64_t differs, uint32_t reason)
{
    return (uint32_t)((differs | (0 - differs)) >> 63) * reason;
}

static bool is_sound(const struct svmc_token_pool *pool, const struct svmc_token_vcpu *vcpu,
                     const struct svmc_token_caller *caller, const struct svmc_token *token,
                     struct judged *j)
{
    if (SELDOM(!pool || !vcpu || !caller || !token || !pool->priv.config.entries))
        return false;
    j->head = core_load_le64((const uint8_t *)caller + offsetof(struct svmc_token_caller, isa));
    return (j->head >> 9) == 0; /* user is 0 or 1, the rest 0 */
}

static inline void begin(const struct svmc_token_pool *pool, uint32_t handle, struct judged *j)
{
    j->entry = token_at(pool, handle & INDEX_MASK);
    j->live = __atomic_load_n(&j->entry->priv.live, __ATOMIC_ACQUIRE);
}

/* TK-5: each part of the binding; `tag`: a word that is 0 if the tag is the right one. */
static inline void judge(const struct svmc_token_vcpu *vcpu, const struct svmc_token_caller *caller,
                         uint32_t handle, uint64_t tag, struct judged *j)
{
    const struct svmc_token_entry *e = j->entry;
    uint64_t place = (caller->offset | j->head << PLACE_ISA) ^ token_get(&e->priv.place);
    uint64_t thread =
        (caller->thread ^ token_get(&e->priv.thread)) & token_get(&e->priv.thread_mask);
    uint64_t returns = caller->returns - token_get(&e->priv.returns);
    uint32_t at = caller->vcpu - (uint32_t)(token_get(&e->priv.grant) >> 32);
    uint64_t vcpus = token_get(&e->priv.vcpus), gone;
    uint32_t generation = handle >> GENERATION_BITS;
    uint32_t given = generation - 1 < ((uint32_t)j->live & GENERATION_MASK);
    uint32_t why;

    why = flag(tag, SVMC_TOKEN_TAG);
    why |= flag(token_get(&e->priv.vm) ^ caller->vm, SVMC_TOKEN_OTHER_VM);
    why |= flag(token_get(&e->priv.vm_generation) ^ caller->vm_generation, SVMC_TOKEN_RESTORED);
    why |= flag(token_get(&e->priv.root) ^ caller->root, SVMC_TOKEN_OTHER_ROOT);
    why |= flag((token_get(&e->priv.page) ^ caller->page) | (uint32_t)place, SVMC_TOKEN_SITE);
    why |= flag(place >> PLACE_ISA, SVMC_TOKEN_PRIVILEGE);
    why |= flag(thread, SVMC_TOKEN_CONTEXT);
    why |= (uint32_t)(returns > token_get(&e->priv.return_span)) * SVMC_TOKEN_CONTEXT;
    why |= flag((~vcpus >> (at & 63) & 1) | at >> 6, SVMC_TOKEN_OTHER_VCPU);
    why |= (uint32_t)(token_get(&e->priv.until) <= caller->ticks) * SVMC_TOKEN_EXPIRED;
    why |= (uint32_t)(caller->ticks < vcpu->priv.locked_until) * SVMC_TOKEN_LOCKED;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    gone = ((j->live ^ (ALIVE | generation)) & (ALIVE | GENERATION_MASK)) |
           (j->live ^ token_get(&e->priv.live)); /* written meanwhile */
    why |= flag(gone, SVMC_TOKEN_STALE);
    why |= flag(gone, SVMC_TOKEN_UNKNOWN) & (given - 1);
    j->why |= why;
}

static inline uint64_t tag_of(const struct svmc_token_entry *e, const uint8_t *tag)
{
    uint64_t differs = (token_get(&e->priv.tag[0]) ^ core_load_le64(tag)) |
                       (token_get(&e->priv.tag[1]) ^ core_load_le64(tag + 8));

    CORE_KEEP(differs);
    return differs;
}

/* TK-11: what a miss too many leads to. */
CORE_COLD static void alarm(struct svmc_token_pool *pool, struct svmc_token_vcpu *vcpu,
                            const struct svmc_token_caller *caller, uint32_t handle, uint32_t why)
{
    const struct svmc_token_config *c = &pool->priv.config;
    struct svmc_token_event event = {
        .vm = caller->vm, .ticks = caller->ticks, .handle = handle, .vcpu = caller->vcpu
    };

    if (why == SVMC_TOKEN_REMAPPED) {
        event.kind = SVMC_TOKEN_EVENT_REMAPPED;
        event.what = caller->frame;
        (void)svmc_token_push(pool, &event);
    }
    if (vcpu->priv.misses >= c->miss_limit) {
        vcpu->priv.misses = 0;
        event.kind = SVMC_TOKEN_EVENT_PROBED;
        event.what = why;
        (void)svmc_token_push(pool, &event);
    }
    if (vcpu->priv.near >= c->miss_limit) {
        uint64_t ticks = c->lock_ticks << (vcpu->priv.rounds & 31);
        bool ends = vcpu->priv.rounds < c->lock_rounds &&
                    ticks >> (vcpu->priv.rounds & 31) == c->lock_ticks &&
                    ticks < UINT64_MAX - caller->ticks;

        vcpu->priv.near = 0;
        vcpu->priv.rounds += vcpu->priv.rounds < c->lock_rounds;
        vcpu->priv.locked_until = ends ? caller->ticks + ticks : UINT64_MAX;
        event.kind = SVMC_TOKEN_EVENT_LOCKED;
        event.what = vcpu->priv.locked_until;
        (void)svmc_token_push(pool, &event);
    }
}

/* TK-5 TK-11: the verdict. `unwalked`: not 0 if the frame is not known. */
static inline void settle(struct svmc_token_pool *pool, struct svmc_token_vcpu *vcpu,
                          const struct svmc_token_caller *caller, uint32_t handle,
                          const struct judged *j, uint64_t unwalked, struct svmc_token_verdict *out)
{
    uint32_t refused = flag(j->why, 1), walk = flag(unwalked, 1) & (refused ^ 1);
    uint32_t near = flag(j->why ^ SVMC_TOKEN_TAG, 1) ^ 1, limit = pool->priv.config.miss_limit;
    uint64_t all = (uint64_t)(refused | walk) - 1; /* all ones: ALLOWED */

    out->why = j->why;
    out->end = (uint8_t)((refused ^ 1) + walk);
    out->rights = token_get(&j->entry->priv.rights) & all;
    out->classes = (uint32_t)(token_get(&j->entry->priv.grant) & all);
    vcpu->priv.misses += refused;
    vcpu->priv.near = (vcpu->priv.near + near) & (0 - refused);
    if (SELDOM((vcpu->priv.misses >= limit) | (vcpu->priv.near >= limit) |
               (j->why == SVMC_TOKEN_REMAPPED)))
        alarm(pool, vcpu, caller, handle, j->why);
}

/* TK-10: what the vCPU remembers of handles that share these bits. */
static inline uint32_t memo_of(uint32_t handle)
{
    return handle & (SVMC_TOKEN_MEMOS - 1);
}

static inline uint64_t unknown_mapping(const struct svmc_token_vcpu *vcpu,
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

enum svmc_status svmc_token_check(struct svmc_token_pool *pool, struct svmc_token_vcpu *vcpu,
                                  const struct svmc_token_caller *caller,
                                  const struct svmc_token *token, struct svmc_token_verdict *out)
{
    struct judged j = { 0 };

    if (SELDOM(!out))
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (SELDOM(!is_sound(pool, vcpu, caller, token, &j)))
        return SVMC_ERR_ARG;
    begin(pool, token->handle, &j);
    judge(vcpu, caller, token->handle, tag_of(j.entry, token->tag), &j);
    token_said(&j.why, sizeof j.why);
    settle(pool, vcpu, caller, token->handle, &j,
           unknown_mapping(vcpu, caller, token->handle, j.live), out);
    return SVMC_OK;
}

/* TK-10: a frame that the embedder walked to. */
static void walked(struct svmc_token_pool *pool, struct svmc_token_vcpu *vcpu,
                   const struct svmc_token_caller *caller, uint32_t handle, struct judged *j,
                   struct svmc_token_verdict *out)
{
    settle(pool, vcpu, caller, handle, j, 0, out);
    if (out->end == SVMC_TOKEN_ALLOWED)
        remember(vcpu, caller, handle, j->live);
}

static inline void judge_frame(const struct svmc_token_caller *caller, struct judged *j)
{
    j->why |= flag(token_get(&j->entry->priv.frame) ^ caller->frame, SVMC_TOKEN_REMAPPED);
}

enum svmc_status svmc_token_check_walk(struct svmc_token_pool *pool, struct svmc_token_vcpu *vcpu,
                                       const struct svmc_token_caller *caller,
                                       const struct svmc_token *token,
                                       struct svmc_token_verdict *out)
{
    struct judged j = { 0 };

    if (SELDOM(!out))
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (SELDOM(!is_sound(pool, vcpu, caller, token, &j)))
        return SVMC_ERR_ARG;
    begin(pool, token->handle, &j);
    judge_frame(caller, &j);
    judge(vcpu, caller, token->handle, tag_of(j.entry, token->tag), &j);
    token_said(&j.why, sizeof j.why);
    walked(pool, vcpu, caller, token->handle, &j, out);
    return SVMC_OK;
}

/* TK-12 */
CORE_COLD enum svmc_status svmc_token_call_mac(const struct svmc_crypto_ops *crypto,
                                               uint32_t mac_alg, const struct svmc_token *token,
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
    if (!crypto || !HAS_CRYPTO_OP(crypto, mac) || !token || !call)
        return SVMC_ERR_ARG;
    memcpy(key, token->tag, sizeof token->tag);
    core_store_le64(text, token->handle);
    core_store_le64(text + 8, call->control);
    for (unsigned n = 0; n < SVMC_TOKEN_ARGS; n++)
        core_store_le64(text + 16 + 8 * (size_t)n, call->arg[n]);
    core_store_le64(text + 16 + 8 * (size_t)SVMC_TOKEN_ARGS, call->counter);
    st = core_crypto_verdict(
        crypto->mac(crypto->ctx, mac_alg, (const uint8_t *)key, &piece, 1, mac));
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
    struct judged j = { 0 };
    union { /* the pool's copy, for the time of one MAC */
        struct svmc_token token;
        uint64_t words[(sizeof(struct svmc_token) + 7) / 8];
    } kept;
    uint8_t mac[SVMC_TOKEN_TAG_BYTES];
    enum svmc_status st;
    uint64_t differs;

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
    differs = (core_load_le64(mac) ^ core_load_le64(token->tag)) |
              (core_load_le64(mac + 8) ^ core_load_le64(token->tag + 8));
    CORE_KEEP(differs);
    core_wipe(kept.words, sizeof kept.words);
    if (st != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    judge_frame(caller, &j);
    judge(vcpu, caller, token->handle, differs, &j);
    token_said(&j.why, sizeof j.why);
    if (j.why == 0 && !is_new(j.entry, j.live, call->counter))
        j.why = SVMC_TOKEN_REPLAYED;
    walked(pool, vcpu, caller, token->handle, &j, out);
    return SVMC_OK;
}
