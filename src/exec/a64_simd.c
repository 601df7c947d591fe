/* SPDX-License-Identifier: MIT */
/* AArch64: SIMD structures. Rules EA-n: docs/spec/exec_a64.md. */
#include "a64_private.h"

/* Which element of memory an element of a register is (EA-13). */
struct a64_layout {
    unsigned registers, elements; /* elements: of a register */
    unsigned per;                 /* registers that share a structure; 1: one behind the other */
    unsigned bytes;               /* of an element */
    unsigned chunk;               /* of an access */
};

static unsigned a64_place_of(const struct a64_layout *l, unsigned reg, unsigned element)
{
    return (l->per == 1 ? reg * l->elements + element : element * l->per + reg) * l->bytes;
}

static unsigned a64_registers_of(unsigned id)
{
    switch (id) {
    case SVMC_A64_LD2:
    case SVMC_A64_ST2:
        return 2;
    case SVMC_A64_LD3:
    case SVMC_A64_ST3:
        return 3;
    case SVMC_A64_LD4:
    case SVMC_A64_ST4:
        return 4;
    default:
        return 1;
    }
}

/* EA-13: the number of a vector register; 31 has 0 behind it. */
static unsigned a64_number_of(const struct a64_run *e, unsigned i)
{
    return (e->insn->reg + i) & 31;
}

static const uint8_t *a64_read_register(struct a64_run *e, unsigned i)
{
    return svmc_exec_vector_read(&e->r, SVMC_REG_KIND_VECTOR, a64_number_of(e, i), 16);
}

static bool a64_write_register(struct a64_run *e, unsigned i)
{
    return svmc_exec_vector_write(&e->r, SVMC_REG_KIND_VECTOR, a64_number_of(e, i), 16);
}

/* All of the operand: each chunk begins at a multiple of 8 in the record. NULL: stop. */
static const uint8_t *a64_read_chunks(struct a64_run *e, unsigned chunk)
{
    const uint8_t *first = NULL, *data;

    for (unsigned from = 0; from < e->span.bytes; from += chunk) {
        data = svmc_exec_read_some(&e->r, &e->span, from, chunk);
        if (data == NULL)
            return NULL;
        if (from == 0)
            first = data;
    }
    return first;
}

static bool a64_write_chunks(struct a64_run *e, unsigned chunk)
{
    for (unsigned from = 0; from < e->span.bytes; from += chunk)
        if (!svmc_exec_write_some(&e->r, &e->span, from, chunk))
            return false;
    return true;
}

static bool a64_load_all(struct a64_run *e, const struct a64_layout *l)
{
    uint8_t *store = e->r.x->priv.store;
    const uint8_t *data = a64_read_chunks(e, l->chunk);
    unsigned at;

    if (data == NULL)
        return false;
    for (unsigned i = 0; i < l->registers; i++) {
        memset(store, 0, 16);
        for (unsigned k = 0; k < l->elements; k++) {
            at = a64_place_of(l, i, k);
            svmc_exec_a64_copy(e, store + k * l->bytes, data + at / l->chunk * 8 + at % l->chunk,
                               l->bytes);
        }
        if (!a64_write_register(e, i))
            return false;
    }
    return true;
}

static bool a64_store_all(struct a64_run *e, const struct a64_layout *l)
{
    uint8_t *store = e->r.x->priv.store;
    const uint8_t *data;

    for (unsigned i = 0; i < l->registers; i++) {
        data = a64_read_register(e, i);
        if (data == NULL)
            return false;
        for (unsigned k = 0; k < l->elements; k++)
            svmc_exec_a64_copy(e, store + a64_place_of(l, i, k), data + k * l->bytes, l->bytes);
    }
    return a64_write_chunks(e, l->chunk);
}

/* The others of the registers stay, so they are read before memory is. */
static bool a64_load_lane(struct a64_run *e, unsigned lane)
{
    unsigned bytes = e->insn->mem_bytes, count = e->insn->mem_count;
    uint8_t *store = e->r.x->priv.store;
    const uint8_t *before = NULL, *data;

    for (unsigned i = 0; i < count; i++) {
        data = a64_read_register(e, i);
        if (data == NULL)
            return false;
        if (i == 0)
            before = data;
    }
    data = a64_read_chunks(e, bytes);
    if (data == NULL)
        return false;
    for (unsigned i = 0; i < count; i++) {
        memcpy(store, before + 16 * i, 16);
        svmc_exec_a64_copy(e, store + lane * bytes, data + 8 * i, bytes);
        if (!a64_write_register(e, i))
            return false;
    }
    return true;
}

static bool a64_store_lane(struct a64_run *e, unsigned lane)
{
    unsigned bytes = e->insn->mem_bytes;
    const uint8_t *data;

    for (unsigned i = 0; i < e->insn->mem_count; i++) {
        data = a64_read_register(e, i);
        if (data == NULL)
            return false;
        svmc_exec_a64_copy(e, e->r.x->priv.store + i * bytes, data + lane * bytes, bytes);
    }
    return a64_write_chunks(e, bytes);
}

/* Checks that all structures share; no decode makes what it refuses. */
static bool a64_may_access(struct a64_run *e, bool sound)
{
    if (!sound || e->insn->mem_bytes - 1u >= 8)
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_NO_ROW);
    return svmc_exec_a64_may_use_vectors(e) && svmc_exec_a64_reach(e, e->insn->mem_bytes);
}

/* Bit 24 of the word: a single structure, and its lane; else registers as a whole. */
EXEC_FN bool svmc_exec_a64_structure(struct a64_run *e)
{
    const struct svmc_insn *insn = e->insn;
    bool loads = insn->access == SVMC_ACCESS_READ, one = insn->priv_raw[0] >> 24 & 1;
    unsigned bytes = insn->mem_bytes, all = bytes * insn->mem_count;
    unsigned lane = (unsigned)insn->imm & (16 / (bytes & 15u ? bytes : 16u) - 1);
    struct a64_layout l = { .per = a64_registers_of(insn->id), .bytes = bytes, .chunk = bytes };

    if (one)
        return a64_may_access(e, insn->mem_count <= 4) &&
               (loads ? a64_load_lane(e, lane) : a64_store_lane(e, lane));
    if (!a64_may_access(e, insn->reg_bytes == 8 || insn->reg_bytes == 16))
        return false;
    l.registers = all / insn->reg_bytes;
    l.elements = insn->reg_bytes / bytes;
    if (insn->mem_count > 48) /* SVMC_EXEC_ACCESSES_MAX */
        l.chunk = 2 * bytes;
    return loads ? a64_load_all(e, &l) : a64_store_all(e, &l);
}

EXEC_FN bool svmc_exec_a64_replicate(struct a64_run *e)
{
    const struct svmc_insn *insn = e->insn;
    unsigned bytes = insn->mem_bytes;
    uint8_t *store = e->r.x->priv.store;
    const uint8_t *data;

    if (!a64_may_access(e, insn->mem_count <= 4 && insn->reg_bytes <= 16))
        return false;
    data = a64_read_chunks(e, bytes);
    if (data == NULL)
        return false;
    for (unsigned i = 0; i < insn->mem_count; i++) {
        memset(store, 0, 16);
        for (unsigned k = 0; k + bytes <= insn->reg_bytes; k += bytes)
            svmc_exec_a64_copy(e, store + k, data + 8 * i, bytes);
        if (!a64_write_register(e, i))
            return false;
    }
    return true;
}
