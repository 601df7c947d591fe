/* SPDX-License-Identifier: MIT */
/** The guest's memory, where the keeper itself reads and writes it: what is sealed comes back, and
 *  what is written is noted, for it is in no log of KVM's (KV-11). */
#ifndef RAM_H
#define RAM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm.h"

/** Is all of it memory? */
static inline bool ram_has(const struct vm *vm, uint64_t at, uint64_t bytes)
{
    return at <= vm->memory_bytes && bytes <= vm->memory_bytes - at;
}

/** Copy, of what ram_has. One caller at a time writes. false: a sealed page is not what it was. */
bool ram_read(struct vm *vm, uint64_t at, void *to, size_t bytes);
bool ram_write(struct vm *vm, uint64_t at, const void *from, size_t bytes);

#endif
