/* SPDX-License-Identifier: MIT */
/*
 * Every callback of every scenario fails, waits, faults or lies at its k-th call, for every k
 * (XE-1 XE-2 XE-6 XE-7 XE-9 XE-15 XE-23).
 */
#include "exec_lab.h"

struct row {
    char name[29];
    uint8_t count, bytes[10];
    bool repeats, port;
    bool partial; /* a fault leaves what was done, and it can be done again */
};

/* The memory operand is [rbx]; strings have RSI, RDI; RCX is a count, RAX and RDX are values. */
static const struct row rows[] = {
    { "mov [rbx], rax", 3, { 0x48, 0x89, 0x03 }, .repeats = false },
    { "mov [rbx], ah", 2, { 0x88, 0x23 }, .repeats = false },
    { "mov eax, [rbx]", 2, { 0x8b, 0x03 }, .repeats = false },
    { "movzx eax, word [rbx]", 3, { 0x0f, 0xb7, 0x03 }, .repeats = false },
    { "movsxd rax, [rbx]", 3, { 0x48, 0x63, 0x03 }, .repeats = false },
    { "movbe [rbx], rax", 5, { 0x48, 0x0f, 0x38, 0xf1, 0x03 }, .repeats = false },
    { "add [rbx], rax", 3, { 0x48, 0x01, 0x03 }, .repeats = false },
    { "lock add [rbx], rax", 4, { 0xf0, 0x48, 0x01, 0x03 }, .repeats = false },
    { "add rax, [rbx]", 3, { 0x48, 0x03, 0x03 }, .repeats = false },
    { "cmp [rbx], eax", 2, { 0x39, 0x03 }, .repeats = false },
    { "xchg [rbx], rax", 3, { 0x48, 0x87, 0x03 }, .repeats = false },
    { "xadd [rbx], ecx", 3, { 0x0f, 0xc1, 0x0b }, .repeats = false },
    { "lock xadd [rbx], ecx", 4, { 0xf0, 0x0f, 0xc1, 0x0b }, .repeats = false },
    { "cmpxchg [rbx], rcx", 4, { 0x48, 0x0f, 0xb1, 0x0b }, .repeats = false },
    { "lock cmpxchg [rbx], rcx", 5, { 0xf0, 0x48, 0x0f, 0xb1, 0x0b }, .repeats = false },
    { "cmpxchg8b [rbx]", 3, { 0x0f, 0xc7, 0x0b }, .repeats = false },
    { "lock cmpxchg8b [rbx]", 4, { 0xf0, 0x0f, 0xc7, 0x0b }, .repeats = false },
    { "shl qword [rbx], cl", 3, { 0x48, 0xd3, 0x23 }, .repeats = false },
    { "shld [rbx], rax, 5", 5, { 0x48, 0x0f, 0xa4, 0x03, 0x05 }, .repeats = false },
    { "bts [rbx], ecx", 3, { 0x0f, 0xab, 0x0b }, .repeats = false },
    { "lock btc [rbx], 3", 5, { 0xf0, 0x0f, 0xba, 0x3b, 0x03 }, .repeats = false },
    { "mul qword [rbx]", 3, { 0x48, 0xf7, 0x23 }, .repeats = false },
    { "imul rax, [rbx]", 4, { 0x48, 0x0f, 0xaf, 0x03 }, .repeats = false },
    { "div dword [rbx]", 2, { 0xf7, 0x33 }, .repeats = false },
    { "popcnt rax, [rbx]", 5, { 0xf3, 0x48, 0x0f, 0xb8, 0x03 }, .repeats = false },
    { "crc32 eax, dword [rbx]", 5, { 0xf2, 0x0f, 0x38, 0xf1, 0x03 }, .repeats = false },
    { "movdir64b rdx, [rbx]", 5, { 0x66, 0x0f, 0x38, 0xf8, 0x13 }, .repeats = false },
    { "setc [rbx]", 3, { 0x0f, 0x92, 0x03 }, .repeats = false },
    { "cmovz rax, [rbx]", 4, { 0x48, 0x0f, 0x44, 0x03 }, .repeats = false },
    { "push qword [rbx]", 2, { 0xff, 0x33 }, .repeats = false },
    { "pop qword [rbx]", 2, { 0x8f, 0x03 }, .repeats = false },
    { "call [rbx]", 2, { 0xff, 0x13 }, .repeats = false },
    { "push rax", 1, { 0x50 }, .repeats = false },
    { "leave", 1, { 0xc9 }, .repeats = false },
    { "enter 0, 0", 4, { 0xc8, 0x00, 0x00, 0x00 }, .repeats = false },
    { "enter 24, 1", 4, { 0xc8, 0x18, 0x00, 0x01 }, .repeats = false },
    { "enter 8, 4", 4, { 0xc8, 0x08, 0x00, 0x04 }, .repeats = false },
    { "movsq", 2, { 0x48, 0xa5 }, .repeats = false },
    { "rep movsd", 2, { 0xf3, 0xa5 }, .repeats = true },
    { "rep stosq", 3, { 0xf3, 0x48, 0xab }, .repeats = true },
    { "rep lodsw", 3, { 0x66, 0xf3, 0xad }, .repeats = true },
    { "repe cmpsd", 2, { 0xf3, 0xa7 }, .repeats = true },
    { "repne scasd", 2, { 0xf2, 0xaf }, .repeats = true },
    { "rep insd", 2, { 0xf3, 0x6d }, .repeats = true, .port = true },
    { "rep outsd", 2, { 0xf3, 0x6f }, .repeats = true, .port = true },
    { "in eax, dx", 1, { 0xed }, .port = true },
    { "out dx, eax", 1, { 0xef }, .port = true },
    { "rdmsr", 2, { 0x0f, 0x32 }, .port = true },
    { "wrmsr", 2, { 0x0f, 0x30 }, .port = true },
    { "movdqu xmm0, [rbx]", 4, { 0xf3, 0x0f, 0x6f, 0x03 }, .repeats = false },
    { "movdqu [rbx], xmm0", 4, { 0xf3, 0x0f, 0x7f, 0x03 }, .repeats = false },
    { "pinsrd xmm0, [rbx], 2", 6, { 0x66, 0x0f, 0x3a, 0x22, 0x03, 0x02 }, .repeats = false },
    { "paddd mm1, [rbx]", 3, { 0x0f, 0xfe, 0x0b }, .repeats = false },
    { "vpaddd ymm0, ymm1, [rbx]", 4, { 0xc5, 0xf5, 0xfe, 0x03 }, .repeats = false },
    { "vmovdqu8 [rbx]{k1}, zmm0", 6, { 0x62, 0xf1, 0x7f, 0x49, 0x7f, 0x03 }, .repeats = false },
    { "vmovdqu8 ymm0{k1}, [rbx]", 6, { 0x62, 0xf1, 0x7f, 0x29, 0x6f, 0x03 }, .repeats = false },
    { "vpmaskmovd [rbx], xmm1,xmm0", 5, { 0xc4, 0xe2, 0x71, 0x8e, 0x03 }, .repeats = false },
    { "kmovq k1, [rbx]", 5, { 0xc4, 0xe1, 0xf8, 0x90, 0x0b }, .repeats = false },
    { "vptest ymm0, [rbx]", 5, { 0xc4, 0xe2, 0x7d, 0x17, 0x03 }, .repeats = false },
    { "pcmpistrm xmm1, [rbx], 8", 6, { 0x66, 0x0f, 0x3a, 0x62, 0x0b, 0x08 }, .repeats = false },
    { "vpgatherdd x0,[rbx+x2*4],x1", 6, { 0xc4, 0xe2, 0x71, 0x90, 0x04, 0x93 }, .partial = true },
    { "vpscatterdq[rbx+x2*4]{k1}",
      7,
      { 0x62, 0xf2, 0xfd, 0x29, 0xa0, 0x04, 0x93 },
      .partial = true },
};
#define ROWS (sizeof rows / sizeof rows[0])

