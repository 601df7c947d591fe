/* SPDX-License-Identifier: MIT */
/*
 * A host that gets its keys from a KMIP server: test_kmip.py tells it what to do, line by line.
 *   client ADDRESS PORT NAME CA [CERTIFICATE KEY] < commands
 *   get ID MS  forget the key, fetch it, wrap a VM key with it
 *   renew ID MS                  the same, and the kept connection is gone before
 *   two ID,ID MS                 two at a time
 *   have ID                      is it in the cache?
 *   load ID MS                   a vCPU works while fetches of ID are open, and while none is
 *   drop                         the cache; how many connections, how many took up a session
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <svmcore/key_cache.h>
#include <svmcore/port/kmip.h>
#include <svmcore/port/openssl.h>
#include <time.h>
#include <unistd.h>

#define MS      1000000u
#define EXITS   60000u /* of the vCPU, a batch */
#define BATCHES 6u     /* of each kind */

static struct svmc_kmip_config where;
static struct svmc_kmip *kmip;
static struct svmc_key_cache cache;
static struct svmc_keyarena arena;
static struct svmc_vmkey vmkey;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Alignas(64) uint8_t memory[SVMC_KEY_CACHE_BYTES(8)], keys[SVMC_KEYARENA_BYTES(2)];

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static void need(bool ok, const char *what)
{
    if (!ok) {
        printf("error %s\n", what);
        exit(3);
    }
}

static void begin(uint64_t timeout_ns)
{
    const struct svmc_key_cache_config config = {
        .crypto = svmc_openssl_ops(),
        .provider = { svmc_kmip_ops(kmip) },
        .providers = 1,
        .derive = SVMC_ALG_HKDF_SHA_256,
        .timeout_ns = timeout_ns,
        .hedge_ns = MS,
        .negative_ns = 20 * MS,
        .lease_ns = (uint64_t)3600 * 1000 * MS,
    };

    svmc_key_cache_drop(&cache);
    need(svmc_key_cache_init(&cache, &config, memory, sizeof memory) == SVMC_OK, "cache");
}

static struct svmc_key_wanted wanted(const char *id)
{
    return (struct svmc_key_wanted){ .id = (const uint8_t *)id,
                                     .id_bytes = strlen(id),
                                     .name = "kmip",
                                     .alg = SVMC_KEY_FOR_AES,
                                     .usage = SVMC_KEY_MAY_SEAL | SVMC_KEY_MAY_OPEN };
}

/* A step, and what it took of this thread's processor time. @return when to step again. */
static uint64_t step(uint64_t *longest)
{
    uint64_t before = clock_ns(CLOCK_THREAD_CPUTIME_ID), took, wake;

    pthread_mutex_lock(&lock);
    (void)svmc_key_cache_step(&cache, now_ns(), &wake);
    pthread_mutex_unlock(&lock);
    took = clock_ns(CLOCK_THREAD_CPUTIME_ID) - before;
    if (took > *longest)
        *longest = took;
    return wake;
}

static void wait_for_it(uint64_t wake_ns)
{
    struct pollfd ready = { .fd = -1 };
    uint64_t now = now_ns();
    uint64_t ns = wake_ns > now ? wake_ns - now : 0;
    int ms = ns < 60000 * (uint64_t)MS ? (int)((ns + MS - 1) / MS) : 60000;

    ready.fd = svmc_kmip_wait(kmip, &ready.events);
    (void)poll(&ready, 1, ms);
}

struct fetched {
    uint32_t reason;
    uint64_t took, longest; /* of it all; of a step's processor time */
};

/* Fetch, and use: what a parked vCPU waits for. */
static struct fetched fetch(const char *id, uint64_t timeout_ms)
{
    const struct svmc_key_wanted want = wanted(id);
    uint8_t stored[SVMC_VMKEY_BLOB_BYTES];
    const struct svmc_key_blob blob = { .key = &vmkey, .to = stored, .aead = SVMC_ALG_AES_256_GCM };
    uint64_t start = now_ns(), wake;
    struct fetched result = { 0 };
    struct svmc_key_news news;
    enum svmc_status st;

