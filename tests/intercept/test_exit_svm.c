/* SPDX-License-Identifier: MIT */
/*
 * EX-11 to EX-15: a VMCB in, an exit out. Offsets, codes and words by hand from AMD APM vol. 2,
 * appendices B and C, 15.10.2, 15.20, 15.25.6; instruction bytes from APM vol. 3.
 */
#include <sys/mman.h>
#include <svmcore/exit_svm.h>
#include <unistd.h>

#include "scenarios.h"

#define RIP UINT64_C(0xffffffff81000ffe)

static const struct svmc_cpu cpu = { .vendor = SVMC_VENDOR_AMD,
                                     .features = { UINT64_MAX, UINT64_MAX } };
static uint8_t *vmcb, *room; /* both end at a page that cannot be read */
static struct svmc_exit exit_;

/* n bytes before an unreadable page; the last n of as many pages as they need. */
static uint8_t *guarded(size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (n + page - 1) / page * page;
    uint8_t *at =
        mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED || mprotect(at + whole, page, PROT_NONE) != 0)
        return NULL;
    return at + whole - n;
}

static void put(unsigned at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        vmcb[at + i] = (uint8_t)(value >> (8 * i));
}

static uint64_t rip_in(unsigned isa)
{
    return isa == SVMC_ISA_X86_64 ? RIP : isa == SVMC_ISA_X86_32 ? 0xfffffffe : 0x7ffe;
}

/* Garbage but for what the manual defines; a guest in this mode that stands at its RIP. */
static void fresh(unsigned isa, uint64_t code, uint64_t info1, uint64_t info2)
{
    if (!vmcb)
        vmcb = guarded(4096);
    if (!room)
        room = guarded(16);
    memset(vmcb, 0xee, 4096);
    put(0x060, 8, 0);
    put(0x068, 8, 0);
    put(0x070, 8, code);
    put(0x078, 8, info1);
    put(0x080, 8, info2);
    put(0x088, 8, 0);
    put(0x090, 8, 1);
    put(0x0c8, 8, 0);
    put(0x0d0, 1, 0);
    put(0x412, 2, isa == SVMC_ISA_X86_64 ? 0x29b : isa == SVMC_ISA_X86_32 ? 0xc9b : 0x09b);
    put(0x4d0, 8, isa == SVMC_ISA_X86_64 ? 0x1500 : 0x1000);
    put(0x570, 8, 2);
    put(0x578, 8, rip_in(isa));
}

/* Convert, with n bytes that end at the guard page. */
static enum svmc_status take(const char *bytes, size_t n)
{
    static const struct svmc_exit zero;
    enum svmc_status st;

    if (n > 0)
        memcpy(room + 16 - n, bytes, n);
    memset(&exit_, 0xee, sizeof exit_);
    st = svmc_exit_from_vmcb(vmcb, &cpu, bytes ? room + 16 - n : NULL, n, &exit_);
    if (st != SVMC_OK)
        CHECK_MEM(&exit_, &zero, sizeof zero, "an error leaves nothing");
    return st;
}
#define TAKE(s) take(s, sizeof(s) - 1)
#define NONE    take(NULL, 0)

static const struct row {
    char name[20];
    uint16_t code;
    uint8_t n;
    char bytes[6];
    uint16_t kind;
} rows[] = {
#define U SVMC_KIND_UNKNOWN
    { "sidt", 0x066, 3, "\x0f\x01\x08", SVMC_KIND_SYS_STORE },
    { "sgdt", 0x067, 3, "\x0f\x01\x00", SVMC_KIND_SYS_STORE },
    { "sldt", 0x068, 3, "\x0f\x00\xc0", SVMC_KIND_SYS_STORE },
    { "str", 0x069, 3, "\x0f\x00\xc8", SVMC_KIND_SYS_STORE },
    { "lidt", 0x06a, 3, "\x0f\x01\x18", SVMC_KIND_SYS_LOAD },
    { "lgdt", 0x06b, 3, "\x0f\x01\x10", SVMC_KIND_SYS_LOAD },
    { "lldt", 0x06c, 3, "\x0f\x00\xd0", SVMC_KIND_SYS_LOAD },
    { "ltr", 0x06d, 3, "\x0f\x00\xd8", SVMC_KIND_SYS_LOAD },
    { "rdtsc", 0x06e, 2, "\x0f\x31", SVMC_KIND_RDTSC },
    { "rdpmc", 0x06f, 2, "\x0f\x33", SVMC_KIND_RDPMC },
    { "pushf", 0x070, 1, "\x9c", U },
    { "popf", 0x071, 1, "\x9d", U },
    { "cpuid", 0x072, 2, "\x0f\xa2", SVMC_KIND_CPUID },
    { "rsm", 0x073, 2, "\x0f\xaa", U },
    { "iret", 0x074, 1, "\xcf", U },
    { "int 0x80", 0x075, 2, "\xcd\x80", U },
    { "invd", 0x076, 2, "\x0f\x08", SVMC_KIND_INVD },
    { "pause", 0x077, 2, "\xf3\x90", SVMC_KIND_PAUSE },
    { "hlt", 0x078, 1, "\xf4", SVMC_KIND_HLT },
    { "invlpg", 0x079, 3, "\x0f\x01\x38", U },
    { "invlpga", 0x07a, 3, "\x0f\x01\xdf", U },
    { "rdmsr", 0x07c, 2, "\x0f\x32", SVMC_KIND_RDMSR },
    { "vmrun", 0x080, 3, "\x0f\x01\xd8", U },
    { "vmmcall", 0x081, 3, "\x0f\x01\xd9", SVMC_KIND_HYPERCALL },
    { "vmgexit", 0x081, 4, "\xf3\x0f\x01\xd9", SVMC_KIND_HYPERCALL },
    { "vmload", 0x082, 3, "\x0f\x01\xda", U },
    { "vmsave", 0x083, 3, "\x0f\x01\xdb", U },
    { "stgi", 0x084, 3, "\x0f\x01\xdc", U },
    { "clgi", 0x085, 3, "\x0f\x01\xdd", U },
    { "skinit", 0x086, 3, "\x0f\x01\xde", U },
    { "rdtscp", 0x087, 3, "\x0f\x01\xf9", SVMC_KIND_RDTSCP },
    { "icebp", 0x088, 1, "\xf1", U },
    { "wbinvd", 0x089, 2, "\x0f\x09", SVMC_KIND_WBINVD },
    { "monitor", 0x08a, 3, "\x0f\x01\xc8", SVMC_KIND_MONITOR },
    { "monitorx", 0x08a, 3, "\x0f\x01\xfa", SVMC_KIND_MONITOR },
    { "mwait", 0x08b, 3, "\x0f\x01\xc9", SVMC_KIND_MWAIT },
    { "mwaitx", 0x08b, 3, "\x0f\x01\xfb", SVMC_KIND_MWAIT },
    { "mwait, armed", 0x08c, 3, "\x0f\x01\xc9", SVMC_KIND_MWAIT },
    { "xsetbv", 0x08d, 3, "\x0f\x01\xd1", SVMC_KIND_XSETBV },
    { "rdpru", 0x08e, 3, "\x0f\x01\xfd", U },
    { "invlpgb", 0x0a0, 3, "\x0f\x01\xfe", U },
    { "invlpgb, illegal", 0x0a1, 3, "\x0f\x01\xfe", U },
    { "invpcid", 0x0a2, 5, "\x66\x0f\x38\x82\x00", U },
    { "mcommit", 0x0a3, 4, "\xf3\x0f\x01\xfa", U },
    { "tlbsync", 0x0a4, 3, "\x0f\x01\xff", U },
    { "hlt, idle", 0x0a6, 1, "\xf4", SVMC_KIND_HLT },
#undef U
};
#define ROWS (sizeof rows / sizeof rows[0])

