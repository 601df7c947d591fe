/* SPDX-License-Identifier: MIT */
/*
 * x86: FXSAVE, XSAVE and their like: which components, where they lie, and what of it is touched.
 * Rules XE-n: docs/spec/exec.md.
 */
#include "x86_fpu_area.h"

static const uint16_t area_sizes[AREA_COMPONENTS] = { 0, 0, 256, 64, 64, 64, 512, 1024, 128, 8 };

/* XE-58: CPUID.(EAX=0DH,ECX=n):EBX as all processors of the vendor have it. */
static const uint16_t area_usual[2][AREA_COMPONENTS] = {
    { 0, 0, 576, 960, 1024, 1088, 1152, 1664, 0, 2688 },
    { 0, 0, 576, 0, 0, 832, 896, 1408, 0, 2432 }
};

/* Where component n begins; n: below AREA_COMPONENTS. */
unsigned svmc_exec_x86_area_place(const struct area *a, unsigned n)
{
    const struct svmc_exec_x86 *regs = a->e->regs;
    unsigned at = AREA_AT_EXTENDED;

    n = core_clamp(n, AREA_COMPONENTS);
    if (a->compact == 0) {
        if (regs->component[n] != 0)
            return regs->component[n];
        return area_usual[regs->vendor == SVMC_VENDOR_AMD ? 1 : 0][n]; /* clamp: 0 or 1 */
    }
    for (unsigned i = 2; i < n; i++)
        if (a->compact >> i & 1)
            at += area_sizes[i]; /* clamp: below n */
    return at;
}

unsigned svmc_exec_x86_area_end(const struct area *a, uint32_t components)
{
    unsigned end = AREA_AT_EXTENDED, at;

    for (unsigned n = 2; n < AREA_COMPONENTS; n++) {
        if (a->compact != 0)
            components &= (uint32_t)a->compact;
        at = components >> n & 1 ? svmc_exec_x86_area_place(a, n) + area_sizes[n] : 0;
        end = at > end ? at : end;
    }
    return end;
}

/* XE-81: a call's accesses are 64 at most, and it may go on at once in the next. */
bool svmc_exec_x86_area_may_access(struct x86_run *e)
{
    if (e->r.out->accesses + 2 <= SVMC_EXEC_ACCESSES_MAX)
        return true;
    e->r.x->wait = (struct svmc_exec_wait){ .kind = SVMC_EXEC_PAUSE };
    return exec_stop(&e->r, SVMC_EXEC_PENDING, SVMC_EXEC_REASON_NONE);
}

const uint8_t *svmc_exec_x86_area_read(struct area *a, unsigned from, unsigned bytes)
{
    const uint8_t *first = NULL, *data;

    for (unsigned at = 0; at < bytes; at += SVMC_EXEC_WIDTH_MAX) {
        unsigned n = bytes - at < SVMC_EXEC_WIDTH_MAX ? bytes - at : SVMC_EXEC_WIDTH_MAX;
        struct exec_span part = fpu_part(&a->span, from + at - a->from, n);

        data = svmc_exec_x86_area_may_access(a->e) ? svmc_exec_read(&a->e->r, &part) : NULL;
        if (data == NULL)
            return NULL;
        first = first == NULL ? data : first;
    }
    return first;
}

const uint8_t *svmc_exec_x86_area_registers(struct area *a, unsigned kind, unsigned first,
                                            unsigned count, unsigned bytes)
{
    const uint8_t *all = NULL, *data;

    for (unsigned i = 0; i < count; i++) {
        unsigned n = kind == SVMC_REG_KIND_X87 ? fpu_physical(a->e->regs, i) : first + i;

        data = svmc_exec_x86_area_may_access(a->e) ? svmc_exec_vector_read(&a->e->r, kind, n, bytes)
                                                   : NULL;
        if (data == NULL)
            return NULL;
        all = all == NULL ? data : all;
    }
    return all;
}

/*
 * XE-58: on one page or two. But for XRSTOR it is probed from its last byte on, as Intel's
 * processors do.
 */
