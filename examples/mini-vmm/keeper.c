/* SPDX-License-Identifier: MIT */
/**
 * mini-vmm, the keeper: the trusted process. It starts the host first, then opens /dev/kvm and
 * makes the guest; the library stands between the two. embed.c is the part to read.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../guests/bootinfo.h"
#include "back_end.h"
#include "boot.h"
#include "migrate.h"
#include "progress.h"
#include "protect.h"
#include "second.h"
#include "session.h"

#ifndef MINI_VMM_GUESTS
#define MINI_VMM_GUESTS "."
#endif
#ifndef MINI_VMM_TRACES
#define MINI_VMM_TRACES "traces"
#endif

static struct session session = { .report.lock = PTHREAD_MUTEX_INITIALIZER,
                                  .scan.lock = PTHREAD_MUTEX_INITIALIZER,
                                  .calls.store.lock = PTHREAD_MUTEX_INITIALIZER };
static struct link host = { .lock = PTHREAD_MUTEX_INITIALIZER };
static struct vm vm = { .kvm = -1, .fd = -1 };
static struct vm_vcpu processors[WIRE_VCPUS_MAX];
static struct second second[WIRE_VCPUS_MAX];
static struct protect protect;
static struct vault vault;
static struct save incoming = { .vault = &vault }, outgoing = { .vault = &vault };
static struct migrate migrate = { .fd = -1 };

_Static_assert(WIRE_VCPUS_MAX == BOOT_CPUS_MAX, "the guest knows as many processors");

static int complain(int status, const char *text)
{
    fprintf(stderr, "mini-vmm: %s\n", text);
    return status;
}

/* A file beside this program, or else where the build put it. */
static void locate(char *path, size_t cap, const char *beside, const char *built)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    self[n > 0 ? n : 0] = 0;
    snprintf(path, cap, "%s/%s", n > 0 ? dirname(self) : ".", beside);
    if (access(path, R_OK) != 0 && access(built, R_OK) == 0)
        snprintf(path, cap, "%s", built);
}

static bool start_host(const struct options *o, char *why, size_t cap)
{
    char program[PATH_MAX];
    FILE *file;

    locate(program, sizeof program, "mini-host", "mini-host");
    host.on_console = report_console;
    host.console_ctx = &session.report;
    if (!link_start(&host, o->vcpus, o->form, o->host ? o->host : program, o->lies, o->timeout_ms,
                    why, cap))
        return false;
    if (!link_confined(&host)) {
        snprintf(why, cap, "%.200s: is not confined (seccomp filter, no new privileges): refused",
                 o->host ? o->host : program);
        return false;
    }
    snprintf(session.report.host, sizeof session.report.host,
             "process %ld, confined by seccomp; it has %u %s%s, %u doorbells and the console",
             (long)host.pid, o->vcpus, o->form->name, o->vcpus > 1 ? "s" : "", 2 * o->vcpus);
    if (!o->pid_file)
        return true;
    file = fopen(o->pid_file, "w");
    if (file && fprintf(file, "%ld\n", (long)host.pid) > 0 && fclose(file) == 0)
        return true;
    snprintf(why, cap, "%s: %s", o->pid_file, strerror(errno));
    return false;
}

/* The store and the VM's part of the hypercalls, before a vCPU's CPUID tells of them. */
static bool start_calls(const struct options *o, const uint8_t *image, size_t image_bytes,
                        char *why, size_t cap)
{
    static const char *const usual[] = { "hello=world" };
    const char *const *info = o->info_count > 0 ? o->info : usual;
    uint32_t count = o->info_count > 0 ? o->info_count : 1;
    enum svmc_status st;

    if (!o->calls)
        return true;
    for (uint32_t i = 0; i < count; i++) {
        const char *value = strchr(info[i], '=') + 1;

        st = store_set(&session.calls.store, (const uint8_t *)info[i],
                       (uint32_t)(value - 1 - info[i]), (const uint8_t *)value,
                       (uint32_t)strlen(value), false);
        if (st != SVMC_OK) {
            snprintf(why, cap, "guestinfo %.60s: %s", info[i], svmc_status_name(st));
            return false;
        }
    }
    session.config.calls = 1;
    session.calls_config = (struct calls_config){ .port = o->port,
                                                  .tsc_khz = vm_khz(&vm),
                                                  .memory_mib = BOOT_RAM_BYTES >> 20 };
    vm.calls = &session.calls;
    session.config.tokens = session.calls.tokens.on = o->tokens;
    if (o->tokens && !tokens_expect(&session.calls.tokens, image, image_bytes, why, cap))
        return false;
    st = calls_open(&session.calls, &session.calls_config);
    if (st != SVMC_OK)
        snprintf(why, cap, "hypercalls: %s", svmc_status_name(st));
    return st == SVMC_OK;
}

