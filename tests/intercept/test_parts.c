/* SPDX-License-Identifier: MIT */
/*
 * PG-10: a block that goes and comes in parts. Lengths by hand: 3584 bytes are one part, 3585 and
 * 4096 are 3584 out, the rest out and as much in, 3584 in.
 */
#include "scenarios.h"

#define AT 0x3000u /* the SCCB: a real address */

static struct lab lab, before;
static struct fakehost_answer honest;
static uint8_t sent[4096], given[4096];

struct part {
    uint8_t completion, direction;
    uint16_t offset, bytes;
};

static uint64_t field(unsigned at, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)lab.world.page[at + i] << (8 * i);
    return value;
}

static enum svmc_status take(unsigned length)
{
    struct svmc_exit e = { .kind = SVMC_KIND_SERVC,
                           .size = 4096,
                           .count = 1,
                           .finish = SVMC_FINISH_REGS,
                           .isa = SVMC_ISA_S390X,
                           .buffer = { AT },
                           .value = 0x1122334400020001 };
    uint64_t rng = 31;

    lab_init(&lab, &rng);
    lab.world.memory[AT] = (uint8_t)(length >> 8);
    lab.world.memory[AT + 1] = (uint8_t)length;
    memcpy(sent, lab.world.memory + AT, sizeof sent);
    for (unsigned i = 2; i < sizeof given; i++)
        given[i] = (uint8_t)(i * 5 + i / 256);
    given[0] = (uint8_t)(length >> 8);
    given[1] = (uint8_t)length;
    before = lab;
    return svmc_vcpu_exit(&lab.vc, &e, &lab.out);
}

static unsigned parts_of(unsigned length, struct part parts[3])
{
    if (length <= 3584) {
        parts[0] = (struct part){ 2, 3, 0, (uint16_t)length };
        return 1;
    }
    parts[0] = (struct part){ 3, 2, 0, 3584 };
    parts[1] = (struct part){ 3, 3, 3584, (uint16_t)(length - 3584) };
    parts[2] = (struct part){ 2, 1, (uint16_t)(length - 3584), 3584 };
    return 3;
}

/* The honest answer to a part, out of `given`. */
static void prepare(const struct part *p)
{
    unsigned from = p->direction == 3 ? 0 : p->offset;

    REQUIRE(fakehost_prepare(lab.world.page, &honest));
    CHECK_EQ(honest.reply.data_bytes, p->direction & 1 ? p->bytes : 0u);
    if (p->direction & 1)
        memcpy(honest.data, given + from, p->bytes);
}

static enum svmc_status answer(void)
{
    CHECK(fakehost_send(lab.world.page, &honest));
    return svmc_vcpu_enter(&lab.vc, &lab.out);
}

/* What the page asks for is this part, and nothing else. */
static void check_page(const struct part *p, unsigned length)
{
    unsigned shown = p->direction & 2 ? p->bytes : 0;

    CHECK_EQ(field(0x08, 2), 0xb04c);
    CHECK_EQ(field(0x0a, 1), p->completion, "length %u, offset %u", length, p->offset);
    CHECK_EQ(field(0x0b, 1), p->direction, "length %u, offset %u", length, p->offset);
    CHECK_EQ(field(0x30, 8), (uint64_t)p->offset << 32, "length %u", length);
    CHECK_EQ(field(0x38, 4), p->bytes, "length %u", length);
    CHECK_EQ(field(0x3c, 4), 1);
    CHECK_EQ(field(0x40, 8), 0x00020001, "the command");
    CHECK_EQ(field(0x18, 8), 1);
    CHECK_MEM(lab.world.page + 0x200, sent + p->offset, shown, "length %u", length);
}

/* PG-1 PG-9: behind the data nothing, and no reply of before. */
static void check_rest(unsigned shown)
{
    static const uint8_t zero[SVMC_PAGE_BYTES];

    CHECK_MEM(lab.world.page + 0x80, zero, 0x180);
    CHECK_MEM(lab.world.page + 0x200 + shown, zero, SVMC_PAGE_DATA_BYTES - shown);
}

/* Everything up to part n; false: there are fewer. */
static bool go_to(unsigned length, unsigned n, struct part parts[3])
{
    CHECK_EQ(take(length), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED);
    if (n >= parts_of(length, parts))
        return false;
    for (unsigned i = 0; i < n; i++) {
        prepare(&parts[i]);
        CHECK_EQ(answer(), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED);
    }
    return true;
}

static bool guest_as_before(void)
{
    return memcmp(lab.world.reg, before.world.reg, sizeof lab.world.reg) == 0 &&
           memcmp(lab.world.memory, before.world.memory, WORLD_MEMORY) == 0;
}

static const unsigned lengths[] = { 9, 10, 64, 3583, 3584, 3585, 3600, 4095, 4096 };
#define LENGTHS (sizeof lengths / sizeof lengths[0])

