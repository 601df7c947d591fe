/* SPDX-License-Identifier: MIT */
/** Linux, Documentation/virt/kvm/api.rst, section 5: what user space finds and leaves. */
#include "kvm_host.h"

#include <string.h>

static bool read_io(const struct kvm_run *run, size_t run_bytes, struct svmc_request *r,
                    uint8_t data[SVMC_PAGE_DATA_BYTES])
{
    size_t bytes = (size_t)run->io.size * run->io.count;
    bool out = run->io.direction == KVM_EXIT_IO_OUT, string = run->io.count > 1;

    if (bytes > SVMC_PAGE_DATA_BYTES || run->io.data_offset > run_bytes - bytes)
        return false;
    r->kind =
        string ? (out ? SVMC_KIND_OUTS : SVMC_KIND_INS) : (out ? SVMC_KIND_OUT : SVMC_KIND_IN);
    r->direction = out ? SVMC_DIRECTION_OUT : SVMC_DIRECTION_IN;
    r->address = run->io.port;
    r->size = run->io.size;
    r->count = run->io.count;
    memcpy(data, (const uint8_t *)run + run->io.data_offset, out ? bytes : 0);
    memcpy(&r->in[0], data, out && !string && bytes <= 8 ? bytes : 0);
    return true;
}

bool kvm_host_read(const struct kvm_run *run, size_t run_bytes, struct svmc_request *r,
                   uint8_t data[SVMC_PAGE_DATA_BYTES])
{
    *r = (struct svmc_request){ .count = 1, .direction = SVMC_DIRECTION_IN };
    switch (run->exit_reason) {
    case KVM_EXIT_IO:
        return read_io(run, run_bytes, r, data);
    case KVM_EXIT_MMIO:
        r->kind = run->mmio.is_write ? SVMC_KIND_MMIO_WRITE : SVMC_KIND_MMIO_READ;
        r->direction = run->mmio.is_write ? SVMC_DIRECTION_OUT : SVMC_DIRECTION_IN;
        r->address = run->mmio.phys_addr;
        r->size = run->mmio.len;
        memcpy(&r->in[0], run->mmio.data, run->mmio.is_write ? sizeof run->mmio.data : 0);
        return r->size <= sizeof run->mmio.data;
    case KVM_EXIT_X86_RDMSR:
        r->kind = SVMC_KIND_RDMSR;
        r->address = run->msr.index;
        return true;
    case KVM_EXIT_X86_WRMSR:
        r->kind = SVMC_KIND_WRMSR;
        r->direction = SVMC_DIRECTION_OUT;
        r->address = run->msr.index;
        r->in[0] = run->msr.data;
        return true;
    case KVM_EXIT_HYPERCALL:
        r->kind = SVMC_KIND_HYPERCALL;
        r->address = run->hypercall.nr;
        memcpy(r->in, run->hypercall.args, sizeof run->hypercall.args);
        return true;
    default:
        return false;
    }
}

void kvm_host_answer(struct kvm_run *run, const struct svmc_request *r,
                     const struct svmc_reply *reply, const uint8_t *data)
{
    switch (r->kind) {
    case SVMC_KIND_IN:
        memcpy((uint8_t *)run + run->io.data_offset, &reply->out[0], r->size);
        break;
    case SVMC_KIND_INS:
        memcpy((uint8_t *)run + run->io.data_offset, data, reply->data_bytes);
        break;
    case SVMC_KIND_MMIO_READ:
        memcpy(run->mmio.data, &reply->out[0], r->size);
        break;
    case SVMC_KIND_RDMSR:
    case SVMC_KIND_WRMSR:
        run->msr.error = reply->status == SVMC_REPLY_FAULT;
        if (r->kind == SVMC_KIND_RDMSR && !run->msr.error)
            run->msr.data = reply->out[0] | reply->out[1] << 32;
        break;
    case SVMC_KIND_HYPERCALL:
        run->hypercall.ret = reply->out[0];
        break;
    default:
        break;
    }
}