/* /dev/kvm, the guest in its memory, its processors. */
static bool start_guest(const struct options *o, const uint8_t *image, size_t image_bytes,
                        char *why, size_t cap)
{
    uint64_t noise = o->noise, secret_state = ~o->noise * 3;
    uint64_t flags;

    if (!o->has_noise && getrandom(&noise, sizeof noise, 0) != (ssize_t)sizeof noise)
        return false;
    for (unsigned i = 0; !session.restored && i < sizeof session.scan.secret; i++)
        session.scan.secret[i] = (uint8_t)boot_noise(&secret_state);
    if (!session.restored && !o->has_noise &&
        getrandom(session.scan.secret, sizeof session.scan.secret, 0) !=
            (ssize_t)sizeof session.scan.secret)
        return false;
    if (!vm_open(&vm, BOOT_RAM_BYTES, DEV_MSR, DEV_MSRS, why, cap) ||
        !start_calls(o, image, image_bytes, why, cap))
        return false;
    for (uint32_t i = 0; i < o->vcpus; i++) {
        struct vcpu *v = &session.cpu[i].vcpu;

        if (!vm_vcpu_open(&processors[i], &vm, i, noise, why, cap))
            return false;
        if (!o->no_finish)
            (void)vm_vcpu_finish(&processors[i], &second[i], o->finish);
        v->kvm = &processors[i];
        v->run = (uint8_t *)processors[i].run;
        v->run_bytes = processors[i].run_bytes;
    }
    session.cpus = o->vcpus;
    session.config.no_results = !form_is_page(o->form);
    session.config.dma = o->dma;
    if (o->dma && !dma_back_end()) {
        snprintf(why, cap, "--dma: this build has neither OpenSSL nor libsodium");
        return false;
    }
    flags = (o->leak ? BOOT_LEAK : 0) | (o->dwell ? BOOT_DWELL : 0) |
            (vm.msr_exits ? BOOT_MSR : 0) | (session.config.no_results ? 0 : BOOT_RESULTS);
    if (!session.restored)
        boot_memory(vm.memory, noise, flags, o->vcpus, session.scan.secret, image, image_bytes);
    else if (!save_fill(&incoming, &vm, processors, why, cap))
        return false;
    session.config.msr_exits = vm.msr_exits;
    session.config.state_bytes_memory = vm.memory_bytes;
    session.config.state_bytes_registers =
        sizeof(struct kvm_regs) + sizeof(struct kvm_sregs) + vm.xsave_bytes;
    return true;
}

/* Which page the library works on: the host's, or with a tape a private one between the two. */
static void choose_page(struct cpu *c)
{
    struct vcpu *v = &c->vcpu;
    bool private_page = c->tape.mode == TAPE_RECORD || c->tape.mode == TAPE_REPLAY;

    v->shared = v->host ? host.vcpu[v->id].page : NULL;
    if (v->host && !form_is_page(host.form)) {
        v->foreign = form_foreign(host.form, v->shared);
        v->shared = (volatile uint8_t *)v->foreign_page;
    }
    v->page = private_page ? (volatile uint8_t *)v->private_page : v->shared;
    if (!v->kvm) {
        v->run = v->copy;
        v->run_bytes = sizeof v->copy;
    }
}

