/* SPDX-License-Identifier: MIT */
/*
 * AP-30 to AP-33: the registers of TDG.VP.VMCALL, as the Guest-Hypervisor Communication Interface
 * gives them and as Linux's guest (arch/x86/coco/tdx/tdx.c) and KVM (arch/x86/kvm/vmx/tdx.c) use
 * them. Sub-functions are VMX exit reasons.
 */
#include "adapt_lab.h"

struct registers {
    uint8_t rax[8], rcx[8], rdx[8], rbx[8], rsp[8], rbp[8], rsi[8], rdi[8];
    uint8_t r8[8], r9[8], r10[8], r11[8], r12[8], r13[8], r14[8], r15[8];
};

static struct adapt_lab a;
static struct registers want;

#define PUT(field, value) adapt_put(want.field, 8, value)

static void call(uint64_t function, uint64_t r12, uint64_t r13, uint64_t r14, uint64_t r15)
{
    memset(&want, 0, sizeof want);
    PUT(rcx, 0xfc00); /* TDVMCALL_EXPOSE_REGS_MASK of Linux: R10 to R15 */
    PUT(r11, function);
    PUT(r12, r12);
    PUT(r13, r13);
    PUT(r14, r14);
    PUT(r15, r15);
}

static void start(void)
{
    adapt_init(&a, SVMC_FOREIGN_TDX, 0xffffffff11112222);
    memset(a.area, 0xee, sizeof a.area);
}

static void check(const char *scenario)
{
    REQUIRE(adapt_exit(&a, scenario));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    for (unsigned i = 0; i < 16; i++)
        CHECK_EQ(adapt_get(a.area + 8 * i, 8), adapt_get((const uint8_t *)&want + 8 * i, 8),
                 "%s: register %u", scenario, i);
    CHECK_EQ(a.area[128], 0xee, "and no more");
}

TEST(adapt_tdx, golden)
{
    start();
    a.lab.world.reg[SVMC_REG_RAX] = 0xdead000040000000;
    a.lab.world.reg[SVMC_REG_RCX] = 0xdead000000000002;
    call(10, 0x40000000, 2, 0, 0);
    check("cpuid own");
    start();
    call(31, LAB_MSR, 0, 0, 0);
    check("rdmsr kvm");
    start();
    call(32, LAB_MSR, 0x1122334455667788, 0, 0);
    check("wrmsr kvm");
    start();
    call(30, 4, 0, LAB_PORT, 0);
    check("in 4 kvm");
    start();
    call(30, 1, 1, LAB_PORT, 0x41);
    check("out 1 kvm");
    start();
    call(30, 1, 0, LAB_PORT, 0);
    check("ins 1 kvm");
    start();
    call(30, 1, 1, LAB_PORT, 3); /* the first of them */
    check("outs 1 kvm");
    start();
    call(48, 8, 0, LAB_GPA, 0);
    check("mmio read 8 kvm");
    start();
    call(48, 4, 1, LAB_GPA, 0x11223344);
    check("mmio write 4 kvm");
}

TEST(adapt_tdx, golden_hypercall_and_idle)
{
    struct svmc_request r = { .kind = SVMC_KIND_HLT };

    start();
    a.lab.world.reg[SVMC_REG_RDI] = 0xa0;
    a.lab.world.reg[SVMC_REG_RSI] = 0xa1;
    a.lab.world.reg[SVMC_REG_R8] = 0xa2;
    a.lab.world.reg[SVMC_REG_R9] = 0xa3;
    call(0xa0, 0xa1, 0xa2, 0xa3, 0);
    PUT(r10, LAB_HCALL);
    check("hypercall own");
    start();
    call(12, 0, 0, 0, 0);
    CHECK_EQ(svmc_adapt_emit(&a.foreign, &r, NULL), SVMC_OK);
    CHECK_MEM(a.area, &want, sizeof want, "HLT");
}

TEST(adapt_tdx, answers_by_hand) /* AP-31 AP-32 */
{
    start();
    REQUIRE(adapt_exit(&a, "cpuid own"));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    for (unsigned i = 2; i < 16; i++) /* what the mask does not name is not looked at */
        adapt_put(a.area + 8 * i, 8, i < 10 ? ~(uint64_t)0 : i);
    adapt_put(a.area + 80, 8, 0);
    CHECK_EQ(adapt_enter(&a), SVMC_OK);
    CHECK_EQ(a.lab.world.reg[SVMC_REG_RAX], 12);
    CHECK_EQ(a.lab.world.reg[SVMC_REG_RBX], 13);
    CHECK_EQ(a.lab.world.reg[SVMC_REG_RCX], 14);
    CHECK_EQ(a.lab.world.reg[SVMC_REG_RDX], 15);

    start();
    REQUIRE(adapt_exit(&a, "rdmsr own"));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    adapt_put(a.area + 80, 8, (uint64_t)1 << 63); /* TDG.VP.VMCALL_INVALID_OPERAND */
    CHECK_EQ(adapt_enter(&a), SVMC_OK);
    CHECK_EQ(a.lab.out.action, SVMC_ACT_INJECT);
    CHECK_EQ(a.lab.out.fault.vector, 13);

    start();
    REQUIRE(adapt_exit(&a, "in 1 kvm"));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    adapt_put(a.area + 80, 8, 1); /* TDG.VP.VMCALL_RETRY */
    CHECK_EQ(adapt_enter(&a), SVMC_OK);
    CHECK_EQ(a.lab.out.action, SVMC_ACT_DELEGATED, "asked again");
    CHECK_EQ(a.lab.vc.priv.stats.retries, 1);
}

