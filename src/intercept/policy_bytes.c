/* SPDX-License-Identifier: MIT */
/** The byte form of a policy: docs/spec/policy.md, PO-1 to PO-7. One policy, one form. */
#include "../core/bytes.h"
#include "../core/crypto_ops.h"
#include "../core/memory.h"
#include "intercept_private.h"

#define POLICY_BYTES_MAGIC 0x4c505653u /* "SVPL" */
#define LISTS              6u          /* ports, MSRs, system registers; each read, written */

enum bytes {
    HEADER_BYTES = 56,
    WINDOW_BYTES = 18,
    HCALL_BYTES = 3,
    KIND_BYTES = 3,
    CALL_BYTES = 11,
    CPUID_BYTES = 24,
    PORT_BYTES = 5, /* a system register's, too */
    MSR_BYTES = 9
};

_Static_assert(SVMC_POLICY_BYTES_MAX ==
                   HEADER_BYTES + WINDOW_BYTES * SVMC_POLICY_WINDOWS +
                       HCALL_BYTES * SVMC_POLICY_HCALLS + KIND_BYTES * SVMC_POLICY_KINDS +
                       CALL_BYTES * SVMC_POLICY_CALLS + CPUID_BYTES * SVMC_POLICY_CPUIDS +
                       2 * PORT_BYTES * (SVMC_POLICY_PORTS + SVMC_POLICY_SYSREGS) +
                       2 * MSR_BYTES * SVMC_POLICY_MSRS,
               "the public bound");

/* PO-1: limits and flags, and these rows, are all that decides. How many rows each part has. */
struct counts {
    uint32_t windows, hcalls, kinds, calls, cpuids;
    uint32_t runs[LISTS];
};

/* What a list is of, and its half. */
enum { OF_PORTS, OF_MSRS, OF_SYSREGS };
#define LIST_OF(list) ((list) >> 1)

static uint32_t run_bytes(uint32_t list)
{
    return LIST_OF(list) == OF_MSRS ? MSR_BYTES : PORT_BYTES;
}

static uint64_t total_bytes(const struct counts *c)
{
    uint64_t total = HEADER_BYTES + (uint64_t)WINDOW_BYTES * c->windows +
                     (uint64_t)HCALL_BYTES * c->hcalls + (uint64_t)KIND_BYTES * c->kinds +
                     (uint64_t)CALL_BYTES * c->calls + (uint64_t)CPUID_BYTES * c->cpuids;

    for (uint32_t list = 0; list < LISTS; list++)
        total += (uint64_t)run_bytes(list) * c->runs[list];
    return total;
}

/* ---- writing ----------------------------------------------------------------------------------*/

/* Where the bytes go: nowhere (they are counted), into a buffer that is long enough, or a hash. */
struct sink {
    uint8_t *out;
    const struct svmc_crypto_ops *ops;
    struct svmc_hash_state *state;
    enum svmc_status st;
};

static void put(struct sink *sink, const uint8_t *bytes, size_t n)
{
    if (sink->out) {
        memcpy(sink->out, bytes, n);
        sink->out += n;
    } else if (sink->ops && sink->st == SVMC_OK) {
        sink->st = sink->ops->hash_add(sink->ops->ctx, sink->state, bytes, n);
    }
}

/* Whether entries [at, at + 4) all have this verdict; at is a multiple of four. */
static bool are_four(const uint8_t *map, const uint8_t *inside, uint32_t at, uint32_t verdict)
{
    bool interpret = verdict == SVMC_VERDICT_INTERPRET;
    uint32_t packed = interpret ? SVMC_VERDICT_CONST : verdict;

    /* clamp: this file's own loops; no guest's number, here and below */
    return map[at >> 2] == packed * 0x55u &&
           (!inside || packed != SVMC_VERDICT_CONST ||
            /* clamp: as above */
            (inside[at >> 3] >> (at & 4u) & 15u) == (interpret ? 15u : 0u));
}

