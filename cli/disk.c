/* SPDX-License-Identifier: MIT */
#include "disk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NODES      256u /* metadata blocks that are remembered: 64 MiB of the disk each 16 */
#define COPY_BYTES (1u << 20)

/* ---- anchors ---------------------------------------------------------------------------------*/

enum cli_status anchors_read(const char *path, uint64_t anchor[ANCHORS_MAX], uint32_t *count)
{
    char text[ANCHORS_MAX * 17 + 1];
    uint8_t bytes[8];
    enum cli_status status;
    size_t n;

    *count = 0;
    status = file_slurp(path, text, sizeof text - 1, &n);
    if (status != CLI_GOOD)
        return status;
    text[n] = 0;
    while (n != 0 && n % 17 == 0 && *count < n / 17) {
        char *line = text + 17 * (size_t)*count;

        if (line[16] != '\n')
            break;
        line[16] = 0;
        if (!cli_unhex(bytes, sizeof bytes, line))
            break;
        anchor[*count] = 0;
        for (size_t i = 0; i < sizeof bytes; i++)
            anchor[*count] = anchor[*count] << 8 | bytes[i];
        ++*count;
    }
    return n != 0 && *count == n / 17 && n % 17 == 0
               ? CLI_GOOD
               : cli_fail(CLI_REFUSED, path, "is no anchor: a line of 16 hexadecimal digits");
}

enum cli_status anchors_write(const char *path, const uint64_t *anchor, uint32_t count)
{
    char text[ANCHORS_MAX * 17 + 1];

    for (uint32_t i = 0; i < count; i++)
        snprintf(text + (size_t)17 * i, 18, "%016" PRIx64 "\n", anchor[i]);
    return out_write(path, text, (size_t)17 * count, true);
}

/* ---- errors ----------------------------------------------------------------------------------*/

static enum cli_status seal_verdict(const struct disk_file *d, uint32_t reason)
{
    if (reason == SVMC_SEAL_CRYPTO || reason == SVMC_SEAL_SELF_TEST)
        return cli_fail(CLI_SYSTEM, d->path, "cryptography failed");
    if (reason == SVMC_SEAL_ALG)
        return cli_fail(CLI_REFUSED, d->path,
                        "is sealed with %s, which is not there on this "
                        "processor",
                        cli_alg_name(d->info.header_alg));
    return cli_fail(CLI_REFUSED, d->path, "the sealer says no: reason %u of enum svmc_seal_reason",
                    reason);
}

static enum cli_status store_verdict(const struct disk_file *d)
{
    if (d->store.error == 0)
        return cli_fail(CLI_REFUSED, d->path, "is cut: bytes are missing at its end");
    return cli_fail(CLI_SYSTEM, d->path, "cannot be read or written: %s", strerror(d->store.error));
}

enum cli_status disk_verdict(const struct disk_file *d, enum svmc_status st,
                             const struct svmc_disk_result *result)
{
    if (cli_stopped)
        return cli_fail(CLI_STOPPED, d->path, "stopped; nothing is changed");
    switch (result->reason) {
    case SVMC_DISK_NONE:
        return st == SVMC_OK ? CLI_GOOD : cli_fail(CLI_SYSTEM, d->path, "%s", svmc_status_name(st));
    case SVMC_DISK_STORE:
        return store_verdict(d);
    case SVMC_DISK_BLANK:
    case SVMC_DISK_HEADER:
        return cli_fail(CLI_REFUSED, d->path, "is no sealed disk");
    case SVMC_DISK_UNKNOWN:
        return cli_fail(CLI_REFUSED, d->path,
                        "is of a version or algorithm that this program has not");
    case SVMC_DISK_OWNER:
        return cli_fail(CLI_KEY, d->path, "is another VM's than the key in %s", d->vmkey);
    case SVMC_DISK_CHANGED:
        return cli_fail(CLI_REFUSED, d->path,
                        "its header was changed, or it was sealed with "
                        "another VM key than the one in %s",
                        d->vmkey);
    case SVMC_DISK_LOST:
        return cli_fail(CLI_REFUSED, d->path,
                        "its metadata was wiped or changed: there is no "
                        "root; take its backup");
    case SVMC_DISK_ROLLBACK:
        return cli_fail(CLI_REFUSED, d->path,
                        "is not the state that the anchor names: an older "
                        "one was put back, or it was written without it");
    case SVMC_DISK_DATA:
        return cli_fail(CLI_REFUSED, d->path,
                        "sector %" PRIu64 " is not as it was written last: changed, moved or old",
                        result->sector);
    case SVMC_DISK_NODE:
        return cli_fail(CLI_REFUSED, d->path,
                        "metadata of sector %" PRIu64 " is not as it was written last",
                        result->sector);
    case SVMC_DISK_SEAL:
        return seal_verdict(d, result->seal);
    default:
        return cli_fail(CLI_SYSTEM, d->path, "%s: reason %u of enum svmc_disk_reason",
                        svmc_status_name(st), result->reason);
    }
}

/* ---- open ------------------------------------------------------------------------------------*/

