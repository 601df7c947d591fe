/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: any word as an A64 instruction, in any state, with callbacks that do what the
 * input says: succeed, fail, wait, refuse, fault, lie. Traps when an invariant breaks.
 * Shape of the input: flags of the run (4 bytes), the word (4), the registers, then a byte for each
 * callback.
 */
#include <stdbool.h>
#include <string.h>
#include <svmcore/svmcore.h>

#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct input in;
static unsigned accesses;
static bool waits, memory_touched, vector_written;
static const uint8_t *pending;
static size_t pending_bytes;
static struct svmc_exec x;

static bool in_record(const void *at, size_t n)
{
    const uint8_t *p = at, *from = (const uint8_t *)&x;

    return p >= from && p + n <= from + sizeof x;
}

/* What the input says to this call. */
static enum svmc_status say(const void *bytes, size_t n)
{
    unsigned what = take_byte(&in) & 15;

    accesses++;
    require(!waits); /* nothing is asked before what waits is answered */
    require(n >= 1 && n <= SVMC_EXEC_WIDTH_MAX && in_record(bytes, n));
    if (what == 1)
        return SVMC_ERR_ABSENT;
    if (what == 3)
        return SVMC_ERR_REFUSED;
    if (what != 2)
        return SVMC_OK;
    waits = true;
    pending = bytes;
    pending_bytes = n;
    return SVMC_ERR_BUSY;
}

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    unsigned what = take_byte(&in);

    (void)ctx;
    require((access & SVMC_ACCESS_RW) != 0 && !memory_touched);
    require(fault->raised == 0 && fault->vector == 0 && fault->address == 0);
    out->v = (at.v & 0xfff) | (uint64_t)(what & 0xf0) << 8;
    if ((what & 15) == 1)
        return SVMC_ERR_ABSENT;
    if ((what & 15) == 2)
        return SVMC_ERR_BUSY;
    if ((what & 15) == 3)
        out->v ^= 1;
    if ((what & 15) == 4)
        *fault = (struct svmc_fault){ .raised = 1,
                                      .vector = what >> 4 & 1 ? 0x24 : (uint8_t)(what >> 2),
                                      .has_error = 1,
                                      .error = what * 0x10101u,
                                      .address = at.v };
    return SVMC_OK;
}

static enum svmc_status read_some(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    (void)ctx;
    require((at.v & 0xfff) + n <= 4096 && !vector_written);
    take(&in, dst, n);
    return say(dst, n);
}

static enum svmc_status write_some(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    (void)ctx;
    require((at.v & 0xfff) + n <= 4096);
    memory_touched = true;
    return say(src, n);
}

static enum svmc_status exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                 size_t n)
{
    (void)ctx, (void)at;
    require(n == 1 || n == 2 || n == 4 || n == 8 || n == 16);
    require(in_record(desired, n));
    memory_touched = true;
    if (take_byte(&in) & 1)
        take(&in, expected, n);
    return take_byte(&in) == 7 ? SVMC_ERR_UNSUPPORTED : say(expected, n);
}

static enum svmc_status vector_read(void *ctx, uint32_t kind, uint32_t number, void *dst, size_t n)
{
    (void)ctx;
    require(kind == SVMC_REG_KIND_VECTOR && number < 32 && n == 16);
    require(!memory_touched && !vector_written);
    take(&in, dst, n);
    return say(dst, n);
}

static enum svmc_status vector_write(void *ctx, uint32_t kind, uint32_t number, const void *src,
                                     size_t n)
{
    (void)ctx;
    require(kind == SVMC_REG_KIND_VECTOR && number < 32 && n == 16);
    vector_written = true;
    return say(src, n);
}

static const struct svmc_exec_ops all = { .size = sizeof all,
                                          .translate = translate,
                                          .read = read_some,
                                          .write = write_some,
                                          .exchange = exchange,
                                          .vector_read = vector_read,
                                          .vector_write = vector_write };

static void take_registers(struct svmc_exec_a64 *regs)
{
    take(&in, regs, sizeof *regs);
    regs->pstate &= ~(uint64_t)0x18;
    if (take_byte(&in) & 7) /* what stops it mostly does not */
        regs->pstate &= ~(uint64_t)0x100000;
    regs->monitor.bytes = (uint8_t)(1u << (regs->monitor.bytes & 3));
}

