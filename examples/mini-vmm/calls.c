/* SPDX-License-Identifier: MIT */
/**
 * The embedding of hypercalls: exit -> svmc_trap_from_x86 -> a front end -> registers. Lines with
 * watch_ are the demo's, and so are the copies of guest memory that a tape wants.
 */
#include "calls.h"

#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "../guests/bootinfo.h"
#include "bytes.h"
#include "clock.h"
#include "embed.h"
#include "watch.h"

#define RFLAGS_DF (1u << 10)
#define IDLE_NS   5000000000u /* a channel that nobody used for so long may be closed for room */

/* Whose exit is served on this thread: tables of a VM have one ctx for all of its vCPUs. */
static _Thread_local struct vcpu *caller;

/* --- what the front ends ask for --- */

/* KVM_EXIT_IO brings a string's bytes along: which segment they came from is over. */
static enum svmc_status trap_reg(void *ctx, uint32_t reg, uint64_t *value)
{
    if (reg >= SVMC_REG_FS_BASE && reg <= SVMC_REG_DS_BASE) {
        *value = 0;
        return SVMC_OK;
    }
    return embed_ops.reg_read(ctx, reg, value);
}

static void answer_reg(void *ctx, uint32_t reg, uint64_t value)
{
    embed_ops.reg_write(ctx, reg, value);
}

static const struct svmc_host_ops trap_ops = { .size = sizeof trap_ops,
                                               .reg_read = trap_reg,
                                               .reg_write = answer_reg };

static enum svmc_status random_bytes(void *ctx, void *dst, size_t n)
{
    (void)ctx;
    return embed_ops.random(caller, dst, n);
}

static uint64_t call_ticks(void *ctx)
{
    uint64_t now = now_ns();

    (void)ctx;
    return watch_call(caller, WATCH_TICKS, 0, &now, sizeof now) ? now : 0;
}

static enum svmc_status wall_clock(void *ctx, struct svmc_vmware_time *out)
{
    struct timespec t;
    uint64_t now[2];

    (void)ctx;
    if (clock_gettime(CLOCK_REALTIME, &t) != 0)
        return SVMC_ERR_CALLBACK;
    now[0] = (uint64_t)t.tv_sec;
    now[1] = (uint64_t)t.tv_nsec;
    if (!watch_call(caller, WATCH_TIME, 0, now, sizeof now))
        return SVMC_ERR_CALLBACK;
    out->seconds = now[0];
    out->nanoseconds = (uint32_t)now[1];
    out->max_lag_us = 1000000;
    return SVMC_OK;
}

static enum svmc_status info_get(void *ctx, const struct svmc_vmware_call *call, const uint8_t *key,
                                 uint32_t key_bytes, struct svmc_vmware_reply *value)
{
    struct calls *c = ctx;
    enum svmc_status st =
        store_get(&c->store, key, key_bytes, value->at, value->room, &value->bytes);

    (void)call;
    watch_info(caller, "get", key, key_bytes, value->at, value->bytes, st);
    return st;
}

static enum svmc_status info_set(void *ctx, const struct svmc_vmware_call *call, const uint8_t *key,
                                 uint32_t key_bytes, const uint8_t *value, uint32_t bytes)
{
    struct calls *c = ctx;
    enum svmc_status st = store_set(&c->store, key, key_bytes, value, bytes, true);

    (void)call;
    watch_info(caller, "set", key, key_bytes, value, bytes, st);
    return st;
}

static void log_line(void *ctx, const struct svmc_vmware_call *call, const uint8_t *text,
                     uint32_t bytes)
{
    (void)ctx, (void)call;
    watch_said(caller, text, bytes);
}

static void said(uint32_t vcpu, const uint8_t *text, uint32_t bytes)
{
    (void)vcpu;
    watch_said(caller, text, bytes);
}

/* --- guest memory, for the buffers of native calls --- */

#define PTE_PRESENT 1u
#define PTE_WRITE   2u
#define PTE_USER    4u
#define PTE_LARGE   0x80u
#define PTE_ADDRESS 0x000ffffffffff000u
#define CR0_WP      0x10000u
#define CR4_LA57    0x1000u

