/* SPDX-License-Identifier: MIT */
/** Ports, #GP, VMCALL, VMMCALL and TDX. docs/spec/trap.md, TM-5 to TM-9. */
#include "trap_private.h"

#include "../core/memory.h"

#define VECTOR_UD 6u /* Intel SDM vol. 3, table 6-1 */
#define VECTOR_GP 13u

/* TM-9: Linux, arch/x86/include/asm/vmware.h. */
#define TDX_LEAF     0x1af7e4909u
#define TDX_FUNCTION 1u
#define TDX_COMMAND  0xf007fu

/* TM-5: is what a pointer of this code holds the linear address? */
static bool is_flat(struct trap_run *r, unsigned address_bytes, unsigned segment)
{
    bool wide = r->out->isa == SVMC_ISA_X86_64;
    uint32_t reg = segment < SVMC_SEG_FS ? SVMC_REG_ES_BASE + segment
                                         : SVMC_REG_FS_BASE + segment - SVMC_SEG_FS;

    if (r->out->isa == SVMC_ISA_X86_16 || address_bytes != (wide ? 8 : 4) || segment > SVMC_SEG_GS)
        return false;
    return (wide && segment < SVMC_SEG_FS) || svmc_hcall_trap_ask(r, reg) == 0;
}

/* TM-5: the access in out->io to a port that is known. */
static void access(struct trap_run *r, uint32_t port, unsigned address_bytes, unsigned segment)
{
    const struct svmc_iox *io = &r->out->io;

    if (port == SVMC_VMWARE_PORT || port == SVMC_VMWARE_PORT_HIGH) {
        if (!io->string || is_flat(r, address_bytes, segment))
            svmc_hcall_trap_io(r);
    } else if (port == r->config->port && port != 0 && !io->in && !io->string && io->bytes == 4 &&
               r->out->isa == SVMC_ISA_X86_64) {
        svmc_hcall_trap_call(r, SVMC_TRAP_NATIVE);
    }
}

static void port_exit(struct trap_run *r, const struct svmc_trap_x86 *raw)
{
    uint64_t word;

    if (svmc_hcall_trap_gate(r, SVMC_TRAP_WAY_PORT) != TRAP_OPEN)
        return;
    r->call_bytes = raw->insn_bytes;
    r->out->io = raw->io;
    r->out->io.immediate = r->out->io.port = 0;
    r->st = svmc_iox_encode(&r->out->io, &word); /* a sound one? */
    access(r, raw->port, raw->address_bytes, raw->segment);
}

/* TM-6: the hardware refused it; its bytes say what it was. */
static void fault(struct trap_run *r, const struct svmc_trap_x86 *raw, const uint8_t *bytes,
                  size_t count)
{
    struct svmc_cpu cpu = { .isa = raw->isa, .vendor = SVMC_VENDOR_INTEL }; /* both alike here */
    enum trap_gate gate = svmc_hcall_trap_gate(r, SVMC_TRAP_WAY_GP);
    struct svmc_iox *io = &r->out->io;
    struct svmc_fault *gp;
    struct svmc_insn insn;
    enum svmc_status st;
    uint32_t port;

    if (gate == TRAP_CLOSED)
        return;
    gp = svmc_hcall_trap_forward(r, VECTOR_GP);
    gp->has_error = 1;
    gp->error = raw->error;
    if (gate != TRAP_OPEN || raw->cpl == 0 || raw->error != 0)
        return;
    st = count ? svmc_insn_decode(&cpu, bytes, count, &insn) : SVMC_ERR_TRUNCATED;
    if (st == SVMC_ERR_TRUNCATED || st == SVMC_ERR_ARG)
        r->st = st;
    if (st != SVMC_OK || svmc_iox_from_insn(&insn, 0, io) != SVMC_OK)
        return;
    if (io->string) /* DF */
        io->backward = svmc_hcall_trap_ask(r, SVMC_REG_RFLAGS) >> 10 & 1;
    port = io->immediate ? io->port : (uint16_t)svmc_hcall_trap_ask(r, SVMC_REG_RDX);
    r->call_bytes = insn.length;
    access(r, port, insn.address_bytes, insn.segment);
}

