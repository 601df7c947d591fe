/* SPDX-License-Identifier: MIT */
/** Strings from the command line. */
#ifndef BACKDOOR_RUN_NAMES_H
#define BACKDOOR_RUN_NAMES_H
#include <stddef.h>

struct names {
    const char **list;
    size_t count, cap;
};

#endif
