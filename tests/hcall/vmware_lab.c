/* SPDX-License-Identifier: MIT */
#include "vmware_lab.h"

#include "../harness.h"
#include "../random.h"

static bool fails(struct lab *lab)
{
    return ++lab->calls == lab->fail_at;
}

static void note_caller(struct lab *lab, const struct svmc_vmware_call *call)
{
    lab->caller_vcpu = call->vcpu;
    lab->caller_user = call->user;
}

static enum svmc_status lab_random(void *ctx, void *dst, size_t n)
{
    struct lab *lab = ctx;

    if (fails(lab))
        return SVMC_ERR_STATE;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)dst)[i] = (uint8_t)(harness_random(&lab->seed) >> 40);
    return SVMC_OK;
}

static uint64_t lab_ticks(void *ctx)
{
    struct lab *lab = ctx;

    lab->clock += lab->clock_step;
    return lab->clock;
}

static enum svmc_status lab_time(void *ctx, struct svmc_vmware_time *time)
{
    struct lab *lab = ctx;

    CHECK(time->seconds == 0 && time->nanoseconds == 0);
    if (fails(lab))
        return SVMC_ERR_STATE;
    *time = lab->time;
    return SVMC_OK;
}

/* lie 1: another byte of the page; 2: a fault that is none; 3: a vector that is none */
static enum svmc_status lab_translate(void *ctx, uint32_t vcpu, svmc_gva at, uint32_t access,
                                      svmc_gpa *out, struct svmc_fault *fault)
{
    struct lab *lab = ctx;
    static const struct svmc_fault none;

    CHECK(memcmp(fault, &none, sizeof none) == 0 && vcpu == 7);
    CHECK(access == SVMC_ACCESS_READ || access == SVMC_ACCESS_WRITE);
    if (fails(lab))
        return SVMC_ERR_STATE;
    out->v = at.v % LAB_MEMORY ^ (lab->lie == 1 ? 1 : 0);
    fault->error = 9; /* does not matter where nothing is raised */
    if ((lab->away >> (at.v % LAB_MEMORY / 4096) & 1) || lab->lie == 2 || lab->lie == 3) {
        fault->raised = lab->lie == 2 ? 2 : 1;
        fault->vector = lab->lie == 3 ? 64 : 14;
        fault->has_error = 1;
        fault->error = access == SVMC_ACCESS_WRITE ? 6 : 4;
        fault->address = at.v;
    }
    return SVMC_OK;
}

static enum svmc_status lab_span(void *ctx, svmc_gpa at, size_t n, uint32_t access, void **span)
{
    struct lab *lab = ctx;

    (void)access;
    CHECK(at.v < LAB_MEMORY && n > 0 && at.v % 4096 + n <= 4096);
    if (fails(lab))
        return SVMC_ERR_STATE;
    *span = (lab->device >> at.v / 4096 & 1) ? NULL : lab->memory + at.v;
    return SVMC_OK;
}

/* lie 5: more than fits */
static enum svmc_status lab_get(void *ctx, const struct svmc_vmware_call *call, const uint8_t *key,
                                uint32_t key_bytes, struct svmc_vmware_reply *value)
{
    struct lab *lab = ctx;

    lab->keys++;
    note_caller(lab, call);
    CHECK(value->bytes == 0 && value->room == lab->config.message_bytes - 2);
    if (fails(lab) || key_bytes != 5 || memcmp(key, "hello", 5) != 0 ||
        lab->value_bytes > value->room)
        return SVMC_ERR_STALE;
    memcpy(value->at, lab->value, lab->value_bytes);
    value->bytes = lab->lie == 5 ? value->room + 1 : lab->value_bytes;
    value->room = lab->lie == 5 ? value->bytes : value->room; /* nor is this believed */
    return SVMC_OK;
}

static enum svmc_status lab_set(void *ctx, const struct svmc_vmware_call *call, const uint8_t *key,
                                uint32_t key_bytes, const uint8_t *value, uint32_t bytes)
{
    struct lab *lab = ctx;

    lab->keys++;
    note_caller(lab, call);
    if (fails(lab))
        return SVMC_ERR_STATE;
    if (key_bytes == 4 && memcmp(key, "full", 4) == 0)
        return SVMC_ERR_FULL;
    if (key_bytes != 5 || memcmp(key, "hello", 5) != 0)
        return SVMC_ERR_STALE;
    lab->sets++;
    lab->value_bytes = bytes;
    memcpy(lab->value, value, bytes);
    return SVMC_OK;
}

