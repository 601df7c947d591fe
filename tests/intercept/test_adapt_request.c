/* SPDX-License-Identifier: MIT */
/*
 * AP-14, AP-34, AP-43, AP-44: requests of the embedder in foreign forms. Bytes by hand: Linux
 * asm/sev-common.h (struct psc_hdr, psc_entry), arch/x86/coco/sev (vmgexit_psc,
 * snp_issue_guest_request, vmgexit_ap_control); arch/x86/coco/tdx/tdx.c (tdx_map_gpa); Arm DEN0137
 * 1.0 and TF-RMM smc-rmi.h (struct rmi_rec_exit).
 */
#include "adapt_lab.h"

static struct adapt_lab a;
static uint8_t want[4096];

#define RAX     0x1f8u
#define RBX     0x318u
#define CODE    0x390u
#define INFO1   0x398u
#define INFO2   0x3a0u
#define SCRATCH 0x3a8u

static void start(enum svmc_foreign_format format)
{
    adapt_init(&a, format, 0xffffffff11112222);
    memset(a.area, 0xee, sizeof a.area);
    memset(want, 0, sizeof want);
}

static void put(unsigned at, uint64_t value)
{
    adapt_put(want + at, 8, value);
}

/* A field of the GHCB and its valid bit. */
static void give(unsigned at, uint64_t value)
{
    put(at, value);
    want[0x3f0 + at / 64] |= (uint8_t)(1u << at / 8 % 8);
}

static void check(const char *scenario, unsigned bytes)
{
    REQUIRE(adapt_exit(&a, scenario), "%s", scenario);
    CHECK_EQ(adapt_emit(&a), SVMC_OK, "%s", scenario);
    for (unsigned i = 0; i < bytes; i++)
        CHECK(a.area[i] == want[i], "%s: byte 0x%03x is 0x%02x, wanted 0x%02x", scenario, i,
              a.area[i], want[i]);
}

static void ghcb(uint64_t code, uint64_t info1, uint64_t info2)
{
    start(SVMC_FOREIGN_GHCB);
    give(CODE, code);
    give(INFO1, info1);
    give(INFO2, info2);
    adapt_put(want + 0xffa, 2, 2);
}

TEST(adapt_request, golden_ghcb) /* AP-14 */
{
    ghcb(0x80000010, 0, 0);
    give(SCRATCH, ADAPT_GPA + 0x800);
    put(0x800, 4 << 16); /* cur_entry 0, end_entry 4 */
    put(0x808, (uint64_t)1 << 52 | 0x12345000);
    put(0x810, (uint64_t)2 << 52 | 0x12346000);
    put(0x818, (uint64_t)0x11 << 52 | 0x40200000);
    put(0x820, (uint64_t)0x13 << 52 | 0x40400000);
    put(0x828, (uint64_t)4 << 52 | 0xffffffffff000);
    check("page state", 4096);

    ghcb(0x80000011, 0x7000, 0x8000);
    check("guest request", 4096);

    ghcb(0x80000012, 0x7000, 0x8000);
    give(RAX, 0x9000);
    give(RBX, 4);
    check("guest request, certificates", 4096);

    ghcb(0x80000013, (uint64_t)3 << 32 | 1 << 16 | 1, 0x5000);
    give(RAX, 0x21);
    check("ap create", 4096);
}

TEST(adapt_request, golden_tdx) /* AP-34 */
{
    start(SVMC_FOREIGN_TDX);
    put(8 * 1, 0xfc00);
    put(8 * 11, 0x10001); /* TDVMCALL_MAP_GPA */
    put(8 * 12, 0x8000fe000000);
    put(8 * 13, 0x200000);
    check("map gpa", 128);
}

