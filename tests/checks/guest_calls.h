/* SPDX-License-Identifier: MIT */
/** What guest_driver.c makes guest_calls.c do, which sees this and the guest's header alone. */
#ifndef CHECKS_GUEST_CALLS_H
#define CHECKS_GUEST_CALLS_H
#include <svmcore/guest/hypercall.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LIVE 8 /* values that have to outlive the call, more than there are registers to spare */

struct frame {
    struct svmc_guest guest;
    svmc_hcall_word control, arg[6], status;
    svmc_hcall_word out[6];
    struct svmc_hcall_token token;
    struct svmc_guest_channel channel;
    struct svmc_probe_how how;
    void *memory;
    svmc_hcall_word live[LIVE], kept[LIVE];
};

void guest_call(struct frame *f);
void guest_call_tok(struct frame *f);
void guest_call_3(struct frame *f);
void guest_hcall(struct frame *f);
void guest_low(struct frame *f);
void guest_send(struct frame *f);
void guest_receive(struct frame *f);
/* In a frame with a base pointer beside its frame pointer: clang has RBX and RBP for them. */
void guest_receive_odd(struct frame *f);
void guest_probe(struct frame *f);

#ifdef __cplusplus
}
#endif

#endif
