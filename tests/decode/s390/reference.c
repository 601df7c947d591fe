/* SPDX-License-Identifier: MIT */
/* See reference.h. */
#include "reference.h"

#include <llvm-c/Disassembler.h>
#include <llvm-c/Target.h>
#include <stdlib.h>
#include <string.h>

#include "../binutils_text.h"

const char *const reference_names[REFERENCES] = { "LLVM", "binutils" };

int print_insn_s390(bfd_vma at, struct disassemble_info *info); /* libopcodes; in no header */

static LLVMDisasmContextRef llvm;
static struct disassemble_info binutils;
static uint8_t binutils_bytes[8];
static struct binutils_text binutils_text;

static void print_target(bfd_vma at, struct disassemble_info *info)
{
    binutils_print(info->stream, "0x%llx", (unsigned long long)at);
}

bool references_open(void)
{
    LLVMInitializeSystemZTargetInfo();
    LLVMInitializeSystemZTargetMC();
    LLVMInitializeSystemZDisassembler();
    llvm = LLVMCreateDisasmCPU("s390x-linux-gnu", "arch14", NULL, 0, NULL, NULL);
    binutils_init(&binutils_text, &binutils);
    binutils.arch = bfd_arch_s390;
    binutils.mach = bfd_mach_s390_64;
    binutils.endian = BFD_ENDIAN_BIG;
    binutils.buffer = binutils_bytes;
    binutils.buffer_length = sizeof binutils_bytes;
    binutils.print_address_func = print_target;
    disassemble_init_for_target(&binutils);
    return llvm != NULL;
}

/* ---- text ---- */

static int parse_register(const char **at, char *file)
{
    char *end;
    long n;

    if (**at != '%' || strchr("rfvac", (*at)[1]) == NULL)
        return -1;
    *file = (*at)[1] == 'f' ? 'v' : (*at)[1];
    n = strtol(*at + 2, &end, 10);
    *at = end;
    return (int)n;
}

/* "(%r2,%r3)", "(19,%r3)", "(19)", "(%r3)" behind a displacement. */
static bool parse_address(const char **at, struct parsed_operand *o)
{
    char file = 0;

    o->kind = PARSED_MEM;
    ++*at;
    if (**at == '%') {
        o->base = parse_register(at, &file);
        if (**at == ',' || **at == 0 || file == 'v') {
            o->index = o->base;
            o->index_file = file;
            o->base = **at == ',' ? (++*at, parse_register(at, &file)) : -1;
        }
        if (**at == 0) /* binutils 2.40 forgets the rest of "nop 0(%r1,0)" */
            return true;
    } else {
        char *end;

        o->length = (int)strtol(*at, &end, 10);
        *at = end;
        if (**at == ',') {
            ++*at;
            o->base = parse_register(at, &file);
        }
    }
    if (o->base == 0) /* binutils shows %r0 beside a length */
        o->base = -1;
    return *(*at)++ == ')';
}

static bool parse_operand(const char **at, struct parsed_operand *o)
{
    char *end;

    *o = (struct parsed_operand){ .base = -1, .index = -1 };
    if (**at == '%') {
        o->reg = parse_register(at, &o->file);
        return o->reg >= 0;
    }
    o->kind =
        strncmp(*at, "0x", 2) == 0 || strncmp(*at, "-0x", 3) == 0 ? PARSED_TARGET : PARSED_NUMBER;
    o->value = **at == '-' ? (int64_t)strtoll(*at, &end, 0) : (int64_t)strtoull(*at, &end, 0);
    if (end == *at)
        return false;
    *at = end;
    return **at != '(' || parse_address(at, o);
}

static bool parse_text(const char *at, struct parsed *out)
{
    size_t n;

    at += strspn(at, " \t");
    n = strcspn(at, " \t\n");
    if (n >= sizeof out->name)
        return false;
    memcpy(out->name, at, n);
    out->name[n] = 0;
    out->count = 0;
    at += n;
    for (at += strspn(at, " \t"); *at && *at != '\n'; at += strspn(at, ", \t")) {
        if (out->count == OPERANDS_MAX || !parse_operand(&at, &out->operands[out->count++]))
            return false;
        if (*at && strchr(", \t\n", *at) == NULL)
            return false;
    }
    return true;
}

bool reference_ask(enum reference_id who, const uint8_t *bytes, struct parsed *out)
{
    unsigned n;
    char text[128];
    uint8_t copy[BYTES];

    out->length = 0;
    if (who == LLVM) {
        memcpy(copy, bytes, BYTES);
        out->length = (unsigned)LLVMDisasmInstruction(llvm, copy, BYTES, 0, text, sizeof text);
        return out->length == 0 || parse_text(text, out);
    }
    memcpy(binutils_bytes, bytes, BYTES);
    n = (unsigned)binutils_read(&binutils_text, print_insn_s390, 0, &binutils, false);
    if (binutils_text.text[0] == 0)
        return true;
    out->length = n;
    return parse_text(binutils_text.text, out);
}
