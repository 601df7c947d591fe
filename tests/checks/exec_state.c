/* SPDX-License-Identifier: MIT */
#include "exec_state.h"
#include "exec_float.h"
#include "exec_fpu.h"

#include "../harness.h"

struct exec_state exec_state;

/* n bytes of a register: its place, and how many it has. */
static uint8_t *find(uint32_t kind, uint32_t number, size_t *bytes)
{
    struct stub_state *s = &exec_state.now;

    exec_state.touched = true;
    *bytes = kind == SVMC_REG_KIND_VECTOR ? 64 : kind == SVMC_REG_KIND_X87 ? 10 : 8;
    if (kind == SVMC_REG_KIND_VECTOR && number < 32)
        return s->vector[number];
    if (kind == SVMC_REG_KIND_MASK && number < 8)
        return (uint8_t *)&s->mask[number];
    if ((kind == SVMC_REG_KIND_MMX || kind == SVMC_REG_KIND_X87) && number < 8)
        return s->x87[number];
    return NULL;
}

enum svmc_status exec_state_read(void *ctx, uint32_t kind, uint32_t number, void *dst, size_t n)
{
    size_t bytes;
    const uint8_t *from = find(kind, number, &bytes);

    (void)ctx;
    if (from == NULL || n > bytes)
        return SVMC_ERR_ARG;
    memcpy(dst, from, n);
    return SVMC_OK;
}

enum svmc_status exec_state_write(void *ctx, uint32_t kind, uint32_t number, const void *src,
                                  size_t n)
{
    size_t bytes;
    uint8_t *to = find(kind, number, &bytes);

    (void)ctx;
    if (to == NULL || n > bytes)
        return SVMC_ERR_ARG;
    memcpy(to, src, n);
    if (kind == SVMC_REG_KIND_MMX)
        memset(to + 8, 0xff, 2);
    return SVMC_OK;
}

bool exec_state_matters(const struct svmc_insn *insn)
{
    struct svmc_operand operand[SVMC_OPERANDS_MAX];
    uint32_t count;

    if (svmc_insn_operands(insn, operand, &count) != SVMC_OK)
        return false;
    for (unsigned i = 0; i < count; i++)
        if (operand[i].kind == SVMC_OPERAND_REG &&
            (operand[i].reg_kind == SVMC_REG_KIND_VECTOR ||
             operand[i].reg_kind == SVMC_REG_KIND_MASK || operand[i].reg_kind == SVMC_REG_KIND_MMX))
            return true;
    return false;
}

/* Elements of any width that are near the ends of their range now and then. */
static void draw_bytes(uint64_t *seed, uint8_t *at, unsigned n)
{
    static const uint64_t ends[8] = { 0,
                                      ~(uint64_t)0,
                                      0x8080808080808080,
                                      0x7f7f7f7f7f7f7f7f,
                                      0x8000800080008000,
                                      0x7fff7fff7fff7fff,
                                      0x8000000080000000,
                                      0x0000000100000001 };

    for (unsigned i = 0; i < n; i += 8) {
        uint64_t v = harness_random(seed), what = harness_random(seed) >> 40;

        if ((what & 3) == 0)
            v = ends[what >> 2 & 7];
        if ((what & 0xe0) == 0)
            v &= harness_random(seed);
        memcpy(at + i, &v, n - i < 8 ? n - i : 8);
    }
}

