/* SPDX-License-Identifier: MIT */
/** A pool, a VM with one holder, and a source of numbers that can fail. */
#ifndef TOKEN_LAB_H
#define TOKEN_LAB_H
#include <svmcore/insn.h>
#include <svmcore/token.h>

#include "../fakehost/crypto.h"

#define LAB_ENTRIES  24u
#define LAB_VMS      4u
#define LAB_EVENTS   8u
#define LAB_EXPECTED 3u
#define LAB_VM       0x1111u
#define LAB_ROOT     0x7000u
#define LAB_PAGE     0xffff800000123000u
#define LAB_FRAME    0x456000u
#define LAB_LIMIT    4u
#define LAB_LOCK     1000u

struct token_lab {
    struct svmc_token_pool pool;
    struct svmc_token_entry entries[LAB_ENTRIES];
    struct svmc_token_vm vms[LAB_VMS];
    struct svmc_token_slot events[LAB_EVENTS];
    struct svmc_token_expected expected[LAB_EXPECTED];
    struct svmc_token_vcpu vcpu[2];
    struct svmc_token_config config;
    struct svmc_token_caller caller; /* where the holder calls from */
    struct svmc_token_grant grant;
    struct svmc_token token;
    struct svmc_token_verdict verdict;
    uint32_t why;            /* of the last check, as it was before it */
    struct fake_crypto fake; /* mac */
    uint64_t rng;
    int random_is; /* 0: good; 1: fails; 2: zeros; 3: the last ones again */
    uint8_t last[SVMC_TOKEN_TAG_BYTES];
};

/* A pool with LAB_VM open, and what is needed to enrol. */
void token_lab_open(struct token_lab *lab);
/* The same, and lab->token is enrolled and its frame walked to on vCPU 0. */
void token_lab_start(struct token_lab *lab);
/* A check of any token on lab->vcpu[0]: enum svmc_token_end; the rest is in lab->verdict. */
unsigned token_lab_check(struct token_lab *lab, const struct svmc_token_caller *caller,
                         const struct svmc_token *token);
unsigned token_lab_walk(struct token_lab *lab, const struct svmc_token_caller *caller,
                        const struct svmc_token *token);
/* The next event's kind, 0: none. */
struct svmc_token_event token_lab_event(struct token_lab *lab);

#endif
