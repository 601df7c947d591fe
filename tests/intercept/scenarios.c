/* SPDX-License-Identifier: MIT */
#include "scenarios.h"

#include <svmcore/guest/hypercall.h>

#define OWN              .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP, .insn_bytes = 3
#define PORT(k, n)       .kind = SVMC_KIND_##k, .size = n, .count = 1, .address = LAB_PORT
#define MMIO(k, n)       .kind = SVMC_KIND_MMIO_##k, .size = n, .count = 1, .address = LAB_GPA
#define MSR(k)           .kind = SVMC_KIND_##k, .count = 1, .address = LAB_MSR
#define SYSREG(k)        .kind = SVMC_KIND_SYSREG_##k, .size = 8, .count = 1, .address = LAB_SYSREG
#define CALL(k, n)       .kind = SVMC_KIND_##k, .count = 1, .address = n
#define DEST(r, n, h, x) .dest_reg = SVMC_REG_##r, .dest_bytes = n, .dest_high = h, .dest_extend = x
#define STRING(k, n) \
    .kind = SVMC_KIND_##k, .size = n, .count = 5, .address = LAB_PORT, .address_bytes = 8
#define WORD(isa_) \
    .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP, .insn_bytes = 4, .isa = SVMC_ISA_##isa_
#define S390(k)   .kind = SVMC_KIND_##k, .finish = SVMC_FINISH_REGS, .count = 1, .isa = ISA_S390X
#define ISA_S390X SVMC_ISA_S390X
#define ARGS(a, b, c) \
    .arg = { SVMC_REG_S390_R0 + (a), SVMC_REG_S390_R0 + (b), SVMC_REG_S390_R0 + (c) }
#define FROM(what) .from = SVMC_FROM_##what
#define CORE(k)    .kind = SVMC_KIND_##k, .isa = SVMC_ISA_X86_64
#define REALM(k)   .kind = SVMC_KIND_##k, .count = 1, .isa = SVMC_ISA_A64
#define BLOCK(at)  .buffer = { WORLD_LINEAR + (at) }
#define BUFFER(at) .repeat = 1, .buffer = { WORLD_LINEAR + (at) }

