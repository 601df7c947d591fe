/* SPDX-License-Identifier: MIT */
/** The embedding of tokens: pool, judge, measured pages, the gate and what protects it. */
#include "tokens.h"

#include <stdio.h>
#include <string.h>

#include "../guests/bootinfo.h"
#include "back_end.h"
#include "embed.h"
#include "watch.h"

#define VM_ID      1u
#define GENERATION 1u
#define PAGE       4096u
#define CLASS_PUT  1u
#define MISSES     4u  /* guesses until a token is locked out */
#define LOCK_CALLS 16u /* for so many calls */
#define ASK_CALLS  8u  /* a call that was asked for comes within so many */

static struct vcpu *at_work; /* --tokens is of one vCPU */

/* --- what the library asks for --- */

/* The back end, but with random numbers that go on the tape. NULL: there is none. */
static const struct svmc_crypto_ops *back_end(void)
{
    static struct svmc_crypto_ops ops;
    const struct svmc_crypto_ops *from = ops.size > 0 ? NULL : tokens_back_end();

    if (from)
        ops = back_end_taped(from);
    return ops.size > 0 ? &ops : NULL;
}

static uint8_t *ram(uint64_t at)
{
    return at_work->kvm ? at_work->kvm->vm->memory + at : NULL;
}

static enum svmc_status page_span(void *ctx, svmc_gpa at, size_t n, uint32_t access, void **span)
{
    (void)ctx;
    *span = at.v < BOOT_RAM_BYTES && n <= BOOT_RAM_BYTES - at.v ? ram(at.v) : NULL;
    at_work->calling.spans = 0; /* the last one's is over */
    return watch_span(at_work, at.v, n, access, span) ? SVMC_OK : SVMC_ERR_CALLBACK;
}

static enum svmc_status walk_page(void *ctx, const struct svmc_token_caller *caller,
                                  struct svmc_measure_walk *out)
{
    uint64_t word[2 + 2 * SVMC_MEASURE_LEVELS] = { 0 };

    (void)ctx;
    if (at_work->kvm && calls_walk(at_work, caller->root, caller->page, caller->user, out)) {
        word[0] = out->frame;
        word[1] = out->levels;
        for (uint32_t i = 0; i < SVMC_MEASURE_LEVELS; i++) {
            word[2 + 2 * i] = out->step[i].at;
            word[3 + 2 * i] = out->step[i].entry;
        }
    }
    if (!watch_call(at_work, WATCH_WALK, 0, word, sizeof word))
        return SVMC_ERR_CALLBACK;
    *out = (struct svmc_measure_walk){ .frame = word[0], .levels = (uint32_t)word[1] };
    for (uint32_t i = 0; i < SVMC_MEASURE_LEVELS; i++)
        out->step[i] = (struct svmc_measure_step){ word[2 + 2 * i], word[3 + 2 * i] };
    return SVMC_OK;
}

static const struct svmc_measure_ops measure_ops = { .size = sizeof measure_ops,
                                                     .guest_span = page_span,
                                                     .walk = walk_page };

static void describe(const struct tokens *t, uint8_t user, struct svmc_token_caller *out)
{
    *out = (struct svmc_token_caller){ .vm = VM_ID,
                                       .vm_generation = GENERATION,
                                       .root = t->who.root,
                                       .page = t->who.at - t->who.at % PAGE,
                                       .offset = (uint32_t)(t->who.at % PAGE),
                                       .thread = t->who.thread,
                                       .returns = t->who.returns,
                                       .ticks = t->ticks,
                                       .vcpu = at_work->id,
                                       .isa = SVMC_ISA_X86_64,
                                       .user = user };
}

static enum svmc_status who_calls(void *ctx, const struct svmc_hcall_call *call,
                                  struct svmc_token_caller *out)
{
    describe(ctx, call->user, out);
    return SVMC_OK;
}

/* stage2_generation is 0, for no table is guarded: each call is walked, and its way compared. */
static enum svmc_status walk_call(void *ctx, const struct svmc_token_caller *from, uint32_t handle,
                                  uint64_t *frame)
{
    struct tokens *t = ctx;

    (void)handle;
    return svmc_measure_path_check(&t->measure, from, &t->path, frame, &t->walked);
}

static void note_refused(struct tokens *t, const char *why)
{
    if (!t->attempt.open) {
        t->waited++;
        return;
    }
    t->attempt.refused++;
    snprintf(t->attempt.why, sizeof t->attempt.why, "%s", why);
}