enum cli_status disk_file_inspect(struct disk_file *d, const char *path, bool exclusive)
{
    struct svmc_disk_result result = { 0 };
    enum cli_status status;
    enum svmc_status st;

    memset(d, 0, sizeof *d);
    d->path = path;
    d->fd = -1;
    status = vmkey_path(d->vmkey, path);
    if (status == CLI_GOOD)
        status = file_open(path, exclusive, &d->fd, &d->bytes);
    if (status != CLI_GOOD)
        return status;
    file_store_init(&d->store, d->fd, false);
    st = svmc_disk_inspect(&d->store.ops, &d->info);
    if (st != SVMC_OK) {
        result.reason = st == SVMC_ERR_CALLBACK      ? SVMC_DISK_STORE
                        : st == SVMC_ERR_UNSUPPORTED ? SVMC_DISK_UNKNOWN
                                                     : SVMC_DISK_HEADER;
        return disk_verdict(d, st, &result);
    }
    d->config = (struct svmc_disk_config){ .sectors = d->info.sectors,
                                           .number = d->info.number,
                                           .mode = d->info.mode,
                                           .sector_bytes = d->info.sector_bytes,
                                           .journal = d->info.journal,
                                           .nodes = d->info.mode == FORM_AUTHENTIC ? NODES : 0 };
    return svmc_disk_store_bytes(&d->config) != 0
               ? CLI_GOOD
               : cli_fail(CLI_REFUSED, path, "its header has numbers that no disk has");
}

static enum cli_status is_whole(const struct disk_file *d)
{
    uint64_t wanted = svmc_disk_store_bytes(&d->config);

    return d->bytes >= wanted
               ? CLI_GOOD
               : cli_fail(CLI_REFUSED, d->path, "is cut: has %" PRIu64 " bytes of %" PRIu64,
                          d->bytes, wanted);
}

static enum cli_status room_for(struct disk_file *d)
{
    size_t bytes = svmc_disk_bytes(&d->config);

    if (d->memory.at)
        return CLI_GOOD;
    return key_room_open(&d->memory, bytes);
}

/* With one blob, and one anchor or none. */
static enum cli_status try_key(struct disk_file *d, const struct vault_needs *needs,
                               struct provider *p, const uint64_t *anchor)
{
    const uint8_t *blob = d->keys.blob[d->which];
    struct svmc_disk_result result;
    enum cli_status status = vault_unwrap(&d->vault, needs, d->info.vm, p, blob, d->vmkey);
    enum svmc_status st;

    if (status != CLI_GOOD)
        return status;
    file_store_init(&d->store, d->fd, anchor != NULL);
    d->config.sealer = &d->vault.sealer;
    d->config.store = &d->store.ops;
    d->config.vm = d->info.vm;
    d->config.anchor = anchor ? *anchor : 0;
    d->anchor = d->config.anchor;
    st = svmc_disk_open(&d->disk, &d->config, d->memory.at, d->memory.bytes, &result);
    if (st == SVMC_OK)
        return CLI_GOOD;
    status = disk_verdict(d, st, &result);
    vault_close(&d->vault);
    return status;
}

/* Each blob with each anchor: after a rekey that was cut off there are two. The last one says what
   is wrong. */
static enum cli_status try_keys(struct disk_file *d, struct provider *p, const uint64_t *anchor,
                                uint32_t anchors)
{
    enum cli_status status = CLI_KEY;
    uint32_t tries = anchors != 0 ? anchors : 1;

    for (d->which = 0; d->which < d->keys.blobs; d->which++) {
        struct vault_needs needs = { .alg = d->info.header_alg };

        needs.cipher = d->info.mode == FORM_LENGTH ? d->info.alg : 0;
        vmkey_needs(&needs, d->keys.blob[d->which]);
        for (uint32_t i = 0; i < tries; i++) {
            cli_hush(d->which + 1 < d->keys.blobs || i + 1 < tries);
            status = try_key(d, &needs, p, anchors != 0 ? anchor + i : NULL);
            cli_hush(false);
            if (status == CLI_GOOD || status == CLI_STOPPED)
                return status;
        }
    }
    return status;
}

enum cli_status disk_file_open(struct disk_file *d, const char *path, bool exclusive,
                               const struct seal_options *o, struct provider *p)
{
    uint64_t anchor[ANCHORS_MAX];
    uint32_t anchors = 0;
    enum cli_status status = disk_file_inspect(d, path, exclusive);

    if (status == CLI_GOOD)
        status = is_whole(d);
    if (status == CLI_GOOD)
        status = vmkey_read(&d->keys, d->vmkey);
    if (status == CLI_GOOD && o->anchor && d->info.mode == FORM_AUTHENTIC)
        status = anchors_read(o->anchor, anchor, &anchors);
    if (status == CLI_GOOD)
        status = room_for(d);
    if (status == CLI_GOOD)
        status = try_keys(d, p, anchor, anchors);
    return status;
}

enum cli_status disk_file_make(struct disk_file *d, const char *path, int fd, bool anchored)
{
    struct svmc_disk_result result = { 0 };
    enum cli_status status;
    enum svmc_status st;

