/* SPDX-License-Identifier: MIT */
#include "dma_model.h"

enum { PIECES = 5, BYTES_MAX = 9000 };

static struct lab lab;
static uint64_t rng;

static uint32_t below(uint32_t n)
{
    return (uint32_t)(harness_random(&rng) >> 32) % n;
}

/* What a request must end in, from the lists of this file alone. */
struct expected {
    enum svmc_status st;
    uint32_t reason;
    uint64_t iova;
};

struct ask {
    struct svmc_dma_request request;
    struct svmc_dma_piece piece[PIECES];
    uint8_t buffer[PIECES][BYTES_MAX];
    uint32_t device; /* LAB_DEVICES and above: there is none */
};

static const struct dma_lab_map *map_at(uint32_t vm, uint64_t iova)
{
    return iova / SVMC_DMA_PAGE < LAB_IOVAS ? &lab.map[vm][iova / SVMC_DMA_PAGE] : NULL;
}

static struct expected foresee(const struct ask *ask)
{
    uint32_t want = ask->request.direction ? SVMC_ACCESS_WRITE : SVMC_ACCESS_READ, vm, pages = 0;
    struct expected e = { SVMC_ERR_REFUSED, SVMC_DMA_NONE, 0 };

    if (ask->device >= LAB_DEVICES) {
        e.reason = ask->device == LAB_DEVICES ? SVMC_DMA_BDF_UNBOUND : SVMC_DMA_BDF_RANGE;
        return e;
    }
    vm = dma_lab_vm(ask->device);
    for (size_t i = 0; i < ask->request.pieces; i++) {
        uint64_t first = ask->piece[i].iova, n = ask->piece[i].bytes;

        if (n != 0 && first + n - 1 < first) {
            e.reason = SVMC_DMA_LENGTH;
            e.iova = first;
            return e;
        }
        for (uint64_t at = first; at - first < n; at = (at / SVMC_DMA_PAGE + 1) * SVMC_DMA_PAGE) {
            const struct dma_lab_map *m = map_at(vm, at);

            e.iova = at;
            if (++pages > 32)
                return (struct expected){ SVMC_ERR_FULL, SVMC_DMA_PAGES, at };
            e.reason = !m || m->vm == LAB_VMS    ? SVMC_DMA_UNMAPPED
                       : m->vm != vm             ? SVMC_DMA_SLOT
                       : (m->access & want) == 0 ? SVMC_DMA_ACCESS
                                                 : SVMC_DMA_NONE;
            if (e.reason != SVMC_DMA_NONE)
                return e;
        }
    }
    return (struct expected){ SVMC_OK, SVMC_DMA_NONE, 0 };
}

/* A byte of memory as its VM means it. */
static uint8_t *plain_at(uint32_t vm, uint64_t iova)
{
    return &lab.plain[vm][map_at(vm, iova)->page][iova % SVMC_DMA_PAGE];
}

static void make(struct ask *ask)
{
    static const uint32_t sizes[] = { 1, 8, 16, 64, 65, 512, 4096, BYTES_MAX };

    ask->device = below(40) == 0 ? LAB_DEVICES + below(2) : below(LAB_DEVICES);
    ask->request = (struct svmc_dma_request){
        .bdf = ask->device < LAB_DEVICES    ? dma_lab_bdf(ask->device)
               : ask->device == LAB_DEVICES ? SVMC_BDF(0, below(256), 20, 0)
                                            : 65536 + below(1u << 31),
        .direction = below(2),
        .piece = ask->piece,
        .pieces = 1 + (below(3) == 0 ? below(PIECES) : 0),
    };
    for (size_t i = 0; i < ask->request.pieces; i++) {
        uint64_t iova = below((below(6) ? 11 : LAB_IOVAS) * SVMC_DMA_PAGE);
        size_t n = below(sizes[below(8)]) + (below(30) != 0);

        if (below(4) == 0)
            iova &= ~(uint64_t)(SVMC_DMA_PAGE - 1);
        else if (below(2) == 0)
            iova &= ~(uint64_t)63;
        if (below(4) == 0)
            n = sizes[below(7)];
        if (below(300) == 0)
            iova = UINT64_MAX - below(2 * BYTES_MAX);
        ask->piece[i] = (struct svmc_dma_piece){ iova, ask->buffer[i], n };
        for (size_t b = 0; b < n; b++) /* what its VM may know */
            ask->buffer[i][b] =
                (uint8_t)(harness_random(&rng) % 128 +
                          (ask->device < LAB_DEVICES ? dma_lab_vm(ask->device) : 0) * 128);
    }
}

