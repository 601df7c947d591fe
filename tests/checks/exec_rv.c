/* SPDX-License-Identifier: MIT */
/*
 * The executor beside the processor that runs the test, RISC-V with 64 bits, which here is QEMU:
 * every instruction that both have, with random registers, FP registers, memory and operands. All
 * of them have to be the same afterwards. What QEMU 7.2 lacks (Zacas, Zabha, Zalasr, Zcb, Q, half
 * floats, cache blocks) and what faults have unit tests alone.
 *
 * SVMC_COUNT executions, shared out by drawing. Rules ER-1 ER-4 ER-6 ER-7 ER-8 XE-1 XE-10.
 */
#include <stdlib.h>
#include <svmcore/svmcore.h>
#include <sys/mman.h>

#include "../harness.h"

#ifndef __riscv
#error "built for RISC-V alone"
#endif

#define ARENA_BYTES  8192u
#define SLOTS        2048u
#define SLOT_WORDS   4u
#define REPEATS      16u
#define EXIT_BYTES   512u
#define SHOWN_MAX    20u
#define LEAST        200u /* of each instruction, in a million */
#define INSTRUCTIONS 49u  /* 11 and 12 compressed of memory, 4 of FP, 4 LL/SC, 18 AMO */

/* What a slot starts from and leaves. The assembler below has its offsets. */
struct state {
    uint64_t x[32], f[32], sp;
};
_Static_assert(offsetof(struct state, f) == 256 && offsetof(struct state, sp) == 512, "as below");

/*
 * Two ways into a slot: all registers but one are those of the state, whose address is in that one.
 * Another one holds the slot's address, which is in the place of x0, till the slot itself loads it.
 * Behind the slot's instruction is a jump to a copy of the way back.
 */
/* clang-format off */
#define EACH_X(what, base)                                                             \
    ".irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26\n"   \
    ".ifnc x\\n, " base "\n" what " x\\n, 8*\\n(" base ")\n.endif\n.endr\n"            \
    ".irp n, 27,28,29,30,31\n"                                                         \
    ".ifnc x\\n, " base "\n" what " x\\n, 8*\\n(" base ")\n.endif\n.endr\n"
#define EACH_F(what, base)                                                             \
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26\n" \
    what " f\\n, 256+8*\\n(" base ")\n.endr\n"                                         \
    ".irp n, 27,28,29,30,31\n" what " f\\n, 256+8*\\n(" base ")\n.endr\n"
#define SAVED(what)                                                                  \
    what " ra, 0(sp)\n" what " gp, 8(sp)\n" what " tp, 16(sp)\n"                     \
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11\n" what " s\\n, 24+8*\\n(sp)\n"               \
    "f" what " fs\\n, 128+8*\\n(sp)\n.endr\n"
#define WAY(name, base, jump)                                                        \
    ".globl enter_" name "\nenter_" name ":\naddi sp, sp, -240\n" SAVED("sd")         \
    "sd a1, 0(a0)\nsd sp, 512(a0)\nmv " base ", a0\n" EACH_F("fld", base)            \
    EACH_X("ld", base) "ld " jump ", 0(" base ")\njr " jump "\n"                     \
    ".globl leave_" name "\nleave_" name ":\n" EACH_X("sd", base) EACH_F("fsd", base) \
    "ld sp, 512(" base ")\n" SAVED("ld") "addi sp, sp, 240\nret\n"                   \
    ".globl end_" name "\nend_" name ":\n"
/* clang-format on */

__asm__(".option push\n.option norelax\n.option norvc\n.text\n" WAY("high", "x31", "x30")
            WAY("low", "x5", "x6") ".option pop\n");

void enter_high(struct state *s, const uint32_t *slot);
void enter_low(struct state *s, const uint32_t *slot);
extern const uint8_t leave_high[], end_high[], leave_low[], end_low[];

/* base: the register that has the state's address; jump: the one of the slot's. */
static const struct way {
    uint8_t base, jump;
    void (*enter)(struct state *, const uint32_t *);
} ways[2] = { { 31, 30, enter_high }, { 5, 6, enter_low } };

static uint32_t *code; /* SLOTS of them, then the two ways back */
static _Alignas(4096) uint8_t arena[ARENA_BYTES];
static uint8_t shadow[ARENA_BYTES];
static uint64_t seed, failures, runs[512];
static struct state native;
static struct svmc_exec record;
static struct svmc_exec_rv regs;
static uint64_t floats[32];

static uint64_t draw_64(void)
{
    return harness_random(&seed);
}

