/* SPDX-License-Identifier: MIT */
/*
 * svmc_insn_decode for x86 against Zydis (every field), LLVM (acceptance, length, memory operand)
 * and binutils (third vote), in 16-, 32- and 64-bit mode, for both vendors, over an enumerated
 * skeleton and random strings; with --native against the processor it runs on. Capstone is heard
 * too, and counted.
 *
 *   x86-differential [--cases N] [--skeleton N|all] [--random N] [--native N] [--seed S]
 *                    [--mode 16|32|64] [--vendor amd|intel] [--procs P] [--show N] [--full]
 *                    [--bytes HEX]
 *
 * --cases is half skeleton, half random; N counts all modes together. Last line: "N passed, N
 * failed, N skipped" in cases; exit status 1 if one failed. With --full a row of justified.c that
 * absorbed nothing is a failure too. --bytes shows what everybody says of one case.
 */
#define _DEFAULT_SOURCE 1 /* MAP_ANONYMOUS */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../../hex.h"
#include "cases.h"
#include "check.h"
#include "native.h"

struct options {
    uint64_t skeleton, random, native, seed, show;
    unsigned mode, vendors, procs;
    const char *bytes;
    bool full;
};

#define PROCS_MAX 64u

static const unsigned modes[3] = { 16, 32, 64 };

/* Now and then, by the first worker: how far it is. */
static void progress(unsigned procs, unsigned mode, const char *part, uint64_t i, uint64_t of)
{
    if (i % procs != 0 || i % 10000000 >= procs || i < procs)
        return;
    printf("%u-bit %s: %" PRIu64 " of %" PRIu64 " cases\n", mode, part, i, of);
    fflush(stdout);
}

/* Every case of a worker: number `worker` of `procs`. */
static void work(const struct options *o, unsigned worker, struct totals *t)
{
    uint8_t bytes[CASE_BYTES];

    for (unsigned m = 0; m < 3; m++) {
        uint64_t all = skeleton_count(modes[m]), share = o->skeleton, stride = 1;

        if (o->mode && modes[m] != o->mode)
            continue;
        if (share == UINT64_MAX || share > all)
            share = all;
        else /* spread over the whole: a step that has no divisor in common with it */
            for (stride = all / (share ? share : 1) | 1; all % stride == 0 && stride > 1;)
                stride += 2;
        for (uint64_t i = worker; i < share; i += o->procs) {
            skeleton_case(modes[m], share == all ? i : (o->seed + i * stride) % all, bytes);
            check_case(bytes, modes[m], o->vendors, t, o->show);
            progress(o->procs, modes[m], "skeleton", i, share);
        }
        for (uint64_t i = worker; i < o->random; i += o->procs) {
            random_case(modes[m], o->seed + m, i, bytes);
            check_case(bytes, modes[m], o->vendors, t, o->show);
            progress(o->procs, modes[m], "random", i, o->random);
        }
    }
    fflush(stdout);
}

static bool read_options(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "--full") == 0) {
            o->full = true;
            continue;
        }
        i++;
        if (strcmp(argv[i - 1], "--skeleton") == 0)
            o->skeleton =
                strcmp(value, "all") == 0 ? UINT64_MAX : (strtoull(value, NULL, 0) + 2) / 3;
        else if (strcmp(argv[i - 1], "--cases") == 0)
            o->skeleton = o->random = (strtoull(value, NULL, 0) + 5) / 6;
        else if (strcmp(argv[i - 1], "--random") == 0)
            o->random = (strtoull(value, NULL, 0) + 2) / 3;
        else if (strcmp(argv[i - 1], "--native") == 0)
            o->native = strtoull(value, NULL, 0);
        else if (strcmp(argv[i - 1], "--seed") == 0)
            o->seed = strtoull(value, NULL, 0);
        else if (strcmp(argv[i - 1], "--show") == 0)
            o->show = strtoull(value, NULL, 0);
        else if (strcmp(argv[i - 1], "--mode") == 0)
            o->mode = (unsigned)strtoul(value, NULL, 0);
        else if (strcmp(argv[i - 1], "--procs") == 0)
            o->procs = (unsigned)strtoul(value, NULL, 0);
        else if (strcmp(argv[i - 1], "--bytes") == 0)
            o->bytes = value;
        else if (strcmp(argv[i - 1], "--vendor") == 0)
            o->vendors =
                strcmp(value, "amd") == 0 ? 1u << SVMC_VENDOR_AMD : 1u << SVMC_VENDOR_INTEL;
        else
            return false;
    }
    return o->procs > 0 && o->procs <= PROCS_MAX;
}

static void add(struct totals *to, const struct totals *from)
{
    const uint64_t *f = (const uint64_t *)from;
    uint64_t *t = (uint64_t *)to;

    for (size_t i = 0; i < sizeof *to / sizeof *t; i++)
        t[i] += f[i];
}

