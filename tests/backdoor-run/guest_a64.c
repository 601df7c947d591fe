/* SPDX-License-Identifier: MIT */
/** A program for guests on AArch64, good and bad: test_arm64.py runs it below backdoor-run. */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MAGIC  0x564d5868u
#define IN     0x860000000eu /* docs/spec/iox.md */
#define OUTSB  0x8600000018u
#define LOW    0x5658u
#define HIGH   0x5659u
#define OTHERS 0x1111222233334444u

static void mrs(uint64_t r[8])
{
    register uint64_t x0 __asm__("x0") = r[0], x1 __asm__("x1") = r[1], x2 __asm__("x2") = r[2];
    register uint64_t x3 __asm__("x3") = r[3], x4 __asm__("x4") = r[4], x5 __asm__("x5") = r[5];
    register uint64_t x6 __asm__("x6") = r[6], x7 __asm__("x7") = r[7];

    __asm__ volatile("mrs xzr, mdccsr_el0"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5), "+r"(x6),
                       "+r"(x7)
                     :
                     : "memory");
    r[0] = x0;
    r[1] = x1;
    r[2] = x2;
    r[3] = x3;
    r[4] = x4;
    r[5] = x5;
    r[6] = x6;
    r[7] = x7;
}

static sigjmp_buf back;

static void on_signal(int number)
{
    siglongjmp(back, number);
}

static int raised(uint64_t r[8])
{
    int number = sigsetjmp(back, 1);

    if (number == 0)
        mrs(r);
    return number;
}

static int expect(const char *what, uint64_t is, uint64_t want)
{
    if (is != want)
        printf("%s: %llx, not %llx\n", what, (unsigned long long)is, (unsigned long long)want);
    return is != want;
}

int main(void)
{
    uint64_t version[8] = { MAGIC, 0, 10, LOW, OTHERS, OTHERS, OTHERS, IN };
    uint64_t none[8] = { MAGIC, 1, 10, LOW, 4, 5, 6, 0x870000000e }, same[8];
    uint64_t open[8] = { MAGIC, 0xc9435052, 30, LOW, 0, 0, 0, IN }, r[8];
    int bad = 0;

    signal(SIGSEGV, on_signal);
    bad += expect("signal", (uint64_t)raised(version), 0);
    bad += expect("version", version[0], 6) + expect("magic", version[1], MAGIC);
    bad += expect("X4", version[4], OTHERS) + expect("X6", version[6], OTHERS);
    memcpy(same, none, sizeof none);
    bad += expect("signal", (uint64_t)raised(none), 0);
    bad += expect("not a call", (uint64_t)memcmp(same, none, sizeof none), 0);
    none[0] = 0;
    none[7] = IN;
    bad += expect("no magic", (uint64_t)raised(none), 0) + expect("X0", none[0], 0);

    bad += expect("open", (uint64_t)raised(open), 0) + expect("opened", open[2] >> 16 & 1, 1);
    memcpy(r, open, sizeof r);
    r[1] = 24;
    r[2] = 1 << 16 | 30;
    bad += expect("size", (uint64_t)raised(r), 0);
    r[1] = 0x10000;
    r[2] = 24;
    r[3] = (open[3] & 0xffff0000) | HIGH;
    r[4] = 0x10; /* nothing is there */
    r[5] = open[5];
    r[6] = open[4];
    r[7] = OUTSB;
    bad += expect("read of nothing", (uint64_t)raised(r), SIGSEGV);
    r[4] = (uintptr_t) "info-get guestinfo.hello";
    r[1] = 0x10000;
    bad += expect("and then it works", (uint64_t)raised(r), 0) + expect("sent", r[1] >> 16 & 1, 1);
    puts(bad ? "bad" : "good");
    return bad;
}
