/* SPDX-License-Identifier: MIT */
/** What the kinds of s390x need beside what all kinds do: EX-63, EX-68, EX-71 to EX-76. */
#include "../core/bytes.h"
#include "../core/clamp.h"
#include "intercept_private.h"

#define PREFIX_BITS UINT64_C(0x7fffe000) /* PoP 3, prefixing: 31 bits, 8 KiB */
#define PAGE        4096u

/* PoP 15, operation-request block: 12 bytes, and 20 more with the bit X, 31 of word 1 */
#define ORB_SHORT 12u
#define ORB_X_AT  7u

/* QEMU include/hw/s390x/sclp.h: SCCBHeader, response codes, commands */
#define SCCB_HEADER      8u
#define SCCB_RESPONSE_AT 6u
#define SCCB_BITS        UINT64_C(0x7ffffff8)
#define SCCB_LEAST       0x2000u
#define SCLP_BOUNDARY    0x0100u
#define SCLP_INVALID     0x01f0u
#define SCLP_CODE        0xffff00ffu

/* QEMU target/s390x/ioinst.c: ChscReq; the response stands behind the request */
#define CHSC_LEAST 16u
#define CHSC_MOST  4088u

/* STORE SYSTEM INFORMATION, PoP 10: of general registers 0 and 1 */
#define STSI_RESERVED_0 0x0fffff00u
#define STSI_RESERVED_1 0xffff0000u
#define STSI_LEVEL      3u /* a virtual machine; function codes beyond are not provided */

/* Arm DEN0137, RsiHostCall: bytes of the immediate, and up to the registers */
#define HOST_CALL_IMMEDIATE 2u
#define HOST_CALL_HEAD      8u

#define TPI_LOWCORE 184u /* PoP 14: real locations 184 to 195 */

#define PCI_STATUS_SHIFT 24
#define PCI_STATUS       (UINT64_C(0xff) << PCI_STATUS_SHIFT)

static bool is_odd(uint32_t reg)
{
    return ((reg - (unsigned)SVMC_REG_S390_R0) & 1u) != 0;
}

static uint32_t arg_of(const struct svmc_exit *exit, const struct slot *s)
{
    return exit->arg[core_clamp(s->reg, SVMC_EXIT_ARGS)];
}

static bool args_are_sound(const struct slot *s, uint32_t count, const struct svmc_exit *exit)
{
    for (; count > 0; count--, s++)
        if (s->place >= PLACE_ARG && !is_register(reg_file(exit), arg_of(exit, s)))
            return false;
    return true;
}

CORE_COLD bool svmc_intercept_s390_sound(const struct exit_rule *rule, const struct svmc_exit *exit)
{
    if (!args_are_sound(rule->in, rule->in_count, exit) ||
        !args_are_sound(rule->out, rule->out_count, exit))
        return false;
    if (rule->out_count > 1 && !(exit->finish & SVMC_FINISH_REGS)) /* named registers are ours */
        return false;
    switch (rule->kind) {
    case SVMC_KIND_SPX:
        return (exit->value & ~PREFIX_BITS) == 0;
    case SVMC_KIND_UVC:
        return (exit->value & (PAGE - 1)) == 0;
    default:
        return true;
    }
}

/* EX-68: what the address of a block is a multiple of. */
static uint64_t boundary_of(uint32_t kind)
{
    switch (kind) {
    case SVMC_KIND_STSI: /* PoP 10 */
    case SVMC_KIND_STHYI:
    case SVMC_KIND_CHSC:
        return PAGE;
    case SVMC_KIND_PCISTB:
    case SVMC_KIND_MPCIFC:
    case SVMC_KIND_STPCIFC:
    case SVMC_KIND_SERVC:
        return 8;
    default:
        return 4;
    }
}

