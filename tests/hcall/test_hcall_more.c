/* SPDX-License-Identifier: MIT */
/* docs/spec/hcall.md: tables, batches, cursors, discovery, and what is noted. */
#include <svmcore/discover.h>

#include "hcall_lab.h"

static struct hcall_lab lab;
static struct svmc_hcall_call call;
static struct svmc_hcall_result out;

static enum svmc_status dispatch_on(struct svmc_hcall_vcpu *v, uint64_t control, uint64_t first,
                                    uint64_t second)
{
    memset(&out, 0xee, sizeof out);
    call.control = control;
    call.arg[0] = first;
    call.arg[1] = second;
    return svmc_hcall_dispatch(v, &call, &out);
}

static unsigned ask(uint64_t control, uint64_t first, uint64_t second)
{
    if (dispatch_on(&lab.vcpu, control, first, second) != SVMC_OK || out.end != SVMC_HCALL_DONE)
        return 0xffff;
    return (uint16_t)out.status;
}

/* ---- the table ---- */

static void init_refuses(const struct svmc_hcall_owner *owners, uint32_t count,
                         enum svmc_hcall_fault what, unsigned owner, unsigned index, unsigned arg,
                         const char *name)
{
    static uint64_t room[4096];
    static const struct svmc_hcall_table none;
    struct svmc_hcall_table table;
    struct svmc_hcall_where where;
    enum svmc_status want = what == SVMC_HCALL_FINE ? SVMC_OK : SVMC_ERR_ARG;

    CHECK_EQ(svmc_hcall_init(&table, owners, count, room, sizeof room, &where), want, "%s", name);
    CHECK_EQ(where.what, what, "%s", name);
    CHECK(where.owner == owner && where.index == index && where.arg == arg, "%s: %u %u %u", name,
          where.owner, where.index, where.arg);
    if (want != SVMC_OK)
        CHECK_MEM(&table, &none, sizeof none, "%s", name);
    CHECK_EQ(svmc_hcall_init(&table, owners, count, room, sizeof room, NULL), want);
}

TEST(hcall, conflicts_are_found_before_the_first_call) /* HN-4 */
{
    struct svmc_hcall_owner o[2] = { hcall_lab_owner, hcall_lab_owner };
    struct svmc_hcall_entry calls[2] = { hcall_lab_calls[0], hcall_lab_calls[1] };
    static const uint64_t fields[] = { 3,
                                       SVMC_HCALL_ANY_LEVEL,
                                       SVMC_HCALL_ANY_ROLE,
                                       SVMC_HCALL_ANY_PHASE,
                                       SVMC_HCALL_ANY_CLASS,
                                       SVMC_HCALL_ANY_NESTED };

    o[1].owner = 63;
    init_refuses(o, 2, SVMC_HCALL_FINE, 0, 0, 0, "two owners");
    o[1].owner = LAB_OWNER;
    init_refuses(o, 2, SVMC_HCALL_OWNER_TWICE, 1, 0, 0, "owner twice");
    o[1].owner = 64;
    init_refuses(o, 2, SVMC_HCALL_OWNER_BAD, 1, 0, 0, "no such owner");
    o[1] = hcall_lab_owner;
    o[1].owner = 1;
    o[1].first = 4;
    init_refuses(o, 2, SVMC_HCALL_OWNER_BAD, 1, 0, 0, "versions");
    o[0].calls = calls;
    o[0].call_count = 2;
    init_refuses(o, 1, SVMC_HCALL_FINE, 0, 0, 0, "two calls");
    calls[1].number = calls[0].number;
    init_refuses(o, 1, SVMC_HCALL_NUMBER_TWICE, 0, 1, 0, "number twice");
    calls[1].number = 7;
    init_refuses(o, 1, SVMC_HCALL_CALL_BAD, 0, 1, 0, "a number of discovery");
    calls[1] = hcall_lab_calls[1];
    calls[1].schema = (uint16_t)o[0].schema_count;
    init_refuses(o, 1, SVMC_HCALL_CALL_BAD, 0, 1, 0, "schema");
    calls[1] = hcall_lab_calls[1];
    calls[1].handler = NULL;
    init_refuses(o, 1, SVMC_HCALL_CALL_BAD, 0, 1, 0, "no handler");
    calls[1].dropped = 2;
    init_refuses(o, 1, SVMC_HCALL_FINE, 0, 0, 0, "dropped: no handler");
    calls[1].dropped = 1;
    init_refuses(o, 1, SVMC_HCALL_CALL_BAD, 0, 1, 0, "dropped before it came");
    calls[1] = hcall_lab_calls[1];
    calls[1].since = 4;
    init_refuses(o, 1, SVMC_HCALL_CALL_BAD, 0, 1, 0, "not yet there");
    calls[1] = hcall_lab_calls[1];
    calls[1].flags = 4;
    init_refuses(o, 1, SVMC_HCALL_CALL_BAD, 0, 1, 0, "flags");
    for (unsigned i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        calls[1] = hcall_lab_calls[1];
        calls[1].may &= ~fields[i];
        init_refuses(o, 1, SVMC_HCALL_CALL_BAD, 0, 1, 0, "nobody may");
        o[0].may = calls[1].may;
        init_refuses(o, 1, SVMC_HCALL_OWNER_BAD, 0, 0, 0, "nobody may ask");
        o[0].may = SVMC_HCALL_MAY_ALL;
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        bool field = false;

        for (unsigned i = 0; i < sizeof fields / sizeof fields[0]; i++)
            field |= fields[i] >> bit & 1;
        calls[1] = hcall_lab_calls[1];
        calls[1].may |= (uint64_t)1 << bit;
        init_refuses(o, 1, field ? SVMC_HCALL_FINE : SVMC_HCALL_CALL_BAD, 0, !field, 0, "bits");
    }
}

