/* SPDX-License-Identifier: MIT */
/** A connection to a server: TCP, TLS, a message there and one back; each call does what can be
 *  done at once. */
#ifndef KMIP_LINK_H
#define KMIP_LINK_H
#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "message.h"

enum link_phase {
    LINK_CLOSED,
    LINK_CONNECTING,
    LINK_SHAKING,
    LINK_IDLE, /* a session, and nothing under way */
    LINK_SENDING,
    LINK_RECEIVING
};

struct link {
    struct sockaddr_storage address;
    socklen_t address_bytes;
    char name[256];
    SSL_CTX *context;
    BIO_METHOD *method;
    SSL_SESSION *session; /* of the last connection, to be taken up again */
    SSL *ssl;
    int fd;
    short events;         /* what it waits for */
    uint32_t phase, used; /* used: an answer came over this connection */
    uint32_t verified;    /* 1: their certificate is about to be, 2: it was */
    uint32_t signing;     /* 1: ours is about to be used */
    uint64_t connections, resumed;
    size_t out_bytes, out_at, in_bytes, in_want;
    uint8_t out[KMIP_ASK_BYTES], in[KMIP_ANSWER_BYTES];
};

/** KM-1: read the files, make what every connection uses. */
enum svmc_status svmc_kmip_link_init(struct link *link, const char *ca, const char *certificate,
                                     const char *key);
void svmc_kmip_link_free(struct link *link);

/** KM-6: give the connection up; the TLS session may be taken up again. */
void svmc_kmip_link_close(struct link *link);

/** Put a question, out[out_bytes], on its way; connects if need be. */
void svmc_kmip_link_ask(struct link *link);

/**
 * Go on.
 *
 * @return SVMC_FETCH_PENDING: it waits; SVMC_FETCH_NONE: in[in_want] is an answer, and the
 *         connection is idle; else why there is none: it is closed.
 */
enum svmc_fetch_reason svmc_kmip_link_drive(struct link *link);

/** KM-8: wipe what was received. */
void svmc_kmip_link_wipe(struct link *link);

#endif
