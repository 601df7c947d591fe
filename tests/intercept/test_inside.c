/* SPDX-License-Identifier: MIT */
/* EX-58 to EX-60: kinds that a policy says the verdict of, and what the embedder does itself. */
#include "scenarios.h"

static struct lab lab, before;
static struct svmc_policy policy;
static struct svmc_host_ops ops;

static void fresh(void)
{
    CHECK_EQ(svmc_policy_init(&policy, 4, 4), SVMC_OK);
    ops = world_ops;
}

static void start(void)
{
    uint64_t rng = 41;

    CHECK_EQ(svmc_policy_seal(&policy), SVMC_OK);
    lab_init(&lab, &rng);
    CHECK_EQ(svmc_vcpu_init(&lab.vc, &ops, &lab.world, &policy, lab.world.page, 7), SVMC_OK);
    lab.world.inside_value = 0x1122334455667788;
    lab.world.calls = 0;
    before = lab;
}

static enum svmc_status take(struct svmc_exit e)
{
    if (e.kind == SVMC_KIND_HOST_CALL)
        e = scenarios[scenario_named("a64 host call")].exit;
    if (!request_of(e.kind, &e)) {
        e.count = 1;
        e.finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP;
        e.insn_bytes = 3;
    }
    return svmc_vcpu_exit(&lab.vc, &e, &lab.out);
}

/* All but registers a and b and RIP are as before, and no host has heard of it. */
static void unchanged_but(unsigned a, unsigned b, unsigned step)
{
    for (unsigned r = 0; r < WORLD_REGS; r++)
        if (r != a && r != b)
            CHECK_EQ(lab.world.reg[r],
                     before.world.reg[r] + (r == SVMC_REG_RIP || r == SVMC_REG_PC ? step : 0),
                     "register %u", r);
    CHECK_EQ(lab.vc.priv.seq_count, before.vc.priv.seq_count);
}
#define NO SVMC_REG_NONE

static const struct {
    uint16_t kind;
    uint8_t unless_set;
    uint8_t may;    /* bit n: verdict n */
    uint8_t vector; /* of its FAULT */
} kinds[] = {
    { SVMC_KIND_MONITOR, SVMC_VERDICT_CONST, 0x3d, 6 },
    { SVMC_KIND_MWAIT, SVMC_VERDICT_CONST, 0x3d, 6 },
    { SVMC_KIND_PAUSE, SVMC_VERDICT_CONST, 0x3d, 6 },
    { SVMC_KIND_WBINVD, SVMC_VERDICT_NOTIFY, 0x3d, 13 },
    { SVMC_KIND_INVD, SVMC_VERDICT_FAULT, 0x3d, 13 },
    { SVMC_KIND_RDTSC, SVMC_VERDICT_FAULT, 0x2f, 13 },
    { SVMC_KIND_RDTSCP, SVMC_VERDICT_FAULT, 0x2f, 13 },
    { SVMC_KIND_RDPMC, SVMC_VERDICT_FAULT, 0x2f, 13 },
    { SVMC_KIND_RDTIME, SVMC_VERDICT_FAULT, 0x2f, 2 }, /* illegal instruction */
    { SVMC_KIND_RDCOUNTER, SVMC_VERDICT_FAULT, 0x2f, 2 },
    { SVMC_KIND_CSR_READ, SVMC_VERDICT_FAULT, 0x29, 2 },
    { SVMC_KIND_CSR_WRITE, SVMC_VERDICT_FAULT, 0x29, 2 },
    { SVMC_KIND_CSR_SWAP, SVMC_VERDICT_FAULT, 0x29, 2 },
    { SVMC_KIND_CSR_SET, SVMC_VERDICT_FAULT, 0x29, 2 },
    { SVMC_KIND_CSR_CLEAR, SVMC_VERDICT_FAULT, 0x29, 2 },
    { SVMC_KIND_CR_READ, SVMC_VERDICT_INTERPRET, 0x29, 6 },
    { SVMC_KIND_CR_WRITE, SVMC_VERDICT_INTERPRET, 0x29, 13 },
    { SVMC_KIND_DR_READ, SVMC_VERDICT_INTERPRET, 0x29, 6 },
    { SVMC_KIND_DR_WRITE, SVMC_VERDICT_INTERPRET, 0x29, 13 },
    { SVMC_KIND_XSETBV, SVMC_VERDICT_INTERPRET, 0x29, 13 },
    { SVMC_KIND_CLTS, SVMC_VERDICT_INTERPRET, 0x29, 13 },
    { SVMC_KIND_LMSW, SVMC_VERDICT_INTERPRET, 0x29, 13 },
    { SVMC_KIND_SYS_STORE, SVMC_VERDICT_INTERPRET, 0x29, 6 },
    { SVMC_KIND_SYS_LOAD, SVMC_VERDICT_INTERPRET, 0x29, 6 },
    { SVMC_KIND_PAGE_STATE, SVMC_VERDICT_FAULT, 0x2b, 13 },
    { SVMC_KIND_MAP_GPA, SVMC_VERDICT_FAULT, 0x2b, 13 },
    { SVMC_KIND_GUEST_REQUEST, SVMC_VERDICT_FAULT, 0x2b, 13 },
    { SVMC_KIND_GUEST_REQUEST_EXT, SVMC_VERDICT_FAULT, 0x2b, 13 },
    { SVMC_KIND_AP_CREATE, SVMC_VERDICT_FAULT, 0x2b, 13 },
    { SVMC_KIND_HOST_CALL, SVMC_VERDICT_FAULT, 0x2b, 0 },
    { SVMC_KIND_DATA_ABORT, SVMC_VERDICT_FAULT, 0x2b, 0x25 },
    { SVMC_KIND_PROTECTED_ABORT, SVMC_VERDICT_FAULT, 0x2b, 0x25 },
    { SVMC_KIND_INSN_ABORT, SVMC_VERDICT_FAULT, 0x2b, 0x21 },
    { SVMC_KIND_RIPAS, SVMC_VERDICT_FAULT, 0x2b, 0x25 },
    { SVMC_KIND_S2AP, SVMC_VERDICT_FAULT, 0x2b, 0x25 },
    { SVMC_KIND_DEV_MEM, SVMC_VERDICT_FAULT, 0x2b, 0x25 },
};

