/* SPDX-License-Identifier: MIT */
/* The rules of docs/spec/s390.md. Golden texts: operands as binutils shows them, sizes from PoP. */
#include <stdarg.h>

#include "../../harness.h"
#include <svmcore/insn.h>

#include "decode/s390/s390.h"
#include "decode/s390/s390_names.h"
#include "decode/s390/s390_tables.h"

#define IDS     (sizeof s390_name_id / sizeof s390_name_id[0])
#define LAYOUTS (sizeof s390_layouts / sizeof s390_layouts[0])

static const struct svmc_cpu cpu = { .isa = SVMC_ISA_S390X };

static enum svmc_status decode(const uint8_t *bytes, size_t count, struct svmc_insn *out)
{
    memset(out, 0xee, sizeof *out);
    return svmc_insn_decode(&cpu, bytes, count, out);
}

/* Where the second part of an opcode is (PoP appendix B): 0 nowhere, 1 second byte, 2 its right
 * half, 5 sixth byte. */
static unsigned place_of(unsigned lead)
{
    static const uint8_t places[256] = {
        [0x01] = 1, [0xb2] = 1, [0xb3] = 1, [0xb9] = 1, [0xe5] = 1, [0xa5] = 2, [0xa7] = 2,
        [0xaa] = 2, [0xc0] = 2, [0xc2] = 2, [0xc4] = 2, [0xc6] = 2, [0xc8] = 2, [0xcc] = 2,
        [0xe3] = 5, [0xe6] = 5, [0xe7] = 5, [0xeb] = 5, [0xec] = 5, [0xed] = 5,
    };

    return places[lead];
}

static void put_opcode(uint8_t *bytes, unsigned id)
{
    unsigned place = place_of(id >> 8);

    bytes[0] = (uint8_t)(id >> 8);
    if (place == 2)
        bytes[1] = (uint8_t)((bytes[1] & 0xf0) | (id & 15));
    else if (place)
        bytes[place] = (uint8_t)id;
}

static const char *name_of(uint16_t id)
{
    for (size_t i = 0; i < IDS; i++)
        if (s390_name_id[i] == id)
            return s390_names[i];
    return "";
}

TEST(s390, length_is_in_the_first_two_bits) /* S390-1 */
{
    static const unsigned lengths[4] = { 2, 4, 4, 6 };

    for (unsigned lead = 0; lead < 256; lead++) {
        uint8_t bytes[6] = { (uint8_t)lead };
        struct svmc_insn insn;

        for (unsigned count = 0; count <= 6; count++) {
            enum svmc_status st = decode(bytes, count, &insn);

            CHECK_EQ(st == SVMC_ERR_TRUNCATED, count < lengths[lead >> 6], "%02x %u", lead, count);
            CHECK_EQ(insn.length, st == SVMC_OK ? lengths[lead >> 6] : 0, "%02x %u", lead, count);
        }
    }
}

TEST(s390, every_operation_is_known_by_its_opcode) /* S390-2, S390-3 */
{
    static const uint8_t middles[3] = { 0, 0xff, 0x5a };

    for (size_t i = 0; i < IDS; i++) {
        for (size_t m = 0; m < sizeof middles; m++) {
            uint8_t bytes[6];
            struct svmc_insn insn;

            memset(bytes, middles[m], sizeof bytes);
            put_opcode(bytes, s390_name_id[i]);
            CHECK_EQ(decode(bytes, 6, &insn), SVMC_OK, "%04x", s390_name_id[i]);
            CHECK_EQ(insn.id, s390_name_id[i]);
            CHECK_EQ(insn.isa, SVMC_ISA_S390X);
        }
    }
}

TEST(s390, everything_else_is_no_operation) /* S390-2 */
{
    static uint8_t is_id[0x10000];
    struct svmc_insn insn;
    size_t accepted = 0;

    for (size_t i = 0; i < IDS; i++)
        is_id[s390_name_id[i]] = 1;
    for (unsigned id = 0; id < 0x10000; id++) {
        uint8_t bytes[6] = { 0 };
        enum svmc_status st;

        if ((place_of(id >> 8) == 0 && (id & 0xff)) || (place_of(id >> 8) == 2 && (id & 0xf0)))
            continue;
        put_opcode(bytes, id);
        st = decode(bytes, 6, &insn);
        accepted += st == SVMC_OK;
        CHECK_EQ(st, is_id[id] ? SVMC_OK : SVMC_ERR_UNDEFINED, "%04x", id);
        CHECK_EQ(insn.refusal, is_id[id] ? SVMC_REFUSAL_NONE : SVMC_REFUSAL_NO_OPCODE, "%04x", id);
    }
    CHECK_EQ(accepted, IDS);
}

