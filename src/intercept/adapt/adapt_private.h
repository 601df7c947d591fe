/* SPDX-License-Identifier: MIT */
/**
 * What the foreign forms share. A form is a few 64-bit words of its area, the *places*; a kind is a
 * row that says which item of the request or reply stands in which place. So a row is read in both
 * directions, and a new kind is a new row.
 */
#ifndef ADAPT_PRIVATE_H
#define ADAPT_PRIVATE_H
#include <svmcore/adapt.h>

#include "../../core/bytes.h"
#include "../../core/clamp.h"
#include "../../core/memory.h"
#include "../../core/shared.h"
#include "../intercept_private.h"

/** What stands in a place: of the request down to ITEM_ESR, of the reply from ITEM_OUT. */
enum item {
    ITEM_CONST,     /* value, and nothing else will do */
    ITEM_CONST32,   /* the same; its upper half is not looked at */
    ITEM_FIXED,     /* value; not looked at */
    ITEM_ADDRESS,   /* 64 bits, or as many as the item's name says */
    ITEM_ADDRESS16, /* strict: a larger one has no room, or does not fit */
    ITEM_ADDRESS32, /* the upper half is not looked at */
    ITEM_NUMBER,    /* ITEM_ADDRESS, not 0 */
    ITEM_SIZE,      /* bit n of value: n bytes are legal */
    ITEM_COUNT,
    ITEM_IN,          /* in slot n, as wide as the access if it has a width */
    ITEM_IN32,        /* its lower half */
    ITEM_IN_HIGH,     /* its upper half */
    ITEM_ELEMENT,     /* the first element of a string that the guest writes */
    ITEM_SCRATCH,     /* GHCB: where the shared buffer lies */
    ITEM_IOIO,        /* GHCB: EXITINFO1 of a port access */
    ITEM_RUN_IO,      /* kvm_run: direction, size, port, count */
    ITEM_RUN_LEN,     /* kvm_run: length and is_write */
    ITEM_RUN_MSR,     /* kvm_run: reason and index */
    ITEM_LENGTH,      /* in slot 0, as bytes from the address on */
    ITEM_LIST,        /* GHCB: header of a page state change */
    ITEM_IMMEDIATE,   /* RMM: 16 bits at the beginning of a Host call's block */
    ITEM_HPFAR,       /* RMM: bits of the address from bit 12; n 1: unprotected, 2: protected */
    ITEM_FAR,         /* RMM: and below */
    ITEM_ESR,         /* RMM: an emulatable data abort */
    ITEM_ESR_CLASS,   /* RMM: in slot 0, of the exception class in value */
    ITEM_ICPT,        /* s390: interception code and first halfword of the instruction */
    ITEM_HIGH,        /* s390: value, in the upper half; the lower is not looked at */
    ITEM_OUT,         /* out slot n, all 64 bits */
    ITEM_OUT_HCALL,   /* the same, if the hypercall brings so many (AP-21) */
    ITEM_OUT_DATA,    /* out slot 0, as wide as the access: the bytes above are not the answer's */
    ITEM_OUT_PAIR,    /* out slots 0 and 1, 32 bits each */
    ITEM_OUT_CC,      /* out slot 0: s390, the condition code of a PSW */
    ITEM_OUT_LIST,    /* GHCB: how many entries are done */
    ITEM_OUT_BLOCK,   /* RMM: the second word of a Host call's block */
    ITEM_OUT_REACHED, /* out slot 0, which the form's verdict has put there */
    ITEM_OUT_ELEMENT  /* the first element of a string that the guest reads */
};

struct move {
    uint8_t at; /* the place */
    uint8_t item;
    uint8_t n;
    uint8_t reserved;
    uint32_t value;
};

#define MOVES_IN  9u
#define MOVES_OUT 4u
#define PLACES    16u
#define OUTSIDE   (PLACES - 1) /* no place: the first word of the SIDA, as it stands there */

/**
 * One kind in one form. The first of `in` is what tells the kinds apart. A hypercall has one
 * result, its status (AP-7).
 */
struct adapt_row {
    uint16_t kind;
    uint8_t in_count;
    struct move in[MOVES_IN];
    uint8_t out_count;
    struct move out[MOVES_OUT];
};

/* clang-format off */
#define MOVE(at, item, n, value) { at, ITEM_##item, n, 0, value }
/* the counts, then the moves: IN(3, ...), OUT(1, ...) */
#define IN(count, ...) count, { __VA_ARGS__ }
#define OUT(count, ...) count, { __VA_ARGS__ }
#define OUT0 0, { { 0, 0, 0, 0, 0 } }
/* clang-format on */

#define SIZES_PORT 0x16u  /* 1, 2, 4 */
#define SIZES_WORD 0x116u /* 1, 2, 4, 8 */
#define SIZES_ANY  0x1feu /* 1 to 8 */

