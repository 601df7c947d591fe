/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <stdio.h>
#include <string.h>

#define SHOWN 72u /* bytes of a message */
#define NAME  "backdoor-run: "

#define LOW(x)  ((uint32_t)(x)&0xffffu)
#define HIGH(x) ((uint32_t)(x) >> 16)

/* open-vm-tools lib/include/backdoor_def.h, guest_msg_def.h */
enum { OPEN, SENDSIZE, SENDPAYLOAD, RECVSIZE, RECVPAYLOAD, RECVSTATUS, CLOSE, SUBS };

static const char *const way_names[] = {
    [WAY_IN] = "in",
    [WAY_VMCALL] = "vmcall",
    [WAY_VMMCALL] = "vmmcall",
    [WAY_MRS] = "mrs",
};

static const struct {
    uint16_t number;
    char name[24];
} commands[] = {
    { 1, "GETMHZ" },
    { 10, "GETVERSION" },
    { 11, "GETDEVICELISTELEMENT" },
    { 12, "TOGGLEDEVICE" },
    { 13, "GETGUIOPTIONS" },
    { 14, "SETGUIOPTIONS" },
    { 17, "GETHWVERSION" },
    { 19, "GETUUID" },
    { 20, "GETMEMSIZE" },
    { 23, "GETTIME" },
    { 30, "MESSAGE" },
    { 36, "ISMOUSEABSOLUTE" },
    { 39, "ABSPOINTER_DATA" },
    { 40, "ABSPOINTER_STATUS" },
    { 41, "ABSPOINTER_COMMAND" },
    { 45, "GETHZ" },
    { 46, "GETTIMEFULL" },
    { 55, "GETTIMEFULL_WITH_LAG" },
    { 68, "GET_VCPU_INFO" },
    { 86, "ABSPOINTER_RESTRICT" },
    { 97, "PRECISIONCLOCK" },
};

static const char *const subs[SUBS] = {
    "open", "send size", "send payload", "receive size", "receive payload", "received", "close",
};

static const struct {
    uint8_t bit;
    char name[15];
} bits[] = {
    { SVMC_VMWARE_DORECV, "message waits" }, { SVMC_VMWARE_CLOSED, "closed" },
    { SVMC_VMWARE_UNSENT, "unsent" },        { SVMC_VMWARE_CHECKPOINT, "checkpoint" },
    { SVMC_VMWARE_POWEROFF, "power off" },   { SVMC_VMWARE_TIMEOUT, "timeout" },
};

enum step watch_step(const struct svmc_vmware_call *call)
{
    if (call->high)
        return call->write ? STEP_SEND : STEP_RECEIVE;
    if (LOW(call->arg[2]) != SVMC_VMWARE_MESSAGE)
        return STEP_NONE;
    switch (HIGH(call->arg[2])) {
    case OPEN:
        return STEP_OPEN;
    case SENDPAYLOAD:
        return STEP_SEND;
    case RECVPAYLOAD:
        return STEP_RECEIVE;
    case RECVSTATUS:
        return STEP_RECEIVED;
    case CLOSE:
        return STEP_CLOSE;
    default:
        return STEP_NONE;
    }
}

static void put_quoted(FILE *to, const uint8_t *bytes, size_t n)
{
    fputc('"', to);
    for (size_t i = 0; i < n && i < SHOWN; i++)
        if (bytes[i] < ' ' || bytes[i] > '~' || bytes[i] == '"' || bytes[i] == '\\')
            fprintf(to, "\\x%02x", bytes[i]);
        else
            fputc(bytes[i], to);
    fputs(n > SHOWN ? "\"..." : "\"", to);
}

static void put_status(FILE *to, uint32_t status)
{
    fputs(status & SVMC_VMWARE_SUCCESS ? " -> ok" : " -> refused", to);
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++)
        if (status & bits[i].bit)
            fprintf(to, ", %s", bits[i].name);
}

/* What lies in the program's memory: of a message that came, after the call. */
static void put_memory(FILE *to, const struct memory *memory, uint64_t at, uint64_t n)
{
    uint8_t bytes[SHOWN + 1];
    size_t some = n < sizeof bytes ? (size_t)n : sizeof bytes;

    fputc(' ', to);
    put_quoted(to, bytes, memory->read(memory->ctx, at, bytes, some) ? some : 0);
}

