/* SPDX-License-Identifier: MIT */
/**
 * The dispatcher of the native hypercall ABI: calls that are declared, checked and then made.
 * docs/spec/hcall.md; words, codes and flags: guest/hypercall.h.
 */
#ifndef SVMCORE_HCALL_H
#define SVMCORE_HCALL_H
#include <stddef.h>
#include <stdint.h>
#include "crypto.h"
#include "guest/hypercall.h"
#include "hcall_decl.h"
#include "host.h"
#include "insn.h"
#include "status.h"
#include "types.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_HCALL_TOKEN_REGS  3u  /* handle, tag low, tag high */
#define SVMC_HCALL_BATCH_BYTES 64u /* of an entry: control, arguments, status; little-endian */

/** All calls of a hypervisor. */
struct svmc_hcall_table {
    struct {
        const struct svmc_hcall_owner *owners;
        void *entries;
        struct {
            uint32_t first, count;
            uint32_t owner, reserved;
        } row[SVMC_HCALL_OWNERS];
        uint32_t needs, reserved;
    } priv;
};

struct svmc_hcall_call;

/** Whose memory a callback is asked for. */
struct svmc_hcall_caller {
    const struct svmc_hcall_call *call; /* of an entry of a batch the batch's */
    uint32_t vcpu;
    uint32_t reserved; /* 0 */
};

/** What a VM's hypervisor lends; as in struct svmc_host_ops, outlives the vCPUs. */
struct svmc_hcall_ops {
    uint32_t size; /* sizeof(struct svmc_hcall_ops) as the host compiled it */

    /* required with GVA buffers or batches: as in struct svmc_host_ops, with the rights of the
       caller: call->user, where the vCPU stands, its page tables */
    SVMC_NODISCARD enum svmc_status (*translate)(void *ctx, const struct svmc_hcall_caller *caller,
                                                 svmc_gva at, uint32_t access, svmc_gpa *out,
                                                 struct svmc_fault *fault);
    /* required with buffers or batches: the address is the guest's and any number. SVMC_OK with
       *span NULL: no memory that the caller may touch so, e.g. a higher level's; the span lives
       until the library's call ends */
    SVMC_NODISCARD enum svmc_status (*guest_span)(void *ctx, const struct svmc_hcall_caller *caller,
                                                  svmc_gpa at, size_t n, uint32_t access,
                                                  void **span);
    /* optional (NULL: no tokens): judge call->token; call->arg is what the handler gets, with
       RESUME what the call began with. *out is zero. SVMC_ERR_STALE: was one; SVMC_ERR_AUTH: is
       none; else: failed */
    SVMC_NODISCARD enum svmc_status (*token)(void *ctx, uint32_t vcpu,
                                             const struct svmc_hcall_call *call,
                                             struct svmc_hcall_accepted *out);
    /* required with HANDLE: SVMC_ERR_STALE: the caller has none such; else: failed */
    SVMC_NODISCARD enum svmc_status (*handle)(void *ctx, uint32_t vcpu,
                                              const struct svmc_hcall_call *call, uint32_t type,
                                              uint64_t value, void **object);
    /* optional (NULL: all times 0), required with batch_ticks: never goes back */
    uint64_t (*ticks)(void *ctx);
    /* optional: a PARTIAL call will not be resumed: its slot is taken or the vCPU was reset */
    void (*abandon)(void *ctx, uint32_t vcpu, uint64_t control, uint64_t progress);
    /* optional: once for each object that `handle` gave, when its call is over, made or not */
    void (*release)(void *ctx, uint32_t vcpu, uint32_t type, void *object);
};