TEST(s390, every_layout_and_row_is_used) /* S390-4 */
{
    static uint8_t layout_seen[LAYOUTS], row_seen[sizeof s390_rows / sizeof s390_rows[0]];

    for (size_t i = 0; i < IDS; i++) {
        unsigned lead = s390_name_id[i] >> 8, number = s390_page_of[lead];
        const struct s390_page *page = &s390_pages[number];
        unsigned minor = number ? s390_name_id[i] & 0xff : lead;
        unsigned row = page->rows + s390_cells[page->cells + minor - page->first] - 1u;
        uint8_t bytes[6] = { 0 };
        struct svmc_insn insn;

        put_opcode(bytes, s390_name_id[i]);
        REQUIRE(decode(bytes, 6, &insn) == SVMC_OK);
        CHECK_EQ(insn.priv_form, s390_rows[row].layout);
        CHECK_EQ(insn.insn_class, s390_rows[row].insn_class);
        CHECK_EQ(insn.privilege, s390_rows[row].privilege);
        CHECK_EQ(insn.access, s390_rows[row].access & 15);
        layout_seen[insn.priv_form] = 1;
        row_seen[row] = 1;
    }
    for (size_t i = 0; i < sizeof layout_seen; i++)
        CHECK(layout_seen[i], "layout %zu", i);
    for (size_t i = 0; i < sizeof row_seen; i++)
        CHECK(row_seen[i], "row %zu", i);
}

/* ---- golden texts ---- */

struct out_text {
    char text[160];
    size_t used;
};

static void add(struct out_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct out_text *t, const char *format, ...)
{
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(t->text + t->used, sizeof t->text - t->used, format, arguments);
    va_end(arguments);
    t->used += n > 0 ? (size_t)n : 0;
}

static void add_reg(struct out_text *t, const struct svmc_insn *insn, uint8_t reg)
{
    static const char files[] = { [SVMC_REG_KIND_GPR] = 'r',
                                  [SVMC_REG_KIND_CONTROL] = 'c',
                                  [SVMC_REG_KIND_VECTOR] = 'v',
                                  [SVMC_REG_KIND_ACCESS] = 'a' };

    if (reg != SVMC_REG_NONE)
        add(t, " %c%d", files[insn->reg_kind],
            reg - (insn->reg_kind == SVMC_REG_KIND_GPR ? SVMC_REG_S390_R0 : 0));
}

static void add_address(struct out_text *t, unsigned access, unsigned base, unsigned index,
                        int64_t disp)
{
    static const char *const accesses[16] = {
        "-", "r", "w", "rw", [5] = "r?", [10] = "w?", [11] = "rw?"
    };

    add(t, " %s[", accesses[access]);
    if (base == SVMC_REG_S390_IA)
        add(t, "ia");
    else if (base != SVMC_REG_NONE)
        add(t, "r%u", base - SVMC_REG_S390_R0);
    if (index < 32)
        add(t, "+v%u", index);
    else if (index != SVMC_REG_NONE)
        add(t, "+r%u", index - SVMC_REG_S390_R0);
    add(t, "%+" PRId64 "]", disp);
}

/* name, registers, :bytes of a register, access[address]bytes, the second one, *count, #immediate,
 * flags, class where it is none of OTHER, MEMORY, privilege */
static void describe(struct out_text *t, const struct svmc_insn *insn)
{
    unsigned second = insn->priv_raw[1] & 0xff;

    t->used = 0;
    add(t, "%s", name_of(insn->id));
    add_reg(t, insn, insn->reg);
    add_reg(t, insn, insn->reg2);
    add_reg(t, insn, insn->reg3);
    if (insn->reg_bytes)
        add(t, " :%u", insn->reg_bytes);
    if (insn->access || insn->base != SVMC_REG_NONE || insn->index != SVMC_REG_NONE || insn->disp)
        add_address(t, insn->access, insn->base, insn->index, insn->disp);
    if (insn->access)
        add(t, "%u", insn->mem_bytes);
    if (second) {
        add_address(t, second, insn->priv_raw[1] >> 8 & 0xff, SVMC_REG_NONE,
                    insn->priv_raw[2] & 0xffff);
        add(t, "%u", insn->priv_raw[2] >> 16);
    }
    if (insn->access && insn->mem_count != 1)
        add(t, " *%u", insn->mem_count);
    if (insn->imm)
        add(t, " #%" PRId64, (int64_t)insn->imm);
    if (insn->flags)
        add(t, " %s",
            insn->flags == SVMC_INSN_SIGN          ? "sign"
            : insn->flags == SVMC_INSN_ZERO        ? "zero"
            : insn->flags == SVMC_INSN_ATOMIC      ? "atomic"
            : insn->flags == SVMC_INSN_NONTEMPORAL ? "nontemporal"
                                                   : "?");
    if (insn->insn_class > SVMC_CLASS_MEMORY)
        add(t, " class %u", insn->insn_class);
    if (insn->privilege)
        add(t, " %s", insn->privilege == SVMC_PRIVILEGE_KERNEL ? "kernel" : "switched");
}

