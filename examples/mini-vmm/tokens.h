/* SPDX-License-Identifier: MIT */
/**
 * Tokens in the demo (--tokens): a guest program whose code is measured enrols, gets a token and a
 * gate, and changes a protected page through it. Nobody else can, and the keeper says what was
 * tried. tokens.c is the embedding; lines with watch_ are the demo's.
 */
#ifndef TOKENS_H
#define TOKENS_H
#include <stdbool.h>
#include <stdint.h>
#include <svmcore/exit.h>
#include <svmcore/judge.h>
#include <svmcore/measure.h>
#include <svmcore/token.h>
#include <svmcore/token_page.h>

#define TOKENS_ENTRIES 8u
#define TOKENS_EVENTS  16u
#define TOKENS_GUARDS  8u
#define TOKENS_PAGES   3u /* the program's, the gate, the one it keeps */
#define TOKENS_LINE    72u

struct vcpu;

/** Who made the call, or caused the exit, in work: from KVM's registers and the guest's tables. */
struct tokens_who {
    uint64_t at; /* of the instruction */
    uint64_t root, thread, returns;
};

/** What somebody says he tries now, and what came of it. */
struct tokens_attempt {
    char what[TOKENS_LINE];
    char why[TOKENS_LINE];
    uint32_t refused, accepted;
    bool open;
};

/** All of it of a VM. */
struct tokens {
    struct svmc_token_pool pool;
    struct svmc_token_entry entries[TOKENS_ENTRIES];
    struct svmc_token_vm vms[1];
    struct svmc_token_slot events[TOKENS_EVENTS];
    struct svmc_token_expected expected[2];
    struct svmc_token_vcpu vcpus[1]; /* --tokens is of one vCPU */
    struct svmc_judge judge;
    struct svmc_measure measure;
    struct svmc_measure_page pages[TOKENS_PAGES];
    struct svmc_measure_range ranges[TOKENS_PAGES];
    struct svmc_measure_room room;
    struct svmc_measure_path path; /* to the gate */
    enum svmc_measure_why walked;  /* what the last walk found */
    struct svmc_token_gate gate;
    struct svmc_token token;
    struct svmc_token_guard plan[TOKENS_GUARDS];
    uint32_t guards, kept, gate_range; /* the last two: measured ranges */
    uint8_t gate_page[SVMC_TOKEN_PAGE_BYTES];
    uint8_t digest[SVMC_HASH_BYTES]; /* of the program, before the guest runs */
    uint64_t ticks;                  /* calls up to now: a trace has no other clock */
    struct tokens_who who;
    struct tokens_attempt attempt;
    uint32_t attempts, breaches, changes, waited;
    bool on, last_good; /* last_good: the last change came after all attempts */
};

extern const struct svmc_hcall_owner tokens_owner;
const char *tokens_name(uint32_t number);

/** Before the guest runs: the digest of the program in its image. false: `why` says so. */
bool tokens_expect(struct tokens *t, const uint8_t *image, size_t bytes, char *why, size_t cap);

/** Make the VM's part, with its first vCPU. */
enum svmc_status tokens_open(struct tokens *t, struct vcpu *v);

/** The `token` function of the dispatcher. */
enum svmc_status tokens_judge(struct tokens *t, uint32_t vcpu, const struct svmc_hcall_call *call,
                              struct svmc_hcall_accepted *out);

/** A native call begins: who makes it? false: KVM or the tape. */
bool tokens_enter(struct tokens *t, struct vcpu *v);

/** An exit that stage 2 made of an access to a protected page. false: it is none. */
bool tokens_trapped(struct vcpu *v, const struct svmc_exit *exit);

/** The guest has passed: what there is to say. false: something was not refused. */
bool tokens_end(struct vcpu *v);

#endif
