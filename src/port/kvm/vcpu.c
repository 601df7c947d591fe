/* SPDX-License-Identifier: MIT */
/** A vCPU's context as bytes, and back. KV-1: x86 alone, so KVM's structs are little-endian. */
#include "kvm_private.h"

#include <cpuid.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>

#define MSR_TSC      0x10u
#define XSAVE_HEADER 512u /* bytes of the legacy area; XSTATE_BV is behind it */
#define XSAVE_LEAF   0x0du
#define FEATURES_MIN 0x1u /* x87: XCR0 always has it */
#define FCW_RESET    0x037fu
#define MXCSR_RESET  0x1f80u
#define MXCSR_AT     24u
#define MSRS_AT_ONCE 24u /* of a wipe */
#define PIO_PAGE     4096u
#define EVENTS_WIPED (KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW)
#define PARTS_NEEDED \
    (1u << KVM_PART_MP_STATE | 1u << KVM_PART_REGS | 1u << KVM_PART_XSAVE | 1u << KVM_PART_EVENTS)

static bool has(const struct svmc_kvm_vcpu *v, uint32_t part)
{
    return (v->priv.sections >> part & 1) != 0;
}

/* The bytes of a section's payload, 0 for one that v does not have. */
static size_t part_bytes(const struct svmc_kvm_vcpu *v, uint32_t part)
{
    if (!has(v, part))
        return 0;
    switch (part) {
    case KVM_PART_MP_STATE:
        return 8; /* of which it uses four */
    case KVM_PART_REGS:
        return sizeof(struct kvm_regs);
    case KVM_PART_SREGS:
        return sizeof(struct kvm_sregs);
    case KVM_PART_SREGS2:
        return sizeof(struct kvm_sregs2);
    case KVM_PART_XSAVE:
        return v->priv.xsave_bytes;
    case KVM_PART_XCRS:
        return sizeof(struct kvm_xcrs);
    case KVM_PART_DEBUGREGS:
        return sizeof(struct kvm_debugregs);
    case KVM_PART_LAPIC:
        return sizeof(struct kvm_lapic_state);
    case KVM_PART_TSC:
        return sizeof(struct kvm_part_tsc);
    case KVM_PART_MSRS:
        return sizeof(struct kvm_msrs) + v->priv.msrs * sizeof(struct kvm_msr_entry);
    default:
        return sizeof(struct kvm_vcpu_events);
    }
}

size_t svmc_kvm_vcpu_bytes(const struct svmc_kvm_vcpu *v)
{
    size_t bytes = KVM_HEADER_BYTES;

    for (uint32_t part = 0; v && part < KVM_PARTS; part++)
        if (has(v, part))
            bytes += KVM_SECTION_BYTES + part_bytes(v, part);
    return v && v->priv.run ? bytes : 0;
}

/* One MSR, read or written. */
static bool one_msr(int vcpu, unsigned long request, struct kvm_msr_entry *msr)
{
    struct {
        uint32_t nmsrs, pad; /* struct kvm_msrs, whose entries have no number */
        struct kvm_msr_entry entry;
    } list = { 1, 0, *msr };
    bool good = svmc_kvm_ask(vcpu, request, &list) == 1;

    *msr = list.entry;
    return good;
}

/* KV-7: of KVM's list those that this vCPU gives and takes back, in rising order. */
static enum svmc_status find_msrs(struct svmc_kvm_vcpu *v, int kvm)
{
    uint32_t found = 0;

    v->priv.msrs = SVMC_KVM_MSRS_MAX;
    if (svmc_kvm_ask(kvm, KVM_GET_MSR_INDEX_LIST, &v->priv.msrs) != 0)
        return errno == E2BIG ? SVMC_ERR_FULL : SVMC_ERR_CALLBACK;
    for (uint32_t i = 0; i < v->priv.msrs && i < SVMC_KVM_MSRS_MAX; i++) {
        struct kvm_msr_entry msr = { .index = v->priv.msr[i] };
        uint32_t at = found;

        if (msr.index == MSR_TSC || !one_msr(v->priv.fd, KVM_GET_MSRS, &msr) ||
            !one_msr(v->priv.fd, KVM_SET_MSRS, &msr))
            continue;
        for (; at > 0 && v->priv.msr[at - 1] > msr.index; at--)
            v->priv.msr[at] = v->priv.msr[at - 1];
        v->priv.msr[at] = msr.index;
        found++;
    }
    v->priv.msrs = found;
    return SVMC_OK;
}

