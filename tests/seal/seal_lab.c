/* SPDX-License-Identifier: MIT */
#include "seal_lab.h"

const uint8_t seal_lab_vm[SVMC_VM_ID_BYTES] = "virtual machine";
const uint8_t seal_lab_other_vm[SVMC_VM_ID_BYTES] = "another machine";

struct svmc_sealer_config seal_lab_config(struct seal_lab *lab, uint32_t alg)
{
    return (struct svmc_sealer_config){ .crypto = &lab->crypto.ops,
                                        .slots = &lab->ks,
                                        .key = &lab->key,
                                        .domain = 7,
                                        .protect = SVMC_PROTECT_ALL,
                                        .alg = alg };
}

void seal_lab_init(struct seal_lab *lab, uint32_t alg, bool quick)
{
    const struct svmc_keyslots_config pool = { .crypto = &lab->crypto.ops,
                                               .slots = SEAL_LAB_SLOTS,
                                               .lanes = SEAL_LAB_LANES };
    struct svmc_sealer_config config = seal_lab_config(lab, alg);

    memset(lab, 0, sizeof *lab);
    crypto_lab_init(&lab->crypto);
    REQUIRE(svmc_keyarena_init(&lab->arena, &lab->crypto.ops, lab->keys, sizeof lab->keys) ==
            SVMC_OK);
    REQUIRE(svmc_vmkey_create(&lab->key, &lab->arena, seal_lab_vm, SVMC_ALG_DERIVE_BLAKE2B) ==
            SVMC_OK);
    REQUIRE(svmc_vmkey_create(&lab->other, &lab->arena, seal_lab_other_vm,
                              SVMC_ALG_DERIVE_BLAKE2B) == SVMC_OK);
    REQUIRE(svmc_keyslots_init(&lab->ks, &pool, lab->pool, sizeof lab->pool) == SVMC_OK);
    REQUIRE(svmc_sealer_init(&lab->sealer, &config) == SVMC_OK);
    lab->crypto.is_quick = quick;
}

bool seal_lab_is_zero(const void *at, size_t n)
{
    const uint8_t *p = at;

    while (n > 0 && p[n - 1] == 0)
        n--;
    return n == 0;
}

bool seal_lab_is_empty(const struct seal_lab *lab)
{
    return lab->crypto.fake.loaded == 0 && lab->crypto.toy.loaded == 0 &&
           seal_lab_is_zero(lab->ks.priv.room, SEAL_LAB_SLOTS * sizeof(struct svmc_cipher_key));
}
