/* SPDX-License-Identifier: MIT */
/* What exec_native.c draws: encodings, values, where the operand lies, what memory holds. */
#include <svmcore/address.h>

#include "exec_flags.h"
#include "exec_float.h"
#include "exec_fpu.h"
#include "exec_native.h"
#include "exec_state.h"

unsigned exec_draw(unsigned bound)
{
    return (unsigned)(harness_random(&native.seed) >> 33) % bound;
}

/* Now and then what is near an end of the range of numbers. */
static uint64_t draw_value(void)
{
    uint64_t v = harness_random(&native.seed);

    switch (exec_draw(8)) {
    case 0:
        return 0;
    case 1:
        return ~(uint64_t)0;
    case 2:
        return (uint64_t)1 << exec_draw(64);
    case 3:
        return ((uint64_t)1 << exec_draw(64)) - 1;
    case 4:
        return v >> exec_draw(64);
    default:
        return v;
    }
}

/* An address in the arena: anywhere, on a multiple of its width, near an end of a page. */
static uint64_t draw_address(unsigned bytes)
{
    uint64_t at = ARENA + ARENA_PAGE + exec_draw(3 * ARENA_PAGE - 64);

    switch (exec_draw(32)) {
    case 0:
        return ARENA + ARENA_PAGE * (1 + exec_draw(5)) - exec_draw(bytes + 1);
    case 1:
        return ARENA + ARENA_PAGE * (2 + exec_draw(2)) - exec_draw(bytes + 1);
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

    return unit == 0 || exec_draw(32) == 0 ? at : at - at % unit;
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
        if (svmc_insn_decode(&native.cpu, t->c.bytes, SVMC_INSN_MAX, &t->insn) != SVMC_OK)
            t->insn.length = 0;
    }
}

/* Of a gather: its elements lie near one another, now and then one where there is nothing. */
static bool aim_lanes(struct trial *t)
{
    struct svmc_operand operand[SVMC_OPERANDS_MAX];
    uint64_t *general = t->before.general, center = ARENA + ARENA_PAGE * 2 + exec_draw(ARENA_PAGE),
             v;
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

        lane +=
            (uint64_t)(((int64_t)exec_draw(2 * ARENA_PAGE) - (int64_t)ARENA_PAGE) / insn->scale);
        if (exec_draw(16) == 0)
            lane += exec_draw(2) ? 2 * ARENA_PAGE : ARENA_PAGE;
        memcpy(exec_state.now.vector[insn->index & 31] + i * bytes, &lane, bytes);
    }
    t->linear = center;
    return true;
}

bool exec_in_arena(uint64_t at, unsigned bytes)
{
    return at >= ARENA + ARENA_PAGE && at <= ARENA + 4 * ARENA_PAGE - bytes;
}

static void fill(uint64_t at, const void *bytes, unsigned n)
{
    if (!exec_in_arena(at, n))
        return;
    memcpy(native.shadow + (at - ARENA), bytes, n);
    memcpy(arena + (at - ARENA), bytes, n);
}

static void draw_registers(struct trial *t)
{
    uint64_t *general = t->before.general;
    const struct svmc_insn *insn = &t->insn;
    bool stack = insn->flags & SVMC_INSN_STACK;

    for (unsigned i = 0; i < (native.mode == 64 ? 16 : 8); i++)
        general[i] = native.mode == 64 ? draw_value() : (uint32_t)draw_value();
    t->before.rflags = 0x202 | (harness_random(&native.seed) & (T_ALL | 0x400));
    if (exec_draw(16) == 0)
        t->before.rflags |= 0x40000; /* AC */
    if (stack) {
        general[SVMC_REG_RSP] = draw_address(8);
        general[SVMC_REG_RBP] = draw_address(8);
    }
    if (insn->id >= SVMC_X86_BT && insn->reg_kind == SVMC_REG_KIND_GPR && exec_draw(2))
        general[insn->reg] = (uint64_t)(int64_t)(int32_t)(exec_draw(65536) - 32768u);
    if (insn->id == SVMC_X86_MOVDIR64B && exec_draw(8))
        general[insn->reg] = draw_address(64) - t->before.segment[SVMC_SEG_ES].base;
    if ((insn->id == SVMC_X86_DIV || insn->id == SVMC_X86_IDIV) && exec_draw(4)) {
        general[SVMC_REG_RDX] = exec_draw(2) && insn->id == SVMC_X86_IDIV ? ~(uint64_t)0 : 0;
        general[SVMC_REG_RAX] &= insn->mem_bytes == 1 ? 0xff : ~(uint64_t)0;
    }
}