/* The first entry from `at` on that has another verdict, or `end`. */
static uint32_t run_end(const uint8_t *map, const uint8_t *inside, uint32_t at, uint32_t end,
                        uint32_t verdict)
{
    while (at < end) {
        if (at % 4 == 0 && end - at >= 4 && are_four(map, inside, at, verdict))
            at += 4;
        else if (svmc_intercept_register_verdict(map, inside, at) == verdict)
            at++;
        else
            break;
    }
    return at;
}

/* Entries [at, at + count) of a map; entry `at` is port or register `first`. */
struct part {
    const uint8_t *map;
    const uint8_t *inside;
    uint32_t at, count, first;
    bool msr;
};

/* PO-4: the runs that are no FAULT. Returns how many. */
static uint32_t put_runs(struct sink *sink, const struct part *p)
{
    uint32_t from = p->at, end = p->at + p->count, runs = 0;

    while ((from = run_end(p->map, p->inside, from, end, SVMC_VERDICT_FAULT)) < end) {
        uint32_t verdict = (uint32_t)svmc_intercept_register_verdict(p->map, p->inside, from);
        uint32_t to = run_end(p->map, p->inside, from, end, verdict);
        uint32_t first = p->first + (from - p->at), last = p->first + (to - 1 - p->at);
        uint8_t row[MSR_BYTES];

        if (p->msr) {
            core_store_le32(row, first);
            core_store_le32(row + 4, last);
            row[8] = (uint8_t)verdict;
        } else {
            core_store_le16(row, (uint16_t)first);
            core_store_le16(row + 2, (uint16_t)last);
            row[4] = (uint8_t)verdict;
        }
        put(sink, row, p->msr ? MSR_BYTES : PORT_BYTES);
        runs++;
        from = to;
    }
    return runs;
}

static uint32_t put_list(struct sink *sink, const struct svmc_policy *policy, uint32_t list)
{
    uint32_t half = list & 1u, runs = 0;
    /* clamp: half is one bit, here and below */
    struct part p = { policy->priv.ports[half], NULL, 0, SVMC_POLICY_PORTS, 0, false };

    if (LIST_OF(list) == OF_PORTS)
        return put_runs(sink, &p);
    if (LIST_OF(list) == OF_SYSREGS) {
        p.map = policy->priv.sysregs[half];           /* clamp: as above */
        p.inside = policy->priv.sysregs_inside[half]; /* clamp: as above */
        p.count = SVMC_POLICY_SYSREGS;
        p.first = SYSREG_FIRST;
        return put_runs(sink, &p);
    }
    p.map = policy->priv.msrs[half];           /* clamp: as above */
    p.inside = policy->priv.msrs_inside[half]; /* clamp: as above */
    p.msr = true;
    for (uint32_t page = 0; svmc_intercept_msr_page(page, &p.first, &p.at, &p.count); page++)
        runs += put_runs(sink, &p);
    return runs;
}

/* PO-3: windows upwards. A window that is FAULT both ways decides nothing and is left out. */
static uint32_t put_windows(struct sink *sink, const struct svmc_policy *policy)
{
    const struct svmc_window *last = NULL;
    uint32_t windows = 0;

    for (;;) {
        const struct svmc_window *next = NULL;
        uint8_t row[WINDOW_BYTES];

        for (uint32_t i = 0; i < policy->priv.window_count; i++) {
            /* clamp: below the count of windows; the embedder's */
            const struct svmc_window *w = &policy->priv.windows[i];

            if ((w->verdict[0] != 0 || w->verdict[1] != 0) && (!last || w->first > last->first) &&
                (!next || w->first < next->first))
                next = w;
        }
        if (!next)
            return windows;
        core_store_le64(row, next->first);
        core_store_le64(row + 8, next->last);
        row[16] = next->verdict[0];
        row[17] = next->verdict[1];
        put(sink, row, sizeof row);
        windows++;
        last = next;
    }
}

