/* SPDX-License-Identifier: MIT */
/* docs/spec/trap.md: ports, #GP, VMCALL, VMMCALL and TDX. */
#include "trap_lab.h"

static struct svmc_trap_x86 raw;
static uint8_t text[15];
static size_t text_bytes;

static enum svmc_status run(void)
{
    return svmc_trap_from_x86(&config, &raw, text_bytes ? text : NULL, text_bytes, &ops, &lab,
                              &got);
}

static enum svmc_status match(void)
{
    lab.calls = 0;
    memset(&got, 0xee, sizeof got);
    return run();
}

static void start(uint8_t way, enum svmc_isa isa, uint8_t cpl)
{
    lab_reset();
    memset(&raw, 0, sizeof raw);
    memset(text, 0x90, sizeof text);
    text_bytes = 0;
    raw.way = way;
    raw.isa = (uint8_t)isa;
    raw.cpl = cpl;
    config.kernel = config.user = 1u << way;
    config.port = 0x565c;
    lab.reg[SVMC_REG_RAX] = 0x1234567800000000u | MAGIC;
    for (unsigned reg = SVMC_REG_FS_BASE; reg <= SVMC_REG_DS_BASE; reg++)
        lab.reg[reg] = 0;
}

/* IN EAX, DX of Linux's vmware_hypercall1: `port` in DX. */
static void start_port(uint16_t port, bool in, uint8_t bytes)
{
    start(SVMC_TRAP_WAY_PORT, SVMC_ISA_X86_64, 3);
    raw.port = port;
    raw.insn_bytes = 1;
    raw.io = (struct svmc_iox){ .bytes = bytes, .in = in };
    lab.reg[SVMC_REG_RDX] = 0xabcd000077770000u | port;
}

static void start_string(bool in)
{
    start_port(0x5659, in, 1);
    raw.io.string = raw.io.repeat = 1;
    raw.address_bytes = 8;
    raw.segment = in ? SVMC_SEG_ES : SVMC_SEG_DS;
    raw.insn_bytes = 2;
}

static void set_text(const char *bytes, size_t count)
{
    memset(text, 0x90, sizeof text);
    memcpy(text, bytes, count);
    text_bytes = sizeof text;
}

TEST(trap_x86, port_calls) /* TM-3 TM-4 TM-5 */
{
    start_port(0x5658, true, 4);
    CHECK_EQ(match(), SVMC_OK);
    check_vmware(false, false, 1, "IN");
    check_args(SVMC_ISA_X86_64);
    CHECK(got.user == 1 && got.isa == SVMC_ISA_X86_64 && got.way == SVMC_TRAP_WAY_PORT);
    fail_each(run, "IN");
    raw.cpl = 0;
    CHECK_EQ(match(), SVMC_OK);
    check_vmware(false, false, 1, "IN of the kernel");
    CHECK_EQ(got.user, 0);
    raw.io.in = 0;
    CHECK_EQ(match(), SVMC_OK);
    check_vmware(false, true, 1, "OUT");
    raw.insn_bytes = 0; /* KVM has moved RIP */
    CHECK_EQ(match(), SVMC_OK);
    check_vmware(false, true, 0, "OUT of KVM");
    for (unsigned in = 0; in < 2; in++) {
        start_string(in);
        CHECK_EQ(match(), SVMC_OK);
        check_vmware(true, !in, 2, in ? "REP INSB" : "REP OUTSB");
        check_args(SVMC_ISA_X86_64);
        fail_each(run, in ? "REP INSB" : "REP OUTSB");
    }
    start_port(0x5658, true, 4);
    raw.isa = SVMC_ISA_X86_16; /* virtual-8086 mode, DOS */
    CHECK_EQ(match(), SVMC_OK);
    check_vmware(false, false, 1, "IN of 16-bit code");
}