/* The row's exit in this mode, all of its fields. */
static void expect(const struct row *r, unsigned isa)
{
    struct svmc_exit want = { .kind = r->kind,
                              .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                              .count = 1,
                              .insn_bytes = r->n,
                              .isa = (uint8_t)isa };

    if (r->kind == SVMC_KIND_RDMSR || r->kind == SVMC_KIND_RDPMC || r->kind == SVMC_KIND_XSETBV) {
        want.from = SVMC_FROM_ADDRESS_REG;
        want.address_reg = SVMC_REG_RCX;
    }
    if (r->kind == SVMC_KIND_SYS_STORE || r->kind == SVMC_KIND_SYS_LOAD) /* EX-87, by name */
        want.address = r->name[1] == 'g' ? 0 : r->name[1] == 'i' ? 1 : r->name[1] == 'l' ? 2 : 3;
    if (r->kind == SVMC_KIND_XSETBV)
        want.from |= SVMC_FROM_VALUE_PAIR;
    CHECK_MEM(&exit_, &want, sizeof want, "%s, isa %u", r->name, isa);
}

TEST(exit_svm, every_instruction_by_either_witness_in_every_mode) /* EX-11 EX-12 */
{
    for (unsigned i = 0; i < ROWS; i++)
        for (unsigned isa = SVMC_ISA_X86_16; isa <= SVMC_ISA_X86_64; isa++) {
            const struct row *r = &rows[i];
            uint64_t next = rip_in(isa) + r->n;

            fresh(isa, r->code, 0, 0);
            CHECK_EQ(NONE, SVMC_ERR_TRUNCATED, "%s", r->name);
            for (size_t n = 1; n < r->n; n++)
                CHECK_EQ(take(r->bytes, n), SVMC_ERR_TRUNCATED, "%s: %zu bytes", r->name, n);
            CHECK_EQ(take(r->bytes, r->n), SVMC_OK, "%s", r->name);
            expect(r, isa);
            CHECK_EQ(TAKE("\x88\xc3"), SVMC_ERR_MISMATCH, "%s and mov bl, al", r->name);
            put(0x0c8, 8, isa == SVMC_ISA_X86_64 ? next : next & 0xffffffff);
            if ((isa == SVMC_ISA_X86_32 && (next & 0xffffffff) == 0))
                continue; /* 0 says nothing */
            CHECK_EQ(NONE, SVMC_OK, "%s", r->name);
            expect(r, isa);
            CHECK_EQ(take(r->bytes, r->n), SVMC_OK, "%s", r->name);
            expect(r, isa);
            CHECK_EQ(TAKE("\x88\xc3"), SVMC_ERR_MISMATCH, "%s and mov bl, al", r->name);
            put(0x0c8, 8, next + 1);
            CHECK_EQ(take(r->bytes, r->n), SVMC_ERR_MISMATCH, "%s: longer", r->name);
        }
}

/* Words by binutils; the codes are APM vol. 2, table C-1. */
static const struct transfer {
    char name[16];
    uint16_t code;
    uint8_t n;
    char bytes[6];
    uint16_t kind;
    uint8_t number, size, reg; /* size 0: none; 9: as wide as the mode; 10: as its operands */
} transfers[] = {
    { "mov rax, cr0", 0x00, 3, "\x0f\x20\xc0", SVMC_KIND_CR_READ, 0, 9, SVMC_REG_RAX },
    { "smsw eax", 0x00, 3, "\x0f\x01\xe0", SVMC_KIND_CR_READ, 0, 10, SVMC_REG_RAX },
    { "mov rbx, cr4", 0x04, 3, "\x0f\x20\xe3", SVMC_KIND_CR_READ, 4, 9, SVMC_REG_RBX },
    { "lock mov, cr0", 0x08, 4, "\xf0\x0f\x20\xc0", SVMC_KIND_CR_READ, 8, 9, SVMC_REG_RAX },
    { "mov cr0, rsi", 0x10, 3, "\x0f\x22\xc6", SVMC_KIND_CR_WRITE, 0, 9, SVMC_REG_RSI },
    { "mov cr0, rax", 0x65, 3, "\x0f\x22\xc0", SVMC_KIND_CR_WRITE, 0, 9, SVMC_REG_RAX },
    { "lmsw cx", 0x10, 3, "\x0f\x01\xf1", SVMC_KIND_LMSW, 0, 2, SVMC_REG_RCX },
    { "lmsw cx", 0x65, 3, "\x0f\x01\xf1", SVMC_KIND_LMSW, 0, 2, SVMC_REG_RCX },
    { "clts", 0x10, 2, "\x0f\x06", SVMC_KIND_CLTS, 0, 0, 0 },
    { "mov cr3, rax", 0x13, 3, "\x0f\x22\xd8", SVMC_KIND_CR_WRITE, 3, 9, SVMC_REG_RAX },
    { "mov rax, dr0", 0x20, 3, "\x0f\x21\xc0", SVMC_KIND_DR_READ, 0, 9, SVMC_REG_RAX },
    { "mov rsp, dr7", 0x27, 3, "\x0f\x21\xfc", SVMC_KIND_DR_READ, 7, 9, SVMC_REG_RSP },
    { "mov dr0, rax", 0x30, 3, "\x0f\x23\xc0", SVMC_KIND_DR_WRITE, 0, 9, SVMC_REG_RAX },
    { "mov dr7, rdx", 0x37, 3, "\x0f\x23\xfa", SVMC_KIND_DR_WRITE, 7, 9, SVMC_REG_RDX },
};
#define TRANSFERS (sizeof transfers / sizeof transfers[0])

static void expect_transfer(const struct transfer *t, unsigned isa)
{
    bool read = t->kind == SVMC_KIND_CR_READ || t->kind == SVMC_KIND_DR_READ;
    uint8_t size = t->size == 10  ? (isa == SVMC_ISA_X86_16 ? 2 : 4)
                   : t->size != 9 ? t->size
                                  : (isa == SVMC_ISA_X86_64 ? 8 : 4);
    struct svmc_exit want = { .kind = t->kind,
                              .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                              .count = 1,
                              .insn_bytes = t->n,
                              .isa = (uint8_t)isa,
                              .address = t->number,
                              .size = size,
                              .dest_reg = read ? t->reg : 0,
                              .dest_bytes = read ? size : 0,
                              .value_reg = read ? 0 : t->reg,
                              .from = !read && size ? SVMC_FROM_VALUE_REG : SVMC_FROM_EXIT };

    CHECK_MEM(&exit_, &want, sizeof want, "%s, isa %u", t->name, isa);
}