    begin(timeout_ms * MS);
    while ((st = svmc_key_cache_wrap(&cache, now_ns(), &want, &blob, &news)) == SVMC_ERR_ABSENT) {
        wake = step(&result.longest);
        if (svmc_key_cache_get(&cache, now_ns(), &want, &news) == SVMC_ERR_ABSENT)
            wait_for_it(wake);
    }
    result.reason = st == SVMC_OK ? (uint32_t)SVMC_FETCH_NONE : news.reason;
    result.took = now_ns() - start;
    return result;
}

static void get(const char *id, uint64_t timeout_ms, bool renew)
{
    struct fetched result;

    if (renew) {
        svmc_key_cache_drop(&cache);
        svmc_kmip_close(kmip);
        need(svmc_kmip_open(&kmip, &where) == SVMC_OK, "open");
    }
    result = fetch(id, timeout_ms);
    printf("%s %llu %llu\n", svmc_fetch_name(result.reason), (unsigned long long)result.took / 1000,
           (unsigned long long)result.longest / 1000);
}

/* Two at a time over one connection, the second one in the entry before the first one's. */
static void two(const char *first, const char *second, uint64_t timeout_ms)
{
    const struct svmc_key_wanted one = wanted(first), other = wanted(second);
    enum svmc_status st[2] = { SVMC_ERR_ABSENT, SVMC_ERR_ABSENT };
    struct svmc_key_news news;
    uint64_t start, longest = 0;

    need(fetch(second, timeout_ms).reason == SVMC_FETCH_NONE, "the second one");
    start = now_ns();
    st[0] = svmc_key_cache_get(&cache, now_ns(), &one, &news);
    for (uint32_t i = 0; i < 3; i++)
        (void)step(&longest);
    svmc_key_cache_evict(&cache, other.id, other.id_bytes);
    for (;;) {
        st[0] = svmc_key_cache_get(&cache, now_ns(), &one, &news);
        st[1] = svmc_key_cache_get(&cache, now_ns(), &other, &news);
        if (st[0] != SVMC_ERR_ABSENT && st[1] != SVMC_ERR_ABSENT)
            break;
        wait_for_it(step(&longest));
    }
    printf("%s %llu %llu\n", st[0] == SVMC_OK && st[1] == SVMC_OK ? "SVMC_FETCH_NONE" : "failed",
           (unsigned long long)(now_ns() - start) / 1000, (unsigned long long)longest / 1000);
}

static void have(const char *id)
{
    const struct svmc_key_wanted want = wanted(id);
    struct svmc_key_news news;
    enum svmc_status st = svmc_key_cache_get(&cache, now_ns(), &want, &news);

    printf("%s\n", st == SVMC_OK ? "yes" : "no");
}

/* ---- a vCPU beside it ------------------------------------------------------------------------*/

struct exits {
    uint64_t p99, cpu; /* of an exit, wall time; of a library call, its own */
};
static uint64_t times[EXITS];
static atomic_int under_way, over;

static int by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* A vCPU's exits: a page is sealed, and now and then a key is asked for that is there. */
static struct exits work(const struct svmc_key_wanted *want)
{
    static _Alignas(64) struct svmc_cipher_key room;
    static uint8_t page[4096], tag[16], nonce[16];
    const struct svmc_crypto_ops *ops = svmc_openssl_ops();
    const struct svmc_cipher_unit u = {
        .nonce = nonce, .in = page, .out = page, .n = sizeof page, .tag = tag
    };
    struct exits result = { 0 };

    need(ops->cipher_load(ops->ctx, &room, SVMC_ALG_AES_256_GCM, memory, 1) == SVMC_OK, "load");
    for (uint32_t i = 0; i < EXITS; i++) {
        uint64_t start = now_ns(), cpu = 0;
        struct svmc_key_news news;

        memcpy(nonce, &i, sizeof i);
        need(ops->seal(ops->ctx, &room, &u) == SVMC_OK, "seal");
        if (i % 64 == 0) {
            pthread_mutex_lock(&lock);
            cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
            need(svmc_key_cache_get(&cache, now_ns(), want, &news) == SVMC_OK, "held");
            cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
            pthread_mutex_unlock(&lock);
        }
        if (cpu > result.cpu)
            result.cpu = cpu;
        times[i] = now_ns() - start;
    }
    ops->cipher_drop(ops->ctx, &room);
    qsort(times, EXITS, sizeof times[0], by_size);
    result.p99 = times[EXITS / 100 * 99];
    return result;
}

