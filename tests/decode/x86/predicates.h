/* SPDX-License-Identifier: MIT */
/* The predicates of justified.c: each is true of the cases that a row there speaks of. */
#ifndef X86_PREDICATES_H
#define X86_PREDICATES_H
#include "verdict.h"

static bool op_in(const struct shape *s, unsigned map, unsigned first, unsigned last)
{
    return s->encoding == LEGACY && s->map == map && s->opcode >= first && s->opcode <= last;
}

static bool vector_op_in(const struct shape *s, unsigned encoding, unsigned map, unsigned first,
                         unsigned last)
{
    return s->encoding == encoding && s->map == map && s->opcode >= first && s->opcode <= last;
}

static bool escaped(const struct shape *s)
{
    return s->encoding == LEGACY && s->map >= 2;
}

/* ---- LLVM accepts more ---- */

static bool lock(const struct shape *s)
{
    return s->lock;
}

static bool prefixed_vector(const struct shape *s)
{
    return s->encoding >= VEX && (s->osize || s->rep || s->rex);
}

static bool prefix_on_np(const struct shape *s)
{
    return escaped(s) && s->pp != 0;
}

static bool mov_to_segment(const struct shape *s)
{
    return op_in(s, 1, 0x8e, 0x8e);
}

static bool mov_control(const struct shape *s)
{
    return op_in(s, 2, 0x20, 0x23);
}

static bool evex_z_alone(const struct shape *s)
{
    return s->encoding == EVEX && s->z && s->aaa == 0;
}

static bool evex_length_3(const struct shape *s)
{
    return s->encoding == EVEX && s->length == 3;
}

static bool evex_v2_outside(const struct shape *s)
{
    return s->encoding == EVEX && s->mode != 64 && s->vvvv >= 16;
}

static bool complex_half(const struct shape *s)
{
    return vector_op_in(s, EVEX, 6, 0x56, 0x57) || vector_op_in(s, EVEX, 6, 0xd6, 0xd7);
}

static bool gather(const struct shape *s)
{
    return vector_op_in(s, VEX, 2, 0x90, 0x93);
}

static bool evex_gather_outside(const struct shape *s)
{
    return s->mode != 64 && s->r2 && vector_op_in(s, EVEX, 2, 0x90, 0x93);
}

static bool tile(const struct shape *s)
{
    return vector_op_in(s, VEX, 2, 0x49, 0x5e);
}

static bool evex_to_mask(const struct shape *s)
{
    return s->encoding == EVEX && (s->r || s->r2) && s->mode == 64;
}

static bool swapgs_outside(const struct shape *s)
{
    return op_in(s, 2, 0x01, 0x01) && s->mode != 64 && s->modrm == 0xf8;
}

static bool movdir64b_np(const struct shape *s)
{
    return op_in(s, 3, 0xf8, 0xf8) && s->pp == 0;
}

static bool padlock(const struct shape *s)
{
    return op_in(s, 2, 0xa6, 0xa7) && s->modrm >= 0xc0;
}

/* ---- LLVM refuses, or misreads ---- */

static bool vex66_asize(const struct shape *s)
{
    return s->encoding == VEX && s->mode == 64 && s->asize && s->pp == 1;
}

static bool near_branch_66(const struct shape *s)
{
    return s->mode == 64 && s->osize &&
           (op_in(s, 1, 0xe8, 0xe9) || op_in(s, 2, 0x80, 0x8f) ||
            (op_in(s, 1, 0xc7, 0xc7) && s->modrm == 0xf8));
}

static bool int1(const struct shape *s)
{
    return op_in(s, 1, 0xf1, 0xf1);
}

static bool hint_nop(const struct shape *s)
{
    return op_in(s, 2, 0x0d, 0x0d) || op_in(s, 2, 0x18, 0x1f);
}

static bool group_alias(const struct shape *s)
{
    return ((op_in(s, 1, 0xc0, 0xc1) || op_in(s, 1, 0xd0, 0xd3)) && shape_reg(s) == 6) ||
           (op_in(s, 1, 0xf6, 0xf7) && shape_reg(s) == 1);
}

static bool x87_alias(const struct shape *s)
{
    return op_in(s, 1, 0xd8, 0xdf) && s->modrm >= 0xc0;
}

