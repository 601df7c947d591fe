/* SPDX-License-Identifier: MIT */
/** What the executor is lent: the guest's tables and memory, devices as exits: KV-32, KV-33. */
#include "finish_private.h"

#include <string.h>

#define PSTATE_EL 0xcu

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    struct svmc_kvm_finish_a64 *f = ctx;
    struct svmc_walk_result result;
    uint32_t how = svmc_walk_access_from_exec(access, (f->priv.regs.pstate & PSTATE_EL) == 0);
    enum svmc_status st;

    st = svmc_walk_by_a64(&f->priv.walk, &svmc_kvm_lent_tables, &f->priv.lent, at, how, &result);
    return svmc_kvm_lent_found(st, &result, out, fault);
}

static enum svmc_status read(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    struct svmc_kvm_finish_a64 *f = ctx;

    return svmc_kvm_lent_read(&f->priv.lent, at, dst, n);
}

static enum svmc_status write(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    struct svmc_kvm_finish_a64 *f = ctx;

    return svmc_kvm_lent_write(&f->priv.lent, at, src, n);
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
    const struct svmc_kvm_finish_a64 *f = ctx;
    void *to = svmc_kvm_lent_memory(&f->priv.lent, at, n, SVMC_ACCESS_RW);

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
