/* SPDX-License-Identifier: MIT */
/* svmcore seal inspect: what files say of themselves. No key is asked for, nothing is verified. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <svmcore/port/keyfile.h>
#include <unistd.h>

#include "commands.h"
#include "disk.h"
#include "image_file.h"

/* ---- lines, or JSON --------------------------------------------------------------------------*/

static bool json, first;

/* Only what a name has is escaped: all else is ours. */
static void put_text(const char *text)
{
    for (; *text != 0; text++) {
        if (json && (*text == '"' || *text == '\\'))
            printf("\\%c", *text);
        else if ((unsigned char)*text >= 0x20 && *text != 0x7f)
            putchar(*text);
        else if (json)
            printf("\\u%04x", (unsigned char)*text);
        else
            putchar('?');
    }
}

static void put_name(const char *name)
{
    if (json)
        printf("%s\n    \"%s\": ", first ? "" : ",", name);
    else
        printf("  %-16s", name);
    first = false;
}

static void put_number(const char *name, uint64_t value)
{
    put_name(name);
    printf("%" PRIu64 "%s", value, json ? "" : "\n");
}

static void put_string(const char *name, const char *value)
{
    put_name(name);
    if (json)
        putchar('"');
    put_text(value);
    fputs(json ? "\"" : "\n", stdout);
}

static void put_bytes(const char *name, const uint8_t *bytes, size_t n)
{
    char text[2 * 64 + 1];

    put_string(name, cli_hex(text, bytes, n));
}

static void begin(const char *path, const char *kind)
{
    static bool more;

    if (json) {
        printf("%s  {\n    \"file\": \"", more ? ",\n" : "");
        put_text(path);
        printf("\",\n    \"kind\": \"%s\"", kind);
    } else {
        printf("%s", more ? "\n" : "");
        put_text(path);
        printf(": %s; nothing of this is verified\n", kind);
    }
    more = true;
    first = false;
}

static void end(void)
{
    if (json)
        printf("\n  }");
}

/* ---- keys ------------------------------------------------------------------------------------*/

/* docs/spec/keys.md, KH-2 */
static void put_blob(const uint8_t *blob)
{
    if (memcmp(blob, "SVMK", 4) != 0 || blob[4] != 1) {
        put_string("vmkey", "no wrapped VM key, or of another version");
        return;
    }
    put_string("vmkey-cipher", cli_alg_name(blob[5]));
    put_string("vmkey-derive", cli_alg_name(blob[6]));
    put_bytes("provider-key", blob + 8, SVMC_PROVIDER_ID_BYTES);
    put_bytes("vmkey-vm", blob + 24, SVMC_VM_ID_BYTES);
}

/* The one that was written last, and how many there are. */
static void put_vmkey(const char *path)
{
    struct vmkey_file keys;
    enum cli_status status;

    put_string("vmkey-file", path);
    cli_hush(true);
    status = vmkey_read(&keys, path);
    cli_hush(false);
    put_number("vmkeys", status == CLI_GOOD ? keys.blobs : 0);
    if (status == CLI_GOOD)
        put_blob(keys.blob[keys.blobs - 1]);
}

static enum cli_status inspect_blob(const char *path)
{
    struct vmkey_file keys;
    enum cli_status status = vmkey_read(&keys, path);

    if (status != CLI_GOOD)
        return CLI_REFUSED;
    begin(path, "wrapped VM key");
    put_number("vmkeys", keys.blobs);
    put_blob(keys.blob[keys.blobs - 1]);
    end();
    return CLI_GOOD;
}

/* docs/spec/keyfile.md, KF-1 */
static enum cli_status inspect_keyfile(const char *path)
{
    uint8_t file[SVMC_KEYFILE_BYTES];
    char name[SVMC_KEY_NAME_BYTES_MAX + 1] = { 0 };
    size_t n;
    enum cli_status status = file_slurp(path, file, sizeof file, &n);

    if (status != CLI_GOOD)
        return status;
    if (n != sizeof file || file[56] == 0 || file[56] > SVMC_KEY_NAME_BYTES_MAX)
        return cli_fail(CLI_REFUSED, path, "is no key file, or is cut");
    memcpy(name, file + 64, file[56]);
    begin(path, "key file");
    put_number("version", file[4]);
    put_string("key", name);
    put_string("cipher", cli_alg_name(file[6]));
    put_number("passes", file_le32(file + 8));
    put_number("memory-kib", file_le32(file + 12));
    end();
    return CLI_GOOD;
}

/* A block device may be larger than its disk. */
static enum cli_status put_complete(const char *path, uint64_t bytes, uint64_t wanted, bool exact)
{
    bool complete = bytes == wanted || (bytes > wanted && !exact);

    put_number("bytes", bytes);
    put_string("complete", complete ? "yes" : "no");
    return complete ? CLI_GOOD
                    : cli_fail(CLI_REFUSED, path, "has %" PRIu64 " bytes, and wants %" PRIu64,
                               bytes, wanted);
}

/* ---- disks -----------------------------------------------------------------------------------*/

