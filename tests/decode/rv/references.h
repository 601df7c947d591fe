/* SPDX-License-Identifier: MIT */
/* The two other decoders, LLVM and binutils, each from bytes to one line of text. */
#ifndef REFERENCES_H
#define REFERENCES_H
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../binutils_text.h"
#include "justified.h"
#include <bfd.h>
#include <llvm-c/Disassembler.h>
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>

#define TEXT_MAX 256u
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
    struct binutils_text text;
    char llvm_text[TEXT_MAX];
};

static int read_bytes(bfd_vma at, bfd_byte *to, unsigned count, struct disassemble_info *info)
{
    struct references *r = info->application_data;

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
    binutils_print(info->stream, "0x%llx", (unsigned long long)at);
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
    binutils_init(&r->text, &r->info);
    r->info.application_data = r;
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

/*
 * The text of the instruction in r->bytes; empty: it is none. `length`: of its encoding. Of
 * binutils the mnemonic alone, where that is enough.
 */
static const char *reference_text(struct references *r, enum reference which, unsigned length,
                                  bool mnemonic_only)
{
    size_t got;

    if (which == LLVM) {
        got = LLVMDisasmInstruction(r->llvm, r->bytes, length, PC, r->llvm_text, TEXT_MAX);
        return got == length ? r->llvm_text + strspn(r->llvm_text, "\t ") : "";
    }
    got = (size_t)binutils_read(&r->text, r->binutils, PC, &r->info, mnemonic_only);
    return got == length || mnemonic_only ? r->text.text : "";
}

#endif