/* The model: in order, byte by byte. @return whether a read's buffers have what they must. */
static bool apply(const struct ask *ask)
{
    uint32_t vm = dma_lab_vm(ask->device);
    bool same = true;

    for (size_t i = 0; i < ask->request.pieces; i++)
        for (size_t b = 0; b < ask->piece[i].bytes; b++) {
            uint8_t *at = plain_at(vm, ask->piece[i].iova + b);

            if (ask->request.direction)
                *at = ask->buffer[i][b];
            else
                same &= ask->buffer[i][b] == *at && *at / 128 == vm;
        }
    return same;
}

/* Pages move, rights change, a VM gets a new key, a device is bound anew. */
static void change(void)
{
    uint32_t vm = below(LAB_VMS), what = below(8), device = vm * 4 + below(4);
    struct dma_lab_map *m = &lab.map[vm][below(LAB_IOVAS)];

    if (what == 0) {
        dma_lab_revoke(&lab, vm);
        dma_lab_load(&lab, vm, (uint8_t)below(256));
    } else if (what == 1) {
        CHECK_EQ(svmc_device_unbind(&lab.devices, dma_lab_bdf(device)), SVMC_OK);
        CHECK_EQ(svmc_device_bind(&lab.devices, dma_lab_bdf(device), lab.slot[vm]), SVMC_OK);
    } else {
        *m = (struct dma_lab_map){ below(8) ? vm : below(LAB_VMS + 1), below(LAB_PAGES),
                                   below(6) ? SVMC_ACCESS_RW : below(4) };
        CHECK_EQ(svmc_keyslots_quiet(&lab.ks, svmc_keyslots_flush(&lab.ks)), SVMC_OK);
    }
}

static void check(const struct ask *ask, const struct expected *e, enum svmc_status st,
                  const struct svmc_dma_result *r, uint64_t turn)
{
    uint64_t all = 0;

    for (size_t i = 0; i < ask->request.pieces; i++)
        all += ask->piece[i].bytes;
    CHECK_EQ(st, e->st, "turn %" PRIu64, turn);
    CHECK_EQ(r->reason, e->reason, "turn %" PRIu64, turn);
    CHECK_EQ(r->iova, e->iova, "turn %" PRIu64, turn);
    CHECK_EQ(r->moved, st == SVMC_OK ? all : 0, "turn %" PRIu64, turn);
}

void dma_model(const struct svmc_crypto_ops *crypto, const uint32_t *alg, const uint32_t *unit,
               uint64_t requests, uint64_t seed)
{
    static uint8_t before[PIECES][BYTES_MAX];
    static struct ask ask;

    rng = seed;
    dma_lab_init(&lab, crypto, alg, unit);
    for (uint64_t turn = 0; turn < requests; turn++) {
        struct svmc_dma_result r;
        struct expected e;
        enum svmc_status st;

        if (below(50) == 0)
            change();
        make(&ask);
        e = foresee(&ask);
        memcpy(before, ask.buffer, sizeof before);
        st = svmc_dma_move(&lab.dma, below(LAB_LANES), &ask.request, &r);
        check(&ask, &e, st, &r, turn);
        if (st == SVMC_OK)
            CHECK(apply(&ask), "turn %" PRIu64, turn);
        else
            CHECK(memcmp(before, ask.buffer, sizeof before) == 0, "turn %" PRIu64, turn);
        if (turn % 500 == 0)
            CHECK(dma_lab_holds(&lab, (uint32_t)turn / 500 % LAB_VMS), "turn %" PRIu64, turn);
    }
    for (uint32_t vm = 0; vm < LAB_VMS; vm++)
        CHECK(dma_lab_holds(&lab, vm));
    svmc_keyslots_drop(&lab.ks);
}
