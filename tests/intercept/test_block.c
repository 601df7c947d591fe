/* SPDX-License-Identifier: MIT */
/*
 * EX-68: blocks of guest memory on their way to the host and back. Lengths by hand: PoP 14 and 15
 * (SCHIB 13 words, IRB 16 words, ORB 3 or 8 words).
 */
#include "scenarios.h"

#define AT 0x2f0u /* in the guest's memory */

static struct lab lab, before;
static struct fakehost_answer honest;
static struct svmc_host_ops ops;

static const struct row {
    uint16_t kind;
    uint8_t bytes;
    bool in;
    uint8_t codes; /* bit n: condition code n is legal, PoP 14 */
    char text[3];
} rows[] = { { SVMC_KIND_SSCH, 32, false, 15, "\xb2\x33" },
             { SVMC_KIND_MSCH, 52, false, 15, "\xb2\x32" },
             { SVMC_KIND_STSCH, 52, true, 9, "\xb2\x34" },
             { SVMC_KIND_TSCH, 64, true, 11, "\xb2\x35" } };
#define ROWS (sizeof rows / sizeof rows[0])

static struct svmc_exit exit_of(const struct row *r, uint64_t at)
{
    return (struct svmc_exit){ .kind = r->kind,
                               .count = 1,
                               .size = r->bytes,
                               .finish = SVMC_FINISH_REGS,
                               .isa = SVMC_ISA_S390X,
                               .buffer = { WORLD_LINEAR + at } };
}

static void fresh(void)
{
    uint64_t rng = 31;

    lab_init(&lab, &rng);
    for (unsigned i = 0; i < WORLD_MEMORY; i++)
        lab.world.memory[i] = (uint8_t)(i * 7 + 1);
    lab.world.memory[AT + 7] |= 1; /* X: a long ORB */
    before = lab;
}

static enum svmc_status take(const struct row *r, uint64_t at)
{
    struct svmc_exit e = exit_of(r, at);

    return svmc_vcpu_exit(&lab.vc, &e, &lab.out);
}

static void ask(const struct row *r, uint64_t at)
{
    fresh();
    CHECK_EQ(take(r, at), SVMC_OK, "%x", r->kind);
    CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED, "%x", r->kind);
    REQUIRE(fakehost_prepare(lab.world.page, &honest), "%x", r->kind);
}

static enum svmc_status answer(uint64_t cc)
{
    honest.reply.out[0] = cc;
    CHECK(fakehost_send(lab.world.page, &honest));
    return svmc_vcpu_enter(&lab.vc, &lab.out);
}

TEST(block, golden_pages) /* EX-68 PG-1 PG-6 */
{
    static const uint8_t zero[SVMC_PAGE_BYTES];

    for (unsigned i = 0; i < ROWS; i++) {
        const struct row *r = &rows[i];
        const uint8_t *page = lab.world.page;
        unsigned shown = r->in ? 0 : r->bytes;
        const uint8_t head[] = { (uint8_t)r->kind, (uint8_t)(r->kind >> 8), 2, r->in ? 1 : 2 };
        const uint8_t size[] = { r->bytes, 0, 0, 0, 1, 0, 0, 0 };

        ask(r, AT);
        CHECK_MEM(page + 0x008, head, sizeof head, "%x: kind, completion, direction", r->kind);
        CHECK_MEM(page + 0x020, r->text, 2, "%x", r->kind);
        CHECK_MEM(page + 0x022, "\x50\x00\x00\x00", 4, "%x: 0(%%r5)", r->kind);
        CHECK_MEM(page + 0x030, zero, 8, "%x: the address stays inside", r->kind);
        CHECK_MEM(page + 0x038, size, 8, "%x", r->kind);
        CHECK_MEM(page + 0x200, before.world.memory + AT, shown, "%x", r->kind);
        CHECK_MEM(page + 0x200 + shown, zero, SVMC_PAGE_DATA_BYTES - shown, "%x", r->kind);
    }
}

