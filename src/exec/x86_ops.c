/* SPDX-License-Identifier: MIT */
/* x86: instructions that compute with memory. Rules XE-n: docs/spec/exec.md. */
#include "x86_system.h"

/* What an operation makes of its operands. */
struct effect {
    uint64_t memory, flags, reg;
    bool writes_memory, writes_reg;
};

/* The count of a shift, by its opcode: immediate, one, CL. */
static unsigned shift_count(const struct x86_run *e)
{
    if (e->op == X86_OP_SHLD || e->op == X86_OP_SHRD)
        return (unsigned)((e->opcode & 1) ? x86_get(e, SVMC_REG_RCX, 1) : e->insn->imm & 0xff);
    if (e->opcode < 0xd0)
        return (unsigned)e->insn->imm & 0xff;
    return (unsigned)(e->opcode < 0xd2 ? 1 : x86_get(e, SVMC_REG_RCX, 1));
}

static void change_bit(const struct x86_run *e, uint64_t old, unsigned bits, struct effect *out)
{
    uint64_t n = e->insn->imm;
    uint64_t one;

    if (e->insn->reg_kind == SVMC_REG_KIND_GPR)
        n = x86_get_reg(e);
    n &= bits - 1;
    one = (uint64_t)1 << n;
    out->flags = (out->flags & ~(uint64_t)FLAG_CF) | (old >> n & 1);
    out->memory = e->op == X86_OP_BTS   ? old | one
                  : e->op == X86_OP_BTR ? old & ~one
                  : e->op == X86_OP_BTC ? old ^ one
                                        : old;
}

static void compare_exchange(const struct x86_run *e, uint64_t old, unsigned bits,
                             struct effect *out)
{
    uint64_t a = x86_get(e, SVMC_REG_RAX, bits / 8);

    svmc_exec_x86_alu(X86_OP_CMP, a, old, bits, &out->flags);
    out->memory = a == old ? x86_get_reg(e) : old; /* XE-11 */
    out->reg = old;
    out->writes_reg = a != old;
}

/* Of ADD to TEST: the register is the destination, and memory what it is added to and so on. */
static bool is_load(const struct x86_run *e)
{
    return e->insn->reg_kind == SVMC_REG_KIND_GPR && e->op <= X86_OP_TEST && (e->opcode & 2);
}

/* XSA-200: every field is set, by the operation and not by a prefix. */
static struct effect combine(const struct x86_run *e, uint64_t old)
{
    const struct svmc_insn *insn = e->insn;
    unsigned op = e->op, bits = insn->mem_bytes * 8u;
    struct effect out = { .memory = old, .flags = e->regs->rflags };
    uint64_t other = insn->imm & core_mask(insn->mem_bytes);

    out.writes_memory = (insn->access & SVMC_ACCESS_WRITE) != 0;
    if (insn->reg_kind == SVMC_REG_KIND_GPR)
        other = x86_get_reg(e);
    if (is_load(e)) {
        out.reg = svmc_exec_x86_alu(op, other, old, bits, &out.flags);
        out.writes_reg = op != X86_OP_CMP && op != X86_OP_TEST;
    } else if (op <= X86_OP_NOT) {
        out.memory = svmc_exec_x86_alu(op, old, other, bits, &out.flags);
    } else if (op <= X86_OP_SAR) {
        out.memory = svmc_exec_x86_shift(op, old, shift_count(e), bits, &out.flags);
    } else if (op <= X86_OP_SHRD) {
        out.memory = svmc_exec_x86_shift_two(op, old, other, shift_count(e), bits, &out.flags);
    } else if (op <= X86_OP_BTC) {
        change_bit(e, old, bits, &out);
    } else if (op == X86_OP_CMPXCHG) {
        compare_exchange(e, old, bits, &out);
    } else { /* XCHG, XADD */
        out.memory =
            op == X86_OP_XADD ? svmc_exec_x86_alu(op, old, other, bits, &out.flags) : other;
        out.reg = old;
        out.writes_reg = true;
    }
    return out;
}

