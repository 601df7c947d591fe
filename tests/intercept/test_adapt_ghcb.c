/* SPDX-License-Identifier: MIT */
/*
 * AP-10 to AP-13: the GHCB page. The struct is laid out by field sizes as AMD publication 56421
 * (GHCB 2.0), table 2, Linux asm/svm.h and EDK2 Register/Amd/Ghcb.h give them; event codes and
 * inputs are those that Linux's #VC handler writes.
 */
#include "adapt_lab.h"

struct ghcb {
    uint8_t reserved_0[203], cpl[1];
    uint8_t reserved_0cc[116], xss[8];
    uint8_t reserved_148[24], dr7[8];
    uint8_t reserved_168[16], rip[8];
    uint8_t reserved_180[88], rsp[8];
    uint8_t reserved_1e0[24], rax[8];
    uint8_t reserved_200[264], rcx[8], rdx[8], rbx[8];
    uint8_t reserved_320[8], rbp[8], rsi[8], rdi[8];
    uint8_t r8_to_r15[64];
    uint8_t reserved_380[16], exit_code[8], info1[8], info2[8], scratch[8];
    uint8_t reserved_3b0[56], xcr0[8], valid[16], x87_state_gpa[8];
    uint8_t reserved_408[1016];
    uint8_t buffer[2032];
    uint8_t reserved_ff0[10], version[2], usage[4];
};
_Static_assert(sizeof(struct ghcb) == 4096, "the published fields make up the page");

static struct adapt_lab a;
static struct ghcb want;

#define PUT(field, value) adapt_put(want.field, sizeof want.field, value)
/* a register is valid if the bit of its eight bytes is */
#define VALID(field)                                  \
    (want.valid[offsetof(struct ghcb, field) / 64] |= \
     (uint8_t)(1u << (offsetof(struct ghcb, field) / 8 % 8)))
#define GIVE(field, value) (PUT(field, value), VALID(field))

static void exit_is(uint64_t code, uint64_t info1, uint64_t info2)
{
    memset(&want, 0, sizeof want);
    GIVE(exit_code, code);
    GIVE(info1, info1);
    GIVE(info2, info2);
    PUT(version, 2);
}

static void check(const char *scenario)
{
    const uint8_t *bytes = (const uint8_t *)&want;

    memset(a.area, 0xee, sizeof a.area);
    REQUIRE(adapt_exit(&a, scenario));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    for (unsigned i = 0; i < 4096; i++)
        CHECK(a.area[i] == bytes[i], "%s: byte 0x%03x is 0x%02x, wanted 0x%02x", scenario, i,
              a.area[i], bytes[i]);
}

static void start(void)
{
    adapt_init(&a, SVMC_FOREIGN_GHCB, 0xffffffff11112222);
}

TEST(adapt_ghcb, golden_cpuid_and_msr)
{
    start();
    a.lab.world.reg[SVMC_REG_RAX] = 0xdead00000000000d;
    a.lab.world.reg[SVMC_REG_RCX] = 0xdead000000000001;
    exit_is(0x72, 0, 0);
    GIVE(rax, 0xd);
    GIVE(rcx, 1);
    GIVE(xcr0, 1);
    check("cpuid own");
    CHECK_EQ(a.area[0x3f7], 0x80, "the bit of RAX, by hand: 0x1f8 / 8 is 63");

    start();
    exit_is(0x7c, 0, 0);
    GIVE(rcx, 0x400000f0);
    check("rdmsr kvm");

    start();
    exit_is(0x7c, 1, 0);
    GIVE(rcx, 0x400000f0);
    GIVE(rax, 0x55667788);
    GIVE(rdx, 0x11223344);
    check("wrmsr kvm");
}

