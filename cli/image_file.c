/* SPDX-License-Identifier: MIT */
#include "image_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

static const char *words(uint32_t reason)
{
    switch (reason) {
    case SVMC_IMAGE_NOT_ONE:
        return "is no image";
    case SVMC_IMAGE_NEWER:
        return "is of a version that this program has not";
    case SVMC_IMAGE_ALGORITHM:
        return "is sealed with an algorithm that this program has not";
    case SVMC_IMAGE_PURPOSE:
        return "was sealed for something else than an image";
    case SVMC_IMAGE_OLD:
        return "is of an older generation than it has to be";
    case SVMC_IMAGE_WRONG_PARENT:
        return "stands on another image than the one before it; name them in their order";
    case SVMC_IMAGE_WRONG_ROUND:
        return "is not the next round of the migration: one comes twice, or is missing";
    case SVMC_IMAGE_WRONG_SESSION:
        return "is of another migration, or of none";
    case SVMC_IMAGE_CUT:
        return "is cut: bytes are missing at its end";
    case SVMC_IMAGE_LONG:
        return "has bytes behind its end";
    case SVMC_IMAGE_TABLE:
        return "its table of sections makes no sense";
    case SVMC_IMAGE_END:
        return "its end is changed, or another image's";
    case SVMC_IMAGE_INCOMPLETE:
        return "is not complete";
    default:
        return NULL;
    }
}

enum cli_status image_verdict(const char *path, const char *vmkey, uint32_t reason, uint64_t index)
{
    const char *text = words(reason);

    if (reason == SVMC_IMAGE_NONE)
        return CLI_GOOD;
    if (text)
        return cli_fail(CLI_REFUSED, path, "%s", text);
    if (reason == SVMC_IMAGE_OTHER_VM)
        return cli_fail(CLI_KEY, path, "is another VM's than the key in %s", vmkey);
    if (reason == SVMC_IMAGE_HEADER)
        return cli_fail(CLI_REFUSED, path,
                        "its header was changed, or it was sealed with another "
                        "VM key than the one in %s",
                        vmkey);
    if (reason == SVMC_IMAGE_CHANGED || reason == SVMC_IMAGE_MOVED ||
        reason == SVMC_IMAGE_SPLICED || reason == SVMC_IMAGE_SEGMENT) {
        text = reason == SVMC_IMAGE_CHANGED   ? "not what was sealed"
               : reason == SVMC_IMAGE_MOVED   ? "of another place in an image"
               : reason == SVMC_IMAGE_SPLICED ? "of another image"
                                              : "sealed with a subkey that its end does not have";
        return index == UINT64_MAX
                   ? cli_fail(CLI_REFUSED, path, "its table of sections is %s", text)
                   : cli_fail(CLI_REFUSED, path, "chunk %" PRIu64 " is %s", index, text);
    }
    return cli_fail(CLI_SYSTEM, path, "reason %s of enum svmc_image_reason",
                    svmc_image_reason_name((enum svmc_image_reason)reason));
}

static enum cli_status verdict(const struct image_file *f, uint32_t reason, uint64_t index)
{
    return image_verdict(f->path, f->vmkey, reason, index);
}

/* There is one lane, and nobody in it. */
static void drop(struct svmc_image *image, const char *path)
{
    if (svmc_image_drop(image) != SVMC_OK)
        cli_warn(path, "a subkey is still in use");
}

static enum cli_status no_memory(const char *path)
{
    return cli_fail(CLI_SYSTEM, path, "no memory for it");
}

/* ---- open ------------------------------------------------------------------------------------*/

enum cli_status image_file_inspect(struct image_file *f, const char *path, bool exclusive)
{
    enum cli_status status;
    enum svmc_image_reason why;
    size_t n;

    memset(f, 0, sizeof *f);
    f->path = path;
    f->fd = -1;
    status = vmkey_path(f->vmkey, path);
    if (status == CLI_GOOD)
        status = file_open(path, exclusive, &f->fd, &f->bytes);
    if (status != CLI_GOOD)
        return status;
    n = f->bytes < sizeof f->header ? (size_t)f->bytes : sizeof f->header;
    if (!file_read_at(f->fd, 0, f->header, n))
        return cli_fail(CLI_SYSTEM, path, "cannot be read: %s", strerror(errno));
    why = svmc_image_inspect(f->header, n, &f->info);
    if (why == SVMC_IMAGE_HEADER)
        return cli_fail(CLI_REFUSED, path, "its header has numbers that no image has");
    return verdict(f, why, UINT64_MAX);
}