static uint32_t put_hcalls(struct sink *sink, const struct svmc_policy *policy)
{
    uint32_t hcalls = 0;

    for (uint32_t i = 0; i < SVMC_POLICY_HCALLS; i++) {
        const struct svmc_hcall_rule *call = &policy->priv.hcalls[i];
        uint8_t row[HCALL_BYTES] = { (uint8_t)i, call->args, call->results };

        if (call->verdict == SVMC_VERDICT_DELEGATE) {
            put(sink, row, sizeof row);
            hcalls++;
        }
    }
    return hcalls;
}

/* PO-22: what is not as rows.def has it */
static uint32_t put_kinds(struct sink *sink, const struct svmc_policy *policy)
{
    uint32_t kinds = 0;
    uint8_t row[KIND_BYTES];

    for (uint32_t i = 0; i < KINDS; i++) {
        if (policy->priv.kinds[i] == 0)
            continue;
        core_store_le16(row, kind_of(i));
        row[2] = (uint8_t)(policy->priv.kinds[i] - 1);
        put(sink, row, sizeof row);
        kinds++;
    }
    return kinds;
}

/* PO-21: in the order in which they are kept */
static uint32_t put_calls(struct sink *sink, const struct svmc_policy *policy)
{
    uint8_t row[CALL_BYTES];

    for (uint32_t i = 0; i < policy->priv.call_count; i++) {
        const struct svmc_call_rule *call = &policy->priv.calls[i]; /* clamp: own count */

        core_store_le64(row, call->number);
        row[8] = (uint8_t)(call->kind & 0xff); /* the class is 5 */
        row[9] = call->args;
        row[10] = call->results;
        put(sink, row, sizeof row);
    }
    return policy->priv.call_count;
}

/* PO-10 */
static uint32_t put_cpuids(struct sink *sink, const struct svmc_policy *policy)
{
    uint8_t row[CPUID_BYTES];

    for (uint32_t i = 0; i < policy->priv.cpuid_count; i++) {
        const struct svmc_cpuid_leaf *leaf = &policy->priv.cpuid[i]; /* clamp: own count */

        core_store_le32(row, leaf->leaf);
        core_store_le32(row + 4, leaf->subleaf);
        core_store_le32(row + 8, leaf->eax);
        core_store_le32(row + 12, leaf->ebx);
        core_store_le32(row + 16, leaf->ecx);
        core_store_le32(row + 20, leaf->edx);
        put(sink, row, sizeof row);
    }
    return policy->priv.cpuid_count;
}

/* PO-2 */
static void put_header(struct sink *sink, const struct svmc_policy *policy, const struct counts *c)
{
    uint8_t h[HEADER_BYTES];

    core_store_le32(h, POLICY_BYTES_MAGIC);
    core_store_le16(h + 4, SVMC_POLICY_VERSION);
    core_store_le16(h + 6, HEADER_BYTES);
    core_store_le32(h + 8, (uint32_t)total_bytes(c));
    core_store_le32(h + 12, policy->priv.refusal_limit);
    core_store_le32(h + 16, policy->priv.retry_limit);
    core_store_le32(h + 20, policy->priv.doorbell);
    h[24] = (uint8_t)policy->priv.mode;
    h[25] = (uint8_t)(policy->priv.full_wipe | policy->priv.user_memory << 1);
    h[26] = (uint8_t)c->windows;
    h[27] = (uint8_t)c->hcalls;
    for (uint32_t list = 0; list < LISTS; list++)
        core_store_le32(h + 28 + 4 * list, c->runs[list]);
    h[52] = (uint8_t)c->cpuids;
    h[53] = (uint8_t)policy->priv.cpuid_rest;
    h[54] = (uint8_t)c->calls;
    h[55] = (uint8_t)c->kinds;
    put(sink, h, sizeof h);
}

static void count_rows(const struct svmc_policy *policy, struct counts *c)
{
    struct sink nowhere = { NULL, NULL, NULL, SVMC_OK };

    c->windows = put_windows(&nowhere, policy);
    c->hcalls = put_hcalls(&nowhere, policy);
    c->kinds = put_kinds(&nowhere, policy);
    c->calls = put_calls(&nowhere, policy);
    c->cpuids = put_cpuids(&nowhere, policy);
    for (uint32_t list = 0; list < LISTS; list++)
        c->runs[list] = put_list(&nowhere, policy, list);
}

