/* SPDX-License-Identifier: MIT */
/*
 * Every stub of a gate, started from every byte (x86-64), halfword (RISC-V) and word (AArch64), by
 * Unicorn, and x86-64's by this processor as well, under ptrace. Two pages that differ in all their
 * tags and in the stub that is live must do the same, but for the tag registers at a trap (TP-10).
 * SVMC_COUNT pairs of pages a way. With a folder in SVMC_DUMP a page of each goes there (gate.py).
 */
#include <stdlib.h>
#include <svmcore/guest/hypercall.h>
#include <svmcore/insn.h>
#include <unicorn/unicorn.h>

#include "../token/page_lab.h"

#if defined(__x86_64__) && defined(__linux__)
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#define NATIVE 1
#else
#define NATIVE 0
#endif

#define PAGE    4096u
#define CODE    0x100000000000u /* above 4 GiB, as a gate has to be */
#define BEFORE  (CODE - PAGE)   /* an attacker's own */
#define RETURN  (CODE + 0x10000000u)
#define SCRATCH 0x200000000000u
#define STACK   (SCRATCH + 8 * PAGE) /* in the middle of it */
#define ROOM    (16 * PAGE)
#define REGS    33u
#define STOPS   6u
#define STEPS   1500u

enum stop { TRAP, LEFT, FAULT, LIMIT };

/* What can be seen of a run: each time that it stopped. */
struct sight {
    struct {
        enum stop why;
        uint64_t pc, error, reg[REGS];
        uint64_t touched; /* every address that was read or written, and what was written */
    } at[STOPS];
    unsigned stops;
};

static const int x86_regs[] = {
    UC_X86_REG_RAX, UC_X86_REG_RCX,    UC_X86_REG_RDX, UC_X86_REG_RBX, UC_X86_REG_RSP,
    UC_X86_REG_RBP, UC_X86_REG_RSI,    UC_X86_REG_RDI, UC_X86_REG_R8,  UC_X86_REG_R9,
    UC_X86_REG_R10, UC_X86_REG_R11,    UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14,
    UC_X86_REG_R15, UC_X86_REG_EFLAGS,
};
#define FLAGS 16u

/* Numbers of registers are indexes of the lists; AArch64 and RISC-V have theirs in one row each. */
static const struct machine {
    char name[12];
    uint8_t isa, way, step, trap_bytes;
    uint8_t count, sp, link; /* link: UINT8_MAX: the return address is on the stack */
    uint8_t tag[2];
    uint32_t differ[2]; /* 32 a word: what a trap may see differ */
    uint32_t lost[2];   /* what a caller loses */
    uc_arch arch;
    uc_mode mode;
} machines[] = {
#define X86(name, way, bytes)                                                               \
    {                                                                                       \
        name, SVMC_ISA_X86_64, way, 1, bytes, 17, 4, UINT8_MAX, { 13, 14 }, { 0x16002, 0 }, \
            { 0x16002, 0 }, UC_ARCH_X86, UC_MODE_64                                         \
    }
#define A64(name, way)                                                                    \
    {                                                                                     \
        name, SVMC_ISA_A64, way, 4, 4, 33, 31, 30, { 9, 10 }, { 0x600, 0 }, { 0x600, 0 }, \
            UC_ARCH_ARM64, UC_MODE_ARM                                                    \
    }
#define RV(name, way)                                                            \
    {                                                                            \
        name, SVMC_ISA_RV64, way, 2, 4, 32, 2, 1, { 30, 31 }, { 0xc0000000, 0 }, \
            { 0xc0000000, 0 }, UC_ARCH_RISCV, UC_MODE_RISCV64                    \
    }
    X86("out", SVMC_WAY_PORT, 1),        X86("vmcall", SVMC_WAY_VMCALL, 3),
    X86("vmmcall", SVMC_WAY_VMMCALL, 3), A64("mrs", SVMC_WAY_TRAP),
    A64("hvc", SVMC_WAY_CALL),           RV("csrr", SVMC_WAY_TRAP),
    RV("ecall", SVMC_WAY_CALL),
};
#define MACHINES (sizeof machines / sizeof machines[0])

