/* SPDX-License-Identifier: MIT */
/*
 * Every row of x86.dat can be reached: a walk over all maps, opcodes, mandatory prefixes, widths,
 * lengths and kinds of ModRM must end at every leaf of the tables at least once. A leaf is what a
 * row says: identity, operand format, trait; rows that say the same share it.
 */
#include <stdlib.h>
#include "../decode_rows.h"
#include "decode/x86/x86_names.h"
#include "decode/x86/x86_tables.h"

#define LEAVES_MAX 8192u

static struct {
    uint32_t word;
    bool seen;
} leaves[LEAVES_MAX];
static size_t leaf_count;

static int by_word(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b; /* the first member */

    return (x > y) - (x < y);
}

/* Words of a map, a list or the nodes that are leaves and no refusals. */
static void add_leaves(const uint32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(words[i] >> 31) && (words[i] & 0x7ff) && leaf_count < LEAVES_MAX)
            leaves[leaf_count++].word = words[i];
}

#define ADD_LEAVES(table) add_leaves(table, sizeof table / sizeof table[0])

static void collect_leaves(void)
{
    size_t kept = 0;

    ADD_LEAVES(svmc_x86_map_1);
    ADD_LEAVES(svmc_x86_map_0f);
    ADD_LEAVES(svmc_x86_space_entries);
    ADD_LEAVES(svmc_x86_nodes);
    ADD_LEAVES(svmc_x86_row_leaf);
    CHECK(leaf_count > 1000 && leaf_count < LEAVES_MAX, "%zu leaves", leaf_count);
    qsort(leaves, leaf_count, sizeof leaves[0], by_word);
    for (size_t i = 0; i < leaf_count; i++)
        if (i == 0 || leaves[i].word != leaves[kept - 1].word)
            leaves[kept++] = leaves[i];
    leaf_count = kept;
}

struct walk {
    struct svmc_cpu cpu;
    uint8_t bytes[15];
    unsigned at; /* bytes before the opcode */
};

static void mark(const struct walk *w)
{
    size_t low = 0, high = leaf_count, middle;
    struct svmc_insn insn;

    if (svmc_insn_decode(&w->cpu, w->bytes, sizeof w->bytes, &insn) != SVMC_OK)
        return;
    while (high - low > 1) {
        middle = low + (high - low) / 2;
        if (leaves[middle].word <= insn.priv_raw[0])
            low = middle;
        else
            high = middle;
    }
    leaves[low].seen |= leaves[low].word == insn.priv_raw[0];
}

/* All opcodes with every reg: of mod 3 every rm, of mod 0 [rax] and a SIB byte. */
static void walk_map(struct walk *w)
{
    for (unsigned opcode = 0; opcode < 256; opcode++) {
        w->bytes[w->at] = (uint8_t)opcode;
        for (unsigned reg = 0; reg < 8; reg++) {
            w->bytes[w->at + 1] = (uint8_t)(reg << 3);
            mark(w);
            w->bytes[w->at + 1] = (uint8_t)(reg << 3 | 4);
            w->bytes[w->at + 2] = 0x28; /* [rax+rbp], or with register 5 as vector index */
            mark(w);
            w->bytes[w->at + 2] = 0;
            for (unsigned rm = 0; rm < 8; rm++) {
                w->bytes[w->at + 1] = (uint8_t)(0xc0 | reg << 3 | rm);
                mark(w);
            }
        }
    }
}

static void start(struct walk *w, const uint8_t *bytes, unsigned count)
{
    memset(w->bytes, 0, sizeof w->bytes);
    memcpy(w->bytes, bytes, count);
    w->at = count;
}

static void walk_legacy(struct walk *w, bool rex_w)
{
    static const uint8_t pp[4] = { 0x3e, 0x66, 0xf3, 0xf2 }; /* 3E: no mandatory prefix */
    static const uint8_t maps[4][3] = { { 0 }, { 1, 0x0f }, { 2, 0x0f, 0x38 }, { 2, 0x0f, 0x3a } };

    for (unsigned p = 0; p < 4; p++)
        for (unsigned map = 0; map < 4; map++) {
            uint8_t bytes[4] = { pp[p] };
            unsigned n = 1;

            if (rex_w)
                bytes[n++] = 0x48;
            for (unsigned i = 1; i <= maps[map][0]; i++)
                bytes[n++] = maps[map][i];
            start(w, bytes, n);
            walk_map(w);
        }
}

static void walk_3dnow(struct walk *w)
{
    static const uint8_t escape[] = { 0x0f, 0x0f, 0x00 };

    for (unsigned suffix = 0; suffix < 256; suffix++) {
        start(w, escape, sizeof escape);
        w->bytes[w->at] = (uint8_t)suffix;
        mark(w);
    }
}

/* VEX of three bytes and XOP: vvvv is 1111, which is register 0 too. */
static void walk_vex(struct walk *w)
{
    for (unsigned p1 = 0; p1 < 16; p1++) { /* W, L, pp */
        unsigned payload = (p1 & 8) << 4 | 0x78 | (p1 & 7);

        for (unsigned map = 1; map < 11; map++) {
            uint8_t bytes[] = { map < 8 ? 0xc4 : 0x8f, (uint8_t)(0xe0 | map), (uint8_t)payload };

            start(w, bytes, sizeof bytes);
            if (map < 4 || map > 7)
                walk_map(w);
        }
    }
}

static void walk_evex(struct walk *w, unsigned mask)
{
    for (unsigned p1 = 0; p1 < 8; p1++) /* W, pp */
        for (unsigned length = 0; length < 3; length++)
            for (unsigned map = 1; map < 7; map++) {
                uint8_t bytes[] = { 0x62, (uint8_t)(0xf0 | map),
                                    (uint8_t)((p1 & 4) << 5 | 0x7c | (p1 & 3)),
                                    (uint8_t)(length << 5 | 8 | mask) };

                start(w, bytes, sizeof bytes);
                walk_map(w);
            }
}

TEST(decode, every_row_is_reached)
{
    struct walk w = { .at = 0 };

    collect_leaves();
    for (unsigned isa = SVMC_ISA_X86_32; isa <= SVMC_ISA_X86_64; isa++)
        for (unsigned vendor = AMD; vendor <= INTEL; vendor++) {
            w.cpu = cpu_of(isa, vendor);
            walk_legacy(&w, false);
            if (isa == SVMC_ISA_X86_64)
                walk_legacy(&w, true);
            w.cpu.features[0] = w.cpu.features[1] = 0; /* LZCNT is BSR, MPX is NOP */
            walk_legacy(&w, false);
        }
    for (unsigned isa = SVMC_ISA_X86_32; isa <= SVMC_ISA_X86_64; isa++) {
        w.cpu = cpu_of(isa, AMD);
        walk_3dnow(&w);
        walk_vex(&w);
        walk_evex(&w, 0);
        walk_evex(&w, 1);
    }
    for (size_t i = 0; i < leaf_count; i++) {
        uint32_t word = leaves[i].word, id = word & 0x7ff;

        CHECK(leaves[i].seen, "id %u %.*s, form %u, trait %u", id,
              x86_name_at[id + 1] - x86_name_at[id], x86_name_text + x86_name_at[id],
              word >> 11 & 0x3ff, word >> 21);
    }
}
