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

/* EX-92: the first of the bytes becomes the last. */
static uint64_t turned(uint64_t value, unsigned bytes)
{
    uint64_t out = 0;

    for (unsigned i = 0; i < bytes; i++)
        out = out << 8 | (value >> (8 * i) & 0xff);
    return out;
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
    uint64_t gpa = access & SVMC_ACCESS_REAL ? at.v : at.v - GUEST_LINEAR;

    (void)ctx;
    if (gpa < GUEST_MEMORY) {
        out->v = gpa;
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

static uint64_t ticks(void *ctx)
{
    const struct guest *g = ctx;

    return g->times.clock;
}

/* Control and debug registers: a value that no page may show; a fault as often in both runs. */
static enum svmc_status interpret(void *ctx, uint32_t kind, uint64_t number, uint64_t *value,
                                  uint32_t *fault)
{
    const struct guest *g = ctx;

    (void)kind;
    (void)number;
    *value = g->reg[SVMC_REG_RSP];
    *fault = (g->random & 3) == 0 ? SVMC_FAULT_GP : SVMC_FAULT_NONE;
    return SVMC_OK;
}

#define GUEST_OPS(clock)                                                                   \
    {                                                                                      \
        .size = sizeof(struct svmc_host_ops), .random = give_random, .reg_read = reg_read, \
        .reg_write = reg_write, .translate = translate, .guest_span = guest_span,          \
        .ticks = (clock), .interpret = interpret,                                          \
    }
const struct svmc_host_ops guest_ops = GUEST_OPS(NULL), guest_ops_timed = GUEST_OPS(ticks);

/* ---- what there is to ask for ----------------------------------------------------------------*/

#define RDTSCP    0x8002u
#define RDPMC     0x8003u
#define RDTIME    0x8004u
#define COUNTER   0x8006u /* RDCOUNTER */
#define IS_CSR(k) ((k) >= 0x1005 && (k) <= 0x1009)
#define CR_FIRST  0x9001u
#define DR_LAST   0x9004u
#define XSETBV    0x9005u
#define LMSW      0x9007u
#define HVC       0x5002u
#define SMC       0x5003u
#define SBI       0x5004u
#define HCALL     0x5005u
#define R3        219u /* of Power */
#define A0        138u /* of RISC-V: a0 to a7 are x10 to x17 */
#define ANY       0xffffffffu
/* requests of the embedder and events: docs/spec/exit.md, EX-80 to EX-86 */
#define DATA_ABORT      0x4003u
#define PROTECTED_ABORT 0x4004u
#define INSN_ABORT      0x4005u
#define PAGE_STATE      0xa001u
#define MAP_GPA         0xa002u
#define RIPAS           0xa003u
#define S2AP            0xa004u
#define DEV_MEM         0xa005u
#define GUEST_REQUEST   0xb001u
#define EXT_REQUEST     0xb002u
#define AP_CREATE       0xc002u
#define IRQ             0xd001u
#define SERROR          0xd003u
#define HOST_CALL       0x5008u /* EX-89 */

static const uint16_t requests[] = { DATA_ABORT, PROTECTED_ABORT, INSN_ABORT, PAGE_STATE,
                                     MAP_GPA,    RIPAS,           S2AP,       DEV_MEM,
                                     AP_CREATE,  GUEST_REQUEST,   EXT_REQUEST };
#define REQUESTS (sizeof requests / sizeof requests[0])

/* Nothing of the guest has a part in it: finish is 0. */
static bool is_apart(unsigned kind)
{
    for (unsigned i = 0; i < REQUESTS; i++)
        if (requests[i] == kind)
            return true;
    return kind >= IRQ && kind <= SERROR;
}

static bool is_a64_apart(unsigned kind)
{
    return is_apart(kind) &&
           (kind >> 12 == 4 || kind >> 12 == 13 || (kind >= RIPAS && kind <= DEV_MEM));
}

/* EX-82: how far in [address, value) */
static bool gives_reached(unsigned kind)
{
    return kind >= MAP_GPA && kind <= DEV_MEM;
}

static bool gives_message(unsigned kind)
{
    return kind == GUEST_REQUEST || kind == EXT_REQUEST;
}

#define STSI    0x0040u /* s390x, here and below */
#define STHYI   0x0041u
#define PCILG   0x4040u
#define PCISTG  0x4041u
#define PCISTB  0x4042u
#define UVC     0xa040u
#define TSCH    0xb049u
#define CHSC    0xb04au
#define TPI     0xb04bu
#define SERVC   0xb04cu
#define RPCIT   0xb04du
#define MPCIFC  0xb04eu
#define STPCIFC 0xb04fu
#define R0      192u
#define CC      209u
#define CR6     214u

/* Calls that are delegated, and their results by DEN0022, 5, SBI 2.0, 3 and 5, PAPR 1.1, 14. */
static const struct call {
    uint16_t kind; /* SMC: HVC, too */
    uint64_t number;
    uint8_t args, results;
    uint32_t legal; /* bit n: -n is, bit 16 + n: n is; 0: it does not come back */
} calls[] = {
    { SMC, 0x84000001, 3, 1, 0x20d },         /* CPU_SUSPEND: 0 -2 -3 -9 */
    { SMC, 0x84000002, 0, 1, 0x008 },         /* CPU_OFF: -3 */
    { SMC, 0xc4000003, 3, 1, 0x27d },         /* CPU_ON: 0 -2 -3 -4 -5 -6 -9 */
    { SMC, 0xc4000004, 2, 1, 0x60185 },       /* AFFINITY_INFO: 0 1 2 -2 -7 -8 */
    { SMC, 0x84000006, 0, 1, 0x60003 },       /* MIGRATE_INFO_TYPE: 0 1 2 -1 */
    { SMC, 0xc4000007, 0, 1, ANY },           /* MIGRATE_INFO_UP_CPU */
    { SMC, 0x84000008, 0, 1, 0 },             /* SYSTEM_OFF */
    { SMC, 0x84000009, 0, 1, 0 },             /* SYSTEM_RESET */
    { SMC, 0xc400000d, 2, 1, 0x60007 },       /* NODE_HW_STATE: 0 1 2 -1 -2 */
    { SMC, 0xc4000011, 2, 1, ANY },           /* STAT_COUNT */
    { SMC, 0xc4000012, 2, 1, 0x006 },         /* SYSTEM_RESET2: -1 -2 */
    { SMC, 0x84000013, 1, 1, 0x20003 },       /* MEM_PROTECT: 0 1 -1 */
    { SMC, 0xc4000014, 2, 1, 0x3ff },         /* MEM_PROTECT_CHECK_RANGE: a general code */
    { SMC, 0x86000001, 6, 4, ANY },           /* a hypervisor's own, 32 bits */
    { SMC, 0xc6000002, 6, 4, ANY },           /* and 64 */
    { SMC, 0xc6000003, 1, 0, ANY },           /* it gives nothing */
    { SMC, 0xc3000004, 5, 3, ANY },           /* OEM service */
    { SBI, 0x0000000100000000, 1, 1, ANY },   /* legacy console_putchar */
    { SBI, 0x0000000000000000, 1, 0, ANY },   /* legacy set_timer, without a result */
    { SBI, 0x54494d4500000000, 1, 1, 0x3ff }, /* TIME: set_timer */
    { SBI, 0x0048534d00000002, 1, 2, 0x3ff }, /* HSM: hart_get_status */
    { SBI, 0x4442434e00000000, 3, 2, 0x3ff }, /* DBCN: console_write */
    { SBI, 0x0900000000000007, 6, 2, 0x3ff }, /* a vendor's own */
    { HCALL, 0x3c, 2, 2, ANY },               /* H_LOGICAL_CI_LOAD; for the code: is_return_code */
    { HCALL, 0x54, 1, 4, ANY },               /* H_GET_TERM_CHAR */
    { HCALL, 0x58, 4, 1, ANY },               /* H_PUT_TERM_CHAR */
    { HCALL, 0xe0, 0, 1, ANY },               /* H_CEDE */
    { HCALL, 0x2e4, 6, 1, ANY },              /* H_SEND_SUB_CRQ */
};
#define CALLS (sizeof calls / sizeof calls[0])

static const struct call *call_of(unsigned kind, uint64_t number)
{
    for (unsigned i = 0; i < CALLS; i++)
        if (calls[i].kind == (kind == HVC ? SMC : kind) && calls[i].number == number)
            return &calls[i];
    return NULL;
}

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
    for (unsigned kind = 0x8001; kind <= COUNTER; kind += kind == RDTIME ? 2 : 1)
        must(svmc_policy_set_kind(policy, (enum svmc_kind)kind, SVMC_VERDICT_DELEGATE), "time");
    for (unsigned i = 0; i < REQUESTS; i++)
        must(svmc_policy_set_kind(policy, (enum svmc_kind)requests[i], SVMC_VERDICT_DELEGATE),
             "request");
    must(svmc_policy_set_kind(policy, (enum svmc_kind)HOST_CALL, SVMC_VERDICT_DELEGATE), "realm");
    for (const struct call *c = calls; c < calls + CALLS; c++)
        for (unsigned kind = c->kind == SMC ? HVC : c->kind; kind <= c->kind; kind++)
            must(svmc_policy_set_call(policy, (enum svmc_kind)kind, c->number, c->args, c->results),
                 "call");
    if (full_wipe)
        must(svmc_policy_set_full_wipe(policy), "full wipe");
    must(svmc_policy_seal(policy), "seal");
}

static bool is_string(const struct exit_rule *rule)
{
    return rule->string && !is_block(rule);
}

/* An instruction set whose registers the row names, or any that can have such an exit. */
static uint32_t isa_of(const struct exit_rule *rule, uint64_t *rng)
{
    static const uint8_t all[] = { SVMC_ISA_X86_64, SVMC_ISA_A64, SVMC_ISA_RV64, SVMC_ISA_S390X,
                                   SVMC_ISA_PPC64 };
    unsigned reg = SVMC_REG_NONE;

    if (is_apart(rule->kind))
        return is_a64_apart(rule->kind) ? SVMC_ISA_A64 : SVMC_ISA_X86_64;
    if (rule->kind == SBI || rule->kind == COUNTER || IS_CSR(rule->kind)) /* as wide as XLEN */
        return one_in(rng, 2) ? SVMC_ISA_RV32 : SVMC_ISA_RV64;
    if (rule->kind == RDTIME)
        return SVMC_ISA_RV64;
    if (rule->kind == HOST_CALL)
        return SVMC_ISA_A64;
    if (rule->kind == HCALL)
        return SVMC_ISA_PPC64;
    if (rule->space == SPACE_SYSREG || rule->space == SPACE_CALL)
        return SVMC_ISA_A64;
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
    if (rule->string || rule->space == SPACE_PORT || rule->space == SPACE_MSR ||
        rule->space == SPACE_KIND || rule->space == SPACE_INDEX)
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
    static const uint16_t counters[] = { 0xdf01, 0xdf02, 0xdf05, 0xdf06 };
    uint64_t at = turn_random(rng);
    unsigned page = (unsigned)(at & 3);
    bool is_time = one_in(rng, 4);

    switch (ask->rule->space) {
    case SPACE_PORT:
        at %= 65536 - ask->size + 1;
        return at == SVMC_HCALL_PORT ? 0 : at;
    case SPACE_MSR:
        if (is_time)
            return page == 0 ? 0x3b : 0x10; /* TSC_ADJUST, TSC */
        return msrs[page].first + (at >> 2) % msrs[page].count;
    case SPACE_WINDOW:
        at >>= 12;
        return (at & 4095) + ask->size > 4096 ? at & ~(uint64_t)7 : at;
    case SPACE_HCALL:
        return at % HCALLS;
    case SPACE_SYSREG:
        return is_time ? counters[page] : 0x8000 + (at >> 2) % 0x8000; /* op0 2 and 3 */
    case SPACE_CALL:
        do
            page = below(rng, CALLS);
        while (!call_of(ask->rule->kind, calls[page].number));
        return calls[page].number;
    case SPACE_INDEX:
        return ask->rule->kind == RDTIME ? 0xc01 : at & 0xffffffffu;
    default:
        return at;
    }
}

uint32_t ask_bytes(const struct ask *ask)
{
    if (ask->rule->kind == SVMC_KIND_SSCH && !(ask->data[7] & 1)) /* EX-68: without X */
        return 12;
    return ask->rule->kind == CHSC ? ask->kept : ask->count * ask->size;
}

/* EX-71: how many bytes a block has where the guest says it, and what it says it with. */
static void make_block(struct ask *ask, uint64_t *rng)
{
    static const uint16_t edges[] = { 8, 16, 3576, 3584, 3592, 4088, 4096 };
    uint32_t bytes = one_in(rng, 2) ? edges[below(rng, 7)] : 8 * (1 + below(rng, 512));

    ask->kept = 0;
    switch (ask->rule->kind) {
    case SERVC: /* any length from 8 on */
        ask->size = bytes > 8 && one_in(rng, 2) ? bytes - below(rng, 8) : bytes;
        break;
    case CHSC:
        ask->kept = bytes < 16 ? 16 : bytes > 4088 ? 4088 : bytes;
        break;
    case PCISTB:
        ask->size = bytes < 16 ? 16 : bytes;
        break;
    case HOST_CALL: /* all but the immediate and what is behind it */
        ask->kept = 8;
        break;
    default:
        break;
    }
}

/* EX-72; QEMU include/hw/s390x/sclp.h: read information, configure PCI, events */
static const uint32_t commands[8] = { 0x00010001, 0x00020001, 0x00120001, 0x001a0001,
                                      0x001b0001, 0x00760005, 0x00770005, 0x00780005 };

#define SIZE 0xffu /* as wide as the access */
#define SAME(n)          \
    {                    \
        n, n, n, n, n, n \
    }

/* The bytes of the in slots, by page.md; a call has as many as are declared. */
static const struct inputs {
    uint16_t kind;
    uint8_t bytes[SLOTS_IN];
} inputs[] = {
    { 0x0001, { 4, 4 } }, /* CPUID */
    { 0x1002, { 8 } },    /* WRMSR */
    { 0x1004, { 8 } },    /* SYSREG_WRITE */
    { 0x2002, { SIZE } }, /* OUT */
    { 0x4002, { SIZE } }, /* MMIO_WRITE */
    { 0x5001, SAME(8) },  /* HYPERCALL */
    { HVC, SAME(SIZE) },
    { SMC, SAME(SIZE) },
    { SBI, SAME(SIZE) },
    { HCALL, SAME(8) },
    { 0x9002, { SIZE } },  /* CR_WRITE, never shown, here and below */
    { DR_LAST, { SIZE } }, /* DR_WRITE */
    { XSETBV, { 8 } },
    { LMSW, { SIZE } },
    { MAP_GPA, { 8 } },
    { S2AP, { 8 } },
    { RIPAS, { 8, 1 } },
    { DEV_MEM, { 8, 8 } },
    { GUEST_REQUEST, { 8 } },
    { EXT_REQUEST, { 8, 8, 4 } },
    { AP_CREATE, { 8, 8 } },
    { DATA_ABORT, { 4 } },
    { PROTECTED_ABORT, { 4 } },
    { INSN_ABORT, { 4 } },
    { SERROR, { 4 } },
    { 0x5040, { 8, 8, 8 } },    /* DIAGNOSE 288 */
    { 0x5041, { 8, 8, 8, 8 } }, /* DIAGNOSE 500 */
    { 0x6042, { 2 } },          /* DIAGNOSE 9C */
    { 0x9040, { 4 } },          /* SPX */
    { 0xc040, { 2 } },          /* DIAGNOSE 308 */
    { 0xd040, { 2, 1 } },       /* SIGP */
    { 0xb040, { 4 } },          /* CSCH to TSCH: subchannel, or path */
    { 0xb041, { 4 } },
    { 0xb042, { 4 } },
    { 0xb043, { 4 } },
    { 0xb044, { 4 } },
    { 0xb045, { 4 } },
    { 0xb046, { 4 } },
    { 0xb047, { 4 } },
    { 0xb048, { 4 } },
    { TSCH, { 4 } },
    { TPI, { 8 } },
    { SERVC, { 4 } },
    { STSI, { 4, 4 } },
    { STHYI, { 8 } },
    { PCILG, { 8, 8 } },
    { PCISTG, { 8, 8, SIZE } },
    { PCISTB, { 8, 8 } },
    { RPCIT, { 8, 8, 8 } },
    { MPCIFC, { 8 } },
    { STPCIFC, { 8 } },
    { UVC, { 8 } },
};

/* 0: there is no such slot */
static unsigned width_of(const struct ask *ask, unsigned i)
{
    for (unsigned n = 0; n < sizeof inputs / sizeof inputs[0] && i < SLOTS_IN; n++)
        if (inputs[n].kind == ask->rule->kind)
            return inputs[n].bytes[i] == SIZE ? ask->size : inputs[n].bytes[i];
    return 0;
}

static uint8_t inputs_of(const struct ask *ask)
{
    uint8_t count = 0;

    while (width_of(ask, count) != 0)
        count++;
    return count;
}

/* What slot i of a kind shows of 64 bits, by page.md. */
static uint64_t shown(unsigned kind, unsigned i)
{
    switch (kind) {
    case 0x0040: /* STSI */
        return i == 0 ? 0x300000ff : 0xffff;
    case PCILG:
    case PCISTG:
        return i == 0 ? 0xffffffff000f000f : ~(uint64_t)0;
    case PCISTB:
        return i == 0 ? 0xffffffff000f1fff : ~(uint64_t)0;
    case RPCIT:
        return i == 0 ? 0xffffffff00000000 : ~(uint64_t)0;
    case MPCIFC:
        return 0xffffffff00ff00ff;
    case STPCIFC:
        return 0xffffffff00ff0000;
    case TPI:
        return 0xff000000;
    default:
        return ~(uint64_t)0;
    }
}

/* What the page says, EX-57 of a call; of an exit that no host hears of what EX-1 allows. */
static uint32_t size_of(const struct ask *ask, uint64_t *rng)
{
    const struct exit_rule *rule = ask->rule;

    switch (rule->space) {
    case SPACE_PORT:
        return 1u << below(rng, 3);
    case SPACE_WINDOW:
        return 1 + below(rng, 8);
    case SPACE_SYSREG:
        return 8;
    case SPACE_INDEX:
        if (rule->kind == COUNTER || IS_CSR(rule->kind))
            return ask->isa == SVMC_ISA_RV32 ? 4 : 8;
        return rule->kind == RDTIME                              ? 8
               : rule->kind >= CR_FIRST && rule->kind <= DR_LAST ? 4u << below(rng, 2)
               : rule->kind == LMSW                              ? 2
                                                                 : 0;
    case SPACE_S390:
        return rule->kind == PCILG || rule->kind == PCISTG ? 1 + below(rng, 8) : rule->string;
    case SPACE_CALL:
        if (rule->kind == SBI)
            return ask->isa == SVMC_ISA_RV32 ? 4 : 8;
        if (rule->kind == HCALL)
            return 8;
        return ask->address >> 30 & 1 ? 8 : 4;
    default:
        return rule->kind == PAGE_STATE ? 8 : rule->kind == HOST_CALL ? 256 : 0;
    }
}

static uint64_t page_of(uint64_t *rng, unsigned bits)
{
    return turn_random(rng) >> (64 - bits) << 12;
}

/* GHCB 2.0, 4.1.6: operations 1 to 4 at bit 52, bit 56: 2 MiB, aligned */
static void fill_list(uint8_t *list, uint32_t count, uint64_t *rng)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t entry = page_of(rng, 40) | (uint64_t)(1 + below(rng, 4)) << 52;

        if (one_in(rng, 4))
            entry = (entry & ~(uint64_t)0x1fffff) | (uint64_t)1 << 56;
        for (unsigned b = 0; b < 8; b++)
            list[8 * i + b] = (uint8_t)(entry >> (8 * b));
    }
}

