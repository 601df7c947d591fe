/* SPDX-License-Identifier: MIT */
/** KVM: capabilities, memory, KVM_RUN with a bound. */
#include "vm.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <svmcore/token_page.h>
#include <svmcore/types.h>

#include "boot.h"
#include "calls.h"
#include "context.h"
#include "pager.h"
#include "second.h"

#define API_VERSION 12
#define PAGE_BYTES  4096u
#define TSS_ADDRESS 0xfffbd000u /* Intel processors want three pages somewhere */

static _Thread_local struct kvm_run *running;
static _Thread_local bool ticking;

/* The tick: whatever KVM_RUN does, it comes back; before the ioctl as well as within. */
static void on_tick(int signal)
{
    (void)signal;
    if (running)
        running->immediate_exit = 1;
}

/*
 * For the thread that calls it. SA_RESTART: a tick must not cut a write to standard output short,
 * which stdio would drop; KVM_RUN and poll come back all the same.
 */
static bool start_ticks(void)
{
    struct sigaction action = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN };
    const struct timespec tick = { 0, VM_TICK_MS * 1000000L };
    const struct itimerspec every = { tick, tick };
    timer_t timer;

    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    return sigaction(SIGRTMIN, &action, NULL) == 0 &&
           timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 &&
           timer_settime(timer, 0, &every, NULL) == 0;
}

static bool refuse(char *why, size_t cap, const char *what)
{
    snprintf(why, cap, "%s: %s", what, strerror(errno));
    return false;
}

static unsigned capability(const struct vm *vm, int cap)
{
    int have = ioctl(vm->fd, KVM_CHECK_EXTENSION, cap);

    return have > 0 ? (unsigned)have : 0;
}

/* MSRs that no processor has exit to us instead of raising #GP; without it, they stay away. */
static bool filter_msrs(const struct vm *vm, uint32_t msr, uint32_t msrs)
{
    uint8_t denied[8] = { 0 };
    struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_USER_SPACE_MSR,
                                  .args = { KVM_MSR_EXIT_REASON_FILTER } };
    struct kvm_msr_filter filter = {
        .flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
        .ranges = { { .flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
                      .nmsrs = msrs,
                      .base = msr,
                      .bitmap = denied } },
    };

    return capability(vm, KVM_CAP_X86_USER_SPACE_MSR) && capability(vm, KVM_CAP_X86_MSR_FILTER) &&
           ioctl(vm->fd, KVM_ENABLE_CAP, &cap) == 0 &&
           ioctl(vm->fd, KVM_X86_SET_MSR_FILTER, &filter) == 0;
}

static void describe(struct vm *vm)
{
    static const char *const modules[] = { "kvm_intel", "kvm_amd" };
    unsigned a, b = 0, c = 0, d = 0;
    const char *module = "other kvm module";
    char vendor[13] = { 0 }, path[64];

    __cpuid(0, a, b, c, d);
    memcpy(vendor, &b, 4);
    memcpy(vendor + 4, &d, 4);
    memcpy(vendor + 8, &c, 4);
    for (unsigned i = 0; i < sizeof modules / sizeof modules[0]; i++) {
        snprintf(path, sizeof path, "/sys/module/%s", modules[i]);
        if (access(path, F_OK) == 0)
            module = modules[i];
    }
    snprintf(vm->text, sizeof vm->text, "KVM, api %d, %s, %s, %s, MSR exits %s", API_VERSION,
             vendor, module, vm->sync_regs ? "sync-regs" : "no sync-regs",
             vm->msr_exits ? "yes" : "no");
}

static enum vm_page page_now(const struct vm *vm, size_t page)
{
    enum vm_page how = (enum vm_page)vm->page[page];

    return how == VM_EXECUTE_ONLY && vm->shown ? VM_READ_ONLY : how;
}

