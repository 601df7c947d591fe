/* SPDX-License-Identifier: MIT */
/* Two verdicts about one case side by side. */
#ifndef X86_COMPARE_H
#define X86_COMPARE_H
#include "justified.h"

/** In what two verdicts differ, and the field of each aspect that does. */
struct difference {
    unsigned aspects; /* enum aspect bits */
    const char *why[ASPECTS];
};

/** What of `them` differs from `us`, as far as they know. */
struct difference verdicts_differ(const struct verdict *us, const struct verdict *them);

#endif
