/* SPDX-License-Identifier: MIT */
#include "rpc.h"

#define COMMAND     30u         /* MESSAGE */
#define PROTOCOL    0x49435052u /* RPCI */
#define WITH_COOKIE 0x80000000u
#define HIGH        0x10000u /* EBX of a high-bandwidth call: 0, and what came before went well */

enum { OPEN, SEND_SIZE, SEND_DATA, RECEIVE_SIZE, RECEIVE_DATA, RECEIVED, CLOSE }; /* ECX 31:16 */

#define OK         0x01u /* bits of a status, ECX 31:16 */
#define WAITING    0x02u
#define CHECKPOINT 0x10u /* the machine was saved on the way: the message starts again */
#define MAY_HIGH   0x80u

#define TRIES 8 /* of a message that meets checkpoints */

struct channel {
    const struct svmc_guest *g;
    struct svmc_guest_channel at;
    int high;
};

/* One low-bandwidth step: its status, and EBX and EDX 31:16 as they came back. */
static unsigned step(const struct channel *c, unsigned sub, unsigned value, unsigned *ebx,
                     unsigned *type)
{
    svmc_hcall_word w[6] = { 0 };

    w[1] = value;
    w[2] = (svmc_hcall_word)sub << 16 | COMMAND;
    w[3] = (svmc_hcall_word)c->at.id << 16;
    w[4] = c->at.cookie_high;
    w[5] = c->at.cookie_low;
    svmc_vmware_low(c->g, w);
    *ebx = (unsigned)w[1];
    *type = (unsigned)(w[3] >> 16); /* never the channel: a reply may put its type there */
    return (unsigned)(w[2] >> 16);
}

static int open_channel(struct channel *c)
{
    svmc_hcall_word w[6] = { 0 };

    w[1] = PROTOCOL | WITH_COOKIE;
    w[2] = (svmc_hcall_word)OPEN << 16 | COMMAND;
    svmc_vmware_low(c->g, w);
    if (!(w[2] >> 16 & OK))
        return 0;
    c->at.id = (unsigned)(w[3] >> 16);
    c->at.cookie_high = (unsigned)w[4];
    c->at.cookie_low = (unsigned)w[5];
    return 1;
}

/* The four bytes at `at`, fewer at the end, first one lowest. */
static unsigned load(const char *bytes, size_t n)
{
    unsigned value = 0;

    for (size_t i = 0; i < n && i < 4; i++)
        value |= (unsigned)(unsigned char)bytes[i] << 8 * i;
    return value;
}

/* A status: OK, or why not. */
static unsigned send(const struct channel *c, const char *bytes, size_t n)
{
    unsigned ebx, type, status = step(c, SEND_SIZE, (unsigned)n, &ebx, &type);

    if (!(status & OK))
        return status;
    if (c->high && (status & MAY_HIGH))
        return n ? svmc_vmware_send(c->g, HIGH, &c->at, bytes, n) : OK;
    for (size_t at = 0; at < n; at += 4) {
        status = step(c, SEND_DATA, load(bytes + at, n - at), &ebx, &type);
        if (!(status & OK))
            return status;
    }
    return OK;
}

/* The same; `room` is enough. */
static unsigned receive_data(const struct channel *c, int high, char *bytes, size_t n)
{
    unsigned ebx, type, status;

    if (high)
        return n ? svmc_vmware_receive(c->g, HIGH, &c->at, bytes, n) : OK;
    for (size_t at = 0; at < n; at += 4) {
        status = step(c, RECEIVE_DATA, OK, &ebx, &type);
        if (!(status & OK) || type != 2)
            return status & ~OK;
        for (size_t i = at; i < n && i < at + 4; i++)
            bytes[i] = (char)(ebx >> 8 * (i - at));
    }
    return OK;
}

static enum rpc_end receive(const struct channel *c, char *bytes, size_t room, size_t *n,
                            unsigned *status)
{
    unsigned ebx, type, left;

    *status = step(c, RECEIVE_SIZE, 0, &ebx, &type);
    if (!(*status & OK) || !(*status & WAITING) || type != 1)
        return RPC_BROKEN;
    if (ebx > room)
        return RPC_TOO_LONG;
    *n = ebx;
    *status = receive_data(c, c->high && (*status & MAY_HIGH), bytes, *n);
    if (!(*status & OK))
        return RPC_BROKEN;
    *status = step(c, RECEIVED, OK, &left, &type);
    return *status & OK ? RPC_DONE : RPC_BROKEN;
}

enum rpc_end rpc(const struct svmc_guest *g, int high, const char *request, size_t request_bytes,
                 char *reply, size_t room, size_t *reply_bytes)
{
    struct channel c = { g, { 0, 0, 0 }, high };
    enum rpc_end end = RPC_BROKEN;
    unsigned status = CHECKPOINT, ebx, type;

    *reply_bytes = 0;
    if (!open_channel(&c))
        return RPC_NO_OPEN;
    for (int i = 0; i < TRIES && (status & CHECKPOINT); i++)
        status = send(&c, request, request_bytes);
    if (status & OK) {
        status = CHECKPOINT;
        for (int i = 0; i < TRIES && end == RPC_BROKEN && (status & CHECKPOINT); i++)
            end = receive(&c, reply, room, reply_bytes, &status);
    }
    (void)step(&c, CLOSE, 0, &ebx, &type);
    return end;
}
