/* SPDX-License-Identifier: MIT */
/*
 * Whoever stores an image gives back what he likes: the input spoils a good one, takes parts of
 * another, cuts it, or is one; callbacks fail. Traps when a chunk is taken that was not sealed so,
 * when something is shown of what is refused, when an image is complete that is not the one that
 * was written, or when anything is left in the slots (IM-4, IM-9, IM-15, IM-16).
 */
#include <svmcore/image.h>

#include "../tests/fakehost/crypto.h"
#include "input.h"

enum { CHUNK = 4096, CHUNKS = 3, BODY = 2 * CHUNK + 50, SECTIONS = 2, SLOTS = 4 };
enum { TABLE_AT = 192, CHUNK_AT = TABLE_AT + 64 + 48 * SECTIONS };
enum { END_AT = CHUNK_AT + 64 * CHUNKS + BODY, BYTES = END_AT + 576 };

static struct fake_crypto fake;
static struct svmc_keyarena arena;
static struct svmc_keyslots slots;
static struct svmc_vmkey key;
static struct svmc_sealer sealer;
static _Alignas(64) uint8_t memory[SVMC_KEYARENA_BYTES(1)], pool[8192];
static uint32_t marks[CHUNKS];
static uint8_t good[2][BYTES], bad[BYTES + 64], body[BODY], out[CHUNKS * CHUNK];
static struct svmc_image_name name[2];
static const uint8_t vm[16] = "fuzzed machine";

static int is_zero(const void *at, size_t n)
{
    const uint8_t *p = at;

    while (n > 0 && p[n - 1] == 0)
        n--;
    return n == 0;
}

static void set_up(uint32_t alg)
{
    const struct svmc_keyslots_config pool_config = { .crypto = &fake.ops,
                                                      .slots = SLOTS,
                                                      .lanes = 1 };
    const struct svmc_sealer_config config = {
        .crypto = &fake.ops, .slots = &slots, .key = &key, .protect = SVMC_PROTECT_ALL, .alg = alg
    };

    fake_crypto_init(&fake);
    require(svmc_keyarena_init(&arena, &fake.ops, memory, sizeof memory) == SVMC_OK);
    require(svmc_vmkey_create(&key, &arena, vm, SVMC_ALG_DERIVE_BLAKE2B) == SVMC_OK);
    require(svmc_keyslots_init(&slots, &pool_config, pool, sizeof pool) == SVMC_OK);
    require(svmc_sealer_init(&sealer, &config) == SVMC_OK);
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (uint8_t)(i * 7 + 1);
}

/* The second one is a delta on the first. */
static void save(unsigned which)
{
    struct svmc_image_section section[SECTIONS] = {
        { SVMC_IMAGE_CONTEXT, 0, 0, 2 * CHUNK, 0, 2 * CHUNK, 0, 0 },
        { SVMC_IMAGE_STATE, 0, 0, 50, 0, 50, 0, 0 },
    };
    const struct svmc_image_config config = { .sealer = &sealer,
                                              .generation = 3 + which,
                                              .parent = which ? &name[0] : NULL,
                                              .marks = marks,
                                              .marks_count = CHUNKS,
                                              .kind = which ? SVMC_IMAGE_DELTA : SVMC_IMAGE_WHOLE,
                                              .chunk_bytes = CHUNK,
                                              .segment_chunks = which ? 2 : 0 };
    struct svmc_image image;
    uint64_t bytes;

    require(svmc_image_layout(section, SECTIONS, &bytes) == 1 && bytes == BODY);
    require(svmc_image_begin(&image, &config, section, SECTIONS, good[which],
                             good[which] + TABLE_AT) == SVMC_IMAGE_NONE);
    for (uint64_t i = 0; i < CHUNKS; i++)
        require(svmc_image_seal_chunk(&image, 0, i, body + i * CHUNK,
                                      good[which] + svmc_image_place(&image, i)) ==
                SVMC_IMAGE_NONE);
    require(svmc_image_place(&image, CHUNKS) == END_AT);
    require(svmc_image_end(&image, good[which] + END_AT, &name[which]) == SVMC_IMAGE_NONE);
    require(svmc_image_drop(&image) == SVMC_OK);
}

