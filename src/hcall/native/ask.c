/* SPDX-License-Identifier: MIT */
/** Numbers 0 to 7 of an owner: what it has, and how it is called (HN-19). */
#include "../../core/bytes.h"
#include "native_private.h"

#define LOOKED_AT 256u /* numbers, by one NEXT: bounded time */

/* Five words about a call: flags, versions, hash of the schema, name. */
CORE_COLD static void describe(const struct native_entry *e, uint64_t who, uint64_t *to)
{
    const struct svmc_hcall_entry *c = e->call;
    const uint8_t *name = (const uint8_t *)c->name;
    uint64_t flags = e->handler ? SVMC_HCALL_IS_THERE : SVMC_HCALL_WAS_THERE;

    flags |= (who & MAY_FIELDS & ~e->may) == 0 ? SVMC_HCALL_MAY_NOW : 0;
    flags |= (e->may & SVMC_HCALL_CLASS(0)) != 0 ? SVMC_HCALL_MAY_PLAIN : 0;
    flags |= c->flags & SVMC_HCALL_MAY_PARTIAL ? SVMC_HCALL_HAS_PARTIAL : 0;
    flags |= c->flags & SVMC_HCALL_MAY_REPEAT ? SVMC_HCALL_HAS_REPEAT : 0;
    flags |= e->schema->special ? SVMC_HCALL_HAS_MEMORY : 0;
    to[0] = flags | (uint32_t)c->cost << 8 | (uint32_t)e->schema->results << 16;
    to[1] = c->since | (uint32_t)c->dropped << 16;
    to[2] = e->schema->hash;
    to[3] = core_load_le64(name);
    to[4] = core_load_le64(name + 8);
}

CORE_COLD static void describe_argument(const struct native_schema *s, unsigned n, uint64_t *to)
{
    const struct svmc_hcall_arg *arg = &s->from->arg[core_clamp(n, REGS)];
    const struct native_check *check = &s->check[core_clamp(n, REGS)];

    to[0] = arg->kind | (uint32_t)arg->access << 8 | (uint32_t)arg->of << 16 |
            (uint64_t)arg->type << 24 | (uint64_t)arg->align << 32;
    to[1] = arg->min;
    to[2] = arg->kind == SVMC_HCALL_FLAGS ? arg->max : check->min + check->span;
    to[3] = arg->bytes;
}

/* The owner's number at or behind `number` that is a call's; `count` if there is none near. */
CORE_COLD static uint32_t next_call(const struct native_entry *e, uint32_t number, uint32_t count)
{
    for (uint32_t i = 0; i < LOOKED_AT && number < count; i++, number++)
        if (e[core_clamp(number, count)].call)
            break;
    return number;
}

CORE_COLD static unsigned ask_call(const struct native_entry *e, uint32_t count, uint64_t who,
                                   const struct svmc_hcall_call *call, uint64_t *to, unsigned *bad)
{
    uint32_t number = call->arg[0] < count ? (uint32_t)call->arg[0] : count;
    bool next = (uint16_t)call->control == SVMC_HCALL_ASK_NEXT;

    if (next)
        number = next_call(e, number, count);
    to[0] = number < count ? number : UINT64_MAX;
    if (next && (number >= count || !e[core_clamp(number, count)].call))
        return 2; /* to[1] is 0: ask on from there, or all were seen */
    *bad = 1;
    if (number >= count || !e[core_clamp(number, count)].call)
        return 0;
    e += core_clamp(number, count);
    *bad = 0;
    if ((uint16_t)call->control != SVMC_HCALL_ASK_ARGUMENT) {
        describe(e, who, to + next);
        return 5u + next;
    }
    *bad = call->arg[1] - 1 < REGS ? 0 : 2;
    describe_argument(e->schema, *bad ? 0 : (unsigned)call->arg[1] - 1, to);
    return 4;
}

CORE_COLD enum svmc_status svmc_native_ask(struct native_work *w)
{
    const struct svmc_hcall_vcpu *v = w->v;
    const struct svmc_hcall_vm *vm = v->priv.vm;
    struct svmc_hcall_call *call = w->call;
    struct svmc_hcall_result *out = w->out;
    unsigned id = (uint32_t)call->control >> SVMC_HCALL_OWNER_SHIFT & 63u, bad = 0, results = 0;
    uint32_t first = vm->table->priv.row[id].first; /* clamp: six bits of 64 rows */
    uint32_t count = vm->table->priv.row[id].count; /* clamp: as above */
    const struct svmc_hcall_owner *owner =
        &vm->table->priv.owners[vm->table->priv.row[id].owner]; /* clamp: as above */
    uint64_t who = native_who(v, call), to[REGS] = { 0 };

    if ((who & MAY_FIELDS & ~owner->may) != 0)
        return svmc_native_answer(out, SVMC_HCALL_DENIED, 0);
    switch ((uint16_t)call->control) {
    case SVMC_HCALL_ASK_VERSION:
        to[0] = SVMC_HCALL_ABI;
        to[1] = owner->first | (uint32_t)owner->last << 16;
        results = 2;
        break;
    case SVMC_HCALL_ASK_UID:
        to[0] = core_load_le64(owner->uid);
        to[1] = core_load_le64(owner->uid + 8);
        results = 2;
        break;
    case SVMC_HCALL_ASK_LIMITS:
        to[0] = v->priv.room.scratch_bytes;
        to[1] = v->priv.room.slot_count;
        to[2] = vm->batch_entries;
        to[3] = vm->batch_ticks;
        results = 4;
        break;
    case SVMC_HCALL_ASK_FEATURES:
    case SVMC_HCALL_ASK_NEXT:
    case SVMC_HCALL_ASK_ARGUMENT:
        results = ask_call(native_entries(vm->table) + first, count, who, call, to, &bad);
        break;
    default:
        return svmc_native_answer(out, SVMC_HCALL_NOT_DEFINED, 0);
    }
    if (bad != 0)
        return svmc_native_answer(out, SVMC_HCALL_BAD_ARG, bad);
    memcpy(call->arg, to, results * sizeof to[0]);
    out->results = (uint8_t)results;
    return svmc_native_answer(out, SVMC_HCALL_OK, 0);
}
