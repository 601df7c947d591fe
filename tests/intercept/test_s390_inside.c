/* SPDX-License-Identifier: MIT */
/*
 * What is decided inside about the later kinds of s390x, and what is stored: EX-71 to EX-76. Values
 * by hand: Principles of Operation, chapters 10 and 14; Linux arch/s390/kvm/priv.c (handle_stsi,
 * handle_tpi) and intercept.c (handle_sthyi); QEMU hw/s390x/sclp.c, s390-pci-inst.c and
 * target/s390x/ioinst.c; kvm-unit-tests s390x/sclp.c. Program interruptions: 6 specification, 15
 * operand.
 */
#include <svmcore/exit_s390.h>

#include "scenarios.h"

#define R(n)  (SVMC_REG_S390_R0 + (n))
#define CC    SVMC_REG_S390_CC
#define AT    0x3000u
#define GUEST (WORLD_LINEAR + AT)

static struct lab lab, before;
static struct fakehost_answer honest;
static const uint8_t zero[SVMC_PAGE_BYTES];

static struct svmc_exit exit_of(uint16_t kind, uint16_t size)
{
    return (struct svmc_exit){ .kind = kind,
                               .size = size,
                               .count = 1,
                               .finish = SVMC_FINISH_REGS,
                               .isa = SVMC_ISA_S390X,
                               .buffer = { GUEST },
                               .arg = { R(2), R(4), R(5) } };
}

static void fresh(void)
{
    uint64_t rng = 51;

    lab_init(&lab, &rng);
    for (unsigned i = 0; i < 16; i++)
        lab.world.reg[R(i)] = 0xff00112200000000u + 0x10u * i;
    lab.world.reg[CC] = 2;
}

static void put_be(unsigned at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        lab.world.memory[at + i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

static uint64_t slot(unsigned n)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 8; i++)
        value |= (uint64_t)lab.world.page[0x40 + 8 * n + i] << (8 * i);
    return value;
}

static void take(const struct svmc_exit *e, unsigned action)
{
    before = lab;
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, e, &lab.out), SVMC_OK, "kind %x", e->kind);
    CHECK_EQ(lab.out.action, action, "kind %x", e->kind);
}

static void same_memory(const char *what)
{
    CHECK_MEM(lab.world.memory, before.world.memory, WORLD_MEMORY, "%s", what);
}

static void same_registers(const char *what)
{
    CHECK_MEM(lab.world.reg, before.world.reg, sizeof lab.world.reg, "%s", what);
}

/* The guest gets this program interruption, and nobody else anything. */
static void faults(const struct svmc_exit *e, unsigned code, const char *what)
{
    take(e, SVMC_ACT_INJECT);
    CHECK_EQ(lab.out.fault.vector, code, "kind %x: %s", e->kind, what);
    CHECK_EQ(lab.out.fault.has_error, 0);
    CHECK_EQ(lab.vc.priv.pending.active, 0);
    same_memory(what);
    same_registers(what);
    CHECK_MEM(lab.world.page, zero, sizeof zero, "%s: the host hears nothing", what);
}

static void prepare(void)
{
    REQUIRE(fakehost_prepare(lab.world.page, &honest));
}

static enum svmc_status answer(void)
{
    CHECK(fakehost_send(lab.world.page, &honest));
    return svmc_vcpu_enter(&lab.vc, &lab.out);
}

/* Parts before the last, as they come. */
static void go_to_last(void)
{
    for (prepare(); honest.request.completion == SVMC_COMPLETION_PART; prepare())
        CHECK_EQ(answer(), SVMC_OK);
}

/* ---- STSI -------------------------------------------------------------------------------------*/

static void stsi(struct svmc_exit *e, uint64_t r0, uint64_t r1, uint64_t at)
{
    fresh();
    *e = exit_of(SVMC_KIND_STSI, 4096);
    e->buffer.v = WORLD_LINEAR + at;
    lab.world.reg[R(0)] = r0;
    lab.world.reg[R(1)] = r1;
}

