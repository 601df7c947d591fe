/* SPDX-License-Identifier: MIT */
/** The remote protocol of GDB, as an emulator speaks it: what it takes to read, write and go on. */
#ifndef BACKDOOR_RUN_REMOTE_H
#define BACKDOOR_RUN_REMOTE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REMOTE_PACKET 4096u /* of QEMU, MAX_PACKET_LENGTH of its gdbstub */

struct remote {
    int fd;
    bool ended;   /* the program, of which another thread may be the cause at any time */
    bool torn;    /* a second thread stopped before the first had gone on: QEMU mixes up the two */
    size_t n, at; /* of what was read and not taken yet */
    char buffer[REMOTE_PACKET];
};

/** Send a packet, and take the reply as text. false: the other end is gone. */
bool remote_ask(struct remote *r, const char *packet, char reply[REMOTE_PACKET + 1]);

/** Registers as the emulator lists them, at most *n bytes; *n: how many there are. */
bool remote_get_registers(struct remote *r, uint8_t *registers, size_t *n);
bool remote_set_registers(struct remote *r, const uint8_t *registers, size_t n);

bool remote_read(struct remote *r, uint64_t at, void *to, size_t n);
bool remote_write(struct remote *r, uint64_t at, const void *from, size_t n);
/** A breakpoint on an instruction of four bytes, or none there any more. */
bool remote_break(struct remote *r, uint64_t at, bool on);
/** The auxiliary vector; how many bytes, at most `most`. */
size_t remote_auxv(struct remote *r, void *to, size_t most);

#endif
