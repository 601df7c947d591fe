/* SPDX-License-Identifier: MIT */
/** Reading, writing, comparing records. Any bytes may come in: docs/spec/trace.md, TR-1 to TR-8. */
#include "tape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"

static const uint8_t magic[8] = { 'S', 'V', 'M', 'T', 'R', 'A', 'C', 'E' };

#define PREFIX_BYTES 16u /* magic, version u16, reserved u16, reserved u32 */
#define HEAD_BYTES   4u  /* type u16, length u16 */
#define END_BYTES    16u /* record count u64, checksum u64 */
#define LENGTH_MAX   0xffffu

uint64_t tape_checksum(const uint8_t *bytes, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

static bool fail(struct tape *t, enum tape_error error, uint8_t type, size_t byte)
{
    if (t->error == TAPE_OK) {
        t->error = error;
        t->bad_record = t->record;
        t->bad_type = type;
        t->bad_byte = byte;
    }
    return false;
}

bool tape_differs(struct tape *t, enum tape_type type, size_t byte)
{
    return fail(t, TAPE_ERR_DIFFERENT, (uint8_t)type, byte);
}

/* Room for `more` bytes behind the end; the growth is bounded by TAPE_BYTES_MAX. */
static bool grow(struct tape *t, size_t more)
{
    size_t want = t->capacity ? t->capacity : 65536;
    uint8_t *bytes;

    if (more > TAPE_BYTES_MAX - t->size)
        return fail(t, TAPE_ERR_TOO_LARGE, 0, 0);
    while (want - t->size < more)
        want *= 2;
    if (want == t->capacity)
        return true;
    bytes = realloc(t->bytes, want);
    if (!bytes)
        return fail(t, TAPE_ERR_MEMORY, 0, 0);
    t->bytes = bytes;
    t->capacity = want;
    return true;
}

static bool append(struct tape *t, enum tape_type type, const void *payload, size_t bytes)
{
    if (tape_bad(t) || bytes > LENGTH_MAX)
        return fail(t, TAPE_ERR_RECORD, (uint8_t)type, 0);
    if (!grow(t, HEAD_BYTES + bytes))
        return false;
    store_le(t->bytes + t->size, (uint64_t)type, 2);
    store_le(t->bytes + t->size + 2, bytes, 2);
    if (bytes > 0)
        memcpy(t->bytes + t->size + HEAD_BYTES, payload, bytes);
    t->size += HEAD_BYTES + bytes;
    t->record++;
    return true;
}

void tape_record(struct tape *t)
{
    *t = (struct tape){ .mode = TAPE_RECORD, .owned = true };
    if (!grow(t, PREFIX_BYTES))
        return;
    memset(t->bytes, 0, PREFIX_BYTES);
    memcpy(t->bytes, magic, sizeof magic);
    store_le(t->bytes + 8, TAPE_VERSION, 2);
    t->size = PREFIX_BYTES;
}

/* TR-3: every record lies within the file, and the last one is END with the right count. */
static enum tape_error check_records(const struct tape *t)
{
    size_t at = PREFIX_BYTES, length;
    uint64_t count = 0;

    for (;;) {
        if (t->size - at < HEAD_BYTES)
            return TAPE_ERR_TRUNCATED;
        length = (size_t)load_le(t->bytes + at + 2, 2);
        if (t->size - at - HEAD_BYTES < length)
            return TAPE_ERR_TRUNCATED;
        if (load_le(t->bytes + at, 2) == TAPE_END)
            break;
        at += HEAD_BYTES + length;
        count++;
    }
    at += HEAD_BYTES;
    if (length != END_BYTES || t->size - at != END_BYTES || load_le(t->bytes + at, 8) != count)
        return TAPE_ERR_RECORD;
    if (tape_checksum(t->bytes, t->size - 8) != load_le(t->bytes + at + 8, 8))
        return TAPE_ERR_CHECKSUM;
    return TAPE_OK;
}

static enum tape_error check_file(const struct tape *t)
{
    /* TR-1 */
    if (t->size < sizeof magic || memcmp(t->bytes, magic, sizeof magic) != 0)
        return t->size > 0 && t->size < sizeof magic && memcmp(t->bytes, magic, t->size) == 0
                   ? TAPE_ERR_TRUNCATED
                   : TAPE_ERR_FOREIGN;
    if (t->size < PREFIX_BYTES)
        return TAPE_ERR_TRUNCATED;
    /* TR-2 */
    if (load_le(t->bytes + 8, 2) > TAPE_VERSION)
        return TAPE_ERR_NEWER;
    if (load_le(t->bytes + 8, 2) == 0 || load_le(t->bytes + 10, 6) != 0)
        return TAPE_ERR_RECORD;
    return check_records(t);
}

enum tape_error tape_open(struct tape *t, enum tape_mode mode, const uint8_t *bytes, size_t size)
{
    *t = (struct tape){ .mode = mode, .bytes = (uint8_t *)(uintptr_t)bytes, .size = size };
    if (size > TAPE_BYTES_MAX) /* TR-4 */
        t->error = TAPE_ERR_TOO_LARGE;
    else
        t->error = check_file(t);
    t->at = PREFIX_BYTES;
    return t->error;
}

static enum tape_error read_file(const char *path, uint8_t **bytes, size_t *size, int *error)
{
    FILE *file = NULL;
    struct tape t = { .owned = true };
    struct stat about;
    size_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */

    if (fd >= 0 && fstat(fd, &about) == 0 && !S_ISREG(about.st_mode)) {
        close(fd);
        return TAPE_ERR_KIND;
    }
    if (fd < 0 || !(file = fdopen(fd, "rb"))) {
        *error = errno;
        if (fd >= 0)
            close(fd);
        return TAPE_ERR_OPEN;
    }
    while (grow(&t, 65536) && (got = fread(t.bytes + t.size, 1, 65536, file)) > 0)
        t.size += got;
    if (t.error == TAPE_OK && ferror(file)) {
        *error = errno ? errno : EIO;
        t.error = TAPE_ERR_OPEN;
    }
    fclose(file);
    *bytes = t.bytes;
    *size = t.size;
    return t.error;
}

enum tape_error tape_load(struct tape *t, enum tape_mode mode, const char *path, int *error)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    enum tape_error e = read_file(path, &bytes, &size, error);

    if (e == TAPE_OK)
        e = tape_open(t, mode, bytes, size);
    else
        *t = (struct tape){ .error = e, .bytes = bytes };
    t->owned = true;
    return e;
}

