/* SPDX-License-Identifier: MIT */
/** The keeper's end of the untrusted host: its process, pages, doorbells, console pipe. */
#ifndef LINK_H
#define LINK_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "form.h"
#include "wire.h"

#define LINK_CONSOLE_MAX 65536u /* bytes of console that are kept; more is dropped */

/** What one vCPU shares with the host. */
struct link_vcpu {
    int page_fd;
    int request;
    int answer;
    volatile uint8_t *page;
    uint64_t stray; /* what an unasked answer's doorbell said; 0: none came */
};

/** Any thread may ask, each for its own vCPU; what they share stands behind the lock. */
struct link {
    pid_t pid;
    int process;             /* pidfd; -1: the kernel has none */
    int pipe;                /* console, read end */
    const atomic_bool *over; /* true: nobody waits any more */
    unsigned stray_ms;       /* how long link_notify waits for an answer that must not come */
    uint32_t vcpus;
    const struct form *form; /* of what the host is shown */
    struct link_vcpu vcpu[WIRE_VCPUS_MAX];
    pthread_mutex_t lock; /* for all below */
    bool dead;
    int wait_status;
    /* console bytes as they came */
    uint8_t console[LINK_CONSOLE_MAX];
    size_t console_bytes;
    size_t console_dropped;
    void (*on_console)(void *ctx, const uint8_t *bytes, size_t n);
    void *console_ctx;
};

enum link_answer { LINK_ANSWERED, LINK_SILENT, LINK_DEAD, LINK_OVER, LINK_ERROR };

/**
 * Start the host program in a process that has its pages, doorbells and console, and nothing else;
 * wait until it says that it is confined. false: `why` says what failed.
 */
bool link_start(struct link *l, uint32_t vcpus, const struct form *form, const char *program,
                const char *lies, unsigned timeout_ms, char *why, size_t cap);

/** What the kernel says about the host's cage, for the first lines; false: there is none. */
bool link_confined(const struct link *l);

/** Ring for vCPU `id` and wait for the answer; *tag is the doorbell's value. */
enum link_answer link_ask(struct link *l, uint32_t id, unsigned timeout_ms, uint64_t *tag);

/** Ring for a notice: nobody has to answer. l->vcpu[id].stray is the tag of one who did. */
void link_notify(struct link *l, uint32_t id);

/** Get the host's devices as bytes[WIRE_DEVICES_BYTES], or give it some: WIRE_DEVICES_ GIVE, TAKE.
 *  Nothing is asked meanwhile. */
bool link_devices(struct link *l, uint32_t op, uint8_t *bytes, unsigned timeout_ms);

/** Take what lies in the console pipe; false once the host is dead. */
bool link_poll(struct link *l);

/** Console bytes from number `from` on, at most cap; returns how many. */
size_t link_console(struct link *l, size_t from, uint8_t *bytes, size_t cap);

/** How it died, e.g. "killed by signal 9"; returns `text`. */
const char *link_death(struct link *l, char *text, size_t cap);

/** End the host and take its last console bytes. */
void link_stop(struct link *l);

#endif
