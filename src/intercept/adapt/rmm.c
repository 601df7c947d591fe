/* SPDX-License-Identifier: MIT */
/**
 * RmiRecRun of the Arm Realm Management Monitor, version 1.0: AP-40 to AP-44. Offsets: Arm DEN0137
 * 1.0, RmiRecEnter and RmiRecExit; TF-RMM lib/smc/include/smc-rmi.h struct rmi_rec_run; Linux
 * asm/rmi_smc.h struct rec_run. What of ESR_EL2 is shown: TF-RMM ESR_EMULATED_ABORT_MASK.
 */
#include "adapt_private.h"

enum {
    REASON,
    ESR,
    FAR,
    HPFAR,
    X0, /* of the exit, X1 to X5 behind it */
    X1,
    X2,
    X3,
    X4,
    X5,
    IMM,
    FLAGS,
    ENTER_X0,
    RIPAS_BASE,
    RIPAS_TOP,
    RIPAS_VALUE,
    PLACE_COUNT
};

static const uint16_t offsets[PLACE_COUNT] = { 0x800, 0x900, 0x908, 0x910, 0xa00, 0xa08,
                                               0xa10, 0xa18, 0xa20, 0xa28, 0xe00, 0x000,
                                               0x200, 0xd00, 0xd08, 0xd10 };

