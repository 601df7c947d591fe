/* SPDX-License-Identifier: MIT */
/** What the executor is lent: the guest's tables, its memory, devices as exits, its registers. */
#include "finish_private.h"

#include <string.h>

#define PIO_PAGE  4096u
#define PIO_BYTES 8u
#define VECTOR_PF 14u
#define PF_WRITE  2u
#define PF_USER   4u
#define PF_FETCH  16u

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
    st = svmc_walk_by_x86(&f->priv.walk, &svmc_kvm_lent_tables, &f->priv.lent, at, how, &result);
    return svmc_kvm_lent_found(st, &result, out, fault);
}

static enum svmc_status read(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    struct svmc_kvm_finish *f = ctx;

    return svmc_kvm_lent_read(&f->priv.lent, at, dst, n);
}

static enum svmc_status write(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    struct svmc_kvm_finish *f = ctx;

    return svmc_kvm_lent_write(&f->priv.lent, at, src, n);
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
    const struct svmc_kvm_finish *f = ctx;
    void *to = svmc_kvm_lent_memory(&f->priv.lent, at, n, SVMC_ACCESS_RW);

    if (to == NULL) /* a device, or several pieces: read, then written, as KVM does */
        return SVMC_ERR_UNSUPPORTED;
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

    f->priv.lent.piece = 0;
    f->priv.lent.pieces = 1;
    return f->priv.lent.ops->port_read == NULL
               ? SVMC_ERR_BUSY
               : f->priv.lent.ops->port_read(f->priv.lent.ctx, port, dst, n);
}

static enum svmc_status port_write(void *ctx, uint32_t port, const void *src, size_t n)
{
    struct svmc_kvm_finish *f = ctx;

    f->priv.lent.piece = 0;
    f->priv.lent.pieces = 1;
    if (n <= sizeof f->priv.lent.data)
        memcpy(f->priv.lent.data, src, n);
    return f->priv.lent.ops->port_write == NULL
               ? SVMC_ERR_BUSY
               : f->priv.lent.ops->port_write(f->priv.lent.ctx, port, src, n);
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

    return f->priv.lent.ops->vec_op == NULL ? SVMC_ERR_UNSUPPORTED
                                            : f->priv.lent.ops->vec_op(f->priv.lent.ctx, op);
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
    struct kvm_run *run = f->priv.lent.run;
    const bool writes = wait->kind == SVMC_EXEC_PORT_OUT;

    if (!writes && wait->kind != SVMC_EXEC_PORT_IN) {
        svmc_kvm_lent_ask(&f->priv.lent, wait);
        return;
    }
    run->exit_reason = KVM_EXIT_IO;
    run->io.direction = writes ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN;
    run->io.size = (uint8_t)wait->bytes;
    run->io.port = (uint16_t)wait->number;
    run->io.count = 1;
    run->io.data_offset = PIO_PAGE;
    memset((uint8_t *)run + PIO_PAGE, 0, PIO_BYTES);
    if (writes)
        memcpy((uint8_t *)run + PIO_PAGE, f->priv.lent.data, wait->bytes);
}

bool svmc_kvm_finish_take(struct svmc_kvm_finish *f)
{
    const struct svmc_exec_wait *wait = &f->priv.exec.wait;

    if (wait->kind == SVMC_EXEC_PORT_IN)
        memcpy(f->priv.lent.data, (const uint8_t *)f->priv.lent.run + PIO_PAGE, wait->bytes);
    return svmc_kvm_lent_take(&f->priv.lent, wait);
}
