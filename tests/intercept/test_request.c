/* SPDX-License-Identifier: MIT */
/*
 * EX-80 to EX-86: what the embedder itself asks a host for. Values by hand: GHCB 2.0 (AMD 56421),
 * 4.1.6 to 4.1.9, as Linux asm/sev-common.h has them; Intel TDX GHCI, MapGPA; Arm DEN0137.
 */
#include "scenarios.h"

static struct lab lab, before;
static struct fakehost_answer honest;
static uint8_t want[SVMC_PAGE_BYTES];

static void put(unsigned at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        want[at + i] = (uint8_t)(value >> (8 * i));
}

static void fresh(void)
{
    uint64_t rng = 77;

    lab_init(&lab, &rng);
    before = lab;
}

static void start(const char *scenario)
{
    fresh();
    REQUIRE(lab_exit(&lab, scenario_named(scenario)) == SVMC_OK, "%s", scenario);
    REQUIRE(lab.out.action == SVMC_ACT_DELEGATED, "%s", scenario);
    REQUIRE(fakehost_prepare(lab.world.page, &honest));
}

static enum svmc_status answer(void)
{
    CHECK(fakehost_send(lab.world.page, &honest));
    return svmc_vcpu_enter(&lab.vc, &lab.out);
}

/* The guest's registers and memory have no part in it. */
static void untouched(const char *name)
{
    CHECK_MEM(lab.world.reg, before.world.reg, sizeof lab.world.reg, "%s", name);
    CHECK_MEM(lab.world.memory, before.world.memory, WORLD_MEMORY, "%s", name);
    CHECK_EQ(lab.world.calls, 0, "%s: no callback", name);
}

TEST(request, golden_pages) /* EX-80 PG-1 PG-6 */
{
    static const struct {
        char scenario[32];
        uint16_t kind;
        uint8_t direction, slots;
        uint64_t address, in[3];
    } rows[] = {
        { "map gpa", 0xa002, 1, 1, 0x8000fe000000, { 0x8000fe200000 } },
        { "guest request", 0xb001, 1, 1, 0x7000, { 0x8000 } },
        { "guest request, certificates", 0xb002, 1, 3, 0x7000, { 0x8000, 0x9000, 4 } },
        { "ap create", 0xc002, 2, 2, 0x5000, { 0x300010001, 0x21 } },
        { "a64 data abort", 0x4003, 2, 1, 0x8000fe000000, { 0x90000007 } },
        { "a64 protected abort", 0x4004, 2, 1, 0x11000000, { 0x90000005 } },
        { "a64 instruction abort", 0x4005, 2, 1, 0x1000, { 0x80000006 } },
        { "a64 ripas", 0xa003, 1, 2, 0x10000, { 0x400000, 1 } },
        { "a64 s2ap", 0xa004, 1, 1, 0x10000, { 0x20000 } },
        { "a64 device memory", 0xa005, 1, 2, 0x10000, { 0x20000, 0xfd000000 } },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start(rows[i].scenario);
        memset(want, 0, sizeof want);
        put(0x000, 4, 0x504d5653);
        put(0x004, 2, 1);
        put(0x006, 2, 0x200);
        put(0x008, 2, rows[i].kind);
        put(0x00a, 1, 1);
        put(0x00b, 1, rows[i].direction);
        put(0x00c, 4, 7);
        put(0x010, 8, 0x0007000000000000u | 0x5eed5eed5eedu);
        put(0x018, 8, ((uint64_t)1 << rows[i].slots) - 1);
        put(0x030, 8, rows[i].address);
        put(0x03c, 4, 1);
        for (unsigned s = 0; s < rows[i].slots; s++)
            put(0x040 + 8 * s, 8, rows[i].in[s]);
        for (unsigned b = 0; b < SVMC_PAGE_BYTES; b++)
            if (!CHECK_EQ(lab.world.page[b], want[b], "%s: byte %03x", rows[i].scenario, b))
                break;
        CHECK_EQ(answer(), SVMC_OK, "%s", rows[i].scenario);
        CHECK_EQ(lab.out.action, SVMC_ACT_RESUME, "%s", rows[i].scenario);
        untouched(rows[i].scenario);
    }
}

