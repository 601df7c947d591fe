/* SPDX-License-Identifier: MIT */
/*
 * The executor beside the processor that runs the test: every form of every instruction that is
 * finished, user mode, 64, 32 and 16 bits, with random registers, flags, memory and operands, by
 * both. Registers, flags, memory, faults with their error code and address have to be the same
 * outside of what the manual leaves undefined (exec_flags.h).
 *
 * The forms are found by asking the decoder about all opcodes. SVMC_COUNT executions are shared out
 * among them, at least SVMC_LEAST each; SVMC_FORMS names a file that gets the count of each form,
 * SVMC_NAMES how the text of the forms begins that are tried at all.
 * Rules XE-1 XE-9 XE-11 XE-13 XE-14 XE-15 XE-18 XE-19 XE-20 XE-22.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <svmcore/address.h>
#include <svmcore/svmcore.h>
#include <sys/mman.h>

#include "../decode/x86/native_features.h"
#include "../harness.h"
#include "exec_flags.h"
#include "exec_float.h"
#include "exec_fpu.h"
#include "exec_state.h"
#include "exec_stub.h"

#define FORMS_MAX   8192u
#define SHOWN_MAX   60u
#define LEAST       2000u
#define ARENA_BYTES (ARENA_PAGES * ARENA_PAGE)

enum map {
    MAP_1,
    MAP_0F,
    MAP_0F38,
    MAP_0F3A,
    MAP_VEX1,
    MAP_VEX2,
    MAP_VEX3,
    MAP_EVEX1,
    MAP_EVEX2,
    MAP_EVEX3,
    MAPS
};

/* What a form's encodings have in common; the rest is drawn. */
struct form {
    uint8_t map, opcode, pp, w, reg, lock;
    uint8_t length, broadcast; /* of vectors: 0, 1, 2: 128, 256, 512 bits; EVEX.b */
    bool group;                /* reg is part of the opcode */
    bool sib;                  /* and wants a SIB byte */
    bool state;                /* vector registers are loaded and compared */
    uint16_t id, mem_bytes, flags;
    uint8_t reg_bytes, operand_bytes, access;
    uint64_t runs, faults;
};

static struct form forms[FORMS_MAX];
static unsigned form_count;
static bool unfinished[2048]; /* by enum svmc_x86_id: with memory, and left to others */
static struct svmc_cpu cpu;
static uint64_t seed, failures, skipped, left_open;
static unsigned mode; /* bits of the code */
static uint8_t shadow[ARENA_BYTES];
static uint8_t *const arena = (uint8_t *)(uintptr_t)ARENA;
static bool out_of_reach; /* the case at hand asks for memory whose state is not known */

static unsigned draw(unsigned bound)
{
    return (unsigned)(harness_random(&seed) >> 33) % bound;
}

/* ---- the library's side: a copy of the arena ---- */

static bool is_there(uint64_t at, uint32_t access)
{
    uint64_t page = (at - ARENA) / ARENA_PAGE;

    if (at < ARENA || page >= ARENA_PAGES)
        return false;
    return page >= 1 && (page <= 3 || (page == 4 && !(access & SVMC_ACCESS_WRITE)));
}

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    uint64_t page = (at.v - ARENA) / ARENA_PAGE;

    (void)ctx;
    out->v = at.v;
    if (is_there(at.v, access))
        return SVMC_OK;
    if (at.v < 0x10000 || at.v >> 32 != 0 || (at.v >= STUB_BASE && at.v < STUB_END))
        out_of_reach = true;
    *fault = (struct svmc_fault){ .raised = 1,
                                  .vector = 14,
                                  .has_error = 1,
                                  .error = (page == 4 && at.v >= ARENA ? 1u : 0u) |
                                           (access & SVMC_ACCESS_WRITE ? 2u : 0u) |
                                           (access & SVMC_EXEC_USER ? 4u : 0u),
                                  .address = at.v };
    return SVMC_OK;
}

static enum svmc_status read(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    (void)ctx;
    memcpy(dst, shadow + (at.v - ARENA), n);
    return SVMC_OK;
}

static enum svmc_status write(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    (void)ctx;
    memcpy(shadow + (at.v - ARENA), src, n);
    return SVMC_OK;
}

static enum svmc_status exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                 size_t n)
{
    uint8_t held[16];

    (void)ctx;
    memcpy(held, shadow + (at.v - ARENA), n);
    if (memcmp(held, expected, n) == 0)
        memcpy(shadow + (at.v - ARENA), desired, n);
    memcpy(expected, held, n);
    return SVMC_OK;
}

static const struct svmc_exec_ops ops = {
    .size = sizeof ops,
    .translate = translate,
    .read = read,
    .write = write,
    .exchange = exchange,
    .vector_read = exec_state_read,
    .vector_write = exec_state_write,
    .vec_op = exec_float_op,
};
static struct svmc_exec record;

/* ---- encodings ---- */

/* An encoding in hand, and where its displacement stands. */
struct code {
    uint8_t bytes[SVMC_INSN_MAX + 8];
    unsigned count, disp_at, disp_bytes;
};

static void put(struct code *c, unsigned byte)
{
    c->bytes[c->count++] = (uint8_t)byte;
}