/*
 * A page walk with the caller's rights, AMD APM vol. 2, 5.3: KVM_TRANSLATE checks none. Each entry
 * is read once, from memory that other vCPUs may write; nothing is marked accessed. false: a page
 * fault with *error.
 */
static bool walk(const struct vm *vm, const struct kvm_sregs *s, uint64_t at, bool write, bool user,
                 uint64_t *gpa, uint32_t *error, struct svmc_measure_walk *way)
{
    uint64_t table = s->cr3 & PTE_ADDRESS, entry, where, page;
    bool strict = user || (s->cr0 & CR0_WP) != 0;
    unsigned level = 3;

    *error = (write ? 2u : 0) | (user ? 4u : 0);
    if ((s->cr4 & CR4_LA57) != 0 || (uint64_t)((int64_t)(at << 16) >> 16) != at)
        return false;
    for (;; level--) {
        where = table + (at >> (12 + 9 * level) & 511) * 8;
        if (where > vm->memory_bytes - 8)
            return false;
        entry =
            __atomic_load_n((const uint64_t *)(const void *)(vm->memory + where), __ATOMIC_RELAXED);
        if (!(entry & PTE_PRESENT))
            return false;
        if (way)
            way->step[way->levels++] = (struct svmc_measure_step){ where, entry };
        if ((write && strict && !(entry & PTE_WRITE)) || (user && !(entry & PTE_USER))) {
            *error |= 1;
            return false;
        }
        if (level == 0 || (level < 3 && (entry & PTE_LARGE)))
            break;
        table = entry & PTE_ADDRESS;
    }
    page = ((uint64_t)1 << (12 + 9 * level)) - 1;
    *gpa = (entry & PTE_ADDRESS & ~page) | (at & page);
    return true;
}

bool calls_walk(const struct vcpu *v, uint64_t root, uint64_t page, bool user,
                struct svmc_measure_walk *out)
{
    struct kvm_sregs sregs = v->calling.sregs;
    uint32_t error;

    sregs.cr3 = root;
    *out = (struct svmc_measure_walk){ .levels = 0 };
    if (walk(v->kvm->vm, &sregs, page, false, user, &out->frame, &error, out))
        return true;
    *out = (struct svmc_measure_walk){ .levels = 0 };
    return false;
}

static enum svmc_status translate(void *ctx, const struct svmc_hcall_caller *who, svmc_gva at,
                                  uint32_t access, svmc_gpa *out, struct svmc_fault *fault)
{
    struct vcpu *v = caller;
    bool write = (access & SVMC_ACCESS_WRITE) != 0;
    uint64_t found[2] = { 0 }; /* the address; 1: there, else bits 63:1: the error code */
    uint32_t error = 0;

    (void)ctx, (void)who;
    if (v->kvm && walk(v->kvm->vm, &v->calling.sregs, at.v, write, v->calling.mode.cpl == 3,
                       &found[0], &error, NULL))
        found[1] = 1;
    else
        found[1] = (uint64_t)error << 1;
    if (!watch_call(v, WATCH_TRANSLATE, 0, found, sizeof found))
        return SVMC_ERR_CALLBACK;
    out->v = found[0];
    if (!(found[1] & 1))
        *fault = (struct svmc_fault){ .raised = 1,
                                      .vector = 14,
                                      .has_error = 1,
                                      .error = (uint32_t)(found[1] >> 1),
                                      .address = at.v };
    return SVMC_OK;
}

static enum svmc_status guest_span(void *ctx, const struct svmc_hcall_caller *who, svmc_gpa at,
                                   size_t n, uint32_t access, void **span)
{
    struct vcpu *v = caller;
    const struct vm *vm = v->kvm ? v->kvm->vm : NULL;

    (void)ctx, (void)who;
    *span =
        vm && at.v < vm->memory_bytes && n <= vm->memory_bytes - at.v ? vm->memory + at.v : NULL;
    return watch_span(v, at.v, n, access, span) ? SVMC_OK : SVMC_ERR_CALLBACK;
}

