/* SPDX-License-Identifier: MIT */
#include "../fakehost/cipher.h"
#include "disk_lab.h"

static struct disk_lab lab;

TEST(disk, what_was_written_is_read_after_a_start) /* DK-9 DK-11 */
{
    disk_lab_init(&lab, 1, 150);
    REQUIRE(disk_lab_format(&lab) == SVMC_OK);
    for (uint64_t s = 0; s < 150; s++)
        CHECK(disk_lab_is(&lab, s, 0), "%" PRIu64, s);
    for (uint64_t n = 0; n < 60; n++)
        CHECK_EQ(disk_lab_write(&lab, n * 7 % 150, n + 1), SVMC_OK, "%" PRIu64, n);
    for (uint64_t n = 0; n < 60; n++)
        CHECK(disk_lab_is(&lab, n * 7 % 150, n + 1), "%" PRIu64, n);
    CHECK_EQ(svmc_disk_flush(&lab.disk, &lab.result), SVMC_OK);
    disk_lab_cut(&lab, DISK_LAB_LOSES, NULL);
    disk_lab_boot(&lab);
    REQUIRE(CHECK_EQ(disk_lab_open(&lab), SVMC_OK));
    for (uint64_t n = 0; n < 60; n++)
        CHECK(disk_lab_is(&lab, n * 7 % 150, n + 1), "%" PRIu64, n);
    CHECK_EQ(svmc_disk_check(&lab.disk, 0, 150, &lab.result), SVMC_OK);
    CHECK_EQ(lab.result.done, 150);
    CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
}

