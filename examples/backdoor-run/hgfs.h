/* SPDX-License-Identifier: MIT */
/** Shared folders: HGFS, version 1, to be read and not written. */
#ifndef BACKDOOR_RUN_HGFS_H
#define BACKDOOR_RUN_HGFS_H
#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <svmcore/status.h>

#define HGFS_HANDLES 64u

struct hgfs {
    struct hgfs_share {
        const char *name;
        int folder; /* -1: an empty one */
    } * shares;
    size_t count, cap;
    struct hgfs_handle {
        enum { HGFS_FREE, HGFS_FILE, HGFS_ROOT, HGFS_FOLDER } kind;
        int fd;        /* FILE */
        DIR *entries;  /* FOLDER; NULL: an empty one */
        uint32_t next; /* entry */
    } handles[HGFS_HANDLES];
};

/** A share, of a folder or (NULL) of nothing; false: errno. */
bool hgfs_add(struct hgfs *h, const char *name, const char *folder);

/** One request -> its reply, of at most `max` bytes. */
enum svmc_status hgfs_handle(struct hgfs *h, const uint8_t *request, uint32_t n, uint8_t *reply,
                             uint32_t max, uint32_t *bytes);

#endif
