/* SPDX-License-Identifier: MIT */
/*
 * AP-40 to AP-42: RmiRecRun. Fields as Arm DEN0137 1.0, TF-RMM smc-rmi.h (struct rmi_rec_run) and
 * Linux asm/rmi_smc.h (struct rec_run) place them; syndromes by hand from the Arm ARM, D17.2.37.
 */
#include "adapt_lab.h"

struct enter {
    uint8_t flags[8], pad0[0x200 - 8];
    uint8_t gprs[31][8], pad1[0x100 - 31 * 8];
    uint8_t gicv3_hcr[8], gicv3_lrs[16][8], pad2[0x500 - 17 * 8];
};
struct exit {
    uint8_t exit_reason[8], pad0[0x100 - 8];
    uint8_t esr[8], far[8], hpfar[8], pad1[0x100 - 24];
    uint8_t gprs[31][8], pad2[0x100 - 31 * 8];
    uint8_t gicv3[0x100], timers[0x100], ripas[0x100];
    uint8_t imm[8], pad3[0x100 - 8];
    uint8_t pmu_ovf_status[8], pad4[0x100 - 8];
};
struct rec_run {
    struct enter enter;
    struct exit exit;
};
_Static_assert(sizeof(struct enter) == 0x800 && sizeof(struct rec_run) == 0x1000, "one granule");

#define EMUL_MMIO  1u
#define INJECT_SEA 2u
#define FLAGS      0x000u
#define ENTER_X0   0x200u

static struct adapt_lab a;
static struct rec_run want;

#define PUT(field, value) adapt_put(want.field, 8, value)

static void start(void)
{
    adapt_init(&a, SVMC_FOREIGN_RMM, 0xffffffff11112222);
    memset(a.area, 0xee, sizeof a.area);
    memset(&want, 0, sizeof want);
}

static void check(const char *scenario)
{
    const uint8_t *bytes = (const uint8_t *)&want;

    REQUIRE(adapt_exit(&a, scenario));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    for (unsigned i = 0; i < sizeof want; i++)
        CHECK(a.area[i] == bytes[i], "%s: byte 0x%03x is 0x%02x, wanted 0x%02x", scenario, i,
              a.area[i], bytes[i]);
}

TEST(adapt_rmm, golden_aborts) /* LAB_GPA is 0xfe000010 and bit 35 */
{
    start();
    PUT(exit.esr, 0x91000007); /* EC 0x24, ISV, SAS 00, translation fault level 3 */
    PUT(exit.hpfar, LAB_GPA >> 12 << 4);
    PUT(exit.far, 0x010);
    check("a64 ldrsb w5");
    start();
    PUT(exit.esr, 0x91c08007); /* SAS 11, SF */
    PUT(exit.hpfar, LAB_GPA >> 12 << 4);
    PUT(exit.far, 0x010);
    check("a64 ldr xzr");
    start();
    a.lab.world.reg[SVMC_REG_X30] = 0xdeadbeef1234;
    PUT(exit.esr, 0x91400047); /* SAS 01, WnR */
    PUT(exit.hpfar, LAB_GPA >> 12 << 4);
    PUT(exit.far, 0x010);
    PUT(exit.gprs[0], 0x1234);
    check("a64 strh w30");
}

TEST(adapt_rmm, golden_host_call_and_idle)
{
    struct svmc_request r = { .kind = SVMC_KIND_WFI };

    start();
    a.lab.world.reg[SVMC_REG_RDI] = 0xa0;
    a.lab.world.reg[SVMC_REG_RSI] = 0xa1;
    a.lab.world.reg[SVMC_REG_R8] = 0xa2;
    a.lab.world.reg[SVMC_REG_R9] = 0xa3;
    PUT(exit.exit_reason, 5); /* RMI_EXIT_HOST_CALL */
    PUT(exit.imm, LAB_HCALL);
    for (unsigned i = 0; i < 4; i++)
        PUT(exit.gprs[i], 0xa0 + i);
    check("hypercall own");
    start();
    PUT(exit.esr, 0x04000000);
    CHECK_EQ(svmc_adapt_emit(&a.foreign, &r, NULL), SVMC_OK);
    CHECK_MEM(a.area, &want, sizeof want, "WFI");
    PUT(exit.esr, 0x04000001);
    r.kind = SVMC_KIND_WFE;
    CHECK_EQ(svmc_adapt_emit(&a.foreign, &r, NULL), SVMC_OK);
    CHECK_MEM(a.area, &want, sizeof want, "WFE");
}

