/* SPDX-License-Identifier: MIT */
#include <svmcore/status.h>
#include <stdint.h>

#define NAME_BYTES 24

/* Text beside the value, no pointer in the row: the table needs no relocation. */
static const struct {
    uint32_t value;
    char name[NAME_BYTES];
} names[] = {
#define NAME(status)    \
    {                   \
        status, #status \
    }
    NAME(SVMC_OK),
    NAME(SVMC_ERR_ARG),
    NAME(SVMC_ERR_STATE),
    NAME(SVMC_ERR_TRUNCATED),
    NAME(SVMC_ERR_UNDEFINED),
    NAME(SVMC_ERR_TOO_LONG),
    NAME(SVMC_ERR_MISMATCH),
    NAME(SVMC_ERR_CALLBACK),
    NAME(SVMC_ERR_HOST_REPLY),
    NAME(SVMC_ERR_AUTH),
    NAME(SVMC_ERR_FORMAT),
    NAME(SVMC_ERR_KEY),
    NAME(SVMC_ERR_OWNER),
    NAME(SVMC_ERR_PURPOSE),
    NAME(SVMC_ERR_POLICY),
    NAME(SVMC_ERR_FULL),
    NAME(SVMC_ERR_UNSUPPORTED),
    NAME(SVMC_ERR_STALE),
    NAME(SVMC_ERR_BUSY),
    NAME(SVMC_ERR_ABSENT),
    NAME(SVMC_ERR_REFUSED),
#undef NAME
};

const char *svmc_status_name(enum svmc_status status)
{
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].value == (uint32_t)status)
            return names[i].name;
    return "SVMC_ERR_?";
}
