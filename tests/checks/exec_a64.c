/* SPDX-License-Identifier: MIT */
/*
 * The executor beside an AArch64 processor, or QEMU as one: every form of every load and store that
 * is finished, at EL0, with random registers, memory and addresses, by both. Registers, vector
 * registers, memory, and faults with their kind and address have to be the same outside of what the
 * architecture leaves open (is_open).
 *
 * The forms are found by asking the decoder about random words of the group. SVMC_COUNT executions
 * are shared out among them, at least SVMC_LEAST each; SVMC_FORMS names a file that gets the count
 * of each form. Rules EA-1 EA-5 EA-7 EA-9 EA-11 EA-12 EA-13 EA-14 EA-15 EA-16 EA-17 EA-19.
 */
#include <signal.h>
#include <stdlib.h>
#include <svmcore/address.h>
#include <svmcore/svmcore.h>

#include "../harness.h"
#include "a64_stub.h"

#define FORMS_MAX   1024u
#define WORDS_MAX   8u
#define SHOWN_MAX   40u
#define LEAST       2000u
#define RUNS        16u /* of a word, with new registers and addresses each */
#define THERE_BYTES (4 * ARENA_PAGE)
#define NOP         0xd503201fu
#define CLREX       0xd5033f5fu

struct form {
    struct svmc_insn like; /* what all of its words have in common */
    uint32_t words[WORDS_MAX];
    unsigned word_count;
    bool absent; /* the processor says that it is undefined */
    uint64_t runs, faults;
};

struct trial {
    struct form *form;
    struct svmc_insn insn, prelude;
    uint64_t linear;
    unsigned slot;
    struct stub_machine machine;
    struct svmc_exec_a64 before, after;
    struct svmc_exec_result out;
};

static struct form forms[FORMS_MAX];
static unsigned form_count;
static bool unfinished[256]; /* by enum svmc_a64_id: with memory, and left to others */
static uint64_t seed, failures, left_open, sum;
static uint8_t shadow[THERE_BYTES], vectors[32][16];
static uint8_t *const arena = (uint8_t *)(uintptr_t)ARENA_THERE;
static const struct svmc_cpu cpu = { .isa = SVMC_ISA_A64 };
static struct svmc_exec record;

static unsigned draw(unsigned bound)
{
    return (unsigned)((harness_random(&seed) >> 32) * bound >> 32);
}

/* ---- the library's side: a copy of memory and of the vector registers ---- */

static bool is_there(uint64_t at, uint64_t bytes, bool write)
{
    uint64_t from = at - ARENA_THERE, all = write ? 3 * ARENA_PAGE : 4 * ARENA_PAGE;

    return from < all && bytes <= all - from;
}

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    bool write = (access & SVMC_ACCESS_WRITE) != 0;

    (void)ctx;
    out->v = at.v;
    if (!is_there(at.v, 1, write))
        *fault = (struct svmc_fault){ .raised = 1,
                                      .vector = 0x24,
                                      .has_error = 1,
                                      .error = (is_there(at.v, 1, false) ? 0x0fu : 0x07u) |
                                               (access == SVMC_ACCESS_WRITE ? 0x40u : 0),
                                      .address = at.v };
    return SVMC_OK;
}

static enum svmc_status read_some(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    (void)ctx;
    memcpy(dst, shadow + (at.v - ARENA_THERE), n);
    return SVMC_OK;
}

static enum svmc_status write_some(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    (void)ctx;
    memcpy(shadow + (at.v - ARENA_THERE), src, n);
    return SVMC_OK;
}

static enum svmc_status exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                 size_t n)
{
    uint8_t *to = shadow + (at.v - ARENA_THERE);
    bool same = memcmp(to, expected, n) == 0;

    (void)ctx;
    memcpy(expected, to, n);
    if (same)
        memcpy(to, desired, n);
    return SVMC_OK;
}

