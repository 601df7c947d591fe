/* SPDX-License-Identifier: MIT */
/* docs/spec/audit.md: the ring of events. The ledger is test_ledger.c's. */
#include <svmcore/audit.h>

#include "../fakehost/crypto.h"
#include "scenarios.h"

#define ENTRY  SVMC_AUDIT_ENTRY_BYTES
#define TAG    SVMC_AUDIT_TAG_BYTES
#define EVENTS 4u /* that four_events makes */
#define ROOM   1024u

static struct lab lab, other;
static struct fake_crypto fake;
static struct fakehost_answer honest;
static struct svmc_audit_ring ring;
static uint8_t memory[ROOM * ENTRY], bytes[ROOM * ENTRY], more[ROOM * ENTRY];
static uint8_t key[SVMC_MAC_KEY_BYTES], start[TAG];
static const uint8_t zero[ENTRY];

static const uint32_t algs[] = { SVMC_ALG_HMAC_SHA_256, SVMC_ALG_MAC_BLAKE2B_256, SVMC_ALG_SHA_256,
                                 SVMC_ALG_BLAKE2B_256 };
#define ALGS (sizeof algs / sizeof algs[0])

static const uint8_t *key_of(uint32_t alg)
{
    return alg >> 4 == 2 ? key : NULL;
}

/* A fresh lab with a ring of `count` entries. */
static void set_up(uint32_t alg, size_t count, uint64_t seed)
{
    for (unsigned i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    memset(start, 0x5a, sizeof start);
    memset(memory, 0xee, sizeof memory);
    fake_crypto_init(&fake);
    CHECK_EQ(
        svmc_audit_init(&ring, &fake.ops, (enum svmc_alg)alg, key_of(alg), memory, count, start),
        SVMC_OK);
    fake.calls = 0;
    lab_init(&lab, &seed);
    CHECK_EQ(svmc_vcpu_set_audit(&lab.vc, &ring), SVMC_OK);
}

static enum svmc_status notice(void)
{
    static const struct svmc_exit halt = { .kind = SVMC_KIND_HLT, .count = 1 };

    return svmc_vcpu_exit(&lab.vc, &halt, &lab.out);
}

/* A notice; a byte from a port: asked for, refused under R2, given. */
static void four_events(void)
{
    CHECK_EQ(notice(), SVMC_OK);
    CHECK_EQ(lab_exit(&lab, scenario_named("in 1 kvm")), SVMC_OK);
    CHECK(fakehost_prepare(lab.world.page, &honest));
    honest.reply.seq ^= 1;
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY);
    honest.reply.seq ^= 1;
    CHECK(fakehost_send(lab.world.page, &honest));
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK);
}

static size_t read_all(uint8_t *to, struct svmc_audit_head *head)
{
    size_t len = 0;

    CHECK_EQ(svmc_audit_head_read(&ring, head), SVMC_OK);
    CHECK_EQ(svmc_audit_read(&ring, head->oldest, to, ROOM * ENTRY, &len), SVMC_OK);
    CHECK_EQ(len, (head->next - head->oldest) * ENTRY);
    return len;
}

static enum svmc_status verify(uint32_t alg, const uint8_t *before, const uint8_t *from, size_t len,
                               const uint8_t *last, size_t *good)
{
    return svmc_audit_verify(&fake.ops, (enum svmc_alg)alg, key_of(alg), before, from, len, last,
                             good);
}

static bool holds(uint32_t alg)
{
    struct svmc_audit_head head;
    size_t len = read_all(bytes, &head), good;

    return verify(alg, head.before, bytes, len, head.last, &good) == SVMC_OK && good == len / ENTRY;
}

/*
 * Fields by hand from the table in docs/spec/audit.md. Tags by Python 3.11: start = b'\x5a' * 32,
 * key = bytes(range(32)), tag = F(tag + fields), F one of hmac.new(key, m, 'sha256'),
 * hashlib.blake2b(m, digest_size=32, key=key), hashlib.sha256(m), hashlib.blake2b(m,
 * digest_size=32). The last tag stands for all before it; the first is there to find a fault by.
 */
