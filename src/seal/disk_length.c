/* SPDX-License-Identifier: MIT */
/** Sectors that keep their length: AES-256-XTS, the sector's number is the tweak. */
#include "../keyslot/sealing.h"
#include "disk_private.h"

#define DATA_AT 4096u
#define BUFFER  4096u /* of priv.bounce */

_Static_assert(SVMC_DISK_SECTOR == BUFFER, "a sector fits");

/* DK-10: a key that no other disk has, for the header's subkey is this disk's alone (DK-18). */
enum svmc_disk_reason svmc_disk_load_length(struct svmc_disk *d, const struct svmc_subkey_id *id)
{
    const struct svmc_sealer *sealer = d->priv.sealer;
    const struct keyslot_subkey from = { sealer->priv.key, SVMC_KEY_DISK, id };
    const enum svmc_status st =
        svmc_vmkey_cipher_by(sealer->priv.crypto, &from, SVMC_ALG_AES_256_XTS, 1, d->priv.room);

    if (st == SVMC_OK) {
        d->priv.loaded = 1;
        d->priv.blocks = SVMC_SUBKEY_BLOCKS;
        return SVMC_DISK_NONE;
    }
    if (st == SVMC_ERR_UNSUPPORTED)
        return SVMC_DISK_UNKNOWN;
    d->priv.seal = st == SVMC_ERR_STALE ? SVMC_SEAL_NO_KEY : SVMC_SEAL_CRYPTO;
    return SVMC_DISK_SEAL;
}

/* Sectors that are in the buffer, in place. */
static enum svmc_disk_reason crypt(struct svmc_disk *d, uint64_t first, uint32_t count,
                                   bool encrypt)
{
    const struct svmc_crypto_ops *ops = d->priv.sealer->priv.crypto;
    uint8_t tweak[SVMC_TWEAK_BYTES] = { 0 };
    struct svmc_cipher_unit u = { .nonce = tweak, .n = d->priv.sector_bytes };

    for (uint32_t i = 0; i < count; i++) {
        core_store_le64(tweak, first + i);
        u.in = u.out = d->priv.bounce + (size_t)i * d->priv.sector_bytes;
        if (core_cipher_crypt(ops, d->priv.room, &u, encrypt) == SVMC_OK)
            continue;
        ops->wipe(ops->ctx, d->priv.bounce, BUFFER); /* DK-11: the others are not encrypted yet */
        d->priv.seal = SVMC_SEAL_CRYPTO;
        return SVMC_DISK_SEAL;
    }
    return SVMC_DISK_NONE;
}

static uint32_t some_of(const struct svmc_disk *d, uint64_t count)
{
    const uint32_t room = BUFFER / d->priv.sector_bytes;

    return count < room ? (uint32_t)count : room;
}

enum svmc_disk_reason svmc_disk_read_length(struct svmc_disk *d, uint64_t first, uint64_t count,
                                            uint8_t *out)
{
    enum svmc_disk_reason why = SVMC_DISK_NONE;

    for (uint64_t at = 0; at < count && why == SVMC_DISK_NONE;) {
        const uint32_t some = some_of(d, count - at);
        const size_t n = (size_t)some * d->priv.sector_bytes;

        why = store_read(d, DATA_AT + (first + at) * d->priv.sector_bytes, d->priv.bounce, n);
        if (why == SVMC_DISK_NONE)
            why = crypt(d, first + at, some, false);
        if (why == SVMC_DISK_NONE)
            memcpy(out + (size_t)at * d->priv.sector_bytes, d->priv.bounce, n);
        at += some;
    }
    return why;
}

enum svmc_disk_reason svmc_disk_write_length(struct svmc_disk *d, uint64_t first, uint64_t count,
                                             const uint8_t *in, uint64_t *done)
{
    enum svmc_disk_reason why = SVMC_DISK_NONE;

    while (*done < count && why == SVMC_DISK_NONE) {
        const uint32_t some = some_of(d, count - *done);
        const size_t n = (size_t)some * d->priv.sector_bytes;

        if (d->priv.blocks < n / 16) {
            d->priv.seal = SVMC_SEAL_BUDGET;
            return SVMC_DISK_SEAL;
        }
        d->priv.blocks -= n / 16;
        memcpy(d->priv.bounce, in + (size_t)*done * d->priv.sector_bytes, n);
        why = crypt(d, first + *done, some, true);
        if (why == SVMC_DISK_NONE)
            why =
                store_write(d, DATA_AT + (first + *done) * d->priv.sector_bytes, d->priv.bounce, n);
        if (why == SVMC_DISK_NONE)
            *done += some;
    }
    return why;
}
