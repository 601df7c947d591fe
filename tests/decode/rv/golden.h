/* SPDX-License-Identifier: MIT */
/* Examples assembled by LLVM 19, their fields by hand from the manual. For test_rv.c. */
#ifndef GOLDEN_H
#define GOLDEN_H
#include <svmcore/insn.h>

#define NONE (-1) /* no register */

struct golden {
    char text[32];
    uint8_t xlen;
    uint32_t raw;
    uint16_t id;
    uint8_t insn_class, privilege;
    uint16_t flags;
    uint8_t access, bytes;
    int base;
    int64_t disp;
    uint8_t kind;
    int reg;
    uint8_t reg_bytes;
    int reg2, reg3;
    int64_t imm;
};

#define MEM    SVMC_CLASS_MEMORY, SVMC_PRIVILEGE_NONE
#define HYP    SVMC_CLASS_MEMORY, SVMC_PRIVILEGE_HYP
#define OTHER  SVMC_CLASS_OTHER, SVMC_PRIVILEGE_NONE
#define BRANCH SVMC_CLASS_BRANCH, SVMC_PRIVILEGE_NONE
#define SYSREG SVMC_CLASS_SYSTEM_REG
#define R      SVMC_ACCESS_READ
#define W      SVMC_ACCESS_WRITE
#define RW     SVMC_ACCESS_RW
#define W_IF   SVMC_ACCESS_WRITE_IF
#define SX     SVMC_INSN_SIGN
#define ZX     SVMC_INSN_ZERO
#define AQ     SVMC_INSN_ACQUIRE
#define RL     SVMC_INSN_RELEASE
#define LLSC   SVMC_INSN_EXCLUSIVE
#define ATOMIC SVMC_INSN_ATOMIC
#define UNPRIV SVMC_INSN_UNPRIVILEGED
#define X      SVMC_REG_KIND_GPR
#define F      SVMC_REG_KIND_VECTOR
#define NO_MEM 0, 0, NONE, 0
#define NO_REG 0, NONE, 0, NONE, NONE
#define RV(id) SVMC_RV_##id

