/* SPDX-License-Identifier: MIT */
/** Interfaces side by side, as CPUID, SMCCC and SBI tell of them. */
#include <svmcore/discover.h>

#include <svmcore/guest/hypercall.h>
#include "../../core/bytes.h"
#include "native_private.h"

#define LEAF_FIRST 0x40000000u /* Linux arch/x86/include/asm/cpuid: base leaves, steps of 0x100 */
#define LEAF_LAST  0x4000ff00u
#define LEAF_STEP  0x100u

/* Arm DEN0028, tables of function identifiers and of the general service queries. */
#define ID_FAST         0x80000000u
#define ID_OWNER_SHIFT  24u
#define ID_OWNER        0x3f000000u
#define ID_NUMBER       0x0000ffffu
#define ID_ZERO         0x00fe0000u /* bits 23:17; 16 is a hint */
#define SMCCC_VERSION   0x80000000u
#define SMCCC_FEATURES  0x80000001u
#define SMCCC_1_2       0x00010002u
#define CALL_UID        0xff01u
#define CALL_REVISION   0xff03u
#define QUERIES         0xff00u /* numbers from here on ask about the owner */
#define SMCCC_NOT_THERE (~(uint64_t)0)
#define ID_SMC64        0x40000000u

/* HN-21 */
CORE_COLD static bool is_sound(const struct svmc_discover_face *f)
{
    if ((f->reserved[0] | f->reserved[1]) != 0 || f->first > f->last)
        return false;
    switch (f->kind) {
    case SVMC_DISCOVER_CPUID:
        return f->first >= LEAF_FIRST && f->first <= LEAF_LAST && f->first % LEAF_STEP == 0 &&
               f->last - f->first < LEAF_STEP && (f->words || f->last == f->first);
    case SVMC_DISCOVER_SMCCC: /* owner 0 is the architecture's: its two calls are made here */
        return f->owner - 1u < 63 && f->last < QUERIES;
    case SVMC_DISCOVER_SBI:
        return f->major != 0;
    default:
        return false;
    }
}

#define WAY(w)     (1u << SVMC_TRAP_WAY_##w)
#define OWNER_HYP  6u /* Arm DEN0028: vendor-specific hypervisor services */
#define VMMCALL_IS 1u /* HC-14: bits of ECX behind the signature */
#define VMCALL_IS  2u

/* The ways of a kind that whoever may call at all can take: a guest is told one for both. */
CORE_COLD static uint32_t ways_of(const struct svmc_trap_config *trap, uint32_t kind)
{
    uint32_t ways =
        trap->kernel && trap->user ? trap->kernel & trap->user : trap->kernel | trap->user;

    if (!(trap->abis >> SVMC_TRAP_NATIVE & 1))
        return 0;
    if (kind == SVMC_DISCOVER_CPUID)
        return ways & (WAY(VMCALL) | WAY(VMMCALL) | (trap->port != 0 ? WAY(PORT) : 0));
    if (kind == SVMC_DISCOVER_SMCCC)
        return ways & (WAY(MRS) | WAY(HVC));
    return trap->eid != 0 ? ways & (WAY(CSR) | WAY(ECALL)) : 0;
}

CORE_COLD enum svmc_status svmc_discover_native(const struct svmc_trap_config *trap,
                                                enum svmc_discover_kind kind, uint32_t first,
                                                uint32_t words[4], struct svmc_discover_face *face)
{
    static const uint32_t uid[2][4] = {
        { SVMC_HCALL_SIGNATURE, SVMC_HCALL_SIGNATURE, SVMC_HCALL_SIGNATURE, 0 },
        { SVMC_HCALL_UID_0, SVMC_HCALL_UID_1, SVMC_HCALL_UID_2, SVMC_HCALL_UID_3 },
    };
    struct svmc_discover_face f = {
        .kind = (uint8_t)kind, .first = first, .last = first, .major = SVMC_HCALL_ABI
    };
    uint32_t ways = trap ? ways_of(trap, kind) : 0;

    if (!face)
        return SVMC_ERR_ARG;
    memset(face, 0, sizeof *face);
    if (ways == 0 || (kind == SVMC_DISCOVER_CPUID) != (words != NULL))
        return SVMC_ERR_ARG;
    if (words) {
        words[0] = SVMC_HCALL_ABI;
        words[1] = ways & WAY(PORT) ? trap->port : 0;
        words[2] = (ways & WAY(VMMCALL) ? VMMCALL_IS : 0) | (ways & WAY(VMCALL) ? VMCALL_IS : 0);
        words[3] = 0;
        f.words = words;
        f.last = first + 1;
        f.major = 0;
    } else if (kind == SVMC_DISCOVER_SMCCC) {
        f.owner = OWNER_HYP;
    } else {
        f.first = f.last = trap->eid;
    }
    for (unsigned n = 0; n < 4 && kind != SVMC_DISCOVER_SBI; n++)
        core_store_le32(f.uid + 4 * (size_t)n, uid[!words][n]); /* clamp: a loop */
    if (!is_sound(&f))
        return SVMC_ERR_ARG;
    *face = f;
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_discover_check(const struct svmc_discover_face *faces,
                                               uint32_t count, uint32_t bad[2])
{
    if (!bad)
        return SVMC_ERR_ARG;
    bad[0] = bad[1] = UINT32_MAX;
    if (!faces)
        return SVMC_ERR_ARG;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k <= i; k++) {
            const struct svmc_discover_face *a = &faces[k], *b = &faces[i]; /* clamp: loops */
            bool clash = a->kind != SVMC_DISCOVER_SMCCC ? a->first <= b->last && b->first <= a->last
                                                        : a->owner == b->owner;

            if (i == k ? is_sound(a) : a->kind != b->kind || !clash)
                continue;
            bad[0] = k;
            bad[1] = i;
            return SVMC_ERR_ARG;
        }
    return SVMC_OK;
}

