/* SPDX-License-Identifier: MIT */
/** KV-14 to KV-28: an exit of KVM that says "no emulation" -> a finished instruction. */
#include "finish_private.h"

#include <cpuid.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#define LEAVES      256u
#define XSAVE_LEAF  0x0du
#define EFER_LMA    0x400u
#define RIGHTS_L    0x2000u
#define DR6_STEP    0x4000u
#define VECTOR_DB   1u
#define PIO_END     8192u /* of the page that KVM's own port exits use */
#define FLAGS       (SVMC_KVM_FINISH_TRANSLATE | SVMC_KVM_FINISH_MEND)
#define ROUNDS_MAX  64u
#define BYTES_WORDS 3u /* words of emulation_failure with the instruction */

uint32_t svmc_kvm_finish_enable(int vm)
{
    struct kvm_enable_cap cap = { .cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE, .args = { 1 } };

    return svmc_kvm_ask(vm, KVM_ENABLE_CAP, &cap) == 0;
}

static const struct svmc_cpuid_leaf *find(const struct svmc_cpuid_leaf *leaves, size_t count,
                                          uint32_t leaf, uint32_t subleaf)
{
    for (size_t i = 0; i < count; i++)
        if (leaves[i].leaf == leaf && leaves[i].subleaf == subleaf)
            return &leaves[i];
    return NULL;
}

/* KV-14: the decoder's processor in each kind of code, and what walks tables. */
static enum svmc_status take_cpuid(struct svmc_kvm_finish *f, const struct svmc_cpuid_leaf *leaves,
                                   size_t count)
{
    const struct svmc_cpuid_leaf *one = find(leaves, count, 1, 0);
    const struct svmc_cpuid_leaf *more = find(leaves, count, 0x80000001, 0);
    const struct svmc_cpuid_leaf *sizes = find(leaves, count, 0x80000008, 0);
    const struct svmc_cpuid_leaf *seven = find(leaves, count, 7, 0);
    const struct svmc_cpuid_leaf *areas = find(leaves, count, XSAVE_LEAF, 1);
    struct svmc_walk_x86 *w = &f->priv.walk;
    enum svmc_status st = SVMC_OK;

    for (unsigned i = 0; i < 3 && st == SVMC_OK; i++)
        st = svmc_cpu_from_cpuid(leaves, count, (enum svmc_isa)(SVMC_ISA_X86_16 + i),
                                 &f->priv.cpu[i]);
    f->priv.quirks = (seven && (seven->ebx >> 13 & 1) ? 0u : SVMC_FPU_SELECTORS) |
                     (seven && (seven->ebx >> 6 & 1) ? 0u : SVMC_FPU_DATA_POINTER) |
                     (areas && (areas->eax >> 1 & 1) ? 0u : SVMC_FPU_NO_XSAVEC);
    w->address_bits = sizes ? (uint8_t)sizes->eax : 36;
    w->features = (uint8_t)((one && (one->edx >> 17 & 1) ? SVMC_WALK_X86_PSE36 : 0) |
                            (more && (more->edx >> 26 & 1) ? SVMC_WALK_X86_PAGE1G : 0) |
                            (f->priv.cpu[0].vendor == SVMC_VENDOR_AMD ? SVMC_WALK_X86_AMD : 0));
    return st;
}

/* KVM before Linux 6.4 leaves the count as it was: what it has not written is zero. */
static enum svmc_status ask_cpuid(struct svmc_kvm_finish *f)
{
    struct kvm_cpuid_entry2 list[LEAVES + 1] = { 0 }; /* the first has the head: two words */
    struct svmc_cpuid_leaf leaf[LEAVES];
    uint8_t *head = (uint8_t *)(list + 1) - sizeof(struct kvm_cpuid2);
    uint32_t count = LEAVES, n = 0;

