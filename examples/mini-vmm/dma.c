/* SPDX-License-Identifier: MIT */
/**
 * The embedding of DMA: keys, slots, which function has which, where its addresses lead.
 *
 * What models what. In a machine with encrypted memory a controller stands between processor and
 * bus: the guest sees plaintext, memory holds ciphertext, and for a device's transaction the IOMMU
 * says whose key is used. A stock KVM has no such controller. So the guest's DMA pages have no
 * KVM slot: each access of the guest exits, and the keeper does what the controller would
 * (`processor`), by the engine and the page's own slot. Memory, and with it the bus, holds
 * ciphertext only. The IOMMU is the table `windows`; the host's messages are the transactions.
 */
#include "dma.h"

#include <string.h>

#include "back_end.h"
#include "bytes.h"
#include "embed.h"
#include "watch.h"

static struct vcpu *machine; /* --dma is of one vCPU */

/* The IOMMU's tables: what addresses a function has, where they lead, what it may do there. */
static const struct {
    uint32_t bdf, pages;
    uint64_t iova, gpa;
    uint32_t access;
} windows[] = {
    { DMA_BLOCK, 3, DMA_IOVA, DMA_BLOCK_DATA, SVMC_ACCESS_RW },
    { DMA_BLOCK, 1, DMA_IOVA_LIST, DMA_BLOCK_LIST, SVMC_ACCESS_READ },
    { DMA_NET, 2, DMA_IOVA, DMA_NET_DATA, SVMC_ACCESS_RW },
    { DMA_NET, 1, DMA_IOVA_LIST, DMA_NET_LIST, SVMC_ACCESS_READ },
    { DMA_PROCESSOR, DMA_PAGES, DMA_MEMORY, DMA_MEMORY, SVMC_ACCESS_RW },
    /* mistakes, for the demo: the slots stand in for the table */
    { DMA_BLOCK, 1, DMA_IOVA_WRONG, DMA_NET_DATA, SVMC_ACCESS_RW },
    { DMA_OTHER, 1, DMA_IOVA_WRONG, DMA_NET_DATA, SVMC_ACCESS_RW },
};

static enum svmc_status lead(void *ctx, uint32_t bdf, svmc_key_handle slot, uint64_t iova,
                             struct svmc_dma_page *page)
{
    struct dma *d = ctx;

    (void)slot; /* of this demo no function is ever another VM's */
    for (unsigned i = 0; i < sizeof windows / sizeof windows[0]; i++)
        if (windows[i].bdf == bdf && iova - windows[i].iova < windows[i].pages * SVMC_DMA_PAGE) {
            uint64_t gpa = windows[i].gpa + (iova - windows[i].iova);
            size_t number = (size_t)(gpa - DMA_MEMORY) / SVMC_DMA_PAGE;

            *page = (struct svmc_dma_page){ .at = d->bus + number * SVMC_DMA_PAGE,
                                            .address = gpa,
                                            .seals = d->seals[number],
                                            .slot = d->slot[dma_owner(gpa)],
                                            .access = windows[i].access };
            return SVMC_OK;
        }
    return SVMC_ERR_REFUSED;
}

/* --- setting up --- */

static enum svmc_status has(struct dma *d, uint32_t alg)
{
    return svmc_crypto_try(&d->crypto, (enum svmc_alg)alg,
                           (struct svmc_cipher_key *)(void *)d->room);
}

/* Opaque for the block device, authentic for the net device; the trace has what it was. */
static enum svmc_status choose(struct dma *d)
{
    static const uint32_t algs[] = { SVMC_ALG_AES_256_XTS, SVMC_ALG_AES_256_GCM,
                                     SVMC_ALG_CHACHA20_POLY1305 };
    uint32_t chosen[2] = { algs[0], algs[1] };
    enum svmc_status st;

    for (uint32_t i = 0; machine->kvm && i < 2; i++) /* else the best that there is */
        for (uint32_t next = i; next < 2 && has(d, chosen[i]) == SVMC_ERR_UNSUPPORTED; next++)
            chosen[i] = algs[next + 1];
    if (!watch_call(machine, WATCH_CIPHER, 0, chosen, sizeof chosen))
        return SVMC_ERR_CALLBACK;
    d->alg[DMA_SLOT_BLOCK] = chosen[0];
    d->alg[DMA_SLOT_NET] = d->alg[DMA_SLOT_OTHER] = chosen[1];
    st = has(d, chosen[0]);
    return st == SVMC_OK ? has(d, chosen[1]) : st;
}