/* Slots for runs of pages that are alike; the old ones go first. No vCPU runs meanwhile. */
static bool set_slots(struct vm *vm)
{
    const size_t count = vm->memory_bytes / PAGE_BYTES;

    while (vm->slots > 0) {
        vm->slot[vm->slots - 1].memory_size = 0;
        if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &vm->slot[--vm->slots]) != 0)
            return false;
    }
    for (size_t first = 0, next; first < count; first = next) {
        enum vm_page how = page_now(vm, first);
        struct kvm_userspace_memory_region *slot = &vm->slot[vm->slots];

        for (next = first + 1; next < count && page_now(vm, next) == how;)
            next++;
        if (how == VM_EXECUTE_ONLY || how == VM_ABSENT)
            continue;
        if (vm->slots == VM_SLOTS)
            return false;
        *slot = (struct kvm_userspace_memory_region){
            .slot = vm->slots,
            .flags = (how == VM_READ_ONLY ? KVM_MEM_READONLY : 0u) |
                     (vm->logged ? KVM_MEM_LOG_DIRTY_PAGES : 0u),
            .guest_phys_addr = first * PAGE_BYTES,
            .memory_size = (next - first) * PAGE_BYTES,
            .userspace_addr = (uintptr_t)vm->memory + first * PAGE_BYTES,
        };
        if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, slot) != 0)
            return false;
        vm->slots++;
    }
    return true;
}

/* A fetch where no slot is, is to be heard of, in ring 3, too: not #UD, but an exit. */
static bool can_fail_fetch(const struct vm *vm)
{
    struct kvm_enable_cap cap = { .cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE, .args = { 1 } };

    return ioctl(vm->fd, KVM_ENABLE_CAP, &cap) == 0;
}

bool vm_log(struct vm *vm)
{
    vm->logged = true;
    return set_slots(vm);
}

bool vm_show(struct vm *vm, uint64_t page, bool shown)
{
    struct kvm_userspace_memory_region slot = {
        .slot = (uint32_t)page,
        .flags = KVM_MEM_LOG_DIRTY_PAGES,
        .guest_phys_addr = page * PAGE_BYTES,
        .memory_size = shown ? PAGE_BYTES : 0,
        .userspace_addr = (uintptr_t)vm->memory + page * PAGE_BYTES,
    };

    return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot) == 0;
}

bool vm_dirty(const struct vm *vm, uint64_t dirty[VM_PAGES / 64])
{
    const struct svmc_kvm_log log = { .vm = vm->fd, .pages = VM_PAGES };
    uint64_t scratch[VM_PAGES / 64];

    memcpy(dirty, vm->wrote, sizeof vm->wrote);
    return svmc_kvm_log_fetch(&log, scratch, dirty) == SVMC_OK;
}

bool vm_split(struct vm *vm)
{
    bool good = true;

    while (good && vm->slots > 0) {
        vm->slot[--vm->slots].memory_size = 0;
        good = ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &vm->slot[vm->slots]) == 0;
    }
    for (uint64_t page = 0; good && page < vm->memory_bytes / PAGE_BYTES; page++)
        good = vm_show(vm, page, true);
    return good && can_fail_fetch(vm);
}

bool vm_protect(struct vm *vm, uint64_t at, enum vm_page how, const struct svmc_token_gate *gate)
{
    if (how == VM_EXECUTE_ONLY && gate) {
        vm->stub_bytes = gate->stub_bytes;
        vm->trap_at = gate->trap_at;
        vm->stub_first = gate->first;
        vm->stubs = gate->stubs;
    }
    if (at >= vm->memory_bytes || at / PAGE_BYTES >= VM_PAGES ||
        (how == VM_READ_ONLY && !capability(vm, KVM_CAP_READONLY_MEM)) ||
        (how == VM_EXECUTE_ONLY && (vm->stub_bytes == 0 || !can_fail_fetch(vm))))
        return false;
    vm->page[at / PAGE_BYTES] = (uint8_t)how;
    return set_slots(vm);
}

static uint64_t slot_rights(const struct kvm_userspace_memory_region *slot)
{
    return SVMC_TOKEN_MAY_READ | SVMC_TOKEN_MAY_EXECUTE |
           (slot->flags & KVM_MEM_READONLY ? 0u : SVMC_TOKEN_MAY_WRITE | SVMC_TOKEN_MAY_WALK);
}

uint64_t vm_rights(const struct vm *vm, uint64_t at, uint64_t *aliases)
{
    uint64_t rights = 0, memory = (uintptr_t)vm->memory + at;

    *aliases = 0;
    for (uint32_t i = 0; i < vm->slots; i++) {
        const struct kvm_userspace_memory_region *slot = &vm->slot[i];

        if (at - slot->guest_phys_addr < slot->memory_size)
            rights |= slot_rights(slot);
        if (memory - slot->userspace_addr < slot->memory_size &&
            memory - slot->userspace_addr + slot->guest_phys_addr != at)
            *aliases |= slot_rights(slot);
    }
    if (rights == 0 && at < vm->memory_bytes && vm->page[at / PAGE_BYTES] == VM_EXECUTE_ONLY)
        rights = SVMC_TOKEN_MAY_EXECUTE_KERNEL; /* by the steps below */
    return rights;
}

