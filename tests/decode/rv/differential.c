/* SPDX-License-Identifier: MIT */
/*
 * The RISC-V decoder against LLVM and binutils: every word of four bytes and every parcel of two.
 *
 *   differential-rv --slice [XLEN]   2^24 words spread over the 2^32, dense where opcodes are
 *   differential-rv --all [XLEN]     everything
 *   differential-rv HEX ...          what the three say of these
 *
 * Without XLEN (32, 64): both. Two processes share the work.
 *
 * A word whose low two bits are not 11 is a parcel of two bytes, and what stands behind it does not
 * matter: of the 2^32 words 3/4 are the 49152 parcels of two bytes again and again. --all runs
 * each of those once and each of the 2^30 others once.
 */
#include "expect.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#define WORKERS 2u
#define SHOWN   50u /* differences printed */

struct word {
    uint32_t raw;
    unsigned length, xlen;
};

/* ---- justified differences ---- */

struct justified {
    const char *name;
    bool (*holds)(const struct word *w);
    enum { OF_LLVM = 1 << LLVM, OF_BINUTILS = 1 << BINUTILS, BOTH = 3 } of; /* who is excused */
    enum { OTHER, MANUAL } witness; /* OTHER: the other reference must agree with us */
};

#include "justified.h"

/* ---- counts, shared by the workers ---- */

struct totals {
    uint64_t passed, failed;
    uint64_t exact, groups, refused;
    uint64_t absorbed[sizeof justified / sizeof justified[0]];
    uint64_t done;
};

static struct totals *totals; /* one a worker, in shared memory */
static unsigned worker;

/* ---- one word ---- */

static bool is_custom(const struct word *w) /* RV-3 */
{
    uint32_t op = w->raw & 0x7f;

    if (w->length == 2) /* shamt[5] on RV32: vol. I, C */
        return w->xlen == 32 && (w->raw & 0x1000) &&
               ((w->raw & 0xe003) == 0x0002 || (w->raw & 0xe803) == 0x8001);
    return op == 0x0b || op == 0x2b || op == 0x5b || op == 0x7b || (w->raw & 0x1f) == 0x1f ||
           (w->raw & 0x8c00707f) == 0x8c000073;
}

/* RV-8: the group that the major opcode is; NULL: has none. */
static const char *group_of(const struct word *w)
{
    static const struct {
        uint8_t opcode;
        char name[10];
    } groups[] = { { 0x13, "op.imm" }, { 0x1b, "op.imm.32" }, { 0x33, "op" },    { 0x3b, "op.32" },
                   { 0x43, "madd" },   { 0x47, "msub" },      { 0x4b, "nmsub" }, { 0x4f, "nmadd" },
                   { 0x53, "op.fp" },  { 0x57, "op.v" },      { 0x77, "op.ve" }, { 0x07, "load.v" },
                   { 0x27, "store.v" } };

    if (w->length == 4)
        for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
            if (groups[i].opcode == (w->raw & 0x7f))
                return groups[i].name;
    return NULL;
}

static const char *compare_group(const struct word *w, const struct svmc_insn *o)
{
    bool vector = (w->raw & 0x5f) == 0x07;
    uint8_t access = !vector ? SVMC_ACCESS_NONE : (w->raw & 0x20) ? W : R;
    uint8_t base = vector ? (uint8_t)(SVMC_REG_RV_X0 + (w->raw >> 15 & 31)) : SVMC_REG_NONE;

    if (o->insn_class != (vector ? SVMC_CLASS_MEMORY : SVMC_CLASS_OTHER) || o->access != access ||
        o->base != base || o->mem_bytes || o->reg != SVMC_REG_NONE || o->reg2 != SVMC_REG_NONE ||
        o->reg3 != SVMC_REG_NONE || o->disp || o->imm || o->flags)
        return "a group says more than its class";
    return NULL;
}

/* NULL: ours is what the text says. */
static const char *compare(const struct word *w, enum svmc_status st, const struct svmc_insn *ours,
                           bool is_group, enum reference which, const char *text)
{
    struct reading reading = { .ours = ours, .which = which, .xlen = w->xlen };
    const struct mnemonic *m;
    size_t n = strcspn(text, " \t");

    if (!n || strcmp(text, "c.unimp") == 0) /* the all-zero parcel: defined to be illegal */
        return st != SVMC_OK ? NULL : is_group ? compare_group(w, ours) : "we accept";
    if (st != SVMC_OK)
        return "we refuse";
    m = mnemonic_of(text, n);
    if (is_group)
        return m->family ? "we have the group only" : compare_group(w, ours);
    if (!m->family)
        return "the text is of no exact instruction";
    if (ours->id != m->id)
        return "id";
    return compare_exact(&reading, m, text + n);
}

