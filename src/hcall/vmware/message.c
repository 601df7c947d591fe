/* SPDX-License-Identifier: MIT */
/**
 * Message channels of VMware's calls, RPCI and TCLO. docs/spec/vmware.md.
 *
 * The arena has one longest message of scratch in front, where replies are made; behind it lie the
 * messages, in the order of the list that begins at priv.first.
 */
#include "../../core/bytes.h"
#include "../../core/callbacks.h"
#include "../../core/clamp.h"
#include "../../core/memory.h"
#include "vmware_private.h"

/* VW-9: open-vm-tools lib/include/guest_msg_def.h and rpcout.h, rpcin.h. */
enum step { OPEN, SENDSIZE, SENDPAYLOAD, RECVSIZE, RECVPAYLOAD, RECVSTATUS, CLOSE };
#define WITH_COOKIE 0x80000000u
#define HB_MESSAGE  0u /* the one command of the high-bandwidth port */
#define PAYLOAD     4u /* bytes of a low-bandwidth step */

#define GARBAGE 0xfffe0000u /* status bits of a request that are not the guest's */

#define PAGE 4096u

/* VW-11: code whose pointers and counts have 32 bits. */
#define NARROW                                                                                 \
    (1u << SVMC_ISA_X86_16 | 1u << SVMC_ISA_X86_32 | 1u << SVMC_ISA_A32 | 1u << SVMC_ISA_T32 | \
     1u << SVMC_ISA_RV32)

/* VW-12: the first gap that is wide enough. With three longest messages or more one is kept for
   what the host has to say. */
CORE_SMALL static bool place(struct svmc_vmware *vm, struct svmc_vmware_channel *ch, enum side side,
                             uint32_t bytes)
{
    uint32_t at = vm->priv.config.message_bytes, end = vm->priv.config.arena_bytes;
    struct svmc_vmware_message **link = &vm->priv.first, *m = &ch->priv.message[side];
    bool of_host = ch->priv.protocol == TCLO && side == TO_GUEST;

    if (vm->priv.ops.tclo && !of_host && end / 3 >= at)
        end -= at;
    for (; *link && (*link)->at - at < vmware_room_of(bytes); link = &(*link)->next)
        at = (*link)->at + vmware_room_of((*link)->bytes);
    if (at > end || end - at < vmware_room_of(bytes))
        return false;
    m->next = *link;
    *link = m;
    m->at = at;
    m->bytes = bytes;
    m->done = 0;
    m->stage = side == FROM_GUEST ? FILLING : WAITING;
    return true;
}

CORE_COLD static void discard(struct svmc_vmware *vm, struct svmc_vmware_message *m)
{
    struct svmc_vmware_message **link = &vm->priv.first;

    if (m->stage == EMPTY)
        return;
    while (*link != m)
        link = &(*link)->next;
    *link = m->next;
    m->stage = EMPTY;
}

CORE_SMALL static void tell(const struct svmc_vmware *vm, const struct svmc_vmware_channel *ch,
                            enum svmc_vmware_tclo_event event, const uint8_t *data, uint32_t bytes)
{
    if (ch->priv.protocol == TCLO)
        vm->priv.ops.tclo(vm->priv.ctx, ch->priv.handle, event, data, bytes);
}

/* VW-15: whoever still knows the cookie is told `ended` until the channel is opened again. */
CORE_SMALL static void shut(struct svmc_vmware *vm, struct svmc_vmware_channel *ch, uint32_t ended)
{
    discard(vm, &ch->priv.message[FROM_GUEST]);
    discard(vm, &ch->priv.message[TO_GUEST]);
    ch->priv.open = 0;
    ch->priv.ended = (uint8_t)ended;
    tell(vm, ch, SVMC_VMWARE_TCLO_CLOSED, NULL, 0);
}

CORE_SMALL static uint64_t now(const struct svmc_vmware *vm)
{
    return vm->priv.ops.ticks ? vm->priv.ops.ticks(vm->priv.ctx) : 0;
}

/* VW-13; never the channel that is at work, whatever the clock says. */
CORE_SMALL static void make_room(struct svmc_vmware *vm, const struct svmc_vmware_channel *at_work)
{
    uint64_t limit = vm->priv.config.idle_ticks, time = now(vm);
    struct svmc_vmware_channel *ch = vm->priv.config.channels;

    for (uint32_t n = vm->priv.config.channel_count; n > 0 && limit != 0; n--, ch++)
        if (ch != at_work && ch->priv.open && time - ch->priv.used_at > limit)
            shut(vm, ch, SVMC_VMWARE_TIMEOUT | SVMC_VMWARE_CLOSED);
}

