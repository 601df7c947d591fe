/* SPDX-License-Identifier: MIT */
/*
 * show.decode: x86 code as text, beside objdump: the same five megabytes of .text, each
 * line with address, bytes and instruction in Intel syntax, to /dev/null. Processor time of a whole
 * run, ours in this process, objdump's in one of its own with nothing else in its file.
 */
#include <inttypes.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <svmcore/insn.h>

#include "corpus.h"
#include "figure.h"

#define TEXT_FILE  "/usr/lib/x86_64-linux-gnu/libLLVM-14.so.1"
#define TEXT_BYTES (5u << 20)
#define ROUNDS     5u

static const struct svmc_cpu cpu = { .isa = SVMC_ISA_X86_64,
                                     .vendor = SVMC_VENDOR_INTEL, /* as objdump by default */
                                     .features = { UINT64_MAX, UINT64_MAX } };

/* One line; returns the bytes that it is about. */
static size_t show(FILE *out, const struct corpus *c, size_t at)
{
    static const char digits[] = "0123456789abcdef";
    char text[SVMC_INSN_TEXT_MAX], hex[3 * SVMC_INSN_MAX + 1];
    struct svmc_insn insn;
    size_t step = 1;

    if (svmc_insn_decode(&cpu, c->bytes + at, CORPUS_WINDOW, &insn) != SVMC_OK)
        strcpy(text, "(bad)");
    else if (svmc_insn_format(&insn, text, sizeof text) == SVMC_OK)
        step = insn.length;
    else
        corpus_fail("show", "an instruction without a text");
    for (size_t i = 0; i < step; i++) {
        hex[3 * i] = digits[c->bytes[at + i] >> 4];
        hex[3 * i + 1] = digits[c->bytes[at + i] & 15];
        hex[3 * i + 2] = ' ';
    }
    hex[3 * step] = 0;
    fprintf(out, "%8zx:\t%-21s\t%s\n", at, hex, text);
    return step;
}

static double ours(const struct corpus *c, uint64_t *lines)
{
    FILE *out = fopen("/dev/null", "w");
    double from = figure_now();

    if (out == NULL)
        corpus_fail("/dev/null", "cannot be opened");
    *lines = 0;
    for (size_t at = 0; at < c->count; ++*lines)
        at += show(out, c, at);
    fclose(out);
    return figure_now() - from;
}

static double theirs(const char *file)
{
    char *argv[] = { "objdump", "-D",    "-b",
                     "binary",  "-m",    "i386:x86-64",
                     "-M",      "intel", (char *)(uintptr_t)file,
                     NULL };
    char *envp[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", NULL };
    posix_spawn_file_actions_t to_null;
    struct rusage used;
    pid_t pid;
    int status;

    posix_spawn_file_actions_init(&to_null);
    posix_spawn_file_actions_addopen(&to_null, 1, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&pid, argv[0], &to_null, NULL, argv, envp) != 0 ||
        wait4(pid, &status, 0, &used) != pid || status != 0)
        corpus_fail("objdump", "did not run");
    posix_spawn_file_actions_destroy(&to_null);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e9 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e3;
}

int main(void)
{
    struct corpus c = corpus_text(TEXT_FILE, TEXT_BYTES);
    char file[] = "/tmp/svmc-show-XXXXXX";
    int fd = mkstemp(file);
    double a[ROUNDS], b[ROUNDS];
    uint64_t lines;

    if (fd < 0 || write(fd, c.bytes, c.count) != (ssize_t)c.count)
        corpus_fail(file, "cannot be written");
    for (unsigned r = 0; r < ROUNDS; r++) {
        a[r] = ours(&c, &lines);
        b[r] = theirs(file);
    }
    close(fd);
    unlink(file);
    figure_print("show.decode", figure_median(a, ROUNDS) / (double)lines, "ns", "objdump",
                 figure_median(b, ROUNDS) / (double)lines);
    return 0;
}
