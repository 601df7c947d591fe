/* SPDX-License-Identifier: MIT */
/* EX-21 to EX-26: VMX exits. Numbers, bytes and fields by hand from the Intel SDM. */
#include <svmcore/exit_vmx.h>

#include "intercept/intercept_private.h"
#include "scenarios.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

#define LMA     0x400u /* IA32_EFER.LMA */
#define CS_64   0xa09bu
#define CS_32   0xc09bu
#define CS_16   0x009bu
#define LENGTHS 1u /* the instruction length is valid */
#define LONG    2u /* 64-bit mode only */
#define BLIND   4u /* bytes are not looked at */

static const struct svmc_cpu intel = { .vendor = SVMC_VENDOR_INTEL,
                                       .features = { UINT64_MAX, UINT64_MAX } };
static const struct svmc_exit zero;
static struct svmc_exit exit_;

/* Appendix C, the instructions: an encoding of each, by hand from vol. 2. */
static const struct instruction {
    uint8_t reason, flags, len, bytes[5];
    uint16_t kind;
} instructions[] = {
    { 10, LENGTHS, 2, { 0x0f, 0xa2 }, SVMC_KIND_CPUID },
    { 11, LENGTHS, 2, { 0x0f, 0x37 }, SVMC_KIND_UNKNOWN },             /* getsec */
    { 12, LENGTHS, 1, { 0xf4 }, SVMC_KIND_HLT },                       /* hlt */
    { 13, LENGTHS, 2, { 0x0f, 0x08 }, SVMC_KIND_INVD },                /* invd */
    { 14, LENGTHS, 3, { 0x0f, 0x01, 0x3b }, SVMC_KIND_UNKNOWN },       /* invlpg [ebx] */
    { 15, LENGTHS, 2, { 0x0f, 0x33 }, SVMC_KIND_RDPMC },               /* rdpmc */
    { 16, LENGTHS, 2, { 0x0f, 0x31 }, SVMC_KIND_RDTSC },               /* rdtsc */
    { 17, LENGTHS, 2, { 0x0f, 0xaa }, SVMC_KIND_UNKNOWN },             /* rsm */
    { 18, LENGTHS, 3, { 0x0f, 0x01, 0xc1 }, SVMC_KIND_HYPERCALL },     /* vmcall */
    { 19, LENGTHS, 4, { 0x66, 0x0f, 0xc7, 0x33 }, SVMC_KIND_UNKNOWN }, /* vmclear */
    { 20, LENGTHS, 3, { 0x0f, 0x01, 0xc2 }, SVMC_KIND_UNKNOWN },       /* vmlaunch */
    { 21, LENGTHS, 3, { 0x0f, 0xc7, 0x33 }, SVMC_KIND_UNKNOWN },       /* vmptrld */
    { 22, LENGTHS, 3, { 0x0f, 0xc7, 0x3b }, SVMC_KIND_UNKNOWN },       /* vmptrst */
    { 23, LENGTHS, 3, { 0x0f, 0x78, 0xc1 }, SVMC_KIND_UNKNOWN },       /* vmread */
    { 24, LENGTHS, 3, { 0x0f, 0x01, 0xc3 }, SVMC_KIND_UNKNOWN },       /* vmresume */
    { 25, LENGTHS, 3, { 0x0f, 0x79, 0xc1 }, SVMC_KIND_UNKNOWN },       /* vmwrite */
    { 26, LENGTHS, 3, { 0x0f, 0x01, 0xc4 }, SVMC_KIND_UNKNOWN },       /* vmxoff */
    { 27, LENGTHS, 4, { 0xf3, 0x0f, 0xc7, 0x33 }, SVMC_KIND_UNKNOWN }, /* vmxon */
    { 31, LENGTHS, 2, { 0x0f, 0x32 }, SVMC_KIND_RDMSR },
    { 32, LENGTHS, 2, { 0x0f, 0x30 }, SVMC_KIND_WRMSR },
    { 32, LENGTHS, 3, { 0x0f, 0x01, 0xc6 }, SVMC_KIND_WRMSR },               /* wrmsrns */
    { 36, LENGTHS, 3, { 0x0f, 0x01, 0xc9 }, SVMC_KIND_MWAIT },               /* mwait */
    { 39, LENGTHS, 3, { 0x0f, 0x01, 0xc8 }, SVMC_KIND_MONITOR },             /* monitor */
    { 40, LENGTHS, 2, { 0xf3, 0x90 }, SVMC_KIND_PAUSE },                     /* pause */
    { 46, LENGTHS, 3, { 0x0f, 0x01, 0x03 }, SVMC_KIND_SYS_STORE },           /* sgdt */
    { 46, LENGTHS, 3, { 0x0f, 0x01, 0x0b }, SVMC_KIND_SYS_STORE },           /* sidt */
    { 46, LENGTHS, 3, { 0x0f, 0x01, 0x13 }, SVMC_KIND_SYS_LOAD },            /* lgdt */
    { 46, LENGTHS, 3, { 0x0f, 0x01, 0x1b }, SVMC_KIND_SYS_LOAD },            /* lidt */
    { 47, LENGTHS, 3, { 0x0f, 0x00, 0xc0 }, SVMC_KIND_SYS_STORE },           /* sldt eax */
    { 47, LENGTHS, 3, { 0x0f, 0x00, 0xc8 }, SVMC_KIND_SYS_STORE },           /* str eax */
    { 47, LENGTHS, 3, { 0x0f, 0x00, 0xd0 }, SVMC_KIND_SYS_LOAD },            /* lldt ax */
    { 47, LENGTHS, 3, { 0x0f, 0x00, 0xd8 }, SVMC_KIND_SYS_LOAD },            /* ltr ax */
    { 50, LENGTHS, 5, { 0x66, 0x0f, 0x38, 0x80, 0x03 }, SVMC_KIND_UNKNOWN }, /* invept */
    { 51, LENGTHS, 3, { 0x0f, 0x01, 0xf9 }, SVMC_KIND_RDTSCP },              /* rdtscp */
    { 53, LENGTHS, 5, { 0x66, 0x0f, 0x38, 0x81, 0x03 }, SVMC_KIND_UNKNOWN }, /* invvpid */
    { 54, LENGTHS, 2, { 0x0f, 0x09 }, SVMC_KIND_WBINVD },                    /* wbinvd */
    { 54, LENGTHS, 3, { 0xf3, 0x0f, 0x09 }, SVMC_KIND_WBINVD },              /* wbnoinvd */
    { 55, LENGTHS, 3, { 0x0f, 0x01, 0xd1 }, SVMC_KIND_XSETBV },              /* xsetbv */
    { 57, LENGTHS, 3, { 0x0f, 0xc7, 0xf0 }, SVMC_KIND_UNKNOWN },             /* rdrand eax */
    { 58, LENGTHS, 5, { 0x66, 0x0f, 0x38, 0x82, 0x03 }, SVMC_KIND_UNKNOWN }, /* invpcid */
    { 59, LENGTHS, 3, { 0x0f, 0x01, 0xd4 }, SVMC_KIND_UNKNOWN },             /* vmfunc */
    { 60, LENGTHS, 3, { 0x0f, 0x01, 0xcf }, SVMC_KIND_UNKNOWN },             /* encls */
    { 61, LENGTHS, 3, { 0x0f, 0xc7, 0xf8 }, SVMC_KIND_UNKNOWN },             /* rdseed eax */
    { 63, LENGTHS, 3, { 0x0f, 0xc7, 0x2b }, SVMC_KIND_UNKNOWN },             /* xsaves */
    { 63, LENGTHS | LONG, 4, { 0x48, 0x0f, 0xc7, 0x2b }, SVMC_KIND_UNKNOWN },
    { 64, LENGTHS, 3, { 0x0f, 0xc7, 0x1b }, SVMC_KIND_UNKNOWN }, /* xrstors */
    { 64, LENGTHS | LONG, 4, { 0x48, 0x0f, 0xc7, 0x1b }, SVMC_KIND_UNKNOWN },
    { 65, LENGTHS, 3, { 0x0f, 0x01, 0xc5 }, SVMC_KIND_UNKNOWN },             /* pconfig */
    { 67, LENGTHS, 4, { 0xf2, 0x0f, 0xae, 0xf0 }, SVMC_KIND_UNKNOWN },       /* umwait eax */
    { 68, LENGTHS, 4, { 0x66, 0x0f, 0xae, 0xf0 }, SVMC_KIND_UNKNOWN },       /* tpause eax */
    { 69, LENGTHS, 5, { 0xf3, 0x0f, 0x38, 0xdc, 0xc1 }, SVMC_KIND_UNKNOWN }, /* loadiwkey */
    { 70, 0, 3, { 0x0f, 0x01, 0xc0 }, SVMC_KIND_UNKNOWN },                   /* enclv */
    { 76, LONG, 4, { 0x66, 0x0f, 0x01, 0xcf }, SVMC_KIND_UNKNOWN },          /* seamcall */
    { 77, 0, 4, { 0x66, 0x0f, 0x01, 0xcc }, SVMC_KIND_UNKNOWN },             /* tdcall */
    { 78, LONG, 4, { 0xf2, 0x0f, 0x01, 0xc6 }, SVMC_KIND_UNKNOWN },          /* rdmsrlist */
    { 79, LONG, 4, { 0xf3, 0x0f, 0x01, 0xc6 }, SVMC_KIND_UNKNOWN },          /* wrmsrlist */
    { 80, LONG, 5, { 0xf3, 0x0f, 0x38, 0xf8, 0xc1 }, SVMC_KIND_UNKNOWN },    /* urdmsr */
    { 81, LONG, 5, { 0xf2, 0x0f, 0x38, 0xf8, 0xc1 }, SVMC_KIND_UNKNOWN },    /* uwrmsr */
    { 84, LENGTHS | BLIND, 5, { 0xc4, 0xe7, 0x7b, 0xf6, 0xc0 }, SVMC_KIND_UNKNOWN },
    { 85, LENGTHS | BLIND, 5, { 0xc4, 0xe7, 0x7a, 0xf6, 0xc0 }, SVMC_KIND_UNKNOWN },
};
#define INSTRUCTIONS (sizeof instructions / sizeof instructions[0])

