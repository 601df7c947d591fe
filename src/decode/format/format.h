/* SPDX-License-Identifier: MIT */
/** Inside src/decode/format: text that is being written. Rules FO-n: docs/spec/format.md. */
#ifndef FORMAT_FORMAT_H
#define FORMAT_FORMAT_H
#include <stdbool.h>
#include <svmcore/insn.h>

/** Never grows past cap; `at` keeps counting, so that the end shows whether it fitted. */
struct text {
    char *to;
    size_t cap, at;
};

void svmc_text_char(struct text *t, char c);
void svmc_text_put(struct text *t, const char *s);
void svmc_text_slice(struct text *t, const char *s, size_t count);
void svmc_text_hex(struct text *t, uint64_t v);     /* 0x1f */
void svmc_text_decimal(struct text *t, uint64_t v); /* 31 */

/** The text of an instruction without its NUL. False: no decode made this (FO-2). */
bool svmc_format_x86(const struct svmc_insn *insn, struct text *t);
bool svmc_format_a64(const struct svmc_insn *insn, struct text *t);

#endif
