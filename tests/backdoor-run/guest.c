/* SPDX-License-Identifier: MIT */
/**
 * A program for guests, good and bad: test_run.py runs one of its parts below backdoor-run. Each
 * prints what it saw and leaves with 0 if that was right.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAGIC 0x564d5868u
#define LOW   0x5658u
#define HIGH  0x5659u
#define RPCI  0x49435052u
#define TCLO  0x4f4c4354u

struct regs {
    uint64_t a, b, c, d, si, di, bp;
};

#define CALL(name, insn)                                                                      \
    static void name(struct regs *r)                                                          \
    {                                                                                         \
        __asm__ volatile("push %%rbp; push %%rax; mov 48(%%rax), %%rbp; mov 8(%%rax), %%rbx;" \
                         "mov 16(%%rax), %%rcx; mov 24(%%rax), %%rdx; mov 32(%%rax), %%rsi;"  \
                         "mov 40(%%rax), %%rdi; mov (%%rax), %%rax; " insn ";"                \
                         "xchg %%rax, (%%rsp); mov %%rbx, 8(%%rax); mov %%rcx, 16(%%rax);"    \
                         "mov %%rdx, 24(%%rax); mov %%rsi, 32(%%rax); mov %%rdi, 40(%%rax);"  \
                         "mov %%rbp, 48(%%rax); pop (%%rax); pop %%rbp"                       \
                         : "+a"(r)                                                            \
                         :                                                                    \
                         : "rbx", "rcx", "rdx", "rsi", "rdi", "memory", "cc");                \
    }
CALL(in, "in %%dx, %%eax")
CALL(out, "out %%eax, %%dx")
CALL(in_byte, "in %%dx, %%al")
CALL(insb, "cld; rep insb")
CALL(outsb, "cld; rep outsb")
CALL(vmcall, "vmcall")
CALL(vmmcall, "vmmcall")
CALL(cpuid, "cpuid")

static sigjmp_buf back;
static volatile siginfo_t seen;

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    memcpy((void *)(uintptr_t)&seen, info, sizeof seen);
    siglongjmp(back, 1);
}

static void catch_signals(void)
{
    static const int all[] = { SIGSEGV, SIGILL, SIGTRAP, SIGBUS };
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        sigaction(all[i], &action, NULL);
}

/* The signal that a call raises; 0: none. */
static int raised(void (*call)(struct regs *), struct regs *r)
{
    seen.si_signo = 0;
    if (sigsetjmp(back, 1) == 0)
        call(r);
    return seen.si_signo;
}

static int expect(const char *what, int64_t is, int64_t want)
{
    if (is == want)
        return 0;
    printf("%s: %lld, not %lld\n", what, (long long)is, (long long)want);
    return 1;
}

static struct regs message(uint32_t sub, uint32_t b, const struct regs *open)
{
    struct regs r = { MAGIC, b, sub << 16 | 30, LOW, 0, 0, 0x1234567812345678 };

    if (open) {
        r.d = (open->d & 0xffff0000u) | LOW;
        r.si = open->si;
        r.di = open->di;
    }
    return r;
}

static struct regs do_open(uint32_t protocol, uint32_t *status)
{
    struct regs r = message(0, protocol | 0x80000000u, NULL);

    in(&r);
    *status = (uint32_t)r.c >> 16;
    return r;
}

/* Over high bandwidth; what the call left is in *r. */
static struct regs high(const struct regs *open, uint64_t at, uint64_t n, int write)
{
    struct regs r = { MAGIC, 0x10000, n, (open->d & 0xffff0000u) | HIGH, 0, 0, 0 };

    r.si = write ? at : open->si;
    r.di = write ? open->di : at;
    r.bp = write ? open->si : open->di; /* the half of the cookie that has lost its register */
    return r;
}

/* info-get guestinfo.hello; the reply, or NULL. */
static char *get(char *reply, size_t cap)
{
    static const char text[] = "info-get guestinfo.hello";
    uint32_t status, n;
    struct regs open = do_open(RPCI, &status), r;

    if (!(status & 1))
        return NULL;
    r = message(1, sizeof text - 1, &open);
    in(&r);
    r = high(&open, (uintptr_t)text, sizeof text - 1, 1);
    outsb(&r);
    r = message(3, 0, &open);
    in(&r);
    n = (uint32_t)r.b;
    if (((uint32_t)r.c >> 16 & 3) != 3 || n >= cap)
        return NULL;
    memset(reply, 0, cap);
    r = high(&open, (uintptr_t)reply, n, 0);
    insb(&r);
    r = message(5, 1, &open);
    in(&r);
    r = message(6, 0, &open);
    in(&r);
    return reply;
}

static int is_hi(void)
{
    char reply[64];

    return get(reply, sizeof reply) && strcmp(reply, "1 hi") == 0;
}

