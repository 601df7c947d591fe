/* SPDX-License-Identifier: MIT */
/** What the two halves of the offers share: the rows of offers.def. */
#ifndef INTERCEPT_OFFER_ROWS_H
#define INTERCEPT_OFFER_ROWS_H
#include <stdbool.h>
#include <stdint.h>
#include <svmcore/offer.h>

enum gate_how {
    GATE_NONE, /* no more gates */
    GATE_STATE_CLEAR,
    GATE_SET,
    GATE_CLEAR,
    GATE_ABOVE,
    GATE_SET_OR_USER,
    GATE_SUBCLASS
};

struct gate {
    uint8_t how;
    uint8_t reg; /* enum svmc_reg */
    uint8_t mode;
    uint64_t bits;
};

#define OFFER_GATES 3u
#define OFFER_ROWS  11u

struct offer_row {
    uint8_t kind;
    uint8_t isa;
    uint8_t line; /* 1: stays up until it is lowered */
    uint8_t data_bits[2];
    struct gate gates[OFFER_GATES];
};

/* offer_rows.c */
/** The index-th row, below OFFER_ROWS, in the order of arrival. */
const struct offer_row *svmc_offer_row_at(uint32_t index);
/** NULL: nothing of this kind can be offered to this instruction set (OF-3). */
const struct offer_row *svmc_offer_row(uint32_t isa, uint32_t kind);
/** OF-12: no bit without a meaning. */
bool svmc_offer_policy_sound(const struct svmc_offer_policy *policy);
/** OF-4. */
bool svmc_offer_allowed(const struct svmc_offer_policy *policy, const struct svmc_offer *offer);
/** OF-5: the code is one of the row's, the data are no wider than they are there. */
bool svmc_offer_fits(const struct offer_row *row, const struct svmc_offer *offer);

/* offer_masks.c */
/** The registers that one call has read: each once. */
struct masks {
    uint64_t value[4];
    uint8_t reg[4];
    uint32_t count;
    uint8_t state; /* bits of enum svmc_event_state */
};
/** OF-8: whether every gate is open; its status is reg_read's. */
enum svmc_status svmc_offer_open(const struct svmc_vcpu *vc, struct masks *masks,
                                 const struct offer_row *row, const struct svmc_offer *offer,
                                 bool *open);
/** The bit of the control register that masks this offer; 0: none does, it stays closed. */
uint64_t svmc_offer_subclass(const struct svmc_offer *offer);

#endif
