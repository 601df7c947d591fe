/* SPDX-License-Identifier: MIT */
/*
 * Makes the calls of guest_calls.c for real. Every register is filled with noise, the instruction
 * of the call traps, the signal's handler is the host: it looks at the registers that
 * docs/spec/hypercall.md names (HC-9 to HC-12, HC-15), answers into them, and moves on. Afterwards
 * all results must have come back, and what a function keeps must be kept.
 *
 * An instruction that this machine might execute (a system call, a hypervisor's own call) is
 * replaced by an undefined one of its length, after it was found in the text.
 */
#include "guest_calls.h"
#include "guest_machine.h"

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

extern uint8_t __start_guest_text[], __stop_guest_text[];
void enter_trap(void);
extern uint8_t leave_trap[];
__asm__(".text\n.globl enter_trap\nenter_trap:\n\t" SIGNAL_INSN "\n\t" RETURN_INSN "\n"
        ".globl leave_trap\nleave_trap:\n\t" SIGNAL_INSN "\n");

static unsigned checks, failures;
static const char *what = "";

static void check_eq(uint64_t got, uint64_t want, const char *of, int n)
{
    checks++;
    if (got == want)
        return;
    if (failures++ < 20)
        printf("FAIL %s: %s %d is %#llx, not %#llx\n", what, of, n, (unsigned long long)got,
               (unsigned long long)want);
}

