/* SPDX-License-Identifier: MIT */
/**
 * Interrupts that an untrusted host offers, and the filter that they pass: docs/spec/offer.md. The
 * host's side needs page.h and this header.
 */
#ifndef SVMCORE_OFFER_H
#define SVMCORE_OFFER_H
#include <stddef.h>
#include <stdint.h>
#include "event.h"
#include "intercept.h"
#include "status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_OFFER_AREA_BYTES   128u /* 64 that the host writes, 64 that the core writes */
#define SVMC_OFFER_RULES        6u   /* OF-1 to OF-6: what an offer can break */
#define SVMC_OFFER_POLICY_BYTES 44u  /* what svmc_offer_policy_save writes */

/** What can be offered. Exceptions cannot: they are answers to a request (R7), made inside. */
enum svmc_offer_kind {
    SVMC_OFFER_NONE = 0,
    SVMC_OFFER_X86_INTERRUPT = 1, /* code: vector */
    SVMC_OFFER_X86_NMI = 2,
    SVMC_OFFER_A64_IRQ = 3, /* a line: HCR_EL2.VI */
    SVMC_OFFER_A64_FIQ = 4, /* a line: HCR_EL2.VF */
    SVMC_OFFER_A64_SERROR = 5,
    SVMC_OFFER_RV_SOFTWARE = 6,
    SVMC_OFFER_RV_TIMER = 7,      /* a line: hvip.VSTIP */
    SVMC_OFFER_RV_EXTERNAL = 8,   /* a line: hvip.VSEIP */
    SVMC_OFFER_S390_EXTERNAL = 9, /* code: interruption code; data[0]: CPU address or parameter */
    SVMC_OFFER_S390_IO = 10,      /* data[0]: subchannel word << 32 | parameter; data[1]: word */
    SVMC_OFFER_S390_MCHK = 11,    /* code: the bit of the interruption code that is set */
    SVMC_OFFER_KINDS = 12
};

enum svmc_offer_op { SVMC_OFFER_RAISE = 0, SVMC_OFFER_LOWER = 1 /* lines alone */ };

/** Codes of s390x that a policy can allow: bits of svmc_offer_policy.codes. */
enum svmc_offer_code {
    SVMC_OFFER_INTERRUPT_KEY = 0x001,     /* external 0x0040 */
    SVMC_OFFER_CLOCK_COMPARATOR = 0x002,  /* 0x1004 */
    SVMC_OFFER_CPU_TIMER = 0x004,         /* 0x1005 */
    SVMC_OFFER_MALFUNCTION_ALERT = 0x008, /* 0x1200, with a CPU address, as the next two */
    SVMC_OFFER_EMERGENCY_SIGNAL = 0x010,  /* 0x1201 */
    SVMC_OFFER_EXTERNAL_CALL = 0x020,     /* 0x1202 */
    SVMC_OFFER_SERVICE_SIGNAL = 0x040,    /* 0x2401, with a parameter of 32 bits */
    SVMC_OFFER_RECOVERY = 0x080,          /* machine check, bit 2 */
    SVMC_OFFER_DEGRADATION = 0x100,       /* bit 7 */
    SVMC_OFFER_WARNING = 0x200,           /* bit 8 */
    SVMC_OFFER_CHANNEL_REPORT = 0x400     /* bit 9 */
};

/** What a host may offer; constant while in use, and shared by all vCPUs. All 0: nothing. */
struct svmc_offer_policy {
    uint64_t vectors[4];   /* x86: bit v % 64 of word v / 64: vector v; 0 to 31 cannot be allowed */
    uint16_t kinds;        /* bit n: enum svmc_offer_kind n */
    uint16_t codes;        /* s390x: bits of enum svmc_offer_code */
    uint8_t io_subclasses; /* s390x: bit n: I/O interruption subclass n */
    uint8_t reserved[3];   /* 0 */
};

/** Where a field of the shared area lies; little-endian, what is not listed is reserved and 0. */
enum svmc_offer_offset {
    SVMC_OFFER_SEQ = 0x00,    /* u64, host: the core's NEXT, echoed */
    SVMC_OFFER_KIND = 0x08,   /* host: u8 kind, u8 op, u16 code, u32 reserved */
    SVMC_OFFER_DATA = 0x10,   /* host: 2 x u64 */
    SVMC_OFFER_NEXT = 0x40,   /* u64, core: what the next offer must carry */
    SVMC_OFFER_ANSWER = 0x48, /* core: u8 enum svmc_offer_answer, u8 rule, u16 kept, u32 0 */
    SVMC_OFFER_CORE_END = 0x50
};

enum svmc_offer_answer { SVMC_OFFER_NO_ANSWER = 0, SVMC_OFFER_TAKEN = 1, SVMC_OFFER_REFUSED = 2 };

/** An offer as a host writes it. */
struct svmc_offer {
    uint64_t seq;
    uint8_t kind; /* enum svmc_offer_kind */
    uint8_t op;   /* enum svmc_offer_op */
    uint16_t code;
    uint32_t reserved;
    uint64_t data[2];
};

/** The core's side of the area as a host reads it: all that a host learns (OF-10). */
struct svmc_offer_notice {
    uint64_t next;  /* seq of the next offer */
    uint8_t answer; /* enum svmc_offer_answer, to the last offer */
    uint8_t rule;   /* REFUSED: the rule it broke */
    uint16_t kept;  /* bit n: an offer of kind n waits for an entry at which the guest takes it */
    uint32_t reserved;
};