TEST(request, a_list_is_shown_as_it_is) /* EX-81 PG-6 */
{
    static const uint8_t head[] = { 0x01, 0xa0, 2, 2 }, size[] = { 8, 0, 0, 0, 5, 0, 0, 0 };
    static const uint8_t zero[SVMC_PAGE_DATA_BYTES];
    static const uint8_t first[] = { 0, 0x50, 0x34, 0x12, 0, 0, 0x10, 0 }; /* private, 12345 */

    start("page state");
    CHECK_MEM(lab.world.page + 0x008, head, sizeof head);
    CHECK_MEM(lab.world.page + 0x030, zero, 8);
    CHECK_MEM(lab.world.page + 0x038, size, sizeof size);
    CHECK_MEM(lab.world.page + 0x200, first, sizeof first);
    CHECK_MEM(lab.world.page + 0x200 + 40, zero, SVMC_PAGE_DATA_BYTES - 40);
    CHECK_EQ(answer(), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_RESUME);
    CHECK_EQ(lab.out.data_bytes, 0);
    untouched("page state");
}

TEST(request, a_list_only_goes_forward) /* EX-81 R11 */
{
    start("page state");
    for (unsigned left = 5; left > 0; left--) { /* one at a time */
        REQUIRE(fakehost_prepare(lab.world.page, &honest));
        CHECK_EQ(honest.request.count, left);
        for (uint32_t done = 0; done < 10; done++) { /* nothing, and more than there is */
            honest.reply.status = SVMC_REPLY_PARTIAL;
            honest.reply.done = done;
            if (done > 0 && done < left)
                continue;
            CHECK_EQ(answer(), SVMC_ERR_HOST_REPLY, "%u of %u", done, left);
            CHECK_EQ(lab.out.rule, 11);
        }
        honest.reply.status = left == 1 ? SVMC_REPLY_DONE : SVMC_REPLY_PARTIAL;
        honest.reply.done = 1;
        CHECK_EQ(answer(), SVMC_OK);
        CHECK_EQ(lab.out.action, left == 1 ? SVMC_ACT_RESUME : SVMC_ACT_DELEGATED);
    }
}

static uint8_t many[SVMC_EXIT_DATA_MAX];

static enum svmc_status take_list(uint64_t entry, uint32_t count)
{
    struct svmc_exit e = { .kind = SVMC_KIND_PAGE_STATE, .size = 8, .count = count, .data = many };

    for (unsigned i = 0; i < sizeof many; i++)
        many[i] = (uint8_t)((i % 8 == 6 ? 0x10 : 0) | (i % 8 == 2 ? 1 : 0));
    for (unsigned i = 0; i < 8 && count > 0 && count <= 512; i++)
        many[8 * (count - 1) + i] = (uint8_t)(entry >> (8 * i));
    fresh();
    return svmc_vcpu_exit(&lab.vc, &e, &lab.out);
}

TEST(request, an_entry_is_what_it_can_be) /* EX-81 EX-1 */
{
    for (uint64_t op = 0; op < 16; op++)
        CHECK_EQ(take_list(op << 52 | 0x1000, 3), op >= 1 && op <= 4 ? SVMC_OK : SVMC_ERR_ARG);
    for (unsigned bit = 0; bit < 64; bit++) {
        bool good = (bit >= 12 && bit <= 53) || bit == 56;

        CHECK_EQ(take_list((uint64_t)1 << 52 | (uint64_t)1 << bit, 2),
                 good ? SVMC_OK : SVMC_ERR_ARG, "bit %u", bit);
        if (bit >= 12 && bit < 52)
            CHECK_EQ(take_list((uint64_t)0x11 << 52 | (uint64_t)1 << bit, 1),
                     bit >= 21 ? SVMC_OK : SVMC_ERR_ARG, "2 MiB, bit %u", bit);
    }
    CHECK_EQ(take_list(0, 0), SVMC_ERR_ARG, "none");
    CHECK_EQ(take_list((uint64_t)2 << 52, 512), SVMC_OK, "as many as a backend can give");
    CHECK_EQ(take_list((uint64_t)2 << 52, 513), SVMC_ERR_ARG);
    CHECK_EQ(take_list((uint64_t)5 << 52, 512), SVMC_ERR_ARG, "the last one counts");
    for (unsigned finish = 1; finish < 4; finish++) { /* it is no OUTS of 8 bytes */
        struct svmc_exit e = { .kind = SVMC_KIND_PAGE_STATE,
                               .size = 8,
                               .count = 1,
                               .finish = (uint8_t)finish,
                               .insn_bytes = 2,
                               .address_bytes = 8,
                               .repeat = 1,
                               .buffer = { WORLD_LINEAR } };

        fresh();
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG, "finish %u", finish);
    }
}

