/* SPDX-License-Identifier: MIT */
/*
 * Everything that handles a tag, and after each step a search for each tag that is dead (TK-14).
 * Exit status: 0: living tags are found, and no others; 1: else; 77: see residue.h.
 */
#include <svmcore/guest/hypercall.h>
#include <svmcore/insn.h>
#include <svmcore/judge.h>
#include <svmcore/token_page.h>

#include "mix.h"
#include "residue.h"

#define NUMBER 8u /* of the call */

_Static_assert(SECRET_BYTES == SVMC_TOKEN_TAG_BYTES, "a tag is a secret");

static struct svmc_token_pool pool;
static struct svmc_token_entry entries[17];
static struct svmc_token_vm vms[1];
static struct svmc_token_slot events[64];
static struct svmc_token_expected expected[2];
static struct svmc_token_vcpu vcpus[2];
static uint8_t page[SVMC_TOKEN_PAGE_BYTES];
static uint64_t scratch[256], room[256], batch[3][SVMC_HCALL_BATCH_BYTES / 8];
static uint32_t handles[SECRETS];
static unsigned handled;
static _Bool random_fails;

/* ---- tags, which nothing here keeps -----------------------------------------------------------*/

static enum svmc_status draw(void *ctx, void *dst, size_t n)
{
    (void)ctx;
    if (n != SVMC_TOKEN_TAG_BYTES) { /* no tag */
        for (size_t i = 0; i < n; i++)
            ((uint8_t *)dst)[i] = (uint8_t)harness_random(&rng);
        return SVMC_OK;
    }
    make_secret(dst);
    return random_fails ? SVMC_ERR_CALLBACK : SVMC_OK;
}

static const struct svmc_crypto_ops crypto = { .size = sizeof crypto, .random = draw, .mac = mix };

/* ---- copies that are kept, all of which are found ---------------------------------------------*/

static uint8_t *heap;

static void plant_in_heap(void)
{
    heap = malloc(33);
    must(heap != NULL, "memory");
    unmask(0, heap + 13);
}

static void plant_half_in_data(void)
{
    unmask(0, page + 1);
    wipe(page + 1, 8);
}

static void plant_on_the_stack(void)
{
    uint8_t frame[333];

    unmask(0, frame + 100);
}

static void plant_in_a_register(void)
{
    uint64_t word = masked[0][1] ^ mask;

    __asm__ volatile("movq %0, %%xmm7" : : "r"(word) : "xmm7");
}

static void empty_the_register(void)
{
    __asm__ volatile("pxor %%xmm7, %%xmm7" : : : "xmm7");
}

static void plants(void)
{
    uint8_t tag[SVMC_TOKEN_TAG_BYTES];

    OK(draw(NULL, tag, sizeof tag));
    wipe(tag, sizeof tag);
    now("no copy yet", empty_the_register);
    alive[0] = 1;
    home_bytes = UINT64_MAX;
    now("a copy in the heap", plant_in_heap);
    wipe(heap, 33);
    now("half a copy in the data", plant_half_in_data);
    wipe(page, sizeof page);
    now("a copy on the stack", plant_on_the_stack);
    now("half a copy in a register", plant_in_a_register);
    alive[0] = 0;
    now("no copy left", empty_the_register);
}

/* ---- a pool, a judge, a dispatcher ------------------------------------------------------------*/

static struct svmc_token_caller caller = { .vm = 1,
                                           .vm_generation = 1,
                                           .stage2_generation = 1,
                                           .root = 0x1000,
                                           .ticks = 1,
                                           .isa = SVMC_ISA_X86_64 };
static struct svmc_token_grant grant = { .vcpus = 1, .classes = 2, .until = SVMC_TOKEN_FOREVER };
static struct svmc_judge judge;
static struct svmc_hcall_table table;
static struct svmc_hcall_vm vm;
static struct svmc_hcall_vcpu vcpu;

static enum svmc_status who(void *ctx, const struct svmc_hcall_call *call,
                            struct svmc_token_caller *out)
{
    (void)ctx, (void)call;
    *out = caller;
    return SVMC_OK;
}

static enum svmc_status walk(void *ctx, const struct svmc_token_caller *c, uint32_t handle,
                             uint64_t *frame)
{
    (void)ctx, (void)c, (void)handle;
    *frame = 0;
    return SVMC_OK;
}

static const struct svmc_judge_ops judge_ops = { .size = sizeof judge_ops,
                                                 .caller = who,
                                                 .walk = walk };

