/* SPDX-License-Identifier: MIT */
/** From a VM to a file and back. Before the image's end has been verified nothing of it is used. */
#include "save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <svmcore/port/kvm.h>
#include <svmcore/state.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"

#define MAGIC       "MVMSAVE1"
#define VM_AT       8u /* of the file's head */
#define KEY_AT      24u
#define BLOB_AT     40u
#define OWN_VERSION 1u
#define FILE_MAX    ((off_t)1 << 30)
#define STATE_MAX   65536u
#define CONTEXT_MAX 65536u
#define PAGES_MAX   4096u
#define LANE        SEALING_LANE_PAGES

enum part { PART_MAP, PART_MEMORY, PART_CONTEXT, PART_DEVICE, PART_STATE, PART_OWN };

static const uint32_t types[SAVE_PARTS] = { SVMC_IMAGE_MAP,     SVMC_IMAGE_MEMORY,
                                            SVMC_IMAGE_CONTEXT, SVMC_IMAGE_DEVICE,
                                            SVMC_IMAGE_STATE,   SVMC_IMAGE_OWN };

_Static_assert(BLOB_AT + SVMC_VMKEY_BLOB_BYTES <= SAVE_HEAD_BYTES, "the head has room");

static bool refuse(char *why, size_t cap, const char *what, const char *detail)
{
    snprintf(why, cap, "%s: %.120s", what, detail);
    return false;
}

static bool no_image(char *why, size_t cap, enum svmc_image_reason reason)
{
    const char *name = reason >= SVMC_IMAGE_SEALER ? svmc_status_name(svmc_image_status(reason))
                                                   : svmc_image_reason_name(reason);

    return refuse(why, cap, "the image", name);
}

/* What is stored of each part, before it is laid out. */
struct parts {
    const void *at[SAVE_PARTS];
    size_t bytes[SAVE_PARTS];
};

static bool lay_out(struct save *s, const struct vm *vm, const struct parts *p)
{
    uint64_t bytes;

    for (uint32_t i = 0; i < SAVE_PARTS; i++)
        s->section[i] = (struct svmc_image_section){
            .type = types[i],
            .bytes = i <= PART_MEMORY ? vm->memory_bytes : p->bytes[i],
            .stored = p->bytes[i],
            .format = 1,
        };
    if (!svmc_image_layout(s->section, SAVE_PARTS, &bytes))
        return false;
    s->body = calloc(1, bytes);
    s->body_bytes = bytes;
    for (uint32_t i = 0; s->body && i < SAVE_PARTS; i++)
        if (i != PART_MEMORY)
            memcpy(s->body + s->section[i].offset, p->at[i], p->bytes[i]);
    return s->body != NULL;
}

/* Pages that are not zero, one behind the other. */
static void put_memory(struct save *s, const struct vm *vm, const uint8_t *map)
{
    uint64_t pages = vm->memory_bytes / SVMC_IMAGE_PAGE, page;
    uint8_t *to = s->body + s->section[PART_MEMORY].offset;

    for (page = svmc_image_map_next(map, pages, 0, SVMC_IMAGE_HERE); page < pages;
         page = svmc_image_map_next(map, pages, page + 1, SVMC_IMAGE_HERE)) {
        memcpy(to, vm->memory + page * SVMC_IMAGE_PAGE, SVMC_IMAGE_PAGE);
        to += SVMC_IMAGE_PAGE;
    }
}

static bool write_all(int fd, const void *bytes, size_t n, uint64_t at)
{
    const uint8_t *from = bytes;

    while (n > 0) {
        ssize_t done = pwrite(fd, from, n, (off_t)at);

        if (done <= 0 && errno != EINTR)
            return false;
        if (done > 0) {
            from += done;
            at += (uint64_t)done;
            n -= (size_t)done;
        }
    }
    return true;
}

