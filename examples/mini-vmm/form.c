/* SPDX-License-Identifier: MIT */
/** The forms of x86; the others of the library are not for this guest. */
#include "form.h"

#include <string.h>

static const struct form forms[] = {
    { "page", SVMC_FOREIGN_FORMATS, 4096 }, { "page+dma", SVMC_FOREIGN_FORMATS, 8192 },
    { "kvm_run", SVMC_FOREIGN_KVM, 8192 },  { "ghcb", SVMC_FOREIGN_GHCB, 4096 },
    { "tdx", SVMC_FOREIGN_TDX, 4096 },
};

const struct form *form_find(const char *name)
{
    for (unsigned i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strcmp(forms[i].name, name) == 0)
            return &forms[i];
    return NULL;
}

struct svmc_foreign form_foreign(const struct form *form, volatile void *area)
{
    return (struct svmc_foreign){
        .format = form->format, .area_bytes = form->area_bytes, .area = area, .gpa = FORM_GPA
    };
}