TEST(exit_svm, control_and_debug_registers) /* EX-60; APM vol. 2, 15.8.1 */
{
    for (unsigned i = 0; i < TRANSFERS; i++)
        for (unsigned isa = SVMC_ISA_X86_16; isa <= SVMC_ISA_X86_64; isa++) {
            const struct transfer *t = &transfers[i];
            bool mov = t->size == 9, assist = mov && t->kind <= SVMC_KIND_CR_WRITE;

            fresh(isa, t->code, 0, 0);
            CHECK_EQ(NONE, SVMC_ERR_TRUNCATED, "%s", t->name);
            CHECK_EQ(take(t->bytes, t->n), SVMC_OK, "%s, isa %u", t->name, isa);
            expect_transfer(t, isa);
            for (unsigned other = 0; other < TRANSFERS; other++) {
                const struct transfer *o = &transfers[other];
                bool same =
                    (o->kind == t->kind && o->number == t->number) ||
                    ((t->code == 0x10 || t->code == 0x65) && (o->code == 0x10 || o->code == 0x65));

                CHECK_EQ(take(o->bytes, o->n), same ? SVMC_OK : SVMC_ERR_MISMATCH, "%s, %s",
                         t->name, o->name);
            }
            put(0x0c8, 8,
                isa == SVMC_ISA_X86_64 ? rip_in(isa) + t->n : (rip_in(isa) + t->n) & 0xffffffff);
            if (isa == SVMC_ISA_X86_32 && ((rip_in(isa) + t->n) & 0xffffffff) == 0)
                continue;
            CHECK_EQ(NONE, SVMC_ERR_TRUNCATED, "%s: which register?", t->name);
            fresh(isa, t->code, (uint64_t)1 << 63 | t->reg, 0);
            put(0x0c8, 8,
                isa == SVMC_ISA_X86_64 ? rip_in(isa) + t->n : (rip_in(isa) + t->n) & 0xffffffff);
            if (!mov)
                continue;
            CHECK_EQ(NONE, assist ? SVMC_OK : SVMC_ERR_TRUNCATED, "%s", t->name);
            if (assist)
                expect_transfer(t, isa);
        }
    fresh(SVMC_ISA_X86_64, 0x00, 0, 0);
    CHECK_EQ(TAKE("\x0f\x01\x20"), SVMC_OK, "smsw [rax]");
    CHECK_EQ(exit_.kind, SVMC_KIND_SYS_STORE); /* EX-87 */
    CHECK_EQ(exit_.address, SVMC_SYS_MSW);
    CHECK_EQ(TAKE("\x0f\x01\x30"), SVMC_ERR_MISMATCH, "lmsw [rax]");
    fresh(SVMC_ISA_X86_64, 0x10, 0, 0);
    CHECK_EQ(TAKE("\x0f\x01\x30"), SVMC_OK, "lmsw [rax]");
    CHECK_EQ(exit_.kind, SVMC_KIND_SYS_LOAD);
    CHECK_EQ(exit_.address, SVMC_SYS_MSW);
    CHECK_EQ(exit_.from, SVMC_FROM_EXIT);
    CHECK_EQ(TAKE("\x0f\x01\x20"), SVMC_ERR_MISMATCH, "smsw [rax]");
    fresh(SVMC_ISA_X86_64, 0x14, 0, 0);
    CHECK_EQ(TAKE("\x0f\x01\x30"), SVMC_ERR_MISMATCH, "lmsw [rax] of CR4");
    fresh(SVMC_ISA_X86_64, 0x30, 0, 0);
    CHECK_EQ(TAKE("\x0f\x01\x30"), SVMC_ERR_MISMATCH, "lmsw [rax] of DR0");
    fresh(SVMC_ISA_X86_64, 0x00, 0, 0);
    CHECK_EQ(TAKE("\x0f\x01\xd1"), SVMC_ERR_MISMATCH, "xsetbv");
}

/* Table C-1 in words: which codes tell of an instruction that has not been executed. */
static enum svmc_status wanted(uint64_t code)
{
    static const uint16_t insn[][2] = { { 0x00, 0x3f }, { 0x65, 0x7c }, { 0x80, 0x8e },
                                        { 0xa0, 0xa4 }, { 0xa6, 0xa6 }, { 0x400, 0x400 } };

    if (code == 0x7f)
        return SVMC_OK;
    for (unsigned i = 0; i < sizeof insn / sizeof insn[0]; i++)
        if (code >= insn[i][0] && code <= insn[i][1])
            return SVMC_ERR_TRUNCATED;
    return SVMC_ERR_UNSUPPORTED;
}

TEST(exit_svm, every_code_has_an_answer) /* EX-11 */
{
    static const uint64_t odd[] = { UINT64_MAX,     UINT64_MAX - 1, UINT64_MAX - 2,
                                    UINT64_MAX - 3, UINT64_MAX - 4, UINT64_MAX - 0x107,
                                    0xffffffff,     0x100000072,    0x8000000000000072,
                                    0xf0000000,     0x80000001 };

    for (uint64_t code = 0; code < 65536; code++) {
        /* IOIO: a string without address size; MSR: a read; the others: NPF's final address */
        fresh(SVMC_ISA_X86_64, code, code == 0x7b ? 0x3f80014 : code == 0x7c ? 0 : 1ull << 32, 0);
        CHECK_EQ(NONE, wanted(code), "code %x", (unsigned)code);
    }
    for (unsigned i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        fresh(SVMC_ISA_X86_64, odd[i], 0, 0);
        CHECK_EQ(TAKE("\x0f\xa2"), SVMC_ERR_UNSUPPORTED, "code %zx", (size_t)odd[i]);
    }
    fresh(SVMC_ISA_X86_64, 0x72, 0, 0);
    put(0x090, 8, 7);
    CHECK_EQ(TAKE("\x0f\xa2"), SVMC_ERR_UNSUPPORTED, "an SEV-ES guest");
}

TEST(exit_svm, a_shutdown_reads_nothing_else) /* EX-11 */
{
    const struct svmc_exit want = { .kind = SVMC_KIND_SHUTDOWN, .count = 1 };

    fresh(SVMC_ISA_X86_64, 0x7f, 0, 0);
    memset(vmcb, 0xff, 0x70);
    memset(vmcb + 0x78, 0xff, 4096 - 0x78);
    CHECK_EQ(NONE, SVMC_OK);
    CHECK_MEM(&exit_, &want, sizeof want);
}

