/* SPDX-License-Identifier: MIT */
/*
 * A store gives back what it likes: the input changes the blocks of a good disk, and a call of the
 * store may fail. Traps when a sector reads as something that was never written there, when a
 * refusal leaves a byte, or when a call goes beyond the store (DK-2, DK-7, DK-9). Half of the
 * inputs have a cipher that leaves the bytes as they are and takes every tag: what is behind the
 * tags is looked at all the same (DK-8).
 */
#include <svmcore/disk.h>

#include "../tests/fakehost/cipher.h"
#include "../tests/fakehost/crypto.h"
#include "input.h"

enum { SECTORS = 70, BLOCKS = 19 + SECTORS, WRITES = 24 };

static struct fake_crypto fake;
static struct svmc_keyslots slots;
static struct svmc_keyarena arena;
static struct svmc_vmkey key;
static struct svmc_sealer sealer;
static struct svmc_disk disk;
static struct svmc_disk_result result;
static _Alignas(64) uint8_t pool[16384], keys[SVMC_KEYARENA_BYTES(1)], memory[1 << 15];
static uint8_t good[3][BLOCKS * 4096], store[BLOCKS * 4096];
static uint64_t anchors[3];
static uint8_t old[SECTORS], now[SECTORS]; /* each byte of a sector */
static unsigned calls, fail_at;
static int is_quick, credulous;
static struct svmc_crypto_ops slow;

/* Not secure, but everything that goes in changes the tag: a hundred times as many inputs. */
static uint64_t mix(uint64_t sum, const void *at, size_t n)
{
    const uint8_t *p = at;

    for (size_t i = 0; i < n; i++)
        sum = (sum ^ p[i]) * 0x9e3779b97f4a7c15u;
    return sum ^ sum >> 29;
}

static uint64_t tag_of(const struct svmc_cipher_key *room, const struct svmc_cipher_unit *u,
                       const void *text)
{
    uint64_t sum = mix(mix(1, room, sizeof(struct fake_cipher)), u->nonce, 12);

    for (uint32_t i = 0; i < u->pieces; i++)
        sum = mix(sum, u->ad[i].at, u->ad[i].bytes);
    return mix(sum, text, u->n);
}

static void stream(const struct svmc_cipher_key *room, const struct svmc_cipher_unit *u)
{
    const uint64_t seed = mix(mix(2, room, sizeof(struct fake_cipher)), u->nonce, 12);

    for (size_t i = 0; i < u->n; i++)
        ((uint8_t *)u->out)[i] =
            ((const uint8_t *)u->in)[i] ^ (uint8_t)(credulous ? 0 : (seed + i) * 0x9e3779b9u >> 24);
}

static enum svmc_status seal_unit(void *ctx, struct svmc_cipher_key *room,
                                  const struct svmc_cipher_unit *u)
{
    uint64_t tag;

    if (!is_quick)
        return slow.seal(ctx, room, u);
    stream(room, u);
    tag = tag_of(room, u, u->out);
    memcpy(u->tag, &tag, 8);
    memset(u->tag + 8, 0, 8);
    return SVMC_OK;
}

static enum svmc_status open_unit(void *ctx, struct svmc_cipher_key *room,
                                  const struct svmc_cipher_unit *u)
{
    uint64_t tag;

    if (!is_quick)
        return slow.open(ctx, room, u);
    tag = tag_of(room, u, u->in);
    if (!credulous && (memcmp(u->tag, &tag, 8) != 0 || mix(0, u->tag + 8, 8) != 0)) {
        if (u->n != 0)
            memset(u->out, 0, u->n);
        return SVMC_ERR_AUTH;
    }
    stream(room, u);
    return SVMC_OK;
}

static enum svmc_status crypt_unit(void *ctx, struct svmc_cipher_key *room,
                                   const struct svmc_cipher_unit *u, uint32_t encrypt)
{
    (void)ctx, (void)encrypt;
    stream(room, u);
    return SVMC_OK;
}

static int is_refused(uint64_t at, size_t n)
{
    require(at % 512 == 0 && n % 512 == 0 && at <= sizeof store && n <= sizeof store - at);
    return ++calls == fail_at;
}

static enum svmc_status store_read(void *ctx, uint64_t at, void *dst, size_t n)
{
    if (is_refused(at, n))
        return SVMC_ERR_CALLBACK;
    memcpy(dst, (uint8_t *)ctx + at, n);
    return SVMC_OK;
}

static enum svmc_status store_write(void *ctx, uint64_t at, const void *src, size_t n)
{
    if (is_refused(at, n))
        return SVMC_ERR_CALLBACK;
    memcpy((uint8_t *)ctx + at, src, n);
    return SVMC_OK;
}

static enum svmc_status store_flush(void *ctx)
{
    (void)ctx;
    return ++calls == fail_at ? SVMC_ERR_CALLBACK : SVMC_OK;
}

static uint64_t anchored;

static enum svmc_status store_anchor(void *ctx, uint64_t value)
{
    (void)ctx;
    anchored = value;
    return SVMC_OK;
}

static struct svmc_disk_store ops = { sizeof ops,  0,           store,       store_read,
                                      store_write, store_flush, store_anchor };
static const uint8_t vm[16] = "fuzzed machine";

