/* SPDX-License-Identifier: MIT */
/** Registers in the extended state as KVM gives it: XSAVE's standard form, SDM vol. 1, 13.4. */
#include "finish_private.h"

#include <string.h>

#define XSTATE_BV_AT 512u
#define LEGACY_BYTES 512u
#define FCW_AT       0u
#define FSW_AT       2u
#define FTW_AT       4u
#define FOP_AT       6u
#define FIP_AT       8u
#define FDP_AT       16u
#define MXCSR_AT     24u
#define MASK_AT      28u
#define ST_AT        32u /* 16 bytes each, from the top of the stack on */
#define ST_BYTES     128u
#define XMM_AT       160u
#define XMM_BYTES    256u
#define FCW_RESET    0x037fu
#define TOP_OF(fsw)  ((unsigned)(fsw) >> 11 & 7)

enum component { X87 = 0, SSE = 1, AVX = 2, MASKS = 5, ZMM_HIGH = 6, ZMM_MORE = 7, PKRU = 9 };

static uint8_t *start(const struct svmc_kvm_finish *f, enum component c)
{
    return f->priv.xsave + (c > SSE ? f->priv.component_at[c] : 0);
}

/* [from, from + n) of a register lies in one component, or in none that there is. */
static uint8_t *part(const struct svmc_kvm_finish *f, enum component c, size_t from, size_t n)
{
    const size_t bytes = c > SSE ? f->priv.component_bytes[c] : LEGACY_BYTES;

    return from <= bytes && n <= bytes - from ? start(f, c) + from : NULL;
}

static bool is_in_use(const struct svmc_kvm_finish *f, enum component c)
{
    uint64_t bv;

    memcpy(&bv, f->priv.xsave + XSTATE_BV_AT, sizeof bv);
    return (bv >> c & 1) != 0;
}

/* What is not in use is all zeros, whatever lies there: SDM vol. 1, 13.6. */
static bool get(const struct svmc_kvm_finish *f, enum component c, size_t from, void *dst, size_t n)
{
    const uint8_t *at = part(f, c, from, n);

    if (at == NULL)
        return false;
    if (is_in_use(f, c))
        memcpy(dst, at, n);
    else
        memset(dst, 0, n);
    return true;
}

/* From now on the component is in use: what it holds until then is its first state. */
static void use(struct svmc_kvm_finish *f, enum component c)
{
    static const uint16_t fcw = FCW_RESET;
    uint64_t bv;

    f->priv.wrote = 1;
    if (is_in_use(f, c))
        return;
    if (c == X87) {
        memset(f->priv.xsave, 0, MXCSR_AT);
        memset(f->priv.xsave + ST_AT, 0, ST_BYTES);
        memcpy(f->priv.xsave + FCW_AT, &fcw, sizeof fcw);
    } else if (c == SSE) {
        memset(f->priv.xsave + XMM_AT, 0, XMM_BYTES);
    } else {
        memset(start(f, c), 0, f->priv.component_bytes[c]);
    }
    memcpy(&bv, f->priv.xsave + XSTATE_BV_AT, sizeof bv);
    bv |= (uint64_t)1 << c;
    memcpy(f->priv.xsave + XSTATE_BV_AT, &bv, sizeof bv);
}

static bool set(struct svmc_kvm_finish *f, enum component c, size_t from, const void *src, size_t n)
{
    uint8_t *at = part(f, c, from, n);

    if (at == NULL)
        return false;
    use(f, c);
    memcpy(at, src, n);
    return true;
}

/* The parts of a vector register: where each is, and how many bytes. */
static unsigned cut(uint32_t number, size_t n, enum component c[3], size_t from[3], size_t bytes[3])
{
    if (number >= 16) {
        c[0] = ZMM_MORE;
        from[0] = (number - 16) * (size_t)64;
        bytes[0] = n;
        return 1;
    }
    c[0] = SSE;
    from[0] = XMM_AT + number * (size_t)16;
    bytes[0] = n < 16 ? n : 16;
    c[1] = AVX;
    from[1] = number * (size_t)16;
    bytes[1] = n < 32 ? n - bytes[0] : 16;
    c[2] = ZMM_HIGH;
    from[2] = number * (size_t)32;
    bytes[2] = n > 32 ? n - 32 : 0;
    return bytes[2] ? 3 : bytes[1] ? 2 : 1;
}

/* XSAVE has the x87 registers from the top of the stack on, the executor by their own numbers. */
static void turn(uint8_t *st, unsigned by)
{
    uint8_t copy[ST_BYTES];

    memcpy(copy, st, sizeof copy);
    for (unsigned i = 0; i < 8; i++)
        memcpy(st + (size_t)16 * ((i + by) & 7), copy + (size_t)16 * i, 16);
}

