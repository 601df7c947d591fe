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
#include <unistd.h>

#include "bytes.h"
#include "progress.h"
#include "second.h"

#define MAGIC       "MVMSAVE1"
#define OWN_VERSION 2u
#define BODY_MAX    ((uint64_t)1 << 30)
#define STATE_MAX   65536u
#define CONTEXT_MAX 65536u
#define PAGES_MAX   4096u
#define LANE        SEALING_LANE_PAGES

/* In the order of their types, and within one of the vCPUs. */
enum part { PART_MAP, PART_MEMORY, PART_CONTEXT };

static uint32_t part_device(const struct save *s)
{
    return PART_CONTEXT + s->cpus;
}

static uint32_t part_state(const struct save *s)
{
    return part_device(s) + 1;
}

static uint32_t part_own(const struct save *s)
{
    return part_state(s) + s->cpus;
}

static uint32_t parts_of(uint32_t cpus)
{
    return cpus > 0 ? 4 + 2 * cpus : PART_MEMORY + 1;
}

_Static_assert(4 + 2 * WIRE_VCPUS_MAX == SAVE_PARTS, "all vCPUs have room");

/* What a part is, and of which vCPU. */
static uint32_t type_of(const struct save *s, uint32_t part, uint32_t *id)
{
    *id = 0;
    if (part <= PART_MEMORY)
        return part == PART_MAP ? SVMC_IMAGE_MAP : SVMC_IMAGE_MEMORY;
    if (part == part_device(s) || part == part_own(s))
        return part == part_own(s) ? SVMC_IMAGE_OWN : SVMC_IMAGE_DEVICE;
    *id = part - (part < part_device(s) ? PART_CONTEXT : part_state(s));
    return part < part_device(s) ? SVMC_IMAGE_CONTEXT : SVMC_IMAGE_STATE;
}

static bool refuse(char *why, size_t cap, const char *what, const char *detail)
{
    snprintf(why, cap, "%s: %.120s", what, detail);
    return false;
}

bool save_no_image(char *why, size_t cap, enum svmc_image_reason reason)
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

static void drop_body(struct save *s)
{
    if (s->body) {
        explicit_bzero(s->body, s->body_bytes);
        free(s->body);
    }
    s->body = NULL;
    s->own = NULL;
}

