/* SPDX-License-Identifier: MIT */
/* Guest memory of a few table entries, whose functions count, fail, wait and are overtaken. */
#ifndef TESTS_WALK_LAB_H
#define TESTS_WALK_LAB_H
#include <stdbool.h>
#include <string.h>
#include <svmcore/walk.h>

#include "../harness.h"

#define LAB_ENTRIES 32u

struct walk_lab {
    struct {
        uint64_t at, value;
        unsigned reads;
    } entry[LAB_ENTRIES];
    unsigned count;
    unsigned calls, reads, exchanges;
    unsigned fail_at; /* the number of the call that fails, from 1 on; 0: none */
    enum svmc_status failure;
    unsigned overtaken; /* exchanges that find something else, from now on */
    uint32_t bytes;     /* of the last access */
};

static inline void lab_put(struct walk_lab *lab, uint64_t at, uint64_t value)
{
    for (unsigned i = 0; i < lab->count; i++)
        if (lab->entry[i].at == at) {
            lab->entry[i].value = value;
            return;
        }
    if (lab->count < LAB_ENTRIES) {
        lab->entry[lab->count].at = at;
        lab->entry[lab->count++].value = value;
    }
}

static inline uint64_t lab_get(const struct walk_lab *lab, uint64_t at)
{
    for (unsigned i = 0; i < lab->count; i++)
        if (lab->entry[i].at == at)
            return lab->entry[i].value;
    return UINT64_MAX;
}

/* Where nothing was put, the guest has no memory. */
static inline enum svmc_status lab_read(void *ctx, svmc_gpa at, uint32_t bytes, uint64_t *entry)
{
    struct walk_lab *lab = ctx;

    lab->bytes = bytes;
    lab->reads++;
    if (++lab->calls == lab->fail_at)
        return lab->failure;
    for (unsigned i = 0; i < lab->count; i++)
        if (lab->entry[i].at == at.v) {
            lab->entry[i].reads++;
            *entry = lab->entry[i].value;
            return SVMC_OK;
        }
    return SVMC_ERR_REFUSED;
}

static inline enum svmc_status lab_exchange(void *ctx, svmc_gpa at, uint32_t bytes, uint64_t was,
                                            uint64_t now)
{
    struct walk_lab *lab = ctx;

    lab->bytes = bytes;
    lab->exchanges++;
    if (++lab->calls == lab->fail_at)
        return lab->failure;
    if (lab->overtaken != 0) {
        lab->overtaken--;
        return SVMC_ERR_BUSY;
    }
    if (lab_get(lab, at.v) != was)
        return SVMC_ERR_BUSY;
    lab_put(lab, at.v, now);
    return SVMC_OK;
}

static const struct svmc_walk_ops lab_ops = { sizeof(struct svmc_walk_ops), lab_read,
                                              lab_exchange };
static const struct svmc_walk_ops lab_ops_read = { sizeof(struct svmc_walk_ops), lab_read, NULL };

/* Whether nothing but a status came out. */
static inline bool lab_is_zero(const struct svmc_walk_result *r)
{
    static const struct svmc_walk_result zero;

    return memcmp(r, &zero, sizeof zero) == 0;
}

static inline bool lab_is_fault(const struct svmc_walk_result *r)
{
    struct svmc_walk_result rest = *r;

    memset(&rest.fault, 0, sizeof rest.fault);
    return r->fault.raised == 1 && lab_is_zero(&rest);
}

/* A walk that ended at this address, in a page of so many bytes. */
static inline void lab_expect(const struct svmc_walk_result *r, uint64_t at, uint64_t bytes,
                              const char *name)
{
    CHECK_EQ(r->fault.raised, 0, "%s: %u, %x", name, r->fault.vector, r->fault.error);
    CHECK_EQ(r->at.v, at, "%s", name);
    CHECK_EQ(r->page_bytes, bytes, "%s", name);
}

#endif