static struct svmc_vmx_exit vmx_of(uint32_t reason, uint32_t length)
{
    return (struct svmc_vmx_exit){ .exit_reason = reason,
                                   .insn_length = length,
                                   .cs_ar = CS_64,
                                   .efer = LMA,
                                   .rflags = 0x202,
                                   .guest_physical = LAB_GPA };
}

static bool is_table(const struct instruction *r)
{
    return r->reason == 46 || r->reason == 47;
}

/* 27.2.4: bits 29:28 of the information are those of ModRM.reg; the others do not matter here */
static struct svmc_vmx_exit vmx_like(const struct instruction *r, uint32_t length)
{
    struct svmc_vmx_exit vmx = vmx_of(r->reason, length);

    if (is_table(r))
        vmx.insn_info = 0xcfffffff | (r->bytes[2] >> 3 & 3u) << 28;
    return vmx;
}

static void set_mode(struct svmc_vmx_exit *vmx, enum svmc_isa isa)
{
    vmx->cs_ar = isa == SVMC_ISA_X86_64 ? CS_64 : isa == SVMC_ISA_X86_32 ? CS_32 : CS_16;
    vmx->efer = isa == SVMC_ISA_X86_64 ? LMA : 0;
}

static enum svmc_status take(const struct svmc_vmx_exit *vmx, const void *bytes, size_t count)
{
    enum svmc_status st;

    memset(&exit_, 0xee, sizeof exit_);
    st = svmc_exit_from_vmx(vmx, &intel, bytes, count, &exit_);
    if (st != SVMC_OK)
        CHECK_MEM(&exit_, &zero, sizeof zero, "reason %x", vmx->exit_reason);
    return st;
}

#define TAKE(vmx, s) take(vmx, s, sizeof(s) - 1)
#define ALONE(vmx)   take(vmx, NULL, 0)

/* What is the same in every exit that an instruction made. */
static void check_own(const struct instruction *r, enum svmc_isa isa)
{
    unsigned reason = r->reason, kind = r->kind, len = r->len;
    struct svmc_exit want = { .kind = (uint16_t)kind,
                              .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                              .count = 1,
                              .insn_bytes = (uint8_t)len,
                              .isa = (uint8_t)isa };

    if (kind == SVMC_KIND_RDMSR || kind == SVMC_KIND_WRMSR || kind == SVMC_KIND_RDPMC ||
        kind == SVMC_KIND_XSETBV) {
        want.from = SVMC_FROM_ADDRESS_REG;
        want.address_reg = SVMC_REG_RCX;
    }
    if (kind == SVMC_KIND_WRMSR || kind == SVMC_KIND_XSETBV)
        want.from |= SVMC_FROM_VALUE_PAIR;
    if (is_table(r)) /* EX-87: GDTR, IDTR, LDTR, TR */
        want.address = (reason == 46 ? 0 : 2) + (r->bytes[2] >> 3 & 1);
    CHECK_MEM(&exit_, &want, sizeof want, "reason %u", reason);
}

