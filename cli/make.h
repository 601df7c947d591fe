/* SPDX-License-Identifier: MIT */
/** What create, convert and rekey share. */
#ifndef CLI_MAKE_H
#define CLI_MAKE_H
#include "disk.h"
#include "options.h"
#include "publish.h"

/** The VM that the user names, or a random one: vm[SVMC_VM_ID_BYTES]. */
enum cli_status vm_name(const struct seal_options *o, uint8_t *vm);

/** What a vault for a disk of the options' form needs. */
struct vault_needs disk_needs(const struct seal_options *o);

/** Make the disk that `to` has vault and config for, copy `from` (NULL: nothing), publish it. */
enum cli_status disk_fill(struct disk_file *to, struct publish *w, const struct disk_side *from,
                          uint64_t bytes);

#endif
