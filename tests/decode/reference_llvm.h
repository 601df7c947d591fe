/* SPDX-License-Identifier: MIT */
/* One decoded instruction beside LLVM's text, operand by operand. For differential.c. */
#ifndef REFERENCE_LLVM_H
#define REFERENCE_LLVM_H
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <llvm-c/Disassembler.h>
#include <llvm-c/Target.h>
#include <svmcore/insn.h>

#define BYTES 16u /* of a case: one more than an instruction can have, so TOO_LONG is reachable */

static LLVMDisasmContextRef llvm;
static uint64_t by_llvm;

static inline uint64_t mask(unsigned bytes)
{
    return bytes < 8 ? ((uint64_t)1 << (8 * bytes)) - 1 : UINT64_MAX;
}

/* ---- the prefixes of a case, by the manual and not by our decoder ---- */

struct shape {
    unsigned opcode; /* index of the first byte that is no prefix */
    uint8_t rep;     /* last of F2, F3 */
    uint8_t segment; /* last of 64, 65 */
    uint8_t rex;     /* only if right before the opcode */
    bool osize, asize, lock;
};

static inline struct shape shape_of(const uint8_t *b)
{
    struct shape s = { 0 };

    for (; s.opcode < BYTES - 2; s.opcode++) {
        uint8_t c = b[s.opcode];

        if ((c & 0xf0) == 0x40) {
            s.rex = c;
            continue;
        }
        if (c == 0xf2 || c == 0xf3)
            s.rep = c;
        else if (c == 0x64 || c == 0x65)
            s.segment = c;
        else if (c == 0x66)
            s.osize = true;
        else if (c == 0x67)
            s.asize = true;
        else if (c == 0xf0)
            s.lock = true;
        else if (c != 0x26 && c != 0x2e && c != 0x36 && c != 0x3e)
            break;
        s.rex = 0;
    }
    return s;
}

/*
 * LLVM 14 shows prefixes that the processor ignores, and takes an early REX for an instruction of
 * its own. It gets the same instruction in its plain spelling; *dropped bytes fewer.
 */
static inline unsigned plain_spelling(const uint8_t *b, const struct shape *s, uint8_t *to)
{
    unsigned n = 0, rest = BYTES - s->opcode;
    uint8_t op = b[s->opcode];
    bool hint = op == 0x88 || op == 0x89 || op == 0xc6 || op == 0xc7;

    if (s->segment)
        to[n++] = s->segment;
    if (s->osize)
        to[n++] = 0x66;
    if (s->asize)
        to[n++] = 0x67;
    if (s->rep && !hint) /* on these LLVM 14 prints XACQUIRE and XRELEASE apart */
        to[n++] = s->rep;
    if (s->rex)
        to[n++] = s->rex;
    memcpy(to + n, b + s->opcode, rest);
    memset(to + n + rest, 0, 2 * BYTES - n - rest);
    return n;
}

