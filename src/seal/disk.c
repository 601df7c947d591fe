/* SPDX-License-Identifier: MIT */
/** A guest's disk: its memory, its header, and requests. docs/spec/disk.md */
#include "../core/callbacks.h"
#include "disk_private.h"

/* DK-3: where things are in a header. Its seal covers what stands before it; the rest is zero. */
enum {
    AT_VERSION = 4,
    AT_MODE = 5,
    AT_ALG = 6,
    AT_HEADER_ALG = 7, /* as in the seal's entry */
    AT_SECTOR_BYTES = 8,
    AT_JOURNAL = 12,
    AT_SECTORS = 16,
    AT_VM = 24,
    AT_DISK = 40,
    AT_NUMBER = 56,
    AT_SEAL = 64,
    AT_END = 112
};

static const uint8_t magic[AT_VERSION] = { 'S', 'V', 'M', 'D' };

_Static_assert(AT_SEAL + SEAL_BYTES == AT_END, "the seal ends the header");
_Static_assert(SVMC_DISK_ALIGN == SVMC_CIPHER_ROOM_ALIGN, "a key's room begins the memory");

static enum svmc_status say(const struct svmc_disk *d, enum svmc_disk_reason why, uint64_t sector,
                            struct svmc_disk_result *result)
{
    result->reason = why;
    if (why == SVMC_DISK_NONE)
        return SVMC_OK;
    result->sector = sector;
    if (why != SVMC_DISK_SEAL)
        return svmc_disk_status_of(why);
    result->seal = d->priv.seal;
    return svmc_seal_status((enum svmc_seal_reason)d->priv.seal);
}

/* ---- numbers ---------------------------------------------------------------------------------*/

/* DK-1 */
static bool is_possible(const struct svmc_disk_config *c)
{
    if (!c || c->sectors - 1 >= SVMC_DISK_SECTORS_MAX)
        return false;
    if (c->mode == SVMC_DISK_LENGTH)
        return (c->sector_bytes == SVMC_DISK_SECTOR || c->sector_bytes == SVMC_DISK_BLOCK) &&
               c->journal == 0 && c->nodes == 0;
    return c->mode == SVMC_DISK_AUTHENTIC && c->sector_bytes == SVMC_DISK_SECTOR &&
           c->journal != 0 && c->journal <= SVMC_DISK_JOURNAL_MAX && c->journal % 8 == 0 &&
           c->nodes - 1 < SVMC_DISK_NODES_MAX;
}

/* A power of two, twice as much as the journal has at least. */
static uint32_t cells_of(uint32_t journal)
{
    uint32_t cells = 1;

    while (cells < 2 * journal)
        cells *= 2;
    return cells;
}

/* Where all is in the memory. */
static void lay_memory(struct svmc_disk *d, const struct svmc_disk_config *c, uint8_t *memory)
{
    const size_t map = (size_t)c->journal * ENTRY_BYTES;

    d->priv.memory = memory;
    if (c->mode == SVMC_DISK_LENGTH) {
        d->priv.room = (struct svmc_cipher_key *)(void *)memory;
        memory += sizeof(struct svmc_cipher_key);
    }
    d->priv.bounce = memory;
    d->priv.work = d->priv.bounce + SVMC_DISK_SECTOR;
    if (c->mode != SVMC_DISK_AUTHENTIC)
        return;
    d->priv.node = d->priv.work + NODE_BYTES;
    d->priv.line = d->priv.node + (size_t)c->nodes * NODE_BYTES;
    d->priv.map = (uint8_t *)d->priv.line + c->nodes * sizeof(struct line);
    d->priv.update = d->priv.map + map;
    d->priv.find = (uint16_t *)(void *)(d->priv.update + map);
    d->priv.find_mask = cells_of(c->journal) - 1;
}

_Static_assert(sizeof(struct svmc_cipher_key) % 8 == 0 && sizeof(struct line) % 8 == 0,
               "what lies in the memory is aligned");

