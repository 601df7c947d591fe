/* SPDX-License-Identifier: MIT */
/** What tests of one back end tell those that every back end has to pass (back_end.c). */
#ifndef TESTS_PORT_BACK_END_H
#define TESTS_PORT_BACK_END_H
#include <svmcore/crypto.h>

/** The table under test. */
const struct svmc_crypto_ops *back_end(void);

/** 1 << n for what it must offer: 0 to 2 the AEADs 31 to 33, 3 XTS. */
extern const unsigned back_end_ciphers;

#endif
