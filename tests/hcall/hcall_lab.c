/* SPDX-License-Identifier: MIT */
#include "hcall_lab.h"

static bool fails(struct hcall_lab *lab)
{
    return ++lab->calls == lab->fail_at;
}

static void enter(void *ctx, struct svmc_hcall_run *run)
{
    struct hcall_lab *lab = ctx;

    lab->handled++;
    lab->seen = *run;
}

static uint32_t handle_sum(void *ctx, struct svmc_hcall_run *run)
{
    enter(ctx, run);
    run->arg[0] += run->arg[1];
    run->arg[1] = 77;
    run->arg[2] = 88; /* not declared: nobody sees it */
    return SVMC_HCALL_OK;
}

static uint32_t handle_copy(void *ctx, struct svmc_hcall_run *run)
{
    struct hcall_lab *lab = ctx;
    const uint8_t *from = run->buffer[0].at;
    uint8_t *to = run->buffer[2].at;
    uint32_t n = run->buffer[0].bytes;

    enter(ctx, run);
    memset(lab->memory, 0xdd, sizeof lab->memory / 2); /* another vCPU: what was copied stays */
    if (n > run->buffer[2].bytes)
        n = run->buffer[2].bytes;
    for (uint32_t i = 0; i < run->buffer[2].bytes; i++)
        CHECK_EQ(to[i], 0, "stale scratch"); /* HN-9 */
    for (uint32_t i = 0; i < n; i++)
        to[i] = from[run->buffer[0].bytes - 1 - i];
    run->buffer[2].bytes = lab->more_bytes ? lab->more_bytes : n;
    run->arg[0] = n;
    return SVMC_HCALL_OK;
}

static uint32_t handle_fixed(void *ctx, struct svmc_hcall_run *run)
{
    uint8_t *at = run->buffer[0].at;

    enter(ctx, run);
    for (unsigned i = 0; i < run->buffer[0].bytes; i++)
        at[i]++;
    return SVMC_HCALL_OK;
}

/* The sum so far is in the upper half of progress, steps done in the lower. */
static uint32_t handle_steps(void *ctx, struct svmc_hcall_run *run)
{
    struct hcall_lab *lab = ctx;
    uint64_t done = (uint32_t)run->progress, sum = run->progress >> 32;

    enter(ctx, run);
    CHECK_EQ(run->resumed, run->progress != 0);
    if (lab->lie == 5)
        return SVMC_HCALL_RETRY;
    if (done < run->arg[0]) {
        done++;
        sum += done;
    }
    run->progress = sum << 32 | done;
    run->done = (uint16_t)done;
    if (done < run->arg[0]) {
        run->arg[0] = run->arg[1] = 3; /* the arguments are where results go */
        return SVMC_HCALL_PARTIAL;
    }
    run->arg[0] = sum;
    return SVMC_HCALL_OK;
}

static uint32_t handle_nothing(void *ctx, struct svmc_hcall_run *run)
{
    enter(ctx, run);
    return SVMC_HCALL_OK;
}

static uint32_t handle_object(void *ctx, struct svmc_hcall_run *run)
{
    enter(ctx, run);
    run->arg[0] = *(uint8_t *)run->buffer[1].at;
    run->buffer[1].at = NULL; /* it is his */
    return SVMC_HCALL_OK;
}

static uint32_t handle_code(void *ctx, struct svmc_hcall_run *run)
{
    uint32_t code = (uint32_t)run->arg[0];

    enter(ctx, run);
    run->bad = (uint8_t)run->arg[1];
    run->hint = (uint8_t)run->arg[2];
    run->done = (uint16_t)run->arg[3];
    run->arg[0] = run->arg[1] = 99;
    return code;
}

const struct svmc_hcall_schema hcall_lab_schemas[] = {
    { .arg = { { .kind = SVMC_HCALL_U32 },
               { .kind = SVMC_HCALL_ENUM, .max = 5 },
               { .kind = SVMC_HCALL_FLAGS, .max = 0x15 },
               { .kind = SVMC_HCALL_GPA, .align = 4096 },
               { .kind = SVMC_HCALL_U64, .min = 10, .max = 20 },
               { .kind = SVMC_HCALL_U8 } },
      .results = 2 },
    { .arg = { { .kind = SVMC_HCALL_GVA, .access = SVMC_ACCESS_READ },
               { .kind = SVMC_HCALL_LENGTH, .of = 1 },
               { .kind = SVMC_HCALL_GVA, .access = SVMC_ACCESS_WRITE },
               { .kind = SVMC_HCALL_LENGTH, .of = 3, .max = 12000 } },
      .results = 1 },
    { .arg = { { .kind = SVMC_HCALL_GPA, .access = SVMC_ACCESS_RW, .bytes = 24, .align = 8 } } },
    { .arg = { { .kind = SVMC_HCALL_U32 } }, .results = 1 },
    { .results = 0 },
    { .arg = { { 0 }, { .kind = SVMC_HCALL_HANDLE, .type = 7 } }, .results = 1 },
    { .arg = { { .kind = SVMC_HCALL_U64 },
               { .kind = SVMC_HCALL_U8 },
               { .kind = SVMC_HCALL_U8 },
               { .kind = SVMC_HCALL_U16 } },
      .results = 6 },
};