static uint64_t noise(void)
{
    static uint64_t state = 0x9e3779b97f4a7c15u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* ---- what runs: one function of guest_calls.c, between two signals ---- */
static struct {
    void (*entry)(struct frame *);
    struct frame *frame;
    void (*host)(ucontext_t *uc, const struct insn *insn); /* the instruction trapped */
    const struct insn *insn;                               /* the one that may, or NULL: any */
    unsigned trapped;
    uint64_t before[REGS], after[REGS], saved[REGS], saved_pc;
} run;

static uint64_t stack[8192] __attribute__((aligned(64)));

static const struct insn *const insns[] = {
#if defined(__x86_64__)
    &out_insn, &in_insn, &outs_insn, &ins_insn, &vmcall_insn, &vmmcall_insn, &cpuid_insn,
#elif defined(__aarch64__)
    &trap_insn,
    &call_insn,
    &vmware_insn,
    &ask_insn,
#else
    &trap_insn,
    &call_insn,
#endif
};
static const struct insn *const patched[] = PATCHED;

/* One entry a patched place. */
static struct {
    uint64_t at;
    const struct insn *insn;
} sites[64];
static unsigned site_count;

static bool stands_at(uint64_t at, uint32_t bytes, unsigned length)
{
    uint8_t want[4];

#if defined(__s390x__)
    for (unsigned i = 0; i < 4; i++)
        want[i] = (uint8_t)(bytes >> 8 * i);
#else
    memcpy(want, &bytes, 4);
#endif
    return memcmp((const void *)at, want, length) == 0;
}

static void patch_all(void)
{
    uint64_t from = (uint64_t)__start_guest_text, to = (uint64_t)__stop_guest_text;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t first = from & ~(page - 1);

    if (mprotect((void *)first, to - first, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) {
        perror("mprotect");
        exit(2);
    }
    for (uint64_t at = from; at < to; at += STEP) {
        for (unsigned i = 0; i < COUNT(patched); i++) {
            if (!patched[i] || at + patched[i]->length > to || site_count == COUNT(sites) ||
                !stands_at(at, patched[i]->bytes, patched[i]->length))
                continue;
            sites[site_count].at = at;
            sites[site_count++].insn = patched[i];
            memcpy((void *)at, &patched[i]->patch, patched[i]->length);
        }
    }
    __builtin___clear_cache((char *)from, (char *)to);
}

/* The instruction at a place of the guest's text that trapped. */
static const struct insn *insn_at(uint64_t at)
{
    for (unsigned i = 0; i < site_count; i++)
        if (sites[i].at == at)
            return sites[i].insn;
    for (unsigned i = 0; i < COUNT(insns); i++)
        if (stands_at(at, insns[i]->bytes, insns[i]->length))
            return insns[i];
    return NULL;
}

static void begin(ucontext_t *uc)
{
    uint64_t sp = (uint64_t)(stack + COUNT(stack)) - 1024;

    for (int n = 0; n < REGS; n++) {
        run.saved[n] = (uint64_t)*slot(uc, n);
#if defined(__riscv)
        if (n == 3 || n == 4) { /* gp and tp are the handler's, too */
            run.before[n] = run.saved[n];
            continue;
        }
#endif
        run.before[n] = noise();
    }
    run.before[FIRST] = (uint64_t)run.frame;
#if defined(__x86_64__)
    sp -= 8;
    *(uint64_t *)sp = (uint64_t)leave_trap;
#else
    run.before[LINK] = (uint64_t)leave_trap;
#endif
    run.before[SP] = sp;
    for (int n = 0; n < REGS; n++) {
#if defined(__riscv)
        if (n == 0)
            continue;
#endif
        __typeof__(slot(uc, n)) to = slot(uc, n);
        *to = (__typeof__(*to))run.before[n];
    }
#if defined(__x86_64__)
    run.before[SP] += 8; /* the function's return */
#endif
    set_pc(uc, (uint64_t)run.entry);
}

static void finish(ucontext_t *uc)
{
    for (int n = 0; n < REGS; n++) {
        __typeof__(slot(uc, n)) to = slot(uc, n);

        run.after[n] = (uint64_t)*to;
#if defined(__riscv)
        if (n == 0)
            continue;
#endif
        *to = (__typeof__(*to))run.saved[n];
    }
    set_pc(uc, (uint64_t)enter_trap + SIGNAL_BYTES);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    uint64_t pc = pc_of(uc, info->si_addr);
    const struct insn *insn;

    if (pc == (uint64_t)enter_trap) {
        begin(uc);
        return;
    }
    if (pc == (uint64_t)leave_trap) {
        finish(uc);
        return;
    }
    insn =
        pc >= (uint64_t)__start_guest_text && pc < (uint64_t)__stop_guest_text ? insn_at(pc) : NULL;
    if (!insn || (run.insn && insn != run.insn)) {
        printf("FAIL %s: signal %d at %#llx is not of the call\n", what, number,
               (unsigned long long)pc);
        fflush(stdout);
        _exit(1);
    }
    run.trapped++;
    run.host(uc, insn);
    set_pc(uc, pc + insn->length);
}

static uint64_t get(ucontext_t *uc, int n)
{
    return (uint64_t)*slot(uc, n);
}

static void put(ucontext_t *uc, int n, uint64_t value)
{
    __typeof__(slot(uc, n)) to = slot(uc, n);

    *to = (__typeof__(*to))value;
}

static void make(void (*entry)(struct frame *), struct frame *f,
                 void (*host)(ucontext_t *, const struct insn *), const struct insn *insn)
{
    run.entry = entry;
    run.frame = f;
    run.host = host;
    run.insn = insn;
    run.trapped = 0;
    for (int i = 0; i < LIVE; i++) {
        f->live[i] = noise();
        f->kept[i] = 0;
    }
    enter_trap();
    for (unsigned i = 0; i < COUNT(kept); i++)
        check_eq(run.after[kept[i]], run.before[kept[i]], "kept register", kept[i]);
    for (int i = 0; i < LIVE; i++)
        check_eq(f->kept[i], f->live[i], "value that lives across the call", i);
}

/* ---- native calls: HC-1 to HC-12 ---- */
static struct {
    uint64_t control, arg[6], token[3], port, status, result[6];
    bool has_token;
} want;

static void native_host(ucontext_t *uc, const struct insn *insn)
{
    (void)insn;
    check_eq(get(uc, native[0]), want.control, "control word", 0);
    for (int i = 0; i < 6; i++)
        check_eq(get(uc, native[1 + i]), want.arg[i], "argument", i + 1);
#if defined(__x86_64__)
    if (insn == &out_insn)
        check_eq(get(uc, RDX) & 0xffff, want.port, "port", 0);
#elif defined(NATIVE_WORD)
    check_eq(get(uc, NATIVE_WORD), NATIVE_VALUE, "word", 0);
#endif
    for (int i = 0; want.has_token && i < 3; i++)
        check_eq(get(uc, token[i]), want.token[i], "token register", i);
    put(uc, answer[0], want.status);
    for (int i = 0; i < 6; i++)
        put(uc, answer[1 + i], want.result[i]);
}

static void expect_native(struct frame *f)
{
    memset(f, 0, sizeof *f);
    for (int i = 0; i < 6; i++) {
        f->arg[i] = want.arg[i] = noise();
        want.result[i] = noise();
    }
    f->control = want.control = (noise() & 0x00ffffffffffffff) | (uint64_t)1 << 56;
    f->guest.port = (unsigned)(want.port = noise() & 0xffff);
    want.status = noise();
    want.has_token = false;
}

static void native_results(const struct frame *f, const svmc_hcall_word *got)
{
    check_eq(run.trapped, 1, "calls", 0);
    check_eq(f->status, want.status, "status", 0);
    for (int i = 0; i < 6; i++)
        check_eq(got[i], want.result[i], "result", i + 1);
}

static void native_way(unsigned way, const struct insn *insn)
{
    struct frame f;

    what = "svmc_call";
    expect_native(&f);
    f.guest.way = way;
    make(guest_call, &f, native_host, insn);
    native_results(&f, f.arg);

    what = "svmc_call_tok";
    expect_native(&f);
    f.guest.way = way;
    f.token.handle = want.token[0] = noise();
    f.token.tag_low = want.token[1] = noise();
    f.token.tag_high = want.token[2] = noise();
    want.has_token = true;
    want.control |= 1u << 24;
    make(guest_call_tok, &f, native_host, insn);
    native_results(&f, f.arg);

    what = "svmc_call3";
    expect_native(&f);
    f.guest.way = way;
    want.arg[3] = want.arg[4] = want.arg[5] = 0;
    make(guest_call_3, &f, native_host, insn);
    native_results(&f, f.out);
}

static void no_host(ucontext_t *uc, const struct insn *insn)
{
    (void)uc;
    (void)insn;
    check_eq(1, 0, "a call that must not be made", 0);
}

static void native_calls(void)
{
    struct frame f;

#if defined(__x86_64__)
    native_way(WAY_PORT, &out_insn);
    native_way(WAY_VMCALL, &vmcall_insn);
    native_way(WAY_VMMCALL, &vmmcall_insn);
#else
    native_way(WAY_TRAP, &trap_insn);
    native_way(WAY_CALL, &call_insn);
#endif

    what = "svmc_hcall";
    expect_native(&f);
    want.port = 0x565c;
    want.control = (f.control & 0xffff) | (uint64_t)1 << 56;
#if defined(__x86_64__)
    make(guest_hcall, &f, native_host, &out_insn);
#else
    make(guest_hcall, &f, native_host, &trap_insn);
#endif
    native_results(&f, f.arg);

    what = "a way that is not there";
    for (unsigned way = 0; way < 8; way++) {
#if defined(__x86_64__)
        if (way >= WAY_PORT && way <= WAY_VMMCALL)
#else
        if (way == WAY_TRAP || way == WAY_CALL)
#endif
            continue;
        expect_native(&f);
        f.guest.way = way;
        make(guest_call, &f, no_host, NULL);
        check_eq(run.trapped, 0, "calls", 0);
        check_eq(f.status, UINT64_MAX, "status", 0);
        f.guest.vmware = way;
        make(guest_low, &f, no_host, NULL);
        check_eq(f.status, UINT32_MAX, "EAX", 0);
        make(guest_send, &f, no_host, NULL);
        check_eq(f.status, 0, "status of a send", 0);
    }
}

/* ---- VMware's: HC-15 ---- */
static struct {
    uint64_t in[7], mask[7], out[7], word;
} bdoor;

static void vmware_host(ucontext_t *uc, const struct insn *insn)
{
    (void)insn;
    for (int i = 0; i < 7; i++)
        check_eq(get(uc, vmware[i]) & bdoor.mask[i], bdoor.in[i], "register of VMware's ABI", i);
#if defined(VMWARE_WORD)
    check_eq(get(uc, VMWARE_WORD), bdoor.word, "word", 0);
#endif
    for (int i = 0; i < 7; i++)
        if (bdoor.mask[i])
            put(uc, vmware[i], bdoor.out[i] = noise());
}

/* What dx[15:0] or its like holds: a port, or the flags of VMCALL. */
static uint64_t gate(unsigned way, unsigned port, unsigned flags)
{
    return way == WAY_VMCALL || way == WAY_VMMCALL ? flags : port;
}

static void low_way(unsigned way, const struct insn *insn)
{
    struct frame f;

    what = "svmc_vmware_low";
    memset(&f, 0, sizeof f);
    f.guest.vmware = way;
    for (int i = 0; i < 6; i++) {
        f.arg[i] = noise();
        bdoor.in[i] = (uint32_t)f.arg[i];
        bdoor.mask[i] = UINT64_MAX;
    }
    bdoor.in[0] = 0x564d5868;
    bdoor.in[3] = (f.arg[3] & 0xffff0000) | gate(way, 0x5658, 0);
    bdoor.in[6] = bdoor.mask[6] = 0; /* no register of such a call; on x86 it is the frame's */
    bdoor.word = 0x860000000e;
    make(guest_low, &f, vmware_host, insn);
    check_eq(run.trapped, 1, "calls", 0);
    check_eq(f.status, (uint32_t)bdoor.out[0], "EAX", 0);
    for (int i = 0; i < 6; i++)
        check_eq(f.arg[i], (uint32_t)bdoor.out[i], "result", i);
}

static void high_way(unsigned way, const struct insn *insn, void (*entry)(struct frame *))
{
    bool send = entry == guest_send;
    struct frame f;

    what = send ? "svmc_vmware_send" : "svmc_vmware_receive";
    memset(&f, 0, sizeof f);
    f.guest.vmware = way;
    f.arg[0] = noise() & 0xffff;
    f.arg[1] = noise() & 0xffffff;
    f.channel.id = (unsigned)(noise() & 0xff);
    f.channel.cookie_high = (unsigned)noise();
    f.channel.cookie_low = (unsigned)noise();
    f.memory = stack;
    for (int i = 0; i < 7; i++)
        bdoor.mask[i] = UINT64_MAX;
    bdoor.in[0] = 0x564d5868;
    bdoor.in[1] = f.arg[0];
    bdoor.in[2] = f.arg[1];
    bdoor.in[3] = (uint64_t)f.channel.id << 16 | gate(way, 0x5659, send ? 3 : 1);
    bdoor.in[4] = send ? (uint64_t)f.memory : f.channel.cookie_high;
    bdoor.in[5] = send ? f.channel.cookie_low : (uint64_t)f.memory;
    bdoor.in[6] = send ? f.channel.cookie_high : f.channel.cookie_low;
    bdoor.word = send ? 0x8600000018 : 0x860000001c;
    make(entry, &f, vmware_host, insn);
    check_eq(run.trapped, 1, "calls", 0);
    check_eq(f.status, bdoor.out[1] >> 16 & 0xffff, "status", 0);
}

static void vmware_calls(void)
{
#if defined(__x86_64__)
    low_way(WAY_PORT, &in_insn);
    high_way(WAY_PORT, &outs_insn, guest_send);
    high_way(WAY_PORT, &ins_insn, guest_receive);
    high_way(WAY_PORT, &ins_insn, guest_receive_odd);
    for (unsigned way = WAY_VMCALL; way <= WAY_VMMCALL; way++) {
        const struct insn *insn = way == WAY_VMCALL ? &vmcall_insn : &vmmcall_insn;

        low_way(way, insn);
        high_way(way, insn, guest_send);
        high_way(way, insn, guest_receive);
        high_way(way, insn, guest_receive_odd);
    }
#else
    for (unsigned way = WAY_TRAP; way <= WAY_CALL; way++) {
        const struct insn *insn = &trap_insn;

#if defined(__aarch64__)
        insn = way == WAY_CALL ? &vmware_insn : insn;
#elif defined(__s390x__)
        insn = way == WAY_CALL ? &call_insn : insn;
#endif
        low_way(way, insn);
        high_way(way, insn, guest_send);
        high_way(way, insn, guest_receive);
        high_way(way, insn, guest_receive_odd);
    }
#endif
}

/* ---- svmc_probe: HC-14 ---- */
enum reaction {
    NOBODY,  /* the instruction does nothing */
    FAULTS,  /* a signal for the caller */
    ERRNO,   /* another hypervisor: -38 where the status would be */
    ANSWERS, /* OK, version 1; VMware's: version 6 */
    REFUSES  /* a status word that is not OK */
};

#if defined(__x86_64__)
#define WAY_USUAL WAY_PORT
#else
#define WAY_USUAL WAY_TRAP
#endif

struct world {
    const char *name;
    int kernel, hvc, tries; /* struct svmc_probe_how; tries: there is an attempt */
    /* what announces itself */
    bool hypervisor;         /* CPUID 1 */
    uint32_t base, max;      /* ours; 0: none */
    uint32_t ours;           /* bits of our leaf; elsewhere: SMCCC or the SBI says yes */
    bool is_vmware, foreign; /* signature at 0x40000000: VMware's, KVM's */
    uint32_t vmware_max, vmware_bits;
    /* what the instructions do */
    enum reaction native, native_call, bdoor; /* native_call: VMCALL, VMMCALL, HVC, ECALL, DIAG */
    /* what must come out */
    unsigned way, vmware, abi, port;
    bool no_calls;
};

static struct {
    const struct world *w;
    unsigned cpuids, asks, calls;
    sigjmp_buf out;
} probed;

static void react(ucontext_t *uc, enum reaction r, bool is_vmware)
{
    probed.calls++;
    if (r == FAULTS)
        siglongjmp(probed.out, 1);
    if (is_vmware && r == ANSWERS) {
        put(uc, vmware[0], 6);
        put(uc, vmware[1], 0x564d5868);
        put(uc, vmware[2], 4);
    } else if (r == ERRNO) {
        put(uc, answer[0], (uint64_t)-38);
    } else if (r == ANSWERS) {
        put(uc, answer[0], 0);
        put(uc, answer[1], 1);
        put(uc, answer[2], 1 | 1 << 16);
    } else if (r == REFUSES) {
        put(uc, answer[0], 2);
    }
}

#if defined(__x86_64__)
static void cpuid(ucontext_t *uc, const struct world *w)
{
    uint32_t leaf = (uint32_t)get(uc, RAX), r[4] = { 0, 0, 0, 0 };
    uint32_t poison = (uint32_t)noise();

    probed.cpuids++;
    check_eq((uint32_t)get(uc, RCX), 0, "subleaf", 0);
    if (leaf == 1) {
        r[2] = (poison & 0x7fffffff) | (uint32_t)w->hypervisor << 31;
    } else if (w->base && leaf == w->base) {
        r[0] = w->max;
        memcpy(r + 1, "SVMCSVMCSVMC", 12);
    } else if (w->base && leaf == w->base + 1) {
        r[0] = 1;
        r[1] = 0x1234;
        r[2] = w->ours;
    } else if (leaf == 0x40000000 && w->is_vmware) {
        r[0] = w->vmware_max;
        memcpy(r + 1, "VMwareVMware", 12);
    } else if (leaf == 0x40000000 && w->foreign) {
        r[0] = 0x40000010;
        memcpy(r + 1, "KVMKVMKVM\0\0\0", 12);
    } else if (leaf == 0x40000010 && w->is_vmware) {
        r[0] = poison;
        r[2] = w->vmware_bits | 0x8;
    }
    put(uc, RAX, r[0]); /* the upper halves become 0, as CPUID has it */
    put(uc, RBX, r[1]);
    put(uc, RCX, r[2]);
    put(uc, RDX, r[3]);
}
#endif

static void probe_host(ucontext_t *uc, const struct insn *insn)
{
    const struct world *w = probed.w;

#if defined(__x86_64__)
    if (insn == &cpuid_insn)
        cpuid(uc, w);
    else if (insn == &in_insn || (uint32_t)get(uc, RAX) == 0x564d5868)
        react(uc, w->bdoor, true);
    else
        react(uc, insn == &out_insn ? w->native : w->native_call, false);
#elif defined(__aarch64__)
    if (insn == &ask_insn) {
        probed.asks++;
        check_eq(get(uc, 0), 0x8600ff01, "SMCCC function", 0);
        put(uc, 0, w->ours ? 0x863a1d7b : (uint64_t)-1);
        for (int i = 1; w->ours && i < 4; i++) {
            static const uint32_t uid[4] = { 0, 0x5b4f0c8e, 0x5653529d, 0x873a434d };
            put(uc, i, uid[i] ^ (w->ours == 2 && i == 3)); /* 2: nearly ours */
        }
        for (int i = 4; i < 18; i++) /* SMCCC 1.0 lets the callee have them */
            put(uc, i, noise());
    } else if (get(uc, 7) >> 32 == 0x86) {
        react(uc, w->bdoor, true);
    } else {
        react(uc, insn == &trap_insn ? w->native : w->native_call, false);
    }
#elif defined(__riscv)
    if (insn == &call_insn && get(uc, 17) == 0x10) {
        probed.asks++;
        check_eq(get(uc, 16), 3, "function of the SBI", 0);
        check_eq(get(uc, 10), 0x0a53564d, "extension", 0);
        put(uc, 10, 0);
        put(uc, 11, w->ours);
    } else if (get(uc, 17) >> 32 == 0x86) {
        react(uc, w->bdoor, true);
    } else {
        react(uc, insn == &trap_insn ? w->native : w->native_call, false);
    }
#else
    if (get(uc, 1) >> 32 == 0x86)
        react(uc, w->bdoor, true);
    else
        react(uc, insn == &trap_insn ? w->native : w->native_call, false);
#endif
}

static int attempt(void *ctx, void (*call)(void *), void *of)
{
    check_eq((uint64_t)ctx, (uint64_t)&probed, "ctx", 0);
    if (sigsetjmp(probed.out, 1) != 0)
        return 1;
    call(of);
    return 0;
}

static const struct world worlds[] = {
#if defined(__x86_64__)
    { .name = "bare metal",
      .native = ANSWERS,
      .base = 0x40000000,
      .max = 0x40000001,
      .ours = 2,
      .no_calls = true },
    { .name = "KVM, nothing of ours", .hypervisor = true, .foreign = true, .no_calls = true },
    { .name = "ours first",
      .hypervisor = true,
      .base = 0x40000000,
      .max = 0x40000001,
      .way = WAY_PORT,
      .abi = 1,
      .port = 0x1234,
      .no_calls = true },
    { .name = "ours behind KVM",
      .hypervisor = true,
      .foreign = true,
      .base = 0x40000100,
      .max = 0x40000101,
      .ours = 1,
      .way = WAY_VMMCALL,
      .abi = 1,
      .port = 0x1234,
      .no_calls = true },
    { .name = "ours last",
      .hypervisor = true,
      .base = 0x4000ff00,
      .max = 0x4000ff01,
      .ours = 3,
      .way = WAY_VMCALL,
      .abi = 1,
      .port = 0x1234,
      .no_calls = true },
    { .name = "ours beyond the range",
      .hypervisor = true,
      .base = 0x40010000,
      .max = 0x40010001,
      .no_calls = true },
    { .name = "our signature without a leaf",
      .hypervisor = true,
      .base = 0x40000100,
      .max = 0x40000100,
      .no_calls = true },
    { .name = "VMware by port",
      .hypervisor = true,
      .is_vmware = true,
      .vmware_max = 0x40000010,
      .vmware = WAY_PORT,
      .no_calls = true },
    { .name = "VMware, AMD",
      .hypervisor = true,
      .is_vmware = true,
      .vmware_max = 0x40000010,
      .vmware_bits = 1,
      .vmware = WAY_VMMCALL,
      .no_calls = true },
    { .name = "VMware, both",
      .hypervisor = true,
      .is_vmware = true,
      .vmware_max = 0x40000010,
      .vmware_bits = 3,
      .vmware = WAY_VMCALL,
      .no_calls = true },
    { .name = "VMware of old",
      .hypervisor = true,
      .is_vmware = true,
      .vmware_max = 0x4000000f,
      .vmware_bits = 3,
      .vmware = WAY_PORT,
      .no_calls = true },
    { .name = "VMware and ours",
      .hypervisor = true,
      .is_vmware = true,
      .vmware_max = 0x40000010,
      .vmware_bits = 2,
      .base = 0x40000100,
      .max = 0x40000110,
      .ours = 2,
      .way = WAY_VMCALL,
      .vmware = WAY_VMCALL,
      .abi = 1,
      .port = 0x1234,
      .no_calls = true },
    { .name = "announced, tried",
      .tries = 1,
      .hypervisor = true,
      .base = 0x40000000,
      .max = 0x40000001,
      .ours = 2,
      .native_call = ANSWERS,
      .native = FAULTS,
      .bdoor = FAULTS,
      .way = WAY_VMCALL,
      .abi = 1,
      .port = 0x1234 },
    { .name = "announced, faults, the port answers",
      .tries = 1,
      .hypervisor = true,
      .base = 0x40000000,
      .max = 0x40000001,
      .ours = 2,
      .native_call = FAULTS,
      .native = ANSWERS,
      .bdoor = FAULTS,
      .way = WAY_PORT,
      .abi = 1,
      .port = 0x1234 },
    { .name = "announced, another answers",
      .tries = 1,
      .hypervisor = true,
      .base = 0x40000000,
      .max = 0x40000001,
      .ours = 1,
      .native_call = ERRNO,
      .native = NOBODY,
      .bdoor = NOBODY,
      .abi = 1,
      .port = 0x1234 },
    { .name = "VMware announced, faults",
      .tries = 1,
      .hypervisor = true,
      .is_vmware = true,
      .vmware_max = 0x40000010,
      .native = FAULTS,
      .bdoor = FAULTS },
#else
    { .name = "not asked",
      .native = ANSWERS,
      .native_call = ANSWERS,
      .bdoor = ANSWERS,
      .no_calls = true },
#if defined(__s390x__)
    { .name = "kernel, DIAGNOSE",
      .kernel = 1,
      .tries = 1,
      .native = FAULTS,
      .native_call = ANSWERS,
      .bdoor = NOBODY,
      .way = WAY_CALL,
      .abi = 1 },
    { .name = "kernel, no DIAGNOSE",
      .kernel = 1,
      .tries = 1,
      .native = ANSWERS,
      .native_call = FAULTS,
      .bdoor = NOBODY,
      .way = WAY_TRAP,
      .abi = 1 },
    { .name = "a program makes no DIAGNOSE",
      .tries = 1,
      .native = FAULTS,
      .native_call = ANSWERS,
      .bdoor = NOBODY },
#else
    { .name = "kernel, announced",
      .kernel = 1,
      .hvc = 1,
      .ours = 1,
      .way = WAY_CALL,
      .no_calls = true },
    { .name = "kernel, nothing of ours", .kernel = 1, .hvc = 1, .no_calls = true },
    { .name = "kernel, announced, tried",
      .kernel = 1,
      .hvc = 1,
      .tries = 1,
      .ours = 1,
      .native_call = ANSWERS,
      .native = FAULTS,
      .bdoor = FAULTS,
      .way = WAY_CALL,
      .abi = 1 },
    { .name = "kernel, announced, lies",
      .kernel = 1,
      .hvc = 1,
      .tries = 1,
      .ours = 1,
      .native_call = NOBODY,
      .native = ANSWERS,
      .bdoor = FAULTS,
      .way = WAY_TRAP,
      .abi = 1 },
    { .name = "a program is not announced to", .hvc = 1, .ours = 1, .no_calls = true },
#if defined(__aarch64__)
    { .name = "kernel, nearly our UID", .kernel = 1, .hvc = 1, .ours = 2, .no_calls = true },
    { .name = "kernel, no HVC", .kernel = 1, .ours = 1, .no_calls = true },
#endif
#endif
#endif
    { .name = "nobody, faults",
      .tries = 1,
      .native = FAULTS,
      .native_call = FAULTS,
      .bdoor = FAULTS },
    { .name = "nobody, silence", .tries = 1, .native = NOBODY, .bdoor = NOBODY },
    { .name = "another hypervisor", .tries = 1, .native = ERRNO, .bdoor = ERRNO },
    { .name = "a program, native",
      .tries = 1,
      .native = ANSWERS,
      .bdoor = FAULTS,
      .abi = 1,
      .way = WAY_USUAL },
    { .name = "a program, no discovery",
      .tries = 1,
      .native = REFUSES,
      .bdoor = NOBODY,
      .way = WAY_USUAL },
    { .name = "a program, VMware's",
      .tries = 1,
      .native = NOBODY,
      .bdoor = ANSWERS,
      .vmware = WAY_USUAL },
};

static void probes(void)
{
    for (unsigned i = 0; i < COUNT(worlds); i++) {
        const struct world *w = &worlds[i];
        struct frame f;

        memset(&f, 0xa5, sizeof f);
        what = w->name;
        probed.w = w;
        probed.cpuids = probed.asks = probed.calls = 0;
        f.how.kernel = w->kernel;
        f.how.hvc = w->hvc;
        f.how.attempt = w->tries ? attempt : NULL;
        f.how.ctx = &probed;
        make(guest_probe, &f, probe_host, NULL);
        check_eq(f.guest.way, w->way, "way", 0);
        check_eq(f.guest.vmware, w->vmware, "VMware's way", 0);
        check_eq(f.guest.abi, w->abi, "version", 0);
        check_eq(f.guest.port, w->port ? w->port : 0x565c, "port", 0);
        check_eq(f.status, w->way || w->vmware, "result", 0);
        check_eq(!probed.calls, w->no_calls, "silence", 0);
#if defined(__x86_64__)
        check_eq(probed.cpuids > 0, true, "CPUID asked", 0);
#elif defined(__aarch64__)
        check_eq(probed.asks, w->kernel && w->hvc, "SMCCC asked", 0);
#elif defined(__riscv)
        check_eq(probed.asks, w->kernel, "SBI asked", 0);
#endif
    }
}

int main(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGTRAP, &action, NULL);
    patch_all();
    for (int round = 0; round < 50; round++) {
        native_calls();
        vmware_calls();
    }
    probes();
    printf("%u checks, %u failed, %u places patched\n", checks, failures, site_count);
    return failures != 0;
}
