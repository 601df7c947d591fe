/* SPDX-License-Identifier: MIT */
/*
 * The I/O descriptor as a whole: all 2^32 lower halves, upper halves that are none of ours, and
 * IN, OUT, INS and OUTS with every prefix beside Unicorn, which executes the x86 bytes: registers,
 * memory, what reached the ports, and where a fault stopped it. SVMC_COUNT cases of the last.
 */
#include <stdlib.h>
#include <svmcore/iox.h>
#include <unicorn/unicorn.h>

#include "../harness.h"
#include "../random.h"

#define PAGE  4096u
#define CODE  0x30000u
#define DATA  0x10000u /* and 64 KiB behind it: the reach of a 16-bit offset */
#define PAGES 16u
#define AWAY  (1u << 4 | 1u << 9)
#define FIXED (1u << 11) /* not written */
#define LOG   64u

struct log {
    uint32_t value[LOG]; /* what was written */
    unsigned reads, writes;
    uint32_t bytes; /* or-ed, as the port is */
    uint32_t port;
    uint32_t given; /* what the first read gives; each further one 0x01010101 more */
};

/* ours, theirs */
static _Alignas(PAGE) uint8_t memory[2][PAGES * PAGE];
static struct log logs[2];

static uint32_t read_port(struct log *log, uint32_t port, uint32_t bytes)
{
    log->port |= port;
    log->bytes |= bytes;
    return log->given + 0x01010101u * log->reads++;
}

static void write_port(struct log *log, uint32_t port, uint32_t bytes, uint32_t value)
{
    log->port |= port;
    log->bytes |= bytes;
    log->value[log->writes++ % LOG] = value;
}

/* ---- this library --------------------------------------------------------------------------- */

static enum svmc_status port_read(void *ctx, uint16_t port, uint32_t bytes, uint32_t *value)
{
    *value = read_port(ctx, port, bytes);
    return SVMC_OK;
}

static enum svmc_status port_write(void *ctx, uint16_t port, uint32_t bytes, uint32_t value)
{
    write_port(ctx, port, bytes, value);
    return SVMC_OK;
}

static bool is_there(uint64_t at, bool write)
{
    uint64_t page = at / PAGE - DATA / PAGE;

    return at >= DATA && page < PAGES && !((AWAY | (write ? FIXED : 0)) >> page & 1);
}

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    (void)ctx;
    if (is_there(at.v, (access & SVMC_ACCESS_WRITE) != 0)) {
        out->v = at.v;
        return SVMC_OK;
    }
    fault->raised = 1;
    fault->vector = 14;
    fault->has_error = 1;
    fault->address = at.v;
    return SVMC_OK;
}

static enum svmc_status guest_span(void *ctx, svmc_gpa at, size_t n, uint32_t access, void **span)
{
    (void)ctx;
    (void)access;
    CHECK(n == PAGE && at.v % PAGE == 0);
    *span = memory[0] + (at.v - DATA);
    return SVMC_OK;
}

static const struct svmc_iox_ops ops = {
    sizeof(struct svmc_iox_ops), port_read, port_write, translate, guest_span,
};

/* ---- Unicorn -------------------------------------------------------------------------------- */

static uint32_t on_in(uc_engine *uc, uint32_t port, int bytes, void *ctx)
{
    uint32_t value = read_port(ctx, port, (uint32_t)bytes);

    (void)uc;
    return bytes == 4 ? value : value & ((1u << 8 * bytes) - 1);
}

static void on_out(uc_engine *uc, uint32_t port, int bytes, uint32_t value, void *ctx)
{
    (void)uc;
    write_port(ctx, port, (uint32_t)bytes, value);
}

static void must(uc_err err)
{
    if (err != UC_ERR_OK) {
        fprintf(stderr, "FAIL Unicorn: %s\n", uc_strerror(err));
        exit(1);
    }
}

static uc_engine *engine(uc_mode mode)
{
    uc_engine *uc;
    uc_hook in, out;

    must(uc_open(UC_ARCH_X86, mode, &uc));
    must(uc_mem_map(uc, CODE, PAGE, UC_PROT_ALL));
    for (unsigned page = 0; page < PAGES; page++)
        if (!(AWAY >> page & 1))
            must(uc_mem_map_ptr(uc, DATA + page * PAGE, PAGE,
                                FIXED >> page & 1 ? UC_PROT_READ : UC_PROT_READ | UC_PROT_WRITE,
                                memory[1] + page * PAGE));
    must(uc_hook_add(uc, &in, UC_HOOK_INSN, (void *)on_in, &logs[1], 1, 0, UC_X86_INS_IN));
    must(uc_hook_add(uc, &out, UC_HOOK_INSN, (void *)on_out, &logs[1], 1, 0, UC_X86_INS_OUT));
    return uc;
}

