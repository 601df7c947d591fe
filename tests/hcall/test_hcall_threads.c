/* SPDX-License-Identifier: MIT */
/*
 * Four vCPUs of one VM at once: plain calls, buffers, batches, calls in parts, and each tries the
 * cursors of the others. They share the VM and its table, which nobody writes. With ThreadSanitizer
 * too: part hcall-race of tools/test.
 */
#include <pthread.h>
#include <svmcore/hcall.h>

#include "../fakehost/crypto.h"
#include "../harness.h"

#define VCPUS  4u
#define TURNS  200u
#define OWNER  7u
#define MEMORY 16384u
#define BATCH  0x2000u /* where a vCPU has its vector, its source and where that goes */
#define FROM   0x0ff0u
#define TO     0x3123u
#define BYTES  600u

enum { SUM = 8, TURN = 9, STEPS = 10 };

/* What is a vCPU's own. */
struct guest {
    uint8_t memory[MEMORY];
    uint64_t scratch[1024];
    struct svmc_hcall_slot slots[2];
    struct svmc_hcall_count counts[16];
    struct svmc_hcall_record ring[8];
    struct svmc_hcall_watch watch;
    struct svmc_hcall_vcpu vcpu;
    uint32_t id, handled, bad, tried;
};

static struct guest guests[VCPUS];
static struct svmc_hcall_table table;
static struct svmc_hcall_vm vm;
static uint64_t shown[VCPUS]; /* the cursors, as one guest might tell another */
static pthread_barrier_t together;

static struct guest *enter(void *ctx, const struct svmc_hcall_run *run)
{
    struct guest *g = (struct guest *)ctx + run->vcpu;

    g->handled++;
    g->bad += run->vm != 0x77 || run->vcpu != g->id;
    return g;
}

static uint32_t sum(void *ctx, struct svmc_hcall_run *run)
{
    enter(ctx, run);
    run->arg[0] += run->arg[1];
    return SVMC_HCALL_OK;
}

static uint32_t turn(void *ctx, struct svmc_hcall_run *run)
{
    const uint8_t *from = run->buffer[0].at;
    uint8_t *to = run->buffer[2].at;

    enter(ctx, run);
    for (uint32_t i = 0; i < BYTES; i++)
        to[i] = (uint8_t)~from[i];
    run->arg[0] = BYTES;
    return SVMC_HCALL_OK;
}

/* The sum of 1 to argument 1, a step a call. */
static uint32_t steps(void *ctx, struct svmc_hcall_run *run)
{
    uint64_t done = (uint32_t)run->progress + (uint64_t)1, all = (run->progress >> 32) + done;

    enter(ctx, run);
    run->progress = all << 32 | done;
    if (done < run->arg[0])
        return SVMC_HCALL_PARTIAL;
    run->arg[0] = all;
    return SVMC_HCALL_OK;
}

static enum svmc_status translate(void *ctx, const struct svmc_hcall_caller *caller, svmc_gva at,
                                  uint32_t access, svmc_gpa *out, struct svmc_fault *fault)
{
    (void)ctx, (void)access, (void)fault;
    out->v = (uint64_t)caller->vcpu * MEMORY + at.v % MEMORY;
    return SVMC_OK;
}

static enum svmc_status span(void *ctx, const struct svmc_hcall_caller *caller, svmc_gpa at,
                             size_t n, uint32_t access, void **where)
{
    struct guest *g = (struct guest *)ctx + caller->vcpu;

    (void)access;
    if (at.v / MEMORY != caller->vcpu || at.v % MEMORY + n > MEMORY)
        return SVMC_ERR_STATE;
    *where = g->memory + at.v % MEMORY;
    return SVMC_OK;
}

/* The fake back end counts its calls; this one has no state. */
static enum svmc_status mac(void *ctx, uint32_t alg, const uint8_t *key,
                            const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    uint8_t text[256];
    size_t n = 0;

    (void)ctx;
    if (alg != SVMC_ALG_MAC_BLAKE2B_256)
        return SVMC_ERR_UNSUPPORTED;
    for (size_t i = 0; i < pieces; n += piece[i++].bytes) {
        if (piece[i].bytes > sizeof text - n)
            return SVMC_ERR_FULL;
        memcpy(text + n, piece[i].at, piece[i].bytes);
    }
    fake_blake2b(out, SVMC_HASH_BYTES, key, SVMC_MAC_KEY_BYTES, text, n);
    return SVMC_OK;
}

static const struct svmc_crypto_ops crypto = { .size = sizeof crypto, .mac = mac };
static const struct svmc_hcall_ops ops = {
    .size = sizeof ops,
    .translate = translate,
    .guest_span = span,
};

