/* SPDX-License-Identifier: MIT */
/* See reference.h. */
#include "reference.h"

#include <llvm-c/Disassembler.h>
#include <llvm-c/Target.h>
#include <string.h>

#include "../../../src/core/bytes.h"
#include "../binutils_text.h"

const char *const reference_names[REFERENCES] = { "LLVM", "binutils" };

static LLVMDisasmContextRef llvm;
static char llvm_text[256];

static struct disassemble_info info;
static disassembler_ftype print;
static struct binutils_text text;
static uint8_t code[4];

static void print_target(bfd_vma target, struct disassemble_info *di)
{
    binutils_print(di->stream, "@0x%llx", (unsigned long long)target);
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

    binutils_init(&text, &info);
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

static const char *ask_binutils(uint32_t word, bool mnemonic)
{
    core_store_le32(code, word);
    binutils_read(&text, print, 0, &info, mnemonic);
    return text.text;
}

const char *reference_text(enum reference which, uint32_t word)
{
    return which == REFERENCE_LLVM ? llvm_read(word) : ask_binutils(word, false);
}

const char *reference_mnemonic(enum reference which, uint32_t word)
{
    return which == REFERENCE_LLVM ? llvm_read(word) : ask_binutils(word, true);
}
