/* SPDX-License-Identifier: MIT */
#include "hgfs.h"

#include <string.h>

/* open-vm-tools lib/include/hgfs.h, hgfsProto.h: packed, little-endian. */
enum { OP_SEARCH_OPEN = 4, OP_SEARCH_READ = 5, OP_SEARCH_CLOSE = 6 };
enum { STATUS_SUCCESS = 0, STATUS_PROTOCOL_ERROR = 7, STATUS_NOT_SUPPORTED = 13 };

#define HEADER     8u  /* id, operation; in a reply: id, status */
#define ATTRIBUTES 45u /* type, size, four times, permissions */
#define DIRECTORY  1u  /* as a type */
#define READABLE   5u  /* permissions: read, execute */
#define ROOT       1u  /* the one handle */

static uint32_t get(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

static void put(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

/* One entry of the root directory; behind the last one stands an empty name. */
static uint32_t read_entry(const struct names *shares, uint32_t offset, uint8_t *reply,
                           uint32_t max)
{
    const char *name = offset < shares->count ? shares->list[offset] : "";
    uint32_t n = (uint32_t)strlen(name), total = HEADER + ATTRIBUTES + 4 + n + 1;

    if (total > max)
        return 0;
    memset(reply + HEADER, 0, total - HEADER);
    put(reply + HEADER, DIRECTORY);
    reply[HEADER + ATTRIBUTES - 1] = READABLE;
    put(reply + HEADER + ATTRIBUTES, n);
    memcpy(reply + HEADER + ATTRIBUTES + 4, name, n);
    return total;
}

enum svmc_status hgfs_handle(const struct names *shares, const uint8_t *request, uint32_t n,
                             uint8_t *reply, uint32_t max, uint32_t *bytes)
{
    uint32_t status = STATUS_PROTOCOL_ERROR, total = HEADER,
             op = n >= HEADER ? get(request + 4) : 0;

    if (max < HEADER + 4)
        return SVMC_ERR_FULL;
    put(reply, n >= HEADER ? get(request) : 0);
    if (op == OP_SEARCH_OPEN && n >= HEADER + 4 && get(request + HEADER) == 0) {
        status = STATUS_SUCCESS; /* a name of no length: the root */
        put(reply + HEADER, ROOT);
        total = HEADER + 4;
    } else if (op == OP_SEARCH_READ && n >= HEADER + 8) {
        total = read_entry(shares, get(request + HEADER + 4), reply, max);
        if (total == 0)
            return SVMC_ERR_FULL;
        status = STATUS_SUCCESS;
    } else if (op == OP_SEARCH_CLOSE && n >= HEADER + 4) {
        status = STATUS_SUCCESS;
    } else if (n >= HEADER) {
        status = STATUS_NOT_SUPPORTED;
    }
    put(reply + 4, status);
    *bytes = total;
    return SVMC_OK;
}
