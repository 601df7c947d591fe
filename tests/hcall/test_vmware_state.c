/* SPDX-License-Identifier: MIT */
/* What guests of VMware have open, as bytes: every step goes on elsewhere. */
#include <svmcore/state.h>

#include "../../src/core/bytes.h"
#include "../harness.h"
#include "vmware_lab.h"

#define FRAME    16u
#define CHANNELS (FRAME + 16u) /* where they begin, without words of the pointer */

static struct lab lab, other;
static struct svmc_vmware_channel was[LAB_CHANNELS];
static uint8_t saved[LAB_ARENA + 8192], again[LAB_ARENA + 8192];

static size_t save(struct lab *from, uint8_t *out)
{
    size_t len, need;

    CHECK_EQ(svmc_vmware_save(&from->vm, NULL, 0, &need), SVMC_ERR_FULL);
    CHECK_EQ(svmc_vmware_save(&from->vm, out, sizeof saved, &len), SVMC_OK);
    CHECK_EQ(len, need);
    CHECK_EQ(from->vm.priv.claimed, 0);
    return len;
}

/* The VM of `lab` in another process: the host's side, a file, is there. */
static void travel(void)
{
    size_t len = save(&lab, saved);

    lab_start(&other);
    memcpy(other.value, lab.value, sizeof other.value);
    other.value_bytes = lab.value_bytes;
    other.sets = lab.sets;
    CHECK_EQ(svmc_vmware_load(&other.vm, saved, len), SVMC_OK);
    CHECK_EQ(other.events, 0); /* ST-16: nobody is told */
    CHECK_EQ(save(&other, again), len);
    CHECK_MEM(saved, again, len);
}

static uint32_t step(struct lab *in, enum lab_step what, const struct lab_channel *ch, uint32_t arg)
{
    return lab_message(in, what, ch, arg, NULL);
}

TEST(vmware_state, a_message_goes_on_in_the_middle) /* ST-15 ST-16 VW-14 */
{
    static const char request[] = "info-set guestinfo.hello 12345";
    const uint32_t n = sizeof request - 1;
    struct lab_channel ch;
    uint8_t reply[64];
    uint32_t bytes;

    for (uint32_t sent = 0; sent < n; sent += 4) {
        lab_start(&lab);
        CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
        CHECK_EQ(step(&lab, LAB_SENDSIZE, &ch, n), 0x81);
        for (uint32_t i = 0; i < n; i += 4) {
            uint8_t word[4] = { 0 };

            if (i == sent)
                travel();
            memcpy(word, request + i, n - i < 4 ? n - i : 4);
            CHECK_EQ(step(i < sent ? &lab : &other, LAB_SENDPAYLOAD, &ch, core_load_le32(word)), 1);
        }
        CHECK_EQ(other.sets, 1);
        CHECK(other.value_bytes == 5 && memcmp(other.value, "12345", 5) == 0, "%u", sent);
        CHECK(lab_receive(&other, &ch, reply, &bytes));
        CHECK(bytes == 2 && memcmp(reply, "1 ", 2) == 0);
    }
}

TEST(vmware_state, a_reply_goes_on_in_the_middle) /* ST-15 VW-11 VW-14 */
{
    for (unsigned got = 0; got < 5; got++) {
        struct svmc_vmware_call call;
        struct lab_channel ch, wrong;
        uint8_t text[16] = { 0 };

        lab_start(&lab);
        CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
        memcpy(lab.value, "a longer one", 12);
        lab.value_bytes = 12;
        CHECK(lab_send(&lab, &ch, "info-get guestinfo.hello", 24));
        CHECK_EQ(step(&lab, LAB_RECVSIZE, &ch, 0), 0x83);
        for (unsigned i = 0; i < 4; i++) {
            if (i == got)
                travel();
            CHECK_EQ(lab_message(i < got ? &lab : &other, LAB_RECVPAYLOAD, &ch, 1, &call), 1);
            core_store_le32(text + 4 * i, (uint32_t)call.arg[1]);
        }
        if (got == 4)
            travel();
        CHECK_MEM(text, "1 a longer one", 14);
        wrong = ch;
        wrong.cookie ^= 1; /* another program is kept off still */
        CHECK_EQ(step(&other, LAB_RECVSTATUS, &wrong, 1), 0);
        CHECK_EQ(step(&other, LAB_RECVSTATUS, &ch, 1), 1);
        CHECK_EQ(step(&other, LAB_RECVSIZE, &ch, 0), 1);
    }
}