static enum svmc_status ask(void *ctx, uint32_t number, const struct svmc_hcall_call *call,
                            struct svmc_hcall_accepted *out)
{
    (void)ctx;
    return svmc_judge_call(&judge, number, call, out);
}

static enum svmc_status translate(void *ctx, const struct svmc_hcall_caller *c, svmc_gva at,
                                  uint32_t access, svmc_gpa *out, struct svmc_fault *fault)
{
    (void)ctx, (void)c, (void)access, (void)fault;
    out->v = at.v;
    return SVMC_OK;
}

static enum svmc_status guest_span(void *ctx, const struct svmc_hcall_caller *c, svmc_gpa at,
                                   size_t n, uint32_t access, void **span)
{
    (void)ctx, (void)c, (void)access, (void)n;
    *span = (uint8_t *)batch + at.v;
    return SVMC_OK;
}

static const struct svmc_hcall_ops hcall_ops = {
    .size = sizeof hcall_ops, .translate = translate, .guest_span = guest_span, .token = ask
};

static uint32_t handler(void *ctx, struct svmc_hcall_run *run)
{
    (void)ctx, (void)run;
    handled++;
    return SVMC_HCALL_OK;
}

static const struct svmc_hcall_schema schema = { .arg = { { .kind = SVMC_HCALL_U64 } } };
static const struct svmc_hcall_entry entry = { .handler = handler,
                                               .may = (SVMC_HCALL_MAY_ALL & ~SVMC_HCALL_ANY_CLASS) |
                                                      SVMC_HCALL_CLASS(1),
                                               .number = NUMBER };
static const struct svmc_hcall_owner owner = { .calls = &entry,
                                               .schemas = &schema,
                                               .call_count = 1,
                                               .schema_count = 1,
                                               .may = SVMC_HCALL_MAY_ALL };

static void start(void)
{
    const struct svmc_token_config config = { .crypto = &crypto,
                                              .entries = entries,
                                              .vms = vms,
                                              .events = events,
                                              .expected = expected,
                                              .entry_count = 17,
                                              .vm_count = 1,
                                              .event_count = 64,
                                              .expected_count = 2,
                                              .mac_alg = 1,
                                              .miss_limit = 2,
                                              .lock_rounds = 30,
                                              .lock_ticks = 1 };
    const struct svmc_hcall_place place = { .isa = SVMC_ISA_X86_64 };
    const struct svmc_hcall_room lent = { .scratch = scratch, .scratch_bytes = sizeof scratch };

    OK(svmc_token_pool_init(&pool, &config));
    OK(svmc_token_vm_open(&pool, 1, 1));
    OK(svmc_judge_init(&judge, &pool, vcpus, 2, &judge_ops, NULL));
    OK(svmc_hcall_init(&table, &owner, 1, room, sizeof room, NULL));
    vm = (struct svmc_hcall_vm){
        .table = &table, .ops = &hcall_ops, .crypto = &crypto, .batch_entries = 9
    };
    OK(svmc_hcall_vcpu_init(&vcpu, &vm, 0, &place, &lent));
}

/* ---- steps ------------------------------------------------------------------------------------*/

/* The tag that was drawn last is living, and its copy outside of the pool gone. */
static void keep(struct svmc_token *t)
{
    alive[drawn - 1] = 1;
    handles[drawn - 1] = t->handle;
    wipe(t, sizeof *t);
}

static void enrol(void)
{
    struct svmc_token t;

    OK(svmc_token_enrol(&pool, &caller, &grant, SVMC_OK, &t));
    keep(&t);
}

static void enrol_with_bad_random(void)
{
    struct svmc_token t;

    random_fails = 1;
    must(svmc_token_enrol(&pool, &caller, &grant, SVMC_OK, &t) == SVMC_ERR_CALLBACK, "fails");
    random_fails = 0;
}

static unsigned living(void)
{
    unsigned n = drawn - 1;

    while (!alive[n])
        n--;
    return n;
}

static void attenuate(void)
{
    struct svmc_token t;

    OK(svmc_token_attenuate(&pool, handles[living()], &caller, &grant, &t));
    keep(&t);
}

