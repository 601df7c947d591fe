/* SPDX-License-Identifier: MIT */
/** The key-value store behind guestinfo: in memory, and in a file if one is named. */
#ifndef BACKDOOR_RUN_STORE_H
#define BACKDOOR_RUN_STORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_KEY_MOST   255u
#define STORE_BYTES_MOST (4u << 20) /* of all keys and values: a program cannot fill more */

struct store {
    struct store_entry {
        char *key; /* without "guestinfo." */
        uint8_t *value;
        size_t bytes;
    } * list;
    size_t count, cap, bytes;
    const char *file; /* NULL: none. Written anew after each change by the program */
};

enum store_result { STORE_OK, STORE_FULL, STORE_BAD_KEY };

/** Is this a key? Printable, no blank, no '=' and '"'. */
bool store_is_key(const uint8_t *key, size_t n);
const struct store_entry *store_find(const struct store *s, const uint8_t *key, size_t n);
enum store_result store_set(struct store *s, const uint8_t *key, size_t key_bytes,
                            const uint8_t *value, size_t bytes);
bool store_remove(struct store *s, const uint8_t *key, size_t n);

/** Read the file, in the form of a VMX file: guestinfo.KEY = "VALUE", with |XX for a byte. One that
    is not there is empty. On an error it is reported. */
bool store_load(struct store *s);
/** Write it, all or nothing; an error is reported. */
bool store_save(const struct store *s);

#endif