/* TM-7; TM-8: beside others that share the instruction, a word of this version alone. */
static bool is_control(const struct trap_run *r, uint64_t rax)
{
    uint64_t version = rax >> SVMC_HCALL_ABI_SHIFT;

    if (r->out->isa != SVMC_ISA_X86_64)
        return false;
    return r->config->shared ? version == SVMC_HCALL_ABI : version != 0;
}

/* TM-7: VMware's magic before the native ABI's version: the upper half of RAX may be anything. */
static void match_vmcall(struct trap_run *r)
{
    uint64_t rax = svmc_hcall_trap_ask(r, SVMC_REG_RAX);
    bool wide = r->out->isa == SVMC_ISA_X86_64, high, write;
    unsigned flags;

    if ((uint32_t)rax != SVMC_VMWARE_MAGIC || !svmc_hcall_trap_speaks(r, SVMC_TRAP_VMWARE)) {
        if (is_control(r, rax))
            svmc_hcall_trap_call(r, SVMC_TRAP_NATIVE);
        return;
    }
    svmc_hcall_trap_args(r);
    flags = (uint16_t)r->out->arg[SVMC_IOX_PORT];
    high = (flags & SVMC_VMWARE_FLAG_HIGH) != 0;
    write = (flags & SVMC_VMWARE_FLAG_WRITE) != 0;
    if (flags > (SVMC_VMWARE_FLAG_HIGH | SVMC_VMWARE_FLAG_WRITE) ||
        (high && !is_flat(r, wide ? 8 : 4, write ? SVMC_SEG_DS : SVMC_SEG_ES)))
        return;
    r->out->io.bytes = high ? 1 : 4;
    r->out->io.in = !write;
    r->out->io.string = r->out->io.repeat = high;
    svmc_hcall_trap_vmware(r, high, write);
}

/* TM-8 */
static void vmcall(struct trap_run *r, const struct svmc_trap_x86 *raw)
{
    enum trap_gate gate = svmc_hcall_trap_gate(r, raw->way);

    if (gate != TRAP_CLOSED && !r->config->shared)
        svmc_hcall_trap_forward(r, VECTOR_UD);
    r->call_bytes = raw->insn_bytes;
    if (gate == TRAP_OPEN)
        match_vmcall(r);
}

/* TM-9 */
static void tdx(struct trap_run *r)
{
    struct svmc_trap *out = r->out;

    if (svmc_hcall_trap_gate(r, SVMC_TRAP_WAY_TDX) == TRAP_CLOSED ||
        svmc_hcall_trap_ask(r, SVMC_REG_R10) != TDX_LEAF ||
        svmc_hcall_trap_ask(r, SVMC_REG_R11) != TDX_FUNCTION)
        return;
    out->user = svmc_hcall_trap_ask(r, SVMC_REG_R15) != 0;
    if (svmc_hcall_trap_gate(r, SVMC_TRAP_WAY_TDX) != TRAP_OPEN)
        return;
    svmc_hcall_trap_args(r);
    out->arg[SVMC_IOX_COUNT] &= TDX_COMMAND;
    out->io.bytes = 4;
    out->io.in = 1;
    if ((uint32_t)out->arg[SVMC_IOX_DATA] == SVMC_VMWARE_MAGIC)
        svmc_hcall_trap_vmware(r, false, false);
}

CORE_SMALL enum svmc_status svmc_trap_from_x86(const struct svmc_trap_config *config,
                                               const struct svmc_trap_x86 *raw,
                                               const uint8_t *bytes, size_t count,
                                               const struct svmc_host_ops *ops, void *ctx,
                                               struct svmc_trap *out)
{
    struct trap_run r = { .config = config, .ops = ops, .ctx = ctx, .out = out };

    if (svmc_hcall_trap_begin(&r, raw) != SVMC_OK || raw->isa < SVMC_ISA_X86_16 ||
        raw->isa > SVMC_ISA_X86_64 || raw->cpl > 3 || raw->way > SVMC_TRAP_WAY_TDX)
        return SVMC_ERR_ARG;
    out->isa = raw->isa;
    out->user = raw->cpl != 0;
    if (raw->way == SVMC_TRAP_WAY_PORT)
        port_exit(&r, raw);
    else if (raw->way == SVMC_TRAP_WAY_GP)
        fault(&r, raw, bytes, count);
    else if (raw->way == SVMC_TRAP_WAY_TDX)
        tdx(&r);
    else
        vmcall(&r, raw);
    return svmc_hcall_trap_end(&r);
}
