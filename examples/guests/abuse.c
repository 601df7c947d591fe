/* SPDX-License-Identifier: MIT */
/**
 * Every call, wrongly: addresses that are not there or not the caller's, lengths that wrap, numbers
 * and flags nobody knows, messages that never end, channels that nobody closes, identities of
 * others, floods. Whoever answers must say so each time, and nothing more.
 */
#include "calls.h"

#define FLOOD    200u
#define ANSWER   9u  /* bytes of "1 hostile" */
#define CHANNELS 64u /* more than a VM has */

/* Steps of the message protocol, as rpc.c has them. */
#define COMMAND      30u
#define RPCI         0xc9435052u /* with a cookie */
#define SUCCESS      0x10000u
#define OPEN         (0u << 16 | COMMAND)
#define SEND_SIZE    (1u << 16 | COMMAND)
#define SEND         (2u << 16 | COMMAND)
#define RECEIVE_SIZE (3u << 16 | COMMAND)
#define CLOSE        (6u << 16 | COMMAND)
#define RECEIVE      (4u << 16 | COMMAND)

static svmc_hcall_word code(struct work *w, unsigned number, const svmc_hcall_word args[4])
{
    svmc_hcall_word arg[6] = { args[0], args[1], args[2], args[3], 0, 0 };

    return SVMC_HCALL_CODE_OF(native(w, number, arg));
}

/* Addresses: nothing mapped, not canonical, the last byte there is, device memory. */
static void bad_pointers(struct work *w)
{
    static const svmc_hcall_word nowhere[] = { 0x400000000000, 0x800000000000, 0x40000000, ~0ul,
                                               0xffff800000000000 };
    char *edge = (char *)w->cpu + BOOT_STACK_BYTES; /* of this processor's stack */
    svmc_hcall_word text = (svmc_hcall_word)w->reply;

    for (unsigned i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
        svmc_hcall_word from = nowhere[i];
        svmc_hcall_word want = from == ~0ul ? SVMC_HCALL_BAD_ARG : SVMC_HCALL_FAULT; /* wraps */

        check(w, code(w, NATIVE_SAY, (svmc_hcall_word[]){ from, 16, 0, 0 }) == want,
              "text nowhere");
        check(w, code(w, NATIVE_COPY, (svmc_hcall_word[]){ text, 16, from, 16 }) == want,
              "copy to nowhere");
    }
    /* what the caller may not do, the keeper does not do for it */
    check(w,
          code(w, NATIVE_SAY, (svmc_hcall_word[]){ text + ALIAS_KERNEL, 16, 0, 0 }) ==
              (w->ring == 0 ? SVMC_HCALL_OK : SVMC_HCALL_FAULT),
          "the kernel's memory");
    check(w,
          code(w, NATIVE_SAY, (svmc_hcall_word[]){ text + ALIAS_READ, 16, 0, 0 }) == SVMC_HCALL_OK,
          "memory to be read");
    check(w,
          code(w, NATIVE_COPY, (svmc_hcall_word[]){ text, 16, text + ALIAS_READ, 16 }) ==
              (w->ring == 0 ? SVMC_HCALL_OK : SVMC_HCALL_FAULT), /* CR0.WP is 0 */
          "memory not to be written");
    /* a device's page, which ring 3 may not touch, and where there is no memory for ring 0 */
    check(w, code(w, NATIVE_SAY, (svmc_hcall_word[]){ DEV_MMIO, 16, 0, 0 }) == SVMC_HCALL_FAULT,
          "text in a device");
    /* a buffer that begins in memory and ends behind it: all or nothing */
    check(w,
          code(w, NATIVE_COPY, (svmc_hcall_word[]){ text, 32, BOOT_RAM_BYTES - 16, 32 }) ==
              SVMC_HCALL_FAULT,
          "copy over the end");
    check(w,
          code(w, NATIVE_COPY, (svmc_hcall_word[]){ text, 16, (svmc_hcall_word)edge - 24, 8 }) ==
              SVMC_HCALL_BAD_ARG,
          "copy into less room");
    check(w, code(w, NATIVE_SAY, (svmc_hcall_word[]){ text, ~0ul, 0, 0 }) == SVMC_HCALL_BAD_ARG,
          "length that wraps");
    check(w, code(w, NATIVE_SAY, (svmc_hcall_word[]){ text, 0, 0, 0 }) == SVMC_HCALL_BAD_ARG,
          "no bytes");
    check(w, code(w, NATIVE_COUNT, (svmc_hcall_word[]){ 1ul << 32, 0, 0, 0 }) == SVMC_HCALL_BAD_ARG,
          "upper half of an argument");
}

