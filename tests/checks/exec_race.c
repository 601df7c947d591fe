/* SPDX-License-Identifier: MIT */
/*
 * Two threads that finish LOCK INC, LOCK XADD, LOCK CMPXCHG and LOCK BTC through the executor, each
 * with a record of its own, and one that has the processor add: to one word, and to one that lies
 * across a cache line. No update is lost (XE-10). A third pair finishes what the other has begun:
 * a pending half of a write is answered and resumed on another thread (XE-2 XE-6).
 * SVMC_COUNT: operations on the word, of all three together; SVMC_CROSS: on the one across a line,
 * each of which stops every processor of the machine.
 */
#include <pthread.h>
#include <stdlib.h>
#include <svmcore/svmcore.h>

#include "../harness.h"

#define LINE   64u
#define CROSS  (2 * LINE - 3) /* of eight bytes three are on one line, five on the next */
#define LINEAR 0x10000u
#define LOCKED 3u

static uint8_t memory[4096] __attribute__((aligned(4096)));

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    (void)ctx, (void)access, (void)fault;
    out->v = at.v - LINEAR;
    return SVMC_OK;
}

/* Not in one step: what the exchange is there for. */
static enum svmc_status read(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)dst)[i] = __atomic_load_n(memory + at.v + i, __ATOMIC_RELAXED);
    return SVMC_OK;
}

static enum svmc_status write(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        __atomic_store_n(memory + at.v + i, ((const uint8_t *)src)[i], __ATOMIC_RELAXED);
    return SVMC_OK;
}

static enum svmc_status exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                 size_t n)
{
    uint64_t held, next;

