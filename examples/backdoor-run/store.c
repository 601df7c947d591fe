/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "grow.h"
#include "report.h"

#define PREFIX       "guestinfo."
#define PREFIX_BYTES (sizeof PREFIX - 1)

bool store_is_key(const uint8_t *key, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (key[i] <= ' ' || key[i] > '~' || key[i] == '=' || key[i] == '"')
            return false;
    return n > 0 && n <= STORE_KEY_MOST;
}

const struct store_entry *store_find(const struct store *s, const uint8_t *key, size_t n)
{
    for (size_t i = 0; i < s->count; i++)
        if (strlen(s->list[i].key) == n && memcmp(s->list[i].key, key, n) == 0)
            return &s->list[i];
    return NULL;
}

bool store_remove(struct store *s, const uint8_t *key, size_t n)
{
    struct store_entry *entry = (struct store_entry *)(uintptr_t)store_find(s, key, n);

    if (!entry)
        return false;
    s->bytes -= n + entry->bytes;
    free(entry->key);
    free(entry->value);
    *entry = s->list[--s->count];
    return true;
}

enum store_result store_set(struct store *s, const uint8_t *key, size_t key_bytes,
                            const uint8_t *value, size_t bytes)
{
    const struct store_entry *old = store_find(s, key, key_bytes);
    struct store_entry *entry, new = { .bytes = bytes };

    if (!store_is_key(key, key_bytes))
        return STORE_BAD_KEY;
    if (s->bytes - (old ? old->bytes + key_bytes : 0) + bytes + key_bytes > STORE_BYTES_MOST)
        return STORE_FULL;
    new.key = strndup((const char *)key, key_bytes);
    new.value = malloc(bytes + 1);
    if (new.key &&new.value) {
        memcpy(new.value, value, bytes);
        store_remove(s, key, key_bytes);
        entry = grow((void **)&s->list, &s->count, &s->cap, sizeof *entry);
        if (entry) {
            *entry = new;
            s->bytes += bytes + key_bytes;
            return STORE_OK;
        }
    }
    free(new.key);
    free(new.value);
    return STORE_FULL;
}

/* ---- the file ------------------------------------------------------------------------------ */

static int hex(char c)
{
    const char *digits = "0123456789abcdef", *at = strchr(digits, c | 0x20);

    return c != 0 && at ? (int)(at - digits) : -1;
}

/* One line, in place; false: it is of another form. */
static bool take_line(struct store *s, char *line, size_t line_bytes)
{
    char *key = line + PREFIX_BYTES, *equals = strchr(line, '='), *end, *value;
    uint8_t *to;
    size_t n = 0;

    if (memchr(line, 0, line_bytes))
        return false;
    line[strcspn(line, "\r\n")] = 0;
    if (line[0] == 0)
        return true;
    if (strncmp(line, PREFIX, PREFIX_BYTES) != 0 || !equals)
        return false;
    value = equals + 1 + strspn(equals + 1, " ");
    end = strrchr(value, '"');
    if (value[0] != '"' || end == value || end[1 + strspn(end + 1, " ")] != 0)
        return false;
    to = (uint8_t *)value;
    for (const char *p = value + 1; p < end; p++) {
        if (*p == '|') {
            if (end - p < 3 || hex(p[1]) < 0 || hex(p[2]) < 0)
                return false;
            to[n++] = (uint8_t)(hex(p[1]) << 4 | hex(p[2]));
            p += 2;
        } else {
            to[n++] = (uint8_t)*p;
        }
    }
    while (equals > key && equals[-1] == ' ')
        equals--;
    return store_set(s, (uint8_t *)key, (size_t)(equals - key), to, n) == STORE_OK;
}

bool store_load(struct store *s)
{
    FILE *file = s->file ? fopen(s->file, "re") : NULL;
    unsigned number = 0;
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    bool ok = true;

    if (!s->file || (!file && errno == ENOENT))
        return true;
    if (!file) {
        report("%s: %s", s->file, strerror(errno));
        return false;
    }
    while (ok && (n = getline(&line, &cap, file)) > 0) {
        number++;
        ok = take_line(s, line, (size_t)n);
        if (!ok)
            report("%s:%u: not of the form guestinfo.KEY = \"VALUE\"", s->file, number);
    }
    if (ok && ferror(file)) {
        report("%s: %s", s->file, strerror(errno));
        ok = false;
    }
    free(line);
    fclose(file);
    return ok;
}

static void put_entry(FILE *file, const struct store_entry *entry)
{
    fprintf(file, PREFIX "%s = \"", entry->key);
    for (size_t i = 0; i < entry->bytes; i++) {
        uint8_t c = entry->value[i];

        if (c < ' ' || c == '"' || c == '|' || c == 0x7f)
            fprintf(file, "|%02X", c);
        else
            fputc(c, file);
    }
    fputs("\"\n", file);
}

bool store_save(const struct store *s)
{
    char path[PATH_MAX];
    struct stat st;
    mode_t mode = 0600; /* secrets of guests stand there */
    FILE *file;
    bool ok;
    int fd;

    if (!s->file)
        return true;
    if (snprintf(path, sizeof path, "%s.XXXXXX", s->file) >= (int)sizeof path) {
        report("%s: the name is too long", s->file);
        return false;
    }
    if (stat(s->file, &st) == 0)
        mode = st.st_mode & 0777;
    fd = mkostemp(path, O_CLOEXEC);
    file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file) {
        report("%s: %s", s->file, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    for (size_t i = 0; i < s->count; i++)
        put_entry(file, &s->list[i]);
    ok = fchmod(fd, mode) == 0 && !ferror(file);
    ok = fclose(file) == 0 && ok && rename(path, s->file) == 0;
    if (!ok) {
        report("%s: %s", s->file, strerror(errno));
        unlink(path);
    }
    return ok;
}