bool vm_shows(const struct vm *vm, uint64_t address)
{
    for (uint32_t i = 0; i < vm->slots; i++)
        if (address - vm->slot[i].userspace_addr < vm->slot[i].memory_size)
            return true;
    return false;
}

static bool add_memory(struct vm *vm, size_t bytes, char *why, size_t cap)
{
    vm->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (vm->memory == MAP_FAILED) {
        vm->memory = NULL;
        return refuse(why, cap, "memory for the guest");
    }
    vm->memory_bytes = bytes;
    if (!set_slots(vm))
        return refuse(why, cap, "KVM_SET_USER_MEMORY_REGION");
    return true;
}

bool vm_open(struct vm *vm, size_t bytes, uint32_t msr, uint32_t msrs, char *why, size_t cap)
{
    int api;

    *vm = (struct vm){ .fd = -1 };
    vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (vm->kvm < 0)
        return refuse(why, cap, "open");
    api = ioctl(vm->kvm, KVM_GET_API_VERSION, 0);
    if (api < 0)
        return refuse(why, cap, "KVM_GET_API_VERSION");
    if (api != API_VERSION) {
        snprintf(why, cap, "API version %d, not %d", api, API_VERSION);
        return false;
    }
    do {
        vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0);
    } while (vm->fd < 0 && errno == EINTR);
    if (vm->fd < 0)
        return refuse(why, cap, "KVM_CREATE_VM");
    if (!capability(vm, KVM_CAP_IMMEDIATE_EXIT) || !capability(vm, KVM_CAP_USER_MEMORY)) {
        snprintf(why, cap, "it lacks KVM_CAP_IMMEDIATE_EXIT or KVM_CAP_USER_MEMORY");
        return false;
    }
    (void)ioctl(vm->fd, KVM_SET_TSS_ADDR, TSS_ADDRESS); /* only Intel's module knows it */
    vm->sync_regs = (capability(vm, KVM_CAP_SYNC_REGS) & KVM_SYNC_X86_REGS) != 0;
    vm->msr_exits = filter_msrs(vm, msr, msrs);
    vm->xsave_bytes = capability(vm, KVM_CAP_XSAVE2);
    if (vm->xsave_bytes < sizeof(struct kvm_xsave))
        vm->xsave_bytes = sizeof(struct kvm_xsave);
    describe(vm);
    return add_memory(vm, bytes, why, cap);
}

/* The processor's features as KVM offers them; without long mode there is nothing to run. */
static bool set_cpuid(const struct vm_vcpu *c)
{
    const size_t entries = 256;
    struct kvm_cpuid2 *cpuid = calloc(1, sizeof *cpuid + entries * sizeof(struct kvm_cpuid_entry2));
    bool good;

    if (!cpuid)
        return false;
    cpuid->nent = (uint32_t)entries;
    good = ioctl(c->vm->kvm, KVM_GET_SUPPORTED_CPUID, cpuid) == 0 &&
           (!c->vm->calls || calls_cpuid(c->vm->calls, cpuid, (uint32_t)entries)) &&
           ioctl(c->fd, KVM_SET_CPUID2, cpuid) == 0;
    free(cpuid);
    return good;
}

