/* SPDX-License-Identifier: MIT */
/** KVM's log of written pages. KV-11: fetch, clear, then read the page. */
#include "kvm_private.h"

#include <sys/ioctl.h>

/* Not INITIALLY_SET: pages that nobody wrote would be sealed once in vain. */
uint32_t svmc_kvm_log_manual(int vm)
{
    struct kvm_enable_cap cap = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
                                  .args = { KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE } };
    int can = ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2);

    return can > 0 && (can & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE) != 0 &&
           ioctl(vm, KVM_ENABLE_CAP, &cap) == 0;
}

static uint64_t words(uint64_t pages)
{
    return pages / 64 + (pages % 64 != 0);
}

/* The bits behind the slot's last page are nobody's. */
static uint64_t mask(const struct svmc_kvm_log *log, uint64_t word)
{
    const uint64_t left = log->pages - word * 64;

    return left >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << left) - 1;
}

static int is_good(const struct svmc_kvm_log *log)
{
    return log && log->pages > 0 && log->first % 64 == 0 && log->reserved == 0;
}

enum svmc_status svmc_kvm_log_fetch(const struct svmc_kvm_log *log, uint64_t *scratch,
                                    uint64_t *dirty)
{
    struct kvm_dirty_log ask = { 0 };

    if (!is_good(log) || !scratch || !dirty)
        return SVMC_ERR_ARG;
    ask.slot = log->slot;
    ask.dirty_bitmap = scratch;
    if (svmc_kvm_ask(log->vm, KVM_GET_DIRTY_LOG, &ask) != 0)
        return SVMC_ERR_CALLBACK;
    for (uint64_t i = 0; i < words(log->pages); i++)
        dirty[log->first / 64 + i] |= scratch[i] & mask(log, i);
    return SVMC_OK;
}

enum svmc_status svmc_kvm_log_clear(const struct svmc_kvm_log *log, uint64_t first, uint64_t count,
                                    const uint64_t *dirty)
{
    struct kvm_clear_dirty_log ask = { 0 };
    uint64_t offset;

    if (!is_good(log) || !dirty || first < log->first || first % 64 != 0)
        return SVMC_ERR_ARG;
    offset = first - log->first;
    if (offset >= log->pages || count == 0 || count > log->pages - offset || count > UINT32_MAX ||
        (count % 64 != 0 && count != log->pages - offset))
        return SVMC_ERR_ARG;
    if (!log->manual)
        return SVMC_OK;
    ask.slot = log->slot;
    ask.first_page = offset;
    ask.num_pages = (uint32_t)count;
    /* KVM only reads it, and looks at no bit behind num_pages */
    ask.dirty_bitmap = (void *)(uintptr_t)(dirty + first / 64);
    return svmc_kvm_ask(log->vm, KVM_CLEAR_DIRTY_LOG, &ask) == 0 ? SVMC_OK : SVMC_ERR_CALLBACK;
}
