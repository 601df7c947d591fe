/* SPDX-License-Identifier: MIT */
/* libopcodes of binutils: acceptance and length, the third vote. */
#define PACKAGE 1 /* bfd.h wants it */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <bfd.h>
#include <dis-asm.h>
#include "verdict.h"

static disassemble_info infos[3][2]; /* [mode][vendor is AMD] */
static disassembler_ftype print_insn[3];
static char line[256];
static size_t used;

static void add(const char *format, va_list args)
{
    int n = vsnprintf(line + used, sizeof line - used, format, args);

    if (n > 0)
        used = used + (size_t)n < sizeof line ? used + (size_t)n : sizeof line - 1;
}

__attribute__((format(printf, 2, 3))) static int print(void *stream, const char *format, ...)
{
    va_list args;

    (void)stream;
    va_start(args, format);
    add(format, args);
    va_end(args);
    return 0;
}

__attribute__((format(printf, 3, 4))) static int print_styled(void *stream,
                                                              enum disassembler_style style,
                                                              const char *format, ...)
{
    va_list args;

    (void)stream;
    (void)style;
    va_start(args, format);
    add(format, args);
    va_end(args);
    return 0;
}

static void print_address(bfd_vma at, disassemble_info *info)
{
    print(info->stream, "0x%llx", (unsigned long long)at);
}

static void memory_error(int status, bfd_vma at, disassemble_info *info)
{
    (void)status;
    (void)at;
    (void)info;
}

bool binutils_start(void)
{
    static const unsigned long machs[3] = { bfd_mach_i386_i8086, bfd_mach_i386_i386,
                                            bfd_mach_x86_64 };

    for (unsigned m = 0; m < 3; m++) {
        print_insn[m] = disassembler(bfd_arch_i386, false, machs[m], NULL);
        if (print_insn[m] == NULL)
            return false;
        for (unsigned amd = 0; amd < 2; amd++) {
            disassemble_info *info = &infos[m][amd];

            init_disassemble_info(info, NULL, print, print_styled);
            info->arch = bfd_arch_i386;
            info->mach = machs[m];
            info->read_memory_func = buffer_read_memory;
            info->memory_error_func = memory_error;
            info->print_address_func = print_address;
            info->disassembler_options = amd ? "intel,amd64" : "intel,intel64";
            disassemble_init_for_target(info);
        }
    }
    return true;
}

void binutils_ask(const struct shape *s, struct verdict *v)
{
    uint8_t plain[2 * CASE_BYTES];
    int gone = shape_plain(s, true, true, plain), n;
    disassemble_info *info = &infos[s->mode / 32][s->vendor == SVMC_VENDOR_AMD];

    info->buffer = plain;
    info->buffer_length = sizeof plain;
    used = 0;
    line[0] = 0;
    n = print_insn[s->mode / 32](0, info);
    v->known = 0;
    v->count = 0;
    v->length = n > 0 ? (uint8_t)(n + gone) : 0;
    v->accepted = n > 0 && v->length < CASE_BYTES && strstr(line, "(bad)") == NULL;
    v->text = line;
}