static struct svmc_exit exit_of(uint16_t kind)
{
    bool rv = kind == SVMC_KIND_RDTIME || kind == SVMC_KIND_RDCOUNTER ||
              (kind >= SVMC_KIND_CSR_READ && kind <= SVMC_KIND_CSR_CLEAR);
    bool transfer = rv || (kind >= SVMC_KIND_CR_READ && kind <= SVMC_KIND_DR_WRITE);

    return (struct svmc_exit){ .kind = kind,
                               .size = transfer                 ? 8
                                       : kind == SVMC_KIND_LMSW ? 2
                                                                : 0,
                               .dest_bytes = 8,
                               .dest_reg = rv ? SVMC_REG_RV_X0 + 9 : SVMC_REG_RAX,
                               .isa = rv ? SVMC_ISA_RV64 : SVMC_ISA_X86_64 };
}

static void check_verdict(unsigned i, unsigned verdict)
{
    static const uint8_t actions[] = { SVMC_ACT_INJECT, SVMC_ACT_DELEGATED, SVMC_ACT_RESUME,
                                       SVMC_ACT_STOP,   SVMC_ACT_NOTIFIED,  SVMC_ACT_RESUME };

    CHECK_EQ(take(exit_of(kinds[i].kind)), SVMC_OK, "kind %x", kinds[i].kind);
    CHECK_EQ(lab.out.verdict, verdict, "kind %x", kinds[i].kind);
    CHECK_EQ(lab.out.action, actions[verdict], "kind %x, verdict %u", kinds[i].kind, verdict);
    CHECK_EQ(lab.vc.priv.stats.verdicts[verdict], 1, "kind %x", kinds[i].kind);
    if (verdict == SVMC_VERDICT_FAULT)
        CHECK_EQ(lab.out.fault.vector, kinds[i].vector, "kind %x", kinds[i].kind);
    CHECK_EQ(lab.world.inside_calls, verdict == SVMC_VERDICT_INTERPRET, "kind %x", kinds[i].kind);
}

