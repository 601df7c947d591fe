/* SPDX-License-Identifier: MIT */
/** What the executor is lent of the guest's tables and memory, and of devices, as exits. */
#include "finish_lent.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>

#define PIECE 8u /* bytes of one access of a device: as KVM cuts them */

int svmc_kvm_ask(int fd, unsigned long request, void *arg)
{
    int result;

    do
        result = ioctl(fd, request, arg);
    while (result < 0 && errno == EINTR);
    return result;
}

void svmc_kvm_zero(void *at, size_t bytes)
{
    memset(at, 0, bytes);
    __asm__ volatile("" : : "r"(at) : "memory");
}

void *svmc_kvm_lent_memory(const struct svmc_kvm_finish_lent *l, svmc_gpa at, size_t n,
                           uint32_t access)
{
    return l->ops->memory(l->ctx, at, n, access);
}

/* WK-4: the processor loads an entry at once, and so does this. */
static enum svmc_status read_entry(void *ctx, svmc_gpa at, uint32_t bytes, uint64_t *entry)
{
    struct svmc_kvm_finish_lent *l = ctx;
    const void *from = svmc_kvm_lent_memory(l, at, bytes, SVMC_ACCESS_READ);

    if (from == NULL) { /* arm64: an external abort on the walk */
        l->refused = 1;
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
    struct svmc_kvm_finish_lent *l = ctx;
    void *to = svmc_kvm_lent_memory(l, at, bytes, SVMC_ACCESS_RW);
    uint32_t was_4 = (uint32_t)was;
    bool done;

    if (to == NULL) { /* tables in read-only memory */
        l->refused = 1;
        return SVMC_ERR_REFUSED;
    }
    done = bytes == 4 ? __atomic_compare_exchange_n((uint32_t *)to, &was_4, (uint32_t)now, false,
                                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
                      : __atomic_compare_exchange_n((uint64_t *)to, &was, now, false,
                                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return done ? SVMC_OK : SVMC_ERR_BUSY;
}

const struct svmc_walk_ops svmc_kvm_lent_tables = { .size = sizeof svmc_kvm_lent_tables,
                                                    .read = read_entry,
                                                    .exchange = mark_entry };

enum svmc_status svmc_kvm_lent_found(enum svmc_status st, const struct svmc_walk_result *result,
                                     svmc_gpa *out, struct svmc_fault *fault)
{
    if (st != SVMC_OK) /* BUSY would be a translation that waits */
        return st == SVMC_ERR_BUSY ? SVMC_ERR_CALLBACK : st;
    *out = result->at;
    *fault = result->fault;
    return SVMC_OK;
}

/* KV-17: pieces by the VMM's function; BUSY: l->piece and those behind it by exits. */
static enum svmc_status go_through(struct svmc_kvm_finish_lent *l, svmc_gpa at, size_t n,
                                   bool writes)
{
    const struct svmc_kvm_finish_ops *ops = l->ops;
    enum svmc_status st = SVMC_OK;

    l->pieces = (uint8_t)((n + PIECE - 1) / PIECE);
    for (l->piece = 0; l->piece < l->pieces; l->piece++) {
        size_t from = l->piece * (size_t)PIECE, bytes = n - from < PIECE ? n - from : PIECE;
        const svmc_gpa piece = { at.v + from };

        if (l->by_exits || (writes ? ops->device_write == NULL : ops->device_read == NULL))
            return SVMC_ERR_BUSY;
        st = writes ? ops->device_write(l->ctx, piece, l->data + from, bytes)
                    : ops->device_read(l->ctx, piece, l->data + from, bytes);
        if (st != SVMC_OK)
            break;
    }
    return st;
}

enum svmc_status svmc_kvm_lent_read(struct svmc_kvm_finish_lent *l, svmc_gpa at, void *dst,
                                    size_t n)
{
    const void *from = svmc_kvm_lent_memory(l, at, n, SVMC_ACCESS_READ);
    enum svmc_status st;

    if (n > sizeof l->data || (from == NULL && l->fetching)) { /* arm64: an external abort */
        l->refused = 1;
        return SVMC_ERR_REFUSED;
    }
    if (from != NULL) {
        memcpy(dst, from, n);
        if (l->fetching && n <= SVMC_INSN_MAX - l->out.count) { /* read once */
            memcpy(l->out.bytes + l->out.count, dst, n);
            l->out.count = (uint8_t)(l->out.count + n);
        }
        return SVMC_OK;
    }
    st = go_through(l, at, n, false);
    if (st == SVMC_OK)
        memcpy(dst, l->data, n);
    return st;
}

enum svmc_status svmc_kvm_lent_write(struct svmc_kvm_finish_lent *l, svmc_gpa at, const void *src,
                                     size_t n)
{
    void *to = svmc_kvm_lent_memory(l, at, n, SVMC_ACCESS_WRITE);

    if (n > sizeof l->data)
        return SVMC_ERR_ARG;
    if (to != NULL) {
        memcpy(to, src, n);
        return SVMC_OK;
    }
    memcpy(l->data, src, n);
    return go_through(l, at, n, true);
}

void svmc_kvm_lent_ask(const struct svmc_kvm_finish_lent *l, const struct svmc_exec_wait *wait)
{
    struct kvm_run *run = l->run;
    size_t from = l->piece * (size_t)PIECE, left = wait->bytes - from;

    run->exit_reason = KVM_EXIT_MMIO;
    memset(&run->mmio, 0, sizeof run->mmio);
    run->mmio.phys_addr = wait->at + from;
    run->mmio.len = (uint32_t)(left < PIECE ? left : PIECE);
    run->mmio.is_write = wait->kind == SVMC_EXEC_WRITE;
    if (run->mmio.is_write)
        memcpy(run->mmio.data, l->data + from, run->mmio.len);
}

bool svmc_kvm_lent_take(struct svmc_kvm_finish_lent *l, const struct svmc_exec_wait *wait)
{
    const struct kvm_run *run = l->run;
    size_t from = l->piece * (size_t)PIECE, left = wait->bytes - from;

    if (wait->kind == SVMC_EXEC_READ)
        memcpy(l->data + from, run->mmio.data, left < PIECE ? left : PIECE);
    return ++l->piece >= l->pieces;
}