/* What the host does not see it cannot judge, so such exceptions are found here. */
static bool is_specification(const struct exit_rule *rule, const struct svmc_exit *exit)
{
    uint64_t at = exit->buffer.v;

    if (is_block(rule) && rule->kind != SVMC_KIND_STSI && (at & (boundary_of(rule->kind) - 1)) != 0)
        return true;
    switch (rule->kind) {
    case SVMC_KIND_DIAG_288:
        return is_odd(exit->arg[0]);
    case SVMC_KIND_STHYI: /* EX-76 */
        return is_odd(exit->arg[0]) || is_odd(exit->arg[1]) || exit->arg[0] == exit->arg[1];
    case SVMC_KIND_PCILG:
    case SVMC_KIND_PCISTG:
    case SVMC_KIND_RPCIT:
        return is_odd(exit->arg[1]);
    case SVMC_KIND_SERVC:
        return (at & ~SCCB_BITS) != 0 || at < SCCB_LEAST;
    default:
        return false;
    }
}

CORE_COLD enum svmc_verdict svmc_intercept_s390_judge(const struct exit_rule *rule,
                                                      const struct svmc_exit *exit)
{
    bool pci = rule->kind == SVMC_KIND_PCILG || rule->kind == SVMC_KIND_PCISTG;

    if (is_specification(rule, exit) || (pci && exit->size == 0))
        return SVMC_VERDICT_FAULT;
    return (enum svmc_verdict)rule->verdict;
}

/* EX-75: a PCI access of no length that there is. */
CORE_COLD enum svmc_fault_code svmc_intercept_s390_refusal(const struct exit_rule *rule,
                                                           const struct svmc_exit *exit)
{
    return rule->refusal == SVMC_FAULT_SPECIFICATION && !is_specification(rule, exit)
               ? SVMC_FAULT_OPERAND
               : (enum svmc_fault_code)rule->refusal;
}

CORE_COLD bool svmc_intercept_s390_is_real(const struct svmc_exit *exit)
{
    return exit->kind == SVMC_KIND_SERVC || exit->kind == SVMC_KIND_HOST_CALL ||
           (exit->kind == SVMC_KIND_TPI && exit->value != 0);
}

static void raise(struct svmc_pending *p, enum svmc_fault_code code, struct svmc_outcome *out)
{
    out->fault = svmc_intercept_fault(code, &p->exit);
}

/* EX-73: no host hears of level 0, of what is not provided, and of what is no query. */
static enum svmc_status open_stsi(struct svmc_vcpu *vc, struct svmc_outcome *out)
{
    struct svmc_pending *p = &vc->priv.pending;
    uint64_t r0 = 0, r1 = 0;
    uint32_t level;

    if (vc->priv.ops->reg_read(vc->priv.ctx, SVMC_REG_S390_R0, &r0) != SVMC_OK ||
        vc->priv.ops->reg_read(vc->priv.ctx, SVMC_REG_S390_R0 + 1, &r1) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    level = (uint32_t)r0 >> 28;
    p->exit.value = level > STSI_LEVEL ? CC_MOST : 0;
    if (level == 0 || level > STSI_LEVEL) {
        p->block = 0;
        out->verdict = SVMC_VERDICT_CONST;
        if (level != 0)
            return SVMC_OK;
    }
    if ((r0 & STSI_RESERVED_0) != 0 || (r1 & STSI_RESERVED_1) != 0 ||
        (level != 0 && (p->exit.buffer.v & (PAGE - 1)) != 0))
        raise(p, SVMC_FAULT_SPECIFICATION, out);
    return SVMC_OK;
}

/* EX-75; QEMU hw/s390x/s390-pci-inst.c: more than 8 bytes, all in one page of the device. */
static enum svmc_status open_pcistb(struct svmc_vcpu *vc, uint32_t *first, struct svmc_outcome *out)
{
    struct svmc_pending *p = &vc->priv.pending;
    uint64_t offset = 0, bytes = p->exit.value;