/* A step of some guest, of the host, or of the user who moves the pointer. */
static void random_step(uint64_t *rng)
{
    static struct lab_channel ch[6];
    static const uint8_t text[200] = "info-set guestinfo.hello and what is behind";
    struct lab_channel *c = &ch[harness_random(rng) % 6];
    const struct svmc_vmware_pointer move = { .buttons = 0x20, .x = (int32_t)harness_random(rng) };
    struct svmc_vmware_call call;

    switch (harness_random(rng) % 11) {
    case 0:
        (void)lab_open(&lab, harness_random(rng) % 2 ? LAB_TCLO | LAB_COOKIE : LAB_RPCI, c);
        break;
    case 1:
        (void)lab_send(&lab, c, text, (uint32_t)harness_random(rng) % sizeof text);
        break;
    case 2:
        (void)!svmc_vmware_tclo_send(&lab.vm, lab.tclo_channel, text,
                                     (uint32_t)harness_random(rng) % sizeof text);
        break;
    case 3:
        (void)!svmc_vmware_pointer_move(&lab.vm, &move);
        break;
    case 4:
        call = lab_call(&lab, SVMC_VMWARE_ABSPOINTER_COMMAND,
                        harness_random(rng) % 2 ? 0x45414552 : 0x53424152);
        (void)lab_handle(&lab, &call);
        break;
    case 5:
        if (harness_random(rng) % 4 == 0)
            CHECK_EQ(svmc_vmware_checkpoint(&lab.vm), SVMC_OK);
        break;
    case 6:
        if (harness_random(rng) % 8 == 0)
            CHECK_EQ(svmc_vmware_close(&lab.vm, SVMC_VMWARE_POWEROFF), SVMC_OK);
        break;
    default:
        (void)step(&lab, (enum lab_step)(1 + harness_random(rng) % 6), c,
                   (uint32_t)harness_random(rng) % 120);
        break;
    }
}

/* Pointers and times apart, `other` has what `lab` has. */
static void check_same(void)
{
    memcpy(was, lab.channels, sizeof was);
    for (unsigned n = 0; n < LAB_CHANNELS; n++) {
        const struct svmc_vmware_channel *a = &was[n], *b = &other.channels[n];

        CHECK_EQ(b->priv.open, a->priv.open, "%u", n);
        CHECK_EQ(b->priv.ended, a->priv.ended, "%u", n);
        CHECK_EQ(b->priv.protocol, a->priv.protocol, "%u", n);
        CHECK_EQ(b->priv.handle, a->priv.handle, "%u", n);
        CHECK_EQ(b->priv.cookie, a->priv.has_cookie ? a->priv.cookie : 0, "%u", n);
        for (unsigned side = 0; a->priv.open && side < 2; side++) {
            const struct svmc_vmware_message *m = &a->priv.message[side];
            const struct svmc_vmware_message *k = &b->priv.message[side];

            CHECK(k->stage == m->stage && k->notice == m->notice, "%u", n);
            if (m->stage == 0)
                continue;
            CHECK(k->at == m->at && k->bytes == m->bytes && k->done == m->done, "%u", n);
            CHECK_MEM(other.arena + k->at, lab.arena + m->at, m->stage == 1 ? m->done : m->bytes);
        }
    }
    for (const struct svmc_vmware_message *m = lab.vm.priv.first, *k = other.vm.priv.first; m || k;
         m = m->next, k = k->next) { /* the arena's list */
        REQUIRE(m && k && m->at == k->at);
    }
    CHECK_EQ(other.vm.priv.generation, lab.vm.priv.generation);
    CHECK_EQ(other.vm.priv.absolute, lab.vm.priv.absolute);
    CHECK_EQ(other.vm.priv.pointer_status, lab.vm.priv.pointer_status);
    CHECK_EQ(other.vm.priv.words, lab.vm.priv.words);
    CHECK_MEM(other.vm.priv.queue, lab.vm.priv.queue, 4 * lab.vm.priv.words);
}

TEST(vmware_state, whatever_was_open_is) /* ST-15 */
{
    uint64_t rng = harness_seed();
    unsigned open = 0, held = 0;

    lab_start(&lab);
    for (unsigned round = 0; round < 90; round++) {
        for (unsigned i = 0; i < 40; i++)
            random_step(&rng);
        travel();
        check_same();
        for (unsigned n = 0; n < LAB_CHANNELS; n++)
            open += lab.channels[n].priv.open;
        held += lab.vm.priv.first != NULL;
    }
    CHECK(open > 5 && held > 5, "%u, %u", open, held);
}