struct golden {
    uint8_t bytes[6];
    char text[64];
};

static void check_golden(const struct golden *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct svmc_insn insn;
        struct out_text t;

        if (!CHECK_EQ(decode(rows[i].bytes, 6, &insn), SVMC_OK, "%s", rows[i].text))
            continue;
        describe(&t, &insn);
        CHECK(strcmp(t.text, rows[i].text) == 0, "%s, not %s", t.text, rows[i].text);
        CHECK_EQ(insn.address_bytes, 8);
        CHECK_EQ(insn.segment, SVMC_SEG_NONE);
        CHECK_EQ(insn.operand_bytes, insn.reg_bytes);
        CHECK_EQ(insn.scale, insn.index != SVMC_REG_NONE);
        CHECK_EQ(insn.reserved, 0);
        CHECK_EQ(insn.index_extend, SVMC_INDEX_PLAIN);
        for (size_t n = 0; n < insn.length; n++) /* S390-1 */
            CHECK_EQ(decode(rows[i].bytes, n, &insn), SVMC_ERR_TRUNCATED, "%s", rows[i].text);
    }
}

#define CHECK_GOLDEN(rows) check_golden((rows), sizeof(rows) / sizeof(rows)[0])

TEST(s390, loads_and_stores) /* S390-5, S390-6, S390-7, S390-8, S390-9 */
{
    static const struct golden rows[] = {
        { { 0x58, 0x12, 0x34, 0x56 }, "l r1 :4 r[r3+r2+1110]4" },
        { { 0x58, 0x10, 0x34, 0x56 }, "l r1 :4 r[r3+1110]4" },
        { { 0x58, 0x12, 0x04, 0x56 }, "l r1 :4 r[+r2+1110]4" },
        { { 0x58, 0x10, 0x0f, 0xff }, "l r1 :4 r[+4095]4" },
        { { 0x41, 0x12, 0x34, 0x56 }, "la r1 -[r3+r2+1110]" },
        { { 0x40, 0x12, 0x34, 0x56 }, "sth r1 :2 w[r3+r2+1110]2" },
        { { 0x43, 0x12, 0x34, 0x56 }, "ic r1 :1 r[r3+r2+1110]1" },
        { { 0x48, 0x12, 0x34, 0x56 }, "lh r1 :4 r[r3+r2+1110]2 sign" },
        { { 0x5c, 0x22, 0x34, 0x56 }, "m r2 :8 r[r3+r2+1110]4" },
        { { 0x60, 0x12, 0x34, 0x56 }, "std v1 :8 w[r3+r2+1110]8" },
        { { 0x78, 0xf2, 0x34, 0x56 }, "le v15 :4 r[r3+r2+1110]4" },
        { { 0xe3, 0x12, 0x34, 0x56, 0x78, 0x04 }, "lg r1 :8 r[r3+r2+492630]8" },
        { { 0xe3, 0x12, 0x34, 0x56, 0x80, 0x04 }, "lg r1 :8 r[r3+r2-523178]8" },
        { { 0xe3, 0x12, 0x3f, 0xff, 0xff, 0x14 }, "lgf r1 :8 r[r3+r2-1]4 sign" },
        { { 0xe3, 0x12, 0x34, 0x56, 0x00, 0x90 }, "llgc r1 :8 r[r3+r2+1110]1 zero" },
        { { 0xe3, 0x12, 0x34, 0x56, 0x00, 0x25 }, "ntstg r1 :8 w[r3+r2+1110]8 nontemporal" },
        { { 0xe3, 0x22, 0x34, 0x56, 0x00, 0x8f }, "lpq r2 :16 r[r3+r2+1110]16" },
        { { 0xe3, 0x12, 0x34, 0x56, 0x00, 0x71 }, "lay r1 -[r3+r2+1110]" },
        { { 0xe3, 0x12, 0x34, 0x56, 0x00, 0x36 }, "pfd -[r3+r2+1110] #1 class 29" },
        { { 0xc4, 0x1d, 0x00, 0x00, 0x00, 0x10 }, "lrl r1 :4 r[ia+32]4" },
        { { 0xc4, 0x1b, 0xff, 0xff, 0xff, 0xff }, "stgrl r1 :8 w[ia-2]8" },
        { { 0xc0, 0x10, 0x80, 0x00, 0x00, 0x00 }, "larl r1 -[ia-4294967296]" },
        { { 0xc6, 0x10, 0x00, 0x00, 0x00, 0x02 }, "exrl r1 -[ia+4]" },
        { { 0xc6, 0x12, 0x00, 0x00, 0x00, 0x02 }, "pfdrl -[ia+4] #1 class 29" },
        { { 0xed, 0x12, 0x34, 0x56, 0x70, 0x0e }, "maeb v7 v1 :4 r[r3+r2+1110]4" },
        { { 0xed, 0x12, 0x34, 0x56, 0x00, 0x10 }, "tceb v1 -[r3+r2+1110]" },
        { { 0xed, 0x12, 0x34, 0x56, 0x78, 0x65 }, "ldy v1 :8 r[r3+r2+492630]8" },
        { { 0xed, 0x12, 0x34, 0x56, 0x78, 0xa8 }, "czdt v7 :8 w[r3+1110]19 #8" },
    };

    CHECK_GOLDEN(rows);
}