TEST(s390_inside, stsi_0_is_a_virtual_machine) /* EX-73; PoP 10: bits 0 to 31 stay */
{
    struct svmc_exit e;

    for (unsigned sel = 0; sel < 256; sel += 85) {
        stsi(&e, 0xff00112200000000u | sel, 0xffffffff00001234u, AT + 1);
        take(&e, SVMC_ACT_RESUME);
        CHECK_EQ(lab.out.verdict, SVMC_VERDICT_CONST);
        before.world.reg[R(0)] = 0xff00112230000000u;
        before.world.reg[CC] = 0;
        same_registers("function code 0");
        same_memory("function code 0");
        CHECK_MEM(lab.world.page, zero, sizeof zero, "no host is asked");
    }
}

TEST(s390_inside, stsi_beyond_3_is_not_provided) /* EX-73: before reserved bits and alignment */
{
    static const uint64_t others[] = { 0, 0x0fffff00, 0x100 };
    struct svmc_exit e;

    for (uint64_t fc = 4; fc < 16; fc++)
        for (unsigned i = 0; i < 3; i++) {
            stsi(&e, 0xff00112200000001u | fc << 28 | others[i], 0x10000 * i, AT + i);
            take(&e, SVMC_ACT_RESUME);
            before.world.reg[CC] = 3;
            same_registers("condition code 3 alone");
            same_memory("nothing is stored");
            CHECK_MEM(lab.world.page, zero, sizeof zero, "no host is asked");
        }
}

TEST(s390_inside, stsi_reserved_bits) /* EX-73 */
{
    struct svmc_exit e;

    for (uint64_t fc = 0; fc < 4; fc++) {
        for (unsigned bit = 0; bit < 64; bit++) {
            stsi(&e, fc << 28 | (uint64_t)1 << bit, 0, AT);
            if (bit >= 8 && bit < 28)
                faults(&e, 6, "bits 36 to 55 of GR0");
            stsi(&e, fc << 28, (uint64_t)1 << bit, AT);
            if (bit >= 16 && bit < 32)
                faults(&e, 6, "bits 32 to 47 of GR1");
            else
                take(&e, fc ? SVMC_ACT_DELEGATED : SVMC_ACT_RESUME);
        }
        for (unsigned off = 1; fc && off < 4096; off <<= 1) {
            stsi(&e, fc << 28 | 2, 2, AT + off);
            faults(&e, 6, "not on a page");
        }
    }
}

TEST(s390_inside, stsi_is_asked_for) /* EX-73 PG-6 */
{
    struct svmc_exit e;

    for (uint64_t fc = 1; fc < 4; fc++)
        for (unsigned cc = 0; cc < 4; cc += 3) {
            stsi(&e, 0xff00112200000000u | fc << 28 | 0xa5, 0xffffffff0000ffff, AT);
            take(&e, SVMC_ACT_DELEGATED);
            CHECK_EQ(slot(0), fc << 28 | 0xa5);
            CHECK_EQ(slot(1), 0xffff);
            go_to_last();
            honest.reply.out[0] = cc;
            CHECK_EQ(answer(), SVMC_OK);
            if (cc == 0)
                CHECK_MEM(lab.world.memory + AT + 3584, honest.data, 512);
            else
                same_memory("condition code 3");
            CHECK_EQ(lab.world.reg[CC], cc);
            CHECK_EQ(lab.world.reg[R(0)], before.world.reg[R(0)], "a level is fc 0's");
        }
}

TEST(s390_inside, a_register_that_is_not_to_be_had) /* the k-th callback: STSI 0, PCISTB */
{
    for (unsigned i = 0; i < 2; i++)
        for (unsigned k = 1;; k++) {
            struct svmc_exit e;
            enum svmc_status st;

            stsi(&e, 0, 0, AT);
            if (i) {
                e = exit_of(SVMC_KIND_PCISTB, 4096);
                e.value = 16;
                lab.world.reg[R(4)] = 0;
            }
            before = lab;
            lab.world.fail_at = k;
            st = svmc_vcpu_exit(&lab.vc, &e, &lab.out);
            if (st == SVMC_OK) {
                CHECK(k > 3, "only %u", k);
                break;
            }
            CHECK_EQ(st, SVMC_ERR_CALLBACK);
            same_registers("a failed callback");
            CHECK_MEM(lab.world.page, zero, sizeof zero);
        }
}

