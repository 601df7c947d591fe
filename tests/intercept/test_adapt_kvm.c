/* SPDX-License-Identifier: MIT */
/* AP-20 AP-21: struct kvm_run. Fields by their sizes in Linux include/uapi/linux/kvm.h; where this
 * machine has that header, it is compared. */
#include "adapt_lab.h"

struct run {
    uint8_t request_interrupt_window, immediate_exit, padding1[6];
    uint8_t exit_reason[4], ready, if_flag, flags[2];
    uint8_t cr8[8], apic_base[8];
    union {
        struct {
            uint8_t direction, size, port[2], count[4], data_offset[8];
        } io;
        struct {
            uint8_t phys_addr[8], data[8], len[4], is_write;
        } mmio;
        struct {
            uint8_t error, pad[7], reason[4], index[4], data[8];
        } msr;
        struct {
            uint8_t nr[8], args[6][8], ret[8], flags[8];
        } hypercall;
        struct {
            uint8_t nr[8], ret[8], args[9][8];
        } papr_hcall;
        uint8_t padding[256];
    };
    uint8_t rest[4096 - 32 - 256];
    uint8_t pio[4096]; /* KVM_PIO_PAGE_OFFSET 1 */
};
_Static_assert(sizeof(struct run) == 8192, "two pages");

