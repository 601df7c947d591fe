/* SPDX-License-Identifier: MIT */
/**
 * Front end for KVM on x86: the mapped struct kvm_run, read and written at the offsets of its ABI
 * (Linux include/uapi/linux/kvm.h), little-endian. Pure; rule EX-2. A64 and RISC-V have device
 * memory at the same offsets (EX-61): exit_kvm_words.c.
 */

#include "../core/bytes.h"
#include "../core/memory.h"
#include "intercept_private.h"
#include "kvm_run.h"

/* Where a port access keeps its data; 0 if it cannot be. */
static size_t io_data(const uint8_t *run, size_t run_bytes)
{
    uint64_t at = core_load_le64(run + RUN_IO_DATA_OFFSET);
    uint64_t bytes = (uint64_t)run[RUN_IO_SIZE] * core_load_le32(run + RUN_IO_COUNT);

    if (bytes == 0 || bytes > SVMC_EXIT_DATA_MAX || at < RUN_LEAST || at > run_bytes ||
        bytes > run_bytes - at)
        return 0;
    return (size_t)at;
}

static enum svmc_status from_io(const uint8_t *run, size_t run_bytes, struct svmc_exit *out)
{
    bool write = run[RUN_IO_DIRECTION] == 1, string;
    size_t data = io_data(run, run_bytes);
    uint8_t size = run[RUN_IO_SIZE];

    if (data == 0 || run[RUN_IO_DIRECTION] > 1 || (size != 1 && size != 2 && size != 4))
        return SVMC_ERR_MISMATCH;
    out->count = core_load_le32(run + RUN_IO_COUNT);
    out->size = size;
    out->address = core_load_le16(run + RUN_IO_PORT);
    string = out->count > 1;
    out->kind =
        string ? (write ? SVMC_KIND_OUTS : SVMC_KIND_INS) : (write ? SVMC_KIND_OUT : SVMC_KIND_IN);
    if (write && string)
        out->data = run + data;
    else if (write)
        for (uint32_t i = 0; i < size; i++)
            out->value |= (uint64_t)run[data + i] << (8 * i);
    return SVMC_OK;
}

enum svmc_status svmc_intercept_kvm_mmio(const uint8_t *run, struct svmc_exit *out)
{
    uint32_t len = core_load_le32(run + RUN_MMIO_LEN);
    uint8_t write = run[RUN_MMIO_IS_WRITE];

    if (len == 0 || len > MMIO_MOST || write > 1)
        return SVMC_ERR_MISMATCH;
    out->kind = write ? SVMC_KIND_MMIO_WRITE : SVMC_KIND_MMIO_READ;
    out->address = core_load_le64(run + RUN_MMIO_ADDRESS);
    out->size = (uint8_t)len;
    if (write)
        out->value = core_load_le64(run + RUN_MMIO_DATA) & core_mask(len);
    return SVMC_OK;
}

enum svmc_status svmc_exit_from_kvm(const uint8_t *run, size_t run_bytes, struct svmc_exit *out)
{
    enum svmc_status st = SVMC_OK;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!run || run_bytes < RUN_LEAST)
        return SVMC_ERR_ARG;
    out->count = 1;
    switch (core_load_le32(run + RUN_EXIT_REASON)) {
    case KVM_IO:
        st = from_io(run, run_bytes, out);
        break;
    case KVM_MMIO:
        st = svmc_intercept_kvm_mmio(run, out);
        break;
    case KVM_HLT:
        out->kind = SVMC_KIND_HLT;
        break;
    case KVM_SHUTDOWN:
        out->kind = SVMC_KIND_SHUTDOWN;
        break;
    case KVM_RDMSR:
    case KVM_WRMSR:
        out->kind =
            core_load_le32(run + RUN_EXIT_REASON) == KVM_RDMSR ? SVMC_KIND_RDMSR : SVMC_KIND_WRMSR;
        out->address = core_load_le32(run + RUN_MSR_INDEX);
        if (out->kind == SVMC_KIND_WRMSR)
            out->value = core_load_le64(run + RUN_MSR_DATA);
        break;
    default:
        st = SVMC_ERR_UNSUPPORTED;
        break;
    }
    if (st != SVMC_OK)
        memset(out, 0, sizeof *out);
    return st;
}

/* Where the results of this exit go, and how many bytes KVM waits for; given: of a call. */
static uint8_t *result_place(uint8_t *run, size_t run_bytes, uint32_t given, uint32_t *bytes)
{
    size_t at;

    *bytes = 0;
    switch (core_load_le32(run + RUN_EXIT_REASON)) {
    case KVM_IO:
        at = io_data(run, run_bytes);
        if (run[RUN_IO_DIRECTION] != 0 || at == 0)
            return NULL;
        *bytes = run[RUN_IO_SIZE] * core_load_le32(run + RUN_IO_COUNT);
        return run + at;
    case KVM_MMIO:
        if (run[RUN_MMIO_IS_WRITE])
            return NULL;
        *bytes = core_load_le32(run + RUN_MMIO_LEN);
        return *bytes <= MMIO_MOST ? run + RUN_MMIO_DATA : NULL;
    case KVM_RDMSR:
        *bytes = 8;
        return run + RUN_MSR_DATA;
    case KVM_PAPR: /* R3, and from R4 on what the call brings; KVM keeps the rest */
        *bytes = given == 0 || given > 8 * SLOTS_OUT || given % 8 != 0 ? 8 : given;
        return run_bytes >= RUN_PAPR_END ? run + RUN_PAPR_RET : NULL;
    case KVM_SBI:
        *bytes = SBI_RET_BYTES;
        return run_bytes >= RUN_SBI_RET + SBI_RET_BYTES ? run + RUN_SBI_RET : NULL;
    case KVM_CSR:
        *bytes = 8;
        return run + RUN_CSR_RET;
    default:
        return NULL;
    }
}

enum svmc_status svmc_kvm_complete(uint8_t *run, size_t run_bytes,
                                   const struct svmc_outcome *outcome)
{
    uint32_t reason, bytes;
    uint8_t *place;
    bool msr, keep;

    if (!run || run_bytes < RUN_LEAST || !outcome || outcome->action > SVMC_ACT_INJECT)
        return SVMC_ERR_ARG;
    reason = core_load_le32(run + RUN_EXIT_REASON);
    msr = reason == KVM_RDMSR || reason == KVM_WRMSR;
    if (outcome->action == SVMC_ACT_INJECT && !msr)
        return SVMC_ERR_UNSUPPORTED;
    if (outcome->action != SVMC_ACT_RESUME && outcome->action != SVMC_ACT_INJECT)
        return SVMC_OK;
    if (msr)
        run[RUN_MSR_ERROR] = outcome->action == SVMC_ACT_INJECT; /* KVM makes it a #GP */
    if (outcome->action == SVMC_ACT_INJECT)
        return SVMC_OK;
    place = result_place(run, run_bytes, outcome->data_bytes, &bytes);
    keep = reason == KVM_SBI && place && (outcome->data_bytes == 0 || outcome->data_bytes == 8);
    if (keep)
        bytes = outcome->data_bytes;
    if (outcome->data_bytes != bytes || (bytes > 0 && (!place || !outcome->data)))
        return SVMC_ERR_MISMATCH;
    if (keep) /* EX-56: what a call does not give stays in a0 and a1 */
        memcpy(place, run + RUN_SBI_ARGS, SBI_RET_BYTES);
    if (place && bytes > 0)
        memcpy(place, outcome->data, bytes);
    return SVMC_OK;
}
