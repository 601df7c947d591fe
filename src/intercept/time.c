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

/* Which of a vCPU's counters an exit reads; SVMC_TIME_SOURCES: none. */
static uint32_t source(const struct svmc_exit *exit)
{
    switch (exit->kind) {
    case SVMC_KIND_RDTSC:
    case SVMC_KIND_RDTSCP:
    case SVMC_KIND_RDTIME:
        return 0;
    case SVMC_KIND_RDMSR:
        return exit->address == MSR_TSC ? 0 : SVMC_TIME_SOURCES;
    case SVMC_KIND_SYSREG_READ:
        if (exit->address == CNTPCT || exit->address == CNTPCTSS)
            return 0;
        return exit->address == CNTVCT || exit->address == CNTVCTSS ? 1 : SVMC_TIME_SOURCES;
    default:
        return SVMC_TIME_SOURCES;
    }
}

static uint64_t read_clock(const struct svmc_vcpu *vc)
{
    return HAS_OP(vc->priv.ops, ticks) ? vc->priv.ops->ticks(vc->priv.ctx) : 0;
}

static uint64_t time_of(const struct svmc_pending *p, const uint64_t *out)
{
    return p->out_count == 2 ? out[0] | out[1] << 32 : out[0];
}

CORE_COLD void svmc_intercept_time_ask(struct svmc_vcpu *vc)
{
    struct svmc_pending *p = &vc->priv.pending;

    if (source(&p->exit) < SVMC_TIME_SOURCES)
        p->clock = read_clock(vc);
}

CORE_COLD enum svmc_status svmc_intercept_time_check(struct svmc_vcpu *vc,
                                                     const uint64_t out[SLOTS_OUT],
                                                     unsigned *broken)
{
    uint32_t n = source(&vc->priv.pending.exit);
    const struct svmc_time *last = &vc->priv.time[core_clamp(n, SVMC_TIME_SOURCES)];
    uint64_t time = time_of(&vc->priv.pending, out), now;

    if (n >= SVMC_TIME_SOURCES || !last->known)
        return SVMC_OK;
    if (time < last->value) {
        *broken = 13;
        return SVMC_OK;
    }
    now = read_clock(vc);
    if (now < last->clock)
        return SVMC_ERR_CALLBACK;
    /* the last one was read after it was asked for, this one before now: no true time is refused */
    if (HAS_OP(vc->priv.ops, ticks) && time - last->value > now - last->clock)
        *broken = 13;
    return SVMC_OK;
}

CORE_COLD void svmc_intercept_time_note(struct svmc_vcpu *vc, const uint64_t *out)
{
    const struct svmc_pending *p = &vc->priv.pending;
    uint32_t n = source(&p->exit);

    if (p->exit.kind == SVMC_KIND_WRMSR &&
        (p->exit.address == MSR_TSC || p->exit.address == MSR_TSC_ADJUST))
        vc->priv.time[0].known = 0; /* the guest has set its counter */
    if (n < SVMC_TIME_SOURCES) {
        struct svmc_time *last = &vc->priv.time[core_clamp(n, SVMC_TIME_SOURCES)];

        last->value = time_of(p, out);
        last->clock = p->clock;
        last->known = 1;
    }
}
