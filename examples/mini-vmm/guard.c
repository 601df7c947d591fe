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

bool guard_same(struct vcpu *v)
{
    const struct watch *w = v->watch;

    if (!w->guard)
        return memcmp(&w->pending, &v->core.priv.pending, sizeof w->pending) == 0;
    if (v->kvm && w->memory && memcmp(w->memory, v->kvm->vm->memory, v->kvm->vm->memory_bytes) != 0)
        return false;
    return memcmp(w->run, v->run, v->run_bytes < sizeof w->run ? v->run_bytes : sizeof w->run) ==
               0 &&
           memcmp(w->known, v->known, sizeof w->known) == 0 && (!v->kvm || !v->kvm->dirty) &&
           memcmp(&w->pending, &v->core.priv.pending, sizeof w->pending) == 0;
}