TEST(exit_svm, the_mode_is_the_save_areas) /* EX-11 */
{
    static const struct {
        uint16_t attributes, efer, isa;
    } modes[] = {
        { 0x29b, 0x1500, SVMC_ISA_X86_64 }, /* L, LMA */
        { 0xc9b, 0x1500, SVMC_ISA_X86_32 }, /* D, LMA: compatibility mode */
        { 0x09b, 0x1500, SVMC_ISA_X86_16 }, { 0xc9b, 0x1000, SVMC_ISA_X86_32 },
        { 0x09b, 0x1000, SVMC_ISA_X86_16 }, { 0x29b, 0x1100, SVMC_ISA_X86_16 }, /* L, only LME */
        { 0x69b, 0x1000, SVMC_ISA_X86_32 }, /* outside long mode L means nothing */
    };

    for (unsigned i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        fresh(SVMC_ISA_X86_64, 0x72, 0, 0);
        put(0x412, 2, modes[i].attributes);
        put(0x4d0, 8, modes[i].efer);
        CHECK_EQ(TAKE("\x0f\xa2"), SVMC_OK, "%u", i);
        CHECK_EQ(exit_.isa, modes[i].isa, "%u", i);
    }
    put(0x412, 2, 0x69b);
    put(0x4d0, 8, 0x1500);
    CHECK_EQ(TAKE("\x0f\xa2"), SVMC_ERR_MISMATCH, "L and D");
    fresh(SVMC_ISA_X86_32, 0x78, 0, 0);
    put(0x0c8, 8, 0xffffffff);
    CHECK_EQ(NONE, SVMC_OK, "hlt at the last byte but one");
    put(0x578, 8, 0xffffffff);
    put(0x0c8, 8, 1);
    CHECK_EQ(NONE, SVMC_OK, "a length around 4 GiB");
    CHECK_EQ(exit_.insn_bytes, 2);
}

TEST(exit_svm, a_next_rip_that_cannot_be_is_refused) /* EX-12 */
{
    static const uint64_t far[] = { 0, 16, 17, 4096, (uint64_t)-1, 1ull << 32, 1ull << 63 };

    fresh(SVMC_ISA_X86_64, 0x72, 0, 0);
    for (unsigned i = 0; i < sizeof far / sizeof far[0]; i++) {
        put(0x0c8, 8, RIP + far[i]);
        CHECK_EQ(NONE, SVMC_ERR_MISMATCH, "%u", i);
        CHECK_EQ(TAKE("\x0f\xa2"), SVMC_ERR_MISMATCH, "%u", i);
    }
    put(0x0c8, 8, RIP + 15);
    CHECK_EQ(NONE, SVMC_OK);
    CHECK_EQ(take("\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x0f\xa2", 15), SVMC_OK);
    CHECK_EQ(exit_.insn_bytes, 15);
}

TEST(exit_svm, msrs) /* EX-12; APM vol. 2, 15.11 */
{
    fresh(SVMC_ISA_X86_64, 0x7c, 1, 0);
    put(0x0c8, 8, RIP + 2);
    CHECK_EQ(NONE, SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_WRMSR);
    CHECK_EQ(exit_.from, SVMC_FROM_ADDRESS_REG | SVMC_FROM_VALUE_PAIR);
    CHECK_EQ(exit_.address_reg, SVMC_REG_RCX);
    CHECK_EQ(TAKE("\x0f\x30"), SVMC_OK, "wrmsr");
    CHECK_EQ(exit_.kind, SVMC_KIND_WRMSR);
    CHECK_EQ(TAKE("\x0f\x32"), SVMC_ERR_MISMATCH, "rdmsr");
    fresh(SVMC_ISA_X86_64, 0x7c, 0, 0);
    CHECK_EQ(TAKE("\x0f\x30"), SVMC_ERR_MISMATCH, "wrmsr");
    fresh(SVMC_ISA_X86_64, 0x7c, 2, 0);
    CHECK_EQ(TAKE("\x0f\x30"), SVMC_ERR_MISMATCH);
    fresh(SVMC_ISA_X86_64, 0x7c, 1ull << 32 | 1, 0);
    CHECK_EQ(TAKE("\x0f\x30"), SVMC_ERR_MISMATCH);
}

TEST(exit_svm, other_instructions_of_a_class_are_not_taken_for_it) /* EX-12; CVE-2024-25742 */
{
    static const struct {
        uint16_t code;
        char bytes[5];
        uint8_t n;
    } lies[] = {
        { 0x72, "\x0f\x30", 2 },     { 0x72, "\xf4", 1 },         { 0x78, "\x0f\xa2", 2 },
        { 0x81, "\x0f\xa2", 2 },     { 0x7c, "\x0f\x01\xd9", 3 }, { 0x6e, "\x0f\xa2", 2 },
        { 0x04, "\x0f\x21\xc0", 3 }, { 0x20, "\x0f\x20\xc0", 3 }, { 0x77, "\x90", 1 },
        { 0xa6, "\xec", 1 },
    };

    for (unsigned i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        fresh(SVMC_ISA_X86_64, lies[i].code, 0, 0);
        CHECK_EQ(take(lies[i].bytes, lies[i].n), SVMC_ERR_MISMATCH, "%u", i);
    }
    fresh(SVMC_ISA_X86_64, 0x72, 0, 0);
    CHECK_EQ(TAKE("\x0f\x0b"), SVMC_ERR_UNDEFINED, "ud2");
    CHECK_EQ(take("\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x0f\xa2", 16),
             SVMC_ERR_TOO_LONG);
}

/* EXITINFO1 of IOIO: port 31:16, segment 12:10, A64 A32 A16 9:7, SZ32 SZ16 SZ8 6:4, REP, STR, IN */
TEST(exit_svm, ports_need_no_bytes) /* EX-13 */
{
    static const struct {
        uint32_t info;
        uint16_t kind;
        uint8_t size;
        char bytes[4];
        uint8_t n;
    } ports[] = {
        { 0x00600211, SVMC_KIND_IN, 1, "\xe4\x60", 2 }, /* in al, 0x60 */
        { 0x565c0241, SVMC_KIND_IN, 4, "\xed", 1 },     /* in eax, dx */
        { 0x03f90010, SVMC_KIND_OUT, 1, "\xee", 1 },    /* QEMU 7.2: out dx, al */
        { 0xfffe0e20, SVMC_KIND_OUT, 2, "\x66\xef", 2 },
        { 0x00fe0240, SVMC_KIND_OUT, 4, "\xe7\xfe", 2 },
        { 0x00fe0248, SVMC_KIND_OUT, 4, "\xf3\xe7\xfe", 3 }, /* REP without a string */
    };

    for (unsigned i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        struct svmc_exit want = { .kind = ports[i].kind,
                                  .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                                  .size = ports[i].size,
                                  .count = 1,
                                  .address = ports[i].info >> 16,
                                  .insn_bytes = ports[i].n,
                                  .isa = SVMC_ISA_X86_64 };

        if (ports[i].kind == SVMC_KIND_IN)
            want.dest_bytes = ports[i].size;
        else
            want.from = SVMC_FROM_VALUE_REG;
        fresh(SVMC_ISA_X86_64, 0x7b, ports[i].info, RIP + ports[i].n);
        CHECK_EQ(NONE, SVMC_OK, "%u", i);
        CHECK_MEM(&exit_, &want, sizeof want, "%u: said", i);
        CHECK_EQ(take(ports[i].bytes, ports[i].n), SVMC_OK, "%u", i);
        CHECK_MEM(&exit_, &want, sizeof want, "%u: decoded", i);
        put(0x080, 8, RIP + ports[i].n + 1);
        CHECK_EQ(take(ports[i].bytes, ports[i].n), SVMC_ERR_MISMATCH, "%u: longer", i);
        CHECK_EQ(TAKE("\x0f\xa2"), SVMC_ERR_MISMATCH, "%u: cpuid", i);
        put(0x080, 8, 0);
        CHECK_EQ(NONE, SVMC_ERR_TRUNCATED, "%u: no next RIP", i);
    }
    fresh(SVMC_ISA_X86_64, 0x7b, 0x00610211, RIP + 2);
    CHECK_EQ(TAKE("\xe4\x60"), SVMC_ERR_MISMATCH, "another port");
    CHECK_EQ(TAKE("\xe6\x61"), SVMC_ERR_MISMATCH, "another direction");
    CHECK_EQ(TAKE("\xe5\x61"), SVMC_ERR_MISMATCH, "another size");
    CHECK_EQ(TAKE("\x2e\x6c"), SVMC_ERR_MISMATCH, "a string");
    CHECK_EQ(TAKE("\x0f\xa2"), SVMC_ERR_MISMATCH, "no port");
}

