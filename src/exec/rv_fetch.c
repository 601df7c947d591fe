/* SPDX-License-Identifier: MIT */
/* RISC-V: from pc to an instruction. ER-2: docs/spec/exec_rv.md. */
#include <svmcore/exec_rv.h>
#include "exec_private.h"

#define RV_INSN_MAX 4u

/* Where bytes come from: `there` of them have been copied. */
struct rv_source {
    struct exec_run r;
    uint64_t pc;
    uint8_t there;
    uint8_t bytes[SVMC_INSN_MAX];
};

/* The bits that stval shows: vol. II, stval of an illegal instruction. */
static bool rv_refuse_bytes(struct rv_source *s)
{
    uint32_t bits = core_load_le32(s->bytes);

    svmc_exec_fault(&s->r, SVMC_RV_ILLEGAL, false, 0);
    s->r.out->resume_flag = 0;
    s->r.out->fault.address = (bits & 3) == 3 ? bits : bits & 0xffff;
    return false;
}

/* The second page is asked for only if the first does not do. */
static bool rv_fetch(struct rv_source *s, const struct svmc_cpu *cpu, struct svmc_insn *insn)
{
    enum svmc_status st = SVMC_ERR_TRUNCATED;

    for (unsigned page = 0; page < 2 && st == SVMC_ERR_TRUNCATED; page++) {
        if (!svmc_exec_fetch_more(&s->r, s->pc, RV_INSN_MAX, s->bytes, &s->there))
            return false;
        st = svmc_insn_decode(cpu, s->bytes, s->there, insn);
    }
    if (st == SVMC_ERR_UNDEFINED)
        return rv_refuse_bytes(s);
    if (st == SVMC_ERR_UNSUPPORTED)
        return exec_stop(&s->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_UNKNOWN);
    s->r.status = st;
    return st == SVMC_OK;
}

EXEC_FN enum svmc_status svmc_exec_rv_fetch(struct svmc_exec *x, const struct svmc_cpu *cpu,
                                            const struct svmc_exec_rv *regs, struct svmc_insn *insn,
                                            struct svmc_exec_result *out)
{
    struct rv_source s = { .there = 0 };

    if (out == NULL || insn == NULL)
        return SVMC_ERR_ARG;
    *out = (struct svmc_exec_result){ 0 };
    memset(insn, 0, sizeof *insn);
    if (x == NULL || cpu == NULL || regs == NULL || (regs->pc & 1) != 0 || regs->mode > 1 ||
        (cpu->isa != SVMC_ISA_RV32 && cpu->isa != SVMC_ISA_RV64))
        return SVMC_ERR_ARG;
    if (!svmc_exec_may_fetch(x))
        return SVMC_ERR_STATE;
    exec_go_on(x);
    s.r = (struct exec_run){ .x = x,
                             .out = out,
                             .linear_mask = core_mask(cpu->isa == SVMC_ISA_RV64 ? 8 : 4),
                             .user = regs->mode == 0 ? SVMC_EXEC_USER : 0 };
    s.pc = regs->pc & s.r.linear_mask;
    return svmc_exec_fetched(&s.r, rv_fetch(&s, cpu, insn), insn);
}
