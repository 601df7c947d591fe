/* SPDX-License-Identifier: MIT */
/*
 * The whole way of an exit with both sides hostile: the input chooses the exit (a raw kvm_run or
 * an instruction), the registers, the host's page and when callbacks fail. Traps when a refused or
 * failed call changed the guest, or an outcome is none. Its length chooses the policy's mode.
 */
#include <stdlib.h>
#include <string.h>
#include <svmcore/guest/hypercall.h>
#include <svmcore/svmcore.h>

#include "../tests/fakehost/world.h"
#include "input.h"

#define RUN_BYTES 8192u

static struct world world, before;
static struct svmc_policy policies[SVMC_MODE_OBSERVE + 1];
static uint8_t run[RUN_BYTES];

static void make_policy(struct svmc_policy *policy, enum svmc_mode mode)
{
    require(svmc_policy_init(policy, 8, 4) == SVMC_OK);
    require(svmc_policy_set_mode(policy, mode) == SVMC_OK);
    require(svmc_policy_set_ports(policy, 0, 0x8000, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE) ==
            SVMC_OK);
    require(svmc_policy_set_ports(policy, 0x8000, 0x100, SVMC_ACCESS_RW, SVMC_VERDICT_CONST) ==
            SVMC_OK);
    require(svmc_policy_set_ports(policy, 0x9000, 0x100, SVMC_ACCESS_RW, SVMC_VERDICT_TERMINATE) ==
            SVMC_OK);
    require(svmc_policy_set_msrs(policy, 0, 8192, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE) ==
            SVMC_OK);
    require(svmc_policy_set_msrs(policy, 0xc0000000, 8192, SVMC_ACCESS_RW,
                                 SVMC_VERDICT_INTERPRET) == SVMC_OK);
    require(svmc_policy_set_kind(policy, SVMC_KIND_RDTSC, SVMC_VERDICT_DELEGATE) == SVMC_OK);
    require(svmc_policy_set_kind(policy, SVMC_KIND_RDTSCP, SVMC_VERDICT_DELEGATE) == SVMC_OK);
    require(svmc_policy_set_kind(policy, SVMC_KIND_RDPMC, SVMC_VERDICT_DELEGATE) == SVMC_OK);
    require(svmc_policy_add_window(policy, (svmc_gpa){ 0 }, 0x10000, SVMC_ACCESS_RW,
                                   SVMC_VERDICT_DELEGATE) == SVMC_OK);
    require(svmc_policy_set_doorbell(policy, SVMC_HCALL_PORT) == SVMC_OK);
    for (uint8_t n = 0; n < 7; n++)
        require(svmc_policy_set_hcall(policy, n, n, n % 4) == SVMC_OK);
    require(svmc_policy_seal(policy) == SVMC_OK);
}

static enum svmc_status next_exit(struct input *in, struct svmc_exit *exit)
{
    static const struct svmc_cpu cpu = { .isa = SVMC_ISA_X86_64,
                                         .vendor = SVMC_VENDOR_AMD,
                                         .features = { UINT64_MAX, UINT64_MAX } };
    struct svmc_insn insn;
    uint8_t bytes[SVMC_INSN_MAX];

    if (take_byte(in) & 1) {
        take(in, run, 64);
        run[9] = run[10] = run[11] = 0;
        run[8] &= 31;
        return svmc_exit_from_kvm(run, sizeof run, exit);
    }
    take(in, bytes, sizeof bytes);
    if (svmc_insn_decode(&cpu, bytes, sizeof bytes, &insn) != SVMC_OK)
        return SVMC_ERR_UNDEFINED;
    return svmc_exit_from_insn(&insn, (enum svmc_insn_class)insn.insn_class,
                               (svmc_gpa){ (uint64_t)take_byte(in) << 8 | bytes[14] }, exit);
}