    if (vc->priv.ops->reg_read(vc->priv.ctx, p->exit.arg[1], &offset) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    if (bytes <= 8 || bytes > PAGE - (offset & (PAGE - 1)) || ((bytes | offset) & 7) != 0) {
        raise(p, SVMC_FAULT_SPECIFICATION, out);
        return SVMC_OK;
    }
    p->block = (uint16_t)bytes;
    *first = p->block;
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_intercept_s390_open(struct svmc_vcpu *vc,
                                                    const struct exit_rule *rule, uint32_t *first,
                                                    struct svmc_outcome *out)
{
    struct svmc_exit *exit = &vc->priv.pending.exit;

    switch (rule->kind) {
    case SVMC_KIND_STSI:
        return open_stsi(vc, out);
    case SVMC_KIND_PCISTB:
        return open_pcistb(vc, first, out);
    case SVMC_KIND_SSCH:
        *first = ORB_SHORT;
        break;
    case SVMC_KIND_SERVC:
        *first = SCCB_HEADER;
        break;
    case SVMC_KIND_CHSC:
        *first = CHSC_LEAST;
        break;
    case SVMC_KIND_TPI: /* EX-74: operand 0 means the low storage */
        exit->value = exit->buffer.v == 0;
        if (exit->value)
            exit->buffer.v = TPI_LOWCORE;
        break;
    default:
        break;
    }
    return SVMC_OK;
}

/* EX-72: the commands that a host gets. */
static bool is_command(uint32_t command)
{
    switch (command & SCLP_CODE) {
    case 0x00010001: /* read CPU information */
    case 0x00020001: /* read SCP information, here and below */
    case 0x00120001:
    case 0x001a0001: /* configure a PCI function, deconfigure it */
    case 0x001b0001:
    case 0x00760005: /* write event data, read event data, write event mask */
    case 0x00770005:
    case 0x00780005:
        return true;
    default:
        return false;
    }
}

/* EX-72: an SCCB is all on one page; else, and to other commands, the answer is made here. */
static uint32_t open_sccb(struct svmc_vcpu *vc, struct svmc_outcome *out)
{
    struct svmc_pending *p = &vc->priv.pending;
    uint32_t bytes = core_load_be16(vc->priv.staging), response = 0;

    if (bytes < SCCB_HEADER) {
        raise(p, SVMC_FAULT_SPECIFICATION, out);
        return SCCB_HEADER;
    }
    if (!is_command((uint32_t)p->exit.value))
        response = SCLP_INVALID;
    else if (bytes > PAGE - (p->exit.buffer.v & (PAGE - 1)))
        response = SCLP_BOUNDARY;
    p->block = (uint16_t)bytes;
    if (response != 0) {
        vc->priv.staging[SCCB_RESPONSE_AT] = (uint8_t)(response >> 8);
        vc->priv.staging[SCCB_RESPONSE_AT + 1] = (uint8_t)response;
        p->block = SCCB_HEADER;
        out->verdict = SVMC_VERDICT_NOTIFY;
    }
    return p->block;
}

CORE_COLD uint32_t svmc_intercept_s390_header(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                              uint32_t first, struct svmc_outcome *out)
{
    struct svmc_pending *p = &vc->priv.pending;
    uint32_t bytes = core_load_be16(vc->priv.staging);

    switch (rule->kind) {
    case SVMC_KIND_HOST_CALL: /* EX-89: the immediate stays, and nothing stands behind it */
        p->kept = HOST_CALL_HEAD;
        memset(vc->priv.staging + HOST_CALL_IMMEDIATE, 0, HOST_CALL_HEAD - HOST_CALL_IMMEDIATE);
        return first;
    case SVMC_KIND_SSCH:
        return vc->priv.staging[ORB_X_AT] & 1 ? rule->string : first;
    case SVMC_KIND_SERVC:
        return open_sccb(vc, out);
    case SVMC_KIND_CHSC: /* EX-76 */
        if (bytes < CHSC_LEAST || bytes > CHSC_MOST || (bytes & 7) != 0)
            raise(p, SVMC_FAULT_OPERAND, out);
        //@ split out->fault.raised;
        p->kept = (uint16_t)bytes;
        return bytes;
    default:
        return first;
    }
}

CORE_COLD bool svmc_intercept_s390_gives(const struct exit_rule *rule,
                                         const uint64_t out[SLOTS_OUT])
{
    switch (rule->kind) {
    case SVMC_KIND_SERVC: /* its condition code is ours */
        return true;
    case SVMC_KIND_TPI:
        return out[0] == 1;
    case SVMC_KIND_TSCH:
        return out[0] <= 1;
    default:
        return out[0] == 0;
    }
}

/* EX-72: a host may shorten an SCCB; the length in it says no more than what the guest gave. */
CORE_COLD void svmc_intercept_s390_came(struct svmc_vcpu *vc)
{
    const struct svmc_pending *p = &vc->priv.pending;

    if (p->exit.kind != SVMC_KIND_SERVC || core_load_be16(vc->priv.staging) <= p->block)
        return;
    vc->priv.staging[0] = (uint8_t)(p->block >> 8);
    vc->priv.staging[1] = (uint8_t)p->block;
}

/* EX-75: a status comes with condition code 1, into bits 32 to 39 of its register. */
static enum svmc_status merge_status(struct svmc_vcpu *vc, const struct exit_rule *rule,
                                     const uint64_t out[SLOTS_OUT], uint64_t *merged)
{
    uint64_t old = 0;

    if (rule->out_count < 2 || rule->out[1].place != PLACE_STATUS)
        return SVMC_OK;
    if (vc->priv.ops->reg_read(vc->priv.ctx, arg_of(&vc->priv.pending.exit, &rule->out[1]), &old) !=
        SVMC_OK)
        return SVMC_ERR_CALLBACK;
    *merged = (old & ~PCI_STATUS) | (out[1] << PCI_STATUS_SHIFT & PCI_STATUS);
    return SVMC_OK;
}

static void write_slots(struct svmc_vcpu *vc, const struct exit_rule *rule,
                        const uint64_t out[SLOTS_OUT], uint64_t status)
{
    const struct svmc_pending *p = &vc->priv.pending;
    bool failed = rule->out[0].place == PLACE_REG && rule->out[0].reg == SVMC_REG_S390_CC;

    failed = failed && out[0] != 0;
    for (uint32_t i = 0; i < p->out_count && i < SLOTS_OUT; i++) {
        const struct slot *s = &rule->out[i];

        if (s->place == PLACE_REG)
            vc->priv.ops->reg_write(vc->priv.ctx, s->reg, out[i]);
        else if (s->place == PLACE_STATUS && out[0] == 1)
            vc->priv.ops->reg_write(vc->priv.ctx, arg_of(&p->exit, s), status);
        else if (s->place == PLACE_ARG && !(failed && rule->kind == SVMC_KIND_PCILG))
            vc->priv.ops->reg_write(vc->priv.ctx, arg_of(&p->exit, s), out[i]);
    }
}

CORE_COLD enum svmc_status svmc_intercept_s390_commit(struct svmc_vcpu *vc,
                                                      const struct exit_rule *rule,
                                                      const uint64_t out[SLOTS_OUT],
                                                      struct svmc_fault *fault)
{
    const struct svmc_pending *p = &vc->priv.pending;
    bool level = rule->kind == SVMC_KIND_STSI && p->block == 0 && out[0] == 0;
    uint64_t status = 0;
    enum svmc_status st = SVMC_OK;

    if (level) /* bits 0 to 31 stay */
        st = vc->priv.ops->reg_read(vc->priv.ctx, SVMC_REG_S390_R0, &status);
    if (st == SVMC_OK)
        st = merge_status(vc, rule, out, &status);
    if (st == SVMC_OK && is_block(rule) && (rule->direction & SVMC_DIRECTION_IN) &&
        svmc_intercept_s390_gives(rule, out)) /* R12: as it is mapped now */
        st =
            svmc_intercept_block_move(vc, BLOCK_STORE, p->kept, svmc_intercept_block_end(p), fault);
    if (st != SVMC_OK || fault->raised)
        return st == SVMC_OK ? SVMC_OK : SVMC_ERR_CALLBACK;
    write_slots(vc, rule, out, status);
    if (level)
        vc->priv.ops->reg_write(vc->priv.ctx, SVMC_REG_S390_R0,
                                (status & ~(uint64_t)UINT32_MAX) | (uint64_t)STSI_LEVEL << 28);
    if (rule->kind == SVMC_KIND_SERVC) /* EX-72 */
        vc->priv.ops->reg_write(vc->priv.ctx, SVMC_REG_S390_CC, 0);
    return SVMC_OK;
}
