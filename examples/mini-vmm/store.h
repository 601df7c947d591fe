/* SPDX-License-Identifier: MIT */
/** guestinfo: keys and values that the keeper and its guest share, and nobody else. */
#ifndef STORE_H
#define STORE_H
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <svmcore/status.h>

#define STORE_ENTRIES     64u
#define STORE_KEY_BYTES   64u
#define STORE_VALUE_BYTES 512u

struct store_entry {
    uint8_t key[STORE_KEY_BYTES];
    uint8_t value[STORE_VALUE_BYTES];
    uint16_t key_bytes, value_bytes;
    bool by_guest;
};

/** {0} but for the lock is empty. Keys and values are any bytes. */
struct store {
    pthread_mutex_t lock;
    bool constant; /* the guest sets nothing any more */
    uint32_t count;
    struct store_entry entry[STORE_ENTRIES];
};

/** SVMC_OK; SVMC_ERR_FULL: no room; SVMC_ERR_ARG: a key or value of that length; SVMC_ERR_STATE. */
enum svmc_status store_set(struct store *s, const uint8_t *key, uint32_t key_bytes,
                           const uint8_t *value, uint32_t bytes, bool by_guest);

/** SVMC_OK; SVMC_ERR_ARG: no such key; SVMC_ERR_FULL: longer than `max`. */
enum svmc_status store_get(struct store *s, const uint8_t *key, uint32_t key_bytes, uint8_t *value,
                           uint32_t max, uint32_t *bytes);

/** From now on the guest sets nothing. */
void store_lock(struct store *s);

#endif
