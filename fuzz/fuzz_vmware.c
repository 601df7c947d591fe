/* SPDX-License-Identifier: MIT */
/*
 * Two VMs, and calls of any registers from four vCPUs each, half of them shaped like the messages
 * of a client, with cookies of the own VM, of the other and of nobody; memory with holes, callbacks
 * that fail, lie and call back in; checkpoints, messages of the host, resets in between. Traps when
 * a command is reached without permission, a limit is passed, messages overlap or leave the arena,
 * a VM's callback runs for the other one, a step is answered without the right cookie, or a
 * register changes that `changed` does not name.
 */
#include <stdbool.h>
#include <string.h>
#include <svmcore/svmcore.h>

#include "input.h"

#define CHANNELS 4u
#define MESSAGE  128u
#define ARENA    512u
#define KEY      8u
#define VALUE    16u
#define MEMORY   16384u
#define STEPS    400u

static struct vm {
    struct svmc_vmware vm;
    struct svmc_vmware_config config;
    struct svmc_vmware_channel channels[CHANNELS + 1]; /* one that must stay as it is */
    uint8_t arena[ARENA + 32];
    uint32_t tclo; /* the last handle */
    uint64_t cookies;
} vms[2];
static uint8_t memory[MEMORY];
static struct {
    struct vm *in; /* who is being handled; NULL: nobody */
    const struct svmc_vmware_call *call;
    uint8_t away, lie;
    bool fails, enters;
    uint64_t clock;
} world;

static void check_in(const void *ctx)
{
    require(ctx == world.in);
    if (world.enters && world.call) {
        struct svmc_vmware_call again = *world.call;
        struct svmc_vmware_result out;
        struct vm *v = world.in;

        world.enters = false;
        again.arg[0] = SVMC_VMWARE_MAGIC;
        again.arg[2] = SVMC_VMWARE_MESSAGE;
        again.high = 0;
        again.user = 0;
        again.data = NULL;
        again.data_bytes = 0;
        require(svmc_vmware_handle(&v->vm, &again, &out) == SVMC_OK);
        require(out.end == SVMC_VMWARE_BUSY && out.changed == 0);
        require(svmc_vmware_checkpoint(&v->vm) == SVMC_ERR_STATE);
        require(svmc_vmware_tclo_send(&v->vm, v->tclo, memory, 4) == SVMC_ERR_STATE);
    }
}

static enum svmc_status fuzz_random(void *ctx, void *dst, size_t n)
{
    struct vm *v = ctx;

    check_in(ctx);
    require(n == 8);
    v->cookies += 0x9e3779b97f4a7c15u;
    memcpy(dst, &v->cookies, n);
    return world.fails ? SVMC_ERR_STATE : SVMC_OK;
}

static uint64_t fuzz_ticks(void *ctx)
{
    check_in(ctx);
    world.clock += world.lie & 128 ? 1000 : 0;
    return world.clock;
}

static enum svmc_status fuzz_time(void *ctx, struct svmc_vmware_time *time)
{
    require(ctx == world.in);
    time->seconds = world.clock;
    time->nanoseconds = world.lie ? 0xffffffff : 5;
    return world.fails ? SVMC_ERR_STATE : SVMC_OK;
}

static enum svmc_status fuzz_translate(void *ctx, uint32_t vcpu, svmc_gva at, uint32_t access,
                                       svmc_gpa *out, struct svmc_fault *fault)
{
    check_in(ctx);
    require(vcpu == world.call->vcpu && world.call->high && !world.call->data);
    require(access == (world.call->write ? SVMC_ACCESS_READ : SVMC_ACCESS_WRITE));
    out->v = at.v % MEMORY ^ (world.lie & 1);
    if (world.away >> (at.v >> 12 & 3) & 1)
        *fault = (struct svmc_fault){ .raised = (uint8_t)(1 + (world.lie >> 1 & 1)),
                                      .vector = world.lie & 4 ? 99 : 14,
                                      .address = at.v };
    return world.fails ? SVMC_ERR_STATE : SVMC_OK;
}

static enum svmc_status fuzz_span(void *ctx, svmc_gpa at, size_t n, uint32_t access, void **span)
{
    (void)access;
    check_in(ctx);
    require(at.v < MEMORY && n > 0 && n <= MESSAGE && at.v % 4096 + n <= 4096);
    *span = world.lie & 8 ? NULL : memory + at.v;
    return SVMC_OK;
}

