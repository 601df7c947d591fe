/* SPDX-License-Identifier: MIT */
/** Reasons: their statuses, and their names for who logs them. SE-4 */
#include <svmcore/disk.h>
#include <svmcore/seal.h>

#include "../core/clamp.h"

#define NAME_BYTES 24

/* Text beside the value, no pointer in the row: the table needs no relocation. */
static const struct {
    uint8_t status;
    char name[NAME_BYTES];
} reasons[] = {
#define REASON(reason, status) [reason] = { status, #reason }
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
#undef REASON
};
#define REASONS (uint32_t)(sizeof reasons / sizeof reasons[0])

static const char disk_names[][NAME_BYTES] = {
#define NAME(reason) [reason] = #reason
    NAME(SVMC_DISK_NONE),    NAME(SVMC_DISK_RANGE),    NAME(SVMC_DISK_STORE),
    NAME(SVMC_DISK_ANCHOR),  NAME(SVMC_DISK_BLANK),    NAME(SVMC_DISK_HEADER),
    NAME(SVMC_DISK_UNKNOWN), NAME(SVMC_DISK_OWNER),    NAME(SVMC_DISK_CHANGED),
    NAME(SVMC_DISK_LOST),    NAME(SVMC_DISK_ROLLBACK), NAME(SVMC_DISK_DATA),
    NAME(SVMC_DISK_NODE),    NAME(SVMC_DISK_SEAL),     NAME(SVMC_DISK_IN_USE),
    NAME(SVMC_DISK_DOUBT),
#undef NAME
};
#define DISK_NAMES (uint32_t)(sizeof disk_names / sizeof disk_names[0])

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

const char *svmc_disk_name(uint32_t reason)
{
    return reason < DISK_NAMES ? disk_names[core_clamp(reason, DISK_NAMES)] : "SVMC_DISK_?";
}
