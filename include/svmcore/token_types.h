/* SPDX-License-Identifier: MIT */
/** What tokens are made of: see token.h. docs/spec/token.md. */
#ifndef SVMCORE_TOKEN_TYPES_H
#define SVMCORE_TOKEN_TYPES_H
#include <stddef.h>
#include <stdint.h>
#include "crypto.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_TOKEN_TAG_BYTES 16u
#define SVMC_TOKEN_FOREVER   UINT64_MAX /* a tick that never comes */
#define SVMC_TOKEN_CLASSES   0xfffeu    /* bits 1 to 15: the classes that a call can name */
#define SVMC_TOKEN_ARGS      6u
#define SVMC_TOKEN_MEMOS     8u

/** What a trusted caller holds. The tag is the secret, the handle is not. */
struct svmc_token {
    uint32_t handle; /* [31:16] generation, [15:0] index; 0 is never valid */
    uint8_t tag[SVMC_TOKEN_TAG_BYTES];
};

/** What the hypervisor knows of a call, from the hardware and never from the guest's memory; only
 *  `returns` may come from the guest's stack. */
struct svmc_token_caller {
    uint64_t vm;
    uint64_t vm_generation;     /* as in svmc_token_vm_open and _restore */
    uint64_t stage2_generation; /* another one when a mapping, or a guarded page table, may have
                                   changed; 0: nothing is guarded, each call is walked. With
                                   measured code: of svmc_measure_generation */
    uint64_t root;              /* of the address space: CR3, TTBR, satp, ASCE without ids. A guest
                                   that can change how it is walked (LA57, TCR) has another root
                                   then: put the mode into bits that are free */
    uint64_t page;              /* of the calling instruction: virtual, a multiple of 4096 */
    uint64_t frame;   /* guest-physical, by a walk; looked at by svmc_token_check_walk alone */
    uint64_t thread;  /* what tells threads apart, e.g. FS_BASE, TPIDR; 0 if nothing does */
    uint64_t returns; /* the address behind the call, as far as it is known; else 0 */
    uint64_t ticks;   /* now; never goes back */
    uint32_t vcpu;
    uint32_t offset;     /* of the calling instruction in its page */
    uint8_t isa;         /* enum svmc_isa */
    uint8_t user;        /* 1: user privilege */
    uint8_t reserved[6]; /* 0 */
};

enum svmc_token_flag {
    SVMC_TOKEN_ONE_THREAD = 1, /* only the thread that was the caller */
    SVMC_TOKEN_BEAT_KILLS = 2  /* a missed beat revokes it and what came from it */
};

/** What a token lets its holder do, and from where. */
struct svmc_token_grant {
    uint64_t rights; /* the embedder's own; a verdict gives them back */
    uint64_t vcpus;  /* bit n: on vCPU vcpu_first + n; not 0 */
    uint32_t vcpu_first;
    uint32_t classes;      /* of SVMC_TOKEN_CLASSES: calls that name one of them; not 0 */
    uint64_t until;        /* the tick at which it dies; SVMC_TOKEN_FOREVER */
    uint64_t beat_ticks;   /* a beat is due so long after the last; 0: none is */
    uint64_t page, frame;  /* of the calling instruction: multiples of 4096 */
    uint64_t returns;      /* where calls return to */
    uint64_t return_bytes; /* and how many bytes that is; 0: anywhere */
    uint32_t offset;       /* below 4096 */
    uint32_t flags;        /* enum svmc_token_flag */
};

/** Where a call of a token comes from: what svmc_token_rotate can change. */
struct svmc_token_site {
    uint64_t page, frame;
    uint32_t offset;
    uint32_t reserved; /* 0 */
};

enum svmc_token_end {
    SVMC_TOKEN_REFUSED = 0,
    SVMC_TOKEN_ALLOWED = 1,
    SVMC_TOKEN_WALK = 2 /* all is in order but for the frame: walk caller.page under caller.root,
                           then svmc_token_check_walk with the frame */
};

/** Why a call is refused, for the hypervisor alone: all that is not in order. */
enum svmc_token_why {
    SVMC_TOKEN_UNKNOWN = 1u << 0,  /* no such handle was ever given out */
    SVMC_TOKEN_STALE = 1u << 1,    /* revoked, or its entry is another token's now */
    SVMC_TOKEN_RESTORED = 1u << 2, /* from before a snapshot was restored */
    SVMC_TOKEN_EXPIRED = 1u << 3,
    SVMC_TOKEN_OTHER_VM = 1u << 4,
    SVMC_TOKEN_OTHER_VCPU = 1u << 5,
    SVMC_TOKEN_OTHER_ROOT = 1u << 6,
    SVMC_TOKEN_PRIVILEGE = 1u << 7, /* or another instruction set */
    SVMC_TOKEN_SITE = 1u << 8,      /* another instruction: page or offset */
    SVMC_TOKEN_CONTEXT = 1u << 9,   /* another thread, or a return to elsewhere */
    SVMC_TOKEN_REMAPPED = 1u << 10, /* caller.frame is another frame */
    SVMC_TOKEN_LOCKED = 1u << 11,   /* too many wrong tags of it on this vCPU */
    SVMC_TOKEN_TAG = 1u << 12
};

