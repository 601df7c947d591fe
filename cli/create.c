/* SPDX-License-Identifier: MIT */
/* svmcore seal create, convert, rekey: what makes sealed files. */
#include <errno.h>
#include <string.h>
#include <svmcore/port/sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "disk.h"
#include "image_file.h"
#include "make.h"
#include "publish.h"

enum cli_status form_of(const char *path, enum seal_form *form)
{
    uint8_t magic[4] = { 0 };
    enum cli_status status;
    uint64_t bytes;
    int fd;

    *form = FORM_RAW;
    status = file_open(path, false, &fd, &bytes);
    if (status == CLI_GOOD && bytes >= sizeof magic && !file_read_at(fd, 0, magic, sizeof magic))
        status = cli_fail(CLI_SYSTEM, path, "cannot be read: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    if (memcmp(magic, "SVMD", sizeof magic) == 0)
        *form = FORM_AUTHENTIC;
    if (memcmp(magic, "SVMI", sizeof magic) == 0)
        *form = FORM_IMAGE;
    return status;
}

enum cli_status vm_name(const struct seal_options *o, uint8_t *vm)
{
    const struct svmc_crypto_ops *ops = svmc_sodium_ops();

    memcpy(vm, o->vm, SVMC_VM_ID_BYTES);
    if (o->has_vm || (ops && ops->random(ops->ctx, vm, SVMC_VM_ID_BYTES) == SVMC_OK))
        return CLI_GOOD;
    return cli_fail(CLI_SYSTEM, NULL, "libsodium does not work here");
}

/* ---- disks -----------------------------------------------------------------------------------*/

/* What the new disk is like: its mode, and sectors for so many bytes. */
static enum cli_status shape(const struct seal_options *o, const char *path, uint64_t bytes,
                             struct svmc_disk_config *config)
{
    uint32_t unit = o->sector_bytes;

    if (o->form == FORM_AUTHENTIC && unit == SVMC_DISK_BLOCK)
        return cli_fail(CLI_USAGE, path, "sectors of an authentic disk have 4096 bytes");
    if (unit == 0)
        unit = o->form == FORM_LENGTH && bytes % SVMC_DISK_SECTOR != 0 ? SVMC_DISK_BLOCK
                                                                       : SVMC_DISK_SECTOR;
    if (bytes == 0 || bytes % unit != 0)
        return cli_fail(CLI_USAGE, path,
                        "has a size that is no multiple of %u bytes, or none; "
                        "see truncate(1)",
                        unit);
    config->mode = o->form;
    config->sector_bytes = unit;
    config->sectors = bytes / unit;
    config->number = o->number;
    config->journal = o->form == FORM_AUTHENTIC ? (o->journal != 0 ? o->journal : 256) : 0;
    return CLI_GOOD;
}

struct vault_needs disk_needs(const struct seal_options *o)
{
    return (struct vault_needs){ .alg = o->alg,
                                 .cipher = o->form == FORM_LENGTH ? SVMC_ALG_AES_256_XTS : 0,
                                 .blob = VAULT_BLOB_ALG,
                                 .derive = VAULT_DERIVE };
}

enum cli_status disk_fill(struct disk_file *to, struct publish *w, const struct disk_side *from,
                          uint64_t bytes)
{
    struct disk_side side = { .path = w->out.path, .sealed = to };
    bool anchored = w->anchor && to->config.mode == FORM_AUTHENTIC;
    enum cli_status status = disk_file_make(to, w->out.path, w->out.fd, anchored);

    if (status == CLI_GOOD && from)
        status = disk_copy(from, &side, bytes, "sealing");
    if (status == CLI_GOOD)
        status = publish_commit(w, to->store.anchor);
    return status;
}

/* From raw bytes, or nothing, with a new VM key. */
static enum cli_status seal_raw(const struct seal_options *o, const char *from, uint64_t bytes,
                                const char *path, bool replace)
{
    const struct vault_needs needs = disk_needs(o);
    struct disk_file to = { .fd = -1 };
    struct disk_side side = { .path = from, .fd = -1 };
    struct publish w = { .lock = -1, .out.fd = -1 };
    bool in_place = from && strcmp(from, path) == 0;
    struct provider p;
    enum cli_status status = CLI_GOOD;

    if (from)
        status = file_open(from, in_place, &side.fd, &bytes);
    if (status == CLI_GOOD)
        status = publish_begin(&w, path, replace, in_place,
                               o->form == FORM_AUTHENTIC ? o->anchor : NULL);
    if (status == CLI_GOOD)
        status = shape(o, from ? from : path, bytes, &to.config);
    if (status == CLI_GOOD)
        status = vm_name(o, to.info.vm);
    if (status == CLI_GOOD)
        status = provider_open(&p, &o->provider);
    if (status == CLI_GOOD) {
        status = vault_create(&to.vault, &needs, to.info.vm);
        if (status == CLI_GOOD)
            status = vault_wrap(&to.vault, &p, w.blob);
        if (status == CLI_GOOD)
            status = disk_fill(&to, &w, from ? &side : NULL, bytes);
        provider_close(&p);
    }
    disk_file_close(&to);
    publish_drop(&w);
    if (side.fd >= 0)
        close(side.fd);
    return status;
}

enum cli_status seal_create(const struct seal_options *o)
{
    if (o->sections != 0)
        return image_create(o, o->file[0]);
    return seal_raw(o, o->from, o->size, o->file[0], o->force);
}

/* ---- convert ---------------------------------------------------------------------------------*/

/* The same VM key, another form. */
static enum cli_status seal_again(const struct seal_options *o, struct disk_file *from,
                                  struct provider *p, const char *path, bool replace)
{
    const uint64_t bytes = from->config.sectors * from->config.sector_bytes;
    struct disk_side side = { .path = from->path, .sealed = from };
    struct disk_file to = { .fd = -1 };
    struct publish w;
    struct vault_needs needs = disk_needs(o);
    enum cli_status status;