/* The host's thread for keys: with a fetch open all the time, or as busy without one. */
static void *serve(void *argument)
{
    const struct svmc_key_wanted *want = argument;
    static uint64_t longest;
    struct svmc_key_news news;

    while (!atomic_load(&over)) {
        if (atomic_load(&under_way)) {
            pthread_mutex_lock(&lock);
            (void)!svmc_key_cache_get(&cache, now_ns(), want, &news);
            pthread_mutex_unlock(&lock);
        }
        (void)step(&longest);
        usleep(1000);
    }
    return &longest;
}

static void load(const char *id, uint64_t timeout_ms)
{
    struct svmc_key_wanted held = wanted("1"), missed = wanted(id);
    struct exits best[2] = { { UINT64_MAX, 0 }, { UINT64_MAX, 0 } };
    pthread_t thread;
    uint64_t before;
    void *longest;

    need(fetch("1", timeout_ms).reason == SVMC_FETCH_NONE, "a key to be held");
    before = svmc_key_cache_count(&cache, SVMC_KEY_COUNT_FETCH);
    atomic_store(&over, 0);
    need(pthread_create(&thread, NULL, serve, &missed) == 0, "thread");
    for (uint32_t i = 0; i < 2 * BATCHES; i++) {
        struct exits now;

        atomic_store(&under_way, (int)(i % 2));
        now = work(&held);
        if (now.p99 < best[i % 2].p99)
            best[i % 2].p99 = now.p99;
        if (now.cpu > best[i % 2].cpu)
            best[i % 2].cpu = now.cpu;
    }
    atomic_store(&over, 1);
    pthread_join(thread, &longest);
    printf("%llu %llu %llu %llu %llu\n", (unsigned long long)best[0].p99,
           (unsigned long long)best[1].p99, (unsigned long long)best[1].cpu / 1000,
           (unsigned long long)*(uint64_t *)longest / 1000,
           (unsigned long long)(svmc_key_cache_count(&cache, SVMC_KEY_COUNT_FETCH) - before));
}

static void obey(const char *command, char *id, uint64_t ms)
{
    if (strcmp(command, "get") == 0 || strcmp(command, "renew") == 0) {
        get(id, ms, command[0] == 'r');
    } else if (strcmp(command, "two") == 0 && strchr(id, ',')) {
        *strchr(id, ',') = '\0';
        two(id, id + strlen(id) + 1, ms);
    } else if (strcmp(command, "have") == 0) {
        have(id);
    } else if (strcmp(command, "load") == 0) {
        load(id, ms);
    } else if (strcmp(command, "drop") == 0) {
        uint64_t resumed, connections = svmc_kmip_connections(kmip, &resumed);

        svmc_key_cache_drop(&cache);
        printf("%llu %llu\n", (unsigned long long)connections, (unsigned long long)resumed);
    } else {
        printf("error command\n");
    }
}

int main(int argc, char **argv)
{
    char line[256], command[32], id[128];
    static const uint8_t vm[16] = "virtual machine";
    unsigned long long ms;
    enum svmc_status st;

    if (argc != 5 && argc != 7)
        return 2;
    where = (struct svmc_kmip_config){ .address = argv[1],
                                       .port = argv[2],
                                       .name = argv[3],
                                       .ca = argv[4],
                                       .certificate = argc == 7 ? argv[5] : NULL,
                                       .key = argc == 7 ? argv[6] : NULL };
    setvbuf(stdout, NULL, _IOLBF, 0);
    st = svmc_kmip_open(&kmip, &where);
    need(st == SVMC_OK, svmc_status_name(st));
    need(svmc_keyarena_init(&arena, svmc_openssl_ops(), keys, sizeof keys) == SVMC_OK &&
             svmc_vmkey_create(&vmkey, &arena, vm, SVMC_ALG_HKDF_SHA_256) == SVMC_OK,
         "arena");
    begin(1000 * (uint64_t)MS);
    while (fgets(line, sizeof line, stdin)) {
        ms = 1000;
        id[0] = '\0';
        if (sscanf(line, "%31s %127s %llu", command, id, &ms) >= 1)
            obey(command, id, ms);
    }
    svmc_key_cache_drop(&cache);
    svmc_kmip_close(kmip);
    svmc_keyarena_drop(&arena);
    return 0;
}
