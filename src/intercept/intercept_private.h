/* SPDX-License-Identifier: MIT */
#ifndef INTERCEPT_PRIVATE_H
#define INTERCEPT_PRIVATE_H
#include <stdbool.h>
#include <stdint.h>
#include <svmcore/audit.h>
#include <svmcore/intercept.h>

#include "../core/bytes.h"
#include "../core/callbacks.h"
#include "../core/clamp.h"
#include "../core/memory.h"

struct fetched; /* stages.h */

/** Which of the policy's tables decides about a row that says DELEGATE; S390: none, as NONE. */
enum space {
    SPACE_NONE,
    SPACE_PORT,
    SPACE_MSR,
    SPACE_WINDOW,
    SPACE_CPUID,
    SPACE_SYSREG, /* from PORT to here: usual.c */
    SPACE_HCALL,
    SPACE_CALL,
    SPACE_KIND,    /* the kind is all there is to judge */
    SPACE_INDEX,   /* the same, and address is the number of a register */
    SPACE_S390,    /* from here on: svmc_intercept_special_sound */
    SPACE_REQUEST, /* of the embedder itself: as KIND, and address is guest-physical (EX-80) */
    SPACE_ASYNC    /* likewise without a choice: an event that is no instruction (EX-86) */
};

/** Where a slot's value comes from, or goes to. */
enum place {
    PLACE_REG,    /* the register named in the slot */
    PLACE_VALUE,  /* exit.value */
    PLACE_DEST,   /* the destination of the exit, in the way dest_* says */
    PLACE_ARG,    /* the register that exit.arg[] names at the index in the slot */
    PLACE_STATUS, /* bits 32 to 39 of such a register, with condition code 1 (EX-75) */
    PLACE_SECOND, /* exit.buffer, a number here */
    PLACE_THIRD   /* exit.count, likewise */
};

/** What a result must be beyond its width (R10). */
enum check {
    CHECK_ANY,
    CHECK_HCALL_STATUS,
    CHECK_PSCI,
    CHECK_SBI,
    CHECK_TIME,
    CHECK_PAPR,
    CHECK_REACHED,   /* how far from address to value something has come, in pages */
    CHECK_MESSAGE,   /* status of a guest message: EX-83 */
    CHECK_CC = 0x10, /* and bit n: condition code n is one of the operation's */
    CHECK_PCI = 0x20 /* beside CHECK_CC: the second result is a status */
};

#define CC_MOST   3u /* a condition code: PoP 4, program-status word */
#define TPI_BYTES 8u /* of 12, where it stores them at its operand: PoP 14 */

struct slot {
    uint8_t place;
    uint8_t reg;
    uint8_t bytes; /* 0: exit.size; so is its mask */
    uint8_t check;
    uint64_t mask; /* the bits of these bytes; all, where bytes is 0 */
};

#define SLOTS_IN  6u
#define SLOTS_OUT 4u

/** One row: all that is fixed about a kind of exit. Sources stand in rows.def. */
struct exit_rule {
    uint16_t kind;
    uint16_t row;      /* its number, below SVMC_LEDGER_ROWS */
    uint16_t isas;     /* bit n: svmc_isa n is legal (EX-1) */
    uint16_t sizes;    /* bit n: an element of n bytes is legal (EX-1) */
    uint8_t verdict;   /* enum svmc_verdict; DELEGATE: if the space's table says so too */
    uint8_t space;     /* enum space */
    uint8_t write;     /* which half of the space's table: 0 reads, 1 writes */
    uint8_t direction; /* enum svmc_direction */
    uint16_t string;   /* 1: the data go through the data area, in chunks; above: a block */
    uint8_t apart;     /* 1: a block, or of s390x: committed by s390.c */
    uint8_t statuses;  /* bit n: reply status n is legal (R4) */
    uint8_t faults;    /* bit n: fault code n is legal (R7) */
    uint8_t refusal;   /* enum svmc_fault_code that the verdict FAULT gives the guest */
    uint8_t address;   /* bytes of svmc_exit.address that the host is shown */
    uint8_t timed;     /* 1: has to do with time (R13), if the register's name says so too */
    uint8_t in_count;
    struct slot in[SLOTS_IN];
    uint8_t out_count;
    struct slot out[SLOTS_OUT];
    /* for usual.c alone, made of the columns above: what each exit would come to again */
    uint16_t usual;         /* isas, of a row whose own exits can go the usual way; else 0 */
    uint16_t usual_backend; /* isas, of a row where those can that a backend ends; else 0 */
    uint8_t shown, given;   /* bytes that a request shows, a reply gives; those of a size not */
    uint8_t in_valid, out_valid; /* PG-6, R6 */
    uint8_t begins[8];           /* svmc_pending.active and the seven behind it */
    uint32_t asks;               /* the request's kind, completion and direction */
    uint64_t beyond[3];          /* R8: bits that slot 0, 1, and 2 and 3 must not have */
};

