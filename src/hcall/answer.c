/* SPDX-License-Identifier: MIT */
/** The registers of a call, before and after it. docs/spec/answer.md. Small before fast. */
#include <svmcore/answer.h>

#include <stdbool.h>
#include <svmcore/guest/hypercall.h>

#include "../core/callbacks.h"
#include "../core/memory.h"

/* One trap that ends. */
struct ending {
    const struct svmc_trap *trap;
    const struct svmc_host_ops *ops;
    void *ctx;
    uint64_t pc;
};

/* AN-4: neither the trap nor we move the program counter. */
static bool has_no_way_back(const struct svmc_trap *trap)
{
    return trap->insn_bytes == 0 && trap->back == 0;
}

CORE_SMALL static enum svmc_reg pc_of(const struct svmc_trap *trap)
{
    switch ((enum svmc_isa)trap->isa) {
    case SVMC_ISA_A64:
    case SVMC_ISA_A32:
    case SVMC_ISA_T32:
        return SVMC_REG_PC;
    case SVMC_ISA_RV32:
    case SVMC_ISA_RV64:
        return SVMC_REG_RV_PC;
    case SVMC_ISA_S390X:
        return SVMC_REG_S390_IA;
    default:
        return SVMC_REG_RIP;
    }
}

/* AN-3: everything that can fail stands here. */
CORE_SMALL static bool begin(struct ending *e, const struct svmc_trap *trap,
                             const struct svmc_host_ops *ops, void *ctx, struct svmc_fault *fault)
{
    *e = (struct ending){ trap, ops, ctx, 0 };
    if (fault)
        memset(fault, 0, sizeof *fault);
    if (!trap || !fault || !ops || !CORE_HAS_OP(ops, reg_read) || !CORE_HAS_OP(ops, reg_write))
        return false;
    return has_no_way_back(trap) || ops->reg_read(ctx, pc_of(trap), &e->pc) == SVMC_OK;
}

static void put(const struct ending *e, enum svmc_reg reg, uint64_t value)
{
    if (reg != SVMC_REG_NONE)
        e->ops->reg_write(e->ctx, reg, value);
}

/* AN-3, AN-4 */
CORE_SMALL static void move_pc(const struct ending *e, bool over)
{
    const uint32_t narrow = 1u << SVMC_ISA_X86_16 | 1u << SVMC_ISA_X86_32 | 1u << SVMC_ISA_A32 |
                            1u << SVMC_ISA_T32 | 1u << SVMC_ISA_RV32;
    uint64_t pc = over ? e->pc + e->trap->insn_bytes : e->pc - e->trap->back;

    if (over ? e->trap->insn_bytes != 0 : e->trap->back != 0)
        put(e, pc_of(e->trap), narrow >> (e->trap->isa & 31) & 1 ? (uint32_t)pc : pc);
}

CORE_SMALL enum svmc_status svmc_answer_vmware_call(const struct svmc_trap *trap, uint32_t vcpu,
                                                    struct svmc_vmware_call *call)
{
    if (!call)
        return SVMC_ERR_ARG;
    memset(call, 0, sizeof *call);
    if (!trap || trap->verdict != SVMC_TRAP_CALL || trap->abi != SVMC_TRAP_VMWARE)
        return SVMC_ERR_ARG;
    call->isa = trap->isa;
    call->user = trap->user;
    call->high = trap->high;
    call->write = trap->write;
    call->way = trap->way;
    call->vcpu = vcpu;
    memcpy(call->arg, trap->arg, sizeof call->arg);
    return SVMC_OK;
}

/* AN-2; AN-5: of a call that is not over how far it came. */
CORE_SMALL static void put_arguments(const struct ending *e, bool over,
                                     const struct svmc_vmware_call *call,
                                     const struct svmc_vmware_result *result)
{
    unsigned n = 0;

    if (over && e->trap->way <= SVMC_TRAP_WAY_GP && e->trap->io.in && !e->trap->io.string)
        put(e, svmc_trap_reg(e->trap, n++), (uint32_t)call->arg[SVMC_IOX_DATA]);
    for (; n < SVMC_IOX_ARGS; n++)
        if (result->changed >> n & 1)
            put(e, svmc_trap_reg(e->trap, n), call->arg[n]);
}

CORE_SMALL enum svmc_answer svmc_answer_vmware(const struct svmc_trap *trap,
                                               const struct svmc_host_ops *ops, void *ctx,
                                               enum svmc_status status,
                                               const struct svmc_vmware_call *call,
                                               const struct svmc_vmware_result *result,
                                               struct svmc_fault *fault)
{
    bool over = result && result->end == SVMC_VMWARE_DONE && status == SVMC_OK;
    struct ending e;