static bool prefix_ignored(const struct shape *s)
{
    return s->pp && (op_in(s, 2, 0x80, 0x8f) || op_in(s, 2, 0x09, 0x09) || op_in(s, 2, 0xbc, 0xbd));
}

static bool pause_prefixed(const struct shape *s)
{
    return op_in(s, 1, 0x90, 0x90) && s->rep == 0xf3 && (s->osize || s->asize || s->rex);
}

static bool pause_rex_b(const struct shape *s)
{
    return op_in(s, 1, 0x90, 0x90) && s->rep == 0xf3 && (s->rex & 1);
}

static bool escaped_in_16(const struct shape *s)
{
    bool short_address = s->mode == 32 && s->asize;

    return escaped(s) && ((s->mode == 16 && (s->osize || s->rep)) || (short_address && s->rep));
}

static bool escaped_66_more(const struct shape *s)
{
    return escaped(s) && ((s->osize && (s->asize || s->rep || s->w)) || (s->rep && s->w));
}

static bool evex_w_ignored(const struct shape *s)
{
    return s->encoding == EVEX && s->w &&
           (vector_op_in(s, EVEX, 1, 0xd1, 0xd1) || vector_op_in(s, EVEX, 1, 0xe1, 0xe1) ||
            vector_op_in(s, EVEX, 1, 0xf1, 0xf1) || vector_op_in(s, EVEX, 3, 0x0f, 0x0f) ||
            vector_op_in(s, EVEX, 5, 0x6e, 0x7e));
}

static bool evex_length_ignored(const struct shape *s)
{
    return s->encoding == EVEX && s->length != 0 && (s->map >= 5 || s->map == 3);
}

static bool evex_b_ignored(const struct shape *s)
{
    return s->encoding == EVEX && s->bcst && s->modrm >= 0xc0 &&
           (vector_op_in(s, EVEX, 1, 0x7a, 0x7b) || vector_op_in(s, EVEX, 1, 0xe6, 0xe6) ||
            vector_op_in(s, EVEX, 1, 0x2a, 0x2a));
}

static bool mask_register_rm(const struct shape *s)
{
    return s->modrm >= 0xc0 && (s->b || s->x) &&
           (vector_op_in(s, VEX, 1, 0x41, 0x4b) || vector_op_in(s, VEX, 1, 0x90, 0x99) ||
            vector_op_in(s, VEX, 3, 0x30, 0x33) || vector_op_in(s, EVEX, 2, 0x28, 0x3a));
}

/* ---- LLVM's text says less ---- */

static bool hidden_memory(const struct shape *s)
{
    return op_in(s, 1, 0xd7, 0xd7) || op_in(s, 1, 0xc9, 0xc9) || op_in(s, 2, 0xf7, 0xf7) ||
           vector_op_in(s, VEX, 1, 0xf7, 0xf7);
}

static bool bound(const struct shape *s)
{
    return op_in(s, 1, 0x62, 0x62);
}

static bool shadow_stack(const struct shape *s)
{
    return s->rep == 0xf3 && (op_in(s, 2, 0x01, 0x01) || op_in(s, 2, 0xae, 0xae));
}

static bool cache_line(const struct shape *s)
{
    return op_in(s, 2, 0xae, 0xae) || op_in(s, 2, 0x1c, 0x1c);
}

static bool affine_broadcast(const struct shape *s)
{
    return vector_op_in(s, EVEX, 3, 0xce, 0xcf) && s->bcst;
}

static bool w_outside(const struct shape *s)
{
    return s->encoding >= VEX && s->encoding <= EVEX && s->mode != 64 && s->w &&
           (s->map == 1 || s->map == 3);
}

static bool gather_size(const struct shape *s)
{
    return vector_op_in(s, VEX, 2, 0x90, 0x93) || vector_op_in(s, EVEX, 2, 0x90, 0x93) ||
           vector_op_in(s, EVEX, 2, 0xa0, 0xa3);
}

static bool gather_prefetch(const struct shape *s)
{
    return vector_op_in(s, EVEX, 2, 0xc6, 0xc7);
}

static bool movq_store(const struct shape *s)
{
    return vector_op_in(s, EVEX, 1, 0x7e, 0x7e) && s->pp == 1 && s->w;
}

