/* SPDX-License-Identifier: MIT */
/** The embedder's tables, packed two bits an entry, and the one lookup that reads them. */
#include <svmcore/policy.h>

#include "../core/clamp.h"
#include "../core/memory.h"
#include "intercept_private.h"

#define POLICY_MAGIC 0x504f4c31u
#define MSR_PAGE     8192u

/* The ranges of MSRs that have an entry, and where theirs begin: AMD APM vol. 2, 15.11. */
static const struct {
    uint32_t first, count, at;
} msr_pages[] = {
    { 0x00000000, MSR_PAGE, 0 },
    { 0xc0000000, MSR_PAGE, MSR_PAGE },
    { 0xc0010000, MSR_PAGE, 2 * MSR_PAGE },
    { 0x40000000, 256, 3 * MSR_PAGE },
};

CORE_COLD enum svmc_status svmc_policy_init(struct svmc_policy *policy, uint32_t refusal_limit,
                                            uint32_t retry_limit)
{
    if (!policy)
        return SVMC_ERR_ARG;
    memset(policy, 0, sizeof *policy);
    if (refusal_limit == 0 || retry_limit == 0)
        return SVMC_ERR_ARG;
    policy->priv.magic = POLICY_MAGIC;
    policy->priv.refusal_limit = refusal_limit;
    policy->priv.retry_limit = retry_limit;
    policy->priv.cpuid_rest = SVMC_VERDICT_DELEGATE;
    return SVMC_OK;
}

bool svmc_intercept_policy_usable(const struct svmc_policy *policy)
{
    return policy && policy->priv.magic == POLICY_MAGIC;
}

bool svmc_intercept_policy_ready(const struct svmc_policy *policy)
{
    return svmc_intercept_policy_usable(policy) && policy->priv.sealed != 0;
}

/* A setter may be asked for a real access and a verdict of two bits, tighter once sealed (EX-8). */
static enum svmc_status check_change(const struct svmc_policy *policy, uint32_t access,
                                     uint32_t verdict, bool registers)
{
    if (!svmc_intercept_policy_usable(policy) || access == SVMC_ACCESS_NONE ||
        access > SVMC_ACCESS_RW ||
        (verdict > SVMC_VERDICT_TERMINATE && !(registers && verdict == SVMC_VERDICT_INTERPRET)))
        return SVMC_ERR_ARG;
    if (policy->priv.sealed && verdict != SVMC_VERDICT_FAULT && verdict != SVMC_VERDICT_TERMINATE)
        return SVMC_ERR_STATE;
    return SVMC_OK;
}

/* EX-8: a sealed FAULT never replaces a TERMINATE: that would be looser. */
static void set_packed(const struct svmc_policy *policy, uint8_t *map, uint8_t *inside,
                       uint32_t first, uint32_t count, uint32_t verdict)
{
    uint32_t interpret = verdict == SVMC_VERDICT_INTERPRET;

    if (interpret)
        verdict = SVMC_VERDICT_CONST;
    for (uint32_t i = first; i < first + count; i++) {
        unsigned shift = 2 * (i & 3u), bit = i & 7u;

        /* clamp: a setter's range, checked by it; the embedder's value, no guest's */
        if (policy->priv.sealed && ((map[i >> 2] >> shift) & 3u) == SVMC_VERDICT_TERMINATE)
            continue;
        /* clamp: as above */
        map[i >> 2] = (uint8_t)((map[i >> 2] & ~(3u << shift)) | verdict << shift);
        if (inside) /* clamp: as above */
            inside[i >> 3] = (uint8_t)((inside[i >> 3] & ~(1u << bit)) | interpret << bit);
    }
}

CORE_COLD enum svmc_status svmc_policy_set_ports(struct svmc_policy *policy, uint32_t first,
                                                 uint32_t count, enum svmc_access access,
                                                 enum svmc_verdict verdict)
{
    enum svmc_status st = check_change(policy, access, verdict, false);

    if (st != SVMC_OK)
        return st;
    if (count == 0 || first >= SVMC_POLICY_PORTS || count > SVMC_POLICY_PORTS - first)
        return SVMC_ERR_ARG;
    for (unsigned half = 0; half < 2; half++)
        if (access & (1u << half))
            set_packed(policy, policy->priv.ports[half], NULL, first, count, verdict);
    return SVMC_OK;
}

