/* SPDX-License-Identifier: MIT */
/** A vCPU's run from start to end, and the threads that run them. */
#include "session.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "../guests/bootinfo.h"
#include "bytes.h"
#include "clock.h"

/* How this vCPU's run ends. The first that is not good is the end of all, and stays. */
__attribute__((format(printf, 4, 5))) static void end(struct cpu *c, int status,
                                                      const char *verdict, const char *format, ...)
{
    struct session *s = c->session;
    struct report *r = &s->report;
    int n = 0;
    va_list args;

    pthread_mutex_lock(&r->lock);
    if (!atomic_load(&s->over)) {
        r->status = status;
        r->verdict = verdict;
        if (s->cpus > 1 && status != EXIT_GOOD)
            n = snprintf(r->why, sizeof r->why, "vCPU %u: ", c->vcpu.id);
        va_start(args, format);
        vsnprintf(r->why + n, sizeof r->why - (size_t)n, format, args);
        va_end(args);
        atomic_store(&s->over, status != EXIT_GOOD);
    }
    pthread_mutex_unlock(&r->lock);
}

/* An input that a feed looks for and everybody else has next. */
static bool input(struct tape *t, enum tape_type type, void *payload, size_t cap, size_t *n)
{
    return t->mode == TAPE_FEED ? tape_seek(t, type, payload, cap, n)
                                : tape_in(t, type, payload, cap, n);
}

static size_t put_text(uint8_t *to, const char *text, size_t most)
{
    size_t n = strlen(text);

    n = n < most ? n : most;
    to[0] = (uint8_t)n;
    memcpy(to + 1, text, n);
    return 1 + n;
}

/* u8 length and bytes; what a terminal must not see becomes '?'. */
static size_t get_text(const uint8_t *from, size_t n, char *text, size_t cap)
{
    size_t length = n > 0 ? from[0] : 0, at;

    text[0] = 0;
    if (n < 1 || length > n - 1)
        return n;
    for (at = 0; at < length && at + 1 < cap; at++)
        text[at] = from[1 + at] >= 0x20 && from[1 + at] < 0x7f ? (char)from[1 + at] : '?';
    text[at] = 0;
    return 1 + length;
}

bool session_header(const struct tape *t, char *guest, size_t guest_cap, char *backend,
                    size_t backend_cap)
{
    struct tape ahead = *t;
    uint8_t record[512];
    size_t n, at;

    if (tape_peek(&ahead) != TAPE_HEADER ||
        !tape_seek(&ahead, TAPE_HEADER, record, sizeof record, &n))
        return false;
    at = get_text(record, n, guest, guest_cap);
    get_text(record + at, n - at, backend, backend_cap);
    return true;
}

#define STORE_HEAD 10u
#define STORE_MOST (STORE_HEAD + STORE_ENTRIES * (4 + STORE_KEY_BYTES + STORE_VALUE_BYTES))

static size_t pack_store(const struct session *s, uint8_t *to)
{
    const struct calls_config *config = &s->calls_config;
    size_t n = STORE_HEAD;

    store_le(to, config->port, 2);
    store_le(to + 2, config->tsc_khz, 4);
    store_le(to + 6, config->memory_mib, 4);
    for (uint32_t i = 0; i < s->calls.store.count; i++) {
        const struct store_entry *e = &s->calls.store.entry[i];

        store_le(to + n, e->key_bytes, 2);
        store_le(to + n + 2, e->value_bytes, 2);
        memcpy(to + n + 4, e->key, e->key_bytes);
        memcpy(to + n + 4 + e->key_bytes, e->value, e->value_bytes);
        n += 4u + e->key_bytes + e->value_bytes;
    }
    return n;
}