TEST(hcall, schemas_say_what_can_be_checked) /* HN-7 */
{
    static const struct {
        char name[24];
        struct svmc_hcall_arg arg[3];
        unsigned want;
    } rows[] = {
        { "nothing", { { 0 } }, 0 },
        { "a kind too many", { { .kind = 11 } }, 1 },
        { "u8 beyond", { { .kind = SVMC_HCALL_U8, .max = 256 } }, 1 },
        { "u8", { { .kind = SVMC_HCALL_U8, .max = 255 } }, 0 },
        { "u16 beyond", { { .kind = SVMC_HCALL_U16, .max = 65536 } }, 1 },
        { "u32 beyond", { { .kind = SVMC_HCALL_U32, .max = 1ull << 32 } }, 1 },
        { "min over max", { { .kind = SVMC_HCALL_U8, .min = 9, .max = 8 } }, 1 },
        { "min over all", { { .kind = SVMC_HCALL_U8, .min = 256 } }, 1 },
        { "align 3", { { .kind = SVMC_HCALL_GPA, .align = 3 } }, 1 },
        { "access of a number", { { .kind = SVMC_HCALL_U64, .access = 1, .bytes = 8 } }, 1 },
        { "access 4", { { .kind = SVMC_HCALL_GPA, .access = 4, .bytes = 8 } }, 1 },
        { "buffer without size", { { .kind = SVMC_HCALL_GPA, .access = 1 } }, 1 },
        { "size without buffer", { { .kind = SVMC_HCALL_GPA, .bytes = 8 } }, 1 },
        { "length of nothing", { { .kind = SVMC_HCALL_LENGTH } }, 1 },
        { "length of 7", { { .kind = SVMC_HCALL_LENGTH, .of = 7 } }, 1 },
        { "length of itself", { { .kind = SVMC_HCALL_LENGTH, .of = 1 } }, 1 },
        { "length of no buffer",
          { { .kind = SVMC_HCALL_GPA }, { .kind = SVMC_HCALL_LENGTH, .of = 1 } },
          1 },
        { "two lengths",
          { { .kind = SVMC_HCALL_GPA, .access = 1 },
            { .kind = SVMC_HCALL_LENGTH, .of = 1 },
            { .kind = SVMC_HCALL_LENGTH, .of = 1 } },
          1 },
        { "size and length",
          { { .kind = SVMC_HCALL_GPA, .access = 1, .bytes = 8 },
            { .kind = SVMC_HCALL_LENGTH, .of = 1 } },
          1 },
        { "length with bytes",
          { { .kind = SVMC_HCALL_GPA, .access = 1 },
            { .kind = SVMC_HCALL_LENGTH, .of = 1, .bytes = 1 } },
          2 },
        { "length of 2^32",
          { { .kind = SVMC_HCALL_GPA, .access = 1 },
            { .kind = SVMC_HCALL_LENGTH, .of = 1, .max = 1ull << 32 } },
          2 },
        { "of", { { .kind = SVMC_HCALL_U8, .of = 1 } }, 1 },
        { "type", { { .kind = SVMC_HCALL_U8, .type = 1 } }, 1 },
        { "reserved", { { .kind = SVMC_HCALL_U8, .reserved = 1 } }, 1 },
        { "flags with min", { { .kind = SVMC_HCALL_FLAGS, .min = 1, .max = 3 } }, 1 },
        { "none with max", { { .max = 1 } }, 1 },
        { "none with align", { { .align = 8 } }, 1 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_hcall_schema s[2] = { { .results = 6 }, { .results = 0 } };
        struct svmc_hcall_owner o = hcall_lab_owner;

        memcpy(s[1].arg, rows[i].arg, sizeof rows[i].arg);
        o.schemas = s;
        o.schema_count = 2;
        o.call_count = 0;
        init_refuses(&o, 1, rows[i].want ? SVMC_HCALL_SCHEMA_BAD : SVMC_HCALL_FINE, 0,
                     rows[i].want != 0, rows[i].want, rows[i].name);
        s[0].results = 7;
        init_refuses(&o, 1, SVMC_HCALL_SCHEMA_BAD, 0, 0, 0, "results");
    }
}

TEST(hcall, room_and_ops_are_what_is_needed) /* HN-4 */
{
    struct svmc_hcall_table table;
    struct svmc_hcall_where where;
    struct svmc_hcall_ops ops = hcall_lab_ops;
    struct svmc_hcall_vm vm;
    struct svmc_hcall_vcpu v;
    struct svmc_hcall_room room;
    struct svmc_hcall_place place = hcall_lab_place;
    struct svmc_hcall_owner o = hcall_lab_owner;
    uint64_t small[64];
    size_t bytes = svmc_hcall_bytes(&hcall_lab_owner, 1);

    hcall_lab_init(&lab);
    CHECK(bytes > 0 && bytes <= sizeof lab.table_room);
    CHECK_EQ(svmc_hcall_init(&table, &hcall_lab_owner, 1, lab.table_room, bytes, &where), SVMC_OK);
    CHECK_EQ(svmc_hcall_init(&table, &hcall_lab_owner, 1, lab.table_room, bytes - 1, &where),
             SVMC_ERR_FULL);
    CHECK_EQ(where.what, SVMC_HCALL_NO_ROOM);
    CHECK_EQ(
        svmc_hcall_init(&table, &hcall_lab_owner, 1, (uint8_t *)lab.table_room + 4, bytes, &where),
        SVMC_ERR_ARG);
    CHECK_EQ(svmc_hcall_init(&table, &hcall_lab_owner, 0, lab.table_room, bytes, &where),
             SVMC_ERR_ARG);
    CHECK_EQ(svmc_hcall_init(&table, &hcall_lab_owner, 65, lab.table_room, bytes, &where),
             SVMC_ERR_ARG);
    CHECK_EQ(svmc_hcall_init(NULL, &hcall_lab_owner, 1, lab.table_room, bytes, &where),
             SVMC_ERR_ARG);
    hcall_lab_init(&lab);
    vm = lab.vm;
    room = lab.room;
    vm.ops = &ops;
#define REFUSED(change, undo)                                                         \
    change;                                                                           \
    CHECK_EQ(svmc_hcall_vcpu_init(&v, &vm, 0, &place, &room), SVMC_ERR_ARG, #change); \
    CHECK(v.priv.vm == NULL);                                                         \
    undo;                                                                             \
    CHECK_EQ(svmc_hcall_vcpu_init(&v, &vm, 0, &place, &room), SVMC_OK, #undo)
    REFUSED(ops.translate = NULL, ops = hcall_lab_ops);
    REFUSED(ops.guest_span = NULL, ops = hcall_lab_ops);
    REFUSED(ops.handle = NULL, ops = hcall_lab_ops);
    REFUSED(ops.size = offsetof(struct svmc_hcall_ops, handle), ops = hcall_lab_ops);
    REFUSED(vm.crypto = NULL, vm.crypto = &lab.crypto.ops);
    REFUSED(vm.table = NULL, vm.table = &lab.table);
    REFUSED(vm.ops = NULL, vm.ops = &ops);
    REFUSED(vm.inject = 2, vm.inject = 0);
    REFUSED(vm.batch_entries = 4096, vm.batch_entries = 4095);
    vm.batch_ticks = 1; /* HN-16 */
    REFUSED(ops.ticks = NULL, ops = hcall_lab_ops);
    vm.batch_ticks = 0;
    REFUSED(room.slot_count = 0, room.slot_count = LAB_SLOTS);
    REFUSED(room.slot_count = 257, room.slot_count = LAB_SLOTS);
    REFUSED(room.slots = NULL, room.slots = lab.slots);
    REFUSED(room.scratch = NULL, room.scratch = lab.scratch);
    REFUSED(room.scratch = (uint8_t *)lab.scratch + 1, room.scratch = lab.scratch);
    REFUSED(place.level = 4, place = hcall_lab_place);
    REFUSED(place.role = 16, place = hcall_lab_place);
    REFUSED(place.phase = 8, place = hcall_lab_place);
    REFUSED(place.nested = 4, place = hcall_lab_place);
    REFUSED(place.reserved[2] = 1, place = hcall_lab_place);
    REFUSED(place.isa = SVMC_ISA_X86_16, place = hcall_lab_place);
    o.call_count = o.schema_count = 0; /* a table that needs nothing, but a batch needs memory */
    CHECK_EQ(svmc_hcall_init(&table, &o, 1, small, sizeof small, NULL), SVMC_OK);
    vm.table = &table;
    vm.crypto = NULL;
    room.slot_count = 0;
    REFUSED(ops.translate = NULL, vm.batch_entries = 0);
    ops = hcall_lab_ops;
    vm = lab.vm;
    room = lab.room;
    vm.ops = &ops;
    CHECK_EQ(svmc_hcall_vcpu_init(&v, &vm, 0, &place, &room), SVMC_OK);
    ops.token = NULL; /* no tokens: the flag means nothing */
    CHECK_EQ(dispatch_on(&v, hcall_word(LAB_NEW) | SVMC_HCALL_TOKEN, 0, 0), SVMC_OK);
    CHECK_EQ((uint16_t)out.status, SVMC_HCALL_NOT_DEFINED);
}

/* ---- cursors ---- */

#define CURSOR (1ull << 63)

TEST(hcall, a_call_goes_on_where_it_was) /* HN-17 HN-18 */
{
    uint64_t control = hcall_word(LAB_STEPS), cursor;

    hcall_lab_init(&lab);
    memset(&call, 0, sizeof call);
    call.arg[1] = 0xabc;
    CHECK_EQ(ask(control, 4, 0xabc), SVMC_HCALL_PARTIAL);
    for (unsigned step = 1; step < 4; step++) {
        CHECK_EQ(out.status, CURSOR | (uint64_t)step << 32 | SVMC_HCALL_PARTIAL);
        CHECK_EQ(out.results, 1);
        CHECK(call.arg[0] != 4 && call.arg[1] == 0xabc);
        cursor = call.arg[0];
        CHECK_EQ(ask(control | SVMC_HCALL_RESUME, cursor, 0xabc),
                 step < 3 ? SVMC_HCALL_PARTIAL : SVMC_HCALL_OK);
        CHECK_EQ(lab.seen.arg[0], 4, "the first call's argument");
        CHECK(call.arg[0] != cursor);
    }
    CHECK_EQ(call.arg[0], 1 + 2 + 3 + 4);
    CHECK_EQ(out.status, 4ull << 32);
    CHECK_EQ(lab.handled, 4);
    CHECK_EQ(ask(control, 1, 0), SVMC_HCALL_OK); /* all at once */
}

TEST(hcall, cursors_are_not_made_by_guests) /* HN-17 HN-18 */
{
    uint64_t control = hcall_word(LAB_STEPS), resume = control | SVMC_HCALL_RESUME, cursor, next;
    struct svmc_hcall_slot slots[LAB_SLOTS], other_slots[LAB_SLOTS];
    struct svmc_hcall_vcpu second, other;
    struct svmc_hcall_vm other_vm;
    unsigned before;

    hcall_lab_init(&lab);
    memset(&call, 0, sizeof call);
    hcall_lab_vcpu(&lab, &second, 1, slots);
    other_vm = lab.vm;
    other_vm.id++;
    CHECK_EQ(svmc_hcall_vcpu_init(
                 &other, &other_vm, 0, &hcall_lab_place,
                 &(struct svmc_hcall_room){ .slot_count = LAB_SLOTS, .slots = other_slots }),
             SVMC_OK);
    /* each has a call of the same kind, and the others' cursors are of no use */
    CHECK_EQ(dispatch_on(&second, control, 9, 0), SVMC_OK);
    CHECK_EQ(dispatch_on(&other, control, 9, 0), SVMC_OK);
    CHECK_EQ(ask(control, 9, 0), SVMC_HCALL_PARTIAL);
    cursor = call.arg[0];
    before = lab.handled;
#define FORGED(v, word, value)                         \
    CHECK_EQ(dispatch_on(v, word, value, 0), SVMC_OK); \
    CHECK_EQ(out.status, SVMC_HCALL_BAD_ARG | 1 << 16)
    FORGED(&second, resume, cursor);
    FORGED(&other, resume, cursor);
    for (unsigned bit = 0; bit < 64; bit++) {
        FORGED(&lab.vcpu, resume, cursor ^ (uint64_t)1 << bit);
    }
    FORGED(&lab.vcpu, resume, 0);
    FORGED(&lab.vcpu, resume, ~0ull);
    FORGED(&lab.vcpu, resume | SVMC_HCALL_SIMD_DEAD, cursor); /* another call */
    FORGED(&lab.vcpu, resume | 2ull << 32, cursor);
    call.user = 1; /* another privilege */
    FORGED(&lab.vcpu, resume, cursor);
    call.user = 0;
    CHECK_EQ(lab.handled, before);
    CHECK_EQ(ask(resume | SVMC_HCALL_DRY_RUN, cursor, 0), SVMC_HCALL_BAD_ARG); /* nor is that it */
    lab.lie = 5; /* the handler asks to come again: the cursor stays */
    CHECK_EQ(ask(resume, cursor, 0), SVMC_HCALL_RETRY);
    lab.lie = 0;
    CHECK_EQ(ask(resume, cursor, 0), SVMC_HCALL_PARTIAL);
    next = call.arg[0];
    CHECK(next != cursor);
    before = lab.handled;
    FORGED(&lab.vcpu, resume, cursor); /* used */
    CHECK_EQ(lab.handled, before);
    CHECK_EQ(svmc_hcall_vcpu_move(
                 &lab.vcpu, &(struct svmc_hcall_place){ .isa = SVMC_ISA_X86_64, .nested = 2 }),
             SVMC_OK);
    CHECK_EQ(ask(resume, next, 0), SVMC_HCALL_DENIED); /* may not any more, and may again */
    CHECK_EQ(svmc_hcall_vcpu_move(&lab.vcpu, &hcall_lab_place), SVMC_OK);
    CHECK_EQ(ask(resume, next, 0), SVMC_HCALL_PARTIAL);
    CHECK_EQ(lab.abandoned, 0);
    next = call.arg[0];
    svmc_hcall_vcpu_reset(&lab.vcpu);
    CHECK_EQ(lab.abandoned, 1);
    CHECK_EQ(lab.progress, 6ull << 32 | 3);
    FORGED(&lab.vcpu, resume, next);
    svmc_hcall_vcpu_reset(&lab.vcpu);
    CHECK_EQ(lab.abandoned, 1);
}

TEST(hcall, a_guest_that_never_resumes_loses_its_own) /* HN-17 */
{
    uint64_t control = hcall_word(LAB_STEPS), cursors[LAB_SLOTS + 1];

    hcall_lab_init(&lab);
    memset(&call, 0, sizeof call);
    for (unsigned i = 0; i < 100; i++) {
        CHECK_EQ(ask(control, 5, 0), SVMC_HCALL_PARTIAL);
        memmove(cursors, cursors + 1, LAB_SLOTS * sizeof cursors[0]);
        cursors[LAB_SLOTS] = call.arg[0];
    }
    CHECK_EQ(lab.abandoned, 100 - LAB_SLOTS);
    CHECK_EQ(ask(control | SVMC_HCALL_RESUME, cursors[0], 0), SVMC_HCALL_BAD_ARG);
    CHECK_EQ(ask(control | SVMC_HCALL_RESUME, cursors[1], 0), SVMC_HCALL_PARTIAL);
}

TEST(hcall, calls_that_go_on_leave_each_other_alone) /* HN-17 */
{
    uint64_t control = hcall_word(LAB_STEPS), cursors[LAB_SLOTS];

    hcall_lab_init(&lab);
    memset(&call, 0, sizeof call);
    for (unsigned i = 0; i < LAB_SLOTS; i++) {
        CHECK_EQ(ask(control, 20 + i, 0), SVMC_HCALL_PARTIAL);
        cursors[i] = call.arg[0];
    }
    for (unsigned i = 0; i < LAB_SLOTS; i++)
        for (unsigned step = 1; step < 20 + i; step++) {
            CHECK_EQ(ask(control | SVMC_HCALL_RESUME, cursors[i], 0),
                     step < 19 + i ? SVMC_HCALL_PARTIAL : SVMC_HCALL_OK);
            cursors[i] = call.arg[0];
        }
    CHECK_EQ(cursors[1], 21 * 22 / 2);
    CHECK_EQ(lab.abandoned, 0);
}

/* ---- batches ---- */

#define AT 8192u /* of the vector */

static void put64(unsigned at, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        lab.memory[at + i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get64(unsigned at)
{
    uint64_t value = 0;

    for (unsigned i = 8; i-- > 0;)
        value = value << 8 | lab.memory[at + i];
    return value;
}

static void entry(unsigned n, uint64_t control, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                  uint64_t e, uint64_t f)
{
    const uint64_t word[8] = { control, a, b, c, d, e, f, 0xeeee };

    for (unsigned i = 0; i < 8; i++)
        put64(AT + 64 * n + 8 * i, word[i]);
}

static uint64_t batch(uint64_t start, uint64_t reps, uint64_t at, uint64_t flags)
{
    uint64_t control = (uint64_t)SVMC_HCALL_ABI << 56 | SVMC_HCALL_BATCH | start << 44 | reps << 32;

    if (dispatch_on(&lab.vcpu, control, at, flags) != SVMC_OK || out.end != SVMC_HCALL_DONE)
        return ~0ull;
    CHECK_EQ(out.results, 0);
    return out.status;
}

TEST(hcall, entries_of_a_batch_are_calls) /* HN-14 HN-15 */
{
    const uint64_t batch_word = (uint64_t)SVMC_HCALL_ABI << 56 | SVMC_HCALL_BATCH | 1ull << 32;
    static const uint64_t want[] = { 0,
                                     SVMC_HCALL_BAD_ARG | 2 << 16,
                                     SVMC_HCALL_DENIED,
                                     SVMC_HCALL_NOT_DEFINED,
                                     SVMC_HCALL_NOT_DEFINED,
                                     SVMC_HCALL_VERSION,
                                     0,
                                     SVMC_HCALL_NEED_TOKEN,
                                     0 };

    hcall_lab_init(&lab);
    memset(&call, 0, sizeof call);
    call.user = 1;
    call.token[0] = 2;
    lab.vm.inject = 1; /* within a batch there is no exception */
    entry(0, hcall_word(LAB_SUM), 1, 2, 4, 4096, 10, 0);
    entry(1, hcall_word(LAB_SUM), 1, 6, 4, 4096, 10, 0);
    entry(2, hcall_word(LAB_KERNEL), 0, 0, 0, 0, 0, 0);
    entry(3, hcall_word(LAB_COUNT), 0, 0, 0, 0, 0, 0);
    entry(4, batch_word, AT, 0, 0, 0, 0, 0);
    entry(5, hcall_word(LAB_SUM) ^ 1ull << 60, 0, 0, 0, 0, 0, 0);
    entry(6, hcall_word(SVMC_HCALL_ASK_UID), 0, 0, 0, 0, 0, 0);
    entry(7, hcall_word(LAB_TOKEN), 0, 0, 0, 0, 0, 0);
    entry(8, hcall_word(LAB_TOKEN) | SVMC_HCALL_TOKEN, 0, 0, 0, 0, 0, 0);
    CHECK_EQ(batch(0, 9, AT, 0), 9ull << 32);
    for (unsigned i = 0; i < 9; i++)
        CHECK_EQ(get64(AT + 64 * i + 56), want[i], "entry %u", i);
    CHECK_EQ(get64(AT + 8), 3);
    CHECK_EQ(get64(AT + 16), 77);
    CHECK_EQ(get64(AT + 24), 4, "beyond the results");
    CHECK_EQ(get64(AT), hcall_word(LAB_SUM));
    CHECK_EQ(get64(AT + 64 + 8), 1);
    CHECK_EQ(get64(AT + 6 * 64 + 8), 0x0807060504030201);
    CHECK_EQ(lab.handled, 2);
    /* a batch stops where it is told to, and the last status is the one that stopped it */
    entry(0, hcall_word(LAB_SUM), 1, 2, 4, 4096, 10, 0);
    entry(1, hcall_word(LAB_SUM), 1, 6, 4, 4096, 10, 0);
    entry(2, hcall_word(LAB_SUM), 1, 2, 4, 4096, 10, 0);
    CHECK_EQ(batch(0, 3, AT, SVMC_HCALL_STOP), SVMC_HCALL_FAILED | 2ull << 32);
    CHECK_EQ(get64(AT + 128 + 56), 0xeeee);
    CHECK_EQ(batch(2, 3, AT, SVMC_HCALL_STOP), 3ull << 32);
    CHECK_EQ(get64(AT + 128 + 56), 0);
}

TEST(hcall, a_batch_that_is_none) /* HN-14 */
{
    static const struct {
        uint64_t start, reps, at, flags, want;
    } rows[] = {
        { 0, 0, AT, 0, 0 },
        { 3, 3, AT, 0, 3ull << 32 },
        { 4, 3, AT, 0, SVMC_HCALL_NOT_DEFINED },
        { 0, 1, AT + 8, 0, SVMC_HCALL_BAD_ARG | 1 << 16 },
        { 0, 1, 0 - 64ull, 0, SVMC_HCALL_BAD_ARG | 1 << 16 },
        { 0, 1, AT, 2, SVMC_HCALL_BAD_ARG | 2 << 16 },
        { 0, 3, 7 * 4096 + 4096 - 128, 0, SVMC_HCALL_FAULT | 1 << 16 | 2ull << 32 },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        hcall_lab_init(&lab);
        lab.away = 1; /* behind the last page is the first one */
        memset(&call, 0, sizeof call);
        CHECK_EQ(batch(rows[i].start, rows[i].reps, rows[i].at, rows[i].flags), rows[i].want, "%u",
                 i);
        CHECK_EQ(lab.handled, 0);
    }
    for (unsigned bit = 0; bit < 32; bit++) { /* number, owner, flags are those of entries */
        uint64_t control = (uint64_t)SVMC_HCALL_ABI << 56 | SVMC_HCALL_BATCH | 1ull << bit;

        CHECK_EQ(ask(control, AT, 0), bit == 23 || 1u << bit == SVMC_HCALL_SIMD_DEAD
                                          ? SVMC_HCALL_OK
                                          : SVMC_HCALL_NOT_DEFINED);
    }
    CHECK_EQ(ask((uint64_t)2 << 56 | SVMC_HCALL_BATCH, AT, 0), SVMC_HCALL_VERSION);
    lab.vm.batch_entries = 0;
    CHECK_EQ(batch(0, 0, AT, 0), SVMC_HCALL_NOT_DEFINED);
}

TEST(hcall, a_batch_has_a_budget) /* HN-16 */
{
    hcall_lab_init(&lab);
    memset(&call, 0, sizeof call);
    for (unsigned i = 0; i < 10; i++)
        entry(i, hcall_word(LAB_NEW), 0, 0, 0, 0, 0, 0);
    lab.vm.batch_entries = 4;
    CHECK_EQ(batch(0, 10, AT, 0), SVMC_HCALL_PARTIAL | 4ull << 32);
    CHECK_EQ(batch(4, 10, AT, 0), SVMC_HCALL_PARTIAL | 8ull << 32);
    CHECK_EQ(batch(8, 10, AT, 0), 10ull << 32);
    CHECK_EQ(lab.handled, 10);
    lab.vm.batch_entries = 100;
    lab.vm.batch_ticks = 5;
    lab.ticks_each = 2; /* one look before each entry but the first */
    CHECK_EQ(batch(0, 10, AT, 0), SVMC_HCALL_PARTIAL | 3ull << 32);
    lab.ticks_each = 1000; /* it still goes on */
    CHECK_EQ(batch(3, 10, AT, 0), SVMC_HCALL_PARTIAL | 4ull << 32);
    for (unsigned k = 1; k <= 4; k++) {
        lab.fail_at = lab.calls + k;
        lab.ticks_each = 0;
        CHECK_EQ(dispatch_on(&lab.vcpu,
                             (uint64_t)SVMC_HCALL_ABI << 56 | SVMC_HCALL_BATCH | 2ull << 32, AT, 0),
                 SVMC_ERR_CALLBACK);
        CHECK_EQ(out.end, SVMC_HCALL_BROKEN);
    }
}

/* ---- discovery ---- */

/* FNV-1a of the words that HN-20 lists, by bytes. */
static uint64_t hash_of(const struct svmc_hcall_schema *s, const uint64_t max[6])
{
    uint64_t word[1 + 4 * 6] = { s->results }, hash = 14695981039346656037u;

    for (unsigned n = 0; n < 6; n++) {
        const struct svmc_hcall_arg *a = &s->arg[n];

        word[1 + 4 * n] = a->kind + 256u * a->access + 65536u * a->of + 16777216ull * a->type +
                          4294967296ull * a->align;
        word[2 + 4 * n] = a->bytes;
        word[3 + 4 * n] = a->min;
        word[4 + 4 * n] = max[n];
    }
    for (unsigned i = 0; i < 8 * sizeof word / sizeof word[0]; i++)
        hash = (hash ^ (word[i / 8] >> i % 8 * 8 & 255)) * 1099511628211u;
    return hash;
}

TEST(hcall, an_owner_tells_what_it_has) /* HN-19 HN-20 */
{
    static const uint64_t max[6] = { 0xffffffff, 5, 0x15, ~0ull, 20, 255 };
    unsigned found = 0;

    hcall_lab_init(&lab);
    memset(&call, 0, sizeof call);
    CHECK_EQ(ask(hcall_word(SVMC_HCALL_ASK_VERSION), 0, 0), 0);
    CHECK(out.results == 2 && call.arg[0] == SVMC_HCALL_ABI && call.arg[1] == (3 << 16 | 1));
    CHECK_EQ(ask(hcall_word(SVMC_HCALL_ASK_UID), 0, 0), 0);
    CHECK(call.arg[0] == 0x0807060504030201 && call.arg[1] == 0x100f0e0d0c0b0a09);
    CHECK_EQ(ask(hcall_word(SVMC_HCALL_ASK_LIMITS), 0, 0), 0);
    CHECK(out.results == 4 && call.arg[0] == LAB_SCRATCH && call.arg[1] == LAB_SLOTS);
    CHECK(call.arg[2] == 100 && call.arg[3] == 0);
    CHECK_EQ(ask(hcall_word(SVMC_HCALL_ASK_FEATURES), LAB_SUM, 0), 0);
    CHECK_EQ(out.results, 5);
    CHECK_EQ(call.arg[0],
             SVMC_HCALL_IS_THERE | SVMC_HCALL_MAY_NOW | SVMC_HCALL_MAY_PLAIN | 3 << 8 | 2 << 16);
    CHECK_EQ(call.arg[1], 1);
    CHECK_EQ(call.arg[2], hash_of(&hcall_lab_schemas[0], max));
    CHECK(call.arg[3] == 0x6d7573 && call.arg[4] == 0); /* "sum" */
    CHECK_EQ(ask(hcall_word(SVMC_HCALL_ASK_FEATURES), LAB_GONE, 0), 0);
    CHECK(call.arg[0] == SVMC_HCALL_WAS_THERE && call.arg[1] == (3 << 16 | 1));
    CHECK_EQ(ask(hcall_word(SVMC_HCALL_ASK_FEATURES), LAB_TOKEN, 0), 0);
    CHECK_EQ(call.arg[0], SVMC_HCALL_IS_THERE);
    CHECK_EQ(ask(hcall_word(SVMC_HCALL_ASK_FEATURES), LAB_STEPS, 0), 0);
    CHECK_EQ(call.arg[0], SVMC_HCALL_IS_THERE | SVMC_HCALL_MAY_NOW | SVMC_HCALL_MAY_PLAIN |
                              SVMC_HCALL_HAS_PARTIAL | SVMC_HCALL_HAS_REPEAT | 1 << 16);
    for (uint64_t n = 0; n < 8; n++) {
        CHECK_EQ(ask(hcall_word(SVMC_HCALL_ASK_FEATURES), n, 0), SVMC_HCALL_BAD_ARG);
        CHECK_EQ(ask(hcall_word(SVMC_HCALL_ASK_ARGUMENT), n, 1), SVMC_HCALL_BAD_ARG);
    }
    CHECK_EQ(ask(hcall_word(SVMC_HCALL_ASK_FEATURES), LAB_COUNT, 0), SVMC_HCALL_BAD_ARG);
    CHECK_EQ(ask(hcall_word(SVMC_HCALL_ASK_FEATURES), ~0ull, 0), SVMC_HCALL_BAD_ARG);
    for (uint64_t at = 0; ask(hcall_word(SVMC_HCALL_ASK_NEXT), at, 0) == 0 && call.arg[0] != ~0ull;
         at = call.arg[0] + 1, found++)
        CHECK(call.arg[0] == hcall_lab_calls[found].number && out.results == 6 &&
              memcmp(hcall_lab_calls[found].name, (char[]){ (char)call.arg[4] }, 1) == 0);
    CHECK_EQ(found, hcall_lab_owner.call_count);
    CHECK_EQ(out.results, 2);
    for (unsigned n = 0; n < 6; n++) {
        const struct svmc_hcall_arg *a = &hcall_lab_schemas[0].arg[n];

        CHECK_EQ(ask(hcall_word(SVMC_HCALL_ASK_ARGUMENT), LAB_SUM, n + 1), 0);
        CHECK_EQ(call.arg[0], a->kind | (uint64_t)a->align << 32);
        CHECK(call.arg[1] == a->min && call.arg[2] == max[n] && call.arg[3] == a->bytes, "%u", n);
    }
    CHECK_EQ(ask(hcall_word(SVMC_HCALL_ASK_ARGUMENT), LAB_SUM, 0), SVMC_HCALL_BAD_ARG);
    CHECK_EQ(out.status >> 16, 2);
    CHECK_EQ(ask(hcall_word(SVMC_HCALL_ASK_ARGUMENT), LAB_SUM, 7), SVMC_HCALL_BAD_ARG);
    CHECK_EQ(ask(hcall_word(SVMC_HCALL_ASK_VERSION) | 1ull << 32, 0, 0), SVMC_HCALL_NOT_DEFINED);
    CHECK_EQ(ask(hcall_word(SVMC_HCALL_ASK_VERSION) | SVMC_HCALL_FAST, 0, 0),
             SVMC_HCALL_NOT_DEFINED);
    CHECK_EQ(svmc_hcall_vcpu_move(
                 &lab.vcpu, &(struct svmc_hcall_place){ .isa = SVMC_ISA_X86_64, .nested = 1 }),
             SVMC_OK);
    CHECK_EQ(ask(hcall_word(SVMC_HCALL_ASK_VERSION), 0, 0), SVMC_HCALL_DENIED);
}

/* Linux arch/arm64: ARM_SMCCC_VENDOR_HYP_UID_KVM_REG_0 to _3 of this UUID. */
static const uint8_t kvm_uuid[16] = { 0x28, 0xb4, 0x6f, 0xb6, 0x2e, 0xc5, 0x11, 0xe9,
                                      0xa9, 0xca, 0x4b, 0x56, 0x4d, 0x00, 0x3a, 0x74 };
static const uint32_t hyperv_words[] = { 0x31237648, 0, 0, 0, 5, 6, 7, 8 }; /* "Hv#1" */

static const struct svmc_discover_face faces[] = {
    { .kind = SVMC_DISCOVER_CPUID,
      .first = 0x40000000,
      .last = 0x40000002,
      .words = hyperv_words,
      .uid = "Microsoft Hv" },
    { .kind = SVMC_DISCOVER_CPUID, .first = 0x40000100, .last = 0x40000100, .uid = "VMwareVMware" },
    { .kind = SVMC_DISCOVER_SMCCC,
      .owner = 6,
      .first = 0,
      .last = 3,
      .major = 1,
      .minor = 2,
      .uid = { 0x28, 0xb4, 0x6f, 0xb6, 0x2e, 0xc5, 0x11, 0xe9, 0xa9, 0xca, 0x4b, 0x56, 0x4d, 0,
               0x3a, 0x74 } },
    { .kind = SVMC_DISCOVER_SBI, .first = 0x0a000000, .last = 0x0a000001, .major = 1 },
    { .kind = SVMC_DISCOVER_SBI, .first = 0x0a000002, .last = 0x0a000002, .major = 7 },
};
#define FACES (sizeof faces / sizeof faces[0])

TEST(discover, interfaces_stand_side_by_side) /* HN-21 HN-22 HN-23 */
{
    uint32_t bad[2], leaf[4];
    uint64_t x[4];

    CHECK_MEM(faces[2].uid, kvm_uuid, 16);
    CHECK_EQ(svmc_discover_check(faces, FACES, bad), SVMC_OK);
    CHECK(bad[0] == UINT32_MAX && bad[1] == UINT32_MAX);
    CHECK_EQ(svmc_discover_cpuid(faces, FACES, 0x40000000, leaf), 1);
    CHECK(leaf[0] == 0x40000002 && leaf[1] == 0x7263694d && leaf[2] == 0x666f736f &&
          leaf[3] == 0x76482074); /* "Microsoft Hv" */
    CHECK_EQ(svmc_discover_cpuid(faces, FACES, 0x40000002, leaf), 1);
    CHECK_MEM(leaf, hyperv_words + 4, 16);
    CHECK_EQ(svmc_discover_cpuid(faces, FACES, 0x40000003, leaf), 0);
    CHECK((leaf[0] | leaf[1] | leaf[2] | leaf[3]) == 0);
    CHECK_EQ(svmc_discover_cpuid(faces, FACES, 0x40000100, leaf), 1);
    CHECK(leaf[0] == 0x40000100 && leaf[1] == 0x61774d56 && leaf[3] == 0x65726177);
    CHECK_EQ(svmc_discover_cpuid(faces, FACES, 0x40000101, leaf), 0);
    CHECK_EQ(svmc_discover_smccc(faces, FACES, 0x8600ff01, 0, x), 1);
    CHECK(x[0] == 0xb66fb428 && x[1] == 0xe911c52e && x[2] == 0x564bcaa9 && x[3] == 0x743a004d);
    CHECK_EQ(svmc_discover_smccc(faces, FACES, 0x8600ff03, 0, x), 1);
    CHECK(x[0] == 1 && x[1] == 2 && x[2] == 0);
    CHECK_EQ(svmc_discover_smccc(faces, FACES, 0x80000000, 0, x), 1);
    CHECK_EQ(x[0], 0x10002);
    for (uint32_t n = 0; n < 8; n++) { /* SMC32 and SMC64, to be probed as uint32 */
        CHECK_EQ(svmc_discover_smccc(faces, FACES, 0x80000001, 0xc6000000 | n, x), 1);
        CHECK_EQ(x[0], n < 4 ? 0 : ~0ull);
        CHECK_EQ(svmc_discover_smccc(faces, FACES, 0x80000001, 0x85000000 | n, x), 1);
        CHECK_EQ(x[0], ~0ull);
    }
    CHECK_EQ(svmc_discover_smccc(faces, FACES, 0x80000001, 0x80000001, x), 1);
    CHECK_EQ(x[0], 0);
    x[0] = 1; /* ARCH_WORKAROUND_1, _3, 64-bit SOC_ID: the hypervisor's to answer */
    CHECK_EQ(svmc_discover_smccc(faces, FACES, 0x80000001, 0x80008000, x), 0);
    CHECK_EQ(x[0], 0);
    CHECK_EQ(svmc_discover_smccc(faces, FACES, 0x80000001, 0x80003fff, x), 0);
    CHECK_EQ(svmc_discover_smccc(NULL, 0, 0x80000001, 0xc0000002, x), 0);
    CHECK_EQ(svmc_discover_smccc(faces, FACES, 0x80000001, 0x06000000, x), 1); /* not fast */
    CHECK_EQ(x[0], ~0ull);
    CHECK_EQ(svmc_discover_smccc(faces, FACES, 0x8500ff01, 0, x), 0);
    CHECK_EQ(svmc_discover_smccc(faces, FACES, 0xc600ff01, 0, x), 0);
    CHECK_EQ(svmc_discover_smccc(faces, FACES, 0x86000001, 0, x), 0); /* a call, not a question */
    CHECK_EQ(svmc_discover_sbi(faces, FACES, 0x0a000001), 1);
    CHECK_EQ(svmc_discover_sbi(faces, FACES, 0x0a000002), 7);
    CHECK_EQ(svmc_discover_sbi(faces, FACES, 0x0a000003), 0);
    CHECK_EQ(svmc_discover_sbi(faces, FACES, 1ull << 32 | 0x0a000001), 0);
}

TEST(discover, native_calls_make_themselves_known) /* HN-22 HN-23, hypercall.md: Announcements */
{
    struct svmc_trap_config trap = { .kernel = ~0u,
                                     .user = 1u << SVMC_TRAP_WAY_PORT,
                                     .port = 0x565d,
                                     .eid = 0x0a53564d,
                                     .abis = 1u << SVMC_TRAP_NATIVE };
    struct svmc_discover_face face, zero = { 0 };
    uint32_t words[4], leaf[4], bad[2];
    uint64_t x[4];

    CHECK_EQ(svmc_discover_native(&trap, SVMC_DISCOVER_CPUID, 0x40000100, words, &face), SVMC_OK);
    CHECK_EQ(svmc_discover_check(&face, 1, bad), SVMC_OK);
    CHECK_EQ(svmc_discover_cpuid(&face, 1, 0x40000100, leaf), 1);
    CHECK(leaf[0] == 0x40000101);
    CHECK(leaf[1] == 0x434d5653 && leaf[2] == leaf[1] && leaf[3] == leaf[1]); /* "SVMC" */
    CHECK_EQ(svmc_discover_cpuid(&face, 1, 0x40000101, leaf), 1);
    CHECK(leaf[0] == 1 && leaf[1] == 0x565d && leaf[2] == 0 && leaf[3] == 0);
    trap.user = 0; /* then the kernel's ways */
    CHECK_EQ(svmc_discover_native(&trap, SVMC_DISCOVER_CPUID, 0x40000000, words, &face), SVMC_OK);
    CHECK(words[2] == 3);
    trap.kernel = 1u << SVMC_TRAP_WAY_VMMCALL | 1u << SVMC_TRAP_WAY_HVC | 1u << SVMC_TRAP_WAY_ECALL;
    CHECK_EQ(svmc_discover_native(&trap, SVMC_DISCOVER_CPUID, 0x40000000, words, &face), SVMC_OK);
    CHECK(words[1] == 0 && words[2] == 1);
    CHECK_EQ(svmc_discover_native(&trap, SVMC_DISCOVER_SMCCC, 0, NULL, &face), SVMC_OK);
    CHECK_EQ(svmc_discover_check(&face, 1, bad), SVMC_OK);
    CHECK_EQ(svmc_discover_smccc(&face, 1, 0x8600ff01, 0, x), 1);
    CHECK(x[0] == 0x863a1d7b && x[1] == 0x5b4f0c8e && x[2] == 0x5653529d && x[3] == 0x873a434d);
    CHECK_EQ(svmc_discover_native(&trap, SVMC_DISCOVER_SBI, 0, NULL, &face), SVMC_OK);
    CHECK(svmc_discover_sbi(&face, 1, 0x0a53564d) != 0);
    for (unsigned i = 0; i < 8; i++) {
        struct svmc_trap_config c = trap;

        if (i == 0)
            c.abis = 1u << SVMC_TRAP_VMWARE;
        if (i == 1)
            c.kernel = 1u << SVMC_TRAP_WAY_HVC;
        if (i == 2) {
            c.kernel = 1u << SVMC_TRAP_WAY_PORT;
            c.port = 0;
        }
        memset(&face, 0xee, sizeof face);
        CHECK_EQ(svmc_discover_native(i == 3 ? NULL : &c, i == 4 ? 0 : SVMC_DISCOVER_CPUID,
                                      i == 5 ? 0x40000001 : 0x40000000, i == 6 ? NULL : words,
                                      i == 7 ? NULL : &face),
                 SVMC_ERR_ARG, "%u", i);
        if (i < 7)
            CHECK_MEM(&face, &zero, sizeof face);
    }
    trap.eid = 0;
    CHECK_EQ(svmc_discover_native(&trap, SVMC_DISCOVER_SBI, 0, NULL, &face), SVMC_ERR_ARG);
    CHECK_EQ(svmc_discover_native(&trap, SVMC_DISCOVER_SMCCC, 0, words, &face), SVMC_ERR_ARG);
}

TEST(discover, conflicts_are_found) /* HN-21 */
{
    static const struct {
        char name[24];
        struct svmc_discover_face face;
        uint32_t first, second;
    } rows[] = {
        { "leaf of another", { .kind = 1, .first = 0x40000000, .last = 0x40000000 }, 0, 5 },
        { "not a base", { .kind = 1, .first = 0x40000210, .last = 0x40000210 }, 5, 5 },
        { "below", { .kind = 1, .first = 0x3fffff00, .last = 0x3fffff00 }, 5, 5 },
        { "above", { .kind = 1, .first = 0x40010000, .last = 0x40010000 }, 5, 5 },
        { "too long",
          { .kind = 1, .first = 0x40000200, .last = 0x40000300, .words = hyperv_words },
          5,
          5 },
        { "no words", { .kind = 1, .first = 0x40000200, .last = 0x40000201 }, 5, 5 },
        { "owner twice", { .kind = 2, .owner = 6, .first = 9, .last = 9 }, 2, 5 },
        { "owner 0", { .kind = 2, .owner = 0, .first = 9, .last = 9 }, 5, 5 },
        { "owner 64", { .kind = 2, .owner = 64, .first = 9, .last = 9 }, 5, 5 },
        { "queries", { .kind = 2, .owner = 5, .first = 9, .last = 0xff00 }, 5, 5 },
        { "extension twice", { .kind = 3, .first = 0, .last = 0x0a000000, .major = 1 }, 3, 5 },
        { "probe says 0", { .kind = 3, .first = 0x0b000000, .last = 0x0b000000 }, 5, 5 },
        { "backwards", { .kind = 3, .first = 0x0b000000, .last = 0x0a900000, .major = 1 }, 5, 5 },
        { "kind", { .kind = 4, .first = 1, .last = 2 }, 5, 5 },
        { "reserved",
          { .kind = 3, .first = 1, .last = 2, .major = 1, .reserved = { 1, 0 } },
          5,
          5 },
    };
    struct svmc_discover_face list[FACES + 1];
    uint32_t bad[2];

    memcpy(list, faces, sizeof faces);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        list[FACES] = rows[i].face;
        CHECK_EQ(svmc_discover_check(list, FACES + 1, bad), SVMC_ERR_ARG, "%s", rows[i].name);
        CHECK(bad[0] == rows[i].first && bad[1] == rows[i].second, "%s", rows[i].name);
    }
    CHECK_EQ(svmc_discover_check(NULL, 1, bad), SVMC_ERR_ARG);
    CHECK_EQ(svmc_discover_check(faces, FACES, NULL), SVMC_ERR_ARG);
}

/* ---- what is noted ---- */

TEST(hcall, calls_are_counted) /* HN-24 */
{
    static struct svmc_hcall_count counts[LAB_COUNT];
    struct svmc_hcall_record ring[4];
    struct svmc_hcall_watch watch = { .counts = counts, .ring = ring, .ring_count = 4 };

    hcall_lab_init(&lab);
    memset(counts, 0, sizeof counts);
    lab.room.watch = &watch;
    hcall_lab_vcpu(&lab, &lab.vcpu, 1, lab.slots);
    memset(&call, 0, sizeof call);
    call.ip = 0x1234;
    lab.ticks_each = 5;
    CHECK_EQ(svmc_hcall_index(&lab.table, LAB_OWNER, LAB_NEW), LAB_NEW);
    CHECK_EQ(svmc_hcall_index(&lab.table, LAB_OWNER, LAB_COUNT), UINT32_MAX);
    CHECK_EQ(svmc_hcall_index(&lab.table, LAB_OWNER + 1, 0), UINT32_MAX);
    CHECK_EQ(svmc_hcall_index(&lab.table, 64, 0), UINT32_MAX);
    CHECK_EQ(svmc_hcall_index(NULL, 0, 0), UINT32_MAX);
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(ask(hcall_word(LAB_NEW), 0, 0), SVMC_HCALL_OK);
    CHECK_EQ(ask(hcall_word(LAB_GONE), 0, 0), SVMC_HCALL_DROPPED);
    CHECK_EQ(ask(hcall_word(LAB_COUNT), 0, 0), SVMC_HCALL_NOT_DEFINED);
    CHECK(watch.written == 5 && ring[0].status == SVMC_HCALL_NOT_DEFINED);
    CHECK(ring[3].status == SVMC_HCALL_DROPPED && ring[3].control == hcall_word(LAB_GONE));
    CHECK(ring[3].ip == 0x1234 && ring[3].vcpu == 1 && ring[3].ticks == 5 && ring[3].user == 0);
    CHECK(ring[3].at == ring[2].at + 10 && ring[3].end == SVMC_HCALL_DONE);
    CHECK(counts[LAB_NEW].calls == 3 && counts[LAB_NEW].refused == 0);
    CHECK(counts[LAB_NEW].log2_ticks[2] == 3 && counts[LAB_GONE].refused == 1);
    lab.ticks_each = 1ull << 40;
    CHECK_EQ(ask(hcall_word(LAB_NEW), 0, 0), SVMC_HCALL_OK);
    CHECK_EQ(counts[LAB_NEW].log2_ticks[31], 1);
    entry(0, hcall_word(LAB_NEW), 0, 0, 0, 0, 0, 0); /* each entry of a batch is one */
    entry(1, hcall_word(LAB_NEW), 0, 0, 0, 0, 0, 0);
    lab.vm.batch_ticks = 0;
    CHECK_EQ(batch(0, 2, AT, 0), 2ull << 32);
    CHECK(watch.written == 8 && counts[LAB_NEW].calls == 6);
    lab.vm.inject = 1; /* HN-6: of an entry that may not be made, too, an answer is noted */
    call.user = 1;
    entry(0, hcall_word(LAB_KERNEL), 0, 0, 0, 0, 0, 0);
    CHECK_EQ(batch(0, 1, AT, 0), 1ull << 32);
    CHECK(watch.written == 9 && ring[0].status == SVMC_HCALL_DENIED);
    CHECK_EQ(ring[0].end, SVMC_HCALL_DONE);
    call.user = 0;
    watch.counts = NULL;
    watch.ring = NULL;
    CHECK_EQ(ask(hcall_word(LAB_NEW), 0, 0), SVMC_HCALL_OK);
    CHECK_EQ(watch.written, 9);
}
