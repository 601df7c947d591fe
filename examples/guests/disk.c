/* SPDX-License-Identifier: MIT */
/**
 * A guest with a disk that outlives it. Each processor has sectors of its own, and counts: with
 * count n it writes a few of them, then the first one, which holds n, and flushes. So whenever it
 * is cut off, each sector says which count it is of, and that is the one before the cut or, of
 * those that were being written, the one after: old or new, nothing else. It goes on from there.
 */
#include "guest.h"

_Noreturn void guest_halt(uint64_t verdict);
uint64_t guest_main(const struct boot_info *boot, uint64_t id);

#define WORDS  (DISK_SECTOR / 8)
#define LINE   8u
#define PICKS  3u /* sectors a count */
#define COUNTS 24u
#define SAID   4u /* each so many counts are told */
#define DWELL  4000u
#define MAGIC  0x6b736964766d7673ull
#define PAGE   4096u
#define OTHERS 0x180000u /* memory that is not used otherwise, for many pages to be touched */
#define ODD    24u       /* bytes by which pieces are off a page's start */

/* What a processor has. */
struct mine {
    struct dma_list list;
    uint64_t id, checks, last[DISK_EACH]; /* of each sector: its count */
    uint64_t held[WORDS + ODD / 8], got[WORDS];
    _Alignas(PAGE) uint64_t kept[WORDS]; /* a page that nobody but the device writes */
    uint64_t kept_sector, kept_count;
};

static struct mine mine[BOOT_CPUS_MAX];
static volatile uint64_t all_ones = ~0ull;

static uint64_t lock; /* for whole lines */

static void print(const char *text)
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

