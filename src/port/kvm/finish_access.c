/* SPDX-License-Identifier: MIT */
/** What the executor is lent: the guest's tables, its memory, devices as exits, its registers. */
#include "finish_private.h"

#include <string.h>

#define PIECE     8u /* bytes of one access of a device: as KVM cuts them */
#define PIO_PAGE  4096u
#define VECTOR_PF 14u
#define PF_WRITE  2u
#define PF_USER   4u
#define PF_FETCH  16u

static void *memory(const struct svmc_kvm_finish *f, svmc_gpa at, size_t n, uint32_t access)
{
    return f->priv.ops->memory(f->priv.ctx, at, n, access);
}

/* WK-4: the processor loads an entry at once, and so does this. */
static enum svmc_status read_entry(void *ctx, svmc_gpa at, uint32_t bytes, uint64_t *entry)
{
    struct svmc_kvm_finish *f = ctx;
    const void *from = memory(f, at, bytes, SVMC_ACCESS_READ);

    if (from == NULL) {
        f->priv.refused = 1;
        return SVMC_ERR_REFUSED;
    }
    *entry = bytes == 4 ? __atomic_load_n((const uint32_t *)from, __ATOMIC_ACQUIRE)
                        : __atomic_load_n((const uint64_t *)from, __ATOMIC_ACQUIRE);
    return SVMC_OK;
}