TEST(exit_vmx, every_instruction_in_every_mode) /* EX-21, EX-22, EX-23 */
{
    for (unsigned i = 0; i < INSTRUCTIONS; i++) {
        const struct instruction *r = &instructions[i];

        for (unsigned isa = SVMC_ISA_X86_16; isa <= SVMC_ISA_X86_64; isa++) {
            struct svmc_vmx_exit vmx = vmx_like(r, r->len);

            set_mode(&vmx, (enum svmc_isa)isa);
            if (r->flags & LENGTHS) {
                CHECK_EQ(ALONE(&vmx), SVMC_OK, "reason %u", r->reason);
                check_own(r, (enum svmc_isa)isa);
            } else {
                CHECK_EQ(ALONE(&vmx), SVMC_ERR_TRUNCATED, "reason %u", r->reason);
                vmx.insn_length = 77; /* undefined: not looked at */
            }
            if ((r->flags & LONG) && isa != SVMC_ISA_X86_64)
                continue;
            CHECK_EQ(take(&vmx, r->bytes, r->len), SVMC_OK, "reason %u isa %u", r->reason, isa);
            check_own(r, (enum svmc_isa)isa);
        }
    }
}

/* SDM vol. 3, tables 27-3 and 27-4; words by binutils. */
static const struct transfer {
    const char *name;
    uint8_t reason, len, bytes[4];
    uint32_t qualification;
    uint16_t kind;
    uint8_t number, size, reg; /* size 9: as wide as the mode */
} transfers[] = {
    { "mov rbx, cr4", 28, 3, { 0x0f, 0x20, 0xe3 }, 0x314, SVMC_KIND_CR_READ, 4, 9, SVMC_REG_RBX },
    { "mov cr0, rsi", 28, 3, { 0x0f, 0x22, 0xc6 }, 0x600, SVMC_KIND_CR_WRITE, 0, 9, SVMC_REG_RSI },
    { "mov cr3, rax", 28, 3, { 0x0f, 0x22, 0xd8 }, 0x003, SVMC_KIND_CR_WRITE, 3, 9, SVMC_REG_RAX },
    { "clts", 28, 2, { 0x0f, 0x06 }, 0x020, SVMC_KIND_CLTS, 0, 0, 0 },
    { "lmsw cx", 28, 3, { 0x0f, 0x01, 0xf1 }, 0x12340030, SVMC_KIND_LMSW, 0, 2, 0 },
    { "lmsw [rax]", 28, 3, { 0x0f, 0x01, 0x30 }, 0x56780070, SVMC_KIND_LMSW, 0, 2, 0 },
    { "mov rsp, dr7", 29, 3, { 0x0f, 0x21, 0xfc }, 0x417, SVMC_KIND_DR_READ, 7, 9, SVMC_REG_RSP },
    { "mov dr6, rdx", 29, 3, { 0x0f, 0x23, 0xf2 }, 0x206, SVMC_KIND_DR_WRITE, 6, 9, SVMC_REG_RDX },
};
#define TRANSFERS (sizeof transfers / sizeof transfers[0])

static void check_transfer(const struct transfer *t, enum svmc_isa isa)
{
    bool read = t->kind == SVMC_KIND_CR_READ || t->kind == SVMC_KIND_DR_READ;
    uint8_t size = t->size != 9 ? t->size : isa == SVMC_ISA_X86_64 ? 8 : 4;
    struct svmc_exit want = { .kind = t->kind,
                              .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                              .count = 1,
                              .insn_bytes = t->len,
                              .isa = (uint8_t)isa,
                              .address = t->number,
                              .size = size,
                              .value = t->size == 2 ? t->qualification >> 16 : 0,
                              .dest_reg = read ? t->reg : 0,
                              .dest_bytes = read ? size : 0,
                              .value_reg = read ? 0 : t->reg,
                              .from = !read && t->size == 9 ? SVMC_FROM_VALUE_REG : 0 };

    CHECK_MEM(&exit_, &want, sizeof want, "%s", t->name);
}

TEST(exit_vmx, control_and_debug_registers) /* EX-60 */
{
    for (unsigned i = 0; i < TRANSFERS; i++)
        for (unsigned isa = SVMC_ISA_X86_16; isa <= SVMC_ISA_X86_64; isa++) {
            const struct transfer *t = &transfers[i];
            struct svmc_vmx_exit vmx = vmx_of(t->reason, t->len);

            set_mode(&vmx, (enum svmc_isa)isa);
            vmx.qualification = t->qualification;
            CHECK_EQ(ALONE(&vmx), SVMC_OK, "%s", t->name);
            check_transfer(t, (enum svmc_isa)isa);
            CHECK_EQ(take(&vmx, t->bytes, t->len), SVMC_OK, "%s", t->name);
            check_transfer(t, (enum svmc_isa)isa);
            for (unsigned o = 0; o < TRANSFERS; o++)
                if (o != i && !(t->size == 2 && transfers[o].size == 2))
                    CHECK_EQ(take(&vmx, transfers[o].bytes, transfers[o].len), SVMC_ERR_MISMATCH,
                             "%s, %s", t->name, transfers[o].name);
            CHECK_EQ(TAKE(&vmx, "\x0f\x01\xd1"), SVMC_ERR_MISMATCH, "%s, xsetbv", t->name);
            vmx.insn_length = 16;
            CHECK_EQ(ALONE(&vmx), SVMC_ERR_MISMATCH, "%s", t->name);
            vmx.insn_length = t->len;
            vmx.qualification ^= 1; /* CLTS and LMSW have no other register */
            CHECK_EQ(ALONE(&vmx), t->size == 9 ? SVMC_OK : SVMC_ERR_MISMATCH, "%s", t->name);
            CHECK_EQ(take(&vmx, t->bytes, t->len), SVMC_ERR_MISMATCH, "%s", t->name);
        }
}

