/* SPDX-License-Identifier: MIT */
/** Reads /proc/PID/maps and /proc/PID/mem: all that is mapped readable. */
#include "scan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HALF  8u
#define CHUNK 65536u

static void hit(struct scan *s, const char *where, uint64_t at, unsigned half)
{
    if (s->report->hits++ == 0)
        snprintf(s->report->first_hit, sizeof s->report->first_hit,
                 "half %u of the secret in %s at 0x%" PRIx64, half, where, at);
}

/* The 8-byte halves; where both stand together the 16 bytes are there. */
static void search(struct scan *s, const uint8_t *bytes, size_t n, uint64_t base, const char *where)
{
    for (unsigned half = 0; half < 2; half++) {
        const uint8_t *from = bytes;

        while ((from = memmem(from, n - (size_t)(from - bytes), s->secret + HALF * half, HALF))) {
            hit(s, where, base + (uint64_t)(from - bytes), half);
            from++;
        }
    }
}

void scan_page(struct scan *s, const uint8_t page[SVMC_PAGE_BYTES], uint64_t exit)
{
    char where[48];

    snprintf(where, sizeof where, "the page of exit %" PRIu64, exit);
    pthread_mutex_lock(&s->lock);
    search(s, page, SVMC_PAGE_BYTES, 0, where);
    s->report->pages++;
    pthread_mutex_unlock(&s->lock);
}

/* One mapping, in pieces that overlap by what a half could lose. */
static bool scan_mapping(struct scan *s, int mem, uint64_t first, uint64_t end, const char *name)
{
    static uint8_t bytes[CHUNK + HALF];
    uint64_t at = first;

    while (at < end) {
        size_t want = end - at < sizeof bytes ? (size_t)(end - at) : sizeof bytes;
        ssize_t n = pread(mem, bytes, want, (off_t)at);

        if (n <= 0)
            return false;
        search(s, bytes, (size_t)n, at, name);
        s->report->bytes += (uint64_t)n;
        if ((uint64_t)n >= end - at)
            break;
        at += (uint64_t)n > HALF ? (uint64_t)n - (HALF - 1) : (uint64_t)n;
    }
    return true;
}

/* [vvar] and [vsyscall] are the kernel's, alike in every process, and not readable this way. */
static bool kernels_own(const char *name)
{
    return strncmp(name, "[vvar", 5) == 0 || strcmp(name, "[vsyscall]") == 0;
}

bool scan_host(struct scan *s, pid_t host)
{
    char path[48], line[512], rights[8], name[256];
    uint64_t first, end;
    FILE *maps;
    int mem;
    bool good = true;

    s->report->ran = true;
    snprintf(path, sizeof path, "/proc/%ld/mem", (long)host);
    mem = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof path, "/proc/%ld/maps", (long)host);
    maps = mem >= 0 ? fopen(path, "re") : NULL;
    while (good && maps && fgets(line, sizeof line, maps)) {
        name[0] = 0;
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %*s %*s %*s %255s", &first, &end, rights,
                   name) < 3)
            good = false;
        else if (rights[0] == 'r' && kernels_own(name))
            s->report->skipped++;
        else if (rights[0] == 'r')
            good = scan_mapping(s, mem, first, end, name[0] ? name : "anonymous memory");
    }
    good = good && maps;
    if (good)
        s->report->rounds++;
    else
        s->report->failed = true;
    if (maps)
        fclose(maps);
    if (mem >= 0)
        close(mem);
    return good;
}

bool scan_turn(struct scan *s, pid_t host)
{
    bool good;

    pthread_mutex_lock(&s->lock);
    good = ++s->turns % SCAN_EVERY != 0 || scan_host(s, host);
    pthread_mutex_unlock(&s->lock);
    return good;
}