static void set_up(const struct options *o)
{
    session.config = (struct embed_config){ .refusal_limit = SESSION_REFUSAL_LIMIT,
                                            .retry_limit = SESSION_RETRY_LIMIT };
    session.timeout_ms = o->timeout_ms;
    session.cpus = 1;
    for (uint32_t i = 0; i < WIRE_VCPUS_MAX; i++) {
        struct cpu *c = &session.cpu[i];

        c->vcpu.id = i;
        c->vcpu.host_timeout_ms = o->timeout_ms;
        c->vcpu.seeded = o->has_seed;
        c->vcpu.random = o->seed + i * 0x100000001u;
        c->watch.guard = o->lies != NULL;
        c->watch.scan = o->scan ? &session.scan : NULL;
        processors[i].fd = -1;
    }
    session.report.json = o->json;
    session.report.all = o->all;
    session.report.quiet = o->quiet;
    progress_show(!o->quiet && !o->json);
    session.report.evil = o->lies != NULL;
    session.scan.report = &session.report.scan;
    host.stray_ms = o->wanted[LIE_ANSWER_A_NOTICE] ? o->timeout_ms : 0;
    host.over = &session.over;
}

/* Exits from a trace: compared bit for bit, or, with an evil host, fed to it. */
static int use_trace(const struct options *o, const char *path, const char *reason)
{
    struct report *r = &session.report;
    char text[TAPE_TEXT_MAX], guest[64] = "?";
    enum tape_error error;
    int number = 0;

    error = tape_load(&session.cpu[0].tape, o->lies ? TAPE_FEED : TAPE_REPLAY, path, &number);
    if (error != TAPE_OK) {
        tape_explain(&session.cpu[0].tape, error, text, sizeof text);
        fprintf(stderr, "mini-vmm: %s: %s%s%s\n", path, text, number ? ": " : "",
                error == TAPE_ERR_OPEN ? strerror(number) : "");
        return EXIT_USAGE;
    }
    session_header(&session.cpu[0].tape, guest, sizeof guest, r->recorded, sizeof r->recorded);
    snprintf(r->guest, sizeof r->guest, "%s", guest);
    snprintf(r->backend, sizeof r->backend, "recorded trace, %s", reason);
    snprintf(r->trace, sizeof r->trace, "%.100s",
             strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
    r->from_trace = true;
    if (o->lies)
        session.cpu[0].vcpu.host = &host;
    return -1;
}

/* A vCPU's file to write, opened before the run: FILE, FILE.1 ... false: said. */
static bool open_output(const char *path, uint32_t id, FILE **file)
{
    char name[PATH_MAX];

    if (!path)
        return true;
    snprintf(name, sizeof name, id > 0 ? "%s.%u" : "%s", path, id);
    if ((*file = fopen(name, "wb")) != NULL)
        return true;
    fprintf(stderr, "mini-vmm: %s: %s\n", name, strerror(errno));
    return false;
}

static int save_trace(const struct options *o, struct tape *tape, FILE *file)
{
    char text[TAPE_TEXT_MAX + PATH_MAX], what[TAPE_TEXT_MAX];
    enum tape_error error;
    int number;

    if (!file)
        return EXIT_GOOD;
    error = tape_save(tape, file, &number);
    if (error == TAPE_OK)
        return EXIT_GOOD;
    tape_explain(tape, error, what, sizeof what);
    snprintf(text, sizeof text, "%s: %s: %s", o->record, what, strerror(number));
    return complain(EXIT_USAGE, text);
}

/* Memory but for the boot page, where runs may differ, and the registers at the last HLT. */
static uint64_t final_state(void)
{
    const size_t behind = BOOT_INFO + 0x1000;
    uint64_t part[2 + WIRE_VCPUS_MAX] = { tape_checksum(vm.memory, BOOT_INFO),
                                          tape_checksum(vm.memory + behind,
                                                        vm.memory_bytes - behind) };

    for (uint32_t i = 0; i < session.cpus; i++) {
        const struct kvm_regs *regs = vm_vcpu_regs(&processors[i]);

        if (!regs)
            return 0;
        part[2 + i] = tape_checksum((const uint8_t *)regs, sizeof *regs);
    }
    return tape_checksum((const uint8_t *)part, sizeof part);
}

/* The last search, while the host waits; then what the run was meant to prove. */
static void judge(const struct options *o)
{
    struct report *r = &session.report;
    char why[160];

    if (o->scan && r->status <= EXIT_BAD && !r->scan.failed && !scan_host(&session.scan, host.pid))
        r->scan.failed = true;
    if (o->scan && r->scan.failed) {
        r->status = EXIT_BAD;
        r->verdict = "ERROR";
        snprintf(r->why, sizeof r->why, "the host's memory cannot be read: nothing is proved");
        complain(EXIT_BAD, r->why);
    } else if (r->scan.hits > 0) {
        r->status = EXIT_BAD;
        r->verdict = "FAIL";
        snprintf(r->why, sizeof r->why, "the guest's secret left: %s", r->scan.first_hit);
    }
    if (o->lies && r->status == EXIT_GOOD && !report_lies_good(r, o->wanted, why, sizeof why)) {
        r->status = EXIT_BAD;
        r->verdict = "FAIL";
        snprintf(r->why, sizeof r->why, "%s", why);
    }
    if (r->status == EXIT_HOST || r->status == EXIT_BACKEND)
        complain(r->status, r->why);
}

/* The outputs of each vCPU. false: said. */
static bool open_outputs(const struct options *o, FILE *record[WIRE_VCPUS_MAX])
{
    for (uint32_t i = 0; i < session.cpus; i++) {
        struct cpu *c = &session.cpu[i];

        if (!open_output(o->record, i, &record[i]) || !open_output(o->dump, i, &c->watch.dump))
            return false;
        if (record[i])
            tape_record(&c->tape);
        choose_page(c);
    }
    return true;
}

static int save_outputs(const struct options *o, FILE *record[WIRE_VCPUS_MAX])
{
    int status = EXIT_GOOD;

    for (uint32_t i = 0; i < session.cpus && status == EXIT_GOOD; i++) {
        struct cpu *c = &session.cpu[i];

        status = save_trace(o, &c->tape, record[i]);
        if (c->watch.dump && fclose(c->watch.dump) != 0)
            status = complain(EXIT_USAGE, "--dump-pages: cannot be written");
    }
    return status;
}

/* The image goes to its file, or to its receiver. */
static bool put_image(const struct options *o, const struct save_from *from, char *why, size_t cap)
{
    uint64_t dirty[VM_PAGES / 64];
    bool good;

    if (o->move_to) {
        good = migrate_end(&migrate, from);
        snprintf(why, cap, "%s", migrate.why);
        return good;
    }
    if (o->delta && !vm_dirty(&vm, dirty)) {
        snprintf(why, cap, "KVM's log of written pages");
        return false;
    }
    return save_write(&outgoing, o->save, &vm, from, o->delta ? dirty : NULL,
                      o->delta ? &incoming.name : NULL, &protect.sealing, why, cap);
}

/* The run has ended for it, or has ended before. */
static void finish_save(const struct options *o)
{
    static struct save_own own;
    struct report *r = &session.report;
    struct save_from from;
    char why[160] = "the guest ended before";
    bool good = session_saved(&session, &own, &from);

    own.protect = o->protect;
    if (good && protect.disk.vm)
        good = disk_leave(&protect.disk, &own.disk, why, sizeof why);
    if (good || o->move_to)
        good = put_image(o, good ? &from : NULL, why, sizeof why);
    if (r->status != EXIT_GOOD) /* the run says more */
        return;
    r->verdict = good ? o->save ? "SAVED" : "MOVED" : "ERROR";
    if (good)
        return;
    r->status = EXIT_BAD;
    snprintf(r->why, sizeof r->why, "%s: %.140s", o->save ? "--save" : "--migrate-to", why);
}

/* What a saved guest was, and what it needs. */
static bool check_saved(struct options *o, char *why, size_t cap)
{
    const struct save_own *own = incoming.own;
    const char *no = NULL;

    if ((o->protect & SVMC_PROTECT(SVMC_KEY_IMAGE)) != 0 &&
        (own->protect & SVMC_PROTECT(SVMC_KEY_IMAGE)) == 0)
        no = "--protect image: it was saved without";
    else if (own->disk.mode != 0 && !o->disk)
        no = "the saved guest has a disk: --disk FILE";
    else if (own->disk.mode == 0 && o->disk)
        no = "the saved guest has no disk";
    else if (own->cpus > 1 && o->budget > 0 && o->way == PAGER_SLOTS)
        no = "--memory-budget: the saved guest has several vCPUs, and slots are of one";
    if (no)
        snprintf(why, cap, "%s", no);
    o->vcpus = own->cpus;
    o->protect |= own->protect & SVMC_PROTECT(SVMC_KEY_IMAGE); /* once and for all */
    return !no;
}

/* Nothing of the process goes to a file by itself. */
static bool guard_image(const struct options *o)
{
    const struct rlimit none = { 0, 0 };

    return (o->protect & SVMC_PROTECT(SVMC_KEY_IMAGE)) == 0 ||
           (setrlimit(RLIMIT_CORE, &none) == 0 && prctl(PR_SET_DUMPABLE, 0) == 0);
}

/* The VM's key: a fresh one, or what its disk, its file or its sender brings. */
static bool open_key(const struct options *o, uint32_t protects, char *why, size_t cap)
{
    uint8_t head[SEALING_HEAD_BYTES];
    bool there = false;
    bool comes = o->restores > 0 || o->move_from;

    if (!comes && o->disk && !disk_find(o, head, &there, why, cap))
        return false;
    if (!vault_open(&vault, o->provider, comes || there ? NULL : &o->key_cost, why, cap))
        return false;
    return o->restores > 0
               ? save_read(&incoming, o->restore, o->restores, &protect.sealing, protects, why, cap)
           : o->move_from
               ? migrate_receive(&incoming, o->move_from, &protect.sealing, protects, why, cap)
           : there ? sealing_take_head(&protect.sealing, protects, &vault, o->disk, head, why, cap)
                   : sealing_open(&protect.sealing, protects, why, cap);
}

/* The provider, and of a restore the whole image: before anything else is there. */
static bool open_save(struct options *o, char *why, size_t cap)
{
    const uint32_t protects = o->protect | SVMC_PROTECT(SVMC_KEY_IMAGE);

    if (!guard_image(o)) {
        snprintf(why, cap, "--protect image: %s", strerror(errno));
        return false;
    }
    if (!o->provider)
        return true;
    incoming.generation = o->generation > 0 && !o->save ? o->generation : 1;
    if (!open_key(o, protects, why, cap))
        return false;
    outgoing.generation = o->generation > 0 ? o->generation
                          : o->delta        ? incoming.name.generation + 1
                                            : 1;
    session.cpu[0].vcpu.save_at = o->save ? o->save_at : 0;
    if (o->restores == 0 && !o->move_from)
        return true;
    if (!check_saved(o, why, cap) || !guard_image(o))
        return false;
    session.restored = &incoming;
    memcpy(session.scan.secret, incoming.own->secret, sizeof session.scan.secret);
    snprintf(session.report.guest, sizeof session.report.guest, "%s", incoming.own->guest);
    return true;
}

/* Rounds, while it runs. */
static bool open_migrate(const struct options *o, char *why, size_t cap)
{
    if (!o->move_to)
        return true;
    migrate.save = &outgoing;
    migrate.sealing = &protect.sealing;
    migrate.cpus = session.cpus;
    for (uint32_t i = 0; i < session.cpus; i++)
        migrate.cpu[i] = &session.cpu[i].vcpu;
    migrate.vm = &vm;
    migrate.report = &session.report;
    return migrate_begin(&migrate, o->move_to, why, cap);
}

static int run(const struct options *o)
{
    FILE *record[WIRE_VCPUS_MAX] = { NULL };
    struct watch *first = &session.cpu[0].watch;
    bool with_host = session.cpu[0].vcpu.host != NULL;
    char why[160];
    int status;

    if (!open_outputs(o, record)) {
        if (with_host)
            link_stop(&host);
        return EXIT_USAGE;
    }
    if (first->guard && session.cpu[0].vcpu.kvm && session.cpus == 1)
        first->memory = malloc(vm.memory_bytes);
    session.report.memory_guarded = first->memory != NULL;
    report_begin(&session.report);
    session_run(&session);
    protect_stop(&protect);
    if ((o->save && session.report.status == EXIT_GOOD) || o->move_to)
        finish_save(o);
    if (!protect_close(&protect, &session.report, why, sizeof why) &&
        session.report.status == EXIT_GOOD) {
        session.report.status = EXIT_BAD;
        session.report.verdict = "FAIL";
        snprintf(session.report.why, sizeof session.report.why, "%s", why);
    }
    if (session.report.status == EXIT_GOOD && vm.memory)
        session.report.final_state = final_state();
    if (with_host)
        link_poll(&host);
    judge(o);
    status = save_outputs(o, record);
    if (with_host)
        link_stop(&host);
    session.report.console_dropped += host.console_dropped;
    if (status != EXIT_GOOD && session.report.status == EXIT_GOOD)
        session.report.status = status;
    report_end(&session.report);
    return session.report.status;
}

/* What only a live guest can do. NULL: the trace will do as well. */
static const char *wants_kvm(const struct options *o)
{
    return o->record                ? "--record"
           : o->scan                ? "--scan"
           : o->leak                ? "--leak"
           : o->has_noise           ? "--noise"
           : o->guest               ? "GUEST.bin"
           : o->vcpus > 1           ? "--vcpus"
           : o->protect             ? "--protect"
           : o->save                ? "--save"
           : o->restores > 0        ? "--restore"
           : o->move_to             ? "--migrate-to"
           : o->move_from           ? "--migrate-from"
           : o->info_count > 0      ? "--guestinfo"
           : o->port != NATIVE_PORT ? "--native-port"
           : !form_is_page(o->form) ? "--host-format"
                                    : NULL;
}

/* No /dev/kvm: the reason is `why`. The shipped trace runs, unless only a live guest will do. */
static int fall_back(const struct options *o, const char *why)
{
    const char *built = o->dma      ? MINI_VMM_TRACES "/dma.svmtrace"
                        : o->tokens ? MINI_VMM_TRACES "/tokens.svmtrace"
                        : o->calls  ? MINI_VMM_TRACES "/calls.svmtrace"
                        : o->finish ? MINI_VMM_TRACES "/finish.svmtrace"
                                    : MINI_VMM_TRACES "/hello.svmtrace";
    const char *name = strrchr(built, '/') + 1;
    char trace[PATH_MAX], reason[400];
    int status;

    if (wants_kvm(o)) {
        fprintf(stderr, "mini-vmm: %s needs /dev/kvm, which cannot be used: %s\n", wants_kvm(o),
                why);
        link_stop(&host);
        return EXIT_BACKEND;
    }
    if (!o->lies) {
        link_stop(&host);
        session.report.host[0] = 0;
    }
    session.config.calls = session.config.tokens = session.config.dma = 0;
    locate(trace, sizeof trace, name, built);
    snprintf(reason, sizeof reason, "as /dev/kvm cannot be used: %s", why);
    status = use_trace(o, trace, reason);
    if (status >= 0)
        link_stop(&host);
    return status >= 0 ? status : run(o);
}

/* Where no guest can run anyway, a host that cannot be started is missed by nobody. */
static int without_host(const struct options *o, const char *why)
{
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), error = errno;
    bool needed = o->lies || o->host || o->pid_file || wants_kvm(o);

    if (kvm >= 0)
        close(kvm);
    link_stop(&host);
    if (kvm >= 0 || needed)
        return complain(EXIT_HOST, why);
    return fall_back(o, strerror(error));
}

