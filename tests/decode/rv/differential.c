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

static const char *const reference_names[REFERENCES] = { "LLVM", "binutils" };

/* ---- counts, shared by the workers ---- */

struct totals {
    uint64_t passed, failed;
    uint64_t exact, groups, refused;
    struct justified_totals justified;
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

/* In what the text differs from ours, and why; 0: it does not. */
static unsigned compare(const struct word *w, enum svmc_status st, const struct svmc_insn *ours,
                        bool is_group, enum reference which, const char *text, const char **why)
{
    struct reading reading = { .ours = ours, .which = which, .xlen = w->xlen };
    const struct mnemonic *m;
    size_t n = strcspn(text, " \t");

    *why = NULL;
    if (!n || strcmp(text, "c.unimp") == 0) { /* the all-zero parcel: defined to be illegal */
        if (st != SVMC_OK)
            return 0;
        *why = is_group ? compare_group(w, ours) : "they refuse";
        return !*why ? 0 : is_group ? A_OTHER : A_REFUSE;
    }
    if (st != SVMC_OK) {
        *why = "they accept";
        return A_ACCEPT;
    }
    m = mnemonic_of(text, n);
    if (is_group)
        *why = m->family ? "we have the group only" : compare_group(w, ours);
    else if (!m->family)
        *why = "the text is of no exact instruction";
    else if (ours->id != m->id)
        *why = "id";
    else
        *why = compare_exact(&reading, m, text + n);
    return !*why ? 0 : !is_group && m->family && ours->id != m->id ? A_ID : A_OTHER;
}

/* The word in hand, and what each of the references says of it. */
static const struct word *word;
static enum svmc_status status;
static struct svmc_insn insn;
static char texts[REFERENCES][TEXT_MAX];
static unsigned aspects[REFERENCES];
static const char *reasons[REFERENCES];

static void show_all(void)
{
    printf(" | ours: %s %s", svmc_status_name(status),
           rv_names + rv_name_at[status == SVMC_OK ? insn.id : 0]);
    for (unsigned i = 0; i < REFERENCES; i++)
        printf(" | %s: %s%s%s", reference_names[i], *texts[i] ? texts[i] : "refused",
               reasons[i] ? ": " : "", reasons[i] ? reasons[i] : "");
}

static void fail(const char *by, const char *why)
{
    struct totals *t = &totals[worker];
    uint8_t bytes[4];
    char mode[8];

    if (t->failed >= SHOWN)
        return;
    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(word->raw >> 8 * i);
    snprintf(mode, sizeof mode, "RV%u", word->xlen);
    fail_begin(mode, by, why, bytes, word->length);
    show_all();
    fail_end();
}

/* Those of the references that say what we say. */
static bool agree(unsigned bits)
{
    for (unsigned i = 0; i < REFERENCES; i++)
        if ((bits >> i & 1) && aspects[i] == 0)
            return true;
    return false;
}

static bool excused(unsigned which)
{
    struct justified_totals *j = &totals[worker].justified;
    int row = justified_find(BY(which), aspects[which], word, agree);

    if (row < 0)
        return false;
    j->absorbed[row]++;
    j->asked[row]++;
    j->supported[row] += aspects[!which] == 0;
    return true;
}

static bool ask(struct references *r, const struct word *w)
{
    struct svmc_cpu cpu = { .isa = w->xlen == 32 ? SVMC_ISA_RV32 : SVMC_ISA_RV64 };
    const char *group = group_of(w);
    bool is_group;

    word = w;
    for (unsigned i = 0; i < 4; i++)
        r->bytes[i] = i < w->length ? (uint8_t)(w->raw >> 8 * i) : 0;
    status = svmc_insn_decode(&cpu, r->bytes, w->length, &insn);
    is_group = status == SVMC_OK && group && strcmp(group, rv_names + rv_name_at[insn.id]) == 0;
    for (unsigned i = 0; i < REFERENCES; i++) {
        strcpy(texts[i], reference_text(r, i, w->length, is_group));
        aspects[i] = compare(w, status, &insn, is_group, i, texts[i], &reasons[i]);
    }
    return is_group;
}

static void check(struct references *r, const struct word *w, bool loud)
{
    struct totals *t = &totals[worker];
    bool is_group = ask(r, w), failed = false;

    if (status != SVMC_OK && status != (is_custom(w) ? SVMC_ERR_UNSUPPORTED : SVMC_ERR_UNDEFINED))
        failed = true;
    if (status == SVMC_OK && insn.length != w->length)
        failed = true;
    if (failed)
        fail("ours", "length, or which refusal it is");
    for (unsigned i = 0; i < REFERENCES; i++)
        if (aspects[i] && !excused(i)) {
            fail(reference_names[i], reasons[i]);
            failed = true;
        }
    if (loud) {
        printf("rv%u %0*x", w->xlen, (int)w->length * 2, w->raw);
        show_all();
        printf("\n");
    }
    t->failed += failed;
    t->passed += !failed;
    *(status != SVMC_OK ? &t->refused : is_group ? &t->groups : &t->exact) += 1;
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
    unsigned idle;

    for (unsigned w = 0; w < WORKERS; w++) {
        sum.passed += totals[w].passed;
        sum.failed += totals[w].failed;
        sum.exact += totals[w].exact;
        sum.groups += totals[w].groups;
        sum.refused += totals[w].refused;
        justified_add(&sum.justified, &totals[w].justified);
    }
    printf("exact %" PRIu64 ", group only %" PRIu64 ", refused %" PRIu64 ", %.0f s\n", sum.exact,
           sum.groups, sum.refused, seconds);
    idle = justified_print(&sum.justified, 0, must_absorb);
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
        int result = 0;

        lost |= waitpid(child[w], &result, 0) < 0 || result != 0;
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    if (lost)
        printf("FAIL a worker did not end well\n");
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
