/* SPDX-License-Identifier: MIT */
/* From a trap to a call and back into the registers: docs/spec/answer.md. */
#include <svmcore/answer.h>
#include <svmcore/guest/hypercall.h>

#include "../harness.h"

#define PC 0x1122334455667788u

static struct {
    uint64_t reg[256];
    unsigned reads, writes, fail_at;
} vcpu;
static struct svmc_trap trap;
static struct svmc_fault fault;
static const struct svmc_fault none;

static enum svmc_status read_reg(void *ctx, uint32_t reg, uint64_t *value)
{
    CHECK(ctx == &vcpu && *value == 0 && reg < 256);
    *value = vcpu.reg[reg & 255];
    return ++vcpu.reads == vcpu.fail_at ? SVMC_ERR_STATE : SVMC_OK;
}

static void write_reg(void *ctx, uint32_t reg, uint64_t value)
{
    CHECK(ctx == &vcpu && reg < 256);
    vcpu.reg[reg & 255] = value;
    vcpu.writes++;
}

static const struct svmc_host_ops ops = {
    .size = offsetof(struct svmc_host_ops, reg_write) + sizeof(void *),
    .reg_read = read_reg,
    .reg_write = write_reg,
};

/* Each register has a value of its own; the trap is one of this ISA and way. */
static void start(enum svmc_isa isa, enum svmc_trap_way way, uint8_t insn_bytes, uint8_t back)
{
    memset(&vcpu, 0, sizeof vcpu);
    for (unsigned n = 0; n < 256; n++)
        vcpu.reg[n] = 0xdeadbeef00000000u + 0x01010101u * n;
    vcpu.reg[SVMC_REG_RIP] = vcpu.reg[SVMC_REG_PC] = PC;
    vcpu.reg[SVMC_REG_RV_PC] = vcpu.reg[SVMC_REG_S390_IA] = PC;
    memset(&trap, 0, sizeof trap);
    trap.verdict = SVMC_TRAP_CALL;
    trap.abi = SVMC_TRAP_VMWARE;
    trap.isa = (uint8_t)isa;
    trap.way = (uint8_t)way;
    trap.insn_bytes = insn_bytes;
    trap.back = back;
    for (unsigned n = 0; n < SVMC_IOX_ARGS; n++)
        if (svmc_trap_reg(&trap, n) != SVMC_REG_NONE)
            trap.arg[n] = vcpu.reg[svmc_trap_reg(&trap, n)];
    memset(&fault, 0xee, sizeof fault);
}

static enum svmc_answer vmware(enum svmc_status st, const struct svmc_vmware_call *call,
                               const struct svmc_vmware_result *result)
{
    return svmc_answer_vmware(&trap, &ops, &vcpu, st, call, result, &fault);
}

static enum svmc_answer native(enum svmc_status st, const struct svmc_hcall_call *call,
                               const struct svmc_hcall_result *result)
{
    return svmc_answer_native(&trap, &ops, &vcpu, st, call, result, &fault);
}

TEST(answer, a_call_of_vmware) /* AN-1 */
{
    static const struct svmc_vmware_call zero;
    struct svmc_vmware_call call;

    start(SVMC_ISA_A64, SVMC_TRAP_WAY_HVC, 0, 4);
    trap.user = trap.high = trap.write = 1;
    memset(&call, 0xee, sizeof call);
    CHECK_EQ(svmc_answer_vmware_call(&trap, 7, &call), SVMC_OK);
    CHECK(call.isa == SVMC_ISA_A64 && call.user == 1 && call.high == 1 && call.write == 1 &&
          call.way == SVMC_TRAP_WAY_HVC && call.vcpu == 7);
    CHECK(call.iopl == 0 && call.base == 0 && !call.data && call.data_bytes == 0);
    CHECK_MEM(call.arg, trap.arg, sizeof call.arg);
    trap.abi = SVMC_TRAP_NATIVE;
    CHECK_EQ(svmc_answer_vmware_call(&trap, 7, &call), SVMC_ERR_ARG);
    CHECK_MEM(&call, &zero, sizeof zero);
    trap.abi = SVMC_TRAP_VMWARE;
    trap.verdict = SVMC_TRAP_FORWARD;
    CHECK_EQ(svmc_answer_vmware_call(&trap, 7, &call), SVMC_ERR_ARG);
    CHECK_EQ(svmc_answer_vmware_call(NULL, 7, &call), SVMC_ERR_ARG);
    CHECK_EQ(svmc_answer_vmware_call(&trap, 7, NULL), SVMC_ERR_ARG);
}