static enum svmc_status fuzz_get(void *ctx, const struct svmc_vmware_call *call, const uint8_t *key,
                                 uint32_t key_bytes, struct svmc_vmware_reply *value)
{
    struct vm *v = ctx;

    check_in(ctx);
    require(call->vcpu == world.call->vcpu && call->user == world.call->user && key_bytes > 0);
    require(key_bytes <= KEY && memchr(key, ' ', key_bytes) == NULL && value->room == MESSAGE - 2 &&
            value->bytes == 0);
    require(key >= v->arena + MESSAGE && key + key_bytes <= v->arena + ARENA);
    require(value->at >= v->arena && value->at + value->room <= v->arena + MESSAGE);
    memset(value->at, 'v', value->room);
    value->bytes = world.lie & 16 ? value->room + 1 + world.lie : key_bytes ? value->room : 0;
    return world.fails ? SVMC_ERR_STALE : SVMC_OK;
}

static enum svmc_status fuzz_set(void *ctx, const struct svmc_vmware_call *call, const uint8_t *key,
                                 uint32_t key_bytes, const uint8_t *value, uint32_t bytes)
{
    struct vm *v = ctx;

    check_in(ctx);
    require(call->vcpu == world.call->vcpu && call->user == world.call->user && key_bytes > 0);
    require(key_bytes <= KEY && bytes <= VALUE && memchr(key, ' ', key_bytes) == NULL);
    require(value >= v->arena + MESSAGE && value + bytes <= v->arena + ARENA);
    return world.fails ? SVMC_ERR_FULL : world.lie ? SVMC_ERR_STALE : SVMC_OK;
}

static void fuzz_log(void *ctx, const struct svmc_vmware_call *call, const uint8_t *text,
                     uint32_t bytes)
{
    struct vm *v = ctx;

    check_in(ctx);
    require(call->vcpu == world.call->vcpu && call->user == world.call->user);
    require(text >= v->arena + MESSAGE && text + bytes <= v->arena + ARENA);
}

static enum svmc_status fuzz_rpc(void *ctx, const struct svmc_vmware_call *call,
                                 const uint8_t *text, uint32_t text_bytes,
                                 struct svmc_vmware_reply *reply)
{
    struct vm *v = ctx;

    check_in(ctx);
    require(call->vcpu == world.call->vcpu && text_bytes <= MESSAGE);
    require(reply->room == MESSAGE - 2 && reply->bytes == 0);
    require(text >= v->arena + MESSAGE && text + text_bytes <= v->arena + ARENA);
    memset(reply->at, 'r', reply->room);
    reply->bytes = world.lie & 32 ? ~0u : world.lie & 64 ? reply->room : text_bytes % reply->room;
    return world.fails ? SVMC_ERR_UNSUPPORTED : world.lie & 1 ? SVMC_ERR_STALE : SVMC_OK;
}

static void fuzz_tclo(void *ctx, uint32_t channel, enum svmc_vmware_tclo_event event,
                      const uint8_t *data, uint32_t bytes)
{
    struct vm *v = ctx;

    check_in(ctx);
    require((data != NULL) == (event == SVMC_VMWARE_TCLO_REPLY) && (bytes > 0) == (data != NULL));
    require(channel % SVMC_VMWARE_CHANNELS_MAX < CHANNELS && bytes <= MESSAGE);
    if (event == SVMC_VMWARE_TCLO_OPENED) {
        require(channel != v->tclo);
        v->tclo = channel;
    }
}

/* VW-4 */
static bool is_kernels(const struct vm *v, uint32_t command)
{
    static const uint8_t list[] = { 2,  18, 28, 37, 43, 48, 49, 50, 54, 62, 64, 65, 69, 70,
                                    71, 73, 74, 75, 76, 77, 78, 79, 80, 85, 91, 92, 93, 103 };

    for (unsigned i = 0; i < sizeof list; i++)
        if (list[i] == command)
            return true;
    return v->config.kernel_only[command / 32] >> command % 32 & 1;
}

static enum svmc_status fuzz_command(void *ctx, uint32_t command, struct svmc_vmware_call *call)
{
    struct vm *v = ctx;