/* --- setting up --- */

static const struct svmc_vmware_ops vmware_ops = {
    .size = sizeof vmware_ops,
    .random = random_bytes,
    .ticks = call_ticks,
    .time = wall_clock,
    .info_get = info_get,
    .info_set = info_set,
    .log = log_line,
};

static enum svmc_status token(void *ctx, uint32_t vcpu, const struct svmc_hcall_call *call,
                              struct svmc_hcall_accepted *out)
{
    return tokens_judge(((struct natives *)ctx)->tokens, vcpu, call, out);
}

static const struct svmc_hcall_ops native_ops = {
    .size = sizeof native_ops,
    .translate = translate,
    .guest_span = guest_span,
};

static const struct svmc_hcall_ops token_ops = {
    .size = sizeof token_ops,
    .translate = translate,
    .guest_span = guest_span,
    .token = token,
};

static const uint8_t commands[] = { SVMC_VMWARE_GETMHZ,     SVMC_VMWARE_GETVERSION,
                                    SVMC_VMWARE_GETMEMSIZE, SVMC_VMWARE_GETTIME,
                                    SVMC_VMWARE_MESSAGE,    SVMC_VMWARE_GETHZ,
                                    SVMC_VMWARE_GETTIMEFULL };

static enum svmc_status vmware_open(struct calls *c)
{
    struct svmc_vmware_config *w = &c->vmware_config;

    *w = (struct svmc_vmware_config){ .size = sizeof *w,
                                      .flags = SVMC_VMWARE_HIGH_BANDWIDTH | SVMC_VMWARE_COOKIES,
                                      .product = 4,
                                      .memory_size = c->config.memory_mib,
                                      .tsc_khz = c->config.tsc_khz,
                                      .channel_count = CALLS_CHANNELS,
                                      .message_bytes = CALLS_MESSAGE_BYTES,
                                      .key_bytes = STORE_KEY_BYTES,
                                      .value_bytes = STORE_VALUE_BYTES,
                                      .arena_bytes = CALLS_ARENA_BYTES,
                                      .channels = c->channels,
                                      .arena = c->arena,
                                      .idle_ticks = IDLE_NS };
    for (unsigned i = 0; i < sizeof commands; i++)
        w->commands[commands[i] / 32] |= 1u << commands[i] % 32;
    return svmc_vmware_init(&c->vmware, w, &vmware_ops, c);
}

enum svmc_status calls_open(struct calls *c, const struct calls_config *config)
{
    const uint32_t ways = 1u << SVMC_TRAP_WAY_PORT; /* no other reaches user space from stock KVM */
    enum svmc_status st;

    c->config = *config;
    c->trap = (struct svmc_trap_config){ .kernel = ways,
                                         .user = ways,
                                         .port = config->port,
                                         .abis = 1u << SVMC_TRAP_VMWARE | 1u << SVMC_TRAP_NATIVE };
    c->natives.store = &c->store;
    c->natives.say = said;
    st = vmware_open(c);
    c->owners[0] = natives_owner;
    c->owners[1] = tokens_owner;
    c->natives.tokens = &c->tokens;
    if (st == SVMC_OK)
        st = svmc_hcall_init(&c->table, c->owners, c->tokens.on ? 2 : 1, c->table_room,
                             sizeof c->table_room, NULL);
    c->vm = (struct svmc_hcall_vm){ .table = &c->table,
                                    .ops = c->tokens.on ? &token_ops : &native_ops,
                                    .ctx = &c->natives };
    return st;
}

enum svmc_status calls_vcpu_open(struct calls *c, struct vcpu *v)
{
    const struct svmc_hcall_place place = { .isa = SVMC_ISA_X86_64 };
    const struct svmc_hcall_room room = { .scratch = v->calling.scratch,
                                          .scratch_bytes = sizeof v->calling.scratch };
    enum svmc_status st = c->tokens.on ? tokens_open(&c->tokens, v) : SVMC_OK;

    return st == SVMC_OK ? svmc_hcall_vcpu_init(&v->calling.native, &c->vm, v->id, &place, &room)
                         : st;
}

