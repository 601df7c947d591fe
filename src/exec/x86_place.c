/* SPDX-License-Identifier: MIT */
/* x86: from an offset in a segment to a linear address, and who may use a port. */
#include "x86_system.h"

#define TSS_MAP_BASE 102u /* SDM vol. 3 figure 8-2: I/O map base address */

static bool refuse(struct x86_run *e, unsigned segment)
{
    return svmc_exec_fault(&e->r, segment == SVMC_SEG_SS ? VECTOR_SS : VECTOR_GP, true, 0);
}

/* Type and limit (SDM vol. 3 5.3, 5.5): bytes - 1 more than offset is the last one. */
EXEC_FN bool svmc_exec_x86_is_within(const struct x86_run *e, const struct svmc_exec_segment *s,
                                     uint64_t offset, unsigned bytes, uint32_t access)
{
    bool protected = (e->regs->cr0 & CR0_PE) && !(e->regs->rflags & FLAG_VM);
    uint32_t rights = s->rights;
    uint64_t last = offset + bytes - 1, top = rights & SVMC_RIGHTS_BIG ? 0xffffffff : 0xffff;

    if (protected && (access & SVMC_ACCESS_WRITE) &&
        (rights & (SVMC_RIGHTS_CODE | SVMC_RIGHTS_WRITABLE)) != SVMC_RIGHTS_WRITABLE)
        return false;
    if (protected && (rights & (SVMC_RIGHTS_CODE | SVMC_RIGHTS_WRITABLE)) == SVMC_RIGHTS_CODE)
        return false;
    if ((rights & (SVMC_RIGHTS_CODE | SVMC_RIGHTS_EXPAND_DOWN)) == SVMC_RIGHTS_EXPAND_DOWN)
        return offset > s->limit && last <= top;
    return s->limit == 0xffffffff || last <= s->limit; /* 4 GiB wrap around: SDM vol. 3 5.3 */
}

/* XE-13, and XE-24: no LAM, no A20. XSA-191: unusable comes before what stale limits would say. */
EXEC_FN bool svmc_exec_x86_linear_slow(struct x86_run *e, unsigned segment, uint64_t offset,
                                       unsigned bytes, uint32_t access, uint64_t *linear)
{
    const struct svmc_exec_segment *s;

    segment = core_clamp(segment, 6);
    s = &e->regs->segment[segment];
    if (e->wide) {
        *linear = offset + (segment >= SVMC_SEG_FS ? s->base : 0);
        if (!x86_is_canonical(e, *linear))
            return refuse(e, segment);
        if (x86_is_canonical(e, *linear + bytes - 1))
            return true;
        return x86_is_aligned(e, *linear, bytes) && refuse(e, segment); /* #AC first: XE-14 */
    }
    if ((s->rights & SVMC_RIGHTS_UNUSABLE) || !svmc_exec_x86_is_within(e, s, offset, bytes, access))
        return refuse(e, segment);
    *linear = (s->base + offset) & core_mask(4);
    return true;
}

EXEC_FN CORE_COLD bool svmc_exec_x86_misaligned(struct x86_run *e)
{
    return e->regs->cpl != 3 || !(e->regs->cr0 & CR0_AM) || e->insn->id == SVMC_X86_VCVTPH2PS ||
           e->insn->id == SVMC_X86_VCVTPS2PH || svmc_exec_fault(&e->r, VECTOR_AC, true, 0);
}

/* A part of the TSS, which no user program reads (CVE-2018-10853: nothing else is read so). Also in
 * compatibility mode its base has 64 bits: what lies at the low 32 of them is the program's. */
EXEC_FN bool svmc_exec_x86_read_task(struct x86_run *e, uint32_t offset, unsigned bytes,
                                     uint64_t *value)
{
    struct exec_span span;

    return x86_reach_as(e, e->regs->task.base + offset, bytes, SVMC_ACCESS_READ, SVMC_EXEC_SYSTEM,
                        &span) &&
           x86_read(e, &span, value);
}

/* XE-17; SDM vol. 1 19.5.2. Two bytes of the map are read: its last one is all ones. */
EXEC_FN bool svmc_exec_x86_may_use_port(struct x86_run *e, unsigned port, unsigned bytes)
{
    const struct svmc_exec_x86 *regs = e->regs;
    const struct svmc_exec_segment *task = &regs->task;
    uint64_t base = 0, map = 0, wanted = ((uint64_t)1 << bytes) - 1;

    if (!(regs->cr0 & CR0_PE) ||
        (regs->cpl <= (regs->rflags >> 12 & 3) && !(regs->rflags & FLAG_VM)))
        return true;
    if ((task->rights & SVMC_RIGHTS_UNUSABLE) || task->limit < TSS_MAP_BASE + 1)
        return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
    if (!svmc_exec_x86_read_task(e, TSS_MAP_BASE, 2, &base))
        return false;
    base += port / 8;
    if (base + 1 > task->limit)
        return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
    if (!svmc_exec_x86_read_task(e, (uint32_t)base, 2, &map))
        return false;
    return (map >> (port & 7) & wanted) == 0 || svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
}

EXEC_FN bool svmc_exec_x86_port(struct x86_run *e)
{
    const struct svmc_insn *insn = e->insn;
    unsigned bytes = insn->reg_bytes, port = (unsigned)insn->imm & 0xff;
    const uint8_t *data;

    if (e->opcode & 8) /* EC to EF: DX */
        port = (unsigned)x86_get(e, SVMC_REG_RDX, 2);
    if (!svmc_exec_x86_may_use_port(e, port, bytes))
        return false;
    if (insn->id == SVMC_X86_OUT) {
        core_store_le64(e->r.x->priv.store, x86_get(e, SVMC_REG_RAX, bytes));
        return svmc_exec_port_write(&e->r, port, bytes);
    }
    data = svmc_exec_port_read(&e->r, port, bytes);
    if (data == NULL)
        return false;
    x86_set(e, SVMC_REG_RAX, bytes, core_load_le64(data));
    return true;
}

/* What takes addresses: bases of FS and GS, entries of SYSCALL and SYSENTER. */
static bool wants_address(uint32_t msr)
{
    return (msr >= 0xc0000100 && msr <= 0xc0000102) || msr == 0xc0000082 || msr == 0xc0000083 ||
           msr == 0x175 || msr == 0x176;
}

/* CVE-2014-3610: no address that is not canonical reaches the callback, in no mode (SDM vol. 2
 * WRMSR). */
EXEC_FN bool svmc_exec_x86_msr(struct x86_run *e)
{
    uint32_t msr = (uint32_t)x86_get(e, SVMC_REG_RCX, 4);
    uint64_t value = x86_get(e, SVMC_REG_RDX, 4) << 32 | x86_get(e, SVMC_REG_RAX, 4);
    bool write = e->insn->id == SVMC_X86_WRMSR;
    unsigned bits = e->regs->cr4 & CR4_LA57 ? 57 : 48;

    if (e->wide)
        bits = e->regs->address_bits;
    if (write && wants_address(msr) && (uint64_t)core_sign_extend(value, bits) != value)
        return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
    if (!svmc_exec_msr(&e->r, msr, write, &value))
        return false;
    if (!write) {
        x86_set(e, SVMC_REG_RAX, 4, value);
        x86_set(e, SVMC_REG_RDX, 4, value >> 32);
    }
    return true;
}
