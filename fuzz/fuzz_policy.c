/* SPDX-License-Identifier: MIT */
/*
 * A policy's byte form from somewhere else: whatever is read is written again byte for byte and is
 * sealed, whatever is not leaves zeros. Then the same bytes with the header's counts and lengths
 * put right, so that the rows behind it are reached.
 */
#include <stdlib.h>
#include <string.h>
#include <svmcore/svmcore.h>

#include "../src/core/bytes.h"
#include "input.h"

static struct svmc_policy policy;
static const struct svmc_policy zero;
static uint8_t again[SVMC_POLICY_BYTES_MAX];

static void check(const uint8_t *bytes, size_t size)
{
    enum svmc_status st = svmc_policy_load(&policy, bytes, size);
    size_t len;

    if (st != SVMC_OK) {
        require(st == SVMC_ERR_FORMAT || st == SVMC_ERR_UNSUPPORTED);
        require(memcmp(&policy, &zero, sizeof policy) == 0);
        require(svmc_policy_seal(&policy) == SVMC_ERR_ARG);
        return;
    }
    require(svmc_policy_save(&policy, again, sizeof again, &len) == SVMC_OK);
    require(len == size && memcmp(again, bytes, size) == 0);
    require(svmc_policy_set_doorbell(&policy, 1) == SVMC_ERR_STATE);
    require(policy.priv.refusal_limit != 0 && policy.priv.retry_limit != 0);
    require(policy.priv.window_count <= SVMC_POLICY_WINDOWS);
}

/*
 * The header of a policy of so many windows, hypercalls, kinds, calls and leaves; what is left over
 * is runs.
 */
static void mend(uint8_t *bytes, size_t size)
{
    static const uint8_t header[] = { 'S', 'V', 'P', 'L', 1, 0, 56, 0 };
    size_t left = size - 56;
    uint32_t per_list[6] = { 0 };

    memcpy(bytes, header, sizeof header);
    core_store_le32(bytes + 8, (uint32_t)size);
    bytes[26] = (uint8_t)(bytes[26] % 17 < left / 18 ? bytes[26] % 17 : left / 18);
    left -= 18u * bytes[26];
    bytes[27] = (uint8_t)(bytes[27] % 65 < left / 3 ? bytes[27] % 65 : left / 3);
    left -= 3u * bytes[27];
    bytes[52] = (uint8_t)(bytes[52] % 65 < left / 24 ? bytes[52] % 65 : left / 24);
    bytes[53] = 1 + bytes[53] % 2;
    left -= 24u * bytes[52];
    bytes[55] = (uint8_t)(bytes[55] % 17 < left / 3 ? bytes[55] % 17 : left / 3);
    left -= 3u * bytes[55];
    bytes[54] = (uint8_t)(bytes[54] % 65 < left / 11 ? bytes[54] % 65 : left / 11);
    left -= 11u * bytes[54];
    for (unsigned list = 0; list < 6; list++) {
        uint32_t most = (uint32_t)(left / (list / 2 != 1 ? 5 : 9)), want = bytes[28 + 4 * list];

        per_list[list] = want < most ? want : most;
        left -= (size_t)per_list[list] * (list / 2 != 1 ? 5 : 9);
        core_store_le32(bytes + 28 + 4 * list, per_list[list]);
    }
    core_store_le32(bytes + 8, (uint32_t)(size - left));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size + 1); /* of this size, so that a byte too far is seen */

    require(bytes != NULL);
    memcpy(bytes, data, size);
    check(bytes, size);
    if (size >= 56) {
        mend(bytes, size);
        check(bytes, core_load_le32(bytes + 8));
    }
    free(bytes);
    return 0;
}