/* Flip, move, take of the other one, as the input says. @return how many bytes there are. */
static size_t spoil(struct input *in, const uint8_t *mine, const uint8_t *other)
{
    size_t n = BYTES;

    memcpy(bad, mine, BYTES);
    memset(bad + BYTES, 0, sizeof bad - BYTES);
    for (unsigned i = take_byte(in) % 8; i > 0; i--) {
        uint8_t how = take_byte(in), where[4];
        size_t at, from, count;

        take(in, where, sizeof where);
        at = (where[0] | (size_t)where[1] << 8) % BYTES;
        from = (where[2] | (size_t)where[3] << 8) % BYTES;
        count = BYTES - (at > from ? at : from);
        if (how % 4 == 0)
            bad[at] ^= (uint8_t)(1 << where[2] % 8);
        else if (how % 4 == 1)
            memcpy(bad + at, (how & 4 ? mine : other) + from, count < 4160 ? count : 4160);
        else if (how % 4 == 2)
            take(in, bad + at, count < 24 ? count : 24);
        else
            n = how & 4 ? at : BYTES + where[0] % 64;
    }
    return n;
}

/* Chunks are taken in the order of the input; what is shown is what was sealed. */
static void read_chunks(struct svmc_image *image, struct input *in, size_t n)
{
    for (unsigned k = 0; k < CHUNKS + 1; k++) {
        uint64_t index = k < CHUNKS ? k : take_byte(in) % (CHUNKS + 1);
        uint64_t place = svmc_image_place(image, index);
        size_t bytes = svmc_image_chunk_bytes(image, index);
        enum svmc_image_reason why;

        memset(out, 0xee, sizeof out);
        if (place > n || bytes > CHUNK)
            return;
        count_call();
        why = svmc_image_open_segment(image, 0, index, bad + place, n - (size_t)place, out);
        if (why == SVMC_IMAGE_NONE)
            require(index * CHUNK + bytes <= BODY && memcmp(out, body + index * CHUNK, bytes) == 0);
        else
            require(is_zero(out, bytes));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct svmc_image_section section[SVMC_IMAGE_SECTIONS_MAX];
    struct svmc_image_config config = { .sealer = &sealer, .marks = marks, .marks_count = CHUNKS };
    struct input in = { data, size };
    uint8_t head = take_byte(&in);
    unsigned which = head & 1;
    struct svmc_image_info info;
    struct svmc_image_name got;
    struct svmc_image image;
    enum svmc_image_reason why;
    size_t n;

    if (sealer.priv.key == NULL) { /* the same two images for all inputs */
        set_up(SVMC_ALG_CHACHA20_POLY1305);
        save(0);
        save(1);
    }
    fake.fail_at = 0;
    (void)svmc_keyslots_recycle(&slots); /* generations end after 65535 loads */
    config.parent = which ? &name[0] : NULL;
    config.generation = head & 2 ? 3 : 0;
    n = spoil(&in, good[which], good[!which]);
    fake.fail_at = head & 4 ? fake.calls + take_byte(&in) % 32 : 0;
    (void)svmc_image_inspect(bad, n, &info);
    why = svmc_image_open(&image, &config, bad, n);
    if (why == SVMC_IMAGE_NONE) {
        require(memcmp(bad, good[which], 192) == 0);
        if (head & 8 && n > END_AT)
            (void)svmc_image_open_end(&image, bad + END_AT, n - END_AT);
        why = svmc_image_open_table(&image, 0, bad + TABLE_AT, n - TABLE_AT, section);
        require(why == SVMC_IMAGE_NONE || is_zero(section, SECTIONS * sizeof *section));
        read_chunks(&image, &in, n);
        if (n >= END_AT &&
            svmc_image_close(&image, bad + END_AT, n - END_AT, &got) == SVMC_IMAGE_NONE)
            require(n == BYTES && memcmp(bad, good[which], BYTES) == 0 &&
                    memcmp(&got, &name[which], sizeof got) == 0);
    } else {
        require(is_zero(&image, sizeof image));
    }
    require(svmc_image_drop(&image) == SVMC_OK && fake.loaded == 0);
    return 0;
}
