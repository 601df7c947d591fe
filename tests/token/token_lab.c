/* SPDX-License-Identifier: MIT */
#include "token_lab.h"

#include <string.h>

#include "../harness.h"

static enum svmc_status draw(void *ctx, void *dst, size_t n)
{
    struct token_lab *lab = (struct token_lab *)((char *)ctx - offsetof(struct token_lab, fake));
    uint64_t words[2] = { harness_random(&lab->rng), harness_random(&lab->rng) };

    if (n != sizeof words || lab->random_is == 1) {
        memset(dst, 0xa5, n);
        return SVMC_ERR_CALLBACK;
    }
    if (lab->random_is == 0)
        memcpy(lab->last, words, sizeof words);
    memcpy(dst, lab->last, n);
    if (lab->random_is == 2)
        memset(dst, 0, n);
    return SVMC_OK;
}

void token_lab_open(struct token_lab *lab)
{
    memset(lab, 0, sizeof *lab);
    fake_crypto_init(&lab->fake);
    lab->fake.ops.random = draw;
    lab->rng = harness_seed();
    lab->config = (struct svmc_token_config){
        .crypto = &lab->fake.ops,
        .entries = lab->entries,
        .vms = lab->vms,
        .events = lab->events,
        .expected = lab->expected,
        .entry_count = LAB_ENTRIES,
        .vm_count = LAB_VMS,
        .event_count = LAB_EVENTS,
        .expected_count = LAB_EXPECTED,
        .mac_alg = SVMC_ALG_MAC_BLAKE2B_256,
        .miss_limit = LAB_LIMIT,
        .lock_rounds = 3,
        .lock_ticks = LAB_LOCK,
    };
    lab->caller = (struct svmc_token_caller){
        .vm = LAB_VM,
        .vm_generation = 1,
        .stage2_generation = 5,
        .root = LAB_ROOT,
        .page = LAB_PAGE,
        .frame = LAB_FRAME,
        .thread = 0x77,
        .returns = LAB_PAGE + 0x108,
        .ticks = 10,
        .vcpu = 3,
        .offset = 0x104,
        .isa = SVMC_ISA_X86_64,
        .user = 1,
    };
    lab->grant = (struct svmc_token_grant){
        .rights = 0xf0f0f0f0f0f0f0f0,
        .vcpus = 0x3b, /* 2 3 5 6 7 */
        .vcpu_first = 2,
        .classes = 0x6,
        .until = SVMC_TOKEN_FOREVER,
        .page = LAB_PAGE,
        .frame = LAB_FRAME,
        .returns = LAB_PAGE + 0x100,
        .return_bytes = 16,
        .offset = 0x104,
        .flags = SVMC_TOKEN_ONE_THREAD,
    };
    for (unsigned n = 0; n < 2; n++)
        svmc_token_vcpu_init(&lab->vcpu[n]);
    CHECK_EQ(svmc_token_pool_init(&lab->pool, &lab->config), SVMC_OK);
    CHECK_EQ(svmc_token_vm_open(&lab->pool, LAB_VM, 1), SVMC_OK);
}

void token_lab_start(struct token_lab *lab)
{
    token_lab_open(lab);
    CHECK_EQ(svmc_token_enrol(&lab->pool, &lab->caller, &lab->grant, SVMC_OK, &lab->token),
             SVMC_OK);
    CHECK_EQ(token_lab_check(lab, &lab->caller, &lab->token), SVMC_TOKEN_WALK);
    CHECK_EQ(token_lab_walk(lab, &lab->caller, &lab->token), SVMC_TOKEN_ALLOWED);
}

unsigned token_lab_check(struct token_lab *lab, const struct svmc_token_caller *caller,
                         const struct svmc_token *token)
{
    memset(&lab->verdict, 0xee, sizeof lab->verdict);
    lab->why = svmc_token_why(&lab->pool, &lab->vcpu[0], caller, token) &
               ~(uint32_t)SVMC_TOKEN_REMAPPED; /* no walk, no frame */
    CHECK_EQ(svmc_token_check(&lab->pool, &lab->vcpu[0], caller, token, &lab->verdict), SVMC_OK);
    return lab->verdict.end;
}

unsigned token_lab_walk(struct token_lab *lab, const struct svmc_token_caller *caller,
                        const struct svmc_token *token)
{
    memset(&lab->verdict, 0xee, sizeof lab->verdict);
    lab->why = svmc_token_why(&lab->pool, &lab->vcpu[0], caller, token);
    CHECK_EQ(svmc_token_check_walk(&lab->pool, &lab->vcpu[0], caller, token, &lab->verdict),
             SVMC_OK);
    return lab->verdict.end;
}

struct svmc_token_event token_lab_event(struct token_lab *lab)
{
    struct svmc_token_event event;

    CHECK_EQ(svmc_token_event_next(&lab->pool, &event), SVMC_OK);
    return event;
}
