/* SPDX-License-Identifier: MIT */
/*
 * intercept.register-op, .chunk-3584: a delegated exit, from the exit to the committed answer, the
 * host's reply included, beside a hot 4096-byte memcpy of the C library. register-op is CPUID, the
 * widest (2 registers out, 4 in); register-op.KIND are narrower ones, .backend-out and -in such as
 * KVM ends itself. chunk-3584 is OUTS, .in INS, where the host writes the bytes. The guest's
 * registers are an array, as a hypervisor has them.
 * .full-wipe: CPUID under a policy that has all of the page written for each request.
 * .words: what a CPUID's rules have loaded and stored in the page, and no check; .words-calls: and
 * its eight callbacks. No CPUID takes less than these, whatever else is done; others make fewer
 * callbacks, those of a backend none. .full-wipe.words-calls: nor under such a policy.
 * intercept.policy-65536: the same ports out of 16, where 65536 are listed, beside a policy of 16;
 * .policy-random: uniformly random among the 65536, beside those.
 */
#define _POSIX_C_SOURCE 200809L
#include <string.h>
#include <svmcore/svmcore.h>

#include "../src/core/shared.h"
#include "../tests/fakehost/world.h"
#include "../tests/random.h"
#include "figure.h"

#define PORTS 4096u

static struct world world;
static struct svmc_policy policy, second;
static _Alignas(SVMC_PAGE_BYTES) struct svmc_vcpu vcpu; /* as docs/embedding.md has it */
static _Alignas(SVMC_PAGE_BYTES) struct svmc_vcpu other;
static _Alignas(SVMC_PAGE_BYTES) uint8_t other_page[SVMC_PAGE_BYTES];
static _Alignas(SVMC_PAGE_BYTES) uint8_t from[SVMC_PAGE_BYTES], to[SVMC_PAGE_BYTES];
static void *(*volatile copy)(void *, const void *, size_t) = memcpy;
static struct svmc_reply reply;
static uint16_t few[PORTS], many[PORTS];
static volatile unsigned sink;

static uint64_t regs[64];

static enum svmc_status read_reg(void *ctx, uint32_t reg, uint64_t *value)
{
    (void)ctx;
    *value = regs[reg % 64];
    return SVMC_OK;
}

static void write_reg(void *ctx, uint32_t reg, uint64_t value)
{
    (void)ctx;
    regs[reg % 64] = value;
}

static void must(enum svmc_status st)
{
    if (st != SVMC_OK) {
        fprintf(stderr, "bench: %s\n", svmc_status_name(st));
        exit(1);
    }
}

/* A host that knows what is asked needs the sequence number alone. */
static void round_trip(const struct svmc_exit *e, uint64_t out_valid)
{
    struct svmc_outcome out;

    must(svmc_vcpu_exit(&vcpu, e, &out));
    memcpy(&reply.seq, (const char *)world.page + SVMC_PAGE_REQ_SEQ, sizeof reply.seq);
    reply.done = e->count;
    reply.out_valid = out_valid;
    must(svmc_reply_write(world.page, &reply, from));
    must(svmc_vcpu_enter(&vcpu, &out));
}

#define OWN .count = 1, .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP, .insn_bytes = 2

static void register_op(void)
{
    static const struct svmc_exit e = { .kind = SVMC_KIND_CPUID, OWN };

    round_trip(&e, 15);
}

static void rdmsr(void)
{
    static const struct svmc_exit e = { .kind = SVMC_KIND_RDMSR, .address = 0x10, OWN };

    round_trip(&e, 3);
}

static void wrmsr(void)
{
    static const struct svmc_exit e = { .kind = SVMC_KIND_WRMSR, .address = 0x10, OWN };

    round_trip(&e, 0);
}

static void mmio_read(void)
{
    static const struct svmc_exit e = {
        .kind = SVMC_KIND_MMIO_READ, .address = 0xfe000000, OWN, .size = 8, .dest_bytes = 8
    };

    round_trip(&e, 1);
}

static void chunk(void)
{
    static const struct svmc_exit e = {
        .kind = SVMC_KIND_OUTS, .count = SVMC_PAGE_DATA_BYTES, .size = 1, .data = from
    };

    round_trip(&e, 0);
}

static void chunk_in(void)
{
    static const struct svmc_exit e = { .kind = SVMC_KIND_INS,
                                        .count = SVMC_PAGE_DATA_BYTES,
                                        .size = 1 };

    reply.data_bytes = SVMC_PAGE_DATA_BYTES;
    round_trip(&e, 0);
    reply.data_bytes = 0;
}

static void backend_out(void)
{
    static const struct svmc_exit e = { .kind = SVMC_KIND_OUT, .count = 1, .size = 4 };

    round_trip(&e, 0);
}

static void backend_in(void)
{
    static const struct svmc_exit e = { .kind = SVMC_KIND_IN, .count = 1, .size = 4 };

    round_trip(&e, 1);
}

/* PG-1: all of a request, or of the page; a reply; R3: the reply area, each word once; R17: what is
   not zero. */
