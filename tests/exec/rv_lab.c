/* SPDX-License-Identifier: MIT */
#include "rv_lab.h"

static uint64_t physical(uint64_t linear)
{
    uint64_t page = (linear - RV_LINEAR) / RV_PAGE;

    return (RV_PAGES - 1 - page) * RV_PAGE + linear % RV_PAGE;
}

uint8_t *rv_lab_at(struct rv_lab *lab, uint64_t linear)
{
    return lab->ram + physical(linear);
}

uint64_t rv_lab_load(struct rv_lab *lab, uint64_t linear, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = bytes; i > 0; i--)
        v = v << 8 | *rv_lab_at(lab, linear + i - 1);
    return v;
}

void rv_lab_store(struct rv_lab *lab, uint64_t linear, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        *rv_lab_at(lab, linear + i) = (uint8_t)(value >> 8 * i);
}

static bool strikes(struct rv_lab *lab, unsigned kind)
{
    lab->calls++;
    if (lab->mode == RV_OK || (lab->every ? lab->calls < lab->fail_at : lab->calls != lab->fail_at))
        return false;
    lab->struck = (uint8_t)kind;
    return true;
}

/* What a call that strikes says; RV_FAULT and RV_LIE are translate's. */
static enum svmc_status instead(const struct rv_lab *lab)
{
    return lab->mode == RV_BUSY ? SVMC_ERR_BUSY : SVMC_ERR_STATE;
}

/* vol. II table 8.6: page faults of fetch, load, store. */
static unsigned page_fault(uint32_t access)
{
    if (access & SVMC_EXEC_EXECUTE)
        return 12;
    return access & SVMC_ACCESS_WRITE ? 15 : 13;
}

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    struct rv_lab *lab = ctx;
    uint64_t page = (at.v - RV_LINEAR) / RV_PAGE;
    bool strike = strikes(lab, SVMC_EXEC_TRANSLATE), user = access & SVMC_EXEC_USER;

    lab->last_access = access;
    if (strike && (lab->mode == RV_FAIL || lab->mode == RV_BUSY))
        return instead(lab);
    if (page >= RV_PAGES || lab->absent[page] || (lab->supervisor[page] && user) ||
        (strike && lab->mode == RV_FAULT)) {
        *fault = (struct svmc_fault){ .raised = 1,
                                      .vector = (uint8_t)page_fault(access),
                                      .address = at.v };
        return SVMC_OK;
    }
    out->v = physical(at.v) ^ (strike ? 8 : 0);
    return SVMC_OK;
}

static enum svmc_status read(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    struct rv_lab *lab = ctx;

    lab->dst = dst;
    if (strikes(lab, SVMC_EXEC_READ))
        return instead(lab);
    lab->accesses++;
    memcpy(dst, lab->ram + at.v, n);
    return SVMC_OK;
}

static enum svmc_status write(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    struct rv_lab *lab = ctx;

    lab->src = src;
    if (strikes(lab, SVMC_EXEC_WRITE))
        return instead(lab);
    lab->accesses++;
    lab->writes++;
    memcpy(lab->ram + at.v, src, n);
    return SVMC_OK;
}

static enum svmc_status exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                 size_t n)
{
    struct rv_lab *lab = ctx;
    uint8_t held[16];

    if (lab->device)
        return SVMC_ERR_UNSUPPORTED;
    lab->dst = expected;
    lab->src = desired;
    if (strikes(lab, SVMC_EXEC_EXCHANGE))
        return instead(lab);
    lab->accesses++;
    if (lab->late > 0) {
        lab->late--;
        lab->ram[at.v]++;
    }
    memcpy(held, lab->ram + at.v, n);
    if (memcmp(held, expected, n) == 0)
        memcpy(lab->ram + at.v, desired, n);
    memcpy(expected, held, n);
    return SVMC_OK;
}

static enum svmc_status vector_read(void *ctx, uint32_t kind, uint32_t number, void *dst, size_t n)
{
    struct rv_lab *lab = ctx;

    lab->dst = dst;
    if (strikes(lab, SVMC_EXEC_VECTOR_READ))
        return instead(lab);
    lab->accesses++;
    CHECK_EQ(kind, SVMC_REG_KIND_VECTOR);
    memcpy(dst, lab->fp[number & 31], n);
    return SVMC_OK;
}

