/* SPDX-License-Identifier: MIT */
/**
 * What binutils prints about one instruction, for the programs that compare texts. It prints piece
 * by piece, so that who needs the mnemonic alone, or finds that it is none, leaves then.
 */
#ifndef DECODE_BINUTILS_TEXT_H
#define DECODE_BINUTILS_TEXT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKAGE         "svmcore" /* bfd.h wants to be used by a package */
#define PACKAGE_VERSION "0"
#include <dis-asm.h>

struct binutils_text {
    char text[256];
    size_t used;
    bool mnemonic_only;
    jmp_buf leave;
};

static inline void binutils_put(struct binutils_text *t, const char *s, size_t n)
{
    if (n >= sizeof t->text - t->used)
        abort();
    memcpy(t->text + t->used, s, n);
    t->used += n;
    t->text[t->used] = 0;
}

static inline void binutils_put_number(struct binutils_text *t, uint64_t n, unsigned base)
{
    char digits[24];
    size_t at = sizeof digits;

    do
        digits[--at] = "0123456789abcdef"[n % base];
    while ((n /= base) != 0);
    binutils_put(t, digits + at, sizeof digits - at);
}

/* Only %s %c %u %d %x %llx %%: nearly all, and vsnprintf costs more than the rest of a case. */
static inline bool binutils_is_plain(const char *format)
{
    while ((format = strchr(format, '%')) != NULL) {
        if (strncmp(++format, "llx", 3) != 0 && (*format == 0 || !strchr("scudx%", *format)))
            return false;
        format++;
    }
    return true;
}

static inline void binutils_put_plain(struct binutils_text *t, const char *format, va_list args)
{
    for (; *format; format++) {
        char c = *format;
        const char *s = &c;
        int n;

        if (*format == '%' && *++format == 's') {
            s = va_arg(args, const char *);
            binutils_put(t, s, strlen(s));
        } else if (c == '%' && *format == 'd') {
            n = va_arg(args, int);
            binutils_put(t, "-", n < 0);
            binutils_put_number(t, (uint64_t)(n < 0 ? -(int64_t)n : n), 10);
        } else if (c == '%' && (*format == 'u' || *format == 'x')) {
            binutils_put_number(t, va_arg(args, unsigned), *format == 'u' ? 10 : 16);
        } else if (c == '%' && *format == 'l') {
            binutils_put_number(t, va_arg(args, unsigned long long), 16);
            format += 2;
        } else {
            if (c == '%' && *format == 'c')
                c = (char)va_arg(args, int);
            binutils_put(t, s, 1);
        }
    }
}

static inline void binutils_append(struct binutils_text *t, const char *format, va_list args)
{
    int n;

    if (format[0] == '.') { /* .inst, .long, .4byte: it knows no instruction */
        t->text[0] = 0;
        longjmp(t->leave, 1);
    }
    if (binutils_is_plain(format)) {
        binutils_put_plain(t, format, args);
        return;
    }
    n = vsnprintf(t->text + t->used, sizeof t->text - t->used, format, args);
    if (n < 0 || (size_t)n >= sizeof t->text - t->used)
        abort();
    t->used += (size_t)n;
}

static inline int binutils_print(void *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    binutils_append(text, format, args);
    va_end(args);
    return 0;
}

static inline int binutils_print_styled(void *text, enum disassembler_style style,
                                        const char *format, ...)
{
    struct binutils_text *t = text;
    va_list args;

    (void)style;
    va_start(args, format);
    binutils_append(t, format, args);
    va_end(args);
    if (t->mnemonic_only)
        longjmp(t->leave, 1);
    return 0;
}

static inline void binutils_init(struct binutils_text *t, struct disassemble_info *info)
{
    init_disassemble_info(info, t, binutils_print, binutils_print_styled);
}

/**
 * The text of what stands at `at`; "" if it is no instruction. The bytes it has, or 0 where the
 * text or the mnemonic was enough to leave.
 */
static inline int binutils_read(struct binutils_text *t, disassembler_ftype print, bfd_vma at,
                                struct disassemble_info *info, bool mnemonic_only)
{
    t->used = 0;
    t->text[0] = 0;
    t->mnemonic_only = mnemonic_only;
    return setjmp(t->leave) == 0 ? print(at, info) : 0;
}

#endif
