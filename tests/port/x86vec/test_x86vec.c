/* SPDX-License-Identifier: MIT */
/* The processor's floating point for the executor: docs/spec/exec.md, XE-60, XE-64. */
#include <string.h>
#include <svmcore/port/x86vec.h>

#include "../../harness.h"

TEST(x86vec, placeholder)
{
    struct svmc_x86vec v;
    CHECK_EQ(svmc_x86vec_open(&v), SVMC_OK);
}