const struct scenario scenarios[] = {
    { "cpuid own", { OWN, .kind = SVMC_KIND_CPUID, .count = 1 } },
    { "rdmsr kvm", { MSR(RDMSR) } },
    { "rdmsr own", { OWN, MSR(RDMSR) } },
    { "wrmsr kvm", { MSR(WRMSR), .value = 0x1122334455667788 } },
    { "wrmsr own", { OWN, MSR(WRMSR), .value = 0x1122334455667788 } },
    { "rdtsc own", { OWN, .kind = SVMC_KIND_RDTSC, .count = 1 } },
    { "rdtscp own", { OWN, .kind = SVMC_KIND_RDTSCP, .count = 1 } },
    { "rdmsr tsc own", { OWN, .kind = SVMC_KIND_RDMSR, .count = 1, .address = 0x10 } },
    { "rdpmc own, ecx",
      { OWN, .kind = SVMC_KIND_RDPMC, .count = 1, .address = 2, FROM(ADDRESS_REG),
        .address_reg = SVMC_REG_RCX } },
    { "in 1 kvm", { PORT(IN, 1) } },
    { "in 4 kvm", { PORT(IN, 4) } },
    { "in al own", { OWN, PORT(IN, 1), DEST(RAX, 1, 0, 0) } },
    { "in ax own", { OWN, PORT(IN, 2), DEST(RAX, 2, 0, 0) } },
    { "in eax own", { OWN, PORT(IN, 4), DEST(RAX, 4, 0, 0) } },
    { "out 1 kvm", { PORT(OUT, 1), .value = 0x41 } },
    { "out ax own", { OWN, PORT(OUT, 2), .value = 0x4142 } },
    { "ins 1 kvm", { STRING(INS, 1) } },
    { "ins 4 own", { OWN, STRING(INS, 4), BUFFER(0x100) } },
    { "ins 2 own, crosses a page", { OWN, STRING(INS, 2), BUFFER(0xffb) } },
    { "outs 1 kvm", { STRING(OUTS, 1) } },
    { "outs 2 own", { OWN, STRING(OUTS, 2), BUFFER(0x200) } },
    { "outs 4 own, crosses a page", { OWN, STRING(OUTS, 4), BUFFER(0x1ff6) } },
    { "mmio read 8 kvm", { MMIO(READ, 8) } },
    { "mmio read 3 kvm", { MMIO(READ, 3) } },
    { "mov ah, m8 own", { OWN, MMIO(READ, 1), DEST(RAX, 1, 1, 0) } },
    { "mov r11w, m16 own", { OWN, MMIO(READ, 2), DEST(R11, 2, 0, 0) } },
    { "mov ebx, m32 own", { OWN, MMIO(READ, 4), DEST(RBX, 4, 0, 0) } },
    { "mov r15, m64 own", { OWN, MMIO(READ, 8), DEST(R15, 8, 0, 0) } },
    { "movzx cx, m8 own", { OWN, MMIO(READ, 1), DEST(RCX, 2, 0, SVMC_EXTEND_ZERO) } },
    { "movsx rdx, m16 own", { OWN, MMIO(READ, 2), DEST(RDX, 8, 0, SVMC_EXTEND_SIGN) } },
    { "movsx esi, m8 own", { OWN, MMIO(READ, 1), DEST(RSI, 4, 0, SVMC_EXTEND_SIGN) } },
    { "mmio write 4 kvm", { MMIO(WRITE, 4), .value = 0x11223344 } },
    { "mmio write 8 own", { OWN, MMIO(WRITE, 8), .value = 0x1122334455667788 } },
    { "rdmsr own, ecx", { OWN, MSR(RDMSR), FROM(ADDRESS_REG), .address_reg = SVMC_REG_RCX } },
    { "out dx, ax own",
      { OWN, PORT(OUT, 2), .address_reg = SVMC_REG_RDX, .value_reg = SVMC_REG_RAX,
        .from = SVMC_FROM_ADDRESS_REG | SVMC_FROM_VALUE_REG } },
    { "mov m8, bh own",
      { OWN, MMIO(WRITE, 1), FROM(VALUE_REG), .value_reg = SVMC_REG_RBX, .value_high = 1 } },
    { "rep insw own, fs:[rdi]",
      { OWN, STRING(INS, 2), BUFFER(0x300), FROM(STRING_REGS), .segment = SVMC_SEG_FS } },
    { "a64 ldrsb w5", { WORD(A64), MMIO(READ, 1), DEST(X0 + 5, 4, 0, SVMC_EXTEND_SIGN) } },
    { "a64 ldr xzr", { WORD(A64), MMIO(READ, 8), DEST(XZR, 8, 0, 0) } },
    { "a64 strh w30", { WORD(A64), MMIO(WRITE, 2), FROM(VALUE_REG), .value_reg = SVMC_REG_X30 } },
    { "a64 str xzr", { WORD(A64), MMIO(WRITE, 8), FROM(VALUE_REG), .value_reg = SVMC_REG_XZR } },
    { "a64 mrs x9", { WORD(A64), SYSREG(READ), DEST(X0 + 9, 8, 0, 0) } },
    { "a64 mrs xzr", { WORD(A64), SYSREG(READ), DEST(XZR, 8, 0, 0) } },
    { "a64 mrs x1, cntvct_el0",
      { WORD(A64), .kind = SVMC_KIND_SYSREG_READ, .size = 8, .count = 1, .address = LAB_CNTVCT,
        DEST(X0 + 1, 8, 0, 0) } },
    { "a64 msr x30", { WORD(A64), SYSREG(WRITE), FROM(VALUE_REG), .value_reg = SVMC_REG_X30 } },
    { "a64 msr xzr", { WORD(A64), SYSREG(WRITE), FROM(VALUE_REG), .value_reg = SVMC_REG_XZR } },
    { "rv64 lbu a0", { WORD(RV64), MMIO(READ, 1), DEST(RV_X0 + 10, 8, 0, SVMC_EXTEND_ZERO) } },
    { "rv64 lw x0", { WORD(RV64), MMIO(READ, 4), DEST(RV_X0, 8, 0, SVMC_EXTEND_SIGN) } },
    { "s390 diag 288",
      { S390(DIAG_288),
        .arg = { SVMC_REG_S390_R0 + 2, SVMC_REG_S390_R0 + 3, SVMC_REG_S390_R15 } } },
    { "s390 diag 500", { S390(DIAG_500) } },
    { "s390 csch", { S390(CSCH) } },
    { "s390 hsch", { S390(HSCH) } },
    { "s390 rsch", { S390(RSCH) } },
    { "s390 xsch", { S390(XSCH) } },
    { "s390 sal", { S390(SAL) } },
    { "s390 rchp", { S390(RCHP) } },
    { "s390 ssch", { S390(SSCH), .size = 32, BLOCK(0x100) } },
    { "s390 msch, crosses a page", { S390(MSCH), .size = 52, BLOCK(0xff0) } },
    { "s390 stsch", { S390(STSCH), .size = 52, BLOCK(0x200) } },
    { "s390 tsch, crosses a page", { S390(TSCH), .size = 64, BLOCK(0x1ffc) } },
    { "s390 chsc", { S390(CHSC), .size = 4096, BLOCK(0x2000) } },
    { "s390 tpi", { S390(TPI), .size = 12, BLOCK(0x208) } },
    { "s390 tpi, operand 0", { S390(TPI), .size = 12 } },
    { "s390 servc", { S390(SERVC), .size = 4096, .buffer = { 0x3000 }, .value = 0x20001 } },
    { "s390 servc, long", { S390(SERVC), .size = 4096, .buffer = { 0x4000 }, .value = 0x20001 } },
    { "s390 stsi", { S390(STSI), .size = 4096, BLOCK(0x5000) } },
    { "s390 sthyi", { S390(STHYI), .size = 4096, BLOCK(0x6000), ARGS(2, 4, 5) } },
    { "s390 pcilg 1", { S390(PCILG), .size = 1, ARGS(3, 6, 7) } },
    { "s390 pcilg 8", { S390(PCILG), .size = 8, ARGS(3, 6, 7) } },
    { "s390 pcistg 4", { S390(PCISTG), .size = 4, ARGS(3, 6, 7) } },
    { "s390 pcistb", { S390(PCISTB), .size = 4096, BLOCK(0x7ff8), ARGS(8, 9, 0), .value = 64 } },
    { "s390 rpcit", { S390(RPCIT), ARGS(3, 6, 7) } },
    { "s390 mpcifc", { S390(MPCIFC), .size = 64, BLOCK(0x700), ARGS(3, 0, 0) } },
    { "s390 stpcifc", { S390(STPCIFC), .size = 64, BLOCK(0x7f8), ARGS(3, 0, 0) } },
    { "a64 hvc", { .finish = SVMC_FINISH_REGS, .isa = SVMC_ISA_A64, CALL(HVC, LAB_HVC) } },
    { "a64 smc, 32 bits", { WORD(A64), CALL(SMC, LAB_SMC) } },
    { "a64 smc, vendor's", { WORD(A64), CALL(SMC, FAKEHOST_VENDOR_CALL) } },
    { "rv64 rdtime a5",
      { WORD(RV64), .kind = SVMC_KIND_RDTIME, .size = 8, .count = 1, .address = 0xc01,
        DEST(RV_X0 + 15, 8, 0, 0) } },
    { "rv64 rdcycle a5",
      { WORD(RV64), .kind = SVMC_KIND_RDCOUNTER, .size = 8, .count = 1, .address = 0xc00,
        DEST(RV_X0 + 15, 8, 0, 0) } },
    { "rv32 rdinstreth t6",
      { WORD(RV32), .kind = SVMC_KIND_RDCOUNTER, .size = 4, .count = 1, .address = 0xc82,
        DEST(RV_X31, 4, 0, 0) } },
    { "power lbz r0", { WORD(PPC64), MMIO(READ, 1), DEST(PPC_R0, 8, 0, SVMC_EXTEND_ZERO) } },
    { "power lwa r31, big-endian",
      { WORD(PPC64), MMIO(READ, 4), DEST(PPC_R31, 8, 0, SVMC_EXTEND_SIGN), .swap = 1 } },
    { "power stdbrx r17",
      { WORD(PPC64), MMIO(WRITE, 8), FROM(VALUE_REG), .value_reg = SVMC_REG_PPC_R0 + 17,
        .swap = 1 } },
    { "rv64 ecall", { WORD(RV64), CALL(SBI, LAB_SBI) } },
    { "rv32 ecall", { WORD(RV32), CALL(SBI, LAB_SBI) } },
    { "power sc 1", { .finish = SVMC_FINISH_REGS, .isa = SVMC_ISA_PPC64, CALL(HCALL, LAB_PAPR) } },
    { "power sc 1, one result",
      { .finish = SVMC_FINISH_REGS, .isa = SVMC_ISA_PPC64, CALL(HCALL, FAKEHOST_PUT_TERM) } },
    { "page state", { CORE(PAGE_STATE), .size = 8, .count = 5 } },
    { "map gpa",
      { CORE(MAP_GPA), .count = 1, .address = 0x8000fe000000, .value = 0x8000fe200000 } },
    { "guest request", { CORE(GUEST_REQUEST), .count = 1, .address = 0x7000, .value = 0x8000 } },
    { "guest request, certificates",
      { CORE(GUEST_REQUEST_EXT), .count = 4, .address = 0x7000, .value = 0x8000,
        .buffer = { 0x9000 } } },
    { "ap create",
      { CORE(AP_CREATE), .count = 1, .address = 0x5000, .value = 0x300010001,
        .buffer = { 0x21 } } },
    { "a64 host call",
      { WORD(A64), .kind = SVMC_KIND_HOST_CALL, .count = 1, .size = 256, .buffer = { 0x4300 } } },
    { "a64 data abort", { REALM(DATA_ABORT), .address = 0x8000fe000000, .value = 0x90000007 } },
    { "a64 protected abort",
      { REALM(PROTECTED_ABORT), .address = 0x11000000, .value = 0x90000005 } },
    { "a64 instruction abort", { REALM(INSN_ABORT), .address = 0x1000, .value = 0x80000006 } },
    { "a64 ripas", { REALM(RIPAS), .address = 0x10000, .value = 0x400000, .buffer = { 1 } } },
    { "a64 s2ap", { REALM(S2AP), .address = 0x10000, .value = 0x20000 } },
    { "a64 device memory",
      { REALM(DEV_MEM), .address = 0x10000, .value = 0x20000, .buffer = { 0xfd000000 } } },
    { "hypercall by doorbell",
      { .kind = SVMC_KIND_OUT, .size = 4, .count = 1, .address = SVMC_HCALL_PORT } },
    { "hypercall own", { OWN, .kind = SVMC_KIND_HYPERCALL, .count = 1 } },
};
const unsigned scenario_count = sizeof scenarios / sizeof scenarios[0];

