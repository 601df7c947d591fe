/* SPDX-License-Identifier: MIT */
/** Hypercalls on the tape, and as lines of text. */
#include <stdarg.h>
#include <string.h>

#include "../guests/bootinfo.h"
#include "bytes.h"
#include "embed.h"
#include "watch.h"

void watch_trap(struct vcpu *v, const struct svmc_trap *t)
{
    const uint8_t record[7] = { t != NULL,       t ? t->verdict : 0, t ? t->abi : 0,
                                t ? t->isa : 0,  t ? t->user : 0,    t ? t->high : 0,
                                t ? t->write : 0 };

    (void)tape_out(v->tape, TAPE_TRAP, record, sizeof record);
}

static void note_answer(struct vcpu *v, uint64_t end, uint64_t changed, uint64_t status)
{
    uint8_t record[10];

    store_le(record, end, 1);
    store_le(record + 1, changed, 1);
    store_le(record + 2, status, 8);
    (void)tape_out(v->tape, TAPE_ANSWER, record, sizeof record);
}

static const char *command_name(uint32_t command)
{
    static const struct {
        uint8_t command;
        const char *name;
    } names[] = {
        { SVMC_VMWARE_GETMHZ, "GETMHZ" },         { SVMC_VMWARE_GETVERSION, "GETVERSION" },
        { SVMC_VMWARE_GETMEMSIZE, "GETMEMSIZE" }, { SVMC_VMWARE_GETTIME, "GETTIME" },
        { SVMC_VMWARE_GETHZ, "GETHZ" },           { SVMC_VMWARE_GETTIMEFULL, "GETTIMEFULL" },
    };

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].command == command)
            return names[i].name;
    return "command";
}

/* Bits of a message status, open-vm-tools guest_msg_def.h. */
static void status_text(uint32_t status, char *text, size_t cap)
{
    static const char *const names[] = { "success",    "a message waits", "closed",  "withdrawn",
                                         "checkpoint", "power-off",       "timeout", "high" };
    size_t n = 0;

    snprintf(text, cap, "refused");
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (status >> i & 1 && n < cap)
            n += (size_t)snprintf(text + n, cap - n, "%s%s", n ? ", " : "", names[i]);
}

static void message_text(const struct svmc_trap *t, const struct svmc_vmware_call *call, char *text,
                         size_t cap)
{
    static const char *const steps[] = { "open",    "send size", "send", "receive size",
                                         "receive", "thanks",    "close" };
    uint32_t step = (uint32_t)t->arg[2] >> 16;
    char status[80];

    if (t->high) {
        status_text((uint32_t)call->arg[1] >> 16, status, sizeof status);
        snprintf(text, cap, "message: %s %u bytes at once -> %s", t->write ? "send" : "receive",
                 call->data_bytes, status);
        return;
    }
    status_text((uint32_t)call->arg[2] >> 16, status, sizeof status);
    snprintf(text, cap, "message: %s -> %s",
             step < sizeof steps / sizeof steps[0] ? steps[step] : "no such step", status);
}

static void numbers_text(const struct svmc_vmware_call *call,
                         const struct svmc_vmware_result *result, uint32_t command, char *text,
                         size_t cap)
{
    static const char *const names[] = { "eax", "ebx", "ecx", "edx", "esi", "edi", "ebp" };
    size_t n = (size_t)snprintf(text, cap, "%s %u ->%s", command_name(command), command,
                                result->unknown ? " unknown" : "");

    for (unsigned i = 0; !result->unknown && i < SVMC_IOX_ARGS && n < cap; i++)
        if (i == 0 || result->changed >> i & 1)
            n += (size_t)snprintf(text + n, cap - n, " %s=%x", names[i], (uint32_t)call->arg[i]);
}

void watch_vmware(struct vcpu *v, const struct svmc_trap *t, const struct svmc_vmware_call *call,
                  const struct svmc_vmware_result *result)
{
    uint32_t command = (uint16_t)t->arg[2];
    char what[160], line[200];

    note_answer(v, result->end, result->changed, (uint32_t)call->arg[0]);
    if (t->high || command == SVMC_VMWARE_MESSAGE)
        message_text(t, call, what, sizeof what);
    else
        numbers_text(call, result, command, what, sizeof what);
    snprintf(line, sizeof line, "ring %u vmware %s", v->calling.mode.cpl & 3u, what);
    report_call(v->watch->report, v->id, REPORT_CALL, line);
}

static const char *code_name(unsigned code)
{
    static const char *const names[SVMC_HCALL_ALL_CODES] = {
        "OK",     "BAD_ARG", "NOT_DEFINED", "DENIED",     "RETRY",       "VERSION",
        "FAILED", "PARTIAL", "DROPPED",     "NEED_TOKEN", "TOKEN_STALE", "FAULT"
    };

    return code < SVMC_HCALL_ALL_CODES ? names[code] : "?";
}

