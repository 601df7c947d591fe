/* SPDX-License-Identifier: MIT */
#ifndef OPTIONS_H
#define OPTIONS_H
#include <stdbool.h>
#include <stdint.h>

#include "form.h"
#include "lies.h"
#include "pager.h"
#include "vault.h"

#define OPTIONS_FILES_MAX 16u

/** What the exit status says. */
enum exit_status {
    EXIT_GOOD = 0,
    EXIT_BAD = 1,    /* guest FAIL, scan hit, replay difference, a lie that was accepted */
    EXIT_USAGE = 2,  /* usage or file errors */
    EXIT_HOST = 3,   /* the host died or does not answer */
    EXIT_BACKEND = 4 /* KVM failed in mid-run, the guest hangs */
};

struct options {
    const char *guest;
    const char *host;
    const char *record;
    const char *replay;
    const char *dump;
    const char *pid_file;
    char *lies; /* as the host is told; NULL: an honest host */
    uint8_t wanted[LIE_ALL];
    bool json, all, quiet, scan, leak;
    bool has_seed, has_noise;
    uint64_t seed, noise;
    unsigned timeout_ms;
    uint32_t vcpus;
    const struct form *form;
    bool calls;       /* the keeper answers hypercalls itself */
    bool tokens;      /* and some of them for a token alone */
    bool dma;         /* two devices of the host do DMA */
    bool finish;      /* the guest executes what KVM cannot emulate */
    bool no_finish;   /* and what KVM cannot emulate ends the run */
    uint32_t protect; /* SVMC_PROTECT() bits: what of the guest is sealed while it is not in use */
    uint32_t budget;  /* of memory, in percent; 0: none */
    enum pager_way way;
    bool dwell;
    const char *save, *provider, *move_to, *move_from;
    struct vault_cost key_cost;             /* of a key file that is made */
    bool delta;                             /* save: what changed since the restore alone */
    const char *restore[OPTIONS_FILES_MAX]; /* a saved guest, then deltas on it */
    uint32_t restores;
    const char *disk, *disk_anchor; /* NULL: a disk of this run alone; its name with .anchor */
    uint32_t disk_mode;             /* enum svmc_disk_mode */
    uint64_t disk_number;
    uint64_t generation; /* of the image that is written, 0: as usual; older ones are refused */
    uint64_t save_at;    /* requests to the host before it */
    uint16_t port;
    const char **info; /* KEY=VALUE, as given */
    uint32_t info_count;
};

/** Parse. Returns -1 to go on, else the exit status at once (help, version, usage error). */
int options_parse(struct options *o, int argc, char **argv);

#endif