/* TR-6 */
static bool unpack_store(struct session *s, const uint8_t *from, size_t n)
{
    size_t at = STORE_HEAD, key, value;

    if (n < STORE_HEAD)
        return false;
    s->calls_config = (struct calls_config){ .port = (uint16_t)load_le(from, 2),
                                             .tsc_khz = (uint32_t)load_le(from + 2, 4),
                                             .memory_mib = (uint32_t)load_le(from + 6, 4) };
    s->calls.store.count = 0;
    while (n - at >= 4) {
        key = (size_t)load_le(from + at, 2);
        value = (size_t)load_le(from + at + 2, 2);
        at += 4;
        if (key + value > n - at || store_set(&s->calls.store, from + at, (uint32_t)key,
                                              from + at + key, (uint32_t)value, false) != SVMC_OK)
            return false;
        at += key + value;
    }
    return at == n && s->calls_config.port > SVMC_VMWARE_HIGH_PORT;
}

/* The store as it is at the start: what a replay cannot know. */
static bool open_store(struct cpu *cpu)
{
    static _Thread_local uint8_t record[STORE_MOST];
    struct session *s = cpu->session;
    size_t n = pack_store(s, record);

    if (!tape_in(&cpu->tape, TAPE_STORE, record, sizeof record, &n))
        return false;
    if (!cpu->vcpu.kvm && !unpack_store(s, record, n))
        return tape_differs(&cpu->tape, TAPE_STORE, 0);
    s->config.port = s->calls_config.port;
    return true;
}

/* HEADER and CONFIG: from the tape, where there is one to read. */
static bool open_tape(struct cpu *cpu)
{
    uint8_t record[512], config[32];
    uint32_t id;
    size_t n = 0, config_bytes = sizeof config;
    struct session *s = cpu->session;
    struct embed_config *c = &s->config;

    n += put_text(record + n, s->report.guest, 100);
    n += put_text(record + n, s->report.backend, 250);
    store_le(config, c->refusal_limit, 4);
    store_le(config + 4, c->retry_limit, 4);
    store_le(config + 8,
             c->msr_exits | c->no_results << 1 | c->calls << 2 | c->tokens << 3 | c->dma << 4, 4);
    store_le(config + 12, c->state_bytes_registers, 8);
    store_le(config + 20, c->state_bytes_memory, 8);
    store_le(config + 28, cpu->vcpu.id, 4);
    if (!input(&cpu->tape, TAPE_HEADER, record, sizeof record, &n) ||
        !input(&cpu->tape, TAPE_CONFIG, config, sizeof config, &config_bytes))
        return false;
    if (config_bytes != sizeof config)
        return tape_differs(&cpu->tape, TAPE_CONFIG, 0);
    *c = (struct embed_config){ .refusal_limit = (uint32_t)load_le(config, 4),
                                .retry_limit = (uint32_t)load_le(config + 4, 4),
                                .msr_exits = (uint32_t)load_le(config + 8, 4) & 1,
                                .no_results = (uint32_t)load_le(config + 8, 4) >> 1 & 1,
                                .calls = (uint32_t)load_le(config + 8, 4) >> 2 & 1,
                                .tokens = (uint32_t)load_le(config + 8, 4) >> 3 & 1,
                                .dma = (uint32_t)load_le(config + 8, 4) >> 4 & 1,
                                .state_bytes_registers = load_le(config + 12, 8),
                                .state_bytes_memory = load_le(config + 20, 8) };
    id = (uint32_t)load_le(config + 28, 4);
    if (id >= WIRE_VCPUS_MAX || (cpu->tape.mode == TAPE_FEED && id != 0)) /* TR-6 */
        return tape_differs(&cpu->tape, TAPE_CONFIG, 28);
    cpu->vcpu.id = id;
    if (cpu->tape.mode == TAPE_FEED) /* what calls got is not in a feed */
        c->calls = c->dma = 0;
    if (c->calls && c->dma)
        return tape_differs(&cpu->tape, TAPE_CONFIG, 8);
    if (c->calls && !open_store(cpu))
        return false;
    s->report.state_bytes_registers = c->state_bytes_registers;
    s->report.state_bytes_memory = c->state_bytes_memory;
    return true;
}

