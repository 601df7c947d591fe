/* SPDX-License-Identifier: MIT */
/*
 * VM-exit fields and bytes, both from the input: 72 bytes of struct svmc_vmx_exit, a byte that
 * bends them towards what a processor would say, then the bytes at RIP. Traps when an error leaves
 * something behind, an exit is out of range for svmc_vcpu_exit, bytes change what the hardware
 * said, or an event does not survive the way there and back.
 */
#include <stdlib.h>
#include <string.h>
#include <svmcore/svmcore.h>

#include "../tests/fakehost/world.h"
#include "input.h"

#define FIELDS sizeof(struct svmc_vmx_exit)

static struct world world;
static struct svmc_policy policy;
static struct svmc_vcpu vc;

static void start(void)
{
    require(svmc_policy_init(&policy, 8, 4) == SVMC_OK);
    require(svmc_policy_set_ports(&policy, 0, 0x8000, SVMC_ACCESS_RW, SVMC_VERDICT_CONST) ==
            SVMC_OK);
    require(svmc_policy_add_window(&policy, (svmc_gpa){ 0 }, 0x10000, SVMC_ACCESS_RW,
                                   SVMC_VERDICT_DELEGATE) == SVMC_OK);
    require(svmc_policy_seal(&policy) == SVMC_OK);
}

/* The input is the same on every processor. */
static uint64_t load(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static void fill(struct svmc_vmx_exit *vmx, const uint8_t *at)
{
    *vmx = (struct svmc_vmx_exit){
        .exit_reason = (uint32_t)load(at, 4),
        .insn_length = (uint32_t)load(at + 4, 4),
        .insn_info = (uint32_t)load(at + 8, 4),
        .idt_vectoring = (uint32_t)load(at + 12, 4),
        .idt_error = (uint32_t)load(at + 16, 4),
        .interruptibility = (uint32_t)load(at + 20, 4),
        .cs_ar = (uint32_t)load(at + 24, 4),
        .has_string_info = at[28],
        .cpl = at[29],
        .reserved = { at[30], at[31] },
        .qualification = load(at + 32, 8),
        .guest_physical = load(at + 40, 8),
        .rflags = load(at + 48, 8),
        .efer = load(at + 56, 8),
        .debugctl = load(at + 64, 8),
    };
}

static void bend(struct svmc_vmx_exit *vmx, uint8_t how)
{
    if (how & 1)
        vmx->exit_reason &= 0x7f;
    if (how & 2)
        vmx->insn_length &= 15;
    if (how & 4)
        vmx->idt_vectoring &= how & 64 ? 0x80000fff : 0;
    if (how & 8)
        vmx->interruptibility &= 13;
    if (how & 16) {
        vmx->has_string_info &= 1;
        vmx->cpl &= 3;
        memset(vmx->reserved, 0, sizeof vmx->reserved);
    }
    if (how & 32)
        vmx->qualification &= vmx->exit_reason == 30 ? 0xffff007b : 0x1fff;
    if (how & 128)
        vmx->cs_ar &= ~0x4000u;
}

static void check_events(const struct svmc_vmx_exit *vmx)
{
    uint32_t info, error, length;
    struct svmc_event event, again;

    if (svmc_event_from_vmx(vmx->idt_vectoring, vmx->idt_error, vmx->insn_length, &event) !=
        SVMC_OK) {
        static const struct svmc_event none;

        require(memcmp(&event, &none, sizeof none) == 0);
        return;
    }
    if (event.type >= SVMC_EVENT_SOFT_INTERRUPT && event.insn_bytes == 0)
        return; /* not known: cannot be injected */
    require(svmc_event_to_vmx(&event, &info, &error, &length) == SVMC_OK);
    require(svmc_event_from_vmx(info, error, length, &again) == SVMC_OK);
    require(memcmp(&event, &again, sizeof event) == 0);
}

static void check_exit(const struct svmc_vmx_exit *vmx, const struct svmc_exit *exit)
{
    struct svmc_outcome out;
    enum svmc_status st;

    require(exit->count == 1 && exit->isa >= SVMC_ISA_X86_16 && exit->isa <= SVMC_ISA_X86_64);
    require(exit->kind == SVMC_KIND_SHUTDOWN || exit->interrupted.type != SVMC_EVENT_NONE ||
            (exit->insn_bytes >= 1 && exit->insn_bytes <= SVMC_INSN_MAX &&
             exit->finish == (SVMC_FINISH_REGS | SVMC_FINISH_RIP)));
    memset(&world, 0, sizeof world);
    require(svmc_vcpu_init(&vc, &world_ops, &world, &policy, world.page, 1) == SVMC_OK);
    st = svmc_vcpu_exit(&vc, exit, &out);
    require(st == (exit->interrupted.type == SVMC_EVENT_NONE ? SVMC_OK : SVMC_ERR_UNSUPPORTED));
    require(st != SVMC_OK || out.state <= SVMC_STATE_ALL);
    require(st != SVMC_OK || exit->kind != SVMC_KIND_UNKNOWN || out.fault.vector == 6);
    require((vmx->exit_reason & 0x80000000u) == 0);
    svmc_vcpu_drop(&vc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct svmc_cpu cpu = { .vendor = SVMC_VENDOR_INTEL, .features = { UINT64_MAX, UINT64_MAX } };
    static const struct svmc_exit zero;
    struct svmc_exit with, alone;
    struct svmc_vmx_exit vmx;
    enum svmc_status st, hardware;
    uint8_t *bytes;

    if (policy.priv.magic == 0)
        start();
    if (size < FIELDS + 1)
        return 0;
    fill(&vmx, data);
    bend(&vmx, data[FIELDS]);
    size -= FIELDS + 1;
    bytes = malloc(size ? size : 1); /* its own, so that the sanitizer sees its end */
    require(bytes != NULL);
    memcpy(bytes, data + FIELDS + 1, size);
    check_events(&vmx);
    hardware = svmc_exit_from_vmx(&vmx, NULL, NULL, 0, &alone);
    st = svmc_exit_from_vmx(&vmx, &cpu, bytes, size, &with);
    free(bytes);
    require(hardware == SVMC_OK || memcmp(&alone, &zero, sizeof zero) == 0);
    require(st == SVMC_OK || memcmp(&with, &zero, sizeof zero) == 0);
    /* bytes confirm the hardware or refuse it; what it left open they may add */
    require(hardware != SVMC_OK || st != SVMC_OK || memcmp(&alone, &with, sizeof with) == 0);
    require(hardware == SVMC_OK || hardware == SVMC_ERR_TRUNCATED || st != SVMC_OK);
    if (st == SVMC_OK)
        check_exit(&vmx, &with);
    if (hardware == SVMC_OK)
        check_exit(&vmx, &alone);
    return 0;
}