bool calls_cpuid(const struct calls *c, struct kvm_cpuid2 *cpuid, uint32_t room)
{
    struct svmc_discover_face faces[2] = {
        { .kind = SVMC_DISCOVER_CPUID, .first = 0x40000000, .last = 0x40000000, .uid = "VMware" },
    };
    const uint32_t leaves[] = { 0x40000000, 0x40000010, 0x40000100, 0x40000101 };
    uint32_t kept = 0, bad[2], words[4];

    if (svmc_discover_native(&c->trap, SVMC_DISCOVER_CPUID, leaves[2], words, &faces[1]) != SVMC_OK)
        return false;
    for (uint32_t i = 0; i < cpuid->nent; i++) {
        struct kvm_cpuid_entry2 *e = &cpuid->entries[i];
        uint32_t regs[4] = { e->eax, e->ebx, e->ecx, e->edx };

        if (e->function >> 16 == 0x4000) /* KVM's own face */
            continue;
        if (e->function == 1 && svmc_vmware_cpuid(&c->vmware_config, 1, regs) == SVMC_OK)
            e->ecx = regs[2];
        cpuid->entries[kept++] = *e;
    }
    cpuid->nent = kept;
    if (room - kept < sizeof leaves / sizeof leaves[0] ||
        svmc_discover_check(faces, sizeof faces / sizeof faces[0], bad) != SVMC_OK)
        return false;
    for (unsigned i = 0; i < sizeof leaves / sizeof leaves[0]; i++) {
        uint32_t regs[4] = { 0 };

        if (svmc_vmware_cpuid(&c->vmware_config, leaves[i], regs) != SVMC_OK &&
            !svmc_discover_cpuid(&faces[1], 1, leaves[i], regs))
            return false;
        cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
            .function = leaves[i], .eax = regs[0], .ebx = regs[1], .ecx = regs[2], .edx = regs[3]
        };
    }
    return true;
}

/* --- an exit --- */

static bool is_here(const struct calls *c, const struct svmc_exit *e)
{
    return (e->kind == SVMC_KIND_IN || e->kind == SVMC_KIND_OUT || e->kind == SVMC_KIND_INS ||
            e->kind == SVMC_KIND_OUTS) &&
           (e->address == SVMC_VMWARE_PORT || e->address == SVMC_VMWARE_HIGH_PORT ||
            e->address == c->config.port);
}

/* Who called, and in which mode: KVM_EXIT_IO does not say. */
static bool take_mode(struct vcpu *v)
{
    struct calls_vcpu *c = &v->calling;
    const struct kvm_sregs *s = &c->sregs;
    struct kvm_regs *regs;
    struct calls_mode mode = { 0 };

    if (v->kvm) {
        regs = vm_vcpu_regs(v->kvm);
        if (!regs || ioctl(v->kvm->fd, KVM_GET_SREGS, &c->sregs) != 0)
            return false;
        mode.isa = s->cs.l ? SVMC_ISA_X86_64 : s->cs.db ? SVMC_ISA_X86_32 : SVMC_ISA_X86_16;
        mode.cpl = s->ss.dpl;
        mode.iopl = (regs->rflags >> 12 & 3) == 3;
        mode.backward = (regs->rflags & RFLAGS_DF) != 0;
    }
    if (!watch_call(v, WATCH_MODE, 0, &mode, sizeof mode))
        return false;
    c->mode = mode;
    return true;
}

static bool match(struct vcpu *v, const struct svmc_exit *e, struct svmc_trap *trap)
{
    const struct calls_mode *mode = &v->calling.mode;
    bool in = e->kind == SVMC_KIND_IN || e->kind == SVMC_KIND_INS;
    bool many = e->kind == SVMC_KIND_INS || e->kind == SVMC_KIND_OUTS;
    /* KVM tells a string of one byte no other than a plain access; this port has strings alone */
    bool string = many || (e->address == SVMC_VMWARE_HIGH_PORT && e->size == 1);
    const struct svmc_trap_x86 raw = {
        .way = SVMC_TRAP_WAY_PORT,
        .isa = mode->isa,
        .cpl = mode->cpl,
        .port = (uint16_t)e->address,
        .address_bytes = mode->isa == SVMC_ISA_X86_64 ? 8 : 4,
        .segment = in ? SVMC_SEG_ES : SVMC_SEG_DS,
        .io = { .bytes = (uint8_t)e->size,
                .in = in,
                .string = string,
                .repeat = string,
                .backward = string && mode->backward },
    };

    return svmc_trap_from_x86(&v->calls->trap, &raw, NULL, 0, &trap_ops, v, trap) == SVMC_OK;
}

