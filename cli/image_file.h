/* SPDX-License-Identifier: MIT */
/** Images in files: made of sections, opened whole, taken apart. */
#ifndef CLI_IMAGE_FILE_H
#define CLI_IMAGE_FILE_H
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <svmcore/image.h>

#include "keys.h"
#include "options.h"
#include "publish.h"
#include "say.h"

/** An image that is read. */
struct image_file {
    const char *path;
    char vmkey[PATH_MAX];
    int fd;
    uint64_t bytes;
    struct svmc_image_info info;
    uint8_t header[SVMC_IMAGE_HEADER_BYTES];
    struct svmc_image_section *section;
    uint32_t *marks;
    uint8_t **map; /* of each section that is one; else NULL */
    struct vault vault;
    struct vmkey_file keys;
    uint32_t which;
    struct svmc_image image;
};

/** Read the header. Wants no key, and does not mind an image that is cut or too long. */
enum cli_status image_file_inspect(struct image_file *f, const char *path, bool exclusive);

/** Refuses what is no whole image, before a key is asked for; why: what it is not good for. */
enum cli_status image_file_is_whole(const char *path, const char *why);

/** And open it. parent: the image before it, or NULL; session: of its migration, or NULL. */
enum cli_status image_file_open(struct image_file *f, const char *path, bool exclusive,
                                const struct seal_options *o, struct provider *p,
                                const struct svmc_image_name *parent);
void image_file_close(struct image_file *f);

/** Who gets the body, chunk by chunk. */
struct image_sink {
    enum cli_status (*take)(void *ctx, uint64_t index, const uint8_t *body, size_t n);
    void *ctx;
};

/** Open all of it, and check its maps; sink NULL: release nothing. */
enum cli_status image_walk(struct image_file *f, const struct image_sink *sink, const char *what,
                           struct svmc_image_name *name);

/** What is wrong: `index` of a chunk, or UINT64_MAX. */
enum cli_status image_verdict(const char *path, const char *vmkey, uint32_t reason, uint64_t index);

/** Where the body of a new image comes from. */
struct image_source {
    struct svmc_image_section *section;
    size_t sections;
    uint64_t generation;
    uint32_t chunk_bytes; /* 0: the usual ones */
    enum cli_status (*give)(void *ctx, uint64_t at, uint8_t *body, size_t n);
    void *ctx;
};

/** Seal it into what `w` begins, and put it in place. */
enum cli_status image_seal(const struct image_source *source, struct vault *v, struct publish *w);

/** The commands. */
enum cli_status image_create(const struct seal_options *o, const char *path);
enum cli_status image_extract(const struct seal_options *o, const char *path, const char *folder);

#endif
