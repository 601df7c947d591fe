/* SPDX-License-Identifier: MIT */
/* The same way of an exit on other processors: registers, program counter, instruction, fault. */
#include "scenarios.h"

static struct lab lab;
static struct fakehost_answer answer;

/* The scenario's exit, answered with `value` if it reads. */
static void exchange(const char *name, uint64_t value)
{
    uint64_t rng = 21;

    lab_init(&lab, &rng);
    CHECK_EQ(lab_exit(&lab, scenario_named(name)), SVMC_OK, "%s", name);
    CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED, "%s", name);
    REQUIRE(fakehost_prepare(lab.world.page, &answer), "%s", name);
    answer.reply.out[0] = answer.reply.out_valid ? value : 0;
}

static void accept(void)
{
    CHECK(fakehost_send(lab.world.page, &answer));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_RESUME);
}

TEST(isas, a64_loads_and_stores) /* EX-32 R9 PG-5 */
{
    uint64_t pc, x30, xzr;

    exchange("a64 ldrsb w5", 0x80);
    pc = lab.world.reg[SVMC_REG_PC];
    CHECK_MEM(answer.request.insn, "\x00\x00\x40\x39", 4, "ldrb w0, [x0] whatever the guest wrote");
    accept();
    CHECK_EQ(lab.world.reg[SVMC_REG_X0 + 5], 0xffffff80, "a W register: the upper half is 0");
    CHECK_EQ(lab.world.reg[SVMC_REG_PC], pc + 4);

    exchange("a64 ldr xzr", 0x1122334455667788);
    xzr = lab.world.reg[SVMC_REG_XZR];
    pc = lab.world.reg[SVMC_REG_PC];
    accept();
    CHECK_EQ(lab.world.reg[SVMC_REG_XZR], xzr, "nobody is asked to write it");
    CHECK_EQ(lab.world.reg[SVMC_REG_PC], pc + 4);

    exchange("a64 strh w30", 0);
    x30 = lab.world.reg[SVMC_REG_X30];
    CHECK_EQ(answer.request.in[0], x30 & 0xffff);
    CHECK_MEM(answer.request.insn, "\x00\x00\x00\x79", 4, "strh w0, [x0]");
    exchange("a64 str xzr", 0);
    CHECK_EQ(answer.request.in[0], 0, "XZR is read as 0");
}

TEST(isas, riscv_loads) /* EX-35 R9 */
{
    uint64_t pc, zero;

    exchange("rv64 lbu a0", 0xff);
    pc = lab.world.reg[SVMC_REG_RV_PC];
    accept();
    CHECK_EQ(lab.world.reg[SVMC_REG_RV_X0 + 10], 0xff);
    CHECK_EQ(lab.world.reg[SVMC_REG_RV_PC], pc + 4);
    exchange("rv64 lw x0", 0xffffffff);
    zero = lab.world.reg[SVMC_REG_RV_X0];
    accept();
    CHECK_EQ(lab.world.reg[SVMC_REG_RV_X0], zero);
}

static struct svmc_fault refused(enum svmc_isa isa, uint16_t kind, uint8_t user)
{
    bool memory = kind != SVMC_KIND_UNKNOWN;
    struct svmc_exit e = { .kind = kind,
                           .count = 1,
                           .size = memory ? 4 : 0,
                           .address = 0x1000, /* no window */
                           .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                           .insn_bytes = 4,
                           .dest_reg = isa == SVMC_ISA_A64     ? SVMC_REG_X0
                                       : isa == SVMC_ISA_S390X ? SVMC_REG_S390_R0
                                       : isa == SVMC_ISA_PPC64 ? SVMC_REG_PPC_R0
                                                               : SVMC_REG_RV_X0,
                           .dest_bytes = 8,
                           .isa = (uint8_t)isa,
                           .user = user };
    uint64_t rng = 2;

    lab_init(&lab, &rng);
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK, "%u", isa);
    CHECK_EQ(lab.out.action, SVMC_ACT_INJECT, "%u", isa);
    CHECK_EQ(lab.out.fault.raised, 1);
    return lab.out.fault;
}

TEST(isas, a_refusal_is_the_processors_own_exception) /* R7 EX-4 EX-34 */
{
    struct svmc_fault f = refused(SVMC_ISA_A64, SVMC_KIND_UNKNOWN, 0);

    CHECK_EQ(f.vector, 0, "EC: unknown reason");
    CHECK_EQ(f.error, 0);
    f = refused(SVMC_ISA_A64, SVMC_KIND_MMIO_READ, 0);
    CHECK_EQ(f.vector, 0x25, "data abort, same exception level");
    CHECK_EQ(f.error, 0x410, "FnV, synchronous external abort");
    f = refused(SVMC_ISA_A64, SVMC_KIND_MMIO_WRITE, 1);
    CHECK_EQ(f.vector, 0x24, "from EL0");
    CHECK_EQ(f.error, 0x450, "and WnR");
    CHECK_EQ(refused(SVMC_ISA_RV64, SVMC_KIND_UNKNOWN, 0).vector, 2, "illegal instruction");
    CHECK_EQ(refused(SVMC_ISA_RV32, SVMC_KIND_MMIO_READ, 0).vector, 5, "load access fault");
    CHECK_EQ(refused(SVMC_ISA_RV64, SVMC_KIND_MMIO_WRITE, 0).vector, 7, "store access fault");
    CHECK_EQ(refused(SVMC_ISA_S390X, SVMC_KIND_UNKNOWN, 0).vector, 1, "operation");
    CHECK_EQ(refused(SVMC_ISA_S390X, SVMC_KIND_MMIO_READ, 0).vector, 5, "addressing");
    CHECK_EQ(refused(SVMC_ISA_PPC64, SVMC_KIND_UNKNOWN, 0).vector, 7, "program, 700");
    CHECK_EQ(refused(SVMC_ISA_PPC64, SVMC_KIND_MMIO_WRITE, 0).vector, 3, "data storage, 300");
}

TEST(isas, registers_of_another_processor_are_refused) /* EX-1 */
{
    static const struct {
        uint8_t isa, reg, bytes;
    } odd[] = {
        { SVMC_ISA_A64, SVMC_REG_RAX, 8 },       { SVMC_ISA_A64, SVMC_REG_SP, 8 },
        { SVMC_ISA_A64, SVMC_REG_X0, 2 },        { SVMC_ISA_X86_64, SVMC_REG_X0, 8 },
        { SVMC_ISA_RV64, SVMC_REG_X0, 8 },       { SVMC_ISA_RV64, SVMC_REG_RV_PC, 8 },
        { SVMC_ISA_A32, SVMC_REG_X0, 4 },        { SVMC_ISA_S390X, SVMC_REG_RV_X31, 8 },
        { SVMC_ISA_PPC64 + 1, SVMC_REG_RAX, 8 }, { SVMC_ISA_X86_64, SVMC_REG_NONE, 8 },
    };

    for (unsigned i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct svmc_exit e = { .kind = SVMC_KIND_MMIO_READ,
                               .count = 1,
                               .size = 4,
                               .address = LAB_GPA,
                               .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                               .insn_bytes = 4,
                               .isa = odd[i].isa,
                               .dest_reg = odd[i].reg,
                               .dest_bytes = odd[i].bytes };
        uint64_t rng = 2;

        lab_init(&lab, &rng);
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG, "%u", i);
        e.kind = SVMC_KIND_MMIO_WRITE;
        e.from = SVMC_FROM_VALUE_REG;
        e.value_reg = odd[i].reg;
        if (odd[i].bytes != 2)
            CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG, "%u", i);
    }
}