TEST(s390_inside, the_same_answer_to_a_part_is_taken_again) /* EX-70: the k-th callback */
{
    static uint8_t block[4096];
    static const char names[][16] = { "s390 stsi", "s390 sthyi", "s390 pcistb" };
    unsigned failures = 0;

    for (unsigned i = 0; i < 3; i++)
        for (unsigned k = 1; k < 4; k++) {
            bool in = i < 2;
            unsigned at = 0;

            fresh();
            if (i == 2) { /* 4096 bytes of it */
                struct svmc_exit e = exit_of(SVMC_KIND_PCISTB, 4096);

                e.value = 4096;
                lab.world.reg[R(4)] = 0;
                take(&e, SVMC_ACT_DELEGATED);
            } else {
                CHECK_EQ(lab_begin(&lab, scenario_named(names[i])), SVMC_OK);
                at = i == 0 ? 0x5000 : 0x6000;
            }
            before = lab;
            prepare();
            CHECK_EQ(honest.request.completion, SVMC_COMPLETION_PART, "%s", names[i]);
            memcpy(block, honest.data, 3584);
            lab.world.calls = 0;
            lab.world.fail_at = k;
            if (answer() != SVMC_OK) {
                failures++;
                same_memory(names[i]);
                same_registers(names[i]);
                CHECK_EQ(answer(), SVMC_OK, "%s: the same once more", names[i]);
            }
            lab.world.fail_at = 0;
            prepare();
            CHECK_EQ(honest.request.size, 512, "%s", names[i]);
            memcpy(block + 3584, honest.data, 512);
            CHECK_EQ(answer(), SVMC_OK, "%s", names[i]);
            CHECK_EQ(lab.out.action, SVMC_ACT_RESUME, "%s", names[i]);
            if (in)
                CHECK_MEM(lab.world.memory + at, block, 4096, "%s", names[i]);
        }
    CHECK(failures >= 5, "only %u", failures);
}

/* ---- SERVC ------------------------------------------------------------------------------------*/

static void servc(struct svmc_exit *e, uint32_t command, unsigned at, unsigned length)
{
    fresh();
    *e = exit_of(SVMC_KIND_SERVC, 4096);
    e->buffer.v = at;
    e->value = command;
    put_be(at, 2, length);
}

/* The answer is made here: a response code in the header, condition code 0, and a notice. */
static void refused(const struct svmc_exit *e, unsigned response)
{
    static const uint8_t head[] = { 0x4c, 0xb0, 0, 0 };
    unsigned at = (unsigned)e->buffer.v;

    take(e, SVMC_ACT_NOTIFIED);
    before.world.memory[at + 6] = (uint8_t)(response >> 8);
    before.world.memory[at + 7] = (uint8_t)response;
    before.world.reg[CC] = 0;
    same_memory("bytes 6 and 7 alone");
    same_registers("the condition code alone");
    CHECK_MEM(lab.world.page + 0x08, head, sizeof head, "a notice");
    CHECK_EQ(slot(0), (uint32_t)e->value, "the command");
    CHECK_MEM(lab.world.page + 0x30, zero, 0x10, "no address, no size");
    CHECK_MEM(lab.world.page + 0x200, zero, SVMC_PAGE_DATA_BYTES, "no data");
    CHECK_EQ(lab.vc.priv.pending.active, 0);
}

