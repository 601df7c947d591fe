/* SPDX-License-Identifier: MIT */
#include "turns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <svmcore/guest/hypercall.h>

#define MOST(size)  (SVMC_PAGE_DATA_BYTES / (size)) /* elements of one request */
#define POOL        65536u
#define PAGE_FAULT  14u
#define REFUSALS    0x7fffffffu
#define HCALLS      7u /* call n takes n arguments and gives n % 4 results */
#define IS_X86(isa) ((isa) <= SVMC_ISA_X86_64)

static uint64_t low(uint64_t value, unsigned bytes)
{
    return bytes < 8 ? value & (((uint64_t)1 << (8 * bytes)) - 1) : value;
}

uint64_t turn_random(uint64_t *state)
{
    uint64_t x = *state;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

static uint32_t below(uint64_t *rng, uint32_t bound)
{
    return (uint32_t)((turn_random(rng) >> 32) * bound >> 32);
}

static bool one_in(uint64_t *rng, uint32_t n)
{
    return below(rng, n) == 0;
}

void turn_fill(void *dst, size_t n, uint64_t *rng)
{
    static uint8_t pool[2 * POOL];

    if (pool[0] == 0) { /* 0 is no first byte of this seed's */
        uint64_t seed = 88172645463325252u;

        for (size_t i = 0; i < sizeof pool; i += 8) {
            uint64_t word = turn_random(&seed);

            memcpy(pool + i, &word, 8);
        }
    }
    memcpy(dst, pool + below(rng, POOL), n);
}

/* ---- the guest -------------------------------------------------------------------------------*/

static enum svmc_status give_random(void *ctx, void *dst, size_t n)
{
    struct guest *g = ctx;

    for (size_t i = 0; i < n; i++)
        ((uint8_t *)dst)[i] = (uint8_t)(g->random >> (8 * (i % 8)));
    return SVMC_OK;
}

static enum svmc_status reg_read(void *ctx, uint32_t reg, uint64_t *value)
{
    struct guest *g = ctx;

    if (reg >= WORLD_REGS)
        return SVMC_ERR_CALLBACK;
    *value = g->reg[reg];
    return SVMC_OK;
}

static void reg_write(void *ctx, uint32_t reg, uint64_t value)
{
    struct guest *g = ctx;

    if (g->writes < GUEST_LOG)
        g->written[g->writes] = (uint8_t)reg;
    g->writes++;
    if (reg < WORLD_REGS)
        g->reg[reg] = value;
}

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    (void)ctx;
    if (at.v - GUEST_LINEAR < GUEST_MEMORY) {
        out->v = at.v - GUEST_LINEAR;
        return SVMC_OK;
    }
    fault->raised = 1;
    fault->vector = PAGE_FAULT;
    fault->has_error = 1;
    fault->error = access & SVMC_ACCESS_WRITE ? 2 : 0;
    fault->address = at.v;
    return SVMC_OK;
}

static enum svmc_status guest_span(void *ctx, svmc_gpa at, size_t n, uint32_t access, void **span)
{
    struct guest *g = ctx;

    if (at.v >= GUEST_MEMORY || n > 4096 - at.v % 4096)
        return SVMC_ERR_CALLBACK;
    *span = g->memory + at.v;
    if (access & SVMC_ACCESS_WRITE) {
        if (g->spans < GUEST_LOG)
            g->span_of[g->spans] = (struct span){ *span, n };
        g->spans++;
    }
    return SVMC_OK;
}

const struct svmc_host_ops guest_ops = {
    .size = sizeof(struct svmc_host_ops),
    .random = give_random,
    .reg_read = reg_read,
    .reg_write = reg_write,
    .translate = translate,
    .guest_span = guest_span,
};

/* ---- what there is to ask for ----------------------------------------------------------------*/

static void must(enum svmc_status st, const char *what)
{
    if (st != SVMC_OK) {
        printf("failed: %s: %s\n", what, svmc_status_name(st));
        exit(1);
    }
}

void turn_policy(struct svmc_policy *policy, bool full_wipe, enum svmc_mode mode)
{
    must(svmc_policy_preset(policy, SVMC_PRESET_OPEN, REFUSALS, REFUSALS), "preset");
    must(svmc_policy_set_mode(policy, mode), "mode");
    must(svmc_policy_set_user_memory(policy), "user memory");
    must(svmc_policy_set_doorbell(policy, SVMC_HCALL_PORT), "doorbell");
    for (uint8_t n = 0; n < HCALLS; n++)
        must(svmc_policy_set_hcall(policy, n, n, n % 4), "hypercall");
    if (full_wipe)
        must(svmc_policy_set_full_wipe(policy), "full wipe");
    must(svmc_policy_seal(policy), "seal");
}

/* s390x, by docs/spec/page.md: all of channel I/O but SAL gives a condition code. */
static bool gives_cc(uint16_t kind)
{
    return kind >> 12 == 0xb && kind != 0xb044;
}

