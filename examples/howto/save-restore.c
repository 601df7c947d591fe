/* SPDX-License-Identifier: MIT */
/*
 * A VM saved to a file by two threads, and restored in another process: save FILE, restore FILE.
 * Its memory is a pattern, its context a sentence; FILE.key has its wrapped key.
 * Build: cc save-restore.c $(pkg-config --cflags --libs svmcore-openssl) -lpthread
 */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <svmcore/image.h>
#include <svmcore/port/openssl.h>
#include <unistd.h>

enum { PAGE = SVMC_IMAGE_PAGE, PAGES = 4096, LANES = 2, CHUNK = SVMC_IMAGE_CHUNK_BYTES };
enum { MAP = 0, MEMORY = 1, CONTEXT = 2, SECTIONS = 3 };
enum { TABLE = SVMC_IMAGE_HEADER_BYTES, FRAME = SVMC_IMAGE_FRAME_BYTES };
enum { MARKS = PAGES * PAGE / CHUNK + 2, HEAD = TABLE + FRAME + 48 * SECTIONS };

static const uint8_t vm_id[16] = "an example's VM", provider_secret[32] = "from your key service";
static const struct svmc_provider_key provider = { "an example's", provider_secret };

/* Lock what has keys in it: mlock. */
static _Alignas(64) uint8_t arena_memory[SVMC_KEYARENA_BYTES(1)], slot_memory[16384];
static struct svmc_keyarena arena;
static struct svmc_vmkey key;
static struct svmc_keyslots slots;
static struct svmc_sealer sealer;

static _Alignas(PAGE) uint8_t memory[PAGES * PAGE];
static uint8_t map[SVMC_IMAGE_MAP_BYTES(PAGES)];
static char context[64] = "where the processor was";
static uint32_t place_of[PAGES]; /* the n-th page that is stored */
static struct svmc_image_section section[SECTIONS];
static struct svmc_image image;
static uint32_t marks[MARKS], chunks, done;
static int file, saving;

static void check(const char *what, enum svmc_image_reason why)
{
    if (why == SVMC_IMAGE_NONE)
        return;
    fprintf(stderr, "%s: refused: %s\n", what, svmc_image_reason_name(why));
    exit(1);
}

static void must(const char *what, int ok)
{
    if (ok)
        return;
    fprintf(stderr, "%s failed\n", what);
    exit(1);
}

/* ---- keys ------------------------------------------------------------------------------------*/

/* A new key when saving, the one of FILE.key when restoring: with a fresh epoch each. */
static void prepare(const char *path)
{
    const struct svmc_crypto_ops *crypto = svmc_openssl_ops();
    const struct svmc_keyslots_config pool = { .crypto = crypto, .slots = 4, .lanes = LANES };
    const struct svmc_sealer_config config = { .crypto = crypto,
                                               .slots = &slots,
                                               .key = &key,
                                               .protect = SVMC_PROTECT_ALL,
                                               .alg = SVMC_ALG_AES_256_GCM };
    uint8_t blob[SVMC_VMKEY_BLOB_BYTES];
    char name[4096];
    FILE *f;

    snprintf(name, sizeof name, "%s.key", path);
    f = fopen(name, saving ? "wb" : "rb");
    must(name, f != NULL);
    must("key arena",
         svmc_keyarena_init(&arena, crypto, arena_memory, sizeof arena_memory) == SVMC_OK);
    if (saving)
        must("key", svmc_vmkey_create(&key, &arena, vm_id, SVMC_ALG_DERIVE_BLAKE2B) == SVMC_OK &&
                        svmc_vmkey_wrap(&key, &provider, SVMC_ALG_AES_256_GCM, blob) == SVMC_OK &&
                        fwrite(blob, sizeof blob, 1, f) == 1);
    else
        must("key",
             fread(blob, sizeof blob, 1, f) == 1 &&
                 svmc_vmkey_unwrap(&key, &arena, vm_id, &provider, blob, sizeof blob) == SVMC_OK);
    must(name, fclose(f) == 0);
    must("slots", svmc_keyslots_init(&slots, &pool, slot_memory, sizeof slot_memory) == SVMC_OK);
    must("sealer", svmc_sealer_init(&sealer, &config) == SVMC_OK);
}

