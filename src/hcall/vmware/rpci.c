/* SPDX-License-Identifier: MIT */
/** Requests on an RPCI channel: words, and a reply that begins with 1 or 0. docs/spec/vmware.md. */
#include "../../core/memory.h"
#include "vmware_private.h"

/* A request that is read from the front. */
struct text {
    const uint8_t *at;
    uint32_t bytes;
};

/* VW-16: the words of the library's own, and from where on capitals do as well. */
enum word { INFO_GET, INFO_SET, LOG, NONE };
#define FOLD 9u

static const struct {
    uint8_t bytes;
    char text[19];
} words[] = {
    [INFO_GET] = { 19, "info-get guestinfo." },
    [INFO_SET] = { 19, "info-set guestinfo." },
    [LOG] = { 4, "log " },
};

/* The word that the text begins with, which is skipped. */
CORE_SMALL static enum word first_word(struct text *t)
{
    uint32_t word, n;

    for (word = INFO_GET; word < NONE; word++) {
        uint32_t bytes = words[word].bytes; /* clamp: of a loop over the words */

        for (n = 0; n < bytes && n < t->bytes; n++) {
            uint8_t want = (uint8_t)words[word].text[n], is = t->at[n]; /* clamp: the same */

            if (is != want && !(n >= FOLD && want >= 'a' && is == want - 'a' + 'A'))
                break;
        }
        if (n == bytes) {
            t->at += n;
            t->bytes -= n;
            break;
        }
    }
    return (enum word)word;
}

/* What the library says by itself. */
static const struct {
    uint8_t bytes;
    char text[19];
} replies[] = {
#define REPLY(text)           \
    {                         \
        sizeof text - 1, text \
    }
    [VMWARE_YES] = REPLY("1 "),
    [VMWARE_NO] = REPLY("0 "),
    [VMWARE_NO_ROOM] = REPLY("0 No room"),
    [VMWARE_NO_VALUE] = REPLY("0 No value found"),
    [VMWARE_NONE_GIVEN] = REPLY("0 No value given"),
    [VMWARE_KEY_LONG] = REPLY("0 Key too long"),
    [VMWARE_VALUE_LONG] = REPLY("0 Value too long"),
    [VMWARE_QUOTA] = REPLY("0 Quota used up"),
    [VMWARE_DENIED] = REPLY("0 Not permitted"),
    [VMWARE_UNKNOWN] = REPLY("0 Unknown command"),
#undef REPLY
};

CORE_SMALL uint32_t svmc_vmware_say(uint8_t *reply, enum vmware_reply which)
{
    memcpy(reply, replies[which].text, replies[which].bytes); /* clamp: the callers' constants */
    return replies[which].bytes;                              /* clamp: the same */
}

/* What stands before the first space; *t becomes the rest, with the space. */
CORE_SMALL static struct text take_key(struct text *t)
{
    struct text key = *t;

    while (t->bytes > 0 && *t->at != ' ') {
        t->at++;
        t->bytes--;
    }
    key.bytes -= t->bytes;
    return key;
}

CORE_SMALL static enum vmware_reply info_get(struct svmc_vmware *vm,
                                             const struct svmc_vmware_call *call, struct text text,
                                             struct svmc_vmware_reply *value)
{
    struct text key = take_key(&text);

    if (key.bytes == 0)
        return VMWARE_NO_VALUE;
    if (key.bytes > vm->priv.config.key_bytes)
        return VMWARE_KEY_LONG;
    if (vm->priv.ops.info_get(vm->priv.ctx, call, key.at, key.bytes, value) != SVMC_OK)
        return VMWARE_NO_VALUE;
    return VMWARE_YES;
}

CORE_SMALL static enum vmware_reply info_set(struct svmc_vmware *vm,
                                             const struct svmc_vmware_call *call, struct text value)
{
    struct text key = take_key(&value);
    enum svmc_status st;

    if (value.bytes == 0)
        return VMWARE_NONE_GIVEN;
    value.at++;
    value.bytes--;
    if (key.bytes == 0)
        return VMWARE_DENIED;
    if (key.bytes > vm->priv.config.key_bytes)
        return VMWARE_KEY_LONG;
    if (value.bytes > vm->priv.config.value_bytes)
        return VMWARE_VALUE_LONG;
    st = vm->priv.ops.info_set(vm->priv.ctx, call, key.at, key.bytes, value.at, value.bytes);
    return st == SVMC_OK ? VMWARE_YES : st == SVMC_ERR_FULL ? VMWARE_QUOTA : VMWARE_DENIED;
}

CORE_SMALL static enum vmware_reply ask_host(struct svmc_vmware *vm,
                                             const struct svmc_vmware_call *call, struct text text,
                                             struct svmc_vmware_reply *reply)
{
    enum svmc_status st = SVMC_ERR_UNSUPPORTED;

    if (vm->priv.ops.rpc)
        st = vm->priv.ops.rpc(vm->priv.ctx, call, text.at, text.bytes, reply);
    if (st == SVMC_ERR_UNSUPPORTED)
        return VMWARE_UNKNOWN;
    return st == SVMC_OK ? VMWARE_YES : VMWARE_NO;
}

CORE_SMALL uint32_t svmc_vmware_rpci(struct svmc_vmware *vm, const struct svmc_vmware_call *call,
                                     const uint8_t *at, uint32_t bytes, uint8_t *reply)
{
    struct svmc_vmware_reply more = { reply + 2, vm->priv.config.message_bytes - 2, 0 };
    struct text text = { at, bytes }, rest;
    enum vmware_reply which = VMWARE_YES;
    enum word word;

    if (bytes > 0 && at[bytes - 1] == 0) /* clamp: the last byte; clients that send the NUL too */
        text.bytes--;
    rest = text;
    word = first_word(&rest);
    if (word == INFO_GET && vm->priv.ops.info_get)
        which = info_get(vm, call, rest, &more);
    else if (word == INFO_SET && vm->priv.ops.info_set)
        which = info_set(vm, call, rest);
    else if (word == LOG && vm->priv.ops.log)
        vm->priv.ops.log(vm->priv.ctx, call, rest.at, rest.bytes);
    else
        which = ask_host(vm, call, text, &more);
    if (more.bytes > vm->priv.config.message_bytes - 2) /* it has said nothing */
        which = word == INFO_GET ? VMWARE_NO_VALUE : VMWARE_UNKNOWN;
    return svmc_vmware_say(reply, which) + (which <= VMWARE_NO ? more.bytes : 0);
}
