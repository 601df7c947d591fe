/* SPDX-License-Identifier: MIT */
/** Declarations become a table: what is wrong in them is found here, not in a call. */
#include "native_private.h"

#define FNV_BASIS 0xcbf29ce484222325u /* draft-eastlake-fnv-17, 64 bits */
#define FNV_PRIME 0x00000100000001b3u

/* The declarations on their way into the table. */
struct build {
    struct svmc_hcall_table *table;
    struct native_entry *entry;
    struct native_schema *schema;
    struct svmc_hcall_where *where;
};

CORE_COLD static bool refuse(struct build *b, enum svmc_hcall_fault what, uint32_t index,
                             unsigned arg)
{
    b->where->what = (uint8_t)what;
    b->where->index = index;
    b->where->arg = (uint8_t)arg;
    return false;
}

/* HN-20: an identity, so that two sides can see that they mean the same; it proves nothing. */
CORE_COLD static void hash_more(uint64_t *hash, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++, value >>= 8)
        *hash = (*hash ^ (value & 0xff)) * FNV_PRIME;
}

/* HN-4: somebody may, in every field: a call that nobody may make is a mistake. */
CORE_COLD static bool is_reachable(uint64_t may)
{
    return (may & ~MAY_FIELDS) == 0 && (may & MAY_PRIVILEGE) != 0 &&
           (may & SVMC_HCALL_ANY_LEVEL) != 0 && (may & SVMC_HCALL_ANY_ROLE) != 0 &&
           (may & SVMC_HCALL_ANY_PHASE) != 0 && (may & SVMC_HCALL_ANY_CLASS) != 0 &&
           (may & SVMC_HCALL_ANY_NESTED) != 0;
}

/* HN-7: a buffer has one length: its own, or that of one LENGTH. */
CORE_COLD static bool is_sized(const struct svmc_hcall_schema *s, unsigned n)
{
    const struct svmc_hcall_arg *arg = &s->arg[n];
    unsigned lengths = 0;

    if (arg->kind == SVMC_HCALL_LENGTH)
        return arg->bytes == 0 && arg->of - 1u < REGS &&
               s->arg[core_clamp(arg->of - 1u, REGS)].access != 0;
    for (unsigned i = 0; i < REGS; i++)
        lengths += s->arg[i].kind == SVMC_HCALL_LENGTH && s->arg[i].of == n + 1;
    return lengths + (arg->bytes != 0) == (arg->access != 0);
}

/* HN-7: the largest value of a kind; of FLAGS and ENUM it is what was said. */
static uint64_t largest(const struct svmc_hcall_arg *arg)
{
    if (arg->kind == SVMC_HCALL_NONE)
        return 0;
    if (arg->kind <= SVMC_HCALL_U64)
        return ~(uint64_t)0 >> (64 - (4u << arg->kind));
    return arg->kind == SVMC_HCALL_LENGTH ? UINT32_MAX : ~(uint64_t)0;
}

/* HN-7: nothing is said of an argument that its kind does not know. */
static bool is_sound(const struct svmc_hcall_schema *s, unsigned n, uint64_t max)
{
    const struct svmc_hcall_arg *arg = &s->arg[n];
    unsigned kind = arg->kind;
    bool stray = (arg->access != 0 && kind != SVMC_HCALL_GPA && kind != SVMC_HCALL_GVA) ||
                 (arg->of != 0 && kind != SVMC_HCALL_LENGTH) ||
                 (arg->type != 0 && kind != SVMC_HCALL_HANDLE) ||
                 (arg->align != 0 && kind == SVMC_HCALL_NONE) ||
                 (arg->min != 0 && kind == SVMC_HCALL_FLAGS) || arg->reserved != 0;

    return !stray && kind <= SVMC_HCALL_HANDLE && arg->access <= SVMC_ACCESS_RW &&
           (arg->align & (arg->align - 1)) == 0 && arg->min <= max && max <= largest(arg) &&
           is_sized(s, n);
}

CORE_COLD static bool compile_arg(const struct svmc_hcall_schema *s, unsigned n,
                                  struct native_schema *to)
{
    const struct svmc_hcall_arg *arg = &s->arg[n];
    struct native_check *check = &to->check[n];
    uint64_t max = arg->max;