static uint64_t offset_of(const struct x86_run *e)
{
    uint64_t at = x86_offset(e), n;
    unsigned bits = e->insn->operand_bytes * 8u;

    if (x86_is_bit_string(e)) { /* XE-22 */
        n = (uint64_t)core_sign_extend(x86_get_reg(e), bits);
        at += (uint64_t)core_sign_extend(n >> 3, 61) & ~(uint64_t)(bits / 8 - 1);
    }
    return at & core_mask(e->insn->address_bytes);
}

/* XE-10: with what memory holds when it is replaced. */
static bool change_locked(struct x86_run *e, const struct exec_span *span, struct effect *out)
{
    const uint8_t *expected, *seen;

    if (!svmc_exec_can_exchange(&e->r, span))
        return false;
    expected = svmc_exec_read(&e->r, span);
    if (expected == NULL)
        return false;
    for (unsigned i = 0; i < EXEC_TRIES; i++) {
        *out = combine(e, core_load_le64(expected));
        core_store_le64(e->r.x->priv.store, out->memory);
        if (!svmc_exec_exchange(&e->r, span, expected, &seen))
            return false;
        if (core_load_le64(seen) == core_load_le64(expected))
            return true;
        expected = seen;
    }
    return exec_stop(&e->r, SVMC_EXEC_AGAIN, SVMC_EXEC_REASON_NONE);
}

EXEC_FN bool svmc_exec_x86_change(struct x86_run *e)
{
    const struct svmc_insn *insn = e->insn;
    struct exec_span span;
    struct effect out;
    uint64_t old;

    if (!x86_reach(e, insn->segment, offset_of(e), insn->mem_bytes, insn->access & SVMC_ACCESS_RW,
                   &span))
        return false;
    if (insn->flags & (SVMC_INSN_LOCK | SVMC_INSN_ATOMIC)) {
        if (!change_locked(e, &span, &out))
            return false;
    } else {
        if (!x86_read(e, &span, &old))
            return false;
        out = combine(e, old);
        if (out.writes_memory && !exec_write_value(&e->r, &span, out.memory))
            return false;
    }
    x86_set_status(e, out.flags);
    if (out.writes_reg && e->op == X86_OP_CMPXCHG)
        x86_set(e, SVMC_REG_RAX, insn->mem_bytes, out.reg);
    else if (out.writes_reg)
        x86_set_reg(e, out.reg);
    return true;
}

/* CMPXCHG8B, CMPXCHG16B: the width is the row's, whatever 66 says (XSA-200). */
EXEC_FN bool svmc_exec_x86_pair(struct x86_run *e)
{
    const unsigned half = e->insn->id == SVMC_X86_CMPXCHG16B ? 8 : 4;
    const uint8_t *old, *seen;
    struct svmc_exec *x = e->r.x;
    struct exec_span span;
    uint64_t low, high, offset = x86_offset(e) & core_mask(e->insn->address_bytes);
    bool locked = e->insn->flags & SVMC_INSN_LOCK, equal;

    if (half == 8 && (offset + (e->insn->segment >= SVMC_SEG_FS
                                    ? e->regs->segment[core_clamp(e->insn->segment, 6)].base
                                    : 0)) %
                             16 !=
                         0)
        return svmc_exec_fault(&e->r, VECTOR_GP, true, 0); /* XE-14 */
    if (!x86_reach(e, e->insn->segment, offset, 2 * half, SVMC_ACCESS_RW, &span) ||
        (locked && !svmc_exec_can_exchange(&e->r, &span)))
        return false;
    old = svmc_exec_read(&e->r, &span);
    if (old == NULL)
        return false;
    for (unsigned i = 0;; i++) {
        low = core_load_le64(old) & core_mask(half);
        high = half == 4 ? core_load_le32(old + 4) : core_load_le64(old + 8);
        equal = low == x86_get(e, SVMC_REG_RAX, half) && high == x86_get(e, SVMC_REG_RDX, half);
        core_store_le64(x->priv.store, equal ? x86_get(e, SVMC_REG_RBX, half) : low);
        core_store_le64(x->priv.store + half, equal ? x86_get(e, SVMC_REG_RCX, half) : high);
        if (!locked) {
            if (!svmc_exec_write(&e->r, &span))
                return false;
            break;
        }
        if (!svmc_exec_exchange(&e->r, &span, old, &seen))
            return false;
        if (memcmp(old, seen, 2 * half) == 0)
            break;
        if (i + 1 == EXEC_TRIES)
            return exec_stop(&e->r, SVMC_EXEC_AGAIN, SVMC_EXEC_REASON_NONE);
        old = seen;
    }
    e->regs->rflags = (e->regs->rflags & ~(uint64_t)FLAG_ZF) | (equal ? FLAG_ZF : 0);
    if (!equal) {
        x86_set(e, SVMC_REG_RAX, half, low);
        x86_set(e, SVMC_REG_RDX, half, high);
    }
    return true;
}

