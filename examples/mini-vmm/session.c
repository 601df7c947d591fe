/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../guests/bootinfo.h"
#include "bytes.h"
#include "clock.h"

__attribute__((format(printf, 4, 5))) static void end(struct session *s, int status,
                                                      const char *verdict, const char *format, ...)
{
    va_list args;

    s->report.status = status;
    s->report.verdict = verdict;
    va_start(args, format);
    vsnprintf(s->report.why, sizeof s->report.why, format, args);
    va_end(args);
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

/* HEADER and CONFIG: from the tape, where there is one to read. */
static bool open_tape(struct session *s)
{
    uint8_t record[512], config[28];
    size_t n = 0, config_bytes = sizeof config;
    struct embed_config *c = &s->config;

    n += put_text(record + n, s->report.guest, 100);
    n += put_text(record + n, s->report.backend, 250);
    store_le(config, c->refusal_limit, 4);
    store_le(config + 4, c->retry_limit, 4);
    store_le(config + 8, c->msr_exits, 4);
    store_le(config + 12, c->state_bytes_registers, 8);
    store_le(config + 20, c->state_bytes_memory, 8);
    if (!input(&s->tape, TAPE_HEADER, record, sizeof record, &n) ||
        !input(&s->tape, TAPE_CONFIG, config, sizeof config, &config_bytes))
        return false;
    if (config_bytes != sizeof config)
        return tape_differs(&s->tape, TAPE_CONFIG, 0);
    *c = (struct embed_config){ .refusal_limit = (uint32_t)load_le(config, 4),
                                .retry_limit = (uint32_t)load_le(config + 4, 4),
                                .msr_exits = (uint32_t)load_le(config + 8, 4),
                                .state_bytes_registers = load_le(config + 12, 8),
                                .state_bytes_memory = load_le(config + 20, 8) };
    s->report.state_bytes_registers = c->state_bytes_registers;
    s->report.state_bytes_memory = c->state_bytes_memory;
    return true;
}

static bool start(struct session *s)
{
    struct vcpu *v = &s->vcpu;
    enum svmc_status st;

    if (!open_tape(s))
        return false;
    s->report.msr_exits = s->config.msr_exits != 0;
    st = embed_policy(&s->policy, &s->config);
    if (st == SVMC_OK)
        st = svmc_vcpu_init(&v->core, &embed_ops, v, &s->policy, v->page, v->id);
    if (st == SVMC_OK)
        return true;
    end(s, EXIT_BACKEND, "ERROR", "the library refuses to start: %s", svmc_status_name(st));
    return false;
}

/* Console bytes go on the tape before the next exit; from there they come back the same way. */
static void sync_console(struct session *s)
{
    uint8_t bytes[0x8000];
    const struct link *l = s->vcpu.host;
    size_t n;

    if (s->tape.mode == TAPE_RECORD)
        while (l && s->console_taped < l->console_bytes) {
            n = l->console_bytes - s->console_taped;
            n = n < sizeof bytes ? n : sizeof bytes;
            memcpy(bytes, l->console + s->console_taped, n);
            if (!tape_in(&s->tape, TAPE_CONSOLE, bytes, sizeof bytes, &n))
                return;
            s->console_taped += n;
        }
    while (s->tape.mode == TAPE_REPLAY && tape_peek(&s->tape) == TAPE_CONSOLE &&
           tape_in(&s->tape, TAPE_CONSOLE, bytes, sizeof bytes, &n))
        report_console(&s->report, bytes, n);
}

static void end_host(struct session *s, enum served served)
{
    char how[80];

    if (served == SERVED_SILENT) {
        end(s, EXIT_HOST, "ERROR", "the host does not answer (%u ms)", s->vcpu.host_timeout_ms);
        return;
    }
    link_death(s->vcpu.host, how, sizeof how);
    end(s, EXIT_HOST, "ERROR", "the host died: %s", how);
}

/* Run KVM until the next exit; false: the end is set. */
static bool run_guest(struct session *s)
{
    uint64_t begin = now_ms();
    enum vm_turn turn;
    char why[160];

    while ((turn = vm_vcpu_run(s->vcpu.kvm, why, sizeof why)) == VM_TICK) {
        if (s->vcpu.host && !link_poll(s->vcpu.host)) {
            end_host(s, SERVED_HOST);
            return false;
        }
        if (now_ms() - begin > s->timeout_ms) {
            end(s, EXIT_BACKEND, "ERROR", "the guest hangs: no exit for %u ms", s->timeout_ms);
            return false;
        }
    }
    if (turn == VM_EXIT)
        return true;
    end(s, EXIT_BACKEND, "ERROR", "%s", why);
    return false;
}

/* RAX at HLT: read from the guest's registers, never from the host. true: it rests, and goes on. */
static bool take_verdict(struct session *s)
{
    struct kvm_regs *regs = s->vcpu.kvm ? vm_vcpu_regs(s->vcpu.kvm) : NULL;
    uint8_t bytes[8];
    size_t n = sizeof bytes;

    store_le(bytes, regs ? regs->rax : 0, 8);
    if (!input(&s->tape, TAPE_VERDICT, bytes, sizeof bytes, &n) || n != sizeof bytes)
        return false;
    s->verdict = load_le(bytes, 8);
    if (s->verdict == VERDICT_IDLE)
        return true;
    s->halted = true;
    if (s->verdict == VERDICT_PASS)
        end(s, EXIT_GOOD, "PASS", "%s", "");
    else if (s->verdict >= VERDICT_FAULT && s->verdict < VERDICT_FAULT + 32)
        end(s, EXIT_BAD, "FAIL", "exception %u in the guest", (unsigned)(s->verdict & 31));
    else if (s->verdict < 0x1000 && strcmp(s->report.guest, "hello.bin") == 0)
        end(s, EXIT_BAD, "FAIL", "check %llu of the guest", (unsigned long long)s->verdict);
    else
        end(s, EXIT_BAD, "FAIL", "the guest halted with RAX 0x%llx, not PASS",
            (unsigned long long)s->verdict);
    return false;
}

static void end_stop(struct session *s, const struct svmc_outcome *out)
{
    switch (out->stop) {
    case SVMC_STOP_POLICY:
        end(s, EXIT_BAD, "STOPPED", "by the policy: %s", svmc_kind_name(s->watch.row.kind));
        break;
    case SVMC_STOP_REFUSALS:
        end(s, EXIT_BAD, "STOPPED", "the host gave %u wrong replies in a row",
            s->config.refusal_limit);
        break;
    case SVMC_STOP_RETRIES:
        end(s, EXIT_BAD, "STOPPED", "the host asked to retry more than %u times",
            s->config.retry_limit);
        break;
    default:
        end(s, EXIT_BACKEND, "ERROR", "the library could not go on");
        break;
    }
}

static void end_tape(struct session *s)
{
    char text[160];

    if (s->watch.broken) {
        end(s, s->report.scan.failed ? EXIT_BAD : EXIT_USAGE, "ERROR", "%s",
            s->report.scan.failed ? "the host's memory cannot be read: nothing is proved"
                                  : "a file cannot be written");
        return;
    }
    if (!tape_bad(&s->tape)) {
        end(s, EXIT_BAD, "ERROR", "the trace ends before the guest does");
        return;
    }
    tape_explain(&s->tape, s->tape.error, text, sizeof text);
    end(s, s->tape.error == TAPE_ERR_DIFFERENT ? EXIT_BAD : EXIT_USAGE,
        s->tape.error == TAPE_ERR_DIFFERENT ? "DIFFERENT" : "ERROR", "the trace: %s", text);
}

/* One exit. false: it was the last. */
static bool turn(struct session *s)
{
    struct svmc_outcome out = { 0 };
    enum served served;

    if (s->vcpu.kvm && !run_guest(s))
        return false;
    sync_console(s);
    if (!watch_take_exit(&s->vcpu)) {
        end_tape(s);
        return false;
    }
    served = embed_serve(&s->vcpu, &out);
    report_exit(&s->report, &s->watch.row);
    switch (served) {
    case SERVED:
        return true;
    case SERVED_HALT:
        sync_console(s);
        if (take_verdict(s))
            return true;
        if (!s->halted)
            end_tape(s);
        return false;
    case SERVED_STOP:
        end_stop(s, &out);
        return false;
    case SERVED_FAULT:
        end(s, EXIT_BAD, "STOPPED", "the policy refuses this access: %s 0x%llx",
            svmc_kind_name(s->watch.row.kind), (unsigned long long)s->watch.row.address);
        return false;
    case SERVED_HOST:
    case SERVED_SILENT:
        end_host(s, served);
        return false;
    case SERVED_TAPE:
        end_tape(s);
        return false;
    case SERVED_BACKEND:
        break;
    }
    end(s, EXIT_BACKEND, "ERROR", "KVM exit reason %u, or its fields, have no place here",
        s->vcpu.run[8]); /* exit_reason; a trace has it at the same place */
    return false;
}

void session_run(struct session *s)
{
    uint64_t begin = now_ms();

    s->vcpu.tape = &s->tape;
    s->vcpu.watch = &s->watch;
    s->watch.report = &s->report;
    s->report.replay = s->tape.mode == TAPE_REPLAY;
    end(s, EXIT_BACKEND, "ERROR", "%s", "");
    if (!start(s)) {
        if (s->report.why[0] == 0)
            end_tape(s);
    } else {
        while (turn(s))
            ;
    }
    /* TR-8 */
    if (s->report.status == EXIT_GOOD && s->tape.mode == TAPE_REPLAY && tape_peek(&s->tape) != 0)
        end(s, EXIT_BAD, "DIFFERENT", "the trace goes on behind the guest's end");
    s->report.records = s->tape.record;
    s->report.seconds = (double)(now_ms() - begin) / 1000;
    if (svmc_vcpu_stats(&s->vcpu.core, &s->report.stats) != SVMC_OK)
        s->report.stats = (struct svmc_stats){ 0 };
}