/* DK-2: header, two roots, two maps, the journal, the tree, the sectors. @return what is behind. */
static uint64_t lay_store(struct svmc_disk *d, const struct svmc_disk_config *c)
{
    const uint64_t map = ((uint64_t)c->journal * ENTRY_BYTES + NODE_BYTES - 1) / NODE_BYTES;

    d->priv.sectors = c->sectors;
    d->priv.data_at = NODE_BYTES;
    if (c->mode == SVMC_DISK_AUTHENTIC) {
        d->priv.map_at = 3 * NODE_BYTES;
        d->priv.journal_at = d->priv.map_at + 2 * map * NODE_BYTES;
        d->priv.data_at =
            svmc_disk_lay_tree(d, d->priv.journal_at + (uint64_t)c->journal * SVMC_DISK_SECTOR);
    }
    return d->priv.data_at + c->sectors * c->sector_bytes;
}

size_t svmc_disk_bytes(const struct svmc_disk_config *config)
{
    size_t bytes = SVMC_DISK_SECTOR + NODE_BYTES;

    if (!is_possible(config))
        return 0;
    if (config->mode == SVMC_DISK_LENGTH)
        return bytes + sizeof(struct svmc_cipher_key);
    bytes += config->nodes * (NODE_BYTES + sizeof(struct line));
    bytes += (size_t)config->journal * ENTRY_BYTES * 2;
    return bytes + cells_of(config->journal) * sizeof(uint16_t);
}

uint64_t svmc_disk_store_bytes(const struct svmc_disk_config *config)
{
    struct svmc_disk d;

    memset(&d, 0, sizeof d);
    return is_possible(config) ? lay_store(&d, config) : 0;
}

static bool has_store(const struct svmc_disk_store *s)
{
    return s && CORE_HAS_OP(s, read) && CORE_HAS_OP(s, write) && CORE_HAS_OP(s, flush);
}

/* DK-1: the object, empty, with all that config says. */
static enum svmc_status set_up(struct svmc_disk *d, const struct svmc_disk_config *c, void *memory,
                               size_t bytes, struct svmc_disk_result *result)
{
    if (result)
        memset(result, 0, sizeof *result);
    if (!d || !result)
        return SVMC_ERR_ARG;
    memset(d, 0, sizeof *d);
    if (!is_possible(c) || !c->sealer || !c->sealer->priv.slots || !c->vm || !has_store(c->store) ||
        c->lane >= c->sealer->priv.slots->priv.lanes || !memory ||
        (uintptr_t)memory % SVMC_DISK_ALIGN != 0)
        return SVMC_ERR_ARG;
    if (bytes < svmc_disk_bytes(c))
        return SVMC_ERR_FULL;
    lay_memory(d, c, memory);
    d->priv.bytes = svmc_disk_bytes(c);
    memset(memory, 0, d->priv.bytes);
    (void)lay_store(d, c);
    d->priv.sealer = c->sealer;
    d->priv.store = c->store;
    d->priv.mode = c->mode;
    d->priv.sector_bytes = c->sector_bytes;
    d->priv.journal = c->journal;
    d->priv.nodes = c->nodes;
    d->priv.lane = c->lane;
    d->priv.anchored = c->mode == SVMC_DISK_AUTHENTIC && CORE_HAS_OP(c->store, anchor);
    return SVMC_OK;
}

/* ---- subkeys that are wanted -----------------------------------------------------------------*/

/* Each is a step for who wants it, so there is an end: a checkpoint has no more units, twice. */
static uint32_t turns_of(const struct svmc_disk *d)
{
    return 16 + 4 * d->priv.journal * LEVELS_MAX;
}

/* DK-20: whether to do it again, with the subkey that it wants. */
static bool again(struct svmc_disk *d, enum svmc_disk_reason *why, uint32_t *turns)
{
    if (*why != WANT)
        return false;
    if (*turns == 0) {
        d->priv.seal = SVMC_SEAL_SLOTS;
        *why = SVMC_DISK_SEAL;
        return false;
    }
    --*turns;
    *why = svmc_disk_bring(d);
    return *why == SVMC_DISK_NONE;
}

/* ---- the header ------------------------------------------------------------------------------*/

static bool is_zero(const uint8_t *at, size_t n)
{
    uint8_t any = 0;

    for (size_t i = 0; i < n; i++)
        any |= at[i];
    return any == 0;
}

