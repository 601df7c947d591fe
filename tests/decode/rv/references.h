/* SPDX-License-Identifier: MIT */
/* The two other decoders, LLVM and binutils, each from bytes to one line of text. */
#ifndef REFERENCES_H
#define REFERENCES_H
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PACKAGE         "differential" /* bfd.h wants to know that a build system configured it */
#define PACKAGE_VERSION "1"
#include <bfd.h>
#include <dis-asm.h>
#include <llvm-c/Disassembler.h>
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>

enum reference { LLVM, BINUTILS, REFERENCES };

#define TEXT_MAX 160u
#define PC       0x40000000u /* of every instruction: far from both ends, so no target wraps */

/* Scalar cryptography, bfloat16, Zilsd, Zcmp stay off: docs/spec/riscv.md RV-8 claims nothing. */
#define LLVM_FEATURES                                                                        \
    "+m,+a,+f,+d,+c,+h,+v,+zfh,+zfa,+zba,+zbb,+zbc,+zbs,+zcb,+zcmop,+zimop,+zicond,+zicbom," \
    "+zicbop,+zicboz,+zawrs,+svinval,+zabha,+experimental-zacas,+experimental-zalasr,"       \
    "+experimental-zicfiss"
#define BINUTILS_ARCH \
    "cvh_zicsr_zifencei_zicbom_zicbop_zicboz_zihintpause_zba_zbb_zbc_zbs_zfh_zawrs_svinval"

struct references {
    LLVMDisasmContextRef llvm;
    disassembler_ftype binutils;
    struct disassemble_info info;
    uint8_t bytes[32]; /* of the instruction; what is behind it is 0: binutils reads up to 22 */
    char text[TEXT_MAX];
    size_t used;
};

/* binutils prints most operands with "%s", and a directive (".4byte 0x...") for what is nothing. */
static int print_list(struct references *r, const char *format, va_list args)
{
    if (r->text[0] == '.')
        return 0;
    if (format[0] == '.') {
        strcpy(r->text, ".");
    } else if (strcmp(format, "%s") == 0) {
        const char *s = va_arg(args, const char *);
        size_t n = strlen(s);

        if (n >= TEXT_MAX - r->used)
            abort();
        memcpy(r->text + r->used, s, n + 1);
        r->used += n;
    } else {
        r->used += (size_t)vsnprintf(r->text + r->used, TEXT_MAX - r->used, format, args);
    }
    if (r->used >= TEXT_MAX)
        abort();
    return 0;
}

static int print_plain(void *to, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_list(to, format, args);
    va_end(args);
    return 0;
}

static int print_styled(void *to, enum disassembler_style style, const char *format, ...)
{
    va_list args;

    (void)style;
    va_start(args, format);
    print_list(to, format, args);
    va_end(args);
    return 0;
}

static int read_bytes(bfd_vma at, bfd_byte *to, unsigned count, struct disassemble_info *info)
{
    struct references *r = info->stream;

    if (at < PC || at - PC > sizeof r->bytes || count > sizeof r->bytes - (at - PC))
        return 1;
    memcpy(to, r->bytes + (at - PC), count);
    return 0;
}

static void no_memory(int status, bfd_vma at, struct disassemble_info *info)
{
    (void)status, (void)at, (void)info;
    abort();
}

static void print_target(bfd_vma at, struct disassemble_info *info)
{
    print_plain(info->stream, "0x%llx", (unsigned long long)at);
}

/* libopcodes takes the extensions from the attributes of an object file: an empty one has them. */
static bfd *object_with_extensions(unsigned xlen)
{
    char path[] = "/tmp/differential-rv-XXXXXX", command[512];
    int fd = mkstemp(path);
    bfd *object;

    if (fd < 0)
        abort();
    close(fd);
    snprintf(
        command, sizeof command,
        "echo '.attribute arch, \"rv%uimafd%s%s\"' | riscv64-linux-gnu-as -march=rv%ug -mabi=%s "
        "-o %s -",
        xlen, xlen == 64 ? "q" : "", BINUTILS_ARCH, xlen, xlen == 32 ? "ilp32" : "lp64", path);
    if (system(command) != 0 || !(object = bfd_openr(path, NULL)) ||
        !bfd_check_format(object, bfd_object)) {
        fprintf(stderr, "no RISC-V assembler or libbfd: install binutils-riscv64-linux-gnu and "
                        "binutils-multiarch-dev\n");
        exit(2);
    }
    unlink(path);
    return object;
}

static void references_open(struct references *r, unsigned xlen)
{
    static const char *const args[] = { "differential", "-riscv-no-aliases" };
    static bool ready;
    unsigned long machine = xlen == 32 ? bfd_mach_riscv32 : bfd_mach_riscv64;

    if (!ready) {
        LLVMInitializeRISCVTargetInfo();
        LLVMInitializeRISCVTargetMC();
        LLVMInitializeRISCVDisassembler();
        LLVMParseCommandLineOptions(2, args, NULL);
        bfd_init();
        ready = true;
    }
    memset(r, 0, sizeof *r);
    r->llvm = LLVMCreateDisasmCPUFeatures(xlen == 32 ? "riscv32" : "riscv64",
                                          xlen == 32 ? "generic-rv32" : "generic-rv64",
                                          LLVM_FEATURES, NULL, 0, NULL, NULL);
    init_disassemble_info(&r->info, r, print_plain, print_styled);
    r->info.arch = bfd_arch_riscv;
    r->info.mach = machine;
    r->info.endian = r->info.endian_code = BFD_ENDIAN_LITTLE;
    r->info.read_memory_func = read_bytes;
    r->info.memory_error_func = no_memory;
    r->info.print_address_func = print_target;
    r->info.disassembler_options = "no-aliases,numeric";
    disassemble_init_for_target(&r->info);
    r->binutils = disassembler(bfd_arch_riscv, false, machine, object_with_extensions(xlen));
    if (!r->llvm || !r->binutils)
        abort();
}

/* The text of the instruction in r->bytes; empty: it is none. `length`: of its encoding. */
static const char *reference_text(struct references *r, enum reference which, unsigned length)
{
    size_t got;

    if (which == LLVM) {
        got = LLVMDisasmInstruction(r->llvm, r->bytes, length, PC, r->text, TEXT_MAX);
        return got == length ? r->text + strspn(r->text, "\t ") : "";
    }
    r->used = 0;
    r->text[0] = 0;
    got = (size_t)r->binutils(PC, &r->info);
    return got == length && r->text[0] != '.' ? r->text : ""; /* .4byte and the like: no insn */
}

#endif