static void end_tape(struct cpu *c)
{
    const struct report *r = &c->session->report;
    char text[160];

    if (c->watch.broken) {
        end(c, r->scan.failed ? EXIT_BAD : EXIT_USAGE, "ERROR", "%s",
            r->scan.failed ? "the host's memory cannot be read: nothing is proved"
                           : "a file cannot be written");
        return;
    }
    if (!tape_bad(&c->tape)) {
        end(c, EXIT_BAD, "ERROR", "the trace ends before the guest does");
        return;
    }
    tape_explain(&c->tape, c->tape.error, text, sizeof text);
    end(c, c->tape.error == TAPE_ERR_DIFFERENT ? EXIT_BAD : EXIT_USAGE,
        c->tape.error == TAPE_ERR_DIFFERENT ? "DIFFERENT" : "ERROR", "the trace: %s", text);
}

/* The VM's part is one for all. */
static enum svmc_status start_calls(struct cpu *c)
{
    struct session *s = c->session;
    enum svmc_status st = SVMC_OK;

    s->calls.tokens.on = s->config.tokens;
    if (c == s->cpu && !c->vcpu.kvm) /* else it is open */
        st = calls_open(&s->calls, &s->calls_config);
    s->report.store = &s->calls.store;
    c->vcpu.calls = &s->calls;
    return st == SVMC_OK ? calls_vcpu_open(&s->calls, &c->vcpu) : st;
}

/* A vCPU that was saved: the devices are there, and its exit, if one waits, is asked again. */
static enum svmc_status take_up(struct cpu *c)
{
    const struct save *saved = c->session->restored;
    uint32_t where = saved->own->cpu[c->vcpu.id].where;
    struct svmc_outcome out;
    enum svmc_status st = c != c->session->cpu || save_devices(saved, &c->vcpu)
                              ? save_resume(saved, &c->vcpu, &out)
                              : SVMC_ERR_CALLBACK;

    c->waits = where == SAVE_WAITS;
    c->halted = where == SAVE_ENDED;
    return st == SVMC_OK && (out.action == SVMC_ACT_DELEGATED) != c->waits ? SVMC_ERR_FORMAT : st;
}

/* The policy is one for all; what it is made of may come from the first tape. */
static bool start(struct cpu *c)
{
    struct session *s = c->session;
    struct vcpu *v = &c->vcpu;
    enum svmc_status st = SVMC_OK;

    v->tape = &c->tape;
    v->watch = &c->watch;
    c->watch.report = &s->report;
    if (!open_tape(c)) {
        end_tape(c);
        return false;
    }
    if (c == s->cpu)
        st = embed_policy(&s->policy, &s->config);
    if (st == SVMC_OK && s->config.calls)
        st = start_calls(c);
    if (st == SVMC_OK && s->config.dma) {
        v->dma = &s->dma;
        st = dma_open(&s->dma, v);
    }
    if (st == SVMC_OK)
        st = svmc_vcpu_init(&v->core, &embed_ops, v, &s->policy, v->page, v->id);
    if (st == SVMC_OK && !account_open(&c->account, &v->core))
        st = SVMC_ERR_STATE;
    if (st == SVMC_OK && s->restored)
        st = take_up(c);
    if (st == SVMC_OK)
        return true;
    if (tape_bad(&c->tape))
        end_tape(c);
    else
        end(c, EXIT_BACKEND, "ERROR", "the library refuses to start: %s%s", svmc_status_name(st),
            st == SVMC_ERR_UNSUPPORTED ? ": this build lacks OpenSSL or libsodium for it" : "");
    return false;
}

/*
 * Console bytes go on the first vCPU's tape before its next exit; from there they come back the
 * same way.
 */
static void sync_console(struct cpu *c)
{
    uint8_t bytes[0x8000];
    struct session *s = c->session;
    struct link *l = c->vcpu.host;
    size_t n;

    while (c == s->cpu && c->tape.mode == TAPE_RECORD && l &&
           (n = link_console(l, s->console_taped, bytes, sizeof bytes)) > 0) {
        if (!tape_in(&c->tape, TAPE_CONSOLE, bytes, sizeof bytes, &n))
            return;
        s->console_taped += n;
    }
    while (c->tape.mode == TAPE_REPLAY && tape_peek(&c->tape) == TAPE_CONSOLE &&
           tape_in(&c->tape, TAPE_CONSOLE, bytes, sizeof bytes, &n))
        report_console(&s->report, bytes, n);
}

