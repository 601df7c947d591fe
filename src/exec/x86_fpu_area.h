/* SPDX-License-Identifier: MIT */
/** The areas of FXSAVE and XSAVE (SDM vol. 1 10.5, chapter 13): what their files share. */
#ifndef EXEC_X86_FPU_AREA_H
#define EXEC_X86_FPU_AREA_H
#include "x86_fpu.h"

#define AREA_X87   0x1u /* state components: SDM vol. 1 13.1 */
#define AREA_SSE   0x2u
#define AREA_AVX   0x4u
#define AREA_MASKS 0x20u
#define AREA_UPPER 0x40u /* bits 511:256 of the first 16 registers */
#define AREA_HIGH  0x80u /* the other 16 */
#define AREA_PKRU  0x200u
#define AREA_KNOWN \
    (AREA_X87 | AREA_SSE | AREA_AVX | AREA_MASKS | AREA_UPPER | AREA_HIGH | AREA_PKRU)
#define AREA_COMPACT ((uint64_t)1 << 63)

#define AREA_AT_MXCSR    24u
#define AREA_AT_ST       32u
#define AREA_AT_XMM      160u
#define AREA_AT_HEADER   512u
#define AREA_AT_EXTENDED 576u
#define AREA_MAX         EXEC_PAGE /* so two pages at most */
#define AREA_COMPONENTS  10u

#define AREA_MXCSR_INIT 0x1f80u

/* What one of them is about, and where in the record's data its pieces are. */
struct area {
    struct x86_run *e;
    struct exec_span span; /* of the bytes from `from` on */
    uint64_t compact;      /* XCOMP_BV, or 0 */
    uint32_t wanted;       /* components that are saved or restored */
    uint32_t there;        /* of these, those that are not in their initial state */
    const uint8_t *st, *vectors, *high, *masks;
    uint8_t registers; /* vector registers that the mode has */
    uint8_t width;     /* bytes of them that are read or written */
    uint16_t from;
    bool xsave;
};

static inline bool area_is_zero(const uint8_t *data, unsigned count, unsigned stride,
                                unsigned bytes)
{
    uint64_t any = 0;

    for (unsigned i = 0; i < count; i++)
        for (unsigned n = 0; n < bytes; n += 8)
            any |= core_load_le64(data + i * stride + n);
    return any == 0;
}

static inline bool area_is_long(const struct area *a)
{
    return a->e->wide && (a->e->insn->priv_raw[1] & PREFIX_W);
}

static inline bool area_refuse(struct x86_run *e)
{
    return svmc_exec_fault(&e->r, VECTOR_GP, true, 0);
}

/** XE-81: a call's accesses are 64 at most, and it may go on at once in the next. */
bool svmc_exec_x86_area_may_access(struct x86_run *e);

/** Where component n begins (XE-58), and where the last of them ends. */
unsigned svmc_exec_x86_area_place(const struct area *a, unsigned n);
unsigned svmc_exec_x86_area_end(const struct area *a, uint32_t components);

/** Without x87, SSE and MXCSR the first 512 bytes are left alone. components: that are touched. */
unsigned svmc_exec_x86_area_start(const struct area *a, uint32_t components);

/** What is touched of the area, up to `end`: on one page or two. */
bool svmc_exec_x86_area_reach(struct area *a, unsigned from, unsigned end, uint32_t access);

/** So much of it: NULL, or where it lies in the record. */
const uint8_t *svmc_exec_x86_area_read(struct area *a, unsigned from, unsigned bytes);

/** `bytes` of each of `count` registers, one behind the other: the same. */
const uint8_t *svmc_exec_x86_area_registers(struct area *a, unsigned kind, unsigned first,
                                            unsigned count, unsigned bytes);

bool svmc_exec_x86_area_save(struct area *a);
bool svmc_exec_x86_area_restore(struct area *a);

#endif