TEST(s390_inside, servc_commands) /* EX-72; sclp.h: SCLP_CMD_CODE_MASK is ffff00ff */
{
    static const uint32_t known[] = { 0x00010001, 0x00020001, 0x00120001, 0x001a0001,
                                      0x001b0001, 0x00760005, 0x00770005, 0x00780005 };
    /* configure and deconfigure a CPU, storage; a reserved one of kvm-unit-tests; none */
    static const uint32_t others[] = { 0x00110001, 0x00100001, 0x00050001, 0x000d0001,
                                       0x00040001, 0x00080001, 0xffffffff, 0x00020002,
                                       0x01020001, 0x00770001, 0x00790005, 0 };
    struct svmc_exit e;

    for (unsigned i = 0; i < 8; i++)
        for (unsigned middle = 0; middle < 256; middle += 51) {
            servc(&e, known[i] | middle << 8, AT, 32);
            take(&e, SVMC_ACT_DELEGATED);
            CHECK_EQ(slot(0), known[i] | middle << 8);
            CHECK_MEM(lab.world.page + 0x200, before.world.memory + AT, 32);
        }
    for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++)
        for (unsigned length = 8; length <= 4096; length += 511) {
            servc(&e, others[i], AT, length);
            refused(&e, 0x01f0);
        }
}

TEST(s390_inside, servc_lengths) /* EX-72: a header is 8 bytes */
{
    struct svmc_exit e;

    for (unsigned length = 0; length < 8; length++) {
        servc(&e, 0x00020001, AT, length);
        faults(&e, 6, "shorter than its header");
        servc(&e, 0xffffffff, AT, length);
        faults(&e, 6, "and before the command");
    }
    for (unsigned length = 4097; length < 65536; length += 4099) {
        servc(&e, 0x00020001, AT, length);
        refused(&e, 0x0100);
    }
}

TEST(s390_inside, servc_pages) /* EX-72; kvm-unit-tests, test_boundary */
{
    struct svmc_exit e;

    for (unsigned off = 0; off < 4096; off += 8)
        for (unsigned more = 0; more < 2; more++) {
            unsigned length = 4096 - off + more;

            servc(&e, 0x00760005, AT + off, length);
            if (more)
                refused(&e, 0x0100);
            else
                take(&e, SVMC_ACT_DELEGATED);
        }
}

TEST(s390_inside, servc_addresses) /* EX-72; sclp_service_call: 7ffffff8, not the first 8 KiB */
{
    struct svmc_exit e;

    for (unsigned bit = 0; bit < 64; bit++)
        if (bit < 3 || bit > 30) {
            servc(&e, 0x00020001, AT, 32);
            e.buffer.v |= (uint64_t)1 << bit;
            faults(&e, 6, "no address of an SCCB");
        }
    for (unsigned at = 0; at < 0x2000; at += 0x3f8) {
        servc(&e, 0x00020001, at, 32);
        faults(&e, 6, "low storage");
    }
    servc(&e, 0x00020001, 0x2000, 32);
    take(&e, SVMC_ACT_DELEGATED);
}

TEST(s390_inside, servc_length_in_the_answer) /* EX-72 */
{
    static const unsigned said[] = { 0, 8, 16, 63, 64, 65, 4096, 65535 };
    struct svmc_exit e;

    for (unsigned i = 0; i < sizeof said / sizeof said[0]; i++) {
        unsigned kept = said[i] > 64 ? 64 : said[i];

        servc(&e, 0x00020001, AT, 64);
        take(&e, SVMC_ACT_DELEGATED);
        prepare();
        honest.data[0] = (uint8_t)(said[i] >> 8);
        honest.data[1] = (uint8_t)said[i];
        CHECK_EQ(answer(), SVMC_OK);
        memcpy(before.world.memory + AT, honest.data, 64);
        before.world.memory[AT] = 0;
        before.world.memory[AT + 1] = (uint8_t)kept;
        same_memory("the SCCB, no longer than it was");
        CHECK_EQ(lab.world.reg[CC], 0);
    }
}

