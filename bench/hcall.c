/* SPDX-License-Identifier: MIT */
/*
 * hcall.dispatch: a call whose six arguments are checked, through the dispatcher, beside a bare
 * indexed call through a function pointer with the same arguments. hcall.dispatch-65536: the same
 * 16 calls among 65536 instead of 16 (peer: among 16); -random: uniformly random among 65536.
 */
#define _POSIX_C_SOURCE 200809L
#include <string.h>
#include <svmcore/svmcore.h>

#include "../tests/random.h"
#include "figure.h"

#define CALLS 4096u
#define MANY  (65536u - SVMC_HCALL_FIRST)
#define FEW   16u

static uint64_t sink;

/* The same work on both sides: six arguments are taken, one result is given. */
static uint32_t handler(void *ctx, struct svmc_hcall_run *run)
{
    *(uint64_t *)ctx +=
        run->arg[0] + run->arg[1] + run->arg[2] + run->arg[3] + run->arg[4] + run->arg[5];
    return SVMC_HCALL_OK;
}

static uint64_t bare(void *ctx, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                     uint64_t f)
{
    *(uint64_t *)ctx += a + b + c + d + e + f;
    return a;
}

static const struct svmc_hcall_schema schemas[] = {
    { .arg = { { .kind = SVMC_HCALL_U32 },
               { .kind = SVMC_HCALL_ENUM, .max = 7 },
               { .kind = SVMC_HCALL_FLAGS, .max = 0xff },
               { .kind = SVMC_HCALL_GPA, .align = 4096 },
               { .kind = SVMC_HCALL_U64, .min = 1, .max = 1u << 20 },
               { .kind = SVMC_HCALL_U16 } },
      .results = 1 },
};
static const struct svmc_hcall_ops ops = { .size = sizeof ops };
static const struct svmc_hcall_place place = { .isa = SVMC_ISA_X86_64 };
static const struct svmc_hcall_room room;

struct side {
    struct svmc_hcall_entry *calls;
    struct svmc_hcall_owner owner;
    struct svmc_hcall_table table;
    struct svmc_hcall_vm vm;
    struct svmc_hcall_vcpu vcpu;
};
static struct side few, many;
static uint64_t (**bare_table)(void *, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
static uint16_t near[CALLS], far[CALLS];

static void must(enum svmc_status st)
{
    if (st != SVMC_OK) {
        fprintf(stderr, "bench: %s\n", svmc_status_name(st));
        exit(1);
    }
}

static void prepare(struct side *s, uint32_t count)
{
    size_t bytes;

    s->calls = calloc(count, sizeof *s->calls);
    for (uint32_t i = 0; i < count; i++)
        s->calls[i] = (struct svmc_hcall_entry){ .handler = handler,
                                                 .may = SVMC_HCALL_MAY_ALL,
                                                 .number = (uint16_t)(SVMC_HCALL_FIRST + i) };
    s->owner = (struct svmc_hcall_owner){ .calls = s->calls,
                                          .schemas = schemas,
                                          .call_count = count,
                                          .schema_count = 1,
                                          .may = SVMC_HCALL_MAY_ALL };
    bytes = svmc_hcall_bytes(&s->owner, 1);
    must(svmc_hcall_init(&s->table, &s->owner, 1, aligned_alloc(64, (bytes + 63) / 64 * 64), bytes,
                         NULL));
    s->vm = (struct svmc_hcall_vm){ .table = &s->table, .ops = &ops, .ctx = &sink };
    must(svmc_hcall_vcpu_init(&s->vcpu, &s->vm, 0, &place, &room));
}

/* Registers as a trap leaves them: in memory, for both sides. */
static struct svmc_hcall_call call = { .user = 1 };

static inline void trap(uint64_t number, unsigned i)
{
    call.control = (uint64_t)SVMC_HCALL_ABI << SVMC_HCALL_ABI_SHIFT | number;
    call.arg[0] = i;
    call.arg[1] = i & 7;
    call.arg[2] = i & 255;
    call.arg[3] = (uint64_t)i << 12;
    call.arg[4] = 1 + i;
    call.arg[5] = i;
    __asm__ volatile("" : : : "memory");
}

static void run(struct side *s, const uint16_t *numbers)
{
    struct svmc_hcall_result out;

    for (unsigned i = 0; i < CALLS; i++) {
        trap(numbers[i], i);
        must(svmc_hcall_dispatch(&s->vcpu, &call, &out));
        sink += call.arg[0] + out.status;
    }
}

static void dispatch_few(void)
{
    run(&few, near);
}

static void dispatch_near(void)
{
    run(&many, near);
}

static void dispatch_far(void)
{
    run(&many, far);
}

static void indexed(void)
{
    for (unsigned i = 0; i < CALLS; i++) {
        trap(near[i], i);
        call.arg[0] = bare_table[call.control & 0xffff](
            &sink, call.arg[0], call.arg[1], call.arg[2], call.arg[3], call.arg[4], call.arg[5]);
        sink += call.arg[0];
    }
}

int main(void)
{
    uint64_t rng = 1;

    prepare(&few, FEW);
    prepare(&many, MANY);
    bare_table = calloc(SVMC_HCALL_FIRST + FEW, sizeof *bare_table);
    for (unsigned i = 0; i < SVMC_HCALL_FIRST + FEW; i++)
        bare_table[i] = bare;
    for (unsigned i = 0; i < CALLS; i++) {
        near[i] = (uint16_t)(SVMC_HCALL_FIRST + harness_random(&rng) % FEW);
        far[i] = (uint16_t)(SVMC_HCALL_FIRST + harness_random(&rng) % MANY);
    }
    figure("hcall.dispatch", dispatch_few, "indexed-call", indexed, 100, CALLS);
    figure("hcall.dispatch-65536", dispatch_near, "dispatch-16", dispatch_few, 100, CALLS);
    figure("hcall.dispatch-random", dispatch_far, "dispatch-16", dispatch_few, 100, CALLS);
    return 0;
}
