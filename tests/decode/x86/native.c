/* SPDX-License-Identifier: MIT */
/*
 * The processor as a reference: the bytes of a case end at a page that cannot be read, and one
 * instruction of them is executed. A fault on fetching that page means that more bytes are needed;
 * SIGILL means #UD; everything else (single-step trap, memory fault, #GP) means that the bytes are
 * one instruction. So an instruction of n bytes must fault on fetch with n - 1 of them, and must
 * not with n; a refused one must give #UD with all 16; a too long one #GP.
 *
 * It runs in a child. Each trial is a return from a signal handler to the case with the trap flag
 * set, and ends in the next signal. All registers but RAX are 0, RAX is -1 (no system call has that
 * number), no page is mapped within 2 GiB of the case and the stack pointer is 0, so that nothing
 * it does reaches memory. A child that dies or hangs is replaced and goes on behind its last case.
 */
#define _GNU_SOURCE 1
#include "native.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "cases.h"
#ifdef __x86_64__
#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include "native_features.h"

#define PAGE     4096u
#define CODE     ((uint8_t *)0x100000000000)
#define GUARD    (CODE + PAGE)
#define NO_SETUP 3 /* exit status of a child */

enum outcome { O_FETCH, O_UD, O_GP, O_RAN };

/* Shared by parent and child. */
struct board {
    struct native_totals t;
    uint64_t next; /* case in hand */
    uint8_t bytes[CASE_BYTES];
};

static struct board *board;
static struct svmc_cpu cpu;
static unsigned long fs_base;
static greg_t code_segment; /* and the others of that word: SYSENTER on Intel leaves 32-bit ones */
static uint64_t limit, first_seed, shown_limit;

/* The case in hand. */
static struct shape shape;
static enum svmc_status status;
static struct svmc_insn insn;
static enum { T_START, T_WHOLE, T_SHORT } stage;
static unsigned trial_bytes;

static void next_case(void)
{
    uint64_t n = board->next;

    if (n & 1)
        random_case(64, first_seed, n, board->bytes);
    else
        skeleton_case(64, (first_seed + n / 2 * 7919 * 7907) % skeleton_count(64), board->bytes);
    status = svmc_insn_decode(&cpu, board->bytes, CASE_BYTES, &insn);
    shape_read(&shape, board->bytes, 64, cpu.vendor);
    board->t.cases++;
    if (status == SVMC_OK)
        board->t.accepted++;
    else if (status == SVMC_ERR_TOO_LONG)
        board->t.too_long++;
    else
        board->t.refused++;
    stage = T_WHOLE;
    trial_bytes = status == SVMC_OK ? insn.length : CASE_BYTES;
}

static bool no_witness(unsigned bits)
{
    (void)bits;
    return false;
}

static void differs(enum aspect aspect, enum outcome outcome)
{
    static const char *const names[] = { "needs more bytes", "#UD", "#GP or a fault", "runs" };
    int row = justified_find(BY_NATIVE, aspect, &shape, no_witness);

    if (row >= 0) {
        board->t.justified.absorbed[row]++;
        return;
    }
    if (board->t.failed++ >= shown_limit)
        return;
    fail_begin("64-bit", "this processor", names[outcome], board->bytes, CASE_BYTES);
    printf(" | ours: %s, length %u, refusal %u | the processor with %u bytes: %s",
           svmc_status_name(status), insn.length, insn.refusal, trial_bytes, names[outcome]);
    fail_end();
}

/* The outcome of a trial; true: the case needs another. */
static bool judge(enum outcome o)
{
    if (stage == T_START)
        return false;
    if (status != SVMC_OK) {
        bool long_one = status == SVMC_ERR_TOO_LONG;

        if (o != (long_one ? O_GP : O_UD))
            differs(o == (long_one ? O_UD : O_GP) ? A_TOO_LONG : A_ACCEPT, o);
        return false;
    }
    if (stage == T_WHOLE) {
        if (o == O_UD) {
            differs(A_REFUSE, o);
            return false;
        }
        if (o == O_FETCH) {
            differs(A_LENGTH, o);
            return false;
        }
        stage = T_SHORT;
        trial_bytes--;
        return trial_bytes > 0;
    }
    if (o != O_FETCH)
        differs(A_LENGTH, o);
    return false;
}

static enum outcome outcome_of(int sig, const siginfo_t *info, const ucontext_t *u)
{
    uint8_t *at = info->si_addr;

    if (sig == SIGILL)
        return O_UD;
    if (sig != SIGSEGV)
        return O_RAN;
    /* page fault (14) on an instruction fetch (bit 4) */
    if (u->uc_mcontext.gregs[REG_TRAPNO] == 14 && (u->uc_mcontext.gregs[REG_ERR] & 0x10) &&
        at == GUARD)
        return O_FETCH;
    return u->uc_mcontext.gregs[REG_TRAPNO] == 13 ? O_GP : O_RAN;
}

static void set_trial(ucontext_t *u)
{
    static const int registers[] = { REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12,
                                     REG_R13, REG_R14, REG_R15, REG_RDI, REG_RSI,
                                     REG_RBP, REG_RBX, REG_RDX, REG_RCX, REG_RSP };

    for (unsigned i = 0; i < sizeof registers / sizeof registers[0]; i++)
        u->uc_mcontext.gregs[registers[i]] = 0;
    u->uc_mcontext.gregs[REG_RAX] = -1;
    u->uc_mcontext.gregs[REG_EFL] = 0x302; /* TF, IF */
    u->uc_mcontext.gregs[REG_CSGSFS] = code_segment;
    u->uc_mcontext.gregs[REG_RIP] = (greg_t)(GUARD - trial_bytes);
    u->uc_mcontext.fpregs->cwd = 0x37f;
    u->uc_mcontext.fpregs->swd = 0;
    u->uc_mcontext.fpregs->ftw = 0;
    u->uc_mcontext.fpregs->mxcsr = 0x1f80;
    memcpy(GUARD - trial_bytes, board->bytes, trial_bytes);
}