static void *carve(struct dma *d, size_t bytes)
{
    void *at = d->room + d->room_used;

    bytes = (bytes + SVMC_CIPHER_ROOM_ALIGN - 1) / SVMC_CIPHER_ROOM_ALIGN * SVMC_CIPHER_ROOM_ALIGN;
    if (bytes > sizeof d->room - d->room_used)
        return NULL;
    d->room_used += bytes;
    return at;
}

static enum svmc_status open_engine(struct dma *d)
{
    static struct svmc_dma_ops ops = { .size = sizeof ops, .translate = lead };
    const struct svmc_keyslots_config slots = {
        .crypto = &d->crypto, .slots = DMA_SLOTS + 1, .places = DMA_SLOTS + 1, .lanes = 1
    }; /* one more: a revoked one is taken again only when its last flight has ended */
    const struct svmc_devices_config devices = { .segments = DMA_SEGMENTS, .buses = 2 };
    const struct svmc_dma_config engine = { .slots = &d->slots,
                                            .devices = &d->devices,
                                            .ops = &ops,
                                            .pages = 2 * WIRE_DMA_PIECES,
                                            .cache = 16,
                                            .stripes = 64 };
    size_t n = SVMC_KEYARENA_BYTES(2);
    enum svmc_status st = svmc_keyarena_init(&d->arena, &d->crypto, carve(d, n), n);

    ops.ctx = d;
    if (st == SVMC_OK) {
        n = svmc_keyslots_bytes(&slots);
        st = svmc_keyslots_init(&d->slots, &slots, carve(d, n), n);
    }
    if (st == SVMC_OK) {
        n = svmc_devices_bytes(&devices);
        st = svmc_devices_init(&d->devices, &devices, carve(d, n), n);
    }
    if (st == SVMC_OK) {
        n = svmc_dma_bytes(&engine);
        st = svmc_dma_init(&d->engine, &engine, carve(d, n), n);
    }
    return st;
}

/* A slot with a fresh key: an epoch of its own, so that no two slots have one. */
static enum svmc_status load_slot(struct dma *d, uint32_t which)
{
    struct svmc_vmkey *vm = &d->key[which == DMA_SLOT_OTHER];
    uint32_t alg = d->alg[which];
    enum svmc_key_purpose purpose = alg == SVMC_ALG_AES_256_XTS ? SVMC_KEY_LINE : SVMC_KEY_PAGE;
    struct svmc_keyslot_key key = { .domain = which == DMA_SLOT_OTHER ? 2 : 1,
                                    .alg = alg,
                                    .unit_bytes =
                                        which == DMA_SLOT_BLOCK ? DMA_UNIT_BLOCK : DMA_UNIT_NET };
    uint8_t bytes[SVMC_DERIVE_BYTES];
    struct svmc_key_grant grant;
    enum svmc_status st = svmc_vmkey_renew(vm);

    if (st == SVMC_OK) /* all of its budget: nobody else seals with it */
        st = svmc_vmkey_grant(vm, purpose, SVMC_SUBKEY_CALLS, SVMC_SUBKEY_BLOCKS, &grant);
    if (st == SVMC_OK)
        st = svmc_vmkey_subkey(vm, purpose, alg, &grant.id, bytes);
    if (st != SVMC_OK)
        return st;
    key.epoch = load_le(grant.id.epoch, 8);
    key.bytes = bytes;
    st = svmc_keyslot_load(&d->slots, &key, &d->slot[which]);
    d->crypto.wipe(d->crypto.ctx, bytes, sizeof bytes);
    return st;
}

static bool close_pages(struct dma *d)
{
    struct vm *vm = machine->kvm ? machine->kvm->vm : NULL;

    d->bus = vm ? vm->memory + DMA_MEMORY : d->own;
    memset(d->bus, 0, sizeof d->own);
    for (uint32_t i = 0; vm && i < DMA_PAGES; i++)
        if (!vm_protect(vm, DMA_MEMORY + i * SVMC_DMA_PAGE, VM_ABSENT, NULL))
            return false;
    return true;
}

