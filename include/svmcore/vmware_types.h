/* SPDX-License-Identifier: MIT */
/** What vmware.h is told: a call, the host's functions, what a VM has. docs/spec/vmware.md. */
#ifndef SVMCORE_VMWARE_TYPES_H
#define SVMCORE_VMWARE_TYPES_H
#include <stddef.h>
#include <stdint.h>
#include "host.h"
#include "iox.h"
#include "status.h"
#include "types.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_VMWARE_MAGIC         0x564d5868u /* in argument 0 of every call */
#define SVMC_VMWARE_PORT          0x5658u     /* low bandwidth */
#define SVMC_VMWARE_HIGH_PORT     0x5659u
#define SVMC_VMWARE_COMMANDS      128u   /* bits of a set of commands */
#define SVMC_VMWARE_CHANNELS_MAX  128u   /* of a VM */
#define SVMC_VMWARE_MESSAGE_MAX   65536u /* bytes of one message, either way */
#define SVMC_VMWARE_MESSAGE_UNIT  32u    /* room is given in multiples of this */
#define SVMC_VMWARE_POINTER_WORDS 128u   /* of the pointer's queue */

/** The commands that the library answers itself; config.commands can have others. */
enum svmc_vmware_command {
    SVMC_VMWARE_GETMHZ = 1,
    SVMC_VMWARE_GETVERSION = 10,
    SVMC_VMWARE_GETHWVERSION = 17,
    SVMC_VMWARE_GETUUID = 19,
    SVMC_VMWARE_GETMEMSIZE = 20,
    SVMC_VMWARE_GETTIME = 23,
    SVMC_VMWARE_MESSAGE = 30,
    SVMC_VMWARE_ISMOUSEABSOLUTE = 36,
    SVMC_VMWARE_ABSPOINTER_DATA = 39,
    SVMC_VMWARE_ABSPOINTER_STATUS = 40,
    SVMC_VMWARE_ABSPOINTER_COMMAND = 41,
    SVMC_VMWARE_GETHZ = 45,
    SVMC_VMWARE_GETTIMEFULL = 46,
    SVMC_VMWARE_GETTIMEFULL_WITH_LAG = 55,
    SVMC_VMWARE_GET_VCPU_INFO = 68,
    SVMC_VMWARE_ABSPOINTER_RESTRICT = 86,
    SVMC_VMWARE_PRECISIONCLOCK = 97
};

/** Status bits of a message call. The guest may set SUCCESS; the others are the host's. */
enum svmc_vmware_message_status {
    SVMC_VMWARE_SUCCESS = 0x01,
    SVMC_VMWARE_DORECV = 0x02,     /* a message waits */
    SVMC_VMWARE_CLOSED = 0x04,     /* the channel is closed */
    SVMC_VMWARE_UNSENT = 0x08,     /* the message was withdrawn */
    SVMC_VMWARE_CHECKPOINT = 0x10, /* start again at the size */
    SVMC_VMWARE_POWEROFF = 0x20,
    SVMC_VMWARE_TIMEOUT = 0x40,
    SVMC_VMWARE_HIGH = 0x80 /* the payload can go over the high-bandwidth port */
};

/** One call, however it trapped. */
struct svmc_vmware_call {
    uint64_t arg[SVMC_IOX_ARGS]; /* in: as they trapped, garbage in upper halves included; out: as
                                    the guest gets them */
    uint8_t isa;                 /* enum svmc_isa of the caller */
    uint8_t user;                /* 1: the caller runs at user privilege */
    uint8_t high;                /* 1: high bandwidth */
    uint8_t write; /* high: 1: the guest's memory is read (OUT), 0: it is written (IN) */
    uint8_t way;   /* enum svmc_trap_way, for callbacks and logs; the library does not look at it */
    uint8_t iopl;  /* user: 1: the caller may use ports by its I/O privilege level (x86: IOPL 3);
                      no trap tells: of RFLAGS */
    uint8_t reserved[2]; /* 0 */
    uint32_t vcpu;       /* handed to the callbacks */
    uint64_t base;       /* high: x86 outside 64-bit mode: base of the segment, else 0 */
    uint8_t *data;       /* high: NULL: the memory behind the pointer register, by `translate`. Else
                            the hypervisor has taken these bytes from the guest, or gives them to it
                            (KVM_EXIT_IO of a string): pointer and count registers stay. What a read
                            does not fill is zeroed once the call is DONE */
    uint32_t data_bytes; /* with data: at most SVMC_VMWARE_MESSAGE_MAX */
    uint32_t reserved2;  /* 0 */
};

