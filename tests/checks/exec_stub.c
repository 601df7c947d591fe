/* SPDX-License-Identifier: MIT */
/*
 * The stub: a function in a page of its own that loads all registers, has the instruction behind
 * that, and stores all registers. A fault becomes a jump to where they are stored. FS is the C
 * library's and stays; so no case may write through it. 32 and 16-bit code is entered and left by
 * far jumps: Linux has a flat code segment of 32 bits for every program, 16 bits are in the LDT.
 */
#include "exec_stub.h"
#include <string.h>
#ifdef __x86_64__
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE ((uint8_t *)(uintptr_t)(STUB_BASE + 0x4000))
#define SLOT 0x400u
#define WAY  0x500u /* back to 64-bit mode, for branches */
#define BACK 0x600u
#define AREA (STUB_BASE + 0x8000) /* of XSAVE */

#define XCR0_ALL 0xe7u /* x87, SSE, AVX; masks, upper halves, upper registers of AVX-512 */

#define SELECTOR_64   0x33u /* Linux, arch/x86/include/asm/segment.h */
#define SELECTOR_32   0x23u
#define SELECTOR_DATA 0x2bu
#define SELECTOR_LDT  7u /* entry 0; code there, data in entry 1 */

/* At STUB_BASE: what the stub reaches with absolute addresses. */
struct room {
    uint64_t in[16], out[16], flags, out_flags, host_stack, far;
    uint32_t mxcsr; /* of C */
};
static struct room *const room = (struct room *)(uintptr_t)STUB_BASE;
static volatile sig_atomic_t faulted;
static uint64_t fault_vector, fault_error, fault_address;
static unsigned mode;
static bool with_state;     /* of the code that is built */
static uint64_t present;    /* of XCR0 */
static uint32_t offsets[8]; /* in the area, by component (CPUID leaf D) */

struct writer {
    uint8_t *at;
};

uint64_t stub_rip(void)
{
    return (mode == 16 ? 0 : (uint64_t)(uintptr_t)CODE) + SLOT;
}

uint64_t stub_back(void)
{
    return (mode == 16 ? 0 : (uint64_t)(uintptr_t)CODE) + WAY;
}

static void put(struct writer *w, const void *bytes, size_t n)
{
    memcpy(w->at, bytes, n);
    w->at += n;
}

/* op reg, [absolute] */
static void put_absolute(struct writer *w, uint8_t op, unsigned reg, const void *where)
{
    uint32_t address = (uint32_t)(uintptr_t)where;
    uint8_t code[4] = { (uint8_t)(0x48 | (reg >> 3) << 2), op, (uint8_t)((reg & 7) << 3 | 4),
                        0x25 };

    put(w, code, sizeof code);
    put(w, &address, 4);
}

/* Back to BACK: in 64-bit mode near, else far. */
static unsigned put_way_back(uint8_t *at)
{
    uint32_t back = (uint32_t)(uintptr_t)(CODE + BACK), away = back - (uint32_t)(uintptr_t)at - 5;
    struct writer w = { at };

    if (mode == 64) {
        put(&w, "\xe9", 1);
        put(&w, &away, 4);
    } else {
        put(&w, "\x66\xea", mode == 16 ? 2 : 0);
        put(&w, "\xea", mode == 32 ? 1 : 0);
        put(&w, &back, 4);
        put(&w, (uint8_t[2]){ SELECTOR_64, 0 }, 2);
    }
    return (unsigned)(w.at - at);
}

/* XRSTOR or XSAVE of the area, with all of their components. */
static void put_state(struct writer *w, uint8_t modrm)
{
    const uint32_t area = AREA;

    put(w, "\xb8\xe7\x00\x00\x00\x31\xd2\x48\x0f\xae", 10); /* EAX, EDX */
    put(w, (uint8_t[2]){ modrm, 0x25 }, 2);
    put(w, &area, 4);
}

