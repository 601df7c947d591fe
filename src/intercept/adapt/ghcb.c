/* SPDX-License-Identifier: MIT */
/**
 * The GHCB page of SEV-ES and SEV-SNP, protocol version 2: AP-10 to AP-14. Offsets: AMD publication
 * 56421 (GHCB 2.0), table 2; Linux asm/svm.h struct ghcb; EDK2 Register/Amd/Ghcb.h. A valid bit
 * for each 8 bytes up to the bitmap itself.
 */
#include "adapt_private.h"

#define BUFFER       0x800u
#define BUFFER_BYTES 2032u
#define VALID_END    0x3f0u /* words from here on have no bit */
#define VERSION      (2u << 16)

enum {
    CODE,
    INFO1,
    INFO2,
    SCRATCH,
    RAX,
    RCX,
    RDX,
    RBX,
    RSI,
    CPL,
    XCR0,
    VALID0,
    VALID1,
    DATA,
    PROTOCOL, /* 0xffa version, 0xffc usage */
    PLACE_COUNT
};

static const uint16_t offsets[PLACE_COUNT] = {
    [CODE] = 0x390, [INFO1] = 0x398,  [INFO2] = 0x3a0,  [SCRATCH] = 0x3a8, [RAX] = 0x1f8,
    [RCX] = 0x308,  [RDX] = 0x310,    [RBX] = 0x318,    [RSI] = 0x330,     [CPL] = 0x0c8,
    [XCR0] = 0x3e8, [VALID0] = 0x3f0, [VALID1] = 0x3f8, [DATA] = BUFFER,   [PROTOCOL] = 0xff8,
};

/* what an exit of any kind names, even if it is 0 */
#define EXIT(code) MOVE(CODE, CONST, 0, code)
#define NO_INFO(n) MOVE(INFO##n, FIXED, 0, 0)
#define SHARED     MOVE(SCRATCH, SCRATCH, 0, BUFFER)

/*
 * The source names the event of GHCB 2.0, section 4 (NAE events). Inputs and outputs were compared
 * with KVM's sev_es_validate_vmgexit and with Linux's arch/x86/coco/sev/vc-shared.c, vc-handle.c.
 */
