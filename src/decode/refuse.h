/* SPDX-License-Identifier: MIT */
/** What a decoder leaves of a result that it refuses. */
#ifndef DECODE_REFUSE_H
#define DECODE_REFUSE_H
#include <svmcore/insn.h>

/** *out all zero but refusal (DE-13). Returns st. */
enum svmc_status svmc_decode_refuse(enum svmc_status st, uint8_t why, struct svmc_insn *out);

#endif
