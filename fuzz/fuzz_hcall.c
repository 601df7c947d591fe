/* SPDX-License-Identifier: MIT */
/*
 * Any declarations, any calls of three vCPUs of two VMs that move between levels, phases, roles and
 * nestings, batches and cursors, one's own and the others'; callbacks that fail or lie, handlers
 * that answer anything. Traps when a handler is reached by a caller who may not, with
 * an argument that is not in order or a buffer that is not the declared one; when a byte of the
 * guest's outside of one changes; when a refused call changes a register; or when a cursor works
 * twice or elsewhere.
 */
#include <stdbool.h>
#include <string.h>
#include <svmcore/svmcore.h>

#include "input.h"

#define MEMORY  16384u
#define SCRATCH 6144u
#define SCHEMAS 6u
#define CALLS   8u
#define SLOTS   2u
#define VCPUS   3u /* the last one is the second VM's */
#define GUARD   0xa5a5a5a5a5a5a5a5u

static uint8_t memory[MEMORY], was[MEMORY], may_change[MEMORY];
static uint64_t scratch[SCRATCH / 8 + 2], room[2048];
static struct svmc_hcall_schema schemas[SCHEMAS];
static struct svmc_hcall_entry calls[CALLS];
static struct svmc_hcall_owner owner;
static struct svmc_hcall_table table;
static struct svmc_hcall_vm vms[2];
static struct svmc_hcall_vcpu vcpus[VCPUS];
static struct svmc_hcall_slot slots[VCPUS][SLOTS];
static struct svmc_hcall_place places[VCPUS];
static struct input *input;
static unsigned turn, user, token_class, handled, away, failing, batched, held;

static struct svmc_hcall_vm *vm_of(unsigned vcpu)
{
    return &vms[vcpu == VCPUS - 1];
}

static bool fails(void)
{
    return failing != 0 && --failing == 0;
}

static enum svmc_status translate(void *ctx, const struct svmc_hcall_caller *caller, svmc_gva at,
                                  uint32_t access, svmc_gpa *out, struct svmc_fault *fault)
{
    (void)ctx;
    require(caller->vcpu == turn && caller->call->user == user);
    require(!fault->raised && access >= 1 && access <= 3);
    if (fails())
        return SVMC_ERR_CALLBACK;
    out->v = at.v % MEMORY;
    fault->raised = away >> at.v % MEMORY / 4096 & 1;
    return SVMC_OK;
}

static enum svmc_status guest_span(void *ctx, const struct svmc_hcall_caller *caller, svmc_gpa at,
                                   size_t n, uint32_t access, void **span)
{
    (void)ctx;
    require(caller->vcpu == turn && caller->call->user == user);
    require(n > 0 && at.v % 4096 + n <= 4096 && access >= 1 && access <= 3 && !*span);
    if (fails())
        return SVMC_ERR_CALLBACK;
    if (at.v < MEMORY) {
        *span = memory + at.v;
        if (access & SVMC_ACCESS_WRITE)
            memset(may_change + at.v, 1, n);
    }
    return SVMC_OK;
}

static enum svmc_status token(void *ctx, uint32_t vcpu, const struct svmc_hcall_call *call,
                              struct svmc_hcall_accepted *out)
{
    (void)ctx, (void)vcpu;
    require((call->control & SVMC_HCALL_TOKEN) != 0);
    token_class = out->token_class = (uint32_t)call->token[0] % 16 + (call->token[0] >> 63);
    out->handle = token_class + 1;
    out->rights = ~(uint64_t)token_class;
    return call->token[1] == 1   ? SVMC_ERR_STALE
           : call->token[1] == 2 ? SVMC_ERR_AUTH
           : fails()             ? SVMC_ERR_CALLBACK
                                 : SVMC_OK;
}

static enum svmc_status handle(void *ctx, uint32_t vcpu, const struct svmc_hcall_call *call,
                               uint32_t type, uint64_t value, void **object)
{
    (void)ctx, (void)type;
    require(vcpu == turn && call->user == user);
    *object = memory;
    if (fails())
        return SVMC_ERR_CALLBACK;
    held += value & 1;
    return value & 1 ? SVMC_OK : SVMC_ERR_STALE;
}

static void release(void *ctx, uint32_t vcpu, uint32_t type, void *object)
{
    (void)ctx, (void)type;
    require(vcpu == turn && object == memory && held > 0);
    held--;
}