enum svmc_status dma_open(struct dma *d, struct vcpu *v)
{
    static const uint8_t names[2][SVMC_VM_ID_BYTES] = { "this VM", "another VM" };
    static const uint32_t functions[DMA_SLOTS] = { DMA_BLOCK, DMA_NET, DMA_OTHER };
    const struct svmc_crypto_ops *back_end = dma_back_end();
    enum svmc_status st;

    machine = v;
    back_end_draw_for(v);
    if (!back_end)
        return SVMC_ERR_UNSUPPORTED;
    d->crypto = back_end_taped(back_end);
    st = choose(d);
    if (st != SVMC_OK)
        return st;
    st = close_pages(d) ? open_engine(d) : SVMC_ERR_CALLBACK;
    for (uint32_t i = 0; st == SVMC_OK && i < 2; i++)
        st = svmc_vmkey_create(&d->key[i], &d->arena, names[i], SVMC_ALG_HKDF_SHA_256);
    for (uint32_t i = 0; st == SVMC_OK && i < DMA_SLOTS; i++)
        if ((st = load_slot(d, i)) == SVMC_OK)
            st = svmc_device_bind(&d->devices, functions[i], d->slot[i]);
    return st;
}

/* --- the guest's side --- */

/*
 * What a memory controller does between processor and bus: a function of its own, bound for this
 * access alone, for the host must not have it.
 */
static bool processor(struct dma *d, uint64_t gpa, void *bytes, size_t n, uint32_t direction)
{
    const struct svmc_dma_piece piece = { gpa, bytes, n };
    const struct svmc_dma_request request = {
        .bdf = DMA_PROCESSOR, .direction = direction, .piece = &piece, .pieces = 1
    };
    struct svmc_dma_result result;
    enum svmc_status st = svmc_device_bind(&d->devices, DMA_PROCESSOR, d->slot[dma_owner(gpa)]);

    if (st == SVMC_OK)
        st = svmc_dma_move(&d->engine, 0, &request, &result);
    return svmc_device_unbind(&d->devices, DMA_PROCESSOR) == SVMC_OK && st == SVMC_OK;
}

/* Unbind, until nobody has it; then the old key goes, at once, whoever still has a flight. */
static bool renew(struct dma *d)
{
    size_t first = (DMA_NET_DATA - DMA_MEMORY) / SVMC_DMA_PAGE;

    if (svmc_device_unbind(&d->devices, DMA_NET) != SVMC_OK ||
        svmc_keyslots_quiet(&d->slots, svmc_keyslots_flush(&d->slots)) != SVMC_OK ||
        svmc_keyslot_revoke(&d->slots, d->slot[DMA_SLOT_NET], SVMC_KEYSLOT_CUT) != SVMC_OK)
        return false;
    memset(d->seals[first], 0, sizeof d->seals[0] * (DMA_PAGES - first)); /* with a fresh key */
    return load_slot(d, DMA_SLOT_NET) == SVMC_OK &&
           svmc_device_bind(&d->devices, DMA_NET, d->slot[DMA_SLOT_NET]) == SVMC_OK;
}

/* The keeper's register. What somebody on the bus does is played by the keeper. */
static bool command(struct dma *d, uint64_t what)
{
    uint8_t *page = d->bus + (DMA_NET_DATA - DMA_MEMORY);

    switch (what) {
    case DMA_RENEW:
        return renew(d);
    case DMA_NOTE:
        memcpy(d->noted, page, SVMC_DMA_PAGE);
        return true;
    case DMA_PUT_BACK:
        memcpy(d->repair, page, SVMC_DMA_PAGE);
        memcpy(page, d->noted, SVMC_DMA_PAGE);
        d->put_back = true;
        return true;
    case DMA_REPAIR:
        if (d->put_back)
            memcpy(page, d->repair, SVMC_DMA_PAGE);
        d->put_back = false;
        return true;
    default:
        return false;
    }
}

enum calls_end dma_serve(struct vcpu *v, const struct svmc_exit *e)
{
    bool write = e->kind == SVMC_KIND_MMIO_WRITE, good;
    struct dma *d = v->dma;
    uint8_t bytes[8];

