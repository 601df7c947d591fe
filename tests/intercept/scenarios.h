/* SPDX-License-Identifier: MIT */
/** One list of exits that every intercept test walks: each row of the table, both finishers. */
#ifndef TESTS_SCENARIOS_H
#define TESTS_SCENARIOS_H
#include "../fakehost/fakehost.h"
#include "../fakehost/world.h"
#include "../harness.h"

#define LAB_PORT     0x60u
#define LAB_MSR      0x400000f0u
#define LAB_SYSREG   0xc664u /* S3_0_C12_C12_4: ICC_CTLR_EL1, by bits 20:5 of its MRS */
#define LAB_CNTVCT   0xdf02u /* S3_3_C14_C0_2 */
#define LAB_GPA      0xfe000010u
#define LAB_HVC      0xc4000003u                /* CPU_ON, 64 bits: three arguments, one result */
#define LAB_SMC      0x84000003u                /* CPU_ON, 32 bits: two of them */
#define LAB_PAPR     0x54u                      /* H_GET_TERM_CHAR: one argument, four results */
#define LAB_SBI      ((uint64_t)0x48534d << 32) /* hart_start: six arguments, two results */
#define LAB_HCALL    3u
#define LAB_REFUSALS 1000u
#define LAB_RETRIES  4u

struct scenario {
    char name[32];
    struct svmc_exit exit;
};

extern const struct scenario scenarios[];
extern const unsigned scenario_count;

/** The number of the scenario with this name; a failed check if there is none. */
unsigned scenario_named(const char *name);

/** Whether an honest reply writes memory of the guest. */
bool scenario_stores(unsigned n);

/** A vCPU with everything in scenarios[] delegated, over a fresh random world. */
struct lab {
    struct world world;
    struct svmc_policy policy;
    struct svmc_vcpu vc;
    struct svmc_outcome out;
    uint8_t backend_data[SVMC_EXIT_DATA_MAX]; /* what a backend's OUTS carries */
    bool full_wipe;                           /* the policy's, for the next lab_init */
};

/** What the scenarios ask for; args, results: of the hypercall. */
void lab_delegate(struct svmc_policy *policy, uint8_t args, uint8_t results);
void lab_init(struct lab *lab, uint64_t *rng);
void lab_drop(struct lab *lab);
/** Take scenario n; the world's registers are set so that an own string has 5 elements to go. */
enum svmc_status lab_exit(struct lab *lab, unsigned n);
/** The same, but of a block in parts the first of them. */
enum svmc_status lab_begin(struct lab *lab, unsigned n);
/** Behind lab_begin: answer all parts but the last, if it is one. */
enum svmc_status lab_parts(struct lab *lab);
/** A request of the embedder, or an event, of this kind (EX-80): false: it is none. */
bool request_of(uint16_t kind, struct svmc_exit *exit);
/** Only what the guest and the record are: for before-and-after comparisons. */
bool lab_same(const struct lab *a, const struct lab *b);

#endif