static void print_totals(const struct totals *t)
{
    printf("%" PRIu64 " cases: 16-bit %" PRIu64 ", 32-bit %" PRIu64 ", 64-bit %" PRIu64
           "; legacy %" PRIu64 ", 3DNow! %" PRIu64 ", VEX %" PRIu64 ", EVEX %" PRIu64
           ", XOP %" PRIu64 "\n%" PRIu64 " accepted, %" PRIu64 " refused; Zydis was asked %" PRIu64
           " times, LLVM %" PRIu64 ", binutils %" PRIu64 "\n",
           t->cases, t->modes[0], t->modes[1], t->modes[2], t->encodings[LEGACY],
           t->encodings[AMD_3DNOW], t->encodings[VEX], t->encodings[EVEX], t->encodings[XOP],
           t->accepted, t->refused, t->by_zydis, t->by_llvm, t->by_binutils);
}

/* Workers in processes of their own; a dead one is a failure. */
static bool run(const struct options *o, struct totals *totals, struct totals *sum)
{
    bool ok = true;

    fflush(stdout);
    for (unsigned p = 0; p < o->procs; p++) {
        pid_t child = fork();

        if (child == 0) {
            work(o, p, &totals[p]);
            _exit(0);
        }
        ok = ok && child > 0;
    }
    for (unsigned p = 0; p < o->procs; p++) {
        int status;

        if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            printf("a worker died\n");
            ok = false;
        }
    }
    for (unsigned p = 0; p < o->procs; p++)
        add(sum, &totals[p]);
    return ok;
}

/* One case in the modes and for the vendors that are chosen. */
static int show_bytes(const struct options *o)
{
    uint8_t bytes[CASE_BYTES] = { 0 };

    harness_hex(o->bytes, bytes, sizeof bytes);
    for (unsigned m = 0; m < 3; m++)
        for (unsigned vendor = SVMC_VENDOR_AMD; vendor <= SVMC_VENDOR_INTEL; vendor++)
            if ((!o->mode || modes[m] == o->mode) && (o->vendors & 1u << vendor))
                check_show(bytes, modes[m], vendor);
    return 0;
}

/* Whether the harness sees wrong verdicts: at least 99 of 100 of each kind. */
static bool sensitive(uint64_t seed)
{
    uint64_t made[FALSIFIED] = { 0 }, seen[FALSIFIED] = { 0 };
    uint8_t bytes[CASE_BYTES];
    bool ok = true;

    for (uint64_t i = 0; i < 30000; i++) {
        random_case(modes[i % 3], seed, i, bytes);
        check_sensitivity(bytes, modes[i % 3], made, seen);
    }
    printf("wrong verdicts seen:");
    for (unsigned way = 0; way < FALSIFIED; way++) {
        printf("%s %s %" PRIu64 "/%" PRIu64, way ? "," : "", falsified[way], seen[way], made[way]);
        ok = ok && made[way] > 0 && seen[way] * 100 >= made[way] * 99;
    }
    printf("\n");
    return ok;
}

/* As many workers as there are processors. */
static unsigned processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n < 1 ? 1 : n > PROCS_MAX ? PROCS_MAX : (unsigned)n;
}

/* SVMC_SEED, or a seed of its own. */
static uint64_t first_seed(void)
{
    const char *text = getenv("SVMC_SEED");
    uint64_t seed = 1;
    FILE *f = text ? NULL : fopen("/dev/urandom", "rb");

    if (text)
        return strtoull(text, NULL, 0);
    if (f == NULL || fread(&seed, sizeof seed, 1, f) != 1)
        seed = 1;
    if (f)
        fclose(f);
    return seed;
}

int main(int argc, char **argv)
{
    struct options o = {
        .skeleton = 10000000 / 6 + 1,
        .random = 10000000 / 6 + 1,
        .native = 100000,
        .seed = first_seed(),
        .show = 20,
        .vendors = 1u << SVMC_VENDOR_AMD | 1u << SVMC_VENDOR_INTEL,
        .procs = processors(),
    };
    struct totals sum = { 0 };
    struct native_totals native = { 0 };
    struct totals *totals = mmap(NULL, PROCS_MAX * sizeof *totals, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool ok, ran;
    uint64_t failed;

    if (!read_options(argc, argv, &o) || totals == MAP_FAILED) {
        fprintf(stderr, "%s: see the first comment of differential.c\n", argv[0]);
        return 2;
    }
    if (!ours_start() || !zydis_start() || !llvm_start() || !binutils_start() ||
        !capstone_start()) {
        printf("cannot set up the references\n0 passed, 1 failed, 0 skipped\n");
        return 1;
    }
    if (o.bytes)
        return show_bytes(&o);
    setvbuf(stdout, NULL, _IOLBF, 1 << 16); /* lines of the workers stay whole */
    printf("seed: SVMC_SEED=0x%" PRIx64 ", %u processes\n", o.seed, o.procs);
    ok = sensitive(o.seed);
    ok = run(&o, totals, &sum) && ok;
    ran = o.native == 0 || native_run(o.native, o.seed, o.show, &native);
    justified_add(&sum.justified, &native.justified);
    failed = sum.failed + native.failed + (native.deaths >= DEATHS_MAX) +
             justified_print(&sum.justified, BY_NATIVE, o.full);
    print_totals(&sum);
    capstone_print(&sum.capstone);
    ok = ok && failed == 0 && sum.cases + native.cases > 0;
    printf("%" PRIu64 " passed, %" PRIu64 " failed, %" PRIu64 " skipped\n",
           sum.cases + native.cases - sum.failed - native.failed, failed + (!ok && failed == 0),
           ran ? 0 : o.native);
    return !ok;
}