static void build(void)
{
    static const uint8_t save[] = { 0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57 };
    static const uint8_t restore[] = { 0x6a, 0x02, 0x9d, /* flags: none */
                                       0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d,
                                       0x41, 0x5c, 0x5d, 0x5b, 0xc3 };
    uint8_t code[SLOT];
    struct writer w = { code };

    put(&w, save, sizeof save);
    put_absolute(&w, 0x89, 4, &room->host_stack);
    if (with_state)
        put_state(&w, 0x2c);                 /* XRSTOR */
    put_absolute(&w, 0xff, 6, &room->flags); /* PUSH */
    put(&w, "\x9d", 1);
    for (unsigned r = 0; r < 16; r++)
        if (r != 4)
            put_absolute(&w, 0x8b, r, &room->in[r]);
    put_absolute(&w, 0x8b, 4, &room->in[4]);
    if (mode != 64) { /* JMP far [room->far], offset of 32 bits */
        uint32_t far_at = (uint32_t)(uintptr_t)&room->far;

        put(&w, "\xff\x2c\x25", 3);
        put(&w, &far_at, 4);
        room->far = stub_rip() | (uint64_t)(mode == 16 ? SELECTOR_LDT : SELECTOR_32) << 32;
    }
    memset(CODE, 0x90, SLOT);
    memcpy(CODE + SLOT - (size_t)(w.at - code), code, (size_t)(w.at - code));
    put_way_back(CODE + WAY);
    w.at = CODE + BACK;
    for (unsigned r = 0; r < 16; r++)
        put_absolute(&w, 0x89, r, &room->out[r]);
    put_absolute(&w, 0x8b, 4, &room->host_stack);
    if (with_state) {
        const uint32_t mxcsr_at = (uint32_t)(uintptr_t)&room->mxcsr;

        put(&w, "\x9c", 1);                     /* XOR changes them */
        put_state(&w, 0x24);                    /* XSAVE */
        put(&w, "\xdb\xe3\x0f\xae\x14\x25", 6); /* FNINIT, LDMXCSR */
        put(&w, &mxcsr_at, 4);
        put(&w, "\x9d", 1);
    }
    put(&w, "\x9c", 1);
    put_absolute(&w, 0x8f, 0, &room->out_flags); /* POP */
    put(&w, restore, sizeof restore);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    greg_t *g = u->uc_mcontext.gregs;

    __builtin_ia32_writeeflags_u64(0x202); /* AC may be set */
    (void)info;
    if ((uint64_t)g[REG_RIP] != stub_rip()) {
        char text[80];
        int n = snprintf(text, sizeof text, "exec_stub: signal %d at %#llx\n", sig,
                         (unsigned long long)g[REG_RIP]);

        (void)!write(2, text, (size_t)n);
        _exit(128 + sig);
    }
    faulted = 1;
    fault_vector = (uint64_t)g[REG_TRAPNO];
    fault_error = (uint64_t)g[REG_ERR];
    fault_address = (uint64_t)g[REG_CR2];
    g[REG_RIP] = (greg_t)(uintptr_t)(CODE + BACK);
    g[REG_CSGSFS] = (g[REG_CSGSFS] & ~(greg_t)0xffff) | (greg_t)SELECTOR_64;
}

/* 16-bit code at CODE, and data at STUB_DATA_16. */
static bool set_ldt(void)
{
    struct user_desc code = { .entry_number = 0,
                              .base_addr = (unsigned)(uintptr_t)CODE,
                              .limit = 0xffff,
                              .contents = MODIFY_LDT_CONTENTS_CODE };
    struct user_desc data = { .entry_number = 1, .base_addr = STUB_DATA_16, .limit = 0xffff };

    return syscall(SYS_modify_ldt, 1, &code, sizeof code) == 0 &&
           syscall(SYS_modify_ldt, 1, &data, sizeof data) == 0;
}

static const char *set_segments(void)
{
    unsigned data = mode == 16 ? SELECTOR_LDT + 8 : SELECTOR_DATA;

    if (mode == 16 && !set_ldt())
        return "modify_ldt";
    if (mode != 64)
        __asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(data));
    return syscall(SYS_arch_prctl, ARCH_SET_GS, (unsigned long)STUB_GS_BASE) == 0 ? NULL
                                                                                  : "a base for GS";
}

void stub_selectors(uint16_t out[6])
{
    __asm__ volatile("mov %%es, %0" : "=r"(out[0]));
    out[1] = (uint16_t)(mode == 64 ? SELECTOR_64 : mode == 32 ? SELECTOR_32 : SELECTOR_LDT);
    __asm__ volatile("mov %%ss, %0" : "=r"(out[2]));
    __asm__ volatile("mov %%ds, %0" : "=r"(out[3]));
    __asm__ volatile("mov %%fs, %0" : "=r"(out[4]));
    __asm__ volatile("mov %%gs, %0" : "=r"(out[5]));
}

const char *stub_open(unsigned bits)
{
    static bool open;
    static const int signals[] = { SIGILL, SIGSEGV, SIGFPE, SIGBUS };
    static uint8_t stack[65536];
    stack_t alternative = { .ss_sp = stack, .ss_size = sizeof stack };
    struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK };
    uint8_t *arena = (uint8_t *)(uintptr_t)ARENA;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;

    const char *missing;

    mode = bits;
    action.sa_sigaction = on_signal;
    if (sigaltstack(&alternative, NULL) != 0)
        return "a signal stack";
    for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (sigaction(signals[i], &action, NULL) != 0)
            return "signals";
    if (!open &&
        mmap(room, STUB_END - STUB_BASE, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0) != room)
        return "a writable and executable page";
    if (!open &&
        mmap(arena, ARENA_PAGES * ARENA_PAGE, PROT_READ | PROT_WRITE, flags, -1, 0) != arena)
        return "memory";
    if (!open)
        memset(arena, 0, ARENA_PAGES * ARENA_PAGE); /* the page that is read alone is there, too */
    open = true;
    room->mxcsr = 0x1f80;
    with_state = false;
    missing = set_segments();
    if (missing == NULL)
        build();
    return missing;
}

