/* SPDX-License-Identifier: MIT */
/**
 * mini-host: the untrusted device model of all vCPUs. All it is given is one parameter page and
 * two doorbells a vCPU, and a pipe for the console. An honest host is serve() with `tell` left out.
 */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../guests/bootinfo.h"
#include "confine.h"
#include "devices.h"
#include "form.h"
#include "kvm_host.h"
#include "lies.h"
#include "race.h"
#include "wire.h"

#define LIES_A_REQUEST 8 /* wrong answers in a row; the keeper's policy bears more */

/* Which kinds of request a lie was told on: each is tried on each kind. */
#define KINDS 16

struct vcpu {
    uint32_t id;
    volatile void *page;
    int request;
    int answer;
    struct svmc_request asked;
    struct svmc_reply truth;
    struct svmc_reply old; /* the truth about the request before */
    int lies;              /* told about this request */
    int raced;
    struct racer racer;
    uint8_t data[SVMC_PAGE_DATA_BYTES];
};

struct host {
    struct devices devices;
    uint8_t wanted[LIE_ALL]; /* 1: tell it */
    uint8_t told[LIE_ALL][KINDS];
    int evil;
    unsigned turn;
    uint32_t vcpus;
    const struct form *form;
    struct vcpu vcpu[WIRE_VCPUS_MAX];
};

static unsigned kind_slot(const struct svmc_request *r)
{
    return ((unsigned)r->kind >> 12 & 7) * 2 + (r->kind & 1);
}

/* A lie that is wanted, fits, and was not told on this kind; LIE_ALL: none is left. */
static unsigned pick(struct host *h, const struct vcpu *v)
{
    unsigned slot = kind_slot(&v->asked);

    if (v->truth.status != SVMC_REPLY_DONE)
        return LIE_ALL; /* a lie is made from a result */
    for (unsigned i = 0; i < LIE_COUNT && v->lies < LIES_A_REQUEST; i++)
        if (h->wanted[i] && !h->told[i][slot] && lie_fits(i, &v->asked) &&
            (i != LIE_OLD_REPLY || v->old.seq != 0)) {
            h->told[i][slot] = 1;
            return i;
        }
    return LIE_ALL;
}

/* The bits of each result slot that must stay 0: all of those nobody declared, and R8. */
static void beyond(const struct svmc_request *r, const struct svmc_reply *reply,
                   uint64_t bits[SVMC_PAGE_SLOTS])
{
    bool msr = r->kind == SVMC_KIND_RDMSR;
    uint32_t bytes = msr ? 4 : r->kind == SVMC_KIND_HYPERCALL ? 8 : r->size;

    for (unsigned i = 0; i < SVMC_PAGE_SLOTS; i++)
        bits[i] = !(reply->out_valid >> i & 1) ? ~(uint64_t)0
                  : bytes < 8                  ? ~(uint64_t)0 << 8 * bytes
                                               : 0;
    if (r->kind == SVMC_KIND_HYPERCALL)
        bits[0] = ~(uint64_t)0xffff; /* R10 */
}

/* For a host that tells nothing else: one that fits, in turns. */
static unsigned next_lie(struct host *h, const struct vcpu *v)
{
    do
        h->turn = (h->turn + 1) % LIE_COUNT;
    while (h->turn == LIE_RING_EARLY || !lie_fits(h->turn, &v->asked));
    return h->turn;
}

/* R15: an answer, and its bell, though nobody asked. Returns the doorbell's value, or 0. */
static uint64_t answer_notice(const struct host *h, const struct vcpu *v,
                              const struct svmc_request *notice)
{
    const struct svmc_reply reply = { .seq = notice->seq, .done = 1, .out_valid = 1 };

    if (!h->wanted[LIE_ANSWER_A_NOTICE] || svmc_reply_write(v->page, &reply, v->data) != SVMC_OK)
        return 0;
    return WIRE_TAG(LIE_ANSWER_A_NOTICE + 1, 0);
}

