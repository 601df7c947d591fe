/* SPDX-License-Identifier: MIT */
/*
 * The A64 decoder against two disassemblers (reference.h), word by word.
 *
 * usage: a64-differential [--slice [--every N] | --all [--from N] | --word HEX] [--jobs N]
 *     --slice  one word of every 64 (or N, a power of 2), evenly, and all forms with chosen
 *              registers (the default)
 *     --all    all 2^32 words; every row of justified.c must then absorb something
 *     --from   begin behind the first N of 32 parts: the rest of a run that was cut short
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
#include "justified.h"
#include "text.h"

#define CLASSES   (SVMC_CLASS_A64_SME + 1u) /* the last one */
#define SHOWN     60u
#define CHUNK     (1u << 20)
#define CHUNKS    (1u << 12)
#define NAME_KEYS (1u << 18)
#define JOBS_MAX  64

/* Of one process; plain numbers. */
struct totals {
    uint64_t words, refused, passed, failed;
    uint64_t classes[CLASSES];
    struct justified_totals justified;
};

/* What the processes share. */
struct shared {
    atomic_uint next_chunk, shown;
    struct {
        unsigned which, diff, id;
    } first[SHOWN];                                /* one of each kind of failure */
    _Atomic uint64_t names[REFERENCES][NAME_KEYS]; /* of a system register or operation */
    struct totals totals[JOBS_MAX];
};

static struct shared *shared;
static struct totals *totals; /* this process's */
static bool whole;
static bool rest;           /* not from the first part on */
static uint32_t every = 64; /* of a slice: one word of so many */

static const char *const aspects[ASPECTS] = {
    "they accept", "they refuse", "group", "text not understood", "id",
    "class",       "access",      "sizes", "registers",           "address",
    "distance",    "immediate",   "flags", "name of a number",    "no class"
};

/* The word in hand. */
static uint32_t word;
static enum svmc_status status;
static struct svmc_insn insn;
static unsigned diff[REFERENCES];

static bool is_group(void)
{
    return insn.insn_class >= SVMC_CLASS_A64_DATA_IMM;
}

/* The fields that differ. */
static unsigned compare(const struct svmc_insn *a, const struct svmc_insn *b)
{
    unsigned found = 0;

    found |= a->id != b->id ? A_ID : 0;
    found |= a->insn_class != b->insn_class ? A_CLASS : 0;
    found |= a->access != b->access ? A_ACCESS : 0;
    found |= a->mem_bytes != b->mem_bytes || a->mem_count != b->mem_count ||
                     a->reg_bytes != b->reg_bytes || a->reg_kind != b->reg_kind
                 ? A_SIZE
                 : 0;
    found |= a->reg != b->reg || a->reg2 != b->reg2 || a->reg3 != b->reg3 ? A_REGS : 0;
    found |= a->base != b->base || a->index != b->index || a->scale != b->scale ||
                     a->index_extend != b->index_extend
                 ? A_ADDRESS
                 : 0;
    found |= a->disp != b->disp ? A_DISP : 0;
    found |= a->imm != b->imm ? A_IMM : 0;
    found |= a->flags != b->flags ? A_FLAGS : 0;
    return found;
}

/* A number that a reference names always has the same name. */
static bool same_name(enum reference which, uint64_t hash)
{
    _Atomic uint64_t *name = &shared->names[which][word >> 5 & (NAME_KEYS - 1)];
    uint64_t unset = 0;

    return atomic_compare_exchange_strong(name, &unset, hash) || unset == hash;
}

static unsigned difference(enum reference which)
{
    struct text_view view;
    enum text_verdict verdict;

    if (status == SVMC_OK && insn.insn_class >= CLASSES)
        return A_BEYOND;
    if (status == SVMC_OK && is_group()) {
        bool memory_too = insn.insn_class < SVMC_CLASS_A64_SVE;

        return text_is_system(reference_mnemonic(which, word), memory_too) ? A_GROUP : 0;
    }
    verdict = text_read(reference_text(which, word), &view);
    if (status != SVMC_OK)
        return verdict == TEXT_REFUSED ? 0 : A_ACCEPT;
    if (verdict != TEXT_READ)
        return verdict == TEXT_REFUSED ? A_REFUSE : verdict == TEXT_OTHER ? A_GROUP : A_UNREADABLE;
    if (view.imm_named) {
        view.insn.imm = insn.imm;
        if (!same_name(which, view.name_hash))
            return A_NAME;
    }
    return compare(&insn, &view.insn);
}

static void decode(uint32_t w)
{
    static const struct svmc_cpu cpu = { .isa = SVMC_ISA_A64 };
    uint8_t bytes[4];

    word = w;
    core_store_le32(bytes, word);
    status = svmc_a64_decode(&cpu, bytes, 4, &insn);
    for (unsigned r = 0; r < REFERENCES; r++)
        diff[r] = difference(r);
}

/* One of each kind is shown. */
static void fail(enum reference which)
{
    unsigned n = atomic_load(&shared->shown), id = status == SVMC_OK ? insn.id : 0, aspect = 0;
    uint8_t bytes[4];

    for (unsigned i = 0; i < n && i < SHOWN; i++)
        if (shared->first[i].which == which && shared->first[i].diff == diff[which] &&
            shared->first[i].id == id)
            return;
    n = atomic_fetch_add(&shared->shown, 1);
    if (n >= SHOWN)
        return;
    shared->first[n].which = which;
    shared->first[n].diff = diff[which];
    shared->first[n].id = id;
    while (!(diff[which] >> aspect & 1))
        aspect++;
    core_store_le32(bytes, word);
    fail_begin("A64", reference_names[which], aspects[aspect], bytes, 4);
    printf(" | word %08x, aspects %04x | ours: %s, id %u, class %u, refusal %u", word, diff[which],
           svmc_status_name(status), id, insn.insn_class, insn.refusal);
    for (unsigned r = 0; r < REFERENCES; r++) {
        const char *text = reference_text(r, word);

        printf(" | %s: %s", reference_names[r], *text ? text + strspn(text, "\t ") : "refused");
    }
    fail_end();
}

