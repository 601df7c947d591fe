/* SPDX-License-Identifier: MIT */
/** Keys of a VM that is sealed: made at its start, gone at its end. */
#include "sealing.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "back_end.h"
#include "vault.h"

#define VM_AT   8u /* in a head */
#define KEY_AT  24u
#define BLOB_AT 40u

_Static_assert(BLOB_AT + SVMC_VMKEY_BLOB_BYTES <= SEALING_HEAD_BYTES, "a head has room");

static void *carve(struct sealing *s, size_t bytes)
{
    void *at = s->room + s->room_used;

    bytes = (bytes + SVMC_CIPHER_ROOM_ALIGN - 1) / SVMC_CIPHER_ROOM_ALIGN * SVMC_CIPHER_ROOM_ALIGN;
    if (bytes > sizeof s->room - s->room_used)
        return NULL;
    s->room_used += bytes;
    return at;
}

/* AES-256-GCM where the processor has AES, else XChaCha20-Poly1305. */
static enum svmc_status choose(struct sealing *s, const struct svmc_crypto_ops *crypto)
{
    static const uint32_t algs[] = { SVMC_ALG_AES_256_GCM, SVMC_ALG_XCHACHA20_POLY1305 };
    struct svmc_cipher_key *room = carve(s, sizeof *room);
    enum svmc_status st = room ? SVMC_ERR_UNSUPPORTED : SVMC_ERR_FULL;

    for (size_t i = 0; st == SVMC_ERR_UNSUPPORTED && i < sizeof algs / sizeof algs[0]; i++) {
        s->alg = algs[i];
        st = svmc_crypto_try(crypto, (enum svmc_alg)algs[i], room);
    }
    return st;
}

/* Everything but the VM's key. */
static enum svmc_status open_rooms(struct sealing *s, const struct svmc_crypto_ops *crypto)
{
    const struct svmc_keyslots_config slots = {
        .crypto = crypto, .slots = SEALING_SLOTS, .places = SEALING_SLOTS, .lanes = SEALING_LANES
    };
    size_t n = SVMC_KEYARENA_BYTES(1);
    enum svmc_status st;

    s->room_used = 0;
    (void)mlock(s->room, sizeof s->room); /* a limit may forbid it */
    pthread_mutex_init(&s->lock, NULL);
    st = choose(s, crypto);
    if (st == SVMC_OK)
        st = svmc_keyarena_init(&s->arena, crypto, carve(s, n), n);
    if (st == SVMC_OK) {
        n = svmc_keyslots_bytes(&slots);
        st = svmc_keyslots_init(&s->slots, &slots, carve(s, n), n);
    }
    return st;
}

/* Its key is there. */
static enum svmc_status open_sealer(struct sealing *s, const struct svmc_crypto_ops *crypto,
                                    uint32_t protect)
{
    const struct svmc_sealer_config config = { .crypto = crypto,
                                               .slots = &s->slots,
                                               .key = &s->key,
                                               .domain = 1,
                                               .protect = protect,
                                               .alg = s->alg };

    return svmc_sealer_init(&s->sealer, &config);
}

bool sealing_open(struct sealing *s, uint32_t protect, char *why, size_t cap)
{
    const struct svmc_crypto_ops *crypto = dma_back_end();
    enum svmc_status st = crypto ? open_rooms(s, crypto) : SVMC_ERR_UNSUPPORTED;

    if (st == SVMC_OK)
        st = crypto->random(crypto->ctx, s->vm, sizeof s->vm);
    if (st == SVMC_OK)
        st = svmc_vmkey_create(&s->key, &s->arena, s->vm, SVMC_ALG_DERIVE_BLAKE2B);
    if (st == SVMC_OK)
        st = open_sealer(s, crypto, protect);
    if (st != SVMC_OK)
        snprintf(why, cap, "--protect: keys: %s%s", svmc_status_name(st),
                 crypto ? "" : ": this build has neither OpenSSL nor libsodium");
    s->on = st == SVMC_OK;
    return s->on;
}

bool sealing_head(struct sealing *s, struct vault *vault, const char *magic,
                  uint8_t head[SEALING_HEAD_BYTES], char *why, size_t cap)
{
    memset(head, 0, SEALING_HEAD_BYTES);
    memcpy(head, magic, VM_AT);
    memcpy(head + VM_AT, s->vm, SVMC_VM_ID_BYTES);
    memcpy(head + KEY_AT, vault->wanted.name, SVMC_PROVIDER_ID_BYTES);
    return vault_wrap(vault, &s->key, s->alg, head + BLOB_AT, why, cap);
}

bool sealing_take_head(struct sealing *s, uint32_t protect, struct vault *vault, const char *what,
                       const uint8_t head[SEALING_HEAD_BYTES], char *why, size_t cap)
{
    const struct svmc_crypto_ops *crypto = dma_back_end();
    enum svmc_status st = crypto ? open_rooms(s, crypto) : SVMC_ERR_UNSUPPORTED;

    if (memcmp(head + KEY_AT, vault->wanted.name, SVMC_PROVIDER_ID_BYTES) != 0) {
        snprintf(why, cap, "%.100s: under another key of the provider's", what);
        return false;
    }
    memcpy(s->vm, head + VM_AT, sizeof s->vm);
    if (st == SVMC_OK && !vault_unwrap(vault, &s->key, &s->arena, s->vm, head + BLOB_AT, why, cap))
        return false;
    if (st == SVMC_OK)
        st = open_sealer(s, crypto, protect);
    if (st != SVMC_OK)
        snprintf(why, cap, "%.100s: keys: %s", what, svmc_status_name(st));
    s->on = st == SVMC_OK;
    return s->on;
}

const char *sealing_alg_name(uint32_t alg)
{
    return alg == SVMC_ALG_AES_256_GCM ? "AES-256-GCM" : "XChaCha20-Poly1305";
}

void sealing_close(struct sealing *s)
{
    if (!s->on)
        return;
    s->on = false;
    svmc_keyslots_drop(&s->slots);
    svmc_keyarena_drop(&s->arena);
}