static bool notrack(const struct shape *s)
{
    return op_in(s, 1, 0xff, 0xff) && s->segment == 0x3e &&
           (shape_reg(s) == 2 || shape_reg(s) == 4);
}

static bool rdpru(const struct shape *s)
{
    return op_in(s, 2, 0x01, 0x01) && s->modrm == 0xfd;
}

static bool any_ud(const struct shape *s)
{
    return op_in(s, 2, 0xb9, 0xb9) || op_in(s, 2, 0xff, 0xff) || op_in(s, 2, 0x0b, 0x0b);
}

static bool xbegin_16(const struct shape *s)
{
    return s->mode == 16 && op_in(s, 1, 0xc7, 0xc7) && s->modrm == 0xf8;
}

static bool xop_imm_16(const struct shape *s)
{
    return s->mode == 16 && vector_op_in(s, XOP, 10, 0x10, 0x12);
}

/* ---- Zydis ---- */

static bool r13d(const struct shape *s)
{
    return s->mode == 64 && s->asize && shape_mod(s) == 0 && shape_rm(s) == 4 && s->b &&
           (s->bytes[s->at + 1] & 7) == 5;
}

static bool r13d_unseen(const struct shape *s)
{
    return r13d(s) && (escaped_66_more(s) || group_alias(s) || hint_nop(s) || prefix_ignored(s));
}

static bool knights_vex(const struct shape *s)
{
    return s->mode == 64 && s->encoding == VEX && s->map <= 3;
}

static bool knights_mvex(const struct shape *s)
{
    return s->mode == 64 && s->encoding == EVEX && !s->fixed;
}

static bool half_w_outside(const struct shape *s)
{
    return s->mode != 64 && s->w && s->encoding == EVEX && s->map == 5 && s->pp == 2 &&
           ((s->opcode >= 0x2a && s->opcode <= 0x2d) || (s->opcode >= 0x78 && s->opcode <= 0x7b));
}

static bool wbnoinvd(const struct shape *s)
{
    return op_in(s, 2, 0x09, 0x09) && s->rep == 0xf3;
}

static bool vmgexit(const struct shape *s)
{
    return op_in(s, 2, 0x01, 0x01) && s->modrm == 0xd9 && s->rep;
}

/* ---- newer than the references ---- */

static bool newer_than_zydis(const struct shape *s)
{
    return op_in(s, 3, 0xfc, 0xfc) || (op_in(s, 2, 0x01, 0x01) && s->modrm == 0xc6) ||
           (vector_op_in(s, VEX, 2, 0xe0, 0xef) && s->pp == 1) ||
           vector_op_in(s, VEX, 2, 0x50, 0x51) || vector_op_in(s, VEX, 2, 0xb0, 0xb5) ||
           (vector_op_in(s, VEX, 2, 0x72, 0x72) && s->pp == 2) ||
           (vector_op_in(s, VEX, 2, 0x5c, 0x5c) && s->pp == 3);
}

static bool newest(const struct shape *s)
{
    return (op_in(s, 2, 0x01, 0x01) &&
            (s->modrm == 0xc7 || (s->pp >= 2 && (s->modrm == 0xca || s->modrm == 0xfd)))) ||
           (op_in(s, 2, 0x00, 0x00) && shape_reg(s) == 6 && s->pp == 3) ||
           op_in(s, 3, 0xf8, 0xf8) || vector_op_in(s, VEX, 7, 0xf8, 0xf8) ||
           vector_op_in(s, VEX, 2, 0x6c, 0x6c) || vector_op_in(s, VEX, 2, 0xd2, 0xd3) ||
           vector_op_in(s, VEX, 2, 0xcb, 0xcd) || vector_op_in(s, VEX, 2, 0xda, 0xda) ||
           vector_op_in(s, VEX, 3, 0xde, 0xde);
}

static bool prefetchi(const struct shape *s)
{
    return op_in(s, 2, 0x18, 0x18) && s->modrm < 0xc0 && shape_reg(s) >= 6;
}

static bool gone_with_feature(const struct shape *s)
{
    return s->old && (op_in(s, 3, 0xf5, 0xf6) || op_in(s, 2, 0x01, 0x01) ||
                      op_in(s, 2, 0xae, 0xae) || vector_op_in(s, VEX, 2, 0xf2, 0xf7));
}

/* ---- vendors: no reference knows them, but for 66 near branches ---- */

