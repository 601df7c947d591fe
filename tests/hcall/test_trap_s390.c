/* SPDX-License-Identifier: MIT */
/* docs/spec/trap.md: 0000h and DIAGNOSE. */
#include "trap_lab.h"

#define DIAG_CODE 0x15cu
#define PROBLEM   0x0001000000000000u
#define R1        (SVMC_REG_S390_R0 + 1)

static struct svmc_trap_s390 raw;

static enum svmc_status run(void)
{
    return svmc_trap_from_s390(&config, &raw, &ops, &lab, &got);
}

static enum svmc_status match(void)
{
    lab.calls = 0;
    memset(&got, 0xee, sizeof got);
    return run();
}

static void start(uint64_t word, bool user)
{
    lab_reset();
    memset(&raw, 0, sizeof raw);
    config.kernel = config.user = WAY(ZERO) | WAY(DIAG);
    config.diag = DIAG_CODE;
    raw.psw_mask = 0x0705000180000000u & ~PROBLEM;
    if (user)
        raw.psw_mask |= PROBLEM;
    raw.code = 0x2c; /* ICPT_OPEREXC */
    lab.reg[R1] = word;
    lab.reg[SVMC_REG_S390_R0 + 2] = 0x1234567800000000u | MAGIC;
    lab.reg[SVMC_REG_S390_R0 + 5] = 0x5555666677775658u + ((word & 0x10) ? 1 : 0);
}

/* diag %r2, %r4, 0x15c: 83 24 01 5c, as the guest header has it. */
static void start_diag(uint64_t word, bool user)
{
    start(word, user);
    raw.code = 0x04; /* ICPT_INST */
    raw.ipa = 0x8324;
    raw.ipb = 0x015c0000;
}

TEST(trap_s390, zero_calls) /* TM-3 TM-4 TM-19 TM-21 */
{
    for (unsigned user = 0; user < 2; user++) {
        start(LOW_WORD, user);
        CHECK_EQ(match(), SVMC_OK);
        check_vmware(false, false, 0, "low");
        check_args(SVMC_ISA_S390X);
        CHECK(got.user == user && got.isa == SVMC_ISA_S390X && got.way == SVMC_TRAP_WAY_ZERO);
        fail_each(run, "low");
        start(IN_WORD, user);
        CHECK_EQ(match(), SVMC_OK);
        check_vmware(true, false, 0, "high");
        start(CONTROL, user);
        CHECK_EQ(match(), SVMC_OK);
        check_native(0, "native");
        CHECK_EQ(lab.calls, 1);
        raw.status = 0x41; /* the target of EXECUTE */
        lab.execute = 4;
        CHECK_EQ(match(), SVMC_OK);
        check_native(0, "by EXECUTE");
        raw.status = 0x61;
        lab.execute = 6;
        CHECK_EQ(match(), SVMC_OK);
        check_native(0, "by EXECUTE RELATIVE LONG");
        start(0x860000000c, user);
        CHECK_EQ(match(), SVMC_OK);
        CHECK(got.verdict == SVMC_TRAP_CALL && got.abi == SVMC_TRAP_IO && got.insn_bytes == 0);
        CHECK_EQ(got.back, 2);
    }
}

