/* SPDX-License-Identifier: MIT */
/** In which form a request reaches the host: the parameter page, or one of docs/spec/adapt.md. */
#ifndef FORM_H
#define FORM_H
#include <stdbool.h>
#include <stdint.h>
#include <svmcore/adapt.h>

#define FORM_GPA 0xfd000000u /* of a GHCB: where the guest would have it */

struct form {
    const char *name;
    uint32_t format; /* enum svmc_foreign_format; FORMATS: the page itself */
    uint32_t area_bytes;
};

static inline bool form_is_page(const struct form *form)
{
    return form->format == SVMC_FOREIGN_FORMATS;
}

/** --dma: behind the page there is another one, for the messages of dma_wire.h. */
static inline bool form_has_dma(const struct form *form)
{
    return form_is_page(form) && form->area_bytes > 4096;
}

/** By name; NULL: there is none. */
const struct form *form_find(const char *name);

/** The area of a form that is not the page. */
struct svmc_foreign form_foreign(const struct form *form, volatile void *area);

#endif
