/* SPDX-License-Identifier: MIT */
#include "hgfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "grow.h"

/* open-vm-tools lib/include/hgfs.h, hgfsProto.h: packed, little-endian. Clients that hear
   PROTOCOL_ERROR take an older version of a request. */
enum {
    OP_OPEN = 0,
    OP_READ = 1,
    OP_CLOSE = 3,
    OP_SEARCH_OPEN = 4,
    OP_SEARCH_READ = 5,
    OP_SEARCH_CLOSE = 6,
    OP_GETATTR = 7,
    OP_RENAME = 12,
    OP_QUERY_VOLUME = 13
};
enum {
    STATUS_SUCCESS = 0,
    STATUS_NO_SUCH_FILE = 1,
    STATUS_INVALID_HANDLE = 2,
    STATUS_PROTOCOL_ERROR = 7,
    STATUS_ACCESS_DENIED = 8,
    STATUS_GENERIC_ERROR = 10
};

#define HEADER         8u  /* id, operation; in a reply: id, status */
#define ATTRIBUTES     45u /* type, size, four times, permissions */
#define TYPE_REGULAR   0u
#define TYPE_DIRECTORY 1u
#define PERMISSION_R   4u
#define PERMISSION_X   1u
#define OPEN_NAME      17u            /* header, mode, flags, permissions */
#define TICKS          10000000ull    /* a second of its time: 100 ns since 1601 */
#define TO_1970        11644473600ull /* seconds */
#define PATH_BYTES     4096u

/* A request, and the reply that grows. */
struct exchange {
    struct hgfs *h;
    const uint8_t *in;
    uint32_t n;
    uint8_t *out;
    uint32_t max, bytes;
};

static uint32_t get_32(const struct exchange *x, uint32_t at)
{
    uint32_t value = 0;

    if (at <= x->n && x->n - at >= sizeof value)
        memcpy(&value, x->in + at, sizeof value);
    return value;
}

static uint64_t get_64(const struct exchange *x, uint32_t at)
{
    return get_32(x, at) | (uint64_t)get_32(x, at + 4) << 32;
}

static bool put(struct exchange *x, const void *from, size_t n)
{
    if (n > x->max - x->bytes)
        return false;
    memcpy(x->out + x->bytes, from, n);
    x->bytes += (uint32_t)n;
    return true;
}

static bool put_32(struct exchange *x, uint32_t value)
{
    return put(x, &value, sizeof value);
}

static bool put_64(struct exchange *x, uint64_t value)
{
    return put(x, &value, sizeof value);
}

/* ---- names ----------------------------------------------------------------------------------- */

/* A name is its length and words with a NUL between them: a share, and a path there. */
struct name {
    const struct hgfs_share *share; /* NULL: the root of all */
    char path[PATH_BYTES];
};

static bool get_name(const struct exchange *x, uint32_t at, struct name *out)
{
    uint32_t n = get_32(x, at), first;
    const char *text;

    memset(out, 0, sizeof *out);
    if (at + 4 > x->n || n > x->n - at - 4 || n >= PATH_BYTES)
        return false;
    text = (const char *)x->in + at + 4;
    if (n == 0)
        return true;
    first = (uint32_t)strnlen(text, n);
    for (size_t i = 0; !out->share && i < x->h->count; i++)
        if (strlen(x->h->shares[i].name) == first && memcmp(x->h->shares[i].name, text, first) == 0)
            out->share = &x->h->shares[i];
    if (!out->share || memchr(text, '/', n))
        return false;
    if (n > first + 1) {
        memcpy(out->path, text + first + 1, n - first - 1);
        for (uint32_t i = 0; i + 1 < n - first - 1; i++)
            if (out->path[i] == 0)
                out->path[i] = '/';
    } else {
        strcpy(out->path, ".");
    }
    return true;
}

/* Nothing outside of the share is reached, by .. or by a link. -1: errno. */
static int open_name(const struct name *name, int flags)
{
    struct open_how how = { .flags = (unsigned)(flags | O_CLOEXEC),
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };

    errno = ENOENT;
    if (name->share->folder < 0)
        return -1;
    return (int)syscall(SYS_openat2, name->share->folder, name->path, &how, sizeof how);
}

static uint32_t status_of(int error)
{
    switch (error) {
    case 0:
        return STATUS_SUCCESS;
    case ENOENT:
    case ENOTDIR:
        return STATUS_NO_SUCH_FILE;
    case EACCES:
    case EPERM:
    case EXDEV: /* out of the share */
        return STATUS_ACCESS_DENIED;
    default:
        return STATUS_GENERIC_ERROR;
    }
}

