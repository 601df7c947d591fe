/* SPDX-License-Identifier: MIT */
/** The scanner: is the guest's secret anywhere in the host's memory, or in a page it is shown? */
#ifndef SCAN_H
#define SCAN_H
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "report.h"

#define SCAN_EVERY 64u /* answers between two scans of the host's memory */

struct scan {
    uint8_t secret[16];
    struct report_scan *report;
    uint64_t turns;
    pthread_mutex_t lock; /* one search at a time */
};

/** Search a request page. */
void scan_page(struct scan *s, const uint8_t page[SVMC_PAGE_BYTES], uint64_t exit);

/** Count an answer; every SCAN_EVERY of them, search the host. false: it could not be read. */
bool scan_turn(struct scan *s, pid_t host);

/** Search all of the host's readable memory. false: it could not be read. */
bool scan_host(struct scan *s, pid_t host);

#endif