/*
 * EAX of an IN goes to two places: where KVM looks for it when it completes the access, and into
 * RAX: where KVM's emulator is at work it drops its own result once the registers were set.
 */
static bool vmware(struct vcpu *v, const struct svmc_trap *trap, const struct svmc_exit *e)
{
    uint8_t *data = v->run + load_le(v->run + 40, 8); /* svmc_exit_from_kvm has checked it */
    struct svmc_vmware_call call;
    struct svmc_vmware_result result;
    struct svmc_fault fault;
    enum svmc_answer next;
    enum svmc_status st;
    uint32_t bytes = e->size * e->count; /* at most SVMC_EXIT_DATA_MAX */
    bool in = trap->io.in && !trap->high;

    if (svmc_answer_vmware_call(trap, v->id, &call) != SVMC_OK)
        return false;
    call.iopl = trap->user && v->calling.mode.iopl;
    if (trap->high) {
        call.data = memcpy(v->calling.data, data, bytes);
        call.data_bytes = bytes;
    }
    while ((st = svmc_vmware_handle(&v->calls->vmware, &call, &result)) == SVMC_OK &&
           result.end == SVMC_VMWARE_BUSY)
        sched_yield(); /* another vCPU is in, for as long as one call takes */
    watch_vmware(v, trap, &call, &result);
    next = svmc_answer_vmware(trap, &trap_ops, v, st, &call, &result, &fault);
    if (next != SVMC_ANSWER_RESUME)
        return false; /* with `data` nothing faults */
    watch_run(v);
    if (in)
        store_le(data, call.arg[0], 4);
    else if (trap->high && !trap->write)
        memcpy(data, call.data, bytes);
    watch_complete(v, SVMC_OK);
    return true;
}

static bool native(struct vcpu *v, const struct svmc_trap *trap)
{
    struct svmc_hcall_call call;
    struct svmc_hcall_result result;
    struct svmc_fault fault;
    enum svmc_status st = svmc_answer_native_call(trap, &trap_ops, v, &call);
    struct calls_vcpu *c = &v->calling;

    if (st == SVMC_OK && v->calls->tokens.on && !tokens_enter(&v->calls->tokens, v))
        return false;
    c->spans = 0;
    if (st == SVMC_OK)
        st = svmc_hcall_dispatch(&c->native, &call, &result);
    if (st != SVMC_OK)
        return false;
    watch_native(v, trap, &call, &result);
    return svmc_answer_native(trap, &trap_ops, v, st, &call, &result, &fault) ==
               SVMC_ANSWER_RESUME &&
           watch_spans(v); /* an OUT has nothing to complete */
}

enum calls_end calls_serve(struct vcpu *v, const struct svmc_exit *e)
{
    struct svmc_trap trap;
    bool good;

    if (v->calls->tokens.on && tokens_trapped(v, e))
        return watch_good(v) ? CALLS_DONE : CALLS_FAILED;
    if (!is_here(v->calls, e))
        return CALLS_NOT_OURS;
    caller = v;
    good = take_mode(v) && match(v, e, &trap);
    watch_trap(v, good ? &trap : NULL);
    if (good && trap.verdict == SVMC_TRAP_CALL)
        good = trap.abi == SVMC_TRAP_VMWARE ? vmware(v, &trap, e) : native(v, &trap);
    caller = NULL;
    if (!good || !watch_good(v))
        return CALLS_FAILED;
    return trap.verdict == SVMC_TRAP_CALL ? CALLS_DONE : CALLS_NOT_OURS;
}
