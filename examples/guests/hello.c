/* SPDX-License-Identifier: MIT */
/**
 * The demo's guest. It uses every device of mini-vmm, checks each answer itself, keeps a secret in
 * r14, r15 and memory all the while, and halts with its verdict in RAX. Nothing that depends on
 * the host's clock is printed or passed on, so that two runs ask the same questions.
 */
#include "guest.h"
#include <svmcore/guest/hypercall.h>

#define TARGET (DEV_MMIO + MMIO_SCRATCH + 0x20)
#define HELD   0x8877665544f3f2f1ull /* what the loads find */
#define STEP   0x0101010101010101ull /* from one store's value to the next one's */

_Noreturn void guest_halt(uint64_t verdict);
uint64_t guest_main(const struct boot_info *boot);

static uint64_t secret_copy[2]; /* the secret in memory; r14 and r15 hold it as well */
static unsigned check_number;
static uint8_t buffer[4096] __attribute__((aligned(4096)));

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

/* Every check has a number, its place in the program: the verdict of a guest that fails. */
static void check(int good, const char *name)
{
    check_number++;
    if (good)
        return;
    print("FAIL ");
    print(name);
    print("\n");
    guest_halt(check_number);
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
    print("hello from a secure guest\n");
    print_string("the host sees parameters only\n");
}

static void test_clock(void)
{
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
        if ((in8(DEV_CONSOLE_STATUS) ^ io_rax_before) >> 8)
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

    out8_imm(0, 0x41);
    check((in8_imm(0) & 0xff) == 0x41, "port 0xe0 immediate");
    out16(0xe2, 0xbeef);
    check((in16(0xe2) & 0xffff) == 0xbeef, "port 0xe2");
    out32(0xe4, 0xdeadbeef);
    check(in32(0xe4) == 0xdeadbeef, "port 0xe4");
    check(rep_outs32(0xe4, words, 2) == 0 && in32(0xe4) == words[1], "rep outsd");
    out8(DEV_EMPTY, 1);
    check((in16(DEV_EMPTY) & 0xffff) == 0xffff, "empty bus");
}

static void check_store(uint64_t (*store)(uint64_t), const char *name, unsigned bytes,
                        uint64_t value)
{
    static uint64_t before = 0x1122334455667788;

    store64(TARGET, before);
    store(value & mask(bytes));
    check(load64(TARGET) == ((before & ~mask(bytes)) | (value & mask(bytes))), name);
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
    check(got == ((io_rax_before & ~m) | (want & m)), name);
}

static void test_mmio(void)
{
    uint64_t value = 0xf1e2d3c4b5a69788;

    check(load64(DEV_MMIO) == MMIO_ID_VALUE, "mmio id");
#define STORE(name, bytes)          check_store(name, #name, bytes, value += STEP);
#define IMMEDIATE(name, bytes, imm) check_store(name, #name, bytes, imm);
#define LOAD(name, from, to, sign, high)
#include "mmio.def"
#undef STORE
#undef IMMEDIATE
#undef LOAD
    store64(TARGET, HELD);
#define STORE(name, bytes)
#define IMMEDIATE(name, bytes, imm)
#define LOAD(name, from, to, sign, high) check_load(name, #name, from, to, sign, high);
#include "mmio.def"
#undef STORE
#undef IMMEDIATE
#undef LOAD
    store64(DEV_MMIO + MMIO_ACCUMULATOR, 40);
    store64(DEV_MMIO + MMIO_ACCUMULATOR, 2);
    check(load64(DEV_MMIO + MMIO_ACCUMULATOR) == 42, "accumulator");
}

static void test_mmio_strings(void)
{
    static const uint32_t words[2] = { 0x44332211, 0x88776655 };

    stos8(TARGET, 0xa5, 5);
    check((load64(TARGET) & mask(5)) == 0xa5a5a5a5a5, "rep stosb");
    stos64(TARGET, 0x0102030405060708, 2);
    check(load64(TARGET + 8) == 0x0102030405060708, "rep stosq");
    movs32_out(TARGET, words, 2);
    check(load64(TARGET) == 0x8877665544332211, "rep movsd");
    movs8_in(TARGET, buffer, 4);
    check(*(uint32_t *)buffer == words[0], "rep movsb");
    check(lods32(TARGET, 0, 1) == words[0], "lodsd");
}