static bool is_string(const struct exit_rule *rule)
{
    return rule->string && !is_block(rule);
}

/* An instruction set whose registers the row names, or any that can have such an exit. */
static uint32_t isa_of(const struct exit_rule *rule, uint64_t *rng)
{
    static const uint8_t all[] = { SVMC_ISA_X86_64, SVMC_ISA_A64, SVMC_ISA_RV64, SVMC_ISA_S390X };
    unsigned reg = SVMC_REG_NONE;

    if (rule->in_count > 0 && rule->in[0].place == PLACE_REG)
        reg = rule->in[0].reg;
    else if (rule->out_count > 0 && rule->out[0].place == PLACE_REG)
        reg = rule->out[0].reg;
    if (reg != SVMC_REG_NONE)
        return reg < SVMC_REG_X0        ? SVMC_ISA_X86_64
               : reg < SVMC_REG_RV_X0   ? SVMC_ISA_A64
               : reg < SVMC_REG_S390_R0 ? SVMC_ISA_RV64
                                        : SVMC_ISA_S390X;
    if (rule->space == SPACE_S390)
        return SVMC_ISA_S390X;
    if (rule->string || rule->space == SPACE_PORT || rule->space == SPACE_MSR)
        return SVMC_ISA_X86_64;
    return all[below(rng, sizeof all)];
}

static uint64_t address_of(const struct ask *ask, uint64_t *rng)
{
    static const struct {
        uint32_t first, count;
    } msrs[] = {
        { 0, 0x2000 }, { 0xc0000000, 0x2000 }, { 0xc0010000, 0x2000 }, { 0x40000000, 0x100 }
    }; /* EX-5 */
    uint64_t at = turn_random(rng);
    unsigned page = (unsigned)(at & 3);

    switch (ask->rule->space) {
    case SPACE_PORT:
        at %= 65536 - ask->size + 1;
        return at == SVMC_HCALL_PORT ? 0 : at;
    case SPACE_MSR:
        return msrs[page].first + (at >> 2) % msrs[page].count;
    case SPACE_WINDOW:
        at >>= 12;
        return (at & 4095) + ask->size > 4096 ? at & ~(uint64_t)7 : at;
    case SPACE_HCALL:
        return at % HCALLS;
    default:
        return at;
    }
}

uint32_t ask_bytes(const struct ask *ask)
{
    bool part = ask->rule->kind == SVMC_KIND_SSCH && !(ask->data[7] & 1);

    return part ? 12 : ask->count * ask->size; /* EX-68: an ORB without X */
}

void ask_make(struct ask *ask, const struct exit_rule *rule, uint64_t *rng)
{
    bool hcall = rule->space == SPACE_HCALL;

    ask->rule = rule;
    ask->isa = isa_of(rule, rng);
    ask->size = rule->space == SPACE_PORT     ? 1u << below(rng, 3)
                : rule->space == SPACE_WINDOW ? 1 + below(rng, 8)
                : is_block(rule)              ? rule->string
                                              : 0;
    ask->count = 1;
    if (is_string(rule))
        ask->count = 1 + below(rng, one_in(rng, 16) ? MOST(ask->size) : 8);
    if (is_string(rule) && one_in(rng, 64))
        ask->count = MOST(ask->size);
    ask->address = address_of(ask, rng);
    ask->args = hcall ? (uint8_t)ask->address : rule->in_count;
    ask->results = hcall ? (uint8_t)(ask->address % 4) : 0;
    ask->value = one_in(rng, 8) ? 0 : turn_random(rng);
    if (rule->kind == SVMC_KIND_SPX)
        ask->value &= 0x7fffe000;
    for (unsigned i = 0; i < SLOTS_IN; i++) {
        const struct slot *s = &rule->in[i];
        unsigned bytes = s->bytes != 0 ? s->bytes : ask->size;

        if (s->place == PLACE_VALUE && i < rule->in_count)
            ask->value = low(ask->value, bytes);
        ask->in[i] = s->place == PLACE_VALUE ? ask->value : low(turn_random(rng), bytes);
    }
    if (rule->string && rule->direction == SVMC_DIRECTION_OUT)
        turn_fill(ask->data, (size_t)ask->count * ask->size, rng);
    if (rule->kind == SVMC_KIND_SSCH)
        memset(ask->data + ask_bytes(ask), 0, ask->size - ask_bytes(ask));
}

/* ---- one of the exits that ask for it --------------------------------------------------------*/

struct maker {
    struct turn *t;
    struct guest *g;
    uint64_t *rng;
    uint8_t used[256]; /* registers whose value counts */
};

/* Set the low `bytes` of a register, the rest is random. */
static void set_low(struct maker *m, uint32_t reg, uint64_t value, unsigned bytes)
{
    m->g->reg[reg] = low(value, bytes) | (turn_random(m->rng) & ~low(~(uint64_t)0, bytes));
    m->used[reg] = 1;
}

