/* SPDX-License-Identifier: MIT */
/** The hierarchy of keys: arena, VM keys and their blobs, subkeys and their budgets. */
#include <stdbool.h>
#include <svmcore/keys.h>

#include "../core/bytes.h"
#include "../core/clamp.h"
#include "../core/crypto_ops.h"
#include "../core/memory.h"
#include "sealing.h"

#define VERSION     1u
#define VM_KEY      0x10u /* what the blob holds; beside enum svmc_key_purpose */
#define NONCE_BYTES 24u
#define CHECK_BYTES 16u
#define PURPOSES    (uint32_t) SVMC_KEY_LINE

/* KH-2: where things are in a blob; its header ends where the commitment begins. */
enum {
    AT_VERSION = 4,
    AT_AEAD = 5,
    AT_DERIVE = 6,
    AT_PURPOSE = 7,
    AT_PROVIDER = 8,
    AT_VM = 24,
    AT_NONCE = 40,
    AT_CHECK = 64,
    AT_COMMITMENT = 80,
    AT_KEY = 112,
    AT_TAG = 144
};

static const uint8_t magic[AT_VERSION] = { 'S', 'V', 'M', 'K' };

/* KH-6: all of one length, so that no two derivations read the same bytes. */
#define LABEL_BYTES 16u
static const uint8_t subkey_label[LABEL_BYTES] = "svmcore subkey 1";
static const uint8_t check_label[LABEL_BYTES] = "svmcore check  1";
static const uint8_t wrap_label[LABEL_BYTES] = "svmcore wrap   1";

/* KH-10: what lies in an arena: room to work, then the cells. */
struct work {
    struct svmc_cipher_key room;
    uint8_t derived[SVMC_DERIVE_BYTES];
};
struct cell {
    uint8_t key[SVMC_VMKEY_BYTES];
    uint64_t serial; /* 0: free */
    uint8_t pad[24];
};

_Static_assert(sizeof(struct work) + sizeof(struct cell) == SVMC_KEYARENA_BYTES(1), "one arena");
_Static_assert(sizeof(struct cell) % SVMC_CIPHER_ROOM_ALIGN == 0, "cells are lines");
_Static_assert(AT_TAG + SVMC_TAG_BYTES == SVMC_VMKEY_BLOB_BYTES, "a blob ends with its tag");

static struct work *work_of(const struct svmc_keyarena *arena)
{
    return (struct work *)(void *)arena->priv.memory;
}

static struct cell *cell_at(const struct svmc_keyarena *arena, uint32_t i)
{
    return (struct cell *)(void *)(arena->priv.memory + sizeof(struct work)) + i;
}

static void wipe(const struct svmc_keyarena *arena, void *at, size_t n)
{
    arena->priv.ops->wipe(arena->priv.ops->ctx, at, n);
}

/* ---- the arena -------------------------------------------------------------------------------*/

enum svmc_status svmc_keyarena_init(struct svmc_keyarena *arena, const struct svmc_crypto_ops *ops,
                                    void *memory, size_t bytes)
{
    size_t cells;

    if (!arena)
        return SVMC_ERR_ARG;
    memset(arena, 0, sizeof *arena);
    if (!memory || (uintptr_t)memory % SVMC_CIPHER_ROOM_ALIGN != 0 ||
        bytes < SVMC_KEYARENA_BYTES(1) ||
        !core_crypto_can_cipher(ops, SVMC_ALG_CHACHA20_POLY1305) || !CORE_HAS_OP(ops, random) ||
        !CORE_HAS_OP(ops, equal) || !CORE_HAS_OP(ops, wipe) || !CORE_HAS_OP(ops, derive))
        return SVMC_ERR_ARG;
    cells = (bytes - sizeof(struct work)) / sizeof(struct cell);
    arena->priv.ops = ops;
    arena->priv.memory = memory;
    arena->priv.cells = cells < UINT32_MAX ? (uint32_t)cells : UINT32_MAX;
    wipe(arena, memory, SVMC_KEYARENA_BYTES((size_t)arena->priv.cells));
    if (ops->random(ops->ctx, &arena->priv.serial, sizeof arena->priv.serial) == SVMC_OK)
        return SVMC_OK;
    memset(arena, 0, sizeof *arena);
    return SVMC_ERR_CALLBACK;
}