static const struct svmc_hcall_schema schemas[] = {
    { .arg = { { .kind = SVMC_HCALL_U64 }, { .kind = SVMC_HCALL_U64 } }, .results = 1 },
    { .arg = { { .kind = SVMC_HCALL_GVA, .access = SVMC_ACCESS_READ },
               { .kind = SVMC_HCALL_LENGTH, .of = 1, .min = BYTES, .max = BYTES },
               { .kind = SVMC_HCALL_GVA, .access = SVMC_ACCESS_WRITE },
               { .kind = SVMC_HCALL_LENGTH, .of = 3, .min = BYTES, .max = BYTES } },
      .results = 1 },
    { .arg = { { .kind = SVMC_HCALL_U32 } }, .results = 1 },
};
static const struct svmc_hcall_entry calls[] = {
    { .handler = sum,
      .may = SVMC_HCALL_MAY_ALL,
      .number = SUM,
      .schema = 0,
      .since = 1,
      .name = "sum" },
    { .handler = turn,
      .may = SVMC_HCALL_MAY_ALL,
      .number = TURN,
      .schema = 1,
      .since = 1,
      .name = "turn" },
    { .handler = steps,
      .may = SVMC_HCALL_MAY_ALL,
      .number = STEPS,
      .schema = 2,
      .since = 1,
      .flags = SVMC_HCALL_MAY_PARTIAL,
      .name = "steps" },
};
static const struct svmc_hcall_owner owner = {
    .calls = calls,
    .schemas = schemas,
    .call_count = sizeof calls / sizeof calls[0],
    .schema_count = sizeof schemas / sizeof schemas[0],
    .may = SVMC_HCALL_MAY_ALL,
    .first = 1,
    .last = 1,
    .owner = OWNER,
};

/* Make a call; its status, and argument 1 becomes result 1. */
static uint64_t make(struct guest *g, uint64_t control, struct svmc_hcall_call *call)
{
    struct svmc_hcall_result out;

    call->control = control;
    if (svmc_hcall_dispatch(&g->vcpu, call, &out) != SVMC_OK || out.end != SVMC_HCALL_DONE)
        g->bad++;
    return out.status;
}

static void plain(struct guest *g, uint64_t n)
{
    struct svmc_hcall_call call = { .arg = { n, g->id } };

    g->bad += make(g, SVMC_HCALL_CONTROL(SUM) | SVMC_HCALL_OWNER(OWNER), &call) != SVMC_HCALL_OK ||
              call.arg[0] != n + g->id;
}

static void buffers(struct guest *g, uint8_t fill)
{
    struct svmc_hcall_call call = { .arg = { FROM, BYTES, TO, BYTES } };
    uint8_t want = (uint8_t)~fill;

    memset(g->memory + FROM, fill, BYTES);
    g->bad += make(g, SVMC_HCALL_CONTROL(TURN) | SVMC_HCALL_OWNER(OWNER), &call) != SVMC_HCALL_OK;
    for (uint32_t i = 0; i < BYTES; i++)
        g->bad += g->memory[TO + i] != want;
    g->bad += call.arg[0] != BYTES || g->memory[TO - 1] != 0 || g->memory[TO + BYTES] != 0;
}

static uint64_t word_of(const uint8_t *at)
{
    uint64_t word = 0;

    for (unsigned i = 8; i > 0; i--)
        word = word << 8 | at[i - 1];
    return word;
}

static void batch(struct guest *g, uint64_t n)
{
    struct svmc_hcall_call call = { .arg = { BATCH } };
    uint8_t *at = g->memory + BATCH;

    memset(at, 0, 3 * SVMC_HCALL_BATCH_BYTES);
    for (unsigned i = 0; i < 3; i++, at += SVMC_HCALL_BATCH_BYTES) {
        uint64_t control = SVMC_HCALL_CONTROL(SUM) | SVMC_HCALL_OWNER(OWNER);

        for (unsigned k = 0; k < 8; k++) {
            at[k] = (uint8_t)(control >> 8 * k);
            at[8 + k] = (uint8_t)(n >> 8 * k);
        }
        at[16] = (uint8_t)(g->id + i);
        at[56] = 0xee; /* status */
    }
    g->bad += make(g, SVMC_HCALL_CONTROL(0) | SVMC_HCALL_BATCH | SVMC_HCALL_REPS(3), &call) !=
              (uint64_t)3 << SVMC_HCALL_DONE_SHIFT;
    at = g->memory + BATCH;
    for (unsigned i = 0; i < 3; i++, at += SVMC_HCALL_BATCH_BYTES)
        g->bad += word_of(at + 8) != n + g->id + i || word_of(at + 56) != SVMC_HCALL_OK;
}