static unsigned draw(unsigned bound)
{
    return (unsigned)(draw_64() >> 33) % bound;
}

/* ---- the library's side ---- */

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    (void)ctx;
    out->v = at.v;
    if (at.v - (uintptr_t)arena >= ARENA_BYTES)
        *fault = (struct svmc_fault){ .raised = 1,
                                      .vector = access & SVMC_ACCESS_WRITE ? 15 : 13,
                                      .address = at.v };
    return SVMC_OK;
}

static enum svmc_status read(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    (void)ctx;
    memcpy(dst, shadow + (at.v - (uintptr_t)arena), n);
    return SVMC_OK;
}

static enum svmc_status write(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    (void)ctx;
    memcpy(shadow + (at.v - (uintptr_t)arena), src, n);
    return SVMC_OK;
}

static enum svmc_status exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                 size_t n)
{
    uint8_t *place = shadow + (at.v - (uintptr_t)arena), held[16];

    (void)ctx;
    memcpy(held, place, n);
    if (memcmp(held, expected, n) == 0)
        memcpy(place, desired, n);
    memcpy(expected, held, n);
    return SVMC_OK;
}

static enum svmc_status vector_read(void *ctx, uint32_t kind, uint32_t number, void *dst, size_t n)
{
    (void)ctx, (void)kind;
    memcpy(dst, &floats[number & 31], n);
    return SVMC_OK;
}

static enum svmc_status vector_write(void *ctx, uint32_t kind, uint32_t number, const void *src,
                                     size_t n)
{
    (void)ctx, (void)kind;
    memcpy(&floats[number & 31], src, n);
    return SVMC_OK;
}

static const struct svmc_exec_ops ops = { .size = sizeof ops,
                                          .translate = translate,
                                          .read = read,
                                          .write = write,
                                          .exchange = exchange,
                                          .vector_read = vector_read,
                                          .vector_write = vector_write };
static const struct svmc_cpu cpu = { .isa = SVMC_ISA_RV64 };

/* ---- instructions ---- */

/* Bits of a family, the others at random. */
static uint32_t draw_word(void)
{
    static const uint32_t atomics[] = { 0, 1, 2, 3, 4, 8, 12, 16, 20, 24, 28 };
    uint32_t word = (uint32_t)draw_64();

    switch (draw(8)) {
    case 0:
        return (word & ~0x7fu) | 0x03;
    case 1:
        return (word & ~0x7fu) | 0x23;
    case 2:
        return (word & ~0x7fu) | 0x07;
    case 3:
        return (word & ~0x7fu) | 0x27;
    case 4:
    case 5:
        word = (word & 0x07ffffff) | atomics[draw(11)] << 27;
        return (word & ~0x707fu) | 0x202f | draw(2) << 12;
    case 6:
        return word & 0xfffc;
    default:
        return (word & 0xfffc) | 2;
    }
}

/* What QEMU 7.2 has of what the library finishes; the ways of a slot do not survive the rest. */
static bool is_common(const struct svmc_insn *insn, const struct way *way)
{
    unsigned id = insn->id, reg = insn->reg - SVMC_REG_RV_X0, base = insn->base - SVMC_REG_RV_X0;
    bool is_float = insn->reg_kind == SVMC_REG_KIND_VECTOR;

    if (insn->insn_class != SVMC_CLASS_MEMORY ||
        (insn->mem_bytes != 8 && is_float && insn->mem_bytes != 4))
        return false;
    if (id == SVMC_RV_SSAMOSWAP_W || id == SVMC_RV_SSAMOSWAP_D || insn->mem_bytes == 0 ||
        (id >= SVMC_RV_C_LBU && id <= SVMC_RV_C_SH))
        return false;
    if (base == 0 || base == way->base)
        return false;
    if (insn->reg3 != SVMC_REG_NONE && insn->reg3 - SVMC_REG_RV_X0 == way->base)
        return false;
    return is_float || !(insn->access & SVMC_ACCESS_READ) || reg != way->base;
}

struct drawn {
    struct svmc_insn insn;
    const struct way *way;
};
static struct drawn drawn[SLOTS];

