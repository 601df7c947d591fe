/* SPDX-License-Identifier: MIT */
/* x86: maps behind an escape byte: 0F38, 0F3A, 3DNow!, VEX, XOP, EVEX. */
#include "x86.h"

static unsigned refused(struct x86_state *s, unsigned reason, unsigned needed)
{
    s->entry = reason << 11;
    s->at += needed;
    return X86_SPACES;
}

/* The cell of an opcode in a map: cell 0 where there is none, else by the opcodes before it. */
static unsigned cell_of(unsigned space, unsigned opcode)
{
    /* clamp: space is a constant or checked, three bits of a byte */
    uint32_t word = svmc_x86_space_bits[space][opcode >> 5 & 7], bit = (uint32_t)1 << (opcode & 31);
    uint32_t n = word & (bit - 1);

    if (!(word & bit))
        return svmc_x86_space_base[space]; /* clamp: the same */
    n -= n >> 1 & 0x55555555u;             /* how many bits are set */
    n = (n & 0x33333333u) + (n >> 2 & 0x33333333u);
    n = ((n + (n >> 4)) & 0x0f0f0f0fu) * 0x01010101u >> 24;
    /* clamp: the same */
    return svmc_x86_space_base[space] + svmc_x86_space_rank[space][opcode >> 5 & 7] + n + 1;
}

static uint32_t legacy_entry(unsigned space, unsigned opcode)
{
    return svmc_x86_space_entries[cell_of(space, opcode)]; /* clamp: cells are of the table */
}

/* The next byte is the opcode of a legacy map. */
static void legacy_opcode(const uint8_t *bytes, size_t count, struct x86_state *s, unsigned space)
{
    s->opcode = (uint32_t)s->rest & 0xffff;
    s->at++;
    s->rest = x86_fetch(bytes, count, s->at);
    s->entry = legacy_entry(space, s->opcode & 0xff);
}

/* 3DNow!: the opcode stands behind ModRM, SIB and displacement (APM vol. 3 1.4.4). */
static void opcode_3dnow(struct x86_state *s)
{
    unsigned mod = (unsigned)s->rest >> 6 & 3, rm = (unsigned)s->rest & 7, used = 1;

    if (mod != 3 && x86_has_16_bit_address(s)) {
        used += mod == 1 ? 1 : mod == 2 || rm == 6 ? 2 : 0;
    } else if (mod != 3) {
        if (rm == 4) {
            rm = (unsigned)(s->rest >> 8) & 7;
            used = 2;
        }
        used += mod == 1 ? 1 : mod == 2 || (rm == 5 && mod == 0) ? 4 : 0;
    }
    s->vector = X86_3DNOW;
    s->opcode = (uint32_t)(s->rest & 0xff) << 8;
    s->entry = legacy_entry(X86_SPACE_3DNOW, (unsigned)(s->rest >> 8 * used) & 0xff);
    if ((s->entry & 0x7ff) == 0) /* it is the suffix that decides */
        s->at += used + 1;
}

/* Whether a row of a vector map holds: 0, or why not; the later a test, the closer it came. */
static unsigned mismatch(const struct x86_state *s, unsigned when)
{
    bool w = (s->prefixes & PREFIX_W) != 0, memory = (s->rest & 0xc0) != 0xc0;

    if ((when & 3) != VECTOR_PP(s->vector))
        return SVMC_REFUSAL_PREFIX;
    if ((when >> 9 & 1) && (when >> 10 & 1) != (s->mode >= X86_MODE_64))
        return SVMC_REFUSAL_MODE;
    if ((when >> 5 & 1) && (when >> 6 & 1) != w)
        return SVMC_REFUSAL_WIDTH;
    if (!(when & 28 & 4u << VECTOR_LENGTH(s->vector)))
        return SVMC_REFUSAL_VECTOR_LENGTH;
    if ((when >> 7 & 1) && (when >> 8 & 1) != memory)
        return SVMC_REFUSAL_FORM;
    if ((when >> 11 & 1) && (when >> 12 & 7) != ((unsigned)s->rest >> 3 & 7))
        return SVMC_REFUSAL_NO_OPCODE;
    return SVMC_REFUSAL_NONE;
}

