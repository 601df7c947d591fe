/* SPDX-License-Identifier: MIT */
/** How far an image is, on a terminal; elsewhere nothing. */
#ifndef PROGRESS_H
#define PROGRESS_H
#include <stdbool.h>
#include <stdint.h>

/** Is anything shown at all? */
void progress_show(bool on);

/** So many bytes of all are done; all of them ends the line. */
void progress(const char *what, uint64_t done, uint64_t all);

/** There is no more: the line goes. */
void progress_stop(void);

#endif
