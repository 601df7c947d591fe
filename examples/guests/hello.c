/* SPDX-License-Identifier: MIT */
/**
 * The demo's guest. It uses every device of mini-vmm, checks each answer itself, keeps a secret in
 * r14, r15 and memory all the while, and halts with its verdict in RAX. Nothing that depends on
 * the host's clock is printed or passed on, so that two runs ask the same questions; nor on the
 * other processors: all run the same, and share memory and devices.
 */
#include "guest.h"
#include <svmcore/guest/hypercall.h>

#define TARGET (DEV_MMIO + MMIO_SCRATCH + 0x20)
#define HELD   0x8877665544f3f2f1ull /* what the loads find */
#define THERE  0x1122334455667788ull /* what the stores find */
#define PUSHED 5                     /* by a call, besides 40 and 2 */
#define STEP   0x0101010101010101ull /* from one store's value to the next one's */

_Noreturn void guest_halt(uint64_t verdict);
uint64_t guest_main(const struct boot_info *boot, uint64_t id);

static uint32_t lock; /* for the devices that all share, and for whole lines */
static uint64_t passed;

static void take(void)
{
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
        while (__atomic_load_n(&lock, __ATOMIC_RELAXED))
            __asm__ volatile("pause");
}

static void give(void)
{
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

static void print(const char *text)
{
    while (*text)
        out8(DEV_CONSOLE, (unsigned char)*text++);
}

static void print_string(const char *text)
{
    uint64_t n = 0;

    while (text[n])
        n++;
    rep_outs8(DEV_CONSOLE, text, n);
}

static void print_number(uint64_t n)
{
    char digits[20];
    unsigned at = sizeof digits;

    do
        digits[--at] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    rep_outs8(DEV_CONSOLE, digits + at, sizeof digits - at);
}

/* Every check has a number, its place in the program: the verdict of a guest that fails. */
static void check(int good, const char *name)
{
    this_cpu()->checks++;
    if (good)
        return;
    print("FAIL "); /* whoever holds the lock */
    print(name);
    print("\n");
    guest_halt(this_cpu()->checks);
}

/* What exiting instructions found in RAX and RDX, unless they wrote it. */
static uint64_t rax_before(void)
{
    return ((const uint64_t *)this_cpu()->noise)[8];
}

static uint64_t rdx_before(void)
{
    return ((const uint64_t *)this_cpu()->noise)[7];
}

static uint64_t mask(unsigned bytes)
{
    return bytes >= 8 ? ~0ull : (1ull << (8 * bytes)) - 1;
}

static uint64_t load64(uint64_t at)
{
    uint64_t value;

    __asm__ volatile("movq (%1), %0" : "=r"(value) : "r"(at) : "memory");
    return value;
}

static void store64(uint64_t at, uint64_t value)
{
    __asm__ volatile("movq %1, (%0)" : : "r"(at), "r"(value) : "memory");
}

static void test_console(void)
{
    check((in8(DEV_CONSOLE_STATUS) & 0xff) == 0x60, "line status");
    if (this_cpu()->id != 0)
        return;
    take();
    print("hello from a secure guest\n");
    print_string("the host sees parameters only\n");
    give();
}

static void test_clock(void)
{
    uint8_t *buffer = this_cpu()->buffer;
    uint64_t last = 0;
    int rising = 1, upper_kept = 1;

    for (int i = 0; i < 4; i++) {
        uint64_t now = in32(DEV_CLOCK);

        if (now >> 32 || now < last)
            rising = 0;
        last = now;
    }
    check(rising, "clock goes on");
    for (int i = 0; i < 2; i++)
        if ((in8(DEV_CONSOLE_STATUS) ^ rax_before()) >> 8)
            upper_kept = 0;
    check(upper_kept, "in al keeps the rest of rax");
    check(rep_ins32(DEV_CLOCK_STREAM, buffer, 512) == 0, "rep insd count");
    for (int i = 0; i < 511; i++)
        if (((uint32_t *)buffer)[i] > ((uint32_t *)buffer)[i + 1])
            rising = 0;
    check(rising && ((uint32_t *)buffer)[0] >= last, "clock stream");
    check(rep_ins8(DEV_CLOCK_STREAM, buffer + 7, 24) == 0, "rep insb count");
    check(rep_ins32(DEV_CLOCK_STREAM, buffer, 1) == 0, "rep insd of one");
}

static void test_ports(void)
{
    static const uint32_t words[2] = { 0x03020100, 0x07060504 };

    take();
    out8_imm(0, 0x41);
    check((in8_imm(0) & 0xff) == 0x41, "port 0xe0 immediate");
    out16(0xe2, 0xbeef);
    check((in16(0xe2) & 0xffff) == 0xbeef, "port 0xe2");
    out32(0xe4, 0xdeadbeef);
    check(in32(0xe4) == 0xdeadbeef, "port 0xe4");
    check(rep_outs32(0xe4, words, 2) == 0 && in32(0xe4) == words[1], "rep outsd");
    give();
    out8(DEV_EMPTY, 1);
    check((in16(DEV_EMPTY) & 0xffff) == 0xffff, "empty bus");
}

/* What the ring's byte number i must be, after test_strings has filled it. */
static uint8_t ring_byte(uint64_t i)
{
    return (uint8_t)(5 * (i % DEV_RING_BYTES) + 3 + this_cpu()->id);
}

static int ring_equals(const uint8_t *bytes, uint64_t n, uint64_t first)
{
    for (uint64_t i = 0; i < n; i++)
        if (bytes[i] != ring_byte(first + i))
            return 0;
    return 1;
}

/* Strings of every width, over page boundaries, in elements that lie across them, of many exits. */
static void test_strings(void)
{
    uint8_t *page = this_cpu()->buffer + 4096, *at = page - 22, swapped[12];

    take();
    out32(DEV_RING_RESET, 0);
    for (unsigned i = 0; i < DEV_RING_BYTES; i++)
        at[i] = ring_byte(i);
    check(rep_outs32(DEV_RING, at, 8) == 0, "rep outsd count");
    check(rep_outs16(DEV_RING, at + 32, 12) == 0, "rep outsw count");
    check(rep_outs8(DEV_RING, at + 56, 8) == 0, "rep outsb count");
    at = page - 401;
    check(rep_ins32(DEV_RING, at, 1200) == 0 && ring_equals(at, 4800, 0), "rep insd over pages");
    at = page - 5;
    check(rep_ins16(DEV_RING, at, 21) == 0 && ring_equals(at, 42, 4800), "rep insw over pages");
    at = page - 9;
    check(rep_ins8(DEV_RING, at, 31) == 0 && ring_equals(at, 31, 4842), "rep insb over pages");
    check(rep_ins16_down(DEV_RING, page + 10, 6) == 0, "rep insw downwards count");
    for (unsigned i = 0; i < sizeof swapped; i++) /* the last element first */
        swapped[i] = page[(10 - i / 2 * 2) + i % 2];
    check(ring_equals(swapped, sizeof swapped, 4873), "rep insw downwards");
    give();
}

static void check_store(uint64_t (*store)(uint64_t), const char *name, unsigned bytes,
                        uint64_t value)
{
    store64(TARGET, THERE);
    store(value & mask(bytes));
    check(load64(TARGET) == ((THERE & ~mask(bytes)) | (value & mask(bytes))), name);
}

static void check_modify(uint64_t (*modify)(uint64_t), const char *name, unsigned bytes,
                         uint64_t value, uint64_t result)
{
    store64(TARGET, THERE);
    modify(value & mask(bytes));
    check(load64(TARGET) == ((THERE & ~mask(bytes)) | (result & mask(bytes))), name);
}

static void check_load(uint64_t (*load)(void), const char *name, unsigned from, unsigned to,
                       int sign, int high)
{
    uint64_t want = HELD & mask(from), got = load(), m = mask(to);

    if (sign && want >> (8 * from - 1))
        want |= ~mask(from);
    if (to == 4) /* a 32-bit destination clears the upper half */
        want &= mask(4), m = ~0ull;
    if (high)
        want <<= 8, m <<= 8;
    check(got == ((rax_before() & ~m) | (want & m)), name);
}

static void test_mmio(void)
{
    const uint64_t before = THERE;
    uint64_t value = 0xf1e2d3c4b5a69788 + this_cpu()->id;

    check(load64(DEV_MMIO) == MMIO_ID_VALUE, "mmio id");
#define STORE(name, bytes)          check_store(name, #name, bytes, value += STEP);
#define IMMEDIATE(name, bytes, imm) check_store(name, #name, bytes, imm);
#define MODIFY(name, bytes, result) \
    value += STEP;                  \
    check_modify(name, #name, bytes, value, result);
#define LOAD(name, from, to, sign, high)
#include "mmio.def"
#undef STORE
#undef IMMEDIATE
#undef MODIFY
#undef LOAD
    store64(TARGET, HELD);
#define STORE(name, bytes)
#define IMMEDIATE(name, bytes, imm)
#define MODIFY(name, bytes, result)
#define LOAD(name, from, to, sign, high) check_load(name, #name, from, to, sign, high);
#include "mmio.def"
#undef STORE
#undef IMMEDIATE
#undef MODIFY
#undef LOAD
    store64(DEV_MMIO + MMIO_ACCUMULATOR, 40); /* all add to one: see wait_for_all */
    store64(DEV_MMIO + MMIO_ACCUMULATOR, 2);
}

static void test_mmio_strings(void)
{
    static const uint32_t words[4] = { 0x44332211, 0x88776655, 0xccbbaa99, 0x00ffeedd };
    uint32_t *buffer = (uint32_t *)(void *)this_cpu()->buffer;

    stos8(TARGET, 0xa5, 5);
    check((load64(TARGET) & mask(5)) == 0xa5a5a5a5a5, "rep stosb");
    stos64(TARGET, 0x0102030405060708, 2);
    check(load64(TARGET + 8) == 0x0102030405060708, "rep stosq");
    movs32_out(TARGET, words, 2);
    check(load64(TARGET) == 0x8877665544332211, "rep movsd");
    movs8_in(TARGET, buffer, 4);
    check(buffer[0] == words[0], "rep movsb");
    check(lods32(TARGET, 0, 1) == words[0], "lodsd");
    copy16((void *)TARGET, words);
    copy16(buffer, (const void *)TARGET);
    check(buffer[0] == words[0] && buffer[1] == words[1] && buffer[2] == words[2] &&
              buffer[3] == words[3],
          "movups");
}

/* Noise for arguments that a call does not declare: the host must not see them. */
static uint64_t undeclared(const struct boot_info *boot)
{
    return ((const uint64_t *)boot->noise)[this_cpu()->undeclared++ % (BOOT_NOISE_BYTES / 8)];
}

static void test_hypercalls(const struct boot_info *boot)
{
    const int results = (boot->flags & BOOT_RESULTS) != 0; /* else their calls are unknown */
    const uint64_t want = results ? SVMC_HCALL_OK : SVMC_HCALL_NOT_DEFINED;
    svmc_hcall_word arg[6] = { 40 + this_cpu()->id, 2 }, held[6];
    uint64_t six[6] = { 1, 2, 3, 4, 5, 6 }, none[6], first;

    for (unsigned i = 0; i < 6; i++) {
        held[i] = i < 2 ? arg[i] : undeclared(boot);
        arg[i] = held[i];
        none[i] = undeclared(boot);
    }
    check(svmc_hcall(CALL_ADD, arg) == want && arg[0] == (results ? held[0] + held[1] : held[0]),
          "hypercall add");
    check(arg[1] == held[1] && arg[2] == held[2], "a call returns nothing but its results");
    check(hypercall(SVMC_HCALL_CONTROL(CALL_REVERSE), six) == want && six[0] == (results ? 6 : 1) &&
              six[1] == (results ? 5 : 2) && six[2] == (results ? 4 : 3),
          "hypercall reverse");
    check(hypercall(SVMC_HCALL_CONTROL(CALL_CLOCK), none) == want, "hypercall clock");
    first = none[0];
    check(svmc_hcall(CALL_CLOCK, arg) == want && (!results || arg[0] >= first),
          "hypercall clock rises");
    arg[0] = PUSHED;
    check(svmc_hcall(CALL_PUSH, arg) == SVMC_HCALL_OK && arg[0] == PUSHED, "hypercall push");
    arg[0] = 0;
    check(svmc_hcall(CALL_PUSH, arg) == SVMC_HCALL_FAILED, "hypercall that the host refuses");
    arg[0] = held[3];
    check(svmc_hcall(CALL_UNKNOWN, arg) == SVMC_HCALL_NOT_DEFINED && arg[0] == held[3],
          "unknown call");
    check(hypercall(CALL_ADD, none) == SVMC_HCALL_VERSION, "foreign ABI version");
}

/* Was the last access a #GP that left RAX and RDX alone? */
static int msr_faults(uint64_t value)
{
    return this_cpu()->vector == 13 && value == (rdx_before() << 32 | rax_before());
}

static void test_msr(const struct boot_info *boot)
{
    uint64_t value = 0xfedcba9876543210 + this_cpu()->id;

    if (!(boot->flags & BOOT_MSR)) {
        if (this_cpu()->id == 0)
            print("no MSR exits here: skipped\n");
        return;
    }
    write_msr(DEV_MSR, value);
    check(read_msr(DEV_MSR) == value, "msr");
    write_msr(DEV_MSR, ~value);
    check(read_msr(DEV_MSR) == ~value && this_cpu()->vector == CPU_NO_VECTOR, "msr again");
    check(msr_faults(read_msr(DEV_MSR_FAULT)), "rdmsr that the host refuses");
    write_msr(DEV_MSR_FAULT, value);
    check(this_cpu()->vector == 13, "wrmsr that the host refuses");
    check(msr_faults(read_msr(DEV_MSR_NONE)), "rdmsr that the policy refuses");
    write_msr(DEV_MSR_NONE, value);
    check(this_cpu()->vector == 13, "wrmsr that the policy refuses");
    write_msr(DEV_MSR_ZERO, value);
    check(read_msr(DEV_MSR_ZERO) == 0 && this_cpu()->vector == CPU_NO_VECTOR, "msr of zeros");
}

static void test_idle(void)
{
    for (unsigned i = 0; i < 3; i++)
        check(idle() == VERDICT_IDLE, "idle");
}

/* The control: on demand the secret goes out, so that the scanner has something to find. */
static void leak(void)
{
    const uint64_t *secret = this_cpu()->secret;

    for (unsigned i = 0; i < 16; i++)
        out8(DEV_CONSOLE, ((const uint8_t *)secret)[i]);
    rep_outs8(DEV_CONSOLE, secret, 16);
    store64(TARGET, secret[0]);
    print("\n");
}

/* The secret is where it was: nobody touched r14, r15 or the guest's memory. */
static int secret_kept(const struct boot_info *boot)
{
    const uint64_t *secret = this_cpu()->secret;
    uint64_t low, high;

    __asm__ volatile("mov %%r14, %0; mov %%r15, %1" : "=r"(low), "=r"(high));
    return low == boot->secret[0] && high == boot->secret[1] && secret[0] == low &&
           secret[1] == high;
}

static void print_passed(const struct cpu *cpu)
{
    take();
    print_string("PASS: cpu ");
    print_number(cpu->id);
    print_string(", ");
    print_number(cpu->checks);
    print_string(" checks\n");
    give();
}

/* The first processor, the last to end, sees the others' work in memory and in a shared device. */
static void wait_for_all(const struct boot_info *boot)
{
    while (__atomic_load_n(&passed, __ATOMIC_ACQUIRE) + 1 < boot->cpus)
        __asm__ volatile("pause");
    check(load64(DEV_MMIO + MMIO_ACCUMULATOR) == (42 + PUSHED) * boot->cpus, "accumulator");
}

/* Clear what the host's clock has left, down from RSP: runs alike leave memory alike. */
static inline __attribute__((always_inline)) void forget(struct cpu *cpu)
{
    uint8_t *from = cpu->buffer;
    uint64_t words;

    __asm__ volatile("mov %%rsp, %%rcx\n\t"
                     "sub %%rdi, %%rcx\n\t"
                     "shr $3, %%rcx\n\t"
                     "rep stosq"
                     : "+D"(from), "=&c"(words)
                     : "a"(0ull)
                     : "memory");
}

static __attribute__((noinline)) void run(const struct boot_info *boot, struct cpu *cpu)
{
    check(boot->magic == BOOT_MAGIC && boot->version == BOOT_VERSION, "boot page");
    test_console();
    test_clock();
    test_ports();
    test_strings();
    test_mmio();
    test_mmio_strings();
    test_hypercalls(boot);
    test_msr(boot);
    test_idle();
    if (boot->flags & BOOT_LEAK)
        leak();
    check(secret_kept(boot), "secret");
    if (cpu->id == 0)
        wait_for_all(boot);
    print_passed(cpu);
    __atomic_add_fetch(&passed, 1, __ATOMIC_RELEASE);
}

uint64_t guest_main(const struct boot_info *boot, uint64_t id)
{
    struct cpu *cpu = this_cpu();

    cpu->noise = BOOT_NOISE + id * (BOOT_NOISE_BYTES / BOOT_CPUS_MAX);
    cpu->vector = CPU_NO_VECTOR;
    cpu->id = id;
    cpu->secret[0] = boot->secret[0];
    cpu->secret[1] = boot->secret[1];
    cpu->checks = cpu->undeclared = 0;
    run(boot, cpu);
    forget(cpu);
    return VERDICT_PASS;
}