static enum svmc_status vector_read(void *ctx, uint32_t kind, uint32_t number, void *dst, size_t n)
{
    (void)ctx;
    if (kind != SVMC_REG_KIND_VECTOR || number > 31 || n > 16)
        return SVMC_ERR_ARG;
    memcpy(dst, vectors[number], n);
    return SVMC_OK;
}

static enum svmc_status vector_write(void *ctx, uint32_t kind, uint32_t number, const void *src,
                                     size_t n)
{
    (void)ctx;
    if (kind != SVMC_REG_KIND_VECTOR || number > 31 || n > 16)
        return SVMC_ERR_ARG;
    memcpy(vectors[number], src, n);
    return SVMC_OK;
}

static const struct svmc_exec_ops ops = { .size = sizeof ops,
                                          .translate = translate,
                                          .read = read_some,
                                          .write = write_some,
                                          .exchange = exchange,
                                          .vector_read = vector_read,
                                          .vector_write = vector_write };

static void set_user(struct svmc_exec_a64 *regs)
{
    /* SCTLR: EnALS, UCI, DZE; E0E */
    *regs = (struct svmc_exec_a64){ .pc = stub_pc(0),
                                    .sctlr = 1ull << 56 | 1u << 26 | 1u << 14 |
                                             (stub_is_big() ? 1u << 24 : 0),
                                    .cpacr = 3u << 20,
                                    .dczid = stub_dczid() };
}

/* ---- forms ---- */

static bool is_form(const struct svmc_insn *a, const struct svmc_insn *b)
{
    if (a->insn_class == SVMC_CLASS_CACHE && a->imm != b->imm)
        return false;
    return a->id == b->id && a->mem_bytes == b->mem_bytes && a->mem_count == b->mem_count &&
           a->flags == b->flags && a->reg_kind == b->reg_kind && a->reg_bytes == b->reg_bytes &&
           a->access == b->access && (a->base == SVMC_REG_PC) == (b->base == SVMC_REG_PC) &&
           (a->index == SVMC_REG_NONE) == (b->index == SVMC_REG_NONE) &&
           a->index_extend == b->index_extend && (a->scale > 1) == (b->scale > 1) &&
           ((a->priv_raw[0] ^ b->priv_raw[0]) & 1u << 24) == 0;
}

/* A system instruction has the address in its register. */
static bool has_address(const struct svmc_insn *insn)
{
    return insn->access != SVMC_ACCESS_NONE || insn->insn_class == SVMC_CLASS_PREFETCH ||
           insn->insn_class == SVMC_CLASS_CACHE;
}

static bool is_finished(const struct svmc_insn *insn)
{
    struct svmc_exec_a64 regs;
    struct svmc_exec_result out;

    set_user(&regs);
    return svmc_exec_a64_start(&record, &regs, insn, &out) == SVMC_OK &&
           out.action != SVMC_EXEC_UNFINISHED &&
           !(out.action == SVMC_EXEC_FAULT && (out.fault.vector & 0x3e) != 0x24);
}

/* Newer than Debian's QEMU 7.2: LSE128, LS64, LRCPC3. */
static bool may_be_absent(const struct svmc_insn *insn)
{
    switch (insn->id) {
    case SVMC_A64_LDCLRP:
    case SVMC_A64_LDSETP:
    case SVMC_A64_SWPP:
    case SVMC_A64_LD64B:
    case SVMC_A64_ST64B:
    case SVMC_A64_LDIAPP:
    case SVMC_A64_STILP:
    case SVMC_A64_LDAP1:
    case SVMC_A64_STL1:
        return true;
    case SVMC_A64_LDAPUR:
    case SVMC_A64_STLUR:
        return insn->reg_kind == SVMC_REG_KIND_VECTOR;
    default:
        return (insn->id == SVMC_A64_LDAPR || insn->id == SVMC_A64_STLR) &&
               (insn->flags & (SVMC_INSN_PRE_INDEX | SVMC_INSN_POST_INDEX));
    }
}

