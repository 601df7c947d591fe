/* SPDX-License-Identifier: MIT */
/** Front end for Power: vector, HDSISR, HDAR, ASDR, SRR1 -> exit. Pure; EX-90 to EX-92. */
#include <svmcore/exit_ppc.h>

#include "../core/bytes.h"
#include "../core/memory.h"
#include "intercept_private.h"

/* MSR in SRR1 and HSRR1: Power ISA book III, 4.2.2; bit 34 there: 7.5, prefixed */
#define MSR_SF       ((uint64_t)1 << 63) /* 64-bit mode */
#define MSR_HV       ((uint64_t)1 << 60)
#define MSR_PR       ((uint64_t)1 << 14) /* problem state */
#define MSR_LE       ((uint64_t)1)
#define SRR1_PREFIX  ((uint64_t)1 << 29)
#define PREFIX_BYTES 8u
#define WORD_BYTES   4u

/* HDSISR: book III, 7.5.16; Linux arch/powerpc/include/asm/reg.h, DSISR_* */
#define NO_TRANSLATION 0x40000000u
#define PROTECTION     0x08000000u
#define IS_STORE       0x02000000u

#define REAL_PAGE UINT64_C(0x0ffffffffffff000) /* of ASDR: Linux kvmppc_book3s_radix_page_fault */

/* What an interrupt says of the guest. OWN: it is the hypervisor's own work. */
enum what { OWN, CALL, ACCESS, REFUSE };

/* EX-90: all that Linux's kvmppc_handle_exit_hv knows; another vector is OWN, too. */
static const struct {
    uint16_t vector;
    uint8_t what;
} vectors[] = {
    { 0x0100, OWN },    /* system reset: book III, 7.5, here and below */
    { 0x0200, OWN },    /* machine check */
    { 0x0500, OWN },    /* external */
    { 0x0700, REFUSE }, /* program, where one comes to the hypervisor */
    { 0x0980, OWN },    /* hypervisor decrementer */
    { 0x0c00, CALL },   /* system call, of level 1 */
    { 0x0e00, ACCESS }, /* hypervisor data storage */
    { 0x0e20, OWN },    /* hypervisor instruction storage: a fetch is no access to a device */
    { 0x0e40, REFUSE }, /* hypervisor emulation assistance */
    { 0x0e60, OWN },    /* hypervisor maintenance */
    { 0x0e80, OWN },    /* directed hypervisor doorbell */
    { 0x0ea0, OWN },    /* hypervisor virtualization */
    { 0x0f00, OWN },    /* performance monitor */
    { 0x0f80, REFUSE }, /* hypervisor facility unavailable */
    { 0x1500, OWN },    /* soft patch: Linux asm/kvm_asm.h, here and below */
    { 0x1980, OWN },    /* hypervisor decrementer of a nested guest */
    { 0x5555, OWN },    /* passed through to a real-mode handler */
};

enum { STORE = 1, SIGN = 2, REVERSED = 4 };

#define D(op)      (uint32_t)(op) << 26, 0xfc000000u
#define DS(op, xo) (uint32_t)(op) << 26 | (xo), 0xfc000003u
#define X(xo)      (uint32_t)31 << 26 | (xo) << 1, 0xfc0007ffu

/*
 * EX-92: book I, 3.3.2 to 3.3.5, the opcodes by book I, appendix. What writes RA back, too, has no
 * row: the library writes one register.
 */
static const struct access {
    uint32_t word, mask;
    uint8_t bytes, flags;
} accesses[] = {
    { D(34), 1, 0 },                 /* lbz */
    { D(40), 2, 0 },                 /* lhz */
    { D(42), 2, SIGN },              /* lha */
    { D(32), 4, 0 },                 /* lwz */
    { DS(58, 2), 4, SIGN },          /* lwa */
    { DS(58, 0), 8, 0 },             /* ld */
    { D(38), 1, STORE },             /* stb */
    { D(44), 2, STORE },             /* sth */
    { D(36), 4, STORE },             /* stw */
    { DS(62, 0), 8, STORE },         /* std */
    { X(87), 1, 0 },                 /* lbzx */
    { X(279), 2, 0 },                /* lhzx */
    { X(343), 2, SIGN },             /* lhax */
    { X(23), 4, 0 },                 /* lwzx */
    { X(341), 4, SIGN },             /* lwax */
    { X(21), 8, 0 },                 /* ldx */
    { X(215), 1, STORE },            /* stbx */
    { X(407), 2, STORE },            /* sthx */
    { X(151), 4, STORE },            /* stwx */
    { X(149), 8, STORE },            /* stdx */
    { X(790), 2, REVERSED },         /* lhbrx */
    { X(534), 4, REVERSED },         /* lwbrx */
    { X(532), 8, REVERSED },         /* ldbrx */
    { X(918), 2, STORE | REVERSED }, /* sthbrx */
    { X(662), 4, STORE | REVERSED }, /* stwbrx */
    { X(660), 8, STORE | REVERSED }, /* stdbrx */
};

