/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "report.h"
#include "watch.h"

#define BILLION     1000000000u
#define ARENA_BYTES (4u << 20)
#define IDLE_NS     (300ull * BILLION)
#define MAX_LAG_US  1000000u
#define PRODUCT     4u /* Workstation: backdoor_def.h, VMX_TYPE */
#define HARDWARE    21u
#define BUS_KHZ     66000u
#define MEMORY_MOST 0x7fffffffull

/* ---- what the library asks for -------------------------------------------------------------- */

static enum svmc_status get_random(void *ctx, void *dst, size_t n)
{
    (void)ctx;
    return getrandom(dst, n, 0) == (ssize_t)n ? SVMC_OK : SVMC_ERR_CALLBACK;
}

static uint64_t get_ticks(void *ctx)
{
    struct timespec now;

    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * BILLION + (uint64_t)now.tv_nsec;
}

static enum svmc_status get_time(void *ctx, struct svmc_vmware_time *out)
{
    struct timespec now;

    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    out->seconds = (uint64_t)now.tv_sec;
    out->nanoseconds = (uint32_t)now.tv_nsec;
    out->max_lag_us = MAX_LAG_US;
    return SVMC_OK;
}

static enum svmc_status translate(void *ctx, uint32_t vcpu, svmc_gva at, uint32_t access,
                                  svmc_gpa *out, struct svmc_fault *fault)
{
    struct machine *m = ctx;

    (void)vcpu;
    return windows_translate(&m->windows, at, access, out, fault);
}

static enum svmc_status span(void *ctx, svmc_gpa at, size_t n, uint32_t access, void **out)
{
    struct machine *m = ctx;

    return windows_span(&m->windows, at, n, access, out);
}

static enum svmc_status info_get(void *ctx, const struct svmc_vmware_call *call, const uint8_t *key,
                                 uint32_t key_bytes, struct svmc_vmware_reply *value)
{
    const struct machine *m = ctx;
    const struct store_entry *entry = store_find(&m->store, key, key_bytes);

    (void)call;
    if (!entry || entry->bytes > value->room)
        return SVMC_ERR_UNSUPPORTED;
    memcpy(value->at, entry->value, entry->bytes);
    value->bytes = (uint32_t)entry->bytes;
    return SVMC_OK;
}

static enum svmc_status info_set(void *ctx, const struct svmc_vmware_call *call, const uint8_t *key,
                                 uint32_t key_bytes, const uint8_t *value, uint32_t bytes)
{
    struct machine *m = ctx;

    (void)call;
    switch (store_set(&m->store, key, key_bytes, value, bytes)) {
    case STORE_OK:
        return store_save(&m->store) ? SVMC_OK : SVMC_ERR_CALLBACK;
    case STORE_FULL:
        return SVMC_ERR_FULL;
    case STORE_BAD_KEY:
    default:
        return SVMC_ERR_ARG;
    }
}

/* As it stands in the log of a VM, where vmware-xferlogs looks for it. */
static void log_line(void *ctx, const struct svmc_vmware_call *call, const uint8_t *text,
                     uint32_t bytes)
{
    const struct machine *m = ctx;
    time_t now = time(NULL);
    char date[32];

    (void)call;
    watch_bytes(m, "log", text, bytes);
    if (!m->log)
        return;
    strftime(date, sizeof date, "%b %d %H:%M:%S", localtime(&now));
    fprintf(m->log, "%s: vcpu-0| Guest: ", date);
    for (uint32_t i = 0; i < bytes; i++)
        fputc(text[i] < ' ' ? ' ' : text[i], m->log);
    fputc('\n', m->log);
    fflush(m->log);
}

static enum svmc_status rpc(void *ctx, const struct svmc_vmware_call *call, const uint8_t *text,
                            uint32_t text_bytes, struct svmc_vmware_reply *reply)
{
    struct machine *m = ctx;
    enum svmc_status st = rpc_handle(&m->rpc, text, text_bytes, reply);

    (void)call;
    if (st == SVMC_ERR_UNSUPPORTED)
        watch_bytes(m, "unknown request", text, text_bytes);
    return st;
}

