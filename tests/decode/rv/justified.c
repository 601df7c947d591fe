/* SPDX-License-Identifier: MIT */
/*
 * The justified differences, for words and parcels of RISC-V. Vol. I, II: as in
 * src/decode/rv/rv.dat. Extensions and sections by name: page numbers move between editions.
 */
#include "justified.h"

#define BOTH (BY_LLVM | BY_BINUTILS)

static bool is4(const struct word *w, uint32_t mask, uint32_t match)
{
    return w->length == 4 && (w->raw & mask) == match;
}

static bool is2(const struct word *w, uint32_t mask, uint32_t match)
{
    return w->length == 2 && (w->raw & mask) == match;
}

static bool fence_fields(const struct word *w)
{
    return is4(w, 0x707f, 0x000f) && (w->raw & 0xf00f8f80) != 0;
}

static bool fence_i_fields(const struct word *w)
{
    return is4(w, 0x707f, 0x100f) && (w->raw & 0xffff8f80) != 0;
}

static bool quad(const struct word *w)
{
    return is4(w, 0x705f, 0x4007) && w->xlen == 64;
}

static bool quad_32(const struct word *w)
{
    return is4(w, 0x705f, 0x4007) && w->xlen == 32;
}

static bool zabha(const struct word *w)
{
    return is4(w, 0x607f, 0x002f);
}

static bool zacas(const struct word *w)
{
    return is4(w, 0xf800007f, 0x2800002f);
}

static bool zalasr(const struct word *w)
{
    return is4(w, 0xf000007f, 0x3000002f);
}

static bool zicfiss(const struct word *w)
{
    return is4(w, 0xf800007f, 0x4800002f);
}

static bool zimop(const struct word *w)
{
    return is4(w, 0xb000707f, 0x80004073);
}

static bool zicond(const struct word *w)
{
    return is4(w, 0xfe00507f, 0x0e005033);
}

static bool zcb(const struct word *w)
{
    return is2(w, 0xf003, 0x8000) || is2(w, 0xfc43, 0x9c41);
}

static bool zcmop(const struct word *w)
{
    return is2(w, 0xf8ff, 0x6081);
}

/* Both references print them: llvm-project issue 164186, riscv-binutils-gdb issue 172. */
static bool long_shift(const struct word *w)
{
    return w->xlen == 32 && is4(w, 0x0200307f, 0x02001013);
}

static bool long_c_shift(const struct word *w)
{
    return w->xlen == 32 && (is2(w, 0xf003, 0x1002) || is2(w, 0xf803, 0x9001));
}

static bool c_nop_hint(const struct word *w)
{
    return is2(w, 0xef83, 0x0001);
}

static bool c_lui_0(const struct word *w)
{
    return is2(w, 0xf07f, 0x6001);
}

static bool uret(const struct word *w)
{
    return is4(w, ~0u, 0x00200073);
}

static bool sfence_vm(const struct word *w)
{
    return is4(w, 0xfff07fff, 0x10400073);
}

static bool sctrclr(const struct word *w)
{
    return is4(w, ~0u, 0x10400073);
}

static bool mnret(const struct word *w)
{
    return is4(w, ~0u, 0x70200073);
}

/* MOP.RR.7 and MOP.R.28 to x0 that are neither SSPUSH nor SSPOPCHK of x1 or x5. */
static bool no_shadow_stack(const struct word *w)
{
    return is4(w, 0xfe007fff, 0xce004073) || is4(w, 0xfff07fff, 0xcdc04073);
}

static bool unimp(const struct word *w)
{
    return is4(w, ~0u, 0xc0001073);
}

static bool hret(const struct word *w)
{
    return is4(w, ~0u, 0x20200073);
}

static bool pause_hint(const struct word *w)
{
    return is4(w, ~0u, 0x0100000f);
}

static bool nop(const struct word *w)
{
    return is4(w, ~0u, 0x00000013);
}