    if (max == 0 && arg->kind != SVMC_HCALL_FLAGS && arg->kind != SVMC_HCALL_ENUM)
        max = largest(arg);
    if (!is_sound(s, n, max))
        return false;
    hash_more(&to->hash, arg->kind | (uint32_t)arg->access << 8 | (uint32_t)arg->of << 16 |
                             (uint64_t)arg->type << 24 | (uint64_t)arg->align << 32);
    hash_more(&to->hash, arg->bytes);
    hash_more(&to->hash, arg->min);
    hash_more(&to->hash, max);
    check->min = arg->min;
    check->span = max - arg->min;
    check->clear = arg->align > 1 ? arg->align - 1 : 0;
    if (arg->kind == SVMC_HCALL_FLAGS || arg->kind == SVMC_HCALL_NONE)
        check->span = ~(uint64_t)0;
    if (arg->kind == SVMC_HCALL_FLAGS)
        check->clear |= ~max;
    return true;
}

CORE_COLD static bool compile(struct build *b, const struct svmc_hcall_owner *o, uint32_t index)
{
    const struct svmc_hcall_schema *from = &o->schemas[index]; /* clamp: below schema_count */
    struct native_schema *to = b->schema++;
    uint32_t *needs = &b->table->priv.needs;

    memset(to, 0, sizeof *to);
    to->from = from;
    if (from->results > REGS || from->reserved != 0)
        return refuse(b, SVMC_HCALL_SCHEMA_BAD, index, 0);
    to->results = (uint8_t)from->results;
    to->hash = FNV_BASIS;
    hash_more(&to->hash, from->results);
    for (unsigned n = 0; n < REGS; n++) {
        const struct svmc_hcall_arg *arg = &from->arg[n];

        if (!compile_arg(from, n, to))
            return refuse(b, SVMC_HCALL_SCHEMA_BAD, index, n + 1);
        to->special |= arg->access != 0 || arg->kind == SVMC_HCALL_HANDLE;
        *needs |= arg->kind == SVMC_HCALL_HANDLE ? NEED_HANDLE : 0;
        *needs |= arg->access == 0              ? 0
                  : arg->kind == SVMC_HCALL_GVA ? NEED_SPAN | NEED_TRANSLATE
                                                : NEED_SPAN;
    }
    return true;
}

CORE_COLD static bool is_sound_call(const struct svmc_hcall_owner *o,
                                    const struct svmc_hcall_entry *c)
{
    unsigned reserved = 0;
    bool gone = c->dropped != 0 && c->dropped <= o->last;

    for (unsigned i = 0; i < sizeof c->reserved; i++)
        reserved |= c->reserved[i];
    return c->number >= SVMC_HCALL_FIRST && c->schema < o->schema_count && reserved == 0 &&
           is_reachable(c->may) && c->flags <= (SVMC_HCALL_MAY_PARTIAL | SVMC_HCALL_MAY_REPEAT) &&
           (c->dropped == 0 || c->dropped > c->since) && c->since <= o->last &&
           (c->handler || gone);
}

/* HN-4: 1 to 6: a buffer that such a call must not have. A program has no physical memory; and what
   a handler wrote before PARTIAL is lost where it is not read anew. */
CORE_COLD static unsigned bad_buffer(const struct svmc_hcall_schema *s,
                                     const struct svmc_hcall_entry *c)
{
    for (unsigned n = 0; n < REGS; n++) {
        const struct svmc_hcall_arg *arg = &s->arg[n]; /* clamp: a loop */

        if (arg->access != 0 && arg->kind == SVMC_HCALL_GPA && (c->may & SVMC_HCALL_USER))
            return n + 1;
        if (arg->access == SVMC_ACCESS_WRITE && (c->flags & SVMC_HCALL_MAY_PARTIAL))
            return n + 1;
    }
    return 0;
}

/* HN-4: `schemas` are the owner's, compiled. */
CORE_COLD static bool add_calls(struct build *b, const struct svmc_hcall_owner *o,
                                const struct native_schema *schemas)
{
    for (uint32_t i = 0; i < o->call_count; i++) {
        const struct svmc_hcall_entry *c = &o->calls[i]; /* clamp: below call_count */
        struct native_entry *e = b->entry + c->number;
        unsigned bad;

        if (!is_sound_call(o, c))
            return refuse(b, SVMC_HCALL_CALL_BAD, i, 0);
        bad = bad_buffer(schemas[c->schema].from, c); /* clamp: below schema_count */
        if (bad != 0)
            return refuse(b, SVMC_HCALL_CALL_BAD, i, bad);
        if (e->call)
            return refuse(b, SVMC_HCALL_NUMBER_TWICE, i, 0);
        e->call = c;
        e->schema = &schemas[c->schema]; /* clamp: below schema_count */
        if (c->dropped == 0 || c->dropped > o->last) {
            e->handler = c->handler;
            e->may = c->may | (c->flags != 0 || e->schema->special ? 0 : MAY_PLAIN);
        }
        if (c->flags & SVMC_HCALL_MAY_PARTIAL)
            b->table->priv.needs |= NEED_SLOT;
    }
    return true;
}

