/* SPDX-License-Identifier: MIT */
/** What the tool says: errors with the file's name, what is wrong and what to do; progress. */
#ifndef CLI_SAY_H
#define CLI_SAY_H
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Exit statuses: docs/svmcore.md. */
enum cli_status {
    CLI_GOOD = 0,
    CLI_REFUSED = 1, /* the file: changed, cut, foreign, old, or none of these formats */
    CLI_USAGE = 2,
    CLI_SYSTEM = 3, /* a file cannot be read or written, no memory */
    CLI_KEY = 4,    /* no key: the provider, the passphrase, or another key than the file's */
    CLI_STOPPED = 5 /* by a signal; nothing is changed */
};

/** Set by SIGINT, SIGTERM and SIGHUP: what takes long looks at it. */
extern volatile sig_atomic_t cli_stopped;
void cli_catch_signals(void);

/** One line on standard error, "svmcore: FILE: ..."; file NULL: of none. @return status. */
__attribute__((format(printf, 3, 4))) enum cli_status cli_fail(enum cli_status status,
                                                               const char *file, const char *format,
                                                               ...);

/** Say nothing of errors, for what is tried. */
void cli_hush(bool hush);

/** A line of warning, as cli_fail. */
__attribute__((format(printf, 2, 3))) void cli_warn(const char *file, const char *format, ...);

/** A bar on standard error where that is a terminal and nobody wants it quiet. total 0: it goes. */
void cli_progress(const char *what, uint64_t done, uint64_t total);
void cli_quiet(void);

/** @return the name of an algorithm of svmcore/crypto.h; "unknown". */
const char *cli_alg_name(uint32_t alg);

/** Bytes as hexadecimal digits: out[2 * n + 1]. @return out. */
char *cli_hex(char *out, const uint8_t *bytes, size_t n);

/** @return whether text is 2 * n hexadecimal digits; then they are in out. */
bool cli_unhex(uint8_t *out, size_t n, const char *text);

#endif