/* The library cannot be called from here: send_messages does the rest. */
static void tclo(void *ctx, uint32_t channel, enum svmc_vmware_tclo_event event,
                 const uint8_t *data, uint32_t bytes)
{
    struct machine *m = ctx;
    struct tclo *one = &m->tclo[channel % SVMC_VMWARE_CHANNELS_MAX];

    if (event == SVMC_VMWARE_TCLO_OPENED)
        *one = (struct tclo){ .idle = true, .channel = channel };
    else if (event == SVMC_VMWARE_TCLO_REPLY)
        watch_bytes(m, "reply of the program", data, bytes);
    one->idle = event != SVMC_VMWARE_TCLO_CLOSED;
}

static enum svmc_status command(void *ctx, uint32_t number, struct svmc_vmware_call *call)
{
    struct machine *m = ctx;

    return rpc_command(&m->rpc, number, call);
}

static const struct svmc_vmware_ops ops = {
    .size = sizeof ops,
    .random = get_random,
    .ticks = get_ticks,
    .time = get_time,
    .translate = translate,
    .guest_span = span,
    .info_get = info_get,
    .info_set = info_set,
    .log = log_line,
    .rpc = rpc,
    .tclo = tclo,
    .command = command,
};

/* ---- making it ------------------------------------------------------------------------------ */

/* As Linux measured it; 0: unknown. */
static uint32_t tsc_khz(void)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[256];
    double mhz = 0;

    while (file && fgets(line, sizeof line, file) && sscanf(line, "cpu MHz : %lf", &mhz) != 1)
        ;
    if (file)
        fclose(file);
    return mhz > 0 && mhz < 1e6 ? (uint32_t)(mhz * 1000) : 0;
}

static uint32_t memory_mb(void)
{
    struct sysinfo info;
    uint64_t mb = 0;

    if (sysinfo(&info) == 0)
        mb = (uint64_t)info.totalram * info.mem_unit >> 20;
    return mb < MEMORY_MOST ? (uint32_t)mb : MEMORY_MOST;
}

/* "reset" is what a VM sends first: open-vm-tools waits for it. */
static const char *message(const struct machine *m, size_t n)
{
    if (n == 0)
        return "reset";
    return n - 1 < m->messages.count ? m->messages.list[n - 1] : NULL;
}

static void send_messages(struct machine *m)
{
    for (size_t i = 0; i < SVMC_VMWARE_CHANNELS_MAX; i++) {
        struct tclo *one = &m->tclo[i];
        const char *text = one->idle ? message(m, one->next) : NULL;

        one->idle = false;
        if (text && svmc_vmware_tclo_send(&m->vmware, one->channel, (const uint8_t *)text,
                                          (uint32_t)strlen(text)) == SVMC_OK)
            one->next++;
    }
}

bool machine_init(struct machine *m, bool high_bandwidth)
{
    static struct svmc_vmware_channel channels[SVMC_VMWARE_CHANNELS_MAX];
    static uint8_t arena[ARENA_BYTES];
    static const uint32_t ways[] = {
        [WAY_IN] = 0,
        [WAY_VMCALL] = SVMC_VMWARE_CPUID_VMCALL,
        [WAY_VMMCALL] = SVMC_VMWARE_CPUID_VMMCALL,
    };
    struct svmc_vmware_config *c = &m->config;

    *c = (struct svmc_vmware_config){ .size = sizeof *c };
    c->flags = high_bandwidth ? SVMC_VMWARE_HIGH_BANDWIDTH : 0;
    memset(c->commands, 0xff, sizeof c->commands); /* what nobody answers is unknown all the same */
    c->product = PRODUCT;
    c->hardware_version = HARDWARE;
    c->memory_size = memory_mb();
    c->tsc_khz = tsc_khz();
    c->bus_khz = BUS_KHZ;
    c->cpuid_ways = ways[m->way];
    c->channel_count = SVMC_VMWARE_CHANNELS_MAX;
    c->message_bytes = SVMC_VMWARE_MESSAGE_MAX;
    c->key_bytes = STORE_KEY_MOST;
    c->value_bytes = MACHINE_VALUE_BYTES;
    c->arena_bytes = ARENA_BYTES;
    c->channels = channels;
    c->arena = arena;
    c->idle_ticks = IDLE_NS;
    m->rpc.memory_mb = c->memory_size;
    m->rpc.mhz = c->tsc_khz / 1000;
    if (getrandom(c->uuid, sizeof c->uuid, 0) != sizeof c->uuid ||
        getrandom(&m->rpc.session, sizeof m->rpc.session, 0) != sizeof m->rpc.session ||
        svmc_vmware_init(&m->vmware, c, &ops, m) != SVMC_OK) {
        report("the library refuses this machine");
        return false;
    }
    return true;
}

