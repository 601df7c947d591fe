/* SPDX-License-Identifier: MIT */
/*
 * svmc_insn_format. Nothing else in the library calls what is in this folder: who does not link it
 * has neither its code nor the tables of names. Rules FO-n: docs/spec/format.md.
 */
#include "../isa.h"
#include "format.h"

void svmc_text_char(struct text *t, char c)
{
    if (t->at < t->cap)
        t->to[t->at] = c;
    t->at++;
}

void svmc_text_put(struct text *t, const char *s)
{
    while (*s != 0)
        svmc_text_char(t, *s++);
}

void svmc_text_slice(struct text *t, const char *s, size_t count)
{
    for (size_t i = 0; i < count; i++)
        svmc_text_char(t, s[i]);
}

void svmc_text_hex(struct text *t, uint64_t v)
{
    unsigned shift = 60;

    svmc_text_put(t, "0x");
    while (shift > 0 && v >> shift == 0)
        shift -= 4;
    for (;; shift -= 4) {
        unsigned digit = (unsigned)(v >> shift) & 15u;

        svmc_text_char(t, (char)(digit < 10 ? '0' + digit : 'a' + (digit - 10)));
        if (shift == 0)
            return;
    }
}

void svmc_text_decimal(struct text *t, uint64_t v)
{
    uint64_t unit = 1;

    while (v / unit >= 10)
        unit *= 10;
    for (; unit > 0; unit /= 10)
        svmc_text_char(t, (char)('0' + v / unit % 10));
}

static enum svmc_status write_text(const struct svmc_insn *insn, struct text *t)
{
    bool known;

    if (insn->length == 0 || insn->length > SVMC_INSN_MAX)
        return SVMC_ERR_ARG;
    if (decode_isa_is_x86(insn->isa))
        known = svmc_format_x86(insn, t);
    else if (insn->isa == SVMC_ISA_A64)
        known = svmc_format_a64(insn, t);
    else if (insn->isa >= SVMC_ISA_RV32 && insn->isa <= SVMC_ISA_S390X) /* FO-1 */
        return SVMC_ERR_UNSUPPORTED;
    else
        return SVMC_ERR_ARG;
    if (!known)
        return SVMC_ERR_ARG;
    svmc_text_char(t, 0);
    return t->at <= t->cap ? SVMC_OK : SVMC_ERR_FULL; /* FO-3 */
}

enum svmc_status svmc_insn_format(const struct svmc_insn *insn, char *text, size_t cap)
{
    struct text t = { text, cap, 0 };
    enum svmc_status st = SVMC_ERR_ARG;

    if (text == NULL)
        return SVMC_ERR_ARG;
    if (cap > 0)
        text[0] = 0;
    if (insn != NULL)
        st = write_text(insn, &t);
    if (st != SVMC_OK && cap > 0)
        text[0] = 0;
    return st;
}
