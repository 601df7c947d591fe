/* SPDX-License-Identifier: MIT */
/*
 * The stub: a function in a page of its own that loads all registers, has the instruction behind
 * that, and stores all registers. A fault becomes a jump to where they are stored. FS is the C
 * library's and stays; so no case may write through it.
 */
#include "exec_stub.h"
#include <string.h>
#ifdef __x86_64__
#include <asm/prctl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE ((uint8_t *)(uintptr_t)(STUB_BASE + 0x4000))
#define SLOT 0x400u
#define BACK 0x600u

/* At STUB_BASE: what the stub reaches with absolute addresses. */
struct room {
    uint64_t in[16], out[16], flags, out_flags, host_stack;
};
static struct room *const room = (struct room *)(uintptr_t)STUB_BASE;
static volatile sig_atomic_t faulted;
static uint64_t fault_vector, fault_error, fault_address;

struct writer {
    uint8_t *at;
};

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
    put_absolute(&w, 0xff, 6, &room->flags); /* PUSH */
    put(&w, "\x9d", 1);
    for (unsigned r = 0; r < 16; r++)
        if (r != 4)
            put_absolute(&w, 0x8b, r, &room->in[r]);
    put_absolute(&w, 0x8b, 4, &room->in[4]);
    memset(CODE, 0x90, SLOT);
    memcpy(CODE + SLOT - (size_t)(w.at - code), code, (size_t)(w.at - code));
    w.at = CODE + BACK;
    for (unsigned r = 0; r < 16; r++)
        put_absolute(&w, 0x89, r, &room->out[r]);
    put_absolute(&w, 0x8b, 4, &room->host_stack);
    put(&w, "\x9c", 1);
    put_absolute(&w, 0x8f, 0, &room->out_flags); /* POP */
    put(&w, restore, sizeof restore);
}

uint64_t stub_rip(void)
{
    return (uint64_t)(uintptr_t)(CODE + SLOT);
}

uint64_t stub_back(void)
{
    return (uint64_t)(uintptr_t)(CODE + BACK);
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
    g[REG_RIP] = (greg_t)stub_back();
}

const char *stub_open(void)
{
    static const int signals[] = { SIGILL, SIGSEGV, SIGFPE, SIGBUS };
    static uint8_t stack[65536];
    stack_t alternative = { .ss_sp = stack, .ss_size = sizeof stack };
    struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK };
    uint8_t *arena = (uint8_t *)(uintptr_t)ARENA;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;

    action.sa_sigaction = on_signal;
    if (sigaltstack(&alternative, NULL) != 0)
        return "a signal stack";
    for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (sigaction(signals[i], &action, NULL) != 0)
            return "signals";
    if (mmap(room, STUB_END - STUB_BASE, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0) != room)
        return "a writable and executable page";
    if (mmap(arena, ARENA_PAGES * ARENA_PAGE, PROT_READ | PROT_WRITE, flags, -1, 0) != arena)
        return "memory";
    memset(arena, 0, ARENA_PAGES * ARENA_PAGE);
    if (syscall(SYS_arch_prctl, ARCH_SET_GS, (unsigned long)STUB_GS_BASE) != 0)
        return "a base for GS";
    build();
    return NULL;
}

void stub_run(const uint8_t *bytes, size_t count, struct stub *s)
{
    uint8_t *at = CODE + SLOT;
    int32_t away = (int32_t)(BACK - SLOT - count - 5);
    void (*call)(void);

    memcpy(at, bytes, count);
    at[count] = 0xe9; /* JMP */
    memcpy(at + count + 1, &away, 4);
    memcpy(room->in, s->general, sizeof room->in);
    room->flags = s->flags;
    faulted = 0;
    *(void **)&call = CODE + SLOT - 0x100;
    call();
    memcpy(s->general, room->out, sizeof room->out);
    s->flags = room->out_flags;
    s->faulted = faulted != 0;
    s->vector = (unsigned)fault_vector;
    s->error = fault_error;
    s->address = fault_address;
}
#else
const char *stub_open(void)
{
    return "an x86-64 processor";
}

void stub_run(const uint8_t *bytes, size_t count, struct stub *s)
{
    (void)bytes, (void)count;
    memset(s, 0, sizeof *s);
}

uint64_t stub_rip(void)
{
    return 0;
}

uint64_t stub_back(void)
{
    return 0;
}
#endif
