/* SPDX-License-Identifier: MIT */
/** What every module asks of the functions a host lends it, and of what those give. */
#ifndef CORE_CALLBACKS_H
#define CORE_CALLBACKS_H
#include <stdbool.h>
#include <stddef.h>
#include <svmcore/host.h>

/** Whether a function is there: in a table as long as this host compiled it, and not NULL. */
#define CORE_HAS_OP(ops, op)                                                                      \
    ((size_t)((const char *)&(ops)->op - (const char *)(ops)) + sizeof(ops)->op <= (ops)->size && \
     (ops)->op != NULL)

/**
 * Whether a fault that a callback gives can be one of the guest's.
 *
 * Shape: x86: a vector; else a class or code, as struct svmc_fault has them.
 */
bool svmc_core_is_fault(const struct svmc_fault *fault, bool x86);

#endif