static void lab_log(void *ctx, const struct svmc_vmware_call *call, const uint8_t *text,
                    uint32_t bytes)
{
    struct lab *lab = ctx;

    note_caller(lab, call);
    snprintf(lab->last_log, sizeof lab->last_log, "%.*s", (int)bytes, (const char *)text);
}

static enum svmc_status lab_rpc_op(void *ctx, const struct svmc_vmware_call *call,
                                   const uint8_t *text, uint32_t text_bytes,
                                   struct svmc_vmware_reply *reply)
{
    struct lab *lab = ctx;

    lab->rpcs++;
    if (fails(lab))
        return SVMC_ERR_STATE;
    if (lab->inner) {
        struct svmc_vmware_call again = *call;
        struct svmc_vmware_result out;

        again.high = 0;
        again.arg[0] = SVMC_VMWARE_MAGIC;
        again.arg[2] = SVMC_VMWARE_MESSAGE;
        CHECK_EQ(svmc_vmware_handle(lab->inner, &again, &out), SVMC_OK);
        CHECK_EQ(out.end, SVMC_VMWARE_BUSY);
        CHECK_EQ(svmc_vmware_close(lab->inner, 0), SVMC_ERR_STATE);
    }
    if (text_bytes == 4 && memcmp(text, "echo", 4) == 0) {
        memcpy(reply->at, "said", 4);
        reply->bytes = 4;
        return SVMC_OK;
    }
    if (text_bytes == 4 && memcmp(text, "deny", 4) == 0) {
        memcpy(reply->at, "because", 7);
        reply->bytes = 7;
        return SVMC_ERR_STALE;
    }
    if (text_bytes == 4 && memcmp(text, "long", 4) == 0) {
        reply->bytes = reply->room + 1;
        return SVMC_OK;
    }
    return SVMC_ERR_UNSUPPORTED;
}

static void lab_tclo(void *ctx, uint32_t channel, enum svmc_vmware_tclo_event event,
                     const uint8_t *data, uint32_t bytes)
{
    struct lab *lab = ctx;

    lab->events++;
    lab->last_event = event;
    lab->tclo_channel = channel;
    CHECK((data != NULL) == (event == SVMC_VMWARE_TCLO_REPLY));
    lab->answer_bytes = bytes < sizeof lab->answer ? bytes : 0;
    if (data)
        memcpy(lab->answer, data, lab->answer_bytes);
}

static enum svmc_status lab_command(void *ctx, uint32_t command, struct svmc_vmware_call *call)
{
    struct lab *lab = ctx;

    lab->commands++;
    lab->last_command = command;
    call->arg[0] = 0x1234;
    call->arg[4] = 0x5678;
    return fails(lab) ? SVMC_ERR_STATE : SVMC_OK;
}

const struct svmc_vmware_ops lab_ops = {
    .size = sizeof(struct svmc_vmware_ops),
    .random = lab_random,
    .ticks = lab_ticks,
    .time = lab_time,
    .translate = lab_translate,
    .guest_span = lab_span,
    .info_get = lab_get,
    .info_set = lab_set,
    .log = lab_log,
    .rpc = lab_rpc_op,
    .tclo = lab_tclo,
    .command = lab_command,
};

void lab_allow(struct svmc_vmware_config *config, uint32_t command)
{
    config->commands[command / 32] |= 1u << command % 32;
}

void lab_start(struct lab *lab)
{
    static const uint8_t all[] = { 1,  10, 17, 19, 20, 23, 30, 36, 39,  40, 41,
                                   45, 46, 55, 68, 86, 97, 3,  93, 101, 103 };
    struct svmc_vmware_config config = {
        .size = sizeof config,
        .flags = SVMC_VMWARE_HIGH_BANDWIDTH,
        .product = 4,
        .hardware_version = 17,
        .memory_size = 0x20000000,
        .vcpu_info = 8,
        .tsc_khz = 5000001,
        .bus_khz = 66000,
        .cpuid_ways = SVMC_VMWARE_CPUID_VMMCALL | SVMC_VMWARE_CPUID_VMCALL,
        .channel_count = LAB_CHANNELS,
        .message_bytes = SVMC_VMWARE_MESSAGE_MAX,
        .key_bytes = 32,
        .value_bytes = 65000,
        .arena_bytes = LAB_ARENA,
        .channels = lab->channels,
        .arena = lab->arena,
        .idle_ticks = 1000,
    };

    memset(lab, 0, sizeof *lab);
    for (unsigned n = 0; n < sizeof all; n++)
        lab_allow(&config, all[n]);
    for (unsigned n = 0; n < 16; n++)
        config.uuid[n] = (uint8_t)(0x10 + n);
    memset(lab->channels, 0xee, sizeof lab->channels);
    memset(lab->arena, 0xee, sizeof lab->arena);
    lab->config = config;
    CHECK_EQ(svmc_vmware_init(&lab->vm, &config, &lab_ops, lab), SVMC_OK);
}

