/* SPDX-License-Identifier: MIT */
/** x86: events on their way to the guest, and what becomes of two of them: docs/spec/event.md. */
#ifndef SVMCORE_EVENT_H
#define SVMCORE_EVENT_H
#include <stdint.h>
#include "host.h"
#include "status.h"
#ifdef __cplusplus
extern "C" {
#endif

/** What kind of event; the order is nobody's encoding. */
enum svmc_event_type {
    SVMC_EVENT_NONE = 0,
    SVMC_EVENT_INTERRUPT = 1,      /* external, with its vector */
    SVMC_EVENT_NMI = 2,            /* vector 2 */
    SVMC_EVENT_EXCEPTION = 3,      /* raised by the processor: faults, traps, aborts */
    SVMC_EVENT_SOFT_INTERRUPT = 4, /* INT n */
    SVMC_EVENT_SOFT_EXCEPTION = 5, /* INT3, INTO, INT1 */
    SVMC_EVENT_SHUTDOWN = 6        /* a third fault: the guest stops */
};

/** An event, as EXITINTINFO and EVENTINJ of AMD or the interruption information of Intel say it. */
struct svmc_event {
    uint8_t type;       /* enum svmc_event_type */
    uint8_t vector;     /* NMI: 2 */
    uint8_t has_error;  /* 1: with an error code */
    uint8_t insn_bytes; /* SOFT_*: length of the instruction; 0: not known */
    uint32_t error;     /* 0 without */
    uint64_t address;   /* CR2 of a page fault, if it is known; else 0 */
};

/**
 * A fault was raised while `first` was being delivered: what the guest gets.
 *
 * Shape:  first->type NONE: nothing was being delivered, *now is the fault.
 *         *now: inject this at the next entry. *later: an interrupt or NMI that was not delivered
 *         and comes after it, else NONE; soft ones and exceptions come again by themselves, for the
 *         instruction is executed again.
 * Owns:   nothing. `now` or `later` may be `first`.
 * Threads: any.
 * Source: EV-1 to EV-4; Intel SDM vol. 3 6.15, table 6-5; AMD APM vol. 2 8.2.9.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL; a type or vector that is none; no fault raised).
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_event_merge(const struct svmc_event *first,
                                                          const struct svmc_fault *fault,
                                                          struct svmc_event *now,
                                                          struct svmc_event *later);

#ifdef __cplusplus
}
#endif
#endif
