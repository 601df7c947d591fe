/* SPDX-License-Identifier: MIT */
/*
 * svmc_insn_decode against two independent decoders, in one process: Zydis (fields) and LLVM's
 * disassembler (text). Every opcode under every prefix set and ModRM byte, then random bytes.
 *
 * What is compared: acceptance, length, identity, operands (kind, register, size, access, memory
 * parts, immediate) with both, and svmc_insn_format with Zydis's text. SVMC_ERR_UNSUPPORTED makes
 * no claim but one: the references must not agree that the bytes are one of our instructions.
 *
 * Last line: "N passed, N failed, N skipped"; exit status 1 if one failed. SVMC_SEED repeats a run.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <svmcore/insn.h>
#include "reference_llvm.h"
#include "reference_zydis.h"

#define RANDOM_CASES 8000000u
#define SHOWN        30u

static uint64_t passed, failed, accepted, excepted;
static unsigned groups_passed, groups_failed;

static uint64_t random64(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/*
 * Where our decoder departs from a reference, with the manual's word for it.
 *   VMGEXIT  F2 and F3 0F 01 D9 are VMGEXIT (APM vol. 3); Zydis 4.0 and LLVM 14 call them VMMCALL.
 *   MOVSXD   66 63 reads 16 bits on Intel (SDM vol. 2 MOVSXD r16, r/m16), 32 on AMD (APM vol. 3
 *            table A-1 Gv, Ed; so binutils 2.40 with -M intel64 and amd64). LLVM 14 knows only the
 *            second, Zydis 4.0 that in memory and the first for a register.
 *   R13D     ModRM.mod 0 with SIB.base 5 has no base whatever REX.B says (SDM vol. 2 table 2-5);
 *            Zydis 4.0 finds R13D under prefix 67. LLVM 14 is asked instead.
 */
static bool is_vmgexit(const uint8_t *b, const struct shape *s)
{
    const uint8_t *p = b + s->opcode;

    return s->rep != 0 && p[0] == 0x0f && p[1] == 0x01 && p[2] == 0xd9;
}

/* ---- one case ---- */

static void report(const uint8_t *b, const char *why, enum svmc_status st)
{
    failed++;
    if (failed > SHOWN)
        return;
    printf("FAIL ");
    for (unsigned i = 0; i < BYTES; i++)
        printf("%02x ", b[i]);
    printf(" %s (we: %s)\n", why, svmc_status_name(st));
}

/* We refuse: no reference may know better. */
static const char *refusal_differs(const uint8_t *b, const struct shape *s, enum svmc_status st,
                                   bool z_ok, const ZydisDecodedInstruction *z)
{
    unsigned bytes;

    if (!z_ok)
        return NULL;
    if (is_vmgexit(b, s)) {
        excepted++;
        return st == SVMC_ERR_UNSUPPORTED ? NULL : "VMGEXIT";
    }
    if (zydis_id(z, &bytes) != SVMC_X86_NONE)
        return "Zydis knows it as one of ours";
    if (z->mnemonic == ZYDIS_MNEMONIC_UD0 || z->mnemonic == ZYDIS_MNEMONIC_UD1 ||
        z->mnemonic == ZYDIS_MNEMONIC_UD2)
        return st == SVMC_ERR_UNDEFINED ? NULL : "an instruction made for #UD";
    return st == SVMC_ERR_UNSUPPORTED ? NULL : "Zydis accepts it";
}

/* The other vendor: the same but for the rows that say otherwise. */
static const char *vendor_differs(const struct shape *s, const struct svmc_insn *amd,
                                  enum svmc_status amd_st, const struct svmc_insn *intel,
                                  enum svmc_status intel_st)
{
    struct svmc_insn fixed = *intel;

