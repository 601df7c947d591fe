/* SPDX-License-Identifier: MIT */
/* x86: what is done to each element of two vectors. Rules XE-n: docs/spec/exec.md. */
#include "x86_vec_private.h"

static uint64_t lane(unsigned op, uint64_t a, uint64_t b)
{
    switch (op) {
    case VEC_XOR:
        return a ^ b;
    default:
        return a + b;
    }
}

EXEC_FN void svmc_exec_x86_vec_lanes(const struct vec_run *v)
{
    struct svmc_exec_vec_op *op = v->op;
    unsigned element = v->e->element;

    for (unsigned i = 0; i < (unsigned)v->bytes >> element; i++)
        vec_set(op->out, i, element,
                lane(v->e->op, vec_get(op->a, i, element), vec_get(op->b, i, element)));
}
