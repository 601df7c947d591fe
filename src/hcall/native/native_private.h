/* SPDX-License-Identifier: MIT */
/** What the files of the dispatcher share. docs/spec/hcall.md. */
#ifndef NATIVE_PRIVATE_H
#define NATIVE_PRIVATE_H
#include <svmcore/hcall.h>

#include <stdbool.h>

#include "../../core/callbacks.h"
#include "../../core/clamp.h"
#include "../../core/memory.h"

#if defined(__GNUC__) || defined(__clang__)
#define SELDOM(condition) __builtin_expect(!!(condition), 0)
#else
#define SELDOM(condition) (condition)
#endif

#define REGS SVMC_HCALL_REGS
#define PAGE 4096u

/*
 * The six fields of svmc_hcall_entry.may, and two bits of our own. An entry is PLAIN if it can be
 * called and is registers alone. A vCPU has PLAIN as well, and WATCHED, which no entry has: so one
 * comparison tells whether a call can go the short way.
 */
#define MAY_PRIVILEGE ((uint64_t)(SVMC_HCALL_KERNEL | SVMC_HCALL_USER))
#define MAY_FIELDS \
    (MAY_PRIVILEGE | SVMC_HCALL_ANYWHERE | SVMC_HCALL_ANY_CLASS | SVMC_HCALL_ANY_NESTED)
#define CLASS_SHIFT 32u /* of SVMC_HCALL_ANY_CLASS */
#define MAY_PLAIN   ((uint64_t)1 << 63)
#define MAY_WATCHED ((uint64_t)1 << 62)

/* HN-18: by which a call is its caller's; phases pass, and token classes are kept apart. */
#define MAY_SAME \
    (MAY_PRIVILEGE | SVMC_HCALL_ANY_LEVEL | SVMC_HCALL_ANY_ROLE | SVMC_HCALL_ANY_NESTED)

#define FLAGS_SHIFT   22u /* of the control word: behind the owner */
#define PLAIN_CONTROL ((uint64_t)SVMC_HCALL_ABI << (SVMC_HCALL_ABI_SHIFT - FLAGS_SHIFT))
#define REPS(word)    ((uint32_t)((word) >> 32) & 0xfffu) /* in the control and the status word */
#define START(word)   ((uint32_t)((word) >> SVMC_HCALL_START_SHIFT) & 0xfffu)
#define BEFORE_ABI    ((uint64_t)0x00ffffff << 32) /* bits 55:32: both */

/* An argument is in order exactly if v - min <= span && !(v & clear). */
struct native_check {
    uint64_t min, span, clear;
};

struct native_schema {
    struct native_check check[REGS];
    uint64_t hash;
    const struct svmc_hcall_schema *from;
    uint8_t results;
    uint8_t special; /* 1: a buffer, a handle */
    uint8_t reserved[6];
};

/* A number of an owner's; call NULL: never defined; handler NULL: never, dropped, or 0 to 7, and
   `may` is 0 then. */
struct native_entry {
    uint32_t (*handler)(void *ctx, struct svmc_hcall_run *run);
    uint64_t may;
    const struct native_schema *schema;
    const struct svmc_hcall_entry *call;
};

/* svmc_hcall_table.priv.needs */
enum { NEED_SPAN = 1, NEED_TRANSLATE = 2, NEED_HANDLE = 4, NEED_SLOT = 8 };

/* One call on its way. */
struct native_work {
    struct svmc_hcall_vcpu *v;
    struct svmc_hcall_call *call;
    struct svmc_hcall_result *out;
    const struct native_entry *entry;
    struct svmc_hcall_slot *slot; /* resumed */
    struct svmc_hcall_slot *next; /* for PARTIAL, with `cursor` */
    uint64_t cursor;
    uint64_t who;        /* MAY_SAME */
    uint64_t token;      /* its handle; 0: none */
    uint32_t held;       /* bit n: the object of argument n */
    const uint64_t *arg; /* the call's, or those it began with */
};

static inline const struct native_entry *native_entries(const struct svmc_hcall_table *table)
{
    return table->priv.entries;
}

/* HN-5: one bit in each field. */
static inline uint64_t native_who(const struct svmc_hcall_vcpu *v,
                                  const struct svmc_hcall_call *call)
{
    return v->priv.who | (uint64_t)1 << call->user;
}

/* The end of a call that gives no results. `bad`: 1 to 6, or 0. */
enum svmc_status svmc_native_answer(struct svmc_hcall_result *out, uint32_t code, unsigned bad);

/* What finds something to tell the guest sets out->end; BROKEN there: go on. */
enum svmc_status svmc_native_one(struct svmc_hcall_vcpu *v, struct svmc_hcall_call *call,
                                 bool in_batch, struct svmc_hcall_result *out);
/* The same for a batch, and where a watch is. */
enum svmc_status svmc_native_apart(struct svmc_hcall_vcpu *v, struct svmc_hcall_call *call,
                                   struct svmc_hcall_result *out);
enum svmc_status svmc_native_ask(struct native_work *w);

/* Memory. */
struct native_piece {
    uint64_t at;
    uint32_t n; /* bytes of one page */
    uint8_t access;
    uint8_t is_virtual;
};

/* *span NULL: `call` has none there. */
enum svmc_status svmc_native_find(struct svmc_hcall_vcpu *v, const struct svmc_hcall_call *call,
                                  const struct native_piece *piece, void **span);
enum svmc_status svmc_native_fetch(struct native_work *w);
void svmc_native_put(struct svmc_hcall_vcpu *v);
void svmc_native_release(const struct native_work *w);

/* Cursors. */
bool svmc_native_resume(struct native_work *w);
enum svmc_status svmc_native_cursor(struct native_work *w);
void svmc_native_keep(struct native_work *w, bool partial);

#endif