/* The next byte is the opcode of a vector map, whose rows for it are few. */
static void vector_opcode(const uint8_t *bytes, size_t count, struct x86_state *s, unsigned space)
{
    unsigned cell, reason = SVMC_REFUSAL_NO_OPCODE, first, end;

    s->opcode = (uint32_t)s->rest & 0xffff;
    s->at++;
    s->rest = x86_fetch(bytes, count, s->at);
    if (VECTOR_ENCODING(s->vector) == X86_EVEX && VECTOR_BROADCAST(s->vector) &&
        (s->rest & 0xc0) == 0xc0) /* rounding: L'L is its mode, all 512 bits count */
        s->vector = (s->vector & ~0x60u) | 0x40u;
    cell = cell_of(space, s->opcode & 0xff);
    first = svmc_x86_cells[cell];   /* clamp: from the table */
    end = svmc_x86_cells[cell + 1]; /* clamp: from the table */
    for (unsigned i = first; i < end; i++) {
        unsigned why = mismatch(s, svmc_x86_row_when[i]); /* clamp: i is below a cell's end */

        if (why == SVMC_REFUSAL_NONE) {
            s->entry = svmc_x86_row_leaf[i]; /* clamp: i is below a cell's end */
            return;
        }
        reason = why > reason ? why : reason;
    }
    s->entry = reason << 11 | (uint32_t)(first != end) << 21;
}

/* DE-17: what VEX, EVEX and XOP refuse before them (SDM vol. 2 2.3.2, 2.7.4; APM vol. 3 1.2.9). */
static bool is_prefixed(const struct x86_state *s)
{
    return (s->prefixes & (PREFIX_REX | PREFIX_LOCK | PREFIX_REP | PREFIX_REPNE | PREFIX_OSIZE)) !=
           0;
}

/* R X B of a payload byte, inverted there; outside 64-bit mode they do not count. */
static uint32_t rxb(const struct x86_state *s, unsigned byte)
{
    unsigned bits = ~byte;

    if (s->mode < X86_MODE_64)
        return 0;
    return (bits & 0x80) >> 4 | (bits & 0x40) >> 2 | (bits & 0x20);
}

/* vvvv, L and pp of a payload byte. */
static uint32_t vlpp(unsigned byte)
{
    return (byte & 3) << 3 | (byte >> 2 & 1) << 5 | (~byte >> 3 & 15) << 7;
}

/* These find the map of a vector opcode, in front of which rest stands; X86_SPACES: refused. */
static unsigned vex2(struct x86_state *s)
{
    unsigned p = (unsigned)s->rest & 0xff;

    s->prefixes |= rxb(s, p) & PREFIX_R;
    s->vector = X86_VEX | vlpp(p);
    s->at++;
    s->rest >>= 8;
    return X86_SPACE_VEX1;
}

/* VEX of three bytes, and XOP, which differs in its maps. */
static unsigned vex3(struct x86_state *s, bool xop)
{
    unsigned p0 = (unsigned)s->rest & 0xff, p1 = (unsigned)(s->rest >> 8) & 0xff, map = p0 & 31;
    unsigned at = map - (xop ? 8u : 1u);

    if (at > 2)
        return refused(s, SVMC_REFUSAL_NO_OPCODE, 1);
    s->prefixes |= rxb(s, p0) | (p1 & 0x80 ? PREFIX_W : 0);
    s->vector = (xop ? X86_XOP : X86_VEX) | vlpp(p1);
    s->at += 2;
    s->rest >>= 16;
    return (xop ? X86_SPACE_XOP8 : X86_SPACE_VEX1) + at;
}