static bool not_on_amd(const struct shape *s)
{
    if (s->vendor != SVMC_VENDOR_AMD)
        return false;
    return (op_in(s, 2, 0x01, 0x01) && s->modrm >= 0xc1 && s->modrm <= 0xc4) ||
           (op_in(s, 2, 0x0d, 0x0d) && s->modrm >= 0xc0) ||
           (s->mode == 64 && op_in(s, 2, 0x34, 0x35)) || (op_in(s, 2, 0x78, 0x79) && s->pp == 0) ||
           (op_in(s, 2, 0xc7, 0xc7) && s->modrm < 0xc0 && shape_reg(s) >= 6) ||
           op_in(s, 3, 0x80, 0x81);
}

static bool not_on_intel(const struct shape *s)
{
    if (s->vendor != SVMC_VENDOR_INTEL)
        return false;
    return (op_in(s, 2, 0x01, 0x01) && s->modrm >= 0xd8 && s->modrm <= 0xdf) ||
           (s->mode != 64 && (op_in(s, 2, 0x05, 0x05) || op_in(s, 2, 0x07, 0x07)));
}

static bool amd_prefetch(const struct shape *s)
{
    return s->vendor == SVMC_VENDOR_AMD && op_in(s, 2, 0x0d, 0x0d);
}

static bool amd_far(const struct shape *s)
{
    return s->vendor == SVMC_VENDOR_AMD && s->w &&
           ((op_in(s, 1, 0xff, 0xff) && (shape_reg(s) == 3 || shape_reg(s) == 5)) ||
            op_in(s, 2, 0xb2, 0xb2) || op_in(s, 2, 0xb4, 0xb5));
}

/* ---- conventions: what the fields of svmc_insn say, and Zydis's do not ---- */

static bool no_access(const struct shape *s)
{
    return op_in(s, 1, 0x8d, 0x8d) || (op_in(s, 2, 0x1a, 0x1b) && s->rep) ||
           (op_in(s, 2, 0x01, 0x01) && s->modrm < 0xc0 && shape_reg(s) == 7);
}

static bool lar_lsl(const struct shape *s)
{
    return op_in(s, 2, 0x02, 0x03);
}

static bool intel_prefetch(const struct shape *s)
{
    return s->vendor == SVMC_VENDOR_INTEL && op_in(s, 2, 0x0d, 0x0d);
}

static bool rep_lods(const struct shape *s)
{
    return s->rep && op_in(s, 1, 0xac, 0xad);
}

static bool movdir64b(const struct shape *s)
{
    return op_in(s, 3, 0xf8, 0xf8) && s->pp == 1;
}

static bool senduipi(const struct shape *s)
{
    return op_in(s, 2, 0xc7, 0xc7) && s->modrm >= 0xf0 && s->rep == 0xf3;
}

static bool scalar_register(const struct shape *s)
{
    return s->encoding == EVEX && s->modrm >= 0xc0;
}

static bool nop_registers(const struct shape *s)
{
    return op_in(s, 2, 0x1a, 0x1c);
}

static bool own_address_size(const struct shape *s)
{
    return (op_in(s, 2, 0x01, 0x01) &&
            (s->modrm == 0xc0 || s->modrm == 0xcf || s->modrm == 0xd7)) ||
           (s->mode == 64 && s->asize && op_in(s, 2, 0x1a, 0x1b) && s->modrm >= 0xc0);
}

static bool extract_128(const struct shape *s)
{
    return vector_op_in(s, VEX, 3, 0x19, 0x19);
}

static bool kept_destination(const struct shape *s)
{
    return op_in(s, 2, 0xbc, 0xbd) || op_in(s, 2, 0x02, 0x03);
}

static bool half_to_mask(const struct shape *s)
{
    return s->encoding == EVEX && s->map == 3 && (s->pp == 0 || s->pp == 2) && !s->w;
}

static bool string_f2(const struct shape *s)
{
    return s->rep == 0xf2 && (op_in(s, 1, 0x6c, 0x6f) || op_in(s, 1, 0xa4, 0xad));
}

static bool sse4a(const struct shape *s)
{
    return op_in(s, 2, 0x78, 0x79) && s->pp;
}