TEST(trap_x86, ports_of_others_are_the_device_models) /* TM-1 TM-2 TM-5 */
{
    static const struct {
        const char *name;
        struct svmc_iox io;
        uint16_t port;
    } rows[] = {
        { "a neighbour", { .bytes = 4, .in = 1 }, 0x5657 },
        { "one byte", { .bytes = 1, .in = 1 }, 0x5658 },
        { "two bytes", { .bytes = 2, .in = 1 }, 0x5658 },
        { "a string at the low port", { .bytes = 4, .in = 1, .string = 1, .repeat = 1 }, 0x5658 },
        { "no string at the high port", { .bytes = 4, .in = 1 }, 0x5659 },
        { "not repeated", { .bytes = 1, .in = 1, .string = 1 }, 0x5659 },
        { "INSW", { .bytes = 2, .in = 1, .string = 1, .repeat = 1 }, 0x5659 },
        { "backward", { .bytes = 1, .in = 1, .string = 1, .repeat = 1, .backward = 1 }, 0x5659 },
        { "IN from the doorbell", { .bytes = 4, .in = 1 }, 0x565c },
        { "2 bytes to the doorbell", { .bytes = 2 }, 0x565c },
        { "a string to the doorbell", { .bytes = 4, .string = 1 }, 0x565c },
        { "port 0", { .bytes = 4 }, 0 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        start_string(rows[i].io.in);
        raw.io = rows[i].io;
        raw.port = rows[i].port;
        lab.reg[SVMC_REG_RDX] = rows[i].port;
        CHECK_EQ(match(), SVMC_OK, "%s", rows[i].name);
        CHECK(all_zero(&got), "%s", rows[i].name);
    }
    start_port(0x5658, true, 4);
    lab.reg[SVMC_REG_RAX] ^= 1;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "another magic");
    start_port(0x5658, true, 4);
    config.abis = ABI(NATIVE) | ABI(IO);
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "an ABI that is not spoken");
    start_port(0x5658, true, 4);
    config.user = ~WAY(PORT);
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got) && lab.calls == 0, "open to the kernel alone");
    raw.io.bytes = 3;
    config.user = WAY(PORT);
    CHECK_EQ(match(), SVMC_ERR_ARG, "no such access");
    CHECK(all_zero(&got));
}

TEST(trap_x86, doorbell) /* TM-5 */
{
    start_port(0x565c, false, 4);
    CHECK_EQ(match(), SVMC_OK);
    check_native(1, "OUT");
    CHECK(lab.calls == 0 && got.user == 1, "nothing has to be read");
    raw.isa = SVMC_ISA_X86_32;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "32-bit code has no R8");
    raw.isa = SVMC_ISA_X86_64;
    config.abis = ABI(VMWARE);
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "not spoken");
    config.abis = ALL_ABIS;
    config.port = raw.port = 0x70;
    lab.reg[SVMC_REG_RDX] = 0;
    CHECK_EQ(match(), SVMC_OK);
    check_native(1, "another doorbell, with an immediate");
    config.port = raw.port = 0;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "none");
}

TEST(trap_x86, pointers_of_strings_are_linear) /* TM-5 */
{
    static const struct {
        uint8_t isa, address_bytes, segment, reg; /* reg: whose base is asked for, or NONE */
        bool flat;                                /* with base 0 */
    } rows[] = {
        { SVMC_ISA_X86_64, 8, SVMC_SEG_DS, SVMC_REG_NONE, true },
        { SVMC_ISA_X86_64, 8, SVMC_SEG_CS, SVMC_REG_NONE, true }, /* no base in 64-bit mode */
        { SVMC_ISA_X86_64, 8, SVMC_SEG_FS, SVMC_REG_FS_BASE, true },
        { SVMC_ISA_X86_64, 8, SVMC_SEG_GS, SVMC_REG_GS_BASE, true },
        { SVMC_ISA_X86_64, 4, SVMC_SEG_DS, SVMC_REG_NONE, false },
        { SVMC_ISA_X86_64, 8, SVMC_SEG_NONE, SVMC_REG_NONE, false },
        { SVMC_ISA_X86_64, 8, 6, SVMC_REG_NONE, false },
        { SVMC_ISA_X86_32, 4, SVMC_SEG_DS, SVMC_REG_DS_BASE, true },
        { SVMC_ISA_X86_32, 4, SVMC_SEG_ES, SVMC_REG_ES_BASE, true },
        { SVMC_ISA_X86_32, 4, SVMC_SEG_SS, SVMC_REG_SS_BASE, true },
        { SVMC_ISA_X86_32, 4, SVMC_SEG_CS, SVMC_REG_CS_BASE, true },
        { SVMC_ISA_X86_32, 4, SVMC_SEG_GS, SVMC_REG_GS_BASE, true },
        { SVMC_ISA_X86_32, 2, SVMC_SEG_DS, SVMC_REG_NONE, false },
        { SVMC_ISA_X86_16, 4, SVMC_SEG_DS, SVMC_REG_NONE, false },
        { SVMC_ISA_X86_16, 2, SVMC_SEG_DS, SVMC_REG_NONE, false },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        start_string(false);
        for (unsigned reg = SVMC_REG_FS_BASE; reg <= SVMC_REG_DS_BASE; reg++)
            lab.reg[reg] = 0x1000;
        if (rows[i].reg != SVMC_REG_NONE)
            lab.reg[rows[i].reg] = 0;
        raw.isa = rows[i].isa;
        raw.address_bytes = rows[i].address_bytes;
        raw.segment = rows[i].segment;
        CHECK_EQ(match(), SVMC_OK, "row %u", i);
        CHECK_EQ(got.verdict, rows[i].flat ? SVMC_TRAP_CALL : SVMC_TRAP_NOT_OURS, "row %u", i);
        if (rows[i].reg == SVMC_REG_NONE)
            continue;
        lab.reg[rows[i].reg] = 1;
        CHECK_EQ(match(), SVMC_OK, "row %u", i);
        CHECK(all_zero(&got) && lab.last == rows[i].reg, "row %u: a base", i);
    }
}