#if defined(__x86_64__) && defined(__linux__)
#include <linux/kvm.h>
#define SAME(theirs, ours) \
    _Static_assert(offsetof(struct kvm_run, theirs) == offsetof(struct run, ours), #theirs)
SAME(exit_reason, exit_reason);
SAME(io.direction, io.direction);
SAME(io.size, io.size);
SAME(io.port, io.port);
SAME(io.count, io.count);
SAME(io.data_offset, io.data_offset);
SAME(mmio.phys_addr, mmio.phys_addr);
SAME(mmio.data, mmio.data);
SAME(mmio.len, mmio.len);
SAME(mmio.is_write, mmio.is_write);
SAME(msr.error, msr.error);
SAME(msr.reason, msr.reason);
SAME(msr.index, msr.index);
SAME(msr.data, msr.data);
SAME(hypercall.nr, hypercall.nr);
SAME(hypercall.args, hypercall.args);
SAME(hypercall.ret, hypercall.ret);
SAME(papr_hcall.nr, papr_hcall.nr);
SAME(papr_hcall.ret, papr_hcall.ret);
SAME(papr_hcall.args, papr_hcall.args);
_Static_assert(KVM_EXIT_PAPR_HCALL == 19, "reasons");
_Static_assert(KVM_EXIT_HYPERCALL == 3 && KVM_EXIT_HLT == 5 && KVM_EXIT_SHUTDOWN == 8, "reasons");
_Static_assert(KVM_MSR_EXIT_REASON_FILTER == 4, "why an MSR access exits");
#endif

static struct adapt_lab a;
static struct run want;

#define PUT(field, value) adapt_put((uint8_t *)&want.field, sizeof want.field, value)

static void start(unsigned reason)
{
    adapt_init(&a, SVMC_FOREIGN_KVM, 0xffffffff11112222);
    memset(&want, 0, sizeof want);
    PUT(exit_reason, reason);
}

static void io(unsigned direction, unsigned size, unsigned count)
{
    start(2);
    PUT(io.direction, direction);
    PUT(io.size, size);
    PUT(io.port, LAB_PORT);
    PUT(io.count, count);
    PUT(io.data_offset, 4096);
}

static void check(const char *scenario)
{
    const uint8_t *bytes = (const uint8_t *)&want;

    memset(a.area, 0xee, sizeof a.area);
    REQUIRE(adapt_exit(&a, scenario));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    for (unsigned i = 0; i < sizeof want; i++)
        CHECK(a.area[i] == bytes[i], "%s: byte 0x%03x is 0x%02x, wanted 0x%02x", scenario, i,
              a.area[i], bytes[i]);
}

TEST(adapt_kvm, golden)
{
    io(0, 4, 1);
    check("in 4 kvm");
    io(1, 1, 1);
    want.pio[0] = 0x41;
    check("out 1 kvm");
    io(0, 1, 5);
    check("ins 1 kvm");
    io(1, 1, 5);
    for (unsigned i = 0; i < 5; i++)
        want.pio[i] = (uint8_t)(i * 11 + 3);
    check("outs 1 kvm");

    start(6);
    PUT(mmio.phys_addr, LAB_GPA);
    PUT(mmio.len, 3);
    check("mmio read 3 kvm");
    start(6);
    PUT(mmio.phys_addr, LAB_GPA);
    PUT(mmio.data, 0x11223344);
    PUT(mmio.len, 4);
    PUT(mmio.is_write, 1);
    check("mmio write 4 kvm");

    start(29);
    PUT(msr.reason, 4);
    PUT(msr.index, LAB_MSR);
    check("rdmsr kvm");
    start(30);
    PUT(msr.reason, 4);
    PUT(msr.index, LAB_MSR);
    PUT(msr.data, 0x1122334455667788);
    check("wrmsr kvm");

    start(3);
    a.lab.world.reg[SVMC_REG_RDI] = 0xa0;
    a.lab.world.reg[SVMC_REG_RSI] = 0xa1;
    a.lab.world.reg[SVMC_REG_R8] = 0xa2;
    a.lab.world.reg[SVMC_REG_R9] = 0xa3;
    PUT(hypercall.nr, LAB_HCALL);
    for (unsigned i = 0; i < 4; i++)
        PUT(hypercall.args[i], 0xa0 + i);
    PUT(hypercall.flags, 1);
    check("hypercall own");
}

TEST(adapt_kvm, golden_power) /* AP-21 */
{
    static const char *const names[] = { "power sc 1", "power sc 1, one result" };

    for (unsigned i = 0; i < 2; i++) {
        start(19);
        for (unsigned r = 4; r <= 12; r++)
            a.lab.world.reg[SVMC_REG_PPC_R0 + r] = 0x4400000000000000u + r;
        PUT(papr_hcall.nr, i ? 0x58 : 0x54);
        for (unsigned r = 0; r < (i ? 4 : 1); r++)
            PUT(papr_hcall.args[r], 0x4400000000000004u + r);
        check(names[i]);
        CHECK_EQ(adapt_host(&a), SVMC_OK);
        PUT(papr_hcall.ret, 1);                    /* H_BUSY */
        for (unsigned r = 0; i == 0 && r < 3; r++) /* the stream of device_answer */
            for (unsigned b = 0; b < 8; b++)
                want.papr_hcall.args[r][b] = (uint8_t)(0x91 + 29 * (8 * r + b));
        CHECK_MEM(a.area, &want, sizeof want, "%s, the answer", names[i]);
        CHECK_EQ(adapt_enter(&a), SVMC_OK, "%s", names[i]);
        CHECK_EQ(a.lab.world.reg[SVMC_REG_PPC_R0 + 3], 1);
        for (unsigned r = 4; r <= 12; r++)
            CHECK_EQ(a.lab.world.reg[SVMC_REG_PPC_R0 + r],
                     i == 0 && r < 7 ? adapt_get(want.papr_hcall.args[r - 4], 8)
                                     : 0x4400000000000000u + r,
                     "%s, R%u", names[i], r);
    }
}

/* What KVM fills in: R4 to R12 as they are, whatever the call takes. */
TEST(adapt_kvm, a_kernel_of_power_is_heard) /* AP-21 */
{
    struct svmc_request r;
    struct svmc_reply reply = { .done = 1, .out_valid = 1 };

    start(19);
    PUT(papr_hcall.nr, 0xe0); /* H_CEDE */
    PUT(papr_hcall.ret, 0x77);
    for (unsigned i = 0; i < 9; i++)
        PUT(papr_hcall.args[i], 0xa0 + i);
    memcpy(a.area, &want, sizeof want);
    CHECK_EQ(svmc_adapt_decode(&a.foreign, &r, NULL), SVMC_OK);
    CHECK_EQ(r.kind, SVMC_KIND_HCALL);
    CHECK_EQ(r.address, 0xe0);
    CHECK_EQ(r.size, 8);
    CHECK_MEM(r.insn, "\x22\0\0\x44", 4, "sc 1");
    for (unsigned i = 0; i < 6; i++)
        CHECK_EQ(r.in[i], 0xa0 + i);
    CHECK_EQ(svmc_adapt_answer(&a.foreign, &r, &reply, NULL), SVMC_OK);
    PUT(papr_hcall.ret, 0);
    CHECK_MEM(a.area, &want, sizeof want, "R4 to R12 stay");
    reply.out_valid = 3;
    CHECK_EQ(svmc_adapt_answer(&a.foreign, &r, &reply, NULL), SVMC_ERR_ARG, "it has no second");
    CHECK_MEM(a.area, &want, sizeof want);
    r.address = 0x300; /* H_RANDOM: nobody's */
    reply.out_valid = 0;
    CHECK_EQ(svmc_adapt_answer(&a.foreign, &r, &reply, NULL), SVMC_OK, "nothing to say");
    CHECK_MEM(a.area, &want, sizeof want);
}

TEST(adapt_kvm, golden_idle)
{
    struct svmc_request r = { .kind = SVMC_KIND_HLT };

    start(5);
    CHECK_EQ(svmc_adapt_emit(&a.foreign, &r, NULL), SVMC_OK);
    CHECK_MEM(a.area, &want, sizeof want, "HLT");
    start(8);
    r.kind = SVMC_KIND_SHUTDOWN;
    CHECK_EQ(svmc_adapt_emit(&a.foreign, &r, NULL), SVMC_OK);
    CHECK_MEM(a.area, &want, sizeof want, "SHUTDOWN");
}

TEST(adapt_kvm, the_front_end_reads_what_is_emitted)
{
    static const char *const names[] = { "in 4 kvm",   "out 1 kvm",       "ins 1 kvm",
                                         "outs 1 kvm", "mmio read 3 kvm", "mmio write 4 kvm",
                                         "rdmsr kvm",  "wrmsr kvm" };

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct svmc_exit exit, asked = scenarios[scenario_named(names[i])].exit;

        start(0);
        REQUIRE(adapt_exit(&a, names[i]));
        CHECK_EQ(adapt_emit(&a), SVMC_OK);
        CHECK_EQ(svmc_exit_from_kvm(a.area, sizeof a.area, &exit), SVMC_OK, "%s", names[i]);
        CHECK_EQ(exit.kind, asked.kind, "%s", names[i]);
        CHECK_EQ(exit.size, asked.size, "%s", names[i]);
        CHECK_EQ(exit.count, asked.count, "%s", names[i]);
        CHECK_EQ(exit.address, asked.address, "%s", names[i]);
        CHECK_EQ(exit.value, asked.value, "%s", names[i]);
    }
}