/* The image itself, from the body. */
static enum svmc_image_reason write_image(const struct save *s, int fd, struct sealing *sealing,
                                          bool *stored)
{
    static uint8_t out[SVMC_IMAGE_FRAME_BYTES + SVMC_IMAGE_CHUNK_BYTES];
    uint8_t header[SVMC_IMAGE_HEADER_BYTES], table[SVMC_IMAGE_TABLE_BYTES(SAVE_PARTS)];
    uint8_t end[SVMC_IMAGE_END_BYTES];
    uint64_t chunks = (s->body_bytes + SVMC_IMAGE_CHUNK_BYTES - 1) / SVMC_IMAGE_CHUNK_BYTES;
    struct svmc_image_config config = { .sealer = &sealing->sealer,
                                        .generation = s->generation,
                                        .marks = calloc(chunks, sizeof(uint32_t)),
                                        .marks_count = chunks,
                                        .kind = SVMC_IMAGE_WHOLE };
    struct svmc_image_name name;
    static struct svmc_image image;
    enum svmc_image_reason why =
        config.marks ? svmc_image_begin(&image, &config, s->section, SAVE_PARTS, header, table)
                     : SVMC_IMAGE_ROOM;

    *stored = why != SVMC_IMAGE_NONE ||
              (write_all(fd, header, sizeof header, SAVE_HEAD_BYTES) &&
               write_all(fd, table, sizeof table, SAVE_HEAD_BYTES + sizeof header));
    for (uint64_t i = 0; why == SVMC_IMAGE_NONE && *stored && i < chunks; i++) {
        size_t n = svmc_image_chunk_bytes(&image, i);

        why = svmc_image_seal_chunk(&image, LANE, i, s->body + i * SVMC_IMAGE_CHUNK_BYTES, out);
        *stored =
            why != SVMC_IMAGE_NONE || write_all(fd, out, SVMC_IMAGE_FRAME_BYTES + n,
                                                SAVE_HEAD_BYTES + svmc_image_place(&image, i));
    }
    if (why == SVMC_IMAGE_NONE && *stored) {
        why = svmc_image_end(&image, end, &name);
        *stored =
            why != SVMC_IMAGE_NONE ||
            write_all(fd, end, sizeof end, SAVE_HEAD_BYTES + svmc_image_place(&image, chunks));
    }
    if (svmc_image_drop(&image) != SVMC_OK && why == SVMC_IMAGE_NONE)
        why = SVMC_IMAGE_NOT_NOW;
    free(config.marks);
    return why;
}

/* Beside FILE, and then in its place: what is there under its name is whole. */
static bool write_file(struct save *s, const char *path, struct sealing *sealing, char *why,
                       size_t cap)
{
    uint8_t head[SAVE_HEAD_BYTES] = MAGIC;
    enum svmc_image_reason no = SVMC_IMAGE_NONE;
    char beside[4096];
    bool stored = false;
    int fd;

    memcpy(head + VM_AT, sealing->vm, SVMC_VM_ID_BYTES);
    memcpy(head + KEY_AT, s->vault.wanted.name, SVMC_PROVIDER_ID_BYTES);
    if (!vault_wrap(&s->vault, &sealing->key, sealing->alg, head + BLOB_AT, why, cap))
        return false;
    snprintf(beside, sizeof beside, "%s.new", path);
    fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0 && write_all(fd, head, sizeof head, 0))
        no = write_image(s, fd, sealing, &stored);
    stored = stored && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    if (no == SVMC_IMAGE_NONE && stored && rename(beside, path) == 0)
        return true;
    (void)unlink(beside);
    return no != SVMC_IMAGE_NONE ? no_image(why, cap, no) : refuse(why, cap, path, strerror(errno));
}

/* KV-13: the registers before and behind a settle say whether the exit comes again. */
static bool take_context(struct vm_vcpu *c, uint8_t *context, size_t *bytes, uint32_t *again)
{
    const struct svmc_kvm_files files = { c->vm->kvm, c->vm->fd, c->fd, c->run, c->run_bytes };
    static struct svmc_kvm_vcpu kvm;
    struct kvm_regs before, after;
    bool settled;

    if (svmc_kvm_vcpu_open(&kvm, &files) != SVMC_OK ||
        svmc_kvm_vcpu_copy(&kvm, context, CONTEXT_MAX, bytes) != SVMC_OK ||
        ioctl(c->fd, KVM_GET_REGS, &before) != 0)
        return false;
    settled = svmc_kvm_vcpu_settle(&kvm) != SVMC_ERR_CALLBACK; /* it never runs again */
    if (!settled || ioctl(c->fd, KVM_GET_REGS, &after) != 0)
        return false;
    *again = memcmp(&before, &after, sizeof before) != 0;
    return true;
}

bool save_write(struct save *s, const char *path, struct vcpu *v, struct sealing *sealing,
                struct save_own *own, char *why, size_t cap)
{
    static _Alignas(8) uint8_t context[CONTEXT_MAX], state[STATE_MAX];
    static uint8_t devices[WIRE_DEVICES_BYTES];
    static uint8_t map[SVMC_IMAGE_MAP_BYTES(PAGES_MAX)];
    struct vm *vm = v->kvm->vm;
    uint64_t pages = vm->memory_bytes / SVMC_IMAGE_PAGE;
    size_t context_bytes = 0, state_bytes = 0;
    struct parts p;
    bool good;

