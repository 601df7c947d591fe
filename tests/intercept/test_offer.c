/* SPDX-License-Identifier: MIT */
/* docs/spec/offer.md: what a host may offer, when it arrives, and what the host learns of it. */
#include <svmcore/offer.h>
#include <svmcore/state.h>

#include "../../src/core/bytes.h"
#include "scenarios.h"

#define ALL_KINDS (((1u << SVMC_OFFER_KINDS) - 1) & ~1u)

static struct lab lab;
static struct svmc_offers offers;
static struct svmc_offer_result result;
static struct svmc_arrival arrival;
static struct svmc_offer_policy policy;
static _Alignas(64) uint8_t area[SVMC_OFFER_AREA_BYTES];

static const struct svmc_offer_policy everything = {
    .vectors = { 0xffffffff00000000u, UINT64_MAX, UINT64_MAX, UINT64_MAX },
    .kinds = ALL_KINDS,
    .codes = 0x7ff,
    .io_subclasses = 0xff,
};

static const struct family {
    enum svmc_isa isa;
    uint8_t kinds[3]; /* in the order in which they arrive */
    uint8_t lines;    /* bit n: kinds[n] is one */
} families[] = {
    { SVMC_ISA_X86_64, { SVMC_OFFER_X86_NMI, SVMC_OFFER_X86_INTERRUPT, 0 }, 0 },
    { SVMC_ISA_A64, { SVMC_OFFER_A64_SERROR, SVMC_OFFER_A64_FIQ, SVMC_OFFER_A64_IRQ }, 6 },
    { SVMC_ISA_RV64, { SVMC_OFFER_RV_EXTERNAL, SVMC_OFFER_RV_SOFTWARE, SVMC_OFFER_RV_TIMER }, 5 },
    { SVMC_ISA_S390X, { SVMC_OFFER_S390_MCHK, SVMC_OFFER_S390_EXTERNAL, SVMC_OFFER_S390_IO }, 0 },
};
#define FAMILIES (sizeof families / sizeof families[0])

/* Every mask of every processor open, or closed. */
static void set_masks(bool open)
{
    uint64_t *reg = lab.world.reg, all = open ? UINT64_MAX : 0;

    reg[SVMC_REG_RFLAGS] = open ? 0x202 : 2;
    reg[SVMC_REG_CR8] = open ? 0 : 15;
    reg[SVMC_REG_PSTATE] = open ? 5 : 0x3c5;
    reg[SVMC_REG_RV_HIDELEG] = reg[SVMC_REG_RV_VSIE] = reg[SVMC_REG_RV_VSSTATUS] = all;
    reg[SVMC_REG_RV_MODE] = 1;
    reg[SVMC_REG_S390_PSW] = reg[SVMC_REG_S390_CR0] = all;
    reg[SVMC_REG_S390_CR6] = reg[SVMC_REG_S390_CR14] = all;
}

static void start(enum svmc_isa isa)
{
    uint64_t rng = 21;

    lab_init(&lab, &rng);
    set_masks(true);
    policy = everything;
    memset(area, 0xee, sizeof area);
    CHECK_EQ(svmc_offers_init(&offers, &lab.vc, &policy, area, isa), SVMC_OK);
    lab.world.calls = 0;
}

static uint64_t next_seq(void)
{
    struct svmc_offer_notice notice;

    CHECK_EQ(svmc_offer_notice_read(area, &notice), SVMC_OK);
    return notice.next;
}

/* A right offer of this kind. */
static struct svmc_offer right(uint32_t kind)
{
    struct svmc_offer offer = { .seq = next_seq(), .kind = (uint8_t)kind };

    if (kind == SVMC_OFFER_X86_INTERRUPT)
        offer.code = 0x41;
    if (kind == SVMC_OFFER_S390_EXTERNAL) {
        offer.code = 0x2401;
        offer.data[0] = 0x43000;
    }
    if (kind == SVMC_OFFER_S390_IO) {
        offer.data[0] = 0x0001000200abcdefu;
        offer.data[1] = 0x98000000u; /* an adapter's, subclass 3 */
    }
    if (kind == SVMC_OFFER_S390_MCHK)
        offer.code = 9;
    return offer;
}

static enum svmc_status send(const struct svmc_offer *offer)
{
    CHECK_EQ(svmc_offer_write(area, offer), SVMC_OK);
    return svmc_offers_fetch(&offers, &result);
}

static void take(uint32_t kind)
{
    struct svmc_offer offer = right(kind);

    CHECK_EQ(send(&offer), SVMC_OK, "kind %u, rule %u", kind, result.rule);
}

/* Refused, and nothing but the counters changed; OF-7's limit has its own test. */
static void refused(const struct svmc_offer *offer, unsigned rule)
{
    struct svmc_offers before = offers;

    offers.priv.refusals = 0;
    CHECK_EQ(send(offer), SVMC_ERR_HOST_REPLY, "kind %u", offer->kind);
    CHECK_EQ(result.rule, rule, "kind %u code %x", offer->kind, offer->code);
    CHECK_EQ(offers.priv.kept, before.priv.kept);
    CHECK_EQ(offers.priv.up, before.priv.up);
    CHECK_EQ(offers.priv.seq_count, before.priv.seq_count);
    CHECK_MEM(offers.priv.held, before.priv.held, sizeof before.priv.held);
}

static void next(uint8_t state)
{
    CHECK_EQ(svmc_offers_next(&offers, state, NULL, &arrival), SVMC_OK);
}