static uint8_t free_reg(struct maker *m, uint32_t count)
{
    uint32_t isa = m->t->exit.isa;
    uint32_t first = IS_X86(isa)             ? SVMC_REG_RAX
                     : isa == SVMC_ISA_A64   ? SVMC_REG_X0
                     : isa == SVMC_ISA_S390X ? SVMC_REG_S390_R0
                                             : SVMC_REG_RV_X0 + 1;
    uint32_t reg;

    do
        reg = first + below(m->rng, count);
    while (m->used[reg]);
    return (uint8_t)reg;
}

static uint32_t regs_of(uint32_t isa)
{
    return IS_X86(isa) || isa == SVMC_ISA_S390X ? 16 : 31;
}

static uint8_t isa_like(uint32_t isa, uint64_t *rng)
{
    if (IS_X86(isa))
        return (uint8_t)below(rng, 4);
    if (isa == SVMC_ISA_RV64)
        return one_in(rng, 2) ? SVMC_ISA_RV32 : SVMC_ISA_RV64;
    return (uint8_t)isa;
}

/* Port, MSR and value stand in the exit, or in registers that it names (EX-10). */
static void name_registers(struct maker *m)
{
    const struct ask *ask = m->t->ask;
    struct svmc_exit *e = &m->t->exit;
    bool value = ask->rule->in_count > 0 && ask->rule->in[0].place == PLACE_VALUE;

    if (value && ask->size == 0 && IS_X86(e->isa) && one_in(m->rng, 2)) {
        e->from |= SVMC_FROM_VALUE_PAIR;
        set_low(m, SVMC_REG_RAX, ask->value, 4);
        set_low(m, SVMC_REG_RDX, ask->value >> 32, 4);
        e->value = turn_random(m->rng);
    } else if (value && ask->size != 0 && one_in(m->rng, 2)) {
        e->from |= SVMC_FROM_VALUE_REG;
        e->value_reg = free_reg(m, regs_of(e->isa));
        e->value_high =
            IS_X86(e->isa) && ask->size == 1 && e->value_reg <= SVMC_REG_RBX && one_in(m->rng, 2);
        if (e->value_high)
            set_low(m, e->value_reg, ask->value << 8 | (turn_random(m->rng) & 0xff), 2);
        else
            set_low(m, e->value_reg, ask->value, ask->size);
        e->value = turn_random(m->rng);
    }
    if ((ask->rule->space == SPACE_PORT || ask->rule->space == SPACE_MSR) && one_in(m->rng, 2)) {
        e->from |= SVMC_FROM_ADDRESS_REG;
        e->address_reg = free_reg(m, regs_of(e->isa));
        set_low(m, e->address_reg, ask->address, ask->rule->space == SPACE_PORT ? 2 : 4);
        e->address = turn_random(m->rng);
    }
}

/* An own read's destination; else these fields are not looked at. */
static void set_destination(struct maker *m)
{
    const struct ask *ask = m->t->ask;
    struct svmc_exit *e = &m->t->exit;
    uint32_t least = IS_X86(e->isa) ? 1 : 4;

    turn_fill(&e->dest_reg, 4, m->rng);
    if (!m->t->own || ask->rule->out_count == 0 || ask->rule->out[0].place != PLACE_DEST)
        return;
    e->dest_reg = free_reg(m, regs_of(e->isa));
    if (e->isa == SVMC_ISA_A64 && one_in(m->rng, 16))
        e->dest_reg = SVMC_REG_XZR;
    if ((e->isa == SVMC_ISA_RV32 || e->isa == SVMC_ISA_RV64) && one_in(m->rng, 16))
        e->dest_reg = SVMC_REG_RV_X0;
    do
        e->dest_bytes = (uint8_t)(1u << below(m->rng, 4));
    while (e->dest_bytes < least || e->dest_bytes < ask->size);
    e->dest_high = e->dest_bytes == 1 && e->dest_reg <= SVMC_REG_RBX && one_in(m->rng, 2);
    e->dest_extend = (uint8_t)below(m->rng, 3);
}