/* clang-format off */
#define ROW(kind, in, out, source) { SVMC_KIND_##kind, in, out },
static const struct adapt_row rows[] = {
    ROW(CPUID,
        IN(6, EXIT(0x72), NO_INFO(1), NO_INFO(2), MOVE(RAX, IN32, 0, 0), MOVE(RCX, IN32, 1, 0),
           MOVE(XCR0, FIXED, 0, 1)),
        OUT(4, MOVE(RAX, OUT, 0, 0), MOVE(RBX, OUT, 1, 0), MOVE(RCX, OUT, 2, 0),
            MOVE(RDX, OUT, 3, 0)),
        "CPUID; XCR0 is wanted for leaf 0xd and is not the host's to know: its reset value")
    ROW(RDMSR,
        IN(4, EXIT(0x7c), MOVE(INFO1, CONST, 0, 0), NO_INFO(2), MOVE(RCX, ADDRESS32, 0, 0)),
        OUT(2, MOVE(RAX, OUT, 0, 0), MOVE(RDX, OUT, 1, 0)),
        "MSR_PROT, EXITINFO1 0")
    ROW(WRMSR,
        IN(6, EXIT(0x7c), MOVE(INFO1, CONST, 0, 1), NO_INFO(2), MOVE(RCX, ADDRESS32, 0, 0),
           MOVE(RAX, IN32, 0, 0), MOVE(RDX, IN_HIGH, 0, 0)),
        OUT0, "MSR_PROT, EXITINFO1 1")
    ROW(IN,
        IN(3, EXIT(0x7b), MOVE(INFO1, IOIO, 0, 0), NO_INFO(2)),
        OUT(1, MOVE(RAX, OUT, 0, 0)), "IOIO_PROT, EXITINFO1 of the VMCB")
    ROW(OUT,
        IN(4, EXIT(0x7b), MOVE(INFO1, IOIO, 0, 0), NO_INFO(2), MOVE(RAX, IN, 0, 0)),
        OUT0, "IOIO_PROT")
    ROW(INS,
        IN(4, EXIT(0x7b), MOVE(INFO1, IOIO, 0, 0), MOVE(INFO2, COUNT, 0, 0), SHARED),
        OUT0, "IOIO_PROT, string: EXITINFO2 is the count, the data are in the scratch area")
    ROW(OUTS,
        IN(4, EXIT(0x7b), MOVE(INFO1, IOIO, 0, 0), MOVE(INFO2, COUNT, 0, 0), SHARED),
        OUT0, "IOIO_PROT, string")
    ROW(MMIO_READ,
        IN(4, EXIT(0x80000001), MOVE(INFO1, ADDRESS, 0, 0), MOVE(INFO2, SIZE, 0, SIZES_ANY),
           SHARED),
        OUT(1, MOVE(DATA, OUT_DATA, 0, 0)), "MMIO Read")
    ROW(MMIO_WRITE,
        IN(5, EXIT(0x80000002), MOVE(INFO1, ADDRESS, 0, 0), MOVE(INFO2, SIZE, 0, SIZES_ANY),
           SHARED, MOVE(DATA, IN, 0, 0)),
        OUT0, "MMIO Write")
    ROW(HYPERCALL,
        IN(9, EXIT(0x81), NO_INFO(1), NO_INFO(2), MOVE(RAX, ADDRESS, 0, 0), MOVE(CPL, FIXED, 0, 0),
           MOVE(RBX, IN, 0, 0), MOVE(RCX, IN, 1, 0), MOVE(RDX, IN, 2, 0), MOVE(RSI, IN, 3, 0)),
        OUT(1, MOVE(RAX, OUT, 0, 0)),
        "VMMCALL; registers of KVM's hypercall ABI, Documentation/virt/kvm/x86/hypercalls.rst")
    ROW(PAGE_STATE,
        IN(5, EXIT(0x80000010), NO_INFO(1), NO_INFO(2), SHARED, MOVE(DATA, LIST, 0, 0)),
        OUT(1, MOVE(DATA, OUT_LIST, 0, 0)),
        "SNP Page State Change, 4.1.6; Linux asm/sev-common.h struct snp_psc_desc, vmgexit_psc")
    ROW(GUEST_REQUEST,
        IN(3, EXIT(0x80000011), MOVE(INFO1, ADDRESS, 0, 0), MOVE(INFO2, IN, 0, 0)),
        OUT(1, MOVE(INFO2, OUT, 0, 0)),
        "SNP Guest Request, 4.1.7; Linux snp_issue_guest_request")
    ROW(GUEST_REQUEST_EXT,
        IN(5, EXIT(0x80000012), MOVE(INFO1, ADDRESS, 0, 0), MOVE(INFO2, IN, 0, 0),
           MOVE(RAX, IN, 1, 0), MOVE(RBX, IN32, 2, 0)),
        OUT(2, MOVE(INFO2, OUT, 0, 0), MOVE(RBX, OUT, 1, 0)),
        "SNP Extended Guest Request, 4.1.8; RAX and RBX as Linux snp_issue_guest_request has them")
    ROW(AP_CREATE,
        IN(4, EXIT(0x80000013), MOVE(INFO1, IN, 0, 0), MOVE(INFO2, ADDRESS, 0, 0),
           MOVE(RAX, IN, 1, 0)),
        OUT0, "SNP AP Creation, 4.1.9; Linux vmgexit_ap_control; RAX is SEV_FEATURES")
};
#undef ROW
/* clang-format on */

void svmc_adapt_ghcb_form(struct adapt_form *form)
{
    *form = (struct adapt_form){
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
        .offsets = offsets,
        .places = PLACE_COUNT,
        .area_bytes = 4096,
        .data_place = DATA,
        .data_most = BUFFER_BYTES,
        .isa = SVMC_ISA_X86_64,
        .clear_end = { 4096, 0 },
    };
}

/* The two words of the bitmap that say that these places are valid. */
static void valid_bits(uint32_t places, uint64_t bits[2])
{
    bits[0] = bits[1] = 0;
    for (uint32_t i = 0; i < PLACE_COUNT; i++)
        if ((places >> i & 1) && offsets[i] < VALID_END)
            bits[offsets[i] / 512] |= (uint64_t)1 << (offsets[i] / 8 & 63); /* clamp: below 2 */
}

static bool has_bits(const struct adapt_words *w, uint32_t places)
{
    uint64_t bits[2];

    valid_bits(places, bits);
    return (bits[0] & ~w->word[VALID0]) == 0 && (bits[1] & ~w->word[VALID1]) == 0;
}

void svmc_adapt_ghcb_ask(struct adapt_words *w)
{
    uint64_t bits[2];

    valid_bits(w->filled, bits);
    adapt_put(w, VALID0, bits[0]);
    adapt_put(w, VALID1, bits[1]);
    adapt_put(w, PROTOCOL, VERSION);
}