static void touch(bool all)
{
    static const uint8_t results[] = { 0, 2, 4, 8, 9, 10, 11 }; /* of the reply's words */
    volatile void *page = world.page;
    uint64_t any;

    CORE_UNROLL
    for (uint32_t i = 0; i < 10; i++)
        core_shared_put(page, CORE_WORD * i, reply.out[i % SVMC_PAGE_SLOTS]);
    core_shared_clear(page, CORE_WORD * 10, 22);
    if (all)
        core_shared_zero(page, SVMC_PAGE_REP_SEQ, SVMC_PAGE_BYTES);
    reply.seq = core_shared_get(page, SVMC_PAGE_REQ_SEQ);
    must(svmc_reply_write(page, &reply, NULL));
    any = core_shared_any(page, SVMC_PAGE_REP_SEQ, 32);
    core_shared_clear(page, 0, 9);
    CORE_UNROLL
    for (uint32_t i = 0; i < sizeof results; i++)
        core_shared_clear(page, SVMC_PAGE_REP_SEQ + CORE_WORD * results[i], 1);
    sink += (unsigned)any;
}

static enum svmc_status (*volatile reg_read)(void *, uint32_t, uint64_t *) = read_reg;
static void (*volatile reg_write)(void *, uint32_t, uint64_t) = write_reg;

static void call_back(void)
{
    uint64_t value;

    for (uint32_t i = 0; i < 3; i++) /* EAX, ECX, RIP */
        must(reg_read(NULL, i, &value));
    for (uint32_t i = 0; i < 5; i++) /* EAX to EDX, RIP */
        reg_write(NULL, i, value);
}

static void words(void)
{
    touch(false);
}

static void words_calls(void)
{
    touch(false);
    call_back();
}

static void words_calls_wipe(void)
{
    touch(true);
    call_back();
}

static void copy_page(void)
{
    copy(to, from, sizeof to);
}

/* Ports that the policy answers: judged, and little else. */
static void judge(struct svmc_vcpu *v, const uint16_t *ports)
{
    struct svmc_exit e = { .kind = SVMC_KIND_OUT, .count = 1, .size = 1 };
    struct svmc_outcome out;

    for (unsigned i = 0; i < PORTS; i++) {
        e.address = ports[i];
        must(svmc_vcpu_exit(v, &e, &out));
        sink += out.action;
    }
}

static void random_of_all(void)
{
    judge(&vcpu, many);
}

static void few_of_all(void)
{
    judge(&vcpu, few);
}

static void few_of_few(void)
{
    judge(&other, few);
}

int main(void)
{
    struct svmc_host_ops ops = world_ops;
    uint64_t rng = 1;

    world_init(&world, &rng);
    ops.reg_read = read_reg;
    ops.reg_write = write_reg;
    for (unsigned i = 0; i < PORTS; i++) {
        many[i] = (uint16_t)harness_random(&rng);
        few[i] = (uint16_t)(harness_random(&rng) % 16);
    }
    must(svmc_policy_init(&policy, 16, 16));
    must(svmc_policy_set_ports(&policy, 0, 65536, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE));
    must(svmc_policy_set_msrs(&policy, 0, 64, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE));
    must(svmc_policy_add_window(&policy, (svmc_gpa){ 0xfe000000 }, 4096, SVMC_ACCESS_RW,
                                SVMC_VERDICT_DELEGATE));
    must(svmc_policy_seal(&policy));
    must(svmc_vcpu_init(&vcpu, &ops, &world, &policy, world.page, 0));
    figure("intercept.register-op", register_op, "memcpy-4096", copy_page, 20000, 1);
    figure("intercept.register-op.rdmsr", rdmsr, "memcpy-4096", copy_page, 20000, 1);
    figure("intercept.register-op.wrmsr", wrmsr, "memcpy-4096", copy_page, 20000, 1);
    figure("intercept.register-op.mmio-read", mmio_read, "memcpy-4096", copy_page, 20000, 1);
    figure("intercept.register-op.backend-out", backend_out, "memcpy-4096", copy_page, 20000, 1);
    figure("intercept.register-op.backend-in", backend_in, "memcpy-4096", copy_page, 20000, 1);
    figure("intercept.register-op.words", words, "memcpy-4096", copy_page, 20000, 1);
    figure("intercept.register-op.words-calls", words_calls, "memcpy-4096", copy_page, 20000, 1);
    figure("intercept.chunk-3584", chunk, "memcpy-4096", copy_page, 20000, 1);
    figure("intercept.chunk-3584.in", chunk_in, "memcpy-4096", copy_page, 20000, 1);
    must(svmc_policy_init(&policy, 16, 16)); /* every request writes all of the page */
    must(svmc_policy_set_full_wipe(&policy));
    must(svmc_policy_seal(&policy));
    must(svmc_vcpu_init(&vcpu, &ops, &world, &policy, world.page, 0));
    figure("intercept.register-op.full-wipe", register_op, "memcpy-4096", copy_page, 20000, 1);
    figure("intercept.register-op.full-wipe.words-calls", words_calls_wipe, "memcpy-4096",
           copy_page, 20000, 1);
    must(svmc_policy_init(&policy, 16, 16));
    must(svmc_policy_set_ports(&policy, 0, 65536, SVMC_ACCESS_WRITE, SVMC_VERDICT_CONST));
    must(svmc_policy_init(&second, 16, 16));
    must(svmc_policy_set_ports(&second, 0, 16, SVMC_ACCESS_WRITE, SVMC_VERDICT_CONST));
    must(svmc_policy_seal(&policy));
    must(svmc_policy_seal(&second));
    must(svmc_vcpu_init(&vcpu, &ops, &world, &policy, world.page, 0));
    must(svmc_vcpu_init(&other, &ops, &world, &second, other_page, 1));
    figure("intercept.policy-65536", few_of_all, "policy-16", few_of_few, 20, PORTS);
    figure("intercept.policy-random", random_of_all, "policy-65536", few_of_all, 20, PORTS);
    return 0;
}
