/* SPDX-License-Identifier: MIT */
/* x86: a vector in memory, of which a mask leaves a part. Rules XE-n: docs/spec/exec.md. */
#include "x86_vec_private.h"

#define FAILED 2u /* in `fault` of the record: a callback, not the guest */

/* XE-28 */
static bool must_be_aligned(const struct vec_run *v)
{
    const struct x86_run *e = v->e;

    if (e->insn->mem_bytes < 16 || e->shape == SHAPE_VEC_STRING || e->shape == SHAPE_VEC_MASKED)
        return false;
    if (e->shape == SHAPE_VEC_MOVE && e->op <= VEC_ALIGNED && e->op != VEC_NONE)
        return e->op == VEC_ALIGNED;
    return v->encoding == X86_LEGACY;
}

static unsigned count_ones(uint64_t bits)
{
    unsigned n = 0;

    for (; bits != 0; bits &= bits - 1)
        n++;
    return n;
}

/* XE-27: the bytes of memory that lanes of the mask stand for. */
static uint64_t active_bytes(const struct vec_run *v)
{
    const struct svmc_operand *m = &v->operand[v->memory & 7]; /* clamp: below 6 */
    unsigned bytes = v->e->insn->mem_bytes & 127, size, count;
    uint64_t lanes = v->mask & vec_low_bits(v->lanes), active = 0;

    if (!v->masked || !(m->access & (SVMC_ACCESS_READ_IF | SVMC_ACCESS_WRITE_IF)))
        return vec_low_bits(bytes);
    if (m->broadcast != 0)
        return lanes != 0 ? vec_low_bits(bytes) : 0;
    if (v->e->shape == SHAPE_VEC_EXPAND)
        return vec_low_bits(count_ones(lanes) << v->e->element);
    size = v->e->shape == SHAPE_VEC_FILL ? 1u << v->e->element : bytes / v->lanes;
    if (size == 0)
        return vec_low_bits(bytes);
    count = bytes / size;
    for (unsigned i = 0; i < v->lanes; i++)
        if (lanes >> i & 1)
            active |= vec_low_bits(size) << (i % count * size);
    return active;
}

/* XE-15 of the first active byte of each page. */
static bool reach_pages(struct vec_run *v, uint64_t linear, unsigned bytes, uint32_t access)
{
    struct exec_run *r = &v->e->r;
    struct exec_span *span = &v->span;
    unsigned page = EXEC_PAGE - (unsigned)(linear & (EXEC_PAGE - 1)), second = page;

    if (bytes <= page)
        return exec_reach(r, linear, bytes, access, span);
    while (!(v->active >> (v->skipped + second) & 1)) /* the last one is */
        second++;
    span->first = page;
    span->bytes = bytes;
    if (!svmc_exec_place(r, linear, access | r->user, &span->at[0]) ||
        !svmc_exec_place(r, (linear + second) & r->linear_mask, access | r->user, &span->at[1]))
        return false;
    span->at[1] -= second - page;
    return true;
}

/* XE-13 of bytes that need not be as many as a power of two has, nor lie on a multiple of them. */
static bool reach_bytes(struct vec_run *v, uint64_t offset, unsigned bytes, uint32_t access)
{
    struct x86_run *e = v->e;
    unsigned segment = e->insn->segment;
    uint64_t linear = offset;

    if ((!e->wide || segment >= SVMC_SEG_FS || !x86_is_canonical(e, offset) ||
         !x86_is_canonical(e, offset + bytes - 1)) &&
        !svmc_exec_x86_linear_slow(e, segment, offset, bytes, access, &linear))
        return false;
    if (e->shape != SHAPE_VEC_MASKED && e->shape != SHAPE_VEC_GATHER &&
        !x86_is_aligned(e, linear - v->skipped, e->insn->mem_bytes)) /* of all of it */
        return false;
    return reach_pages(v, linear, bytes, access);
}

static uint64_t linear_of(const struct x86_run *e, uint64_t offset)
{
    if (e->wide && e->insn->segment < SVMC_SEG_FS)
        return offset;
    return (offset + e->regs->segment[core_clamp(e->insn->segment, 6)].base) & e->r.linear_mask;
}

/* The bytes from the first active one to the last: no page is touched where none lies. */
static bool reach_active(struct vec_run *v, uint64_t offset)
{
    const struct svmc_operand *m = &v->operand[v->memory & 7]; /* clamp: below 6 */
    unsigned first = 0, last = SVMC_EXEC_VEC_BYTES - 1;

    if (v->active == 0)
        return true;
    while (!(v->active >> first & 1))
        first++;
    while (!(v->active >> last & 1))
        last--;
    v->skipped = (uint8_t)first;
    return reach_bytes(v, (offset + first) & v->e->r.linear_mask, last - first + 1,
                       m->access & SVMC_ACCESS_RW);
}

