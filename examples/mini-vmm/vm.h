/* SPDX-License-Identifier: MIT */
/** The live backend: one VM and its processors on /dev/kvm. */
#ifndef VM_H
#define VM_H
#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VM_TICK_MS 100 /* KVM_RUN comes back at least this often */

#define VM_PAGES 512u /* of 4096 bytes: the guest's RAM */
#define VM_SLOTS 16u

struct calls;
struct context;
struct pager;
struct second;
struct svmc_token_gate;

/** What stage 2 gives a guest of a page: as much of it as KVM's slots can say, and vm.c adds. */
enum vm_page {
    VM_OPEN,
    VM_READ_ONLY,   /* KVM_MEM_READONLY */
    VM_ABSENT,      /* no slot: each access exits */
    VM_EXECUTE_ONLY /* no slot; while a vCPU executes it, a step at a time, one that is read-only */
};

struct vm {
    int kvm;
    int fd;
    uint8_t *memory;
    size_t memory_bytes;
    size_t xsave_bytes; /* of one vCPU, as KVM counts them */
    bool msr_exits;
    bool sync_regs;
    bool shown; /* pages that are EXECUTE_ONLY: the one vCPU stands in one */
    uint32_t stub_first, stubs, stub_bytes, trap_at; /* in those pages */
    uint8_t page[VM_PAGES];
    struct kvm_userspace_memory_region slot[VM_SLOTS]; /* as KVM has them */
    uint32_t slots;
    bool logged;                   /* KVM logs what the guest writes */
    uint64_t wrote[VM_PAGES / 64]; /* pages that the keeper wrote: ram.h */
    struct pager *pager;           /* NULL: all memory is open */
    const struct calls *calls;     /* set before a vCPU is opened: CPUID tells of them; or NULL */
    char text[120];                /* which KVM this is */
};

struct vm_vcpu {
    struct vm *vm;
    uint32_t id;
    int fd;
    struct kvm_run *run;
    size_t run_bytes;
    struct context *context; /* NULL: it is not sealed between exits */
    struct second *second;   /* NULL: what KVM cannot emulate ends the run */
    struct kvm_regs held;    /* without KVM_CAP_SYNC_REGS */
    bool have;
    bool dirty;
};

enum vm_turn { VM_EXIT, VM_TICK, VM_ERROR };

/**
 * Open /dev/kvm and make a VM with `bytes` of memory, whose MSRs from `msr` on exit, at most 8. On
 * failure false, and `why` says so.
 */
bool vm_open(struct vm *vm, size_t bytes, uint32_t msr, uint32_t msrs, char *why, size_t cap);

/** Protect a page of a VM of one vCPU, which does not run now; `gate`: what it is, EXECUTE_ONLY.
 *  false: KVM cannot. */
bool vm_protect(struct vm *vm, uint64_t at, enum vm_page how, const struct svmc_token_gate *gate);

/** Log what the guest writes, by svmcore/port/kvm.h; slot 0 is all of memory. */
bool vm_log(struct vm *vm);

/** What was written since vm_log, by the guest or by the keeper: a bit a page. No vCPU runs. */
bool vm_dirty(const struct vm *vm, uint64_t dirty[VM_PAGES / 64]);

/** A log by a slot a page; then show a page or take it away. No vCPU runs meanwhile. */
bool vm_split(struct vm *vm);
bool vm_show(struct vm *vm, uint64_t page, bool shown);

/** What the slots say: rights to a page (enum svmc_token_right), to its memory by *aliases. */
uint64_t vm_rights(const struct vm *vm, uint64_t at, uint64_t *aliases);

/** Does a slot have this page of this process? */
bool vm_shows(const struct vm *vm, uint64_t address);

/** The guest's clock, in kHz; 0: KVM does not say. */
uint32_t vm_khz(const struct vm *vm);

/** Make a processor, in long mode, ring 0, with noise where nothing else must be. */
bool vm_vcpu_open(struct vm_vcpu *c, struct vm *vm, uint32_t id, uint64_t noise, char *why,
                  size_t cap);

/**
 * Finish what KVM cannot emulate, and with `mends` what it does wrong, before the vCPU runs; false:
 * this KVM does not let us.
 */
bool vm_vcpu_finish(struct vm_vcpu *c, struct second *second, bool mends);

/**
 * Run until the next exit (EXIT), or for a tick; the first call starts the calling thread's ticks.
 * After ERROR `why` says what KVM refused.
 */
enum vm_turn vm_vcpu_run(struct vm_vcpu *c, char *why, size_t cap);

/** The guest's registers; a caller that changes them sets c->dirty. NULL: KVM refused. */
struct kvm_regs *vm_vcpu_regs(struct vm_vcpu *c);

/** The same once the access that exited has been completed: RIP is behind it. */
struct kvm_regs *vm_vcpu_behind(struct vm_vcpu *c);

/** One of them by enum svmc_reg, or NULL. */
uint64_t *vm_reg(struct kvm_regs *regs, uint32_t reg);

void vm_vcpu_close(struct vm_vcpu *c);
void vm_close(struct vm *vm);

#endif
