/* SPDX-License-Identifier: MIT */
/* docs/spec/token_page.md: stubs. tests/checks/gate_reference.c executes them. */
#include <svmcore/guest/hypercall.h>
#include <svmcore/insn.h>

#include "page_lab.h"

#define GATE SVMC_TOKEN_PAGE_GATE
#define SITE SVMC_TOKEN_PAGE_SITE

static const uint8_t tag[16] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                                 0xff, 0x00, 0x7f, 0x80, 0x20, 0xdf, 0x10, 0xfe };
static uint8_t page[4096];
static struct page_random source;

/*
 * Stubs as GNU as makes them of the listings in docs/spec/token_page.md, for the tag above; x86's
 * numbers and RISC-V's digits found by search.
 */
static const char x86_load[] =
    "f3 0f 1e fa 48 b9 41 47 41 43 4d 4f 49 4b 49 89 cd 48 b9 44 46 40 42 "
    "4c 4e 48 4a 48 c1 e1 04 49 31 cd 48 b9 4f 44 4b 44 44 4b 44 4a 49 89 "
    "ce 48 b9 4b 44 43 4c 46 49 45 4b 48 c1 e1 04 49 31 ce ";
static const char x86_wipe[] = "45 31 ed 45 31 f6 31 c9 c3";
static const char a64_load[] =
    "5f 24 03 d5 29 60 84 d2 a9 e8 ac f2 29 71 d5 f2 a9 f9 fd f2 ea 1f 80 d2 "
    "ea 0f b0 f2 0a e4 db f2 0a c2 ff f2 ";
static const char a64_wipe[] = "09 00 80 d2 0a 00 80 d2 c0 03 5f d6";
static const char rv_load[] =
    "17 00 00 00 3d 4f 1a 0f 7d 1f 1a 0f 39 0f 1a 0f 2d 1f 1a 0f 65 1f 1a 0f "
    "19 1f 1a 0f 1d 1f 1a 0f 45 0f 1a 0f 49 0f 1a 0f 31 0f 1a 0f 05 0f c1 4f "
    "9a 0f e1 1f 9a 0f c5 0f 9a 0f e1 1f 9a 0f c9 1f 9a 0f 89 0f 9a 0f 85 0f "
    "9a 0f 81 1f 9a 0f c1 1f 9a 0f 91 0f 9a 0f fd 1f ";
static const char rv_wipe[] = "01 4f 81 4f 82 80 02 90";

#define PAD_X86 "f3 0f 1e fa "
#define PAD_A64 "5f 24 03 d5 "
#define RET_A64 "c0 03 5f d6"
#define PAD_RV  "17 00 00 00 "
#define RET_RV  "82 80 02 90"