TEST(adapt_request, golden_rmm) /* AP-43 AP-44 */
{
    struct svmc_request r = { .kind = SVMC_KIND_SERROR, .in_valid = 1, .in = { 0xbc000a11 } };

    start(SVMC_FOREIGN_RMM);
    put(0x900, 0x90000007);
    put(0x910, 0x8000fe000000 >> 12 << 4);
    check("a64 data abort", 4096);
    start(SVMC_FOREIGN_RMM);
    put(0x900, 0x90000005);
    put(0x910, 0x11000 << 4);
    check("a64 protected abort", 4096);
    start(SVMC_FOREIGN_RMM);
    put(0x900, 0x80000006);
    put(0x910, 0x10);
    check("a64 instruction abort", 4096);
    start(SVMC_FOREIGN_RMM);
    put(0x800, 4); /* RMI_EXIT_RIPAS_CHANGE */
    put(0xd00, 0x10000);
    put(0xd08, 0x400000);
    put(0xd10, 1);
    check("a64 ripas", 4096);

    start(SVMC_FOREIGN_RMM);
    put(0x800, 6);
    put(0x900, 0xbc000a11);
    CHECK_EQ(svmc_adapt_emit(&a.foreign, &r, NULL), SVMC_OK);
    CHECK_MEM(a.area, want, 4096, "SError");
    for (unsigned reason = 1; reason < 3; reason++) {
        memset(want, 0, sizeof want);
        put(0x800, reason);
        r = (struct svmc_request){ .kind = reason == 1 ? SVMC_KIND_IRQ : SVMC_KIND_FIQ };
        CHECK_EQ(svmc_adapt_emit(&a.foreign, &r, NULL), SVMC_OK);
        CHECK_MEM(a.area, want, 4096, "IRQ, FIQ");
    }
}

TEST(adapt_request, a_side_is_an_addresses) /* AP-43 AP-3 */
{
    static const struct {
        uint16_t kind;
        uint64_t address, esr;
        bool good;
    } rows[] = {
        { SVMC_KIND_DATA_ABORT, ADAPT_GPA, 0x90000007, true },
        { SVMC_KIND_DATA_ABORT, ADAPT_GPA - 0x1000, 0x90000007, false },
        { SVMC_KIND_DATA_ABORT, ADAPT_GPA + 8, 0x90000007, false },
        { SVMC_KIND_DATA_ABORT, ADAPT_GPA, 0x80000007, false },
        { SVMC_KIND_DATA_ABORT, ADAPT_GPA, 0x91000007, false },
        { SVMC_KIND_PROTECTED_ABORT, ADAPT_GPA, 0x90000007, false },
        { SVMC_KIND_PROTECTED_ABORT, ADAPT_GPA - 0x1000, 0x90000007, true },
        { SVMC_KIND_PROTECTED_ABORT, ADAPT_GPA - 0x800, 0x90000007, false },
        { SVMC_KIND_INSN_ABORT, ADAPT_GPA - 0x1000, 0x80000007, true },
        { SVMC_KIND_INSN_ABORT, ADAPT_GPA - 0x1000, 0x90000007, false },
        { SVMC_KIND_INSN_ABORT, ADAPT_GPA, 0x80000007, false },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_request r = { .kind = rows[i].kind,
                                  .completion = 1,
                                  .count = 1,
                                  .address = rows[i].address,
                                  .in_valid = 1,
                                  .in = { rows[i].esr } };
        struct svmc_request heard;

        start(SVMC_FOREIGN_RMM);
        CHECK_EQ(svmc_adapt_emit(&a.foreign, &r, NULL),
                 rows[i].good ? SVMC_OK : SVMC_ERR_UNSUPPORTED, "row %u", i);
        if (!rows[i].good)
            continue;
        CHECK_EQ(svmc_adapt_decode(&a.foreign, &heard, NULL), SVMC_OK, "row %u", i);
        CHECK_EQ(heard.kind, rows[i].kind, "row %u", i);
        CHECK_EQ(heard.address, rows[i].address);
        CHECK_EQ(heard.in[0], rows[i].esr);
    }
}

TEST(adapt_request, a_list_has_room_for_253) /* AP-4 AP-14 */
{
    static uint8_t list[SVMC_PAGE_DATA_BYTES], back[SVMC_PAGE_DATA_BYTES];
    struct svmc_request r = { .kind = SVMC_KIND_PAGE_STATE, .completion = 2, .size = 8 };
    struct svmc_request heard;

    for (unsigned i = 0; i < sizeof list; i++)
        list[i] = (uint8_t)(i * 5 + 1);
    for (unsigned count = 1; count <= 448; count++) {
        unsigned most = count < 253 ? count : 253;

        r.count = count;
        start(SVMC_FOREIGN_GHCB);
        CHECK_EQ(svmc_adapt_emit(&a.foreign, &r, list), SVMC_OK);
        CHECK_EQ(adapt_get(a.area + 0x800, 8), (uint64_t)(most - 1) << 16);
        CHECK_MEM(a.area + 0x808, list, 8 * most);
        CHECK_EQ(svmc_adapt_decode(&a.foreign, &heard, back), SVMC_OK);
        CHECK_EQ(heard.count, most);
        CHECK_MEM(back, list, 8 * most);
    }
    CHECK_EQ(adapt_get(a.area + 0xff0, 8), 0, "and no more: the buffer ends there");
}