/* ---- the body --------------------------------------------------------------------------------*/

/* Sections begin at pages, so that each page of the body is of one section. NULL: nothing. */
static uint8_t *page_at(uint64_t offset, size_t *bytes)
{
    for (unsigned i = SECTIONS; i-- > 0;) {
        uint64_t at = offset - section[i].offset;

        if (offset < section[i].offset || at >= section[i].stored)
            continue;
        *bytes = section[i].stored - at < PAGE ? (size_t)(section[i].stored - at) : PAGE;
        return i == MAP      ? map + at
               : i == MEMORY ? memory + (size_t)place_of[at / PAGE] * PAGE
                             : (uint8_t *)context + at;
    }
    return NULL;
}

/* A chunk from, or to, what it is made of. */
static void move_chunk(uint64_t i, uint8_t *chunk, int out)
{
    size_t n = svmc_image_chunk_bytes(&image, i);

    for (size_t at = 0; at < n; at += PAGE) {
        size_t bytes;
        uint8_t *page = page_at(i * CHUNK + at, &bytes);

        if (!page)
            continue;
        memcpy(out ? page : chunk + at, out ? chunk + at : page, bytes);
    }
}

static void find_pages(void)
{
    uint32_t count = 0;

    for (uint64_t p = 0; (p = svmc_image_map_next(map, PAGES, p, SVMC_IMAGE_HERE)) < PAGES; p++)
        place_of[count++] = (uint32_t)p;
}

static void show_progress(void)
{
    uint32_t now = __atomic_add_fetch(&done, 1, __ATOMIC_RELAXED);

    if (isatty(2) && (now * 100 / chunks != (now - 1) * 100 / chunks || now == chunks))
        fprintf(stderr, "\r%s %3u %%%s", saving ? "saving" : "restoring", now * 100 / chunks,
                now == chunks ? "\n" : "");
}

/* Every second chunk: a thread is a lane. */
static void *lane_main(void *arg)
{
    uint32_t lane = *(const uint32_t *)arg;
    uint8_t *frame = calloc(1, FRAME + CHUNK);

    must("memory", frame != NULL);
    for (uint64_t i = lane; i < chunks; i += LANES) {
        size_t n = FRAME + svmc_image_chunk_bytes(&image, i);
        off_t at = (off_t)svmc_image_place(&image, i);
        ssize_t got;

        if (saving) {
            memset(frame, 0, FRAME + CHUNK);
            move_chunk(i, frame + FRAME, 0);
            check("chunk", svmc_image_seal_chunk(&image, lane, i, frame + FRAME, frame));
            must("write", pwrite(file, frame, n, at) == (ssize_t)n);
        } else {
            got = pread(file, frame, n, at);
            check("chunk", svmc_image_open_chunk(&image, lane, i, frame, got < 0 ? 0 : (size_t)got,
                                                 frame + FRAME));
            move_chunk(i, frame + FRAME, 1);
        }
        show_progress();
    }
    free(frame);
    return NULL;
}

static void move_all(void)
{
    uint32_t lane[LANES] = { 0, 1 };
    pthread_t thread[LANES];

    for (unsigned i = 0; i < LANES; i++)
        must("thread", pthread_create(&thread[i], NULL, lane_main, &lane[i]) == 0);
    for (unsigned i = 0; i < LANES; i++)
        pthread_join(thread[i], NULL);
}

/* ---- save ------------------------------------------------------------------------------------*/