void exec_state_draw(uint64_t *seed, const struct svmc_insn *insn, struct svmc_exec_x86 *regs,
                     bool all)
{
    struct stub_state *s = &exec_state.now;
    struct svmc_operand operand[SVMC_OPERANDS_MAX];
    uint32_t count = 0;

    if (all) {
        memset(s, 0, sizeof *s);
        draw_bytes(seed, &s->vector[0][0], sizeof s->vector);
        draw_bytes(seed, (uint8_t *)s->mask, sizeof s->mask);
        for (unsigned i = 0; i < 8; i++)
            draw_bytes(seed, s->x87[i], 10);
    }
    (void)!svmc_insn_operands(insn, operand, &count);
    for (unsigned i = 0; i < count; i++)
        if (operand[i].reg_kind == SVMC_REG_KIND_VECTOR)
            draw_bytes(seed, s->vector[operand[i].reg & 31], 64);
        else if (operand[i].reg_kind == SVMC_REG_KIND_MASK)
            draw_bytes(seed, (uint8_t *)&s->mask[operand[i].reg & 7], 8);
        else if (operand[i].reg_kind == SVMC_REG_KIND_MMX)
            draw_bytes(seed, s->x87[operand[i].reg & 7], 8);
    regs->mxcsr = s->mxcsr = exec_float_is(insn) ? exec_float_draw_mxcsr(seed) : 0x1f80;
    for (unsigned i = 0; i < count && exec_float_is(insn); i++)
        if (operand[i].kind == SVMC_OPERAND_REG && operand[i].reg_kind == SVMC_REG_KIND_VECTOR)
            exec_float_draw(seed, s->vector[operand[i].reg & 31], 64);
    for (unsigned i = 0; i < 32 && !(regs->xcr0 & 0x80); i++)
        memset(s->vector[i] + 32, 0, 32);
    regs->fcw = s->fcw = 0x37f;
    regs->fsw = s->fsw = (uint16_t)(harness_random(seed) >> 20 & 0x7f00);
    regs->ftw = s->ftw = (uint16_t)(harness_random(seed) >> 20 & 0xff);
    if (!exec_fpu_is(insn))
        return;
    exec_fpu_draw(seed, insn, s, regs);
    regs->fcw = s->fcw;
    regs->fsw = s->fsw;
    regs->ftw = s->ftw;
    regs->fop = s->fop;
    regs->fip = s->fip;
    regs->fdp = s->fdp;
    regs->mxcsr = s->mxcsr;
}

const char *exec_state_differs(const struct stub_state *theirs, const struct svmc_exec_x86 *regs,
                               bool fault)
{
    const struct stub_state *ours = &exec_state.now;
    unsigned words = fault && (theirs->fsw & 0x3800) == 0 ? 0xc7ff : 0xffff; /* MMX: TOP */

    if (memcmp(ours->vector, theirs->vector, sizeof ours->vector) != 0)
        return "vector registers differ";
    if (memcmp(ours->mask, theirs->mask, sizeof ours->mask) != 0)
        return "mask registers differ";
    if (memcmp(ours->x87, theirs->x87, sizeof ours->x87) != 0)
        return "x87 registers differ";
    if (regs->mxcsr != theirs->mxcsr)
        return "MXCSR differs";
    if (regs->fcw != theirs->fcw || ((regs->fsw ^ theirs->fsw) & words) != 0 ||
        regs->ftw != theirs->ftw)
        return "words of x87 differ";
    if (regs->vendor == SVMC_VENDOR_INTEL && /* AMD's keep them for exceptions alone */
        (regs->fop != theirs->fop || regs->fip != theirs->fip || regs->fdp != theirs->fdp))
        return "pointers of x87 differ";
    return NULL;
}

static void show_bytes(const char *what, unsigned i, const uint8_t *b, unsigned n)
{
    printf("  %s %u:", what, i);
    while (n > 0)
        printf("%s%02x", n % 8 == 0 ? " " : "", b[n - 1]), n--;
    printf("\n");
}

void exec_state_show(const struct stub_state *before, const struct stub_state *theirs,
                     const struct svmc_exec_x86 *regs)
{
    const struct stub_state *ours = &exec_state.now;

    printf(
        "  fcw %#x fsw %#x ftw %#x mxcsr %#x; processor: %#x %#x %#x %#x; before %#x %#x %#x %#x\n",
        regs->fcw, regs->fsw, regs->ftw, regs->mxcsr, theirs->fcw, theirs->fsw, theirs->ftw,
        theirs->mxcsr, before->fcw, before->fsw, before->ftw, before->mxcsr);
    printf("  fop %#x fip %#" PRIx64 " fdp %#" PRIx64 "; processor: %#x %#" PRIx64 " %#" PRIx64
           "\n",
           regs->fop, regs->fip, regs->fdp, theirs->fop, theirs->fip, theirs->fdp);

    for (unsigned i = 0; i < 32; i++)
        if (memcmp(ours->vector[i], theirs->vector[i], 64) != 0) {
            show_bytes("before ", i, before->vector[i], 64);
            show_bytes("ours   ", i, ours->vector[i], 64);
            show_bytes("theirs ", i, theirs->vector[i], 64);
        }
    for (unsigned i = 0; i < 8; i++)
        if (memcmp(ours->x87[i], theirs->x87[i], 10) != 0) {
            show_bytes("ours   x87", i, ours->x87[i], 10);
            show_bytes("theirs x87", i, theirs->x87[i], 10);
        }
    for (unsigned i = 0; i < 8; i++)
        if (ours->mask[i] != theirs->mask[i])
            printf("  k%u: before %#" PRIx64 ", ours %#" PRIx64 ", theirs %#" PRIx64 "\n", i,
                   before->mask[i], ours->mask[i], theirs->mask[i]);
}