static void add_word(uint32_t w)
{
    uint8_t bytes[4] = { (uint8_t)w, (uint8_t)(w >> 8), (uint8_t)(w >> 16), (uint8_t)(w >> 24) };
    struct svmc_insn insn;
    struct form *f = forms;

    if (svmc_insn_decode(&cpu, bytes, 4, &insn) != SVMC_OK || !has_address(&insn) ||
        (insn.id == SVMC_A64_LDAPR && !(insn.flags & SVMC_INSN_POST_INDEX) &&
         (w & 0x001f0000) != 0x001f0000))
        return;
    while (f < forms + form_count && !is_form(&f->like, &insn))
        f++;
    if (f == forms + form_count) {
        if (!is_finished(&insn)) {
            unfinished[insn.id & 255] |= insn.access != SVMC_ACCESS_NONE;
            return;
        }
        if (stub_is_big() && may_be_absent(&insn))
            return;
        if (!CHECK(form_count < FORMS_MAX, "more forms than room"))
            return;
        f->like = insn;
        form_count++;
    }
    if (f->word_count < WORDS_MAX)
        f->words[f->word_count++] = w;
}

/* The same ones in each run: no seed. Some forms want fields that are all zeros or ones. */
static void find_forms(void)
{
    static const uint32_t system[] = { 0xd50b7420, 0xd50b7a20, 0xd50b7b20, 0xd50b7e20, 0xd50b7520 };
    uint64_t state = 1;

    for (unsigned i = 0; i < sizeof system / sizeof system[0]; i++)
        add_word(system[i]);
    for (unsigned n = 0; n < 400000; n++) {
        uint64_t r = harness_random(&state);
        uint32_t w = ((uint32_t)r & 0xf5ffffff) | 0x08000000;

        if (r >> 32 & 1)
            w = r >> 33 & 1 ? w | 0x001f0000 : w & ~0x001f0000u;
        if (r >> 34 & 1)
            w |= 0x00007c00;
        if (r >> 35 & 1)
            w = (w & ~0x37000000u) | 0x08000000;
        else if (r >> 36 & 1)
            w = (w & 0x00dffcffu) | 0x38200000 | (w & 0xc0000000);
        add_word(w);
    }
}

/* ---- one execution ---- */

static uint32_t draw_word(const struct form *f)
{
    static const uint32_t masks[4] = { 0x003fffff, 0x001f03ff, 0x000003ff, 0x001fffff };
    uint32_t like = f->words[draw(f->word_count)];
    struct svmc_insn insn;

    for (unsigned i = 0; i < 6; i++) {
        uint32_t mask = masks[draw(4)], w = like ^ ((uint32_t)harness_random(&seed) & mask);
        uint8_t b[4] = { (uint8_t)w, (uint8_t)(w >> 8), (uint8_t)(w >> 16), (uint8_t)(w >> 24) };

        if (f->like.id == SVMC_A64_LDAPR && ((w ^ like) & 0x001f0000) != 0)
            continue; /* Rs is ones, or QEMU does not take it */
        if (svmc_insn_decode(&cpu, b, 4, &insn) == SVMC_OK && is_form(&f->like, &insn))
            return w;
    }
    return like;
}

static unsigned bytes_of(const struct svmc_insn *insn)
{
    unsigned bytes = insn->mem_bytes * (unsigned)insn->mem_count;

    return bytes != 0 ? bytes : 1;
}