static void put_slot(unsigned n, uint32_t word, const struct svmc_insn *insn)
{
    const struct way *way = drawn[n].way;
    uint32_t *slot = code + n * SLOT_WORDS;
    uint32_t from = (n * SLOT_WORDS + 2) * 4, back = SLOTS * SLOT_WORDS * 4;
    uint32_t by;

    back += way == &ways[1] ? EXIT_BYTES : 0;
    by = back - from;
    drawn[n].insn = *insn;
    slot[0] = 0x3003u | (uint32_t)way->jump << 7 | (uint32_t)way->base << 15 |
              8u * way->jump << 20;                                    /* LD */
    slot[1] = insn->length == 4 ? word : (word & 0xffff) | 0x00010000; /* C.NOP */
    slot[2] = 0x6fu | (by >> 20 & 1) << 31 | (by >> 1 & 0x3ff) << 21 | (by >> 11 & 1) << 20 |
              (by >> 12 & 0xff) << 12; /* J */
}

/* An LR stands before each SC, of the same width and base. */
static void draw_slots(void)
{
    for (unsigned n = 0; n < SLOTS; n++) {
        uint32_t word = draw_word();
        const uint8_t bytes[4] = { (uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16),
                                   (uint8_t)(word >> 24) };
        struct svmc_insn insn;

        drawn[n].way = &ways[draw(2)];
        if (svmc_insn_decode(&cpu, bytes, 4, &insn) != SVMC_OK || !is_common(&insn, drawn[n].way)) {
            n--;
            continue;
        }
        put_slot(n, word, &insn);
        if ((insn.id == SVMC_RV_SC_W || insn.id == SVMC_RV_SC_D) && n + 1 < SLOTS) {
            const uint32_t lr = (word & 0x000ff07f) | 0x10000000 | 7u << 7;
            const uint8_t first[4] = { (uint8_t)lr, (uint8_t)(lr >> 8), (uint8_t)(lr >> 16),
                                       (uint8_t)(lr >> 24) };

            drawn[n + 1].way = drawn[n].way;
            put_slot(n + 1, word, &insn);
            if (CHECK_EQ(svmc_insn_decode(&cpu, first, 4, &insn), SVMC_OK))
                put_slot(n, lr, &insn);
            n++;
        }
    }
    __builtin___clear_cache((char *)code, (char *)(code + SLOTS * SLOT_WORDS));
}

/* ---- a case ---- */

/* Values at which signs and carries change are more frequent than chance makes them. */
static uint64_t draw_value(void)
{
    uint64_t v = draw_64();

    switch (draw(6)) {
    case 0:
        return (uint64_t)(int64_t)(int32_t)v;
    case 1:
        return v & 1 ? (uint64_t)1 << (v >> 1 & 63) : ~((uint64_t)1 << (v >> 1 & 63));
    case 2:
        return v & 3;
    default:
        return v;
    }
}

static uint64_t draw_place(const struct svmc_insn *insn)
{
    uint64_t at = 64 + draw(ARENA_BYTES - 128);

    if (draw(4) == 0)
        at = ARENA_BYTES / 2 - draw(16);
    if (insn->flags & (SVMC_INSN_ATOMIC | SVMC_INSN_EXCLUSIVE))
        at &= ~(uint64_t)(insn->mem_bytes - 1);
    return at;
}

static void fill_state(const struct drawn *d, uint64_t at)
{
    for (unsigned i = 1; i < 32; i++)
        native.x[i] = draw_value();
    for (unsigned i = 0; i < 32; i++)
        native.f[i] = draw_64();
    native.x[d->insn.base - SVMC_REG_RV_X0] = (uintptr_t)arena + at - (uint64_t)d->insn.disp;
    native.x[d->way->base] = (uintptr_t)&native;
    memcpy(regs.general, native.x, sizeof regs.general);
    memcpy(floats, native.f, sizeof floats);
    for (unsigned i = 0; i < 16; i++) {
        shadow[at - 8 + i] = (uint8_t)draw_64();
        arena[at - 8 + i] = shadow[at - 8 + i];
    }
}

static bool is_same(const struct drawn *d, uint64_t at)
{
    native.x[d->way->base] = regs.general[d->way->base];
    native.x[0] = regs.general[0];
    return memcmp(native.x, regs.general, sizeof native.x) == 0 &&
           memcmp(native.f, floats, sizeof floats) == 0 &&
           memcmp(arena + at - 32, shadow + at - 32, 64) == 0;
}

static void show(const struct drawn *d, uint64_t at, const struct svmc_exec_result *out)
{
    if (failures++ >= SHOWN_MAX)
        return;
    printf("instruction %08x, id %u, at %" PRIx64 ", action %u\n", d->insn.priv_raw[0], d->insn.id,
           at, out->action);
    for (unsigned i = 1; i < 32; i++)
        if (native.x[i] != regs.general[i])
            printf("  x%u %" PRIx64 ", library %" PRIx64 "\n", i, native.x[i], regs.general[i]);
    for (unsigned i = 0; i < 32; i++)
        if (native.f[i] != floats[i])
            printf("  f%u %" PRIx64 ", library %" PRIx64 "\n", i, native.f[i], floats[i]);
}