/* Write a lie or, when there is none, the truth. Returns the doorbell's value. */
static uint64_t tell(struct host *h, struct vcpu *v)
{
    unsigned lie = h->evil ? pick(h, v) : LIE_ALL, at = 0;
    struct svmc_reply reply = v->truth;

    if (lie == LIE_RING_EARLY) { /* nothing: the racer may have left something */
        reply = (struct svmc_reply){ 0 };
        v->lies++;
    } else if (h->wanted[LIE_ONLY_LIES]) {
        at = lie_tell(next_lie(h, v), &v->asked, &v->old, &reply);
        lie = LIE_ONLY_LIES;
    } else if (h->wanted[LIE_ENDLESS_RETRY] && lie_fits(LIE_ENDLESS_RETRY, &v->asked)) {
        reply = (struct svmc_reply){ .seq = v->asked.seq, .status = SVMC_REPLY_RETRY };
        lie = LIE_ENDLESS_RETRY;
    } else if (lie < LIE_COUNT) {
        at = lie_tell(lie, &v->asked, &v->old, &reply);
        v->lies++;
    }
    if (svmc_reply_write(v->page, &reply, v->data) != SVMC_OK)
        return WIRE_TAG(0, 0);
    if (at != 0)
        ((volatile uint8_t *)v->page)[at] = 0x80;
    if (lie == LIE_ALL && h->wanted[LIE_RACE] && !v->raced) {
        bool unchecked = v->asked.address == DEV_CLOCK_STREAM && v->asked.size == 1;

        v->raced = 1;
        beyond(&v->asked, &reply, v->racer.beyond);
        racer_run(&v->racer, v->page, unchecked ? reply.data_bytes : 0);
        return WIRE_TAG(LIE_RACE + 1, 0);
    }
    return WIRE_TAG(lie == LIE_ALL ? 0 : lie + 1, 0);
}

/* The devices themselves are asked for, or given. */
static bool serve_devices(struct host *h, struct vcpu *v)
{
    volatile struct wire_devices *m = (volatile struct wire_devices *)(uintptr_t)v->page;
    uint8_t bytes[WIRE_DEVICES_BYTES];

    if (m->magic != WIRE_DEVICES_MAGIC)
        return false;
    if (m->op == WIRE_DEVICES_TAKE) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = m->bytes[i];
        devices_take(&h->devices, bytes);
    } else {
        devices_give(&h->devices, bytes);
        for (size_t i = 0; i < sizeof bytes; i++)
            m->bytes[i] = bytes[i];
    }
    m->op = 0;
    return true;
}

/* One request, or a notice. false: the keeper is gone. */
static bool serve(struct host *h, struct vcpu *v)
{
    uint64_t bell, flips;
    struct svmc_request asked;

    if (read(v->request, &bell, sizeof bell) != (ssize_t)sizeof bell)
        return false;
    if (h->wanted[LIE_RACE])
        racer_rest(&v->racer);
    flips = atomic_exchange(&v->racer.flips, 0);
    if (serve_devices(h, v)) {
        bell = WIRE_TAG(0, 0);
        return write(v->answer, &bell, sizeof bell) == (ssize_t)sizeof bell;
    }
    if (svmc_request_read(v->page, &asked, v->data, sizeof v->data) != SVMC_OK)
        return true;
    if (asked.completion == SVMC_COMPLETION_NONE) { /* a notice: nobody waits */
        bell = answer_notice(h, v, &asked);
        return bell == 0 || write(v->answer, &bell, sizeof bell) == (ssize_t)sizeof bell;
    }
    if (asked.seq != v->asked.seq || v->truth.seq != asked.seq) {
        v->old = v->truth;
        v->asked = asked;
        v->lies = v->raced = 0;
        devices_answer(&h->devices, v->id, &asked, v->data, sizeof v->data, &v->truth);
    }
    bell = tell(h, v) | WIRE_TAG(0, flips);
    return write(v->answer, &bell, sizeof bell) == (ssize_t)sizeof bell;
}

/*
 * The same in another form: struct kvm_run as every host of KVM reads it, the others by the
 * library's host side. What is no request, a notice or unknown, gets no answer.
 */