/* What the hardware refused at CPL 3 with #GP(0). */
static void start_fault(const char *bytes, size_t count, uint16_t port)
{
    start(SVMC_TRAP_WAY_GP, SVMC_ISA_X86_64, 3);
    config.kernel = 0;
    set_text(bytes, count);
    lab.reg[SVMC_REG_RDX] = 0xabcd000012340000u | port;
    lab.reg[SVMC_REG_RFLAGS] = 0x202;
}

TEST(trap_x86, fault_calls) /* TM-6 */
{
    static const struct {
        const char *name, *bytes;
        uint8_t count, high, write;
        uint16_t port;
    } rows[] = {
        { "in eax, dx", "\xed", 1, 0, 0, 0x5658 },
        { "out dx, eax", "\xef", 1, 0, 1, 0x5658 },
        { "REX.W does nothing", "\x48\xed", 2, 0, 0, 0x5658 },
        { "REP does nothing to IN", "\xf3\xed", 2, 0, 0, 0x5658 },
        { "a segment does nothing to IN", "\x65\xed", 2, 0, 0, 0x5658 },
        { "rep insb", "\xf3\x6c", 2, 1, 0, 0x5659 },
        { "rep outsb", "\xf3\x6e", 2, 1, 1, 0x5659 },
        { "repne outsb", "\xf2\x6e", 2, 1, 1, 0x5659 },
        { "rep outsb, 66", "\x66\xf3\x6e", 3, 1, 1, 0x5659 },
        { "rep outsb of CS, which has no base", "\x2e\xf3\x6e", 3, 1, 1, 0x5659 },
        { "rep outsb of FS at 0", "\x64\xf3\x6e", 3, 1, 1, 0x5659 },
        { "rep insb is ES's whatever the prefix", "\x65\xf3\x6c", 3, 1, 0, 0x5659 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        start_fault(rows[i].bytes, rows[i].count, rows[i].port);
        CHECK_EQ(match(), SVMC_OK, "%s", rows[i].name);
        check_vmware(rows[i].high, rows[i].write, rows[i].count, rows[i].name);
        check_args(SVMC_ISA_X86_64);
        CHECK(got.user == 1 && got.way == SVMC_TRAP_WAY_GP, "%s", rows[i].name);
        fail_each(run, rows[i].name);
    }
    start_fault("\xef", 1, 0x565c);
    CHECK_EQ(match(), SVMC_OK);
    check_native(1, "the doorbell");
    start_fault("\xe7\x70", 2, 0);
    config.port = 0x70;
    CHECK_EQ(match(), SVMC_OK);
    check_native(2, "out 0x70, eax");
    start_fault("\x66\xed", 2, 0x5658); /* 32 bits in 16-bit code */
    raw.isa = SVMC_ISA_X86_16;
    CHECK_EQ(match(), SVMC_OK);
    check_vmware(false, false, 2, "virtual-8086 mode");
}

TEST(trap_x86, faults_of_others_are_general_protection) /* TM-1 TM-2 TM-6 */
{
    static const struct {
        const char *name, *bytes;
        uint8_t count;
        uint16_t port;
    } rows[] = {
        { "hlt", "\xf4", 1, 0x5658 },
        { "in al, dx", "\xec", 1, 0x5658 },
        { "in ax, dx", "\x66\xed", 2, 0x5658 },
        { "in eax, 0x58", "\xe5\x58", 2, 0x5658 },
        { "another port", "\xed", 1, 0x70 },
        { "insb", "\x6c", 1, 0x5659 },
        { "rep insd", "\xf3\x6d", 2, 0x5659 },
        { "rep insd at the low port", "\xf3\x6d", 2, 0x5658 },
        { "32-bit addresses", "\x67\xf3\x6e", 3, 0x5659 },
        { "lock in is #UD's, no call", "\xf0\xed", 2, 0x5658 },
        { "no instruction of this mode", "\x06", 1, 0x5658 },
        { "rdmsr", "\x0f\x32", 2, 0x5658 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        start_fault(rows[i].bytes, rows[i].count, rows[i].port);
        CHECK_EQ(match(), SVMC_OK, "%s", rows[i].name);
        check_forward(13, 1, 0, 0, rows[i].name);
        CHECK(got.insn_bytes == 0 && got.back == 0, "%s", rows[i].name);
    }
    start_fault("\xed", 1, 0x5658);
    lab.reg[SVMC_REG_RAX] ^= 0x80;
    CHECK_EQ(match(), SVMC_OK);
    check_forward(13, 1, 0, 0, "another magic");
    start_fault("\xed", 1, 0x5658);
    raw.error = 0x1002;
    CHECK_EQ(match(), SVMC_OK);
    check_forward(13, 1, 0x1002, 0, "with an error code");
    CHECK_EQ(lab.calls, 0);
    start_fault("\xed", 1, 0x5658);
    raw.cpl = 0;
    config.kernel = WAY(GP);
    CHECK_EQ(match(), SVMC_OK);
    check_forward(13, 1, 0, 0, "the kernel's own");
    start_fault("\xf3\x6e", 2, 0x5659);
    lab.reg[SVMC_REG_RFLAGS] |= 0x400;
    CHECK_EQ(match(), SVMC_OK);
    check_forward(13, 1, 0, 0, "backward");
    start_fault("\x64\xf3\x6e", 3, 0x5659);
    lab.reg[SVMC_REG_FS_BASE] = 0x1000;
    CHECK_EQ(match(), SVMC_OK);
    check_forward(13, 1, 0, 0, "rep outsb of FS with a base");
    start_fault("\xed", 1, 0x5658);
    config.user = 0;
    config.kernel = WAY(GP);
    CHECK_EQ(match(), SVMC_OK);
    check_forward(13, 1, 0, 0, "closed to user programs");
    CHECK_EQ(lab.calls, 0);
    config.kernel = 0;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got) && lab.calls == 0, "closed");
}

