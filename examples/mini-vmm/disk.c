/* SPDX-License-Identifier: MIT */
/** A block device of the keeper's: lists from the guest, sectors through svmcore, a file below. */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../guests/bootinfo.h"
#include "bytes.h"
#include "embed.h"
#include "ram.h"
#include "watch.h"

#define MAGIC        "MVMDISK1"
#define STORE_AT     4096u /* behind the head */
#define JOURNAL      64u   /* sectors */
#define NODES        8u
#define ANCHOR_BYTES 8
#define PATIENCE     100u /* steps of 10 ms: who migrates away is about to let go of it */

static bool refuse(char *why, size_t cap, const char *what, const char *detail)
{
    snprintf(why, cap, "%.80s: %s", what, detail);
    return false;
}

/* ---- the store -------------------------------------------------------------------------------*/

static bool move_all(struct disk *d, bool out, uint64_t at, uint8_t *bytes, size_t n)
{
    ssize_t done;

    for (at += STORE_AT; n > 0; at += (size_t)done, bytes += done, n -= (size_t)done) {
        done = out ? pwrite(d->fd, bytes, n, (off_t)at) : pread(d->fd, bytes, n, (off_t)at);
        d->error = done < 0 ? errno : 0;
        if (done < 0 && errno == EINTR)
            done = 0;
        else if (done <= 0)
            return false;
    }
    return true;
}

static enum svmc_status store_read(void *ctx, uint64_t at, void *dst, size_t n)
{
    return move_all(ctx, false, at, dst, n) ? SVMC_OK : SVMC_ERR_CALLBACK;
}

static enum svmc_status store_write(void *ctx, uint64_t at, const void *src, size_t n)
{
    return move_all(ctx, true, at, (uint8_t *)(uintptr_t)src, n) ? SVMC_OK : SVMC_ERR_CALLBACK;
}

static enum svmc_status store_flush(void *ctx)
{
    struct disk *d = ctx;

    d->error = fdatasync(d->fd) == 0 ? 0 : errno;
    return d->error == 0 ? SVMC_OK : SVMC_ERR_CALLBACK;
}

/* Eight bytes in place: whole or not at all, whatever happens. */
static enum svmc_status store_anchor(void *ctx, uint64_t value)
{
    struct disk *d = ctx;
    uint8_t bytes[ANCHOR_BYTES];

    store_le(bytes, value, sizeof bytes);
    if (d->anchor_fd >= 0 && (pwrite(d->anchor_fd, bytes, sizeof bytes, 0) != sizeof bytes ||
                              fdatasync(d->anchor_fd) != 0))
        return SVMC_ERR_CALLBACK;
    d->anchor = value;
    return SVMC_OK;
}

/* ---- why not ---------------------------------------------------------------------------------*/

static const char *words(const struct disk *d, const struct svmc_disk_result *result)
{
    switch (result->reason) {
    case SVMC_DISK_STORE:
        return d->error != 0 ? strerror(d->error) : "cut: bytes are missing";
    case SVMC_DISK_BLANK:
    case SVMC_DISK_HEADER:
        return "no sealed disk, or of another form";
    case SVMC_DISK_OWNER:
        return "another VM's";
    case SVMC_DISK_OTHER:
        return "another disk of this VM's";
    case SVMC_DISK_CHANGED:
        return "its header was changed";
    case SVMC_DISK_LOST:
        return "its metadata was wiped or changed";
    case SVMC_DISK_ROLLBACK:
        return d->saved ? "not as it was when the guest was saved"
                        : "not the state that is anchored: an older one, or another";
    case SVMC_DISK_DATA:
        return "not what was written last";
    case SVMC_DISK_NODE:
        return "its metadata is not what was written last";
    case SVMC_DISK_SEAL:
        return svmc_seal_name((enum svmc_seal_reason)result->seal);
    default:
        return svmc_disk_name(result->reason);
    }
}

static const char *name_of(const struct disk *d)
{
    return d->path ? d->path : "the disk";
}

