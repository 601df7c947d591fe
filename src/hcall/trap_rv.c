/* SPDX-License-Identifier: MIT */
/** Virtual instructions and ECALL of a RISC-V guest. docs/spec/trap.md, TM-16 to TM-18. */
#include "trap_private.h"

#include "../core/bytes.h"

/* RISC-V privileged architecture, table of scause in the hypervisor chapter. */
#define CAUSE_ILLEGAL 2u
#define CAUSE_ECALL   10u /* of VS-mode */
#define CAUSE_VIRTUAL 22u

#define CSRR_HGEIP     0xe1202073u /* csrrs x0, hgeip, x0 */
#define INSN_LONG      3u          /* bits 1:0: four bytes, else two */
#define OPCODE         0x7fu
#define OPCODE_SYSTEM  0x73u
#define FUNCT3_CSR     (3u << 12) /* not 0: a CSR instruction */
#define CSR_PRIVILEGE  (3u << 28) /* bits 9:8 of the CSR's number */
#define CSR_HYPERVISOR (2u << 28) /* of the hypervisor, and of its guests as it sees them */

#define REG_T0 (SVMC_REG_RV_X0 + 5)
#define REG_A7 (SVMC_REG_RV_X0 + 17)

enum { INSN_BYTES = 4 };

/* TM-16: what trapped, where stval does not say it. */
static uint64_t fetch(struct trap_run *r, const uint8_t *bytes, size_t count)
{
    uint32_t insn = count < 2 ? INSN_LONG : core_load_le16(bytes);

    if ((insn & INSN_LONG) != INSN_LONG)
        return insn;
    if (count >= INSN_BYTES)
        return core_load_le32(bytes);
    r->st = SVMC_ERR_TRUNCATED;
    return 0;
}

/* TM-17 */
static void csr(struct trap_run *r)
{
    uint64_t word = svmc_hcall_trap_ask(r, REG_A7);
    bool wide = r->out->isa == SVMC_ISA_RV64;

    if (!wide)
        word = (uint32_t)word | svmc_hcall_trap_ask(r, REG_T0) << 32;
    svmc_hcall_trap_word(r, word, wide && word == r->config->eid && word != 0);
}

static void virtual_insn(struct trap_run *r, uint64_t stval, const uint8_t *bytes, size_t count)
{
    enum trap_gate gate = svmc_hcall_trap_gate(r, SVMC_TRAP_WAY_CSR);
    uint64_t insn;

    if (gate == TRAP_CLOSED)
        return;
    insn = stval ? stval : fetch(r, bytes, count);
    if ((insn & OPCODE) != OPCODE_SYSTEM || (insn & FUNCT3_CSR) == 0 ||
        (insn & CSR_PRIVILEGE) != CSR_HYPERVISOR)
        return;
    svmc_hcall_trap_forward(r, CAUSE_ILLEGAL)->address = insn;
    if (gate == TRAP_OPEN && insn == CSRR_HGEIP)
        csr(r);
}

/* TM-18 */
static void ecall(struct trap_run *r)
{
    uint32_t eid = r->config->eid;

    if (svmc_hcall_trap_gate(r, SVMC_TRAP_WAY_ECALL) == TRAP_OPEN && eid != 0 &&
        r->out->isa == SVMC_ISA_RV64 && svmc_hcall_trap_ask(r, REG_A7) == eid)
        svmc_hcall_trap_call(r, SVMC_TRAP_NATIVE);
}

CORE_SMALL enum svmc_status svmc_trap_from_rv(const struct svmc_trap_config *config,
                                              const struct svmc_trap_rv *raw, const uint8_t *bytes,
                                              size_t count, const struct svmc_host_ops *ops,
                                              void *ctx, struct svmc_trap *out)
{
    struct trap_run r = {
        .config = config,
        .ops = ops,
        .ctx = ctx,
        .out = out,
        .call_bytes = INSN_BYTES,
    };

    if (svmc_hcall_trap_begin(&r, raw) != SVMC_OK || (!bytes && count != 0) || raw->user > 1 ||
        (raw->isa != SVMC_ISA_RV32 && raw->isa != SVMC_ISA_RV64))
        return SVMC_ERR_ARG;
    out->isa = (uint8_t)raw->isa;
    out->user = (uint8_t)raw->user;
    if (raw->cause == CAUSE_VIRTUAL)
        virtual_insn(&r, raw->stval, bytes, count);
    else if (raw->cause == CAUSE_ECALL)
        ecall(&r);
    return svmc_hcall_trap_end(&r);
}