TEST(trap_x86, fault_bytes_may_be_missing) /* TM-6 */
{
    start_fault("\xf3\x6e", 2, 0x5659);
    for (text_bytes = 0; text_bytes < 2; text_bytes++) {
        CHECK_EQ(match(), SVMC_ERR_TRUNCATED, "%zu bytes", text_bytes);
        CHECK(all_zero(&got));
    }
    CHECK_EQ(match(), SVMC_OK);
    check_vmware(true, true, 2, "two are enough");
    CHECK_EQ(svmc_trap_from_x86(&config, &raw, NULL, 2, &ops, &lab, &got), SVMC_ERR_ARG);
    CHECK(all_zero(&got));
}

static void start_vmcall(uint8_t way, uint16_t flags)
{
    start(way, SVMC_ISA_X86_64, 3);
    raw.insn_bytes = 3;
    lab.reg[SVMC_REG_RDX] = 0xffff000043210000u | flags;
}

TEST(trap_x86, vmcall_calls) /* TM-7 */
{
    for (uint8_t way = SVMC_TRAP_WAY_VMCALL; way <= SVMC_TRAP_WAY_VMMCALL; way++) {
        for (unsigned flags = 0; flags < 4; flags++) {
            start_vmcall(way, (uint16_t)flags);
            CHECK_EQ(match(), SVMC_OK);
            check_vmware(flags & 1, flags >> 1, 3, "VMCALL");
            check_args(SVMC_ISA_X86_64);
            CHECK(got.way == way && got.user == 1);
            fail_each(run, "VMCALL");
            raw.isa = SVMC_ISA_X86_32;
            CHECK_EQ(match(), SVMC_OK);
            check_vmware(flags & 1, flags >> 1, 3, "VMCALL of 32-bit code");
        }
        start_vmcall(way, 0);
        lab.reg[SVMC_REG_RAX] = CONTROL;
        CHECK_EQ(match(), SVMC_OK);
        check_native(3, "a control word");
        CHECK_EQ(lab.calls, 1);
        fail_each(run, "a control word");
    }
    start_vmcall(SVMC_TRAP_WAY_VMCALL, 0);
    config.abis = ABI(NATIVE);
    lab.reg[SVMC_REG_RAX] = (uint64_t)1 << 56 | MAGIC;
    CHECK_EQ(match(), SVMC_OK);
    check_native(3, "VMware's magic where that is not spoken");
}

