/* SPDX-License-Identifier: MIT */
/*
 * Saved states from somewhere else, of every kind: what is loaded saves as the same bytes and is
 * usable, what is not leaves the object as it was. The first byte says the kind; the frame is put
 * right once more, so that what stands behind it is reached; a vCPU's policy is named, too. A vCPU
 * that is loaded goes on: exits that its guest makes are judged, and answered.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <svmcore/guest/hypercall.h>
#include <svmcore/keyslot_state.h>
#include <svmcore/svmcore.h>

#include "../src/core/bytes.h"
#include "../src/core/memory.h"
#include "fakehost/crypto.h"
#include "fakehost/world.h"
#include "input.h"

enum { SLOTS = 64, ENTRIES = 32, VMS = 4, CHANNELS = 4, ARENA = 1024, MOST = 1 << 16 };
enum { DIGEST_AT = 0x1d8 }; /* in a vCPU's state of version 2 */

static uint8_t again[MOST];

static int same(const uint8_t *bytes, size_t len, enum svmc_status st, size_t n)
{
    return st == SVMC_OK && n == len && memcmp(again, bytes, len) == 0;
}

static void refused(enum svmc_status st)
{
    require(st == SVMC_ERR_FORMAT || st == SVMC_ERR_UNSUPPORTED || st == SVMC_ERR_PURPOSE ||
            st == SVMC_ERR_FULL || st == SVMC_ERR_OWNER || st == SVMC_ERR_REFUSED ||
            st == SVMC_ERR_POLICY);
}

/* ---- a vCPU ----------------------------------------------------------------------------------*/

static struct world world;
static struct svmc_policy policy;
static struct svmc_vcpu vcpu, vcpu_before;
static struct fake_crypto named_by;
static uint8_t digest[32]; /* of the policy: ST-19 */

static void make_policy(void)
{
    require(svmc_policy_preset(&policy, SVMC_PRESET_OPEN, 4, 4) == SVMC_OK);
    require(svmc_policy_set_doorbell(&policy, SVMC_HCALL_PORT) == SVMC_OK);
    require(svmc_policy_set_hcall(&policy, 3, 6, 3) == SVMC_OK);
    require(svmc_policy_set_call(&policy, SVMC_KIND_HVC, 0xc4000003, 3, 1) == SVMC_OK);
    require(svmc_policy_set_kind(&policy, SVMC_KIND_PAGE_STATE, SVMC_VERDICT_DELEGATE) == SVMC_OK);
    require(svmc_policy_set_kind(&policy, SVMC_KIND_HOST_CALL, SVMC_VERDICT_DELEGATE) == SVMC_OK);
    require(svmc_policy_seal(&policy) == SVMC_OK);
}

/* Whatever waits can be answered, with anything, and its end is the end. */
static void answer(struct input *in)
{
    struct svmc_request request;
    struct svmc_reply reply = { 0 };
    struct svmc_outcome next;
    static uint8_t data[SVMC_PAGE_DATA_BYTES];

    require(svmc_request_read(world.page, &request, data, sizeof data) == SVMC_OK);
    for (unsigned turn = 0; turn < 8 && vcpu.priv.pending.active; turn++) {
        require(svmc_request_read(world.page, &request, NULL, 0) == SVMC_OK);
        reply.seq = request.seq;
        reply.status = take_byte(in) % 4;
        reply.done = reply.status == SVMC_REPLY_DONE ? request.count : take_byte(in);
        reply.out_valid = take_byte(in);
        reply.out[0] = take_byte(in);
        if (request.direction & SVMC_DIRECTION_IN)
            reply.data_bytes = reply.done * request.size;
        if (reply.data_bytes > sizeof data)
            reply.data_bytes = 0;
        require(svmc_reply_write(world.page, &reply, data) == SVMC_OK);
        (void)!svmc_vcpu_enter(&vcpu, &next);
        count_call();
    }
}

