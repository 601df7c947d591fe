/* SPDX-License-Identifier: MIT */
/**
 * Front end for hypervisors on AMD SVM: a VMCB after #VMEXIT, read at the offsets of AMD APM vol. 2
 * appendix B, little-endian. Two witnesses where there are two, the processor and the bytes at RIP,
 * and they must agree. Pure; rules EX-11 to EX-15.
 */
#include <svmcore/exit_svm.h>

#include "../core/bytes.h"
#include "../core/clamp.h"
#include "../core/memory.h"
#include "intercept_private.h"

/* APM vol. 2 table B-1, the control area */
#define VMCB_INT_CONTROL 0x060u
#define VMCB_INT_STATE   0x068u
#define VMCB_EXIT_CODE   0x070u
#define VMCB_EXIT_INFO_1 0x078u
#define VMCB_EXIT_INFO_2 0x080u
#define VMCB_EXIT_EVENT  0x088u /* EXITINTINFO */
#define VMCB_ENABLES     0x090u
#define VMCB_NEXT_RIP    0x0c8u
#define VMCB_FETCHED     0x0d0u /* one byte: how many ... */
#define VMCB_INSN_BYTES  0x0d1u /* ... of these fifteen are there */
/* table B-2, the save area at 400h */
#define VMCB_CS_ATTRIBUTES 0x412u
#define VMCB_CPL           0x4cbu
#define VMCB_EFER          0x4d0u
#define VMCB_RFLAGS        0x570u
#define VMCB_RIP           0x578u

#define CONTROL_V_NMI_MASK   (1u << 12)
#define CONTROL_V_NMI_ENABLE (1u << 26)
#define STATE_SHADOW         1u
#define ENABLE_SEV_ES        4u
#define CS_L                 (1u << 9)
#define CS_D                 (1u << 10)
#define EFER_LMA             (1u << 10)
#define RFLAGS_TF            (1u << 8)
#define RFLAGS_RF            (1u << 16)

/* EXITINFO1 of IOIO, 15.10.2 */
#define IOIO_IN     1u
#define IOIO_STRING 4u
#define IOIO_REP    8u
/* EXITINFO1 of a nested page fault, 15.25.6 */
#define NPF_WRITE          ((uint64_t)1 << 1)
#define NPF_FETCH          ((uint64_t)1 << 4)
#define NPF_SHADOW         ((uint64_t)1 << 6) /* an access to a shadow stack */
#define NPF_RMP            ((uint64_t)1 << 31)
#define NPF_FINAL          ((uint64_t)1 << 32) /* at the guest's final address ... */
#define NPF_TABLES         ((uint64_t)1 << 33) /* ... or at a table on the way there */
#define ADDRESS_BITS       52u
#define CR_IS_MOV          ((uint64_t)1 << 63) /* EXITINFO1 of a control register, 15.8.1 */
#define CODE_CR0_SEL_WRITE 0x65u

enum meaning {
    MEANING_EVENT,
    MEANING_INSN,
    MEANING_TRANSFER,
    MEANING_TABLE,
    MEANING_IOIO,
    MEANING_MSR,
    MEANING_NPF,
    MEANING_SHUTDOWN
};

struct svm_row {
    uint8_t meaning; /* enum meaning */
    uint8_t insn_class;
    uint16_t kind;
};

/* Codes below 100h, 400h to 407h, -1 to -4, and one row for all others. */
#define HIGH_FIRST 0x400u
#define HIGH_COUNT 8u
#define BACK_COUNT 4u
#define HIGH_SLOT  0x100u
#define BACK_SLOT  (HIGH_SLOT + HIGH_COUNT)
#define NO_SLOT    (BACK_SLOT + BACK_COUNT)
#define SLOTS      (NO_SLOT + 1u)
#define SLOT(code)                                  \
    ((code) < 0       ? (int)BACK_SLOT - 1 - (code) \
     : (code) < 0x400 ? (code)                      \
                      : (code)-0x400 + (int)HIGH_SLOT)

