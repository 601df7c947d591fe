/* SPDX-License-Identifier: MIT */
/* What holds for every row of rows.def, whatever it is of: a new row is tested by being there. */
#include "../../src/intercept/intercept_private.h"
#include "scenarios.h"

static struct lab lab, before;
static struct fakehost_answer honest;

/* The rule of a kind that has a row, else NULL. */
static const struct exit_rule *row_of(unsigned kind)
{
    const struct exit_rule *rule = svmc_intercept_rule((uint16_t)kind);

    return rule->kind == kind && kind != SVMC_KIND_UNKNOWN ? rule : NULL;
}

TEST(rows, each_that_is_delegated_is_lied_to) /* R2 to R18 by test_reply.c's lies: ten at least */
{
    unsigned rows = 0;

    for (unsigned kind = 0; kind < 65536; kind++) {
        const struct exit_rule *rule = row_of(kind);
        unsigned most = 0;

        if (!rule || rule->statuses == 0)
            continue;
        rows++;
        for (unsigned n = 0; n < scenario_count; n++) {
            uint64_t rng = 5;
            unsigned told = 0;

            if (scenarios[n].exit.kind != kind)
                continue;
            lab_init(&lab, &rng);
            CHECK_EQ(lab_exit(&lab, n), SVMC_OK, "%s", scenarios[n].name);
            CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED, "%s", scenarios[n].name);
            CHECK(fakehost_prepare(lab.world.page, &honest));
            if (honest.request.kind != kind) /* a hypercall by port */
                continue;
            for (unsigned lie = 0; lie < fakehost_lie_count; lie++)
                told += fakehost_lie_applies(lie, &honest.request) != 0;
            most = told > most ? told : most;
        }
        CHECK(most >= 10, "%s: %u", svmc_kind_name((uint16_t)kind), most);
    }
    CHECK(rows >= 18, "only %u", rows);
}

TEST(rows, results_are_what_the_engine_takes_them_for) /* R8 R10: what reply.c asks of one alone */
{
    unsigned rows = 0;

    for (unsigned kind = 0; kind < 65536; kind++) {
        const struct exit_rule *rule = row_of(kind);

        if (!rule)
            continue;
        rows++;
        for (unsigned i = 1; i < rule->out_count; i++) {
            CHECK_EQ(rule->out[i].bytes, rule->out[0].bytes, "%s", svmc_kind_name(rule->kind));
            CHECK_EQ(rule->out[i].check, CHECK_ANY, "%s", svmc_kind_name(rule->kind));
            CHECK(rule->out[i].place != PLACE_DEST, "%s", svmc_kind_name(rule->kind));
            if (!rule->apart)
                CHECK_EQ(rule->out[i].place, PLACE_REG, "%s", svmc_kind_name(rule->kind));
        }
    }
    CHECK(rows >= 50, "only %u", rows);
}

/* An exit of this row, by whoever ends the instruction. */
static struct svmc_exit exit_of(const struct exit_rule *rule, bool own)
{
    bool word = rule->kind == SVMC_KIND_WFI || rule->kind == SVMC_KIND_WFE;
    bool s390 = rule->space == SPACE_S390;
    bool csr = rule->kind >= SVMC_KIND_CSR_READ && rule->kind <= SVMC_KIND_CSR_CLEAR;
    bool transfer = csr || (rule->kind >= SVMC_KIND_CR_READ && rule->kind <= SVMC_KIND_DR_WRITE);

    return (struct svmc_exit){ .kind = rule->kind,
                               .count = 1,
                               .address = 0xdeadbeef,
                               .size = transfer                       ? 8
                                       : rule->kind == SVMC_KIND_LMSW ? 2
                                                                      : 0,
                               .dest_bytes = 8,
                               .dest_reg = csr ? SVMC_REG_RV_X31 : SVMC_REG_RAX,
                               .value = s390 ? 0x2000 : 0xdeadbeef, /* SPX, UVC */
                               .arg = { SVMC_REG_S390_R0 + 2 },
                               .isa = s390   ? SVMC_ISA_S390X
                                      : word ? SVMC_ISA_A64
                                      : csr  ? SVMC_ISA_RV64
                                             : SVMC_ISA_X86_64,
                               .finish = own ? SVMC_FINISH_REGS | SVMC_FINISH_RIP : 0,
                               .insn_bytes = own ? 2 : 0 };
}

/* What a host may try: seq is what differs from the one that the page shows. */
static const struct svmc_reply attempts[] = {
    { .out_valid = 1, .done = 1, .out = { 0x77 } },
    { .done = 1 },
    { .out_valid = 3, .done = 1, .out = { 0x77, 0x88 } },
    { .out_valid = 0xf, .done = 1, .out = { 1, 2, 3, 4 } },
    { .status = SVMC_REPLY_FAULT, .fault = SVMC_FAULT_GP },
    { .status = SVMC_REPLY_FAULT, .fault = SVMC_FAULT_UD },
    { .status = SVMC_REPLY_PARTIAL, .done = 1, .data_bytes = 8 },
    { .status = SVMC_REPLY_RETRY },
    { .seq = 1, .out_valid = 1, .done = 1, .out = { 0x77 } }, /* the next, or the last */
    { .seq = (uint64_t)1 << 48, .done = 1 },                  /* another vCPU's */
    { .seq = UINT64_MAX, .status = 9, .fault = 255, .out_valid = 255, .done = UINT32_MAX },
    { .out_valid = 1, .done = 2, .data_bytes = 16, .out = { UINT64_MAX } },
};
#define ATTEMPTS (sizeof attempts / sizeof attempts[0])

TEST(rows, none_that_is_done_inside_takes_an_answer) /* R1 R15 */
{
    static const uint8_t data[16] = { 0x77 };
    unsigned rows = 0;

    for (unsigned kind = 0; kind < 65536; kind++) {
        const struct exit_rule *rule = row_of(kind);

        if (!rule || rule->statuses != 0)
            continue;
        rows++;
        for (unsigned n = 0; n < 2 * ATTEMPTS; n++) { /* own or not, and an exit for each */
            struct svmc_exit e = exit_of(rule, n % 2 != 0);
            struct svmc_reply reply = attempts[n / 2];
            uint64_t rng = 5;

            (void)request_of(rule->kind, &e);
            lab_init(&lab, &rng);
            CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK, "kind %x", kind);
            CHECK(lab.out.action != SVMC_ACT_DELEGATED, "kind %x", kind);
            for (unsigned i = 0; i < 8; i++) /* what the page shows, if it shows anything */
                reply.seq ^= (uint64_t)lab.world.page[0x10 + i] << 8 * i;
            CHECK_EQ(svmc_reply_write(lab.world.page, &reply, data), SVMC_OK);
            before = lab;
            CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_STATE, "kind %x, %u", kind, n);
            CHECK_EQ(lab.out.action, SVMC_ACT_STOP, "kind %x, %u", kind, n);
            CHECK(lab_same(&lab, &before), "kind %x, %u", kind, n);
        }
    }
    CHECK(rows >= 16, "only %u", rows);
}
