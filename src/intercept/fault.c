/* SPDX-License-Identifier: MIT */
/** A fault code becomes an exception here and nowhere else: vector and error code are ours (R7). */
#include "intercept_private.h"

#define VECTOR_UD 6u  /* AMD APM vol. 2, 8.2.7 */
#define VECTOR_GP 13u /* AMD APM vol. 2, 8.2.14 */

struct svmc_fault svmc_intercept_fault(enum svmc_fault_code code)
{
    struct svmc_fault fault = { .raised = code != SVMC_FAULT_NONE };

    if (code == SVMC_FAULT_GP) {
        fault.vector = VECTOR_GP;
        fault.has_error = 1;
    } else if (code != SVMC_FAULT_NONE) {
        fault.vector = VECTOR_UD;
    }
    return fault;
}