TEST(disk, a_reason_has_a_name_of_its_own) /* DK-9 */
{
    static const struct {
        uint32_t reason;
        char name[24];
    } rows[] = {
        { SVMC_DISK_NONE, "SVMC_DISK_NONE" },   { SVMC_DISK_ROLLBACK, "SVMC_DISK_ROLLBACK" },
        { SVMC_DISK_SEAL, "SVMC_DISK_SEAL" },   { SVMC_DISK_DOUBT, "SVMC_DISK_DOUBT" },
        { SVMC_DISK_OTHER, "SVMC_DISK_OTHER" }, { SVMC_DISK_OTHER + 1, "SVMC_DISK_?" },
        { UINT32_MAX, "SVMC_DISK_?" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK(strcmp(svmc_disk_name(rows[i].reason), rows[i].name) == 0, "%s", rows[i].name);
    for (uint32_t i = 0; i <= SVMC_DISK_OTHER; i++)
        for (uint32_t k = 0; k < i; k++)
            CHECK(strcmp(svmc_disk_name(i), svmc_disk_name(k)) != 0, "%u %u", i, k);
}

/* ---- numbers ---------------------------------------------------------------------------------*/

TEST(disk, only_possible_numbers_are_taken) /* DK-1 DK-2 */
{
    static const struct {
        char name[24];
        uint32_t mode, sector_bytes, journal, nodes;
        uint64_t sectors, bytes; /* bytes: of the store, counted by hand; 0: refused */
    } rows[] = {
        { "authentic", 2, 4096, 8, 1, 64, (3 + 2 + 8 + 2 + 64) * 4096 },
        { "two levels", 2, 4096, 64, 1, 65, (3 + 2 + 64 + 4 + 2 + 65) * 4096 },
        { "two blocks of a map", 2, 4096, 72, 1, 1, (3 + 4 + 72 + 2 + 1) * 4096 },
        { "all of it", 2, 4096, 1024, 65536, 1ull << 40,
          (3 + 32 + 1024 + (1ull << 40) +
           2 * (1 + (1ull << 4) + (1ull << 10) + (1ull << 16) + (1ull << 22) + (1ull << 28) +
                (1ull << 34))) *
              4096 },
        { "length, 4096", 1, 4096, 0, 0, 10, 4096 + 10 * 4096 },
        { "length, 512", 1, 512, 0, 0, 10, 4096 + 10 * 512 },
        { "no mode", 0, 4096, 8, 1, 64, 0 },
        { "another mode", 3, 4096, 8, 1, 64, 0 },
        { "no sector", 2, 4096, 8, 1, 0, 0 },
        { "too many sectors", 2, 4096, 8, 1, (1ull << 40) + 1, 0 },
        { "tags for 512", 2, 512, 8, 1, 64, 0 },
        { "no journal", 2, 4096, 0, 1, 64, 0 },
        { "a journal of 12", 2, 4096, 12, 1, 64, 0 },
        { "too much journal", 2, 4096, 1032, 1, 64, 0 },
        { "no node", 2, 4096, 8, 0, 64, 0 },
        { "too many nodes", 2, 4096, 8, 65537, 64, 0 },
        { "length, 1024", 1, 1024, 0, 0, 10, 0 },
        { "length, a journal", 1, 4096, 8, 0, 10, 0 },
        { "length, nodes", 1, 4096, 0, 1, 10, 0 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct svmc_disk_config c = { .mode = rows[i].mode,
                                            .sector_bytes = rows[i].sector_bytes,
                                            .journal = rows[i].journal,
                                            .nodes = rows[i].nodes,
                                            .sectors = rows[i].sectors };

        CHECK_EQ(svmc_disk_store_bytes(&c), rows[i].bytes, "%s", rows[i].name);
        CHECK_EQ(svmc_disk_bytes(&c) != 0, rows[i].bytes != 0, "%s", rows[i].name);
    }
    CHECK_EQ(svmc_disk_bytes(NULL), 0);
    CHECK_EQ(svmc_disk_store_bytes(NULL), 0);
}

static enum svmc_status open_with(struct svmc_disk_config config, void *memory, size_t bytes)
{
    enum svmc_status st = svmc_disk_open(&lab.disk, &config, memory, bytes, &lab.result);

    CHECK(st == SVMC_OK || lab.disk.priv.sealer == NULL);
    return st;
}

TEST(disk, what_breaks_the_contract_is_refused) /* DK-1 DK-11 */
{
    static uint8_t buffer[2 * SVMC_DISK_SECTOR];
    struct svmc_disk_store store;
    struct svmc_disk_config c;
    struct svmc_disk_info info;
    size_t need;

    disk_lab_init(&lab, 1, 70);
    REQUIRE(disk_lab_format(&lab) == SVMC_OK);
    CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
    lab.config.anchor = lab.store.anchor;
    need = svmc_disk_bytes(&lab.config);
    CHECK_EQ(open_with(lab.config, NULL, need), SVMC_ERR_ARG);
    CHECK_EQ(open_with(lab.config, lab.memory + 8, need), SVMC_ERR_ARG);
    CHECK_EQ(open_with(lab.config, lab.memory, need - 1), SVMC_ERR_FULL);
    c = lab.config, c.sealer = NULL;
    CHECK_EQ(open_with(c, lab.memory, need), SVMC_ERR_ARG);
    c = lab.config, c.vm = NULL;
    CHECK_EQ(open_with(c, lab.memory, need), SVMC_ERR_ARG);
    c = lab.config, c.lane = 2;
    CHECK_EQ(open_with(c, lab.memory, need), SVMC_ERR_ARG);
    c = lab.config, c.store = NULL;
    CHECK_EQ(open_with(c, lab.memory, need), SVMC_ERR_ARG);
    c = lab.config, c.store = &store;
    store = lab.store.ops, store.read = NULL;
    CHECK_EQ(open_with(c, lab.memory, need), SVMC_ERR_ARG);
    store = lab.store.ops, store.size = offsetof(struct svmc_disk_store, flush);
    CHECK_EQ(open_with(c, lab.memory, need), SVMC_ERR_ARG);
    CHECK_EQ(svmc_disk_open(NULL, &lab.config, lab.memory, need, &lab.result), SVMC_ERR_ARG);
    CHECK_EQ(svmc_disk_open(&lab.disk, &lab.config, lab.memory, need, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_disk_inspect(&store, &info), SVMC_ERR_ARG);
    CHECK_EQ(svmc_disk_read(&lab.disk, 0, 1, buffer, &lab.result), SVMC_ERR_ARG); /* not open */
    REQUIRE(CHECK_EQ(open_with(lab.config, lab.memory, need), SVMC_OK));
    memset(buffer, 0x55, sizeof buffer);
    CHECK_EQ(svmc_disk_read(&lab.disk, 69, 2, buffer, &lab.result), SVMC_ERR_ARG);
    CHECK_EQ(lab.result.reason, SVMC_DISK_RANGE);
    CHECK_EQ(svmc_disk_read(&lab.disk, UINT64_MAX, 2, buffer, &lab.result), SVMC_ERR_ARG);
    CHECK_EQ(svmc_disk_read(&lab.disk, 1, UINT64_MAX, buffer, &lab.result), SVMC_ERR_ARG);
    CHECK(buffer[0] == 0x55 && buffer[8191] == 0x55); /* its length is not known */
    CHECK_EQ(svmc_disk_write(&lab.disk, 70, 1, buffer, &lab.result), SVMC_ERR_ARG);
    CHECK_EQ(lab.result.reason, SVMC_DISK_RANGE);
    CHECK_EQ(svmc_disk_check(&lab.disk, 0, 71, &lab.result), SVMC_ERR_ARG);
    CHECK_EQ(svmc_disk_read(&lab.disk, 0, 1, NULL, &lab.result), SVMC_ERR_ARG);
    CHECK_EQ(svmc_disk_write(&lab.disk, 0, 1, NULL, &lab.result), SVMC_ERR_ARG);
    CHECK_EQ(svmc_disk_read(&lab.disk, 69, 1, buffer, &lab.result), SVMC_OK);
    CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
    CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK); /* nothing is open */
    CHECK_EQ(svmc_disk_drop(NULL), SVMC_ERR_ARG);
}

TEST(disk, a_new_disk_is_of_the_vm_whose_key_it_has) /* DK-5 DK-19 */
{
    uint8_t other[SVMC_VM_ID_BYTES];

    disk_lab_init(&lab, 1, 70);
    memcpy(other, lab.config.vm, sizeof other);
    other[15] ^= 1;
    lab.config.vm = other;
    CHECK_EQ(disk_lab_format(&lab), SVMC_ERR_OWNER);
    CHECK_EQ(lab.result.reason, SVMC_DISK_OWNER);
    CHECK(lab.disk.priv.sealer == NULL);
    svmc_vmkey_drop(&lab.key);
    CHECK_EQ(disk_lab_format(&lab), SVMC_ERR_ABSENT); /* no key says whose it is */
    CHECK_EQ(lab.result.seal, SVMC_SEAL_NO_KEY);
    other[15] ^= 1;
    disk_lab_boot(&lab);
    CHECK_EQ(disk_lab_format(&lab), SVMC_OK); /* nothing was written: it is blank still */
    CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
}

TEST(disk, what_the_table_lacks_is_not_called) /* DK-1 DK-10 CR-1 */
{
    static uint8_t buffer[SVMC_DISK_SECTOR];
    struct svmc_crypto_ops less;

    disk_lab_init(&lab, 1, 70);
    less = lab.crypto.ops;
    lab.sealer.priv.crypto = &less; /* another table than the key's */
    less.random = NULL;
    CHECK_EQ(disk_lab_format(&lab), SVMC_ERR_ARG);
    CHECK(lab.disk.priv.sealer == NULL);
    less = lab.crypto.ops;
    less.crypt = NULL;
    lab.config.mode = SVMC_DISK_LENGTH;
    lab.config.journal = lab.config.nodes = 0;
    CHECK_EQ(disk_lab_format(&lab), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(lab.result.reason, SVMC_DISK_UNKNOWN);
    less = lab.crypto.ops;
    lab.config.erase = SVMC_DISK_ERASE;
    REQUIRE(CHECK_EQ(disk_lab_format(&lab), SVMC_OK));
    CHECK_EQ(svmc_disk_write(&lab.disk, 3, 1, buffer, &lab.result), SVMC_OK);
    CHECK_EQ(svmc_disk_read(&lab.disk, 3, 1, buffer, &lab.result), SVMC_OK);
    CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
}

TEST(disk, a_header_says_what_lies_there) /* DK-3 */
{
    struct svmc_disk_info info;

    disk_lab_init(&lab, 1, 70);
    lab.config.number = 0x1122334455667788u;
    CHECK_EQ(svmc_disk_inspect(&lab.store.ops, &info), SVMC_ERR_FORMAT);
    REQUIRE(disk_lab_format(&lab) == SVMC_OK);
    CHECK_EQ(svmc_disk_inspect(&lab.store.ops, &info), SVMC_OK);
    CHECK(info.sectors == 70 && info.mode == SVMC_DISK_AUTHENTIC && info.version == 1 &&
          info.alg == SVMC_ALG_AES_256_GCM && info.header_alg == SVMC_ALG_AES_256_GCM &&
          info.sector_bytes == 4096 && info.journal == 8 && info.number == 0x1122334455667788u);
    CHECK_MEM(info.vm, lab.vm, sizeof info.vm);
    CHECK_MEM(info.id.epoch, lab.disk.priv.writer.id.epoch, sizeof info.id.epoch);
    lab.store.fail_at = lab.store.calls + 1;
    CHECK_EQ(svmc_disk_inspect(&lab.store.ops, &info), SVMC_ERR_CALLBACK);
    CHECK_EQ(info.sectors, 0);
    lab.store.now[4] = 9;
    CHECK_EQ(svmc_disk_inspect(&lab.store.ops, &info), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(svmc_disk_inspect(&lab.store.ops, NULL), SVMC_ERR_ARG);
}

/* ---- the gate, budgets, slots ----------------------------------------------------------------*/

TEST(disk, the_gate_is_asked_for_every_request) /* DK-10 DK-19 */
{
    static const struct {
        char name[16];
        uint32_t state, usage, read, write; /* enum svmc_seal_reason */
    } rows[] = {
        { "active", SVMC_KEY_ACTIVE, 12, SVMC_SEAL_NONE, SVMC_SEAL_NONE },
        { "deactivated", SVMC_KEY_DEACTIVATED, 12, SVMC_SEAL_NONE, SVMC_SEAL_KEY_STATE },
        { "compromised", SVMC_KEY_COMPROMISED, 12, SVMC_SEAL_KEY_STATE, SVMC_SEAL_KEY_STATE },
        { "opens only", SVMC_KEY_ACTIVE, 8, SVMC_SEAL_NONE, SVMC_SEAL_USAGE },
        { "seals only", SVMC_KEY_ACTIVE, 4, SVMC_SEAL_USAGE, SVMC_SEAL_NONE },
    };
    static uint8_t buffer[SVMC_DISK_SECTOR];

    for (uint32_t mode = SVMC_DISK_LENGTH; mode <= SVMC_DISK_AUTHENTIC; mode++) {
        disk_lab_init(&lab, 1, 70);
        if (mode == SVMC_DISK_LENGTH)
            lab.config.mode = mode, lab.config.journal = lab.config.nodes = 0;
        REQUIRE(disk_lab_format(&lab) == SVMC_OK);
        CHECK_EQ(disk_lab_write(&lab, 5, 6), SVMC_OK);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            svmc_sealer_key(&lab.sealer, rows[i].state, rows[i].usage);
            memset(buffer, 0x55, sizeof buffer);
            CHECK_EQ(svmc_disk_read(&lab.disk, 5, 1, buffer, &lab.result),
                     svmc_seal_status((enum svmc_seal_reason)rows[i].read), "%s", rows[i].name);
            CHECK_EQ(lab.result.seal, rows[i].read, "%s", rows[i].name);
            CHECK((rows[i].read != SVMC_SEAL_NONE) == (buffer[0] == 0 && buffer[4095] == 0));
            CHECK_EQ(disk_lab_write(&lab, 5, 6),
                     svmc_seal_status((enum svmc_seal_reason)rows[i].write), "%s", rows[i].name);
            CHECK_EQ(lab.result.seal, rows[i].write, "%s", rows[i].name);
        }
        svmc_vmkey_drop(&lab.key);
        svmc_sealer_key(&lab.sealer, SVMC_KEY_ACTIVE, 12);
        CHECK_EQ(svmc_disk_read(&lab.disk, 5, 1, buffer, &lab.result), SVMC_ERR_ABSENT);
        CHECK_EQ(disk_lab_write(&lab, 5, 6), SVMC_ERR_ABSENT);
        CHECK_EQ(lab.result.seal, SVMC_SEAL_NO_KEY);
        CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
    }
    disk_lab_init(&lab, 1, 70);
    lab.sealer.priv.protect = SVMC_PROTECT(SVMC_KEY_PAGE);
    CHECK_EQ(disk_lab_format(&lab), SVMC_ERR_REFUSED);
    CHECK_EQ(lab.result.seal, SVMC_SEAL_UNPROTECTED);
    disk_lab_init(&lab, 1, 70);
    CHECK_EQ(disk_lab_format(&lab), SVMC_OK);
    CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
    lab.sealer.priv.tested = 0;
    lab.crypto.is_quick = false; /* so that all vectors are right */
    CHECK_EQ(disk_lab_open(&lab), SVMC_ERR_REFUSED);
    CHECK_EQ(lab.result.seal, SVMC_SEAL_SELF_TEST);
    CHECK_EQ(lab.sealer.priv.tested, 0); /* SE-2 */
}

TEST(disk, a_deactivated_key_still_opens) /* DK-6 DK-19 */
{
    disk_lab_init(&lab, 1, 70);
    REQUIRE(disk_lab_format(&lab) == SVMC_OK);
    CHECK_EQ(disk_lab_write(&lab, 69, 6), SVMC_OK);
    CHECK_EQ(svmc_disk_flush(&lab.disk, &lab.result), SVMC_OK);
    disk_lab_boot(&lab);
    svmc_sealer_key(&lab.sealer, SVMC_KEY_DEACTIVATED, 12);
    CHECK_EQ(disk_lab_open(&lab), SVMC_OK);
    CHECK(disk_lab_is(&lab, 69, 6));
    CHECK_EQ(disk_lab_write(&lab, 69, 7), SVMC_ERR_REFUSED);
    CHECK(disk_lab_is(&lab, 69, 6));
}

TEST(disk, a_subkey_that_is_used_up_gives_way_to_the_next) /* DK-18 DK-19 DK-20 */
{
    disk_lab_init(&lab, 1, 70);
    CHECK_EQ(svmc_vmkey_limit(&lab.key, 7, 2000), SVMC_OK); /* seven sectors, or fewer */
    REQUIRE(disk_lab_format(&lab) == SVMC_OK);
    for (uint64_t s = 0; s < 70; s++)
        CHECK_EQ(disk_lab_write(&lab, s, s + 1), SVMC_OK, "%" PRIu64, s);
    CHECK(lab.disk.priv.writer.id.index >= 10);
    CHECK_EQ(svmc_disk_flush(&lab.disk, &lab.result), SVMC_OK);
    for (uint64_t s = 0; s < 70; s++) /* ten subkeys, and a few of them at a time */
        CHECK(disk_lab_is(&lab, s * 9 % 70, s * 9 % 70 + 1), "%" PRIu64, s);
    CHECK_EQ(svmc_sealer_renew(&lab.sealer), SVMC_OK); /* as after a restore: a fresh epoch */
    CHECK_EQ(disk_lab_write(&lab, 1, 100), SVMC_OK);
    CHECK(disk_lab_is(&lab, 1, 100) && disk_lab_is(&lab, 2, 3));
    CHECK_EQ(svmc_vmkey_limit(&lab.key, 1, 100), SVMC_OK); /* no sector fits in it */
    CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
    CHECK_EQ(disk_lab_open(&lab), SVMC_OK);
    CHECK_EQ(disk_lab_write(&lab, 1, 100), SVMC_ERR_FULL);
    CHECK_EQ(lab.result.seal, SVMC_SEAL_BUDGET);
}

TEST(disk, it_makes_do_with_few_slots) /* DK-19 */
{
    svmc_key_handle taken[8];
    struct svmc_keyslot_key key = { .alg = SVMC_ALG_AES_256_GCM, .unit_bytes = 4096 };
    static const uint8_t bytes[64] = { 1 };
    unsigned n = 0;

    disk_lab_init(&lab, 1, 70);
    key.bytes = bytes;
    for (; n < 6; n++) /* of eight */
        CHECK_EQ(svmc_keyslot_load(&lab.slots, &key, &taken[n]), SVMC_OK);
    CHECK_EQ(svmc_vmkey_limit(&lab.key, 7, 2000), SVMC_OK);
    REQUIRE(disk_lab_format(&lab) == SVMC_OK);
    for (uint64_t s = 0; s < 70; s++)
        CHECK_EQ(disk_lab_write(&lab, s, s + 1), SVMC_OK, "%" PRIu64, s);
    for (uint64_t s = 0; s < 70; s++)
        CHECK(disk_lab_is(&lab, s * 9 % 70, s * 9 % 70 + 1), "%" PRIu64, s);
    CHECK_EQ(svmc_keyslot_load(&lab.slots, &key, &taken[6]), SVMC_ERR_FULL);
    CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
    CHECK_EQ(svmc_keyslot_load(&lab.slots, &key, &taken[6]), SVMC_OK);
    CHECK_EQ(svmc_keyslot_load(&lab.slots, &key, &taken[7]), SVMC_OK);
    CHECK_EQ(disk_lab_open(&lab), SVMC_ERR_FULL);
    CHECK_EQ(lab.result.seal, SVMC_SEAL_SLOTS);
}

/* ---- what is left, and what is seen ----------------------------------------------------------*/

TEST(disk, reading_wears_out_no_slots) /* DK-19 KS-5 KS-21 */
{
    uint32_t was[SVMC_DISK_READERS];

    disk_lab_init(&lab, 1, 70);
    REQUIRE(disk_lab_format(&lab) == SVMC_OK);
    for (uint64_t s = 0; s < 6; s++) { /* each of a session of its own */
        CHECK_EQ(disk_lab_write(&lab, s, s + 1), SVMC_OK);
        CHECK_EQ(svmc_disk_flush(&lab.disk, &lab.result), SVMC_OK);
        CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
        CHECK_EQ(disk_lab_open(&lab), SVMC_OK);
    }
    for (unsigned turn = 0; turn < 60; turn++) {
        CHECK(disk_lab_is(&lab, turn % 6, turn % 6 + 1), "%u", turn);
        for (uint32_t i = 0; i < SVMC_DISK_READERS; i++) {
            CHECK(turn < 6 || lab.disk.priv.reader[i].slot.raw == was[i], "%u", turn);
            was[i] = lab.disk.priv.reader[i].slot.raw;
        }
    }
}

static bool has(const uint8_t *in, size_t n, const uint8_t *what)
{
    for (size_t at = 0; at + 16 <= n; at++)
        if (in[at] == what[0] && memcmp(in + at, what, 16) == 0)
            return true;
    return false;
}

TEST(disk, the_store_never_has_plaintext_nor_is_any_left) /* DK-11 DK-16 */
{
    static uint8_t plain[SVMC_DISK_SECTOR], zeros[sizeof lab.memory];

    for (uint32_t mode = SVMC_DISK_LENGTH; mode <= SVMC_DISK_AUTHENTIC; mode++) {
        disk_lab_init(&lab, 1, 70);
        if (mode == SVMC_DISK_LENGTH)
            lab.config.mode = mode, lab.config.journal = lab.config.nodes = 0;
        REQUIRE(disk_lab_format(&lab) == SVMC_OK);
        disk_lab_fill(plain, sizeof plain, 3, 77);
        for (uint64_t n = 0; n < 20; n++)
            CHECK_EQ(disk_lab_write(&lab, n == 5 ? 3 : n + 10, 77), SVMC_OK);
        CHECK(disk_lab_is(&lab, 3, 77));
        CHECK(!has(lab.store.now, sizeof lab.store.now, plain + 64));
        CHECK(!has(lab.memory, sizeof lab.memory, plain + 64));
        CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
        CHECK_MEM(lab.memory, zeros, sizeof lab.memory);
        svmc_keyslots_drop(&lab.slots);
        CHECK_EQ(lab.crypto.toy.loaded, 0);
    }
}

/* ---- same length -----------------------------------------------------------------------------*/

TEST(disk, length_preserving_is_xts_with_the_sector_as_tweak) /* DK-10 */
{
    static const uint32_t sizes[] = { 512, 4096 };
    static uint8_t plain[3 * SVMC_DISK_SECTOR], want[SVMC_DISK_SECTOR], got[3 * SVMC_DISK_SECTOR];
    struct svmc_disk_info info;
    struct fake_cipher xts = { .alg = SVMC_ALG_AES_256_XTS, .lanes = 1 };

    for (size_t i = 0; i < 2; i++) {
        const uint32_t n = sizes[i];

        disk_lab_init(&lab, 1, 70);
        lab.crypto.is_quick = false;
        lab.config.mode = SVMC_DISK_LENGTH;
        lab.config.journal = lab.config.nodes = 0;
        lab.config.sector_bytes = n;
        REQUIRE(disk_lab_format(&lab) == SVMC_OK);
        disk_lab_fill(plain, 3 * n, 9, 9);
        CHECK_EQ(svmc_disk_write(&lab.disk, 60, 3, plain, &lab.result), SVMC_OK);
        CHECK_EQ(lab.result.done, 3);
        CHECK_EQ(svmc_disk_flush(&lab.disk, &lab.result), SVMC_OK);
        CHECK_EQ(svmc_disk_inspect(&lab.store.ops, &info), SVMC_OK);
        CHECK(info.alg == SVMC_ALG_AES_256_XTS && info.sector_bytes == n && info.mode == 1);
        CHECK_EQ(
            svmc_vmkey_subkey(&lab.key, SVMC_KEY_DISK, SVMC_ALG_AES_256_XTS, &info.id, xts.key),
            SVMC_OK);
        for (uint32_t s = 0; s < 3; s++) {
            const uint8_t tweak[16] = { (uint8_t)(60 + s) };
            const struct svmc_cipher_unit u = {
                .nonce = tweak, .in = plain + s * n, .out = want, .n = n
            };

            fake_xts(&xts, &u, true);
            CHECK_MEM(lab.store.now + 4096 + (60 + s) * n, want, n, "%u, %u", n, s);
        }
        disk_lab_boot(&lab);
        lab.crypto.is_quick = false;
        REQUIRE(CHECK_EQ(disk_lab_open(&lab), SVMC_OK));
        CHECK_EQ(svmc_disk_read(&lab.disk, 60, 3, got, &lab.result), SVMC_OK);
        CHECK_MEM(got, plain, 3 * n);
        CHECK_EQ(svmc_disk_check(&lab.disk, 0, 1, &lab.result), SVMC_ERR_UNSUPPORTED);
        lab.store.now[40] ^= 1; /* of the disk's name: the header is sealed all the same */
        CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
        CHECK_EQ(disk_lab_open(&lab), SVMC_ERR_AUTH);
        CHECK_EQ(lab.result.reason, SVMC_DISK_CHANGED);
    }
}

TEST(disk, length_preserving_fails_without_a_trace) /* DK-10 DK-11 */
{
    static uint8_t buffer[20 * 512];
    static const uint8_t zeros[20 * 512];

    for (unsigned k = 1; k < 16; k++) {
        disk_lab_init(&lab, 1, 70);
        lab.config.mode = SVMC_DISK_LENGTH;
        lab.config.journal = lab.config.nodes = 0;
        lab.config.sector_bytes = 512;
        REQUIRE(disk_lab_format(&lab) == SVMC_OK);
        memset(buffer, 0x66, sizeof buffer);
        CHECK_EQ(svmc_disk_write(&lab.disk, 0, 20, buffer, &lab.result), SVMC_OK);
        lab.crypto.calls = 0;
        lab.crypto.fail_at = k;
        CHECK_EQ(svmc_disk_read(&lab.disk, 0, 20, buffer, &lab.result), SVMC_ERR_CALLBACK);
        CHECK(lab.result.reason == SVMC_DISK_SEAL && lab.result.seal == SVMC_SEAL_CRYPTO);
        CHECK_MEM(buffer, zeros, sizeof buffer, "%u", k);
        lab.crypto.calls = 0;
        CHECK_EQ(svmc_disk_write(&lab.disk, 0, 20, buffer, &lab.result), SVMC_ERR_CALLBACK);
        CHECK_EQ(lab.result.done, (k - 1) / 8 * 8, "%u", k); /* eight go at once */
        lab.crypto.fail_at = 0;
        lab.store.fail_at = lab.store.calls + 1 + k % 3;
        memset(buffer, 0x66, sizeof buffer);
        CHECK_EQ(svmc_disk_read(&lab.disk, 0, 20, buffer, &lab.result), SVMC_ERR_CALLBACK);
        CHECK_EQ(lab.result.reason, SVMC_DISK_STORE);
        CHECK_MEM(buffer, zeros, sizeof buffer, "%u", k);
        lab.store.fail_at = lab.store.calls + 1 + k % 3;
        CHECK_EQ(svmc_disk_write(&lab.disk, 0, 20, buffer, &lab.result), SVMC_ERR_CALLBACK);
        CHECK_EQ(lab.result.done, k % 3 * 8, "%u", k);
        lab.store.fail_at = lab.store.calls + 1;
        CHECK_EQ(svmc_disk_flush(&lab.disk, &lab.result), SVMC_ERR_CALLBACK);
        CHECK_EQ(svmc_disk_flush(&lab.disk, &lab.result), SVMC_OK);
    }
    memset(buffer, 0x5a, sizeof buffer);
    lab.crypto.calls = 0;
    lab.crypto.fail_at = 2; /* of eight that were copied at once */
    CHECK_EQ(svmc_disk_write(&lab.disk, 0, 8, buffer, &lab.result), SVMC_ERR_CALLBACK);
    lab.crypto.fail_at = 0;
    CHECK(!has(lab.memory, sizeof lab.memory, buffer));
    lab.disk.priv.blocks = 63; /* of 2^36: 512 bytes are 32 */
    CHECK_EQ(svmc_disk_write(&lab.disk, 0, 2, buffer, &lab.result), SVMC_ERR_FULL);
    CHECK_EQ(lab.result.seal, SVMC_SEAL_BUDGET);
    CHECK_EQ(svmc_disk_write(&lab.disk, 0, 1, buffer, &lab.result), SVMC_OK);
}