static enum what what_of(uint32_t vector)
{
    for (uint32_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        if (vectors[i].vector == vector) /* clamp: our own count, here and below */
            return (enum what)vectors[i].what;
    return OWN;
}

static const struct access *find(uint32_t word)
{
    for (uint32_t i = 0; i < sizeof accesses / sizeof accesses[0]; i++)
        if ((word & accesses[i].mask) == accesses[i].word) /* clamp: as above */
            return &accesses[i];
    return NULL;
}

/* EX-92: one load or store of one register; RT and RS stand in bits 6:10. */
static void set_access(const struct svmc_ppc_exit *raw, const struct access *a, uint32_t word,
                       struct svmc_exit *out)
{
    uint8_t reg = (uint8_t)(SVMC_REG_PPC_R0 + (word >> 21 & 31u));

    out->address = (raw->asdr & REAL_PAGE) | (raw->hdar & 0xfff);
    out->size = a->bytes;
    out->insn_bytes = WORD_BYTES;
    out->finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP;
    /* the page has the bytes in the order of their addresses, little-endian */
    out->swap = a->bytes > 1 && !(raw->srr1 & MSR_LE) != !!(a->flags & REVERSED);
    if (a->flags & STORE) {
        out->kind = SVMC_KIND_MMIO_WRITE;
        out->from = SVMC_FROM_VALUE_REG;
        out->value_reg = reg;
    } else {
        out->kind = SVMC_KIND_MMIO_READ;
        out->dest_reg = reg;
        out->dest_bytes = 8;
        out->dest_extend = a->flags & SIGN ? SVMC_EXTEND_SIGN : SVMC_EXTEND_ZERO;
    }
}

/* EX-91 */
static enum svmc_status from_access(const struct svmc_ppc_exit *raw, const uint8_t *bytes,
                                    size_t count, struct svmc_exit *out)
{
    const struct access *a;
    uint32_t word;

    if ((raw->hdsisr & (NO_TRANSLATION | PROTECTION)) == 0 ||
        (raw->hdsisr & ~(NO_TRANSLATION | PROTECTION | IS_STORE)) != 0 ||
        (raw->srr1 & SRR1_PREFIX) || !(raw->srr1 & MSR_SF))
        return SVMC_ERR_UNSUPPORTED;
    if (count < WORD_BYTES)
        return SVMC_ERR_TRUNCATED;
    word = raw->srr1 & MSR_LE ? core_load_le32(bytes) : core_load_be32(bytes);
    a = find(word);
    if (!a || (raw->hdar & 0xfff) + a->bytes > 4096) /* two pages may be two devices */
        return SVMC_ERR_UNSUPPORTED;
    if (!(raw->hdsisr & IS_STORE) != !(a->flags & STORE))
        return SVMC_ERR_MISMATCH;
    set_access(raw, a, word, out);
    return SVMC_OK;
}

static enum svmc_status from_vector(const struct svmc_ppc_exit *raw, const uint8_t *bytes,
                                    size_t count, struct svmc_exit *out)
{
    bool user = (raw->srr1 & MSR_PR) != 0;
    enum svmc_status st = SVMC_OK;

    if (raw->srr1 & MSR_HV) /* no guest has it */
        return SVMC_ERR_UNSUPPORTED;
    switch (what_of(raw->vector)) {
    case CALL: /* a hypercall is the privileged state's */
        out->kind = user ? SVMC_KIND_UNKNOWN : SVMC_KIND_HCALL;
        out->finish = SVMC_FINISH_REGS;
        break;
    case ACCESS:
        st = from_access(raw, bytes, count, out);
        break;
    case REFUSE:
        out->kind = SVMC_KIND_UNKNOWN;
        out->finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP;
        out->insn_bytes = raw->srr1 & SRR1_PREFIX ? PREFIX_BYTES : WORD_BYTES;
        break;
    case OWN:
        return SVMC_ERR_UNSUPPORTED;
    }
    out->isa = SVMC_ISA_PPC64;
    out->count = 1;
    out->user = user;
    return st;
}

enum svmc_status svmc_exit_from_ppc(const struct svmc_ppc_exit *raw, const uint8_t *bytes,
                                    size_t count, struct svmc_exit *out)
{
    enum svmc_status st;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!raw || (!bytes && count > 0))
        return SVMC_ERR_ARG;
    st = from_vector(raw, bytes, count, out);
    if (st != SVMC_OK)
        memset(out, 0, sizeof *out);
    return st;
}