TEST(answer, what_is_done_is_written) /* AN-2 AN-3 */
{
    static const struct {
        const char *name;
        enum svmc_isa isa;
        enum svmc_trap_way way;
        uint8_t insn_bytes, back, in;
        enum svmc_reg data, second, pc;
        uint64_t data_is, pc_is;
    } rows[] = {
        { "IN, VMX", SVMC_ISA_X86_64, SVMC_TRAP_WAY_PORT, 1, 0, 1, SVMC_REG_RAX, SVMC_REG_RBX,
          SVMC_REG_RIP, 0x55667788, PC + 1 },
        { "IN, #GP", SVMC_ISA_X86_64, SVMC_TRAP_WAY_GP, 2, 0, 1, SVMC_REG_RAX, SVMC_REG_RBX,
          SVMC_REG_RIP, 0x55667788, PC + 2 },
        { "IN, KVM", SVMC_ISA_X86_64, SVMC_TRAP_WAY_PORT, 0, 0, 1, SVMC_REG_RAX, SVMC_REG_RBX,
          SVMC_REG_RIP, 0x55667788, PC },
        { "OUT", SVMC_ISA_X86_64, SVMC_TRAP_WAY_PORT, 1, 0, 0, SVMC_REG_RAX, SVMC_REG_RBX,
          SVMC_REG_RIP, 0x1122334455667788, PC + 1 },
        { "VMCALL", SVMC_ISA_X86_64, SVMC_TRAP_WAY_VMCALL, 3, 0, 1, SVMC_REG_RAX, SVMC_REG_RBX,
          SVMC_REG_RIP, 0x1122334455667788, PC + 3 },
        { "VMCALL, 32 bits", SVMC_ISA_X86_32, SVMC_TRAP_WAY_VMCALL, 3, 0, 1, SVMC_REG_RAX,
          SVMC_REG_RBX, SVMC_REG_RIP, 0x1122334455667788, 0x5566778b },
        { "HVC", SVMC_ISA_A64, SVMC_TRAP_WAY_HVC, 0, 4, 1, SVMC_REG_X0, SVMC_REG_X0 + 1,
          SVMC_REG_PC, 0x1122334455667788, PC },
        { "MRS", SVMC_ISA_A64, SVMC_TRAP_WAY_MRS, 4, 0, 1, SVMC_REG_X0, SVMC_REG_X0 + 1,
          SVMC_REG_PC, 0x1122334455667788, PC + 4 },
        { "CSR", SVMC_ISA_RV64, SVMC_TRAP_WAY_CSR, 4, 0, 1, SVMC_REG_RV_X0 + 10,
          SVMC_REG_RV_X0 + 11, SVMC_REG_RV_PC, 0x1122334455667788, PC + 4 },
        { "CSR, 32 bits", SVMC_ISA_RV32, SVMC_TRAP_WAY_CSR, 4, 0, 1, SVMC_REG_RV_X0 + 10,
          SVMC_REG_RV_X0 + 11, SVMC_REG_RV_PC, 0x1122334455667788, 0x5566778c },
        { "DIAG", SVMC_ISA_S390X, SVMC_TRAP_WAY_DIAG, 0, 4, 1, SVMC_REG_S390_R0 + 2,
          SVMC_REG_S390_R0 + 3, SVMC_REG_S390_IA, 0x1122334455667788, PC },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_vmware_result result = { .end = SVMC_VMWARE_DONE, .changed = 3 };
        bool moves = rows[i].insn_bytes != 0;
        struct svmc_vmware_call call;
        uint64_t was;

        start(rows[i].isa, rows[i].way, rows[i].insn_bytes, rows[i].back);
        trap.io.in = rows[i].in;
        CHECK_EQ(svmc_answer_vmware_call(&trap, 0, &call), SVMC_OK);
        call.arg[0] = 0x1122334455667788;
        call.arg[1] = 42;
        call.arg[2]++; /* not said to be changed */
        was = trap.arg[2];
        CHECK_EQ(vmware(SVMC_OK, &call, &result), SVMC_ANSWER_RESUME, "%s", rows[i].name);
        CHECK_MEM(&fault, &none, sizeof none);
        CHECK_EQ(vcpu.reg[rows[i].data], rows[i].data_is, "%s", rows[i].name);
        CHECK_EQ(vcpu.reg[rows[i].second], 42, "%s", rows[i].name);
        CHECK_EQ(vcpu.reg[svmc_trap_reg(&trap, 2)], was, "%s", rows[i].name);
        CHECK_EQ(vcpu.reg[rows[i].pc], rows[i].pc_is, "%s", rows[i].name);
        CHECK_EQ(vcpu.writes, 2u + moves, "%s", rows[i].name);
        CHECK_EQ(vcpu.reads, moves || rows[i].back != 0, "%s", rows[i].name);
    }
    /* IN writes EAX even if it is what was there: the upper half goes */
    start(SVMC_ISA_X86_64, SVMC_TRAP_WAY_PORT, 1, 0);
    trap.io.in = 1;
    {
        struct svmc_vmware_result result = { .end = SVMC_VMWARE_DONE };
        struct svmc_vmware_call call;

        CHECK_EQ(svmc_answer_vmware_call(&trap, 0, &call), SVMC_OK);
        CHECK_EQ(vmware(SVMC_OK, &call, &result), SVMC_ANSWER_RESUME);
        CHECK_EQ(vcpu.reg[SVMC_REG_RAX], (uint32_t)call.arg[0]);
        trap.io.string = 1; /* INS writes memory and its registers alone */
        vcpu.reg[SVMC_REG_RAX] = 9;
        CHECK_EQ(vmware(SVMC_OK, &call, &result), SVMC_ANSWER_RESUME);
        CHECK_EQ(vcpu.reg[SVMC_REG_RAX], 9);
    }
}