TEST(s390_inside, servc_without_a_place) /* EX-68 R12 */
{
    struct svmc_exit e;

    for (unsigned known = 0; known < 2; known++) {
        servc(&e, known ? 0x00020001 : 0xffffffff, AT, 64);
        lab.world.hole[AT / 4096] = true;
        take(&e, SVMC_ACT_INJECT);
        same_registers("the code too");
        CHECK_MEM(lab.world.page, zero, sizeof zero);
    }
}

/* ---- CHSC -------------------------------------------------------------------------------------*/

TEST(s390_inside, chsc_lengths) /* EX-76; ioinst_handle_chsc */
{
    struct svmc_exit e = exit_of(SVMC_KIND_CHSC, 4096);

    for (unsigned length = 0; length < 65536; length += length < 64 || length > 4064 ? 1 : 8) {
        bool good = length >= 16 && length <= 4088 && length % 8 == 0;

        if (length > 4200)
            length += 1021;
        fresh();
        put_be(AT, 2, length);
        if (!good) {
            faults(&e, 0x15, "no length of a request");
            continue;
        }
        take(&e, SVMC_ACT_DELEGATED);
        CHECK_MEM(lab.world.page + 0x200, before.world.memory + AT, length < 3584 ? length : 3584,
                  "length %u", length);
        if (length < 3584)
            CHECK_MEM(lab.world.page + 0x200 + length, zero, 3584 - length, "length %u", length);
    }
    for (unsigned off = 1; off < 4096; off <<= 1) {
        fresh();
        put_be(AT + off, 2, 16);
        e.buffer.v = GUEST + off;
        faults(&e, 6, "not on a page");
    }
}

