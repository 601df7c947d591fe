/* SPDX-License-Identifier: MIT */
/*
 * seal.budget-50: milliseconds on the wall of a guest of mini-vmm, nine of ten accesses to a tenth
 * of its pages, of whose memory half lies open (peer: all of it), by userfaultfd; -slots: by
 * missing slots. Wants /dev/kvm.
 */
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "figure.h"

#ifndef MINI_VMM
#define MINI_VMM ""
#endif
#define ROUNDS 5u

/* What a run says of itself; below 0: it failed. */
static double run(const char *how)
{
    static const char key[] = "\"seconds\":";
    char command[1024], line[65536];
    double seconds = -1;
    FILE *from;

    snprintf(command, sizeof command, "%s --json %s 2>/dev/null", MINI_VMM, how);
    from = popen(command, "r");
    while (from && fgets(line, sizeof line, from)) {
        const char *at = strstr(line, key);

        if (at)
            seconds = strtod(at + sizeof key - 1, NULL);
    }
    return from && pclose(from) == 0 ? seconds : -1;
}

static bool figure_of(const char *name, const char *how, const char *peer)
{
    double ours[ROUNDS], theirs[ROUNDS];

    for (unsigned i = 0; i < ROUNDS; i++) {
        ours[i] = run(how);
        theirs[i] = run(peer);
        if (ours[i] < 0 || theirs[i] < 0)
            return false;
    }
    figure_print(name, figure_median(ours, ROUNDS) * 1e3, "ms", "no-budget",
                 figure_median(theirs, ROUNDS) * 1e3);
    return true;
}

int main(void)
{
    const char *slash = strrchr(MINI_VMM, '/');
    char plain[900];

    if (!slash || access("/dev/kvm", R_OK | W_OK) != 0) {
        fprintf(stderr, "bench: seal.budget-50: no mini-vmm, or no /dev/kvm\n");
        return 0;
    }
    snprintf(plain, sizeof plain, "%.*s/../guests/budget.bin", (int)(slash - MINI_VMM), MINI_VMM);
    if (figure_of("seal.budget-50", "--memory-budget 50", plain) &&
        figure_of("seal.budget-50-slots", "--memory-budget 50,slots", plain))
        return 0;
    fprintf(stderr, "bench: mini-vmm failed\n");
    return 1;
}
