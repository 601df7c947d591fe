/* SPDX-License-Identifier: MIT */
/** x86: vectors: what the files of x86_vec.def and of floating point share. */
#ifndef EXEC_X86_VEC_PRIVATE_H
#define EXEC_X86_VEC_PRIVATE_H
#include "x86_private.h"

/* The column `operation` of x86_vec.def. */
enum vec_operation {
    VEC_NONE = 0,
    VEC_ANY_PLACE, /* MOVE */
    VEC_ALIGNED,
    VEC_ADD, /* LANES */
    VEC_XOR
};

#define VEC_NO_MEMORY 0xffu

/* An instruction's operands, and what its mask says. Their values lie in the record's `vec`. */
struct vec_run {
    struct x86_run *e;
    struct svmc_exec_vec_op *op;  /* a, b, c: what it reads, in order */
    struct svmc_operand *operand; /* in Intel order */
    uint64_t mask;                /* EVEX: of the elements, else all ones */
    struct exec_span span;        /* of memory */
    uint8_t count;                /* of operands */
    uint8_t memory;               /* which one; VEC_NO_MEMORY */
    uint8_t encoding;             /* enum x86_encoding */
    uint8_t bytes;                /* of the result */
    uint8_t low;                  /* of memory, the first byte that is touched */
    bool masked, merging;
};

static inline uint64_t vec_get(const uint8_t *v, unsigned i, unsigned element)
{
    switch (element) {
    case ELEMENT_B:
        return v[i];
    case ELEMENT_W:
        return core_load_le16(v + 2 * i);
    case ELEMENT_D:
        return core_load_le32(v + 4 * i);
    default:
        return core_load_le64(v + 8 * i);
    }
}

static inline void vec_set(uint8_t *v, unsigned i, unsigned element, uint64_t value)
{
    switch (element) {
    case ELEMENT_B:
        v[i] = (uint8_t)value;
        return;
    case ELEMENT_W:
        core_store_le16(v + 2 * i, (uint16_t)value);
        return;
    case ELEMENT_D:
        core_store_le32(v + 4 * i, (uint32_t)value);
        return;
    default:
        core_store_le64(v + 8 * i, value);
        return;
    }
}

/*
 * The way of a vector instruction, in this order; false: stop. open: whether it may run at all
 * (XE-27), its operands and its mask. reach: its operand in memory. read: everything that it reads,
 * to op->a, b, c. finish: op->out to where it belongs, by the mask.
 */
EXEC_FN bool svmc_exec_x86_vec_open(struct vec_run *v, struct x86_run *e);
EXEC_FN bool svmc_exec_x86_vec_reach(struct vec_run *v);
EXEC_FN bool svmc_exec_x86_vec_read(struct vec_run *v);
EXEC_FN bool svmc_exec_x86_vec_finish(struct vec_run *v);

/* op->out from op->a, b, c. */
EXEC_FN void svmc_exec_x86_vec_lanes(const struct vec_run *v);

#endif