TEST(offer, the_area_is_read_by_its_layout) /* OF-1 */
{
    static const uint8_t want[0x20] = { 8, 7, 6, 5,    4, 3, 2, 1, 9, 0, 0x04, 0x10, 0,
                                        0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0x16, 0x17 };
    struct svmc_offer offer = {
        .seq = 0x0102030405060708u, .kind = 9, .code = 0x1004, .data = { 0x1600000000000015u, 0x17 }
    };

    start(SVMC_ISA_S390X);
    CHECK_EQ(svmc_offer_write(area, &offer), SVMC_OK);
    CHECK_MEM(area, want, sizeof want);
    for (unsigned bit = 0; bit < 512; bit++) { /* each reserved bit of the host's half */
        if (bit / 8 < 0x0c || (bit / 8 >= 0x10 && bit / 8 < 0x20))
            continue;
        offer = right(SVMC_OFFER_S390_IO);
        CHECK_EQ(svmc_offer_write(area, &offer), SVMC_OK);
        area[bit / 8] |= (uint8_t)(1u << bit % 8);
        CHECK_EQ(svmc_offers_fetch(&offers, &result), SVMC_ERR_HOST_REPLY, "bit %u", bit);
        CHECK_EQ(result.rule, 1, "bit %u", bit);
        CHECK_EQ(offers.priv.kept, 0);
    }
    offer = right(SVMC_OFFER_S390_IO); /* what a host leaves in the core's half is not looked at */
    memset(area + 0x40, 0x5a, 0x10);
    CHECK_EQ(send(&offer), SVMC_OK);
    CHECK_EQ(area[SVMC_OFFER_ANSWER], SVMC_OFFER_TAKEN);
    CHECK_EQ(area[SVMC_OFFER_ANSWER + 3], 1u << (SVMC_OFFER_S390_IO - 8));
    for (unsigned at = 0; at < 0x40; at++)
        CHECK_EQ(area[at], 0, "byte %u", at);
}

TEST(offer, each_offer_carries_its_number) /* OF-2 */
{
    struct svmc_offer offer, old;

    start(SVMC_ISA_X86_64);
    CHECK_EQ(next_seq() >> 48, 7, "the vCPU's id");
    for (unsigned bit = 0; bit < 64; bit++) {
        offer = right(SVMC_OFFER_X86_NMI);
        offer.seq ^= (uint64_t)1 << bit;
        refused(&offer, 2);
    }
    old = right(SVMC_OFFER_X86_NMI);
    CHECK_EQ(send(&old), SVMC_OK);
    next(0);
    refused(&old, 2); /* replayed */
    CHECK_EQ(svmc_offers_fetch(&offers, &result), SVMC_ERR_HOST_REPLY, "nothing was written");
    CHECK_EQ(result.rule, 2);
    take(SVMC_OFFER_X86_NMI);
}

TEST(offer, what_no_row_lists_is_refused) /* OF-3 */
{
    for (unsigned f = 0; f < FAMILIES; f++) {
        start(families[f].isa);
        for (unsigned kind = 0; kind < 256; kind++)
            for (unsigned op = 0; op < 256; op += op < 4 ? 1 : 83) {
                struct svmc_offer offer = right(kind);
                bool row = false, line = false;

                for (unsigned n = 0; n < 3; n++)
                    if (kind != 0 && families[f].kinds[n] == kind) {
                        row = true;
                        line = families[f].lines >> n & 1;
                    }
                offer.op = (uint8_t)op;
                if (row && op == 0)
                    continue;
                refused(&offer, row && line && op == 1 ? 6 : 3);
            }
    }
}

TEST(offer, only_what_the_policy_allows) /* OF-4 */
{
    struct svmc_offer offer;

    for (unsigned f = 0; f < FAMILIES; f++) {
        start(families[f].isa);
        for (unsigned n = 0; n < 3 && families[f].kinds[n] != 0; n++) {
            policy.kinds = (uint16_t)(ALL_KINDS & ~(1u << families[f].kinds[n]));
            offer = right(families[f].kinds[n]);
            refused(&offer, 4);
            policy = everything;
            take(families[f].kinds[n]);
        }
    }
    start(SVMC_ISA_X86_64);
    for (unsigned allowed = 32; allowed < 256; allowed += 5) {
        memset(policy.vectors, 0, sizeof policy.vectors);
        policy.vectors[allowed / 64] = (uint64_t)1 << allowed % 64;
        for (unsigned vector = 0; vector < 256; vector++) {
            offer = right(SVMC_OFFER_X86_INTERRUPT);
            offer.code = (uint16_t)vector;
            if (vector != allowed)
                refused(&offer, 4);
        }
        offer.seq = next_seq();
        offer.code = (uint16_t)allowed;
        CHECK_EQ(send(&offer), SVMC_OK, "vector %u", allowed);
        next(0);
        CHECK_EQ(arrival.event.vector, allowed);
    }
    memset(policy.vectors, 0xff, sizeof policy.vectors); /* somebody wrote to it after init */
    for (unsigned vector = 0; vector < 32; vector++) {
        offer = right(SVMC_OFFER_X86_INTERRUPT);
        offer.code = (uint16_t)vector;
        refused(&offer, 4);
    }
}

/* z/Architecture: codes of Linux asm/irq.h, masks of asm/ctlreg.h; machine checks: asm/nmi.h */
static const struct code {
    uint8_t kind;
    uint16_t code;
    enum svmc_offer_code allow;
    uint32_t data_max;
    enum svmc_reg control;
    uint64_t mask;
} codes[] = {
    { 9, 0x0040, SVMC_OFFER_INTERRUPT_KEY, 0, SVMC_REG_S390_CR0, 0x40 },
    { 9, 0x1004, SVMC_OFFER_CLOCK_COMPARATOR, 0, SVMC_REG_S390_CR0, 0x800 },
    { 9, 0x1005, SVMC_OFFER_CPU_TIMER, 0, SVMC_REG_S390_CR0, 0x400 },
    { 9, 0x1200, SVMC_OFFER_MALFUNCTION_ALERT, 0xffff, SVMC_REG_S390_CR0, 0x8000 },
    { 9, 0x1201, SVMC_OFFER_EMERGENCY_SIGNAL, 0xffff, SVMC_REG_S390_CR0, 0x4000 },
    { 9, 0x1202, SVMC_OFFER_EXTERNAL_CALL, 0xffff, SVMC_REG_S390_CR0, 0x2000 },
    { 9, 0x2401, SVMC_OFFER_SERVICE_SIGNAL, 0xffffffff, SVMC_REG_S390_CR0, 0x200 },
    { 11, 2, SVMC_OFFER_RECOVERY, 0, SVMC_REG_S390_CR14, 0x08000000 },
    { 11, 7, SVMC_OFFER_DEGRADATION, 0, SVMC_REG_S390_CR14, 0x04000000 },
    { 11, 8, SVMC_OFFER_WARNING, 0, SVMC_REG_S390_CR14, 0x01000000 },
    { 11, 9, SVMC_OFFER_CHANNEL_REPORT, 0, SVMC_REG_S390_CR14, 0x10000000 },
};
#define CODES (sizeof codes / sizeof codes[0])