/* The entry of an MSR, or SVMC_POLICY_MSRS; *left gets how many entries follow in its page. */
uint32_t svmc_intercept_msr_entry(uint32_t msr, uint32_t *left)
{
    for (uint32_t i = 0; i < sizeof msr_pages / sizeof msr_pages[0]; i++) {
        uint32_t at = msr - msr_pages[i].first;

        if (at < msr_pages[i].count) {
            *left = msr_pages[i].count - at;
            return msr_pages[i].at + at;
        }
    }
    *left = 0;
    return SVMC_POLICY_MSRS;
}

bool svmc_intercept_msr_page(uint32_t page, uint32_t *first, uint32_t *at, uint32_t *count)
{
    if (page >= sizeof msr_pages / sizeof msr_pages[0])
        return false;
    page = core_clamp(page, sizeof msr_pages / sizeof msr_pages[0]);
    *first = msr_pages[page].first;
    *at = msr_pages[page].at;
    *count = msr_pages[page].count;
    return true;
}

CORE_COLD enum svmc_status svmc_policy_set_msrs(struct svmc_policy *policy, uint32_t first,
                                                uint32_t count, enum svmc_access access,
                                                enum svmc_verdict verdict)
{
    enum svmc_status st = check_change(policy, access, verdict, true);
    uint32_t left, entry;

    if (st != SVMC_OK)
        return st;
    entry = svmc_intercept_msr_entry(first, &left);
    if (count == 0 || count > left)
        return SVMC_ERR_ARG;
    for (unsigned half = 0; half < 2; half++)
        if (access & (1u << half))
            set_packed(policy, policy->priv.msrs[half], policy->priv.msrs_inside[half], entry,
                       count, verdict);
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_policy_set_sysregs(struct svmc_policy *policy, uint32_t first,
                                                   uint32_t count, enum svmc_access access,
                                                   enum svmc_verdict verdict)
{
    enum svmc_status st = check_change(policy, access, verdict, true);
    uint32_t entry = first - SYSREG_FIRST; /* huge where first is too small */

    if (st != SVMC_OK)
        return st;
    if (count == 0 || entry >= SVMC_POLICY_SYSREGS || count > SVMC_POLICY_SYSREGS - entry)
        return SVMC_ERR_ARG;
    for (unsigned half = 0; half < 2; half++)
        if (access & (1u << half))
            set_packed(policy, policy->priv.sysregs[half], policy->priv.sysregs_inside[half], entry,
                       count, verdict);
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_policy_add_window(struct svmc_policy *policy, svmc_gpa first,
                                                  uint64_t bytes, enum svmc_access access,
                                                  enum svmc_verdict verdict)
{
    enum svmc_status st = check_change(policy, access, verdict, false);
    struct svmc_window w = { .first = first.v };

