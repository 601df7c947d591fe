/* SPDX-License-Identifier: MIT */
/** svmcore, the tool: its subcommands. docs/svmcore.md */
#include <stdio.h>
#include <string.h>
#include <svmcore/version.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "commands.h"
#include "options.h"
#include "say.h"

static const char usage[] = "usage: svmcore SUBCOMMAND [OPTION...]\n"
                            "\n"
                            "  seal        sealed disks and images of VMs\n"
                            "\n"
                            "svmcore SUBCOMMAND --help says more.\n";

static int seal(int argc, char **argv)
{
    static enum cli_status (*const run[])(const struct seal_options *) = {
        [SEAL_CREATE] = seal_create,   [SEAL_INSPECT] = seal_inspect,
        [SEAL_VERIFY] = seal_verify,   [SEAL_REKEY] = seal_rekey,
        [SEAL_CONVERT] = seal_convert, [SEAL_PASSPHRASE] = seal_passphrase,
    };
    const struct rlimit no_core = { 0, 0 };
    struct seal_options options;
    int status = seal_options_read(&options, argc, argv);

    if (status >= 0)
        return status;
    (void)setrlimit(RLIMIT_CORE, &no_core); /* keys and opened sectors are in memory */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    cli_catch_signals();
    status = (int)run[options.command](&options);
    if (fflush(stdout) != 0 || ferror(stdout))
        return (int)cli_fail(CLI_SYSTEM, NULL, "standard output cannot be written");
    return status;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "seal") == 0)
        return seal(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("svmcore %u.%u.%u\n", svmc_version() / 10000, svmc_version() / 100 % 100,
               svmc_version() % 100);
        return CLI_GOOD;
    }
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return CLI_GOOD;
    }
    if (argc > 1)
        return (int)cli_fail(CLI_USAGE, argv[1], "is no subcommand (see svmcore --help)");
    fputs(usage, stderr);
    return CLI_USAGE;
}