TEST(adapt_ghcb, golden_ports)
{
    start();
    exit_is(0x7b, 0x00600000 | 1 << 9 | 4 << 4 | 1, 0); /* IN, 32 bits, 64-bit address */
    check("in 4 kvm");

    start();
    exit_is(0x7b, 0x00600211, 0);
    check("in 1 kvm");

    start();
    exit_is(0x7b, 0x00600210, 0);
    GIVE(rax, 0x41);
    check("out 1 kvm");

    start();
    exit_is(0x7b, 0x0060021d, 5); /* REP INS, segment ES */
    GIVE(scratch, ADAPT_GPA + 0x800);
    check("ins 1 kvm");

    start();
    exit_is(0x7b, 0x00600e1c, 5); /* REP OUTS, segment DS */
    GIVE(scratch, ADAPT_GPA + 0x800);
    for (unsigned i = 0; i < 5; i++)
        want.buffer[i] = (uint8_t)(i * 11 + 3);
    check("outs 1 kvm");
}

TEST(adapt_ghcb, golden_memory_and_hypercall)
{
    start();
    exit_is(0x80000001, LAB_GPA, 8);
    GIVE(scratch, ADAPT_GPA + 0x800);
    check("mmio read 8 kvm");

    start();
    exit_is(0x80000001, LAB_GPA, 3);
    GIVE(scratch, ADAPT_GPA + 0x800);
    check("mmio read 3 kvm");

    start();
    exit_is(0x80000002, LAB_GPA, 4);
    GIVE(scratch, ADAPT_GPA + 0x800);
    PUT(buffer, 0);
    adapt_put(want.buffer, 4, 0x11223344);
    check("mmio write 4 kvm");

    start();
    a.lab.world.reg[SVMC_REG_RDI] = 0xa0;
    a.lab.world.reg[SVMC_REG_RSI] = 0xa1;
    a.lab.world.reg[SVMC_REG_R8] = 0xa2;
    a.lab.world.reg[SVMC_REG_R9] = 0xa3;
    exit_is(0x81, 0, 0);
    GIVE(rax, LAB_HCALL);
    GIVE(rbx, 0xa0);
    GIVE(rcx, 0xa1);
    GIVE(rdx, 0xa2);
    GIVE(rsi, 0xa3);
    VALID(cpl);
    check("hypercall own");
}

/* What KVM leaves after an exit: RAX to RDX and both info fields valid, whatever it was. */
static void kvm_returns(uint64_t rax, uint64_t rbx, uint64_t rcx, uint64_t rdx)
{
    struct ghcb *g = (struct ghcb *)a.area;

    memset(g->valid, 0, sizeof g->valid);
    memset(&want, 0, sizeof want);
    VALID(rax), VALID(rbx), VALID(rcx), VALID(rdx), VALID(info1), VALID(info2);
    memcpy(g->valid, want.valid, sizeof g->valid);
    adapt_put(g->rax, 8, rax);
    adapt_put(g->rbx, 8, rbx);
    adapt_put(g->rcx, 8, rcx);
    adapt_put(g->rdx, 8, rdx);
    adapt_put(g->info1, 8, 0);
    adapt_put(g->info2, 8, 0);
}

TEST(adapt_ghcb, an_answer_of_kvm_is_taken) /* AP-10 */
{
    start();
    REQUIRE(adapt_exit(&a, "cpuid own"));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    kvm_returns(1, 2, 3, 4);
    CHECK_EQ(adapt_enter(&a), SVMC_OK);
    CHECK_EQ(a.lab.world.reg[SVMC_REG_RAX], 1);
    CHECK_EQ(a.lab.world.reg[SVMC_REG_RBX], 2);
    CHECK_EQ(a.lab.world.reg[SVMC_REG_RCX], 3);
    CHECK_EQ(a.lab.world.reg[SVMC_REG_RDX], 4);

    start();
    REQUIRE(adapt_exit(&a, "in al own"));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    kvm_returns(0x5a, 0x1234, 0x5678, 0x9abc);
    CHECK_EQ(adapt_enter(&a), SVMC_OK);
    CHECK_EQ(a.lab.world.reg[SVMC_REG_RAX], 0xffffffff1111225a, "AL and no more");
    CHECK_EQ(a.lab.world.reg[SVMC_REG_RBX], 0xffffffff11112222, "what is not a result stays");

    start();
    REQUIRE(adapt_exit(&a, "movsx rdx, m16 own"));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    kvm_returns(0, 0, 0, 0);
    adapt_put(a.area + 0x800, 8, 0xeeeeeeeeeeee8001); /* the bytes behind are not the answer's */
    CHECK_EQ(adapt_enter(&a), SVMC_OK);
    CHECK_EQ(a.lab.world.reg[SVMC_REG_RDX], 0xffffffffffff8001);
}