static const char *walk_name(enum svmc_measure_why why)
{
    return why == SVMC_MEASURE_REMAPPED ? "not the frame it was"
           : why == SVMC_MEASURE_TABLE  ? "not the table it was"
           : why == SVMC_MEASURE_WHO    ? "who calls is somebody else"
                                        : "its page has changed";
}

static void refused(void *ctx, const struct svmc_token_caller *from,
                    const struct svmc_hcall_call *call, uint32_t why)
{
    static const char *const names[] = { "no such handle",
                                         "a handle of the past",
                                         "from before a snapshot",
                                         "expired",
                                         "another VM's",
                                         "another vCPU's",
                                         "another address space",
                                         "another privilege",
                                         "not the token's instruction",
                                         "another thread, or a return elsewhere",
                                         "",
                                         "locked out on this vCPU",
                                         "the tag is wrong" };
    struct tokens *t = ctx;
    uint32_t first = why ? (uint32_t)__builtin_ctz(why) : 0;
    uint32_t stub = svmc_token_gate_find(&t->gate, from->offset);
    char text[TOKENS_LINE];

    (void)call;
    if (from->page == TOKENS_GATE && stub != SVMC_TOKEN_PAGE_NONE && stub != t->gate.slot)
        snprintf(text, sizeof text, "stub %u of %u is one, an alarm", stub, t->gate.stubs);
    else
        snprintf(text, sizeof text, "%s",
                 why == 0                               ? "not for this call"
                 : 1u << first == SVMC_TOKEN_REMAPPED   ? walk_name(t->walked)
                 : first < sizeof names / sizeof *names ? names[first]
                                                        : "?");
    note_refused(t, text);
}

static const struct svmc_judge_ops judge_ops = {
    .size = sizeof judge_ops, .caller = who_calls, .walk = walk_call, .refused = refused
};

enum svmc_status tokens_judge(struct tokens *t, uint32_t vcpu, const struct svmc_hcall_call *call,
                              struct svmc_hcall_accepted *out)
{
    enum svmc_status st = svmc_judge_call(&t->judge, vcpu, call, out);

    t->attempt.accepted += t->attempt.open && st == SVMC_OK;
    return st;
}

/* --- protection --- */

/* What KVM's slots say, not what was wanted of them. */
static enum svmc_status held(void *ctx, const struct svmc_token_guard *guard,
                             struct svmc_token_held *out)
{
    const struct vm *vm = at_work->kvm ? at_work->kvm->vm : NULL;
    uint64_t answer[2] = { 0 };

    (void)ctx;
    if (vm && guard->why == SVMC_TOKEN_PLAN_SAVED)
        answer[0] = vm_shows(vm, guard->frame) ? SVMC_TOKEN_MAY_ALL : 0;
    else if (vm)
        answer[0] = vm_rights(vm, guard->frame, &answer[1]);
    if (!watch_call(at_work, WATCH_HELD, 0, answer, sizeof answer))
        return SVMC_ERR_CALLBACK;
    *out = (struct svmc_token_held){ .rights = (uint8_t)answer[0], .aliases = (uint8_t)answer[1] };
    return SVMC_OK; /* devices: none of this VM reaches memory */
}

static bool is_held(struct tokens *t)
{
    static const struct svmc_token_plan_ops ops = { .size = sizeof ops, .held = held };
    struct svmc_token_plan_verdict verdict;

    return t->guards > 0 &&
           svmc_token_plan_verify(t->plan, t->guards, 0, &ops, NULL, &verdict) == SVMC_OK &&
           verdict.entry == t->guards;
}

/*
 * A page's part of the plan, and the slot for it. KVM's slots know read-only and absent; what is
 * executed and never read is an absent page that vm.c lets ring 0 execute.
 */
