/* SPDX-License-Identifier: MIT */
/*
 * The search of all of this process's memory for secrets: stack below the present frame, heap,
 * data, the registers. A secret is 16 bytes, known to the program under a mask alone; either half
 * of it at any address, in either byte order, is one found. Living ones must be found, and at home
 * alone. For *_residue.c, which residue.py builds. Exit status 77:
 * /proc/self/mem is not there.
 */
#ifndef RESIDUE_H
#define RESIDUE_H
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <svmcore/status.h>
#include <unistd.h>

#include "../random.h"

#define SECRETS      192u
#define SECRET_BYTES 16u
#define DEPTH        0x20000u /* of the stack between the search's frames and those it searches */
#define CHUNK        0x10000u

static const volatile uint64_t mask = 0x9d3f1c65a82be740;
static uint64_t masked[SECRETS][2], rng = 77;
static const char *whose = "/proc/self"; /* whose memory is searched */
static uint64_t home, home_bytes;        /* where living secrets are found, and nowhere else */
static unsigned halves = 2;              /* bit n: half n of a living secret has to be found */
static unsigned drawn, found[SECRETS], stray, failed;
static _Bool alive[SECRETS], quiet;

static void must(_Bool ok, const char *what)
{
    if (!ok) {
        printf("failed: %s\n", what);
        exit(1);
    }
}
#define OK(call) must((call) == SVMC_OK, #call)

static void wipe(void *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((volatile uint8_t *)at)[i] = 0;
}

static void unmask(unsigned n, void *at)
{
    for (unsigned i = 0; i < SECRET_BYTES; i++)
        ((volatile uint8_t *)at)[i] = (uint8_t)((masked[n][i / 8] ^ mask) >> i % 8 * 8);
}

/* One more secret, to `at`. */
static void make_secret(void *at)
{
    must(drawn < SECRETS, "room for secrets");
    masked[drawn][0] = harness_random(&rng);
    masked[drawn][1] = harness_random(&rng);
    unmask(drawn++, at);
}

/* ---- the search -------------------------------------------------------------------------------*/

static uint8_t chunk[CHUNK + 7];
static uint8_t
    maybe[0x10000]; /* the low bits of what is looked for, masked: most words end there */
static uint8_t registers[512 + 6 * 8] __attribute__((aligned(16)));

/* Those that outlive a call, and all vector registers: FXSAVE, 512 bytes (SDM vol. 2). */
#define KEEP_REGISTERS()                                                               \
    __asm__ volatile("fxsave %0\n\tmov %%rbx, 512+%0\n\tmov %%rbp, 520+%0\n\t"         \
                     "mov %%r12, 528+%0\n\tmov %%r13, 536+%0\n\tmov %%r14, 544+%0\n\t" \
                     "mov %%r15, 552+%0"                                               \
                     : "=m"(registers))

static void look_at(const uint8_t *at, size_t n, uint64_t address, const char *where)
{
    for (size_t i = 0; i + 8 <= n; i++) {
        uint64_t word, turned;

        memcpy(&word, at + i, sizeof word);
        turned = __builtin_bswap64(word) ^ mask;
        word ^= mask;
        if (maybe[word & 0xffff] == 0 && maybe[turned & 0xffff] == 0)
            continue;
        for (unsigned t = 0; t < 2 * drawn; t++) {
            if (word != masked[t / 2][t % 2] && turned != masked[t / 2][t % 2])
                continue;
            if (alive[t / 2] && address + i - home < home_bytes)
                found[t / 2] |= 1u << t % 2;
            else if (stray++ < 9 && !quiet)
                printf("failed: half %u of secret %u at %#llx %s", t % 2, t / 2,
                       (unsigned long long)(address + i), where);
        }
    }
}

/* Every byte that can be written, but for the chunk, which is empty when it is not looked at. */
static void search(void)
{
    char line[512];
    FILE *maps;
    int mem;

    snprintf(line, sizeof line, "%s/maps", whose);
    maps = fopen(line, "r");
    snprintf(line, sizeof line, "%s/mem", whose);
    mem = open(line, O_RDONLY);
    if (!maps || mem < 0) {
        printf("SKIPPED: no %s\n", line);
        exit(77);
    }
    memset(found, 0, sizeof found);
    for (unsigned t = 0; t < 2 * drawn; t++)
        maybe[masked[t / 2][t % 2] & 0xffff] = 1;
    while (fgets(line, sizeof line, maps)) {
        uint64_t from, to;
        char rights[5];

        if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) != 3 || rights[1] != 'w')
            continue;
        while (from < to) {
            const uint64_t own = (uintptr_t)chunk, behind = own + sizeof chunk;
            size_t n = to - from < sizeof chunk ? to - from : sizeof chunk;

            if (from >= own && from < behind) { /* what is read here is read there, too */
                from = behind;
                continue;
            }
            if (from < own && own - from < n)
                n = own - from;
            if (pread(mem, chunk, n, (off_t)from) == (ssize_t)n)
                look_at(chunk, n, from,
                        strchr(line, '/')   ? strchr(line, '/')
                        : strchr(line, '[') ? strchr(line, '[')
                                            : "\n");
            else
                must(0, "every page can be read");
            wipe(chunk, sizeof chunk);
            from += n > CHUNK ? CHUNK : n;
        }
    }
    fclose(maps);
    close(mem);
}

/* Far below the search, whose own frames would else cover what is there. */
__attribute__((noinline)) static void deep(void (*step)(void))
{
    char apart[DEPTH];

    __asm__ volatile("" : : "r"(apart) : "memory");
    step();
    KEEP_REGISTERS();
    __asm__ volatile("" : : "r"(apart) : "memory");
}

__attribute__((noinline)) static void scrub(void)
{
    char frames[DEPTH / 2];

    wipe(frames, sizeof frames);
}

static void now(const char *name, void (*step)(void))
{
    deep(scrub);
    deep(step);
    stray = 0;
    search();
    for (unsigned n = 0; n < drawn; n++)
        if (alive[n] && (found[n] & halves) != halves) {
            printf("failed: secret %u lives and is not found\n", n);
            stray++;
        }
    if (stray != 0)
        printf("after: %s\n", name);
    failed += stray != 0;
}

#endif