/* DK-3: its form. */
static enum svmc_disk_reason judge(const uint8_t *h)
{
    if (is_zero(h, SVMC_DISK_BLOCK))
        return SVMC_DISK_BLANK;
    if (memcmp(h, magic, sizeof magic) != 0)
        return SVMC_DISK_HEADER;
    if (h[AT_VERSION] != VERSION)
        return SVMC_DISK_UNKNOWN;
    if (!is_zero(h + AT_END, SVMC_DISK_BLOCK - AT_END))
        return SVMC_DISK_HEADER;
    if (h[AT_HEADER_ALG] != h[AT_SEAL + ENTRY_ALG] ||
        svmc_cipher_shape_of(h[AT_HEADER_ALG]).tag_bytes != SVMC_TAG_BYTES)
        return SVMC_DISK_UNKNOWN;
    if (h[AT_ALG] != (h[AT_MODE] == SVMC_DISK_LENGTH ? SVMC_ALG_AES_256_XTS : h[AT_HEADER_ALG]))
        return SVMC_DISK_UNKNOWN;
    return SVMC_DISK_NONE;
}

enum svmc_status svmc_disk_inspect(const struct svmc_disk_store *store, struct svmc_disk_info *info)
{
    uint8_t h[SVMC_DISK_BLOCK];
    enum svmc_disk_reason why;

    if (!info)
        return SVMC_ERR_ARG;
    memset(info, 0, sizeof *info);
    if (!has_store(store))
        return SVMC_ERR_ARG;
    if (store->read(store->ctx, 0, h, sizeof h) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    why = judge(h);
    if (why != SVMC_DISK_NONE)
        return svmc_disk_status_of(why);
    info->sectors = core_load_le64(h + AT_SECTORS);
    info->number = core_load_le64(h + AT_NUMBER);
    memcpy(info->id.epoch, h + AT_SEAL + ENTRY_EPOCH, sizeof info->id.epoch);
    info->id.index = core_load_le64(h + AT_SEAL + ENTRY_INDEX);
    memcpy(info->vm, h + AT_VM, sizeof info->vm);
    memcpy(info->disk, h + AT_DISK, sizeof info->disk);
    info->mode = h[AT_MODE];
    info->alg = h[AT_ALG];
    info->header_alg = h[AT_HEADER_ALG];
    info->sector_bytes = core_load_le32(h + AT_SECTOR_BYTES);
    info->journal = core_load_le32(h + AT_JOURNAL);
    info->version = h[AT_VERSION];
    return SVMC_OK;
}

/* DK-6, DK-21: the header says what the config does, and its seal holds. */
static enum svmc_disk_reason open_header(struct svmc_disk *d, const struct svmc_disk_config *config)
{
    const uint8_t *h = d->priv.work;
    struct svmc_subkey_id id;
    enum svmc_disk_reason why;