    d->path = path;
    d->fd = -1; /* the out_file's */
    d->config.nodes = d->config.mode == FORM_AUTHENTIC ? NODES : 0;
    if (d->config.mode != FORM_AUTHENTIC)
        d->config.journal = 0;
    d->config.sealer = &d->vault.sealer;
    d->config.vm = d->info.vm;
    d->config.erase = 0;
    d->config.anchor = 0;
    if (svmc_disk_store_bytes(&d->config) == 0 || svmc_disk_store_bytes(&d->config) > INT64_MAX)
        return cli_fail(CLI_USAGE, path, "no disk can have this size");
    status = room_for(d);
    if (status != CLI_GOOD)
        return status;
    if (ftruncate(fd, (off_t)svmc_disk_store_bytes(&d->config)) != 0)
        return cli_fail(CLI_SYSTEM, path, "cannot be written: %s", strerror(errno));
    file_store_init(&d->store, fd, anchored);
    d->config.store = &d->store.ops;
    st = svmc_disk_format(&d->disk, &d->config, d->memory.at, d->memory.bytes, &result);
    return st == SVMC_OK ? CLI_GOOD : disk_verdict(d, st, &result);
}

void disk_file_close(struct disk_file *d)
{
    if (svmc_disk_drop(&d->disk) != SVMC_OK)
        cli_warn(d->path, "a subkey is still in use"); /* by nobody: there is one lane */
    vault_close(&d->vault);
    key_room_close(&d->memory);
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
}

/* ---- copies ----------------------------------------------------------------------------------*/

static enum cli_status side_read(const struct disk_side *side, uint64_t at, void *to, size_t n)
{
    struct svmc_disk_result result;
    enum svmc_status st;
    uint32_t unit;

    if (!side->sealed)
        return file_read_at(side->fd, at, to, n)
                   ? CLI_GOOD
                   : cli_fail(CLI_SYSTEM, side->path, "cannot be read: %s",
                              errno == 0 ? "it became shorter" : strerror(errno));
    unit = side->sealed->config.sector_bytes;
    st = svmc_disk_read(&side->sealed->disk, at / unit, n / unit, to, &result);
    return st == SVMC_OK ? CLI_GOOD : disk_verdict(side->sealed, st, &result);
}

static enum cli_status side_write(const struct disk_side *side, uint64_t at, const void *from,
                                  size_t n)
{
    struct svmc_disk_result result;
    enum svmc_status st;
    uint32_t unit;

    if (!side->sealed)
        return file_write_at(side->fd, at, from, n)
                   ? CLI_GOOD
                   : cli_fail(CLI_SYSTEM, side->path, "cannot be written: %s", strerror(errno));
    unit = side->sealed->config.sector_bytes;
    st = svmc_disk_write(&side->sealed->disk, at / unit, n / unit, from, &result);
    return st == SVMC_OK ? CLI_GOOD : disk_verdict(side->sealed, st, &result);
}

static bool is_zero(const uint8_t *at, size_t n)
{
    return *at == 0 && memcmp(at, at + 1, n - 1) == 0;
}

/* A piece of sectors; those that are zero are left out, but of a disk that has no nothing. */
static enum cli_status put(const struct disk_side *to, uint64_t at, const uint8_t *from, size_t n)
{
    const size_t unit = SVMC_DISK_SECTOR;
    enum cli_status status = CLI_GOOD;
    size_t done = 0;

    if (to->sealed && to->sealed->config.mode == FORM_LENGTH)
        return side_write(to, at, from, n);
    while (done < n && status == CLI_GOOD) {
        size_t run = 0, left = n - done;

        while (run < left && !is_zero(from + done + run, left - run < unit ? left - run : unit))
            run += left - run < unit ? left - run : unit;
        if (run != 0)
            status = side_write(to, at + done, from + done, run);
        done += run != 0 ? run : (left < unit ? left : unit);
    }
    return status;
}

enum cli_status disk_copy(const struct disk_side *from, const struct disk_side *to, uint64_t bytes,
                          const char *what)
{
    enum cli_status status = CLI_GOOD;
    struct svmc_disk_result result;
    struct key_room room;
    uint8_t *buffer;
    enum svmc_status st;

    if (key_room_open(&room, COPY_BYTES) != CLI_GOOD)
        return CLI_SYSTEM;
    buffer = key_room_take(&room, COPY_BYTES);
    for (uint64_t at = 0; at < bytes && status == CLI_GOOD; at += COPY_BYTES) {
        size_t n = bytes - at < COPY_BYTES ? (size_t)(bytes - at) : COPY_BYTES;

        cli_progress(what, at, bytes);
        if (cli_stopped)
            status = cli_fail(CLI_STOPPED, from->path, "stopped; nothing is changed");
        if (status == CLI_GOOD)
            status = side_read(from, at, buffer, n);
        if (status == CLI_GOOD)
            status = put(to, at, buffer, n);
    }
    cli_progress(NULL, 0, 0);
    key_room_close(&room);
    if (status == CLI_GOOD && to->sealed) {
        st = svmc_disk_flush(&to->sealed->disk, &result);
        if (st != SVMC_OK)
            status = disk_verdict(to->sealed, st, &result);
    }
    return status;
}
