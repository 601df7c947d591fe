/* SPDX-License-Identifier: MIT */
/** The commands of `svmcore seal`. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H
#include "options.h"
#include "say.h"

enum cli_status seal_create(const struct seal_options *o);
enum cli_status seal_inspect(const struct seal_options *o);
enum cli_status seal_verify(const struct seal_options *o);
enum cli_status seal_rekey(const struct seal_options *o);
enum cli_status seal_convert(const struct seal_options *o);
enum cli_status seal_passphrase(const struct seal_options *o);

/** What a file is by its first bytes: FORM_LENGTH or FORM_AUTHENTIC both as FORM_AUTHENTIC,
 *  FORM_IMAGE; else FORM_RAW. */
enum cli_status form_of(const char *path, enum seal_form *form);

#endif
