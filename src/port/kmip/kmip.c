/* SPDX-License-Identifier: MIT */
/** A KMIP server as a provider: which question is on its way, and whose the answer is. */
#include <svmcore/port/kmip.h>

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"

struct request {
    uint64_t ticket; /* 0: none */
    size_t id_bytes;
    uint8_t id[SVMC_KEY_NAME_BYTES_MAX];
};

struct svmc_kmip {
    struct svmc_provider_ops ops;
    uint64_t current; /* the ticket whose question is on its way; 0: none */
    struct request request[SVMC_KMIP_REQUESTS];
    struct link link;
};

static struct request *find(struct svmc_kmip *kmip, uint64_t ticket)
{
    for (uint32_t i = 0; i < SVMC_KMIP_REQUESTS; i++)
        if (kmip->request[i].ticket == ticket)
            return &kmip->request[i];
    return NULL;
}

static enum svmc_status request(void *ctx, uint64_t ticket, const uint8_t *id, size_t id_bytes,
                                uint64_t deadline)
{
    struct svmc_kmip *kmip = ctx;
    struct request *r = find(kmip, 0);

    (void)deadline; /* the cache calls it off */
    if (!r || ticket == 0 || id_bytes - 1 >= sizeof r->id)
        return SVMC_ERR_FULL;
    r->ticket = ticket;
    r->id_bytes = id_bytes;
    memcpy(r->id, id, id_bytes);
    return SVMC_OK;
}

static void forget(struct svmc_kmip *kmip, struct request *r)
{
    if (kmip->current == r->ticket)
        kmip->current = 0;
    memset(r, 0, sizeof *r);
}

/* KM-6: an answer that still comes would be taken for the next question's. */
static void cancel(void *ctx, uint64_t ticket)
{
    struct svmc_kmip *kmip = ctx;
    struct request *r = find(kmip, ticket);

    if (!r || ticket == 0)
        return;
    if (kmip->current == ticket)
        svmc_kmip_link_close(&kmip->link);
    forget(kmip, r);
}

/* KM-4: what is no answer ends the connection too: nobody knows what comes behind it. */
static enum svmc_fetch_reason read_answer(struct svmc_kmip *kmip,
                                          struct svmc_provider_answer *answer)
{
    enum svmc_fetch_reason reason = svmc_kmip_answer(kmip->link.in, kmip->link.in_want, answer);

    svmc_kmip_link_wipe(&kmip->link);
    if (reason == SVMC_FETCH_FORMAT)
        svmc_kmip_link_close(&kmip->link);
    return reason;
}

/* KM-3, KM-7: one question after the other; what can be done at once is done. */
static enum svmc_status poll_ticket(void *ctx, uint64_t ticket, uint64_t now,
                                    struct svmc_provider_answer *answer)
{
    struct svmc_kmip *kmip = ctx;
    struct request *r = find(kmip, ticket);
    enum svmc_fetch_reason reason;

    (void)now;
    if (!r || ticket == 0)
        return SVMC_ERR_ARG;
    if (kmip->current == 0) {
        kmip->current = ticket;
        kmip->link.out_bytes =
            svmc_kmip_ask(kmip->link.out, sizeof kmip->link.out, r->id, r->id_bytes);
        svmc_kmip_link_ask(&kmip->link);
    }
    if (kmip->current != ticket)
        return SVMC_ERR_BUSY;
    reason = kmip->link.out_bytes != 0 ? svmc_kmip_link_drive(&kmip->link) : SVMC_FETCH_PROVIDER;
    if (reason == SVMC_FETCH_PENDING)
        return SVMC_ERR_BUSY;
    if (reason == SVMC_FETCH_NONE)
        reason = read_answer(kmip, answer);
    forget(kmip, r);
    answer->ticket = ticket;
    answer->reason = reason;
    return reason == SVMC_FETCH_NONE ? SVMC_OK : SVMC_ERR_CALLBACK;
}

/* KM-1: numbers only: nobody is asked for a name. */
static bool has_address(struct link *link, const struct svmc_kmip_config *config)
{
    const struct addrinfo hints = {
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };
    const char *name = config->name ? config->name : config->address;
    struct addrinfo *found = NULL;

    if (strlen(name) >= sizeof link->name ||
        getaddrinfo(config->address, config->port ? config->port : "5696", &hints, &found) != 0)
        return false;
    memcpy(&link->address, found->ai_addr, found->ai_addrlen);
    link->address_bytes = found->ai_addrlen;
    freeaddrinfo(found);
    memcpy(link->name, name, strlen(name) + 1);
    return true;
}

enum svmc_status svmc_kmip_open(struct svmc_kmip **out, const struct svmc_kmip_config *config)
{
    struct svmc_kmip *kmip;
    enum svmc_status st;

    if (!out)
        return SVMC_ERR_ARG;
    *out = NULL;
    if (!config || !config->address || !config->ca || !config->certificate != !config->key)
        return SVMC_ERR_ARG;
    kmip = calloc(1, sizeof *kmip);
    if (!kmip)
        return SVMC_ERR_FULL;
    kmip->link.fd = -1;
    kmip->ops = (struct svmc_provider_ops){
        .size = sizeof kmip->ops,
        .ctx = kmip,
        .request = request,
        .poll = poll_ticket,
        .cancel = cancel,
    };
    st = has_address(&kmip->link, config)
             ? svmc_kmip_link_init(&kmip->link, config->ca, config->certificate, config->key)
             : SVMC_ERR_ARG;
    if (st == SVMC_OK)
        *out = kmip;
    else
        svmc_kmip_close(kmip);
    return st;
}

const struct svmc_provider_ops *svmc_kmip_ops(const struct svmc_kmip *kmip)
{
    return kmip ? &kmip->ops : NULL;
}

/* KM-9 */
int svmc_kmip_wait(const struct svmc_kmip *kmip, short *events)
{
    bool under_way = kmip && kmip->current != 0;

    if (events)
        *events = under_way ? kmip->link.events : 0;
    return under_way ? kmip->link.fd : -1;
}

uint64_t svmc_kmip_connections(const struct svmc_kmip *kmip, uint64_t *resumed)
{
    if (resumed)
        *resumed = kmip ? kmip->link.resumed : 0;
    return kmip ? kmip->link.connections : 0;
}

void svmc_kmip_close(struct svmc_kmip *kmip)
{
    if (!kmip)
        return;
    svmc_kmip_link_free(&kmip->link);
    OPENSSL_cleanse(kmip, sizeof *kmip);
    free(kmip);
}