/* ---- attributes ------------------------------------------------------------------------------ */

static uint64_t ticks(struct timespec t)
{
    return ((uint64_t)t.tv_sec + TO_1970) * TICKS + (uint64_t)t.tv_nsec / 100;
}

static bool put_attributes(struct exchange *x, const struct stat *st)
{
    bool folder = S_ISDIR(st->st_mode);
    uint8_t permissions = PERMISSION_R | (st->st_mode & S_IXUSR ? PERMISSION_X : 0);

    return put_32(x, folder ? TYPE_DIRECTORY : TYPE_REGULAR) && put_64(x, (uint64_t)st->st_size) &&
           put_64(x, ticks(st->st_ctim)) && put_64(x, ticks(st->st_atim)) &&
           put_64(x, ticks(st->st_mtim)) && put_64(x, ticks(st->st_ctim)) &&
           put(x, &permissions, 1);
}

static const struct stat virtual_folder = { .st_mode = S_IFDIR | 0555 };

static uint32_t stat_name(const struct name *name, struct stat *out)
{
    bool made_up = !name->share || (name->share->folder < 0 && strcmp(name->path, ".") == 0);
    int fd, error = 0;

    *out = virtual_folder;
    if (made_up)
        return STATUS_SUCCESS;
    fd = open_name(name, O_PATH);
    if (fd < 0)
        return status_of(errno);
    if (fstat(fd, out) != 0)
        error = errno;
    close(fd);
    return status_of(error);
}

static uint32_t get_attributes(struct exchange *x)
{
    struct name name;
    struct stat st;
    uint32_t status;

    if (!get_name(x, HEADER, &name))
        return STATUS_NO_SUCH_FILE;
    status = stat_name(&name, &st);
    if (status == STATUS_SUCCESS && !put_attributes(x, &st))
        return STATUS_GENERIC_ERROR;
    return status;
}

static uint32_t query_volume(struct exchange *x)
{
    struct statvfs st = { 0 };
    struct name name;

    if (!get_name(x, HEADER, &name))
        return STATUS_NO_SUCH_FILE;
    if (name.share && name.share->folder >= 0 && fstatvfs(name.share->folder, &st) != 0)
        return status_of(errno);
    return put_64(x, 0) && put_64(x, (uint64_t)st.f_blocks * st.f_frsize) ? STATUS_SUCCESS
                                                                          : STATUS_GENERIC_ERROR;
}

/* ---- files and folders ----------------------------------------------------------------------- */

/* An open one by its number, which is one more than its place. */
static struct hgfs_handle *find(struct exchange *x, uint32_t number)
{
    if (number == 0 || number > HGFS_HANDLES || x->h->handles[number - 1].kind == HGFS_FREE)
        return NULL;
    return &x->h->handles[number - 1];
}

static uint32_t put_handle(struct exchange *x, struct hgfs_handle handle)
{
    for (uint32_t i = 0; i < HGFS_HANDLES; i++)
        if (x->h->handles[i].kind == HGFS_FREE) {
            x->h->handles[i] = handle;
            return put_32(x, i + 1) ? STATUS_SUCCESS : STATUS_GENERIC_ERROR;
        }
    if (handle.kind == HGFS_FILE)
        close(handle.fd);
    if (handle.entries)
        closedir(handle.entries);
    return STATUS_GENERIC_ERROR;
}

static uint32_t close_handle(struct exchange *x)
{
    struct hgfs_handle *handle = find(x, get_32(x, HEADER));

    if (!handle)
        return STATUS_INVALID_HANDLE;
    if (handle->kind == HGFS_FILE)
        close(handle->fd);
    if (handle->entries)
        closedir(handle->entries);
    *handle = (struct hgfs_handle){ .kind = HGFS_FREE };
    return STATUS_SUCCESS;
}

