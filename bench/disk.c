/* SPDX-License-Identifier: MIT */
/*
 * disk.write-4096, disk.read-4096: a sector written to and read from an authentic disk on a store
 * in memory, beside the AEAD alone on the same bytes (AES-256-GCM of OpenSSL's back end); what is
 * written is a part of the disk, over and over, with its share of commits and checkpoints, one in
 * 256. write-any: any sector, so that each is copied once more; write-length: AES-256-XTS in
 * sectors that keep their length, beside the cipher alone.
 */
#include <stdbool.h>
#include <string.h>
#include <svmcore/port/openssl.h>
#include <svmcore/svmcore.h>

#include "../tests/random.h"
#include "figure.h"

enum { SECTORS = 4096, JOURNAL = 256, EACH = 64 };

static const struct svmc_crypto_ops *crypto;
static struct svmc_keyslots slots;
static struct svmc_keyarena arena;
static struct svmc_vmkey key;
static struct svmc_sealer sealer;
static struct svmc_disk disk;
static struct svmc_disk_result result;
static uint8_t pool[32768] __attribute__((aligned(64)));
static uint8_t keys[SVMC_KEYARENA_BYTES(1)] __attribute__((aligned(64)));
static uint8_t memory[2 << 20] __attribute__((aligned(64)));
static uint8_t store_bytes[20 << 20];
static uint8_t plain[EACH][4096], cipher[EACH][4096], tag[EACH][16];
static struct svmc_cipher_key raw_key __attribute__((aligned(64)));
static uint64_t seed = 1;

static void must(enum svmc_status st)
{
    if (st != SVMC_OK) {
        fprintf(stderr, "bench: %s, reason %u\n", svmc_status_name(st), result.reason);
        exit(1);
    }
}

static enum svmc_status store_read(void *ctx, uint64_t at, void *dst, size_t n)
{
    (void)ctx;
    memcpy(dst, store_bytes + at, n);
    return SVMC_OK;
}

static enum svmc_status store_write(void *ctx, uint64_t at, const void *src, size_t n)
{
    (void)ctx;
    memcpy(store_bytes + at, src, n);
    return SVMC_OK;
}

static enum svmc_status store_flush(void *ctx)
{
    (void)ctx;
    return SVMC_OK;
}

static const uint8_t vm[SVMC_VM_ID_BYTES] = "bench";

static void make(uint32_t mode)
{
    static struct svmc_disk_store store;
    struct svmc_disk_config config = { .sealer = &sealer, .store = &store, .vm = vm };

    store = (struct svmc_disk_store){
        .size = sizeof store, .read = store_read, .write = store_write, .flush = store_flush
    };
    config.sectors = SECTORS;
    config.mode = mode;
    config.sector_bytes = 4096;
    config.journal = mode == SVMC_DISK_AUTHENTIC ? JOURNAL : 0;
    config.nodes = mode == SVMC_DISK_AUTHENTIC ? 128 : 0;
    config.erase = SVMC_DISK_ERASE;
    must(svmc_disk_drop(&disk));
    must(svmc_disk_format(&disk, &config, memory, sizeof memory, &result));
    for (uint64_t s = 0; s < SECTORS; s++)
        must(svmc_disk_write(&disk, s, 1, plain[s % EACH], &result));
    must(svmc_disk_flush(&disk, &result));
}

static void set_up(void)
{
    const struct svmc_keyslots_config pool_config = { .crypto = crypto, .slots = 8, .lanes = 1 };
    const struct svmc_sealer_config config = { .crypto = crypto,
                                               .slots = &slots,
                                               .key = &key,
                                               .protect = SVMC_PROTECT_ALL,
                                               .alg = SVMC_ALG_AES_256_GCM };

    must(svmc_keyslots_init(&slots, &pool_config, pool, sizeof pool));
    must(svmc_keyarena_init(&arena, crypto, keys, sizeof keys));
    must(svmc_vmkey_create(&key, &arena, vm, SVMC_ALG_HKDF_SHA_256));
    must(svmc_sealer_init(&sealer, &config));
}

/* ---- ours, and the raw cipher ----------------------------------------------------------------*/

static uint64_t any_sector(void)
{
    return harness_random(&seed) % SECTORS;
}

static void write_some(void)
{
    for (unsigned i = 0; i < EACH; i++)
        must(svmc_disk_write(&disk, i, 1, plain[i], &result));
}

static void write_any(void)
{
    for (unsigned i = 0; i < EACH; i++)
        must(svmc_disk_write(&disk, any_sector(), 1, plain[i], &result));
}

static void read_any(void)
{
    for (unsigned i = 0; i < EACH; i++)
        must(svmc_disk_read(&disk, any_sector(), 1, plain[i], &result));
}

static struct svmc_cipher_unit unit(unsigned i, bool seal)
{
    static uint64_t nonce[2];

    nonce[0] = i;
    return (struct svmc_cipher_unit){ .nonce = (const uint8_t *)nonce,
                                      .in = seal ? plain[i] : cipher[i],
                                      .out = seal ? cipher[i] : plain[i],
                                      .n = 4096,
                                      .tag = tag[i] };
}

static void raw_seal(void)
{
    for (unsigned i = 0; i < EACH; i++) {
        const struct svmc_cipher_unit u = unit(i, true);

        must(crypto->seal(crypto->ctx, &raw_key, &u));
    }
}

static void raw_open(void)
{
    for (unsigned i = 0; i < EACH; i++) {
        const struct svmc_cipher_unit u = unit(i, false);

        must(crypto->open(crypto->ctx, &raw_key, &u));
    }
}

static void raw_crypt(void)
{
    for (unsigned i = 0; i < EACH; i++) {
        const struct svmc_cipher_unit u = unit(i, true);

        must(crypto->crypt(crypto->ctx, &raw_key, &u, 1));
    }
}

static void raw(uint32_t alg)
{
    static const uint8_t bytes[64] = { 1, 2, 3 };

    must(crypto->cipher_load(crypto->ctx, &raw_key, alg, bytes, 1));
}

int main(void)
{
    crypto = svmc_openssl_ops();
    set_up();
    raw(SVMC_ALG_AES_256_GCM);
    make(SVMC_DISK_AUTHENTIC);
    figure("disk.write-4096", write_some, "raw-aead", raw_seal, 3, EACH);
    raw_seal();
    make(SVMC_DISK_AUTHENTIC);
    figure("disk.read-4096", read_any, "raw-aead", raw_open, 3, EACH);
    figure("disk.write-any", write_any, "raw-aead", raw_seal, 8, EACH);
    crypto->cipher_drop(crypto->ctx, &raw_key);
    raw(SVMC_ALG_AES_256_XTS);
    make(SVMC_DISK_LENGTH);
    figure("disk.write-length", write_some, "raw-cipher", raw_crypt, 3, EACH);
    crypto->cipher_drop(crypto->ctx, &raw_key);
    must(svmc_disk_drop(&disk));
    return 0;
}