/** A VM. Outlives its vCPUs and is not changed while one of them is ready. */
struct svmc_hcall_vm {
    const struct svmc_hcall_table *table;
    const struct svmc_hcall_ops *ops;
    const struct svmc_crypto_ops *crypto; /* with MAY_PARTIAL: mac */
    void *ctx;                            /* of ops and handlers */
    uint32_t id;
    uint32_t mac_alg;                /* enum svmc_alg */
    uint8_t key[SVMC_MAC_KEY_BYTES]; /* of cursors: random, new for each boot and restore */
    uint32_t batch_entries;          /* at most in one call; 0: no batches */
    uint32_t reserved;               /* 0 */
    uint64_t batch_ticks;            /* and no entry is begun after (ops.ticks); 0: no limit */
    uint8_t inject;       /* 1: who may not call gets the exception of an unknown instruction */
    uint8_t reserved2[7]; /* 0 */
};

/** Where a vCPU stands: see SVMC_HCALL_LEVEL and the others. */
struct svmc_hcall_place {
    uint8_t isa; /* enum svmc_isa */
    uint8_t level, role, phase, nested;
    uint8_t reserved[3]; /* 0 */
};

/** A call that did not end, kept until it is resumed. */
struct svmc_hcall_slot {
    struct {
        uint64_t cursor, control, progress, arg[SVMC_HCALL_REGS];
        uint64_t who, serial, token;
        uint32_t active, token_class;
        uint32_t misses, reserved;
    } priv;
};

/** Memory lent to a vCPU, for its own. */
struct svmc_hcall_room {
    void *scratch; /* aligned to 8: the buffers of one call, each rounded up to 8 bytes, and 8 bytes
                      for each page of one that is copied back; what does not fit is BAD_ARG */
    uint32_t scratch_bytes;
    uint32_t slot_count; /* 0 to 256: PARTIAL calls at a time */
    struct svmc_hcall_slot *slots;
    struct svmc_hcall_watch *watch; /* NULL: nothing is noted, and nothing spent on it */
    uint64_t epoch; /* of cursors: another one when this vCPU is made ready under the same key */
};

struct svmc_hcall_vcpu {
    struct {
        const struct svmc_hcall_vm *vm;
        struct svmc_hcall_room room;
        uint64_t who, serial;
        struct svmc_hcall_run run; /* of the call that is on its way, here and below */
        struct svmc_hcall_buffer buffer[SVMC_HCALL_REGS];
        struct {
            void **span; /* where it goes back to, page by page */
            uint32_t bytes, first;
        } back[SVMC_HCALL_REGS];
        uint32_t ids[2]; /* as in struct svmc_hcall_run */
        uint8_t isa, reserved[7];
    } priv;
};

/** A call as it trapped. svmc_hcall_reg says which registers. */
struct svmc_hcall_call {
    uint64_t control;
    uint64_t arg[SVMC_HCALL_REGS]; /* out: the first result.results are the guest's results */
    uint64_t token[SVMC_HCALL_TOKEN_REGS]; /* looked at with SVMC_HCALL_TOKEN */
    uint64_t ip;          /* of the instruction (AN-6); `caller` of judge.h takes it */
    uint8_t user;         /* 1: the caller runs at user privilege */
    uint8_t reserved;     /* 0 */
    uint16_t classes;     /* for ops.token: bit n: a token of class n will do */
    uint8_t reserved2[4]; /* 0 */
};

enum svmc_hcall_end {
    SVMC_HCALL_BROKEN = 0, /* beside a status that is not SVMC_OK: the guest has to stop */
    SVMC_HCALL_DONE = 1,   /* write the status word and the results; the program counter moves on */
    SVMC_HCALL_INJECT = 2  /* `fault` is for the guest, at the instruction; no register changes.
                              Where there is no way back to it: as DONE */
};

struct svmc_hcall_result {
    uint64_t status; /* DONE; INJECT: DENIED; after an error FAILED */
    uint8_t end;     /* enum svmc_hcall_end */
    uint8_t results; /* 0 to 6 */
    uint8_t reserved[6];
    struct svmc_fault fault; /* INJECT */
};

