/* SPDX-License-Identifier: MIT */
/* Images made of files, a section each, and taken apart into a folder. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "image_file.h"
#include "make.h"

/* A section with what it comes from; a map comes from nothing but its memory. */
struct part {
    struct svmc_image_section section;
    const char *path;
    uint8_t *bytes; /* the file, mapped; a map: made */
    size_t size;
    int fd;
    const struct part *map; /* memory: its map */
    uint64_t page, before;  /* memory: the next page to look at, and how many are here before it */
};

static const struct {
    const char *name;
    uint32_t type;
} types[] = {
    { "memory", SVMC_IMAGE_MEMORY },
    { "context", SVMC_IMAGE_CONTEXT },
    { "device", SVMC_IMAGE_DEVICE },
    { "state", SVMC_IMAGE_STATE },
};

static const char *type_name(uint32_t type)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].type == type)
            return types[i].name;
    return type == SVMC_IMAGE_MAP ? "map" : "own";
}

/* ---- create ----------------------------------------------------------------------------------*/

static bool number(const char **text, uint64_t max, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(*text, &end, 0);
    if (errno != 0 || end == *text || **text == '-' || **text == '+' || *value > max)
        return false;
    *text = end;
    return true;
}

/* TYPE:ID[@ADDRESS]=FILE */
static bool cut_section(struct part *part, const char *text)
{
    const char *colon = strchr(text, ':');
    uint64_t type = 0, id;

    if (!colon)
        return false;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strlen(types[i].name) == (size_t)(colon - text) &&
            strncmp(text, types[i].name, (size_t)(colon - text)) == 0)
            type = types[i].type;
    if (type == 0 && (!number(&text, UINT32_MAX, &type) || text != colon || type < SVMC_IMAGE_OWN))
        return false;
    text = colon + 1;
    if (!number(&text, UINT32_MAX, &id))
        return false;
    if (type == SVMC_IMAGE_MEMORY &&
        (*text++ != '@' || !number(&text, UINT64_MAX, &part->section.at)))
        return false;
    part->section.type = (uint32_t)type;
    part->section.id = (uint32_t)id;
    part->path = text + 1;
    return text[0] == '=' && text[1] != 0;
}

static enum cli_status open_part(struct part *part)
{
    uint64_t bytes;
    enum cli_status status = file_open(part->path, false, &part->fd, &bytes);

    if (status != CLI_GOOD)
        return status;
    if (bytes == 0 || (part->section.type == SVMC_IMAGE_MEMORY && bytes % SVMC_IMAGE_PAGE != 0))
        return cli_fail(CLI_USAGE, part->path, "is empty, or memory that is no whole pages");
    part->size = (size_t)bytes;
    part->bytes = mmap(NULL, part->size, PROT_READ, MAP_PRIVATE, part->fd, 0);
    if (part->bytes == MAP_FAILED) {
        part->bytes = NULL;
        return cli_fail(CLI_SYSTEM, part->path, "cannot be read: %s", strerror(errno));
    }
    part->section.bytes = part->section.stored = bytes;
    return CLI_GOOD;
}

/* IM-19: zeros take no room. */
static enum cli_status map_part(struct part *map, struct part *memory)
{
    uint64_t pages = memory->section.bytes / SVMC_IMAGE_PAGE;

    map->section = memory->section;
    map->section.type = SVMC_IMAGE_MAP;
    map->path = memory->path;
    map->section.stored = map->size = (size_t)SVMC_IMAGE_MAP_BYTES(pages);
    map->bytes = calloc(1, map->size);
    if (!map->bytes)
        return cli_fail(CLI_SYSTEM, memory->path, "no memory for it");
    memory->section.stored =
        SVMC_IMAGE_PAGE * svmc_image_map_make(map->bytes, pages, memory->bytes, NULL);
    return CLI_GOOD;
}

static int by_type_and_id(const void *a, const void *b)
{
    const struct svmc_image_section *x = &((const struct part *)a)->section;
    const struct svmc_image_section *y = &((const struct part *)b)->section;

    if (x->type != y->type)
        return x->type < y->type ? -1 : 1;
    return x->id == y->id ? 0 : x->id < y->id ? -1 : 1;
}

