/* SPDX-License-Identifier: MIT */
/*
 * What Frama-C Eva starts from: tests/checks/eva.py analyses it, nobody compiles it. One call on a
 * vCPU at a time: the policy's bytes, the exit, registers, guest memory, what callbacks give and
 * the page are anything at all. What a call finds of the calls before it has the ranges of fresh()
 * and enters(); check_record() and the checks behind each call show that every call leaves them so.
 * Assumed beyond that, and nowhere else: what host.h and exit.h say of guest_span and
 * svmc_exit.data, and that a record is zero once it was wiped (Eva takes a volatile store for one
 * of anything). The splits keep cases apart and leave none out.
 */
#include <__fc_builtin.h>
#include <string.h>
#include <svmcore/audit.h>
#include <svmcore/intercept.h>

#include "intercept/intercept_private.h"

#define ANY(object) Frama_C_make_unknown((char *)&(object), sizeof(object))
#define MAYBE       Frama_C_interval(0, 1)
#define PAGE        4096u

static volatile uint64_t page[PAGE / 8]; /* volatile: each load gives anything */
static uint8_t guest[PAGE], staged[SVMC_EXIT_DATA_MAX];
static struct svmc_vcpu vc;
static struct svmc_policy policy;
static struct svmc_ledger ledger;
static struct svmc_host_ops ops;

static enum svmc_status any_status(void)
{
    int status;

    ANY(status);
    return (enum svmc_status)status;
}

static enum svmc_status get_random(void *ctx, void *dst, size_t n)
{
    (void)ctx;
    Frama_C_make_unknown(dst, n);
    return any_status();
}

static enum svmc_status get_reg(void *ctx, uint32_t reg, uint64_t *value)
{
    (void)ctx;
    (void)reg;
    ANY(*value);
    return any_status();
}

static void set_reg(void *ctx, uint32_t reg, uint64_t value)
{
    (void)ctx;
    (void)reg;
    (void)value;
}

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    (void)ctx;
    (void)at;
    (void)access;
    ANY(*out);
    ANY(*fault);
    return any_status();
}

/* n bytes and no more, where n is 1, 2 or 4; else up to the next of these: a case each, for n is
 * tied to what is left of it by its case alone. */
static const uint32_t ends[] = { 4, 511, 1023, 1535, 2047, 2559, 3071, 3583, 4096 };
#define ENDS (sizeof ends / sizeof ends[0])

static uint32_t spans; /* asked for: even or odd; one keeps its case while the next has its own */

static uint32_t first_case(void)
{
    uint32_t i = (uint32_t)Frama_C_interval(0, ENDS);

    //@ split i;
    return i;
}

static uint32_t next_case(void)
{
    uint32_t i = (uint32_t)Frama_C_interval(0, ENDS);

    //@ split i;
    return i;
}

static enum svmc_status get_span(void *ctx, svmc_gpa at, size_t n, uint32_t access, void **span)
{
    uint32_t i;

    spans ^= 1;
    //@ split spans;
    i = spans ? first_case() : next_case();
    (void)ctx;
    (void)at;
    (void)access;
    if ((i > 0 && n <= ends[i - 1]) || (i < ENDS && n > ends[i]))
        Frama_C_abort(); /* another case's */
    Frama_C_make_unknown((char *)guest, sizeof guest);
    *span = i < ENDS && MAYBE ? guest + PAGE - ends[i] : NULL;
    return any_status();
}

static uint64_t get_ticks(void *ctx)
{
    uint64_t now;

    (void)ctx;
    ANY(now);
    return now;
}

static enum svmc_status interpret(void *ctx, uint32_t kind, uint64_t number, uint64_t *value,
                                  uint32_t *fault)
{
    (void)ctx;
    (void)kind;
    (void)number;
    ANY(*value);
    ANY(*fault);
    return any_status();
}

static void any_ops(void)
{
    ops = (struct svmc_host_ops){ sizeof ops,
                                  get_random,
                                  get_reg,
                                  set_reg,
                                  MAYBE ? translate : NULL,
                                  MAYBE ? get_span : NULL,
                                  MAYBE ? get_ticks : NULL,
                                  MAYBE ? interpret : NULL };
}