    vmkey_needs(&needs, from->keys.blob[from->which]);
    status = publish_begin(&w, path, replace, strcmp(path, from->path) == 0,
                           o->form == FORM_AUTHENTIC ? o->anchor : NULL);
    memcpy(w.blob, from->keys.blob[from->which], sizeof w.blob);
    memcpy(to.info.vm, from->info.vm, sizeof to.info.vm);
    if (status == CLI_GOOD)
        status = shape(o, from->path, bytes, &to.config);
    if (o->number == 0)
        to.config.number = from->config.number;
    if (status == CLI_GOOD)
        status = vault_unwrap(&to.vault, &needs, to.info.vm, p, w.blob, from->vmkey);
    if (status == CLI_GOOD)
        status = disk_fill(&to, &w, &side, bytes);
    disk_file_close(&to);
    publish_drop(&w);
    return status;
}

/* All sectors, opened. In place, FILE.vmkey goes when they are there. */
static enum cli_status unseal(struct disk_file *from, const char *path, bool in_place, bool replace)
{
    const uint64_t bytes = from->config.sectors * from->config.sector_bytes;
    struct disk_side side = { .path = from->path, .sealed = from }, to = { .path = path };
    struct out_file out;
    enum cli_status status;

    if (!replace && access(path, F_OK) == 0)
        return cli_fail(CLI_USAGE, path, "is there already; --force replaces it");
    status = out_begin(&out, path);
    if (status != CLI_GOOD)
        return status;
    to.fd = out.fd;
    if (bytes > INT64_MAX || ftruncate(out.fd, (off_t)bytes) != 0)
        status = cli_fail(CLI_SYSTEM, path, "cannot be written: %s", strerror(errno));
    if (status == CLI_GOOD)
        status = disk_copy(&side, &to, bytes, "opening");
    if (status == CLI_GOOD)
        status = out_commit(&out, replace);
    if (status == CLI_GOOD && in_place && unlink(from->vmkey) != 0)
        cli_warn(from->vmkey, "is of no use any more and cannot be removed: %s", strerror(errno));
    out_drop(&out);
    return status;
}

static enum cli_status convert_sealed(const struct seal_options *o, const char *path,
                                      const char *to)
{
    bool in_place = strcmp(path, to) == 0, replace = in_place || o->force;
    struct disk_file from;
    struct provider p;
    enum cli_status status = provider_open(&p, &o->provider);

    if (status != CLI_GOOD)
        return status;
    status = disk_file_open(&from, path, in_place, o, &p);
    if (status == CLI_GOOD && from.info.mode == (uint32_t)o->form)
        status = cli_fail(CLI_USAGE, path,
                          "is that already; svmcore seal rekey --new-epoch seals "
                          "it anew");
    if (status == CLI_GOOD)
        status = o->form == FORM_RAW ? unseal(&from, to, in_place, replace)
                                     : seal_again(o, &from, &p, to, replace);
    disk_file_close(&from);
    provider_close(&p);
    return status;
}

enum cli_status seal_convert(const struct seal_options *o)
{
    const char *path = o->file[0], *to = o->files == 2 ? o->file[1] : path;
    bool in_place = strcmp(path, to) == 0;
    enum seal_form form;
    enum cli_status status = form_of(path, &form);

    if (status != CLI_GOOD)
        return status;
    if (form == FORM_IMAGE && (o->form != FORM_RAW || in_place))
        return cli_fail(CLI_USAGE, path,
                        "is an image: --to raw makes a folder of it, which wants "
                        "a name");
    if (form == FORM_IMAGE)
        return image_extract(o, path, to);
    if (form == FORM_AUTHENTIC)
        return convert_sealed(o, path, to);
    if (o->form == FORM_RAW)
        return cli_fail(CLI_REFUSED, path,
                        "is neither a sealed disk nor an image: nothing to "
                        "convert");
    if (in_place && !o->force) {
        char vmkey[PATH_MAX];

        status = vmkey_path(vmkey, path);
        if (status == CLI_GOOD && access(vmkey, F_OK) == 0)
            status = cli_fail(CLI_USAGE, vmkey,
                              "is there already: the key of something; move it "
                              "away, or --force replaces it");
        if (status != CLI_GOOD)
            return status;
    }
    return seal_raw(o, path, 0, to, in_place || o->force);
}