/* ---- the cases ------------------------------------------------------------------------------ */

static const struct {
    enum svmc_isa isa;
    uc_mode uc;
    uint8_t address_bytes[2]; /* without and with 67 */
} modes[] = {
    { SVMC_ISA_X86_16, UC_MODE_16, { 2, 4 } },
    { SVMC_ISA_X86_32, UC_MODE_32, { 4, 2 } },
    { SVMC_ISA_X86_64, UC_MODE_64, { 8, 4 } },
};
#define MODES (sizeof modes / sizeof modes[0])

struct test_case {
    struct svmc_iox io;
    unsigned mode;
    uint8_t bytes[8];
    uint32_t count;
    bool segment; /* OUTS: FS */
    uint64_t fs;
};

/* The bytes by hand from the SDM's opcode map: E4 to E7, EC to EF, 6C to 6F. */
static void write_bytes(struct test_case *t, bool other_address)
{
    const struct svmc_iox *io = &t->io;
    uint8_t *b = t->bytes, wide = io->bytes != 1;

    if (other_address)
        *b++ = 0x67;
    if (t->segment)
        *b++ = 0x64;
    if (io->repeat)
        *b++ = 0xf3;
    if (io->bytes == (t->mode == 0 ? 4 : 2))
        *b++ = 0x66;
    if (io->string)
        *b++ = (uint8_t)((io->in ? 0x6c : 0x6e) + wide);
    else
        *b++ = (uint8_t)((io->immediate ? 0xe4 : 0xec) + (io->in ? 0 : 2) + wide);
    if (io->immediate)
        *b++ = io->port;
    t->count = (uint32_t)(b - t->bytes);
}

/* A pointer near the begin, the end, a hole, or anywhere; low bits clear where it could wrap. */
static uint64_t pointer(uint64_t *rng, const struct test_case *t, uint64_t base, uint8_t width)
{
    static const uint32_t places[] = { 0, 4, 5, 9, 10, 11, 12, 16 };
    uint64_t pick = harness_random(rng);
    uint64_t at = pick & 8 ? pick >> 8 & 0xffff : places[pick & 7] * PAGE + (pick >> 8 & 63) - 32;

    at = DATA - base + at;
    if (width == 2)
        at = at & 0xffff & ~(uint64_t)(t->io.bytes - 1);
    return width == 8 ? at : at & 0xffffffff;
}

static void make(uint64_t *rng, struct test_case *t, struct svmc_iox_regs *regs)
{
    uint64_t pick = harness_random(rng);
    bool other = pick >> 4 & 1;

    memset(t, 0, sizeof *t);
    memset(regs, 0, sizeof *regs);
    t->mode = (unsigned)(pick >> 32) % MODES;
    t->io.bytes = (uint8_t)(1u << (pick >> 8) % 3);
    t->io.in = pick & 1;
    t->io.string = (pick & 0xc0) != 0;
    if (t->io.string) {
        t->io.repeat = (pick & 0x300000) != 0;
        t->io.backward = pick >> 3 & 1;
        t->segment = !t->io.in && (pick >> 22 & 1);
    } else if (pick >> 5 & 1) {
        t->io.immediate = 1;
        t->io.port = (uint8_t)(pick >> 24);
    }
    regs->isa = (uint8_t)modes[t->mode].isa;
    regs->address_bytes = modes[t->mode].address_bytes[other];
    if (t->mode == 0) /* ES, DS and FS, which must reach DATA with 16 bits */
        regs->base = t->io.string ? DATA : 0;
    else if (t->mode == 2 && t->segment)
        regs->base = t->fs = harness_random(rng) & 0xf000;
    for (unsigned n = 0; n < SVMC_IOX_ARGS; n++)
        regs->arg[n] = harness_random(rng) & (t->mode == 2 ? UINT64_MAX : UINT32_MAX);
    if (t->io.string) {
        unsigned which = t->io.in ? SVMC_IOX_DESTINATION : SVMC_IOX_SOURCE;
        uint64_t keep = regs->address_bytes == 2 ? 0xffff0000 : 0;

        if (regs->address_bytes == 2 && regs->base == 0) /* 16 bits do not reach DATA: a fault */
            regs->arg[which] &= ~(uint64_t)(t->io.bytes - 1);
        else
            regs->arg[which] =
                (regs->arg[which] & keep) | pointer(rng, t, regs->base, regs->address_bytes);
        if (t->io.repeat)
            regs->arg[SVMC_IOX_COUNT] = (regs->arg[SVMC_IOX_COUNT] & keep) | (pick >> 40) % 60;
    }
    write_bytes(t, other);
}