static const struct golden goldens[] = {
    /* text, xlen, raw, id, class, privilege, flags, access, bytes, base, disp, reg: kind, number,
       bytes; reg2, reg3, imm */
    { "lui a0, 0x80000", 64, 0x80000537, RV(LUI), OTHER, 0, NO_MEM, X, 10, 8, NONE, NONE,
      -0x80000000ll },
    { "lui a0, 0x80000", 32, 0x80000537, RV(LUI), OTHER, 0, NO_MEM, X, 10, 4, NONE, NONE,
      -0x80000000ll },
    { "jal ra, -4", 64, 0xffdff0ef, RV(JAL), BRANCH, 0, 0, 0, NONE, -4, X, 1, 8, NONE, NONE, 0 },
    { "jalr ra, -8(a0)", 64, 0xff8500e7, RV(JALR), BRANCH, 0, NO_MEM, X, 1, 8, 10, NONE, -8 },
    { "beq a0, a1, -4096", 64, 0x80b50063, RV(BEQ), BRANCH, 0, 0, 0, NONE, -4096, X, 10, 8, 11,
      NONE, 0 },
    { "lw a0, -1(a1)", 64, 0xfff5a503, RV(LW), MEM, SX, R, 4, 11, -1, X, 10, 8, NONE, NONE, 0 },
    { "lw a0, -1(a1)", 32, 0xfff5a503, RV(LW), MEM, 0, R, 4, 11, -1, X, 10, 4, NONE, NONE, 0 },
    { "lwu a0, 4(a1)", 64, 0x0045e503, RV(LWU), MEM, ZX, R, 4, 11, 4, X, 10, 8, NONE, NONE, 0 },
    { "flw fa0, 4(a1)", 64, 0x0045a507, RV(FLW), MEM, 0, R, 4, 11, 4, F, 10, 4, NONE, NONE, 0 },
    { "sw a0, -2048(a1)", 64, 0x80a5a023, RV(SW), MEM, 0, W, 4, 11, -2048, X, 10, 4, NONE, NONE,
      0 },
    { "sd t6, 2047(ra)", 64, 0x7ff0bfa3, RV(SD), MEM, 0, W, 8, 1, 2047, X, 31, 8, NONE, NONE, 0 },
    { "prefetch.w -32(a0)", 64, 0xfe356013, RV(PREFETCH_W), SVMC_CLASS_PREFETCH, 0, 0, 0, 0, 10,
      -32, NO_REG, 0 },
    { "srai a0, a1, 31", 32, 0x41f5d513, RV(SRAI), OTHER, 0, NO_MEM, X, 10, 4, 11, NONE, 31 },
    { "nop", 64, 0x00000013, RV(NOP), SVMC_CLASS_NOP, 0, 0, NO_MEM, X, 0, 8, 0, NONE, 0 },
    { "clz a0, a1", 64, 0x60059513, RV(CLZ), OTHER, 0, NO_MEM, X, 10, 8, 11, NONE, 0 },
    { "add a0, a1, a2", 64, 0x00c58533, RV(ADD), OTHER, 0, NO_MEM, X, 10, 8, 11, 12, 0 },
    { "fence rw, w", 64, 0x0310000f, RV(FENCE), SVMC_CLASS_BARRIER, 0, 0, NO_MEM, NO_REG, 0x031 },
    { "fence.tso", 64, 0x8330000f, RV(FENCE_TSO), SVMC_CLASS_BARRIER, 0, 0, NO_MEM, NO_REG, 0x833 },
    { "pause", 64, 0x0100000f, RV(PAUSE), SVMC_CLASS_PAUSE, 0, 0, NO_MEM, NO_REG, 0x010 },
    { "cbo.zero (a0)", 64, 0x0045200f, RV(CBO_ZERO), SVMC_CLASS_CACHE, SVMC_PRIVILEGE_SWITCHED, 0,
      W, 0, 10, 0, NO_REG, 0 },
    { "ecall", 32, 0x00000073, RV(ECALL), SVMC_CLASS_SYSCALL, 0, 0, NO_MEM, NO_REG, 0 },
    { "ebreak", 32, 0x00100073, RV(EBREAK), SVMC_CLASS_INTERRUPT, 0, 0, NO_MEM, NO_REG, 0 },
    { "sret", 64, 0x10200073, RV(SRET), SVMC_CLASS_RETURN, SVMC_PRIVILEGE_KERNEL, 0, NO_MEM, NO_REG,
      0 },
    { "mret", 64, 0x30200073, RV(MRET), SVMC_CLASS_RETURN, SVMC_PRIVILEGE_MACHINE, 0, NO_MEM,
      NO_REG, 0 },
    { "mnret", 64, 0x70200073, RV(MNRET), SVMC_CLASS_RETURN, SVMC_PRIVILEGE_MACHINE, 0, NO_MEM,
      NO_REG, 0 },
    { "wfi", 64, 0x10500073, RV(WFI), SVMC_CLASS_IDLE, SVMC_PRIVILEGE_SWITCHED, 0, NO_MEM, NO_REG,
      0 },
    { "sctrclr", 64, 0x10400073, RV(SCTRCLR), SYSREG, SVMC_PRIVILEGE_KERNEL, 0, NO_MEM, NO_REG, 0 },
    { "sfence.vma a0, a1", 64, 0x12b50073, RV(SFENCE_VMA), SVMC_CLASS_TLB, SVMC_PRIVILEGE_KERNEL, 0,
      NO_MEM, X, 10, 8, 11, NONE, 0 },
    { "csrrw x0, satp, a0", 64, 0x18051073, RV(CSRRW), SYSREG, SVMC_PRIVILEGE_KERNEL, 0, W, 0, NONE,
      0, X, 0, 8, 10, NONE, 0x180 },
    { "csrrs a0, time, x0", 64, 0xc0102573, RV(CSRRS), SYSREG, SVMC_PRIVILEGE_SWITCHED, 0, R, 0,
      NONE, 0, X, 10, 8, 0, NONE, 0xc01 },
    { "hlvx.hu a0, (a1)", 64, 0x6435c573, RV(HLVX_HU), HYP, ZX | UNPRIV, R, 2, 11, 0, X, 10, 8,
      NONE, NONE, 0 },
    { "hlvx.wu a0, (a1)", 32, 0x6835c573, RV(HLVX_WU), HYP, UNPRIV, R, 4, 11, 0, X, 10, 4, NONE,
      NONE, 0 },
    { "hsv.d a0, (a1)", 64, 0x6ea5c073, RV(HSV_D), HYP, UNPRIV, W, 8, 11, 0, X, 10, 8, NONE, NONE,
      0 },
    { "lr.d.aq a0, (a1)", 64, 0x1405b52f, RV(LR_D), MEM, AQ | LLSC, R, 8, 11, 0, X, 10, 8, NONE,
      NONE, 0 },
    { "sc.w.aqrl a0, a2, (a1)", 64, 0x1ec5a52f, RV(SC_W), MEM, AQ | RL | LLSC, W | W_IF, 4, 11, 0,
      X, 12, 4, NONE, 10, 0 },
    { "amoswap.w.rl a0, a2, (a1)", 64, 0x0ac5a52f, RV(AMOSWAP_W), MEM, SX | RL | ATOMIC, RW, 4, 11,
      0, X, 10, 8, 12, NONE, 0 },
    { "amoswap.w.rl a0, a2, (a1)", 32, 0x0ac5a52f, RV(AMOSWAP_W), MEM, RL | ATOMIC, RW, 4, 11, 0, X,
      10, 4, 12, NONE, 0 },
    { "amocas.d a0, a2, (a1)", 64, 0x28c5b52f, RV(AMOCAS_D), MEM, ATOMIC, RW | W_IF, 8, 11, 0, X,
      10, 8, 12, NONE, 0 },
    { "amocas.d a0, a2, (a4)", 32, 0x28c7352f, RV(AMOCAS_D), MEM, ATOMIC, RW | W_IF, 8, 14, 0, X,
      10, 8, 12, NONE, 0 },
    { "amocas.w.aqrl a0, a2, (a1)", 64, 0x2ec5a52f, RV(AMOCAS_W), MEM, SX | AQ | RL | ATOMIC,
      RW | W_IF, 4, 11, 0, X, 10, 8, 12, NONE, 0 },
    { "sh.rl a0, (a1)", 64, 0x3aa5902f, RV(SH_RL), MEM, RL, W, 2, 11, 0, X, 10, 2, NONE, NONE, 0 },
    { "c.addi4spn s0, sp, 1020", 64, 0x1fe0, RV(C_ADDI4SPN), OTHER, 0, NO_MEM, X, 8, 8, 2, NONE,
      1020 },
    { "c.ld a5, 248(s0)", 64, 0x7c7c, RV(C_LD), MEM, 0, R, 8, 8, 248, X, 15, 8, NONE, NONE, 0 },
    { "c.flw fa5, 120(s0)", 32, 0x7c3c, RV(C_FLW), MEM, 0, R, 4, 8, 120, F, 15, 4, NONE, NONE, 0 },
    { "c.lw s1, 124(a0)", 64, 0x5d64, RV(C_LW), MEM, SX, R, 4, 10, 124, X, 9, 8, NONE, NONE, 0 },
    { "c.lbu s0, 3(s1)", 64, 0x80e0, RV(C_LBU), MEM, ZX, R, 1, 9, 3, X, 8, 8, NONE, NONE, 0 },
    { "c.lh s0, 2(s1)", 64, 0x84e0, RV(C_LH), MEM, SX, R, 2, 9, 2, X, 8, 8, NONE, NONE, 0 },
    { "c.addi a0, -32", 64, 0x1501, RV(C_ADDI), OTHER, 0, NO_MEM, X, 10, 8, 10, NONE, -32 },
    { "c.nop", 64, 0x0001, RV(C_NOP), SVMC_CLASS_NOP, 0, 0, NO_MEM, X, 0, 8, 0, NONE, 0 },
    { "c.li a0, -1", 64, 0x557d, RV(C_LI), OTHER, 0, NO_MEM, X, 10, 8, 0, NONE, -1 },
    { "c.lui a0, 0xfffe0", 64, 0x7501, RV(C_LUI), OTHER, 0, NO_MEM, X, 10, 8, NONE, NONE,
      -0x20000 },
    { "c.addi16sp sp, -512", 64, 0x7101, RV(C_ADDI16SP), OTHER, 0, NO_MEM, X, 2, 8, 2, NONE, -512 },
    { "c.srai s0, 31", 32, 0x847d, RV(C_SRAI), OTHER, 0, NO_MEM, X, 8, 4, 8, NONE, 31 },
    { "c.andi s0, -1", 64, 0x987d, RV(C_ANDI), OTHER, 0, NO_MEM, X, 8, 8, 8, NONE, -1 },
    { "c.and s0, s1", 64, 0x8c65, RV(C_AND), OTHER, 0, NO_MEM, X, 8, 8, 8, 9, 0 },
    { "c.not s0", 64, 0x9c75, RV(C_NOT), OTHER, 0, NO_MEM, X, 8, 8, 8, NONE, 0 },
    { "c.mop.5", 64, 0x6281, RV(C_MOP), OTHER, 0, NO_MEM, NO_REG, 0 },
    { "c.j -2048", 64, 0xb001, RV(C_J), BRANCH, 0, 0, 0, NONE, -2048, X, 0, 8, NONE, NONE, 0 },
    { "c.jal -2048", 32, 0x3001, RV(C_JAL), BRANCH, 0, 0, 0, NONE, -2048, X, 1, 4, NONE, NONE, 0 },
    { "c.beqz s0, -256", 64, 0xd001, RV(C_BEQZ), BRANCH, 0, 0, 0, NONE, -256, X, 8, 8, 0, NONE, 0 },
    { "c.bnez a5, 8", 64, 0xe781, RV(C_BNEZ), BRANCH, 0, 0, 0, NONE, 8, X, 15, 8, 0, NONE, 0 },
    { "c.slli a0, 31", 64, 0x057e, RV(C_SLLI), OTHER, 0, NO_MEM, X, 10, 8, 10, NONE, 31 },
    { "c.ldsp a0, 504(sp)", 64, 0x757e, RV(C_LDSP), MEM, 0, R, 8, 2, 504, X, 10, 8, NONE, NONE, 0 },
    { "c.fldsp ft11, 504(sp)", 64, 0x3ffe, RV(C_FLDSP), MEM, 0, R, 8, 2, 504, F, 31, 8, NONE, NONE,
      0 },
    { "c.lwsp a0, 252(sp)", 64, 0x557e, RV(C_LWSP), MEM, SX, R, 4, 2, 252, X, 10, 8, NONE, NONE,
      0 },
    { "c.jr a0", 64, 0x8502, RV(C_JR), BRANCH, 0, NO_MEM, X, 0, 8, 10, NONE, 0 },
    { "c.mv a0, a1", 64, 0x852e, RV(C_MV), OTHER, 0, NO_MEM, X, 10, 8, 0, 11, 0 },
    { "c.ebreak", 64, 0x9002, RV(C_EBREAK), SVMC_CLASS_INTERRUPT, 0, 0, NO_MEM, NO_REG, 0 },
    { "c.jalr a0", 64, 0x9502, RV(C_JALR), BRANCH, 0, NO_MEM, X, 1, 8, 10, NONE, 0 },
    { "c.add a0, a1", 64, 0x952e, RV(C_ADD), OTHER, 0, NO_MEM, X, 10, 8, 10, 11, 0 },
    { "c.sdsp a0, 504(sp)", 64, 0xffaa, RV(C_SDSP), MEM, 0, W, 8, 2, 504, X, 10, 8, NONE, NONE, 0 },
    { "c.swsp a0, 252(sp)", 64, 0xdfaa, RV(C_SWSP), MEM, 0, W, 4, 2, 252, X, 10, 4, NONE, NONE, 0 },
    { "c.fsd fs0, 248(s0)", 64, 0xbc60, RV(C_FSD), MEM, 0, W, 8, 8, 248, F, 8, 8, NONE, NONE, 0 },
};