static bool protect(struct tokens *t, uint64_t frame, enum svmc_token_page_kind kind,
                    const struct svmc_token_gate *gate)
{
    const struct svmc_token_abilities can = {
        .can = SVMC_TOKEN_CAN_READ_ONLY | SVMC_TOKEN_CAN_GUARD_DMA |
               (gate ? SVMC_TOKEN_CAN_EXECUTE_ONLY | SVMC_TOKEN_CAN_SPLIT_EXECUTE : 0u),
        .levels = 1
    };
    uint64_t saved = (uintptr_t)t->entries & ~(uint64_t)(PAGE - 1); /* of this process */
    const struct svmc_token_plan_want want = { .frame = frame,
                                               .saved = &saved,
                                               .saved_count = kind == SVMC_TOKEN_PAGE_GATE,
                                               .kind = (uint8_t)kind };
    uint32_t count;

    if (at_work->kvm &&
        !vm_protect(at_work->kvm->vm, frame, gate ? VM_EXECUTE_ONLY : VM_READ_ONLY, gate))
        return false;
    /* the address of a page in this process is random: a trace has it as it was */
    if (!watch_call(at_work, WATCH_HELD, 1, &saved, sizeof saved) ||
        svmc_token_plan_make(&can, &want, t->plan + t->guards, TOKENS_GUARDS - t->guards, &count) !=
            SVMC_OK)
        return false;
    t->guards += count;
    return true;
}

/* --- the calls --- */

static uint32_t begin_try(void *ctx, struct svmc_hcall_run *run)
{
    struct tokens *t = ((struct natives *)ctx)->tokens;
    size_t n = run->buffer[0].bytes < TOKENS_LINE - 1 ? run->buffer[0].bytes : TOKENS_LINE - 1;

    t->attempt = (struct tokens_attempt){ .open = true };
    memcpy(t->attempt.what, run->buffer[0].at, n);
    t->attempts++;
    t->last_good = false;
    /* V10: the keeper wants a change of the page meanwhile */
    if (run->arg[2] != 0 &&
        svmc_judge_expect(&t->judge, t->token.handle, SVMC_HCALL_OWNER(TOKENS_OWNER) | TOKENS_PUT,
                          t->ticks + ASK_CALLS, NULL) != SVMC_OK)
        return SVMC_HCALL_FAILED;
    return SVMC_HCALL_OK;
}

/* Events that the library has: a thing of their own for whoever runs a VM. */
static void drain(struct tokens *t)
{
    static const char *const names[] = { "",
                                         "lost",
                                         "locked out on this vCPU",
                                         "probed",
                                         "remapped",
                                         "a beat is missing",
                                         "expired",
                                         "too late, an event",
                                         "retired",
                                         "replayed" };
    struct svmc_token_event event;

    while (svmc_token_event_next(&t->pool, &event) == SVMC_OK &&
           event.kind != SVMC_TOKEN_EVENT_NONE)
        if (t->attempt.open &&
            (event.kind == SVMC_TOKEN_EVENT_LOCKED || event.kind == SVMC_TOKEN_EVENT_OVERDUE)) {
            t->attempt.refused++;
            snprintf(t->attempt.why, sizeof t->attempt.why, "%s", names[event.kind]);
        }
}

static uint32_t end_try(void *ctx, struct svmc_hcall_run *run)
{
    struct tokens *t = ((struct natives *)ctx)->tokens;
    const struct tokens_attempt *a = &t->attempt;
    bool good;

    (void)run;
    if (svmc_token_tick(&t->pool, t->ticks) != SVMC_OK)
        return SVMC_HCALL_FAILED;
    drain(t);
    good = a->open && a->refused > 0 && a->accepted == 0;
    t->breaches += !good;
    watch_gate(at_work, "%s: %s: %s",
               good              ? "refused"
               : a->accepted > 0 ? "ACCEPTED"
                                 : "NOT REFUSED",
               a->what, a->why);
    t->attempt.open = false;
    return good ? SVMC_HCALL_OK : SVMC_HCALL_FAILED;
}

/* One page of the program's. Token 0: it has none yet. */
static enum svmc_status measure_page(struct tokens *t, const struct svmc_token_caller *from,
                                     uint32_t token, uint64_t frame, const uint8_t *digest,
                                     enum svmc_measure_content content, uint32_t *range)
{
    const svmc_gpa frames[1] = { { frame } };
    const struct svmc_measure_spec spec = { .frames = frames,
                                            .count = 1,
                                            .token = token,
                                            .caller = from,
                                            .digest = digest,
                                            .digest_alg = digest ? SVMC_ALG_BLAKE2B_256 : 0,
                                            .code = (uint8_t)content };

    return svmc_measure_add(&t->measure, &spec, range, NULL);
}