/* Pointer, count and direction of an own string, in the exit or in the registers. */
static void place_own_string(struct maker *m)
{
    const struct ask *ask = m->t->ask;
    struct svmc_exit *e = &m->t->exit;
    uint32_t bytes = ask->count * ask->size, pointer;
    uint64_t linear, offset, base;

    m->t->memory = below(m->rng, GUEST_MEMORY - bytes + 1);
    m->t->backward = ask->count == 1 && one_in(m->rng, 4);
    if (ask->rule->direction == SVMC_DIRECTION_OUT)
        memcpy(m->g->memory + m->t->memory, ask->data, bytes);
    e->repeat = ask->count > 1 || one_in(m->rng, 2);
    if (e->repeat && (m->t->backward || ask->count == MOST(ask->size)))
        m->t->total += below(m->rng, 100);
    e->address_bytes = (uint8_t)(2u << below(m->rng, 3));
    linear = GUEST_LINEAR + m->t->memory;
    offset = e->address_bytes == 2   ? below(m->rng, 65536 - (100 + ask->count) * ask->size)
             : e->address_bytes == 4 ? below(m->rng, 0x80000000u)
                                     : turn_random(m->rng) >> 1;
    e->buffer.v = linear;
    e->backward = m->t->backward;
    pointer = ask->rule->direction == SVMC_DIRECTION_IN ? SVMC_REG_RDI : SVMC_REG_RSI;
    if (one_in(m->rng, 2)) {
        static const uint8_t bases[] = { SVMC_REG_ES_BASE, SVMC_REG_CS_BASE, SVMC_REG_SS_BASE,
                                         SVMC_REG_DS_BASE, SVMC_REG_FS_BASE, SVMC_REG_GS_BASE };

        e->from |= SVMC_FROM_STRING_REGS;
        e->segment = (uint8_t)below(m->rng, 6);
        base = linear - offset;
        if (e->address_bytes != 2 && one_in(m->rng, 4)) {
            e->segment = SVMC_SEG_NONE;
            offset = linear;
        } else {
            m->g->reg[bases[e->segment]] = base;
        }
        e->buffer.v = turn_random(m->rng);
        e->backward = (uint8_t)below(m->rng, 256);
        set_low(m, SVMC_REG_RFLAGS, m->t->backward ? 0x402 : 2, 2);
    } else {
        e->count = m->t->total;
    }
    set_low(m, pointer, offset, e->address_bytes);
    set_low(m, SVMC_REG_RCX, m->t->total, e->address_bytes);
}

static void place_string(struct maker *m)
{
    const struct ask *ask = m->t->ask;
    struct svmc_exit *e = &m->t->exit;

    m->t->total = ask->count;
    if (m->t->own) {
        place_own_string(m);
        return;
    }
    if (ask->count == MOST(ask->size))
        m->t->total += below(m->rng, (SVMC_EXIT_DATA_MAX - SVMC_PAGE_DATA_BYTES) / ask->size + 1);
    e->count = m->t->total;
    if (ask->rule->direction == SVMC_DIRECTION_OUT) {
        turn_fill(m->t->data, sizeof m->t->data, m->rng);
        memcpy(m->t->data, ask->data, (size_t)ask->count * ask->size);
        e->data = m->t->data;
    }
}

/* By VMMCALL, or by an OUT to the doorbell (HC-1). */
static void place_hypercall(struct maker *m)
{
    struct svmc_exit *e = &m->t->exit;

    m->g->reg[SVMC_REG_RAX] = (uint64_t)SVMC_HCALL_ABI << 56 | m->t->ask->address;
    e->address = turn_random(m->rng);
    if (one_in(m->rng, 2)) {
        e->kind = SVMC_KIND_OUT;
        e->size = 4;
        e->address = SVMC_HCALL_PORT;
        m->t->own = true;
    }
}

/* EX-63: the registers of operands; DIAGNOSE 288 has an even one and the next. */
static void name_args(struct maker *m)
{
    const struct exit_rule *rule = m->t->ask->rule;
    struct svmc_exit *e = &m->t->exit;

    for (unsigned i = 0; i < rule->in_count; i++) {
        if (rule->in[i].place != PLACE_ARG)
            continue;
        e->arg[i] = rule->kind != SVMC_KIND_DIAG_288 || i == 2 ? free_reg(m, 16)
                    : i == 1                                   ? (uint8_t)(e->arg[0] + 1)
                             : (uint8_t)(SVMC_REG_S390_R0 + 2 * below(m->rng, 8));
        set_low(m, e->arg[i], m->t->ask->in[i], rule->in[i].bytes);
    }
}

/* EX-68: at any word. */
static void place_block(struct maker *m)
{
    const struct ask *ask = m->t->ask;

    m->t->memory = below(m->rng, (GUEST_MEMORY - ask->size) / 4 + 1) * 4;
    m->t->exit.buffer.v = GUEST_LINEAR + m->t->memory;
    if (ask->rule->direction == SVMC_DIRECTION_OUT)
        memcpy(m->g->memory + m->t->memory, ask->data, ask_bytes(ask));
}

