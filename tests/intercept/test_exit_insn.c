/* SPDX-License-Identifier: MIT */
/* EX-3: bytes at RIP -> decode -> exit. Expected fields by hand. */
#include "intercept/intercept_private.h"
#include "scenarios.h"

static struct world world;
static struct svmc_vcpu reader = { .priv = { .ops = &world_ops, .ctx = &world } };
static struct svmc_exit exit_;
static svmc_gpa gpa = { LAB_GPA };
static const struct svmc_cpu cpu = { .isa = SVMC_ISA_X86_64,
                                     .vendor = SVMC_VENDOR_AMD,
                                     .features = { UINT64_MAX, UINT64_MAX } };

static enum svmc_status take(const char *bytes, size_t n)
{
    struct svmc_insn insn;
    enum svmc_status st;

    CHECK_EQ(svmc_insn_decode(&cpu, (const uint8_t *)bytes, n, &insn), SVMC_OK);
    memset(&exit_, 0xee, sizeof exit_);
    st = svmc_exit_from_insn(&insn, (enum svmc_insn_class)insn.insn_class, gpa, &exit_);
    if (st != SVMC_OK || exit_.from == 0)
        return st;
    return svmc_intercept_resolve(&reader, svmc_intercept_rule(exit_.kind), &exit_);
}
static void fresh(void)
{
    uint64_t rng = 4;

    world_init(&world, &rng);
}

#define TAKE(s) take(s, sizeof(s) - 1)

TEST(exit_insn, ports)
{
    fresh();
    CHECK_EQ(TAKE("\xe4\x60"), SVMC_OK, "in al, 0x60");
    CHECK_EQ(exit_.kind, SVMC_KIND_IN);
    CHECK_EQ(exit_.size, 1);
    CHECK_EQ(exit_.address, 0x60);
    CHECK_EQ(exit_.dest_reg, SVMC_REG_RAX);
    CHECK_EQ(exit_.dest_bytes, 1);
    CHECK_EQ(exit_.insn_bytes, 2);
    world.reg[SVMC_REG_RDX] = 0xdead0000565c;
    world.reg[SVMC_REG_RAX] = 0x1122334455667788;
    CHECK_EQ(TAKE("\xef"), SVMC_OK, "out dx, eax");
    CHECK_EQ(exit_.kind, SVMC_KIND_OUT);
    CHECK_EQ(exit_.address, 0x565c);
    CHECK_EQ(exit_.size, 4);
    CHECK_EQ(exit_.value, 0x55667788);
    CHECK_EQ(TAKE("\x66\xe7\xfe"), SVMC_OK, "out 0xfe, ax");
    CHECK_EQ(exit_.address, 0xfe);
    CHECK_EQ(exit_.value, 0x7788);
}

TEST(exit_insn, strings)
{
    fresh();
    world.reg[SVMC_REG_RDX] = 0x60;
    world.reg[SVMC_REG_RCX] = 0x500000000000;
    world.reg[SVMC_REG_RDI] = 0x1000;
    world.reg[SVMC_REG_RSI] = 0x2000;
    world.reg[SVMC_REG_GS_BASE] = 0xffff800000000000;
    world.reg[SVMC_REG_RFLAGS] = 2;
    CHECK_EQ(TAKE("\xf3\x6d"), SVMC_OK, "rep insd");
    CHECK_EQ(exit_.kind, SVMC_KIND_INS);
    CHECK_EQ(exit_.size, 4);
    CHECK_EQ(exit_.count, SVMC_PAGE_DATA_BYTES);
    CHECK_EQ(exit_.buffer.v, 0x1000);
    CHECK_EQ(exit_.address_bytes, 8);
    CHECK_EQ(exit_.repeat, 1);
    CHECK_EQ(exit_.backward, 0);
    world.reg[SVMC_REG_RFLAGS] = 2 | 1 << 10;
    CHECK_EQ(TAKE("\x65\x6e"), SVMC_OK, "outsb dx, gs:[rsi]");
    CHECK_EQ(exit_.kind, SVMC_KIND_OUTS);
    CHECK_EQ(exit_.count, 1);
    CHECK_EQ(exit_.repeat, 0);
    CHECK_EQ(exit_.backward, 1);
    CHECK_EQ(exit_.buffer.v, 0xffff800000002000);
    world.reg[SVMC_REG_RCX] = 0xffffffff00000003;
    world.reg[SVMC_REG_RDI] = 0x12fffffff8;
    CHECK_EQ(TAKE("\x67\xf3\x6d"), SVMC_OK, "rep insd [edi]");
    CHECK_EQ(exit_.count, 2, "the third element lies behind the wrap");
    CHECK_EQ(exit_.buffer.v, 0xfffffff8);
    CHECK_EQ(exit_.address_bytes, 4);
    world.reg[SVMC_REG_RCX] = 0xffffffff00000000;
    CHECK_EQ(TAKE("\x67\xf3\x6d"), SVMC_OK, "ecx 0");
    CHECK_EQ(exit_.count, 0);
}

