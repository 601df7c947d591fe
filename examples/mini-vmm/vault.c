/* SPDX-License-Identifier: MIT */
/** A provider behind a cache of one key. The demo waits; a VMM would park the vCPU. */
#include "vault.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "back_end.h"
#include "clock.h"

#ifdef MINI_VMM_SODIUM
#include <svmcore/port/keyfile.h>
#endif
#ifdef MINI_VMM_KMIP
#include <svmcore/port/kmip.h>
#endif

#define FETCH_NS   5000000000u
#define LEASE_NS   3600000000000u
#define STEP_MS    20
#define FILE_ID    "mini-vmm"
#define KMIP       "kmip://"
#define MEMORY_KIB 1048576u /* that a key file may ask for */

static bool refuse(char *why, size_t cap, const char *what, const char *detail)
{
    snprintf(why, cap, "--key-provider: %.100s: %s", what, detail);
    return false;
}

#ifdef MINI_VMM_SODIUM
static bool read_file(const char *path, uint8_t *bytes, size_t *n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t done = fd >= 0 ? read(fd, bytes, *n) : -1;

    if (fd >= 0)
        close(fd);
    *n = done > 0 ? (size_t)done : 0;
    return done >= 0;
}

/* A new one: never over one that is there. */
static bool make_file(const char *path, const struct svmc_keyfile_passphrase *passphrase,
                      const struct vault_cost *create)
{
    const struct svmc_keyfile_cost cost = { .passes = create->passes,
                                            .memory_kib = create->memory_kib };
    uint8_t file[SVMC_KEYFILE_BYTES];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = fd >= 0 &&
                svmc_keyfile_create(file, passphrase, (const uint8_t *)FILE_ID, strlen(FILE_ID),
                                    &cost) == SVMC_OK &&
                write(fd, file, sizeof file) == (ssize_t)sizeof file && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return good;
}

static const struct svmc_provider_ops *open_file(struct vault *v, const char *path,
                                                 const struct vault_cost *create, char *why,
                                                 size_t cap)
{
    const char *words = getenv(VAULT_PASSPHRASE);
    struct svmc_keyfile_passphrase passphrase = { words, words ? strlen(words) : 0 };
    uint8_t file[SVMC_KEYFILE_BYTES + 1];
    size_t n = sizeof file;
    enum svmc_status st;

    if (passphrase.bytes == 0) {
        refuse(why, cap, path, "no passphrase: it is in " VAULT_PASSPHRASE);
        return NULL;
    }
    if (create && access(path, F_OK) != 0 && !make_file(path, &passphrase, create)) {
        refuse(why, cap, path, "cannot be made");
        return NULL;
    }
    if (!read_file(path, file, &n)) {
        refuse(why, cap, path, strerror(errno));
        return NULL;
    }
    st = svmc_keyfile_open(&v->file, file, n, &passphrase, MEMORY_KIB);
    if (st != SVMC_OK) {
        refuse(why, cap, path, st == SVMC_ERR_KEY ? "another passphrase" : svmc_status_name(st));
        return NULL;
    }
    memcpy(v->id, FILE_ID, strlen(FILE_ID));
    v->wanted.id_bytes = strlen(FILE_ID);
    return svmc_keyfile_ops(v->file);
}
#else
static const struct svmc_provider_ops *open_file(struct vault *v, const char *path,
                                                 const struct vault_cost *create, char *why,
                                                 size_t cap)
{
    (void)v, (void)create;
    refuse(why, cap, path, "this build lacks libsodium");
    return NULL;
}
#endif

#ifdef MINI_VMM_KMIP
/* ADDRESS:PORT/KEY?CA,CERTIFICATE,KEYFILE,NAME, cut into its parts; NAME may be missing. */
static const struct svmc_provider_ops *open_kmip(struct vault *v, const char *uri, char *why,
                                                 size_t cap)
{
    char text[1024], *address = text, *port, *key, *ca, *certificate, *own, *name;
    struct svmc_kmip_config config;
    enum svmc_status st;

    snprintf(text, sizeof text, "%s", uri);
    key = strchr(text, '/');
    ca = key ? strchr(key, '?') : NULL;
    certificate = ca ? strchr(ca, ',') : NULL;
    own = certificate ? strchr(certificate + 1, ',') : NULL;
    if (!own) {
        refuse(why, cap, uri, "it is kmip://ADDRESS:PORT/KEY?CA,CERTIFICATE,KEYFILE,NAME");
        return NULL;
    }
    name = strchr(own + 1, ',');
    *key++ = *ca++ = *certificate++ = *own++ = 0;
    if (name)
        *name++ = 0;
    port = strrchr(address, ':');
    if (port)
        *port++ = 0;
    v->wanted.id_bytes = strlen(key);
    if (v->wanted.id_bytes < 1 || v->wanted.id_bytes > sizeof v->id) {
        refuse(why, cap, key, "no name of a key");
        return NULL;
    }
    memcpy(v->id, key, v->wanted.id_bytes);
    config = (struct svmc_kmip_config){ .address = address,
                                        .port = port,
                                        .name = name,
                                        .ca = ca,
                                        .certificate = certificate,
                                        .key = own };
    st = svmc_kmip_open(&v->kmip, &config);
    if (st != SVMC_OK) {
        refuse(why, cap, uri, svmc_status_name(st));
        return NULL;
    }
    return svmc_kmip_ops(v->kmip);
}
#else
static const struct svmc_provider_ops *open_kmip(struct vault *v, const char *uri, char *why,
                                                 size_t cap)
{
    (void)v;
    refuse(why, cap, uri, "this build lacks KMIP");
    return NULL;
}
#endif