static inline void reg_name(char *to, size_t cap, unsigned reg, unsigned bytes, bool high)
{
    static const char *const low8[] = { "al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil" };
    static const char *const low16[] = { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di" };
    const char *tail = bytes == 1 ? "b" : bytes == 2 ? "w" : bytes == 4 ? "d" : "";
    const char *head = bytes == 8 ? "r" : bytes == 4 ? "e" : "";

    if (reg == SVMC_REG_RIP)
        snprintf(to, cap, "%sip", head);
    else if (reg >= 8)
        snprintf(to, cap, "r%u%s", reg, tail);
    else if (high)
        snprintf(to, cap, "%ch", "acdb"[reg]);
    else if (bytes == 1)
        snprintf(to, cap, "%s", low8[reg]);
    else
        snprintf(to, cap, "%s%s", head, low16[reg]);
}

static inline void llvm_memory(char *to, size_t cap, const struct svmc_operand *o,
                               unsigned address_bytes)
{
    static const char *const sizes[] = { "", "byte", "word", "", "dword", "", "", "", "qword" };
    static const char *const segments[] = { "es:", "", "", "", "fs:", "gs:" };
    char base[8] = "", index[8] = "", scale[8] = "", disp[32] = "";
    bool any = o->base != SVMC_REG_NONE || o->index != SVMC_REG_NONE;
    int64_t d = o->disp;

    if (o->base != SVMC_REG_NONE)
        reg_name(base, sizeof base, o->base, address_bytes, false);
    if (o->index != SVMC_REG_NONE) {
        reg_name(index, sizeof index, o->index, address_bytes, false);
        if (o->scale > 1)
            snprintf(scale, sizeof scale, "%u*", o->scale);
    }
    if (d != 0 || !any)
        snprintf(disp, sizeof disp, "%s%" PRIu64,
                 !any    ? (d < 0 ? "-" : "")
                 : d < 0 ? " - "
                         : " + ",
                 d < 0 ? 0 - (uint64_t)d : (uint64_t)d);
    snprintf(to, cap, "%s ptr %s[%s%s%s%s%s]", sizes[o->bytes], segments[o->segment], base,
             base[0] && index[0] ? " + " : "", scale, index, disp);
}

static inline bool llvm_operand_is(const char *text, const struct svmc_operand *o,
                                   unsigned address_bytes)
{
    char want[96];
    char *end;

    if (o->kind == SVMC_OPERAND_IMM) {
        int64_t v = strtoll(text, &end, 10);

        return end != text && *end == 0 && ((uint64_t)v & mask(o->bytes)) == o->imm;
    }
    if (o->kind == SVMC_OPERAND_REG)
        reg_name(want, sizeof want, o->reg, o->bytes, o->high);
    else
        llvm_memory(want, sizeof want, o, address_bytes);
    return strcmp(want, text) == 0;
}

static inline bool llvm_name_is(const char *text, const struct svmc_insn *a)
{
    static const char *const words[] = { "",      "mov",   "movzx", "movsx", "movsxd", "in",
                                         "out",   "ins",   "outs",  "movs",  "stos",   "lods",
                                         "cpuid", "rdmsr", "wrmsr", "hlt",   "vmcall", "vmmcall" };
    char want[16];

    if (a->id >= SVMC_X86_INS && a->id <= SVMC_X86_LODS)
        snprintf(want, sizeof want, "%s%c", words[a->id], " bw d   q"[a->operand_bytes]);
    else
        snprintf(want, sizeof want, "%s", words[a->id]);
    return strcmp(want, text) == 0 || (a->id == SVMC_X86_MOV && strcmp("movabs", text) == 0);
}

/* LLVM's text of the case in *text, its length as if nothing had been dropped; 0: not accepted. */
static inline unsigned llvm_text(const uint8_t *b, const struct shape *s, char *text, size_t cap)
{
    uint8_t plain[2 * BYTES];
    unsigned kept = plain_spelling(b, s, plain);
    size_t n = LLVMDisasmInstruction(llvm, plain, sizeof plain, 0, text, cap);

    return n <= kept ? 0 : (unsigned)n - kept + s->opcode;
}

/* riz, eiz: how LLVM shows a SIB byte without an index. */
static inline void hide_riz(char *text)
{
    char *at = strstr(text, "iz"), *from, *to;

    if (at == NULL)
        return;
    from = at - 1;
    if (from[-1] == '*')
        from -= 2;
    to = at + 2;
    if (from[-1] != '[') {
        from -= 3;
    } else if (*to == ' ') { /* "[2*riz - 16]": the sign becomes that of a bare address */
        if (to[1] == '-')
            *from++ = '-';
        to += 3;
    }
    memmove(from, to, strlen(to) + 1);
}

static inline const char *llvm_differs(const struct svmc_insn *a, const uint8_t *b,
                                       const struct shape *s)
{
    static char text[128], shown[160];
    char *at = text, *word;
    unsigned length = llvm_text(b, s, text, sizeof text);

    by_llvm++;
    snprintf(shown, sizeof shown, "LLVM: %s", text);
    hide_riz(text);
    if (length != a->length)
        return length ? "LLVM length" : "LLVM refuses";
    at += strspn(at, "\t ");
    while (strncmp(at, "rep\t", 4) == 0 || strncmp(at, "repne\t", 6) == 0)
        at += strcspn(at, "\t"), at += strspn(at, "\t ");
    word = at;
    at += strcspn(at, "\t ");
    if (*at)
        *at++ = 0;
    if (!llvm_name_is(word, a))
        return shown;
    for (unsigned i = 0; i < a->operand_count; i++) {
        char *next = strstr(at, ", ");

        if (next)
            *next = 0;
        if ((next == NULL) != (i + 1 == a->operand_count) ||
            !llvm_operand_is(at, &a->operands[i], a->address_bytes))
            return shown;
        at = next ? next + 2 : at;
    }
    return NULL;
}

#endif
