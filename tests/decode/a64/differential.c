/* SPDX-License-Identifier: MIT */
/*
 * The A64 decoder against two disassemblers (reference.h), word by word.
 *
 * usage: a64-differential [--slice [--every N] | --all | --word HEX] [--jobs N]
 *     --slice  one word of every 64 (or N, a power of 2), evenly, and all forms with chosen
 *              registers (the default)
 *     --all    all 2^32 words; every reason of reasons.c must then explain something
 *     --word   show what all three say of one word
 *
 * What is compared is what the text of a disassembler shows: all of struct svmc_insn but privilege.
 * Of the groups of which we claim no more (A64-12) each reference must agree that the word is no
 * branch, exception, system instruction and, SVE and SME apart, no load or store.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../../src/core/bytes.h"
#include "../../../src/decode/a64/a64.h"
#include "reasons.h"
#include "text.h"

#define CLASSES   40u
#define SHOWN     60u
#define CHUNK     (1u << 20)
#define CHUNKS    (1u << 12)
#define NAME_KEYS (1u << 18)

/* What the processes share. */
struct shared {
    atomic_uint next_chunk;
    atomic_ulong words, refused, passed, failed;
    atomic_ulong classes[CLASSES];
    atomic_ulong reasons[REASONS_MAX];
    atomic_uint shown;
    struct {
        unsigned which, diff, id;
    } first[SHOWN];                                /* one of each kind of failure */
    _Atomic uint64_t names[REFERENCES][NAME_KEYS]; /* of a system register or operation */
};

static struct shared *shared;
static bool whole;
static uint32_t every = 64; /* of a slice: one word of so many */

static bool is_group(const struct svmc_insn *insn)
{
    return insn->insn_class >= SVMC_CLASS_A64_DATA_IMM;
}

/* The fields that differ. */
static unsigned compare(const struct svmc_insn *a, const struct svmc_insn *b)
{
    unsigned diff = 0;

    diff |= a->id != b->id ? DIFF_ID : 0;
    diff |= a->insn_class != b->insn_class ? DIFF_CLASS : 0;
    diff |= a->access != b->access ? DIFF_ACCESS : 0;
    diff |= a->mem_bytes != b->mem_bytes || a->mem_count != b->mem_count ||
                    a->reg_bytes != b->reg_bytes || a->reg_kind != b->reg_kind
                ? DIFF_SIZE
                : 0;
    diff |= a->reg != b->reg || a->reg2 != b->reg2 || a->reg3 != b->reg3 ? DIFF_REGS : 0;
    diff |= a->base != b->base || a->index != b->index || a->scale != b->scale ||
                    a->index_extend != b->index_extend
                ? DIFF_ADDRESS
                : 0;
    diff |= a->disp != b->disp ? DIFF_DISP : 0;
    diff |= a->imm != b->imm ? DIFF_IMM : 0;
    diff |= a->flags != b->flags ? DIFF_FLAGS : 0;
    return diff;
}

/* A number that a reference names always has the same name. */
static bool same_name(enum reference which, uint32_t word, uint64_t hash)
{
    _Atomic uint64_t *name = &shared->names[which][word >> 5 & (NAME_KEYS - 1)];
    uint64_t unset = 0;

    return atomic_compare_exchange_strong(name, &unset, hash) || unset == hash;
}

static unsigned difference(enum reference which, uint32_t word, enum svmc_status st,
                           const struct svmc_insn *insn)
{
    struct text_view view;
    enum text_verdict verdict;
    unsigned diff;

    if (st == SVMC_OK && is_group(insn)) {
        bool memory_too = insn->insn_class < SVMC_CLASS_A64_SVE;

        return text_is_system(reference_mnemonic(which, word), memory_too) ? DIFF_GROUP : 0;
    }
    verdict = text_read(reference_text(which, word), &view);
    if (st != SVMC_OK)
        return verdict == TEXT_REFUSED ? 0 : DIFF_ACCEPTS;
    if (verdict != TEXT_READ)
        return verdict == TEXT_REFUSED ? DIFF_REFUSES
               : verdict == TEXT_OTHER ? DIFF_GROUP
                                       : DIFF_UNREADABLE;
    if (view.imm_named) {
        view.insn.imm = insn->imm;
        if (!same_name(which, word, view.name_hash))
            return DIFF_NAME;
    }
    diff = compare(insn, &view.insn);
    return diff;
}

