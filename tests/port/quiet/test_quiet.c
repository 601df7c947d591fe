/* SPDX-License-Identifier: MIT */
/* CR-10, held from outside: while a unit is sealed, opened or crypted, on a thread that never did
   so before, every allocation and every lock is counted here, and in a child that may make no
   system call but read, write and exit the kernel looks on. CR-9: a dropped key is nowhere. */
#include <dlfcn.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <svmcore/port/openssl.h>
#include <svmcore/port/sodium.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../harness.h"
#include "../../keyslot/keyslot_lab.h"

static __thread bool armed; /* this thread, now */
static unsigned allocated, locked;

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t each);
void *__libc_realloc(void *old, size_t n);
void *__libc_memalign(size_t align, size_t n);
void __libc_free(void *p);

void *malloc(size_t n)
{
    allocated += armed;
    return __libc_malloc(n);
}
void *calloc(size_t n, size_t each)
{
    allocated += armed;
    return __libc_calloc(n, each);
}
void *realloc(void *old, size_t n)
{
    allocated += armed;
    return __libc_realloc(old, n);
}
void *aligned_alloc(size_t align, size_t n)
{
    allocated += armed;
    return __libc_memalign(align, n);
}
int posix_memalign(void **out, size_t align, size_t n)
{
    allocated += armed;
    *out = __libc_memalign(align, n);
    return *out ? 0 : 12;
}
void free(void *p)
{
    allocated += armed;
    __libc_free(p);
}

