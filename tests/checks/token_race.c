/* SPDX-License-Identifier: MIT */
/*
 * Four vCPUs check tokens while each of them, under the embedder's lock, also enrols, rotates,
 * revokes and restores (TK-5, TK-12, TK-15). SVMC_COUNT: operations of all four. With
 * ThreadSanitizer too: part token-race of tools/test.
 *
 * What is published of a token has a version, odd while it changes. Nothing changed during a check:
 * the verdict is exactly what was published. Else: what was dead before the check stays refused.
 */
#include <pthread.h>
#include <stdlib.h>
#include <svmcore/insn.h>
#include <svmcore/token.h>

#include "../harness.h"

#define VCPUS  4u
#define TOKENS 6u
#define ROUND  64u /* counters that all vCPUs try at the same time */

/* atomic, all of it */
struct published {
    uint32_t version, alive;
    uint64_t handle, tag[2];
    uint64_t old_handle, old_tag[2]; /* the last one that died; handle 0: none yet */
};

static struct svmc_token_pool pool;
static struct svmc_token_entry entries[TOKENS + 1];
static struct svmc_token_vm vms[1];
static struct svmc_token_slot events[16];
static struct svmc_token_vcpu vcpus[VCPUS];
static struct published published[TOKENS];
static struct svmc_token token[TOKENS]; /* under the lock */
static uint64_t generation = 1, stage2 = 1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t start;
static uint64_t secret, bad, stable, moved, reported, full, seen, lost, changes;
static uint8_t once[1u << 20]; /* by counter: how often it was allowed; atomic */
static uint64_t operations;