    memcpy(head, &count, sizeof count);
    if (svmc_kvm_ask(f->priv.vcpu, KVM_GET_CPUID2, head) != 0)
        return SVMC_ERR_CALLBACK;
    memcpy(&count, head, sizeof count);
    for (uint32_t i = 0; i < count && i < LEAVES; i++) {
        const struct kvm_cpuid_entry2 *e = &list[i + 1];

        if (e->function != 0 || e->eax != 0) /* leaf 0 has its own number there, or a higher one */
            leaf[n++] =
                (struct svmc_cpuid_leaf){ e->function, e->index, e->eax, e->ebx, e->ecx, e->edx };
    }
    return count > LEAVES ? SVMC_ERR_CALLBACK : take_cpuid(f, leaf, n);
}

/* Where components of the extended state lie: KVM copies them in the machine's own layout. */
static void find_components(struct svmc_kvm_finish *f)
{
    uint32_t n = 0, at = 0, c = 0, d = 0;

    if (__get_cpuid_max(0, NULL) < (int)XSAVE_LEAF)
        return;
    for (unsigned i = 2; i < SVMC_KVM_FINISH_COMPONENTS; i++) {
        __cpuid_count(XSAVE_LEAF, i, n, at, c, d);
        if (at <= f->priv.xsave_bytes && n <= f->priv.xsave_bytes - at && n <= UINT16_MAX) {
            f->priv.component_at[i] = (uint16_t)at;
            f->priv.component_bytes[i] = (uint16_t)n;
        }
    }
}

/* KV-20: KVM leaves no guest in front of a LOCK that no processor can keep. */
static enum svmc_status make_record(struct svmc_kvm_finish *f)
{
    enum svmc_status st = svmc_exec_init(&f->priv.exec, &svmc_kvm_finish_exec, f);

    f->priv.exec.split_locks = 1;
    return st;
}

static bool is_good(const struct svmc_kvm_files *files, const struct svmc_kvm_finish_how *how)
{
    if (!files || !files->run || files->run_bytes < sizeof(struct kvm_run) || !how || !how->ops ||
        !how->xsave || (uintptr_t)how->xsave % 8 != 0 || how->xsave_bytes > UINT16_MAX ||
        how->xsave_bytes < sizeof(struct kvm_xsave) || how->reserved != 0 ||
        (how->flags & ~FLAGS) != 0 || (!how->leaves && how->leaf_count != 0))
        return false;
    return how->ops->size >= sizeof *how->ops && how->ops->memory;
}

enum svmc_status svmc_kvm_finish_open(struct svmc_kvm_finish *f, const struct svmc_kvm_files *files,
                                      const struct svmc_kvm_finish_how *how)
{
    enum svmc_status st;
    int xsave;

    if (!f)
        return SVMC_ERR_ARG;
    memset(f, 0, sizeof *f);
    if (!is_good(files, how))
        return SVMC_ERR_ARG;
    xsave = svmc_kvm_ask(files->vm, KVM_CHECK_EXTENSION, (void *)(uintptr_t)KVM_CAP_XSAVE2);
    if (xsave > 0 && (size_t)xsave > how->xsave_bytes)
        return SVMC_ERR_ARG;
    f->priv.vcpu = files->vcpu;
    f->priv.lent.run = files->run;
    f->priv.run_bytes = files->run_bytes;
    f->priv.lent.ops = how->ops;
    f->priv.lent.ctx = how->ctx;
    f->priv.xsave = how->xsave;
    f->priv.xsave_bytes = xsave > (int)sizeof(struct kvm_xsave)
                              ? (uint32_t)xsave
                              : (uint32_t)sizeof(struct kvm_xsave);
    f->priv.flags = how->flags;
    find_components(f);
    st = how->leaves ? take_cpuid(f, how->leaves, how->leaf_count) : ask_cpuid(f);
    if (st == SVMC_OK)
        st = make_record(f);
    if (st != SVMC_OK)
        memset(f, 0, sizeof *f);
    return st;
}

uint32_t svmc_kvm_finish_waits(const struct svmc_kvm_finish *f)
{
    return f && f->priv.state == FINISH_WAITS;
}

