/* SPDX-License-Identifier: MIT */
/** Words that an AArch64 processor executes (QEMU is one), with all registers of the caller's. */
#ifndef TESTS_A64_STUB_H
#define TESTS_A64_STUB_H
#include <stdbool.h>
#include <stdint.h>

#define STUB_BASE   0x50000000u /* nothing else is mapped up to STUB_END */
#define STUB_END    0x50100000u
#define STUB_SLOTS  64u
#define ARENA       0x50010000u
#define ARENA_PAGE  4096u
#define ARENA_PAGES 6u /* absent, three to write, one to read, absent */
#define ARENA_THERE (ARENA + ARENA_PAGE)

/* What a processor elsewhere shares, beside memory: numbers are big-endian. */
#define STUB_SHARED 0x50008000u
struct stub_shared {
    uint32_t slot, words[2], reserved;
    uint64_t general[32], dczid;
    uint8_t vector[32][16];
};

/* Registers, in and out; what stopped it. The assembly knows where they lie. */
struct stub_machine {
    uint64_t general[32]; /* X0 to X30, SP */
    uint64_t entry;
    uint64_t reserved;
    uint8_t vector[32][16];
    int signal; /* 0: it was executed */
    int code;
    uint64_t address, pc;
};

/** NULL, or what is missing. */
const char *stub_open(void);
/** Slot n gets two words, executed one after the other. */
void stub_put(unsigned slot, uint32_t first, uint32_t second);
/** After puts, before runs. */
void stub_flush(void);
/** Where the first of the two lies. */
uint64_t stub_pc(unsigned slot);
void stub_run(unsigned slot, struct stub_machine *m);
/** Whether its data are big-endian; then nothing may fault. */
bool stub_is_big(void);
/** DCZID_EL0. */
uint64_t stub_dczid(void);

#endif
