/* SPDX-License-Identifier: MIT */
/*
 * EX-63: the kinds of s390x, from the exit to what the host sees and what the guest gets. Values by
 * hand: z/Architecture Principles of Operation; Linux Documentation/virt/kvm/s390/s390-pv.rst.
 */
#include "scenarios.h"

static struct lab lab, before;
static struct fakehost_answer honest;
static uint8_t want[SVMC_PAGE_BYTES];

#define R(n) (SVMC_REG_S390_R0 + (n))

static void put(unsigned at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        want[at + i] = (uint8_t)(value >> (8 * i));
}

static struct svmc_exit exit_of(uint16_t kind)
{
    return (struct svmc_exit){ .kind = kind,
                               .count = 1,
                               .finish = SVMC_FINISH_REGS,
                               .isa = SVMC_ISA_S390X,
                               .arg = { R(6), R(7), R(0) } };
}

static void start(const struct svmc_exit *exit, unsigned action)
{
    uint64_t rng = 12;

    lab_init(&lab, &rng);
    for (unsigned i = 0; i < 16; i++)
        lab.world.reg[R(i)] = 0xff00112233440000u + 0x1111u * i;
    lab.world.reg[SVMC_REG_S390_CC] = 1;
    before = lab;
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, exit, &lab.out), SVMC_OK, "kind %x", exit->kind);
    CHECK_EQ(lab.out.action, action, "kind %x", exit->kind);
}

/* The page that vCPU 7 shows: kind, completion, direction, text, in slots. */
static void expect(uint16_t kind, unsigned completion, unsigned direction, const char *text,
                   unsigned slots, const uint64_t *in)
{
    memset(want, 0, sizeof want);
    put(0x000, 4, 0x504d5653);
    put(0x004, 2, 1);
    put(0x006, 2, 0x200);
    put(0x008, 2, kind);
    put(0x00a, 1, completion);
    put(0x00b, 1, direction);
    put(0x00c, 4, 7);
    put(0x010, 8, 0x0007000000000000u | 0x5eed5eed5eedu);
    put(0x018, 8, ((uint64_t)1 << slots) - 1);
    memcpy(want + 0x020, text, 4);
    put(0x03c, 4, completion ? 1 : 0);
    for (unsigned i = 0; i < slots; i++)
        put(0x040 + 8 * i, 8, in[i]);
    for (unsigned i = 0; i < SVMC_PAGE_BYTES; i++)
        if (!CHECK_EQ(lab.world.page[i], want[i], "kind %x: byte %03x", kind, i))
            return;
}

TEST(s390, golden_pages_of_what_is_delegated) /* PG-1 PG-5 PG-6 EX-63 */
{
    static const struct {
        uint16_t kind;
        uint8_t direction;
        char text[5];
    } channel[] = { { SVMC_KIND_CSCH, 1, "\xb2\x30" }, { SVMC_KIND_HSCH, 1, "\xb2\x31" },
                    { SVMC_KIND_RSCH, 1, "\xb2\x38" }, { SVMC_KIND_XSCH, 1, "\xb2\x76" },
                    { SVMC_KIND_SAL, 2, "\xb2\x37" },  { SVMC_KIND_RCHP, 1, "\xb2\x3b" } };
    struct svmc_exit e = exit_of(SVMC_KIND_DIAG_288);

    start(&e, SVMC_ACT_DELEGATED);
    expect(0x5040, 1, 2, "\x83\x02\x50\x00", 3,
           (const uint64_t[]){ 0xff00112233446666, 0xff00112233447777, 0xff00112233440000 });
    e = exit_of(SVMC_KIND_DIAG_500);
    start(&e, SVMC_ACT_DELEGATED);
    expect(0x5041, 1, 1, "\x83\x02\x50\x00", 4,
           (const uint64_t[]){ 0xff00112233441111, 0xff00112233442222, 0xff00112233443333,
                               0xff00112233444444 });
    for (unsigned i = 0; i < sizeof channel / sizeof channel[0]; i++) {
        e = exit_of(channel[i].kind);
        start(&e, SVMC_ACT_DELEGATED);
        expect(channel[i].kind, 1, channel[i].direction, channel[i].text, 1,
               (const uint64_t[]){ 0x33441111 });
    }
}