static uint64_t ticks(void *ctx)
{
    static uint64_t now;

    (void)ctx;
    return now += 3;
}

static void abandon(void *ctx, uint32_t vcpu, uint64_t control, uint64_t progress)
{
    (void)ctx, (void)vcpu;
    require((uint16_t)control >= SVMC_HCALL_FIRST && progress != 0);
}

static const struct svmc_hcall_ops ops = {
    sizeof ops, translate, guest_span, token, handle, ticks, abandon, release,
};

/* Not a MAC: that it depends on all of its text is enough here. */
static enum svmc_status mac(void *ctx, uint32_t alg, const uint8_t *key,
                            const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    uint64_t hash = 14695981039346656037u;

    (void)ctx, (void)alg, (void)key;
    for (size_t i = 0; i < pieces; i++)
        for (size_t n = 0; n < piece[i].bytes; n++)
            hash = (hash ^ ((const uint8_t *)piece[i].at)[n]) * 1099511628211u;
    memset(out, 0, SVMC_HASH_BYTES);
    memcpy(out, &hash, sizeof hash);
    return fails() ? SVMC_ERR_CALLBACK : SVMC_OK;
}

static const struct svmc_crypto_ops crypto = { .size = sizeof crypto, .mac = mac };

/* HN-5 and HN-8 once more, from the declarations. */
static void must_be_permitted(const struct svmc_hcall_entry *e)
{
    const struct svmc_hcall_place *p = &places[turn];

    require((e->may & (user ? SVMC_HCALL_USER : SVMC_HCALL_KERNEL)) != 0);
    require((e->may & SVMC_HCALL_LEVEL(p->level)) != 0);
    require((e->may & SVMC_HCALL_ROLE(p->role)) != 0);
    require((e->may & SVMC_HCALL_PHASE(p->phase)) != 0);
    require((e->may & SVMC_HCALL_NESTED(p->nested)) != 0);
}

static void must_be_in_order(const struct svmc_hcall_arg *a, uint64_t v)
{
    uint64_t max = a->max;

    require(a->kind == SVMC_HCALL_NONE || a->align == 0 || v % a->align == 0);
    if (a->kind == SVMC_HCALL_FLAGS)
        require((v | max) == max);
    if (max == 0 && a->kind >= SVMC_HCALL_U8 && a->kind <= SVMC_HCALL_U32)
        max = (1ull << (4 << a->kind)) - 1;
    else if (max == 0 && a->kind == SVMC_HCALL_LENGTH)
        max = UINT32_MAX;
    else if (max == 0 && a->kind != SVMC_HCALL_ENUM)
        max = ~0ull;
    if (a->kind != SVMC_HCALL_NONE && a->kind != SVMC_HCALL_FLAGS)
        require(v >= a->min && v <= max);
}

static uint32_t handler(void *ctx, struct svmc_hcall_run *run)
{
    const struct svmc_hcall_entry *e = NULL;
    uint32_t code = take_byte(input);

    (void)ctx;
    handled++;
    for (unsigned i = 0; i < owner.call_count; i++)
        if (calls[i].number == (uint16_t)run->control)
            e = &calls[i];
    require(e && e->handler && (run->control >> 16 & 63) == owner.owner);
    must_be_permitted(e);
    for (unsigned n = 0; n < SVMC_HCALL_REGS; n++)
        require(!user || schemas[e->schema].arg[n].kind != SVMC_HCALL_GPA ||
                schemas[e->schema].arg[n].access == 0);
    require((run->control >> 44 & 0xfff) <= (run->control >> 32 & 0xfff));
    require(run->user == user && run->vcpu == turn && run->vm == vm_of(turn)->id);
    if (!(run->control & SVMC_HCALL_TOKEN))
        token_class = 0;
    require(run->token == (run->control & SVMC_HCALL_TOKEN ? token_class + 1 : 0) &&
            run->rights == (run->control & SVMC_HCALL_TOKEN ? ~(uint64_t)token_class : 0));
    require(run->token_class == token_class && (e->may & SVMC_HCALL_CLASS(token_class)) != 0);
    require(!(run->control & SVMC_HCALL_DRY_RUN));
    for (unsigned n = 0; n < SVMC_HCALL_REGS; n++) {
        const struct svmc_hcall_arg *a = &schemas[e->schema].arg[n];
        uint64_t bytes = a->bytes;

        must_be_in_order(a, run->arg[n]);
        if (a->access == 0)
            continue;
        for (unsigned k = 0; k < SVMC_HCALL_REGS; k++)
            if (schemas[e->schema].arg[k].kind == SVMC_HCALL_LENGTH &&
                schemas[e->schema].arg[k].of == n + 1)
                bytes = run->arg[k];
        require(run->buffer && run->buffer[n].bytes == bytes && bytes <= SCRATCH);
        require((uint8_t *)run->buffer[n].at >= (uint8_t *)(scratch + 1) &&
                (uint8_t *)run->buffer[n].at + bytes <= (uint8_t *)(scratch + 1) + SCRATCH);
        memset(run->buffer[n].at, 0x77, run->buffer[n].bytes);
        run->buffer[n].bytes += code & 0x80 ? 5 : 0;
    }
    run->arg[0] = 0x1111;
    run->bad = code >> 3 & 7;
    run->hint = 9;
    run->progress++;
    require(run->resumed == (run->progress > 1));
    return code & 0x40 ? code & 15 : SVMC_HCALL_OK;
}