/* Where operands lie: on a multiple of 8, across a line, across a page, at its very end. */
static const uint32_t places[] = { 0x100,       0x13b, LAB_PAGE - 1, LAB_PAGE - 4, 2 * LAB_PAGE - 7,
                                   LAB_PAGE - 8 };
#define PLACES (sizeof places / sizeof places[0])

static void prepare(struct exec_lab *lab, const struct row *r, unsigned place, bool down,
                    bool copies)
{
    uint64_t *g, at = LAB_LINEAR + places[place];

    exec_lab_open(lab, SVMC_ISA_X86_64);
    g = lab->regs.general;
    for (unsigned i = 0; i < sizeof lab->ram; i++)
        lab->ram[i] = (uint8_t)(i * 7 + (i >> 8));
    g[SVMC_REG_RAX] = 0x0000334455667788;
    g[SVMC_REG_RDX] = 0x00000000000000f1;
    g[SVMC_REG_RCX] = 3;
    if (r->bytes[3] == 0xf8)
        g[SVMC_REG_RDX] = LAB_LINEAR + 0x2080;
    g[SVMC_REG_RBX] = at;
    g[SVMC_REG_RSI] = at;
    g[SVMC_REG_RDI] = LAB_LINEAR + places[(place + 3) % PLACES] + 0x1000;
    g[SVMC_REG_RBP] = at + 0x20;
    g[SVMC_REG_RSP] = LAB_LINEAR + places[(place + 1) % PLACES] + 0x1000;
    lab->regs.rflags = 2 | (down ? 0x400u : 0);
    lab->port_value = 0xa1b2c3d4;
    lab->msr_value = 0x0123456789abcdef;
    lab->copies = copies;
    lab->x.split_locks = 1; /* XE-10 */
    for (unsigned i = 0; i < sizeof lab->vector; i++)
        lab->vector[i / 64][i % 64] = (uint8_t)(i * 13 + (i >> 6) + 0x80);
    memset(lab->mask[1], 0x35, 8);
    for (unsigned i = 0; i < 4; i++)
        lab->vector[2][4 * i] = (uint8_t)(i * 5), memset(lab->vector[2] + 4 * i + 1, 0, 3);
    if (lab->regs.rip)
        exec_lab_store(lab, at, 8, place & 1 ? 0xffffffff12345678 : 0x0000334455667788);
}

