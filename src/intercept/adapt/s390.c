/* SPDX-License-Identifier: MIT */
/**
 * The s390 state description of format 4, the general-register save area and the secure instruction
 * data area: AP-50 to AP-53. Offsets: Linux arch/s390/include/asm/kvm_host_types.h, struct
 * kvm_s390_sie_block and sie_page; Documentation/virt/kvm/s390/s390-pv.rst. All big-endian. The
 * rest of the page is the host's.
 */
#include "adapt_private.h"

enum {
    ICPT, /* 0x50 icptcode, 0x51 icptstatus, 0x55 iictl, 0x56 ipa */
    IPB,  /* 0x58 ipb; 0x5c scaoh, which is the host's */
    PSW,  /* gpsw.mask: of an answer the condition code; Linux sync_regs_fmt4 */
    R0,   /* of the save area, R1 to R5 behind it */
    R1,
    R2,
    R3,
    R4,
    R5,
    PLACE_COUNT
};

#define SAVE_AREA     0x380u
#define SAVE_AREA_END 0x400u

static const uint16_t offsets[PLACE_COUNT] = { 0x050,          0x058,          0x090,
                                               SAVE_AREA,      SAVE_AREA + 8,  SAVE_AREA + 16,
                                               SAVE_AREA + 24, SAVE_AREA + 32, SAVE_AREA + 40 };

/*
 * To be completed by the host. The text of a DIAGNOSE is always DIAG 0,2,0(5), and its code is in
 * r5: kvm-unit-tests lib/s390x/pv_icptdata.h. KVM adds base and displacement: kvm_handle_diag. The
 * operand of an I/O instruction has base and displacement 0, which is its place in the SIDA: QEMU
 * target/s390x/ioinst.c, s390_cpu_pv_mem_read.
 */
#define PV_INSTR 0x68u
#define INSN(halfword, rest) \
    MOVE(ICPT, ICPT, 0, PV_INSTR << 16 | halfword), MOVE(IPB, HIGH, 0, rest)
#define DIAGNOSE(code) INSN(0x8302, 0x50000000), MOVE(R5, CONST, 0, code)
#define SUBCHANNEL     MOVE(R1, IN, 0, 0)
#define NO_CC          MOVE(PSW, FIXED, 0, 0) /* whatever the guest has there stays inside */
#define CC             OUT(1, MOVE(PSW, OUT_CC, 0, 0))

/* clang-format off */
#define ROW(kind, in, out, source) { SVMC_KIND_##kind, in, out },
static const struct adapt_row rows[] = {
    ROW(DIAG_500,
        IN(7, DIAGNOSE(0x500), MOVE(R1, IN, 0, 0), MOVE(R2, IN, 1, 0), MOVE(R3, IN, 2, 0),
           MOVE(R4, IN, 3, 0)),
        OUT(1, MOVE(R2, OUT, 0, 0)),
        "s390-diag.rst, DIAGNOSE X'500'; r1 to r4 as kvm-unit-tests s390x/pv-diags.c finds them")
    ROW(DIAG_288,
        IN(6, DIAGNOSE(0x288), MOVE(R0, IN, 0, 0), MOVE(R1, IN, 1, 0), MOVE(R2, IN, 2, 0)), OUT0,
        "kvm-unit-tests s390x/pv-diags.c; function, timeout and action as the text names them")
    ROW(CSCH, IN(4, INSN(0xb230, 0), SUBCHANNEL, NO_CC), CC, "PoP 14, CLEAR SUBCHANNEL")
    ROW(HSCH, IN(4, INSN(0xb231, 0), SUBCHANNEL, NO_CC), CC, "PoP 14, HALT SUBCHANNEL")
    ROW(RSCH, IN(4, INSN(0xb238, 0), SUBCHANNEL, NO_CC), CC, "PoP 14, RESUME SUBCHANNEL")
    ROW(XSCH, IN(4, INSN(0xb276, 0), SUBCHANNEL, NO_CC), CC, "PoP 14, CANCEL SUBCHANNEL")
    ROW(SAL, IN(3, INSN(0xb237, 0), SUBCHANNEL), OUT0, "PoP 14, SET ADDRESS LIMIT")
    ROW(RCHP, IN(4, INSN(0xb23b, 0), SUBCHANNEL, NO_CC), CC, "PoP 14, RESET CHANNEL PATH")
    ROW(SSCH, IN(4, INSN(0xb233, 0), SUBCHANNEL, NO_CC), CC, "PoP 14, START SUBCHANNEL: an ORB")
    ROW(MSCH, IN(4, INSN(0xb232, 0), SUBCHANNEL, NO_CC), CC, "PoP 14, MODIFY SUBCHANNEL: a SCHIB")
    ROW(STSCH, IN(4, INSN(0xb234, 0), SUBCHANNEL, NO_CC), CC, "PoP 14, STORE SUBCHANNEL: a SCHIB")
    ROW(TSCH, IN(4, INSN(0xb235, 0), SUBCHANNEL, NO_CC), CC, "PoP 14, TEST SUBCHANNEL: an IRB")
    ROW(SERVC, IN(3, INSN(0xb220, 0x00120000), MOVE(R1, IN32, 0, 0)), OUT0,
        "QEMU hw/s390x/sclp.c, sclp_service_call_protected: the SCCB; the condition code is ours")
};
#undef ROW
/* clang-format on */

void svmc_adapt_s390_form(struct adapt_form *form)
{
    *form = (struct adapt_form){
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
        .offsets = offsets,
        .places = PLACE_COUNT,
        .area_bytes = SAVE_AREA_END,
        .isa = SVMC_ISA_S390X,
        .clear_at = { 0x050, SAVE_AREA },
        .clear_end = { 0x058, SAVE_AREA_END },
        .big_endian = 1,
        .data_outside = 1,
    };
}

/* AP-51: scaoh shares its word with ipb and stays. */
void svmc_adapt_s390_ask(const struct adapt_words *before, struct adapt_words *w)
{
    w->word[IPB] |= before->word[IPB] & 0xffffffffu;
}

#define IICTL         0x00ff0000u /* in the word of ICPT */
#define SPECIFICATION 0x00100000u
#define OPERAND       0x00110000u
#define CC_MASK       ((uint64_t)3 << 44)

/* AP-50: an interruption is no part of an answer; of program exceptions there are two. */
uint32_t svmc_adapt_s390_verdict(const struct adapt_words *w, struct svmc_reply *out)
{
    switch (w->word[ICPT] & IICTL) {
    case 0:
        return 0;
    case SPECIFICATION:
        out->status = SVMC_REPLY_FAULT;
        out->fault = SVMC_FAULT_SPECIFICATION;
        return 0;
    case OPERAND:
        out->status = SVMC_REPLY_FAULT;
        out->fault = SVMC_FAULT_OPERAND;
        return 0;
    default:
        return 50;
    }
}

bool svmc_adapt_s390_say(const struct svmc_reply *reply, const struct adapt_words *before,
                         struct adapt_words *w)
{
    bool fault = reply->status == SVMC_REPLY_FAULT;
    uint64_t event = !fault                                     ? 0
                     : reply->fault == SVMC_FAULT_SPECIFICATION ? SPECIFICATION
                                                                : OPERAND;

    adapt_put(w, ICPT, (before->word[ICPT] & ~(uint64_t)IICTL) | event);
    w->word[PSW] |= before->word[PSW] & ~CC_MASK;
    return fault ? reply->fault == SVMC_FAULT_SPECIFICATION || reply->fault == SVMC_FAULT_OPERAND
                 : reply->status == SVMC_REPLY_DONE;
}
