/* SPDX-License-Identifier: MIT */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fs.h>

/* The folder of a path: out[PATH_MAX]. */
static bool folder_of(char *out, const char *path)
{
    const char *slash = strrchr(path, '/');
    int n = slash == path ? snprintf(out, PATH_MAX, "/")
            : slash       ? snprintf(out, PATH_MAX, "%.*s", (int)(slash - path), path)
                          : snprintf(out, PATH_MAX, ".");

    return n > 0 && n < PATH_MAX;
}

/* A name beside the file, for the moment before a rename, and where files cannot be nameless. */
static bool name_beside(struct out_file *out)
{
    int n = snprintf(out->beside, sizeof out->beside, "%s.XXXXXX", out->path);

    if (n < 0 || n >= PATH_MAX)
        out->beside[0] = 0;
    return out->beside[0] != 0;
}

enum cli_status out_begin(struct out_file *out, const char *path)
{
    char folder[PATH_MAX];

    memset(out, 0, sizeof *out);
    out->path = path;
    out->fd = -1;
    if (!folder_of(folder, path))
        return cli_fail(CLI_USAGE, path, "the name is too long");
    out->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (out->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT) &&
        name_beside(out)) {
        out->fd = mkostemp(out->beside, O_CLOEXEC);
        if (out->fd < 0)
            out->beside[0] = 0;
    }
    if (out->fd < 0)
        return cli_fail(CLI_SYSTEM, path, "cannot write into its folder: %s", strerror(errno));
    return CLI_GOOD;
}

/* A nameless file gets a name that nobody has: its own, or for a rename one beside. */
static bool give_name(struct out_file *out, bool replace)
{
    char self[64];

    snprintf(self, sizeof self, "/proc/self/fd/%d", out->fd);
    if (!replace)
        return linkat(AT_FDCWD, self, AT_FDCWD, out->path, AT_SYMLINK_FOLLOW) == 0;
    for (unsigned turn = 0; turn < 100; turn++) {
        int n =
            snprintf(out->beside, sizeof out->beside, "%s.%ld-%u", out->path, (long)getpid(), turn);

        if (n < 0 || n >= PATH_MAX) {
            errno = ENAMETOOLONG;
            break;
        }
        if (linkat(AT_FDCWD, self, AT_FDCWD, out->beside, AT_SYMLINK_FOLLOW) == 0)
            return true;
        if (errno != EEXIST)
            break;
    }
    out->beside[0] = 0;
    return false;
}

static bool put_in_place(struct out_file *out, bool replace)
{
    if (fsync(out->fd) != 0)
        return false;
    if (out->beside[0] == 0 && !give_name(out, replace))
        return false;
    if (out->beside[0] == 0)
        return true;
    if (!replace)
        return link(out->beside, out->path) == 0 && unlink(out->beside) == 0;
    return rename(out->beside, out->path) == 0;
}

enum cli_status out_commit(struct out_file *out, bool replace)
{
    char folder[PATH_MAX];
    enum cli_status status = CLI_GOOD;
    int fd;

    if (!put_in_place(out, replace)) {
        status =
            errno == EEXIST
                ? cli_fail(CLI_USAGE, out->path, "is there already; --force replaces it")
                : cli_fail(CLI_SYSTEM, out->path, "cannot be put in place: %s", strerror(errno));
        out_drop(out);
        return status;
    }
    out->beside[0] = 0;
    out_drop(out);
    fd = folder_of(folder, out->path) ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0 || fsync(fd) != 0)
        cli_warn(out->path, "is in place, but the folder cannot be synced: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return CLI_GOOD;
}

void out_drop(struct out_file *out)
{
    if (out->fd >= 0)
        close(out->fd);
    out->fd = -1;
    if (out->beside[0] != 0)
        (void)unlink(out->beside);
    out->beside[0] = 0;
}

enum cli_status out_write(const char *path, const void *bytes, size_t n, bool replace)
{
    struct out_file out;
    enum cli_status status = out_begin(&out, path);