/* What its guest does next: it was loaded as it ran, or was stopped, and says so to each call. */
static void go_on(struct input *in)
{
    static const uint16_t kinds[] = { SVMC_KIND_IN,    SVMC_KIND_OUT,   SVMC_KIND_RDMSR,
                                      SVMC_KIND_WRMSR, SVMC_KIND_CPUID, SVMC_KIND_RDTSC,
                                      SVMC_KIND_HVC,   SVMC_KIND_HLT };
    const bool stopped = vcpu.priv.stopped != 0;
    const uint64_t count = vcpu.priv.seq_count;

    for (unsigned turn = 0; turn < 6 && !vcpu.priv.pending.active; turn++) {
        struct svmc_exit e = { .kind = kinds[take_byte(in) % 8], .size = 1, .count = 1 };
        struct svmc_outcome out;
        enum svmc_status st;

        e.address = take_byte(in);
        e.value = take_byte(in);
        e.isa = e.kind == SVMC_KIND_HVC ? SVMC_ISA_A64 : SVMC_ISA_X86_64;
        e.dest_bytes = e.kind == SVMC_KIND_IN;
        e.finish = take_byte(in) & (SVMC_FINISH_REGS | SVMC_FINISH_RIP);
        if (e.kind != SVMC_KIND_IN && e.kind != SVMC_KIND_OUT)
            e.size = 0;
        st = svmc_vcpu_exit(&vcpu, &e, &out);
        count_call();
        require(!stopped || st == SVMC_ERR_STATE);
        require(st == SVMC_OK || out.action == SVMC_ACT_STOP);
        if (vcpu.priv.pending.active)
            answer(in);
    }
    require(vcpu.priv.seq_count >= count); /* no number comes twice */
}

static void load_vcpu(const uint8_t *bytes, size_t len, bool named)
{
    struct input in = { bytes, len };
    struct svmc_outcome out;
    enum svmc_status st;
    size_t n;

    require(svmc_vcpu_init(&vcpu, &world_ops, &world, &policy, world.page, 7) == SVMC_OK);
    if (named)
        require(svmc_vcpu_name_policy(&vcpu, &named_by.ops) == SVMC_OK);
    memcpy(&vcpu_before, &vcpu, sizeof vcpu);
    st = svmc_vcpu_load(&vcpu, bytes, len, &out);
    count_call();
    if (st != SVMC_OK) {
        refused(st);
        require(memcmp(&vcpu, &vcpu_before, sizeof vcpu) == 0 && out.action == SVMC_ACT_STOP);
        return;
    }
    st = svmc_vcpu_save(&vcpu, again, sizeof again, &n);
    require(st == SVMC_OK);
    if (named == (bytes[4] == 2)) /* else it is saved with a name that it had not */
        require(same(bytes, len, st, n));
    require(vcpu.priv.pending.active == (out.action == SVMC_ACT_DELEGATED));
    if (vcpu.priv.pending.active)
        answer(&in);
    go_on(&in);
}

/* ---- the others ------------------------------------------------------------------------------*/

static void load_slots(const uint8_t *bytes, size_t len)
{
    static struct svmc_keyslot_saved list[SLOTS];
    uint32_t count;
    enum svmc_status st = svmc_keyslots_load(bytes, len, list, SLOTS, &count);

    count_call();
    if (st != SVMC_OK)
        refused(st);
    for (uint32_t i = 0; st == SVMC_OK && i < count; i++) {
        require(list[i].before <= count && list[i].key.opens == 1 && list[i].now.raw == 0);
        require(list[i].before == 0 || list[i].order == list[list[i].before - 1].order + 1);
        require(i == 0 || (list[i].was.raw & 0xffff) > (list[i - 1].was.raw & 0xffff));
    }
}

static void load_devices(const uint8_t *bytes, size_t len, bool direct)
{
    static _Alignas(SVMC_DEVICE_ALIGN) uint8_t memory[262144];
    const struct svmc_devices_config config = { .segments = 1, .buses = direct ? 0 : 8 };
    static struct svmc_keyslot_saved list[SLOTS];
    struct svmc_devices table;
    enum svmc_status st;
    size_t n;

    require(svmc_devices_init(&table, &config, memory, sizeof memory) == SVMC_OK);
    for (uint32_t i = 0; i < SLOTS; i++) /* each handle stays what it is */
        list[i].was.raw = list[i].now.raw = 1u << 16 | (i + 1);
    st = svmc_devices_load(&table, list, SLOTS, bytes, len);
    count_call();
    if (st != SVMC_OK)
        refused(st);
    require(svmc_devices_save(&table, again, sizeof again, &n) == SVMC_OK);
    require(st == SVMC_OK ? n <= len : n == 16); /* less where a slot is not in the list */
}