static void take_arg(struct svmc_hcall_arg *a)
{
    uint8_t how;

    take(input, a, 4);
    how = take_byte(input);
    a->kind %= 12;
    a->access = a->kind == SVMC_HCALL_GPA || a->kind == SVMC_HCALL_GVA ? a->access % 5 : how >> 7;
    a->of = a->kind == SVMC_HCALL_LENGTH ? a->of % 8 : how >> 7;
    a->type = a->kind == SVMC_HCALL_HANDLE ? a->type : how >> 7;
    a->align = how & 1 ? 1u << (how >> 1 & 15) : 0;
    a->max = how & 32 ? take_byte(input) : 0;
    a->min = how & 64 ? take_byte(input) : 0;
    a->bytes = a->access && how & 16 ? take_byte(input) * 16u : 0;
}

/* What is in order, whatever the input: of every kind of argument one. */
static void declare_sound(void)
{
    static const struct svmc_hcall_schema sound[SCHEMAS] = {
        { .results = 1 },
        { .arg = { { .kind = SVMC_HCALL_GVA, .access = SVMC_ACCESS_READ },
                   { .kind = SVMC_HCALL_LENGTH, .of = 1, .max = 5000 } },
          .results = 2 },
        { .arg = { { .kind = SVMC_HCALL_GVA,
                     .access = SVMC_ACCESS_READ | SVMC_ACCESS_WRITE,
                     .bytes = 96 },
                   { .kind = SVMC_HCALL_U8 } },
          .results = 6 },
        { .arg = { { .kind = SVMC_HCALL_FLAGS, .max = 7 },
                   { .kind = SVMC_HCALL_ENUM, .min = 1, .max = 9 },
                   { .kind = SVMC_HCALL_U16, .align = 2 } } },
        { .arg = { { .kind = SVMC_HCALL_HANDLE, .type = 3 }, { .kind = SVMC_HCALL_U32 } },
          .results = 1 },
        { .arg = { { .kind = SVMC_HCALL_GPA, .access = SVMC_ACCESS_WRITE, .bytes = 64 } } },
    };

    memcpy(schemas, sound, sizeof schemas);
    for (unsigned i = 0; i < CALLS; i++) {
        calls[i].number = (uint16_t)(SVMC_HCALL_FIRST + i);
        calls[i].handler = handler;
        calls[i].schema = (uint16_t)(i % SCHEMAS);
        calls[i].flags = schemas[i % SCHEMAS].arg[0].access == SVMC_ACCESS_WRITE
                             ? SVMC_HCALL_MAY_REPEAT
                             : SVMC_HCALL_MAY_REPEAT | SVMC_HCALL_MAY_PARTIAL;
        calls[i].dropped = 0;
        calls[i].may &=
            SVMC_HCALL_USER | SVMC_HCALL_ANYWHERE | SVMC_HCALL_ANY_CLASS | SVMC_HCALL_ANY_NESTED;
        calls[i].may |= SVMC_HCALL_KERNEL | SVMC_HCALL_LEVEL(i & 3) | SVMC_HCALL_ROLE(i) |
                        SVMC_HCALL_PHASE(i & 1) | SVMC_HCALL_CLASS(0) | SVMC_HCALL_NESTED(i & 1);
        if (schemas[i % SCHEMAS].arg[0].kind == SVMC_HCALL_GPA)
            calls[i].may &= ~(uint64_t)SVMC_HCALL_USER;
    }
}

