/* SPDX-License-Identifier: MIT */
/*
 * A state description after an interception, and the host's reply to what it became, both hostile.
 * Traps when an error leaves anything, an exit that was made is one that svmc_vcpu_exit calls the
 * caller's error, an event or a protected guest becomes an exit, a reply writes what its kind does
 * not declare, or a refused one anything. Shape of the input: 20 bytes of fields, 2 of registers,
 * a byte that says which base registers follow, and the reply.
 */
#include <string.h>
#include <svmcore/svmcore.h>

#include "../tests/fakehost/world.h"
#include "input.h"

#define R0 SVMC_REG_S390_R0

static struct world world, before;
static struct svmc_policy policy;
static struct svmc_vcpu vc;

static void make_sd(struct input *in, uint8_t *sd, uint64_t *gpr)
{
    static const struct {
        uint16_t at, bytes;
    } fields[] = { { 0x50, 2 }, { 0x56, 6 }, { 0x90, 8 }, { 0xce, 2 }, { 0xa0, 2 } };
    uint16_t which;

    for (unsigned i = 0; i < sizeof fields / sizeof fields[0]; i++)
        take(in, sd + fields[i].at, fields[i].bytes);
    take(in, &which, sizeof which);
    for (unsigned i = 0; i < 14; i++)
        if (which >> i & 1)
            take(in, &gpr[i], 2);
}

static void check_exit(const struct svmc_s390_exit *raw, const struct svmc_exit *e)
{
    static const struct svmc_cpu cpu = { .isa = SVMC_ISA_S390X };
    const uint8_t text[6] = { (uint8_t)(raw->ipa >> 8),  (uint8_t)raw->ipa,
                              (uint8_t)(raw->ipb >> 24), (uint8_t)(raw->ipb >> 16),
                              (uint8_t)(raw->ipb >> 8),  (uint8_t)raw->ipb };
    struct svmc_insn insn;

    require(e->isa == SVMC_ISA_S390X && e->finish == SVMC_FINISH_REGS && e->count == 1);
    require(e->interrupted.type == SVMC_EVENT_NONE && e->data == NULL);
    require(raw->code == 0x04 || raw->code == 0x0c || raw->code == 0x1c || raw->code == 0x2c);
    if (raw->code == 0x04 || raw->code == 0x0c) {
        require(svmc_insn_decode(&cpu, text, sizeof text, &insn) == SVMC_OK);
        require(!(e->user && insn.privilege == SVMC_PRIVILEGE_KERNEL));
    }
    require(raw->code == 0x1c ||
            (e->insn_bytes >= 2 && e->insn_bytes <= 6 && e->insn_bytes % 2 == 0));
}

/* All addresses are the guest's 64 KiB; pages of `holes` are not mapped. */
static uint8_t holes;

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    (void)ctx, (void)access;
    out->v = at.v % WORLD_MEMORY;
    if (holes >> (out->v / 4096 & 7) & 1) {
        fault->raised = 1;
        fault->vector = 0x3b; /* region-third translation */
    }
    return SVMC_OK;
}

/* The reply to what was delegated: only the declared results may change. */
static void reply(struct input *in, const struct svmc_exit *e)
{
    struct svmc_reply r = { 0 };
    struct svmc_request request;
    struct svmc_outcome out;
    uint8_t spoil[8], block[512];
    unsigned result = e->kind == SVMC_KIND_DIAG_500                      ? R0 + 2u
                      : e->kind >> 12 == 0xb && e->kind != SVMC_KIND_SAL ? SVMC_REG_S390_CC
                                                                         : SVMC_REG_NONE;
    int brings = e->kind == SVMC_KIND_STSCH || e->kind == SVMC_KIND_TSCH;
    enum svmc_status st;

    require(svmc_request_read(world.page, &request, NULL, 0) == SVMC_OK);
    take(in, spoil, sizeof spoil);
    memset(block, 0xb1, sizeof block);
    r.seq = request.seq ^ spoil[0];
    r.status = spoil[1];
    r.done = request.count ^ spoil[2];
    r.data_bytes = (brings ? request.size : 0) + spoil[6];
    r.out_valid = (result != SVMC_REG_NONE) ^ spoil[3];
    r.fault = spoil[4];
    take(in, &r.out[0], sizeof r.out[0]);
    r.out[1] = spoil[5];
    holes = spoil[7];
    require(svmc_reply_write(world.page, &r, block) == SVMC_OK);
    before = world;
    st = svmc_vcpu_enter(&vc, &out);
    require(st == SVMC_OK || st == SVMC_ERR_HOST_REPLY);
    for (unsigned i = 0; i < WORLD_REGS; i++)
        require(world.reg[i] == before.reg[i] ||
                (st == SVMC_OK && out.action == SVMC_ACT_RESUME && i == result));
    if (brings && st == SVMC_OK && out.action == SVMC_ACT_RESUME && world.reg[result] != 3)
        for (unsigned i = 0; i < e->size; i++)
            before.memory[(e->buffer.v + i) % WORLD_MEMORY] = 0xb1;
    require(memcmp(world.memory, before.memory, sizeof world.memory) == 0);
    require(result != SVMC_REG_S390_CC || world.reg[SVMC_REG_S390_CC] <= 3);
    require(out.action != SVMC_ACT_INJECT || out.fault.vector == 0x06 || out.fault.vector == 0x15 ||
            (out.fault.vector == 0x3b && e->size != 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct svmc_exit zero;
    struct input in = { data, size };
    uint8_t sd[SVMC_S390_SD_BYTES] = { 0 };
    uint64_t gpr[14] = { 0 };
    struct svmc_host_ops ops = world_ops;
    struct svmc_s390_exit raw;
    struct svmc_outcome out;
    struct svmc_exit exit;

    if (policy.priv.magic == 0) {
        require(svmc_policy_init(&policy, 4, 2) == SVMC_OK);
        require(svmc_policy_seal(&policy) == SVMC_OK);
    }
    make_sd(&in, sd, gpr);
    require(svmc_s390_exit_read(sd, gpr, &raw) == SVMC_OK);
    memset(&exit, 0xa5, sizeof exit);
    if (svmc_exit_from_s390(&raw, &exit) != SVMC_OK) {
        require(memcmp(&exit, &zero, sizeof exit) == 0);
        return 0;
    }
    check_exit(&raw, &exit);
    memset(&world, 0, sizeof world);
    ops.translate = translate;
    holes = size & 1 ? 0x80 : 0;
    require(svmc_vcpu_init(&vc, &ops, &world, &policy, world.page, 1) == SVMC_OK);
    require(svmc_vcpu_exit(&vc, &exit, &out) == SVMC_OK);
    require(exit.kind != SVMC_KIND_UNKNOWN || out.action == SVMC_ACT_INJECT);
    if (out.action == SVMC_ACT_DELEGATED)
        reply(&in, &exit);
    svmc_vcpu_drop(&vc);
    return 0;
}