static void load_tokens(const uint8_t *bytes, size_t len)
{
    static struct svmc_token_entry entries[ENTRIES];
    static struct svmc_token_vm vms[VMS];
    static struct svmc_token_slot events[4];
    static struct fake_crypto fake;
    const struct svmc_token_config config = { .crypto = &fake.ops,
                                              .entries = entries,
                                              .vms = vms,
                                              .events = events,
                                              .entry_count = ENTRIES,
                                              .vm_count = VMS,
                                              .event_count = 4,
                                              .miss_limit = 3,
                                              .lock_ticks = 9 };
    struct svmc_token_pool pool;
    enum svmc_status st;
    size_t n;

    fake_crypto_init(&fake);
    require(svmc_token_pool_init(&pool, &config) == SVMC_OK);
    st = svmc_token_pool_load(&pool, bytes, len);
    count_call();
    if (st != SVMC_OK) {
        refused(st);
        require(svmc_token_pool_save(&pool, again, sizeof again, &n) == SVMC_OK && n == 32);
        return;
    }
    st = svmc_token_pool_save(&pool, again, sizeof again, &n);
    require(same(bytes, len, st, n));
    for (unsigned i = 0; i < VMS; i++)
        if (vms[i].priv.state != 0 && vms[i].priv.generation != UINT64_MAX)
            require(svmc_token_vm_restore(&pool, vms[i].priv.id, UINT64_MAX) == SVMC_OK);
}

static enum svmc_status no_random(void *ctx, void *dst, size_t n)
{
    (void)ctx;
    memset(dst, 3, n);
    return SVMC_OK;
}

static void no_tclo(void *ctx, uint32_t channel, enum svmc_vmware_tclo_event event,
                    const uint8_t *data, uint32_t bytes)
{
    (void)ctx;
    (void)channel;
    (void)event;
    (void)data;
    (void)bytes;
}

static void load_vmware(const uint8_t *bytes, size_t len)
{
    static struct svmc_vmware_channel channels[CHANNELS];
    static uint8_t arena[ARENA];
    const struct svmc_vmware_ops ops = { .size = sizeof ops, .random = no_random, .tclo = no_tclo };
    const struct svmc_vmware_config config = { .size = sizeof config,
                                               .commands = { 1u << SVMC_VMWARE_MESSAGE },
                                               .channel_count = CHANNELS,
                                               .message_bytes = 64,
                                               .arena_bytes = ARENA,
                                               .channels = channels,
                                               .arena = arena };
    struct input in = { bytes, len };
    static struct svmc_vmware vm;
    enum svmc_status st;
    size_t n;

    require(svmc_vmware_init(&vm, &config, &ops, NULL) == SVMC_OK);
    st = svmc_vmware_load(&vm, bytes, len);
    count_call();
    if (st != SVMC_OK) {
        refused(st);
        require(svmc_vmware_save(&vm, again, sizeof again, &n) == SVMC_OK && n == 32);
        return;
    }
    st = svmc_vmware_save(&vm, again, sizeof again, &n);
    require(same(bytes, len, st, n));
    for (unsigned i = 0; i < 40; i++) { /* and somebody goes on with it */
        struct svmc_vmware_call call = { .isa = SVMC_ISA_X86_64 };
        struct svmc_vmware_result out;
        uint32_t channel = take_byte(&in) % CHANNELS;

        call.arg[0] = SVMC_VMWARE_MAGIC;
        call.arg[1] = take_byte(&in);
        call.arg[2] = (uint64_t)(take_byte(&in) % 7) << 16 | SVMC_VMWARE_MESSAGE;
        call.arg[3] = (uint64_t)channel << 16 | SVMC_VMWARE_PORT;
        call.arg[4] = channels[channel].priv.cookie >> 32;
        call.arg[5] = (uint32_t)channels[channel].priv.cookie;
        (void)!svmc_vmware_handle(&vm, &call, &out);
        count_call();
    }
    require(svmc_vmware_close(&vm, 0) == SVMC_OK && !vm.priv.first);
}