/* A request was not done: the run ends, and the guest gets nothing of it. */
static bool failed(struct disk *d, const struct svmc_disk_result *result)
{
    snprintf(d->why, sizeof d->why, "%.80s: sector %" PRIu64 ": %.70s", name_of(d), result->sector,
             words(d, result));
    return false;
}

/* ---- requests --------------------------------------------------------------------------------*/

/* How far in a list. */
struct place {
    uint32_t piece;
    uint64_t at; /* in it */
};

/* One sector between the guest's pieces and `plain`. */
static bool move_sector(struct disk *d, const struct dma_list *list, struct place *p, bool out)
{
    bool good = true;
    size_t some;

    for (size_t at = 0; good && at < DISK_SECTOR; at += some, p->at += some) {
        for (; p->at == list->piece[p->piece].bytes; p->at = 0)
            p->piece++;
        some = (size_t)(list->piece[p->piece].bytes - p->at);
        some = some < DISK_SECTOR - at ? some : DISK_SECTOR - at;
        good = out ? ram_read(d->vm, list->piece[p->piece].iova + p->at, d->plain + at, some)
                   : ram_write(d->vm, list->piece[p->piece].iova + p->at, d->plain + at, some);
    }
    if (!good)
        snprintf(d->why, sizeof d->why, "a sealed page of the guest's: not what was written last");
    return good;
}

/* The sealer's control is for one at a time. */
static bool transfer(struct disk *d, uint64_t sector, bool out)
{
    struct svmc_disk_result result;
    enum svmc_status st;

    pthread_mutex_lock(&d->sealing->lock);
    st = out ? svmc_disk_write(&d->sealed, sector, 1, d->plain, &result)
             : svmc_disk_read(&d->sealed, sector, 1, d->plain, &result);
    pthread_mutex_unlock(&d->sealing->lock);
    *(out ? &d->written : &d->read) += 1;
    return st == SVMC_OK || failed(d, &result);
}

static bool flush(struct disk *d)
{
    struct svmc_disk_result result;
    enum svmc_status st;

    pthread_mutex_lock(&d->sealing->lock);
    st = svmc_disk_flush(&d->sealed, &result);
    pthread_mutex_unlock(&d->sealing->lock);
    d->flushes++;
    return st == SVMC_OK || failed(d, &result);
}

/* The list's bytes; 0: the device does not do that. */
static uint64_t total(const struct disk *d, const struct dma_list *list)
{
    uint64_t sum = 0;

    if ((list->op != DMA_OUT && list->op != DMA_IN) || list->pieces < 1 ||
        list->pieces > DMA_LIST_PIECES)
        return 0;
    for (uint32_t i = 0; i < list->pieces; i++) {
        if (list->piece[i].bytes > DISK_BYTES_MAX - sum ||
            !ram_has(d->vm, list->piece[i].iova, list->piece[i].bytes))
            return 0;
        sum += list->piece[i].bytes;
    }
    return sum % DISK_SECTOR == 0 && list->sector < DISK_SECTORS &&
                   sum / DISK_SECTOR <= DISK_SECTORS - list->sector
               ? sum
               : 0;
}

/* The guest has rung. The list is copied once; its bytes are, each, too. false: d->why. */
static bool work(struct disk *d, uint64_t at, uint32_t *result)
{
    struct dma_list list;
    struct place place = { 0 };
    uint64_t bytes;
    bool good = true;

    *result = DMA_FAILED;
    if (!ram_has(d->vm, at, sizeof list))
        return true;
    if (!ram_read(d->vm, at, &list, sizeof list))
        return refuse(d->why, sizeof d->why, "a sealed page of the guest's", "is not what it was");
    if (list.op == DMA_FLUSH) {
        good = flush(d);
        *result = good ? DMA_DONE : DMA_FAILED;
        return good;
    }
    bytes = total(d, &list);
    for (uint64_t i = 0; good && i < bytes / DISK_SECTOR; i++)
        good = list.op == DMA_OUT
                   ? move_sector(d, &list, &place, true) && transfer(d, list.sector + i, true)
                   : transfer(d, list.sector + i, false) && move_sector(d, &list, &place, false);
    explicit_bzero(d->plain, DISK_SECTOR);
    if (good && bytes > 0)
        *result = DMA_DONE | (uint32_t)bytes << 8;
    return good;
}