TEST(adapt_ghcb, an_exception_is_the_rows) /* AP-12 */
{
    start();
    REQUIRE(adapt_exit(&a, "rdmsr own"));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    kvm_returns(0, 0, 0, 0);
    adapt_put(a.area + 0x398, 8, 1);
    adapt_put(a.area + 0x3a0, 8, 0x8000030d); /* as svm_vmgexit_inject_exception writes it */
    CHECK_EQ(adapt_enter(&a), SVMC_OK);
    CHECK_EQ(a.lab.out.action, SVMC_ACT_INJECT);
    CHECK_EQ(a.lab.out.fault.vector, 13);
    CHECK_EQ(a.lab.out.fault.error, 0);

    start();
    REQUIRE(adapt_exit(&a, "rdmsr own"));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    kvm_returns(0, 0, 0, 0);
    adapt_put(a.area + 0x398, 8, 1);
    adapt_put(a.area + 0x3a0, 8, 0x1234567880000b0d); /* with an error code, which is not used */
    CHECK_EQ(adapt_enter(&a), SVMC_OK);
    CHECK_EQ(a.lab.out.fault.error, 0);
}

TEST(adapt_ghcb, lies_are_refused) /* AP-10 AP-11 AP-12 */
{
    static const struct adapt_lie lies[] = {
        { "RAX is not valid", "in 1 kvm", { { 0x3f7, 1, 0 } }, 10, 0 },
        { "nothing is valid", "cpuid own", { { 0x3f0, 8, 0 }, { 0x3f8, 8, 0 } }, 10, 0 },
        { "RDX is not valid", "rdmsr own", { { 0x3fc, 1, 0x02 } }, 10, 0 },
        { "info1 is not valid", "wrmsr own", { { 0x3fe, 1, 0x10 } }, 10, 0 },
        { "RSP is valid", "in 1 kvm", { { 0x3f7, 1, 0x88 } }, 10, 0 },
        { "RBP is valid", "in 1 kvm", { { 0x3fc, 1, 0x20 } }, 10, 0 },
        { "CR0's bit is valid", "in 1 kvm", { { 0x3f5, 1, 0x08 } }, 10, 0 },
        { "XCR0 is valid", "in 1 kvm", { { 0x3ff, 1, 0x20 } }, 10, 0 },
        { "the scratch is valid", "mmio read 8 kvm", { { 0x3fe, 1, 0x38 } }, 10, 0 },
        { "malformed input", "in 1 kvm", { { 0x398, 8, 2 }, { 0x3a0, 8, 5 } }, 11, 0 },
        { "info1 is 3", "in 1 kvm", { { 0x398, 8, 3 } }, 11, 0 },
        { "info1 has a high bit", "in 1 kvm", { { 0x398, 8, 0x100000000 } }, 11, 0 },
        { "exception 0", "rdmsr own", { { 0x398, 8, 1 }, { 0x3a0, 8, 0 } }, 12, 0 },
        { "exception not valid", "rdmsr own", { { 0x398, 8, 1 }, { 0x3a0, 8, 0x30d } }, 12, 0 },
        { "#VC", "rdmsr own", { { 0x398, 8, 1 }, { 0x3a0, 8, 0x8000031d } }, 12, 0 },
        { "#PF", "rdmsr own", { { 0x398, 8, 1 }, { 0x3a0, 8, 0x80000b0e } }, 12, 0 },
        { "int 0x80", "rdmsr own", { { 0x398, 8, 1 }, { 0x3a0, 8, 0x80000480 } }, 12, 0 },
        { "an interrupt", "rdmsr own", { { 0x398, 8, 1 }, { 0x3a0, 8, 0x8000000d } }, 12, 0 },
        { "an NMI", "rdmsr own", { { 0x398, 8, 1 }, { 0x3a0, 8, 0x80000202 } }, 12, 0 },
        { "a reserved bit", "rdmsr own", { { 0x398, 8, 1 }, { 0x3a0, 8, 0x8000130d } }, 12, 0 },
        { "#GP, info2 not valid",
          "rdmsr own",
          { { 0x398, 8, 1 }, { 0x3a0, 8, 0x8000030d }, { 0x3fe, 1, 0x08 } },
          10,
          0 },
        { "#UD for RDMSR", "rdmsr own", { { 0x398, 8, 1 }, { 0x3a0, 8, 0x80000306 } }, 0, 7 },
        { "#GP for IN", "in 1 kvm", { { 0x398, 8, 1 }, { 0x3a0, 8, 0x8000030d } }, 0, 4 },
        { "#UD for CPUID", "cpuid own", { { 0x398, 8, 1 }, { 0x3a0, 8, 0x80000306 } }, 0, 4 },
        { "AL is wider", "in al own", { { 0x1f8, 8, 0x100 } }, 0, 8 },
        { "EAX is wider", "cpuid own", { { 0x1f8, 8, 0x100000000 } }, 0, 8 },
        { "EDX is wider", "rdmsr own", { { 0x310, 8, 0x8000000000000000 } }, 0, 8 },
        { "no such status", "hypercall own", { { 0x1f8, 8, 7 } }, 0, 10 },
        { "-KVM_ENOSYS", "hypercall own", { { 0x1f8, 8, (uint64_t)-1000 } }, 0, 10 },
    };

    adapt_refuses(SVMC_FOREIGN_GHCB, lies, sizeof lies / sizeof lies[0]);
}

