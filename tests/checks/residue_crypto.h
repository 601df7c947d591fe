/* SPDX-License-Identifier: MIT */
/**
 * A crypto table that leaves nothing of its own, for seal_residue.c and store_residue.c, and notes
 * which secrets live: a subkey is four of them, of which a room has the first two, and all four
 * where it is XTS's. Tests in tests/port look at what back ends leave.
 */
#ifndef RESIDUE_CRYPTO_H
#define RESIDUE_CRYPTO_H
#include <svmcore/port/sodium.h>

#include "../../src/core/bytes.h"
#include "residue.h"

#define SUBKEYS 40u

static struct svmc_crypto_ops crypto;
static uint64_t known[SUBKEYS];
static unsigned subkey[SUBKEYS], subkeys;

/* Where a table's function ends the process, if one does: store_residue.c. */
enum fault { AT_NOTHING, AT_DERIVE, AT_LOAD, AT_SEAL, AT_OPEN };
static void fault(enum fault at);

/* The words of text that a copy leaves in vector registers are the caller's: CR-11. */
static void empty_vectors(void)
{
    __asm__ volatile("pxor %%xmm0,%%xmm0\n\tpxor %%xmm1,%%xmm1\n\tpxor %%xmm2,%%xmm2\n\t"
                     "pxor %%xmm3,%%xmm3\n\tpxor %%xmm4,%%xmm4\n\tpxor %%xmm5,%%xmm5\n\t"
                     "pxor %%xmm6,%%xmm6\n\tpxor %%xmm7,%%xmm7\n\tpxor %%xmm8,%%xmm8\n\t"
                     "pxor %%xmm9,%%xmm9\n\tpxor %%xmm10,%%xmm10\n\tpxor %%xmm11,%%xmm11\n\t"
                     "pxor %%xmm12,%%xmm12\n\tpxor %%xmm13,%%xmm13\n\tpxor %%xmm14,%%xmm14\n\t"
                     "pxor %%xmm15,%%xmm15"
                     :
                     :
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

/* A key is two secrets; other random numbers are none. */
static enum svmc_status draw(void *ctx, void *dst, size_t n)
{
    (void)ctx;
    if (n == SVMC_VMKEY_BYTES) {
        make_secret(dst);
        make_secret((uint8_t *)dst + SECRET_BYTES);
        return SVMC_OK;
    }
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)dst)[i] = (uint8_t)harness_random(&rng);
    return SVMC_OK;
}

static uint64_t sum_of(uint64_t sum, const void *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum = (sum ^ ((const uint8_t *)at)[i]) * 0x100000001b3u;
    return sum;
}

/*
 * The same bytes for the same pieces: four secrets, but for what a wrapped key shows of them
 * (KH-2): a check value, the first 16, and a commitment, the second half; and the check value of
 * PR-13. These are other bytes.
 */
static enum svmc_status derive(void *ctx, uint32_t alg, const uint8_t *from,
                               const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    const uint8_t label = ((const uint8_t *)piece[0].at)[9]; /* of "svmcore ?..." */
    const unsigned shown = label == 'h' || label == 'e' ? 1 : label == 'r' ? 12 : 0;
    uint64_t sum = alg;
    unsigned n = 0;

    (void)ctx, (void)from;
    for (size_t i = 0; i < pieces; i++)
        sum = sum_of(sum, piece[i].at, piece[i].bytes);
    while (n < subkeys && known[n] != sum)
        n++;
    must(n < SUBKEYS, "room for subkeys");
    if (n == subkeys) {
        known[n] = sum;
        subkey[n] = drawn;
        subkeys++;
        for (unsigned i = 0; i < 4; i++)
            make_secret(out + i * SECRET_BYTES);
    }
    for (unsigned i = 0; i < 4; i++) {
        unmask(subkey[n] + i, out + i * SECRET_BYTES);
        for (unsigned b = 0; b < SECRET_BYTES && (shown >> i & 1); b++)
            out[i * SECRET_BYTES + b] ^= 0x5a;
    }
    fault(AT_DERIVE);
    return SVMC_OK;
}

/* The subkey whose first bytes these are, or SUBKEYS. */
static unsigned subkey_at(const volatile uint8_t *bytes)
{
    unsigned n = 0;

    for (; n < subkeys; n++) {
        uint64_t word = 0;

        for (unsigned i = 0; i < 8; i++)
            word |= (uint64_t)bytes[i] << 8 * i;
        if ((word ^ mask) == masked[subkey[n]][0])
            break;
    }
    return n < subkeys ? n : SUBKEYS;
}

static void note(unsigned n, uint32_t alg, _Bool lives)
{
    for (unsigned i = 0; n < SUBKEYS && i < (alg == SVMC_ALG_AES_256_XTS ? 4 : 2); i++)
        alive[subkey[n] + i] = lives;
}