static bool serve_foreign(struct host *h, struct vcpu *v)
{
    const struct svmc_foreign foreign = form_foreign(h->form, v->page);
    bool kvm = h->form->format == SVMC_FOREIGN_KVM;
    struct kvm_run *run = (struct kvm_run *)(uintptr_t)v->page;
    struct svmc_request asked;
    struct svmc_reply reply;
    uint64_t bell;

    if (read(v->request, &bell, sizeof bell) != (ssize_t)sizeof bell)
        return false;
    if (kvm ? !kvm_host_read(run, h->form->area_bytes, &asked, v->data)
            : svmc_adapt_decode(&foreign, &asked, v->data) != SVMC_OK ||
                  asked.completion == SVMC_COMPLETION_NONE)
        return true;
    devices_answer(&h->devices, v->id, &asked, v->data, sizeof v->data, &reply);
    if (kvm)
        kvm_host_answer(run, &asked, &reply, v->data);
    else if (svmc_adapt_answer(&foreign, &asked, &reply, v->data) != SVMC_OK)
        return true;
    bell = WIRE_TAG(0, 0);
    return write(v->answer, &bell, sizeof bell) == (ssize_t)sizeof bell;
}

/* Whoever rings, in turn. */
static void serve_all(struct host *h)
{
    struct pollfd bells[WIRE_VCPUS_MAX];

    for (uint32_t i = 0; i < h->vcpus; i++)
        bells[i] = (struct pollfd){ .fd = h->vcpu[i].request, .events = POLLIN };
    while (poll(bells, h->vcpus, -1) > 0)
        for (uint32_t i = 0; i < h->vcpus; i++)
            if (bells[i].revents != 0 &&
                !(form_is_page(h->form) ? serve : serve_foreign)(h, &h->vcpu[i]))
                return;
}

/* "wrong-seq,race" or "all": everything that is refused, and the race. */
static int want(struct host *h, char *list)
{
    for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
        unsigned number = lie_find(name);

        h->evil = 1;
        if (strcmp(name, "all") == 0)
            memset(h->wanted, 1, LIE_RACE + 1);
        else if (number < LIE_ALL)
            h->wanted[number] = 1;
        else
            return -1;
    }
    return 0;
}

/* What vCPU `id` shares with the keeper; and its racer, at rest. */
static int open_vcpu(struct host *h, uint32_t id)
{
    struct vcpu *v = &h->vcpu[id];

    v->id = id;
    v->request = WIRE_REQUEST(id);
    v->answer = WIRE_ANSWER(id);
    v->page = mmap(NULL, h->form->area_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, WIRE_PAGE(id), 0);
    if (v->page == MAP_FAILED)
        return -1;
    if (form_has_dma(h->form)) /* of one vCPU */
        h->devices.dma =
            (struct dma_devices){ .page = (uint8_t *)(uintptr_t)v->page + SVMC_PAGE_BYTES,
                                  .request = v->request,
                                  .answer = v->answer };
    return h->wanted[LIE_RACE] ? racer_start(&v->racer) : 0;
}

/* mini-host KEEPER-PID VCPUS FORM [LIES] */
int main(int argc, char **argv)
{
    static struct host host;
    uint64_t ready = WIRE_TAG(0, 0);

    host.devices.console = STDOUT_FILENO;
    host.vcpus = argc > 2 ? (uint32_t)atol(argv[2]) : 0;
    host.form = argc > 3 ? form_find(argv[3]) : NULL;
    if (host.vcpus < 1 || host.vcpus > WIRE_VCPUS_MAX || !host.form ||
        (argc > 4 && want(&host, argv[4]) != 0))
        return 2;
    for (uint32_t i = 0; i < host.vcpus; i++)
        if (open_vcpu(&host, i) != 0)
            return 1;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != (pid_t)atol(argv[1]))
        return 1; /* the keeper is gone already */
    if (confine(WIRE_PAGE(host.vcpus), host.vcpus) != 0)
        return 1;
    if (write(WIRE_ANSWER(0), &ready, sizeof ready) == (ssize_t)sizeof ready)
        serve_all(&host);
    _exit(0);
}
