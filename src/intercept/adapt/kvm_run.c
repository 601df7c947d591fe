/* SPDX-License-Identifier: MIT */
/**
 * struct kvm_run of x86, and of Power for its hypercalls, for a device model that serves KVM_RUN:
 * AP-20 and AP-21. What a kernel filled in comes through exit_kvm.c and exit_kvm_words.c; this is
 * the other direction, and a device model's view of it. Offsets: ../kvm_run.h. Fields that share a
 * 64-bit word are one item.
 */
#include "../kvm_run.h"
#include "adapt_private.h"

enum {
    REASON, /* of its word the lower half: the upper one says what KVM_RUN left beside it */
    U0,     /* the union: its first nine words */
    U1,
    U2,
    U3,
    U4,
    U5,
    U6,
    U7,
    U8,
    DATA,
    PLACE_COUNT
};

static const uint16_t offsets[PLACE_COUNT] = { RUN_EXIT_REASON,
                                               RUN_HYPERCALL_NR,
                                               RUN_HYPERCALL_ARGS,
                                               RUN_HYPERCALL_ARGS + 8,
                                               RUN_HYPERCALL_ARGS + 16,
                                               RUN_HYPERCALL_ARGS + 24,
                                               RUN_HYPERCALL_ARGS + 32,
                                               RUN_HYPERCALL_ARGS + 40,
                                               RUN_HYPERCALL_RET,
                                               RUN_HYPERCALL_MODE,
                                               RUN_IO_DATA };

/* the words of the union, by the names of their fields */
#define ERROR      U0
#define MSR_INDEX  U1
#define MSR_DATA   U2
#define GPA        U0
#define MMIO_BYTES U1
#define MMIO_LEN   U2

_Static_assert(RUN_MSR_ERROR == 32 && RUN_MSR_INDEX == 40 + 4 && RUN_MSR_DATA == 48, "U0 to U2");
_Static_assert(RUN_MMIO_ADDRESS == 32 && RUN_MMIO_DATA == 40 && RUN_MMIO_LEN == 48, "U0 to U2");
_Static_assert(RUN_PAPR_NR == 32 && RUN_PAPR_RET == 40 && RUN_PAPR_ARGS == 48, "U0 to U2");
_Static_assert(RUN_IO_DIRECTION == 32 && RUN_IO_DATA_OFFSET == 40, "U0 and U1");
_Static_assert(RUN_HYPERCALL_NR == 32 && RUN_HYPERCALL_RET == 32 + 7 * 8, "U0 to U7");

#define EXIT(reason) MOVE(REASON, CONST32, 0, KVM_##reason)
#define PORT(...)    EXIT(IO), MOVE(U0, RUN_IO, 0, 0), MOVE(U1, CONST, 0, RUN_IO_DATA)
#define LEN          MOVE(MMIO_LEN, RUN_LEN, 0, 0)