#define KERNEL                                                                           \
    (SVMC_HCALL_KERNEL | SVMC_HCALL_LEVEL(0) | SVMC_HCALL_ROLE(1) | SVMC_HCALL_ROLE(2) | \
     SVMC_HCALL_PHASE(2) | SVMC_HCALL_PHASE(3) | SVMC_HCALL_CLASS(0) | SVMC_HCALL_NESTED(0))

const struct svmc_hcall_entry hcall_lab_calls[] = {
    { handle_sum, SVMC_HCALL_MAY_ALL, LAB_SUM, 0, 1, 0, 0, 3, { 0 }, "sum" },
    { handle_copy, SVMC_HCALL_MAY_ALL, LAB_COPY, 1, 1, 0, 0, 0, { 0 }, "copy" },
    { handle_fixed, SVMC_HCALL_MAY_KERNEL, LAB_FIXED, 2, 1, 0, 0, 0, { 0 }, "fixed" },
    { handle_steps,
      SVMC_HCALL_MAY_ALL | SVMC_HCALL_ANY_CLASS,
      LAB_STEPS,
      3,
      2,
      0,
      SVMC_HCALL_MAY_PARTIAL | SVMC_HCALL_MAY_REPEAT,
      0,
      { 0 },
      "steps" },
    { handle_nothing, KERNEL, LAB_KERNEL, 4, 1, 0, 0, 0, { 0 }, "kernel" },
    { handle_nothing,
      (SVMC_HCALL_MAY_ALL & ~SVMC_HCALL_CLASS(0)) | SVMC_HCALL_CLASS(2) | SVMC_HCALL_CLASS(3),
      LAB_TOKEN,
      4,
      1,
      0,
      0,
      0,
      { 0 },
      "token" },
    { NULL, SVMC_HCALL_MAY_ALL, LAB_GONE, 4, 1, 3, 0, 0, { 0 }, "gone" },
    { handle_object, SVMC_HCALL_MAY_ALL, LAB_HANDLE, 5, 1, 0, 0, 0, { 0 }, "sixteen letters!" },
    { handle_code, SVMC_HCALL_MAY_ALL, LAB_CODE, 6, 1, 0, 0, 0, { 0 }, "code" },
    { handle_nothing, SVMC_HCALL_MAY_ALL, LAB_NEW, 4, 1, 4, 0, 0, { 0 }, "new" },
};

const struct svmc_hcall_owner hcall_lab_owner = {
    .calls = hcall_lab_calls,
    .schemas = hcall_lab_schemas,
    .call_count = sizeof hcall_lab_calls / sizeof hcall_lab_calls[0],
    .schema_count = sizeof hcall_lab_schemas / sizeof hcall_lab_schemas[0],
    .may = SVMC_HCALL_MAY_ALL,
    .first = 1,
    .last = 3,
    .owner = LAB_OWNER,
    .uid = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
};

/* Pages that a program may not touch. */
static bool is_kept_from(struct hcall_lab *lab, uint32_t vcpu, const struct svmc_hcall_call *call,
                         uint64_t at)
{
    lab->asked_vcpu = vcpu;
    lab->asked_ip = call->ip;
    return call->user && (lab->kernels >> at / 4096 & 1);
}

static enum svmc_status translate(void *ctx, const struct svmc_hcall_caller *caller, svmc_gva at,
                                  uint32_t access, svmc_gpa *out, struct svmc_fault *fault)
{
    struct hcall_lab *lab = ctx;

    CHECK(!fault->raised && access != 0);
    if (fails(lab))
        return SVMC_ERR_STATE;
    out->v = at.v % LAB_MEMORY ^ (lab->lie == 1 ? 4 : 0);
    if ((lab->away >> at.v % LAB_MEMORY / 4096 & 1) ||
        is_kept_from(lab, caller->vcpu, caller->call, at.v % LAB_MEMORY))
        *fault = (struct svmc_fault){ .raised = 1, .vector = 14, .address = at.v };
    return SVMC_OK;
}

static enum svmc_status guest_span(void *ctx, const struct svmc_hcall_caller *caller, svmc_gpa at,
                                   size_t n, uint32_t access, void **span)
{
    struct hcall_lab *lab = ctx;

    CHECK(*span == NULL && n > 0 && at.v % 4096 + n <= 4096 && access >= 1 && access <= 3);
    if (fails(lab))
        return SVMC_ERR_FULL;
    if (at.v >= LAB_MEMORY || (lab->holes >> at.v / 4096 & 1) ||
        is_kept_from(lab, caller->vcpu, caller->call, at.v))
        return SVMC_OK;
    lab->spans[at.v / 4096][access]++;
    *span = lab->memory + at.v;
    return SVMC_OK;
}

