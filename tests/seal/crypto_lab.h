/* SPDX-License-Identifier: MIT */
/**
 * A crypto table of two: the fake host's, which knows the vectors of a self-test, and then the
 * toy's ciphers, which are quick. Hash and MAC are absent.
 */
#ifndef CRYPTO_LAB_H
#define CRYPTO_LAB_H
#include "../fakehost/crypto.h"
#include "../harness.h"
#include "../keyslot/keyslot_lab.h"

struct crypto_lab {
    struct svmc_crypto_ops ops; /* its ctx is this struct */
    struct fake_crypto fake;
    struct toy toy;
    bool is_quick;           /* ciphers are the toy's */
    unsigned calls, fail_at; /* of all that can fail once it is quick; 0: none */
};

void crypto_lab_init(struct crypto_lab *c);
/* One more call that can fail; whether it does. */
bool crypto_lab_fails(struct crypto_lab *c);

#endif