/** A form, put together at run time: no constant table may hold a pointer. */
struct adapt_form {
    const struct adapt_row *rows;
    const uint16_t *offsets; /* of the places in the area */
    uint32_t row_count;
    uint32_t places;
    uint32_t area_bytes;
    uint32_t data_place; /* where a string's bytes begin */
    uint32_t data_most;  /* bytes of a string at once; 1: one element, in a register */
    uint32_t isa;
    uint32_t clear_at[2]; /* what a request clears first: two ranges */
    uint32_t clear_end[2];
    uint8_t big_endian;
    uint8_t data_outside; /* a string's bytes are in the SIDA */
};

/** One request or answer on its way: the words of its places, and which of them were filled. */
struct adapt_words {
    uint64_t word[PLACES];
    uint32_t filled;
};

/* items.c */
bool svmc_adapt_item_get(const struct move *m, const struct svmc_request *r, const uint8_t *data,
                         uint64_t gpa, uint64_t *word);
bool svmc_adapt_item_set(const struct move *m, uint64_t word, uint64_t gpa, struct svmc_request *r);
/** Whether a result stands in its place: all but those that a hypercall has not. */
bool svmc_adapt_out_has(const struct move *m, const struct svmc_request *r);
void svmc_adapt_out_get(const struct move *m, const struct svmc_request *r, uint64_t word,
                        struct svmc_reply *reply, uint8_t *data);
uint64_t svmc_adapt_out_set(const struct move *m, const struct svmc_request *r,
                            const struct svmc_reply *reply, const uint8_t *data);

/*
 * What a form does itself, each in its file; what it has not is nothing to do.
 *   form     what it is
 *   ask      finish the words of a request
 *   verdict  what the answer to `r` says of itself, into out->status, fault and, for REACHED,
 *            out[0]; the rule it breaks, or 0
 *   heard    whether a request that fits a row is sound as a whole
 *   say      the words of an answer besides its results; false: the form cannot say it
 */
void svmc_adapt_ghcb_form(struct adapt_form *form);
void svmc_adapt_ghcb_ask(struct adapt_words *w);
uint32_t svmc_adapt_ghcb_verdict(const struct adapt_row *row, const struct svmc_request *r,
                                 const struct adapt_words *w, struct svmc_reply *out);
bool svmc_adapt_ghcb_heard(const struct adapt_row *row, const struct adapt_words *w);
bool svmc_adapt_ghcb_say(const struct svmc_reply *reply, struct adapt_words *w);

void svmc_adapt_kvm_form(struct adapt_form *form);
uint32_t svmc_adapt_kvm_verdict(const struct adapt_row *row, const struct adapt_words *w,
                                struct svmc_reply *out);
bool svmc_adapt_kvm_say(const struct adapt_row *row, const struct svmc_reply *reply,
                        struct adapt_words *w);

void svmc_adapt_tdx_form(struct adapt_form *form);
void svmc_adapt_tdx_ask(struct adapt_words *w);
uint32_t svmc_adapt_tdx_verdict(const struct adapt_row *row, const struct svmc_request *r,
                                const struct adapt_words *w, struct svmc_reply *out);
bool svmc_adapt_tdx_heard(const struct adapt_row *row, const struct adapt_words *w);
bool svmc_adapt_tdx_say(const struct adapt_row *row, const struct svmc_request *r,
                        const struct svmc_reply *reply, struct adapt_words *w);

void svmc_adapt_rmm_form(struct adapt_form *form);
uint32_t svmc_adapt_rmm_verdict(const struct adapt_row *row, const struct svmc_request *r,
                                const struct adapt_words *w, struct svmc_reply *out);
bool svmc_adapt_rmm_say(const struct adapt_row *row, const struct svmc_request *r,
                        const struct svmc_reply *reply, struct adapt_words *w);

void svmc_adapt_s390_form(struct adapt_form *form);
void svmc_adapt_s390_ask(const struct adapt_words *before, struct adapt_words *w);
uint32_t svmc_adapt_s390_verdict(const struct adapt_words *w, struct svmc_reply *out);
bool svmc_adapt_s390_say(const struct svmc_reply *reply, const struct adapt_words *before,
                         struct adapt_words *w);

/**
 * n bytes of a string: its first word is one that load has taken. Not static, or gcc passes what it
 * reads of its parameters instead of them, by the stack: no frame of a bounded size.
 */
void svmc_adapt_load_string(const struct svmc_foreign *from, const struct adapt_form *form,
                            const struct adapt_row *row, const struct adapt_words *w, uint8_t *data,
                            size_t n);

/** Put a word into a place. */
static inline void adapt_put(struct adapt_words *w, uint32_t place, uint64_t word)
{
    w->word[place & (PLACES - 1)] = word;
    w->filled |= 1u << (place & (PLACES - 1));
}

#endif