unsigned scenario_named(const char *name)
{
    for (unsigned n = 0; n < scenario_count; n++)
        if (strcmp(scenarios[n].name, name) == 0)
            return n;
    CHECK(false, "no scenario '%s'", name);
    return 0;
}

/* Two of 4 KiB to private and shared, one of 2 MiB, hints: GHCB 2.0, 4.1.6 */
static const uint8_t list[] = { 0,    0x50, 0x34, 0x12, 0,    0,    0x10, 0,    0,    0x60,
                                0x34, 0x12, 0,    0,    0x20, 0,    0,    0,    0x20, 0x40,
                                0,    0,    0x10, 1,    0,    0,    0x40, 0x40, 0,    0,
                                0x30, 1,    0,    0xf0, 0xff, 0xff, 0xff, 0xff, 0x4f, 0 };

bool request_of(uint16_t kind, struct svmc_exit *exit)
{
    for (unsigned n = 0; n < scenario_count; n++)
        if (scenarios[n].exit.kind == kind && scenarios[n].exit.finish == 0 &&
            (scenarios[n].exit.isa == SVMC_ISA_A64 || scenarios[n].exit.isa == SVMC_ISA_X86_64)) {
            *exit = scenarios[n].exit;
            if (kind == SVMC_KIND_PAGE_STATE)
                exit->data = list;
            return true;
        }
    if (kind < SVMC_KIND_IRQ || kind > SVMC_KIND_SERROR)
        return false;
    *exit = (struct svmc_exit){ .kind = kind,
                                .count = 1,
                                .value = kind == SVMC_KIND_SERROR ? 0xbc000a11 : 0,
                                .isa = SVMC_ISA_A64 };
    return true;
}