static uint32_t open_file(struct exchange *x)
{
    struct hgfs_handle handle = { .kind = HGFS_FILE };
    struct name name;

    if (!get_name(x, OPEN_NAME, &name) || !name.share)
        return STATUS_NO_SUCH_FILE;
    if (get_32(x, HEADER) != 0 || get_32(x, HEADER + 4) != 0) /* not read alone, or to be made */
        return STATUS_ACCESS_DENIED;
    handle.fd = open_name(&name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    return handle.fd < 0 ? status_of(errno) : put_handle(x, handle);
}

static uint32_t read_file(struct exchange *x)
{
    struct hgfs_handle *handle = find(x, get_32(x, HEADER));
    uint64_t offset = get_64(x, HEADER + 4);
    uint32_t want = get_32(x, HEADER + 12), room = x->max - HEADER - 4, got_32;
    ssize_t got;

    if (!handle || handle->kind != HGFS_FILE)
        return STATUS_INVALID_HANDLE;
    got = pread(handle->fd, x->out + HEADER + 4, want < room ? want : room, (off_t)offset);
    if (got < 0)
        return status_of(errno);
    got_32 = (uint32_t)got;
    if (!put_32(x, got_32))
        return STATUS_GENERIC_ERROR;
    x->bytes += got_32;
    return STATUS_SUCCESS;
}

static uint32_t open_folder(struct exchange *x)
{
    struct hgfs_handle handle = { .kind = HGFS_ROOT };
    struct name name;
    int fd;

    if (!get_name(x, HEADER, &name))
        return STATUS_NO_SUCH_FILE;
    if (!name.share)
        return put_handle(x, handle);
    handle.kind = HGFS_FOLDER;
    if (name.share->folder >= 0) {
        fd = open_name(&name, O_RDONLY | O_DIRECTORY);
        handle.entries = fd < 0 ? NULL : fdopendir(fd);
        if (!handle.entries) {
            if (fd >= 0)
                close(fd);
            return status_of(errno);
        }
    }
    return put_handle(x, handle);
}

/* Entry number `offset` of a folder, without itself and its parent; NULL: behind the last. They are
   asked for one after the other. */
static const struct dirent *entry_at(struct hgfs_handle *handle, uint32_t offset)
{
    const struct dirent *entry = NULL;

    if (offset < handle->next) {
        rewinddir(handle->entries);
        handle->next = 0;
    }
    while (handle->next <= offset) {
        do
            entry = readdir(handle->entries);
        while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
        if (!entry)
            return NULL;
        handle->next++;
    }
    return entry;
}

/* Behind the last one stands an empty name. */
static uint32_t read_folder(struct exchange *x)
{
    struct hgfs_handle *handle = find(x, get_32(x, HEADER));
    uint32_t offset = get_32(x, HEADER + 4), n;
    const struct dirent *entry = NULL;
    struct stat st = virtual_folder;
    const char *name = "";

    if (!handle || handle->kind == HGFS_FILE)
        return STATUS_INVALID_HANDLE;
    if (handle->kind == HGFS_ROOT && offset < x->h->count)
        name = x->h->shares[offset].name;
    if (handle->entries)
        entry = entry_at(handle, offset);
    if (entry) {
        name = entry->d_name;
        if (fstatat(dirfd(handle->entries), name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            st = (struct stat){ .st_mode = S_IFREG }; /* gone meanwhile */
    }
    n = (uint32_t)strlen(name);
    return put_attributes(x, &st) && put_32(x, n) && put(x, name, n + 1) ? STATUS_SUCCESS
                                                                         : STATUS_GENERIC_ERROR;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static uint32_t answer(struct exchange *x)
{
    uint32_t op = get_32(x, 4);

    switch (op) {
    case OP_OPEN:
        return open_file(x);
    case OP_READ:
        return read_file(x);
    case OP_CLOSE:
    case OP_SEARCH_CLOSE:
        return close_handle(x);
    case OP_SEARCH_OPEN:
        return open_folder(x);
    case OP_SEARCH_READ:
        return read_folder(x);
    case OP_GETATTR:
        return get_attributes(x);
    case OP_QUERY_VOLUME:
        return query_volume(x);
    default: /* the others of version 1 write */
        return op <= OP_RENAME ? STATUS_ACCESS_DENIED : STATUS_PROTOCOL_ERROR;
    }
}

enum svmc_status hgfs_handle(struct hgfs *h, const uint8_t *request, uint32_t n, uint8_t *reply,
                             uint32_t max, uint32_t *bytes)
{
    struct exchange x = { h, request, n, reply, max, HEADER };
    uint32_t id = get_32(&x, 0), status = STATUS_PROTOCOL_ERROR;

    if (max < HEADER + ATTRIBUTES)
        return SVMC_ERR_FULL;
    if (n >= HEADER)
        status = answer(&x);
    memcpy(reply, &id, sizeof id);
    memcpy(reply + 4, &status, sizeof status);
    *bytes = status == STATUS_SUCCESS ? x.bytes : HEADER;
    return SVMC_OK;
}

bool hgfs_add(struct hgfs *h, const char *name, const char *folder)
{
    int fd = folder ? open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    struct hgfs_share *share;

    if (folder && fd < 0)
        return false;
    share = grow((void **)&h->shares, &h->count, &h->cap, sizeof *share);
    if (!share) {
        if (fd >= 0)
            close(fd);
        errno = ENOMEM;
        return false;
    }
    *share = (struct hgfs_share){ name, fd };
    return true;
}