TEST(request, nobody_has_reached_what_is_not_there) /* EX-82 R10 */
{
    static const char *const names[] = { "map gpa", "a64 ripas", "a64 s2ap", "a64 device memory" };

    for (unsigned i = 0; i < 4; i++) {
        const struct svmc_exit *e = &scenarios[scenario_named(names[i])].exit;
        const uint64_t lies[] = { 0,
                                  1,
                                  e->address - 0x1000,
                                  e->address - 1,
                                  e->address + 1,
                                  e->address + 0x800,
                                  e->value - 1,
                                  e->value + 1,
                                  e->value + 0x1000,
                                  e->address | (uint64_t)1 << 63,
                                  e->value << 1,
                                  ~(uint64_t)0,
                                  ~(uint64_t)0xfff };

        for (unsigned n = 0; n < sizeof lies / sizeof lies[0]; n++) {
            start(names[i]);
            honest.reply.out[0] = lies[n];
            CHECK_EQ(answer(), SVMC_ERR_HOST_REPLY, "%s: %u", names[i], n);
            CHECK_EQ(lab.out.rule, 10, "%s: %u", names[i], n);
            untouched(names[i]);
        }
        for (uint64_t at = e->address; at <= e->value; at += 0x1000) {
            start(names[i]);
            honest.reply.out[0] = at;
            CHECK_EQ(answer(), SVMC_OK, "%s", names[i]);
            CHECK_EQ(lab.out.data_bytes, 8);
            for (unsigned b = 0; b < 8; b++)
                CHECK_EQ(lab.out.data[b], (uint8_t)(at >> (8 * b)));
        }
    }
}

TEST(request, a_message_has_a_status) /* EX-83 R10 */
{
    static const struct {
        uint64_t status;
        bool plain, extended;
    } rows[] = {
        { 0, true, true },
        { 0x16, true, true }, /* INVALID_PARAM */
        { 0x1d, true, true },
        { 0x1e, false, false },
        { 0x1f, true, true },
        { 0x28, true, true },
        { 0x29, false, false },
        { 0x3f, false, false },
        { 0x40, false, false },
        { 0x80, false, false },
        { 0xffffffff, false, false },
        { (uint64_t)1 << 32, false, true }, /* SNP_GUEST_VMM_ERR_INVALID_LEN */
        { (uint64_t)2 << 32, true, true },  /* BUSY */
        { (uint64_t)1 << 63, true, true },  /* GENERIC */
        { (uint64_t)3 << 32, false, false },
        { (uint64_t)1 << 32 | 1, false, false },
        { (uint64_t)2 << 32 | 0x16, false, false },
        { (uint64_t)1 << 63 | 1, false, false },
        { ~(uint64_t)0, false, false },
    };

    for (unsigned ext = 0; ext < 2; ext++)
        for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            bool good = ext ? rows[i].extended : rows[i].plain;

            start(ext ? "guest request, certificates" : "guest request");
            honest.reply.out[0] = rows[i].status;
            honest.reply.out[1] = ext ? 9 : 0;
            CHECK_EQ(answer(), good ? SVMC_OK : SVMC_ERR_HOST_REPLY, "row %u", i);
            CHECK_EQ(lab.out.rule, good ? 0 : 10, "row %u", i);
            untouched("guest request");
            if (!good)
                continue;
            CHECK_EQ(lab.out.data_bytes, ext ? 16 : 8);
            for (unsigned b = 0; b < 8; b++)
                CHECK_EQ(lab.out.data[b], (uint8_t)(rows[i].status >> (8 * b)));
            CHECK_EQ(ext ? lab.out.data[8] : 9, 9, "pages");
        }
}

TEST(request, a_refusal_is_for_an_address_of_its_own) /* EX-85 R7 */
{
    static const struct {
        char name[32];
        bool may;
        uint8_t vector;
    } rows[] = { { "a64 data abort", true, 0x25 },
                 { "a64 protected abort", false, 0 },
                 { "a64 instruction abort", false, 0 },
                 { "map gpa", true, 13 },
                 { "a64 ripas", false, 0 },
                 { "ap create", false, 0 },
                 { "guest request", false, 0 },
                 { "page state", false, 0 } };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start(rows[i].name);
        honest.reply = (struct svmc_reply){ .seq = honest.request.seq,
                                            .status = SVMC_REPLY_FAULT,
                                            .fault = SVMC_FAULT_GP };
        CHECK_EQ(answer(), rows[i].may ? SVMC_OK : SVMC_ERR_HOST_REPLY, "%s", rows[i].name);
        CHECK_EQ(lab.out.action, rows[i].may ? SVMC_ACT_INJECT : SVMC_ACT_DELEGATED, "%s",
                 rows[i].name);
        CHECK_EQ(lab.out.fault.vector, rows[i].vector, "%s", rows[i].name);
        CHECK_EQ(lab.out.fault.error, rows[i].vector == 0x25 ? 0x410 : 0, "external, FnV");
        untouched(rows[i].name);
    }
}