/* KV-15, KV-28 */
static bool is_ours(const struct svmc_kvm_finish *f)
{
    const struct kvm_run *run = f->priv.lent.run;

    if (run->exit_reason == KVM_EXIT_MMIO)
        return (f->priv.flags & SVMC_KVM_FINISH_MEND) && !run->mmio.is_write;
    if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
        return run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION;
    return run->exit_reason == KVM_EXIT_DEBUG && run->debug.arch.exception == VECTOR_DB &&
           (run->debug.arch.dr6 & DR6_STEP) != 0;
}

/* KV-15: KVM queues the #UD that its failed emulation is to the guest; any other one was there. An
 * interrupt or NMI to be injected again: the exit was of its delivery. */
static bool is_clear(const struct svmc_kvm_finish *f)
{
    const struct kvm_run *run = f->priv.lent.run;
    struct kvm_vcpu_events events;

    memcpy(&events, f->priv.old_events, sizeof events);
    if (events.interrupt.injected || events.nmi.injected)
        return false;
    return (!events.exception.injected && !events.exception.pending) ||
           (run->exit_reason == KVM_EXIT_INTERNAL_ERROR && events.exception.nr == FINISH_UD);
}

/* KV-16: what KVM failed at is what is there now. */
static bool is_same(const struct svmc_kvm_finish *f)
{
    const struct kvm_run *run = f->priv.lent.run;
    size_t n;

    if (run->exit_reason != KVM_EXIT_INTERNAL_ERROR || run->emulation_failure.ndata < BYTES_WORDS ||
        !(run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES))
        return true;
    n = run->emulation_failure.insn_size;
    if (n > f->priv.lent.out.insn.length)
        n = f->priv.lent.out.insn.length;
    return n <= sizeof run->emulation_failure.insn_bytes &&
           memcmp(run->emulation_failure.insn_bytes, f->priv.lent.out.bytes, n) == 0;
}

static const struct svmc_cpu *code(const struct svmc_kvm_finish *f)
{
    uint32_t rights = f->priv.regs.segment[SVMC_SEG_CS].rights;

    if ((f->priv.walk.efer & EFER_LMA) && (rights & RIGHTS_L))
        return &f->priv.cpu[2];
    return &f->priv.cpu[(rights & SVMC_RIGHTS_BIG) != 0];
}

/* KV-24: it has made as many accesses as one call may, and goes on in the next. */
static bool waits_for_nobody(const struct svmc_kvm_finish *f)
{
    const uint8_t kind = f->priv.exec.wait.kind;

    return f->priv.lent.out.exec.action == SVMC_EXEC_PENDING && kind != SVMC_EXEC_READ &&
           kind != SVMC_EXEC_WRITE && kind != SVMC_EXEC_PORT_IN && kind != SVMC_EXEC_PORT_OUT;
}

/* Ports want the mapping's second page; of what waits for nobody no instruction has that much. */
static bool can_ask(const struct svmc_kvm_finish *f)
{
    const uint8_t kind = f->priv.exec.wait.kind;

    return kind == SVMC_EXEC_READ || kind == SVMC_EXEC_WRITE ||
           (!waits_for_nobody(f) && f->priv.run_bytes >= PIO_END);
}

/* KV-29: what there is of the guest's registers goes when its instruction is over. */
static void forget(struct svmc_kvm_finish *f)
{
    f->priv.state = FINISH_IDLE;
    svmc_kvm_zero(f->priv.old_regs, sizeof f->priv.old_regs);
    svmc_kvm_zero(f->priv.old_sregs, sizeof f->priv.old_sregs);
    svmc_kvm_zero(f->priv.old_events, sizeof f->priv.old_events);
    svmc_kvm_zero(&f->priv.regs, sizeof f->priv.regs);
    svmc_kvm_zero(f->priv.lent.data, sizeof f->priv.lent.data);
    svmc_kvm_zero(f->priv.xsave, f->priv.xsave_bytes);
    svmc_kvm_zero(&f->priv.exec, sizeof f->priv.exec);
    if (make_record(f) != SVMC_OK)
        f->priv.lent.run = NULL; /* it was good before */
}

void svmc_kvm_finish_drop(struct svmc_kvm_finish *f)
{
    if (!f)
        return;
    if (f->priv.lent.run)
        forget(f);
    f->priv.mends = 0;
}