/* The most that XCR0 can be: what this processor has. KVM refuses what the guest's has not. */
static uint64_t features_here(void)
{
    unsigned a = 0, b, c, d = 0;

    if (!__get_cpuid_count(XSAVE_LEAF, 0, &a, &b, &c, &d))
        return FEATURES_MIN;
    return ((uint64_t)d << 32 | a) | FEATURES_MIN;
}

static void find_parts(struct svmc_kvm_vcpu *v, int vm)
{
    static const struct {
        int cap;
        uint32_t part;
    } parts[] = {
        { KVM_CAP_MP_STATE, KVM_PART_MP_STATE },   { KVM_CAP_SREGS2, KVM_PART_SREGS2 },
        { KVM_CAP_XSAVE, KVM_PART_XSAVE },         { KVM_CAP_XCRS, KVM_PART_XCRS },
        { KVM_CAP_DEBUGREGS, KVM_PART_DEBUGREGS }, { KVM_CAP_VCPU_EVENTS, KVM_PART_EVENTS },
        { KVM_CAP_GET_TSC_KHZ, KVM_PART_TSC },
    };
    struct kvm_lapic_state lapic;
    int xsave = ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2);

    v->priv.sections = 1u << KVM_PART_REGS | 1u << KVM_PART_MSRS;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (ioctl(vm, KVM_CHECK_EXTENSION, parts[i].cap) > 0)
            v->priv.sections |= 1u << parts[i].part;
    if (!has(v, KVM_PART_SREGS2))
        v->priv.sections |= 1u << KVM_PART_SREGS;
    if (svmc_kvm_ask(v->priv.fd, KVM_GET_LAPIC, &lapic) == 0)
        v->priv.sections |= 1u << KVM_PART_LAPIC;
    v->priv.xsave_bytes = xsave > (int)sizeof(struct kvm_xsave) ? ((uint32_t)xsave + 7u) & ~7u
                                                                : sizeof(struct kvm_xsave);
    v->priv.features = features_here();
}

enum svmc_status svmc_kvm_vcpu_open(struct svmc_kvm_vcpu *v, const struct svmc_kvm_files *files)
{
    enum svmc_status st;

    if (!v)
        return SVMC_ERR_ARG;
    memset(v, 0, sizeof *v);
    if (!files || !files->run || files->run_bytes < sizeof(struct kvm_run))
        return SVMC_ERR_ARG;
    v->priv.fd = files->vcpu;
    find_parts(v, files->vm);
    st = (v->priv.sections & PARTS_NEEDED) == PARTS_NEEDED ? find_msrs(v, files->kvm)
                                                           : SVMC_ERR_UNSUPPORTED;
    if (st != SVMC_OK) {
        memset(v, 0, sizeof *v);
        return st;
    }
    v->priv.run = files->run;
    v->priv.run_bytes = files->run_bytes;
    return SVMC_OK;
}

/* KV-2 */
enum svmc_status svmc_kvm_vcpu_settle(struct svmc_kvm_vcpu *v)
{
    struct kvm_run *run = v ? v->priv.run : NULL;
    int result, error;

    if (!run)
        return SVMC_ERR_ARG;
    run->immediate_exit = 1;
    result = ioctl(v->priv.fd, KVM_RUN, 0);
    error = errno;
    run->immediate_exit = 0;
    if (result == 0)
        return SVMC_ERR_BUSY;
    return error == EINTR ? SVMC_OK : SVMC_ERR_CALLBACK;
}