static const int registers[SVMC_IOX_ARGS] = {
    UC_X86_REG_RAX, UC_X86_REG_RBX, UC_X86_REG_RCX, UC_X86_REG_RDX,
    UC_X86_REG_RSI, UC_X86_REG_RDI, UC_X86_REG_RBP,
};
static const int short_registers[SVMC_IOX_ARGS] = {
    UC_X86_REG_EAX, UC_X86_REG_EBX, UC_X86_REG_ECX, UC_X86_REG_EDX,
    UC_X86_REG_ESI, UC_X86_REG_EDI, UC_X86_REG_EBP,
};

static enum svmc_status decode(const struct test_case *t, struct svmc_insn *insn)
{
    struct svmc_cpu cpu = { .isa = (uint8_t)modes[t->mode].isa, .vendor = SVMC_VENDOR_INTEL };

    return svmc_insn_decode(&cpu, t->bytes, t->count, insn);
}

/* Executes it; whether it ended. arg gets what the registers hold then. */
static bool execute(uc_engine *uc, const struct test_case *t, uint64_t arg[SVMC_IOX_ARGS])
{
    const int *regs = t->mode == 2 ? registers : short_registers;
    uint64_t flags = 2u | (t->io.backward ? 0x400u : 0);
    uint16_t data = DATA / 16;
    uc_err err;

    must(uc_mem_write(uc, CODE, t->bytes, sizeof t->bytes));
    must(uc_ctl_remove_cache(uc, CODE, CODE + sizeof t->bytes));
    for (unsigned n = 0; n < SVMC_IOX_ARGS; n++)
        must(uc_reg_write(uc, regs[n], &arg[n]));
    must(uc_reg_write(uc, UC_X86_REG_EFLAGS, &flags));
    if (t->mode == 0) {
        uint16_t code = CODE / 16;

        must(uc_reg_write(uc, UC_X86_REG_CS, &code));
        must(uc_reg_write(uc, UC_X86_REG_ES, &data));
        must(uc_reg_write(uc, UC_X86_REG_DS, &data));
        must(uc_reg_write(uc, UC_X86_REG_FS, &data));
    }
    if (t->mode == 2)
        must(uc_reg_write(uc, UC_X86_REG_FS_BASE, &t->fs));
    err = uc_emu_start(uc, CODE, CODE + t->count, 0, 0);
    for (unsigned n = 0; n < SVMC_IOX_ARGS; n++) {
        arg[n] = 0;
        must(uc_reg_read(uc, regs[n], &arg[n]));
    }
    return err == UC_ERR_OK;
}

/* The table of docs/spec/iox.md as bits. */
static bool is_word(uint32_t low)
{
    if ((low & 3) == 3)
        return false;
    if (low & 0x10)
        return low < 0x40;
    return low & 8 ? low < 0x10 : (low & ~UINT32_C(0x1fe7)) == 0;
}

/* The first 65536, and of the rest one in 16; SVMC_ALL: all. */
TEST(iox_reference, every_lower_half) /* IO-2 IO-3 */
{
    static const struct svmc_iox zero;
    uint32_t step = getenv("SVMC_ALL") ? 1 : 16;
    unsigned long seen = 0, accepted = 0;

    for (uint64_t at = 0; at >> 32 == 0; at += at < 65536 ? 1 : step, seen++) {
        uint32_t low = (uint32_t)at | (at < 65536 ? 0 : (uint32_t)(at >> 4) % step);
        struct svmc_iox io;
        uint64_t word = 0;
        bool ok = svmc_iox_decode(0x8600000000 | low, &io) == SVMC_OK;

        if (ok ? svmc_iox_encode(&io, &word) != SVMC_OK || word != (0x8600000000 | low)
               : memcmp(&io, &zero, sizeof io) != 0)
            CHECK(false, "%x", low);
        if (ok != is_word(low))
            CHECK_EQ(ok, is_word(low), "%x", low);
        accepted += ok;
    }
    CHECK_EQ(accepted, 1566);
    printf("%lu of 2^32 lower halves, %lu accepted\n", seen, accepted);
}

