/* SPDX-License-Identifier: MIT */
/** The native calls that the keeper itself answers: their declaration and handlers. */
#ifndef NATIVES_H
#define NATIVES_H
#include <stdatomic.h>
#include <svmcore/hcall.h>

#include "store.h"

/** What the handlers work on: their ctx. */
struct natives {
    struct store *store;
    struct tokens *tokens;
    _Atomic uint64_t counter;
    void (*say)(uint32_t vcpu, const uint8_t *text, uint32_t bytes); /* on the caller's thread */
};

/** Constants: they lie in ROM. */
extern const struct svmc_hcall_owner natives_owner;

/** The name of a call of that owner, numbers 0 to 7 too; "?" if there is none. */
const char *natives_name(uint32_t number);

#endif