/* SDM vol. 2 2.7: all registers, now and then a mask and zeroing. */
static void put_evex(struct code *c, const struct form *f, unsigned rex, unsigned vvvv, bool plain)
{
    unsigned high = plain || mode != 64 ? 0 : draw(4), mask = plain          ? f->sib
                                                              : draw(4) == 0 ? 0
                                                                             : draw(8);
    unsigned zeroing = !plain && mask != 0 ? draw(2) : 0;

    put(c, 0x62);
    put(c, (~rex & 4) << 5 | (~rex & 2) << 5 | (~rex & 1) << 5 | (~high & 1) << 4 |
               (f->map - MAP_EVEX1 + 1u));
    put(c, f->w << 7 | (~vvvv & 15) << 3 | 4 | f->pp);
    put(c, zeroing << 7 | f->length << 5 | f->broadcast << 4 | (~high & 2) << 2 | mask);
    put(c, f->opcode);
}

static void put_opcode(struct code *c, const struct form *f, unsigned rex, unsigned vvvv,
                       bool plain)
{
    static const uint8_t prefixes[4] = { 0, 0x66, 0xf3, 0xf2 };

    if (f->map >= MAP_EVEX1) {
        put_evex(c, f, rex, vvvv, plain);
        return;
    }
    if (f->map >= MAP_VEX1) {
        put(c, 0xc4);
        put(c, ((~rex & 7) << 5) | (f->map - MAP_VEX1 + 1u));
        put(c, f->w << 7 | (~vvvv & 15) << 3 | f->length << 2 | f->pp);
        put(c, f->opcode);
        return;
    }
    if (f->lock)
        put(c, 0xf0);
    if (f->pp)
        put(c, prefixes[f->pp]);
    if (f->w || rex != 0)
        put(c, 0x40 | (unsigned)f->w << 3 | rex);
    if (f->map >= MAP_0F)
        put(c, 0x0f);
    if (f->map >= MAP_0F38)
        put(c, f->map == MAP_0F38 ? 0x38 : 0x3a);
    put(c, f->opcode);
}

/* A memory operand of any shape: SIB, RIP-relative, 8 and 32 bits of displacement. */
static void put_modrm(struct code *c, unsigned reg, bool short_address, bool with_sib)
{
    unsigned mod = draw(3), rm = with_sib ? 4 : draw(8), sib = draw(256);

    if (short_address) {
        put(c, mod << 6 | reg << 3 | rm);
        c->disp_at = c->count;
        c->disp_bytes = mod == 1 ? 1 : mod == 2 || rm == 6 ? 2 : 0;
        for (unsigned i = 0; i < c->disp_bytes; i++)
            put(c, draw(256));
        return;
    }

    put(c, mod << 6 | reg << 3 | rm);
    if (rm == 4)
        put(c, sib);
    c->disp_at = c->count;
    c->disp_bytes = mod == 1 ? 1 : mod == 2 || rm == 5 || (rm == 4 && (sib & 7) == 5) ? 4 : 0;
    for (unsigned i = 0; i < c->disp_bytes; i++)
        put(c, draw(256));
}

static void encode(struct code *c, const struct form *f, bool plain)
{
    unsigned rex = plain || mode != 64 ? 0 : draw(8);

    bool asize = false;

    memset(c, 0, sizeof *c);
    if (!plain && draw(8) == 0)
        put(c, mode == 64 ? 0x65 : 0x3e);
    if (!plain && (draw(8) == 0 || (f->sib && mode == 16))) {
        put(c, 0x67);
        asize = true;
    }
    if (!plain && f->map < MAP_VEX1 && draw(2) == 0 && !f->w)
        rex = 0;
    put_opcode(c, f, rex,
               plain     ? f->sib && f->map < MAP_EVEX1
               : draw(2) ? 0
                         : draw(mode == 64 ? 16 : 8),
               plain);
    if (plain) {
        put(c, f->reg << 3 | (f->sib ? 4 : 0));
        put(c, f->sib ? 2 << 3 : 0); /* registers that differ */
        for (unsigned i = 0; i < 8; i++)
            put(c, 0);
        return;
    }
    if (f->map == MAP_1 && f->opcode >= 0xa0 && f->opcode <= 0xa3)
        c->disp_at = c->count; /* an address, 4 or 8 bytes */
    else
        put_modrm(c, f->group ? f->reg : draw(8), mode == (asize ? 32 : 16), f->sib);
    for (unsigned i = 0; i < 8; i++)
        put(c, draw(256));
}

static bool is_form(const struct form *f, const struct svmc_insn *insn)
{
    return f->id == insn->id && f->mem_bytes == insn->mem_bytes && f->flags == insn->flags &&
           f->reg_bytes == insn->reg_bytes && f->operand_bytes == insn->operand_bytes &&
           f->access == (insn->access & SVMC_ACCESS_RW);
}