void turn_make(struct turn *t, const struct ask *ask, struct guest *g, uint64_t *rng)
{
    struct maker m = { .t = t, .g = g, .rng = rng };
    const struct exit_rule *rule = ask->rule;
    struct svmc_exit *e = &t->exit;
    uint32_t shape = below(rng, 8);

    memset(e, 0, sizeof *e);
    t->ask = ask;
    t->own = (shape & 1) != 0 || is_block(rule);
    t->rip = t->own && shape != 1;
    t->backward = false;
    t->at = 0;
    t->issued = t->total = ask->count;
    for (unsigned i = 0; i < rule->in_count; i++)
        if (rule->in[i].place == PLACE_REG && i < ask->args)
            set_low(&m, rule->in[i].reg, ask->in[i], rule->in[i].bytes);
    if (is_string(rule)) /* set when all else stands */
        m.used[SVMC_REG_RCX] = m.used[SVMC_REG_RSI] = m.used[SVMC_REG_RDI] = 1;
    e->kind = rule->kind;
    e->finish = (uint8_t)((t->own ? SVMC_FINISH_REGS : 0) | (t->rip ? SVMC_FINISH_RIP : 0));
    e->size = (uint8_t)ask->size;
    e->count = 1;
    e->address = ask->address;
    e->value = ask->value;
    e->insn_bytes = (uint8_t)(1 + below(rng, 15));
    e->isa = isa_like(ask->isa, rng);
    e->state = (uint8_t)below(rng, SVMC_STATE_ALL + 1);
    e->user = (uint8_t)below(rng, 2);
    name_registers(&m);
    set_destination(&m);
    name_args(&m);
    if (is_block(rule))
        place_block(&m);
    if (is_string(rule))
        place_string(&m);
    if (rule->space == SPACE_HCALL)
        place_hypercall(&m);
}

/* ---- what a reply may do: docs/spec/page.md and reply.md, read once more ----------------------*/

#define DEST     0xfeu /* the exit's destination */
#define DONE     1u    /* bits by status number */
#define FAULTS   2u
#define PARTIAL  4u
#define AGAIN    8u
#define SIZE     0xffu /* as wide as the access */
#define FAULT_GP 1u

/* One line a kind that can be delegated; numbers as they stand in the documents. */
static const struct model {
    uint16_t kind;
    uint8_t statuses;
    bool data_in;
    uint8_t results;
    uint8_t reg[SLOTS_OUT], bytes[SLOTS_OUT];
} models[] = {
    { 0x0001, DONE, false, 4, { 0, 3, 1, 2 }, { 4, 4, 4, 4 } },         /* CPUID */
    { 0x1001, DONE | FAULTS, false, 2, { 0, 2 }, { 4, 4 } },            /* RDMSR */
    { 0x1002, DONE | FAULTS, false, 0, { 0 }, { 0 } },                  /* WRMSR */
    { 0x2001, DONE | AGAIN, false, 1, { DEST }, { SIZE } },             /* IN */
    { 0x2002, DONE | AGAIN, false, 0, { 0 }, { 0 } },                   /* OUT */
    { 0x3001, DONE | PARTIAL | AGAIN, true, 0, { 0 }, { 0 } },          /* INS */
    { 0x3002, DONE | PARTIAL | AGAIN, false, 0, { 0 }, { 0 } },         /* OUTS */
    { 0x4001, DONE | AGAIN, false, 1, { DEST }, { SIZE } },             /* device memory, read */
    { 0x4002, DONE | AGAIN, false, 0, { 0 }, { 0 } },                   /* and written */
    { 0x5001, DONE | AGAIN, false, 4, { 0, 7, 6, 8 }, { 8, 8, 8, 8 } }, /* hypercall */
    /* s390x: r0 is 192, the condition code 209 */
    { 0x5040, DONE | FAULTS | AGAIN, false, 0, { 0 }, { 0 } },   /* DIAGNOSE 288 */
    { 0x5041, DONE | FAULTS | AGAIN, false, 1, { 194 }, { 8 } }, /* DIAGNOSE 500 */
    { 0xb040, DONE | FAULTS | AGAIN, false, 1, { 209 }, { 8 } }, /* CSCH */
    { 0xb041, DONE | FAULTS | AGAIN, false, 1, { 209 }, { 8 } }, /* HSCH */
    { 0xb042, DONE | FAULTS | AGAIN, false, 1, { 209 }, { 8 } }, /* RSCH */
    { 0xb043, DONE | FAULTS | AGAIN, false, 1, { 209 }, { 8 } }, /* XSCH */
    { 0xb044, DONE | FAULTS | AGAIN, false, 0, { 0 }, { 0 } },   /* SAL */
    { 0xb045, DONE | FAULTS | AGAIN, false, 1, { 209 }, { 8 } }, /* RCHP */
    { 0xb046, DONE | FAULTS | AGAIN, false, 1, { 209 }, { 8 } }, /* SSCH */
    { 0xb047, DONE | FAULTS | AGAIN, false, 1, { 209 }, { 8 } }, /* MSCH */
    { 0xb048, DONE | FAULTS | AGAIN, true, 1, { 209 }, { 8 } },  /* STSCH */
    { 0xb049, DONE | FAULTS | AGAIN, true, 1, { 209 }, { 8 } },  /* TSCH */
};
#define HYPERCALL 0x5001u

static const struct model *model_of(const struct turn *t)
{
    for (unsigned i = 0; i < sizeof models / sizeof models[0]; i++)
        if (models[i].kind == t->ask->rule->kind)
            return &models[i];
    return NULL;
}

