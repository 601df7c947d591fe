/* SPDX-License-Identifier: MIT */
/** Front end for RISC-V in HS-mode: scause, stval, htval, htinst -> exit. Pure; EX-35 to EX-40. */
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

/*
 * EX-39 EX-40: the CSRs whose accesses from VS-mode and VU-mode a hypervisor may have to finish,
 * and the XLEN that has them. A COUNTER is shown to a host; what a STATE holds is not.
 */
enum { NONE, TIME, COUNTER, STATE };
enum { ONLY_32 = 1, ONLY_64 = 2, BOTH = 3 };

static const struct {
    uint16_t first, last;
    uint8_t what, xlen;
} csrs[] = {
    { 0x015, 0x015, STATE, BOTH },    /* seed: Zkr */
    { 0x104, 0x104, STATE, BOTH },    /* sie: AIA 6.3.3, hvictl.VTI, here and below */
    { 0x10a, 0x10a, STATE, BOTH },    /* senvcfg: hstateen0 */
    { 0x10c, 0x10f, STATE, BOTH },    /* sstateen0 to 3: Smstateen, hstateen */
    { 0x114, 0x114, STATE, ONLY_32 }, /* sieh */
    { 0x120, 0x120, STATE, BOTH },    /* scountinhibit: Smcdeleg */
    { 0x144, 0x144, STATE, BOTH },    /* sip */
    { 0x14d, 0x14d, STATE, BOTH },    /* stimecmp: Sstc, henvcfg.STCE */
    { 0x150, 0x153, STATE, BOTH },    /* siselect, sireg to sireg3: AIA, Sscsrind */
    { 0x154, 0x154, STATE, ONLY_32 }, /* siph */
    { 0x155, 0x157, STATE, BOTH },    /* sireg4 to sireg6 */
    { 0x15c, 0x15c, STATE, BOTH },    /* stopei */
    { 0x15d, 0x15d, STATE, ONLY_32 }, /* stimecmph */
    { 0x180, 0x180, STATE, BOTH },    /* satp: privileged 8.2.1, hstatus.VTVM */
    { 0x5a8, 0x5a8, STATE, BOTH },    /* scontext: hstateen0 */
    { 0xc00, 0xc00, COUNTER, BOTH },  /* cycle: Zicntr */
    { CSR_TIME, CSR_TIME, TIME, ONLY_64 }, { 0xc02, 0xc02, COUNTER, BOTH }, /* instret */
    { 0xc03, 0xc1f, COUNTER, BOTH },    /* hpmcounter3 to 31: Zihpm */
    { 0xc80, 0xc80, COUNTER, ONLY_32 }, /* the halves of RV32 */
    { 0xc82, 0xc9f, COUNTER, ONLY_32 },    { 0xdb0, 0xdb0, STATE, BOTH }, /* stopi */
};

static uint32_t what_of(uint32_t isa, uint32_t csr)
{
    uint32_t xlen = isa == SVMC_ISA_RV64 ? ONLY_64 : ONLY_32;

    for (uint32_t i = 0; i < sizeof csrs / sizeof csrs[0]; i++)
        if (csr >= csrs[i].first && csr <= csrs[i].last) /* clamp: our own count, here and below */
            return csrs[i].xlen & xlen ? csrs[i].what : NONE;
    return NONE;
}

/* VU-mode has no more than the counters that the guest lends it. */
static bool may_use(const struct svmc_rv_exit *raw, uint32_t csr, uint32_t what)
{
    return !raw->user || (what != STATE && (raw->scounteren >> (csr & 31u) & 1u));
}

/* Zicsr, by bits 13:12 of the word: 1 swaps, 2 sets, 3 clears; bit 14: rs1 is the operand. */
static void from_csr(const struct svmc_rv_exit *raw, uint32_t csr, uint32_t word,
                     struct svmc_exit *out)
{
    static const uint16_t kinds[] = { SVMC_KIND_UNKNOWN, SVMC_KIND_CSR_SWAP, SVMC_KIND_CSR_SET,
                                      SVMC_KIND_CSR_CLEAR };
    uint32_t op = word >> 12 & 3u, rd = word >> 7 & 31u, rs1 = word >> 15 & 31u;
    uint32_t what = what_of(raw->isa, csr);
    bool writes = op == 1 || rs1 != 0, reads = op != 1 || rd != 0;

    if (what == NONE || (what != STATE && writes) || !may_use(raw, csr, what))
        return;
    out->kind = kinds[core_clamp(op, 4)];
    if (what != STATE)
        out->kind = what == TIME ? SVMC_KIND_RDTIME : SVMC_KIND_RDCOUNTER;
    else if (!writes)
        out->kind = SVMC_KIND_CSR_READ;
    else if (!reads)
        out->kind = SVMC_KIND_CSR_WRITE;
    out->address = csr;
    out->size = raw->isa == SVMC_ISA_RV64 ? 8 : 4;
    if (reads) {
        out->dest_reg = (uint8_t)(SVMC_REG_RV_X0 + rd);
        out->dest_bytes = (uint8_t)out->size;
    }
    if (writes && (word >> 14 & 1u)) {
        out->value = rs1;
    } else if (writes) {
        out->from = SVMC_FROM_VALUE_REG;
        out->value_reg = (uint8_t)(SVMC_REG_RV_X0 + rs1);
    }
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
    if (insn.insn_class == SVMC_CLASS_SYSTEM_REG)
        from_csr(raw, (uint32_t)insn.imm, core_load_le32(word), out);
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