static uint64_t load(const uint64_t *at)
{
    return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static void store(uint64_t *at, uint64_t value)
{
    __atomic_store_n(at, value, __ATOMIC_RELEASE);
}

static void count(uint64_t *at)
{
    __atomic_fetch_add(at, 1, __ATOMIC_RELAXED);
}

static enum svmc_status draw(void *ctx, void *dst, size_t n)
{
    uint64_t words[2] = { harness_random(&secret), harness_random(&secret) };

    (void)ctx;
    memcpy(dst, words, n);
    return SVMC_OK;
}

/* No MAC, but different for different calls: what is tried here is the order. */
static enum svmc_status mix(void *ctx, uint32_t alg, const uint8_t *key,
                            const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    uint64_t state = alg, word = pieces;

    (void)ctx;
    for (unsigned n = 0; n < 32; n++)
        state = state * 31 + key[n];
    for (size_t n = 0; n < piece->bytes; n++)
        state = state * 31 + ((const uint8_t *)piece->at)[n];
    for (unsigned n = 0; n < 4; n++) {
        word = harness_random(&state);
        memcpy(out + 8 * n, &word, 8);
    }
    return SVMC_OK;
}

static const struct svmc_crypto_ops crypto = { .size = sizeof crypto, .random = draw, .mac = mix };

static struct svmc_token_caller caller_on(uint32_t vcpu)
{
    return (struct svmc_token_caller){ .vm = 1,
                                       .vm_generation = load(&generation),
                                       .stage2_generation = load(&stage2),
                                       .root = 0x1000,
                                       .page = 0x2000,
                                       .frame = 0x3000,
                                       .ticks = 1,
                                       .vcpu = vcpu,
                                       .isa = SVMC_ISA_X86_64 };
}

/* ---- under the lock ---------------------------------------------------------------------------*/

static void changing(unsigned n)
{
    __atomic_fetch_add(&published[n].version, 1, __ATOMIC_SEQ_CST);
}

static void changed(unsigned n, bool alive)
{
    struct published *p = &published[n];
    uint64_t tag[2];

    if (__atomic_load_n(&p->alive, __ATOMIC_RELAXED)) {
        store(&p->old_handle, load(&p->handle));
        store(&p->old_tag[0], load(&p->tag[0]));
        store(&p->old_tag[1], load(&p->tag[1]));
    }
    memcpy(tag, token[n].tag, sizeof tag);
    store(&p->handle, token[n].handle);
    store(&p->tag[0], tag[0]);
    store(&p->tag[1], tag[1]);
    __atomic_store_n(&p->alive, alive, __ATOMIC_RELEASE);
    __atomic_fetch_add(&p->version, 1, __ATOMIC_SEQ_CST);
}

static void change_one(unsigned n, uint64_t what, uint32_t vcpu)
{
    struct svmc_token_caller c = caller_on(vcpu);
    const struct svmc_token_grant grant = { .rights = n + 1,
                                            .vcpus = 15,
                                            .classes = 2u << n,
                                            .until = SVMC_TOKEN_FOREVER,
                                            .page = 0x2000,
                                            .frame = 0x3000 };
    bool alive = __atomic_load_n(&published[n].alive, __ATOMIC_RELAXED);
    enum svmc_status st;

    changing(n);
    if (!alive)
        st = svmc_token_enrol(&pool, &c, &grant, SVMC_OK, &token[n]);
    else if (what & 1)
        st = svmc_token_rotate(&pool, token[n].handle, NULL, &token[n]);
    else
        st = svmc_token_revoke(&pool, token[n].handle);
    bad += st != SVMC_OK && !(st == SVMC_ERR_FULL && !alive); /* FULL: entries are used up */
    changed(n, st == SVMC_OK && (!alive || (what & 1)));
}

static void change_all(void)
{
    for (unsigned n = 0; n < TOKENS; n++)
        changing(n);
    bad += svmc_token_vm_restore(&pool, 1, generation + 1) != SVMC_OK;
    store(&generation, generation + 1);
    for (unsigned n = 0; n < TOKENS; n++)
        changed(n, false);
}

static void drain(void)
{
    struct svmc_token_event event;

    do {
        bad += svmc_token_event_next(&pool, &event) != SVMC_OK;
        seen += event.kind == SVMC_TOKEN_EVENT_OWN;
        lost += event.kind == SVMC_TOKEN_EVENT_LOST ? event.what : 0;
        bad += event.kind == SVMC_TOKEN_EVENT_LOCKED || event.kind == SVMC_TOKEN_EVENT_PROBED;
    } while (event.kind != SVMC_TOKEN_EVENT_NONE);
}

/* ---- on every vCPU ----------------------------------------------------------------------------*/

static unsigned try(uint32_t vcpu, unsigned n, const uint64_t *handle, const uint64_t *tag)
{
    struct svmc_token_caller c = caller_on(vcpu);
    struct svmc_token t = { .handle = (uint32_t)load(handle) };
    struct svmc_token_verdict verdict;
    uint64_t words[2] = { load(&tag[0]), load(&tag[1]) };

    memcpy(t.tag, words, sizeof words);
    if (svmc_token_check(&pool, &vcpus[vcpu], &c, &t, &verdict) != SVMC_OK)
        count(&bad);
    if (verdict.end == SVMC_TOKEN_WALK &&
        svmc_token_check_walk(&pool, &vcpus[vcpu], &c, &t, &verdict) != SVMC_OK)
        count(&bad);
    if (verdict.end == SVMC_TOKEN_ALLOWED &&
        (verdict.rights != n + 1 || verdict.classes != 2u << n)) /* another token's */
        count(&bad);
    return verdict.end;
}

static void check(uint32_t vcpu, unsigned n, bool old)
{
    const struct published *p = &published[n];
    uint32_t before = __atomic_load_n(&p->version, __ATOMIC_SEQ_CST), after;
    bool alive = __atomic_load_n(&p->alive, __ATOMIC_ACQUIRE);
    unsigned end =
        old ? try(vcpu, n, &p->old_handle, p->old_tag) : try(vcpu, n, &p->handle, p->tag);

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    after = __atomic_load_n(&p->version, __ATOMIC_SEQ_CST);
    if (before % 2 == 0 && before == after) {
        count(&stable);
        if (end != (alive && !old ? SVMC_TOKEN_ALLOWED : SVMC_TOKEN_REFUSED))
            count(&bad);
    } else {
        count(&moved);
    }
}

/* TK-12: all vCPUs make the same calls; each is allowed once. */
static void check_once(uint32_t vcpu, unsigned n, uint64_t rng)
{
    struct svmc_token_caller c = caller_on(vcpu);
    const struct published *p = &published[n];
    struct svmc_token t = { .handle = (uint32_t)load(&p->handle) }, sent = t;
    uint64_t words[2] = { load(&p->tag[0]), load(&p->tag[1]) };
    struct svmc_token_call call = { .counter = 1 + rng % ROUND };
    struct svmc_token_verdict verdict;
    uint32_t key;

    memcpy(t.tag, words, sizeof words);
    if (svmc_token_call_mac(&crypto, 1, &t, &call, sent.tag) != SVMC_OK ||
        svmc_token_check_call(&pool, &vcpus[vcpu], &c, &sent, &call, &verdict) != SVMC_OK)
        count(&bad);
    if (verdict.end != SVMC_TOKEN_ALLOWED)
        return;
    /* by handle, tag and counter: one that comes twice is no accident in 2^20 but a replay */
    rng = words[0] ^ words[1] << 7 ^ t.handle ^ call.counter << 40;
    key = (uint32_t)(harness_random(&rng) & (sizeof once - 1));
    __atomic_fetch_add(&once[key], 1, __ATOMIC_RELAXED);
}

static void *vcpu_main(void *arg)
{
    uint32_t vcpu = *(const uint32_t *)arg;
    uint64_t rng = harness_seed() + 0x1234567 * vcpu, mine = operations / VCPUS;

    pthread_barrier_wait(&start);
    for (uint64_t turn = 0; turn < mine; turn++) {
        uint64_t r = harness_random(&rng);
        unsigned n = (unsigned)(r >> 32) % TOKENS, what = (unsigned)(r & 0xff);

        if (what < 6) {
            pthread_mutex_lock(&lock);
            changes++;
            if (what == 0 && (r >> 20 & 15) == 0)
                change_all();
            else
                change_one(n, r >> 16, vcpu);
            drain();
            pthread_mutex_unlock(&lock);
        } else if (what < 8) {
            struct svmc_token_event own = { .kind = SVMC_TOKEN_EVENT_OWN };
            enum svmc_status st = svmc_token_report(&pool, &own);

            if (st != SVMC_OK && st != SVMC_ERR_FULL)
                count(&bad);
            count(st == SVMC_OK ? &reported : &full);
        } else if (what == 8) {
            store(&stage2, 1 + (r >> 40));
        } else if (what < 20) {
            check_once(vcpu, n, r >> 24);
        } else {
            check(vcpu, n, what & 1);
        }
    }
    return NULL;
}

TEST(token_race, checks_beside_changes) /* TK-5 TK-12 TK-15 */
{
    const struct svmc_token_config config = { .crypto = &crypto,
                                              .entries = entries,
                                              .vms = vms,
                                              .events = events,
                                              .entry_count = TOKENS + 1,
                                              .vm_count = 1,
                                              .event_count = 16,
                                              .mac_alg = 1,
                                              .miss_limit = UINT32_MAX,
                                              .lock_ticks = 1 };
    const char *env = getenv("SVMC_COUNT");
    uint32_t number[VCPUS];
    pthread_t thread[VCPUS];

    operations = env ? strtoull(env, NULL, 0) : 200000;
    secret = harness_seed() ^ 0x5eed;
    REQUIRE(svmc_token_pool_init(&pool, &config) == SVMC_OK);
    REQUIRE(svmc_token_vm_open(&pool, 1, 1) == SVMC_OK);
    REQUIRE(pthread_barrier_init(&start, NULL, VCPUS) == 0);
    for (uint32_t n = 0; n < VCPUS; n++) {
        number[n] = n;
        svmc_token_vcpu_init(&vcpus[n]);
        REQUIRE(pthread_create(&thread[n], NULL, vcpu_main, &number[n]) == 0);
    }
    for (uint32_t n = 0; n < VCPUS; n++)
        pthread_join(thread[n], NULL);
    drain();
    printf("%" PRIu64 " operations: %" PRIu64 " checks of a state that stood, %" PRIu64
           " of one that moved, %" PRIu64 " changes, %" PRIu64 " events, %" PRIu64 " lost\n",
           operations, stable, moved, changes, seen, lost);
    CHECK_EQ(bad, 0);
    CHECK_EQ(seen, reported);
    CHECK(lost >= full, "%" PRIu64, full); /* others are lost, too */
    CHECK(stable > operations / 2);
}