/* A host: mostly right, then spoiled by the input. */
static void answer(struct input *in)
{
    struct svmc_request request;
    struct svmc_reply reply = { 0 };
    uint8_t data[SVMC_PAGE_DATA_BYTES], spoil = take_byte(in);

    require(svmc_request_read(world.page, &request, data, sizeof data) == SVMC_OK);
    reply.seq = request.seq;
    reply.status = spoil & 3;
    reply.done = request.count;
    reply.out_valid = (1u << (take_byte(in) & 7)) - 1;
    if (spoil & 4)
        reply.data_bytes = request.count * request.size % (SVMC_PAGE_DATA_BYTES + 1);
    if (spoil & 8)
        reply.out[0] = take_byte(in);
    reply.fault = (spoil >> 4) & 1;
    require(svmc_reply_write(world.page, &reply, data) == SVMC_OK);
    for (uint8_t n = spoil >> 5; n > 0; n--)
        world.page[0x100 + (take_byte(in) | (take_byte(in) & 15) << 8) % 0xf00] ^= take_byte(in);
}

static int guest_same(void)
{
    return memcmp(world.reg, before.reg, sizeof world.reg) == 0 &&
           memcmp(world.memory, before.memory, sizeof world.memory) == 0;
}

static void one_exit(struct input *in, struct svmc_vcpu *vc)
{
    struct svmc_outcome out;
    struct svmc_exit exit;
    enum svmc_status st;

    take(in, world.reg, (size_t)take_byte(in) % sizeof world.reg);
    if (next_exit(in, &exit) != SVMC_OK)
        return;
    world.fail_at = world.calls + take_byte(in);
    memcpy(&before, &world, sizeof world);
    st = svmc_vcpu_exit(vc, &exit, &out);
    require(st == SVMC_OK || (out.action == SVMC_ACT_STOP && guest_same()));
    require(out.action != SVMC_ACT_STOP || out.stop != SVMC_STOP_NONE);
    for (unsigned rounds = 0; rounds < 40 && out.action == SVMC_ACT_DELEGATED; rounds++) {
        struct svmc_pending pending = vc->priv.pending;

        require(st == SVMC_ERR_HOST_REPLY || guest_same()); /* nothing before the answer */
        answer(in);
        memcpy(&before, &world, sizeof world);
        st = svmc_vcpu_enter(vc, &out);
        require(st == SVMC_OK || guest_same());
        require(st != SVMC_ERR_HOST_REPLY || out.rule != 0);
        require(st == SVMC_ERR_HOST_REPLY || out.rule == 0 ||
                (st == SVMC_OK && vc->priv.policy->priv.mode != SVMC_MODE_STRICT));
        if (out.action == SVMC_ACT_DELEGATED && st == SVMC_ERR_HOST_REPLY)
            require(memcmp(&pending, &vc->priv.pending, sizeof pending) == 0);
        require(out.data_bytes <= SVMC_EXIT_DATA_MAX && (out.data_bytes == 0) == !out.data);
    }
    if (st == SVMC_OK)
        (void)svmc_kvm_complete(run, sizeof run, &out);
    if (vc->priv.pending.active)
        svmc_vcpu_cancel(vc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct svmc_vcpu vc;
    struct input in = { data, size };
    uint8_t holes = take_byte(&in);

    for (uint32_t mode = 0; mode <= SVMC_MODE_OBSERVE; mode++)
        if (policies[mode].priv.magic == 0)
            make_policy(&policies[mode], (enum svmc_mode)mode);
    memset(&world, 0, sizeof world);
    for (unsigned i = 0; i < WORLD_PAGES; i++)
        world.hole[i] = (holes >> (i & 7) & 1) != 0 && i > 1;
    require(svmc_vcpu_init(&vc, &world_ops, &world, &policies[size % 3], world.page, 1) == SVMC_OK);
    for (unsigned exits = 0; exits < 16 && in.left > 0; exits++)
        one_exit(&in, &vc);
    svmc_vcpu_drop(&vc);
    return 0;
}