/* VW-12, VW-13 */
CORE_SMALL static bool find_room(struct svmc_vmware *vm, struct svmc_vmware_channel *ch,
                                 enum side side, uint32_t bytes)
{
    if (place(vm, ch, side, bytes))
        return true;
    make_room(vm, ch);
    return place(vm, ch, side, bytes);
}

/* VW-10: of the closed channels one that nobody has to be told of, if there is one. */
CORE_SMALL static uint32_t find_closed(const struct svmc_vmware *vm)
{
    uint32_t count = vm->priv.config.channel_count, found = count;
    const struct svmc_vmware_channel *ch = vm->priv.config.channels;

    for (uint32_t n = 0; n < count; n++, ch++)
        if (!ch->priv.open) {
            found = n;
            if (ch->priv.ended == 0)
                break;
        }
    return found;
}

/* VW-10 */
CORE_SMALL static enum svmc_status open_channel(struct svmc_vmware *vm,
                                                struct svmc_vmware_call *call, uint32_t *status)
{
    uint32_t protocol = vmware_get(call, 1) & ~WITH_COOKIE, index;
    uint32_t has_cookie = vmware_get(call, 1) & WITH_COOKIE;
    struct svmc_vmware_channel *ch;
    uint64_t cookie = 0;

    if ((protocol != RPCI && !(protocol == TCLO && vm->priv.ops.tclo)) ||
        (!has_cookie && (vm->priv.config.flags & SVMC_VMWARE_COOKIES)))
        return SVMC_OK;
    index = find_closed(vm);
    if (index == vm->priv.config.channel_count) {
        make_room(vm, NULL);
        index = find_closed(vm);
        if (index == vm->priv.config.channel_count)
            return SVMC_OK;
    }
    if (vm->priv.ops.random(vm->priv.ctx, &cookie, sizeof cookie) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    ch = vm->priv.config.channels + index;
    memset(ch, 0, sizeof *ch);
    vm->priv.generation += SVMC_VMWARE_CHANNELS_MAX;
    ch->priv.handle = vm->priv.generation | index;
    ch->priv.cookie = cookie;
    ch->priv.used_at = now(vm);
    ch->priv.protocol = protocol;
    ch->priv.open = 1;
    vmware_set_upper(call, 3, index);
    if (has_cookie) {
        ch->priv.has_cookie = 1;
        vmware_set(call, 4, (uint32_t)(cookie >> 32));
        vmware_set(call, 5, (uint32_t)cookie);
    }
    *status = SVMC_VMWARE_SUCCESS;
    tell(vm, ch, SVMC_VMWARE_TCLO_OPENED, NULL, 0);
    return SVMC_OK;
}

/* VW-11: the caller's channel; NULL: *status is the answer. One comparison, whatever differs. */
CORE_SMALL static struct svmc_vmware_channel *find(const struct svmc_vmware *vm, uint32_t id,
                                                   uint64_t cookie, uint32_t *status)
{
    uint32_t count = vm->priv.config.channel_count;
    struct svmc_vmware_channel *ch;

    *status = 0;
    if (id >= count)
        return NULL;
    ch = vm->priv.config.channels + core_clamp(id, count);
    if (ch->priv.has_cookie && (cookie ^ ch->priv.cookie) != 0)
        return NULL;
    if (!ch->priv.open) {
        *status = ch->priv.ended;
        return NULL;
    }
    return ch;
}

/* VW-16, VW-17: all of a message is there. */
CORE_SMALL static void complete(struct svmc_vmware *vm, const struct svmc_vmware_call *call,
                                struct svmc_vmware_channel *ch)
{
    struct svmc_vmware_message *in = &ch->priv.message[FROM_GUEST];
    struct svmc_vmware_message *out = &ch->priv.message[TO_GUEST];
    uint8_t *scratch = vm->priv.config.arena;
    uint32_t bytes;