static void put_policy(struct sink *sink, const struct svmc_policy *policy, const struct counts *c)
{
    put_header(sink, policy, c);
    (void)put_windows(sink, policy);
    (void)put_hcalls(sink, policy);
    (void)put_kinds(sink, policy);
    (void)put_calls(sink, policy);
    (void)put_cpuids(sink, policy);
    for (uint32_t list = 0; list < LISTS; list++)
        (void)put_list(sink, policy, list);
}

enum svmc_status svmc_policy_save(const struct svmc_policy *policy, uint8_t *out, size_t cap,
                                  size_t *len)
{
    struct sink sink = { out, NULL, NULL, SVMC_OK };
    struct counts counts;

    if (!len)
        return SVMC_ERR_ARG;
    *len = 0;
    if (!svmc_intercept_policy_usable(policy) || (!out && cap != 0))
        return SVMC_ERR_ARG;
    if (!svmc_intercept_policy_ready(policy)) /* PO-5 */
        return SVMC_ERR_STATE;
    count_rows(policy, &counts);
    *len = (size_t)total_bytes(&counts);
    if (*len > cap)
        return SVMC_ERR_FULL;
    put_policy(&sink, policy, &counts);
    return SVMC_OK;
}

/* PO-7 */
enum svmc_status svmc_policy_digest(const struct svmc_policy *policy,
                                    const struct svmc_crypto_ops *ops, uint8_t out[32])
{
    struct svmc_hash_state state;
    struct sink sink = { NULL, ops, &state, SVMC_OK };
    struct counts counts;
    enum svmc_status st;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, SVMC_HASH_BYTES);
    if (!svmc_intercept_policy_usable(policy) || !core_crypto_can_hash(ops))
        return SVMC_ERR_ARG;
    if (!svmc_intercept_policy_ready(policy))
        return SVMC_ERR_STATE;
    count_rows(policy, &counts);
    st = ops->hash_begin(ops->ctx, &state, SVMC_ALG_SHA_256);
    st = core_crypto_verdict(st);
    if (st != SVMC_OK)
        return st;
    put_policy(&sink, policy, &counts);
    st = core_crypto_hash_end(ops, &state, sink.st, out);
    if (st != SVMC_OK)
        memset(out, 0, SVMC_HASH_BYTES);
    return st;
}

/* ---- reading: what is not written above is refused, the rest goes through the setters ---------*/

static enum svmc_status load_windows(struct svmc_policy *policy, const uint8_t *row, uint32_t count)
{
    uint64_t after = 0;

    for (uint32_t i = 0; i < count; i++, row += WINDOW_BYTES) {
        uint64_t first = core_load_le64(row), last = core_load_le64(row + 8);
        uint32_t verdict = row[16] != 0 ? row[16] : row[17];
        uint32_t access =
            (row[16] != 0 ? SVMC_ACCESS_READ : 0u) | (row[17] != 0 ? SVMC_ACCESS_WRITE : 0u);

        if (last < first || (i > 0 && first <= after) || /* PO-3 */
            (row[17] != 0 && row[17] != verdict) ||
            svmc_policy_add_window(policy, (svmc_gpa){ first }, last - first + 1,
                                   (enum svmc_access)access, (enum svmc_verdict)verdict) != SVMC_OK)
            return SVMC_ERR_ARG;
        after = last;
    }
    return SVMC_OK;
}

static enum svmc_status load_hcalls(struct svmc_policy *policy, const uint8_t *row, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++, row += HCALL_BYTES)
        if ((i > 0 && row[0] <= row[0 - HCALL_BYTES]) ||
            svmc_policy_set_hcall(policy, row[0], row[1], row[2]) != SVMC_OK)
            return SVMC_ERR_ARG;
    return SVMC_OK;
}