static unsigned results_of(const struct turn *t, const struct model *m)
{
    return m->kind == HYPERCALL ? 1u + t->ask->results : m->results;
}

static unsigned bytes_of(const struct turn *t, const struct model *m, unsigned i)
{
    return m->bytes[i] == SIZE ? t->ask->size : m->bytes[i];
}

bool turn_results(const struct turn *t, unsigned *count, unsigned bytes[SLOTS_OUT])
{
    const struct model *m = model_of(t);

    if (!m)
        return false;
    *count = results_of(t, m);
    for (unsigned i = 0; i < *count; i++)
        bytes[i] = bytes_of(t, m, i);
    return true;
}

/* Delegated: a line in models. Else what ask_make can ask for. */
static bool is_known(const struct exit_rule *rule)
{
    struct ask ask = { .rule = rule };
    struct turn turn = { .ask = &ask };

    if (rule->verdict == SVMC_VERDICT_DELEGATE)
        return model_of(&turn) != NULL;
    return rule->space == SPACE_S390 ||
           (rule->space == SPACE_NONE && rule->in_count == 0 && rule->out_count == 0);
}

unsigned turn_rows(const struct exit_rule *rows[TURN_ROWS], unsigned *unknown)
{
    unsigned count = 0;

    *unknown = 0;
    for (unsigned kind = 0; kind < 65536; kind++) {
        const struct exit_rule *rule = svmc_intercept_rule((uint16_t)kind);

        if (rule->kind != kind || kind == SVMC_KIND_UNKNOWN)
            continue;
        if (is_known(rule) && count < TURN_ROWS) {
            rows[count++] = rule;
        } else {
            printf("failed: %s, kind 0x%04x, has no line in models of turns.c\n",
                   svmc_kind_name((uint16_t)kind), kind);
            (*unknown)++;
        }
    }
    return count;
}

static uint32_t status_of(const struct reply_words *r)
{
    return (uint32_t)r->w[1];
}
static uint32_t done_of(const struct reply_words *r)
{
    return (uint32_t)r->w[4];
}

void turn_right(const struct turn *t, uint64_t seq, struct reply_words *r, uint64_t *rng)
{
    const struct model *m = model_of(t);
    unsigned count = results_of(t, m);

    memset(r, 0, sizeof *r);
    r->w[0] = seq;
    r->w[2] = ((uint64_t)1 << count) - 1;
    r->w[4] = t->issued | (m->data_in ? (uint64_t)t->issued * t->ask->size << 32 : 0);
    for (unsigned i = 0; i < count; i++)
        r->w[8 + i] = low(turn_random(rng), bytes_of(t, m, i));
    if (m->kind == HYPERCALL)
        r->w[8] %= SVMC_HCALL_CODES;
    if (gives_cc(m->kind))
        r->w[8] %= 4;
}

/* R7: #GP, but for s390x 3 specification, 4 operand. */
static bool is_fault(uint16_t kind, uint64_t code)
{
    switch (kind) {
    case 0x5040:
        return code == 3;
    case 0x5041:
        return code == 3 || code == 4;
    default:
        return code == (kind >> 12 == 0xb ? 4 : FAULT_GP);
    }
}

unsigned turn_breaks(const struct turn *t, uint64_t seq, const struct reply_words *r)
{
    const struct model *m = model_of(t);
    unsigned count = results_of(t, m);
    uint32_t status = status_of(r), done = done_of(r);
    bool gives = status == 0 || status == 2, wide = false;
    uint64_t reserved;

    if (r->w[0] >> 48 != seq >> 48)
        return 18;
    if (r->w[0] != seq)
        return 2;
    if (status > 3 || !(m->statuses & 1u << status))
        return 4;
    reserved = r->w[1] >> 32 | r->w[3] >> 8 | r->w[5] | r->w[6] | r->w[7];
    for (unsigned i = 16; i < REPLY_WORDS; i++)
        reserved |= r->w[i];
    if (reserved)
        return 5;
    if (r->w[2] != (gives ? ((uint64_t)1 << count) - 1 : 0))
        return 6;
    if (status == 1 ? !is_fault(m->kind, r->w[3]) : r->w[3] != 0)
        return 7;
    if (status == 0 ? done != t->issued : status == 2 ? done < 1 || done >= t->issued : done != 0)
        return 11;
    if (r->w[4] >> 32 != (m->data_in ? (uint64_t)done * t->ask->size : 0))
        return 11;
    for (unsigned i = 0; i < 8; i++)
        wide =
            wide || r->w[8 + i] != (gives && i < count ? low(r->w[8 + i], bytes_of(t, m, i)) : 0);
    if (wide)
        return 8;
    if (gives && gives_cc(m->kind) && r->w[8] > 3)
        return 10;
    return gives && m->kind == HYPERCALL && r->w[8] > 6 ? 10 : 0;
}

