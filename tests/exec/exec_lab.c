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

unsigned exec_lab_writes(const struct exec_lab *lab)
{
    unsigned writes = 0;

    for (unsigned i = 0; i < lab->logged && i < LAB_LOG; i++)
        writes += lab->log[i].kind == SVMC_EXEC_WRITE;
    return writes;
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

/* What a call that strikes says. */
static enum svmc_status instead(const struct exec_lab *lab)
{
    return lab->mode == LAB_BUSY     ? SVMC_ERR_BUSY
           : lab->mode == LAB_REFUSE ? SVMC_ERR_REFUSED
                                     : SVMC_ERR_STATE;
}

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    struct exec_lab *lab = ctx;
    uint64_t page = (at.v - LAB_LINEAR) / LAB_PAGE;
    bool user = access & SVMC_EXEC_USER, there = page < LAB_PAGES && !lab->absent[page];
    bool struck = strikes(lab, SVMC_EXEC_TRANSLATE);

    lab->last_access = access;
    if (struck && lab->mode != LAB_FAULT && lab->mode != LAB_LIE)
        return instead(lab);
    if (!there || (lab->read_only[page] && (access & SVMC_ACCESS_WRITE)) ||
        (lab->supervisor[page] && user) || (struck && lab->mode == LAB_FAULT)) {
        *fault = lab->fault.raised ? lab->fault : lab->fault_of(at.v, access, there);
        return SVMC_OK;
    }
    out->v = physical(at.v) ^ (struck ? 8 : 0);
    return SVMC_OK;
}

/* An access to bytes of the record: it strikes, or is logged and shall be done. */
static enum svmc_status begin(struct exec_lab *lab, unsigned kind, uint64_t at, size_t n, void *dst,
                              const void *src)
{
    if (dst != NULL)
        lab->dst = dst;
    if (src != NULL)
        lab->src = src;
    if (strikes(lab, kind))
        return instead(lab);
    if (lab->logged < LAB_LOG)
        lab->log[lab->logged] =
            (struct exec_lab_entry){ .kind = (uint8_t)kind, .bytes = (uint8_t)n, .at = at };
    lab->logged++;
    return SVMC_OK;
}

static enum svmc_status read(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    struct exec_lab *lab = ctx;
    enum svmc_status st = begin(lab, SVMC_EXEC_READ, at.v, n, dst, NULL);

    if (st == SVMC_OK)
        memcpy(dst, lab->ram + at.v, n);
    return st;
}

static enum svmc_status write(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    struct exec_lab *lab = ctx;
    enum svmc_status st = begin(lab, SVMC_EXEC_WRITE, at.v, n, NULL, src);

    if (st == SVMC_OK)
        memcpy(lab->ram + at.v, src, n);
    return st;
}

static enum svmc_status exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                 size_t n)
{
    struct exec_lab *lab = ctx;
    enum svmc_status st;
    uint8_t held[16];