struct svmc_vmware_call lab_call(struct lab *lab, uint32_t command, uint32_t arg1)
{
    struct svmc_vmware_call call = { .isa = SVMC_ISA_X86_64, .vcpu = 7 };

    for (unsigned n = 0; n < SVMC_IOX_ARGS; n++)
        call.arg[n] = harness_random(&lab->seed);
    call.arg[0] = call.arg[0] << 32 | SVMC_VMWARE_MAGIC;
    call.arg[1] = call.arg[1] << 32 | arg1;
    call.arg[2] = call.arg[2] << 32 | command;
    call.arg[3] = (call.arg[3] & ~0xffffull) | SVMC_VMWARE_PORT;
    return call;
}

struct svmc_vmware_result lab_handle(struct lab *lab, struct svmc_vmware_call *call)
{
    struct svmc_vmware_result out;
    struct svmc_vmware_call was = *call;

    memset(&out, 0xee, sizeof out);
    CHECK_EQ(svmc_vmware_handle(&lab->vm, call, &out), SVMC_OK);
    for (unsigned n = 0; n < SVMC_IOX_ARGS; n++)
        CHECK_EQ(out.changed >> n & 1, call->arg[n] != was.arg[n]);
    for (unsigned n = 0; n < 16; n++)
        CHECK_EQ(lab->arena[LAB_ARENA + n], 0xee);
    return out;
}

uint32_t lab_message(struct lab *lab, enum lab_step step, const struct lab_channel *ch,
                     uint32_t arg1, struct svmc_vmware_call *got)
{
    struct svmc_vmware_call call = lab_call(lab, (uint32_t)step << 16 | SVMC_VMWARE_MESSAGE, arg1);

    if (ch) {
        call.arg[3] = (call.arg[3] & ~0xffff0000ull) | ch->id << 16;
        call.arg[4] = (call.arg[4] & ~0xffffffffull) | ch->cookie >> 32;
        call.arg[5] = (call.arg[5] & ~0xffffffffull) | (uint32_t)ch->cookie;
    }
    CHECK_EQ(lab_handle(lab, &call).end, SVMC_VMWARE_DONE);
    CHECK_EQ(call.arg[2] & 0xffff, SVMC_VMWARE_MESSAGE);
    CHECK_EQ(call.arg[2] >> 32, 0);
    if (got)
        *got = call;
    return (uint32_t)call.arg[2] >> 16;
}

uint32_t lab_high(struct lab *lab, const struct lab_channel *ch, bool write, uint64_t at,
                  uint64_t bytes, struct svmc_vmware_result *out)
{
    struct svmc_vmware_call call = lab_call(lab, 0, 1u << 16);
    struct svmc_vmware_result result;

    call.high = 1;
    call.write = write;
    call.arg[2] = bytes;
    call.arg[3] = (call.arg[3] & ~0xffffffffull) | ch->id << 16 | SVMC_VMWARE_HIGH_PORT;
    call.arg[4] = write ? at : ch->cookie >> 32;
    call.arg[5] = write ? (uint32_t)ch->cookie : at;
    call.arg[6] = write ? ch->cookie >> 32 : (uint32_t)ch->cookie;
    do /* a fault is mended at once, as a guest's kernel does */ {
        result = lab_handle(lab, &call);
        if (result.end == SVMC_VMWARE_FAULT)
            lab->away &= ~(1u << result.fault.address % LAB_MEMORY / 4096);
    } while (result.end == SVMC_VMWARE_FAULT && !out);
    if (out)
        *out = result;
    if (result.end == SVMC_VMWARE_DONE && (call.arg[1] >> 16 & 1)) {
        CHECK_EQ(call.arg[2], 0);
        CHECK_EQ(call.arg[write ? 4 : 5], at + bytes);
    }
    return (uint32_t)call.arg[1] >> 16;
}