/* K12, A12: is the caller the program that the keeper knows, in the place where it was put? */
static enum svmc_status measured(struct tokens *t, const struct svmc_token_caller *from,
                                 uint32_t *range)
{
    struct svmc_measure_walk way = { 0 };

    *range = 0;
    if (walk_page(NULL, from, &way) != SVMC_OK || from->page != TOKENS_PROGRAM || way.levels == 0 ||
        way.frame != TOKENS_PROGRAM)
        return SVMC_ERR_AUTH;
    return measure_page(t, from, 0, TOKENS_PROGRAM, t->digest, SVMC_MEASURE_PROGRAM, range);
}

/* The gate's code, its measured range, and the way to it. */
static bool fill_gate(struct tokens *t, const struct svmc_token_caller *from)
{
    struct svmc_token_caller gate = *from;

    gate.page = TOKENS_GATE;
    if (svmc_token_gate_fill(back_end(), &t->gate, t->token.tag, t->gate_page) != SVMC_OK)
        return false;
    if (at_work->kvm)
        memcpy(ram(TOKENS_GATE), t->gate_page, sizeof t->gate_page);
    return measure_page(t, from, t->token.handle, TOKENS_GATE, NULL, SVMC_MEASURE_FILLED,
                        &t->gate_range) == SVMC_OK &&
           svmc_measure_path_take(&t->measure, &gate, &t->path, NULL) == SVMC_OK;
}

/* The order counts: pages are closed to the guest before they are measured. */
static uint32_t enrol(void *ctx, struct svmc_hcall_run *run)
{
    struct tokens *t = ((struct natives *)ctx)->tokens;
    struct svmc_token_grant grant = { .vcpus = 3,
                                      .classes = 1u << CLASS_PUT,
                                      .until = SVMC_TOKEN_FOREVER,
                                      .page = TOKENS_GATE,
                                      .frame = TOKENS_GATE,
                                      .returns = TOKENS_PROGRAM,
                                      .return_bytes = PAGE,
                                      .flags = SVMC_TOKEN_ONE_THREAD };
    struct svmc_token_caller from;
    struct svmc_token_gate gate;
    struct svmc_token token;
    enum svmc_status st;
    uint32_t range, holder;

    describe(t, run->user, &from);
    if (svmc_token_gate_place(back_end(), SVMC_TOKEN_PAGE_GATE, SVMC_ISA_X86_64, SVMC_WAY_PORT,
                              TOKENS_GATE, &gate) != SVMC_OK)
        return SVMC_HCALL_FAILED;
    if (t->guards == 0 && (!protect(t, TOKENS_PROGRAM, SVMC_TOKEN_PAGE_SITE, NULL) ||
                           !protect(t, TOKENS_GATE, SVMC_TOKEN_PAGE_GATE, &gate) ||
                           !protect(t, TOKENS_KEPT, SVMC_TOKEN_PAGE_DATA, NULL) || !is_held(t)))
        return SVMC_HCALL_FAILED;
    grant.offset = gate.trap;
    st = svmc_token_enrol(&t->pool, &from, &grant, measured(t, &from, &range), &token);
    if (st != SVMC_OK) {
        if (range != 0 && svmc_measure_unload(&t->measure, range, 0, &holder, NULL) != SVMC_OK)
            return SVMC_HCALL_FAILED;
        note_refused(t, st == SVMC_ERR_AUTH    ? "not the measured program"
                        : st == SVMC_ERR_STATE ? "the window is closed"
                                               : svmc_status_name(st));
        return SVMC_HCALL_DENIED;
    }
    t->attempt.accepted += t->attempt.open;
    t->gate = gate;
    t->token = token;
    if (svmc_measure_hold(&t->measure, range, token.handle, NULL) != SVMC_OK ||
        !fill_gate(t, &from) ||
        measure_page(t, &from, token.handle, TOKENS_KEPT, NULL, SVMC_MEASURE_DATA, &t->kept) !=
            SVMC_OK)
        return SVMC_HCALL_FAILED;
    watch_gate(at_work, "the program has enrolled: %u stubs in its gate, one of them live",
               t->gate.stubs);
    run->arg[0] = t->token.handle;
    run->arg[1] = TOKENS_GATE + t->gate.entry;
    return SVMC_HCALL_OK;
}

static uint32_t seal(void *ctx, struct svmc_hcall_run *run)
{
    struct tokens *t = ((struct natives *)ctx)->tokens;

    (void)run;
    return svmc_token_vm_seal(&t->pool, VM_ID) == SVMC_OK ? SVMC_HCALL_OK : SVMC_HCALL_DENIED;
}

