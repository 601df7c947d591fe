/* SPDX-License-Identifier: MIT */
/**
 * What tests of images share: a VM with a little memory, a context, a device and state; its image
 * as one row of bytes, written and read chunk by chunk.
 */
#ifndef IMAGE_LAB_H
#define IMAGE_LAB_H
#include <svmcore/image.h>

#include "seal_lab.h"

enum {
    IMAGE_LAB_PAGES = 12,
    IMAGE_LAB_SECTIONS = 5,
    IMAGE_LAB_CHUNKS = 24,
    IMAGE_LAB_BYTES = 131072,
    IMAGE_LAB_BODY = IMAGE_LAB_CHUNKS * 4096
};

struct image_lab {
    struct seal_lab vm;
    uint32_t marks[IMAGE_LAB_CHUNKS], read_marks[IMAGE_LAB_CHUNKS];
    _Alignas(64) uint8_t memory[IMAGE_LAB_PAGES * SVMC_IMAGE_PAGE];
    uint64_t dirty[1];
    bool has_dirty; /* the map is made with `dirty` */
    uint8_t context[300], device[1000], state[77];
    /* what was written last, and where things are in it */
    struct svmc_image_section section[IMAGE_LAB_SECTIONS];
    uint8_t body[IMAGE_LAB_BODY];
    uint64_t body_bytes;
    uint32_t chunks;
    size_t table_at, end_at, chunk_at[IMAGE_LAB_CHUNKS];
};

/* The key of the last MAC, until it is wiped. */
extern const uint8_t *image_lab_unwiped;

/* A VM whose memory is random but for two pages of zeros. */
void image_lab_init(struct image_lab *lab, uint32_t alg, bool quick);
/* A whole image of chunks of 4096 bytes; or, with kind, something else. */
struct svmc_image_config image_lab_config(struct image_lab *lab, uint32_t kind);
/* What a reader takes. */
struct svmc_image_config image_lab_reader(struct image_lab *lab);
/* The sections and the body of the VM as it is. */
void image_lab_collect(struct image_lab *lab);
/* Begin: header and table; where things are. */
enum svmc_image_reason image_lab_begin(struct image_lab *lab,
                                       const struct svmc_image_config *config,
                                       struct svmc_image *image, uint8_t *bytes);
/* Seal chunk i into its place. */
enum svmc_image_reason image_lab_seal(struct image_lab *lab, struct svmc_image *image,
                                      uint32_t lane, uint32_t i, uint8_t *bytes);
/* All of it; *n bytes. */
enum svmc_image_reason image_lab_save(struct image_lab *lab, const struct svmc_image_config *config,
                                      uint8_t bytes[IMAGE_LAB_BYTES], size_t *n,
                                      struct svmc_image_name *name);
/* The way back, as a stream: the first reason that is not NONE. body[IMAGE_LAB_BODY] has what was
 * opened, and zeros. */
enum svmc_image_reason image_lab_load(const struct svmc_image_config *config, const uint8_t *bytes,
                                      size_t n, uint8_t *body, struct svmc_image_name *name);

/* The document once more, for the VM's key. A frame and what is sealed behind it, version 1: */
void image_lab_frame(const struct image_lab *lab, const uint8_t *header, uint64_t number,
                     const void *text, size_t n, uint8_t *out);
/* A MAC of a label and bytes, under the header's subkey for BLAKE2b. */
void image_lab_mac(const struct image_lab *lab, const uint8_t *header, const char label[17],
                   const void *a, size_t a_bytes, uint8_t out[32]);

#endif
