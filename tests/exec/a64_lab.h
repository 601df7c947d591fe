/* SPDX-License-Identifier: MIT */
/** An AArch64 guest for the executor, that fails, waits, refuses or faults at its k-th call. */
#ifndef TESTS_A64_LAB_H
#define TESTS_A64_LAB_H
#include <svmcore/svmcore.h>

#include "../harness.h"

#define A64_LINEAR 0x40000000u /* A64_PAGES pages from here on, the other way round in memory */
#define A64_PAGES  4u
#define A64_PAGE   4096u
#define A64_LOG    256u
#define A64_DATA   (A64_LINEAR + 0x100) /* X2 at the start */

/* What the k-th call does instead. */
enum a64_lab_mode { A64_OK, A64_FAIL, A64_BUSY, A64_FAULT, A64_LIE, A64_REFUSE };

struct a64_lab_entry {
    uint8_t kind; /* enum svmc_exec_access */
    uint8_t bytes;
    uint64_t at;
};

struct a64_lab {
    struct svmc_exec x;
    struct svmc_exec_a64 regs;
    struct svmc_insn insn;
    struct svmc_exec_result out;
    uint8_t ram[A64_PAGES * A64_PAGE]; /* physical, from 0 on */
    uint8_t vectors[32][16];
    bool read_only[A64_PAGES], absent[A64_PAGES], supervisor[A64_PAGES]; /* by linear page */
    bool device; /* exchange says UNSUPPORTED */
    bool late;   /* and somebody was there before */
    bool every;  /* each call from fail_at on, not it alone */
    bool copies; /* answers come with bytes of the host's own */
    void *dst;   /* of the last access */
    const void *src;
    struct svmc_fault fault; /* what translate says, raised: instead of its own */
    enum a64_lab_mode mode;
    unsigned calls, fail_at; /* callbacks counted from 1 */
    uint8_t struck;          /* enum svmc_exec_access of the last one that did something else */
    unsigned logged;
    struct a64_lab_entry log[A64_LOG]; /* accesses that were done; translations are none */
    uint32_t last_access;
};

extern const struct svmc_exec_ops a64_lab_ops;

/* EL1, little-endian, nothing checked, SIMD enabled; X2 and SP point into memory, all else is 0. */
void a64_lab_open(struct a64_lab *lab);
/* Numbers in linear memory, little-endian. */
uint8_t *a64_lab_at(struct a64_lab *lab, uint64_t linear);
uint64_t a64_lab_load(struct a64_lab *lab, uint64_t linear, unsigned bytes);
void a64_lab_store(struct a64_lab *lab, uint64_t linear, unsigned bytes, uint64_t value);
/* 64 bytes at linear: 0x10, 0x11, 0x12, ... */
void a64_lab_count_up(struct a64_lab *lab, uint64_t linear);
/* Decode and start. */
enum svmc_status a64_lab_run(struct a64_lab *lab, uint32_t word);
/* Do the access that waits, answer, and go on, until nothing waits. */
enum svmc_status a64_lab_go_on(struct a64_lab *lab);

#endif