TEST(inside, a_kind_has_a_verdict) /* EX-58 */
{
    unsigned rows = 0;

    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        enum svmc_kind kind = (enum svmc_kind)kinds[i].kind;

        rows++;
        fresh();
        start();
        check_verdict(i, kinds[i].unless_set);
        for (unsigned verdict = 0; verdict < 9; verdict++) {
            bool may = kinds[i].may >> verdict & 1;

            fresh();
            CHECK_EQ(svmc_policy_set_kind(&policy, kind, (enum svmc_verdict)verdict),
                     may ? SVMC_OK : SVMC_ERR_ARG, "kind %x, verdict %u", kind, verdict);
            start();
            if (!may)
                continue;
            check_verdict(i, verdict);
            CHECK_EQ(svmc_policy_set_kind(&policy, kind, SVMC_VERDICT_INTERPRET), SVMC_ERR_STATE);
            CHECK_EQ(svmc_policy_set_kind(&policy, kind, SVMC_VERDICT_FAULT), SVMC_OK);
            start();
            check_verdict(i, verdict == SVMC_VERDICT_TERMINATE ? verdict : SVMC_VERDICT_FAULT);
            CHECK_EQ(svmc_policy_set_kind(&policy, kind, SVMC_VERDICT_TERMINATE), SVMC_OK);
            start();
            check_verdict(i, SVMC_VERDICT_TERMINATE);
        }
    }
    CHECK_EQ(rows, SVMC_POLICY_KINDS);
    fresh();
    for (unsigned kind = 0; kind < 65536; kind++)
        rows -= svmc_policy_set_kind(&policy, (enum svmc_kind)kind, SVMC_VERDICT_FAULT) == SVMC_OK;
    CHECK_EQ(rows, 0, "and no other kind has one");
    CHECK_EQ(svmc_policy_set_kind(&policy, (enum svmc_kind)0x18001, SVMC_VERDICT_FAULT),
             SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_set_kind(NULL, SVMC_KIND_INVD, SVMC_VERDICT_FAULT), SVMC_ERR_ARG);
}

