/* SPDX-License-Identifier: MIT */
/** The memory of the traced program, and windows of it for the library's callbacks. */
#ifndef BACKDOOR_RUN_MEMORY_H
#define BACKDOOR_RUN_MEMORY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <svmcore/host.h>

#define MEMORY_PAGE 4096u

/** The memory of a program, however it is reached. All or nothing. */
struct memory {
    bool (*read)(void *ctx, uint64_t at, void *to, size_t n);
    /* of one page, where the program itself may write */
    bool (*write)(void *ctx, uint64_t at, const void *from, size_t n);
    bool (*writable)(void *ctx, uint64_t page);
    void *ctx;
};

/* ---- of a traced process -------------------------------------------------------------------- */

/** Up to n bytes, as far as they can be read; how many. */
size_t memory_peek(pid_t pid, uint64_t at, void *to, size_t n);
/** All n bytes, or false. */
bool memory_read(pid_t pid, uint64_t at, void *to, size_t n);
/** Code, whatever its protection: a private copy of the page is made. */
bool memory_poke(pid_t pid, uint64_t at, const void *from, size_t n);
/** *pid must stay. */
struct memory memory_of(pid_t *pid);

/* ---- for the library's callbacks ------------------------------------------------------------ */

/**
 * Pages that the library has asked for in one call. The program's other threads run on meanwhile,
 * so only bytes that have changed are written back.
 */
struct windows {
    struct memory memory;
    struct window *list;
    size_t count;
    bool gone; /* a page was there at first, and then not */
};

enum svmc_status windows_translate(struct windows *w, svmc_gva at, uint32_t access, svmc_gpa *out,
                                   struct svmc_fault *fault);
enum svmc_status windows_span(struct windows *w, svmc_gpa at, size_t n, uint32_t access,
                              void **span);
/** Write back what was changed, and forget all. */
void windows_close(struct windows *w);

#endif