    if (amd_st == SVMC_OK && amd->id == SVMC_X86_VMMCALL)
        return intel_st == SVMC_ERR_UNDEFINED ? NULL : "VMMCALL on Intel";
    if (intel_st == SVMC_OK && intel->id == SVMC_X86_VMCALL)
        return amd_st == SVMC_ERR_UNDEFINED ? NULL : "VMCALL on AMD";
    if (amd_st == SVMC_OK && amd->id == SVMC_X86_MOVSXD && s->osize && !(s->rex & 8)) {
        excepted++;
        if (intel->operands[1].bytes != 2)
            return "MOVSXD r16, r/m16 on Intel";
        fixed.operands[1].bytes = 4;
    }
    return amd_st == intel_st && memcmp(amd, &fixed, sizeof fixed) == 0 ? NULL : "vendors differ";
}

static void check(const uint8_t b[BYTES], bool with_llvm)
{
    static const struct svmc_cpu amd = { SVMC_ISA_X86_64, SVMC_VENDOR_AMD, 0, 0 };
    static const struct svmc_cpu intel = { SVMC_ISA_X86_64, SVMC_VENDOR_INTEL, 0, 0 };
    ZydisDecodedInstruction z;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
    struct svmc_insn a, i;
    enum svmc_status st = svmc_insn_decode(&amd, b, BYTES, &a);
    enum svmc_status intel_st = svmc_insn_decode(&intel, b, BYTES, &i);
    struct shape s = shape_of(b);
    bool z_ok = ZYAN_SUCCESS(ZydisDecoderDecodeFull(&zydis, b, BYTES, &z, ops));
    const char *why = vendor_differs(&s, &a, st, &i, intel_st);

    if (intel_st == SVMC_OK && i.id == SVMC_X86_VMCALL) {
        a = i;
        st = intel_st;
    }
    if (!why && st != SVMC_OK)
        why = refusal_differs(b, &s, st, z_ok, &z);
    if (!why && st == SVMC_OK) {
        accepted++;
        why = !z_ok ? "Zydis refuses" : zydis_differs(&a, &z, ops);
        excepted += z_ok && is_r13d(&z);
        if (!why && (with_llvm || is_r13d(&z)))
            why = llvm_differs(&a, b, &s);
        if (!why && with_llvm)
            why = text_differs(&a, &z, ops);
    }
    if (why)
        report(b, why, st);
    else
        passed++;
}

/* ---- the cases ---- */

static const uint8_t prefix_sets[][4] = {
    { 0 },
    { 1, 0x66 },
    { 1, 0x67 },
    { 1, 0xf2 },
    { 1, 0xf3 },
    { 1, 0xf0 },
    { 1, 0x64 },
    { 1, 0x65 },
    { 1, 0x2e },
    { 2, 0x66, 0x67 },
    { 2, 0xf3, 0x66 },
    { 2, 0x66, 0xf2 },
    { 2, 0xf2, 0xf3 },
    { 2, 0x67, 0x65 },
    { 2, 0x64, 0x36 },
    { 2, 0xf0, 0xf3 },
    { 2, 0x48, 0x66 }, /* a REX that is not in force */
};
#define PREFIX_SETS (sizeof prefix_sets / sizeof prefix_sets[0])

static const uint8_t tails[][8] = {
    { 0x80, 0xff, 0x7f, 0xfe, 0x81, 0x12, 0xc3, 0x99 },
    { 0x7f, 0x01, 0x00, 0x80, 0x10, 0x00, 0x00, 0x80 },
};

/* prefixes, REX (0: none), opcode bytes; returns where ModRM goes. */
static unsigned lay(uint8_t *b, unsigned set, unsigned rex, bool two_byte, unsigned opcode)
{
    unsigned n = prefix_sets[set][0];

    memset(b, 0, BYTES);
    memcpy(b, prefix_sets[set] + 1, n);
    if (rex)
        b[n++] = (uint8_t)rex;
    if (two_byte)
        b[n++] = 0x0f;
    b[n++] = (uint8_t)opcode;
    return n;
}