static enum svmc_status get_tsc(struct svmc_kvm_vcpu *v, struct kvm_part_tsc *to)
{
    struct kvm_msr_entry msr = { .index = MSR_TSC };
    int khz = svmc_kvm_ask(v->priv.fd, KVM_GET_TSC_KHZ, NULL);

    if (khz < 0 || !one_msr(v->priv.fd, KVM_GET_MSRS, &msr))
        return SVMC_ERR_CALLBACK;
    *to = (struct kvm_part_tsc){ .tsc = msr.data, .khz = (uint32_t)khz };
    return SVMC_OK;
}

static enum svmc_status get_msrs(struct svmc_kvm_vcpu *v, struct kvm_msrs *to)
{
    to->nmsrs = v->priv.msrs;
    for (uint32_t i = 0; i < v->priv.msrs; i++)
        to->entries[i].index = v->priv.msr[i];
    return svmc_kvm_ask(v->priv.fd, KVM_GET_MSRS, to) == (int)v->priv.msrs ? SVMC_OK
                                                                           : SVMC_ERR_CALLBACK;
}

/* How KVM gives a section and takes it; 0: not by one call. */
static unsigned long request_of(const struct svmc_kvm_vcpu *v, uint32_t part, bool get)
{
    switch (part) {
    case KVM_PART_MP_STATE:
        return get ? KVM_GET_MP_STATE : KVM_SET_MP_STATE;
    case KVM_PART_REGS:
        return get ? KVM_GET_REGS : KVM_SET_REGS;
    case KVM_PART_SREGS:
        return get ? KVM_GET_SREGS : KVM_SET_SREGS;
    case KVM_PART_SREGS2:
        return get ? KVM_GET_SREGS2 : KVM_SET_SREGS2;
    case KVM_PART_XSAVE:
        return !get                                             ? KVM_SET_XSAVE
               : v->priv.xsave_bytes > sizeof(struct kvm_xsave) ? KVM_GET_XSAVE2
                                                                : KVM_GET_XSAVE;
    case KVM_PART_XCRS:
        return get ? KVM_GET_XCRS : KVM_SET_XCRS;
    case KVM_PART_DEBUGREGS:
        return get ? KVM_GET_DEBUGREGS : KVM_SET_DEBUGREGS;
    case KVM_PART_LAPIC:
        return get ? KVM_GET_LAPIC : KVM_SET_LAPIC;
    case KVM_PART_EVENTS:
        return get ? KVM_GET_VCPU_EVENTS : KVM_SET_VCPU_EVENTS;
    default:
        return 0;
    }
}

static enum svmc_status get_part(struct svmc_kvm_vcpu *v, uint32_t part, void *to)
{
    if (part == KVM_PART_TSC)
        return get_tsc(v, to);
    if (part == KVM_PART_MSRS)
        return get_msrs(v, to);
    return svmc_kvm_ask(v->priv.fd, request_of(v, part, true), to) == 0 ? SVMC_OK
                                                                        : SVMC_ERR_CALLBACK;
}

/* KV-10: a guest in a guest has state of its own, of which KVM gives more than a header. */
static bool nests(const struct svmc_kvm_vcpu *v)
{
    struct kvm_nested_state state = { .size = sizeof state };

    return svmc_kvm_ask(v->priv.fd, KVM_GET_NESTED_STATE, &state) < 0 && errno == E2BIG;
}