static void end_host(struct cpu *c, enum served served)
{
    char how[80];

    if (served == SERVED_SILENT) {
        end(c, EXIT_HOST, "ERROR", "the host does not answer (%u ms)", c->vcpu.host_timeout_ms);
        return;
    }
    link_death(c->vcpu.host, how, sizeof how);
    end(c, EXIT_HOST, "ERROR", "the host died: %s", how);
}

/*
 * Run KVM until the next exit; false: the end is set, or the VM is saved and this vCPU stands
 * between two instructions. A guest hangs when no vCPU of it exits.
 */
static bool run_guest(struct cpu *c)
{
    struct session *s = c->session;
    enum vm_turn turn;
    char why[160];

    atomic_store(&s->last_exit_ms, now_ms());
    while ((turn = vm_vcpu_run(c->vcpu.kvm, why, sizeof why)) == VM_TICK) {
        if (atomic_load(&s->over))
            return false;
        if (atomic_load(&c->vcpu.save_now) && !c->waits) {
            c->stopped = SAVE_RUNS;
            end(c, EXIT_GOOD, "SAVED", "%s", "");
            return false;
        }
        if (c->vcpu.host && !link_poll(c->vcpu.host)) {
            end_host(c, SERVED_HOST);
            return false;
        }
        if (now_ms() > atomic_load(&s->last_exit_ms) + s->timeout_ms) {
            end(c, EXIT_BACKEND, "ERROR", "the guest hangs: no exit for %u ms", s->timeout_ms);
            return false;
        }
    }
    if (turn == VM_EXIT)
        return true;
    end(c, EXIT_BACKEND, "ERROR", "%s", why);
    return false;
}

/* RAX at HLT: read from the guest's registers, never from the host. true: it rests, and goes on. */
static bool take_verdict(struct cpu *c)
{
    struct kvm_regs *regs = c->vcpu.kvm ? vm_vcpu_regs(c->vcpu.kvm) : NULL;
    uint8_t bytes[8];
    size_t n = sizeof bytes;
    bool good = true;

    store_le(bytes, regs ? regs->rax : 0, 8);
    if (!input(&c->tape, TAPE_VERDICT, bytes, sizeof bytes, &n) || n != sizeof bytes)
        return false;
    c->verdict = load_le(bytes, 8);
    if (c->verdict == VERDICT_IDLE)
        return true;
    if (c->session->config.tokens && c->verdict == VERDICT_PASS) {
        good = tokens_end(&c->vcpu);
        if (!watch_good(&c->vcpu)) /* what it said is on the tape */
            return false;
    }
    if (c->vcpu.dma && c->verdict == VERDICT_PASS) {
        good = dma_end(&c->vcpu);
        if (!watch_good(&c->vcpu))
            return false;
    }
    c->halted = true;
    if (!good)
        end(c, EXIT_BAD, "FAIL", "%s: what the last lines about them say",
            c->vcpu.dma ? "DMA" : "tokens");
    else if (c->verdict == VERDICT_PASS)
        end(c, EXIT_GOOD, "PASS", "%s", "");
    else if (c->verdict >= VERDICT_FAULT && c->verdict < VERDICT_FAULT + 32)
        end(c, EXIT_BAD, "FAIL", "exception %u in the guest", (unsigned)(c->verdict & 31));
    else if (c->verdict < 0x1000 && strcmp(c->session->report.guest, "hello.bin") == 0)
        end(c, EXIT_BAD, "FAIL", "check %llu of the guest", (unsigned long long)c->verdict);
    else
        end(c, EXIT_BAD, "FAIL", "the guest halted with RAX 0x%llx, not PASS",
            (unsigned long long)c->verdict);
    return false;
}

static void end_stop(struct cpu *c, const struct svmc_outcome *out)
{
    switch (out->stop) {
    case SVMC_STOP_POLICY:
        end(c, EXIT_BAD, "STOPPED", "by the policy: %s", svmc_kind_name(c->watch.row.kind));
        break;
    case SVMC_STOP_REFUSALS:
        end(c, EXIT_BAD, "STOPPED", "the host gave %u wrong replies in a row",
            c->session->config.refusal_limit);
        break;
    case SVMC_STOP_RETRIES:
        end(c, EXIT_BAD, "STOPPED", "the host asked to retry more than %u times",
            c->session->config.retry_limit);
        break;
    default:
        end(c, EXIT_BACKEND, "ERROR", "the library could not go on");
        break;
    }
}