/* Immediates as the manual draws them: the bits of `field`, from the highest, are these bits. */
struct drawn {
    char text[16];
    uint8_t xlen;
    uint32_t raw, field;
    uint32_t others;  /* bits of registers */
    int8_t order[20]; /* ends where field does */
    int8_t sign;      /* the bit that is extended; -1: none */
    uint8_t of_upper; /* what bit 0 of the immediate counts is this bit of the value */
};

static const struct drawn drawn[] = {
    { "lw",
      64,
      0x00002003,
      0xfff00000,
      0x000f8f80,
      { 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0 },
      11,
      0 },
    { "sw",
      64,
      0x00002023,
      0xfe000f80,
      0x01ff8000,
      { 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0 },
      11,
      0 },
    { "beq",
      64,
      0x00000063,
      0xfe000f80,
      0x01ff8000,
      { 12, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 11 },
      12,
      0 },
    { "jal",
      64,
      0x0000006f,
      0xfffff000,
      0x00000f80,
      { 20, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 11, 19, 18, 17, 16, 15, 14, 13, 12 },
      20,
      0 },
    { "lui",
      64,
      0x00000037,
      0xfffff000,
      0x00000f80,
      { 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0 },
      19,
      12 },
    { "slli", 64, 0x00009093, 0x03f00000, 0x000f8f80, { 5, 4, 3, 2, 1, 0 }, -1, 0 },
    { "csrrw",
      64,
      0x00009073,
      0xfff00000,
      0x000f8f80,
      { 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0 },
      -1,
      0 },
    { "prefetch.i", 64, 0x00006013, 0xfe000000, 0x000f8000, { 11, 10, 9, 8, 7, 6, 5 }, 11, 0 },
    { "c.addi4spn", 64, 0x0000, 0x1fe0, 0x001c, { 5, 4, 9, 8, 7, 6, 2, 3 }, -1, 0 },
    { "c.lw", 64, 0x4000, 0x1c60, 0x039c, { 5, 4, 3, 2, 6 }, -1, 0 },
    { "c.ld", 64, 0x6000, 0x1c60, 0x039c, { 5, 4, 3, 7, 6 }, -1, 0 },
    { "c.lbu", 64, 0x8000, 0x0060, 0x039c, { 0, 1 }, -1, 0 },
    { "c.lhu", 64, 0x8400, 0x0020, 0x039c, { 1 }, -1, 0 },
    { "c.addi", 64, 0x0081, 0x107c, 0x0f80, { 5, 4, 3, 2, 1, 0 }, 5, 0 },
    { "c.addiw", 64, 0x2081, 0x107c, 0x0f00, { 5, 4, 3, 2, 1, 0 }, 5, 0 },
    { "c.bnez", 64, 0xe001, 0x1c7c, 0x0380, { 8, 4, 3, 7, 6, 2, 1, 5 }, 8, 0 },
    { "c.flwsp", 32, 0x6002, 0x107c, 0x0f80, { 5, 4, 3, 2, 7, 6 }, -1, 0 },
    { "c.slli", 64, 0x0082, 0x107c, 0x0f80, { 5, 4, 3, 2, 1, 0 }, -1, 0 },
    { "c.lui", 64, 0x6081, 0x107c, 0x0f80, { 17, 16, 15, 14, 13, 12 }, 17, 0 },
    { "c.addi16sp", 64, 0x6101, 0x107c, 0, { 9, 4, 6, 8, 7, 5 }, 9, 0 },
    { "c.j", 64, 0xa001, 0x1ffc, 0, { 11, 4, 9, 8, 10, 6, 7, 3, 2, 1, 5 }, 11, 0 },
    { "c.beqz", 64, 0xc001, 0x1c7c, 0x0380, { 8, 4, 3, 7, 6, 2, 1, 5 }, 8, 0 },
    { "c.lwsp", 64, 0x4082, 0x107c, 0x0f80, { 5, 4, 3, 2, 7, 6 }, -1, 0 },
    { "c.ldsp", 64, 0x6082, 0x107c, 0x0f80, { 5, 4, 3, 8, 7, 6 }, -1, 0 },
    { "c.swsp", 64, 0xc002, 0x1f80, 0x007c, { 5, 4, 3, 2, 7, 6 }, -1, 0 },
    { "c.sdsp", 64, 0xe002, 0x1f80, 0x007c, { 5, 4, 3, 8, 7, 6 }, -1, 0 },
};

#endif
