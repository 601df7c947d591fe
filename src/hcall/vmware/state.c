/* SPDX-License-Identifier: MIT */
/** Channels, messages and the pointer as bytes: docs/spec/state.md, ST-15 and ST-16. */
#include "../../core/state.h"
#include "vmware_private.h"

#define FLAG_OPEN   1u
#define FLAG_COOKIE 2u

/* ---- writing ---------------------------------------------------------------------------------*/

/* ST-15: how much of a message is there. */
static uint32_t there(uint32_t stage, uint32_t bytes, uint32_t done)
{
    return stage == EMPTY ? 0 : stage == FILLING ? done : bytes;
}

static void put_message(struct state_writer *w, const struct svmc_vmware *vm,
                        const struct svmc_vmware_message *m)
{
    bool holds = m->stage != EMPTY;

    state_put8(w, m->stage);
    state_put8(w, m->notice);
    state_put16(w, 0);
    state_put32(w, holds ? m->at : 0);
    state_put32(w, holds ? m->bytes : 0);
    state_put32(w, holds ? m->done : 0);
    if (holds)
        state_put(w, vm->priv.config.arena + m->at, there(m->stage, m->bytes, m->done));
}

static void put_channel(struct state_writer *w, const struct svmc_vmware *vm,
                        const struct svmc_vmware_channel *ch)
{
    state_put8(
        w, (uint8_t)((ch->priv.open ? FLAG_OPEN : 0) | (ch->priv.has_cookie ? FLAG_COOKIE : 0)));
    state_put8(w, ch->priv.ended);
    state_put16(w, 0);
    state_put32(w, ch->priv.protocol);
    state_put32(w, ch->priv.handle);
    state_put64(w, ch->priv.has_cookie ? ch->priv.cookie : 0);
    for (uint32_t side = FROM_GUEST; ch->priv.open && side <= TO_GUEST; side++)
        put_message(w, vm, &ch->priv.message[side]);
}

/* Channels up to the last one that was ever open. */
static uint32_t channels_used(const struct svmc_vmware *vm)
{
    uint32_t n = vm->priv.config.channel_count;

    while (n != 0 && vm->priv.config.channels[n - 1].priv.protocol == 0)
        n--;
    return n;
}

static void put_vm(struct state_writer *w, const struct svmc_vmware *vm, size_t bytes)
{
    uint32_t used = channels_used(vm);

    svmc_core_state_begin(w, SVMC_SAVED_VMWARE, STATE_FIRST, bytes);
    state_put32(w, vm->priv.generation);
    state_put32(w, used);
    state_put8(w, (uint8_t)vm->priv.absolute);
    state_put8(w, (uint8_t)vm->priv.restricted);
    state_put16(w, (uint16_t)vm->priv.pointer_status);
    state_put32(w, vm->priv.words);
    for (uint32_t i = 0; i < vm->priv.words; i++)
        state_put32(w, vm->priv.queue[i]);
    for (uint32_t i = 0; i < used; i++)
        put_channel(w, vm, vm->priv.config.channels + i);
}

CORE_COLD enum svmc_status svmc_vmware_save(struct svmc_vmware *vm, uint8_t *out, size_t cap,
                                            size_t *len)
{
    struct state_writer w = { NULL, 0 };
    enum svmc_status st;

    if (!len)
        return SVMC_ERR_ARG;
    *len = 0;
    if (!out && cap != 0)
        return SVMC_ERR_ARG;
    st = svmc_vmware_enter(vm);
    if (st != SVMC_OK)
        return st;
    put_vm(&w, vm, 0);
    *len = w.at;
    if (w.at <= cap) {
        w = (struct state_writer){ out, 0 };
        put_vm(&w, vm, *len);
    } else {
        st = SVMC_ERR_FULL;
    }
    vmware_release(vm);
    return st;
}

/* ---- reading ---------------------------------------------------------------------------------*/