    (void)ctx;
    if (n != 8)
        return SVMC_ERR_CALLBACK;
    memcpy(&held, expected, 8);
    memcpy(&next, desired, 8);
#ifdef __x86_64__
    __asm__ volatile("lock cmpxchgq %2, %1"
                     : "+a"(held), "+m"(*(uint64_t *)(void *)(memory + at.v))
                     : "r"(next)
                     : "memory", "cc");
#else
    (void)__atomic_compare_exchange_n((uint64_t *)(void *)(memory + at.v), &held, next, false,
                                      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
#endif
    memcpy(expected, &held, 8);
    return SVMC_OK;
}

static const struct svmc_exec_ops ops = {
    .size = sizeof ops, .translate = translate, .read = read, .write = write, .exchange = exchange
};

struct worker {
    pthread_t thread;
    uint64_t count, place;
    uint64_t again, failed;
};

/* LOCK INC [RBX]; LOCK XADD [RBX], RCX with 1; LOCK ADD [RBX], 1; by turns. */
static const uint8_t codes[LOCKED][6] = { { 0xf0, 0x48, 0xff, 0x03 },
                                          { 0xf0, 0x48, 0x0f, 0xc1, 0x0b },
                                          { 0xf0, 0x48, 0x83, 0x03, 0x01 } };

static void *finish(void *arg)
{
    const struct svmc_cpu cpu = { .isa = SVMC_ISA_X86_64, .vendor = SVMC_VENDOR_INTEL };
    struct svmc_exec_x86 regs = { .address_bits = 48, .rflags = 2, .cr0 = 1 };
    struct worker *w = arg;
    struct svmc_exec_result out;
    struct svmc_insn insn[LOCKED];
    struct svmc_exec x;

    w->failed = svmc_exec_init(&x, &ops, NULL) != SVMC_OK;
    for (unsigned i = 0; i < LOCKED; i++)
        w->failed += svmc_insn_decode(&cpu, codes[i], sizeof codes[i], &insn[i]) != SVMC_OK;
    regs.general[SVMC_REG_RBX] = LINEAR + w->place;
    for (uint64_t i = 0; i < w->count && w->failed == 0;) {
        regs.general[SVMC_REG_RCX] = 1;
        if (svmc_exec_x86_start(&x, &regs, &insn[i % LOCKED], &out) != SVMC_OK ||
            (out.action != SVMC_EXEC_DONE && out.action != SVMC_EXEC_AGAIN))
            w->failed++;
        if (out.action == SVMC_EXEC_DONE)
            i++;
        else
            w->again++;
    }
    return NULL;
}

static void *add(void *arg)
{
    struct worker *w = arg;

    for (uint64_t i = 0; i < w->count; i++)
#ifdef __x86_64__
        __asm__ volatile("lock addq $1, %0"
                         : "+m"(*(uint64_t *)(void *)(memory + w->place))
                         :
                         : "memory", "cc");
#else
        (void)__atomic_fetch_add((uint64_t *)(void *)(memory + w->place), 1, __ATOMIC_SEQ_CST);
#endif
    return NULL;
}

static uint64_t wanted(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

static void race(uint64_t place, uint64_t count)
{
    struct worker w[3];
    uint64_t total = 0, held, each = count / 3 + 1;

    memset(memory, 0, sizeof memory);
    for (unsigned i = 0; i < 3; i++) {
        w[i] = (struct worker){ .count = each, .place = place };
        REQUIRE(pthread_create(&w[i].thread, NULL, i < 2 ? finish : add, &w[i]) == 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(w[i].thread, NULL);
        CHECK_EQ(w[i].failed, 0);
        total += w[i].count;
    }
    memcpy(&held, memory + place, 8);
    CHECK_EQ(held, total);
    printf("exec-race: at %" PRIu64 ": %" PRIu64 " operations, %" PRIu64 " calls gave up\n", place,
           total, w[0].again + w[1].again);
}

TEST(exec_race, no_update_of_a_word_is_lost)
{
    race(LINE, wanted("SVMC_COUNT", 1000000));
}

TEST(exec_race, no_update_across_a_line_is_lost)
{
#ifdef __x86_64__
    race(CROSS, wanted("SVMC_CROSS", 10000));
#else
    harness_skip("hardware: no processor that locks across a line");
#endif
}

/* ---- one begins, the other ends ---- */

struct handover {
    struct svmc_exec x;
    struct svmc_exec_x86 regs;
    struct svmc_exec_result out;
    const uint8_t *src;
    unsigned calls;
};

static enum svmc_status write_later(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    struct handover *h = ctx;

    (void)at, (void)n;
    h->src = src;
    h->calls++;
    return SVMC_ERR_BUSY;
}

static void *begin(void *arg)
{
    const struct svmc_cpu cpu = { .isa = SVMC_ISA_X86_64, .vendor = SVMC_VENDOR_INTEL };
    struct handover *h = arg;
    struct svmc_insn insn;

    if (svmc_insn_decode(&cpu, (const uint8_t *)"\x48\x89\x03", 3, &insn) == SVMC_OK &&
        svmc_exec_x86_start(&h->x, &h->regs, &insn, &h->out) == SVMC_OK)
        memset(&insn, 0xee, sizeof insn); /* the stack it was on is nobody's */
    return NULL;
}

static void *end(void *arg)
{
    struct handover *h = arg;

    memcpy(memory + h->x.wait.at, h->src, h->x.wait.bytes);
    if (svmc_exec_answer(&h->x, NULL, 0) != SVMC_OK ||
        svmc_exec_x86_resume(&h->x, &h->regs, &h->out) != SVMC_OK)
        h->out.action = SVMC_EXEC_NONE;
    return NULL;
}

static enum svmc_status translate_wrapped(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                          struct svmc_fault *fault)
{
    (void)ctx, (void)access, (void)fault;
    out->v = at.v & 0xfff; /* each page is the same one */
    return SVMC_OK;
}

TEST(exec_race, another_thread_ends_a_split_write) /* CVE-2026-31588 */
{
    static struct handover h;
    struct svmc_exec_ops later = ops;

    later.write = write_later;
    later.translate = translate_wrapped;
    for (unsigned i = 0; i < 200; i++) {
        uint64_t value = 0x8877665544332211 + i;
        uint8_t want[8];

        memset(&h, 0, sizeof h);
        REQUIRE(svmc_exec_init(&h.x, &later, &h) == SVMC_OK);
        h.regs = (struct svmc_exec_x86){ .address_bits = 48, .rflags = 2, .cr0 = 1 };
        h.regs.general[SVMC_REG_RBX] = LINEAR + 4093;
        h.regs.general[SVMC_REG_RAX] = value;
        for (unsigned step = 0; step < 3; step++) {
            pthread_t thread;

            REQUIRE(pthread_create(&thread, NULL, step == 0 ? begin : end, &h) == 0);
            pthread_join(thread, NULL);
            CHECK_EQ(h.out.action, step == 2 ? SVMC_EXEC_DONE : SVMC_EXEC_PENDING);
        }
        CHECK_EQ(h.calls, 2);
        for (unsigned b = 0; b < 8; b++)
            want[b] = (uint8_t)(value >> 8 * b);
        CHECK_MEM(memory + 4093, want, 3);
        CHECK_MEM(memory, want + 3, 5);
    }
}
