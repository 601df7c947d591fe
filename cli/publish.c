/* SPDX-License-Identifier: MIT */
#include "publish.h"

#include <string.h>
#include <unistd.h>

enum cli_status publish_begin(struct publish *w, const char *path, bool replace, bool locked,
                              const char *anchor)
{
    enum cli_status status;
    uint64_t bytes;

    memset(w, 0, sizeof *w);
    w->out.fd = w->lock = -1;
    w->replace = replace;
    w->anchor = anchor;
    status = vmkey_path(w->vmkey, path);
    if (status != CLI_GOOD)
        return status;
    if (!replace && access(path, F_OK) == 0)
        return cli_fail(CLI_USAGE, path, "is there already; --force replaces it");
    if (!replace && access(w->vmkey, F_OK) == 0)
        return cli_fail(CLI_USAGE, w->vmkey,
                        "is there already: the key of something; move it "
                        "away, or --force replaces it");
    if (access(path, F_OK) == 0) {
        if (!locked)
            status = file_open(path, true, &w->lock, &bytes);
        if (status == CLI_GOOD && access(w->vmkey, F_OK) == 0)
            status = vmkey_read(&w->old, w->vmkey);
        if (status == CLI_GOOD && w->old.blobs == VMKEY_BLOBS_MAX)
            status = cli_fail(CLI_KEY, w->vmkey,
                              "has more keys than one change that was cut off "
                              "leaves; move it and its file away");
        if (status == CLI_GOOD && anchor && access(anchor, F_OK) == 0)
            status = anchors_read(anchor, w->old_anchor, &w->old_anchors);
    }
    if (status == CLI_GOOD)
        status = out_begin(&w->out, path);
    return status;
}

/* Old keys stand before the new one until the file is in place. */
static enum cli_status put_keys(struct publish *w, bool with_old)
{
    uint8_t all[sizeof w->old.blob];
    size_t n = with_old ? w->old.blobs * sizeof w->blob : 0;

    memcpy(all, w->old.blob, n);
    memcpy(all + n, w->blob, sizeof w->blob);
    return out_write(w->vmkey, all, n + sizeof w->blob, w->replace || !with_old);
}

static enum cli_status put_anchor(struct publish *w, uint64_t anchor, bool with_old)
{
    uint64_t all[2] = { w->old_anchor[0], anchor };

    if (!w->anchor)
        return CLI_GOOD;
    if (with_old && w->old_anchors != 0)
        return anchors_write(w->anchor, all, 2);
    return anchors_write(w->anchor, &anchor, 1);
}

enum cli_status publish_commit(struct publish *w, uint64_t anchor)
{
    enum cli_status status;

    if (cli_stopped)
        return cli_fail(CLI_STOPPED, w->out.path, "stopped; nothing is changed");
    status = put_keys(w, true);
    if (status == CLI_GOOD)
        status = put_anchor(w, anchor, true);
    if (status == CLI_GOOD)
        status = out_commit(&w->out, w->replace);
    if (status == CLI_GOOD && w->old.blobs != 0)
        status = put_keys(w, false);
    if (status == CLI_GOOD && w->old_anchors != 0)
        status = put_anchor(w, anchor, false);
    return status;
}

void publish_drop(struct publish *w)
{
    out_drop(&w->out);
    if (w->lock >= 0)
        close(w->lock);
    w->lock = -1;
}
