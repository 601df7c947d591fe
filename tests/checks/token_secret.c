/* SPDX-License-Identifier: MIT */
/*
 * Every path of the pool with tags that valgrind takes for unknown: a branch or an index on a byte
 * of one is an error (TK-5). Built by token_secret.py with the pool's sources and
 * TOKEN_SECRET_HOOK. Argument: a number of a class: only checks of that one, to be counted; `leak`:
 * a compare that leaves at the first byte, which must be an error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <svmcore/insn.h>
#include <svmcore/token.h>
#include <valgrind/memcheck.h>

#include "../random.h"
#include "mix.h"

void token_said(void *at, size_t n);

static struct svmc_token_pool pool;
static struct svmc_token_entry entries[9];
static struct svmc_token_vm vms[1];
static struct svmc_token_slot events[64];
static struct svmc_token_expected expected[2];
static struct svmc_token_vcpu vcpu;
static struct svmc_token_verdict verdict;
static uint64_t rng = 1;

void token_said(void *at, size_t n)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(at, n);
}

static enum svmc_status draw(void *ctx, void *dst, size_t n)
{
    uint64_t words[2] = { harness_random(&rng), harness_random(&rng) };

    (void)ctx;
    memcpy(dst, words, n);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(dst, n);
    return SVMC_OK;
}

static const struct svmc_crypto_ops crypto = { .size = sizeof crypto, .random = draw, .mac = mix };
static struct svmc_token_caller caller = {
    .vm = 1, .vm_generation = 1, .stage2_generation = 1, .ticks = 1, .isa = SVMC_ISA_X86_64
};
static const struct svmc_token_grant grant = { .vcpus = 1,
                                               .classes = 2,
                                               .until = SVMC_TOKEN_FOREVER };

static void must(int ok)
{
    if (!ok) {
        puts("failed");
        exit(1);
    }
}

static void start(uint32_t miss_limit)
{
    const struct svmc_token_config config = { .crypto = &crypto,
                                              .entries = entries,
                                              .vms = vms,
                                              .events = events,
                                              .expected = expected,
                                              .entry_count = 9,
                                              .vm_count = 1,
                                              .event_count = 64,
                                              .expected_count = 2,
                                              .mac_alg = 1,
                                              .miss_limit = miss_limit,
                                              .lock_ticks = 1 };

    must(svmc_token_pool_init(&pool, &config) == SVMC_OK);
    must(svmc_token_vm_open(&pool, 1, 1) == SVMC_OK);
    svmc_token_vcpu_init(&vcpu);
}

static void enrol(struct svmc_token *out)
{
    must(svmc_token_enrol(&pool, &caller, &grant, SVMC_OK, out) == SVMC_OK);
}

static unsigned check(const struct svmc_token *t)
{
    must(svmc_token_check(&pool, &vcpu, &caller, t, &verdict) == SVMC_OK);
    return verdict.end;
}

static unsigned walk(const struct svmc_token *t)
{
    must(svmc_token_check_walk(&pool, &vcpu, &caller, t, &verdict) == SVMC_OK);
    return verdict.end;
}

/* The right one, three wrong ones and three that are none, on every way there is. */
static void each(struct svmc_token *forms)
{
    struct svmc_token old;

    enrol(&old);
    must(svmc_token_revoke(&pool, old.handle) == SVMC_OK);
    enrol(&forms[0]);
    for (unsigned n = 1; n < 7; n++)
        forms[n] = forms[0];
    forms[1].tag[0] ^= 1;
    forms[2].tag[15] ^= 1;
    forms[3] = old;
    forms[4].handle += 1u << 16;
    forms[5].handle |= 0xfff0;
    forms[6].handle = 0;
}

static void all_paths(void)
{
    struct svmc_token forms[7], mac, child;
    struct svmc_token_call call = { .counter = 1 };

    start(2);
    each(forms);
    must(check(&forms[0]) == SVMC_TOKEN_WALK && walk(&forms[0]) == SVMC_TOKEN_ALLOWED);
    must(check(&forms[0]) == SVMC_TOKEN_ALLOWED);
    for (unsigned n = 1; n < 7; n++) {
        must(check(&forms[n]) == SVMC_TOKEN_REFUSED && walk(&forms[n]) == SVMC_TOKEN_REFUSED);
        must(svmc_token_why(&pool, &vcpu, &caller, &forms[n]) != 0);
        svmc_token_vcpu_init(&vcpu);
    }
    caller.frame = 0x1000;
    must(walk(&forms[0]) == SVMC_TOKEN_REFUSED);
    caller.frame = 0;
    mac.handle = forms[0].handle;
    must(svmc_token_call_mac(&crypto, 1, &forms[0], &call, mac.tag) == SVMC_OK);
    for (unsigned n = 0; n < 3; n++) { /* allowed, again, wrong */
        must(svmc_token_check_call(&pool, &vcpu, &caller, &mac, &call, &verdict) == SVMC_OK);
        must(verdict.end == (n == 0 ? SVMC_TOKEN_ALLOWED : SVMC_TOKEN_REFUSED));
        mac.tag[7] ^= n == 1;
    }
    must(svmc_token_attenuate(&pool, mac.handle, &caller, &grant, &child) == SVMC_OK);
    must(svmc_token_rotate(&pool, mac.handle, NULL, &forms[0]) == SVMC_OK);
    must(walk(&forms[0]) == SVMC_TOKEN_ALLOWED);
    must(svmc_token_beat(&pool, mac.handle, 5) == SVMC_OK);
    must(svmc_token_tick(&pool, 7) == SVMC_OK);
    must(svmc_token_revoke_subtree(&pool, mac.handle) == SVMC_OK);
    enrol(&forms[0]);
    must(svmc_token_vm_restore(&pool, 1, 2) == SVMC_OK);
    must(svmc_token_vm_close(&pool, 1) == SVMC_OK);
    svmc_token_pool_drop(&pool);
}

/* What a compare that gives away something looks like to valgrind. */
static void leak(void)
{
    struct svmc_token forms[7];
    unsigned n = 0;

    start(2);
    each(forms);
    while (n < 16 && forms[0].tag[n] == forms[1].tag[n])
        n++;
    printf("left at %u\n", n > 1);
}

int main(int argc, char **argv)
{
    struct svmc_token forms[7];
    unsigned form = argc > 1 ? (unsigned)atoi(argv[1]) : 0;

    if (argc == 1) {
        all_paths();
    } else if (strcmp(argv[1], "leak") == 0) {
        leak();
    } else {
        start(UINT32_MAX);
        each(forms);
        must(form < 7 && walk(&forms[0]) == SVMC_TOKEN_ALLOWED);
        for (unsigned n = 0; n < 100; n++)
            (void)check(&forms[form]);
    }
    return 0;
}