static void add_write(struct effects *fx, uint32_t reg, uint64_t value)
{
    fx->write[fx->writes].reg = reg;
    fx->write[fx->writes].value = value;
    fx->writes++;
}

/* R9. `high`: AH, CH, DH, BH */
static uint64_t merged(uint64_t old, uint64_t value, unsigned bytes, bool high)
{
    switch (bytes) {
    case 1:
        return high ? (old & 0xffffffffffff00ffu) | (value & 0xff) << 8
                    : (old & 0xffffffffffffff00u) | (value & 0xff);
    case 2:
        return (old & 0xffffffffffff0000u) | (value & 0xffff);
    case 4:
        return value & 0xffffffffu;
    default:
        return value;
    }
}

static uint64_t extended(const struct turn *t, uint64_t value)
{
    unsigned bits = 8 * t->ask->size;

    if (t->exit.dest_extend == SVMC_EXTEND_SIGN && bits < 64 && value >> (bits - 1))
        value |= ~(uint64_t)0 << bits;
    return value;
}

static void add_pc(const struct turn *t, const uint64_t *reg, struct effects *fx)
{
    uint32_t isa = t->exit.isa;
    uint32_t pc = IS_X86(isa)             ? SVMC_REG_RIP
                  : isa == SVMC_ISA_A64   ? SVMC_REG_PC
                  : isa == SVMC_ISA_S390X ? SVMC_REG_S390_IA
                                          : SVMC_REG_RV_PC;
    bool legacy = isa == SVMC_ISA_X86_16 || isa == SVMC_ISA_X86_32;

    if (t->rip)
        add_write(fx, pc, low(reg[pc] + t->exit.insn_bytes, legacy ? 4 : 8));
}

/* EX-7: the pointer, the count with REP, and RIP behind the last element. */
static void string_effects(const struct turn *t, uint32_t done, const uint64_t *reg,
                           struct effects *fx)
{
    bool in = t->ask->rule->direction == SVMC_DIRECTION_IN;
    uint32_t pointer = in ? SVMC_REG_RDI : SVMC_REG_RSI, bytes = t->exit.address_bytes;
    uint64_t step = (uint64_t)done * t->ask->size;

    fx->memory_bytes = in ? (uint32_t)step : 0;
    add_write(fx, pointer,
              merged(reg[pointer], t->backward ? reg[pointer] - step : reg[pointer] + step, bytes,
                     false));
    if (t->exit.repeat)
        add_write(fx, SVMC_REG_RCX,
                  merged(reg[SVMC_REG_RCX], reg[SVMC_REG_RCX] - done, bytes, false));
    if (!t->exit.repeat || low(reg[SVMC_REG_RCX] - done, bytes) == 0)
        add_pc(t, reg, fx);
}

static void backend_effects(const struct turn *t, const struct model *m,
                            const struct reply_words *r, struct effects *fx)
{
    for (unsigned i = 0; i < results_of(t, m); i++)
        for (unsigned b = 0; b < bytes_of(t, m, i); b++)
            fx->given[fx->given_bytes++] = (uint8_t)(r->w[8 + i] >> (8 * b));
    if (m->data_in)
        fx->given_bytes = t->total * t->ask->size;
}

void turn_effects(const struct turn *t, const struct reply_words *r, const uint64_t reg[WORLD_REGS],
                  struct effects *fx)
{
    const struct model *m = model_of(t);
    uint32_t status = status_of(r), done = done_of(r);
    bool string = is_string(t->ask->rule);

    fx->action = SVMC_ACT_RESUME;
    fx->fault = false;
    fx->writes = fx->memory_bytes = fx->given_bytes = 0;
    if (status == 3 || (string && !t->own && done < t->total - t->at)) {
        fx->action = SVMC_ACT_DELEGATED;
    } else if (status == 1) {
        fx->action = SVMC_ACT_INJECT;
        fx->fault = true;
        fx->vector = 13;
        fx->has_error = t->ask->rule->space != SPACE_S390;
        if (!fx->has_error) /* PoP 6: specification, operand */
            fx->vector = r->w[3] == 3 ? 0x06 : 0x15;
    } else if (!t->own) {
        backend_effects(t, m, r, fx);
    } else if (string) {
        string_effects(t, done, reg, fx);
    } else {
        for (unsigned i = 0; i < results_of(t, m); i++) {
            bool dest = m->reg[i] == DEST;
            uint32_t to = dest ? t->exit.dest_reg : m->reg[i];

            if (to == SVMC_REG_XZR || to == SVMC_REG_RV_X0)
                continue;
            add_write(fx, to,
                      dest ? merged(reg[to], extended(t, r->w[8 + i]), t->exit.dest_bytes,
                                    t->exit.dest_high != 0)
                           : merged(reg[to], r->w[8 + i], bytes_of(t, m, i), false));
        }
        if (m->data_in && r->w[8] != 3) /* EX-68 */
            fx->memory_bytes = t->ask->size;
        add_pc(t, reg, fx);
    }
}