/* A table out of the input; where that is refused a sound one, with the input's permissions. */
static void declare(void)
{
    struct svmc_hcall_where where;
    enum svmc_status st;

    memset(schemas, 0, sizeof schemas);
    memset(calls, 0, sizeof calls);
    for (unsigned i = 0; i < SCHEMAS; i++) {
        unsigned count = take_byte(input);

        for (unsigned n = 0; n < count % 7; n++)
            take_arg(&schemas[i].arg[n]);
        schemas[i].results = count / 7 % 7;
    }
    for (unsigned i = 0; i < CALLS; i++) {
        uint8_t how = take_byte(input);

        calls[i].handler = handler;
        calls[i].number = (uint16_t)(SVMC_HCALL_FIRST + i + (how >> 7) * 3);
        calls[i].schema = how % SCHEMAS;
        calls[i].flags = how >> 3 & 3;
        calls[i].dropped = how >> 6 & 1;
        take(input, &calls[i].may, sizeof calls[i].may);
        calls[i].may = how & 32 ? SVMC_HCALL_MAY_ALL : calls[i].may & 0x000fffffffffffff;
        for (unsigned n = 0; n < SVMC_HCALL_REGS; n++) { /* HN-4: most are not refused for these */
            const struct svmc_hcall_arg *a = &schemas[calls[i].schema].arg[n];

            if (a->kind == SVMC_HCALL_GPA && a->access != 0 && calls[i].may != SVMC_HCALL_USER)
                calls[i].may &= ~(uint64_t)SVMC_HCALL_USER;
            if (a->access == SVMC_ACCESS_WRITE)
                calls[i].flags &= ~SVMC_HCALL_MAY_PARTIAL;
        }
    }
    owner = (struct svmc_hcall_owner){ .calls = calls,
                                       .schemas = schemas,
                                       .call_count = CALLS,
                                       .schema_count = SCHEMAS,
                                       .may = SVMC_HCALL_MAY_ALL,
                                       .last = 2,
                                       .owner = 3 };
    require(svmc_hcall_bytes(&owner, 1) <= sizeof room);
    st = svmc_hcall_init(&table, &owner, 1, room, sizeof room, &where);
    require((st == SVMC_OK) == (where.what == SVMC_HCALL_FINE));
    if (st == SVMC_OK)
        return;
    declare_sound();
    require(svmc_hcall_bytes(&owner, 1) <= sizeof room);
    require(svmc_hcall_init(&table, &owner, 1, room, sizeof room, &where) == SVMC_OK);
}

static struct svmc_hcall_place take_place(void)
{
    uint8_t how = take_byte(input), where = take_byte(input);

    return (struct svmc_hcall_place){ .isa = how & 1 ? SVMC_ISA_A64 : SVMC_ISA_X86_64,
                                      .level = how >> 1 & 3,
                                      .nested = how >> 3 & 3,
                                      .phase = how >> 5,
                                      .role = where & 15 };
}

static uint64_t take_value(void)
{
    uint8_t how = take_byte(input);
    uint64_t value;

    if (how < 0x80)
        return how;
    if (how < 0xc0)
        return (uint64_t)take_byte(input) << 6;
    take(input, &value, sizeof value);
    return how & 1 ? value : value & 0xffffffff;
}