TEST(trap_x86, vmcalls_of_others) /* TM-1 TM-2 TM-8 */
{
    static const struct {
        const char *name;
        uint64_t rax;
        uint16_t flags;
        uint8_t isa, base;
    } rows[] = {
        { "KVM_HC_VAPIC_POLL_IRQ", 1, 0, SVMC_ISA_X86_64, 0 },
        { "another magic", MAGIC + 1, 0, SVMC_ISA_X86_64, 0 },
        { "a flag that is none", MAGIC, 4, SVMC_ISA_X86_64, 0 },
        { "a port for flags", MAGIC, 0x5658, SVMC_ISA_X86_64, 0 },
        { "high, of 16-bit code", MAGIC, 1, SVMC_ISA_X86_16, 0 },
        { "high in, ES has a base", MAGIC, 1, SVMC_ISA_X86_32, SVMC_REG_ES_BASE },
        { "high out, DS has a base", MAGIC, 3, SVMC_ISA_X86_32, SVMC_REG_DS_BASE },
        { "a control word of 32-bit code", CONTROL, 0, SVMC_ISA_X86_32, 0 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        for (uint8_t shared = 0; shared < 2; shared++) {
            start_vmcall(SVMC_TRAP_WAY_VMMCALL, rows[i].flags);
            raw.isa = rows[i].isa;
            config.shared = shared;
            lab.reg[SVMC_REG_RAX] = rows[i].rax;
            if (rows[i].base)
                lab.reg[rows[i].base] = 16;
            CHECK_EQ(match(), SVMC_OK, "%s", rows[i].name);
            if (shared)
                CHECK(all_zero(&got), "%s", rows[i].name);
            else
                check_forward(6, 0, 0, 0, rows[i].name);
            CHECK(got.insn_bytes == 0, "%s", rows[i].name);
        }
    start_vmcall(SVMC_TRAP_WAY_VMCALL, 0);
    config.user = WAY(VMMCALL);
    CHECK_EQ(match(), SVMC_OK);
    check_forward(6, 0, 0, 0, "user programs may call by the other one");
    CHECK_EQ(lab.calls, 0);
    config.kernel = WAY(VMMCALL);
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got) && lab.calls == 0, "VMCALL is closed");
    start_vmcall(SVMC_TRAP_WAY_VMCALL, 0);
    config.abis = ABI(IO);
    CHECK_EQ(match(), SVMC_OK);
    check_forward(6, 0, 0, 0, "no ABI");
}

/* Linux, arch/x86/include/asm/mshyperv.h: RAX is an output alone: what stands there is anything */
TEST(trap_x86, vmcalls_of_others_have_their_version) /* TM-8 */
{
    for (unsigned version = 0; version < 256; version++)
        for (uint8_t shared = 0; shared < 2; shared++) {
            start_vmcall(SVMC_TRAP_WAY_VMCALL, 0);
            config.shared = shared;
            lab.reg[SVMC_REG_RAX] = (uint64_t)version << 56 | 0xc0a01000;
            CHECK_EQ(match(), SVMC_OK);
            if (version == 1 || (version != 0 && !shared))
                check_native(3, "a control word");
            else if (shared)
                CHECK(all_zero(&got), "version %u", version);
            else
                check_forward(6, 0, 0, 0, "no version");
        }
}

