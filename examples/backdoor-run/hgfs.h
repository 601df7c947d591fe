/* SPDX-License-Identifier: MIT */
/** Shared folders, as far as it takes to list them: three requests of HGFS, version 1. */
#ifndef BACKDOOR_RUN_HGFS_H
#define BACKDOOR_RUN_HGFS_H
#include <stdint.h>

#include <svmcore/status.h>

#include "names.h"

/** One request -> its reply, of at most `max` bytes. */
enum svmc_status hgfs_handle(const struct names *shares, const uint8_t *request, uint32_t n,
                             uint8_t *reply, uint32_t max, uint32_t *bytes);

#endif