    machine = v;
    if (e->kind == SVMC_KIND_OUT && e->address == DEV_DMA && e->size == 4) {
        watch_run(v);
        d->counts.faults += !command(d, e->value);
    } else if ((write || e->kind == SVMC_KIND_MMIO_READ) && e->address >= DMA_MEMORY &&
               e->address < DMA_MEMORY + DMA_PAGES * SVMC_DMA_PAGE && e->size <= sizeof bytes) {
        store_le(bytes, e->value, sizeof bytes);
        good = processor(d, e->address, bytes, e->size, write ? SVMC_DMA_WRITE : SVMC_DMA_READ);
        d->counts.faults += !good;
        watch_run(v);
        if (!write)
            memset(v->run + 40, 0xff, 8); /* struct kvm_run, mmio.data: an empty bus */
        if (!write && good)
            memcpy(v->run + 40, bytes, e->size);
    } else {
        return CALLS_NOT_OURS;
    }
    watch_complete(v, SVMC_OK);
    return watch_good(v) ? CALLS_DONE : CALLS_FAILED;
}

/* --- the end --- */

static const char *alg_name(uint32_t alg)
{
    return alg == SVMC_ALG_AES_256_XTS         ? "opaque, AES-256-XTS"
           : alg == SVMC_ALG_AES_256_GCM       ? "authentic, AES-256-GCM"
           : alg == SVMC_ALG_CHACHA20_POLY1305 ? "authentic, ChaCha20-Poly1305"
                                               : "?";
}

static void hex(char *text, size_t cap, const uint8_t *bytes)
{
    size_t n = 0;

    for (unsigned i = 0; i < 16; i++)
        n += (size_t)snprintf(text + n, cap - n, " %02x", bytes[i]);
}

/* Plaintext of the pages, wherever it may be: the guest has it in registers alone. */
static bool search_memory(struct vcpu *v, uint64_t found[2])
{
    const struct vm *vm = v->kvm ? v->kvm->vm : NULL;

    found[0] = vm ? dma_canaries(vm->memory, vm->memory_bytes) : 0;
    found[1] = vm ? vm->memory_bytes : 0;
    return watch_call(v, WATCH_CIPHER, 1, found, 2 * sizeof *found);
}

bool dma_end(struct vcpu *v)
{
    static const char *const names[] = { "block 00:04.0", "net 00:05.0" };
    struct dma *d = v->dma;
    const struct dma_counts *c = &d->counts;
    uint32_t kinds = 0;
    uint64_t found[2];
    char text[64];

    machine = v;
    for (uint32_t i = 0; i < DMA_TRIES; i++)
        kinds += c->refused[i] > 0;
    for (uint32_t i = 0; i < 2; i++)
        watch_gate(v, "%s, %s: %u reads, %llu bytes; %u writes, %llu bytes", names[i],
                   alg_name(d->alg[i]), c->reads[i], (unsigned long long)c->read_bytes[i],
                   c->writes[i], (unsigned long long)c->written_bytes[i]);
    watch_gate(v, "%u attempts, %u not refused as they should be; faults in all: %u", DMA_TRIES,
               DMA_TRIES - kinds, c->faults);
    if (!search_memory(v, found))
        return false;
    watch_gate(v, "the canary: %u times in what devices got", c->at_devices);
    watch_gate(v, "the canary on the bus: %u times in %u looks at the pages, %llu in %llu bytes",
               c->on_bus, c->looks, (unsigned long long)found[0], (unsigned long long)found[1]);
    if (d->got_at != 0) {
        hex(text, sizeof text, d->got);
        watch_gate(v, "0x%llx, as the device got it: %s", (unsigned long long)d->got_at, text);
        hex(text, sizeof text, d->bus + (d->got_at - DMA_MEMORY));
        watch_gate(v, "0x%llx, as the bus shows it:  %s", (unsigned long long)d->got_at, text);
    }
    svmc_keyslots_drop(&d->slots);
    svmc_keyarena_drop(&d->arena);
    return kinds == DMA_TRIES && c->faults == 0 && c->on_bus == 0 && found[0] == 0 &&
           c->looks > 0 && c->at_devices > 0 && d->got_at != 0;
}