    why = store_read(d, 0, d->priv.work, SVMC_DISK_BLOCK);
    if (why == SVMC_DISK_NONE)
        why = judge(h);
    if (why != SVMC_DISK_NONE)
        return why;
    if (memcmp(h + AT_VM, config->vm, SVMC_VM_ID_BYTES) != 0)
        return SVMC_DISK_OWNER;
    if (core_load_le64(h + AT_NUMBER) != config->number)
        return SVMC_DISK_OTHER;
    if (h[AT_MODE] != d->priv.mode || core_load_le64(h + AT_SECTORS) != d->priv.sectors ||
        core_load_le32(h + AT_SECTOR_BYTES) != d->priv.sector_bytes ||
        core_load_le32(h + AT_JOURNAL) != d->priv.journal)
        return SVMC_DISK_HEADER;
    memcpy(d->priv.id, h + AT_DISK, sizeof d->priv.id);
    memcpy(id.epoch, h + AT_SEAL + ENTRY_EPOCH, sizeof id.epoch);
    id.index = core_load_le64(h + AT_SEAL + ENTRY_INDEX);
    why = svmc_disk_open_header(d, h, AT_SEAL, h + AT_SEAL);
    if (why == SVMC_DISK_NONE && d->priv.mode == SVMC_DISK_LENGTH)
        why = svmc_disk_load_length(d, &id);
    return why;
}

/* DK-5: a header but for its seal. */
static enum svmc_disk_reason make_header(struct svmc_disk *d, const struct svmc_disk_config *config,
                                         uint8_t *h)
{
    const struct svmc_crypto_ops *ops = d->priv.sealer->priv.crypto;
    const uint8_t alg = (uint8_t)d->priv.sealer->priv.alg;
    enum svmc_disk_reason why = svmc_disk_may(d, true, 0, 1);

    if (why != SVMC_DISK_NONE)
        return why;
    if (memcmp(config->vm, d->priv.sealer->priv.key->priv.vm, SVMC_VM_ID_BYTES) != 0)
        return SVMC_DISK_OWNER;
    memset(h, 0, SVMC_DISK_BLOCK);
    memcpy(h, magic, sizeof magic);
    h[AT_VERSION] = VERSION;
    h[AT_MODE] = (uint8_t)d->priv.mode;
    h[AT_ALG] = d->priv.mode == SVMC_DISK_LENGTH ? SVMC_ALG_AES_256_XTS : alg;
    h[AT_HEADER_ALG] = alg;
    core_store_le32(h + AT_SECTOR_BYTES, d->priv.sector_bytes);
    core_store_le32(h + AT_JOURNAL, d->priv.journal);
    core_store_le64(h + AT_SECTORS, d->priv.sectors);
    core_store_le64(h + AT_NUMBER, config->number);
    memcpy(h + AT_VM, config->vm, SVMC_VM_ID_BYTES);
    if (ops->random(ops->ctx, d->priv.id, sizeof d->priv.id) != SVMC_OK) {
        d->priv.seal = SVMC_SEAL_CRYPTO;
        return SVMC_DISK_SEAL;
    }
    memcpy(h + AT_DISK, d->priv.id, sizeof d->priv.id);
    return SVMC_DISK_NONE;
}

/* DK-5: the header, and behind it an empty disk. */
static enum svmc_disk_reason write_header(struct svmc_disk *d,
                                          const struct svmc_disk_config *config)
{
    uint32_t turns = turns_of(d);
    uint8_t *h = d->priv.work;
    enum svmc_disk_reason why;
    struct svmc_subkey_id id;

    why = make_header(d, config, h);
    if (why != SVMC_DISK_NONE)
        return why;
    do
        why = svmc_disk_seal_header(d, h, AT_SEAL, h + AT_SEAL);
    while (again(d, &why, &turns));
    id = d->priv.writer.id;
    if (why == SVMC_DISK_NONE && d->priv.mode == SVMC_DISK_LENGTH)
        why = svmc_disk_load_length(d, &id);
    if (why == SVMC_DISK_NONE)
        why = store_write(d, 0, h, SVMC_DISK_BLOCK);
    if (why == SVMC_DISK_NONE)
        why = store_flush(d);
    if (why != SVMC_DISK_NONE || d->priv.mode == SVMC_DISK_LENGTH)
        return why;
    do
        why = svmc_disk_begin_roots(d);
    while (again(d, &why, &turns));
    return why;
}

/* ---- format, open, drop ----------------------------------------------------------------------*/

static void wipe(const struct svmc_disk *d, void *at, size_t n)
{
    const struct svmc_crypto_ops *ops = d->priv.sealer->priv.crypto;

    ops->wipe(ops->ctx, at, n);
}

/* DK-16 */
enum svmc_status svmc_disk_drop(struct svmc_disk *d)
{
    const struct svmc_crypto_ops *ops;
    enum svmc_status st;

    if (!d)
        return SVMC_ERR_ARG;
    if (!d->priv.sealer)
        return SVMC_OK;
    ops = d->priv.sealer->priv.crypto;
    st = svmc_disk_end_units(d);
    if (st != SVMC_OK)
        return st;
    if (d->priv.loaded)
        ops->cipher_drop(ops->ctx, d->priv.room);
    wipe(d, d->priv.memory, d->priv.bytes);
    memset(d, 0, sizeof *d);
    return SVMC_OK;
}

/* Nobody else is in the lane, so that the keys go at once. */
static enum svmc_status end(struct svmc_disk *d, enum svmc_disk_reason why,
                            struct svmc_disk_result *result)
{
    enum svmc_status st = say(d, why, 0, result);