/* HN-18: the others' cursors, live ones where all wait for each other, are none here. */
static void steal(struct guest *g)
{
    for (uint32_t n = 0; n < VCPUS; n++) {
        struct svmc_hcall_call call = { .arg = { __atomic_load_n(&shown[n], __ATOMIC_RELAXED) } };

        if (n == g->id || call.arg[0] == 0)
            continue;
        g->tried++;
        g->bad += make(g, SVMC_HCALL_CONTROL(STEPS) | SVMC_HCALL_OWNER(OWNER) | SVMC_HCALL_RESUME,
                       &call) != (SVMC_HCALL_BAD_ARG | 1u << SVMC_HCALL_BAD_SHIFT);
    }
}

static void parts(struct guest *g, uint64_t count, bool wait)
{
    struct svmc_hcall_call call = { .arg = { count } };
    uint64_t control = SVMC_HCALL_CONTROL(STEPS) | SVMC_HCALL_OWNER(OWNER), status;
    uint32_t before = g->handled;

    status = make(g, control, &call);
    g->bad += (uint16_t)status != SVMC_HCALL_PARTIAL || !SVMC_HCALL_CURSOR_OF(status);
    __atomic_store_n(&shown[g->id], call.arg[0], __ATOMIC_RELAXED);
    if (wait)
        pthread_barrier_wait(&together);
    steal(g);
    if (wait)
        pthread_barrier_wait(&together);
    g->bad += g->handled != before + 1; /* nobody's cursor has made a call */
    while ((uint16_t)status == SVMC_HCALL_PARTIAL && g->handled - before < 1000) {
        call.arg[1] = 0;
        status = make(g, control | SVMC_HCALL_RESUME, &call);
    }
    g->bad += status != SVMC_HCALL_OK || call.arg[0] != count * (count + 1) / 2 ||
              g->handled != before + count;
}

static void *vcpu_main(void *arg)
{
    struct guest *g = arg;

    for (uint64_t n = 0; n < TURNS; n++) {
        plain(g, n << 32);
        buffers(g, (uint8_t)(n * 4 + g->id));
        batch(g, n << 40);
        parts(g, 2 + (n + g->id) % 5, n % 8 == 0);
    }
    return NULL;
}

static bool make_ready(struct guest *g, uint32_t id)
{
    const struct svmc_hcall_place place = { .isa = SVMC_ISA_X86_64, .role = 1, .phase = 2 };
    struct svmc_hcall_room room = {
        .scratch = g->scratch,
        .scratch_bytes = sizeof g->scratch,
        .slot_count = 2,
        .slots = g->slots,
        .watch = &g->watch,
    };

    memset(g, 0, sizeof *g);
    g->id = id;
    g->watch.counts = g->counts;
    g->watch.ring = g->ring;
    g->watch.ring_count = 8;
    return svmc_hcall_vcpu_init(&g->vcpu, &vm, id, &place, &room) == SVMC_OK;
}

TEST(hcall_threads, four_vcpus_of_one_vm_keep_apart) /* HN-9 HN-14 HN-17 HN-18 */
{
    static uint64_t room[512];
    pthread_t thread[VCPUS];

    REQUIRE(svmc_hcall_bytes(&owner, 1) <= sizeof room);
    REQUIRE(svmc_hcall_init(&table, &owner, 1, room, sizeof room, NULL) == SVMC_OK);
    REQUIRE(svmc_hcall_index(&table, OWNER, STEPS) <
            sizeof guests[0].counts / sizeof(*guests[0].counts));
    vm = (struct svmc_hcall_vm){
        .table = &table,
        .ops = &ops,
        .crypto = &crypto,
        .ctx = guests,
        .id = 0x77,
        .mac_alg = SVMC_ALG_MAC_BLAKE2B_256,
        .key = { 1, 2, 3 },
        .batch_entries = 8,
    };
    memset(shown, 0, sizeof shown);
    for (uint32_t n = 0; n < VCPUS; n++)
        REQUIRE(make_ready(&guests[n], n));
    REQUIRE(pthread_barrier_init(&together, NULL, VCPUS) == 0);
    for (uint32_t n = 0; n < VCPUS; n++)
        REQUIRE(pthread_create(&thread[n], NULL, vcpu_main, &guests[n]) == 0);
    for (uint32_t n = 0; n < VCPUS; n++)
        pthread_join(thread[n], NULL);
    pthread_barrier_destroy(&together);
    for (uint32_t n = 0; n < VCPUS; n++) {
        CHECK_EQ(guests[n].bad, 0, "vCPU %u", n);
        CHECK(guests[n].tried >= TURNS / 8 * (VCPUS - 1), "vCPU %u: %u", n, guests[n].tried);
        CHECK_EQ(guests[n].counts[svmc_hcall_index(&table, OWNER, SUM)].calls, 4 * TURNS,
                 "one plain, three of the batch");
        CHECK_EQ(guests[n].counts[svmc_hcall_index(&table, OWNER, STEPS)].refused,
                 guests[n].counts[svmc_hcall_index(&table, OWNER, STEPS)].calls - TURNS,
                 "parts, and what was none");
    }
}
