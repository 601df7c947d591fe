/* SPDX-License-Identifier: MIT */
#include "ram.h"

#include <string.h>

#include "pager.h"

bool ram_read(struct vm *vm, uint64_t at, void *to, size_t bytes)
{
    if (vm->pager)
        return pager_copy(vm->pager, at, to, bytes, false);
    memcpy(to, vm->memory + at, bytes);
    return true;
}

bool ram_write(struct vm *vm, uint64_t at, const void *from, size_t bytes)
{
    for (uint64_t page = at / PAGER_PAGE; page * PAGER_PAGE < at + bytes; page++)
        vm->wrote[page / 64] |= (uint64_t)1 << page % 64;
    if (vm->pager) /* which reads it alone */
        return pager_copy(vm->pager, at, (void *)(uintptr_t)from, bytes, true);
    memcpy(vm->memory + at, from, bytes);
    return true;
}