const struct justified justified[] = {
    { "FENCE: fm, rs1, rd that are reserved are ignored", BOTH, 0, A_REFUSE, fence_fields,
      "vol. I RV32I 2.7" },
    { "FENCE.I: imm, rs1, rd are ignored", BOTH, 0, A_REFUSE, fence_i_fields, "vol. I Zifencei" },
    { "LLVM 19 has no Q", BY_LLVM, BY_BINUTILS, A_REFUSE, quad, "vol. I Q" },
    { "binutils 2.40 has Q for RV64 only", BOTH, 0, A_REFUSE, quad_32, "vol. I RV32Q" },
    { "binutils 2.40 has no Zabha", BY_BINUTILS, BY_LLVM, A_REFUSE, zabha, "vol. I Zabha" },
    { "binutils 2.40 has no Zacas", BY_BINUTILS, BY_LLVM, A_REFUSE, zacas, "vol. I Zacas" },
    { "binutils 2.40 has no Zalasr", BY_BINUTILS, BY_LLVM, A_REFUSE, zalasr, "Zalasr 1.0" },
    { "binutils 2.40 has no Zicfiss", BY_BINUTILS, BY_LLVM, A_REFUSE, zicfiss, "vol. I Zicfiss" },
    { "binutils 2.40 has no Zimop", BY_BINUTILS, BY_LLVM, A_REFUSE, zimop, "vol. I Zimop" },
    { "binutils 2.40 has no Zicond", BY_BINUTILS, BY_LLVM, A_REFUSE, zicond, "vol. I Zicond" },
    { "binutils 2.40 has no Zcb", BY_BINUTILS, BY_LLVM, A_REFUSE, zcb, "vol. I Zcb" },
    { "binutils 2.40 has no Zcmop", BY_BINUTILS, BY_LLVM, A_REFUSE, zcmop, "vol. I Zcmop" },
    { "RV32 shifts have 5 bits of amount", BOTH, 0, A_ACCEPT, long_shift,
      "vol. I RV32I 2.4, Zbb, Zbs" },
    { "RV32: C.SLLI, C.SRLI, C.SRAI with shamt[5] are custom", BOTH, 0, A_ACCEPT, long_c_shift,
      "vol. I C" },
    { "binutils calls C.NOP with an immediate C.ADDI", BY_BINUTILS, BY_LLVM, A_ID, c_nop_hint,
      "vol. I C" },
    { "C.LUI, C.ADDI16SP with immediate 0 are reserved", BOTH, BOTH, A_ACCEPT, c_lui_0,
      "vol. I C" },
    { "URET went with the N extension", BY_BINUTILS, BY_LLVM, A_ACCEPT, uret, "vol. II" },
    { "SFENCE.VM went with privileged version 1.10", BY_BINUTILS, BY_LLVM, A_ACCEPT, sfence_vm,
      "vol. II" },
    { "HRET went with privileged version 1.10", BY_BINUTILS, BY_LLVM, A_ACCEPT, hret, "vol. II" },
    { "SCTRCLR is newer than both", BOTH, 0, A_REFUSE | A_OTHER, sctrclr, "vol. II Smctr" },
    { "MNRET is newer than both", BOTH, 0, A_REFUSE, mnret, "vol. II Smrnmi" },
    { "Zicfiss takes of MOP.RR.7 and MOP.R.28 what it uses; the rest is Zimop's", BOTH, 0, A_REFUSE,
      no_shadow_stack, "vol. I Zicfiss" },
    { "unimp is the assemblers' name of CSRRW x0, cycle, x0", BOTH, 0, A_OTHER, unimp,
      "vol. I Zicsr" },
    { "NOP is the manual's name of ADDI x0, x0, 0", BOTH, 0, A_ID, nop, "vol. I RV32I 2.4" },
    { "LLVM 19 calls PAUSE a FENCE", BY_LLVM, BY_BINUTILS, A_ID, pause_hint, "vol. I Zihintpause" },
};
JUSTIFIED_END("tests/decode/rv/justified.c");