/* KV-27: what failed was a later iteration of a repetition: those before it are done (XE-7). Or it
 * was a later element of a gather or scatter, which alone writes registers of the extended state
 * before it has made all accesses (XE-29). */
static bool has_come_on(const struct svmc_kvm_finish *f)
{
    const struct svmc_exec_x86 *r = &f->priv.regs;

    return r->rip == f->priv.old_regs[16] &&
           (r->general[SVMC_REG_RCX] != f->priv.old_regs[2] ||
            (f->priv.wrote && f->priv.lent.out.exec.callback != SVMC_EXEC_VECTOR_WRITE));
}

/* What the executor said -> what the caller hears, and KVM. */
static enum svmc_status settle(struct svmc_kvm_finish *f, enum svmc_status st,
                               struct svmc_kvm_finished *out)
{
    struct svmc_kvm_finished *mine = &f->priv.lent.out;

    for (unsigned i = 0; st == SVMC_OK && waits_for_nobody(f) && i < ROUNDS_MAX; i++)
        st = svmc_exec_x86_resume(&f->priv.exec, &f->priv.regs, &mine->exec);
    if (mine->exec.action == SVMC_EXEC_PENDING && st == SVMC_OK && !can_ask(f))
        st = SVMC_ERR_UNSUPPORTED;
    if (st != SVMC_OK && has_come_on(f)) {
        mine->exec = (struct svmc_exec_result){ .action = SVMC_EXEC_AGAIN };
        st = SVMC_OK;
    }
    mine->action = mine->exec.action;
    if (st != SVMC_OK) {
        st = f->priv.lent.refused ? SVMC_ERR_REFUSED : st;
        out->exec.callback = mine->exec.callback;
        out->exec.callback_status = mine->exec.callback_status;
    } else if (mine->action == SVMC_EXEC_PENDING) {
        f->priv.state = FINISH_WAITS;
        svmc_kvm_finish_ask(f);
        *out = *mine;
        return SVMC_OK;
    } else if (mine->action == SVMC_EXEC_DONE || mine->action == SVMC_EXEC_AGAIN ||
               mine->action == SVMC_EXEC_FAULT) {
        f->priv.state = FINISH_PUTS;
        st = svmc_kvm_finish_put(f);
        if (st != SVMC_OK)
            return st;
    } /* else KV-25 */
    forget(f);
    if (st == SVMC_OK)
        *out = *mine;
    return st;
}

/* KV-28: an access of KVM's own waits. Is it the first of an instruction that it does wrong? */
static enum svmc_status take_over(struct svmc_kvm_finish *f, enum svmc_status st,
                                  struct svmc_kvm_finished *out)
{
    const struct kvm_run *run = f->priv.lent.run;
    struct svmc_exec *x = &f->priv.exec;

    if (st == SVMC_OK && f->priv.lent.out.exec.action == SVMC_EXEC_PENDING &&
        x->wait.kind == SVMC_EXEC_READ && x->wait.bytes == run->mmio.len &&
        x->wait.bytes == f->priv.lent.out.insn.mem_bytes && /* on one page */
        x->wait.at == run->mmio.phys_addr) {
        f->priv.lent.out.action = SVMC_EXEC_PENDING;
        f->priv.state = FINISH_WAITS;
        f->priv.mends = 1;
        f->priv.lent.piece = 0;
        f->priv.lent.pieces = 1;
        *out = f->priv.lent.out;
        return SVMC_OK;
    }
    forget(f);
    return SVMC_ERR_UNSUPPORTED;
}

/* KVM completes what it has begun; what it makes of it is overwritten. */
static enum svmc_status end_access(struct svmc_kvm_finish *f)
{
    struct kvm_run *run = f->priv.lent.run;
    int result, error;

    f->priv.mends = 0;
    run->immediate_exit = 1;
    result = ioctl(f->priv.vcpu, KVM_RUN, 0);
    error = errno;
    run->immediate_exit = 0;
    return result != 0 && error == EINTR ? SVMC_OK : SVMC_ERR_CALLBACK;
}