TEST(adapt_kvm, answers_by_hand)
{
    start(0);
    REQUIRE(adapt_exit(&a, "rdmsr own"));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    adapt_put(a.area + 48, 8, 0x1122334455667788);
    CHECK_EQ(adapt_enter(&a), SVMC_OK);
    CHECK_EQ(a.lab.world.reg[SVMC_REG_RAX], 0x55667788);
    CHECK_EQ(a.lab.world.reg[SVMC_REG_RDX], 0x11223344);

    start(0);
    REQUIRE(adapt_exit(&a, "wrmsr own"));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    a.area[32] = 1; /* error */
    CHECK_EQ(adapt_enter(&a), SVMC_OK);
    CHECK_EQ(a.lab.out.action, SVMC_ACT_INJECT);
    CHECK_EQ(a.lab.out.fault.vector, 13);

    start(0);
    REQUIRE(adapt_exit(&a, "in ax own"));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    adapt_put(a.area + 4096, 8, 0xffffffffffff1234); /* two bytes are asked for */
    CHECK_EQ(adapt_enter(&a), SVMC_OK);
    CHECK_EQ(a.lab.world.reg[SVMC_REG_RAX], 0xffffffff11111234);

    start(0);
    REQUIRE(adapt_exit(&a, "mov ah, m8 own"));
    CHECK_EQ(adapt_emit(&a), SVMC_OK);
    a.area[40] = 0x7e;
    adapt_put(a.area + 32, 8, 0); /* another address, */
    adapt_put(a.area + 48, 4, 8); /* another length: not read */
    CHECK_EQ(adapt_enter(&a), SVMC_OK);
    CHECK_EQ(a.lab.world.reg[SVMC_REG_RAX], 0xffffffff11117e22);
}