static enum cli_status is_whole(const struct image_file *f)
{
    if (f->bytes < f->info.bytes)
        return cli_fail(CLI_REFUSED, f->path, "is cut: has %" PRIu64 " bytes of %" PRIu64, f->bytes,
                        f->info.bytes);
    return verdict(f, f->bytes > f->info.bytes ? SVMC_IMAGE_LONG : SVMC_IMAGE_NONE, UINT64_MAX);
}

/* The table, and the segments from the end. */
static enum cli_status open_frame(struct image_file *f)
{
    size_t bytes = SVMC_IMAGE_TABLE_BYTES(f->info.sections);
    uint8_t end[SVMC_IMAGE_END_BYTES], *table = malloc(bytes);
    enum svmc_image_reason why;

    f->section = calloc(f->info.sections + 1u, sizeof *f->section);
    f->map = calloc(f->info.sections + 1u, sizeof *f->map);
    if (!table || !f->section || !f->map) {
        free(table);
        return no_memory(f->path);
    }
    if (!file_read_at(f->fd, sizeof f->header, table, bytes) ||
        !file_read_at(f->fd, f->info.bytes - sizeof end, end, sizeof end)) {
        free(table);
        return cli_fail(CLI_SYSTEM, f->path, "cannot be read: %s", strerror(errno));
    }
    why = svmc_image_open_table(&f->image, 0, table, bytes, f->section);
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_open_end(&f->image, end, sizeof end);
    free(table);
    return verdict(f, why, UINT64_MAX);
}

enum cli_status image_file_is_whole(const char *path, const char *why)
{
    struct image_file head;
    enum cli_status status = image_file_inspect(&head, path, false);

    if (status == CLI_GOOD && head.info.kind != SVMC_IMAGE_WHOLE)
        status = cli_fail(CLI_USAGE, path, "is no whole image: %s", why);
    image_file_close(&head);
    return status;
}

static enum cli_status try_key(struct image_file *f, const struct seal_options *o,
                               struct provider *p, const struct svmc_image_name *parent)
{
    const uint8_t *blob = f->keys.blob[f->which];
    struct vault_needs needs = { .alg = f->info.alg };
    struct svmc_image_config config = { .parent = parent,
                                        .marks = f->marks,
                                        .marks_count = f->info.chunks };
    bool moves = f->info.kind == SVMC_IMAGE_ROUND || f->info.kind == SVMC_IMAGE_LAST;
    enum cli_status status;

    vmkey_needs(&needs, blob);
    status = vault_unwrap(&f->vault, &needs, f->info.vm, p, blob, f->vmkey);
    if (status != CLI_GOOD)
        return status;
    config.sealer = &f->vault.sealer;
    config.session = moves ? f->info.session : NULL;
    config.generation = o->has_generation ? o->generation : 0;
    memset(f->marks, 0, (size_t)f->info.chunks * sizeof *f->marks);
    status =
        verdict(f, svmc_image_open(&f->image, &config, f->header, sizeof f->header), UINT64_MAX);
    if (status != CLI_GOOD)
        vault_close(&f->vault);
    return status;
}

enum cli_status image_file_open(struct image_file *f, const char *path, bool exclusive,
                                const struct seal_options *o, struct provider *p,
                                const struct svmc_image_name *parent)
{
    enum cli_status status = image_file_inspect(f, path, exclusive);

    if (status == CLI_GOOD)
        status = is_whole(f);
    if (status == CLI_GOOD)
        status = vmkey_read(&f->keys, f->vmkey);
    if (status != CLI_GOOD)
        return status;
    f->marks = calloc((size_t)f->info.chunks + 1, sizeof *f->marks);
    if (!f->marks)
        return no_memory(path);
    status = CLI_KEY;
    for (f->which = 0; f->which < f->keys.blobs; f->which++) {
        cli_hush(f->which + 1 < f->keys.blobs);
        status = try_key(f, o, p, parent);
        cli_hush(false);
        if (status == CLI_GOOD || status == CLI_STOPPED)
            break;
    }
    return status == CLI_GOOD ? open_frame(f) : status;
}