/* ---- the parts ------------------------------------------------------------------------------ */

/* Nothing of ours: each signal is the one that comes without a tracer. */
static int foreign(void)
{
    struct regs r = { 0x12345678, 0, 10, LOW, 0, 0, 0 };
    int bad = 0;

    catch_signals();
    bad += expect("no magic", raised(in, &r), SIGSEGV);
    bad += expect("no magic, code", seen.si_code, SI_KERNEL);
    r = (struct regs){ MAGIC, 0, 10, 0x60, 0, 0, 0 };
    bad += expect("another port", raised(in, &r), SIGSEGV);
    bad += expect("another port, EAX", (int64_t)r.a, MAGIC);
    r = (struct regs){ MAGIC, 0, 10, LOW, 0, 0, 0 };
    bad += expect("a byte", raised(in_byte, &r), SIGSEGV);
    bad += expect("a string at the port without", raised(insb, &r), SIGSEGV);
    r = (struct regs){ MAGIC, 0, 10, HIGH, 0, 0, 0 };
    bad += expect("no string at the port with", raised(in, &r), SIGSEGV);
    seen.si_signo = 0;
    if (sigsetjmp(back, 1) == 0)
        __asm__ volatile("ud2");
    bad += expect("ud2", seen.si_signo, SIGILL);
    seen.si_signo = 0;
    if (sigsetjmp(back, 1) == 0)
        __asm__ volatile("int3");
    bad += expect("int3", seen.si_signo, SIGTRAP);
    seen.si_signo = 0;
    if (sigsetjmp(back, 1) == 0)
        *(volatile int *)(uintptr_t)0x1230 = 0;
    bad += expect("null", seen.si_signo, SIGSEGV);
    bad += expect("null, code", seen.si_code, SEGV_MAPERR);
    bad += expect("null, address", (int64_t)(intptr_t)seen.si_addr, 0x1230);
    seen.si_signo = 0;
    if (sigsetjmp(back, 1) == 0)
        kill(getpid(), SIGSEGV);
    bad += expect("kill", seen.si_code, SI_USER);
    return bad;
}

/* CPUID says that a hypervisor is there, and else what the processor says. */
static int leaves(void)
{
    struct regs r = { 0, 0, 0, 0, 0, 0, 0x1122334455667788 }, again;
    int bad = 0;

    cpuid(&r);
    again = (struct regs){ 0 };
    cpuid(&again);
    bad += expect("vendor", (int64_t)r.b, (int64_t)again.b) + (r.b == 0);
    bad += expect("RBP", (int64_t)r.bp, 0x1122334455667788);
    r = (struct regs){ .a = 1 };
    cpuid(&r);
    bad += expect("hypervisor bit", (int64_t)(r.c >> 31), 1);
    r = (struct regs){ .a = 0xffffffff40000000 };
    cpuid(&r);
    bad += expect("VMwa", (int64_t)r.b, 0x61774d56);
    r = (struct regs){ .a = 0x40000010 };
    cpuid(&r);
    printf("%u\n", (unsigned)r.c);
    return bad;
}

/* Registers that a call does not name keep all their bits. */
static int version(void (*call)(struct regs *), uint64_t port)
{
    struct regs r = { MAGIC | 0xabcd00000000, ~(uint64_t)MAGIC,   0xffff000a,
                      port | 0x77000000,      0x1111222233334444, 0x5555666677778888,
                      0x9999aaaabbbbcccc };
    int bad = 0, signal;

    catch_signals();
    signal = raised(call, &r);
    if (signal != 0) {
        printf("signal %d\n", signal);
        return 0;
    }
    bad += expect("EAX", (int64_t)(uint32_t)r.a, 6);
    bad += expect("EBX", (int64_t)(uint32_t)r.b, MAGIC);
    bad += expect("RSI", (int64_t)r.si, 0x1111222233334444);
    bad += expect("RDI", (int64_t)r.di, 0x5555666677778888);
    bad += expect("RBP", (int64_t)r.bp, (int64_t)0x9999aaaabbbbcccc);
    puts("version");
    return bad;
}