TEST(exit_vmx, bytes_and_reason_agree) /* EX-23, CVE-2024-25742 */
{
    for (unsigned i = 0; i < INSTRUCTIONS; i++)
        for (unsigned k = 0; k < INSTRUCTIONS; k++) {
            const struct instruction *r = &instructions[i], *b = &instructions[k];
            struct svmc_vmx_exit vmx = vmx_like(r, b->len);
            bool same = (is_table(r) ? r == b : r->reason == b->reason) || (r->flags & BLIND);

            CHECK_EQ(take(&vmx, b->bytes, b->len), same ? SVMC_OK : SVMC_ERR_MISMATCH,
                     "reason %u, bytes of %u", r->reason, b->reason);
        }
}

TEST(exit_vmx, lengths) /* EX-23 */
{
    struct svmc_vmx_exit vmx = vmx_of(10, 2);

    CHECK_EQ(TAKE(&vmx, "\x0f\xa2\x90\x90"), SVMC_OK, "what stands behind does not matter");
    vmx.insn_length = 3;
    CHECK_EQ(ALONE(&vmx), SVMC_OK, "a prefix");
    CHECK_EQ(exit_.insn_bytes, 3);
    CHECK_EQ(TAKE(&vmx, "\x2e\x0f\xa2"), SVMC_OK);
    CHECK_EQ(TAKE(&vmx, "\x0f\xa2"), SVMC_ERR_MISMATCH, "3 of 2");
    for (unsigned i = 0; i < 4; i++) {
        static const uint32_t lengths[] = { 0, 16, 258, UINT32_MAX };

        vmx.insn_length = lengths[i];
        CHECK_EQ(ALONE(&vmx), SVMC_ERR_MISMATCH, "length %u", lengths[i]);
    }
    vmx.insn_length = 15;
    CHECK_EQ(ALONE(&vmx), SVMC_OK);
    vmx.insn_length = 2;
    CHECK_EQ(TAKE(&vmx, "\x0f"), SVMC_ERR_TRUNCATED, "cut");
    CHECK_EQ(TAKE(&vmx, "\x0f\x0b"), SVMC_ERR_MISMATCH, "ud2");
    CHECK_EQ(TAKE(&vmx, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x0f\xa2"),
             SVMC_ERR_MISMATCH, "too long to be executed");
}

/* Appendix C: what is no instruction. 35, 38, 42, 71, 82, 83 and what follows 85 is nothing. */
static bool is_event(unsigned reason)
{
    static const uint8_t events[] = { 0,  1,  3,  4,  5,  6,  7,  8,  9,  33, 34, 37,
                                      41, 43, 44, 45, 52, 56, 62, 66, 72, 73, 74, 75 };

    for (unsigned i = 0; i < sizeof events; i++)
        if (events[i] == reason)
            return true;
    return false;
}

static bool is_instruction(unsigned reason)
{
    for (unsigned i = 0; i < INSTRUCTIONS; i++)
        if (instructions[i].reason == reason)
            return true;
    return false;
}

TEST(exit_vmx, every_basic_reason) /* EX-21, EX-22 */
{
    unsigned known = 0;

    for (unsigned reason = 0; reason <= 0xffff; reason++) {
        bool memory = reason == 48 || reason == 49, rare = reason >= 70 && reason <= 81;
        struct svmc_vmx_exit vmx = vmx_of(reason, 2);
        enum svmc_status want = SVMC_ERR_UNSUPPORTED;

        if (memory || (is_instruction(reason) && rare))
            want = SVMC_ERR_TRUNCATED;
        else if (is_instruction(reason) || reason == 2 || (reason >= 28 && reason <= 30))
            want = SVMC_OK;
        vmx.qualification = memory ? 0x181 : 0;
        CHECK_EQ(ALONE(&vmx), want, "reason %u", reason);
        known += want != SVMC_ERR_UNSUPPORTED || is_event(reason);
        CHECK(want == SVMC_ERR_UNSUPPORTED || !is_event(reason), "reason %u", reason);
    }
    CHECK_EQ(known, 80, "0 to 81 without 35, 38, 42 and 71; 84 and 85");
}

TEST(exit_vmx, flags_of_the_reason) /* EX-21, table 24-14 */
{
    for (unsigned bit = 16; bit < 32; bit++) {
        struct svmc_vmx_exit vmx = vmx_of(10 | 1u << bit, 2);

        CHECK_EQ(ALONE(&vmx), bit == 26 ? SVMC_OK : SVMC_ERR_UNSUPPORTED, "bit %u", bit);
    }
}

TEST(exit_vmx, triple_fault) /* EX-21 */
{
    struct svmc_exit want = { .kind = SVMC_KIND_SHUTDOWN, .count = 1, .isa = SVMC_ISA_X86_64 };
    struct svmc_vmx_exit vmx = vmx_of(2, 0);

    CHECK_EQ(ALONE(&vmx), SVMC_OK);
    CHECK_MEM(&exit_, &want, sizeof want);
    vmx.idt_vectoring = 0x80000b08; /* #DF was being delivered */
    CHECK_EQ(TAKE(&vmx, "\x0f\x0b"), SVMC_OK, "bytes do not matter");
    CHECK_MEM(&exit_, &want, sizeof want);
}

TEST(exit_vmx, ports) /* EX-24, table 27-5 */
{
    struct svmc_vmx_exit vmx = vmx_of(30, 2);
    struct svmc_exit want;

    vmx.qualification = 0x00600048; /* in al, 0x60 */
    CHECK_EQ(ALONE(&vmx), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_IN);
    CHECK_EQ(exit_.size, 1);
    CHECK_EQ(exit_.address, 0x60);
    CHECK_EQ(exit_.from, SVMC_FROM_EXIT);
    CHECK_EQ(exit_.dest_reg, SVMC_REG_RAX);
    CHECK_EQ(exit_.dest_bytes, 1);
    CHECK_EQ(exit_.insn_bytes, 2);
    want = exit_;
    CHECK_EQ(TAKE(&vmx, "\xe4\x60"), SVMC_OK);
    CHECK_MEM(&exit_, &want, sizeof want);
    CHECK_EQ(TAKE(&vmx, "\xe4\x61"), SVMC_ERR_MISMATCH, "another port");
    CHECK_EQ(TAKE(&vmx, "\xe5\x60"), SVMC_ERR_MISMATCH, "another size");
    CHECK_EQ(TAKE(&vmx, "\xe6\x60"), SVMC_ERR_MISMATCH, "another direction");
    CHECK_EQ(TAKE(&vmx, "\x2e\xec"), SVMC_ERR_MISMATCH, "dx");
    CHECK_EQ(TAKE(&vmx, "\xf3\x6c"), SVMC_ERR_MISMATCH, "a string");
    CHECK_EQ(TAKE(&vmx, "\x0f\xa2"), SVMC_ERR_MISMATCH, "cpuid");
    vmx = vmx_of(30, 1);
    vmx.qualification = 0x565c0003; /* out dx, eax with dx 0x565c */
    CHECK_EQ(TAKE(&vmx, "\xef"), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_OUT);
    CHECK_EQ(exit_.size, 4);
    CHECK_EQ(exit_.address, 0x565c, "the hardware's, not read from DX");
    CHECK_EQ(exit_.from, SVMC_FROM_VALUE_REG);
    CHECK_EQ(exit_.value_reg, SVMC_REG_RAX);
    vmx.insn_length = 2;
    CHECK_EQ(TAKE(&vmx, "\xef"), SVMC_ERR_MISMATCH, "length");
    CHECK_EQ(TAKE(&vmx, "\xe7\x5c"), SVMC_ERR_MISMATCH, "immediate");
    vmx.qualification = 0x00600001; /* out dx, ax */
    CHECK_EQ(TAKE(&vmx, "\x66\xef"), SVMC_OK);
    CHECK_EQ(exit_.size, 2);
}

TEST(exit_vmx, ports_that_cannot_be) /* EX-24 */
{
    static const uint64_t refused[] = {
        0x00600002, 0x00600004, 0x00600005,  0x00600006,         0x00600007, /* sizes */
        0x00600020, 0x00600028,                                              /* REP alone */
        0x00600050, 0x00600058,                                  /* a string's immediate */
        0x01000040,                                              /* immediate over ff */
        0x00600080, 0x00608000, 0x100600000, 0x8000000000600000, /* reserved */
    };

    for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct svmc_vmx_exit vmx = vmx_of(30, 2);

        vmx.has_string_info = 1;
        vmx.insn_info = 0x100;
        vmx.qualification = refused[i];
        CHECK_EQ(ALONE(&vmx), SVMC_ERR_MISMATCH, "%u", i);
    }
}