static int reg_id(const struct machine *m, unsigned n)
{
    if (m->arch == UC_ARCH_X86)
        return x86_regs[n];
    if (m->arch == UC_ARCH_RISCV)
        return UC_RISCV_REG_X0 + (int)n;
    return n < 29    ? UC_ARM64_REG_X0 + (int)n
           : n == 29 ? UC_ARM64_REG_X29
           : n == 30 ? UC_ARM64_REG_X30
           : n == 31 ? UC_ARM64_REG_SP
                     : UC_ARM64_REG_NZCV;
}

static bool in(const uint32_t set[2], unsigned n)
{
    return set[n / 32] >> n % 32 & 1;
}

/* ---- one side: a page and who executes it ---------------------------------------------------- */

struct side {
    const struct machine *m;
    struct svmc_token_gate gate;
    uint8_t tag[16], page[PAGE];
    uint8_t scratch[ROOM];
    uc_engine *uc;
    bool stopped;
    uint64_t pc, touched;
};

static struct side sides[2];

static void must(uc_err err)
{
    if (err != UC_ERR_OK) {
        fprintf(stderr, "FAIL Unicorn: %s\n", uc_strerror(err));
        exit(1);
    }
}

static bool is_trap(const struct side *s, uint64_t pc)
{
    return pc - CODE < PAGE && svmc_token_gate_find(&s->gate, (uint32_t)(pc - CODE)) != UINT32_MAX;
}

static void on_code(uc_engine *uc, uint64_t address, uint32_t size, void *ctx)
{
    struct side *s = ctx;

    (void)size;
    if (s->stopped || !(is_trap(s, address) || address - BEFORE >= 2 * PAGE))
        return;
    s->stopped = true;
    s->pc = address;
    must(uc_emu_stop(uc));
}

static void on_memory(uc_engine *uc, uc_mem_type type, uint64_t address, int size, int64_t value,
                      void *ctx)
{
    struct side *s = ctx;

    (void)uc;
    s->touched = (s->touched ^ address ^ (uint64_t)type << 60) * 0x9e3779b97f4a7c15u;
    s->touched = (s->touched ^ (uint64_t)size) * 0x9e3779b97f4a7c15u;
    if (type == UC_MEM_WRITE)
        s->touched = (s->touched ^ (uint64_t)value) * 0x9e3779b97f4a7c15u;
}

static void open_unicorn(struct side *s)
{
    static const uint8_t nop[3][4] = { { 0x90, 0x90, 0x90, 0x90 },
                                       { 0x1f, 0x20, 0x03, 0xd5 },
                                       { 0x13, 0, 0, 0 } };
    uc_hook code, memory;

    must(uc_open(s->m->arch, s->m->mode, &s->uc));
    must(uc_mem_map(s->uc, CODE, PAGE, UC_PROT_READ | UC_PROT_EXEC));
    must(uc_mem_map(s->uc, BEFORE, PAGE, UC_PROT_READ | UC_PROT_EXEC));
    must(uc_mem_map(s->uc, RETURN, PAGE, UC_PROT_READ | UC_PROT_EXEC));
    must(uc_mem_write(s->uc, RETURN,
                      nop[s->m->isa == SVMC_ISA_A64    ? 1
                          : s->m->isa == SVMC_ISA_RV64 ? 2
                                                       : 0],
                      4));
    must(uc_mem_map_ptr(s->uc, SCRATCH, ROOM, UC_PROT_READ | UC_PROT_WRITE, s->scratch));
    must(uc_hook_add(s->uc, &code, UC_HOOK_CODE, (void *)on_code, s, 1, 0));
    must(uc_hook_add(s->uc, &memory, UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE, (void *)on_memory, s, 1,
                     0));
}

static void look(const struct side *s, struct sight *sight, enum stop why, uint64_t error)
{
    unsigned n = sight->stops++;

    memset(&sight->at[n], 0, sizeof sight->at[n]);
    sight->at[n].why = why;
    sight->at[n].pc = s->pc;
    sight->at[n].error = error;
    sight->at[n].touched = s->touched;
}