static enum svmc_status answer(const char *scenario, uint64_t flags, uint64_t x0)
{
    start();
    if (!adapt_exit(&a, scenario) || adapt_emit(&a) != SVMC_OK)
        return SVMC_ERR_ARG;
    adapt_put(a.area + FLAGS, 8, flags);
    for (unsigned i = 0; i < 31; i++)
        adapt_put(a.area + ENTER_X0 + 8 * i, 8, i == 0 ? x0 : ~(uint64_t)0);
    return adapt_enter(&a);
}

TEST(adapt_rmm, answers_by_hand) /* AP-40 AP-41 AP-42 */
{
    CHECK_EQ(answer("a64 ldrsb w5", EMUL_MMIO, 0x80), SVMC_OK);
    CHECK_EQ(a.lab.out.action, SVMC_ACT_RESUME);
    CHECK_EQ(a.lab.world.reg[SVMC_REG_X0 + 5], 0xffffff80, "the sign is the core's");
    CHECK_EQ(a.lab.world.reg[SVMC_REG_X0], 0xffffffff11112222, "X0 is only the form's");
    CHECK_EQ(answer("a64 ldrsb w5", EMUL_MMIO | 0xc, 0x7f), SVMC_OK, "with idle trapped");
    CHECK_EQ(a.lab.world.reg[SVMC_REG_X0 + 5], 0x7f);
    CHECK_EQ(answer("a64 strh w30", EMUL_MMIO, ~(uint64_t)0), SVMC_OK);
    CHECK_EQ(a.lab.out.action, SVMC_ACT_RESUME);
    CHECK_EQ(answer("a64 ldrsb w5", 0, 0x80), SVMC_OK, "the guest tries again");
    CHECK_EQ(a.lab.out.action, SVMC_ACT_DELEGATED);
    CHECK_EQ(a.lab.world.reg[SVMC_REG_X0 + 5], 0xffffffff11112222);
    CHECK_EQ(answer("hypercall own", 0, 0), SVMC_OK);
    CHECK_EQ(a.lab.out.action, SVMC_ACT_RESUME);
    CHECK_EQ(a.lab.world.reg[SVMC_REG_RAX], 0);
}

TEST(adapt_rmm, lies_are_refused)
{
    static const struct adapt_lie lies[] = {
        { "emulated host call", "hypercall own", { { FLAGS, 8, EMUL_MMIO } }, 40, 0 },
        { "SEA for a host call", "hypercall own", { { FLAGS, 8, INJECT_SEA } }, 40, 0 },
        { "RIPAS response", "a64 ldrsb w5", { { FLAGS, 8, 0x11 } }, 41, 0 },
        { "RIPAS response to a host call", "hypercall own", { { FLAGS, 8, 0x10 } }, 41, 0 },
        { "S2AP response", "a64 strh w30", { { FLAGS, 8, 0x21 } }, 41, 0 },
        { "force plane 0", "a64 ldrsb w5", { { FLAGS, 8, 0x81 } }, 41, 0 },
        { "flag 63", "a64 ldrsb w5", { { FLAGS, 8, 0x8000000000000001 } }, 41, 0 },
        { "SEA for a read", "a64 ldrsb w5", { { FLAGS, 8, INJECT_SEA } }, 0, 4 },
        { "SEA and emulated", "a64 strh w30", { { FLAGS, 8, EMUL_MMIO | INJECT_SEA } }, 0, 4 },
        { "bit 8 of a byte", "a64 ldrsb w5", { { ENTER_X0, 8, 0x100 } }, 0, 8 },
        { "a sign that was extended", "a64 ldrsb w5", { { ENTER_X0, 8, 0xffffff80 } }, 0, 8 },
        { "bit 63", "movsx rdx, m16 own", { { ENTER_X0, 8, (uint64_t)1 << 63 } }, 0, 8 },
        { "bit 32 of a word", "rv64 lw x0", { { ENTER_X0, 8, 0x100000000 } }, 0, 8 },
        { "no such status", "hypercall own", { { ENTER_X0, 8, 7 } }, 0, 10 },
        { "NOT_SUPPORTED", "hypercall own", { { ENTER_X0, 8, ~(uint64_t)0 } }, 0, 10 },
    };

    adapt_refuses(SVMC_FOREIGN_RMM, lies, sizeof lies / sizeof lies[0]);
}