/* KH-11 */
void svmc_keyarena_drop(struct svmc_keyarena *arena)
{
    if (!arena || !arena->priv.memory)
        return;
    wipe(arena, arena->priv.memory, SVMC_KEYARENA_BYTES((size_t)arena->priv.cells));
    arena->priv.memory = NULL;
    arena->priv.cells = 0;
}

/* The key's cell, or NULL: empty, dropped, or its arena is (KH-11). */
static struct cell *cell_of(const struct svmc_vmkey *key)
{
    const struct svmc_keyarena *arena = key->priv.arena;
    struct cell *cell;

    if (key->priv.serial == 0 || !arena || !arena->priv.memory ||
        key->priv.cell >= arena->priv.cells)
        return NULL;
    cell = cell_at(arena, key->priv.cell);
    return cell->serial == key->priv.serial ? cell : NULL;
}

static enum svmc_status take_cell(struct svmc_vmkey *key, struct svmc_keyarena *arena,
                                  const uint8_t *vm)
{
    uint32_t i = 0;

    while (i < arena->priv.cells && cell_at(arena, i)->serial != 0)
        i++;
    if (i == arena->priv.cells)
        return SVMC_ERR_FULL;
    arena->priv.serial += arena->priv.serial == UINT64_MAX ? 2 : 1; /* never 0 */
    cell_at(arena, i)->serial = arena->priv.serial;
    key->priv.arena = arena;
    key->priv.cell = i;
    key->priv.serial = arena->priv.serial;
    memcpy(key->priv.vm, vm, sizeof key->priv.vm);
    key->priv.calls_max = SVMC_SUBKEY_CALLS;
    key->priv.blocks_max = SVMC_SUBKEY_BLOCKS;
    return SVMC_OK;
}

void svmc_vmkey_drop(struct svmc_vmkey *key)
{
    struct cell *cell = key ? cell_of(key) : NULL;

    if (cell)
        wipe(key->priv.arena, cell, sizeof *cell);
    if (key)
        memset(key, 0, sizeof *key);
}

/* ---- derivation ------------------------------------------------------------------------------*/

static enum svmc_status derive(const struct svmc_crypto_ops *ops, uint32_t alg, const uint8_t *key,
                               const struct svmc_bytes piece[2], uint8_t out[SVMC_DERIVE_BYTES])
{
    enum svmc_status st = SVMC_ERR_UNSUPPORTED;

    if (alg == SVMC_ALG_DERIVE_BLAKE2B || alg == SVMC_ALG_HKDF_SHA_256) {
        st = ops->derive(ops->ctx, alg, key, piece, 2, out);
        st = core_crypto_verdict(st);
    }
    if (st != SVMC_OK)
        ops->wipe(ops->ctx, out, SVMC_DERIVE_BYTES);
    return st;
}

/* KH-4: into work->derived. */
static enum svmc_status check_value(const struct svmc_vmkey *key, const struct cell *cell,
                                    struct work *work)
{
    const struct svmc_bytes piece[] = { { check_label, LABEL_BYTES },
                                        { key->priv.vm, SVMC_VM_ID_BYTES } };

    return derive(key->priv.arena->priv.ops, key->priv.derive, cell->key, piece, work->derived);
}

/* KH-3: a key for this blob alone, and behind it the commitment, into work->derived. */
static enum svmc_status wrapping_key(const struct svmc_keyarena *arena,
                                     const struct svmc_provider_key *provider, const uint8_t *blob,
                                     struct work *work)
{
    const struct svmc_bytes piece[] = { { wrap_label, LABEL_BYTES }, { blob, AT_COMMITMENT } };

    return derive(arena->priv.ops, blob[AT_DERIVE], provider->bytes, piece, work->derived);
}