static bool lay_out(struct save *s, const struct vm *vm, const struct parts *p)
{
    uint64_t bytes;

    drop_body(s);
    for (uint32_t i = 0; i < s->parts; i++) {
        uint32_t id, type = type_of(s, i, &id);

        s->section[i] = (struct svmc_image_section){
            .type = type,
            .id = id,
            .bytes = i <= PART_MEMORY ? vm->memory_bytes : p->bytes[i],
            .stored = p->bytes[i],
            .format = 1,
        };
    }
    if (!svmc_image_layout(s->section, s->parts, &bytes))
        return false;
    s->body = calloc(1, bytes);
    s->body_bytes = bytes;
    for (uint32_t i = 0; s->body && i < s->parts; i++)
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

static bool write_all(int fd, const void *bytes, size_t n)
{
    const uint8_t *from = bytes;

    while (n > 0) {
        ssize_t done = write(fd, from, n);

        if (done <= 0 && errno != EINTR)
            return false;
        if (done > 0) {
            from += done;
            n -= (size_t)done;
        }
    }
    return true;
}

/* A round of a migration has a line of its own. */
static enum svmc_image_reason seal_all(const struct save *s, struct svmc_image *image,
                                       const struct save_step *step, uint64_t chunks, uint8_t *to,
                                       struct svmc_image_name *name)
{
    const char *what = step->session ? NULL : step->parent ? "saving what changed" : "saving";
    enum svmc_image_reason why = SVMC_IMAGE_NONE;

    for (uint64_t i = 0; why == SVMC_IMAGE_NONE && i < chunks; i++) {
        if (what)
            progress(what, i * SVMC_IMAGE_CHUNK_BYTES, s->body_bytes);
        why = svmc_image_seal_chunk(image, LANE, i, s->body + i * SVMC_IMAGE_CHUNK_BYTES,
                                    to + svmc_image_place(image, i));
    }
    if (what && why == SVMC_IMAGE_NONE)
        progress(what, s->body_bytes, s->body_bytes);
    progress_stop();
    return why == SVMC_IMAGE_NONE
               ? svmc_image_end(image, to + svmc_image_place(image, chunks), name)
               : why;
}

enum svmc_image_reason save_seal(struct save *s, struct sealing *sealing,
                                 const struct save_step *step, uint8_t **image, size_t *bytes,
                                 struct svmc_image_name *name)
{
    static struct svmc_image writer;
    uint64_t chunks = (s->body_bytes + SVMC_IMAGE_CHUNK_BYTES - 1) / SVMC_IMAGE_CHUNK_BYTES;
    struct svmc_image_config config = { .sealer = &sealing->sealer,
                                        .generation = s->generation,
                                        .parent = step->parent,
                                        .session = step->session,
                                        .marks = calloc(chunks, sizeof(uint32_t)),
                                        .marks_count = chunks,
                                        .kind = step->kind };
    enum svmc_image_reason why = SVMC_IMAGE_ROOM;
    uint8_t *to;

    *bytes = SVMC_IMAGE_HEADER_BYTES + SVMC_IMAGE_TABLE_BYTES(s->parts) + s->body_bytes +
             chunks * SVMC_IMAGE_FRAME_BYTES + SVMC_IMAGE_END_BYTES;
    *image = to = calloc(1, *bytes);
    if (config.marks && to)
        why = svmc_image_begin(&writer, &config, s->section, s->parts, to,
                               to + SVMC_IMAGE_HEADER_BYTES);
    if (why == SVMC_IMAGE_NONE) {
        why = seal_all(s, &writer, step, chunks, to, name);
        if (svmc_image_drop(&writer) != SVMC_OK && why == SVMC_IMAGE_NONE)
            why = SVMC_IMAGE_NOT_NOW;
    }
    free(config.marks);
    return why;
}

bool save_head(struct save *s, struct sealing *sealing, uint8_t head[SEALING_HEAD_BYTES], char *why,
               size_t cap)
{
    return sealing_head(sealing, s->vault, MAGIC, head, why, cap);
}

bool save_take_head(struct save *s, const uint8_t head[SEALING_HEAD_BYTES], struct sealing *sealing,
                    uint32_t protect, char *why, size_t cap)
{
    if (memcmp(head, MAGIC, strlen(MAGIC)) != 0)
        return refuse(why, cap, "--restore", "no saved VM, or cut");
    return sealing_take_head(sealing, protect, s->vault, "--restore", head, why, cap);
}

/* Beside FILE, and then in its place: what is there under its name is whole. */
static bool write_file(struct save *s, const char *path, const struct save_step *step,
                       struct sealing *sealing, char *why, size_t cap)
{
    uint8_t head[SEALING_HEAD_BYTES], *image = NULL;
    struct svmc_image_name name;
    enum svmc_image_reason no;
    char beside[4096];
    bool stored;
    size_t n;
    int fd;

    if (!save_head(s, sealing, head, why, cap))
        return false;
    no = save_seal(s, sealing, step, &image, &n, &name);
    if (no != SVMC_IMAGE_NONE) {
        free(image);
        return save_no_image(why, cap, no);
    }
    snprintf(beside, sizeof beside, "%s.new", path);
    fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    stored = fd >= 0 && write_all(fd, head, sizeof head) && write_all(fd, image, n) &&
             fsync(fd) == 0 && rename(beside, path) == 0;
    if (!stored)
        refuse(why, cap, path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (!stored)
        (void)unlink(beside);
    free(image);
    return stored;
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
    *again = memcmp(&before, &after, sizeof before) != 0 || (c->second && second_waits(c->second));
    return true;
}

/* All but memory. What the exits say, and memory, first: a settle may write to both. */
static bool put_rest(struct save *s, const struct save_from *from)
{
    static _Alignas(8) uint8_t context[CONTEXT_MAX];
    struct save_own *own = from->own;
    size_t bytes = 0;
    bool good = true;

    own->version = OWN_VERSION;
    for (uint32_t i = 0; good && i < own->cpus; i++) {
        struct save_cpu *cpu = &own->cpu[i];
        const struct vcpu *v = from->cpu[i];

        memset(context, 0, sizeof context);
        memcpy(cpu->run, v->run, v->run_bytes < sizeof cpu->run ? v->run_bytes : sizeof cpu->run);
        good = take_context(v->kvm, context, &bytes, &cpu->again);
        memcpy(s->body + s->section[PART_CONTEXT + i].offset, context, sizeof context);
    }
    memcpy(s->body + s->section[part_own(s)].offset, own, sizeof *own);
    explicit_bzero(context, sizeof context);
    return good;
}

/* What the library has of each vCPU, and the host of its devices. */
static bool take_states(const struct save *s, const struct save_from *from, struct parts *p,
                        char *why, size_t cap)
{
    static uint8_t state[WIRE_VCPUS_MAX][STATE_MAX], devices[WIRE_DEVICES_BYTES];
    static const uint8_t nothing[CONTEXT_MAX];
    const struct vcpu *first = from->cpu[0];

    for (uint32_t i = 0; i < s->cpus; i++) {
        uint32_t at = part_state(s) + i;

        p->at[PART_CONTEXT + i] = nothing;
        p->bytes[PART_CONTEXT + i] = CONTEXT_MAX;
        p->at[at] = state[i];
        if (svmc_vcpu_save(&from->cpu[i]->core, state[i], sizeof state[i], &p->bytes[at]) !=
            SVMC_OK)
            return refuse(why, cap, "--save", "the library's state");
    }
    if (!link_devices(first->host, WIRE_DEVICES_GIVE, devices, first->host_timeout_ms))
        return refuse(why, cap, "--save", "the host does not give its devices");
    p->at[part_device(s)] = devices;
    p->bytes[part_device(s)] = sizeof devices;
    p->at[part_own(s)] = nothing;
    p->bytes[part_own(s)] = sizeof *from->own;
    return true;
}

_Static_assert(sizeof(struct save_own) <= CONTEXT_MAX, "nothing is as much");

/* The library's states have lain in the parts: not the guest's alone. */
static void drop_states(const struct save *s, const struct parts *p)
{
    for (uint32_t i = 0; i < s->cpus; i++)
        explicit_bzero((void *)(uintptr_t)p->at[part_state(s) + i], STATE_MAX);
}

bool save_body(struct save *s, struct vm *vm, const uint64_t *dirty, const struct save_from *from,
               uint64_t *pages, char *why, size_t cap)
{
    static uint8_t map[SVMC_IMAGE_MAP_BYTES(PAGES_MAX)];
    uint64_t all = vm->memory_bytes / SVMC_IMAGE_PAGE;
    struct parts p = { .at = { map }, .bytes = { SVMC_IMAGE_MAP_BYTES(all) } };
    bool good;

    s->cpus = from ? from->own->cpus : 0;
    s->parts = parts_of(s->cpus);
    if (all > PAGES_MAX)
        return refuse(why, cap, "--save", "too much memory");
    if (from && !take_states(s, from, &p, why, cap))
        return false;
    *pages = svmc_image_map_make(map, all, vm->memory, dirty);
    p.bytes[PART_MEMORY] = *pages * SVMC_IMAGE_PAGE;
    good = lay_out(s, vm, &p);
    drop_states(s, &p);
    if (!good)
        return refuse(why, cap, "--save", "no memory");
    put_memory(s, vm, map);
    return !from || put_rest(s, from) ||
           refuse(why, cap, "--save", "KVM does not give the context");
}

bool save_write(struct save *s, const char *path, struct vm *vm, const struct save_from *from,
                const uint64_t *dirty, const struct svmc_image_name *parent,
                struct sealing *sealing, char *why, size_t cap)
{
    const struct save_step step = { .kind = parent ? SVMC_IMAGE_DELTA : SVMC_IMAGE_WHOLE,
                                    .parent = parent };
    uint64_t pages;

    return save_body(s, vm, dirty, from, &pages, why, cap) &&
           write_file(s, path, &step, sealing, why, cap);
}

/* All chunks into the body, then the end: only then there is an image. */
static enum svmc_image_reason open_chunks(struct save *s, struct svmc_image *image,
                                          const struct svmc_image_info *info, const uint8_t *from,
                                          size_t n, struct svmc_image_name *name)
{
    uint64_t end = svmc_image_place(image, info->chunks), at;
    enum svmc_image_reason why;

    if (end > n)
        return SVMC_IMAGE_CUT;
    why = svmc_image_open_end(image, from + end, n - end);
    if (why == SVMC_IMAGE_NONE)
        why = svmc_image_open_table(image, LANE, from + SVMC_IMAGE_HEADER_BYTES,
                                    n - SVMC_IMAGE_HEADER_BYTES, s->section);
    for (uint64_t i = 0; why == SVMC_IMAGE_NONE && i < info->chunks; i++) {
        at = svmc_image_place(image, i);
        if (info->kind <= SVMC_IMAGE_DELTA)
            progress("restoring", i * info->chunk_bytes, info->body_bytes);
        why = svmc_image_open_chunk(image, LANE, i, from + at, n - at,
                                    s->body + i * info->chunk_bytes);
    }
    if (why == SVMC_IMAGE_NONE && info->kind <= SVMC_IMAGE_DELTA)
        progress("restoring", info->body_bytes, info->body_bytes);
    progress_stop();
    return why == SVMC_IMAGE_NONE ? svmc_image_close(image, from + end, n - end, name) : why;
}

static const uint8_t *part_of(const struct save *s, uint32_t part)
{
    return s->body + s->section[part].offset;
}

/* A vCPU's part of what we know is possible. */
static bool is_cpu(const struct save_cpu *cpu)
{
    return cpu->where >= SAVE_WAITS && cpu->where <= SAVE_ENDED;
}

/* Ours, in this version: what the image itself does not know. */
static bool check_parts(struct save *s, bool has_parent)
{
    const struct svmc_image_section *map = &s->section[PART_MAP];
    uint32_t id;
    bool good = true;

    for (uint32_t i = 0; i < s->parts; i++)
        if (s->section[i].type != type_of(s, i, &id) || s->section[i].id != id ||
            s->section[i].format != 1)
            return false;
    if (map->at != 0 || s->section[PART_MEMORY].at != 0 ||
        map->bytes / SVMC_IMAGE_PAGE > PAGES_MAX ||
        !svmc_image_map_check(part_of(s, PART_MAP), &s->section[PART_MEMORY], has_parent))
        return false;
    if (s->cpus == 0)
        return true;
    s->own = (const struct save_own *)(const void *)part_of(s, part_own(s));
    if (s->section[part_own(s)].stored != sizeof *s->own || s->own->version != OWN_VERSION ||
        s->own->cpus != s->cpus || !memchr(s->own->guest, 0, sizeof s->own->guest))
        return false;
    for (uint32_t i = 0; i < s->cpus; i++)
        good &= is_cpu(&s->own->cpu[i]) && s->section[PART_CONTEXT + i].stored == CONTEXT_MAX;
    return good && s->section[part_device(s)].stored == WIRE_DEVICES_BYTES;
}

/* What the map says of each page, on what there was. */
static bool take_memory(struct save *s)
{
    const uint8_t *from = part_of(s, PART_MEMORY), *map = part_of(s, PART_MAP);
    uint64_t bytes = s->section[PART_MEMORY].bytes, pages = bytes / SVMC_IMAGE_PAGE;

    if (!s->memory) {
        s->memory = calloc(1, bytes);
        s->memory_bytes = bytes;
    }
    if (!s->memory || s->memory_bytes != bytes)
        return false;
    for (uint64_t i = 0; i < pages; i++) {
        uint32_t kind = map[i / 4] >> 2 * (i % 4) & 3;

        if (kind == SVMC_IMAGE_ZERO)
            memset(s->memory + i * SVMC_IMAGE_PAGE, 0, SVMC_IMAGE_PAGE);
        if (kind != SVMC_IMAGE_HERE)
            continue;
        memcpy(s->memory + i * SVMC_IMAGE_PAGE, from, SVMC_IMAGE_PAGE);
        from += SVMC_IMAGE_PAGE;
    }
    return true;
}

enum svmc_image_reason save_open(struct save *s, struct sealing *sealing,
                                 const struct save_step *step, const uint8_t *image, size_t bytes,
                                 struct svmc_image_name *name)
{
    static struct svmc_image reader;
    struct svmc_image_info info;
    struct svmc_image_config config = { .sealer = &sealing->sealer,
                                        .generation = s->generation,
                                        .parent = step->parent,
                                        .session = step->session };
    enum svmc_image_reason why = svmc_image_inspect(image, bytes, &info);

    if (why != SVMC_IMAGE_NONE)
        return why;
    s->cpus = info.kind == SVMC_IMAGE_ROUND || info.sections < parts_of(1)
                  ? 0
                  : (info.sections - parts_of(0)) / 2 - 1;
    s->parts = parts_of(s->cpus);
    if (info.sections != s->parts || s->parts > SAVE_PARTS || info.body_bytes > BODY_MAX ||
        (s->cpus == 0) != (info.kind == SVMC_IMAGE_ROUND))
        return SVMC_IMAGE_TABLE;
    if (info.bytes > bytes)
        return SVMC_IMAGE_CUT;
    drop_body(s);
    config.marks = calloc(info.chunks, sizeof(uint32_t));
    config.marks_count = info.chunks;
    s->body_bytes = info.body_bytes;
    s->body = calloc(1, info.body_bytes);
    why =
        config.marks && s->body ? svmc_image_open(&reader, &config, image, bytes) : SVMC_IMAGE_ROOM;
    if (why == SVMC_IMAGE_NONE) {
        why = open_chunks(s, &reader, &info, image, bytes, name);
        if (svmc_image_drop(&reader) != SVMC_OK && why == SVMC_IMAGE_NONE)
            why = SVMC_IMAGE_NOT_NOW;
    }
    free(config.marks);
    if (why != SVMC_IMAGE_NONE)
        return why;
    return check_parts(s, step->parent != NULL) && take_memory(s) ? why : SVMC_IMAGE_TABLE;
}

static enum svmc_status fill_context(const struct save *s, struct vm *vm, struct vm_vcpu *c,
                                     uint32_t id)
{
    const struct svmc_kvm_files files = { vm->kvm, vm->fd, c->fd, c->run, c->run_bytes };
    static struct svmc_kvm_vcpu kvm;
    enum svmc_status st = svmc_kvm_vcpu_open(&kvm, &files);

    if (st == SVMC_OK && svmc_kvm_vcpu_bytes(&kvm) > CONTEXT_MAX)
        st = SVMC_ERR_UNSUPPORTED;
    if (st == SVMC_OK)
        st = svmc_kvm_vcpu_load(&kvm, part_of(s, PART_CONTEXT + id), svmc_kvm_vcpu_bytes(&kvm),
                                SVMC_KVM_LOAD_TSC);
    if (st == SVMC_OK && vm->sync_regs && ioctl(c->fd, KVM_GET_REGS, &c->run->s.regs.regs) != 0)
        st = SVMC_ERR_CALLBACK;
    return st;
}

bool save_fill(const struct save *s, struct vm *vm, struct vm_vcpu *processors, char *why,
               size_t cap)
{
    enum svmc_status st = SVMC_OK;

    if (s->memory_bytes != vm->memory_bytes || s->own->msr_exits != (uint32_t)vm->msr_exits)
        return refuse(why, cap, "--restore", "another memory, or another KVM");
    memcpy(vm->memory, s->memory, s->memory_bytes);
    for (uint32_t i = 0; st == SVMC_OK && i < s->cpus; i++)
        st = fill_context(s, vm, &processors[i], i);
    return st == SVMC_OK || refuse(why, cap, "--restore: the context", svmc_status_name(st));
}

bool save_devices(const struct save *s, struct vcpu *v)
{
    uint8_t devices[WIRE_DEVICES_BYTES];

    memcpy(devices, part_of(s, part_device(s)), sizeof devices);
    return link_devices(v->host, WIRE_DEVICES_TAKE, devices, v->host_timeout_ms);
}

enum svmc_status save_resume(const struct save *s, struct vcpu *v, struct svmc_outcome *out)
{
    uint32_t part = part_state(s) + v->id;

    return svmc_vcpu_load(&v->core, part_of(s, part), s->section[part].stored, out);
}

void save_close(struct save *s)
{
    drop_body(s);
    if (s->memory) {
        explicit_bzero(s->memory, s->memory_bytes);
        free(s->memory);
    }
    s->memory = NULL;
}