/* PO-22: upwards, and none that says what it would be without it. */
static enum svmc_status load_kinds(struct svmc_policy *policy, const uint8_t *row, uint32_t count)
{
    uint32_t before = 0;

    for (uint32_t i = 0; i < count; i++, row += KIND_BYTES) {
        uint16_t kind = core_load_le16(row);

        if (kind <= before || row[2] == svmc_intercept_rule(kind)->verdict ||
            svmc_policy_set_kind(policy, (enum svmc_kind)kind, (enum svmc_verdict)row[2]) !=
                SVMC_OK)
            return SVMC_ERR_ARG;
        before = kind;
    }
    return SVMC_OK;
}

/* PO-21: a row that the setter would put anywhere but behind the others is not ours. */
static enum svmc_status load_calls(struct svmc_policy *policy, const uint8_t *row, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++, row += CALL_BYTES) {
        uint64_t number = core_load_le64(row);
        enum svmc_kind kind = (enum svmc_kind)((SVMC_KIND_HYPERCALL & 0xf000u) + row[8]);
        const struct svmc_call_rule *last;

        if (svmc_policy_set_call(policy, kind, number, row[9], row[10]) != SVMC_OK ||
            policy->priv.call_count != i + 1)
            return SVMC_ERR_ARG;
        last = &policy->priv.calls[i]; /* clamp: the setter has made it */
        if (last->number != number || last->kind != (uint32_t)kind)
            return SVMC_ERR_ARG;
    }
    return SVMC_OK;
}

static enum svmc_status load_runs(struct svmc_policy *policy, const uint8_t *row, uint32_t list,
                                  uint32_t count)
{
    bool msr = LIST_OF(list) == OF_MSRS;
    enum svmc_access access = list & 1u ? SVMC_ACCESS_WRITE : SVMC_ACCESS_READ;
    uint32_t last_before = 0, entry_before = 0, verdict_before = 0, left;

    for (uint32_t i = 0; i < count; i++, row += run_bytes(list)) {
        uint32_t first = msr ? core_load_le32(row) : core_load_le16(row);
        uint32_t last = msr ? core_load_le32(row + 4) : core_load_le16(row + 2);
        uint32_t verdict = row[msr ? 8 : 4];
        uint32_t at = msr ? svmc_intercept_msr_entry(first, &left) : first;
        enum svmc_status st = SVMC_ERR_ARG;

        if (last < first || last - first >= SVMC_POLICY_PORTS || verdict == SVMC_VERDICT_FAULT)
            return SVMC_ERR_ARG;
        if (i > 0 && (at <= entry_before ||
                      (first == last_before + 1 && verdict == verdict_before))) /* PO-4: longest */
            return SVMC_ERR_ARG;
        if (msr)
            st = svmc_policy_set_msrs(policy, first, last - first + 1, access,
                                      (enum svmc_verdict)verdict);
        else if (LIST_OF(list) == OF_PORTS)
            st = svmc_policy_set_ports(policy, first, last - first + 1, access,
                                       (enum svmc_verdict)verdict);
        else
            st = svmc_policy_set_sysregs(policy, first, last - first + 1, access,
                                         (enum svmc_verdict)verdict);
        if (st != SVMC_OK)
            return SVMC_ERR_ARG;
        last_before = last;
        entry_before = at + (last - first);
        verdict_before = verdict;
    }
    return SVMC_OK;
}

/* PO-10: upwards, no two alike. */
static enum svmc_status load_cpuids(struct svmc_policy *policy, const uint8_t *row, uint32_t count)
{
    for (uint32_t i = 0; i < count && i < SVMC_POLICY_CPUIDS; i++, row += CPUID_BYTES) {
        struct svmc_cpuid_leaf *leaf = &policy->priv.cpuid[i]; /* clamp: a constant bounds it */

        leaf->leaf = core_load_le32(row);
        leaf->subleaf = core_load_le32(row + 4);
        leaf->eax = core_load_le32(row + 8);
        leaf->ebx = core_load_le32(row + 12);
        leaf->ecx = core_load_le32(row + 16);
        leaf->edx = core_load_le32(row + 20);
    }
    policy->priv.cpuid_count = count;
    return svmc_intercept_cpuid_sorted(policy) ? SVMC_OK : SVMC_ERR_ARG;
}