__attribute__((noinline)) static void handle(int sig, const siginfo_t *info, ucontext_t *u)
{
    if (stage == T_START)
        code_segment = u->uc_mcontext.gregs[REG_CSGSFS];
    if (!judge(outcome_of(sig, info, u))) {
        if (stage != T_START)
            board->next++;
        if (board->next >= limit) {
            fflush(stdout);
            _exit(0);
        }
        next_case();
    }
    set_trial(u);
}

static inline void set_fs(unsigned long base)
{
    long ignored;

    __asm__ volatile("syscall"
                     : "=a"(ignored)
                     : "0"((long)SYS_arch_prctl), "D"((long)ARCH_SET_FS), "S"(base)
                     : "rcx", "r11", "memory");
}

/* A case runs with FS based at 0, and may change that: what the C library has there stays whole. */
static void on_signal(int sig, siginfo_t *info, void *context)
{
    set_fs(fs_base);
    handle(sig, info, context);
    set_fs(0);
}

static void child(void)
{
    static const int signals[] = { SIGILL, SIGSEGV, SIGTRAP, SIGFPE, SIGBUS };
    static uint8_t stack[65536];
    stack_t alternative = { .ss_sp = stack, .ss_size = sizeof stack };
    struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

    action.sa_sigaction = on_signal;
    if (syscall(SYS_arch_prctl, ARCH_GET_FS, &fs_base) != 0 || sigaltstack(&alternative, NULL) != 0)
        _exit(NO_SETUP);
    for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (sigaction(signals[i], &action, NULL) != 0)
            _exit(NO_SETUP);
    if (mmap(CODE, 2 * (size_t)PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != CODE ||
        mprotect(GUARD, PAGE, PROT_NONE) != 0)
        _exit(NO_SETUP);
    stage = T_START;
    __builtin_trap();
}

/* Until the child ends; killed if it stands still for two seconds. */
static int await_child(pid_t pid)
{
    uint64_t seen = board->next;
    unsigned still = 0;
    int result;

    while (waitpid(pid, &result, WNOHANG) == 0) {
        nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
        still = board->next == seen ? still + 1 : 0;
        seen = board->next;
        if (still > 100)
            kill(pid, SIGKILL);
    }
    return result;
}

static void print_processor(void)
{
    unsigned a, b, c, d;
    char name[49] = { 0 };

    for (unsigned i = 0; i < 3; i++) {
        if (!__get_cpuid(0x80000002 + i, &a, &b, &c, &d))
            break;
        memcpy(name + 16 * i, (unsigned[4]){ a, b, c, d }, 16);
    }
    __cpuid(1, a, b, c, d);
    printf("native: processor \"%s\", family/model/stepping word %08x, vendor %s%s\n", name, a,
           cpu.vendor == SVMC_VENDOR_AMD ? "AMD" : "Intel", c >> 31 ? ", under a hypervisor" : "");
}

bool native_run(uint64_t count, uint64_t seed, uint64_t shown, struct native_totals *t)
{
    struct timespec from, to;

    if (!native_cpu(&cpu)) {
        printf("SKIPPED native: a vendor that is neither AMD nor Intel\n");
        return false;
    }
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED) {
        printf("SKIPPED native: no shared memory\n");
        return false;
    }
    print_processor();
    limit = count;
    first_seed = seed;
    shown_limit = shown;
    clock_gettime(CLOCK_MONOTONIC, &from);
    while (board->next < count && board->t.deaths < DEATHS_MAX) {
        int result;
        pid_t pid;

        fflush(stdout);
        pid = fork();
        if (pid == 0) {
            child();
            _exit(NO_SETUP);
        }
        result = pid < 0 ? 1 : await_child(pid);
        if (WIFEXITED(result) && WEXITSTATUS(result) == 0)
            break;
        if (WIFEXITED(result) && WEXITSTATUS(result) == NO_SETUP) {
            printf("SKIPPED native: no writable and executable page, or no signal stack\n");
            return false;
        }
        printf("native: the child died (%d) in case %" PRIu64 ":", result, board->next);
        for (unsigned i = 0; i < CASE_BYTES; i++)
            printf(" %02x", board->bytes[i]);
        printf("\n");
        board->t.deaths++;
        board->next++;
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    *t = board->t;
    munmap(board, sizeof *board);
    printf("native: %" PRIu64 " cases (%" PRIu64 " accepted, %" PRIu64 " refused, %" PRIu64
           " too long), %" PRIu64 " differ, %" PRIu64 " children replaced, %.0f cases/s\n",
           t->cases, t->accepted, t->refused, t->too_long, t->failed, t->deaths,
           (double)t->cases / ((double)(to.tv_sec - from.tv_sec) +
                               (double)(to.tv_nsec - from.tv_nsec) * 1e-9 + 1e-9));
    return true;
}

#else
bool native_run(uint64_t count, uint64_t seed, uint64_t shown, struct native_totals *t)
{
    (void)count, (void)seed, (void)shown;
    memset(t, 0, sizeof *t);
    printf("SKIPPED native: this machine is not x86-64\n");
    return false;
}
#endif
