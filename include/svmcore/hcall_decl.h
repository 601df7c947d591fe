/* SPDX-License-Identifier: MIT */
/**
 * What a hypervisor declares of its hypercalls, as constants: owners, calls, arguments, and who may
 * call; and what is noted of calls. docs/spec/hcall.md.
 */
#ifndef SVMCORE_HCALL_DECL_H
#define SVMCORE_HCALL_DECL_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_HCALL_OWNERS     64u
#define SVMC_HCALL_REGS       6u /* arguments, and results */
#define SVMC_HCALL_NAME_BYTES 16u

/* HN-5: who may call: in each of the six fields the bits of all that may. */
#define SVMC_HCALL_KERNEL     0x1u
#define SVMC_HCALL_USER       0x2u
#define SVMC_HCALL_LEVEL(n)   ((uint64_t)1 << (4 + (n)))  /* 0 to 3: VTL, VMPL */
#define SVMC_HCALL_ROLE(n)    ((uint64_t)1 << (8 + (n)))  /* 0 to 15: of the VM */
#define SVMC_HCALL_PHASE(n)   ((uint64_t)1 << (24 + (n))) /* 0 to 7: boot, running... */
#define SVMC_HCALL_CLASS(n)   ((uint64_t)1 << (32 + (n))) /* 0 to 15: of the token; 0: none */
#define SVMC_HCALL_NESTED(n)  ((uint64_t)1 << (48 + (n))) /* 0 to 3: guests between it and us */
#define SVMC_HCALL_ANY_LEVEL  ((uint64_t)0xf << 4)
#define SVMC_HCALL_ANY_ROLE   ((uint64_t)0xffff << 8)
#define SVMC_HCALL_ANY_PHASE  ((uint64_t)0xff << 24)
#define SVMC_HCALL_ANY_CLASS  ((uint64_t)0xffff << 32)
#define SVMC_HCALL_ANY_NESTED ((uint64_t)0xf << 48)
#define SVMC_HCALL_ANYWHERE   (SVMC_HCALL_ANY_LEVEL | SVMC_HCALL_ANY_ROLE | SVMC_HCALL_ANY_PHASE)
#define SVMC_HCALL_MAY_KERNEL \
    (SVMC_HCALL_KERNEL | SVMC_HCALL_ANYWHERE | SVMC_HCALL_CLASS(0) | SVMC_HCALL_NESTED(0))
#define SVMC_HCALL_MAY_ALL (SVMC_HCALL_USER | SVMC_HCALL_MAY_KERNEL)

/** What an argument is. */
enum svmc_hcall_kind {
    SVMC_HCALL_NONE = 0, /* not looked at: anything */
    SVMC_HCALL_U8 = 1,
    SVMC_HCALL_U16 = 2,
    SVMC_HCALL_U32 = 3,
    SVMC_HCALL_U64 = 4,
    SVMC_HCALL_FLAGS = 5, /* max: the bits that may be set */
    SVMC_HCALL_ENUM = 6,  /* min to max, of which 0 is 0 */
    SVMC_HCALL_GPA = 7,   /* an address; with `access` the buffer there */
    SVMC_HCALL_GVA = 8,
    SVMC_HCALL_LENGTH = 9, /* bytes of the buffer at argument `of` */
    SVMC_HCALL_HANDLE = 10 /* of `type`, which ops.handle knows */
};

/** An argument; all 64 bits of the register count. */
struct svmc_hcall_arg {
    uint8_t kind;      /* enum svmc_hcall_kind */
    uint8_t access;    /* GPA, GVA: READ: copied before the call; WRITE: copied back after it; GPA:
                          not of a call that USER may make; WRITE alone: not with MAY_PARTIAL */
    uint8_t of;        /* LENGTH: 1 to 6 */
    uint8_t type;      /* HANDLE */
    uint32_t align;    /* a power of two; 0: any */
    uint64_t min, max; /* of the value; max 0: the largest of the kind, but of FLAGS and ENUM */
    uint32_t bytes;    /* a buffer without LENGTH: how long it is */
    uint32_t reserved; /* 0 */
};

/** The arguments of a call; calls can share one. */
struct svmc_hcall_schema {
    struct svmc_hcall_arg arg[SVMC_HCALL_REGS];
    uint32_t results;  /* 0 to 6 registers get one */
    uint32_t reserved; /* 0 */
};

/** Memory of the guest's, copied: the handler never sees the guest's own. */
struct svmc_hcall_buffer {
    void *at;       /* of a HANDLE: what ops.handle gave */
    uint32_t bytes; /* as declared; of one copied back the handler may make it less */
    uint32_t reserved;
};

/** A token that is good: what `token` of struct svmc_hcall_ops gives, and the handler gets. */
struct svmc_hcall_accepted {
    uint64_t rights;      /* the embedder's own */
    uint32_t handle;      /* whose it is */
    uint32_t token_class; /* 1 to 15 */
};