    own->version = OWN_VERSION;
    memcpy(own->run, v->run, v->run_bytes < sizeof own->run ? v->run_bytes : sizeof own->run);
    if (pages > PAGES_MAX || svmc_vcpu_save(&v->core, state, sizeof state, &state_bytes) != SVMC_OK)
        return refuse(why, cap, "--save", "the library's state");
    p = (struct parts){ { map, NULL, context, devices, state, own },
                        { SVMC_IMAGE_MAP_BYTES(pages),
                          svmc_image_map_make(map, pages, vm->memory, NULL) * SVMC_IMAGE_PAGE, 0,
                          sizeof devices, state_bytes, sizeof *own } };
    if (!link_devices(v->host, WIRE_DEVICES_GIVE, devices, v->host_timeout_ms))
        return refuse(why, cap, "--save", "the host does not give its devices");
    /* memory first: a settle may write to it */
    p.bytes[PART_CONTEXT] = CONTEXT_MAX;
    if (!lay_out(s, vm, &p))
        return refuse(why, cap, "--save", "no memory");
    put_memory(s, vm, map);
    good = take_context(v->kvm, context, &context_bytes, &own->again);
    memcpy(s->body + s->section[PART_CONTEXT].offset, context, sizeof context);
    memcpy(s->body + s->section[PART_OWN].offset, own, sizeof *own);
    explicit_bzero(context, sizeof context);
    explicit_bzero(state, sizeof state);
    return good ? write_file(s, path, sealing, why, cap)
                : refuse(why, cap, "--save", "KVM does not give the context");
}

/* A whole file; nothing of it is believed. */
static uint8_t *read_file(const char *path, size_t *n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    uint8_t *bytes = NULL;
    ssize_t done = -1;

    if (fd >= 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_size <= FILE_MAX &&
        (bytes = malloc((size_t)about.st_size + 1)) != NULL)
        done = read(fd, bytes, (size_t)about.st_size);
    if (fd >= 0)
        close(fd);
    if (done < 0) {
        free(bytes);
        return NULL;
    }
    *n = (size_t)done;
    return bytes;
}

/* All chunks into the body, then the end: only then there is an image. */
static enum svmc_image_reason open_chunks(struct save *s, struct svmc_image *image,
                                          const struct svmc_image_info *info, const uint8_t *from,
                                          size_t n)
{
    uint64_t end = svmc_image_place(image, info->chunks), at;
    struct svmc_image_name name;
    enum svmc_image_reason why;

    if (end > n)
        return SVMC_IMAGE_CUT;
    why = svmc_image_open_end(image, from + end, n - end);
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_open_table(image, LANE, from + SVMC_IMAGE_HEADER_BYTES,
                                    n - SVMC_IMAGE_HEADER_BYTES, s->section);
    for (uint64_t i = 0; why == SVMC_IMAGE_NONE && i < info->chunks; i++) {
        at = svmc_image_place(image, i);
        why = svmc_image_open_chunk(image, LANE, i, from + at, n - at,
                                    s->body + i * info->chunk_bytes);
    }
    return why == SVMC_IMAGE_NONE ? svmc_image_close(image, from + end, n - end, &name) : why;
}

static enum svmc_image_reason read_image(struct save *s, struct sealing *sealing,
                                         const uint8_t *from, size_t n)
{
    static struct svmc_image image;
    struct svmc_image_info info;
    struct svmc_image_config config = { .sealer = &sealing->sealer, .generation = s->generation };
    enum svmc_image_reason why = svmc_image_inspect(from, n, &info);

    if (why != SVMC_IMAGE_NONE)
        return why;
    if (info.sections != SAVE_PARTS || info.body_bytes > FILE_MAX || info.body_bytes > n)
        return n >= info.bytes || info.sections != SAVE_PARTS ? SVMC_IMAGE_TABLE : SVMC_IMAGE_CUT;
    config.marks = calloc(info.chunks, sizeof(uint32_t));
    config.marks_count = info.chunks;
    s->body_bytes = info.body_bytes;
    s->body = calloc(1, info.body_bytes);
    why = config.marks && s->body ? svmc_image_open(&image, &config, from, n) : SVMC_IMAGE_ROOM;
    if (why == SVMC_IMAGE_NONE) {
        why = open_chunks(s, &image, &info, from, n);
        if (svmc_image_drop(&image) != SVMC_OK && why == SVMC_IMAGE_NONE)
            why = SVMC_IMAGE_NOT_NOW;
    }
    free(config.marks);
    return why;
}

static const uint8_t *part_of(const struct save *s, enum part part)
{
    return s->body + s->section[part].offset;
}