    if (st != SVMC_OK)
        return st;
    if (bytes == 0 || bytes - 1 > UINT64_MAX - first.v)
        return SVMC_ERR_ARG;
    if (policy->priv.sealed)
        return SVMC_ERR_STATE;
    w.last = first.v + (bytes - 1);
    for (unsigned half = 0; half < 2; half++)
        w.verdict[half] = (uint8_t)((access & (1u << half)) ? verdict : SVMC_VERDICT_FAULT);
    for (uint32_t i = 0; i < policy->priv.window_count && i < SVMC_POLICY_WINDOWS; i++)
        /* clamp: below the count of windows; the embedder's */
        if (w.first <= policy->priv.windows[i].last && policy->priv.windows[i].first <= w.last)
            return SVMC_ERR_ARG;
    if (policy->priv.window_count >= SVMC_POLICY_WINDOWS)
        return SVMC_ERR_FULL;
    /* clamp: checked right above; the embedder's */
    policy->priv.windows[policy->priv.window_count++] = w;
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_policy_set_full_wipe(struct svmc_policy *policy)
{
    if (!svmc_intercept_policy_usable(policy))
        return SVMC_ERR_ARG;
    if (policy->priv.sealed)
        return SVMC_ERR_STATE;
    policy->priv.full_wipe = 1;
    return SVMC_OK;
}

/* MO-7: what is sealed goes towards STRICT, which is 0, and never back. */
CORE_COLD enum svmc_status svmc_policy_set_mode(struct svmc_policy *policy, enum svmc_mode mode)
{
    if (!svmc_intercept_policy_usable(policy) || (uint32_t)mode > SVMC_MODE_OBSERVE)
        return SVMC_ERR_ARG;
    if (policy->priv.sealed && (uint32_t)mode > policy->priv.mode)
        return SVMC_ERR_STATE;
    policy->priv.mode = mode;
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_policy_set_user_memory(struct svmc_policy *policy)
{
    if (!svmc_intercept_policy_usable(policy))
        return SVMC_ERR_ARG;
    if (policy->priv.sealed)
        return SVMC_ERR_STATE;
    policy->priv.user_memory = 1;
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_policy_set_doorbell(struct svmc_policy *policy, uint16_t port)
{
    if (!svmc_intercept_policy_usable(policy))
        return SVMC_ERR_ARG;
    if (policy->priv.sealed)
        return SVMC_ERR_STATE;
    policy->priv.doorbell = (uint32_t)port + 1;
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_policy_set_hcall(struct svmc_policy *policy, uint32_t number,
                                                 uint8_t args, uint8_t results)
{
    if (!svmc_intercept_policy_usable(policy) || number >= SVMC_POLICY_HCALLS ||
        args > SVMC_HCALL_ARGS || results > SVMC_HCALL_RESULTS)
        return SVMC_ERR_ARG;
    if (policy->priv.sealed)
        return SVMC_ERR_STATE;
    /* clamp: the embedder's number, checked above */
    policy->priv.hcalls[number] = (struct svmc_hcall_rule){ .verdict = SVMC_VERDICT_DELEGATE,
                                                            .args = args,
                                                            .results = results };
    return SVMC_OK;
}

/* What a kind can be given beside FAULT and TERMINATE. */
static bool is_choice(const struct exit_rule *rule, uint32_t verdict)
{
    /* what nobody has done is not done: EX-40, EX-58, EX-80 */
    bool control = rule->kind >> 12 == SVMC_KIND_CR_READ >> 12 ||
                   (rule->kind >= SVMC_KIND_CSR_READ && rule->kind <= SVMC_KIND_CSR_CLEAR) ||
                   rule->string || rule->space == SPACE_REQUEST;

    switch (verdict) {
    case SVMC_VERDICT_FAULT:
    case SVMC_VERDICT_TERMINATE:
    case SVMC_VERDICT_INTERPRET:
        return true;
    case SVMC_VERDICT_DELEGATE:
        return rule->statuses != 0;
    case SVMC_VERDICT_CONST:
        return !control;
    case SVMC_VERDICT_NOTIFY:
        return !control && rule->out_count == 0;
    default:
        return false;
    }
}

CORE_COLD enum svmc_status svmc_policy_set_kind(struct svmc_policy *policy, enum svmc_kind kind,
                                                enum svmc_verdict verdict)
{
    const struct exit_rule *rule = svmc_intercept_rule((uint16_t)kind);
    uint32_t entry = svmc_intercept_kind_entry((uint16_t)kind);

    if (!svmc_intercept_policy_usable(policy) || (uint32_t)kind > UINT16_MAX || entry >= KINDS ||
        !is_choice(rule, (uint32_t)verdict))
        return SVMC_ERR_ARG;
    if (policy->priv.sealed && verdict != SVMC_VERDICT_FAULT && verdict != SVMC_VERDICT_TERMINATE)
        return SVMC_ERR_STATE;
    entry = core_clamp(entry, KINDS);
    if (policy->priv.sealed && policy->priv.kinds[entry] == SVMC_VERDICT_TERMINATE + 1)
        return SVMC_OK;
    policy->priv.kinds[entry] = (uint8_t)(verdict == rule->verdict ? 0 : verdict + 1);
    return SVMC_OK;
}

CORE_COLD enum svmc_status svmc_policy_seal(struct svmc_policy *policy)
{
    if (!svmc_intercept_policy_usable(policy))
        return SVMC_ERR_ARG;
    policy->priv.sealed = 1;
    return SVMC_OK;
}

/* EX-5: an access that touches several ports gets a verdict only if they all have the same. */
static CORE_APART enum svmc_verdict judge_port(const uint8_t *map, uint64_t port, uint32_t size)
{
    uint32_t first, last, ones, bits, verdict;

    if (port >= SVMC_POLICY_PORTS || size == 0 || size > 4 || port + size > SVMC_POLICY_PORTS)
        return SVMC_VERDICT_FAULT;
    _Static_assert(SVMC_POLICY_PORTS == 0x10000, "as many as 16 bits can say");
    first = (uint16_t)port;
    last = (uint16_t)(port + size - 1);
    ones = 0x55u >> (8 - 2 * size); /* one in each port's two bits */
    /* clamp: 16 bits; four ports in a byte, and these are in two at most */
    bits = (map[first >> 2] | (uint32_t)map[last >> 2] << 8) >> 2 * (first & 3u) & 3 * ones;
    verdict = bits & 3u;
    return bits == verdict * ones ? (enum svmc_verdict)verdict : SVMC_VERDICT_FAULT;
}

static CORE_APART enum svmc_verdict judge_msr(const uint8_t *map, const uint8_t *inside,
                                              uint64_t msr)
{
    uint32_t left, entry;

    if (msr > UINT32_MAX)
        return SVMC_VERDICT_FAULT;
    entry = svmc_intercept_msr_entry((uint32_t)msr, &left);
    return left == 0
               ? SVMC_VERDICT_FAULT
               : svmc_intercept_register_verdict(map, inside, core_clamp(entry, SVMC_POLICY_MSRS));
}

/* EX-52 */
static CORE_APART enum svmc_verdict judge_sysreg(const uint8_t *map, const uint8_t *inside,
                                                 uint64_t reg)
{
    uint64_t entry = reg - SYSREG_FIRST;

    if (entry >= SVMC_POLICY_SYSREGS)
        return SVMC_VERDICT_FAULT;
    return svmc_intercept_register_verdict(map, inside,
                                           core_clamp((uint32_t)entry, SVMC_POLICY_SYSREGS));
}

/* EX-58 */
static CORE_COLD enum svmc_verdict judge_kind(const struct svmc_policy *policy,
                                              const struct exit_rule *rule,
                                              const struct svmc_exit *exit)
{
    uint32_t entry = svmc_intercept_kind_entry(rule->kind);
    uint32_t said = entry < KINDS ? policy->priv.kinds[core_clamp(entry, KINDS)] : 0;
    uint32_t verdict = said != 0 ? said - 1 : rule->verdict;

    if (is_block(rule) && exit->buffer.v % rule->string != 0 && /* EX-89 */
        verdict != SVMC_VERDICT_TERMINATE)
        return SVMC_VERDICT_FAULT;
    return (enum svmc_verdict)verdict;
}

static CORE_APART enum svmc_verdict judge_window(const struct svmc_policy *policy, unsigned half,
                                                 uint64_t gpa, uint32_t size)
{
    if ((gpa & 0xfff) + size > 4096) /* two pages may be two devices */
        return SVMC_VERDICT_FAULT;
    for (uint32_t i = 0; i < policy->priv.window_count && i < SVMC_POLICY_WINDOWS; i++) {
        /* clamp: below the count of windows; the guest's address is no index */
        const struct svmc_window *w = &policy->priv.windows[i];

        if (gpa >= w->first && gpa <= w->last && size - 1 <= w->last - gpa)
            return (enum svmc_verdict)w->verdict[half];
    }
    return SVMC_VERDICT_FAULT;
}

const struct svmc_hcall_rule *svmc_intercept_hcall(const struct svmc_policy *policy,
                                                   uint64_t number)
{
    if (number >= SVMC_POLICY_HCALLS)
        return NULL;
    return &policy->priv.hcalls[core_clamp((uint32_t)number, SVMC_POLICY_HCALLS)];
}

enum svmc_verdict svmc_intercept_judge(const struct svmc_policy *policy,
                                       const struct exit_rule *rule, const struct svmc_exit *exit)
{
    unsigned half = rule->write & 1u;

    if (rule->space == SPACE_WINDOW) {
        if (exit->user && !policy->priv.user_memory) /* EX-17 */
            return SVMC_VERDICT_FAULT;
        return judge_window(policy, half, exit->address, exit->size);
    }
    switch ((enum space)rule->space) {
    case SPACE_PORT:
        /* clamp: half is one bit of the row, here and below */
        return judge_port(policy->priv.ports[half], exit->address, exit->size);
    case SPACE_MSR:
        /* clamp: as above */
        return judge_msr(policy->priv.msrs[half], policy->priv.msrs_inside[half], exit->address);
    case SPACE_SYSREG:
        /* clamp: as above */
        return judge_sysreg(policy->priv.sysregs[half], policy->priv.sysregs_inside[half],
                            exit->address);
    case SPACE_S390:
        return svmc_intercept_s390_judge(rule, exit);
    case SPACE_KIND:
    case SPACE_INDEX:
    case SPACE_REQUEST:
        return judge_kind(policy, rule, exit);
    case SPACE_CALL: /* EX-54; the rest is judged by its number, where that is read */
        if (exit->kind == SVMC_KIND_HVC &&
            !svmc_intercept_has_call(policy, SVMC_KIND_HVC, 0, UINT64_MAX))
            return SVMC_VERDICT_FAULT;
        break;
    case SPACE_WINDOW: /* above: the hot one */
    case SPACE_CPUID:  /* judged by its registers, where they are read */
    case SPACE_HCALL:  /* judged by its number, where the control word is read */
    case SPACE_NONE:
    case SPACE_ASYNC:
        break;
    }
    return (enum svmc_verdict)rule->verdict;
}