TEST(exit_svm, strings) /* EX-13 */
{
    static const struct {
        uint32_t info;
        uint8_t isa, kind, size, repeat, address, segment, needs, n;
        char bytes[5];
    } strings[] = {
        /* rep insd: A64 */
        { 0x0060024d, SVMC_ISA_X86_64, 1, 4, 1, 8, SVMC_SEG_NONE, 0, 2, "\xf3\x6d" },
        { 0x0060012d, SVMC_ISA_X86_32, 1, 2, 1, 4, SVMC_SEG_ES, 0, 3, "\x66\xf3\x6d" },
        /* insb: in 16-bit mode: A16; a segment field of DS is nobody's */
        { 0x00600c95, SVMC_ISA_X86_16, 1, 1, 0, 2, SVMC_SEG_ES, 0, 1, "\x6c" },
        /* outsb: DS, then gs: and, in 32-bit mode, cs: */
        { 0x00600e14, SVMC_ISA_X86_64, 2, 1, 0, 8, SVMC_SEG_NONE, 0, 1, "\x6e" },
        { 0x00601614, SVMC_ISA_X86_64, 2, 1, 0, 8, SVMC_SEG_GS, 0, 2, "\x65\x6e" },
        { 0x00601214, SVMC_ISA_X86_64, 2, 1, 0, 8, SVMC_SEG_FS, 0, 2, "\x64\x6e" },
        { 0x00600514, SVMC_ISA_X86_32, 2, 1, 0, 4, SVMC_SEG_CS, 0, 2, "\x2e\x6e" },
        { 0x00600d1c, SVMC_ISA_X86_64, 2, 1, 1, 4, SVMC_SEG_NONE, 0, 3, "\x67\xf3\x6e" },
        /* no address size, no segment: a processor without decode assists */
        { 0x0060004d, SVMC_ISA_X86_64, 1, 4, 1, 8, SVMC_SEG_NONE, 1, 2, "\xf3\x6d" },
        { 0x00600014, SVMC_ISA_X86_32, 2, 1, 0, 4, SVMC_SEG_FS, 1, 2, "\x64\x6e" },
        { 0x00600114, SVMC_ISA_X86_32, 2, 1, 0, 4, SVMC_SEG_ES, 1, 2, "\x26\x6e" },
    };

    for (unsigned i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        struct svmc_exit want = { .kind = strings[i].kind == 1 ? SVMC_KIND_INS : SVMC_KIND_OUTS,
                                  .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                                  .size = strings[i].size,
                                  .count = 1,
                                  .address = 0x60,
                                  .insn_bytes = strings[i].n,
                                  .repeat = strings[i].repeat,
                                  .address_bytes = strings[i].address,
                                  .from = SVMC_FROM_STRING_REGS,
                                  .segment = strings[i].segment,
                                  .isa = strings[i].isa };

        fresh(strings[i].isa, 0x7b, strings[i].info, rip_in(strings[i].isa) + strings[i].n);
        CHECK_EQ(NONE, strings[i].needs ? SVMC_ERR_TRUNCATED : SVMC_OK, "%u", i);
        if (!strings[i].needs)
            CHECK_MEM(&exit_, &want, sizeof want, "%u: said", i);
        CHECK_EQ(take(strings[i].bytes, strings[i].n), SVMC_OK, "%u", i);
        CHECK_MEM(&exit_, &want, sizeof want, "%u: decoded", i);
        put(0x078, 8, strings[i].info ^ 8);
        CHECK_EQ(take(strings[i].bytes, strings[i].n), SVMC_ERR_MISMATCH, "%u: REP", i);
    }
    fresh(SVMC_ISA_X86_64, 0x7b, 0x00601214, RIP + 2); /* FS */
    CHECK_EQ(TAKE("\x65\x6e"), SVMC_ERR_MISMATCH, "gs:");
    fresh(SVMC_ISA_X86_64, 0x7b, 0x00600115, RIP + 2); /* A32 */
    CHECK_EQ(TAKE("\x2e\x6c"), SVMC_ERR_MISMATCH, "A64");
    fresh(SVMC_ISA_X86_64, 0x7b, 0x0060021d, RIP + 2);
    CHECK_EQ(TAKE("\xf2\x6c"), SVMC_OK, "REPNE repeats likewise");
    CHECK_EQ(exit_.repeat, 1);
}

TEST(exit_svm, an_ioio_that_contradicts_itself_is_refused) /* EX-13 */
{
    static const struct {
        uint32_t info;
        uint8_t isa;
    } lies[] = {
        { 0x00600201, SVMC_ISA_X86_64 }, /* no size */
        { 0x00600205, SVMC_ISA_X86_64 }, /* a string without one */
        { 0x00600231, SVMC_ISA_X86_64 }, /* two sizes */
        { 0x00600270, SVMC_ISA_X86_64 }, /* three */
        { 0x00600311, SVMC_ISA_X86_64 }, /* two address sizes */
        { 0x00600091, SVMC_ISA_X86_64 }, /* A16 in 64-bit mode */
        { 0x00600211, SVMC_ISA_X86_32 }, /* A64 outside */
        { 0x00600211, SVMC_ISA_X86_16 },
        { 0x00601a14, SVMC_ISA_X86_64 }, /* segment 6 of a string */
        { 0x00601e14, SVMC_ISA_X86_64 },
    };

    for (unsigned i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        fresh(lies[i].isa, 0x7b, lies[i].info, rip_in(lies[i].isa) + 1);
        CHECK_EQ(NONE, SVMC_ERR_MISMATCH, "%u", i);
        CHECK_EQ(TAKE("\xec"), SVMC_ERR_MISMATCH, "%u", i);
    }
}

#define FINAL (1ull << 32)
#define GPA   0xfee00010ull