/* ---- epochs ----------------------------------------------------------------------------------*/

/* KH-5. What random gives twice is not random. */
enum svmc_status svmc_vmkey_renew(struct svmc_vmkey *key)
{
    const struct svmc_crypto_ops *ops;
    uint8_t epoch[SVMC_EPOCH_BYTES] = { 0 };

    if (!key)
        return SVMC_ERR_ARG;
    key->priv.has_epoch = 0;
    if (!cell_of(key))
        return SVMC_ERR_STALE;
    ops = key->priv.arena->priv.ops;
    if (ops->random(ops->ctx, epoch, sizeof epoch) != SVMC_OK ||
        memcmp(epoch, key->priv.epoch, sizeof epoch) == 0)
        return SVMC_ERR_CALLBACK;
    memcpy(key->priv.epoch, epoch, sizeof epoch);
    memset(key->priv.purpose, 0, sizeof key->priv.purpose);
    key->priv.has_epoch = 1;
    return SVMC_OK;
}

enum svmc_status svmc_vmkey_create(struct svmc_vmkey *key, struct svmc_keyarena *arena,
                                   const uint8_t *vm, uint32_t alg)
{
    const struct svmc_crypto_ops *ops;
    enum svmc_status st;
    struct cell *cell;

    if (!key)
        return SVMC_ERR_ARG;
    memset(key, 0, sizeof *key);
    if (!arena || !arena->priv.memory || !vm)
        return SVMC_ERR_ARG;
    ops = arena->priv.ops;
    st = take_cell(key, arena, vm);
    if (st != SVMC_OK)
        return st;
    cell = cell_at(arena, key->priv.cell);
    key->priv.derive = alg;
    if (ops->random(ops->ctx, cell->key, sizeof cell->key) != SVMC_OK)
        st = SVMC_ERR_CALLBACK;
    if (st == SVMC_OK)
        st = check_value(key, cell, work_of(arena)); /* the algorithm is there */
    if (st == SVMC_OK)
        st = svmc_vmkey_renew(key);
    wipe(arena, work_of(arena), sizeof(struct work));
    if (st != SVMC_OK)
        svmc_vmkey_drop(key);
    return st;
}

/* ---- blobs -----------------------------------------------------------------------------------*/

/* The wrapping key in work->derived, the cell's key to or from the blob. */
static enum svmc_status pass_key(const struct svmc_crypto_ops *ops, struct work *work, bool wrap,
                                 uint8_t *blob, struct cell *cell)
{
    const struct svmc_bytes ad = { blob, AT_KEY };
    const struct svmc_cipher_unit u = {
        .pieces = 1,
        .ad = &ad,
        .nonce = blob + AT_NONCE,
        .in = wrap ? cell->key : blob + AT_KEY,
        .out = wrap ? blob + AT_KEY : cell->key,
        .n = SVMC_VMKEY_BYTES,
        .tag = blob + AT_TAG,
    };
    enum svmc_status st = core_cipher_load(ops, &work->room, blob[AT_AEAD], work->derived, 1);

    if (st != SVMC_OK)
        return st == SVMC_ERR_UNSUPPORTED ? st : SVMC_ERR_CALLBACK;
    st = wrap ? core_cipher_seal(ops, &work->room, &u) : core_cipher_open(ops, &work->room, &u);
    ops->cipher_drop(ops->ctx, &work->room);
    return st;
}