    require(ctx == world.in && command < 128);
    require(v->config.commands[command / 32] >> command % 32 & 1);
    require(!call->user || !is_kernels(v, command));
    require(command != SVMC_VMWARE_GETVERSION && command != SVMC_VMWARE_MESSAGE);
    call->arg[5] = 5;
    return world.fails ? SVMC_ERR_STATE : SVMC_OK;
}

static const struct svmc_vmware_ops ops = {
    sizeof(struct svmc_vmware_ops),
    fuzz_random,
    fuzz_ticks,
    fuzz_time,
    fuzz_translate,
    fuzz_span,
    fuzz_get,
    fuzz_set,
    fuzz_log,
    fuzz_rpc,
    fuzz_tclo,
    fuzz_command,
};

static void start(struct vm *v, uint8_t how)
{
    memset(v, 0, sizeof *v);
    v->cookies = how + (v == vms ? 1 : 1000);
    v->config = (struct svmc_vmware_config){
        .size = sizeof v->config,
        .flags = how & 3u,
        .commands = { ~0u, ~0u, ~0u, how & 4 ? 0 : ~0u },
        .kernel_only = { 1u << 3 | how * 0x01010100u, how * 0x10100101u, 0, how * 0x101u },
        .tsc_khz = how & 8 ? 0 : 1000,
        .channel_count = CHANNELS,
        .message_bytes = MESSAGE,
        .key_bytes = KEY,
        .value_bytes = VALUE,
        .arena_bytes = ARENA,
        .channels = v->channels,
        .arena = v->arena,
        .idle_ticks = how & 16 ? 20 : 0,
    };
    memset(v->arena, 0xee, sizeof v->arena);
    memset(&v->channels[CHANNELS], 0xee, sizeof v->channels[0]);
    require(svmc_vmware_init(&v->vm, &v->config, &ops, v) == SVMC_OK);
}

static void check_vm(const struct vm *v)
{
    static const uint8_t guard[sizeof v->channels[0]] = { 0 };
    uint32_t at = MESSAGE, count = 0;

    for (const struct svmc_vmware_message *m = v->vm.priv.first; m; m = m->next) {
        uint32_t room = m->bytes ? (m->bytes + 31) / 32 * 32 : 32;

        require(m->at >= at && m->at + room <= ARENA && m->done <= m->bytes && m->stage != 0);
        require(m->bytes <= MESSAGE && ++count <= 2 * CHANNELS);
        at = m->at + room;
    }
    for (unsigned n = 0; n < 32; n++)
        require(v->arena[ARENA + n] == 0xee);
    for (unsigned n = 0; n < sizeof guard; n++)
        require(((const uint8_t *)&v->channels[CHANNELS])[n] == 0xee);
    require(v->vm.priv.claimed == 0 && v->vm.priv.words <= SVMC_VMWARE_POINTER_WORDS);
}

/* Shape the call as a client's step on a channel of `of`, which may be the other VM. */
static void shape(struct svmc_vmware_call *call, const struct vm *of, uint8_t step, uint8_t id,
                  struct input *in)
{
    static const char requests[][32] = { "info-get guestinfo.k", "info-set guestinfo.k v", "log l",
                                         "info-set guestinfo.0123456789 v", "anything" };
    const struct svmc_vmware_channel *ch = &of->channels[id % CHANNELS];
    uint32_t high = (uint32_t)(ch->priv.cookie >> 32), low = (uint32_t)ch->priv.cookie;

    call->arg[0] = (call->arg[0] & ~0xffffffffull) | SVMC_VMWARE_MAGIC;
    call->arg[3] = (call->arg[3] & ~0xffff0000ull) | (uint64_t)(id % CHANNELS) << 16;
    if (call->high) {
        const struct svmc_vmware_message *m = &ch->priv.message[!call->write];

        memcpy(memory + (call->arg[call->write ? 4 : 5] & 0x3f00), requests[take_byte(in) % 5], 32);
        call->arg[1] = 1u << 16;
        call->arg[2] = m->bytes - m->done + (step & 64 ? 1 : 0);
        call->arg[call->write ? 6 : 4] = high;
        call->arg[call->write ? 5 : 6] = low;
        return;
    }
    call->arg[2] = SVMC_VMWARE_MESSAGE | (uint64_t)(step % 8) << 16;
    call->arg[4] = high;
    call->arg[5] = low;
    if (step % 8 == 0)
        call->arg[1] = (step & 8 ? 0x4f4c4354u : 0x49435052u) | (step & 16 ? 0 : 0x80000000u);
    else if (step & 32)
        call->arg[1] = take_byte(in);
}

