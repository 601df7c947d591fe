/* SPDX-License-Identifier: MIT */
/** What can be offered, and what a policy says about it: OF-3, OF-4, OF-5, OF-12. */
#include "../core/bytes.h"
#include "../core/clamp.h"
#include "../core/memory.h"
#include "offer_rows.h"

#define MSB0(bit) ((uint64_t)1 << (63 - (bit)))
#define STATE_CLEAR(mask)                                      \
    {                                                          \
        GATE_STATE_CLEAR, SVMC_REG_NONE, SVMC_REG_NONE, (mask) \
    }
#define SET(name, mask)                                  \
    {                                                    \
        GATE_SET, SVMC_REG_##name, SVMC_REG_NONE, (mask) \
    }
#define CLEAR(name, mask)                                  \
    {                                                      \
        GATE_CLEAR, SVMC_REG_##name, SVMC_REG_NONE, (mask) \
    }
#define ABOVE(name)                                   \
    {                                                 \
        GATE_ABOVE, SVMC_REG_##name, SVMC_REG_NONE, 0 \
    }
#define SUBCLASS(name)                                   \
    {                                                    \
        GATE_SUBCLASS, SVMC_REG_##name, SVMC_REG_NONE, 0 \
    }
#define SET_OR_USER(name, m, u)                              \
    {                                                        \
        GATE_SET_OR_USER, SVMC_REG_##name, SVMC_REG_##u, (m) \
    }
#define GATES1(a) \
    {             \
        a         \
    }
#define GATES2(a, b) \
    {                \
        a, b         \
    }
#define GATES3(a, b, c) \
    {                   \
        a, b, c         \
    }

static const struct offer_row rows[OFFER_ROWS] = {
#define OFFER(name, set, is_line, bits0, bits1, all_gates, source) \
    { .kind = SVMC_OFFER_##name,                                   \
      .isa = SVMC_ISA_##set,                                       \
      .line = (is_line),                                           \
      .data_bits = { (bits0), (bits1) },                           \
      .gates = all_gates },
#include "offers.def"
#undef OFFER
};

struct code_row {
    uint16_t code;
    uint16_t allow; /* enum svmc_offer_code */
    uint8_t kind;
    uint8_t control_bit; /* as the manual counts: 0 is the highest */
    uint8_t data_bits;
};

#define CODES 11u