void turn_next(struct turn *t, const struct reply_words *r)
{
    if (status_of(r) == 3 || !is_string(t->ask->rule))
        return;
    t->at += done_of(r);
    t->issued = t->total - t->at;
    if (t->issued > MOST(t->ask->size))
        t->issued = MOST(t->ask->size);
}

const char *turn_differs(const struct turn *t, const struct effects *fx, const struct guest *g,
                         struct guest *shadow, const uint8_t *data)
{
    uint64_t bytes = 0;

    if (g->writes != fx->writes)
        return "another number of registers is written";
    for (unsigned i = 0; i < fx->writes; i++)
        shadow->reg[fx->write[i].reg] = fx->write[i].value;
    for (unsigned i = 0; i < fx->writes; i++)
        if (g->reg[fx->write[i].reg] != fx->write[i].value)
            return "a register has another value";
    for (unsigned i = 0; i < g->writes && i < GUEST_LOG; i++)
        if (g->reg[g->written[i]] != shadow->reg[g->written[i]])
            return "a register is written that is not declared";
    for (unsigned i = 0; i < g->spans && i < GUEST_LOG; i++)
        bytes += g->span_of[i].bytes;
    if (bytes != fx->memory_bytes)
        return "more or less of the memory is asked for";
    if (bytes == 0)
        return NULL;
    memcpy(shadow->memory + t->memory, data, bytes);
    return memcmp(g->memory + t->memory, data, bytes) == 0 ? NULL : "memory has other bytes";
}

/* What the guest and the backend have got, as the reply that gives it. */
void turn_given(const struct turn *t, uint64_t seq, const struct guest *before,
                const struct guest *g, const struct svmc_outcome *out, struct reply_words *r)
{
    const struct model *m = model_of(t);
    uint32_t done = 1, at = 0;

    memset(r, 0, sizeof *r);
    r->w[0] = seq;
    r->w[2] = ((uint64_t)1 << results_of(t, m)) - 1;
    for (unsigned i = 0; i < results_of(t, m); i++) {
        uint32_t reg = m->reg[i] == DEST ? t->exit.dest_reg : m->reg[i], bytes = bytes_of(t, m, i);
        bool high = m->reg[i] == DEST && t->exit.dest_high, own = t->own;

        for (unsigned b = 0; !own && b < bytes && at < out->data_bytes; b++)
            r->w[8 + i] |= (uint64_t)out->data[at++] << (8 * b);
        if (own && reg != SVMC_REG_XZR && reg != SVMC_REG_RV_X0)
            r->w[8 + i] = low(g->reg[reg] >> (high ? 8 : 0), bytes);
    }
    if (is_string(t->ask->rule)) {
        done = t->own ? 1 : t->issued;
        if (t->own && t->exit.repeat)
            done = (uint32_t)low(before->reg[SVMC_REG_RCX] - g->reg[SVMC_REG_RCX],
                                 t->exit.address_bytes);
        r->w[1] = done == t->issued ? SVMC_REPLY_DONE : SVMC_REPLY_PARTIAL;
    }
    r->w[4] = done | (m->data_in ? (uint64_t)done * t->ask->size << 32 : 0);
}

/* ---- the page ------------------------------------------------------------------------------- */

static uint64_t little(uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(value);
#else
    return value;
#endif
}

void page_put(volatile uint8_t *page, const struct reply_words *r)
{
    volatile uint64_t *words = (volatile uint64_t *)(volatile void *)(page + 0x100);

#pragma GCC unroll 32
    for (unsigned i = 0; i < REPLY_WORDS; i++)
        __atomic_store_n(&words[i], little(r->w[i]), __ATOMIC_RELAXED);
}

bool page_right(const volatile uint8_t *page, struct reply_words *r, uint64_t *rng)
{
    const volatile uint64_t *words = (const volatile uint64_t *)(const volatile void *)page;
    uint64_t w[REPLY_WORDS];
    struct exit_rule rule = { 0 };
    struct ask ask = { .rule = &rule };
    struct turn turn = { .ask = &ask };

    for (unsigned i = 0; i < 8; i++)
        w[i] = little(__atomic_load_n(&words[i], __ATOMIC_RELAXED));
    rule.kind = (uint16_t)w[1];
    ask.size = (uint32_t)w[7] & 127;
    ask.results = (uint8_t)(w[6] % 4);
    turn.issued = (uint32_t)(w[7] >> 32);
    if (!model_of(&turn) || ask.size > 64)
        return false;
    turn_right(&turn, w[2], r, rng);
    return true;
}

uint64_t page_seq(const volatile uint8_t *page)
{
    return little(__atomic_load_n((const volatile uint64_t *)(const volatile void *)(page + 0x10),
                                  __ATOMIC_RELAXED));
}