static void one(void)
{
    static uint64_t last_cursor;
    static unsigned last_by;
    struct svmc_hcall_call call = { 0 }, before;
    struct svmc_hcall_result out;
    uint8_t how = take_byte(input), flags = take_byte(input);
    enum svmc_status st;
    unsigned reached = handled;

    turn = how % VCPUS;
    user = how >> 1 & 1;
    if (how >> 4 == 15)
        svmc_hcall_vcpu_reset(&vcpus[turn]);
    if (how >> 4 >= 13) {
        places[turn] = take_place();
        require(svmc_hcall_vcpu_move(&vcpus[turn], &places[turn]) == SVMC_OK);
    }
    call.user = (uint8_t)user;
    call.control = (uint64_t)SVMC_HCALL_ABI << 56 | 3u << 16 | (how >> 2 & 15);
    call.control |= (uint64_t)(flags & 0x7f) << 22;
    if (flags & 0x80)
        call.control ^= take_value() << 32;
    for (unsigned n = 0; n < SVMC_HCALL_REGS; n++)
        call.arg[n] = take_value();
    for (unsigned n = 0; n < SVMC_HCALL_TOKEN_REGS; n++)
        call.token[n] = flags & 4 ? take_byte(input) : 0;
    batched = (call.control & SVMC_HCALL_BATCH) != 0;
    if (batched) {
        call.control &= 0xff000000ffffffff & ~0x3fffffull & ~0xff000000ull;
        call.control |= (uint64_t)SVMC_HCALL_ABI << 56 | (uint64_t)(flags & 7) << 32;
        call.arg[0] &= ~63ull;
        call.arg[1] &= 1;
        take(input, memory + call.arg[0] % MEMORY, 64);
        take(input, memory + (call.arg[0] + 64) % MEMORY, 64);
    }
    if ((call.control & SVMC_HCALL_RESUME) && call.arg[0] == 0)
        call.arg[0] = last_cursor;
    memcpy(was, memory, sizeof was);
    memset(may_change, 0, sizeof may_change);
    before = call;
    count_call();
    st = svmc_hcall_dispatch(&vcpus[turn], &call, &out);
    require(held == 0);
    require(scratch[0] == GUARD && scratch[SCRATCH / 8 + 1] == GUARD);
    for (unsigned i = 0; i < MEMORY; i++)
        require(memory[i] == was[i] || may_change[i]);
    require((st == SVMC_OK) == (out.end != SVMC_HCALL_BROKEN));
    if (st != SVMC_OK)
        require(st == SVMC_ERR_CALLBACK && out.results == 0 && out.status == SVMC_HCALL_FAILED);
    require(out.end != SVMC_HCALL_INJECT || (out.fault.raised == 1 && handled == reached));
    require(out.end == SVMC_HCALL_INJECT || out.fault.raised == 0);
    require((uint16_t)out.status < SVMC_HCALL_ALL_CODES && (out.status >> 16 & 15) <= 6);
    require((out.status & 0x7ffff000f0000000) == 0);
    for (unsigned n = out.results; n < SVMC_HCALL_REGS; n++)
        require(call.arg[n] == before.arg[n]);
    require(batched || handled <= reached + 1);
    if (out.status >> 63) {
        require((uint16_t)out.status == SVMC_HCALL_PARTIAL && out.results == 1);
        require(!(before.control & SVMC_HCALL_RESUME) || call.arg[0] != before.arg[0]);
        last_cursor = call.arg[0];
        last_by = turn;
    } else if ((before.control & SVMC_HCALL_RESUME) && !batched && turn != last_by &&
               before.arg[0] == last_cursor) {
        require(handled == reached); /* another vCPU's, of this VM or of the other */
    }
    if ((before.control & SVMC_HCALL_RESUME) && handled != reached && !batched &&
        (uint16_t)out.status != SVMC_HCALL_RETRY && st == SVMC_OK) { /* once, and only here */
        unsigned there = handled;

        call = before;
        require(svmc_hcall_dispatch(&vcpus[turn], &call, &out) == SVMC_OK || failing == 0);
        require(handled == there);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };
    struct svmc_hcall_room lent = { .scratch = scratch + 1,
                                    .scratch_bytes = SCRATCH,
                                    .slot_count = SLOTS };

    input = &in;
    handled = failing = held = 0;
    declare();
    scratch[0] = scratch[SCRATCH / 8 + 1] = GUARD;
    for (unsigned i = 0; i < VCPUS; i++) {
        uint8_t how = take_byte(input);

        *vm_of(i) = (struct svmc_hcall_vm){ .table = &table,
                                            .ops = &ops,
                                            .crypto = &crypto,
                                            .id = 7 + (i == VCPUS - 1),
                                            .batch_entries = 1u + (how & 3),
                                            .batch_ticks = how & 4,
                                            .inject = how >> 3 & 1 };
        if (how & 16) /* else where boot begins */
            places[i] = take_place();
        else
            places[i] = (struct svmc_hcall_place){ .isa = SVMC_ISA_X86_64 };
        lent.slots = slots[i];
        require(svmc_hcall_vcpu_init(&vcpus[i], vm_of(i), i, &places[i], &lent) == SVMC_OK);
    }
    away = take_byte(input) & 15;
    while (in.left > 0) {
        uint8_t how = take_byte(input);

        failing = how < 0x40 ? how : 0;
        one();
    }
    return 0;
}
