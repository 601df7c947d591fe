/* SPDX-License-Identifier: MIT */
/* docs/spec/hcall.md: programs, levels and vCPUs that want what is another's. */
#include "hcall_lab.h"

static struct hcall_lab lab;
static struct svmc_hcall_call call;
static struct svmc_hcall_result out;

static unsigned ask(uint64_t control, unsigned user, uint64_t first)
{
    memset(&out, 0xee, sizeof out);
    call.control = control;
    call.user = (uint8_t)user;
    call.arg[0] = first;
    if (svmc_hcall_dispatch(&lab.vcpu, &call, &out) != SVMC_OK || out.end != SVMC_HCALL_DONE)
        return 0xffff;
    return (uint16_t)out.status;
}

static void start(void)
{
    hcall_lab_init(&lab);
    memset(&call, 0, sizeof call);
}

/* ---- memory ---- */

TEST(hcall, memory_is_the_callers) /* HN-9 HN-14 */
{
    const uint64_t batch = (uint64_t)SVMC_HCALL_ABI << 56 | SVMC_HCALL_BATCH | 1ull << 32;

    start();
    lab.kernels = 1 << 4; /* virtual and physical */
    call.ip = 0x1234;
    hcall_lab_vcpu(&lab, &lab.vcpu, 1, lab.slots);
    for (unsigned user = 0; user < 2; user++) {
        memcpy(call.arg, (const uint64_t[]){ 0, 8, 16384, 8 }, 4 * sizeof call.arg[0]);
        CHECK_EQ(ask(hcall_word(LAB_COPY), user, 0), user ? SVMC_HCALL_FAULT : SVMC_HCALL_OK);
        CHECK_EQ(out.status >> 16, user ? 3 : 0);
        call.arg[1] = 0;
        CHECK_EQ(ask(batch, user, 16384), user ? SVMC_HCALL_FAULT : SVMC_HCALL_OK);
        CHECK(lab.asked_vcpu == 1 && lab.asked_ip == 0x1234);
    }
    CHECK_EQ(lab.handled, 1);
}