static bool is_same(const struct exec_lab *a, const struct exec_lab *b)
{
    return memcmp(&a->regs, &b->regs, sizeof a->regs) == 0 &&
           memcmp(a->ram, b->ram, sizeof a->ram) == 0 && a->port_value == b->port_value &&
           a->msr_value == b->msr_value && memcmp(a->vector, b->vector, sizeof a->vector) == 0 &&
           memcmp(a->mask, b->mask, sizeof a->mask) == 0 &&
           memcmp(a->x87, b->x87, sizeof a->x87) == 0;
}

static bool same_accesses(const struct exec_lab *a, const struct exec_lab *b)
{
    return a->logged == b->logged && a->logged <= LAB_LOG &&
           memcmp(a->log, b->log, a->logged * sizeof a->log[0]) == 0;
}

/* XE-7: registers as before, of a repetition as before an iteration; then it can be done again. */
static void check_failed(const struct row *r, struct exec_lab *lab, const struct exec_lab *before,
                         const struct exec_lab *done, unsigned k)
{
    CHECK_EQ(lab->out.action, SVMC_EXEC_NONE, "%s, call %u", r->name, k);
    CHECK_EQ(lab->x.wait.kind, SVMC_EXEC_NO_ACCESS, "%s, call %u", r->name, k);
    for (unsigned i = 0; i < sizeof lab->ram; i++)
        if (lab->ram[i] != before->ram[i])
            CHECK_EQ(lab->ram[i], done->ram[i], "%s, call %u: memory at %#x", r->name, k, i);
    CHECK_EQ(lab->regs.rip, before->regs.rip, "%s, call %u", r->name, k);
    if (!r->repeats)
        CHECK(memcmp(&lab->regs, &before->regs, sizeof lab->regs) == 0, "%s, call %u", r->name, k);
}

/* Vector registers may have been read: masks, before it is known what is accessed. */
static bool has_only_looked(const struct exec_lab *lab)
{
    for (unsigned i = 0; i < lab->logged && i < LAB_LOG; i++)
        if (lab->log[i].kind != SVMC_EXEC_VECTOR_READ)
            return false;
    return true;
}

