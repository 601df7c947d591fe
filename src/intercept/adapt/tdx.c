/* SPDX-License-Identifier: MIT */
/**
 * The registers of TDG.VP.VMCALL: AP-30 to AP-34. Intel TDX Guest-Hypervisor Communication
 * Interface (GHCI); Linux arch/x86/coco/tdx/tdx.c (guest), arch/x86/kvm/vmx/tdx.c (host). A place
 * is a register by its encoding. The TDX module hands over what the mask in RCX names, both ways.
 */
#include "adapt_private.h"

#define PLACE_COUNT 16u
#define RAX         0u
#define RCX         1u
#define R10         10u
#define R11         11u
#define R12         12u
#define R13         13u
#define R14         14u
#define R15         15u

#define MASK       0xfc00u     /* AP-32: R10 to R15, whatever the call needs */
#define MASK_NEVER 0x0013u     /* RAX, RCX and RSP cannot be handed over */
#define MASK_KNOWN 0xffffffffu /* bits 31:16 name XMM0 to XMM15 */

static const uint16_t offsets[PLACE_COUNT] = { 0,  8,  16, 24, 32, 40,  48,  56,
                                               64, 72, 80, 88, 96, 104, 112, 120 };

#define CALL(function) MOVE(R11, CONST, 0, function), MOVE(R10, CONST, 0, 0)
#define READS          MOVE(R13, CONST, 0, 0)
#define WRITES         MOVE(R13, CONST, 0, 1)
#define PORT           MOVE(R12, SIZE, 0, SIZES_PORT), MOVE(R14, ADDRESS16, 0, 0)
#define MEMORY         MOVE(R12, SIZE, 0, SIZES_WORD), MOVE(R14, ADDRESS, 0, 0)

/* clang-format off */
#define ROW(kind, in, out, source) { SVMC_KIND_##kind, in, out },
static const struct adapt_row rows[] = {
    ROW(CPUID,
        IN(4, CALL(10), MOVE(R12, IN32, 0, 0), MOVE(R13, IN32, 1, 0)),
        OUT(4, MOVE(R12, OUT, 0, 0), MOVE(R13, OUT, 1, 0), MOVE(R14, OUT, 2, 0),
            MOVE(R15, OUT, 3, 0)),
        "TDG.VP.VMCALL<Instruction.CPUID>; Linux handle_cpuid")
    ROW(RDMSR, IN(3, CALL(31), MOVE(R12, ADDRESS32, 0, 0)), OUT(1, MOVE(R11, OUT_PAIR, 0, 0)),
        "TDG.VP.VMCALL<Instruction.RDMSR>; Linux read_msr")
    ROW(WRMSR, IN(4, CALL(32), MOVE(R12, ADDRESS32, 0, 0), MOVE(R13, IN, 0, 0)), OUT0,
        "TDG.VP.VMCALL<Instruction.WRMSR>; Linux write_msr")
    ROW(IN, IN(5, CALL(30), READS, PORT), OUT(1, MOVE(R11, OUT, 0, 0)),
        "TDG.VP.VMCALL<Instruction.IO>; Linux handle_io")
    ROW(OUT, IN(6, CALL(30), WRITES, PORT, MOVE(R15, IN, 0, 0)), OUT0,
        "TDG.VP.VMCALL<Instruction.IO>; Linux handle_io")
    ROW(INS, IN(5, CALL(30), READS, PORT), OUT(1, MOVE(R11, OUT_ELEMENT, 0, 0)),
        "the same, an element at a time: GHCI has no strings")
    ROW(OUTS, IN(6, CALL(30), WRITES, PORT, MOVE(R15, ELEMENT, 0, 0)), OUT0,
        "the same")
    ROW(MMIO_READ, IN(5, CALL(48), READS, MEMORY), OUT(1, MOVE(R11, OUT, 0, 0)),
        "TDG.VP.VMCALL<#VE.RequestMMIO>; Linux mmio_read, mmio_write")
    ROW(MMIO_WRITE, IN(6, CALL(48), WRITES, MEMORY, MOVE(R15, IN, 0, 0)), OUT0,
        "TDG.VP.VMCALL<#VE.RequestMMIO>; Linux mmio_read, mmio_write")
    ROW(HLT, IN(3, CALL(12), MOVE(R12, FIXED, 0, 0)), OUT0,
        "TDG.VP.VMCALL<Instruction.HLT>; R12 1 would say that interrupts are blocked")
    ROW(MAP_GPA,
        IN(4, CALL(0x10001), MOVE(R12, ADDRESS, 0, 0), MOVE(R13, LENGTH, 0, 0)),
        OUT(1, MOVE(R11, OUT_REACHED, 0, 0)),
        "TDG.VP.VMCALL<MapGPA>; Linux tdx_map_gpa: the shared bit is in R12 and R11")
    ROW(HYPERCALL,
        IN(5, MOVE(R10, NUMBER, 0, 0), MOVE(R11, IN, 0, 0), MOVE(R12, IN, 1, 0),
           MOVE(R13, IN, 2, 0), MOVE(R14, IN, 3, 0)),
        OUT(1, MOVE(R10, OUT, 0, 0)),
        "R10 not 0 is the vendor's own; KVM tdx_emulate_vmcall")
};
#undef ROW
/* clang-format on */