TEST(offer, codes_of_s390x) /* OF-4 OF-5 */
{
    struct svmc_offer offer;

    start(SVMC_ISA_S390X);
    for (unsigned n = 0; n < CODES; n++) {
        const struct code *c = &codes[n];

        policy.codes = (uint16_t)(0x7ff & ~c->allow);
        offer = (struct svmc_offer){ .seq = next_seq(), .kind = c->kind, .code = c->code };
        refused(&offer, 4);
        policy.codes = (uint16_t)c->allow;
        offer.seq = next_seq();
        offer.data[0] = (uint64_t)c->data_max + 1;
        refused(&offer, 5);
        offer.data[0] = c->data_max;
        offer.data[1] = 1;
        refused(&offer, 5);
        offer.data[1] = 0;
        CHECK_EQ(send(&offer), SVMC_OK, "code %x", c->code);
        next(0);
        CHECK_EQ(arrival.kind, c->kind);
        CHECK_EQ(arrival.code, c->code);
        CHECK_EQ(arrival.data[0], c->data_max);
    }
    policy = everything;
    for (unsigned kind = SVMC_OFFER_S390_EXTERNAL; kind <= SVMC_OFFER_S390_MCHK; kind += 2)
        for (unsigned code = 0; code < 65536; code += code < 16 ? 1 : 7) {
            bool named = false;

            for (unsigned n = 0; n < CODES; n++)
                named = named || (codes[n].kind == kind && codes[n].code == code);
            if (named)
                continue;
            offer = (struct svmc_offer){ .seq = next_seq(),
                                         .kind = (uint8_t)kind,
                                         .code = (uint16_t)code };
            refused(&offer, 5);
        }
    for (unsigned subclass = 0; subclass < 8; subclass++) {
        offer = right(SVMC_OFFER_S390_IO);
        offer.data[1] = subclass << 27;
        policy.io_subclasses = (uint8_t) ~(1u << subclass);
        refused(&offer, 4);
        policy.io_subclasses = (uint8_t)(1u << subclass);
        CHECK_EQ(send(&offer), SVMC_OK);
        next(0);
        CHECK_EQ(arrival.data[0], 0x0001000200abcdefu);
        CHECK_EQ(arrival.data[1], subclass << 27);
    }
}

TEST(offer, values_no_wider_than_declared) /* OF-5 */
{
    for (unsigned f = 0; f < FAMILIES; f++) {
        start(families[f].isa);
        for (unsigned n = 0; n < 3 && families[f].kinds[n] != 0; n++) {
            uint32_t kind = families[f].kinds[n];
            struct svmc_offer offer;

            for (unsigned bit = 0; bit < 64; bit++) {
                bool word = kind == SVMC_OFFER_S390_IO, low = bit < 32;

                offer = right(kind);
                if (!word && !(kind == SVMC_OFFER_S390_EXTERNAL && low)) {
                    offer.data[0] |= (uint64_t)1 << bit;
                    refused(&offer, 5);
                }
                offer = right(kind);
                offer.data[1] |= (uint64_t)1 << bit;
                if (!word || !(0xb8000000u >> bit % 32 & 1 && low))
                    refused(&offer, 5);
            }
            for (unsigned bit = kind == SVMC_OFFER_X86_INTERRUPT ? 8 : 0; bit < 16; bit++) {
                offer = right(kind);
                offer.code ^= (uint16_t)(1u << bit);
                if (kind != SVMC_OFFER_S390_MCHK || bit != 0) /* 8 is a code as well */
                    refused(&offer, 5);
            }
        }
    }
}

TEST(offer, one_of_a_kind) /* OF-6 */
{
    for (unsigned f = 0; f < FAMILIES; f++) {
        start(families[f].isa);
        for (unsigned n = 0; n < 3 && families[f].kinds[n] != 0; n++) {
            uint32_t kind = families[f].kinds[n];
            bool line = families[f].lines >> n & 1;
            struct svmc_offer offer;

            for (unsigned twice = 0; twice < 2; twice++) {
                take(kind);
                offer = right(kind);
                refused(&offer, 6);
                next(0);
                CHECK_EQ(arrival.kind, kind);
                CHECK_EQ(arrival.op, SVMC_OFFER_RAISE);
                if (!line)
                    continue; /* an edge: gone, and free again */
                offer = right(kind);
                refused(&offer, 6); /* it is up */
                offer.op = SVMC_OFFER_LOWER;
                CHECK_EQ(send(&offer), SVMC_OK);
                offer = right(kind);
                refused(&offer, 6);
                offer.op = SVMC_OFFER_LOWER;
                refused(&offer, 6);
                set_masks(false); /* no mask keeps a line up */
                next(0);
                set_masks(true);
                CHECK_EQ(arrival.kind, kind);
                CHECK_EQ(arrival.op, SVMC_OFFER_LOWER);
            }
            if (!line)
                continue;
            take(kind);
            offer = right(kind);
            offer.op = SVMC_OFFER_LOWER; /* before the guest saw it */
            CHECK_EQ(send(&offer), SVMC_OK);
            CHECK_EQ(result.kept, 0);
            next(0);
            CHECK_EQ(arrival.kind, SVMC_OFFER_NONE);
        }
    }
}

TEST(offer, refusals_are_counted_and_end) /* OF-7 */
{
    struct svmc_offer_stats stats;
    struct svmc_offer offer;

    start(SVMC_ISA_A64);
    for (unsigned n = 1; n < LAB_REFUSALS; n++) {
        offer = right(SVMC_OFFER_X86_NMI);
        CHECK_EQ(send(&offer), SVMC_ERR_HOST_REPLY);
        CHECK_EQ(result.stop, SVMC_STOP_NONE);
    }
    take(SVMC_OFFER_A64_IRQ); /* a right one ends the row */
    for (unsigned n = 1; n < LAB_REFUSALS; n++) {
        offer = right(SVMC_OFFER_A64_IRQ);
        CHECK_EQ(send(&offer), SVMC_ERR_HOST_REPLY);
        CHECK_EQ(result.stop, SVMC_STOP_NONE);
    }
    CHECK_EQ(send(&offer), SVMC_ERR_HOST_REPLY);
    CHECK_EQ(result.rule, 6);
    CHECK_EQ(result.stop, SVMC_STOP_REFUSALS);
    CHECK_EQ(svmc_offers_fetch(&offers, &result), SVMC_ERR_STATE);
    CHECK_EQ(svmc_offers_next(&offers, 0, NULL, &arrival), SVMC_ERR_STATE);
    CHECK_EQ(lab_exit(&lab, 0), SVMC_ERR_STATE);
    CHECK_EQ(lab.out.stop, SVMC_STOP_REFUSALS);
    CHECK_EQ(svmc_offers_stats(&offers, &stats), SVMC_OK);
    CHECK_EQ(stats.taken, 1);
    CHECK_EQ(stats.refused, 2 * LAB_REFUSALS - 1);
    CHECK_EQ(stats.refused_by_rule[3], LAB_REFUSALS - 1);
    CHECK_EQ(stats.refused_by_rule[6], LAB_REFUSALS);
}

