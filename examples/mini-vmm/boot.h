/* SPDX-License-Identifier: MIT */
/** What a guest finds at its first instruction: memory, tables, registers, all else noise. */
#ifndef BOOT_H
#define BOOT_H
#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOT_FS_BASE 0xfe000000u /* the MMIO device, for accesses through FS and GS */
#define BOOT_GS_BASE (BOOT_FS_BASE - 0x1000u)

/** The next word of the noise whose state is *state. */
uint64_t boot_noise(uint64_t *state);

/** Fill `memory` (BOOT_RAM_BYTES): noise, tables, boot page with `secret`, the image. */
void boot_memory(uint8_t *memory, uint64_t noise, uint64_t flags, uint32_t cpus,
                 const uint8_t secret[16], const uint8_t *image, size_t image_bytes);

/** Registers of processor `id` at entry: noise but for what long mode needs, its stack, its id. */
void boot_registers(uint32_t id, uint64_t noise, struct kvm_regs *regs, struct kvm_sregs *sregs,
                    struct kvm_fpu *fpu);

/** Read a flat guest image; the caller frees *image. false: `why` says so. */
bool boot_read_image(const char *path, uint8_t **image, size_t *bytes, char *why, size_t cap);

#endif
