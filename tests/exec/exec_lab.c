/* SPDX-License-Identifier: MIT */
#include "exec_lab.h"

/* Linear pages lie the other way round in physical memory. */
static uint64_t physical(uint64_t linear)
{
    uint64_t page = (linear - LAB_LINEAR) / LAB_PAGE;

    return (LAB_PAGES - 1 - page) * LAB_PAGE + linear % LAB_PAGE;
}

uint8_t *exec_lab_at(struct exec_lab *lab, uint64_t linear)
{
    return lab->ram + physical(linear);
}

uint64_t exec_lab_load(struct exec_lab *lab, uint64_t linear, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = bytes; i > 0; i--)
        v = v << 8 | *exec_lab_at(lab, linear + i - 1);
    return v;
}

void exec_lab_store(struct exec_lab *lab, uint64_t linear, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        *exec_lab_at(lab, linear + i) = (uint8_t)(value >> 8 * i);
}

static bool strikes(struct exec_lab *lab, unsigned kind)
{
    lab->calls++;
    if (lab->mode == LAB_OK ||
        (lab->every ? lab->calls < lab->fail_at : lab->calls != lab->fail_at))
        return false;
    lab->struck = (uint8_t)kind;
    return true;
}

/* What a call that strikes says; LAB_FAULT and LAB_LIE are translate's. */
static enum svmc_status instead(const struct exec_lab *lab)
{
    return lab->mode == LAB_BUSY ? SVMC_ERR_BUSY : SVMC_ERR_STATE;
}

static void note(struct exec_lab *lab, unsigned kind, uint64_t at, size_t n)
{
    if (lab->logged < LAB_LOG)
        lab->log[lab->logged] =
            (struct exec_lab_entry){ .kind = (uint8_t)kind, .bytes = (uint8_t)n, .at = at };
    lab->logged++;
}

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    struct exec_lab *lab = ctx;
    uint64_t page = (at.v - LAB_LINEAR) / LAB_PAGE;
    bool user = access & SVMC_EXEC_USER, there = page < LAB_PAGES && !lab->absent[page];

    lab->last_access = access;
    if (strikes(lab, SVMC_EXEC_TRANSLATE) && lab->mode != LAB_FAULT && lab->mode != LAB_LIE)
        return instead(lab);
    if ((lab->mode == LAB_LIE && lab->calls == lab->fail_at) ||
        (there && !(lab->read_only[page] && (access & SVMC_ACCESS_WRITE)) &&
         !(lab->supervisor[page] && user) &&
         !(lab->mode == LAB_FAULT && lab->calls == lab->fail_at))) {
        out->v = there ? physical(at.v) : 0;
        if (lab->mode == LAB_LIE && lab->calls == lab->fail_at)
            out->v ^= 8;
        return SVMC_OK;
    }
    *fault =
        (struct svmc_fault){ .raised = 1,
                             .vector = 14,
                             .has_error = 1,
                             .error = (there ? 1u : 0) | (access & SVMC_ACCESS_WRITE ? 2u : 0) |
                                      (user ? 4u : 0) | (access & SVMC_EXEC_EXECUTE ? 16u : 0),
                             .address = at.v };
    return SVMC_OK;
}

static enum svmc_status read(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    struct exec_lab *lab = ctx;

    lab->dst = dst;
    if (strikes(lab, SVMC_EXEC_READ))
        return instead(lab);
    note(lab, SVMC_EXEC_READ, at.v, n);
    memcpy(dst, lab->ram + at.v, n);
    return SVMC_OK;
}

static enum svmc_status write(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    struct exec_lab *lab = ctx;

    lab->src = src;
    if (strikes(lab, SVMC_EXEC_WRITE))
        return instead(lab);
    note(lab, SVMC_EXEC_WRITE, at.v, n);
    memcpy(lab->ram + at.v, src, n);
    return SVMC_OK;
}

static enum svmc_status exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                 size_t n)
{
    struct exec_lab *lab = ctx;
    uint8_t held[16];

    if (lab->device)
        return SVMC_ERR_UNSUPPORTED;
    lab->dst = expected;
    lab->src = desired;
    if (strikes(lab, SVMC_EXEC_EXCHANGE))
        return instead(lab);
    note(lab, SVMC_EXEC_EXCHANGE, at.v, n);
    memcpy(held, lab->ram + at.v, n);
    if (memcmp(held, expected, n) == 0)
        memcpy(lab->ram + at.v, desired, n);
    memcpy(expected, held, n);
    return SVMC_OK;
}

static enum svmc_status port_read(void *ctx, uint32_t port, void *dst, size_t n)
{
    struct exec_lab *lab = ctx;

    lab->dst = dst;
    if (strikes(lab, SVMC_EXEC_PORT_IN))
        return instead(lab);
    note(lab, SVMC_EXEC_PORT_IN, port, n);
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)dst)[i] = (uint8_t)(lab->port_value >> 8 * i);
    return SVMC_OK;
}