#define KINDS 256u /* classes times operations */

/** Where a kind's verdict stands in a policy; KINDS: it has none there. */
uint32_t svmc_intercept_kind_entry(uint16_t kind);

/** The kind of an entry. */
static inline uint16_t kind_of(uint32_t entry)
{
    return (uint16_t)(entry >> 4 << 12 | (entry & 15));
}

/* rules.c */
/* kind -> row: class in bits 8:5, then bit 6 of the operation, then its low bits */
#define KIND_CELLS      512u
#define KIND_CELL(kind) (((kind) >> 7 & 0x1e0u) | ((kind) >> 2 & 0x10u) | ((kind)&15u))
#pragma GCC visibility push(hidden) /* else position-independent code asks a GOT for them */
extern const struct exit_rule svmc_intercept_rules[];
extern const uint16_t svmc_intercept_row_of[KIND_CELLS];
extern const uint32_t svmc_intercept_texts[][4];
#pragma GCC visibility pop

/** The row of a kind, if it has one; else any row. */
static inline const struct exit_rule *svmc_intercept_row(uint16_t kind)
{
    const struct exit_rule *rule;
    uint32_t whole = kind;

    CORE_KEEP(whole); /* else in 16 bits, which takes more instructions */
    /* clamp: a cell has nine bits, a row's number stands in our table */
    rule = &svmc_intercept_rules[svmc_intercept_row_of[KIND_CELL(whole)]];
    CORE_KEEP(rule);
    return rule;
}
/** The row of a kind; of one that has none, the first. */
static inline const struct exit_rule *svmc_intercept_rule(uint16_t kind)
{
    const struct exit_rule *rule = svmc_intercept_row(kind);

    return rule->kind == kind ? rule : svmc_intercept_rules;
}
/** The kind of row n; false: there is none. */
bool svmc_intercept_row_kind(uint32_t row, uint16_t *kind);
/** Of any processor but x86. */
uint64_t svmc_intercept_other_text(const struct exit_rule *rule, const struct svmc_exit *exit);

/** PG-5: the first eight bytes of `insn`, as a number; the others are 0. */
static inline uint64_t svmc_intercept_insn_text(const struct exit_rule *rule,
                                                const struct svmc_exit *exit)
{
    const uint64_t logs = 1u << 4 * 2 | 2u << 4 * 4 | (uint64_t)3 << 4 * 8;
    const uint32_t whole = 1u << 0 | 1u << 1 | 1u << 2 | 1u << 4 | 1u << 8;

    if (exit->isa > SVMC_ISA_X86_64)
        return svmc_intercept_other_text(rule, exit);
    if (exit->size > 8 || !(whole >> exit->size & 1))
        return 0;
    /* clamp: row is ours, the logarithm is below 4 */
    return svmc_intercept_texts[rule->row][logs >> 4 * exit->size & 3];
}

/* exit_words.c */
enum svmc_status svmc_intercept_from_word(const struct svmc_insn *insn, svmc_gpa gpa,
                                          struct svmc_exit *out);

/** A transfer, size bytes wide, between a general register and a numbered one of the system. */
void svmc_intercept_set_transfer(enum svmc_kind kind, uint64_t number, uint8_t reg,
                                 struct svmc_exit *out);

/* exit_insn.c */
/** Which registers an instruction that is a kind by its name alone reads: from, address_reg. */
void svmc_intercept_set_from(struct svmc_exit *out);
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
                                            struct svmc_outcome *out);