TEST(iox_reference, other_upper_halves) /* IO-1 */
{
    static const struct svmc_iox zero;
    uint64_t rng = harness_seed();
    struct svmc_iox io;

    for (unsigned i = 0; i < 10000000; i++) {
        uint64_t word = harness_random(&rng);

        if (i % 4 == 0) /* next to ours */
            word = (UINT64_C(0x86) ^ UINT64_C(1) << i / 4 % 32) << 32 | (word & 0xffffffff);
        if (i % 3 != 0) /* what would be a word */
            word = (word & ~UINT64_C(0xffffffff)) | (word >> 3 & 0x1fe0) | (word & 1);
        if (word >> 32 == 0x86)
            continue;
        if (svmc_iox_decode(word, &io) != SVMC_ERR_MISMATCH || memcmp(&io, &zero, sizeof io) != 0)
            CHECK(false, "%llx", (unsigned long long)word);
    }
    CHECK_EQ(svmc_iox_decode(0x8700000000, &io), SVMC_ERR_MISMATCH);
}

/*
 * QEMU, and so Unicorn, looks for an INS's page by writing a zero there (target/i386/tcg,
 * gen_ins). Of an element on two pages of which the second faults it leaves zeros on the first; a
 * processor writes nothing of a faulting element. Undo them. Returns how many bytes that was.
 */
static unsigned undo_probe(const struct test_case *t, const struct svmc_iox_regs *regs)
{
    uint64_t mask = UINT64_MAX >> (64 - 8 * regs->address_bytes);
    uint64_t at = regs->base + (regs->arg[SVMC_IOX_DESTINATION] & mask);
    unsigned undone = 0;

    for (unsigned b = 0; b < t->io.bytes; b++)
        if (is_there(at + b, true) && memory[1][at + b - DATA] == 0) {
            memory[1][at + b - DATA] = memory[0][at + b - DATA];
            undone++;
        }
    return undone;
}

TEST(iox_reference, instructions_beside_unicorn) /* IO-4 IO-7 IO-8 IO-9 IO-10 */
{
    const char *given = getenv("SVMC_COUNT");
    unsigned long count = given ? strtoul(given, NULL, 10) : 20000, faults = 0, moved = 0,
                  strings = 0, undone = 0;
    uint64_t rng = harness_seed();
    uc_engine *uc[MODES];

    for (unsigned i = 0; i < MODES; i++)
        uc[i] = engine(modes[i].uc);
    for (unsigned i = 0; i < PAGES * PAGE; i++)
        memory[0][i] = memory[1][i] = (uint8_t)harness_random(&rng);
    for (unsigned long i = 0; i < count; i++) {
        struct svmc_iox_result result = { 0 };
        struct svmc_iox_regs regs;
        struct svmc_iox io;
        struct svmc_insn insn;
        struct test_case t;
        uint64_t arg[SVMC_IOX_ARGS];
        bool ended;

        make(&rng, &t, &regs);
        memset(logs, 0, sizeof logs);
        logs[0].given = logs[1].given = (uint32_t)harness_random(&rng);
        memcpy(arg, regs.arg, sizeof arg);
        ended = execute(uc[t.mode], &t, arg);
        REQUIRE(decode(&t, &insn) == SVMC_OK);
        REQUIRE(svmc_iox_from_insn(&insn, t.io.backward ? 0x400 : 0, &io) == SVMC_OK);
        CHECK_MEM(&io, &t.io, sizeof io, "case %lu", i);
        do
            REQUIRE(svmc_iox_perform(&io, &ops, &logs[0], 1 + (uint32_t)(i % 70), &regs, &result) ==
                    SVMC_OK);
        while (result.end == SVMC_IOX_MORE);
        CHECK_EQ(result.end, ended ? SVMC_IOX_DONE : SVMC_IOX_FAULT, "case %lu", i);
        CHECK_MEM(regs.arg, arg, sizeof arg, "case %lu", i);
        CHECK_MEM(&logs[0], &logs[1], sizeof logs[0], "case %lu", i);
        if (!ended && t.io.in)
            undone += undo_probe(&t, &regs) != 0;
        if (i % 64 == 0 || i + 1 == count)
            CHECK_MEM(memory[0], memory[1], sizeof memory[0], "up to case %lu", i);
        faults += !ended;
        strings += t.io.string;
        moved += logs[0].reads + logs[0].writes;
    }
    for (unsigned i = 0; i < MODES; i++)
        must(uc_close(uc[i]));
    printf(
        "%lu cases: %lu strings, %lu faults, %lu accesses; zeros of QEMU's own probe %lu times\n",
        count, strings, faults, moved, undone);
    CHECK(strings > count / 2 && faults > count / 50 && moved > count * 4,
          "the cases say something");
}