static void fill(uint8_t *b, unsigned n, unsigned tail)
{
    memcpy(b + n, tails[tail], BYTES - n < 8 ? BYTES - n : 8);
}

/* All ModRM bytes of one opcode, with some SIB bytes. */
static void sweep_modrm(uint8_t *b, unsigned n, unsigned opcode)
{
    static const uint8_t sibs[] = { 0x00, 0x24, 0x25, 0x65, 0x8d, 0xd4, 0xfb };

    for (unsigned modrm = 0; modrm < 256; modrm++) {
        bool sib = modrm < 0xc0 && (modrm & 7) == 4;

        b[n] = (uint8_t)modrm;
        for (unsigned i = 0; i < (sib ? sizeof sibs : 1); i++) {
            fill(b, n + 1, (modrm + opcode + i) & 1);
            if (sib)
                b[n + 1] = sibs[i];
            check(b, true);
        }
    }
}

/* Every opcode of both maps x prefix sets x all REX. Rows with ModRM get every ModRM byte. */
static void sweep_opcodes(uint64_t seed)
{
    (void)seed;
    static const uint8_t with_modrm[][2] = {
        { 0, 0x88 }, { 0, 0x89 }, { 0, 0x8a }, { 0, 0x8b }, { 0, 0xc6 }, { 0, 0xc7 },
        { 0, 0x63 }, { 1, 0xb6 }, { 1, 0xb7 }, { 1, 0xbe }, { 1, 0xbf }, { 1, 0x01 },
    };
    uint8_t b[BYTES];

    for (unsigned set = 0; set < PREFIX_SETS; set++)
        for (unsigned rex = 0x3f; rex < 0x50; rex++) {
            unsigned r = rex == 0x3f ? 0 : rex;

            for (unsigned opcode = 0; opcode < 512; opcode++)
                for (unsigned tail = 0; tail < 2; tail++) {
                    unsigned n = lay(b, set, r, opcode > 255, opcode & 255);

                    fill(b, n, tail);
                    check(b, true);
                }
            for (unsigned i = 0; i < sizeof with_modrm / sizeof with_modrm[0]; i++) {
                unsigned n = lay(b, set, r, with_modrm[i][0] != 0, with_modrm[i][1]);

                sweep_modrm(b, n, with_modrm[i][1]);
            }
        }
}

/* Every SIB byte under every REX and mod, with and without 67. */
static void sweep_sib(uint64_t seed)
{
    (void)seed;
    uint8_t b[BYTES];

    for (unsigned set = 0; set < 3; set += 2)
        for (unsigned rex = 0x40; rex < 0x50; rex++)
            for (unsigned mod = 0; mod < 3; mod++)
                for (unsigned sib = 0; sib < 256; sib++) {
                    unsigned n = lay(b, set, rex, false, 0x8b);

                    b[n] = (uint8_t)(mod << 6 | 0x14);
                    b[n + 1] = (uint8_t)sib;
                    fill(b, n + 2, sib & 1);
                    check(b, true);
                }
}

