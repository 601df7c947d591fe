/* SPDX-License-Identifier: MIT */
/**
 * The host's messages: copied once, checked, moved, answered. Nothing of them is believed: a
 * function must have a slot, an address must lead to a page of the same slot, and handles of
 * transfers stay here.
 */
#include <string.h>

#include "bytes.h"
#include "dma.h"
#include "embed.h"
#include "watch.h"

static const struct {
    const char *what;
    uint32_t reason;
} tries[] = {
#define DMA_TRY(id, what, when, bdf, op, flight, iova, bytes, reason) \
    [DMA_TRY_##id] = { what, reason },
#include "dma.def"
#undef DMA_TRY
};

const char *dma_reason(uint32_t reason)
{
    static const char *const names[] = {
        [SVMC_DMA_NONE] = "nothing",
        [SVMC_DMA_BDF_RANGE] = "no such segment",
        [SVMC_DMA_BDF_UNBOUND] = "not bound to a slot",
        [SVMC_DMA_LENGTH] = "beyond the end of all addresses",
        [SVMC_DMA_UNMAPPED] = "not mapped to it",
        [SVMC_DMA_ACCESS] = "not its right to this page",
        [SVMC_DMA_SLOT] = "another slot's page",
        [SVMC_DMA_SLOT_STALE] = "its slot is revoked",
        [SVMC_DMA_CUT] = "its slot was cut",
        [SVMC_DMA_KEY] = "its key has no place",
        [SVMC_DMA_CLAIMED] = "claimed by another one",
        [SVMC_DMA_PAGES] = "too many pages",
        [SVMC_DMA_VERSIONS] = "no more versions",
        [SVMC_DMA_TAG] = "not what was written last: the tag",
        [SVMC_DMA_TRANSLATE] = "the keeper's tables",
        [SVMC_DMA_CRYPTO] = "cryptography",
        [WIRE_DMA_BAD_OP] = "unknown operation",
        [WIRE_DMA_BAD_RESERVED] = "reserved bytes are set",
        [WIRE_DMA_BAD_PIECES] = "the number of its parts",
        [WIRE_DMA_BAD_BYTES] = "the bytes of a part",
        [WIRE_DMA_BAD_FLIGHT] = "this function has no such flight",
        [WIRE_DMA_BAD_FLIGHTS] = "no room for one more flight",
    };

    return reason < sizeof names / sizeof *names && names[reason] ? names[reason] : "?";
}

uint32_t dma_canaries(const uint8_t *bytes, size_t n)
{
    const uint64_t canary[2] = { DMA_CANARY_LOW, DMA_CANARY_HIGH };
    const uint8_t *end = bytes + n;
    uint32_t count = 0;

    while ((bytes = memmem(bytes, (size_t)(end - bytes), canary, sizeof canary)) != NULL) {
        bytes++;
        count++;
    }
    return count;
}

/* --- the check --- */

/* Is it a message? *bytes: of its parts. Everything else about it the engine judges. */
static uint32_t check_message(const struct dma *d, const struct wire_dma_ask *m, size_t *bytes)
{
    bool moves = m->op == WIRE_DMA_READ || m->op == WIRE_DMA_WRITE;
    const struct dma_flight *f = m->flight - 1 < DMA_FLIGHTS ? &d->flight[m->flight - 1] : NULL;

    *bytes = 0;
    if (m->op > WIRE_DMA_END)
        return WIRE_DMA_BAD_OP;
    if (moves ? m->pieces < 1 || m->pieces > WIRE_DMA_PIECES : m->pieces != 0)
        return WIRE_DMA_BAD_PIECES;
    for (uint32_t i = m->pieces; i < WIRE_DMA_PIECES; i++)
        if (m->piece[i].iova != 0 || m->piece[i].bytes != 0)
            return WIRE_DMA_BAD_RESERVED;
    if (m->reserved != 0)
        return WIRE_DMA_BAD_RESERVED;
    for (uint32_t i = 0; i < m->pieces; i++) {
        if (m->piece[i].bytes == 0 || m->piece[i].bytes > WIRE_DMA_BYTES - *bytes)
            return WIRE_DMA_BAD_BYTES;
        *bytes += (size_t)m->piece[i].bytes;
    }
    if (m->op == WIRE_DMA_BEGIN ? m->flight != 0
                                : (m->flight != 0 || m->op == WIRE_DMA_END) &&
                                      (!f || f->handle.raw == 0 || f->bdf != m->bdf))
        return WIRE_DMA_BAD_FLIGHT;
    return 0;
}

/* --- the work --- */

static void begin_flight(struct dma *d, const struct wire_dma_ask *m, struct wire_dma_answer *a)
{
    struct svmc_dma_result result;
    svmc_key_handle handle;
    uint32_t i = 0;

    while (i < DMA_FLIGHTS && d->flight[i].handle.raw != 0)
        i++;
    if (i == DMA_FLIGHTS) {
        *a = (struct wire_dma_answer){ SVMC_ERR_FULL, WIRE_DMA_BAD_FLIGHTS, 0, 0 };
        return;
    }
    a->status = svmc_dma_begin(&d->engine, 0, m->bdf, &handle, &result);
    a->reason = result.reason;
    if (a->status != SVMC_OK)
        return;
    d->flight[i] = (struct dma_flight){ m->bdf, handle };
    a->flight = i + 1;
}

static void end_flight(struct dma *d, const struct wire_dma_ask *m, struct wire_dma_answer *a)
{
    struct dma_flight *f = &d->flight[m->flight - 1];

    a->status = svmc_keyslot_unref(&d->slots, f->handle);
    a->reason = a->status == SVMC_OK ? 0 : SVMC_DMA_CUT;
    *f = (struct dma_flight){ 0 };
}

static void move_bytes(struct dma *d, const struct wire_dma_ask *m, struct wire_dma_answer *a)
{
    struct svmc_dma_piece piece[WIRE_DMA_PIECES];
    struct svmc_dma_request request = {
        .bdf = m->bdf, .direction = m->op, .piece = piece, .pieces = m->pieces
    };
    struct svmc_dma_result result;
    size_t at = 0;

    for (uint32_t i = 0; i < m->pieces; i++) {
        piece[i] =
            (struct svmc_dma_piece){ m->piece[i].iova, d->data + at, (size_t)m->piece[i].bytes };
        at += piece[i].bytes;
    }
    if (m->flight != 0)
        request.flight = d->flight[m->flight - 1].handle;
    a->status = svmc_dma_move(&d->engine, 0, &request, &result);
    a->reason = result.reason;
    a->bytes = (uint32_t)result.moved;
}

/* --- what the demo says of it --- */

static uint64_t image(const struct dma *d)
{
    const uint64_t parts[2] = { tape_checksum(d->bus, sizeof d->own),
                                tape_checksum((const uint8_t *)d->seals, sizeof d->seals) };

    return tape_checksum((const uint8_t *)parts, sizeof parts);
}

static void snoop(struct dma *d)
{
    d->counts.looks++;
    d->counts.on_bus += dma_canaries(d->bus, sizeof d->own);
}

static void count_moved(struct dma *d, const struct wire_dma_ask *m,
                        const struct wire_dma_answer *a)
{
    uint32_t which = m->bdf == DMA_NET;
    struct dma_counts *c = &d->counts;

    if (m->op == WIRE_DMA_WRITE) {
        c->writes[which]++;
        c->written_bytes[which] += a->bytes;
        return;
    }
    c->reads[which]++;
    c->read_bytes[which] += a->bytes;
    c->at_devices += dma_canaries(d->data, a->bytes);
    if (d->got_at == 0 && m->bdf == DMA_BLOCK && m->piece[0].bytes >= sizeof d->got &&
        m->piece[0].iova - DMA_IOVA <= 3 * SVMC_DMA_PAGE - sizeof d->got &&
        dma_canaries(d->data, sizeof d->got) > 0) {
        memcpy(d->got, d->data, sizeof d->got);
        d->got_at = DMA_BLOCK_DATA + (m->piece[0].iova - DMA_IOVA);
    }
}

/* Attempts are refused, each for its own reason, and change nothing; work is done. */
static void judge_message(struct vcpu *v, const struct wire_dma_ask *m,
                          const struct wire_dma_answer *a, bool changed)
{
    struct dma *d = v->dma;
    uint32_t row = m->attempt - 1;
    bool good;

    if (row >= DMA_TRIES && a->status != SVMC_OK && d->put_back && a->reason == SVMC_DMA_TAG)
        row = DMA_TRY_REPLAYED; /* by nobody in the host */
    if (row < DMA_TRIES) {
        good = a->status != SVMC_OK && a->reason == tries[row].reason && !changed;
        d->counts.refused[row] += good;
        d->counts.faults += !good;
        watch_gate(v, "%s: %s: %s%s",
                   good                   ? "refused"
                   : a->status == SVMC_OK ? "ACCEPTED"
                                          : "NOT REFUSED AS IT SHOULD BE",
                   tries[row].what, dma_reason(a->reason), changed ? ", MEMORY HAS CHANGED" : "");
    } else if (a->status != SVMC_OK) {
        d->counts.faults++;
        watch_gate(v, "NOT DONE: a device's work: %s", dma_reason(a->reason));
    } else if (m->op <= WIRE_DMA_WRITE) {
        count_moved(d, m, a);
    }
}

/* --- from and to the host --- */

/* The message, in one copy. What is written is copied once it is known how much. */
static bool take_part(struct vcpu *v, size_t at, void *to, size_t n)
{
    const volatile uint8_t *from =
        v->host ? v->host->vcpu[v->id].page + SVMC_PAGE_BYTES + at : NULL;
    uint8_t *bytes = to;
    size_t had = n;

    for (size_t i = 0; from && i < n; i++)
        bytes[i] = from[i];
    return tape_in(v->tape, TAPE_DMA, to, n, &n) &&
           (n == had || tape_differs(v->tape, TAPE_DMA, 0));
}

static void give_part(struct vcpu *v, size_t at, const void *from, size_t n)
{
    volatile uint8_t *to = v->host ? v->host->vcpu[v->id].page + SVMC_PAGE_BYTES + at : NULL;

    for (size_t i = 0; to && i < n; i++)
        to[i] = ((const uint8_t *)from)[i];
}

bool dma_message(struct vcpu *v, uint64_t tag)
{
    struct dma *d = v->dma;
    struct wire_dma_answer a = { .status = SVMC_ERR_ARG };
    struct wire_dma_ask m;
    uint64_t before;
    size_t bytes, shown;

    if (v->kvm ? !(tag & WIRE_TAG_DMA) : tape_peek(v->tape) != TAPE_DMA)
        return false;
    if (!take_part(v, 0, &m, sizeof m))
        return false;
    a.reason = check_message(d, &m, &bytes);
    if (a.reason == 0 && m.op == WIRE_DMA_WRITE && !take_part(v, WIRE_DMA_DATA, d->data, bytes))
        return false;
    before = image(d);
    snoop(d);
    if (a.reason == 0)
        (m.op == WIRE_DMA_BEGIN ? begin_flight
         : m.op == WIRE_DMA_END ? end_flight
                                : move_bytes)(d, &m, &a);
    snoop(d);
    shown = m.op == WIRE_DMA_READ && a.status == SVMC_OK ? a.bytes : 0;
    if (!tape_out(v->tape, TAPE_MOVED, &a, sizeof a) ||
        (shown > 0 && !tape_out(v->tape, TAPE_MOVED, d->data, shown)))
        return false;
    judge_message(v, &m, &a, image(d) != before);
    give_part(v, WIRE_DMA_DATA, d->data, shown);
    give_part(v, sizeof m, &a, sizeof a);
    return watch_good(v);
}
