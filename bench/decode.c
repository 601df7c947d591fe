/* SPDX-License-Identifier: MIT */
/*
 * decode.x86.exits: one decode of an instruction that exits, beside Zydis's full decode of the same
 * forms.
 */
#define _POSIX_C_SOURCE 200809L
#include <string.h>
#include <Zydis/Zydis.h>
#include <svmcore/insn.h>

#include "figure.h"

#define FORMS_MAX 256u
#define PASSES    400u

static uint8_t forms[FORMS_MAX][16];
static unsigned form_count;
static volatile uint64_t sink;
static ZydisDecoder zydis;

/* prefix (0: none), REX (0: none), opcode bytes, what follows. */
static void add(uint8_t prefix, uint8_t rex, unsigned opcode, const uint8_t *tail,
                size_t tail_bytes)
{
    uint8_t *f = forms[form_count++];
    unsigned n = 0;

    if (prefix)
        f[n++] = prefix;
    if (rex)
        f[n++] = rex;
    if (opcode > 0xff)
        f[n++] = (uint8_t)(opcode >> 8);
    f[n++] = (uint8_t)opcode;
    if (tail_bytes)
        memcpy(f + n, tail, tail_bytes);
}

/* Loads and stores: every addressing shape, operand size and register bank a driver uses. */
static void add_memory_forms(void)
{
    static const unsigned opcodes[] = { 0x88,   0x89,   0x8a,   0x8b,   0xc6, 0xc7,
                                        0x0fb6, 0x0fb7, 0x0fbe, 0x0fbf, 0x63 };
    static const uint8_t shapes[][6] = {
        { 0x03 },                               /* [rbx] */
        { 0x43, 0x10 },                         /* [rbx+0x10] */
        { 0x44, 0x8b, 0x10 },                   /* [rbx+rcx*4+0x10] */
        { 0x05, 0x34, 0x12, 0x00, 0x00 },       /* [rip+0x1234] */
        { 0x84, 0x24, 0x80, 0x00, 0x00, 0x00 }, /* [rsp+0x80] */
    };

    for (unsigned i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++)
        for (unsigned j = 0; j < sizeof shapes / sizeof shapes[0]; j++) {
            add(0, 0, opcodes[i], shapes[j], sizeof shapes[j]);
            add(0x66, 0, opcodes[i], shapes[j], sizeof shapes[j]);
            add(0, 0x49, opcodes[i], shapes[j], sizeof shapes[j]);
        }
}

static void add_other_forms(void)
{
    static const uint8_t strings[] = { 0x6c, 0x6d, 0x6e, 0x6f, 0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad };
    static const uint8_t ports[] = { 0xe4, 0xe5, 0xe6, 0xe7, 0xec, 0xed, 0xee, 0xef };
    static const unsigned system[] = { 0x0fa2, 0x0f30, 0x0f32, 0xf4 };
    static const uint8_t vmmcall[] = { 0xd9 };

    for (unsigned i = 0; i < sizeof strings; i++) {
        add(0, 0, strings[i], NULL, 0);
        add(0xf3, 0, strings[i], NULL, 0);
    }
    for (unsigned i = 0; i < sizeof ports; i++)
        add(0, 0, ports[i], (const uint8_t *)"\x60", 1);
    add(0x66, 0, 0xed, NULL, 0);
    add(0x66, 0, 0xef, NULL, 0);
    for (unsigned i = 0xa0; i < 0xa4; i++)
        add(0, 0, i, (const uint8_t *)"\0\0\xe0\xfe\0\0\0", 8);
    for (unsigned i = 0; i < sizeof system / sizeof system[0]; i++)
        add(0, 0, system[i], NULL, 0);
    add(0, 0, 0x0f01, vmmcall, 1);
}

static void run_ours(void)
{
    static const struct svmc_cpu cpu = { SVMC_ISA_X86_64, SVMC_VENDOR_AMD, 0, 0 };
    struct svmc_insn insn;

    for (unsigned i = 0; i < form_count; i++) {
        if (svmc_insn_decode(&cpu, forms[i], sizeof forms[i], &insn) != SVMC_OK)
            exit(1);
        sink += insn.length;
    }
}

static void run_zydis(void)
{
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

    for (unsigned i = 0; i < form_count; i++) {
        if (!ZYAN_SUCCESS(
                ZydisDecoderDecodeFull(&zydis, forms[i], sizeof forms[i], &insn, operands)))
            exit(1);
        sink += insn.length;
    }
}

int main(void)
{
    if (!ZYAN_SUCCESS(ZydisDecoderInit(&zydis, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
        return 1;
    add_memory_forms();
    add_other_forms();
    figure("decode.x86.exits", run_ours, "zydis-4.0-full", run_zydis, PASSES, form_count);
    return 0;
}
