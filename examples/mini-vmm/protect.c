/* SPDX-License-Identifier: MIT */
/** Sealing in a run: from its options to its lines. */
#include "protect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The line before the run. */
static void describe(const struct protect *p, const struct options *o, struct report *r)
{
    const struct pager *pager = &p->pager;
    size_t n = 0;

    if (pager->vm)
        n = (size_t)snprintf(r->sealed, sizeof r->sealed, "all memory but %u of %u pages, by ",
                             pager->budget, pager->pages);
    if (pager->vm && pager->way == PAGER_FAULTS)
        n += (size_t)snprintf(r->sealed + n, sizeof r->sealed - n, "userfaultfd");
    else if (pager->vm)
        n += (size_t)snprintf(r->sealed + n, sizeof r->sealed - n, "slots of one page%s%.30s%s",
                              pager->why_way[0] ? " (userfaultfd: " : "", pager->why_way,
                              pager->why_way[0] ? ")" : "");
    if ((o->protect & SVMC_PROTECT(SVMC_KEY_CONTEXT)) != 0 && n < sizeof r->sealed)
        n += (size_t)snprintf(r->sealed + n, sizeof r->sealed - n, "%scontexts between exits",
                              n > 0 ? "; " : "");
    if (p->disk.vm && n < sizeof r->sealed)
        n += (size_t)snprintf(r->sealed + n, sizeof r->sealed - n, "%sthe disk", n > 0 ? "; " : "");
    if (n == 0)
        n = (size_t)snprintf(r->sealed, sizeof r->sealed, "the image");
    if (n < sizeof r->sealed)
        snprintf(r->sealed + n, sizeof r->sealed - n, "; %s", sealing_alg_name(p->sealing.alg));
}

bool protect_disk(struct protect *p, const struct options *o, struct vm *vm, struct vault *vault,
                  const struct disk_mark *mark, char *why, size_t cap)
{
    if ((o->protect & SVMC_PROTECT(SVMC_KEY_DISK)) == 0)
        return true;
    return (p->sealing.on || sealing_open(&p->sealing, o->protect, why, cap)) &&
           disk_open(&p->disk, o, vm, &p->sealing, vault, mark, why, cap);
}

bool protect_open(struct protect *p, const struct options *o, struct vm *vm,
                  struct vm_vcpu *processors, struct report *r, char *why, size_t cap)
{
    if (o->protect == 0)
        return true;
    if (!p->sealing.on && !sealing_open(&p->sealing, o->protect, why, cap))
        return false;
    if ((o->protect & SVMC_PROTECT(SVMC_KEY_PAGE)) != 0 &&
        !pager_open(&p->pager, vm, o->vcpus, &p->sealing, o->budget, o->way, why, cap))
        return false;
    if ((o->protect & SVMC_PROTECT(SVMC_KEY_CONTEXT)) != 0)
        for (; p->contexts < o->vcpus; p->contexts++)
            if (!context_open(&p->context[p->contexts], &processors[p->contexts], p->contexts,
                              &p->sealing, why, cap))
                return false;
    describe(p, o, r);
    return true;
}

static void say_pages(const struct pager *p, struct report *r)
{
    const struct pager_counts *n = &p->counts;
    double rest = r->seconds - (double)n->ns / 1e9;
    char text[160];

    snprintf(text, sizeof text, "memory: at most %u of %u pages open; %" PRIu64 " came back",
             n->most, p->pages, n->opened);
    report_call(r, 0, REPORT_SEAL, text);
    snprintf(text, sizeof text,
             "memory: %" PRIu64 " put away sealed anew, %" PRIu64 " unchanged; %" PRIu64
             " accesses completed",
             n->sealed, n->unchanged, n->completed);
    report_call(r, 0, REPORT_SEAL, text);
    if (rest > 0) {
        snprintf(text, sizeof text,
                 "memory: %.3f s of %.3f for it: the guest ran %.2f times as long",
                 (double)n->ns / 1e9, r->seconds, r->seconds / rest);
        report_call(r, 0, REPORT_SEAL, text);
    }
}

static void say_context(const struct context *x, struct report *r)
{
    char text[160];

    snprintf(
        text, sizeof text,
        "context: %zu bytes sealed %" PRIu64 " times, %.1f us each; left in KVM: %" PRIu64 " times",
        x->bytes, x->count, x->count > 0 ? (double)x->ns / 1e3 / (double)x->count : 0.0, x->left);
    report_call(r, x->id, REPORT_SEAL, text);
}

void protect_stop(struct protect *p)
{
    p->paged |= p->pager.vm != NULL;
    pager_close(&p->pager);
}

bool protect_close(struct protect *p, struct report *r, char *why, size_t cap)
{
    char text[160];
    bool good = true;

    if (!p->sealing.on)
        return true;
    protect_stop(p);
    if (p->paged)
        say_pages(&p->pager, r);
    if (p->paged && atomic_load(&p->pager.failed)) {
        snprintf(why, cap, "%s", p->pager.why);
        good = false;
    }
    if (p->disk.sealing) {
        disk_describe(&p->disk, text, sizeof text);
        report_call(r, 0, REPORT_SEAL, text);
        disk_close(&p->disk);
    }
    while (p->contexts > 0) {
        const struct context *x = &p->context[--p->contexts];

        say_context(x, r);
        if (x->left > 0)
            snprintf(why, cap, "KVM still had registers of a sealed vCPU");
        good = good && x->left == 0;
    }
    for (uint32_t i = 0; i < WIRE_VCPUS_MAX; i++)
        context_close(&p->context[i]);
    sealing_close(&p->sealing);
    return good;
}