TEST(inside, what_is_written_is_the_embedders) /* EX-59 EX-60 */
{
    static const struct {
        struct svmc_exit e;
        uint64_t number, value;
    } rows[] = {
        { { .kind = SVMC_KIND_CR_WRITE,
            .size = 8,
            .address = 4,
            .from = SVMC_FROM_VALUE_REG,
            .value_reg = SVMC_REG_R9 },
          4,
          0xa9a9a9a9b9b9b9b9 },
        { { .kind = SVMC_KIND_CR_WRITE,
            .size = 4,
            .address = 0,
            .from = SVMC_FROM_VALUE_REG,
            .value_reg = SVMC_REG_R9,
            .isa = SVMC_ISA_X86_32 },
          0,
          0xb9b9b9b9 },
        { { .kind = SVMC_KIND_DR_WRITE, .size = 8, .address = 7, .value = 0x400 }, 7, 0x400 },
        { { .kind = SVMC_KIND_XSETBV,
            .from = SVMC_FROM_ADDRESS_REG | SVMC_FROM_VALUE_PAIR,
            .address_reg = SVMC_REG_RCX },
          0xcccccccc,
          0xddddddddaaaaaaaa },
        { { .kind = SVMC_KIND_LMSW,
            .size = 2,
            .from = SVMC_FROM_VALUE_REG,
            .value_reg = SVMC_REG_R9 },
          0,
          0xb9b9 },
        { { .kind = SVMC_KIND_CLTS }, 0, 0 },
        { { .kind = SVMC_KIND_WRMSR, .address = 0x1b, .from = SVMC_FROM_VALUE_PAIR },
          0x1b,
          0xddddddddaaaaaaaa },
        { { .kind = SVMC_KIND_SYSREG_WRITE,
            .isa = SVMC_ISA_A64,
            .size = 8,
            .address = 0xc664,
            .value = 5 },
          0xc664,
          5 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned fault = 0; fault < 4; fault++) {
            bool a64 = rows[i].e.isa == SVMC_ISA_A64;

            fresh();
            CHECK_EQ(svmc_policy_set_msrs(&policy, 0x1b, 1, SVMC_ACCESS_RW, SVMC_VERDICT_INTERPRET),
                     SVMC_OK);
            CHECK_EQ(
                svmc_policy_set_sysregs(&policy, 0xc664, 1, SVMC_ACCESS_RW, SVMC_VERDICT_INTERPRET),
                SVMC_OK);
            start();
            lab.world.reg[SVMC_REG_RIP] = 0x1000;
            lab.world.reg[SVMC_REG_R9] = 0xa9a9a9a9b9b9b9b9;
            lab.world.reg[SVMC_REG_RCX] = 0x11111111cccccccc;
            lab.world.reg[SVMC_REG_RAX] = 0x22222222aaaaaaaa;
            lab.world.reg[SVMC_REG_RDX] = 0x33333333dddddddd;
            lab.world.inside_fault = fault;
            before = lab;
            CHECK_EQ(take(rows[i].e), fault < 3 ? SVMC_OK : SVMC_ERR_CALLBACK, "row %u", i);
            CHECK_EQ(lab.world.inside_calls, 1, "row %u", i);
            CHECK_EQ(lab.world.inside_kind, rows[i].e.kind, "row %u", i);
            CHECK_EQ(lab.world.inside_number, rows[i].number, "row %u", i);
            CHECK_EQ(lab.world.inside_value, rows[i].value, "row %u", i);
            unchanged_but(NO, a64 ? SVMC_REG_RIP : SVMC_REG_PC, fault ? 0 : 3);
            CHECK_EQ(lab.out.action, fault == 0  ? SVMC_ACT_RESUME
                                     : fault < 3 ? SVMC_ACT_INJECT
                                                 : SVMC_ACT_STOP);
            if (!a64 && (fault == SVMC_FAULT_GP || fault == SVMC_FAULT_UD))
                CHECK_EQ(lab.out.fault.vector, fault == SVMC_FAULT_GP ? 13 : 6);
        }
}

/* A CSR that is written and read: the embedder gets the one and gives the other, at once. */
TEST(inside, a_csr_is_exchanged) /* EX-40 EX-59 */
{
    static const struct {
        uint16_t kind;
        uint8_t isa, size, dest, source; /* source 32: an immediate */
    } rows[] = {
        { SVMC_KIND_CSR_SWAP, SVMC_ISA_RV64, 8, 10, 11 },
        { SVMC_KIND_CSR_SET, SVMC_ISA_RV64, 8, 31, 31 },
        { SVMC_KIND_CSR_CLEAR, SVMC_ISA_RV64, 8, 0, 5 },
        { SVMC_KIND_CSR_SWAP, SVMC_ISA_RV32, 4, 10, 11 },
        { SVMC_KIND_CSR_SWAP, SVMC_ISA_RV64, 8, 10, 0 },
        { SVMC_KIND_CSR_SET, SVMC_ISA_RV64, 8, 1, 32 },
        { SVMC_KIND_CSR_WRITE, SVMC_ISA_RV64, 8, 0xff, 7 },
        { SVMC_KIND_CSR_READ, SVMC_ISA_RV32, 4, 7, 0xff },
    };
    const uint64_t held = 0x8122334485667788, given = 0x9abcdef0a1b2c3d4;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned fault = 0; fault < 4; fault++) {
            struct svmc_exit e = { .kind = rows[i].kind,
                                   .isa = rows[i].isa,
                                   .size = rows[i].size,
                                   .address = 0x14d,
                                   .value = 19 };
            bool reads = rows[i].dest < 32, done = fault == 0;
            uint64_t mask = rows[i].size == 4 ? UINT32_MAX : UINT64_MAX;

            fresh();
            for (unsigned kind = SVMC_KIND_CSR_READ; kind <= SVMC_KIND_CSR_CLEAR; kind++)
                CHECK_EQ(
                    svmc_policy_set_kind(&policy, (enum svmc_kind)kind, SVMC_VERDICT_INTERPRET),
                    SVMC_OK);
            start();
            if (reads) {
                e.dest_reg = (uint8_t)(SVMC_REG_RV_X0 + rows[i].dest);
                e.dest_bytes = rows[i].size;
            }
            if (rows[i].source < 32) {
                e.from = SVMC_FROM_VALUE_REG;
                e.value_reg = (uint8_t)(SVMC_REG_RV_X0 + rows[i].source);
                lab.world.reg[e.value_reg] = given;
            }
            lab.world.inside_value = held;
            lab.world.inside_fault = fault;
            before = lab;
            CHECK_EQ(take(e), fault < 3 ? SVMC_OK : SVMC_ERR_CALLBACK, "row %u", i);
            CHECK_EQ(lab.world.inside_kind, rows[i].kind);
            CHECK_EQ(lab.world.inside_number, 0x14d);
            CHECK_EQ(lab.world.inside_given,
                     rows[i].source == 32                            ? 19
                     : rows[i].source == 0 || rows[i].source == 0xff ? 0
                                                                     : given & mask,
                     "row %u", i);
            for (unsigned r = 0; r < WORLD_REGS; r++)
                CHECK_EQ(lab.world.reg[r],
                         done && r == SVMC_REG_RV_PC ? before.world.reg[r] + 3
                         : done && reads && rows[i].dest != 0 &&
                                 r == (unsigned)SVMC_REG_RV_X0 + rows[i].dest
                             ? held & mask
                             : before.world.reg[r],
                         "row %u, register %u", i, r);
            CHECK_EQ(lab.vc.priv.seq_count, 0);
            if (fault == SVMC_FAULT_UD)
                CHECK_EQ(lab.out.fault.vector, 2, "illegal instruction");
        }
}