/* Runs it until it leaves the page, faults, or trapped STOPS times. */
static void run_unicorn(struct side *s, uint64_t at, const uint64_t reg[REGS], struct sight *sight)
{
    unsigned n = s->m->count;
    enum stop why = TRAP;

    for (unsigned i = 0; i < n; i++)
        must(uc_reg_write(s->uc, reg_id(s->m, i), &reg[i]));
    memset(sight, 0, sizeof *sight);
    s->touched = 0;
    while (why == TRAP && sight->stops < STOPS) {
        uint64_t pc = 0;
        uc_err err;

        s->stopped = is_trap(s, at); /* then it is not executed at all */
        s->pc = at;
        err = s->stopped ? UC_ERR_OK : uc_emu_start(s->uc, at, 0, 0, STEPS);
        if (!s->stopped) {
            must(uc_reg_read(s->uc,
                             s->m->arch == UC_ARCH_X86     ? UC_X86_REG_RIP
                             : s->m->arch == UC_ARCH_ARM64 ? UC_ARM64_REG_PC
                                                           : UC_RISCV_REG_PC,
                             &pc));
            s->pc = pc;
        }
        why = !s->stopped ? err == UC_ERR_OK ? LIMIT : FAULT : is_trap(s, s->pc) ? TRAP : LEFT;
        look(s, sight, why, why == FAULT ? err : 0);
        for (unsigned i = 0; i < n; i++)
            must(uc_reg_read(s->uc, reg_id(s->m, i), &sight->at[sight->stops - 1].reg[i]));
        at = s->pc + s->m->trap_bytes;
    }
}

/* ---- this processor -------------------------------------------------------------------------- */

#if NATIVE
#define FREE_FLAGS 0xcd5u /* CF PF AF ZF SF DF OF */

static pid_t child;

