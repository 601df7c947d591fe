/* SPDX-License-Identifier: MIT */
/*
 * Each operation is one block of assembly: the host's x87 is put away (FNSAVE), the guest's ST(0)
 * and control word are loaded with FRSTOR, the instruction is executed with the operand as the
 * guest's memory has it, and what it left is taken with FNSAVE, which no pending exception stops.
 * XE-55 of docs/spec/exec.md.
 */
#include "x87.h"
#include "../../core/memory.h"

/* SDM vol. 1 figure 8-9, and the registers behind it. */
struct image {
    uint16_t control, ones1, status, ones2, tags, ones3;
    uint32_t pointers[4];
    uint8_t st[8][10];
};
_Static_assert(sizeof(struct image) == 108, "FNSAVE writes as many bytes");

#define TAGS_ST0 0xfffcu /* the first is not empty; its tag is found by what it holds */

/* What the compiler keeps in the x87 is put away as well; no other register is used. */
#define CASE(id, width, text)                                        \
    case SVMC_EXEC_VEC_X87_##id << 4 | (width):                      \
        __asm__ volatile("fnsave %0\n\tfrstor %1\n\t" text " %2\n\t" \
                         "fnsave %1\n\tfrstor %0"                    \
                         : "=m"(host), "+m"(guest)                   \
                         : "m"(op->b));                              \
        break;
#define FLOAT(id, text)   CASE(id, 4, text "s") CASE(id, 8, text "l")
#define INTEGER(id, text) CASE(INT_##id, 2, text "s") CASE(INT_##id, 4, text "l")

enum svmc_status svmc_x86vec_x87(struct svmc_exec_vec_op *op)
{
    struct image host, guest;

    memset(&guest, 0, sizeof guest);
    guest.control = (uint16_t)op->mxcsr;
    guest.tags = TAGS_ST0;
    memcpy(guest.st[0], op->a, sizeof guest.st[0]);
    if (op->bytes > 8)
        return SVMC_ERR_UNSUPPORTED;
    switch (op->operation << 4 | op->bytes) {
        FLOAT(ADD, "fadd")
        FLOAT(MUL, "fmul")
        FLOAT(COM, "fcom")
        FLOAT(SUB, "fsub")
        FLOAT(SUBR, "fsubr")
        FLOAT(DIV, "fdiv")
        FLOAT(DIVR, "fdivr")
        INTEGER(ADD, "fiadd")
        INTEGER(MUL, "fimul")
        INTEGER(COM, "ficom")
        INTEGER(SUB, "fisub")
        INTEGER(SUBR, "fisubr")
        INTEGER(DIV, "fidiv")
        INTEGER(DIVR, "fidivr")
    default:
        return SVMC_ERR_UNSUPPORTED;
    }
    memset(op->out, 0, sizeof op->out);
    memcpy(op->out, guest.st[0], sizeof guest.st[0]);
    op->mxcsr = (op->mxcsr & 0xffff) | (uint32_t)guest.status << 16;
    return SVMC_OK;
}
