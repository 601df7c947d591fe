/* SPDX-License-Identifier: MIT */
/** A sealed disk in a file, and copies between disks in any form. */
#ifndef CLI_DISK_H
#define CLI_DISK_H
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <svmcore/disk.h>

#include "file.h"
#include "keys.h"
#include "options.h"
#include "say.h"

/** A sealed disk that is open, with the key that it opens with. */
struct disk_file {
    const char *path;
    char vmkey[PATH_MAX]; /* FILE.vmkey */
    int fd;               /* read: ours; made: of the out_file */
    uint64_t bytes;       /* that are there */
    struct file_store store;
    struct svmc_disk_info info;
    struct svmc_disk_config config;
    struct svmc_disk disk;
    struct key_room memory; /* of the disk: a key may be in it, and opened sectors */
    struct vault vault;
    struct vmkey_file keys;
    uint32_t which; /* of keys: the blob that opens it */
    uint64_t anchor;
};

/** Read the header. Wants no key, and does not mind a disk that is cut. */
enum cli_status disk_file_inspect(struct disk_file *d, const char *path, bool exclusive);

/** And open it. */
enum cli_status disk_file_open(struct disk_file *d, const char *path, bool exclusive,
                               const struct seal_options *o, struct provider *p);

/** A new disk in `fd`. Its vault is there; config: sectors, mode, sector_bytes, journal. */
enum cli_status disk_file_make(struct disk_file *d, const char *path, int fd, bool anchored);

void disk_file_close(struct disk_file *d);

/** What is wrong, where svmc_disk_ says no. */
enum cli_status disk_verdict(const struct disk_file *d, enum svmc_status st,
                             const struct svmc_disk_result *result);

/** One side of a copy: a sealed disk, or raw bytes. */
struct disk_side {
    const char *path;
    int fd;                   /* raw */
    struct disk_file *sealed; /* NULL: raw */
};

/** Copy all of it. What is zero is left out where it reads as zeros anyway. */
enum cli_status disk_copy(const struct disk_side *from, const struct disk_side *to, uint64_t bytes,
                          const char *what);

/** Read and keep anchors: a file of a line for each, of 16 hexadecimal digits; two while a change
 *  is under way. */
#define ANCHORS_MAX 2u
enum cli_status anchors_read(const char *path, uint64_t anchor[ANCHORS_MAX], uint32_t *count);
enum cli_status anchors_write(const char *path, const uint64_t *anchor, uint32_t count);

#endif