TEST(inside, what_is_read_is_merged_as_ever) /* EX-58 EX-60 R9 */
{
    fresh();
    CHECK_EQ(svmc_policy_set_msrs(&policy, 0x1b, 1, SVMC_ACCESS_READ, SVMC_VERDICT_INTERPRET),
             SVMC_OK);
    CHECK_EQ(svmc_policy_set_kind(&policy, SVMC_KIND_RDTSCP, SVMC_VERDICT_INTERPRET), SVMC_OK);
    CHECK_EQ(svmc_policy_set_sysregs(&policy, 0xc020, 1, SVMC_ACCESS_READ, SVMC_VERDICT_INTERPRET),
             SVMC_OK);
    start();
    CHECK_EQ(take((struct svmc_exit){ .kind = SVMC_KIND_RDMSR, .address = 0x1b }), SVMC_OK);
    CHECK_EQ(lab.world.reg[SVMC_REG_RAX], 0x55667788);
    CHECK_EQ(lab.world.reg[SVMC_REG_RDX], 0x11223344);
    CHECK_EQ(lab.world.inside_number, 0x1b);
    CHECK_EQ(lab.world.reg[SVMC_REG_RIP], before.world.reg[SVMC_REG_RIP] + 3);
    start();
    CHECK_EQ(take((struct svmc_exit){ .kind = SVMC_KIND_RDTSCP }), SVMC_OK);
    CHECK_EQ(lab.world.reg[SVMC_REG_RAX], 0x55667788);
    CHECK_EQ(lab.world.reg[SVMC_REG_RDX], 0x11223344);
    CHECK_EQ(lab.world.reg[SVMC_REG_RCX], before.world.reg[SVMC_REG_TSC_AUX] & UINT32_MAX);
    start();
    CHECK_EQ(take((struct svmc_exit){ .kind = SVMC_KIND_CR_READ,
                                      .size = 8,
                                      .address = 4,
                                      .dest_reg = SVMC_REG_RBX,
                                      .dest_bytes = 8 }),
             SVMC_OK);
    CHECK_EQ(lab.world.reg[SVMC_REG_RBX], 0x1122334455667788);
    CHECK_EQ(lab.world.inside_number, 4);
    start();
    CHECK_EQ(take((struct svmc_exit){
                 .kind = SVMC_KIND_CR_READ, .size = 2, .dest_reg = SVMC_REG_RBX, .dest_bytes = 2 }),
             SVMC_OK, "smsw bx");
    CHECK_EQ(lab.world.reg[SVMC_REG_RBX], (before.world.reg[SVMC_REG_RBX] & ~0xffffull) | 0x7788);
    start();
    CHECK_EQ(take((struct svmc_exit){ .kind = SVMC_KIND_SYSREG_READ,
                                      .isa = SVMC_ISA_A64,
                                      .size = 8,
                                      .address = 0xc020,
                                      .dest_reg = SVMC_REG_XZR,
                                      .dest_bytes = 8 }),
             SVMC_OK);
    CHECK_EQ(lab.world.reg[SVMC_REG_XZR], before.world.reg[SVMC_REG_XZR]);
    CHECK_EQ(lab.world.reg[SVMC_REG_PC], before.world.reg[SVMC_REG_PC] + 3);
    for (unsigned fault = 1; fault < 3; fault++) {
        start();
        lab.world.inside_fault = fault;
        CHECK_EQ(take((struct svmc_exit){ .kind = SVMC_KIND_RDMSR, .address = 0x1b }), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
        CHECK_EQ(lab.out.fault.vector, fault == SVMC_FAULT_GP ? 13 : 6);
        unchanged_but(NO, NO, 0);
    }
}

TEST(inside, without_the_callback_it_is_a_fault) /* EX-58 */
{
    for (unsigned how = 0; how < 2; how++) {
        fresh();
        if (how == 0)
            ops.interpret = NULL;
        else
            ops.size = offsetof(struct svmc_host_ops, interpret); /* of an older header */
        start();
        for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
            if (kinds[i].unless_set != SVMC_VERDICT_INTERPRET)
                continue;
            CHECK_EQ(take(exit_of(kinds[i].kind)), SVMC_OK, "kind %x", kinds[i].kind);
            CHECK_EQ(lab.out.action, SVMC_ACT_INJECT, "kind %x", kinds[i].kind);
            CHECK_EQ(lab.out.fault.vector, kinds[i].vector, "kind %x", kinds[i].kind);
            unchanged_but(NO, NO, 0);
        }
        CHECK_EQ(lab.world.inside_calls, 0);
    }
}

