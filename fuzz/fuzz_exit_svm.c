/* SPDX-License-Identifier: MIT */
/*
 * A VMCB after #VMEXIT and the bytes at RIP, both hostile. Traps when an error leaves anything, an
 * exit that was made is one that svmc_vcpu_exit calls the caller's error, the two witnesses of an
 * exit do not agree, or an event word changes on its way there and back.
 */
#include <stdlib.h>
#include <string.h>
#include <svmcore/svmcore.h>

#include "../tests/fakehost/world.h"
#include "input.h"

static struct world world;
static struct svmc_policy policy;
static struct svmc_vcpu vc;

/* Fields that are read, in the order that an input has them; its first word says which it has. */
static const struct {
    uint16_t at, bytes;
} fields[] = { { 0x070, 2 }, { 0x078, 8 }, { 0x080, 8 },  { 0x0c8, 8 }, { 0x0d0, 16 }, { 0x412, 2 },
               { 0x4d0, 2 }, { 0x570, 4 }, { 0x578, 8 },  { 0x060, 4 }, { 0x068, 1 },  { 0x088, 8 },
               { 0x090, 1 }, { 0x072, 6 }, { 0x000, 64 }, { 0x600, 64 } };

static void make_vcpu(void)
{
    require(svmc_policy_init(&policy, 8, 4) == SVMC_OK);
    require(svmc_policy_set_ports(&policy, 0, 65536, SVMC_ACCESS_RW, SVMC_VERDICT_CONST) ==
            SVMC_OK);
    require(svmc_policy_seal(&policy) == SVMC_OK);
}

static void check_exit(const uint8_t *vmcb, const struct svmc_exit *exit)
{
    struct svmc_outcome out;
    enum svmc_status st;

    require(exit->kind == SVMC_KIND_SHUTDOWN || exit->interrupted.type != SVMC_EVENT_NONE ||
            (exit->finish == (SVMC_FINISH_REGS | SVMC_FINISH_RIP) && exit->insn_bytes >= 1 &&
             exit->insn_bytes <= SVMC_INSN_MAX));
    require(!(vmcb[0x71] == 0 && vmcb[0x70] >= 0x40 && vmcb[0x70] <= 0x64)); /* no instruction */
    require(exit->state <= SVMC_STATE_ALL && exit->data == NULL);
    require(svmc_vcpu_init(&vc, &world_ops, &world, &policy, world.page, 1) == SVMC_OK);
    st = svmc_vcpu_exit(&vc, exit, &out);
    require(st == (exit->interrupted.type == SVMC_EVENT_NONE ? SVMC_OK : SVMC_ERR_UNSUPPORTED));
    svmc_vcpu_drop(&vc);
}

static void check_word(uint64_t word)
{
    struct svmc_event event, again;
    uint64_t back = 0;

    if (svmc_event_from_svm(word, &event) != SVMC_OK)
        return;
    require(event.type <= SVMC_EVENT_SOFT_EXCEPTION && event.insn_bytes == 0 && !event.address);
    require(svmc_event_to_svm(&event, &back) == SVMC_OK);
    require(svmc_event_from_svm(back, &again) == SVMC_OK);
    require(memcmp(&event, &again, sizeof event) == 0);
    require((event.type == SVMC_EVENT_NONE) == (back == 0));
    require(back == 0 || event.type == SVMC_EVENT_NMI || !event.has_error || back == word);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct svmc_exit zero;
    struct svmc_cpu cpu = { .vendor = SVMC_VENDOR_AMD, .features = { UINT64_MAX, UINT64_MAX } };
    struct input in = { data, size };
    struct svmc_exit exit, said;
    uint8_t *vmcb = calloc(1, SVMC_VMCB_BYTES), *bytes; /* the sanitizer knows their ends */
    uint16_t present;
    enum svmc_status st;
    uint64_t word = 0;

    if (policy.priv.magic == 0)
        make_vcpu();
    require(vmcb != NULL);
    take(&in, &present, sizeof present);
    vmcb[0x413] = 2; /* unless the input says otherwise: 64-bit mode */
    vmcb[0x4d1] = 4;
    for (unsigned i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (present >> i & 1)
            take(&in, vmcb + fields[i].at, fields[i].bytes);
    bytes = malloc(in.left + 1);
    require(bytes != NULL);
    memcpy(bytes + 1, in.at, in.left);
    for (unsigned i = 0; i < 8; i++)
        word |= (uint64_t)vmcb[0x88 + i] << 8 * i;
    check_word(word);
    check_word(word | 0x80000000);
    memset(&exit, 0xee, sizeof exit);
    st = svmc_exit_from_vmcb(vmcb, &cpu, bytes + 1, in.left, &exit);
    if (st == SVMC_OK)
        check_exit(vmcb, &exit);
    else
        require(memcmp(&exit, &zero, sizeof exit) == 0);
    require(st != SVMC_ERR_ARG);
    /* without bytes: not enough, or the same (UNKNOWN: the code has a kind, the bytes have none) */
    if (st == SVMC_OK && svmc_exit_from_vmcb(vmcb, &cpu, NULL, 0, &said) == SVMC_OK) {
        check_exit(vmcb, &said);
        require(exit.kind == SVMC_KIND_UNKNOWN || vmcb[0x71] == 4 ||
                memcmp(&exit, &said, sizeof exit) == 0);
    }
    free(bytes);
    free(vmcb);
    return 0;
}
