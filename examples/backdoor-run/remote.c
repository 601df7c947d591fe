/* SPDX-License-Identifier: MIT */
#include "remote.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PIECE      1024u /* bytes of memory in one packet */
#define ESCAPE     0x7d  /* binary replies: the next byte with this bit turned */
#define ESCAPE_BIT 0x20

static bool put_all(struct remote *r, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(r->fd, bytes, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        bytes += done;
        n -= (size_t)done;
    }
    return true;
}

/* The next byte; -1: the end. */
static int next_byte(struct remote *r)
{
    if (r->at == r->n) {
        ssize_t got;

        do
            got = read(r->fd, r->buffer, sizeof r->buffer);
        while (got < 0 && errno == EINTR);
        if (got <= 0)
            return -1;
        r->n = (size_t)got;
        r->at = 0;
    }
    return (unsigned char)r->buffer[r->at++];
}

static bool send_packet(struct remote *r, const char *packet)
{
    char text[REMOTE_PACKET + 8];
    unsigned sum = 0;
    size_t n = strlen(packet);

    if (n > REMOTE_PACKET)
        return false;
    for (size_t i = 0; i < n; i++)
        sum += (unsigned char)packet[i];
    snprintf(text, sizeof text, "$%s#%02x", packet, sum & 0xff);
    return put_all(r, text, n + 4);
}

/* A packet, acknowledged; how many bytes, -1: the end. What is too long is cut. */
static ssize_t take_packet(struct remote *r, char reply[REMOTE_PACKET + 1])
{
    size_t n = 0;
    int c;

    do
        c = next_byte(r);
    while (c >= 0 && c != '$');
    for (c = next_byte(r); c >= 0 && c != '#'; c = next_byte(r))
        if (n < REMOTE_PACKET)
            reply[n++] = (char)c;
    reply[n] = 0;
    if (c < 0 || next_byte(r) < 0 || next_byte(r) < 0) { /* the sum: a socket loses nothing */
        r->ended = true;
        return -1;
    }
    if (reply[0] == 'W' || reply[0] == 'X') /* whatever was asked */
        r->ended = true;
    return put_all(r, "+", 1) ? (ssize_t)n : -1;
}

bool remote_ask(struct remote *r, const char *packet, char reply[REMOTE_PACKET + 1])
{
    return send_packet(r, packet) && take_packet(r, reply) >= 0;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Text of hexadecimal digits -> bytes; how many. */
static size_t from_hex(const char *text, uint8_t *to, size_t most)
{
    size_t n = 0;

    while (n < most && digit(text[0]) >= 0 && digit(text[1]) >= 0) {
        to[n++] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
        text += 2;
    }
    return n;
}

static void to_hex(char *text, const uint8_t *from, size_t n)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        *text++ = digits[from[i] >> 4];
        *text++ = digits[from[i] & 15];
    }
    *text = 0;
}

bool remote_get_registers(struct remote *r, uint8_t *registers, size_t *n)
{
    char reply[REMOTE_PACKET + 1];

    if (!remote_ask(r, "g", reply))
        return false;
    if (reply[0] == 'T' || reply[0] == 'S')
        r->torn = true;
    *n = from_hex(reply, registers, *n);
    return true;
}

bool remote_set_registers(struct remote *r, const uint8_t *registers, size_t n)
{
    char packet[REMOTE_PACKET + 1] = "G", reply[REMOTE_PACKET + 1];

    if (n > (REMOTE_PACKET - 1) / 2)
        return false;
    to_hex(packet + 1, registers, n);
    return remote_ask(r, packet, reply) && strcmp(reply, "OK") == 0;
}

bool remote_read(struct remote *r, uint64_t at, void *to, size_t n)
{
    char packet[64], reply[REMOTE_PACKET + 1];

    for (size_t i = 0; i < n;) {
        size_t part = n - i < PIECE ? n - i : PIECE;

        snprintf(packet, sizeof packet, "m%" PRIx64 ",%zx", at + i, part);
        if (!remote_ask(r, packet, reply) || from_hex(reply, (uint8_t *)to + i, part) != part)
            return false;
        i += part;
    }
    return true;
}

bool remote_write(struct remote *r, uint64_t at, const void *from, size_t n)
{
    char packet[2 * PIECE + 64], reply[REMOTE_PACKET + 1];

    for (size_t i = 0; i < n;) {
        size_t part = n - i < PIECE ? n - i : PIECE;
        int head = snprintf(packet, sizeof packet, "M%" PRIx64 ",%zx:", at + i, part);

        to_hex(packet + head, (const uint8_t *)from + i, part);
        if (!remote_ask(r, packet, reply) || strcmp(reply, "OK") != 0)
            return false;
        i += part;
    }
    return true;
}

bool remote_break(struct remote *r, uint64_t at, bool on)
{
    char packet[64], reply[REMOTE_PACKET + 1];

    snprintf(packet, sizeof packet, "%c0,%" PRIx64 ",4", on ? 'Z' : 'z', at);
    return remote_ask(r, packet, reply) && strcmp(reply, "OK") == 0;
}

size_t remote_auxv(struct remote *r, void *to, size_t most)
{
    char reply[REMOTE_PACKET + 1];
    uint8_t *bytes = to;
    size_t n = 0;
    ssize_t got;

    if (!send_packet(r, "qXfer:auxv:read::0,800"))
        return 0;
    got = take_packet(r, reply);
    for (ssize_t i = 1; i < got && n < most; i++) { /* behind 'l' or 'm' */
        if (reply[i] == ESCAPE && i + 1 < got)
            bytes[n++] = (uint8_t)(reply[++i] ^ ESCAPE_BIT);
        else
            bytes[n++] = (uint8_t)reply[i];
    }
    return n;
}
