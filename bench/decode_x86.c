/* SPDX-License-Identifier: MIT */
/*
 * decode.x86.*: svmc_insn_decode beside Zydis's full decode of the same bytes.
 *
 * Either loop reads each field that a hypervisor asks for out of the result. What both libraries
 * can say in the same words goes into sums that must be equal: length, operand size (where the
 * register operand is a general one), access, segment, base, index, scale, displacement, bytes of
 * memory, the register operand with its file and width, the immediate, LOCK and REP, and how often
 * bytes were refused. Identity, class and every operand size go into a sum of each side's own, for
 * the numbers differ. An instruction of which the two do not say the same is left out before (in
 * random bytes: drawn anew), for which of them is right is asked in tests/decode; how many of
 * 10,000 those were is a figure too, and many are a failure. So the sums, which do not see the
 * order, only have to show that the timed loops read what was compared.
 *
 * --count CORPUS: decodes some of a corpus once with each and prints how many, for callgrind.
 * --differ CORPUS: prints where the two differ.
 */
#include <inttypes.h>
#include <unistd.h>
#include <x86intrin.h>
#include <Zydis/Zydis.h>
#include <svmcore/insn.h>

#include "corpus_x86.h"
#include "figure.h"

#define PEER           "zydis-4.0-full"
#define TEXT_FILE      "/usr/lib/x86_64-linux-gnu/libLLVM-14.so.1"
#define TEXT_BYTES     (5u << 20)
#define TEXT_MIN       1000000u /* instructions */
#define RANDOM_BYTES   (16u << 20)
#define SHUFFLED       65536u
#define COUNTED        20000u /* instructions for callgrind */
#define LEFT_OUT_MAX   200.0  /* of 10,000 instructions */
#define COLD_ROUNDS    301u
#define NEAR_ROUNDS    3001u
#define COLD_BYTES     (64u << 20) /* at least, and twice the last cache */
#define NEAR_BYTES     (1u << 20)  /* the same of the second */
#define LANES          4u
#define REGISTER_COUNT ((unsigned)ZYDIS_REGISTER_MAX_VALUE + 1u)

/* What is compared: of one instruction, or summed up over many. */
struct seen {
    uint64_t lane[LANES];
};

struct sums {
    struct seen shared;
    uint64_t own, decoded, refused;
};

struct zydis_reg {
    uint8_t kind, number;
};

/* Where the two libraries mean different things by a field, the peer's is put into our terms (see
 * struct svmc_insn), by a look-up made at start. */
enum {
    STRING = 1,   /* the register is the hidden accumulator or DX */
    NO_ACCESS = 2 /* an address that is not accessed */
};

static const struct row {
    ZydisMnemonic mnemonic;
    uint8_t traits;
} rows[] = {
    { ZYDIS_MNEMONIC_INVLPG, NO_ACCESS }, { ZYDIS_MNEMONIC_MOVSB, STRING },
    { ZYDIS_MNEMONIC_MOVSW, STRING },     { ZYDIS_MNEMONIC_MOVSD, STRING },
    { ZYDIS_MNEMONIC_MOVSQ, STRING },     { ZYDIS_MNEMONIC_CMPSB, STRING },
    { ZYDIS_MNEMONIC_CMPSW, STRING },     { ZYDIS_MNEMONIC_CMPSD, STRING },
    { ZYDIS_MNEMONIC_CMPSQ, STRING },     { ZYDIS_MNEMONIC_STOSB, STRING },
    { ZYDIS_MNEMONIC_STOSW, STRING },     { ZYDIS_MNEMONIC_STOSD, STRING },
    { ZYDIS_MNEMONIC_STOSQ, STRING },     { ZYDIS_MNEMONIC_LODSB, STRING },
    { ZYDIS_MNEMONIC_LODSW, STRING },     { ZYDIS_MNEMONIC_LODSD, STRING },
    { ZYDIS_MNEMONIC_LODSQ, STRING },     { ZYDIS_MNEMONIC_SCASB, STRING },
    { ZYDIS_MNEMONIC_SCASW, STRING },     { ZYDIS_MNEMONIC_SCASD, STRING },
    { ZYDIS_MNEMONIC_SCASQ, STRING },     { ZYDIS_MNEMONIC_INSB, STRING },
    { ZYDIS_MNEMONIC_INSW, STRING },      { ZYDIS_MNEMONIC_INSD, STRING },
    { ZYDIS_MNEMONIC_OUTSB, STRING },     { ZYDIS_MNEMONIC_OUTSW, STRING },
    { ZYDIS_MNEMONIC_OUTSD, STRING },
};