TEST(s390, many_registers_and_masks) /* S390-5, S390-10, S390-11 */
{
    static const struct golden rows[] = {
        { { 0x98, 0x12, 0x34, 0x56 }, "lm r1 r2 :4 r[r3+1110]4 *2" },
        { { 0x90, 0xec, 0x30, 0x0c }, "stm r14 r12 :4 w[r3+12]4 *15" },
        { { 0x98, 0x11, 0x34, 0x56 }, "lm r1 r1 :4 r[r3+1110]4" },
        { { 0xeb, 0x21, 0x34, 0x56, 0x78, 0x04 }, "lmg r2 r1 :8 r[r3+492630]8 *16" },
        { { 0x9a, 0x12, 0x34, 0x56 }, "lam a1 a2 :4 r[r3+1110]4 *2" },
        { { 0xb6, 0xf0, 0x34, 0x56 }, "stctl c15 c0 :4 w[r3+1110]4 *2 class 8 kernel" },
        { { 0xeb, 0x0f, 0x34, 0x56, 0, 0x2f }, "lctlg c0 c15 :8 r[r3+1110]8 *16 class 8 kernel" },
        { { 0xe7, 0x12, 0x34, 0x56, 0x04, 0x36 }, "vlm v1 v18 :16 r[r3+1110]16 *0" },
        { { 0xe7, 0x12, 0x34, 0x56, 0x0c, 0x36 }, "vlm v17 v18 :16 r[r3+1110]16 *2" },
        { { 0xe7, 0x0f, 0x34, 0x56, 0x00, 0x3e }, "vstm v0 v15 :16 w[r3+1110]16 *16" },
        { { 0xe7, 0x21, 0x34, 0x56, 0x00, 0x3e }, "vstm v2 v1 :16 w[r3+1110]16 *0" },
        { { 0xbf, 0x15, 0x34, 0x56 }, "icm r1 :4 r[r3+1110]2 #5" },
        { { 0xbe, 0x1f, 0x34, 0x56 }, "stcm r1 :4 w[r3+1110]4 #15" },
        { { 0xbf, 0x10, 0x34, 0x56 }, "icm r1 :4 r[r3+1110]1" },
        { { 0xeb, 0x12, 0x34, 0x56, 0x00, 0xe2 }, "locg r1 :8 r?[r3+1110]8 #2" },
        { { 0xeb, 0x12, 0x34, 0x56, 0x00, 0xf3 }, "stoc r1 :4 w?[r3+1110]4 #2" },
        { { 0xba, 0x12, 0x34, 0x56 }, "cs r1 r2 :4 rw?[r3+1110]4 atomic" },
        { { 0xeb, 0x24, 0x34, 0x56, 0x78, 0x3e }, "cdsg r2 r4 :16 rw?[r3+492630]16 atomic" },
        { { 0xeb, 0x12, 0x34, 0x56, 0x00, 0xe8 }, "laag r1 r2 :8 rw[r3+1110]8 atomic" },
        { { 0x89, 0x10, 0x30, 0x04 }, "sll r1 -[r3+4]" },
        { { 0xeb, 0x12, 0x30, 0x04, 0x00, 0x0d }, "sllg r1 r2 -[r3+4]" },
    };

    CHECK_GOLDEN(rows);
}