static void show(const struct word *w, const struct svmc_insn *o, enum svmc_status st,
                 const char *const *texts, const char *const *wrong)
{
    printf("rv%u %0*x: ours %s %s", w->xlen, (int)w->length * 2, w->raw, svmc_status_name(st),
           rv_names + rv_name_at[st == SVMC_OK ? o->id : 0]);
    for (unsigned i = 0; i < REFERENCES; i++)
        printf("; %s [%s] %s", i == LLVM ? "llvm" : "binutils", texts[i],
               wrong[i] ? wrong[i] : "agrees");
    printf("\n");
}

static bool excused(const struct word *w, unsigned which, const char *const *wrong)
{
    for (size_t i = 0; i < sizeof justified / sizeof justified[0]; i++) {
        const struct justified *j = &justified[i];

        if ((j->of >> which & 1) && j->holds(w) && (j->witness == MANUAL || !wrong[!which])) {
            totals[worker].absorbed[i]++;
            return true;
        }
    }
    return false;
}

static void check(struct references *r, const struct word *w, bool loud)
{
    struct svmc_cpu cpu = { .isa = w->xlen == 32 ? SVMC_ISA_RV32 : SVMC_ISA_RV64 };
    struct svmc_insn ours = { 0 };
    struct totals *t = &totals[worker];
    const char *texts[REFERENCES], *wrong[REFERENCES], *group = group_of(w);
    char copies[REFERENCES][TEXT_MAX];
    enum svmc_status st;
    bool is_group, failed = false;

    for (unsigned i = 0; i < 4; i++)
        r->bytes[i] = i < w->length ? (uint8_t)(w->raw >> 8 * i) : 0;
    st = svmc_insn_decode(&cpu, r->bytes, w->length, &ours);
    is_group = st == SVMC_OK && group && strcmp(group, rv_names + rv_name_at[ours.id]) == 0;
    for (unsigned i = 0; i < REFERENCES; i++) {
        strcpy(copies[i], reference_text(r, i, w->length));
        texts[i] = copies[i];
        wrong[i] = compare(w, st, &ours, is_group, i, texts[i]);
    }
    if (st != SVMC_OK && st != (is_custom(w) ? SVMC_ERR_UNSUPPORTED : SVMC_ERR_UNDEFINED))
        failed = true;
    if (st == SVMC_OK && ours.length != w->length)
        failed = true;
    for (unsigned i = 0; i < REFERENCES; i++)
        if (wrong[i] && !excused(w, i, wrong))
            failed = true;
    if ((failed && t->failed < SHOWN) || loud)
        show(w, &ours, st, texts, wrong);
    t->failed += failed;
    t->passed += !failed;
    *(st != SVMC_OK ? &t->refused : is_group ? &t->groups : &t->exact) += 1;
}

/* ---- the runs ---- */

static void check_parcels(struct references *r, unsigned xlen)
{
    for (uint32_t p = worker; p < 0x10000; p += WORKERS)
        if ((p & 3) != 3)
            check(r, &(struct word){ p, 2, xlen }, false);
}

static void progress(unsigned xlen, uint64_t done, uint64_t of)
{
    if (worker == 0)
        fprintf(stderr, "differential-rv: rv%u %.0f %%, %" PRIu64 " failed\n", xlen,
                100.0 * (double)done / (double)of, totals[0].failed);
}

static void check_all(struct references *r, unsigned xlen)
{
    for (uint32_t i = worker; i < 1u << 30; i += WORKERS) {
        check(r, &(struct word){ i << 2 | 3, 4, xlen }, false);
        if ((i & 0x3ffffff) == worker)
            progress(xlen, i, 1u << 30);
    }
}