/* The run ends here, for the VM to be saved: each vCPU stops where it can. */
static void end_save(struct cpu *c)
{
    struct session *s = c->session;

    c->stopped = SAVE_WAITS;
    for (uint32_t i = 0; i < s->cpus; i++)
        atomic_store(&s->cpu[i].vcpu.save_now, true);
    end(c, EXIT_GOOD, "SAVED", "%s", "");
}

bool session_saved(struct session *s, struct save_own *own, struct save_from *from)
{
    bool saved = false;

    memset(own, 0, sizeof *own);
    own->cpus = s->cpus;
    own->msr_exits = s->config.msr_exits;
    memcpy(own->secret, s->scan.secret, sizeof own->secret);
    snprintf(own->guest, sizeof own->guest, "%s", s->report.guest);
    for (uint32_t i = 0; i < s->cpus; i++) {
        struct cpu *c = &s->cpu[i];
        const struct svmc_exit *exit = &c->vcpu.waiting;

        own->cpu[i].where = c->halted ? (uint32_t)SAVE_ENDED : c->stopped;
        saved |= c->stopped != 0;
        if (c->stopped == SAVE_WAITS)
            own->cpu[i] = (struct save_cpu){ .where = SAVE_WAITS,
                                             .kind = exit->kind,
                                             .size = exit->size,
                                             .count = exit->count,
                                             .address = exit->address,
                                             .value = exit->value };
        from->cpu[i] = &c->vcpu;
    }
    from->own = own;
    return saved && s->report.status == EXIT_GOOD;
}

static bool finish(struct cpu *c, enum served served, const struct svmc_outcome *out);

/*
 * The exit that a restored vCPU waits with. KV-13: either KVM exits so once more, and must do it
 * the same way, or it is behind the guest already, and the answer goes to a copy of its exit.
 */
static bool go_on(struct cpu *c)
{
    struct vcpu *v = &c->vcpu;
    const struct save_cpu *own = &c->session->restored->own->cpu[v->id];
    struct svmc_outcome out = { .action = SVMC_ACT_DELEGATED };
    uint8_t *run = v->run;
    size_t run_bytes = v->run_bytes;
    struct svmc_exit exit;
    enum svmc_status st;
    enum served served;

    if (own->again && !run_guest(c))
        return false;
    c->waits = false;
    if (!own->again) {
        memcpy(v->copy, own->run, sizeof v->copy);
        v->run = v->copy;
        v->run_bytes = sizeof v->copy;
    }
    st = svmc_exit_from_kvm(v->run, v->run_bytes, &exit);
    if (st != SVMC_OK || exit.kind != own->kind || exit.size != own->size ||
        exit.count != own->count || exit.address != own->address || exit.value != own->value) {
        end(c, EXIT_BAD, "ERROR",
            "the restored guest exits in another way: 0x%x 0x%llx %u %u, not 0x%x 0x%llx %u %u",
            exit.kind, (unsigned long long)exit.address, exit.size, exit.count, own->kind,
            (unsigned long long)own->address, own->size, own->count);
        return false;
    }
    if (!watch_take_exit(v))
        return false;
    watch_exit(v, st, &exit);
    served = embed_finish(v, &exit, &out);
    v->run = run;
    v->run_bytes = run_bytes;
    return finish(c, served, &out);
}

/* One exit. false: it was the last. */
static bool turn(struct cpu *c)
{
    struct svmc_outcome out = { 0 };
    enum served served;

    if (c->waits)
        return go_on(c);
    if (atomic_load(&c->session->over) || (c->vcpu.kvm && !run_guest(c)))
        return false;
    sync_console(c);
    if (!watch_take_exit(&c->vcpu)) {
        end_tape(c);
        return false;
    }
    served = embed_serve(&c->vcpu, &out);
    return served == SERVED_CALL || finish(c, served, &out);
}

