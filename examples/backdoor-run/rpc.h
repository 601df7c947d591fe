/* SPDX-License-Identifier: MIT */
/** RPCI strings and commands beside guestinfo: what clients of a VM ask, as a small VM answers. */
#ifndef BACKDOOR_RUN_RPC_H
#define BACKDOOR_RUN_RPC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <svmcore/vmware.h>

#include "hgfs.h"
#include "names.h"
#include "store.h"

/** A string and its answer, from the command line. */
struct rpc_answer {
    const char *command; /* up to the first '=' of --reply */
    const char *answer;  /* "1 TEXT" or "0 REASON" */
};

struct rpc {
    struct rpc_answer *answers;
    size_t answer_count, answer_cap;
    struct names devices;
    struct hgfs hgfs;
    struct store namespaces; /* of namespace-cmd: in memory alone */
    uint64_t disconnected;   /* bit n: device n */
    bool sync_time;          /* an option that the guest may set */
    uint64_t session;
    uint32_t memory_mb, mhz; /* what guestlib tells */
};

/** A key of a namespace, as vmware-namespace-cmd sets it; false: it is refused. */
bool rpc_namespace_set(struct rpc *rpc, const char *name, const char *key, const char *value);
/** An RPCI string that the library does not know; as op `rpc` of svmcore/vmware_types.h. */
enum svmc_status rpc_handle(struct rpc *rpc, const uint8_t *text, uint32_t text_bytes,
                            struct svmc_vmware_reply *reply);
/** The same for commands: op `command`. */
enum svmc_status rpc_command(struct rpc *rpc, uint32_t command, struct svmc_vmware_call *call);

#endif
