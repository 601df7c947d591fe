/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <string.h>

static struct store_entry *find(struct store *s, const uint8_t *key, uint32_t bytes)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (s->entry[i].key_bytes == bytes && memcmp(s->entry[i].key, key, bytes) == 0)
            return &s->entry[i];
    return NULL;
}

static enum svmc_status set(struct store *s, const uint8_t *key, uint32_t key_bytes,
                            const uint8_t *value, uint32_t bytes, bool by_guest)
{
    struct store_entry *e = find(s, key, key_bytes);

    if (by_guest && s->constant)
        return SVMC_ERR_STATE;
    if (!e && s->count == STORE_ENTRIES)
        return SVMC_ERR_FULL;
    if (!e) {
        e = &s->entry[s->count++];
        memcpy(e->key, key, key_bytes);
        e->key_bytes = (uint16_t)key_bytes;
    }
    if (bytes > 0)
        memcpy(e->value, value, bytes);
    e->value_bytes = (uint16_t)bytes;
    e->by_guest = by_guest;
    return SVMC_OK;
}

enum svmc_status store_set(struct store *s, const uint8_t *key, uint32_t key_bytes,
                           const uint8_t *value, uint32_t bytes, bool by_guest)
{
    enum svmc_status st;

    if (key_bytes == 0 || key_bytes > STORE_KEY_BYTES || bytes > STORE_VALUE_BYTES)
        return SVMC_ERR_ARG;
    pthread_mutex_lock(&s->lock);
    st = set(s, key, key_bytes, value, bytes, by_guest);
    pthread_mutex_unlock(&s->lock);
    return st;
}

enum svmc_status store_get(struct store *s, const uint8_t *key, uint32_t key_bytes, uint8_t *value,
                           uint32_t max, uint32_t *bytes)
{
    enum svmc_status st = SVMC_ERR_ARG;
    const struct store_entry *e;

    *bytes = 0;
    pthread_mutex_lock(&s->lock);
    e = find(s, key, key_bytes);
    if (e) {
        st = e->value_bytes > max ? SVMC_ERR_FULL : SVMC_OK;
        *bytes = st == SVMC_OK ? e->value_bytes : 0;
        memcpy(value, e->value, *bytes);
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

void store_lock(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    s->constant = true;
    pthread_mutex_unlock(&s->lock);
}