    if (st != SVMC_OK && svmc_disk_drop(d) != SVMC_OK)
        memset(d, 0, sizeof *d);
    else if (d->priv.mode == SVMC_DISK_LENGTH)
        (void)svmc_disk_end_units(d); /* the header's alone; if not now, then with the disk */
    return st;
}

/* DK-4: only who says so gets over what is there, or is anchored. */
enum svmc_status svmc_disk_format(struct svmc_disk *disk, const struct svmc_disk_config *config,
                                  void *memory, size_t bytes, struct svmc_disk_result *result)
{
    enum svmc_status st = set_up(disk, config, memory, bytes, result);
    enum svmc_disk_reason why = SVMC_DISK_NONE;

    if (st == SVMC_OK && !CORE_HAS_OP(config->sealer->priv.crypto, random)) {
        memset(disk, 0, sizeof *disk);
        return SVMC_ERR_ARG;
    }
    if (st != SVMC_OK)
        return st;
    if (config->erase != SVMC_DISK_ERASE) {
        why = store_read(disk, 0, disk->priv.work, SVMC_DISK_BLOCK);
        if (why == SVMC_DISK_NONE &&
            (config->anchor != 0 || !is_zero(disk->priv.work, SVMC_DISK_BLOCK)))
            why = SVMC_DISK_IN_USE;
    }
    if (why == SVMC_DISK_NONE)
        why = write_header(disk, config);
    return end(disk, why, result);
}

static CORE_APART enum svmc_disk_reason open_parts(struct svmc_disk *d,
                                                   const struct svmc_disk_config *config)
{
    enum svmc_disk_reason why;
    uint32_t turns = 16; /* header, roots and a map */

    do
        why = open_header(d, config);
    while (again(d, &why, &turns));
    if (why != SVMC_DISK_NONE || config->mode == SVMC_DISK_LENGTH)
        return why;
    do
        why = svmc_disk_load_root(d, d->priv.anchored, config->anchor);
    while (again(d, &why, &turns));
    return why;
}

/* DK-19: sectors may have been sealed with any of the AEADs; what is tried here is not where the
   stack is deep. */
enum svmc_status svmc_disk_open(struct svmc_disk *disk, const struct svmc_disk_config *config,
                                void *memory, size_t bytes, struct svmc_disk_result *result)
{
    enum svmc_status st = set_up(disk, config, memory, bytes, result);
    enum svmc_disk_reason why = SVMC_DISK_NONE;

    if (st != SVMC_OK)
        return st;
    for (uint32_t alg = SVMC_ALG_AES_256_GCM; alg <= SVMC_ALG_XCHACHA20_POLY1305; alg++)
        if (svmc_seal_try(config->sealer, alg) == SVMC_SEAL_SELF_TEST)
            break; /* the gate says it, too */
    why = open_parts(disk, config);
    return end(disk, why, result);
}

/* ---- requests --------------------------------------------------------------------------------*/

/* What every request is asked first. */
static enum svmc_disk_reason admit(struct svmc_disk *d, bool seal, uint64_t first, uint64_t count)
{
    if (first >= d->priv.sectors || count > d->priv.sectors - first ||
        count > SIZE_MAX / d->priv.sector_bytes)
        return SVMC_DISK_RANGE;
    if (d->priv.doubt)
        return SVMC_DISK_DOUBT;
    return svmc_disk_may(d, seal, first, count);
}

/* DK-9: one sector, verified, in the bounce buffer. */
static enum svmc_disk_reason fetch(struct svmc_disk *d, uint64_t sector)
{
    const uint8_t *entry = svmc_disk_find_entry(d, sector), *node;
    const struct name name = { KIND_SECTOR, 0, sector };
    enum svmc_disk_reason why = SVMC_DISK_NONE;
    uint64_t at = d->priv.data_at + sector * SVMC_DISK_SECTOR;
    uint32_t where;

    if (entry) {
        at = d->priv.journal_at + core_load_le64(entry + ENTRY_WHERE) * SVMC_DISK_SECTOR;
    } else {
        why = svmc_disk_find_node(d, 0, sector >> NODE_SHIFT, &node, &where);
        if (why != SVMC_DISK_NONE)
            return why;
        entry = node + (size_t)(sector % NODE_ENTRIES) * ENTRY_BYTES;
        if (entry_is_empty(entry)) {
            memset(d->priv.bounce, 0, SVMC_DISK_SECTOR);
            return SVMC_DISK_NONE;
        }
    }
    why = store_read(d, at, d->priv.bounce, SVMC_DISK_SECTOR);
    if (why == SVMC_DISK_NONE)
        why = svmc_disk_open_unit(d, &name, d->priv.bounce, SVMC_DISK_SECTOR, entry);
    return why;
}

/* DK-15: out NULL: verify only. */
static enum svmc_disk_reason fetch_all(struct svmc_disk *d, uint64_t first, uint64_t count,
                                       uint8_t *out, uint64_t *done)
{
    enum svmc_disk_reason why = SVMC_DISK_NONE;
    uint32_t turns;

    for (*done = 0; *done < count; ++*done) {
        turns = turns_of(d);
        do
            why = fetch(d, first + *done);
        while (again(d, &why, &turns));
        if (why != SVMC_DISK_NONE)
            break;
        if (out)
            memcpy(out + (size_t)*done * SVMC_DISK_SECTOR, d->priv.bounce, SVMC_DISK_SECTOR);
    }
    return why;
}

enum svmc_status svmc_disk_read(struct svmc_disk *disk, uint64_t first, uint64_t count, void *out,
                                struct svmc_disk_result *result)
{
    enum svmc_disk_reason why;
    uint64_t done = 0;

