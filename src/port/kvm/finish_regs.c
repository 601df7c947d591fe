/* SPDX-License-Identifier: MIT */
/** A vCPU's registers from KVM, and what an instruction made of them to KVM. */
#include "finish_private.h"

#include <string.h>

#include <svmcore/event.h>

#define CR0_PE     0x1u
#define CR4_PKE    0x400000u
#define CR4_LA57   0x1000u
#define CR4_XSAVE  0x40000u
#define EFER_LMA   0x400u
#define EFER_FFXSR 0x4000u
#define FLAG_IF    0x200u
#define FLAG_RF    0x10000u
#define FLAG_VM    0x20000u
#define VECTOR_PF  14u
#define DR6_STEP   0x4000u
#define MSR_XSS    0xda0u
#define PAT_RESET  0x0007040600070406u

_Static_assert(sizeof(struct kvm_regs) == 18 * 8, "old_regs");
_Static_assert(sizeof(struct kvm_sregs) == 39 * 8, "old_sregs");
_Static_assert(sizeof(struct kvm_vcpu_events) == 8 * 8, "old_events");

/* Where enum svmc_reg has it: KVM has RSI and RDI first, then RSP and RBP. */
static const uint8_t kvm_order[16] = { 0, 2, 3, 1, 6, 7, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15 };

/* The access rights of VMX: SDM vol. 3, table 25-2. */
static struct svmc_exec_segment segment(const struct kvm_segment *s)
{
    return (struct svmc_exec_segment){
        .base = s->base,
        .limit = s->limit,
        .selector = s->selector,
        .rights = (uint32_t)(s->type & 15) | (uint32_t)(s->s & 1) << 4 |
                  (uint32_t)(s->dpl & 3) << 5 | (uint32_t)(s->present & 1) << 7 |
                  (uint32_t)(s->avl & 1) << 12 | (uint32_t)(s->l & 1) << 13 |
                  (uint32_t)(s->db & 1) << 14 | (uint32_t)(s->g & 1) << 15 |
                  (s->unusable || !s->present ? SVMC_RIGHTS_UNUSABLE : 0u),
    };
}

/* And back, if it is another one. */
static void put_segment(struct kvm_segment *to, const struct svmc_exec_segment *s)
{
    const struct svmc_exec_segment was = segment(to);

    if (memcmp(&was, s, sizeof was) == 0)
        return;
    to->base = s->base;
    to->limit = s->limit;
    to->selector = s->selector;
    to->type = s->rights & 15;
    to->s = s->rights >> 4 & 1;
    to->dpl = s->rights >> 5 & 3;
    to->present = s->rights >> 7 & 1;
    to->avl = s->rights >> 12 & 1;
    to->l = s->rights >> 13 & 1;
    to->db = s->rights >> 14 & 1;
    to->g = s->rights >> 15 & 1;
    to->unusable = (s->rights & SVMC_RIGHTS_UNUSABLE) != 0;
}

static struct svmc_exec_table table(const struct kvm_dtable *t)
{
    return (struct svmc_exec_table){ .base = t->base, .limit = t->limit };
}

static uint8_t shadow(uint8_t kvm)
{
    return (uint8_t)((kvm & KVM_X86_SHADOW_INT_STI ? SVMC_STATE_SHADOW_STI : 0) |
                     (kvm & KVM_X86_SHADOW_INT_MOV_SS ? SVMC_STATE_SHADOW_SS : 0));
}

static void fill_system(struct svmc_kvm_finish *f, const struct kvm_sregs *s, uint64_t rflags,
                        uint64_t xcr0)
{
    struct svmc_exec_x86 *r = &f->priv.regs;
    struct svmc_walk_x86 *w = &f->priv.walk;

    r->cr0 = w->cr0 = s->cr0;
    r->cr4 = w->cr4 = s->cr4;
    w->cr3 = s->cr3;
    w->efer = s->efer;
    w->rflags = rflags;
    w->pat = PAT_RESET; /* which memory type it is nobody asks */
    r->cpl = (s->cr0 & CR0_PE) == 0 ? 0 : rflags & FLAG_VM ? 3 : s->ss.dpl & 3;
    w->cpl = r->cpl;
    w->pkru = 0;
    if (s->cr4 & CR4_PKE)
        (void)svmc_kvm_finish_get_vector(f, SVMC_REG_KIND_CONTROL, 0, &w->pkru, sizeof w->pkru);
    if ((s->efer & EFER_LMA) && s->cs.l)
        r->address_bits = s->cr4 & CR4_LA57 ? 57 : 48;
    r->xcr0 = xcr0;
    r->segment[SVMC_SEG_ES] = segment(&s->es);
    r->segment[SVMC_SEG_CS] = segment(&s->cs);
    r->segment[SVMC_SEG_SS] = segment(&s->ss);
    r->segment[SVMC_SEG_DS] = segment(&s->ds);
    r->segment[SVMC_SEG_FS] = segment(&s->fs);
    r->segment[SVMC_SEG_GS] = segment(&s->gs);
    r->task = segment(&s->tr);
    r->local = segment(&s->ldt);
    r->gdt = table(&s->gdt);
    r->idt = table(&s->idt);
    r->efer = s->efer;
}