/* The newer one of the two roots: docs/spec/disk.md, the second table. 0: there is none. */
static uint64_t generation_of(const struct disk_file *d)
{
    uint64_t newest = 0;

    for (uint64_t block = 1; block <= 2; block++) {
        uint8_t root[16];
        uint64_t generation = 0;

        if (!file_read_at(d->fd, block * SVMC_DISK_SECTOR, root, sizeof root) ||
            memcmp(root, "SVMR\1", 5) != 0)
            continue;
        for (size_t i = 16; i-- > 8;)
            generation = generation << 8 | root[i];
        if (generation % 2 == block - 1 && generation > newest)
            newest = generation;
    }
    return newest;
}

static enum cli_status inspect_disk(const char *path)
{
    struct disk_file d;
    enum cli_status status = disk_file_inspect(&d, path, false);
    bool authentic = d.info.mode == FORM_AUTHENTIC;

    if (status != CLI_GOOD) {
        disk_file_close(&d);
        return status;
    }
    begin(path, "sealed disk");
    put_number("version", d.info.version);
    put_string("mode", authentic ? "authentic" : "length");
    put_string("cipher", cli_alg_name(d.info.alg));
    put_string("header-cipher", cli_alg_name(d.info.header_alg));
    put_number("sectors", d.info.sectors);
    put_number("sector-bytes", d.info.sector_bytes);
    put_number("store-bytes", svmc_disk_store_bytes(&d.config));
    status = put_complete(path, d.bytes, svmc_disk_store_bytes(&d.config), false);
    put_bytes("vm", d.info.vm, sizeof d.info.vm);
    put_bytes("disk", d.info.disk, sizeof d.info.disk);
    put_number("number", d.info.number);
    put_bytes("epoch", d.info.id.epoch, sizeof d.info.id.epoch);
    put_number("subkey", d.info.id.index);
    if (authentic) {
        put_number("journal", d.info.journal);
        put_number("generation", generation_of(&d));
    }
    put_vmkey(d.vmkey);
    end();
    disk_file_close(&d);
    return status;
}

/* ---- images ----------------------------------------------------------------------------------*/

static enum cli_status inspect_image(const char *path)
{
    static const char *const kinds[] = { "?", "whole", "delta", "round", "last round" };
    struct image_file f;
    enum cli_status status = image_file_inspect(&f, path, false);
    const struct svmc_image_info *i = &f.info;

    if (status != CLI_GOOD) {
        image_file_close(&f);
        return status;
    }
    begin(path, "sealed image");
    put_number("version", f.header[4]);
    put_string("image-kind", kinds[i->kind <= SVMC_IMAGE_LAST ? i->kind : 0]);
    put_string("cipher", cli_alg_name(i->alg));
    put_string("mac", cli_alg_name(i->mac));
    put_number("body-bytes", i->body_bytes);
    put_number("sections", i->sections);
    put_number("chunks", i->chunks);
    put_number("chunk-bytes", i->chunk_bytes);
    put_number("image-bytes", i->bytes);
    status = put_complete(path, f.bytes, i->bytes, true);
    put_bytes("vm", i->vm, sizeof i->vm);
    put_bytes("image", i->id, sizeof i->id);
    put_bytes("epoch", i->subkey.epoch, sizeof i->subkey.epoch);
    put_number("subkey", i->subkey.index);
    put_number("generation", i->generation);
    if (i->kind != SVMC_IMAGE_WHOLE)
        put_bytes("parent", i->parent, sizeof i->parent);
    if (i->kind == SVMC_IMAGE_ROUND || i->kind == SVMC_IMAGE_LAST) {
        put_number("round", i->round);
        put_bytes("session", i->session, sizeof i->session);
    }
    put_vmkey(f.vmkey);
    end();
    image_file_close(&f);
    return status;
}

static enum cli_status inspect(const char *path)
{
    uint8_t magic[4] = { 0 };
    uint64_t bytes;
    int fd;
    enum cli_status status = file_open(path, false, &fd, &bytes);

    if (status == CLI_GOOD && bytes >= sizeof magic && !file_read_at(fd, 0, magic, sizeof magic))
        status = cli_fail(CLI_SYSTEM, path, "cannot be read: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    if (status != CLI_GOOD)
        return status;
    if (memcmp(magic, "SVMD", 4) == 0)
        return inspect_disk(path);
    if (memcmp(magic, "SVMI", 4) == 0)
        return inspect_image(path);
    if (memcmp(magic, "SVMK", 4) == 0)
        return inspect_blob(path);
    if (memcmp(magic, "SVMF", 4) == 0)
        return inspect_keyfile(path);
    return cli_fail(CLI_REFUSED, path, "is no sealed disk, image, wrapped VM key or key file");
}

enum cli_status seal_inspect(const struct seal_options *o)
{
    enum cli_status worst = CLI_GOOD;

    json = o->json;
    if (json)
        printf("[\n");
    for (int i = 0; i < o->files; i++) {
        enum cli_status status = inspect(o->file[i]);

        if (worst == CLI_GOOD)
            worst = status;
    }
    if (json)
        printf("\n]\n");
    return worst;
}