static void execute(unsigned n, uint64_t at)
{
    const struct drawn *d = &drawn[n];
    struct svmc_exec_result out;
    enum svmc_status st;

    fill_state(d, at);
    st = svmc_exec_rv_start(&record, &regs, &d->insn, &out);
    d->way->enter(&native, code + n * SLOT_WORDS);
    if (st != SVMC_OK || out.action != SVMC_EXEC_DONE || !is_same(d, at))
        show(d, at, &out);
    runs[d->insn.id]++;
}

/* SC: its LR before it, at the same place; in between others may write there. */
static void execute_pair(unsigned n, uint64_t at)
{
    const struct drawn *d = &drawn[n];
    struct svmc_exec_result out;
    enum svmc_status st;

    if (draw(4) == 0)
        return; /* the reservation is lost */
    fill_state(d, at);
    st = svmc_exec_rv_start(&record, &regs, &d->insn, &out);
    d->way->enter(&native, code + n * SLOT_WORDS);
    if (st != SVMC_OK || !is_same(d, at))
        show(d, at, &out);
    d++;
    native.x[d->way->base] = (uintptr_t)&native;
    regs.general[d->way->base] = (uintptr_t)&native;
    native.x[d->insn.base - SVMC_REG_RV_X0] = (uintptr_t)arena + at;
    regs.general[d->insn.base - SVMC_REG_RV_X0] = (uintptr_t)arena + at;
    if (draw(4) == 0)
        shadow[at] = arena[at] = (uint8_t)draw_64();
    st = svmc_exec_rv_start(&record, &regs, &d->insn, &out);
    d->way->enter(&native, code + (n + 1) * SLOT_WORDS);
    if (st != SVMC_OK || out.action != SVMC_EXEC_DONE || !is_same(d, at))
        show(d, at, &out);
    runs[d->insn.id]++;
}

static void run_slots(void)
{
    for (unsigned n = 0; n < SLOTS; n++)
        for (unsigned i = 0; i < REPEATS; i++) {
            uint64_t at = draw_place(&drawn[n].insn);

            if (n + 1 < SLOTS &&
                (drawn[n + 1].insn.id == SVMC_RV_SC_W || drawn[n + 1].insn.id == SVMC_RV_SC_D) &&
                drawn[n].insn.base == drawn[n + 1].insn.base)
                execute_pair(n, at);
            else if (drawn[n].insn.id != SVMC_RV_SC_W && drawn[n].insn.id != SVMC_RV_SC_D)
                execute(n, at);
        }
    if (!CHECK(memcmp(arena, shadow, sizeof arena) == 0, "memory that nobody named"))
        memcpy(shadow, arena, sizeof arena);
}

TEST(exec_rv, does_what_the_processor_does)
{
    const char *env = getenv("SVMC_COUNT");
    uint64_t wanted = env ? strtoull(env, NULL, 0) : 1000000, done = 0, least = UINT64_MAX;
    unsigned ids = 0;

    seed = harness_seed();
    code = mmap(NULL, SLOTS * SLOT_WORDS * 4 + 2 * EXIT_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(code != MAP_FAILED);
    REQUIRE((size_t)(end_high - leave_high) <= EXIT_BYTES &&
            (size_t)(end_low - leave_low) <= EXIT_BYTES);
    memcpy(code + SLOTS * SLOT_WORDS, leave_high, (size_t)(end_high - leave_high));
    memcpy((uint8_t *)(code + SLOTS * SLOT_WORDS) + EXIT_BYTES, leave_low,
           (size_t)(end_low - leave_low));
    REQUIRE(svmc_exec_init(&record, &ops, NULL) == SVMC_OK);
    regs.float_state = 1;
    regs.float_bytes = 8;
    regs.settings = SVMC_EXEC_RV_MISALIGNED;
    while (done < wanted) {
        draw_slots();
        run_slots();
        done = 0;
        for (unsigned i = 0; i < 512; i++)
            done += runs[i];
    }
    for (unsigned i = 0; i < 512; i++)
        if (runs[i] != 0) {
            ids++;
            least = runs[i] < least ? runs[i] : least;
        }
    printf("%" PRIu64 " executions of %u instructions, at least %" PRIu64 " each\n", done, ids,
           least);
    CHECK_EQ(failures, 0);
    CHECK_EQ(ids, INSTRUCTIONS);
    CHECK(least >= done / 1000000 * LEAST);
}
