/* SPDX-License-Identifier: MIT */
/** Slots of code for two words each, and the way in and out: with or without a C library. */
#ifndef TESTS_A64_SLOT_H
#define TESTS_A64_SLOT_H
#include "a64_stub.h"

/* Of the program while a slot runs: SP, TPIDR_EL0, the machine. */
extern uint64_t stub_host[3];
int stub_enter(struct stub_machine *m);
void stub_exit(void), stub_leave(void);

/** Once, where the page of slots is mapped. */
void slot_lay(void);
/** True: they are others than before; flush. */
bool slot_put(unsigned slot, uint32_t first, uint32_t second);
/** Where its code begins. */
uint64_t slot_entry(unsigned slot);
void slot_flush(void);

#endif