static enum svmc_status collect(struct svmc_kvm_vcpu *v, bool settles, void *to, size_t room,
                                size_t *bytes)
{
    const size_t need = svmc_kvm_vcpu_bytes(v);
    enum svmc_status st;
    uint8_t *at = to;

    if (bytes)
        *bytes = 0;
    if (to)
        memset(to, 0, room);
    if (!to || !bytes || need == 0 || (uintptr_t)to % 8 != 0)
        return SVMC_ERR_ARG;
    if (room < need)
        return SVMC_ERR_FULL;
    st = settles ? svmc_kvm_vcpu_settle(v) : SVMC_OK;
    if (st == SVMC_OK && nests(v))
        st = SVMC_ERR_UNSUPPORTED;
    memcpy(at, &(uint32_t[4]){ KVM_MAGIC, KVM_VERSION, (uint32_t)need, v->priv.sections },
           KVM_HEADER_BYTES);
    at += KVM_HEADER_BYTES;
    for (uint32_t part = 0; st == SVMC_OK && part < KVM_PARTS; part++) {
        uint32_t n = (uint32_t)part_bytes(v, part);

        if (!has(v, part))
            continue;
        memcpy(at, &(uint32_t[2]){ part, n }, KVM_SECTION_BYTES);
        st = get_part(v, part, at + KVM_SECTION_BYTES);
        at += KVM_SECTION_BYTES + n;
    }
    if (st != SVMC_OK) /* KV-12 */
        svmc_kvm_zero(to, room);
    else
        *bytes = need;
    return st;
}

enum svmc_status svmc_kvm_vcpu_save(struct svmc_kvm_vcpu *v, void *to, size_t room, size_t *bytes)
{
    return collect(v, true, to, room, bytes);
}

/* KV-13 */
enum svmc_status svmc_kvm_vcpu_copy(struct svmc_kvm_vcpu *v, void *to, size_t room, size_t *bytes)
{
    return collect(v, false, to, room, bytes);
}

/* All MSRs but those that it could not write before; they are few, and each costs a call. */
static void wipe_msrs(struct svmc_kvm_vcpu *v)
{
    struct {
        uint32_t nmsrs, pad;
        struct kvm_msr_entry entry[MSRS_AT_ONCE];
    } list;
    uint32_t place[MSRS_AT_ONCE], next = 0;

    while (next < v->priv.msrs) {
        uint32_t n = 0;
        int done;

        memset(&list, 0, sizeof list);
        for (; next < v->priv.msrs && n < MSRS_AT_ONCE; next++)
            if ((v->priv.kept[next / 64] >> next % 64 & 1) == 0) {
                place[n] = next;
                list.entry[n++].index = v->priv.msr[next]; /* clamp: counted here */
            }
        list.nmsrs = n;
        done = n > 0 ? svmc_kvm_ask(v->priv.fd, KVM_SET_MSRS, &list) : 0;
        if (done >= 0 && (uint32_t)done < n) {
            v->priv.kept[place[done] / 64] |= (uint64_t)1 << place[done] % 64;
            next = place[done] + 1;
        }
    }
}

/* A section that one call takes. KVM only reads it. */
static bool set_whole(const struct svmc_kvm_vcpu *v, uint32_t part, void *from)
{
    return svmc_kvm_ask(v->priv.fd, request_of(v, part, false), from) == 0;
}

static bool set_zeros(const struct svmc_kvm_vcpu *v, uint8_t *zeros, uint64_t features)
{
    memcpy(zeros + XSAVE_HEADER, &features, sizeof features);
    return set_whole(v, KVM_PART_XSAVE, zeros);
}

/*
 * Zeros for every feature that KVM takes them for, not the reset state, which would leave the old
 * bytes where they lie: XSTATE_BV says that each is there. Which those are is found out once.
 */
static bool wipe_xsave(struct svmc_kvm_vcpu *v, uint8_t *zeros)
{
    static const uint16_t fcw = FCW_RESET;
    static const uint32_t mxcsr = MXCSR_RESET;
    bool good;

    memcpy(zeros, &fcw, sizeof fcw);
    memcpy(zeros + MXCSR_AT, &mxcsr, sizeof mxcsr);
    good = set_zeros(v, zeros, v->priv.features);
    if (!good) {
        for (uint32_t bit = 0; bit < 64; bit++)
            if (!set_zeros(v, zeros, v->priv.features & (uint64_t)1 << bit))
                v->priv.features &= ~((uint64_t)1 << bit);
        good = set_zeros(v, zeros, v->priv.features);
    }
    svmc_kvm_zero(zeros, v->priv.xsave_bytes);
    return good;
}