/* As docs/spec/state.md has it, by hand. */
TEST(vmware_state, the_bytes) /* ST-1 ST-15 */
{
    static const uint8_t frame[] = { 'S', 'V', 'S', 'T', 1, 0, 5, 0, 92, 0, 0, 0, 0, 0, 0, 0 };
    /* generation, channels; the pointer: on, one word */
    static const uint8_t head[] = { 0x80, 0, 0, 0, 1, 0, 0,    0,    0,    0,
                                    0,    0, 1, 0, 0, 0, 0x4a, 0x55, 0x42, 0x34 };
    /* open, with a cookie */
    static const uint8_t channel[] = { 3, 0, 0,    0,    'R',  'P',  'C',  'I',  0x80, 0,
                                       0, 0, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11 };
    /* half a request, and no reply */
    static const uint8_t request[] = { 1, 0, 0, 0, 0, 0, 1,   0,   30,  0,
                                       0, 0, 4, 0, 0, 0, 'i', 'n', 'f', 'o' };
    uint8_t want[92] = { 0 };
    struct svmc_vmware_call call;
    struct lab_channel ch;

    memcpy(want, frame, sizeof frame);
    memcpy(want + 16, head, sizeof head);
    memcpy(want + 36, channel, sizeof channel);
    memcpy(want + 56, request, sizeof request);
    lab_start(&lab);
    call = lab_call(&lab, SVMC_VMWARE_ABSPOINTER_COMMAND, 0x45414552);
    (void)lab_handle(&lab, &call);
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
    lab.channels[0].priv.cookie = ch.cookie = 0x1112131415161718;
    CHECK_EQ(step(&lab, LAB_SENDSIZE, &ch, 30), 0x81);
    CHECK_EQ(step(&lab, LAB_SENDPAYLOAD, &ch, 'i' | 'n' << 8 | 'f' << 16 | (uint32_t)'o' << 24), 1);
    CHECK_EQ(save(&lab, saved), sizeof want);
    for (size_t i = 0; i < sizeof want; i++)
        CHECK_EQ(saved[i], want[i], "byte %zu", i);
}

/* Refused with nothing changed, or a state that saves as the bytes are. */
static enum svmc_status load_hostile(const uint8_t *bytes, size_t len)
{
    enum svmc_status st = svmc_vmware_load(&other.vm, bytes, len);

    CHECK_EQ(other.vm.priv.claimed, 0);
    if (st == SVMC_OK) {
        CHECK_EQ(save(&other, again), len);
        CHECK_MEM(again, bytes, len);
        CHECK_EQ(svmc_vmware_init(&other.vm, &other.config, &lab_ops, &other), SVMC_OK);
    } else {
        CHECK(!other.vm.priv.first && other.vm.priv.generation == 0);
        CHECK(other.vm.priv.words == 0 && other.vm.priv.pointer_status == 0xffff);
        for (unsigned n = 0; n < 6; n++)
            CHECK(other.channels[n].priv.protocol == 0 && other.channels[n].priv.open == 0);
    }
    return st;
}