bool vault_open(struct vault *v, const char *uri, const struct vault_cost *create, char *why,
                size_t cap)
{
    struct svmc_key_cache_config config = { .crypto = dma_back_end(),
                                            .providers = 1,
                                            .derive = SVMC_ALG_DERIVE_BLAKE2B,
                                            .timeout_ns = FETCH_NS,
                                            .negative_ns = SVMC_KEY_CACHE_NEGATIVE_NS,
                                            .lease_ns = LEASE_NS };

    *v = (struct vault){ .wanted.alg = SVMC_KEY_FOR_AES };
    v->wanted.id = v->id;
    if (strncmp(uri, "file:", 5) == 0)
        config.provider[0] = open_file(v, uri + 5, create, why, cap);
    else if (strncmp(uri, KMIP, strlen(KMIP)) == 0)
        config.provider[0] = open_kmip(v, uri + strlen(KMIP), why, cap);
    else
        return refuse(why, cap, uri, "it is file:PATH or kmip://...");
    if (!config.provider[0])
        return false;
    memcpy(v->wanted.name, v->id, sizeof v->wanted.name);
    if (svmc_key_cache_init(&v->cache, &config, v->memory, sizeof v->memory) != SVMC_OK)
        return refuse(why, cap, uri, "no cache");
    v->on = true;
    return true;
}

/* Until something has happened, or for a step. */
static void rest(struct vault *v)
{
    struct pollfd on = { .fd = -1 };

#ifdef MINI_VMM_KMIP
    if (v->kmip)
        on.fd = svmc_kmip_wait(v->kmip, &on.events);
#endif
    (void)poll(&on, 1, STEP_MS);
    (void)svmc_key_cache_step(&v->cache, now_ns(), NULL);
}

/* Until there is an answer: the cache's own deadline ends it. */
static bool ask(struct vault *v, const struct svmc_key_blob *blob, bool wrap, char *why, size_t cap)
{
    struct svmc_key_news news;
    enum svmc_status st;

    for (;;) {
        st = wrap ? svmc_key_cache_wrap(&v->cache, now_ns(), &v->wanted, blob, &news)
                  : svmc_key_cache_unwrap(&v->cache, now_ns(), &v->wanted, blob, &news);
        if (st != SVMC_ERR_ABSENT)
            break;
        rest(v);
    }
    if (st != SVMC_OK)
        snprintf(why, cap, "the key: %s",
                 news.reason != SVMC_FETCH_NONE ? svmc_fetch_name(news.reason)
                                                : svmc_status_name(st));
    return st == SVMC_OK;
}

bool vault_wrap(struct vault *v, struct svmc_vmkey *key, uint32_t aead,
                uint8_t blob[SVMC_VMKEY_BLOB_BYTES], char *why, size_t cap)
{
    const struct svmc_key_blob how = { .key = key, .to = blob, .aead = aead };

    return ask(v, &how, true, why, cap);
}

bool vault_unwrap(struct vault *v, struct svmc_vmkey *key, struct svmc_keyarena *arena,
                  const uint8_t vm[SVMC_VM_ID_BYTES], const uint8_t blob[SVMC_VMKEY_BLOB_BYTES],
                  char *why, size_t cap)
{
    const struct svmc_key_blob how = {
        .key = key, .arena = arena, .vm = vm, .from = blob, .bytes = SVMC_VMKEY_BLOB_BYTES
    };

    return ask(v, &how, false, why, cap);
}

void vault_close(struct vault *v)
{
    if (v->on)
        svmc_key_cache_drop(&v->cache);
#ifdef MINI_VMM_SODIUM
    svmc_keyfile_close(v->file);
#endif
#ifdef MINI_VMM_KMIP
    svmc_kmip_close(v->kmip);
#endif
    *v = (struct vault){ .on = false };
}