/** A part that is not the last was answered: take what came, and ask for the next. */
enum svmc_status svmc_intercept_block_next(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                           struct svmc_outcome *out);
/** Bytes [from, to) of the block between the guest and the staging area, or its fault. */
enum block_move { BLOCK_FETCH, BLOCK_PROBE, BLOCK_STORE };
enum svmc_status svmc_intercept_block_move(struct svmc_vcpu *vc, enum block_move what,
                                           uint32_t from, uint32_t to, struct svmc_fault *fault);
/** ST-7: the part that a record of a saved state waits for; false: no exit comes to that. */
bool svmc_intercept_block_again(struct svmc_pending *p, const struct exit_rule *rule);
/** Where the bytes end that are stored. */
static inline uint32_t svmc_intercept_block_end(const struct svmc_pending *p)
{
    return p->exit.kind == SVMC_KIND_TPI && !p->exit.value ? TPI_BYTES : p->block;
}

/* request.c */
/** EX-1 for the kinds of s390x, EX-80 to EX-86 for those of the embedder itself. */
bool svmc_intercept_special_sound(const struct exit_rule *rule, const struct svmc_exit *exit);
/** EX-81: the entries of a page state change. */
bool svmc_intercept_list_sound(const uint8_t *list, uint32_t count);

/* s390.c */
/**
 * How many bytes of a block the guest gives or gets, where the row does not say it: p->block, of
 * which p->kept are not stored; 0: the answer is exit.value, and no host hears of it. open: before
 * a byte is read; *first: how many to read for header, which returns how many there are in all.
 */
enum svmc_status svmc_intercept_s390_open(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                          uint32_t *first, struct svmc_outcome *out);
uint32_t svmc_intercept_s390_header(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                    uint32_t first, struct svmc_outcome *out);
/** Whether the address of a block is a real one. */
bool svmc_intercept_s390_is_real(const struct svmc_exit *exit);
/** Whether results come with a block to store. */
bool svmc_intercept_s390_gives(const struct exit_rule *rule, const uint64_t out[SLOTS_OUT]);
/** What came of a block, before it is stored. */
void svmc_intercept_s390_came(struct svmc_vcpu *vc);
/** The fault of the verdict FAULT. */
enum svmc_fault_code svmc_intercept_s390_refusal(const struct exit_rule *rule,
                                                 const struct svmc_exit *exit);
/** Memory and registers of a row that has `apart`; a program counter is not among them. */
enum svmc_status svmc_intercept_s390_commit(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                            const uint64_t out[SLOTS_OUT],
                                            struct svmc_fault *fault);
/** EX-63: what a kind of s390x needs beside what all kinds do. */
bool svmc_intercept_s390_sound(const struct exit_rule *rule, const struct svmc_exit *exit);
enum svmc_verdict svmc_intercept_s390_judge(const struct exit_rule *rule,
                                            const struct svmc_exit *exit);

/* resolve.c */
enum svmc_status svmc_intercept_resolve(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                        struct svmc_exit *e);

/* identity.c */
bool svmc_intercept_cpuid_sorted(const struct svmc_policy *policy);
/** Whether a host may not answer every leaf. */
static inline bool svmc_intercept_is_pinned(const struct svmc_policy *policy)
{
    return policy->priv.cpuid_count != 0 || policy->priv.cpuid_rest != SVMC_VERDICT_DELEGATE;
}
/** The answer to a CPUID exit; *inside: it is in out, else the host is asked. */
enum svmc_status svmc_intercept_identity(struct svmc_vcpu *vc, uint64_t out[SLOTS_OUT],
                                         bool *inside);

/* inside.c */
/** EX-58 EX-59: what the embedder does itself. */
enum svmc_status svmc_intercept_interpret(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                          struct svmc_outcome *out);

/* time.c: R13 */
#define TIME_FLOOR 2u /* svmc_time.known: a value that was given under another clock (ST-8) */
/** Of a row that is timed: find the counter in question, and note when its time is asked for. */
void svmc_intercept_time_ask(struct svmc_vcpu *vc);
/** SVMC_ERR_HOST_REPLY: a time that a DONE reply must not give; SVMC_ERR_CALLBACK. */
enum svmc_status svmc_intercept_time_check(struct svmc_vcpu *vc, uint64_t time);
/** Results were taken. */
void svmc_intercept_time_note(struct svmc_vcpu *vc, uint64_t time);
/** The time that results are, where they are one. */
static inline uint64_t svmc_intercept_time_of(const struct exit_rule *rule, uint64_t low,
                                              uint64_t high)
{
    return rule->out_count == 2 ? low | high << 32 : low;
}

