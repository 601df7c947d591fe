/* SPDX-License-Identifier: MIT */
/** The table of exit kinds, and the one way to a row. */
#include "intercept_private.h"

#include "../core/bytes.h"
#include "../core/clamp.h"

/* names that stand in rows.def: bits of the legal reply statuses and faults */
enum {
    DONE = 1u << SVMC_REPLY_DONE,
    FAULT = 1u << SVMC_REPLY_FAULT,
    PARTIAL = 1u << SVMC_REPLY_PARTIAL,
    RETRY = 1u << SVMC_REPLY_RETRY,
    NO_STATUS = 0,
    NO_FAULT = 0,
    GP_FAULT = 1u << SVMC_FAULT_GP
};

/* clang-format off */
#define MASK(n) ((n) == 4 ? UINT32_MAX : ~(uint64_t)0) /* of 0, 4 and 8 bytes */
#define REG(r, n) { PLACE_REG, SVMC_REG_##r, n, CHECK_ANY, MASK(n) }
#define STATUS(r, n) { PLACE_REG, SVMC_REG_##r, n, CHECK_HCALL_STATUS, MASK(n) }
#define VALUE(n) { PLACE_VALUE, SVMC_REG_NONE, n, CHECK_ANY, MASK(n) }
#define DEST(n) { PLACE_DEST, SVMC_REG_NONE, n, CHECK_ANY, MASK(n) }
#define IN0 0, { { 0, 0, 0, 0, 0 } }
#define IN1(a) 1, { a }
#define IN2(a, b) 2, { a, b }
#define IN6(a, b, c, d, e, f) 6, { a, b, c, d, e, f }
#define OUT0 0, { { 0, 0, 0, 0, 0 } }
#define OUT1(a) 1, { a }
#define OUT2(a, b) 2, { a, b }
#define OUT4(a, b, c, d) 4, { a, b, c, d }
/* clang-format on */

enum row_number {
    ROW_UNKNOWN, /* the answer to everything that has no row */
#define ROW(kind, ...) ROW_##kind,
#include "rows.def"
#undef ROW
    ROW_COUNT
};

/* clang-format off */
static const struct exit_rule rules[ROW_COUNT] = {
    /* #UD, and nothing leaves */
    { SVMC_KIND_UNKNOWN, SVMC_VERDICT_FAULT, SPACE_NONE, 0, SVMC_DIRECTION_NONE, 0, 0, 0,
      SVMC_FAULT_UD, IN0, OUT0 },
#define ROW(kind_, verdict_, space_, write_, direction_, string_, statuses_, faults_, refusal_, \
            in_, out_, source_)                                                                 \
    { SVMC_KIND_##kind_, SVMC_VERDICT_##verdict_, SPACE_##space_, write_,                       \
      SVMC_DIRECTION_##direction_, string_, statuses_, faults_, SVMC_FAULT_##refusal_, in_, out_ },
#include "rows.def"
#undef ROW
};
/* clang-format on */

_Static_assert(ROW_COUNT <= SVMC_LEDGER_ROWS, "a ledger has a row for each kind");

/* [class][operation] -> row; operations count from 1 within their class */
#define CLASSES    16u
#define OPERATIONS 4u

static const uint8_t row_of[CLASSES * OPERATIONS] = {
#define ROW(kind_, ...) \
    [(SVMC_KIND_##kind_ >> 12) * OPERATIONS + (SVMC_KIND_##kind_ & 0xfff)] = ROW_##kind_,
#include "rows.def"
#undef ROW
};

/* PG-5: the instruction as a host sees it, by row and log2 of the access size; registers fixed */
static const uint8_t texts[ROW_COUNT][4][4] = {
    [ROW_CPUID] = { { 0x0f, 0xa2 } },
    [ROW_RDMSR] = { { 0x0f, 0x32 } },
    [ROW_WRMSR] = { { 0x0f, 0x30 } },
    [ROW_IN] = { { 0xec }, { 0x66, 0xed }, { 0xed } },
    [ROW_OUT] = { { 0xee }, { 0x66, 0xef }, { 0xef } },
    [ROW_INS] = { { 0xf3, 0x6c }, { 0x66, 0xf3, 0x6d }, { 0xf3, 0x6d } },
    [ROW_OUTS] = { { 0xf3, 0x6e }, { 0x66, 0xf3, 0x6f }, { 0xf3, 0x6f } },
    [ROW_MMIO_READ] = { { 0x8a, 0 }, { 0x66, 0x8b, 0 }, { 0x8b, 0 }, { 0x48, 0x8b, 0 } },
    [ROW_MMIO_WRITE] = { { 0x88, 0 }, { 0x66, 0x89, 0 }, { 0x89, 0 }, { 0x48, 0x89, 0 } },
    [ROW_HYPERCALL] = { { 0x0f, 0x01, 0xd9 } },
    [ROW_HLT] = { { 0xf4 } },
};

/* the same for A64, whose kinds are few */
static const uint32_t texts_a64[ROW_COUNT][4] = {
    [ROW_MMIO_READ] = { 0x39400000, 0x79400000, 0xb9400000, 0xf9400000 }, /* ldr x0, [x0] */
    [ROW_MMIO_WRITE] = { 0x39000000, 0x79000000, 0xb9000000, 0xf9000000 },
    [ROW_WFI] = { 0xd503207f },
    [ROW_WFE] = { 0xd503205f },
};

static const char names[ROW_COUNT][12] = {
    [ROW_UNKNOWN] = "unknown",
    [ROW_CPUID] = "cpuid",
    [ROW_RDMSR] = "rdmsr",
    [ROW_WRMSR] = "wrmsr",
    [ROW_IN] = "in",
    [ROW_OUT] = "out",
    [ROW_INS] = "ins",
    [ROW_OUTS] = "outs",
    [ROW_MMIO_READ] = "mmio-read",
    [ROW_MMIO_WRITE] = "mmio-write",
    [ROW_HYPERCALL] = "hypercall",
    [ROW_HLT] = "hlt",
    [ROW_WFI] = "wfi",
    [ROW_WFE] = "wfe",
    [ROW_SHUTDOWN] = "shutdown",
};

static uint32_t find(uint16_t kind)
{
    uint32_t op = kind & 0xfffu;

    if (op >= OPERATIONS)
        return ROW_UNKNOWN;
    return row_of[core_clamp((uint32_t)(kind >> 12) * OPERATIONS + op, CLASSES * OPERATIONS)];
}

const struct exit_rule *svmc_intercept_rule(uint16_t kind)
{
    return &rules[find(kind)]; /* clamp: a number that stands in our table, here and below */
}

uint32_t svmc_intercept_row(const struct exit_rule *rule)
{
    return (uint32_t)(rule - rules);
}

bool svmc_intercept_row_kind(uint32_t row, uint16_t *kind)
{
    *kind = rules[core_clamp(row, ROW_COUNT)].kind;
    return row < ROW_COUNT;
}

uint64_t svmc_intercept_insn_text(const struct exit_rule *rule, uint32_t isa, uint32_t size)
{
    uint32_t row = (uint32_t)(rule - rules);
    uint32_t log = size <= 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3;

    if (size > 2 && size != 4 && size != 8)
        return 0;
    if (isa == SVMC_ISA_A64)
        return texts_a64[row][log]; /* clamp: row is ours, log is below 4 */
    return isa <= SVMC_ISA_X86_64 ? core_load_le32(texts[row][log]) : 0; /* clamp: the same */
}

const char *svmc_kind_name(uint16_t kind)
{
    return names[find(kind)]; /* clamp: as above */
}
