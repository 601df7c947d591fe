/* SPDX-License-Identifier: MIT */
#include "a64_lab.h"

/* Linear pages lie the other way round in physical memory. */
static uint64_t physical(uint64_t linear)
{
    uint64_t page = (linear - A64_LINEAR) / A64_PAGE;

    return (A64_PAGES - 1 - page) * A64_PAGE + linear % A64_PAGE;
}

uint8_t *a64_lab_at(struct a64_lab *lab, uint64_t linear)
{
    return lab->ram + physical(linear);
}

uint64_t a64_lab_load(struct a64_lab *lab, uint64_t linear, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = bytes; i > 0; i--)
        v = v << 8 | *a64_lab_at(lab, linear + i - 1);
    return v;
}

void a64_lab_store(struct a64_lab *lab, uint64_t linear, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        *a64_lab_at(lab, linear + i) = (uint8_t)(value >> 8 * i);
}

void a64_lab_count_up(struct a64_lab *lab, uint64_t linear)
{
    for (unsigned i = 0; i < 64; i++)
        *a64_lab_at(lab, linear + i) = (uint8_t)(0x10 + i);
}

static bool strikes(struct a64_lab *lab, unsigned kind)
{
    lab->calls++;
    if (lab->mode == A64_OK ||
        (lab->every ? lab->calls < lab->fail_at : lab->calls != lab->fail_at))
        return false;
    lab->struck = (uint8_t)kind;
    return true;
}

/* What an access that strikes says; FAULT and LIE are translate's. */
static enum svmc_status instead(const struct a64_lab *lab)
{
    switch (lab->mode) {
    case A64_BUSY:
        return SVMC_ERR_BUSY;
    case A64_REFUSE:
        return SVMC_ERR_REFUSED;
    case A64_FAIL:
        return SVMC_ERR_STATE;
    default:
        return SVMC_OK;
    }
}

static void note(struct a64_lab *lab, unsigned kind, uint64_t at, size_t n)
{
    if (lab->logged < A64_LOG)
        lab->log[lab->logged] =
            (struct a64_lab_entry){ .kind = (uint8_t)kind, .bytes = (uint8_t)n, .at = at };
    lab->logged++;
}

/* A level 3 fault, as svmc_walk says it, but always of EL1. */
static struct svmc_fault fault_at(uint64_t linear, uint32_t access, bool there)
{
    bool fetch = (access & SVMC_EXEC_EXECUTE) != 0;

    return (struct svmc_fault){ .raised = 1,
                                .vector = fetch ? 0x21 : 0x25,
                                .has_error = 1,
                                .error =
                                    (there ? 0x0fu : 0x07u) |
                                    ((access & SVMC_ACCESS_RW) == SVMC_ACCESS_WRITE ? 0x40u : 0),
                                .address = linear };
}

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    struct a64_lab *lab = ctx;
    uint64_t page = (at.v - A64_LINEAR) / A64_PAGE;
    bool user = access & SVMC_EXEC_USER, there = page < A64_PAGES && !lab->absent[page];
    bool struck = strikes(lab, SVMC_EXEC_TRANSLATE), faults = struck && lab->mode == A64_FAULT;

    lab->last_access = access;
    if (struck && instead(lab) != SVMC_OK)
        return instead(lab);
    if (!there || faults || (lab->read_only[page] && (access & SVMC_ACCESS_WRITE)) ||
        (lab->supervisor[page] && user)) {
        *fault = lab->fault.raised ? lab->fault : fault_at(at.v, access, there);
        return SVMC_OK;
    }
    out->v = physical(at.v);
    if (struck && lab->mode == A64_LIE)
        out->v ^= 8;
    return SVMC_OK;
}

static enum svmc_status read_some(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    struct a64_lab *lab = ctx;

    lab->dst = dst;
    if (strikes(lab, SVMC_EXEC_READ) && instead(lab) != SVMC_OK)
        return instead(lab);
    note(lab, SVMC_EXEC_READ, at.v, n);
    memcpy(dst, lab->ram + at.v, n);
    return SVMC_OK;
}

static enum svmc_status write_some(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    struct a64_lab *lab = ctx;

    lab->src = src;
    if (strikes(lab, SVMC_EXEC_WRITE) && instead(lab) != SVMC_OK)
        return instead(lab);
    note(lab, SVMC_EXEC_WRITE, at.v, n);
    memcpy(lab->ram + at.v, src, n);
    return SVMC_OK;
}

static enum svmc_status exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                 size_t n)
{
    struct a64_lab *lab = ctx;
    uint8_t held[16];

    if (lab->device)
        return SVMC_ERR_UNSUPPORTED;
    lab->dst = expected;
    lab->src = desired;
    if (strikes(lab, SVMC_EXEC_EXCHANGE) && instead(lab) != SVMC_OK)
        return instead(lab);
    note(lab, SVMC_EXEC_EXCHANGE, at.v, n);
    if (lab->late)
        lab->ram[at.v]++;
    memcpy(held, lab->ram + at.v, n);
    if (memcmp(held, expected, n) == 0)
        memcpy(lab->ram + at.v, desired, n);
    memcpy(expected, held, n);
    return SVMC_OK;
}

static enum svmc_status vector_read(void *ctx, uint32_t kind, uint32_t number, void *dst, size_t n)
{
    struct a64_lab *lab = ctx;

