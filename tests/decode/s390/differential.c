/* SPDX-License-Identifier: MIT */
/*
 * svmc_insn_decode for s390x against LLVM's disassembler and binutils, in one process.
 *
 *   differential --all     every first halfword with every sixth byte, each with several middles
 *   differential --slice   the same 2^24, one middle each
 *   differential HEX ...   these six bytes
 *
 * Compared: acceptance, length, mnemonic, registers, base, index, displacement, length fields,
 * immediate, branch target. What the references do not show (sizes, access, privilege) is not
 * compared here. Differences that are not ours stand in justified.c.
 *
 * Last line: "N passed, N failed, N skipped"; exit status 1 if one failed. SVMC_SEED repeats a run.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <svmcore/insn.h>

#include "../../hex.h"
#include "../../random.h"
#include "justified.h"

#define SHOWN 40u

static const struct svmc_cpu cpu = { .isa = SVMC_ISA_S390X };
static uint64_t passed, failed, accepted, compared[REFERENCES];
static struct justified_totals totals;

/* ---- bits of an operand field that a reference refuses when they stand alone ---- */

#define SLOTS 0x10000u /* by id */

static uint64_t refused[REFERENCES][SLOTS]; /* in the 48 bits of an instruction */
static bool known[SLOTS];

static void put(uint8_t *bytes, uint64_t text)
{
    for (unsigned i = 0; i < BYTES; i++)
        bytes[i] = (uint8_t)(text >> (40 - 8 * i));
}

static uint64_t text_of(const uint8_t *bytes)
{
    uint64_t text = 0;

    for (unsigned i = 0; i < BYTES; i++)
        text = text << 8 | bytes[i];
    return text;
}

/* Bits of the opcode: where it is follows from the first byte (PoP 5, appendix B). */
static uint64_t opcode_bits(uint8_t lead)
{
    if (strchr("\x01\xb2\xb3\xb9\xe5", lead) && lead)
        return 0xffff00000000;
    if (strchr("\xa5\xa7\xaa\xc0\xc2\xc4\xc6\xc8\xcc", lead) && lead)
        return 0xff0f00000000;
    if (strchr("\xe3\xe6\xe7\xeb\xec\xed", lead) && lead)
        return 0xff00000000ff;
    return 0xff0000000000;
}

static void learn(uint16_t id, uint8_t lead, unsigned length, uint64_t text)
{
    uint64_t fixed = opcode_bits(lead);

    known[id] = true;
    for (unsigned who = 0; who < REFERENCES; who++) {
        for (unsigned bit = 48 - 8 * length; bit < 48; bit++) {
            uint8_t bytes[BYTES];
            struct parsed p;

            if (fixed >> bit & 1)
                continue;
            put(bytes, (text & fixed) | (uint64_t)1 << bit);
            if (reference_ask(who, bytes, &p) && p.length == 0)
                refused[who][id] |= (uint64_t)1 << bit;
        }
    }
}

/* ---- one case ---- */

static struct word word;

static void show(const char *who, const struct parsed *p)
{
    if (p->length)
        printf(" | %s: %u bytes, %s", who, p->length, p->name);
    else
        printf(" | %s: refused", who);
}

static void fail(const char *by, const char *why)
{
    if (failed >= SHOWN)
        return;
    fail_begin("s390x", by, why, word.bytes, BYTES);
    printf(" | ours: %s, %u bytes, id %u, refusal %u", svmc_status_name(word.status),
           word.insn.length, word.insn.id, word.insn.refusal);
    for (unsigned who = 0; who < REFERENCES; who++)
        show(reference_names[who], &word.parsed[who]);
    fail_end();
}

/* Without the bits that a reference refuses it must accept, and say what we say. */
static bool agrees_cleared(enum reference_id who)
{
    uint8_t fixed[BYTES];
    struct svmc_insn b;
    struct parsed p;
    const char *why;

    put(fixed, text_of(word.bytes) & ~refused[who][word.insn.id]);
    return reference_ask(who, fixed, &p) && p.length != 0 &&
           svmc_insn_decode(&cpu, fixed, BYTES, &b) == SVMC_OK && b.id == word.insn.id &&
           text_differs(&b, &p, who, F_ALL, &why) == 0;
}

static bool witness(unsigned bits)
{
    for (unsigned who = 0; who < REFERENCES; who++)
        if ((bits & BY(who)) && word.aspects[who] == 0)
            return true;
    return ((bits & W_CLEARED) && agrees_cleared(word.who)) ||
           ((bits & W_OTHER_CLEARED) && agrees_cleared(!word.who));
}