struct parts {
    struct part part[2 * SECTIONS_MAX];
    struct svmc_image_section section[2 * SECTIONS_MAX];
    size_t count;
};

/* Bytes of a memory section are pages that are here, one behind the other. They are asked for in
   their order, so that the search goes on where it was. */
static void give_pages(struct part *part, uint64_t at, uint8_t *to, size_t n)
{
    uint64_t pages = part->section.bytes / SVMC_IMAGE_PAGE;

    for (size_t done = 0; done < n;) {
        uint64_t wanted = (at + done) / SVMC_IMAGE_PAGE;
        size_t in_page = (size_t)((at + done) % SVMC_IMAGE_PAGE);
        size_t left = SVMC_IMAGE_PAGE - in_page < n - done ? SVMC_IMAGE_PAGE - in_page : n - done;
        uint64_t page = svmc_image_map_next(part->map->bytes, pages, part->page, SVMC_IMAGE_HERE);

        while (part->before < wanted) {
            part->before++;
            part->page = page + 1;
            page = svmc_image_map_next(part->map->bytes, pages, part->page, SVMC_IMAGE_HERE);
        }
        memcpy(to + done, part->bytes + page * SVMC_IMAGE_PAGE + in_page, left);
        done += left;
    }
}

static enum cli_status give(void *ctx, uint64_t at, uint8_t *body, size_t n)
{
    struct parts *parts = ctx;

    memset(body, 0, n);
    for (size_t i = 0; i < parts->count; i++) {
        const struct svmc_image_section *s = parts->section + i;
        struct part *part = parts->part + i;
        uint64_t from = s->offset > at ? s->offset : at, end = s->offset + s->stored;

        if (end > at + n)
            end = at + n;
        if (from >= end)
            continue;
        if (s->type == SVMC_IMAGE_MEMORY)
            give_pages(part, from - s->offset, body + (from - at), (size_t)(end - from));
        else
            memcpy(body + (from - at), part->bytes + (from - s->offset), (size_t)(end - from));
    }
    return CLI_GOOD;
}

static enum cli_status gather(struct parts *parts, const struct seal_options *o)
{
    enum cli_status status = CLI_GOOD;

    for (uint32_t i = 0; i < o->sections && status == CLI_GOOD; i++) {
        struct part *part = parts->part + parts->count++;

        part->fd = -1;
        if (!cut_section(part, o->section[i]))
            return cli_fail(CLI_USAGE, o->section[i],
                            "--section wants memory:ID@ADDRESS=FILE, or context, device, state or "
                            "a number from 0x1000 on, and :ID=FILE");
        status = open_part(part);
        if (status == CLI_GOOD && part->section.type == SVMC_IMAGE_MEMORY) {
            part[1].fd = -1;
            parts->count++;
            status = map_part(part + 1, part);
        }
    }
    qsort(parts->part, parts->count, sizeof parts->part[0], by_type_and_id);
    for (size_t i = 0; i < parts->count; i++) {
        parts->section[i] = parts->part[i].section;
        for (size_t k = 0; k < parts->count; k++)
            if (parts->part[k].section.type == SVMC_IMAGE_MAP &&
                parts->part[k].section.id == parts->part[i].section.id)
                parts->part[i].map = parts->part + k;
    }
    return status;
}

static void scatter(struct parts *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        struct part *part = parts->part + i;

        if (part->section.type == SVMC_IMAGE_MAP)
            free(part->bytes);
        else if (part->bytes)
            (void)munmap(part->bytes, part->size);
        if (part->fd >= 0)
            close(part->fd);
    }
}

enum cli_status image_create(const struct seal_options *o, const char *path)
{
    const struct vault_needs needs = { o->alg, 0, VAULT_BLOB_ALG, VAULT_DERIVE };
    struct image_source source = { .generation = o->generation, .give = give };
    struct parts *parts = calloc(1, sizeof *parts);
    uint8_t vm[SVMC_VM_ID_BYTES];
    enum cli_status status;
    struct provider p;
    struct publish w;
    struct vault v;