TEST(offer, refusals_do_not_begin_anew_at_the_end_of_their_count) /* OF-7 ST-18 */
{
    struct svmc_offer offer;

    start(SVMC_ISA_A64);
    offers.priv.refusals = UINT32_MAX; /* as somebody saved it */
    offer = right(SVMC_OFFER_X86_NMI);
    CHECK_EQ(send(&offer), SVMC_ERR_HOST_REPLY);
    CHECK_EQ(result.stop, SVMC_STOP_REFUSALS);
}

/* Whether a kept offer of this kind arrives now; it is kept again afterwards. */
static bool arrives(uint32_t kind, uint8_t state)
{
    next(state);
    if (arrival.kind == SVMC_OFFER_NONE) {
        CHECK_EQ(arrival.waiting, 1u << kind);
        CHECK_EQ(arrival.event.type, SVMC_EVENT_NONE);
        return false;
    }
    CHECK_EQ(arrival.kind, kind);
    if (offers.priv.up != 0) {
        struct svmc_offer offer = right(kind);

        offer.op = SVMC_OFFER_LOWER;
        CHECK_EQ(send(&offer), SVMC_OK);
        next(0);
    }
    take(kind);
    return true;
}

/* Intel SDM vol. 3 6.8.1 (IF), 6.8.3 (MOV SS), 10.8.3.1 (class above CR8), 26.3.1.5 (STI, NMI). */
TEST(offer, masks_of_x86) /* OF-8 */
{
    start(SVMC_ISA_X86_64);
    for (unsigned vector = 32; vector < 256; vector += 13) {
        struct svmc_offer offer = right(SVMC_OFFER_X86_INTERRUPT);

        offer.code = (uint16_t)vector;
        CHECK_EQ(send(&offer), SVMC_OK);
        for (unsigned n = 0; n < 32 * 16 * 2; n++) {
            uint8_t state = n % 32;
            unsigned priority = n / 32 % 16;
            bool enabled = n / 512, want = enabled && state % 4 == 0 && vector / 16 > priority;

            lab.world.reg[SVMC_REG_RFLAGS] = enabled ? 0x202 : ~(uint64_t)0x200;
            lab.world.reg[SVMC_REG_CR8] = priority;
            next(state);
            CHECK_EQ(arrival.event.type, want ? SVMC_EVENT_INTERRUPT : SVMC_EVENT_NONE,
                     "vector %x state %x cr8 %x if %u", vector, state, priority, enabled);
            if (want) {
                CHECK_EQ(arrival.event.vector, vector);
                offer.seq = next_seq();
                CHECK_EQ(send(&offer), SVMC_OK);
            }
        }
        set_masks(true);
        next(0);
    }
    take(SVMC_OFFER_X86_NMI);
    set_masks(false); /* none of which hold off an NMI */
    for (unsigned state = 0; state < 32; state++) {
        CHECK_EQ(arrives(SVMC_OFFER_X86_NMI, (uint8_t)state), state % 8 == 0, "state %x", state);
        if (state % 8 == 0)
            CHECK_EQ(arrival.event.vector, 2);
    }
}

/* Arm ARM C5.2.18: A, I and F are bits 8, 7 and 6 of SPSR_EL2; set: masked. */
TEST(offer, masks_of_a64) /* OF-8 */
{
    static const struct {
        uint32_t kind, bit;
    } rows[] = { { SVMC_OFFER_A64_SERROR, 8 },
                 { SVMC_OFFER_A64_IRQ, 7 },
                 { SVMC_OFFER_A64_FIQ, 6 } };

    for (unsigned n = 0; n < 3; n++) {
        start(SVMC_ISA_A64);
        take(rows[n].kind);
        for (unsigned spsr = 0; spsr < 1024; spsr++) {
            lab.world.reg[SVMC_REG_PSTATE] = spsr | 0xf0000000u;
            CHECK_EQ(arrives(rows[n].kind, 0), !(spsr >> rows[n].bit & 1), "kind %u spsr %x",
                     rows[n].kind, spsr);
        }
    }
}

/* RISC-V privileged: hideleg counts VSSI, VSTI, VSEI as 2, 6, 10; vsie as 1, 5, 9; SIE is bit 1 of
   vsstatus and counts in VS-mode alone. */
TEST(offer, masks_of_riscv) /* OF-8 */
{
    static const struct {
        uint32_t kind, delegated, enabled;
    } rows[] = { { SVMC_OFFER_RV_SOFTWARE, 2, 1 },
                 { SVMC_OFFER_RV_TIMER, 6, 5 },
                 { SVMC_OFFER_RV_EXTERNAL, 10, 9 } };
    uint64_t *reg = lab.world.reg;

    for (unsigned n = 0; n < 3; n++) {
        start(SVMC_ISA_RV64);
        take(rows[n].kind);
        for (unsigned c = 0; c < 16; c++)
            for (unsigned others = 0; others < 2; others++) {
                uint64_t rest = others ? UINT64_MAX : 0;
                bool want = (c & 3) == 3 && ((c & 4) || !(c & 8));

                reg[SVMC_REG_RV_HIDELEG] =
                    (rest & ~(1ull << rows[n].delegated)) | (uint64_t)(c & 1) << rows[n].delegated;
                reg[SVMC_REG_RV_VSIE] =
                    (rest & ~(1ull << rows[n].enabled)) | (uint64_t)(c >> 1 & 1) << rows[n].enabled;
                reg[SVMC_REG_RV_VSSTATUS] = (rest & ~2ull) | (c & 4 ? 2 : 0);
                reg[SVMC_REG_RV_MODE] = c >> 3;
                CHECK_EQ(arrives(rows[n].kind, 0), want, "kind %u case %x", rows[n].kind, c);
            }
    }
}

