/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: any word as an A64 instruction, in any state, with callbacks that do what the
 * input says: succeed, fail, wait, refuse, fault, lie. Traps when an invariant breaks.
 * Shape of the input: flags of the run (4 bytes), the word (4), the registers, then a byte for each
 * callback.
 */
#include "hostile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* EA-1: nothing is translated or read once memory or a register of vectors is written. */
static bool memory_touched, vector_written;

static enum svmc_status a64_translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                      struct svmc_fault *fault)
{
    require(!memory_touched);
    return translate(ctx, at, access, out, fault);
}

static enum svmc_status a64_read(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    require(!vector_written);
    return read_some(ctx, at, dst, n);
}

static enum svmc_status a64_write(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    memory_touched = true;
    return write_some(ctx, at, src, n);
}

static enum svmc_status a64_exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                     size_t n)
{
    memory_touched = true;
    return exchange(ctx, at, expected, desired, n);
}

static enum svmc_status a64_vector_read(void *ctx, uint32_t kind, uint32_t number, void *dst,
                                        size_t n)
{
    require(kind == SVMC_REG_KIND_VECTOR && number < 32 && n == 16);
    require(!memory_touched && !vector_written);
    return vector_read(ctx, kind, number, dst, n);
}

static enum svmc_status a64_vector_write(void *ctx, uint32_t kind, uint32_t number, const void *src,
                                         size_t n)
{
    require(kind == SVMC_REG_KIND_VECTOR && number < 32 && n == 16);
    vector_written = true;
    return vector_write(ctx, kind, number, src, n);
}

static const struct svmc_exec_ops all = { .size = sizeof all,
                                          .translate = a64_translate,
                                          .read = a64_read,
                                          .write = a64_write,
                                          .exchange = a64_exchange,
                                          .vector_read = a64_vector_read,
                                          .vector_write = a64_vector_write };

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
    check_action(st, out);
    require(accesses <= SVMC_EXEC_ACCESSES_MAX && out->accesses <= accesses);
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
        answer();
        st = svmc_exec_a64_resume(&x, &regs, &out);
        check_result(st, &out, &before, &regs);
    }
    svmc_exec_drop(&x);
}

static void fetch(void)
{
    struct svmc_exec_a64 regs;
    struct svmc_exec_result out;
    struct svmc_insn insn;
    enum svmc_status st;

    take_registers(&regs);
    begin_call();
    memory_touched = false;
    vector_written = false;
    st = svmc_exec_a64_fetch(&x, &regs, &insn, &out);
    check_fetched(st, &out, &insn);
    require(accesses <= 1);
    if (out.action == SVMC_EXEC_FAULT)
        check_fault(&out.fault, (regs.pstate & 12) == 0);
    svmc_exec_drop(&x);
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
    usual_fault = 0x24;
    begin_record(&ops);
    memory_touched = false;
    vector_written = false;
    start(&cpu, bytes);
    fetch();
    return 0;
}