TEST(s390, immediates_and_two_operands_in_storage) /* S390-9, S390-11, S390-12 */
{
    static const struct golden rows[] = {
        { { 0x92, 0xff, 0x34, 0x56 }, "mvi w[r3+1110]1 #255" },
        { { 0x91, 0x80, 0x04, 0x56 }, "tm r[+1110]1 #128" },
        { { 0x96, 0x01, 0x34, 0x56 }, "oi rw[r3+1110]1 #1 atomic" },
        { { 0xeb, 0xff, 0x34, 0x56, 0x78, 0x6a }, "asi rw[r3+492630]4 #-1 atomic" },
        { { 0xeb, 0x80, 0x34, 0x56, 0xff, 0x7a }, "agsi rw[r3-2986]8 #-128 atomic" },
        { { 0xe5, 0x48, 0x34, 0x56, 0xff, 0xfe }, "mvghi w[r3+1110]8 #-2" },
        { { 0xe5, 0x55, 0x34, 0x56, 0xff, 0xfe }, "clhhsi r[r3+1110]2 #65534" },
        { { 0xa7, 0x18, 0xff, 0xfe }, "lhi r1 #-2" },
        { { 0xa5, 0x1b, 0xff, 0xfe }, "oill r1 #65534" },
        { { 0xc0, 0x11, 0x80, 0x00, 0x00, 0x00 }, "lgfi r1 #-2147483648" },
        { { 0xc0, 0x1f, 0x80, 0x00, 0x00, 0x00 }, "llilf r1 #2147483648" },
        { { 0xd2, 0xff, 0x34, 0x56, 0x78, 0x9a }, "mvc w[r3+1110]256 r[r7+2202]256" },
        { { 0xd7, 0x00, 0x34, 0x56, 0x08, 0x9a }, "xc rw[r3+1110]1 r[+2202]1" },
        { { 0xf2, 0x1f, 0x34, 0x56, 0x78, 0x9a }, "pack w[r3+1110]2 r[r7+2202]16" },
        { { 0xe9, 0x1f, 0x34, 0x56, 0x78, 0x9a }, "pka w[r3+1110]16 r[r7+2202]32" },
        { { 0xf0, 0x15, 0x34, 0x56, 0x00, 0x02 }, "srp rw[r3+1110]2 #5" },
        { { 0xd0, 0x0f, 0x34, 0x56, 0x78, 0x9a }, "trtr r[r3+1110]0 r[r7+2202]256" },
        { { 0xe8, 0x0f, 0x34, 0x56, 0x78, 0x9a }, "mvcin w[r3+1110]16 r[r7+2202]0" },
        { { 0xdc, 0x0f, 0x34, 0x56, 0x78, 0x9a }, "tr rw[r3+1110]16 r[r7+2202]256" },
        { { 0xda, 0x12, 0x34, 0x56, 0x78, 0x9a }, "mvcp r1 r2 w[r3+1110]0 r[r7+2202]0 switched" },
        { { 0xc8, 0x10, 0x34, 0x56, 0x78, 0x9a }, "mvcos r1 w[r3+1110]0 r[r7+2202]0 switched" },
        { { 0xc8, 0x25, 0x34, 0x56, 0x78, 0x9a }, "lpdg r2 :16 r[r3+1110]8 r[r7+2202]8" },
        { { 0xef, 0x13, 0x34, 0x56, 0x78, 0x9a }, "lmd r1 r3 :8 r[r3+1110]4 r[r7+2202]4 *3" },
        { { 0xe5, 0x01, 0x34, 0x56, 0x78, 0x9a }, "tprot -[r3+1110] class 14 kernel" },
        { { 0x0e, 0x20 }, "mvcl r2 r0 w[r2+0]0 r[r0+0]0" },
        { { 0xa8, 0x24, 0x34, 0x56 }, "mvcle r2 r4 w[r2+0]0 r[r4+0]0" },
        { { 0xb2, 0x54, 0x00, 0x50 }, "mvpg r5 r0 w[r5+0]4096 r[r0+0]4096 switched" },
        { { 0xb9, 0x2d, 0x20, 0x46 }, "kmctr r4 r2 r6 w[r4+0]0 r[r6+0]0" },
    };

    CHECK_GOLDEN(rows);
}

TEST(s390, branches) /* S390-8 */
{
    static const struct golden rows[] = {
        { { 0xa7, 0xf4, 0xff, 0xff }, "brc -[-2] #15 class 27" },
        { { 0xa7, 0x15, 0x7f, 0xff }, "bras r1 -[+65534] class 27" },
        { { 0xc0, 0xf4, 0x00, 0x00, 0x00, 0x03 }, "brcl -[+6] #15 class 27" },
        { { 0xc0, 0xe5, 0x80, 0x00, 0x00, 0x00 }, "brasl r14 -[-4294967296] class 27" },
        { { 0x07, 0xfe }, "bcr r14 #15 class 27" },
        { { 0x47, 0xf2, 0x34, 0x56 }, "bc -[r3+r2+1110] #15 class 27" },
        { { 0x84, 0x12, 0x00, 0x08 }, "brxh r1 r2 -[+16] class 27" },
        { { 0xec, 0x12, 0x00, 0x08, 0x70, 0x64 }, "cgrj r1 r2 -[+16] #7 class 27" },
        { { 0xec, 0x12, 0x00, 0x08, 0xff, 0x7c }, "cgij r1 -[+16] #-1 class 27" },
        { { 0xec, 0x12, 0x34, 0x56, 0xff, 0xff }, "clib r1 -[r3+1110] #255 class 27" },
        { { 0xec, 0x12, 0x34, 0x56, 0x70, 0xf6 }, "crb r1 r2 -[r3+1110] #7 class 27" },
        { { 0xe3, 0xf2, 0x34, 0x56, 0x00, 0x47 }, "bic r[r3+r2+1110]8 #15 class 27" },
        { { 0xc7, 0x10, 0x34, 0x56, 0x12, 0x34 }, "bpp -[r3+1110] #1 class 30" },
        { { 0xc5, 0x12, 0x34, 0x56, 0x78, 0x9a }, "bprp #1 class 30" },
    };

    CHECK_GOLDEN(rows);
}

