/* SPDX-License-Identifier: MIT */
/** What the kinds of s390x need beside what all kinds do: EX-63. */
#include "../core/clamp.h"
#include "intercept_private.h"

#define PREFIX_BITS UINT64_C(0x7fffe000) /* PoP 3, prefixing: 31 bits, 8 KiB */

bool svmc_intercept_s390_sound(const struct exit_rule *rule, const struct svmc_exit *exit)
{
    if (exit->isa != SVMC_ISA_S390X)
        return false;
    for (uint32_t i = 0; i < rule->in_count && i < SLOTS_IN; i++) {
        const struct slot *s = &rule->in[i];

        if (s->place == PLACE_ARG &&
            !svmc_intercept_is_register(exit->isa, exit->arg[core_clamp(s->reg, SVMC_EXIT_ARGS)]))
            return false;
    }
    return rule->kind != SVMC_KIND_SPX || (exit->value & ~PREFIX_BITS) == 0;
}