/* Segments as the program has them: user_desc of the stub, flat ones of Linux. */
static void set_mode(struct svmc_exec_x86 *regs)
{
    uint16_t selectors[6];

    regs->address_bits = mode == 64 ? 48 : 0;
    for (unsigned i = 0; i < 6; i++) {
        regs->segment[i].limit = 0xffffffff;
        regs->segment[i].rights = SVMC_RIGHTS_WRITABLE | SVMC_RIGHTS_BIG;
        if (mode == 16 && (i == SVMC_SEG_DS || i == SVMC_SEG_ES)) {
            regs->segment[i].base = STUB_DATA_16;
            regs->segment[i].limit = 0xffff;
            regs->segment[i].rights = SVMC_RIGHTS_WRITABLE;
        }
    }
    regs->segment[SVMC_SEG_CS].rights |= SVMC_RIGHTS_CODE;
    stub_selectors(selectors);
    for (unsigned i = 0; i < 6; i++)
        regs->segment[i].selector = selectors[i];
    if (mode == 16)
        regs->segment[SVMC_SEG_CS].limit = 0xffff;
    if (mode == 64)
        regs->segment[SVMC_SEG_GS].base = STUB_GS_BASE;
}

/* SSE and its like: not this executor's integers; and what user code must not try. */
static bool is_finished(const struct svmc_insn *insn)
{
    struct svmc_exec_x86 regs = { .rflags = 2, .cr0 = 1 };
    struct svmc_exec_result out;

    set_mode(&regs);
    exec_state.touched = false;
    regs.cpl = 3;
    regs.cr4 = 0x40600;
    regs.xcr0 = stub_xcr0();
    regs.general[SVMC_REG_RCX] = 1;
    for (unsigned i = 0; i < 16; i++)
        if (i != SVMC_REG_RCX)
            regs.general[i] = ARENA + ARENA_PAGE;
    out_of_reach = false;
    return svmc_exec_x86_start(&record, &regs, insn, &out) == SVMC_OK &&
           out.action != SVMC_EXEC_UNFINISHED;
}

/* SVMC_NAMES: forms alone whose text begins so. */
static bool is_named(const struct svmc_insn *insn)
{
    const char *name = getenv("SVMC_NAMES");
    char text[SVMC_INSN_TEXT_MAX] = "";

    return name == NULL || (svmc_insn_format(insn, text, sizeof text) == SVMC_OK &&
                            strncmp(text, name, strlen(name)) == 0);
}

/*
 * Segments, tables and flags of the system: exec_system.c has another reference. PUSHA and POPA as
 * well: a fault in their middle leaves a part behind on this processor (XS-10).
 */
static bool is_of_system(const struct svmc_insn *insn)
{
    switch (insn->insn_class) {
    case SVMC_CLASS_DESCRIPTOR:
    case SVMC_CLASS_CONTROL_REG:
    case SVMC_CLASS_TLB:
    case SVMC_CLASS_TRANSLATE:
    case SVMC_CLASS_FLAG:
    case SVMC_CLASS_RETURN:
        return true;
    default:
        return insn->id == SVMC_X86_CALL_FAR || insn->id == SVMC_X86_JMP_FAR ||
               insn->id == SVMC_X86_RET_FAR || insn->id == SVMC_X86_PUSHA ||
               insn->id == SVMC_X86_POPA;
    }
}

static void add_form(const struct form *like, const struct svmc_insn *insn)
{
    struct form *f = &forms[form_count];

    for (unsigned i = 0; i < form_count; i++)
        if (forms[i].map == like->map && forms[i].opcode == like->opcode &&
            is_form(&forms[i], insn) && forms[i].lock == like->lock &&
            forms[i].length == like->length && forms[i].broadcast == like->broadcast)
            return;
    if (mode != 16 && insn->operand_bytes == 2 && insn->insn_class == SVMC_CLASS_BRANCH)
        return; /* to where no memory can be mapped */
    if (!is_named(insn) || is_of_system(insn))
        return;
    if (!is_finished(insn)) {
        unfinished[insn->id & 2047] |= insn->access != SVMC_ACCESS_NONE;
        return;
    }
    if (form_count == FORMS_MAX) {
        CHECK(false, "more forms than room");
        return;
    }
    *f = *like;
    f->id = insn->id;
    f->mem_bytes = insn->mem_bytes;
    f->flags = insn->flags;
    f->reg_bytes = insn->reg_bytes;
    f->operand_bytes = insn->operand_bytes;
    f->access = insn->access & SVMC_ACCESS_RW;
    f->state =
        exec_state.touched || exec_state_matters(insn) || exec_float_is(insn) || exec_fpu_is(insn);
    form_count++;
}

/* reg is part of the opcode if it changes what the instruction is. */
static void find_forms_of(struct form *f)
{
    struct svmc_insn insn[8];
    bool ok[8], found = false;
    struct code c;

    f->group = false;
    f->sib = false;
    for (unsigned n = 0; n < 2 && !found && (n == 0 || f->map >= MAP_VEX1); n++) {
        f->sib = n != 0;
        for (f->reg = 0; f->reg < 8; f->reg++) {
            encode(&c, f, true);
            ok[f->reg] = svmc_insn_decode(&cpu, c.bytes, SVMC_INSN_MAX, &insn[f->reg]) == SVMC_OK;
            if (f->reg > 0 && (ok[f->reg] != ok[0] || (ok[0] && insn[f->reg].id != insn[0].id)))
                f->group = true;
            found = found || ok[f->reg];
        }
    }
    for (f->reg = 0; f->reg < 8; f->reg++)
        if (ok[f->reg] && (insn[f->reg].mem_count != 0 || (insn[f->reg].flags & SVMC_INSN_STACK) ||
                           insn[f->reg].insn_class == SVMC_CLASS_PORT))
            add_form(f, &insn[f->reg]);
}