static void check_forms(void)
{
    struct svmc_token t;
    struct svmc_token_verdict v;

    for (unsigned form = 0; form < 6; form++) {
        svmc_token_vcpu_init(&vcpus[0]);
        for (unsigned n = 0; n < 3; n++) { /* the third is an alarm */
            unmask(living(), t.tag);
            t.handle = handles[living()] + (form == 1 ? 1u << 16 : form == 2 ? 0xfff0 : 0);
            t.tag[form == 4 ? 0 : 15] ^= form >= 3; /* 3 5: the last byte */
            caller.root ^= form == 5;
            OK(svmc_token_check(&pool, &vcpus[0], &caller, &t, &v));
            OK(svmc_token_check_walk(&pool, &vcpus[0], &caller, &t, &v));
            (void)svmc_token_why(&pool, &vcpus[0], &caller, &t);
            caller.root ^= form == 5;
            wipe(&t, sizeof t);
        }
        must(v.end == (form == 0 ? SVMC_TOKEN_ALLOWED : SVMC_TOKEN_REFUSED), "verdict");
    }
    svmc_token_vcpu_init(&vcpus[0]);
}

static void check_walk(void)
{
    struct svmc_token t = { .handle = handles[living()] };
    struct svmc_token_verdict v;

    unmask(living(), t.tag);
    OK(svmc_token_check_walk(&pool, &vcpus[0], &caller, &t, &v));
    wipe(&t, sizeof t);
}

static void why(void)
{
    struct svmc_token t = { .handle = handles[living()] };

    unmask(living(), t.tag);
    must(svmc_token_why(&pool, &vcpus[0], &caller, &t) == 0, "why");
    wipe(&t, sizeof t);
}

static uint64_t counter;

/* The MAC in `mac`, which is no secret. */
static void call_mac(struct svmc_token *mac, struct svmc_token_call *call)
{
    struct svmc_token t = { .handle = handles[living()] };

    unmask(living(), t.tag);
    *call = (struct svmc_token_call){ .counter = ++counter };
    mac->handle = t.handle;
    OK(svmc_token_call_mac(&crypto, 1, &t, call, mac->tag));
    wipe(&t, sizeof t);
}

static void make_mac(void)
{
    struct svmc_token mac;
    struct svmc_token_call call;

    call_mac(&mac, &call);
}

static void check_call(void)
{
    struct svmc_token mac;
    struct svmc_token_call call;
    struct svmc_token_verdict v;

    call_mac(&mac, &call);
    scrub();
    OK(svmc_token_check_call(&pool, &vcpus[0], &caller, &mac, &call, &v));
    must(v.end == SVMC_TOKEN_ALLOWED, "allowed by its MAC");
}

static void registers_of(struct svmc_hcall_call *call, uint64_t flags)
{
    memset(call, 0, sizeof *call);
    call->control = (uint64_t)SVMC_HCALL_ABI << SVMC_HCALL_ABI_SHIFT | flags;
    call->token[0] = handles[living()];
    unmask(living(), call->token + 1);
}

static void judged(void)
{
    struct svmc_hcall_call call;
    struct svmc_hcall_accepted out;

    registers_of(&call, SVMC_HCALL_TOKEN | NUMBER);
    call.classes = 2;
    OK(svmc_judge_call(&judge, 0, &call, &out));
    wipe(&call, sizeof call);
}

static void dispatched(void)
{
    struct svmc_hcall_call call;
    struct svmc_hcall_result out;

    handled = 0;
    registers_of(&call, SVMC_HCALL_TOKEN | NUMBER);
    OK(svmc_hcall_dispatch(&vcpu, &call, &out));
    must(out.status == SVMC_HCALL_OK && handled == 1, "dispatched");
    wipe(&call, sizeof call);
}

static void refused(void)
{
    struct svmc_hcall_call call;
    struct svmc_hcall_result out;

    registers_of(&call, SVMC_HCALL_TOKEN | NUMBER);
    call.token[2] ^= 1;
    OK(svmc_hcall_dispatch(&vcpu, &call, &out));
    must(out.status == SVMC_HCALL_DENIED, "refused");
    wipe(&call, sizeof call);
    svmc_token_vcpu_init(&vcpus[0]);
}

static void batched(void)
{
    struct svmc_hcall_call call;
    struct svmc_hcall_result out;

    handled = 0;
    for (unsigned n = 0; n < 3; n++)
        batch[n][0] = (uint64_t)SVMC_HCALL_ABI << SVMC_HCALL_ABI_SHIFT | SVMC_HCALL_TOKEN | NUMBER;
    registers_of(&call, SVMC_HCALL_BATCH | (uint64_t)3 << SVMC_HCALL_REPS_SHIFT);
    OK(svmc_hcall_dispatch(&vcpu, &call, &out));
    must((uint16_t)out.status == SVMC_HCALL_OK && handled == 3, "batched");
    wipe(&call, sizeof call);
}

