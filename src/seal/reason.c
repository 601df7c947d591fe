/* SPDX-License-Identifier: MIT */
/** Reasons: their statuses, and their names for who logs them. SE-4 */
#include "disk_private.h"

#define NAME_BYTES 24

/* Text beside the value, no pointer in the row: the table needs no relocation. */
struct row {
    uint8_t status;
    char name[NAME_BYTES];
};

#define REASON(reason, status) [reason] = { status, #reason }

static const struct row reasons[] = {
    REASON(SVMC_SEAL_NONE, SVMC_OK),
    REASON(SVMC_SEAL_UNPROTECTED, SVMC_ERR_REFUSED),
    REASON(SVMC_SEAL_SELF_TEST, SVMC_ERR_REFUSED),
    REASON(SVMC_SEAL_KEY_STATE, SVMC_ERR_REFUSED),
    REASON(SVMC_SEAL_USAGE, SVMC_ERR_REFUSED),
    REASON(SVMC_SEAL_RANGE, SVMC_ERR_ARG),
    REASON(SVMC_SEAL_EPOCH, SVMC_ERR_STALE),
    REASON(SVMC_SEAL_BUDGET, SVMC_ERR_FULL),
    REASON(SVMC_SEAL_NO_KEY, SVMC_ERR_ABSENT),
    REASON(SVMC_SEAL_SLOTS, SVMC_ERR_FULL),
    REASON(SVMC_SEAL_TAG, SVMC_ERR_AUTH),
    REASON(SVMC_SEAL_CRYPTO, SVMC_ERR_CALLBACK),
    REASON(SVMC_SEAL_ALG, SVMC_ERR_UNSUPPORTED),
    REASON(SVMC_SEAL_STATE, SVMC_ERR_STATE),
    REASON(SVMC_SEAL_BUSY, SVMC_ERR_BUSY),
    REASON(SVMC_SEAL_FORMAT, SVMC_ERR_FORMAT),
    REASON(SVMC_SEAL_OWNER, SVMC_ERR_OWNER),
    REASON(SVMC_SEAL_PURPOSE, SVMC_ERR_PURPOSE),
    REASON(SVMC_SEAL_OLD, SVMC_ERR_STALE),
};
#define REASONS (uint32_t)(sizeof reasons / sizeof reasons[0])

static const struct row disk_reasons[] = {
    REASON(SVMC_DISK_NONE, SVMC_OK),
    REASON(SVMC_DISK_RANGE, SVMC_ERR_ARG),
    REASON(SVMC_DISK_STORE, SVMC_ERR_CALLBACK),
    REASON(SVMC_DISK_ANCHOR, SVMC_ERR_CALLBACK),
    REASON(SVMC_DISK_BLANK, SVMC_ERR_FORMAT),
    REASON(SVMC_DISK_HEADER, SVMC_ERR_FORMAT),
    REASON(SVMC_DISK_UNKNOWN, SVMC_ERR_UNSUPPORTED),
    REASON(SVMC_DISK_OWNER, SVMC_ERR_OWNER),
    REASON(SVMC_DISK_CHANGED, SVMC_ERR_AUTH),
    REASON(SVMC_DISK_LOST, SVMC_ERR_AUTH),
    REASON(SVMC_DISK_ROLLBACK, SVMC_ERR_STALE),
    REASON(SVMC_DISK_DATA, SVMC_ERR_AUTH),
    REASON(SVMC_DISK_NODE, SVMC_ERR_AUTH),
    REASON(SVMC_DISK_SEAL, SVMC_OK), /* the sealer's */
    REASON(SVMC_DISK_IN_USE, SVMC_ERR_REFUSED),
    REASON(SVMC_DISK_DOUBT, SVMC_ERR_STATE),
    REASON(SVMC_DISK_OTHER, SVMC_ERR_PURPOSE),
};
#define DISK_REASONS (uint32_t)(sizeof disk_reasons / sizeof disk_reasons[0])

enum svmc_status svmc_seal_status(enum svmc_seal_reason reason)
{
    uint32_t why = (uint32_t)reason;

    return why < REASONS ? (enum svmc_status)reasons[core_clamp(why, REASONS)].status
                         : SVMC_ERR_ARG;
}

const char *svmc_seal_name(enum svmc_seal_reason reason)
{
    uint32_t why = (uint32_t)reason;

    return why < REASONS ? reasons[core_clamp(why, REASONS)].name : "SVMC_SEAL_?";
}

enum svmc_status svmc_disk_status_of(enum svmc_disk_reason why)
{
    return (enum svmc_status)disk_reasons[core_clamp(why, DISK_REASONS)].status;
}

const char *svmc_disk_name(uint32_t reason)
{
    return reason < DISK_REASONS ? disk_reasons[core_clamp(reason, DISK_REASONS)].name
                                 : "SVMC_DISK_?";
}
