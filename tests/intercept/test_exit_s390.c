/* SPDX-License-Identifier: MIT */
/*
 * EX-64 to EX-67. Instructions by hand from the Principles of Operation, checked with
 * s390x-linux-gnu-as; codes and offsets from Linux arch/s390/include/asm/kvm_host_types.h.
 */
#include <svmcore/exit_s390.h>

#include "scenarios.h"

#define R(n)        (SVMC_REG_S390_R0 + (n))
#define PROBLEM     0x0001000000000000u
#define WAIT        0x0002000000000000u
#define EA          0x0000000100000000u
#define BA          0x0000000080000000u
#define ENABLED_IO  0x0200000000000000u
#define ENABLED_EXT 0x0100000000000000u
#define ENABLED_MCK 0x0004000000000000u

static struct svmc_exit e;
static const struct svmc_exit zero;

static struct svmc_s390_exit raw_of(uint8_t code, uint16_t ipa, uint32_t ipb)
{
    struct svmc_s390_exit raw = { .code = code, .ipa = ipa, .ipb = ipb };

    for (unsigned i = 0; i < 16; i++)
        raw.gpr[i] = 0x1000 * i;
    return raw;
}

static enum svmc_status take(const struct svmc_s390_exit *raw)
{
    enum svmc_status st;

    memset(&e, 0xee, sizeof e);
    st = svmc_exit_from_s390(raw, &e);
    if (st != SVMC_OK)
        CHECK_MEM(&e, &zero, sizeof e, "code %x", raw ? raw->code : 0u);
    return st;
}

