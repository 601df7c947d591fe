/* SPDX-License-Identifier: MIT */
/*
 * Any registers and any tables, whose entries stay, or change from one read to the next. Traps when
 * a walk reads more than its levels have, when a fault or a status leaves anything else behind,
 * when an address is not of its page, when a bit is set of what was refused, or when `rights` says
 * another thing than a walk for each of them.
 */
#include <stdbool.h>
#include <svmcore/walk.h>

#include "input.h"

#define WORDS 24u
#define KEPT  128u

static struct {
    uint64_t word[WORDS]; /* what entries are made of */
    struct {
        uint64_t at, value;
        uint32_t bytes;
    } kept[KEPT]; /* what was exchanged */
    unsigned count, reads, exchanges, calls;
    unsigned fail_at;
    uint8_t failure;
    bool changes, busy;
} memory;

static uint64_t entry_at(uint64_t at, uint32_t bytes)
{
    uint64_t mixed = (at + memory.changes * memory.reads) * 0x9e3779b97f4a7c15u;

    for (unsigned i = 0; i < memory.count; i++)
        if (memory.kept[i].at == at && memory.kept[i].bytes == bytes)
            return memory.kept[i].value;
    return memory.word[(mixed >> 40) % WORDS] & (bytes == 8 ? UINT64_MAX : UINT32_MAX);
}

static bool fails(void)
{
    return ++memory.calls == memory.fail_at;
}

static enum svmc_status read_entry(void *ctx, svmc_gpa at, uint32_t bytes, uint64_t *entry)
{
    require(ctx == &memory && (bytes == 4 || bytes == 8) && at.v % bytes == 0);
    require(at.v >> 56 == 0);
    memory.reads++;
    *entry = UINT64_MAX; /* and what is above four bytes does not count */
    if (fails())
        return (enum svmc_status)memory.failure;
    *entry = entry_at(at.v, bytes) | (bytes == 4 ? at.v << 32 : 0);
    return SVMC_OK;
}

static enum svmc_status exchange(void *ctx, svmc_gpa at, uint32_t bytes, uint64_t was, uint64_t now)
{
    require(ctx == &memory && at.v % bytes == 0 && was != now);
    memory.exchanges++;
    if (fails())
        return (enum svmc_status)memory.failure;
    if (memory.busy || entry_at(at.v, bytes) != was)
        return SVMC_ERR_BUSY;
    for (unsigned i = 0; i < memory.count; i++)
        if (memory.kept[i].at == at.v && memory.kept[i].bytes == bytes) {
            memory.kept[i].value = now;
            return SVMC_OK;
        }
    require(memory.count < KEPT);
    memory.kept[memory.count].at = at.v;
    memory.kept[memory.count].bytes = bytes;
    memory.kept[memory.count++].value = now;
    return SVMC_OK;
}

static const struct svmc_walk_ops ops = { sizeof(struct svmc_walk_ops), read_entry, exchange };

static void take_walker(struct input *in, struct svmc_walker *w)
{
    uint8_t how = take_byte(in);

    memset(w, 0, sizeof *w);
    w->ops = &ops;
    w->ctx = &memory;
    w->isa = 1 + (how & 3);
    take(in, &w->x86, sizeof w->x86);
    take(in, &w->a64, sizeof w->a64);
    take(in, &w->rv, sizeof w->rv);
    if (how & 0x80)
        return; /* whatever it is */
    memset(w->x86.reserved, 0, sizeof w->x86.reserved);
    memset(w->rv.reserved, 0, sizeof w->rv.reserved);
    w->x86.cpl &= 3;
    w->x86.features &= 15;
    w->x86.address_bits = 32 + w->x86.address_bits % 21;
    w->x86.cr0 |= 0x80000001;
    if (how & 4)
        w->x86.efer |= 0x400, w->x86.cr4 |= 0x20;
    else
        w->x86.efer &= ~UINT64_C(0x400);
    if (w->a64.pstate >> 2 & 2)
        w->a64.pstate &= ~UINT64_C(4);
    w->a64.sctlr |= 1;
    w->rv.user &= 1;
    w->rv.features &= 7;
    w->rv.satp = (w->rv.satp & ~(UINT64_C(15) << 60)) | UINT64_C(0x80000000) |
                 (uint64_t)(8 + (how >> 3) % 3) << 60;
}

static bool is_zero(const struct svmc_walk_result *r)
{
    static const struct svmc_walk_result zero;

    return memcmp(r, &zero, sizeof zero) == 0;
}

