/* SPDX-License-Identifier: MIT */
#ifndef INTERCEPT_PRIVATE_H
#define INTERCEPT_PRIVATE_H
#include <stdbool.h>
#include <stdint.h>
#include <svmcore/intercept.h>

/** Whether a callback is there: in a table as long as this host compiled it, and not NULL. */
#define HAS_OP(ops, op) \
    ((ops)->size >= offsetof(struct svmc_host_ops, op) + sizeof((ops)->op) && (ops)->op != NULL)

/** Which of the policy's tables decides about a row that says DELEGATE; S390: none, as NONE. */
enum space {
    SPACE_NONE,
    SPACE_PORT,
    SPACE_MSR,
    SPACE_WINDOW,
    SPACE_HCALL,
    SPACE_CPUID,
    SPACE_S390
};

/** Where a slot's value comes from, or goes to. */
enum place {
    PLACE_REG,   /* the register named in the slot */
    PLACE_VALUE, /* exit.value */
    PLACE_DEST,  /* the destination of the exit, in the way dest_* says */
    PLACE_ARG    /* the register that exit.arg[] names at the index in the slot */
};

/** What a result must be beyond its width (R10). */
enum check { CHECK_ANY, CHECK_HCALL_STATUS, CHECK_CC };

#define CC_MOST 3u /* a condition code: PoP 4, program-status word */

struct slot {
    uint8_t place;
    uint8_t reg;
    uint8_t bytes; /* 0: exit.size */
    uint8_t check;
};

#define SLOTS_IN  6u
#define SLOTS_OUT 4u

/** One row: all that is fixed about a kind of exit. Sources stand in rows.def. */
struct exit_rule {
    uint16_t kind;
    uint8_t verdict;   /* enum svmc_verdict; DELEGATE: if the space's table says so too */
    uint8_t space;     /* enum space */
    uint8_t write;     /* which half of the space's table: 0 reads, 1 writes */
    uint8_t direction; /* enum svmc_direction */
    uint8_t string;    /* 1: the data go through the data area, in chunks; above: a block */
    uint8_t statuses;  /* bit n: reply status n is legal (R4) */
    uint8_t faults;    /* bit n: fault code n is legal (R7) */
    uint8_t refusal;   /* enum svmc_fault_code that the verdict FAULT gives the guest */
    uint8_t in_count;
    struct slot in[SLOTS_IN];
    uint8_t out_count;
    struct slot out[SLOTS_OUT];
};

/* rules.c */
const struct exit_rule *svmc_intercept_rule(uint16_t kind);
/** PG-5: the first eight bytes of `insn`, as a number; the others are 0. */
uint64_t svmc_intercept_insn_text(const struct exit_rule *rule, uint32_t isa, uint32_t size);
uint32_t svmc_intercept_address_bytes(const struct exit_rule *rule);

/* exit_words.c */
enum svmc_status svmc_intercept_from_word(const struct svmc_insn *insn, svmc_gpa gpa,
                                          struct svmc_exit *out);

/* exit_kvm.c */
/** KVM_EXIT_MMIO of a little-endian host; run has at least the 64 bytes that hold it. */
enum svmc_status svmc_intercept_kvm_mmio(const uint8_t *run, struct svmc_exit *out);

/* block.c: the operand of an instruction that is one block of memory: one element (EX-68) */
static inline bool is_block(const struct exit_rule *rule)
{
    return rule->string > 1; /* its bytes */
}
/** Read the block that the guest gives into the staging area, or see that it can be written. */
enum svmc_status svmc_intercept_block_stage(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                            struct svmc_fault *fault);
/** Write the block that the guest gets, or nothing: its fault, or a condition code without one. */
enum svmc_status svmc_intercept_block_store(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                            const uint64_t out[SLOTS_OUT],
                                            struct svmc_fault *fault);

/* s390.c */
/** EX-63: what a kind of s390x needs beside what all kinds do. */
bool svmc_intercept_s390_sound(const struct exit_rule *rule, const struct svmc_exit *exit);
enum svmc_verdict svmc_intercept_s390_judge(const struct exit_rule *rule,
                                            const struct svmc_exit *exit);

/* resolve.c */
enum svmc_status svmc_intercept_resolve(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                        struct svmc_exit *e);

/* identity.c */
bool svmc_intercept_cpuid_sorted(const struct svmc_policy *policy);
/** The answer to a CPUID exit; *inside: it is in out, else the host is asked. */
enum svmc_status svmc_intercept_identity(struct svmc_vcpu *vc, uint64_t out[SLOTS_OUT],
                                         bool *inside);

/* policy.c */
bool svmc_intercept_policy_usable(const struct svmc_policy *policy);
bool svmc_intercept_policy_ready(const struct svmc_policy *policy);
enum svmc_verdict svmc_intercept_judge(const struct svmc_policy *policy,
                                       const struct exit_rule *rule, const struct svmc_exit *exit);