/* What became of an exit. false: it was the last. */
static bool finish(struct cpu *c, enum served served, const struct svmc_outcome *out)
{
    report_exit(&c->session->report, c->vcpu.id, &c->watch.row);
    switch (served) {
    case SERVED:
    case SERVED_CALL:
        return true;
    case SERVED_HALT:
        sync_console(c);
        if (take_verdict(c))
            return true;
        if (!c->halted)
            end_tape(c);
        return false;
    case SERVED_STOP:
        end_stop(c, out);
        return false;
    case SERVED_SAVE:
        end_save(c);
        return false;
    case SERVED_DISK:
        end(c, EXIT_BAD, "STOPPED", "%s", c->vcpu.disk->why);
        return false;
    case SERVED_FAULT:
        end(c, EXIT_BAD, "STOPPED", "the policy refuses this access: %s 0x%llx",
            svmc_kind_name(c->watch.row.kind), (unsigned long long)c->watch.row.address);
        return false;
    case SERVED_HOST:
    case SERVED_SILENT:
        end_host(c, served);
        return false;
    case SERVED_FORM:
        end(c, EXIT_BACKEND, "ERROR", "the host's form cannot say this request: %s",
            svmc_kind_name(c->watch.row.kind));
        return false;
    case SERVED_OVER:
        return false;
    case SERVED_TAPE:
        end_tape(c);
        return false;
    case SERVED_BACKEND:
        break;
    }
    end(c, EXIT_BACKEND, "ERROR", "KVM exit reason %u, or its fields, have no place here",
        c->vcpu.run[8]); /* exit_reason; a trace has it at the same place */
    return false;
}

static void *run_cpu(void *arg)
{
    struct cpu *c = arg;

    while (!c->halted && turn(c))
        ;
    return NULL;
}

/* A thread for each vCPU but the first. What a thread cannot be had for ends the run. */
static void run_all(struct session *s)
{
    uint32_t threads = 1;

    while (threads < s->cpus &&
           pthread_create(&s->cpu[threads].thread, NULL, run_cpu, &s->cpu[threads]) == 0)
        threads++;
    if (threads < s->cpus)
        end(&s->cpu[threads], EXIT_BACKEND, "ERROR", "no thread for it");
    run_cpu(&s->cpu[0]);
    while (threads > 1)
        pthread_join(s->cpu[--threads].thread, NULL);
}

static void add_stats(struct svmc_stats *sum, const struct svmc_vcpu *core)
{
    struct svmc_stats one;

    if (svmc_vcpu_stats(core, &one) != SVMC_OK)
        return;
    sum->requests += one.requests;
    sum->bytes_shown += one.bytes_shown;
    sum->bytes_accepted += one.bytes_accepted;
    sum->retries += one.retries;
    sum->refused += one.refused;
    for (unsigned i = 0; i <= SVMC_REPLY_RULES; i++)
        sum->refused_by_rule[i] += one.refused_by_rule[i];
}

void session_run(struct session *s)
{
    uint64_t begin = now_ms();
    uint32_t started = 0;

    s->report.replay = s->cpu[0].tape.mode == TAPE_REPLAY;
    s->report.status = EXIT_BACKEND;
    s->report.verdict = "ERROR";
    atomic_store(&s->over, false);
    for (uint32_t i = 0; i < s->cpus; i++)
        s->cpu[i].session = s;
    while (started < s->cpus && start(&s->cpu[started]))
        started++;
    if (started == s->cpus)
        run_all(s);
    /* TR-8 */
    if (s->report.status == EXIT_GOOD && s->report.replay && tape_peek(&s->cpu[0].tape) != 0)
        end(&s->cpu[0], EXIT_BAD, "DIFFERENT", "the trace goes on behind the guest's end");
    s->report.records = s->cpu[0].tape.record;
    s->report.seconds = (double)(now_ms() - begin) / 1000;
    for (uint32_t i = 0; i < started; i++) {
        add_stats(&s->report.stats, &s->cpu[i].vcpu.core);
        account_add(&s->report.totals, &s->cpu[i].account);
    }
    if (s->report.totals.broken > 0 && s->report.status == EXIT_GOOD)
        end(&s->cpu[0], EXIT_BAD, "FAIL", "the chain of events does not hold");
}
