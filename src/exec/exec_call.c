/* SPDX-License-Identifier: MIT */
/* How a call begins and ends, of every processor, and its code. Rules: docs/spec/exec.md. */
#include "exec_private.h"

EXEC_FN bool svmc_exec_may_fetch(const struct svmc_exec *x)
{
    if (x->priv.state == EXEC_IDLE)
        return true;
    return x->priv.fetch && (x->priv.state == EXEC_ANSWERED || x->wait.kind == SVMC_EXEC_TRANSLATE);
}

EXEC_FN bool svmc_exec_may_resume(const struct svmc_exec *x)
{
    if (x->priv.state == EXEC_IDLE || x->priv.fetch)
        return false;
    return x->priv.state == EXEC_ANSWERED || x->wait.kind == SVMC_EXEC_TRANSLATE ||
           x->wait.kind == SVMC_EXEC_PAUSE;
}

EXEC_FN bool svmc_exec_fetch_more(struct exec_run *r, uint64_t linear, unsigned most,
                                  uint8_t bytes[SVMC_INSN_MAX], uint8_t *there)
{
    uint64_t at = (linear + *there) & r->linear_mask;
    unsigned n = most - *there, page = EXEC_PAGE - (unsigned)(at & (EXEC_PAGE - 1));
    struct exec_span span;
    const uint8_t *data;

    if (n > page)
        n = page;
    if (!exec_reach(r, at, n, SVMC_ACCESS_READ | SVMC_EXEC_EXECUTE, &span))
        return false;
    data = svmc_exec_read(r, &span);
    if (data == NULL)
        return false;
    memcpy(bytes + *there, data, n <= SVMC_INSN_MAX ? n : 0);
    *there = (uint8_t)(*there + n);
    return true;
}

EXEC_FN CORE_COLD enum svmc_status svmc_exec_stopped(struct exec_run *r,
                                                     const struct svmc_insn *insn)
{
    struct svmc_exec *x = r->x;
    struct svmc_exec_result *out = r->out;

    if (r->status != SVMC_ERR_CALLBACK) { /* memory that said no: EA-6 */
        out->callback = 0;
        out->callback_status = 0;
    }
    if (r->status != SVMC_OK)
        *out = (struct svmc_exec_result){ .accesses = out->accesses,
                                          .iterations = out->iterations,
                                          .callback = out->callback,
                                          .callback_status = out->callback_status };
    if (out->action != SVMC_EXEC_PENDING) {
        svmc_exec_drop(x);
        return r->status;
    }
    if (insn != &x->priv.insn)
        x->priv.insn = *insn;
    x->priv.state = EXEC_WAITS;
    return SVMC_OK;
}

EXEC_FN enum svmc_status svmc_exec_fetched(struct exec_run *r, bool there, struct svmc_insn *insn)
{
    enum svmc_status st;

    if (there) {
        svmc_exec_drop(r->x);
        return SVMC_OK;
    }
    memset(insn, 0, sizeof *insn); /* CVE-2022-1852: nothing of an earlier one is left */
    st = svmc_exec_stopped(r, insn);
    r->x->priv.fetch = r->x->priv.state == EXEC_WAITS;
    return st;
}
