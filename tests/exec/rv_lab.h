/* SPDX-License-Identifier: MIT */
/** A RISC-V guest for the executor, that fails, waits, faults or lies at its k-th call. */
#ifndef TESTS_RV_LAB_H
#define TESTS_RV_LAB_H
#include <svmcore/svmcore.h>

#include "../harness.h"

#define RV_LINEAR 0x40000000u /* RV_PAGES pages from here on, the other way round in memory */
#define RV_PAGES  4u
#define RV_PAGE   4096u

/* What the k-th call does instead. */
enum rv_lab_mode { RV_OK, RV_FAIL, RV_BUSY, RV_FAULT, RV_LIE };

struct rv_lab {
    struct svmc_exec x;
    struct svmc_exec_rv regs;
    struct svmc_insn insn;
    struct svmc_exec_result out;
    struct svmc_cpu cpu;
    uint8_t ram[RV_PAGES * RV_PAGE]; /* physical, from 0 on */
    uint8_t fp[32][16];
    bool absent[RV_PAGES], supervisor[RV_PAGES]; /* by linear page */
    bool device;                                 /* exchange says UNSUPPORTED */
    bool every;                                  /* each call from fail_at on, not it alone */
    unsigned late; /* so many exchanges come too late: another one was there before */
    void *dst;     /* of the last access */
    const void *src;
    enum rv_lab_mode mode;
    unsigned calls, fail_at; /* callbacks counted from 1 */
    uint8_t struck;          /* enum svmc_exec_access of the last one that did something else */
    unsigned accesses, writes;
    uint32_t last_access; /* of translate */
};

extern const struct svmc_exec_ops rv_lab_ops;

/* Registers that a supervisor has; isa: enum svmc_isa. */
void rv_lab_open(struct rv_lab *lab, unsigned isa);
/* The bytes of linear memory; little-endian numbers there. */
uint8_t *rv_lab_at(struct rv_lab *lab, uint64_t linear);
uint64_t rv_lab_load(struct rv_lab *lab, uint64_t linear, unsigned bytes);
void rv_lab_store(struct rv_lab *lab, uint64_t linear, unsigned bytes, uint64_t value);
/* Decode a word or a parcel and start it. */
enum svmc_status rv_lab_run(struct rv_lab *lab, uint32_t word);
/* Do the access that waits, answer, and go on, until nothing waits. */
enum svmc_status rv_lab_go_on(struct rv_lab *lab);

#endif