static void load_ledger(const uint8_t *bytes, size_t len)
{
    static struct svmc_ledger ledger;
    enum svmc_status st;
    size_t n;

    require(svmc_vcpu_init(&vcpu, &world_ops, &world, &policy, world.page, 7) == SVMC_OK);
    require(svmc_vcpu_set_ledger(&vcpu, &ledger) == SVMC_OK);
    st = svmc_ledger_load(&ledger, bytes, len);
    count_call();
    if (st != SVMC_OK)
        refused(st);
    require(svmc_ledger_save(&ledger, again, sizeof again, &n) == SVMC_OK);
    require(st == SVMC_OK ? n == len && memcmp(again, bytes, len) == 0 : n == 16);
}

static void load_offers(const uint8_t *bytes, size_t len)
{
    static const struct svmc_offer_policy all = { .vectors = { 0xffffffff00000000u, UINT64_MAX,
                                                               UINT64_MAX, UINT64_MAX },
                                                  .kinds = ((1u << SVMC_OFFER_KINDS) - 1) & ~1u,
                                                  .codes = 0x7ff,
                                                  .io_subclasses = 0xff };
    static const enum svmc_isa isas[] = { SVMC_ISA_X86_64, SVMC_ISA_A64, SVMC_ISA_RV64,
                                          SVMC_ISA_S390X };
    static _Alignas(8) uint8_t area[SVMC_OFFER_AREA_BYTES];
    static struct svmc_offers offers, before;
    struct svmc_arrival arrival;
    enum svmc_status st;
    size_t n;

    require(svmc_vcpu_init(&vcpu, &world_ops, &world, &policy, world.page, 7) == SVMC_OK);
    for (unsigned i = 0; i < 4; i++) {
        require(svmc_offers_init(&offers, &vcpu, &all, area, isas[i]) == SVMC_OK);
        before = offers;
        st = svmc_offers_load(&offers, bytes, len);
        count_call();
        if (st != SVMC_OK) {
            refused(st);
            require(memcmp(&offers, &before, sizeof offers) == 0);
            continue;
        }
        st = svmc_offers_save(&offers, again, sizeof again, &n);
        require(same(bytes, len, st, n));
        for (unsigned turn = 0; turn < SVMC_OFFER_KINDS; turn++)
            require(svmc_offers_next(&offers, 0, NULL, &arrival) == SVMC_OK);
    }
}

static void load(uint32_t kind, const uint8_t *bytes, size_t len, bool named)
{
    switch (kind) {
    case SVMC_SAVED_VCPU:
        load_vcpu(bytes, len, named);
        break;
    case SVMC_SAVED_KEYSLOTS:
        load_slots(bytes, len);
        break;
    case SVMC_SAVED_DEVICES:
        load_devices(bytes, len, len % 32 == 0); /* slow */
        break;
    case SVMC_SAVED_TOKENS:
        load_tokens(bytes, len);
        break;
    case SVMC_SAVED_VMWARE:
        load_vmware(bytes, len);
        break;
    case SVMC_SAVED_OFFERS:
        load_offers(bytes, len);
        break;
    default:
        load_ledger(bytes, len);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t magic[] = { 'S', 'V', 'S', 'T', 1, 0 };
    static bool ready;
    uint32_t kind;
    uint8_t *bytes;
    bool named;

    if (size == 0 || size > MOST)
        return 0;
    if (!ready) {
        uint64_t rng = 5;

        fake_crypto_init(&named_by);
        make_policy();
        require(svmc_policy_digest(&policy, &named_by.ops, digest) == SVMC_OK);
        world_init(&world, &rng);
        ready = true;
    }
    kind = 1 + data[0] % 7u;
    named = data[0] >= 0x80;
    bytes = malloc(size); /* of this size, so that a byte too far is seen */
    require(bytes != NULL);
    memcpy(bytes, data + 1, size - 1);
    load(kind, bytes, size - 1, named);
    if (size - 1 >= 16) {
        memcpy(bytes, magic, sizeof magic);
        core_store_le16(bytes + 6, (uint16_t)kind);
        core_store_le32(bytes + 8, (uint32_t)(size - 1));
        memset(bytes + 12, 0, 4);
        if (kind == SVMC_SAVED_VCPU && named && size - 1 >= DIGEST_AT + sizeof digest) {
            bytes[4] = 2;
            memcpy(bytes + DIGEST_AT, digest, sizeof digest);
        }
        load(kind, bytes, size - 1, named);
    }
    free(bytes);
    return 0;
}