static enum svmc_status vector_write(void *ctx, uint32_t kind, uint32_t number, const void *src,
                                     size_t n)
{
    struct rv_lab *lab = ctx;

    lab->src = src;
    if (strikes(lab, SVMC_EXEC_VECTOR_WRITE))
        return instead(lab);
    lab->accesses++;
    CHECK_EQ(kind, SVMC_REG_KIND_VECTOR);
    memcpy(lab->fp[number & 31], src, n);
    return SVMC_OK;
}

const struct svmc_exec_ops rv_lab_ops = { .size = sizeof rv_lab_ops,
                                          .translate = translate,
                                          .read = read,
                                          .write = write,
                                          .exchange = exchange,
                                          .vector_read = vector_read,
                                          .vector_write = vector_write };

void rv_lab_open(struct rv_lab *lab, unsigned isa)
{
    memset(lab, 0, sizeof *lab);
    lab->cpu.isa = (uint8_t)isa;
    lab->regs.pc = RV_LINEAR + 0x3000;
    lab->regs.mode = 1;
    lab->regs.float_state = 1;
    lab->regs.float_bytes = 16;
    lab->regs.settings = SVMC_EXEC_RV_MISALIGNED;
    lab->regs.block_bytes = 64;
    if (!CHECK_EQ(svmc_exec_init(&lab->x, &rv_lab_ops, lab), SVMC_OK))
        lab->x.priv.ops = &rv_lab_ops;
}

enum svmc_status rv_lab_run(struct rv_lab *lab, uint32_t word)
{
    const uint8_t bytes[4] = { (uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16),
                               (uint8_t)(word >> 24) };
    enum svmc_status st = svmc_insn_decode(&lab->cpu, bytes, 4, &lab->insn);

    if (!CHECK_EQ(st, SVMC_OK, "a test's own word, %08x", word))
        return st;
    return svmc_exec_rv_start(&lab->x, &lab->regs, &lab->insn, &lab->out);
}

/* The access that waits, as the host does it in its own time, with the bytes of the record. */
static enum svmc_status perform(struct rv_lab *lab)
{
    struct svmc_exec_wait wait = lab->x.wait;
    enum rv_lab_mode mode = lab->mode;
    unsigned calls = lab->calls;
    enum svmc_status st = SVMC_ERR_STATE;

    lab->mode = RV_OK;
    if (wait.kind == SVMC_EXEC_READ)
        st = read(lab, (svmc_gpa){ wait.at }, lab->dst, wait.bytes);
    else if (wait.kind == SVMC_EXEC_WRITE)
        st = write(lab, (svmc_gpa){ wait.at }, lab->src, wait.bytes);
    else if (wait.kind == SVMC_EXEC_EXCHANGE)
        st = exchange(lab, (svmc_gpa){ wait.at }, lab->dst, lab->src, wait.bytes);
    else if (wait.kind == SVMC_EXEC_VECTOR_READ)
        st = vector_read(lab, wait.file, wait.number, lab->dst, wait.bytes);
    else if (wait.kind == SVMC_EXEC_VECTOR_WRITE)
        st = vector_write(lab, wait.file, wait.number, lab->src, wait.bytes);
    CHECK_EQ(st, SVMC_OK, "kind %u", wait.kind);
    lab->mode = mode;
    lab->calls = calls;
    return svmc_exec_answer(&lab->x, NULL, 0);
}

enum svmc_status rv_lab_go_on(struct rv_lab *lab)
{
    enum svmc_status st = SVMC_OK;

    for (unsigned i = 0; i < 100 && st == SVMC_OK && lab->out.action == SVMC_EXEC_PENDING; i++) {
        if (lab->x.wait.kind != SVMC_EXEC_TRANSLATE)
            st = perform(lab);
        else if (lab->every)
            lab->fail_at = lab->calls + 2; /* the translation comes through, what follows waits */
        if (st == SVMC_OK)
            st = svmc_exec_rv_resume(&lab->x, &lab->regs, &lab->out);
    }
    return st;
}
