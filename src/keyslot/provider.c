/* SPDX-License-Identifier: MIT */
/** What the reasons of providers and of the cache are called, and which status they have. */
#include <svmcore/provider.h>

#define NAME_BYTES 28

/* PR-4. Text beside the value, as in core/status.c. */
static const struct {
    uint16_t reason, status;
    char name[NAME_BYTES];
} reasons[] = {
#define REASON(reason, status)  \
    {                           \
        reason, status, #reason \
    }
    REASON(SVMC_FETCH_NONE, SVMC_OK),
    REASON(SVMC_FETCH_PENDING, SVMC_ERR_ABSENT),
    REASON(SVMC_FETCH_FULL, SVMC_ERR_FULL),
    REASON(SVMC_FETCH_PROVIDER, SVMC_ERR_CALLBACK),
    REASON(SVMC_FETCH_UNREACHABLE, SVMC_ERR_CALLBACK),
    REASON(SVMC_FETCH_RESET, SVMC_ERR_CALLBACK),
    REASON(SVMC_FETCH_DEADLINE, SVMC_ERR_CALLBACK),
    REASON(SVMC_FETCH_SERVICE, SVMC_ERR_CALLBACK),
    REASON(SVMC_FETCH_TLS, SVMC_ERR_AUTH),
    REASON(SVMC_FETCH_PEER, SVMC_ERR_AUTH),
    REASON(SVMC_FETCH_PEER_EXPIRED, SVMC_ERR_AUTH),
    REASON(SVMC_FETCH_FORMAT, SVMC_ERR_FORMAT),
    REASON(SVMC_FETCH_CUT, SVMC_ERR_FORMAT),
    REASON(SVMC_FETCH_TOO_LONG, SVMC_ERR_FORMAT),
    REASON(SVMC_FETCH_OWN_MISSING, SVMC_ERR_REFUSED),
    REASON(SVMC_FETCH_OWN_REFUSED, SVMC_ERR_REFUSED),
    REASON(SVMC_FETCH_OWN_EXPIRED, SVMC_ERR_REFUSED),
    REASON(SVMC_FETCH_DENIED, SVMC_ERR_REFUSED),
    REASON(SVMC_FETCH_NOT_FOUND, SVMC_ERR_REFUSED),
    REASON(SVMC_FETCH_PRE_ACTIVE, SVMC_ERR_REFUSED),
    REASON(SVMC_FETCH_DEACTIVATED, SVMC_ERR_REFUSED),
    REASON(SVMC_FETCH_COMPROMISED, SVMC_ERR_REFUSED),
    REASON(SVMC_FETCH_DESTROYED, SVMC_ERR_REFUSED),
    REASON(SVMC_FETCH_STATE, SVMC_ERR_REFUSED),
    REASON(SVMC_FETCH_ID, SVMC_ERR_KEY),
    REASON(SVMC_FETCH_ALG, SVMC_ERR_KEY),
    REASON(SVMC_FETCH_LENGTH, SVMC_ERR_KEY),
    REASON(SVMC_FETCH_USAGE, SVMC_ERR_PURPOSE),
    REASON(SVMC_FETCH_CHECK, SVMC_ERR_KEY),
#undef REASON
};

enum svmc_status svmc_fetch_status(uint32_t reason)
{
    for (uint32_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].reason == reason)
            return (enum svmc_status)reasons[i].status;
    return SVMC_ERR_CALLBACK;
}

const char *svmc_fetch_name(uint32_t reason)
{
    for (uint32_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].reason == reason)
            return reasons[i].name;
    return "SVMC_FETCH_?";
}
