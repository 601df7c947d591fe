/* SPDX-License-Identifier: MIT */
/* Both back ends beside NIST's response files, libgcrypt, and each other. SVMC_VECTORS is the
   folder of Debian's python3-cryptography-vectors; tools/test finds it. */
#include <gcrypt.h>
#include <stdlib.h>
#include <svmcore/port/openssl.h>
#include <svmcore/port/sodium.h>

#include "../../../src/core/crypto_ops.h"
#include "../../harness.h"

#define TEXT 4200u

static _Alignas(SVMC_CIPHER_ROOM_ALIGN) struct svmc_cipher_key rooms[2];

static const struct svmc_crypto_ops *table(unsigned which)
{
    static const struct svmc_crypto_ops *tables[2]; /* each call holds them against vectors */

    if (!tables[which])
        tables[which] = which ? svmc_openssl_ops() : svmc_sodium_ops();
    return tables[which];
}

/* ---- response files: lines `Name = hex`, one case up to an empty line ------------------------*/

struct field {
    char name[8];
    uint8_t bytes[512];
    size_t n;
    bool there;
};
enum { KEY, IV, I, PT, AAD, CT, TAG, FIELDS };

struct response {
    FILE *file;
    struct field field[FIELDS];
    unsigned bits, iv_bits, tag_bits; /* DataUnitLen, IVlen, Taglen */
    bool fail, encrypt;
};

static bool open_response(struct response *r, const char *name)
{
    static const char names[FIELDS][8] = { "Key", "IV", "i", "PT", "AAD", "CT", "Tag" };
    const char *folder = getenv("SVMC_VECTORS");
    char path[512];

    memset(r, 0, sizeof *r);
    snprintf(path, sizeof path, "%s/%s", folder ? folder : "", name);
    r->file = folder ? fopen(path, "r") : NULL;
    for (unsigned i = 0; i < FIELDS; i++)
        memcpy(r->field[i].name, names[i], sizeof names[i]);
    if (!r->file)
        harness_skip("no response file %s: install python3-cryptography-vectors and set "
                     "SVMC_VECTORS",
                     path);
    return r->file != NULL;
}