CORE_COLD int svmc_discover_cpuid(const struct svmc_discover_face *faces, uint32_t count,
                                  uint32_t leaf, uint32_t out[4])
{
    memset(out, 0, 4 * sizeof out[0]);
    for (uint32_t i = 0; i < count; i++) {
        const struct svmc_discover_face *f = &faces[i]; /* clamp: a loop */

        if (f->kind != SVMC_DISCOVER_CPUID || leaf < f->first || leaf > f->last ||
            (leaf != f->first && !f->words))
            continue;
        if (leaf == f->first) {
            out[0] = f->last;
            for (unsigned n = 0; n < 3; n++)
                out[n + 1] = core_load_le32(f->uid + 4 * (size_t)n);
        } else {
            leaf = core_clamp(leaf - f->first, LEAF_STEP);
            memcpy(out, f->words + 4 * (size_t)(leaf - 1), 4 * sizeof out[0]);
        }
        return 1;
    }
    return 0;
}

CORE_COLD static const struct svmc_discover_face *owner_of(const struct svmc_discover_face *faces,
                                                           uint32_t count, uint32_t id)
{
    for (uint32_t i = 0; i < count; i++)
        if (faces[i].kind == SVMC_DISCOVER_SMCCC && /* clamp: a loop */
            faces[i].owner == (id & ID_OWNER) >> ID_OWNER_SHIFT &&
            (id & ID_FAST) != 0 && /* clamp: */
            (id & ID_ZERO) == 0)
            return &faces[i];
    return NULL;
}

CORE_COLD int svmc_discover_smccc(const struct svmc_discover_face *faces, uint32_t count,
                                  uint32_t id, uint64_t arg, uint64_t out[4])
{
    const struct svmc_discover_face *f = owner_of(faces, count, id);
    uint32_t asked = (uint32_t)arg; /* an uint32 in W1 */

    memset(out, 0, 4 * sizeof out[0]);
    if (id == SMCCC_VERSION) {
        out[0] = SMCCC_1_2;
    } else if (id == SMCCC_FEATURES) {
        f = owner_of(faces, count, asked);
        if (asked == SMCCC_VERSION || asked == SMCCC_FEATURES)
            return 1;
        if ((asked & ID_FAST) != 0 && (asked & ID_OWNER) == 0)
            return 0; /* the architecture's others are whose hypervisor it is */
        asked &= ID_NUMBER;
        if (!f || asked < f->first || asked > f->last)
            out[0] = SMCCC_NOT_THERE;
    } else if (f && (id & ID_NUMBER) == CALL_UID && !(id & ID_SMC64)) {
        for (unsigned n = 0; n < 4; n++)
            out[n] = core_load_le32(f->uid + 4 * (size_t)n);
    } else if (f && (id & ID_NUMBER) == CALL_REVISION && !(id & ID_SMC64)) {
        out[0] = f->major;
        out[1] = f->minor;
    } else {
        return 0;
    }
    return 1;
}

CORE_COLD uint32_t svmc_discover_sbi(const struct svmc_discover_face *faces, uint32_t count,
                                     uint64_t id)
{
    for (uint32_t i = 0; i < count; i++)
        if (faces[i].kind == SVMC_DISCOVER_SBI && id >= faces[i].first && /* clamp: a loop */
            id <= faces[i].last)                                          /* clamp: a loop */
            return faces[i].major;                                        /* clamp: a loop */
    return 0;
}