/* The privileged service: a word of the page that nobody else can change. */
static uint32_t put_word(void *ctx, struct svmc_hcall_run *run)
{
    struct tokens *t = ((struct natives *)ctx)->tokens;
    uint64_t at = TOKENS_KEPT + run->arg[0];
    const svmc_gpa page = { TOKENS_KEPT };
    struct svmc_token_caller from;

    describe(t, run->user, &from);
    from.frame = TOKENS_GATE; /* the judge has walked there */
    if (svmc_measure_open(&t->measure, t->kept, page, &from, t->token.handle, NULL) != SVMC_OK)
        return SVMC_HCALL_FAILED;
    if (at_work->kvm)
        memcpy(ram(at), &run->arg[1], 8);
    if (svmc_measure_close(&t->measure, t->kept, page, &from, t->token.handle, NULL) != SVMC_OK)
        return SVMC_HCALL_FAILED;
    t->changes++;
    t->last_good = true;
    if (t->waited > 0)
        watch_gate(at_work, "the program: put %llu -> OK, once it was let in again",
                   (unsigned long long)run->arg[1]);
    else
        watch_gate(at_work, "the program: put %llu -> OK", (unsigned long long)run->arg[1]);
    t->waited = 0;
    return SVMC_HCALL_OK;
}

/* A new tag, another live stub. */
static uint32_t rotate(void *ctx, struct svmc_hcall_run *run)
{
    struct tokens *t = ((struct natives *)ctx)->tokens;
    struct svmc_token_site site = { .page = TOKENS_GATE, .frame = TOKENS_GATE };
    struct svmc_token_caller from;
    uint32_t holder;

    describe(t, run->user, &from);
    if (svmc_measure_unload(&t->measure, t->gate_range, t->token.handle, &holder, NULL) !=
            SVMC_OK ||
        svmc_token_gate_place(back_end(), SVMC_TOKEN_PAGE_GATE, SVMC_ISA_X86_64, SVMC_WAY_PORT,
                              TOKENS_GATE, &t->gate) != SVMC_OK)
        return SVMC_HCALL_FAILED;
    site.offset = t->gate.trap;
    if (svmc_token_rotate(&t->pool, t->token.handle, &site, &t->token) != SVMC_OK ||
        !fill_gate(t, &from))
        return SVMC_HCALL_FAILED;
    run->arg[0] = TOKENS_GATE + t->gate.entry;
    return SVMC_HCALL_OK;
}

/* The demo gives a thief what he could get: the tag; and a token that was lent to vCPU 1. */
static uint32_t steal(void *ctx, struct svmc_hcall_run *run)
{
    struct tokens *t = ((struct natives *)ctx)->tokens;
    const struct svmc_token_grant grant = { .vcpus = 1,
                                            .vcpu_first = 1,
                                            .classes = 1u << CLASS_PUT,
                                            .until = SVMC_TOKEN_FOREVER,
                                            .page = TOKENS_GATE,
                                            .frame = TOKENS_GATE,
                                            .offset = t->gate.trap };
    struct svmc_token token = t->token;
    struct svmc_token_caller from;

    describe(t, run->user, &from);
    if (run->arg[0] == 1 &&
        svmc_token_attenuate(&t->pool, t->token.handle, &from, &grant, &token) != SVMC_OK)
        return SVMC_HCALL_FAILED;
    run->arg[0] = token.handle;
    memcpy(&run->arg[1], token.tag, 8); /* as x86 has numbers in memory */
    memcpy(&run->arg[2], token.tag + 8, 8);
    return SVMC_HCALL_OK;
}

/* --- declarations --- */

enum { A_TEXT, NO_WORDS, TWO_BACK, WORD_AT, ONE_BACK, WHICH };

static const struct svmc_hcall_schema token_schemas[] = {
    [A_TEXT] = { .arg = { { .kind = SVMC_HCALL_GVA, .access = SVMC_ACCESS_READ },
                          { .kind = SVMC_HCALL_LENGTH, .of = 1, .min = 1, .max = NATIVE_TEXT_MAX },
                          { .kind = SVMC_HCALL_U8, .max = 1 } } },
    [NO_WORDS] = { .results = 0 },
    [TWO_BACK] = { .results = 2 },
    [WORD_AT] = { .arg = { { .kind = SVMC_HCALL_U16, .max = 4088, .align = 8 },
                           { .kind = SVMC_HCALL_U64 } } },
    [ONE_BACK] = { .results = 1 },
    [WHICH] = { .arg = { { .kind = SVMC_HCALL_U8, .max = 1 } }, .results = 3 },
};