    ch->priv.used_at = now(vm);
    if (ch->priv.protocol == TCLO) {
        if (in->bytes > 0) /* an empty one asks whether there is something */
            tell(vm, ch, SVMC_VMWARE_TCLO_REPLY, scratch + in->at, in->bytes);
        discard(vm, in);
        return;
    }
    bytes = svmc_vmware_rpci(vm, call, scratch + in->at, in->bytes, scratch);
    discard(vm, in);
    if (!find_room(vm, ch, TO_GUEST, bytes)) { /* VW-12: a unit is free for this */
        bytes = svmc_vmware_say(scratch, VMWARE_NO_ROOM);
        if (!place(vm, ch, TO_GUEST, bytes))
            return;
    }
    memcpy(scratch + out->at, scratch, bytes);
}

/* n more bytes of a message. */
CORE_COLD static void move(struct svmc_vmware *vm, struct svmc_vmware_message *m, uint8_t *guest,
                           uint32_t n, bool from_guest)
{
    uint8_t *ours = vm->priv.config.arena + m->at + m->done;

    m->done += n;
    memcpy(from_guest ? ours : guest, from_guest ? guest : ours, n);
}

/* VW-11, VW-12 */
CORE_SMALL static uint32_t send_size(struct svmc_vmware *vm, const struct svmc_vmware_call *call,
                                     struct svmc_vmware_channel *ch)
{
    struct svmc_vmware_message *m = &ch->priv.message[FROM_GUEST];
    uint32_t bytes = vmware_get(call, 1);

    discard(vm, m); /* the client starts again */
    m->notice = 0;
    if (ch->priv.protocol == RPCI)
        discard(vm, &ch->priv.message[TO_GUEST]);
    if (bytes > vm->priv.config.message_bytes)
        return 0;
    if (!find_room(vm, ch, FROM_GUEST, bytes))
        return 0;
    if (bytes == 0)
        complete(vm, call, ch);
    return SVMC_VMWARE_SUCCESS;
}

CORE_SMALL static uint32_t receive_size(struct svmc_vmware_call *call,
                                        struct svmc_vmware_message *m)
{
    m->notice = 0;
    if (m->stage == EMPTY)
        return SVMC_VMWARE_SUCCESS;
    m->stage = READING;
    m->done = 0;
    vmware_set(call, 1, m->bytes);
    vmware_set_upper(call, 3, SENDSIZE);
    return SVMC_VMWARE_SUCCESS | SVMC_VMWARE_DORECV;
}

/* VW-11, VW-14: whether the message that a step wants is under way; else *status is the answer, and
   what has ended it is told once. */
CORE_COLD static bool is_moving(struct svmc_vmware_message *m, enum stage stage, uint32_t *status)
{
    *status = m->notice;
    m->notice = 0;
    return m->stage == stage;
}

/* VW-11: four bytes, or thanks for the last. A guest that could not use what it got gets no more
   of it. */
CORE_SMALL static uint32_t payload(struct svmc_vmware *vm, struct svmc_vmware_call *call,
                                   struct svmc_vmware_channel *ch, enum step step)
{
    bool sends = step == SENDPAYLOAD;
    struct svmc_vmware_message *m = &ch->priv.message[sends ? FROM_GUEST : TO_GUEST];
    uint32_t n = m->bytes - m->done, given = vmware_get(call, 1), status;
    uint8_t raw[PAYLOAD];

    if (!is_moving(m, sends ? FILLING : READING, &status))
        return status;
    if (!sends && (!(given & SVMC_VMWARE_SUCCESS) || (step == RECVSTATUS && n == 0))) {
        discard(vm, m);
        if (given & SVMC_VMWARE_SUCCESS)
            ch->priv.used_at = now(vm); /* VW-13 */
        return SVMC_VMWARE_SUCCESS;
    }
    if (n == 0 || step == RECVSTATUS)
        return 0;
    core_store_le32(raw, sends ? given : 0);
    move(vm, m, raw, n < PAYLOAD ? n : PAYLOAD, sends);
    if (!sends) {
        vmware_set(call, 1, core_load_le32(raw));
        vmware_set_upper(call, 3, SENDPAYLOAD);
    } else if (m->done == m->bytes) {
        complete(vm, call, ch);
    }
    return SVMC_VMWARE_SUCCESS;
}

static bool is_high(const struct svmc_vmware *vm)
{
    return (vm->priv.config.flags & SVMC_VMWARE_HIGH_BANDWIDTH) != 0;
}

CORE_SMALL enum svmc_status svmc_vmware_message(struct svmc_vmware *vm,
                                                struct svmc_vmware_call *call)
{
    uint32_t step = vmware_get(call, 2) >> 16, id = vmware_get(call, 3) >> 16, status = 0;
    uint64_t cookie = (uint64_t)vmware_get(call, 4) << 32 | vmware_get(call, 5);
    struct svmc_vmware_channel *ch;
    enum svmc_status st = SVMC_OK;