TEST(adapt_request, a_guests_list_begins_at_its_beginning) /* AP-14 AP-8 */
{
    static const struct {
        uint64_t header;
        enum svmc_status want;
        uint32_t count;
    } rows[] = { { 0, SVMC_OK, 1 },
                 { 252 << 16, SVMC_OK, 253 },
                 { 253 << 16, SVMC_ERR_MISMATCH, 0 },
                 { 0xffff0000, SVMC_ERR_MISMATCH, 0 },
                 { 4 << 16 | 1, SVMC_ERR_MISMATCH, 0 },
                 { 4 << 16 | 0x8000, SVMC_ERR_MISMATCH, 0 },
                 { (uint64_t)1 << 32, SVMC_ERR_MISMATCH, 0 },
                 { (uint64_t)1 << 63 | 4 << 16, SVMC_ERR_MISMATCH, 0 } };
    struct svmc_request r;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start(SVMC_FOREIGN_GHCB);
        REQUIRE(adapt_exit(&a, "page state"));
        CHECK_EQ(adapt_emit(&a), SVMC_OK);
        adapt_put(a.area + 0x800, 8, rows[i].header);
        CHECK_EQ(svmc_adapt_decode(&a.foreign, &r, a.data), rows[i].want, "row %u", i);
        CHECK_EQ(r.count, rows[i].count, "row %u", i);
    }
}

/* The host's answer: all of KVM's valid bits, INFO1 0, and what is put. */
static enum svmc_status answer_list(uint64_t info2, uint64_t header)
{
    start(SVMC_FOREIGN_GHCB);
    if (!adapt_exit(&a, "page state") || adapt_emit(&a) != SVMC_OK)
        return SVMC_ERR_ARG;
    memset(a.area + 0x3f0, 0, 16);
    a.area[0x3f0 + INFO1 / 64] |= 1u << INFO1 / 8 % 8;
    a.area[0x3f0 + INFO2 / 64] |= 1u << INFO2 / 8 % 8;
    adapt_put(a.area + INFO1, 8, 0);
    adapt_put(a.area + INFO2, 8, info2);
    adapt_put(a.area + 0x800, 8, header);
    return adapt_enter(&a);
}

TEST(adapt_request, a_list_is_answered_by_how_far) /* AP-14 R11 */
{
    static const struct {
        uint64_t info2, header;
        unsigned ap, r;
    } lies[] = {
        { (uint64_t)1 << 32 | 1, 4 << 16 | 5, 14, 0 }, /* PSC_INVALID_HDR */
        { (uint64_t)1 << 32 | 2, 4 << 16 | 2, 14, 0 },
        { 1, 4 << 16 | 5, 14, 0 },
        { 0, 5 << 16 | 5, 14, 0 }, /* another end */
        { 0, 3 << 16 | 4, 14, 0 },
        { 0, 0 << 16 | 1, 14, 0 },
        { 0, 0xffffu << 16 | 5, 14, 0 },
        { 0, 4 << 16 | 6, 14, 0 }, /* behind it */
        { 0, 4 << 16 | 0xffff, 14, 0 },
        { 0, (uint64_t)1 << 32 | 4 << 16 | 5, 14, 0 },
        { 0, (uint64_t)1 << 63 | 4 << 16 | 5, 14, 0 },
        { 0, 4 << 16, 0, 11 }, /* nowhere */
    };

    for (unsigned i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        CHECK_EQ(answer_list(lies[i].info2, lies[i].header), SVMC_ERR_HOST_REPLY, "lie %u", i);
        CHECK_EQ(a.rule, lies[i].ap, "lie %u", i);
        if (lies[i].r)
            CHECK_EQ(a.lab.out.rule, lies[i].r, "lie %u", i);
    }
    CHECK_EQ(answer_list(0, 4 << 16 | 5), SVMC_OK, "all of it");
    CHECK_EQ(a.lab.out.action, SVMC_ACT_RESUME);
    for (unsigned done = 1; done < 5; done++) {
        CHECK_EQ(answer_list(0, 4 << 16 | done), SVMC_OK, "a part of it");
        CHECK_EQ(a.lab.out.action, SVMC_ACT_DELEGATED);
        CHECK_EQ(adapt_emit(&a), SVMC_OK, "and the rest, from the first one left");
        CHECK_EQ(adapt_get(a.area + 0x800, 8), (uint64_t)(4 - done) << 16);
        CHECK_EQ(adapt_get(a.area + 0x808 + 8 * (4 - done), 8),
                 (uint64_t)4 << 52 | 0xffffffffff000);
        CHECK_EQ(adapt_host(&a), SVMC_OK);
        CHECK_EQ(adapt_enter(&a), SVMC_OK);
        CHECK_EQ(a.lab.out.action, SVMC_ACT_RESUME);
    }
}