/* Prefixes and escapes are no opcodes. */
static bool is_opcode(const struct form *f)
{
    static const uint8_t none[] = { 0x0f, 0x26, 0x2e, 0x36, 0x3e, 0x62, 0x64, 0x65,
                                    0x66, 0x67, 0xc4, 0xc5, 0xd5, 0xf0, 0xf2, 0xf3 };

    if (f->broadcast && f->map < MAP_EVEX1)
        return false;
    if (f->length > (f->map < MAP_VEX1 ? 0 : f->map < MAP_EVEX1 ? 1 : 2))
        return false;
    if (f->map == MAP_0F)
        return f->opcode != 0x38 && f->opcode != 0x3a && f->opcode != 0x0f;
    return f->map != MAP_1 || (memchr(none, f->opcode, sizeof none) == NULL && f->opcode >> 4 != 4);
}

static void find_forms(void)
{
    struct form f = { 0 };

    for (unsigned n = 0; n < MAPS * 256u * 4 * 2 * 2 * 4 * 2; n++) {
        f.lock = n & 1;
        f.w = n >> 1 & 1;
        f.pp = n >> 2 & 3;
        f.length = n >> 4 & 3;
        f.broadcast = n >> 6 & 1;
        f.opcode = (uint8_t)(n >> 7);
        f.map = (uint8_t)(n >> 15);
        if (is_opcode(&f) && !(f.map >= MAP_VEX1 && f.lock) && !(f.w && mode != 64))
            find_forms_of(&f);
    }
}

/* ---- one execution ---- */

struct trial {
    struct code c;
    struct svmc_insn insn;
    struct svmc_exec_x86 before, after;
    struct svmc_exec_result out;
    struct stub stub;
    struct stub_state state, theirs; /* before; the processor's after */
    uint64_t linear;                 /* of the memory operand */
};

/* Now and then what is near an end of the range of numbers. */
static uint64_t draw_value(void)
{
    uint64_t v = harness_random(&seed);

    switch (draw(8)) {
    case 0:
        return 0;
    case 1:
        return ~(uint64_t)0;
    case 2:
        return (uint64_t)1 << draw(64);
    case 3:
        return ((uint64_t)1 << draw(64)) - 1;
    case 4:
        return v >> draw(64);
    default:
        return v;
    }
}

/* An address in the arena: anywhere, on a multiple of its width, near an end of a page. */
static uint64_t draw_address(unsigned bytes)
{
    uint64_t at = ARENA + ARENA_PAGE + draw(3 * ARENA_PAGE - 64);

    switch (draw(32)) {
    case 0:
        return ARENA + ARENA_PAGE * (1 + draw(5)) - draw(bytes + 1);
    case 1:
        return ARENA + ARENA_PAGE * (2 + draw(2)) - draw(bytes + 1);
    case 2:
        return at;
    default:
        return at - at % (bytes != 0 ? bytes : 1);
    }
}

static uint64_t draw_target(const struct svmc_insn *insn)
{
    const unsigned unit = exec_fpu_area(insn);
    uint64_t at = draw_address(insn->mem_bytes);

    return unit == 0 || draw(32) == 0 ? at : at - at % unit;
}

static uint64_t linear_of(const struct trial *t)
{
    struct svmc_address_regs regs = { .pc = t->before.rip, .address_bits = t->before.address_bits };
    struct svmc_address a;

    memcpy(regs.general, t->before.general, sizeof t->before.general);
    for (unsigned i = 0; i < 6; i++)
        regs.segment_base[i] = t->before.segment[i].base;
    if (svmc_insn_address(&t->insn, NULL, &regs, 0, &a) != SVMC_OK)
        return 0;
    return a.linear;
}

/* Change a register, or the displacement, so that the memory operand lies at an address. */
static void aim(struct trial *t, uint64_t target)
{
    uint64_t *general = t->before.general;
    const struct svmc_insn *insn = &t->insn;
    int64_t away;

    if (insn->base < 16 && insn->base == insn->index) {
        away = (int64_t)(target - (uint64_t)insn->disp) / (insn->scale + 1);
        general[insn->base] = (uint64_t)away;
    } else if (insn->base < 16) {
        if (insn->base != SVMC_REG_RSP || !(insn->flags & SVMC_INSN_STACK))
            general[insn->base] += target - linear_of(t);
    } else if (insn->index < 16) {
        general[insn->index] = (uint64_t)((int64_t)(target - (uint64_t)insn->disp) / insn->scale);
    } else if (t->c.disp_bytes >= 2 || insn->disp != 0) {
        uint64_t disp = (uint64_t)insn->disp + target - linear_of(t);

        memcpy(t->c.bytes + t->c.disp_at, &disp, t->c.disp_bytes == 4 ? 4 : insn->address_bytes);
        if (svmc_insn_decode(&cpu, t->c.bytes, SVMC_INSN_MAX, &t->insn) != SVMC_OK)
            t->insn.length = 0;
    }
}