/* What takes one pointer and locks, or might. */
#define LOCK(name, type)                                      \
    static int (*real_##name)(type *);                        \
    int name(type *lock)                                      \
    {                                                         \
        locked += armed;                                      \
        if (!real_##name)                                     \
            *(void **)&real_##name = dlsym(RTLD_NEXT, #name); \
        return real_##name(lock);                             \
    }
LOCK(pthread_mutex_lock, pthread_mutex_t)
LOCK(pthread_mutex_trylock, pthread_mutex_t)
LOCK(pthread_rwlock_rdlock, pthread_rwlock_t)
LOCK(pthread_rwlock_wrlock, pthread_rwlock_t)
LOCK(pthread_rwlock_tryrdlock, pthread_rwlock_t)
LOCK(pthread_rwlock_trywrlock, pthread_rwlock_t)
LOCK(pthread_spin_lock, pthread_spinlock_t)
LOCK(sem_wait, sem_t)

int pthread_once(pthread_once_t *once, void (*init)(void))
{
    static int (*real)(pthread_once_t *, void (*)(void));

    locked += armed;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_once");
    return real(once, init);
}

/* ---- the data path ---------------------------------------------------------------------------*/

enum { LANES = 4 };
static _Alignas(SVMC_CIPHER_ROOM_ALIGN) struct svmc_cipher_key rooms[2][4];
static const uint8_t algs[4] = { 0x31, 0x32, 0x33, 0x41 };
static const uint8_t sizes[] = { 0, 16, 17, 64, 255 };

static const struct svmc_crypto_ops *table(unsigned which)
{
    return which ? svmc_openssl_ops() : svmc_sodium_ops();
}

static bool has(unsigned which, unsigned alg)
{
    return which ? alg != 2 : alg != 3;
}

/* Every function, size and way in and out. */
static unsigned use(const struct svmc_crypto_ops *ops, struct svmc_cipher_key *key, uint8_t alg,
                    uint32_t lane)
{
    static const uint8_t ad[40], nonce[24];
    const struct svmc_bytes pieces[] = { { ad, 8 }, { ad + 8, 32 } };
    uint8_t text[4096] = { 0 }, out[4096], tag[16];
    unsigned wrong = 0;

    for (unsigned i = 0; i <= sizeof sizes; i++) {
        struct svmc_cipher_unit u = {
            lane, 2, pieces, nonce, text, out, i < sizeof sizes ? sizes[i] : sizeof text, tag
        };

        if (alg == SVMC_ALG_AES_256_XTS) {
            u.n = u.n < 16 ? 16 : u.n;
            wrong += ops->crypt(ops->ctx, key, &u, 1) != SVMC_OK;
            u.in = out;
            wrong += ops->crypt(ops->ctx, key, &u, 0) != SVMC_OK;
            u.n = 15; /* refused as quietly */
            wrong += ops->crypt(ops->ctx, key, &u, 1) == SVMC_OK;
            continue;
        }
        wrong += ops->seal(ops->ctx, key, &u) != SVMC_OK;
        u.in = out;
        wrong += ops->open(ops->ctx, key, &u) != SVMC_OK;
        tag[15] ^= 1;
        wrong += ops->open(ops->ctx, key, &u) != SVMC_ERR_AUTH;
    }
    return wrong;
}

static void *all(void *arg)
{
    unsigned *wrong = arg;

    for (unsigned which = 0; which < 2; which++) {
        const struct svmc_crypto_ops *ops = table(which);

        for (unsigned i = 0; i < 4; i++) {
            armed = true;
            for (uint32_t lane = 0; lane < LANES && has(which, i); lane++)
                *wrong += use(ops, &rooms[which][i], algs[i], lane);
            armed = false;
        }
    }
    return NULL;
}

static bool load(unsigned lanes)
{
    uint8_t key[64];
    bool ok = true;

    for (unsigned i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(3 * i);
    for (unsigned which = 0; which < 2; which++)
        for (unsigned i = 0; i < 4; i++)
            ok = ok &&
                 (!has(which, i) || table(which)->cipher_load(table(which)->ctx, &rooms[which][i],
                                                              algs[i], key, lanes) == SVMC_OK);
    return ok;
}

static void drop(void)
{
    for (unsigned which = 0; which < 2; which++)
        for (unsigned i = 0; i < 4; i++)
            if (has(which, i))
                table(which)->cipher_drop(table(which)->ctx, &rooms[which][i]);
}

TEST(quiet, a_unit_allocates_nothing_and_takes_no_lock) /* CR-10 */
{
    pthread_t thread;
    unsigned wrong = 0;

    REQUIRE(svmc_openssl_ops() && svmc_sodium_ops());
    REQUIRE(load(LANES));
    allocated = locked = 0;
    REQUIRE(pthread_create(&thread, NULL, all, &wrong) == 0);
    pthread_join(thread, NULL);
    CHECK_EQ(wrong, 0);
    CHECK_EQ(allocated, 0);
    CHECK_EQ(locked, 0);
    drop();
    armed = true; /* and it can be seen: a load does both */
    REQUIRE(load(1));
    armed = false;
    CHECK(allocated > 0, "nothing was counted");
    CHECK(locked > 0, "nothing was counted");
    drop();
}

/* How a child ends that makes no system call any more but the one that ends it. */
static int child(bool call)
{
    const struct svmc_crypto_ops *ops[2] = { svmc_sodium_ops(), svmc_openssl_ops() };
    int status = 0;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        unsigned wrong = prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0;

        for (unsigned which = 0; which < 2; which++)
            for (unsigned i = 0; i < 4; i++)
                for (uint32_t lane = 0; lane < LANES && has(which, i); lane++)
                    wrong += use(ops[which], &rooms[which][i], algs[i], lane);
        if (call)
            syscall(SYS_getpid);
        for (;;)
            syscall(SYS_exit, wrong != 0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

TEST(quiet, a_unit_makes_no_system_call) /* CR-10 */
{
    int status;

    REQUIRE(load(LANES));
    status = child(false);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
    status = child(true);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == 9, "the kernel does not look on: %x",
          (unsigned)status);
    drop();
}

/* ---- residue ---------------------------------------------------------------------------------*/

/* In how many places of this process's writable memory the 16 bytes stand that `hidden` is, each
   inverted, so that it is none of them. Not on the stack, where libsodium's AES-GCM leaves round
   keys in frames that are gone, as its header here says. */
static unsigned places(const uint8_t hidden[16])
{
    unsigned found = 0;
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");

    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        char may[5];

        if (sscanf(line, "%lx-%lx %4s", &from, &to, may) != 3 || may[0] != 'r' || may[1] != 'w' ||
            strstr(line, "[v") || strstr(line, "[stack]"))
            continue;
        for (const uint8_t *p = (const uint8_t *)from; p + 16 <= (const uint8_t *)to; p += 4) {
            unsigned same = 0;

            while (same < 16 && (p[same] ^ hidden[same]) == 0xff)
                same++;
            found += same == 16;
        }
    }
    if (maps)
        fclose(maps);
    return found;
}

TEST(quiet, a_dropped_key_is_nowhere) /* CR-9 */
{
    for (unsigned which = 0; which < 2; which++)
        for (unsigned i = 0; i < 4; i++) {
            const struct svmc_crypto_ops *ops = table(which);
            uint8_t hidden[64], key[64];
            unsigned while_loaded;

            if (!has(which, i))
                continue;
            for (unsigned b = 0; b < sizeof key; b++)
                key[b] = (uint8_t) ~(hidden[b] = (uint8_t)(b * 41 + 7 * i + 100 * which + 1));
            REQUIRE(ops->cipher_load(ops->ctx, &rooms[0][0], algs[i], key, 2) == SVMC_OK);
            ops->wipe(ops->ctx, key, sizeof key);
            CHECK_EQ(use(ops, &rooms[0][0], algs[i], 1), 0);
            while_loaded = places(hidden);
            ops->cipher_drop(ops->ctx, &rooms[0][0]);
            CHECK(while_loaded > 0, "%x: the scan finds no key that is loaded", algs[i]);
            CHECK_EQ(places(hidden), 0, "%x of table %u", algs[i], which);
        }
}

/* ---- DMA -------------------------------------------------------------------------------------*/

static struct lab lab;

/* Whole and unaligned, to and fro, refused: what a device model calls. */
static unsigned move(void)
{
    static uint8_t buffer[9000];
    struct svmc_dma_result r;
    unsigned wrong = 0;

    for (uint32_t device = 0; device < LAB_DEVICES; device++)
        for (uint32_t direction = 0; direction < 2; direction++) {
            wrong += dma_lab_move(&lab, device, direction, 4096, buffer, 4096, &r) != SVMC_OK;
            wrong += dma_lab_move(&lab, device, direction, 77, buffer, 9000, &r) != SVMC_OK;
            wrong +=
                dma_lab_move(&lab, device, direction, 15 * 4096, buffer, 8, &r) != SVMC_ERR_REFUSED;
        }
    return wrong;
}

static void *move_armed(void *wrong)
{
    armed = true;
    *(unsigned *)wrong = move();
    armed = false;
    return NULL;
}

TEST(quiet, a_request_allocates_nothing_locks_nothing_calls_nobody) /* DM-1 CR-10 */
{
    static const uint32_t kinds[] = { SVMC_ALG_AES_256_XTS, SVMC_ALG_AES_256_GCM };
    static const uint32_t units[] = { 64, 4096 };
    unsigned wrong = 1;
    int status = 1;
    pthread_t thread;
    pid_t pid;

    REQUIRE(svmc_openssl_ops() != NULL);
    dma_lab_init(&lab, svmc_openssl_ops(), kinds, units);
    allocated = locked = 0;
    REQUIRE(pthread_create(&thread, NULL, move_armed, &wrong) == 0);
    pthread_join(thread, NULL);
    CHECK_EQ(wrong, 0);
    CHECK_EQ(allocated, 0);
    CHECK_EQ(locked, 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        wrong = prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0;
        wrong += move();
        for (;;)
            syscall(SYS_exit, wrong != 0);
    }
    REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK_EQ(status, 0);
    svmc_keyslots_drop(&lab.ks);
}
