/* SPDX-License-Identifier: MIT */
/**
 * The s390 state description of format 4 and the general-register save area: AP-50, AP-51. Offsets:
 * Linux arch/s390/include/asm/kvm_host_types.h, struct kvm_s390_sie_block and sie_page;
 * Documentation/virt/kvm/s390/s390-pv.rst. All big-endian. The rest of the page is the host's.
 */
#include "adapt_private.h"

enum {
    ICPT, /* 0x50 icptcode, 0x51 icptstatus, 0x55 iictl, 0x56 ipa */
    IPB,  /* 0x58 ipb; 0x5c scaoh, which is the host's */
    R1,   /* of the save area, R2 to R5 behind it */
    R2,
    R3,
    R4,
    R5,
    PLACE_COUNT
};

#define SAVE_AREA     0x380u
#define SAVE_AREA_END 0x400u

static const uint16_t offsets[PLACE_COUNT] = { 0x050,          0x058,          SAVE_AREA + 8,
                                               SAVE_AREA + 16, SAVE_AREA + 24, SAVE_AREA + 32,
                                               SAVE_AREA + 40 };

/*
 * To be completed by the host. The text of a DIAGNOSE is always DIAG 0,2,0(5), and its code is in
 * r5: kvm-unit-tests lib/s390x/pv_icptdata.h. KVM adds base and displacement: kvm_handle_diag.
 */
#define PV_INSTR 0x68u
#define DIAGNOSE(code)                                                            \
    MOVE(ICPT, ICPT, 0, PV_INSTR << 16 | 0x8302), MOVE(IPB, HIGH, 0, 0x50000000), \
        MOVE(R5, CONST, 0, code)

/* clang-format off */
#define ROW(kind, in, out, source) { SVMC_KIND_##kind, in, out },
static const struct adapt_row rows[] = {
    ROW(HYPERCALL,
        IN(7, DIAGNOSE(0x500), MOVE(R1, ADDRESS, 0, 0), MOVE(R2, IN, 0, 0), MOVE(R3, IN, 1, 0),
           MOVE(R4, IN, 2, 0)),
        OUT(1, MOVE(R2, OUT, 0, 0)),
        "s390-diag.rst, DIAGNOSE X'500'; r1 to r4 as kvm-unit-tests s390x/pv-diags.c finds them")
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
    };
}

/* AP-51: scaoh shares its word with ipb and stays. */
void svmc_adapt_s390_ask(const struct adapt_words *before, struct adapt_words *w)
{
    w->word[IPB] |= before->word[IPB] & 0xffffffffu;
}

#define IICTL 0x00ff0000u /* in the word of ICPT */

/* AP-50: an interruption is no part of an answer, and no kind takes a program exception. */
uint32_t svmc_adapt_s390_verdict(const struct adapt_words *w)
{
    return (w->word[ICPT] & IICTL) != 0 ? 50 : 0;
}

bool svmc_adapt_s390_say(const struct svmc_reply *reply, const struct adapt_words *before,
                         struct adapt_words *w)
{
    adapt_put(w, ICPT, before->word[ICPT] & ~(uint64_t)IICTL);
    return reply->status == SVMC_REPLY_DONE;
}
