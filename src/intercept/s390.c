/* SPDX-License-Identifier: MIT */
/** What the kinds of s390x need beside what all kinds do: EX-63. */
#include "../core/clamp.h"
#include "intercept_private.h"

#define PREFIX_BITS UINT64_C(0x7fffe000) /* PoP 3, prefixing: 31 bits, 8 KiB */

CORE_COLD bool svmc_intercept_s390_sound(const struct exit_rule *rule, const struct svmc_exit *exit)
{
    for (uint32_t i = 0; i < rule->in_count && i < SLOTS_IN; i++) {
        const struct slot *s = &rule->in[i];

        if (s->place == PLACE_ARG &&
            !is_register(reg_file(exit), exit->arg[core_clamp(s->reg, SVMC_EXIT_ARGS)]))
            return false;
    }
    if (is_block(rule) && !(exit->finish & SVMC_FINISH_REGS))
        return false;
    return rule->kind != SVMC_KIND_SPX || (exit->value & ~PREFIX_BITS) == 0;
}

/*
 * What the host does not see it cannot judge, so specification exceptions are found here. EX-63:
 * R1 of DIAGNOSE 288 is even. EX-68: a block begins at a word.
 */
enum svmc_verdict svmc_intercept_s390_judge(const struct exit_rule *rule,
                                            const struct svmc_exit *exit)
{
    bool odd = ((exit->arg[0] - (unsigned)SVMC_REG_S390_R0) & 1u) != 0;

    if ((rule->kind == SVMC_KIND_DIAG_288 && odd) || (is_block(rule) && (exit->buffer.v & 3) != 0))
        return SVMC_VERDICT_FAULT;
    return (enum svmc_verdict)rule->verdict;
}
