/* SPDX-License-Identifier: MIT */
/** A sealed file, its VM key and its anchor put in place, so that there is no moment without a key
 *  that opens what is there. */
#ifndef CLI_PUBLISH_H
#define CLI_PUBLISH_H
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "disk.h"
#include "file.h"
#include "keys.h"

struct publish {
    struct out_file out;
    char vmkey[PATH_MAX];
    struct vmkey_file old; /* keys of what is replaced; blobs 0: nothing is */
    uint8_t blob[SVMC_VMKEY_BLOB_BYTES];
    const char *anchor; /* NULL: none */
    uint64_t old_anchor[ANCHORS_MAX];
    uint32_t old_anchors;
    int lock; /* of what is replaced */
    bool replace;
};

/** Whether `path` may be written, and what is there to be replaced. locked: the caller has it open,
 *  exclusively. */
enum cli_status publish_begin(struct publish *w, const char *path, bool replace, bool locked,
                              const char *anchor);

/** All of it; anchor: the value of the new disk. */
enum cli_status publish_commit(struct publish *w, uint64_t anchor);

void publish_drop(struct publish *w);

#endif