/* Table 27-8, each with its bytes. */
static const struct string_row {
    uint64_t qualification;
    uint32_t info;
    uint8_t isa, len, bytes[4], size, repeat, address_bytes, segment;
    uint16_t kind;
} string_rows[] = {
    /* rep insd */
    { 0x01f0003b, 0x100, SVMC_ISA_X86_64, 2, { 0xf3, 0x6d }, 4, 1, 8, 0xff, SVMC_KIND_INS },
    /* insb [edi]: the segment is undefined */
    { 0x01f00018, 0x38080, SVMC_ISA_X86_64, 2, { 0x67, 0x6c }, 1, 0, 4, 0xff, SVMC_KIND_INS },
    /* outsb dx, gs:[rsi] */
    { 0x03f80010, 0x28100, SVMC_ISA_X86_64, 2, { 0x65, 0x6e }, 1, 0, 8, 5, SVMC_KIND_OUTS },
    /* rep outsw dx, [rsi]: DS has no base here */
    { 0x03f80031,
      0x18100,
      SVMC_ISA_X86_64,
      3,
      { 0xf3, 0x66, 0x6f },
      2,
      1,
      8,
      0xff,
      SVMC_KIND_OUTS },
    /* outsw dx, fs:[esi] */
    { 0x03f80011, 0x20080, SVMC_ISA_X86_32, 3, { 0x64, 0x66, 0x6f }, 2, 0, 4, 4, SVMC_KIND_OUTS },
    /* rep insd es:[edi] */
    { 0x01f0003b, 0x080, SVMC_ISA_X86_32, 2, { 0xf3, 0x6d }, 4, 1, 4, 0, SVMC_KIND_INS },
    /* outsb dx, ds:[si] */
    { 0x03f80010, 0x18000, SVMC_ISA_X86_16, 1, { 0x6e }, 1, 0, 2, 3, SVMC_KIND_OUTS },
    /* rep insw es:[di] */
    { 0x01f00039, 0x38000, SVMC_ISA_X86_16, 2, { 0xf3, 0x6d }, 2, 1, 2, 0, SVMC_KIND_INS },
    /* outsb dx, ss:[si] */
    { 0x03f80010, 0x10000, SVMC_ISA_X86_16, 2, { 0x36, 0x6e }, 1, 0, 2, 2, SVMC_KIND_OUTS },
};
#define STRING_ROWS (sizeof string_rows / sizeof string_rows[0])

static struct svmc_vmx_exit vmx_of_string(const struct string_row *r)
{
    struct svmc_vmx_exit vmx = vmx_of(30, r->len);

    vmx.qualification = r->qualification;
    vmx.insn_info = r->info;
    vmx.has_string_info = 1;
    set_mode(&vmx, (enum svmc_isa)r->isa);
    return vmx;
}

TEST(exit_vmx, strings) /* EX-24 */
{
    for (unsigned i = 0; i < STRING_ROWS; i++) {
        const struct string_row *r = &string_rows[i];
        struct svmc_vmx_exit vmx = vmx_of_string(r);
        struct svmc_exit want = { .kind = r->kind,
                                  .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                                  .size = r->size,
                                  .count = 1,
                                  .address = r->qualification >> 16,
                                  .insn_bytes = r->len,
                                  .repeat = r->repeat,
                                  .address_bytes = r->address_bytes,
                                  .from = SVMC_FROM_STRING_REGS,
                                  .segment = r->segment,
                                  .isa = r->isa };

        CHECK_EQ(ALONE(&vmx), SVMC_OK, "%u", i);
        CHECK_MEM(&exit_, &want, sizeof want, "%u", i);
        CHECK_EQ(take(&vmx, r->bytes, r->len), SVMC_OK, "%u", i);
        CHECK_MEM(&exit_, &want, sizeof want, "%u", i);
        vmx.has_string_info = 0; /* IA32_VMX_BASIC[54] is 0 */
        vmx.insn_info = UINT32_MAX;
        CHECK_EQ(ALONE(&vmx), SVMC_ERR_TRUNCATED, "%u", i);
        CHECK_EQ(take(&vmx, r->bytes, r->len), SVMC_OK, "%u", i);
        CHECK_MEM(&exit_, &want, sizeof want, "%u", i);
        vmx.qualification ^= 0x20;
        CHECK_EQ(take(&vmx, r->bytes, r->len), SVMC_ERR_MISMATCH, "%u: REP", i);
        vmx.qualification ^= 0x28;
        CHECK_EQ(take(&vmx, r->bytes, r->len), SVMC_ERR_MISMATCH, "%u: direction", i);
    }
}