/* calls.c */
/** The answer to HVC, SMC, ECALL and sc 1; *inside: it is in out, else the host is asked. */
enum svmc_status svmc_intercept_call(struct svmc_vcpu *vc, uint64_t out[SLOTS_OUT], bool *inside);
/** ST-7: the record of a call that a saved state waits for; false: it is not delegated. */
bool svmc_intercept_call_again(struct svmc_vcpu *vc);
/** Whether a call in [first, last] is delegated. */
bool svmc_intercept_has_call(const struct svmc_policy *policy, uint32_t kind, uint64_t first,
                             uint64_t last);
/** Registers that a hypercall of PAPR brings, as power.def says; 0: it is not to be delegated. */
uint32_t svmc_intercept_hcall_results(uint64_t number);
/** R10: whether the row's check lets a result pass, and the one that says that the call failed. */
bool svmc_intercept_is_legal(uint32_t check, const struct svmc_exit *exit,
                             const uint64_t out[SVMC_PAGE_SLOTS]);
uint64_t svmc_intercept_failure(uint32_t check, const struct svmc_exit *exit);

#define SYSREG_FIRST 0x8000u /* op0 2 and 3: Arm ARM C5.1.2 */

/* policy.c */
bool svmc_intercept_policy_usable(const struct svmc_policy *policy);
bool svmc_intercept_policy_ready(const struct svmc_policy *policy);
enum svmc_verdict svmc_intercept_judge(const struct svmc_policy *policy,
                                       const struct exit_rule *rule, const struct svmc_exit *exit);
const struct svmc_hcall_rule *svmc_intercept_hcall(const struct svmc_policy *policy,
                                                   uint64_t number);

/** The verdict of entry i of registers: two bits, and one more beside CONST. */
static inline enum svmc_verdict svmc_intercept_register_verdict(const uint8_t *map,
                                                                const uint8_t *inside, uint32_t i)
{
    uint32_t verdict = map[i >> 2] >> (2 * (i & 3u)) & 3u; /* clamp: the caller's, here and below */

    /* clamp: as above */
    if (verdict == SVMC_VERDICT_CONST && inside && (inside[i >> 3] >> (i & 7u) & 1u))
        return SVMC_VERDICT_INTERPRET;
    return (enum svmc_verdict)verdict;
}

/** The entry of an MSR, or SVMC_POLICY_MSRS; *left gets how many entries follow in its page. */
uint32_t svmc_intercept_msr_entry(uint32_t msr, uint32_t *left);
/** The n-th range of MSRs that have an entry: its first MSR, its first entry, how many. */
bool svmc_intercept_msr_page(uint32_t page, uint32_t *first, uint32_t *at, uint32_t *count);

/* page.c */
/** An input that is neither a row's register nor the value. */
enum svmc_status svmc_intercept_gather_special(struct svmc_vcpu *vc, const struct slot *s,
                                               uint64_t *in);
/** Fill the page for the elements [at, at + issued) of an exit, which then waits for the answer. */
enum svmc_status svmc_intercept_request(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                        struct svmc_outcome *out);
/** End an exit that has no results and fill the page with a notice of it. */
enum svmc_status svmc_intercept_notify(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                       struct svmc_outcome *out);
/**
 * PG-1: bytes [at, at + bytes) of what the guest writes into the data area; zeros behind them.
 * Forgets exit.data: what goes again is staged, or stands in the page.
 */
void svmc_intercept_put_data(struct svmc_vcpu *vc, uint32_t at, uint32_t bytes);
/** R3: so many bytes of the data area, once, into the staging area from `at` on. */
void svmc_intercept_get_data(struct svmc_vcpu *vc, uint32_t at, uint32_t bytes);
void svmc_intercept_page_wipe(struct svmc_vcpu *vc, uint32_t data);
void svmc_intercept_page_clear_reply(struct svmc_vcpu *vc);
void svmc_intercept_page_clear(struct svmc_vcpu *vc);