TEST(s390_inside, chsc_stores_behind_the_request) /* EX-76 */
{
    static const unsigned lengths[] = { 16, 504, 512, 520, 3584, 4088 };
    struct svmc_exit e = exit_of(SVMC_KIND_CHSC, 4096);

    for (unsigned i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        for (unsigned cc = 0; cc < 4; cc++) {
            static uint8_t block[4096];

            fresh();
            put_be(AT, 2, lengths[i]);
            take(&e, SVMC_ACT_DELEGATED);
            for (prepare(); honest.request.completion == SVMC_COMPLETION_PART; prepare()) {
                memcpy(block, honest.data, honest.reply.data_bytes);
                CHECK_EQ(answer(), SVMC_OK);
            }
            memcpy(block + 4096 - 3584, honest.data, 3584);
            honest.reply.out[0] = cc;
            CHECK_EQ(answer(), SVMC_OK);
            if (cc == 0)
                memcpy(before.world.memory + AT + lengths[i], block + lengths[i],
                       4096 - lengths[i]);
            same_memory("the response alone");
            CHECK_EQ(lab.world.reg[CC], cc);
        }
}

/* ---- TPI --------------------------------------------------------------------------------------*/

TEST(s390_inside, tpi_stores_at_184_or_at_its_operand) /* EX-74; PoP 14 */
{
    static const uint64_t at[] = { 0, WORLD_LINEAR + AT + 4, WORLD_LINEAR + 0xffc };
    static const unsigned where[] = { 184, AT + 4, 0xffc }, bytes[] = { 12, 8, 8 };
    struct svmc_exit e = exit_of(SVMC_KIND_TPI, 12);

    for (unsigned i = 0; i < 3; i++)
        for (unsigned cc = 0; cc < 4; cc++) {
            fresh();
            e.buffer.v = at[i];
            lab.world.reg[SVMC_REG_S390_CR6] = 0x123456789a5b6c7d;
            take(&e, SVMC_ACT_DELEGATED);
            CHECK_EQ(slot(0), 0x9a000000, "the subclass mask, PoP 6: CR6 bits 32 to 39");
            prepare();
            CHECK_EQ(honest.reply.data_bytes, 12);
            honest.reply.out[0] = cc;
            CHECK_EQ(answer(), cc < 2 ? SVMC_OK : SVMC_ERR_HOST_REPLY);
            CHECK_EQ(lab.out.rule, cc < 2 ? 0 : 10); /* R10: 0 and 1 alone */
            if (cc == 1)
                memcpy(before.world.memory + where[i], honest.data, bytes[i]);
            same_memory("an interruption code");
            if (cc < 2)
                before.world.reg[CC] = cc;
            same_registers("the condition code alone");
        }
    for (unsigned off = 1; off < 4; off++) {
        fresh();
        e.buffer.v = GUEST + off;
        faults(&e, 6, "not on a word");
    }
    fresh();
    e.buffer.v = 0;
    lab.world.hole[0] = true;
    take(&e, SVMC_ACT_INJECT);
    fresh();
    e.buffer.v = WORLD_LINEAR + 0x1000 - 8; /* 8 bytes need no next page */
    lab.world.hole[1] = true;
    take(&e, SVMC_ACT_DELEGATED);
}

/* ---- STHYI ------------------------------------------------------------------------------------*/

TEST(s390_inside, sthyi_registers) /* EX-76; handle_sthyi */
{
    for (unsigned r1 = 0; r1 < 16; r1++)
        for (unsigned r2 = 0; r2 < 16; r2++) {
            struct svmc_exit e = exit_of(SVMC_KIND_STHYI, 4096);

            fresh();
            e.arg[0] = (uint8_t)R(r1);
            e.arg[1] = (uint8_t)R(r2);
            e.arg[2] = (uint8_t)R((r2 + 1) & 15);
            if ((r1 | r2) % 2 || r1 == r2) {
                faults(&e, 6, "not two even registers");
                continue;
            }
            take(&e, SVMC_ACT_DELEGATED);
            CHECK_EQ(slot(0), before.world.reg[R(r1)], "the function code");
            svmc_vcpu_cancel(&lab.vc);
            e.buffer.v += 8;
            fresh();
            faults(&e, 6, "not on a page");
        }
}

TEST(s390_inside, sthyi_return_code) /* EX-76: with both condition codes */
{
    for (unsigned cc = 0; cc < 4; cc += 3) {
        struct svmc_exit e = exit_of(SVMC_KIND_STHYI, 4096);

        fresh();
        take(&e, SVMC_ACT_DELEGATED);
        go_to_last();
        honest.reply.out[0] = cc;
        honest.reply.out[1] = cc + 1;
        CHECK_EQ(answer(), SVMC_OK);
        before.world.reg[CC] = cc;
        before.world.reg[R(5)] = cc + 1;
        same_registers("condition code and R2+1");
        if (cc)
            same_memory("nothing is stored");
        else
            CHECK_MEM(lab.world.memory + AT + 3584, honest.data, 512);
    }
}

/* ---- PCI --------------------------------------------------------------------------------------*/

TEST(s390_inside, pci_lengths) /* EX-75; pcilg_service_call, pcistg_service_call */
{
    static const uint16_t text[] = { 0xb9d2, 0xb9d0 };
    static const uint16_t kinds[] = { SVMC_KIND_PCILG, SVMC_KIND_PCISTG };

    for (unsigned k = 0; k < 2; k++)
        for (unsigned length = 0; length < 16; length++)
            for (unsigned r2 = 4; r2 < 6; r2++) {
                struct svmc_s390_exit raw = { .code = 4,
                                              .ipa = text[k],
                                              .ipb = (2u << 4 | r2) << 16,
                                              .psw_mask = UINT64_C(0x180000000) };
                struct svmc_exit e;

                fresh();
                raw.gpr[r2] = 0x80000001000f0000u | length;
                CHECK_EQ(svmc_exit_from_s390(&raw, &e), SVMC_OK);
                CHECK_EQ(e.kind, kinds[k]);
                lab.world.reg[R(r2)] = raw.gpr[r2];
                if (r2 & 1)
                    faults(&e, 6, "an odd pair, before the length");
                else if (length == 0 || length > 8)
                    faults(&e, 0x15, "no length of an access");
                else
                    take(&e, SVMC_ACT_DELEGATED);
            }
}

TEST(s390_inside, pcistb_lengths) /* EX-75; pcistb_service_call */
{
    static const struct {
        uint16_t bytes;
        uint64_t offset;
        bool good;
    } rows[] = { { 0, 0, false },
                 { 8, 0, false },
                 { 9, 0, false },
                 { 12, 0, false },
                 { 16, 0, true },
                 { 16, 4, false },
                 { 16, 1, false },
                 { 16, 0xff0, true },
                 { 16, 0xff8, false },
                 { 4096, 0, true },
                 { 4096, 8, false },
                 { 4096, 0x7000, true },
                 { 4104, 0, false },
                 { 8184, 0, false },
                 { 128, 0xf80, true },
                 { 128, 0xf88, false },
                 { 24, ~UINT64_C(0xfff), true },
                 { 4088, 8, true } };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_exit e = exit_of(SVMC_KIND_PCISTB, 4096);

        fresh();
        e.value = rows[i].bytes;
        lab.world.reg[R(4)] = rows[i].offset;
        if (!rows[i].good) {
            faults(&e, 6, "no length of a block, or its place");
            continue;
        }
        take(&e, SVMC_ACT_DELEGATED);
        CHECK_EQ(slot(1), rows[i].offset);
        CHECK_MEM(lab.world.page + 0x200, lab.world.memory + AT,
                  rows[i].bytes < 3584 ? rows[i].bytes : 3584);
    }
}

