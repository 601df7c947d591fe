/* SPDX-License-Identifier: MIT */
/** The evil host's repertoire. */
#ifndef LIES_H
#define LIES_H
#include <stdbool.h>
#include <stdint.h>
#include <svmcore/page.h>

enum lie_number {
#define LIE(id, name, rule, where, what) LIE_##id,
#include "lies.def"
#undef LIE
    LIE_COUNT,
    LIE_RACE = LIE_COUNT, /* not a reply: another thread writes into the page meanwhile */
    LIE_ENDLESS_RETRY,    /* from here on by name only: legal each time, but never ending */
    LIE_ONLY_LIES,        /* R16: one lie after the other, and never the truth */
    LIE_ALL
};

struct lie {
    const char *name;
    unsigned rule; /* that refuses it; 0: depends */
    unsigned where;
    const char *what;
};

extern const struct lie lies[LIE_ALL];

/** The number of a lie's name, or LIE_ALL. */
unsigned lie_find(const char *name);

/** May this lie be told on this request? */
bool lie_fits(unsigned number, const struct svmc_request *request);

/** Can it be told on MSR accesses only? Then a KVM without MSR exits gives no occasion. */
bool lie_needs_msr(unsigned number);

/**
 * Turn the true reply into the lie; `old` is a reply to an earlier request. Bytes that a struct
 * svmc_reply cannot say come back as an offset in the page (0: none) to be written afterwards.
 */
unsigned lie_tell(unsigned number, const struct svmc_request *request, const struct svmc_reply *old,
                  struct svmc_reply *reply);

#endif
