/* SPDX-License-Identifier: MIT */
/*
 * A host that offers, a guest that moves its masks, callbacks that fail: the input chooses all
 * three and the policy. Traps when something arrives that the policy or the guest forbids, or when
 * a call that was refused or failed changed anything.
 */
#include <stdlib.h>
#include <string.h>
#include <svmcore/svmcore.h>

#include "../tests/fakehost/world.h"
#include "input.h"

static struct world world;
static struct svmc_policy engine;
static struct svmc_vcpu vc;
static struct svmc_offers offers, before;
static struct svmc_offer_policy policy;
static _Alignas(8) uint8_t area[SVMC_OFFER_AREA_BYTES], seen[SVMC_OFFER_AREA_BYTES];

static const enum svmc_reg masks[] = {
    SVMC_REG_RFLAGS,   SVMC_REG_CR8,      SVMC_REG_PSTATE,    SVMC_REG_RV_HIDELEG,
    SVMC_REG_RV_VSIE,  SVMC_REG_RV_MODE,  SVMC_REG_S390_PSW,  SVMC_REG_RV_VSSTATUS,
    SVMC_REG_S390_CR0, SVMC_REG_S390_CR6, SVMC_REG_S390_CR14,
};

/* The one thing that must never be wrong: what arrives, against the masks once more. */
static void check_arrival(const struct svmc_arrival *a, uint8_t state)
{
    const uint64_t *reg = world.reg;

    require(a->kind < SVMC_OFFER_KINDS && (policy.kinds >> a->kind & 1));
    require(before.priv.kept >> a->kind & 1 && !(offers.priv.kept >> a->kind & 1));
    if (a->op == SVMC_OFFER_LOWER)
        return;
    switch ((enum svmc_offer_kind)a->kind) {
    case SVMC_OFFER_X86_INTERRUPT:
        require(a->event.type == SVMC_EVENT_INTERRUPT && a->event.vector >= 32);
        require(policy.vectors[a->event.vector / 64] >> a->event.vector % 64 & 1);
        require((reg[SVMC_REG_RFLAGS] & 0x200) && !(state & 3));
        require(a->event.vector / 16u > (reg[SVMC_REG_CR8] & 15));
        break;
    case SVMC_OFFER_X86_NMI:
        require(a->event.type == SVMC_EVENT_NMI && a->event.vector == 2 && !(state & 7));
        break;
    case SVMC_OFFER_A64_IRQ:
    case SVMC_OFFER_A64_FIQ:
    case SVMC_OFFER_A64_SERROR:
        require(!(reg[SVMC_REG_PSTATE] & (a->kind == SVMC_OFFER_A64_IRQ   ? 0x80
                                          : a->kind == SVMC_OFFER_A64_FIQ ? 0x40
                                                                          : 0x100)));
        break;
    case SVMC_OFFER_RV_SOFTWARE:
    case SVMC_OFFER_RV_TIMER:
    case SVMC_OFFER_RV_EXTERNAL:
        require((reg[SVMC_REG_RV_VSSTATUS] & 2) || reg[SVMC_REG_RV_MODE] == 0);
        break;
    case SVMC_OFFER_S390_EXTERNAL:
        require(reg[SVMC_REG_S390_PSW] >> 56 & 1 && a->data[1] == 0 && a->data[0] >> 32 == 0);
        break;
    case SVMC_OFFER_S390_IO:
        require(reg[SVMC_REG_S390_PSW] >> 57 & 1);
        require(policy.io_subclasses >> (a->data[1] >> 27 & 7) & 1);
        break;
    case SVMC_OFFER_S390_MCHK:
        require(reg[SVMC_REG_S390_PSW] >> 50 & 1 && a->data[0] == 0);
        break;
    default:
        require(0);
    }
}