static enum svmc_status port_write(void *ctx, uint32_t port, const void *src, size_t n)
{
    struct exec_lab *lab = ctx;

    lab->src = src;
    if (strikes(lab, SVMC_EXEC_PORT_OUT))
        return instead(lab);
    note(lab, SVMC_EXEC_PORT_OUT, port, n);
    lab->port_value = 0;
    for (size_t i = n; i > 0; i--)
        lab->port_value = lab->port_value << 8 | ((const uint8_t *)src)[i - 1];
    return SVMC_OK;
}

static enum svmc_status msr_read(void *ctx, uint32_t msr, void *value, struct svmc_fault *fault)
{
    struct exec_lab *lab = ctx;

    lab->dst = value;
    if (strikes(lab, SVMC_EXEC_MSR_READ))
        return instead(lab);
    note(lab, SVMC_EXEC_MSR_READ, msr, 8);
    if (msr == 0)
        *fault = (struct svmc_fault){ .raised = 1, .vector = 13, .has_error = 1 };
    for (size_t i = 0; i < 8; i++)
        ((uint8_t *)value)[i] = (uint8_t)(lab->msr_value >> 8 * i);
    return SVMC_OK;
}

static enum svmc_status msr_write(void *ctx, uint32_t msr, const void *value,
                                  struct svmc_fault *fault)
{
    struct exec_lab *lab = ctx;

    (void)fault;
    lab->src = value;
    if (strikes(lab, SVMC_EXEC_MSR_WRITE))
        return instead(lab);
    note(lab, SVMC_EXEC_MSR_WRITE, msr, 8);
    lab->msr_value = 0;
    for (size_t i = 8; i > 0; i--)
        lab->msr_value = lab->msr_value << 8 | ((const uint8_t *)value)[i - 1];
    return SVMC_OK;
}

/* n bytes of a register. */
static uint8_t *vector_of(struct exec_lab *lab, uint32_t kind, uint32_t number, size_t n)
{
    if (kind == SVMC_REG_KIND_VECTOR && CHECK(number < 32 && n <= 64, "%u", number))
        return lab->vector[number];
    if (kind == SVMC_REG_KIND_MASK && CHECK(number < 8 && n == 8, "%u", number))
        return lab->mask[number];
    if (kind == SVMC_REG_KIND_MMX && CHECK(number < 8 && n == 8, "%u", number))
        return lab->x87[number];
    if (kind == SVMC_REG_KIND_X87 && CHECK(number < 8 && n == 10, "%u", number))
        return lab->x87[number];
    return NULL;
}

static enum svmc_status vector_read(void *ctx, uint32_t kind, uint32_t number, void *dst, size_t n)
{
    struct exec_lab *lab = ctx;
    const uint8_t *from = vector_of(lab, kind, number, n);

    lab->dst = dst;
    if (strikes(lab, SVMC_EXEC_VECTOR_READ) || from == NULL)
        return instead(lab);
    note(lab, SVMC_EXEC_VECTOR_READ, number, n);
    memcpy(dst, from, n);
    return SVMC_OK;
}

static enum svmc_status vector_write(void *ctx, uint32_t kind, uint32_t number, const void *src,
                                     size_t n)
{
    struct exec_lab *lab = ctx;
    uint8_t *to = vector_of(lab, kind, number, n);

    lab->src = src;
    if (strikes(lab, SVMC_EXEC_VECTOR_WRITE) || to == NULL)
        return instead(lab);
    note(lab, SVMC_EXEC_VECTOR_WRITE, number, n);
    memcpy(to, src, n);
    if (kind == SVMC_REG_KIND_MMX)
        memset(to + 8, 0xff, 2);
    return SVMC_OK;
}

const struct svmc_exec_ops exec_lab_ops = { .size = sizeof exec_lab_ops,
                                            .translate = translate,
                                            .read = read,
                                            .write = write,
                                            .exchange = exchange,
                                            .port_read = port_read,
                                            .port_write = port_write,
                                            .msr_read = msr_read,
                                            .msr_write = msr_write,
                                            .vector_read = vector_read,
                                            .vector_write = vector_write };

void exec_lab_open(struct exec_lab *lab, unsigned isa)
{
    memset(lab, 0, sizeof *lab);
    lab->cpu = (struct svmc_cpu){ .isa = (uint8_t)isa,
                                  .vendor = SVMC_VENDOR_INTEL,
                                  .features = { ~(uint64_t)0, ~(uint64_t)0 } };
    lab->regs.rflags = 2;
    lab->regs.cr0 = 0x80000001;
    lab->regs.cr4 = 0x40600; /* OSFXSR, OSXMMEXCPT, OSXSAVE */
    lab->regs.xcr0 = LAB_XCR0;
    lab->regs.mxcsr = 0x1f80;
    lab->regs.fcw = 0x37f;
    lab->regs.vendor = SVMC_VENDOR_INTEL;
    lab->regs.address_bits = isa == SVMC_ISA_X86_64 ? 48 : 0;
    lab->regs.general[SVMC_REG_RSP] = LAB_LINEAR + 0x3800;
    lab->regs.rip = 0x1000;
    for (unsigned i = 0; i < 6; i++) {
        struct svmc_exec_segment *s = &lab->regs.segment[i];

        s->limit = 0xffffffff;
        s->rights = SVMC_RIGHTS_WRITABLE | (isa == SVMC_ISA_X86_16 ? 0 : SVMC_RIGHTS_BIG);
        s->selector = (uint16_t)(8 * i + 8);
    }
    lab->regs.segment[SVMC_SEG_CS].rights |= SVMC_RIGHTS_CODE;
    if (!CHECK_EQ(svmc_exec_init(&lab->x, &exec_lab_ops, lab), SVMC_OK))
        lab->x.priv.ops = &exec_lab_ops;
}