/* KH-2, KH-3 */
enum svmc_status svmc_vmkey_wrap(const struct svmc_vmkey *key,
                                 const struct svmc_provider_key *provider, uint32_t aead,
                                 uint8_t blob[SVMC_VMKEY_BLOB_BYTES])
{
    const struct svmc_keyarena *arena;
    struct work *work;
    struct cell *cell;
    enum svmc_status st;

    if (!blob)
        return SVMC_ERR_ARG;
    memset(blob, 0, SVMC_VMKEY_BLOB_BYTES);
    if (!key || !provider || !provider->bytes)
        return SVMC_ERR_ARG;
    cell = cell_of(key);
    if (!cell)
        return SVMC_ERR_STALE;
    if (svmc_cipher_shape_of(aead).tag_bytes == 0)
        return SVMC_ERR_UNSUPPORTED;
    arena = key->priv.arena;
    work = work_of(arena);
    memcpy(blob, magic, sizeof magic);
    blob[AT_VERSION] = VERSION;
    blob[AT_AEAD] = (uint8_t)aead;
    blob[AT_DERIVE] = (uint8_t)key->priv.derive;
    blob[AT_PURPOSE] = VM_KEY;
    memcpy(blob + AT_PROVIDER, provider->id, sizeof provider->id);
    memcpy(blob + AT_VM, key->priv.vm, sizeof key->priv.vm);
    st = check_value(key, cell, work);
    memcpy(blob + AT_CHECK, work->derived, CHECK_BYTES);
    if (st == SVMC_OK &&
        arena->priv.ops->random(arena->priv.ops->ctx, blob + AT_NONCE, NONCE_BYTES) != SVMC_OK)
        st = SVMC_ERR_CALLBACK;
    if (st == SVMC_OK)
        st = wrapping_key(arena, provider, blob, work);
    if (st == SVMC_OK) {
        memcpy(blob + AT_COMMITMENT, work->derived + 32, AT_KEY - AT_COMMITMENT);
        st = pass_key(arena->priv.ops, work, true, blob, cell);
    }
    wipe(arena, work, sizeof *work);
    if (st != SVMC_OK)
        memset(blob, 0, SVMC_VMKEY_BLOB_BYTES);
    return st;
}

/* KH-4: what the header says, in the order of docs/spec/keys.md. Nothing of it is secret. */
static enum svmc_status judge(const uint8_t *blob, const uint8_t *vm,
                              const struct svmc_provider_key *provider)
{
    if (memcmp(blob, magic, sizeof magic) != 0)
        return SVMC_ERR_FORMAT;
    if (blob[AT_VERSION] != VERSION || svmc_cipher_shape_of(blob[AT_AEAD]).tag_bytes == 0 ||
        (blob[AT_DERIVE] != SVMC_ALG_DERIVE_BLAKE2B && blob[AT_DERIVE] != SVMC_ALG_HKDF_SHA_256))
        return SVMC_ERR_UNSUPPORTED;
    if (blob[AT_PURPOSE] != VM_KEY)
        return SVMC_ERR_PURPOSE;
    if (memcmp(blob + AT_VM, vm, SVMC_VM_ID_BYTES) != 0)
        return SVMC_ERR_OWNER;
    return memcmp(blob + AT_PROVIDER, provider->id, sizeof provider->id) == 0 ? SVMC_OK
                                                                              : SVMC_ERR_KEY;
}

static enum svmc_status same(const struct svmc_crypto_ops *ops, const void *a, const void *b,
                             size_t n)
{
    return ops->equal(ops->ctx, a, b, n) == SVMC_OK ? SVMC_OK : SVMC_ERR_KEY;
}

enum svmc_status svmc_vmkey_unwrap(struct svmc_vmkey *key, struct svmc_keyarena *arena,
                                   const uint8_t *vm, const struct svmc_provider_key *provider,
                                   const void *blob, size_t bytes)
{
    uint8_t copy[SVMC_VMKEY_BLOB_BYTES]; /* whoever stores it may write it meanwhile */
    const struct svmc_crypto_ops *ops;
    struct work *work;
    struct cell *cell;
    enum svmc_status st;

    if (!key)
        return SVMC_ERR_ARG;
    memset(key, 0, sizeof *key);
    if (!arena || !arena->priv.memory || !vm || !provider || !provider->bytes || !blob)
        return SVMC_ERR_ARG;
    if (bytes != sizeof copy)
        return SVMC_ERR_FORMAT;
    memcpy(copy, blob, sizeof copy);
    st = judge(copy, vm, provider);
    if (st == SVMC_OK)
        st = take_cell(key, arena, vm);
    if (st != SVMC_OK)
        return st;
    ops = arena->priv.ops;
    work = work_of(arena);
    cell = cell_at(arena, key->priv.cell);
    key->priv.derive = copy[AT_DERIVE];
    st = wrapping_key(arena, provider, copy, work);
    if (st == SVMC_OK)
        st = same(ops, work->derived + 32, copy + AT_COMMITMENT, AT_KEY - AT_COMMITMENT);
    if (st == SVMC_OK)
        st = pass_key(ops, work, false, copy, cell);
    if (st == SVMC_OK)
        st = check_value(key, cell, work);
    if (st == SVMC_OK)
        st = same(ops, work->derived, copy + AT_CHECK, CHECK_BYTES);
    if (st == SVMC_OK)
        st = svmc_vmkey_renew(key);
    wipe(arena, work, sizeof *work);
    if (st != SVMC_OK)
        svmc_vmkey_drop(key);
    return st;
}