/* Numbers, owners, flags, versions: whatever it is, it is a status word. */
static void bad_words(struct work *w)
{
    svmc_hcall_word arg[6], held[6], word = 0x9e3779b97f4a7c15, status;
    int statuses = 1, kept = 1;

    for (unsigned i = 0; i < FLOOD; i++) {
        for (unsigned k = 0; k < 6; k++)
            arg[k] = held[k] = word * (k + 3);
        word = word * 6364136223846793005u + 1442695040888963407u;
        if (i % 2) /* beyond the version */
            word = (word & ~(0xfful << SVMC_HCALL_ABI_SHIFT)) | SVMC_HCALL_CONTROL(0);
        status = svmc_call(&w->guest, word, arg);
        statuses &= SVMC_HCALL_IS_STATUS(status) && SVMC_HCALL_CODE_OF(status) != SVMC_HCALL_OK;
        for (unsigned k = 0; k < 6; k++)
            kept &= arg[k] == held[k];
    }
    check(w, statuses, "control words that are noise");
    check(w, kept, "a refusal has no results");
    status = svmc_call(&w->guest,
                       SVMC_HCALL_CONTROL(NATIVE_COUNT) | SVMC_HCALL_OWNER(NATIVE_OWNER) |
                           SVMC_HCALL_BATCH | SVMC_HCALL_REPS(4),
                       arg);
    check(w, SVMC_HCALL_CODE_OF(status) == SVMC_HCALL_NOT_DEFINED, "a batch");
}

static unsigned low(struct work *w, svmc_hcall_word word[6], unsigned command, unsigned ebx,
                    unsigned edx)
{
    word[1] = ebx;
    word[2] = command;
    word[3] = edx;
    svmc_vmware_low(&w->guest, word);
    return (unsigned)(word[2] >> 16);
}

/* A whole message, by high bandwidth, to or from where nothing is: of a struct work. */
static struct svmc_guest_channel reader[BOOT_CPUS_MAX];

static void receive_nowhere(void *of)
{
    struct work *w = of;

    (void)svmc_vmware_receive(&w->guest, SUCCESS, &reader[w->cpu->id], (void *)0x40000000, ANSWER);
}

static void send_nowhere(void *of)
{
    struct work *w = of;

    (void)svmc_vmware_send(&w->guest, SUCCESS, &reader[w->cpu->id], (void *)0x40000000, 64);
}

/* The fault is the guest's own, the channel stays, and its next request is answered. */
static void bad_strings(struct work *w)
{
    static const char request[] = "info-get guestinfo.mode";
    struct svmc_guest_channel *at = &reader[w->cpu->id];
    svmc_hcall_word word[6] = { 0 }, id;
    unsigned again;

    if (!(low(w, word, OPEN, RPCI, 0) & 1))
        return; /* ring 0's or another processor's flood has them all */
    id = word[3] & 0xffff0000;
    *at = (struct svmc_guest_channel){ (unsigned)(id >> 16), (unsigned)word[4], (unsigned)word[5] };
    check(w, low(w, word, SEND_SIZE, 64, (unsigned)id) & 1, "a size");
    check(w, attempt(0, send_nowhere, w) == 1, "a send from nowhere faults");
    check(w, low(w, word, SEND_SIZE, sizeof request - 1, (unsigned)id) & 1, "another size");
    check(w, svmc_vmware_send(&w->guest, SUCCESS, at, request, sizeof request - 1) & 1, "sent");
    check(w, low(w, word, RECEIVE_SIZE, 0, (unsigned)id) & 1, "an answer");
    check(w, word[1] == ANSWER && attempt(0, receive_nowhere, w) == 1,
          "a receive to nowhere faults");
    check(w, (low(w, word, RECEIVE_SIZE, 0, (unsigned)id) & 1) && word[1] == ANSWER,
          "the answer is there until it is thanked for");
    again = svmc_vmware_receive(&w->guest, SUCCESS, at, w->reply, word[1]);
    check(w, (again & 1) && w->reply[0] == '1', "answered after all");
    (void)low(w, word, CLOSE, 0, (unsigned)id);
}

