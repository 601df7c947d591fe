/* SPDX-License-Identifier: MIT */
/*
 * The executor's callbacks as its fuzz targets have them: each takes a byte of the input, which
 * says whether it succeeds, fails, waits, refuses, faults or lies, and holds what is asked of it to
 * what any instruction set may ask. What one alone may stands in its own target.
 */
#ifndef FUZZ_HOSTILE_H
#define FUZZ_HOSTILE_H
#include <stdbool.h>
#include <svmcore/svmcore.h>

#include "input.h"

static struct input in;
static struct svmc_exec x;
static unsigned accesses;      /* of this call */
static uint8_t usual_fault;    /* a vector that translate may well raise */
static bool waits;             /* an access was told BUSY */
static const uint8_t *pending; /* its bytes */
static size_t pending_bytes;

static bool in_record(const void *at, size_t n)
{
    const uint8_t *p = at, *from = (const uint8_t *)&x;

    return p >= from && p + n <= from + sizeof x;
}

/* What the input says to this access. */
static enum svmc_status say(const void *bytes, size_t n)
{
    unsigned what = take_byte(&in) & 15;

    accesses++;
    require(!waits); /* nothing is asked before what waits is answered */
    require(n >= 1 && n <= SVMC_EXEC_WIDTH_MAX && in_record(bytes, n));
    if (what == 1)
        return SVMC_ERR_ABSENT;
    if (what == 3)
        return SVMC_ERR_REFUSED;
    if (what != 2)
        return SVMC_OK;
    waits = true;
    pending = bytes;
    pending_bytes = n;
    return SVMC_ERR_BUSY;
}

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    unsigned what = take_byte(&in);

    (void)ctx;
    require((access & SVMC_ACCESS_RW) != 0);
    require(fault->raised == 0 && fault->vector == 0 && fault->address == 0);
    out->v = (at.v & 0xfff) | (uint64_t)(what & 0xf0) << 8;
    if ((what & 15) == 1)
        return SVMC_ERR_ABSENT;
    if ((what & 15) == 2)
        return SVMC_ERR_BUSY;
    if ((what & 15) == 3)
        out->v ^= 1;
    if ((what & 15) == 4)
        *fault = (struct svmc_fault){ .raised = 1,
                                      .vector = what >> 4 & 1 ? usual_fault : (uint8_t)(what >> 2),
                                      .has_error = 1,
                                      .error = what * 0x10101u,
                                      .address = at.v };
    return SVMC_OK;
}

static enum svmc_status read_some(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    (void)ctx;
    require((at.v & 0xfff) + n <= 4096);
    take(&in, dst, n);
    return say(dst, n);
}

static enum svmc_status write_some(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    (void)ctx;
    require((at.v & 0xfff) + n <= 4096);
    return say(src, n);
}

static enum svmc_status exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                 size_t n)
{
    (void)ctx, (void)at;
    require(n == 1 || n == 2 || n == 4 || n == 8 || n == 16);
    require(in_record(desired, n));
    if (take_byte(&in) & 1)
        take(&in, expected, n);
    return take_byte(&in) == 7 ? SVMC_ERR_UNSUPPORTED : say(expected, n);
}

static enum svmc_status vector_read(void *ctx, uint32_t kind, uint32_t number, void *dst, size_t n)
{
    (void)ctx, (void)kind, (void)number;
    take(&in, dst, n);
    return say(dst, n);
}

static enum svmc_status vector_write(void *ctx, uint32_t kind, uint32_t number, const void *src,
                                     size_t n)
{
    (void)ctx, (void)kind, (void)number;
    return say(src, n);
}

/* A call begins: nothing was asked for yet. */
static void begin_call(void)
{
    accesses = 0;
    waits = false;
}

/* A record that holds what is not to be seen. */
static void begin_record(const struct svmc_exec_ops *ops)
{
    require(svmc_exec_init(&x, ops, NULL) == SVMC_OK);
    memset(x.priv.data, 0xee, sizeof x.priv.data);
    begin_call();
}

/* What holds of the result of every start and resume. */
static void check_action(enum svmc_status st, const struct svmc_exec_result *out)
{
    require(accesses <= SVMC_EXEC_ACCESSES_MAX + 1); /* the last one may have failed */
    require(out->accesses <= SVMC_EXEC_ACCESSES_MAX);
    require(st == SVMC_OK || st == SVMC_ERR_CALLBACK);
    require(out->action <= SVMC_EXEC_UNFINISHED);
    require((st == SVMC_OK) == (out->action != SVMC_EXEC_NONE));
    require((out->reason != 0) == (out->action == SVMC_EXEC_UNFINISHED));
    require((out->action == SVMC_EXEC_PENDING) == (x.wait.kind != SVMC_EXEC_NO_ACCESS));
}

/* Before a resume: what waits is answered in the record. */
static void answer(void)
{
    if (x.wait.kind == SVMC_EXEC_PAUSE) {
        require(svmc_exec_answer(&x, NULL, 0) == SVMC_ERR_STATE);
    } else if (x.wait.kind != SVMC_EXEC_TRANSLATE) {
        require(waits && pending_bytes == x.wait.bytes && in_record(pending, pending_bytes));
        require(svmc_exec_answer(&x, NULL, 0) == SVMC_OK);
    }
    begin_call();
}

/* The result of a fetch: an instruction, or why not. */
static void check_fetched(enum svmc_status st, const struct svmc_exec_result *out,
                          const struct svmc_insn *insn)
{
    require(st == SVMC_OK || st == SVMC_ERR_CALLBACK);
    require(accesses <= 2);
    require((insn->length != 0) == (st == SVMC_OK && out->action == SVMC_EXEC_NONE));
}

#endif