static uint8_t traits[ZYDIS_MNEMONIC_MAX_VALUE + 1];

static const struct svmc_cpu cpu = { .isa = SVMC_ISA_X86_64,
                                     .vendor = SVMC_VENDOR_AMD,
                                     .features = { UINT64_MAX, UINT64_MAX } };
static ZydisDecoder zydis;
static struct zydis_reg zydis_regs[REGISTER_COUNT];
static struct corpus now;
static struct sums ours, theirs;
static uint64_t most = UINT64_MAX; /* instructions a sweep ends after */

static inline void pack(struct seen *s, uint64_t length, uint64_t operand_bytes, uint64_t access,
                        uint64_t segment, uint64_t base, uint64_t index, uint64_t scale)
{
    s->lane[0] = base | access << 8 | index << 16 | length << 24 | segment << 32 |
                 operand_bytes << 40 | scale << 48;
}

static inline void pack_reg(struct seen *s, uint64_t kind, uint64_t reg, uint64_t bytes,
                            uint64_t flags, uint64_t mem_bytes)
{
    s->lane[3] = reg | flags << 8 | bytes << 16 | mem_bytes << 32 | kind << 48;
}

static inline struct seen see_ours(const struct svmc_insn *i)
{
    struct seen s;

    pack(&s, i->length, i->reg_kind == SVMC_REG_KIND_GPR ? i->operand_bytes : 0, i->access,
         i->segment, i->base, i->index, i->scale);
    s.lane[1] = (uint64_t)i->disp;
    s.lane[2] = i->imm;
    pack_reg(&s, i->reg_kind, i->reg, i->reg_bytes,
             i->flags & (SVMC_INSN_LOCK | SVMC_INSN_REP | SVMC_INSN_REPNE),
             i->access ? i->mem_bytes : 0);
    return s;
}

/* A memory operand that struct svmc_insn has: not the stack's of PUSH, CALL,
 * LEAVE and their kin: RSP, RBP. */
static inline bool is_memory(const ZydisDecodedOperand *o)
{
    return o->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN ||
           (zydis_regs[o->mem.base].number & ~1u) != SVMC_REG_RSP;
}

static inline unsigned zydis_access(const ZydisDecodedOperand *o)
{
    static const uint8_t accesses[16] = {
        0, 1, 2, 3, 5, 5, 7, 7, 10, 11, 10, 11, 15, 15, 15, 15,
    };

    return accesses[o->actions & 15u];
}

static inline unsigned zydis_flags(const ZydisDecodedInstruction *z)
{
    return (z->attributes & ZYDIS_ATTRIB_HAS_LOCK ? SVMC_INSN_LOCK : 0u) |
           (z->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE) ? SVMC_INSN_REP : 0u) |
           (z->attributes & ZYDIS_ATTRIB_HAS_REPNE ? SVMC_INSN_REPNE : 0u);
}

/* A register operand that is shown, or the hidden one of a string instruction that holds data. */
static inline bool is_register(const ZydisDecodedOperand *o, unsigned t)
{
    unsigned number = zydis_regs[o->reg.value].number;

    return o->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN ||
           (t & STRING && zydis_regs[o->reg.value].kind == SVMC_REG_KIND_GPR &&
            (number == SVMC_REG_RAX || number == SVMC_REG_RDX));
}

struct parts {
    const ZydisDecodedOperand *mem, *reg, *imm;
};

/* The first of each; a register in ModRM.rm only if there is no other. */
static inline struct parts parts_of(const ZydisDecodedInstruction *z,
                                    const ZydisDecodedOperand *operands, unsigned t)
{
    const ZydisDecodedOperand *rm = NULL, *o;
    struct parts p = { 0 };

    for (unsigned i = 0; i < z->operand_count; i++) {
        o = &operands[i];
        if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) {
            if (o->encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM)
                rm = rm ? rm : o;
            else if ((p.reg == NULL || p.reg->reg.value == ZYDIS_REGISTER_DX) && is_register(o, t))
                p.reg = o;
        } else if (o->type == ZYDIS_OPERAND_TYPE_MEMORY) {
            if (p.mem == NULL && is_memory(o))
                p.mem = o;
        } else if (o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
            if (p.imm == NULL && o->visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT)
                p.imm = o; /* not the 1 of a shift */
        }
    }
    if (p.reg == NULL)
        p.reg = rm;
    return p;
}

