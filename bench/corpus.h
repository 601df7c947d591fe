/* SPDX-License-Identifier: MIT */
/** What the decoder's figures decode: code of a real binary, random bytes, records of one form. */
#ifndef BENCH_CORPUS_H
#define BENCH_CORPUS_H
#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "random.h"

#define CORPUS_WINDOW 15u /* bytes a decoder is given: the most that an exit brings along */
#define CORPUS_RECORD 16u /* bytes of a record */

/** bytes[0..count) and CORPUS_WINDOW more behind them. stride 0: the next one starts where the last
 * one ended, or a byte behind what both refuse; else one instruction every stride bytes. */
struct corpus {
    uint8_t *bytes;
    size_t count, stride;
};

static _Noreturn inline void corpus_fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static inline uint8_t *corpus_alloc(size_t count)
{
    uint8_t *p = calloc(1, count + CORPUS_WINDOW);

    if (p == NULL)
        corpus_fail("corpus", "out of memory");
    return p;
}

/* count bytes, at most 8, of a number in the file's byte order. */
static inline uint64_t corpus_number(const uint8_t *p, size_t count, bool big)
{
    uint64_t v = 0;

    for (size_t i = 0; i < count; i++)
        v |= (uint64_t)p[big ? count - 1 - i : i] << (8 * i);
    return v;
}

#define CORPUS_FIELD(p, type, member) \
    corpus_number((p) + offsetof(type, member), sizeof(((type *)0)->member), big)

/** The first `most` bytes of .text of a 64-bit ELF file of either byte order. */
static inline struct corpus corpus_text(const char *path, size_t most)
{
    struct corpus c = { 0 };
    struct stat st;
    int fd = open(path, O_RDONLY);
    const uint8_t *file, *section, *names;
    uint64_t first, size, strings, count;
    bool big;

    if (fd < 0 || fstat(fd, &st) != 0)
        corpus_fail(path, "cannot be opened");
    file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (file == MAP_FAILED || memcmp(file, ELFMAG, SELFMAG) != 0 || file[EI_CLASS] != ELFCLASS64)
        corpus_fail(path, "not a 64-bit ELF file");
    big = file[EI_DATA] == ELFDATA2MSB;
    first = CORPUS_FIELD(file, Elf64_Ehdr, e_shoff);
    size = CORPUS_FIELD(file, Elf64_Ehdr, e_shentsize);
    count = CORPUS_FIELD(file, Elf64_Ehdr, e_shnum);
    strings = CORPUS_FIELD(file, Elf64_Ehdr, e_shstrndx);
    names = file + CORPUS_FIELD(file + first + strings * size, Elf64_Shdr, sh_offset);
    for (uint64_t i = 0; i < count; i++) {
        section = file + first + i * size;
        if (strcmp((const char *)names + CORPUS_FIELD(section, Elf64_Shdr, sh_name), ".text") != 0)
            continue;
        c.count = CORPUS_FIELD(section, Elf64_Shdr, sh_size);
        if (c.count > most)
            c.count = most;
        c.bytes = corpus_alloc(c.count);
        memcpy(c.bytes, file + CORPUS_FIELD(section, Elf64_Shdr, sh_offset), c.count);
    }
    munmap((void *)(uintptr_t)file, (size_t)st.st_size);
    close(fd);
    if (c.count == 0)
        corpus_fail(path, "has no .text");
    return c;
}

static inline struct corpus corpus_random(size_t count)
{
    struct corpus c = { .bytes = corpus_alloc(count), .count = count };
    uint64_t rng = 1;

    for (size_t i = 0; i < count; i++)
        c.bytes[i] = (uint8_t)harness_random(&rng);
    return c;
}

/** `draws` records of `from`, each with the same chance. */
static inline struct corpus corpus_shuffle(const struct corpus *from, size_t draws)
{
    struct corpus c = { .count = draws * CORPUS_RECORD, .stride = CORPUS_RECORD };
    uint64_t rng = 2, records = from->count / CORPUS_RECORD;

    c.bytes = corpus_alloc(c.count);
    for (size_t i = 0; i < draws; i++)
        memcpy(c.bytes + i * CORPUS_RECORD,
               from->bytes + harness_random(&rng) % records * CORPUS_RECORD, CORPUS_RECORD);
    return c;
}

#endif
