/* SPDX-License-Identifier: MIT */
/* The forms of exec_native.c: their encodings, and how the decoder is asked for them. */
#include <stdlib.h>

#include "exec_float.h"
#include "exec_fpu.h"
#include "exec_native.h"
#include "exec_state.h"

static void put(struct code *c, unsigned byte)
{
    c->bytes[c->count++] = (uint8_t)byte;
}

/* SDM vol. 2 2.7: all registers, now and then a mask and zeroing. */
static void put_evex(struct code *c, const struct form *f, unsigned rex, unsigned vvvv, bool plain)
{
    unsigned high = plain || native.mode != 64 ? 0 : exec_draw(4), mask = plain ? f->sib
                                                                          : exec_draw(4) == 0
                                                                              ? 0
                                                                              : exec_draw(8);
    unsigned zeroing = !plain && mask != 0 ? exec_draw(2) : 0;

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
    unsigned mod = exec_draw(3), rm = with_sib ? 4 : exec_draw(8), sib = exec_draw(256);

    if (short_address) {
        put(c, mod << 6 | reg << 3 | rm);
        c->disp_at = c->count;
        c->disp_bytes = mod == 1 ? 1 : mod == 2 || rm == 6 ? 2 : 0;
        for (unsigned i = 0; i < c->disp_bytes; i++)
            put(c, exec_draw(256));
        return;
    }

    put(c, mod << 6 | reg << 3 | rm);
    if (rm == 4)
        put(c, sib);
    c->disp_at = c->count;
    c->disp_bytes = mod == 1 ? 1 : mod == 2 || rm == 5 || (rm == 4 && (sib & 7) == 5) ? 4 : 0;
    for (unsigned i = 0; i < c->disp_bytes; i++)
        put(c, exec_draw(256));
}

void exec_form_encode(struct code *c, const struct form *f, bool plain)
{
    unsigned rex = plain || native.mode != 64 ? 0 : exec_draw(8);

    bool asize = false;

    memset(c, 0, sizeof *c);
    if (!plain && exec_draw(8) == 0)
        put(c, native.mode == 64 ? 0x65 : 0x3e);
    if (!plain && (exec_draw(8) == 0 || (f->sib && native.mode == 16))) {
        put(c, 0x67);
        asize = true;
    }
    if (!plain && f->map < MAP_VEX1 && exec_draw(2) == 0 && !f->w)
        rex = 0;
    put_opcode(c, f, rex,
               plain          ? f->sib && f->map < MAP_EVEX1
               : exec_draw(2) ? 0
                              : exec_draw(native.mode == 64 ? 16 : 8),
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
        put_modrm(c, f->group ? f->reg : exec_draw(8), native.mode == (asize ? 32 : 16), f->sib);
    for (unsigned i = 0; i < 8; i++)
        put(c, exec_draw(256));
}

bool exec_form_is(const struct form *f, const struct svmc_insn *insn)
{
    return f->id == insn->id && f->mem_bytes == insn->mem_bytes && f->flags == insn->flags &&
           f->reg_bytes == insn->reg_bytes && f->operand_bytes == insn->operand_bytes &&
           f->access == (insn->access & SVMC_ACCESS_RW);
}

/* Segments as the program has them: user_desc of the stub, flat ones of Linux. */
void exec_form_set_mode(struct svmc_exec_x86 *regs)
{
    uint16_t selectors[6];

    regs->address_bits = native.mode == 64 ? 48 : 0;
    for (unsigned i = 0; i < 6; i++) {
        regs->segment[i].limit = 0xffffffff;
        regs->segment[i].rights = SVMC_RIGHTS_WRITABLE | SVMC_RIGHTS_BIG;
        if (native.mode == 16 && (i == SVMC_SEG_DS || i == SVMC_SEG_ES)) {
            regs->segment[i].base = STUB_DATA_16;
            regs->segment[i].limit = 0xffff;
            regs->segment[i].rights = SVMC_RIGHTS_WRITABLE;
        }
    }
    regs->segment[SVMC_SEG_CS].rights |= SVMC_RIGHTS_CODE;
    stub_selectors(selectors);
    for (unsigned i = 0; i < 6; i++)
        regs->segment[i].selector = selectors[i];
    if (native.mode == 16)
        regs->segment[SVMC_SEG_CS].limit = 0xffff;
    if (native.mode == 64)
        regs->segment[SVMC_SEG_GS].base = STUB_GS_BASE;
}

/* SSE and its like: not this executor's integers; and what user code must not try. */
static bool is_finished(const struct svmc_insn *insn)
{
    struct svmc_exec_x86 regs = { .rflags = 2, .cr0 = 1 };
    struct svmc_exec_result out;

    exec_form_set_mode(&regs);
    exec_state.touched = false;
    regs.cpl = 3;
    regs.cr4 = 0x40600;
    regs.xcr0 = stub_xcr0();
    regs.general[SVMC_REG_RCX] = 1;
    for (unsigned i = 0; i < 16; i++)
        if (i != SVMC_REG_RCX)
            regs.general[i] = ARENA + ARENA_PAGE;
    native.out_of_reach = false;
    return svmc_exec_x86_start(&native.record, &regs, insn, &out) == SVMC_OK &&
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
    struct form *f = &native.forms[native.form_count];

    for (unsigned i = 0; i < native.form_count; i++)
        if (native.forms[i].map == like->map && native.forms[i].opcode == like->opcode &&
            exec_form_is(&native.forms[i], insn) && native.forms[i].lock == like->lock &&
            native.forms[i].length == like->length && native.forms[i].broadcast == like->broadcast)
            return;
    if (native.mode != 16 && insn->operand_bytes == 2 && insn->insn_class == SVMC_CLASS_BRANCH)
        return; /* to where no memory can be mapped */
    if (!is_named(insn) || is_of_system(insn))
        return;
    if (!is_finished(insn)) {
        native.unfinished[insn->id & 2047] |= insn->access != SVMC_ACCESS_NONE;
        return;
    }
    if (native.form_count == FORMS_MAX) {
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
    native.form_count++;
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
            exec_form_encode(&c, f, true);
            ok[f->reg] =
                svmc_insn_decode(&native.cpu, c.bytes, SVMC_INSN_MAX, &insn[f->reg]) == SVMC_OK;
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

void exec_form_find(void)
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
        if (is_opcode(&f) && !(f.map >= MAP_VEX1 && f.lock) && !(f.w && native.mode != 64))
            find_forms_of(&f);
    }
}
