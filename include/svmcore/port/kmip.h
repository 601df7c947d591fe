/* SPDX-License-Identifier: MIT */
/**
 * A provider of keys: a KMIP server, over TLS with a certificate on either side, by OpenSSL 3.
 * Hosted; an archive of its own. No thread and no timer: sockets that do not block, driven by the
 * cache's polls. No signal: a connection that is gone is an answer, not a SIGPIPE.
 * Source: docs/spec/kmip.md, rules KM-1 to KM-9.
 */
#ifndef SVMCORE_PORT_KMIP_H
#define SVMCORE_PORT_KMIP_H
#include "../config.h"
#include "../provider.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SVMC_KMIP_REQUESTS 16u /* open at a time; one after the other on one connection */

struct svmc_kmip_config {
    const char *address;     /* IPv4 or IPv6, as a number: resolvers block */
    const char *port;        /* a number; NULL: 5696 */
    const char *name;        /* that the server's certificate has to have; NULL: address */
    const char *ca;          /* files, PEM: whose word for the server's certificate counts */
    const char *certificate; /* ours, with those between it and an authority; NULL: none */
    const char *key;         /* its key */
};

struct svmc_kmip;

/**
 * Make a client. It connects when it is asked for a key, and keeps the connection.
 *
 * Owns:    config is copied; the files are read here, once. svmc_kmip_close frees.
 * Threads: one caller at a time for a client.
 * Source:  KM-1.
 *
 * @return SVMC_OK; SVMC_ERR_ARG (NULL, no address or port as a number, a name that is too long);
 *         SVMC_ERR_FORMAT (a file cannot be read, or key and certificate do not fit);
 *         SVMC_ERR_FULL (no memory). *out is NULL on any error.
 */
SVMC_API SVMC_NODISCARD enum svmc_status svmc_kmip_open(struct svmc_kmip **out,
                                                        const struct svmc_kmip_config *config);

/** The table for a cache; it lives as long as the client. */
SVMC_API SVMC_NODISCARD const struct svmc_provider_ops *svmc_kmip_ops(const struct svmc_kmip *kmip);

/** The descriptor to wait for, and as *events what poll(2) has to wait for on it: then a step gets
 *  on. -1: nothing is under way. Another connection is another descriptor. KM-9 */
SVMC_API int svmc_kmip_wait(const struct svmc_kmip *kmip, short *events);

/** How many connections there have been, and in *resumed, unless NULL, how many took up an older
 *  session. */
SVMC_API uint64_t svmc_kmip_connections(const struct svmc_kmip *kmip, uint64_t *resumed);

/** Break the connection, wipe and free. The cache that uses it is dropped before. NULL is fine. */
SVMC_API void svmc_kmip_close(struct svmc_kmip *kmip);

#ifdef __cplusplus
}
#endif
#endif