enum disk_end disk_serve(struct disk *d, struct vcpu *v, const struct svmc_exit *e)
{
    bool out = e->kind == SVMC_KIND_OUT, good = true;

    if ((!out && e->kind != SVMC_KIND_IN) || e->address != DEV_BLOCK || e->size != 4)
        return DISK_NOT_OURS;
    pthread_mutex_lock(&d->lock);
    if (out)
        good = work(d, e->value, &d->result[v->id]);
    else /* io.data_offset, which svmc_exit_from_kvm has checked */
        store_le(v->run + load_le(v->run + 40, 8), d->result[v->id], 4);
    pthread_mutex_unlock(&d->lock);
    watch_run(v);
    watch_complete(v, SVMC_OK);
    return good ? DISK_DONE : DISK_REFUSED;
}

/* ---- open ------------------------------------------------------------------------------------*/

static void anchor_path(const struct options *o, char *path, size_t cap)
{
    snprintf(path, cap, "%s%s", o->disk_anchor ? o->disk_anchor : o->disk,
             o->disk_anchor ? "" : ".anchor");
}

/* The head of a file: all of it, or zeros. */
static bool read_head(const char *path, uint8_t head[SEALING_HEAD_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), error;
    ssize_t n = fd >= 0 ? read(fd, head, SEALING_HEAD_BYTES) : -1;

    error = errno;
    if (fd >= 0)
        close(fd);
    errno = n < 0 ? error : EINVAL;
    if (n != SEALING_HEAD_BYTES)
        memset(head, 0, SEALING_HEAD_BYTES);
    return n == SEALING_HEAD_BYTES;
}

/* Who made it was cut off between its anchor, which was last, and its name. */
static bool is_nameless(const struct options *o, const char *beside)
{
    uint8_t head[SEALING_HEAD_BYTES];
    char anchor[4096];
    struct stat about;

    anchor_path(o, anchor, sizeof anchor);
    return read_head(beside, head) && memcmp(head, MAGIC, strlen(MAGIC)) == 0 &&
           (o->disk_mode == SVMC_DISK_LENGTH ||
            (stat(anchor, &about) == 0 && about.st_size == ANCHOR_BYTES));
}

bool disk_find(const struct options *o, uint8_t head[SEALING_HEAD_BYTES], bool *there, char *why,
               size_t cap)
{
    char beside[4096];

    snprintf(beside, sizeof beside, "%s.new", o->disk);
    if (access(o->disk, F_OK) != 0 && errno == ENOENT && is_nameless(o, beside))
        (void)rename(beside, o->disk);
    *there = access(o->disk, F_OK) == 0 || errno != ENOENT;
    if (!*there)
        return true;
    if (!read_head(o->disk, head) && errno != EINVAL)
        return refuse(why, cap, o->disk, strerror(errno));
    return memcmp(head, MAGIC, strlen(MAGIC)) == 0 ||
           refuse(why, cap, o->disk, "no disk of mini-vmm, or cut");
}

/* One keeper at a time has it. */
static bool lock_file(int fd)
{
    const struct timespec step = { 0, 10000000 };

    for (unsigned i = 0; i < PATIENCE; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        nanosleep(&step, NULL);
    }
    return false;
}

static void *map(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED)
        return NULL;
    (void)mlock(at, bytes);
    return at;
}

