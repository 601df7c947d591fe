/* SPDX-License-Identifier: MIT */
/* AArch64: from PC to an instruction. EA-2: docs/spec/exec_a64.md. */
#include "a64_private.h"

#define FETCH_KEPT (ISS_FNV | ISS_EA | ISS_CODE)

/* The word at PC; it never crosses a page. */
static const uint8_t *a64_read_word(struct exec_run *r, const struct svmc_exec_a64 *regs,
                                    struct exec_span *span)
{
    const struct svmc_fault *fault = &r->out->fault;

    if (regs->pc & 3) {
        svmc_exec_a64_fault(r, EC_PC, 0, regs->pc);
        return NULL;
    }
    if (exec_reach(r, regs->pc, 4, SVMC_ACCESS_READ | SVMC_EXEC_EXECUTE, span))
        return svmc_exec_read(r, span);
    if (r->out->action != SVMC_EXEC_FAULT)
        return NULL;
    if ((fault->vector | 1u) == EC_FETCH + 1 && fault->has_error)
        svmc_exec_a64_abort(r, regs, EC_FETCH, fault->error & FETCH_KEPT, fault->address);
    else
        exec_fail(r, SVMC_EXEC_TRANSLATE, SVMC_OK); /* XE-23 */
    return NULL;
}

static bool a64_fetch(struct exec_run *r, const struct svmc_exec_a64 *regs, struct svmc_insn *insn)
{
    const struct svmc_cpu cpu = { .isa = SVMC_ISA_A64 };
    struct exec_span span = { .bytes = 0 };
    const uint8_t *word = a64_read_word(r, regs, &span);
    enum svmc_status st;

    if (word == NULL) {
        if (r->status == SVMC_ERR_CALLBACK && r->refused) {
            svmc_exec_a64_external(r, regs, EC_FETCH, &span, regs->pc);
            r->out->fault.error = CODE_EXTERNAL;
        }
        return false;
    }
    st = svmc_insn_decode(&cpu, word, 4, insn);
    if (st == SVMC_ERR_UNDEFINED)
        return svmc_exec_a64_fault(r, EC_UNKNOWN, 0, 0);
    if (st == SVMC_ERR_UNSUPPORTED)
        return exec_stop(r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_UNKNOWN);
    r->status = st;
    return st == SVMC_OK;
}

EXEC_FN enum svmc_status svmc_exec_a64_fetch(struct svmc_exec *x, const struct svmc_exec_a64 *regs,
                                             struct svmc_insn *insn, struct svmc_exec_result *out)
{
    struct exec_run r = { .x = x, .out = out, .linear_mask = ~(uint64_t)0 };

    if (out == NULL || insn == NULL)
        return SVMC_ERR_ARG;
    *out = (struct svmc_exec_result){ 0 };
    memset(insn, 0, sizeof *insn);
    if (x == NULL || regs == NULL || (regs->pstate & PSTATE_A32) || a64_el(regs) == 3)
        return SVMC_ERR_ARG;
    if (!svmc_exec_may_fetch(x))
        return SVMC_ERR_STATE;
    exec_go_on(x);
    r.user = a64_el(regs) == 0 ? SVMC_EXEC_USER : 0;
    return svmc_exec_fetched(&r, a64_fetch(&r, regs, insn), insn);
}
