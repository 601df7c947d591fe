/* SPDX-License-Identifier: MIT */
/** Wrong replies, one a row of lies.def. Linked into the host, which tells them. */
#include "lies.h"

#include <string.h>

enum where {
    ANY = 0,
    SINGLE = 1,
    MSR = 2,
    NOT_MSR = 4,
    RESULT = 8,
    NARROW = 16,
    CALL = 32,
    STRING = 64,
    STRING_IN = 128,
    NOT_STRING_IN = 256,
    NOTICE = 512
};

const struct lie lies[LIE_ALL] = {
#define LIE(id, name, rule, where, what) [LIE_##id] = { name, rule, where, what },
#include "lies.def"
#undef LIE
    [LIE_RACE] = { "race", 0, ANY, "a thread flips words of the page while replies are read" },
    [LIE_ENDLESS_RETRY] = { "endless-retry", 0, NOT_MSR, "asks to try again for ever" },
    [LIE_ONLY_LIES] = { "only-lies", 0, ANY, "never tells the truth" },
};

unsigned lie_find(const char *name)
{
    for (unsigned i = 0; i < LIE_ALL; i++)
        if (strcmp(lies[i].name, name) == 0)
            return i;
    return LIE_ALL;
}

bool lie_fits(unsigned number, const struct svmc_request *r)
{
    bool msr = r->kind == SVMC_KIND_RDMSR || r->kind == SVMC_KIND_WRMSR;
    bool string = r->completion == SVMC_COMPLETION_CHUNK;
    bool string_in = string && r->direction == SVMC_DIRECTION_IN;
    bool result = r->direction == SVMC_DIRECTION_IN && !string;
    bool narrow;
    unsigned is = 0;

    is |= r->completion == SVMC_COMPLETION_NONE ? NOTICE : 0;
    is |= string ? STRING : SINGLE;
    is |= msr ? MSR : NOT_MSR;
    is |= string_in ? STRING_IN : NOT_STRING_IN;
    is |= result ? RESULT : 0;
    narrow = r->kind == SVMC_KIND_RDMSR || (r->size > 0 && r->size < 8);
    is |= result && narrow && r->kind != SVMC_KIND_HYPERCALL ? NARROW : 0;
    is |= r->kind == SVMC_KIND_HYPERCALL ? CALL : 0;
    return number < LIE_ALL && (lies[number].where & ~is) == 0;
}

bool lie_needs_msr(unsigned number)
{
    return number < LIE_ALL && (lies[number].where & MSR) != 0;
}

/* A status of its own: nothing but that status. */
static void only(struct svmc_reply *reply, uint32_t status)
{
    *reply = (struct svmc_reply){ .seq = reply->seq, .status = status };
}

static void tell_status(unsigned number, struct svmc_reply *reply)
{
    if (number == LIE_STATUS_UNKNOWN) {
        reply->status = 4;
    } else if (number == LIE_STATUS_HUGE) {
        reply->status |= 0x80000000u;
    } else if (number == LIE_PARTIAL_SINGLE) {
        reply->status = SVMC_REPLY_PARTIAL;
    } else if (number == LIE_FAULT_WITH_DONE) {
        reply->fault = SVMC_FAULT_GP;
    } else if (number == LIE_RETRY_MSR) {
        only(reply, SVMC_REPLY_RETRY);
    } else if (number == LIE_RETRY_WITH_DONE) {
        only(reply, SVMC_REPLY_RETRY);
        reply->done = 1;
    } else {
        only(reply, SVMC_REPLY_FAULT);
        reply->fault = number == LIE_FAULT_WITHOUT_NAME ? SVMC_FAULT_NONE
                       : number == LIE_FAULT_ILLEGAL    ? SVMC_FAULT_UD
                                                        : SVMC_FAULT_GP;
        reply->out_valid = number == LIE_FAULT_AND_RESULT;
    }
}

static void tell_extent(unsigned number, const struct svmc_request *request,
                        struct svmc_reply *reply)
{
    if (number == LIE_DONE_ZERO) {
        reply->done = 0;
        reply->data_bytes = 0;
    } else if (number == LIE_DONE_TOO_MANY) {
        reply->done = request->count + 1;
    } else if (number == LIE_PARTIAL_ZERO) {
        only(reply, SVMC_REPLY_PARTIAL);
    } else if (number == LIE_PARTIAL_ALL) {
        reply->status = SVMC_REPLY_PARTIAL;
    } else if (number == LIE_DATA_SHORT) {
        reply->data_bytes -= 1;
    } else {
        reply->data_bytes = 8;
    }
}

unsigned lie_tell(unsigned number, const struct svmc_request *request, const struct svmc_reply *old,
                  struct svmc_reply *reply)
{
    switch (number) {
    case LIE_WRONG_SEQ:
        reply->seq ^= 1;
        return 0;
    case LIE_OLD_REPLY:
        *reply = *old;
        return 0;
    case LIE_OTHER_VCPU:
        reply->seq ^= (uint64_t)1 << 48;
        return 0;
    case LIE_RESERVED_STATUS:
        return 0x10c;
    case LIE_RESERVED_FAULT:
        return 0x119;
    case LIE_RESERVED_COUNT:
        return 0x128;
    case LIE_RESERVED_TAIL:
        return 0x1f8;
    case LIE_VALID_MISSING:
        reply->out_valid &= reply->out_valid - 1;
        return 0;
    case LIE_VALID_EXTRA:
        reply->out_valid |= 0x80;
        return 0;
    case LIE_VALUE_TOO_WIDE:
        reply->out[0] |= (uint64_t)1 << (8 * (request->size ? request->size : 4));
        return 0;
    case LIE_SLOT_UNDECLARED:
        reply->out[7] = 1;
        return 0;
    case LIE_CALL_STATUS:
        reply->out[0] = 7;
        return 0;
    case LIE_DONE_ZERO:
    case LIE_DONE_TOO_MANY:
    case LIE_PARTIAL_ZERO:
    case LIE_PARTIAL_ALL:
    case LIE_DATA_SHORT:
    case LIE_DATA_UNASKED:
        tell_extent(number, request, reply);
        return 0;
    default:
        tell_status(number, reply);
        return 0;
    }
}