TEST(s390, golden_pages_of_notices) /* PG-8 EX-63 */
{
    static const struct {
        uint16_t kind;
        uint8_t slots;
        char text[5];
        uint64_t value;
        uint64_t in[2];
    } rows[] = {
        { SVMC_KIND_WAIT, 0, "", 0, { 0 } },
        { SVMC_KIND_DIAG_44, 0, "\x83\x02\x50", 0x77, { 0 } },
        { SVMC_KIND_DIAG_9C, 1, "\x83\x02\x50", 0x77, { 0x6666 } },
        { SVMC_KIND_SPX, 1, "\xb2\x10\x50", 0x7fffe000, { 0x7fffe000 } },
        { SVMC_KIND_LPSW, 0, "\xb2\xb2\x50", 0x77, { 0 } },
        { SVMC_KIND_LCTL, 0, "\xb7\x0f\x50", 0x77, { 0 } },
        { SVMC_KIND_DIAG_308, 1, "\x83\x02\x50", 0x123450001, { 1 } },
        { SVMC_KIND_SIGP, 2, "\xae\x02\x50", 0xabc06, { 0x6666, 6 } },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_exit e = exit_of(rows[i].kind);

        e.value = rows[i].value;
        start(&e, SVMC_ACT_NOTIFIED);
        expect(rows[i].kind, 0, 0, rows[i].text, rows[i].slots, rows[i].in);
        CHECK(memcmp(lab.world.reg, before.world.reg, sizeof lab.world.reg) == 0,
              "kind %x: nothing is written, the PSW has moved already", rows[i].kind);
        CHECK_EQ(lab.vc.priv.pending.active, 0);
    }
}

static void answer(const struct svmc_exit *exit, struct svmc_reply reply, enum svmc_status st)
{
    start(exit, SVMC_ACT_DELEGATED);
    CHECK(fakehost_prepare(lab.world.page, &honest));
    reply.seq = honest.request.seq;
    honest.reply = reply;
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), st, "kind %x", exit->kind);
}

/* All registers as before but one. */
static void check_registers(unsigned reg, uint64_t value)
{
    for (unsigned r = 0; r < WORLD_REGS; r++)
        CHECK_EQ(lab.world.reg[r], r == reg ? value : before.world.reg[r], "register %u", r);
}

TEST(s390, a_condition_code_is_0_to_3) /* R10 */
{
    struct svmc_exit e = exit_of(SVMC_KIND_HSCH);

    for (uint64_t cc = 0; cc < 4; cc++) {
        answer(&e, (struct svmc_reply){ .out_valid = 1, .done = 1, .out = { cc } }, SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_RESUME);
        check_registers(SVMC_REG_S390_CC, cc);
    }
    for (unsigned bit = 2; bit < 64; bit++) {
        answer(&e,
               (struct svmc_reply){
                   .out_valid = 1, .done = 1, .out = { (uint64_t)1 << bit | (bit & 3) } },
               SVMC_ERR_HOST_REPLY);
        CHECK_EQ(lab.out.rule, 10, "bit %u", bit);
        check_registers(SVMC_REG_NONE, 0);
    }
}

TEST(s390, results_go_to_their_registers_alone) /* R9 */
{
    struct svmc_exit e = exit_of(SVMC_KIND_DIAG_500);

    answer(&e, (struct svmc_reply){ .out_valid = 1, .done = 1, .out = { UINT64_MAX } }, SVMC_OK);
    check_registers(R(2), UINT64_MAX);
    e = exit_of(SVMC_KIND_SAL);
    answer(&e, (struct svmc_reply){ .done = 1 }, SVMC_OK);
    check_registers(SVMC_REG_NONE, 0);
    answer(&e, (struct svmc_reply){ .done = 1, .out_valid = 1 }, SVMC_ERR_HOST_REPLY);
    CHECK_EQ(lab.out.rule, 6, "SAL leaves the condition code alone");
}

TEST(s390, legal_exceptions_are_the_operations_own) /* R4 R7; s390-pv.rst */
{
    static const struct {
        uint16_t kind;
        uint8_t specification, operand;
    } rows[] = { { SVMC_KIND_DIAG_288, 1, 0 }, { SVMC_KIND_DIAG_500, 1, 1 },
                 { SVMC_KIND_CSCH, 0, 1 },     { SVMC_KIND_HSCH, 0, 1 },
                 { SVMC_KIND_RSCH, 0, 1 },     { SVMC_KIND_XSCH, 0, 1 },
                 { SVMC_KIND_SAL, 0, 1 },      { SVMC_KIND_RCHP, 0, 1 } };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned fault = 0; fault < 256; fault++) {
            struct svmc_exit e = exit_of(rows[i].kind);
            bool legal = (fault == SVMC_FAULT_SPECIFICATION && rows[i].specification) ||
                         (fault == SVMC_FAULT_OPERAND && rows[i].operand);

            answer(&e, (struct svmc_reply){ .status = SVMC_REPLY_FAULT, .fault = fault },
                   legal ? SVMC_OK : SVMC_ERR_HOST_REPLY);
            check_registers(SVMC_REG_NONE, 0);
            if (!legal) {
                CHECK_EQ(lab.out.rule, 7, "kind %x, fault %u", rows[i].kind, fault);
                continue;
            }
            CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
            CHECK_EQ(lab.out.fault.vector, fault == SVMC_FAULT_OPERAND ? 0x15 : 0x06);
            CHECK_EQ(lab.out.fault.has_error, 0);
        }
}

