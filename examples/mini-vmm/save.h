/* SPDX-License-Identifier: MIT */
/**
 * A VM in files (--save, --restore): memory, the contexts of its vCPUs, the host's devices, the
 * library's state with the exits that wait, sealed as one image (svmcore/image.h) behind the VM's
 * key, which is wrapped by the provider's; and deltas of it, of what changed. A disk is not in
 * them, but which state of it belongs to them.
 */
#ifndef SAVE_H
#define SAVE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <svmcore/exit.h>
#include <svmcore/image.h>

#include "disk.h"
#include "embed.h"
#include "sealing.h"
#include "vault.h"
#include "vm.h"

#define SAVE_PARTS 12u /* of four vCPUs */

/** Where a vCPU was when the VM stopped. */
enum save_where {
    SAVE_WAITS = 1, /* its exit waits for the host's answer */
    SAVE_RUNS = 2,  /* between two instructions */
    SAVE_ENDED = 3
};

/** What the keeper itself has to know of a vCPU. */
struct save_cpu {
    uint32_t where;
    uint32_t again;      /* the exit comes once more by itself: KV-13 */
    uint16_t kind, size; /* of the exit that waits */
    uint32_t count;
    uint64_t address, value;
    uint8_t run[EMBED_RUN_BYTES];
};

/** And of the VM; sealed as the rest. */
struct save_own {
    uint32_t version;
    uint32_t msr_exits, cpus;
    uint32_t protect; /* SVMC_PROTECT() bits that it had */
    uint8_t secret[16];
    char guest[64];
    struct disk_mark disk;
    struct save_cpu cpu[WIRE_VCPUS_MAX];
};

/** A VM that has stopped. */
struct save_from {
    struct vcpu *cpu[WIRE_VCPUS_MAX];
    struct save_own *own; /* NULL: it runs, and its memory alone is taken */
};

/** Which image of a row it is: a whole one, a delta, or one of a migration. */
struct save_step {
    uint32_t kind;
    const struct svmc_image_name *parent; /* NULL: the first */
    const uint8_t *session;
};

/** A VM on its way. */
struct save {
    uint64_t generation; /* to write, or the oldest to read */
    struct vault *vault;
    uint8_t *body; /* of the image */
    size_t body_bytes;
    struct svmc_image_section section[SAVE_PARTS];
    uint32_t parts, cpus;       /* cpus 0: a round, which has memory alone */
    const struct save_own *own; /* in it, once it is read */
    uint8_t *memory;            /* what was read, of all images of a row */
    uint64_t memory_bytes;
    struct svmc_image_name name; /* of the last of them */
};

/** The VM's part of a file's head, before an image. */
bool save_head(struct save *s, struct sealing *sealing, uint8_t head[SEALING_HEAD_BYTES], char *why,
               size_t cap);
bool save_take_head(struct save *s, const uint8_t head[SEALING_HEAD_BYTES], struct sealing *sealing,
                    uint32_t protect, char *why, size_t cap);

/** Make the body: pages of `dirty` (NULL: all), and of a VM that has stopped all else. *pages: how
 *  many there are. Then the image of it; the caller frees *image. */
bool save_body(struct save *s, struct vm *vm, const uint64_t *dirty, const struct save_from *from,
               uint64_t *pages, char *why, size_t cap);
enum svmc_image_reason save_seal(struct save *s, struct sealing *sealing,
                                 const struct save_step *step, uint8_t **image, size_t *bytes,
                                 struct svmc_image_name *name);

/** Verify an image and take its memory over. */
enum svmc_image_reason save_open(struct save *s, struct sealing *sealing,
                                 const struct save_step *step, const uint8_t *image, size_t bytes,
                                 struct svmc_image_name *name);

/** Why not, as a line. */
bool save_no_image(char *why, size_t cap, enum svmc_image_reason reason);

/** Write a VM that has stopped to a file: all of it, or there is none. `dirty`: a delta on the
 *  image `parent`, else both NULL. false: `why`. */
bool save_write(struct save *s, const char *path, struct vm *vm, const struct save_from *from,
                const uint64_t *dirty, const struct svmc_image_name *parent,
                struct sealing *sealing, char *why, size_t cap);

/** save_file.c. Read a file and its deltas, verify all of them, and open the sealer with their
 *  key. */
bool save_read(struct save *s, const char *const *path, uint32_t paths, struct sealing *sealing,
               uint32_t protect, char *why, size_t cap);

/** Of what was read: memory and contexts into a fresh VM of as many vCPUs. */
bool save_fill(const struct save *s, struct vm *vm, struct vm_vcpu *processors, char *why,
               size_t cap);

/** The devices of a fresh host; then the library's state into each fresh vCPU: *out as
 *  svmc_vcpu_load says. */
bool save_devices(const struct save *s, struct vcpu *v);
enum svmc_status save_resume(const struct save *s, struct vcpu *v, struct svmc_outcome *out);

/** Wipe what was read. */
void save_close(struct save *s);

#endif