TEST(s390, the_other_layouts) /* S390-5, S390-7, S390-11 */
{
    static const struct golden rows[] = {
        { { 0x04, 0x50 }, "spm r5" },
        { { 0x0d, 0x2e }, "basr r2 r14 class 27" },
        { { 0xb2, 0x22, 0x00, 0x30 }, "ipm r3" },
        { { 0xb9, 0x90, 0x10, 0x24 }, "trtt r2 r4 w[r2+0]0 r[r4+0]0 #1" },
        { { 0xb3, 0x0e, 0x10, 0x34 }, "maebr v1 v3 v4" },
        { { 0xb3, 0x72, 0x10, 0x34 }, "cpsdr v3 v1 v4" },
        { { 0xb3, 0x90, 0x13, 0x34 }, "celfbr v3 #1" },
        { { 0xb3, 0xd4, 0x01, 0x34 }, "ldetr v3 v4 #1" },
        { { 0xb3, 0xe3, 0x01, 0x34 }, "csdtr r3 #1" },
        { { 0xb3, 0xf6, 0x10, 0x34 }, "iedtr v3 v1" },
        { { 0xb3, 0xf7, 0x13, 0x34 }, "rrdtr v3 v1 #3" },
        { { 0xb9, 0x39, 0x10, 0x24 }, "dfltcc r2 r4 r1 w[r2+0]0 r[r4+0]0" },
        { { 0xb9, 0xf8, 0x10, 0x34 }, "ark r3 r4 r1" },
        { { 0xb9, 0xbd, 0x10, 0x24 }, "trtre r2 r4 r[r2+0]0 #1" },
        { { 0xeb, 0x80, 0x34, 0x56, 0x78, 0x51 }, "tmy r[r3+492630]1 #128" },
        { { 0xec, 0x12, 0x10, 0xbf, 0x03, 0x55 }, "risbg r1 r2 #16" },
        { { 0xec, 0x15, 0x00, 0x10, 0xff, 0x7d }, "clgij r1 -[+32] #255 class 27" },
        { { 0xec, 0x12, 0xff, 0xfe, 0x00, 0xd9 }, "aghik r1 r2 #-2" },
        { { 0xec, 0x15, 0x34, 0x56, 0xff, 0xfc }, "cgib r1 -[r3+1110] #-1 class 27" },
    };

    CHECK_GOLDEN(rows);
}