void image_file_close(struct image_file *f)
{
    if (f->vault.room.at)
        drop(&f->image, f->path);
    vault_close(&f->vault);
    for (uint32_t i = 0; f->map && i < f->info.sections; i++)
        free(f->map[i]);
    free(f->map);
    free(f->section);
    free(f->marks);
    f->map = NULL;
    f->section = NULL;
    f->marks = NULL;
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

/* ---- all of it -------------------------------------------------------------------------------*/

/* What of a chunk is of a map is kept until all of the map is there. */
static enum cli_status keep_maps(struct image_file *f, uint64_t at, const uint8_t *body, size_t n)
{
    for (uint32_t i = 0; i < f->info.sections; i++) {
        const struct svmc_image_section *s = f->section + i;
        uint64_t from = s->offset > at ? s->offset : at, end = s->offset + s->stored;

        if (end > at + n)
            end = at + n;
        if (s->type != SVMC_IMAGE_MAP || from >= end)
            continue;
        if (!f->map[i])
            f->map[i] = calloc(1, (size_t)s->stored);
        if (!f->map[i])
            return no_memory(f->path);
        memcpy(f->map[i] + (from - s->offset), body + (from - at), (size_t)(end - from));
    }
    return CLI_GOOD;
}

/* IM-20: a map fits the memory behind it. */
static enum cli_status check_maps(const struct image_file *f)
{
    for (uint32_t i = 0; i < f->info.sections; i++)
        for (uint32_t k = 0; f->map[i] && k < f->info.sections; k++)
            if (f->section[k].type == SVMC_IMAGE_MEMORY && f->section[k].id == f->section[i].id &&
                !svmc_image_map_check(f->map[i], f->section + k,
                                      f->info.kind == SVMC_IMAGE_DELTA || f->info.round != 0))
                return verdict(f, SVMC_IMAGE_TABLE, UINT64_MAX);
    return CLI_GOOD;
}

static enum cli_status walk_chunk(struct image_file *f, const struct image_sink *sink,
                                  uint64_t index, uint8_t *buffer)
{
    size_t n = svmc_image_chunk_bytes(&f->image, index), bytes = n + SVMC_IMAGE_FRAME_BYTES;
    uint8_t *body = buffer + SVMC_IMAGE_FRAME_BYTES;
    enum cli_status status;

    if (!file_read_at(f->fd, svmc_image_place(&f->image, index), buffer, bytes))
        return errno == 0 ? verdict(f, SVMC_IMAGE_CUT, index)
                          : cli_fail(CLI_SYSTEM, f->path, "cannot be read: %s", strerror(errno));
    status = verdict(f, svmc_image_open_chunk(&f->image, 0, index, buffer, bytes, body), index);
    if (status == CLI_GOOD)
        status = keep_maps(f, index * f->info.chunk_bytes, body, n);
    if (status == CLI_GOOD && sink)
        status = sink->take(sink->ctx, index, body, n);
    return status;
}

enum cli_status image_walk(struct image_file *f, const struct image_sink *sink, const char *what,
                           struct svmc_image_name *name)
{
    uint8_t end[SVMC_IMAGE_END_BYTES], *buffer;
    enum cli_status status = CLI_GOOD;
    struct key_room room;

    if (key_room_open(&room, SVMC_IMAGE_FRAME_BYTES + f->info.chunk_bytes) != CLI_GOOD)
        return CLI_SYSTEM;
    buffer = key_room_take(&room, SVMC_IMAGE_FRAME_BYTES + f->info.chunk_bytes);
    for (uint64_t i = 0; i < f->info.chunks && status == CLI_GOOD; i++) {
        cli_progress(what, i, f->info.chunks);
        if (cli_stopped)
            status = cli_fail(CLI_STOPPED, f->path, "stopped; nothing is changed");
        if (status == CLI_GOOD)
            status = walk_chunk(f, sink, i, buffer);
    }
    cli_progress(NULL, 0, 0);
    key_room_close(&room);
    if (status == CLI_GOOD)
        status = check_maps(f);
    if (status == CLI_GOOD && !file_read_at(f->fd, f->info.bytes - sizeof end, end, sizeof end))
        status = cli_fail(CLI_SYSTEM, f->path, "cannot be read: %s", strerror(errno));
    if (status == CLI_GOOD)
        status = verdict(f, svmc_image_close(&f->image, end, sizeof end, name), UINT64_MAX);
    return status;
}

/* ---- seal ------------------------------------------------------------------------------------*/

static enum cli_status seal_chunks(const struct image_source *source, struct svmc_image *image,
                                   uint64_t chunks, uint32_t chunk_bytes, struct publish *w)
{
    const size_t room_bytes = SVMC_IMAGE_FRAME_BYTES + chunk_bytes;
    enum cli_status status = CLI_GOOD;
    struct key_room room;
    uint8_t *out;

    if (key_room_open(&room, room_bytes) != CLI_GOOD)
        return CLI_SYSTEM;
    out = key_room_take(&room, room_bytes);
    for (uint64_t i = 0; i < chunks && status == CLI_GOOD; i++) {
        size_t n = svmc_image_chunk_bytes(image, i);
        uint8_t *body = out + SVMC_IMAGE_FRAME_BYTES;

        cli_progress("sealing", i, chunks);
        if (cli_stopped)
            status = cli_fail(CLI_STOPPED, w->out.path, "stopped; nothing is changed");
        if (status == CLI_GOOD)
            status = source->give(source->ctx, i * chunk_bytes, body, n);
        if (status == CLI_GOOD)
            status = image_verdict(w->out.path, w->vmkey,
                                   svmc_image_seal_chunk(image, 0, i, body, out), i);
        if (status == CLI_GOOD &&
            !file_write_at(w->out.fd, svmc_image_place(image, i), out, n + SVMC_IMAGE_FRAME_BYTES))
            status = cli_fail(CLI_SYSTEM, w->out.path, "cannot be written: %s", strerror(errno));
    }
    cli_progress(NULL, 0, 0);
    key_room_close(&room);
    return status;
}

enum cli_status image_seal(const struct image_source *source, struct vault *v, struct publish *w)
{
    const uint32_t chunk_bytes = source->chunk_bytes ? source->chunk_bytes : SVMC_IMAGE_CHUNK_BYTES;
    const size_t table_bytes = SVMC_IMAGE_TABLE_BYTES(source->sections);
    struct svmc_image_config config = { .sealer = &v->sealer,
                                        .generation = source->generation,
                                        .kind = SVMC_IMAGE_WHOLE,
                                        .chunk_bytes = chunk_bytes };
    uint8_t end[SVMC_IMAGE_END_BYTES], *head;
    enum cli_status status;
    struct svmc_image image = { 0 };
    struct svmc_image_name name;
    enum svmc_image_reason why;
    uint64_t body;

    if (!svmc_image_layout(source->section, source->sections, &body))
        return cli_fail(CLI_USAGE, w->out.path,
                        "these sections make no sense: one comes twice, or "
                        "memory overlaps or is no whole pages");
    config.marks_count = (body + chunk_bytes - 1) / chunk_bytes;
    config.marks = calloc((size_t)config.marks_count + 1, sizeof *config.marks);
    head = calloc(1, SVMC_IMAGE_HEADER_BYTES + table_bytes);
    if (!config.marks || !head) {
        free(config.marks);
        free(head);
        return no_memory(w->out.path);
    }
    why = svmc_image_begin(&image, &config, source->section, source->sections, head,
                           head + SVMC_IMAGE_HEADER_BYTES);
    status = image_verdict(w->out.path, w->vmkey, why, UINT64_MAX);
    if (status == CLI_GOOD)
        status = seal_chunks(source, &image, config.marks_count, chunk_bytes, w);
    if (status == CLI_GOOD)
        status =
            image_verdict(w->out.path, w->vmkey, svmc_image_end(&image, end, &name), UINT64_MAX);
    if (status == CLI_GOOD &&
        (!file_write_at(w->out.fd, 0, head, SVMC_IMAGE_HEADER_BYTES + table_bytes) ||
         !file_write_at(w->out.fd, svmc_image_place(&image, config.marks_count), end, sizeof end)))
        status = cli_fail(CLI_SYSTEM, w->out.path, "cannot be written: %s", strerror(errno));
    drop(&image, w->out.path);
    free(config.marks);
    free(head);
    return status == CLI_GOOD ? publish_commit(w, 0) : status;
}
