/* SPDX-License-Identifier: MIT */
/* One case against all references. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "check.h"

/* The verdicts of the case in hand; binutils is asked only when it is needed. */
static struct shape shape;
static struct verdict us, zydis, llvm, binutils;
static bool binutils_asked;
static enum aspect in_doubt;

static const struct verdict *third_vote(struct totals *t)
{
    if (!binutils_asked) {
        binutils_ask(&shape, &binutils);
        binutils_asked = true;
        if (t)
            t->by_binutils++;
    }
    return &binutils;
}

/* Does a reference say what we say, in the aspect that is in doubt? */
static bool sides_with_us(const struct verdict *v)
{
    if (in_doubt == A_ACCEPT || in_doubt == A_REFUSE)
        return v->accepted == us.accepted;
    if (!v->accepted || v->length != us.length)
        return false;
    if (in_doubt == A_LENGTH)
        return true;
    if (!(v->known & (in_doubt & (A_MEMORY | A_SEGMENT) ? KNOWS_MEMORY
                      : in_doubt == A_SIZE              ? KNOWS_SIZE
                                                        : KNOWS_OPERANDS)))
        return false;
    return (verdicts_differ(&us, v).aspects & in_doubt) == 0;
}

static bool witness(unsigned bits)
{
    return ((bits & W_ZYDIS) && sides_with_us(&zydis)) ||
           ((bits & W_LLVM) && sides_with_us(&llvm)) ||
           ((bits & W_BINUTILS) && sides_with_us(third_vote(NULL)));
}

static void show(const char *who, const struct verdict *v)
{
    if (v->accepted)
        printf(" | %s: %u bytes, %.48s", who, v->length, v->text);
    else
        printf(" | %s: refused", who);
}

/* The fields of one verdict, for who must find the one that differs. */
static void show_fields(const char *who, const struct verdict *v)
{
    printf("     %s: id %u, widths %u %u, flags %x, access %u of %u, reg %u.%u of %u, imm %" PRIx64,
           who, v->insn.id, v->insn.operand_bytes, v->insn.address_bytes, v->insn.flags,
           v->insn.access, v->insn.mem_bytes, v->insn.reg_kind, v->insn.reg, v->insn.reg_bytes,
           v->insn.imm);
    for (unsigned i = 0; i < v->count; i++) {
        const struct svmc_operand *o = &v->operands[i];

        printf("; kind %u access %u bytes %u", o->kind, o->access, o->bytes);
        if (o->kind == SVMC_OPERAND_MEM)
            printf(" segment %u base %u index %u*%u (%u of %u) broadcast %u disp %" PRIx64,
                   o->segment, o->base, o->index, o->scale, o->lane_bytes, o->index_bytes,
                   o->broadcast, (uint64_t)o->disp);
        else if (o->kind == SVMC_OPERAND_REG)
            printf(" register %u.%u%s", o->reg_kind, o->reg, o->high ? "h" : "");
        else
            printf(" imm %" PRIx64 " %" PRIx64, o->imm, (uint64_t)o->disp);
    }
    printf("\n");
}

static const char *mode_text(void)
{
    static char text[32];

    snprintf(text, sizeof text, "%u-bit %s%s", shape.mode,
             shape.vendor == SVMC_VENDOR_AMD ? "AMD" : "Intel", shape.old ? " of old" : "");
    return text;
}

static void show_all(void)
{
    struct verdict capstone;

    show("ours", &us);
    if (!us.accepted)
        printf(" (%s, refusal %u)", us.text, us.refusal);
    show("Zydis", &zydis);
    show("LLVM", &llvm);
    show("binutils", third_vote(NULL));
    capstone_ask(&shape, &capstone);
    show("Capstone", &capstone);
    printf(" | encoding %u map %u opcode %02x ModRM %02x pp %u", shape.encoding, shape.map,
           shape.opcode, shape.modrm, shape.pp);
}

static void report(const char *by, const char *why)
{
    fail_begin(mode_text(), by, why, shape.bytes, CASE_BYTES);
    show_all();
    fail_end();
    if (us.accepted && zydis.accepted) {
        show_fields("ours ", &us);
        show_fields("Zydis", &zydis);
    }
}

/* One reference; true: equal or explained. */
static bool agrees(enum reference by, const struct verdict *them, struct totals *t, uint64_t shown)
{
    struct difference d = verdicts_differ(&us, them);
    struct justified_totals *j = &t->justified;

    for (unsigned n = 0; n < ASPECTS; n++) {
        int row;

        if (!(d.aspects >> n & 1))
            continue;
        in_doubt = (enum aspect)(1u << n);
        row = justified_find(by, in_doubt, &shape, witness);
        if (row < 0) {
            if (t->failed < shown)
                report(by == BY_ZYDIS ? "Zydis" : "LLVM", d.why[n]);
            return false;
        }
        if (++j->absorbed[row] % 64 != 0 && j->absorbed[row] >= 1000)
            continue;
        if (in_doubt <= A_LENGTH) {
            j->asked[row]++;
            j->supported[row] += sides_with_us(third_vote(t));
        }
    }
    return true;
}