bool svmc_exec_x86_vec_reach(struct vec_run *v)
{
    struct x86_run *e = v->e;
    const struct svmc_insn *insn = e->insn;
    const struct svmc_operand *m = &v->operand[v->memory & 7]; /* clamp: below 6 */
    uint64_t offset = x86_offset(e) & core_mask(insn->address_bytes);

    v->active = active_bytes(v);
    if (v->active != 0 && must_be_aligned(v) && linear_of(e, offset) % insn->mem_bytes != 0)
        return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
    if (v->masked && (m->access & (SVMC_ACCESS_READ_IF | SVMC_ACCESS_WRITE_IF)) &&
        (m->broadcast == 0 || v->active == 0) && e->shape != SHAPE_VEC_EXTRACT)
        return reach_active(v, offset);
    return x86_reach(e, insn->segment, offset, insn->mem_bytes, m->access & SVMC_ACCESS_RW,
                     &v->span);
}

bool svmc_exec_x86_vec_load(struct vec_run *v, uint8_t *to)
{
    unsigned from = 0, end, repeated = v->operand[v->memory & 7].broadcast; /* clamp: below 6 */
    unsigned bytes = v->e->insn->mem_bytes & 127;
    const uint8_t *data;

    memset(to, 0, SVMC_EXEC_VEC_BYTES);
    while (from < SVMC_EXEC_VEC_BYTES) {
        if (!(v->active >> from & 1)) {
            from++;
            continue;
        }
        for (end = from; end < SVMC_EXEC_VEC_BYTES && (v->active >> end & 1); end++)
            ;
        data = svmc_exec_read_some(&v->e->r, &v->span, from - v->skipped, end - from);
        if (data == NULL)
            return false;
        memcpy(to + from, data, end - from);
        from = end;
    }
    for (unsigned i = bytes; repeated != 0 && i < SVMC_EXEC_VEC_BYTES; i++)
        to[i] = to[i - bytes];
    return true;
}

/* ---- VMASKMOV, VPMASKMOV, MASKMOVQ: the mask is a vector's sign bits ---- */

bool svmc_exec_x86_vec_masked(struct vec_run *v)
{
    struct svmc_exec_vec_op *op = v->op;
    unsigned element = v->e->element, bytes = v->e->insn->mem_bytes & 127;
    bool stores = v->operand[v->memory & 7].access & SVMC_ACCESS_WRITE; /* clamp: below 6 */
    uint64_t offset = x86_offset(v->e) & core_mask(v->e->insn->address_bytes);

    if (!svmc_exec_x86_vec_get(v, &v->operand[1], op->b))
        return false;
    for (unsigned i = 0; i < bytes >> element; i++)
        if (vec_get_signed(op->b, i, element) < 0)
            v->active |= vec_low_bits(1u << element) << (i << element);
    memset(op->out, 0, sizeof op->out);
    if (stores && !svmc_exec_x86_vec_get(v, &v->operand[v->memory == 0 ? 2 : 0], op->out))
        return false;
    if (!reach_active(v, offset))
        return false;
    if (stores)
        return svmc_exec_x86_vec_store(v);
    return svmc_exec_x86_vec_load(v, op->out) && svmc_exec_x86_vec_finish(v);
}

/* ---- gathers and scatters ---- */

static uint64_t lane_offset(const struct vec_run *v, unsigned i)
{
    const struct svmc_insn *insn = v->e->insn;
    const struct svmc_operand *m = &v->operand[v->memory & 7]; /* clamp: below 6 */
    uint64_t at = (uint64_t)insn->disp;

    if (insn->base < 16)
        at += v->e->regs->general[insn->base & 15]; /* clamp: four bits */
    at += (uint64_t)vec_get_signed(v->op->b, i, m->lane_bytes == 8 ? ELEMENT_Q : ELEMENT_D) *
          insn->scale;
    return at & core_mask(insn->address_bytes);
}

/* One element, unless an earlier call did it: pages are known of one element at a time. */
static bool touch(struct vec_run *v, unsigned i, bool stores)
{
    struct x86_run *e = v->e;
    struct svmc_exec *x = e->r.x;
    unsigned element = e->element, bytes = 1u << element;
    uint64_t offset = lane_offset(v, i), in_page = linear_of(e, offset) & (EXEC_PAGE - 1);
    unsigned parts = in_page + bytes > EXEC_PAGE ? 2 : 1, end = e->r.step + parts;
    const bool is_new = end > x->priv.done;
    const uint8_t *data = x->priv.store;

    v->span.bytes = bytes;
    v->span.first = parts == 2 ? (uint32_t)(EXEC_PAGE - in_page) : bytes;
    if (x->priv.fault.raised && e->r.step == x->priv.fault_step)
        return false; /* met by an earlier call, which began to put away what was done */
    if (is_new) {
        v->active = vec_low_bits(bytes);
        if (!reach_bytes(v, offset, bytes, stores ? SVMC_ACCESS_WRITE : SVMC_ACCESS_READ))
            return false;
    }
    if (stores) {
        core_store_le64(x->priv.store, vec_get(v->op->a, i, element));
        if (!svmc_exec_write(&e->r, &v->span))
            data = NULL;
    } else {
        data = svmc_exec_read(&e->r, &v->span);
        if (data != NULL)
            vec_set(v->op->a, i, element, core_load_le64(data));
    }
    if (is_new && e->r.step + 1u >= end) /* its last access is made, or waits: no more of it */
        x->priv.places = 0;
    e->r.place = 0;
    return data != NULL;
}