TEST(s390, vectors) /* S390-5, S390-6, S390-9 */
{
    static const struct golden rows[] = {
        { { 0xe7, 0x12, 0x34, 0x56, 0x08, 0x06 }, "vl v17 :16 r[r3+r2+1110]16" },
        { { 0xe7, 0x12, 0x34, 0x56, 0x30, 0x0e }, "vst v1 :16 w[r3+r2+1110]16 #3" },
        { { 0xe7, 0x12, 0x34, 0x56, 0x30, 0x05 }, "vlrep v1 :16 r[r3+r2+1110]8 #3" },
        { { 0xe7, 0x12, 0x34, 0x56, 0x60, 0x04 }, "vllez v1 :16 r[r3+r2+1110]4 #6" },
        { { 0xe7, 0x12, 0x34, 0x56, 0x10, 0x08 }, "vsteb v1 :1 w[r3+r2+1110]1 #1" },
        { { 0xe7, 0x10, 0x34, 0x56, 0x14, 0x13 }, "vgef v1 :4 r[r3+v16+1110]4 #1" },
        { { 0xe7, 0x10, 0x34, 0x56, 0x18, 0x1a }, "vsceg v17 :8 w[r3+v0+1110]8 #1" },
        { { 0xe7, 0x12, 0x34, 0x56, 0x00, 0x37 }, "vll v1 :16 r[r3+1110]0" },
        { { 0xe6, 0x0f, 0x34, 0x56, 0x11, 0x35 }, "vlrl v17 :16 r[r3+1110]16 #15" },
        { { 0xe6, 0x02, 0x34, 0x56, 0x11, 0x3f }, "vstrlr v17 :16 w[r3+1110]0" },
        { { 0xe7, 0x12, 0x34, 0x56, 0x38, 0x21 }, "vlgv r1 -[r3+1110] #3" },
        { { 0xe7, 0x12, 0x34, 0x56, 0x38, 0x22 }, "vlvg v17 -[r3+1110] #3" },
        { { 0xe7, 0x12, 0x30, 0x00, 0x3e, 0xf3 }, "va v17 v18 v19 #3" },
        { { 0xe6, 0x12, 0x34, 0x56, 0x78, 0x01 }, "vlebrh v17 :2 r[r3+r2+1110]2 #7" },
        { { 0xe7, 0x10, 0xff, 0xff, 0x38, 0x45 }, "vrepi v17 #-1" },
        { { 0xe6, 0x12, 0x00, 0x35, 0x00, 0x50 }, "vcvb r1 #3" },
        { { 0xe6, 0x12, 0x00, 0x30, 0x00, 0x51 }, "vclzdp v1 v2 #3" },
        { { 0xe6, 0x12, 0x00, 0x03, 0x10, 0x55 }, "vcnf v1 v2 #1" },
        { { 0xe6, 0x12, 0x00, 0x3f, 0xf8, 0x58 }, "vcvd v17 #255" },
        { { 0xe6, 0x12, 0xa5, 0x30, 0xf0, 0x5b }, "vpsop v1 v2 #15" },
        { { 0xe6, 0x07, 0x00, 0x00, 0x00, 0x5f }, "vtp v7" },
        { { 0xe6, 0x12, 0x30, 0x1f, 0xf6, 0x71 }, "vap v1 v18 v19 #255" },
        { { 0xe6, 0x01, 0x20, 0x30, 0x02, 0x77 }, "vcp v1 v18 #3" },
        { { 0xe7, 0x12, 0x30, 0x00, 0x0e, 0x68 }, "vn v17 v18 v19" },
        { { 0xe6, 0x12, 0x30, 0x10, 0x02, 0x7d }, "vcsph v1 v2 v19 #1" },
        { { 0xe7, 0x40, 0x08, 0x11, 0x38, 0x46 }, "vgm v20 #8" },
        { { 0xe7, 0x12, 0xab, 0xc0, 0x32, 0x4a }, "vftci v1 v2 #2748" },
        { { 0xe7, 0x12, 0x00, 0x05, 0x7c, 0x4d }, "vrep v17 v18 #5" },
        { { 0xe7, 0x12, 0x30, 0x15, 0x26, 0x72 }, "verim v1 v18 v19 #21" },
        { { 0xe7, 0x12, 0x31, 0x00, 0x4e, 0xaa }, "vmal v17 v18 v19 #1" },
        { { 0xe7, 0x12, 0x35, 0x03, 0x40, 0x8f }, "vfma v1 v2 v3 #3" },
        { { 0xe7, 0x12, 0x30, 0x00, 0x08, 0x62 }, "vlvgp v17" },
    };

    CHECK_GOLDEN(rows);
}