static bool own_width(const struct shape *s)
{
    return op_in(s, 1, 0x27, 0x3f) || op_in(s, 1, 0x63, 0x63) || op_in(s, 1, 0x6d, 0x6f) ||
           op_in(s, 1, 0xd4, 0xd7) || op_in(s, 1, 0xf4, 0xf4) || op_in(s, 2, 0x00, 0x0d) ||
           op_in(s, 2, 0x18, 0x1e) || op_in(s, 2, 0x2a, 0x37) || op_in(s, 2, 0x78, 0x79) ||
           op_in(s, 2, 0xa2, 0xa2) || op_in(s, 2, 0xae, 0xae) || op_in(s, 2, 0xc7, 0xc7);
}

static bool near_branch(const struct shape *s)
{
    return s->mode == 64 && s->osize &&
           (op_in(s, 1, 0xe8, 0xeb) || op_in(s, 2, 0x80, 0x8f) || op_in(s, 1, 0x70, 0x7f) ||
            op_in(s, 1, 0xe0, 0xe3) || op_in(s, 1, 0xc2, 0xc3) ||
            (op_in(s, 1, 0xff, 0xff) && (shape_reg(s) == 2 || shape_reg(s) == 4)));
}

static bool movsxd_16(const struct shape *s)
{
    return s->mode == 64 && op_in(s, 1, 0x63, 0x63) && s->osize && !s->w;
}

static bool lock_mov_cr(const struct shape *s)
{
    return s->lock && (op_in(s, 2, 0x20, 0x20) || op_in(s, 2, 0x22, 0x22));
}

/* ---- the processor, in a process of Linux ---- */

static bool maybe_too_long(const struct shape *s)
{
    return s->at >= 6; /* with SIB, displacement and immediate of 4 bytes it is */
}

static bool sysexit(const struct shape *s)
{
    return op_in(s, 2, 0x35, 0x35);
}

static bool not_in_a_process(const struct shape *s)
{
    return op_in(s, 2, 0xaa, 0xaa) ||
           (op_in(s, 2, 0x01, 0x01) && (s->modrm == 0xca || s->modrm == 0xcb));
}

static bool snp(const struct shape *s)
{
    return op_in(s, 2, 0x01, 0x01) && s->modrm >= 0xfe;
}

static bool runs_on(const struct shape *s)
{
    return (op_in(s, 1, 0xcd, 0xcd) && s->modrm == 0x80) || op_in(s, 2, 0x05, 0x05) ||
           (op_in(s, 1, 0xc7, 0xc7) && s->modrm == 0xf8) ||
           (s->modrm >= 0xc0 && ((op_in(s, 2, 0x00, 0x00) && shape_reg(s) < 2) ||
                                 (op_in(s, 2, 0x01, 0x01) && shape_reg(s) == 4)));
}

static bool hidden_in_cpuid(const struct shape *s)
{
    return (op_in(s, 2, 0x01, 0x01) && (s->modrm == 0xc1 || s->modrm == 0xd7 || s->modrm >= 0xfa ||
                                        (s->modrm >= 0xcc && s->modrm <= 0xcf))) ||
           (op_in(s, 2, 0xae, 0xae) && s->rep == 0xf3 && shape_reg(s) == 4) ||
           (op_in(s, 3, 0xf8, 0xf8) && s->rep != 0) || op_in(s, 4, 0xf0, 0xf0);
}

static bool vmmcall(const struct shape *s)
{
    return op_in(s, 2, 0x01, 0x01) && s->modrm == 0xd9;
}

static bool vmx_operation(const struct shape *s)
{
    return op_in(s, 2, 0x78, 0x79) || op_in(s, 3, 0x80, 0x81) ||
           (op_in(s, 2, 0xc7, 0xc7) && s->modrm < 0xc0 && shape_reg(s) >= 6) ||
           (op_in(s, 2, 0x01, 0x01) && s->modrm >= 0xc2 && s->modrm <= 0xc4);
}

static bool tiles(const struct shape *s)
{
    return vector_op_in(s, VEX, 2, 0x49, 0x6c);
}

static bool vpermq_w0(const struct shape *s)
{
    return vector_op_in(s, VEX, 3, 0x00, 0x01) && !s->w;
}

static bool lock_system(const struct shape *s)
{
    return s->lock && op_in(s, 2, 0x00, 0x00);
}

#endif
