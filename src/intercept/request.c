/* SPDX-License-Identifier: MIT */
/**
 * What the embedder itself asks a host for, and events that are no instruction: no register of the
 * guest and no program counter has a part in them. EX-80 to EX-86.
 */
#include "../core/bytes.h"
#include "intercept_private.h"

#define PAGE         4096u
#define ADDRESS_BITS 52u

/* GHCB 2.0, 4.1.6: an entry: page in progress 11:0, GFN 51:12, operation 55:52, 2 MiB 56 */
#define ENTRY_OPERATION(e) ((uint32_t)((e) >> 52) & 15u)
#define ENTRY_LARGE        ((uint64_t)1 << 56)
#define ENTRY_UNUSED       (~(((uint64_t)1 << 57) - 1) | (PAGE - 1))
#define ENTRY_IN_LARGE     ((uint64_t)511 << 12)
#define OPERATIONS_LAST    4u /* private, shared, PSMASH, UNSMASH */

/* GHCB 2.0, 4.1.9, SW_EXITINFO1: APIC id 63:32, VMPL 19:16, request 15:0 */
#define AP_UNUSED     UINT64_C(0x00000000fff00000)
#define AP_REQUEST(v) ((uint32_t)(v)&0xffffu)
#define AP_VMPL(v)    ((uint32_t)(v) >> 16 & 15u)
#define AP_DESTROY    2u
#define VMPL_LAST     3u

#define RIPAS_RAM 1u /* DEN0137, RsiRipas: EMPTY 0; a realm asks for no other */

/* What an ESR may say without what the guest did: TF-RMM ESR_NONEMULATED_ABORT_MASK */
#define ABORT_SHOWN  UINT64_C(0xfc001e3f) /* EC, SET 12:11, FnV 10, EA 9, FSC 5:0 */
#define SERROR_SHOWN UINT64_C(0xfd001e3f) /* EC, IDS 24, AET 12:10, EA 9, DFSC 5:0 */

CORE_COLD bool svmc_intercept_list_sound(const uint8_t *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t entry = core_load_le64(list + 8 * (size_t)i);

        if ((entry & ENTRY_UNUSED) != 0 || ENTRY_OPERATION(entry) == 0 ||
            ENTRY_OPERATION(entry) > OPERATIONS_LAST ||
            ((entry & ENTRY_LARGE) && (entry & ENTRY_IN_LARGE) != 0))
            return false;
    }
    return true;
}

static bool is_page(uint64_t address)
{
    return (address & (PAGE - 1)) == 0 && address >> ADDRESS_BITS == 0;
}

/* EX-83: `buffer` has `count` pages for certificates. */
static bool message_is_sound(const struct svmc_exit *e)
{
    uint64_t data = e->buffer.v;

    if (!is_page(e->address) || !is_page(e->value) || e->address == e->value)
        return false;
    if (e->kind == SVMC_KIND_GUEST_REQUEST)
        return e->count == 1;
    return is_page(data) && e->count <= (((uint64_t)1 << ADDRESS_BITS) - data) / PAGE &&
           e->address - data >= (uint64_t)e->count * PAGE &&
           e->value - data >= (uint64_t)e->count * PAGE;
}

static bool request_is_sound(const struct svmc_exit *e)
{
    switch (e->kind) {
    case SVMC_KIND_DATA_ABORT:
    case SVMC_KIND_PROTECTED_ABORT:
    case SVMC_KIND_INSN_ABORT:
        return is_page(e->address) && (e->value & ~ABORT_SHOWN) == 0;
    case SVMC_KIND_RIPAS:
        if (e->buffer.v > RIPAS_RAM)
            return false;
        break;
    case SVMC_KIND_DEV_MEM:
        if (!is_page(e->buffer.v))
            return false;
        break;
    case SVMC_KIND_AP_CREATE: /* EX-84 */
        return is_page(e->address) && (e->value & AP_UNUSED) == 0 &&
               AP_REQUEST(e->value) <= AP_DESTROY && AP_VMPL(e->value) <= VMPL_LAST;
    default: /* MAP_GPA, S2AP */
        break;
    }
    return is_page(e->address) && is_page(e->value - 1 - (PAGE - 1)) && e->address < e->value;
}

CORE_COLD bool svmc_intercept_special_sound(const struct exit_rule *rule, const struct svmc_exit *e)
{
    if (rule->space == SPACE_S390)
        return e->count == 1 && svmc_intercept_s390_sound(rule, e);
    if (e->finish != SVMC_FINISH_BACKEND)
        return false;
    if (e->kind == SVMC_KIND_GUEST_REQUEST || e->kind == SVMC_KIND_GUEST_REQUEST_EXT)
        return message_is_sound(e);
    if (rule->space == SPACE_ASYNC)
        return e->count == 1 && (e->kind != SVMC_KIND_SERROR || (e->value & ~SERROR_SHOWN) == 0);
    return e->count == 1 && request_is_sound(e);
}