    if (result)
        memset(result, 0, sizeof *result);
    if (!disk || !disk->priv.sealer || !out || !result)
        return SVMC_ERR_ARG;
    why = admit(disk, false, first, count);
    if (why == SVMC_DISK_NONE)
        why = disk->priv.mode == SVMC_DISK_LENGTH ? svmc_disk_read_length(disk, first, count, out)
                                                  : fetch_all(disk, first, count, out, &done);
    if (why != SVMC_DISK_RANGE)
        wipe(disk, disk->priv.bounce, SVMC_DISK_SECTOR);
    if (why != SVMC_DISK_NONE && why != SVMC_DISK_RANGE)
        memset(out, 0, (size_t)count * disk->priv.sector_bytes);
    return say(disk, why, first + done, result);
}

enum svmc_status svmc_disk_check(struct svmc_disk *disk, uint64_t first, uint64_t count,
                                 struct svmc_disk_result *result)
{
    enum svmc_disk_reason why;

    if (result)
        memset(result, 0, sizeof *result);
    if (!disk || !disk->priv.sealer || !result)
        return SVMC_ERR_ARG;
    if (disk->priv.mode == SVMC_DISK_LENGTH)
        return SVMC_ERR_UNSUPPORTED;
    why = admit(disk, false, first, count);
    if (why == SVMC_DISK_NONE)
        why = fetch_all(disk, first, count, NULL, &result->done);
    wipe(disk, disk->priv.bounce, SVMC_DISK_SECTOR);
    return say(disk, why, first + result->done, result);
}

/* DK-12, DK-13: one sector, for which there may have to be room. */
static enum svmc_disk_reason append(struct svmc_disk *d, uint64_t sector, const uint8_t *in)
{
    enum svmc_disk_reason why = SVMC_DISK_NONE;
    uint32_t turns = turns_of(d);

    do {
        if (svmc_disk_is_full(d))
            why = svmc_disk_commit(d);
        if (why == SVMC_DISK_NONE && svmc_disk_is_full(d))
            why = svmc_disk_checkpoint(d);
        if (why == SVMC_DISK_NONE)
            why = svmc_disk_append(d, sector, in);
    } while (again(d, &why, &turns));
    return why;
}

enum svmc_status svmc_disk_write(struct svmc_disk *disk, uint64_t first, uint64_t count,
                                 const void *in, struct svmc_disk_result *result)
{
    const uint8_t *from = in;
    enum svmc_disk_reason why;

    if (result)
        memset(result, 0, sizeof *result);
    if (!disk || !disk->priv.sealer || !in || !result)
        return SVMC_ERR_ARG;
    why = admit(disk, true, first, count);
    if (why == SVMC_DISK_NONE && disk->priv.mode == SVMC_DISK_LENGTH)
        why = svmc_disk_write_length(disk, first, count, from, &result->done);
    while (disk->priv.mode == SVMC_DISK_AUTHENTIC && why == SVMC_DISK_NONE &&
           result->done < count) {
        why = append(disk, first + result->done, from + (size_t)result->done * SVMC_DISK_SECTOR);
        if (why == SVMC_DISK_NONE)
            result->done++;
    }
    return say(disk, why, first + result->done, result);
}

enum svmc_status svmc_disk_flush(struct svmc_disk *disk, struct svmc_disk_result *result)
{
    enum svmc_disk_reason why = SVMC_DISK_DOUBT;
    uint32_t turns;

    if (result)
        memset(result, 0, sizeof *result);
    if (!disk || !disk->priv.sealer || !result)
        return SVMC_ERR_ARG;
    turns = turns_of(disk);
    if (!disk->priv.doubt)
        do
            why = disk->priv.mode == SVMC_DISK_LENGTH ? store_flush(disk) : svmc_disk_commit(disk);
        while (again(disk, &why, &turns));
    return say(disk, why, 0, result);
}