static size_t unhex(const char *hex, uint8_t *out, size_t room)
{
    size_t n = 0;
    unsigned byte;

    for (; n < room && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
        out[n] = (uint8_t)byte;
    return n;
}

/* The next case: true when all lines of one are read. */
static bool next(struct response *r)
{
    static char line[4096];
    bool any = false;

    for (unsigned i = 0; i < FIELDS; i++)
        r->field[i].there = false;
    r->fail = false;
    while (fgets(line, sizeof line, r->file)) {
        char *value = strstr(line, " = ");

        line[strcspn(line, "\r\n")] = 0;
        if (line[0] == 0 && any)
            return true;
        if (strcmp(line, "FAIL") == 0)
            r->fail = true;
        if (line[0] == '[') {
            r->encrypt = strcmp(line, "[ENCRYPT]") == 0 || (r->encrypt && line[1] != 'D');
            sscanf(line, "[IVlen = %u", &r->iv_bits);
            sscanf(line, "[Taglen = %u", &r->tag_bits);
        }
        sscanf(line, "DataUnitLen = %u", &r->bits);
        if (!value)
            continue;
        *value = 0;
        for (unsigned i = 0; i < FIELDS; i++)
            if (strcmp(line, r->field[i].name) == 0) {
                r->field[i].n = unhex(value + 3, r->field[i].bytes, sizeof r->field[i].bytes);
                r->field[i].there = any = true;
            }
    }
    return any;
}

TEST(ciphers, nist_xts) /* CR-14: CAVP XTSGenAES256, data units of whole bytes */
{
    const struct svmc_crypto_ops *ops = svmc_openssl_ops();
    unsigned cases = 0, parts = 0;
    struct response r;

    if (!open_response(&r, "ciphers/AES/XTS/tweak-128hexstr/XTSGenAES256.rsp"))
        return;
    while (next(&r)) {
        uint8_t out[512];
        struct svmc_cipher_unit u = { .nonce = r.field[I].bytes, .out = out, .n = r.bits / 8 };

        if (!r.field[KEY].there)
            continue;
        if (r.bits % 8 != 0) {
            parts++;
            continue;
        }
        REQUIRE(r.field[KEY].n == 64 && r.field[I].n == 16 && r.field[PT].n == u.n);
        REQUIRE(core_cipher_load(ops, &rooms[1], SVMC_ALG_AES_256_XTS, r.field[KEY].bytes, 1) ==
                SVMC_OK);
        u.in = r.field[PT].bytes;
        CHECK_EQ(core_cipher_crypt(ops, &rooms[1], &u, true), SVMC_OK);
        CHECK_MEM(out, r.field[CT].bytes, u.n, "case %u", cases);
        u.in = r.field[CT].bytes;
        CHECK_EQ(core_cipher_crypt(ops, &rooms[1], &u, false), SVMC_OK);
        CHECK_MEM(out, r.field[PT].bytes, u.n, "case %u", cases);
        ops->cipher_drop(ops->ctx, &rooms[1]);
        cases++;
    }
    fclose(r.file);
    printf("nist_xts: %u cases; %u of parts of bytes are not for us\n", cases, parts);
    CHECK_EQ(cases, 600);
}

/* One GCM case; whether it is one of ours: a nonce of 96 bits. Short tags: their beginning. */
static bool gcm_case(const struct svmc_crypto_ops *ops, const struct response *r)
{
    const struct svmc_bytes ad = { r->field[AAD].bytes, r->field[AAD].n };
    uint8_t out[512] = { 0 }, tag[16];
    struct svmc_cipher_unit u = {
        0, 1, &ad, r->field[IV].bytes, r->field[PT].bytes, out, r->field[CT].n, tag
    };
    bool ours = r->field[KEY].there && r->iv_bits == 96;

    if (!ours || core_cipher_load(ops, &rooms[0], SVMC_ALG_AES_256_GCM, r->field[KEY].bytes, 1))
        return false;
    if (!r->fail) {
        CHECK_EQ(core_cipher_seal(ops, &rooms[0], &u), SVMC_OK);
        CHECK_MEM(out, r->field[CT].bytes, u.n);
        CHECK_MEM(tag, r->field[TAG].bytes, r->tag_bits / 8);
    }
    if (r->tag_bits == 128) {
        memcpy(tag, r->field[TAG].bytes, 16);
        u.in = r->field[CT].bytes;
        CHECK_EQ(core_cipher_open(ops, &rooms[0], &u), r->fail ? SVMC_ERR_AUTH : SVMC_OK);
        if (!r->fail)
            CHECK_MEM(out, r->field[PT].bytes, u.n);
    }
    ops->cipher_drop(ops->ctx, &rooms[0]);
    return true;
}

TEST(ciphers, nist_gcm) /* CR-12 CR-13: CAVP gcmEncryptExtIV256 and gcmDecrypt256 */
{
    static const char files[2][48] = { "ciphers/AES/GCM/gcmEncryptExtIV256.rsp",
                                       "ciphers/AES/GCM/gcmDecrypt256.rsp" };

    for (unsigned which = 0; which < 2; which++)
        for (unsigned f = 0; f < 2; f++) {
            unsigned cases = 0, failing = 0;
            static struct response r;

            if (!open_response(&r, files[f]))
                return;
            while (next(&r))
                if (gcm_case(table(which), &r)) {
                    cases++;
                    failing += r.fail;
                }
            fclose(r.file);
            printf("nist_gcm: %s, %s: %u cases, %u of them to refuse\n",
                   which ? "openssl" : "sodium", files[f], cases, failing);
            CHECK_EQ(cases, 2625);
            CHECK_EQ(failing > 0, f == 1);
        }
}

/* ---- libgcrypt -------------------------------------------------------------------------------*/

static int gcrypt_alg(uint8_t alg)
{
    return alg == SVMC_ALG_CHACHA20_POLY1305 ? GCRY_CIPHER_CHACHA20 : GCRY_CIPHER_AES256;
}

static int gcrypt_mode(uint8_t alg)
{
    return alg == SVMC_ALG_AES_256_XTS   ? GCRY_CIPHER_MODE_XTS
           : alg == SVMC_ALG_AES_256_GCM ? GCRY_CIPHER_MODE_GCM
                                         : GCRY_CIPHER_MODE_POLY1305;
}

/* libgcrypt's text and tag of the same unit. */
static void by_gcrypt(uint8_t alg, const uint8_t *key, const struct svmc_cipher_unit *u,
                      const struct svmc_bytes *ad, uint8_t *out, uint8_t tag[16])
{
    bool xts = alg == SVMC_ALG_AES_256_XTS;
    gcry_cipher_hd_t h;

    REQUIRE(gcry_cipher_open(&h, gcrypt_alg(alg), gcrypt_mode(alg), 0) == 0);
    CHECK_EQ(gcry_cipher_setkey(h, key, xts ? 64 : 32), 0);
    CHECK_EQ(gcry_cipher_setiv(h, u->nonce, xts ? 16 : 12), 0);
    if (!xts)
        CHECK_EQ(gcry_cipher_authenticate(h, ad->at, ad->bytes), 0);
    CHECK_EQ(gcry_cipher_encrypt(h, out, u->n, u->in, u->n), 0);
    if (!xts)
        CHECK_EQ(gcry_cipher_gettag(h, tag, 16), 0);
    gcry_cipher_close(h);
}

static void fill(void *at, size_t n, uint64_t *rng)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)at)[i] = (uint8_t)harness_random(rng);
}