TEST(exit_s390, instructions_with_kinds) /* EX-64 EX-66 EX-67 */
{
    static const struct {
        char name[28];
        uint16_t ipa;
        uint32_t ipb;
        uint16_t kind;
        uint8_t length, arg[3];
        uint64_t value;
    } rows[] = {
        { "diag 0,0,0x44", 0x8300, 0x00440000, SVMC_KIND_DIAG_44, 4, { R(0), 0, 0 }, 0 },
        { "diag 6,0,0x9c", 0x8360, 0x009c0000, SVMC_KIND_DIAG_9C, 4, { R(6), 0, 0 }, 0 },
        { "diag 2,9,0x288", 0x8329, 0x02880000, SVMC_KIND_DIAG_288, 4, { R(2), R(3), R(9) }, 0 },
        { "diag 15,1,0x288", 0x83f1, 0x02880000, SVMC_KIND_DIAG_288, 4, { R(15), R(0), R(1) }, 0 },
        { "diag 0,4,0x308", 0x8304, 0x03080000, SVMC_KIND_DIAG_308, 4, { R(0), 0, 0 }, 0x4000 },
        { "diag 2,4,0x500", 0x8324, 0x05000000, SVMC_KIND_DIAG_500, 4, { R(2), 0, 0 }, 0 },
        { "diag 0,2,0(5)", 0x8302, 0x50000000, SVMC_KIND_UNKNOWN, 4, { R(0), 0, 0 }, 0 },
        { "sigp 1,3,2", 0xae13, 0x00020000, SVMC_KIND_SIGP, 4, { R(3), 0, 0 }, 2 },
        { "sigp 1,3,6(4)", 0xae13, 0x40060000, SVMC_KIND_SIGP, 4, { R(3), 0, 0 }, 6 },
        { "spx 8(5)", 0xb210, 0x50080000, SVMC_KIND_SPX, 4, { 0 }, 0 },
        { "lpsw 0(1)", 0x8200, 0x10000000, SVMC_KIND_LPSW, 4, { 0 }, 0 },
        { "lpswe 0(1)", 0xb2b2, 0x10000000, SVMC_KIND_LPSW, 4, { 0 }, 0 },
        { "lpswey 0(1)", 0xeb00, 0x10000071, SVMC_KIND_LPSW, 6, { 0 }, 0 },
        { "lctl 0,0,0(1)", 0xb700, 0x10000000, SVMC_KIND_LCTL, 4, { 0 }, 0 },
        { "lctlg 0,15,0(1)", 0xeb0f, 0x1000002f, SVMC_KIND_LCTL, 6, { 0 }, 0 },
        { "csch", 0xb230, 0, SVMC_KIND_CSCH, 4, { 0 }, 0 },
        { "hsch", 0xb231, 0, SVMC_KIND_HSCH, 4, { 0 }, 0 },
        { "rsch", 0xb238, 0, SVMC_KIND_RSCH, 4, { 0 }, 0 },
        { "xsch", 0xb276, 0, SVMC_KIND_XSCH, 4, { 0 }, 0 },
        { "sal", 0xb237, 0, SVMC_KIND_SAL, 4, { 0 }, 0 },
        { "rchp", 0xb23b, 0, SVMC_KIND_RCHP, 4, { 0 }, 0 },
        { "diag 0,0,0x10", 0x8300, 0x00100000, SVMC_KIND_UNKNOWN, 4, { R(0), 0, 0 }, 0 },
        { "stidp 0(1)", 0xb202, 0x10000000, SVMC_KIND_UNKNOWN, 4, { 0 }, 0 },
        { "uvc 0,2", 0xb9a4, 0x00020000, SVMC_KIND_UVC, 4, { 0 }, 0 },
        { "stfle 0(1)", 0xb2b0, 0x10000000, SVMC_KIND_UNKNOWN, 4, { 0 }, 0 },
        { "epsw 1,2", 0xb98d, 0x00120000, SVMC_KIND_UNKNOWN, 4, { 0 }, 0 },
        { "ptff", 0x0104, 0, SVMC_KIND_UNKNOWN, 2, { 0 }, 0 },
        { "svc 1", 0x0a01, 0, SVMC_KIND_UNKNOWN, 2, { 0 }, 0 },
        { "lgsc 0,0(1)", 0xe300, 0x1000004d, SVMC_KIND_UNKNOWN, 6, { 0 }, 0 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_s390_exit raw = raw_of(0x04, rows[i].ipa, rows[i].ipb);

        CHECK_EQ(take(&raw), SVMC_OK, "%s", rows[i].name);
        CHECK_EQ(e.kind, rows[i].kind, "%s", rows[i].name);
        CHECK_EQ(e.insn_bytes, rows[i].length, "%s", rows[i].name);
        CHECK_EQ(e.value, rows[i].value, "%s", rows[i].name);
        CHECK_MEM(e.arg, rows[i].arg, sizeof e.arg, "%s", rows[i].name);
        CHECK_EQ(e.isa, SVMC_ISA_S390X, "%s", rows[i].name);
        CHECK_EQ(e.finish, SVMC_FINISH_REGS, "%s: the PSW has moved", rows[i].name);
        CHECK_EQ(e.count, 1, "%s", rows[i].name);
        CHECK_EQ(e.state + e.user + e.interrupted.type, 0, "%s", rows[i].name);
    }
}

TEST(exit_s390, a_code_is_base_and_displacement) /* EX-67 */
{
    struct svmc_s390_exit raw = raw_of(0x04, 0x8302, 0x50000000); /* diag 0,2,0(5) */
    static const struct {
        uint64_t r5;
        uint32_t disp;
        uint16_t kind;
    } rows[] = {
        { 0x44, 0, SVMC_KIND_DIAG_44 },
        { 0x480, 0x80, SVMC_KIND_DIAG_500 },
        { 0xffffffffffff0288, 0, SVMC_KIND_DIAG_288 },
        { 0xffffffffffffffff, 0x9d, SVMC_KIND_DIAG_9C },
        { 0x10308, 0, SVMC_KIND_DIAG_308 },
        { 0x500, 1, SVMC_KIND_UNKNOWN },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        raw.gpr[5] = rows[i].r5;
        raw.ipb = 0x50000000 | rows[i].disp << 16;
        CHECK_EQ(take(&raw), SVMC_OK);
        CHECK_EQ(e.kind, rows[i].kind, "%u", i);
    }
    raw = raw_of(0x04, 0x8304, 0x00440000); /* base 0 is none, not GR0 */
    raw.gpr[0] = 0x4bc;
    CHECK_EQ(take(&raw), SVMC_OK);
    CHECK_EQ(e.kind, SVMC_KIND_DIAG_44);
    raw = raw_of(0x04, 0x8304, 0x03080000);
    raw.gpr[4] = 0xffffffffffff0008;
    CHECK_EQ(take(&raw), SVMC_OK);
    CHECK_EQ(e.value, 8, "a subcode has 16 bits");
    raw = raw_of(0x04, 0xae13, 0x40060000);
    raw.gpr[4] = 0x12345fc;
    CHECK_EQ(take(&raw), SVMC_OK);
    CHECK_EQ(e.value, 0x02, "an order code has 8");
}

TEST(exit_s390, instructions_with_more_operands) /* EX-66 EX-71 */
{
    static const struct {
        char name[24];
        uint16_t ipa;
        uint32_t ipb;
        uint16_t kind, size;
        uint8_t length, arg[3];
        uint64_t value, buffer;
    } rows[] = {
        { "chsc 5", 0xb25f, 0x00500000, 0xb04a, 4096, 4, { 0 }, 0, 0x5000 },
        { "tpi 8(3)", 0xb236, 0x30080000, 0xb04b, 12, 4, { 0 }, 0, 0x3008 },
        { "tpi 0", 0xb236, 0x00000000, 0xb04b, 12, 4, { 0 }, 0, 0 },
        { "servc 1,2", 0xb220, 0x00120000, 0xb04c, 4096, 4, { 0 }, 0x1000, 0x2000 },
        { "servc 9,10", 0xb220, 0x009a0000, 0xb04c, 4096, 4, { 0 }, 0x20001, 0xa000 },
        { "stsi 0(1)", 0xb27d, 0x10000000, 0x0040, 4096, 4, { 0 }, 0, 0x1000 },
        { "sthyi 2,4", 0xb256, 0x00240000, 0x0041, 4096, 4, { R(2), R(4), R(5) }, 0, 0x4000 },
        { "sthyi 2,15", 0xb256, 0x002f0000, 0x0041, 4096, 4, { R(2), R(15), R(0) }, 0, 0xf000 },
        { "pcilg 3,6", 0xb9d2, 0x00360000, 0x4040, 8, 4, { R(3), R(6), R(7) }, 0, 0 },
        { "pcilg 3,8", 0xb9d2, 0x00380000, 0x4040, 0, 4, { R(3), R(8), R(9) }, 0, 0 },
        { "pcistg 3,6", 0xb9d0, 0x00360000, 0x4041, 8, 4, { R(3), R(6), R(7) }, 0, 0 },
        { "rpcit 3,6", 0xb9d3, 0x00360000, 0xb04d, 0, 4, { R(3), R(6), R(7) }, 0, 0 },
        { "pcistb 8,9,16(5)",
          0xeb89,
          0x501000d0,
          0x4042,
          4096,
          6,
          { R(8), R(9), 0 },
          0x1049,
          0x5010 },
        { "mpcifc 3,8(4,5)", 0xe334, 0x500800d0, 0xb04e, 64, 6, { R(3), 0, 0 }, 0, 0x9008 },
        { "stpcifc 3,8(5)", 0xe330, 0x500800d4, 0xb04f, 64, 6, { R(3), 0, 0 }, 0, 0x5008 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_s390_exit raw = raw_of(0x04, rows[i].ipa, rows[i].ipb);

        raw.psw_mask = EA | BA;
        raw.gpr[6] = 0x1234567800050008; /* a handle, space 5, 8 bytes */
        raw.gpr[8] = 0x1234567800013049;
        raw.gpr[9] = 0xffffffff00020001;
        CHECK_EQ(take(&raw), SVMC_OK, "%s", rows[i].name);
        CHECK_EQ(e.kind, rows[i].kind, "%s", rows[i].name);
        CHECK_EQ(e.size, rows[i].size, "%s", rows[i].name);
        CHECK_EQ(e.insn_bytes, rows[i].length, "%s", rows[i].name);
        CHECK_MEM(e.arg, rows[i].arg, sizeof e.arg, "%s", rows[i].name);
        CHECK_EQ(e.value, rows[i].value, "%s", rows[i].name);
        CHECK_EQ(e.buffer.v, rows[i].buffer, "%s", rows[i].name);
    }
}

TEST(exit_s390, the_address_of_an_sccb_is_real) /* EX-68 EX-72: no mode cuts it */
{
    struct svmc_s390_exit raw = raw_of(0x04, 0xb220, 0x00120000);

    raw.gpr[2] = 0xffff800012345000;
    CHECK_EQ(take(&raw), SVMC_OK);
    CHECK_EQ(e.buffer.v, 0xffff800012345000);
    raw.ipa = 0xb25f; /* chsc 1 */
    raw.ipb = 0x00100000;
    raw.gpr[1] = 0xffff800012345000;
    CHECK_EQ(take(&raw), SVMC_OK);
    CHECK_EQ(e.buffer.v, 0x345000, "24 bits");
}

TEST(exit_s390, blocks) /* EX-68; PoP 3, address wraparound */
{
    static const struct {
        uint16_t ipa, kind;
        uint8_t size;
    } kinds[] = { { 0xb233, SVMC_KIND_SSCH, 32 },
                  { 0xb232, SVMC_KIND_MSCH, 52 },
                  { 0xb234, SVMC_KIND_STSCH, 52 },
                  { 0xb235, SVMC_KIND_TSCH, 64 } };
    static const struct {
        uint64_t psw, base, buffer;
        enum svmc_status st;
    } modes[] = {
        { EA | BA, 0xffff800012345670, 0xffff800012345678, SVMC_OK },
        { EA | BA, 0xfffffffffffffff8, 0, SVMC_OK },
        { EA | BA, 0xffffffffffffffe8, 0, SVMC_ERR_UNSUPPORTED }, /* goes on at 0 */
        { BA, 0xffff800092345670, 0x12345678, SVMC_OK },
        { BA, 0x7fffffe8, 0, SVMC_ERR_UNSUPPORTED },
        { 0, 0xffff800012345670, 0x345678, SVMC_OK },
        { 0, 0xffffe8, 0, SVMC_ERR_UNSUPPORTED },
        { EA, 0, 0, SVMC_ERR_MISMATCH },
    };

    for (unsigned k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (unsigned m = 0; m < sizeof modes / sizeof modes[0]; m++) {
            struct svmc_s390_exit raw = raw_of(0x04, kinds[k].ipa, 0x30080000); /* 8(3) */
            bool good = modes[m].st == SVMC_OK;

            raw.psw_mask = modes[m].psw;
            raw.gpr[3] = modes[m].base;
            CHECK_EQ(take(&raw), modes[m].st, "%x, mode %u", kinds[k].ipa, m);
            CHECK_EQ(e.kind, good ? kinds[k].kind : 0);
            CHECK_EQ(e.size, good ? kinds[k].size : 0);
            CHECK_EQ(e.buffer.v, modes[m].buffer, "%x, mode %u", kinds[k].ipa, m);
        }
}

TEST(exit_s390, every_code_has_an_answer) /* EX-64 */
{
    for (unsigned code = 0; code < 256; code++) {
        struct svmc_s390_exit raw = raw_of((uint8_t)code, 0xb230, 0);
        bool exits = code == 0x04 || code == 0x0c || code == 0x1c || code == 0x2c;

        raw.program = 0x80;
        raw.psw_mask = WAIT | ENABLED_IO;
        CHECK_EQ(take(&raw), exits ? SVMC_OK : SVMC_ERR_UNSUPPORTED, "code %x", code);
        CHECK_EQ(e.kind,
                 code == 0x1c   ? SVMC_KIND_WAIT
                 : code == 0x2c ? SVMC_KIND_UNKNOWN
                 : exits        ? SVMC_KIND_CSCH
                                : 0,
                 "code %x", code);
        CHECK_EQ(e.state, code == 0x0c ? SVMC_STATE_SINGLE_STEP : 0, "code %x", code);
    }
}

TEST(exit_s390, waits) /* EX-64 */
{
    static const struct {
        uint64_t mask;
        enum svmc_status st;
        uint16_t kind;
    } rows[] = {
        { WAIT | ENABLED_IO, SVMC_OK, SVMC_KIND_WAIT },
        { WAIT | ENABLED_EXT, SVMC_OK, SVMC_KIND_WAIT },
        { WAIT | ENABLED_MCK, SVMC_OK, SVMC_KIND_WAIT },
        { WAIT | PROBLEM | ENABLED_IO, SVMC_OK, SVMC_KIND_WAIT },
        { WAIT, SVMC_OK, SVMC_KIND_SHUTDOWN },
        { ~(ENABLED_IO | ENABLED_EXT | ENABLED_MCK), SVMC_OK, SVMC_KIND_SHUTDOWN },
        { ENABLED_IO, SVMC_ERR_MISMATCH, 0 },
        { 0, SVMC_ERR_MISMATCH, 0 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_s390_exit raw = raw_of(0x1c, 0x8300, 0);

        raw.psw_mask = rows[i].mask;
        raw.status = 2;
        CHECK_EQ(take(&raw), rows[i].st, "%u", i);
        CHECK_EQ(e.kind, rows[i].kind, "%u", i);
        CHECK_EQ(e.insn_bytes + e.state, 0, "%u", i);
    }
}

TEST(exit_s390, what_cannot_be_intercepted_is_refused) /* EX-65 */
{
    static const struct {
        char name[16];
        uint16_t ipa;
        uint32_t ipb;
    } rows[] = { { "lr 1,2", 0x1812, 0 },
                 { "lg 1,0(2)", 0xe310, 0x20000004 },
                 { "st 1,0(2)", 0x5010, 0x20000000 },
                 { "j 0", 0xa7f4, 0 },
                 { "tbegin", 0xe560, 0 },
                 { "no opcode", 0x0000, 0 },
                 { "no opcode", 0xb2ff & 0xb2f3, 0 },
                 { "no opcode", 0xe300, 0 } };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_s390_exit raw = raw_of(0x04, rows[i].ipa, rows[i].ipb);

        CHECK_EQ(take(&raw), SVMC_ERR_MISMATCH, "%s", rows[i].name);
        raw.code = 0x2c; /* the machine may lack what the decoder knows */
        CHECK_EQ(take(&raw), SVMC_OK, "%s", rows[i].name);
        CHECK_EQ(e.kind, SVMC_KIND_UNKNOWN, "%s", rows[i].name);
        CHECK_EQ(e.insn_bytes,
                 rows[i].ipa >> 14 == 0   ? 2
                 : rows[i].ipa >> 14 == 3 ? 6
                                          : 4,
                 "%s", rows[i].name);
    }
}

TEST(exit_s390, the_problem_state_has_no_privileged_instruction) /* EX-65 EX-16 */
{
    struct svmc_s390_exit raw = raw_of(0x04, 0x8324, 0x05000000);

    raw.psw_mask = PROBLEM;
    CHECK_EQ(take(&raw), SVMC_ERR_MISMATCH, "diag");
    raw = raw_of(0x04, 0xb2b0, 0x10000000);
    raw.psw_mask = PROBLEM;
    CHECK_EQ(take(&raw), SVMC_OK, "stfle");
    CHECK_EQ(e.user, 1);
    raw = raw_of(0x2c, 0x0000, 0);
    raw.psw_mask = PROBLEM;
    CHECK_EQ(take(&raw), SVMC_OK);
    CHECK_EQ(e.user, 1);
}

TEST(exit_s390, execute_and_per) /* EX-64 EX-66 */
{
    static const uint8_t lengths[8] = { 4, 4, 2, 2, 4, 4, 6, 6 };

    for (unsigned i = 0; i < 8; i++) {
        struct svmc_s390_exit raw = raw_of(0x04, 0xb230, 0);

        raw.status = (uint8_t)(i << 4 | 1);
        CHECK_EQ(take(&raw), SVMC_OK);
        CHECK_EQ(e.insn_bytes, lengths[i], "status %x", raw.status);
        CHECK_EQ(e.state, 0);
        raw.status = (uint8_t)(i << 4 | 2);
        CHECK_EQ(take(&raw), SVMC_OK);
        CHECK_EQ(e.insn_bytes, 4, "not EXECUTE");
        CHECK_EQ(e.state, SVMC_STATE_SINGLE_STEP);
    }
    for (unsigned program = 0; program < 65536; program++) {
        struct svmc_s390_exit raw = raw_of(0x0c, 0xb230, 0);

        raw.program = (uint16_t)program;
        if (take(&raw) != (program == 0x80 ? SVMC_OK : SVMC_ERR_UNSUPPORTED))
            CHECK(false, "program %x", program);
    }
}

TEST(exit_s390, the_state_description_is_big_endian) /* EX-64 */
{
    uint8_t sd[SVMC_S390_SD_BYTES];
    uint64_t gpr[14];
    struct svmc_s390_exit raw;

    for (unsigned i = 0; i < sizeof sd; i++)
        sd[i] = (uint8_t)i;
    for (unsigned i = 0; i < 14; i++)
        gpr[i] = i;
    CHECK_EQ(svmc_s390_exit_read(sd, gpr, &raw), SVMC_OK);
    CHECK_EQ(raw.code, 0x50);
    CHECK_EQ(raw.status, 0x51);
    CHECK_EQ(raw.ipa, 0x5657);
    CHECK_EQ(raw.ipb, 0x58595a5b);
    CHECK_EQ(raw.psw_mask, 0x9091929394959697);
    CHECK_EQ(raw.program, 0xcecf);
    CHECK_EQ(raw.gpr[13], 13);
    CHECK_EQ(raw.gpr[14], 0xa0a1a2a3a4a5a6a7);
    CHECK_EQ(raw.gpr[15], 0xa8a9aaabacadaeaf);
    CHECK_EQ(svmc_s390_exit_read(NULL, gpr, &raw), SVMC_ERR_ARG);
    CHECK_EQ(raw.gpr[15], 0);
    CHECK_EQ(svmc_s390_exit_read(sd, NULL, &raw), SVMC_ERR_ARG);
    CHECK_EQ(svmc_s390_exit_read(sd, gpr, NULL), SVMC_ERR_ARG);
}

TEST(exit_s390, bad_arguments)
{
    struct svmc_s390_exit raw = raw_of(0x04, 0xb230, 0);

    CHECK_EQ(svmc_exit_from_s390(&raw, NULL), SVMC_ERR_ARG);
    CHECK_EQ(take(NULL), SVMC_ERR_ARG);
    for (unsigned i = 0; i < sizeof raw.reserved; i++) {
        raw = raw_of(0x04, 0xb230, 0);
        raw.reserved[i] = 1;
        CHECK_EQ(take(&raw), SVMC_ERR_ARG, "%u", i);
    }
}

TEST(exit_s390, the_way_of_an_exit_goes_on) /* EX-4 EX-63 */
{
    static struct lab lab;
    struct svmc_s390_exit raw = raw_of(0x04, 0x8325, 0x02880000);
    struct svmc_request request;
    uint64_t rng = 4;

    lab_init(&lab, &rng);
    for (unsigned i = 0; i < 16; i++)
        lab.world.reg[R(i)] = 0x100 + i;
    CHECK_EQ(take(&raw), SVMC_OK);
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED);
    CHECK_EQ(svmc_request_read(lab.world.page, &request, NULL, 0), SVMC_OK);
    CHECK_EQ(request.kind, SVMC_KIND_DIAG_288);
    CHECK_EQ(request.in[0], 0x102);
    CHECK_EQ(request.in[1], 0x103);
    CHECK_EQ(request.in[2], 0x105);
    svmc_vcpu_cancel(&lab.vc);
    raw = raw_of(0x04, 0xb202, 0x10000000);
    CHECK_EQ(take(&raw), SVMC_OK);
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
    CHECK_EQ(lab.out.fault.vector, 1, "operation");
}