void watch_native(struct vcpu *v, const struct svmc_trap *t, const struct svmc_hcall_call *call,
                  const struct svmc_hcall_result *result)
{
    uint32_t owner = (uint32_t)(call->control >> SVMC_HCALL_OWNER_SHIFT) & 0x3f;
    char line[REPORT_LINE];
    size_t n;

    (void)t;
    note_answer(v, result->end, result->results, result->status);
    n = (size_t)snprintf(line, sizeof line, "ring %u native ", v->calling.mode.cpl & 3u);
    if (call->control >> SVMC_HCALL_ABI_SHIFT != SVMC_HCALL_ABI)
        n += (size_t)snprintf(line + n, sizeof line - n, "of another version");
    else
        n += (size_t)snprintf(line + n, sizeof line - n, "%u:%u %s", owner,
                              (unsigned)(call->control & 0xffff),
                              owner == NATIVE_OWNER   ? natives_name(call->control & 0xffff)
                              : owner == TOKENS_OWNER ? tokens_name(call->control & 0xffff)
                                                      : "?");
    n += (size_t)snprintf(line + n, sizeof line - n, " -> %s",
                          code_name(SVMC_HCALL_CODE_OF(result->status)));
    if (SVMC_HCALL_BAD_OF(result->status) != 0)
        n += (size_t)snprintf(line + n, sizeof line - n, ", argument %u",
                              SVMC_HCALL_BAD_OF(result->status));
    for (unsigned i = 0; i < result->results && n < sizeof line; i++)
        n += (size_t)snprintf(line + n, sizeof line - n, " %llx", (unsigned long long)call->arg[i]);
    report_call(v->watch->report, v->id, REPORT_CALL, line);
}

static size_t put_text_bytes(char *line, size_t n, size_t cap, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count && n + 1 < cap; i++)
        line[n++] = bytes[i] >= 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '?';
    line[n] = 0;
    return n;
}

void watch_info(struct vcpu *v, const char *what, const uint8_t *key, uint32_t key_bytes,
                const uint8_t *value, uint32_t bytes, enum svmc_status st)
{
    char line[REPORT_LINE];
    size_t n = (size_t)snprintf(line, sizeof line, "ring %u vmware info-%s guestinfo.",
                                v->calling.mode.cpl & 3u, what);

    n = put_text_bytes(line, n, sizeof line, key, key_bytes < 30 ? key_bytes : 30);
    if (st == SVMC_OK) {
        n += (size_t)snprintf(line + n, sizeof line - n, " = ");
        put_text_bytes(line, n, sizeof line, value, bytes);
    } else {
        snprintf(line + n, sizeof line - n, ": %s",
                 st == SVMC_ERR_STATE  ? "not permitted"
                 : st == SVMC_ERR_FULL ? "no room"
                                       : "no such value");
    }
    report_call(v->watch->report, v->id, REPORT_SAID, line);
}

void watch_said(struct vcpu *v, const uint8_t *text, uint32_t bytes)
{
    char line[REPORT_LINE];

    put_text_bytes(line, 0, sizeof line, text, bytes);
    report_call(v->watch->report, v->id, REPORT_SAID, line);
}

void watch_gate(struct vcpu *v, const char *format, ...)
{
    char line[REPORT_LINE];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    (void)tape_out(v->tape, TAPE_GATE, line, strlen(line));
    report_call(v->watch->report, v->id, v->dma ? REPORT_DMA : REPORT_GATE, line);
}

bool watch_span(struct vcpu *v, uint64_t at, size_t n, uint32_t access, void **span)
{
    enum tape_mode mode = v->tape->mode;
    struct calls_vcpu *c = &v->calling;
    struct calls_span *copy = &c->span[c->spans < CALLS_SPANS ? c->spans : 0];
    uint8_t record[8 + sizeof copy->bytes];
    size_t bytes = 8 + (*span ? n : 0);

    if (mode != TAPE_RECORD && mode != TAPE_REPLAY)
        return true;
    if (c->spans == CALLS_SPANS || n > sizeof copy->bytes) {
        *span = NULL;
        return true;
    }
    store_le(record, at, 8);
    if (*span)
        memcpy(record + 8, *span, n);
    if (!tape_in(v->tape, TAPE_MEMORY, record, sizeof record, &bytes))
        return false;
    if ((bytes != 8 && bytes != 8 + n) || load_le(record, 8) != at)
        return tape_differs(v->tape, TAPE_MEMORY, 0);
    *span = bytes == 8 ? NULL : copy->bytes;
    if (*span) {
        *copy = (struct calls_span){ .at = at, .n = (uint32_t)n, .access = access };
        memcpy(copy->bytes, record + 8, n);
        c->spans++;
    }
    return true;
}

bool watch_spans(struct vcpu *v)
{
    struct calls_vcpu *c = &v->calling;

    for (uint32_t i = 0; i < c->spans; i++) {
        const struct calls_span *s = &c->span[i];

        if (!(s->access & SVMC_ACCESS_WRITE))
            continue;
        if (!tape_out(v->tape, TAPE_WRITTEN, s->bytes, s->n))
            return false;
        if (v->kvm)
            memcpy(v->kvm->vm->memory + s->at, s->bytes, s->n);
    }
    c->spans = 0;
    return true;
}