/* System registers: KVM wants an APIC base, and keeps it; all else is zero, as in real mode. */
static bool wipe_sregs(struct svmc_kvm_vcpu *v)
{
    union {
        struct kvm_sregs one;
        struct kvm_sregs2 two;
    } regs;
    const uint32_t part = has(v, KVM_PART_SREGS2) ? KVM_PART_SREGS2 : KVM_PART_SREGS;
    uint64_t cr8, base;

    if (get_part(v, part, &regs) != SVMC_OK)
        return false;
    cr8 = part == KVM_PART_SREGS ? regs.one.cr8 : regs.two.cr8;
    base = part == KVM_PART_SREGS ? regs.one.apic_base : regs.two.apic_base;
    svmc_kvm_zero(&regs, sizeof regs);
    if (part == KVM_PART_SREGS) {
        regs.one.cr8 = cr8;
        regs.one.apic_base = base;
    } else {
        regs.two.cr8 = cr8;
        regs.two.apic_base = base;
    }
    return set_whole(v, part, &regs);
}

/* What the mapping shows: registers, the exit's data, the page that port I/O goes through. */
static void wipe_run(struct svmc_kvm_vcpu *v)
{
    struct kvm_run *run = v->priv.run;

    svmc_kvm_zero(&run->s, sizeof run->s);
    svmc_kvm_zero(run->padding, sizeof run->padding);
    run->kvm_dirty_regs = 0;
    if (v->priv.run_bytes >= (size_t)2 * PIO_PAGE)
        svmc_kvm_zero((uint8_t *)v->priv.run + PIO_PAGE, PIO_PAGE);
}

/* KV-6 */
enum svmc_status svmc_kvm_vcpu_wipe(struct svmc_kvm_vcpu *v, void *scratch, size_t bytes)
{
    struct kvm_regs regs = { .rflags = 2 };
    struct kvm_vcpu_events events = { .flags = EVENTS_WIPED };
    struct kvm_debugregs debug = { .dr6 = 0 };
    struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs = { { .value = FEATURES_MIN } } };
    bool good;

    if (!v || !v->priv.run || !scratch || (uintptr_t)scratch % 8 != 0)
        return SVMC_ERR_ARG;
    svmc_kvm_zero(scratch, bytes);
    if (bytes < svmc_kvm_vcpu_bytes(v))
        return SVMC_ERR_FULL;
    good = set_whole(v, KVM_PART_REGS, &regs);
    good &= wipe_xsave(v, scratch);
    good &= wipe_sregs(v);
    if (has(v, KVM_PART_XCRS))
        good &= set_whole(v, KVM_PART_XCRS, &xcrs);
    if (has(v, KVM_PART_DEBUGREGS))
        good &= set_whole(v, KVM_PART_DEBUGREGS, &debug);
    wipe_msrs(v);
    good &= set_whole(v, KVM_PART_EVENTS, &events);
    wipe_run(v);
    return good ? SVMC_OK : SVMC_ERR_CALLBACK;
}

/* KV-7: rising, and each of them one of v's. */
static enum svmc_status check_msrs(const struct svmc_kvm_vcpu *v, const uint8_t *at, size_t n)
{
    struct kvm_msrs head;
    struct kvm_msr_entry entry;
    uint32_t mine = 0;
    uint64_t last = 0;

    if (n < sizeof head)
        return SVMC_ERR_FORMAT;
    memcpy(&head, at, sizeof head);
    if (head.pad != 0 || head.nmsrs != (n - sizeof head) / sizeof entry ||
        (n - sizeof head) % sizeof entry != 0)
        return SVMC_ERR_FORMAT;
    for (uint32_t i = 0; i < head.nmsrs; i++) {
        memcpy(&entry, at + sizeof head + i * sizeof entry, sizeof entry);
        if (entry.reserved != 0 || (i > 0 && entry.index <= last))
            return SVMC_ERR_FORMAT;
        last = entry.index;
        while (mine < v->priv.msrs && v->priv.msr[mine] < entry.index)
            mine++;
        if (mine == v->priv.msrs || v->priv.msr[mine] != entry.index)
            return SVMC_ERR_UNSUPPORTED;
    }
    return SVMC_OK;
}

