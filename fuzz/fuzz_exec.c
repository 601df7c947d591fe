/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: any bytes as an x86 instruction, in all modes, in any state, with callbacks
 * that do what the input says: succeed, fail, wait, fault, lie. Traps when an invariant breaks.
 * Shape of the input: mode and flags of the run (4 bytes), the instruction (15), the registers,
 * then a byte for each callback.
 */
#include "hostile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum svmc_status port_read(void *ctx, uint32_t port, void *dst, size_t n)
{
    (void)ctx;
    require(port <= 0xffff && (n == 1 || n == 2 || n == 4));
    return say(dst, n);
}

static enum svmc_status port_write(void *ctx, uint32_t port, const void *src, size_t n)
{
    (void)ctx;
    require(port <= 0xffff && (n == 1 || n == 2 || n == 4));
    return say(src, n);
}

static enum svmc_status msr_read(void *ctx, uint32_t msr, void *value, struct svmc_fault *fault)
{
    (void)ctx, (void)msr;
    fault->raised = take_byte(&in) & 1;
    fault->vector = take_byte(&in) & 63;
    return say(value, 8);
}

static enum svmc_status msr_write(void *ctx, uint32_t msr, const void *value,
                                  struct svmc_fault *fault)
{
    (void)ctx, (void)msr, (void)fault;
    return say(value, 8);
}

static void require_register(uint32_t kind, uint32_t number, size_t n)
{
    if (kind == SVMC_REG_KIND_VECTOR)
        require(number < 32 && (n == 16 || n == 32 || n == 64));
    else if (kind == SVMC_REG_KIND_X87)
        require(number < 8 && n == 10);
    else
        require((kind == SVMC_REG_KIND_MASK || kind == SVMC_REG_KIND_MMX) && number < 8 && n == 8);
}

static enum svmc_status x86_read(void *ctx, uint32_t kind, uint32_t number, void *dst, size_t n)
{
    require_register(kind, number, n);
    return vector_read(ctx, kind, number, dst, n);
}

static enum svmc_status x86_write(void *ctx, uint32_t kind, uint32_t number, const void *src,
                                  size_t n)
{
    require_register(kind, number, n);
    return vector_write(ctx, kind, number, src, n);
}

/* XE-60: a host that computes what it likes, or cannot. */
static enum svmc_status vec_op(void *ctx, struct svmc_exec_vec_op *op)
{
    unsigned what = take_byte(&in);

    (void)ctx;
    require(op == &x.priv.vec);
    if (op->operation >= SVMC_EXEC_VEC_X87_ADD) {
        require(op->operation <= SVMC_EXEC_VEC_X87_INT_DIVR);
        require(op->bytes == 2 || op->bytes == 4 || op->bytes == 8);
    } else {
        require(op->operation > SVMC_EXEC_VEC_NONE && op->operation <= SVMC_EXEC_VEC_RSQRT_S);
        require((op->mxcsr & 0xffff1fbf) == 0x1f80);
        require(op->bytes == (op->operation & 1 ? 4 : 8) || op->bytes == 16 || op->bytes == 32 ||
                op->bytes == 64);
    }
    take(&in, op->out, sizeof op->out);
    op->mxcsr = (what & 15) == 3 ? ~(uint32_t)0 : op->mxcsr | what >> 2;
    return what == 1 ? SVMC_ERR_UNSUPPORTED : what == 2 ? SVMC_ERR_BUSY : SVMC_OK;
}

static enum svmc_status forget(void *ctx, uint32_t what, uint32_t pcid, svmc_gva at)
{
    (void)ctx, (void)at;
    require(what <= SVMC_EXEC_FORGET_LOCAL && pcid < 4096);
    accesses++;
    if (take_byte(&in) != 2)
        return SVMC_OK;
    waits = true;
    pending = (const uint8_t *)&x;
    pending_bytes = 0;
    return SVMC_ERR_BUSY;
}

static const struct svmc_exec_ops all = { .size = sizeof all,
                                          .translate = translate,
                                          .read = read_some,
                                          .write = write_some,
                                          .exchange = exchange,
                                          .port_read = port_read,
                                          .port_write = port_write,
                                          .msr_read = msr_read,
                                          .msr_write = msr_write,
                                          .vector_read = x86_read,
                                          .vector_write = x86_write,
                                          .vec_op = vec_op,
                                          .forget = forget };

static void take_registers(struct svmc_exec_x86 *regs, unsigned isa)
{
    take(&in, regs, sizeof *regs);
    regs->cpl &= 3;
    regs->address_bits = isa != SVMC_ISA_X86_64 ? 0 : regs->address_bits & 1 ? 57 : 48;
}

/* What may change segments, tables, the level, and flags that are no status: XS-1. */
static bool is_of_system(const struct svmc_insn *insn)
{
    switch (insn->insn_class) {
    case SVMC_CLASS_DESCRIPTOR:
    case SVMC_CLASS_CONTROL_REG:
    case SVMC_CLASS_FLAG:
    case SVMC_CLASS_RETURN:
        return true;
    default:
        return insn->id == SVMC_X86_CALL_FAR || insn->id == SVMC_X86_JMP_FAR ||
               insn->id == SVMC_X86_RET_FAR;
    }
}

