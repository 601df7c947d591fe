/* SPDX-License-Identifier: MIT */
/* A VM with the front end on, and a guest that talks to it as open-vm-tools do. */
#ifndef TESTS_HCALL_VMWARE_LAB_H
#define TESTS_HCALL_VMWARE_LAB_H
#include <stdbool.h>
#include <stdint.h>
#include <svmcore/insn.h>
#include <svmcore/vmware.h>

#define LAB_CHANNELS 128u
#define LAB_ARENA    (4u * 65536u)
#define LAB_MEMORY   131072u /* of the guest: address a lies at a % LAB_MEMORY */
#define LAB_PAGES    (LAB_MEMORY / 4096u)
#define LAB_RPCI     0x49435052u
#define LAB_TCLO     0x4f4c4354u
#define LAB_COOKIE   0x80000000u

/* Steps of command 30: open-vm-tools lib/include/guest_msg_def.h. */
enum lab_step {
    LAB_OPEN,
    LAB_SENDSIZE,
    LAB_SENDPAYLOAD,
    LAB_RECVSIZE,
    LAB_RECVPAYLOAD,
    LAB_RECVSTATUS,
    LAB_CLOSE
};

struct lab {
    struct svmc_vmware vm;
    struct svmc_vmware_config config;
    struct svmc_vmware_channel channels[LAB_CHANNELS];
    uint8_t arena[LAB_ARENA + 16]; /* a guard behind it */
    uint8_t memory[LAB_MEMORY];
    uint32_t away;              /* bit n: page n of the guest faults */
    uint32_t device;            /* bit n: page n of the guest is no memory */
    unsigned lie;               /* of a callback, see there */
    unsigned calls;             /* of callbacks that can fail */
    unsigned fail_at;           /* 1-based; 0: none */
    uint64_t seed;              /* of the cookies and of garbage */
    uint64_t clock, clock_step; /* what each look at it adds */
    struct svmc_vmware_time time;
    uint8_t value[65536]; /* of the one key, "hello" */
    uint32_t value_bytes, sets;
    uint32_t caller_vcpu, caller_user; /* of info_get, info_set, log */
    uint32_t keys;                     /* that info_get and info_set were asked for */
    char last_log[64];
    uint32_t rpcs;   /* requests that rpc got */
    uint32_t events; /* that tclo got */
    enum svmc_vmware_tclo_event last_event;
    uint32_t tclo_channel;
    uint8_t answer[64];
    uint32_t answer_bytes;
    uint32_t commands, last_command; /* that command got */
    struct svmc_vmware *inner;       /* rpc calls this VM: it must find it taken */
};

/* A channel as a client holds it. */
struct lab_channel {
    uint32_t id;
    uint64_t cookie;
    bool no_high; /* do not use high bandwidth even if it is offered */
};

extern const struct svmc_vmware_ops lab_ops;

/* All that the library answers is allowed, and 3, 93, 101 and 103 beside it. */
void lab_start(struct lab *lab);
void lab_allow(struct svmc_vmware_config *config, uint32_t command);

/* A low-bandwidth call with garbage wherever a client leaves it. */
struct svmc_vmware_call lab_call(struct lab *lab, uint32_t command, uint32_t arg1);
struct svmc_vmware_result lab_handle(struct lab *lab, struct svmc_vmware_call *call);
/* One step; returns the status. *call, if not NULL, is what the guest gets. */
uint32_t lab_message(struct lab *lab, enum lab_step step, const struct lab_channel *ch,
                     uint32_t arg1, struct svmc_vmware_call *call);
/* A high-bandwidth call, by guest memory at `at`; returns the status. */
uint32_t lab_high(struct lab *lab, const struct lab_channel *ch, bool write, uint64_t at,
                  uint64_t bytes, struct svmc_vmware_result *out);

uint32_t lab_open(struct lab *lab, uint32_t protocol, struct lab_channel *ch); /* status */
/* As Message_Send and Message_Receive do it, over again after a checkpoint. */
bool lab_send(struct lab *lab, const struct lab_channel *ch, const void *text, uint32_t bytes);
bool lab_receive(struct lab *lab, const struct lab_channel *ch, uint8_t *reply, uint32_t *bytes);
/* Open, send, receive, close: the reply as a string, "" when there is none. */
const char *lab_rpc(struct lab *lab, const char *request);

#endif