/* ST-16: as svmc_vmware_init left it; the guest's bytes are gone, too. */
static void blank(struct svmc_vmware *vm)
{
    const struct svmc_vmware_config *c = &vm->priv.config;

    vm->priv.generation = 0;
    vm->priv.first = NULL;
    memset(vm->priv.queue, 0, sizeof vm->priv.queue);
    svmc_vmware_pointer_reset(vm);
    if (c->channel_count == 0)
        return;
    memset(c->channels, 0, c->channel_count * sizeof *c->channels);
    memset(c->arena, 0, c->arena_bytes);
}

/* VW-12: into the list of the arena, if it touches no other; SVMC_ERR_FULL: this one is smaller. */
static enum svmc_status place_at(struct svmc_vmware *vm, struct svmc_vmware_message *m)
{
    const struct svmc_vmware_config *c = &vm->priv.config;
    struct svmc_vmware_message **link = &vm->priv.first;
    uint32_t room, end = 0;

    if (m->at % SVMC_VMWARE_MESSAGE_UNIT != 0 || m->bytes > SVMC_VMWARE_MESSAGE_MAX)
        return SVMC_ERR_FORMAT;
    room = vmware_room_of(m->bytes);
    if (m->bytes > c->message_bytes || m->at < c->message_bytes || room > c->arena_bytes ||
        m->at > c->arena_bytes - room)
        return SVMC_ERR_FULL;
    for (; *link && (*link)->at < m->at; link = &(*link)->next)
        end = (*link)->at + vmware_room_of((*link)->bytes);
    if (m->at < end || (*link && (*link)->at - m->at < room))
        return SVMC_ERR_FORMAT;
    m->next = *link;
    *link = m;
    return SVMC_OK;
}

/* ST-15: a stage that this side has, and as much of it as goes with that. */
static bool is_message(const struct svmc_vmware_message *m, uint32_t side)
{
    bool notice =
        m->notice == 0 || m->notice == SVMC_VMWARE_UNSENT || m->notice == SVMC_VMWARE_CHECKPOINT;

    if (m->stage == EMPTY)
        return notice && (m->at | m->bytes | m->done) == 0;
    if (side == FROM_GUEST)
        return notice && m->stage == FILLING && m->done < m->bytes;
    return notice && ((m->stage == WAITING && m->done <= m->bytes) ||
                      (m->stage == READING && m->done <= m->bytes));
}

static enum svmc_status get_message(struct state_reader *r, struct svmc_vmware *vm,
                                    struct svmc_vmware_message *m, uint32_t side)
{
    enum svmc_status st;
    const uint8_t *data;
    uint32_t bytes;

    m->stage = state_get8(r);
    m->notice = state_get8(r);
    state_want(r, state_get16(r) == 0);
    m->at = state_get32(r);
    m->bytes = state_get32(r);
    m->done = state_get32(r);
    if (r->bad || !is_message(m, side))
        return SVMC_ERR_FORMAT;
    if (m->stage == EMPTY)
        return SVMC_OK;
    st = place_at(vm, m);
    if (st != SVMC_OK)
        return st;
    bytes = there(m->stage, m->bytes, m->done);
    data = svmc_core_state_get(r, bytes);
    if (!data)
        return SVMC_ERR_FORMAT;
    memcpy(vm->priv.config.arena + m->at, data, bytes);
    return SVMC_OK;
}

/* VW-16: a request of RPCI ends the reply before it. One that is answered in its place would be in
   the arena's list twice, which then has no end. */
static bool is_twice(const struct svmc_vmware_channel *ch)
{
    return ch->priv.protocol == RPCI && ch->priv.message[FROM_GUEST].stage != EMPTY &&
           ch->priv.message[TO_GUEST].stage != EMPTY;
}

/* VW-10, VW-15: channel n; one that was never open is all zero. */
static enum svmc_status get_channel(struct state_reader *r, struct svmc_vmware *vm, uint32_t n)
{
    struct svmc_vmware_channel *ch = vm->priv.config.channels + n;
    uint8_t flags = state_get8(r);
    enum svmc_status st = SVMC_OK;