TEST(adapt_request, ghcb_lies) /* AP-10 AP-11 AP-12 R10 */
{
    static const struct adapt_lie lies[] = {
        { "malformed", "ap create", { { INFO1, 8, 2 } }, 11, 0 },
        { "#GP", "ap create", { { INFO1, 8, 1 }, { INFO2, 8, 0x8000030d } }, 0, 4 },
        { "#GP for a list", "page state", { { INFO1, 8, 1 }, { INFO2, 8, 0x8000030d } }, 0, 4 },
        { "no info2", "page state", { { 0x3fe, 1, 8 } }, 14, 0 },
        { "no status", "guest request", { { 0x3fe, 1, 8 } }, 10, 0 },
        { "an unknown code", "guest request", { { INFO2, 8, 0x1e } }, 0, 10 },
        { "too few pages", "guest request", { { INFO2, 8, (uint64_t)1 << 32 } }, 0, 10 },
        { "two codes", "guest request", { { INFO2, 8, (uint64_t)2 << 32 | 1 } }, 0, 10 },
        { "-1", "guest request, certificates", { { INFO2, 8, ~(uint64_t)0 } }, 0, 10 },
        { "no RBX", "guest request, certificates", { { 0x3f0 + RBX / 64, 1, 0 } }, 10, 0 },
    };

    adapt_refuses(SVMC_FOREIGN_GHCB, lies, sizeof lies / sizeof lies[0]);
}

static enum svmc_status answer_map(uint64_t r10, uint64_t r11)
{
    start(SVMC_FOREIGN_TDX);
    if (!adapt_exit(&a, "map gpa") || adapt_emit(&a) != SVMC_OK)
        return SVMC_ERR_ARG;
    adapt_put(a.area + 8 * 10, 8, r10);
    adapt_put(a.area + 8 * 11, 8, r11);
    adapt_put(a.area + 8 * 12, 8, 0); /* what the host wrote over the request does not count */
    adapt_put(a.area + 8 * 13, 8, ~(uint64_t)0);
    return adapt_enter(&a);
}

TEST(adapt_request, map_gpa_goes_on_within_its_range) /* AP-34 */
{
    const uint64_t from = 0x8000fe000000, to = 0x8000fe200000;
    const uint64_t lies[] = { 0,          1,
                              from - 1,   from - 0x1000,
                              to,         to + 0x1000,
                              to << 1,    from & 0xffffffffff, /* without the shared bit */
                              UINT64_MAX, (uint64_t)1 << 63 | from };

    for (unsigned i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        CHECK_EQ(answer_map(1, lies[i]), SVMC_ERR_HOST_REPLY, "lie %u", i);
        CHECK_EQ(a.rule, 34, "lie %u", i);
    }
    CHECK_EQ(answer_map(1, from + 0x800), SVMC_ERR_HOST_REPLY, "half a page");
    CHECK_EQ(a.lab.out.rule, 10);
    CHECK_EQ(answer_map(0x8000000000000002, from), SVMC_ERR_HOST_REPLY, "ALIGN_ERROR");
    CHECK_EQ(a.rule, 31);
    CHECK_EQ(answer_map(2, from), SVMC_ERR_HOST_REPLY);
    CHECK_EQ(a.rule, 31);
    CHECK_EQ(answer_map(1, from), SVMC_OK, "not yet");
    CHECK_EQ(a.lab.out.action, SVMC_ACT_DELEGATED);
    CHECK_EQ(a.lab.vc.priv.stats.retries, 1);
    CHECK_EQ(answer_map((uint64_t)1 << 63, 0), SVMC_OK, "INVALID_OPERAND");
    CHECK_EQ(a.lab.out.action, SVMC_ACT_INJECT);
    for (uint64_t at = from + 0x1000; at < to; at += 0x3f000) {
        CHECK_EQ(answer_map(1, at), SVMC_OK);
        CHECK_EQ(a.lab.out.action, SVMC_ACT_RESUME);
        CHECK_EQ(adapt_get(a.lab.out.data, 8), at);
    }
    CHECK_EQ(answer_map(0, 0x1234), SVMC_OK, "R11 says nothing then");
    CHECK_EQ(adapt_get(a.lab.out.data, 8), to);
}

