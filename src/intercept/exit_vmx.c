/* SPDX-License-Identifier: MIT */
/**
 * Front end for Intel VMX: VM-exit information fields, and bytes where there are some, become an
 * exit that the library finishes alone. Pure; EX-21 to EX-26. Chapter and table numbers of the SDM
 * vol. 3 as in the header.
 */
#include <svmcore/exit_vmx.h>

#include "../core/clamp.h"
#include "../core/memory.h"
#include "intercept_private.h"

_Static_assert(sizeof(struct svmc_vmx_exit) == 72, "no padding");

/* Exit reason, table 24-14: what is not listed is not known. */
#define REASON_BASIC    0xffffu
#define REASON_BUS_LOCK (1u << 26) /* beside the reason: a bus lock happened too */

#define IDT_VALID (1u << 31) /* table 24-16 */

/* Interruptibility, table 24-3. */
#define HELD_STI     1u
#define HELD_SS      2u
#define HELD_NMI     8u
#define HELD_ENCLAVE 16u
#define HELD_ALL     31u

/* Exit qualification of I/O, table 27-5. */
#define IO_SIZE      7u
#define IO_IN        8u
#define IO_STRING    16u
#define IO_REP       32u
#define IO_IMMEDIATE 64u
#define IO_RESERVED  0xffffffff0000ff80u

/* Exit qualification of EPT violations, table 27-7. */
#define EPT_READ  1u
#define EPT_WRITE 2u
#define EPT_DATA  0x180u /* bits 7, 8: a linear address, and its translation was accessed */
/* bits 2: a fetch; 13: a shadow stack; 15: paging verification; 16: no instruction's access */
#define EPT_FOREIGN (1u << 2 | 1u << 13 | 1u << 15 | 1u << 16)

enum vmx_what {
    NO_ROW,
    EVENT,
    INSN,
    CONTROL,
    DEBUG,
    IO,
    EPT_VIOLATION,
    EPT_MISCONFIG,
    TRIPLE_FAULT
};

#define IDS_MOST 4u

struct vmx_row {
    uint16_t kind; /* enum svmc_kind */
    uint8_t what;  /* enum vmx_what */
    uint8_t insn_class;
    uint8_t length; /* 1: the VM-exit instruction length is valid */
    uint8_t reserved;
    uint16_t ids[IDS_MOST]; /* enum svmc_x86_id; NONE: no more */
};

#define REASONS 86u