/* Address, value and slots of a request. */
static void make_request(struct ask *ask, uint64_t *rng)
{
    unsigned kind = ask->rule->kind;

    ask->address = page_of(rng, 38);
    if (kind >> 12 == 4)
        ask->value &= 0xfc001e3f; /* EC, SET, FnV, EA, FSC */
    else if (kind == SERROR)
        ask->value &= 0xfd001e3f; /* EC, IDS, AET, EA, DFSC */
    else if (gives_reached(kind))
        ask->value = ask->address + page_of(rng, one_in(rng, 2) ? 2 : 24) + 0x1000;
    else if (gives_message(kind))
        ask->value = ask->address ^ 0x4000000000000u;
    else if (kind == AP_CREATE)
        ask->value = (ask->value & 0xffffffff00000000u) | below(rng, 4) << 16 | below(rng, 3);
    ask->in[0] = ask->value;
    if (kind == RIPAS)
        ask->in[1] = below(rng, 2);
    else if (kind == DEV_MEM)
        ask->in[1] = page_of(rng, 40);
    else if (kind == EXT_REQUEST) {
        ask->in[1] = (uint64_t)1 << 49;
        ask->in[2] = 1 + below(rng, 1000);
    }
}

/* What goes out by the data area, in the form that its kind has. */
static void make_data(struct ask *ask, uint64_t *rng)
{
    const struct exit_rule *rule = ask->rule;

    if (rule->string && (rule->direction & SVMC_DIRECTION_OUT))
        turn_fill(ask->data, (size_t)ask->count * ask->size, rng);
    if (rule->kind == SERVC || rule->kind == CHSC) {
        ask->data[0] = (uint8_t)(ask_bytes(ask) >> 8);
        ask->data[1] = (uint8_t)ask_bytes(ask);
    }
    if (rule->kind == SVMC_KIND_SSCH || rule->kind == CHSC)
        memset(ask->data + ask_bytes(ask), 0, ask->size - ask_bytes(ask));
    if (rule->kind == HOST_CALL)
        memset(ask->data + 2, 0, 6);
    if (rule->kind == PAGE_STATE)
        fill_list(ask->data, ask->count, rng);
}

