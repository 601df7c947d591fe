/* SPDX-License-Identifier: MIT */
/** DIAGNOSE and the operation exception of 0000h. docs/spec/trap.md, TM-19, TM-20. */
#include "trap_private.h"

/* Linux, arch/s390/include/asm/kvm_host_types.h: ICPT_INST, ICPT_OPEREXC. */
#define CODE_INSN      0x04u
#define CODE_OPERATION 0x2cu

/* Principles of Operation, chapter 6: program-interruption codes. */
#define PROGRAM_OPERATION     1u
#define PROGRAM_PRIVILEGED    2u
#define PROGRAM_SPECIFICATION 6u

#define OPCODE_DIAGNOSE 0x83u
#define PROBLEM         (UINT64_C(1) << 48) /* PSW bit 15 */
#define STATUS_EXECUTE  0x01u               /* the target of EXECUTE, whose length is bits 6:5 */

enum { ZERO_BYTES = 2, DIAGNOSE_BYTES = 4, EXECUTE_BYTES = 4 };

/* TM-19: R1 names the ABI: a control word has a version where VMware's word has zeros. */
static void match_word(struct trap_run *r)
{
    uint64_t word = svmc_hcall_trap_ask(r, SVMC_REG_S390_R0 + 1);

    svmc_hcall_trap_word(r, word, word >> SVMC_HCALL_ABI_SHIFT != 0);
}

static void program(struct trap_run *r, const struct svmc_trap_s390 *raw, uint8_t code,
                    unsigned bytes)
{
    if (raw->status & STATUS_EXECUTE)
        bytes = raw->status >> 4 & 6;
    svmc_hcall_trap_forward(r, code);
    r->call_back = (uint8_t)(bytes ? bytes : EXECUTE_BYTES);
    r->out->insn_bytes = r->call_back;
}

static void zero(struct trap_run *r, const struct svmc_trap_s390 *raw)
{
    enum trap_gate gate = svmc_hcall_trap_gate(r, SVMC_TRAP_WAY_ZERO);

    if (gate == TRAP_CLOSED)
        return;
    program(r, raw, PROGRAM_OPERATION, ZERO_BYTES);
    if (gate == TRAP_OPEN)
        match_word(r);
}

/* TM-20: the code is bits 48 to 63 of the second operand's address. */
static void diagnose(struct trap_run *r, const struct svmc_trap_s390 *raw)
{
    enum trap_gate gate = svmc_hcall_trap_gate(r, SVMC_TRAP_WAY_DIAG);
    uint32_t base = raw->ipb >> 28;
    uint64_t code = raw->ipb >> 16 & 0xfff;

    if (gate == TRAP_CLOSED || r->config->diag == 0)
        return;
    if (base != 0)
        code += svmc_hcall_trap_ask(r, SVMC_REG_S390_R0 + base);
    if ((uint16_t)code != r->config->diag)
        return;
    if (r->out->user) {
        program(r, raw, PROGRAM_PRIVILEGED, DIAGNOSE_BYTES);
    } else if (gate == TRAP_OPEN) {
        program(r, raw, PROGRAM_SPECIFICATION, DIAGNOSE_BYTES);
        match_word(r);
    }
}

CORE_SMALL enum svmc_status svmc_trap_from_s390(const struct svmc_trap_config *config,
                                                const struct svmc_trap_s390 *raw,
                                                const struct svmc_host_ops *ops, void *ctx,
                                                struct svmc_trap *out)
{
    struct trap_run r = { .config = config, .ops = ops, .ctx = ctx, .out = out };

    if (svmc_hcall_trap_begin(&r, raw) != SVMC_OK)
        return SVMC_ERR_ARG;
    out->isa = SVMC_ISA_S390X;
    out->user = (raw->psw_mask & PROBLEM) != 0;
    if (raw->code == CODE_OPERATION && raw->ipa == 0)
        zero(&r, raw);
    else if (raw->code == CODE_INSN && raw->ipa >> 8 == OPCODE_DIAGNOSE)
        diagnose(&r, raw);
    return svmc_hcall_trap_end(&r);
}