/* ---- subkeys ---------------------------------------------------------------------------------*/

enum svmc_status svmc_vmkey_limit(struct svmc_vmkey *key, uint64_t calls, uint64_t blocks)
{
    if (!key || calls - 1 >= SVMC_SUBKEY_CALLS || blocks - 1 >= SVMC_SUBKEY_BLOCKS)
        return SVMC_ERR_ARG;
    key->priv.calls_max = calls;
    key->priv.blocks_max = blocks;
    return SVMC_OK;
}

/* A limit may have been lowered below what is given out. */
static bool fits(uint64_t more, uint64_t given, uint64_t max)
{
    return given <= max && more <= max - given;
}

/* KH-7, KH-8 */
enum svmc_status svmc_vmkey_grant(struct svmc_vmkey *key, enum svmc_key_purpose purpose,
                                  uint64_t calls, uint64_t blocks, struct svmc_key_grant *grant)
{
    uint32_t p = (uint32_t)purpose - 1;

    if (!grant)
        return SVMC_ERR_ARG;
    memset(grant, 0, sizeof *grant);
    if (!key || p >= PURPOSES)
        return SVMC_ERR_ARG;
    if (!cell_of(key) || !key->priv.has_epoch)
        return SVMC_ERR_STALE;
    if (calls - 1 >= key->priv.calls_max || blocks - 1 >= key->priv.blocks_max)
        return SVMC_ERR_ARG;
    p = core_clamp(p, PURPOSES);
    if (!fits(calls, key->priv.purpose[p].calls, key->priv.calls_max) ||
        !fits(blocks, key->priv.purpose[p].blocks, key->priv.blocks_max)) {
        key->priv.purpose[p].index++;
        key->priv.purpose[p].calls = key->priv.purpose[p].blocks = 0;
    }
    key->priv.purpose[p].calls += calls;
    key->priv.purpose[p].blocks += blocks;
    memcpy(grant->id.epoch, key->priv.epoch, sizeof grant->id.epoch);
    grant->id.index = key->priv.purpose[p].index;
    grant->calls = calls;
    grant->blocks = blocks;
    return SVMC_OK;
}

/* KH-12 */
enum svmc_status svmc_vmkey_check(const struct svmc_vmkey *key, const struct svmc_subkey_id *id)
{
    if (!key || !cell_of(key))
        return SVMC_ERR_ABSENT;
    return key->priv.has_epoch && (!id || memcmp(id->epoch, key->priv.epoch, sizeof id->epoch) == 0)
               ? SVMC_OK
               : SVMC_ERR_STALE;
}

/* KH-13: all of it is given out, also should the limit be raised again. */
enum svmc_status svmc_vmkey_grant_whole(struct svmc_vmkey *key, enum svmc_key_purpose purpose,
                                        uint64_t calls, uint64_t blocks,
                                        struct svmc_key_grant *grant)
{
    enum svmc_status st;
    uint32_t p;