/* token[0] is the class; token[1] 1: stale, 2: none */
static enum svmc_status token(void *ctx, uint32_t vcpu, const struct svmc_hcall_call *call,
                              struct svmc_hcall_accepted *out)
{
    struct hcall_lab *lab = ctx;

    (void)vcpu;
    lab->gated++;
    lab->judged = *call;
    if (fails(lab))
        return SVMC_ERR_CALLBACK;
    *out = (struct svmc_hcall_accepted){ .rights = call->token[2], .handle = 0x10000 | vcpu };
    out->token_class = lab->same_class ? lab->same_class : (uint32_t)call->token[0];
    return call->token[1] == 1 ? SVMC_ERR_STALE : call->token[1] == 2 ? SVMC_ERR_AUTH : SVMC_OK;
}

static enum svmc_status handle(void *ctx, uint32_t vcpu, const struct svmc_hcall_call *call,
                               uint32_t type, uint64_t value, void **object)
{
    struct hcall_lab *lab = ctx;

    CHECK(vcpu == 0 && type >= 7 && type <= 9);
    lab->asked_ip = call->ip;
    *object = lab->memory + type - 7;
    if (fails(lab))
        return SVMC_ERR_CALLBACK;
    if (value != 4711)
        return SVMC_ERR_STALE;
    lab->held |= 1u << type;
    return SVMC_OK;
}

static uint64_t ticks(void *ctx)
{
    struct hcall_lab *lab = ctx;

    return lab->now += lab->ticks_each;
}

static void abandon(void *ctx, uint32_t vcpu, uint64_t control, uint64_t progress)
{
    struct hcall_lab *lab = ctx;

    CHECK(vcpu < 2 && (uint16_t)control == LAB_STEPS);
    lab->abandoned++;
    lab->progress = progress;
}

static void release(void *ctx, uint32_t vcpu, uint32_t type, void *object)
{
    struct hcall_lab *lab = ctx;

    CHECK(vcpu == 0 && (lab->held >> type & 1) && object == lab->memory + type - 7);
    lab->held &= ~(1u << type);
    lab->released++;
}

const struct svmc_hcall_ops hcall_lab_ops = {
    sizeof(struct svmc_hcall_ops), translate, guest_span, token, handle, ticks, abandon, release,
};
const struct svmc_hcall_place hcall_lab_place = { .isa = SVMC_ISA_X86_64, .role = 1, .phase = 2 };

void hcall_lab_vcpu(struct hcall_lab *lab, struct svmc_hcall_vcpu *v, uint32_t id,
                    struct svmc_hcall_slot *slots)
{
    struct svmc_hcall_room room = lab->room;

    room.slots = slots;
    CHECK_EQ(svmc_hcall_vcpu_init(v, &lab->vm, id, &hcall_lab_place, &room), SVMC_OK);
}

void hcall_lab_init(struct hcall_lab *lab)
{
    struct svmc_hcall_where where;

    memset(lab, 0, sizeof *lab);
    for (unsigned i = 0; i < LAB_MEMORY; i++)
        lab->memory[i] = (uint8_t)(i * 7 + i / 256);
    fake_crypto_init(&lab->crypto);
    CHECK_EQ(svmc_hcall_init(&lab->table, &hcall_lab_owner, 1, lab->table_room,
                             sizeof lab->table_room, &where),
             SVMC_OK, "%u at %u, %u", where.what, where.index, where.arg);
    lab->vm = (struct svmc_hcall_vm){
        .table = &lab->table,
        .ops = &hcall_lab_ops,
        .crypto = &lab->crypto.ops,
        .ctx = lab,
        .id = 0x77,
        .mac_alg = SVMC_ALG_MAC_BLAKE2B_256,
        .key = { 1, 2, 3 },
        .batch_entries = 100,
    };
    memset(lab->scratch, 0xcc, LAB_SCRATCH); /* what was there before is not seen */
    lab->scratch[LAB_SCRATCH / 8] = 0x5a5a5a5a5a5a5a5a;
    lab->room = (struct svmc_hcall_room){
        .scratch = lab->scratch,
        .scratch_bytes = LAB_SCRATCH,
        .slot_count = LAB_SLOTS,
        .slots = lab->slots,
    };
    hcall_lab_vcpu(lab, &lab->vcpu, 0, lab->slots);
}

uint64_t hcall_word(uint32_t number)
{
    return (uint64_t)SVMC_HCALL_ABI << SVMC_HCALL_ABI_SHIFT | LAB_OWNER << SVMC_HCALL_OWNER_SHIFT |
           number;
}
