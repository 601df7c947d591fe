/* SPDX-License-Identifier: MIT */
/**
 * A VM in a file (--save, --restore): memory, the vCPU's context, the host's devices, the library's
 * state with the exit that waits, sealed as one image (svmcore/image.h) behind the VM's key, which
 * is wrapped by the provider's. One vCPU.
 */
#ifndef SAVE_H
#define SAVE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <svmcore/exit.h>
#include <svmcore/image.h>

#include "embed.h"
#include "sealing.h"
#include "vault.h"
#include "vm.h"

#define SAVE_HEAD_BYTES 512u /* of the file: the VM, the key's name, its blob; then the image */
#define SAVE_PARTS      6u

/** What the keeper itself has to know; sealed as the rest. */
struct save_own {
    uint32_t version;
    uint32_t again; /* the exit comes once more by itself: KV-13 */
    uint32_t msr_exits, reserved;
    uint8_t secret[16];
    char guest[64];
    uint16_t kind, size; /* of the exit that waits */
    uint32_t count;
    uint64_t address, value;
    uint8_t run[EMBED_RUN_BYTES];
};

/** Which image of a row it is: a whole one, or one of a migration. */
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
    uint32_t parts;             /* of them: a round has memory alone */
    const struct save_own *own; /* in it, once it is read */
    uint8_t *memory;            /* what was read, of all images of a row */
    uint64_t memory_bytes;
};

/** The VM's part of a file's head, before an image. */
bool save_head(struct save *s, struct sealing *sealing, uint8_t head[SAVE_HEAD_BYTES], char *why,
               size_t cap);
bool save_take_head(struct save *s, const uint8_t head[SAVE_HEAD_BYTES], struct sealing *sealing,
                    uint32_t protect, char *why, size_t cap);

/** Make the body: pages of `dirty` (NULL: all), and unless `v` is NULL all else. *pages: how many
 *  there are. Then the image of it; the caller frees *image. */
bool save_body(struct save *s, struct vm *vm, const uint64_t *dirty, struct vcpu *v,
               struct save_own *own, uint64_t *pages, char *why, size_t cap);
enum svmc_image_reason save_seal(struct save *s, struct sealing *sealing,
                                 const struct save_step *step, uint8_t **image, size_t *bytes,
                                 struct svmc_image_name *name);

/** Verify an image and take its memory over. */
enum svmc_image_reason save_open(struct save *s, struct sealing *sealing,
                                 const struct save_step *step, const uint8_t *image, size_t bytes,
                                 struct svmc_image_name *name);

/** Why not, as a line. */
bool save_no_image(char *why, size_t cap, enum svmc_image_reason reason);

/** Write the VM, whose vCPU waits with an exit, to a file: all of it, or there is none. false:
 *  `why`. */
bool save_write(struct save *s, const char *path, struct vcpu *v, struct sealing *sealing,
                struct save_own *own, char *why, size_t cap);

/** Read a file, verify all of it, and open the sealer with its key. */
bool save_read(struct save *s, const char *path, struct sealing *sealing, uint32_t protect,
               char *why, size_t cap);

/** Of what was read: memory and the vCPU's context into a fresh VM. */
bool save_fill(const struct save *s, struct vm *vm, struct vm_vcpu *c, char *why, size_t cap);

/** The devices of a fresh host; then the library's state into a fresh vCPU: *out as
 *  svmc_vcpu_load says. */
bool save_devices(const struct save *s, struct vcpu *v);
enum svmc_status save_resume(const struct save *s, struct vcpu *v, struct svmc_outcome *out);

/** Wipe what was read. */
void save_close(struct save *s);

#endif