/* Of a gather: its elements lie near one another, now and then one where there is nothing. */
static bool aim_lanes(struct trial *t)
{
    struct svmc_operand operand[SVMC_OPERANDS_MAX];
    uint64_t *general = t->before.general, center = ARENA + ARENA_PAGE * 2 + draw(ARENA_PAGE), v;
    const struct svmc_insn *insn = &t->insn;
    unsigned bytes = 0;
    uint32_t count = 0;

    (void)!svmc_insn_operands(insn, operand, &count);
    for (unsigned i = 0; i < count; i++)
        if (operand[i].index_bytes != 0)
            bytes = operand[i].lane_bytes;
    if (bytes == 0)
        return false;
    v = center - (uint64_t)insn->disp - (insn->segment == SVMC_SEG_GS ? STUB_GS_BASE : 0);
    if (insn->base < 16)
        general[insn->base] = v;
    for (unsigned i = 0; i < 64 / bytes; i++) {
        uint64_t lane = insn->base < 16 ? 0 : v / insn->scale;

        lane += (uint64_t)(((int64_t)draw(2 * ARENA_PAGE) - (int64_t)ARENA_PAGE) / insn->scale);
        if (draw(16) == 0)
            lane += draw(2) ? 2 * ARENA_PAGE : ARENA_PAGE;
        memcpy(exec_state.now.vector[insn->index & 31] + i * bytes, &lane, bytes);
    }
    t->linear = center;
    return true;
}

static bool in_arena(uint64_t at, unsigned bytes)
{
    return at >= ARENA + ARENA_PAGE && at <= ARENA + 4 * ARENA_PAGE - bytes;
}

static void fill(uint64_t at, const void *bytes, unsigned n)
{
    if (!in_arena(at, n))
        return;
    memcpy(shadow + (at - ARENA), bytes, n);
    memcpy(arena + (at - ARENA), bytes, n);
}

static void draw_registers(struct trial *t)
{
    uint64_t *general = t->before.general;
    const struct svmc_insn *insn = &t->insn;
    bool stack = insn->flags & SVMC_INSN_STACK;

    for (unsigned i = 0; i < (mode == 64 ? 16 : 8); i++)
        general[i] = mode == 64 ? draw_value() : (uint32_t)draw_value();
    t->before.rflags = 0x202 | (harness_random(&seed) & (T_ALL | 0x400));
    if (draw(16) == 0)
        t->before.rflags |= 0x40000; /* AC */
    if (stack) {
        general[SVMC_REG_RSP] = draw_address(8);
        general[SVMC_REG_RBP] = draw_address(8);
    }
    if (insn->id >= SVMC_X86_BT && insn->reg_kind == SVMC_REG_KIND_GPR && draw(2))
        general[insn->reg] = (uint64_t)(int64_t)(int32_t)(draw(65536) - 32768u);
    if (insn->id == SVMC_X86_MOVDIR64B && draw(8))
        general[insn->reg] = draw_address(64) - t->before.segment[SVMC_SEG_ES].base;
    if ((insn->id == SVMC_X86_DIV || insn->id == SVMC_X86_IDIV) && draw(4)) {
        general[SVMC_REG_RDX] = draw(2) && insn->id == SVMC_X86_IDIV ? ~(uint64_t)0 : 0;
        general[SVMC_REG_RAX] &= insn->mem_bytes == 1 ? 0xff : ~(uint64_t)0;
    }
}

static void draw_string(struct trial *t)
{
    uint64_t *general = t->before.general;
    uint64_t above = mode == 64 && t->insn.address_bytes == 4 ? harness_random(&seed) << 32 : 0;
    uint64_t base = t->before.segment[SVMC_SEG_ES].base;

    general[SVMC_REG_RCX] = above | draw(7);
    general[SVMC_REG_RSI] = above | (draw_address(t->insn.mem_bytes) - base);
    general[SVMC_REG_RDI] = above | (draw_address(t->insn.mem_bytes) - base);
    if (draw(4) == 0)
        general[SVMC_REG_RDI] = general[SVMC_REG_RSI] + t->insn.mem_bytes;
    if (mode == 64 && t->c.bytes[0] == 0x65)
        general[SVMC_REG_RSI] -= STUB_GS_BASE;
}

/* An operand of x87 or an area, as far as it lies where it can be written. */
static void fill_fpu(const struct trial *t)
{
    static uint8_t bytes[2688];
    uint64_t end = ARENA + 4 * ARENA_PAGE, from = t->linear;
    unsigned n = exec_fpu_area(&t->insn) != 0 ? sizeof bytes : 112;

    if (from < ARENA + ARENA_PAGE || from >= end)
        return;
    n = end - from < n ? (unsigned)(end - from) : n;
    exec_fpu_fill(&seed, &t->insn, bytes, n);
    fill(from, bytes, n);
}

