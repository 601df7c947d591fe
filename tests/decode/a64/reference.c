/* SPDX-License-Identifier: MIT */
/* See reference.h. binutils prints piece by piece, so its mnemonic is had by leaving after it. */
#include "reference.h"

#define PACKAGE         "svmcore" /* bfd.h wants to be used by a package */
#define PACKAGE_VERSION "0"
#include <dis-asm.h>
#include <llvm-c/Disassembler.h>
#include <llvm-c/Target.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../../../src/core/bytes.h"

const char *const reference_names[REFERENCES] = { "llvm", "binutils" };

static LLVMDisasmContextRef llvm;
static char llvm_text[256];

static struct disassemble_info info;
static disassembler_ftype print;
static char text[256];
static size_t text_length;
static uint8_t code[4];
static bool leave_early;
static jmp_buf after_mnemonic;

/* Nearly all formats are "%s"; printf costs more than the rest of a word otherwise. */
static void append(const char *format, va_list args)
{
    size_t room = sizeof text - text_length;
    size_t n;

    if (format[0] == '%' && format[1] == 's' && format[2] == 0) {
        const char *s = va_arg(args, const char *);

        n = strlen(s);
        memcpy(text + text_length, s, n < room ? n + 1 : 0);
    } else {
        n = (size_t)vsnprintf(text + text_length, room, format, args);
    }
    text_length += n < room ? n : 0;
}

static int print_plain(void *stream, const char *format, ...)
{
    va_list args;

    (void)stream;
    va_start(args, format);
    append(format, args);
    va_end(args);
    return 0;
}

static int print_styled(void *stream, enum disassembler_style style, const char *format, ...)
{
    va_list args;

    (void)stream;
    (void)style;
    va_start(args, format);
    append(format, args);
    va_end(args);
    if (leave_early)
        longjmp(after_mnemonic, 1);
    return 0;
}

static void print_target(bfd_vma target, struct disassemble_info *di)
{
    (void)di;
    text_length += (size_t)snprintf(text + text_length, sizeof text - text_length, "@0x%llx",
                                    (unsigned long long)target);
}

static int read_code(bfd_vma at, bfd_byte *dst, unsigned n, struct disassemble_info *di)
{
    (void)at;
    (void)di;
    memcpy(dst, code, n);
    return 0;
}

bool reference_open(void)
{
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64Disassembler();
    llvm = LLVMCreateDisasmCPUFeatures("aarch64-linux-gnu", "", "+all", NULL, 0, NULL, NULL);

    init_disassemble_info(&info, NULL, print_plain, print_styled);
    info.arch = bfd_arch_aarch64;
    info.mach = bfd_mach_aarch64;
    info.endian = info.endian_code = BFD_ENDIAN_LITTLE;
    info.read_memory_func = read_code;
    info.print_address_func = print_target;
    disassemble_init_for_target(&info);
    print = disassembler(bfd_arch_aarch64, 0, bfd_mach_aarch64, NULL);
    return llvm != NULL && print != NULL;
}

static const char *llvm_read(uint32_t word)
{
    uint8_t bytes[4];

    core_store_le32(bytes, word);
    if (LLVMDisasmInstruction(llvm, bytes, 4, 0, llvm_text, sizeof llvm_text) != 4)
        return "";
    return llvm_text;
}

static const char *binutils_read(uint32_t word, bool mnemonic)
{
    core_store_le32(code, word);
    text_length = 0;
    text[0] = 0;
    leave_early = mnemonic;
    if (setjmp(after_mnemonic) == 0)
        print(0, &info);
    return text[0] == '.' ? "" : text;
}

const char *reference_text(enum reference which, uint32_t word)
{
    return which == REFERENCE_LLVM ? llvm_read(word) : binutils_read(word, false);
}

const char *reference_mnemonic(enum reference which, uint32_t word)
{
    return which == REFERENCE_LLVM ? llvm_read(word) : binutils_read(word, true);
}