/* What faults at the k-th translation: nothing of this iteration happened. */
static void check_fault(const struct row *r, const struct exec_lab *lab,
                        const struct exec_lab *before, unsigned k)
{
    CHECK_EQ(lab->out.action, SVMC_EXEC_FAULT, "%s, call %u", r->name, k);
    CHECK_EQ(lab->out.fault.vector, 14, "%s, call %u", r->name, k);
    CHECK_EQ(lab->out.resume_flag, 1, "%s, call %u", r->name, k);
    CHECK_EQ(lab->regs.rip, before->regs.rip, "%s, call %u", r->name, k);
    if (!r->repeats && !r->partial)
        CHECK(is_same(lab, before) && has_only_looked(lab), "%s, call %u", r->name, k);
}

static void strike(const struct row *r, unsigned place, bool down, enum exec_lab_mode mode,
                   const struct exec_lab *done, unsigned k, bool copies)
{
    static struct exec_lab lab, before;
    bool translation;
    enum svmc_status st;

    prepare(&lab, r, place, down, copies);
    before = lab;
    before.x.priv.ctx = &before;
    lab.mode = mode;
    lab.fail_at = k;
    lab.every = mode == LAB_BUSY && k == 1 && copies; /* all wait */
    st = exec_lab_run(&lab, r->bytes, r->count);
    translation = lab.x.wait.kind == SVMC_EXEC_TRANSLATE;
    exec_lab_check_callback(&lab, st, r->name);
    if (mode == LAB_BUSY) {
        CHECK_EQ(st, SVMC_OK, "%s, call %u", r->name, k);
        CHECK_EQ(lab.out.action, SVMC_EXEC_PENDING, "%s, call %u", r->name, k);
        CHECK(translation || lab.x.wait.bytes != 0, "%s, call %u", r->name, k);
        CHECK_EQ(exec_lab_go_on(&lab), SVMC_OK, "%s, call %u", r->name, k);
        CHECK_EQ(lab.out.action, SVMC_EXEC_DONE, "%s, call %u", r->name, k);
        CHECK(is_same(&lab, done), "%s, place %u, call %u waits", r->name, place, k);
        CHECK(same_accesses(&lab, done), "%s, place %u, call %u waits", r->name, place, k);
    } else if (mode == LAB_FAIL) {
        CHECK_EQ(st, SVMC_ERR_CALLBACK, "%s, call %u", r->name, k);
        check_failed(r, &lab, &before, done, k);
    } else if (mode == LAB_LIE) {
        if (st != SVMC_OK)
            check_failed(r, &lab, &before, done, k);
        else
            CHECK(is_same(&lab, done), "%s, call %u", r->name, k);
    } else if (st == SVMC_OK && lab.out.action != SVMC_EXEC_DONE) {
        check_fault(r, &lab, &before, k);
    }
    if ((r->repeats || r->partial) && mode != LAB_BUSY &&
        lab.out.action != SVMC_EXEC_DONE) { /* XE-9: on it goes */
        lab.mode = LAB_OK;
        CHECK_EQ(exec_lab_run(&lab, r->bytes, r->count), SVMC_OK, "%s, after call %u", r->name, k);
        CHECK(is_same(&lab, done), "%s, place %u, after call %u of mode %u", r->name, place, k,
              mode);
    }
}

TEST(exec, each_callback_fails_waits_faults_or_lies_at_each_call)
{
    static struct exec_lab done;
    unsigned scenarios = 0;

    for (unsigned i = 0; i < ROWS * PLACES * 2; i++) {
        const struct row *r = &rows[i / 2 / PLACES];
        unsigned place = i / 2 % PLACES;
        bool down = i & 1;

        prepare(&done, r, place, down, false);
        CHECK_EQ(exec_lab_run(&done, r->bytes, r->count), SVMC_OK, "%s", r->name);
        if (!CHECK_EQ(done.out.action, SVMC_EXEC_DONE, "%s, place %u", r->name, place))
            continue;
        CHECK_EQ(done.out.accesses, done.logged, "%s", r->name);
        CHECK(done.logged != 0 && done.logged <= SVMC_EXEC_ACCESSES_MAX, "%s", r->name);
        scenarios++;
        for (unsigned k = 1; k <= done.calls; k++)
            for (unsigned mode = LAB_FAIL; mode <= LAB_LIE; mode++) {
                strike(r, place, down, (enum exec_lab_mode)mode, &done, k, false);
                if (mode == LAB_BUSY)
                    strike(r, place, down, LAB_BUSY, &done, k, true);
            }
    }
    CHECK(scenarios >= 500, "%u", scenarios);
}