    ch->priv.open = flags & FLAG_OPEN;
    ch->priv.has_cookie = (flags & FLAG_COOKIE) != 0;
    ch->priv.ended = state_get8(r);
    state_want(r, state_get16(r) == 0 && flags <= (FLAG_OPEN | FLAG_COOKIE));
    ch->priv.protocol = state_get32(r);
    ch->priv.handle = state_get32(r);
    ch->priv.cookie = state_get64(r);
    state_want(r, ch->priv.has_cookie || ch->priv.cookie == 0);
    if (ch->priv.protocol == 0) {
        state_want(r, (flags | ch->priv.ended | ch->priv.handle) == 0);
        return r->bad ? SVMC_ERR_FORMAT : SVMC_OK;
    }
    state_want(r, (ch->priv.protocol == RPCI || ch->priv.protocol == TCLO) &&
                      ch->priv.handle % SVMC_VMWARE_CHANNELS_MAX == n &&
                      (!ch->priv.open || ch->priv.ended == 0));
    if (r->bad)
        return SVMC_ERR_FORMAT;
    if (ch->priv.protocol == TCLO && !vm->priv.ops.tclo)
        return SVMC_ERR_UNSUPPORTED;
    ch->priv.used_at = vm->priv.ops.ticks ? vm->priv.ops.ticks(vm->priv.ctx) : 0;
    for (uint32_t side = FROM_GUEST; ch->priv.open && side <= TO_GUEST && st == SVMC_OK; side++)
        st = get_message(r, vm, &ch->priv.message[side], side); /* clamp: own loop */
    if (st == SVMC_OK && is_twice(ch))
        st = SVMC_ERR_FORMAT;
    return st;
}

/* VW-18 */
static void get_pointer(struct state_reader *r, struct svmc_vmware *vm)
{
    uint32_t words;

    vm->priv.absolute = state_get8(r);
    vm->priv.restricted = state_get8(r);
    vm->priv.pointer_status = state_get16(r);
    words = state_get32(r);
    state_want(r, vm->priv.absolute <= 1 && vm->priv.restricted <= VMWARE_RESTRICT_MAX &&
                      (vm->priv.pointer_status == 0 ||
                       (vm->priv.pointer_status == VMWARE_POINTER_OFF && words == 0)) &&
                      words <= SVMC_VMWARE_POINTER_WORDS);
    vm->priv.words = r->bad ? 0 : words;
    for (uint32_t i = 0; i < vm->priv.words && i < SVMC_VMWARE_POINTER_WORDS; i++)
        vm->priv.queue[i] = state_get32(r); /* clamp: own loop */
}

static enum svmc_status get_vm(struct state_reader *r, struct svmc_vmware *vm)
{
    enum svmc_status st = SVMC_OK;
    uint32_t used;

    vm->priv.generation = state_get32(r);
    used = state_get32(r);
    state_want(r, vm->priv.generation % SVMC_VMWARE_CHANNELS_MAX == 0 &&
                      used <= SVMC_VMWARE_CHANNELS_MAX);
    get_pointer(r, vm);
    if (r->bad)
        return SVMC_ERR_FORMAT;
    if (used > vm->priv.config.channel_count)
        return SVMC_ERR_FULL;
    for (uint32_t n = 0; n < used && st == SVMC_OK; n++)
        st = get_channel(r, vm, n);
    if (st != SVMC_OK)
        return st;
    return used != channels_used(vm) ? SVMC_ERR_FORMAT : svmc_core_state_close(r);
}

CORE_COLD enum svmc_status svmc_vmware_load(struct svmc_vmware *vm, const uint8_t *bytes,
                                            size_t len)
{
    struct state_reader r;
    enum svmc_status st;

    if (!bytes)
        return SVMC_ERR_ARG;
    st = svmc_vmware_enter(vm);
    if (st != SVMC_OK)
        return st;
    if (vm->priv.generation != 0 || vm->priv.words != 0 ||
        vm->priv.pointer_status != VMWARE_POINTER_OFF || vm->priv.restricted != 0) {
        vmware_release(vm);
        return SVMC_ERR_STATE;
    }
    st = svmc_core_state_open(&r, SVMC_SAVED_VMWARE, bytes, len);
    if (st == SVMC_OK) {
        st = get_vm(&r, vm);
        if (st != SVMC_OK)
            blank(vm);
    }
    vmware_release(vm);
    return st;
}