/* EA-5: an exception class that this library says, a syndrome that its class can have. */
static void check_fault(const struct svmc_fault *fault, bool user)
{
    require(fault->raised == 1 && fault->has_error == 1 && fault->reserved == 0);
    require(fault->vector < 0x27 && fault->error < 1u << 25);
    if (fault->vector >= 0x20 && fault->vector != 0x22 && fault->vector != 0x26)
        require((fault->vector & 1) == !user && (fault->error & ~0x77fu) == 0);
}

static void check_result(enum svmc_status st, const struct svmc_exec_result *out,
                         const struct svmc_exec_a64 *before, const struct svmc_exec_a64 *after)
{
    require(accesses <= SVMC_EXEC_ACCESSES_MAX);
    require(out->accesses <= accesses);
    require(st == SVMC_OK || st == SVMC_ERR_CALLBACK);
    require(out->action <= SVMC_EXEC_UNFINISHED);
    require((st == SVMC_OK) == (out->action != SVMC_EXEC_NONE));
    require((out->reason != 0) == (out->action == SVMC_EXEC_UNFINISHED));
    require((out->action == SVMC_EXEC_PENDING) == (x.wait.kind != SVMC_EXEC_NO_ACCESS));
    require(out->trap == 0 && out->resume_flag == 0 && out->iterations == 0);
    if (out->action == SVMC_EXEC_FAULT)
        check_fault(&out->fault, (before->pstate & 12) == 0);
    if (out->action >= SVMC_EXEC_NEEDS_ATOMIC)
        require(accesses == 0);
    if (out->action != SVMC_EXEC_DONE) {
        require(memcmp(before, after, sizeof *before) == 0);
        return;
    }
    require(after->pc == before->pc + 4);
    require(before->sctlr == after->sctlr && before->hcr == after->hcr);
    require(((before->pstate ^ after->pstate) & ~(uint64_t)0x200c00) == 0);
}

static void start(const struct svmc_cpu *cpu, const uint8_t *bytes)
{
    struct svmc_exec_a64 regs, before;
    struct svmc_exec_result out;
    struct svmc_insn insn;
    enum svmc_status st;

    take_registers(&regs);
    if (svmc_insn_decode(cpu, bytes, 4, &insn) != SVMC_OK)
        return;
    before = regs;
    st = svmc_exec_a64_start(&x, &regs, &insn, &out);
    check_result(st, &out, &before, &regs);
    count_call();
    for (unsigned i = 0; i < 100 && st == SVMC_OK && out.action == SVMC_EXEC_PENDING; i++) {
        if (x.wait.kind != SVMC_EXEC_TRANSLATE) {
            require(waits && pending_bytes == x.wait.bytes && in_record(pending, pending_bytes));
            require(svmc_exec_answer(&x, NULL, 0) == SVMC_OK);
        }
        waits = false;
        accesses = 0;
        st = svmc_exec_a64_resume(&x, &regs, &out);
        check_result(st, &out, &before, &regs);
    }
    svmc_exec_drop(&x);
    waits = false;
}

static void fetch(void)
{
    struct svmc_exec_a64 regs;
    struct svmc_exec_result out;
    struct svmc_insn insn;
    enum svmc_status st;

    take_registers(&regs);
    accesses = 0;
    memory_touched = false;
    vector_written = false;
    st = svmc_exec_a64_fetch(&x, &regs, &insn, &out);
    require(st == SVMC_OK || st == SVMC_ERR_CALLBACK);
    require(accesses <= 1);
    require((insn.length != 0) == (st == SVMC_OK && out.action == SVMC_EXEC_NONE));
    if (out.action == SVMC_EXEC_FAULT)
        check_fault(&out.fault, (regs.pstate & 12) == 0);
    svmc_exec_drop(&x);
    waits = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct svmc_cpu cpu = { .isa = SVMC_ISA_A64 };
    struct svmc_exec_ops ops = all;
    uint8_t head[4], bytes[4];

    in = (struct input){ data, size };
    take(&in, head, sizeof head);
    take(&in, bytes, sizeof bytes);
    if (head[1] & 1)
        ops.exchange = NULL;
    if (head[1] & 2)
        ops.vector_read = NULL;
    if ((head[1] & 12) == 12)
        ops.size = offsetof(struct svmc_exec_ops, exchange);
    if (head[2] & 1) /* the groups of loads and stores */
        bytes[3] = (uint8_t)((bytes[3] & 0xf5) | 0x08);
    require(svmc_exec_init(&x, &ops, NULL) == SVMC_OK);
    memset(x.priv.data, 0xee, sizeof x.priv.data);
    accesses = 0;
    waits = false;
    memory_touched = false;
    vector_written = false;
    start(&cpu, bytes);
    fetch();
    return 0;
}