TEST(exit_vmx, string_information_is_held_against_mode_and_bytes) /* EX-24 */
{
    struct svmc_vmx_exit vmx = vmx_of_string(&string_rows[2]); /* outsb dx, gs:[rsi] */

    vmx.insn_info = 0x20100;
    CHECK_EQ(ALONE(&vmx), SVMC_OK, "fs");
    CHECK_EQ(TAKE(&vmx, "\x65\x6e"), SVMC_ERR_MISMATCH, "gs");
    vmx.insn_info = 0x28080;
    CHECK_EQ(TAKE(&vmx, "\x65\x6e"), SVMC_ERR_MISMATCH, "[esi]");
    vmx.insn_info = 0x28000;
    CHECK_EQ(ALONE(&vmx), SVMC_ERR_MISMATCH, "16-bit addresses in 64-bit mode");
    for (uint32_t size = 3; size < 8; size++) {
        vmx.insn_info = 0x28000 | size << 7;
        CHECK_EQ(ALONE(&vmx), SVMC_ERR_MISMATCH, "size %u", size);
    }
    for (uint32_t segment = 6; segment < 8; segment++) {
        vmx.insn_info = 0x100 | segment << 15;
        CHECK_EQ(ALONE(&vmx), SVMC_ERR_MISMATCH, "segment %u", segment);
    }
    vmx.insn_info = 0x28100;
    set_mode(&vmx, SVMC_ISA_X86_32);
    CHECK_EQ(ALONE(&vmx), SVMC_ERR_MISMATCH, "64-bit addresses outside 64-bit mode");
    vmx = vmx_of_string(&string_rows[2]);
    vmx.insn_info |= 0xfffc7c7f;
    CHECK_EQ(TAKE(&vmx, "\x65\x6e"), SVMC_OK, "undefined bits");
}

TEST(exit_vmx, device_memory) /* EX-25, table 27-7 */
{
    struct svmc_vmx_exit vmx = vmx_of(48, 99); /* the length is undefined */

    vmx.qualification = 0x181;
    CHECK_EQ(ALONE(&vmx), SVMC_ERR_TRUNCATED);
    CHECK_EQ(TAKE(&vmx, "\x0f\xb6\x0b"), SVMC_OK, "movzx ecx, byte [rbx]");
    CHECK_EQ(exit_.kind, SVMC_KIND_MMIO_READ);
    CHECK_EQ(exit_.address, LAB_GPA);
    CHECK_EQ(exit_.size, 1);
    CHECK_EQ(exit_.dest_reg, SVMC_REG_RCX);
    CHECK_EQ(exit_.dest_bytes, 4);
    CHECK_EQ(exit_.dest_extend, SVMC_EXTEND_ZERO);
    CHECK_EQ(exit_.insn_bytes, 3);
    CHECK_EQ(exit_.finish, SVMC_FINISH_REGS | SVMC_FINISH_RIP);
    CHECK_EQ(TAKE(&vmx, "\x89\x0b"), SVMC_ERR_MISMATCH, "a store for a read");
    CHECK_EQ(TAKE(&vmx, "\x0f"), SVMC_ERR_TRUNCATED);
    vmx.qualification = 0x1fba; /* all that is reported of a write: 1, 3 to 5, 7 to 12 */
    CHECK_EQ(TAKE(&vmx, "\x89\x0b"), SVMC_OK, "mov [rbx], ecx");
    CHECK_EQ(exit_.kind, SVMC_KIND_MMIO_WRITE);
    CHECK_EQ(exit_.from, SVMC_FROM_VALUE_REG);
    CHECK_EQ(exit_.value_reg, SVMC_REG_RCX);
    CHECK_EQ(TAKE(&vmx, "\x8b\x0b"), SVMC_ERR_MISMATCH, "a load for a write");
    vmx.qualification = 0x183;
    CHECK_EQ(TAKE(&vmx, "\x89\x0b"), SVMC_ERR_MISMATCH, "a store for a read-modify-write");
    CHECK_EQ(TAKE(&vmx, "\x01\x0b"), SVMC_ERR_UNSUPPORTED, "add [rbx], ecx");
    vmx.qualification = 0x180;
    CHECK_EQ(TAKE(&vmx, "\x8b\x0b"), SVMC_ERR_MISMATCH, "neither");
    vmx = vmx_of(49, 99);
    vmx.qualification = UINT64_MAX; /* undefined */
    CHECK_EQ(ALONE(&vmx), SVMC_ERR_TRUNCATED);
    CHECK_EQ(TAKE(&vmx, "\x8b\x0b"), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_MMIO_READ);
    CHECK_EQ(TAKE(&vmx, "\x89\x0b"), SVMC_OK);
    CHECK_EQ(exit_.kind, SVMC_KIND_MMIO_WRITE);
    vmx.guest_physical = 0xfee00ffe;
    CHECK_EQ(TAKE(&vmx, "\x89\x0b"), SVMC_ERR_UNSUPPORTED, "over a page's end");
}

