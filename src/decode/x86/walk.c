/* SPDX-License-Identifier: MIT */
/* x86: from a node of a legacy map to a leaf (tools/gen-x86 makes the nodes). */
#include "x86.h"

/* DE-6: F3 and F2 are heard before 66. */
static unsigned mandatory_prefix(uint32_t prefixes)
{
    return prefixes & PREFIX_REP ? 2 : prefixes & PREFIX_REPNE ? 3 : prefixes & PREFIX_OSIZE;
}

/* The conditions of a REQUIRE entry; NONE: all hold. *modrm: that byte had a say. */
static unsigned required(uint32_t entry, uint64_t rest, uint32_t prefixes, uint32_t mode_vendor,
                         bool *modrm)
{
    bool is_64 = (mode_vendor & 3) >= X86_MODE_64, w = (prefixes & PREFIX_W) != 0;

    if ((entry >> 24 & 1) && (entry >> 25 & 1) != is_64)
        return SVMC_REFUSAL_MODE;
    if ((entry >> 26 & 1) && (entry >> 27 & 1) != (mode_vendor >> 8 == SVMC_VENDOR_INTEL))
        return SVMC_REFUSAL_VENDOR;
    if ((entry >> 14 & 1) && (entry >> 15 & 3) != mandatory_prefix(prefixes))
        return SVMC_REFUSAL_PREFIX;
    if ((entry >> 17 & 1) && (entry >> 18 & 1) != w)
        return SVMC_REFUSAL_WIDTH;
    if (entry >> 22 & 1) {
        *modrm = true;
        if ((entry >> 23 & 1) != ((rest & 0xc0) != 0xc0))
            return SVMC_REFUSAL_FORM;
    }
    return SVMC_REFUSAL_NONE;
}

static unsigned branch_of(const struct svmc_cpu *cpu, uint32_t entry, uint64_t rest,
                          uint32_t prefixes, uint32_t mode_vendor)
{
    switch (entry >> 24 & 15) {
    case X86_NODE_MEMORY:
        return (rest & 0xc0) != 0xc0;
    case X86_NODE_REG:
        return (unsigned)rest >> 3 & 7;
    case X86_NODE_RM:
        return (unsigned)rest & 7;
    case X86_NODE_PP:
        return mandatory_prefix(prefixes);
    case X86_NODE_W:
        return (prefixes & PREFIX_W) != 0;
    case X86_NODE_B:
        return (prefixes & PREFIX_B) != 0;
    case X86_NODE_MODE:
        return (mode_vendor & 3) >= X86_MODE_64;
    case X86_NODE_VENDOR:
        return mode_vendor >> 8 == SVMC_VENDOR_INTEL;
    default: /* X86_NODE_FEATURE */
        return svmc_x86_has(cpu, entry >> 16 & 127);
    }
}

uint32_t svmc_x86_walk(const struct svmc_cpu *cpu, uint32_t entry, uint64_t rest, uint32_t prefixes,
                       uint32_t mode_vendor)
{
    bool modrm = false;
    unsigned reason;

    while (entry >> 31) { /* ends: the tree is finite */
        if (entry >> 28 >= ENTRY_REQUIRE) {
            reason = required(entry, rest, prefixes, mode_vendor, &modrm);
            if (reason != SVMC_REFUSAL_NONE)
                return reason << 11 | (uint32_t)modrm << 21;
            entry = svmc_x86_nodes[entry & 0x3fff]; /* clamp: from the table */
        } else {
            modrm = modrm || (entry >> 24 & 15) <= X86_NODE_RM;
            /* clamp: from the table, and as many branches as the kind has */
            entry = svmc_x86_nodes[(entry & 0xffff) +
                                   branch_of(cpu, entry, rest, prefixes, mode_vendor)];
        }
    }
    if ((entry & 0x7ff) == 0)
        entry |= (uint32_t)modrm << 21;
    return entry;
}