static void put_high(FILE *to, const struct trap *trap, const struct svmc_vmware_call *call)
{
    const struct svmc_vmware_call *after = &trap->call;
    uint64_t n = (uint32_t)call->arg[2];

    fprintf(to, "%s %llu bytes, channel %u, high bandwidth", subs[call->write ? 2 : 4],
            (unsigned long long)n, HIGH(call->arg[3]));
    put_status(to, HIGH(after->arg[1]));
    if (HIGH(after->arg[1]) & SVMC_VMWARE_SUCCESS)
        put_memory(to, &trap->memory, call->arg[call->write ? 4 : 5], n);
}

static void put_message(FILE *to, const struct trap *trap, const struct svmc_vmware_call *call)
{
    const struct svmc_vmware_call *after = &trap->call;
    uint32_t sub = HIGH(call->arg[2]), status = HIGH(after->arg[2]);
    uint32_t in = (uint32_t)call->arg[1], out = (uint32_t)after->arg[1];

    if (sub >= SUBS) {
        fprintf(to, "MESSAGE %u, which is none", sub);
        return;
    }
    fprintf(to, "%s", subs[sub]);
    if (sub == OPEN)
        fprintf(to, " 0x%08x", in);
    else if (sub == SENDSIZE)
        fprintf(to, " %u bytes", in);
    if (sub == SENDPAYLOAD) {
        fputc(' ', to);
        put_quoted(to, (const uint8_t *)&in, sizeof in);
    }
    fprintf(to, ", channel %u", HIGH(sub == OPEN ? after->arg[3] : call->arg[3]));
    put_status(to, status);
    if (sub == RECVSIZE && (status & SVMC_VMWARE_DORECV))
        fprintf(to, ": %u bytes", out);
    if (sub == RECVPAYLOAD && (status & SVMC_VMWARE_SUCCESS)) {
        fputc(' ', to);
        put_quoted(to, (const uint8_t *)&out, sizeof out);
    }
}

static void put_command(FILE *to, const struct trap *trap, const struct svmc_vmware_call *call,
                        bool unknown)
{
    static const char names[SVMC_IOX_ARGS][4] = { "eax", "ebx", "ecx", "edx", "esi", "edi", "ebp" };
    uint32_t number = LOW(call->arg[2]);
    size_t i = 0;

    while (i < sizeof commands / sizeof commands[0] && commands[i].number != number)
        i++;
    if (i < sizeof commands / sizeof commands[0])
        fprintf(to, "%s", commands[i].name);
    else
        fprintf(to, "command %u", number);
    fputs(unknown ? " -> unknown" : " ->", to);
    for (i = 0; i < SVMC_IOX_ARGS && !unknown; i++)
        if (i == 0 || trap->call.arg[i] != call->arg[i])
            fprintf(to, " %s=0x%x", names[i], (uint32_t)trap->call.arg[i]);
}

void watch_call(const struct machine *m, const struct trap *trap,
                const struct svmc_vmware_call *call, enum svmc_status st,
                const struct svmc_vmware_result *result)
{
    if (!m->trace)
        return;
    fprintf(m->trace, NAME "%d %s ", (int)trap->tid, way_names[trap->way]);
    if (st != SVMC_OK)
        fprintf(m->trace, "no answer: status 0x%x", (unsigned)st);
    else if (result->end == SVMC_VMWARE_NOT_OURS)
        fputs("not a call: no magic", m->trace);
    else if (result->end == SVMC_VMWARE_FAULT)
        fprintf(m->trace, "fault at 0x%llx", (unsigned long long)result->fault.address);
    else if (call->high)
        put_high(m->trace, trap, call);
    else if (LOW(call->arg[2]) == SVMC_VMWARE_MESSAGE && !result->unknown)
        put_message(m->trace, trap, call);
    else
        put_command(m->trace, trap, call, result->unknown);
    fputc('\n', m->trace);
    fflush(m->trace);
}

void watch_cpuid(const struct machine *m, pid_t tid, uint32_t leaf, const uint32_t regs[4])
{
    if (!m->trace)
        return;
    fprintf(m->trace, NAME "%d cpuid 0x%x -> eax=0x%x ebx=0x%x ecx=0x%x edx=0x%x\n", (int)tid, leaf,
            regs[0], regs[1], regs[2], regs[3]);
    fflush(m->trace);
}

void watch_bytes(const struct machine *m, const char *what, const uint8_t *bytes, size_t n)
{
    if (!m->trace)
        return;
    fprintf(m->trace, NAME "%s ", what);
    put_quoted(m->trace, bytes, n);
    fputc('\n', m->trace);
    fflush(m->trace);
}
