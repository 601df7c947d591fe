/* SPDX-License-Identifier: MIT */
#include "rpc.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Numbers of open-vm-tools lib/include/backdoor_def.h, and of guest_rpc and tclodefs.h. */
enum { GETDEVICELISTELEMENT = 11, TOGGLEDEVICE = 12, GETGUIOPTIONS = 13, SETGUIOPTIONS = 14 };
#define GUI_SYNC_TIME  0x400u
#define DEVICES_MOST   64u
#define DEVICE_NAME    32u /* struct RD_Info of removable_device.h: name, id, enabled */
#define DEVICE_BYTES   40u
#define DEVICE_CONNECT 0x80000000u

/* One string on its way. */
struct request {
    struct rpc *rpc;
    const uint8_t *text; /* behind the command */
    uint32_t n;
    struct svmc_vmware_reply *reply;
};

static enum svmc_status say(const struct request *r, const void *text, size_t n)
{
    if (n > r->reply->room)
        return SVMC_ERR_FULL;
    memcpy(r->reply->at, text, n);
    r->reply->bytes = (uint32_t)n;
    return SVMC_OK;
}

static enum svmc_status refuse(const struct request *r, const char *why)
{
    (void)say(r, why, strlen(why));
    return SVMC_ERR_STATE;
}

/* What a host takes note of, and no more. */
static enum svmc_status agree(const struct request *r)
{
    return say(r, "", 0);
}

static enum svmc_status share(const struct request *r)
{
    return hgfs_handle(&r->rpc->hgfs, r->text, r->n, r->reply->at, r->reply->room,
                       &r->reply->bytes);
}

/* "synctime FROM TO": timesync of vmware-toolbox-cmd */
static enum svmc_status set_option(const struct request *r)
{
    if (r->n > 11 && memcmp(r->text, "synctime ", 9) == 0)
        r->rpc->sync_time = r->text[11] == '1';
    return say(r, "", 0);
}

/* ---- guestlib: open-vm-tools libguestlib/vmGuestLibInt.h, version 2 of its data -------------- */

#define GUESTLIB_BYTES 669u
#define GUESTLIB_POOL  513u /* valid, and a path of 512 */
#define UNLIMITED      0xffffffffu

struct writer {
    uint8_t *at;
};

static void put_32(struct writer *w, uint32_t value)
{
    memcpy(w->at, &value, sizeof value);
    w->at += sizeof value;
}

static void put_64(struct writer *w, uint64_t value)
{
    memcpy(w->at, &value, sizeof value);
    w->at += sizeof value;
}

static enum svmc_status guestlib(const struct request *r)
{
    /* no reservation, no limit, normal shares; nothing is ballooned, swapped or shared */
    const uint32_t memory = r->rpc->memory_mb, mhz = r->rpc->mhz;
    const uint32_t values[] = { 0,      UNLIMITED, 1000, 0, mhz, 0, UNLIMITED, memory * 10,
                                memory, memory,    0,    0, 0,   0, 0,         memory };
    uint8_t bytes[GUESTLIB_BYTES] = { 0 };
    struct writer w = { bytes };
    struct timespec now;
    uint64_t elapsed;

    if (r->n < 1 || r->text[0] != '2')
        return refuse(r, "Unsupported version");
    clock_gettime(CLOCK_MONOTONIC, &now);
    elapsed = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    put_32(&w, 2);
    put_64(&w, r->rpc->session);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        put_32(&w, 1); /* valid */
        if (i == 3)
            put_64(&w, elapsed); /* of processor time: as if it were always busy */
        else
            put_32(&w, values[i]);
    }
    put_32(&w, 1);
    put_64(&w, elapsed);
    memcpy(w.at, "\1/", 2);
    return say(r, bytes, sizeof bytes);
}

/* ---- namespaces: namespacetool.c: strings, each with its NUL --------------------------------- */

#define SET_WORDS 6u