#define ANYBODY   SVMC_HCALL_MAY_ALL
#define MAY_TOKEN ((SVMC_HCALL_MAY_ALL & ~SVMC_HCALL_ANY_CLASS) | SVMC_HCALL_CLASS(CLASS_PUT))
/* clang-format off */
static const struct svmc_hcall_entry token_calls[] = {
    { begin_try, ANYBODY,                    TOKENS_TRY,    A_TEXT,     1, 0, 0, 1, { 0 }, "try" },
    { end_try,   ANYBODY,                    TOKENS_TRIED,  NO_WORDS,  1, 0, 0, 0, { 0 }, "tried" },
    { enrol,     ANYBODY,                    TOKENS_ENROL,  TWO_BACK, 1, 0, 0, 2, { 0 }, "enrol" },
    { seal,      SVMC_HCALL_MAY_KERNEL,  TOKENS_SEAL,   NO_WORDS,  1, 0, 0, 0, { 0 }, "seal" },
    { put_word,  MAY_TOKEN,              TOKENS_PUT,    WORD_AT,  1, 0, 0, 1, { 0 }, "put" },
    { rotate,    MAY_TOKEN,              TOKENS_ROTATE, ONE_BACK, 1, 0, 0, 1, { 0 }, "rotate" },
    { steal,     ANYBODY,                    TOKENS_STEAL,  WHICH,    1, 0, 0, 0, { 0 }, "steal" },
};
/* clang-format on */

const struct svmc_hcall_owner tokens_owner = {
    .calls = token_calls,
    .schemas = token_schemas,
    .call_count = sizeof token_calls / sizeof token_calls[0],
    .schema_count = sizeof token_schemas / sizeof token_schemas[0],
    .may = SVMC_HCALL_MAY_ALL,
    .first = 1,
    .last = 1,
    .owner = TOKENS_OWNER,
    .uid = { 0x6d, 0x69, 0x6e, 0x69, 0x2d, 0x76, 0x6d, 0x6d, 0x8e, 0x0c, 0x4f, 0x5b, 0x9d, 0x52, 2,
             1 },
};

const char *tokens_name(uint32_t number)
{
    for (uint32_t i = 0; i < tokens_owner.call_count; i++)
        if (token_calls[i].number == number)
            return token_calls[i].name;
    return "?";
}

/* --- a run --- */

bool tokens_expect(struct tokens *t, const uint8_t *image, size_t bytes, char *why, size_t cap)
{
    const size_t at = TOKENS_PROGRAM - BOOT_IMAGE;

    if (!back_end())
        snprintf(why, cap, "--tokens: this build has no libsodium");
    else if (bytes < at + PAGE)
        snprintf(why, cap, "--tokens: this guest has no program at 0x%x", TOKENS_PROGRAM);
    else if (svmc_crypto_hash(back_end(), SVMC_ALG_BLAKE2B_256, image + at, PAGE, t->digest) ==
             SVMC_OK)
        return true;
    else
        snprintf(why, cap, "--tokens: the program cannot be hashed");
    return false;
}

enum svmc_status tokens_open(struct tokens *t, struct vcpu *v)
{
    const struct svmc_token_config pool = { .crypto = back_end(),
                                            .entries = t->entries,
                                            .vms = t->vms,
                                            .events = t->events,
                                            .expected = t->expected,
                                            .entry_count = TOKENS_ENTRIES,
                                            .vm_count = 1,
                                            .event_count = TOKENS_EVENTS,
                                            .expected_count = 2,
                                            .miss_limit = MISSES,
                                            .lock_rounds = 3,
                                            .lock_ticks = LOCK_CALLS };
    const struct svmc_measure_config measure = { .crypto = back_end(),
                                                 .ops = &measure_ops,
                                                 .pages = t->pages,
                                                 .ranges = t->ranges,
                                                 .room = &t->room,
                                                 .page_count = TOKENS_PAGES,
                                                 .range_count = TOKENS_PAGES,
                                                 .vm = VM_ID,
                                                 .ignore = SVMC_MEASURE_IGNORE_X86,
                                                 .mac_alg = SVMC_ALG_MAC_BLAKE2B_256 };
    enum svmc_status st;