enum svmc_status exec_lab_run(struct exec_lab *lab, const void *bytes, size_t count)
{
    enum svmc_status st = svmc_insn_decode(&lab->cpu, bytes, count, &lab->insn);

    if (!CHECK_EQ(st, SVMC_OK, "a test's own bytes, %02x", *(const uint8_t *)bytes))
        return st;
    return svmc_exec_x86_start(&lab->x, &lab->regs, &lab->insn, &lab->out);
}

/*
 * The access that waits, as the host does it in its own time: with the bytes of the record that the
 * callback was given, or with a copy of its own.
 */
static enum svmc_status perform(struct exec_lab *lab)
{
    struct svmc_exec_wait wait = lab->x.wait;
    uint8_t bytes[SVMC_EXEC_WIDTH_MAX] = { 0 };
    struct svmc_fault fault = { 0 };
    enum exec_lab_mode mode = lab->mode;
    unsigned calls = lab->calls;
    void *dst = lab->dst;
    const void *src = lab->src;
    bool reads =
        wait.kind == SVMC_EXEC_READ || wait.kind == SVMC_EXEC_EXCHANGE ||
        wait.kind == SVMC_EXEC_PORT_IN || wait.kind == SVMC_EXEC_MSR_READ ||
        (wait.kind == SVMC_EXEC_VECTOR_READ && lab->x.priv.ops->vector_read == vector_read);

    if (lab->copies && reads) {
        memcpy(bytes, dst, wait.bytes);
        dst = bytes;
    }
    lab->mode = LAB_OK;
    if (wait.kind == SVMC_EXEC_READ)
        CHECK_EQ(read(lab, (svmc_gpa){ wait.at }, dst, wait.bytes), SVMC_OK);
    else if (wait.kind == SVMC_EXEC_EXCHANGE)
        CHECK_EQ(exchange(lab, (svmc_gpa){ wait.at }, dst, src, wait.bytes), SVMC_OK);
    else if (wait.kind == SVMC_EXEC_PORT_IN)
        CHECK_EQ(port_read(lab, wait.number, dst, wait.bytes), SVMC_OK);
    else if (wait.kind == SVMC_EXEC_MSR_READ)
        CHECK_EQ(msr_read(lab, wait.number, dst, &fault), SVMC_OK);
    else if (wait.kind == SVMC_EXEC_WRITE)
        CHECK_EQ(write(lab, (svmc_gpa){ wait.at }, src, wait.bytes), SVMC_OK);
    else if (wait.kind == SVMC_EXEC_PORT_OUT)
        CHECK_EQ(port_write(lab, wait.number, src, wait.bytes), SVMC_OK);
    else if (wait.kind == SVMC_EXEC_MSR_WRITE)
        CHECK_EQ(msr_write(lab, wait.number, src, &fault), SVMC_OK);
    else if (wait.kind == SVMC_EXEC_VECTOR_READ && lab->x.priv.ops->vector_read == vector_read)
        CHECK_EQ(vector_read(lab, wait.file, wait.number, dst, wait.bytes), SVMC_OK);
    else if (wait.kind == SVMC_EXEC_VECTOR_WRITE && lab->x.priv.ops->vector_write == vector_write)
        CHECK_EQ(vector_write(lab, wait.file, wait.number, src, wait.bytes), SVMC_OK);
    lab->mode = mode;
    lab->calls = calls;
    if (reads && lab->copies)
        return svmc_exec_answer(&lab->x, bytes, wait.bytes);
    return svmc_exec_answer(&lab->x, NULL, 0);
}

enum svmc_status exec_lab_go_on(struct exec_lab *lab)
{
    enum svmc_status st = SVMC_OK;

    for (unsigned i = 0; i < 400 && st == SVMC_OK && lab->out.action == SVMC_EXEC_PENDING; i++) {
        if (lab->x.wait.kind != SVMC_EXEC_TRANSLATE)
            st = perform(lab);
        else if (lab->every)
            lab->fail_at = lab->calls + 2; /* the translation comes through, what follows waits */
        if (st == SVMC_OK)
            st = svmc_exec_x86_resume(&lab->x, &lab->regs, &lab->out);
    }
    return st;
}