TEST(exit_insn, memory)
{
    fresh();
    world.reg[SVMC_REG_RAX] = 0x1122334455667788;
    CHECK_EQ(TAKE("\x88\x23"), SVMC_OK, "mov [rbx], ah");
    CHECK_EQ(exit_.kind, SVMC_KIND_MMIO_WRITE);
    CHECK_EQ(exit_.size, 1);
    CHECK_EQ(exit_.value, 0x77);
    CHECK_EQ(exit_.address, LAB_GPA);
    CHECK_EQ(TAKE("\x48\xc7\x03\xff\xff\xff\x80"), SVMC_OK, "mov qword [rbx], imm32");
    CHECK_EQ(exit_.size, 8);
    CHECK_EQ(exit_.value, 0xffffffff80ffffff);
    CHECK_EQ(TAKE("\x48\x0f\xbf\x0b"), SVMC_OK, "movsx rcx, word [rbx]");
    CHECK_EQ(exit_.kind, SVMC_KIND_MMIO_READ);
    CHECK_EQ(exit_.size, 2);
    CHECK_EQ(exit_.dest_reg, SVMC_REG_RCX);
    CHECK_EQ(exit_.dest_bytes, 8);
    CHECK_EQ(exit_.dest_extend, SVMC_EXTEND_SIGN);
    CHECK_EQ(TAKE("\x8a\x33"), SVMC_OK, "mov dh, [rbx]");
    CHECK_EQ(exit_.dest_reg, SVMC_REG_RDX);
    CHECK_EQ(exit_.dest_high, 1);
    CHECK_EQ(TAKE("\x0f\xb6\x0b"), SVMC_OK, "movzx ecx, byte [rbx]");
    CHECK_EQ(exit_.size, 1);
    CHECK_EQ(exit_.dest_bytes, 4);
    CHECK_EQ(exit_.dest_extend, SVMC_EXTEND_ZERO);
    CHECK_EQ(TAKE("\x48\xa1\x88\x77\x66\x55\x44\x33\x22\x11"), SVMC_OK, "mov rax, moffs64");
    CHECK_EQ(exit_.kind, SVMC_KIND_MMIO_READ);
    CHECK_EQ(exit_.size, 8);
    CHECK_EQ(exit_.dest_reg, SVMC_REG_RAX);
}

TEST(exit_insn, the_rest)
{
    fresh();
    world.reg[SVMC_REG_RCX] = 0xffffffffc0000080;
    world.reg[SVMC_REG_RAX] = 0xffffffff55667788;
    world.reg[SVMC_REG_RDX] = 0xffffffff11223344;
    CHECK_EQ(TAKE("\x0f\x30"), SVMC_OK, "wrmsr");
    CHECK_EQ(exit_.kind, SVMC_KIND_WRMSR);
    CHECK_EQ(exit_.address, 0xc0000080);
    CHECK_EQ(exit_.value, 0x1122334455667788);
    CHECK_EQ(TAKE("\x0f\x32"), SVMC_OK, "rdmsr");
    CHECK_EQ(exit_.kind, SVMC_KIND_RDMSR);
    CHECK_EQ(TAKE("\x0f\xa2"), SVMC_OK, "cpuid");
    CHECK_EQ(exit_.kind, SVMC_KIND_CPUID);
    CHECK_EQ(TAKE("\xf4"), SVMC_OK, "hlt");
    CHECK_EQ(exit_.kind, SVMC_KIND_HLT);
    CHECK_EQ(TAKE("\x0f\x01\xd9"), SVMC_OK, "vmmcall");
    CHECK_EQ(exit_.kind, SVMC_KIND_HYPERCALL);
}