/* What svmc_vcpu_init leaves, and then what calls on it may have changed: anything. */
static void fresh(void)
{
    uint32_t magic, sealed;

    if (svmc_policy_init(&policy, 1, 1) != SVMC_OK)
        Frama_C_abort();
    magic = policy.priv.magic;
    ANY(policy);
    policy.priv.magic = magic;
    if (svmc_policy_seal(&policy) != SVMC_OK)
        Frama_C_abort();
    any_ops();
    if (svmc_vcpu_init(&vc, &ops, NULL, &policy, page, (uint32_t)Frama_C_interval(0, 65535)) !=
        SVMC_OK)
        Frama_C_abort();
    ANY(vc.priv.seq_count);
    ANY(vc.priv.refusals);
    ANY(vc.priv.stopped);
    ANY(vc.priv.stats);
    ANY(vc.priv.time);
    ANY(vc.priv.staging);
    ANY(vc.priv.record);
    vc.priv.page_used = (uint32_t)Frama_C_interval(0, SVMC_PAGE_DATA_BYTES);
    vc.priv.recording = (uint32_t)MAYBE;
    vc.priv.record.ledger = MAYBE ? &ledger : NULL;
    vc.priv.record.ring = NULL;
    ANY(ledger);
    ANY(staged);
}

/* What bounds cut 0..65535 and 0..255 into: a case each. */
static const uint32_t sizes[] = { 0, 1, 9, 65536 };
static const uint32_t string_sizes[] = { 0, 1, 2, 3, 4, 5, 8, 9, 65536 };
static const uint32_t froms[] = { 0, 8, 16, 256 };
#define PARTS(bounds)   (uint32_t) Frama_C_interval(0, sizeof bounds / sizeof bounds[0] - 2)
#define PART(bounds, i) Frama_C_interval((int)bounds[i], (int)bounds[i + 1] - 1)

static void any_exit(struct svmc_exit *e, uint16_t kind)
{
    const struct exit_rule *rule = svmc_intercept_rule(kind);
    uint32_t from, size, finish, isa;

    ANY(*e);
    e->data = MAYBE ? staged : NULL;
    e->kind = kind;
    isa = (uint32_t)MAYBE;
    //@ split isa;
    e->isa = (uint8_t)(isa ? Frama_C_interval(0, 15) : Frama_C_interval(16, 255));
    from = PARTS(froms);
    //@ split from;
    e->from = (uint8_t)PART(froms, from);
    if (!isa && rule->string != 1) /* refused; of a string count and size are looked at before */
        return;
    if (rule->string > 1) {
        size = (uint32_t)Frama_C_interval(0, 3); /* 0; less; as it must be; more */
        //@ split size;
        e->size = (uint16_t)(size == 0   ? 0
                             : size == 1 ? Frama_C_interval(1, rule->string - 1)
                             : size == 2 ? rule->string
                                         : Frama_C_interval(rule->string + 1, 65535));
    } else if (rule->string) {
        size = PARTS(string_sizes);
        //@ split size;
        e->size = (uint16_t)PART(string_sizes, size);
    } else if (from == 0) {
        size = PARTS(sizes);
        //@ split size;
        e->size = (uint16_t)PART(sizes, size);
    }
    if (rule->string > 1 ? size == 2
                         : rule->string && e->size < 16 && (rule->sizes >> e->size & 1)) {
        finish = (uint32_t)Frama_C_interval(0, 3); /* 0; 1 and 3; 2; others */
        //@ split finish;
        e->finish = (uint8_t)(finish == 0   ? 0
                              : finish == 1 ? 1 + 2 * MAYBE
                              : finish == 2 ? 2
                                            : Frama_C_interval(4, 255));
    }
}

