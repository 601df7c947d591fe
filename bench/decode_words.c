/* SPDX-License-Identifier: MIT */
/*
 * decode.a64.text, decode.s390.text, decode.rv.text: svmc_insn_decode on .text of a C library,
 * beside Capstone with detail, or LLVM's disassembler where Debian's Capstone lacks the processor.
 *
 * Either loop reads each field that a hypervisor asks for. The sums of what both can say must be
 * equal: length, and (not LLVM, which answers with a text) base, index and displacement of a memory
 * operand whose base is no program counter. The rest goes into a sum of each side's own. What the
 * two read differently is left out before; how many of 10,000 is a figure too.
 *
 * --count NAME: decodes some with each and prints how many, for callgrind.
 * --differ NAME: prints where the two differ.
 */
#include <inttypes.h>
#include <capstone/capstone.h>
#include <llvm-c/Disassembler.h>
#include <llvm-c/Target.h>
#include <svmcore/insn.h>

#include "corpus.h"
#include "figure.h"

#define TEXT_BYTES  (2u << 20)
#define COUNTED     20000u
#define DROPPED_MAX 100.0 /* of 10,000 instructions */
#define NO_REG      0xffu

struct seen {
    uint64_t place, disp;
};

struct sums {
    struct seen shared;
    uint64_t own, decoded, refused;
};

struct target {
    const char *name, *file, *peer;
    struct svmc_cpu cpu;
    unsigned (*length)(const uint8_t *bytes); /* by the processor's rule, whoever refuses it */
    bool (*theirs)(const uint8_t *bytes, struct seen *seen, uint64_t *own);
    uint8_t pc; /* as a base: the peer then gives an address, which is not compared */
};

static const struct target *now;
static struct corpus corpus;
static struct sums ours, theirs;
static csh capstone;
static cs_insn *capstone_insn;
static LLVMDisasmContextRef llvm;
static uint8_t regs[512]; /* Capstone's number of a general register -> the processor's */

static inline struct seen place(uint64_t length, uint64_t base, uint64_t index, uint64_t disp)
{
    return (struct seen){ length | base << 8 | index << 16, disp };
}

/* ---- ours ---- */
static inline bool see_ours(const uint8_t *bytes, struct seen *seen, uint64_t *own)
{
    struct svmc_insn i;

    if (svmc_insn_decode(&now->cpu, bytes, CORPUS_WINDOW, &i) != SVMC_OK)
        return false;
    *seen = i.base == SVMC_REG_NONE || i.base == now->pc
                ? place(i.length, NO_REG, NO_REG, 0)
                : place(i.length, i.base, i.index, (uint64_t)i.disp);
    *own = (uint64_t)i.disp + i.imm + i.id + i.insn_class + i.flags + i.operand_bytes + i.access +
           i.scale + i.mem_bytes + i.mem_count + i.index_extend + i.reg_kind + i.reg + i.reg_bytes +
           i.reg2;
    return true;
}

/* ---- Capstone ---- */
static inline bool capstone_decode(const uint8_t *bytes)
{
    size_t count = CORPUS_WINDOW;
    uint64_t address = 0;

    return cs_disasm_iter(capstone, &bytes, &count, &address, capstone_insn);
}

static bool see_a64(const uint8_t *bytes, struct seen *seen, uint64_t *own)
{
    const cs_arm64 *detail;
    const cs_arm64_op *o, *mem = NULL, *reg = NULL, *imm = NULL;

    if (!capstone_decode(bytes))
        return false;
    detail = &capstone_insn->detail->arm64;
    for (unsigned i = 0; i < detail->op_count; i++) {
        o = &detail->operands[i];
        if (o->type == ARM64_OP_MEM)
            mem = mem ? mem : o;
        else if (o->type == ARM64_OP_REG)
            reg = reg ? reg : o;
        else if (o->type == ARM64_OP_IMM)
            imm = o;
    }
    *seen = place(capstone_insn->size, NO_REG, NO_REG, 0);
    *own = capstone_insn->id;
    if (mem) {
        *seen = place(capstone_insn->size, regs[mem->mem.base], regs[mem->mem.index],
                      (uint64_t)(mem->mem.disp + (imm && detail->writeback ? imm->imm : 0)));
        *own += mem->access + ((uint64_t)mem->ext << 8) + ((uint64_t)mem->shift.value << 16) +
                ((uint64_t)detail->writeback << 24);
    }
    if (reg)
        *own += (uint64_t)reg->reg << 32;
    if (imm)
        *own += (uint64_t)imm->imm;
    return true;
}