static uint32_t results(const struct adapt_row *row)
{
    uint32_t places = 0;

    for (uint32_t i = 0; i < row->out_count && i < MOVES_OUT; i++)
        places |= 1u << row->out[i].at;
    return places;
}

/* SW_EXITINFO2 of an exception: a valid #GP or #UD. GHCB 2.0, 4.1; AMD APM vol. 2, 15.20 */
#define EVENT_VALID     (1u << 31)
#define EVENT_ERROR     (1u << 11)
#define EVENT_EXCEPTION (3u << 8)
#define VECTOR_UD       6u
#define VECTOR_GP       13u

static uint32_t exception(uint64_t info, struct svmc_reply *out)
{
    uint32_t event = (uint32_t)info & ~EVENT_ERROR; /* with or without: the code is made inside */

    if (event != (EVENT_VALID | EVENT_EXCEPTION | VECTOR_GP) &&
        event != (EVENT_VALID | EVENT_EXCEPTION | VECTOR_UD))
        return 12;
    out->status = SVMC_REPLY_FAULT;
    out->fault = (event & 0xff) == VECTOR_GP ? SVMC_FAULT_GP : SVMC_FAULT_UD;
    return 0;
}

/*
 * AP-14: all of the list that was asked for, in a header that nobody has changed but for how far it
 * went; an error, SW_EXITINFO2, says that it is somewhere.
 */
static bool list_holds(const struct svmc_request *r, const struct adapt_words *w)
{
    uint64_t header = w->word[DATA];

    return has_bits(w, 1u << INFO2) && w->word[INFO2] == 0 && (header >> 16) + 1 == r->count &&
           (header & 0xffff) <= r->count;
}

uint32_t svmc_adapt_ghcb_verdict(const struct adapt_row *row, const struct svmc_request *r,
                                 const struct adapt_words *w, struct svmc_reply *out)
{
    /* what KVM sets valid after every exit (sev_es_sync_to_ghcb, svm_vmgexit_set_return_code) */
    uint32_t always = 1u << INFO1 | 1u << INFO2 | 1u << RAX | 1u << RBX | 1u << RCX | 1u << RDX;
    uint64_t allowed[2];

    valid_bits(always, allowed);
    if ((w->word[VALID0] & ~allowed[0]) != 0 || (w->word[VALID1] & ~allowed[1]) != 0 ||
        !has_bits(w, 1u << INFO1)) /* AP-10 */
        return 10;
    if (w->word[INFO1] > 1) /* AP-11 */
        return 11;
    if (w->word[INFO1] == 1) /* AP-12 */
        return has_bits(w, 1u << INFO2) ? exception(w->word[INFO2], out) : 10;
    if (row->kind == SVMC_KIND_PAGE_STATE && !list_holds(r, w))
        return 14;
    return has_bits(w, results(row)) ? 0 : 10;
}

/* AP-13: usage 0, a known version, and every input that the row reads is valid. */
bool svmc_adapt_ghcb_heard(const struct adapt_row *row, const struct adapt_words *w)
{
    uint64_t version = w->word[PROTOCOL] >> 16 & 0xffff;
    uint32_t places = 0;

    for (uint32_t i = 0; i < row->in_count && i < MOVES_IN; i++)
        if (row->in[i].item != ITEM_FIXED)
            places |= 1u << row->in[i].at;
    return w->word[PROTOCOL] >> 32 == 0 && (version == 1 || version == 2) &&
           has_bits(w, places | 1u << INFO1 | 1u << INFO2);
}

bool svmc_adapt_ghcb_say(const struct svmc_reply *reply, struct adapt_words *w)
{
    uint32_t vector = reply->fault == SVMC_FAULT_GP ? VECTOR_GP : VECTOR_UD;
    uint64_t bits[2];

    if (reply->status == SVMC_REPLY_FAULT) {
        if (reply->fault != SVMC_FAULT_GP && reply->fault != SVMC_FAULT_UD)
            return false;
        adapt_put(w, INFO1, 1);
        adapt_put(w, INFO2, EVENT_VALID | EVENT_EXCEPTION | vector);
    } else if (reply->status == SVMC_REPLY_DONE) {
        adapt_put(w, INFO1, 0);
        if (!(w->filled >> INFO2 & 1)) /* no result */
            adapt_put(w, INFO2, 0);
    } else {
        return false;
    }
    valid_bits(w->filled, bits);
    adapt_put(w, VALID0, bits[0]);
    adapt_put(w, VALID1, bits[1]);
    return true;
}