/* The record of an exit that waits for its answer. */
static void check_record(void)
{
    const struct svmc_pending *p = &vc.priv.pending;
    const struct exit_rule *rule = svmc_intercept_rule(p->exit.kind);

    //@ check p->row == rule;
    //@ check p->active == 1;
    //@ check p->exit.data == \null;
    //@ check p->usual <= rule->usual_backend && p->staged <= 1;
    //@ check p->in_count <= SLOTS_IN && p->out_count <= SLOTS_OUT;
    //@ check rule->out[0].place == PLACE_DEST ==> p->exit.size >= 1;
    if (!rule->string) {
        //@ check p->exit.size <= 8;
        return;
    }
    if (rule->string > 1) {
        //@ check p->completion == SVMC_COMPLETION_CHUNK || p->completion == SVMC_COMPLETION_PART;
        //@ check p->issued == 1 && p->exit.size <= SVMC_PAGE_DATA_BYTES;
        //@ check p->exit.finish == 1 || p->exit.finish == 3;
        //@ check ops.translate != \null && ops.guest_span != \null;
        if (p->exit.kind == SVMC_KIND_HOST_CALL) { /* in one part */
            //@ check p->block == rule->string && p->kept == 8 && p->at == 0;
            //@ check p->exit.size == p->block && p->direction == SVMC_DIRECTION_INOUT;
            //@ check p->completion == SVMC_COMPLETION_CHUNK;
        } else if (p->exit.kind == SVMC_KIND_CHSC) {
            //@ check p->block == PAGE && 16 <= p->kept && p->kept <= 4088;
        } else {
            //@ check p->kept == 0;
        }
        return;
    }
    if (p->exit.kind == SVMC_KIND_PAGE_STATE) {
        //@ check p->exit.size == 8 && p->exit.finish == 0;
    } else {
        //@ check p->exit.size == 1 || p->exit.size == 2 || p->exit.size == 4;
    }
    //@ check p->completion == SVMC_COMPLETION_CHUNK;
    //@ check p->exit.finish == 0 || p->exit.finish == 1 || p->exit.finish == 3;
    //@ check p->issued * p->exit.size <= SVMC_PAGE_DATA_BYTES;
    if (p->exit.finish) {
        //@ check p->usual == 0 && p->at == 0;
        //@ check ops.translate != \null && ops.guest_span != \null;
        return;
    }
    //@ check 1 <= p->exit.count && p->exit.count * p->exit.size <= SVMC_EXIT_DATA_MAX;
    //@ check p->at * p->exit.size < SVMC_EXIT_DATA_MAX;
}

static void exits(uint16_t kind)
{
    struct svmc_outcome out;
    struct svmc_exit e;
    enum svmc_status st;

    fresh();
    any_exit(&e, kind);
    st = svmc_vcpu_exit(&vc, &e, &out);
    //@ check vc.priv.page_used <= SVMC_PAGE_DATA_BYTES;
    if (st != SVMC_OK || out.action != SVMC_ACT_DELEGATED)
        return;
    //@ split vc.priv.pending.exit.kind;
    check_record();
}

/* The kinds of a class that have no row: all at once, each by its number (MORE in eva.py). */
static void refuses(uint32_t class)
{
    struct svmc_outcome out;
    struct svmc_exit e;
    enum svmc_status st;
    uint32_t from;
    uint16_t kind = (uint16_t)(class << 12 | (uint32_t)Frama_C_interval(0, 4095)), other;

    for (uint32_t row = 1; svmc_intercept_row_kind(row, &other); row++)
        if (kind == other)
            Frama_C_abort(); /* another run's */
    fresh();
    ANY(e);
    e.data = MAYBE ? staged : NULL;
    e.kind = kind;
    from = PARTS(froms);
    //@ split from;
    e.from = (uint8_t)PART(froms, from);
    st = svmc_vcpu_exit(&vc, &e, &out);
    //@ check st != SVMC_OK || out.action == SVMC_ACT_INJECT;
}

