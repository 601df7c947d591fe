/* SPDX-License-Identifier: MIT */
/* docs/spec/iox.md: the word and what an I/O instruction does. */
#include <svmcore/iox.h>

#include "../harness.h"
#include "../random.h"

#define MEMORY 65536u
#define PAGE   4096u
#define LOG    64u

/* A guest whose linear address a lies at a & 0xffff, whatever its upper bits; pages can be away. */
struct machine {
    uint8_t memory[MEMORY];
    uint16_t away;    /* bit n: pages with n in bits 15:12 fault */
    uint16_t device;  /* the same: they are no memory */
    unsigned calls;   /* of any callback */
    unsigned fail_at; /* 1-based; 0: none */
    unsigned lie;     /* of translate */
    uint64_t asked[LOG];
    unsigned asks;
    uint32_t access; /* or-ed */
    uint16_t port;
    uint32_t bytes;
    uint32_t written[LOG];
    unsigned writes, reads;
    uint32_t given; /* what the first read gives; each further one 0x01010101 more */
};

static struct machine m;
static struct svmc_iox_regs regs;
static struct svmc_iox_result result;

static bool fails(void)
{
    return ++m.calls == m.fail_at;
}

static enum svmc_status port_read(void *ctx, uint16_t port, uint32_t bytes, uint32_t *value)
{
    CHECK(ctx == &m && *value == 0);
    if (fails())
        return SVMC_ERR_FULL;
    m.port = port;
    m.bytes = bytes;
    *value = m.given + 0x01010101u * m.reads++; /* wider than asked for, too */
    return SVMC_OK;
}

static enum svmc_status port_write(void *ctx, uint16_t port, uint32_t bytes, uint32_t value)
{
    CHECK(ctx == &m);
    if (fails())
        return SVMC_ERR_FULL;
    m.port = port;
    m.bytes = bytes;
    m.written[m.writes++ % LOG] = value;
    return SVMC_OK;
}

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    static const struct svmc_fault none;

    CHECK(ctx == &m && memcmp(fault, &none, sizeof none) == 0);
    if (fails())
        return SVMC_ERR_STATE;
    m.asked[m.asks++ % LOG] = at.v;
    m.access |= access;
    out->v = at.v % MEMORY ^ (m.lie == 1 ? 1 : 0);
    fault->error = 77; /* what no fault says does not matter */
    if ((m.away >> (at.v >> 12 & 15) & 1) || m.lie > 1) {
        fault->raised = m.lie == 2 ? 2 : 1;
        fault->has_error = m.lie == 3 ? 2 : 1;
        fault->vector = m.lie == 4 ? 32 : m.lie == 5 ? 64 : 14;
        fault->error = 6;
        fault->address = at.v;
    }
    return SVMC_OK;
}

static enum svmc_status guest_span(void *ctx, svmc_gpa at, size_t n, uint32_t access, void **span)
{
    CHECK(ctx == &m && at.v % PAGE == 0 && at.v < MEMORY && n == PAGE);
    CHECK(access == SVMC_ACCESS_READ || access == SVMC_ACCESS_WRITE);
    if (fails())
        return SVMC_ERR_FULL;
    *span = (m.device >> (at.v >> 12) & 1) ? NULL : m.memory + at.v;
    return SVMC_OK;
}

static const struct svmc_iox_ops ops = {
    sizeof(struct svmc_iox_ops), port_read, port_write, translate, guest_span,
};

static void start(enum svmc_isa isa, uint8_t address_bytes)
{
    static uint8_t random[MEMORY];
    static uint64_t rng; /* 0: no bytes yet */

    if (rng == 0)
        for (unsigned i = 0; i < MEMORY; i++)
            random[i] = (uint8_t)harness_random(&rng);
    memset(&m, 0, sizeof m);
    memcpy(m.memory, random, MEMORY);
    m.given = 0x84838281u;
    memset(&regs, 0, sizeof regs);
    for (unsigned n = 0; n < SVMC_IOX_ARGS; n++)
        regs.arg[n] = 0x1111111111111111u * (n + 1);
    regs.arg[SVMC_IOX_PORT] = 0x7777777777775658u;
    regs.isa = (uint8_t)isa;
    regs.address_bytes = address_bytes;
}

static enum svmc_status perform(const struct svmc_iox *io, uint32_t budget)
{
    memset(&result, 0xee, sizeof result);
    return svmc_iox_perform(io, &ops, &m, budget, &regs, &result);
}

/* Every description there is, by nested choices instead of bits. */
static struct svmc_iox forms[2000];
static uint16_t lows[2000];
static unsigned form_count;

static void make_forms(void)
{
    form_count = 0;
    for (unsigned size = 0; size < 3; size++)
        for (unsigned in = 0; in < 2; in++) {
            struct svmc_iox io = { .bytes = (uint8_t[]){ 1, 2, 4 }[size], .in = (uint8_t)in };
            unsigned low = size + 4 * in;

            lows[form_count] = (uint16_t)(low + 8);
            forms[form_count++] = io;
            for (unsigned port = 0; port < 256; port++) {
                lows[form_count] = (uint16_t)(low + 32 * port);
                forms[form_count] = io;
                forms[form_count].immediate = 1;
                forms[form_count++].port = (uint8_t)port;
            }
            for (unsigned n = 0; n < 4; n++) {
                lows[form_count] = (uint16_t)(low + 16 + 8 * (n & 1) + 32 * (n >> 1));
                forms[form_count] = io;
                forms[form_count].string = 1;
                forms[form_count].repeat = n & 1;
                forms[form_count++].backward = (uint8_t)(n >> 1);
            }
        }
}

static bool is_form(const struct svmc_iox *io)
{
    for (unsigned i = 0; i < form_count; i++)
        if (memcmp(io, &forms[i], sizeof *io) == 0)
            return true;
    return false;
}

