/* SPDX-License-Identifier: MIT */
#include <svmcore/version.h>

uint32_t svmc_version(void)
{
    return SVMC_VERSION;
}