TEST(exit_svm, device_memory) /* EX-14 */
{
    fresh(SVMC_ISA_X86_64, 0x400, FINAL | 6, GPA); /* QEMU 7.2: user, write */
    CHECK_EQ(NONE, SVMC_ERR_TRUNCATED);
    CHECK_EQ(TAKE("\x48\xc7\x03\x55\x00\x00\x00"), SVMC_OK, "mov qword [rbx], 0x55");
    CHECK_EQ(exit_.kind, SVMC_KIND_MMIO_WRITE);
    CHECK_EQ(exit_.address, GPA);
    CHECK_EQ(exit_.size, 8);
    CHECK_EQ(exit_.value, 0x55);
    CHECK_EQ(exit_.insn_bytes, 7);
    CHECK_EQ(exit_.finish, SVMC_FINISH_REGS | SVMC_FINISH_RIP);
    CHECK_EQ(TAKE("\x88\x23"), SVMC_OK, "mov [rbx], ah");
    CHECK_EQ(exit_.from, SVMC_FROM_VALUE_REG);
    CHECK_EQ(exit_.value_reg, SVMC_REG_RAX);
    CHECK_EQ(exit_.value_high, 1);
    CHECK_EQ(TAKE("\x8b\x03"), SVMC_ERR_MISMATCH, "a load that writes");
    put(0x0c8, 8, RIP + 3); /* 15.7.1: no next RIP here, whatever lies there */
    CHECK_EQ(TAKE("\x88\x23"), SVMC_OK);
    fresh(SVMC_ISA_X86_64, 0x400, FINAL | 0xd, GPA); /* present, user, reserved bit */
    CHECK_EQ(TAKE("\x0f\xb6\x0b"), SVMC_OK, "movzx ecx, byte [rbx]");
    CHECK_EQ(exit_.kind, SVMC_KIND_MMIO_READ);
    CHECK_EQ(exit_.size, 1);
    CHECK_EQ(exit_.dest_reg, SVMC_REG_RCX);
    CHECK_EQ(exit_.dest_bytes, 4);
    CHECK_EQ(exit_.dest_extend, SVMC_EXTEND_ZERO);
    CHECK_EQ(TAKE("\x88\x23"), SVMC_ERR_MISMATCH, "a store that reads");
    CHECK_EQ(TAKE("\x8b"), SVMC_ERR_TRUNCATED);
    CHECK_EQ(TAKE("\x88\xc3"), SVMC_ERR_MISMATCH, "mov bl, al");
    CHECK_EQ(TAKE("\x8d\x03"), SVMC_ERR_MISMATCH, "lea eax, [rbx]");
    CHECK_EQ(TAKE("\x0f\xa2"), SVMC_ERR_MISMATCH, "cpuid");
    CHECK_EQ(TAKE("\x0f\x0b"), SVMC_ERR_UNDEFINED, "ud2");
    fresh(SVMC_ISA_X86_32, 0x400, FINAL, GPA);
    CHECK_EQ(TAKE("\xa1\x00\x00\xe0\xfe"), SVMC_OK, "mov eax, [moffs]");
    CHECK_EQ(exit_.isa, SVMC_ISA_X86_32);
    CHECK_EQ(exit_.insn_bytes, 5);
    fresh(SVMC_ISA_X86_16, 0x400, FINAL, GPA);
    CHECK_EQ(TAKE("\x8b\x07"), SVMC_OK, "mov ax, [bx]");
    CHECK_EQ(exit_.size, 2);
}

TEST(exit_svm, page_faults_that_are_no_access_to_a_device) /* EX-14 */
{
    static const char *const touching[] = { "\xf3\xa4",     "\x01\x03",     "\x87\x03", "\xff\x23",
                                            "\xff\x33",     "\x8f\x03",     "\x9c",     "\xc3",
                                            "\x0f\xae\x3b", "\x0f\xae\x23", "\x6c" };
    static const struct {
        uint64_t info;
        enum svmc_status want;
    } faults[] = {
        { 2, SVMC_ERR_UNSUPPORTED },                     /* nobody says what lies at the address */
        { 1ull << 33 | 2, SVMC_ERR_UNSUPPORTED },        /* in the guest's tables */
        { FINAL | 1ull << 33 | 2, SVMC_ERR_MISMATCH },   /* both */
        { FINAL | 0x10, SVMC_ERR_UNSUPPORTED },          /* instruction fetch */
        { FINAL | 0x40 | 2, SVMC_ERR_UNSUPPORTED },      /* shadow stack */
        { FINAL | 0x80000000 | 2, SVMC_ERR_UNSUPPORTED } /* RMP */
    };

    for (unsigned i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        fresh(SVMC_ISA_X86_64, 0x400, faults[i].info, GPA);
        CHECK_EQ(TAKE("\x89\x03"), faults[i].want, "%u", i);
    }
    for (unsigned i = 0; i < sizeof touching / sizeof touching[0]; i++) {
        fresh(SVMC_ISA_X86_64, 0x400, FINAL | 2, GPA);
        CHECK_EQ(take(touching[i], strlen(touching[i])), SVMC_ERR_UNSUPPORTED, "%u", i);
    }
    fresh(SVMC_ISA_X86_64, 0x400, FINAL | 2, 0xfee00ffd);
    CHECK_EQ(TAKE("\x89\x03"), SVMC_ERR_UNSUPPORTED, "over the page's end");
    fresh(SVMC_ISA_X86_64, 0x400, FINAL | 2, 1ull << 52);
    CHECK_EQ(TAKE("\x89\x03"), SVMC_ERR_MISMATCH, "no physical address");
    fresh(SVMC_ISA_X86_64, 0x400, FINAL | 2, (1ull << 52) - 4);
    CHECK_EQ(TAKE("\x89\x03"), SVMC_OK);
}

TEST(exit_svm, bytes_that_the_processor_fetched) /* EX-14 */
{
    fresh(SVMC_ISA_X86_64, 0x400, FINAL | 2, GPA);
    memcpy(vmcb + 0xd0, "\x0f\x48\xc7\x03\x55\x00\x00\x00\x90\x90\x90\x90\x90\x90\x90\x90", 16);
    CHECK_EQ(NONE, SVMC_OK);
    CHECK_EQ(exit_.insn_bytes, 7);
    CHECK_EQ(TAKE("\x48\xc7\x03\x55\x00\x00\x00"), SVMC_OK, "the same");
    CHECK_EQ(TAKE("\x48\xc7"), SVMC_OK, "fewer: the processor's count");
    CHECK_EQ(TAKE("\x48\xc7\x03\x56\x00\x00\x00"), SVMC_ERR_MISMATCH, "rewritten since");
    vmcb[0xd0] = 3; /* it stopped at the page's end */
    CHECK_EQ(NONE, SVMC_ERR_TRUNCATED);
    CHECK_EQ(TAKE("\x48\xc7\x03\x56\x00\x00\x00"), SVMC_OK, "more: the caller's count");
    CHECK_EQ(exit_.value, 0x56);
    CHECK_EQ(TAKE("\x48\xc7\x02\x56\x00\x00\x00"), SVMC_ERR_MISMATCH);
    vmcb[0xd0] = 16;
    CHECK_EQ(NONE, SVMC_ERR_MISMATCH, "more than an instruction has");
    put(0x070, 8, 0x72); /* 15.8.4: for page faults only; what lies there is an older exit's */
    CHECK_EQ(NONE, SVMC_ERR_TRUNCATED);
    CHECK_EQ(TAKE("\x0f\xa2"), SVMC_OK);
}