/* clang-format off */
/* Descriptions as the manual writes the instructions: bytes; port, or REP and DF. */
#define IN_DX(n)         { (n), 1, 0, 0, 0, 0, 0, 0 }
#define OUT_DX(n)        { (n), 0, 0, 0, 0, 0, 0, 0 }
#define IN_IMM(n, p)     { (n), 1, 0, 0, 0, 1, (p), 0 }
#define OUT_IMM(n, p)    { (n), 0, 0, 0, 0, 1, (p), 0 }
#define INS(n, rep, df)  { (n), 1, 1, (rep), (df), 0, 0, 0 }
#define OUTS(n, rep, df) { (n), 0, 1, (rep), (df), 0, 0, 0 }
/* clang-format on */

/* From what open-vm-tools sends (the first four), and backdoor_def.h's description of W7. */
static const struct {
    uint64_t word;
    struct svmc_iox io;
} golden[] = {
    { 0x860000000e, IN_DX(4) }, /* IN eax, dx: low bandwidth */
    { 0x8600000018, OUTS(1, 1, 0) },    { 0x860000001c, INS(1, 1, 0) },
    { 0x860000000a, OUT_DX(4) },        { 0x860000000c, IN_DX(1) },
    { 0x8600000008, OUT_DX(1) },        { 0x860000000d, IN_DX(2) },
    { 0x8600000009, OUT_DX(2) },        { 0x8600000e04, IN_IMM(1, 0x70) },
    { 0x8600000e20, OUT_IMM(1, 0x71) }, { 0x8600001fe2, OUT_IMM(4, 0xff) },
    { 0x8600000014, INS(1, 0, 0) },     { 0x8600000031, OUTS(2, 0, 1) },
    { 0x860000003e, INS(4, 1, 1) },
};

TEST(iox, words_as_vmware_has_them) /* IO-2 */
{
    for (unsigned i = 0; i < sizeof golden / sizeof golden[0]; i++) {
        struct svmc_iox io;
        uint64_t word;

        CHECK_EQ(svmc_iox_decode(golden[i].word, &io), SVMC_OK, "row %u", i);
        CHECK_MEM(&io, &golden[i].io, sizeof io, "row %u", i);
        CHECK_EQ(svmc_iox_encode(&golden[i].io, &word), SVMC_OK, "row %u", i);
        CHECK_EQ(word, golden[i].word, "row %u", i);
    }
}

