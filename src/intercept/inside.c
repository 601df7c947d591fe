/* SPDX-License-Identifier: MIT */
/** INTERPRET: the embedder does it, the library writes the general registers. EX-58, EX-59. */
#include "../core/bytes.h"
#include "../core/clamp.h"
#include "intercept_private.h"

/* The results of a row, out of what was read. */
static void spread(const struct svmc_pending *p, const struct exit_rule *rule, uint64_t value,
                   uint64_t out[SLOTS_OUT])
{
    for (uint32_t i = 0; i < SLOTS_OUT; i++) {
        uint32_t bytes = i < p->out_count ? slot_bytes(&rule->out[i], &p->exit) : 8;

        out[i] = value & core_mask(bytes);
        value = bytes < 8 ? value >> 8 * bytes : 0;
    }
}

/* Ask; *refused: the guest gets out->fault. */
static enum svmc_status ask(struct svmc_vcpu *vc, const struct exit_rule *rule, uint64_t *value,
                            struct svmc_outcome *out)
{
    const struct svmc_exit *exit = &vc->priv.pending.exit;
    uint32_t fault = SVMC_FAULT_NONE;

    if (!CORE_HAS_OP(vc->priv.ops, interpret))
        fault = rule->refusal;
    else if (vc->priv.ops->interpret(vc->priv.ctx, rule->kind, exit->address, value, &fault) !=
             SVMC_OK)
        return SVMC_ERR_CALLBACK;
    if (fault > SVMC_FAULT_UD)
        return SVMC_ERR_CALLBACK;
    out->fault = svmc_intercept_fault((enum svmc_fault_code)fault, exit);
    out->action = fault == SVMC_FAULT_NONE ? SVMC_ACT_RESUME : SVMC_ACT_INJECT;
    return SVMC_OK;
}

/*
 * EX-59: what can fail stands before it, for what is written is the embedder's at once. EX-40: what
 * was read of a CSR that is written goes to a register of 4 or 8 bytes.
 */
static enum svmc_status write(struct svmc_vcpu *vc, const struct exit_rule *rule,
                              struct svmc_outcome *out)
{
    const struct svmc_exit *exit = &vc->priv.pending.exit;
    uint64_t value = exit->value, pc = 0;
    bool moves = (exit->finish & SVMC_FINISH_RIP) != 0;
    uint32_t reg = reg_file(exit)->pc;
    enum svmc_status st;

    if (moves && vc->priv.ops->reg_read(vc->priv.ctx, reg, &pc) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    st = ask(vc, rule, &value, out);
    if (st != SVMC_OK || out->fault.raised)
        return st;
    if (rule->timed) { /* R13: a register is set, which asks for no time */
        svmc_intercept_time_ask(vc);
        svmc_intercept_time_note(vc, 0);
    }
    if (rule->out_count != 0 && exit->dest_reg != reg_file(exit)->zero)
        vc->priv.ops->reg_write(vc->priv.ctx, exit->dest_reg,
                                value & core_mask(exit->size) & core_mask(exit->dest_bytes));
    if (moves)
        vc->priv.ops->reg_write(vc->priv.ctx, reg,
                                (pc + exit->insn_bytes) & core_mask(is_legacy(exit) ? 4 : 8));
    return st;
}

CORE_COLD enum svmc_status svmc_intercept_interpret(struct svmc_vcpu *vc,
                                                    const struct exit_rule *rule,
                                                    struct svmc_outcome *out)
{
    const struct svmc_exit *exit = &vc->priv.pending.exit;
    uint64_t value = rule->in_count != 0 ? exit->value : 0, values[SLOTS_OUT];
    uint32_t done = vc->priv.pending.issued;
    enum svmc_status st;

    if (rule->out_count == 0 || (rule->in_count != 0 && (exit->finish & SVMC_FINISH_REGS)))
        return write(vc, rule, out);
    st = ask(vc, rule, &value, out);
    if (st != SVMC_OK || out->fault.raised)
        return st;
    spread(&vc->priv.pending, rule, value, values);
    return svmc_intercept_commit(vc, rule, values, &done, out);
}