/* Where it shall point to: most are there; some cross a page, some are not there. */
static uint64_t draw_target(const struct svmc_insn *insn)
{
    unsigned bytes = bytes_of(insn), kind = draw(32);
    uint64_t at = ARENA_THERE + draw(3 * ARENA_PAGE - 64);

    if (stub_is_big())
        kind = 4 + draw(12);
    else if (insn->insn_class == SVMC_CLASS_CACHE && insn->imm != 0x5ba1)
        return at; /* QEMU looks at nothing */
    if (kind == 0)
        return ARENA + draw(ARENA_PAGES * ARENA_PAGE);
    if (kind < 3) /* from a page to the next */
        return ARENA + (1 + draw(ARENA_PAGES - 1)) * ARENA_PAGE - draw(bytes + 4);
    if ((insn->flags &
         (SVMC_INSN_EXCLUSIVE | SVMC_INSN_ATOMIC | SVMC_INSN_ACQUIRE | SVMC_INSN_RELEASE))
            ? kind < 31
            : kind < 16)
        at &= ~(uint64_t)63;
    return at;
}

/* A load of what lies near: the displacement is in the word. */
static uint32_t aim_literal(uint32_t w, uint64_t pc)
{
    int64_t words = ((int64_t)draw_target(&(struct svmc_insn){ .mem_bytes = 4, .mem_count = 1 }) -
                     (int64_t)pc) /
                    4;

    return (w & ~0x00ffffe0u) | ((uint32_t)words & 0x7ffff) << 5;
}

static bool decode(uint32_t w, struct svmc_insn *insn)
{
    uint8_t bytes[4] = { (uint8_t)w, (uint8_t)(w >> 8), (uint8_t)(w >> 16), (uint8_t)(w >> 24) };

    return CHECK_EQ(svmc_insn_decode(&cpu, bytes, 4, insn), SVMC_OK, "%08" PRIx32, w);
}

/* What stands before a store-exclusive: the load that it belongs to, mostly. */
static uint32_t draw_prelude(const struct svmc_insn *insn)
{
    uint32_t w = insn->priv_raw[0], base = w & 0x3e0;

    if (!(insn->flags & SVMC_INSN_EXCLUSIVE) || insn->access != SVMC_ACCESS_WRITE)
        return NOP;
    if (draw(4) == 0)
        return CLREX;
    return insn->mem_count == 2 ? 0x887f7c1f | (w & 0x40000000) | base
                                : 0x085f7c1f | (w & 0xc0000000) | base;
}

static void draw_program(struct trial *t, unsigned slot)
{
    uint32_t w = draw_word(t->form), prelude;

    t->slot = slot;
    /* big-endian QEMU up to 7.2 takes SP for XZR behind X30 */
    if (t->form->like.id == SVMC_A64_CASP && stub_is_big() && (w >> 16 & 31) == 30)
        w ^= 1u << 20;
    if (t->form->like.base == SVMC_REG_PC)
        w = aim_literal(w, stub_pc(slot) + 4);
    if (!decode(w, &t->insn))
        return;
    prelude = draw_prelude(&t->insn);
    if (decode(prelude, &t->prelude))
        stub_put(slot, prelude, w);
}

static uint64_t linear_of(const struct trial *t)
{
    struct svmc_address_regs regs = { .pc = stub_pc(t->slot) + 4 };
    struct svmc_address at;

    if (t->insn.insn_class == SVMC_CLASS_CACHE)
        return t->before.general[(t->insn.reg - SVMC_REG_X0) & 31];
    memcpy(regs.general, t->before.general, sizeof regs.general);
    if (!CHECK_EQ(svmc_insn_address(&t->insn, NULL, &regs, 0, &at), SVMC_OK))
        return 0;
    return at.linear;
}

/* The low bytes of a register as memory has them. */
static void take_register(struct trial *t, unsigned reg, const uint8_t *from)
{
    unsigned bytes = t->insn.mem_bytes;

    for (unsigned i = 0; i < bytes; i++) {
        unsigned shift = 8 * (stub_is_big() ? bytes - 1 - i : i);

        t->before.general[reg] &= ~((uint64_t)0xff << shift);
        t->before.general[reg] |= (uint64_t)from[i] << shift;
    }
}