static void draw_string(struct trial *t)
{
    uint64_t *general = t->before.general;
    uint64_t above =
        native.mode == 64 && t->insn.address_bytes == 4 ? harness_random(&native.seed) << 32 : 0;
    uint64_t base = t->before.segment[SVMC_SEG_ES].base;

    general[SVMC_REG_RCX] = above | exec_draw(7);
    general[SVMC_REG_RSI] = above | (draw_address(t->insn.mem_bytes) - base);
    general[SVMC_REG_RDI] = above | (draw_address(t->insn.mem_bytes) - base);
    if (exec_draw(4) == 0)
        general[SVMC_REG_RDI] = general[SVMC_REG_RSI] + t->insn.mem_bytes;
    if (native.mode == 64 && t->c.bytes[0] == 0x65)
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
    exec_fpu_fill(&native.seed, &t->insn, bytes, n);
    fill(from, bytes, n);
}

/* ENTER: few levels and little room, so that its frame is likely to end where there is memory. */
static void draw_frame(struct trial *t)
{
    uint8_t *imm = t->c.bytes + t->insn.length - 3;
    const unsigned room = exec_draw(8) ? exec_draw(256) : exec_draw(2 * ARENA_PAGE);

    imm[0] = (uint8_t)room;
    imm[1] = (uint8_t)(room >> 8);
    imm[2] = (uint8_t)(exec_draw(4) ? exec_draw(4) | exec_draw(8) << 5 : exec_draw(256));
    if (exec_draw(4) == 0) /* each element is what the last one has pushed, or lies near by */
        t->before.general[SVMC_REG_RBP] = t->before.general[SVMC_REG_RSP] + exec_draw(3) * 8 - 8;
    if (svmc_insn_decode(&native.cpu, t->c.bytes, SVMC_INSN_MAX, &t->insn) != SVMC_OK)
        t->insn.length = 0;
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
        exec_float_draw(&native.seed, (uint8_t *)around, sizeof around);
        fill(t->linear, around, t->insn.mem_bytes);
    }
    if ((t->insn.id == SVMC_X86_CMPXCHG || t->insn.id == SVMC_X86_CMPXCHG8B ||
         t->insn.id == SVMC_X86_CMPXCHG16B) &&
        exec_in_arena(t->linear, 16) && exec_draw(2)) {
        memcpy(&general[SVMC_REG_RAX], native.shadow + (t->linear - ARENA),
               native.mode / 8 < 4 ? 4 : native.mode / 8);
        memcpy(&general[SVMC_REG_RDX],
               native.shadow + (t->linear - ARENA) + (t->insn.id == SVMC_X86_CMPXCHG16B ? 8 : 4),
               native.mode / 8 < 4 ? 4 : native.mode / 8);
        t->linear = linear_of(t);
    }
    if (t->insn.id == SVMC_X86_CALL || t->insn.id == SVMC_X86_JMP)
        fill(t->linear, &back, 8);
    if (t->insn.id == SVMC_X86_ENTER)
        draw_frame(t);
    if (t->insn.id == SVMC_X86_RET)
        fill(general[SVMC_REG_RSP], &back, 8);
    if (t->insn.id == SVMC_X86_CALL && t->insn.mem_count == 0) {
        uint32_t away = (uint32_t)(back - stub_rip() - t->insn.length);
        unsigned n = t->insn.operand_bytes == 2 && native.mode != 64 ? 2 : 4;

        memcpy(t->c.bytes + t->insn.length - n, &away, n);
        if (svmc_insn_decode(&native.cpu, t->c.bytes, SVMC_INSN_MAX, &t->insn) != SVMC_OK)
            t->insn.length = 0;
    }
}

bool exec_draw_encoding(struct trial *t, const struct form *f)
{
    bool found = false;

    for (unsigned i = 0; i < 2000 && !found; i++) {
        exec_form_encode(&t->c, f, false);
        found = svmc_insn_decode(&native.cpu, t->c.bytes, SVMC_INSN_MAX, &t->insn) == SVMC_OK &&
                exec_form_is(f, &t->insn);
    }
    return found;
}

bool exec_draw_case(struct trial *t, const struct form *f, bool first)
{
    bool lanes;

    draw_registers(t);
    if (f->state)
        exec_state_draw(&native.seed, &t->insn, &t->before, first);
    if (t->insn.base == SVMC_REG_RDI || t->insn.base == SVMC_REG_RSI)
        draw_string(t);
    lanes = f->state && aim_lanes(t);
    if (!lanes && t->insn.mem_count != 0 && exec_draw(64) != 0 && t->c.bytes[0] != 0)
        aim(t, draw_target(&t->insn));
    if (t->insn.length == 0)
        return false;
    for (unsigned r = 0; r < 16 && native.mode != 64; r++)
        t->before.general[r] = r < 8 ? (uint32_t)t->before.general[r] : 0;
    if (!lanes)
        t->linear = t->insn.mem_count != 0 ? linear_of(t) : t->before.general[SVMC_REG_RSP];
    if (exec_fpu_is_too_much(&t->insn, &t->before, t->linear))
        return false;
    draw_memory(t);
    return true;
}