bool svmc_exec_x86_area_reach(struct area *a, unsigned from, unsigned end, uint32_t access)
{
    struct x86_run *e = a->e;
    const unsigned segment = e->insn->segment;
    const uint64_t at = (x86_offset(e) & core_mask(e->insn->address_bytes)) + from;

    if (end > AREA_MAX)
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_COMPONENT);
    a->from = (uint16_t)from;
    if ((access == SVMC_ACCESS_WRITE || !a->xsave) &&
        !x86_reach(e, segment, at + (end - from) - 1, 1, access, &a->span))
        return false;
    return x86_reach(e, segment, at, end - from, access, &a->span);
}

/* Without x87, SSE and MXCSR the first 512 bytes are left alone. components: that are touched. */
unsigned svmc_exec_x86_area_start(const struct area *a, uint32_t components)
{
    if (a->xsave && a->compact == 0)
        components |= a->wanted & (AREA_SSE | AREA_AVX) ? AREA_SSE : 0; /* MXCSR */
    return a->xsave && !(components & (AREA_X87 | AREA_SSE)) ? AREA_AT_HEADER : 0;
}

/* XE-58: the segment first, then the alignment. */
static bool area_may_start(struct x86_run *e, bool xsave, uint32_t access)
{
    const unsigned alignment = xsave ? 64 : 16;
    uint64_t linear = x86_offset(e) & core_mask(e->insn->address_bytes);

    if (xsave && !(e->regs->cr4 & CR4_OSXSAVE))
        return svmc_exec_fault(&e->r, VECTOR_UD, false, 0);
    if (e->regs->cr0 & (xsave ? CR0_TS : CR0_TS | CR0_EM))
        return svmc_exec_fault(&e->r, VECTOR_NM, false, 0);
    if (!svmc_exec_x86_linear_slow(e, e->insn->segment, linear, 1, access, &linear))
        return false;
    if (linear % alignment == 0)
        return true;
    if (linear % 4 != 0 && (e->regs->rflags & FLAG_AC) && !svmc_exec_x86_misaligned(e))
        return false; /* Intel's processors look at two bits alone */
    return area_refuse(e);
}

bool svmc_exec_x86_area(struct x86_run *e)
{
    const struct svmc_exec_x86 *regs = e->regs;
    const unsigned op = e->op;
    const bool xsave = op >= FPU_OP_XSAVE;
    const bool restores = op == FPU_OP_FXRSTOR || op >= FPU_OP_XRSTOR;
    const bool compact = op == FPU_OP_XSAVEC || op == FPU_OP_XSAVES;
    uint64_t can = regs->xcr0 | (op == FPU_OP_XSAVES || op == FPU_OP_XRSTORS ? regs->xss : 0);
    uint64_t wanted = can & (x86_get(e, SVMC_REG_RDX, 4) << 32 | x86_get(e, SVMC_REG_RAX, 4));
    struct area a = { .e = e, .registers = e->wide ? 16 : 8, .xsave = xsave };

    if (!area_may_start(e, xsave, restores ? SVMC_ACCESS_READ : SVMC_ACCESS_WRITE) ||
        !svmc_exec_has_vectors(&e->r))
        return false;
    if (!xsave)
        wanted = (regs->quirks & SVMC_FPU_FAST_FXSAVE) && e->wide && regs->cpl == 0
                     ? AREA_X87
                     : AREA_X87 | AREA_SSE;
    if (wanted & ~(uint64_t)AREA_KNOWN)
        return exec_stop(&e->r, SVMC_EXEC_UNFINISHED, SVMC_EXEC_REASON_COMPONENT);
    a.wanted = a.there = (uint32_t)wanted;
    a.width = wanted & AREA_UPPER ? 64 : wanted & AREA_AVX ? 32 : wanted & AREA_SSE ? 16 : 0;
    if (compact)
        a.compact = wanted | AREA_COMPACT;
    if (restores
            ? !svmc_exec_x86_area_reach(&a, xsave ? AREA_AT_HEADER : 0,
                                        xsave ? AREA_AT_EXTENDED : AREA_AT_HEADER, SVMC_ACCESS_READ)
            : !svmc_exec_x86_area_reach(
                  &a, svmc_exec_x86_area_start(&a, a.wanted),
                  xsave ? svmc_exec_x86_area_end(&a, a.wanted) : AREA_AT_HEADER, SVMC_ACCESS_WRITE))
        return false;
    return restores ? svmc_exec_x86_area_restore(&a) : svmc_exec_x86_area_save(&a);
}
