/* SPDX-License-Identifier: MIT */
/**
 * DMA, from the guest: a driver of a block device and of a net device, whose buffers and lists lie
 * in pages that are held encrypted. It sees plaintext there, and checks every byte that comes back.
 */
#include "guest.h"

uint64_t guest_main(const struct boot_info *boot, uint64_t id);
_Noreturn void guest_halt(uint64_t verdict);

#define SECTORS 3u
#define DATA    (SECTORS * DMA_SECTOR)
#define FRAME   104u

/* Where each part of the three sectors lies: no part starts or ends on a line, one on two pages. */
static const struct {
    uint32_t at, bytes;
} parts[] = { { 0xfa5, 700 }, { 0x180d, 401 }, { 0x1b01, 435 } }, back[] = { { 0x2103, DATA } };

static unsigned checks;

static void check(int good)
{
    checks++;
    if (!good)
        guest_halt(checks);
}

/* One instruction an access: the keeper does what a memory controller would. */
static void put(uint64_t at, uint64_t value, unsigned bytes)
{
    if (bytes == 8)
        __asm__ volatile("mov %0, (%1)" : : "r"(value), "r"(at) : "memory");
    else
        __asm__ volatile("movb %b0, (%1)" : : "q"(value), "r"(at) : "memory");
}

static uint64_t get(uint64_t at, unsigned bytes)
{
    uint64_t value;

    if (bytes == 8)
        __asm__ volatile("mov (%1), %0" : "=r"(value) : "r"(at) : "memory");
    else
        __asm__ volatile("movzbl (%1), %k0" : "=r"(value) : "r"(at) : "memory");
    return value;
}

/* Byte n of what is moved: the canary at the start of each `each` bytes, then noise of `seed`. */
static uint64_t byte_of(uint64_t seed, uint32_t n, uint32_t each)
{
    uint32_t at = n % each;

    if (at < 16)
        return (at < 8 ? DMA_CANARY_LOW : DMA_CANARY_HIGH) >> 8 * (at % 8) & 0xff;
    seed = (seed + n) * 0x9e3779b97f4a7c15u;
    return seed >> 56;
}

static uint64_t word_of(uint64_t seed, uint32_t n, uint32_t each, unsigned bytes)
{
    uint64_t word = 0;

    for (unsigned i = 0; i < bytes; i++)
        word |= byte_of(seed, n + i, each) << 8 * i;
    return word;
}

/* Write, or compare, bytes from number n on. */
static void fill(uint64_t at, uint32_t n, uint32_t bytes, uint64_t seed, uint32_t each)
{
    for (uint32_t i = 0, some; i < bytes; i += some) {
        some = bytes - i < 8 ? 1 : 8;
        put(at + i, word_of(seed, n + i, each, some), some);
    }
}

static void compare(uint64_t at, uint32_t n, uint32_t bytes, uint64_t seed, uint32_t each)
{
    for (uint32_t i = 0, some; i < bytes; i += some) {
        some = bytes - i < 8 ? 1 : 8;
        check(get(at + i, some) == word_of(seed, n + i, each, some));
    }
}

static void head(uint64_t list, uint32_t op, uint32_t sector, uint32_t pieces)
{
    put(list, op | (uint64_t)sector << 32, 8);
    put(list + 8, pieces, 8);
}

static void piece(uint64_t list, uint32_t number, uint64_t iova, uint64_t bytes)
{
    put(list + 16 + 16 * number, iova, 8);
    put(list + 24 + 16 * number, bytes, 8);
}

/* Ring, and see what came of it: the bytes, or 0. */
static uint32_t ring(uint32_t port)
{
    uint32_t what;

    out32(port, DMA_IOVA_LIST);
    what = (uint32_t)in32(port);
    check((what & 0xff) == DMA_DONE || what == DMA_FAILED);
    return (what & 0xff) == DMA_DONE ? what >> 8 : 0;
}