    if (!parts)
        return cli_fail(CLI_SYSTEM, path, "no memory for it");
    status = publish_begin(&w, path, o->force, false, NULL);
    if (status == CLI_GOOD)
        status = gather(parts, o);
    if (status == CLI_GOOD)
        status = vm_name(o, vm);
    if (status == CLI_GOOD)
        status = provider_open(&p, &o->provider);
    if (status == CLI_GOOD) {
        status = vault_create(&v, &needs, vm);
        if (status == CLI_GOOD)
            status = vault_wrap(&v, &p, w.blob);
        source.section = parts->section;
        source.sections = parts->count;
        source.ctx = parts;
        if (status == CLI_GOOD)
            status = image_seal(&source, &v, &w);
        vault_close(&v);
        provider_close(&p);
    }
    publish_drop(&w);
    scatter(parts);
    free(parts);
    return status;
}

/* ---- extract ---------------------------------------------------------------------------------*/

struct extract {
    struct image_file *f;
    const char *folder;
    int *fd;                 /* of each section; -1: none */
    char (*name)[PATH_MAX];  /* of each section's file */
    uint64_t *page, *before; /* of memory, as in struct part */
};

static const uint8_t *map_of(const struct image_file *f, uint32_t id)
{
    for (uint32_t i = 0; i < f->info.sections; i++)
        if (f->section[i].type == SVMC_IMAGE_MAP && f->section[i].id == id)
            return f->map[i];
    return NULL;
}

/* Pages go where they were, the others stay a hole. */
static bool take_pages(struct extract *x, uint32_t i, uint64_t at, const uint8_t *from, size_t n)
{
    const struct svmc_image_section *s = x->f->section + i;
    const uint8_t *map = map_of(x->f, s->id);
    uint64_t pages = s->bytes / SVMC_IMAGE_PAGE;

    for (size_t done = 0; map && done < n;) {
        uint64_t wanted = (at + done) / SVMC_IMAGE_PAGE;
        size_t in_page = (size_t)((at + done) % SVMC_IMAGE_PAGE);
        size_t left = SVMC_IMAGE_PAGE - in_page < n - done ? SVMC_IMAGE_PAGE - in_page : n - done;
        uint64_t page = svmc_image_map_next(map, pages, x->page[i], SVMC_IMAGE_HERE);

        while (x->before[i] < wanted && page < pages) {
            x->before[i]++;
            x->page[i] = page + 1;
            page = svmc_image_map_next(map, pages, x->page[i], SVMC_IMAGE_HERE);
        }
        if (page == pages) { /* the map does not fit: image_walk says so */
            errno = EINVAL;
            return false;
        }
        if (!file_write_at(x->fd[i], page * SVMC_IMAGE_PAGE + in_page, from + done, left))
            return false;
        done += left;
    }
    return map != NULL;
}

static enum cli_status take(void *ctx, uint64_t index, const uint8_t *body, size_t n)
{
    struct extract *x = ctx;
    uint64_t at = index * x->f->info.chunk_bytes;

    for (uint32_t i = 0; i < x->f->info.sections; i++) {
        const struct svmc_image_section *s = x->f->section + i;
        uint64_t from = s->offset > at ? s->offset : at, end = s->offset + s->stored;
        bool good;

        if (end > at + n)
            end = at + n;
        if (x->fd[i] < 0 || from >= end)
            continue;
        if (s->type == SVMC_IMAGE_MEMORY)
            good = take_pages(x, i, from - s->offset, body + (from - at), (size_t)(end - from));
        else
            good =
                file_write_at(x->fd[i], from - s->offset, body + (from - at), (size_t)(end - from));
        if (!good)
            return cli_fail(CLI_SYSTEM, x->name[i], "cannot be written: %s", strerror(errno));
    }
    return CLI_GOOD;
}