/* XE-29: elements and their bits of the mask; of those that are not done as they were. */
static bool put_away(struct vec_run *v, const struct svmc_operand *mask, bool stores)
{
    const struct svmc_operand *data = &v->operand[0];

    if (!stores && !svmc_exec_x86_vec_put(v, data, v->op->a))
        return false;
    if (mask->reg_kind == SVMC_REG_KIND_MASK)
        core_store_le64(v->op->c, v->mask);
    return svmc_exec_x86_vec_put(v, mask, v->op->c);
}

/* What ended an element, the guest's fault or a callback that failed, waits until those before it
 * are put away; the first part of this one does not count. false: nothing is to be put away. */
static bool put_off(struct vec_run *v, unsigned done, unsigned step, unsigned filled)
{
    struct exec_run *r = &v->e->r;
    struct svmc_exec *x = r->x;
    struct svmc_exec_result *out = r->out;

    if (x->priv.fault.raised)
        return true;
    if (done == 0 && (v->encoding == X86_EVEX || r->status != SVMC_OK))
        return false;
    if (r->status == SVMC_ERR_CALLBACK)
        x->priv.fault = (struct svmc_fault){ .raised = FAILED,
                                             .vector = out->callback,
                                             .error = out->callback_status };
    else if (out->action == SVMC_EXEC_FAULT)
        x->priv.fault = out->fault;
    else
        return false;
    r->status = SVMC_OK;
    *out = (struct svmc_exec_result){ .accesses = out->accesses };
    x->priv.fault_step = x->priv.done = r->step = (uint16_t)step;
    x->priv.filled = r->filled = (uint16_t)filled;
    return true;
}

/* ... and now it counts. */
static bool end_early(struct vec_run *v)
{
    struct exec_run *r = &v->e->r;
    const struct svmc_fault *fault = &r->x->priv.fault;

    if (fault->raised == FAILED)
        return exec_fail(r, fault->vector, (enum svmc_status)fault->error);
    svmc_exec_fault(r, 0, false, 0);
    r->out->fault = *fault;
    return false;
}

static bool prepare(struct vec_run *v, const struct svmc_operand *mask, bool stores)
{
    struct svmc_exec_vec_op *op = v->op;
    const struct svmc_operand *m = &v->operand[v->memory & 7]; /* clamp: below 6 */
    const struct svmc_operand index = { .bytes = m->index_bytes,
                                        .reg_kind = SVMC_REG_KIND_VECTOR,
                                        .reg = v->e->insn->index };
    unsigned element = v->e->element, lanes;
    struct svmc_operand data = v->operand[stores ? 2 : 0], bits = *mask;

    if (!stores) /* a fault leaves them as wide as the index */
        data.bytes = bits.bytes = (uint16_t)(16u << VECTOR_LENGTH(v->e->insn->priv_raw[2]));
    lanes = bits.bytes >> element;
    if (!svmc_exec_x86_vec_get(v, &data, op->a) || !svmc_exec_x86_vec_get(v, &index, op->b))
        return false;
    memset(op->c, 0, sizeof op->c);
    if (mask->reg_kind == SVMC_REG_KIND_MASK)
        return true;
    if (!svmc_exec_x86_vec_get(v, &bits, op->c))
        return false;
    v->mask = 0;
    for (unsigned i = 0; i < 8; i++) { /* each lane becomes ones or zeros first */
        bool set = i < lanes && vec_get_signed(op->c, i, element) < 0;

        vec_set(op->c, i, element, set ? ~(uint64_t)0 : 0);
        if (set && i < m->lanes)
            v->mask |= (uint64_t)1 << i;
    }
    return true;
}

bool svmc_exec_x86_vec_gather(struct vec_run *v)
{
    struct svmc_exec_vec_op *op = v->op;
    const unsigned lanes = v->operand[v->memory & 7].lanes, element = v->e->element;
    const bool stores = v->memory == 0;
    const struct svmc_operand *mask = &v->operand[v->encoding == X86_EVEX ? 1 : 2];
    unsigned done = 0, step, filled;

    if (!prepare(v, mask, stores))
        return false;
    for (unsigned i = 0; i < lanes; i++) {
        if (!(v->mask >> i & 1))
            continue;
        step = v->e->r.step;
        filled = v->e->r.filled;
        if (!touch(v, i, stores)) {
            if (!put_off(v, done, step, filled))
                return false;
            break;
        }
        v->mask &= ~((uint64_t)1 << i);
        vec_set(op->c, i, element, 0);
        done++;
    }
    if (v->mask & vec_low_bits(lanes)) /* it ends behind what was done: first that */
        return put_away(v, mask, stores || done == 0) && end_early(v);
    v->mask = 0;
    memset(op->c, 0, sizeof op->c);
    memset(op->a + (lanes << element), 0, sizeof op->a - (lanes << element));
    return put_away(v, mask, stores);
}