TEST(adapt_request, map_gpa_is_answered) /* AP-34 AP-8 */
{
    static const struct {
        struct svmc_reply reply;
        uint64_t r10, r11;
    } rows[] = {
        { { .done = 1, .out_valid = 1, .out = { 0x8000fe200000 } }, 0, 0 },
        { { .done = 1, .out_valid = 1, .out = { 0x8000fe001000 } }, 1, 0x8000fe001000 },
        { { .done = 1, .out_valid = 1, .out = { 0x8000fe000000 } }, 1, 0x8000fe000000 },
        { { .status = SVMC_REPLY_RETRY }, 1, 0x8000fe000000 },
        { { .status = SVMC_REPLY_FAULT, .fault = SVMC_FAULT_GP }, (uint64_t)1 << 63, 0x10001 },
    };
    struct svmc_request r;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start(SVMC_FOREIGN_TDX);
        REQUIRE(adapt_exit(&a, "map gpa"));
        CHECK_EQ(adapt_emit(&a), SVMC_OK);
        CHECK_EQ(svmc_adapt_decode(&a.foreign, &r, NULL), SVMC_OK);
        CHECK_EQ(r.address, 0x8000fe000000);
        CHECK_EQ(r.in[0], 0x8000fe200000);
        CHECK_EQ(svmc_adapt_answer(&a.foreign, &r, &rows[i].reply, NULL), SVMC_OK, "row %u", i);
        CHECK_EQ(adapt_get(a.area + 80, 8), rows[i].r10, "row %u", i);
        CHECK_EQ(adapt_get(a.area + 88, 8), rows[i].r11, "row %u", i);
    }
}

TEST(adapt_request, a_range_to_map_has_an_end) /* AP-34 AP-8 */
{
    static const struct {
        uint64_t at, bytes;
        enum svmc_status want;
    } rows[] = { { 0x1000, 0x1000, SVMC_OK },
                 { 0x1000, 0, SVMC_ERR_MISMATCH },
                 { 0xfffffffffffff000, 0x1000, SVMC_ERR_MISMATCH },
                 { 0x1000, 0xfffffffffffff000, SVMC_ERR_MISMATCH },
                 { 0x2000, ~(uint64_t)0, SVMC_ERR_MISMATCH } };
    struct svmc_request r;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start(SVMC_FOREIGN_TDX);
        memset(a.area, 0, 128);
        adapt_put(a.area + 8, 8, 0xfc00);
        adapt_put(a.area + 88, 8, 0x10001);
        adapt_put(a.area + 96, 8, rows[i].at);
        adapt_put(a.area + 104, 8, rows[i].bytes);
        CHECK_EQ(svmc_adapt_decode(&a.foreign, &r, NULL), rows[i].want, "row %u", i);
    }
}

static enum svmc_status answer_flags(const char *scenario, uint64_t flags)
{
    start(SVMC_FOREIGN_RMM);
    if (!adapt_exit(&a, scenario) || adapt_emit(&a) != SVMC_OK)
        return SVMC_ERR_ARG;
    memset(a.area, 0xff, 0x800);
    adapt_put(a.area, 8, flags);
    return adapt_enter(&a);
}