TEST(exit_vmx, other_accesses_are_yours) /* EX-25 */
{
    static const uint64_t foreign[] = {
        0x184,     /* a fetch */
        0x101,     /* no linear address: the PDPTEs */
        0x081,     /* a page walk */
        0x2181,    /* a shadow stack */
        0x8181,    /* guest-paging verification */
        0x10181,   /* asynchronous to the instruction */
        0x00000001 /* neither bit 7 nor bit 8 */
    };
    struct svmc_vmx_exit vmx = vmx_of(48, 99);

    for (unsigned i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        vmx.qualification = foreign[i];
        CHECK_EQ(TAKE(&vmx, "\x8b\x0b"), SVMC_ERR_UNSUPPORTED, "%u", i);
    }
    vmx.qualification = 0x182;
    CHECK_EQ(TAKE(&vmx, "\x50"), SVMC_ERR_UNSUPPORTED, "push rax");
    CHECK_EQ(TAKE(&vmx, "\xcc"), SVMC_ERR_UNSUPPORTED, "int3");
    CHECK_EQ(TAKE(&vmx, "\xe8\x00\x00\x00\x00"), SVMC_ERR_UNSUPPORTED, "call");
    CHECK_EQ(TAKE(&vmx, "\x8e\xd8"), SVMC_ERR_UNSUPPORTED, "mov ds, eax");
    CHECK_EQ(TAKE(&vmx, "\x48\xcf"), SVMC_ERR_UNSUPPORTED, "iretq");
    CHECK_EQ(TAKE(&vmx, "\x6c"), SVMC_ERR_UNSUPPORTED, "insb into device memory");
    CHECK_EQ(TAKE(&vmx, "\xf3\xa4"), SVMC_ERR_UNSUPPORTED, "rep movsb");
    CHECK_EQ(TAKE(&vmx, "\x0f\x02\xc1"), SVMC_ERR_UNSUPPORTED, "lar eax, ecx");
    CHECK_EQ(TAKE(&vmx, "\x0f\xa2"), SVMC_ERR_MISMATCH, "cpuid touches nothing");
    CHECK_EQ(TAKE(&vmx, "\xeb\xfe"), SVMC_ERR_MISMATCH, "nor does jmp");
    CHECK_EQ(TAKE(&vmx, "\x89\xc3"), SVMC_ERR_MISMATCH, "nor does mov ebx, eax");
    set_mode(&vmx, SVMC_ISA_X86_32);
    CHECK_EQ(TAKE(&vmx, "\xea\x00\x00\x00\x00\x08\x00"), SVMC_ERR_UNSUPPORTED, "jmp 8:0");
}

TEST(exit_vmx, modes) /* EX-23: CS.L, CS.D, LMA */
{
    static const struct {
        uint32_t cs_ar;
        uint64_t efer;
        unsigned isa; /* 0: refused */
    } rows[] = {
        { 0xa09b, LMA, SVMC_ISA_X86_64 },   { 0xa09b, 0x500, SVMC_ISA_X86_64 },
        { 0xa09b, 0x100, SVMC_ISA_X86_16 }, { 0xc09b, LMA, SVMC_ISA_X86_32 },
        { 0xc09b, 0, SVMC_ISA_X86_32 },     { 0x009b, LMA, SVMC_ISA_X86_16 },
        { 0x00f3, 0, SVMC_ISA_X86_16 },     { 0xe09b, 0, SVMC_ISA_X86_32 },
        { 0xe09b, LMA, SVMC_ISA_NONE },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_vmx_exit vmx = vmx_of(10, 2);

        vmx.cs_ar = rows[i].cs_ar;
        vmx.efer = rows[i].efer;
        CHECK_EQ(ALONE(&vmx), rows[i].isa ? SVMC_OK : SVMC_ERR_MISMATCH, "%u", i);
        CHECK_EQ(exit_.isa, rows[i].isa, "%u", i);
    }
}

TEST(exit_vmx, the_mode_decides_what_bytes_are) /* EX-23 */
{
    struct svmc_vmx_exit vmx = vmx_of(48, 0);

    vmx.qualification = 0x182;
    CHECK_EQ(TAKE(&vmx, "\x48\x89\x0b"), SVMC_OK, "mov [rbx], rcx");
    CHECK_EQ(exit_.size, 8);
    set_mode(&vmx, SVMC_ISA_X86_32);
    CHECK_EQ(TAKE(&vmx, "\x48\x89\x0b"), SVMC_ERR_MISMATCH, "dec eax");
    CHECK_EQ(TAKE(&vmx, "\x89\x0b"), SVMC_OK, "mov [ebx], ecx");
    CHECK_EQ(exit_.size, 4);
    set_mode(&vmx, SVMC_ISA_X86_16);
    CHECK_EQ(TAKE(&vmx, "\x89\x0b"), SVMC_OK, "mov [bp+di], cx");
    CHECK_EQ(exit_.size, 2);
    CHECK_EQ(exit_.isa, SVMC_ISA_X86_16);
}

TEST(exit_vmx, state) /* EX-26, table 24-3 */
{
    static const struct {
        uint32_t held;
        uint64_t rflags, debugctl;
        unsigned state;
    } rows[] = {
        { 0, 0x202, 0, SVMC_STATE_NONE },
        { 1, 0x202, 0, SVMC_STATE_SHADOW_STI },
        { 2, 0x202, 0, SVMC_STATE_SHADOW_SS },
        { 4, 0x202, 0, SVMC_STATE_NONE }, /* SMIs are nobody's here */
        { 8, 0x202, 0, SVMC_STATE_NMI_BLOCKED },
        { 9, 0x202, 0, SVMC_STATE_SHADOW_STI | SVMC_STATE_NMI_BLOCKED },
        { 0, 0x10202, 0, SVMC_STATE_RF },
        { 0, 0x302, 0, SVMC_STATE_SINGLE_STEP },
        { 0, 0x302, 1, SVMC_STATE_SINGLE_STEP },
        { 0, 0x302, 2, SVMC_STATE_NONE }, /* BTF: branches only */
        { 10, 0x10302, 0,
          SVMC_STATE_SHADOW_SS | SVMC_STATE_NMI_BLOCKED | SVMC_STATE_RF | SVMC_STATE_SINGLE_STEP },
    };
    struct svmc_vmx_exit vmx;

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        vmx = vmx_of(10, 2);
        vmx.interruptibility = rows[i].held;
        vmx.rflags = rows[i].rflags;
        vmx.debugctl = rows[i].debugctl;
        CHECK_EQ(ALONE(&vmx), SVMC_OK, "%u", i);
        CHECK_EQ(exit_.state, rows[i].state, "%u", i);
        vmx.exit_reason = 48;
        vmx.qualification = 0x181;
        CHECK_EQ(TAKE(&vmx, "\x8b\x0b"), SVMC_OK, "%u", i);
        CHECK_EQ(exit_.state, rows[i].state, "%u", i);
    }
    vmx = vmx_of(10, 2);
    vmx.interruptibility = 3;
    CHECK_EQ(ALONE(&vmx), SVMC_ERR_MISMATCH, "both shadows");
    vmx.interruptibility = 16;
    CHECK_EQ(ALONE(&vmx), SVMC_ERR_UNSUPPORTED, "an enclave");
    for (unsigned bit = 5; bit < 32; bit++) {
        vmx.interruptibility = 1u << bit;
        CHECK_EQ(ALONE(&vmx), SVMC_ERR_MISMATCH, "bit %u", bit);
    }
}