void svmc_kvm_finish_fill(struct svmc_kvm_finish *f)
{
    struct svmc_exec_x86 *r = &f->priv.regs;
    const uint8_t *at = f->priv.xsave;

    memcpy(&r->mxcsr, at + MXCSR_AT, sizeof r->mxcsr);
    memcpy(&r->mxcsr_mask, at + MASK_AT, sizeof r->mxcsr_mask);
    memcpy(r->component, f->priv.component_at, sizeof r->component);
    (void)get(f, PKRU, 0, &r->pkru, sizeof r->pkru); /* stays 0 */
    r->quirks = f->priv.quirks;
    r->fcw = FCW_RESET;
    r->fsw = r->ftw = 0;
    if (is_in_use(f, X87)) {
        memcpy(&r->fcw, at + FCW_AT, sizeof r->fcw);
        memcpy(&r->fsw, at + FSW_AT, sizeof r->fsw);
        r->ftw = at[FTW_AT];
        memcpy(&r->fop, at + FOP_AT, sizeof r->fop);
        memcpy(&r->fip, at + FIP_AT, sizeof r->fip);
        memcpy(&r->fdp, at + FDP_AT, sizeof r->fdp);
        turn(f->priv.xsave + ST_AT, TOP_OF(r->fsw));
    }
    f->priv.old_fpu = (struct svmc_kvm_finish_fpu){ r->mxcsr, r->fcw, r->fsw, r->ftw,
                                                    r->fop,   r->fip, r->fdp, r->pkru };
    f->priv.drained = 0;
}

void svmc_kvm_finish_drain(struct svmc_kvm_finish *f)
{
    const struct svmc_exec_x86 *r = &f->priv.regs;
    const struct svmc_kvm_finish_fpu *old = &f->priv.old_fpu;
    uint8_t *at = f->priv.xsave;

    if (f->priv.drained)
        return;
    f->priv.drained = 1;
    if (r->fcw != old->fcw || r->fsw != old->fsw || r->ftw != old->ftw || r->fop != old->fop ||
        r->fip != old->fip || r->fdp != old->fdp)
        use(f, X87);
    if (r->mxcsr != old->mxcsr)
        use(f, SSE); /* KVM takes it with one of SSE and AVX alone */
    if (is_in_use(f, X87)) {
        memcpy(at + FCW_AT, &r->fcw, sizeof r->fcw);
        memcpy(at + FSW_AT, &r->fsw, sizeof r->fsw);
        at[FTW_AT] = (uint8_t)r->ftw;
        memcpy(at + FOP_AT, &r->fop, sizeof r->fop);
        memcpy(at + FIP_AT, &r->fip, sizeof r->fip);
        memcpy(at + FDP_AT, &r->fdp, sizeof r->fdp);
        turn(at + ST_AT, 8 - TOP_OF(r->fsw));
    }
    memcpy(at + MXCSR_AT, &r->mxcsr, sizeof r->mxcsr);
    if (r->pkru != old->pkru)
        (void)set(f, PKRU, 0, &r->pkru, sizeof r->pkru); /* it was there to be read */
}

bool svmc_kvm_finish_get_vector(const struct svmc_kvm_finish *f, uint32_t kind, uint32_t number,
                                void *dst, size_t n)
{
    enum component c[3];
    size_t from[3], bytes[3];
    uint8_t *to = dst;

    if (kind == SVMC_REG_KIND_CONTROL && number == 0 && n == 4)
        return get(f, PKRU, 0, dst, n);
    if (kind == SVMC_REG_KIND_MASK && number < 8 && n <= 8)
        return get(f, MASKS, number * (size_t)8, dst, n);
    if ((kind == SVMC_REG_KIND_MMX || kind == SVMC_REG_KIND_X87) && number < 8 && n <= 10)
        return get(f, X87, ST_AT + number * (size_t)16, dst, n);
    if (kind != SVMC_REG_KIND_VECTOR || number >= 32 || n == 0 || n > 64)
        return false;
    for (unsigned i = 0, parts = cut(number, n, c, from, bytes); i < parts; i++) {
        if (!get(f, c[i], from[i], to, bytes[i]))
            return false;
        to += bytes[i];
    }
    return true;
}

bool svmc_kvm_finish_set_vector(struct svmc_kvm_finish *f, uint32_t kind, uint32_t number,
                                const void *src, size_t n)
{
    static const uint8_t ones[2] = { 0xff, 0xff };
    enum component c[3];
    size_t from[3], bytes[3];
    const uint8_t *at = src;

    if (kind == SVMC_REG_KIND_MASK && number < 8 && n <= 8)
        return set(f, MASKS, number * (size_t)8, src, n);
    if (kind == SVMC_REG_KIND_X87 && number < 8 && n <= 10)
        return set(f, X87, ST_AT + number * (size_t)16, src, n);
    if (kind == SVMC_REG_KIND_MMX && number < 8 && n == 8)
        return set(f, X87, ST_AT + number * (size_t)16, src, n) &&
               set(f, X87, ST_AT + number * (size_t)16 + 8, ones, sizeof ones);
    if (kind != SVMC_REG_KIND_VECTOR || number >= 32 || n == 0 || n > 64)
        return false;
    for (unsigned i = 0, parts = cut(number, n, c, from, bytes); i < parts; i++) {
        if (!set(f, c[i], from[i], at, bytes[i]))
            return false;
        at += bytes[i];
    }
    return true;
}