/* PO-2, PO-6: the header, and that there are exactly the bytes that it speaks of. */
static enum svmc_status load_header(struct svmc_policy *policy, const uint8_t *h, size_t len,
                                    struct counts *c)
{
    uint32_t doorbell;

    if (len < 8 || core_load_le32(h) != POLICY_BYTES_MAGIC || core_load_le16(h + 4) == 0)
        return SVMC_ERR_ARG;
    if (core_load_le16(h + 4) > SVMC_POLICY_VERSION)
        return SVMC_ERR_UNSUPPORTED;
    if (len < HEADER_BYTES || core_load_le16(h + 6) != HEADER_BYTES)
        return SVMC_ERR_ARG;
    c->windows = h[26];
    c->hcalls = h[27];
    c->cpuids = h[52];
    c->calls = h[54];
    c->kinds = h[55];
    for (uint32_t list = 0; list < LISTS; list++)
        c->runs[list] = core_load_le32(h + 28 + 4 * list);
    doorbell = core_load_le32(h + 20);
    if (core_load_le32(h + 8) != len || total_bytes(c) != len || doorbell > 0x10000 || h[25] > 3 ||
        c->cpuids > SVMC_POLICY_CPUIDS ||
        (h[53] != SVMC_VERDICT_DELEGATE && h[53] != SVMC_VERDICT_CONST) ||
        svmc_policy_init(policy, core_load_le32(h + 12), core_load_le32(h + 16)) != SVMC_OK ||
        svmc_policy_set_mode(policy, (enum svmc_mode)h[24]) != SVMC_OK)
        return SVMC_ERR_ARG;
    policy->priv.doorbell = doorbell;
    policy->priv.full_wipe = h[25] & 1u;
    policy->priv.user_memory = h[25] >> 1;
    policy->priv.cpuid_rest = h[53];
    return SVMC_OK;
}

static enum svmc_status load(struct svmc_policy *policy, const uint8_t *bytes, size_t len)
{
    struct counts c;
    enum svmc_status st = load_header(policy, bytes, len, &c);

    if (st != SVMC_OK)
        return st;
    bytes += HEADER_BYTES;
    st = load_windows(policy, bytes, c.windows);
    bytes += (size_t)WINDOW_BYTES * c.windows;
    if (st == SVMC_OK)
        st = load_hcalls(policy, bytes, c.hcalls);
    bytes += (size_t)HCALL_BYTES * c.hcalls;
    if (st == SVMC_OK)
        st = load_kinds(policy, bytes, c.kinds);
    bytes += (size_t)KIND_BYTES * c.kinds;
    if (st == SVMC_OK)
        st = load_calls(policy, bytes, c.calls);
    bytes += (size_t)CALL_BYTES * c.calls;
    if (st == SVMC_OK)
        st = load_cpuids(policy, bytes, c.cpuids);
    bytes += (size_t)CPUID_BYTES * c.cpuids;
    for (uint32_t list = 0; list < LISTS && st == SVMC_OK; list++) {
        st = load_runs(policy, bytes, list, c.runs[list]);
        bytes += (size_t)run_bytes(list) * c.runs[list];
    }
    return st == SVMC_OK ? svmc_policy_seal(policy) : st; /* PO-5 */
}

enum svmc_status svmc_policy_load(struct svmc_policy *policy, const uint8_t *bytes, size_t len)
{
    enum svmc_status st;

    if (!policy)
        return SVMC_ERR_ARG;
    st = bytes ? load(policy, bytes, len) : SVMC_ERR_ARG;
    if (st != SVMC_OK)
        memset(policy, 0, sizeof *policy);
    return st == SVMC_ERR_ARG && bytes ? SVMC_ERR_FORMAT : st; /* PO-6: a setter's, of the bytes */
}