/* clang-format off */
static const struct row {
    uint8_t isa, way, kind;
    const char *before, *trap, *behind;
    uint16_t trap_at, stub_bytes, stubs; /* TP-5's table */
    uint8_t fill[2];
} rows[] = {
#define X SVMC_ISA_X86_64
    { X, SVMC_WAY_PORT,    GATE, x86_load, "ef ",       x86_wipe, 64, 74, 55, { 0xcc, 0xcc } },
    { X, SVMC_WAY_VMCALL,  GATE, x86_load, "0f 01 c1 ", x86_wipe, 64, 76, 53, { 0xcc, 0xcc } },
    { X, SVMC_WAY_VMMCALL, GATE, x86_load, "0f 01 d9 ", x86_wipe, 64, 76, 53, { 0xcc, 0xcc } },
#define A SVMC_ISA_A64
    { A, SVMC_WAY_TRAP, GATE, a64_load, "1f 01 33 d5 ", a64_wipe, 36, 52, 78, { 0, 0 } },
    { A, SVMC_WAY_CALL, GATE, a64_load, "e2 10 00 d4 ", a64_wipe, 36, 52, 78, { 0, 0 } },
#define R SVMC_ISA_RV64
    { R, SVMC_WAY_TRAP, GATE, rv_load, "73 20 20 e1 ", rv_wipe, 88, 100, 40, { 0, 0 } },
    { R, SVMC_WAY_CALL, GATE, rv_load, "73 00 00 00 ", rv_wipe, 88, 100, 40, { 0, 0 } },
    { X, SVMC_WAY_PORT,    SITE, PAD_X86, "ef ",       "c3", 4, 6, 680, { 0xcc, 0xcc } },
    { X, SVMC_WAY_VMCALL,  SITE, PAD_X86, "0f 01 c1 ", "c3", 4, 8, 510, { 0, 0 } },
    { X, SVMC_WAY_VMMCALL, SITE, PAD_X86, "0f 01 d9 ", "c3", 4, 8, 510, { 0, 0 } },
    { A, SVMC_WAY_TRAP, SITE, PAD_A64, "1f 01 33 d5 ", RET_A64, 4, 12, 341, { 0, 0 } },
    { A, SVMC_WAY_CALL, SITE, PAD_A64, "e2 10 00 d4 ", RET_A64, 4, 12, 341, { 0, 0 } },
    { R, SVMC_WAY_TRAP, SITE, PAD_RV, "73 20 20 e1 ", RET_RV, 4, 12, 341, { 0, 0 } },
    { R, SVMC_WAY_CALL, SITE, PAD_RV, "73 00 00 00 ", RET_RV, 4, 12, 341, { 0, 0 } },
#define S SVMC_ISA_S390X
    { S, SVMC_WAY_TRAP, SITE, "", "00 00 ",       "07 fe", 0, 4, 1024, { 0, 0 } },
    { S, SVMC_WAY_CALL, SITE, "", "83 24 01 5c ", "07 fe", 0, 6, 682, { 0x07, 0xfe } },
};
/* clang-format on */
#define ROWS (sizeof rows / sizeof rows[0])

static enum svmc_status place(const struct row *r, struct svmc_token_gate *gate)
{
    memset(gate, 0xee, sizeof *gate);
    return svmc_token_gate_place(&source.ops, (enum svmc_token_page_kind)r->kind, r->isa, r->way,
                                 0x7000, gate);
}

static enum svmc_status fill(const struct row *r, const struct svmc_token_gate *gate)
{
    memset(page, 0xee, sizeof page);
    return svmc_token_gate_fill(&source.ops, gate, r->kind == GATE ? tag : NULL, page);
}

static bool make(const struct row *r, struct svmc_token_gate *gate)
{
    return CHECK_EQ(place(r, gate), SVMC_OK) && CHECK_EQ(fill(r, gate), SVMC_OK);
}

TEST(token_gate, stubs_as_an_assembler_has_them) /* TP-5 TP-7 TP-8 TP-9 */
{
    page_random_init(&source, harness_seed());
    for (unsigned i = 0; i < ROWS; i++) {
        const struct row *r = &rows[i];
        struct svmc_token_gate gate;
        uint8_t want[128];
        uint32_t first = r->isa == SVMC_ISA_X86_64 ? 16 : 0; /* more than an instruction has */
        char text[512];
        size_t n;

        snprintf(text, sizeof text, "%s%s%s", r->before, r->trap, r->behind);
        n = harness_hex(text, want, sizeof want);
        REQUIRE(make(r, &gate) && n == r->stub_bytes, "row %u", i);
        CHECK(gate.stub_bytes == n && gate.stubs == r->stubs && gate.trap_at == r->trap_at,
              "row %u: %u %u %u", i, gate.stub_bytes, gate.stubs, gate.trap_at);
        CHECK(gate.slot < gate.stubs && gate.first == first &&
              gate.entry == first + gate.slot * n && gate.frame == 0x7000);
        CHECK_EQ(gate.trap, gate.entry + r->trap_at);
        CHECK_MEM(page + gate.entry, want, n, "row %u", i);
        for (size_t at = first + n * gate.stubs, k = 0; at < sizeof page; at++, k++)
            CHECK_EQ(page[at], r->fill[k & 1], "row %u, byte %zu", i, at);
        for (size_t at = 0; at < first; at++)
            CHECK_EQ(page[at], 0xcc, "row %u, byte %zu", i, at);
        CHECK(sizeof page - first - n * gate.stubs < n, "as many as fit");
    }
}