TEST(ciphers, libgcrypt_agrees_on_random_sizes) /* CR-13 CR-14 */
{
    static const uint8_t algs[] = { SVMC_ALG_AES_256_XTS, SVMC_ALG_AES_256_GCM,
                                    SVMC_ALG_CHACHA20_POLY1305 };
    static uint8_t plain[TEXT], ours[TEXT], theirs[TEXT], ad[SVMC_AD_BYTES_MAX];
    uint8_t key[64], nonce[16], tag[16], their_tag[16];
    uint64_t rng = harness_seed();
    unsigned rounds = 0;

    REQUIRE(gcry_check_version(NULL) != NULL);
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    for (unsigned round = 0; round < 9000; round++) {
        uint8_t alg = algs[round % 3];
        unsigned which = alg == SVMC_ALG_AES_256_XTS ? 1 : round & 1;
        const struct svmc_crypto_ops *ops = table(which);
        size_t n = (size_t)(harness_random(&rng) % (round % 7 ? 300 : TEXT + 1));
        const struct svmc_bytes piece = { ad, (size_t)(harness_random(&rng) % (sizeof ad + 1)) };
        struct svmc_cipher_unit u = { 0, 1, &piece, nonce, plain, ours, n, tag };

        fill(plain, sizeof plain, &rng);
        fill(ad, sizeof ad, &rng);
        fill(nonce, sizeof nonce, &rng);
        fill(key, sizeof key, &rng);
        if (alg == SVMC_ALG_AES_256_XTS && n < 16)
            u.n = n += 16;
        REQUIRE(core_cipher_load(ops, &rooms[0], alg, key, 1) == SVMC_OK);
        by_gcrypt(alg, key, &u, &piece, theirs, their_tag);
        if (alg == SVMC_ALG_AES_256_XTS) {
            CHECK_EQ(core_cipher_crypt(ops, &rooms[0], &u, true), SVMC_OK);
        } else {
            CHECK_EQ(core_cipher_seal(ops, &rooms[0], &u), SVMC_OK);
            CHECK_MEM(tag, their_tag, 16, "%x, %zu bytes", alg, n);
        }
        CHECK_MEM(ours, theirs, n, "%x, %zu bytes", alg, n);
        ops->cipher_drop(ops->ctx, &rooms[0]);
        rounds++;
    }
    CHECK_EQ(rounds, 9000);
}

TEST(ciphers, what_one_back_end_seals_the_other_opens) /* CR-12 CR-13 */
{
    static uint8_t plain[TEXT], sealed[TEXT], out[TEXT], ad[SVMC_AD_BYTES_MAX];
    uint8_t key[32], nonce[12], tag[16];
    uint64_t rng = harness_seed();

    for (unsigned round = 0; round < 4000; round++) {
        uint8_t alg = round & 1 ? SVMC_ALG_AES_256_GCM : SVMC_ALG_CHACHA20_POLY1305;
        size_t n = (size_t)(harness_random(&rng) % (TEXT + 1));
        const struct svmc_bytes piece = { ad, (size_t)(harness_random(&rng) % (sizeof ad + 1)) };
        struct svmc_cipher_unit u = { 0, 1, &piece, nonce, plain, sealed, n, tag };
        unsigned from = round >> 1 & 1;

        fill(plain, n, &rng);
        fill(ad, sizeof ad, &rng);
        fill(nonce, sizeof nonce, &rng);
        fill(key, sizeof key, &rng);
        for (unsigned which = 0; which < 2; which++)
            REQUIRE(core_cipher_load(table(which), &rooms[which], alg, key, 1) == SVMC_OK);
        CHECK_EQ(core_cipher_seal(table(from), &rooms[from], &u), SVMC_OK);
        u.in = sealed;
        u.out = out;
        CHECK_EQ(core_cipher_open(table(!from), &rooms[!from], &u), SVMC_OK, "%x %zu", alg, n);
        CHECK_MEM(out, plain, n);
        for (unsigned which = 0; which < 2; which++)
            table(which)->cipher_drop(table(which)->ctx, &rooms[which]);
    }
}