static void fail(enum reference which, uint32_t word, unsigned diff, unsigned id)
{
    unsigned n = atomic_load(&shared->shown);

    atomic_fetch_add(&shared->failed, 1);
    for (unsigned i = 0; i < n && i < SHOWN; i++)
        if (shared->first[i].which == which && shared->first[i].diff == diff &&
            shared->first[i].id == id)
            return;
    n = atomic_fetch_add(&shared->shown, 1);
    if (n >= SHOWN)
        return;
    shared->first[n].which = which;
    shared->first[n].diff = diff;
    shared->first[n].id = id;
    printf("FAILED %08x %s: difference %04x, id %u, texts: %s | %s\n", word, reference_names[which],
           diff, id, reference_text(REFERENCE_LLVM, word),
           reference_text(REFERENCE_BINUTILS, word));
    fflush(stdout);
}

static void check(uint32_t word)
{
    struct svmc_cpu cpu = { .isa = SVMC_ISA_A64 };
    struct svmc_insn insn = { 0 };
    unsigned diff[REFERENCES];
    enum svmc_status st;
    uint8_t bytes[4];
    bool good = true;

    core_store_le32(bytes, word);
    st = svmc_a64_decode(&cpu, bytes, 4, &insn);
    for (unsigned r = 0; r < REFERENCES; r++)
        diff[r] = difference(r, word, st, &insn);
    for (unsigned r = 0; r < REFERENCES; r++) {
        int reason = diff[r] ? reason_find(r, word, diff[r], diff[!r] == 0) : -1;

        if (reason >= 0)
            atomic_fetch_add(&shared->reasons[reason], 1);
        else if (diff[r]) {
            fail(r, word, diff[r], st == SVMC_OK ? insn.id : 0);
            good = false;
        }
    }
    if (good)
        atomic_fetch_add_explicit(&shared->passed, 1, memory_order_relaxed);
    if (st == SVMC_OK)
        atomic_fetch_add_explicit(&shared->classes[insn.insn_class], 1, memory_order_relaxed);
    else
        atomic_fetch_add_explicit(&shared->refused, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&shared->words, 1, memory_order_relaxed);
}

static uint32_t scramble(uint32_t n)
{
    n = (n ^ n >> 16) * 0x7feb352d;
    n = (n ^ n >> 15) * 0x846ca68b;
    return n ^ n >> 16;
}

/* Of every 64 words one, and where the row is not a group's, four with Rn and Rt chosen. */
static void check_slice(uint32_t first)
{
    static const uint16_t registers[] = { 0x000, 0x3ff, 0x01f, 0x3e0 };

    for (uint32_t offset = 0; offset < CHUNK; offset += every) {
        uint32_t w = first + offset, group = w >> 25 & 15;

        check(w | (scramble(w) & (every - 1)));
        if ((w & 0x3ff) == 0 && group != 2 && (group & 7) != 5 && (group & 7) != 7 &&
            group >> 1 != 4)
            for (unsigned i = 0; i < 4; i++)
                check(w | registers[i]);
        if (w >> 24 == 0xd4 || (w >> 24 == 0xd5 && w << 8 >> 27 == 0))
            for (uint32_t i = 0; i < 64; i += w & 0x1f800 ? 7 : 1)
                check(w | i);
    }
}

static void check_chunks(void)
{
    unsigned chunk;

    while ((chunk = atomic_fetch_add(&shared->next_chunk, 1)) < CHUNKS) {
        if (!whole) {
            check_slice(chunk * CHUNK);
            continue;
        }
        for (uint32_t i = 0; i < CHUNK; i++)
            check(chunk * CHUNK + i);
    }
}