/* A compare finds what it looks for, mostly. */
static void draw_compared(struct trial *t)
{
    unsigned bytes = t->insn.mem_bytes, reg = t->insn.reg2 - SVMC_REG_X0;

    if ((t->insn.id != SVMC_A64_CAS && t->insn.id != SVMC_A64_CASP) || draw(4) == 0)
        return;
    for (unsigned i = 0; i < t->insn.mem_count; i++)
        if (is_there(t->linear + i * bytes, bytes, false) && reg + i < 31 &&
            reg + i != (unsigned)t->insn.base - SVMC_REG_X0)
            take_register(t, reg + i, arena + (t->linear + i * bytes - ARENA_THERE));
}

/* False: the address cannot be had with these registers. */
static bool draw_registers(struct trial *t)
{
    unsigned base = t->insn.insn_class == SVMC_CLASS_CACHE ? t->insn.reg : t->insn.base;

    for (unsigned i = 0; i < 32; i++)
        t->before.general[i] = harness_random(&seed);
    for (unsigned i = 0; i < 4; i++) {
        unsigned v = (t->insn.reg + i) & 31;
        uint64_t r[2] = { harness_random(&seed), harness_random(&seed) };

        memcpy(vectors[v], r, 16);
        memcpy(t->machine.vector[v], r, 16);
    }
    if (base == SVMC_REG_XZR) /* DC of no address */
        return false;
    if (base != SVMC_REG_PC)
        t->before.general[base - SVMC_REG_X0] += draw_target(&t->insn) - linear_of(t);
    t->linear = linear_of(t);
    draw_compared(t);
    return t->linear >= ARENA - 1024 && t->linear < ARENA + ARENA_PAGES * ARENA_PAGE;
}

static void show(const struct trial *t, const char *what)
{
    char text[SVMC_INSN_TEXT_MAX] = "";

    if (failures++ >= SHOWN_MAX)
        return;
    (void)!svmc_insn_format(&t->insn, text, sizeof text);
    CHECK(false,
          "%s: %s (%08" PRIx32 ") at %#" PRIx64 ": ours %u (%#x, iss %#" PRIx32 ", %#" PRIx64
          "), processor's signal %d code %d at %#" PRIx64,
          what, text, t->insn.priv_raw[0], t->linear, t->out.action, t->out.fault.vector,
          t->out.fault.error, t->out.fault.address, t->machine.signal, t->machine.code,
          t->machine.address);
    for (unsigned i = 0; i < 32; i++)
        if (t->after.general[i] != t->machine.general[i])
            printf("  register %u: before %#" PRIx64 ", ours %#" PRIx64 ", processor %#" PRIx64
                   "\n",
                   i, t->before.general[i], t->after.general[i], t->machine.general[i]);
}

/* By the library: both words. */
static enum svmc_status finish(struct trial *t)
{
    enum svmc_status st = SVMC_OK;

    t->after = t->before;
    t->after.pc = stub_pc(t->slot);
    t->out = (struct svmc_exec_result){ 0 };
    if (t->prelude.id == SVMC_A64_CLREX)
        t->after.monitor.bytes = 0;
    else if (t->prelude.id != SVMC_A64_NOP)
        st = svmc_exec_a64_start(&record, &t->after, &t->prelude, &t->out);
    if (st != SVMC_OK || t->out.action == SVMC_EXEC_FAULT)
        return st;
    t->after.pc = stub_pc(t->slot) + 4;
    return svmc_exec_a64_start(&record, &t->after, &t->insn, &t->out);
}

/* A store-exclusive that cannot succeed may look at its address or not: DDI 0487 B2.9. */
static bool is_lost_store(const struct trial *t)
{
    return t->out.action == SVMC_EXEC_FAULT && t->machine.signal == 0 &&
           t->prelude.id == SVMC_A64_CLREX &&
           (t->insn.reg3 == SVMC_REG_XZR ||
            t->machine.general[(t->insn.reg3 - SVMC_REG_X0) & 31] == 1);
}