static struct svmc_disk_config config_of(uint32_t mode)
{
    return (struct svmc_disk_config){
        .sealer = &sealer,
        .store = &ops,
        .vm = vm,
        .sectors = SECTORS,
        .anchor = anchored,
        .mode = mode,
        .sector_bytes = 4096,
        .journal = mode == SVMC_DISK_AUTHENTIC ? 8 : 0,
        .nodes = mode == SVMC_DISK_AUTHENTIC ? 2 : 0,
        .erase = SVMC_DISK_ERASE,
    };
}

/* A disk of each mode, once: an authentic one with two commits, the last with a checkpoint. */
static void make(uint32_t mode, unsigned image)
{
    const struct svmc_disk_config config = config_of(mode);
    uint8_t sector[4096];

    require(svmc_disk_format(&disk, &config, memory, sizeof memory, &result) == SVMC_OK);
    for (unsigned n = 0; n < WRITES; n++) {
        uint8_t s = (uint8_t)(n * 3 % SECTORS);

        now[s] = (uint8_t)(n + 1);
        memset(sector, now[s], sizeof sector);
        require(svmc_disk_write(&disk, s, 1, sector, &result) == SVMC_OK);
        if (n == WRITES - 4) {
            require(svmc_disk_flush(&disk, &result) == SVMC_OK);
            memcpy(old, now, sizeof old);
        }
    }
    require(svmc_disk_flush(&disk, &result) == SVMC_OK);
    memcpy(good[image], store, sizeof store);
    anchors[image] = anchored;
    require(svmc_disk_drop(&disk) == SVMC_OK);
}

static void prepare(void)
{
    const struct svmc_keyslots_config pool_config = { .crypto = &fake.ops, .slots = 6, .lanes = 1 };
    const struct svmc_sealer_config config = {
        .crypto = &fake.ops,
        .slots = &slots,
        .key = &key,
        .protect = SVMC_PROTECT_ALL,
        .alg = SVMC_ALG_CHACHA20_POLY1305,
    };

    if (fake.ops.size != 0)
        return;
    fake_crypto_init(&fake);
    slow = fake.ops;
    fake.ops.open = open_unit;
    fake.ops.seal = seal_unit;
    fake.ops.crypt = crypt_unit;
    require(svmc_keyslots_init(&slots, &pool_config, pool, sizeof pool) == SVMC_OK);
    require(svmc_keyarena_init(&arena, &fake.ops, keys, sizeof keys) == SVMC_OK);
    require(svmc_vmkey_create(&key, &arena, vm, SVMC_ALG_DERIVE_BLAKE2B) == SVMC_OK);
    require(svmc_sealer_init(&sealer, &config) == SVMC_OK);
    sealer.priv.tested = 0xe; /* no vectors for the quick one */
    is_quick = 1;
    make(SVMC_DISK_LENGTH, 0);
    for (unsigned image = 1; image < 3; image++) {
        memset(now, 0, sizeof now);
        memset(store, 0, sizeof store);
        credulous = image == 2;
        make(SVMC_DISK_AUTHENTIC, image);
    }
}

/* Some bytes at some place, until the input ends. */
static void change(struct input *in)
{
    while (in->left > 3) {
        size_t at = take_byte(in) % BLOCKS * 4096u;
        unsigned n;

        at += take_byte(in) * 16u;
        n = take_byte(in) % 64 + 1;
        if (at + n <= sizeof store)
            take(in, store + at, n);
    }
}

static void read_all(int exact)
{
    uint8_t sector[4096];

    for (unsigned s = 0; s < SECTORS; s += exact ? 7 : 3) {
        memset(sector, 0x55, sizeof sector);
        if (svmc_disk_read(&disk, s, 1, sector, &result) != SVMC_OK)
            require(sector[0] == 0);
        else if (!credulous && disk.priv.mode == SVMC_DISK_AUTHENTIC)
            require(sector[0] == now[s] || (!exact && sector[0] == old[s]));
        require(memcmp(sector, sector + 1, sizeof sector - 1) == 0 || credulous ||
                disk.priv.mode == SVMC_DISK_LENGTH);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };
    struct svmc_disk_config config;
    struct svmc_disk_info info;
    uint8_t head, sector[4096] = { 0 };
    unsigned image;

    prepare();
    head = take_byte(&in);
    image = head & 4 ? 0 : 1 + (head & 1);
    memcpy(store, good[image], sizeof store);
    anchored = anchors[image];
    ops.anchor = head & 2 ? NULL : store_anchor;
    fail_at = head >> 3;
    credulous = image == 2;
    change(&in);
    calls = 0;
    config = config_of(image == 0 ? SVMC_DISK_LENGTH : SVMC_DISK_AUTHENTIC);
    (void)!svmc_disk_inspect(&ops, &info);
    if (svmc_disk_open(&disk, &config, memory, sizeof memory, &result) == SVMC_OK) {
        require(result.reason == SVMC_DISK_NONE);
        read_all(!(head & 2));
        for (unsigned n = 0; credulous && n < 10; n++) /* up to a checkpoint */
            (void)!svmc_disk_write(&disk, n * 7, 1, sector, &result);
    } else {
        require(disk.priv.sealer == NULL && result.reason != SVMC_DISK_NONE);
    }
    require(svmc_disk_drop(&disk) == SVMC_OK);
    credulous = 0;
    return 0;
}