    if (status != CLI_GOOD)
        return status;
    if (!file_write_at(out.fd, 0, bytes, n)) {
        status = cli_fail(CLI_SYSTEM, path, "cannot be written: %s", strerror(errno));
        out_drop(&out);
        return status;
    }
    return out_commit(&out, replace);
}

enum cli_status file_slurp(const char *path, void *bytes, size_t cap, size_t *n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char more;
    ssize_t got = 0;

    *n = 0;
    if (fd < 0)
        return cli_fail(CLI_SYSTEM, path, "cannot be read: %s", strerror(errno));
    while (*n < cap && (got = read(fd, (uint8_t *)bytes + *n, cap - *n)) > 0)
        *n += (size_t)got;
    if (got >= 0 && *n == cap)
        got = read(fd, &more, 1) == 1 ? -2 : 0;
    close(fd);
    if (got == -2)
        return cli_fail(CLI_REFUSED, path, "is longer than such a file can be");
    if (got < 0)
        return cli_fail(CLI_SYSTEM, path, "cannot be read: %s", strerror(errno));
    return CLI_GOOD;
}

enum cli_status file_open(const char *path, bool exclusive, int *fd, uint64_t *bytes)
{
    struct stat info;

    *bytes = 0;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not keep us here */
    if (*fd < 0 || fstat(*fd, &info) != 0)
        return cli_fail(CLI_SYSTEM, path, "cannot be read: %s", strerror(errno));
    if (S_ISBLK(info.st_mode) && ioctl(*fd, BLKGETSIZE64, bytes) != 0)
        return cli_fail(CLI_SYSTEM, path, "has no size: %s", strerror(errno));
    if (S_ISREG(info.st_mode))
        *bytes = (uint64_t)info.st_size;
    else if (!S_ISBLK(info.st_mode))
        return cli_fail(CLI_USAGE, path, "is no file and no block device");
    if (exclusive && !S_ISREG(info.st_mode))
        return cli_fail(CLI_USAGE, path, "only a file can be replaced; name another one to write");
    if (flock(*fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return cli_fail(CLI_SYSTEM, path, "is in use by another program; try again when it ends");
    return CLI_GOOD;
}

bool file_read_at(int fd, uint64_t at, void *bytes, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(fd, (uint8_t *)bytes + done, n - done, (off_t)(at + done));

        if (got <= 0) {
            if (got == 0)
                errno = 0; /* its end */
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

bool file_write_at(int fd, uint64_t at, const void *bytes, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = pwrite(fd, (const uint8_t *)bytes + done, n - done, (off_t)(at + done));

        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

/* ---- the store of a disk ---------------------------------------------------------------------*/

static enum svmc_status store_read(void *ctx, uint64_t at, void *dst, size_t n)
{
    struct file_store *store = ctx;

    if (at <= INT64_MAX - n && file_read_at(store->fd, at, dst, n))
        return SVMC_OK;
    store->error = errno;
    return SVMC_ERR_CALLBACK;
}

static enum svmc_status store_write(void *ctx, uint64_t at, const void *src, size_t n)
{
    struct file_store *store = ctx;

    if (at <= INT64_MAX - n && file_write_at(store->fd, at, src, n))
        return SVMC_OK;
    store->error = errno;
    return SVMC_ERR_CALLBACK;
}

/* What is written is a file that nobody has yet: out_commit syncs it, once. */
static enum svmc_status store_flush(void *ctx)
{
    (void)ctx;
    return SVMC_OK;
}

static enum svmc_status store_anchor(void *ctx, uint64_t value)
{
    struct file_store *store = ctx;

    store->anchor = value;
    return SVMC_OK;
}

void file_store_init(struct file_store *store, int fd, bool wants_anchor)
{
    memset(store, 0, sizeof *store);
    store->fd = fd;
    store->ops = (struct svmc_disk_store){ .size = sizeof store->ops,
                                           .ctx = store,
                                           .read = store_read,
                                           .write = store_write,
                                           .flush = store_flush,
                                           .anchor = wants_anchor ? store_anchor : NULL };
}
