/* SPDX-License-Identifier: MIT */
/** What the files of the pool share. docs/spec/token.md. */
#ifndef TOKEN_POOL_PRIVATE_H
#define TOKEN_POOL_PRIVATE_H
#include <stdbool.h>
#include <svmcore/token.h>

#include "../core/bytes.h"
#include "../core/clamp.h"
#include "../core/crypto_ops.h"
#include "../core/memory.h"

#if defined(__GNUC__) || defined(__clang__)
#define SELDOM(condition) __builtin_expect(!!(condition), 0)
#define TOKEN_INLINE      static inline __attribute__((always_inline))
#else
#define SELDOM(condition) (condition)
#define TOKEN_INLINE      static inline
#endif

/* The word `live` of an entry: whose it is, and which writing of it. */
#define ALIVE           ((uint64_t)1 << 63)
#define VERSION         ((uint64_t)1 << 16) /* bits 62:16; grows with each writing */
#define GENERATION_MASK 0xffffu
#define VERSION_START   (((uint64_t)1 << 62) - VERSION) /* half of what bits 62:16 can be */
#define INDEX_MASK      0xffffu
#define GENERATION_BITS 16u

/* The word `place`: offset 31:0, instruction set, privilege. `counter`: version 63:32, counter. */
#define PLACE_ISA        32u
#define PLACE_USER       40u
#define COUNTER_OF(live) ((uint64_t)(uint32_t)((live) >> 16) << 32)

enum { VM_FREE = 0, VM_OPEN = 1, VM_SEALED = 2 };

/* What a check says of a tag is no secret; nothing before it is said may be branched on. The build
   of tests/checks/token_secret.c tells valgrind so. */
#ifdef TOKEN_SECRET_HOOK
void token_said(void *at, size_t n);
#else
#define token_said(at, n) ((void)0)
#endif

/*
 * A check reads words while they are written: each whole, and `live` before and behind them (TK-5).
 */
static inline uint64_t token_get(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline void token_put(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* Nobody is let in by this entry until token_commit. */
static inline uint64_t token_begin(struct svmc_token_entry *e)
{
    uint64_t live = (token_get(&e->priv.live) & ~ALIVE) + VERSION;

    token_put(&e->priv.live, live);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    return live;
}

static inline void token_commit(struct svmc_token_entry *e, uint64_t live)
{
    __atomic_store_n(&e->priv.live, live | ALIVE, __ATOMIC_RELEASE);
}

/* TK-5: what was written is seen by every check that begins from now on. */
static inline void token_settled(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* TK-1: entry 0 for an index that is none. */
static inline struct svmc_token_entry *token_at(const struct svmc_token_pool *pool, uint32_t index)
{
    return pool->priv.config.entries + core_clamp(index, pool->priv.config.entry_count);
}

static inline uint32_t token_index(const struct svmc_token_pool *pool,
                                   const struct svmc_token_entry *e)
{
    return (uint32_t)(e - pool->priv.config.entries);
}

static inline uint32_t token_handle(const struct svmc_token_pool *pool,
                                    const struct svmc_token_entry *e)
{
    return ((uint32_t)e->priv.live & GENERATION_MASK) << GENERATION_BITS | token_index(pool, e);
}

/* The living entry of a handle, or NULL; for those who hold the lock. */
static inline struct svmc_token_entry *token_find(const struct svmc_token_pool *pool,
                                                  uint32_t handle)
{
    struct svmc_token_entry *e = token_at(pool, handle & INDEX_MASK);
    uint64_t want = ALIVE | handle >> GENERATION_BITS;

    return (token_get(&e->priv.live) & (ALIVE | GENERATION_MASK)) == want ? e : NULL;
}

struct svmc_token_vm *svmc_token_find_vm(const struct svmc_token_pool *pool, uint64_t vm);
void svmc_token_kill(struct svmc_token_pool *pool, struct svmc_token_entry *e);
void svmc_token_kill_vm(struct svmc_token_pool *pool, uint64_t vm);
void svmc_token_kill_subtree(struct svmc_token_pool *pool, struct svmc_token_entry *top);

/* TK-15: on any thread; false: it was counted as lost. */
bool svmc_token_push(struct svmc_token_pool *pool, const struct svmc_token_event *event);
/* The same for what no guest may keep from being told; `stays`: it comes again, and is not lost. */
bool svmc_token_push_due(struct svmc_token_pool *pool, const struct svmc_token_event *event,
                         bool stays);

#endif