bool scenario_stores(unsigned n)
{
    const struct svmc_exit *e = &scenarios[n].exit;

    static const uint16_t blocks[] = { SVMC_KIND_STSCH, SVMC_KIND_TSCH,    SVMC_KIND_CHSC,
                                       SVMC_KIND_TPI,   SVMC_KIND_STSI,    SVMC_KIND_STHYI,
                                       SVMC_KIND_SERVC, SVMC_KIND_STPCIFC, SVMC_KIND_HOST_CALL };

    for (unsigned i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        if (e->kind == blocks[i])
            return true;
    return e->kind == SVMC_KIND_INS && e->finish;
}

void lab_delegate(struct svmc_policy *policy, uint8_t args, uint8_t results)
{
    CHECK_EQ(svmc_policy_set_ports(policy, LAB_PORT, 4, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE),
             SVMC_OK);
    CHECK_EQ(svmc_policy_set_msrs(policy, LAB_MSR, 1, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE),
             SVMC_OK);
    CHECK_EQ(svmc_policy_set_sysregs(policy, LAB_SYSREG, 1, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE),
             SVMC_OK);
    CHECK_EQ(svmc_policy_add_window(policy, (svmc_gpa){ 0xfe000000 }, 0x1000, SVMC_ACCESS_RW,
                                    SVMC_VERDICT_DELEGATE),
             SVMC_OK);
    CHECK_EQ(svmc_policy_set_doorbell(policy, SVMC_HCALL_PORT), SVMC_OK);
    CHECK_EQ(svmc_policy_set_hcall(policy, LAB_HCALL, args, results), SVMC_OK);
    CHECK_EQ(svmc_policy_set_call(policy, SVMC_KIND_HVC, LAB_HVC, 3, 1), SVMC_OK);
    CHECK_EQ(svmc_policy_set_call(policy, SVMC_KIND_SMC, LAB_SMC, 2, 1), SVMC_OK);
    CHECK_EQ(svmc_policy_set_call(policy, SVMC_KIND_SMC, FAKEHOST_VENDOR_CALL, 6, 4), SVMC_OK);
    CHECK_EQ(svmc_policy_set_call(policy, SVMC_KIND_SBI, LAB_SBI, 6, 2), SVMC_OK);
    CHECK_EQ(svmc_policy_set_call(policy, SVMC_KIND_HCALL, LAB_PAPR, 1, 4), SVMC_OK);
    CHECK_EQ(svmc_policy_set_call(policy, SVMC_KIND_HCALL, FAKEHOST_PUT_TERM, 4, 1), SVMC_OK);
    CHECK_EQ(svmc_policy_set_msrs(policy, 0x3b, 1, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE), SVMC_OK);
    CHECK_EQ(svmc_policy_set_msrs(policy, 0x10, 1, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE), SVMC_OK);
    CHECK_EQ(
        svmc_policy_set_sysregs(policy, LAB_CNTVCT, 1, SVMC_ACCESS_READ, SVMC_VERDICT_DELEGATE),
        SVMC_OK);
    for (unsigned n = 0; n < scenario_count; n++)
        if (scenarios[n].exit.finish == 0 && scenarios[n].exit.isa != SVMC_ISA_NONE)
            CHECK_EQ(svmc_policy_set_kind(policy, (enum svmc_kind)scenarios[n].exit.kind,
                                          SVMC_VERDICT_DELEGATE),
                     SVMC_OK, "%s", scenarios[n].name);
    CHECK_EQ(svmc_policy_set_kind(policy, SVMC_KIND_HOST_CALL, SVMC_VERDICT_DELEGATE), SVMC_OK);
    CHECK_EQ(svmc_policy_set_kind(policy, SVMC_KIND_RDTSC, SVMC_VERDICT_DELEGATE), SVMC_OK);
    CHECK_EQ(svmc_policy_set_kind(policy, SVMC_KIND_RDTSCP, SVMC_VERDICT_DELEGATE), SVMC_OK);
    CHECK_EQ(svmc_policy_set_kind(policy, SVMC_KIND_RDPMC, SVMC_VERDICT_DELEGATE), SVMC_OK);
    CHECK_EQ(svmc_policy_set_kind(policy, SVMC_KIND_RDTIME, SVMC_VERDICT_DELEGATE), SVMC_OK);
    CHECK_EQ(svmc_policy_set_kind(policy, SVMC_KIND_RDCOUNTER, SVMC_VERDICT_DELEGATE), SVMC_OK);
}

void lab_init(struct lab *lab, uint64_t *rng)
{
    world_init(&lab->world, rng);
    for (unsigned i = 0; i < sizeof lab->backend_data; i++)
        lab->backend_data[i] = (uint8_t)(i * 11 + 3);
    CHECK_EQ(svmc_policy_init(&lab->policy, LAB_REFUSALS, LAB_RETRIES), SVMC_OK);
    lab_delegate(&lab->policy, 6, FAKEHOST_HCALL_RESULTS);
    if (lab->full_wipe)
        CHECK_EQ(svmc_policy_set_full_wipe(&lab->policy), SVMC_OK);
    CHECK_EQ(svmc_policy_seal(&lab->policy), SVMC_OK);
    memset(&lab->out, 0, sizeof lab->out);
    CHECK_EQ(svmc_vcpu_init(&lab->vc, &world_ops, &lab->world, &lab->policy, lab->world.page, 7),
             SVMC_OK);
    lab->world.calls = 0;
}

void lab_drop(struct lab *lab)
{
    svmc_vcpu_drop(&lab->vc);
}

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* PG-10: of a block all but its last part. */
static enum svmc_status answer_part(struct lab *lab)
{
    static struct fakehost_answer honest;
    enum svmc_status st;

    CHECK(fakehost_prepare(lab->world.page, &honest) && fakehost_send(lab->world.page, &honest));
    st = svmc_vcpu_enter(&lab->vc, &lab->out);
    if (st != SVMC_OK)
        svmc_vcpu_cancel(&lab->vc);
    return st;
}

enum svmc_status lab_begin(struct lab *lab, unsigned n)
{
    struct svmc_exit exit = scenarios[n].exit;
    bool doorbell = exit.kind == SVMC_KIND_OUT && exit.address == SVMC_HCALL_PORT;

    if (exit.kind == SVMC_KIND_OUTS && !exit.finish)
        exit.data = lab->backend_data;
    if (exit.kind == SVMC_KIND_PAGE_STATE)
        exit.data = list;
    if (exit.repeat) {
        lab->world.reg[SVMC_REG_RCX] = exit.count;
        lab->world.reg[exit.kind == SVMC_KIND_INS ? SVMC_REG_RDI : SVMC_REG_RSI] = exit.buffer.v;
    }
    if (exit.from & SVMC_FROM_ADDRESS_REG)
        lab->world.reg[exit.address_reg] = exit.address;
    if (exit.from & SVMC_FROM_STRING_REGS) {
        lab->world.reg[SVMC_REG_FS_BASE] = 0;
        lab->world.reg[SVMC_REG_RFLAGS] = 2;
    }
    if (exit.kind == SVMC_KIND_HYPERCALL || doorbell)
        lab->world.reg[SVMC_REG_RAX] = (uint64_t)SVMC_HCALL_ABI << 56 | LAB_HCALL;
    if (exit.kind == SVMC_KIND_HVC || exit.kind == SVMC_KIND_SMC) /* W0, whatever X0 is */
        lab->world.reg[SVMC_REG_X0] =
            (lab->world.reg[SVMC_REG_X0] & ~(uint64_t)UINT32_MAX) | exit.address;
    if (exit.kind == SVMC_KIND_HCALL)
        lab->world.reg[SVMC_REG_PPC_R0 + 3] = exit.address;
    if (exit.kind == SVMC_KIND_SBI) {
        lab->world.reg[SVMC_REG_RV_X0 + 17] = exit.address >> 32;
        lab->world.reg[SVMC_REG_RV_X0 + 16] = exit.address & UINT32_MAX;
    }
    if (exit.kind == SVMC_KIND_CHSC) /* a request of 16 bytes */
        put16(lab->world.memory + (exit.buffer.v - WORLD_LINEAR), 16);
    if (exit.kind == SVMC_KIND_SERVC) /* real addresses; its length, in one exchange and in three */
        put16(lab->world.memory + exit.buffer.v, exit.buffer.v == 0x3000 ? 2048 : 4096);
    if (exit.kind == SVMC_KIND_STSI) {
        lab->world.reg[SVMC_REG_S390_R0] = 0x5a5a5a5a10000001;
        lab->world.reg[SVMC_REG_S390_R0 + 1] = 0x5a5a5a5a00000002;
    }
    if (exit.kind == SVMC_KIND_PCISTB)
        lab->world.reg[exit.arg[1]] = 0xfe00000000000010;
    return svmc_vcpu_exit(&lab->vc, &exit, &lab->out);
}

enum svmc_status lab_parts(struct lab *lab)
{
    enum svmc_status st = SVMC_OK;

    while (st == SVMC_OK && lab->world.page[0x0a] == SVMC_COMPLETION_PART)
        st = answer_part(lab);
    return st;
}

enum svmc_status lab_exit(struct lab *lab, unsigned n)
{
    enum svmc_status st = lab_begin(lab, n);

    return st == SVMC_OK ? lab_parts(lab) : st;
}

bool lab_same(const struct lab *a, const struct lab *b)
{
    return memcmp(a->world.reg, b->world.reg, sizeof a->world.reg) == 0 &&
           memcmp(a->world.memory, b->world.memory, sizeof a->world.memory) == 0 &&
           memcmp(&a->vc.priv.pending, &b->vc.priv.pending, sizeof a->vc.priv.pending) == 0;
}
