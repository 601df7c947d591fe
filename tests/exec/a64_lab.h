/* SPDX-License-Identifier: MIT */
/** The guest of exec_lab.h with the registers of AArch64. */
#ifndef TESTS_A64_LAB_H
#define TESTS_A64_LAB_H
#include "exec_lab.h"

#define A64_DATA (LAB_LINEAR + 0x100) /* X2 at the start */

/* EL1, little-endian, nothing checked, SIMD enabled; X2 and SP point into memory, all else is 0. */
void a64_lab_open(struct exec_lab *lab);
/* 64 bytes at linear: 0x10, 0x11, 0x12, ... */
void a64_lab_count_up(struct exec_lab *lab, uint64_t linear);

#endif