enum tape_error tape_save(struct tape *t, FILE *file, int *error)
{
    uint8_t end[END_BYTES];
    bool good;

    store_le(end, t->record, 8);
    store_le(end + 8, 0, 8);
    *error = 0;
    if (append(t, TAPE_END, end, sizeof end)) {
        store_le(t->bytes + t->size - 8, tape_checksum(t->bytes, t->size - 8), 8);
        good = fwrite(t->bytes, 1, t->size, file) == t->size;
        *error = errno;
    } else {
        good = false;
    }
    if (fclose(file) != 0) {
        good = false;
        *error = errno;
    }
    return good ? TAPE_OK : t->error != TAPE_OK ? t->error : TAPE_ERR_OPEN;
}

void tape_drop(struct tape *t)
{
    if (t->owned)
        free(t->bytes);
    *t = (struct tape){ .mode = TAPE_OFF };
}

uint8_t tape_peek(const struct tape *t)
{
    uint64_t type;

    if ((t->mode != TAPE_REPLAY && t->mode != TAPE_FEED) || tape_bad(t))
        return 0;
    type = load_le(t->bytes + t->at, 2);
    return type == TAPE_END || type > 0xff ? 0 : (uint8_t)type;
}

/* The next record, whatever it is; NULL at the end. The bounds were checked by tape_open. */
static const uint8_t *next(struct tape *t, uint64_t *type, size_t *length)
{
    const uint8_t *payload = t->bytes + t->at + HEAD_BYTES;

    *type = load_le(t->bytes + t->at, 2);
    *length = (size_t)load_le(t->bytes + t->at + 2, 2);
    if (*type == TAPE_END)
        return NULL;
    t->at += HEAD_BYTES + *length;
    t->record++;
    return payload;
}