/* LDP and its like of two equal registers: what they hold is UNKNOWN (K1.2, EA-9). */
static bool is_overlap(const struct trial *t)
{
    return t->insn.access == SVMC_ACCESS_READ && t->insn.mem_count == 2 &&
           t->insn.reg == t->insn.reg2 && t->insn.insn_class == SVMC_CLASS_MEMORY;
}

/* Not the architecture's choice, but QEMU's: up to 7.2 it does not look how LDAPR is aligned. */
static bool is_unaligned_ldapr(const struct trial *t)
{
    return t->insn.id == SVMC_A64_LDAPR && t->out.action == SVMC_EXEC_FAULT &&
           (t->out.fault.error & 0x3f) == 0x21;
}

/* What was done before a fault at the second access is left open: DDI 0487 D1.14. */
static bool is_partial(const struct trial *t)
{
    return t->out.action == SVMC_EXEC_FAULT && (t->insn.mem_count > 1 || t->insn.mem_bytes > 8);
}

/* What both may do, each in its own way: as the processor did it, then. */
static bool is_open(struct trial *t)
{
    unsigned reg = t->insn.reg & 31;

    if (is_lost_store(t) || is_unaligned_ldapr(t)) {
        left_open++;
        memcpy(vectors, t->machine.vector, sizeof vectors);
        return true;
    }
    if (is_overlap(t)) {
        left_open++;
        memcpy(vectors[reg], t->machine.vector[reg], 16);
        if (t->insn.reg_kind == SVMC_REG_KIND_GPR)
            t->after.general[reg] = t->machine.general[reg];
    }
    return false;
}

static void compare_fault(struct trial *t)
{
    bool alignment = (t->out.fault.error & 0x3f) == 0x21;

    if (t->machine.signal != (alignment ? SIGBUS : SIGSEGV))
        show(t, "another fault");
    else if (t->insn.insn_class == SVMC_CLASS_CACHE)
        left_open++; /* QEMU's memset faults: FAR is what the register holds, DDI 0487 FAR_EL1 */
    else if (t->machine.address != t->out.fault.address)
        show(t, "another address");
    else if (t->machine.pc != t->after.pc)
        show(t, "another PC");
}

static void compare_memory(struct trial *t, bool all)
{
    uint64_t from = (t->linear & ~(uint64_t)511) - 64 - ARENA_THERE, n = 1024;

    if (is_partial(t) && is_there(ARENA_THERE + from, n, false))
        memcpy(shadow + from, arena + from, n);
    if (all) {
        from = 0;
        n = THERE_BYTES;
    }
    if (from > THERE_BYTES || n > THERE_BYTES - from || memcmp(shadow + from, arena + from, n) == 0)
        return;
    show(t, all ? "memory differs, here or a little before" : "memory differs");
    for (uint64_t i = from; i < from + n; i++)
        if (shadow[i] != arena[i] && failures < SHOWN_MAX)
            printf("  at %#" PRIx64 " ours %02x, processor %02x\n", ARENA_THERE + i, shadow[i],
                   arena[i]);
    memcpy(shadow, arena, THERE_BYTES);
}

static void compare(struct trial *t)
{
    if (is_open(t))
        return;
    if ((t->machine.signal != 0) != (t->out.action == SVMC_EXEC_FAULT))
        show(t, "the one faults, the other does not");
    else if (t->machine.signal != 0)
        compare_fault(t);
    else if (t->after.pc != stub_pc(t->slot) + 8)
        show(t, "PC");
    if (memcmp(t->machine.general, t->after.general, sizeof t->after.general) != 0)
        show(t, "registers differ");
    if (is_partial(t))
        memcpy(vectors, t->machine.vector, sizeof vectors);
    else if (memcmp(t->machine.vector, vectors, sizeof vectors) != 0) {
        show(t, "vector registers differ");
        memcpy(vectors, t->machine.vector, sizeof vectors);
    }
}

