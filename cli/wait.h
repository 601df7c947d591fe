/* SPDX-License-Identifier: MIT */
/** Between provider.c and keys.c. */
#ifndef CLI_WAIT_H
#define CLI_WAIT_H
#include "keys.h"

/** Wrap, or unwrap, as soon as the provider's key is here. CLI_GOOD: *result is what
 *  svmc_vmkey_wrap or _unwrap says. */
enum cli_status provider_wait(struct provider *p, bool wrap, struct svmc_key_blob *blob,
                              enum svmc_status *result);

#endif
