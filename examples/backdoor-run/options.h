/* SPDX-License-Identifier: MIT */
/** The command line. */
#ifndef BACKDOOR_RUN_OPTIONS_H
#define BACKDOOR_RUN_OPTIONS_H
#include <stdbool.h>

#include "machine.h"
#include "names.h"

struct options {
    struct machine *machine; /* way, checkpoint, trace, store and rpc are filled in */
    bool high_bandwidth;
    struct names wanted;  /* files to rewrite */
    const char *emulator; /* NULL: none */
    char **program;
};

/** -1: run it; else the status to leave with. */
int options_parse(struct options *o, int argc, char **argv);

#endif