static void execute(struct trial *t)
{
    struct form *f = t->form;

    if (!draw_registers(t))
        return;
    memcpy(t->machine.general, t->before.general, sizeof t->before.general);
    stub_run(t->slot, &t->machine);
    if (t->machine.signal == SIGILL) {
        f->absent = true;
        return;
    }
    if (finish(t) != SVMC_OK ||
        (t->out.action != SVMC_EXEC_DONE && t->out.action != SVMC_EXEC_FAULT)) {
        show(t, "not finished");
        memcpy(shadow, arena, THERE_BYTES);
        return;
    }
    compare(t);
    compare_memory(t, (++sum & 255) == 0);
    f->runs++;
    f->faults += t->out.action == SVMC_EXEC_FAULT;
}

/* ---- all of them ---- */

static void run_forms(uint64_t each)
{
    static struct trial t[STUB_SLOTS];
    unsigned next = 0, tried = 0, used;

    do {
        for (used = 0, tried = 0; used < STUB_SLOTS && tried < form_count; tried++) {
            struct form *f = &forms[next];

            next = (next + 1) % form_count;
            if (f->absent || f->runs >= each)
                continue;
            set_user(&t[used].before);
            memcpy(t[used].machine.vector, vectors, sizeof vectors);
            t[used].form = f;
            draw_program(&t[used], used);
            used++;
        }
        stub_flush();
        for (unsigned i = 0; i < used; i++) {
            memcpy(t[i].machine.vector, vectors, sizeof vectors);
            for (unsigned k = 0; k < RUNS && !t[i].form->absent; k++)
                execute(&t[i]);
        }
    } while (used != 0);
}

static uint64_t wanted(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

static void write_counts(void)
{
    const char *name = getenv("SVMC_FORMS");
    FILE *file = name != NULL ? fopen(name, "w") : NULL;

    for (unsigned i = 0; file != NULL && i < form_count; i++) {
        char text[SVMC_INSN_TEXT_MAX] = "";

        (void)!svmc_insn_format(&forms[i].like, text, sizeof text);
        fprintf(file, "%" PRIu64 "\t%" PRIu64 "\t%s\t%s\n", forms[i].runs, forms[i].faults,
                forms[i].absent ? "absent" : "", text);
    }
    if (file != NULL)
        fclose(file);
}

static void fill(void)
{
    for (unsigned i = 0; i < 3 * ARENA_PAGE; i += 8) {
        uint64_t r = harness_random(&seed);

        memcpy(arena + i, &r, 8);
    }
    memcpy(shadow, arena, THERE_BYTES);
}

TEST(exec_a64, does_what_the_processor_does)
{
    uint64_t count = wanted("SVMC_COUNT", 100000), each, total = 0, least = ~(uint64_t)0;
    const char *missing = stub_open();
    unsigned absent = 0, left = 0;

    seed = harness_seed();
    REQUIRE(missing == NULL, "%s", missing);
    REQUIRE(svmc_exec_init(&record, &ops, NULL) == SVMC_OK);
    find_forms();
    REQUIRE(form_count != 0);
    fill();
    each = count / form_count + 1;
    if (each < wanted("SVMC_LEAST", LEAST))
        each = wanted("SVMC_LEAST", LEAST);
    run_forms(each);
    for (unsigned i = 0; i < form_count; i++) {
        total += forms[i].runs;
        absent += forms[i].absent;
        if (forms[i].absent)
            CHECK(may_be_absent(&forms[i].like), "%08" PRIx32, forms[i].words[0]);
        if (!forms[i].absent && forms[i].runs < least)
            least = forms[i].runs;
    }
    for (unsigned i = 0; i < 256; i++)
        left += unfinished[i];
    write_counts();
    CHECK(least >= each, "a form has %" PRIu64 " executions only", least);
    printf("exec-a64: %u forms, %u of them unknown to this processor, %" PRIu64
           " executions, at least %" PRIu64 " each, %" PRIu64 " differ, %" PRIu64
           " left open by the architecture; %u instructions with memory are not finished\n",
           form_count, absent, total, least, failures, left_open, left);
}