static void make_call(struct vm *v, uint8_t head, struct input *in)
{
    static uint8_t data[MESSAGE];
    struct svmc_vmware_call call = { 0 }, was;
    struct svmc_vmware_result out;
    uint8_t step = take_byte(in), id = take_byte(in), how = take_byte(in);
    const struct vm *of = head & 1 ? v : &vms[v == vms];
    const struct svmc_vmware_channel *ch = &v->channels[id % CHANNELS];
    bool stranger, shaped = (head & 2) != 0;
    uint32_t status;
    enum svmc_status st;

    take(in, call.arg, (how & 3) * 14u);
    call.isa = SVMC_ISA_X86_64;
    call.user = head >> 2 & 1;
    call.high = head >> 3 & 1;
    call.write = head >> 4 & 1;
    call.vcpu = head >> 5 & 3;
    call.iopl = how >> 2 & 1;
    if (call.high && (how & 8)) {
        call.data = data;
        call.data_bytes = how >> 4;
    }
    if (shaped)
        shape(&call, of, step, id, in);
    stranger = shaped && of != v && (call.high || step % 8 != 0) && ch->priv.has_cookie;
    was = call;
    world.in = v;
    world.call = &was;
    count_call();
    st = svmc_vmware_handle(&v->vm, &call, &out);
    world.in = NULL;
    require(st == SVMC_OK || st == SVMC_ERR_CALLBACK);
    require((st == SVMC_OK) == (out.end != SVMC_VMWARE_FAILED));
    require(st == SVMC_OK || call.high || memcmp(&call, &was, sizeof call) == 0);
    require(out.end != SVMC_VMWARE_BUSY);
    require(out.end != SVMC_VMWARE_NOT_OURS ||
            ((uint32_t)was.arg[0] != SVMC_VMWARE_MAGIC && memcmp(&call, &was, sizeof call) == 0));
    require((out.end == SVMC_VMWARE_FAULT) == (out.fault.raised == 1));
    for (unsigned n = 0; n < SVMC_IOX_ARGS; n++)
        require((out.changed >> n & 1) == (call.arg[n] != was.arg[n]));
    if (stranger && out.end == SVMC_VMWARE_DONE &&
        !out.unknown) { /* the right cookie of the wrong VM */
        status = (uint32_t)call.arg[call.high ? 1 : 2] >> 16;
        require(status == 0 || of->channels[id % CHANNELS].priv.cookie == ch->priv.cookie);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };
    struct svmc_vmware_pointer move = { 0x38, 1, 2, 3 };
    uint8_t how = take_byte(&in);

    memset(&world, 0, sizeof world);
    start(&vms[0], how);
    start(&vms[1], how ^ 1);
    for (unsigned n = 0; n < STEPS && in.left > 0; n++) {
        uint8_t pick = take_byte(&in), what = take_byte(&in);
        struct vm *v = &vms[pick & 1];

        world.clock += pick >> 4;
        world.in = v; /* for those that are no call */
        world.call = NULL;
        if (pick & 2) {
            world.fails = what & 1;
            world.enters = what >> 1 & 1;
            world.away = what >> 2 & 15;
            world.lie = what & 0x40 ? take_byte(&in) : 0;
        }
        if ((pick & 12) != 12)
            make_call(v, what, &in);
        else if (what < 64)
            require(svmc_vmware_checkpoint(&v->vm) == SVMC_OK);
        else if (what < 72)
            require(svmc_vmware_close(&v->vm, what & 1 ? SVMC_VMWARE_POWEROFF : 0) == SVMC_OK);
        else if (what < 128)
            (void)!svmc_vmware_tclo_send(&v->vm, v->tclo, memory, what - 72u);
        else
            (void)!svmc_vmware_pointer_move(&v->vm, &move);
        check_vm(&vms[0]);
        check_vm(&vms[1]);
    }
    return 0;
}