    if (lab->device)
        return SVMC_ERR_UNSUPPORTED;
    if ((st = begin(lab, SVMC_EXEC_EXCHANGE, at.v, n, expected, desired)) != SVMC_OK)
        return st;
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

/* What a port or an MSR holds, least significant byte first. */
static void give(void *dst, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)dst)[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t taken(const void *src, size_t n)
{
    uint64_t value = 0;

    for (size_t i = n; i > 0; i--)
        value = value << 8 | ((const uint8_t *)src)[i - 1];
    return value;
}

static enum svmc_status port_read(void *ctx, uint32_t port, void *dst, size_t n)
{
    struct exec_lab *lab = ctx;
    enum svmc_status st = begin(lab, SVMC_EXEC_PORT_IN, port, n, dst, NULL);

    if (st == SVMC_OK)
        give(dst, lab->port_value, n);
    return st;
}

static enum svmc_status port_write(void *ctx, uint32_t port, const void *src, size_t n)
{
    struct exec_lab *lab = ctx;
    enum svmc_status st = begin(lab, SVMC_EXEC_PORT_OUT, port, n, NULL, src);

    if (st == SVMC_OK)
        lab->port_value = taken(src, n);
    return st;
}

static enum svmc_status msr_read(void *ctx, uint32_t msr, void *value, struct svmc_fault *fault)
{
    struct exec_lab *lab = ctx;
    enum svmc_status st = begin(lab, SVMC_EXEC_MSR_READ, msr, 8, value, NULL);

    if (st != SVMC_OK)
        return st;
    if (msr == 0)
        *fault = (struct svmc_fault){ .raised = 1, .vector = 13, .has_error = 1 };
    give(value, lab->msr_value, 8);
    return SVMC_OK;
}

static enum svmc_status msr_write(void *ctx, uint32_t msr, const void *value,
                                  struct svmc_fault *fault)
{
    struct exec_lab *lab = ctx;
    enum svmc_status st = begin(lab, SVMC_EXEC_MSR_WRITE, msr, 8, NULL, value);

    (void)fault;
    if (st == SVMC_OK)
        lab->msr_value = taken(value, 8);
    return st;
}

/* n bytes of a register; never NULL, for what is asked in the wrong way is a failed check. */
static uint8_t *vector_of(struct exec_lab *lab, uint32_t kind, uint32_t number, size_t n)
{
    bool wide = lab->cpu.isa <= SVMC_ISA_X86_64, right;

    if (kind == SVMC_REG_KIND_VECTOR)
        right = number < 32 && n <= (wide ? 64 : 16) && (lab->cpu.isa != SVMC_ISA_A64 || n == 16);
    else if (kind == SVMC_REG_KIND_X87)
        right = wide && number < 8 && n == 10;
    else
        right = wide && (kind == SVMC_REG_KIND_MASK || kind == SVMC_REG_KIND_MMX) && number < 8 &&
                n == 8;
    CHECK(right, "register %u of file %u, %zu bytes", number, kind, n);
    if (kind == SVMC_REG_KIND_MASK)
        return lab->mask[number & 7];
    return kind == SVMC_REG_KIND_VECTOR ? lab->vector[number & 31] : lab->x87[number & 7];
}

static enum svmc_status vector_read(void *ctx, uint32_t kind, uint32_t number, void *dst, size_t n)
{
    struct exec_lab *lab = ctx;
    const uint8_t *from = vector_of(lab, kind, number, n);
    enum svmc_status st = begin(lab, SVMC_EXEC_VECTOR_READ, number, n, dst, NULL);

    if (st == SVMC_OK)
        memcpy(dst, from, n);
    return st;
}

static enum svmc_status vector_write(void *ctx, uint32_t kind, uint32_t number, const void *src,
                                     size_t n)
{
    struct exec_lab *lab = ctx;
    uint8_t *to = vector_of(lab, kind, number, n);
    enum svmc_status st = begin(lab, SVMC_EXEC_VECTOR_WRITE, number, n, NULL, src);

    if (st != SVMC_OK)
        return st;
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

void exec_lab_clear(struct exec_lab *lab, unsigned isa)
{
    memset(lab, 0, sizeof *lab);
    lab->cpu.isa = (uint8_t)isa;
    if (!CHECK_EQ(svmc_exec_init(&lab->x, &exec_lab_ops, lab), SVMC_OK))
        lab->x.priv.ops = &exec_lab_ops;
}

enum svmc_status exec_lab_run(struct exec_lab *lab, const void *bytes, size_t count)
{
    enum svmc_status st = svmc_insn_decode(&lab->cpu, bytes, count, &lab->insn);

    if (!CHECK_EQ(st, SVMC_OK, "a test's own bytes, %02x", *(const uint8_t *)bytes))
        return st;
    if (lab->cpu.isa == SVMC_ISA_A64)
        return svmc_exec_a64_start(&lab->x, &lab->a64, &lab->insn, &lab->out);
    if (lab->cpu.isa == SVMC_ISA_RV32 || lab->cpu.isa == SVMC_ISA_RV64)
        return svmc_exec_rv_start(&lab->x, &lab->rv, &lab->insn, &lab->out);
    return svmc_exec_x86_start(&lab->x, &lab->regs, &lab->insn, &lab->out);
}

enum svmc_status exec_lab_word(struct exec_lab *lab, uint32_t word)
{
    uint8_t bytes[4];

    give(bytes, word, 4);
    return exec_lab_run(lab, bytes, 4);
}

/*
 * The access that waits, as the host does it in its own time: with the bytes of the record that the
 * callback was given, or with a copy of its own.
 */
static enum svmc_status perform(struct exec_lab *lab)
{
    const struct svmc_exec_wait wait = lab->x.wait;
    const svmc_gpa at = { wait.at };
    uint8_t bytes[SVMC_EXEC_WIDTH_MAX] = { 0 };
    struct svmc_fault fault = { 0 };
    enum exec_lab_mode mode = lab->mode;
    enum svmc_status st = SVMC_OK;
    unsigned calls = lab->calls;
    void *dst = lab->dst;
    const void *src = lab->src;
    bool reads = wait.kind == SVMC_EXEC_READ || wait.kind == SVMC_EXEC_EXCHANGE ||
                 wait.kind == SVMC_EXEC_PORT_IN || wait.kind == SVMC_EXEC_MSR_READ ||
                 wait.kind == SVMC_EXEC_VECTOR_READ;
    bool copied = lab->copies && reads;

    if (copied) {
        memcpy(bytes, dst, wait.bytes);
        dst = bytes;
    }
    lab->mode = LAB_OK;
    if (wait.kind == SVMC_EXEC_READ)
        st = read(lab, at, dst, wait.bytes);
    else if (wait.kind == SVMC_EXEC_EXCHANGE)
        st = exchange(lab, at, dst, src, wait.bytes);
    else if (wait.kind == SVMC_EXEC_PORT_IN)
        st = port_read(lab, wait.number, dst, wait.bytes);
    else if (wait.kind == SVMC_EXEC_MSR_READ)
        st = msr_read(lab, wait.number, dst, &fault);
    else if (wait.kind == SVMC_EXEC_WRITE)
        st = write(lab, at, src, wait.bytes);
    else if (wait.kind == SVMC_EXEC_PORT_OUT)
        st = port_write(lab, wait.number, src, wait.bytes);
    else if (wait.kind == SVMC_EXEC_MSR_WRITE)
        st = msr_write(lab, wait.number, src, &fault);
    else if (wait.kind == SVMC_EXEC_VECTOR_READ)
        st = vector_read(lab, wait.file, wait.number, dst, wait.bytes);
    else if (wait.kind == SVMC_EXEC_VECTOR_WRITE)
        st = vector_write(lab, wait.file, wait.number, src, wait.bytes);
    CHECK_EQ(st, SVMC_OK, "kind %u", wait.kind);
    lab->mode = mode;
    lab->calls = calls;
    return svmc_exec_answer(&lab->x, copied ? bytes : NULL, copied ? wait.bytes : 0);
}

static enum svmc_status resume(struct exec_lab *lab)
{
    if (lab->cpu.isa == SVMC_ISA_A64)
        return svmc_exec_a64_resume(&lab->x, &lab->a64, &lab->out);
    if (lab->cpu.isa == SVMC_ISA_RV32 || lab->cpu.isa == SVMC_ISA_RV64)
        return svmc_exec_rv_resume(&lab->x, &lab->rv, &lab->out);
    return svmc_exec_x86_resume(&lab->x, &lab->regs, &lab->out);
}

enum svmc_status exec_lab_go_on(struct exec_lab *lab)
{
    enum svmc_status st = SVMC_OK;

    for (unsigned i = 0; i < 400 && st == SVMC_OK && lab->out.action == SVMC_EXEC_PENDING; i++) {
        if (lab->x.wait.kind == SVMC_EXEC_TRANSLATE && lab->every)
            lab->fail_at = lab->calls + 2; /* the translation comes through, what follows waits */
        else if (lab->x.wait.kind != SVMC_EXEC_TRANSLATE && lab->x.wait.kind != SVMC_EXEC_PAUSE)
            st = perform(lab);
        if (st == SVMC_OK)
            st = resume(lab);
    }
    return st;
}

void exec_lab_check_callback(const struct exec_lab *lab, enum svmc_status st, const char *name)
{
    bool failed = st == SVMC_ERR_CALLBACK;
    bool lied = lab->mode == LAB_LIE && lab->struck == SVMC_EXEC_TRANSLATE; /* XE-23 */

    CHECK_EQ(lab->out.callback, failed ? lab->struck : 0, "%s, call %u", name, lab->fail_at);
    CHECK_EQ(lab->out.callback_status, failed && !lied ? instead(lab) : SVMC_OK, "%s, call %u",
             name, lab->fail_at);
}
