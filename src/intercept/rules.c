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
    GP_FAULT = 1u << SVMC_FAULT_GP,
    UD_FAULT = 1u << SVMC_FAULT_UD,
    SPECIFICATION = 1u << SVMC_FAULT_SPECIFICATION,
    OPERAND = 1u << SVMC_FAULT_OPERAND,
    CC0 = 1u << 0, /* condition codes */
    CC1 = 1u << 1,
    CC2 = 1u << 2,
    CC3 = 1u << 3
};

/* Likewise, EX-1: bit n: svmc_isa n is one that has the kind, and registers that we know. */
enum {
    X86 =
        1u << SVMC_ISA_NONE | 1u << SVMC_ISA_X86_16 | 1u << SVMC_ISA_X86_32 | 1u << SVMC_ISA_X86_64,
    A64 = 1u << SVMC_ISA_A64,
    RV64 = 1u << SVMC_ISA_RV64,
    RV = 1u << SVMC_ISA_RV32 | RV64,
    S390 = 1u << SVMC_ISA_S390X,
    PPC64 = 1u << SVMC_ISA_PPC64,
    ANY = X86 | A64 | RV | S390 | PPC64
};

/* And bit n: an element may have n bytes; 0: the kind has none, or a register is implied. */
enum {
    BLOCK = 0, /* as many as the row's column "string?" says */
    UNSIZED = 1u << 0,
    EIGHT = 1u << 8,
    PORT_SIZES = 1u << 1 | 1u << 2 | 1u << 4,
    REGISTER_SIZES = 1u << 2 | 1u << 4 | EIGHT,
    MEMORY_SIZES = 0x1fe,
    PCI_SIZES = 0x1ff /* 0: a length that is none */
};

/* clang-format off */
#define MASK(n) ((n) == 0 || (n) >= 8 ? ~(uint64_t)0 : ((uint64_t)1 << 8 * ((n) & 7)) - 1)
#define SLOT(place, reg, n, check) { place, reg, n, check, MASK(n) }
#define REG(r, n) SLOT(PLACE_REG, SVMC_REG_##r, n, CHECK_ANY)
#define STATUS(r, n) SLOT(PLACE_REG, SVMC_REG_##r, n, CHECK_HCALL_STATUS)
#define TIME(r, n) SLOT(PLACE_REG, SVMC_REG_##r, n, CHECK_TIME)
#define TIME_DEST SLOT(PLACE_DEST, SVMC_REG_NONE, 0, CHECK_TIME)
#define VALUE(n) SLOT(PLACE_VALUE, SVMC_REG_NONE, n, CHECK_ANY)
#define DEST(n) SLOT(PLACE_DEST, SVMC_REG_NONE, n, CHECK_ANY)
#define ARG(i, n) SLOT(PLACE_ARG, i, n, CHECK_ANY)
#define BITS(place, reg, n, mask) { PLACE_##place, reg, n, CHECK_ANY, UINT64_C(mask) }
#define CC(codes) SLOT(PLACE_REG, SVMC_REG_S390_CC, 8, CHECK_CC | (codes))
#define CC_PCI(n) SLOT(PLACE_REG, SVMC_REG_S390_CC, n, CHECK_CC | CHECK_PCI | 15)
#define STATUS_OF(i, n) BITS(STATUS, i, n, 0xff)
#define X(n) SLOT(PLACE_REG, SVMC_REG_X0 + (n), 0, CHECK_ANY)
#define X_STATUS SLOT(PLACE_REG, SVMC_REG_X0, 0, CHECK_PSCI)
#define SECOND(n) SLOT(PLACE_SECOND, SVMC_REG_NONE, n, CHECK_ANY)
#define COUNT(n) SLOT(PLACE_THIRD, SVMC_REG_NONE, n, CHECK_ANY)
#define REACHED SLOT(PLACE_REG, SVMC_REG_NONE, 8, CHECK_REACHED)
#define MESSAGE SLOT(PLACE_REG, SVMC_REG_NONE, 8, CHECK_MESSAGE)
#define A(n) SLOT(PLACE_REG, SVMC_REG_RV_X0 + 10 + (n), 0, CHECK_ANY)
#define A_STATUS SLOT(PLACE_REG, SVMC_REG_RV_X0 + 10, 0, CHECK_SBI)
#define R(n) SLOT(PLACE_REG, SVMC_REG_PPC_R0 + (n), 0, CHECK_ANY)
#define R_STATUS SLOT(PLACE_REG, SVMC_REG_PPC_R0 + 3, 0, CHECK_PAPR)
#define IN0 0, { { 0, 0, 0, 0, 0 } }
#define IN1(a) 1, { a }
#define IN2(a, b) 2, { a, b }
#define IN3(a, b, c) 3, { a, b, c }
#define OUT3(a, b, c) 3, { a, b, c }
#define IN4(a, b, c, d) 4, { a, b, c, d }
#define IN6(a, b, c, d, e, f) 6, { a, b, c, d, e, f }
#define OUT0 0, { { 0, 0, 0, 0, 0 } }
#define OUT1(a) 1, { a }
#define OUT2(a, b) 2, { a, b }
#define OUT4(a, b, c, d) 4, { a, b, c, d }
/* of such a list: how many, and of the first one the bytes and the check */
#define COUNT_OF(...) FIRST(__VA_ARGS__)
#define FIRST(n, ...) (n)
#define BYTES_OF(...) FOURTH(__VA_ARGS__)
#define FOURTH(n, place, reg, bytes, ...) (bytes)
#define BEYOND(i, ...) (COUNT_OF(__VA_ARGS__) > (i) ? ~MASK(BYTES_OF(__VA_ARGS__)) : ~(uint64_t)0)
#define CHECK_OF(...) FIFTH(__VA_ARGS__)
#define FIFTH(n, place, reg, bytes, check, ...) (check)
/* of a row: whether a table of the policy's decides about it; PG-2 */
#define IN_TABLE(space) ((space) >= SPACE_PORT && (space) <= SPACE_SYSREG)
#define COMPLETION(string) ((string) == 1 ? SVMC_COMPLETION_CHUNK : SVMC_COMPLETION_SINGLE)
/* clang-format on */

