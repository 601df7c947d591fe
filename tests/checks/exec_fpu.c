/* SPDX-License-Identifier: MIT */
#include "exec_fpu.h"

#include <string.h>

#include "../harness.h"
#include "exec_float.h"
#ifdef __x86_64__
#include <cpuid.h>
#endif

#define MASK_IN_USE 0xe7u /* components of struct stub_state */

bool exec_fpu_is(const struct svmc_insn *insn)
{
#define OP(id, shape, op, who) [SVMC_X86_##id] = true,
    static const bool is[2048] = {
#include "../../src/exec/x86_fpu.def"
    };
#undef OP
    return is[insn->id & 2047];
}

unsigned exec_fpu_area(const struct svmc_insn *insn)
{
    return insn->mem_bytes == 512 ? 16 : insn->mem_bytes == 576 ? 64 : 0;
}

static unsigned draw(uint64_t *seed, unsigned bound)
{
    return (unsigned)(harness_random(seed) >> 33) % bound;
}

/* CPUID takes long in a virtual machine: it is asked once. */
static void describe(struct svmc_exec_x86 *regs)
{
#ifdef __x86_64__
    static _Alignas(16) uint8_t image[512];
    uint32_t a, b, c, d;

    regs->quirks = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
        regs->quirks =
            (b >> 13 & 1 ? 0 : SVMC_FPU_SELECTORS) | (b >> 6 & 1 ? 0 : SVMC_FPU_DATA_POINTER);
    if (!__get_cpuid_count(13, 1, &a, &b, &c, &d) || !(a & 2))
        regs->quirks |= SVMC_FPU_NO_XSAVEC;
    for (unsigned i = 2; i < 10; i++)
        if (__get_cpuid_count(13, i, &a, &b, &c, &d))
            regs->component[i] = (uint16_t)b;
    __asm__ volatile("fxsave %0" : "=m"(image));
    memcpy(&regs->mxcsr_mask, image + 28, 4);
#else
    (void)regs;
#endif
}

void exec_fpu_describe(struct svmc_exec_x86 *regs)
{
    static struct svmc_exec_x86 known;
    static bool asked;

    if (!asked)
        describe(&known);
    asked = true;
    regs->quirks = known.quirks;
    regs->mxcsr_mask = known.mxcsr_mask;
    memcpy(regs->component, known.component, sizeof known.component);
}

static uint64_t real_xcr0(void)
{
    uint32_t a = 0, d = 0;

#ifdef __x86_64__
    if (stub_xcr0() != 0)
        __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
#endif
    return (uint64_t)d << 32 | a;
}

/* 80 bits of all kinds, often near the ends of integers and of the formats of 4 and 8 bytes. */
static void draw_real(uint64_t *seed, uint8_t *at)
{
    static const uint16_t near[8] = { 0,           0x7fff,      16383,        16383 + 60,
                                      16383 - 150, 16383 + 120, 16383 - 1080, 16383 + 1020 };
    static const uint8_t spread[8] = { 1, 1, 70, 8, 34, 12, 70, 8 };
    uint64_t mantissa = harness_random(seed) | (uint64_t)1 << 63;
    unsigned kind = draw(seed, 10), top = draw(seed, 0x8000);

    if (kind < 8)
        top = near[kind] + draw(seed, spread[kind]);
    if (draw(seed, 4) == 0)
        mantissa &= ~(uint64_t)0 << draw(seed, 64);
    if (draw(seed, 6) == 0)
        mantissa |= ((uint64_t)1 << draw(seed, 64)) - 1;
    if (draw(seed, 8) == 0)
        mantissa = (uint64_t)(2 + draw(seed, 2)) << 62; /* infinity, indefinite, powers of two */
    if (draw(seed, 10) == 0)
        mantissa &= harness_random(seed) >> draw(seed, 8); /* without its leading bit */
    if (draw(seed, 24) == 0)
        mantissa = 0;
    top |= draw(seed, 2) << 15;
    memcpy(at, &mantissa, 8);
    memcpy(at + 8, (uint8_t[2]){ (uint8_t)top, (uint8_t)(top >> 8) }, 2);
}

static bool waits(const struct svmc_insn *insn)
{
    return insn->id != SVMC_X86_FNSTCW && insn->id != SVMC_X86_FNSTSW &&
           insn->id != SVMC_X86_FNSTENV && insn->id != SVMC_X86_FNSAVE && !exec_fpu_area(insn);
}

/* To their initial state: a bit for each component but x87. */
static void clear_some(struct stub_state *s, unsigned which)
{
    for (unsigned i = 0; i < 32; i++) {
        memset(s->vector[i], 0, i < 16 && (which & 1) ? 16 : 0);
        memset(s->vector[i] + 16, 0, i < 16 && (which & 2) ? 16 : 0);
        memset(s->vector[i] + 32, 0, i < 16 && (which & 4) ? 32 : 0);
        memset(s->vector[i], 0, i >= 16 && (which & 8) ? 64 : 0);
    }
    if (which & 16)
        memset(s->mask, 0, sizeof s->mask);
}

static bool is_sse_clear(const struct stub_state *s)
{
    unsigned any = 0;

    for (unsigned i = 0; i < 16 * 16; i++)
        any |= s->vector[i / 16][i % 16];
    return any == 0;
}

