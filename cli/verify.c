/* SPDX-License-Identifier: MIT */
/* svmcore seal verify: all of a file is opened, and nothing of it shown. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "disk.h"
#include "image_file.h"

#define PIECE 256u /* sectors between two looks at the bar */

static enum cli_status check_sectors(struct disk_file *d)
{
    enum cli_status status = CLI_GOOD;
    struct svmc_disk_result result;

    for (uint64_t at = 0; at < d->config.sectors && status == CLI_GOOD; at += PIECE) {
        uint64_t n = d->config.sectors - at < PIECE ? d->config.sectors - at : PIECE;
        enum svmc_status st;

        cli_progress("verifying", at, d->config.sectors);
        if (cli_stopped)
            status = cli_fail(CLI_STOPPED, d->path, "stopped");
        st = status == CLI_GOOD ? svmc_disk_check(&d->disk, at, n, &result) : SVMC_OK;
        if (st != SVMC_OK)
            status = disk_verdict(d, st, &result);
    }
    cli_progress(NULL, 0, 0);
    return status;
}

static enum cli_status verify_disk(const struct seal_options *o, const char *path,
                                   struct provider *p)
{
    struct disk_file d;
    enum cli_status status = disk_file_open(&d, path, false, o, p);
    bool authentic = d.info.mode == FORM_AUTHENTIC;

    if (status == CLI_GOOD && authentic)
        status = check_sectors(&d);
    if (status == CLI_GOOD && authentic)
        printf("%s: genuine: %" PRIu64 " sectors%s\n", path, d.config.sectors,
               o->anchor ? ", the state that the anchor names" : "");
    if (status == CLI_GOOD && !authentic)
        printf("%s: the header is genuine; sectors of a length-preserving disk cannot be "
               "verified\n",
               path);
    if (status == CLI_GOOD && d.keys.blobs > 1)
        cli_warn(d.vmkey,
                 "has %" PRIu32 " keys: a change was cut off; svmcore seal rekey leaves "
                 "one",
                 d.keys.blobs);
    disk_file_close(&d);
    return status;
}

static enum cli_status verify_image(const struct seal_options *o, const char *path,
                                    struct provider *p, struct svmc_image_name *before,
                                    bool *has_before)
{
    struct svmc_image_name name;
    struct image_file f;
    enum cli_status status = image_file_open(&f, path, false, o, p, *has_before ? before : NULL);

    if (status == CLI_GOOD)
        status = image_walk(&f, NULL, "verifying", &name);
    if (status == CLI_GOOD) {
        printf("%s: genuine: %" PRIu64 " chunks, generation %" PRIu64 "\n", path, f.info.chunks,
               f.info.generation);
        *before = name;
        *has_before = true;
    }
    image_file_close(&f);
    return status;
}

enum cli_status seal_verify(const struct seal_options *o)
{
    struct svmc_image_name before;
    bool has_before = false;
    struct provider p;
    enum cli_status status = provider_open(&p, &o->provider), worst = status;

    if (status != CLI_GOOD)
        return status;
    for (int i = 0; i < o->files && status != CLI_STOPPED; i++) {
        enum seal_form form;

        status = form_of(o->file[i], &form);
        if (status == CLI_GOOD && form == FORM_IMAGE) {
            struct image_file head;

            status = image_file_inspect(&head, o->file[i], false);
            if (head.info.kind == SVMC_IMAGE_WHOLE)
                has_before = false;
            image_file_close(&head);
            if (status == CLI_GOOD)
                status = verify_image(o, o->file[i], &p, &before, &has_before);
        } else if (status == CLI_GOOD && form == FORM_AUTHENTIC) {
            status = verify_disk(o, o->file[i], &p);
        } else if (status == CLI_GOOD) {
            status = cli_fail(CLI_REFUSED, o->file[i], "is neither a sealed disk nor an image");
        }
        if (worst == CLI_GOOD || status == CLI_STOPPED)
            worst = status;
    }
    provider_close(&p);
    return worst;
}