TEST(vmware_state, every_length_and_every_bit) /* ST-2 ST-3 ST-15 ST-16 */
{
    static const uint8_t text[60] = "a message of the host's";
    unsigned good = 0, refused = 0;
    struct lab_channel rpci, tclo;
    size_t len;

    lab_start(&lab);
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &rpci), 1);
    CHECK_EQ(lab_open(&lab, LAB_TCLO | LAB_COOKIE, &tclo), 1);
    CHECK_EQ(svmc_vmware_tclo_send(&lab.vm, lab.tclo_channel, text, sizeof text), SVMC_OK);
    CHECK_EQ(step(&lab, LAB_SENDSIZE, &rpci, 40), 0x81);
    CHECK_EQ(step(&lab, LAB_SENDPAYLOAD, &rpci, 0x20202020), 1);
    len = save(&lab, saved);
    lab_start(&other);
    other.config.arena_bytes = 3 * other.config.message_bytes; /* wiped each time */
    CHECK_EQ(svmc_vmware_init(&other.vm, &other.config, &lab_ops, &other), SVMC_OK);
    for (size_t cut = 0; cut < len; cut += 1 + (cut > 100) * 3)
        CHECK_EQ(load_hostile(saved, cut), SVMC_ERR_FORMAT, "%zu", cut);
    for (size_t bit = 0; bit < 8 * len; bit += 1 + (bit > 8 * FRAME) * 2) {
        saved[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (load_hostile(saved, len) == SVMC_OK)
            good++;
        else
            refused++;
        saved[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK(good > 50 && refused > 50, "%u, %u", good, refused);
    CHECK_EQ(load_hostile(saved, len), SVMC_OK);
}

TEST(vmware_state, messages_that_cannot_be) /* ST-3 ST-15 ST-16 VW-12 */
{
    static const uint8_t text[60] = "a message of the host's";
    struct lab_channel rpci, tclo;
    size_t len, second;

    lab_start(&lab);
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &rpci), 1);
    CHECK_EQ(step(&lab, LAB_SENDSIZE, &rpci, 40), 0x81);
    CHECK_EQ(step(&lab, LAB_SENDPAYLOAD, &rpci, 'x'), 1);
    len = save(&lab, saved);
    lab_start(&other);
    core_store_le32(saved + CHANNELS + 32, 40); /* whole, and not handled */
    memmove(saved + CHANNELS + 36 + 40, saved + CHANNELS + 36 + 4, 16);
    core_store_le32(saved + 8, (uint32_t)len + 36);
    CHECK_EQ(load_hostile(saved, len + 36), SVMC_ERR_FORMAT);
    len = save(&lab, saved);
    memset(saved + len, 0, 20); /* a channel more that was never open */
    core_store_le32(saved + 20, 2);
    core_store_le32(saved + 8, (uint32_t)len + 20);
    CHECK_EQ(load_hostile(saved, len + 20), SVMC_ERR_FORMAT);
    len = save(&lab, saved);
    other.config.message_bytes = 32; /* longer than any here */
    other.config.arena_bytes = LAB_ARENA;
    other.vm.priv.config.message_bytes = 32;
    CHECK_EQ(svmc_vmware_load(&other.vm, saved, len), SVMC_ERR_FULL);
    lab_start(&other);
    CHECK_EQ(lab_open(&lab, LAB_TCLO | LAB_COOKIE, &tclo), 1);
    CHECK_EQ(svmc_vmware_tclo_send(&lab.vm, lab.tclo_channel, text, sizeof text), SVMC_OK);
    len = save(&lab, saved);
    second = CHANNELS + 20 + 16 + 4 + 16 + 20 + 16 + 4; /* where the host's message lies */
    CHECK_EQ(core_load_le32(saved + second), 65536 + 64);
    core_store_le32(saved + second, 65536 + 32); /* in the request of the other channel */
    CHECK_EQ(load_hostile(saved, len), SVMC_ERR_FORMAT);
    core_store_le32(saved + second, 65536);
    CHECK_EQ(load_hostile(saved, len), SVMC_ERR_FORMAT);
    core_store_le32(saved + second, 65536 + 96);
    CHECK_EQ(load_hostile(saved, len), SVMC_OK);
    core_store_le32(saved + CHANNELS + 24, 65536 + 64); /* the request reaches into it */
    CHECK_EQ(load_hostile(saved, len), SVMC_ERR_FORMAT);
}

TEST(vmware_state, a_request_and_its_reply_at_once_cannot_be) /* ST-3 ST-15 VW-16 */
{
    struct lab_channel ch;
    size_t len, reply;

    for (unsigned stage = 2; stage <= 3; stage++) {
        lab_start(&lab);
        CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
        CHECK_EQ(step(&lab, LAB_SENDSIZE, &ch, 40), 0x81);
        len = save(&lab, saved);
        reply = len - 16;
        CHECK_EQ(core_load_le32(saved + reply - 12), 65536);
        saved[reply] = (uint8_t)stage;
        core_store_le32(saved + reply + 4, 65536 + 64); /* behind the request */
        core_store_le32(saved + reply + 8, 4);
        memcpy(saved + len, "1 ok", 4);
        core_store_le32(saved + 8, (uint32_t)len + 4);
        lab_start(&other);
        CHECK_EQ(load_hostile(saved, len + 4), SVMC_ERR_FORMAT);
        core_store_le32(saved + CHANNELS + 4, LAB_TCLO); /* there both are, on their own */
        CHECK_EQ(load_hostile(saved, len + 4), SVMC_OK);
    }
}

