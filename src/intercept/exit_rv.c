/* SPDX-License-Identifier: MIT */
/** Front end for RISC-V in HS-mode: scause, stval, htval, htinst -> exit. Pure; EX-35 to EX-38. */
#include <svmcore/exit_rv.h>

#include "../core/bytes.h"
#include "../core/memory.h"
#include "intercept_private.h"

#define CAUSE_ECALL_VS  10u /* privileged architecture, table 8.6 */
#define CAUSE_LOAD_GPF  21u
#define CAUSE_VIRTUAL   22u
#define CAUSE_STORE_GPF 23u
#define CSR_TIME        0xc01u
#define CAUSE_INTERRUPT ((uint64_t)1 << 63)

static enum svmc_status decode(uint32_t isa, const uint8_t *bytes, size_t count,
                               struct svmc_insn *insn)
{
    const struct svmc_cpu cpu = { .isa = (uint8_t)isa };

    return svmc_insn_decode(&cpu, bytes, count, insn);
}

/*
 * EX-37: bit 0 of a transformed instruction is 1, bit 1 says that the one that trapped was not
 * compressed; all else of it is the 32-bit form, with an offset where rs1 stands: not 0 for a part
 * of a misaligned access. Bit 0 clear: a pseudoinstruction, for an access of a table walk, or a
 * custom value.
 */
static enum svmc_status from_htinst(uint32_t isa, uint64_t htinst, struct svmc_insn *insn)
{
    uint8_t word[4];
    enum svmc_status st;

    if (!(htinst & 1) || htinst > UINT32_MAX || (htinst >> 15 & 31) != 0)
        return SVMC_ERR_UNSUPPORTED;
    core_store_le32(word, (uint32_t)htinst | 2u);
    st = decode(isa, word, sizeof word, insn);
    if (st == SVMC_OK && !(htinst & 2))
        insn->length = 2;
    return st;
}

static bool agrees(const struct svmc_insn *a, const struct svmc_insn *b)
{
    return a->length == b->length && a->access == b->access && a->mem_bytes == b->mem_bytes &&
           a->reg_kind == b->reg_kind && a->reg == b->reg && a->reg_bytes == b->reg_bytes &&
           ((a->flags ^ b->flags) & (SVMC_INSN_SIGN | SVMC_INSN_ATOMIC)) == 0;
}

/* EX-35 */
static enum svmc_status from_fault(const struct svmc_rv_exit *raw, const uint8_t *bytes,
                                   size_t count, struct svmc_exit *out)
{
    uint32_t want = raw->cause == CAUSE_LOAD_GPF ? SVMC_KIND_MMIO_READ : SVMC_KIND_MMIO_WRITE;
    svmc_gpa gpa = { raw->htval << 2 | (raw->stval & 3) };
    struct svmc_insn said, insn;
    enum svmc_status st;

    if (raw->htval == 0 || raw->htval >> 62 != 0)
        return SVMC_ERR_UNSUPPORTED; /* the processor does not say where */
    if (raw->htinst == 0 && count == 0)
        return SVMC_ERR_TRUNCATED;
    if (raw->htinst != 0) {
        st = from_htinst(raw->isa, raw->htinst, &said);
        if (st != SVMC_OK)
            return st;
        insn = said;
    }
    if (count > 0) {
        st = decode(raw->isa, bytes, count, &insn);
        if (st != SVMC_OK)
            return st;
        if (raw->htinst != 0 && !agrees(&said, &insn))
            return SVMC_ERR_MISMATCH;
    }
    st = svmc_exit_from_insn(&insn, SVMC_CLASS_MEMORY, gpa, out);
    if (st == SVMC_OK && out->kind != want)
        return SVMC_ERR_MISMATCH;
    return st;
}

/* EX-39: a read of time that writes nothing, CSRRS or CSRRC with rs1 0. */
static bool is_rdtime(const struct svmc_insn *insn, uint32_t word)
{
    return insn->isa == SVMC_ISA_RV64 && insn->imm == CSR_TIME && (word >> 15 & 31) == 0 &&
           (insn->id == SVMC_RV_CSRRS || insn->id == SVMC_RV_CSRRC);
}

/* EX-38: stval has the instruction, or 0. */
static enum svmc_status from_virtual(const struct svmc_rv_exit *raw, const uint8_t *bytes,
                                     size_t count, struct svmc_exit *out)
{
    uint8_t word[4];
    struct svmc_insn insn;
    enum svmc_status st;

    core_store_le32(word, (uint32_t)raw->stval);
    if (raw->stval != 0 && count > 0 && (count < 4 || memcmp(word, bytes, sizeof word) != 0))
        return SVMC_ERR_MISMATCH;
    if (raw->stval == 0 && count == 0)
        return SVMC_ERR_TRUNCATED;
    st = raw->stval != 0 ? decode(raw->isa, word, sizeof word, &insn)
                         : decode(raw->isa, bytes, count, &insn);
    if (st != SVMC_OK)
        return st;
    out->kind = insn.id == SVMC_RV_WFI ? SVMC_KIND_WFI : SVMC_KIND_UNKNOWN;
    out->insn_bytes = insn.length;
    if (insn.length == 4 && raw->stval == 0)
        memcpy(word, bytes, sizeof word);
    if (is_rdtime(&insn, core_load_le32(word))) {
        out->size = 8;
        svmc_intercept_set_transfer(SVMC_KIND_RDTIME, CSR_TIME,
                                    (uint8_t)(SVMC_REG_RV_X0 + (word[1] & 15) * 2 + (word[0] >> 7)),
                                    out);
    }
    return SVMC_OK;
}

static enum svmc_status from_cause(const struct svmc_rv_exit *raw, const uint8_t *bytes,
                                   size_t count, struct svmc_exit *out)
{
    enum svmc_status st = SVMC_OK;

    if (raw->cause & CAUSE_INTERRUPT)
        return SVMC_ERR_UNSUPPORTED;
    switch (raw->cause) {
    case CAUSE_LOAD_GPF:
    case CAUSE_STORE_GPF:
        st = from_fault(raw, bytes, count, out);
        break;
    case CAUSE_VIRTUAL:
        st = from_virtual(raw, bytes, count, out);
        break;
    case CAUSE_ECALL_VS: /* EX-36: its length is known */
        out->kind = SVMC_KIND_SBI;
        out->insn_bytes = 4;
        break;
    default:
        return SVMC_ERR_UNSUPPORTED;
    }
    out->isa = raw->isa;
    out->count = 1;
    out->finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP;
    out->user = raw->user;
    return st;
}

enum svmc_status svmc_exit_from_rv(const struct svmc_rv_exit *raw, const uint8_t *bytes,
                                   size_t count, struct svmc_exit *out)
{
    enum svmc_status st;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!raw || (!bytes && count > 0) || raw->user > 1 ||
        (raw->isa != SVMC_ISA_RV32 && raw->isa != SVMC_ISA_RV64))
        return SVMC_ERR_ARG;
    st = from_cause(raw, bytes, count, out);
    if (st != SVMC_OK)
        memset(out, 0, sizeof *out);
    return st;
}