TEST(inside, whichever_callback_fails_nothing_is_half_done) /* EX-59 */
{
    static const uint16_t some[] = { SVMC_KIND_CR_READ, SVMC_KIND_CR_WRITE, SVMC_KIND_XSETBV,
                                     SVMC_KIND_LMSW,    SVMC_KIND_CSR_SWAP, SVMC_KIND_CSR_WRITE };

    for (unsigned i = 0; i < sizeof some / sizeof some[0]; i++)
        for (unsigned k = 1;; k++) {
            struct svmc_exit e = exit_of(some[i]);
            bool write = some[i] != SVMC_KIND_CR_READ;
            enum svmc_status st;

            fresh();
            CHECK_EQ(svmc_policy_set_kind(&policy, (enum svmc_kind)some[i], SVMC_VERDICT_INTERPRET),
                     SVMC_OK);
            start();
            lab.world.fail_at = k;
            if (write && some[i] != SVMC_KIND_XSETBV) {
                e.from = SVMC_FROM_VALUE_REG;
                e.value_reg = e.isa == SVMC_ISA_RV64 ? SVMC_REG_RV_X0 + 9 : SVMC_REG_RBX;
            }
            st = take(e);
            if (st == SVMC_OK) {
                CHECK(k >= 3, "kind %x: only %u calls", some[i], k - 1);
                break;
            }
            CHECK_EQ(st, SVMC_ERR_CALLBACK, "kind %x, call %u", some[i], k);
            unchanged_but(NO, NO, 0);
            if (write) {
                CHECK_EQ(lab.world.inside_calls, 0, "kind %x, call %u", some[i], k);
                CHECK_EQ(lab.world.inside_value, before.world.inside_value);
            }
        }
}

TEST(inside, the_last_setter_counts) /* EX-5 EX-8 EX-52 */
{
    struct svmc_exit e = { .kind = SVMC_KIND_RDMSR, .address = 0x1b };

    fresh();
    CHECK_EQ(svmc_policy_set_msrs(&policy, 0, 64, SVMC_ACCESS_RW, SVMC_VERDICT_INTERPRET), SVMC_OK);
    CHECK_EQ(svmc_policy_set_msrs(&policy, 0x1b, 1, SVMC_ACCESS_READ, SVMC_VERDICT_CONST), SVMC_OK);
    CHECK_EQ(svmc_policy_set_msrs(&policy, 0x1c, 1, SVMC_ACCESS_READ, SVMC_VERDICT_DELEGATE),
             SVMC_OK);
    start();
    CHECK_EQ(take(e), SVMC_OK);
    CHECK_EQ(lab.world.inside_calls, 0);
    CHECK_EQ(lab.world.reg[SVMC_REG_RAX], 0, "CONST");
    e.kind = SVMC_KIND_WRMSR;
    CHECK_EQ(take(e), SVMC_OK);
    CHECK_EQ(lab.world.inside_calls, 1, "writes as before");
    e.address = 0x1a;
    CHECK_EQ(take(e), SVMC_OK);
    CHECK_EQ(lab.world.inside_calls, 2);
    e.kind = SVMC_KIND_RDMSR;
    e.address = 0x1c;
    CHECK_EQ(take(e), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED);
    CHECK_EQ(svmc_policy_set_msrs(&policy, 0x1a, 1, SVMC_ACCESS_RW, SVMC_VERDICT_FAULT), SVMC_OK,
             "tighter");
    CHECK_EQ(svmc_policy_set_msrs(&policy, 0x1b, 1, SVMC_ACCESS_RW, SVMC_VERDICT_INTERPRET),
             SVMC_ERR_STATE);
    start();
    e.address = 0x1a;
    CHECK_EQ(take(e), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
}