/* A process that has the three mappings and does nothing: its registers are set from outside. */
static bool open_native(const struct side *s)
{
    int status;

    child = fork();
    if (child == 0) {
        uint8_t *code = mmap((void *)CODE, PAGE, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        uint8_t *scratch = mmap((void *)SCRATCH, ROOM, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

        if (code != (void *)CODE || scratch != (void *)SCRATCH)
            _exit(2);
        memcpy(code, s->page, PAGE);
        if (mprotect(code, PAGE, PROT_READ | PROT_EXEC) != 0 ||
            ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(3);
        raise(SIGSTOP);
        _exit(4);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFSTOPPED(status);
}

static void close_native(void)
{
    int status;

    (void)kill(child, SIGKILL);
    (void)waitpid(child, &status, 0);
}

static uint64_t *native_reg(struct user_regs_struct *r, unsigned n)
{
    unsigned long long *all[] = { &r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp,   &r->rbp,
                                  &r->rsi, &r->rdi, &r->r8,  &r->r9,  &r->r10,   &r->r11,
                                  &r->r12, &r->r13, &r->r14, &r->r15, &r->eflags };

    return (uint64_t *)all[n];
}

/*
 * Every instruction of the page raises a signal or comes to its end: out, vmcall of a program, a
 * return to RETURN, where nothing is mapped. A syscall cannot be spelled (0f 05, cd 80), a loop
 * would be LIMIT. A program that is stopped by SIGSTOP has not begun anything.
 */
static bool run_native(struct side *s, uint32_t entry, const uint64_t reg[REGS],
                       struct sight *sight)
{
    struct user_regs_struct now;
    enum stop why = TRAP;
    uint64_t at = CODE + entry;

    memset(sight, 0, sizeof *sight);
    if (ptrace(PTRACE_GETREGS, child, NULL, &now) != 0)
        return false;
    for (unsigned i = 0; i < FLAGS; i++)
        *native_reg(&now, i) = reg[i];
    now.eflags = (now.eflags & ~(unsigned long long)FREE_FLAGS) | (reg[FLAGS] & FREE_FLAGS);
    now.orig_rax = ~0ull;
    while (why == TRAP && sight->stops < STOPS) {
        int status = 0, signal;

        now.rip = at;
        if (!is_trap(s, at)) {
            if (ptrace(PTRACE_SETREGS, child, NULL, &now) != 0 ||
                ptrace(PTRACE_CONT, child, NULL, NULL) != 0 ||
                waitpid(child, &status, 0) != child || !WIFSTOPPED(status) ||
                ptrace(PTRACE_GETREGS, child, NULL, &now) != 0)
                return false;
        }
        signal = status == 0 ? 0 : WSTOPSIG(status);
        s->pc = now.rip;
        why = is_trap(s, s->pc) ? TRAP : s->pc == RETURN ? LEFT : FAULT;
        look(s, sight, why, why == FAULT ? (uint64_t)signal : 0);
        for (unsigned i = 0; i < FLAGS; i++)
            sight->at[sight->stops - 1].reg[i] = *native_reg(&now, i);
        sight->at[sight->stops - 1].reg[FLAGS] = now.eflags & FREE_FLAGS;
        at = s->pc + s->m->trap_bytes;
    }
    return true;
}
#endif

/* ---- pages and comparisons ------------------------------------------------------------------- */

static struct page_random source;

static void make(struct side *s, const struct machine *m)
{
    s->m = m;
    REQUIRE(page_random_give(&source, s->tag, sizeof s->tag) == SVMC_OK);
    REQUIRE(svmc_token_gate_place(&source.ops, SVMC_TOKEN_PAGE_GATE, m->isa, m->way, 0, &s->gate) ==
            SVMC_OK);
    REQUIRE(svmc_token_gate_fill(&source.ops, &s->gate, s->tag, s->page) == SVMC_OK);
}

/* Registers as an attacker sets them: some point to memory that he has, some are numbers. */
static void choose(const struct machine *m, uint64_t *rng, uint64_t reg[REGS], uint8_t *scratch)
{
    uint64_t back = RETURN;

    memset(reg, 0, REGS * sizeof *reg);
    for (unsigned i = 0; i < m->count; i++) {
        uint64_t pick = harness_random(rng);

        reg[i] = pick & 3 ? SCRATCH + 2 * PAGE + (pick >> 8) % (12 * PAGE) : pick >> (pick >> 56);
    }
    reg[m->sp] = STACK;
    for (unsigned i = 0; i < ROOM; i += 8) {
        uint64_t word = i % 24 == 0 ? back : harness_random(rng);

        memcpy(scratch + i, &word, 8);
    }
    memcpy(scratch + (STACK - SCRATCH), &back, 8);
    if (m->arch == UC_ARCH_X86)
        reg[FLAGS] = 2 | (harness_random(rng) & 0x8d5);
    else
        reg[m->link] = RETURN;
    if (m->arch == UC_ARCH_RISCV)
        reg[0] = 0;
    if (m->arch == UC_ARCH_ARM64)
        reg[32] = harness_random(rng) & 0xf0000000;
}

static unsigned long traps, returns, faults, others;

static void compare(const struct machine *m, uint32_t entry, const struct sight *a,
                    const struct sight *b, const char *who)
{
    CHECK_EQ(a->stops, b->stops, "%s, %s, from %u", m->name, who, entry);
    for (unsigned n = 0; n < a->stops && n < b->stops; n++) {
        bool trap = a->at[n].why == TRAP;

        CHECK(a->at[n].why == b->at[n].why && a->at[n].pc == b->at[n].pc &&
                  a->at[n].error == b->at[n].error && a->at[n].touched == b->at[n].touched,
              "%s, %s, from %u, stop %u: %u %u at %" PRIx64 " %" PRIx64, m->name, who, entry, n,
              a->at[n].why, b->at[n].why, a->at[n].pc, b->at[n].pc);
        for (unsigned i = 0; i < m->count; i++)
            if (a->at[n].reg[i] != b->at[n].reg[i] && !(trap && in(m->differ, i)))
                CHECK(false, "%s, %s, from %u, stop %u: register %u", m->name, who, entry, n, i);
    }
    for (unsigned n = 0; n < a->stops; n++) {
        traps += a->at[n].why == TRAP;
        returns += a->at[n].why == LEFT && a->at[n].pc == RETURN;
        faults += a->at[n].why == FAULT;
        others += a->at[n].why == LIMIT || (a->at[n].why == LEFT && a->at[n].pc != RETURN);
    }
}

/* A stub called as it should be: the tag at the trap, nothing of it and all else at the return. */
static void check_call(const struct side *s, unsigned stub, const uint64_t reg[REGS],
                       const struct sight *sight)
{
    const struct machine *m = s->m;
    uint64_t low = sight->at[0].reg[m->tag[0]], high = sight->at[0].reg[m->tag[1]];
    uint8_t tag[16];

    for (unsigned i = 0; i < 8; i++) {
        tag[i] = (uint8_t)(low >> 8 * i);
        tag[8 + i] = (uint8_t)(high >> 8 * i);
    }
    CHECK(sight->stops == 2 && sight->at[0].why == TRAP && sight->at[1].why == LEFT &&
              sight->at[1].pc == RETURN,
          "%s, stub %u", m->name, stub);
    CHECK_EQ(sight->at[0].pc, CODE + s->gate.first + stub * s->gate.stub_bytes + s->gate.trap_at);
    CHECK_EQ(memcmp(tag, s->tag, 16) == 0, stub == s->gate.slot, "%s, stub %u", m->name, stub);
    for (unsigned i = 0; i < m->count; i++) {
        uint64_t want = reg[i];

        if (in(m->lost, i)) /* x86's flags are those of XOR with 0: ZF and PF */
            want = m->arch == UC_ARCH_X86 && i == FLAGS ? 0x44 : 0;
        else if (i == m->sp && m->link == UINT8_MAX)
            want += 8;
        if (m->arch == UC_ARCH_X86 && i == FLAGS)
            CHECK_EQ(sight->at[1].reg[i] & 0x8d5, want, "flags");
        else
            CHECK_EQ(sight->at[1].reg[i], want, "%s, stub %u, register %u", m->name, stub, i);
    }
}

/* The stub that begins there; UINT32_MAX: none does. */
static uint32_t stub_at(const struct side *s, uint32_t entry)
{
    return svmc_token_gate_find(&s->gate, entry + s->gate.trap_at);
}

static void load(struct side *s)
{
    must(uc_mem_write(s->uc, CODE, s->page, PAGE));
    must(uc_ctl_remove_cache(s->uc, CODE, CODE + PAGE));
}

/*
 * From the page before, which is the attacker's: instructions that take as much as there can be of
 * the next page for an immediate, a displacement or an address. AArch64 has none that crosses.
 */
static const struct crossing {
    uint8_t isa, count, bytes[4];
} crossings[] = {
    { SVMC_ISA_X86_64, 2, { 0x48, 0xb8 } },       /* mov rax, imm64 */
    { SVMC_ISA_X86_64, 1, { 0xb8 } },             /* mov eax, imm32 */
    { SVMC_ISA_X86_64, 1, { 0x68 } },             /* push imm32 */
    { SVMC_ISA_X86_64, 1, { 0xa1 } },             /* mov eax, moffs64 */
    { SVMC_ISA_X86_64, 1, { 0xe9 } },             /* jmp rel32 */
    { SVMC_ISA_X86_64, 2, { 0xc7, 0x80 } },       /* mov [rax + disp32], imm32 */
    { SVMC_ISA_X86_64, 3, { 0xc7, 0x84, 0x20 } }, /* with an index */
    { SVMC_ISA_X86_64, 3, { 0x48, 0x8d, 0x80 } }, /* lea rax, [rax + disp32] */
    { SVMC_ISA_RV64, 2, { 0x37, 0x05 } },         /* lui a0 */
    { SVMC_ISA_RV64, 2, { 0x13, 0x05 } },         /* addi a0, zero */
    { SVMC_ISA_RV64, 2, { 0x6f, 0x00 } },         /* j */
    { SVMC_ISA_RV64, 2, { 0x03, 0x35 } },         /* ld a0, imm(zero) */
};

static void cross(const struct machine *m, const struct crossing *c, uint64_t *rng)
{
    struct sight seen[2];
    uint64_t reg[REGS];

    choose(m, rng, reg, sides[0].scratch);
    memcpy(sides[1].scratch, sides[0].scratch, ROOM);
    for (unsigned side = 0; side < 2; side++) {
        must(uc_mem_write(sides[side].uc, CODE - c->count, c->bytes, c->count));
        must(uc_ctl_remove_cache(sides[side].uc, BEFORE, CODE));
        run_unicorn(&sides[side], CODE - c->count, reg, &seen[side]);
    }
    compare(m, 0u - c->count, &seen[0], &seen[1], "from the page before");
}

static unsigned long count_of(unsigned long usual)
{
    const char *given = getenv("SVMC_COUNT");

    return given ? strtoul(given, NULL, 10) : usual;
}

TEST(gate_reference, by_unicorn) /* TP-5 TP-7 TP-8 TP-9 TP-10 */
{
    uint64_t rng = harness_seed(), reg[REGS];
    unsigned long rounds = count_of(2);
    struct sight seen[2];

    page_random_init(&source, harness_random(&rng));
    for (unsigned i = 0; i < MACHINES; i++) {
        const struct machine *m = &machines[i];

        traps = returns = faults = others = 0;
        for (unsigned side = 0; side < 2; side++) {
            sides[side].m = m;
            open_unicorn(&sides[side]);
        }
        for (unsigned long round = 0; round < rounds; round++) {
            for (unsigned side = 0; side < 2; side++) {
                make(&sides[side], m);
                load(&sides[side]);
            }
            for (uint32_t entry = 0; entry < PAGE; entry += m->step) {
                choose(m, &rng, reg, sides[0].scratch);
                memcpy(sides[1].scratch, sides[0].scratch, ROOM);
                for (unsigned side = 0; side < 2; side++) {
                    run_unicorn(&sides[side], CODE + entry, reg, &seen[side]);
                    if (stub_at(&sides[side], entry) != UINT32_MAX)
                        check_call(&sides[side], stub_at(&sides[side], entry), reg, &seen[side]);
                }
                compare(m, entry, &seen[0], &seen[1], "Unicorn");
            }
            for (unsigned n = 0; n < sizeof crossings / sizeof crossings[0]; n++)
                if (crossings[n].isa == m->isa)
                    cross(m, &crossings[n], &rng);
        }
        for (unsigned side = 0; side < 2; side++)
            must(uc_close(sides[side].uc));
        printf("%s: %lu pairs of pages, %u entries: %lu traps, %lu returns, %lu faults, %lu other "
               "ends\n",
               m->name, rounds, PAGE / m->step, traps, returns, faults, others);
        CHECK(traps > rounds * PAGE / m->step / 2 && returns > traps / 2, "the runs say something");
    }
}

#if NATIVE
/* All entries of a side's page by a child; the first side's are kept, the second's compared. */
static void execute(struct side *s, uint64_t rng, struct sight first[PAGE])
{
    static uint8_t scratch[ROOM];
    uint64_t reg[REGS], word;

    REQUIRE(open_native(s), "a child under ptrace: %d", errno);
    for (uint32_t entry = 0; entry < PAGE; entry++) {
        uint32_t stub = stub_at(s, entry);
        bool ran = true;
        struct sight now;

        choose(s->m, &rng, reg, scratch);
        for (uint64_t at = STACK; at < STACK + 64; at += 8) {
            memcpy(&word, scratch + (at - SCRATCH), 8);
            ran = ran && ptrace(PTRACE_POKEDATA, child, (void *)at, (void *)word) == 0;
        }
        REQUIRE(ran && run_native(s, entry, reg, &now), "from %u: %d", entry, errno);
        if (s == &sides[0])
            first[entry] = now;
        else
            compare(s->m, entry, &first[entry], &now, "native");
        if (stub != UINT32_MAX)
            check_call(s, stub, reg, &now);
    }
    close_native();
}
#endif

/* OUT alone: a VMCALL of a program's is answered by whatever this runs on, and is no signal. */
TEST(gate_reference, by_this_processor) /* TP-7 TP-10 */
{
#if NATIVE
    unsigned long rounds = (count_of(2) + 1) / 2;
    uint64_t rng = harness_seed();
    static struct sight first[PAGE];

    page_random_init(&source, harness_random(&rng));
    traps = returns = faults = others = 0;
    for (unsigned long round = 0; round < rounds; round++) {
        uint64_t seed = harness_random(&rng);

        for (unsigned side = 0; side < 2; side++) {
            make(&sides[side], &machines[0]);
            execute(&sides[side], seed, first);
        }
    }
    printf("out, this processor: %lu pairs of pages: %lu traps, %lu returns, %lu faults, %lu other "
           "ends\n",
           rounds, traps, returns, faults, others);
    CHECK(traps > rounds * PAGE / 2 && returns > traps / 2, "the runs say something");
#else
    harness_skip("hardware: not an x86-64 Linux");
#endif
}

TEST(gate_reference, dump) /* TP-5 */
{
    const char *folder = getenv("SVMC_DUMP");

    page_random_init(&source, 1);
    for (unsigned i = 0; i < MACHINES && folder; i++) {
        char name[512];
        FILE *file;

        make(&sides[0], &machines[i]);
        snprintf(name, sizeof name, "%s/%s", folder, machines[i].name);
        file = fopen(name, "wb");
        REQUIRE(file != NULL, "%s", name);
        CHECK_EQ(fwrite(sides[0].tag, 1, 16, file) + fwrite(sides[0].page, 1, PAGE, file),
                 PAGE + 16);
        CHECK_EQ(fclose(file), 0);
    }
}