TEST(audit, entries_are_golden) /* AU-5 AU-6 AU-7 AU-8 */
{
    static const uint8_t fields[EVENTS][ENTRY - TAG] = {
        { 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x60, 1, 4, 3, 0, 0, 0x00,
          0, 0, 0, 0, 0, 0, 0, 0, 0,    0,    0, 0, 7, 0, 0, 0 },
        { 1, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x20, 1, 1, 2, 0, 0, 0x00,
          2, 0, 0, 0, 0, 0, 0, 0, 0,    0,    0, 0, 7, 0, 0, 0 },
        { 2, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x20, 2, 1, 2, 0, 2, 0x31,
          0, 0, 0, 0, 0, 0, 0, 0, 0,    0,    0, 0, 7, 0, 0, 0 },
        { 3, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x20, 2, 1, 1, 0, 0, 0x00,
          0, 0, 0, 0, 1, 0, 0, 0, 0,    0,    0, 0, 7, 0, 0, 0 },
    };
    static const uint8_t tags[ALGS][2][TAG] = {
        { { 0x9f, 0xfb, 0x0c, 0xd7, 0x3e, 0x6f, 0xd8, 0xb8, 0xe3, 0x8e, 0x15,
            0x51, 0x85, 0x1d, 0xc0, 0x65, 0x08, 0xf5, 0x50, 0xa5, 0x6b, 0x59,
            0xc8, 0xc5, 0x20, 0x0c, 0xfa, 0x4d, 0x72, 0x63, 0x42, 0x5f },
          { 0xb0, 0xfa, 0x5c, 0x32, 0x54, 0xb3, 0xdf, 0x07, 0x67, 0x0d, 0x7c,
            0xe6, 0xf3, 0xab, 0x4f, 0x1d, 0xc8, 0xf3, 0x10, 0x9d, 0x76, 0xe0,
            0xb2, 0x9a, 0x80, 0x20, 0x1b, 0x1e, 0xcd, 0xa1, 0x76, 0x63 } },
        { { 0xab, 0x55, 0x0f, 0x20, 0x25, 0xfc, 0xf2, 0x7e, 0x00, 0xa2, 0x8f,
            0x0b, 0xe4, 0x7b, 0x8d, 0xf6, 0x2a, 0x4e, 0xd2, 0xe2, 0xf1, 0x74,
            0x00, 0xd5, 0xb6, 0x6c, 0x92, 0x78, 0x07, 0x45, 0xe0, 0x2a },
          { 0x83, 0x68, 0xd0, 0xb5, 0xcc, 0xa2, 0xe5, 0xe4, 0xa4, 0x85, 0x52,
            0xfb, 0xad, 0x4c, 0x9e, 0x53, 0x17, 0x56, 0xc6, 0x3e, 0xb7, 0xde,
            0x05, 0xad, 0x27, 0x0a, 0x52, 0xb2, 0x9e, 0xa1, 0x70, 0xab } },
        { { 0x74, 0x89, 0xab, 0x0e, 0x3f, 0x57, 0x50, 0x94, 0x5a, 0x84, 0x66,
            0x3d, 0xd0, 0xb0, 0x47, 0x26, 0x68, 0x9f, 0xd6, 0x91, 0xd8, 0x12,
            0x0d, 0x97, 0xfc, 0x2b, 0x5c, 0x41, 0xc9, 0x76, 0xb4, 0xdb },
          { 0x0a, 0x6b, 0xa9, 0x18, 0xe1, 0xdc, 0x77, 0x66, 0xf9, 0xc9, 0xab,
            0x75, 0x42, 0x62, 0xfd, 0x21, 0xac, 0x19, 0xe3, 0xf5, 0xa9, 0x25,
            0xb6, 0x90, 0x25, 0x40, 0x5e, 0xf4, 0x7d, 0x6e, 0x5b, 0xe4 } },
        { { 0x62, 0xd5, 0xcc, 0x05, 0x9f, 0x78, 0x0d, 0x5e, 0x8f, 0x9f, 0x19,
            0x8b, 0x46, 0x73, 0x18, 0xfe, 0xeb, 0x8d, 0xd1, 0xbb, 0x6c, 0xbc,
            0x3f, 0x2f, 0x8e, 0xe5, 0x12, 0xab, 0x80, 0x16, 0x71, 0x09 },
          { 0x6a, 0x80, 0x64, 0x49, 0xc4, 0x89, 0x57, 0x53, 0x93, 0xc4, 0x36,
            0x11, 0x15, 0x61, 0xb5, 0xd0, 0x01, 0xd1, 0x61, 0x86, 0x6f, 0xf4,
            0x89, 0xfa, 0xdf, 0x4b, 0x9c, 0x7e, 0x14, 0x6e, 0xb7, 0x65 } },
    };

    for (unsigned a = 0; a < ALGS; a++) {
        struct svmc_audit_head head;
        struct svmc_audit_entry e;

        set_up(algs[a], 16, 8);
        four_events();
        CHECK_EQ(read_all(bytes, &head), sizeof fields / (ENTRY - TAG) * ENTRY, "%x", algs[a]);
        for (unsigned i = 0; i < EVENTS; i++)
            CHECK_MEM(bytes + i * ENTRY, fields[i], ENTRY - TAG, "%x, event %u", algs[a], i);
        CHECK_MEM(bytes + ENTRY - TAG, tags[a][0], TAG, "%x", algs[a]);
        CHECK_MEM(bytes + EVENTS * ENTRY - TAG, tags[a][1], TAG, "%x", algs[a]);
        CHECK_MEM(head.last, tags[a][1], TAG, "%x", algs[a]);
        CHECK_MEM(head.before, start, TAG, "%x", algs[a]);
        CHECK(holds(algs[a]), "%x", algs[a]);

        CHECK_EQ(svmc_audit_entry_read(bytes + 2 * ENTRY, &e), SVMC_OK);
        CHECK_EQ(e.sequence, 2);
        CHECK_EQ(e.kind, SVMC_KIND_IN);
        CHECK_EQ(e.call, SVMC_AUDIT_ENTER);
        CHECK_EQ(e.verdict, SVMC_VERDICT_DELEGATE);
        CHECK_EQ(e.action, SVMC_ACT_DELEGATED);
        CHECK_EQ(e.stop, SVMC_STOP_NONE);
        CHECK_EQ(e.rule, 2);
        CHECK_EQ(e.status, SVMC_ERR_HOST_REPLY);
        CHECK_EQ(e.bytes_shown + e.bytes_accepted + e.lost_before, 0);
        CHECK_EQ(e.vcpu, 7);
        CHECK_MEM(e.tag, bytes + 3 * ENTRY - TAG, TAG);
        CHECK_EQ(svmc_audit_entry_read(bytes + ENTRY, &e), SVMC_OK);
        CHECK_EQ(e.bytes_shown, 2);
        CHECK_EQ(svmc_audit_entry_read(bytes + 3 * ENTRY, &e), SVMC_OK);
        CHECK_EQ(e.bytes_accepted, 1);
    }
}