static int show(uint32_t word)
{
    struct svmc_cpu cpu = { .isa = SVMC_ISA_A64 };
    struct svmc_insn i = { 0 };
    uint8_t bytes[4];
    enum svmc_status st;

    core_store_le32(bytes, word);
    st = svmc_a64_decode(&cpu, bytes, 4, &i);
    printf("%08x status %02x refusal %u id %u class %u privilege %u flags %04x access %u\n"
           "  mem %ux%u base %u index %u scale %u extend %u disp %lld\n"
           "  reg %u kind %u bytes %u reg2 %u reg3 %u imm %llx\n",
           word, (unsigned)st, i.refusal, i.id, i.insn_class, i.privilege, i.flags, i.access,
           i.mem_bytes, i.mem_count, i.base, i.index, i.scale, i.index_extend, (long long)i.disp,
           i.reg, i.reg_kind, i.reg_bytes, i.reg2, i.reg3, (unsigned long long)i.imm);
    for (unsigned r = 0; r < REFERENCES; r++) {
        struct text_view view = { 0 };
        unsigned diff = difference(r, word, st, &i);

        printf("  %-8s diff %04x verdict %d  %s\n", reference_names[r], diff,
               text_read(reference_text(r, word), &view), reference_text(r, word));
    }
    return 0;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* No two numbers have one name. */
static unsigned long shared_names(enum reference which)
{
    uint64_t *all = malloc(NAME_KEYS * sizeof *all);
    unsigned long count = 0, twice = 0;

    for (unsigned i = 0; i < NAME_KEYS; i++)
        if (shared->names[which][i])
            all[count++] = shared->names[which][i];
    qsort(all, count, sizeof *all, by_value);
    for (unsigned long i = 1; i < count; i++)
        twice += all[i] == all[i - 1];
    free(all);
    fprintf(stderr, "%s: %lu names of system registers and operations, %lu of them twice\n",
            reference_names[which], count, twice);
    return twice;
}

static void progress(void)
{
    unsigned last = 0;

    while (waitpid(-1, NULL, WNOHANG) == 0) {
        unsigned at = atomic_load(&shared->next_chunk) * 32 / CHUNKS;

        if (at != last && at <= 32)
            fprintf(stderr, "%u/32: %lu words, %lu failed\n", last = at,
                    (unsigned long)shared->words, (unsigned long)shared->failed);
        usleep(100000);
    }
    while (wait(NULL) > 0)
        ;
}

static int report(double seconds)
{
    unsigned long unused = 0, twice = 0;

    for (unsigned i = 0; i < CLASSES; i++)
        if (shared->classes[i])
            printf("class %2u: %lu words\n", i, (unsigned long)shared->classes[i]);
    printf("refused: %lu words\n", (unsigned long)shared->refused);
    for (unsigned i = 0; i < reason_count; i++) {
        printf("reason %u: %lu: %s\n", i, (unsigned long)shared->reasons[i], reason_text(i));
        unused += shared->reasons[i] == 0;
    }
    for (unsigned r = 0; r < REFERENCES; r++)
        twice += shared_names(r);
    if (whole && unused)
        printf("%lu reasons explain nothing\n", unused);
    printf("%.0f seconds\n", seconds);
    printf("%lu passed, %lu failed, 0 skipped\n", (unsigned long)shared->passed,
           (unsigned long)shared->failed + twice + (whole ? unused : 0));
    return shared->failed || twice || (whole && unused) ||
           shared->words != (unsigned long)shared->passed;
}

int main(int argc, char **argv)
{
    long jobs = sysconf(_SC_NPROCESSORS_ONLN);
    struct timespec from, to;

    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    text_init();
    if (shared == MAP_FAILED || !reference_open())
        return 2;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--all") == 0)
            whole = true;
        else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc)
            jobs = atol(argv[++i]);
        else if (strcmp(argv[i], "--every") == 0 && i + 1 < argc)
            every = (uint32_t)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--word") == 0 && i + 1 < argc)
            return show((uint32_t)strtoul(argv[i + 1], NULL, 16));
        else if (strcmp(argv[i], "--slice") != 0)
            return 2;
    }
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (long i = 0; i < jobs; i++)
        if (fork() == 0) {
            check_chunks();
            _exit(0);
        }
    progress();
    clock_gettime(CLOCK_MONOTONIC, &to);
    return report((double)(to.tv_sec - from.tv_sec));
}