TEST(parts, a_block_goes_and_comes) /* PG-10 EX-70 */
{
    struct part parts[3];

    for (unsigned l = 0; l < LENGTHS; l++) {
        unsigned length = lengths[l], count = parts_of(length, parts);

        CHECK_EQ(take(length), SVMC_OK);
        for (unsigned i = 0; i < count; i++) {
            CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED);
            check_page(&parts[i], length);
            check_rest(parts[i].direction & 2 ? parts[i].bytes : 0);
            CHECK(guest_as_before(), "nothing before all of it is there");
            prepare(&parts[i]);
            CHECK_EQ(answer(), SVMC_OK, "length %u, part %u", length, i);
        }
        CHECK_EQ(lab.out.action, SVMC_ACT_RESUME, "length %u", length);
        memcpy(before.world.memory + AT, given, length);
        before.world.reg[SVMC_REG_S390_CC] = 0;
        CHECK_MEM(lab.world.memory, before.world.memory, WORLD_MEMORY, "length %u", length);
        CHECK_MEM(lab.world.reg, before.world.reg, sizeof lab.world.reg, "length %u", length);
        CHECK_EQ(lab.vc.priv.seq_count, count);
        CHECK_EQ(lab.vc.priv.stats.bytes_shown, length + 4 * count);
        CHECK_EQ(lab.vc.priv.stats.bytes_accepted, length);
    }
}

TEST(parts, each_is_lied_to) /* R2 to R18, of each part */
{
    struct part parts[3];
    unsigned told = 0;

    for (unsigned l = 0; l < LENGTHS; l++)
        for (unsigned n = 0; go_to(lengths[l], n, parts); n++) {
            static struct lab then;

            prepare(&parts[n]);
            then = lab;
            for (unsigned lie = 0; lie < fakehost_lie_count; lie++) {
                if (!fakehost_lie_applies(lie, &honest.request))
                    continue;
                told++;
                CHECK(fakehost_lie(lab.world.page, &honest, lie));
                CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY, "%s",
                         fakehost_lies[lie].name);
                CHECK_EQ(lab.out.rule, fakehost_lies[lie].rule, "%s", fakehost_lies[lie].name);
                CHECK(lab_same(&lab, &then), "%s", fakehost_lies[lie].name);
                CHECK_MEM(lab.vc.priv.staging, then.vc.priv.staging, SVMC_EXIT_DATA_MAX, "%s",
                          fakehost_lies[lie].name);
                lab.vc.priv.refusals = 0;
            }
        }
    CHECK(told > 200, "only %u", told);
}

TEST(parts, of_another_size_are_refused) /* R11 */
{
    struct part parts[3];

    for (unsigned l = 0; l < LENGTHS; l++)
        for (unsigned n = 0; go_to(lengths[l], n, parts); n++) {
            uint32_t right = parts[n].direction & 1 ? parts[n].bytes : 0;

            prepare(&parts[n]);
            for (uint32_t bytes = 0; bytes <= SVMC_PAGE_DATA_BYTES; bytes += 1 + bytes / 3) {
                honest.reply.data_bytes = bytes;
                lab.vc.priv.refusals = 0;
                if (bytes != right)
                    CHECK_EQ(answer(), SVMC_ERR_HOST_REPLY, "%u of %u", bytes, right);
            }
            CHECK(guest_as_before());
            honest.reply.data_bytes = right;
            CHECK_EQ(answer(), SVMC_OK);
        }
}

TEST(parts, results_come_with_the_last) /* R6 PG-10 */
{
    uint64_t rng = 7;

    lab_init(&lab, &rng);
    CHECK_EQ(lab_exit(&lab, scenario_named("s390 stsi")), SVMC_OK);
    CHECK_EQ(field(0x0a, 1), 2);
    CHECK_EQ(field(0x30, 8), (uint64_t)3584 << 32);
    CHECK_EQ(field(0x38, 4), 512);
    CHECK(fakehost_prepare(lab.world.page, &honest));
    CHECK_EQ(honest.reply.out_valid, 1);
    honest.reply.out_valid = 0;
    CHECK_EQ(answer(), SVMC_ERR_HOST_REPLY);
    CHECK_EQ(lab.out.rule, 6);
    svmc_vcpu_cancel(&lab.vc);
    for (unsigned length = 3585; length <= 4096; length += 511) {
        struct part parts[3];

        for (unsigned n = 0; n < 2; n++) {
            CHECK(go_to(length, n, parts));
            prepare(&parts[n]);
            honest.reply.out_valid = 1;
            CHECK_EQ(answer(), SVMC_ERR_HOST_REPLY);
            CHECK_EQ(lab.out.rule, 6);
        }
    }
}