    if (!begin(&e, trap, ops, ctx, fault) || !call || !result)
        return SVMC_ANSWER_STOP;
    if (status == SVMC_OK && result->end == SVMC_VMWARE_NOT_OURS)
        return SVMC_ANSWER_OTHERS;
    if (status == SVMC_OK && result->end == SVMC_VMWARE_FAULT)
        *fault = result->fault;
    if (!over && has_no_way_back(trap))
        return status == SVMC_OK ? SVMC_ANSWER_AGAIN : SVMC_ANSWER_STOP;
    put_arguments(&e, over, call, result);
    move_pc(&e, over);
    if (status != SVMC_OK)
        return SVMC_ANSWER_STOP;
    return fault->raised ? SVMC_ANSWER_INJECT : SVMC_ANSWER_RESUME;
}

/* AN-6 */
CORE_SMALL enum svmc_status svmc_answer_native_call(const struct svmc_trap *trap,
                                                    const struct svmc_host_ops *ops, void *ctx,
                                                    struct svmc_hcall_call *call)
{
    enum svmc_status st;
    enum svmc_isa isa;
    unsigned n = 0;

    if (!call)
        return SVMC_ERR_ARG;
    memset(call, 0, sizeof *call);
    if (!trap || trap->verdict != SVMC_TRAP_CALL || trap->abi != SVMC_TRAP_NATIVE || !ops ||
        !CORE_HAS_OP(ops, reg_read))
        return SVMC_ERR_ARG;
    isa = (enum svmc_isa)trap->isa;
    call->user = trap->user;
    st = ops->reg_read(ctx, svmc_hcall_reg(isa, SVMC_HCALL_REG_CONTROL), &call->control);
    for (n = 0; st == SVMC_OK && n < SVMC_HCALL_REGS; n++)
        st = ops->reg_read(ctx, svmc_hcall_reg(isa, SVMC_HCALL_REG_ARG + n), &call->arg[n]);
    for (n = 0; st == SVMC_OK && call->control & SVMC_HCALL_TOKEN && n < SVMC_HCALL_TOKEN_REGS; n++)
        st = ops->reg_read(ctx, svmc_hcall_reg(isa, SVMC_HCALL_REG_TOKEN + n), &call->token[n]);
    if (st == SVMC_OK)
        st = ops->reg_read(ctx, pc_of(trap), &call->ip);
    if (st != SVMC_OK) {
        memset(call, 0, sizeof *call);
        return SVMC_ERR_CALLBACK;
    }
    call->ip -= trap->back;
    return SVMC_OK;
}

/* AN-7 */
CORE_SMALL enum svmc_answer svmc_answer_native(const struct svmc_trap *trap,
                                               const struct svmc_host_ops *ops, void *ctx,
                                               enum svmc_status status,
                                               const struct svmc_hcall_call *call,
                                               const struct svmc_hcall_result *result,
                                               struct svmc_fault *fault)
{
    uint64_t word;
    struct ending e;

    if (!begin(&e, trap, ops, ctx, fault) || !call || !result || status != SVMC_OK)
        return SVMC_ANSWER_STOP;
    word = result->status;
    if (result->end == SVMC_HCALL_INJECT && !has_no_way_back(trap)) {
        *fault = result->fault;
        move_pc(&e, false);
        return SVMC_ANSWER_INJECT;
    }
    if (result->end == SVMC_HCALL_INJECT)
        word = SVMC_HCALL_DENIED; /* AN-4 */
    else if (result->end != SVMC_HCALL_DONE)
        return SVMC_ANSWER_STOP;
    put(&e, svmc_hcall_reg((enum svmc_isa)trap->isa, SVMC_HCALL_REG_STATUS), word);
    for (unsigned n = 0; n < SVMC_HCALL_REGS && n < result->results; n++)
        put(&e, svmc_hcall_reg((enum svmc_isa)trap->isa, SVMC_HCALL_REG_RESULT + n), call->arg[n]);
    move_pc(&e, true);
    return SVMC_ANSWER_RESUME;
}

/* AN-8 */
CORE_SMALL enum svmc_answer svmc_answer_guest(const struct svmc_trap *trap,
                                              const struct svmc_host_ops *ops, void *ctx,
                                              struct svmc_fault *fault)
{
    struct ending e;

    if (!begin(&e, trap, ops, ctx, fault))
        return SVMC_ANSWER_STOP;
    if (trap->verdict == SVMC_TRAP_FORWARD) {
        *fault = trap->fault;
        move_pc(&e, false);
        return SVMC_ANSWER_INJECT;
    }
    if (trap->verdict != SVMC_TRAP_EMULATE_READ)
        return SVMC_ANSWER_OTHERS;
    put(&e, (enum svmc_reg)trap->dest, trap->value);
    move_pc(&e, true);
    return SVMC_ANSWER_RESUME;
}