    if (!key || calls > key->priv.calls_max || blocks > key->priv.blocks_max) {
        if (grant)
            memset(grant, 0, sizeof *grant);
        return SVMC_ERR_ARG;
    }
    st = svmc_vmkey_grant(key, purpose, key->priv.calls_max, key->priv.blocks_max, grant);
    if (st != SVMC_OK)
        return st;
    p = core_clamp((uint32_t)purpose - 1, PURPOSES);
    key->priv.purpose[p].calls = SVMC_SUBKEY_CALLS;
    key->priv.purpose[p].blocks = SVMC_SUBKEY_BLOCKS;
    return SVMC_OK;
}

/* KH-6: the bytes that an algorithm's key has, 0 for what takes none. */
static size_t key_bytes(uint32_t alg)
{
    if (alg == SVMC_ALG_MAC_BLAKE2B_256 || alg == SVMC_ALG_HMAC_SHA_256)
        return SVMC_MAC_KEY_BYTES;
    return svmc_cipher_shape_of(alg).key_bytes;
}

enum svmc_status svmc_vmkey_subkey(const struct svmc_vmkey *key, enum svmc_key_purpose purpose,
                                   uint32_t alg, const struct svmc_subkey_id *id,
                                   uint8_t out[SVMC_DERIVE_BYTES])
{
    uint8_t about[8 + 8 + SVMC_VM_ID_BYTES + SVMC_EPOCH_BYTES] = { (uint8_t)purpose, (uint8_t)alg };
    const struct svmc_bytes piece[] = { { subkey_label, LABEL_BYTES }, { about, sizeof about } };
    size_t n = key_bytes(alg);
    const struct cell *cell;
    enum svmc_status st;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, SVMC_DERIVE_BYTES);
    if (!key || !id || (uint32_t)purpose - 1 >= PURPOSES)
        return SVMC_ERR_ARG;
    cell = cell_of(key);
    if (!cell)
        return SVMC_ERR_STALE;
    if (n == 0)
        return SVMC_ERR_UNSUPPORTED;
    core_store_le64(about + 8, id->index);
    memcpy(about + 16, key->priv.vm, SVMC_VM_ID_BYTES);
    memcpy(about + 16 + SVMC_VM_ID_BYTES, id->epoch, SVMC_EPOCH_BYTES);
    st = derive(key->priv.arena->priv.ops, key->priv.derive, cell->key, piece, out);
    if (st == SVMC_OK && n < SVMC_DERIVE_BYTES)
        wipe(key->priv.arena, out + n, SVMC_DERIVE_BYTES - n);
    return st;
}

enum svmc_status svmc_vmkey_cipher_by(const struct svmc_crypto_ops *ops,
                                      const struct keyslot_subkey *from, uint32_t alg,
                                      uint32_t lanes, struct svmc_cipher_key *room)
{
    uint8_t bytes[SVMC_DERIVE_BYTES];
    enum svmc_status st =
        svmc_vmkey_subkey(from->key, (enum svmc_key_purpose)from->purpose, alg, from->id, bytes);

    if (st != SVMC_OK)
        return st; /* bytes are zero */
    if (!ops)
        ops = from->key->priv.arena->priv.ops;
    st = core_crypto_can_cipher(ops, alg) ? core_cipher_load(ops, room, alg, bytes, lanes)
                                          : SVMC_ERR_UNSUPPORTED;
    ops->wipe(ops->ctx, bytes, sizeof bytes);
    return st == SVMC_ERR_ARG ? SVMC_ERR_CALLBACK : st;
}

/* KH-9 */
enum svmc_status svmc_vmkey_cipher(const struct svmc_vmkey *key, enum svmc_key_purpose purpose,
                                   uint32_t alg, const struct svmc_subkey_id *id, uint32_t lanes,
                                   struct svmc_cipher_key *room)
{
    const struct keyslot_subkey from = { key, (uint32_t)purpose, id };

    if (!room || (uintptr_t)room % SVMC_CIPHER_ROOM_ALIGN != 0 ||
        lanes - 1 >= SVMC_CIPHER_LANES_MAX)
        return SVMC_ERR_ARG;
    return svmc_vmkey_cipher_by(NULL, &from, alg, lanes, room);
}
