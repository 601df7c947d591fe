/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: any bytes as an instruction of RISC-V, in any state, with callbacks that do
 * what the input says: succeed, fail, wait, fault, lie. Traps when an invariant breaks. Shape of
 * the input: XLEN and flags of the run (4 bytes), the instruction (4), the registers, then a byte
 * for each callback. Rules ER-1 ER-3 XE-1 XE-2 XE-6 XE-7 XE-8.
 */
#include "hostile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum svmc_status rv_exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                    size_t n)
{
    require((at.v & (n - 1)) == 0);
    return exchange(ctx, at, expected, desired, n);
}

static enum svmc_status rv_vector_read(void *ctx, uint32_t kind, uint32_t number, void *dst,
                                       size_t n)
{
    require(kind == SVMC_REG_KIND_VECTOR && number < 32 && (n == 4 || n == 8 || n == 16));
    return vector_read(ctx, kind, number, dst, n);
}

static enum svmc_status rv_vector_write(void *ctx, uint32_t kind, uint32_t number, const void *src,
                                        size_t n)
{
    require(kind == SVMC_REG_KIND_VECTOR && number < 32 && (n == 4 || n == 8 || n == 16));
    return vector_write(ctx, kind, number, src, n);
}

static const struct svmc_exec_ops all = { .size = sizeof all,
                                          .translate = translate,
                                          .read = read_some,
                                          .write = write_some,
                                          .exchange = rv_exchange,
                                          .vector_read = rv_vector_read,
                                          .vector_write = rv_vector_write };

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
    check_action(st, out);
    require(out->iterations == 0 && !out->trap);
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
        answer();
        before = regs;
        st = svmc_exec_rv_resume(&x, &regs, &out);
        check_result(st, &out, &before, &regs);
    }
    svmc_exec_drop(&x);
}

static void fetch(const struct svmc_cpu *cpu)
{
    struct svmc_exec_rv regs;
    struct svmc_exec_result out;
    struct svmc_insn insn;
    enum svmc_status st;

    take_registers(&regs);
    begin_call();
    st = svmc_exec_rv_fetch(&x, cpu, &regs, &insn, &out);
    check_fetched(st, &out, &insn);
    svmc_exec_drop(&x);
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
    usual_fault = 13;
    begin_record(&ops);
    start(&cpu, bytes);
    fetch(&cpu);
    return 0;
}
