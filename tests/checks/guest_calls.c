/* SPDX-License-Identifier: MIT */
/*
 * The calls of the guest's header, each in a function that keeps values across it. Compiled with
 * many compilers and flags, as C89 and as C++; guest_driver.c runs it and looks at every register.
 */
#include "guest_calls.h"

#define KEEP(f)                                                              \
    svmc_hcall_word k0 = (f)->live[0], k1 = (f)->live[1], k2 = (f)->live[2]; \
    svmc_hcall_word k3 = (f)->live[3], k4 = (f)->live[4], k5 = (f)->live[5]; \
    svmc_hcall_word k6 = (f)->live[6], k7 = (f)->live[7]
#define HELD(f)                                                                  \
    ((f)->kept[0] = k0, (f)->kept[1] = k1, (f)->kept[2] = k2, (f)->kept[3] = k3, \
     (f)->kept[4] = k4, (f)->kept[5] = k5, (f)->kept[6] = k6, (f)->kept[7] = k7)

void guest_call(struct frame *f)
{
    KEEP(f);
    f->status = svmc_call(&f->guest, f->control, f->arg);
    HELD(f);
}

void guest_call_tok(struct frame *f)
{
    KEEP(f);
    f->status = svmc_call_tok(&f->guest, f->control, f->arg, &f->token);
    HELD(f);
}

void guest_call_3(struct frame *f)
{
    KEEP(f);
    f->status = svmc_call3(&f->guest, f->control, f->arg[0], f->arg[1], f->arg[2], f->out);
    HELD(f);
}

void guest_hcall(struct frame *f)
{
    KEEP(f);
    f->status = svmc_hcall((unsigned)f->control, f->arg);
    HELD(f);
}

void guest_low(struct frame *f)
{
    KEEP(f);
    f->status = svmc_vmware_low(&f->guest, f->arg);
    HELD(f);
}

void guest_send(struct frame *f)
{
    KEEP(f);
    f->status = svmc_vmware_send(&f->guest, (unsigned)f->arg[0], &f->channel, f->memory, f->arg[1]);
    HELD(f);
}

void guest_receive(struct frame *f)
{
    KEEP(f);
    f->status =
        svmc_vmware_receive(&f->guest, (unsigned)f->arg[0], &f->channel, f->memory, f->arg[1]);
    HELD(f);
}

void guest_receive_odd(struct frame *f)
{
    KEEP(f);
    unsigned n = (f->channel.id & 31) + 32, i;
    unsigned char aligned[64] __attribute__((aligned(64)));
    unsigned char *room = (unsigned char *)__builtin_alloca(n); /* nobody knows how much */

    for (i = 0; i < n; i++)
        aligned[i] = room[i] = (unsigned char)(i ^ f->channel.id);
    f->status =
        svmc_vmware_receive(&f->guest, (unsigned)f->arg[0], &f->channel, f->memory, f->arg[1]);
    for (i = 0; i < n; i++)
        if (aligned[i] != (unsigned char)(i ^ f->channel.id) || room[i] != aligned[i])
            f->status = 0x10000; /* no status is that */
    HELD(f);
}

void guest_probe(struct frame *f)
{
    KEEP(f);
    f->status = (svmc_hcall_word)svmc_probe(&f->guest, &f->how);
    HELD(f);
}