TEST(exit_vmx, interrupted_deliveries) /* EX-26, EV-5 */
{
    struct svmc_exit want = {
        .kind = SVMC_KIND_UNKNOWN,
        .count = 1,
        .address = LAB_GPA,
        .isa = SVMC_ISA_X86_64,
        .interrupted = { .type = SVMC_EVENT_EXCEPTION, .vector = 14, .has_error = 1, .error = 7 }
    };
    struct svmc_vmx_exit vmx = vmx_of(48, 0);
    static struct lab lab;
    uint64_t rng = 5;

    vmx.idt_vectoring = 0x80000b0e; /* #PF with error code */
    vmx.idt_error = 7;
    for (vmx.exit_reason = 48; vmx.exit_reason <= 49; vmx.exit_reason++) {
        CHECK_EQ(ALONE(&vmx), SVMC_OK);
        CHECK_MEM(&exit_, &want, sizeof want);
        CHECK_EQ(TAKE(&vmx, "\x0f\x0b"), SVMC_OK, "bytes are not read");
        CHECK_MEM(&exit_, &want, sizeof want);
    }
    lab_init(&lab, &rng);
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit_, &lab.out), SVMC_ERR_UNSUPPORTED);
    lab_drop(&lab);
    vmx.exit_reason = 48;
    vmx.idt_vectoring = 0x8000010e;
    CHECK_EQ(ALONE(&vmx), SVMC_ERR_MISMATCH, "type 1");
    for (unsigned i = 0; i < INSTRUCTIONS; i++) {
        vmx = vmx_of(instructions[i].reason, 2);
        vmx.idt_vectoring = 0x80000020;
        CHECK_EQ(ALONE(&vmx), SVMC_ERR_MISMATCH, "no instruction is executed in a delivery");
    }
    vmx = vmx_of(30, 1);
    vmx.idt_vectoring = 0x80000020;
    CHECK_EQ(ALONE(&vmx), SVMC_ERR_MISMATCH);
    vmx = vmx_of(0, 0);
    vmx.idt_vectoring = 0x80000020;
    CHECK_EQ(ALONE(&vmx), SVMC_ERR_UNSUPPORTED, "yours as ever");
}

TEST(exit_vmx, what_has_no_kind_is_a_fault) /* EX-22, EX-4 */
{
    /* VMX itself, and what belongs to it */
    static const uint8_t reasons[] = { 19, 20, 21, 22, 23, 24, 25, 26, 27, 50, 53, 59 };
    struct svmc_vmx_exit vmx;
    static struct lab lab;
    uint64_t rng = 6;

    lab_init(&lab, &rng);
    for (unsigned i = 0; i < sizeof reasons; i++) {
        vmx = vmx_of(reasons[i], 4);
        CHECK_EQ(ALONE(&vmx), SVMC_OK, "%u", reasons[i]);
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit_, &lab.out), SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_INJECT, "%u", reasons[i]);
        CHECK_EQ(lab.out.fault.vector, 6, "#UD");
        CHECK_EQ(lab.world.reg_writes, 0);
    }
    vmx = vmx_of(32, 2);
    lab.world.reg[SVMC_REG_RCX] = LAB_MSR;
    CHECK_EQ(ALONE(&vmx), SVMC_OK, "wrmsr");
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &exit_, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED);
    lab_drop(&lab);
}

TEST(exit_vmx, arguments)
{
    struct svmc_vmx_exit vmx = vmx_of(10, 2);
    struct svmc_cpu other = { 0 };

    CHECK_EQ(svmc_exit_from_vmx(&vmx, &intel, NULL, 0, NULL), SVMC_ERR_ARG);
    memset(&exit_, 0xee, sizeof exit_);
    CHECK_EQ(svmc_exit_from_vmx(NULL, &intel, NULL, 0, &exit_), SVMC_ERR_ARG);
    CHECK_MEM(&exit_, &zero, sizeof zero);
    CHECK_EQ(svmc_exit_from_vmx(&vmx, NULL, NULL, 0, &exit_), SVMC_OK, "no bytes, no cpu");
    CHECK_EQ(svmc_exit_from_vmx(&vmx, NULL, (const uint8_t *)"\x0f\xa2", 2, &exit_), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_vmx(&vmx, &intel, NULL, 2, &exit_), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_vmx(&vmx, &other, (const uint8_t *)"\x0f\xa2", 2, &exit_), SVMC_ERR_ARG,
             "no vendor");
    CHECK_MEM(&exit_, &zero, sizeof zero);
    vmx.has_string_info = 2;
    CHECK_EQ(ALONE(&vmx), SVMC_ERR_ARG);
    vmx.has_string_info = 0;
    for (unsigned i = 0; i < sizeof vmx.reserved; i++) {
        vmx.reserved[i] = 1;
        CHECK_EQ(ALONE(&vmx), SVMC_ERR_ARG);
        vmx.reserved[i] = 0;
    }
    for (unsigned cpl = 0; cpl < 256; cpl++) { /* EX-16 */
        vmx.cpl = (uint8_t)cpl;
        CHECK_EQ(ALONE(&vmx), cpl <= 3 ? SVMC_OK : SVMC_ERR_ARG);
        CHECK_EQ(exit_.user, cpl == 3);
    }
}

#if defined(__linux__)
TEST(exit_vmx, nothing_behind_the_bytes_is_read)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    REQUIRE(map != MAP_FAILED && mprotect(map + page, page, PROT_NONE) == 0);
    for (unsigned i = 0; i < INSTRUCTIONS; i++)
        for (unsigned count = 1; count <= instructions[i].len; count++) {
            const struct instruction *r = &instructions[i];
            struct svmc_vmx_exit vmx = vmx_like(r, r->len);
            enum svmc_status st, want = count < r->len ? SVMC_ERR_TRUNCATED : SVMC_OK;

            memcpy(map + page - count, r->bytes, count);
            st = take(&vmx, map + page - count, count);
            CHECK_EQ(st, r->flags & BLIND ? SVMC_OK : want, "reason %u, %u", r->reason, count);
        }
    munmap(map, 2 * page);
}
#endif
