/* SPDX-License-Identifier: MIT */
/*
 * AP-50 AP-51: the s390 state description and save area. Fields as Linux's struct
 * kvm_s390_sie_block and struct sie_page place them; the preset text and registers as
 * kvm-unit-tests checks them on hardware. Big-endian on every machine.
 */
#include "adapt_lab.h"

struct sie_page {
    uint8_t cpuflags[4], prefix[4], reserved08[8], pv_handles[16], reserved20[32], svcc[4];
    uint8_t lctl[2], icpua[2], ictl[4], eca[4];
    uint8_t icptcode, icptstatus, ihcpu[2], reserved54, iictl, ipa[2], ipb[4], scaoh[4];
    uint8_t reserved60[0x180 - 0x60], sidad[8], reserved188[0x200 - 0x188];
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
static void call(uint64_t number, uint64_t p1, uint64_t p2, uint64_t p3)
{
    uint64_t values[] = { 0, number, p1, p2, p3, 0x500 };

    want.icptcode = 0x68; /* ICPT_PV_INSTR */
    want.icptstatus = want.iictl = 0;
    PUT(ihcpu, 0);
    want.reserved54 = 0;
    PUT(ipa, 0x8302);
    PUT(ipb, 0x50000000);
    for (unsigned i = 0; i < 16; i++)
        PUT(pv_grregs[i], i < 6 ? values[i] : 0);
}

static void start(void)
{
    adapt_init(&a, SVMC_FOREIGN_S390, 0xffffffff11112222);
    memset(&want, 0x5c, sizeof want); /* the host's own fields */
    memcpy(a.area, &want, sizeof want);
    a.lab.world.reg[SVMC_REG_RDI] = 0xa0;
    a.lab.world.reg[SVMC_REG_RSI] = 0xa1;
    a.lab.world.reg[SVMC_REG_R8] = 0xa3a4a5a6a7a8a9aa;
}

TEST(adapt_s390, golden) /* AP-51 */
{
    start();
    REQUIRE(adapt_exit(&a, "hypercall own"));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    call(LAB_HCALL, 0xa0, 0xa1, 0xa3a4a5a6a7a8a9aa);
    for (unsigned i = 0; i < sizeof want; i++)
        CHECK(a.area[i] == ((const uint8_t *)&want)[i], "byte 0x%03x is 0x%02x", i, a.area[i]);
    CHECK_EQ(a.area[0x3a7], 0xaa, "the last byte of r4, by hand");
    CHECK_EQ(a.area[0x3ae], 0x05, "the code, in r5");
    CHECK_EQ(a.area[0x5c], 0x5c, "scaoh is the host's");
}

TEST(adapt_s390, golden_answer_and_the_status)
{
    start();
    REQUIRE(adapt_exit(&a, "hypercall own"));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    CHECK_EQ(adapt_host(&a), SVMC_OK);
    call(LAB_HCALL, 3 /* SVMC_HCALL_DENIED */, 0xa1, 0xa3a4a5a6a7a8a9aa);
    CHECK_MEM(a.area, &want, sizeof want, "r2 alone");
    CHECK_EQ(adapt_enter(&a), SVMC_OK);
    CHECK_EQ(a.lab.world.reg[SVMC_REG_RAX], 3);
}

TEST(adapt_s390, lies_are_refused) /* AP-50 */
{
    static const struct adapt_lie lies[] = {
        { "machine check", "hypercall own", { { 0x55, 1, 0x01 } }, 50, 0 },
        { "external interruption", "hypercall own", { { 0x55, 1, 0x02 } }, 50, 0 },
        { "I/O interruption", "hypercall own", { { 0x55, 1, 0x03 } }, 50, 0 },
        { "restart", "hypercall own", { { 0x55, 1, 0x04 } }, 50, 0 },
        { "specification", "hypercall own", { { 0x55, 1, 0x10 } }, 50, 0 },
        { "operand", "hypercall own", { { 0x55, 1, 0x11 } }, 50, 0 },
        { "no such injection", "hypercall by doorbell", { { 0x55, 1, 0x80 } }, 50, 0 },
        { "all of it", "hypercall by doorbell", { { 0x55, 1, 0xff } }, 50, 0 },
        { "no such status", "hypercall own", { { 0x397, 1, 7 } }, 0, 10 },
        { "a status too high", "hypercall own", { { 0x393, 1, 1 } }, 0, 10 },
        { "-EOPNOTSUPP", "hypercall own", { { 0x390, 8, ~(uint64_t)0 } }, 0, 10 },
        { "the sign", "hypercall own", { { 0x390, 1, 0x80 } }, 0, 10 },
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
        CHECK_EQ(r.kind, rows[i].want == SVMC_OK ? SVMC_KIND_HYPERCALL : 0);
        CHECK_EQ(r.address, rows[i].want == SVMC_OK ? 3 : 0);
        CHECK_EQ(r.in[2], rows[i].want == SVMC_OK ? 3 : 0);
    }
}
