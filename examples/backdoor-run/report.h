/* SPDX-License-Identifier: MIT */
/** Lines for the person who runs it, on standard error. */
#ifndef BACKDOOR_RUN_REPORT_H
#define BACKDOOR_RUN_REPORT_H

__attribute__((format(printf, 1, 2))) void report(const char *format, ...);

#endif
