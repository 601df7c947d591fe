/* SPDX-License-Identifier: MIT */
/*
 * AP-50 to AP-53: the s390 state description and save area. Fields as Linux's struct
 * kvm_s390_sie_block and struct sie_page place them; the preset text and registers as
 * kvm-unit-tests checks them on hardware. Big-endian on every machine.
 */
#include "adapt_lab.h"

struct sie_page {
    uint8_t cpuflags[4], prefix[4], reserved08[8], pv_handles[16], reserved20[32], svcc[4];
    uint8_t lctl[2], icpua[2], ictl[4], eca[4];
    uint8_t icptcode, icptstatus, ihcpu[2], reserved54, iictl, ipa[2], ipb[4], scaoh[4];
    uint8_t reserved60[0x90 - 0x60], gpsw_mask[8], reserved98[0x180 - 0x98], sidad[8],
        reserved188[0x200 - 0x188];
    uint8_t mcck_info[24], reserved218[360], pv_grregs[16][8];
};
_Static_assert(offsetof(struct sie_page, icptcode) == 0x50, "the comment in Linux's header");
_Static_assert(offsetof(struct sie_page, pv_grregs) == 0x380, "the same");

static struct adapt_lab a;
static struct sie_page want;

static void put_be(uint8_t *at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

#define PUT(field, value) put_be(want.field, sizeof want.field, value)

/* What the ultravisor shows of DIAGNOSE X'500': kvm-unit-tests, pv_icptdata.h and pv-diags.c. */
/* What the ultravisor shows of an instruction; registers are 0 but those that follow. */
static void insn(uint64_t ipa, uint64_t ipb)
{
    want.icptcode = 0x68; /* ICPT_PV_INSTR */
    want.icptstatus = want.iictl = 0;
    PUT(ihcpu, 0);
    want.reserved54 = 0;
    PUT(ipa, ipa);
    PUT(ipb, ipb);
    memset(want.pv_grregs, 0, sizeof want.pv_grregs);
}

/* DIAGNOSE X'500': kvm-unit-tests, pv_icptdata.h and pv-diags.c. */
static void call(uint64_t number, uint64_t p1, uint64_t p2, uint64_t p3)
{
    uint64_t values[] = { 0, number, p1, p2, p3, 0x500 };

    insn(0x8302, 0x50000000);
    for (unsigned i = 0; i < 6; i++)
        PUT(pv_grregs[i], values[i]);
}

static void start(void)
{
    adapt_init(&a, SVMC_FOREIGN_S390, 0xffffffff11112222);
    memset(&want, 0x5c, sizeof want); /* the host's own fields */
    memcpy(a.area, &want, sizeof want);
    memset(a.sida, 0x5c, sizeof a.sida);
    a.lab.world.reg[SVMC_REG_S390_R0 + 1] = 3;
    a.lab.world.reg[SVMC_REG_S390_R0 + 2] = 0xa0;
    a.lab.world.reg[SVMC_REG_S390_R0 + 3] = 0xa1;
    a.lab.world.reg[SVMC_REG_S390_R0 + 4] = 0xa3a4a5a6a7a8a9aa;
}

TEST(adapt_s390, golden) /* AP-51 */
{
    start();
    REQUIRE(adapt_exit(&a, "s390 diag 500"));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    call(3, 0xa0, 0xa1, 0xa3a4a5a6a7a8a9aa);
    for (unsigned i = 0; i < sizeof want; i++)
        CHECK(a.area[i] == ((const uint8_t *)&want)[i], "byte 0x%03x is 0x%02x", i, a.area[i]);
    CHECK_EQ(a.area[0x3a7], 0xaa, "the last byte of r4, by hand");
    CHECK_EQ(a.area[0x3ae], 0x05, "the code, in r5");
    CHECK_EQ(a.area[0x5c], 0x5c, "scaoh is the host's");
}

TEST(adapt_s390, golden_answer_and_the_status)
{
    start();
    REQUIRE(adapt_exit(&a, "s390 diag 500"));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    CHECK_EQ(adapt_host(&a), SVMC_OK);
    call(3, 0x5c3f2205e8cbae91, 0xa1, 0xa3a4a5a6a7a8a9aa); /* the device's first eight bytes */
    CHECK_MEM(a.area, &want, sizeof want, "r2 alone");
    CHECK_EQ(adapt_enter(&a), SVMC_OK);
    CHECK_EQ(a.lab.world.reg[SVMC_REG_S390_R0 + 2], 0x5c3f2205e8cbae91);
}

static void check(const char *scenario)
{
    REQUIRE(adapt_exit(&a, scenario));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    for (unsigned i = 0; i < sizeof want; i++)
        CHECK(a.area[i] == ((const uint8_t *)&want)[i], "%s: byte 0x%03x is 0x%02x, not 0x%02x",
              scenario, i, a.area[i], ((const uint8_t *)&want)[i]);
}

TEST(adapt_s390, golden_channel_io) /* AP-52 */
{
    static const struct {
        char name[32];
        uint16_t ipa;
        unsigned out; /* bytes that the guest gives */
        bool cc, data;
    } rows[] = {
        { "s390 csch", 0xb230, 0, true, false },
        { "s390 hsch", 0xb231, 0, true, false },
        { "s390 rsch", 0xb238, 0, true, false },
        { "s390 xsch", 0xb276, 0, true, false },
        { "s390 sal", 0xb237, 0, false, false },
        { "s390 rchp", 0xb23b, 0, true, false },
        { "s390 ssch", 0xb233, 32, true, true },
        { "s390 msch, crosses a page", 0xb232, 52, true, true },
        { "s390 stsch", 0xb234, 0, true, true },
        { "s390 tsch, crosses a page", 0xb235, 0, true, true },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start();
        a.lab.world.reg[SVMC_REG_S390_R0 + 1] = 0xdeadbeef00010002;
        insn(rows[i].ipa, 0);
        PUT(pv_grregs[1], 0x00010002);
        if (rows[i].cc)
            PUT(gpsw_mask, 0);
        check(rows[i].name);
        CHECK_MEM(a.sida, a.data, rows[i].out, "%s: the block", rows[i].name);
        for (unsigned n = rows[i].out; n < sizeof a.sida; n++)
            CHECK_EQ(a.sida[n], 0, "%s: SIDA byte %u", rows[i].name, n); /* AP-52 */
    }
}

TEST(adapt_s390, golden_watchdog)
{
    start();
    insn(0x8302, 0x50000000);
    PUT(pv_grregs[0], 0xa0);
    PUT(pv_grregs[1], 0xa1);
    PUT(pv_grregs[2], 0x77);
    PUT(pv_grregs[5], 0x288);
    a.lab.world.reg[SVMC_REG_S390_R15] = 0x77;
    check("s390 diag 288");
}

TEST(adapt_s390, a_condition_code_and_a_block_by_hand)
{
    start();
    REQUIRE(adapt_exit(&a, "s390 stsch"));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    put_be(a.area + 0x90, 8,
           0x0705000180000000); /* CC 0, and a PSW that is not the host's to say */
    for (unsigned i = 0; i < 64; i++)
        a.sida[i] = (uint8_t)(0x80 + i);
    CHECK_EQ(adapt_enter(&a), SVMC_OK);
    CHECK_MEM(a.lab.world.memory + 0x200, a.sida, 52, "the SCHIB");
    CHECK_EQ(a.lab.world.reg[SVMC_REG_S390_CC], 0);

    start();
    REQUIRE(adapt_exit(&a, "s390 csch"));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    a.area[0x55] = 0x11; /* IICTL_CODE_OPERAND */
    CHECK_EQ(adapt_enter(&a), SVMC_OK);
    CHECK_EQ(a.lab.out.action, SVMC_ACT_INJECT);
    CHECK_EQ(a.lab.out.fault.vector, 0x15, "PoP 6, operand exception");
}

TEST(adapt_s390, the_sida_has_the_size_that_it_has) /* AP-52 */
{
    start();
    REQUIRE(adapt_exit(&a, "s390 ssch"));
    a.foreign.sida_bytes = 31;
    CHECK_EQ(adapt_emit(&a), SVMC_ERR_UNSUPPORTED);
    a.foreign.sida_bytes = 32;
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    CHECK_EQ(a.sida[32], 0x5c, "and no more");
    PUT(sidad, 0xff); /* one MiB, says the host */
    memcpy(a.area + 0x180, want.sidad, 8);
    CHECK_EQ(adapt_host(&a), SVMC_OK);
    CHECK_EQ(adapt_enter(&a), SVMC_OK);
    start();
    REQUIRE(adapt_exit(&a, "s390 ssch"));
    a.foreign.sida = NULL;
    CHECK_EQ(adapt_emit(&a), SVMC_ERR_UNSUPPORTED);
    a.foreign.sida = a.sida + 4;
    CHECK_EQ(adapt_emit(&a), SVMC_ERR_ARG);
}

/* The SCCB is at the beginning of the SIDA: QEMU hw/s390x/sclp.c, sclp_service_call_protected. */
TEST(adapt_s390, golden_servc) /* AP-53 */
{
    start();
    insn(0xb220, 0x00120000); /* SERVC 1,2 */
    PUT(pv_grregs[1], 0x00020001);
    check("s390 servc");
    CHECK_EQ(a.sida[0], 0x08);
    CHECK_EQ(a.sida[1], 0x00, "2048 bytes");
    CHECK_MEM(a.sida, a.lab.world.memory + 0x3000, 2048, "the SCCB");
    for (unsigned n = 2048; n < sizeof a.sida; n++)
        CHECK_EQ(a.sida[n], 0, "SIDA byte %u", n);
    for (unsigned i = 2; i < 2048; i++)
        a.sida[i] = (uint8_t)(i * 3 + 1);
    put_be(a.area + 0x90, 8, 0x0705300180000000); /* CC 3 */
    CHECK_EQ(adapt_enter(&a), SVMC_OK);
    CHECK_EQ(a.lab.out.action, SVMC_ACT_RESUME);
    CHECK_MEM(a.lab.world.memory + 0x3000, a.sida, 2048, "what came");
    CHECK_EQ(a.lab.world.reg[SVMC_REG_S390_CC], 0, "is not the host's to say");
}

TEST(adapt_s390, servc_is_heard) /* AP-53 */
{
    static uint8_t data[SVMC_PAGE_DATA_BYTES];
    struct svmc_request r;

    for (unsigned length = 0; length < 65536; length += length < 4200 ? 1 : 997)
        for (unsigned most = 3584; most <= 4096; most += 512) {
            bool good = length >= 8 && length <= 3584;

            start();
            insn(0xb220, 0x00120000);
            PUT(pv_grregs[1], 0xffffffff00760005);
            memcpy(a.area, &want, sizeof want);
            a.foreign.sida_bytes = most;
            put_be(a.sida, 2, length);
            memset(data, 0, sizeof data);
            CHECK_EQ(svmc_adapt_decode(&a.foreign, &r, data), good ? SVMC_OK : SVMC_ERR_MISMATCH,
                     "length %u", length);
            CHECK_EQ(r.size, good ? length : 0);
            if (!good)
                continue;
            CHECK_EQ(r.kind, SVMC_KIND_SERVC);
            CHECK_EQ(r.completion, SVMC_COMPLETION_CHUNK);
            CHECK_EQ(r.direction, SVMC_DIRECTION_INOUT);
            CHECK_EQ(r.count, 1);
            CHECK_EQ(r.in[0], 0x00760005, "32 bits of it");
            CHECK_MEM(data, a.sida, length, "length %u", length);
        }
    put_be(a.sida, 2, 64);
    a.foreign.sida_bytes = 63;
    CHECK_EQ(svmc_adapt_decode(&a.foreign, &r, data), SVMC_ERR_MISMATCH);
    a.foreign.sida_bytes = 64;
    CHECK_EQ(svmc_adapt_decode(&a.foreign, &r, data), SVMC_OK);
    a.foreign.sida = NULL;
    CHECK_EQ(svmc_adapt_decode(&a.foreign, &r, data), SVMC_ERR_MISMATCH);
}

TEST(adapt_s390, lies_are_refused) /* AP-50 */
{
    static const struct adapt_lie lies[] = {
        { "machine check", "s390 diag 500", { { 0x55, 1, 0x01 } }, 50, 0 },
        { "external interruption", "s390 diag 500", { { 0x55, 1, 0x02 } }, 50, 0 },
        { "I/O interruption", "s390 csch", { { 0x55, 1, 0x03 } }, 50, 0 },
        { "restart", "s390 stsch", { { 0x55, 1, 0x04 } }, 50, 0 },
        { "addressing", "s390 diag 500", { { 0x55, 1, 0x12 } }, 50, 0 },
        { "no such injection", "s390 csch", { { 0x55, 1, 0x80 } }, 50, 0 },
        { "all of it", "s390 csch", { { 0x55, 1, 0xff } }, 50, 0 },
        { "specification for CSCH", "s390 csch", { { 0x55, 1, 0x10 } }, 0, 7 },
        { "specification for SSCH", "s390 ssch", { { 0x55, 1, 0x10 } }, 0, 7 },
        { "operand for the watchdog", "s390 diag 288", { { 0x55, 1, 0x11 } }, 0, 7 },
        { "operand for SERVC", "s390 servc", { { 0x55, 1, 0x11 } }, 0, 4 },
        { "interruption for SERVC", "s390 servc", { { 0x55, 1, 0x02 } }, 50, 0 },
    };

    adapt_refuses(SVMC_FOREIGN_S390, lies, sizeof lies / sizeof lies[0]);
}

TEST(adapt_s390, a_guest_is_heard)
{
    static const struct {
        char name[32];
        unsigned at;
        uint8_t value;
        enum svmc_status want;
    } rows[] = {
        { "as it is", 0x50, 0x68, SVMC_OK },
        { "another interception", 0x50, 0x6c, SVMC_ERR_UNSUPPORTED },
        { "another instruction", 0x56, 0xb2, SVMC_ERR_UNSUPPORTED },
        { "other registers", 0x57, 0x13, SVMC_ERR_UNSUPPORTED },
        { "another diagnose", 0x3af, 0x44, SVMC_ERR_MISMATCH },
        { "a code above 16 bits", 0x3ac, 0x01, SVMC_ERR_MISMATCH },
        { "another base register", 0x58, 0x10, SVMC_ERR_MISMATCH },
        { "a displacement", 0x59, 0x01, SVMC_ERR_MISMATCH },
        { "scaoh", 0x5c, 0xff, SVMC_OK },
    };
    struct svmc_request r;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start();
        call(3, 1, 2, 3);
        memcpy(a.area, &want, sizeof want);
        a.area[rows[i].at] = rows[i].value;
        CHECK_EQ(svmc_adapt_decode(&a.foreign, &r, NULL), rows[i].want, "%s", rows[i].name);
        CHECK_EQ(r.kind, rows[i].want == SVMC_OK ? SVMC_KIND_DIAG_500 : 0);
        CHECK_EQ(r.in[0], rows[i].want == SVMC_OK ? 3 : 0);
        CHECK_EQ(r.in[3], rows[i].want == SVMC_OK ? 3 : 0);
    }
}
