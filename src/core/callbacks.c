/* SPDX-License-Identifier: MIT */
#include "callbacks.h"
#include "memory.h"

#define VECTORS 32u /* exceptions: AMD APM vol. 2, 8.2 */
#define CODES   64u /* of s390x; translation has those up to 3b: PoP 6; exception classes of A64 */

CORE_COLD bool svmc_core_is_fault(const struct svmc_fault *fault, bool x86)
{
    return fault->raised == 1 && fault->has_error <= 1 && fault->vector < (x86 ? VECTORS : CODES);
}
