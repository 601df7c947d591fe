/* SPDX-License-Identifier: MIT */
/* svmcore seal rekey: the VM key wrapped anew, or all sealed anew; svmcore seal passphrase. */
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "disk.h"
#include "image_file.h"
#include "make.h"
#include "publish.h"

/* A vault for what is sealed anew, and its key, wrapped. */
static enum cli_status next_vault(const struct seal_options *o, struct vault *v,
                                  struct vault_needs needs, const uint8_t *vm,
                                  const uint8_t *old_blob, struct provider *old,
                                  struct provider *next, uint8_t *blob, const char *vmkey)
{
    enum cli_status status;

    if (o->new_vm_key) {
        needs.blob = VAULT_BLOB_ALG;
        needs.derive = VAULT_DERIVE;
        status = vault_create(v, &needs, vm);
    } else {
        vmkey_needs(&needs, old_blob);
        status = vault_unwrap(v, &needs, vm, old, old_blob, vmkey);
    }
    return status == CLI_GOOD ? vault_wrap(v, next, blob) : status;
}

/* Another wrapping of the same key, in one step. */
static enum cli_status wrap_again(struct vault *v, struct provider *next, const char *vmkey)
{
    uint8_t blob[SVMC_VMKEY_BLOB_BYTES];
    enum cli_status status = vault_wrap(v, next, blob);

    return status == CLI_GOOD ? out_write(vmkey, blob, sizeof blob, true) : status;
}

/* The keys that stay beside until the new one is in place: that which opens it now. */
static void keep_one(struct publish *w, const struct vmkey_file *keys, uint32_t which)
{
    memcpy(w->old.blob[0], keys->blob[which], sizeof w->old.blob[0]);
    w->old.blobs = 1;
}

static enum cli_status rekey_disk(const struct seal_options *o, const char *path,
                                  struct provider *old, struct provider *next)
{
    struct seal_options as = *o;
    struct disk_file from, to = { .fd = -1 };
    struct disk_side side = { .path = path, .sealed = &from };
    struct publish w;
    enum cli_status status = disk_file_open(&from, path, true, o, old);

    if (status == CLI_GOOD && !o->new_vm_key && !o->new_epoch) {
        status = wrap_again(&from.vault, next, from.vmkey);
        disk_file_close(&from);
        return status;
    }
    if (status == CLI_GOOD) {
        as.form = (enum seal_form)from.info.mode;
        to.config = from.config;
        memcpy(to.info.vm, from.info.vm, sizeof to.info.vm);
        status = publish_begin(&w, path, true, true, as.form == FORM_AUTHENTIC ? o->anchor : NULL);
        if (status == CLI_GOOD) {
            keep_one(&w, &from.keys, from.which);
            w.old_anchor[0] = from.anchor;
            w.old_anchors = o->anchor ? 1 : 0;
            status = next_vault(&as, &to.vault, disk_needs(&as), to.info.vm,
                                from.keys.blob[from.which], old, next, w.blob, from.vmkey);
        }
        if (status == CLI_GOOD)
            status = disk_fill(&to, &w, &side, from.config.sectors * from.config.sector_bytes);
        publish_drop(&w);
    }
    disk_file_close(&to);
    disk_file_close(&from);
    return status;
}

/* ---- images ----------------------------------------------------------------------------------*/

/* A chunk of the old image is a chunk of the new one. */
static enum cli_status give(void *ctx, uint64_t at, uint8_t *body, size_t n)
{
    struct image_file *f = ctx;
    uint64_t index = at / f->info.chunk_bytes;
    struct key_room room;
    enum cli_status status = key_room_open(&room, n + SVMC_IMAGE_FRAME_BYTES);
    uint8_t *frame = key_room_take(&room, n + SVMC_IMAGE_FRAME_BYTES);

    if (status != CLI_GOOD)
        return status;
    if (!file_read_at(f->fd, svmc_image_place(&f->image, index), frame, n + SVMC_IMAGE_FRAME_BYTES))
        status = cli_fail(CLI_SYSTEM, f->path, "cannot be read");
    else
        status = image_verdict(
            f->path, f->vmkey,
            svmc_image_open_chunk(&f->image, 0, index, frame, n + SVMC_IMAGE_FRAME_BYTES, body),
            index);
    key_room_close(&room);
    return status;
}

/* Verified first: of an old image that is not whole there is no new one. */
static enum cli_status rekey_image(const struct seal_options *o, const char *path,
                                   struct provider *old, struct provider *next)
{
    struct vault_needs needs = { .alg = o->alg };
    struct svmc_image_name name;
    struct image_source source = { .give = give };
    struct publish w = { .lock = -1, .out.fd = -1 };
    struct image_file f;
    struct vault v = { 0 };
    enum cli_status status = image_file_open(&f, path, true, o, old, NULL);

    if (status == CLI_GOOD && !o->new_vm_key && !o->new_epoch) {
        status = wrap_again(&f.vault, next, f.vmkey);
        image_file_close(&f);
        return status;
    }
    if (status == CLI_GOOD)
        status = image_walk(&f, NULL, "verifying", &name);
    if (status == CLI_GOOD)
        status = publish_begin(&w, path, true, true, NULL);
    if (status == CLI_GOOD) {
        keep_one(&w, &f.keys, f.which);
        status =
            next_vault(o, &v, needs, f.info.vm, f.keys.blob[f.which], old, next, w.blob, f.vmkey);
    }
    source.section = f.section;
    source.sections = f.info.sections;
    source.generation = f.info.generation;
    source.chunk_bytes = f.info.chunk_bytes;
    source.ctx = &f;
    if (status == CLI_GOOD)
        status = image_seal(&source, &v, &w);
    publish_drop(&w);
    vault_close(&v);
    image_file_close(&f);
    return status;
}

enum cli_status seal_rekey(const struct seal_options *o)
{
    struct provider old, next;
    enum seal_form form;
    enum cli_status status = form_of(o->file[0], &form);

    if (status == CLI_GOOD && form == FORM_RAW)
        status = cli_fail(CLI_REFUSED, o->file[0], "is neither a sealed disk nor an image");
    if (status == CLI_GOOD && form == FORM_IMAGE)
        status = image_file_is_whole(o->file[0],
                                     "others are named by their bytes; their key is that of the "
                                     "image that they stand on");
    if (status == CLI_GOOD)
        status = provider_open(&old, &o->provider);
    if (status != CLI_GOOD)
        return status;
    if (o->next.uri)
        status = provider_open(&next, &o->next);
    if (status == CLI_GOOD)
        status = (form == FORM_IMAGE ? rekey_image : rekey_disk)(o, o->file[0], &old,
                                                                 o->next.uri ? &next : &old);
    if (o->next.uri)
        provider_close(&next);
    provider_close(&old);
    return status;
}

/* Locked, as what is sealed: two changes do not meet. */
enum cli_status seal_passphrase(const struct seal_options *o)
{
    const char *path = o->file[0];
    uint64_t bytes;
    int lock;
    enum cli_status status = file_open(path, true, &lock, &bytes);

    if (status == CLI_GOOD)
        status = keyfile_change(path, &o->provider, &o->next);
    if (lock >= 0)
        close(lock);
    return status;
}
