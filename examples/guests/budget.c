/* SPDX-License-Identifier: MIT */
/**
 * A guest whose memory does not all fit: nine of ten accesses go to a tenth of its pages, the rest
 * anywhere. It knows what each line of each page holds, looks at every access, and in the end at
 * everything. Each processor has its share of the pages. Some of them are filled at first and left
 * alone until then: with a canary.
 */
#include "guest.h"

_Noreturn void guest_halt(uint64_t verdict);
uint64_t guest_main(const struct boot_info *boot, uint64_t id);

#define PAGE     4096u
#define LINES    64u
#define LOW      0x80000u /* two pieces of memory that nobody else uses */
#define LOW_END  0x100000u
#define HIGH     0x120000u
#define HIGH_END 0x200000u
#define PAGES    ((LOW_END - LOW + HIGH_END - HIGH) / PAGE)
#define TENTH    10u
#define CANARIES 8u
#define ACCESSES 12000u
#define DWELL_US 500000u

/* What a processor has: pages of its own, from `first` on. */
struct mine {
    uint64_t first, pages;
    uint64_t written[PAGES]; /* words that a page got: number n lies in line n % LINES */
    uint64_t state;
};

static struct mine mine[BOOT_CPUS_MAX];
static volatile uint64_t all_ones = ~0ull;

static void print(const char *text)
{
    uint64_t n = 0;

    while (text[n])
        n++;
    rep_outs8(DEV_CONSOLE, text, n);
}

static void check(int good)
{
    if (good)
        return;
    print("FAIL: a page does not hold what was written to it\n");
    guest_halt(1);
}

static uint64_t random(struct mine *m)
{
    m->state ^= m->state << 13;
    m->state ^= m->state >> 7;
    m->state ^= m->state << 17;
    return m->state;
}

static volatile uint64_t *line(uint64_t page, uint64_t n)
{
    uint64_t at = LOW + page * PAGE;

    return (volatile uint64_t *)((at < LOW_END ? at : at - LOW_END + HIGH) + n * (PAGE / LINES));
}

static uint64_t word(uint64_t page, uint64_t n)
{
    uint64_t x = ((page + 1) << 32 | n) * 0x9e3779b97f4a7c15u;

    return x ^ x >> 29;
}

/* Pages that are left alone: none of the tenth that is hot. */
static int is_canary(uint64_t page)
{
    return page % TENTH == 3 && page / TENTH % 4 == 0 && page / TENTH / 4 < CANARIES;
}

static uint64_t held(const struct mine *m, uint64_t page, uint64_t n)
{
    uint64_t last = m->written[page] - 1;

    return word(page, last - (last - n) % LINES);
}

/* Put together at run time: it is not in this program, which lies in memory, too. */
static uint64_t canary(uint64_t n)
{
    return (n % 2 ? ~BUDGET_CANARY_HIGH : ~BUDGET_CANARY_LOW) ^ all_ones;
}

static void fill(struct mine *m)
{
    for (uint64_t page = m->first; page < m->first + m->pages; page++) {
        for (uint64_t n = 0; n < LINES; n++)
            if (is_canary(page))
                line(page, n)[0] = canary(0), line(page, n)[1] = canary(1);
            else
                *line(page, n) = word(page, n);
        m->written[page] = LINES;
    }
}

static void access(struct mine *m, uint64_t page, uint64_t n, int write)
{
    if (is_canary(page))
        return;
    check(*line(page, n) == held(m, page, n));
    if (!write)
        return;
    n = m->written[page]++;
    *line(page, n % LINES) = word(page, n);
}

static void work(struct mine *m, uint64_t accesses)
{
    for (uint64_t i = 0; i < accesses; i++) {
        uint64_t dice = random(m), page = dice >> 8;

        page = dice % 10 < 9 ? page % (m->pages / TENTH) * TENTH : page % m->pages;
        if (i % 256 == 0)
            in32(DEV_CLOCK); /* it is at work */
        access(m, m->first + page, dice >> 40 & (LINES - 1), dice >> 50 & 1);
    }
}

/* With pages that are in use anyway, so that somebody can look at memory meanwhile. */
static void dwell(struct mine *m)
{
    uint32_t begin = (uint32_t)in32(DEV_CLOCK);

    while ((uint32_t)in32(DEV_CLOCK) - begin < DWELL_US)
        for (uint64_t page = 0; page < m->pages; page += TENTH)
            access(m, m->first + page, page % LINES, 0);
}

static void check_all(const struct mine *m)
{
    for (uint64_t page = m->first; page < m->first + m->pages; page++, in32(DEV_CLOCK))
        for (uint64_t n = 0; n < LINES; n++)
            if (is_canary(page))
                check(line(page, n)[0] == canary(0) && line(page, n)[1] == canary(1));
            else
                check(*line(page, n) == held(m, page, n));
}

uint64_t guest_main(const struct boot_info *boot, uint64_t id)
{
    struct mine *m = &mine[id];

    this_cpu()->noise = BOOT_NOISE + id * (BOOT_NOISE_BYTES / BOOT_CPUS_MAX);
    this_cpu()->vector = CPU_NO_VECTOR;
    this_cpu()->id = id;
    m->state = 0x1234567 + id;
    m->pages = PAGES / boot->cpus;
    m->first = id * m->pages;
    fill(m);
    work(m, ACCESSES / 2);
    if (id == 0)
        print("half of the work is done\n");
    if (boot->flags & BOOT_DWELL)
        dwell(m);
    work(m, ACCESSES / 2);
    if (id == 0)
        print("all of it; now every page\n");
    check_all(m);
    if (id == 0)
        print("PASS: cpu 0\n");
    return VERDICT_PASS;
}