/* Noise for arguments that a call does not declare: the host must not see them. */
static uint64_t undeclared(const struct boot_info *boot)
{
    static unsigned taken;

    return ((const uint64_t *)boot->noise)[taken++ % (BOOT_NOISE_BYTES / 8)];
}

static void test_hypercalls(const struct boot_info *boot)
{
    svmc_hcall_word arg[6] = { 40, 2 }, held[6];
    uint64_t six[6] = { 1, 2, 3, 4, 5, 6 }, none[6], first;

    for (unsigned i = 0; i < 6; i++) {
        held[i] = i < 2 ? arg[i] : undeclared(boot);
        arg[i] = held[i];
        none[i] = undeclared(boot);
    }
    check(svmc_hcall(CALL_ADD, arg) == SVMC_HCALL_OK && arg[0] == 42, "hypercall add");
    check(arg[1] == held[1] && arg[2] == held[2], "a call returns nothing but its results");
    check(hypercall(SVMC_HCALL_CONTROL(CALL_REVERSE), six) == SVMC_HCALL_OK && six[0] == 6 &&
              six[1] == 5 && six[2] == 4,
          "hypercall reverse");
    check(hypercall(SVMC_HCALL_CONTROL(CALL_CLOCK), none) == SVMC_HCALL_OK, "hypercall clock");
    first = none[0];
    check(svmc_hcall(CALL_CLOCK, arg) == SVMC_HCALL_OK && arg[0] >= first, "hypercall clock rises");
    arg[0] = held[3];
    check(svmc_hcall(CALL_UNKNOWN, arg) == SVMC_HCALL_NOT_DEFINED && arg[0] == held[3],
          "unknown call");
    check(hypercall(CALL_ADD, none) == SVMC_HCALL_VERSION, "foreign ABI version");
}

static void test_msr(const struct boot_info *boot)
{
    if (!(boot->flags & BOOT_MSR)) {
        print("no MSR exits here: skipped\n");
        return;
    }
    write_msr(DEV_MSR, 0xfedcba9876543210);
    check(read_msr(DEV_MSR) == 0xfedcba9876543210, "msr");
    write_msr(DEV_MSR, 0x0123456789abcdef);
    check(read_msr(DEV_MSR) == 0x0123456789abcdef, "msr again");
}

/* The control: on demand the secret goes out, so that the scanner has something to find. */
static void leak(void)
{
    for (unsigned i = 0; i < sizeof secret_copy; i++)
        out8(DEV_CONSOLE, ((uint8_t *)secret_copy)[i]);
    rep_outs8(DEV_CONSOLE, secret_copy, sizeof secret_copy);
    store64(TARGET, secret_copy[0]);
    print("\n");
}

/* The secret is where it was: nobody touched r14, r15 or the guest's memory. */
static int secret_kept(const struct boot_info *boot)
{
    uint64_t low, high;

    __asm__ volatile("mov %%r14, %0; mov %%r15, %1" : "=r"(low), "=r"(high));
    return low == boot->secret[0] && high == boot->secret[1] && secret_copy[0] == low &&
           secret_copy[1] == high;
}

uint64_t guest_main(const struct boot_info *boot)
{
    check(boot->magic == BOOT_MAGIC && boot->version == BOOT_VERSION, "boot page");
    secret_copy[0] = boot->secret[0];
    secret_copy[1] = boot->secret[1];
    test_console();
    test_clock();
    test_ports();
    test_mmio();
    test_mmio_strings();
    test_hypercalls(boot);
    test_msr(boot);
    if (boot->flags & BOOT_LEAK)
        leak();
    check(secret_kept(boot), "secret");
    print("PASS\n");
    return VERDICT_PASS;
}