static void save(void)
{
    const struct svmc_image_config config = { .sealer = &sealer,
                                              .generation = 1, /* count it up in a safe place */
                                              .marks = marks,
                                              .marks_count = MARKS,
                                              .kind = SVMC_IMAGE_WHOLE };
    uint8_t head[HEAD], end[SVMC_IMAGE_END_BYTES];
    struct svmc_image_name name;
    uint64_t here, body;

    for (size_t i = 0; i < sizeof memory; i++) /* every fourth page is zero */
        memory[i] = (uint8_t)(i / PAGE % 4 == 3 ? 0 : i * 7 + i / PAGE);
    here = svmc_image_map_make(map, PAGES, memory, NULL);
    section[MAP] =
        (struct svmc_image_section){ SVMC_IMAGE_MAP, 0, 0, sizeof memory, 0, sizeof map, 0, 0 };
    section[MEMORY] =
        (struct svmc_image_section){ SVMC_IMAGE_MEMORY, 0, 0, sizeof memory, 0, here * PAGE, 0, 0 };
    section[CONTEXT] = (struct svmc_image_section){ SVMC_IMAGE_CONTEXT, 0, 0, sizeof context, 0,
                                                    sizeof context,     1, 0 };
    must("layout", svmc_image_layout(section, SECTIONS, &body) == 1);
    find_pages();
    check("begin", svmc_image_begin(&image, &config, section, SECTIONS, head, head + TABLE));
    chunks = (uint32_t)((body + CHUNK - 1) / CHUNK);
    must("write", pwrite(file, head, sizeof head, 0) == (ssize_t)sizeof head);
    move_all();
    check("end", svmc_image_end(&image, end, &name));
    must("write", pwrite(file, end, sizeof end, (off_t)svmc_image_place(&image, chunks)) ==
                      (ssize_t)sizeof end);
    must("fsync", fsync(file) == 0);
    printf("saved %llu of %u pages\n", (unsigned long long)here, (unsigned)PAGES);
}

/* ---- restore ---------------------------------------------------------------------------------*/

static void restore(void)
{
    const struct svmc_image_config config = { .sealer = &sealer,
                                              .generation = 1, /* older ones are refused */
                                              .marks = marks,
                                              .marks_count = MARKS };
    uint8_t head[HEAD], end[SVMC_IMAGE_END_BYTES + 1], *chunk = malloc(FRAME + CHUNK);
    struct svmc_image_info info;
    struct svmc_image_name name;
    ssize_t n = pread(file, head, sizeof head, 0), left;

    must("memory", chunk != NULL);
    n = n < 0 ? 0 : n;
    check("header", svmc_image_inspect(head, (size_t)n, &info));
    must("sections", info.sections == SECTIONS);
    check("header", svmc_image_open(&image, &config, head, (size_t)n));
    chunks = (uint32_t)info.chunks;
    left = pread(file, end, sizeof end, (off_t)svmc_image_place(&image, chunks));
    check("end", svmc_image_open_end(&image, end, left < 0 ? 0 : (size_t)left));
    check("table", svmc_image_open_table(&image, 0, head + TABLE, (size_t)n - TABLE, section));
    must("sections", section[MAP].stored == sizeof map && section[CONTEXT].type == 3 &&
                         section[CONTEXT].stored == sizeof context);
    n = pread(file, chunk, FRAME + CHUNK, (off_t)svmc_image_place(&image, 0)); /* the map's */
    check("map", svmc_image_open_chunk(&image, 0, 0, chunk, n < 0 ? 0 : (size_t)n, chunk + FRAME));
    memcpy(map, chunk + FRAME, sizeof map);
    free(chunk);
    must("map", svmc_image_map_check(map, &section[MEMORY], 0) == 1);
    find_pages();
    move_all();
    check("end", svmc_image_close(&image, end, (size_t)left, &name));
    must("image", svmc_image_may_run(&name) == 1); /* not before: until here it was hearsay */
    for (size_t i = 0; i < sizeof memory; i++)
        must("the guest's own check",
             memory[i] == (uint8_t)(i / PAGE % 4 == 3 ? 0 : i * 7 + i / PAGE));
    printf("restored; it goes on \"%s\"\n", context);
}

int main(int argc, char **argv)
{
    saving = argc == 3 && strcmp(argv[1], "save") == 0;
    if (argc != 3 || (!saving && strcmp(argv[1], "restore") != 0)) {
        fprintf(stderr, "usage: save-restore save|restore FILE\n");
        return 2;
    }
    if (!saving)
        memset(context, 0, sizeof context);
    prepare(argv[2]);
    file = open(argv[2], saving ? O_RDWR | O_CREAT | O_TRUNC : O_RDONLY, 0600);
    must(argv[2], file >= 0);
    if (saving)
        save();
    else
        restore();
    must("drop", svmc_image_drop(&image) == SVMC_OK);
    svmc_keyslots_drop(&slots);
    svmc_keyarena_drop(&arena);
    return close(file) == 0 ? 0 : 1;
}