uint64_t stub_xcr0(void)
{
    static bool asked; /* CPUID takes long in a virtual machine */
    uint32_t a, b, c, d;

    if (asked)
        return present;
    asked = true;
    if (!__get_cpuid_count(1, 0, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return 0;
    for (unsigned i = 2; i < 8; i++)
        if (__get_cpuid_count(13, i, &a, &b, &c, &d))
            offsets[i] = b;
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    present = a & XCR0_ALL;
    return present;
}

static bool is_zero(const void *bytes, size_t n)
{
    const uint8_t *b = bytes;

    while (n > 0 && *b == 0)
        b++, n--;
    return n == 0;
}

/*
 * Of what is present, the components that are not in their initial state: what XRSTOR is given of
 * another the processor may count as in use (SDM vol. 1 13.6).
 */
static uint64_t in_use(const struct stub_state *s)
{
    uint64_t used = 0;

    if (s->fcw != 0x37f || s->fsw != 0 || s->ftw != 0 || s->fop != 0 || s->fip != 0 ||
        s->fdp != 0 || !is_zero(s->x87, sizeof s->x87))
        used |= 1;
    for (unsigned i = 0; i < 16; i++) {
        used |= is_zero(s->vector[i], 16) ? 0 : 2;
        used |= is_zero(s->vector[i] + 16, 16) ? 0 : 4;
        used |= is_zero(s->vector[i] + 32, 32) ? 0 : 64;
        used |= is_zero(s->vector[16 + i], 64) ? 0 : 128;
    }
    used |= is_zero(s->mask, sizeof s->mask) ? 0 : 32;
    return used & present;
}

/* Area <-> state: XMM and x87 of FXSAVE, the halves above, registers above 15. */
static void copy_state(struct stub_state *s, bool load)
{
    uint8_t *area = (uint8_t *)(uintptr_t)AREA;
    unsigned top;

#define COPY(at, what, n) (load ? memcpy(at, what, n) : memcpy(what, at, n))
    COPY(area, &s->fcw, 2);
    COPY(area + 2, &s->fsw, 2);
    COPY(area + 4, &s->ftw, 1);
    COPY(area + 6, &s->fop, 2);
    COPY(area + 8, &s->fip, 8);
    COPY(area + 16, &s->fdp, 8);
    COPY(area + 24, &s->mxcsr, 4);
    top = s->fsw >> 11 & 7;
    for (unsigned i = 0; i < 8; i++)
        COPY(area + 32 + 16 * i, s->x87[(top + i) & 7], 10);
    for (unsigned i = 0; i < 32; i++) {
        if (i < 16)
            COPY(area + 160 + 16 * i, s->vector[i], 16);
        if (i < 16 && (present & 4))
            COPY(area + offsets[2] + 16 * i, s->vector[i] + 16, 16);
        if (i < 16 && (present & 64))
            COPY(area + offsets[6] + 32 * i, s->vector[i] + 32, 32);
        if (i >= 16 && (present & 128))
            COPY(area + offsets[7] + 64 * (i - 16), s->vector[i], 64);
        if (i < 8 && (present & 32))
            COPY(area + offsets[5] + 8 * i, &s->mask[i], 8);
    }
#undef COPY
    if (load) {
        uint64_t used = in_use(s);

        memset(area + 512, 0, 64);
        memcpy(area + 512, &used, 8);
    }
}

void stub_run(const uint8_t *bytes, size_t count, struct stub *s)
{
    uint8_t *at = CODE + SLOT;
    void (*call)(void);

    if (with_state != (s->state != NULL)) {
        with_state = !with_state;
        build();
    }
    if (with_state)
        copy_state(s->state, true);
    memcpy(at, bytes, count);
    put_way_back(at + count);
    memcpy(room->in, s->general, sizeof room->in);
    room->flags = s->flags;
    faulted = 0;
    *(void **)&call = CODE + SLOT - 0x100;
    call();
    if (with_state)
        copy_state(s->state, false);
    memcpy(s->general, room->out, sizeof room->out);
    s->flags = room->out_flags;
    s->faulted = faulted != 0;
    s->vector = (unsigned)fault_vector;
    s->error = fault_error;
    s->address = fault_address;
}
#else
const char *stub_open(unsigned bits)
{
    (void)bits;
    return "an x86-64 processor";
}

void stub_run(const uint8_t *bytes, size_t count, struct stub *s)
{
    (void)bytes, (void)count;
    memset(s, 0, sizeof *s);
}

uint64_t stub_xcr0(void)
{
    return 0;
}

uint64_t stub_rip(void)
{
    return 0;
}

uint64_t stub_back(void)
{
    return 0;
}

void stub_selectors(uint16_t out[6])
{
    memset(out, 0, 12);
}
#endif