TEST(adapt_kvm, lies_are_refused) /* AP-20 */
{
    static const struct adapt_lie lies[] = {
        { "error 2", "rdmsr own", { { 32, 1, 2 } }, 20, 0 },
        { "error 0xff", "wrmsr own", { { 32, 1, 0xff } }, 20, 0 },
        { "error 1, padding", "rdmsr own", { { 32, 2, 0x101 } }, 20, 0 },
        { "padding alone", "rdmsr own", { { 33, 1, 1 } }, 20, 0 },
        { "the last of the padding", "wrmsr own", { { 39, 1, 0x80 } }, 20, 0 },
        { "no such status", "hypercall own", { { 88, 8, 7 } }, 0, 10 },
        { "a status too high", "hypercall own", { { 88, 8, 0x100000000 } }, 0, 10 },
        { "-EFAULT", "hypercall own", { { 88, 8, (uint64_t)-14 } }, 0, 10 },
        { "-1", "hypercall by doorbell", { { 88, 8, ~(uint64_t)0 } }, 0, 10 },
        { "bit 63", "hypercall by doorbell", { { 88, 8, (uint64_t)1 << 63 } }, 0, 10 },
        { "6 is no code of PAPR", "power sc 1", { { 40, 8, 6 } }, 0, 10 },
        { "13", "power sc 1", { { 40, 8, 13 } }, 0, 10 },
        { "19", "power sc 1, one result", { { 40, 8, 19 } }, 0, 10 },
        { "-512", "power sc 1", { { 40, 8, (uint64_t)-512 } }, 0, 10 },
        { "-1 in 32 bits", "power sc 1, one result", { { 40, 8, 0xffffffff } }, 0, 10 },
        { "9899", "power sc 1", { { 40, 8, 9899 } }, 0, 10 },
        { "9906", "power sc 1", { { 40, 8, 9906 } }, 0, 10 },
        { "INT64_MIN", "power sc 1", { { 40, 8, (uint64_t)1 << 63 } }, 0, 10 },
        { "the upper half alone", "power sc 1, one result", { { 44, 4, 1 } }, 0, 10 },
        { "code and results", "power sc 1", { { 40, 8, 7 }, { 48, 8, 0 }, { 56, 8, 0 } }, 0, 10 },
    };

    adapt_refuses(SVMC_FOREIGN_KVM, lies, sizeof lies / sizeof lies[0]);
}

TEST(adapt_kvm, a_kernel_is_heard)
{
    static const struct {
        char name[32];
        unsigned at, bytes;
        uint64_t value;
        enum svmc_status want;
    } rows[] = {
        { "as it is", 0, 0, 0, SVMC_OK },
        { "flags beside the reason", 12, 4, 0x00010101, SVMC_OK },
        { "another reason", 8, 4, 17, SVMC_ERR_UNSUPPORTED },
        { "direction 2", 32, 1, 2, SVMC_ERR_MISMATCH },
        { "size 0", 33, 1, 0, SVMC_ERR_MISMATCH },
        { "size 3", 33, 1, 3, SVMC_ERR_MISMATCH },
        { "size 8", 33, 1, 8, SVMC_ERR_MISMATCH },
        { "size 32", 33, 1, 32, SVMC_ERR_MISMATCH },
        { "count 0", 36, 4, 0, SVMC_ERR_MISMATCH },
        { "count beyond a page", 36, 4, 1793, SVMC_ERR_MISMATCH },
        { "count that wraps", 36, 4, 0x80000001, SVMC_ERR_MISMATCH },
        { "offset elsewhere", 40, 8, 64, SVMC_ERR_MISMATCH },
        { "offset outside", 40, 8, 0xffffffffffffff00, SVMC_ERR_MISMATCH },
    };
    struct svmc_request r;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        io(1, 2, 1);
        memcpy(a.area, &want, sizeof want);
        adapt_put(a.area + rows[i].at, rows[i].bytes, rows[i].value);
        CHECK_EQ(svmc_adapt_decode(&a.foreign, &r, a.data), rows[i].want, "%s", rows[i].name);
    }
}

TEST(adapt_kvm, golden_answers)
{
    struct svmc_reply fault = { .status = SVMC_REPLY_FAULT, .fault = SVMC_FAULT_GP };
    struct svmc_reply reply = { .done = 1, .out_valid = 3, .out = { 0x55667788, 0x11223344 } };
    struct svmc_request r;

    start(29);
    PUT(msr.index, 0x10);
    memcpy(a.area, &want, sizeof want);
    CHECK_EQ(svmc_adapt_decode(&a.foreign, &r, NULL), SVMC_OK);
    CHECK_EQ(svmc_adapt_answer(&a.foreign, &r, &reply, NULL), SVMC_OK);
    PUT(msr.data, 0x1122334455667788);
    CHECK_MEM(a.area, &want, sizeof want, "results");
    CHECK_EQ(svmc_adapt_answer(&a.foreign, &r, &fault, NULL), SVMC_OK);
    PUT(msr.error, 1);
    CHECK_MEM(a.area, &want, sizeof want, "#GP");
    fault.fault = SVMC_FAULT_UD;
    CHECK_EQ(svmc_adapt_answer(&a.foreign, &r, &fault, NULL), SVMC_ERR_UNSUPPORTED);
}