void svmc_adapt_tdx_form(struct adapt_form *form)
{
    *form = (struct adapt_form){
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
        .offsets = offsets,
        .places = PLACE_COUNT,
        .area_bytes = 8 * PLACE_COUNT,
        .data_most = 1,
        .isa = SVMC_ISA_X86_64,
        .clear_end = { 8 * PLACE_COUNT, 0 },
    };
}

void svmc_adapt_tdx_ask(struct adapt_words *w)
{
    adapt_put(w, RAX, 0); /* leaf TDG.VP.VMCALL */
    adapt_put(w, RCX, MASK);
}

#define STATUS_RETRY   1u
#define STATUS_INVALID ((uint64_t)1 << 63)

/* AP-34: all of it; or how far, and where that is nowhere it is asked for again. */
static uint32_t map_verdict(const struct svmc_request *r, const struct adapt_words *w,
                            struct svmc_reply *out)
{
    uint64_t at = w->word[R11];

    out->out[0] = r->in[0];
    if (w->word[R10] == 0)
        return 0;
    if (at < r->address || at >= r->in[0])
        return 34;
    out->out[0] = at == r->address ? 0 : at;
    out->status = at == r->address ? SVMC_REPLY_RETRY : SVMC_REPLY_DONE;
    return 0;
}

uint32_t svmc_adapt_tdx_verdict(const struct adapt_row *row, const struct svmc_request *r,
                                const struct adapt_words *w, struct svmc_reply *out)
{
    if (w->word[RAX] != 0) /* AP-30 */
        return 30;
    if (row->kind == SVMC_KIND_MAP_GPA && w->word[R10] <= STATUS_RETRY)
        return map_verdict(r, w, out);
    if (row->kind == SVMC_KIND_HYPERCALL || w->word[R10] == 0)
        return 0;
    switch (w->word[R10]) { /* AP-31 */
    case STATUS_RETRY:
        out->status = SVMC_REPLY_RETRY;
        return 0;
    case STATUS_INVALID:
        out->status = SVMC_REPLY_FAULT;
        out->fault = SVMC_FAULT_GP;
        return 0;
    default:
        return 31;
    }
}

/* AP-33: leaf 0, and a mask that names what the row reads and nothing that cannot be named. */
bool svmc_adapt_tdx_heard(const struct adapt_row *row, const struct adapt_words *w)
{
    uint64_t mask = w->word[RCX], places = 1u << R10 | 1u << R11;

    for (uint32_t i = 0; i < row->in_count && i < MOVES_IN; i++)
        places |= (uint64_t)1 << row->in[i].at;
    for (uint32_t i = 0; i < row->out_count && i < MOVES_OUT; i++)
        places |= (uint64_t)1 << row->out[i].at;
    return w->word[RAX] == 0 && (mask & MASK_NEVER) == 0 && mask <= MASK_KNOWN &&
           (places & ~mask) == 0;
}

bool svmc_adapt_tdx_say(const struct adapt_row *row, const struct svmc_request *r,
                        const struct svmc_reply *reply, struct adapt_words *w)
{
    bool done = reply->status == SVMC_REPLY_DONE;
    bool fault = reply->status == SVMC_REPLY_FAULT && reply->fault == SVMC_FAULT_GP;

    if (row->kind == SVMC_KIND_HYPERCALL)
        return done;
    if (!done && !fault && reply->status != SVMC_REPLY_RETRY)
        return false;
    if (row->kind == SVMC_KIND_MAP_GPA && !fault) {
        uint64_t at = done ? reply->out[0] : r->address;

        done = at == r->in[0];
        adapt_put(w, R11, done ? 0 : at);
    }
    adapt_put(w, R10, done ? 0 : fault ? STATUS_INVALID : STATUS_RETRY);
    return true;
}