TEST(parts, retry_asks_for_the_same_one) /* R11 */
{
    struct part parts[3];
    static uint8_t page[SVMC_PAGE_BYTES];

    for (unsigned l = 0; l < LENGTHS; l++)
        for (unsigned n = 0; go_to(lengths[l], n, parts); n++) {
            for (unsigned i = 0; i < 2; i++) {
                memcpy(page, lab.world.page, sizeof page);
                prepare(&parts[n]);
                honest.reply =
                    (struct svmc_reply){ .seq = honest.request.seq, .status = SVMC_REPLY_RETRY };
                CHECK_EQ(answer(), SVMC_OK);
                CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED);
                CHECK_MEM(lab.world.page, page, 0x10, "kind, completion, direction");
                CHECK_MEM(lab.world.page + 0x18, page + 0x18, 0xe8, "all but the sequence");
                CHECK_MEM(lab.world.page + 0x200, page + 0x200, SVMC_PAGE_DATA_BYTES);
            }
            prepare(&parts[n]);
            CHECK_EQ(answer(), SVMC_OK);
        }
}

TEST(parts, an_answer_counts_once) /* R2: twice; and to another part */
{
    struct part parts[3];

    for (unsigned l = 5; l < LENGTHS; l++) {
        static struct fakehost_answer first;

        CHECK(go_to(lengths[l], 0, parts));
        prepare(&parts[0]);
        first = honest;
        CHECK_EQ(answer(), SVMC_OK);
        for (unsigned n = 1; n < 3; n++) {
            static struct fakehost_answer own;

            prepare(&parts[n]);
            own = honest;
            honest = first;
            CHECK_EQ(answer(), SVMC_ERR_HOST_REPLY, "part %u", n);
            CHECK_EQ(lab.out.rule, 2);
            honest.reply.seq = own.reply.seq; /* part 0's, but for the number */
            CHECK_EQ(answer(), SVMC_ERR_HOST_REPLY, "part %u", n);
            CHECK_EQ(lab.out.rule, 11);
            honest = own;
            CHECK_EQ(answer(), SVMC_OK, "part %u", n);
        }
        CHECK_EQ(lab.out.action, SVMC_ACT_RESUME);
        CHECK_EQ(answer(), SVMC_ERR_STATE, "once more");
    }
}

TEST(parts, the_kth_callback_fails) /* all or nothing, and the same answer is taken afterwards */
{
    struct part parts[3];
    unsigned failures = 0;

    for (unsigned l = 0; l < LENGTHS; l++) {
        for (unsigned n = 0; go_to(lengths[l], n, parts); n++)
            for (unsigned k = 1;; k++) {
                enum svmc_status st;

                CHECK(go_to(lengths[l], n, parts));
                prepare(&parts[n]);
                lab.world.calls = 0;
                lab.world.fail_at = k;
                st = answer();
                if (st == SVMC_OK)
                    break;
                failures++;
                CHECK_EQ(st, SVMC_ERR_CALLBACK);
                CHECK(guest_as_before(), "length %u, part %u, call %u", lengths[l], n, k);
                /* the host may still say RETRY: what it then sees is the guest's, not its own */
                honest.reply =
                    (struct svmc_reply){ .seq = honest.request.seq, .status = SVMC_REPLY_RETRY };
                CHECK_EQ(answer(), SVMC_OK);
                check_page(&parts[n], lengths[l]);
                for (unsigned i = n; i < parts_of(lengths[l], parts); i++) {
                    prepare(&parts[i]);
                    CHECK_EQ(answer(), SVMC_OK);
                }
                CHECK_EQ(lab.out.action, SVMC_ACT_RESUME);
                CHECK_MEM(lab.world.memory + AT, given, lengths[l]);
            }
    }
    CHECK(failures >= 10, "only %u", failures);
}

TEST(parts, a_place_that_goes_is_the_guests_fault) /* R12 */
{
    struct part parts[3];

    for (unsigned l = 0; l < LENGTHS; l++) {
        unsigned last = parts_of(lengths[l], parts) - 1;

        CHECK(go_to(lengths[l], last, parts));
        prepare(&parts[last]);
        lab.world.hole[AT / 4096] = true;
        CHECK_EQ(answer(), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
        CHECK(guest_as_before());
        take(lengths[l]);
        svmc_vcpu_cancel(&lab.vc);
    }
}

TEST(parts, the_guest_may_write_meanwhile) /* EX-70: no byte is read twice */
{
    struct part parts[3];

    CHECK(go_to(4096, 0, parts));
    memset(lab.world.memory + AT, 0xee, 4096);
    for (unsigned n = 0; n < 3; n++) {
        check_page(&parts[n], 4096);
        prepare(&parts[n]);
        CHECK_EQ(answer(), SVMC_OK);
    }
    CHECK_MEM(lab.world.memory + AT, given, 4096);
}