TEST(block, a_short_orb_shows_12_bytes) /* EX-68; PoP 15: bit X */
{
    static const uint8_t zero[SVMC_PAGE_DATA_BYTES];
    struct svmc_exit e = exit_of(&rows[0], AT);

    fresh();
    lab.world.memory[AT + 7] &= 0xfe;
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK);
    CHECK_MEM(lab.world.page + 0x200, lab.world.memory + AT, 12);
    CHECK_MEM(lab.world.page + 0x20c, zero, SVMC_PAGE_DATA_BYTES - 12);
    /* and needs no more: the page behind it is not there */
    fresh();
    lab.world.memory[0x1000 - 12 + 7] = 0;
    lab.world.hole[1] = true;
    CHECK_EQ(take(&rows[0], 0x1000 - 12), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED);
    fresh();
    lab.world.memory[0x1000 - 12 + 7] = 1;
    lab.world.hole[1] = true;
    CHECK_EQ(take(&rows[0], 0x1000 - 12), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
}

TEST(block, it_is_stored_with_its_condition_code) /* EX-68 R9 */
{
    for (unsigned i = 0; i < ROWS; i++)
        for (unsigned at = AT; at < 0x1010; at += 0x1000 - 20 - AT)
            for (uint64_t cc = 0; cc < 4; cc++) {
                bool stored = rows[i].in && cc != 3;

                ask(&rows[i], at);
                CHECK_EQ(honest.reply.data_bytes, rows[i].in ? rows[i].bytes : 0u);
                if (!(rows[i].codes >> cc & 1)) { /* R10 */
                    CHECK_EQ(answer(cc), SVMC_ERR_HOST_REPLY, "%x", rows[i].kind);
                    CHECK_EQ(lab.out.rule, 10, "%x", rows[i].kind);
                    continue;
                }
                CHECK_EQ(answer(cc), SVMC_OK, "%x", rows[i].kind);
                CHECK_EQ(lab.out.action, SVMC_ACT_RESUME);
                if (stored)
                    memcpy(before.world.memory + at, honest.data, rows[i].bytes);
                CHECK_MEM(lab.world.memory, before.world.memory, WORLD_MEMORY, "%x, code %u",
                          rows[i].kind, (unsigned)cc);
                before.world.reg[SVMC_REG_S390_CC] = cc;
                CHECK_MEM(lab.world.reg, before.world.reg, sizeof lab.world.reg, "%x",
                          rows[i].kind);
            }
}

TEST(block, its_length_is_the_rows) /* R11 EX-1 */
{
    for (unsigned i = 0; i < ROWS; i++) {
        for (uint32_t bytes = 0; bytes <= SVMC_PAGE_DATA_BYTES; bytes += 1 + bytes / 100) {
            uint32_t right = rows[i].in ? rows[i].bytes : 0;

            ask(&rows[i], AT);
            honest.reply.data_bytes = bytes;
            CHECK_EQ(answer(0), bytes == right ? SVMC_OK : SVMC_ERR_HOST_REPLY, "%x: %u",
                     rows[i].kind, bytes);
            CHECK_EQ(lab.out.rule, bytes == right ? 0 : 11, "%x: %u", rows[i].kind, bytes);
        }
        for (unsigned size = 0; size < 256; size++) {
            struct svmc_exit e = exit_of(&rows[i], AT);

            fresh();
            e.size = (uint8_t)size;
            CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out),
                     size == rows[i].bytes ? SVMC_OK : SVMC_ERR_ARG, "%x: %u", rows[i].kind, size);
        }
    }
}

TEST(block, an_exit_that_cannot_be_is_refused) /* EX-1 */
{
    for (unsigned i = 0; i < ROWS; i++) {
        struct svmc_exit e = exit_of(&rows[i], AT);

        fresh();
        e.finish = SVMC_FINISH_BACKEND;
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG);
        e = exit_of(&rows[i], AT);
        e.count = 2;
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG);
        e.count = 1;
        e.isa = SVMC_ISA_X86_64;
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG);
        ops = world_ops;
        ops.guest_span = NULL;
        CHECK_EQ(svmc_vcpu_init(&lab.vc, &ops, &lab.world, &lab.policy, lab.world.page, 7),
                 SVMC_OK);
        CHECK_EQ(take(&rows[i], AT), SVMC_ERR_UNSUPPORTED);
    }
}