static bool set_up(struct disk *d, uint32_t mode, uint64_t number)
{
    const bool authentic = mode == SVMC_DISK_AUTHENTIC;

    d->store = (struct svmc_disk_store){ .size = sizeof d->store,
                                         .ctx = d,
                                         .read = store_read,
                                         .write = store_write,
                                         .flush = store_flush,
                                         .anchor = authentic ? store_anchor : NULL };
    d->config = (struct svmc_disk_config){ .sealer = &d->sealing->sealer,
                                           .store = &d->store,
                                           .vm = d->sealing->vm,
                                           .sectors = DISK_SECTORS,
                                           .number = number,
                                           .mode = mode,
                                           .sector_bytes = DISK_SECTOR,
                                           .journal = authentic ? JOURNAL : 0,
                                           .nodes = authentic ? NODES : 0,
                                           .lane = SEALING_LANE_DISK };
    d->memory_bytes = svmc_disk_bytes(&d->config);
    d->memory = map(d->memory_bytes);
    d->plain = map(DISK_SECTOR);
    return d->memory && d->plain;
}

/* Formatted, or opened. */
static bool begin(struct disk *d, bool is_new, char *why, size_t cap)
{
    struct svmc_disk_result result;
    enum svmc_status st;
    off_t bytes = (off_t)(STORE_AT + svmc_disk_store_bytes(&d->config));

    if (is_new && ftruncate(d->fd, bytes) != 0)
        return refuse(why, cap, name_of(d), strerror(errno));
    d->config.erase = is_new ? SVMC_DISK_ERASE : 0;
    pthread_mutex_lock(&d->sealing->lock);
    st = (is_new ? svmc_disk_format : svmc_disk_open)(&d->sealed, &d->config, d->memory,
                                                      d->memory_bytes, &result);
    pthread_mutex_unlock(&d->sealing->lock);
    if (st == SVMC_ERR_UNSUPPORTED && d->config.mode == SVMC_DISK_LENGTH)
        return refuse(why, cap, name_of(d), "this build has no AES-XTS: OpenSSL has");
    return st == SVMC_OK ||
           refuse(why, cap, name_of(d), result.reason ? words(d, &result) : svmc_status_name(st));
}

/* d->anchor: what it holds; *there: it holds something. One that is not there is made with the
   disk, or where a saved guest brings what it has to hold. */
static bool open_anchor(struct disk *d, const char *path, bool make, bool *there, char *why,
                        size_t cap)
{
    uint8_t bytes[ANCHOR_BYTES];
    ssize_t n;

    *there = false;
    if (d->config.mode != SVMC_DISK_AUTHENTIC)
        return true;
    d->anchor_fd = open(path, O_RDWR | O_CLOEXEC | (make ? O_CREAT : 0), 0600);
    if (d->anchor_fd < 0 && errno == ENOENT && !make)
        return refuse(why, cap, path, "there is no anchor, and the disk is there");
    n = d->anchor_fd >= 0 ? pread(d->anchor_fd, bytes, sizeof bytes, 0) : -1;
    if (n < 0)
        return refuse(why, cap, path, strerror(errno));
    *there = n == sizeof bytes;
    d->anchor = *there ? load_le(bytes, sizeof bytes) : 0;
    return *there || n == 0 || refuse(why, cap, path, "no anchor: it is cut");
}

/*
 * A new disk gets its name when all of it is there: first the anchor, then the name. Who is cut off
 * between the two finds it at the next start (is_nameless).
 */