/* PSW bits 6, 7, 13 of Linux asm/ptrace.h: PSW_MASK_IO, _EXT, _MCHECK; the subclasses above. */
TEST(offer, masks_of_s390x) /* OF-8 */
{
    for (unsigned n = 0; n < CODES + 8; n++) {
        static const uint64_t psw[] = { 0x0100000000000000u, 0x0200000000000000u,
                                        0x0004000000000000u };
        unsigned subclass = n - CODES;
        bool io = n >= CODES;
        enum svmc_reg control = io ? SVMC_REG_S390_CR6 : codes[n].control;
        uint64_t mask = io ? 0x80000000u >> subclass : codes[n].mask;
        struct svmc_offer offer;

        start(SVMC_ISA_S390X);
        offer = right(io ? SVMC_OFFER_S390_IO : codes[n].kind);
        offer.data[1] = io ? (uint64_t)subclass << 27 : 0;
        if (!io) {
            offer.code = codes[n].code;
            offer.data[0] = 0;
        }
        CHECK_EQ(send(&offer), SVMC_OK);
        for (unsigned c = 0; c < 4; c++)
            for (unsigned others = 0; others < 2; others++) {
                uint64_t rest = others ? UINT64_MAX : 0, global = psw[offer.kind - 9];

                lab.world.reg[SVMC_REG_S390_PSW] = (rest & ~global) | (c & 1 ? global : 0);
                lab.world.reg[control] = (rest & ~mask) | (c & 2 ? mask : 0);
                next(0);
                CHECK_EQ(arrival.kind, c == 3 ? offer.kind : SVMC_OFFER_NONE, "%u case %u", n, c);
                if (c == 3) {
                    offer.seq = next_seq();
                    CHECK_EQ(send(&offer), SVMC_OK);
                }
            }
    }
}

TEST(offer, one_an_entry_and_what_was_interrupted_first) /* OF-9 EV-5 */
{
    struct svmc_event again = {
        .type = SVMC_EVENT_EXCEPTION, .vector = 14, .has_error = 1, .error = 2, .address = 0x123
    };

    for (unsigned f = 0; f < FAMILIES; f++) {
        unsigned left = 0;

        start(families[f].isa);
        for (unsigned n = 3; n-- > 0;) /* offered in the other order */
            if (families[f].kinds[n] != 0) {
                take(families[f].kinds[n]);
                left |= 1u << families[f].kinds[n];
            }
        CHECK_EQ(result.kept, left);
        for (unsigned n = 0; n < 3 && families[f].kinds[n] != 0; n++) {
            next(0);
            left &= ~(1u << families[f].kinds[n]);
            CHECK_EQ(arrival.kind, families[f].kinds[n]);
            CHECK_EQ(arrival.waiting, left);
        }
        next(0);
        CHECK_EQ(arrival.kind, SVMC_OFFER_NONE);
        if (families[f].isa != SVMC_ISA_X86_64) {
            CHECK_EQ(svmc_offers_next(&offers, 0, &again, &arrival), SVMC_ERR_ARG);
            CHECK_EQ(svmc_offers_next(&offers, 1, NULL, &arrival), SVMC_ERR_ARG);
        }
    }
    start(SVMC_ISA_X86_64);
    take(SVMC_OFFER_X86_NMI);
    CHECK_EQ(svmc_offers_next(&offers, 0, &again, &arrival), SVMC_OK);
    CHECK_MEM(&arrival.event, &again, sizeof again);
    CHECK_EQ(arrival.kind, SVMC_OFFER_NONE);
    CHECK_EQ(arrival.waiting, 1u << SVMC_OFFER_X86_NMI);
    again = (struct svmc_event){ .type = SVMC_EVENT_NONE };
    CHECK_EQ(svmc_offers_next(&offers, 0, &again, &arrival), SVMC_OK);
    CHECK_EQ(arrival.event.type, SVMC_EVENT_NMI);
    again.type = SVMC_EVENT_SHUTDOWN;
    CHECK_EQ(svmc_offers_next(&offers, 0, &again, &arrival), SVMC_ERR_ARG);
    CHECK_EQ(svmc_offers_next(&offers, 32, NULL, &arrival), SVMC_ERR_ARG);
    CHECK_EQ(lab_exit(&lab, scenario_named("in al own")), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED);
    take(SVMC_OFFER_X86_NMI); /* offers are taken meanwhile, but nothing enters */
    CHECK_EQ(svmc_offers_next(&offers, 0, NULL, &arrival), SVMC_ERR_STATE);
    svmc_vcpu_cancel(&lab.vc);
    next(0);
    CHECK_EQ(arrival.kind, SVMC_OFFER_X86_NMI);
}

/* EV-6: STI; HLT. The interrupt comes when the library has ended the HLT, not before. */
TEST(offer, a_shadow_ends_with_the_instruction) /* OF-8 EV-6 */
{
    struct svmc_exit hlt = { .kind = SVMC_KIND_HLT,
                             .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                             .count = 1,
                             .insn_bytes = 1,
                             .state = SVMC_STATE_SHADOW_STI };

    start(SVMC_ISA_X86_64);
    take(SVMC_OFFER_X86_INTERRUPT);
    next(hlt.state);
    CHECK_EQ(arrival.kind, SVMC_OFFER_NONE);
    lab.world.reg[SVMC_REG_RIP] = 0x1000;
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &hlt, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_NOTIFIED);
    next(lab.out.state);
    CHECK_EQ(arrival.event.type, SVMC_EVENT_INTERRUPT);
}

/* Offer everything, enter with the masks shut, then open: what the host sees on the way. */
static void story(uint64_t rng, const struct family *f, uint8_t seen[3][SVMC_OFFER_AREA_BYTES])
{
    lab_init(&lab, &rng); /* other registers, other memory */
    policy = everything;
    set_masks(false);
    lab.world.reg[SVMC_REG_RFLAGS] |= rng & 0x4d5;
    memset(area, 0, sizeof area);
    CHECK_EQ(svmc_offers_init(&offers, &lab.vc, &policy, area, f->isa), SVMC_OK);
    for (unsigned n = 0; n < 3 && f->kinds[n] != 0; n++)
        take(f->kinds[n]);
    memcpy(seen[0], area, sizeof area);
    next(f->isa == SVMC_ISA_X86_64 ? SVMC_STATE_NMI_BLOCKED : 0);
    memcpy(seen[1], area, sizeof area);
    CHECK_EQ(arrival.notice, 0);
    set_masks(true);
    next(0);
    CHECK_EQ(arrival.notice, 1);
    memcpy(seen[2], area, sizeof area);
}