static void enters(uint16_t kind)
{
    struct svmc_pending *p = &vc.priv.pending;
    const struct exit_rule *rule = svmc_intercept_rule(kind);
    struct svmc_outcome out;
    enum svmc_status st;
    uint32_t size, own;

    fresh();
    ANY(*p);
    p->exit.kind = kind;
    p->exit.data = NULL;
    p->row = rule;
    p->active = 1;
    p->usual = (uint8_t)(rule->usual && MAYBE); /* a string: below */
    p->staged = (uint8_t)MAYBE;
    p->in_count = (uint8_t)Frama_C_interval(0, SLOTS_IN);
    p->out_count = (uint8_t)Frama_C_interval(0, SLOTS_OUT);
    p->exit.size = (uint8_t)Frama_C_interval(rule->out[0].place == PLACE_DEST, 8);
    if (rule->string > 1) {
        p->exit.size = (uint16_t)Frama_C_interval(0, SVMC_PAGE_DATA_BYTES);
        p->exit.finish = (uint8_t)(MAYBE ? 1 : 3);
        p->completion = MAYBE ? SVMC_COMPLETION_CHUNK : SVMC_COMPLETION_PART;
        p->issued = 1;
        p->kept = 0;
        if (kind == SVMC_KIND_HOST_CALL) { /* in one part */
            p->exit.size = p->block = rule->string;
            p->kept = 8;
            p->at = 0;
            p->direction = SVMC_DIRECTION_INOUT;
            p->completion = SVMC_COMPLETION_CHUNK;
        } else if (kind == SVMC_KIND_CHSC) {
            p->kept = (uint16_t)Frama_C_interval(16, 4088);
            p->block = PAGE;
        }
        ops.translate = translate;
        ops.guest_span = get_span;
    } else if (rule->string) {
        size = (uint32_t)Frama_C_interval(0, 2);
        own = (uint32_t)MAYBE;
        if (kind == SVMC_KIND_PAGE_STATE) {
            size = 3;
            own = 0;
        }
        //@ split size;
        size = 1u << size;
        //@ split own;
        p->exit.size = (uint8_t)size;
        p->exit.finish = (uint8_t)(own ? MAYBE ? 1 : 3 : 0);
        p->completion = SVMC_COMPLETION_CHUNK;
        p->issued = (uint32_t)Frama_C_interval(0, SVMC_PAGE_DATA_BYTES / size);
        p->at = 0;
        if (own) {
            ops.translate = translate;
            ops.guest_span = get_span;
        } else {
            p->exit.count = (uint32_t)Frama_C_interval(1, SVMC_EXIT_DATA_MAX / size);
            p->at = (uint32_t)Frama_C_interval(0, SVMC_EXIT_DATA_MAX / size - 1);
            p->usual = (uint8_t)(rule->usual_backend && MAYBE); /* in truth only where at is 0 */
        }
    }
    st = svmc_vcpu_enter(&vc, &out);
    //@ check vc.priv.page_used <= SVMC_PAGE_DATA_BYTES;
    if (st == SVMC_ERR_CALLBACK || out.action == SVMC_ACT_DELEGATED)
        check_record();
}

/* ---- what Eva is started from: tests/checks/eva.py --------------------------------------------*/

#define HALF 45 /* of the rows */

/* Any row in [first, last] whose operand is registers (0), a string (1) or a block. */
static bool any_row(uint32_t first, uint32_t last, uint32_t operand, uint16_t *kind)
{
    uint32_t n = (uint32_t)Frama_C_interval((int)first, (int)last), string;

    //@ split n;
    if (!svmc_intercept_row_kind(n, kind))
        return false;
    string = svmc_intercept_rule(*kind)->string;
    return (string < 2 ? string : 2) == operand;
}

void exit_plain(void)
{
    uint16_t kind;

    if (any_row(1, HALF, 0, &kind))
        exits(kind);
}

void exit_more(void)
{
    uint16_t kind;

    if (any_row(HALF + 1, SVMC_LEDGER_ROWS - 1, 0, &kind))
        exits(kind);
}

void enter_plain(void)
{
    uint16_t kind;

    if (any_row(1, HALF, 0, &kind))
        enters(kind);
}

void enter_more(void)
{
    uint16_t kind;

    if (any_row(HALF + 1, SVMC_LEDGER_ROWS - 1, 0, &kind))
        enters(kind);
}

void exit_outs(void)
{
    exits(SVMC_KIND_OUTS);
}

void exit_ins(void)
{
    exits(SVMC_KIND_INS);
}

void exit_list(void)
{
    exits(SVMC_KIND_PAGE_STATE);
}

void enter_string(void)
{
    uint16_t kind;

    if (any_row(1, SVMC_LEDGER_ROWS - 1, 1, &kind))
        enters(kind);
}

void exit_block(void)
{
    uint16_t kind;

    if (any_row(1, SVMC_LEDGER_ROWS - 1, 2, &kind))
        exits(kind);
}

void enter_block(void)
{
    uint16_t kind;

    if (any_row(1, SVMC_LEDGER_ROWS - 1, 2, &kind))
        enters(kind);
}

void exit_none(void)
{
    uint32_t class = (uint32_t)Frama_C_interval(0, 15);

    //@ split class;
    refuses(class);
}

/* One kind alone: the short runs, and what the mutants are seen by. */
void exit_in(void)
{
    exits(SVMC_KIND_IN);
}

void exit_ssch(void)
{
    exits(SVMC_KIND_SSCH);
}

void enter_in(void)
{
    enters(SVMC_KIND_IN);
}

void enter_outs(void)
{
    enters(SVMC_KIND_OUTS);
}

void enter_ssch(void)
{
    enters(SVMC_KIND_SSCH);
}