/* A right offer as a rule, then spoiled. */
static void offer(struct input *in)
{
    struct svmc_offer o = { .kind = take_byte(in) & 15, .op = take_byte(in) & 3 };
    struct svmc_offer_notice notice;
    struct svmc_offer_result result;
    uint8_t how = take_byte(in);
    enum svmc_status st;

    require(svmc_offer_notice_read(area, &notice) == SVMC_OK);
    o.seq = notice.next;
    if (how & 1)
        take(in, &o.code, sizeof o.code);
    if (how & 2)
        take(in, o.data, sizeof o.data);
    require(svmc_offer_write(area, &o) == SVMC_OK);
    for (uint8_t n = how >> 5; n > 0; n--)
        area[take_byte(in) % sizeof area] ^= take_byte(in);
    before = offers;
    st = svmc_offers_fetch(&offers, &result);
    require(st == SVMC_OK || st == SVMC_ERR_HOST_REPLY || st == SVMC_ERR_STATE);
    require((st == SVMC_ERR_HOST_REPLY) == (result.rule != 0));
    if (st != SVMC_OK)
        require(before.priv.kept == offers.priv.kept && before.priv.up == offers.priv.up &&
                before.priv.seq_count == offers.priv.seq_count &&
                memcmp(before.priv.held, offers.priv.held, sizeof before.priv.held) == 0);
}

static void enter(struct input *in, bool x86)
{
    struct svmc_event again = { .type = SVMC_EVENT_EXCEPTION, .vector = 13 };
    uint8_t how = take_byte(in), state = x86 ? how & SVMC_STATE_ALL : 0;
    bool first = x86 && (how & 0x80);
    struct svmc_arrival arrival;
    enum svmc_status st;

    world.fail_at = how & 0x40 ? world.calls + take_byte(in) % 8 : 0;
    before = offers;
    memcpy(seen, area, sizeof seen);
    st = svmc_offers_next(&offers, state, first ? &again : NULL, &arrival);
    require(st == SVMC_OK || st == SVMC_ERR_CALLBACK || st == SVMC_ERR_STATE);
    if (st != SVMC_OK) {
        require(memcmp(&before, &offers, sizeof before) == 0 && arrival.kind == 0);
    } else if (first) {
        require(arrival.event.vector == 13 && arrival.kind == 0);
    } else if (arrival.kind != SVMC_OFFER_NONE) {
        check_arrival(&arrival, state);
    }
    require(arrival.kind != SVMC_OFFER_NONE || memcmp(seen, area, sizeof seen) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum svmc_isa isas[] = { SVMC_ISA_X86_64, SVMC_ISA_A64, SVMC_ISA_RV64,
                                          SVMC_ISA_S390X };
    struct input in = { data, size };
    uint8_t head = take_byte(&in);

    if (engine.priv.magic == 0) {
        require(svmc_policy_init(&engine, 8, 4) == SVMC_OK);
        require(svmc_policy_seal(&engine) == SVMC_OK);
    }
    memset(&world, 0, sizeof world);
    memset(&policy, 0, sizeof policy);
    policy = (struct svmc_offer_policy){ .vectors = { 0xffffffff00000000u, ~0ull, ~0ull, 1 },
                                         .kinds = 0xffe,
                                         .codes = 0x7ff,
                                         .io_subclasses = 0x7f };
    if (head & 4) /* any bytes at all */
        take(&in, &policy, sizeof policy);
    require(svmc_vcpu_init(&vc, &world_ops, &world, &engine, world.page, 1) == SVMC_OK);
    if (svmc_offers_init(&offers, &vc, &policy, area, isas[head & 3]) != SVMC_OK)
        return 0;
    for (unsigned steps = 0; steps < 64 && in.left > 0; steps++) {
        uint8_t what = take_byte(&in);

        if (what & 1)
            offer(&in);
        else if (what & 2)
            take(&in, &world.reg[masks[(what >> 2) % (sizeof masks / sizeof masks[0])]], 8);
        else
            enter(&in, (head & 3) == 0);
    }
    svmc_offers_drop(&offers);
    svmc_vcpu_drop(&vc);
    return 0;
}