TEST(exit_insn, what_cannot_exit_or_is_not_finished_is_said)
{
    static const struct svmc_exit zero;

    fresh();
    CHECK_EQ(TAKE("\xa4"), SVMC_ERR_UNSUPPORTED, "movsb");
    CHECK_EQ(TAKE("\xaa"), SVMC_ERR_UNSUPPORTED, "stosb");
    CHECK_EQ(TAKE("\xac"), SVMC_ERR_UNSUPPORTED, "lodsb");
    CHECK_EQ(TAKE("\xa7"), SVMC_ERR_UNSUPPORTED, "cmpsd");
    CHECK_EQ(TAKE("\x01\x03"), SVMC_ERR_UNSUPPORTED, "add [rbx], eax");
    CHECK_EQ(TAKE("\x3b\x03"), SVMC_ERR_UNSUPPORTED, "cmp eax, [rbx]");
    CHECK_EQ(TAKE("\x87\x03"), SVMC_ERR_UNSUPPORTED, "xchg [rbx], eax");
    CHECK_EQ(TAKE("\x0f\x44\x03"), SVMC_ERR_UNSUPPORTED, "cmovz eax, [rbx]");
    CHECK_EQ(TAKE("\x0f\x29\x03"), SVMC_ERR_UNSUPPORTED, "movaps [rbx], xmm0");
    CHECK_EQ(TAKE("\x0f\x6e\x03"), SVMC_ERR_UNSUPPORTED, "movd mm0, [rbx]");
    CHECK_EQ(TAKE("\x0f\xc3\x03"), SVMC_ERR_UNSUPPORTED, "movnti [rbx], eax");
    CHECK_EQ(TAKE("\x8c\x1b"), SVMC_ERR_UNSUPPORTED, "mov [rbx], ds");
    CHECK_EQ(TAKE("\x8e\x1b"), SVMC_ERR_UNSUPPORTED, "mov ds, [rbx]");
    CHECK_EQ(TAKE("\xff\x23"), SVMC_ERR_UNSUPPORTED, "jmp [rbx]");
    CHECK_EQ(TAKE("\x0f\x01\xc6"), SVMC_ERR_UNSUPPORTED, "wrmsrns");
    CHECK_EQ(TAKE("\xf3\x0f\x01\xd9"), SVMC_ERR_UNSUPPORTED, "vmgexit");
    CHECK_EQ(TAKE("\x0f\x01\xfd"), SVMC_ERR_UNSUPPORTED, "rdpru");
    CHECK_EQ(TAKE("\xf3\xa4"), SVMC_ERR_UNSUPPORTED, "rep movsb");
    CHECK_MEM(&exit_, &zero, sizeof zero);
    gpa.v = 0xfee00ffe;
    CHECK_EQ(TAKE("\x89\x08"), SVMC_ERR_UNSUPPORTED, "mov [rax], ecx over a page's end");
    gpa.v = LAB_GPA;
    CHECK_EQ(TAKE("\x88\xc3"), SVMC_ERR_MISMATCH, "mov bl, al touches no memory");
    CHECK_EQ(TAKE("\x8d\x03"), SVMC_ERR_MISMATCH, "nor does lea eax, [rbx]");
    CHECK_MEM(&exit_, &zero, sizeof zero);
}

TEST(exit_insn, registers_are_read_once_and_may_fail) /* EX-10 */
{
    static const char *const forms[] = { "\xef",     "\xec",     "\x0f\x30",
                                         "\x0f\x32", "\xf3\x6c", "\x88\x23" };
    static const unsigned reads[] = { 2, 1, 3, 1, 3, 1 };

    for (unsigned i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        fresh();
        CHECK_EQ(take(forms[i], strlen(forms[i])), SVMC_OK, "%u", i);
        CHECK_EQ(world.calls, reads[i] + (i == 4), "%u", i);
        for (unsigned k = 1; k <= reads[i]; k++) {
            world.fail_at = world.calls + k;
            CHECK_EQ(take(forms[i], strlen(forms[i])), SVMC_ERR_CALLBACK, "%u", i);
        }
    }
}

static enum svmc_status take_in(enum svmc_isa isa, const char *bytes, size_t n)
{
    struct svmc_cpu other = cpu;
    struct svmc_insn insn;
    enum svmc_status st;

    other.isa = (uint8_t)isa;
    CHECK_EQ(svmc_insn_decode(&other, (const uint8_t *)bytes, n, &insn), SVMC_OK);
    st = svmc_exit_from_insn(&insn, (enum svmc_insn_class)insn.insn_class, gpa, &exit_);
    return st != SVMC_OK ? st
                         : svmc_intercept_resolve(&reader, svmc_intercept_rule(exit_.kind), &exit_);
}