/* XS-11: the level that a call gate leads to: that of its own code and its own stack. */
static void check_inner(const struct svmc_exec_x86 *before, const struct svmc_exec_x86 *after)
{
    const struct svmc_exec_segment *cs = &after->segment[SVMC_SEG_CS];
    const struct svmc_exec_segment *ss = &after->segment[SVMC_SEG_SS];

    require((before->cr0 & 1) != 0 && (before->rflags & 0x20000) == 0);
    require((before->task.rights & SVMC_RIGHTS_UNUSABLE) == 0);
    require((cs->selector & 3) == after->cpl && (cs->rights >> 5 & 3) == after->cpl);
    require((ss->selector & 3) == after->cpl && (ss->rights >> 5 & 3) == after->cpl);
}

/* XS-12: all that virtual-8086 mode has fixed. */
static void check_virtual(const struct svmc_exec_x86 *before, const struct svmc_exec_x86 *after)
{
    require(before->cpl == 0 && after->cpl == 3 && (before->cr0 & 1) != 0);
    require((before->efer & 0x400) == 0 && after->rip <= 0xffff);
    for (unsigned i = 0; i < 6; i++) {
        const struct svmc_exec_segment *s = &after->segment[i];

        require(s->rights == 0xf3 && s->limit == 0xffff);
        require(s->base == (uint64_t)s->selector << 4);
    }
}

/* XS-7, XS-11, XS-12: who becomes more than he was, and how; XS-6, XS-8: PE and VM stay. */
static void check_system(const struct svmc_insn *insn, const struct svmc_exec_x86 *before,
                         const struct svmc_exec_x86 *after)
{
    bool to_virtual = (~before->rflags & after->rflags & 0x20000) != 0;

    require(after->cpl <= 3);
    require((before->cr0 & ~after->cr0 & 1) == 0 && before->cr4 == after->cr4);
    require((before->rflags & ~after->rflags & 0x20000) == 0 && before->efer == after->efer);
    require(!to_virtual || insn->id == SVMC_X86_IRET);
    require(after->cpl >= before->cpl || insn->id == SVMC_X86_CALL_FAR);
    if (after->cpl < before->cpl)
        check_inner(before, after);
    if (to_virtual)
        check_virtual(before, after);
}

static void check_result(enum svmc_status st, const struct svmc_exec_result *out,
                         const struct svmc_insn *insn, const struct svmc_exec_x86 *before,
                         const struct svmc_exec_x86 *after)
{
    const bool system = is_of_system(insn);

    check_action(st, out);
    if (out->action == SVMC_EXEC_FAULT)
        require(out->fault.raised == 1 && out->fault.vector < 32);
    if (out->trap)
        require(out->fault.vector == 1 && out->action <= SVMC_EXEC_AGAIN);
    if (system) {
        check_system(insn, before, after);
    } else {
        require(memcmp(before->segment, after->segment, sizeof before->segment) == 0);
        require(before->cr0 == after->cr0 && before->cpl == after->cpl);
        require(before->cr4 == after->cr4);
        require(((before->rflags ^ after->rflags) & ~(uint64_t)0x108d5) == 0);
    }
    if (out->action != SVMC_EXEC_DONE)
        require(before->rip == after->rip);
    if (out->action != SVMC_EXEC_DONE && out->iterations == 0 &&
        (out->action != SVMC_EXEC_FAULT || system || insn->id == SVMC_X86_ENTER)) /* XE-9 */
        require(memcmp(before, after, sizeof *before) == 0);
}

static void start(const struct svmc_cpu *cpu, const uint8_t *bytes)
{
    struct svmc_exec_x86 regs, before;
    struct svmc_exec_result out;
    struct svmc_insn insn;
    enum svmc_status st;

    take_registers(&regs, cpu->isa);
    if (svmc_insn_decode(cpu, bytes, SVMC_INSN_MAX, &insn) != SVMC_OK)
        return;
    before = regs;
    st = svmc_exec_x86_start(&x, &regs, &insn, &out);
    check_result(st, &out, &insn, &before, &regs);
    count_call();
    for (unsigned i = 0; i < 100 && st == SVMC_OK && out.action == SVMC_EXEC_PENDING; i++) {
        answer();
        before = regs;
        st = svmc_exec_x86_resume(&x, &regs, &out);
        check_result(st, &out, &insn, &before, &regs);
    }
    svmc_exec_drop(&x);
}

static void fetch(const struct svmc_cpu *cpu)
{
    struct svmc_exec_x86 regs;
    struct svmc_exec_result out;
    struct svmc_insn insn;
    enum svmc_status st;

    take_registers(&regs, cpu->isa);
    begin_call();
    st = svmc_exec_x86_fetch(&x, cpu, &regs, &insn, &out);
    check_fetched(st, &out, &insn);
    svmc_exec_drop(&x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct svmc_exec_ops ops = all;
    struct svmc_cpu cpu = { .features = { UINT64_MAX, UINT64_MAX } };
    uint8_t head[4], bytes[SVMC_INSN_MAX];

    in = (struct input){ data, size };
    take(&in, head, sizeof head);
    take(&in, bytes, sizeof bytes);
    cpu.isa = (uint8_t)(SVMC_ISA_X86_16 + head[0] % 3);
    cpu.vendor = (uint8_t)(SVMC_VENDOR_AMD + (head[0] >> 2 & 1));
    if (head[1] & 1)
        ops.exchange = NULL;
    if (head[1] & 4)
        ops.vector_read = NULL;
    if (head[1] & 8)
        ops.vec_op = NULL;
    if (head[1] & 2)
        ops.size = offsetof(struct svmc_exec_ops, exchange);
    usual_fault = 14;
    begin_record(&ops);
    x.iterations_max = head[2];
    x.split_locks = head[1] >> 4 & 1;
    start(&cpu, bytes);
    fetch(&cpu);
    return 0;
}
