/* SPDX-License-Identifier: MIT */
/*
 * Four vCPUs of one VM at once, each with a channel of its own, and a host that takes checkpoints
 * and moves the pointer (VW-20). With ThreadSanitizer too: part hcall-race of tools/test.
 */
#include <pthread.h>

#include "../harness.h"
#include "../random.h"
#include "vmware_lab.h"

#define VCPUS 4u
#define TURNS 150u

static struct svmc_vmware vm;
static struct svmc_vmware_channel channels[VCPUS];
static uint8_t arena[4 * 4096];
static uint8_t memory[VCPUS][4096];
static uint64_t secret = 1;
static unsigned inside; /* not atomic: the claim orders it */
static uint32_t busy, bad, over;

static enum svmc_status cookie(void *ctx, void *dst, size_t n)
{
    uint64_t word = harness_random(&secret);

    (void)ctx;
    memcpy(dst, &word, n);
    return SVMC_OK;
}

static enum svmc_status translate(void *ctx, uint32_t vcpu, svmc_gva at, uint32_t access,
                                  svmc_gpa *out, struct svmc_fault *fault)
{
    (void)ctx, (void)access, (void)fault;
    out->v = (uint64_t)vcpu << 12 | (at.v & 4095);
    return SVMC_OK;
}

static enum svmc_status span(void *ctx, svmc_gpa at, size_t n, uint32_t access, void **where)
{
    (void)ctx, (void)n, (void)access;
    *where = memory[at.v >> 12] + (at.v & 4095);
    return SVMC_OK;
}

/* Whoever is in here is alone. */
static enum svmc_status rpc(void *ctx, const struct svmc_vmware_call *call, const uint8_t *text,
                            uint32_t text_bytes, struct svmc_vmware_reply *reply)
{
    (void)ctx, (void)call;
    if (inside++ != 0 || text_bytes > reply->room)
        __atomic_fetch_add(&bad, 1, __ATOMIC_RELAXED);
    for (uint32_t n = 0; n < text_bytes; n++)
        reply->at[n] = (uint8_t)~text[n];
    reply->bytes = text_bytes;
    inside--;
    return SVMC_OK;
}

static const struct svmc_vmware_ops ops = {
    .size = sizeof ops,
    .random = cookie,
    .translate = translate,
    .guest_span = span,
    .rpc = rpc,
};

/* As a vCPU does it: a busy call is executed again. */
static void handle(struct svmc_vmware_call *call)
{
    struct svmc_vmware_result out = { 0 };

    do {
        if (svmc_vmware_handle(&vm, call, &out) != SVMC_OK)
            __atomic_fetch_add(&bad, 1, __ATOMIC_RELAXED);
        if (out.end == SVMC_VMWARE_BUSY)
            __atomic_fetch_add(&busy, 1, __ATOMIC_RELAXED);
    } while (out.end == SVMC_VMWARE_BUSY);
    if (out.end != SVMC_VMWARE_DONE)
        __atomic_fetch_add(&bad, 1, __ATOMIC_RELAXED);
}

static uint32_t low(uint32_t vcpu, uint32_t step, uint32_t arg1, struct svmc_vmware_call *call)
{
    uint64_t id = call->arg[3], high = call->arg[4], word = call->arg[5];

    *call = (struct svmc_vmware_call){ .isa = SVMC_ISA_X86_64, .vcpu = vcpu };
    call->arg[0] = SVMC_VMWARE_MAGIC;
    call->arg[1] = arg1;
    call->arg[2] = step << 16 | SVMC_VMWARE_MESSAGE;
    call->arg[3] = id;
    call->arg[4] = high;
    call->arg[5] = word;
    handle(call);
    return (uint32_t)call->arg[2] >> 16;
}

static uint32_t high(uint32_t vcpu, bool write, const struct svmc_vmware_call *open, uint32_t bytes)
{
    struct svmc_vmware_call call = { .isa = SVMC_ISA_X86_64, .vcpu = vcpu, .high = 1 };

    call.write = write;
    call.arg[0] = SVMC_VMWARE_MAGIC;
    call.arg[1] = 1u << 16;
    call.arg[2] = bytes;
    call.arg[3] = open->arg[3];
    call.arg[4] = write ? 0 : open->arg[4];
    call.arg[5] = write ? open->arg[5] : 0;
    call.arg[6] = write ? open->arg[4] : open->arg[5];
    handle(&call);
    return (uint32_t)call.arg[1] >> 16;
}

