/* SPDX-License-Identifier: MIT */
/** The scripted host: answers a request as an honest device would, or spoils that answer. */
#ifndef FAKEHOST_FAKEHOST_H
#define FAKEHOST_FAKEHOST_H
#include <stdbool.h>
#include <stdint.h>
#include <svmcore/page.h>

/** What the honest host puts in: 64 bits of it, and a byte stream of it. */
#define FAKEHOST_HCALL_RESULTS 3u /* the tests' policies declare all three for every call */
#define FAKEHOST_VENDOR_CALL   0xc6000001u /* an SMC with four results; all others: PSCI's one */
#define FAKEHOST_PUT_TERM      0x58u       /* H_PUT_TERM_CHAR: four arguments, one result */
#define FAKEHOST_PATTERN       0x8877665544332211u

struct fakehost_answer {
    struct svmc_request request;
    struct svmc_reply reply;
    uint8_t data[SVMC_PAGE_DATA_BYTES];
};

/** Read the request and prepare the honest, complete answer. False, here and below: no request. */
bool fakehost_prepare(const volatile void *page, struct fakehost_answer *answer);
/** Write it. */
bool fakehost_send(volatile void *page, const struct fakehost_answer *answer);

/** One way to spoil an answer or the page after it, and the rule that must refuse it. */
struct fakehost_lie {
    char name[40];
    unsigned rule;
    /* where it applies: bits of enum fakehost_needs */
    unsigned needs;
};
enum fakehost_needs {
    NEEDS_RESULT = 1,
    NEEDS_STRING = 2,
    NEEDS_NARROW = 4,
    NEEDS_STATUS = 8,
    NEEDS_NO_STRING = 16,
    NEEDS_STRING_IN = 32,
    NEEDS_NO_FAULTS = 64,
    NEEDS_WIDE = 128,
    NEEDS_CC = 256,
    NEEDS_REACHED = 512,
    NEEDS_MESSAGE = 1024
};

extern const struct fakehost_lie fakehost_lies[];
extern const unsigned fakehost_lie_count;

/** Whether lie n makes sense for this request. */
int fakehost_lie_applies(unsigned n, const struct svmc_request *request);
/** Send the honest answer spoiled by lie n. */
bool fakehost_lie(volatile void *page, const struct fakehost_answer *honest, unsigned n);

#endif
