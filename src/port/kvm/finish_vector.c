/* SPDX-License-Identifier: MIT */
/** Registers in the extended state as KVM gives it: XSAVE's standard form, SDM vol. 1, 13.4. */
#include "finish_private.h"

#include <string.h>

#define XSTATE_BV_AT 512u
#define LEGACY_BYTES 512u
#define ST_AT        32u /* 16 bytes each, from the top of the stack on */
#define XMM_AT       160u
#define FSW_AT       2u

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

static bool set(struct svmc_kvm_finish *f, enum component c, size_t from, const void *src, size_t n)
{
    uint8_t *at = part(f, c, from, n);
    uint64_t bv;

    if (at == NULL)
        return false;
    if (!is_in_use(f, c) && c > SSE)
        memset(start(f, c), 0, f->priv.component_bytes[c]);
    memcpy(&bv, f->priv.xsave + XSTATE_BV_AT, sizeof bv);
    bv |= (uint64_t)1 << c;
    memcpy(f->priv.xsave + XSTATE_BV_AT, &bv, sizeof bv);
    memcpy(at, src, n);
    f->priv.wrote = 1;
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

/* MMX: of the physical register: the legacy area begins with the top of the stack. */
static size_t mmx_at(const struct svmc_kvm_finish *f, uint32_t number)
{
    uint16_t fsw = 0;

    if (is_in_use(f, X87))
        memcpy(&fsw, f->priv.xsave + FSW_AT, sizeof fsw);
    return ST_AT + ((number - (fsw >> 11)) & 7) * (size_t)16;
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
    if (kind == SVMC_REG_KIND_MMX && number < 8 && n <= 8)
        return get(f, X87, mmx_at(f, number), dst, n);
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
    if (kind == SVMC_REG_KIND_MMX && number < 8 && n == 8)
        return set(f, X87, mmx_at(f, number), src, n) &&
               set(f, X87, mmx_at(f, number) + 8, ones, sizeof ones);
    if (kind != SVMC_REG_KIND_VECTOR || number >= 32 || n == 0 || n > 64)
        return false;
    for (unsigned i = 0, parts = cut(number, n, c, from, bytes); i < parts; i++) {
        if (!set(f, c[i], from[i], at, bytes[i]))
            return false;
        at += bytes[i];
    }
    return true;
}