static bool see_s390(const uint8_t *bytes, struct seen *seen, uint64_t *own)
{
    const cs_sysz *detail;
    const cs_sysz_op *o, *mem = NULL, *reg = NULL, *imm = NULL;

    if (!capstone_decode(bytes))
        return false;
    detail = &capstone_insn->detail->sysz;
    for (unsigned i = 0; i < detail->op_count; i++) {
        o = &detail->operands[i];
        if (o->type == SYSZ_OP_MEM)
            mem = mem ? mem : o;
        else if (o->type == SYSZ_OP_REG)
            reg = reg ? reg : o;
        else if (o->type == SYSZ_OP_IMM)
            imm = imm ? imm : o;
    }
    *seen = place(capstone_insn->size, NO_REG, NO_REG, 0);
    *own = capstone_insn->id;
    if (mem) {
        *seen = place(capstone_insn->size, regs[mem->mem.base], regs[mem->mem.index],
                      (uint64_t)mem->mem.disp);
        *own += mem->mem.length;
    }
    if (reg)
        *own += (uint64_t)reg->reg << 32;
    if (imm)
        *own += (uint64_t)imm->imm;
    return true;
}

/* ---- LLVM ---- */
static bool see_rv(const uint8_t *bytes, struct seen *seen, uint64_t *own)
{
    char text[128];
    size_t length = LLVMDisasmInstruction(llvm, (uint8_t *)(uintptr_t)bytes, CORPUS_WINDOW, 0, text,
                                          sizeof text);

    *seen = place(length, NO_REG, NO_REG, 0);
    *own = (uint8_t)text[1];
    return length != 0;
}

/* ---- the loops ---- */
static inline struct sums sweep(bool (*see)(const uint8_t *, struct seen *, uint64_t *))
{
    struct sums s = { 0 };
    struct seen seen;
    uint64_t own;
    size_t step;

    for (size_t at = 0; at < corpus.count; at += step) {
        if (!see(corpus.bytes + at, &seen, &own)) {
            step = now->length(corpus.bytes + at);
            s.refused++;
            continue;
        }
        step = (uint8_t)seen.place;
        s.shared.place += seen.place;
        s.shared.disp += seen.disp;
        s.own += own;
        s.decoded++;
    }
    return s;
}

static __attribute__((noinline)) void sweep_ours(void)
{
    ours = sweep(see_ours);
}

static __attribute__((noinline)) void sweep_theirs(void)
{
    theirs = sweep(now->theirs);
}

/* ---- what is decoded ---- */
static unsigned length_a64(const uint8_t *bytes)
{
    (void)bytes;
    return 4;
}

static unsigned length_rv(const uint8_t *bytes)
{
    return (bytes[0] & 3) == 3 ? 4 : 2;
}

static unsigned length_s390(const uint8_t *bytes)
{
    return bytes[0] < 0x40 ? 2 : bytes[0] < 0xc0 ? 4 : 6;
}

static const struct target targets[] = {
    { .name = "decode.a64.text",
      .file = "/usr/aarch64-linux-gnu/lib/libc.so.6",
      .peer = "capstone-detail",
      .cpu.isa = SVMC_ISA_A64,
      .pc = SVMC_REG_PC,
      .length = length_a64,
      .theirs = see_a64 },
    { .name = "decode.s390.text",
      .file = "/usr/s390x-linux-gnu/lib/libc.so.6",
      .peer = "capstone-detail",
      .cpu.isa = SVMC_ISA_S390X,
      .pc = SVMC_REG_S390_IA,
      .length = length_s390,
      .theirs = see_s390 },
    { .name = "decode.rv.text",
      .file = "/usr/riscv64-linux-gnu/lib/libc.so.6",
      .peer = "llvm-14-text",
      .cpu.isa = SVMC_ISA_RV64,
      .pc = SVMC_REG_RV_PC,
      .length = length_rv,
      .theirs = see_rv },
};

static void name_regs(unsigned first, unsigned count, unsigned number)
{
    for (unsigned i = 0; i < count; i++)
        regs[first + i] = (uint8_t)(number + i);
}