static void close_vm(void)
{
    for (uint32_t i = 0; i < WIRE_VCPUS_MAX; i++) {
        vm_vcpu_close(&processors[i]);
        session.cpu[i].vcpu.kvm = NULL;
    }
    vm_close(&vm);
}

static int live_or_trace(struct options *o)
{
    char why[300], missing[300], path[PATH_MAX];
    const char *guest = o->guest ? o->guest : path;
    uint8_t *image = NULL;
    size_t image_bytes = 0;
    bool live;

    if (o->dma)
        locate(path, sizeof path, "../guests/dma.bin", MINI_VMM_GUESTS "/dma.bin");
    else if (o->finish)
        locate(path, sizeof path, "../guests/finish.bin", MINI_VMM_GUESTS "/finish.bin");
    else if (o->tokens)
        locate(path, sizeof path, "../guests/tokens.bin", MINI_VMM_GUESTS "/tokens.bin");
    else if (o->calls)
        locate(path, sizeof path, "../guests/calls.bin", MINI_VMM_GUESTS "/calls.bin");
    else if (o->budget == 0 && (o->protect & SVMC_PROTECT(SVMC_KEY_DISK)) != 0)
        locate(path, sizeof path, "../guests/disk.bin", MINI_VMM_GUESTS "/disk.bin");
    else if (o->budget > 0)
        locate(path, sizeof path, "../guests/budget.bin", MINI_VMM_GUESTS "/budget.bin");
    else
        locate(path, sizeof path, "../guests/hello.bin", MINI_VMM_GUESTS "/hello.bin");
    if (!open_save(o, why, sizeof why))
        return complain(EXIT_USAGE, why);
    if (!session.restored &&
        !boot_read_image(guest, &image, &image_bytes, missing, sizeof missing) && o->guest)
        return complain(EXIT_USAGE, missing);
    if (!session.restored)
        snprintf(session.report.guest, sizeof session.report.guest, "%.60s",
                 strrchr(guest, '/') ? strrchr(guest, '/') + 1 : guest);
    if (!start_host(o, why, sizeof why)) {
        free(image);
        return without_host(o, why);
    }
    live = start_guest(o, image, image_bytes, why, sizeof why);
    free(image);
    if (live && image_bytes == 0 && !session.restored) {
        link_stop(&host);
        return complain(EXIT_USAGE, missing);
    }
    if (live && !protect_disk(&protect, o, &vm, &vault,
                              session.restored ? &incoming.own->disk : NULL, why, sizeof why)) {
        link_stop(&host);
        return complain(EXIT_USAGE, why);
    }
    if (live && (!protect_open(&protect, o, &vm, processors, &session.report, why, sizeof why) ||
                 !open_migrate(o, why, sizeof why) || (o->delta && !vm_log(&vm)))) {
        link_stop(&host);
        return complain(EXIT_BACKEND, why);
    }
    if (live) {
        for (uint32_t i = 0; i < session.cpus; i++)
            session.cpu[i].vcpu.host = &host;
        for (uint32_t i = 0; protect.disk.vm && i < session.cpus; i++)
            session.cpu[i].vcpu.disk = &protect.disk;
        snprintf(session.report.backend, sizeof session.report.backend, "/dev/kvm (%s)", vm.text);
        return run(o);
    }
    close_vm();
    session.cpus = 1;
    return fall_back(o, why);
}

int main(int argc, char **argv)
{
    struct options o;
    int status = options_parse(&o, argc, argv);

    if (status >= 0)
        return status;
    set_up(&o);
    if (o.replay) {
        status = use_trace(&o, o.replay, "because of --replay");
        if (status < 0)
            status = run(&o);
    } else {
        status = live_or_trace(&o);
    }
    close_vm();
    save_close(&incoming);
    save_close(&outgoing);
    vault_close(&vault);
    sealing_close(&protect.sealing);
    for (uint32_t i = 0; i < WIRE_VCPUS_MAX; i++)
        tape_drop(&session.cpu[i].tape);
    report_drop(&session.report);
    free(session.cpu[0].watch.memory);
    free(o.lies);
    if (ferror(stdout) || fflush(stdout) != 0)
        status = complain(status == EXIT_GOOD ? EXIT_USAGE : status, "cannot write the output");
    return status;
}