TEST(exit_insn, other_modes_wrap_where_they_end) /* EX-10 */
{
    fresh();
    CHECK_EQ(TAKE("\xec"), SVMC_OK);
    CHECK_EQ(exit_.isa, SVMC_ISA_X86_64);
    CHECK_EQ(take_in(SVMC_ISA_X86_32, "\xec", 1), SVMC_OK, "in al, dx");
    CHECK_EQ(exit_.isa, SVMC_ISA_X86_32);
    world.reg[SVMC_REG_ES_BASE] = 0xfffff000;
    world.reg[SVMC_REG_RDI] = 0xffff00002000;
    world.reg[SVMC_REG_RCX] = 0x70003;
    CHECK_EQ(take_in(SVMC_ISA_X86_16, "\xf3\x6c", 2), SVMC_OK, "rep insb es:[di]");
    CHECK_EQ(exit_.address_bytes, 2);
    CHECK_EQ(exit_.count, 3);
    CHECK_EQ(exit_.buffer.v, 0x1000, "behind 4 GiB it begins at 0");
    world.reg[SVMC_REG_DS_BASE] = 0x10000;
    world.reg[SVMC_REG_RSI] = 0x1234fffe;
    CHECK_EQ(take_in(SVMC_ISA_X86_16, "\xf3\x6e", 2), SVMC_OK, "rep outsb ds:[si]");
    CHECK_EQ(exit_.buffer.v, 0x1fffe);
    CHECK_EQ(exit_.count, 2, "the third lies behind the end of SI");
    CHECK_EQ(take_in(SVMC_ISA_X86_32, "\x64\x6e", 2), SVMC_OK, "outsb fs:[esi]");
    CHECK_EQ(exit_.segment, SVMC_SEG_FS);
}

TEST(exit_insn, opcode_and_cause_agree) /* CVE-2024-25742 */
{
    struct svmc_insn insn;

    fresh();
    CHECK_EQ(svmc_insn_decode(&cpu, (const uint8_t *)"\x0f\xa2", 2, &insn), SVMC_OK);
    for (unsigned cause = 0; cause <= SVMC_CLASS_A64_SME; cause++)
        CHECK_EQ(svmc_exit_from_insn(&insn, (enum svmc_insn_class)cause, gpa, &exit_),
                 cause == SVMC_CLASS_CPUID ? SVMC_OK : SVMC_ERR_MISMATCH, "cause %u", cause);
}

TEST(exit_insn, tables_of_the_system) /* EX-87 */
{
    static const struct {
        char name[12], bytes[5];
        uint16_t kind;
        uint8_t number;
    } rows[] = {
        { "sgdt", "\x0f\x01\x03", SVMC_KIND_SYS_STORE, SVMC_SYS_GDTR },
        { "sidt", "\x0f\x01\x0b", SVMC_KIND_SYS_STORE, SVMC_SYS_IDTR },
        { "lgdt", "\x0f\x01\x13", SVMC_KIND_SYS_LOAD, SVMC_SYS_GDTR },
        { "lidt", "\x0f\x01\x1b", SVMC_KIND_SYS_LOAD, SVMC_SYS_IDTR },
        { "sldt [rbx]", "\x0f\x00\x03", SVMC_KIND_SYS_STORE, SVMC_SYS_LDTR },
        { "str ecx", "\x0f\x00\xc9", SVMC_KIND_SYS_STORE, SVMC_SYS_TR },
        { "lldt [rbx]", "\x0f\x00\x13", SVMC_KIND_SYS_LOAD, SVMC_SYS_LDTR },
        { "ltr cx", "\x0f\x00\xd9", SVMC_KIND_SYS_LOAD, SVMC_SYS_TR },
        { "smsw [rbx]", "\x0f\x01\x23", SVMC_KIND_SYS_STORE, SVMC_SYS_MSW },
        { "lmsw [rbx]", "\x0f\x01\x33", SVMC_KIND_SYS_LOAD, SVMC_SYS_MSW },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_exit want = { .kind = rows[i].kind,
                                  .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                                  .count = 1,
                                  .insn_bytes = 3,
                                  .isa = SVMC_ISA_X86_64,
                                  .address = rows[i].number };

        CHECK_EQ(take(rows[i].bytes, 3), SVMC_OK, "%s", rows[i].name);
        CHECK_MEM(&exit_, &want, sizeof want, "%s", rows[i].name);
    }
    CHECK_EQ(take("\x8e\xd8", 2), SVMC_ERR_UNSUPPORTED, "mov ds, eax");
    CHECK_EQ(take("\x0f\x02\xc3", 3), SVMC_ERR_UNSUPPORTED, "lar eax, ebx");
}