TEST(adapt_ghcb, what_the_host_wrote_over_the_request_is_not_read) /* AP-1 */
{
    start();
    REQUIRE(adapt_exit(&a, "ins 4 own"));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    CHECK_EQ(adapt_host(&a), SVMC_OK);
    adapt_put(a.area + 0x390, 8, 0x7c);       /* another event */
    adapt_put(a.area + 0x3a8, 8, 0xfffff000); /* another scratch area */
    adapt_put(a.area + 0xff8, 8, ~(uint64_t)0);
    CHECK_EQ(adapt_enter(&a), SVMC_OK);
    CHECK_EQ(a.reply.data_bytes, 20, "as many as were asked for");
}

/* A request of a guest: what Linux's #VC handler writes for IN AL, then spoiled. */
static enum svmc_status decode(unsigned at, unsigned bytes, uint64_t value,
                               struct svmc_request *out)
{
    exit_is(0x7b, 0x00600211, 0);
    GIVE(rax, 0); /* Linux does so for IN as well */
    memcpy(a.area, &want, sizeof want);
    adapt_put(a.area + at, bytes, value);
    return svmc_adapt_decode(&a.foreign, out, a.data);
}

TEST(adapt_ghcb, a_guest_is_heard) /* AP-13 */
{
    static const struct {
        char name[32];
        unsigned at, bytes;
        uint64_t value;
        enum svmc_status want;
    } rows[] = {
        { "as it is", 0, 0, 0, SVMC_OK },
        { "version 1", 0xffa, 2, 1, SVMC_OK },
        { "version 0", 0xffa, 2, 0, SVMC_ERR_MISMATCH },
        { "version 3", 0xffa, 2, 3, SVMC_ERR_MISMATCH },
        { "usage 1", 0xffc, 4, 1, SVMC_ERR_MISMATCH },
        { "no exit code", 0x3fe, 1, 0x18, SVMC_ERR_MISMATCH },
        { "no info1", 0x3fe, 1, 0x14, SVMC_ERR_MISMATCH },
        { "no info2", 0x3fe, 1, 0x0c, SVMC_ERR_MISMATCH },
        { "another event", 0x390, 8, 0x6e, SVMC_ERR_UNSUPPORTED },
        { "event with a high bit", 0x390, 8, 0x10000007b, SVMC_ERR_UNSUPPORTED },
        { "two sizes", 0x398, 8, 0x00600231, SVMC_ERR_MISMATCH },
        { "no size", 0x398, 8, 0x00600201, SVMC_ERR_MISMATCH },
        { "reserved bit 1", 0x398, 8, 0x00600213, SVMC_ERR_MISMATCH },
        { "reserved bit 32", 0x398, 8, 0x100600211, SVMC_ERR_MISMATCH },
        { "a string without scratch", 0x398, 8, 0x0060021d, SVMC_ERR_MISMATCH },
        { "OUT", 0x398, 8, 0x00600210, SVMC_OK },
    };
    struct svmc_request r;

    start();
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_EQ(decode(rows[i].at, rows[i].bytes, rows[i].value, &r), rows[i].want, "%s",
                 rows[i].name);
        CHECK(rows[i].want == SVMC_OK || r.kind == 0, "%s: zeroed", rows[i].name);
    }
}