TEST(vmware_state, fields_that_cannot_be) /* ST-3 ST-15 ST-16 VW-12 */
{
    /* of the one channel with half a request and no reply, without words of the pointer */
    static const struct {
        char name[28];
        size_t at;
        uint32_t word;
        enum svmc_status want;
    } rows[] = {
        { "version", 4, 2 | 5 << 16, SVMC_ERR_UNSUPPORTED },
        { "kind", 4, 1 | 1 << 16, SVMC_ERR_PURPOSE },
        { "generation", 16, 0x81, SVMC_ERR_FORMAT },
        { "129 channels", 20, 129, SVMC_ERR_FORMAT },
        { "absolute", 24, 0xffff0002, SVMC_ERR_FORMAT },
        { "restricted", 24, 0xffff0300, SVMC_ERR_FORMAT },
        { "pointer's status", 24, 0x00010000, SVMC_ERR_FORMAT },
        { "words while it is off", 28, 1, SVMC_ERR_FORMAT },
        { "flags", CHANNELS, 7, SVMC_ERR_FORMAT },
        { "open and ended", CHANNELS, 0x0403, SVMC_ERR_FORMAT },
        { "protocol", CHANNELS + 4, 0x12345678, SVMC_ERR_FORMAT },
        { "never open", CHANNELS + 4, 0, SVMC_ERR_FORMAT },
        { "another's handle", CHANNELS + 8, 0x81, SVMC_ERR_FORMAT },
        { "a reply from the guest", CHANNELS + 20, 2, SVMC_ERR_FORMAT },
        { "notice", CHANNELS + 20, 0x0101, SVMC_ERR_FORMAT },
        { "no whole unit", CHANNELS + 24, 65537, SVMC_ERR_FORMAT },
        { "in the scratch", CHANNELS + 24, 65504, SVMC_ERR_FULL },
        { "behind the arena", CHANNELS + 24, 4 * 65536, SVMC_ERR_FULL },
        { "far behind it", CHANNELS + 24, 0xffffffe0, SVMC_ERR_FULL },
        { "too long", CHANNELS + 28, 65537, SVMC_ERR_FORMAT },
        { "all of it", CHANNELS + 32, 30, SVMC_ERR_FORMAT },
    };
    struct svmc_vmware_ops ops = lab_ops;
    struct lab_channel ch;
    size_t len;

    lab_start(&lab);
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
    CHECK_EQ(step(&lab, LAB_SENDSIZE, &ch, 30), 0x81);
    CHECK_EQ(step(&lab, LAB_SENDPAYLOAD, &ch, 'x'), 1);
    lab_start(&other);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        len = save(&lab, saved);
        core_store_le32(saved + rows[i].at, rows[i].word);
        CHECK_EQ(load_hostile(saved, len), rows[i].want, "%s", rows[i].name);
    }
    len = save(&lab, saved);
    CHECK_EQ(svmc_vmware_load(&lab.vm, saved, len), SVMC_ERR_STATE); /* not new */
    other.vm.priv.claimed = 1;
    CHECK_EQ(svmc_vmware_load(&other.vm, saved, len), SVMC_ERR_STATE);
    CHECK_EQ(svmc_vmware_save(&other.vm, saved, len, &len), SVMC_ERR_STATE);
    CHECK_EQ(len, 0);
    other.vm.priv.claimed = 0;
    CHECK_EQ(svmc_vmware_load(NULL, saved, 9), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmware_load(&other.vm, NULL, 9), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmware_save(NULL, saved, 9, &len), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmware_save(&lab.vm, NULL, 9, &len), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmware_save(&lab.vm, saved, 9, NULL), SVMC_ERR_ARG);
    CHECK_EQ(lab_open(&lab, LAB_TCLO | LAB_COOKIE, &ch), 1);
    len = save(&lab, saved);
    ops.tclo = NULL;
    CHECK_EQ(svmc_vmware_init(&other.vm, &other.config, &ops, &other), SVMC_OK);
    CHECK_EQ(load_hostile(saved, len), SVMC_ERR_UNSUPPORTED);
    other.config.channel_count = 1;
    CHECK_EQ(svmc_vmware_init(&other.vm, &other.config, &lab_ops, &other), SVMC_OK);
    CHECK_EQ(load_hostile(saved, len), SVMC_ERR_FULL);
}
