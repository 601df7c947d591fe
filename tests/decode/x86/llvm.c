/* SPDX-License-Identifier: MIT */
/* LLVM 14's disassembler: acceptance, length, and the memory operand out of its Intel text. */
#include <stdlib.h>
#include <string.h>
#include <llvm-c/Disassembler.h>
#include <llvm-c/Target.h>
#include "verdict.h"

static LLVMDisasmContextRef contexts[3];

bool llvm_start(void)
{
    static const char *const triples[3] = { "i386-linux-gnu-code16", "i386-linux-gnu",
                                            "x86_64-linux-gnu" };

    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86Disassembler();
    for (unsigned m = 0; m < 3; m++) {
        contexts[m] = LLVMCreateDisasm(triples[m], NULL, 0, NULL, NULL);
        if (contexts[m] == NULL ||
            LLVMSetDisasmOptions(contexts[m], LLVMDisassembler_Option_AsmPrinterVariant) == 0)
            return false;
    }
    return true;
}

/* ---- text ---- */

/* Number of the register that starts at *at and is moved behind; NONE if it is none. */
static uint8_t read_register(const char **at, uint8_t *vector)
{
    static const char low[] = "ax cx dx bx sp bp si di";
    const char *p = *at;
    size_t n = strcspn(p, " ]+*-");

    *at += n;
    *vector = 0;
    if (n >= 4 && p[1] == 'm' && p[2] == 'm') {
        *vector = 1;
        return (uint8_t)strtoul(p + 3, NULL, 10);
    }
    if (n == 3 && p[1] == 'i' && (p[2] == 'p' || p[2] == 'z'))
        return p[2] == 'p' ? SVMC_REG_RIP : SVMC_REG_NONE;
    if (n >= 2 && p[0] == 'r' && p[1] >= '0' && p[1] <= '9')
        return (uint8_t)strtoul(p + 1, NULL, 10);
    if (n == 3)
        p++;
    for (uint8_t i = 0; i < 8; i++)
        if (p[0] == low[3 * i] && p[1] == low[3 * i + 1])
            return i;
    return SVMC_REG_NONE;
}

/* "[rax + 4*rcx - 16]", at behind the bracket. */
static void read_address(const char *at, struct svmc_insn *to)
{
    bool minus = false;

    for (;; minus = false) {
        while (*at == ' ' || *at == '+' || *at == '-')
            minus = *at++ == '-' ? true : minus;
        if (*at == ']' || *at == 0)
            return;
        if (*at >= '0' && *at <= '9') {
            char *end;
            uint64_t n = strtoull(at, &end, 10);

            at = end;
            if (*at == '*') {
                uint8_t vector;

                at++;
                to->index = read_register(&at, &vector);
                to->scale = to->index == SVMC_REG_NONE ? 0 : (uint8_t)n;
            } else {
                to->disp = (int64_t)(minus ? 0 - n : n);
            }
        } else {
            uint8_t vector, reg = read_register(&at, &vector);

            if (reg == SVMC_REG_NONE)
                continue;
            if (to->base == SVMC_REG_NONE && !vector) {
                to->base = reg;
            } else {
                to->index = reg;
                to->scale = 1;
            }
        }
    }
}

/* The bytes that the word before " ptr " promises. */
static uint16_t read_size(const char *text, const char *ptr)
{
    static const struct {
        char word[10];
        uint16_t bytes;
    } sizes[] = { { "zmmword", 64 }, { "ymmword", 32 }, { "xmmword", 16 },
                  { "tbyte", 10 },   { "qword", 8 },    { "fword", 6 },
                  { "dword", 4 },    { "word", 2 },     { "byte", 1 } };

    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t n = strlen(sizes[i].word);

        if ((size_t)(ptr - text) >= n && memcmp(ptr - n, sizes[i].word, n) == 0)
            return sizes[i].bytes;
    }
    return 0;
}

static void read_memory(const char *text, struct verdict *v)
{
    const char *open = strchr(text, '['), *ptr = strstr(text, " ptr ");

    v->insn = (struct svmc_insn){ .segment = SVMC_SEG_NONE,
                                  .base = SVMC_REG_NONE,
                                  .index = SVMC_REG_NONE };
    v->known = KNOWS_MEMORY;
    v->count = 0;
    if (open == NULL)
        return;
    v->count = 1;
    if (ptr && ptr < open) {
        v->insn.mem_bytes = read_size(text, ptr);
        v->known |= v->insn.mem_bytes ? KNOWS_SIZE : 0;
    }
    if (open - text >= 3 && open[-1] == ':') {
        static const char names[] = "escsssdsfsgs";

        for (uint8_t i = 0; i < 6; i++)
            if (names[2 * i] == open[-3])
                v->insn.segment = i;
    }
    read_address(open + 1, &v->insn);
}

/* What LLVM 14 makes of bytes that are no instruction: their first prefix, alone. */
static bool is_lone_prefix(const char *text)
{
    static const char *const words[] = { "lock",   "rep",    "repne",    "data16",
                                         "data32", "addr16", "addr32",   "cs",
                                         "ds",     "es",     "fs",       "gs",
                                         "ss",     "rex64",  "xacquire", "xrelease" };

    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t n = strlen(words[i]);

        if (strncmp(text, words[i], n) == 0 && text[n + strspn(text + n, "\t ")] == 0)
            return true;
    }
    return false;
}

/* LLVM 14 shows LOCK as an instruction of its own, so it is asked without; and these F2 and F3,
   as XACQUIRE and XRELEASE. */
static bool is_hint(const struct shape *s)
{
    uint8_t op = s->opcode;

    return s->encoding == LEGACY && s->map == 1 &&
           ((op & 0xfc) == 0x88 || (op & 0xfe) == 0xc6 || (op & 0xfe) == 0x86 ||
            ((op & 0xf8) == 0x90 && !(s->rep == 0xf3 && op == 0x90)));
}

void llvm_ask(const struct shape *s, struct verdict *v)
{
    uint8_t plain[2 * CASE_BYTES];
    int gone = shape_plain(s, false, !is_hint(s), plain);
    static char text[160];
    size_t n =
        LLVMDisasmInstruction(contexts[s->mode / 32], plain, sizeof plain, 0, text, sizeof text);
    const char *at = text + strspn(text, "\t ");

    v->known = 0;
    v->length = n ? (uint8_t)((int)n + gone) : 0;
    v->accepted = n != 0 && v->length < CASE_BYTES && !is_lone_prefix(at);
    v->text = "";
    if (!v->accepted)
        return;
    v->text = at;
    read_memory(at, v);
}