/* clang-format off */
#define ROW(code, meaning_, class_, kind_, source) \
    [SLOT(code)] = { MEANING_##meaning_, SVMC_CLASS_##class_, SVMC_KIND_##kind_ },
#define ROW4(code, ...) \
    ROW(code, __VA_ARGS__) ROW(code + 1, __VA_ARGS__) ROW(code + 2, __VA_ARGS__) \
    ROW(code + 3, __VA_ARGS__)
#define ROW16(code, ...) \
    ROW4(code, __VA_ARGS__) ROW4(code + 4, __VA_ARGS__) ROW4(code + 8, __VA_ARGS__) \
    ROW4(code + 12, __VA_ARGS__)
/* clang-format on */
static const struct svm_row rows[SLOTS] = {
#include "svm_codes.def"
};

static const struct svm_row *find_row(uint64_t code)
{
    uint32_t slot = NO_SLOT;

    if (code < HIGH_SLOT)
        slot = (uint32_t)code;
    else if (code - HIGH_FIRST < HIGH_COUNT)
        slot = HIGH_SLOT + (uint32_t)(code - HIGH_FIRST);
    else if (~code < BACK_COUNT)
        slot = BACK_SLOT + (uint32_t)~code;
    return &rows[core_clamp(slot, SLOTS)];
}

/* What is known about the instruction that exited. */
struct witness {
    struct svmc_cpu cpu; /* isa: the VMCB's */
    const uint8_t *bytes;
    size_t count;
    uint64_t code; /* EXITCODE */
    uint64_t info1;
    uint64_t info2;
    uint8_t length; /* as the processor says; 0: it does not */
};

/* EX-11: the mode. */
static bool find_mode(const uint8_t *vmcb, uint8_t *isa)
{
    uint32_t attributes = core_load_le16(vmcb + VMCB_CS_ATTRIBUTES);

    return code_mode((attributes & CS_L) != 0, (attributes & CS_D) != 0,
                     (core_load_le64(vmcb + VMCB_EFER) & EFER_LMA) != 0, isa);
}

/* EX-12: the length as the next RIP tells it. */
static bool find_length(const uint8_t *vmcb, uint64_t next_rip, struct witness *w)
{
    uint64_t mask = core_mask(w->cpu.isa == SVMC_ISA_X86_64 ? 8 : 4);
    uint64_t distance = (next_rip - core_load_le64(vmcb + VMCB_RIP)) & mask;

    if (next_rip == 0)
        return true;
    w->length = (uint8_t)distance;
    return distance >= 1 && distance <= SVMC_INSN_MAX;
}

/* EX-14: nobody rewrites bytes that the processor has fetched; the caller's must be the same. */
static bool join_bytes(const uint8_t *vmcb, struct witness *w)
{
    size_t fetched = vmcb[VMCB_FETCHED], common = fetched < w->count ? fetched : w->count;

    if (fetched > SVMC_INSN_MAX ||
        (common > 0 && memcmp(vmcb + VMCB_INSN_BYTES, w->bytes, common) != 0))
        return false;
    if (fetched > w->count) {
        w->bytes = vmcb + VMCB_INSN_BYTES;
        w->count = fetched;
    }
    return true;
}

/* EX-12: the instruction in the bytes is as long as the processor says. */
static enum svmc_status decode(const struct witness *w, struct svmc_insn *insn)
{
    enum svmc_status st = svmc_insn_decode(&w->cpu, w->bytes, w->count, insn);

    if (st == SVMC_OK && w->length != 0 && w->length != insn->length)
        return SVMC_ERR_MISMATCH;
    return st;
}

static void begin(const struct witness *w, uint16_t kind, uint8_t length, struct svmc_exit *out)
{
    memset(out, 0, sizeof *out);
    out->kind = kind;
    out->count = 1;
    out->finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP;
    out->insn_bytes = length;
    out->isa = w->cpu.isa;
}

/*
 * An instruction that the exit code names whole; without bytes the code's word is enough. kind 0:
 * of several kinds, and there are bytes.
 */
static enum svmc_status from_code(const struct witness *w, uint8_t insn_class, uint16_t kind,
                                  struct svmc_exit *out)
{
    struct svmc_insn insn;
    enum svmc_status st;

    if (w->count == 0 && w->length == 0)
        return SVMC_ERR_TRUNCATED;
    if (w->count == 0) {
        begin(w, kind, w->length, out);
        svmc_intercept_set_from(out);
        return SVMC_OK;
    }
    st = decode(w, &insn);
    if (st != SVMC_OK)
        return st;
    if (insn.id == SVMC_X86_VMGEXIT && kind == SVMC_KIND_HYPERCALL)
        insn.id = SVMC_X86_VMMCALL; /* what it is without SEV-ES; APM vol. 3, VMGEXIT */
    st = svmc_exit_from_insn(&insn, (enum svmc_insn_class)insn_class, (svmc_gpa){ 0 }, out);
    if (st == SVMC_ERR_UNSUPPORTED) { /* the right class, and no kind: EX-11 */
        begin(w, SVMC_KIND_UNKNOWN, insn.length, out);
        return SVMC_OK;
    }
    return st == SVMC_OK && kind != 0 && out->kind != kind ? SVMC_ERR_MISMATCH : st;
}

/*
 * EX-60, 15.8.1: which register the code says; with decode assists bit 63 of EXITINFO1 means MOV
 * CRn, and bits 3:0 are its general register. MOV DRn has no such bit: 0 may be RAX or no word.
 */
static enum svmc_status from_transfer(const struct witness *w, const struct svm_row *row,
                                      struct svmc_exit *out)
{
    bool cr = row->insn_class == SVMC_CLASS_CONTROL_REG;
    uint64_t number = w->code == CODE_CR0_SEL_WRITE ? 0 : w->code & 15;
    uint8_t reg = w->info1 & 15;
    enum svmc_status st;

    if (w->count == 0) {
        if (w->length == 0 || !cr || !(w->info1 & CR_IS_MOV))
            return SVMC_ERR_TRUNCATED;
        begin(w, row->kind, w->length, out);
        out->size = w->cpu.isa == SVMC_ISA_X86_64 ? 8 : 4;
        svmc_intercept_set_transfer((enum svmc_kind)row->kind, number, reg, out);
        return SVMC_OK;
    }
    st = from_code(w, row->insn_class, 0, out);
    if (st != SVMC_OK || out->kind == SVMC_KIND_UNKNOWN)
        return st;
    if (number == 0 && cr && /* of CR0 in memory: EX-87 */
        out->kind == (row->kind == SVMC_KIND_CR_READ ? SVMC_KIND_SYS_STORE : SVMC_KIND_SYS_LOAD))
        return SVMC_OK;
    if (out->kind != row->kind && !(row->kind == SVMC_KIND_CR_WRITE && number == 0 &&
                                    (out->kind == SVMC_KIND_LMSW || out->kind == SVMC_KIND_CLTS)))
        return SVMC_ERR_MISMATCH;
    return out->address == number ? SVMC_OK : SVMC_ERR_MISMATCH;
}

/* EX-87 */
static enum svmc_status from_table(const struct witness *w, const struct svm_row *row,
                                   struct svmc_exit *out)
{
    static const uint8_t numbers[] = { SVMC_SYS_LDTR, SVMC_SYS_TR, SVMC_SYS_IDTR, SVMC_SYS_GDTR };
    uint8_t number = numbers[w->code & 3]; /* clamp: two bits */
    enum svmc_status st = from_code(w, row->insn_class, row->kind, out);

    if (st == SVMC_OK && w->count == 0)
        out->address = number;
    return st == SVMC_OK && out->address != number ? SVMC_ERR_MISMATCH : st;
}

/* EX-13: what EXITINFO1 says of a port access. *whole: nothing is missing. */
static enum svmc_status read_ioio(const struct witness *w, struct svmc_exit *out, bool *whole)
{
    uint32_t info = (uint32_t)w->info1, size = info >> 4 & 7, address = info >> 7 & 7;
    uint32_t segment = info >> 10 & 7;
    bool in = (info & IOIO_IN) != 0, string = (info & IOIO_STRING) != 0;
    bool is_64 = w->cpu.isa == SVMC_ISA_X86_64;

    /* one bit each: SZ8, SZ16, SZ32; A16, A32, A64, none without decode assists */
    if ((size != 1 && size != 2 && size != 4) || (address & (address - 1)) != 0 ||
        address == (is_64 ? 1 : 4) || (string && segment > SVMC_SEG_GS))
        return SVMC_ERR_MISMATCH;
    begin(w, in ? SVMC_KIND_IN : SVMC_KIND_OUT, w->length, out);
    out->size = (uint8_t)size;
    out->address = info >> 16;
    if (string) {
        out->kind = in ? SVMC_KIND_INS : SVMC_KIND_OUTS;
        out->from = SVMC_FROM_STRING_REGS;
        out->repeat = (info & IOIO_REP) != 0;
        out->address_bytes = (uint8_t)(2 * address);
        out->segment = in ? SVMC_SEG_ES : (uint8_t)segment;
        if (is_64 && out->segment < SVMC_SEG_FS)
            out->segment = (uint8_t)SVMC_SEG_NONE; /* APM vol. 2, 4.5.3 */
    } else if (in) {
        out->dest_reg = SVMC_REG_RAX;
        out->dest_bytes = (uint8_t)size;
    } else {
        out->from = SVMC_FROM_VALUE_REG;
        out->value_reg = SVMC_REG_RAX;
    }
    /* segment 0 is ES, or a processor that does not say it; INS is always ES */
    *whole = w->length != 0 && (!string || (address != 0 && (in || segment != SVMC_SEG_ES)));
    return SVMC_OK;
}

/* EX-13: whether bytes and EXITINFO1 tell of the same access. */
static bool same_access(const struct svmc_exit *said, const struct svmc_exit *decoded, bool segment)
{
    bool string = (said->from & SVMC_FROM_STRING_REGS) != 0;

    return said->kind == decoded->kind && said->size == decoded->size &&
           ((decoded->from & SVMC_FROM_ADDRESS_REG) || said->address == decoded->address) &&
           (!string ||
            (said->repeat == decoded->repeat &&
             (said->address_bytes == 0 || said->address_bytes == decoded->address_bytes) &&
             (!segment || said->segment == decoded->segment)));
}

static enum svmc_status from_ioio(const struct witness *w, struct svmc_exit *out)
{
    bool string = (w->info1 & IOIO_STRING) != 0, whole;
    struct svmc_exit said;
    struct svmc_insn insn;
    enum svmc_status st = read_ioio(w, &said, &whole);

    if (st != SVMC_OK)
        return st;
    if (w->count == 0 && !whole)
        return SVMC_ERR_TRUNCATED;
    if (w->count == 0) {
        *out = said;
        return SVMC_OK;
    }
    st = decode(w, &insn);
    if (st == SVMC_OK)
        st = svmc_exit_from_insn(&insn, string ? SVMC_CLASS_STRING_PORT : SVMC_CLASS_PORT,
                                 (svmc_gpa){ 0 }, out);
    if (st != SVMC_OK)
        return st;
    if (!same_access(&said, out, (w->info1 >> 10 & 7) != SVMC_SEG_ES && !(w->info1 & IOIO_IN)))
        return SVMC_ERR_MISMATCH;
    out->address = said.address; /* the port that the processor checked, not DX once more */
    out->address_reg = 0;
    out->from &= (uint8_t)~SVMC_FROM_ADDRESS_REG;
    return SVMC_OK;
}

/* EX-14 */
static enum svmc_status from_npf(const struct witness *w, struct svmc_exit *out)
{
    struct svmc_insn insn;
    enum svmc_status st;

    if ((w->info1 & NPF_FINAL) && (w->info1 & NPF_TABLES))
        return SVMC_ERR_MISMATCH;
    if (!(w->info1 & NPF_FINAL) || (w->info1 & (NPF_FETCH | NPF_SHADOW | NPF_RMP)))
        return SVMC_ERR_UNSUPPORTED;
    if (w->info2 >> ADDRESS_BITS != 0)
        return SVMC_ERR_MISMATCH;
    if (w->count == 0)
        return SVMC_ERR_TRUNCATED;
    st = decode(w, &insn);
    if (st != SVMC_OK)
        return st;
    st = svmc_exit_from_insn(&insn, SVMC_CLASS_MEMORY, (svmc_gpa){ w->info2 }, out);
    if (st == SVMC_ERR_MISMATCH &&
        (insn.access != SVMC_ACCESS_NONE || (insn.flags & SVMC_INSN_STACK) ||
         insn.insn_class == SVMC_CLASS_CACHE))
        return SVMC_ERR_UNSUPPORTED; /* it touches memory, beside what else it does */
    if (st == SVMC_OK && (out->kind == SVMC_KIND_MMIO_WRITE) != ((w->info1 & NPF_WRITE) != 0))
        return SVMC_ERR_MISMATCH;
    return st;
}

static enum svmc_status from_row(const struct svm_row *row, const struct witness *w,
                                 struct svmc_exit *out)
{
    switch ((enum meaning)row->meaning) {
    case MEANING_INSN:
        return from_code(w, row->insn_class, row->kind, out);
    case MEANING_TRANSFER:
        return from_transfer(w, row, out);
    case MEANING_TABLE:
        return from_table(w, row, out);
    case MEANING_MSR: /* APM vol. 2, 15.11 */
        if (w->info1 > 1)
            return SVMC_ERR_MISMATCH;
        return from_code(w, row->insn_class, w->info1 == 1 ? SVMC_KIND_WRMSR : SVMC_KIND_RDMSR,
                         out);
    case MEANING_IOIO:
        return from_ioio(w, out);
    case MEANING_NPF:
        return from_npf(w, out);
    default:
        return SVMC_ERR_UNSUPPORTED;
    }
}

/* EX-15: what stands against an event. The processor has one shadow, of STI and of SS. */
static uint8_t find_state(const uint8_t *vmcb)
{
    const uint32_t nmi = CONTROL_V_NMI_ENABLE | CONTROL_V_NMI_MASK;
    uint64_t rflags = core_load_le64(vmcb + VMCB_RFLAGS);
    unsigned state = SVMC_STATE_NONE;

    if (vmcb[VMCB_INT_STATE] & STATE_SHADOW)
        state |= SVMC_STATE_SHADOW_STI;
    if ((core_load_le32(vmcb + VMCB_INT_CONTROL) & nmi) == nmi)
        state |= SVMC_STATE_NMI_BLOCKED;
    if (rflags & RFLAGS_RF)
        state |= SVMC_STATE_RF;
    if (rflags & RFLAGS_TF)
        state |= SVMC_STATE_SINGLE_STEP;
    return (uint8_t)state;
}

/* Everything but an event and a shutdown: the mode, the witnesses, and what they say together. */
static enum svmc_status from_vmcb(const uint8_t *vmcb, const struct svm_row *row, struct witness *w,
                                  struct svmc_exit *out)
{
    struct svmc_event event;
    uint64_t next_rip;
    enum svmc_status st = svmc_event_from_svm(core_load_le64(vmcb + VMCB_EXIT_EVENT), &event);

    if (!find_mode(vmcb, &w->cpu.isa))
        return SVMC_ERR_MISMATCH;
    if (st == SVMC_OK && event.type != SVMC_EVENT_NONE) { /* EX-15: no instruction to look at */
        begin(w, SVMC_KIND_UNKNOWN, 0, out);
        out->finish = SVMC_FINISH_BACKEND;
        out->interrupted = event;
    } else if (st == SVMC_OK) {
        w->info1 = core_load_le64(vmcb + VMCB_EXIT_INFO_1);
        w->info2 = core_load_le64(vmcb + VMCB_EXIT_INFO_2);
        /* 15.10.2: IOIO has its next RIP on every processor; 15.7.1: a page fault has none */
        next_rip = row->meaning == MEANING_IOIO ? w->info2 : core_load_le64(vmcb + VMCB_NEXT_RIP);
        if (row->meaning == MEANING_NPF ? !join_bytes(vmcb, w) : !find_length(vmcb, next_rip, w))
            return SVMC_ERR_MISMATCH;
        st = from_row(row, w, out);
    }
    if (st == SVMC_OK) {
        out->state = find_state(vmcb);
        out->user = vmcb[VMCB_CPL] == 3;
    }
    return st;
}

enum svmc_status svmc_exit_from_vmcb(const uint8_t *vmcb, const struct svmc_cpu *cpu,
                                     const uint8_t *bytes, size_t count, struct svmc_exit *out)
{
    struct witness w = { .bytes = bytes, .count = count };
    const struct svm_row *row;
    enum svmc_status st;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!vmcb || !cpu || (!bytes && count > 0) || cpu->vendor != SVMC_VENDOR_AMD)
        return SVMC_ERR_ARG;
    for (unsigned i = 0; i < sizeof cpu->reserved; i++)
        if (cpu->reserved[i] != 0)
            return SVMC_ERR_ARG;
    w.cpu = *cpu;
    w.code = core_load_le64(vmcb + VMCB_EXIT_CODE);
    row = find_row(w.code);
    if (row->meaning == MEANING_SHUTDOWN) { /* 15.14.3: nothing else in the VMCB is defined */
        out->kind = SVMC_KIND_SHUTDOWN;
        out->count = 1;
        return SVMC_OK;
    }
    /* EX-11; an SEV-ES guest's registers are not in the VMCB (15.35) */
    if (row->meaning == MEANING_EVENT || (vmcb[VMCB_ENABLES] & ENABLE_SEV_ES))
        return SVMC_ERR_UNSUPPORTED;
    st = from_vmcb(vmcb, row, &w, out);
    if (st != SVMC_OK)
        memset(out, 0, sizeof *out);
    return st;
}