static unsigned evex(const struct svmc_cpu *cpu, struct x86_state *s)
{
    static const uint8_t spaces[8] = { 0, X86_SPACE_EVEX1, X86_SPACE_EVEX2, X86_SPACE_EVEX3,
                                       0, X86_SPACE_EVEX5, X86_SPACE_EVEX6, 0 };
    unsigned p0 = (unsigned)s->rest & 0xff, p1 = (unsigned)(s->rest >> 8) & 0xff;
    unsigned p2 = (unsigned)(s->rest >> 16) & 0xff, space = spaces[p0 & 7]; /* clamp: 3 bits */
    bool apx = s->mode >= X86_MODE_64 && svmc_x86_has(cpu, SVMC_X86_FEATURE_APX);

    if (apx && ((p0 & 7) == 4 || (p0 & 8))) /* map 4, or registers from 16 on */
        return refused(s, SVMC_REFUSAL_APX, 1);
    if (space == 0 || (p0 & 8))
        return refused(s, p0 & 8 ? SVMC_REFUSAL_RESERVED : SVMC_REFUSAL_NO_OPCODE, 1);
    if (!(p1 & 4))
        return refused(s, apx ? SVMC_REFUSAL_APX : SVMC_REFUSAL_RESERVED, 2);
    if (s->mode < X86_MODE_64 && !(p2 & 8)) /* V' must be 1 */
        return refused(s, SVMC_REFUSAL_VVVV, 3);
    s->prefixes |= rxb(s, p0) | (p1 & 0x80 ? PREFIX_W : 0);
    if (s->mode >= X86_MODE_64)
        s->prefixes |= (p0 & 0x10 ? 0 : PREFIX_R4) | (p2 & 8 ? 0 : PREFIX_V4);
    s->vector = X86_EVEX | (p1 & 3) << 3 | (p2 >> 5 & 3) << 5 | (~p1 >> 3 & 15) << 7 |
                (s->prefixes & PREFIX_V4) << 4 | (p2 & 7) << 12 | (p2 >> 7 & 1) << 15 |
                (p2 >> 4 & 1) << 16 | (p2 >> 5 & 3) << 17;
    s->at += 3;
    s->rest >>= 24;
    return space;
}

static unsigned vector_space(const struct svmc_cpu *cpu, struct x86_state *s, unsigned number)
{
    if (is_prefixed(s)) /* the next byte had a say but for C4, C5, 62 in 64-bit mode */
        return refused(s, SVMC_REFUSAL_PREFIX, s->mode < X86_MODE_64 || number == X86_ESCAPE_XOP);
    if (number == X86_ESCAPE_EVEX)
        return evex(cpu, s);
    return number == X86_ESCAPE_VEX2 ? vex2(s) : vex3(s, number == X86_ESCAPE_XOP);
}

/*
 * The bytes of C4, C5, 62 and 8F can be another instruction's, whose entry is then set; false:
 * they are.
 */
static bool is_vector(struct x86_state *s, unsigned *number)
{
    unsigned next = (unsigned)s->rest & 0xff, node = s->entry & 0xffff;

    *number = svmc_x86_nodes[node + 1] & 15; /* clamp: from the table */
    if (*number == X86_ESCAPE_XOP ? (next & 31) >= 8 : s->mode >= X86_MODE_64 || next >= 0xc0)
        return true;
    s->entry = svmc_x86_nodes[node]; /* clamp: from the table */
    return false;
}

void svmc_x86_escape(const struct svmc_cpu *cpu, struct x86_state *s, const uint8_t *bytes,
                     size_t count)
{
    unsigned number = s->entry & 15, space;

    if (s->entry >> 28 != ENTRY_ESCAPE) {
        if (is_vector(s, &number)) {
            space = vector_space(cpu, s, number);
            if (space < X86_SPACES)
                vector_opcode(bytes, count, s, space);
        }
    } else if (number == X86_ESCAPE_3DNOW) {
        opcode_3dnow(s);
    } else {
        legacy_opcode(bytes, count, s, number == X86_ESCAPE_0F38 ? X86_SPACE_0F38 : X86_SPACE_0F3A);
    }
}
