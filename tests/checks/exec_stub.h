/* SPDX-License-Identifier: MIT */
/* One instruction, executed by the processor with given registers, and what became of them. */
#ifndef CHECKS_EXEC_STUB_H
#define CHECKS_EXEC_STUB_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All of it below 2 GiB, so that any form of address reaches it. */
#define STUB_BASE    0x20000000u /* of what belongs to the stub alone */
#define STUB_END     0x20010000u
#define STUB_GS_BASE 0x00345000u
#define STUB_DATA_16 0x2001f000u /* 16-bit code: base of DS and ES, with a limit of ffff */
#define ARENA        0x20020000u /* a page that is not there, 3 to read and write, one to ... */
#define ARENA_PAGES  6u          /* ... read alone, one more that is not there */
#define ARENA_PAGE   4096u

/* What XSAVE has of x87, SSE, AVX and AVX-512. */
struct stub_state {
    uint8_t vector[32][64];
    uint64_t mask[8];
    uint8_t x87[8][16]; /* by physical number */
    uint32_t mxcsr;
    uint16_t fcw, fsw, ftw; /* ftw: as FXSAVE has it */
    uint16_t fop;
    uint64_t fip, fdp;
};

struct stub {
    uint64_t general[16], flags; /* before and after */
    struct stub_state *state;    /* NULL: not loaded, not stored */
    bool faulted;
    unsigned vector; /* of the fault, its error code and address */
    uint64_t error, address;
};

/* bits: of the code that is executed: 64, 32, 16. Returns NULL, or what is missing. */
const char *stub_open(unsigned bits);
/* XCR0, as far as struct stub_state has it; 0: nothing of it can be loaded. */
uint64_t stub_xcr0(void);
/* Executes bytes[count]. */
void stub_run(const uint8_t *bytes, size_t count, struct stub *s);
/* Where the instruction stands, and where it may branch to, as the code segment counts. */
uint64_t stub_rip(void);
uint64_t stub_back(void);
/* ES, CS, SS, DS, FS, GS as the instruction has them. */
void stub_selectors(uint16_t out[6]);

#endif
