/* SPDX-License-Identifier: MIT */
/*
 * Whoever stores a wrapped VM key gives back what he likes, while callbacks fail: the input spoils
 * a good blob, or is one. Traps when what was not wrapped so is taken, when a refused blob leaves
 * anything, or when grants go beyond a budget (KH-4, KH-7, KH-11).
 */
#include <svmcore/keys.h>

#include "../tests/fakehost/crypto.h"
#include "input.h"

#define WORK (SVMC_KEYARENA_BYTES(1) - 64u)

static struct fake_crypto fake;
static struct svmc_keyarena arena;
static _Alignas(64) uint8_t memory[SVMC_KEYARENA_BYTES(2)];
static _Alignas(64) struct svmc_cipher_key room;
static const uint8_t vm[16] = "fuzzed machine", bytes[32] = { 1, 2, 3 };
static const struct svmc_provider_key provider = { "fuzzed provider", bytes };

static int is_zero(const void *at, size_t n)
{
    const uint8_t *p = at;

    while (n > 0 && p[n - 1] == 0)
        n--;
    return n == 0;
}

/* Grants and a cipher of a good key; callbacks may fail. */
static void work_with(struct svmc_vmkey *key, struct input *in)
{
    uint64_t calls = 0, blocks = 0, index = 0;
    struct svmc_key_grant grant;

    require(svmc_vmkey_limit(key, 40, 4000) == SVMC_OK);
    for (unsigned i = take_byte(in) % 16; i > 0; i--) {
        uint64_t c = 1 + take_byte(in) % 40, b = 1 + take_byte(in) * 15u;

        require(svmc_vmkey_grant(key, SVMC_KEY_DISK, c, b, &grant) == SVMC_OK);
        if (grant.id.index != index) {
            require(grant.id.index == index + 1 && (calls + c > 40 || blocks + b > 4000));
            index++;
            calls = blocks = 0;
        }
        calls += c;
        blocks += b;
        require(calls <= 40 && blocks <= 4000);
    }
    take(in, &grant.id, sizeof grant.id);
    if (svmc_vmkey_cipher(key, (enum svmc_key_purpose)take_byte(in), take_byte(in), &grant.id, 1,
                          &room) == SVMC_OK)
        fake.ops.cipher_drop(&fake, &room);
    require(fake.loaded == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };
    uint8_t head = take_byte(&in), blob[SVMC_VMKEY_BLOB_BYTES + 8], good[SVMC_VMKEY_BLOB_BYTES];
    size_t n = SVMC_VMKEY_BLOB_BYTES;
    struct svmc_vmkey key, again;
    enum svmc_status st;

    fake_crypto_init(&fake);
    require(svmc_keyarena_init(&arena, &fake.ops, memory, sizeof memory) == SVMC_OK);
    require(svmc_vmkey_create(&key, &arena, vm, 0x51 + (head & 1)) == SVMC_OK);
    require(svmc_vmkey_wrap(&key, &provider, 0x31 + (head >> 1) % 3, good) == SVMC_OK);
    memset(blob, 0, sizeof blob);
    memcpy(blob, good, sizeof good);
    if (head & 0x80)
        take(&in, blob, sizeof blob);
    for (unsigned i = head >> 3 & 7; i > 0; i--) {
        uint8_t at = take_byte(&in);

        blob[at % sizeof blob] ^= take_byte(&in);
    }
    if (head & 0x40) {
        uint8_t how = take_byte(&in);

        n = how % (sizeof blob + 1);
        fake.fail_at = fake.calls + how % 12;
    }
    st = svmc_vmkey_unwrap(&again, &arena, vm, &provider, blob, n);
    require(fake.loaded == 0 && is_zero(memory, WORK));
    if (st == SVMC_OK) {
        require(n == sizeof good && memcmp(blob, good, n) == 0);
        require(memcmp(memory + WORK, memory + WORK + 64, 32) == 0);
        work_with(&again, &in);
    } else {
        require(is_zero(&again, sizeof again) && is_zero(memory + WORK + 64, 64));
    }
    svmc_vmkey_drop(&again);
    svmc_vmkey_drop(&key);
    require(is_zero(memory, sizeof memory));
    return 0;
}