TEST(block, faults_are_the_guests_and_the_host_hears_nothing) /* EX-68 R12 */
{
    static const uint8_t zero[SVMC_PAGE_BYTES];

    for (unsigned i = 0; i < ROWS; i++)
        for (unsigned off = 1; off < 4; off++) {
            fresh();
            CHECK_EQ(take(&rows[i], AT + off), SVMC_OK);
            CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
            CHECK_EQ(lab.out.fault.vector, 6, "specification: not on a word");
            CHECK_MEM(lab.world.page, zero, sizeof zero);
        }
    for (unsigned i = 0; i < ROWS; i++)
        for (unsigned page = 0; page < 2; page++) {
            fresh();
            lab.world.memory[0x1000 - 8 + 7] |= 1;
            lab.world.hole[page] = true;
            CHECK_EQ(take(&rows[i], 0x1000 - 8), SVMC_OK);
            CHECK_EQ(lab.out.action, SVMC_ACT_INJECT, "%x", rows[i].kind);
            CHECK_MEM(lab.world.page, zero, sizeof zero);
            if (!rows[i].in)
                continue;
            ask(&rows[i], 0x1000 - 8);
            lab.world.hole[page] = true; /* meanwhile */
            CHECK_EQ(answer(0), SVMC_OK);
            CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
            CHECK_MEM(lab.world.memory, before.world.memory, WORLD_MEMORY, "all or nothing");
            CHECK_MEM(lab.world.reg, before.world.reg, sizeof lab.world.reg, "the code too");
        }
}

/* A translation that always faults, with this code; and spans that are noted. */
static uint8_t code;
static struct {
    uint64_t at;
    size_t bytes;
} spans[4];
static unsigned span_count;

static enum svmc_status faulting(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                 struct svmc_fault *fault)
{
    (void)ctx, (void)access;
    out->v = at.v;
    fault->raised = 1;
    fault->vector = code;
    return SVMC_OK;
}

static enum svmc_status noting(void *ctx, svmc_gpa at, size_t n, uint32_t access, void **span)
{
    if (span_count < 4) {
        spans[span_count].at = at.v;
        spans[span_count].bytes = n;
    }
    span_count++;
    return world_ops.guest_span(ctx, at, n, access, span);
}

TEST(block, a_translation_has_the_processors_own_codes) /* EX-68; PoP 6, figure 6-3 */
{
    fresh();
    ops = world_ops;
    ops.translate = faulting;
    CHECK_EQ(svmc_vcpu_init(&lab.vc, &ops, &lab.world, &lab.policy, lab.world.page, 7), SVMC_OK);
    for (unsigned c = 0; c < 256; c++) {
        code = (uint8_t)c;
        CHECK_EQ(take(&rows[1], AT), c < 64 ? SVMC_OK : SVMC_ERR_CALLBACK, "code %x", c);
        CHECK_EQ(lab.out.action, c < 64 ? SVMC_ACT_INJECT : SVMC_ACT_STOP);
        CHECK_EQ(lab.out.fault.vector, c < 64 ? c : 0);
    }
}

TEST(block, no_byte_is_read_twice) /* EX-68: the guest may rewrite X meanwhile */
{
    fresh();
    ops = world_ops;
    ops.guest_span = noting;
    CHECK_EQ(svmc_vcpu_init(&lab.vc, &ops, &lab.world, &lab.policy, lab.world.page, 7), SVMC_OK);
    span_count = 0;
    CHECK_EQ(take(&rows[0], AT), SVMC_OK);
    CHECK_EQ(span_count, 2);
    CHECK_EQ(spans[0].at, AT);
    CHECK_EQ(spans[0].bytes, 12);
    CHECK_EQ(spans[1].at, AT + 12);
    CHECK_EQ(spans[1].bytes, 20);
}
