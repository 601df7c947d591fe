/* SPDX-License-Identifier: MIT */
/** Two events at once: docs/spec/event.md, EV-1 to EV-4. Pure. */
#include <svmcore/event.h>

#include <stdbool.h>
#include "../core/callbacks.h"
#include "../core/clamp.h"
#include "../core/memory.h"

#define FAULTS    32u
#define VECTOR_DF 8u

/* Intel SDM vol. 3 table 6-4; AMD APM vol. 2 8.2.9 knows no #VE, and #CP as Intel does. */
enum class { BENIGN, CONTRIBUTORY, PAGE, DOUBLE };

static const uint8_t classes[FAULTS] = {
    [0] = CONTRIBUTORY,  /* #DE */
    [8] = DOUBLE,        /* #DF */
    [10] = CONTRIBUTORY, /* #TS */
    [11] = CONTRIBUTORY, /* #NP */
    [12] = CONTRIBUTORY, /* #SS */
    [13] = CONTRIBUTORY, /* #GP */
    [14] = PAGE,         /* #PF */
    [20] = PAGE,         /* #VE */
    [21] = CONTRIBUTORY, /* #CP */
};

static enum class class_of(const struct svmc_event *e) {
    if (e->type != SVMC_EVENT_EXCEPTION ||
        e->vector >=
            FAULTS) return BENIGN; /* EV-2: interrupts and INT n are, whatever their vector */
    return (enum class)classes[core_clamp(e->vector, FAULTS)];
}

static bool is_sound(const struct svmc_event *first, const struct svmc_fault *fault)
{
    if (first->type > SVMC_EVENT_SOFT_EXCEPTION || first->has_error > 1 ||
        !svmc_core_is_fault(fault, true))
        return false;
    return first->type != SVMC_EVENT_EXCEPTION || first->vector < FAULTS;
}

/* EV-3: the table. DOUBLE as an answer: a double fault; after one, a shutdown. */
static bool doubles(enum class first, enum class second)
{
    if (second != CONTRIBUTORY && second != PAGE)
        return false;
    return first == PAGE || first == DOUBLE || (first == CONTRIBUTORY && second == CONTRIBUTORY);
}

enum svmc_status svmc_event_merge(const struct svmc_event *first, const struct svmc_fault *fault,
                                  struct svmc_event *now, struct svmc_event *later)
{
    struct svmc_event a, b;

    if (!first || !fault || !now || !later || now == later || !is_sound(first, fault))
        return SVMC_ERR_ARG;
    a = *first;
    b = (struct svmc_event){ .type = SVMC_EVENT_EXCEPTION,
                             .vector = fault->vector,
                             .has_error = fault->has_error,
                             .error = fault->has_error ? fault->error : 0,
                             .address = fault->address };
    memset(later, 0, sizeof *later);
    if (doubles(class_of(&a), class_of(&b))) {
        memset(now, 0, sizeof *now);
        now->type = SVMC_EVENT_SHUTDOWN;
        if (class_of(&a) != DOUBLE)
            *now = (struct svmc_event){ .type = SVMC_EVENT_EXCEPTION,
                                        .vector = VECTOR_DF,
                                        .has_error = 1 };
        return SVMC_OK;
    }
    *now = b;                                                       /* EV-1 */
    if (a.type == SVMC_EVENT_INTERRUPT || a.type == SVMC_EVENT_NMI) /* EV-4 */
        *later = a;
    return SVMC_OK;
}