uint32_t lab_open(struct lab *lab, uint32_t protocol, struct lab_channel *ch)
{
    struct svmc_vmware_call call;
    uint32_t status = lab_message(lab, LAB_OPEN, NULL, protocol, &call);

    memset(ch, 0, sizeof *ch);
    ch->id = (uint32_t)call.arg[3] >> 16;
    ch->cookie = call.arg[4] << 32 | (uint32_t)call.arg[5];
    return status;
}

bool lab_send(struct lab *lab, const struct lab_channel *ch, const void *text, uint32_t bytes)
{
    const uint8_t *from = text;
    uint32_t status, word, n, sent;

    for (unsigned tries = 0; tries < 3; tries++) {
        sent = 0;
        status = lab_message(lab, LAB_SENDSIZE, ch, bytes, NULL);
        if (!(status & SVMC_VMWARE_SUCCESS))
            return false;
        if ((status & SVMC_VMWARE_HIGH) && !ch->no_high) {
            memcpy(lab->memory + 0x2f00, text, bytes);
            status = bytes == 0 ? 1 : lab_high(lab, ch, true, 0x7fff00002f00, bytes, NULL);
            sent = bytes;
        }
        for (uint32_t at = sent; at < bytes; at += n) {
            n = bytes - at < 4 ? bytes - at : 4;
            word = 0;
            for (uint32_t i = 0; i < n; i++)
                word |= (uint32_t)from[at + i] << 8 * i;
            status = lab_message(lab, LAB_SENDPAYLOAD, ch, word, NULL);
            if (!(status & SVMC_VMWARE_SUCCESS))
                break;
        }
        if (status & SVMC_VMWARE_SUCCESS)
            return true;
        if (!(status & SVMC_VMWARE_CHECKPOINT))
            return false;
    }
    return false;
}

bool lab_receive(struct lab *lab, const struct lab_channel *ch, uint8_t *reply, uint32_t *bytes)
{
    struct svmc_vmware_call call;
    uint32_t status, size, n;

    *bytes = 0;
    for (unsigned tries = 0; tries < 3; tries++) {
        status = lab_message(lab, LAB_RECVSIZE, ch, 0, &call);
        if (!(status & SVMC_VMWARE_SUCCESS))
            return false;
        if (!(status & SVMC_VMWARE_DORECV))
            return true;
        CHECK_EQ(call.arg[3] >> 16, LAB_SENDSIZE);
        size = (uint32_t)call.arg[1];
        CHECK_EQ(call.arg[1], size); /* vmwgfx takes the whole register */
        if ((status & SVMC_VMWARE_HIGH) && !ch->no_high) {
            status = size == 0 ? 1 : lab_high(lab, ch, false, 0x2f00, size, NULL);
            memcpy(reply, lab->memory + 0x2f00, size);
        } else {
            for (uint32_t at = 0; at < size; at += n) {
                n = size - at < 4 ? size - at : 4;
                status = lab_message(lab, LAB_RECVPAYLOAD, ch, 1, &call);
                if (!(status & SVMC_VMWARE_SUCCESS))
                    break;
                CHECK_EQ(call.arg[3] >> 16, LAB_SENDPAYLOAD);
                CHECK_EQ(n < 4 ? call.arg[1] >> 8 * n : call.arg[1] >> 32, 0);
                for (uint32_t i = 0; i < n; i++)
                    reply[at + i] = (uint8_t)(call.arg[1] >> 8 * i);
            }
        }
        if (status & SVMC_VMWARE_SUCCESS)
            status = lab_message(lab, LAB_RECVSTATUS, ch, 1, NULL);
        if (status & SVMC_VMWARE_SUCCESS) {
            *bytes = size;
            return true;
        }
        if (!(status & SVMC_VMWARE_CHECKPOINT))
            return false;
    }
    return false;
}

const char *lab_rpc(struct lab *lab, const char *request)
{
    static uint8_t reply[65536 + 1];
    struct lab_channel ch;
    uint32_t bytes = 0;

    reply[0] = 0;
    if (!CHECK_EQ(lab_open(lab, LAB_RPCI | LAB_COOKIE, &ch), 1) ||
        !CHECK(lab_send(lab, &ch, request, (uint32_t)strlen(request))) ||
        !CHECK(lab_receive(lab, &ch, reply, &bytes)))
        return "";
    reply[bytes] = 0;
    CHECK_EQ(lab_message(lab, LAB_CLOSE, &ch, 0, NULL), 1);
    return (const char *)reply;
}