/* Pointers to nothing, and to what may not be written: faults with their address, no byte moved. */
static int pointers(void)
{
    static const char text[] = "info-get guestinfo.hello";
    uint8_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint32_t status;
    struct regs open = do_open(RPCI, &status), r;
    int bad = 0;

    catch_signals();
    r = message(1, sizeof text - 1, &open);
    in(&r);
    r = high(&open, 0x10, sizeof text - 1, 1);
    bad += expect("read of nothing", raised(outsb, &r), SIGSEGV);
    bad += expect("its address", (int64_t)(intptr_t)seen.si_addr, 0x10);
    bad += expect("its code", seen.si_code, SEGV_MAPERR);
    r = high(&open, 0xffff800000001000, sizeof text - 1, 1);
    bad += expect("read of the kernel", raised(outsb, &r), SIGSEGV);
    r = high(&open, (uintptr_t)text, sizeof text - 1, 1);
    bad += expect("and then it works", raised(outsb, &r), 0);
    r = message(3, 0, &open);
    in(&r);
    bad += expect("size", (int64_t)(uint32_t)r.b, 4);
    mprotect(page, 4096, PROT_READ);
    r = high(&open, (uintptr_t)page, 4, 0);
    bad += expect("write to read-only", raised(insb, &r), SIGSEGV);
    bad += expect("its code", seen.si_code, SEGV_ACCERR);
    bad += expect("no byte", page[0], 0);
    munmap(page + 4096, 4096);
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
    r = high(&open, (uintptr_t)page + 4094, 4, 0);
    bad += expect("write over the edge", raised(insb, &r), SIGSEGV);
    bad += expect("its address", (int64_t)(intptr_t)seen.si_addr, (int64_t)(uintptr_t)page + 4096);
    return bad;
}

/* All channels are used up, and half a message waits in each; and again in another process. */
static int leak(void)
{
    uint32_t status, count = 0;
    struct regs open, r;

    for (int i = 0; i < 1000; i++) {
        open = do_open(i % 2 ? TCLO : RPCI, &status);
        if (!(status & 1))
            continue;
        count++;
        r = message(1, 60000, &open);
        in(&r);
        r = message(2, 0x41414141, &open);
        in(&r);
    }
    printf("%u\n", count);
    return 0;
}

static uint64_t next_random(void)
{
    static uint64_t seed = 1;

    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return seed ^ seed >> 29;
}

/* Anything at all, mostly with the magic. */
static int flood(unsigned calls)
{
    void (*const ways[])(struct regs *) = { in, out, insb, outsb, vmcall, vmmcall };
    uint8_t *page = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    catch_signals();
    for (unsigned i = 0; i < calls; i++) {
        uint64_t word[7];
        struct regs r;

        for (size_t k = 0; k < 7; k++)
            word[k] = next_random();
        memcpy(&r, word, sizeof r);
        if (word[0] % 16 != 0)
            r.a = MAGIC;
        r.d = (r.d & ~(uint64_t)0xffff) | (word[1] % 2 ? LOW : HIGH);
        if (word[1] % 4 < 2) { /* a message, on a channel that may be open */
            r.c = (word[2] % 8) << 16 | 30;
            r.d &= 0x3ffff;
            r.b = word[2] % 8 == 0 ? (word[3] % 2 ? RPCI : TCLO) : word[3] % 70000;
        }
        if (word[4] % 2) {
            r.si = (uintptr_t)page + word[5] % (1 << 20);
            r.di = (uintptr_t)page + word[6] % (1 << 20);
        }
        raised(ways[word[6] % 6], &r);
    }
    puts("survived");
    return 0;
}

/* Requests whose words are right and whose rest is anything: small numbers, names, bytes. */
static int requests(unsigned count)
{
    static const char *const words[] = { "f ",
                                         "f ",
                                         "f ",
                                         "f ",
                                         "guestlib.info.get ",
                                         "namespace-priv-get-values ",
                                         "namespace-priv-set-keys ",
                                         "vmx.set_option ",
                                         "info-get guestinfo.",
                                         "info-set guestinfo.",
                                         "log ",
                                         "SetGuestInfo ",
                                         "none " };
    static const char *const names[] = { "docs", "empty", "..", "/", "a.txt", "sub", "1", " ", "" };

    for (unsigned i = 0; i < count; i++) {
        const char *word = words[next_random() % (sizeof words / sizeof words[0])];
        uint8_t text[1024] = { 0 };
        uint32_t status, n = (uint32_t)strlen(word);
        struct regs open = do_open(RPCI, &status), r;

        memcpy(text, word, n);
        for (unsigned k = (unsigned)(next_random() % 12); k > 0; k--) {
            uint32_t number = (uint32_t)(next_random() % 20);
            const char *name = names[next_random() % (sizeof names / sizeof names[0])];

            if (next_random() % 8 == 0)
                number = (uint32_t)next_random();
            if (next_random() % 3) {
                memcpy(text + n, &number, sizeof number);
                n += 4;
            } else {
                memcpy(text + n, name, strlen(name) + 1);
                n += (uint32_t)strlen(name) + (uint32_t)(next_random() % 2);
            }
        }
        r = message(1, n, &open);
        in(&r);
        r = high(&open, (uintptr_t)text, n, 1);
        outsb(&r);
        r = message(3, 0, &open);
        in(&r);
        if (((uint32_t)r.c >> 16 & 3) != 3)
            return 1; /* every request gets a reply */
        r = message(6, 0, &open);
        in(&r);
    }
    puts("answered");
    return 0;
}

