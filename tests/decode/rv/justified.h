/* SPDX-License-Identifier: MIT */
/* The differences that are not ours. For differential.c. Vol. I, II: as in src/decode/rv/rv.dat. */
#ifndef JUSTIFIED_H
#define JUSTIFIED_H

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

static const struct justified justified[] = {
    { "FENCE: fm, rs1, rd that are reserved are ignored (vol. I 2.7)", fence_fields, BOTH, MANUAL },
    { "FENCE.I: imm, rs1, rd are ignored (vol. I Zifencei)", fence_i_fields, BOTH, MANUAL },
    { "LLVM 19 has no Q", quad, OF_LLVM, OTHER },
    { "binutils 2.40 has Q for RV64 only; vol. I lists RV32Q", quad_32, BOTH, MANUAL },
    { "binutils 2.40 has no Zabha", zabha, OF_BINUTILS, OTHER },
    { "binutils 2.40 has no Zacas", zacas, OF_BINUTILS, OTHER },
    { "binutils 2.40 has no Zalasr", zalasr, OF_BINUTILS, OTHER },
    { "binutils 2.40 has no Zicfiss", zicfiss, OF_BINUTILS, OTHER },
    { "binutils 2.40 has no Zimop", zimop, OF_BINUTILS, OTHER },
    { "binutils 2.40 has no Zicond", zicond, OF_BINUTILS, OTHER },
    { "binutils 2.40 has no Zcb", zcb, OF_BINUTILS, OTHER },
    { "binutils 2.40 has no Zcmop", zcmop, OF_BINUTILS, OTHER },
    { "RV32 shifts have 5 bits of amount (vol. I 2.4, Zbb, Zbs)", long_shift, BOTH, MANUAL },
    { "RV32: C.SLLI, C.SRLI, C.SRAI with shamt[5] are custom (vol. I C)", long_c_shift, BOTH,
      MANUAL },
    { "binutils calls C.NOP with an immediate C.ADDI", c_nop_hint, OF_BINUTILS, OTHER },
    { "C.LUI, C.ADDI16SP with immediate 0 are reserved (vol. I C)", c_lui_0, BOTH, OTHER },
    { "URET went with the N extension (vol. II)", uret, OF_BINUTILS, OTHER },
    { "SFENCE.VM went with privileged version 1.10 (vol. II)", sfence_vm, OF_BINUTILS, OTHER },
    { "HRET went with privileged version 1.10 (vol. II)", hret, OF_BINUTILS, OTHER },
    { "SCTRCLR is of vol. II Smctr", sctrclr, BOTH, MANUAL },
    { "MNRET is of vol. II Smrnmi", mnret, BOTH, MANUAL },
    { "Zicfiss takes of MOP.RR.7 and MOP.R.28 what it uses; the rest is Zimop's (vol. I Zicfiss)",
      no_shadow_stack, BOTH, MANUAL },
    { "unimp is the assemblers' name of CSRRW x0, cycle, x0 (vol. I Zicsr)", unimp, BOTH, MANUAL },
    { "NOP is the manual's name of ADDI x0, x0, 0 (vol. I 2.4.3)", nop, BOTH, MANUAL },
    { "LLVM 19 calls PAUSE a FENCE", pause_hint, OF_LLVM, OTHER },
};

#endif
