/* SPDX-License-Identifier: MIT */
/*
 * A hostile struct kvm_run of arm64, RISC-V, s390x and Power. Traps when an error leaves anything,
 * an exit that was made is one that svmc_vcpu_exit calls the caller's error, or a result goes
 * anywhere but into the data of an MMIO exit. Shape of the input: a byte that says which, four
 * bytes of instruction, the structure. The sanitizer knows where the structure ends.
 */
#include <stdlib.h>
#include <string.h>
#include <svmcore/svmcore.h>

#include "../tests/fakehost/world.h"
#include "input.h"

#define RUN_MOST 512u

static struct world world;
static struct svmc_policy policy;
static struct svmc_vcpu vc;

static void make_policy(void)
{
    require(svmc_policy_init(&policy, 2, 2) == SVMC_OK);
    require(svmc_policy_add_window(&policy, (svmc_gpa){ 0 }, UINT64_MAX, SVMC_ACCESS_RW,
                                   SVMC_VERDICT_CONST) == SVMC_OK);
    require(svmc_policy_seal(&policy) == SVMC_OK);
}

static enum svmc_status parse(uint8_t which, const uint8_t *run, size_t bytes, const uint8_t *insn,
                              struct svmc_exit *exit)
{
    if (which % 3 == 0 && !(which & 8))
        return svmc_exit_from_kvm_a64(run, bytes, which & 4 ? insn : NULL, which & 4 ? 4 : 0, exit);
    if (which & 8)
        return svmc_exit_from_kvm_ppc(run, bytes, exit);
    if (which % 3 == 1)
        return svmc_exit_from_kvm_rv(run, bytes, exit);
    return svmc_exit_from_kvm_s390(run, bytes, exit);
}

#define SBI_RESULTS 96u /* struct kvm_run, riscv_sbi.ret: two words */
#define PAPR_RESULT 40u /* papr_hcall.ret */

/*
 * CONST reads as ones: they go into the first bytes of the data and nowhere else. No call of the
 * SBI is delegated: success of the base extension, or NOT_SUPPORTED, -2.
 */
static void complete(uint8_t *run, size_t bytes, const struct svmc_exit *exit,
                     const struct svmc_outcome *out)
{
    uint8_t want[RUN_MOST];

    memcpy(want, run, bytes);
    if (out->action == SVMC_ACT_RESUME && exit->kind == SVMC_KIND_MMIO_READ)
        memset(want + 40, 0xff, exit->size);
    if (out->action != SVMC_ACT_INJECT)
        require(svmc_kvm_complete(run, bytes, out) == SVMC_OK);
    else
        require(svmc_kvm_complete(run, bytes, out) == SVMC_ERR_UNSUPPORTED);
    if (exit->kind == SVMC_KIND_SBI) {
        uint8_t high = run[SBI_RESULTS + 7];

        require(out->action == SVMC_ACT_RESUME);
        require(run[SBI_RESULTS] == (high == 0 ? 0 : 0xfe) && (high == 0 || high == 0xff));
        memcpy(want + SBI_RESULTS, run + SBI_RESULTS, 16);
    }
    if (exit->kind == SVMC_KIND_HCALL) { /* none is delegated: H_FUNCTION, -2, in R3 */
        require(out->action == SVMC_ACT_RESUME);
        memset(want + PAPR_RESULT, 0xff, 8);
        want[PAPR_RESULT] = 0xfe;
    }
    require(memcmp(run, want, bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct svmc_exit zero;
    struct svmc_outcome out;
    struct svmc_exit exit;
    uint8_t *run;
    size_t bytes;

    if (policy.priv.magic == 0)
        make_policy();
    if (size < 5)
        return 0;
    bytes = size - 5 < RUN_MOST ? size - 5 : RUN_MOST;
    run = malloc(bytes + 1);
    require(run != NULL);
    memcpy(run + 1, data + 5, bytes);
    memset(&exit, 0xa5, sizeof exit);
    if (parse(data[0], run + 1, bytes, data + 1, &exit) == SVMC_OK) {
        memset(&world, 0, sizeof world);
        require(svmc_vcpu_init(&vc, &world_ops, &world, &policy, world.page, 1) == SVMC_OK);
        require(svmc_vcpu_exit(&vc, &exit, &out) == SVMC_OK);
        if (exit.finish == SVMC_FINISH_BACKEND)
            complete(run + 1, bytes, &exit, &out);
        svmc_vcpu_drop(&vc);
    } else {
        require(memcmp(&exit, &zero, sizeof exit) == 0);
    }
    free(run);
    return 0;
}
