/* SPDX-License-Identifier: MIT */
/** Files: read whole, written beside and put in place in one step, and as the store of a disk. */
#ifndef CLI_FILE_H
#define CLI_FILE_H
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <svmcore/disk.h>

#include "say.h"

/** A file that is not there yet. Without out_commit nothing of it stays; cut off before, too. */
struct out_file {
    const char *path;
    int fd;                /* -1: none */
    char beside[PATH_MAX]; /* its name until then; empty: it has none */
};

enum cli_status out_begin(struct out_file *out, const char *path);

/** For good, and in place: replace: of what is there; else a file that is there is an error. */
enum cli_status out_commit(struct out_file *out, bool replace);

/** Nothing happens to what is committed. */
void out_drop(struct out_file *out);

/** The same for a few bytes. */
enum cli_status out_write(const char *path, const void *bytes, size_t n, bool replace);

/** All of a small file. *n: what it has; more than cap: CLI_REFUSED. */
enum cli_status file_slurp(const char *path, void *bytes, size_t cap, size_t *n);

/** A regular file, or a block device, to be read; it is locked against another svmcore, for the
 *  time that it is open. exclusive: to be replaced. */
enum cli_status file_open(const char *path, bool exclusive, int *fd, uint64_t *bytes);

/** Little-endian, as all numbers of a file. */
static inline uint32_t file_le32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

bool file_read_at(int fd, uint64_t at, void *bytes, size_t n);
bool file_write_at(int fd, uint64_t at, const void *bytes, size_t n);

/** A disk's store in a file: docs/spec/disk.md. */
struct file_store {
    struct svmc_disk_store ops;
    int fd;
    int error;       /* errno of what failed last; 0: it ended too early */
    uint64_t anchor; /* what was given last */
};

/** wants_anchor: it keeps the value, for who writes it down. */
void file_store_init(struct file_store *store, int fd, bool wants_anchor);

#endif