CORE_COLD static uint32_t numbers(const struct svmc_hcall_owner *o)
{
    uint32_t most = SVMC_HCALL_FIRST - 1;

    for (uint32_t i = 0; i < o->call_count; i++)
        if (o->calls[i].number > most) /* clamp: below call_count */
            most = o->calls[i].number; /* clamp: as above */
    return most + 1;
}

CORE_COLD static bool add_owner(struct build *b, const struct svmc_hcall_owner *o, uint32_t index)
{
    const struct native_schema *schemas = b->schema;
    unsigned id = o->owner, reserved = o->reserved[0] | o->reserved[1] | o->reserved[2];

    if (id >= SVMC_HCALL_OWNERS || reserved != 0 || o->first > o->last || !is_reachable(o->may))
        return refuse(b, SVMC_HCALL_OWNER_BAD, 0, 0);
    id = core_clamp(id, SVMC_HCALL_OWNERS);
    if (b->table->priv.row[id].count != 0)
        return refuse(b, SVMC_HCALL_OWNER_TWICE, 0, 0);
    for (uint32_t i = 0; i < o->schema_count; i++)
        if (!compile(b, o, i))
            return false;
    if (!add_calls(b, o, schemas))
        return false;
    b->table->priv.row[id].first =
        (uint32_t)(b->entry - (struct native_entry *)b->table->priv.entries);
    b->table->priv.row[id].count = numbers(o);
    b->table->priv.row[id].owner = index;
    b->entry += numbers(o);
    return true;
}

CORE_COLD size_t svmc_hcall_bytes(const struct svmc_hcall_owner *owners, uint32_t count)
{
    size_t bytes = 0;

    if (!owners || count == 0 || count > SVMC_HCALL_OWNERS)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct svmc_hcall_owner *o = &owners[i]; /* clamp: below count */

        if ((!o->calls && o->call_count != 0) || (!o->schemas && o->schema_count != 0) ||
            o->call_count > 65536 || o->schema_count > 65536)
            return 0;
        bytes += numbers(o) * sizeof(struct native_entry);
        bytes += o->schema_count * sizeof(struct native_schema);
    }
    return bytes;
}

CORE_COLD enum svmc_status svmc_hcall_init(struct svmc_hcall_table *table,
                                           const struct svmc_hcall_owner *owners, uint32_t count,
                                           void *room, size_t bytes, struct svmc_hcall_where *where)
{
    struct svmc_hcall_where unasked;
    struct build b = { .table = table, .entry = room, .where = where ? where : &unasked };
    size_t need = svmc_hcall_bytes(owners, count), entries = 0;

    if (!table)
        return SVMC_ERR_ARG;
    memset(table, 0, sizeof *table);
    memset(b.where, 0, sizeof *b.where);
    if (need == 0 || !room || ((uintptr_t)room & 7) != 0)
        return SVMC_ERR_ARG;
    if (bytes < need) {
        (void)refuse(&b, SVMC_HCALL_NO_ROOM, 0, 0);
        return SVMC_ERR_FULL;
    }
    for (uint32_t i = 0; i < count; i++)
        entries += numbers(&owners[i]); /* clamp: below count */
    b.schema = (struct native_schema *)(void *)(b.entry + entries);
    memset(room, 0, entries * sizeof *b.entry);
    table->priv.owners = owners;
    table->priv.entries = room;
    for (uint32_t i = 0; i < count; i++)
        if (!add_owner(&b, &owners[i], i)) { /* clamp: below count */
            b.where->owner = (uint16_t)i;
            memset(table, 0, sizeof *table);
            return SVMC_ERR_ARG;
        }
    return SVMC_OK;
}

uint32_t svmc_hcall_index(const struct svmc_hcall_table *table, uint32_t owner, uint32_t number)
{
    if (!table || owner >= SVMC_HCALL_OWNERS)
        return UINT32_MAX;
    owner = core_clamp(owner, SVMC_HCALL_OWNERS);
    if (number >= table->priv.row[owner].count)
        return UINT32_MAX;
    return table->priv.row[owner].first + number;
}