/* clang-format off */
#define ROW(kind, in, out, source) { SVMC_KIND_##kind, in, out },
static const struct adapt_row rows[] = {
    ROW(IN, IN(3, PORT()), OUT(1, MOVE(DATA, OUT_DATA, 0, 0)), "api.rst 5, KVM_EXIT_IO")
    ROW(OUT, IN(4, PORT(), MOVE(DATA, IN, 0, 0)), OUT0, "api.rst 5, KVM_EXIT_IO")
    ROW(INS, IN(3, PORT()), OUT0, "api.rst 5, KVM_EXIT_IO; count above 1")
    ROW(OUTS, IN(3, PORT()), OUT0, "api.rst 5, KVM_EXIT_IO")
    ROW(MMIO_READ,
        IN(3, EXIT(MMIO), MOVE(GPA, ADDRESS, 0, 0), LEN),
        OUT(1, MOVE(MMIO_BYTES, OUT_DATA, 0, 0)), "api.rst 5, KVM_EXIT_MMIO")
    ROW(MMIO_WRITE,
        IN(4, EXIT(MMIO), MOVE(GPA, ADDRESS, 0, 0), LEN, MOVE(MMIO_BYTES, IN, 0, 0)),
        OUT0, "api.rst 5, KVM_EXIT_MMIO")
    ROW(RDMSR,
        IN(3, EXIT(RDMSR), MOVE(ERROR, FIXED, 0, 0), MOVE(MSR_INDEX, RUN_MSR, 0, 0)),
        OUT(1, MOVE(MSR_DATA, OUT_PAIR, 0, 0)), "api.rst 5, KVM_EXIT_X86_RDMSR")
    ROW(WRMSR,
        IN(4, EXIT(WRMSR), MOVE(ERROR, FIXED, 0, 0), MOVE(MSR_INDEX, RUN_MSR, 0, 0),
           MOVE(MSR_DATA, IN, 0, 0)),
        OUT0, "api.rst 5, KVM_EXIT_X86_WRMSR")
    ROW(HYPERCALL,
        IN(9, EXIT(HYPERCALL), MOVE(U0, ADDRESS, 0, 0), MOVE(U1, IN, 0, 0), MOVE(U2, IN, 1, 0),
           MOVE(U3, IN, 2, 0), MOVE(U4, IN, 3, 0), MOVE(U5, IN, 4, 0), MOVE(U6, IN, 5, 0),
           MOVE(U8, FIXED, 0, 1)),
        OUT(1, MOVE(U7, OUT, 0, 0)), "api.rst 5, KVM_EXIT_HYPERCALL; 64-bit mode")
    ROW(HCALL,
        IN(8, EXIT(PAPR), MOVE(U0, ADDRESS, 0, 0), MOVE(U2, IN, 0, 0), MOVE(U3, IN, 1, 0),
           MOVE(U4, IN, 2, 0), MOVE(U5, IN, 3, 0), MOVE(U6, IN, 4, 0), MOVE(U7, IN, 5, 0)),
        OUT(4, MOVE(U1, OUT_HCALL, 0, 0), MOVE(U2, OUT_HCALL, 1, 0), MOVE(U3, OUT_HCALL, 2, 0),
            MOVE(U4, OUT_HCALL, 3, 0)),
        "api.rst 5, KVM_EXIT_PAPR_HCALL: nr, ret, args")
    ROW(HLT, IN(1, EXIT(HLT)), OUT0, "api.rst 5, KVM_EXIT_HLT")
    ROW(SHUTDOWN, IN(1, EXIT(SHUTDOWN)), OUT0, "api.rst 5, KVM_EXIT_SHUTDOWN")
};
#undef ROW
/* clang-format on */

void svmc_adapt_kvm_form(struct adapt_form *form)
{
    *form = (struct adapt_form){
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
        .offsets = offsets,
        .places = PLACE_COUNT,
        .area_bytes = 8192,
        .data_place = DATA,
        .data_most = SVMC_PAGE_DATA_BYTES,
        .isa = SVMC_ISA_X86_64,
        .clear_end = { 8192, 0 },
    };
}

/* AP-20: an MSR exit has an error byte, and padding behind it. */
uint32_t svmc_adapt_kvm_verdict(const struct adapt_row *row, const struct adapt_words *w,
                                struct svmc_reply *out)
{
    bool msr = row->kind == SVMC_KIND_RDMSR || row->kind == SVMC_KIND_WRMSR;

    if (!msr || w->word[ERROR] == 0)
        return 0;
    if (w->word[ERROR] != 1)
        return 20;
    out->status = SVMC_REPLY_FAULT;
    out->fault = SVMC_FAULT_GP;
    return 0;
}

bool svmc_adapt_kvm_say(const struct adapt_row *row, const struct svmc_reply *reply,
                        struct adapt_words *w)
{
    bool msr = row->kind == SVMC_KIND_RDMSR || row->kind == SVMC_KIND_WRMSR;
    bool fault = reply->status == SVMC_REPLY_FAULT && reply->fault == SVMC_FAULT_GP;

    if (reply->status != SVMC_REPLY_DONE && !(fault && msr))
        return false;
    if (msr)
        adapt_put(w, ERROR, fault);
    return true;
}
