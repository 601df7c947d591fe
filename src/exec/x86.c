/* SPDX-License-Identifier: MIT */
/* x86: the calls, and which instruction is finished how. Rules XE-n: docs/spec/exec.md. */
#include "x86_fpu.h"
#include "x86_private.h"
#include "x86_system.h"
#include "x86_float_private.h"

#define CR4_UMIP 0x800u

/* XE-20 */
struct row {
    uint8_t shape, op, who, element;
};
#define OP(id, shape, op, undefined, who) \
    [SVMC_X86_##id] = { SHAPE_##shape, X86_OP_##op, WHO_##who, ELEMENT_B },
static const struct row rows[] = {
#include "x86_int.def"
#undef OP
#define OP(id, shape, op, element, who) \
    [SVMC_X86_##id] = { SHAPE_VEC_##shape, VEC_##op, WHO_##who, ELEMENT_##element },
#include "x86_vec.def"
#undef OP
#define OP(id, shape, op, who) \
    [SVMC_X86_##id] = { SHAPE_FPU_##shape, FPU_OP_##op, WHO_##who, ELEMENT_B },
#include "x86_fpu.def"
#undef OP
#define OP(id, shape, op, element, who) \
    [SVMC_X86_##id] = { SHAPE_FLOAT_##shape, FLOAT_##op, WHO_##who, ELEMENT_##element },
#include "x86_float.def"
#undef OP
#define OP(id, shape, who) \
    [SVMC_X86_##id] = { SHAPE_SYS_##shape, X86_OP_NONE, WHO_##who, ELEMENT_B },
#include "x86_system.def"
#undef OP
};
#define ROWS ((uint32_t)(sizeof rows / sizeof rows[0]))

/* MOV to MMIO is most of what is finished: it takes no detour. */
static inline bool move(struct x86_run *e)
{
    const struct svmc_insn *insn = e->insn;
    uint64_t value = insn->imm;
    struct exec_span span;

    if (insn->access == SVMC_ACCESS_WRITE) {
        if (!x86_reach_memory(e, SVMC_ACCESS_WRITE, &span))
            return false;
        if (insn->reg_kind == SVMC_REG_KIND_GPR)
            value = x86_get_reg(e);
        else if (insn->reg_kind == SVMC_REG_KIND_SEGMENT)
            value = e->regs->segment[core_clamp(insn->reg, 6)].selector;
        return exec_write_value(&e->r, &span, value);
    }
    if (insn->reg_kind != SVMC_REG_KIND_GPR) /* no decode made it */
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    if (!x86_reach_memory(e, SVMC_ACCESS_READ, &span) || !x86_read(e, &span, &value))
        return false;
    if (insn->flags & SVMC_INSN_SIGN)
        value = (uint64_t)core_sign_extend(value, insn->mem_bytes * 8u);
    x86_set_reg(e, value);
    return true;
}

/* CLFLUSH and its like: checked like a read, and nothing else (SDM vol. 2 CLFLUSH). */
static bool flush(struct x86_run *e)
{
    struct exec_span span;
    uint64_t linear = x86_offset(e) & core_mask(e->insn->address_bytes);
    const unsigned access = SVMC_ACCESS_READ;

    if ((!e->wide || e->insn->segment >= SVMC_SEG_FS || !x86_is_canonical(e, linear)) &&
        !svmc_exec_x86_linear_slow(e, e->insn->segment, linear, 1, access, &linear))
        return false;
    return exec_reach(&e->r, linear, 1, access | SVMC_EXEC_CHECK, &span);
}

/* XE-17. XSA-105, XSA-106, XSA-110: asked of everything, before anything else is. */
static bool may(struct x86_run *e, unsigned who)
{
    if (e->regs->cpl == 0 || who == WHO_ANY || who == WHO_IO)
        return true;
    if (who == WHO_UMIP && !(e->regs->cr4 & CR4_UMIP))
        return true;
    return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
}

static bool perform_fpu(struct x86_run *e)
{
    switch (e->shape) {
    case SHAPE_FPU_LOAD:
        return svmc_exec_x86_fpu_load(e);
    case SHAPE_FPU_STORE:
        return svmc_exec_x86_fpu_store(e);
    case SHAPE_FPU_ARITHMETIC:
        return svmc_exec_x86_fpu_arithmetic(e);
    case SHAPE_FPU_CONTROL:
        return svmc_exec_x86_fpu_control(e);
    case SHAPE_FPU_ENVIRONMENT:
        return svmc_exec_x86_fpu_environment(e);
    case SHAPE_FPU_MXCSR:
        return svmc_exec_x86_mxcsr(e);
    default:
        return svmc_exec_x86_area(e);
    }
}

static bool perform_rare(struct x86_run *e)
{
    switch (e->shape) {
    case SHAPE_CHANGE:
        return svmc_exec_x86_change(e);
    case SHAPE_PAIR:
        return svmc_exec_x86_pair(e);
    case SHAPE_LINE:
        return svmc_exec_x86_line(e);
    case SHAPE_STRING:
        return svmc_exec_x86_string(e);
    case SHAPE_PORT:
        return svmc_exec_x86_port(e);
    case SHAPE_MSR:
        return svmc_exec_x86_msr(e);
    case SHAPE_PUSH:
        return svmc_exec_x86_push(e);
    case SHAPE_POP:
        return svmc_exec_x86_pop(e);
    case SHAPE_ENTER:
        return svmc_exec_x86_enter(e);
    case SHAPE_BRANCH:
        return svmc_exec_x86_branch(e);
    case SHAPE_RETURN:
        return svmc_exec_x86_return(e);
    case SHAPE_HINT:
        return true;
    case SHAPE_FLUSH:
        return flush(e);
    case SHAPE_NONE:
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    default:
        if (e->shape >= SHAPE_FPU_LOAD)
            return perform_fpu(e);
        if (e->shape >= SHAPE_FLOAT_PACKED)
            return svmc_exec_x86_float(e);
        return e->shape >= SHAPE_VEC_MOVE ? svmc_exec_x86_vec(e) : svmc_exec_x86_compute(e);
    }
}

/* Nothing in memory and no port: what an exit cannot have come from (XSA-123: no field of memory is
 * looked at then). */
static bool has_access(const struct svmc_insn *insn)
{
    return insn->mem_count != 0 || (insn->flags & SVMC_INSN_STACK) ||
           insn->insn_class == SVMC_CLASS_PORT || insn->insn_class == SVMC_CLASS_MSR;
}

/* Of what is accessed: a power of two that an access can have; hints and the stack: any. */
static bool is_width(const struct svmc_insn *insn)
{
    unsigned bytes = insn->mem_bytes;

    return insn->access == SVMC_ACCESS_NONE ||
           (bytes != 0 && bytes <= SVMC_EXEC_WIDTH_MAX && (bytes & (bytes - 1)) == 0);
}

/* What loads descriptors is deep: it is called from here. */
static inline bool perform_system(struct x86_run *e)
{
    switch (e->shape) {
    case SHAPE_SYS_LOAD:
        return svmc_exec_x86_load_system(e);
    case SHAPE_SYS_ASK:
        return svmc_exec_x86_ask(e);
    case SHAPE_SYS_SEGMENT:
        return svmc_exec_x86_segment(e);
    case SHAPE_SYS_FAR:
        return svmc_exec_x86_far(e);
    case SHAPE_SYS_BACK:
        return svmc_exec_x86_back(e);
    default:
        return svmc_exec_x86_system(e);
    }
}

static bool perform(struct x86_run *e)
{
    const struct row *row = &rows[core_clamp(e->insn->id < ROWS ? e->insn->id : 0, ROWS)];

    e->shape = row->shape;
    e->op = row->op;
    e->element = row->element;
    if (__builtin_expect(row->who != WHO_ANY, 0) && !may(e, row->who))
        return false;
    if (__builtin_expect(!has_access(e->insn), 0))
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED,
                         e->shape == SHAPE_NONE ? SVMC_EXEC_REASON_NO_ROW
                                                : SVMC_EXEC_REASON_NO_ACCESS);
    if (e->insn->insn_class == SVMC_CLASS_DESCRIPTOR &&
        (e->shape == SHAPE_MOVE || e->shape == SHAPE_POP))
        e->shape = SHAPE_SYS_SEGMENT;
    if (e->shape >= SHAPE_SYS_TABLE)
        return perform_system(e);
    if (e->shape < SHAPE_FPU_LOAD && !is_width(e->insn)) /* no decode made it */
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    return e->shape == SHAPE_MOVE ? move(e) : perform_rare(e);
}

/* XE-16: the single step, of an instruction or an iteration. */
static CORE_COLD void trap(struct svmc_exec_result *out)
{
    out->trap = 1;
    out->fault = (struct svmc_fault){ .raised = 1, .vector = VECTOR_DB };
}

static CORE_COLD enum svmc_status stopped(struct x86_run *e)
{
    enum svmc_status st = svmc_exec_stopped(&e->r, e->insn);
    struct svmc_exec_result *out = e->r.out;

    if (out->action == SVMC_EXEC_AGAIN && out->iterations != 0 && (e->regs->rflags & FLAG_TF))
        trap(out);
    return st;
}

static bool is_possible(const struct svmc_exec_x86 *regs, bool wide)
{
    if (regs->cpl > 3)
        return false;
    return wide ? regs->address_bits == 48 || regs->address_bits == 57 : regs->address_bits == 0;
}

static inline void begin(struct x86_run *e, struct svmc_exec *x, struct svmc_exec_x86 *regs,
                         const struct svmc_insn *insn, struct svmc_exec_result *out)
{
    e->wide = insn->isa == SVMC_ISA_X86_64;
    e->regs = regs;
    e->insn = insn;
    e->opcode = (uint8_t)(insn->priv_raw[1] >> 16);
    e->r.linear_mask = e->wide ? ~(uint64_t)0 : core_mask(4);
    e->next = (regs->rip + insn->length) & e->r.linear_mask;
    e->r.x = x;
    e->r.out = out;
    e->r.user = regs->cpl == 3 ? SVMC_EXEC_USER : 0;
    e->r.x86 = true;
    e->r.status = SVMC_OK;
    e->shadow = 0;
    e->keeps_rf = false;
    exec_rewind(&e->r);
}

static CORE_APART enum svmc_status run(struct svmc_exec *x, struct svmc_exec_x86 *regs,
                                       const struct svmc_insn *insn, struct svmc_exec_result *out)
{
    const bool steps = (regs->rflags & FLAG_TF) != 0; /* what POPF leaves is the next one's */
    struct x86_run e;

    begin(&e, x, regs, insn, out);
    if (__builtin_expect(!perform(&e), 0))
        return stopped(&e);
    if (__builtin_expect(steps, 0) && !(e.shadow & SVMC_STATE_SHADOW_SS))
        trap(out);
    regs->rip = e.next;
    if (__builtin_expect(!e.keeps_rf, 1))
        regs->rflags &= ~(uint64_t)FLAG_RF;
    regs->shadow = e.shadow;
    out->action = SVMC_EXEC_DONE;
    exec_forget(x);
    return SVMC_OK;
}

/*
 * MOV to and from memory in 64-bit mode, within a page, with nothing in the way: what most exits
 * are. It takes the steps of move() and no others; what it is not sure of goes there, before
 * anything was asked of the host. Two words hold what is looked at of the instruction.
 */
#define HOT         static inline __attribute__((always_inline))
#define HEAD_MASK   0xf0fffffcu /* id below 4, and no decode gives 0; isa; length below 16 */
#define HEAD_PLAIN  0x00030000u
#define PLACE_MASK  0xf0fc00ff0000u /* address_bytes, segment below 4, base below 16 */
#define PLACE_PLAIN 0x000000080000u
#define RESULT_HEAD offsetof(struct svmc_exec_result, iterations) /* each field is set */
_Static_assert(offsetof(struct svmc_insn, id) == 0 && offsetof(struct svmc_insn, isa) == 2 &&
                   offsetof(struct svmc_insn, length) == 3 &&
                   offsetof(struct svmc_insn, address_bytes) == 10 &&
                   offsetof(struct svmc_insn, access) == 11 &&
                   offsetof(struct svmc_insn, segment) == 12 &&
                   offsetof(struct svmc_insn, base) == 13 && SVMC_ISA_X86_64 == 3,
               "the words are made of these");
_Static_assert(SVMC_X86_MOV == 1 && SVMC_X86_MOVZX == 2 && SVMC_X86_MOVSX == 3,
               "what is moved has the first three numbers");

HOT bool is_plain(const struct svmc_exec_x86 *regs, const struct svmc_insn *insn, uint64_t *linear)
{
    const uint8_t *bytes = (const uint8_t *)insn;
    uint64_t head = core_load_le64(bytes), place = core_load_le64(bytes + 8), at;

    if ((head & HEAD_MASK) != HEAD_PLAIN || (place & PLACE_MASK) != PLACE_PLAIN ||
        insn->reg_kind > SVMC_REG_KIND_GPR || (regs->rflags & (FLAG_TF | FLAG_RF | FLAG_AC)))
        return false;
    if ((core_load_le16(&regs->cpl) & 0xfffc) != 48 << 8) /* and address_bits behind it */
        return false;
    at = (uint64_t)insn->disp + regs->general[insn->base & 15]; /* clamp: four bits */
    if (insn->index < 16)
        at += regs->general[insn->index & 15] * insn->scale; /* clamp: four bits */
    *linear = at;
    return (at & (EXEC_PAGE - 1)) <= EXEC_PAGE - 8 && (uint64_t)core_sign_extend(at, 48) == at;
}
_Static_assert(offsetof(struct svmc_exec_x86, address_bits) ==
                   offsetof(struct svmc_exec_x86, cpl) + 1,
               "one load has both");

/* The host did not say OK, or not what it may: as where the long way stops. */
static CORE_COLD enum svmc_status not_translated(struct svmc_exec *x, struct svmc_exec_x86 *regs,
                                                 const struct svmc_insn *insn,
                                                 struct svmc_exec_result *out, enum svmc_status st,
                                                 uint64_t linear)
{
    struct svmc_fault fault = out->fault;
    struct x86_run e;

    *out = (struct svmc_exec_result){ 0 };
    begin(&e, x, regs, insn, out);
    if (st != SVMC_OK)
        svmc_exec_stop(&e.r, st,
                       &(struct svmc_exec_wait){ .kind = SVMC_EXEC_TRANSLATE, .at = linear });
    else if (fault.raised != 0)
        svmc_exec_take_fault(&e.r, SVMC_EXEC_TRANSLATE, &fault);
    else
        exec_fail(&e.r, SVMC_EXEC_TRANSLATE, SVMC_OK); /* XE-23 */
    return stopped(&e);
}

static CORE_COLD enum svmc_status not_accessed(struct svmc_exec *x, struct svmc_exec_x86 *regs,
                                               const struct svmc_insn *insn,
                                               struct svmc_exec_result *out, enum svmc_status st)
{
    const bool writes = insn->access == SVMC_ACCESS_WRITE;
    const struct svmc_exec_wait wait = { .kind = writes ? SVMC_EXEC_WRITE : SVMC_EXEC_READ,
                                         .bytes = insn->mem_bytes & 15u,
                                         .at = x->priv.place[0].v };
    struct x86_run e;

    x->priv.places = 1;
    *out = (struct svmc_exec_result){ 0 };
    begin(&e, x, regs, insn, out);
    svmc_exec_stop(&e.r, st, &wait);
    return stopped(&e);
}

HOT enum svmc_status move_plain(struct svmc_exec *x, struct svmc_exec_x86 *regs,
                                const struct svmc_insn *insn, struct svmc_exec_result *out,
                                uint64_t linear)
{
    const struct svmc_exec_ops *ops = EXEC_OPS(x);
    uint32_t user = ((regs->cpl + 1u) & 4) * (SVMC_EXEC_USER / 4); /* of CPL 3 */
    struct x86_run e;
    uint64_t value;
    svmc_gpa *gpa = &x->priv.place[0];
    enum svmc_status st;

    memset((uint8_t *)out + RESULT_HEAD, 0, sizeof *out - RESULT_HEAD); /* four stores */
    gpa->v = 0;
    st = ops->translate(x->priv.ctx, (svmc_gva){ linear }, insn->access | user, gpa, &out->fault);
    if (__builtin_expect(st != SVMC_OK, 0) || __builtin_expect(out->fault.raised != 0, 0) ||
        __builtin_expect(((gpa->v ^ linear) & (EXEC_PAGE - 1)) != 0, 0))
        return not_translated(x, regs, insn, out, st, linear);
    if (insn->access == SVMC_ACCESS_WRITE) {
        value = regs->general[insn->reg & 15]; /* clamp: four bits */
        if (__builtin_expect(insn->reg_kind == SVMC_REG_KIND_NONE, 0))
            value = insn->imm;
        else if (__builtin_expect((insn->flags & SVMC_INSN_HIGH_REG) != 0, 0))
            value >>= 8;
        core_store_le64(x->priv.store, value);
        st = ops->write(x->priv.ctx, *gpa, x->priv.store, insn->mem_bytes & 15u);
        if (__builtin_expect(st != SVMC_OK, 0))
            return not_accessed(x, regs, insn, out, st);
    } else {
        core_store_le64(x->priv.data, 0);
        st = ops->read(x->priv.ctx, *gpa, x->priv.data, insn->mem_bytes & 15u);
        if (__builtin_expect(st != SVMC_OK, 0))
            return not_accessed(x, regs, insn, out, st);
        value = core_load_le64(x->priv.data);
        if ((insn->flags & SVMC_INSN_SIGN) && insn->mem_bytes - 1u < 7)
            value = (uint64_t)core_sign_extend(value, insn->mem_bytes * 8u);
        e.regs = regs;
        e.insn = insn;
        x86_set_reg(&e, value);
    }
    regs->rip += insn->length;
    regs->shadow = 0;
    out->action = SVMC_EXEC_DONE;
    out->reason = SVMC_EXEC_REASON_NONE;
    out->trap = 0;
    out->resume_flag = 0;
    out->accesses = 1;
    return (enum svmc_status)core_zero(); /* not what st holds: that would be saved for it */
}

/* All the rest, checked. */
static CORE_APART enum svmc_status start(struct svmc_exec *x, struct svmc_exec_x86 *regs,
                                         const struct svmc_insn *insn, struct svmc_exec_result *out)
{
    *out = (struct svmc_exec_result){ 0 };
    if (x == NULL || regs == NULL || insn == NULL)
        return SVMC_ERR_ARG;
    if (x->priv.state != EXEC_IDLE)
        return SVMC_ERR_STATE;
    if (insn->length - 1u >= SVMC_INSN_MAX || (unsigned)insn->isa - SVMC_ISA_X86_16 > 2u ||
        !is_possible(regs, insn->isa == SVMC_ISA_X86_64)) /* XE-5 */
        return SVMC_ERR_ARG;
    return run(x, regs, insn, out);
}

EXEC_FN enum svmc_status svmc_exec_x86_start(struct svmc_exec *x, struct svmc_exec_x86 *regs,
                                             const struct svmc_insn *insn,
                                             struct svmc_exec_result *out)
{
    uint64_t linear;

    if (out == NULL)
        return SVMC_ERR_ARG;
    if (x != NULL && x->priv.state == EXEC_IDLE && insn != NULL && regs != NULL &&
        is_plain(regs, insn, &linear))
        return move_plain(x, regs, insn, out, linear);
    return start(x, regs, insn, out);
}

EXEC_FN enum svmc_status svmc_exec_x86_resume(struct svmc_exec *x, struct svmc_exec_x86 *regs,
                                              struct svmc_exec_result *out)
{
    if (out == NULL)
        return SVMC_ERR_ARG;
    *out = (struct svmc_exec_result){ 0 };
    if (x == NULL || regs == NULL)
        return SVMC_ERR_ARG;
    if (!svmc_exec_may_resume(x))
        return SVMC_ERR_STATE;
    if (!is_possible(regs, x->priv.insn.isa == SVMC_ISA_X86_64))
        return SVMC_ERR_ARG;
    exec_go_on(x);
    return run(x, regs, &x->priv.insn, out);
}
