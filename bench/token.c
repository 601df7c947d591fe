/* SPDX-License-Identifier: MIT */
/*
 * token.check: a call whose six arguments are checked and whose token is judged before, its frame
 * known, beside the same call without a token. token.check-walk: the frame is not known: the check
 * says so, four page-table reads follow, and the check of the frame. token.check-alone: without the
 * call. Handles, tags and numbers differ from call to call.
 */
#define _POSIX_C_SOURCE 200809L
#include <string.h>
#include <svmcore/svmcore.h>

#include "../tests/random.h"
#include "figure.h"

#define CALLS   4096u
#define NUMBERS 16u
#define HOLDERS 8u /* as many as a vCPU remembers */
#define LEVELS  4u

static uint64_t sink;

static uint32_t handler(void *ctx, struct svmc_hcall_run *run)
{
    *(uint64_t *)ctx +=
        run->arg[0] + run->arg[1] + run->arg[2] + run->arg[3] + run->arg[4] + run->arg[5];
    return SVMC_HCALL_OK;
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
static struct svmc_hcall_entry calls[NUMBERS];
static struct svmc_hcall_owner owner;
static struct svmc_hcall_table table;
static struct svmc_hcall_vm vm;
static struct svmc_hcall_vcpu vcpu;

static struct svmc_token_pool pool;
static struct svmc_token_entry entries[1024];
static struct svmc_token_vm vms[4];
static struct svmc_token_slot events[64];
static struct svmc_token_vcpu guard;
static struct svmc_token holder[HOLDERS];
static struct svmc_token_caller caller;
static uint64_t tables[LEVELS][512]; /* each entry leads to the next level; the last to the frame */
static uint16_t numbers[CALLS];
static uint8_t who[CALLS];
static uint64_t rng = 1;

static void must(enum svmc_status st)
{
    if (st != SVMC_OK) {
        fprintf(stderr, "bench: %s\n", svmc_status_name(st));
        exit(1);
    }
}

static enum svmc_status draw(void *ctx, void *dst, size_t n)
{
    uint64_t words[2] = { harness_random(&rng), harness_random(&rng) };

    (void)ctx;
    memcpy(dst, words, n);
    return SVMC_OK;
}

static const struct svmc_crypto_ops crypto = { .size = sizeof crypto, .random = draw };

static void prepare_calls(void)
{
    static uint64_t memory[4096];

    for (uint32_t i = 0; i < NUMBERS; i++)
        calls[i] = (struct svmc_hcall_entry){ .handler = handler,
                                              .may = SVMC_HCALL_MAY_ALL,
                                              .number = (uint16_t)(SVMC_HCALL_FIRST + i) };
    owner = (struct svmc_hcall_owner){ .calls = calls,
                                       .schemas = schemas,
                                       .call_count = NUMBERS,
                                       .schema_count = 1,
                                       .may = SVMC_HCALL_MAY_ALL };
    must(svmc_hcall_init(&table, &owner, 1, memory, sizeof memory, NULL));
    vm = (struct svmc_hcall_vm){ .table = &table, .ops = &ops, .ctx = &sink };
    must(svmc_hcall_vcpu_init(&vcpu, &vm, 0, &place, &room));
    for (unsigned i = 0; i < CALLS; i++) {
        numbers[i] = (uint16_t)(SVMC_HCALL_FIRST + harness_random(&rng) % NUMBERS);
        who[i] = (uint8_t)(harness_random(&rng) % HOLDERS);
    }
}

static void prepare_tokens(void)
{
    const struct svmc_token_config config = {
        .crypto = &crypto,
        .entries = entries,
        .vms = vms,
        .events = events,
        .entry_count = 1024,
        .vm_count = 4,
        .event_count = 64,
        .miss_limit = 16,
        .lock_rounds = 8,
        .lock_ticks = 1000,
    };
    const struct svmc_token_grant grant = {
        .rights = 1,
        .vcpus = 0xff,
        .classes = 2,
        .until = SVMC_TOKEN_FOREVER,
        .page = 0x123456789000,
        .frame = 0x456000,
        .offset = 0x120,
        .flags = SVMC_TOKEN_ONE_THREAD,
        .returns = 0x123456789124,
        .return_bytes = 1,
    };

    caller = (struct svmc_token_caller){ .vm = 7,
                                         .vm_generation = 1,
                                         .stage2_generation = 1,
                                         .root = 0x1000,
                                         .page = grant.page,
                                         .frame = grant.frame,
                                         .thread = 99,
                                         .returns = grant.returns,
                                         .ticks = 1,
                                         .vcpu = 2,
                                         .offset = grant.offset,
                                         .isa = SVMC_ISA_X86_64,
                                         .user = 1 };
    must(svmc_token_pool_init(&pool, &config));
    must(svmc_token_vm_open(&pool, 7, 1));
    for (unsigned n = 0; n < HOLDERS; n++)
        must(svmc_token_enrol(&pool, &caller, &grant, SVMC_OK, &holder[n]));
    for (unsigned level = 0; level < LEVELS; level++)
        for (unsigned i = 0; i < 512; i++)
            tables[level][i] =
                level + 1 < LEVELS ? (uint64_t)(uintptr_t)tables[level + 1] : 0x456000;
}

/* Registers as a trap leaves them: in memory, for both sides. */
static struct svmc_hcall_call call = { .user = 1 };

static inline void trap(unsigned i)
{
    call.control = (uint64_t)SVMC_HCALL_ABI << SVMC_HCALL_ABI_SHIFT | numbers[i];
    call.arg[0] = i;
    call.arg[1] = i & 7;
    call.arg[2] = i & 255;
    call.arg[3] = (uint64_t)i << 12;
    call.arg[4] = 1 + i;
    call.arg[5] = i;
    caller.ticks = i + 1;
    __asm__ volatile("" : : : "memory");
}

static inline void dispatch(void)
{
    struct svmc_hcall_result out;

    must(svmc_hcall_dispatch(&vcpu, &call, &out));
    sink += call.arg[0] + out.status;
}

static void ungated(void)
{
    for (unsigned i = 0; i < CALLS; i++) {
        trap(i);
        dispatch();
    }
}

static inline void check(unsigned i)
{
    struct svmc_token_verdict verdict;

    must(svmc_token_check(&pool, &guard, &caller, &holder[who[i]], &verdict));
    if (verdict.end != SVMC_TOKEN_ALLOWED)
        must(SVMC_ERR_AUTH);
    sink += verdict.classes;
}

static void alone(void)
{
    for (unsigned i = 0; i < CALLS; i++) {
        trap(i);
        check(i);
    }
}

static void gated(void)
{
    for (unsigned i = 0; i < CALLS; i++) {
        trap(i);
        check(i);
        dispatch();
    }
}

/* Four reads, each of an address that the one before gave. */
static uint64_t walk(uint64_t page)
{
    const volatile uint64_t *at = tables[0];
    uint64_t entry = 0;

    for (unsigned level = 0; level < LEVELS; level++) {
        entry = at[page >> (39 - 9 * level) & 511];
        at = (const volatile uint64_t *)(uintptr_t)entry;
    }
    return entry;
}

static void gated_walk(void)
{
    struct svmc_token_verdict verdict;

    for (unsigned i = 0; i < CALLS; i++) {
        trap(i);
        caller.stage2_generation++;
        must(svmc_token_check(&pool, &guard, &caller, &holder[who[i]], &verdict));
        if (verdict.end != SVMC_TOKEN_WALK)
            must(SVMC_ERR_AUTH);
        caller.frame = walk(caller.page);
        must(svmc_token_check_walk(&pool, &guard, &caller, &holder[who[i]], &verdict));
        if (verdict.end != SVMC_TOKEN_ALLOWED)
            must(SVMC_ERR_AUTH);
        sink += verdict.classes;
        dispatch();
    }
}

static void know(void)
{
    struct svmc_token_verdict verdict;

    for (unsigned n = 0; n < HOLDERS; n++)
        must(svmc_token_check_walk(&pool, &guard, &caller, &holder[n], &verdict));
}

int main(void)
{
    prepare_calls();
    prepare_tokens();
    know();
    figure("token.check", gated, "ungated", ungated, 100, CALLS);
    figure("token.check-alone", alone, "ungated", ungated, 100, CALLS);
    figure("token.check-walk", gated_walk, "ungated", ungated, 100, CALLS);
    return 0;
}