static inline uint64_t displacement(const ZydisDecodedOperand *mem,
                                    const ZydisDecodedInstruction *z)
{
    if (!mem->mem.disp.has_displacement)
        return 0;
    if (mem->encoding == ZYDIS_OPERAND_ENCODING_DISP16_32_64 && z->address_width == 32)
        return (uint32_t)mem->mem.disp.value; /* moffs as it stands */
    return (uint64_t)mem->mem.disp.value;
}

static inline struct seen see_theirs(const ZydisDecodedInstruction *z,
                                     const ZydisDecodedOperand *operands)
{
    unsigned t = traits[z->mnemonic], size, kind, bytes = 0, access = 0;
    struct parts p = parts_of(z, operands, t);
    struct seen s = { { 0 } };

    if (p.mem != NULL) {
        access = t & NO_ACCESS ? 0 : zydis_access(p.mem);
        bytes = access ? p.mem->size / 8u : 0;
    }
    kind = p.reg ? zydis_regs[p.reg->reg.value].kind : SVMC_REG_KIND_NONE;
    size = kind == SVMC_REG_KIND_GPR ? z->operand_width / 8u : 0;
    if (p.mem != NULL) {
        pack(&s, z->length, size, access, (unsigned)(p.mem->mem.segment - ZYDIS_REGISTER_ES),
             zydis_regs[p.mem->mem.base].number, zydis_regs[p.mem->mem.index].number,
             p.mem->mem.index == ZYDIS_REGISTER_NONE ? 0 : p.mem->mem.scale);
        s.lane[1] = displacement(p.mem, z);
    } else {
        pack(&s, z->length, size, 0, SVMC_SEG_NONE, SVMC_REG_NONE, SVMC_REG_NONE, 0);
    }
    if (p.imm != NULL && p.imm->imm.is_relative)
        s.lane[1] = p.imm->imm.value.u;
    else if (p.imm != NULL) /* as wide as the operation */
        s.lane[2] = p.imm->imm.value.u & UINT64_MAX >> (64u - z->operand_width);
    pack_reg(&s, kind, p.reg ? zydis_regs[p.reg->reg.value].number : SVMC_REG_NONE,
             p.reg ? p.reg->size / 8u : 0, zydis_flags(z), bytes);
    return s;
}

static inline void add(struct sums *sums, const struct seen *seen, uint64_t own)
{
    sums->shared.lane[0] += seen->lane[0]; /* gcc keeps a loop of four a loop */
    sums->shared.lane[1] += seen->lane[1];
    sums->shared.lane[2] += seen->lane[2];
    sums->shared.lane[3] += seen->lane[3];
    sums->own += own;
    sums->decoded++;
}

/* UD0, UD1 and UD2 are refused: we say what the processor does, Zydis what they are called. */
static inline bool decode_theirs(const uint8_t *bytes, ZydisDecodedInstruction *z,
                                 ZydisDecodedOperand *operands)
{
    return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&zydis, bytes, CORPUS_WINDOW, z, operands)) &&
           (z->mnemonic < ZYDIS_MNEMONIC_UD0 || z->mnemonic > ZYDIS_MNEMONIC_UD2);
}

static __attribute__((noinline)) void sweep_ours(void)
{
    const struct corpus c = now; /* a call could change what is not ours alone */
    const uint64_t last = most;
    struct sums sums = { 0 };
    struct svmc_insn insn;
    struct seen seen;
    size_t step;

    for (size_t at = 0; at < c.count && sums.decoded < last; at += step) {
        step = 1;
        if (svmc_insn_decode(&cpu, c.bytes + at, CORPUS_WINDOW, &insn) == SVMC_OK) {
            seen = see_ours(&insn);
            add(&sums, &seen, (uint64_t)insn.id + insn.insn_class + insn.operand_bytes);
            step = insn.length;
        } else {
            sums.refused++;
        }
        if (c.stride)
            step = c.stride;
    }
    ours = sums;
}

