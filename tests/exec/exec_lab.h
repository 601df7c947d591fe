/* SPDX-License-Identifier: MIT */
/**
 * A guest for the executor, that fails, waits, faults, lies or refuses at its k-th call. Its
 * registers are those of x86 as it is opened here, others with a64_lab.h and rv_lab.h.
 */
#ifndef TESTS_EXEC_LAB_H
#define TESTS_EXEC_LAB_H
#include <svmcore/svmcore.h>

#include "../harness.h"

#define LAB_LINEAR 0x40000000u /* LAB_PAGES pages from here on, the other way round in memory */
#define LAB_PAGES  4u
#define LAB_PAGE   4096u
#define LAB_LOG    256u
#define LAB_XCR0   0xe7u /* all that vectors have */

/* What the k-th call does instead; FAULT and LIE are translate's, others fail then. */
enum exec_lab_mode { LAB_OK, LAB_FAIL, LAB_BUSY, LAB_FAULT, LAB_LIE, LAB_REFUSE };

struct exec_lab_entry {
    uint8_t kind; /* enum svmc_exec_access */
    uint8_t bytes;
    uint64_t at;
};

struct exec_lab {
    struct svmc_exec x;
    union {
        struct svmc_exec_x86 regs;
        struct svmc_exec_a64 a64;
        struct svmc_exec_rv rv;
    };
    struct svmc_insn insn;
    struct svmc_exec_result out;
    struct svmc_cpu cpu;
    uint8_t ram[LAB_PAGES * LAB_PAGE];                                   /* physical, from 0 on */
    bool read_only[LAB_PAGES], absent[LAB_PAGES], supervisor[LAB_PAGES]; /* by linear page */
    bool device;   /* exchange says UNSUPPORTED */
    unsigned late; /* so many exchanges come too late: another one was there before */
    bool every;    /* each call from fail_at on, not it alone */
    bool copies;   /* answers come with bytes of the host's own */
    void *dst;     /* of the last access */
    const void *src;
    struct svmc_fault (*fault_of)(uint64_t linear, uint32_t access, bool there);
    struct svmc_fault fault; /* raised: what translate says instead of that */
    enum exec_lab_mode mode;
    unsigned calls, fail_at; /* callbacks counted from 1 */
    uint8_t struck;          /* enum svmc_exec_access of the last one that did something else */
    unsigned logged;
    struct exec_lab_entry log[LAB_LOG]; /* accesses that were done; translations are none */
    uint32_t last_access;               /* of translate */
    uint64_t port_value, msr_value;
    uint8_t vector[32][64], mask[8][8], x87[8][10]; /* A64, RISC-V: 16 bytes of vectors */
};

extern const struct svmc_exec_ops exec_lab_ops;

/* Zero but for registers that a program in 64-bit mode has. isa: enum svmc_isa, of x86. */
void exec_lab_open(struct exec_lab *lab, unsigned isa);
/* Zero, and no registers yet: for those that open. */
void exec_lab_clear(struct exec_lab *lab, unsigned isa);
/* The bytes of linear memory; little-endian numbers there. */
uint8_t *exec_lab_at(struct exec_lab *lab, uint64_t linear);
uint64_t exec_lab_load(struct exec_lab *lab, uint64_t linear, unsigned bytes);
void exec_lab_store(struct exec_lab *lab, uint64_t linear, unsigned bytes, uint64_t value);
/* How many writes are in the log. */
unsigned exec_lab_writes(const struct exec_lab *lab);
/* Decode and start. */
enum svmc_status exec_lab_run(struct exec_lab *lab, const void *bytes, size_t count);
/* The same of a word or a parcel of A64 or RISC-V. */
enum svmc_status exec_lab_word(struct exec_lab *lab, uint32_t word);
/* Do the access that waits, answer, and go on, until nothing waits. */
enum svmc_status exec_lab_go_on(struct exec_lab *lab);
/* XE-7: what came of it says which callback ended it, and with what; nothing where none did. */
void exec_lab_check_callback(const struct exec_lab *lab, enum svmc_status st, const char *name);

#endif