TEST(audit, an_entry_reads_each_of_its_bytes) /* AU-6 */
{
    struct svmc_audit_entry e;
    uint8_t one[ENTRY];

    for (unsigned i = 0; i < ENTRY; i++)
        one[i] = (uint8_t)(0x81 + i);
    CHECK_EQ(svmc_audit_entry_read(one, &e), SVMC_OK);
    CHECK_EQ(e.sequence, 0x8887868584838281);
    CHECK_EQ(e.kind, 0x8a89);
    CHECK_EQ(e.call, 0x8b);
    CHECK_EQ(e.verdict, 0x8c);
    CHECK_EQ(e.action, 0x8d);
    CHECK_EQ(e.stop, 0x8e);
    CHECK_EQ(e.rule, 0x8f);
    CHECK_EQ(e.status, 0x90);
    CHECK_EQ(e.bytes_shown, 0x94939291);
    CHECK_EQ(e.bytes_accepted, 0x98979695);
    CHECK_EQ(e.lost_before, 0x9c9b9a99);
    CHECK_EQ(e.vcpu, 0xa09f9e9d);
    CHECK_MEM(e.tag, one + 0x20, TAG);
    CHECK_EQ(svmc_audit_entry_read(NULL, &e), SVMC_ERR_ARG);
    CHECK_EQ(e.sequence + e.vcpu + e.tag[31], 0);
    CHECK_EQ(svmc_audit_entry_read(one, NULL), SVMC_ERR_ARG);
}