enum svmc_status svmc_kvm_finish_load(struct svmc_kvm_finish *f)
{
    const int fd = f->priv.vcpu;
    struct svmc_exec_x86 *r = &f->priv.regs;
    struct kvm_sregs sregs;
    struct kvm_vcpu_events events;
    struct kvm_xcrs xcrs = { 0 };

    f->priv.wrote = 0;
    if (svmc_kvm_ask(fd, KVM_GET_REGS, f->priv.old_regs) != 0 ||
        svmc_kvm_ask(fd, KVM_GET_SREGS, f->priv.old_sregs) != 0 ||
        svmc_kvm_ask(fd, KVM_GET_VCPU_EVENTS, f->priv.old_events) != 0 ||
        svmc_kvm_ask(
            fd, f->priv.xsave_bytes > sizeof(struct kvm_xsave) ? KVM_GET_XSAVE2 : KVM_GET_XSAVE,
            f->priv.xsave) != 0)
        return SVMC_ERR_CALLBACK;
    memcpy(&sregs, f->priv.old_sregs, sizeof sregs);
    memcpy(&events, f->priv.old_events, sizeof events);
    if ((sregs.cr4 & CR4_XSAVE) && svmc_kvm_ask(fd, KVM_GET_XCRS, &xcrs) != 0)
        return SVMC_ERR_CALLBACK;
    *r = (struct svmc_exec_x86){ .vendor = f->priv.cpu[0].vendor };
    for (unsigned i = 0; i < 16; i++)
        r->general[i] = f->priv.old_regs[kvm_order[i]];
    r->rip = f->priv.old_regs[16];
    r->rflags = f->priv.old_regs[17];
    r->shadow = shadow(events.interrupt.shadow);
    fill_system(f, &sregs, r->rflags, xcrs.nr_xcrs > 0 ? xcrs.xcrs[0].value : 1);
    svmc_kvm_finish_fill(f);
    if (sregs.efer & EFER_FFXSR)
        r->quirks |= SVMC_FPU_FAST_FXSAVE;
    return SVMC_OK;
}

bool svmc_kvm_finish_load_xss(struct svmc_kvm_finish *f)
{
    struct kvm_msr_entry one[2] = { { 0 }, { .index = MSR_XSS } }; /* the head is half of one */
    uint8_t *head = (uint8_t *)(one + 1) - sizeof(struct kvm_msrs);
    const uint32_t count = 1;
    int found;

    memcpy(head, &count, sizeof count);
    found = svmc_kvm_ask(f->priv.vcpu, KVM_GET_MSRS, head);
    f->priv.regs.xss = found == 1 ? one[1].data : 0; /* 0: KVM has no such register */
    return found >= 0;
}

static uint8_t kvm_shadow(uint8_t ours)
{
    return (uint8_t)((ours & SVMC_STATE_SHADOW_STI ? KVM_X86_SHADOW_INT_STI : 0) |
                     (ours & SVMC_STATE_SHADOW_SS ? KVM_X86_SHADOW_INT_MOV_SS : 0));
}

/* KV-22: of what is on its way only the exception changes, the shadow, and what IRET unblocks. */
static void new_events(const struct svmc_kvm_finish *f, struct kvm_vcpu_events *events)
{
    const struct svmc_fault *fault = &f->priv.lent.out.exec.fault;
    const bool raised =
        f->priv.lent.out.exec.action == SVMC_EXEC_FAULT || f->priv.lent.out.exec.trap;

    memset(&events->exception, 0, sizeof events->exception);
    events->exception_has_payload = 0;
    events->exception_payload = 0;
    events->flags = KVM_VCPUEVENT_VALID_SHADOW; /* what other threads send is not overwritten */
    if (f->priv.lent.out.exec.action == SVMC_EXEC_DONE) {
        events->interrupt.shadow = kvm_shadow(f->priv.regs.shadow);
        if (f->priv.lent.out.insn.id == SVMC_X86_IRET)
            events->nmi.masked = 0;
    }
    if (raised) {
        events->exception.injected = 1;
        events->exception.nr = fault->vector;
        events->exception.has_error_code = fault->has_error && (f->priv.regs.cr0 & CR0_PE) != 0;
        events->exception.error_code = events->exception.has_error_code ? fault->error : 0;
    }
}