TEST(offer, the_host_learns_what_is_kept_and_no_more) /* OF-10 */
{
    static uint8_t one[3][SVMC_OFFER_AREA_BYTES], other[3][SVMC_OFFER_AREA_BYTES];

    for (unsigned f = 0; f < FAMILIES; f++) {
        uint16_t kept;

        story(1, &families[f], one);
        story(2, &families[f], other);
        CHECK_MEM(one, other, sizeof one, "family %u", f);
        CHECK_MEM(one[0], one[1], sizeof one[0], "closed masks write nothing");
        kept = (uint16_t)(one[1][0x4a] | one[1][0x4b] << 8);
        kept &= (uint16_t) ~(1u << families[f].kinds[0]);
        one[1][0x4a] = (uint8_t)kept;
        one[1][0x4b] = (uint8_t)(kept >> 8);
        CHECK_MEM(one[1], one[2], sizeof one[1], "an arrival takes one bit away");
    }
    start(SVMC_ISA_S390X);
    memset(area, 0x77, sizeof area);
    next(0); /* nothing waits: masks change unseen */
    set_masks(false);
    next(0);
    for (unsigned at = 0; at < sizeof area; at++)
        CHECK_EQ(area[at], 0x77, "byte %u", at);
}

TEST(offer, callbacks_that_fail) /* OF-11 */
{
    static const struct svmc_arrival nothing;
    unsigned failures = 0;
    uint64_t rng = 3;

    for (unsigned f = 0; f < FAMILIES; f++)
        for (unsigned k = 1;; k++) {
            struct svmc_offers before;
            uint8_t seen[SVMC_OFFER_AREA_BYTES];
            enum svmc_status st;

            start(families[f].isa);
            for (unsigned n = 0; n < 3 && families[f].kinds[n] != 0; n++)
                take(families[f].kinds[n]);
            CHECK_EQ(lab.world.calls, 0, "a fetch reads nothing of the guest");
            set_masks(false); /* so that all of them are looked at */
            lab.world.reg[SVMC_REG_RV_HIDELEG] = lab.world.reg[SVMC_REG_RV_VSIE] = UINT64_MAX;
            lab.world.reg[SVMC_REG_S390_PSW] = UINT64_MAX;
            lab.world.reg[SVMC_REG_RFLAGS] = 0x202;
            before = offers;
            memcpy(seen, area, sizeof seen);
            memset(&arrival, 0xee, sizeof arrival);
            lab.world.fail_at = k;
            st = svmc_offers_next(&offers, f == 0 ? SVMC_STATE_NMI_BLOCKED : 0, NULL, &arrival);
            if (st == SVMC_OK)
                break;
            failures++;
            CHECK_EQ(st, SVMC_ERR_CALLBACK);
            CHECK_MEM(&arrival, &nothing, sizeof nothing);
            CHECK_MEM(&offers, &before, sizeof before);
            CHECK_MEM(area, seen, sizeof seen);
            lab.world.fail_at = 0;
            set_masks(true);
            next(0);
            CHECK_EQ(arrival.kind, families[f].kinds[0]);
        }
    CHECK_EQ(failures, 2 + 1 + 4 + 4); /* each register that a processor's rows name, once */
    lab_init(&lab, &rng);
    lab.world.fail_at = 1;
    CHECK_EQ(svmc_offers_init(&offers, &lab.vc, &everything, area, SVMC_ISA_A64),
             SVMC_ERR_CALLBACK);
    CHECK_EQ(offers.priv.magic, 0);
}

TEST(offer, a_policy_has_one_form) /* OF-12 */
{
    static const struct svmc_offer_policy some = { .vectors = { (uint64_t)1 << 33, 0, 0x80, 0 },
                                                   .kinds = 0x0402,
                                                   .io_subclasses = 0x81 };
    static const uint8_t want[SVMC_OFFER_POLICY_BYTES] = { 'S', 'V', 'O',  'F', 1,   0, 0x02, 0x04,
                                                           0,   0,   0x81, 0,   0,   0, 0,    0,
                                                           2,   0,   0,    0,   0,   0, 0,    0,
                                                           0,   0,   0,    0,   0x80 };
    static const uint8_t zero[SVMC_OFFER_POLICY_BYTES];
    uint8_t bytes[SVMC_OFFER_POLICY_BYTES];
    struct svmc_offer_policy bad[32 + 6 + 4 + 3];
    unsigned count = 0;

    CHECK_EQ(svmc_offer_policy_save(&some, bytes), SVMC_OK);
    CHECK_MEM(bytes, want, sizeof want);
    CHECK_EQ(svmc_offer_policy_save(NULL, bytes), SVMC_ERR_ARG);
    CHECK_EQ(svmc_offer_policy_save(&some, NULL), SVMC_ERR_ARG);
    start(SVMC_ISA_X86_64);
    for (unsigned n = 0; n < sizeof bad / sizeof bad[0]; n++)
        bad[n] = everything;
    for (; count < 32; count++) /* an exception's vector */
        bad[count].vectors[0] |= 1ull << count;
    bad[count++].kinds |= 1;
    bad[count++].kinds |= 1u << SVMC_OFFER_KINDS;
    bad[count++].kinds |= 0x8000;
    bad[count++].codes |= 0x800;
    bad[count++].codes |= 0x4000;
    bad[count++].codes |= 0x8000;
    bad[count++].kinds &= (uint16_t)~2u; /* what belongs to a kind that is not allowed */
    bad[count++].kinds &= (uint16_t) ~(1u << SVMC_OFFER_S390_EXTERNAL);
    bad[count++].kinds &= (uint16_t) ~(1u << SVMC_OFFER_S390_IO);
    bad[count++].kinds &= (uint16_t) ~(1u << SVMC_OFFER_S390_MCHK);
    for (unsigned n = 0; n < 3; n++)
        bad[count++].reserved[n] = 1;
    for (unsigned n = 0; n < count; n++) {
        CHECK_EQ(svmc_offers_init(&offers, &lab.vc, &bad[n], area, SVMC_ISA_X86_64), SVMC_ERR_ARG,
                 "policy %u", n);
        CHECK_EQ(svmc_offer_policy_save(&bad[n], bytes), SVMC_ERR_ARG, "policy %u", n);
        CHECK_MEM(bytes, zero, sizeof zero, "policy %u", n);
    }
}