/* Ways to be wrong; each makes `us` wrong in one way, if it has what that takes. */
static bool falsify(unsigned way)
{
    struct svmc_operand *o = us.count ? &us.operands[us.count - 1] : NULL;

    for (unsigned i = 0; i < us.count && way >= 4 && way <= 8; i++)
        if (us.operands[i].kind == SVMC_OPERAND_MEM)
            o = &us.operands[i];
    if (way >= 4 && (o == NULL || (way <= 8 && o->kind != SVMC_OPERAND_MEM)))
        return false;
    if (way >= 6 && way <= 8 && o->access == SVMC_ACCESS_NONE)
        return false; /* LEA, NOP: no claim */
    switch (way) {
    case 0:
        us.accepted = false;
        return true;
    case 1:
        us.length++;
        return true;
    case 2:
        us.insn.id ^= 1;
        return true;
    case 3:
        us.count += us.count == 0 ? 1 : -1u;
        return true;
    case 4:
        o->disp++;
        return true;
    case 5:
        o->base ^= 1;
        return true;
    case 6:
        o->bytes ^= 1;
        return true;
    case 7:
        o->access ^= SVMC_ACCESS_RW;
        return true;
    case 8:
        o->segment ^= 1;
        return true;
    default:
        o->reg ^= 1, o->imm++;
        return o->kind != SVMC_OPERAND_MEM;
    }
}

const char *const falsified[FALSIFIED] = { "acceptance",           "length",       "identity",
                                           "operand count",        "displacement", "base",
                                           "memory size",          "access",       "segment",
                                           "register or immediate" };

void check_sensitivity(const uint8_t bytes[CASE_BYTES], unsigned mode, uint64_t made[FALSIFIED],
                       uint64_t seen[FALSIFIED])
{
    struct verdict truth;
    struct totals scratch = { 0 };

    shape_read(&shape, bytes, mode, SVMC_VENDOR_AMD);
    binutils_asked = false;
    ours_ask(&shape, &truth);
    if (!truth.accepted)
        return;
    zydis_ask(&shape, &zydis);
    llvm_ask(&shape, &llvm);
    for (unsigned way = 0; way < FALSIFIED; way++) {
        us = truth;
        if (!falsify(way))
            continue;
        made[way]++;
        seen[way] += !agrees(BY_ZYDIS, &zydis, &scratch, 0) || !agrees(BY_LLVM, &llvm, &scratch, 0);
    }
}

void check_show(const uint8_t bytes[CASE_BYTES], unsigned mode, unsigned vendor)
{
    shape_read(&shape, bytes, mode, vendor);
    binutils_asked = false;
    ours_ask(&shape, &us);
    zydis_ask(&shape, &zydis);
    llvm_ask(&shape, &llvm);
    printf("%s", mode_text());
    show_all();
    printf("\n");
    if (us.accepted && zydis.accepted) {
        show_fields("ours ", &us);
        show_fields("Zydis", &zydis);
    }
}

void check_case(const uint8_t bytes[CASE_BYTES], unsigned mode, unsigned vendors, struct totals *t,
                uint64_t shown)
{
    bool failed = false, first = true;

    t->cases++;
    t->modes[mode / 32]++;
    for (unsigned vendor = SVMC_VENDOR_AMD; vendor <= SVMC_VENDOR_INTEL; vendor++) {
        if (!(vendors & 1u << vendor))
            continue;
        shape_read(&shape, bytes, mode, vendor);
        binutils_asked = false;
        ours_ask(&shape, &us);
        /* Zydis knows a vendor only for 66 before near branches in 64-bit mode */
        if (first || (mode == 64 && shape.osize)) {
            zydis_ask(&shape, &zydis);
            t->by_zydis++;
        }
        if (first) {
            llvm_ask(&shape, &llvm);
            t->by_llvm++;
            t->encodings[shape.encoding]++;
            *(us.accepted ? &t->accepted : &t->refused) += 1;
        }
        if (first && (t->cases * 0x9e3779b97f4a7c15u >> 32) % CAPSTONE_OF == 0)
            capstone_count(&shape, &us, &zydis, &llvm, &t->capstone);
        first = false;
        if (us.broken) {
            if (t->failed < shown)
                report("itself", us.broken);
            failed = true;
        }
        failed |= !agrees(BY_ZYDIS, &zydis, t, shown);
        failed |= !agrees(BY_LLVM, &llvm, t, shown);
    }
    /* of one in eight: the meaning the bytes had before; LLVM has no such input */
    if (t->cases % 8 == 0) {
        shape.old = true;
        if (vendors & 1u << SVMC_VENDOR_AMD && t->cases % 16 == 0)
            shape.vendor = SVMC_VENDOR_AMD;
        ours_ask(&shape, &us);
        zydis_ask(&shape, &zydis);
        t->by_zydis++;
        failed |= !agrees(BY_ZYDIS, &zydis, t, shown);
    }
    t->failed += failed;
}
