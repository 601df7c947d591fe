/* SPDX-License-Identifier: MIT */
/*
 * A device asks for anything: functions, addresses, lengths, lists; memory is changed meanwhile,
 * translate and the crypto table fail, slots come and go. Traps when a byte of the other VM is in a
 * buffer, when a refused request changed anything, when a failed read shows anything, or when
 * memory does not mean what was written (DM-3 to DM-21).
 */
#define SVMC_TEST_PLAIN
#include "input.h"

#include "../tests/keyslot/keyslot_lab.c"

bool harness_check(bool ok, const char *file, int line, const char *expr, const char *fmt, ...)
{
    (void)file, (void)line, (void)expr, (void)fmt;
    require(ok);
    return ok;
}

bool harness_check_eq(uint64_t got, uint64_t want, const char *file, int line, const char *expr,
                      const char *fmt, ...)
{
    (void)fmt;
    return harness_check(got == want, file, line, expr, "");
}

enum { ROOM = 4500, PIECES = 2 };

static struct lab lab;
static struct toy toy;
static uint8_t buffer[PIECES][ROOM], before[PIECES][ROOM];
static bool spoiled; /* memory is not what `plain` says */

static uint64_t take_iova(struct input *in)
{
    uint8_t head = take_byte(in), low[2];
    uint64_t far;

    take(in, low, sizeof low);
    if (head < 240)
        return (uint64_t)(head % LAB_IOVAS) * SVMC_DMA_PAGE + (low[0] | (low[1] & 15u) << 8);
    take(in, &far, sizeof far);
    return far;
}

static bool is_of(uint32_t vm, const uint8_t *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (at[i] != 0 && at[i] / 128u != vm)
            return false;
    return true;
}

/* What a request that succeeded wrote is what memory means from now on. */
static void apply(const struct svmc_dma_request *q, uint32_t vm)
{
    for (size_t i = 0; i < q->pieces; i++)
        for (size_t b = 0; b < q->piece[i].bytes; b++) {
            uint64_t iova = q->piece[i].iova + b;
            const struct dma_lab_map *m = &lab.map[vm][iova / SVMC_DMA_PAGE];
            uint8_t *at = &lab.plain[vm][m->page][iova % SVMC_DMA_PAGE];

            require(iova / SVMC_DMA_PAGE < LAB_IOVAS && m->vm == vm);
            require(m->access & (q->direction ? SVMC_ACCESS_WRITE : SVMC_ACCESS_READ));
            if (q->direction)
                *at = before[i][b];
            else if (!spoiled)
                require(buffer[i][b] == *at);
        }
}

static void request(struct input *in)
{
    struct svmc_dma_piece piece[PIECES];
    uint8_t head = take_byte(in), fails = take_byte(in);
    uint32_t device = head % LAB_DEVICES, vm = dma_lab_vm(device);
    struct svmc_dma_request q = { .bdf = dma_lab_bdf(device),
                                  .direction = head >> 3 & 1,
                                  .piece = piece,
                                  .pieces = 1 + (head >> 4) % PIECES };
    struct svmc_dma_result r;
    enum svmc_status st;

    if (head >> 6 == 3)
        take(in, &q.bdf, sizeof q.bdf);
    memset(buffer, (int)(vm * 128 + 1 + fails % 100), sizeof buffer);
    memcpy(before, buffer, sizeof before);
    for (size_t i = 0; i < q.pieces; i++) {
        uint8_t n[2];

        piece[i].iova = take_iova(in);
        take(in, n, sizeof n);
        piece[i].bytes = (size_t)(n[0] | n[1] << 8) % ROOM;
        piece[i].buffer = buffer[i];
    }
    toy.calls = lab.translations = 0;
    toy.fail_at = fails > 230 ? fails - 230u : 0;
    lab.translate_fails = fails > 220 && fails <= 230 ? fails - 220u : 0;
    st = svmc_dma_move(&lab.dma, take_byte(in) % LAB_LANES, &q, &r);
    toy.fail_at = lab.translate_fails = 0;
    require((st == SVMC_OK) == (r.reason == SVMC_DMA_NONE));
    for (size_t i = 0; i < q.pieces && q.bdf == dma_lab_bdf(device); i++)
        require(spoiled || is_of(vm, buffer[i], ROOM));
    if (q.bdf != dma_lab_bdf(device)) { /* whoever it is, it may be a device of the other VM's */
        require(st != SVMC_OK || q.bdf < 65536);
        spoiled |= q.direction && r.moved != 0;
    } else if (st == SVMC_OK) {
        apply(&q, vm);
    } else if (q.direction && (r.moved != 0 || r.reason == SVMC_DMA_CRYPTO)) {
        spoiled = true; /* written in part, or a whole opaque unit is zeros */
    } else if (r.reason == SVMC_DMA_TAG || r.reason == SVMC_DMA_CRYPTO) {
        for (size_t i = 0; i < q.pieces && !q.direction; i++)
            for (size_t b = 0; b < piece[i].bytes; b++)
                require(buffer[i][b] == 0);
    } else {
        require(memcmp(buffer, before, sizeof buffer) == 0);
    }
    require(r.reason != SVMC_DMA_TAG || spoiled);
}

static void change(struct input *in)
{
    uint8_t what = take_byte(in), a = take_byte(in), b = take_byte(in);
    uint32_t vm = what >> 4 & 1;

    if ((what & 15) == 0) {
        dma_lab_revoke(&lab, vm);
        dma_lab_load(&lab, vm, a);
    } else if ((what & 15) == 1) {
        lab.memory[vm][a % LAB_PAGES][b * 16u] ^= (uint8_t)(what | 1);
        spoiled = true;
    } else {
        lab.map[vm][a % LAB_IOVAS] =
            (struct dma_lab_map){ b % 4 == 3 ? b / 4 % 3 : vm, b / 4 % LAB_PAGES, what >> 5 & 3 };
        svmc_keyslots_flush(&lab.ks);
    }
}

/* A host in which all memory is written; made once for each kind. */
static void start(uint8_t kind)
{
    static const uint32_t algs[] = { SVMC_ALG_AES_256_XTS, SVMC_ALG_AES_256_GCM };
    const uint32_t alg[] = { algs[kind & 1], algs[kind >> 1 & 1] };
    const uint32_t unit[] = { kind & 4 ? 512 : 4096, kind & 4 ? 64 : 1024 };
    static struct lab made[8];

    if (!made[kind].crypto) {
        toy_init(&toy);
        dma_lab_init(&lab, &toy.ops, alg, unit);
        made[kind] = lab;
    }
    toy_init(&toy);
    toy.loaded = LAB_VMS;
    lab = made[kind];
    spoiled = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };

    uint8_t kind = take_byte(&in);

    start(kind & 7);
    while (in.left > 0) {
        if (take_byte(&in) & 3)
            request(&in);
        else
            change(&in);
    }
    for (uint32_t n = 0; n < 64; n++)
        require((uint32_t)lab.dma.priv.stripe[n] == 0);
    for (uint32_t vm = 0; vm < LAB_VMS && kind < 64 && !spoiled; vm++)
        require(dma_lab_holds(&lab, vm));
    svmc_keyslots_drop(&lab.ks);
    require(toy.loaded == 0);
    return 0;
}
