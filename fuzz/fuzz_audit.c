/* SPDX-License-Identifier: MIT */
/*
 * A chain of events from somewhere else, entry by entry and as a whole. Then events of the input go
 * through a ring with a back end that fails now and then; what is read from it holds, and holds no
 * more once the input has changed any byte of it.
 */
#include <stdlib.h>
#include <string.h>

#include "../src/intercept/intercept_private.h"
#include "../tests/fakehost/crypto.h"
#include "input.h"

#define ENTRY SVMC_AUDIT_ENTRY_BYTES
#define TAG   SVMC_AUDIT_TAG_BYTES
#define RING  8u

static const uint8_t key[SVMC_MAC_KEY_BYTES] = { 1, 2, 3 };
static const uint32_t algs[] = { SVMC_ALG_HMAC_SHA_256, SVMC_ALG_MAC_BLAKE2B_256, SVMC_ALG_SHA_256,
                                 SVMC_ALG_BLAKE2B_256 };

static enum svmc_status verify(const struct fake_crypto *fake, uint32_t alg, const uint8_t *before,
                               const uint8_t *bytes, size_t n, const uint8_t *last, size_t *good)
{
    *good = ~(size_t)0;
    return svmc_audit_verify(&fake->ops, (enum svmc_alg)alg, alg >> 4 == 2 ? key : NULL, before,
                             bytes, n, last, good);
}

/*
 * Foreign bytes. The fuzzer sees what tags are compared with, so it can make some that hold: what
 * is said to hold does so alone, too, and what comes behind it does not.
 */
static void foreign(const struct fake_crypto *fake, uint32_t alg, const uint8_t *data, size_t size)
{
    static const uint8_t zero[TAG];
    uint8_t *bytes = malloc(size + 1); /* of this size, so that a byte too far is seen */
    const uint8_t *before = zero, *last = size >= ENTRY ? bytes + size - TAG : zero;
    size_t good, again;
    enum svmc_status st;

    require(bytes != NULL);
    memcpy(bytes, data, size);
    st = verify(fake, alg, before, bytes, size, last, &good);
    if (size % ENTRY != 0) {
        require(st == SVMC_ERR_ARG && good == 0);
    } else {
        require(good == size / ENTRY ? st == SVMC_OK : good < size / ENTRY && st == SVMC_ERR_AUTH);
        for (size_t i = 0; i < size / ENTRY && i <= good; i++) {
            const uint8_t *tag = bytes + (i + 1) * ENTRY - TAG;

            require(verify(fake, alg, before, bytes + i * ENTRY, ENTRY, tag, &again) ==
                    (i < good ? SVMC_OK : SVMC_ERR_AUTH));
            require(again == (i < good));
            before = tag;
        }
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct svmc_audit_ring ring;
    static uint8_t memory[RING * ENTRY], bytes[RING * ENTRY];
    struct svmc_audit_head head;
    struct fake_crypto fake;
    size_t len, good, at;
    uint64_t lost = 0;
    uint32_t alg;

    if (size < 4)
        return 0;
    fake_crypto_init(&fake);
    alg = algs[data[0] % 4];
    foreign(&fake, alg, data + 4, size - 4);
    require(svmc_audit_init(&ring, &fake.ops, (enum svmc_alg)alg, alg >> 4 == 2 ? key : NULL,
                            memory, RING, NULL) == SVMC_OK);
    for (at = 4; size - at >= 16; at += 16) {
        const uint8_t *d = data + at;
        struct svmc_audit_entry e = { .kind = (uint16_t)(d[0] | d[1] << 8),
                                      .call = d[2],
                                      .verdict = d[3],
                                      .action = d[4],
                                      .stop = d[5],
                                      .rule = d[6],
                                      .status = d[7],
                                      .bytes_shown = d[8],
                                      .bytes_accepted = d[9],
                                      .vcpu = d[10] };

        fake.calls = 0;
        fake.fail_at = d[15] & 7;
        svmc_intercept_audit_add(&ring, &e);
        lost += fake.fail_at > 0 && fake.fail_at <= fake.calls;
        require(fake.open == 0);
    }
    fake.fail_at = 0;
    require(svmc_audit_head_read(&ring, &head) == SVMC_OK);
    require(head.lost == lost && head.next + lost == (at - 4) / 16);
    require(head.next - head.oldest <= RING &&
            (head.oldest == 0 || head.next - RING == head.oldest));
    require(svmc_audit_read(&ring, head.oldest, bytes, sizeof bytes, &len) == SVMC_OK);
    require(len == (head.next - head.oldest) * ENTRY);
    require(verify(&fake, alg, head.before, bytes, len, head.last, &good) == SVMC_OK);
    require(good == len / ENTRY);
    if (len > 0) {
        at = (data[1] | (size_t)data[2] << 8) % len;
        bytes[at] ^= (uint8_t)(data[3] | !data[3]);
        require(verify(&fake, alg, head.before, bytes, len, head.last, &good) == SVMC_ERR_AUTH);
        require(good == at / ENTRY);
    }
    return 0;
}