/* K4 A14: other tags, the same code. */
TEST(token_gate, decoys_are_stubs) /* TP-5 TP-6 */
{
    page_random_init(&source, harness_seed());
    for (unsigned i = 0; i < ROWS; i++) {
        struct svmc_token_gate gate;
        unsigned same = 0;
        size_t n;

        REQUIRE(make(&rows[i], &gate));
        n = gate.stub_bytes;
        for (unsigned s = 0; s < gate.stubs; s++) {
            const uint8_t *zero = page + gate.first, *stub = zero + s * n;

            same += memcmp(stub, page + gate.entry, n) == 0;
            CHECK_MEM(stub, zero, rows[i].kind == GATE ? 4 : n);
            CHECK_MEM(stub + gate.trap_at, zero + gate.trap_at, n - gate.trap_at);
            for (unsigned t = 0; t < s && rows[i].kind == GATE; t++)
                CHECK(memcmp(stub, zero + t * n, n) != 0, "row %u: %u and %u", i, s, t);
            for (size_t b = 4; b < gate.trap_at && rows[i].isa == SVMC_ISA_X86_64; b++)
                if (stub[b] >> 4 != 4 || zero[b] >> 4 != 4) /* no number */
                    CHECK_EQ(stub[b], zero[b], "row %u, stub %u, byte %zu", i, s, b);
        }
        CHECK_EQ(same, rows[i].kind == GATE ? 1 : gate.stubs, "row %u", i);
    }
}

/* What a stub of x86 loads, by its own arithmetic. */
static uint64_t load_of(const uint8_t *stub)
{
    uint64_t low = 0, high = 0;

    for (unsigned b = 8; b-- > 0;) {
        low = low << 8 | stub[2 + b];
        high = high << 8 | stub[15 + b];
    }
    return low ^ high << 4;
}

/* TP-7: each value of each byte; so each is a prefix, and each tag has a stub. */
TEST(token_gate, every_byte_of_a_tag) /* TP-7 */
{
    struct svmc_token_gate gate;

    page_random_init(&source, 1);
    REQUIRE(place(&rows[0], &gate) == SVMC_OK);
    for (unsigned byte = 0; byte < 16; byte++)
        for (unsigned value = 0; value < 256; value++) {
            uint8_t some[16], got[16];
            const uint8_t *stub = page + gate.entry + 4;

            memset(some, (int)value ^ 0x5a, sizeof some);
            some[byte] = (uint8_t)value;
            REQUIRE(svmc_token_gate_fill(&source.ops, &gate, some, page) == SVMC_OK);
            for (unsigned b = 0; b < 16; b++)
                got[b] = (uint8_t)(load_of(stub + (b < 8 ? 0 : 30)) >> 8 * (b % 8));
            CHECK_MEM(got, some, 16, "byte %u, %x", byte, value);
            for (unsigned b = 0; b < 8; b++)
                CHECK(stub[2 + b] >> 4 == 4 && stub[15 + b] >> 4 == 4 && stub[32 + b] >> 4 == 4 &&
                      stub[45 + b] >> 4 == 4);
        }
}

static void decode(const struct row *r, const uint8_t *at, size_t left, struct svmc_insn *insn)
{
    struct svmc_cpu cpu = { .isa = r->isa };

    if (r->isa == SVMC_ISA_X86_64) {
        cpu.vendor = r->way == SVMC_WAY_VMMCALL ? SVMC_VENDOR_AMD : SVMC_VENDOR_INTEL;
        cpu.features[0] = cpu.features[1] = ~(uint64_t)0;
    }
    CHECK_EQ(svmc_insn_decode(&cpu, at, left, insn), SVMC_OK);
}

