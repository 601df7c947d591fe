/* SPDX-License-Identifier: MIT */
/* Images that svmcore seal only reads: deltas, and the rounds of a migration. rounds BLOB ID KEY
   FOLDER: of the VM whose key is in the file BLOB, wrapped with a provider's key that has this
   name and these bytes, both hexadecimal. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <svmcore/image.h>
#include <svmcore/port/sodium.h>

enum { PAGES = 4, PAGE = 4096, CHUNKS = PAGES + 1, AT_VM = 24 };

static _Alignas(64) uint8_t keys[SVMC_KEYARENA_BYTES(1)], pool[65536];
static _Alignas(8) uint8_t memory[PAGES * PAGE];
static struct svmc_keyarena arena;
static struct svmc_vmkey key;
static struct svmc_keyslots slots;
static struct svmc_sealer sealer;

static void must(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "rounds: %s\n", what);
        exit(1);
    }
}

static void unhex(uint8_t *to, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        unsigned byte;

        must(sscanf(text + 2 * i, "%2x", &byte) == 1, "hexadecimal digits");
        to[i] = (uint8_t)byte;
    }
}

static void set_up(char **argv)
{
    const struct svmc_crypto_ops *ops = svmc_sodium_ops();
    const struct svmc_keyslots_config c = { .crypto = ops, .slots = 4, .lanes = 1 };
    const struct svmc_sealer_config s = { .crypto = ops,
                                          .slots = &slots,
                                          .key = &key,
                                          .protect = SVMC_PROTECT_ALL,
                                          .alg = SVMC_ALG_CHACHA20_POLY1305 };
    uint8_t blob[SVMC_VMKEY_BLOB_BYTES], bytes[SVMC_DERIVE_KEY_BYTES];
    struct svmc_provider_key provider = { .bytes = bytes };
    FILE *file = fopen(argv[1], "rb");

    must(file && fread(blob, sizeof blob, 1, file) == 1, "a blob");
    fclose(file);
    unhex(provider.id, sizeof provider.id, argv[2]);
    unhex(bytes, sizeof bytes, argv[3]);
    must(svmc_keyarena_init(&arena, ops, keys, sizeof keys) == SVMC_OK &&
             svmc_vmkey_unwrap(&key, &arena, blob + AT_VM, &provider, blob, sizeof blob) ==
                 SVMC_OK &&
             svmc_keyslots_init(&slots, &c, pool, sizeof pool) == SVMC_OK &&
             svmc_sealer_init(&sealer, &s) == SVMC_OK,
         "a sealer");
}

/* Pages that `dirty` names, in a file; *name is its own then. */
static void save(const char *path, struct svmc_image_config *config, uint64_t dirty,
                 struct svmc_image_name *name)
{
    static uint8_t body[CHUNKS * PAGE], header[SVMC_IMAGE_HEADER_BYTES];
    static uint8_t table[SVMC_IMAGE_TABLE_BYTES(2)], out[SVMC_IMAGE_FRAME_BYTES + PAGE];
    static uint8_t end[SVMC_IMAGE_END_BYTES];
    struct svmc_image_section section[2] = {
        { SVMC_IMAGE_MAP, 0, 0, sizeof memory, 0, 1, 0, 0 },
        { SVMC_IMAGE_MEMORY, 0, 0, sizeof memory, 0, 0, 0, 0 },
    };
    FILE *file = fopen(path, "wb");
    struct svmc_image image;
    uint32_t marks[CHUNKS];
    uint64_t bytes;

    memset(body, 0, sizeof body);
    section[1].stored =
        PAGE * svmc_image_map_make(body, PAGES, memory, config->parent ? &dirty : NULL);
    for (size_t p = 0, at = PAGE; p < PAGES; p++)
        if ((body[0] >> 2 * p & 3) == SVMC_IMAGE_HERE) {
            memcpy(body + at, memory + p * PAGE, PAGE);
            at += PAGE;
        }
    config->sealer = &sealer;
    config->marks = marks;
    config->marks_count = CHUNKS;
    config->chunk_bytes = PAGE;
    must(file && svmc_image_layout(section, 2, &bytes) == 1 &&
             svmc_image_begin(&image, config, section, 2, header, table) == SVMC_IMAGE_NONE,
         path);
    must(fwrite(header, sizeof header, 1, file) == 1 && fwrite(table, sizeof table, 1, file) == 1,
         path);
    for (uint64_t i = 0; i < image.priv.chunks; i++) {
        size_t n = svmc_image_chunk_bytes(&image, i);

        must(svmc_image_seal_chunk(&image, 0, i, body + i * PAGE, out) == SVMC_IMAGE_NONE &&
                 fwrite(out, SVMC_IMAGE_FRAME_BYTES + n, 1, file) == 1,
             path);
    }
    must(svmc_image_end(&image, end, name) == SVMC_IMAGE_NONE &&
             fwrite(end, sizeof end, 1, file) == 1 && fclose(file) == 0 &&
             svmc_image_drop(&image) == SVMC_OK,
         path);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        enum svmc_image_kind kind;
        uint64_t dirty;
        unsigned session; /* 0: none */
    } rows[] = {
        { "whole", SVMC_IMAGE_WHOLE, 0, 0 },   { "delta-1", SVMC_IMAGE_DELTA, 5, 0 },
        { "delta-2", SVMC_IMAGE_DELTA, 2, 0 }, { "round-0", SVMC_IMAGE_ROUND, 0, 1 },
        { "round-1", SVMC_IMAGE_ROUND, 6, 1 }, { "last", SVMC_IMAGE_LAST, 1, 1 },
        { "other-0", SVMC_IMAGE_ROUND, 0, 2 }, { "other-last", SVMC_IMAGE_LAST, 8, 2 },
        { "alone", SVMC_IMAGE_WHOLE, 0, 0 },
    };
    struct svmc_image_name before = { 0 }, name;
    uint8_t session[SVMC_IMAGE_ID_BYTES] = "a migration ...";
    char path[4096];

    must(argc == 5, "rounds BLOB ID KEY FOLDER");
    set_up(argv);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool begins =
            rows[i].kind == SVMC_IMAGE_WHOLE || (i > 0 && rows[i].session != rows[i - 1].session);
        struct svmc_image_config config = { .kind = rows[i].kind,
                                            .generation = i + 1,
                                            .parent = begins ? NULL : &before,
                                            .session = rows[i].session ? session : NULL };

        session[15] = (uint8_t)rows[i].session;
        for (size_t p = 0; p < sizeof memory; p += 8)
            memory[p] = (uint8_t)(i + 1 + p / PAGE);
        snprintf(path, sizeof path, "%s/%s", argv[4], rows[i].name);
        save(path, &config, rows[i].dirty, &name);
        before = name;
    }
    return 0;
}
