/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: any syndrome and any bytes to the front ends of AArch64, RISC-V and Power; what
 * they make of it goes on to a vCPU. Shape of the input: a byte that says which, 40 bytes of
 * registers, the instruction.
 */
#include <string.h>
#include <svmcore/svmcore.h>

#include "fakehost/world.h"
#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world world;
static struct svmc_policy policy;

static void make_policy(void)
{
    require(svmc_policy_init(&policy, 2, 2) == SVMC_OK);
    require(svmc_policy_add_window(&policy, (svmc_gpa){ 0 }, UINT64_MAX, SVMC_ACCESS_RW,
                                   SVMC_VERDICT_DELEGATE) == SVMC_OK);
    require(svmc_policy_set_sysregs(&policy, 0x8000, 0x4000, SVMC_ACCESS_RW,
                                    SVMC_VERDICT_INTERPRET) == SVMC_OK);
    require(svmc_policy_set_sysregs(&policy, 0xc000, 0x4000, SVMC_ACCESS_RW,
                                    SVMC_VERDICT_DELEGATE) == SVMC_OK);
    require(svmc_policy_set_kind(&policy, SVMC_KIND_RDTIME, SVMC_VERDICT_DELEGATE) == SVMC_OK);
    require(svmc_policy_set_kind(&policy, SVMC_KIND_RDCOUNTER, SVMC_VERDICT_DELEGATE) == SVMC_OK);
    for (uint32_t kind = SVMC_KIND_CSR_READ; kind <= SVMC_KIND_CSR_CLEAR; kind++)
        require(svmc_policy_set_kind(&policy, (enum svmc_kind)kind, SVMC_VERDICT_INTERPRET) ==
                SVMC_OK);
    for (uint32_t kind = SVMC_KIND_DATA_ABORT; kind <= SVMC_KIND_INSN_ABORT; kind++)
        require(svmc_policy_set_kind(&policy, (enum svmc_kind)kind, SVMC_VERDICT_DELEGATE) ==
                SVMC_OK);
    for (uint32_t n = 1; n < 7; n++) {
        require(svmc_policy_set_call(&policy, SVMC_KIND_HVC, 0xc4000000 + n, (uint8_t)n, 1) ==
                SVMC_OK);
        require(svmc_policy_set_call(&policy, SVMC_KIND_SMC, 0x86000000 + n, (uint8_t)n,
                                     (uint8_t)(n % 5)) == SVMC_OK);
        require(svmc_policy_set_call(&policy, SVMC_KIND_SBI, (uint64_t)(n + 1) << 36, (uint8_t)n,
                                     2) == SVMC_OK);
    }
    require(svmc_policy_set_call(&policy, SVMC_KIND_HCALL, 0x54, 1, 4) == SVMC_OK);
    require(svmc_policy_set_call(&policy, SVMC_KIND_HCALL, 0x58, 4, 1) == SVMC_OK);
    require(svmc_policy_seal(&policy) == SVMC_OK);
}

static enum svmc_status from_exit(uint8_t which, const uint64_t raw[5], const uint8_t *bytes,
                                  size_t count, struct svmc_exit *exit)
{
    const struct svmc_a64_exit a64 = {
        .esr = raw[0], .far = raw[1], .hpfar = raw[2], .spsr = raw[3]
    };
    struct svmc_rv_exit rv = { .cause = raw[0],
                               .stval = raw[1],
                               .htval = raw[2],
                               .htinst = raw[3],
                               .isa = which & 2 ? SVMC_ISA_RV64 : SVMC_ISA_RV32,
                               .user = which >> 2 & 1,
                               .scounteren = (uint32_t)(raw[2] >> 32) };

    if (which & 16) {
        const struct svmc_ppc_exit ppc = { .vector = which & 1 ? 0xe00 : (uint32_t)raw[0],
                                           .hdsisr = (uint32_t)raw[1],
                                           .hdar = raw[2],
                                           .asdr = raw[2] >> 8,
                                           .srr1 = raw[3] };

        return svmc_exit_from_ppc(&ppc, bytes, count, exit);
    }
    if ((which & 33) == 33) /* 30 and 53 are no widths */
        return svmc_exit_from_a64_abort(&a64, 30 + (uint32_t)(raw[4] % 24), exit);
    if (which & 1)
        return svmc_exit_from_a64(&a64, bytes, count, exit);
    if (which & 8) /* few causes have something to say */
        rv.cause = 21 + (rv.cause & 3);
    return svmc_exit_from_rv(&rv, bytes, count, exit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct svmc_exit zero;
    static struct svmc_vcpu vc;
    uint64_t raw[5] = { 0 };
    struct svmc_outcome out;
    struct svmc_exit exit;
    enum svmc_status st;

    if (size < 1 + sizeof raw)
        return 0;
    if (policy.priv.magic == 0)
        make_policy();
    memcpy(raw, data + 1, sizeof raw);
    memset(&exit, 0xa5, sizeof exit);
    st = from_exit(data[0], raw, data + 1 + sizeof raw, size - 1 - sizeof raw, &exit);
    if (st != SVMC_OK) {
        require(memcmp(&exit, &zero, sizeof exit) == 0);
        return 0;
    }
    memset(&world, 0, sizeof world);
    require(svmc_vcpu_init(&vc, &world_ops, &world, &policy, world.page, 1) == SVMC_OK);
    for (unsigned r = 0; r < WORLD_REGS; r++) /* numbers of calls, and what they ask about */
        world.reg[r] = raw[4] >> (r & 15);
    world.reg[SVMC_REG_X0] = raw[4];
    world.reg[SVMC_REG_RV_X0 + 17] = raw[4] & 0xffffffff;
    world.reg[SVMC_REG_RV_X0 + 16] = raw[4] >> 32;
    world.reg[SVMC_REG_PPC_R0 + 3] = raw[4] >> 4;
    /* a front end makes nothing that the engine finds wrong */
    require(svmc_vcpu_exit(&vc, &exit, &out) == SVMC_OK);
    require(exit.kind != SVMC_KIND_UNKNOWN || out.action == SVMC_ACT_INJECT);
    if (out.action == SVMC_ACT_DELEGATED) { /* a host that gives what the fuzzer likes */
        struct svmc_request request;
        struct svmc_reply reply = { .out_valid = raw[4] & 15, .done = 1 };

        require(svmc_request_read(world.page, &request, NULL, 0) == SVMC_OK);
        reply.seq = request.seq;
        for (unsigned i = 0; i < 4; i++)
            reply.out[i] = reply.out_valid >> i & 1 ? raw[(i + 1) % 5] : 0;
        require(svmc_reply_write(world.page, &reply, NULL) == SVMC_OK);
        st = svmc_vcpu_enter(&vc, &out);
        require(st == SVMC_OK || (st == SVMC_ERR_HOST_REPLY && out.rule != 0));
    }
    svmc_vcpu_drop(&vc);
    return 0;
}