TEST(token_gate, our_decoder_reads_x86) /* TP-7 */
{
    static const char want[][64] = {
        "endbr64",
        "mov rcx, 0x4b494f4d43414741",
        "mov r13, rcx",
        "mov rcx, 0x4a484e4c42404644",
        "shl rcx, 0x4",
        "xor r13, rcx",
        "mov rcx, 0x4a444b44444b444f",
        "mov r14, rcx",
        "mov rcx, 0x4b4549464c43444b",
        "shl rcx, 0x4",
        "xor r14, rcx",
        "", /* the trap */
        "xor r13d, r13d",
        "xor r14d, r14d",
        "xor ecx, ecx",
        "ret",
    };
    static const char traps[3][16] = { "out dx, eax", "vmcall", "vmmcall" };

    page_random_init(&source, 1);
    for (unsigned i = 0; i < 3; i++) {
        struct svmc_token_gate gate;
        struct svmc_insn insn;
        char text[SVMC_INSN_TEXT_MAX];
        size_t at = 0;

        REQUIRE(make(&rows[i], &gate));
        for (unsigned n = 0; n < sizeof want / sizeof want[0]; n++, at += insn.length) {
            decode(&rows[i], page + gate.entry + at, gate.stub_bytes - at, &insn);
            REQUIRE(svmc_insn_format(&insn, text, sizeof text) == SVMC_OK);
            CHECK(strcmp(text, want[n][0] ? want[n] : traps[i]) == 0, "%u: %s", n, text);
        }
        CHECK_EQ(at, gate.stub_bytes);
    }
}

/* From any byte of a number: the next instruction, as it is (TP-7). */
TEST(token_gate, no_middle_of_a_number) /* TP-7 */
{
    static const struct {
        uint8_t from, count, end;
        char want[24];
    } numbers[] = {
        { 6, 8, 17, "mov r13, rcx" },
        { 19, 8, 31, "shl rcx, 0x4" },
        { 36, 8, 47, "mov r14, rcx" },
        { 49, 8, 61, "shl rcx, 0x4" },
    };

    page_random_init(&source, harness_seed());
    for (unsigned i = 0; i < 50; i++) {
        struct svmc_token_gate gate;

        REQUIRE(make(&rows[0], &gate));
        for (unsigned s = 0; s < gate.stubs; s++)
            for (unsigned n = 0; n < 4; n++)
                for (unsigned b = 0; b < numbers[n].count; b++) {
                    unsigned at = numbers[n].from + b;
                    char text[SVMC_INSN_TEXT_MAX];
                    struct svmc_insn insn;

                    decode(&rows[0], page + gate.first + s * gate.stub_bytes + at, 15, &insn);
                    REQUIRE(svmc_insn_format(&insn, text, sizeof text) == SVMC_OK);
                    if (strcmp(text, numbers[n].want) != 0 || at + insn.length != numbers[n].end)
                        CHECK(false, "stub %u, byte %u: %s", s, at, text);
                }
    }
}