TEST(request, an_abort_that_is_not_delegated_is_external) /* EX-85 EX-34 */
{
    static const uint16_t kinds[] = { SVMC_KIND_DATA_ABORT, SVMC_KIND_PROTECTED_ABORT,
                                      SVMC_KIND_INSN_ABORT };
    struct svmc_policy policy;

    CHECK_EQ(svmc_policy_init(&policy, 4, 4), SVMC_OK);
    CHECK_EQ(svmc_policy_seal(&policy), SVMC_OK);
    for (unsigned i = 0; i < 3; i++)
        for (uint8_t user = 0; user < 2; user++) {
            struct svmc_exit e = {
                .kind = kinds[i], .count = 1, .isa = SVMC_ISA_A64, .user = user
            };

            fresh();
            lab.policy = policy;
            CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK);
            CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
            CHECK_EQ(lab.out.fault.vector, (i == 2 ? 0x20 : 0x24) + !user);
            CHECK_EQ(lab.out.fault.error, 0x410);
            untouched("abort");
        }
}

/* The scenario's exit, changed in one field, is taken or not. */
#define CHANGED(scenario, field, value, good)                                                    \
    do {                                                                                         \
        struct svmc_exit e = scenarios[scenario_named(scenario)].exit;                           \
                                                                                                 \
        e.field = value;                                                                         \
        fresh();                                                                                 \
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), good ? SVMC_OK : SVMC_ERR_ARG, "%s: %s", \
                 scenario, #field " = " #value);                                                 \
        untouched(scenario);                                                                     \
    } while (0)

TEST(request, addresses_are_pages) /* EX-1 EX-82 EX-83 EX-84 EX-85 */
{
    static const char *const names[] = { "map gpa",
                                         "guest request",
                                         "guest request, certificates",
                                         "ap create",
                                         "a64 ripas",
                                         "a64 s2ap",
                                         "a64 device memory",
                                         "a64 data abort",
                                         "a64 protected abort",
                                         "a64 instruction abort" };

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        CHANGED(names[i], address, 1, false);
        CHANGED(names[i], address, 0x800, false);
        CHANGED(names[i], address, (uint64_t)1 << 52, false);
        CHANGED(names[i], address, ~(uint64_t)0xfff, false);
        CHANGED(names[i], address, 0x3000, true);
    }
    for (unsigned i = 0; i < 7; i++)
        if (i != 3) { /* page by page up to value */
            CHANGED(names[i], value, 0x8001, false);
            CHANGED(names[i], value, (uint64_t)1 << 53, false);
        }
    CHANGED("map gpa", value, 0x8000fe000000, false);
    CHANGED("map gpa", value, 0, false);
    CHANGED("map gpa", value, 0x8000fdfff000, false);
    CHANGED("map gpa", value, 0x8000fe001000, true);
    CHANGED("a64 s2ap", value, (uint64_t)1 << 52, true);
    CHANGED("guest request", value, 0x7000, false);
    CHANGED("guest request, certificates", value, 0x7000, false);
    CHANGED("guest request, certificates", buffer.v, 0x9001, false);
    CHANGED("guest request, certificates", buffer.v, 0x8000, false);
    CHANGED("guest request, certificates", buffer.v, 0x5000, false);
    CHANGED("guest request, certificates", buffer.v, 0x4000, false);
    CHANGED("guest request, certificates", buffer.v, 0x3000, true);
    CHANGED("guest request, certificates", count, 0, true);
    CHANGED("guest request, certificates", buffer.v, 0xffffffffff000, false);
    CHANGED("a64 ripas", buffer.v, 0, true);
    CHANGED("a64 ripas", buffer.v, 2, false);
    CHANGED("a64 device memory", buffer.v, 0xfd000800, false);
    CHANGED("a64 device memory", buffer.v, (uint64_t)1 << 52, false);
}