static void data_page(void)
{
    const struct svmc_token_addresses at = { .safe = 0x1000, .first = 0, .step = 16, .count = 999 };
    uint8_t tag[SVMC_TOKEN_TAG_BYTES];
    uint32_t slot;

    unmask(living(), tag);
    OK(svmc_token_page_data(&crypto, handles[living()], tag, &at, page, &slot));
    must(svmc_token_page_find(page, tag) == slot, "slot");
    wipe(tag, sizeof tag);
    wipe(page, sizeof page); /* the embedder's: no other copy than this was made */
}

static void gate_pages(void)
{
    static const uint8_t isa[] = { SVMC_ISA_X86_64, SVMC_ISA_A64, SVMC_ISA_RV64 };
    struct svmc_token_gate gate;
    uint8_t tag[SVMC_TOKEN_TAG_BYTES];

    for (unsigned n = 0; n < sizeof isa; n++) {
        do
            OK(svmc_token_gate_place(&crypto, SVMC_TOKEN_PAGE_GATE, isa[n],
                                     n == 0 ? SVMC_WAY_VMCALL : SVMC_WAY_CALL, 0x1000, &gate));
        while (gate.slot != gate.stubs - 1); /* no decoy is made after it */
        unmask(living(), tag);
        OK(svmc_token_gate_fill(&crypto, &gate, tag, page));
        wipe(tag, sizeof tag);
        wipe(page, sizeof page);
    }
}

static void rotate(void)
{
    struct svmc_token t;
    unsigned n = living();

    OK(svmc_token_rotate(&pool, handles[n], NULL, &t));
    alive[n] = 0;
    keep(&t);
}

static void revoke_one(void)
{
    OK(svmc_token_revoke(&pool, handles[living()]));
    alive[living()] = 0;
}

static void all_dead(void)
{
    memset(alive, 0, sizeof alive);
}

static void revoke_subtree(void)
{
    unsigned n = 1;

    while (!alive[n])
        n++;
    OK(svmc_token_revoke_subtree(&pool, handles[n]));
    all_dead();
}

static void restore(void)
{
    OK(svmc_token_vm_restore(&pool, 1, ++caller.vm_generation));
    all_dead();
}

static void end_of_the_vm(void)
{
    OK(svmc_token_vm_close(&pool, 1));
    OK(svmc_token_vm_open(&pool, 1, caller.vm_generation));
    all_dead();
}

static void end_by_deadline(void)
{
    grant.until = caller.ticks + 5;
    enrol();
    grant.until = SVMC_TOKEN_FOREVER;
    grant.beat_ticks = 5;
    grant.flags = SVMC_TOKEN_BEAT_KILLS;
    enrol();
    attenuate();
    OK(svmc_token_tick(&pool, caller.ticks + 99));
    all_dead();
}

static void drop(void)
{
    svmc_token_pool_drop(&pool);
    all_dead();
}

int main(void)
{
    static const struct {
        const char *name;
        void (*step)(void);
    } steps[] = {
        { "start", start },
        { "enrol", enrol },
        { "enrol, bad random", enrol_with_bad_random },
        { "check", check_forms },
        { "check_walk", check_walk },
        { "why", why },
        { "call_mac", make_mac },
        { "check_call", check_call },
        { "judge", judged },
        { "dispatch", dispatched },
        { "dispatch, refused", refused },
        { "dispatch, batch", batched },
        { "data page", data_page },
        { "gate pages", gate_pages },
        { "rotate", rotate },
        { "attenuate", attenuate },
        { "a child's child", attenuate },
        { "check_call of a child", check_call },
        { "revoke", revoke_one },
        { "revoke_subtree", revoke_subtree },
        { "enrol before restore", enrol },
        { "restore", restore },
        { "enrol before close", enrol },
        { "close", end_of_the_vm },
        { "deadlines", end_by_deadline },
        { "enrol before drop", enrol },
        { "and another", enrol },
        { "drop", drop },
    };

    plants();
    home = (uint64_t)(uintptr_t)entries;
    home_bytes = sizeof entries;
    halves = 3;
    for (unsigned n = 0; n < sizeof steps / sizeof steps[0]; n++)
        now(steps[n].name, steps[n].step);
    printf("%u tags, %zu steps\n", drawn, sizeof steps / sizeof steps[0]);
    return failed != 0;
}