/* Ours, in this version: what the image itself does not know. */
static bool check_parts(struct save *s)
{
    const struct svmc_image_section *map = &s->section[PART_MAP];

    for (uint32_t i = 0; i < SAVE_PARTS; i++)
        if (s->section[i].type != types[i] || s->section[i].id != 0 || s->section[i].format != 1)
            return false;
    s->own = (const struct save_own *)(const void *)part_of(s, PART_OWN);
    return map->at == 0 && s->section[PART_MEMORY].at == 0 &&
           s->section[PART_CONTEXT].stored == CONTEXT_MAX &&
           s->section[PART_DEVICE].stored == WIRE_DEVICES_BYTES &&
           s->section[PART_OWN].stored == sizeof *s->own && s->own->version == OWN_VERSION &&
           memchr(s->own->guest, 0, sizeof s->own->guest) != NULL &&
           svmc_image_map_check(part_of(s, PART_MAP), &s->section[PART_MEMORY], 0);
}

bool save_read(struct save *s, const char *path, struct sealing *sealing, uint32_t protect,
               char *why, size_t cap)
{
    size_t n = 0;
    uint8_t *file = read_file(path, &n);
    enum svmc_image_reason no;
    bool good = false;

    if (!file)
        return refuse(why, cap, path, errno ? strerror(errno) : "no regular file");
    if (n < SAVE_HEAD_BYTES || memcmp(file, MAGIC, 8) != 0) {
        refuse(why, cap, path, "no saved VM, or cut");
    } else if (memcmp(file + KEY_AT, s->vault.wanted.name, SVMC_PROVIDER_ID_BYTES) != 0) {
        refuse(why, cap, path, "saved under another key of the provider's");
    } else if (sealing_restore(sealing, protect, &s->vault, file + VM_AT, file + BLOB_AT, why,
                               cap)) {
        no = read_image(s, sealing, file + SAVE_HEAD_BYTES, n - SAVE_HEAD_BYTES);
        good = no == SVMC_IMAGE_NONE ? check_parts(s) || refuse(why, cap, path, "not made here")
                                     : no_image(why, cap, no);
    }
    free(file);
    return good;
}

bool save_fill(const struct save *s, struct vm *vm, struct vm_vcpu *c, char *why, size_t cap)
{
    const struct svmc_kvm_files files = { vm->kvm, vm->fd, c->fd, c->run, c->run_bytes };
    static struct svmc_kvm_vcpu kvm;
    uint64_t pages = vm->memory_bytes / SVMC_IMAGE_PAGE, page;
    const uint8_t *from = part_of(s, PART_MEMORY), *map = part_of(s, PART_MAP);
    enum svmc_status st;

    if (s->section[PART_MEMORY].bytes != vm->memory_bytes ||
        s->own->msr_exits != (uint32_t)vm->msr_exits)
        return refuse(why, cap, "--restore", "another memory, or another KVM");
    for (page = svmc_image_map_next(map, pages, 0, SVMC_IMAGE_HERE); page < pages;
         page = svmc_image_map_next(map, pages, page + 1, SVMC_IMAGE_HERE)) {
        memcpy(vm->memory + page * SVMC_IMAGE_PAGE, from, SVMC_IMAGE_PAGE);
        from += SVMC_IMAGE_PAGE;
    }
    st = svmc_kvm_vcpu_open(&kvm, &files);
    if (st == SVMC_OK && svmc_kvm_vcpu_bytes(&kvm) > CONTEXT_MAX)
        st = SVMC_ERR_UNSUPPORTED;
    if (st == SVMC_OK)
        st = svmc_kvm_vcpu_load(&kvm, part_of(s, PART_CONTEXT), svmc_kvm_vcpu_bytes(&kvm),
                                SVMC_KVM_LOAD_TSC);
    if (st == SVMC_OK && vm->sync_regs && ioctl(c->fd, KVM_GET_REGS, &c->run->s.regs.regs) != 0)
        st = SVMC_ERR_CALLBACK;
    return st == SVMC_OK || refuse(why, cap, "--restore: the context", svmc_status_name(st));
}

bool save_devices(const struct save *s, struct vcpu *v)
{
    uint8_t devices[WIRE_DEVICES_BYTES];

    memcpy(devices, part_of(s, PART_DEVICE), sizeof devices);
    return link_devices(v->host, WIRE_DEVICES_TAKE, devices, v->host_timeout_ms);
}

enum svmc_status save_resume(const struct save *s, struct vcpu *v, struct svmc_outcome *out)
{
    return svmc_vcpu_load(&v->core, part_of(s, PART_STATE), s->section[PART_STATE].stored, out);
}

void save_close(struct save *s)
{
    if (s->body) {
        explicit_bzero(s->body, s->body_bytes);
        free(s->body);
    }
    vault_close(&s->vault);
    s->body = NULL;
    s->own = NULL;
}