static bool make(struct disk *d, const char *beside, struct vault *vault, char *why, size_t cap)
{
    uint8_t head[SEALING_HEAD_BYTES];
    int anchor = d->anchor_fd;
    bool good;

    d->fd = open(beside, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (d->fd < 0 || !lock_file(d->fd))
        return refuse(why, cap, beside, strerror(errno));
    if (!sealing_head(d->sealing, vault, MAGIC, head, why, cap))
        return false;
    d->anchor_fd = -1;
    good = begin(d, true, why, cap);
    d->anchor_fd = anchor;
    if (!good)
        return false;
    return (pwrite(d->fd, head, sizeof head, 0) == (ssize_t)sizeof head && fsync(d->fd) == 0 &&
            (d->config.mode != SVMC_DISK_AUTHENTIC || store_anchor(d, d->anchor) == SVMC_OK) &&
            rename(beside, d->path) == 0) ||
           refuse(why, cap, d->path, strerror(errno));
}

static bool open_file(struct disk *d, const struct options *o, struct vault *vault,
                      const struct disk_mark *mark, char *why, size_t cap)
{
    char beside[4096], anchor[4096];
    bool anchored;

    snprintf(beside, sizeof beside, "%s.new", d->path);
    anchor_path(o, anchor, sizeof anchor);
    if (!open_anchor(d, anchor, mark || access(d->path, F_OK) != 0, &anchored, why, cap))
        return false;
    if (mark) /* the state that belongs to the guest's memory */
        d->anchor = mark->anchor;
    d->fd = open(d->path, O_RDWR | O_CLOEXEC);
    if (d->fd < 0 && errno != ENOENT)
        return refuse(why, cap, d->path, strerror(errno));
    if (d->fd < 0 && (anchored || mark))
        return refuse(why, cap, d->path, "it is not there, and it was");
    if (d->fd < 0)
        return make(d, beside, vault, why, cap);
    if (!lock_file(d->fd))
        return refuse(why, cap, d->path, "another mini-vmm has it");
    if (d->config.mode == SVMC_DISK_AUTHENTIC && !anchored && !mark)
        return refuse(why, cap, anchor, "there is no anchor, and the disk is there");
    d->config.anchor = d->anchor;
    return begin(d, false, why, cap);
}

bool disk_open(struct disk *d, const struct options *o, struct vm *vm, struct sealing *sealing,
               struct vault *vault, const struct disk_mark *mark, char *why, size_t cap)
{
    bool good;

    *d = (struct disk){ .vm = vm, .sealing = sealing, .path = o->disk, .fd = -1, .anchor_fd = -1 };
    pthread_mutex_init(&d->lock, NULL);
    d->saved = mark != NULL;
    if (mark)
        memcpy(d->result, mark->result, sizeof d->result);
    if (mark && mark->mode == 0)
        return refuse(why, cap, name_of(d), "the saved guest has no disk");
    if (!set_up(d, mark ? mark->mode : o->disk_mode, mark ? mark->number : o->disk_number))
        return refuse(why, cap, name_of(d), "no memory");
    if (d->path) {
        good = open_file(d, o, vault, mark, why, cap);
    } else {
        d->fd = memfd_create("sealed-disk", MFD_CLOEXEC);
        good =
            d->fd >= 0 ? begin(d, true, why, cap) : refuse(why, cap, name_of(d), strerror(errno));
    }
    return good;
}

/* ---- the end ---------------------------------------------------------------------------------*/

bool disk_leave(struct disk *d, struct disk_mark *mark, char *why, size_t cap)
{
    bool good = flush(d);

    *mark = (struct disk_mark){ .mode = d->config.mode,
                                .anchor = d->anchor,
                                .number = d->config.number };
    memcpy(mark->result, d->result, sizeof mark->result);
    if (!good)
        snprintf(why, cap, "%s", d->why);
    disk_close(d);
    return good;
}

void disk_describe(const struct disk *d, char *text, size_t cap)
{
    snprintf(text, cap,
             "disk: %s, %s: %" PRIu64 " sectors read, %" PRIu64 " written, %" PRIu64 " flushes",
             d->config.mode == SVMC_DISK_AUTHENTIC ? "authentic" : "length-preserving",
             d->config.mode == SVMC_DISK_AUTHENTIC ? sealing_alg_name(d->sealing->alg)
                                                   : "AES-256-XTS",
             d->read, d->written, d->flushes);
}

void disk_close(struct disk *d)
{
    if (!d->vm)
        return;
    (void)!svmc_disk_drop(&d->sealed); /* its lane is nobody else's */
    if (d->memory)
        munmap(d->memory, d->memory_bytes);
    if (d->plain)
        munmap(d->plain, DISK_SECTOR);
    if (d->fd >= 0)
        close(d->fd);
    if (d->anchor_fd >= 0)
        close(d->anchor_fd);
    d->memory = d->plain = NULL;
    d->fd = d->anchor_fd = -1;
    d->vm = NULL;
}
