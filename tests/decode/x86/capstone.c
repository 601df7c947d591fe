/* SPDX-License-Identifier: MIT */
/*
 * Capstone 4.0 as a further voice: acceptance and length. It is heard, it decides nothing: its
 * tables are those of an LLVM of years ago, so it is no second witness beside LLVM, and it is
 * known to refuse RDPKRU, WRPKRU, TPAUSE and EVEX moves with SIB (the project's notes on decoders,
 * section 5: 5 of 1,281 forms that exits were seen for).
 */
#include <string.h>
#include <capstone/capstone.h>
#include "check.h"

static csh handles[3];
static cs_insn *insn;

bool capstone_start(void)
{
    static const cs_mode modes[3] = { CS_MODE_16, CS_MODE_32, CS_MODE_64 };

    for (unsigned m = 0; m < 3; m++)
        if (cs_open(CS_ARCH_X86, modes[m], &handles[m]) != CS_ERR_OK)
            return false;
    insn = cs_malloc(handles[0]); /* without detail: one fits all modes */
    return insn != NULL;
}

void capstone_ask(const struct shape *s, struct verdict *v)
{
    const uint8_t *at = s->bytes;
    uint64_t address = 0;
    size_t left = CASE_BYTES;

    v->accepted = cs_disasm_iter(handles[s->mode / 32], &at, &left, &address, insn) &&
                  insn->size < CASE_BYTES && insn->id != X86_INS_UD0 && insn->id != X86_INS_UD2 &&
                  insn->id != X86_INS_UD2B; /* #UD is what they are for */
    v->known = 0;
    v->count = 0;
    v->length = v->accepted ? (uint8_t)insn->size : 0;
    v->text = v->accepted ? insn->mnemonic : "";
}

static bool says(const struct verdict *a, const struct verdict *b)
{
    return a->accepted == b->accepted && (!a->accepted || a->length == b->length);
}

static bool is_known(const struct shape *s)
{
    bool sib = s->modrm < 0xc0 && shape_rm(s) == 4;

    if (s->encoding == EVEX)
        return s->map == 1 && sib;
    return s->encoding == LEGACY && s->map == 2 &&
           ((s->opcode == 0x01 && (s->modrm | 1) == 0xef) ||
            (s->opcode == 0xae && s->modrm >= 0xf0 && s->modrm <= 0xf7));
}

void capstone_count(const struct shape *s, const struct verdict *us, const struct verdict *zydis,
                    const struct verdict *llvm, struct capstone_totals *t)
{
    struct verdict v;

    capstone_ask(s, &v);
    t->asked++;
    t->locked += s->lock;
    if (says(&v, us)) {
        t->agree++;
        t->lock_agree += s->lock;
        return;
    }
    if (says(&v, zydis) || says(&v, llvm)) {
        t->with_another++;
        return;
    }
    t->known += is_known(s);
    *(v.accepted == us->accepted ? &t->length : v.accepted ? &t->accepts : &t->refuses) += 1;
}

void capstone_print(const struct capstone_totals *t)
{
    printf("Capstone, asked of one case in %u: %" PRIu64 " agree of %" PRIu64 " (with LOCK %" PRIu64
           " of %" PRIu64 "), %" PRIu64 " differ as LLVM or Zydis does, alone it accepts %" PRIu64
           ", refuses %" PRIu64 ", has another length %" PRIu64 "; %" PRIu64
           " of those are RDPKRU, WRPKRU, TPAUSE, EVEX with SIB: known, none is a failure\n",
           CAPSTONE_OF, t->agree, t->asked, t->lock_agree, t->locked, t->with_another, t->accepts,
           t->refuses, t->length, t->known);
}