/** What became of an offer. */
struct svmc_offer_result {
    uint8_t rule; /* SVMC_ERR_HOST_REPLY: the rule it broke, 1 to SVMC_OFFER_RULES */
    uint8_t stop; /* enum svmc_stop: REFUSALS at the policy's limit */
    uint16_t kept;
};

/** What goes into the guest with its next entry. */
struct svmc_arrival {
    uint8_t kind;     /* enum svmc_offer_kind; NONE: nothing that was offered */
    uint8_t op;       /* LOWER: the line goes down */
    uint16_t code;    /* s390x */
    uint16_t waiting; /* bit n: kind n still waits: see docs/embedding.md how to wake up for it */
    uint8_t notice;   /* 1: the area tells the host: ring or not, do not wait */
    uint8_t reserved;
    uint64_t data[2];        /* s390x */
    struct svmc_event event; /* x86: inject this; NONE: nothing */
};

/** Counters; never reset by the library. */
struct svmc_offer_stats {
    uint64_t taken;
    uint64_t arrived;
    uint64_t deferred; /* a kept offer met a closed mask: once an entry */
    uint64_t refused;
    uint64_t refused_by_rule[SVMC_OFFER_RULES + 1]; /* index: rule; 0 unused */
};

/** The offers to one vCPU. Allocated by the caller; moved by nobody while it is in use. */
struct svmc_offers {
    struct {
        struct svmc_vcpu *vcpu;
        const struct svmc_offer_policy *policy;
        volatile void *area;
        uint32_t magic;
        uint32_t isa; /* enum svmc_isa: X86_64, A64, RV64 or S390X for all of its family */
        uint64_t seq_secret;
        uint64_t seq_count;
        uint32_t refusals; /* in a row */
        uint16_t kept;
        uint16_t up;    /* lines that were raised in the guest */
        uint8_t answer; /* what the host was told last */
        uint8_t rule;
        uint8_t reserved[6];
        struct svmc_offer held[SVMC_OFFER_KINDS];
        struct svmc_offer_stats stats;
    } priv;
};

/**
 * Attach an area to a vCPU.
 *
 * Shape:   area: SVMC_OFFER_AREA_BYTES shared with the host, 8-byte aligned. isa: the vCPU's.
 * Owns:    nothing; vc, policy and area must outlive it; at most one of them a vCPU.
 * State:   the area is zeroed but for NEXT; 8 bytes are drawn from the vCPU's ops->random. On an
 *          error *offers is zeroed.
 * Threads: as the vCPU's calls, here and below: one caller at a time for a vCPU and its offers.
 * Source:  OF-2, OF-12.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, alignment, a policy with bits that mean nothing, an
 *         instruction set without offers); SVMC_ERR_STATE (vc has stopped); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_offers_init(struct svmc_offers *offers,
                                                          struct svmc_vcpu *vc,
                                                          const struct svmc_offer_policy *policy,
                                                          volatile void *area, enum svmc_isa isa);

/** Forget everything: *offers and its area are zeroed. NULL is allowed. */
SVMC_API void svmc_offers_drop(struct svmc_offers *offers);

/**
 * The host rang: read the area once, and keep the offer or refuse it. No register is read, so what
 * the host sees of this call says nothing about the guest. Also while an exit waits for its answer.
 *
 * State:   on SVMC_ERR_HOST_REPLY nothing that is kept changes; after the vCPU's refusal limit of
 *          them in a row it stops for good. The host's half of the area is zeroed.
 * Source:  OF-1 to OF-7.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_STATE (the vCPU has stopped); SVMC_ERR_HOST_REPLY.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_offers_fetch(struct svmc_offers *offers,
                                                           struct svmc_offer_result *out);

/**
 * Once before each entry: what goes into the guest with it. The masks are read now, through the
 * vCPU's ops->reg_read: a guest that opened or closed one since is met as it is.
 *
 * Shape:   state: x86: bits of enum svmc_event_state that hold at this entry, such as the state of
 *          the outcome; else 0. again: x86: what must be injected first: exit.interrupted, or
 *          outcome.fault merged with it (svmc_event_merge); else, or for nothing, NULL.
 * State:   what arrives is no longer kept. On an error nothing changes and *out is zeroed.
 * Source:  OF-8 to OF-11.
 *
 * @return SVMC_OK; SVMC_ERR_ARG; SVMC_ERR_STATE (an exit is pending: nothing enters; or the vCPU
 *         has stopped); SVMC_ERR_CALLBACK.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_offers_next(struct svmc_offers *offers, uint8_t state,
                                                          const struct svmc_event *again,
                                                          struct svmc_arrival *out);

/** Copy the counters. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_offers_stats(const struct svmc_offers *offers,
                                                           struct svmc_offer_stats *out);

/**
 * A policy's one byte form, for your attestation (OF-12).
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, a policy that svmc_offers_init refuses; bytes are zeroed).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_offer_policy_save(
    const struct svmc_offer_policy *policy, uint8_t bytes[SVMC_OFFER_POLICY_BYTES]);

/** Host side: write an offer; ring afterwards. @return SVMC_OK; SVMC_ERR_ARG (NULL, alignment). */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_offer_write(volatile void *area,
                                                          const struct svmc_offer *offer);

/** Host side: read the core's half. @return SVMC_OK; SVMC_ERR_ARG (NULL, alignment). */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_offer_notice_read(const volatile void *area,
                                                                struct svmc_offer_notice *out);

#ifdef __cplusplus
}
#endif
#endif
