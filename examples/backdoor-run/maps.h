/* SPDX-License-Identifier: MIT */
/** What a process has mapped, where its main program begins, and which parts of a file are code. */
#ifndef BACKDOOR_RUN_MAPS_H
#define BACKDOOR_RUN_MAPS_H
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "memory.h"

struct mapping {
    uint64_t start, end, offset; /* offset in the file */
    uint64_t inode;
    bool write, execute;
    char path[PATH_MAX]; /* empty: no file */
};

/** The lines of /proc/PID/maps; NULL: it cannot be read. Close it with fclose. */
FILE *maps_open(pid_t pid);
bool maps_next(FILE *maps, struct mapping *out);

/** May the program itself write to this page? */
bool maps_writable(pid_t pid, uint64_t at);

/** What the kernel tells a program at its start. */
struct start {
    uint64_t entry;   /* AT_ENTRY: ld.so jumps there when it has finished */
    uint64_t headers; /* AT_PHDR of the main program */
    uint64_t count;   /* AT_PHNUM */
    bool is_64;
};

bool start_read(pid_t pid, struct start *out);
/** From the auxiliary vector itself. */
void start_take(struct start *out, const void *auxv, size_t bytes);

/** Where the loader keeps its list of files, and r_brk, which it calls after each change. false:
    there is no loader. *bias: what the main program was moved by. */
bool start_debug(const struct memory *memory, const struct start *start, struct r_debug *out,
                 uint64_t *bias);

/** A stretch of code in a file. */
struct code {
    uint64_t offset, bytes;
};

/** Sections with code in the file behind a mapping; 0: it has no table of sections. */
size_t code_sections(pid_t pid, const struct mapping *m, struct code *list, size_t most);

#endif