    if (step == OPEN) {
        st = open_channel(vm, call, &status);
    } else if ((ch = find(vm, id, cookie, &status)) != NULL) {
        if (step == SENDSIZE) {
            status = send_size(vm, call, ch);
        } else if (step == RECVSIZE) {
            status = receive_size(call, &ch->priv.message[TO_GUEST]);
        } else if (step == CLOSE) {
            shut(vm, ch, 0);
            status = SVMC_VMWARE_SUCCESS;
        } else if (step < CLOSE) {
            status = payload(vm, call, ch, (enum step)step);
        }
        if ((step == SENDSIZE || (status & SVMC_VMWARE_DORECV)) && status != 0 && is_high(vm))
            status |= SVMC_VMWARE_HIGH;
    }
    vmware_set_upper(call, 2, status);
    return st;
}

/* VW-11: guest memory at `at`, or *fault, or NULL (VW-21); what callbacks give is checked. */
CORE_SMALL static enum svmc_status find_memory(const struct svmc_vmware *vm,
                                               const struct svmc_vmware_call *call, uint64_t at,
                                               uint32_t n, void **span, struct svmc_fault *fault)
{
    uint32_t access = call->write ? SVMC_ACCESS_READ : SVMC_ACCESS_WRITE;
    svmc_gva gva = { at };
    svmc_gpa gpa = { 0 };

    *span = NULL;
    if (vm->priv.ops.translate(vm->priv.ctx, call->vcpu, gva, access, &gpa, fault) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    if (fault->raised)
        return svmc_core_is_fault(fault, call->isa <= SVMC_ISA_X86_64) ? SVMC_OK
                                                                       : SVMC_ERR_CALLBACK;
    memset(fault, 0, sizeof *fault);
    if ((gpa.v ^ at) % PAGE != 0 ||
        vm->priv.ops.guest_span(vm->priv.ctx, gpa, n, access, span) != SVMC_OK)
        return SVMC_ERR_CALLBACK;
    return SVMC_OK;
}

/* VW-11: as REP INSB and OUTSB do it: whatever ends it, the registers say how far it came. VW-21:
   *status, which is 0, becomes success when all of it has. */
CORE_SMALL static enum svmc_status transfer(struct svmc_vmware *vm, struct svmc_vmware_call *call,
                                            struct svmc_vmware_message *m, uint32_t count,
                                            uint64_t mask, struct svmc_vmware_result *out,
                                            uint32_t *status)
{
    uint64_t *pointer = &call->arg[call->write ? SVMC_IOX_SOURCE : SVMC_IOX_DESTINATION], at;
    enum svmc_status st;
    void *guest;
    uint32_t n;

    if (call->data) {
        move(vm, m, call->data, count, call->write);
        *status = SVMC_VMWARE_SUCCESS;
        return SVMC_OK;
    }
    for (; count > 0; count -= n) {
        at = (call->base + *pointer) & mask;
        n = (uint32_t)(PAGE - at % PAGE);
        if (n > count)
            n = count;
        st = find_memory(vm, call, at, n, &guest, &out->fault);
        if (st != SVMC_OK)
            return st;
        if (out->fault.raised)
            out->end = SVMC_VMWARE_FAULT;
        if (!guest)
            return SVMC_OK;
        move(vm, m, guest, n, call->write);
        *pointer = (*pointer + n) & mask;
        call->arg[SVMC_IOX_COUNT] = count - n;
    }
    *status = SVMC_VMWARE_SUCCESS;
    return SVMC_OK;
}

CORE_SMALL enum svmc_status svmc_vmware_high(struct svmc_vmware *vm, struct svmc_vmware_call *call,
                                             struct svmc_vmware_result *out)
{
    /* VW-11: where the cookie is depends on which register has the address */
    uint64_t high = vmware_get(call, call->write ? 6 : 4), low = vmware_get(call, 6 - call->write);
    uint64_t mask = core_mask(1u << call->isa & NARROW ? 4 : 8);
    uint64_t count = call->data ? call->data_bytes : call->arg[SVMC_IOX_COUNT] & mask;
    uint32_t asked = vmware_get(call, 1), status = 0;
    struct svmc_vmware_channel *ch = NULL;
    struct svmc_vmware_message *m;
    enum svmc_status st;

    if ((asked & ~GARBAGE) == (SVMC_VMWARE_SUCCESS << 16 | HB_MESSAGE) && is_high(vm) &&
        (call->data || vm->priv.ops.translate))
        ch = find(vm, vmware_get(call, 3) >> 16, high << 32 | low, &status);
    if (ch) {
        m = &ch->priv.message[call->write ? FROM_GUEST : TO_GUEST];
        if (is_moving(m, call->write ? FILLING : READING, &status) && count <= m->bytes - m->done) {
            st = transfer(vm, call, m, (uint32_t)count, mask, out, &status);
            if (st != SVMC_OK || out->end == SVMC_VMWARE_FAULT)
                return st; /* it is made again */
            if (call->write && status != 0 && m->done == m->bytes)
                complete(vm, call, ch);
        }
    }
    vmware_set_upper(call, 1, status);
    return SVMC_OK;
}

CORE_SMALL enum svmc_status svmc_vmware_checkpoint(struct svmc_vmware *vm)
{
    enum svmc_status st = svmc_vmware_enter(vm);
    struct svmc_vmware_message *m;

    if (st != SVMC_OK)
        return st;
    for (uint32_t n = 0; n < vm->priv.config.channel_count; n++) {
        m = vm->priv.config.channels[n].priv.message;
        if (m[FROM_GUEST].stage == FILLING) {
            discard(vm, &m[FROM_GUEST]);
            m[FROM_GUEST].notice = SVMC_VMWARE_CHECKPOINT;
        }
        if (m[TO_GUEST].stage == READING) { /* VW-14: it is there until the guest has thanked */
            m[TO_GUEST].stage = WAITING;
            m[TO_GUEST].notice = SVMC_VMWARE_CHECKPOINT;
        }
    }
    vmware_release(vm);
    return SVMC_OK;
}

CORE_SMALL enum svmc_status svmc_vmware_close(struct svmc_vmware *vm, uint32_t reason)
{
    enum svmc_status st;

    if (reason != 0 && reason != SVMC_VMWARE_POWEROFF)
        return SVMC_ERR_ARG;
    st = svmc_vmware_enter(vm);
    if (st != SVMC_OK)
        return st;
    for (uint32_t n = 0; n < vm->priv.config.channel_count; n++)
        if (vm->priv.config.channels[n].priv.open)
            shut(vm, &vm->priv.config.channels[n], reason | SVMC_VMWARE_CLOSED);
    svmc_vmware_pointer_reset(vm);
    vmware_release(vm);
    return SVMC_OK;
}

/* VW-17; the VM is claimed. */
CORE_SMALL static enum svmc_status post(struct svmc_vmware *vm, uint32_t channel,
                                        const uint8_t *data, uint32_t bytes)
{
    uint32_t index = channel % SVMC_VMWARE_CHANNELS_MAX, count = vm->priv.config.channel_count;
    struct svmc_vmware_channel *ch;
    struct svmc_vmware_message *m;

    if (bytes > vm->priv.config.message_bytes)
        return SVMC_ERR_ARG;
    if (index >= count)
        return SVMC_ERR_STALE;
    ch = vm->priv.config.channels + core_clamp(index, count);
    m = &ch->priv.message[TO_GUEST];
    if (!ch->priv.open || ch->priv.protocol != TCLO || ch->priv.handle != channel)
        return SVMC_ERR_STALE;
    if (bytes == 0) {
        if (m->stage == READING)
            m->notice = SVMC_VMWARE_UNSENT;
        discard(vm, m);
        return SVMC_OK;
    }
    if (m->stage != EMPTY || !find_room(vm, ch, TO_GUEST, bytes))
        return SVMC_ERR_FULL;
    memcpy(vm->priv.config.arena + m->at, data, bytes);
    return SVMC_OK;
}

CORE_SMALL enum svmc_status svmc_vmware_tclo_send(struct svmc_vmware *vm, uint32_t channel,
                                                  const uint8_t *data, uint32_t bytes)
{
    enum svmc_status st;

    if (!data && bytes != 0)
        return SVMC_ERR_ARG;
    st = svmc_vmware_enter(vm);
    if (st != SVMC_OK)
        return st;
    st = post(vm, channel, data, bytes);
    vmware_release(vm);
    return st;
}
