/* SPDX-License-Identifier: MIT */
/** Full copies, compared byte for byte: no digest that could collide. */
#include "guard.h"

#include <string.h>

void guard_take(struct vcpu *v)
{
    struct watch *w = v->watch;

    if (v->kvm && w->memory)
        memcpy(w->memory, v->kvm->vm->memory, v->kvm->vm->memory_bytes);
    memcpy(w->run, v->run, v->run_bytes < sizeof w->run ? v->run_bytes : sizeof w->run);
    memcpy(w->known, v->known, sizeof w->known);
}

/* A stop forgets the question; all else is compared. */
static bool same_pending(const struct vcpu *v, bool stopped)
{
    return stopped ||
           memcmp(&v->watch->pending, &v->core.priv.pending, sizeof v->watch->pending) == 0;
}

bool guard_same(struct vcpu *v, bool stopped)
{
    const struct watch *w = v->watch;

    if (!same_pending(v, stopped))
        return false;
    if (!w->guard)
        return true;
    if (v->kvm && w->memory && memcmp(w->memory, v->kvm->vm->memory, v->kvm->vm->memory_bytes) != 0)
        return false;
    return memcmp(w->run, v->run, v->run_bytes < sizeof w->run ? v->run_bytes : sizeof w->run) ==
               0 &&
           memcmp(w->known, v->known, sizeof w->known) == 0 && (!v->kvm || !v->kvm->dirty);
}