/* XCR0 and the components that a save can leave out, or a restore init, are all drawn. */
void exec_fpu_draw(uint64_t *seed, const struct svmc_insn *insn, struct stub_state *s,
                   struct svmc_exec_x86 *regs)
{
    unsigned raised = harness_random(seed) >> 40 & 0x7f7f;

    s->fcw = (uint16_t)((harness_random(seed) >> 40 & 0x1f3f) | 0x40);
    if (draw(seed, 2))
        s->fcw |= 0x3f;
    if (waits(insn) && draw(seed, 16) != 0)
        raised &= ~0x3fu | s->fcw; /* nothing is pending */
    s->fsw = (uint16_t)(raised | (raised & ~s->fcw & 0x3fu ? 0x8080u : 0));
    s->ftw = draw(seed, 2) ? 0xff : (uint16_t)(harness_random(seed) >> 40 & 0xff);
    s->fop = harness_random(seed) >> 40 & 0x7ff;
    s->fip = harness_random(seed) >> 17;
    s->fdp = harness_random(seed) >> 17;
    s->mxcsr = exec_float_draw_mxcsr(seed);
    for (unsigned i = 0; i < 8; i++)
        draw_real(seed, s->x87[i]);
    if (exec_fpu_area(insn) && draw(seed, 3) == 0) {
        s->fcw = 0x37f;
        s->fsw = s->ftw = s->fop = 0;
        s->fip = s->fdp = 0;
        memset(s->x87, 0, sizeof s->x87);
    }
    if (exec_fpu_area(insn) && draw(seed, 2))
        clear_some(s, draw(seed, 32));
    /* a switch of tasks in between counts SSE as in use, unless MXCSR is initial, too */
    if (exec_fpu_area(insn) && is_sse_clear(s) && insn->id != SVMC_X86_XSAVEC &&
        insn->id != SVMC_X86_XSAVEC64)
        s->mxcsr = 0x1f80;
    if (exec_fpu_area(insn) == 64) {
        regs->general[SVMC_REG_RAX] = draw(seed, 2) ? MASK_IN_USE : harness_random(seed);
        regs->general[SVMC_REG_RAX] &= ~(real_xcr0() & ~(uint64_t)MASK_IN_USE);
        regs->general[SVMC_REG_RDX] = harness_random(seed);
    }
}

bool exec_fpu_is_too_much(const struct svmc_insn *insn, const struct svmc_exec_x86 *regs,
                          uint64_t linear)
{
    const struct svmc_exec_segment *segment = &regs->segment[insn->segment % 6];

    if ((insn->address_bytes == 2 || segment->limit == 0xffff) && insn->mem_bytes > 10 &&
        (linear - segment->base) % 65536 > 65536 - 2688)
        return true; /* which piece is checked first is the processor's */
    return exec_fpu_area(insn) == 64 &&
           (regs->general[SVMC_REG_RAX] & real_xcr0() & ~(uint64_t)MASK_IN_USE) != 0;
}

static void fill_area(uint64_t *seed, uint8_t *at)
{
    uint64_t state = harness_random(seed) & MASK_IN_USE, format = 0, word;
    uint32_t mxcsr = exec_float_draw_mxcsr(seed);

    memcpy(at + 24, &mxcsr, 4);
    for (unsigned i = 0; i < 8; i++)
        draw_real(seed, at + 32 + 16 * i);
    for (unsigned i = 8; i < 24; i += 8) { /* pointers */
        word = harness_random(seed) >> (draw(seed, 16) ? 17 : 0);
        memcpy(at + i, &word, 8);
    }
    if (draw(seed, 3) == 0)
        state = MASK_IN_USE;
    if (draw(seed, 2))
        format = state | (harness_random(seed) & MASK_IN_USE) | (uint64_t)1 << 63;
    memset(at + 512, 0, 64);
    memcpy(at + 512, &state, 8);
    memcpy(at + 520, &format, 8);
    if (draw(seed, 16) == 0)
        at[512 + 11 + draw(seed, 53)] ^= (uint8_t)(1u << draw(seed, 8)); /* no tile's bit */
    if (draw(seed, 16) == 0)
        at[512 + 8 * draw(seed, 2)] ^= (uint8_t)(1u << draw(seed, 8));
}

void exec_fpu_fill(uint64_t *seed, const struct svmc_insn *insn, uint8_t *at, unsigned n)
{
    uint64_t word;

    for (unsigned i = 0; i + 8 <= n; i += 8) {
        word = harness_random(seed);
        memcpy(at + i, &word, 8);
    }
    if (exec_fpu_area(insn) != 0 && n >= 576 && draw(seed, 16) != 0) {
        fill_area(seed, at);
    } else if (insn->id == SVMC_X86_FBLD && n >= 16) {
        for (unsigned i = 0; i < 9; i++)
            at[i] = (uint8_t)(draw(seed, 10) << 4 | draw(seed, 10));
    } else if (insn->mem_bytes == 10 && n >= 16) {
        draw_real(seed, at);
    } else if (n >= 8 && insn->mem_bytes <= 8 && draw(seed, 4) != 0) {
        exec_float_draw(seed, at, 8);
        if (draw(seed, 4) == 0) /* a small integer */
            memset(at + 1, draw(seed, 2) ? 0xff : 0, 7);
    }
    if (insn->id == SVMC_X86_LDMXCSR && n >= 4 && draw(seed, 4) != 0)
        memset(at + 2, 0, 2);
}