TEST(adapt_request, what_a_realm_is_told) /* AP-43 AP-44 */
{
    static const char *const aborts[] = { "a64 data abort", "a64 protected abort",
                                          "a64 instruction abort" };

    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQ(answer_flags(aborts[i], 0), SVMC_OK);
        CHECK_EQ(a.lab.out.action, SVMC_ACT_RESUME, "%s", aborts[i]);
        CHECK_EQ(answer_flags(aborts[i], 0xc), SVMC_OK, "with idle trapped");
        CHECK_EQ(answer_flags(aborts[i], 2), i == 0 ? SVMC_OK : SVMC_ERR_HOST_REPLY, "SEA");
        CHECK_EQ(a.rule, i == 0 ? 0 : 40);
        CHECK_EQ(a.lab.out.action, i == 0 ? SVMC_ACT_INJECT : SVMC_ACT_DELEGATED);
        for (unsigned bit = 0; bit < 64; bit++) {
            if (bit >= 1 && bit <= 3)
                continue;
            CHECK_EQ(answer_flags(aborts[i], (uint64_t)1 << bit), SVMC_ERR_HOST_REPLY);
            CHECK_EQ(a.rule, bit == 0 ? 40 : 41, "%s: flag %u", aborts[i], bit);
        }
        CHECK_EQ(answer_flags(aborts[i], 3), SVMC_ERR_HOST_REPLY, "emulated and SEA");
        CHECK_EQ(a.rule, 40);
    }
    CHECK_EQ(answer_flags("a64 ripas", 0), SVMC_OK, "accepted");
    CHECK_EQ(adapt_get(a.lab.out.data, 8), 0x400000);
    CHECK_EQ(answer_flags("a64 ripas", 0x10), SVMC_OK, "rejected");
    CHECK_EQ(adapt_get(a.lab.out.data, 8), 0x10000);
    for (unsigned bit = 0; bit < 64; bit++) {
        if (bit >= 2 && bit <= 4)
            continue;
        CHECK_EQ(answer_flags("a64 ripas", (uint64_t)1 << bit), SVMC_ERR_HOST_REPLY);
        CHECK_EQ(a.rule, bit < 2 ? 40 : 41, "flag %u", bit);
    }
}

TEST(adapt_request, a_realm_is_answered) /* AP-43 AP-44 AP-8 */
{
    static const struct {
        char scenario[24];
        struct svmc_reply reply;
        enum svmc_status st;
        uint64_t flags;
    } rows[] = {
        { "a64 data abort", { .done = 1 }, SVMC_OK, 0 },
        { "a64 data abort", { .status = SVMC_REPLY_FAULT, .fault = SVMC_FAULT_GP }, SVMC_OK, 2 },
        { "a64 data abort", { .status = SVMC_REPLY_RETRY }, SVMC_ERR_UNSUPPORTED, 0 },
        { "a64 protected abort", { .done = 1 }, SVMC_OK, 0 },
        { "a64 protected abort",
          { .status = SVMC_REPLY_FAULT, .fault = SVMC_FAULT_GP },
          SVMC_ERR_UNSUPPORTED,
          0 },
        { "a64 ripas", { .done = 1, .out_valid = 1, .out = { 0x400000 } }, SVMC_OK, 0 },
        { "a64 ripas", { .done = 1, .out_valid = 1, .out = { 0x20000 } }, SVMC_OK, 0 },
        { "a64 ripas", { .done = 1, .out_valid = 1, .out = { 0x10000 } }, SVMC_OK, 0x10 },
        { "a64 ripas", { .status = SVMC_REPLY_RETRY }, SVMC_ERR_UNSUPPORTED, 0 },
    };
    struct svmc_request r;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start(SVMC_FOREIGN_RMM);
        REQUIRE(adapt_exit(&a, rows[i].scenario));
        CHECK_EQ(adapt_emit(&a), SVMC_OK);
        CHECK_EQ(svmc_adapt_decode(&a.foreign, &r, NULL), SVMC_OK);
        CHECK_EQ(r.kind, a.request.kind, "%s", rows[i].scenario);
        CHECK_EQ(svmc_adapt_answer(&a.foreign, &r, &rows[i].reply, NULL), rows[i].st, "row %u", i);
        CHECK_EQ(adapt_get(a.area, 8), rows[i].flags, "row %u", i);
    }
}
