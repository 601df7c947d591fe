/* SPDX-License-Identifier: MIT */
/** The machine that the program believes to be in: the library's front end and what stands behind. */
#ifndef BACKDOOR_RUN_MACHINE_H
#define BACKDOOR_RUN_MACHINE_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <svmcore/host.h>
#include <svmcore/iox.h>

/** By which instruction a program calls. */
enum way { WAY_IN, WAY_VMCALL, WAY_VMMCALL };
#define WAYS 3

struct call {
    uint64_t arg[SVMC_IOX_ARGS]; /* in and out */
    pid_t tid;
    enum way way;
    uint8_t isa; /* enum svmc_isa */
    bool high;   /* IN: the port says so; the others have flags for it */
    bool write;
};

enum outcome {
    OUTCOME_NOT_OURS, /* the program gets the signal that it would have got */
    OUTCOME_DONE,     /* arg is what it gets; it goes on behind the instruction */
    OUTCOME_AGAIN,    /* arg is what it gets; it executes the instruction again */
    OUTCOME_FAULT     /* it gets the exception */
};

struct machine;

enum outcome machine_call(struct machine *m, struct call *call, struct svmc_fault *fault);

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

/** EAX and ECX select; the answer stands in all four. */
void machine_cpuid(const struct machine *m, struct cpuid *regs);

#endif