/** What a handler gets, and gives. */
struct svmc_hcall_run {
    uint64_t arg[SVMC_HCALL_REGS]; /* checked; out: the results, with OK alone */
    uint64_t control;
    uint64_t progress; /* 0, or what PARTIAL left here; PARTIAL: the handler's own, kept for it */
    struct svmc_hcall_buffer *buffer; /* buffer[n] of arg[n]; NULL: the schema has none */
    uint64_t ip;                      /* of the instruction, as struct svmc_hcall_call has it */
    uint32_t vm, vcpu;                /* ids */
    uint64_t rights;                  /* of the token that was accepted, else 0 */
    uint32_t token;                   /* its handle */
    uint32_t reserved;
    uint8_t user;        /* 1: at user privilege */
    uint8_t token_class; /* 0: no token */
    uint8_t bad;         /* out, BAD_ARG: 1 to 6 */
    uint8_t hint;        /* out, RETRY: logarithm of the ticks to wait */
    uint16_t done;       /* out: repetitions, up to 4095 */
    uint16_t resumed;    /* 1: goes on after PARTIAL */
};

/** Flags of a call. */
enum svmc_hcall_call_flag {
    SVMC_HCALL_MAY_PARTIAL = 1, /* the handler may answer PARTIAL */
    SVMC_HCALL_MAY_REPEAT = 2   /* it knows repetitions: bits 55:32 of the control word */
};

/** A call: can lie in ROM. */
struct svmc_hcall_entry {
    /* gives a code of guest/hypercall.h; what is neither OK nor PARTIAL has done nothing */
    uint32_t (*handler)(void *ctx, struct svmc_hcall_run *run);
    uint64_t may;                     /* HN-5 */
    uint16_t number;                  /* SVMC_HCALL_FIRST and up */
    uint16_t schema;                  /* of the owner's */
    uint16_t since;                   /* the owner's version that has it first */
    uint16_t dropped;                 /* the first that has it no more; 0: none */
    uint8_t flags;                    /* enum svmc_hcall_call_flag */
    uint8_t cost;                     /* a class of your own, shown to the guest */
    uint8_t reserved[6];              /* 0 */
    char name[SVMC_HCALL_NAME_BYTES]; /* shown to the guest; NUL-padded */
};

/** A group of calls with versions of its own; can lie in ROM. */
struct svmc_hcall_owner {
    const struct svmc_hcall_entry *calls;
    const struct svmc_hcall_schema *schemas;
    uint32_t call_count;
    uint32_t schema_count;
    uint64_t may;         /* who may ask numbers 0 to 7 */
    uint16_t first, last; /* versions served */
    uint8_t owner;        /* 0 to 63 */
    uint8_t reserved[3];  /* 0 */
    uint8_t uid[16];      /* names the interface for good */
};

/** What svmc_hcall_init refused. */
enum svmc_hcall_fault {
    SVMC_HCALL_FINE = 0,
    SVMC_HCALL_OWNER_TWICE = 1,
    SVMC_HCALL_OWNER_BAD = 2, /* beyond 63, versions, `may`, reserved */
    SVMC_HCALL_NUMBER_TWICE = 3,
    SVMC_HCALL_CALL_BAD = 4,   /* number below 8, schema, versions, `may`, handler, reserved; `arg`
                                  1 to 6: a buffer of it that such a call cannot have (HN-4) */
    SVMC_HCALL_SCHEMA_BAD = 5, /* `index` of the schema, `arg` 1 to 6 or 0 */
    SVMC_HCALL_NO_ROOM = 6
};

struct svmc_hcall_where {
    uint8_t what; /* enum svmc_hcall_fault */
    uint8_t arg;
    uint16_t owner; /* its place in the array */
    uint32_t index; /* of the call or schema in it */
};

/** HN-24: a call as it ended. */
struct svmc_hcall_record {
    uint64_t at; /* ticks when it began */
    uint64_t ip, control, status;
    uint64_t ticks; /* it took */
    uint32_t vcpu;
    uint8_t user;
    uint8_t end; /* enum svmc_hcall_end */
    uint8_t reserved[2];
};

struct svmc_hcall_count {
    uint64_t calls, refused; /* refused: not OK */
    uint32_t log2_ticks[32]; /* [n]: took 2^n ticks and more, [0] also none, [31] all longer ones */
};

/** What is noted of a vCPU's calls; read it on the vCPU's thread, or while that does not call. */
struct svmc_hcall_watch {
    struct svmc_hcall_count *counts; /* NULL: none; [svmc_hcall_index()] */
    struct svmc_hcall_record *ring;  /* NULL: none */
    uint32_t ring_count;
    uint32_t reserved; /* 0 */
    uint64_t written;  /* records ever; the last is ring[(written - 1) % ring_count] */
};

#ifdef __cplusplus
}
#endif
#endif