/* Memory and registers that have to fit each other for something to happen. */
static void draw_memory(struct trial *t)
{
    const uint64_t back = stub_back();
    uint64_t *general = t->before.general, around[8];

    for (unsigned i = 0; i < 8; i++)
        around[i] = draw_value();
    fill(t->linear - 16, around, sizeof around);
    if (exec_fpu_is(&t->insn)) {
        fill_fpu(t);
        return;
    }
    if (exec_float_is(&t->insn)) {
        exec_float_draw(&seed, (uint8_t *)around, sizeof around);
        fill(t->linear, around, t->insn.mem_bytes);
    }
    if ((t->insn.id == SVMC_X86_CMPXCHG || t->insn.id == SVMC_X86_CMPXCHG8B ||
         t->insn.id == SVMC_X86_CMPXCHG16B) &&
        in_arena(t->linear, 16) && draw(2)) {
        memcpy(&general[SVMC_REG_RAX], shadow + (t->linear - ARENA), mode / 8 < 4 ? 4 : mode / 8);
        memcpy(&general[SVMC_REG_RDX],
               shadow + (t->linear - ARENA) + (t->insn.id == SVMC_X86_CMPXCHG16B ? 8 : 4),
               mode / 8 < 4 ? 4 : mode / 8);
        t->linear = linear_of(t);
    }
    if (t->insn.id == SVMC_X86_CALL || t->insn.id == SVMC_X86_JMP)
        fill(t->linear, &back, 8);
    if (t->insn.id == SVMC_X86_RET)
        fill(general[SVMC_REG_RSP], &back, 8);
    if (t->insn.id == SVMC_X86_CALL && t->insn.mem_count == 0) {
        uint32_t away = (uint32_t)(back - stub_rip() - t->insn.length);
        unsigned n = t->insn.operand_bytes == 2 && mode != 64 ? 2 : 4;

        memcpy(t->c.bytes + t->insn.length - n, &away, n);
        if (svmc_insn_decode(&cpu, t->c.bytes, SVMC_INSN_MAX, &t->insn) != SVMC_OK)
            t->insn.length = 0;
    }
}

static bool draw_trial(struct trial *t, const struct form *f)
{
    bool found = false;

    for (unsigned i = 0; i < 2000 && !found; i++) {
        encode(&t->c, f, false);
        found = svmc_insn_decode(&cpu, t->c.bytes, SVMC_INSN_MAX, &t->insn) == SVMC_OK &&
                is_form(f, &t->insn);
    }
    return found;
}

static unsigned count_of(const struct trial *t)
{
    unsigned opcode = t->insn.priv_raw[1] >> 16 & 0xff;
    bool two = t->insn.id == SVMC_X86_SHLD || t->insn.id == SVMC_X86_SHRD;

    if (two ? !(opcode & 1) : opcode < 0xd0)
        return (unsigned)t->insn.imm & 0xff;
    return two || opcode >= 0xd2 ? t->before.general[SVMC_REG_RCX] & 0xff : 1;
}

/*
 * What no manual says, and the library does as Intel's processors (docs/spec/exec.md, end): on
 * another vendor's it is counted and no failure.
 */
static bool is_left_open(const struct trial *t)
{
    bool fault = t->stub.faulted || t->out.action == SVMC_EXEC_FAULT;
    bool repeats = t->insn.flags & (SVMC_INSN_REP | SVMC_INSN_REPNE);

    if (cpu.vendor == SVMC_VENDOR_INTEL)
        return false;
    if (fault && ((t->before.rflags & 0x40000) || repeats || t->insn.id == SVMC_X86_CMPS))
        return true;
    if (repeats && mode == 64 && t->insn.address_bytes == 4)
        return true;
    return t->insn.id == SVMC_X86_PUSH && t->insn.reg_kind == SVMC_REG_KIND_SEGMENT;
}

static void show(const struct trial *t, const char *what)
{
    char text[SVMC_INSN_TEXT_MAX] = "";

    if (is_left_open(t)) {
        left_open++;
        return;
    }

    if (failures++ >= SHOWN_MAX)
        return;
    (void)!svmc_insn_format(&t->insn, text, sizeof text);
    CHECK(false, "%s: %s", text, what);
    printf("  bytes");
    for (unsigned i = 0; i < t->insn.length; i++)
        printf(" %02x", t->c.bytes[i]);
    printf("\n  linear %#" PRIx64 ", action %u, vector %u error %x address %#" PRIx64
           "; processor: %s, %u, %#" PRIx64 ", %#" PRIx64 "\n",
           t->linear, t->out.action, t->out.fault.vector, t->out.fault.error, t->out.fault.address,
           t->stub.faulted ? "fault" : "done", t->stub.vector, t->stub.error, t->stub.address);
    for (unsigned i = 0; i < 16; i++)
        if (t->after.general[i] != t->stub.general[i])
            printf("  register %u: before %#" PRIx64 ", ours %#" PRIx64 ", processor %#" PRIx64
                   "\n",
                   i, t->before.general[i], t->after.general[i], t->stub.general[i]);
    printf("  flags: before %#" PRIx64 ", ours %#" PRIx64 ", processor %#" PRIx64 "\n",
           t->before.rflags, t->after.rflags, t->stub.flags);
    if (t->stub.state != NULL)
        exec_state_show(&t->state, &t->theirs, &t->after);
}

static void compare_fault(struct trial *t)
{
    const struct svmc_fault *fault = &t->out.fault;

    if (exec_fpu_area(&t->insn) == 64 && (t->insn.access & SVMC_ACCESS_RW) == SVMC_ACCESS_READ &&
        t->stub.vector + fault->vector == 13 + 14)
        return; /* a bad header and a page that is not there: exec.md, end */
    if (t->stub.vector != fault->vector)
        show(t, "another vector");
    else if (fault->has_error && t->stub.error != fault->error)
        show(t, "another error code");
    else if (fault->vector == 14 && t->stub.address != fault->address &&
             !(((t->insn.access & SVMC_ACCESS_WRITE_IF) ||
                (exec_fpu_is(&t->insn) && t->insn.mem_bytes > 10)) &&
               t->stub.address >> 12 == fault->address >> 12)) /* which byte: exec.md, end */
        show(t, "another address");
}