/* Half plain random bytes, half random prefixes before one of our opcodes. */
static void random_bytes(uint64_t seed)
{
    static const uint8_t prefixes[] = { 0x66, 0x67, 0xf2, 0xf3, 0x64, 0x65, 0x2e, 0x3e,
                                        0x40, 0x41, 0x48, 0x4c, 0x44, 0x4f, 0xf0, 0x26 };
    static const uint8_t ours[] = { 0x88, 0x89, 0x8a, 0x8b, 0xa0, 0xa1, 0xa2, 0xa3, 0xb0, 0xb4,
                                    0xb8, 0xbf, 0xc6, 0xc7, 0x63, 0xa4, 0xa5, 0xaa, 0xab, 0xac,
                                    0xad, 0x6c, 0x6d, 0x6e, 0x6f, 0xe4, 0xe5, 0xe6, 0xe7, 0xec,
                                    0xed, 0xee, 0xef, 0xf4, 0x0f, 0x0f, 0x0f };
    static const uint8_t second[] = { 0xb6, 0xb7, 0xbe, 0xbf, 0xa2, 0x30, 0x32, 0x01 };
    uint64_t state = seed;
    uint8_t b[BYTES];

    for (unsigned i = 0; i < RANDOM_CASES; i++) {
        uint64_t x = random64(&state), y = random64(&state), z = random64(&state);

        memcpy(b, &x, 8);
        memcpy(b + 8, &y, 8);
        if (i & 1) {
            unsigned n = 0, count = z & 7, llvm_too = (z >> 62) == 0;

            count = (z >> 3 & 31) == 0 ? count + 8 : count / 2;
            for (z >>= 8; n < count; n++, z >>= 3)
                b[n] = prefixes[z & 15];
            b[n] = ours[(z & 0xff) % sizeof ours];
            if (b[n] == 0x0f)
                b[n + 1] = second[z >> 8 & 7];
            check(b, llvm_too);
        } else {
            check(b, (z & 7) == 0);
        }
    }
}

static bool set_up_formatter(void)
{
    static const ZydisFormatterProperty properties[] = {
        ZYDIS_FORMATTER_PROP_HEX_UPPERCASE,         ZYDIS_FORMATTER_PROP_DISP_PADDING,
        ZYDIS_FORMATTER_PROP_IMM_PADDING,           ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE,
        ZYDIS_FORMATTER_PROP_ADDR_PADDING_RELATIVE,
    };

    if (!ZYAN_SUCCESS(ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL)) ||
        !ZYAN_SUCCESS(ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_FORCE_SIZE, 1)))
        return false;
    for (unsigned i = 0; i < sizeof properties / sizeof properties[0]; i++)
        if (!ZYAN_SUCCESS(ZydisFormatterSetProperty(&formatter, properties[i], 0)))
            return false;
    return true;
}

static bool set_up(void)
{
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86Disassembler();
    llvm = LLVMCreateDisasm("x86_64-linux-gnu", NULL, 0, NULL, NULL);
    if (llvm == NULL ||
        LLVMSetDisasmOptions(llvm, LLVMDisassembler_Option_AsmPrinterVariant) == 0) /* Intel */
        return false;
    return set_up_formatter() &&
           ZYAN_SUCCESS(ZydisDecoderInit(&zydis, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64));
}

/* One test of the closing line: all comparisons of a group. */
static void group(const char *name, void (*run)(uint64_t seed), uint64_t seed)
{
    uint64_t passed_before = passed, failed_before = failed;

    run(seed);
    printf("%s: %" PRIu64 " equal, %" PRIu64 " not\n", name, passed - passed_before,
           failed - failed_before);
    if (failed == failed_before && passed > passed_before)
        groups_passed++;
    else
        groups_failed++;
}

int main(void)
{
    const char *env = getenv("SVMC_SEED");
    uint64_t seed = 1;
    FILE *f = env ? NULL : fopen("/dev/urandom", "rb");

    if (env)
        seed = strtoull(env, NULL, 0);
    else if (f && fread(&seed, sizeof seed, 1, f) != 1)
        seed = 1;
    if (f)
        fclose(f);
    printf("seed: SVMC_SEED=0x%" PRIx64 "\n", seed);
    if (!set_up()) {
        printf("cannot set up the references\n0 passed, 1 failed, 0 skipped\n");
        return 1;
    }
    group("every opcode, prefix and ModRM", sweep_opcodes, seed);
    group("every SIB", sweep_sib, seed);
    group("random bytes", random_bytes, seed);
    LLVMDisasmDispose(llvm);
    printf("%" PRIu64 " accepted, %" PRIu64 " of them seen by LLVM, %" PRIu64
           " texts compared, %" PRIu64 " under a documented exception\n",
           accepted, by_llvm, texts, excepted);
    printf("%u passed, %u failed, 0 skipped\n", groups_passed, groups_failed);
    return groups_failed != 0;
}