static void start_tdx(void)
{
    start(SVMC_TRAP_WAY_TDX, SVMC_ISA_X86_64, 0);
    lab.reg[SVMC_REG_R10] = 0x1af7e4909;
    lab.reg[SVMC_REG_R11] = 1;
    lab.reg[SVMC_REG_R12] = MAGIC;
    lab.reg[SVMC_REG_R13] = 0xffff30000u | 30;
    lab.reg[SVMC_REG_R15] = 0;
}

TEST(trap_x86, tdx) /* TM-4 TM-9 */
{
    static const uint8_t regs[] = { SVMC_REG_R12, SVMC_REG_RBX, SVMC_REG_R13,
                                    SVMC_REG_RDX, SVMC_REG_RSI, SVMC_REG_RDI };

    start_tdx();
    CHECK_EQ(match(), SVMC_OK);
    check_vmware(false, false, 0, "TDX");
    for (unsigned n = 0; n < sizeof regs; n++) {
        CHECK_EQ(svmc_trap_reg(&got, n), regs[n]);
        if (n != 2)
            CHECK_EQ(got.arg[n], lab.reg[regs[n]]);
    }
    CHECK_EQ(got.arg[2], 0xf001e & 0x3001e);
    CHECK(got.arg[6] == 0 && svmc_trap_reg(&got, 6) == SVMC_REG_NONE && got.user == 0);
    fail_each(run, "TDX");
    lab.reg[SVMC_REG_R15] = 3;
    CHECK_EQ(match(), SVMC_OK);
    check_vmware(false, false, 0, "for a user program");
    CHECK_EQ(got.user, 1);
    config.user = 0;
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "which may not call");
    for (unsigned reg = SVMC_REG_R10; reg <= SVMC_REG_R12; reg++) {
        start_tdx();
        lab.reg[reg] ^= 4;
        CHECK_EQ(match(), SVMC_OK);
        CHECK(all_zero(&got), "register %u", reg);
    }
    start_tdx();
    config.abis = ABI(NATIVE) | ABI(IO);
    CHECK_EQ(match(), SVMC_OK);
    CHECK(all_zero(&got), "not spoken");
}

TEST(trap_x86, arguments) /* TM-1 */
{
    start_port(0x5658, true, 4);
    raw.isa = SVMC_ISA_A64;
    CHECK_EQ(match(), SVMC_ERR_ARG);
    CHECK(all_zero(&got));
    raw.isa = SVMC_ISA_NONE;
    CHECK_EQ(match(), SVMC_ERR_ARG);
    raw.isa = SVMC_ISA_X86_64;
    raw.cpl = 4;
    CHECK_EQ(match(), SVMC_ERR_ARG);
    raw.cpl = 3;
    raw.way = SVMC_TRAP_WAY_MRS;
    CHECK_EQ(match(), SVMC_ERR_ARG);
    raw.way = SVMC_TRAP_WAY_PORT;
    CHECK_EQ(svmc_trap_from_x86(NULL, &raw, NULL, 0, &ops, &lab, &got), SVMC_ERR_ARG);
    CHECK_EQ(svmc_trap_from_x86(&config, NULL, NULL, 0, &ops, &lab, &got), SVMC_ERR_ARG);
    CHECK_EQ(svmc_trap_from_x86(&config, &raw, NULL, 0, NULL, &lab, &got), SVMC_ERR_ARG);
    CHECK_EQ(svmc_trap_from_x86(&config, &raw, NULL, 0, &ops, &lab, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_trap_reg(NULL, 0), SVMC_REG_NONE);
    CHECK_EQ(svmc_trap_reg(&got, SVMC_IOX_ARGS), SVMC_REG_NONE);
    for (unsigned size = 0; size <= 1; size++) {
        struct svmc_host_ops bad = ops;

        if (size)
            bad.reg_read = NULL;
        else
            bad.size--;
        memset(&got, 0xee, sizeof got);
        CHECK_EQ(svmc_trap_from_x86(&config, &raw, NULL, 0, &bad, &lab, &got), SVMC_ERR_ARG);
        CHECK(all_zero(&got));
    }
}