/** How a call ended. */
enum svmc_vmware_end {
    SVMC_VMWARE_FAILED = 0,  /* beside a status that is not SVMC_OK */
    SVMC_VMWARE_DONE = 1,    /* write the registers, move the program counter */
    SVMC_VMWARE_BUSY = 2,    /* another vCPU is in: nothing has changed. The guest executes the
                               instruction again: where the hardware has moved the program counter
                               behind it, move it back first (trap.h: `back`). Where that cannot be
                               (KVM_EXIT_IO, TDX) yield and hand in the same call again */
    SVMC_VMWARE_FAULT = 3,   /* write the registers, which may have advanced, move the program
                               counter back as for BUSY, inject `fault`; the guest executes the
                               instruction again */
    SVMC_VMWARE_NOT_OURS = 4 /* no magic in argument 0: nothing has changed */
};

struct svmc_vmware_result {
    uint8_t end; /* enum svmc_vmware_end */
    uint8_t
        changed; /* DONE, FAULT, and beside SVMC_ERR_CALLBACK: bit n: arg[n] is not what it was */
    uint8_t unknown; /* DONE: 1: no such command for this caller; arg[0] is all ones */
    uint8_t reserved;
    struct svmc_fault fault; /* FAULT */
};

/** Wall clock of the host. */
struct svmc_vmware_time {
    uint64_t seconds; /* since 1970-01-01 00:00 UTC */
    uint32_t nanoseconds;
    uint32_t max_lag_us;       /* how far the guest's clock may be off before it is set */
    uint32_t interrupt_lag_us; /* how far the virtual timers are behind */
    uint32_t reserved;
};

/** What happened to a TCLO channel. */
enum svmc_vmware_tclo_event {
    SVMC_VMWARE_TCLO_OPENED = 1,
    SVMC_VMWARE_TCLO_REPLY = 2, /* the guest's answer to the last message; never empty */
    SVMC_VMWARE_TCLO_CLOSED = 3 /* by the guest, by the host or for idleness */
};

/** What a callback has to say to the guest. */
struct svmc_vmware_reply {
    uint8_t *at;
    uint32_t room;  /* bytes at `at`: message_bytes - 2 */
    uint32_t bytes; /* comes 0; how many of them the guest gets */
};

/**
 * What the hypervisor lends. ctx is the VM's. A function is called on the thread of the vCPU whose
 * call it is, `tclo` also on that of svmc_vmware_close and svmc_vmware_tclo_send; `time` and
 * `command` on several at once, the others on one at a time. What they call
 * of the VM's svmc_vmware is refused: SVMC_ERR_STATE, SVMC_VMWARE_BUSY. While one runs, calls of
 * other vCPUs are BUSY: none may block for long. Messages and keys are the guest's bytes: not
 * NUL-terminated, of any value.
 */
struct svmc_vmware_ops {
    uint32_t size; /* sizeof(struct svmc_vmware_ops) as the host compiled it */

    /* required with MESSAGE: fill dst with n unpredictable bytes, all or nothing: the cookies */
    SVMC_NODISCARD enum svmc_status (*random)(void *ctx, void *dst, size_t n);
    /* optional (NULL: no channel is ever idle too long, idle_ticks is 0): a counter that never goes
       back */
    uint64_t (*ticks)(void *ctx);
    /* optional (NULL: no command that tells the time): *time comes 0 */
    SVMC_NODISCARD enum svmc_status (*time)(void *ctx, struct svmc_vmware_time *time);

    /* optional (NULL: no high bandwidth but by call.data): as in struct svmc_host_ops, with the
       rights that the caller on this vCPU has; the rest of the page is asked for. The caller
       chooses the address: SVMC_OK with *span NULL says that there is no memory that it may use
       so, a device or nothing, and it gets status 0 */
    SVMC_NODISCARD enum svmc_status (*translate)(void *ctx, uint32_t vcpu, svmc_gva at,
                                                 uint32_t access, svmc_gpa *out,
                                                 struct svmc_fault *fault);
    SVMC_NODISCARD enum svmc_status (*guest_span)(void *ctx, svmc_gpa at, size_t n, uint32_t access,
                                                  void **span);