static void *many(void *arg)
{
    for (int i = 0; i < 100; i++)
        if (!is_hi())
            *(int *)arg = 1;
    return NULL;
}

static int threads(void)
{
    pthread_t list[4];
    int bad[4] = { 0 };

    for (int i = 0; i < 4; i++)
        pthread_create(&list[i], NULL, many, &bad[i]);
    for (int i = 0; i < 4; i++)
        pthread_join(list[i], NULL);
    return bad[0] + bad[1] + bad[2] + bad[3];
}

/* Children with and without a copy of the memory, and a program of theirs. */
static int children(char *self)
{
    int bad = 0, status;

    for (int i = 0; i < 20; i++) {
        pid_t pid = i % 2 ? fork() : vfork();

        if (pid == 0 && i % 2)
            _exit(is_hi() && leaves() == 0 ? 0 : 1);
        if (pid == 0) {
            execl(self, self, "leaves", NULL);
            _exit(2);
        }
        waitpid(pid, &status, 0);
        bad += expect("child", status, 0);
    }
    return bad;
}

static volatile sig_atomic_t ticks;

static void on_tick(int number)
{
    (void)number;
    ticks++;
}

/* Signals that come all the time lose no call and are not lost themselves. */
static int timer(void)
{
    struct itimerval often = { { 0, 300 }, { 0, 300 } };
    int bad = 0;

    signal(SIGALRM, on_tick);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 200; i++)
        bad += expect("answer", is_hi(), 1);
    return bad + (ticks == 0);
}

static uint8_t *volatile moving;

static void *move(void *arg)
{
    while (!*(volatile int *)arg) {
        munmap(moving, 4096);
        mmap(moving, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        mprotect(moving, 4096, PROT_READ);
    }
    return NULL;
}

/* Memory that another thread takes away during the call. */
static int race(void)
{
    pthread_t thread;
    int stop = 0;

    moving = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_create(&thread, NULL, move, &stop);
    catch_signals();
    for (int i = 0; i < 500; i++) {
        uint32_t status;
        struct regs open = do_open(RPCI, &status), r = message(1, 100, &open);

        in(&r);
        r = high(&open, (uintptr_t)moving, 100, 1);
        raised(outsb, &r);
        r = message(3, 0, &open);
        in(&r);
        r = high(&open, (uintptr_t)moving, (uint32_t)r.b, 0);
        raised(insb, &r);
        r = message(6, 0, &open);
        in(&r);
    }
    *(volatile int *)&stop = 1;
    pthread_join(thread, NULL);
    puts("survived");
    return 0;
}

static void *become(void *self)
{
    execl(self, self, "leaves", NULL);
    return NULL;
}

/* A thread that is not the first becomes another program; the others end. */
static int exec_part(char *self)
{
    pthread_t thread;

    pthread_create(&thread, NULL, become, self);
    for (;;)
        pause();
}

/* A child outlives its parent and is served all the same. */
static int daemon_part(const char *file)
{
    if (fork() != 0)
        return 7;
    setsid();
    usleep(300000);
    FILE *out = fopen(file, "w");
    fprintf(out, "%d\n", is_hi());
    fclose(out);
    return 0;
}

int main(int argc, char **argv)
{
    const char *part = argc > 1 ? argv[1] : "";

    if (strcmp(part, "foreign") == 0)
        return foreign();
    if (strcmp(part, "leaves") == 0)
        return leaves();
    if (strcmp(part, "in") == 0)
        return version(in, LOW);
    if (strcmp(part, "vmcall") == 0)
        return version(vmcall, 0);
    if (strcmp(part, "vmmcall") == 0)
        return version(vmmcall, 0);
    if (strcmp(part, "pointers") == 0)
        return pointers();
    if (strcmp(part, "leak") == 0)
        return leak();
    if (strcmp(part, "flood") == 0)
        return flood((unsigned)atoi(argv[2]));
    if (strcmp(part, "requests") == 0)
        return requests((unsigned)atoi(argv[2]));
    if (strcmp(part, "threads") == 0)
        return threads();
    if (strcmp(part, "children") == 0)
        return children(argv[0]);
    if (strcmp(part, "exec") == 0)
        return exec_part(argv[0]);
    if (strcmp(part, "timer") == 0)
        return timer();
    if (strcmp(part, "race") == 0)
        return race();
    if (strcmp(part, "daemon") == 0)
        return daemon_part(argv[2]);
    if (strcmp(part, "die") == 0)
        kill(getpid(), atoi(argv[2]));
    if (strcmp(part, "hi") == 0)
        return !is_hi();
    return 99;
}