TEST(adapt_ghcb, scratch_and_count_of_a_string) /* AP-13 */
{
    static const struct {
        uint64_t scratch, count;
        enum svmc_status want;
    } rows[] = {
        { ADAPT_GPA + 0x800, 1, SVMC_OK },
        { ADAPT_GPA + 0x800, 508, SVMC_OK },
        { ADAPT_GPA + 0x800, 509, SVMC_ERR_MISMATCH },
        { ADAPT_GPA + 0x800, 0, SVMC_ERR_MISMATCH },
        { ADAPT_GPA + 0x800, 0x40000001, SVMC_ERR_MISMATCH },
        { ADAPT_GPA + 0x800, 0x100000001, SVMC_ERR_MISMATCH },
        { ADAPT_GPA + 0x7f8, 1, SVMC_ERR_MISMATCH },
        { ADAPT_GPA + 0xff0, 1, SVMC_ERR_MISMATCH },
        { ADAPT_GPA + 0x1000, 1, SVMC_ERR_MISMATCH },
        { ADAPT_GPA - 4, 1, SVMC_ERR_MISMATCH },
        { 0, 1, SVMC_ERR_MISMATCH },
        { ~(uint64_t)0, 1, SVMC_ERR_MISMATCH },
    };
    struct svmc_request r;

    start();
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        exit_is(0x7b, 0x00600e4c, rows[i].count);
        GIVE(scratch, rows[i].scratch);
        for (unsigned n = 0; n < sizeof want.buffer; n++)
            want.buffer[n] = (uint8_t)n;
        memcpy(a.area, &want, sizeof want);
        memset(a.data, 0, sizeof a.data);
        CHECK_EQ(svmc_adapt_decode(&a.foreign, &r, a.data), rows[i].want, "row %u", i);
        if (rows[i].want == SVMC_OK) {
            CHECK_EQ(r.count, rows[i].count);
            CHECK_MEM(a.data, want.buffer, 4 * rows[i].count);
        }
    }
}

TEST(adapt_ghcb, golden_answers)
{
    struct svmc_reply reply = { .done = 1, .out_valid = 3, .out = { 0x11, 0x22 } };
    struct svmc_request r;

    start();
    exit_is(0x7c, 0, 0);
    GIVE(rcx, 0x10);
    memcpy(a.area, &want, sizeof want);
    CHECK_EQ(svmc_adapt_decode(&a.foreign, &r, NULL), SVMC_OK);
    CHECK_EQ(svmc_adapt_answer(&a.foreign, &r, &reply, NULL), SVMC_OK);
    memset(want.valid, 0, sizeof want.valid);
    VALID(info1), VALID(info2);
    GIVE(rax, 0x11);
    GIVE(rdx, 0x22);
    CHECK_MEM(a.area, &want, sizeof want, "results");

    reply = (struct svmc_reply){ .status = SVMC_REPLY_FAULT, .fault = SVMC_FAULT_GP };
    CHECK_EQ(svmc_adapt_answer(&a.foreign, &r, &reply, NULL), SVMC_OK);
    memset(want.valid, 0, sizeof want.valid);
    GIVE(info1, 1);
    GIVE(info2, 0x8000030d);
    CHECK_MEM(a.area, &want, sizeof want, "#GP");

    reply = (struct svmc_reply){ .status = SVMC_REPLY_RETRY };
    CHECK_EQ(svmc_adapt_answer(&a.foreign, &r, &reply, NULL), SVMC_ERR_UNSUPPORTED);
}