static void compare(struct trial *t, uint64_t value)
{
    uint64_t mask = ~(uint64_t)0x10100 & 0x3fffff;
    bool fault = t->out.action == SVMC_EXEC_FAULT;

    if (!fault || (t->insn.flags & (SVMC_INSN_REP | SVMC_INSN_REPNE)))
        mask &= ~exec_undefined_flags(&t->insn, count_of(t), value);
    if (t->stub.faulted != fault)
        show(t, "the one faults, the other does not");
    else if (fault)
        compare_fault(t);
    if (memcmp(t->stub.general, t->after.general, sizeof t->stub.general) != 0)
        show(t, "registers differ");
    else if ((t->stub.flags ^ t->after.rflags) & mask)
        show(t, "flags differ");
    if (t->stub.state != NULL && exec_state_differs(&t->theirs, &t->after, fault) != NULL)
        show(t, exec_state_differs(&t->theirs, &t->after, fault));
    if (!fault && t->after.rip != t->before.rip + t->insn.length && t->after.rip != stub_back())
        show(t, "RIP");
}

static void compare_memory(struct trial *t, bool all)
{
    uint64_t from = t->linear < ARENA + ARENA_PAGE ? 0 : t->linear - ARENA - 64;
    unsigned undefined = exec_undefined_value(&t->insn, count_of(t)) ? t->insn.mem_bytes : 0;

    /* before its #GP this processor pushes what SDM vol. 2 CALL has it push after the check */
    if (t->insn.id == SVMC_X86_CALL && t->out.fault.vector == 13 &&
        in_arena(t->before.general[SVMC_REG_RSP] - 8, 8))
        memcpy(shadow + (t->before.general[SVMC_REG_RSP] - 8 - ARENA),
               arena + (t->before.general[SVMC_REG_RSP] - 8 - ARENA), 8);
    /* before the #PF of the second page this processor writes 8 of 10 bytes to the first one */
    if (t->insn.mem_bytes == 10 && t->out.action == SVMC_EXEC_FAULT && in_arena(t->linear, 1))
        memcpy(shadow + (t->linear - ARENA), arena + (t->linear - ARENA),
               ARENA_PAGE - t->linear % ARENA_PAGE < 10 ? ARENA_PAGE - t->linear % ARENA_PAGE : 10);
    if (undefined && in_arena(t->linear, undefined))
        memcpy(shadow + (t->linear - ARENA), arena + (t->linear - ARENA), undefined);
    if (!all && (from < ARENA_PAGE || from > 4 * ARENA_PAGE - 192))
        return;
    if (all)
        from = ARENA_PAGE;
    if (memcmp(shadow + from, arena + from, all ? 4 * ARENA_PAGE : 192) != 0) {
        show(t, all ? "memory differs, here or a little before" : "memory differs");
        for (unsigned i = ARENA_PAGE; i < 5 * ARENA_PAGE; i++)
            if (shadow[i] != arena[i] && failures < SHOWN_MAX)
                printf("  at %#x ours %02x, processor %02x\n", ARENA + i, shadow[i], arena[i]);
        memcpy(shadow + ARENA_PAGE, arena + ARENA_PAGE, 4 * ARENA_PAGE);
    }
}

/* XE-81: what makes many accesses pauses. */
static enum svmc_status finish(struct trial *t)
{
    enum svmc_status st = svmc_exec_x86_start(&record, &t->after, &t->insn, &t->out);

    while (st == SVMC_OK && t->out.action == SVMC_EXEC_PENDING &&
           record.wait.kind == SVMC_EXEC_PAUSE)
        st = svmc_exec_x86_resume(&record, &t->after, &t->out);
    return st;
}

static void execute(struct trial *t, struct form *f)
{
    uint64_t value = 0;

    if (in_arena(t->linear, 8))
        memcpy(&value, shadow + (t->linear - ARENA), 8);
    t->after = t->before;
    t->stub.state = NULL;
    if (f->state) {
        t->state = exec_state.now;
        t->theirs = exec_state.now;
        t->stub.state = &t->theirs;
    }
    out_of_reach = false;
    if (finish(t) != SVMC_OK ||
        (t->out.action != SVMC_EXEC_DONE && t->out.action != SVMC_EXEC_FAULT)) {
        show(t, "not finished");
        return;
    }
    if (t->out.action == SVMC_EXEC_DONE && t->after.rip != t->before.rip + t->insn.length &&
        t->after.rip != stub_back())
        out_of_reach = true; /* a branch to where nothing stands */
    if (out_of_reach) {      /* or something may be mapped there */
        memcpy(shadow + ARENA_PAGE, arena + ARENA_PAGE, 4 * ARENA_PAGE);
        skipped++;
        return;
    }
    memcpy(t->stub.general, t->before.general, sizeof t->stub.general);
    t->stub.flags = t->before.rflags;
    stub_run(t->c.bytes, t->insn.length, &t->stub);
    for (unsigned i = 0; i < 16 && mode != 64; i++) /* upper halves are nobody's there */
        t->stub.general[i] = i < 8 ? (uint32_t)t->stub.general[i] : t->after.general[i];
    compare(t, value);
    compare_memory(t, (++f->runs & 63) == 0 || exec_fpu_area(&t->insn) != 0);
    f->faults += t->out.action == SVMC_EXEC_FAULT;
}