TEST(adapt_rmm, a_realm_is_heard)
{
    static const struct {
        char name[32];
        unsigned at;
        uint64_t value;
        enum svmc_status want;
        uint16_t kind;
    } rows[] = {
        { "as it is", 0x900, 0x91800007, SVMC_OK, SVMC_KIND_MMIO_READ },
        { "a level 1 fault", 0x900, 0x91800005, SVMC_OK, SVMC_KIND_MMIO_READ },
        { "with SF", 0x900, 0x91808007, SVMC_OK, SVMC_KIND_MMIO_READ },
        { "a write", 0x900, 0x91800047, SVMC_OK, SVMC_KIND_MMIO_WRITE },
        { "WFI", 0x900, 0x04000000, SVMC_OK, SVMC_KIND_WFI },
        { "no syndrome", 0x900, 0x90800007, SVMC_ERR_MISMATCH, 0 },
        { "a permission fault", 0x900, 0x9180000f, SVMC_ERR_MISMATCH, 0 },
        { "an external abort", 0x900, 0x91800010, SVMC_ERR_MISMATCH, 0 },
        { "a register", 0x900, 0x91850007, SVMC_ERR_MISMATCH, 0 },
        { "a sign", 0x900, 0x91a00007, SVMC_ERR_MISMATCH, 0 },
        { "from this level", 0x900, 0x95800007, SVMC_ERR_MISMATCH, 0 },
        { "bit 32", 0x900, 0x191800007, SVMC_ERR_MISMATCH, 0 },
        { "FAR beyond the page", 0x908, 0x1000, SVMC_ERR_MISMATCH, 0 },
        { "HPFAR bit 0", 0x910, 0x11, SVMC_ERR_MISMATCH, 0 },
        { "HPFAR bit 63", 0x910, 0x8000000000000010, SVMC_ERR_MISMATCH, 0 },
        { "an interrupt", 0x800, 1, SVMC_OK, SVMC_KIND_IRQ },
        { "PSCI", 0x800, 3, SVMC_ERR_UNSUPPORTED, 0 },
    };
    struct svmc_request r;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start();
        PUT(exit.esr, 0x91800007);
        PUT(exit.hpfar, 0xfe000 << 4);
        PUT(exit.far, 0x018);
        memcpy(a.area, &want, sizeof want);
        adapt_put(a.area + rows[i].at, 8, rows[i].value);
        CHECK_EQ(svmc_adapt_decode(&a.foreign, &r, NULL), rows[i].want, "%s", rows[i].name);
        CHECK_EQ(r.kind, rows[i].kind, "%s", rows[i].name);
        if (rows[i].kind == SVMC_KIND_MMIO_READ) {
            CHECK_EQ(r.address, 0xfe000018);
            CHECK_EQ(r.size, 4);
        }
    }
}

TEST(adapt_rmm, golden_answers)
{
    struct svmc_reply reply = { .done = 1, .out_valid = 1, .out = { 0x55 } };
    struct svmc_request r;

    start();
    PUT(exit.esr, 0x91000007);
    memcpy(a.area, &want, sizeof want);
    CHECK_EQ(svmc_adapt_decode(&a.foreign, &r, NULL), SVMC_OK);
    CHECK_EQ(svmc_adapt_answer(&a.foreign, &r, &reply, NULL), SVMC_OK);
    PUT(enter.flags, EMUL_MMIO);
    PUT(enter.gprs[0], 0x55);
    CHECK_MEM(a.area, &want, sizeof want, "read");
    reply = (struct svmc_reply){ .status = SVMC_REPLY_FAULT, .fault = SVMC_FAULT_GP };
    CHECK_EQ(svmc_adapt_answer(&a.foreign, &r, &reply, NULL), SVMC_OK);
    CHECK_EQ(adapt_get(a.area, 8), INJECT_SEA);
    reply = (struct svmc_reply){ .status = SVMC_REPLY_RETRY };
    CHECK_EQ(svmc_adapt_answer(&a.foreign, &r, &reply, NULL), SVMC_OK);
    CHECK_EQ(adapt_get(a.area, 8), 0);
}