/* KV-22: what LGDT, LMSW, loads of segments and far branches change. */
static void new_sregs(const struct svmc_kvm_finish *f, struct kvm_sregs *s)
{
    const struct svmc_exec_result *result = &f->priv.lent.out.exec;
    const struct svmc_exec_x86 *r = &f->priv.regs;

    if (result->action == SVMC_EXEC_FAULT && result->fault.vector == VECTOR_PF)
        s->cr2 = result->fault.address;
    s->cr0 = r->cr0;
    s->gdt.base = r->gdt.base;
    s->gdt.limit = r->gdt.limit;
    s->idt.base = r->idt.base;
    s->idt.limit = r->idt.limit;
    put_segment(&s->es, &r->segment[SVMC_SEG_ES]);
    put_segment(&s->cs, &r->segment[SVMC_SEG_CS]);
    put_segment(&s->ss, &r->segment[SVMC_SEG_SS]);
    put_segment(&s->ds, &r->segment[SVMC_SEG_DS]);
    put_segment(&s->fs, &r->segment[SVMC_SEG_FS]);
    put_segment(&s->gs, &r->segment[SVMC_SEG_GS]);
    put_segment(&s->tr, &r->task);
    put_segment(&s->ldt, &r->local);
}

static void new_regs(const struct svmc_kvm_finish *f, uint64_t regs[18])
{
    for (unsigned i = 0; i < 16; i++)
        regs[kvm_order[i]] = f->priv.regs.general[i];
    regs[16] = f->priv.regs.rip;
    regs[17] = f->priv.regs.rflags;
    if (f->priv.lent.out.exec.action == SVMC_EXEC_FAULT && f->priv.lent.out.exec.resume_flag)
        regs[17] |= FLAG_RF; /* KVM pushes what stands there */
}

/* KV-23: the registers that KVM shows in struct kvm_run as well. */
static void show(struct svmc_kvm_finish *f, const uint64_t regs[18], const struct kvm_sregs *sregs,
                 const struct kvm_vcpu_events *events)
{
    struct kvm_run *run = f->priv.lent.run;

    run->if_flag = (regs[17] & FLAG_IF) != 0;
    run->ready_for_interrupt_injection = 0; /* KVM_INTERRUPT would meet the exception */
    if (run->kvm_valid_regs & KVM_SYNC_X86_REGS)
        memcpy(&run->s.regs.regs, regs, sizeof run->s.regs.regs);
    if (run->kvm_valid_regs & KVM_SYNC_X86_SREGS)
        run->s.regs.sregs = *sregs;
    if (run->kvm_valid_regs & KVM_SYNC_X86_EVENTS)
        run->s.regs.events = *events;
}

static bool set(const struct svmc_kvm_finish *f, unsigned long request, const void *arg)
{
    uintptr_t at = (uintptr_t)arg; /* KVM only reads it */

    return svmc_kvm_ask(f->priv.vcpu, request, (void *)at) == 0;
}

/* KV-22: the single step of the guest's own debugger. */
static bool set_step(const struct svmc_kvm_finish *f, struct kvm_debugregs *debug)
{
    struct kvm_debugregs next;

    if (svmc_kvm_ask(f->priv.vcpu, KVM_GET_DEBUGREGS, debug) != 0)
        return false;
    next = *debug;
    next.dr6 |= DR6_STEP;
    return set(f, KVM_SET_DEBUGREGS, &next);
}

enum svmc_status svmc_kvm_finish_put(struct svmc_kvm_finish *f)
{
    const struct svmc_exec_result *result = &f->priv.lent.out.exec;
    bool system;
    struct kvm_debugregs debug;
    struct kvm_vcpu_events events;
    struct kvm_sregs sregs;
    uint64_t regs[18];
    unsigned done = 0;

    /* an interrupt that came meanwhile has no flag that keeps it */
    if (svmc_kvm_ask(f->priv.vcpu, KVM_GET_VCPU_EVENTS, &events) != 0)
        return SVMC_ERR_CALLBACK;
    memcpy(f->priv.old_events, &events, sizeof events);
    memcpy(&sregs, f->priv.old_sregs, sizeof sregs);
    memcpy(regs, f->priv.old_regs, sizeof regs);
    new_regs(f, regs);
    new_events(f, &events);
    new_sregs(f, &sregs);
    system = memcmp(&sregs, f->priv.old_sregs, sizeof sregs) != 0;
    svmc_kvm_finish_drain(f);
    /* the extended state is the last, for there is no copy of what it was; events come behind
       registers: KVM_SET_REGS forgets an exception */
    if ((!system || (set(f, KVM_SET_SREGS, &sregs) && ++done)) &&
        (!result->trap || (set_step(f, &debug) && (done |= 2))) && set(f, KVM_SET_REGS, regs) &&
        (done |= 4) && set(f, KVM_SET_VCPU_EVENTS, &events) && (done |= 8) &&
        (!f->priv.wrote || set(f, KVM_SET_XSAVE, f->priv.xsave))) {
        show(f, regs, &sregs, &events);
        return SVMC_OK;
    }
    if (done & 1) /* KV-27 */
        (void)set(f, KVM_SET_SREGS, f->priv.old_sregs);
    if (done & 2)
        (void)set(f, KVM_SET_DEBUGREGS, &debug);
    if (done & 4) {
        (void)set(f, KVM_SET_REGS, f->priv.old_regs);
        memcpy(&events, f->priv.old_events, sizeof events);
        events.flags = KVM_VCPUEVENT_VALID_SHADOW;
        (void)set(f, KVM_SET_VCPU_EVENTS, &events);
    }
    return SVMC_ERR_CALLBACK;
}