/* ---- running it ----------------------------------------------------------------------------- */

/* --checkpoint: the first piece of each message finds that a checkpoint was taken. */
static void force_checkpoint(struct machine *m, const struct svmc_vmware_call *call)
{
    uint32_t channel = (uint32_t)call->arg[3] >> 16;
    enum step step = watch_step(call);
    uint8_t *forced = &m->forced[channel % SVMC_VMWARE_CHANNELS_MAX], bit;

    if (step == STEP_OPEN || step == STEP_CLOSE || step == STEP_RECEIVED)
        *forced = 0;
    if (step != STEP_SEND && step != STEP_RECEIVE)
        return;
    bit = step == STEP_SEND ? 1 : 2;
    if ((*forced & bit) == 0 && svmc_vmware_checkpoint(&m->vmware) == SVMC_OK)
        *forced |= bit;
}

/* Four bytes at the one port, strings of bytes at the other: no client does anything else. */
bool machine_is_call(const struct svmc_iox *io, uint16_t port, struct svmc_vmware_call *call)
{
    call->high = port == SVMC_VMWARE_HIGH_PORT;
    call->write = !io->in;
    if (call->high)
        return io->string && io->bytes == 1;
    return port == SVMC_VMWARE_PORT && !io->string && io->bytes == 4;
}

enum outcome machine_call(struct machine *m, struct trap *trap, struct svmc_fault *fault)
{
    struct svmc_vmware_call before = trap->call;
    struct svmc_vmware_result result = { 0 };
    enum svmc_status st;

    if ((trap->way == WAY_VMCALL || trap->way == WAY_VMMCALL) && trap->way != m->way)
        return OUTCOME_NOT_OURS;
    if (m->checkpoint && (uint32_t)trap->call.arg[0] == SVMC_VMWARE_MAGIC)
        force_checkpoint(m, &trap->call);
    m->windows.memory = trap->memory;
    m->windows.gone = false;
    st = svmc_vmware_handle(&m->vmware, &trap->call, &result);
    windows_close(&m->windows);
    send_messages(m);
    watch_call(m, trap, &before, st, &result);
    if (st == SVMC_ERR_CALLBACK && m->windows.gone)
        return OUTCOME_AGAIN; /* another thread has unmapped it: a fault then */
    if (st != SVMC_OK) {
        report("process %d: a call could not be answered (status 0x%x)", (int)trap->tid,
               (unsigned)st);
        return OUTCOME_NOT_OURS;
    }
    switch (result.end) {
    case SVMC_VMWARE_DONE:
        return OUTCOME_DONE;
    case SVMC_VMWARE_FAULT:
        *fault = result.fault;
        return OUTCOME_FAULT;
    default:
        return OUTCOME_NOT_OURS;
    }
}

void machine_cpuid(const struct machine *m, pid_t tid, uint32_t regs[4])
{
    uint32_t leaf = regs[0];

    __cpuid_count(leaf, regs[2], regs[0], regs[1], regs[2], regs[3]);
    if (svmc_vmware_cpuid(&m->config, leaf, regs) != SVMC_OK)
        return; /* another leaf: the processor's own answer stands */
    watch_cpuid(m, tid, leaf, regs);
}