    at_work = v;
    back_end_draw_for(v);
    if (!back_end())
        return SVMC_ERR_UNSUPPORTED;
    if (!watch_call(v, WATCH_DIGEST, 0, t->digest, sizeof t->digest))
        return SVMC_ERR_CALLBACK;
    st = svmc_token_pool_init(&t->pool, &pool);
    if (st == SVMC_OK)
        st = svmc_token_vm_open(&t->pool, VM_ID, GENERATION);
    if (st == SVMC_OK)
        st = svmc_measure_init(&t->measure, &measure);
    if (st == SVMC_OK)
        st = svmc_judge_init(&t->judge, &t->pool, t->vcpus, 1, &judge_ops, t);
    svmc_token_vcpu_init(&t->vcpus[0]);
    return st;
}

bool tokens_enter(struct tokens *t, struct vcpu *v)
{
    struct calls_vcpu *c = &v->calling;
    struct svmc_measure_walk way = { 0 };
    struct kvm_regs *regs;
    uint64_t stack;

    at_work = v;
    t->ticks++;
    if (v->kvm) {
        regs = vm_vcpu_behind(v->kvm);
        if (!regs)
            return false;
        t->who = (struct tokens_who){ .at = regs->rip - 1, /* OUT DX, EAX ends there */
                                      .root = c->sregs.cr3 & ~(uint64_t)(PAGE - 1),
                                      .thread = c->sregs.fs.base };
        stack = regs->rsp;
        /* what a gate's RET will take; the guest's memory, and for that no more than a hint (V9) */
        if (stack % 8 == 0 &&
            calls_walk(v, t->who.root, stack - stack % PAGE, c->mode.cpl == 3, &way) &&
            way.frame < BOOT_RAM_BYTES)
            memcpy(&t->who.returns, v->kvm->vm->memory + way.frame + stack % PAGE, 8);
    }
    return watch_call(v, WATCH_WHO, 0, &t->who, sizeof t->who);
}

/* Nobody writes a page of the plan by an instruction of his own: the holder has a call for it. */
bool tokens_trapped(struct vcpu *v, const struct svmc_exit *e)
{
    struct tokens *t = &v->calls->tokens;
    enum svmc_measure_verdict verdict = SVMC_MEASURE_ALLOW;
    struct svmc_measure_event event = { 0 };
    bool write = e->kind == SVMC_KIND_MMIO_WRITE;

    if ((!write && e->kind != SVMC_KIND_MMIO_READ) || e->address >= BOOT_RAM_BYTES)
        return false;
    at_work = v;
    if (write && (svmc_measure_write(&t->measure, (svmc_gpa){ e->address }, e->size, NULL, &verdict,
                                     &event) != SVMC_OK ||
                  verdict != SVMC_MEASURE_REFUSE_EVENT))
        t->breaches++; /* a page that is closed to the guest and not measured */
    note_refused(t,
                 write ? "read-only, and judged a stranger's write" : "executable alone: all ones");
    watch_run(v);
    if (!write)
        memset(v->run + 40, 0xff, 8); /* struct kvm_run, mmio.data: an empty bus */
    watch_complete(v, SVMC_OK);
    return true;
}

bool tokens_end(struct vcpu *v)
{
    struct tokens *t = &v->calls->tokens;
    struct svmc_measure_stand scan = { 0 };
    bool plan, pages;

    at_work = v;
    plan = is_held(t);
    pages = svmc_measure_scan(&t->measure, TOKENS_PAGES, &scan) == SVMC_OK &&
            scan.looks == TOKENS_PAGES && scan.event.kind == SVMC_MEASURE_NOTHING;
    watch_gate(v,
               "%u attempts, %u not refused; the program made %u changes, the last behind them: %s",
               t->attempts, t->breaches, t->changes, t->last_good ? "yes" : "NO");
    watch_gate(v, "its pages are as measured: %s; KVM's slots protect them as planned: %s",
               pages ? "yes" : "NO", plan ? "yes" : "NO");
    svmc_measure_drop(&t->measure);
    svmc_token_pool_drop(&t->pool);
    return t->attempts > 0 && t->breaches == 0 && t->last_good && plan && pages;
}
