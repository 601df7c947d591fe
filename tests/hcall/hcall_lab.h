/* SPDX-License-Identifier: MIT */
/** A hypervisor with a few hypercalls, and memory of a guest; callbacks count, fail and lie. */
#ifndef HCALL_LAB_H
#define HCALL_LAB_H
#include <svmcore/hcall.h>

#include "../fakehost/crypto.h"
#include "../harness.h"

#define LAB_MEMORY  32768u
#define LAB_OWNER   5u
#define LAB_SCRATCH 16384u
#define LAB_SLOTS   3u

/* Numbers of the lab's owner. */
enum {
    LAB_SUM = 8,    /* u32, enum 0 to 5, flags 0x15, gpa aligned to 4096, 10 to 20, u8 -> two */
    LAB_COPY = 9,   /* gva in, its length, gva out, its length: as many bytes as fit, reversed */
    LAB_FIXED = 10, /* gpa of 24 bytes, in and out: each one more */
    LAB_STEPS = 11, /* u32 steps, one a call: PARTIAL; -> their sum; repetitions */
    LAB_KERNEL = 12,
    LAB_TOKEN = 13, /* class 2 or 3 alone */
    LAB_GONE = 14,
    LAB_HANDLE = 15, /* of type 7 -> the object */
    LAB_CODE = 16,   /* answers what argument 1 says */
    LAB_NEW = 17,    /* not yet dropped */
    LAB_COUNT = 18
};

struct hcall_lab {
    uint8_t memory[LAB_MEMORY];
    uint32_t away;       /* bit n: page n faults */
    uint32_t holes;      /* bit n: page n is no memory */
    uint32_t kernels;    /* bit n: page n is for the kernel alone */
    uint32_t asked_vcpu; /* by the last question about memory */
    uint32_t same_class; /* of any token; 0: what it says itself */
    uint64_t asked_ip;
    uint32_t held;                 /* bit n: an object of type n is held */
    unsigned released;             /* objects */
    struct svmc_hcall_call judged; /* by the token callback, last */
    unsigned calls, fail_at;       /* of callbacks that can fail; 1-based, 0: none */
    unsigned lie;
    unsigned handled;                     /* handlers reached */
    unsigned spans[LAB_MEMORY / 4096][4]; /* how often a page was asked for, by access */
    unsigned abandoned, gated;
    uint64_t progress; /* last abandoned */
    uint64_t now;
    uint64_t ticks_each;
    struct svmc_hcall_run seen; /* the last handler's */
    uint8_t first;              /* byte the last handler found in its buffer */
    uint32_t more_bytes;        /* a handler that claims too much */
    struct fake_crypto crypto;
    struct svmc_hcall_table table;
    struct svmc_hcall_vm vm;
    struct svmc_hcall_vcpu vcpu;
    struct svmc_hcall_slot slots[LAB_SLOTS];
    struct svmc_hcall_room room;
    uint64_t table_room[4096];
    uint64_t scratch[LAB_SCRATCH / 8 + 1];
};

extern const struct svmc_hcall_schema hcall_lab_schemas[];
extern const struct svmc_hcall_entry hcall_lab_calls[];
extern const struct svmc_hcall_owner hcall_lab_owner;
extern const struct svmc_hcall_ops hcall_lab_ops;
extern const struct svmc_hcall_place hcall_lab_place;

/** A kernel on x86-64 in role 1, phase 2. */
void hcall_lab_init(struct hcall_lab *lab);
/** A second vCPU of the same VM, or of another one. */
void hcall_lab_vcpu(struct hcall_lab *lab, struct svmc_hcall_vcpu *v, uint32_t id,
                    struct svmc_hcall_slot *slots);
/** The control word of a number of the lab's owner. */
uint64_t hcall_word(uint32_t number);

#endif