TEST(request, an_exit_that_cannot_be_is_refused) /* EX-1 EX-80 EX-84 EX-85 EX-86 */
{
    static const uint16_t kinds[] = { 0x4003, 0x4004, 0x4005, 0xa001, 0xa002, 0xa003, 0xa004,
                                      0xa005, 0xb001, 0xb002, 0xc002, 0xd001, 0xd002, 0xd003 };

    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct svmc_exit e = { .kind = 0 };

        REQUIRE(request_of(kinds[i], &e), "kind %x", kinds[i]);
        for (unsigned finish = 0; finish < 4; finish++)
            for (unsigned isa = 0; isa < 12; isa++) {
                bool right = e.isa == SVMC_ISA_A64 ? isa == SVMC_ISA_A64 : isa <= SVMC_ISA_X86_64;
                struct svmc_exit changed = e;

                changed.finish = (uint8_t)finish;
                changed.insn_bytes = 4;
                changed.isa = (uint8_t)isa;
                fresh();
                CHECK_EQ(svmc_vcpu_exit(&lab.vc, &changed, &lab.out),
                         right && finish == 0 ? SVMC_OK : SVMC_ERR_ARG,
                         "kind %x, finish %u, isa %u", kinds[i], finish, isa);
            }
        e.count = 2;
        if (kinds[i] != SVMC_KIND_PAGE_STATE && kinds[i] != SVMC_KIND_GUEST_REQUEST_EXT) {
            fresh();
            CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG, "kind %x", kinds[i]);
        }
        e.count = 1;
        e.size = e.size ? 4 : 8;
        fresh();
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG, "kind %x: size", kinds[i]);
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t v = (uint64_t)1 << bit;

        /* request, VMPL, APIC id */
        CHANGED("ap create", value, v, (bit < 2 || bit == 16 || bit == 17 || bit >= 32));
        /* EC, SET, FnV, EA, FSC; and no more */
        CHANGED("a64 data abort", value, v,
                ((bit >= 26 && bit < 32) || (bit >= 9 && bit < 13) || bit < 6));
        CHANGED("a64 protected abort", value, v,
                ((bit >= 26 && bit < 32) || (bit >= 9 && bit < 13) || bit < 6));
        CHANGED("a64 instruction abort", value, v,
                ((bit >= 26 && bit < 32) || (bit >= 9 && bit < 13) || bit < 6));
    }
    CHANGED("ap create", value, 3, false);
}

TEST(request, events_say_no_more_than_they_are) /* EX-86 PG-8 */
{
    static const uint16_t kinds[] = { SVMC_KIND_IRQ, SVMC_KIND_FIQ, SVMC_KIND_SERROR };

    for (unsigned i = 0; i < 3; i++) {
        struct svmc_exit e = { .kind = 0 };

        REQUIRE(request_of(kinds[i], &e));
        e.address = 0x1234;
        fresh();
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_NOTIFIED);
        memset(want, 0, sizeof want);
        put(0x000, 4, 0x504d5653);
        put(0x004, 2, 1);
        put(0x006, 2, 0x200);
        put(0x008, 2, kinds[i]);
        put(0x00c, 4, 7);
        put(0x010, 8, 0x0007000000000000u | 0x5eed5eed5eedu);
        put(0x018, 8, i == 2);
        put(0x040, 8, i == 2 ? 0xbc000a11 : 0); /* EC 2f, AET, EA, DFSC 11 */
        CHECK_MEM(lab.world.page, want, sizeof want, "kind %x", kinds[i]);
        untouched("event");
        CHECK_EQ(svmc_policy_set_kind(&lab.policy, (enum svmc_kind)kinds[i], SVMC_VERDICT_FAULT),
                 SVMC_ERR_ARG, "nobody decides about it");
    }
    for (unsigned bit = 0; bit < 32; bit++) {
        struct svmc_exit e = { .kind = SVMC_KIND_SERROR, .count = 1, .isa = SVMC_ISA_A64 };
        bool shown = bit >= 26 || bit == 24 || (bit >= 9 && bit < 13) || bit < 6;

        e.value = (uint64_t)1 << bit;
        fresh();
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), shown ? SVMC_OK : SVMC_ERR_ARG, "%u", bit);
    }
}

TEST(request, observe_takes_nothing_for_done) /* MO-3 EX-82 EX-83 */
{
    static const struct {
        char name[32];
        uint64_t lie, want;
    } rows[] = { { "map gpa", 0, 0x8000fe000000 },
                 { "a64 ripas", ~(uint64_t)0, 0x10000 },
                 { "guest request", 0x1e, (uint64_t)1 << 63 } };

    for (unsigned i = 0; i < 3; i++) {
        fresh();
        lab.policy.priv.mode = SVMC_MODE_OBSERVE; /* the test's own shortcut */
        CHECK_EQ(lab_exit(&lab, scenario_named(rows[i].name)), SVMC_OK);
        REQUIRE(fakehost_prepare(lab.world.page, &honest));
        honest.reply.out[0] = rows[i].lie;
        CHECK_EQ(answer(), SVMC_OK);
        CHECK_EQ(lab.out.rule, 10);
        for (unsigned b = 0; b < 8; b++)
            CHECK_EQ(lab.out.data[b], (uint8_t)(rows[i].want >> (8 * b)), "%s", rows[i].name);
    }
}