enum row_number {
    ROW_UNKNOWN, /* the answer to everything that has no row */
#define ROW(kind, ...) ROW_##kind,
#include "rows.def"
#undef ROW
    ROW_COUNT
};

/* Bytes of an address, by space, four bits each. */
#define ADDRESS_BYTES                                                   \
    ((uint64_t)2 << 4 * SPACE_PORT | (uint64_t)4 << 4 * SPACE_MSR |     \
     (uint64_t)8 << 4 * SPACE_WINDOW | (uint64_t)8 << 4 * SPACE_HCALL | \
     (uint64_t)4 << 4 * SPACE_INDEX | (uint64_t)2 << 4 * SPACE_SYSREG | \
     (uint64_t)8 << 4 * SPACE_CALL | (uint64_t)8 << 4 * SPACE_REQUEST)

/* clang-format off */
const struct exit_rule svmc_intercept_rules[ROW_COUNT] = {
    /* #UD, and nothing leaves */
    { SVMC_KIND_UNKNOWN, ROW_UNKNOWN, ANY, UNSIZED, SVMC_VERDICT_FAULT, SPACE_NONE, 0,
      SVMC_DIRECTION_NONE, 0, 0, 0, 0, SVMC_FAULT_UD, 0, 0, IN0, OUT0, 0, 0, 0, 0, 0, 0, { 0 }, 0,
      { 0 } },
#define ROW(kind_, isas_, sizes_, verdict_, space_, write_, direction_, string_, statuses_,     \
            faults_, refusal_, in_, out_, source_)                                              \
    { SVMC_KIND_##kind_, ROW_##kind_, isas_, sizes_, SVMC_VERDICT_##verdict_, SPACE_##space_,   \
      write_, SVMC_DIRECTION_##direction_, string_,                                             \
      SPACE_##space_ == SPACE_S390 || (string_) > 1, statuses_, faults_,                        \
      SVMC_FAULT_##refusal_, ADDRESS_BYTES >> 4 * SPACE_##space_ & 15,                          \
      CHECK_OF(out_) == CHECK_TIME || SVMC_KIND_##kind_ == SVMC_KIND_WRMSR, in_, out_,          \
      (string_) == 0 && IN_TABLE(SPACE_##space_) ? isas_ : 0,                                   \
      (string_) <= 1 && IN_TABLE(SPACE_##space_) ? isas_ : 0,                                   \
      (ADDRESS_BYTES >> 4 * SPACE_##space_ & 15) + COUNT_OF(in_) * (BYTES_OF(in_) & 15),        \
      COUNT_OF(out_) * (BYTES_OF(out_) & 15),                                                   \
      (1u << COUNT_OF(in_)) - 1, (1u << COUNT_OF(out_)) - 1,                                    \
      { 1, 1, 0, COUNT_OF(in_), COUNT_OF(out_),                                                 \
        (string_) == 1 ? SVMC_DIRECTION_##direction_ : 0,                                       \
        (string_) == 1 ? SVMC_COMPLETION_CHUNK : 0, 0 },                                       \
      SVMC_KIND_##kind_ | (uint32_t)COMPLETION(string_) << 16 |                                 \
          (uint32_t)SVMC_DIRECTION_##direction_ << 24,                                          \
      { BEYOND(0, out_), BEYOND(1, out_), BEYOND(2, out_) } },
#include "rows.def"
#undef ROW
};
/* clang-format on */

_Static_assert(ROW_COUNT <= SVMC_LEDGER_ROWS, "a ledger has a row for each kind");

#define OPERATIONS 16u
_Static_assert(16 * OPERATIONS == KINDS && OPERATIONS == 16, "kind_of");

const uint16_t svmc_intercept_row_of[KIND_CELLS] = {
#define ROW(kind_, ...) [KIND_CELL(SVMC_KIND_##kind_)] = ROW_##kind_,
#include "rows.def"
#undef ROW
};

/*
 * PG-5: the instruction as a host sees it, by row and log2 of the access size, registers fixed; its
 * first byte is the lowest of the number.
 */
const uint32_t svmc_intercept_texts[ROW_COUNT][4] = {
    [ROW_CPUID] = { 0xa20f },
    [ROW_RDMSR] = { 0x320f },
    [ROW_WRMSR] = { 0x300f },
    [ROW_IN] = { 0xec, 0xed66, 0xed },
    [ROW_OUT] = { 0xee, 0xef66, 0xef },
    [ROW_INS] = { 0x6cf3, 0x6df366, 0x6df3 },
    [ROW_OUTS] = { 0x6ef3, 0x6ff366, 0x6ff3 },
    [ROW_MMIO_READ] = { 0x008a, 0x008b66, 0x008b, 0x008b48 },
    [ROW_MMIO_WRITE] = { 0x0088, 0x008966, 0x0089, 0x008948 },
    [ROW_HYPERCALL] = { 0xd9010f },
    [ROW_HLT] = { 0xf4 },
    [ROW_MONITOR] = { 0xc8010f },
    [ROW_MWAIT] = { 0xc9010f },
    [ROW_PAUSE] = { 0x90f3 },
    [ROW_WBINVD] = { 0x090f },
    [ROW_INVD] = { 0x080f },
    [ROW_RDTSC] = { 0x310f },
    [ROW_RDTSCP] = { 0xf9010f },
    [ROW_RDPMC] = { 0x330f },
};

/* the same for A64, whose kinds are few */
static const uint32_t texts_a64[ROW_COUNT][4] = {
    [ROW_MMIO_READ] = { 0x39400000, 0x79400000, 0xb9400000, 0xf9400000 }, /* ldr x0, [x0] */
    [ROW_MMIO_WRITE] = { 0x39000000, 0x79000000, 0xb9000000, 0xf9000000 },
    [ROW_SYSREG_READ] = { 0, 0, 0, 0xd5200000 }, /* mrs x0, with the number in bits 20:5 */
    [ROW_SYSREG_WRITE] = { 0, 0, 0, 0xd5000000 },
    [ROW_HVC] = { 0, 0, 0xd4000002, 0xd4000002 },
    [ROW_SMC] = { 0, 0, 0xd4000003, 0xd4000003 },
    [ROW_WFI] = { 0xd503207f },
    [ROW_WFE] = { 0xd503205f },
};

/* and for s390x: DIAGNOSE with the code in R5, as the ultravisor shows it (s390-pv.rst) */
static const uint8_t texts_s390[ROW_COUNT][8] = {
    [ROW_DIAG_288] = { 0x83, 0x02, 0x50, 0x00 }, /* diag %r0, %r2, 0(%r5) */
    [ROW_DIAG_500] = { 0x83, 0x02, 0x50, 0x00 },
    [ROW_DIAG_44] = { 0x83, 0x02, 0x50, 0x00 },
    [ROW_DIAG_9C] = { 0x83, 0x02, 0x50, 0x00 },
    [ROW_DIAG_308] = { 0x83, 0x02, 0x50, 0x00 },
    [ROW_SPX] = { 0xb2, 0x10, 0x50, 0x00 },  /* spx 0(%r5) */
    [ROW_LPSW] = { 0xb2, 0xb2, 0x50, 0x00 }, /* lpswe 0(%r5) */
    [ROW_LCTL] = { 0xb7, 0x0f, 0x50, 0x00 }, /* lctl %c0, %c15, 0(%r5) */
    [ROW_CSCH] = { 0xb2, 0x30 },
    [ROW_HSCH] = { 0xb2, 0x31 },
    [ROW_RSCH] = { 0xb2, 0x38 },
    [ROW_XSCH] = { 0xb2, 0x76 },
    [ROW_SAL] = { 0xb2, 0x37 },
    [ROW_RCHP] = { 0xb2, 0x3b },
    [ROW_SSCH] = { 0xb2, 0x33, 0x50, 0x00 }, /* ssch 0(%r5) */
    [ROW_MSCH] = { 0xb2, 0x32, 0x50, 0x00 },
    [ROW_STSCH] = { 0xb2, 0x34, 0x50, 0x00 },
    [ROW_TSCH] = { 0xb2, 0x35, 0x50, 0x00 },
    [ROW_SIGP] = { 0xae, 0x02, 0x50, 0x00 }, /* sigp %r0, %r2, 0(%r5) */
    [ROW_CHSC] = { 0xb2, 0x5f, 0x00, 0x10 }, /* chsc %r1 */
    [ROW_TPI] = { 0xb2, 0x36, 0x50, 0x00 },
    [ROW_SERVC] = { 0xb2, 0x20, 0x00, 0x12 }, /* servc %r1, %r2 */
    [ROW_STSI] = { 0xb2, 0x7d, 0x50, 0x00 },
    [ROW_STHYI] = { 0xb2, 0x56, 0x00, 0x02 }, /* sthyi %r0, %r2 */
    [ROW_UVC] = { 0xb9, 0xa4, 0x00, 0x02 },
    [ROW_PCISTG] = { 0xb9, 0xd0, 0x00, 0x02 }, /* r0 and the pair r2, here and below */
    [ROW_PCILG] = { 0xb9, 0xd2, 0x00, 0x02 },
    [ROW_RPCIT] = { 0xb9, 0xd3, 0x00, 0x02 },
    [ROW_PCISTB] = { 0xeb, 0x02, 0x50, 0x00, 0x00, 0xd4 },
    [ROW_MPCIFC] = { 0xe3, 0x00, 0x50, 0x00, 0x00, 0xd0 },
    [ROW_STPCIFC] = { 0xe3, 0x00, 0x50, 0x00, 0x00, 0xd4 },
};

#define TEXT_SC_1 0x44000022u /* and for Power: sc 1, Power ISA book III, 4.3.1 */

/* and for RISC-V; its loads and stores have none. With a0, CSRRS's number in bits 31:20 */
static const uint32_t texts_rv[ROW_COUNT] = { [ROW_SBI] = 0x00000073,
                                              [ROW_WFI] = 0x10500073,
                                              [ROW_RDTIME] = 0x00002573,
                                              [ROW_RDCOUNTER] = 0x00002573 };

static const char names[ROW_COUNT][16] = {
    [ROW_UNKNOWN] = "unknown",
    [ROW_CPUID] = "cpuid",
    [ROW_RDMSR] = "rdmsr",
    [ROW_WRMSR] = "wrmsr",
    [ROW_SYSREG_READ] = "sysreg-read",
    [ROW_SYSREG_WRITE] = "sysreg-write",
    [ROW_IN] = "in",
    [ROW_OUT] = "out",
    [ROW_INS] = "ins",
    [ROW_OUTS] = "outs",
    [ROW_MMIO_READ] = "mmio-read",
    [ROW_MMIO_WRITE] = "mmio-write",
    [ROW_HYPERCALL] = "hypercall",
    [ROW_HVC] = "hvc",
    [ROW_SMC] = "smc",
    [ROW_SBI] = "sbi",
    [ROW_HCALL] = "hcall",
    [ROW_HLT] = "hlt",
    [ROW_WFI] = "wfi",
    [ROW_WFE] = "wfe",
    [ROW_MONITOR] = "monitor",
    [ROW_MWAIT] = "mwait",
    [ROW_PAUSE] = "pause",
    [ROW_WBINVD] = "wbinvd",
    [ROW_INVD] = "invd",
    [ROW_RDTSC] = "rdtsc",
    [ROW_RDTSCP] = "rdtscp",
    [ROW_RDPMC] = "rdpmc",
    [ROW_RDTIME] = "rdtime",
    [ROW_RDCOUNTER] = "rdcounter",
    [ROW_CSR_READ] = "csr-read",
    [ROW_CSR_WRITE] = "csr-write",
    [ROW_CSR_SWAP] = "csr-swap",
    [ROW_CSR_SET] = "csr-set",
    [ROW_CSR_CLEAR] = "csr-clear",
    [ROW_CR_READ] = "cr-read",
    [ROW_CR_WRITE] = "cr-write",
    [ROW_DR_READ] = "dr-read",
    [ROW_DR_WRITE] = "dr-write",
    [ROW_XSETBV] = "xsetbv",
    [ROW_CLTS] = "clts",
    [ROW_LMSW] = "lmsw",
    [ROW_SYS_STORE] = "sys-store",
    [ROW_SYS_LOAD] = "sys-load",
    [ROW_SHUTDOWN] = "shutdown",
    [ROW_PAGE_STATE] = "page-state",
    [ROW_HOST_CALL] = "host-call",
    [ROW_MAP_GPA] = "map-gpa",
    [ROW_GUEST_REQUEST] = "guest-request",
    [ROW_GUEST_REQUEST_EXT] = "guest-request-x",
    [ROW_AP_CREATE] = "ap-create",
    [ROW_DATA_ABORT] = "data-abort",
    [ROW_PROTECTED_ABORT] = "protected-abort",
    [ROW_INSN_ABORT] = "insn-abort",
    [ROW_RIPAS] = "ripas",
    [ROW_S2AP] = "s2ap",
    [ROW_DEV_MEM] = "dev-mem",
    [ROW_IRQ] = "irq",
    [ROW_FIQ] = "fiq",
    [ROW_SERROR] = "serror",
    [ROW_DIAG_288] = "diag-288",
    [ROW_DIAG_500] = "diag-500",
    [ROW_WAIT] = "wait",
    [ROW_DIAG_44] = "diag-44",
    [ROW_DIAG_9C] = "diag-9c",
    [ROW_SPX] = "spx",
    [ROW_LPSW] = "lpsw",
    [ROW_LCTL] = "lctl",
    [ROW_CSCH] = "csch",
    [ROW_HSCH] = "hsch",
    [ROW_RSCH] = "rsch",
    [ROW_XSCH] = "xsch",
    [ROW_SAL] = "sal",
    [ROW_RCHP] = "rchp",
    [ROW_SSCH] = "ssch",
    [ROW_MSCH] = "msch",
    [ROW_STSCH] = "stsch",
    [ROW_TSCH] = "tsch",
    [ROW_DIAG_308] = "diag-308",
    [ROW_SIGP] = "sigp",
    [ROW_CHSC] = "chsc",
    [ROW_TPI] = "tpi",
    [ROW_SERVC] = "servc",
    [ROW_STSI] = "stsi",
    [ROW_STHYI] = "sthyi",
    [ROW_PCILG] = "pcilg",
    [ROW_PCISTG] = "pcistg",
    [ROW_PCISTB] = "pcistb",
    [ROW_RPCIT] = "rpcit",
    [ROW_MPCIFC] = "mpcifc",
    [ROW_STPCIFC] = "stpcifc",
    [ROW_UVC] = "uvc",
};

bool svmc_intercept_row_kind(uint32_t row, uint16_t *kind)
{
    *kind = svmc_intercept_rules[core_clamp(row, ROW_COUNT)].kind;
    return row < ROW_COUNT;
}

CORE_COLD uint64_t svmc_intercept_other_text(const struct exit_rule *rule,
                                             const struct svmc_exit *exit)
{
    uint32_t isa = exit->isa, size = exit->size, row = rule->row;
    uint32_t log = size <= 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3;

    if (isa == SVMC_ISA_PPC64)
        return rule->kind == SVMC_KIND_HCALL ? TEXT_SC_1 : 0;
    if (isa == SVMC_ISA_S390X)
        return core_load_le64(texts_s390[row]); /* clamp: row is */
    if (size > 2 && size != 4 && size != 8)
        return 0;
    if (isa == SVMC_ISA_A64) /* clamp: row is ours, log is below 4 */
        return texts_a64[row][log] | (rule->space == SPACE_SYSREG ? exit->address << 5 : 0);
    return texts_rv[row] | /* clamp: the same */
           (rule->space == SPACE_INDEX ? (exit->address & 0xfff) << 20 : 0);
}

CORE_COLD uint32_t svmc_intercept_kind_entry(uint16_t kind)
{
    const struct exit_rule *rule = svmc_intercept_rule(kind);

    if (rule->space != SPACE_KIND && rule->space != SPACE_INDEX && rule->space != SPACE_REQUEST)
        return KINDS;
    return (uint32_t)(kind >> 12) * OPERATIONS + (kind & (OPERATIONS - 1));
}

const char *svmc_kind_name(uint16_t kind)
{
    return names[svmc_intercept_rule(kind)->row]; /* clamp: a number that stands in our table */
}
