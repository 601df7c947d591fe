/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

#define STEP_MS 100u /* a terminal may be slow */
#define MIB     1048576.0

static bool shown, drawn;

void progress_show(bool on)
{
    shown = on && isatty(STDERR_FILENO);
}

void progress(const char *what, uint64_t done, uint64_t all)
{
    static uint64_t last;
    char bar[41] = { 0 };
    size_t full;

    if (!shown || all == 0 || (drawn && done < all && now_ms() < last + STEP_MS))
        return;
    last = now_ms();
    full = (size_t)((double)done / (double)all * (sizeof bar - 1));
    memset(bar, '.', sizeof bar - 1);
    memset(bar, '#', full);
    fprintf(stderr, "\r%s [%s] %3u %%, %.1f of %.1f MiB%s", what, bar,
            (unsigned)((double)done / (double)all * 100), (double)done / MIB, (double)all / MIB,
            done == all ? "\n" : "");
    drawn = done < all;
}

void progress_stop(void)
{
    if (drawn)
        fputs("\r\033[K", stderr);
    drawn = false;
}