static bool is_wrong(const struct svmc_insn *insn)
{
    return insn->id == SVMC_X86_LZCNT || insn->id == SVMC_X86_TZCNT;
}

static bool wants_xss(const struct svmc_insn *insn)
{
    return insn->id == SVMC_X86_XSAVES || insn->id == SVMC_X86_XSAVES64 ||
           insn->id == SVMC_X86_XRSTORS || insn->id == SVMC_X86_XRSTORS64;
}

/* KV-16: fetched once, decoded once. */
static enum svmc_status begin(struct svmc_kvm_finish *f, struct svmc_kvm_finished *out)
{
    const bool mmio = ((const struct kvm_run *)f->priv.lent.run)->exit_reason == KVM_EXIT_MMIO;
    struct svmc_kvm_finished *mine = &f->priv.lent.out;
    enum svmc_status st;

    f->priv.lent.by_exits = mmio; /* its answer is on its way to KVM */
    *mine = (struct svmc_kvm_finished){ 0 };
    f->priv.lent.refused = 0;
    st = svmc_kvm_finish_load(f);
    if (st == SVMC_OK && !is_clear(f))
        st = SVMC_ERR_STATE;
    if (st != SVMC_OK) {
        forget(f);
        return st;
    }
    f->priv.lent.fetching = 1;
    st = svmc_exec_x86_fetch(&f->priv.exec, code(f), &f->priv.regs, &mine->insn, &mine->exec);
    f->priv.lent.fetching = 0;
    if (mmio && (st != SVMC_OK || mine->exec.action != SVMC_EXEC_NONE || !is_wrong(&mine->insn)))
        return take_over(f, SVMC_ERR_UNSUPPORTED, out);
    if (st == SVMC_OK && mine->exec.action == SVMC_EXEC_NONE) {
        mine->count = mine->insn.length;
        memset(mine->bytes + mine->count, 0, sizeof mine->bytes - mine->count);
        if (!is_same(f))
            mine->exec.action = SVMC_EXEC_AGAIN;
        else if (wants_xss(&mine->insn) && !svmc_kvm_finish_load_xss(f))
            st = SVMC_ERR_CALLBACK;
        else
            st = svmc_exec_x86_start(&f->priv.exec, &f->priv.regs, &mine->insn, &mine->exec);
    }
    f->priv.lent.by_exits = 0;
    return mmio ? take_over(f, st, out) : settle(f, st, out);
}

enum svmc_status svmc_kvm_finish_exit(struct svmc_kvm_finish *f, struct svmc_kvm_finished *out)
{
    struct svmc_exec *x;
    enum svmc_status st;
    bool reads;

    if (!out)
        return SVMC_ERR_ARG;
    *out = (struct svmc_kvm_finished){ 0 };
    if (!f || !f->priv.lent.run)
        return SVMC_ERR_ARG;
    if (f->priv.state == FINISH_PUTS)
        return settle(f, SVMC_OK, out);
    x = &f->priv.exec;
    if (f->priv.state == FINISH_WAITS) {
        reads = x->wait.kind == SVMC_EXEC_READ || x->wait.kind == SVMC_EXEC_PORT_IN;
        if (!svmc_kvm_finish_take(f)) {
            svmc_kvm_finish_ask(f);
            *out = f->priv.lent.out;
            return SVMC_OK;
        }
        if (f->priv.mends && (st = end_access(f)) != SVMC_OK) {
            svmc_kvm_finish_drop(f);
            return st;
        }
        st = svmc_exec_answer(x, reads ? f->priv.lent.data : NULL, reads ? x->wait.bytes : 0);
        if (st == SVMC_OK)
            st = svmc_exec_x86_resume(x, &f->priv.regs, &f->priv.lent.out.exec);
        return settle(f, st, out);
    }
    if (!is_ours(f))
        return SVMC_ERR_UNSUPPORTED;
    if (((const struct kvm_run *)f->priv.lent.run)->kvm_dirty_regs != 0)
        return SVMC_ERR_STATE; /* KV-23 */
    return begin(f, out);
}
