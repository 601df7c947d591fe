/* SPDX-License-Identifier: MIT */
/*
 * A case taken apart by the manuals' rules alone: SDM vol. 2 chapter 2, APM vol. 3 chapter 1. It
 * serves the predicates of justified.c and the spelling that LLVM and binutils are asked with; no
 * decoder is asked here.
 */
#include <string.h>
#include "verdict.h"

static void read_prefixes(struct shape *s)
{
    for (; s->prefixes < CASE_BYTES - 1; s->prefixes++) {
        uint8_t c = s->bytes[s->prefixes];

        if (s->mode == 64 && (c & 0xf0) == 0x40) {
            s->rex = c;
            continue;
        }
        if (c == 0xf2 || c == 0xf3) {
            s->rep = c;
        } else if (c == 0x64 || c == 0x65) {
            s->segment = c;
        } else if (c == 0x26 || c == 0x2e || c == 0x36 || c == 0x3e) {
            s->segment = s->mode == 64 ? s->segment : c;
        } else if (c == 0x66) {
            s->osize = true;
        } else if (c == 0x67) {
            s->asize = true;
        } else if (c == 0xf0) {
            s->lock = true;
        } else {
            return;
        }
        s->rex = 0;
    }
}

/* Byte i of the case; 0 behind its end. */
static uint8_t byte_at(const struct shape *s, unsigned i)
{
    return i < CASE_BYTES ? s->bytes[i] : 0;
}

static void read_legacy(struct shape *s, unsigned at)
{
    s->encoding = LEGACY;
    s->map = 1;
    s->pp = s->rep == 0xf2 ? 3 : s->rep == 0xf3 ? 2 : s->osize;
    s->w = s->rex >> 3 & 1;
    s->r = s->rex >> 2 & 1;
    s->x = s->rex >> 1 & 1;
    s->b = s->rex & 1;
    if (byte_at(s, at) == 0x0f) {
        at++;
        s->map = 2;
        if (byte_at(s, at) == 0x38 || byte_at(s, at) == 0x3a) {
            s->map = byte_at(s, at) == 0x38 ? 3 : 4;
            at++;
        }
    }
    s->opcode = byte_at(s, at);
    s->at = (uint8_t)(at + 1);
    s->modrm = byte_at(s, s->at);
    if (s->map == 2 && s->opcode == 0x0f)
        s->encoding = AMD_3DNOW;
}

/* at: the first payload byte; of: how many. */
static void read_payload(struct shape *s, unsigned at, unsigned of)
{
    uint8_t p0 = byte_at(s, at), p1 = of == 1 ? p0 : byte_at(s, at + 1);

    s->r = !(p0 & 0x80);
    s->x = of != 1 && !(p0 & 0x40);
    s->b = of != 1 && !(p0 & 0x20);
    s->w = of != 1 && p1 & 0x80;
    s->vvvv = (uint8_t)(~p1 >> 3 & 15);
    s->pp = p1 & 3;
    s->length = p1 >> 2 & 1;
    s->map = of == 1 ? 1 : p0 & 0x1f;
    if (of == 3) {
        uint8_t p2 = byte_at(s, at + 2);

        s->map = p0 & 7;
        s->fixed = !(p0 & 8) && p1 & 4;
        s->r2 = !(p0 & 0x10);
        s->length = p2 >> 5 & 3;
        s->bcst = p2 & 0x10;
        s->vvvv |= p2 & 8 ? 0 : 16;
        s->z = p2 & 0x80;
        s->aaa = p2 & 7;
    }
    s->opcode = byte_at(s, at + of);
    s->at = (uint8_t)(at + of + 1);
    s->modrm = byte_at(s, s->at);
}

void shape_read(struct shape *s, const uint8_t bytes[CASE_BYTES], unsigned mode, unsigned vendor)
{
    unsigned at;
    uint8_t c, next;
    bool apart; /* of LES, LDS, BOUND */

    *s = (struct shape){ .mode = (uint8_t)mode, .vendor = (uint8_t)vendor };
    memcpy(s->bytes, bytes, CASE_BYTES);
    read_prefixes(s);
    at = s->prefixes;
    c = byte_at(s, at);
    next = byte_at(s, at + 1);
    apart = mode == 64 || next >= 0xc0;
    s->fixed = true;
    if (apart && (c == 0xc4 || c == 0xc5)) {
        s->encoding = VEX;
        read_payload(s, at + 1, c == 0xc5 ? 1 : 2);
    } else if (apart && c == 0x62) {
        s->encoding = EVEX;
        read_payload(s, at + 1, 3);
    } else if (c == 0x8f && (next & 0x1f) >= 8) {
        s->encoding = XOP;
        read_payload(s, at + 1, 2);
    } else {
        read_legacy(s, at);
    }
}

int shape_plain(const struct shape *s, bool lock, bool rep, uint8_t to[2 * CASE_BYTES])
{
    unsigned n = 0;

    if (s->lock && lock)
        to[n++] = 0xf0;
    if (s->segment)
        to[n++] = s->segment;
    if (s->osize)
        to[n++] = 0x66;
    if (s->asize)
        to[n++] = 0x67;
    if (s->rep && rep)
        to[n++] = s->rep;
    if (s->rex)
        to[n++] = s->rex;
    memset(to + n, 0, 2 * CASE_BYTES - n);
    memcpy(to + n, s->bytes + s->prefixes, CASE_BYTES - s->prefixes);
    return (int)s->prefixes - (int)n;
}