void ask_make(struct ask *ask, const struct exit_rule *rule, uint64_t *rng)
{
    bool hcall = rule->space == SPACE_HCALL, call = rule->space == SPACE_CALL;
    const struct call *c = NULL;

    ask->rule = rule;
    ask->isa = isa_of(rule, rng);
    if (call) {
        ask->address = address_of(ask, rng);
        c = call_of(rule->kind, ask->address);
    }
    ask->size = size_of(ask, rng);
    make_block(ask, rng);
    ask->count = 1;
    if (is_string(rule))
        ask->count = 1 + below(rng, one_in(rng, 16) ? MOST(ask->size) : 8);
    if (is_string(rule) && one_in(rng, 64))
        ask->count = MOST(ask->size);
    if (!call)
        ask->address = address_of(ask, rng);
    ask->args = c ? c->args : hcall ? (uint8_t)ask->address : inputs_of(ask);
    ask->results = c ? c->results : hcall ? (uint8_t)(ask->address % 4) : 0;
    ask->value = one_in(rng, 8) ? 0 : turn_random(rng);
    if (rule->kind == SVMC_KIND_SPX)
        ask->value &= 0x7fffe000;
    if (rule->kind == UVC)
        ask->value &= ~(uint64_t)0xfff;
    if (rule->kind == SERVC) /* bits 8 to 15 say nothing */
        ask->value = commands[below(rng, 8)] | (ask->value & 0xffff00000000ff00);
    for (unsigned i = 0; i < SLOTS_IN; i++) {
        unsigned bytes = width_of(ask, i);
        bool value = rule->in[i].place == PLACE_VALUE;

        if (value && bytes != 0)
            ask->value = low(ask->value, bytes);
        ask->in[i] = value ? ask->value : low(turn_random(rng) & shown(rule->kind, i), bytes);
    }
    if (rule->kind == STSI) /* 1 to 3: others no host hears of */
        ask->in[0] = (ask->in[0] & 0xff) | (uint64_t)(1 + below(rng, 3)) << 28;
    if (rule->kind == PCISTB) {
        ask->value = ask->size;
        ask->in[0] = (ask->in[0] & ~(uint64_t)0x1fff) | ask->size;
        ask->in[1] &= ~(uint64_t)0xfff; /* the offset: all within one page of the device */
        ask->in[1] |= 8 * below(rng, (4096 - ask->size) / 8 + 1);
    }
    make_data(ask, rng);
    if (is_apart(rule->kind) && rule->kind != PAGE_STATE)
        make_request(ask, rng);
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
                     : isa == SVMC_ISA_PPC64 ? R3 - 3
                                             : SVMC_REG_RV_X0 + 1;
    uint32_t reg;

    do
        reg = first + below(m->rng, count);
    while (m->used[reg]);
    return (uint8_t)reg;
}

