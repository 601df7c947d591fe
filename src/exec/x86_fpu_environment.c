/* SPDX-License-Identifier: MIT */
/* x87: FLDENV, FNSTENV, FRSTOR, FNSAVE (SDM vol. 1 8.1.10), XE-56: docs/spec/exec.md. */
#include "x86_fpu.h"

#define ENV_ONES 0xffff0000u /* what is above a word in the format of 32 bits */

/* Where linear addresses stand instead of selectors and offsets. */
static bool env_is_real(const struct x86_run *e)
{
    return !(e->regs->cr0 & CR0_PE) || (e->regs->rflags & FLAG_VM);
}

static unsigned env_bytes(const struct x86_run *e)
{
    return e->insn->mem_bytes == 14 || e->insn->mem_bytes == 94 ? 14 : 28;
}

/* Two bits for each physical register; an empty one has both. */
static unsigned env_tag_word(const struct svmc_exec_x86 *regs, const uint8_t *const st[8])
{
    unsigned tags = 0;

    for (unsigned i = 0; i < 8; i++) {
        unsigned n = fpu_physical(regs, i);
        unsigned tag = regs->ftw >> n & 1 ? svmc_exec_x87_tag_of(fpu_load_real(st[i])) : 3;

        tags |= tag << 2 * n;
    }
    return tags;
}

static void env_put_environment(const struct x86_run *e, unsigned tags, uint8_t *out)
{
    const struct svmc_exec_x86 *regs = e->regs;
    uint32_t ip = (uint32_t)regs->fip, dp = (uint32_t)regs->fdp;
    uint32_t code = regs->fcs, data = regs->fds, ones = ENV_ONES;
    unsigned n = env_bytes(e) == 14 ? 2 : 4;
    uint32_t words[7];

    if (env_is_real(e)) {
        ip += code << 4;
        dp += data << 4;
        code = regs->fop | (ip >> 16) << 12;
        data = (dp >> 16) << 12;
        ip = (ip & 0xffff) | ones;
        dp = (dp & 0xffff) | ones;
    } else {
        code |= (uint32_t)regs->fop << 16;
        data |= ones;
    }
    words[0] = regs->fcw | ones;
    words[1] = regs->fsw | ones;
    words[2] = tags | ones;
    words[3] = ip;
    words[4] = code;
    words[5] = dp;
    words[6] = data;
    for (unsigned i = 0; i < 7; i++)
        if (n == 2)
            core_store_le16(out + 2 * i, (uint16_t)words[i]);
        else
            core_store_le32(out + 4 * i, words[i]);
}

static void env_take_environment(struct x86_run *e, const uint8_t *from)
{
    struct svmc_exec_x86 *regs = e->regs;
    const bool selectors = regs->quirks & SVMC_FPU_SELECTORS;
    unsigned n = env_bytes(e) == 14 ? 2 : 4, tags;
    uint32_t words[7];

    for (unsigned i = 0; i < 7; i++)
        words[i] = n == 2 ? core_load_le16(from + 2 * i) : core_load_le32(from + 4 * i);
    fpu_set_control(regs, words[0]);
    regs->fsw = (uint16_t)words[1];
    fpu_settle(regs);
    tags = words[2];
    regs->ftw = 0;
    for (unsigned i = 0; i < 8; i++)
        regs->ftw |= (uint16_t)((tags >> 2 * i & 3) != 3 ? 1u << i : 0);
    regs->fip = words[3];
    regs->fdp = words[5];
    if (env_is_real(e)) {
        regs->fip = (words[3] & 0xffff) | (words[4] >> 12) << 16;
        regs->fdp = (words[5] & 0xffff) | (words[6] >> 12) << 16;
        regs->fop = words[4] & FPU_OPCODE_BITS;
        regs->fcs = regs->fds = 0;
        return;
    }
    regs->fop = n == 2 ? 0 : words[4] >> 16 & FPU_OPCODE_BITS;
    regs->fcs = selectors ? (uint16_t)words[4] : 0;
    regs->fds = selectors ? (uint16_t)words[6] : 0;
}

static bool env_store(struct x86_run *e, const struct exec_span *area)
{
    struct svmc_exec *x = e->r.x;
    struct svmc_exec_x86 *regs = e->regs;
    unsigned bytes = env_bytes(e);
    struct exec_span part = fpu_part(area, 0, bytes);
    const uint8_t *st[8];

    for (unsigned i = 0; i < 8; i++) {
        st[i] =
            svmc_exec_vector_read(&e->r, SVMC_REG_KIND_X87, fpu_physical(regs, i), FPU_REAL_BYTES);
        if (st[i] == NULL)
            return false;
    }
    env_put_environment(e, env_tag_word(regs, st), x->priv.store);
    if (!svmc_exec_write(&e->r, &part))
        return false;
    if (e->op == FPU_OP_FNSTENV) {
        regs->fcw |= FPU_ALL;
        fpu_settle(regs);
        return true;
    }
    for (unsigned i = 0; i < 8; i++) {
        part = fpu_part(area, bytes + FPU_REAL_BYTES * i, FPU_REAL_BYTES);
        memcpy(x->priv.store, st[i], FPU_REAL_BYTES);
        if (!svmc_exec_write(&e->r, &part))
            return false;
    }
    fpu_init(regs);
    return true;
}

static bool env_load(struct x86_run *e, const struct exec_span *area)
{
    unsigned bytes = env_bytes(e), top;
    struct exec_span part = fpu_part(area, 0, bytes);
    const uint8_t *environment = svmc_exec_read(&e->r, &part), *st[8];

    if (environment == NULL)
        return false;
    if (e->op == FPU_OP_FRSTOR) {
        top = core_load_le16(environment + bytes / 7) >> 11;
        for (unsigned i = 0; i < 8; i++) {
            part = fpu_part(area, bytes + FPU_REAL_BYTES * i, FPU_REAL_BYTES);
            st[i] = svmc_exec_read(&e->r, &part);
            if (st[i] == NULL)
                return false;
        }
        for (unsigned i = 0; i < 8; i++) {
            memcpy(e->r.x->priv.store, st[i], FPU_REAL_BYTES);
            if (!svmc_exec_vector_write(&e->r, SVMC_REG_KIND_X87, (top + i) & 7, FPU_REAL_BYTES))
                return false;
        }
    }
    env_take_environment(e, environment);
    return true;
}

bool svmc_exec_x86_fpu_environment(struct x86_run *e)
{
    const bool loads = e->op == FPU_OP_FLDENV || e->op == FPU_OP_FRSTOR;
    struct exec_span area;

    if (!svmc_exec_x86_fpu_may_start(e, loads) || !svmc_exec_has_vectors(&e->r) ||
        !x86_reach_memory(e, loads ? SVMC_ACCESS_READ : SVMC_ACCESS_WRITE, &area))
        return false;
    return loads ? env_load(e, &area) : env_store(e, &area);
}
