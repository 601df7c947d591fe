/* SPDX-License-Identifier: MIT */
/** finish.S: one instruction of finish.def each, on RAM or on the device. */
#ifndef GUESTS_FINISH_H
#define GUESTS_FINISH_H

#define FORM_FLAGS 0x20 /* offsets, for the assembly */
#define FORM_X87   0x30
#define FORM_XMM_0 0x40
#define FORM_XMM_1 0x50
#define FORM_YMM   0x60
#define FORM_AT    0x80

#ifndef __ASSEMBLER__
#include <stdint.h>

/** What the instruction meets, and what it leaves. */
struct form {
    uint64_t rax, rbx, rcx, rdx;
    uint64_t flags, reserved;
    uint8_t x87[16]; /* what FLD has loaded */
    uint8_t xmm[2][16];
    uint8_t ymm[32];
    uint64_t at;
};

_Static_assert(__builtin_offsetof(struct form, flags) == FORM_FLAGS, "offset in the assembly");
_Static_assert(__builtin_offsetof(struct form, x87) == FORM_X87, "offset in the assembly");
_Static_assert(__builtin_offsetof(struct form, xmm) == FORM_XMM_0, "offset in the assembly");
_Static_assert(__builtin_offsetof(struct form, ymm) == FORM_YMM, "offset in the assembly");
_Static_assert(__builtin_offsetof(struct form, at) == FORM_AT, "offset in the assembly");

#define FORM(name, bytes, flags, scans, insn, behind) void form_##name(void *form);
#include "finish.def"
#undef FORM
#endif

#endif