TEST(adapt_tdx, lies_are_refused) /* AP-30 AP-31 */
{
    static const struct adapt_lie lies[] = {
        { "the call failed", "in 1 kvm", { { 0, 8, 1 } }, 30, 0 },
        { "the call failed, high", "cpuid own", { { 0, 8, (uint64_t)1 << 63 } }, 30, 0 },
        { "status 2", "in 1 kvm", { { 80, 8, 2 } }, 31, 0 },
        { "GPA in use", "mmio read 8 kvm", { { 80, 8, 0x8000000000000001 } }, 31, 0 },
        { "no such function", "cpuid own", { { 80, 8, 0x8000000000000003 } }, 31, 0 },
        { "status -1", "wrmsr own", { { 80, 8, ~(uint64_t)0 } }, 31, 0 },
        { "status with a high bit", "in 1 kvm", { { 80, 8, 0x100000000 } }, 31, 0 },
        { "RETRY for CPUID", "cpuid own", { { 80, 8, 1 } }, 0, 4 },
        { "RETRY for RDMSR", "rdmsr own", { { 80, 8, 1 } }, 0, 4 },
        { "invalid for IN", "in 1 kvm", { { 80, 8, (uint64_t)1 << 63 } }, 0, 4 },
        { "invalid for memory", "mmio read 8 kvm", { { 80, 8, (uint64_t)1 << 63 } }, 0, 4 },
        { "AL is wider", "in al own", { { 88, 8, 0x100 } }, 0, 8 },
        { "EAX of IN is wider", "in 4 kvm", { { 88, 8, 0x100000000 } }, 0, 8 },
        { "EAX of CPUID is wider", "cpuid own", { { 96, 8, 0x100000000 } }, 0, 8 },
        { "EDX of CPUID is wider", "cpuid own", { { 120, 8, (uint64_t)1 << 63 } }, 0, 8 },
        { "m8 is wider", "mov ah, m8 own", { { 88, 8, 0xffffff80 } }, 0, 8 },
        { "no such status", "hypercall own", { { 80, 8, 7 } }, 0, 10 },
        { "-KVM_ENOSYS", "hypercall own", { { 80, 8, (uint64_t)-1000 } }, 0, 10 },
    };

    adapt_refuses(SVMC_FOREIGN_TDX, lies, sizeof lies / sizeof lies[0]);
}

TEST(adapt_tdx, a_td_is_heard) /* AP-33 */
{
    static const struct {
        char name[32];
        unsigned at;
        uint64_t value;
        enum svmc_status want;
    } rows[] = {
        { "as it is", 8, 0xfc00, SVMC_OK },
        { "Linux's later mask", 8, 0xffcc, SVMC_OK },
        { "a mask with RBP", 8, 0xffec, SVMC_OK },
        { "a mask without R14", 8, 0xbc00, SVMC_ERR_MISMATCH },
        { "a mask without R10", 8, 0xf800, SVMC_ERR_MISMATCH },
        { "a mask with RSP", 8, 0xfc10, SVMC_ERR_MISMATCH },
        { "a mask with RAX", 8, 0xfc01, SVMC_ERR_MISMATCH },
        { "a mask with bit 32", 8, 0x10000fc00, SVMC_ERR_MISMATCH },
        { "another leaf", 0, 1, SVMC_ERR_MISMATCH },
        { "MapGPA of nowhere", 88, 0x10001, SVMC_ERR_MISMATCH },
        { "GetQuote", 88, 0x10002, SVMC_ERR_UNSUPPORTED },
        { "size 3", 96, 3, SVMC_ERR_MISMATCH },
        { "size 8", 96, 8, SVMC_ERR_MISMATCH },
        { "size with a high bit", 96, 0x100000004, SVMC_ERR_MISMATCH },
        { "direction 2", 104, 2, SVMC_ERR_MISMATCH },
        { "a port too high", 112, 0x10000, SVMC_ERR_MISMATCH },
    };
    struct svmc_request r;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start();
        call(30, 4, 0, 0x3f8, 0);
        memcpy(a.area, &want, sizeof want);
        adapt_put(a.area + rows[i].at, 8, rows[i].value);
        CHECK_EQ(svmc_adapt_decode(&a.foreign, &r, NULL), rows[i].want, "%s", rows[i].name);
    }
}

TEST(adapt_tdx, golden_answers)
{
    struct svmc_reply reply = { .done = 1, .out_valid = 3, .out = { 0x55667788, 0x11223344 } };
    struct svmc_request r;

    start();
    call(31, 0x10, 0, 0, 0);
    memcpy(a.area, &want, sizeof want);
    CHECK_EQ(svmc_adapt_decode(&a.foreign, &r, NULL), SVMC_OK);
    CHECK_EQ(svmc_adapt_answer(&a.foreign, &r, &reply, NULL), SVMC_OK);
    PUT(r10, 0);
    PUT(r11, 0x1122334455667788);
    CHECK_MEM(a.area, &want, sizeof want, "results");
    reply = (struct svmc_reply){ .status = SVMC_REPLY_FAULT, .fault = SVMC_FAULT_GP };
    CHECK_EQ(svmc_adapt_answer(&a.foreign, &r, &reply, NULL), SVMC_OK);
    CHECK_EQ(adapt_get(a.area + 80, 8), (uint64_t)1 << 63);
    reply = (struct svmc_reply){ .status = SVMC_REPLY_RETRY };
    CHECK_EQ(svmc_adapt_answer(&a.foreign, &r, &reply, NULL), SVMC_OK);
    CHECK_EQ(adapt_get(a.area + 80, 8), 1);
}