TEST(audit, every_changed_bit_is_found) /* AU-11 */
{
    for (unsigned a = 0; a < ALGS; a++) {
        struct svmc_audit_head head;
        size_t len, good;

        set_up(algs[a], 16, 8);
        four_events();
        len = read_all(bytes, &head);
        for (size_t bit = 0; bit < 8 * len; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            CHECK_EQ(verify(algs[a], head.before, bytes, len, head.last, &good), SVMC_ERR_AUTH,
                     "%x, bit %zu", algs[a], bit);
            CHECK_EQ(good, bit / 8 / ENTRY, "%x, bit %zu", algs[a], bit);
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        CHECK_EQ(verify(algs[a], head.before, bytes, len, head.last, &good), SVMC_OK);
        for (unsigned bit = 0; bit < 8 * TAG; bit++) {
            head.before[bit / 8] ^= (uint8_t)(1u << bit % 8);
            CHECK_EQ(verify(algs[a], head.before, bytes, len, head.last, &good), SVMC_ERR_AUTH);
            CHECK_EQ(good, 0);
            head.before[bit / 8] ^= (uint8_t)(1u << bit % 8);
            head.last[bit / 8] ^= (uint8_t)(1u << bit % 8);
            CHECK_EQ(verify(algs[a], head.before, bytes, len, head.last, &good), SVMC_ERR_AUTH);
            CHECK_EQ(good, EVENTS);
            head.last[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (key_of(algs[a])) {
                key[bit / 8] ^= (uint8_t)(1u << bit % 8);
                CHECK_EQ(verify(algs[a], head.before, bytes, len, head.last, &good), SVMC_ERR_AUTH);
                CHECK_EQ(good, 0);
                key[bit / 8] ^= (uint8_t)(1u << bit % 8);
            }
        }
    }
}

TEST(audit, removed_and_reordered_entries_are_found) /* AU-11 */
{
    struct svmc_audit_head head;
    size_t len, good;

    set_up(SVMC_ALG_SHA_256, 16, 8);
    four_events();
    len = read_all(bytes, &head);
    for (size_t gone = 0; gone < EVENTS; gone++) {
        memcpy(more, bytes, gone * ENTRY);
        memcpy(more + gone * ENTRY, bytes + (gone + 1) * ENTRY, len - (gone + 1) * ENTRY);
        CHECK_EQ(verify(SVMC_ALG_SHA_256, head.before, more, len - ENTRY, head.last, &good),
                 SVMC_ERR_AUTH, "without %zu", gone);
        CHECK_EQ(good, gone);
        for (size_t with = gone + 1; with < EVENTS; with++) {
            memcpy(more, bytes, len);
            memcpy(more + gone * ENTRY, bytes + with * ENTRY, ENTRY);
            memcpy(more + with * ENTRY, bytes + gone * ENTRY, ENTRY);
            CHECK_EQ(verify(SVMC_ALG_SHA_256, head.before, more, len, head.last, &good),
                     SVMC_ERR_AUTH, "%zu and %zu", gone, with);
            CHECK_EQ(good, gone);
        }
        memcpy(more, bytes, len);
        memcpy(more + len, bytes + gone * ENTRY, ENTRY); /* once more at the end */
        CHECK_EQ(verify(SVMC_ALG_SHA_256, head.before, more, len + ENTRY, head.last, &good),
                 SVMC_ERR_AUTH);
        CHECK_EQ(good, EVENTS);
    }
    CHECK_EQ(verify(SVMC_ALG_SHA_256, head.before, NULL, 0, head.before, &good), SVMC_OK);
    CHECK_EQ(verify(SVMC_ALG_SHA_256, head.before, NULL, 0, head.last, &good), SVMC_ERR_AUTH);
}

TEST(audit, with_a_key_the_end_may_be_unknown) /* AU-8 AU-11 */
{
    struct svmc_audit_head head;
    size_t len, good = 9;

    set_up(SVMC_ALG_HMAC_SHA_256, 16, 8);
    four_events();
    len = read_all(bytes, &head);
    CHECK_EQ(verify(SVMC_ALG_HMAC_SHA_256, head.before, bytes, len - ENTRY, NULL, &good), SVMC_OK);
    CHECK_EQ(good, EVENTS - 1);
    CHECK_EQ(verify(SVMC_ALG_HMAC_SHA_256, head.before, bytes, len - ENTRY, head.last, &good),
             SVMC_ERR_AUTH);
    CHECK_EQ(verify(SVMC_ALG_SHA_256, head.before, bytes, len, NULL, &good), SVMC_ERR_ARG,
             "a hash alone proves nothing");
    CHECK_EQ(good, 0);
}

TEST(audit, the_oldest_go_first) /* AU-10 */
{
    for (size_t count = 1; count <= 8; count *= 2) {
        uint8_t before_of[32][TAG];
        struct svmc_audit_head head;

        set_up(SVMC_ALG_MAC_BLAKE2B_256, count, 8);
        for (unsigned events = 0; events < 20; events++) {
            size_t len = 9, want = events < count ? events : count;

            CHECK_EQ(svmc_audit_head_read(&ring, &head), SVMC_OK);
            memcpy(before_of[events], head.last, TAG);
            CHECK_EQ(head.next, events);
            CHECK_EQ(head.oldest, events - want);
            CHECK_EQ(head.lost, 0);
            CHECK_MEM(head.before, before_of[head.oldest], TAG, "%u of %zu", events, count);
            CHECK(holds(SVMC_ALG_MAC_BLAKE2B_256), "%u of %zu", events, count);
            CHECK_EQ(svmc_audit_read(&ring, events + 1, bytes, sizeof bytes, &len), SVMC_ERR_ARG);
            CHECK_EQ(len, 0);
            if (head.oldest > 0)
                CHECK_EQ(svmc_audit_read(&ring, head.oldest - 1, bytes, sizeof bytes, &len),
                         SVMC_ERR_STALE);
            CHECK_EQ(svmc_audit_read(&ring, events, bytes, sizeof bytes, &len), SVMC_OK);
            CHECK_EQ(len, 0);
            CHECK_EQ(notice(), SVMC_OK);
        }
    }
}

TEST(audit, a_chain_is_read_piece_by_piece) /* AU-10 AU-11 */
{
    struct svmc_audit_head head;
    uint64_t from = 0;
    size_t len, good, pieces = 0;

    set_up(SVMC_ALG_HMAC_SHA_256, 16, 8);
    for (unsigned i = 0; i < 4; i++)
        four_events();
    CHECK_EQ(svmc_audit_head_read(&ring, &head), SVMC_OK);
    while (from < head.next) {
        memset(more, 0xcc, sizeof more);
        CHECK_EQ(svmc_audit_read(&ring, from, more, 3 * ENTRY + ENTRY - 1, &len), SVMC_OK);
        REQUIRE(len > 0 && len <= 3 * ENTRY);
        CHECK_EQ(more[len], 0xcc, "not a byte behind the last whole entry");
        CHECK_EQ(verify(SVMC_ALG_HMAC_SHA_256, head.before, more, len,
                        from + len / ENTRY == head.next ? head.last : NULL, &good),
                 SVMC_OK);
        CHECK_EQ(good, len / ENTRY);
        memcpy(head.before, more + len - TAG, TAG);
        from += len / ENTRY;
        pieces++;
    }
    CHECK_EQ(pieces, 6);
    CHECK_EQ(svmc_audit_read(&ring, 0, NULL, 0, &len), SVMC_OK);
    CHECK_EQ(len, 0);
}

TEST(audit, a_chain_goes_on_over_a_restart) /* AU-7 */
{
    struct svmc_audit_head head;
    size_t len, good;

    set_up(SVMC_ALG_HMAC_SHA_256, 8, 8);
    four_events();
    len = read_all(bytes, &head);
    memcpy(more, bytes, len);
    CHECK_EQ(
        svmc_audit_init(&ring, &fake.ops, SVMC_ALG_HMAC_SHA_256, key, memory, 8, ring.priv.last),
        SVMC_OK);
    four_events();
    memcpy(start, head.before, TAG);
    len += read_all(bytes, &head);
    memcpy(more + EVENTS * ENTRY, bytes, EVENTS * ENTRY);
    CHECK_EQ(verify(SVMC_ALG_HMAC_SHA_256, start, more, len, head.last, &good), SVMC_OK);
    CHECK_EQ(good, 2 * EVENTS);
}

/* Everything that a guest or host can see. */
static bool same_world(void)
{
    return lab_same(&lab, &other) &&
           memcmp(lab.world.page, other.world.page, sizeof lab.world.page) == 0 &&
           memcmp(&lab.out, &other.out, sizeof lab.out) == 0 &&
           memcmp(&lab.vc.priv.stats, &other.vc.priv.stats, sizeof lab.vc.priv.stats) == 0;
}

TEST(audit, whichever_callback_fails_one_event_is_lost) /* AU-9 AU-4 */
{
    static const unsigned calls[ALGS] = { 1, 1, 4, 4 }; /* of one tag */

    for (unsigned a = 0; a < ALGS; a++) {
        set_up(algs[a], 16, 8);
        four_events();
        CHECK_EQ(fake.calls, EVENTS * calls[a], "%x", algs[a]);
        other = lab;
        for (unsigned k = 1; k <= EVENTS * calls[a]; k++) {
            unsigned lost = (k - 1) / calls[a];
            struct svmc_audit_head head;
            struct svmc_audit_entry e;
            size_t len;

            set_up(algs[a], 16, 8);
            fake.fail_at = k;
            four_events();
            CHECK(same_world(), "%x, call %u", algs[a], k);
            CHECK_EQ(fake.open, 0, "%x, call %u", algs[a], k);
            fake.fail_at = 0;
            len = read_all(bytes, &head);
            CHECK_EQ(len, (EVENTS - 1) * ENTRY, "%x, call %u", algs[a], k);
            CHECK_EQ(head.lost, 1);
            CHECK(holds(algs[a]), "%x, call %u", algs[a], k);
            for (unsigned i = 0; i < EVENTS - 1; i++) {
                CHECK_EQ(svmc_audit_entry_read(bytes + i * ENTRY, &e), SVMC_OK);
                CHECK_EQ(e.sequence, i);
                CHECK_EQ(e.lost_before, i == lost, "%x, call %u, entry %u", algs[a], k, i);
            }
        }
    }
}

static enum svmc_status broken_mac(void *ctx, uint32_t alg, const uint8_t *mac_key,
                                   const struct svmc_bytes *piece, size_t pieces, uint8_t *out)
{
    (void)ctx;
    (void)alg;
    (void)mac_key;
    (void)piece;
    (void)pieces;
    memset(out, 0xee, SVMC_HASH_BYTES); /* CR-2: nobody may use it */
    return SVMC_ERR_UNSUPPORTED;
}

TEST(audit, the_gap_is_counted_in_the_next_entry) /* AU-9 */
{
    struct svmc_audit_head head;
    struct svmc_audit_entry e;

    set_up(SVMC_ALG_MAC_BLAKE2B_256, 16, 8);
    four_events();
    fake.ops.mac = broken_mac;
    four_events();
    CHECK_EQ(notice(), SVMC_OK);
    fake_crypto_init(&fake);
    CHECK_EQ(svmc_audit_head_read(&ring, &head), SVMC_OK);
    CHECK_EQ(head.next, EVENTS);
    CHECK_EQ(head.lost, EVENTS + 1);
    CHECK_EQ(notice(), SVMC_OK);
    CHECK_EQ(notice(), SVMC_OK);
    CHECK_EQ(read_all(bytes, &head), (EVENTS + 2) * ENTRY);
    CHECK_EQ(svmc_audit_entry_read(bytes + EVENTS * ENTRY, &e), SVMC_OK);
    CHECK_EQ(e.lost_before, EVENTS + 1);
    CHECK_EQ(svmc_audit_entry_read(bytes + (EVENTS + 1) * ENTRY, &e), SVMC_OK);
    CHECK_EQ(e.lost_before, 0);
    CHECK_EQ(head.lost, EVENTS + 1);
    CHECK(holds(SVMC_ALG_MAC_BLAKE2B_256));

    ring.priv.lost_now = UINT32_MAX - 1;
    fake.ops.mac = broken_mac;
    four_events();
    fake_crypto_init(&fake);
    CHECK_EQ(notice(), SVMC_OK);
    CHECK_EQ(read_all(bytes, &head), (EVENTS + 3) * ENTRY);
    CHECK_EQ(svmc_audit_entry_read(bytes + (EVENTS + 2) * ENTRY, &e), SVMC_OK);
    CHECK_EQ(e.lost_before, UINT32_MAX, "it stays at the most it can say");
}

TEST(audit, a_verifier_whose_callback_fails_says_so) /* AU-11 */
{
    struct svmc_audit_head head;
    size_t len, good;
    unsigned calls;

    set_up(SVMC_ALG_SHA_256, 16, 8);
    four_events();
    len = read_all(bytes, &head);
    fake.calls = 0;
    CHECK_EQ(verify(SVMC_ALG_SHA_256, head.before, bytes, len, head.last, &good), SVMC_OK);
    calls = fake.calls;
    CHECK_EQ(calls, EVENTS * 5 + 1);
    for (unsigned k = 1; k <= calls; k++) {
        bool compares = k % 5 == 0 || k == calls; /* CR-6: a failed `equal` says: they differ */

        fake.calls = 0;
        fake.fail_at = k;
        CHECK_EQ(verify(SVMC_ALG_SHA_256, head.before, bytes, len, head.last, &good),
                 compares ? SVMC_ERR_AUTH : SVMC_ERR_CALLBACK, "call %u", k);
        CHECK_EQ(good, k == calls ? EVENTS : compares ? k / 5 - 1 : 0, "call %u", k);
        CHECK_EQ(fake.open, 0);
    }
}

/* A host may say what it likes: no status, address or code, and no time, which an MSR can be. */
static bool any_value(uint16_t kind)
{
    unsigned class = kind >> 12;

    return class != SVMC_KIND_HYPERCALL >> 12 && class != SVMC_KIND_RDTSC >> 12 &&
           class != SVMC_KIND_RDMSR >> 12 && class != SVMC_KIND_CSCH >> 12 &&
           class != SVMC_KIND_MAP_GPA >> 12;
}

/* One run over all scenarios; what the guest holds and the host says comes from `seed`. */
static void run_all(uint64_t seed)
{
    set_up(SVMC_ALG_SHA_256, ROOM, seed);
    for (unsigned n = 0; n < scenario_count; n++) {
        memset(lab.vc.priv.time, 0, sizeof lab.vc.priv.time); /* another processor's time */
        CHECK_EQ(lab_exit(&lab, n), SVMC_OK, "%s", scenarios[n].name);
        for (unsigned lie = 0; lie < fakehost_lie_count; lie++) {
            CHECK(fakehost_prepare(lab.world.page, &honest));
            if (!fakehost_lie_applies(lie, &honest.request))
                continue;
            CHECK(fakehost_lie(lab.world.page, &honest, lie));
            CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY);
        }
        CHECK(fakehost_prepare(lab.world.page, &honest));
        if (honest.reply.out_valid && any_value(honest.request.kind))
            honest.reply.out[0] ^= seed & 0x7f;
        CHECK(fakehost_send(lab.world.page, &honest));
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK, "%s", scenarios[n].name);
    }
    for (unsigned i = 0; i < 2; i++) {
        struct svmc_exit e = { .kind = i ? SVMC_KIND_MMIO_WRITE : SVMC_KIND_IN,
                               .size = 4,
                               .count = 1,
                               .address = i ? 0xfe000000 + 4 * (seed & 0xff) : seed & 0xff,
                               .value = seed * 0x01010101 & 0xffffffff };

        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK);
        svmc_vcpu_cancel(&lab.vc);
    }
}

