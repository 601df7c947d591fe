/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: any bytes as an instruction of RISC-V, in any state, with callbacks that do
 * what the input says: succeed, fail, wait, fault, lie. Traps when an invariant breaks. Shape of
 * the input: XLEN and flags of the run (4 bytes), the instruction (4), the registers, then a byte
 * for each callback. Rules ER-1 ER-3 XE-1 XE-2 XE-6 XE-7 XE-8.
 */
#include <stdbool.h>
#include <string.h>
#include <svmcore/svmcore.h>

#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct input in;
static unsigned accesses;
static bool waits;
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
    require((access & (SVMC_ACCESS_READ | SVMC_ACCESS_WRITE)) != 0);
    require(fault->raised == 0 && fault->vector == 0 && fault->address == 0);
    out->v = (at.v & 0xfff) | (uint64_t)(what & 0xf0) << 8;
    if ((what & 15) == 1)
        return SVMC_ERR_ABSENT;
    if ((what & 15) == 2)
        return SVMC_ERR_BUSY;
    if ((what & 15) == 3)
        out->v ^= 1;
    if ((what & 15) == 4)
        *fault = (struct svmc_fault){ .raised = 1, .vector = what >> 2, .address = at.v };
    return SVMC_OK;
}

static enum svmc_status read_some(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    (void)ctx;
    require((at.v & 0xfff) + n <= 4096 && in_record(dst, n));
    take(&in, dst, n);
    return say(dst, n);
}

static enum svmc_status write_some(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    (void)ctx;
    require((at.v & 0xfff) + n <= 4096);
    return say(src, n);
}

static enum svmc_status exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                 size_t n)
{
    (void)ctx;
    require(n == 1 || n == 2 || n == 4 || n == 8 || n == 16);
    require((at.v & (n - 1)) == 0 && in_record(desired, n));
    if (take_byte(&in) & 1)
        take(&in, expected, n);
    return take_byte(&in) == 7 ? SVMC_ERR_UNSUPPORTED : say(expected, n);
}

static enum svmc_status vector_read(void *ctx, uint32_t kind, uint32_t number, void *dst, size_t n)
{
    (void)ctx;
    require(kind == SVMC_REG_KIND_VECTOR && number < 32 && (n == 4 || n == 8 || n == 16));
    take(&in, dst, n);
    return say(dst, n);
}

static enum svmc_status vector_write(void *ctx, uint32_t kind, uint32_t number, const void *src,
                                     size_t n)
{
    (void)ctx;
    require(kind == SVMC_REG_KIND_VECTOR && number < 32 && (n == 4 || n == 8 || n == 16));
    return say(src, n);
}

static const struct svmc_exec_ops all = { .size = sizeof all,
                                          .translate = translate,
                                          .read = read_some,
                                          .write = write_some,
                                          .exchange = exchange,
                                          .vector_read = vector_read,
                                          .vector_write = vector_write };

static void take_registers(struct svmc_exec_rv *regs)
{
    static const uint8_t widths[4] = { 0, 4, 8, 16 };

    take(&in, regs, sizeof *regs);
    regs->pc &= ~(uint64_t)1;
    regs->mode &= 1;
    regs->float_state &= 3;
    regs->float_bytes = widths[regs->float_bytes & 3];
}

static void check_result(enum svmc_status st, const struct svmc_exec_result *out,
                         const struct svmc_exec_rv *before, const struct svmc_exec_rv *after)
{
    require(accesses <= SVMC_EXEC_ACCESSES_MAX + 1); /* the last one may have failed */
    require(out->accesses <= SVMC_EXEC_ACCESSES_MAX && out->iterations == 0 && !out->trap);
    require(st == SVMC_OK || st == SVMC_ERR_CALLBACK);
    require(out->action <= SVMC_EXEC_UNFINISHED);
    require((st == SVMC_OK) == (out->action != SVMC_EXEC_NONE));
    require((out->reason != 0) == (out->action == SVMC_EXEC_UNFINISHED));
    require((out->action == SVMC_EXEC_PENDING) == (x.wait.kind != SVMC_EXEC_NO_ACCESS));
    require((out->fault.raised == 1) == (out->action == SVMC_EXEC_FAULT) && !out->resume_flag);
    require(before->general[0] == after->general[0] && before->mode == after->mode);
    require(before->settings == after->settings && before->float_bytes == after->float_bytes);
    if (out->action != SVMC_EXEC_DONE)
        require(memcmp(before, after, sizeof *before) == 0);
}

static void start(const struct svmc_cpu *cpu, const uint8_t bytes[4])
{
    struct svmc_exec_rv regs, before;
    struct svmc_exec_result out;
    struct svmc_insn insn;
    enum svmc_status st;

    take_registers(&regs);
    if (svmc_insn_decode(cpu, bytes, 4, &insn) != SVMC_OK)
        return;
    before = regs;
    st = svmc_exec_rv_start(&x, &regs, &insn, &out);
    check_result(st, &out, &before, &regs);
    count_call();
    for (unsigned i = 0; i < 100 && st == SVMC_OK && out.action == SVMC_EXEC_PENDING; i++) {
        if (x.wait.kind != SVMC_EXEC_TRANSLATE) {
            require(waits && pending_bytes == x.wait.bytes && in_record(pending, pending_bytes));
            require(svmc_exec_answer(&x, NULL, 0) == SVMC_OK);
        }
        waits = false;
        accesses = 0;
        before = regs;
        st = svmc_exec_rv_resume(&x, &regs, &out);
        check_result(st, &out, &before, &regs);
    }
    svmc_exec_drop(&x);
    waits = false;
}

static void fetch(const struct svmc_cpu *cpu)
{
    struct svmc_exec_rv regs;
    struct svmc_exec_result out;
    struct svmc_insn insn;
    enum svmc_status st;

    take_registers(&regs);
    accesses = 0;
    st = svmc_exec_rv_fetch(&x, cpu, &regs, &insn, &out);
    require(st == SVMC_OK || st == SVMC_ERR_CALLBACK);
    require(accesses <= 2);
    require((insn.length != 0) == (st == SVMC_OK && out.action == SVMC_EXEC_NONE));
    svmc_exec_drop(&x);
    waits = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct svmc_exec_ops ops = all;
    struct svmc_cpu cpu = { .isa = SVMC_ISA_RV64 };
    uint8_t head[4], bytes[4];

    in = (struct input){ data, size };
    take(&in, head, sizeof head);
    take(&in, bytes, sizeof bytes);
    if (head[0] & 1)
        cpu.isa = SVMC_ISA_RV32;
    if (head[1] & 1)
        ops.exchange = NULL;
    if (head[1] & 2)
        ops.size = offsetof(struct svmc_exec_ops, exchange);
    require(svmc_exec_init(&x, &ops, NULL) == SVMC_OK);
    memset(x.priv.data, 0xee, sizeof x.priv.data);
    accesses = 0;
    waits = false;
    start(&cpu, bytes);
    fetch(&cpu);
    return 0;
}