static __attribute__((noinline)) void sweep_theirs(void)
{
    const struct corpus c = now;
    const uint64_t last = most;
    struct sums sums = { 0 };
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    struct seen seen;
    size_t step;

    for (size_t at = 0; at < c.count && sums.decoded < last; at += step) {
        step = 1;
        if (decode_theirs(c.bytes + at, &insn, operands)) {
            seen = see_theirs(&insn, operands);
            add(&sums, &seen,
                (uint64_t)insn.mnemonic + (uint64_t)insn.meta.category + insn.operand_width);
            step = insn.length;
        } else {
            sums.refused++;
        }
        if (c.stride)
            step = c.stride;
    }
    theirs = sums;
}

/* Whether the two say the same about the bytes; *step: how far the next instruction is. */
static bool agree(const uint8_t *bytes, size_t *step, struct seen *a, struct seen *b)
{
    struct svmc_insn insn;
    ZydisDecodedInstruction z;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    bool mine = svmc_insn_decode(&cpu, bytes, CORPUS_WINDOW, &insn) == SVMC_OK;
    bool peer = decode_theirs(bytes, &z, operands);

    *a = *b = (struct seen){ { 0 } };
    *step = peer ? z.length : 1;
    if (mine)
        *a = see_ours(&insn);
    if (peer)
        *b = see_theirs(&z, operands);
    return mine == peer && memcmp(a, b, sizeof *a) == 0;
}

static void redraw(uint8_t *bytes)
{
    static uint64_t rng = 3;

    for (unsigned i = 0; i < CORPUS_WINDOW; i++)
        bytes[i] = (uint8_t)harness_random(&rng);
}

/* Leaves out what the two read differently, or draws it anew. Returns how many of 10,000. */
static double settle(const char *name, struct corpus *c, bool draw, double allowed)
{
    uint64_t places, differ = 0, before;
    size_t step, kept;
    struct seen a, b;
    bool same;

    do { /* what is drawn anew can be read differently by an instruction before it: once more */
        before = differ;
        places = kept = 0;
        for (size_t at = 0; at < c->count; at += step, places++) {
            while (!(same = agree(c->bytes + at, &step, &a, &b)) && draw) {
                differ++;
                redraw(c->bytes + at);
            }
            if (c->stride)
                step = c->stride;
            differ += !same;
            if (same && !draw) {
                memmove(c->bytes + kept, c->bytes + at, step);
                kept += step;
            }
        }
    } while (draw && differ != before);
    if (!draw)
        c->count = kept;
    if ((double)differ * 1e4 > allowed * (double)places)
        corpus_fail(name, "the two decoders differ too often");
    return (double)differ * 1e4 / (double)places;
}

static void same(const char *name)
{
    if (memcmp(&ours.shared, &theirs.shared, sizeof ours.shared) != 0 ||
        ours.decoded != theirs.decoded || ours.refused != theirs.refused)
        corpus_fail(name, "the sums of the two decoders differ");
}

static void measure(const char *name, const struct corpus *c, unsigned passes, unsigned rounds)
{
    now = *c;
    sweep_ours();
    sweep_theirs();
    same(name);
    figure_rounds(name, sweep_ours, PEER, sweep_theirs, passes,
                  (unsigned)(ours.decoded + ours.refused), rounds);
    same(name);
}

/* ---- one decode with nothing of it in the caches, or in the first two ---- */
static uint8_t *cold_walk;
static size_t cold_bytes;
static struct svmc_insn cold_insn;
static ZydisDecodedInstruction cold_zydis;
static ZydisDecodedOperand cold_operands[ZYDIS_MAX_OPERAND_COUNT];
static volatile uint64_t cold_sink;

static __attribute__((noinline)) bool cold_nothing(const uint8_t *bytes)
{
    return bytes[0] != 0;
}

static __attribute__((noinline)) bool cold_ours(const uint8_t *bytes)
{
    return svmc_insn_decode(&cpu, bytes, CORPUS_WINDOW, &cold_insn) == SVMC_OK;
}

static __attribute__((noinline)) bool cold_theirs(const uint8_t *bytes)
{
    return decode_theirs(bytes, &cold_zydis, cold_operands);
}

static __attribute__((noinline)) uint64_t ticks(bool (*work)(const uint8_t *), const uint8_t *bytes)
{
    unsigned core;
    uint64_t from;

    _mm_lfence();
    from = __rdtsc();
    _mm_lfence();
    cold_sink += work(bytes);
    return __rdtscp(&core) - from;
}