static void say(const struct mine *m, const char *text, uint64_t n, const char *behind)
{
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
        __asm__ volatile("pause");
    print("cpu ");
    print_number(m->id);
    print(text);
    print_number(n);
    print(behind);
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

static void check(struct mine *m, int good)
{
    m->checks++;
    if (good)
        return;
    say(m, ": FAIL: check ", m->checks, "\n");
    guest_halt(m->checks < 0x1000 ? m->checks : 0xfff);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* What all words of a sector come from. */
static uint64_t seed(const struct mine *m, uint64_t sector, uint64_t count)
{
    return mix(m->id << 56 | sector << 48 | count);
}

/* Word i of a sector. The canary is put together at run time: this program is in memory, too. */
static uint64_t word(const struct mine *m, uint64_t sector, uint64_t count, uint64_t from,
                     uint64_t i)
{
    return i == 0   ? MAGIC
           : i == 1 ? m->id << 32 | sector
           : i == 2 ? count
           : i < 5  ? (i == 3 ? ~DMA_CANARY_LOW : ~DMA_CANARY_HIGH) ^ all_ones
                    : from + i * 0x9e3779b97f4a7c15u;
}

/* All of the first line, then a word of each: a guest may be slow. */
static uint64_t next(uint64_t i)
{
    return i < LINE ? i + 1 : i + LINE;
}

static uint64_t pick(const struct mine *m, uint64_t count, uint64_t n)
{
    return 1 + mix(count * PICKS + n + (m->id << 40)) % (DISK_EACH - 1);
}

static int is_picked(const struct mine *m, uint64_t count, uint64_t sector)
{
    for (uint64_t n = 0; n < PICKS; n++)
        if (pick(m, count, n) == sector)
            return 1;
    return 0;
}

/* ---- the device ------------------------------------------------------------------------------*/

static uint32_t ring(struct mine *m, uint32_t op, uint64_t sector, uint32_t pieces)
{
    m->list.op = op;
    m->list.sector = (uint32_t)(m->id * DISK_EACH + sector);
    m->list.pieces = pieces;
    out32(DEV_BLOCK, (unsigned)(uintptr_t)&m->list);
    return (uint32_t)in32(DEV_BLOCK);
}

static void piece(struct mine *m, uint32_t n, const void *at, uint64_t bytes)
{
    m->list.piece[n].iova = (uintptr_t)at;
    m->list.piece[n].bytes = bytes;
}

/* In two pieces, of which neither begins or ends where a sector does. */
static void write(struct mine *m, uint64_t sector, uint64_t count)
{
    uint64_t *at = m->held + ODD / 8, from = seed(m, sector, count);

    for (uint64_t i = 0; i < WORDS; i = next(i))
        at[i] = word(m, sector, count, from, i);
    piece(m, 0, at, 1000);
    piece(m, 1, (uint8_t *)at + 1000, DISK_SECTOR - 1000);
    check(m, ring(m, DMA_OUT, sector, 2) == (DMA_DONE | DISK_SECTOR << 8));
    m->last[sector] = count;
}

static void flush(struct mine *m)
{
    check(m, ring(m, DMA_FLUSH, 0, 0) == DMA_DONE);
}

/* Whose count it is, of what was read from this sector; all ones: it is none of ours. */
static uint64_t count_of(const struct mine *m, uint64_t sector, const uint64_t *got)
{
    uint64_t count = got[2], from = seed(m, sector, count), good = 1;

    for (uint64_t i = 0; i < WORDS; i = next(i))
        good &= got[i] == word(m, sector, count, from, i);
    return good ? count : ~0ull;
}

static uint64_t read(struct mine *m, uint64_t sector, uint64_t *to)
{
    piece(m, 0, to, DISK_SECTOR);
    check(m, ring(m, DMA_IN, sector, 1) == (DMA_DONE | DISK_SECTOR << 8));
    return count_of(m, sector, to);
}

/* What the device does not do: it says so, and nothing happens. */
static void ask_in_vain(struct mine *m)
{
    piece(m, 0, m->got, DISK_SECTOR);
    check(m, ring(m, 9, 0, 1) == DMA_FAILED);
    check(m, ring(m, DMA_OUT, 0, DMA_LIST_PIECES + 1) == DMA_FAILED);
    check(m, ring(m, DMA_OUT, DISK_SECTORS - m->id * DISK_EACH, 1) == DMA_FAILED);
    piece(m, 0, m->got, DISK_SECTOR - 1);
    check(m, ring(m, DMA_OUT, 0, 1) == DMA_FAILED);
    piece(m, 0, (void *)(uintptr_t)(BOOT_RAM_BYTES - DISK_SECTOR + 1), DISK_SECTOR);
    check(m, ring(m, DMA_IN, 0, 1) == DMA_FAILED);
    piece(m, 0, (void *)(uintptr_t)~0xfffull, DISK_SECTOR);
    check(m, ring(m, DMA_OUT, 0, 1) == DMA_FAILED);
    out32(DEV_BLOCK, BOOT_RAM_BYTES - 8);
    check(m, in32(DEV_BLOCK) == DMA_FAILED);
}

/* ---- the work --------------------------------------------------------------------------------*/

static void begin(struct mine *m)
{
    for (uint64_t sector = 1; sector < DISK_EACH; sector++)
        write(m, sector, 0);
    flush(m);
    write(m, 0, 0);
    flush(m);
}

/* After a start: each sector is of its count, or, if it was being written, of the next one. */
static void look(struct mine *m, uint64_t count)
{
    for (uint64_t i = 0; i < DISK_EACH; i++)
        m->last[i] = 0;
    m->last[0] = count;
    for (uint64_t k = 1; k <= count; k++)
        for (uint64_t n = 0; n < PICKS; n++)
            m->last[pick(m, k, n)] = k;
    for (uint64_t sector = 1; sector < DISK_EACH; sector++) {
        uint64_t of = read(m, sector, m->got);

        check(m, of == m->last[sector] || (of == count + 1 && is_picked(m, of, sector)));
        m->last[sector] = of;
    }
}

/* What the device has read before is in memory still; meanwhile much else was in use. */
static void keep(struct mine *m, uint64_t sector)
{
    for (uint64_t at = OTHERS; at < BOOT_RAM_BYTES; at += 2 * PAGE)
        (void)*(const volatile uint64_t *)at;
    if (m->kept_sector != 0)
        check(m, count_of(m, m->kept_sector, m->kept) == m->kept_count);
    m->kept_sector = 1 + sector % (DISK_EACH - 1);
    m->kept_count = m->last[m->kept_sector];
    check(m, read(m, m->kept_sector, m->kept) == m->kept_count);
}

static void step(struct mine *m, uint64_t count)
{
    for (uint64_t n = 0; n < PICKS; n++)
        write(m, pick(m, count, n), count);
    write(m, 0, count);
    flush(m);
    keep(m, mix(count ^ m->id));
    in32(DEV_CLOCK); /* for an exit that waits */
    if (count % SAID == 0)
        say(m, " has ", count, "\n");
}

uint64_t guest_main(const struct boot_info *boot, uint64_t id)
{
    struct mine *m = &mine[id];
    uint64_t count, end;

    this_cpu()->noise = BOOT_NOISE + id * (BOOT_NOISE_BYTES / BOOT_CPUS_MAX);
    this_cpu()->vector = CPU_NO_VECTOR;
    this_cpu()->id = id;
    m->id = id;
    ask_in_vain(m);
    count = read(m, 0, m->got);
    if (count == ~0ull) {
        begin(m);
        count = 0;
    } else {
        look(m, count);
        say(m, " goes on at ", count, "\n");
    }
    end = count + (boot->flags & BOOT_DWELL ? DWELL : COUNTS);
    while (count < end)
        step(m, ++count);
    for (uint64_t sector = 0; sector < DISK_EACH; sector++)
        check(m, read(m, sector, m->got) == m->last[sector]);
    say(m, ": PASS: ", count, "\n");
    return VERDICT_PASS;
}