struct svmc_token_verdict {
    uint64_t rights;  /* ALLOWED; else 0 */
    uint32_t classes; /* likewise */
    uint8_t end;      /* enum svmc_token_end */
    uint8_t reserved[3];
};

/** A call whose token registers have a MAC in place of the tag (svmc_token_check_call). */
struct svmc_token_call {
    uint64_t control;
    uint64_t arg[SVMC_TOKEN_ARGS];
    uint64_t counter; /* grows from call to call */
};

enum svmc_token_event_kind {
    SVMC_TOKEN_EVENT_NONE = 0,
    SVMC_TOKEN_EVENT_LOST = 1,     /* `what`: so many events found no room before this one */
    SVMC_TOKEN_EVENT_LOCKED = 2,   /* the handle is locked out on the vCPU until tick `what` */
    SVMC_TOKEN_EVENT_PROBED = 3,   /* again miss_limit refusals; `what`: why, of the last */
    SVMC_TOKEN_EVENT_REMAPPED = 4, /* `what`: the frame that a walk found */
    SVMC_TOKEN_EVENT_BEAT = 5,     /* a beat is missing since tick `what` */
    SVMC_TOKEN_EVENT_EXPIRED = 6,
    SVMC_TOKEN_EVENT_OVERDUE = 7,  /* an expected call did not come: `what` says which */
    SVMC_TOKEN_EVENT_RETIRED = 8,  /* an entry is used up: one less */
    SVMC_TOKEN_EVENT_REPLAYED = 9, /* a call came again: `what` is its counter */
    SVMC_TOKEN_EVENT_OWN = 64      /* and above: svmc_token_report's */
};

struct svmc_token_event {
    uint64_t vm, ticks, what;
    uint32_t kind; /* enum svmc_token_event_kind */
    uint32_t handle;
    uint32_t vcpu;
    uint32_t reserved; /* 0 */
};

/* Memory that a pool is lent: arrays of these. */
struct svmc_token_entry {
    struct {
        /* what a check reads: each word whole, any time */
        uint64_t live, tag[2], vm, vm_generation, root, page, place;
        uint64_t vcpus, until, thread, thread_mask, returns, return_span, rights, grant;
        uint64_t frame, counter;
        /* the rest */
        uint64_t beat_ticks, beat_at;
        uint32_t parent, child, next, previous;
        uint32_t flags, reserved[3];
    } priv;
};

struct svmc_token_vm {
    struct {
        uint64_t id, generation;
        uint32_t state, reserved;
    } priv;
};

struct svmc_token_expected {
    struct {
        uint64_t what, until;
        uint32_t handle, reserved;
    } priv;
};

struct svmc_token_slot {
    struct {
        struct svmc_token_event event;
        uint32_t turn, reserved;
    } priv;
};

/** A vCPU's own: its misses, which tokens are locked out, the mappings that were walked for it. */
struct svmc_token_vcpu {
    struct {
        uint64_t locked_until; /* the last of all below */
        uint32_t misses, near;
        struct {
            uint64_t live, generation, handle;
        } memo[SVMC_TOKEN_MEMOS];
        struct {
            uint64_t until;
            uint32_t handle, rounds;
        } lock[SVMC_TOKEN_MEMOS];
    } priv;
};

/** What a pool gets; outlives it. */
struct svmc_token_config {
    const struct svmc_crypto_ops *crypto; /* random; with svmc_token_check_call mac */
    struct svmc_token_entry *entries;     /* entry 0 stands for handles that are none */
    struct svmc_token_vm *vms;
    struct svmc_token_slot *events;
    struct svmc_token_expected *expected; /* may be NULL with 0 */
    uint32_t entry_count;                 /* 2 to 65536: one more than tokens at a time */
    uint32_t vm_count;                    /* not 0 */
    uint32_t event_count; /* a power of two, 2 to 65536; a quarter is kept for deadlines */
    uint32_t expected_count;
    uint32_t mac_alg;     /* enum svmc_alg; 0: svmc_token_check_call is not used */
    uint32_t miss_limit;  /* so many wrong tags in a row lock a token out on the vCPU; not 0 */
    uint32_t lock_rounds; /* lock-outs until one that svmc_token_vcpu_init alone ends; below 32 */
    uint32_t reserved;    /* 0 */
    uint64_t lock_ticks;  /* of the first; each is twice as long as the last; not 0 */
};

struct svmc_token_pool {
    struct {
        struct svmc_token_config config;
        uint32_t free, head, tail, reserved;
        uint64_t lost;
    } priv;
};

#ifdef __cplusplus
}
#endif
#endif