bool vm_vcpu_open(struct vm_vcpu *c, struct vm *vm, uint32_t id, uint64_t noise, char *why,
                  size_t cap)
{
    struct kvm_sregs sregs;
    struct kvm_regs regs;
    struct kvm_fpu fpu;
    int bytes;

    *c = (struct vm_vcpu){ .vm = vm, .id = id };
    c->fd = ioctl(vm->fd, KVM_CREATE_VCPU, id);
    if (c->fd < 0)
        return refuse(why, cap, "KVM_CREATE_VCPU");
    bytes = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (bytes < (int)sizeof(struct kvm_run))
        return refuse(why, cap, "KVM_GET_VCPU_MMAP_SIZE");
    c->run_bytes = (size_t)bytes;
    c->run = mmap(NULL, c->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
    if (c->run == MAP_FAILED) {
        c->run = NULL;
        return refuse(why, cap, "mapping the vCPU");
    }
    if (!set_cpuid(c))
        return refuse(why, cap, "KVM_SET_CPUID2");
    if (ioctl(c->fd, KVM_GET_SREGS, &sregs) != 0 || ioctl(c->fd, KVM_GET_FPU, &fpu) != 0)
        return refuse(why, cap, "KVM_GET_SREGS");
    boot_registers(id, noise, &regs, &sregs, &fpu);
    if (ioctl(c->fd, KVM_SET_SREGS, &sregs) != 0 || ioctl(c->fd, KVM_SET_FPU, &fpu) != 0 ||
        ioctl(c->fd, KVM_SET_REGS, &regs) != 0)
        return refuse(why, cap, "KVM_SET_SREGS");
    if (vm->sync_regs)
        c->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
    return true;
}

uint32_t vm_khz(const struct vm *vm)
{
    int khz = ioctl(vm->fd, KVM_GET_TSC_KHZ, 0);

    return khz > 0 ? (uint32_t)khz : 0;
}

static enum vm_turn error_turn(const struct kvm_run *run, char *why, size_t cap)
{
    if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
        snprintf(why, cap, "KVM_EXIT_INTERNAL_ERROR, suberror %u (1: no emulation)",
                 run->internal.suberror);
    else
        snprintf(why, cap, "KVM_EXIT_FAIL_ENTRY, reason 0x%llx",
                 (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
    return VM_ERROR;
}

/* What was changed by the caller, to KVM. */
static bool flush(struct vm_vcpu *c)
{
    if (c->dirty && c->vm->sync_regs)
        c->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
    else if (c->dirty && ioctl(c->fd, KVM_SET_REGS, &c->held) != 0)
        return false;
    c->dirty = c->have = false;
    return true;
}

static enum vm_turn run_once(struct vm_vcpu *c, char *why, size_t cap)
{
    int done, error;

    if (!ticking && !(ticking = start_ticks())) {
        refuse(why, cap, "timer");
        return VM_ERROR;
    }
    if (!flush(c)) {
        refuse(why, cap, "KVM_SET_REGS");
        return VM_ERROR;
    }
    running = c->run;
    done = ioctl(c->fd, KVM_RUN, 0);
    error = errno;
    running = NULL;
    c->run->immediate_exit = 0;
    if (done != 0 && (error == EINTR || error == EAGAIN))
        return VM_TICK;
    if (done != 0) {
        errno = error;
        refuse(why, cap, "KVM_RUN");
        return VM_ERROR;
    }
    if (c->run->exit_reason == KVM_EXIT_INTERNAL_ERROR ||
        c->run->exit_reason == KVM_EXIT_FAIL_ENTRY)
        return error_turn(c->run, why, cap);
    return c->run->exit_reason == KVM_EXIT_INTR ? VM_TICK : VM_EXIT;
}

/* Where a guest-virtual address leads to now; UINT64_MAX: not to memory. */
static uint64_t physical(const struct vm_vcpu *c, uint64_t at)
{
    struct kvm_translation where = { .linear_address = at };

    return ioctl(c->fd, KVM_TRANSLATE, &where) == 0 && where.valid &&
                   where.physical_address < c->vm->memory_bytes
               ? where.physical_address
               : UINT64_MAX;
}

/* Where in a stub of an EXECUTE_ONLY page the vCPU stands; UINT32_MAX: in none. */
static uint32_t inside(struct vm_vcpu *c)
{
    const struct kvm_regs *regs = vm_vcpu_regs(c);
    uint64_t at = regs ? physical(c, regs->rip) : UINT64_MAX;
    uint32_t offset = (uint32_t)(at % PAGE_BYTES) - c->vm->stub_first;

    return at != UINT64_MAX && c->vm->page[at / PAGE_BYTES] == VM_EXECUTE_ONLY &&
                   offset < c->vm->stubs * c->vm->stub_bytes
               ? offset % c->vm->stub_bytes
               : UINT32_MAX;
}

static bool show(struct vm_vcpu *c, bool shown)
{
    struct kvm_guest_debug step = { .control =
                                        shown ? KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP : 0 };

    c->vm->shown = shown;
    return set_slots(c->vm) && ioctl(c->fd, KVM_SET_GUEST_DEBUG, &step) == 0;
}

/* What stands behind the trap of a stub: token_page.md, wipe and return. */
static bool leave(struct vm_vcpu *c)
{
    struct kvm_regs *regs = vm_vcpu_regs(c);
    uint64_t stack = regs ? physical(c, regs->rsp) : UINT64_MAX;

    if (stack > c->vm->memory_bytes - 8 || stack % 8 != 0 ||
        c->vm->page[stack / PAGE_BYTES] == VM_EXECUTE_ONLY)
        return false;
    regs->rcx = regs->r13 = regs->r14 = 0;
    regs->rflags = (regs->rflags & ~(uint64_t)0x8d5) | 0x44; /* as XOR leaves them */
    memcpy(&regs->rip, c->vm->memory + stack, 8);
    regs->rsp += 8;
    c->dirty = true;
    return true;
}

/*
 * A fetch from an EXECUTE_ONLY page has failed. It is shown where nothing can come between and read
 * it: ring 0, from the start of a stub or from its trap on, up to the trap, for none of these
 * instructions faults, and a step at a time, so that no #DB is the guest's. No interrupt comes:
 * there is nobody to send one. Anything else is not executed.
 */
static bool enter(struct vm_vcpu *c)
{
    struct kvm_sregs sregs;
    uint32_t at = inside(c);

    if (at == UINT32_MAX || ioctl(c->fd, KVM_GET_SREGS, &sregs) != 0 || sregs.ss.dpl != 0 ||
        !sregs.cs.l)
        return false;
    if (at == 0 || at == c->vm->trap_at)
        return show(c, true);
    return at > c->vm->trap_at && leave(c);
}

/* A touch of a sealed page: it is there now. A pager that failed is an error of its own. */
static enum vm_turn touched(struct vm_vcpu *c, enum vm_turn turn, bool *again, char *why,
                            size_t cap)
{
    struct pager *p = c->vm->pager;

    *again = p && turn != VM_TICK && pager_exit(p, c);
    if (!p || !atomic_load(&p->failed))
        return turn;
    *again = false;
    snprintf(why, cap, "%s", p->why);
    return VM_ERROR;
}

/* TICK: it is finished, and the guest goes on; EXIT: a device is asked for it. */
static enum vm_turn finish(struct vm_vcpu *c, enum vm_turn turn, char *why, size_t cap)
{
    enum second_end end = second_chance(c->second, why, cap);

    c->have = false;
    return end == SECOND_DONE     ? VM_TICK
           : end == SECOND_DEVICE ? VM_EXIT
           : end == SECOND_FAILED ? VM_ERROR
                                  : turn;
}

/* No pager has pages, and no log is kept of what is written from here. */
static bool can_finish(const struct vm_vcpu *c)
{
    return c->second && !c->vm->shown && !c->vm->pager && !c->vm->logged &&
           (c->run->exit_reason == KVM_EXIT_INTERNAL_ERROR ||
            (c->second->mends && c->run->exit_reason == KVM_EXIT_MMIO));
}

/* The access that the guest waits for is completed. TICK: it is; EXIT: it goes on with another. */
static enum vm_turn settle(struct vm_vcpu *c, char *why, size_t cap)
{
    enum svmc_status st;
    enum vm_turn turn;
    bool again;

    do {
        st = flush(c) ? svmc_kvm_vcpu_settle(&c->context->kvm) : SVMC_ERR_CALLBACK;
        if (st == SVMC_OK)
            return VM_TICK;
        if (st != SVMC_ERR_BUSY) {
            refuse(why, cap, "KVM_RUN");
            return VM_ERROR;
        }
        turn = touched(c, VM_EXIT, &again, why, cap);
        if (!again && turn == VM_EXIT && c->run->exit_reason == KVM_EXIT_INTERNAL_ERROR) {
            turn = error_turn(c->run, why, cap);
            if (can_finish(c))
                turn = finish(c, turn, why, cap);
            again = turn == VM_TICK;
        }
    } while (again);
    return turn;
}

/* Before the guest runs: its context was away, and memory is as the processor wants it. */
static enum vm_turn schedule(struct vm_vcpu *c, char *why, size_t cap)
{
    enum vm_turn turn = VM_TICK;

    if (c->context && !c->vm->shown) {
        turn = settle(c, why, cap);
        if (turn == VM_TICK && !context_park(c->context, c)) {
            snprintf(why, cap, "%s", c->context->failed);
            turn = VM_ERROR;
        }
    }
    if (turn == VM_TICK && c->vm->pager && !pager_before(c->vm->pager, c)) {
        snprintf(why, cap, "%s", c->vm->pager->why);
        turn = VM_ERROR;
    }
    return turn;
}

bool vm_vcpu_finish(struct vm_vcpu *c, struct second *second, bool mends)
{
    if (!second_open(second, c, mends))
        return false;
    second_boot(c);
    c->second = second;
    return true;
}

/* Execute-only by hand: KVM's slots cannot say it. One vCPU alone. */
enum vm_turn vm_vcpu_run(struct vm_vcpu *c, char *why, size_t cap)
{
    enum vm_turn turn;
    bool again;

    if (c->second && second_waits(c->second)) { /* the device has answered */
        turn = finish(c, VM_ERROR, why, cap);
        if (turn != VM_TICK)
            return turn;
    }
    turn = schedule(c, why, cap);
    if (turn != VM_TICK)
        return turn;
    do {
        turn = touched(c, run_once(c, why, cap), &again, why, cap);
        if (again)
            continue;
        again = turn == VM_ERROR && !c->vm->shown &&
                c->run->exit_reason == KVM_EXIT_INTERNAL_ERROR &&
                c->run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION && enter(c);
        if (turn != VM_TICK && !again && can_finish(c)) {
            turn = finish(c, turn, why, cap);
            again = turn == VM_TICK;
        }
        if (!c->vm->shown || turn == VM_TICK || again)
            continue;
        again = turn == VM_EXIT && c->run->exit_reason == KVM_EXIT_DEBUG;
        if (again && inside(c) <= c->vm->trap_at)
            continue; /* the next step */
        if (!show(c, false))
            return VM_ERROR;
    } while (again);
    return turn;
}

struct kvm_regs *vm_vcpu_behind(struct vm_vcpu *c)
{
    c->run->immediate_exit = 1;
    if (ioctl(c->fd, KVM_RUN, 0) != -1 || errno != EINTR)
        return NULL;
    c->run->immediate_exit = 0;
    c->have = false;
    return vm_vcpu_regs(c);
}

struct kvm_regs *vm_vcpu_regs(struct vm_vcpu *c)
{
    if (c->vm->sync_regs)
        return &c->run->s.regs.regs;
    if (!c->have && ioctl(c->fd, KVM_GET_REGS, &c->held) != 0)
        return NULL;
    c->have = true;
    return &c->held;
}

uint64_t *vm_reg(struct kvm_regs *r, uint32_t reg)
{
    switch (reg) {
    case SVMC_REG_RAX:
        return (uint64_t *)&r->rax;
    case SVMC_REG_RCX:
        return (uint64_t *)&r->rcx;
    case SVMC_REG_RDX:
        return (uint64_t *)&r->rdx;
    case SVMC_REG_RBX:
        return (uint64_t *)&r->rbx;
    case SVMC_REG_RSP:
        return (uint64_t *)&r->rsp;
    case SVMC_REG_RBP:
        return (uint64_t *)&r->rbp;
    case SVMC_REG_RSI:
        return (uint64_t *)&r->rsi;
    case SVMC_REG_RDI:
        return (uint64_t *)&r->rdi;
    case SVMC_REG_RIP:
        return (uint64_t *)&r->rip;
    case SVMC_REG_RFLAGS:
        return (uint64_t *)&r->rflags;
    default: /* r8 to r15 stand in a row in the ABI */
        return reg >= SVMC_REG_R8 && reg <= SVMC_REG_R15 ? (uint64_t *)&r->r8 + (reg - SVMC_REG_R8)
                                                         : NULL;
    }
}

void vm_vcpu_close(struct vm_vcpu *c)
{
    if (c->run)
        munmap(c->run, c->run_bytes);
    if (c->vm && c->fd >= 0)
        close(c->fd);
    *c = (struct vm_vcpu){ .fd = -1 };
}

void vm_close(struct vm *vm)
{
    if (vm->memory)
        munmap(vm->memory, vm->memory_bytes);
    if (vm->fd >= 0)
        close(vm->fd);
    if (vm->kvm >= 0)
        close(vm->kvm);
    *vm = (struct vm){ .kvm = -1, .fd = -1 };
}
