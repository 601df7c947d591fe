/* SPDX-License-Identifier: MIT */
/** EX-10: what a front end only named is read out of the registers, once, before the verdict. */
#include "../core/bytes.h"
#include "../core/clamp.h"
#include "intercept_private.h"

struct reader {
    struct svmc_vcpu *vc;
    uint32_t zero;       /* this register is 0 */
    enum svmc_status st; /* the first failure; later reads give 0 */
};

static uint64_t read_reg(struct reader *r, uint32_t reg)
{
    uint64_t value = 0;

    if (reg == r->zero)
        return 0;
    if (r->st == SVMC_OK && r->vc->priv.ops->reg_read(r->vc->priv.ctx, reg, &value) != SVMC_OK)
        r->st = SVMC_ERR_CALLBACK;
    return r->st == SVMC_OK ? value : 0;
}

static uint64_t segment_base(struct reader *r, uint32_t segment)
{
    static const uint8_t base[] = { SVMC_REG_ES_BASE, SVMC_REG_CS_BASE, SVMC_REG_SS_BASE,
                                    SVMC_REG_DS_BASE, SVMC_REG_FS_BASE, SVMC_REG_GS_BASE };

    return segment < sizeof base ? read_reg(r, base[core_clamp(segment, sizeof base)]) : 0;
}

/* What does not fit one chunk, or lies behind the end of the address size, comes next time. */
static void resolve_string(struct reader *r, const struct exit_rule *rule, struct svmc_exit *e)
{
    bool in = rule->direction == SVMC_DIRECTION_IN;
    uint64_t mask = core_mask(e->address_bytes), count = 1, offset, room;

    e->backward = (read_reg(r, SVMC_REG_RFLAGS) >> 10 & 1u) != 0;
    offset = read_reg(r, in ? SVMC_REG_RDI : SVMC_REG_RSI) & mask;
    e->buffer.v = segment_base(r, e->segment) + offset;
    if (is_legacy(e))
        e->buffer.v &= UINT32_MAX;
    if (e->repeat)
        count = read_reg(r, SVMC_REG_RCX) & mask;
    room = (mask - offset) / e->size + (e->address_bytes == 8 ? 0 : 1);
    if (count > room && count > 1)
        count = room > 0 ? room : 1;
    e->count = (uint32_t)(count < SVMC_PAGE_DATA_BYTES ? count : SVMC_PAGE_DATA_BYTES);
}

static bool is_sound(const struct exit_rule *rule, const struct svmc_exit *e)
{
    const struct reg_file *f = reg_file(e);
    bool string = (e->from & SVMC_FROM_STRING_REGS) != 0;

    return e->from <= 15 &&
           (!(e->from & SVMC_FROM_ADDRESS_REG) || is_register(f, e->address_reg)) &&
           (!(e->from & SVMC_FROM_VALUE_REG) ||
            (is_register(f, e->value_reg) && e->size >= 1 && e->size <= 8 &&
             e->value_high <= (e->size == 1 && e->value_reg <= SVMC_REG_RBX))) &&
           (!(string || (e->from & SVMC_FROM_VALUE_PAIR)) || e->isa <= SVMC_ISA_X86_64) &&
           (!string || (rule->string && (e->finish & SVMC_FINISH_REGS) && e->size != 0 &&
                        (e->segment <= SVMC_SEG_GS || e->segment == SVMC_SEG_NONE)));
}

enum svmc_status svmc_intercept_resolve(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                        struct svmc_exit *e)
{
    struct reader r = { vc, reg_file(e)->zero, SVMC_OK };

    if (!is_sound(rule, e))
        return SVMC_ERR_ARG;
    if (e->from & SVMC_FROM_ADDRESS_REG)
        e->address = read_reg(&r, e->address_reg) & core_mask(address_bytes(rule));
    if (e->from & SVMC_FROM_VALUE_REG) {
        e->value = read_reg(&r, e->value_reg) >> (e->value_high ? 8 : 0) & core_mask(e->size);
        if (e->swap) /* EX-92 */
            e->value = core_swap(e->value, e->size);
    }
    if (e->from & SVMC_FROM_VALUE_PAIR)
        e->value = (read_reg(&r, SVMC_REG_RAX) & UINT32_MAX) | read_reg(&r, SVMC_REG_RDX) << 32;
    if (e->from & SVMC_FROM_STRING_REGS)
        resolve_string(&r, rule, e);
    return r.st;
}