/* Channels that are opened and left with half a message, until there are no more. */
static void bad_messages(struct work *w)
{
    svmc_hcall_word word[6] = { 0 }, id = 0;
    struct svmc_guest_channel at = { 0, 0, 0 };
    unsigned open = 0;

    for (unsigned i = 0; i < CHANNELS; i++) {
        if (!(low(w, word, OPEN, RPCI, 0) & 1))
            continue;
        open++;
        id = word[3] & 0xffff0000;
        at.id = (unsigned)(id >> 16);
        at.cookie_high = (unsigned)word[4];
        at.cookie_low = (unsigned)word[5];
        (void)low(w, word, SEND_SIZE, i % 3 ? 4096 : 100000, (unsigned)id);
        (void)low(w, word, SEND, 0x6f666e69, (unsigned)id);
    }
    check(w, open < CHANNELS, "channels end"); /* ring 3 finds those of ring 0 open */
    check(w, low(w, word, RECEIVE, 1, (unsigned)id) == 0, "a payload without its size");
    word[5] ^= 1;
    check(w, low(w, word, SEND_SIZE, 8, (unsigned)id) == 0, "a foreign cookie");
    check(w, low(w, word, SEND_SIZE, 8, 0x7fff0000) == 0, "no such channel");
    check(w, low(w, word, 77u << 16 | COMMAND, 8, (unsigned)id) == 0, "no such step");
    /* all at once, more than the message has; from a channel that has none */
    check(w, !(svmc_vmware_receive(&w->guest, SUCCESS, &at, w->reply, 64) & 1), "nothing to get");
    at.cookie_low ^= 4;
    check(w, !(svmc_vmware_send(&w->guest, SUCCESS, &at, w->reply, 64) & 1), "a foreign send");
}

static void bad_commands(struct work *w)
{
    svmc_hcall_word word[6];

    for (unsigned i = 0; i < FLOOD; i++) {
        for (unsigned k = 0; k < 6; k++)
            word[k] = 0xffffffff00000000 + i;
        if (i == COMMAND)
            continue;
        word[2] = i;
        (void)svmc_vmware_low(&w->guest, word);
    }
}

/* The ports without a call: an empty bus. */
static void bad_accesses(struct work *w)
{
    if (w->ring != 0)
        return; /* io.S goes by the stack's processor: the kernel's */
    check(w, (in32(SVMC_VMWARE_PORT) & 0xffffffff) == 0xffffffff, "no magic");
    check(w, (in8(SVMC_VMWARE_PORT) & 0xff) == 0xff, "a byte of it");
    check(w, (in16(SVMC_VMWARE_PORT_HIGH) & 0xffff) == 0xffff, "two of the other");
    out32(SVMC_VMWARE_PORT, 1);
    out16(w->guest.port, 1);
    check(w, (in32(w->guest.port) & 0xffffffff) == 0xffffffff, "the doorbell read");
    check(w, rep_outs8(SVMC_VMWARE_PORT_HIGH, w->reply, 16) == 0, "bytes without a magic");
    check(w, rep_outs32(w->guest.port, w->reply, 4) == 0, "a string of doorbells");
}

uint64_t abuse(void *of)
{
    struct work *w = of;

    bad_pointers(w);
    bad_words(w);
    bad_commands(w);
    bad_accesses(w);
    bad_strings(w);
    bad_messages(w);
    return w->failed;
}