/* reply.c */
/** The number of the rule that a fetched reply broke, or 0; *reply is the copy. */
unsigned svmc_intercept_reply_check(const struct svmc_pending *pending,
                                    const struct exit_rule *rule, uint32_t id,
                                    const struct fetched *fetched, struct svmc_reply *reply);

/** R6, R7, R11, R8, R10 alone: what can be said about a copy that has been put right. */
unsigned svmc_intercept_reply_fits(const struct svmc_pending *pending, const struct exit_rule *rule,
                                   const struct svmc_reply *reply);

/* mend.c */
/**
 * MO-2 MO-3: put the copy of a reply that broke a rule right as far as the mode allows. Returns the
 * rule under which it is refused all the same, or 0; *seen: bit n: rule n was let through.
 */
CORE_COLD unsigned svmc_intercept_reply_mend(enum svmc_mode mode,
                                             const struct svmc_pending *pending,
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
/** What the backend gets: results one behind the other, or the string that is staged. */
void svmc_intercept_commit_backend(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                   const uint64_t out[SLOTS_OUT], struct svmc_outcome *outcome);
/** 1 and 2 bytes of a register: the rest is kept as it is now (R9): APM vol. 1, 3.1.2. */
enum svmc_status svmc_intercept_merge(struct svmc_vcpu *vc, uint64_t *value);

/* vcpu.c */
CORE_COLD enum svmc_status svmc_intercept_stop(struct svmc_vcpu *vc, enum svmc_stop why,
                                               struct svmc_outcome *out);
bool svmc_intercept_has_memory(const struct svmc_vcpu *vc);

/* exit.c, enter.c: the whole way */
/** Check the call, keep the exit and do EX-10; *rule: NULL: the call ends with the status. */
enum svmc_status svmc_intercept_begin(struct svmc_vcpu *vc, const struct svmc_exit *exit,
                                      const struct exit_rule **rule, struct svmc_outcome *out);
/** The part behind EX-10, whose status is `st`; the exit stands in the record. */
enum svmc_status svmc_intercept_resolved(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                         enum svmc_status st, const uint8_t *data,
                                         struct svmc_outcome *out);
enum svmc_status svmc_intercept_take(struct svmc_vcpu *vc, const struct fetched *fetched,
                                     struct svmc_outcome *out);
/** EX-1: every field within its range before anything is judged by it. */
bool svmc_intercept_exit_sound(const struct exit_rule *rule, const struct svmc_exit *exit,
                               const uint8_t *data);
/** Elements to ask for next (EX-7). */
uint32_t svmc_intercept_chunk(const struct svmc_pending *pending);

/* ledger.c */
/** Make `record` say where the counters stand, and whether there is anybody to tell. */
void svmc_intercept_record_settle(struct svmc_vcpu *vc);
CORE_COLD void svmc_intercept_record_begin(struct svmc_vcpu *vc);
/** Tell ledger and ring what a call did; gives `st` back. */
CORE_COLD enum svmc_status svmc_intercept_record(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                                 enum svmc_audit_call call, enum svmc_status st,
                                                 const struct svmc_outcome *out);

/** The end of a call that has its row: AU-4: one flag, where there is nobody to tell. */
static inline enum svmc_status recorded(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                        enum svmc_audit_call call, enum svmc_status st,
                                        const struct svmc_outcome *out)
{
    return vc->priv.recording ? svmc_intercept_record(vc, rule, call, st, out) : st;
}

/* audit.c */
bool svmc_intercept_audit_ready(const struct svmc_audit_ring *ring);
/** AU-9: append an event; of `event` all but sequence, lost_before and tag are the caller's. */
void svmc_intercept_audit_add(struct svmc_audit_ring *ring, const struct svmc_audit_entry *event);

/* fault.c */
struct svmc_fault svmc_intercept_fault(enum svmc_fault_code code, const struct svmc_exit *exit);

/* registers.c */
/** The registers of an instruction set, as enum svmc_reg. */
struct reg_file {
    uint16_t first, last; /* the general ones; 16 bits: s390x addresses even places alone */
    uint16_t zero;        /* reads as zero, forgets what is written; SVMC_REG_NONE: there is none */
    uint16_t pc;          /* SVMC_REG_NONE: the engine knows no register of this instruction set */
};
#define ISAS (SVMC_ISA_PPC64 + 1u)
#pragma GCC visibility push(hidden) /* else position-independent code asks a GOT for the table */
extern const struct reg_file svmc_intercept_reg_files[ISAS];
#pragma GCC visibility pop

/** An instruction set out of bounds, which EX-1 refuses, is taken for the first one. */
static inline const struct reg_file *reg_file(const struct svmc_exit *exit)
{
    return &svmc_intercept_reg_files[core_clamp(exit->isa, ISAS)];
}

/** A general register, the one that is always zero included. */
static inline bool is_register(const struct reg_file *f, uint32_t reg)
{
    return (reg >= f->first && reg <= f->last) || (reg == f->zero && reg != SVMC_REG_NONE);
}

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

/* What each call on a vCPU begins and ends with; in a header because each exit pays it twice. */

#define VCPU_MAGIC   0x56435055u
#define LEDGER_MAGIC 0x4c564353u

static inline bool is_vcpu(const struct svmc_vcpu *vc)
{
    return vc && vc->priv.magic == VCPU_MAGIC;
}

/** STOP, until the work is done. */
static inline void outcome_begin(struct svmc_outcome *out)
{
    core_wipe(out, sizeof *out);
    out->stop = SVMC_STOP_ERROR;
}

/** `pending`: whether the call wants a pending exit. */
static inline enum svmc_status call_begin(const struct svmc_vcpu *vc, struct svmc_outcome *out,
                                          bool pending)
{
    if (!out)
        return SVMC_ERR_ARG;
    outcome_begin(out);
    if (!is_vcpu(vc))
        return SVMC_ERR_ARG;
    if (vc->priv.stopped) { /* EX-9 */
        out->stop = (uint8_t)vc->priv.stopped;
        return SVMC_ERR_STATE;
    }
    /* R1, R15: a reply is taken only where one is awaited */
    return (vc->priv.pending.active != 0) == pending ? SVMC_OK : SVMC_ERR_STATE;
}

#define STATE_ENDED (SVMC_STATE_SHADOW_STI | SVMC_STATE_SHADOW_SS | SVMC_STATE_RF)

/** EV-6: an instruction that the library has ended, or a part of a string, ends shadows and RF. */
static inline uint8_t state_after(const struct svmc_exit *exit, uint32_t action)
{
    bool done = action == SVMC_ACT_RESUME || action == SVMC_ACT_NOTIFIED;

    return (uint8_t)(exit->state & ~(done && (exit->finish & SVMC_FINISH_RIP) ? STATE_ENDED : 0u));
}

/** An error leaves nothing but STOP in *out. */
static inline void call_end(const struct svmc_vcpu *vc, enum svmc_status st,
                            struct svmc_outcome *out)
{
    if (st == SVMC_OK && out->action != SVMC_ACT_STOP) {
        out->stop = SVMC_STOP_NONE;
        out->state = state_after(&vc->priv.pending.exit, out->action);
    } else if (st != SVMC_OK && st != SVMC_ERR_HOST_REPLY) {
        outcome_begin(out);
    }
}

/** The bytes of the chunk that is asked for; of a block those of its part. */
static inline uint32_t chunk_bytes(const struct svmc_pending *p)
{
    return p->issued * p->exit.size;
}

/** R17: nothing of the exit stays in the record. */
static inline void forget(struct svmc_vcpu *vc)
{
    core_wipe(&vc->priv.pending, sizeof vc->priv.pending);
}

#define SEQ_COUNT 0xffffffffffffu /* the bits below the id */

/** PG-7: the vCPU's id, and below it a counter hidden by a secret. */
static inline uint64_t sequence(uint32_t id, uint64_t count, uint64_t secret)
{
    return (uint64_t)id << 48 | ((count ^ secret) & SEQ_COUNT);
}

/** Bytes that slot s of an exit is wide. */
static inline uint32_t slot_bytes(const struct slot *s, const struct svmc_exit *exit)
{
    return s->bytes != 0 ? s->bytes : exit->size;
}

#endif