/** Bytes that svmc_hcall_init needs for these owners, sound or not; 0: NULL or a count. */
SVMC_API size_t svmc_hcall_bytes(const struct svmc_hcall_owner *owners, uint32_t count);

/**
 * Build the table of all calls, each found in one step whatever their number.
 *
 * Shape:   room: aligned to 8, svmc_hcall_bytes() of them; where: NULL if it does not matter.
 * Owns:    nothing; owners, what they point to and room outlive the table.
 * State:   *table is zero after an error, room anything.
 * Threads: read by any number once it is built.
 * Source:  HN-3 to HN-7.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, alignment, what *where says); SVMC_ERR_FULL (room).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_hcall_init(struct svmc_hcall_table *table,
                                                         const struct svmc_hcall_owner *owners,
                                                         uint32_t count, void *room, size_t bytes,
                                                         struct svmc_hcall_where *where);

/** Where a call stands in watch.counts; UINT32_MAX: there is none. */
SVMC_API uint32_t svmc_hcall_index(const struct svmc_hcall_table *table, uint32_t owner,
                                   uint32_t number);

/**
 * Make a vCPU ready. What it had as PARTIAL is forgotten, not abandoned: svmc_hcall_vcpu_reset is.
 *
 * Owns:    copies of place and room; what room points to is the vCPU's until it is made ready anew,
 *          vm and its tables outlive it. *v may move between calls.
 * State:   *v is zero after an error; *v and the slots may hold anything before.
 * Threads: one at a time for a vCPU, as all below.
 * Source:  HN-5, HN-17.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, a place beyond its field, reserved bytes, room, something of
 *         vm that the table's calls need is missing).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_hcall_vcpu_init(struct svmc_hcall_vcpu *v,
                                                              const struct svmc_hcall_vm *vm,
                                                              uint32_t id,
                                                              const struct svmc_hcall_place *place,
                                                              const struct svmc_hcall_room *room);

/** The vCPU stands elsewhere now, e.g. in another phase. SVMC_ERR_ARG: nothing has changed. */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_hcall_vcpu_move(struct svmc_hcall_vcpu *v,
                                                              const struct svmc_hcall_place *place);

/** The guest's processor is reset: what was PARTIAL is abandoned, its cursors are void (HN-17). Of
 *  a vCPU that was never made ready, all zero, nothing. */
SVMC_API void svmc_hcall_vcpu_reset(struct svmc_hcall_vcpu *v);

/**
 * Check a call and make it.
 *
 * State:   call->arg changes with DONE alone, and of it the first out->results.
 *          INJECT: the guest's program counter is to be at the instruction; where the trap moved it
 *          on (HVC, s390x, KVM's exits for ports), take it back first: `back` of trap.h.
 * Threads: one at a time for a vCPU; calls ops and handlers, which do not come back into v.
 * Source:  HN-1 to HN-18, HN-24.
 *
 * @return SVMC_OK, with *out; SVMC_ERR_ARG (NULL, user, v is not ready); SVMC_ERR_CALLBACK (a
 *         function of yours failed or gave nonsense). After an error *out is BROKEN, FAILED.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_hcall_dispatch(struct svmc_hcall_vcpu *v,
                                                             struct svmc_hcall_call *call,
                                                             struct svmc_hcall_result *out);

/** What a register of the ABI is for. */
enum svmc_hcall_role {
    SVMC_HCALL_REG_CONTROL = 0,
    SVMC_HCALL_REG_ARG = 1, /* to 6 */
    SVMC_HCALL_REG_STATUS = 7,
    SVMC_HCALL_REG_RESULT = 8, /* to 13 */
    SVMC_HCALL_REG_TOKEN = 14  /* to 16 */
};

/** enum svmc_reg of the n-th (enum svmc_hcall_role); SVMC_REG_NONE: none there (HN-2). */
SVMC_API enum svmc_reg svmc_hcall_reg(enum svmc_isa isa, unsigned n);

#ifdef __cplusplus
}
#endif
#endif