TEST(s390, control_and_channel) /* S390-4 */
{
    static const struct golden rows[] = {
        { { 0x83, 0x12, 0x35, 0x00 }, "diag r1 r2 -[r3+1280] class 7 kernel" },
        { { 0x0a, 0x21 }, "svc #33 class 22" },
        { { 0x82, 0x00, 0x34, 0x56 }, "lpsw r[r3+1110]8 class 23 kernel" },
        { { 0xb2, 0xb2, 0x34, 0x56 }, "lpswe r[r3+1110]16 class 23 kernel" },
        { { 0xeb, 0x00, 0x34, 0x56, 0x78, 0x71 }, "lpswey r[r3+492630]16 class 23 kernel" },
        { { 0xae, 0x12, 0x30, 0x05 }, "sigp r1 r2 -[r3+5] class 32 kernel" },
        { { 0xac, 0xfc, 0x34, 0x56 }, "stnsm w[r3+1110]1 #252 class 24 kernel" },
        { { 0xb2, 0x05, 0x34, 0x56 }, "stck w[r3+1110]8 class 15" },
        { { 0xb2, 0x78, 0x34, 0x56 }, "stcke w[r3+1110]16 class 15" },
        { { 0xb2, 0x10, 0x34, 0x56 }, "spx r[r3+1110]4 class 10 kernel" },
        { { 0xb2, 0x12, 0x34, 0x56 }, "stap w[r3+1110]2 class 10 kernel" },
        { { 0xb2, 0x02, 0x34, 0x56 }, "stidp w[r3+1110]8 class 4 kernel" },
        { { 0xb2, 0x7d, 0x34, 0x56 }, "stsi w[r3+1110]4096 class 4 kernel" },
        { { 0xb2, 0xb0, 0x34, 0x56 }, "stfle w[r3+1110]0 class 4" },
        { { 0xb2, 0x20, 0x00, 0x12 }, "servc r1 r2 class 7 kernel" },
        { { 0xb2, 0x21, 0x30, 0x12 }, "ipte r1 r2 r3 class 12 kernel" },
        { { 0xb9, 0x8e, 0x30, 0x12 }, "idte r1 r3 r2 class 12 kernel" },
        { { 0xb2, 0x0d, 0x00, 0x00 }, "ptlb class 12 kernel" },
        { { 0xb2, 0x50, 0x00, 0x24 }, "csp r2 r4 :4 rw?[r4+0]4 atomic class 12 kernel" },
        { { 0xb2, 0x4b, 0x00, 0x20 }, "lura r2 r0 :4 r[r0+0]4 kernel" },
        { { 0xb9, 0x25, 0x00, 0x24 }, "sturg r2 r4 :8 w[r4+0]8 kernel" },
        { { 0xb1, 0x12, 0x34, 0x56 }, "lra r1 -[r3+r2+1110] class 14 kernel" },
        { { 0xb2, 0x2b, 0x30, 0x12 }, "sske r1 r2 #3 class 10 kernel" },
        { { 0xb2, 0x33, 0x34, 0x56 }, "ssch r[r3+1110]32 class 31 kernel" },
        { { 0xb2, 0x35, 0x34, 0x56 }, "tsch w[r3+1110]96 class 31 kernel" },
        { { 0xb2, 0x30, 0x00, 0x00 }, "csch class 31 kernel" },
        { { 0xb2, 0x5f, 0x00, 0x30 }, "chsc r3 rw[r3+0]4096 class 31 kernel" },
        { { 0xb9, 0xd2, 0x00, 0x12 }, "pcilg r1 r2 class 31 kernel" },
        { { 0xe3, 0x12, 0x34, 0x56, 0x78, 0xd0 }, "mpcifc r1 r[r3+r2+492630]64 class 31 kernel" },
        { { 0xb2, 0x14, 0x34, 0x56 }, "sie rw[r3+1110]0 class 25 kernel" },
        { { 0xb9, 0xa4, 0x00, 0x12 }, "uvc r1 r2 class 26 kernel" },
        { { 0xb9, 0xab, 0x30, 0x12 }, "essa r1 r2 #3 class 10 kernel" },
        { { 0xe5, 0x60, 0x34, 0x56, 0xff, 0x00 }, "tbegin w?[r3+1110]256 #65280 class 34" },
        { { 0xb2, 0x18, 0x34, 0x56 }, "pc -[r3+1110] class 22 switched" },
        { { 0x01, 0x01 }, "pr class 23" },
        { { 0xb9, 0x3c, 0x00, 0x24 }, "prno r2 r4 w[r2+0]0 rw[r4+0]0 class 17" },
        { { 0xb2, 0x4d, 0x00, 0x12 }, "cpya a1 a2" },
        { { 0xb2, 0xfa, 0x00, 0x12 }, "niai #1 class 30" },
    };

    CHECK_GOLDEN(rows);
}

TEST(s390, the_text_stays_for_the_operand_list) /* S390-12 */
{
    static const uint8_t bytes[6] = { 0xd2, 0x07, 0x34, 0x56, 0x78, 0x9a };
    struct svmc_insn insn;

    REQUIRE(decode(bytes, 6, &insn) == SVMC_OK);
    CHECK_EQ(insn.priv_form, S390_SS);
    CHECK_EQ(insn.priv_raw[0], 0xd2073456);
    CHECK_EQ(insn.priv_raw[1] >> 16, 0x789a);
    CHECK_EQ(insn.priv_raw[1] >> 8 & 0xff, SVMC_REG_S390_R0 + 7);
    CHECK_EQ(insn.priv_raw[1] & 0xff, SVMC_ACCESS_READ);
    CHECK_EQ(insn.priv_raw[2], 8 << 16 | 0x89a);
}

TEST(s390, without_operands_nothing_is_claimed) /* S390-4 to S390-6 */
{
    static const uint8_t ptlb[4] = { 0xb2, 0x0d, 0xff, 0xff };
    struct svmc_insn insn;

    REQUIRE(decode(ptlb, 4, &insn) == SVMC_OK);
    CHECK_EQ(insn.reg_kind, SVMC_REG_KIND_NONE);
    CHECK_EQ(insn.reg, SVMC_REG_NONE);
    CHECK_EQ(insn.reg2, SVMC_REG_NONE);
    CHECK_EQ(insn.reg3, SVMC_REG_NONE);
    CHECK_EQ(insn.base, SVMC_REG_NONE);
    CHECK_EQ(insn.index, SVMC_REG_NONE);
    CHECK_EQ(insn.disp, 0);
    CHECK_EQ(insn.imm, 0);
    CHECK_EQ(insn.mem_bytes, 0);
    CHECK_EQ(insn.mem_count, 0);
}