    /* optional (NULL: no such RPCI command): key is what stands behind "guestinfo."; another status
       than SVMC_OK: there is none. Here and below call says who asks: vcpu, user */
    SVMC_NODISCARD enum svmc_status (*info_get)(void *ctx, const struct svmc_vmware_call *call,
                                                const uint8_t *key, uint32_t key_bytes,
                                                struct svmc_vmware_reply *value);
    /* optional: SVMC_ERR_FULL: the VM's quota is used up; another: it may not set this key */
    SVMC_NODISCARD enum svmc_status (*info_set)(void *ctx, const struct svmc_vmware_call *call,
                                                const uint8_t *key, uint32_t key_bytes,
                                                const uint8_t *value, uint32_t bytes);
    /* optional: a line for the VM's log */
    void (*log)(void *ctx, const struct svmc_vmware_call *call, const uint8_t *text,
                uint32_t bytes);
    /* optional (NULL: other RPCI strings are unknown): the reply without "1 ".
       SVMC_ERR_UNSUPPORTED: unknown; another: refused, and the reply says why */
    SVMC_NODISCARD enum svmc_status (*rpc)(void *ctx, const struct svmc_vmware_call *call,
                                           const uint8_t *text, uint32_t text_bytes,
                                           struct svmc_vmware_reply *reply);
    /* optional (NULL: no TCLO channels). data: of REPLY alone */
    void (*tclo)(void *ctx, uint32_t channel, enum svmc_vmware_tclo_event event,
                 const uint8_t *data, uint32_t bytes);

    /* optional (NULL: they are unknown): a command that is allowed and not in enum
       svmc_vmware_command. After SVMC_OK arg[] goes to the guest; another status: unknown.
       Several vCPUs can be in at once */
    SVMC_NODISCARD enum svmc_status (*command)(void *ctx, uint32_t command,
                                               struct svmc_vmware_call *call);
};

/** Where a message lies in the arena. Not API. */
struct svmc_vmware_message {
    struct svmc_vmware_message *next; /* in the arena */
    uint32_t at, bytes, done;
    uint8_t stage;
    uint8_t notice; /* status bits that the guest gets at its next step */
    uint8_t reserved[2];
};

/** One channel; memory of the caller. Not API. */
struct svmc_vmware_channel {
    struct {
        struct svmc_vmware_message message[2]; /* from and to the guest */
        uint64_t cookie, used_at;
        uint32_t protocol, handle;
        uint8_t open, has_cookie, ended, reserved[5];
    } priv;
};

enum svmc_vmware_flag {
    SVMC_VMWARE_HIGH_BANDWIDTH = 1, /* announce and answer it */
    SVMC_VMWARE_COOKIES = 2         /* refuse to open a channel without a cookie */
};

/** Bits of leaf 0x40000010's ECX: by which instruction a call may come. */
enum svmc_vmware_cpuid_bit {
    SVMC_VMWARE_CPUID_VMMCALL = 1,
    SVMC_VMWARE_CPUID_VMCALL = 2, /* guests take it where both are set */
    SVMC_VMWARE_CPUID_TDX = 8
};

/** What a VM has. {0} but for `size` answers nothing. */
struct svmc_vmware_config {
    uint32_t size;  /* sizeof(struct svmc_vmware_config) as the host compiled it */
    uint32_t flags; /* enum svmc_vmware_flag */
    uint32_t commands[SVMC_VMWARE_COMMANDS / 32];    /* bit n % 32 of [n / 32]: n exists */
    uint32_t kernel_only[SVMC_VMWARE_COMMANDS / 32]; /* not for user privilege: beside VW-4's */

    uint32_t product;          /* GETVERSION: 2: ESX, 4: Workstation */
    uint32_t hardware_version; /* GETHWVERSION, e.g. 17 */
    uint8_t uuid[16];          /* GETUUID */
    uint32_t memory_size;      /* GETMEMSIZE, as it is to be answered */
    uint32_t vcpu_info;        /* GET_VCPU_INFO; bit 31 is 0. Bit 3: x2APIC without remapping */
    uint32_t tsc_khz;          /* 0: no GETMHZ, no GETHZ */
    uint32_t bus_khz;          /* at most 4294967 */
    uint32_t cpuid_ways;       /* enum svmc_vmware_cpuid_bit */

    /* with MESSAGE, else 0 */
    uint32_t channel_count; /* 1 to SVMC_VMWARE_CHANNELS_MAX */
    uint32_t message_bytes; /* longest message: 64 to SVMC_VMWARE_MESSAGE_MAX, whole units */
    uint32_t key_bytes;     /* longest key of guestinfo */
    uint32_t value_bytes;   /* longest value that a guest may set */
    uint32_t arena_bytes;   /* for all messages: at least 2 * message_bytes, whole units; from 3 on
                               one of them is the host's own, for TCLO */
    struct svmc_vmware_channel *channels; /* [channel_count]; yours, as long as the VM lives */
    uint8_t *arena;                       /* [arena_bytes]; the same */
    uint64_t idle_ticks; /* a channel that has ended no message for longer may be closed for room:
                            more than the longest one takes; 0: none is. Needs ops->ticks */
};

#ifdef __cplusplus
}
#endif
#endif