/* One request and its answer; false: a checkpoint came between. */
static bool converse(uint32_t vcpu, struct svmc_vmware_call open, uint8_t fill)
{
    struct svmc_vmware_call call = open;
    uint32_t bytes = 100 + 700 * vcpu;
    uint8_t want = (uint8_t)~fill;

    memset(memory[vcpu], fill, bytes);
    if (!(low(vcpu, LAB_SENDSIZE, bytes, &call) & 1) || high(vcpu, true, &open, bytes) != 1)
        return false;
    call = open;
    if (low(vcpu, LAB_RECVSIZE, 0, &call) != 0x83 || call.arg[1] != bytes + 2 ||
        high(vcpu, false, &open, bytes + 2) != 1)
        return false;
    if (memory[vcpu][0] != '1' || memory[vcpu][2] != want || memory[vcpu][bytes + 1] != want)
        __atomic_fetch_add(&bad, 1, __ATOMIC_RELAXED);
    call = open;
    return low(vcpu, LAB_RECVSTATUS, 1, &call) == 1;
}

static void *vcpu_main(void *arg)
{
    uint32_t vcpu = *(const uint32_t *)arg, done = 0;
    struct svmc_vmware_call open, version;

    for (uint32_t turn = 0; turn < 1000000 && done < TURNS; turn++) {
        memset(&open, 0, sizeof open);
        if (low(vcpu, LAB_OPEN, LAB_RPCI | LAB_COOKIE, &open) != 1)
            __atomic_fetch_add(&bad, 1, __ATOMIC_RELAXED);
        done += converse(vcpu, open, (uint8_t)(vcpu * 50 + turn % 50));
        version = (struct svmc_vmware_call){ .isa = SVMC_ISA_X86_64, .arg = { SVMC_VMWARE_MAGIC } };
        version.arg[2] = SVMC_VMWARE_GETVERSION;
        handle(&version);
        if (version.arg[0] != 6 || low(vcpu, LAB_CLOSE, 0, &open) != 1)
            __atomic_fetch_add(&bad, 1, __ATOMIC_RELAXED);
    }
    if (done < TURNS)
        __atomic_fetch_add(&bad, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void *host_main(void *arg)
{
    struct svmc_vmware_pointer move = { 0 };
    enum svmc_status st;

    (void)arg;
    for (uint32_t turn = 0; !__atomic_load_n(&over, __ATOMIC_RELAXED); turn++) {
        st = turn % 64 == 0 ? svmc_vmware_checkpoint(&vm) : svmc_vmware_pointer_move(&vm, &move);
        if (st != SVMC_ERR_STATE && st != (turn % 64 == 0 ? SVMC_OK : SVMC_ERR_STALE))
            __atomic_fetch_add(&bad, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

TEST(vmware_threads, four_vcpus_keep_apart) /* VW-20 */
{
    struct svmc_vmware_config config = {
        .size = sizeof config,
        .flags = SVMC_VMWARE_HIGH_BANDWIDTH,
        .channel_count = VCPUS,
        .message_bytes = 4096,
        .arena_bytes = sizeof arena,
        .channels = channels,
        .arena = arena,
    };
    uint32_t number[VCPUS];
    pthread_t thread[VCPUS], host;

    lab_allow(&config, SVMC_VMWARE_MESSAGE);
    lab_allow(&config, SVMC_VMWARE_GETVERSION);
    REQUIRE(svmc_vmware_init(&vm, &config, &ops, NULL) == SVMC_OK);
    busy = bad = over = 0;
    REQUIRE(pthread_create(&host, NULL, host_main, NULL) == 0);
    for (uint32_t n = 0; n < VCPUS; n++) {
        number[n] = n;
        REQUIRE(pthread_create(&thread[n], NULL, vcpu_main, &number[n]) == 0);
    }
    for (uint32_t n = 0; n < VCPUS; n++)
        pthread_join(thread[n], NULL);
    __atomic_store_n(&over, 1, __ATOMIC_RELAXED);
    pthread_join(host, NULL);
    CHECK_EQ(bad, 0);
    CHECK_EQ(vm.priv.first == NULL && inside == 0, 1);
}