/* The opcodes of which more than the group is claimed, with all but their register fields. */
static void check_dense(struct references *r, unsigned xlen)
{
    static const uint8_t opcodes[] = { 0x03, 0x0f, 0x13, 0x1b, 0x2f, 0x33, 0x3b, 0x73 };
    static const uint32_t registers[] = { 0, 11u << 15 | 10u << 7 };

    for (uint32_t i = worker; i < 1u << 15; i += WORKERS)
        for (size_t op = 0; op < sizeof opcodes; op++)
            for (size_t k = 0; k < 2; k++)
                check(r,
                      &(struct word){ (i >> 3) << 20 | (i & 7) << 12 | registers[k] | opcodes[op],
                                      4, xlen },
                      false);
}

/* 2^24 words, evenly: an odd factor permutes the 2^32. Those of two bytes are check_parcels. */
static void check_spread(struct references *r, unsigned xlen)
{
    for (uint32_t i = worker; i < 1u << 24; i += WORKERS) {
        uint32_t raw = i * 0x9e3779b1u;

        if ((raw & 3) == 3)
            check(r, &(struct word){ raw, 4, xlen }, false);
    }
}

static void work(bool all, unsigned only)
{
    static struct references r;

    for (unsigned xlen = 32; xlen <= 64; xlen += 32) {
        if (only && only != xlen)
            continue;
        references_open(&r, xlen);
        memset(csr_names, 0, sizeof csr_names); /* RV32 has names that RV64 has not */
        check_parcels(&r, xlen);
        check_dense(&r, xlen);
        (all ? check_all : check_spread)(&r, xlen);
    }
}

static int report(bool must_absorb, double seconds)
{
    struct totals sum = { 0 };
    unsigned idle = 0;

    for (unsigned w = 0; w < WORKERS; w++) {
        sum.passed += totals[w].passed;
        sum.failed += totals[w].failed;
        sum.exact += totals[w].exact;
        sum.groups += totals[w].groups;
        sum.refused += totals[w].refused;
        for (size_t i = 0; i < sizeof justified / sizeof justified[0]; i++)
            sum.absorbed[i] += totals[w].absorbed[i];
    }
    printf("exact %" PRIu64 ", group only %" PRIu64 ", refused %" PRIu64 ", %.0f s\n", sum.exact,
           sum.groups, sum.refused, seconds);
    for (size_t i = 0; i < sizeof justified / sizeof justified[0]; i++) {
        printf("%12" PRIu64 "  %s\n", sum.absorbed[i], justified[i].name);
        if (must_absorb && !sum.absorbed[i])
            idle++, printf("FAILED: a class that absorbs nothing: %s\n", justified[i].name);
    }
    printf("%" PRIu64 " passed, %" PRIu64 " failed, 0 skipped\n", sum.passed, sum.failed + idle);
    return sum.failed || idle || !sum.passed;
}

static int run(bool all, unsigned only)
{
    pid_t child[WORKERS];
    struct timespec from, to;
    bool lost = false;

    clock_gettime(CLOCK_MONOTONIC, &from);
    for (worker = 0; worker < WORKERS; worker++) {
        fflush(stdout);
        child[worker] = fork();
        if (child[worker] < 0)
            abort();
        if (child[worker] == 0) {
            work(all, only);
            fflush(stdout);
            _exit(0);
        }
    }
    for (unsigned w = 0; w < WORKERS; w++) {
        int status = 0;

        lost |= waitpid(child[w], &status, 0) < 0 || status != 0;
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    if (lost)
        printf("FAILED: a worker did not end well\n");
    return report(all && !only, (double)(to.tv_sec - from.tv_sec)) | lost;
}

int main(int argc, char **argv)
{
    totals = mmap(NULL, WORKERS * sizeof *totals, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (totals == MAP_FAILED)
        return 2;
    if (argc > 1 && (strcmp(argv[1], "--all") == 0 || strcmp(argv[1], "--slice") == 0))
        return run(argv[1][2] == 'a', argc > 2 ? (unsigned)atoi(argv[2]) : 0);
    for (unsigned xlen = 32; argc > 1 && xlen <= 64; xlen += 32) {
        static struct references r;

        references_open(&r, xlen);
        for (int i = 1; i < argc; i++) {
            uint32_t raw = (uint32_t)strtoul(argv[i], NULL, 16);

            check(&r, &(struct word){ raw, (raw & 3) == 3 ? 4 : 2, xlen }, true);
        }
    }
    if (argc > 1)
        return 0;
    fprintf(stderr, "usage: %s --slice [XLEN] | --all [XLEN] | HEX ...\n", argv[0]);
    return 2;
}