/* The word behind this one, or the first if it is NULL; NULL: there is none. */
static const char *next_word(const struct request *r, const char *at)
{
    const char *text = (const char *)r->text, *end = text + r->n;

    at = at ? at + strlen(at) + 1 : text;
    return at < end && memchr(at, 0, (size_t)(end - at)) ? at : NULL;
}

/* What a key of a namespace has as key of the store; 0: too long. The length keeps a/b c and a b/c
   apart. */
static size_t join(char key[STORE_KEY_MOST + 1], const char *name, const char *word)
{
    int n = snprintf(key, STORE_KEY_MOST + 1, "%zu:%s/%s", strlen(name), name, word);

    return n > 0 && n <= (int)STORE_KEY_MOST ? (size_t)n : 0;
}

static const struct store_entry *namespace_find(const struct rpc *rpc, const char *name,
                                                const char *word)
{
    char key[STORE_KEY_MOST + 1];
    size_t n = join(key, name, word);

    return store_find(&rpc->namespaces, (uint8_t *)key, n);
}

bool rpc_namespace_set(struct rpc *rpc, const char *name, const char *word, const char *value)
{
    char key[STORE_KEY_MOST + 1];
    size_t n = join(key, name, word);

    return store_set(&rpc->namespaces, (uint8_t *)key, n, (const uint8_t *)value,
                     strlen(value) + 1) == STORE_OK;
}

/* NAME and keys: the value of each, empty if there is none; but one must be there. */
static enum svmc_status namespace_get(const struct request *r)
{
    const char *name = next_word(r, NULL), *word = name ? next_word(r, name) : NULL;
    uint32_t found = 0, at = 0;

    if (!word)
        return refuse(r, "Invalid arguments");
    for (; word; word = next_word(r, word)) {
        const struct store_entry *entry = namespace_find(r->rpc, name, word);
        size_t n = entry ? entry->bytes : 1;

        if (n > r->reply->room - at)
            return refuse(r, "The values are too long");
        memcpy(r->reply->at + at, entry ? (const char *)entry->value : "", n);
        at += (uint32_t)n;
        found += entry != NULL;
    }
    if (found == 0)
        return refuse(r, "Key not found");
    r->reply->bytes = at;
    return SVMC_OK;
}

/* NAME, 1, OPERATION, KEY, VALUE, OLD: operation 1 wants OLD to stand there; no VALUE: delete. */
static enum svmc_status namespace_set(const struct request *r)
{
    const char *words[SET_WORDS], *at = next_word(r, NULL);
    const struct store_entry *entry;
    char key[STORE_KEY_MOST + 1];
    size_t count = 0;

    for (; at && count < SET_WORDS; at = next_word(r, at))
        words[count++] = at;
    if (count != SET_WORDS || at || strcmp(words[1], "1") != 0)
        return refuse(r, "Invalid arguments");
    entry = namespace_find(r->rpc, words[0], words[3]);
    if (words[2][0] == '1' && (!entry || strcmp((char *)entry->value, words[5]) != 0))
        return refuse(r, "The old value differs");
    if (words[4][0] == 0)
        return store_remove(&r->rpc->namespaces, (uint8_t *)key, join(key, words[0], words[3]))
                   ? agree(r)
                   : refuse(r, "Key not found");
    return rpc_namespace_set(r->rpc, words[0], words[3], words[4])
               ? agree(r)
               : refuse(r, "Key or value refused");
}

/* ---- all of them: the first that fits -------------------------------------------------------- */

static const struct {
    const char *command; /* with the blank where one must follow */
    enum svmc_status (*run)(const struct request *r);
} known[] = {
    { "f ", share },
    { "vmx.set_option ", set_option },
    { "guestlib.info.get ", guestlib },
    { "namespace-priv-get-values ", namespace_get },
    { "namespace-priv-set-keys ", namespace_set },
    { "SetGuestInfo ", agree }, /* what vmtoolsd tells of its guest */
    { "tools.", agree },        /* version, capabilities, state */
    { "vmx.capability.", agree },
};