const struct svmc_hcall_rule *svmc_intercept_hcall(const struct svmc_policy *policy,
                                                   uint64_t number);

/** The entry of an MSR, or SVMC_POLICY_MSRS; *left gets how many entries follow in its page. */
uint32_t svmc_intercept_msr_entry(uint32_t msr, uint32_t *left);
/** The n-th range of MSRs that have an entry: its first MSR, its first entry, how many. */
bool svmc_intercept_msr_page(uint32_t page, uint32_t *first, uint32_t *at, uint32_t *count);

/* page.c */
void svmc_intercept_page_fill(struct svmc_vcpu *vc, const struct exit_rule *rule,
                              enum svmc_completion completion, const uint64_t in[SLOTS_IN]);
void svmc_intercept_page_wipe(struct svmc_vcpu *vc, uint32_t data);
void svmc_intercept_page_clear_reply(struct svmc_vcpu *vc);
void svmc_intercept_page_clear(struct svmc_vcpu *vc);

/* reply.c */
unsigned svmc_intercept_reply_check(const struct svmc_pending *pending,
                                    const struct exit_rule *rule, const volatile void *page,
                                    uint32_t id, struct svmc_reply *reply);

/** R6, R7, R11, R8, R10 alone: what can be said about a copy that has been put right. */
unsigned svmc_intercept_reply_fits(const struct svmc_pending *pending, const struct exit_rule *rule,
                                   const struct svmc_reply *reply);

/* mend.c */
/**
 * MO-2 MO-3: put the copy of a reply that broke a rule right as far as the mode allows. Returns the
 * rule under which it is refused all the same, or 0; *seen: bit n: rule n was let through.
 */
unsigned svmc_intercept_reply_mend(enum svmc_mode mode, const struct svmc_pending *pending,
                                   const struct exit_rule *rule, unsigned broken,
                                   struct svmc_reply *reply, uint32_t *seen);

/* commit.c */
struct span {
    void *at;
    size_t bytes;
};
/** Prepare guest memory for elements [0, *count): up to two spans, or the guest's fault. */
enum svmc_status svmc_intercept_spans(struct svmc_vcpu *vc, const struct svmc_exit *exit,
                                      uint32_t access, uint32_t *count, struct span span[2],
                                      struct svmc_fault *fault);
enum svmc_status svmc_intercept_commit(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                       const uint64_t out[SLOTS_OUT], uint32_t *done,
                                       struct svmc_outcome *outcome);

/* vcpu.c */
/** What every call on a vCPU starts with; `pending`: whether it wants a pending exit. */
enum svmc_status svmc_intercept_begin(const struct svmc_vcpu *vc, struct svmc_outcome *out,
                                      bool pending);
/** What it ends with: an error leaves nothing but STOP in *out. */
void svmc_intercept_end(const struct svmc_vcpu *vc, enum svmc_status st, struct svmc_outcome *out);
enum svmc_status svmc_intercept_stop(struct svmc_vcpu *vc, enum svmc_stop why,
                                     struct svmc_outcome *out);
void svmc_intercept_forget(struct svmc_vcpu *vc);
bool svmc_intercept_has_memory(const struct svmc_vcpu *vc);

/* exit.c */
/** Elements to ask for next (EX-7). */
uint32_t svmc_intercept_chunk(const struct svmc_pending *pending);
/** Fill the page for elements [at, at + issued) and wait for the answer. */
enum svmc_status svmc_intercept_ask(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                    struct svmc_outcome *out);

/* fault.c */
struct svmc_fault svmc_intercept_fault(enum svmc_fault_code code, const struct svmc_exit *exit);

/* registers.c */
/** A general register of this instruction set, the one that is always zero included. */
bool svmc_intercept_is_register(uint32_t isa, uint32_t reg);
/** The register that reads as zero and forgets what is written; SVMC_REG_NONE: there is none. */
uint32_t svmc_intercept_zero_register(uint32_t isa);
/** The program counter. */
uint32_t svmc_intercept_pc(uint32_t isa);

/** x86 outside 64-bit mode: RIP and linear addresses end at 4 GiB. */
static inline bool is_legacy(const struct svmc_exit *exit)
{
    return exit->isa == SVMC_ISA_X86_16 || exit->isa == SVMC_ISA_X86_32;
}

/**
 * The mode of a code segment: L, D and EFER.LMA. False: L and D at once, which are reserved (AMD
 * APM vol. 2, 4.8.1; Intel SDM vol. 3, 5.2.1).
 */
static inline bool code_mode(bool l, bool d, bool lma, uint8_t *isa)
{
    bool is_64 = l && lma;

    *isa = is_64 ? SVMC_ISA_X86_64 : d ? SVMC_ISA_X86_32 : SVMC_ISA_X86_16;
    return !(is_64 && d);
}

/** Bytes that slot s of an exit is wide. */
static inline uint32_t slot_bytes(const struct slot *s, const struct svmc_exit *exit)
{
    return s->bytes != 0 ? s->bytes : exit->size;
}

#endif