TEST(exit_svm, state_around_the_exit) /* EX-15 */
{
    static const struct {
        uint16_t at, bytes;
        uint32_t value;
        uint8_t want;
    } states[] = {
        { 0x068, 8, 1, SVMC_STATE_SHADOW_STI },
        { 0x068, 8, 2, 0 }, /* GUEST_INTERRUPT_MASK is no shadow */
        { 0x060, 8, 1u << 26 | 1u << 12, SVMC_STATE_NMI_BLOCKED },
        { 0x060, 8, 1u << 12, 0 }, /* virtual NMIs are off */
        { 0x060, 8, 1u << 26 | 1u << 11, 0 },
        { 0x570, 8, 1u << 16 | 2, SVMC_STATE_RF },
        { 0x570, 8, 1u << 8 | 2, SVMC_STATE_SINGLE_STEP },
    };

    for (unsigned i = 0; i < sizeof states / sizeof states[0]; i++) {
        fresh(SVMC_ISA_X86_64, 0x72, 0, 0);
        put(states[i].at, states[i].bytes, states[i].value);
        CHECK_EQ(TAKE("\x0f\xa2"), SVMC_OK);
        CHECK_EQ(exit_.state, states[i].want, "%u", i);
    }
}

TEST(exit_svm, user_mode_is_said) /* EX-16; APM vol. 2, table B-2: CPL at 4CBh */
{
    for (unsigned cpl = 0; cpl < 4; cpl++) {
        fresh(SVMC_ISA_X86_64, 0x72, 0, 0);
        put(0x4cb, 1, cpl);
        CHECK_EQ(TAKE("\x0f\xa2"), SVMC_OK);
        CHECK_EQ(exit_.user, cpl == 3, "%u", cpl);
    }
}

TEST(exit_svm, an_exit_within_a_delivery_has_no_instruction) /* EX-15 */
{
    static const uint16_t codes[] = { 0x400, 0x72, 0x7b };
    struct svmc_exit want = {
        .kind = SVMC_KIND_UNKNOWN,
        .count = 1,
        .isa = SVMC_ISA_X86_64,
        .state = SVMC_STATE_RF,
        .interrupted = { .type = SVMC_EVENT_EXCEPTION, .vector = 13, .has_error = 1, .error = 0x18 }
    };
    static struct lab lab;
    uint64_t rng = 6;

    lab_init(&lab, &rng);
    for (unsigned i = 0; i < 3; i++) {
        fresh(SVMC_ISA_X86_64, codes[i], FINAL | 0x10, 0);
        put(0x570, 8, 0x10002);
        put(0x088, 8, 0x1880000b0d);
        CHECK_EQ(NONE, SVMC_OK, "%u", i);
        CHECK_MEM(&exit_, &want, sizeof want, "%u", i);
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit_, &lab.out), SVMC_ERR_UNSUPPORTED, "EV-5");
        put(0x088, 8, 0x80000120);
        CHECK_EQ(TAKE("\x0f\xa2"), SVMC_ERR_MISMATCH, "type 1");
    }
    lab_drop(&lab);
}

TEST(exit_svm, a_table_is_the_codes) /* EX-87 EX-12 */
{
    for (unsigned i = 0; i < 8; i++)
        for (unsigned k = 0; k < 8; k++) {
            fresh(SVMC_ISA_X86_64, rows[i].code, 0, 0);
            CHECK_EQ(take(rows[k].bytes, rows[k].n), i == k ? SVMC_OK : SVMC_ERR_MISMATCH, "%s, %s",
                     rows[i].name, rows[k].name);
        }
}

/* Codes of events: exceptions with #DB, #BP and #AC, NMI, SMI, INIT, windows, VMGEXIT. EX-88 */
static const uint16_t events[] = { 0x41, 0x43, 0x51, 0x60, 0x61, 0x62, 0x63, 0x64, 0x403 };

TEST(exit_svm, what_is_never_delegated) /* EX-88 EX-4 R1 */
{
    static const uint16_t insn[] = { 0x80, 0x82, 0x83, 0x84, 0x85, 0x86, 0xa0, 0xa1, 0xa2, 0xa4 };
    static struct lab lab, before;
    struct svmc_reply reply = { .out_valid = 1, .done = 1, .out = { 0x77 } };
    uint64_t rng = 7;

    for (unsigned i = 0; i < sizeof events / sizeof events[0]; i++) {
        fresh(SVMC_ISA_X86_64, events[i], 0, 0);
        CHECK_EQ(TAKE("\xcc"), SVMC_ERR_UNSUPPORTED, "code %x", events[i]);
        CHECK_EQ(TAKE("\x0f\xa2"), SVMC_ERR_UNSUPPORTED, "code %x", events[i]);
        CHECK_EQ(NONE, SVMC_ERR_UNSUPPORTED, "code %x", events[i]);
    }
    for (unsigned i = 0; i < sizeof insn / sizeof insn[0]; i++)
        for (unsigned n = 0; n < ROWS; n++) {
            if (rows[n].code != insn[i])
                continue;
            lab_init(&lab, &rng);
            fresh(SVMC_ISA_X86_64, insn[i], 0, 0);
            CHECK_EQ(take(rows[n].bytes, rows[n].n), SVMC_OK, "%s", rows[n].name);
            CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit_, &lab.out), SVMC_OK, "%s", rows[n].name);
            CHECK_EQ(lab.out.action, SVMC_ACT_INJECT, "%s", rows[n].name);
            CHECK_EQ(lab.out.fault.vector, 6, "%s: #UD", rows[n].name);
            for (uint64_t t = 0; t < 12; t++) { /* answered all the same */
                reply.seq = (uint64_t)7 << 48 | t;
                reply.status = (uint32_t)t & 3;
                CHECK_EQ(svmc_reply_write(lab.world.page, &reply, NULL), SVMC_OK);
                before = lab;
                CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_STATE, "%s", rows[n].name);
                CHECK(lab_same(&lab, &before), "%s", rows[n].name);
            }
        }
}

TEST(exit_svm, the_way_of_an_exit_goes_on) /* EX-4: what has no kind is #UD */
{
    static struct lab lab;
    uint64_t rng = 7;

    lab_init(&lab, &rng);
    for (unsigned i = 0; i < ROWS; i++) {
        fresh(SVMC_ISA_X86_64, rows[i].code, 0, 0);
        CHECK_EQ(take(rows[i].bytes, rows[i].n), SVMC_OK, "%s", rows[i].name);
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit_, &lab.out), SVMC_OK, "%s", rows[i].name);
        if (rows[i].kind == SVMC_KIND_UNKNOWN) {
            CHECK_EQ(lab.out.action, SVMC_ACT_INJECT, "%s", rows[i].name);
            CHECK_EQ(lab.out.fault.vector, 6, "%s", rows[i].name);
        }
        svmc_vcpu_cancel(&lab.vc);
    }
    fresh(SVMC_ISA_X86_64, 0x7f, 0, 0);
    CHECK_EQ(NONE, SVMC_OK);
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit_, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.stop, SVMC_STOP_POLICY);
    lab_drop(&lab);
}