/* MOVDIR64B: from memory to ES at the register, of which the low six bits have to be 0. */
EXEC_FN bool svmc_exec_x86_line(struct x86_run *e)
{
    const struct svmc_insn *insn = e->insn;
    uint64_t to = x86_get(e, insn->reg, insn->address_bytes);
    struct exec_span from, target;
    const uint8_t *data;

    if (!x86_reach_memory(e, SVMC_ACCESS_READ, &from))
        return false;
    if (to % SVMC_EXEC_WIDTH_MAX != 0)
        return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
    if (!x86_reach(e, SVMC_SEG_ES, to, SVMC_EXEC_WIDTH_MAX, SVMC_ACCESS_WRITE, &target))
        return false;
    data = svmc_exec_read(&e->r, &from);
    if (data == NULL)
        return false;
    memcpy(e->r.x->priv.store, data, SVMC_EXEC_WIDTH_MAX);
    return svmc_exec_write(&e->r, &target);
}

/* One operand: to rDX:rAX, of bytes to AX. Two or three: to the register. */
static void multiply(struct x86_run *e, uint64_t value)
{
    unsigned bytes = e->insn->mem_bytes, bits = bytes * 8;
    bool is_signed = e->op == X86_OP_IMUL, overflow;
    uint64_t low, high, flags = e->regs->rflags, other;
    bool single = (e->opcode & 0xfe) == 0xf6;

    other = single              ? x86_get(e, SVMC_REG_RAX, bytes)
            : e->opcode == 0xaf ? x86_get_reg(e)
                                : e->insn->imm;
    low = svmc_exec_x86_multiply(value, other, bits, is_signed, &high);
    overflow = is_signed ? high != (0 - (low >> (bits - 1))) >> (64 - bits) : high != 0;
    flags &= ~(uint64_t)FLAG_STATUS;
    x86_set_status(e, flags | (overflow ? FLAG_CF | FLAG_OF : 0));
    if (!single)
        x86_set_reg(e, low);
    else if (bytes == 1)
        x86_set(e, SVMC_REG_RAX, 2, high << 8 | low);
    else {
        x86_set(e, SVMC_REG_RAX, bytes, low);
        x86_set(e, SVMC_REG_RDX, bytes, high);
    }
}

static bool divide(struct x86_run *e, uint64_t by)
{
    unsigned bytes = e->insn->mem_bytes, bits = bytes * 8;
    uint64_t low = x86_get(e, SVMC_REG_RAX, bytes), high = x86_get(e, SVMC_REG_RDX, bytes), out[2];

    if (bytes == 1)
        high = x86_get(e, SVMC_REG_RAX, 2) >> 8;
    if (!svmc_exec_x86_divide(high, low, by, bits, e->op == X86_OP_IDIV, out))
        return svmc_exec_fault(&e->r, VECTOR_DE, false, 0);
    if (bytes == 1) {
        x86_set(e, SVMC_REG_RAX, 2, out[1] << 8 | out[0]);
    } else {
        x86_set(e, SVMC_REG_RAX, bytes, out[0]);
        x86_set(e, SVMC_REG_RDX, bytes, out[1]);
    }
    return true;
}

/* BSF and BSR of 0 leave the register as it is (APM vol. 3). */
static void count_bits(struct x86_run *e, uint64_t value)
{
    uint64_t flags = e->regs->rflags;
    uint64_t r = svmc_exec_x86_count(e->op, value, e->insn->mem_bytes * 8u, &flags);

    x86_set_status(e, flags);
    if (value != 0 || e->op >= X86_OP_TZCNT)
        x86_set_reg(e, r);
}