static uint32_t regs_of(uint32_t isa)
{
    return IS_X86(isa) || isa == SVMC_ISA_S390X ? 16 : isa == SVMC_ISA_PPC64 ? 32 : 31;
}

static uint8_t isa_like(const struct ask *ask, uint64_t *rng)
{
    uint32_t isa = ask->isa;

    if (IS_X86(isa))
        return (uint8_t)below(rng, 4);
    if (isa == SVMC_ISA_RV64 && ask->rule->space == SPACE_WINDOW)
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
    } else if (value && !is_block(ask->rule) && ask->size != 0 && one_in(m->rng, 2)) {
        e->from |= SVMC_FROM_VALUE_REG;
        e->value_reg = free_reg(m, regs_of(e->isa));
        e->value_high = IS_X86(e->isa) && ask->size == 1 && !e->swap &&
                        e->value_reg <= SVMC_REG_RBX && one_in(m->rng, 2);
        if (e->value_high)
            set_low(m, e->value_reg, ask->value << 8 | (turn_random(m->rng) & 0xff), 2);
        else
            set_low(m, e->value_reg, e->swap ? turned(ask->value, ask->size) : ask->value,
                    ask->size);
        e->value = turn_random(m->rng);
    }
    if ((ask->rule->space == SPACE_PORT || ask->rule->space == SPACE_MSR ||
         ask->rule->kind == RDPMC || ask->rule->kind == XSETBV) &&
        one_in(m->rng, 2)) {
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
        if (ask->rule->kind == PAGE_STATE)
            fill_list(m->t->data, m->t->total, m->rng);
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

/* The bits of a register that a slot shows; the others stay as they are. */
static void set_bits(struct maker *m, uint32_t reg, uint64_t value, uint64_t mask)
{
    m->g->reg[reg] = (m->g->reg[reg] & ~mask) | (value & mask);
}

/* EX-71: one register of any number, an even one and the next. */
static void name_pair(struct maker *m)
{
    const struct ask *ask = m->t->ask;
    const struct exit_rule *rule = ask->rule;
    struct svmc_exit *e = &m->t->exit;
    unsigned even = 2 * below(m->rng, 8), other = below(m->rng, 7);

    e->arg[1] = (uint8_t)(R0 + even);
    e->arg[2] = (uint8_t)(R0 + even + 1);
    if (rule->kind == STHYI) /* even, too */
        e->arg[0] = (uint8_t)(R0 + (2 * other >= even ? 2 * other + 2 : 2 * other));
    else
        e->arg[0] = (uint8_t)(R0 + (even + 2 + 2 * other) % 16 + below(m->rng, 2));
    for (unsigned i = 0; i < rule->in_count; i++)
        if (rule->in[i].place == PLACE_ARG)
            set_bits(m, e->arg[rule->in[i].reg], ask->in[i],
                     low(shown(rule->kind, i), width_of(ask, i)));
    if (rule->kind == TPI)
        set_bits(m, CR6, ask->in[0], shown(TPI, 0));
}

/* EX-63: the registers of operands; DIAGNOSE 288 has an even one and the next. */
static void name_args(struct maker *m)
{
    const struct exit_rule *rule = m->t->ask->rule;
    struct svmc_exit *e = &m->t->exit;

    if (rule->kind != SVMC_KIND_DIAG_288 && rule->kind != SVMC_KIND_DIAG_9C &&
        rule->kind != SVMC_KIND_SIGP) {
        name_pair(m);
        return;
    }
    for (unsigned i = 0; i < rule->in_count; i++) {
        if (rule->in[i].place != PLACE_ARG)
            continue;
        e->arg[i] = rule->kind != SVMC_KIND_DIAG_288 || i == 2 ? free_reg(m, 16)
                    : i == 1                                   ? (uint8_t)(e->arg[0] + 1)
                             : (uint8_t)(SVMC_REG_S390_R0 + 2 * below(m->rng, 8));
        set_low(m, e->arg[i], m->t->ask->in[i], width_of(m->t->ask, i));
    }
}

/* EX-68, EX-89: at any word, or what the operation wants; an SCCB at a real address above 8 KiB. */
static void place_block(struct maker *m)
{
    const struct ask *ask = m->t->ask;
    unsigned kind = ask->rule->kind, on = 4;
    struct turn *t = m->t;

    if (kind == STSI || kind == STHYI || kind == CHSC)
        on = 4096;
    if (kind == PCISTB || kind == MPCIFC || kind == STPCIFC)
        on = 8;
    if (kind == HOST_CALL)
        on = 256;
    t->memory = below(m->rng, (GUEST_MEMORY - ask->size) / on + 1) * on;
    t->exit.buffer.v = GUEST_LINEAR + t->memory;
    t->exit.size = (uint16_t)ask->rule->string;
    t->low = kind == TPI && one_in(m->rng, 2);
    if (t->low) {
        t->memory = 184;
        t->exit.buffer.v = 0;
    }
    if (kind == SERVC)
        t->memory =
            0x2000 + 0x1000 * below(m->rng, 2) + 8 * below(m->rng, (4096 - ask->size) / 8 + 1);
    if (kind == SERVC || kind == HOST_CALL)
        t->exit.buffer.v = t->memory;
    if (ask->rule->direction & SVMC_DIRECTION_OUT)
        memcpy(m->g->memory + t->memory, ask->data, ask_bytes(ask));
    if (kind == HOST_CALL) /* what the host is not shown */
        turn_fill(m->g->memory + t->memory + 2, 6, m->rng);
}

/* PG-10: the part at t->at: 3584 bytes at most; out, then both ways, then in. */
static void cut_block(struct turn *t)
{
    uint32_t left = t->ask->size - t->at;

    t->bytes = left < SVMC_PAGE_DATA_BYTES ? left : SVMC_PAGE_DATA_BYTES;
    if (t->ask->rule->direction == SVMC_DIRECTION_INOUT && t->way == 2 && t->bytes == left)
        t->way = 3;
    t->part = t->bytes < left || (t->way == 3 && t->at > 0);
}

/* EX-53: the number in W0, or in a7 and a6; arguments from x1, or from a0 on. */
static void place_call(struct maker *m)
{
    const struct ask *ask = m->t->ask;
    bool sbi = ask->rule->kind == SBI, papr = ask->rule->kind == HCALL;
    unsigned first = sbi ? A0 : papr ? R3 + 1 : SVMC_REG_X0 + 1;

    for (unsigned i = 0; i < ask->args; i++)
        set_low(m, first + i, ask->in[i], ask->size);
    if (sbi) {
        set_low(m, A0 + 7, ask->address >> 32, ask->size);
        set_low(m, A0 + 6, ask->address & 0xffffffffu, ask->size);
    } else if (papr) {
        set_low(m, R3, ask->address, 8);
    } else {
        set_low(m, SVMC_REG_X0, ask->address, 4);
    }
    m->t->exit.size = 0;
    m->t->exit.address = turn_random(m->rng);
}

/* PG-6: no slot shows more than its width, whatever stands there, where anything may. */
static uint64_t wide_value(const struct ask *ask, uint64_t *rng)
{
    uint64_t kept = ~(uint64_t)0;

    for (unsigned i = 0; i < ask->rule->in_count; i++)
        if (ask->rule->in[i].place == PLACE_VALUE)
            kept = low(~(uint64_t)0, width_of(ask, i));
    if (is_apart(ask->rule->kind) || ask->rule->kind == SVMC_KIND_SPX)
        return ask->value;
    return (ask->value & kept) | (turn_random(rng) & ~kept);
}

void turn_make(struct turn *t, const struct ask *ask, struct guest *g, uint64_t *rng)
{
    struct maker m = { .t = t, .g = g, .rng = rng };
    const struct exit_rule *rule = ask->rule;
    struct svmc_exit *e = &t->exit;
    uint32_t shape = below(rng, 8);

    memset(e, 0, sizeof *e);
    t->ask = ask;
    t->own = ((shape & 1) != 0 || is_block(rule) || (rule->apart && rule->out_count > 1)) &&
             !is_apart(rule->kind);
    t->rip = t->own && shape != 1;
    t->times = &g->times;
    t->asked = g->times.clock;
    t->backward = false;
    t->at = 0;
    t->issued = t->total = ask->count;
    t->bytes = ask->size;
    t->way = rule->string ? rule->direction : 0;
    t->part = t->low = false;
    for (unsigned i = 0; i < rule->in_count; i++)
        if (rule->in[i].place == PLACE_REG && i < ask->args && rule->space != SPACE_CALL &&
            rule->kind != TPI)
            set_low(&m, rule->in[i].reg, ask->in[i], width_of(ask, i));
    if (is_string(rule)) /* set when all else stands */
        m.used[SVMC_REG_RCX] = m.used[SVMC_REG_RSI] = m.used[SVMC_REG_RDI] = 1;
    e->kind = rule->kind;
    e->finish = (uint8_t)((t->own ? SVMC_FINISH_REGS : 0) | (t->rip ? SVMC_FINISH_RIP : 0));
    e->size = (uint16_t)ask->size;
    e->count = 1;
    e->address = ask->address;
    e->value = wide_value(ask, rng);
    e->insn_bytes = (uint8_t)(1 + below(rng, 15));
    e->isa = isa_like(ask, rng);
    e->state = (uint8_t)below(rng, SVMC_STATE_ALL + 1);
    e->user = (uint8_t)below(rng, 2);
    e->swap = rule->space == SPACE_WINDOW && one_in(rng, 4);
    name_registers(&m);
    set_destination(&m);
    name_args(&m);
    for (unsigned i = 0; i < rule->in_count; i++)
        if (rule->in[i].place == PLACE_SECOND)
            e->buffer.v = ask->in[i];
        else if (rule->in[i].place == PLACE_THIRD)
            e->count = (uint32_t)ask->in[i];
    if (is_block(rule)) {
        place_block(&m);
        t->way = rule->direction == SVMC_DIRECTION_INOUT ? 2 : rule->direction;
        cut_block(t);
    }
    if (is_string(rule))
        place_string(&m);
    if (rule->space == SPACE_HCALL)
        place_hypercall(&m);
    if (rule->space == SPACE_CALL)
        place_call(&m);
}

/* ---- what a reply may do: docs/spec/page.md and reply.md, read once more ----------------------*/

#define DEST    0xfeu /* the exit's destination */
#define DONE    1u    /* bits by status number */
#define FAULTS  2u
#define PARTIAL 4u
#define AGAIN   8u
#define NAMED   0xf0u /* the register that exit.arg names at n: NAMED + n */
#define STATUS  0xf4u /* bits 24 to 31 of such a one, with condition code 1 */
#define NOTICE  16u
#define GP      2u /* bits by number of the fault */
#define UD      4u
#define SPEC    8u
#define OPERAND 16u

/* One line a kind; numbers as they stand in the documents. No status: the host learns nothing. */
static const struct model {
    uint16_t kind;
    uint8_t statuses;
    uint8_t faults; /* bit n: FAULT may be n */
    bool data_in;
    uint8_t results; /* of a notice: its slots */
    uint8_t reg[SLOTS_OUT], bytes[SLOTS_OUT];
    uint8_t codes; /* bit n: condition code n is one of the operation's: PoP */
} models[] = {
    { 0x0001, DONE, 0, false, 4, { 0, 3, 1, 2 }, { 4, 4, 4, 4 }, 0 }, /* CPUID */
    { 0x1001, DONE | FAULTS, GP, false, 2, { 0, 2 }, { 4, 4 }, 0 },   /* RDMSR */
    { 0x1002, DONE | FAULTS, GP, false, 0, { 0 }, { 0 }, 0 },         /* WRMSR */
    { 0x1003, DONE | FAULTS, UD, false, 1, { DEST }, { 8 }, 0 },      /* SYSREG_READ */
    { 0x1004, DONE | FAULTS, UD, false, 0, { 0 }, { 0 }, 0 },         /* SYSREG_WRITE */
    { 0x2001, DONE | AGAIN, 0, false, 1, { DEST }, { SIZE }, 0 },     /* IN */
    { 0x2002, DONE | AGAIN, 0, false, 0, { 0 }, { 0 }, 0 },           /* OUT */
    { 0x3001, DONE | PARTIAL | AGAIN, 0, true, 0, { 0 }, { 0 }, 0 },  /* INS */
    { 0x3002, DONE | PARTIAL | AGAIN, 0, false, 0, { 0 }, { 0 }, 0 }, /* OUTS */
    { 0x4001, DONE | AGAIN, 0, false, 1, { DEST }, { SIZE }, 0 },     /* device memory, read */
    { 0x4002, DONE | AGAIN, 0, false, 0, { 0 }, { 0 }, 0 },           /* and written */
    { 0x5001, DONE | AGAIN, 0, false, 4, { 0, 7, 6, 8 }, { 8, 8, 8, 8 }, 0 }, /* hypercall */
    { HVC, DONE | AGAIN, 0, false, 4, { 64, 65, 66, 67 }, { SIZE, SIZE, SIZE, SIZE }, 0 },
    { SMC, DONE | AGAIN, 0, false, 4, { 64, 65, 66, 67 }, { SIZE, SIZE, SIZE, SIZE }, 0 },
    { SBI, DONE | AGAIN, 0, false, 2, { A0, A0 + 1 }, { SIZE, SIZE }, 0 },
    { HCALL, DONE | AGAIN, 0, false, 4, { R3, R3 + 1, R3 + 2, R3 + 3 }, { 8, 8, 8, 8 }, 0 },
    { 0x8001, DONE, 0, false, 2, { 0, 2 }, { 4, 4 }, 0 }, /* RDTSC */
    { RDTSCP, DONE, 0, false, 2, { 0, 2 }, { 4, 4 }, 0 }, /* and ECX, which is no result */
    { RDPMC, DONE | FAULTS, GP, false, 2, { 0, 2 }, { 4, 4 }, 0 },
    { RDTIME, DONE, 0, false, 1, { DEST }, { 8 }, 0 },
    { COUNTER, DONE | FAULTS, UD, false, 1, { DEST }, { SIZE }, 0 },
    { .kind = 0x6001, .statuses = NOTICE }, /* HLT */
    { .kind = 0x6002, .statuses = NOTICE }, /* WFI */
    { .kind = 0x6003, .statuses = NOTICE }, /* WFE */
    { .kind = 0x7001, .statuses = NOTICE }, /* WBINVD */
    { .kind = 0x6004 },                     /* MONITOR */
    { .kind = 0x6005 },                     /* MWAIT */
    { .kind = 0x6006 },                     /* PAUSE */
    { .kind = 0x7002 },                     /* INVD */
    { .kind = CR_FIRST },                   /* CR_READ */
    { .kind = 0x9002 },                     /* CR_WRITE */
    { .kind = 0x9003 },                     /* DR_READ */
    { .kind = DR_LAST },                    /* DR_WRITE */
    { .kind = XSETBV },
    { .kind = 0x9006 }, /* CLTS */
    { .kind = LMSW },
    { .kind = 0x9008 }, /* SYS_STORE */
    { .kind = 0x9009 }, /* SYS_LOAD */
    { .kind = 0x1005 }, /* CSR_READ */
    { .kind = 0x1006 }, /* CSR_WRITE */
    { .kind = 0x1007 }, /* CSR_SWAP */
    { .kind = 0x1008 }, /* CSR_SET */
    { .kind = 0x1009 }, /* CSR_CLEAR */
    { .kind = 0xc001 }, /* SHUTDOWN */
    { PAGE_STATE, DONE | PARTIAL | AGAIN, 0, false, 0, { 0 }, { 0 }, 0 },
    { MAP_GPA, DONE | FAULTS | AGAIN, GP, false, 1, { 0 }, { 8 }, 0 },
    { GUEST_REQUEST, DONE | AGAIN, 0, false, 1, { 0 }, { 8 }, 0 },
    { EXT_REQUEST, DONE | AGAIN, 0, false, 2, { 0 }, { 8, 8 }, 0 },
    { AP_CREATE, DONE | AGAIN, 0, false, 0, { 0 }, { 0 }, 0 },
    { DATA_ABORT, DONE | FAULTS, GP, false, 0, { 0 }, { 0 }, 0 },
    { PROTECTED_ABORT, DONE, 0, false, 0, { 0 }, { 0 }, 0 },
    { INSN_ABORT, DONE, 0, false, 0, { 0 }, { 0 }, 0 },
    { RIPAS, DONE | AGAIN, 0, false, 1, { 0 }, { 8 }, 0 },
    { S2AP, DONE | AGAIN, 0, false, 1, { 0 }, { 8 }, 0 },
    { DEV_MEM, DONE | AGAIN, 0, false, 1, { 0 }, { 8 }, 0 },
    { HOST_CALL, DONE | AGAIN, 0, true, 0, { 0 }, { 0 }, 0 },
    { .kind = IRQ, .statuses = NOTICE },
    { .kind = 0xd002, .statuses = NOTICE }, /* FIQ */
    { .kind = SERROR, .statuses = NOTICE, .results = 1 },
    /* s390x: r0 is 192, the condition code 209 */
    { 0x5040, DONE | FAULTS | AGAIN, SPEC, false, 0, { 0 }, { 0 }, 0 }, /* DIAGNOSE 288 */
    { 0x5041,
      DONE | FAULTS | AGAIN,
      SPEC | OPERAND,
      false,
      1,
      { 194 },
      { 8 },
      0 },                                                                    /* DIAGNOSE 500 */
    { 0xb040, DONE | FAULTS | AGAIN, OPERAND, false, 1, { 209 }, { 8 }, 9 },  /* CSCH */
    { 0xb041, DONE | FAULTS | AGAIN, OPERAND, false, 1, { 209 }, { 8 }, 15 }, /* HSCH */
    { 0xb042, DONE | FAULTS | AGAIN, OPERAND, false, 1, { 209 }, { 8 }, 15 }, /* RSCH */
    { 0xb043, DONE | FAULTS | AGAIN, OPERAND, false, 1, { 209 }, { 8 }, 15 }, /* XSCH */
    { 0xb044, DONE | FAULTS | AGAIN, OPERAND, false, 0, { 0 }, { 0 }, 0 },    /* SAL */
    { 0xb045, DONE | FAULTS | AGAIN, OPERAND, false, 1, { 209 }, { 8 }, 13 }, /* RCHP */
    { 0xb046, DONE | FAULTS | AGAIN, OPERAND, false, 1, { 209 }, { 8 }, 15 }, /* SSCH */
    { 0xb047, DONE | FAULTS | AGAIN, OPERAND, false, 1, { 209 }, { 8 }, 15 }, /* MSCH */
    { 0xb048, DONE | FAULTS | AGAIN, OPERAND, true, 1, { 209 }, { 8 }, 9 },   /* STSCH */
    { 0xb049, DONE | FAULTS | AGAIN, OPERAND, true, 1, { 209 }, { 8 }, 11 },  /* TSCH */
    { CHSC, DONE | AGAIN, 0, true, 1, { CC }, { 8 }, 15 },
    { TPI, DONE | AGAIN, 0, true, 1, { CC }, { 8 }, 3 },
    { SERVC, DONE | AGAIN, 0, true, 0, { 0 }, { 0 }, 0 },
    { STSI, DONE | AGAIN, 0, true, 1, { CC }, { 8 }, 9 },
    { STHYI, DONE | AGAIN, 0, true, 2, { CC, NAMED + 2 }, { 8, 8 }, 9 },
    { PCILG,
      DONE | FAULTS | AGAIN,
      OPERAND,
      false,
      3,
      { CC, STATUS + 1, NAMED },
      { SIZE, 1, SIZE },
      15 },
    { PCISTG, DONE | FAULTS | AGAIN, OPERAND, false, 2, { CC, STATUS + 1 }, { 8, 1 }, 15 },
    { PCISTB, DONE | FAULTS | AGAIN, OPERAND, false, 2, { CC, STATUS }, { 8, 1 }, 15 },
    { RPCIT, DONE | FAULTS | AGAIN, OPERAND, false, 2, { CC, STATUS }, { 8, 1 }, 15 },
    { MPCIFC, DONE | FAULTS | AGAIN, OPERAND, false, 2, { CC, STATUS }, { 8, 1 }, 15 },
    { STPCIFC, DONE | FAULTS | AGAIN, OPERAND, true, 2, { CC, STATUS }, { 8, 1 }, 15 },
    { .kind = UVC, .statuses = NOTICE, .results = 1 },
    { .kind = 0x6040, .statuses = NOTICE },               /* WAIT */
    { .kind = 0x6041, .statuses = NOTICE },               /* DIAGNOSE 44 */
    { .kind = 0x6042, .statuses = NOTICE, .results = 1 }, /* DIAGNOSE 9C */
    { .kind = 0x9040, .statuses = NOTICE, .results = 1 }, /* SPX */
    { .kind = 0x9041, .statuses = NOTICE },               /* LPSW */
    { .kind = 0x9042, .statuses = NOTICE },               /* LCTL */
    { .kind = 0xc040, .statuses = NOTICE, .results = 1 }, /* DIAGNOSE 308 */
    { .kind = 0xd040, .statuses = NOTICE, .results = 2 }, /* SIGP */
};
#define HYPERCALL 0x5001u
#define RDMSR     0x1001u
#define WRMSR     0x1002u
#define SYSREG    0x1003u

static const struct model *line_of(unsigned kind)
{
    for (unsigned i = 0; i < sizeof models / sizeof models[0]; i++)
        if (models[i].kind == kind)
            return &models[i];
    return NULL;
}

static const struct model *model_of(const struct turn *t)
{
    const struct model *m = line_of(t->ask->rule->kind);

    return m && m->results <= SLOTS_OUT && (m->statuses & DONE) ? m : NULL;
}

bool turn_delegates(const struct exit_rule *rule)
{
    const struct model *m = line_of(rule->kind);

    return m && (m->statuses & DONE);
}

bool turn_notifies(const struct exit_rule *rule)
{
    const struct model *m = line_of(rule->kind);

    return m && m->statuses == NOTICE;
}

static bool is_call(unsigned kind)
{
    return kind == HVC || kind == SMC || kind == SBI || kind == HCALL;
}

static unsigned results_of(const struct turn *t, const struct model *m)
{
    return t->part                ? 0
           : m->kind == HYPERCALL ? 1u + t->ask->results
           : is_call(m->kind)     ? t->ask->results
                                  : m->results;
}

static unsigned bytes_of(const struct turn *t, const struct model *m, unsigned i)
{
    return m->bytes[i] == SIZE ? t->ask->size : m->bytes[i];
}

/* R13: the counter that is read; TURN_TIMES: none. */
static unsigned counter_of(const struct turn *t)
{
    uint64_t at = t->ask->address;

    switch (t->ask->rule->kind) {
    case 0x8001:
    case RDTSCP:
    case RDTIME:
        return 0;
    case RDMSR:
        return at == 0x10 ? 0 : TURN_TIMES;
    case SYSREG:
        return at == 0xdf01 || at == 0xdf05 ? 0 : at == 0xdf02 || at == 0xdf06 ? 1 : TURN_TIMES;
    default:
        return TURN_TIMES;
    }
}

bool turn_hides_time(const struct turn *t)
{
    return t->own && counter_of(t) < TURN_TIMES &&
           (t->exit.dest_reg == SVMC_REG_XZR || t->exit.dest_reg == SVMC_REG_RV_X0);
}

static uint64_t time_of(const struct turn *t, const struct reply_words *r)
{
    return model_of(t)->results == 2 ? r->w[8] | r->w[9] << 32 : r->w[8];
}

static bool is_time(const struct turn *t, const struct reply_words *r)
{
    unsigned n = counter_of(t);
    const struct guest_time *last = &t->times->last[n % TURN_TIMES];
    uint64_t time = time_of(t, r);

    if (n >= TURN_TIMES || !last->known)
        return true;
    return time >= last->value &&
           (!t->times->timed || time - last->value <= t->times->clock - last->asked);
}

/* A time that holds. */
static void put_time(const struct turn *t, struct reply_words *r, uint64_t *rng)
{
    const struct guest_time *last = &t->times->last[counter_of(t) % TURN_TIMES];
    uint64_t time = turn_random(rng) >> 16, most = t->times->clock - last->asked;

    if (last->known) {
        uint64_t on = one_in(rng, 4) ? 0 : turn_random(rng) >> 48;

        if (t->times->timed && (on > most || one_in(rng, 8)))
            on = most;
        time = last->value + on < last->value ? last->value : last->value + on;
    }
    r->w[8] = time;
    if (model_of(t)->results == 2) {
        r->w[8] = time & 0xffffffffu;
        r->w[9] = time >> 32;
    }
}

static void note_time(struct turn *t, const struct reply_words *r)
{
    unsigned n = counter_of(t);
    unsigned kind = t->ask->rule->kind;

    if ((uint32_t)r->w[1] != 0)
        return;
    if (kind == WRMSR && (t->ask->address == 0x10 || t->ask->address == 0x3b))
        t->times->last[0].known = false;
    if (n < TURN_TIMES)
        t->times->last[n] = (struct guest_time){ true, time_of(t, r), t->asked };
}

/* R10: return codes of Linux asm/hvcall.h; the negative ones as a range */
static bool is_return_code(int64_t value)
{
    return (value >= -511 && value <= 5) || (value >= 14 && value <= 18) ||
           (value >= 9900 && value <= 9905);
}

/* Linux asm/pci_insn.h: 4 to 44 */
static bool is_status(uint64_t cc, uint64_t status)
{
    return cc == 1 ? status >= 4 && status <= 44 && status % 4 == 0 : status == 0;
}

/* R10 */
static bool is_legal(const struct turn *t, const struct reply_words *r)
{
    unsigned kind = t->ask->rule->kind;
    const struct model *m = model_of(t);
    const struct call *c = is_call(kind) ? call_of(kind, t->ask->address) : NULL;
    int64_t value = (int64_t)r->w[8];

    if (kind == HYPERCALL)
        return r->w[8] <= 6;
    if (m->codes && t->part)
        return true;
    if (m->codes)
        return r->w[8] <= 3 && (m->codes >> r->w[8] & 1) &&
               (m->reg[1] < STATUS || m->reg[1] == DEST || is_status(r->w[8], r->w[9]));
    if (kind == HCALL)
        return is_return_code(value);
    if (gives_reached(kind))
        return r->w[8] >= t->ask->address && r->w[8] <= t->ask->value && r->w[8] % 4096 == 0;
    if (gives_message(kind)) {
        if (r->w[8] >> 32 == 0)
            return r->w[8] <= 0x28 && r->w[8] != 0x1e;
        return r->w[8] == (uint64_t)2 << 32 || r->w[8] == (uint64_t)1 << 63 ||
               (kind == EXT_REQUEST && r->w[8] == (uint64_t)1 << 32);
    }
    if (!c || c->results == 0 || c->legal == ANY)
        return true;
    if (t->ask->size == 4)
        value = (int32_t)(uint32_t)r->w[8];
    return value <= 0 ? value >= -9 && (c->legal >> (unsigned)-value & 1)
                      : value <= 2 && (c->legal >> (unsigned)(16 + value) & 1);
}

/* A result that the call can have; false: it has none. */
static bool put_legal(const struct turn *t, struct reply_words *r, uint64_t *rng)
{
    const struct call *c = call_of(t->ask->rule->kind, t->ask->address);

    if (c && c->legal == 0)
        return false;
    /* not for ever: a size that a racing host has flipped may leave none */
    for (unsigned tries = 0; tries < 1000 && !is_legal(t, r); tries++)
        r->w[8] = low((uint64_t)below(rng, 12) - 9, t->ask->size);
    return is_legal(t, r);
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

unsigned turn_rows(const struct exit_rule *rows[TURN_ROWS], unsigned *unknown)
{
    unsigned count = 0;

    *unknown = 0;
    for (unsigned kind = 0; kind < 65536; kind++) {
        const struct exit_rule *rule = svmc_intercept_rule((uint16_t)kind);

        if (rule->kind != kind || kind == SVMC_KIND_UNKNOWN)
            continue;
        if (line_of(kind) && count < TURN_ROWS) {
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
    r->w[4] = t->issued | (t->way & 1 ? (uint64_t)t->issued * t->bytes << 32 : 0);
    for (unsigned i = 0; i < count; i++)
        r->w[8 + i] = low(turn_random(rng), bytes_of(t, m, i));
    if (m->kind == HYPERCALL)
        r->w[8] %= 7;
    if (gives_message(m->kind))
        r->w[8] %= 0x1e;
    if (gives_reached(m->kind))
        r->w[8] = t->ask->address + r->w[8] % ((t->ask->value - t->ask->address) / 4096 + 1) * 4096;
    if (m->codes && count > 0) {
        do
            r->w[8] = below(rng, 4);
        while (!(m->codes >> r->w[8] & 1));
        if (count > 1 && m->reg[1] >= STATUS)
            r->w[9] = r->w[8] == 1 ? 4 * (1 + below(rng, 11)) : 0;
    }
    if (counter_of(t) < TURN_TIMES)
        put_time(t, r, rng);
    if (is_call(m->kind) && count > 0 && !put_legal(t, r, rng)) { /* nothing but RETRY */
        memset(r->w + 1, 0, sizeof r->w - sizeof r->w[0]);
        r->w[1] = 3;
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
    if (status == 1 ? r->w[3] > 7 || !(m->faults >> r->w[3] & 1) : r->w[3] != 0)
        return 7;
    if (status == 0 ? done != t->issued : status == 2 ? done < 1 || done >= t->issued : done != 0)
        return 11;
    if (r->w[4] >> 32 != (t->way & 1 ? (uint64_t)done * t->bytes : 0))
        return 11;
    for (unsigned i = 0; i < 8; i++)
        wide =
            wide || r->w[8 + i] != (gives && i < count ? low(r->w[8 + i], bytes_of(t, m, i)) : 0);
    if (wide)
        return 8;
    if (gives && !is_legal(t, r))
        return 10;
    return gives && !is_time(t, r) ? 13 : 0;
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

    if (t->exit.swap)
        value = turned(value, t->ask->size);
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
                  : isa == SVMC_ISA_PPC64 ? SVMC_REG_PPC_NIA
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

/* EX-71: results whose registers the exit names; of a failed PCI load none comes. */
static void add_named(const struct turn *t, unsigned what, const struct reply_words *r, unsigned i,
                      const uint64_t *reg, struct effects *fx)
{
    uint32_t to = t->exit.arg[what & 3];

    if (what >= STATUS && r->w[8] == 1)
        add_write(fx, to, (reg[to] & ~(uint64_t)0xff000000) | r->w[8 + i] << 24);
    if (what < STATUS && (r->w[8] == 0 || t->ask->rule->kind != PCILG))
        add_write(fx, to, r->w[8 + i]);
}

/* EX-68 EX-72 EX-74: how much of a block comes into memory, with this condition code. */
static uint32_t stored(const struct turn *t, const struct model *m, uint64_t cc)
{
    switch (m->kind) {
    case SERVC:
        return t->ask->size;
    case TPI:
        return cc != 1 ? 0 : t->low ? 12 : 8;
    case TSCH:
        return cc <= 1 ? t->ask->size : 0;
    default:
        return m->data_in && cc == 0 ? t->ask->size - t->ask->kept : 0;
    }
}

void turn_effects(const struct turn *t, const struct reply_words *r, const uint64_t reg[WORLD_REGS],
                  struct effects *fx)
{
    const struct model *m = model_of(t);
    uint32_t status = status_of(r), done = done_of(r);
    bool string = is_string(t->ask->rule);
    /* #GP; of AArch64 exception class 0 (EX-34); PoP 6: specification, operand; of RISC-V illegal
       instruction */
    static const uint8_t vectors[8] = { [1] = 13, [3] = 0x06, [4] = 0x15 };

    fx->action = SVMC_ACT_RESUME;
    fx->fault = false;
    fx->vector = 0;
    fx->error = 0;
    fx->writes = fx->memory_bytes = fx->given_bytes = 0;
    if (status == 3 || (status == 0 && t->part) || (string && !t->own && done < t->total - t->at)) {
        fx->action = SVMC_ACT_DELEGATED;
    } else if (status == 1) {
        fx->action = SVMC_ACT_INJECT;
        fx->fault = true;
        fx->vector = t->ask->rule->kind == COUNTER ? 2 : vectors[r->w[3] & 7];
        fx->has_error = r->w[3] < 3 && t->ask->rule->kind != COUNTER;
        if (m->kind == DATA_ABORT) { /* Arm ARM D17.2.37: external, FAR not valid */
            fx->vector = t->exit.user ? 0x24 : 0x25;
            fx->error = 0x410;
        }
    } else if (!t->own) {
        backend_effects(t, m, r, fx);
    } else if (string) {
        string_effects(t, done, reg, fx);
    } else {
        for (unsigned i = 0; i < results_of(t, m); i++) {
            bool dest = m->reg[i] == DEST;
            uint32_t to = dest ? t->exit.dest_reg : m->reg[i];

            if (m->codes && !dest && m->reg[i] >= NAMED) {
                add_named(t, m->reg[i], r, i, reg, fx);
                continue;
            }
            if (to == SVMC_REG_XZR || to == SVMC_REG_RV_X0)
                continue;
            add_write(fx, to,
                      dest ? merged(reg[to], extended(t, r->w[8 + i]), t->exit.dest_bytes,
                                    t->exit.dest_high != 0)
                           : merged(reg[to], r->w[8 + i], bytes_of(t, m, i), false));
        }
        if (m->kind == SERVC)
            add_write(fx, CC, 0);
        if (is_block(t->ask->rule))
            fx->memory_bytes = stored(t, m, r->w[8]);
        if (m->kind == RDTSCP) /* R13 */
            add_write(fx, SVMC_REG_RCX, low(reg[SVMC_REG_TSC_AUX], 4));
        add_pc(t, reg, fx);
    }
}

void turn_next(struct turn *t, const struct reply_words *r)
{
    note_time(t, r);
    if (status_of(r) == 3 || !(is_string(t->ask->rule) || t->part))
        return;
    if (t->part) {
        t->at = t->way == 3 ? t->bytes : t->at + t->bytes;
        t->way = t->way == 3 ? 1 : t->way;
        cut_block(t);
        return;
    }
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
    data += t->ask->kept;
    memcpy(shadow->memory + t->memory + t->ask->kept, data, bytes);
    return memcmp(g->memory + t->memory + t->ask->kept, data, bytes) == 0
               ? NULL
               : "memory has other bytes";
}

/* EX-71: result i out of the register that the exit names; 0, where none came. */
static uint64_t given_named(const struct turn *t, unsigned what, uint64_t cc, const struct guest *g)
{
    uint64_t value = g->reg[t->exit.arg[what & 3]];

    if (what >= STATUS)
        return cc == 1 ? value >> 24 & 0xff : 0;
    return cc == 0 || t->ask->rule->kind != PCILG ? value : 0;
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
        if (m->codes && m->reg[i] >= NAMED)
            r->w[8 + i] = given_named(t, m->reg[i], r->w[8], g);
        else if (own && reg != SVMC_REG_XZR && reg != SVMC_REG_RV_X0)
            r->w[8 + i] = low(g->reg[reg] >> (high ? 8 : 0), bytes);
        if (own && t->exit.swap)
            r->w[8 + i] = turned(r->w[8 + i], bytes);
    }
    if (is_string(t->ask->rule)) {
        done = t->own ? 1 : t->issued;
        if (t->own && t->exit.repeat)
            done = (uint32_t)low(before->reg[SVMC_REG_RCX] - g->reg[SVMC_REG_RCX],
                                 t->exit.address_bytes);
        r->w[1] = done == t->issued ? SVMC_REPLY_DONE : SVMC_REPLY_PARTIAL;
    }
    r->w[4] = done | (t->way & 1 ? (uint64_t)done * t->bytes << 32 : 0);
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

bool page_right(const volatile uint8_t *page, uint64_t least, struct reply_words *r, uint64_t *rng)
{
    const volatile uint64_t *words = (const volatile uint64_t *)(const volatile void *)page;
    uint64_t w[REPLY_WORDS];
    struct exit_rule rule = { 0 };
    struct ask ask = { .rule = &rule };
    struct times times = { .last = { { true, least, 0 }, { true, least, 0 } } };
    struct turn turn = { .ask = &ask, .times = &times };
    const struct call *c;

    for (unsigned i = 0; i < 8; i++)
        w[i] = little(__atomic_load_n(&words[i], __ATOMIC_RELAXED));
    rule.kind = (uint16_t)w[1];
    ask.size = turn.bytes = (uint32_t)w[7] & 4095;
    turn.part = (w[1] >> 16 & 0xff) == 3;
    turn.way = w[1] >> 16 & 2 ? w[1] >> 24 & 3 : 0;
    ask.address = w[6];
    ask.value = w[8];
    ask.results = (uint8_t)(w[6] % 4);
    turn.issued = (uint32_t)(w[7] >> 32);
    c = call_of(rule.kind, ask.address);
    if (!model_of(&turn) || ask.size > SVMC_PAGE_DATA_BYTES ||
        (is_call(rule.kind) && (!c || ask.size < 4)))
        return false;
    if (c)
        ask.results = c->results;
    turn_right(&turn, w[2], r, rng);
    return true;
}

const char *turn_shows(const struct turn *t, const volatile uint8_t *page)
{
    const volatile uint64_t *words = (const volatile uint64_t *)(const volatile void *)page;
    const struct ask *ask = t->ask;
    unsigned kind = ask->rule->kind;
    bool s390 = (kind & 0xfff) >= 0x40; /* no kind of its has an address */
    bool address =
        kind >> 12 != 0 && kind != 0x8001 && kind != RDTSCP && kind != PAGE_STATE && !s390;
    bool notice = turn_notifies(ask->rule);
    unsigned args = notice ? line_of(kind)->results : ask->args;
    uint64_t w[16];

    for (unsigned i = 0; i < 16; i++)
        w[i] = little(__atomic_load_n(&words[i], __ATOMIC_RELAXED));
    if ((w[1] & 0xffff) != kind)
        return "the page has another kind";
    if (!notice && (w[1] >> 16 & 0xff) != (t->part ? 3u : ask->rule->string ? 2u : 1u))
        return "the page has another completion";
    if (ask->rule->string && w[1] >> 24 << 56 != (uint64_t)t->way << 56)
        return "the page has another direction";
    if (w[6] != (is_block(ask->rule)  ? (uint64_t)t->at << 32
                 : address && !notice ? ask->address
                                      : 0))
        return "the page has another address";
    if (w[7] != (notice ? 0 : t->bytes | (uint64_t)t->issued << 32))
        return "the page has another size or count";
    if (w[3] != ((uint64_t)1 << args) - 1)
        return "the page has more or fewer slots";
    for (unsigned i = 0; i < 8; i++)
        if (w[8 + i] != (i < args ? ask->in[i] : 0))
            return "a slot has another value";
    return NULL;
}

uint64_t page_seq(const volatile uint8_t *page)
{
    return little(__atomic_load_n((const volatile uint64_t *)(const volatile void *)(page + 0x10),
                                  __ATOMIC_RELAXED));
}