/* Ticks of one cold call. The bytes, the result and the clock are warm: a handler's are. */
static double cold_call(bool (*work)(const uint8_t *), const uint8_t *bytes)
{
    uint64_t empty;

    for (size_t i = 0; i < cold_bytes; i += 64)
        cold_walk[i]++;
    memset(&cold_insn, 0, sizeof cold_insn);
    memset(&cold_zydis, 0, sizeof cold_zydis);
    memset(cold_operands, 0, sizeof cold_operands);
    ticks(cold_nothing, bytes);
    empty = ticks(cold_nothing, bytes);
    return (double)ticks(work, bytes) - (double)empty;
}

static double wall_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double tick_ns(void)
{
    double from = wall_ns();
    uint64_t first = __rdtsc();

    while (wall_ns() - from < 2e7)
        ;
    return (wall_ns() - from) / (double)(__rdtsc() - first);
}

/* level: sysconf's name of the last cache that is to be emptied. */
static void measure_cold(const char *name, const struct corpus *c, int level, size_t least,
                         unsigned rounds)
{
    static double a[NEAR_ROUNDS], b[NEAR_ROUNDS];
    double ns = tick_ns();
    long size = sysconf(level);

    cold_bytes = size > 0 && (size_t)size * 2 > least ? (size_t)size * 2 : least;
    cold_walk = corpus_alloc(cold_bytes);
    for (size_t i = 0; i < rounds; i++) {
        a[i] = cold_call(cold_ours, c->bytes + i * CORPUS_RECORD);
        b[i] = cold_call(cold_theirs, c->bytes + i * CORPUS_RECORD);
    }
    figure_print(name, figure_median(a, rounds) * ns, "ns", PEER, figure_median(b, rounds) * ns);
    free(cold_walk);
}

/* ---- corpora ---- */
static struct forms forms;

static struct corpus open_corpus(const char *name)
{
    if (strcmp(name, "exits") == 0)
        return forms.all;
    if (strcmp(name, "shuffled") == 0)
        return corpus_shuffle(&forms.all, SHUFFLED);
    if (strcmp(name, "text") == 0)
        return corpus_text(TEXT_FILE, TEXT_BYTES);
    if (strcmp(name, "random") != 0)
        corpus_fail(name, "no such corpus");
    return corpus_random(RANDOM_BYTES);
}

