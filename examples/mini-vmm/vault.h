/* SPDX-License-Identifier: MIT */
/** Where the key comes from that wraps the VM's key (--key-provider): a file, or a KMIP server. */
#ifndef VAULT_H
#define VAULT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <svmcore/key_cache.h>
#include <svmcore/keys.h>

#define VAULT_PASSPHRASE "MINI_VMM_PASSPHRASE" /* in the environment */

struct svmc_keyfile;
struct svmc_kmip;

/** One provider and its cache. */
struct vault {
    struct svmc_keyfile *file;
    struct svmc_kmip *kmip;
    struct svmc_key_cache cache;
    struct svmc_key_wanted wanted;
    uint8_t id[SVMC_KEY_NAME_BYTES_MAX];
    bool on;
    _Alignas(SVMC_KEY_CACHE_ALIGN) uint8_t memory[SVMC_KEY_CACHE_BYTES(1)];
};

/** What it costs to try a passphrase on a key file that is made: passes, KiB. */
struct vault_cost {
    uint32_t passes, memory_kib;
};

/** file:PATH, whose passphrase is in the environment, and which is made at this cost where it is
 *  not there, unless that is NULL; or kmip://ADDRESS:PORT/KEY?CA,CERTIFICATE,KEYFILE,NAME. false:
 *  `why`. */
bool vault_open(struct vault *v, const char *uri, const struct vault_cost *create, char *why,
                size_t cap);

/** Wrap a VM's key, or unwrap it; it waits for the provider, five seconds at most. */
bool vault_wrap(struct vault *v, struct svmc_vmkey *key, uint32_t aead,
                uint8_t blob[SVMC_VMKEY_BLOB_BYTES], char *why, size_t cap);
bool vault_unwrap(struct vault *v, struct svmc_vmkey *key, struct svmc_keyarena *arena,
                  const uint8_t vm[SVMC_VM_ID_BYTES], const uint8_t blob[SVMC_VMKEY_BLOB_BYTES],
                  char *why, size_t cap);

void vault_close(struct vault *v);

#endif