/* A file for each section but maps: TYPE-ID, of own types TYPE-NUMBER-ID. */
static enum cli_status make_files(struct extract *x)
{
    for (uint32_t i = 0; i < x->f->info.sections; i++) {
        const struct svmc_image_section *s = x->f->section + i;
        uint64_t bytes = s->type == SVMC_IMAGE_MEMORY ? s->bytes : s->stored;
        int n = s->type < SVMC_IMAGE_OWN
                    ? snprintf(x->name[i], PATH_MAX, "%s/%s-%" PRIu32, x->folder,
                               type_name(s->type), s->id)
                    : snprintf(x->name[i], PATH_MAX, "%s/0x%" PRIx32 "-%" PRIu32, x->folder,
                               s->type, s->id);

        if (s->type == SVMC_IMAGE_MAP)
            continue;
        if (n < 0 || n >= PATH_MAX || bytes > INT64_MAX)
            return cli_fail(CLI_USAGE, x->folder, "the name is too long");
        x->fd[i] = open(x->name[i], O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
        if (x->fd[i] < 0 || ftruncate(x->fd[i], (off_t)bytes) != 0)
            return cli_fail(CLI_SYSTEM, x->name[i], "cannot be written: %s", strerror(errno));
    }
    return CLI_GOOD;
}

/* Into a folder beside, which gets its name when all was genuine; else it goes. */
static enum cli_status extract(struct extract *x, const char *folder)
{
    enum cli_status status = make_files(x);
    const struct image_sink sink = { take, x };
    struct svmc_image_name name;

    if (status == CLI_GOOD)
        status = image_walk(x->f, &sink, "opening", &name);
    for (uint32_t i = 0; i < x->f->info.sections; i++)
        if (status == CLI_GOOD && x->fd[i] >= 0 && fsync(x->fd[i]) != 0)
            status = cli_fail(CLI_SYSTEM, x->name[i], "cannot be written: %s", strerror(errno));
    if (status == CLI_GOOD && rename(x->folder, folder) != 0)
        status = cli_fail(CLI_SYSTEM, folder, "cannot be put in place: %s", strerror(errno));
    for (uint32_t i = 0; i < x->f->info.sections; i++) {
        if (x->fd[i] < 0)
            continue;
        close(x->fd[i]);
        if (status != CLI_GOOD)
            (void)unlink(x->name[i]);
    }
    if (status != CLI_GOOD)
        (void)rmdir(x->folder);
    return status;
}

static enum cli_status extract_to(struct image_file *f, const char *folder)
{
    char beside[PATH_MAX];
    struct extract x = { .f = f, .folder = beside };
    enum cli_status status;
    size_t sections = f->info.sections + 1u;
    int n = snprintf(beside, sizeof beside, "%s.XXXXXX", folder);

    if (access(folder, F_OK) == 0)
        return cli_fail(CLI_USAGE, folder, "is there already; name another one");
    if (n < 0 || n >= PATH_MAX || !mkdtemp(beside))
        return cli_fail(CLI_SYSTEM, folder, "no folder can be made: %s", strerror(errno));
    x.fd = malloc(sections * sizeof *x.fd);
    x.name = calloc(sections, sizeof *x.name);
    x.page = calloc(sections, sizeof *x.page);
    x.before = calloc(sections, sizeof *x.before);
    for (size_t i = 0; x.fd && i < sections; i++)
        x.fd[i] = -1;
    if (x.fd && x.name && x.page && x.before) {
        status = extract(&x, folder);
    } else {
        status = cli_fail(CLI_SYSTEM, f->path, "no memory for it");
        (void)rmdir(beside);
    }
    free(x.fd);
    free(x.name);
    free(x.page);
    free(x.before);
    return status;
}

enum cli_status image_extract(const struct seal_options *o, const char *path, const char *folder)
{
    struct image_file f;
    struct provider p;
    enum cli_status status = image_file_is_whole(path, "it has not all pages");

    if (status == CLI_GOOD)
        status = provider_open(&p, &o->provider);
    if (status != CLI_GOOD)
        return status;
    status = image_file_open(&f, path, false, o, &p, NULL);
    if (status == CLI_GOOD)
        status = extract_to(&f, folder);
    image_file_close(&f);
    provider_close(&p);
    return status;
}