TEST(s390, an_odd_pair_is_the_guests_fault) /* EX-63; QEMU target/s390x/diag.c */
{
    struct svmc_exit e = exit_of(SVMC_KIND_DIAG_288);

    for (unsigned r1 = 1; r1 < 16; r1 += 2) {
        e.arg[0] = (uint8_t)R(r1);
        e.arg[1] = (uint8_t)R((r1 + 1) & 15);
        start(&e, SVMC_ACT_INJECT);
        CHECK_EQ(lab.out.verdict, SVMC_VERDICT_FAULT);
        CHECK_EQ(lab.out.fault.vector, 6, "specification");
        check_registers(SVMC_REG_NONE, 0);
    }
}

TEST(s390, an_exit_that_cannot_be_is_refused) /* EX-1 EX-63 */
{
    static const uint16_t kinds[] = { 0x5040, 0x5041, 0x6040, 0x6041, 0x6042, 0x9040,
                                      0x9041, 0x9042, 0xb040, 0xb041, 0xb042, 0xb043,
                                      0xb044, 0xb045, 0xc040, 0xd040 };
    uint64_t rng = 3;

    lab_init(&lab, &rng);
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        for (unsigned isa = 0; isa < 16; isa++) {
            struct svmc_exit e = exit_of(kinds[i]);

            e.isa = (uint8_t)isa;
            if (isa != SVMC_ISA_S390X)
                CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG, "%x", kinds[i]);
        }
    for (unsigned i = 0; i < SVMC_EXIT_ARGS; i++)
        for (unsigned reg = 0; reg < 256; reg++) {
            struct svmc_exit e = exit_of(SVMC_KIND_DIAG_288);
            bool good = reg >= R(0) && reg <= R(15);

            e.arg[i] = (uint8_t)reg;
            CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), good ? SVMC_OK : SVMC_ERR_ARG);
            svmc_vcpu_cancel(&lab.vc);
        }
    for (unsigned bit = 0; bit < 64; bit++) {
        struct svmc_exit e = exit_of(SVMC_KIND_SPX);

        e.value = (uint64_t)1 << bit;
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out),
                 bit >= 13 && bit <= 30 ? SVMC_OK : SVMC_ERR_ARG, "prefix bit %u", bit);
    }
}

TEST(s390, a_notice_that_fails_changes_nothing) /* the k-th callback */
{
    struct svmc_exit e = exit_of(SVMC_KIND_SIGP);
    static const uint8_t zero[SVMC_PAGE_BYTES];
    uint64_t rng = 3;

    lab_init(&lab, &rng);
    lab.world.fail_at = 1;
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_CALLBACK);
    CHECK_EQ(lab.out.action, SVMC_ACT_STOP);
    CHECK_MEM(lab.world.page, zero, sizeof zero, "the host was told nothing");
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK);
    CHECK_EQ(lab.world.calls, 2, "one register, read again");
}

TEST(s390, observe_makes_not_operational_of_no_condition_code) /* MO-3 */
{
    struct svmc_exit e = exit_of(SVMC_KIND_CSCH);
    struct svmc_policy policy;
    uint64_t rng = 3;

    lab_init(&lab, &rng);
    policy = lab.policy;
    policy.priv.sealed = 0; /* the test's own shortcut */
    CHECK_EQ(svmc_policy_set_mode(&policy, SVMC_MODE_OBSERVE), SVMC_OK);
    CHECK_EQ(svmc_policy_seal(&policy), SVMC_OK);
    lab.policy = policy;
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK);
    CHECK(fakehost_prepare(lab.world.page, &honest));
    honest.reply.out[0] = 0x100;
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.rule, 10);
    CHECK_EQ(lab.world.reg[SVMC_REG_S390_CC], 3);
}