static size_t key_bytes(uint32_t alg)
{
    return alg == SVMC_ALG_AES_256_XTS ? SVMC_DERIVE_BYTES : SVMC_DERIVE_KEY_BYTES;
}

static enum svmc_status load(void *ctx, struct svmc_cipher_key *room, uint32_t alg,
                             const uint8_t *bytes, uint32_t lanes)
{
    (void)ctx, (void)lanes;
    for (unsigned i = 0; i < key_bytes(alg); i++)
        ((volatile uint8_t *)room)[i] = bytes[i];
    core_store_le32((uint8_t *)room + SVMC_DERIVE_BYTES, alg);
    fault(AT_LOAD);
    note(subkey_at(bytes), alg, 1);
    return SVMC_OK;
}

static void drop(void *ctx, struct svmc_cipher_key *room)
{
    (void)ctx;
    note(subkey_at((uint8_t *)room), core_load_le32((uint8_t *)room + SVMC_DERIVE_BYTES), 0);
}

static uint64_t mac_of(const struct svmc_cipher_key *room, const struct svmc_cipher_unit *u,
                       const void *text)
{
    uint64_t sum = sum_of(sum_of(1, room, SVMC_DERIVE_KEY_BYTES), u->nonce, 12);

    for (uint32_t i = 0; i < u->pieces; i++)
        sum = sum_of(sum, u->ad[i].at, u->ad[i].bytes);
    return sum_of(sum, text, u->n);
}

static void turn(const struct svmc_cipher_key *room, const struct svmc_cipher_unit *u)
{
    uint64_t seed = sum_of(sum_of(2, room, SVMC_DERIVE_KEY_BYTES), u->nonce, 12);

    for (size_t i = 0; i < u->n; i++)
        ((volatile uint8_t *)u->out)[i] =
            (uint8_t)(((const volatile uint8_t *)u->in)[i] ^ (harness_random(&seed) >> 13));
}

static enum svmc_status seal(void *ctx, struct svmc_cipher_key *room,
                             const struct svmc_cipher_unit *u)
{
    (void)ctx;
    turn(room, u);
    fault(AT_SEAL);
    core_store_le64(u->tag, mac_of(room, u, u->out));
    core_store_le64(u->tag + 8, 0);
    return SVMC_OK;
}

static enum svmc_status open_unit(void *ctx, struct svmc_cipher_key *room,
                                  const struct svmc_cipher_unit *u)
{
    _Bool good =
        core_load_le64(u->tag) == mac_of(room, u, u->in) && core_load_le64(u->tag + 8) == 0;

    (void)ctx;
    turn(room, u); /* what is not verified may be there while the call runs */
    fault(AT_OPEN);
    if (good)
        return SVMC_OK;
    wipe(u->out, u->n);
    return SVMC_ERR_AUTH;
}

static enum svmc_status crypt_unit(void *ctx, struct svmc_cipher_key *room,
                                   const struct svmc_cipher_unit *u, uint32_t encrypt)
{
    (void)ctx, (void)encrypt;
    turn(room, u);
    return SVMC_OK;
}

static enum svmc_status mac(void *ctx, uint32_t alg, const uint8_t *key,
                            const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    uint64_t sum = sum_of(alg, key, SVMC_DERIVE_KEY_BYTES);

    (void)ctx;
    for (size_t i = 0; i < pieces; i++)
        sum = sum_of(sum, piece[i].at, piece[i].bytes);
    for (unsigned i = 0; i < SVMC_HASH_BYTES; i++)
        out[i] = (uint8_t)harness_random(&sum);
    return SVMC_OK;
}

static enum svmc_status equal(void *ctx, const void *a, const void *b, size_t n)
{
    (void)ctx;
    return memcmp(a, b, n) == 0 ? SVMC_OK : SVMC_ERR_AUTH;
}

static void wipe_it(void *ctx, void *at, size_t n)
{
    (void)ctx;
    wipe(at, n);
}

static void subkeys_die(void)
{
    for (unsigned n = 0; n < subkeys; n++)
        note(n, SVMC_ALG_AES_256_XTS, 0);
}

/* libsodium's, for the self-tests of what is set up next. */
static void begin_crypto(void)
{
    crypto = *svmc_sodium_ops();
    crypto.random = draw;
}

/* After the self-tests. */
static void replace_crypto(void)
{
    crypto.derive = derive;
    crypto.mac = mac;
    crypto.cipher_load = load;
    crypto.cipher_drop = drop;
    crypto.seal = seal;
    crypto.open = open_unit;
    crypto.crypt = crypt_unit;
    crypto.equal = equal;
    crypto.wipe = wipe_it;
}

#endif