TEST(audit, no_value_of_the_guest_is_in_it) /* AU-12 */
{
    struct svmc_audit_head head, again;
    size_t len;

    run_all(0x1234);
    len = read_all(more, &head);
    CHECK(len > 200 * ENTRY, "%zu bytes", len);
    other = lab;
    run_all(0x4321);
    CHECK(!lab_same(&lab, &other), "the runs must differ");
    CHECK_EQ(read_all(bytes, &again), len);
    CHECK_MEM(bytes, more, len);
    CHECK_MEM(again.last, head.last, TAG);
}

TEST(audit, what_is_an_event_and_what_is_not) /* AU-5 */
{
    static const struct {
        char name[24];
        struct svmc_exit exit;
        uint16_t kind;
        uint8_t verdict, action, stop;
        enum svmc_status status;
    } rows[] = {
        { "a kind without a row",
          { .kind = 0x0abc, .count = 1 },
          SVMC_KIND_UNKNOWN,
          SVMC_VERDICT_FAULT,
          SVMC_ACT_INJECT,
          0,
          SVMC_OK },
        { "out of its range",
          { .kind = SVMC_KIND_OUT, .size = 3, .count = 1 },
          SVMC_KIND_OUT,
          0,
          SVMC_ACT_STOP,
          SVMC_STOP_ERROR,
          SVMC_ERR_ARG },
        { "a port not listed",
          { .kind = SVMC_KIND_OUT, .size = 1, .count = 1 },
          SVMC_KIND_OUT,
          SVMC_VERDICT_FAULT,
          SVMC_ACT_INJECT,
          0,
          SVMC_OK },
        { "shutdown",
          { .kind = SVMC_KIND_SHUTDOWN, .count = 1 },
          SVMC_KIND_SHUTDOWN,
          SVMC_VERDICT_TERMINATE,
          SVMC_ACT_STOP,
          SVMC_STOP_POLICY,
          SVMC_OK },
    };
    struct svmc_audit_head head;
    struct svmc_audit_entry e;
    uint64_t events = 0;

    set_up(SVMC_ALG_SHA_256, 16, 8);
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, NULL, &lab.out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_STATE); /* R1: a stray bell */
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &rows[i].exit, &lab.out), rows[i].status);
        CHECK_EQ(read_all(bytes, &head), ++events * ENTRY, "%s", rows[i].name);
        CHECK_EQ(svmc_audit_entry_read(bytes + (events - 1) * ENTRY, &e), SVMC_OK);
        CHECK_EQ(e.call, SVMC_AUDIT_EXIT, "%s", rows[i].name);
        CHECK_EQ(e.kind, rows[i].kind, "%s", rows[i].name);
        CHECK_EQ(e.verdict, rows[i].verdict, "%s", rows[i].name);
        CHECK_EQ(e.action, rows[i].action, "%s", rows[i].name);
        CHECK_EQ(e.stop, rows[i].stop, "%s", rows[i].name);
        CHECK_EQ(e.status, rows[i].status, "%s", rows[i].name);
        CHECK_EQ(e.bytes_shown + e.bytes_accepted, 0, "%s", rows[i].name);
    }
    CHECK_EQ(notice(), SVMC_ERR_STATE); /* EX-9: stopped */
    CHECK_EQ(read_all(bytes, &head), events * ENTRY);
}