/* BMI: the other source is vvvv, of RORX and XOP's BEXTR an immediate, of PDEP its own. */
static void bits(struct x86_run *e, uint64_t value)
{
    unsigned bytes = e->insn->mem_bytes;
    uint64_t flags = e->regs->rflags, other = x86_get(e, x86_vvvv(e), bytes);

    if (e->op == X86_OP_RORX || VECTOR_ENCODING(e->insn->priv_raw[2]) == X86_XOP)
        other = e->insn->imm;
    value = svmc_exec_x86_bits(e->op, value, other, bytes * 8, &flags);
    x86_set_status(e, flags);
    x86_set_reg(e, value);
}

/* Both halves to one register: the high one stays (SDM vol. 2 MULX). */
static void multiply_plain(struct x86_run *e, uint64_t value)
{
    unsigned bytes = e->insn->mem_bytes;
    uint64_t high, low = svmc_exec_x86_multiply(value, x86_get(e, SVMC_REG_RDX, bytes), bytes * 8,
                                                false, &high);

    x86_set(e, x86_vvvv(e), bytes, low);
    x86_set_reg(e, high);
}

/* ADCX, ADOX: one flag in and out. */
static void add_carry(struct x86_run *e, uint64_t value)
{
    uint64_t flag = e->op == X86_OP_ADCX ? FLAG_CF : FLAG_OF, flags;

    flags = (e->regs->rflags & flag) != 0 ? FLAG_CF : 0;
    x86_set_reg(
        e, svmc_exec_x86_alu(X86_OP_ADC, x86_get_reg(e), value, e->insn->mem_bytes * 8u, &flags));
    e->regs->rflags = (e->regs->rflags & ~flag) | ((flags & FLAG_CF) != 0 ? flag : 0);
}

static bool load(struct x86_run *e, uint64_t value)
{
    unsigned bytes = e->insn->mem_bytes;

    switch (e->shape) {
    case SHAPE_MOVBE:
        x86_set_reg(e, core_swap(value, bytes));
        return true;
    case SHAPE_XLAT:
        x86_set(e, SVMC_REG_RAX, 1, value);
        return true;
    case SHAPE_MULTIPLY:
        multiply(e, value);
        return true;
    case SHAPE_DIVIDE:
        return divide(e, value);
    case SHAPE_COUNT:
        count_bits(e, value);
        return true;
    case SHAPE_CRC32:
        x86_set_reg(e, svmc_exec_x86_crc32((uint32_t)x86_get_reg(e), value, bytes));
        return true;
    case SHAPE_BITS:
        bits(e, value);
        return true;
    case SHAPE_MULX:
        multiply_plain(e, value);
        return true;
    case SHAPE_CARRY:
        add_carry(e, value);
        return true;
    default: /* CMOV: 32 bits are written either way, so zeros above (SDM vol. 2 CMOVcc) */
        if (!svmc_exec_x86_condition(e->opcode, e->regs->rflags))
            value = x86_get_reg(e);
        x86_set_reg(e, value);
        return true;
    }
}

/* What reads memory alone, or writes it alone. */
EXEC_FN bool svmc_exec_x86_compute(struct x86_run *e)
{
    const struct svmc_insn *insn = e->insn;
    uint64_t value, at = x86_offset(e);
    struct exec_span span;

    if (VECTOR_ENCODING(insn->priv_raw[2]) >= X86_VEX && !x86_is_protected(e)) /* XE-25 */
        return svmc_exec_fault(&e->r, VECTOR_UD, false, 0);
    if (e->shape == SHAPE_XLAT) /* AD-3: AL alone */
        at = x86_get(e, SVMC_REG_RBX, 8) + x86_get(e, SVMC_REG_RAX, 1);
    if (!x86_reach(e, insn->segment, at & core_mask(insn->address_bytes), insn->mem_bytes,
                   insn->access & SVMC_ACCESS_RW, &span))
        return false;
    if (insn->access == SVMC_ACCESS_READ)
        return x86_read(e, &span, &value) && load(e, value);
    if (e->shape == SHAPE_SET)
        return exec_write_value(&e->r, &span, svmc_exec_x86_condition(e->opcode, e->regs->rflags));
    return exec_write_value(&e->r, &span, core_swap(x86_get_reg(e), insn->mem_bytes)); /* MOVBE */
}