/* KV-18 */
static enum svmc_status mark_entry(void *ctx, svmc_gpa at, uint32_t bytes, uint64_t was,
                                   uint64_t now)
{
    struct svmc_kvm_finish *f = ctx;
    void *to = memory(f, at, bytes, SVMC_ACCESS_RW);
    uint32_t was_4 = (uint32_t)was;
    bool done;

    if (to == NULL) { /* tables in read-only memory */
        f->priv.refused = 1;
        return SVMC_ERR_REFUSED;
    }
    done = bytes == 4 ? __atomic_compare_exchange_n((uint32_t *)to, &was_4, (uint32_t)now, false,
                                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
                      : __atomic_compare_exchange_n((uint64_t *)to, &was, now, false,
                                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return done ? SVMC_OK : SVMC_ERR_BUSY;
}

static const struct svmc_walk_ops tables = { .size = sizeof tables,
                                             .read = read_entry,
                                             .exchange = mark_entry };

/* KV-19 */
static enum svmc_status ask_kvm(struct svmc_kvm_finish *f, svmc_gva at, uint32_t access,
                                svmc_gpa *out, struct svmc_fault *fault)
{
    struct kvm_translation where = { .linear_address = at.v };

    if (svmc_kvm_ask(f->priv.vcpu, KVM_TRANSLATE, &where) != 0)
        return SVMC_ERR_CALLBACK;
    if (where.valid) {
        out->v = where.physical_address;
        return SVMC_OK;
    }
    *fault = (struct svmc_fault){ .raised = 1, .vector = VECTOR_PF, .has_error = 1 };
    fault->address = at.v;
    fault->error = (access & SVMC_ACCESS_WRITE ? PF_WRITE : 0) |
                   (access & SVMC_EXEC_USER ? PF_USER : 0) |
                   (access & SVMC_EXEC_EXECUTE ? PF_FETCH : 0);
    return SVMC_OK;
}

/* KV-18: the access of a program has the rights of its ring; what the processor reads, its own. */
static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    struct svmc_kvm_finish *f = ctx;
    struct svmc_walk_result result;
    enum svmc_status st;
    uint32_t how = svmc_walk_access_from_exec(access, f->priv.regs.cpl == 3);

    if (f->priv.flags & SVMC_KVM_FINISH_TRANSLATE)
        return ask_kvm(f, at, access, out, fault);
    st = svmc_walk_by_x86(&f->priv.walk, &tables, f, at, how, &result);
    if (st != SVMC_OK)
        return st == SVMC_ERR_BUSY ? SVMC_ERR_CALLBACK : st;
    *out = result.at;
    *fault = result.fault;
    return SVMC_OK;
}

/* KV-17: pieces by the VMM's function; BUSY: f->priv.piece and those behind it by exits. */
static enum svmc_status go_through(struct svmc_kvm_finish *f, svmc_gpa at, size_t n, bool writes)
{
    const struct svmc_kvm_finish_ops *ops = f->priv.ops;
    enum svmc_status st = SVMC_OK;

    f->priv.pieces = (uint8_t)((n + PIECE - 1) / PIECE);
    for (f->priv.piece = 0; st == SVMC_OK && f->priv.piece < f->priv.pieces; f->priv.piece++) {
        size_t from = f->priv.piece * (size_t)PIECE, bytes = n - from < PIECE ? n - from : PIECE;
        svmc_gpa piece = { at.v + from };

        if (f->priv.by_exits || (writes ? ops->device_write == NULL : ops->device_read == NULL))
            st = SVMC_ERR_BUSY;
        else
            st = writes ? ops->device_write(f->priv.ctx, piece, f->priv.data + from, bytes)
                        : ops->device_read(f->priv.ctx, piece, f->priv.data + from, bytes);
        if (st != SVMC_OK)
            break;
    }
    return st;
}

static enum svmc_status read(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    struct svmc_kvm_finish *f = ctx;
    const void *from = memory(f, at, n, SVMC_ACCESS_READ);
    enum svmc_status st;

    if (n > sizeof f->priv.data || (from == NULL && f->priv.fetching)) {
        f->priv.refused = 1;
        return SVMC_ERR_REFUSED;
    }
    if (from != NULL) {
        memcpy(dst, from, n);
        if (f->priv.fetching && n <= SVMC_INSN_MAX - f->priv.out.count) {
            memcpy(f->priv.out.bytes + f->priv.out.count, dst, n);
            f->priv.out.count = (uint8_t)(f->priv.out.count + n);
        }
        return SVMC_OK;
    }
    st = go_through(f, at, n, false);
    if (st == SVMC_OK)
        memcpy(dst, f->priv.data, n);
    return st;
}

static enum svmc_status write(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    struct svmc_kvm_finish *f = ctx;
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

/* KV-20: LOCK CMPXCHG of this processor does it, at any address but 16 bytes, which the guest's
 * own alignment check keeps in place. */
#define TRY(type, suffix)                                         \
    do {                                                          \
        type held, next;                                          \
        memcpy(&held, expected, sizeof held);                     \
        memcpy(&next, desired, sizeof next);                      \
        __asm__ volatile("lock cmpxchg" suffix " %2, %1"          \
                         : "+a"(held), "+m"(*(volatile type *)to) \
                         : "q"(next)                              \
                         : "memory", "cc");                       \
        memcpy(expected, &held, sizeof held);                     \
    } while (0)

static void try_16(void *to, void *expected, const void *desired)
{
    uint64_t held[2], next[2];

    memcpy(held, expected, sizeof held);
    memcpy(next, desired, sizeof next);
    __asm__ volatile("lock cmpxchg16b %2"
                     : "+a"(held[0]), "+d"(held[1]), "+m"(*(volatile uint64_t(*)[2])to)
                     : "b"(next[0]), "c"(next[1])
                     : "memory", "cc");
    memcpy(expected, held, sizeof held);
}

static enum svmc_status exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                 size_t n)
{
    struct svmc_kvm_finish *f = ctx;
    void *to = memory(f, at, n, SVMC_ACCESS_RW);

    if (to == NULL && (memory(f, at, 1, SVMC_ACCESS_RW) != NULL ||
                       memory(f, (svmc_gpa){ at.v + n - 1 }, 1, SVMC_ACCESS_RW) != NULL))
        return SVMC_ERR_CALLBACK; /* some of it is memory: not torn */
    if (to == NULL)
        return SVMC_ERR_UNSUPPORTED; /* a device: read, then written, as KVM does */
    switch (n) {
    case 1:
        TRY(uint8_t, "b");
        return SVMC_OK;
    case 2:
        TRY(uint16_t, "w");
        return SVMC_OK;
    case 4:
        TRY(uint32_t, "l");
        return SVMC_OK;
    case 8:
        TRY(uint64_t, "q");
        return SVMC_OK;
    case 16:
        if ((uintptr_t)to % 16 != 0)
            return SVMC_ERR_CALLBACK;
        try_16(to, expected, desired);
        return SVMC_OK;
    default:
        return SVMC_ERR_CALLBACK;
    }
}

static enum svmc_status port_read(void *ctx, uint32_t port, void *dst, size_t n)
{
    struct svmc_kvm_finish *f = ctx;

    f->priv.piece = 0;
    f->priv.pieces = 1;
    return f->priv.ops->port_read == NULL ? SVMC_ERR_BUSY
                                          : f->priv.ops->port_read(f->priv.ctx, port, dst, n);
}

static enum svmc_status port_write(void *ctx, uint32_t port, const void *src, size_t n)
{
    struct svmc_kvm_finish *f = ctx;

    f->priv.piece = 0;
    f->priv.pieces = 1;
    if (n <= sizeof f->priv.data)
        memcpy(f->priv.data, src, n);
    return f->priv.ops->port_write == NULL ? SVMC_ERR_BUSY
                                           : f->priv.ops->port_write(f->priv.ctx, port, src, n);
}

static enum svmc_status vector_read(void *ctx, uint32_t kind, uint32_t number, void *dst, size_t n)
{
    return svmc_kvm_finish_get_vector(ctx, kind, number, dst, n) ? SVMC_OK : SVMC_ERR_REFUSED;
}

static enum svmc_status vector_write(void *ctx, uint32_t kind, uint32_t number, const void *src,
                                     size_t n)
{
    return svmc_kvm_finish_set_vector(ctx, kind, number, src, n) ? SVMC_OK : SVMC_ERR_REFUSED;
}

static enum svmc_status vec_op(void *ctx, struct svmc_exec_vec_op *op)
{
    struct svmc_kvm_finish *f = ctx;

    return f->priv.ops->vec_op == NULL ? SVMC_ERR_UNSUPPORTED
                                       : f->priv.ops->vec_op(f->priv.ctx, op);
}

const struct svmc_exec_ops svmc_kvm_finish_exec = {
    .size = sizeof svmc_kvm_finish_exec,
    .translate = translate,
    .read = read,
    .write = write,
    .exchange = exchange,
    .port_read = port_read,
    .port_write = port_write,
    .vector_read = vector_read,
    .vector_write = vector_write,
    .vec_op = vec_op,
};

void svmc_kvm_finish_ask(struct svmc_kvm_finish *f)
{
    const struct svmc_exec_wait *wait = &f->priv.exec.wait;
    struct kvm_run *run = f->priv.run;
    size_t from = f->priv.piece * (size_t)PIECE, left = wait->bytes - from;
    const bool writes = wait->kind == SVMC_EXEC_WRITE || wait->kind == SVMC_EXEC_PORT_OUT;

    if (wait->kind == SVMC_EXEC_PORT_IN || wait->kind == SVMC_EXEC_PORT_OUT) {
        run->exit_reason = KVM_EXIT_IO;
        run->io.direction = writes ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN;
        run->io.size = (uint8_t)wait->bytes;
        run->io.port = (uint16_t)wait->number;
        run->io.count = 1;
        run->io.data_offset = PIO_PAGE;
        memset((uint8_t *)run + PIO_PAGE, 0, PIECE);
        if (writes)
            memcpy((uint8_t *)run + PIO_PAGE, f->priv.data, wait->bytes);
        return;
    }
    run->exit_reason = KVM_EXIT_MMIO;
    memset(&run->mmio, 0, sizeof run->mmio);
    run->mmio.phys_addr = wait->at + from;
    run->mmio.len = (uint32_t)(left < PIECE ? left : PIECE);
    run->mmio.is_write = writes;
    if (writes)
        memcpy(run->mmio.data, f->priv.data + from, run->mmio.len);
}

bool svmc_kvm_finish_take(struct svmc_kvm_finish *f)
{
    const struct svmc_exec_wait *wait = &f->priv.exec.wait;
    const struct kvm_run *run = f->priv.run;
    size_t from = f->priv.piece * (size_t)PIECE, left = wait->bytes - from;

    if (wait->kind == SVMC_EXEC_PORT_IN)
        memcpy(f->priv.data, (const uint8_t *)run + PIO_PAGE, wait->bytes);
    else if (wait->kind == SVMC_EXEC_READ)
        memcpy(f->priv.data + from, run->mmio.data, left < PIECE ? left : PIECE);
    return ++f->priv.piece >= f->priv.pieces;
}