#define SYNC       MOVE(REASON, CONST, 0, 0)
#define HOST_CALL  MOVE(REASON, CONST, 0, 5)
#define ABORT      SYNC, MOVE(ESR, ESR, 0, 0), MOVE(HPFAR, HPFAR, 0, 0), MOVE(FAR, FAR, 0, 0)
#define DATA_CLASS 0x90000000u /* EC 24, data abort from a lower exception level */
#define INSN_CLASS 0x80000000u /* EC 20, instruction abort */
/* AP-43: any other abort; side 1: unprotected, 2: protected */
#define REFUSED(ec, side) \
    SYNC, MOVE(ESR, ESR_CLASS, 0, ec##_CLASS), MOVE(HPFAR, HPFAR, side, 0), MOVE(FAR, CONST, 0, 0)
#define TRAPPED (0x01u << 26) /* exception class of WFI and WFE; ISS bit 0 tells them apart */

/* clang-format off */
#define ROW(kind, in, out, source) { SVMC_KIND_##kind, in, out },
static const struct adapt_row rows[] = {
    ROW(MMIO_READ, IN(4, ABORT), OUT(1, MOVE(ENTER_X0, OUT, 0, 0)),
        "DEN0137, REC exit due to Data Abort: emulatable; TF-RMM handle_data_abort")
    ROW(MMIO_WRITE, IN(5, ABORT, MOVE(X0, IN, 0, 0)), OUT0,
        "the same; the value is in gprs[0]")
    ROW(DATA_ABORT, IN(4, REFUSED(DATA, 1)), OUT0,
        "DEN0137, REC exit due to Data Abort: not emulatable; TF-RMM ESR_NONEMULATED_ABORT_MASK")
    ROW(PROTECTED_ABORT, IN(4, REFUSED(DATA, 2)), OUT0,
        "the same, of the realm's own memory")
    ROW(INSN_ABORT, IN(4, REFUSED(INSN, 2)), OUT0,
        "DEN0137, REC exit due to Instruction Abort; TF-RMM handle_instruction_abort")
    ROW(RIPAS,
        IN(4, MOVE(REASON, CONST, 0, 4), MOVE(RIPAS_BASE, ADDRESS, 0, 0),
           MOVE(RIPAS_TOP, IN, 0, 0), MOVE(RIPAS_VALUE, IN, 1, 0)),
        OUT(1, MOVE(FLAGS, OUT_REACHED, 0, 0)),
        "DEN0137, REC exit due to RIPAS change; TF-RMM handle_rsi_ipa_state_set")
    ROW(IRQ, IN(1, MOVE(REASON, CONST, 0, 1)), OUT0, "DEN0137, REC exit due to IRQ")
    ROW(FIQ, IN(1, MOVE(REASON, CONST, 0, 2)), OUT0, "DEN0137, REC exit due to FIQ")
    ROW(SERROR, IN(2, MOVE(REASON, CONST, 0, 6), MOVE(ESR, IN32, 0, 0)), OUT0,
        "DEN0137, REC exit due to SError")
    ROW(WFI, IN(2, SYNC, MOVE(ESR, CONST, 0, TRAPPED)), OUT0,
        "DEN0137, REC exit due to WFI or WFE; TF-RMM handle_exception_sync")
    ROW(WFE, IN(2, SYNC, MOVE(ESR, CONST, 0, TRAPPED | 1)), OUT0,
        "the same")
    ROW(HYPERCALL,
        IN(8, HOST_CALL, MOVE(IMM, ADDRESS16, 0, 0), MOVE(X0, IN, 0, 0), MOVE(X1, IN, 1, 0),
           MOVE(X2, IN, 2, 0), MOVE(X3, IN, 3, 0), MOVE(X4, IN, 4, 0), MOVE(X5, IN, 5, 0)),
        OUT(1, MOVE(ENTER_X0, OUT, 0, 0)),
        "DEN0137, REC exit due to Host call; TF-RMM do_host_call")
};
#undef ROW
/* clang-format on */

void svmc_adapt_rmm_form(struct adapt_form *form)
{
    *form = (struct adapt_form){
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
        .offsets = offsets,
        .places = PLACE_COUNT,
        .area_bytes = 4096,
        .isa = SVMC_ISA_A64,
        .clear_end = { 4096, 0 },
    };
}

/* RmiRecEnterFlags */
#define EMUL_MMIO  0x01u
#define INJECT_SEA 0x02u
#define TRAP_IDLE  0x0cu /* TRAP_WFI, TRAP_WFE: about exits to come, not an answer */
#define REJECT     0x10u /* RIPAS_RESPONSE */

static bool is_abort(const struct adapt_row *row)
{
    return row->kind == SVMC_KIND_MMIO_READ || row->kind == SVMC_KIND_MMIO_WRITE;
}

uint32_t svmc_adapt_rmm_verdict(const struct adapt_row *row, const struct svmc_request *r,
                                const struct adapt_words *w, struct svmc_reply *out)
{
    uint64_t flags = w->word[FLAGS] & ~(uint64_t)TRAP_IDLE;

    if (row->kind == SVMC_KIND_RIPAS) { /* AP-44 */
        out->out[0] = flags & REJECT ? r->address : r->in[0];
        flags &= ~(uint64_t)REJECT;
    }
    if (flags & ~(uint64_t)(EMUL_MMIO | INJECT_SEA)) /* AP-41 */
        return 41;
    if (row->kind == SVMC_KIND_DATA_ABORT && flags == INJECT_SEA) { /* AP-43 */
        out->status = SVMC_REPLY_FAULT;
        out->fault = SVMC_FAULT_GP;
        return 0;
    }
    if (!is_abort(row))
        return flags == 0 ? 0 : 40; /* AP-40 */
    if (flags & INJECT_SEA) {       /* before EMUL_MMIO, as the RMM takes them */
        out->status = SVMC_REPLY_FAULT;
        out->fault = SVMC_FAULT_GP;
    } else if (flags == 0) { /* AP-42 */
        out->status = SVMC_REPLY_RETRY;
    }
    return 0;
}

bool svmc_adapt_rmm_say(const struct adapt_row *row, const struct svmc_request *r,
                        const struct svmc_reply *reply, struct adapt_words *w)
{
    bool done = reply->status == SVMC_REPLY_DONE;
    bool fault = reply->status == SVMC_REPLY_FAULT && reply->fault == SVMC_FAULT_GP;

    if (row->kind == SVMC_KIND_RIPAS) {
        adapt_put(w, FLAGS, done && reply->out[0] == r->address ? REJECT : 0);
        return done;
    }
    if (row->kind == SVMC_KIND_DATA_ABORT && fault) {
        adapt_put(w, FLAGS, INJECT_SEA);
        return true;
    }
    if (!is_abort(row) ? !done : !done && !fault && reply->status != SVMC_REPLY_RETRY)
        return false;
    adapt_put(w, FLAGS, !is_abort(row) ? 0 : done ? EMUL_MMIO : fault ? INJECT_SEA : 0);
    return true;
}