/* Those of the references that say what we say. */
static bool agree(unsigned bits)
{
    for (unsigned r = 0; r < REFERENCES; r++)
        if ((bits >> r & 1) && diff[r] == 0)
            return true;
    return false;
}

static void check(uint32_t w)
{
    bool good = true;

    decode(w);
    for (unsigned r = 0; r < REFERENCES; r++) {
        struct justified_totals *j = &totals->justified;
        int row = diff[r] ? justified_find(BY(r), diff[r], &(struct word){ word }, agree) : -1;

        if (row >= 0) {
            j->absorbed[row]++;
            j->asked[row]++;
            j->supported[row] += diff[!r] == 0;
        } else if (diff[r]) {
            fail(r);
            totals->failed++;
            good = false;
        }
    }
    totals->passed += good;
    totals->words++;
    if (status != SVMC_OK)
        totals->refused++;
    else if (insn.insn_class < CLASSES)
        totals->classes[insn.insn_class]++;
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

static int show(uint32_t w)
{
    const struct svmc_insn *i = &insn;

    decode(w);
    printf("%08x status %02x refusal %u id %u class %u privilege %u flags %04x access %u\n"
           "  mem %ux%u base %u index %u scale %u extend %u disp %lld\n"
           "  reg %u kind %u bytes %u reg2 %u reg3 %u imm %llx\n",
           word, (unsigned)status, i->refusal, i->id, i->insn_class, i->privilege, i->flags,
           i->access, i->mem_bytes, i->mem_count, i->base, i->index, i->scale, i->index_extend,
           (long long)i->disp, i->reg, i->reg_kind, i->reg_bytes, i->reg2, i->reg3,
           (unsigned long long)i->imm);
    for (unsigned r = 0; r < REFERENCES; r++) {
        struct text_view view = { 0 };
        enum text_verdict verdict = text_read(reference_text(r, word), &view);

        printf("  %-8s aspects %04x verdict %d  %s\n", reference_names[r], diff[r], verdict,
               reference_text(r, word));
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

/* Until all have ended; false: one did not end well. */
static bool await_all(long jobs)
{
    unsigned last = 0;
    bool good = true;

    while (jobs > 0) {
        int result = 0;
        unsigned at = atomic_load(&shared->next_chunk) * 32 / CHUNKS;

        if (at != last && at <= 32)
            fprintf(stderr, "%u/32\n", last = at);
        if (waitpid(-1, &result, WNOHANG) > 0) {
            good &= WIFEXITED(result) && WEXITSTATUS(result) == 0;
            jobs--;
        } else {
            usleep(100000);
        }
    }
    return good;
}

static void add_up(struct totals *sum)
{
    for (unsigned p = 0; p < JOBS_MAX; p++) {
        const struct totals *t = &shared->totals[p];

        sum->words += t->words;
        sum->refused += t->refused;
        sum->passed += t->passed;
        sum->failed += t->failed;
        for (unsigned i = 0; i < CLASSES; i++)
            sum->classes[i] += t->classes[i];
        justified_add(&sum->justified, &t->justified);
    }
}

static int report(double seconds, bool good)
{
    struct totals sum = { 0 };
    unsigned long failed;

    add_up(&sum);
    for (unsigned i = 0; i < CLASSES; i++)
        if (sum.classes[i])
            printf("class %2u: %lu words\n", i, (unsigned long)sum.classes[i]);
    printf("refused: %lu words\n", (unsigned long)sum.refused);
    failed = sum.failed + justified_print(&sum.justified, 0, whole && !rest);
    for (unsigned r = 0; r < REFERENCES; r++)
        failed += shared_names(r);
    failed += !good || (failed == 0 && sum.words != sum.passed);
    if (!good)
        printf("FAIL a process died\n");
    printf("%.0f seconds\n", seconds);
    printf("%lu passed, %lu failed, 0 skipped\n", (unsigned long)sum.passed, failed);
    return failed != 0 || sum.words == 0;
}

int main(int argc, char **argv)
{
    long jobs = sysconf(_SC_NPROCESSORS_ONLN);
    struct timespec from, to;
    bool good;

    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    text_init();
    if (shared == MAP_FAILED || !reference_open())
        return 2;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--all") == 0)
            whole = true;
        else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc)
            jobs = atol(argv[++i]);
        else if (strcmp(argv[i], "--from") == 0 && i + 1 < argc) {
            unsigned part = (unsigned)strtoul(argv[++i], NULL, 10);

            rest = part > 0;
            atomic_store(&shared->next_chunk, part * (CHUNKS / 32));
        } else if (strcmp(argv[i], "--every") == 0 && i + 1 < argc)
            every = (uint32_t)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--word") == 0 && i + 1 < argc)
            return show((uint32_t)strtoul(argv[i + 1], NULL, 16));
        else if (strcmp(argv[i], "--slice") != 0)
            return 2;
    }
    clock_gettime(CLOCK_MONOTONIC, &from);
    jobs = jobs < 1 ? 1 : jobs > JOBS_MAX ? JOBS_MAX : jobs;
    fflush(stdout);
    for (long i = 0; i < jobs; i++)
        if (fork() == 0) {
            totals = &shared->totals[i];
            check_chunks();
            _exit(0);
        }
    good = await_all(jobs);
    clock_gettime(CLOCK_MONOTONIC, &to);
    return report((double)(to.tv_sec - from.tv_sec), good);
}
