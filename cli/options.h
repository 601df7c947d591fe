/* SPDX-License-Identifier: MIT */
/** The options of `svmcore seal`. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <svmcore/keys.h>

#include "keys.h"
#include "say.h"

enum seal_command {
    SEAL_CREATE,
    SEAL_INSPECT,
    SEAL_VERIFY,
    SEAL_REKEY,
    SEAL_CONVERT,
    SEAL_PASSPHRASE
};

/** What a file is, or is to become. The first two are enum svmc_disk_mode. */
enum seal_form { FORM_NONE = 0, FORM_LENGTH = 1, FORM_AUTHENTIC = 2, FORM_RAW = 3, FORM_IMAGE = 4 };

#define SECTIONS_MAX 64u

struct seal_options {
    enum seal_command command;
    char **file;
    int files;
    struct provider_options provider, next; /* next: rekey's new one */
    enum seal_form form;                    /* --mode, --to */
    uint32_t alg;
    uint64_t size, generation, number;
    uint32_t sector_bytes, journal;
    const char *from, *anchor;
    const char *section[SECTIONS_MAX];
    uint32_t sections;
    uint8_t vm[SVMC_VM_ID_BYTES];
    bool has_vm, has_generation, new_vm_key, new_epoch, json, force;
};

/** -1: go on. Else the exit status, and all is said. argv[1] is the command. */
int seal_options_read(struct seal_options *o, int argc, char **argv);

#endif
