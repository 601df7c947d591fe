/* SPDX-License-Identifier: MIT */
/**
 * EX-27: events as VMX writes them (Intel SDM vol. 3, tables 24-13, 24-15 and 24-16; the checks of
 * 26.2.1.3). Pure.
 */
#include <svmcore/exit_vmx.h>

#include <stdbool.h>
#include "../core/memory.h"

#define INFO_TYPE     8u /* bits 10:8 */
#define INFO_ERROR    (1u << 11)
#define INFO_RESERVED 0x7fffe000u /* bits 30:13; 12 is undefined, or NMI unblocking */
#define INFO_VALID    (1u << 31)

#define TYPE_EXTERNAL             0u
#define TYPE_NMI                  2u
#define TYPE_EXCEPTION            3u
#define TYPE_SOFT_INTERRUPT       4u
#define TYPE_PRIVILEGED_EXCEPTION 5u
#define TYPE_SOFT_EXCEPTION       6u

#define VECTOR_DB  1u
#define VECTOR_NMI 2u
#define VECTOR_BP  3u
#define VECTOR_OF  4u
#define EXCEPTIONS 32u
#define ERROR_MAX  0xffffu

/* #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP */
#define WITH_ERROR (1u << 8 | 0x1fu << 10 | 1u << 17 | 1u << 21)

static bool is_soft(const struct svmc_event *e)
{
    return e->type == SVMC_EVENT_SOFT_INTERRUPT || e->type == SVMC_EVENT_SOFT_EXCEPTION;
}

/* What both ways agree on: an event that there is. */
static bool is_sound(const struct svmc_event *e)
{
    if (e->has_error > 1 || e->insn_bytes > SVMC_INSN_MAX)
        return false;
    if (e->has_error && (e->type != SVMC_EVENT_EXCEPTION || e->vector >= EXCEPTIONS ||
                         !(WITH_ERROR >> e->vector & 1u) || e->error > ERROR_MAX))
        return false;
    switch ((enum svmc_event_type)e->type) {
    case SVMC_EVENT_INTERRUPT:
    case SVMC_EVENT_SOFT_INTERRUPT:
        return true;
    case SVMC_EVENT_NMI:
        return e->vector == VECTOR_NMI;
    case SVMC_EVENT_EXCEPTION:
        return e->vector < EXCEPTIONS;
    case SVMC_EVENT_SOFT_EXCEPTION:
        return e->vector == VECTOR_DB || e->vector == VECTOR_BP || e->vector == VECTOR_OF;
    case SVMC_EVENT_NONE:
    case SVMC_EVENT_SHUTDOWN:
        break;
    }
    return false;
}

static enum svmc_event_type type_of(uint32_t info)
{
    switch (info >> INFO_TYPE & 7u) {
    case TYPE_EXTERNAL:
        return SVMC_EVENT_INTERRUPT;
    case TYPE_NMI:
        return SVMC_EVENT_NMI;
    case TYPE_EXCEPTION:
        return SVMC_EVENT_EXCEPTION;
    case TYPE_SOFT_INTERRUPT:
        return SVMC_EVENT_SOFT_INTERRUPT;
    case TYPE_PRIVILEGED_EXCEPTION:
    case TYPE_SOFT_EXCEPTION:
        return SVMC_EVENT_SOFT_EXCEPTION;
    default:
        return SVMC_EVENT_NONE;
    }
}

enum svmc_status svmc_event_from_vmx(uint32_t info, uint32_t error, uint32_t insn_length,
                                     struct svmc_event *event)
{
    struct svmc_event e = { 0 };
    bool privileged = (info >> INFO_TYPE & 7u) == TYPE_PRIVILEGED_EXCEPTION;

    if (!event)
        return SVMC_ERR_ARG;
    memset(event, 0, sizeof *event);
    if (!(info & INFO_VALID))
        return SVMC_OK;
    e.type = (uint8_t)type_of(info);
    e.vector = (uint8_t)info;
    e.has_error = (info & INFO_ERROR) != 0;
    e.error = e.has_error ? error : 0;
    if (is_soft(&e) && insn_length > SVMC_INSN_MAX)
        return SVMC_ERR_MISMATCH;
    e.insn_bytes = is_soft(&e) ? (uint8_t)insn_length : 0;
    if ((info & INFO_RESERVED) || !is_sound(&e) ||
        (e.type == SVMC_EVENT_SOFT_EXCEPTION && privileged != (e.vector == VECTOR_DB)))
        return SVMC_ERR_MISMATCH;
    *event = e;
    return SVMC_OK;
}

static uint32_t encoding(const struct svmc_event *e)
{
    switch ((enum svmc_event_type)e->type) {
    case SVMC_EVENT_NMI:
        return TYPE_NMI;
    case SVMC_EVENT_EXCEPTION:
        return TYPE_EXCEPTION;
    case SVMC_EVENT_SOFT_INTERRUPT:
        return TYPE_SOFT_INTERRUPT;
    case SVMC_EVENT_SOFT_EXCEPTION:
        return e->vector == VECTOR_DB ? TYPE_PRIVILEGED_EXCEPTION : TYPE_SOFT_EXCEPTION;
    default:
        return TYPE_EXTERNAL;
    }
}

enum svmc_status svmc_event_to_vmx(const struct svmc_event *event, uint32_t *info, uint32_t *error,
                                   uint32_t *insn_length)
{
    if (!info || !error || !insn_length)
        return SVMC_ERR_ARG;
    *info = 0;
    *error = 0;
    *insn_length = 0;
    if (!event)
        return SVMC_ERR_ARG;
    if (event->type == SVMC_EVENT_NONE)
        return SVMC_OK;
    if (event->type == SVMC_EVENT_SHUTDOWN)
        return SVMC_ERR_UNSUPPORTED;
    if (!is_sound(event) || (is_soft(event) && event->insn_bytes == 0))
        return SVMC_ERR_ARG;
    *info = INFO_VALID | (event->has_error ? INFO_ERROR : 0) | encoding(event) << INFO_TYPE |
            event->vector;
    *error = event->has_error ? event->error : 0;
    *insn_length = is_soft(event) ? event->insn_bytes : 0;
    return SVMC_OK;
}
