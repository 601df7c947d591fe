/* SPDX-License-Identifier: MIT */
#ifndef SVMCORE_VERSION_H
#define SVMCORE_VERSION_H
#include <stdint.h>
#include "config.h"
#ifdef __cplusplus
extern "C" {
#endif

/** Major * 10000 + minor * 100 + patch: usable in #if. A test compares it with meson.build. */
#define SVMC_VERSION 100

/** The version of the library that was linked, to compare with the SVMC_VERSION that was compiled
 * in. */
SVMC_API uint32_t svmc_version(void);

#ifdef __cplusplus
}
#endif
#endif