static void open_peer(void)
{
    bool a64 = now->cpu.isa == SVMC_ISA_A64;

    memset(regs, NO_REG, sizeof regs);
    if (now->theirs == see_rv) {
        LLVMInitializeRISCVTargetInfo();
        LLVMInitializeRISCVTargetMC();
        LLVMInitializeRISCVDisassembler();
        llvm = LLVMCreateDisasmCPUFeatures("riscv64-linux-gnu", "generic-rv64", "+m,+a,+f,+d,+c",
                                           NULL, 0, NULL, NULL);
        if (llvm == NULL)
            corpus_fail(now->peer, "init failed");
        return;
    }
    if (cs_open(a64 ? CS_ARCH_ARM64 : CS_ARCH_SYSZ, a64 ? CS_MODE_ARM : CS_MODE_BIG_ENDIAN,
                &capstone) != CS_ERR_OK ||
        cs_option(capstone, CS_OPT_DETAIL, CS_OPT_ON) != CS_ERR_OK)
        corpus_fail(now->peer, "init failed");
    capstone_insn = cs_malloc(capstone);
    if (a64) {
        name_regs(ARM64_REG_X0, 29, SVMC_REG_X0);
        name_regs(ARM64_REG_W0, 31, SVMC_REG_X0);
        regs[ARM64_REG_X29] = SVMC_REG_X0 + 29;
        regs[ARM64_REG_X30] = SVMC_REG_X30;
        regs[ARM64_REG_SP] = SVMC_REG_SP;
        regs[ARM64_REG_XZR] = regs[ARM64_REG_WZR] = SVMC_REG_XZR;
    } else {
        name_regs(SYSZ_REG_0, 16, SVMC_REG_S390_R0);
    }
}

/* Instructions that the two read differently are left out: which of them is right is not asked
 * here. Returns how many of 10,000 that were. */
static double settle(bool print)
{
    size_t kept = 0, count = 0, dropped = 0, step;
    struct seen a, b;
    uint64_t own;
    bool mine, peer;

    for (size_t at = 0; at < corpus.count; at += step, count++) {
        step = now->length(corpus.bytes + at);
        if (step > corpus.count - at) /* data may stand behind the code */
            break;
        a = b = (struct seen){ 0 };
        mine = see_ours(corpus.bytes + at, &a, &own);
        peer = now->theirs(corpus.bytes + at, &b, &own);
        if (now->theirs == see_rv)
            a = mine ? place(a.place & 0xff, NO_REG, NO_REG, 0) : a;
        if (mine == peer && memcmp(&a, &b, sizeof a) == 0) {
            memmove(corpus.bytes + kept, corpus.bytes + at, step);
            kept += step;
            continue;
        }
        dropped++;
        if (print) {
            for (size_t i = 0; i < step; i++)
                printf("%02x", corpus.bytes[at + i]);
            printf(" %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIx64 "\n", a.place, a.disp, b.place,
                   b.disp);
        }
    }
    corpus.count = kept;
    return (double)dropped * 1e4 / (double)count;
}

static void same(void)
{
    if (now->theirs != see_rv && memcmp(&ours.shared, &theirs.shared, sizeof ours.shared) != 0)
        corpus_fail(now->name, "the sums of the two decoders differ");
    if (ours.decoded != theirs.decoded || ours.refused != theirs.refused)
        corpus_fail(now->name, "the counts of the two decoders differ");
}

static void run(const struct target *t, const char *mode)
{
    double dropped;
    char name[64];

    now = t;
    open_peer();
    corpus = corpus_text(t->file, TEXT_BYTES);
    if (mode && strcmp(mode, "--count") == 0 && corpus.count > COUNTED * 4)
        corpus.count = COUNTED * 4;
    dropped = settle(mode && strcmp(mode, "--differ") == 0);
    if (mode && strcmp(mode, "--differ") == 0) {
        printf("%.1f of 10,000 differ\n", dropped);
        return;
    }
    if (!mode && dropped > DROPPED_MAX) /* the first part alone can have more */
        corpus_fail(t->name, "the two decoders differ too often");
    snprintf(name, sizeof name, "%s-left-out", t->name);
    if (!mode)
        figure_value(name, dropped, "of-10000");
    sweep_ours();
    sweep_theirs();
    same();
    if (mode)
        printf("%" PRIu64 "\n", ours.decoded + ours.refused);
    else
        figure_rounds(t->name, sweep_ours, t->peer, sweep_theirs, 1,
                      (unsigned)(ours.decoded + ours.refused), 15);
    same();
}

int main(int argc, char **argv)
{
    bool found = false;

    for (unsigned i = 0; i < sizeof targets / sizeof targets[0]; i++)
        if (argc == 1 || (argc == 3 && strcmp(argv[2], targets[i].name) == 0)) {
            run(&targets[i], argc == 3 ? argv[1] : NULL);
            found = true;
        }
    return !found;
}