TEST(iox, another_upper_half_is_no_word) /* IO-1 */
{
    static const struct svmc_iox zero;
    struct svmc_iox io;
    uint64_t rng = 1;

    for (unsigned i = 0; i < 100000; i++) {
        uint64_t high = i < 32 ? 0x86 ^ 1u << i : harness_random(&rng) >> (i % 2 ? 32 : 56);

        memset(&io, 0xee, sizeof io);
        CHECK_EQ(svmc_iox_decode(high << 32 | 0xe, &io), high == 0x86 ? SVMC_OK : SVMC_ERR_MISMATCH,
                 "%" PRIx64, high);
        if (high != 0x86)
            CHECK_MEM(&io, &zero, sizeof io);
    }
    CHECK_EQ(svmc_iox_decode(0x8700000003, &io), SVMC_ERR_MISMATCH, "before the lower half");
    CHECK_EQ(svmc_iox_decode_low(0x1c, &io), SVMC_OK, "HVC has none");
    CHECK_MEM(&io, &golden[2].io, sizeof io);
    CHECK_EQ(svmc_iox_decode(0x860000000e, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_iox_decode_low(0xe, NULL), SVMC_ERR_ARG);
}

TEST(iox, every_lower_half) /* IO-2 IO-3 */
{
    static const struct svmc_iox zero;
    static struct svmc_iox want[65536]; /* bytes 0: refused */
    struct svmc_iox io;
    uint64_t word;

    make_forms();
    CHECK_EQ(form_count, 1566);
    for (unsigned i = 0; i < form_count; i++)
        want[lows[i]] = forms[i];
    for (uint32_t low = 0; low < 65536; low++) {
        bool ok = want[low].bytes != 0;

        memset(&io, 0xee, sizeof io);
        CHECK_EQ(svmc_iox_decode(0x8600000000 | low, &io), ok ? SVMC_OK : SVMC_ERR_UNDEFINED, "%x",
                 low);
        CHECK_MEM(&io, &want[low], sizeof io, "%x", low);
        CHECK_EQ(svmc_iox_decode_low(low, &io), ok ? SVMC_OK : SVMC_ERR_UNDEFINED, "%x", low);
        CHECK_MEM(&io, &want[low], sizeof io, "%x", low);
        if (ok)
            CHECK(svmc_iox_encode(&io, &word) == SVMC_OK && word == (0x8600000000 | low), "%x",
                  low);
        if (low % 31 == 0)
            for (unsigned bit = 16; bit < 32; bit++) {
                CHECK_EQ(svmc_iox_decode_low(low | 1u << bit, &io), SVMC_ERR_UNDEFINED, "%x", low);
                CHECK_MEM(&io, &zero, sizeof io);
            }
    }
}

TEST(iox, a_description_is_of_one_form) /* IO-3 */
{
    uint8_t bytes[SVMC_IOX_X86_MAX], *field;
    struct svmc_iox io;
    uint32_t count;
    uint64_t word;

    make_forms();
    start(SVMC_ISA_A64, 8);
    for (unsigned i = 0; i < sizeof golden / sizeof golden[0]; i++)
        for (unsigned at = 0; at < sizeof io; at++)
            for (unsigned value = 0; value < 256; value += value < 9 ? 1 : 41) {
                bool ok;

                io = golden[i].io;
                field = (uint8_t *)&io + at;
                *field = (uint8_t)value;
                ok = is_form(&io);
                word = 1;
                CHECK_EQ(svmc_iox_encode(&io, &word), ok ? SVMC_OK : SVMC_ERR_ARG);
                CHECK((word != 0) == ok, "row %u, byte %u = %u", i, at, value);
                count = 9;
                CHECK_EQ(svmc_iox_to_x86(&io, SVMC_ISA_X86_64, bytes, &count),
                         ok ? SVMC_OK : SVMC_ERR_ARG);
                CHECK((count != 0) == ok);
                regs.arg[SVMC_IOX_COUNT] = 1;
                CHECK_EQ(perform(&io, 1), ok ? SVMC_OK : SVMC_ERR_ARG);
            }
    CHECK_EQ(svmc_iox_encode(NULL, &word), SVMC_ERR_ARG);
    CHECK_EQ(word, 0);
    CHECK_EQ(svmc_iox_encode(&golden[0].io, NULL), SVMC_ERR_ARG);
}

/* Intel SDM vol. 2, IN, INS, OUT, OUTS, 2.1.1; `want` 0 bytes: refused by the decoder or by us. */
static const struct {
    char hex[20];
    uint8_t isa;
    bool df;
    uint8_t segment, address_bytes; /* of strings */
    struct svmc_iox want;
} x86[] = {
    { "e4 70", 3, 0, 0, 0, IN_IMM(1, 0x70) },
    { "e5 ff", 3, 1, 0, 0, IN_IMM(4, 0xff) },
    { "66 e5 00", 3, 0, 0, 0, IN_IMM(2, 0) },
    { "e5 00", 1, 0, 0, 0, IN_IMM(2, 0) },
    { "66 e7 80", 1, 0, 0, 0, OUT_IMM(4, 0x80) },
    { "e6 80", 2, 0, 0, 0, OUT_IMM(1, 0x80) },
    { "ed", 3, 0, 0, 0, IN_DX(4) },
    { "48 ed", 3, 0, 0, 0, IN_DX(4) }, /* REX.W */
    { "66 48 ed", 3, 0, 0, 0, IN_DX(4) },
    { "f3 ec", 3, 1, 0, 0, IN_DX(1) }, /* REP does nothing */
    { "f2 67 36 ee", 2, 0, 0, 0, OUT_DX(1) },
    { "66 ef", 3, 0, 0, 0, OUT_DX(2) },
    { "6c", 3, 0, SVMC_SEG_ES, 8, INS(1, 0, 0) },
    { "64 6d", 3, 1, SVMC_SEG_ES, 8, INS(4, 0, 1) },
    { "f3 6c", 3, 0, SVMC_SEG_ES, 8, INS(1, 1, 0) },
    { "f2 6e", 3, 0, SVMC_SEG_DS, 8, OUTS(1, 1, 0) },
    { "f3 67 64 66 6f", 3, 1, SVMC_SEG_FS, 4, OUTS(2, 1, 1) },
    { "67 6f", 1, 0, SVMC_SEG_DS, 4, OUTS(2, 0, 0) },
    { "26 66 6f", 1, 0, SVMC_SEG_ES, 2, OUTS(4, 0, 0) },
    { "67 6d", 2, 0, SVMC_SEG_ES, 2, INS(4, 0, 0) },
    { "f3 48 6f", 3, 0, SVMC_SEG_DS, 8, OUTS(4, 1, 0) },
    { "f0 ec", 3, 0, 0, 0, { 0 } }, /* LOCK */
    { "f3 a4", 3, 0, 0, 0, { 0 } }, /* MOVS */
    { "8a 07", 3, 0, 0, 0, { 0 } },
    { "0f a2", 3, 0, 0, 0, { 0 } },
};

TEST(iox, from_x86) /* IO-4 */
{
    static const struct svmc_insn no_insn;
    static const struct svmc_iox zero;
    struct svmc_iox io;

    for (unsigned i = 0; i < sizeof x86 / sizeof x86[0]; i++) {
        struct svmc_cpu cpu = { .isa = x86[i].isa, .vendor = SVMC_VENDOR_INTEL };
        struct svmc_iox want = x86[i].want;
        struct svmc_insn insn;
        uint8_t text[8];
        size_t n = harness_hex(x86[i].hex, text, sizeof text);

        if (svmc_insn_decode(&cpu, text, n, &insn) != SVMC_OK)
            CHECK_EQ(want.bytes, 0, "%s", x86[i].hex);
        memset(&io, 0xee, sizeof io);
        CHECK_EQ(svmc_iox_from_insn(&insn, x86[i].df ? 0x446 : 0x46, &io),
                 want.bytes ? SVMC_OK : SVMC_ERR_MISMATCH, "%s", x86[i].hex);
        CHECK_MEM(&io, &want, sizeof io, "%s", x86[i].hex);
        if (io.string) {
            CHECK_EQ(insn.segment, x86[i].segment, "%s", x86[i].hex);
            CHECK_EQ(insn.address_bytes, x86[i].address_bytes, "%s", x86[i].hex);
        }
    }
    for (unsigned isa = 0; isa < 12; isa++) { /* the same number is something else elsewhere */
        struct svmc_insn insn = { .id = SVMC_X86_INS, .isa = (uint8_t)isa, .mem_bytes = 4 };

        if (isa >= SVMC_ISA_X86_16 && isa <= SVMC_ISA_X86_64)
            insn.id = SVMC_X86_IN; /* nothing that a decode made */
        CHECK_EQ(svmc_iox_from_insn(&insn, 0, &io), SVMC_ERR_MISMATCH, "isa %u", isa);
    }
    CHECK_EQ(svmc_iox_from_insn(&no_insn, 0, &io), SVMC_ERR_MISMATCH);
    CHECK_EQ(svmc_iox_from_insn(&no_insn, 0, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_iox_from_insn(NULL, 0, &io), SVMC_ERR_ARG);
    CHECK_MEM(&io, &zero, sizeof io);
}

TEST(iox, to_x86_and_back) /* IO-5 IO-4 */
{
    static const struct { /* as GNU as writes them */
        struct svmc_iox io;
        uint8_t isa, count, bytes[SVMC_IOX_X86_MAX];
    } rows[] = {
        { IN_DX(4), 3, 1, { 0xed } },
        { OUTS(1, 1, 0), 3, 2, { 0xf3, 0x6e } },
        { INS(1, 1, 1), 1, 2, { 0xf3, 0x6c } },
        { INS(2, 1, 0), 2, 3, { 0x66, 0xf3, 0x6d } },
        { OUT_IMM(2, 0x42), 3, 3, { 0x66, 0xe7, 0x42 } },
        { OUT_IMM(4, 0x42), 1, 3, { 0x66, 0xe7, 0x42 } },
        { OUT_DX(2), 1, 1, { 0xef } },
    };
    uint8_t bytes[SVMC_IOX_X86_MAX];
    struct svmc_insn insn;
    struct svmc_iox io;
    uint32_t count;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_EQ(svmc_iox_to_x86(&rows[i].io, (enum svmc_isa)rows[i].isa, bytes, &count), SVMC_OK);
        CHECK_EQ(count, rows[i].count, "row %u", i);
        CHECK_MEM(bytes, rows[i].bytes, sizeof bytes, "row %u", i);
    }
    make_forms();
    for (unsigned i = 0; i < form_count; i++)
        for (enum svmc_isa isa = SVMC_ISA_X86_16; isa <= SVMC_ISA_X86_64; isa++) {
            struct svmc_cpu cpu = { .isa = (uint8_t)isa, .vendor = SVMC_VENDOR_AMD };

            CHECK_EQ(svmc_iox_to_x86(&forms[i], isa, bytes, &count), SVMC_OK);
            CHECK_EQ(svmc_insn_decode(&cpu, bytes, count, &insn), SVMC_OK, "%x", lows[i]);
            CHECK_EQ(insn.length, count, "%x", lows[i]);
            CHECK_EQ(svmc_iox_from_insn(&insn, forms[i].backward ? 0x400 : 0, &io), SVMC_OK);
            CHECK_MEM(&io, &forms[i], sizeof io, "%x", lows[i]);
        }
    for (unsigned isa = 0; isa < 300; isa++)
        if (isa < SVMC_ISA_X86_16 || isa > SVMC_ISA_X86_64)
            CHECK_EQ(svmc_iox_to_x86(&forms[0], (enum svmc_isa)isa, bytes, &count), SVMC_ERR_ARG);
    CHECK_EQ(count, 0);
    CHECK_EQ(svmc_iox_to_x86(NULL, SVMC_ISA_X86_64, bytes, &count), SVMC_ERR_ARG);
    CHECK_EQ(svmc_iox_to_x86(&forms[0], SVMC_ISA_X86_64, NULL, &count), SVMC_ERR_ARG);
    CHECK_EQ(svmc_iox_to_x86(&forms[0], SVMC_ISA_X86_64, bytes, NULL), SVMC_ERR_ARG);
}

TEST(iox, registers) /* IO-6 */
{
    static const uint8_t x86_regs[] = { SVMC_REG_RAX, SVMC_REG_RBX, SVMC_REG_RCX, SVMC_REG_RDX,
                                        SVMC_REG_RSI, SVMC_REG_RDI, SVMC_REG_RBP, SVMC_REG_NONE };

    for (unsigned n = 0; n < 8; n++) {
        CHECK_EQ(svmc_iox_reg(SVMC_ISA_X86_16, n), x86_regs[n]);
        CHECK_EQ(svmc_iox_reg(SVMC_ISA_X86_32, n), x86_regs[n]);
        CHECK_EQ(svmc_iox_reg(SVMC_ISA_X86_64, n), x86_regs[n]);
        CHECK_EQ(svmc_iox_reg(SVMC_ISA_A64, n), 64 + n); /* BDOOR_ARG0 is X0 */
        CHECK_EQ(svmc_iox_reg(SVMC_ISA_T32, n), 64 + n);
        CHECK_EQ(svmc_iox_reg(SVMC_ISA_RV64, n), 128 + 10 + n); /* a0 is x10 */
        CHECK_EQ(svmc_iox_reg(SVMC_ISA_S390X, n), 192 + (n < 7 ? n + 2 : 1));
        CHECK_EQ(svmc_iox_reg(SVMC_ISA_NONE, n), SVMC_REG_NONE);
        CHECK_EQ(svmc_iox_reg(SVMC_ISA_RV32, n), 128 + 10 + n);
        CHECK_EQ(svmc_iox_reg(SVMC_ISA_PPC64, n), SVMC_REG_NONE);
        CHECK_EQ(svmc_iox_reg((enum svmc_isa)99, n), SVMC_REG_NONE);
        CHECK_EQ(svmc_iox_reg(SVMC_ISA_A64, 8 + n * 31), SVMC_REG_NONE);
    }
}

TEST(iox, ports_and_widths) /* IO-7 */
{
    /* AX is 0x1111111111111111; the port gives 0x84838281 */
    static const uint64_t after[] = { 0x1111111111111181, 0x1111111111118281, 0x84838281 };
    static const uint32_t sent[] = { 0x11, 0x1111, 0x11111111 };

    make_forms();
    for (unsigned i = 0; i < form_count; i++) {
        const struct svmc_iox *io = &forms[i];
        unsigned size = io->bytes / 2;
        struct svmc_iox_regs before;

        if (io->string)
            continue;
        start(SVMC_ISA_A64, 0); /* the address size is for strings */
        regs.arg[SVMC_IOX_PORT] |= i % 3 == 0 ? 0xffff : 1;
        before = regs;
        CHECK_EQ(perform(io, 1 + i), SVMC_OK);
        CHECK_EQ(result.end, SVMC_IOX_DONE);
        CHECK_EQ(result.done, 1);
        CHECK_EQ(m.calls, 1);
        CHECK_EQ(m.bytes, io->bytes);
        CHECK_EQ(m.port, io->immediate ? io->port : i % 3 == 0 ? 0xffff : 0x5659);
        if (io->in)
            before.arg[SVMC_IOX_DATA] = after[size];
        else
            CHECK_EQ(m.written[0], sent[size]);
        CHECK_EQ(m.writes, io->in ? 0 : 1);
        CHECK_MEM(&regs, &before, sizeof regs, "%x", lows[i]);
    }
}

/* clang-format off */
/* By hand from SDM vol. 2, INS, OUTS, REP. The memory at linear address a is that at a & 0xffff. */
static const struct string_row {
    char name[32];
    uint8_t isa, address_bytes;
    struct svmc_iox io;
    uint64_t base, at, count;
    uint64_t at_after, count_after;
    uint32_t done;
    uint64_t asked[3]; /* linear addresses, in order; 1: no more */
} strings[] = {
    { "outsb", 4, 8, OUTS(1, 0, 0), 0, 0x1234, 0, 0x1235, 0, 1, { 0x1234, 1 } },
    { "outsd, backward", 3, 8, OUTS(4, 0, 1), 0x10, 0x1ffd, 9, 0x1ff9, 9, 1, { 0x200d, 1 } },
    { "rep insw", 3, 8, INS(2, 1, 0), 0, 0x1ffd, 3, 0x2003, 0, 3, { 0x1ffd, 0x2000, 1 } },
    { "rep insw, backward", 4, 8, INS(2, 1, 1), 0, 0x2000, 3, 0x1ffa, 0, 3, { 0x2000, 0x1ffe, 1 } },
    { "rep, count 0", 3, 8, OUTS(4, 1, 0), 0, 0x2000, 0, 0x2000, 0, 0, { 1 } },
    { "count 0 of 32 bits", 3, 4, INS(4, 1, 0),
      0, 0xa00002000, 0x700000000, 0xa00002000, 0x700000000, 0, { 1 } },
    { "count 0 of 16 bits", 1, 2, INS(1, 1, 0), 0, 0xf0000, 0xf0000, 0xf0000, 0xf0000, 0, { 1 } },
    { "16 bits, up and round", 1, 2, OUTS(2, 1, 0),
      0x8000, 0x550ffff, 0x6660002, 0x5500003, 0x6660000, 2, { 0x17fff, 0x18000, 0x8001 } },
    { "16 bits, down and round", 2, 2, INS(1, 1, 1),
      0xffffff00, 0x10000, 2, 0x1fffe, 0, 2, { 0xffffff00, 0xfeff, 1 } },
    { "32 bits of 64, up and round", 3, 4, OUTS(4, 1, 0),
      0x7f0000000000, 0x1fffffffe, 0x900000002, 6, 0, 2,
      { 0x7f00fffffffe, 0x7f0100000000, 0x7f0000000002 } },
    { "32 bits, linear wraps", 2, 4, INS(4, 0, 0),
      0x1000, 0xffffeffe, 5, 0xfffff002, 5, 1, { 0xfffffffe, 0, 1 } },
    { "AArch32", 5, 4, OUTS(1, 1, 1), 0, 0, 1, 0xffffffff, 0, 1, { 0, 1 } },
    { "64 bits, up and round", 8, 8, INS(2, 1, 0), 0, ~0ull, 1, 1, 0, 1, { ~0ull, 0, 1 } },
    { "s390x", 9, 8, OUTS(1, 1, 0), 0, 0x4000, 2, 0x4002, 0, 2, { 0x4000, 1 } },
};
/* clang-format on */

TEST(iox, strings) /* IO-8 IO-9 */
{
    for (unsigned i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        const struct string_row *r = &strings[i];
        unsigned pointer = r->io.in ? SVMC_IOX_DESTINATION : SVMC_IOX_SOURCE;
        struct svmc_iox_regs want;

        start((enum svmc_isa)r->isa, r->address_bytes);
        regs.base = r->base;
        regs.arg[pointer] = r->at;
        regs.arg[SVMC_IOX_COUNT] = r->count;
        want = regs;
        want.arg[pointer] = r->at_after;
        want.arg[SVMC_IOX_COUNT] = r->count_after;
        CHECK_EQ(perform(&r->io, 100), SVMC_OK, "%s", r->name);
        CHECK_EQ(result.end, SVMC_IOX_DONE, "%s", r->name);
        CHECK_EQ(result.done, r->done, "%s", r->name);
        CHECK_EQ(r->io.in ? m.reads : m.writes, r->done, "%s", r->name);
        CHECK_MEM(&regs, &want, sizeof regs, "%s: %" PRIx64 " %" PRIx64, r->name, regs.arg[pointer],
                  regs.arg[SVMC_IOX_COUNT]);
        for (unsigned n = 0; n < 3 && r->asked[n] != 1; n++)
            CHECK(n < m.asks && m.asked[n] == r->asked[n], "%s: %" PRIx64, r->name, m.asked[n]);
        CHECK_EQ(m.access,
                 r->done == 0 ? SVMC_ACCESS_NONE
                 : r->io.in   ? SVMC_ACCESS_WRITE
                              : SVMC_ACCESS_READ,
                 "%s", r->name);
    }
}

TEST(iox, elements_are_little_endian_and_cross_pages) /* IO-9 */
{
    struct svmc_iox in = INS(4, 0, 0), out = OUTS(4, 0, 0);
    uint8_t around[8];

    for (unsigned at = 0x2ffc; at <= 0x3000; at++) {
        start(SVMC_ISA_A64, 8);
        memcpy(around, m.memory + at - 2, sizeof around);
        memcpy(around + 2, (const uint8_t[]){ 0x81, 0x82, 0x83, 0x84 }, 4);
        regs.arg[SVMC_IOX_DESTINATION] = regs.arg[SVMC_IOX_SOURCE] = at;
        CHECK_EQ(perform(&in, 1), SVMC_OK);
        CHECK_MEM(m.memory + at - 2, around, sizeof around, "%x", at);
        CHECK_EQ(perform(&out, 1), SVMC_OK);
        CHECK_EQ(m.written[0], 0x84838281, "%x", at);
        CHECK_EQ(m.asks, at == 0x2ffc || at == 0x3000 ? 2 : 4, "%x", at);
        start(SVMC_ISA_A64, 8); /* the second page is away: no port is touched, no byte written */
        memcpy(around, m.memory + at - 2, sizeof around);
        m.away = 1 << 3;
        regs.arg[SVMC_IOX_DESTINATION] = at;
        CHECK_EQ(perform(&in, 1), SVMC_OK);
        CHECK_EQ(result.end, at == 0x2ffc ? SVMC_IOX_DONE : SVMC_IOX_FAULT, "%x", at);
        if (at == 0x2ffc)
            continue;
        CHECK_EQ(m.reads, 0);
        CHECK_EQ(result.fault.address, 0x3000);
        CHECK_MEM(m.memory + at - 2, around, sizeof around, "%x", at);
    }
    start(SVMC_ISA_A64, 8); /* a page is asked for once while elements stay there */
    in.repeat = 1;
    regs.arg[SVMC_IOX_DESTINATION] = 0x1f00;
    regs.arg[SVMC_IOX_COUNT] = 0x441;
    CHECK_EQ(perform(&in, 0x441), SVMC_OK);
    CHECK_EQ(m.asks, 3);
}

TEST(iox, a_fault_is_taken_up_again) /* IO-10 */
{
    static const struct svmc_fault fault = {
        .raised = 1, .vector = 14, .has_error = 1, .error = 6, .address = 0x5000
    };
    struct svmc_iox io = OUTS(2, 1, 0);

    start(SVMC_ISA_X86_64, 8);
    m.away = 1 << 5;
    regs.arg[SVMC_IOX_SOURCE] = 0x4ffd; /* one element, then one across the border */
    regs.arg[SVMC_IOX_COUNT] = 4;
    for (unsigned again = 0; again < 2; again++) {
        CHECK_EQ(perform(&io, 9), SVMC_OK);
        CHECK_EQ(result.end, SVMC_IOX_FAULT);
        CHECK_EQ(result.done, again ? 0 : 1);
        CHECK_MEM(&result.fault, &fault, sizeof fault);
        CHECK_EQ(regs.arg[SVMC_IOX_SOURCE], 0x4fff);
        CHECK_EQ(regs.arg[SVMC_IOX_COUNT], 3);
        CHECK_EQ(m.writes, 1);
    }
    m.away = 0;
    CHECK_EQ(perform(&io, 9), SVMC_OK);
    CHECK_EQ(result.end, SVMC_IOX_DONE);
    CHECK_EQ(result.fault.raised | result.fault.error, 0);
    CHECK_EQ(regs.arg[SVMC_IOX_SOURCE], 0x5005);
    CHECK_EQ(m.writes, 4);
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(m.written[i], m.memory[0x4ffd + 2 * i] | m.memory[0x4ffe + 2 * i] << 8);
}

/* a program's pointer can be to a device's page: that is no failure of the hypervisor */
TEST(iox, what_is_no_memory_has_an_end_of_its_own) /* IO-13 */
{
    for (unsigned in = 0; in < 2; in++) {
        struct svmc_iox io = OUTS(2, 1, 0);
        uint64_t *at = &regs.arg[in ? SVMC_IOX_DESTINATION : SVMC_IOX_SOURCE];
        static struct machine before;

        io.in = (uint8_t)in;
        for (unsigned page = 4; page < 6; page++) {
            start(SVMC_ISA_X86_64, 8);
            m.device = (uint16_t)(1u << page);
            *at = page == 4 ? 0x4fff : 0x4ffd; /* the first half of an element; the second */
            regs.arg[SVMC_IOX_COUNT] = 4;
            for (unsigned again = 0; again < 2; again++) {
                before = m;
                CHECK_EQ(perform(&io, 9), SVMC_OK);
                CHECK_EQ(result.end, SVMC_IOX_NO_MEMORY);
                CHECK_EQ(result.done, page == 5 && !again);
                CHECK_EQ(result.fault.raised, 0);
                CHECK_EQ(*at, 0x4fff);
                CHECK_EQ(regs.arg[SVMC_IOX_COUNT], page == 4 ? 4 : 3);
                CHECK_EQ(m.reads + m.writes, page == 5);
                if (again || page == 4)
                    CHECK_MEM(m.memory, before.memory, MEMORY);
            }
            m.device = 0;
            CHECK_EQ(perform(&io, 9), SVMC_OK);
            CHECK_EQ(result.end, SVMC_IOX_DONE);
        }
    }
}

TEST(iox, what_callbacks_give_is_checked) /* IO-10 IO-11 */
{
    struct svmc_iox io = INS(1, 0, 0);

    for (unsigned lie = 1; lie <= 5; lie++)
        for (unsigned x = 0; x < 2; x++) {
            bool right = lie == 4 && !x; /* 32 is a code elsewhere */
            struct svmc_iox_regs before;

            start(x ? SVMC_ISA_X86_64 : SVMC_ISA_A64, 8);
            m.lie = lie;
            before = regs;
            CHECK_EQ(perform(&io, 1), right ? SVMC_OK : SVMC_ERR_CALLBACK, "lie %u", lie);
            CHECK_EQ(result.end, right ? SVMC_IOX_FAULT : SVMC_IOX_FAILED, "lie %u", lie);
            CHECK_EQ(result.fault.raised, right, "lie %u", lie);
            CHECK_EQ(m.reads, 0, "lie %u", lie);
            CHECK_MEM(&regs, &before, sizeof regs, "lie %u", lie);
        }
}

/* What has to be the same however often a run was broken off. */
static bool same_end(const struct machine *a, const struct machine *b)
{
    return memcmp(a->memory, b->memory, MEMORY) == 0 && a->reads == b->reads &&
           a->writes == b->writes && memcmp(a->written, b->written, sizeof a->written) == 0;
}

static const struct svmc_iox broken_off[] = {
    IN_DX(4), OUT_IMM(1, 1), INS(4, 0, 0), OUTS(1, 1, 0), INS(2, 1, 1), OUTS(4, 1, 1), INS(4, 1, 0),
};
#define BROKEN_OFF (sizeof broken_off / sizeof broken_off[0])

static void start_broken_off(void)
{
    start(SVMC_ISA_X86_64, 8);
    regs.arg[SVMC_IOX_SOURCE] = regs.arg[SVMC_IOX_DESTINATION] = 0x5ff7;
    regs.arg[SVMC_IOX_COUNT] = 6;
}

TEST(iox, the_kth_callback_fails) /* IO-11 */
{
    static struct machine whole, before;
    struct svmc_iox_regs done, then;
    unsigned failures = 0;

    for (unsigned i = 0; i < BROKEN_OFF; i++) {
        const struct svmc_iox *io = &broken_off[i];

        start_broken_off();
        CHECK_EQ(perform(io, 99), SVMC_OK);
        whole = m;
        done = regs;
        for (unsigned k = 1; k <= whole.calls; k++, failures++) {
            unsigned made;

            start_broken_off();
            before = m;
            then = regs;
            m.fail_at = k;
            CHECK_EQ(perform(io, 99), SVMC_ERR_CALLBACK, "form %u, call %u", i, k);
            CHECK_EQ(result.end, SVMC_IOX_FAILED);
            CHECK_EQ(result.fault.raised | result.fault.error, 0);
            made = io->in ? m.reads : m.writes;
            CHECK_EQ(result.done, made, "form %u, call %u", i, k);
            if (io->repeat) {
                CHECK_EQ(regs.arg[SVMC_IOX_COUNT], 6 - made, "form %u, call %u", i, k);
                CHECK_EQ(regs.arg[io->in ? SVMC_IOX_DESTINATION : SVMC_IOX_SOURCE],
                         0x5ff7 + (io->backward ? UINT64_MAX : 1) * made * io->bytes);
            }
            if (made == 0) {
                CHECK_MEM(&regs, &then, sizeof regs, "form %u, call %u", i, k);
                CHECK(same_end(&m, &before), "form %u, call %u", i, k);
            }
            m.fail_at = 0;
            CHECK_EQ(perform(io, 99), SVMC_OK, "form %u, call %u", i, k);
            CHECK_EQ(result.end, SVMC_IOX_DONE);
            CHECK(same_end(&m, &whole), "form %u, call %u", i, k);
            CHECK_MEM(&regs, &done, sizeof regs, "form %u, call %u", i, k);
        }
    }
    CHECK(failures > 35, "only %u", failures);
}

TEST(iox, the_budget_holds) /* IO-12 */
{
    static struct machine whole;
    struct svmc_iox_regs done;

    for (unsigned i = 0; i < BROKEN_OFF; i++) {
        uint32_t all;

        start_broken_off();
        CHECK_EQ(perform(&broken_off[i], UINT32_MAX), SVMC_OK);
        all = result.done;
        whole = m;
        done = regs;
        for (uint32_t budget = 1; budget <= all + 1; budget++) {
            uint32_t sum = 0;

            start_broken_off();
            do {
                CHECK_EQ(perform(&broken_off[i], budget), SVMC_OK);
                sum += result.done;
                CHECK_EQ(result.end, sum < all ? SVMC_IOX_MORE : SVMC_IOX_DONE);
                CHECK(result.done == budget || sum == all, "%u of %u", result.done, budget);
            } while (result.end == SVMC_IOX_MORE && result.done > 0);
            CHECK_EQ(sum, all);
            CHECK(same_end(&m, &whole), "form %u, budget %u", i, budget);
            CHECK_MEM(&regs, &done, sizeof regs, "form %u, budget %u", i, budget);
        }
    }
    start_broken_off(); /* as many as a register holds */
    regs.arg[SVMC_IOX_COUNT] = UINT64_MAX;
    CHECK_EQ(perform(&broken_off[3], 1000), SVMC_OK);
    CHECK_EQ(result.end, SVMC_IOX_MORE);
    CHECK_EQ(regs.arg[SVMC_IOX_COUNT], UINT64_MAX - 1000);
    CHECK_EQ(perform(&broken_off[3], 0), SVMC_ERR_ARG);
}

TEST(iox, what_perform_wants) /* IO-8 IO-11 */
{
    static const struct svmc_iox_result zero;
    static const uint16_t sizes[16] = { 0, 2 | 4, 2 | 4, 4 | 8, 8, 4, 4, 4, 8, 8 };
    struct svmc_iox string = INS(1, 0, 0), port = OUT_DX(1);
    struct svmc_iox_ops some = ops;

    for (unsigned isa = 0; isa < 256; isa++) {
        start((enum svmc_isa)isa, 0);
        for (unsigned bytes = 0; bytes < 256; bytes++) {
            unsigned want = isa < 16 ? sizes[isa] : 0;
            bool one = bytes == 2 || bytes == 4 || bytes == 8;

            regs.address_bytes = (uint8_t)bytes;
            CHECK_EQ(perform(&string, 1), one && (want & bytes) ? SVMC_OK : SVMC_ERR_ARG,
                     "isa %u, %u bytes", isa, bytes);
            CHECK_EQ(perform(&port, 1), want ? SVMC_OK : SVMC_ERR_ARG, "isa %u", isa);
        }
    }
    start(SVMC_ISA_A64, 8);
    for (unsigned i = 0; i < 6; i++) {
        regs.reserved[i] = 1;
        CHECK_EQ(perform(&port, 1), SVMC_ERR_ARG);
        regs.reserved[i] = 0;
    }
    CHECK_MEM(&result, &zero, sizeof zero);
    CHECK_EQ(svmc_iox_perform(&port, &ops, &m, 1, &regs, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_iox_perform(NULL, &ops, &m, 1, &regs, &result), SVMC_ERR_ARG);
    CHECK_EQ(svmc_iox_perform(&port, NULL, &m, 1, &regs, &result), SVMC_ERR_ARG);
    CHECK_EQ(svmc_iox_perform(&port, &ops, &m, 1, NULL, &result), SVMC_ERR_ARG);
    for (unsigned n = 0; n < 4;
         n++) { /* a table without its n-th function, and one cut before it */
        static const size_t ends[] = { offsetof(struct svmc_iox_ops, port_read),
                                       offsetof(struct svmc_iox_ops, port_write),
                                       offsetof(struct svmc_iox_ops, translate),
                                       offsetof(struct svmc_iox_ops, guest_span) };
        enum svmc_status want = n < 2 ? SVMC_ERR_ARG : SVMC_ERR_UNSUPPORTED;

        some = ops;
        memset((uint8_t *)&some + ends[n], 0, sizeof some.port_read);
        CHECK_EQ(svmc_iox_perform(&string, &some, &m, 1, &regs, &result), want, "%u", n);
        CHECK_EQ(svmc_iox_perform(&port, &some, &m, 1, &regs, &result),
                 n < 2 ? SVMC_ERR_ARG : SVMC_OK, "%u", n);
        some = ops;
        some.size = (uint32_t)ends[n];
        CHECK_EQ(svmc_iox_perform(&string, &some, &m, 1, &regs, &result), want, "%u", n);
    }
}

/*
 * The same once more, byte by byte and without pages: what SDM vol. 2 says of INS, OUTS and REP, on
 * a copy of the memory. Returns what the whole instruction does up to the first byte that is away.
 */
static uint32_t model(const struct svmc_iox *io, uint64_t *arg, uint64_t base, uint64_t offset_mask,
                      uint64_t linear_mask, uint8_t *memory, uint32_t *sent, bool *faulted)
{
    unsigned pointer = io->in ? 5 : 4;
    uint32_t done = 0;

    *faulted = false;
    while (!io->repeat || (arg[2] & offset_mask) != 0) {
        uint64_t offset = arg[pointer] & offset_mask, keep = offset_mask == 0xffff ? ~0xffffull : 0;
        uint32_t value = m.given + 0x01010101u * done, word = 0;

        for (unsigned b = 0; b < io->bytes; b++)
            if (m.away >> ((base + offset + b) % MEMORY / PAGE) & 1)
                *faulted = true;
        if (*faulted)
            return done;
        for (unsigned b = io->bytes; b-- > 0;) {
            uint8_t *byte = &memory[((base + offset + b) & linear_mask) % MEMORY];

            if (io->in)
                *byte = (uint8_t)(value >> 8 * b);
            word = word << 8 | *byte;
        }
        sent[done % LOG] = word;
        offset = io->backward ? offset - io->bytes : offset + io->bytes;
        arg[pointer] = (arg[pointer] & keep) | (offset & offset_mask);
        if (io->repeat)
            arg[2] = (arg[2] & keep) | (((arg[2] & offset_mask) - 1) & offset_mask);
        done++;
        if (!io->repeat)
            return done;
    }
    return done;
}

TEST(iox, against_a_model) /* IO-8 to IO-12: IO-8 IO-9 IO-10 IO-12 */
{
    static const struct {
        uint8_t isa, address_bytes;
    } modes[] = { { 1, 2 }, { 2, 4 }, { 3, 4 }, { 3, 8 }, { 4, 8 }, { 5, 4 }, { 1, 4 }, { 2, 2 } };
    static uint8_t memory[MEMORY];
    uint64_t rng = harness_seed(), faults = 0, moved = 0;

    for (unsigned i = 0; i < 4000; i++) {
        unsigned mode = (unsigned)(harness_random(&rng) % 8), bits = modes[mode].address_bytes * 8u;
        struct svmc_iox io = { .bytes = (uint8_t)(1u << harness_random(&rng) % 3), .string = 1 };
        uint64_t arg[SVMC_IOX_ARGS], pick = harness_random(&rng), mask = ~0ull >> (64 - bits);
        uint32_t sent[LOG] = { 0 }, done, sum = 0, budget = (uint32_t)(1 + (pick >> 20) % 60);
        bool faulted;

        io.in = pick & 1;
        io.repeat = (pick & 6) != 0;
        io.backward = pick >> 3 & 1;
        start((enum svmc_isa)modes[mode].isa, modes[mode].address_bytes);
        for (unsigned n = 0; n < SVMC_IOX_ARGS; n++)
            regs.arg[n] = harness_random(&rng);
        regs.arg[2] = (regs.arg[2] & ~mask) | (pick >> 8) % 50;
        if (pick & 16) { /* near a border of everything */
            regs.arg[4] = (pick >> 30 & 63) - 32;
            regs.arg[5] = (pick >> 40 & 63) - 32;
        }
        regs.base = pick & 32 ? harness_random(&rng) : 0;
        m.away = pick & 0xc0 ? 0 : (uint16_t)harness_random(&rng);
        memcpy(arg, regs.arg, sizeof arg);
        memcpy(memory, m.memory, MEMORY);
        done = model(&io, arg, regs.base, mask,
                     modes[mode].isa == 3 || modes[mode].isa == 4 ? ~0ull : 0xffffffff, memory,
                     sent, &faulted);
        do {
            REQUIRE(perform(&io, budget) == SVMC_OK);
            sum += result.done;
        } while (result.end == SVMC_IOX_MORE);
        CHECK_EQ(sum, done, "case %u", i);
        CHECK_EQ(result.end, faulted ? SVMC_IOX_FAULT : SVMC_IOX_DONE, "case %u", i);
        CHECK_MEM(arg, regs.arg, sizeof arg, "case %u", i);
        CHECK_MEM(memory, m.memory, MEMORY, "case %u", i);
        if (!io.in)
            CHECK_MEM(sent, m.written, sizeof sent, "case %u", i);
        faults += faulted;
        moved += done;
    }
    CHECK(faults > 100 && moved > 40000, "%" PRIu64 " faults, %" PRIu64 " elements", faults, moved);
}
