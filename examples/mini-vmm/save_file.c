/* SPDX-License-Identifier: MIT */
/** Files of a saved VM: a whole one, then deltas in their order. Nothing of them is believed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "save.h"

#define FILE_MAX ((off_t)1 << 30)

static bool refuse(char *why, size_t cap, const char *what, const char *detail)
{
    snprintf(why, cap, "%s: %.120s", what, detail);
    return false;
}

static uint8_t *read_file(const char *path, size_t *n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    uint8_t *bytes = NULL;
    ssize_t done = -1;

    if (fd >= 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_size <= FILE_MAX &&
        (bytes = malloc((size_t)about.st_size + 1)) != NULL)
        done = read(fd, bytes, (size_t)about.st_size);
    if (fd >= 0)
        close(fd);
    if (done < 0) {
        free(bytes);
        return NULL;
    }
    *n = (size_t)done;
    return bytes;
}

/* The id of the image in a file: hearsay, for a message. */
static bool has_id(const char *path, const uint8_t id[SVMC_IMAGE_ID_BYTES])
{
    struct svmc_image_info info;
    size_t n = 0;
    uint8_t *file = read_file(path, &n);
    bool has = file && n > SEALING_HEAD_BYTES &&
               svmc_image_inspect(file + SEALING_HEAD_BYTES, n - SEALING_HEAD_BYTES, &info) ==
                   SVMC_IMAGE_NONE &&
               memcmp(info.id, id, SVMC_IMAGE_ID_BYTES) == 0;

    free(file);
    return has;
}

/* What is wrong with a delta, in more words than its reason. */
static const char *hint(const char *const *path, uint32_t paths, uint32_t at, const uint8_t *image,
                        size_t bytes, enum svmc_image_reason no)
{
    struct svmc_image_info info;

    if (svmc_image_inspect(image, bytes, &info) != SVMC_IMAGE_NONE)
        return "";
    if (no == SVMC_IMAGE_OLD)
        return ": older than what is asked for, or than what it is laid on";
    if (no != SVMC_IMAGE_WRONG_PARENT)
        return "";
    if (at == 0)
        return ": a delta, and its base comes first";
    if (info.kind != SVMC_IMAGE_DELTA)
        return ": not a delta";
    for (uint32_t i = 0; i < paths; i++)
        if (has_id(path[i], info.parent))
            return ": its parent is not the one before it: another order";
    return ": its parent is not among these files: one is missing";
}

/* One file. The first one's key is that of all. */
static bool take_file(struct save *s, const char *const *path, uint32_t paths, uint32_t at,
                      struct sealing *sealing, uint32_t protect, char *why, size_t cap)
{
    const struct save_step step = { .parent = at > 0 ? &s->name : NULL };
    struct svmc_image_name name;
    enum svmc_image_reason no;
    size_t n = 0;
    uint8_t *file = read_file(path[at], &n);
    bool good = false;

    if (!file)
        return refuse(why, cap, path[at], errno ? strerror(errno) : "no regular file");
    if (n < SEALING_HEAD_BYTES) {
        refuse(why, cap, path[at], "no saved VM, or cut");
    } else if (at > 0 || save_take_head(s, file, sealing, protect, why, cap)) {
        no = save_open(s, sealing, &step, file + SEALING_HEAD_BYTES, n - SEALING_HEAD_BYTES, &name);
        if (no == SVMC_IMAGE_NONE && !svmc_image_may_run(&name))
            no = SVMC_IMAGE_INCOMPLETE; /* a round of a migration */
        good = no == SVMC_IMAGE_NONE || save_no_image(why, cap, no);
        if (good)
            s->name = name;
        else if (paths > 1 || no == SVMC_IMAGE_WRONG_PARENT)
            snprintf(why + strlen(why), cap - strlen(why), "%s (%.60s)",
                     hint(path, paths, at, file + SEALING_HEAD_BYTES, n - SEALING_HEAD_BYTES, no),
                     path[at]);
    }
    free(file);
    return good;
}

bool save_read(struct save *s, const char *const *path, uint32_t paths, struct sealing *sealing,
               uint32_t protect, char *why, size_t cap)
{
    uint64_t generation = s->generation;
    bool good = true;

    for (uint32_t i = 0; good && i < paths; i++) {
        s->generation = i + 1 < paths ? 0 : generation; /* what is asked for is the last one */
        good = take_file(s, path, paths, i, sealing, protect, why, cap);
    }
    s->generation = generation;
    return good;
}