static bool begins(const uint8_t *text, uint32_t n, const char *with)
{
    size_t bytes = strlen(with);

    return n >= bytes && memcmp(text, with, bytes) == 0;
}

static enum svmc_status dispatch(struct request *r)
{
    for (size_t i = 0; i < r->rpc->answer_count; i++) {
        const struct rpc_answer *answer = &r->rpc->answers[i];
        const char *text = answer->answer + 2;

        if (begins(r->text, r->n, answer->command))
            return answer->answer[0] == '1' ? say(r, text, strlen(text)) : refuse(r, text);
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint32_t skip = (uint32_t)strlen(known[i].command);

        if (begins(r->text, r->n, known[i].command)) {
            r->text += skip;
            r->n -= skip;
            return known[i].run(r);
        }
    }
    return SVMC_ERR_UNSUPPORTED;
}

enum svmc_status rpc_handle(struct rpc *rpc, const uint8_t *text, uint32_t text_bytes,
                            struct svmc_vmware_reply *reply)
{
    static uint8_t copy[SVMC_VMWARE_MESSAGE_MAX + 1];
    struct request r = { rpc, copy, text_bytes + 1, reply };

    if (text_bytes > SVMC_VMWARE_MESSAGE_MAX)
        return SVMC_ERR_UNSUPPORTED;
    memcpy(copy, text, text_bytes);
    copy[text_bytes] = 0; /* the library takes a last NUL away, of binary messages too */
    return dispatch(&r);
}

/* ---- commands -------------------------------------------------------------------------------- */

/* Four bytes of what is told of a device: its number is in the upper half, the place in the lower
   one. */
static enum svmc_status device_element(const struct rpc *rpc, struct svmc_vmware_call *call)
{
    uint32_t device = (uint32_t)call->arg[1] >> 16, at = (uint32_t)call->arg[1] & 0xffff, value;
    uint8_t info[DEVICE_BYTES] = { 0 };

    call->arg[0] = 0; /* FALSE: there is none */
    if (device >= rpc->devices.count || device >= DEVICES_MOST || at > DEVICE_BYTES - 4)
        return SVMC_OK;
    snprintf((char *)info, DEVICE_NAME, "%s", rpc->devices.list[device]);
    memcpy(info + DEVICE_NAME, &device, sizeof device);
    info[DEVICE_NAME + 4] = (rpc->disconnected >> device & 1) == 0;
    memcpy(&value, info + at, sizeof value);
    call->arg[0] = 1;
    call->arg[1] = value;
    return SVMC_OK;
}

static enum svmc_status toggle(struct rpc *rpc, struct svmc_vmware_call *call)
{
    uint32_t size = (uint32_t)call->arg[1], device = size & ~DEVICE_CONNECT;

    call->arg[0] = device < rpc->devices.count && device < DEVICES_MOST;
    if (call->arg[0] == 1 && (size & DEVICE_CONNECT) != 0)
        rpc->disconnected &= ~(1ull << device);
    else if (call->arg[0] == 1)
        rpc->disconnected |= 1ull << device;
    return SVMC_OK;
}

enum svmc_status rpc_command(struct rpc *rpc, uint32_t command, struct svmc_vmware_call *call)
{
    switch (command) {
    case GETDEVICELISTELEMENT:
        return device_element(rpc, call);
    case TOGGLEDEVICE:
        return toggle(rpc, call);
    case GETGUIOPTIONS:
        call->arg[0] = rpc->sync_time ? GUI_SYNC_TIME : 0;
        return SVMC_OK;
    case SETGUIOPTIONS:
        rpc->sync_time = (call->arg[1] & GUI_SYNC_TIME) != 0;
        return SVMC_OK;
    default:
        return SVMC_ERR_UNSUPPORTED;
    }
}
