/* SPDX-License-Identifier: MIT */
/** What the executor is lent: the guest's tables and memory, devices as exits: KV-32, KV-33. */
#include "finish_private.h"

#include <string.h>

#define PIECE     8u
#define PSTATE_EL 0xcu

static void *memory(const struct svmc_kvm_finish_a64 *f, svmc_gpa at, size_t n, uint32_t access)
{
    return f->priv.ops->memory(f->priv.ctx, at, n, access);
}

static enum svmc_status read_entry(void *ctx, svmc_gpa at, uint32_t bytes, uint64_t *entry)
{
    const uint64_t *from = memory(ctx, at, bytes, SVMC_ACCESS_READ);

    if (from == NULL)
        return SVMC_ERR_REFUSED; /* WK-4: an external abort on the walk */
    *entry = __atomic_load_n(from, __ATOMIC_ACQUIRE);
    return SVMC_OK;
}

static enum svmc_status mark_entry(void *ctx, svmc_gpa at, uint32_t bytes, uint64_t was,
                                   uint64_t now)
{
    uint64_t *to = memory(ctx, at, bytes, SVMC_ACCESS_RW);

    if (to == NULL)
        return SVMC_ERR_REFUSED;
    return __atomic_compare_exchange_n(to, &was, now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
               ? SVMC_OK
               : SVMC_ERR_BUSY;
}

static const struct svmc_walk_ops tables = { .size = sizeof tables,
                                             .read = read_entry,
                                             .exchange = mark_entry };

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    struct svmc_kvm_finish_a64 *f = ctx;
    struct svmc_walk_result result;
    uint32_t how = svmc_walk_access_from_exec(access, (f->priv.regs.pstate & PSTATE_EL) == 0);
    enum svmc_status st;

    st = svmc_walk_by_a64(&f->priv.walk, &tables, f, at, how, &result);
    if (st != SVMC_OK)
        return st == SVMC_ERR_BUSY ? SVMC_ERR_CALLBACK : st;
    *out = result.at;
    *fault = result.fault;
    return SVMC_OK;
}

static enum svmc_status go_through(struct svmc_kvm_finish_a64 *f, svmc_gpa at, size_t n,
                                   bool writes)
{
    const struct svmc_kvm_finish_ops *ops = f->priv.ops;
    enum svmc_status st = SVMC_OK;

    f->priv.pieces = (uint8_t)((n + PIECE - 1) / PIECE);
    for (f->priv.piece = 0; f->priv.piece < f->priv.pieces; f->priv.piece++) {
        size_t from = f->priv.piece * (size_t)PIECE, bytes = n - from < PIECE ? n - from : PIECE;
        const svmc_gpa piece = { at.v + from };

        if (writes ? ops->device_write == NULL : ops->device_read == NULL)
            return SVMC_ERR_BUSY;
        st = writes ? ops->device_write(f->priv.ctx, piece, f->priv.data + from, bytes)
                    : ops->device_read(f->priv.ctx, piece, f->priv.data + from, bytes);
        if (st != SVMC_OK)
            break;
    }
    return st;
}

static enum svmc_status read(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    struct svmc_kvm_finish_a64 *f = ctx;
    const void *from = memory(f, at, n, SVMC_ACCESS_READ);
    enum svmc_status st;

    if (n > sizeof f->priv.data)
        return SVMC_ERR_ARG;
    if (from != NULL) {
        memcpy(dst, from, n);
        if (f->priv.fetching && n <= SVMC_INSN_MAX)
            memcpy(f->priv.out.bytes, dst, n); /* read once */
        return SVMC_OK;
    }
    if (f->priv.fetching)
        return SVMC_ERR_REFUSED; /* an external abort */
    st = go_through(f, at, n, false);
    if (st == SVMC_OK)
        memcpy(dst, f->priv.data, n);
    return st;
}

static enum svmc_status write(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    struct svmc_kvm_finish_a64 *f = ctx;
    void *to = memory(f, at, n, SVMC_ACCESS_WRITE);

    if (n > sizeof f->priv.data)
        return SVMC_ERR_ARG;
    if (to != NULL) {
        memcpy(to, src, n);
        return SVMC_OK;
    }
    memcpy(f->priv.data, src, n);
    return go_through(f, at, n, true);
}

#define TRY(type)                                                                           \
    do {                                                                                    \
        type held, next;                                                                    \
        memcpy(&held, expected, sizeof held);                                               \
        memcpy(&next, desired, sizeof next);                                                \
        (void)__atomic_compare_exchange_n((type *)to, &held, next, false, __ATOMIC_SEQ_CST, \
                                          __ATOMIC_SEQ_CST);                                \
        memcpy(expected, &held, sizeof held);                                               \
    } while (0)

/* KV-33: 16 bytes, and what lies on no multiple of its width, are not exchanged here. */
static enum svmc_status exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                 size_t n)
{
    void *to = memory(ctx, at, n, SVMC_ACCESS_RW);

    if (to == NULL)
        return SVMC_ERR_UNSUPPORTED;
    if (n > 8 || (uintptr_t)to % n != 0)
        return SVMC_ERR_CALLBACK;
    if (n == 1)
        TRY(uint8_t);
    else if (n == 2)
        TRY(uint16_t);
    else if (n == 4)
        TRY(uint32_t);
    else
        TRY(uint64_t);
    return SVMC_OK;
}

static enum svmc_status vector_read(void *ctx, uint32_t kind, uint32_t number, void *dst, size_t n)
{
    return kind == SVMC_REG_KIND_VECTOR ? svmc_kvm_a64_get_vector(ctx, number, dst, n)
                                        : SVMC_ERR_REFUSED;
}

static enum svmc_status vector_write(void *ctx, uint32_t kind, uint32_t number, const void *src,
                                     size_t n)
{
    return kind == SVMC_REG_KIND_VECTOR ? svmc_kvm_a64_set_vector(ctx, number, src, n)
                                        : SVMC_ERR_REFUSED;
}

const struct svmc_exec_ops svmc_kvm_a64_exec = { .size = sizeof svmc_kvm_a64_exec,
                                                 .translate = translate,
                                                 .read = read,
                                                 .write = write,
                                                 .exchange = exchange,
                                                 .vector_read = vector_read,
                                                 .vector_write = vector_write };

void svmc_kvm_a64_ask(struct svmc_kvm_finish_a64 *f)
{
    const struct svmc_exec_wait *wait = &f->priv.exec.wait;
    struct kvm_run *run = f->priv.run;
    size_t from = f->priv.piece * (size_t)PIECE, left = wait->bytes - from;

    run->exit_reason = KVM_EXIT_MMIO;
    memset(&run->mmio, 0, sizeof run->mmio);
    run->mmio.phys_addr = wait->at + from;
    run->mmio.len = (uint32_t)(left < PIECE ? left : PIECE);
    run->mmio.is_write = wait->kind == SVMC_EXEC_WRITE;
    if (run->mmio.is_write)
        memcpy(run->mmio.data, f->priv.data + from, run->mmio.len);
}

bool svmc_kvm_a64_take(struct svmc_kvm_finish_a64 *f)
{
    const struct svmc_exec_wait *wait = &f->priv.exec.wait;
    const struct kvm_run *run = f->priv.run;
    size_t from = f->priv.piece * (size_t)PIECE, left = wait->bytes - from;

    if (wait->kind == SVMC_EXEC_READ)
        memcpy(f->priv.data + from, run->mmio.data, left < PIECE ? left : PIECE);
    return ++f->priv.piece >= f->priv.pieces;
}