static const struct code_row codes[CODES] = {
#define CODE(name, number, bit, control, bits, source) \
    { (number), SVMC_OFFER_##bit, SVMC_OFFER_##name, (control), (bits) },
#include "offers.def"
#undef CODE
};

#define NAMED_CODES    0x7ffu /* enum svmc_offer_code */
#define EXTERNAL_CODES 0x07fu
#define VECTORS        256u
#define EXCEPTIONS     32u
#define IO_WORD        0xb8000000u /* adapter, and the subclass in bits 2 to 4: PoP ch. 16 */
#define IO_CLASS(word) ((uint32_t)(word) >> 27 & 7u)

const struct offer_row *svmc_offer_row_at(uint32_t index)
{
    return &rows[core_clamp(index, OFFER_ROWS)];
}

const struct offer_row *svmc_offer_row(uint32_t isa, uint32_t kind)
{
    for (uint32_t i = 0; i < OFFER_ROWS; i++)
        if (rows[i].kind == kind && rows[i].isa == isa)
            return &rows[i];
    return NULL;
}

static const struct code_row *find_code(const struct svmc_offer *offer)
{
    for (uint32_t i = 0; i < CODES; i++)
        if (codes[i].kind == offer->kind && codes[i].code == offer->code)
            return &codes[i];
    return NULL;
}

uint64_t svmc_offer_subclass(const struct svmc_offer *offer)
{
    const struct code_row *row = find_code(offer);

    if (offer->kind == SVMC_OFFER_S390_IO)
        return MSB0(32 + IO_CLASS(offer->data[1]));
    return row ? MSB0(row->control_bit) : 0;
}

bool svmc_offer_policy_sound(const struct svmc_offer_policy *policy)
{
    uint64_t vectors =
        policy->vectors[0] | policy->vectors[1] | policy->vectors[2] | policy->vectors[3];
    uint32_t kinds = policy->kinds;

    return (policy->vectors[0] & (((uint64_t)1 << EXCEPTIONS) - 1)) == 0 &&
           !(kinds & ~((1u << SVMC_OFFER_KINDS) - 2u)) && !(policy->codes & ~NAMED_CODES) &&
           (vectors == 0 || kinds >> SVMC_OFFER_X86_INTERRUPT & 1u) &&
           (!(policy->codes & EXTERNAL_CODES) || kinds >> SVMC_OFFER_S390_EXTERNAL & 1u) &&
           (!(policy->codes & ~EXTERNAL_CODES) || kinds >> SVMC_OFFER_S390_MCHK & 1u) &&
           (policy->io_subclasses == 0 || kinds >> SVMC_OFFER_S390_IO & 1u) &&
           (policy->reserved[0] | policy->reserved[1] | policy->reserved[2]) == 0;
}

bool svmc_offer_allowed(const struct svmc_offer_policy *policy, const struct svmc_offer *offer)
{
    const struct code_row *row;

    if (offer->kind >= SVMC_OFFER_KINDS || !(policy->kinds >> offer->kind & 1u))
        return false;
    switch ((enum svmc_offer_kind)offer->kind) {
    case SVMC_OFFER_X86_INTERRUPT: /* exceptions' vectors never, whatever became of the policy */
        return offer->code >= EXCEPTIONS && offer->code < VECTORS &&
               (policy->vectors[core_clamp(offer->code / 64u, VECTORS / 64)] >> offer->code % 64u &
                1u);
    case SVMC_OFFER_S390_EXTERNAL:
    case SVMC_OFFER_S390_MCHK:
        row = find_code(offer);
        return row && (policy->codes & row->allow);
    case SVMC_OFFER_S390_IO:
        return policy->io_subclasses >> IO_CLASS(offer->data[1]) & 1u;
    default:
        return true;
    }
}

static bool is_within(uint64_t value, unsigned bits)
{
    return bits >= 64 || value >> bits == 0;
}

bool svmc_offer_fits(const struct offer_row *row, const struct svmc_offer *offer)
{
    const struct code_row *code = find_code(offer);

    if (!is_within(offer->data[0], code ? code->data_bits : row->data_bits[0]) ||
        !is_within(offer->data[1], row->data_bits[1]))
        return false;
    switch ((enum svmc_offer_kind)offer->kind) {
    case SVMC_OFFER_X86_INTERRUPT:
        return offer->code < VECTORS;
    case SVMC_OFFER_S390_EXTERNAL:
    case SVMC_OFFER_S390_MCHK:
        return code != NULL;
    case SVMC_OFFER_S390_IO:
        return offer->code == 0 && (offer->data[1] & ~(uint64_t)IO_WORD) == 0;
    default:
        return offer->code == 0;
    }
}

#define POLICY_MAGIC   0x464f5653u /* "SVOF" in memory */
#define POLICY_VERSION 1u

/* OF-12 */
enum svmc_status svmc_offer_policy_save(const struct svmc_offer_policy *policy,
                                        uint8_t bytes[SVMC_OFFER_POLICY_BYTES])
{
    if (!bytes)
        return SVMC_ERR_ARG;
    memset(bytes, 0, SVMC_OFFER_POLICY_BYTES);
    if (!policy || !svmc_offer_policy_sound(policy))
        return SVMC_ERR_ARG;
    core_store_le32(bytes, POLICY_MAGIC);
    core_store_le16(bytes + 4, POLICY_VERSION);
    core_store_le16(bytes + 6, policy->kinds);
    core_store_le16(bytes + 8, policy->codes);
    bytes[10] = policy->io_subclasses;
    for (uint32_t i = 0; i < VECTORS / 64; i++)
        core_store_le64(bytes + 12 + 8 * i, policy->vectors[i]); /* clamp: counts to 4 */
    return SVMC_OK;
}