static void init(void)
{
    if (!ZYAN_SUCCESS(ZydisDecoderInit(&zydis, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) ||
        !ZYAN_SUCCESS(ZydisDecoderEnableMode(&zydis, ZYDIS_DECODER_MODE_AMD_BRANCHES, ZYAN_TRUE)))
        corpus_fail(PEER, "init failed");
    for (unsigned r = 0; r < REGISTER_COUNT; r++) {
        static const uint8_t kinds[] = {
            [ZYDIS_REGCLASS_GPR8] = SVMC_REG_KIND_GPR,
            [ZYDIS_REGCLASS_GPR16] = SVMC_REG_KIND_GPR,
            [ZYDIS_REGCLASS_GPR32] = SVMC_REG_KIND_GPR,
            [ZYDIS_REGCLASS_GPR64] = SVMC_REG_KIND_GPR,
            [ZYDIS_REGCLASS_X87] = SVMC_REG_KIND_X87,
            [ZYDIS_REGCLASS_MMX] = SVMC_REG_KIND_MMX,
            [ZYDIS_REGCLASS_XMM] = SVMC_REG_KIND_VECTOR,
            [ZYDIS_REGCLASS_YMM] = SVMC_REG_KIND_VECTOR,
            [ZYDIS_REGCLASS_ZMM] = SVMC_REG_KIND_VECTOR,
            [ZYDIS_REGCLASS_TMM] = SVMC_REG_KIND_TILE,
            [ZYDIS_REGCLASS_SEGMENT] = SVMC_REG_KIND_SEGMENT,
            [ZYDIS_REGCLASS_TEST] = SVMC_REG_KIND_TEST,
            [ZYDIS_REGCLASS_CONTROL] = SVMC_REG_KIND_CONTROL,
            [ZYDIS_REGCLASS_DEBUG] = SVMC_REG_KIND_DEBUG,
            [ZYDIS_REGCLASS_MASK] = SVMC_REG_KIND_MASK,
            [ZYDIS_REGCLASS_BOUND] = SVMC_REG_KIND_BOUND,
        };
        unsigned class = (unsigned)ZydisRegisterGetClass((ZydisRegister)r);
        unsigned number = (unsigned)(uint8_t)ZydisRegisterGetId((ZydisRegister)r);

        if (r >= ZYDIS_REGISTER_AL && r <= ZYDIS_REGISTER_BL)
            number = r - ZYDIS_REGISTER_AL;
        else if (r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH)
            number = r - ZYDIS_REGISTER_AH;
        else if (r >= ZYDIS_REGISTER_SPL && r <= ZYDIS_REGISTER_R15B)
            number = r - ZYDIS_REGISTER_SPL + 4;
        else if (r == ZYDIS_REGISTER_RIP || r == ZYDIS_REGISTER_EIP)
            number = SVMC_REG_RIP;
        else if (r == ZYDIS_REGISTER_NONE)
            number = SVMC_REG_NONE;
        zydis_regs[r].number = (uint8_t)number;
        zydis_regs[r].kind = class < sizeof kinds ? kinds[class] : SVMC_REG_KIND_NONE;
    }
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        traits[rows[i].mnemonic] = rows[i].traits;
    forms = forms_x86();
}

static int count(const char *name)
{
    now = open_corpus(name);
    if (now.stride == 0 && now.count > COUNTED * 8u)
        now.count = COUNTED * 8u;
    settle(name, &now, strcmp(name, "random") == 0, LEFT_OUT_MAX);
    most = COUNTED;
    sweep_ours();
    sweep_theirs();
    same(name);
    printf("%" PRIu64 "\n", ours.decoded + ours.refused);
    return 0;
}

static int differ(const char *name)
{
    uint64_t places = 0, differ = 0;
    struct seen a, b;
    size_t step;

    now = open_corpus(name);
    for (size_t at = 0; at < now.count; at += now.stride ? now.stride : step, places++) {
        if (agree(now.bytes + at, &step, &a, &b) || differ++ > 199999)
            continue;
        for (unsigned i = 0; i < CORPUS_WINDOW; i++)
            printf("%02x%s", now.bytes[at + i], i + 1 == step ? " | " : " ");
        for (unsigned i = 0; i < LANES; i++)
            printf("\n  %016" PRIx64 " %016" PRIx64 "%s", a.lane[i], b.lane[i],
                   a.lane[i] == b.lane[i] ? "" : " <--");
        printf("\n");
    }
    printf("%" PRIu64 " of %" PRIu64 " differ\n", differ, places);
    return differ != 0;
}

static int dump(void)
{
    return fwrite(forms.all.bytes, forms.integer, 1, stdout) != 1;
}

int main(int argc, char **argv)
{
    struct corpus c;
    double left_out;

    init();
    if (argc == 3 && strcmp(argv[1], "--count") == 0)
        return count(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--differ") == 0)
        return differ(argv[2]);
    if (argc == 2 && strcmp(argv[1], "--integer") == 0)
        return dump();
    left_out = settle("exits", &forms.all, false, LEFT_OUT_MAX);
    if (forms.all.count < FORMS_MIN * CORPUS_RECORD)
        corpus_fail("exits", "too few forms are left");
    figure_value("decode.x86.exits-left-out", left_out, "of-10000");
    measure("decode.x86.exits", &forms.all, 60, FIGURE_ROUNDS);
    c = open_corpus("shuffled");
    measure("decode.x86.shuffled", &c, 1, FIGURE_ROUNDS);
    measure_cold("decode.x86.cold", &c, _SC_LEVEL3_CACHE_SIZE, COLD_BYTES, COLD_ROUNDS);
    measure_cold("decode.x86.cold-near", &c, _SC_LEVEL2_CACHE_SIZE, NEAR_BYTES, NEAR_ROUNDS);
    c = open_corpus("text");
    figure_value("decode.x86.text-left-out", settle("text", &c, false, LEFT_OUT_MAX), "of-10000");
    measure("decode.x86.text", &c, 1, 15);
    if (ours.decoded < TEXT_MIN)
        corpus_fail(TEXT_FILE, "has too little code");
    c = open_corpus("random");
    figure_value("decode.x86.random-left-out", settle("random", &c, true, LEFT_OUT_MAX),
                 "of-10000");
    measure("decode.x86.random", &c, 1, 7);
    return 0;
}