TEST(token_gate, our_decoder_reads_the_others) /* TP-5 TP-8 TP-9 */
{
    page_random_init(&source, 1);
    for (unsigned i = 3; i < ROWS; i++) {
        const struct row *r = &rows[i];
        struct svmc_token_gate gate;
        struct svmc_insn insn;
        unsigned traps = 0, returns = 0, loads = 0;
        size_t at = 0;

        REQUIRE(make(r, &gate));
        if (r->isa == SVMC_ISA_X86_64)
            continue;
        if (r->isa == SVMC_ISA_S390X && r->way == SVMC_WAY_TRAP) /* 0000 is none */
            at = 2, traps = 1;
        for (; at < gate.stub_bytes; at += insn.length) {
            decode(r, page + gate.entry + at, gate.stub_bytes - at, &insn);
            REQUIRE(insn.length != 0);
            if (at == gate.trap_at) {
                traps += r->isa == SVMC_ISA_A64
                             ? insn.id == (r->way == SVMC_WAY_CALL ? SVMC_A64_HVC : SVMC_A64_MRS)
                         : r->isa == SVMC_ISA_RV64
                             ? insn.id == (r->way == SVMC_WAY_CALL ? SVMC_RV_ECALL : SVMC_RV_CSRRS)
                             : insn.id == SVMC_S390_DIAG;
                continue;
            }
            returns += r->isa == SVMC_ISA_A64    ? insn.id == SVMC_A64_RET
                       : r->isa == SVMC_ISA_RV64 ? insn.id == SVMC_RV_C_JR
                                                 : insn.id == SVMC_S390_BCR;
            if (r->isa == SVMC_ISA_RV64)
                loads += insn.id == SVMC_RV_C_LI || insn.id == SVMC_RV_C_ADDI ||
                         insn.id == SVMC_RV_C_SLLI;
        }
        CHECK(traps == 1 && returns == 1, "row %u: %u %u", i, traps, returns);
        CHECK_EQ(loads, r->isa == SVMC_ISA_RV64 && r->kind == GATE ? 42 + 2 : 0, "row %u", i);
        CHECK_EQ(at, gate.stub_bytes);
    }
}

/* K11 A14: every stub as likely as another. */
TEST(token_gate, the_live_one_is_anywhere) /* TP-6 */
{
    unsigned slots[55] = { 0 };
    struct svmc_token_gate gate;

    page_random_init(&source, harness_seed());
    for (unsigned i = 0; i < 5500; i++) {
        REQUIRE(place(&rows[0], &gate) == SVMC_OK && gate.slot < 55);
        slots[gate.slot]++;
    }
    CHECK(page_is_even(page_chi_square(slots, 55), 54));
}

TEST(token_gate, whose_trap) /* TP-6 */
{
    page_random_init(&source, harness_seed());
    for (unsigned i = 0; i < ROWS; i++) {
        struct svmc_token_gate gate;
        unsigned found = 0;

        REQUIRE(place(&rows[i], &gate) == SVMC_OK);
        CHECK_EQ(svmc_token_gate_find(&gate, gate.trap), gate.slot);
        for (uint32_t at = 0; at < 3 * 4096; at++) {
            uint32_t slot = svmc_token_gate_find(&gate, at);

            if (slot == UINT32_MAX)
                continue;
            CHECK_EQ(slot, found++);
            CHECK_EQ(at, gate.first + slot * rows[i].stub_bytes + rows[i].trap_at);
        }
        CHECK_EQ(found, rows[i].stubs, "row %u", i);
        CHECK_EQ(svmc_token_gate_find(&gate, UINT32_MAX), UINT32_MAX);
        gate.slot = gate.stubs;
        CHECK_EQ(svmc_token_gate_find(&gate, gate.trap), UINT32_MAX);
    }
    CHECK_EQ(svmc_token_gate_find(NULL, 4), UINT32_MAX);
}

TEST(token_gate, there_is_no_such) /* TP-5 */
{
    struct svmc_token_gate gate;
    unsigned known = 0;

    page_random_init(&source, 1);
    for (unsigned kind = 0; kind < 5; kind++)
        for (unsigned isa = 0; isa < 256; isa++)
            for (unsigned way = 0; way < 256; way++) {
                struct row r = { .isa = (uint8_t)isa, .way = (uint8_t)way, .kind = (uint8_t)kind };
                enum svmc_status st = place(&r, &gate);
                bool here = false;

                for (unsigned i = 0; i < ROWS; i++)
                    here |= rows[i].isa == isa && rows[i].way == way && rows[i].kind == kind;
                if (st != (here                           ? SVMC_OK
                           : kind == GATE || kind == SITE ? SVMC_ERR_UNSUPPORTED
                                                          : SVMC_ERR_ARG))
                    CHECK(false, "%u %u %u", kind, isa, way);
                known += here;
                if (!here && (gate.stubs | gate.isa | (unsigned)gate.frame) != 0)
                    CHECK(false, "not zero");
            }
    CHECK_EQ(known, ROWS);
}

