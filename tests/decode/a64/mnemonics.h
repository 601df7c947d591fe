/* SPDX-License-Identifier: MIT */
/** The mnemonics of the load/store, branch and system groups, as assemblers spell them. */
#ifndef A64_MNEMONICS_H
#define A64_MNEMONICS_H
#include <stddef.h>
#include <stdint.h>

/* The order of the operands. */
enum syntax {
    PLAIN,        /* nothing that is compared */
    LOAD,         /* reg, mem */
    PAIR,         /* reg, reg2, mem */
    STATUS,       /* reg3, reg, mem */
    STATUS_PAIR,  /* reg3, reg, reg2, mem */
    ATOMIC,       /* reg2, reg, mem */
    ATOMIC_LONE,  /* reg2, mem; reg is ZR */
    PAIRS,        /* reg2, -, reg, -, mem */
    LIST,         /* {list}, mem */
    PREFETCH,     /* operation, mem */
    RANGE,        /* operation, reg, mem */
    COPY,         /* [base]!, [reg]!, reg2! */
    SET,          /* [base]!, reg2!, reg */
    JUMP,         /* target */
    JUMP_COND,    /* target; the condition is in the mnemonic */
    JUMP_ZERO,    /* reg, target */
    JUMP_BIT,     /* reg, #bit, target */
    JUMP_REG,     /* reg, reg2: both may be missing */
    NUMBER,       /* #imm */
    REGISTER,     /* reg */
    FIXED,        /* imm is `number` */
    HINT,         /* #imm, or known by its name */
    BARRIER,      /* an option */
    READ_SYSTEM,  /* reg, name */
    WRITE_SYSTEM, /* name, reg or name, #imm */
    STREAMING,    /* smstart, smstop */
    SYSTEM,       /* #op1, Cn, Cm, #op2, reg, reg2 */
    SYSTEM_READ,  /* reg, #op1, Cn, Cm, #op2 */
    SYSTEM_NAMED  /* name, reg, reg2: each may be missing */
};

struct mnemonic {
    char name[16];
    uint16_t id, flags;
    uint8_t syntax, access, bytes, insn_class, number;
};

/** Once, before the first mnemonic_find. */
void mnemonics_init(void);

/** The mnemonic s[n], or NULL. */
const struct mnemonic *mnemonic_find(const char *s, size_t n);

/** FNV-1a. */
uint64_t text_hash(uint64_t h, const char *s, size_t n);
#define TEXT_HASH_START 0xcbf29ce484222325u

#endif