TEST(audit, a_ring_is_made_of_what_can_work) /* AU-7 AU-8 CR-1 */
{
    struct svmc_crypto_ops ops;
    struct svmc_audit_ring bad;
    uint64_t rng = 8;

    set_up(SVMC_ALG_HMAC_SHA_256, 4, 8);
#define INIT(ops_, alg, key_, at, count) \
    svmc_audit_init(&bad, ops_, (enum svmc_alg)(alg), key_, at, count, NULL)
#define REFUSED(want, call)                                 \
    do {                                                    \
        memset(&bad, 0x55, sizeof bad);                     \
        CHECK_EQ(call, want, #call);                        \
        for (size_t i = 0; i < sizeof bad; i++)             \
            CHECK_EQ(((const uint8_t *)&bad)[i], 0, #call); \
    } while (0)
    REFUSED(SVMC_ERR_ARG, INIT(NULL, SVMC_ALG_SHA_256, NULL, memory, 4));
    REFUSED(SVMC_ERR_ARG, INIT(&fake.ops, SVMC_ALG_SHA_256, key, memory, 4));
    REFUSED(SVMC_ERR_ARG, INIT(&fake.ops, SVMC_ALG_HMAC_SHA_256, NULL, memory, 4));
    REFUSED(SVMC_ERR_ARG, INIT(&fake.ops, SVMC_ALG_NONE, NULL, memory, 4));
    REFUSED(SVMC_ERR_ARG, INIT(&fake.ops, 0x31, key, memory, 4));
    REFUSED(SVMC_ERR_UNSUPPORTED, INIT(&fake.ops, 0x2f, key, memory, 4));
    REFUSED(SVMC_ERR_UNSUPPORTED, INIT(&fake.ops, 0x1f, NULL, memory, 4));
    REFUSED(SVMC_ERR_ARG, INIT(&fake.ops, SVMC_ALG_SHA_256, NULL, NULL, 4));
    REFUSED(SVMC_ERR_ARG, INIT(&fake.ops, SVMC_ALG_SHA_256, NULL, memory, 0));
    REFUSED(SVMC_ERR_ARG, INIT(&fake.ops, SVMC_ALG_SHA_256, NULL, memory, 3));
    REFUSED(SVMC_ERR_ARG,
            INIT(&fake.ops, SVMC_ALG_SHA_256, NULL, memory, 2u * SVMC_AUDIT_ENTRIES_MAX));
    for (unsigned k = 1; k <= 4; k++) {
        fake.calls = 0;
        fake.fail_at = k;
        REFUSED(SVMC_ERR_CALLBACK, INIT(&fake.ops, SVMC_ALG_SHA_256, NULL, memory, 4));
        CHECK_EQ(fake.open, 0);
    }
    fake.fail_at = 0;
    ops = fake.ops;
    ops.size = offsetof(struct svmc_crypto_ops, mac);
    REFUSED(SVMC_ERR_ARG, INIT(&ops, SVMC_ALG_HMAC_SHA_256, key, memory, 4));
    CHECK_EQ(INIT(&ops, SVMC_ALG_SHA_256, NULL, memory, 4), SVMC_OK);
    CHECK_MEM(memory, zero, ENTRY);
    ops.hash_end = NULL;
    REFUSED(SVMC_ERR_ARG, INIT(&ops, SVMC_ALG_SHA_256, NULL, memory, 4));
    CHECK_EQ(svmc_audit_init(NULL, &fake.ops, SVMC_ALG_SHA_256, NULL, memory, 4, NULL),
             SVMC_ERR_ARG);
#undef INIT
#undef REFUSED
    lab_init(&lab, &rng);
    CHECK_EQ(svmc_vcpu_set_audit(&lab.vc, &(struct svmc_audit_ring){ .priv.mask = 3 }),
             SVMC_ERR_ARG);
    CHECK_EQ(svmc_vcpu_set_audit(NULL, NULL), SVMC_ERR_ARG);
    CHECK_EQ(lab.vc.priv.recording, 0);
}

TEST(audit, calls_without_their_arguments_are_refused) /* AU-10 AU-11 CR-1 */
{
    struct svmc_crypto_ops ops;
    struct svmc_audit_ring none = { .priv.mask = 0 };
    struct svmc_audit_head head = { .next = 5 };
    size_t len = 5, good = 5;

    set_up(SVMC_ALG_SHA_256, 4, 8);
    four_events();
    ops = fake.ops;
    ops.equal = NULL;
    CHECK_EQ(svmc_audit_head_read(&none, &head), SVMC_ERR_ARG);
    CHECK_EQ(head.next, 0);
    CHECK_EQ(svmc_audit_head_read(NULL, &head), SVMC_ERR_ARG);
    CHECK_EQ(svmc_audit_head_read(&ring, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_audit_read(&none, 0, bytes, ENTRY, &len), SVMC_ERR_ARG);
    CHECK_EQ(len, 0);
    CHECK_EQ(svmc_audit_read(&ring, 0, NULL, ENTRY, &len), SVMC_ERR_ARG);
    CHECK_EQ(svmc_audit_read(&ring, 0, bytes, ENTRY, NULL), SVMC_ERR_ARG);
    CHECK_EQ(read_all(bytes, &head), EVENTS * ENTRY);
#define VERIFY(ops_, key_, before, at, n, last) \
    svmc_audit_verify(ops_, SVMC_ALG_SHA_256, key_, before, at, n, last, &good)
    CHECK_EQ(VERIFY(&fake.ops, NULL, head.before, bytes, 4 * ENTRY, head.last), SVMC_OK);
    CHECK_EQ(VERIFY(NULL, NULL, head.before, bytes, 4 * ENTRY, head.last), SVMC_ERR_ARG);
    CHECK_EQ(good, 0);
    CHECK_EQ(VERIFY(&ops, NULL, head.before, bytes, 4 * ENTRY, head.last), SVMC_ERR_ARG);
    CHECK_EQ(VERIFY(&fake.ops, key, head.before, bytes, 4 * ENTRY, head.last), SVMC_ERR_ARG);
    CHECK_EQ(VERIFY(&fake.ops, NULL, NULL, bytes, 4 * ENTRY, head.last), SVMC_ERR_ARG);
    CHECK_EQ(VERIFY(&fake.ops, NULL, head.before, NULL, 4 * ENTRY, head.last), SVMC_ERR_ARG);
    CHECK_EQ(VERIFY(&fake.ops, NULL, head.before, bytes, 4 * ENTRY - 1, head.last), SVMC_ERR_ARG);
    CHECK_EQ(VERIFY(&fake.ops, NULL, head.before, bytes, 4 * ENTRY, NULL), SVMC_ERR_ARG);
#undef VERIFY
    CHECK_EQ(svmc_audit_verify(&fake.ops, SVMC_ALG_SHA_256, NULL, head.before, bytes, 4 * ENTRY,
                               head.last, NULL),
             SVMC_ERR_ARG);
    CHECK_EQ(svmc_audit_verify(&fake.ops, (enum svmc_alg)0x1f, NULL, head.before, bytes, 4 * ENTRY,
                               head.last, &good),
             SVMC_ERR_UNSUPPORTED);
}

TEST(audit, two_vcpus_can_have_one_ring) /* AU-9 */
{
    static struct svmc_vcpu second;
    static _Alignas(4096) uint8_t page[SVMC_PAGE_BYTES];
    static const struct svmc_exit halt = { .kind = SVMC_KIND_HLT, .count = 1 };
    struct svmc_audit_head head;
    struct svmc_audit_entry e;

    set_up(SVMC_ALG_HMAC_SHA_256, 16, 8);
    CHECK_EQ(svmc_vcpu_init(&second, &world_ops, &lab.world, &lab.policy, page, 8), SVMC_OK);
    CHECK_EQ(svmc_vcpu_set_audit(&second, &ring), SVMC_OK);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQ(notice(), SVMC_OK);
        CHECK_EQ(svmc_vcpu_exit(&second, &halt, &lab.out), SVMC_OK);
    }
    CHECK_EQ(read_all(bytes, &head), 6 * ENTRY);
    CHECK(holds(SVMC_ALG_HMAC_SHA_256));
    for (unsigned i = 0; i < 6; i++) {
        CHECK_EQ(svmc_audit_entry_read(bytes + i * ENTRY, &e), SVMC_OK);
        CHECK_EQ(e.vcpu, i % 2 ? 8 : 7);
    }
    svmc_vcpu_drop(&second);
    CHECK_EQ(svmc_vcpu_set_audit(&lab.vc, NULL), SVMC_OK);
    CHECK_EQ(notice(), SVMC_OK);
    CHECK_EQ(read_all(bytes, &head), 6 * ENTRY);
    CHECK(holds(SVMC_ALG_HMAC_SHA_256), "the ring outlives the vCPU");
}
