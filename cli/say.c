/* SPDX-License-Identifier: MIT */
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <svmcore/crypto.h>
#include <time.h>
#include <unistd.h>

volatile sig_atomic_t cli_stopped;
static bool quiet, drawn, hushed;

static void on_signal(int number)
{
    (void)number;
    cli_stopped = 1;
}

void cli_catch_signals(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal; /* no SA_RESTART: a prompt ends, too */
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        (void)sigaction(numbers[i], &action, NULL);
}

/* Names come from elsewhere: what a terminal might obey is not shown as it is. */
static void put_name(const char *name)
{
    for (; *name != 0; name++) {
        if ((unsigned char)*name < 0x20 || *name == 0x7f)
            fputc('?', stderr);
        else
            fputc(*name, stderr);
    }
}

static void put_line(const char *kind, const char *file, const char *format, va_list list)
{
    if (hushed)
        return;
    cli_progress(NULL, 0, 0);
    fprintf(stderr, "svmcore: %s", kind);
    if (file) {
        put_name(file);
        fputs(": ", stderr);
    }
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
}

enum cli_status cli_fail(enum cli_status status, const char *file, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    put_line("", file, format, list);
    va_end(list);
    return status;
}

void cli_warn(const char *file, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    put_line("warning: ", file, format, list);
    va_end(list);
}

void cli_hush(bool hush)
{
    hushed = hush;
}

void cli_quiet(void)
{
    quiet = true;
}

void cli_progress(const char *what, uint64_t done, uint64_t total)
{
    static struct timespec last;
    struct timespec now;
    char bar[41];
    size_t full;

    if (total == 0) {
        if (drawn)
            fputs("\r\033[K", stderr);
        drawn = false;
        return;
    }
    if (quiet || !isatty(STDERR_FILENO))
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (drawn && done < total &&
        (now.tv_sec - last.tv_sec) * 10 + (now.tv_nsec - last.tv_nsec) / 100000000 < 1)
        return;
    last = now;
    full = (size_t)((double)done / (double)total * (sizeof bar - 1));
    memset(bar, '.', sizeof bar - 1);
    memset(bar, '#', full);
    bar[sizeof bar - 1] = 0;
    fprintf(stderr, "\r%s [%s] %3u %%", what, bar, (unsigned)((double)done / (double)total * 100));
    drawn = true;
}

const char *cli_alg_name(uint32_t alg)
{
    switch (alg) {
    case SVMC_ALG_AES_256_GCM:
        return "AES-256-GCM";
    case SVMC_ALG_CHACHA20_POLY1305:
        return "ChaCha20-Poly1305";
    case SVMC_ALG_XCHACHA20_POLY1305:
        return "XChaCha20-Poly1305";
    case SVMC_ALG_AES_256_XTS:
        return "AES-256-XTS";
    case SVMC_ALG_MAC_BLAKE2B_256:
        return "keyed BLAKE2b-256";
    case SVMC_ALG_HMAC_SHA_256:
        return "HMAC-SHA-256";
    case SVMC_ALG_DERIVE_BLAKE2B:
        return "keyed BLAKE2b";
    case SVMC_ALG_HKDF_SHA_256:
        return "HKDF-SHA-256";
    default:
        return "unknown";
    }
}

char *cli_hex(char *out, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = 0;
    return out;
}

bool cli_unhex(uint8_t *out, size_t n, const char *text)
{
    if (strlen(text) != 2 * n || strspn(text, "0123456789abcdefABCDEF") != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned value = 0;

        (void)sscanf(text + 2 * i, "%2x", &value);
        out[i] = (uint8_t)value;
    }
    return true;
}
