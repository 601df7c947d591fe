/* SPDX-License-Identifier: MIT */
/*
 * intercept.register-op, .chunk-3584: a delegated exit, from the exit to the committed answer, the
 * host's reading and writing included, beside a hot 4096-byte memcpy of the C library.
 * intercept.policy-65536: the verdict of a port, uniformly random among all, beside 16 of them.
 */
#define _POSIX_C_SOURCE 200809L
#include <string.h>
#include <svmcore/svmcore.h>

#include "../tests/fakehost/world.h"
#include "../tests/random.h"
#include "figure.h"

#define PORTS 4096u

static struct world world;
static struct svmc_policy policy;
static struct svmc_vcpu vcpu;
static uint8_t from[SVMC_PAGE_BYTES], to[SVMC_PAGE_BYTES];
static void *(*volatile copy)(void *, const void *, size_t) = memcpy;
static struct svmc_reply reply;
static uint16_t few[PORTS], many[PORTS];
static volatile unsigned sink;

static void must(enum svmc_status st)
{
    if (st != SVMC_OK) {
        fprintf(stderr, "bench: %s\n", svmc_status_name(st));
        exit(1);
    }
}

static void round_trip(const struct svmc_exit *e, uint8_t *data, size_t data_bytes)
{
    struct svmc_request request;
    struct svmc_outcome out;

    must(svmc_vcpu_exit(&vcpu, e, &out));
    must(svmc_request_read(world.page, &request, data, data_bytes));
    reply.seq = request.seq;
    reply.done = request.count;
    must(svmc_reply_write(world.page, &reply, NULL));
    must(svmc_vcpu_enter(&vcpu, &out));
}

static void register_op(void)
{
    static const struct svmc_exit e = { .kind = SVMC_KIND_CPUID,
                                        .count = 1,
                                        .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                                        .insn_bytes = 2 };

    reply.out_valid = 15;
    round_trip(&e, NULL, 0);
}

static void chunk(void)
{
    static const struct svmc_exit e = {
        .kind = SVMC_KIND_OUTS, .count = SVMC_PAGE_DATA_BYTES, .size = 1, .data = from
    };

    reply.out_valid = 0;
    round_trip(&e, to, sizeof to);
}

static void copy_page(void)
{
    copy(to, from, sizeof to);
}

/* Refused ports: judged, and nothing else. */
static void judge(const uint16_t *ports)
{
    struct svmc_exit e = { .kind = SVMC_KIND_OUT, .count = 1, .size = 1 };
    struct svmc_outcome out;

    for (unsigned i = 0; i < PORTS; i++) {
        e.address = ports[i];
        must(svmc_vcpu_exit(&vcpu, &e, &out));
        sink += out.action;
    }
}

static void judge_many(void)
{
    judge(many);
}

static void judge_few(void)
{
    judge(few);
}

int main(void)
{
    uint64_t rng = 1;

    world_init(&world, &rng);
    for (unsigned i = 0; i < PORTS; i++) {
        many[i] = (uint16_t)harness_random(&rng);
        few[i] = (uint16_t)(harness_random(&rng) % 16);
    }
    must(svmc_policy_init(&policy, 16, 16));
    must(svmc_policy_set_ports(&policy, 0, 65536, SVMC_ACCESS_WRITE, SVMC_VERDICT_DELEGATE));
    must(svmc_policy_seal(&policy));
    must(svmc_vcpu_init(&vcpu, &world_ops, &world, &policy, world.page, 0));
    figure("intercept.register-op", register_op, "memcpy-4096", copy_page, 20000, 1);
    figure("intercept.chunk-3584", chunk, "memcpy-4096", copy_page, 20000, 1);
    must(svmc_policy_set_ports(&policy, 0, 65536, SVMC_ACCESS_WRITE, SVMC_VERDICT_FAULT));
    figure("intercept.policy-65536", judge_many, "policy-16", judge_few, 20, PORTS);
    return 0;
}