    lab->dst = dst;
    if (strikes(lab, SVMC_EXEC_VECTOR_READ) && instead(lab) != SVMC_OK)
        return instead(lab);
    CHECK(kind == SVMC_REG_KIND_VECTOR && number < 32 && n == 16, "register %u", number);
    note(lab, SVMC_EXEC_VECTOR_READ, number, n);
    memcpy(dst, lab->vectors[number & 31], 16);
    return SVMC_OK;
}

static enum svmc_status vector_write(void *ctx, uint32_t kind, uint32_t number, const void *src,
                                     size_t n)
{
    struct a64_lab *lab = ctx;

    lab->src = src;
    if (strikes(lab, SVMC_EXEC_VECTOR_WRITE) && instead(lab) != SVMC_OK)
        return instead(lab);
    CHECK(kind == SVMC_REG_KIND_VECTOR && number < 32 && n == 16, "register %u", number);
    note(lab, SVMC_EXEC_VECTOR_WRITE, number, n);
    memcpy(lab->vectors[number & 31], src, 16);
    return SVMC_OK;
}

const struct svmc_exec_ops a64_lab_ops = { .size = sizeof a64_lab_ops,
                                           .translate = translate,
                                           .read = read_some,
                                           .write = write_some,
                                           .exchange = exchange,
                                           .vector_read = vector_read,
                                           .vector_write = vector_write };

void a64_lab_open(struct a64_lab *lab)
{
    memset(lab, 0, sizeof *lab);
    lab->regs.pc = A64_LINEAR + 0x1000;
    lab->regs.pstate = 5; /* EL1h */
    lab->regs.cpacr = 3u << 20;
    lab->regs.dczid = 4;
    lab->regs.general[2] = A64_DATA;
    lab->regs.general[31] = A64_LINEAR + 0x800;
    if (!CHECK_EQ(svmc_exec_init(&lab->x, &a64_lab_ops, lab), SVMC_OK))
        lab->x.priv.ops = &a64_lab_ops;
}

enum svmc_status a64_lab_run(struct a64_lab *lab, uint32_t word)
{
    const struct svmc_cpu cpu = { .isa = SVMC_ISA_A64 };
    uint8_t bytes[4] = { (uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16),
                         (uint8_t)(word >> 24) };
    enum svmc_status st = svmc_insn_decode(&cpu, bytes, 4, &lab->insn);

    if (!CHECK_EQ(st, SVMC_OK, "a test's own word, %08" PRIx32, word))
        return st;
    return svmc_exec_a64_start(&lab->x, &lab->regs, &lab->insn, &lab->out);
}

/*
 * The access that waits, as the host does it in its own time: with the bytes of the record that the
 * callback was given, or with a copy of its own.
 */
static enum svmc_status perform(struct a64_lab *lab)
{
    struct svmc_exec_wait wait = lab->x.wait;
    uint8_t bytes[SVMC_EXEC_WIDTH_MAX] = { 0 };
    enum a64_lab_mode mode = lab->mode;
    unsigned calls = lab->calls;
    void *dst = lab->dst;
    const void *src = lab->src;
    svmc_gpa at = { wait.at };
    bool reads = wait.kind == SVMC_EXEC_READ || wait.kind == SVMC_EXEC_EXCHANGE ||
                 wait.kind == SVMC_EXEC_VECTOR_READ;

    if (lab->copies && reads) {
        memcpy(bytes, dst, wait.bytes);
        dst = bytes;
    }
    lab->mode = A64_OK;
    if (wait.kind == SVMC_EXEC_READ)
        CHECK_EQ(read_some(lab, at, dst, wait.bytes), SVMC_OK);
    else if (wait.kind == SVMC_EXEC_EXCHANGE)
        CHECK_EQ(exchange(lab, at, dst, src, wait.bytes), SVMC_OK);
    else if (wait.kind == SVMC_EXEC_WRITE)
        CHECK_EQ(write_some(lab, at, src, wait.bytes), SVMC_OK);
    else if (wait.kind == SVMC_EXEC_VECTOR_READ)
        CHECK_EQ(vector_read(lab, wait.file, wait.number, dst, wait.bytes), SVMC_OK);
    else if (wait.kind == SVMC_EXEC_VECTOR_WRITE)
        CHECK_EQ(vector_write(lab, wait.file, wait.number, src, wait.bytes), SVMC_OK);
    lab->mode = mode;
    lab->calls = calls;
    if (reads && lab->copies)
        return svmc_exec_answer(&lab->x, bytes, wait.bytes);
    return svmc_exec_answer(&lab->x, NULL, 0);
}

enum svmc_status a64_lab_go_on(struct a64_lab *lab)
{
    enum svmc_status st = SVMC_OK;

    for (unsigned i = 0; i < 400 && st == SVMC_OK && lab->out.action == SVMC_EXEC_PENDING; i++) {
        if (lab->x.wait.kind != SVMC_EXEC_TRANSLATE)
            st = perform(lab);
        else if (lab->every)
            lab->fail_at = lab->calls + 2; /* the translation comes through, what follows waits */
        if (st == SVMC_OK)
            st = svmc_exec_a64_resume(&lab->x, &lab->regs, &lab->out);
    }
    return st;
}