static bool hand_out(struct tape *t, const uint8_t *from, size_t length, uint8_t type,
                     void *payload, size_t cap, size_t *bytes)
{
    if (length > cap)
        return fail(t, TAPE_ERR_RECORD, type, 0);
    memcpy(payload, from, length);
    *bytes = length;
    return true;
}

bool tape_in(struct tape *t, enum tape_type type, void *payload, size_t cap, size_t *bytes)
{
    const uint8_t *from;
    uint64_t found;
    size_t length;

    if (tape_bad(t))
        return false;
    if (t->mode == TAPE_RECORD)
        return append(t, type, payload, *bytes);
    if (t->mode != TAPE_REPLAY)
        return true;
    from = next(t, &found, &length);
    if (!from || found != type) /* TR-5 */
        return fail(t, TAPE_ERR_DIFFERENT, (uint8_t)type, 0);
    return hand_out(t, from, length, (uint8_t)type, payload, cap, bytes);
}

bool tape_out(struct tape *t, enum tape_type type, const void *payload, size_t bytes)
{
    const uint8_t *want, *have = payload;
    uint64_t found;
    size_t length, at = 0;

    if (tape_bad(t))
        return false;
    if (t->mode == TAPE_RECORD)
        return append(t, type, payload, bytes);
    if (t->mode != TAPE_REPLAY)
        return true;
    want = next(t, &found, &length);
    if (!want || found != type)
        return fail(t, TAPE_ERR_DIFFERENT, (uint8_t)type, 0);
    /* TR-7 */
    while (at < bytes && at < length && have[at] == want[at])
        at++;
    if (at < bytes || at < length)
        return fail(t, TAPE_ERR_DIFFERENT, (uint8_t)type, at);
    return true;
}

bool tape_seek(struct tape *t, enum tape_type type, void *payload, size_t cap, size_t *bytes)
{
    const uint8_t *from;
    uint64_t found;
    size_t length;

    while (!tape_bad(t) && (from = next(t, &found, &length)) != NULL)
        if (found == type)
            return hand_out(t, from, length, (uint8_t)type, payload, cap, bytes);
    return false;
}

static const char *type_name(uint8_t type)
{
    static const char names[][10] = { "?",     "header",   "config",  "exit",    "insn",
                                      "call",  "write",    "normal",  "outcome", "page",
                                      "reply", "complete", "console", "verdict", "end" };

    return names[type < sizeof names / sizeof names[0] ? type : 0];
}

void tape_explain(const struct tape *t, enum tape_error error, char *text, size_t cap)
{
    static const char *const plain[] = {
        [TAPE_OK] = "no error",
        [TAPE_ERR_OPEN] = "cannot be read or written",
        [TAPE_ERR_TOO_LARGE] = "is larger than 16 MiB",
        [TAPE_ERR_FOREIGN] = "is not a trace (wrong magic)",
        [TAPE_ERR_NEWER] = "is a trace of a newer version than this program reads (1)",
        [TAPE_ERR_TRUNCATED] = "is truncated",
        [TAPE_ERR_CHECKSUM] = "is corrupt (checksum)",
        [TAPE_ERR_KIND] = "is not a regular file",
        [TAPE_ERR_MEMORY] = "does not fit into memory",
    };
    unsigned long long number = (unsigned long long)t->bad_record;

    if (error == TAPE_ERR_DIFFERENT)
        snprintf(text, cap, "replay differs at record %llu (%s), first differing byte %zu", number,
                 type_name(t->bad_type), t->bad_byte);
    else if (error == TAPE_ERR_RECORD)
        snprintf(text, cap, "is corrupt (record %llu, %s)", number, type_name(t->bad_type));
    else
        snprintf(text, cap, "%s", plain[error]);
}