static void run_form(struct form *f, uint64_t count)
{
    static struct trial t;
    uint64_t tries = 0;
    bool lanes;

    while (f->runs < count && tries++ < 4 * count) {
        memset(&t.before, 0, sizeof t.before);
        t.before.rip = stub_rip();
        t.before.cpl = 3;
        t.before.cr0 = 0x40021;
        t.before.cr4 = 0x40600;
        t.before.xcr0 = stub_xcr0();
        set_mode(&t.before);
        exec_fpu_describe(&t.before);
        t.before.vendor = cpu.vendor;
        t.before.task.rights = SVMC_RIGHTS_UNUSABLE;
        if (!draw_trial(&t, f)) {
            CHECK(false, "no encoding of form %02x", f->opcode);
            return;
        }
        for (unsigned i = 0; i < 8 && f->runs < count; i++) {
            draw_registers(&t);
            if (f->state)
                exec_state_draw(&seed, &t.insn, &t.before, i == 0);
            if (t.insn.base == SVMC_REG_RDI || t.insn.base == SVMC_REG_RSI)
                draw_string(&t);
            lanes = f->state && aim_lanes(&t);
            if (!lanes && t.insn.mem_count != 0 && draw(64) != 0 && t.c.bytes[0] != 0)
                aim(&t, draw_target(&t.insn));
            if (t.insn.length == 0)
                break;
            for (unsigned r = 0; r < 16 && mode != 64; r++)
                t.before.general[r] = r < 8 ? (uint32_t)t.before.general[r] : 0;
            if (!lanes)
                t.linear = t.insn.mem_count != 0 ? linear_of(&t) : t.before.general[SVMC_REG_RSP];
            if (exec_fpu_is_too_much(&t.insn, &t.before, t.linear))
                continue;
            draw_memory(&t);
            execute(&t, f);
        }
    }
}

static uint64_t wanted(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

static void write_counts(void)
{
    const char *name = getenv("SVMC_FORMS");
    FILE *file = name != NULL ? fopen(name, mode == 64 ? "w" : "a") : NULL;

    for (unsigned i = 0; file != NULL && i < form_count; i++) {
        struct svmc_insn insn;
        char text[SVMC_INSN_TEXT_MAX] = "";
        struct code c;

        encode(&c, &forms[i], true);
        if (svmc_insn_decode(&cpu, c.bytes, SVMC_INSN_MAX, &insn) == SVMC_OK)
            (void)!svmc_insn_format(&insn, text, sizeof text);
        fprintf(file, "%u\t%" PRIu64 "\t%" PRIu64 "\t%s\n", mode, forms[i].runs, forms[i].faults,
                text);
    }
    if (file != NULL)
        fclose(file);
}

static bool open_arena(void)
{
    return mprotect(arena, ARENA_PAGE, PROT_NONE) == 0 &&
           mprotect(arena + 4 * ARENA_PAGE, ARENA_PAGE, PROT_READ) == 0 &&
           mprotect(arena + 5 * ARENA_PAGE, ARENA_PAGE, PROT_NONE) == 0;
}

/* All forms of a mode, `count` executions of them together. */
static void run_mode(unsigned bits, uint64_t count)
{
    static const uint8_t isas[3] = { SVMC_ISA_X86_16, SVMC_ISA_X86_32, SVMC_ISA_X86_64 };
    const char *missing = stub_open(bits);
    uint64_t each, total = 0, least = ~(uint64_t)0;
    unsigned left = 0;

    mode = bits;
    if (missing != NULL) {
        harness_skip("hardware: %s", missing);
        return;
    }
    REQUIRE(open_arena() && svmc_exec_init(&record, &ops, NULL) == SVMC_OK);
    cpu.isa = isas[bits >> 5]; /* clamp: 0, 1, 2 */
    form_count = 0;
    memset(unfinished, 0, sizeof unfinished);
    find_forms();
    memcpy(shadow + ARENA_PAGE, arena + ARENA_PAGE, 3 * ARENA_PAGE);
    REQUIRE(form_count != 0);
    each = count / form_count + 1;
    if (each < wanted("SVMC_LEAST", LEAST))
        each = wanted("SVMC_LEAST", LEAST);
    for (unsigned i = 0; i < form_count; i++) {
        run_form(&forms[i], each);
        total += forms[i].runs;
        least = forms[i].runs < least ? forms[i].runs : least;
    }
    for (unsigned i = 0; i < 2048; i++)
        left += unfinished[i];
    write_counts();
    CHECK(least >= LEAST || least >= each, "a form has %" PRIu64 " executions only", least);
    printf("exec-native: %u-bit code: %u forms, %" PRIu64 " executions, at least %" PRIu64
           " each, %" PRIu64 " differ, %" PRIu64
           " skipped; %u instructions with memory are not finished\n",
           bits, form_count, total, least, failures, skipped, left);
    if (left_open != 0)
        printf("exec-native: %" PRIu64 " differ where no manual says what is right\n", left_open);
}

TEST(exec, does_what_the_processor_does)
{
    uint64_t count = wanted("SVMC_COUNT", 1000000);

    seed = harness_seed();
    if (!native_cpu(&cpu)) {
        harness_skip("hardware: another vendor's processor");
        return;
    }
    run_mode(64, count / 2);
    run_mode(32, count / 4);
    run_mode(16, count / 4);
}