/* KV-1, KV-3, KV-9: where each section is; all of them there, and nothing else. */
static enum svmc_status check(const struct svmc_kvm_vcpu *v, const uint8_t *from, size_t bytes,
                              const uint8_t *part_at[KVM_PARTS])
{
    uint32_t head[4], section[2];
    size_t at = KVM_HEADER_BYTES;
    enum svmc_status st;

    if (bytes < KVM_HEADER_BYTES)
        return SVMC_ERR_FORMAT;
    memcpy(head, from, sizeof head);
    if (head[0] != KVM_MAGIC || (head[1] == KVM_VERSION && head[2] != bytes))
        return SVMC_ERR_FORMAT;
    if (head[1] != KVM_VERSION || head[3] != v->priv.sections)
        return SVMC_ERR_UNSUPPORTED;
    for (uint32_t part = 0; part < KVM_PARTS; part++) {
        if (!has(v, part))
            continue;
        if (bytes - at < KVM_SECTION_BYTES)
            return SVMC_ERR_FORMAT;
        memcpy(section, from + at, sizeof section);
        at += KVM_SECTION_BYTES;
        if (section[0] != part || section[1] > bytes - at || section[1] % 8 != 0)
            return SVMC_ERR_FORMAT;
        st = part == KVM_PART_MSRS               ? check_msrs(v, from + at, section[1])
             : section[1] == part_bytes(v, part) ? SVMC_OK
             : part == KVM_PART_XSAVE            ? SVMC_ERR_UNSUPPORTED
                                                 : SVMC_ERR_FORMAT;
        if (st != SVMC_OK)
            return st;
        part_at[part] = from + at;
        at += section[1];
    }
    return at == bytes ? SVMC_OK : SVMC_ERR_FORMAT;
}

/* KV-8 */
static bool set_tsc(struct svmc_kvm_vcpu *v, const uint8_t *at, uint32_t flags)
{
    struct kvm_part_tsc tsc;
    struct kvm_msr_entry msr = { .index = MSR_TSC };
    int khz;

    memcpy(&tsc, at, sizeof tsc);
    msr.data = tsc.tsc;
    if ((flags & SVMC_KVM_LOAD_TSC) == 0)
        return true;
    khz = svmc_kvm_ask(v->priv.fd, KVM_GET_TSC_KHZ, NULL);
    if (khz != (int)tsc.khz && ioctl(v->priv.fd, KVM_SET_TSC_KHZ, (unsigned long)tsc.khz) != 0)
        return false;
    return one_msr(v->priv.fd, KVM_SET_MSRS, &msr);
}

static bool set_part(struct svmc_kvm_vcpu *v, uint32_t part, const uint8_t *at, uint32_t flags)
{
    uint32_t msrs;
    uintptr_t arg = (uintptr_t)at; /* KVM only reads it */

    if (part == KVM_PART_TSC)
        return set_tsc(v, at, flags);
    if (part != KVM_PART_MSRS)
        return set_whole(v, part, (void *)arg);
    memcpy(&msrs, at, sizeof msrs);
    return svmc_kvm_ask(v->priv.fd, KVM_SET_MSRS, (void *)arg) == (int)msrs;
}

enum svmc_status svmc_kvm_vcpu_load(struct svmc_kvm_vcpu *v, const void *from, size_t bytes,
                                    uint32_t flags)
{
    const uint8_t *part_at[KVM_PARTS] = { NULL };
    enum svmc_status st;

    if (!v || !v->priv.run || !from || (uintptr_t)from % 8 != 0 ||
        (flags & ~(uint32_t)SVMC_KVM_LOAD_TSC) != 0)
        return SVMC_ERR_ARG;
    st = check(v, from, bytes, part_at);
    for (uint32_t part = 0; st == SVMC_OK && part < KVM_PARTS; part++) /* KV-4 */
        if (part_at[part] && !set_part(v, part, part_at[part], flags))
            st = SVMC_ERR_CALLBACK; /* KV-5 */
    return st;
}