TEST(token_gate, a_gate_that_is_none) /* TP-6 */
{
    page_random_init(&source, 1);
    for (unsigned i = 0; i < ROWS; i++) {
        struct svmc_token_gate gate, bad, other;

        REQUIRE(place(&rows[i], &gate) == SVMC_OK);
        for (unsigned bit = 0; bit < 8 * sizeof gate; bit++) {
            memcpy(&bad, &gate, sizeof bad);
            ((uint8_t *)&bad)[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (bad.frame != gate.frame && bad.frame % 4096 == 0)
                continue; /* another page's */
            if (bad.way != gate.way &&
                place(&(struct row){ .isa = bad.isa, .way = bad.way, .kind = bad.kind }, &other) ==
                    SVMC_OK &&
                other.stub_bytes == gate.stub_bytes)
                continue; /* VMCALL beside VMMCALL */
            CHECK_EQ(fill(&rows[i], &bad), SVMC_ERR_ARG, "row %u, bit %u", i, bit);
            CHECK(page_is_zero(page));
        }
    }
}

TEST(token_gate, misuse) /* TP-5 TP-6 */
{
    struct svmc_token_gate gate;
    const struct row *r = &rows[0], *site = &rows[7];

    page_random_init(&source, 1);
    REQUIRE(place(r, &gate) == SVMC_OK);
    CHECK_EQ(svmc_token_gate_fill(&source.ops, &gate, tag, NULL), SVMC_ERR_ARG);
    memset(page, 0xee, sizeof page);
    CHECK_EQ(svmc_token_gate_fill(&source.ops, &gate, NULL, page), SVMC_ERR_ARG);
    CHECK(page_is_zero(page));
    CHECK_EQ(svmc_token_gate_fill(&source.ops, NULL, tag, page), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_gate_fill(NULL, &gate, tag, page), SVMC_ERR_ARG);
    REQUIRE(place(site, &gate) == SVMC_OK);
    CHECK_EQ(svmc_token_gate_fill(&source.ops, &gate, tag, page), SVMC_ERR_ARG, "a tag too many");
    CHECK_EQ(svmc_token_gate_fill(NULL, &gate, NULL, page), SVMC_OK, "nothing is drawn");
    CHECK_EQ(svmc_token_gate_place(NULL, GATE, r->isa, r->way, 0, &gate), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_gate_place(&source.ops, GATE, r->isa, r->way, 0, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_token_gate_place(&source.ops, GATE, r->isa, r->way, 8, &gate), SVMC_ERR_ARG);
    CHECK_EQ(gate.stubs, 0);
    source.ops.random = NULL;
    CHECK_EQ(place(r, &gate), SVMC_ERR_ARG);
}

TEST(token_gate, each_callback_fails) /* CR-2 TP-6 */
{
    struct svmc_token_gate gate, none;

    memset(&none, 0, sizeof none);
    page_random_init(&source, 1);
    source.fail_at = 1;
    CHECK_EQ(place(&rows[0], &gate), SVMC_ERR_CALLBACK);
    CHECK_MEM(&gate, &none, sizeof gate);
    REQUIRE(place(&rows[0], &gate) == SVMC_OK);
    source.fail_at = source.calls + 1;
    CHECK_EQ(fill(&rows[0], &gate), SVMC_ERR_CALLBACK);
    CHECK(page_is_zero(page));
    source.fail_at = source.calls + 2;
    CHECK_EQ(fill(&rows[0], &gate), SVMC_OK, "one call a page");
}

/* The low half of a tag is its first eight bytes, least first, on every processor. */
TEST(token_gate, halves_of_a_tag) /* TP-7 */
{
    struct svmc_token_gate gate;

    page_random_init(&source, 1);
    REQUIRE(make(&rows[0], &gate));
    CHECK_EQ(load_of(page + gate.entry + 4), 0xefcdab8967452301);
    CHECK_EQ(load_of(page + gate.entry + 34), 0xfe10df20807f00ff);
}