TEST(exit_svm, bad_arguments)
{
    struct svmc_cpu other = cpu;
    uint8_t code[2] = { 0x0f, 0xa2 };

    fresh(SVMC_ISA_X86_64, 0x72, 0, 0);
    CHECK_EQ(svmc_exit_from_vmcb(vmcb, &cpu, code, 2, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_vmcb(NULL, &cpu, code, 2, &exit_), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_vmcb(vmcb, NULL, code, 2, &exit_), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_vmcb(vmcb, &cpu, NULL, 2, &exit_), SVMC_ERR_ARG);
    other.isa = 0xff;
    CHECK_EQ(svmc_exit_from_vmcb(vmcb, &other, code, 2, &exit_), SVMC_OK, "isa is the VMCB's");
    other.vendor = SVMC_VENDOR_INTEL;
    CHECK_EQ(svmc_exit_from_vmcb(vmcb, &other, code, 2, &exit_), SVMC_ERR_ARG);
    other = cpu;
    other.reserved[5] = 1;
    CHECK_EQ(svmc_exit_from_vmcb(vmcb, &other, code, 2, &exit_), SVMC_ERR_ARG);
}

static const struct {
    uint64_t word;
    struct svmc_event event;
} words[] = {
    { 0, { .type = SVMC_EVENT_NONE } },
    { 0x80000020, { .type = SVMC_EVENT_INTERRUPT, .vector = 0x20 } },
    { 0x800000ff, { .type = SVMC_EVENT_INTERRUPT, .vector = 0xff } },
    { 0x80000202, { .type = SVMC_EVENT_NMI, .vector = 2 } },
    { 0x80000301, { .type = SVMC_EVENT_EXCEPTION, .vector = 1 } },
    { 0x80000306, { .type = SVMC_EVENT_EXCEPTION, .vector = 6 } },
    { 0x0000000080000b08, { .type = SVMC_EVENT_EXCEPTION, .vector = 8, .has_error = 1 } },
    { 0x0000001480000b0e,
      { .type = SVMC_EVENT_EXCEPTION, .vector = 14, .has_error = 1, .error = 0x14 } },
    { 0xffffffff80000b0d,
      { .type = SVMC_EVENT_EXCEPTION, .vector = 13, .has_error = 1, .error = 0xffffffff } },
    { 0x8000031f, { .type = SVMC_EVENT_EXCEPTION, .vector = 31 } },
    { 0x80000303, { .type = SVMC_EVENT_SOFT_EXCEPTION, .vector = 3 } },
    { 0x80000304, { .type = SVMC_EVENT_SOFT_EXCEPTION, .vector = 4 } },
    { 0x80000480, { .type = SVMC_EVENT_SOFT_INTERRUPT, .vector = 0x80 } },
    { 0x80000403, { .type = SVMC_EVENT_SOFT_INTERRUPT, .vector = 3 } },
};

TEST(exit_svm, event_words_both_ways) /* EX-15 */
{
    struct svmc_event event;
    uint64_t word;

    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        memset(&event, 0xee, sizeof event);
        CHECK_EQ(svmc_event_from_svm(words[i].word, &event), SVMC_OK, "%u", i);
        CHECK_MEM(&event, &words[i].event, sizeof event, "%u", i);
        word = 1;
        CHECK_EQ(svmc_event_to_svm(&words[i].event, &word), SVMC_OK, "%u", i);
        CHECK_EQ(word, words[i].word, "%u", i);
    }
    memset(&event, 0xee, sizeof event);
    CHECK_EQ(svmc_event_from_svm(0xffffffff7fffffff, &event), SVMC_OK, "V is 0");
    CHECK_MEM(&event, &words[0].event, sizeof event);
    CHECK_EQ(svmc_event_from_svm(0x80000244, &event), SVMC_OK, "the vector of an NMI");
    CHECK_EQ(event.vector, 2);
    CHECK_EQ(svmc_event_from_svm(0x77780000306, &event), SVMC_OK, "no error code: EV is 0");
    CHECK_EQ(event.error, 0);
    event = (struct svmc_event){ .type = SVMC_EVENT_SOFT_EXCEPTION, .vector = 1 };
    CHECK_EQ(svmc_event_to_svm(&event, &word), SVMC_OK, "int1");
    CHECK_EQ(word, 0x80000301);
    event = (struct svmc_event){ .type = SVMC_EVENT_EXCEPTION, .vector = 6, .error = 9 };
    CHECK_EQ(svmc_event_to_svm(&event, &word), SVMC_OK);
    CHECK_EQ(word, 0x80000306, "no error code without has_error");
}

TEST(exit_svm, event_words_that_are_none) /* EX-15 */
{
    static const struct svmc_event nothing;
    struct svmc_event event;
    uint64_t word = 1;

    for (unsigned low = 0; low < 4096; low++) { /* all of vector, type and EV */
        unsigned type = low >> 8 & 7, vector = low & 0xff, ev = low >> 11;
        bool good = type == 3 ? vector < 32 && vector != 2 && !(ev && (vector == 3 || vector == 4))
                              : (type == 0 || type == 2 || type == 4) && !ev;

        memset(&event, 0xee, sizeof event);
        CHECK_EQ(svmc_event_from_svm(0x80000000 | low, &event), good ? SVMC_OK : SVMC_ERR_MISMATCH,
                 "%x", low);
        if (!good)
            CHECK_MEM(&event, &nothing, sizeof event, "%x", low);
    }
    for (unsigned bit = 12; bit < 31; bit++)
        CHECK_EQ(svmc_event_from_svm(0x80000306 | 1u << bit, &event), SVMC_ERR_MISMATCH, "%u", bit);
    CHECK_EQ(svmc_event_from_svm(0, NULL), SVMC_ERR_ARG);
#define REFUSED(want, ...)                                              \
    do {                                                                \
        event = (struct svmc_event){ __VA_ARGS__ };                     \
        word = 1;                                                       \
        CHECK_EQ(svmc_event_to_svm(&event, &word), want, #__VA_ARGS__); \
        CHECK_EQ(word, 0, #__VA_ARGS__);                                \
    } while (0)
    REFUSED(SVMC_ERR_UNSUPPORTED, .type = SVMC_EVENT_SHUTDOWN);
    REFUSED(SVMC_ERR_ARG, .type = SVMC_EVENT_SHUTDOWN + 1);
    REFUSED(SVMC_ERR_ARG, .type = SVMC_EVENT_EXCEPTION, .vector = 2);
    REFUSED(SVMC_ERR_ARG, .type = SVMC_EVENT_EXCEPTION, .vector = 32);
    REFUSED(SVMC_ERR_ARG, .type = SVMC_EVENT_EXCEPTION, .vector = 13, .has_error = 2);
    REFUSED(SVMC_ERR_ARG, .type = SVMC_EVENT_EXCEPTION, .vector = 3, .has_error = 1);
    REFUSED(SVMC_ERR_ARG, .type = SVMC_EVENT_SOFT_EXCEPTION, .vector = 6);
    REFUSED(SVMC_ERR_ARG, .type = SVMC_EVENT_SOFT_EXCEPTION, .vector = 3, .has_error = 1);
    REFUSED(SVMC_ERR_ARG, .type = SVMC_EVENT_NMI, .vector = 3);
    REFUSED(SVMC_ERR_ARG, .type = SVMC_EVENT_INTERRUPT, .vector = 33, .has_error = 1);
    REFUSED(SVMC_ERR_ARG, .type = SVMC_EVENT_SOFT_INTERRUPT, .has_error = 1);
#undef REFUSED
    CHECK_EQ(svmc_event_to_svm(NULL, &word), SVMC_ERR_ARG);
    CHECK_EQ(svmc_event_to_svm(&event, NULL), SVMC_ERR_ARG);
}