TEST(s390_inside, pci_operands) /* EX-68 EX-71; fiba and gaddr: 8 bytes, r2: even */
{
    static const struct {
        uint16_t kind, size;
    } rows[] = { { SVMC_KIND_PCISTB, 4096 }, { SVMC_KIND_MPCIFC, 64 }, { SVMC_KIND_STPCIFC, 64 } };

    for (unsigned i = 0; i < 3; i++)
        for (unsigned off = 0; off < 9; off++) {
            struct svmc_exit e = exit_of(rows[i].kind, rows[i].size);

            fresh();
            e.value = 16;
            lab.world.reg[R(4)] = 0;
            e.buffer.v = GUEST + off;
            if (off & 7)
                faults(&e, 6, "not on 8 bytes");
            else
                take(&e, SVMC_ACT_DELEGATED);
        }
    for (unsigned r2 = 0; r2 < 16; r2++) {
        struct svmc_exit e = exit_of(SVMC_KIND_RPCIT, 0);

        fresh();
        e.arg[1] = (uint8_t)R(r2);
        e.arg[2] = (uint8_t)R((r2 + 1) & 15);
        if (r2 & 1)
            faults(&e, 6, "an odd pair");
        else
            take(&e, SVMC_ACT_DELEGATED);
    }
}

/* A status and a condition code that belong together, or are refused; what the guest gets. */
static void pci_status(struct svmc_exit *e, unsigned reg, uint64_t cc, uint64_t status)
{
    bool good = cc == 1 ? status >= 4 && status <= 44 && status % 4 == 0 : status == 0;

    fresh();
    lab.world.reg[R(4)] = 0;
    lab.world.reg[reg] |= 0xa5000000;
    take(e, SVMC_ACT_DELEGATED);
    prepare();
    honest.reply.out[0] = cc;
    honest.reply.out[1] = status;
    CHECK_EQ(answer(), good ? SVMC_OK : SVMC_ERR_HOST_REPLY, "%x: %u, %u", e->kind, (unsigned)cc,
             (unsigned)status);
    CHECK_EQ(lab.out.rule, good ? 0 : 10);
    if (good) {
        before.world.reg[CC] = cc;
        if (cc == 1)
            before.world.reg[reg] = (before.world.reg[reg] & ~UINT64_C(0xff000000)) | status << 24;
        if (cc == 0 && e->kind == SVMC_KIND_PCILG)
            before.world.reg[R(2)] = honest.reply.out[2];
    }
    same_registers("a PCI status");
    if (cc != 0 || e->kind != SVMC_KIND_STPCIFC)
        same_memory("a PCI status");
}

