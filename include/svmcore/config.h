/* SPDX-License-Identifier: MIT */
/** How the headers adapt to the compiler. There is nothing to configure here yet: no build switch
 * changes an ABI. */
#ifndef SVMCORE_CONFIG_H
#define SVMCORE_CONFIG_H

#if defined(__GNUC__) || defined(__clang__)
#define SVMC_API       __attribute__((visibility("default")))
#define SVMC_NODISCARD __attribute__((warn_unused_result))
#else
#define SVMC_API
#define SVMC_NODISCARD
#endif

#endif
