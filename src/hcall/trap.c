/* SPDX-License-Identifier: MIT */
/** What all matchers do alike. docs/spec/trap.md, TM-1 to TM-4. */
#include "trap_private.h"

#include "../core/callbacks.h"
#include "../core/clamp.h"
#include "../core/memory.h"

enum svmc_status svmc_hcall_trap_begin(struct trap_run *r, const void *raw)
{
    if (!r->out)
        return SVMC_ERR_ARG;
    memset(r->out, 0, sizeof *r->out);
    if (!r->config || !raw || !r->ops || !CORE_HAS_OP(r->ops, reg_read))
        return SVMC_ERR_ARG;
    return SVMC_OK;
}

enum svmc_status svmc_hcall_trap_end(struct trap_run *r)
{
    struct svmc_trap *out = r->out;
    bool call = out->verdict == SVMC_TRAP_CALL;

    if (r->st != SVMC_OK || out->verdict == SVMC_TRAP_NOT_OURS) {
        memset(out, 0, sizeof *out);
        return r->st;
    }
    if (call) { /* not what it had been otherwise */
        out->dest = 0;
        out->value = 0;
        memset(&out->fault, 0, sizeof out->fault);
    }
    if (!call || out->abi == SVMC_TRAP_NATIVE) {
        memset(&out->io, 0, sizeof out->io);
        memset(out->arg, 0, sizeof out->arg);
    }
    return SVMC_OK;
}

enum trap_gate svmc_hcall_trap_gate(struct trap_run *r, unsigned way)
{
    const struct svmc_trap_config *config = r->config;

    r->out->way = (uint8_t)way;
    if ((r->out->user ? config->user : config->kernel) >> way & 1u)
        return TRAP_OPEN;
    return (config->user | config->kernel) >> way & 1u ? TRAP_CLOSED_TO_CALLER : TRAP_CLOSED;
}

bool svmc_hcall_trap_speaks(const struct trap_run *r, enum svmc_trap_abi abi)
{
    return (unsigned)r->config->abis >> abi & 1u;
}

uint64_t svmc_hcall_trap_ask(struct trap_run *r, uint32_t reg)
{
    const struct svmc_host_ops *ops = r->ops;
    uint64_t value = 0;

    if (r->st == SVMC_OK && ops->reg_read(r->ctx, reg, &value) != SVMC_OK)
        r->st = SVMC_ERR_CALLBACK;
    return value;
}

/* TM-4 */
CORE_SMALL enum svmc_reg svmc_trap_reg(const struct svmc_trap *trap, unsigned n)
{
    static const uint8_t tdx[SVMC_IOX_ARGS] = {
        SVMC_REG_R12, SVMC_REG_RBX, SVMC_REG_R13,  SVMC_REG_RDX,
        SVMC_REG_RSI, SVMC_REG_RDI, SVMC_REG_NONE,
    };

    if (!trap || n >= SVMC_IOX_ARGS)
        return SVMC_REG_NONE;
    if (trap->way == SVMC_TRAP_WAY_TDX)
        return (enum svmc_reg)tdx[core_clamp(n, SVMC_IOX_ARGS)];
    return svmc_iox_reg((enum svmc_isa)trap->isa, n);
}

void svmc_hcall_trap_args(struct trap_run *r)
{
    for (unsigned n = 0; n < SVMC_IOX_ARGS; n++) { /* clamp: constant bound */
        enum svmc_reg reg = svmc_trap_reg(r->out, n);

        if (reg != SVMC_REG_NONE)
            r->out->arg[n] = svmc_hcall_trap_ask(r, reg);
    }
}

struct svmc_fault *svmc_hcall_trap_forward(struct trap_run *r, uint8_t vector)
{
    r->out->verdict = SVMC_TRAP_FORWARD;
    r->out->fault.raised = 1;
    r->out->fault.vector = vector;
    return &r->out->fault;
}

void svmc_hcall_trap_call(struct trap_run *r, enum svmc_trap_abi abi)
{
    if (!svmc_hcall_trap_speaks(r, abi))
        return;
    r->out->verdict = SVMC_TRAP_CALL;
    r->out->abi = (uint8_t)abi;
    r->out->insn_bytes = r->call_bytes;
    r->out->back = r->call_back; /* TM-21 */
}

void svmc_hcall_trap_vmware(struct trap_run *r, bool high, bool write)
{
    r->out->high = high;
    r->out->write = write;
    svmc_hcall_trap_call(r, SVMC_TRAP_VMWARE);
}

/* TM-3: VMware's two forms; any other is a call where the processor has no such instruction. */
void svmc_hcall_trap_io(struct trap_run *r)
{
    struct svmc_trap *out = r->out;
    const struct svmc_iox *io = &out->io;
    bool low, high;
    uint32_t port;

    svmc_hcall_trap_args(r);
    port = io->immediate ? 0 : (uint16_t)out->arg[SVMC_IOX_PORT];
    low = port == SVMC_VMWARE_PORT && !io->string && io->bytes == 4;
    high = port == SVMC_VMWARE_PORT_HIGH && io->repeat && io->bytes == 1 && !io->backward;
    if ((low || high) && (uint32_t)out->arg[SVMC_IOX_DATA] == SVMC_VMWARE_MAGIC &&
        svmc_hcall_trap_speaks(r, SVMC_TRAP_VMWARE))
        svmc_hcall_trap_vmware(r, high, !io->in);
    else if (out->isa > SVMC_ISA_X86_64)
        svmc_hcall_trap_call(r, SVMC_TRAP_IO);
}

void svmc_hcall_trap_word(struct trap_run *r, uint64_t word, bool native)
{
    if (native)
        svmc_hcall_trap_call(r, SVMC_TRAP_NATIVE);
    else if (svmc_iox_decode(word, &r->out->io) == SVMC_OK)
        svmc_hcall_trap_io(r);
}