TEST(s390_inside, pci_statuses) /* EX-75 R10; Linux asm/pci_insn.h, ZPCI_PCI_ST_* */
{
    static const struct {
        uint16_t kind, size;
        unsigned reg; /* that has the handle */
    } rows[] = { { SVMC_KIND_PCILG, 4, R(4) },     { SVMC_KIND_PCISTG, 8, R(4) },
                 { SVMC_KIND_PCISTB, 4096, R(2) }, { SVMC_KIND_RPCIT, 0, R(2) },
                 { SVMC_KIND_MPCIFC, 64, R(2) },   { SVMC_KIND_STPCIFC, 64, R(2) } };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_exit e = exit_of(rows[i].kind, rows[i].size);

        e.value = 16;
        for (uint64_t cc = 0; cc < 4; cc++)
            for (uint64_t status = 0; status < 64; status++)
                pci_status(&e, rows[i].reg, cc, status);
        pci_status(&e, rows[i].reg, 1, 0xfc);
    }
}

TEST(s390_inside, pcistb_is_no_pcilg_of_a_backend) /* EX-71: named registers are the library's */
{
    static const struct {
        uint16_t kind, size;
    } rows[] = { { SVMC_KIND_PCILG, 4 },
                 { SVMC_KIND_PCISTG, 4 },
                 { SVMC_KIND_RPCIT, 0 },
                 { SVMC_KIND_STHYI, 4096 } };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_exit e = exit_of(rows[i].kind, rows[i].size);

        fresh();
        e.finish = SVMC_FINISH_BACKEND;
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG, "%x", rows[i].kind);
        for (unsigned arg = 0; arg < 3; arg++) {
            e = exit_of(rows[i].kind, rows[i].size);
            e.arg[arg] = SVMC_REG_RAX;
            CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out),
                     rows[i].kind == SVMC_KIND_STHYI && arg == 1 ? SVMC_OK : SVMC_ERR_ARG,
                     "%x: register %u", rows[i].kind, arg);
            svmc_vcpu_cancel(&lab.vc);
        }
    }
}

/* ---- all of them ------------------------------------------------------------------------------*/

TEST(s390_inside, condition_codes) /* R10; PoP 10 and 14 */
{
    static const struct {
        char name[24];
        unsigned legal;
    } rows[] = { { "s390 chsc", 15 },   { "s390 tpi", 3 },   { "s390 stsi", 9 },
                 { "s390 sthyi", 9 },   { "s390 stsch", 9 }, { "s390 csch", 9 },
                 { "s390 hsch", 15 },   { "s390 rsch", 15 }, { "s390 xsch", 15 },
                 { "s390 ssch", 15 },   { "s390 rchp", 13 }, { "s390 rpcit", 15 },
                 { "s390 pcilg 8", 15 } };
    uint64_t rng = 4;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (uint64_t cc = 0; cc < 8; cc++) {
            lab_init(&lab, &rng);
            CHECK_EQ(lab_exit(&lab, scenario_named(rows[i].name)), SVMC_OK);
            prepare();
            honest.reply.out[0] = cc;
            if (honest.reply.out_valid > 1 && cc == 1)
                honest.reply.out[1] = 4; /* PCI */
            CHECK_EQ(answer(), rows[i].legal >> cc & 1 ? SVMC_OK : SVMC_ERR_HOST_REPLY, "%s: %u",
                     rows[i].name, (unsigned)cc);
            CHECK_EQ(lab.out.rule, rows[i].legal >> cc & 1 ? 0 : 10, "%s", rows[i].name);
        }
}

TEST(s390_inside, a_page_that_is_no_longer_shared) /* EX-76 PG-8 */
{
    struct svmc_exit e = exit_of(SVMC_KIND_UVC, 0);

    fresh();
    e.value = 0x123456789000;
    take(&e, SVMC_ACT_NOTIFIED);
    CHECK_EQ(slot(0), 0x123456789000);
    same_registers("the embedder executes it");
    for (unsigned bit = 0; bit < 12; bit++) {
        e.value = 0x123456789000 | 1u << bit;
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG);
    }
}