/* In what a reference differs. */
static unsigned difference(enum reference_id who, const char **why)
{
    const struct parsed *p = &word.parsed[who];

    *why = "text not understood";
    if (!reference_ask(who, word.bytes, &word.parsed[who]))
        return A_UNREADABLE;
    *why = word.status == SVMC_OK ? "they refuse" : "they accept";
    if ((word.status == SVMC_OK) != (p->length != 0))
        return word.status == SVMC_OK ? A_REFUSE : A_ACCEPT;
    return word.status == SVMC_OK ? text_differs(&word.insn, p, who, 0, why) : 0;
}

static bool excused(enum reference_id who)
{
    int row;

    word.who = who;
    row = justified_find(BY(who), word.aspects[who], &word, witness);
    if (row < 0)
        return false;
    totals.absorbed[row]++;
    totals.asked[row]++;
    totals.supported[row] += word.aspects[!who] == 0;
    return true;
}

static void check(const uint8_t *bytes)
{
    bool good = true;

    memcpy(word.bytes, bytes, BYTES);
    word.status = svmc_insn_decode(&cpu, bytes, BYTES, &word.insn);
    for (unsigned who = 0; who < REFERENCES; who++)
        word.aspects[who] = difference(who, &word.why[who]);
    accepted += word.status == SVMC_OK;
    if (word.status == SVMC_OK && !known[word.insn.id] && !is_unpublished(word.insn.id))
        learn(word.insn.id, bytes[0], word.insn.length, text_of(bytes));
    if (word.status != SVMC_OK &&
        (word.status != SVMC_ERR_UNDEFINED || word.insn.refusal != SVMC_REFUSAL_NO_OPCODE)) {
        fail("ours", "status or refusal");
        good = false;
    }
    for (unsigned who = 0; who < REFERENCES && good; who++) {
        good = word.aspects[who] == 0 || excused(who);
        if (!good)
            fail(reference_names[who], word.why[who]);
        compared[who] += good && word.status == SVMC_OK;
    }
    passed += good;
    failed += !good;
}

/* ---- the cases ---- */

#define MIDDLES 6u

/* The three middle bytes of pattern n: zeros, ones, two random, a one and a zero that walk. */
static uint32_t middle(unsigned n, uint32_t at, uint64_t *seed)
{
    uint32_t one = (uint32_t)1 << (at + at / 24) % 24;

    switch (n) {
    case 0:
        return 0;
    case 1:
        return 0xffffff;
    case 2:
        return one;
    case 3:
        return 0xffffff & ~one;
    default:
        return (uint32_t)harness_random(seed) & 0xffffff;
    }
}

static void one_case(uint32_t at, uint32_t mid)
{
    uint8_t bytes[BYTES];

    put(bytes, (uint64_t)(at >> 8) << 32 | (uint64_t)mid << 8 | (at & 0xff));
    check(bytes);
}

/* at: first halfword, then sixth byte. */
static void run(bool all, uint64_t seed)
{
    uint64_t state = seed;

    for (uint32_t at = 0; at < 1u << 24; at++) {
        if (all && (at & 0xfffff) == 0)
            printf("%u of 16, %" PRIu64 " failed\n", at >> 20, failed), fflush(stdout);
        if (all)
            for (unsigned n = 0; n < MIDDLES; n++)
                one_case(at, middle(n, at, &state));
        else
            one_case(at, middle((at + (at >> 8) + (unsigned)seed) % MIDDLES, at, &state));
    }
}

/* Cases given by hand: 12 hexadecimal digits each. */
static void run_words(char **words)
{
    for (; *words; words++) {
        uint8_t bytes[BYTES];

        put(bytes, strtoull(*words, NULL, 16));
        check(bytes);
    }
}

int main(int argc, char **argv)
{
    const char *env = getenv("SVMC_SEED");
    uint64_t seed = env ? strtoull(env, NULL, 0) : 1;
    bool all = argc == 2 && strcmp(argv[1], "--all") == 0;
    bool slice = argc == 2 && strcmp(argv[1], "--slice") == 0;

    if (argc < 2) {
        fprintf(stderr, "usage: differential --all | --slice | HEX ...\n");
        return 2;
    }
    printf("seed: SVMC_SEED=0x%" PRIx64 "\n", seed);
    if (!references_open()) {
        printf("cannot set up the references\n0 passed, 1 failed, 0 skipped\n");
        return 1;
    }
    if (all || slice)
        run(all, seed);
    else
        run_words(argv + 1);
    printf("%" PRIu64 " accepted; compared: LLVM %" PRIu64 ", binutils %" PRIu64 "\n", accepted,
           compared[LLVM], compared[BINUTILS]);
    failed += justified_print(&totals, 0, all) + (all ? unpublished_idle() : 0);
    printf("%" PRIu64 " passed, %" PRIu64 " failed, 0 skipped\n", passed, failed);
    return failed != 0;
}