/* Three sectors out of three parts, and back in one. */
static void use_disk(void)
{
    uint32_t n = 0;

    head(DMA_BLOCK_LIST, DMA_OUT, 4, 3);
    for (uint32_t i = 0; i < 3; i++) {
        fill(DMA_BLOCK_DATA + parts[i].at, n, parts[i].bytes, 1, DMA_SECTOR);
        piece(DMA_BLOCK_LIST, i, DMA_IOVA + parts[i].at, parts[i].bytes);
        n += parts[i].bytes;
    }
    check(ring(DEV_BLOCK) == DATA);
    head(DMA_BLOCK_LIST, DMA_IN, 4, 1);
    piece(DMA_BLOCK_LIST, 0, DMA_IOVA + back[0].at, back[0].bytes);
    check(ring(DEV_BLOCK) == DATA);
    compare(DMA_BLOCK_DATA + back[0].at, 0, DATA, 1, DMA_SECTOR);

    /* the one in the middle alone, in two parts that lie the other way round */
    head(DMA_BLOCK_LIST, DMA_IN, 5, 2);
    piece(DMA_BLOCK_LIST, 0, DMA_IOVA + 0x400, 200);
    piece(DMA_BLOCK_LIST, 1, DMA_IOVA + 0x200, 312);
    check(ring(DEV_BLOCK) == DMA_SECTOR);
    compare(DMA_BLOCK_DATA + 0x400, 512, 200, 1, DMA_SECTOR);
    compare(DMA_BLOCK_DATA + 0x200, 712, 312, 1, DMA_SECTOR);
    compare(DMA_BLOCK_DATA + parts[0].at, 0, 64, 1, DMA_SECTOR); /* as it was */
}

static uint32_t send(void)
{
    head(DMA_NET_LIST, DMA_OUT, 0, 1);
    piece(DMA_NET_LIST, 0, DMA_IOVA + 0x33, FRAME);
    return ring(DEV_NET);
}

static void receive(uint64_t seed)
{
    head(DMA_NET_LIST, DMA_IN, 0, 2);
    piece(DMA_NET_LIST, 0, DMA_IOVA + 0xff0, 40);
    piece(DMA_NET_LIST, 1, DMA_IOVA + 0x1111, FRAME - 40);
    check(ring(DEV_NET) == FRAME);
    compare(DMA_NET_DATA + 0xff0, 0, 40, seed, FRAME);
    compare(DMA_NET_DATA + 0x1111, 40, FRAME - 40, seed, FRAME);
}

static void write_frame(uint64_t seed)
{
    fill(DMA_NET_DATA + 0x33, 0, FRAME, seed, FRAME);
}

static void use_net(void)
{
    for (uint64_t seed = 2; seed < 4; seed++) {
        write_frame(seed);
        check(send() == FRAME);
        receive(seed);
    }
    /* an older frame, put back on the bus, does not leave */
    out32(DEV_DMA, DMA_NOTE);
    write_frame(4);
    out32(DEV_DMA, DMA_PUT_BACK);
    check(send() == 0);
    out32(DEV_DMA, DMA_REPAIR);
    check(send() == FRAME);
    receive(4);
    /* a fresh key: nothing is left of what was there, and everything works as before */
    out32(DEV_DMA, DMA_RENEW);
    check(get(DMA_NET_DATA + 0x33, 8) == 0);
    out32(DEV_NET, 0);
    write_frame(5);
    check(send() == FRAME);
    receive(5);
}

uint64_t guest_main(const struct boot_info *boot, uint64_t id)
{
    (void)boot;
    this_cpu()->id = id;
    this_cpu()->noise = BOOT_NOISE;
    this_cpu()->vector = CPU_NO_VECTOR;
    use_disk();
    use_net();
    use_disk(); /* what was tried meanwhile has changed nothing */
    rep_outs8(DEV_CONSOLE, "PASS: cpu 0\n", 12);
    return VERDICT_PASS;
}
