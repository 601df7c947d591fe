/* SPDX-License-Identifier: MIT */
/** EXITINTINFO and EVENTINJ of AMD SVM <-> struct svmc_event: rule EX-15. Pure. */
#include <svmcore/exit_svm.h>

#include <stdbool.h>
#include "../core/memory.h"

/* AMD APM vol. 2, 15.20: one layout for both words */
#define WORD_VECTOR   UINT64_C(0xff)
#define WORD_TYPE_AT  8u
#define WORD_TYPE     7u
#define WORD_EV       ((uint64_t)1 << 11) /* bits 63:32 hold an error code */
#define WORD_RESERVED UINT64_C(0x7ffff000)
#define WORD_V        ((uint64_t)1 << 31)
#define WORD_ERROR_AT 32u

enum svm_type { SVM_INTERRUPT = 0, SVM_NMI = 2, SVM_EXCEPTION = 3, SVM_SOFT_INTERRUPT = 4 };

#define VECTOR_DB  1u
#define VECTOR_NMI 2u
#define VECTOR_BP  3u
#define VECTOR_OF  4u
#define EXCEPTIONS 32u

static bool is_exception(uint32_t vector)
{
    return vector < EXCEPTIONS && vector != VECTOR_NMI; /* APM 15.20: VMRUN refuses the others */
}

/* APM 15.20: type 3 with vector 3 or 4 acts as the trap of INT3 and INTO. */
static bool is_trap(uint32_t vector)
{
    return vector == VECTOR_BP || vector == VECTOR_OF;
}

enum svmc_status svmc_event_from_svm(uint64_t word, struct svmc_event *out)
{
    uint32_t type = (uint32_t)(word >> WORD_TYPE_AT) & WORD_TYPE, vector = word & WORD_VECTOR;
    struct svmc_event e = { .vector = (uint8_t)vector, .has_error = (word & WORD_EV) != 0 };

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!(word & WORD_V))
        return SVMC_OK;
    if (word & WORD_RESERVED)
        return SVMC_ERR_MISMATCH;
    if (type == SVM_INTERRUPT) {
        e.type = SVMC_EVENT_INTERRUPT;
    } else if (type == SVM_NMI) {
        e.type = SVMC_EVENT_NMI;
        e.vector = VECTOR_NMI; /* APM 15.20: the word's is ignored */
    } else if (type == SVM_SOFT_INTERRUPT) {
        e.type = SVMC_EVENT_SOFT_INTERRUPT;
    } else if (type == SVM_EXCEPTION && is_exception(vector)) {
        e.type = is_trap(vector) ? SVMC_EVENT_SOFT_EXCEPTION : SVMC_EVENT_EXCEPTION;
    } else {
        return SVMC_ERR_MISMATCH;
    }
    if (e.has_error && e.type != SVMC_EVENT_EXCEPTION)
        return SVMC_ERR_MISMATCH;
    if (e.has_error)
        e.error = (uint32_t)(word >> WORD_ERROR_AT);
    *out = e;
    return SVMC_OK;
}

/* The type that stands for an event, or SVMC_ERR_ARG for one that is none. */
static enum svmc_status find_type(const struct svmc_event *e, enum svm_type *type)
{
    bool good = e->has_error == 0;

    switch (e->type) {
    case SVMC_EVENT_INTERRUPT:
        *type = SVM_INTERRUPT;
        break;
    case SVMC_EVENT_NMI:
        *type = SVM_NMI;
        good = good && e->vector == VECTOR_NMI;
        break;
    case SVMC_EVENT_EXCEPTION:
        *type = SVM_EXCEPTION;
        good = is_exception(e->vector) && e->has_error <= !is_trap(e->vector);
        break;
    case SVMC_EVENT_SOFT_INTERRUPT:
        *type = SVM_SOFT_INTERRUPT;
        break;
    case SVMC_EVENT_SOFT_EXCEPTION:
        *type = SVM_EXCEPTION;
        good = good && (is_trap(e->vector) || e->vector == VECTOR_DB);
        break;
    case SVMC_EVENT_SHUTDOWN:
        return SVMC_ERR_UNSUPPORTED;
    default:
        return SVMC_ERR_ARG;
    }
    return good ? SVMC_OK : SVMC_ERR_ARG;
}

enum svmc_status svmc_event_to_svm(const struct svmc_event *event, uint64_t *out)
{
    enum svm_type type = SVM_INTERRUPT;
    enum svmc_status st;

    if (!out)
        return SVMC_ERR_ARG;
    *out = 0;
    if (!event)
        return SVMC_ERR_ARG;
    if (event->type == SVMC_EVENT_NONE)
        return SVMC_OK;
    st = find_type(event, &type);
    if (st != SVMC_OK)
        return st;
    *out = WORD_V | (uint64_t)type << WORD_TYPE_AT | event->vector;
    if (event->has_error)
        *out |= WORD_EV | (uint64_t)event->error << WORD_ERROR_AT;
    return SVMC_OK;
}