static void judge(const struct svmc_walk_result *r, enum svmc_status st, uint64_t at,
                  uint32_t access)
{
    struct svmc_walk_result rest = *r;

    require(memory.reads <= SVMC_WALK_LEVELS * SVMC_WALK_TRIES);
    require(memory.exchanges <= SVMC_WALK_LEVELS * SVMC_WALK_TRIES);
    if (st != SVMC_OK) {
        require(is_zero(r));
        return;
    }
    memset(&rest.fault, 0, sizeof rest.fault);
    if (r->fault.raised) {
        require(is_zero(&rest) && r->fault.vector < 64);
        require(memory.exchanges == 0 || memory.busy || memory.changes);
        return;
    }
    require(is_zero(&rest) == is_zero(r) && r->page_bytes >= 4096);
    require((r->page_bytes & (r->page_bytes - 1)) == 0);
    require(((r->at.v ^ at) & (r->page_bytes - 1)) == 0);
    require((r->rights & access & 0x103) == (access & 0x103));
    require(r->mark_count <= SVMC_WALK_LEVELS);
    require(r->mark_count == 0 || (access & SVMC_WALK_LOOK));
    for (unsigned i = 0; i < SVMC_WALK_LEVELS; i++)
        require(i < r->mark_count ? r->mark[i].was != r->mark[i].now : r->mark[i].at.v == 0);
}

static enum svmc_status walk(const struct svmc_walker *w, uint64_t at, uint32_t access,
                             struct svmc_walk_result *r)
{
    enum svmc_status st;

    memory.reads = memory.exchanges = memory.calls = 0;
    memset(r, 0xee, sizeof *r);
    st = svmc_walk(w, (svmc_gva){ at }, access, r);
    count_call();
    judge(r, st, at, access);
    return st;
}

/* Tables that stay: the same again, nothing to mark, and each right for itself. */
static void walk_again(const struct svmc_walker *w, uint64_t at, uint32_t access,
                       const struct svmc_walk_result *r)
{
    static const uint32_t each[] = { SVMC_WALK_READ, SVMC_WALK_WRITE, SVMC_WALK_FETCH };
    uint32_t how = access & ~(uint32_t)0x103 & ~(uint32_t)SVMC_WALK_LOOK;
    struct svmc_walk_result again;

    require(walk(w, at, (access & 0x103) | how | SVMC_WALK_LOOK, &again) == SVMC_OK);
    require(again.mark_count == 0 && memcmp(&again, r, sizeof again) == 0);
    if (w->isa >= SVMC_WALK_ISA_RV32 && !(w->rv.features & SVMC_WALK_RV_SVADU))
        return; /* where A and D are rights too */
    if (access & SVMC_WALK_FETCH)
        return; /* tags of data are not those of fetches */
    for (unsigned i = 0; i < 2; i++) {
        require(walk(w, at, each[i] | how | SVMC_WALK_LOOK, &again) == SVMC_OK);
        require(!again.fault.raised == ((r->rights & each[i]) != 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };
    struct svmc_walk_result r;
    struct svmc_walker w;
    enum svmc_status st;
    uint32_t access;
    uint64_t at;
    uint8_t how;

    memset(&memory, 0, sizeof memory);
    take_walker(&in, &w);
    take(&in, memory.word, sizeof memory.word);
    for (unsigned n = 0; n < 8 && (in.left > 0 || n == 0); n++) {
        how = take_byte(&in);
        memory.changes = (how & 0xc0) == 0xc0;
        memory.busy = (how & 0xe0) == 0xa0;
        memory.fail_at = (how & 0xe0) == 0x60 ? 1 + (how & 7) : 0;
        memory.failure = how & 8 ? SVMC_ERR_REFUSED : SVMC_ERR_ABSENT;
        take(&in, &at, sizeof at);
        access = take_byte(&in) | (uint32_t)take_byte(&in) << 8;
        if (how & 0x10)
            access = 1 + access % 3 + (access & 0xe00);
        st = walk(&w, at, access, &r);
        require(st == SVMC_OK || st == SVMC_ERR_ARG || (st == SVMC_ERR_BUSY && memory.busy) ||
                ((st == SVMC_ERR_BUSY || memory.fail_at) && (memory.changes || memory.fail_at)));
        if (st == SVMC_OK && !r.fault.raised && !memory.changes && !memory.busy &&
            memory.fail_at == 0 && !(access & SVMC_WALK_LOOK))
            walk_again(&w, at, access, &r);
        if (memory.count > KEPT - 64)
            memory.count = 0;
    }
    return 0;
}
