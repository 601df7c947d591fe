/* SPDX-License-Identifier: MIT */
/** R13: the time that a host gives goes forwards, and not faster than the embedder's clock. */
#include "../core/clamp.h"
#include "intercept_private.h"

#define MSR_TSC        0x10u
#define MSR_TSC_ADJUST 0x3bu

/* Arm ARM D13.11; the SS views are the same counters */
#define CNTPCT   SVMC_SYSREG(3, 3, 14, 0, 1)
#define CNTVCT   SVMC_SYSREG(3, 3, 14, 0, 2)
#define CNTPCTSS SVMC_SYSREG(3, 3, 14, 0, 5)
#define CNTVCTSS SVMC_SYSREG(3, 3, 14, 0, 6)

/* What an exit has to do with a vCPU's counters. */
enum { NOTHING, READS, READS_SECOND, SETS };
_Static_assert(SETS == READS + SVMC_TIME_SOURCES, "one for each counter");

static uint8_t counter(const struct svmc_exit *exit)
{
    switch (exit->kind) {
    case SVMC_KIND_RDTSC:
    case SVMC_KIND_RDTSCP:
    case SVMC_KIND_RDTIME:
        return READS;
    case SVMC_KIND_RDMSR:
        return exit->address == MSR_TSC ? READS : NOTHING;
    case SVMC_KIND_WRMSR:
        return exit->address == MSR_TSC || exit->address == MSR_TSC_ADJUST ? SETS : NOTHING;
    case SVMC_KIND_SYSREG_READ:
        if (exit->address == CNTPCT || exit->address == CNTPCTSS)
            return READS;
        return exit->address == CNTVCT || exit->address == CNTVCTSS ? READS_SECOND : NOTHING;
    default:
        return NOTHING;
    }
}

static uint64_t read_clock(const struct svmc_vcpu *vc)
{
    return CORE_HAS_OP(vc->priv.ops, ticks) ? vc->priv.ops->ticks(vc->priv.ctx) : 0;
}

CORE_APART void svmc_intercept_time_ask(struct svmc_vcpu *vc)
{
    struct svmc_pending *p = &vc->priv.pending;

    p->counter = counter(&p->exit);
    if (p->counter == READS || p->counter == READS_SECOND)
        p->clock = read_clock(vc);
}

CORE_APART enum svmc_status svmc_intercept_time_check(struct svmc_vcpu *vc, uint64_t time)
{
    uint32_t n = (uint32_t)vc->priv.pending.counter - READS;
    const struct svmc_time *last = &vc->priv.time[core_clamp(n, SVMC_TIME_SOURCES)];
    uint64_t now;

    if (n >= SVMC_TIME_SOURCES || !last->known)
        return SVMC_OK;
    if (time < last->value)
        return SVMC_ERR_HOST_REPLY;
    if (!CORE_HAS_OP(vc->priv.ops, ticks) || last->known == TIME_FLOOR)
        return SVMC_OK;
    now = vc->priv.ops->ticks(vc->priv.ctx);
    if (now < last->clock)
        return SVMC_ERR_CALLBACK;
    /* the last one was read after it was asked for, this one before now: no true time is refused */
    return time - last->value > now - last->clock ? SVMC_ERR_HOST_REPLY : SVMC_OK;
}

CORE_APART void svmc_intercept_time_note(struct svmc_vcpu *vc, uint64_t time)
{
    const struct svmc_pending *p = &vc->priv.pending;
    uint32_t n = (uint32_t)p->counter - READS;

    if (p->counter == SETS)
        vc->priv.time[0].known = 0; /* the guest has set its counter */
    if (n < SVMC_TIME_SOURCES) {
        struct svmc_time *last = &vc->priv.time[core_clamp(n, SVMC_TIME_SOURCES)];

        last->value = time;
        last->clock = p->clock;
        last->known = 1;
    }
}