TEST(trap_s390, zero_of_others_is_an_operation_exception) /* TM-1 TM-2 TM-19 */
{
    static const struct {
        const char *name;
        uint64_t word;
        uint8_t status, length; /* Linux, kvm_s390_get_ilen */
    } rows[] = {
        { "0", 0, 0, 2 },
        { "another magic", 0x850000000e, 0, 2 },
        { "no word", 0x860000004e, 0, 2 },
        { "magic and more", 0x00ff00860000000e, 0, 2 },
        { "by EX", 0, 0x41, 4 },
        { "by EXRL", 0, 0x61, 6 },
        { "by EXECUTE, of no length", 0, 0x01, 4 },
        { "status without EXECUTE", 0, 0x60, 2 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        start(rows[i].word, true);
        raw.status = rows[i].status;
        CHECK_EQ(match(), SVMC_OK, "%s", rows[i].name);
        check_forward(1, 0, 0, 0, rows[i].name);
        CHECK(got.insn_bytes == rows[i].length && got.back == 0, "%s", rows[i].name);
    }
    start(LOW_WORD, true);
    config.user = 0;
    CHECK_EQ(match(), SVMC_OK);
    check_forward(1, 0, 0, 0, "open to the kernel alone");
    CHECK_EQ(lab.calls, 0);
    config.kernel = ~WAY(ZERO);
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "closed");
    start(CONTROL, true);
    config.abis = ABI(VMWARE);
    CHECK_EQ(match(), SVMC_OK);
    check_forward(1, 0, 0, 0, "not spoken");
    start(LOW_WORD, true);
    raw.ipa = 0xb256; /* STHYI, which KVM emulates */
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "another operation exception");
    raw.ipa = 0;
    raw.code = 0x04;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "another interception");
}

TEST(trap_s390, diagnose) /* TM-2 TM-20 */
{
    start_diag(CONTROL, false);
    CHECK_EQ(match(), SVMC_OK);
    check_native(0, "DIAGNOSE");
    CHECK(got.way == SVMC_TRAP_WAY_DIAG && got.user == 0 && lab.calls == 1);
    fail_each(run, "DIAGNOSE");
    lab.reg[R1] = LOW_WORD;
    CHECK_EQ(match(), SVMC_OK);
    check_vmware(false, false, 0, "VMware's");
    check_args(SVMC_ISA_S390X);
    raw.ipb = 0x3fff0000; /* 0xfff(%r3) */
    lab.reg[SVMC_REG_S390_R0 + 3] = 0xffffffffffff0000u + DIAG_CODE - 0xfff;
    CHECK_EQ(match(), SVMC_OK);
    check_vmware(false, false, 0, "base and displacement");
    fail_each(run, "base and displacement");
    raw.status = 0x61; /* the length of EXRL */
    lab.execute = 6;
    CHECK_EQ(match(), SVMC_OK);
    check_vmware(false, false, 0, "by EXRL");
    start_diag(NATIVE_WORD, false);
    CHECK_EQ(match(), SVMC_OK);
    check_forward(6, 0, 0, 0, "no word");
    CHECK_EQ(got.insn_bytes, 4);
    start_diag(CONTROL, true);
    CHECK_EQ(match(), SVMC_OK);
    check_forward(2, 0, 0, 0, "the problem state");
    CHECK(got.insn_bytes == 4 && lab.calls == 0);
    start_diag(CONTROL, false);
    raw.ipb = 0x05000000;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "DIAGNOSE 500: KVM's");
    start_diag(CONTROL, false);
    config.kernel = ~WAY(DIAG);
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "closed to the kernel");
    start_diag(CONTROL, false);
    raw.ipb = 0;
    config.diag = 0;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got) && lab.calls == 0, "no code is not code 0");
    start_diag(CONTROL, false);
    raw.ipa = 0x8224; /* LPSW */
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "another instruction");
}

TEST(trap_s390, arguments) /* TM-1 */
{
    start(LOW_WORD, true);
    CHECK_EQ(svmc_trap_from_s390(NULL, &raw, &ops, &lab, &got), SVMC_ERR_ARG);
    CHECK_EQ(svmc_trap_from_s390(&config, NULL, &ops, &lab, &got), SVMC_ERR_ARG);
    CHECK_EQ(svmc_trap_from_s390(&config, &raw, NULL, &lab, &got), SVMC_ERR_ARG);
    CHECK(all_zero(&got));
    CHECK_EQ(svmc_trap_from_s390(&config, &raw, &ops, &lab, NULL), SVMC_ERR_ARG);
}
