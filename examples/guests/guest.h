/* SPDX-License-Identifier: MIT */
/** The guest's own pieces: io.S, mmio.S, start.S. */
#ifndef GUEST_H
#define GUEST_H
#include "cpu.h"

void out8(unsigned port, unsigned value);
void out16(unsigned port, unsigned value);
void out32(unsigned port, unsigned value);
uint64_t in8(unsigned port);
uint64_t in16(unsigned port);
uint64_t in32(unsigned port);
void out8_imm(unsigned unused, unsigned value);
uint64_t in8_imm(unsigned unused);
uint64_t rep_ins8(unsigned port, void *buffer, uint64_t count);
uint64_t rep_ins16(unsigned port, void *buffer, uint64_t count);
uint64_t rep_ins16_down(unsigned port, void *buffer, uint64_t count);
uint64_t rep_ins32(unsigned port, void *buffer, uint64_t count);
uint64_t rep_outs8(unsigned port, const void *buffer, uint64_t count);
uint64_t rep_outs16(unsigned port, const void *buffer, uint64_t count);
uint64_t rep_outs32(unsigned port, const void *buffer, uint64_t count);
uint64_t read_msr(unsigned index);
void write_msr(unsigned index, uint64_t value);
uint64_t idle(void);
uint64_t hypercall(uint64_t control, uint64_t arg[6]);

void stos8(uint64_t device, uint64_t value, uint64_t count);
void stos64(uint64_t device, uint64_t value, uint64_t count);
void movs32_out(uint64_t device, const void *memory, uint64_t count);
void movs8_in(uint64_t device, void *memory, uint64_t count);
uint64_t lods32(uint64_t device, const void *unused, uint64_t count);
void copy16(void *to, const void *from);

/* mmio.S: every form of mmio.def */
#define STORE(name, bytes)               uint64_t name(uint64_t value);
#define IMMEDIATE(name, bytes, value)    uint64_t name(uint64_t unused);
#define MODIFY(name, bytes, result)      uint64_t name(uint64_t value);
#define LOAD(name, from, to, sign, high) uint64_t name(void);
#include "mmio.def"
#undef STORE
#undef IMMEDIATE
#undef MODIFY
#undef LOAD

#endif