TEST(offer, wrong_arguments)
{
    struct svmc_offer_notice notice;
    struct svmc_offer_stats stats;
    struct svmc_offer offer;

    start(SVMC_ISA_RV64);
    offer = right(SVMC_OFFER_RV_TIMER);
    CHECK_EQ(svmc_offers_fetch(&offers, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_offers_fetch(NULL, &result), SVMC_ERR_ARG);
    CHECK_EQ(svmc_offers_next(&offers, 0, NULL, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_offers_next(NULL, 0, NULL, &arrival), SVMC_ERR_ARG);
    CHECK_EQ(svmc_offers_stats(&offers, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_offers_stats(NULL, &stats), SVMC_ERR_ARG);
    CHECK_EQ(svmc_offer_write(area + 1, &offer), SVMC_ERR_ARG);
    CHECK_EQ(svmc_offer_write(NULL, &offer), SVMC_ERR_ARG);
    CHECK_EQ(svmc_offer_write(area, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_offer_notice_read(area + 4, &notice), SVMC_ERR_ARG);
    CHECK_EQ(svmc_offer_notice_read(area, NULL), SVMC_ERR_ARG);
    svmc_offers_drop(NULL);
    svmc_offers_drop(&offers);
    for (unsigned at = 0; at < sizeof area; at++)
        CHECK_EQ(area[at], 0, "byte %u", at);
    CHECK_EQ(svmc_offers_fetch(&offers, &result), SVMC_ERR_ARG);
    for (unsigned isa = 0; isa < 12; isa++) {
        bool known = isa == SVMC_ISA_X86_64 || isa == SVMC_ISA_A64 || isa == SVMC_ISA_RV64 ||
                     isa == SVMC_ISA_S390X;

        CHECK_EQ(svmc_offers_init(&offers, &lab.vc, &policy, area, (enum svmc_isa)isa),
                 known ? SVMC_OK : SVMC_ERR_ARG, "isa %u", isa);
    }
    CHECK_EQ(svmc_offers_init(NULL, &lab.vc, &policy, area, SVMC_ISA_A64), SVMC_ERR_ARG);
    CHECK_EQ(svmc_offers_init(&offers, NULL, &policy, area, SVMC_ISA_A64), SVMC_ERR_ARG);
    CHECK_EQ(svmc_offers_init(&offers, &lab.vc, NULL, area, SVMC_ISA_A64), SVMC_ERR_ARG);
    CHECK_EQ(svmc_offers_init(&offers, &lab.vc, &policy, area + 4, SVMC_ISA_A64), SVMC_ERR_ARG);
    svmc_vcpu_drop(&lab.vc);
    CHECK_EQ(svmc_offers_init(&offers, &lab.vc, &policy, area, SVMC_ISA_A64), SVMC_ERR_ARG);
}

/* AT-15: Heckler's vector 0x80 (CVE-2024-25743, CVE-2024-25744), WeSee's #VC (CVE-2024-25742), by
 * whatever door. The policy allows one device. */
TEST(offer, at15_a_vector_that_is_no_devices)
{
    static const uint8_t wrong[] = { 0x80, 29, 0, 1, 3, 6, 13, 14, 18, 0x20, 0x40, 0x42, 0xff };

    start(SVMC_ISA_X86_64);
    memset(&policy, 0, sizeof policy);
    policy.kinds = 1u << SVMC_OFFER_X86_INTERRUPT;
    policy.vectors[1] = 2; /* 0x41 */
    for (unsigned n = 0; n < sizeof wrong; n++) {
        struct svmc_offer offer = right(SVMC_OFFER_X86_INTERRUPT);

        offer.code = wrong[n];
        refused(&offer, 4);
        offer.kind = SVMC_OFFER_X86_NMI; /* as an NMI, with the vector or without */
        refused(&offer, wrong[n] ? 5 : 4);
        offer.code = 0;
        refused(&offer, 4);
        for (unsigned kind = SVMC_OFFER_A64_IRQ; kind < 256; kind++) { /* as anything else */
            offer = right(kind);
            offer.code = wrong[n];
            refused(&offer, 3);
        }
        next(0);
        CHECK_EQ(arrival.event.type, SVMC_EVENT_NONE);
    }
    take(SVMC_OFFER_X86_INTERRUPT); /* and the device's own not while the guest has it masked */
    set_masks(false);
    for (unsigned entry = 0; entry < 20; entry++) {
        next(0);
        CHECK_EQ(arrival.event.type, SVMC_EVENT_NONE);
    }
    set_masks(true);
    next(0);
    CHECK_EQ(arrival.event.vector, 0x41);
    next(0);
    CHECK_EQ(arrival.event.type, SVMC_EVENT_NONE, "once");
}

/* ---- as bytes --------------------------------------------------------------------------------*/

static uint8_t saved[512], again[512];
static struct svmc_offers fresh;

static size_t save_offers(const struct svmc_offers *of, uint8_t *out)
{
    size_t len, need;

    CHECK_EQ(svmc_offers_save(of, NULL, 0, &need), SVMC_ERR_FULL);
    CHECK_EQ(svmc_offers_save(of, out, sizeof saved, &len), SVMC_OK);
    CHECK_EQ(len, need);
    return len;
}

/* Offers that go on elsewhere: the masks are the guest's, the area and the secret are new. */
static void offers_travel(enum svmc_isa isa)
{
    size_t len = save_offers(&offers, saved);
    struct svmc_offer_notice notice;

    lab.world.random += 0x1111;
    CHECK_EQ(svmc_offers_init(&offers, &lab.vc, &policy, area, isa), SVMC_OK);
    CHECK_EQ(svmc_offers_load(&offers, saved, len), SVMC_OK);
    CHECK_EQ(save_offers(&offers, again), len);
    CHECK_MEM(saved, again, len);
    CHECK_EQ(svmc_offer_notice_read(area, &notice), SVMC_OK);
    CHECK_EQ(notice.kept, offers.priv.kept);
    CHECK_EQ(notice.next >> 48, 7);
}

TEST(offer, what_is_kept_arrives_elsewhere) /* ST-18 OF-6 OF-8 OF-10 */
{
    for (unsigned f = 0; f < FAMILIES; f++)
        for (unsigned k = 0; k < 3 && families[f].kinds[k] != 0; k++) {
            uint8_t kind = families[f].kinds[k];
            struct svmc_offer offer;
            uint64_t seq;

            start(families[f].isa);
            take(kind);
            offer = right(kind);
            seq = offer.seq;
            set_masks(false);
            offers_travel(families[f].isa);
            CHECK(next_seq() != seq, "kind %u: a secret of its own", kind);
            CHECK_EQ(offers.priv.kept, 1u << kind);
            set_masks(true);
            CHECK_EQ(svmc_offers_next(&offers, 0, NULL, &arrival), SVMC_OK);
            CHECK_EQ(arrival.kind, kind);
            CHECK_EQ(arrival.data[0], offer.data[0], "kind %u", kind);
            CHECK_EQ(arrival.data[1], offer.data[1], "kind %u", kind);
            if (!(families[f].lines >> k & 1u))
                continue;
            offers_travel(families[f].isa); /* the line is up there, too */
            offer.seq = next_seq();
            refused(&offer, 6);
            offer.op = SVMC_OFFER_LOWER;
            offer.seq = next_seq();
            CHECK_EQ(send(&offer), SVMC_OK);
            offers_travel(families[f].isa); /* on its way down */
            CHECK_EQ(svmc_offers_next(&offers, 0, NULL, &arrival), SVMC_OK);
            CHECK_EQ(arrival.op, SVMC_OFFER_LOWER);
            CHECK_EQ(offers.priv.up, 0);
        }
}

static enum svmc_status load_hostile(const uint8_t *bytes, size_t len)
{
    enum svmc_status st = svmc_offers_load(&offers, bytes, len);

    if (st == SVMC_OK) {
        CHECK_EQ(save_offers(&offers, again), len);
        CHECK_MEM(again, bytes, len);
    } else {
        CHECK_MEM(&offers, &fresh, sizeof offers);
    }
    offers = fresh;
    return st;
}

TEST(offer, bytes_that_cannot_be) /* ST-2 ST-3 ST-18 */
{
    const size_t kept = 16 + 48 + 8 * SVMC_OFFER_RULES, first = kept + 8;
    size_t len;

    start(SVMC_ISA_A64);
    take(SVMC_OFFER_A64_IRQ);
    CHECK_EQ(svmc_offers_next(&offers, 0, NULL, &arrival), SVMC_OK); /* up */
    take(SVMC_OFFER_A64_FIQ);
    CHECK_EQ(offers.priv.stats.arrived, 1);
    len = save_offers(&offers, saved);
    CHECK_EQ(len, first + 24);
    CHECK_EQ(svmc_offers_load(&offers, saved, len), SVMC_ERR_STATE); /* not new */
    CHECK_EQ(svmc_offers_init(&offers, &lab.vc, &policy, area, SVMC_ISA_A64), SVMC_OK);
    fresh = offers;
    CHECK_EQ(load_hostile(saved, len), SVMC_OK);
    for (size_t cut = 0; cut < len; cut++)
        CHECK_EQ(load_hostile(saved, cut), SVMC_ERR_FORMAT, "%zu", cut);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        saved[bit / 8] ^= (uint8_t)(1u << bit % 8);
        (void)load_hostile(saved, len);
        /* each of these has one value, here, but that the other line is up, and the last answer */
        if (bit >= 8 * kept && bit != 8 * (kept + 2) + SVMC_OFFER_A64_IRQ && bit != 8 * (kept + 4))
            CHECK(load_hostile(saved, len) != SVMC_OK, "%zu", bit);
        saved[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    policy.kinds = 0;
    CHECK_EQ(load_hostile(saved, len), SVMC_ERR_REFUSED);
    policy = everything;
    saved[16] = SVMC_ISA_X86_64;
    CHECK_EQ(load_hostile(saved, len), SVMC_ERR_PURPOSE);
    saved[16] = SVMC_ISA_A64;
    CHECK_EQ(svmc_offers_save(NULL, saved, 9, &len), SVMC_ERR_ARG);
    CHECK_EQ(svmc_offers_save(&offers, NULL, 9, &len), SVMC_ERR_ARG);
    CHECK_EQ(svmc_offers_save(&offers, saved, 9, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_offers_load(NULL, saved, 9), SVMC_ERR_ARG);
    CHECK_EQ(svmc_offers_load(&offers, NULL, 9), SVMC_ERR_ARG);
}

/* As docs/spec/state.md has it, by hand. */
TEST(offer, the_bytes_of_what_is_kept) /* ST-1 ST-18 */
{
    const size_t kept = 16 + 48 + 8 * SVMC_OFFER_RULES;
    uint8_t want[16 + 48 + 8 * SVMC_OFFER_RULES + 8 + 24] = { 'S', 'V', 'S', 'T', 1, 0, 7 };
    struct svmc_offer offer;

    start(SVMC_ISA_S390X);
    take(SVMC_OFFER_S390_EXTERNAL);
    offer = right(SVMC_OFFER_S390_EXTERNAL);
    CHECK_EQ(send(&offer), SVMC_ERR_HOST_REPLY); /* OF-6: one is there */
    want[8] = (uint8_t)sizeof want;
    want[16] = SVMC_ISA_S390X;
    want[20] = 1;            /* refusals in a row */
    want[24] = want[32] = 1; /* offers taken, and so counted */
    want[56] = 1;            /* refused */
    want[64 + 8 * 5] = 1;    /* by OF-6 */
    want[kept + 1] = 1u << (SVMC_OFFER_S390_EXTERNAL - 8);
    want[kept + 4] = SVMC_OFFER_REFUSED;
    want[kept + 5] = 6;
    core_store_le16(want + kept + 8 + 2, 0x2401);
    core_store_le64(want + kept + 8 + 8, 0x43000);
    CHECK_EQ(save_offers(&offers, saved), sizeof want);
    for (size_t i = 0; i < sizeof want; i++)
        CHECK_EQ(saved[i], want[i], "byte %zu", i);
    CHECK_EQ(svmc_offers_init(&offers, &lab.vc, &policy, area, SVMC_ISA_S390X), SVMC_OK);
    fresh = offers;
    saved[kept + 5] = 7; /* no such rule */
    CHECK_EQ(load_hostile(saved, sizeof want), SVMC_ERR_FORMAT);
}