/* A range of a setter is one entry anywhere, or any number of them from the first on. */
static void set_ranges(struct svmc_policy *p, uint32_t first, uint32_t count)
{
    uint32_t access, verdict;
    enum svmc_status st;

    ANY(access);
    ANY(verdict);
    st = svmc_policy_set_ports(p, first, count, access, verdict);
    st = svmc_policy_set_msrs(p, first, count, access, verdict);
    st = svmc_policy_set_sysregs(p, first, count, access, verdict);
    (void)st;
}

static void setters(struct svmc_policy *p)
{
    struct svmc_cpuid_leaf leaves[SVMC_POLICY_CPUIDS];
    uint32_t a, b, c, d;
    uint64_t number;
    svmc_gpa gpa;
    enum svmc_status st;

    ANY(a);
    ANY(b);
    ANY(c);
    ANY(d);
    ANY(number);
    ANY(gpa);
    ANY(leaves);
    st = svmc_policy_init(p, a, b);
    ANY(policy);
    set_ranges(p, a, 1);
    set_ranges(p, 0, b);
    set_ranges(p, 0x8000, b);
    st = svmc_policy_add_window(p, gpa, number, c, d);
    st = svmc_policy_set_full_wipe(p);
    st = svmc_policy_set_mode(p, a);
    st = svmc_policy_set_user_memory(p);
    st = svmc_policy_set_doorbell(p, (uint16_t)a);
    st = svmc_policy_set_hcall(p, a, (uint8_t)b, (uint8_t)c);
    st = svmc_policy_set_cpuid(p, leaves, b, d);
    st = svmc_policy_set_cpuid(p, NULL, b, d);
    st = svmc_policy_set_call(p, a, number, (uint8_t)b, (uint8_t)c);
    st = svmc_policy_set_kind(p, a, b);
    st = svmc_policy_seal(p);
    (void)st;
}

/* The calls beside exit and enter, and those without what they need. */
void others(void)
{
    struct svmc_outcome out;
    struct svmc_stats stats;
    struct svmc_ledger_entry entry;
    enum svmc_status st;
    uint32_t any, first, at, count;
    uint64_t number;
    uint16_t kind;

    setters(NULL);
    setters(&policy);
    ANY(any);
    any_ops();
    ANY(ops.size);
    st = svmc_vcpu_init(NULL, &ops, NULL, &policy, page, any);
    st = svmc_vcpu_init(&vc, NULL, NULL, &policy, page, any);
    st = svmc_vcpu_init(&vc, &ops, NULL, NULL, page, any);
    st = svmc_vcpu_init(&vc, &ops, NULL, &policy, NULL, any);
    st = svmc_vcpu_init(&vc, &ops, NULL, &policy, page, any);
    fresh();
    st = svmc_vcpu_set_ledger(NULL, &ledger);
    st = svmc_vcpu_set_ledger(&vc, NULL);
    st = svmc_vcpu_set_ledger(&vc, &ledger);
    st = svmc_vcpu_set_audit(&vc, NULL);
    st = svmc_ledger_read(NULL, any, &entry);
    st = svmc_ledger_read(&ledger, any, NULL);
    st = svmc_ledger_read(&ledger, any, &entry);
    st = svmc_vcpu_stats(NULL, &stats);
    st = svmc_vcpu_stats(&vc, NULL);
    st = svmc_vcpu_stats(&vc, &stats);
    st = svmc_vcpu_exit(NULL, NULL, &out);
    st = svmc_vcpu_exit(&vc, NULL, NULL);
    st = svmc_vcpu_exit(&vc, NULL, &out);
    st = svmc_vcpu_enter(NULL, &out);
    st = svmc_vcpu_enter(&vc, NULL);
    st = svmc_vcpu_enter(&vc, &out);
    (void)svmc_intercept_msr_page(any, &first, &at, &count);
    (void)svmc_intercept_row_kind(any, &kind);
    (void)svmc_kind_name((uint16_t)any);
    ANY(number);
    (void)svmc_intercept_hcall_results(number);
    policy.priv.cpuid_count = (uint32_t)Frama_C_interval(0, SVMC_POLICY_CPUIDS);
    (void)svmc_intercept_cpuid_sorted(&policy);
    svmc_vcpu_cancel(NULL);
    svmc_vcpu_cancel(&vc);
    svmc_vcpu_drop(NULL);
    svmc_vcpu_drop(&vc);
    (void)st;
}
