/* SPDX-License-Identifier: MIT */
/* x86: from CS:RIP to an instruction. XE-4, XE-5: docs/spec/exec.md. */
#include "x86_private.h"

/* Where bytes come from: `there` of them have been copied. */
struct source {
    struct exec_run r;
    const struct svmc_exec_x86 *regs;
    uint64_t linear;
    bool wide;
    uint8_t there;
    uint8_t allowed; /* by the limit of CS */
    uint8_t bytes[SVMC_INSN_MAX];
};

static bool refuse_fetch(struct source *s, unsigned vector)
{
    return svmc_exec_fault(&s->r, vector, vector == VECTOR_GP, 0);
}

/* The address of the first byte, and how many more the segment has. */
static bool find_code(struct source *s)
{
    const struct svmc_exec_segment *cs = &s->regs->segment[SVMC_SEG_CS];
    uint64_t rip = s->regs->rip;

    s->allowed = SVMC_INSN_MAX;
    s->linear = rip;
    if (s->wide)
        return true;
    if (rip > cs->limit)
        return refuse_fetch(s, VECTOR_GP);
    if (cs->limit - rip < SVMC_INSN_MAX - 1)
        s->allowed = (uint8_t)(cs->limit - rip + 1);
    s->linear = (cs->base + rip) & s->r.linear_mask;
    return true;
}

/* What one more page has. */
static bool more(struct source *s)
{
    uint64_t at = (s->linear + s->there) & s->r.linear_mask;

    if (s->wide && (uint64_t)core_sign_extend(at, s->regs->address_bits) != at)
        return refuse_fetch(s, VECTOR_GP);
    return svmc_exec_fetch_more(&s->r, s->linear, s->allowed, s->bytes, &s->there);
}

/* *st: of the last decode; the second page is asked for only if the first does not do. */
static bool fetch(struct source *s, const struct svmc_cpu *cpu, struct svmc_insn *insn,
                  enum svmc_status *st)
{
    if (!find_code(s))
        return false;
    for (unsigned page = 0; page < 2; page++) {
        if (!more(s))
            return false;
        *st = svmc_insn_decode(cpu, s->bytes, s->there, insn);
        if (*st != SVMC_ERR_TRUNCATED)
            break;
        if (s->there == s->allowed)
            return refuse_fetch(s, VECTOR_GP); /* it goes on behind the limit */
    }
    if (*st == SVMC_ERR_UNDEFINED)
        return refuse_fetch(s, VECTOR_UD);
    if (*st == SVMC_ERR_TOO_LONG || *st == SVMC_ERR_TRUNCATED)
        return refuse_fetch(s, VECTOR_GP);
    if (*st == SVMC_ERR_UNSUPPORTED)
        return exec_stop(&s->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_UNKNOWN);
    s->r.status = *st;
    return *st == SVMC_OK;
}

static bool can_fetch(const struct svmc_cpu *cpu, const struct svmc_exec_x86 *regs)
{
    if ((unsigned)cpu->isa - SVMC_ISA_X86_16 > 2u || regs->cpl > 3)
        return false;
    if (cpu->isa != SVMC_ISA_X86_64)
        return regs->address_bits == 0;
    return regs->address_bits == 48 || regs->address_bits == 57;
}

EXEC_FN enum svmc_status svmc_exec_x86_fetch(struct svmc_exec *x, const struct svmc_cpu *cpu,
                                             const struct svmc_exec_x86 *regs,
                                             struct svmc_insn *insn, struct svmc_exec_result *out)
{
    struct source s = { .regs = regs };
    enum svmc_status st = SVMC_OK;

    if (out == NULL || insn == NULL)
        return SVMC_ERR_ARG;
    *out = (struct svmc_exec_result){ 0 };
    memset(insn, 0, sizeof *insn);
    if (x == NULL || cpu == NULL || regs == NULL || !can_fetch(cpu, regs))
        return SVMC_ERR_ARG;
    if (!svmc_exec_may_fetch(x))
        return SVMC_ERR_STATE;
    exec_go_on(x);
    s.wide = cpu->isa == SVMC_ISA_X86_64;
    s.r = (struct exec_run){ .x = x,
                             .out = out,
                             .linear_mask = s.wide ? ~(uint64_t)0 : core_mask(4),
                             .user = regs->cpl == 3 ? SVMC_EXEC_USER : 0,
                             .x86 = true };
    return svmc_exec_fetched(&s.r, fetch(&s, cpu, insn, &st), insn);
}