TEST(answer, a_call_that_is_not_over) /* AN-3 AN-4 AN-5 */
{
    static const struct svmc_fault page = { .raised = 1, .vector = 14, .has_error = 1, .error = 6 };
    static const struct {
        const char *name;
        enum svmc_isa isa;
        uint8_t insn_bytes, back;
        uint64_t pc; /* afterwards; 0: there is no way back */
    } rows[] = {
        { "VMX, KVM's VMCALL", SVMC_ISA_X86_64, 3, 0, PC },
        { "HVC", SVMC_ISA_A64, 0, 4, PC - 4 },
        { "s390x", SVMC_ISA_S390X, 0, 2, PC - 2 },
        { "KVM_EXIT_IO, TDX", SVMC_ISA_X86_64, 0, 0, 0 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned end = 0; end < 4; end++) { /* 0: an error, 3: one that had come so far */
            bool way = rows[i].pc != 0, faults = end == 1, error = end == 0 || end == 3;
            enum svmc_trap_way by =
                rows[i].isa == SVMC_ISA_A64 ? SVMC_TRAP_WAY_HVC : SVMC_TRAP_WAY_PORT;
            struct svmc_vmware_result result = {
                .end = error    ? SVMC_VMWARE_FAILED
                       : faults ? SVMC_VMWARE_FAULT
                                : SVMC_VMWARE_BUSY,
                .changed = faults || end == 3 ? 1u << 2 : 0,
                .fault = faults ? page : none,
            };
            struct svmc_vmware_call call;
            enum svmc_answer want = error    ? SVMC_ANSWER_STOP
                                    : !way   ? SVMC_ANSWER_AGAIN
                                    : faults ? SVMC_ANSWER_INJECT
                                             : SVMC_ANSWER_RESUME;
            uint64_t pc;

            start(rows[i].isa, by, rows[i].insn_bytes, rows[i].back);
            trap.io.in = 1;
            CHECK_EQ(svmc_answer_vmware_call(&trap, 0, &call), SVMC_OK);
            call.arg[2] = 42;
            CHECK_EQ(vmware(error ? SVMC_ERR_CALLBACK : SVMC_OK, &call, &result), want, "%s %u",
                     rows[i].name, end);
            CHECK_MEM(&fault, faults ? &page : &none, sizeof fault);
            pc = vcpu.reg[rows[i].isa == SVMC_ISA_A64     ? SVMC_REG_PC
                          : rows[i].isa == SVMC_ISA_S390X ? SVMC_REG_S390_IA
                                                          : SVMC_REG_RIP];
            CHECK_EQ(pc, way ? rows[i].pc : PC, "%s %u", rows[i].name, end);
            CHECK_EQ(vcpu.writes, way ? (result.changed != 0) + (rows[i].back != 0) : 0, "%s %u",
                     rows[i].name, end);
            if (way && result.changed)
                CHECK_EQ(vcpu.reg[svmc_trap_reg(&trap, 2)], 42);
        }
}

TEST(answer, what_cannot_be_answered) /* AN-2 AN-3 AN-5 */
{
    struct svmc_vmware_result result = { .end = SVMC_VMWARE_NOT_OURS };
    struct svmc_hcall_result done = { .end = SVMC_HCALL_DONE };
    struct svmc_hcall_call hcall = { 0 };
    struct svmc_host_ops some = ops;
    struct svmc_vmware_call call;

    start(SVMC_ISA_X86_64, SVMC_TRAP_WAY_VMCALL, 3, 0);
    CHECK_EQ(svmc_answer_vmware_call(&trap, 0, &call), SVMC_OK);
    CHECK_EQ(vmware(SVMC_OK, &call, &result), SVMC_ANSWER_OTHERS);
    result.end = SVMC_VMWARE_DONE;
    CHECK_EQ(vmware(SVMC_OK, NULL, &result), SVMC_ANSWER_STOP);
    CHECK_EQ(vmware(SVMC_OK, &call, NULL), SVMC_ANSWER_STOP);
    CHECK_EQ(svmc_answer_vmware(NULL, &ops, &vcpu, SVMC_OK, &call, &result, &fault),
             SVMC_ANSWER_STOP);
    CHECK_EQ(svmc_answer_vmware(&trap, &ops, &vcpu, SVMC_OK, &call, &result, NULL),
             SVMC_ANSWER_STOP);
    CHECK_EQ(svmc_answer_guest(&trap, NULL, &vcpu, &fault), SVMC_ANSWER_STOP);
    some.size = offsetof(struct svmc_host_ops, reg_write);
    CHECK_EQ(svmc_answer_native(&trap, &some, &vcpu, SVMC_OK, &hcall, &done, &fault),
             SVMC_ANSWER_STOP);
    some.size = ops.size;
    some.reg_read = NULL;
    CHECK_EQ(svmc_answer_native(&trap, &some, &vcpu, SVMC_OK, &hcall, &done, &fault),
             SVMC_ANSWER_STOP);
    vcpu.fail_at = vcpu.reads + 1; /* the program counter */
    CHECK_EQ(vmware(SVMC_OK, &call, &result), SVMC_ANSWER_STOP);
    vcpu.fail_at = vcpu.reads + 1;
    CHECK_EQ(native(SVMC_OK, &hcall, &done), SVMC_ANSWER_STOP);
    trap.verdict = SVMC_TRAP_FORWARD;
    vcpu.fail_at = vcpu.reads + 1;
    CHECK_EQ(svmc_answer_guest(&trap, &ops, &vcpu, &fault), SVMC_ANSWER_STOP);
    CHECK_EQ(vcpu.writes, 0);
}

TEST(answer, a_native_call) /* AN-6 */
{
    static const enum svmc_isa isas[] = { SVMC_ISA_X86_64, SVMC_ISA_A64, SVMC_ISA_RV64,
                                          SVMC_ISA_S390X };
    static const struct svmc_hcall_call zero;
    struct svmc_hcall_call call;

    for (unsigned i = 0; i < 4; i++)
        for (unsigned token = 0; token < 2; token++) {
            unsigned reads = token ? 11 : 8;

            start(isas[i], SVMC_TRAP_WAY_HVC, 0, 4);
            trap.abi = SVMC_TRAP_NATIVE;
            trap.user = token;
            vcpu.reg[svmc_hcall_reg(isas[i], SVMC_HCALL_REG_CONTROL)] =
                token ? SVMC_HCALL_TOKEN | 9 : 9;
            CHECK_EQ(svmc_answer_native_call(&trap, &ops, &vcpu, &call), SVMC_OK);
            CHECK(call.user == token && call.ip == PC - 4 && (call.control & 0xffff) == 9);
            for (unsigned n = 0; n < 6; n++)
                CHECK_EQ(call.arg[n], vcpu.reg[svmc_hcall_reg(isas[i], SVMC_HCALL_REG_ARG + n)]);
            for (unsigned n = 0; n < 3; n++)
                CHECK_EQ(call.token[n],
                         token ? vcpu.reg[svmc_hcall_reg(isas[i], SVMC_HCALL_REG_TOKEN + n)] : 0);
            CHECK_EQ(vcpu.reads, reads);
            for (unsigned k = 1; k <= reads; k++) {
                vcpu.reads = 0;
                vcpu.fail_at = k;
                CHECK_EQ(svmc_answer_native_call(&trap, &ops, &vcpu, &call), SVMC_ERR_CALLBACK);
                CHECK_MEM(&call, &zero, sizeof zero);
            }
        }
    trap.abi = SVMC_TRAP_IO;
    CHECK_EQ(svmc_answer_native_call(&trap, &ops, &vcpu, &call), SVMC_ERR_ARG);
    trap.abi = SVMC_TRAP_NATIVE;
    CHECK_EQ(svmc_answer_native_call(NULL, &ops, &vcpu, &call), SVMC_ERR_ARG);
    CHECK_EQ(svmc_answer_native_call(&trap, NULL, &vcpu, &call), SVMC_ERR_ARG);
    CHECK_EQ(svmc_answer_native_call(&trap, &ops, &vcpu, NULL), SVMC_ERR_ARG);
    trap.verdict = SVMC_TRAP_NOT_OURS;
    CHECK_EQ(svmc_answer_native_call(&trap, &ops, &vcpu, &call), SVMC_ERR_ARG);
}

TEST(answer, a_native_answer) /* AN-4 AN-7 */
{
    static const struct svmc_fault ud = { .raised = 1, .vector = 6 };
    struct svmc_hcall_result result = { .end = SVMC_HCALL_DONE, .results = 2 };
    struct svmc_hcall_call call = { .arg = { 11, 12, 13 } };

    start(SVMC_ISA_X86_64, SVMC_TRAP_WAY_VMCALL, 3, 0);
    CHECK_EQ(native(SVMC_OK, &call, &result), SVMC_ANSWER_RESUME);
    CHECK(vcpu.reg[SVMC_REG_RAX] == 0 && vcpu.reg[SVMC_REG_RDI] == 11 &&
          vcpu.reg[SVMC_REG_RSI] == 12 && vcpu.reg[SVMC_REG_RIP] == PC + 3 && vcpu.writes == 4);
    start(SVMC_ISA_A64, SVMC_TRAP_WAY_HVC, 0, 4);
    result = (struct svmc_hcall_result){ .end = SVMC_HCALL_INJECT,
                                         .status = SVMC_HCALL_DENIED,
                                         .fault = ud };
    CHECK_EQ(native(SVMC_OK, &call, &result), SVMC_ANSWER_INJECT);
    CHECK(vcpu.reg[SVMC_REG_PC] == PC - 4 && vcpu.writes == 1);
    CHECK_MEM(&fault, &ud, sizeof ud);
    start(SVMC_ISA_X86_64, SVMC_TRAP_WAY_PORT, 0, 0); /* KVM ends the instruction */
    result.status = 0;
    CHECK_EQ(native(SVMC_OK, &call, &result), SVMC_ANSWER_RESUME);
    CHECK(vcpu.reg[SVMC_REG_RAX] == SVMC_HCALL_DENIED && vcpu.writes == 1);
    CHECK_MEM(&fault, &none, sizeof none);
    result.end = SVMC_HCALL_BROKEN;
    CHECK_EQ(native(SVMC_OK, &call, &result), SVMC_ANSWER_STOP);
    result.end = SVMC_HCALL_DONE;
    CHECK_EQ(native(SVMC_ERR_CALLBACK, &call, &result), SVMC_ANSWER_STOP);
    CHECK_EQ(native(SVMC_OK, NULL, &result), SVMC_ANSWER_STOP);
    CHECK_EQ(native(SVMC_OK, &call, NULL), SVMC_ANSWER_STOP);
    CHECK_EQ(vcpu.writes, 1);
}

TEST(answer, the_guests_own) /* AN-8 */
{
    static const struct svmc_fault gp = { .raised = 1, .vector = 13, .has_error = 1 };

    start(SVMC_ISA_A64, SVMC_TRAP_WAY_MRS, 4, 0);
    trap.verdict = SVMC_TRAP_EMULATE_READ;
    trap.dest = SVMC_REG_X0 + 5;
    trap.value = 0x1234;
    CHECK_EQ(svmc_answer_guest(&trap, &ops, &vcpu, &fault), SVMC_ANSWER_RESUME);
    CHECK(vcpu.reg[SVMC_REG_X0 + 5] == 0x1234 && vcpu.reg[SVMC_REG_PC] == PC + 4);
    trap.dest = SVMC_REG_NONE;
    vcpu.writes = 0;
    CHECK_EQ(svmc_answer_guest(&trap, &ops, &vcpu, &fault), SVMC_ANSWER_RESUME);
    CHECK_EQ(vcpu.writes, 1);
    start(SVMC_ISA_S390X, SVMC_TRAP_WAY_ZERO, 2, 2);
    trap.verdict = SVMC_TRAP_FORWARD;
    trap.fault = gp;
    CHECK_EQ(svmc_answer_guest(&trap, &ops, &vcpu, &fault), SVMC_ANSWER_INJECT);
    CHECK(vcpu.reg[SVMC_REG_S390_IA] == PC - 2 && vcpu.writes == 1);
    CHECK_MEM(&fault, &gp, sizeof gp);
    for (unsigned verdict = 0; verdict < 256; verdict++) {
        if (verdict == SVMC_TRAP_EMULATE_READ || verdict == SVMC_TRAP_FORWARD)
            continue;
        trap.verdict = (uint8_t)verdict;
        vcpu.writes = 0;
        CHECK_EQ(svmc_answer_guest(&trap, &ops, &vcpu, &fault), SVMC_ANSWER_OTHERS);
        CHECK(vcpu.writes == 0 && fault.raised == 0);
    }
}