/* clang-format off */
#define ID(i) SVMC_X86_##i
#define IDS0 { 0 }
#define IDS1(a) { ID(a) }
#define IDS2(a, b) { ID(a), ID(b) }
#define IDS3(a, b, c) { ID(a), ID(b), ID(c) }
#define IDS4(a, b, c, d) { ID(a), ID(b), ID(c), ID(d) }
#define VMX_EVENT(n, name, source) [n] = { SVMC_KIND_UNKNOWN, EVENT, 0, 0, 0, IDS0 },
#define VMX_INSN(n, kind_, class_, length_, ids_, source) \
    [n] = { SVMC_KIND_##kind_, INSN, SVMC_CLASS_##class_, length_, 0, ids_ },
#define VMX_OTHER(n, what_, length_, source) \
    [n] = { SVMC_KIND_UNKNOWN, what_, 0, length_, 0, IDS0 },

static const struct vmx_row rows[REASONS] = {
#include "vmx.def"
};
/* clang-format on */

/** What every step is given. */
struct front {
    const struct svmc_vmx_exit *vmx;
    const struct vmx_row *row;
    struct svmc_insn insn; /* length 0: no bytes, or they do not matter */
    uint8_t isa;           /* enum svmc_isa */
    uint8_t state;         /* bits of enum svmc_event_state */
};

/* EX-21: the row, if an exit of the guest is all that the flags tell. */
static const struct vmx_row *find(uint32_t reason)
{
    uint32_t basic = reason & REASON_BASIC;

    if ((reason & ~(REASON_BASIC | REASON_BUS_LOCK)) || basic >= REASONS)
        return &rows[0];
    return &rows[core_clamp(basic, REASONS)];
}

/* 24.4.1: CS.L is bit 13, CS.D bit 14; both at once are reserved in IA-32e mode. */
static enum svmc_status find_mode(const struct svmc_vmx_exit *vmx, uint8_t *isa)
{
    return code_mode((vmx->cs_ar >> 13 & 1u) != 0, (vmx->cs_ar >> 14 & 1u) != 0,
                     (vmx->efer >> 10 & 1u) != 0, isa)
               ? SVMC_OK
               : SVMC_ERR_MISMATCH;
}

/* EX-26 */
static enum svmc_status find_state(const struct svmc_vmx_exit *vmx, uint8_t *state)
{
    uint32_t held = vmx->interruptibility;
    bool rf = (vmx->rflags >> 16 & 1u) != 0, tf = (vmx->rflags >> 8 & 1u) != 0;
    bool branches = (vmx->debugctl >> 1 & 1u) != 0;

    if (held > HELD_ALL || ((held & HELD_STI) && (held & HELD_SS)))
        return SVMC_ERR_MISMATCH;
    if (held & HELD_ENCLAVE)
        return SVMC_ERR_UNSUPPORTED; /* nobody but the enclave knows its instruction */
    *state = (uint8_t)((held & HELD_STI ? SVMC_STATE_SHADOW_STI : 0) |
                       (held & HELD_SS ? SVMC_STATE_SHADOW_SS : 0) |
                       (held & HELD_NMI ? SVMC_STATE_NMI_BLOCKED : 0) | (rf ? SVMC_STATE_RF : 0) |
                       (tf && !branches ? SVMC_STATE_SINGLE_STEP : 0));
    return SVMC_OK;
}

/* EX-23: what cannot be executed has not exited. */
static enum svmc_status decode(struct front *f, const struct svmc_cpu *cpu, const uint8_t *bytes,
                               size_t count)
{
    struct svmc_cpu guest = *cpu;
    enum svmc_status st;

    guest.isa = f->isa;
    st = svmc_insn_decode(&guest, bytes, count, &f->insn);
    return st == SVMC_ERR_UNDEFINED || st == SVMC_ERR_TOO_LONG ? SVMC_ERR_MISMATCH : st;
}

static bool is_named(const struct front *f)
{
    bool found = false;

    for (uint32_t i = 0; i < IDS_MOST; i++)
        found = found || (f->row->ids[i] != 0 && f->row->ids[i] == f->insn.id);
    return found && f->insn.insn_class == f->row->insn_class;
}

/* EX-23: the length is the hardware's where that is defined, else that of the bytes. */
static enum svmc_status set_end(const struct front *f, struct svmc_exit *out)
{
    uint32_t length = f->row->length ? f->vmx->insn_length : f->insn.length;

    if (!f->row->length && f->insn.length == 0)
        return SVMC_ERR_TRUNCATED;
    if (length == 0 || length > SVMC_INSN_MAX || (f->insn.length != 0 && f->insn.length != length))
        return SVMC_ERR_MISMATCH;
    out->finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP;
    out->insn_bytes = (uint8_t)length;
    return SVMC_OK;
}

/* EX-87, 27.2.4: bits 29:28 of the information: SGDT, SIDT, LGDT, LIDT; SLDT, STR, LLDT, LTR */
static bool set_table(const struct front *f, struct svmc_exit *out)
{
    uint32_t which = f->vmx->insn_info >> 28 & 3u;

    out->kind = which & 2 ? SVMC_KIND_SYS_LOAD : SVMC_KIND_SYS_STORE;
    out->address = (f->row->ids[0] == SVMC_X86_SGDT ? SVMC_SYS_GDTR : SVMC_SYS_LDTR) + (which & 1);
    /* clamp: two bits, and the row has four */
    return f->insn.length == 0 || f->insn.id == f->row->ids[which];
}

/* EX-22 */
static enum svmc_status from_insn(const struct front *f, struct svmc_exit *out)
{
    if (f->insn.length != 0 && !is_named(f))
        return SVMC_ERR_MISMATCH;
    out->kind = f->row->kind;
    svmc_intercept_set_from(out);
    if (f->row->insn_class == SVMC_CLASS_DESCRIPTOR && !set_table(f, out))
        return SVMC_ERR_MISMATCH;
    return set_end(f, out);
}

/* EX-60: whether the bytes are the same transfer. */
static enum svmc_status compare_transfer(const struct front *f, const struct svmc_exit *out)
{
    struct svmc_exit text;
    enum svmc_status st = svmc_exit_from_insn(
        &f->insn, f->row->what == DEBUG ? SVMC_CLASS_DEBUG_REG : SVMC_CLASS_CONTROL_REG,
        (svmc_gpa){ 0 }, &text);

    if (st == SVMC_OK && out->kind == SVMC_KIND_LMSW && text.kind == SVMC_KIND_SYS_LOAD)
        return SVMC_OK; /* of memory, which the processor has read */
    if (st != SVMC_OK || text.kind != out->kind || text.address != out->address ||
        text.size != out->size || text.dest_reg != out->dest_reg ||
        (text.value_reg != out->value_reg && out->kind != SVMC_KIND_LMSW))
        return SVMC_ERR_MISMATCH;
    return SVMC_OK;
}

/* EX-60, tables 27-3 and 27-4; LMSW brings its operand along. */
static enum svmc_status from_transfer(const struct front *f, struct svmc_exit *out)
{
    static const uint16_t cr[] = { SVMC_KIND_CR_WRITE, SVMC_KIND_CR_READ, SVMC_KIND_CLTS,
                                   SVMC_KIND_LMSW };
    uint64_t q = f->vmx->qualification;
    bool debug = f->row->what == DEBUG;
    uint32_t kind = debug ? (q >> 4 & 1 ? SVMC_KIND_DR_READ : SVMC_KIND_DR_WRITE)
                          : cr[core_clamp((uint32_t)(q >> 4 & 3), 4)];
    enum svmc_status st = SVMC_OK;

    out->kind = (uint16_t)kind;
    if (kind == SVMC_KIND_LMSW) {
        out->size = 2;
        out->value = q >> 16 & 0xffff;
    } else if (kind != SVMC_KIND_CLTS) {
        out->size = f->isa == SVMC_ISA_X86_64 ? 8 : 4;
        svmc_intercept_set_transfer((enum svmc_kind)kind, q & (debug ? 7 : 15), q >> 8 & 15, out);
    }
    if ((kind == SVMC_KIND_LMSW || kind == SVMC_KIND_CLTS) && (q & 15) != 0)
        return SVMC_ERR_MISMATCH;
    if (f->insn.length != 0)
        st = compare_transfer(f, out);
    return st == SVMC_OK ? set_end(f, out) : st;
}

/* EX-24, table 27-8: address size in bits 9:7, segment in 17:15, which INS leaves undefined. */
static enum svmc_status set_string(const struct front *f, struct svmc_exit *out)
{
    uint32_t size = f->vmx->insn_info >> 7 & 7u, segment = f->vmx->insn_info >> 15 & 7u;
    bool is_64 = f->isa == SVMC_ISA_X86_64;

    if (out->kind == SVMC_KIND_INS)
        segment = SVMC_SEG_ES;
    if (size > 2 || size == (is_64 ? 0u : 2u) || segment > SVMC_SEG_GS)
        return SVMC_ERR_MISMATCH;
    out->address_bytes = (uint8_t)(2u << size);
    out->segment = (uint8_t)segment;
    if (is_64 && segment != SVMC_SEG_FS && segment != SVMC_SEG_GS)
        out->segment = (uint8_t)SVMC_SEG_NONE; /* as in exit_insn.c */
    return SVMC_OK;
}

/* EX-24: the bytes tell the same access; what the hardware does not tell comes from them. */
static enum svmc_status compare_io(const struct front *f, struct svmc_exit *out)
{
    bool string = (f->vmx->qualification & IO_STRING) != 0;
    bool immediate = (f->vmx->qualification & IO_IMMEDIATE) != 0;
    struct svmc_exit text;
    enum svmc_status st = svmc_exit_from_insn(
        &f->insn, string ? SVMC_CLASS_STRING_PORT : SVMC_CLASS_PORT, (svmc_gpa){ 0 }, &text);

    if (st != SVMC_OK)
        return st;
    if (string && !f->vmx->has_string_info) {
        out->address_bytes = text.address_bytes;
        out->segment = text.segment;
    }
    if (text.kind != out->kind || text.size != out->size || text.repeat != out->repeat ||
        text.address_bytes != out->address_bytes || text.segment != out->segment ||
        immediate != !(text.from & SVMC_FROM_ADDRESS_REG) ||
        (immediate && text.address != out->address))
        return SVMC_ERR_MISMATCH;
    return SVMC_OK;
}

/* EX-24 */
static enum svmc_status from_io(const struct front *f, struct svmc_exit *out)
{
    uint64_t q = f->vmx->qualification;
    bool in = (q & IO_IN) != 0, string = (q & IO_STRING) != 0;
    enum svmc_status st = SVMC_OK;

    out->size = (uint8_t)((q & IO_SIZE) + 1);
    out->address = q >> 16 & 0xffff;
    out->repeat = (q & IO_REP) != 0;
    if ((q & IO_RESERVED) || (out->size != 1 && out->size != 2 && out->size != 4) ||
        (out->repeat && !string) || ((q & IO_IMMEDIATE) && (string || out->address > 0xff)))
        return SVMC_ERR_MISMATCH;
    if (string) {
        out->kind = in ? SVMC_KIND_INS : SVMC_KIND_OUTS;
        out->from = SVMC_FROM_STRING_REGS;
    } else if (in) {
        out->kind = SVMC_KIND_IN;
        out->dest_reg = SVMC_REG_RAX;
        out->dest_bytes = out->size;
    } else {
        out->kind = SVMC_KIND_OUT;
        out->from = SVMC_FROM_VALUE_REG;
        out->value_reg = SVMC_REG_RAX;
    }
    if (string && f->vmx->has_string_info)
        st = set_string(f, out);
    else if (string && f->insn.length == 0)
        st = SVMC_ERR_TRUNCATED;
    if (st == SVMC_OK && f->insn.length != 0)
        st = compare_io(f, out);
    return st == SVMC_OK ? set_end(f, out) : st;
}

/* Memory that no operand shows: stacks, descriptor tables, the IDT. */
static bool touches_more(const struct svmc_insn *insn)
{
    return insn->access != SVMC_ACCESS_NONE || (insn->flags & SVMC_INSN_STACK) ||
           insn->insn_class == SVMC_CLASS_DESCRIPTOR || insn->insn_class == SVMC_CLASS_INTERRUPT ||
           insn->insn_class == SVMC_CLASS_TRANSLATE || insn->id == SVMC_X86_JMP_FAR;
}

/* EX-25: whether a data access of an instruction is what the hardware reports. */
static enum svmc_status check_violation(uint64_t q)
{
    if ((q & EPT_DATA) != EPT_DATA || (q & EPT_FOREIGN))
        return SVMC_ERR_UNSUPPORTED;
    return q & (EPT_READ | EPT_WRITE) ? SVMC_OK : SVMC_ERR_MISMATCH;
}

/* EX-25; the instruction length is undefined here. */
static enum svmc_status from_ept(const struct front *f, struct svmc_exit *out)
{
    uint64_t q = f->vmx->qualification, want;
    enum svmc_status st = SVMC_OK;

    if (f->row->what == EPT_VIOLATION)
        st = check_violation(q);
    if (st != SVMC_OK)
        return st;
    if (f->insn.length == 0)
        return SVMC_ERR_TRUNCATED;
    if (f->insn.insn_class != SVMC_CLASS_MEMORY)
        return touches_more(&f->insn) ? SVMC_ERR_UNSUPPORTED : SVMC_ERR_MISMATCH;
    st =
        svmc_exit_from_insn(&f->insn, SVMC_CLASS_MEMORY, (svmc_gpa){ f->vmx->guest_physical }, out);
    want = out->kind == SVMC_KIND_MMIO_WRITE ? EPT_WRITE : EPT_READ;
    if (st == SVMC_OK && f->row->what == EPT_VIOLATION && (q & (EPT_READ | EPT_WRITE)) != want)
        return SVMC_ERR_MISMATCH;
    return st;
}

static enum svmc_status from_row(const struct front *f, struct svmc_exit *out)
{
    switch ((enum vmx_what)f->row->what) {
    case INSN:
        return from_insn(f, out);
    case CONTROL:
    case DEBUG:
        return from_transfer(f, out);
    case IO:
        return from_io(f, out);
    case EPT_VIOLATION:
    case EPT_MISCONFIG:
        return from_ept(f, out);
    case TRIPLE_FAULT: /* whatever was being delivered is gone */
        out->kind = SVMC_KIND_SHUTDOWN;
        return SVMC_OK;
    case NO_ROW:
    case EVENT:
        break;
    }
    return SVMC_ERR_UNSUPPORTED;
}

/* EX-26: a delivery was interrupted, and no instruction. Only memory can do that to one. */
static enum svmc_status from_delivery(const struct front *f, struct svmc_exit *out)
{
    const struct svmc_vmx_exit *vmx = f->vmx;

    if (f->row->what != EPT_VIOLATION && f->row->what != EPT_MISCONFIG)
        return SVMC_ERR_MISMATCH;
    out->kind = SVMC_KIND_UNKNOWN;
    out->address = vmx->guest_physical;
    return svmc_event_from_vmx(vmx->idt_vectoring, vmx->idt_error, vmx->insn_length,
                               &out->interrupted);
}

static enum svmc_status from_vmx(const struct svmc_vmx_exit *vmx, const struct svmc_cpu *cpu,
                                 const uint8_t *bytes, size_t count, struct svmc_exit *out)
{
    struct front f = { .vmx = vmx, .row = find(vmx->exit_reason) };
    bool delivery = (vmx->idt_vectoring & IDT_VALID) && f.row->what != TRIPLE_FAULT;
    bool read = count != 0 && !delivery && f.row->what != TRIPLE_FAULT &&
                !(f.row->what == INSN && f.row->ids[0] == 0);
    enum svmc_status st;

    if (f.row->what == NO_ROW || f.row->what == EVENT)
        return SVMC_ERR_UNSUPPORTED;
    st = find_state(vmx, &f.state);
    if (st == SVMC_OK)
        st = find_mode(vmx, &f.isa);
    if (st == SVMC_OK && read)
        st = decode(&f, cpu, bytes, count);
    if (st == SVMC_OK)
        st = delivery ? from_delivery(&f, out) : from_row(&f, out);
    out->count = 1;
    out->isa = f.isa;
    out->state = f.state;
    out->user = vmx->cpl == 3; /* EX-16 */
    return st;
}

enum svmc_status svmc_exit_from_vmx(const struct svmc_vmx_exit *vmx, const struct svmc_cpu *cpu,
                                    const uint8_t *bytes, size_t count, struct svmc_exit *out)
{
    enum svmc_status st;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!vmx || (count != 0 && (!bytes || !cpu)) || vmx->has_string_info > 1 || vmx->cpl > 3 ||
        (vmx->reserved[0] | vmx->reserved[1]))
        return SVMC_ERR_ARG;
    st = from_vmx(vmx, cpu, bytes, count, out);
    if (st != SVMC_OK)
        memset(out, 0, sizeof *out);
    return st;
}
