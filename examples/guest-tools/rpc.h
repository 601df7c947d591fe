/* SPDX-License-Identifier: MIT */
/** A request to the host by VMware's message channels, as vmware-rpctool makes it. */
#ifndef GUEST_TOOLS_RPC_H
#define GUEST_TOOLS_RPC_H
#include <stddef.h>
#include <svmcore/guest/hypercall.h>

enum rpc_end {
    RPC_DONE,    /* reply[0..*bytes - 1] came: "1 " or "0 " and text */
    RPC_NO_OPEN, /* no channel */
    RPC_BROKEN,  /* the host ended it, or sent nonsense */
    RPC_TOO_LONG /* the reply is longer than the room */
};

/** high: 0: four bytes a call, also where the host would take the whole in one. */
enum rpc_end rpc(const struct svmc_guest *g, int high, const char *request, size_t request_bytes,
                 char *reply, size_t room, size_t *reply_bytes);

#endif
