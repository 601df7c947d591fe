/* SPDX-License-Identifier: MIT */
/* docs/spec/policy.md: one policy, one byte form; what is read decides as what was written. */
#include "../../src/intercept/intercept_private.h"
#include "../fakehost/crypto.h"
#include "../harness.h"

static struct svmc_policy policy, other;
static struct fake_crypto fake;
static uint8_t bytes[SVMC_POLICY_BYTES_MAX + 1], again[SVMC_POLICY_BYTES_MAX + 1];

/* Made by hand from the tables of docs/spec/policy.md for the policy of make_golden. */
/* clang-format off */
static const uint8_t golden[] = {
    /* header */
    0x53, 0x56, 0x50, 0x4c, 0x01, 0x00, 0x38, 0x00, 0xf9, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00,
    0x02, 0x00, 0x00, 0x00, 0x5d, 0x56, 0x00, 0x00, 0x01, 0x01, 0x02, 0x01, 0x01, 0x00, 0x00, 0x00,
    0x02, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x02, 0x02, 0x03, 0x02,
    /* windows */
    0x00, 0x00, 0x0a, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0x00, 0x0a, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x02, 0x00, 0x00, 0x00, 0x00, 0xfe, 0x00, 0x00, 0x00, 0x00, 0xff, 0x0f, 0x00, 0xfe, 0x00, 0x00,
    0x00, 0x00, 0x01, 0x01,
    /* hypercall 2 */
    0x02, 0x03, 0x01,
    /* INVD, RDTSC */
    0x02, 0x70, 0x02, 0x01, 0x80, 0x01,
    /* HVC 84000003, SMC c4000001, extension 48534d function 1 */
    0x03, 0x00, 0x00, 0x84, 0x00, 0x00, 0x00, 0x00, 0x02, 0x01, 0x01, 0x01, 0x00, 0x00, 0xc4, 0x00,
    0x00, 0x00, 0x00, 0x03, 0x03, 0x01, 0x01, 0x00, 0x00, 0x00, 0x4d, 0x53, 0x48, 0x00, 0x04, 0x00,
    0x02,
    /* leaf 1, any subleaf; leaf 7, subleaf 0 */
    0x01, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0x11, 0x00, 0x00, 0x00, 0x12, 0x00, 0x00, 0x00,
    0x13, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x07, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x21, 0x00, 0x00, 0x00, 0x22, 0x00, 0x00, 0x00, 0x23, 0x00, 0x00, 0x00, 0x24, 0x00, 0x00, 0x00,
    /* ports read, ports written, MSRs read, MSRs written */
    0x60, 0x00, 0x63, 0x00, 0x01, 0x60, 0x00, 0x63, 0x00, 0x01, 0xf8, 0x03, 0xff, 0x03, 0x02, 0x10,
    0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x03, 0xf0, 0x00, 0x00, 0x40, 0xf0, 0x00, 0x00, 0x40,
    0x01, 0xf0, 0x00, 0x00, 0x40, 0xf0, 0x00, 0x00, 0x40, 0x01,
    /* system registers read, written */
    0x00, 0xc0, 0x0f, 0xc0, 0x02, 0x10, 0xc0, 0x13, 0xc0, 0x05, 0x14, 0xc0, 0x3f, 0xc0, 0x02, 0x64,
    0xc6, 0x64, 0xc6, 0x01, 0x64, 0xc6, 0x64, 0xc6, 0x03,
};
/* clang-format on */
static const uint8_t golden_digest[32] = {
    0xb0, 0xc3, 0x94, 0x83, 0x1c, 0x6e, 0x94, 0x82, 0x44, 0xd9, 0x00, 0x38, 0x60, 0xee, 0xb4, 0x50,
    0x75, 0x13, 0x15, 0x79, 0xc8, 0x07, 0xde, 0x05, 0xa2, 0x13, 0x27, 0xef, 0x70, 0xf7, 0x13, 0x27,
};
enum {
    WINDOWS = 56,
    HCALLS = 92,
    KIND_ROWS = 95,
    CALLS = 101,
    CPUIDS = 134,
    PORTS_READ = 182,
    PORTS_WRITE = 187,
    MSRS_READ = 197,
    SYSREGS_READ = 224
};

static void ok(enum svmc_status st)
{
    CHECK_EQ(st, SVMC_OK);
}

static void window(struct svmc_policy *p, uint64_t first, uint64_t n, enum svmc_access access,
                   enum svmc_verdict verdict)
{
    ok(svmc_policy_add_window(p, (svmc_gpa){ first }, n, access, verdict));
}

/* Many numbers are no kind, or take another verdict. */
static void try_kind(struct svmc_policy *p, enum svmc_kind kind, enum svmc_verdict verdict)
{
    enum svmc_status st = svmc_policy_set_kind(p, kind, verdict);

    CHECK(st == SVMC_OK || st == SVMC_ERR_ARG);
}

static const struct svmc_cpuid_leaf leaves[] = {
    { 7, 0, 0x21, 0x22, 0x23, 0x24 },
    { 1, SVMC_CPUID_ANY, 0x11, 0x12, 0x13, 0x14 },
};

static void make_golden(struct svmc_policy *p)
{
    ok(svmc_policy_init(p, 3, 2));
    ok(svmc_policy_set_mode(p, SVMC_MODE_LENIENT));
    ok(svmc_policy_set_full_wipe(p));
    ok(svmc_policy_set_doorbell(p, 0x565c));
    window(p, 0xfe000000, 0x1000, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE);
    window(p, 0xa0000, 0x100, SVMC_ACCESS_READ, SVMC_VERDICT_CONST);
    ok(svmc_policy_set_hcall(p, 2, 3, 1));
    ok(svmc_policy_set_call(p, SVMC_KIND_SBI, (uint64_t)0x48534d << 32 | 1, 0, 2));
    ok(svmc_policy_set_call(p, SVMC_KIND_HVC, 0x84000003, 1, 1));
    ok(svmc_policy_set_call(p, SVMC_KIND_SMC, 0xc4000001, 3, 1));
    ok(svmc_policy_set_cpuid(p, leaves, 2, SVMC_VERDICT_CONST));
    ok(svmc_policy_set_ports(p, 0x60, 4, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE));
    ok(svmc_policy_set_ports(p, 0x3f8, 8, SVMC_ACCESS_WRITE, SVMC_VERDICT_CONST));
    ok(svmc_policy_set_msrs(p, 0x10, 1, SVMC_ACCESS_READ, SVMC_VERDICT_TERMINATE));
    ok(svmc_policy_set_msrs(p, 0x400000f0, 1, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE));
    ok(svmc_policy_set_sysregs(p, 0xc000, 64, SVMC_ACCESS_READ, SVMC_VERDICT_CONST));
    ok(svmc_policy_set_sysregs(p, 0xc010, 4, SVMC_ACCESS_READ, SVMC_VERDICT_INTERPRET));
    ok(svmc_policy_set_kind(p, SVMC_KIND_RDTSC, SVMC_VERDICT_DELEGATE));
    ok(svmc_policy_set_kind(p, SVMC_KIND_INVD, SVMC_VERDICT_CONST));
    ok(svmc_policy_set_sysregs(p, 0xc664, 1, SVMC_ACCESS_READ, SVMC_VERDICT_DELEGATE));
    ok(svmc_policy_set_sysregs(p, 0xc664, 1, SVMC_ACCESS_WRITE, SVMC_VERDICT_TERMINATE));
    ok(svmc_policy_seal(p));
}

static size_t save(const struct svmc_policy *p, uint8_t *out)
{
    size_t len;

    memset(out, 0xcc, sizeof bytes);
    CHECK_EQ(svmc_policy_save(p, out, SVMC_POLICY_BYTES_MAX, &len), SVMC_OK);
    CHECK_EQ(out[len], 0xcc, "nothing behind it");
    return len;
}

TEST(policy_bytes, golden) /* PO-1 PO-2 PO-3 PO-4 PO-7 */
{
    uint8_t digest[32];

    make_golden(&policy);
    REQUIRE(save(&policy, bytes) == sizeof golden);
    CHECK_MEM(bytes, golden, sizeof golden);
    CHECK_EQ(svmc_policy_load(&other, golden, sizeof golden), SVMC_OK);
    REQUIRE(save(&other, again) == sizeof golden);
    CHECK_MEM(again, golden, sizeof golden);
    fake_crypto_init(&fake);
    CHECK_EQ(svmc_policy_digest(&other, &fake.ops, digest), SVMC_OK);
    CHECK_MEM(digest, golden_digest, sizeof digest);
}

TEST(policy_bytes, the_way_it_was_built_leaves_no_trace) /* PO-1 PO-3 PO-4 PO-10 */
{
    const struct svmc_cpuid_leaf backwards[] = { leaves[1], leaves[0] };
    struct svmc_cpuid_leaf many[SVMC_POLICY_CPUIDS] = { { 0 } };

    for (uint32_t i = 0; i < SVMC_POLICY_CPUIDS; i++)
        many[i].leaf = 100 - i;
    ok(svmc_policy_init(&policy, 3, 2));
    window(&policy, 0x1000, 0x1000, SVMC_ACCESS_RW, SVMC_VERDICT_FAULT);
    window(&policy, 0xa0000, 0x100, SVMC_ACCESS_READ, SVMC_VERDICT_CONST);
    window(&policy, 0xfe000000, 0x1000, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE);
    ok(svmc_policy_set_ports(&policy, 0, 65536, SVMC_ACCESS_RW, SVMC_VERDICT_TERMINATE));
    ok(svmc_policy_set_ports(&policy, 0, 65536, SVMC_ACCESS_RW, SVMC_VERDICT_FAULT));
    for (uint32_t port = 0x3ff; port >= 0x3f8; port--)
        ok(svmc_policy_set_ports(&policy, port, 1, SVMC_ACCESS_WRITE, SVMC_VERDICT_CONST));
    ok(svmc_policy_set_ports(&policy, 0x62, 2, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE));
    ok(svmc_policy_set_ports(&policy, 0x60, 2, SVMC_ACCESS_READ, SVMC_VERDICT_DELEGATE));
    ok(svmc_policy_set_ports(&policy, 0x60, 2, SVMC_ACCESS_WRITE, SVMC_VERDICT_DELEGATE));
    ok(svmc_policy_set_msrs(&policy, 0x400000f0, 1, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE));
    ok(svmc_policy_set_msrs(&policy, 0x10, 2, SVMC_ACCESS_READ, SVMC_VERDICT_TERMINATE));
    ok(svmc_policy_set_msrs(&policy, 0x11, 1, SVMC_ACCESS_READ, SVMC_VERDICT_FAULT));
    ok(svmc_policy_set_sysregs(&policy, 0xc664, 1, SVMC_ACCESS_RW, SVMC_VERDICT_TERMINATE));
    ok(svmc_policy_set_sysregs(&policy, 0xc664, 1, SVMC_ACCESS_READ, SVMC_VERDICT_DELEGATE));
    for (uint32_t reg = 0xc03f; reg >= 0xc000; reg--)
        ok(svmc_policy_set_sysregs(&policy, reg, 1, SVMC_ACCESS_READ, SVMC_VERDICT_CONST));
    ok(svmc_policy_set_sysregs(&policy, 0xc010, 4, SVMC_ACCESS_READ, SVMC_VERDICT_INTERPRET));
    ok(svmc_policy_set_sysregs(&policy, 0xc800, 9, SVMC_ACCESS_RW, SVMC_VERDICT_INTERPRET));
    ok(svmc_policy_set_sysregs(&policy, 0xc800, 9, SVMC_ACCESS_RW, SVMC_VERDICT_FAULT));
    ok(svmc_policy_set_msrs(&policy, 0x400000f0, 1, SVMC_ACCESS_RW, SVMC_VERDICT_INTERPRET));
    ok(svmc_policy_set_msrs(&policy, 0x400000f0, 1, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE));
    ok(svmc_policy_set_kind(&policy, SVMC_KIND_INVD, SVMC_VERDICT_CONST));
    ok(svmc_policy_set_kind(&policy, SVMC_KIND_RDTSC, SVMC_VERDICT_INTERPRET));
    ok(svmc_policy_set_kind(&policy, SVMC_KIND_RDTSC, SVMC_VERDICT_DELEGATE));
    ok(svmc_policy_set_kind(&policy, SVMC_KIND_XSETBV, SVMC_VERDICT_FAULT));
    ok(svmc_policy_set_kind(&policy, SVMC_KIND_XSETBV, SVMC_VERDICT_INTERPRET)); /* its own */
    ok(svmc_policy_set_call(&policy, SVMC_KIND_SMC, 0xc4000001, 6, 1));
    ok(svmc_policy_set_call(&policy, SVMC_KIND_SMC, 0xc4000001, 3, 1));
    ok(svmc_policy_set_call(&policy, SVMC_KIND_HVC, 0x84000003, 1, 1));
    ok(svmc_policy_set_call(&policy, SVMC_KIND_SBI, (uint64_t)0x48534d << 32 | 1, 0, 2));
    ok(svmc_policy_set_hcall(&policy, 2, 6, 3));
    ok(svmc_policy_set_hcall(&policy, 2, 3, 1));
    ok(svmc_policy_set_cpuid(&policy, many, 64, SVMC_VERDICT_DELEGATE));
    ok(svmc_policy_set_cpuid(&policy, backwards, 2, SVMC_VERDICT_CONST));
    ok(svmc_policy_set_doorbell(&policy, 1));
    ok(svmc_policy_set_doorbell(&policy, 0x565c));
    ok(svmc_policy_set_full_wipe(&policy));
    ok(svmc_policy_set_mode(&policy, SVMC_MODE_OBSERVE));
    ok(svmc_policy_seal(&policy));
    ok(svmc_policy_set_mode(&policy, SVMC_MODE_LENIENT));
    REQUIRE(save(&policy, bytes) == sizeof golden);
    CHECK_MEM(bytes, golden, sizeof golden);
}

static uint32_t below(uint64_t *rng, uint32_t n)
{
    return (uint32_t)(harness_random(rng) % n);
}

static void random_policy(struct svmc_policy *p, uint64_t *rng)
{
    static const uint32_t page[] = { 0, 0xc0000000, 0xc0010000, 0x40000000 };
    static const enum svmc_verdict verdict[] = { SVMC_VERDICT_FAULT, SVMC_VERDICT_DELEGATE,
                                                 SVMC_VERDICT_CONST, SVMC_VERDICT_TERMINATE,
                                                 SVMC_VERDICT_INTERPRET };
    struct svmc_cpuid_leaf leaf[SVMC_POLICY_CPUIDS];
    uint64_t at = harness_random(rng) >> (below(rng, 40) + 8);

    ok(svmc_policy_init(p, 1 + (uint32_t)(harness_random(rng) >> 33), 1 + below(rng, 9)));
    ok(svmc_policy_set_mode(p, (enum svmc_mode)below(rng, 3)));
    if (below(rng, 2))
        ok(svmc_policy_set_full_wipe(p));
    if (below(rng, 2))
        ok(svmc_policy_set_user_memory(p));
    for (uint32_t n = below(rng, SVMC_POLICY_CPUIDS), i = 0; i < n; i++) {
        leaf[i] = (struct svmc_cpuid_leaf){ i * 3 % 64, i & 1 ? SVMC_CPUID_ANY : i, i, 1, 2, 3 };
        ok(svmc_policy_set_cpuid(p, leaf, i + 1,
                                 below(rng, 2) ? SVMC_VERDICT_CONST : SVMC_VERDICT_DELEGATE));
    }
    if (below(rng, 4))
        ok(svmc_policy_set_doorbell(p, (uint16_t)harness_random(rng)));
    for (uint32_t n = below(rng, 40); n > 0; n--) {
        uint32_t first = below(rng, 65536), which = below(rng, 4);
        uint32_t size = which == 3 ? 256 : 8192, msr = below(rng, size);

        ok(svmc_policy_set_ports(
            p, first, 1 + below(rng, below(rng, 8) ? 16 : 65536 - first) % (65536 - first),
            (enum svmc_access)(1 + below(rng, 3)), (enum svmc_verdict)below(rng, 4)));
        ok(svmc_policy_set_msrs(p, page[which] + msr, 1 + below(rng, size - msr),
                                (enum svmc_access)(1 + below(rng, 3)), verdict[below(rng, 5)]));
        first = 0x8000 + first / 2;
        ok(svmc_policy_set_sysregs(p, first, 1 + below(rng, 0x10000 - first),
                                   (enum svmc_access)(1 + below(rng, 3)), verdict[below(rng, 5)]));
    }
    for (uint32_t n = below(rng, SVMC_POLICY_WINDOWS + 1); n > 0; n--) {
        uint64_t size = 1 + below(rng, 0x3000);

        at += size + (below(rng, 2) ? 0 : below(rng, 5000)); /* neighbours too; upwards and not */
        window(p, n & 1 ? at : UINT64_MAX / 2 - at, size, (enum svmc_access)(1 + below(rng, 3)),
               (enum svmc_verdict)below(rng, 4));
        at += size;
    }
    for (uint32_t n = below(rng, 20); n > 0; n--)
        ok(svmc_policy_set_hcall(p, below(rng, SVMC_POLICY_HCALLS), (uint8_t)below(rng, 7),
                                 (uint8_t)below(rng, 4)));
    for (unsigned n = below(rng, 40); n > 0; n--)
        try_kind(p, (enum svmc_kind)((1 + below(rng, 10)) << 12 | below(rng, 10)),
                 (enum svmc_verdict)below(rng, 6));
    for (uint32_t n = below(rng, SVMC_POLICY_CALLS + 1); n > 0; n--)
        ok(svmc_policy_set_call(p, (enum svmc_kind)(SVMC_KIND_HVC + below(rng, 3)),
                                0x20000000 + below(rng, 300), (uint8_t)below(rng, 7), 1));
    ok(svmc_policy_seal(p));
}

/* The same verdict of both policies for one exit. */
static bool judged_the_same(uint16_t kind, uint64_t address, uint32_t size)
{
    const struct svmc_exit exit = { .kind = kind, .size = size, .count = 1, .address = address };
    const struct exit_rule *rule = svmc_intercept_rule(kind);

    return svmc_intercept_judge(&policy, rule, &exit) == svmc_intercept_judge(&other, rule, &exit);
}

static bool windows_the_same(uint64_t *rng)
{
    bool same = true;

    for (uint32_t i = 0; i < policy.priv.window_count; i++)
        for (uint32_t edge = 0; edge < 40; edge++) {
            const struct svmc_window *w = &policy.priv.windows[i];
            uint64_t near = (edge & 1 ? w->first : w->last) + edge / 2 - 10;
            uint32_t size = 1 + below(rng, 8);

            same = same && judged_the_same(SVMC_KIND_MMIO_READ, near, size) &&
                   judged_the_same(SVMC_KIND_MMIO_WRITE, near, size);
        }
    for (uint32_t n = 0; n < SVMC_POLICY_HCALLS; n++)
        same = same && memcmp(svmc_intercept_hcall(&policy, n), svmc_intercept_hcall(&other, n),
                              sizeof(struct svmc_hcall_rule)) == 0;
    return same;
}

static bool ports_and_msrs_the_same(void)
{
    static const uint32_t page[] = { 0, 0xc0000000, 0xc0010000, 0x40000000 };
    bool same = true;

    for (uint32_t port = 0; port < 65536; port++)
        same = same && judged_the_same(SVMC_KIND_IN, port, 1) &&
               judged_the_same(SVMC_KIND_OUT, port, 1) &&
               (port % 7 != 0 || (judged_the_same(SVMC_KIND_INS, port, 4) &&
                                  judged_the_same(SVMC_KIND_OUTS, port, 2)));
    for (uint32_t p = 0; p < 4; p++)
        for (uint32_t msr = page[p]; msr < page[p] + 8193; msr++)
            same = same && judged_the_same(SVMC_KIND_RDMSR, msr, 0) &&
                   judged_the_same(SVMC_KIND_WRMSR, msr, 0);
    for (uint32_t reg = 0x7ff0; reg < 0x10010; reg++)
        same = same && judged_the_same(SVMC_KIND_SYSREG_READ, reg, 8) &&
               judged_the_same(SVMC_KIND_SYSREG_WRITE, reg, 8);
    return same;
}

TEST(policy_bytes, what_is_loaded_decides_the_same) /* PO-1 PO-5 */
{
    uint64_t rng = harness_seed();

    for (unsigned round = 0; round < 24; round++) {
        size_t len;

        random_policy(&policy, &rng);
        len = save(&policy, bytes);
        REQUIRE(svmc_policy_load(&other, bytes, len) == SVMC_OK, "round %u", round);
        CHECK(ports_and_msrs_the_same(), "round %u", round);
        CHECK(windows_the_same(&rng), "round %u", round);
        CHECK_EQ(other.priv.refusal_limit, policy.priv.refusal_limit);
        CHECK_EQ(other.priv.retry_limit, policy.priv.retry_limit);
        CHECK_EQ(other.priv.doorbell, policy.priv.doorbell);
        CHECK_EQ(other.priv.full_wipe, policy.priv.full_wipe);
        CHECK_EQ(other.priv.user_memory, policy.priv.user_memory);
        CHECK_EQ(other.priv.mode, policy.priv.mode);
        CHECK_EQ(other.priv.sealed, 1);
        CHECK_MEM(other.priv.kinds, policy.priv.kinds, sizeof policy.priv.kinds);
        CHECK_EQ(other.priv.call_count, policy.priv.call_count);
        CHECK_MEM(other.priv.calls, policy.priv.calls, sizeof policy.priv.calls);
        REQUIRE(save(&other, again) == len, "round %u", round);
        CHECK_MEM(bytes, again, len, "round %u", round);
    }
}

TEST(policy_bytes, the_longest_there_is) /* PO-2 PO-4 */
{
    struct svmc_cpuid_leaf many[SVMC_POLICY_CPUIDS] = { { 0 } };
    size_t len;

    ok(svmc_policy_init(&policy, UINT32_MAX, UINT32_MAX));
    for (uint32_t i = 0; i < SVMC_POLICY_CPUIDS; i++)
        many[i].subleaf = i;
    ok(svmc_policy_set_cpuid(&policy, many, SVMC_POLICY_CPUIDS, SVMC_VERDICT_DELEGATE));
    for (unsigned kind = 0x1005; kind < 0xd000; kind++)
        try_kind(&policy, (enum svmc_kind)kind, SVMC_VERDICT_TERMINATE);
    for (uint32_t i = 0; i < SVMC_POLICY_CALLS; i++)
        ok(svmc_policy_set_call(&policy, SVMC_KIND_SMC, i, 6, 4));
    for (uint32_t i = 0; i < sizeof policy.priv.ports / 2; i++)
        policy.priv.ports[0][i] = policy.priv.ports[1][i] = 0x99; /* 1 2 1 2 */
    memset(policy.priv.msrs, 0x99, sizeof policy.priv.msrs);
    memset(policy.priv.sysregs, 0x99, sizeof policy.priv.sysregs);
    for (uint8_t i = 0; i < SVMC_POLICY_WINDOWS; i++)
        window(&policy, i, 1, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE);
    for (uint8_t i = 0; i < SVMC_POLICY_HCALLS; i++)
        ok(svmc_policy_set_hcall(&policy, i, 6, 3));
    ok(svmc_policy_seal(&policy));
    len = save(&policy, bytes);
    CHECK_EQ(len, SVMC_POLICY_BYTES_MAX);
    CHECK_EQ(svmc_policy_load(&other, bytes, len), SVMC_OK);
    CHECK_MEM(&other, &policy, sizeof other, "windows were in order: all of it is the same");
}

/* The golden bytes with n of them at `at` replaced. */
static void refused(size_t at, const char *with, size_t n, enum svmc_status want, const char *why)
{
    static const struct svmc_policy zero;

    memcpy(bytes, golden, sizeof golden);
    memcpy(bytes + at, with, n);
    CHECK_EQ(svmc_policy_load(&other, bytes, sizeof golden), want, "%s", why);
    CHECK_MEM(&other, &zero, sizeof other, "%s", why);
}
#define REFUSED(at, with, why) refused(at, with, sizeof(with) - 1, SVMC_ERR_FORMAT, why)

TEST(policy_bytes, what_is_not_written_is_not_read) /* PO-2 PO-3 PO-4 PO-6 PO-21 PO-22 */
{
    refused(4, "\2", 1, SVMC_ERR_UNSUPPORTED, "a newer version");
    refused(4, "\0\1", 2, SVMC_ERR_UNSUPPORTED, "a much newer one");
    REFUSED(4, "\0", "version 0");
    REFUSED(0, "X", "magic");
    REFUSED(6, "\71", "header bytes");
    REFUSED(8, "\256", "length");
    REFUSED(12, "\0", "no refusal limit");
    REFUSED(16, "\0", "no retry limit");
    REFUSED(20, "\1\0\1", "a doorbell above all ports");
    REFUSED(24, "\3", "no mode");
    REFUSED(25, "\4", "a flag that is none");
    REFUSED(26, "\1", "fewer windows");
    REFUSED(28, "\2\0\0\0\1", "a run too many in one list");
    REFUSED(28, "\0\0\0\0\3", "a run of one list in another");
    REFUSED(WINDOWS, "\0\0\0\377", "windows downwards");
    REFUSED(WINDOWS + 8, "\0\0\0\377", "windows overlap");
    REFUSED(WINDOWS + 8, "\377\377\11", "ends before it begins");
    REFUSED(WINDOWS + 16, "\0\0", "FAULT both ways");
    REFUSED(WINDOWS + 16, "\1\2", "two verdicts: no setter makes that");
    REFUSED(WINDOWS + 16, "\4\0", "no verdict of a window");
    REFUSED(HCALLS, "\100", "no hypercall");
    REFUSED(HCALLS + 1, "\7", "too many arguments");
    REFUSED(HCALLS + 2, "\4", "too many results");
    REFUSED(54, "\2", "fewer calls");
    REFUSED(55, "\1", "fewer kinds");
    REFUSED(KIND_ROWS, "\1\0\0", "CPUID's verdict is not said here");
    REFUSED(KIND_ROWS, "\7\160", "no kind");
    REFUSED(KIND_ROWS + 2, "\0", "what it would be without it");
    REFUSED(KIND_ROWS + 2, "\1", "INVD is never delegated");
    REFUSED(KIND_ROWS + 2, "\6", "no verdict of a kind");
    REFUSED(KIND_ROWS + 3, "\2\160\2", "a kind twice");
    REFUSED(KIND_ROWS + 3, "\1\160\0", "kinds downwards");
    REFUSED(SYSREGS_READ + 9, "\4", "no verdict of a register");
    REFUSED(SYSREGS_READ + 9, "\2", "two runs of registers that are one");
    REFUSED(PORTS_READ + 4, "\5", "nobody interprets a port");
    REFUSED(CALLS, "\0\0\0\204", "PSCI_VERSION is not the host's");
    REFUSED(CALLS + 4, "\1", "a function identifier of more than 32 bits");
    REFUSED(CALLS + 8, "\5", "no conduit");
    REFUSED(CALLS + 3, "\304\0\0\0\0\3", "calls downwards");
    REFUSED(CALLS + 9, "\7", "too many arguments of a call");
    REFUSED(CALLS + 10, "\2", "too many results of a call of PSCI");
    REFUSED(CALLS + 11, "\3\0\0\204\0\0\0\0\2", "a call twice");
    REFUSED(CALLS + 22 + 7, "\200", "a negative extension");
    REFUSED(52, "\1", "fewer leaves of CPUID");
    REFUSED(52, "\377", "more than there can be");
    REFUSED(53, "\0", "no verdict of the other leaves");
    REFUSED(53, "\3", "TERMINATE is none of them");
    REFUSED(CPUIDS, "\10", "leaves downwards");
    REFUSED(CPUIDS, "\7\0\0\0\0\0\0\0", "a leaf twice");
    REFUSED(PORTS_READ + 4, "\0", "a run of FAULT");
    REFUSED(PORTS_READ + 4, "\4", "no verdict");
    REFUSED(PORTS_READ + 2, "\137", "ends before it begins");
    REFUSED(PORTS_WRITE + 5, "\144\0\377\3\1", "two runs that are one");
    REFUSED(PORTS_WRITE + 5, "\143\0\377\3\2", "runs overlap");
    REFUSED(PORTS_WRITE + 5, "\1\0\2\0", "runs downwards");
    REFUSED(MSRS_READ, "\360\0\0\100\360\0\0\100\3\20\0\0\0\20\0\0\0\1", "MSRs downwards");
    REFUSED(MSRS_READ, "\377\37\0\0\0\40\0\0", "over the end of a range");
    REFUSED(MSRS_READ, "\0\40\0\0\0\40\0\0", "no MSR of a range");
    REFUSED(MSRS_READ, "\0\0\0\0\377\377\377\377", "all MSRs there are");
    REFUSED(SYSREGS_READ, "\377\177\0\200", "no system register");
    REFUSED(SYSREGS_READ, "\377\377\0\200", "ends before it begins");
    REFUSED(SYSREGS_READ + 2, "\144\306", "runs of registers overlap");
    CHECK_EQ(svmc_policy_load(&other, NULL, 4), SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_load(NULL, golden, sizeof golden), SVMC_ERR_ARG);
    for (size_t len = 0; len < sizeof golden; len++)
        CHECK_EQ(svmc_policy_load(&other, golden, len), SVMC_ERR_FORMAT, "cut to %zu", len);
    memcpy(bytes, golden, sizeof golden);
    bytes[sizeof golden] = 0;
    CHECK_EQ(svmc_policy_load(&other, bytes, sizeof golden + 1), SVMC_ERR_FORMAT, "a byte more");
    bytes[8]++;
    CHECK_EQ(svmc_policy_load(&other, bytes, sizeof golden + 1), SVMC_ERR_FORMAT, "and it says so");
}

TEST(policy_bytes, a_run_may_go_on_in_the_next_range_of_msrs) /* PO-4 */
{
    size_t len;

    ok(svmc_policy_init(&policy, 1, 1));
    ok(svmc_policy_set_msrs(&policy, 0, 8192, SVMC_ACCESS_READ, SVMC_VERDICT_CONST));
    ok(svmc_policy_set_msrs(&policy, 0xc0000000, 8192, SVMC_ACCESS_READ, SVMC_VERDICT_CONST));
    ok(svmc_policy_seal(&policy));
    len = save(&policy, bytes);
    CHECK_EQ(len, 56 + 2 * 9);
    CHECK_EQ(svmc_policy_load(&other, bytes, len), SVMC_OK);
    CHECK_MEM(&other, &policy, sizeof other);
}

TEST(policy_bytes, each_changed_bit_is_another_policy_or_none) /* PO-1 PO-6 */
{
    unsigned taken = 0;

    for (unsigned bit = 0; bit < 8 * sizeof golden; bit++) {
        memcpy(bytes, golden, sizeof golden);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (svmc_policy_load(&other, bytes, sizeof golden) != SVMC_OK)
            continue;
        taken++;
        REQUIRE(save(&other, again) == sizeof golden, "bit %u", bit);
        CHECK_MEM(bytes, again, sizeof golden, "bit %u", bit);
    }
    CHECK(taken > 100, "only %u", taken);
}

TEST(policy_bytes, only_what_is_sealed_is_written) /* PO-5 */
{
    uint8_t digest[32], small[sizeof golden];
    size_t len = 7;

    fake_crypto_init(&fake);
    make_golden(&policy);
    CHECK_EQ(svmc_policy_save(&policy, NULL, 0, &len), SVMC_ERR_FULL, "how much?");
    CHECK_EQ(len, sizeof golden);
    memset(small, 0xcc, sizeof small);
    CHECK_EQ(svmc_policy_save(&policy, small, sizeof small - 1, &len), SVMC_ERR_FULL);
    CHECK_EQ(len, sizeof golden);
    CHECK_EQ(small[0], 0xcc, "untouched");
    CHECK_EQ(svmc_policy_save(&policy, small, sizeof small, &len), SVMC_OK);
    CHECK_EQ(svmc_policy_save(&policy, NULL, 9, &len), SVMC_ERR_ARG);
    CHECK_EQ(len, 0);
    CHECK_EQ(svmc_policy_save(&policy, small, sizeof small, NULL), SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_save(NULL, small, sizeof small, &len), SVMC_ERR_ARG);
    memset(&other, 0, sizeof other);
    CHECK_EQ(svmc_policy_save(&other, small, sizeof small, &len), SVMC_ERR_ARG, "none");
    CHECK_EQ(svmc_policy_digest(&other, &fake.ops, digest), SVMC_ERR_ARG, "none");
    CHECK_EQ(svmc_policy_digest(NULL, &fake.ops, digest), SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_digest(&policy, NULL, digest), SVMC_ERR_ARG);
    CHECK_EQ(svmc_policy_digest(&policy, &fake.ops, NULL), SVMC_ERR_ARG);
    ok(svmc_policy_init(&other, 1, 1));
    CHECK_EQ(svmc_policy_save(&other, small, sizeof small, &len), SVMC_ERR_STATE);
    CHECK_EQ(len, 0);
    CHECK_EQ(svmc_policy_digest(&other, &fake.ops, digest), SVMC_ERR_STATE);
    CHECK_EQ(svmc_policy_load(&other, golden, sizeof golden), SVMC_OK);
    CHECK_EQ(svmc_policy_set_ports(&other, 0, 1, SVMC_ACCESS_READ, SVMC_VERDICT_DELEGATE),
             SVMC_ERR_STATE, "it arrives sealed");
    CHECK_EQ(svmc_policy_set_mode(&other, SVMC_MODE_OBSERVE), SVMC_ERR_STATE);
    CHECK_EQ(svmc_policy_set_ports(&other, 0, 1, SVMC_ACCESS_READ, SVMC_VERDICT_TERMINATE),
             SVMC_OK);
    CHECK_EQ(save(&other, bytes), sizeof golden + 5, "tightened: other bytes");
}

TEST(policy_bytes, the_digest_covers_all_that_decides) /* PO-1 PO-7 */
{
    uint8_t digest[21][32];
    unsigned n = 0;

    fake_crypto_init(&fake);
#define DIGEST(change)                                                        \
    do {                                                                      \
        make_golden(&policy);                                                 \
        policy.priv.sealed = 0;                                               \
        change;                                                               \
        ok(svmc_policy_seal(&policy));                                        \
        CHECK_EQ(svmc_policy_digest(&policy, &fake.ops, digest[n]), SVMC_OK); \
        n++;                                                                  \
    } while (0)
    DIGEST((void)0);
    DIGEST(policy.priv.refusal_limit++);
    DIGEST(policy.priv.retry_limit++);
    DIGEST(ok(svmc_policy_set_doorbell(&policy, 0x565d)));
    DIGEST(ok(svmc_policy_set_mode(&policy, SVMC_MODE_STRICT)));
    DIGEST(policy.priv.full_wipe = 0);
    DIGEST(ok(svmc_policy_set_cpuid(&policy, leaves, 2, SVMC_VERDICT_DELEGATE)));
    DIGEST(ok(svmc_policy_set_cpuid(&policy, leaves, 1, SVMC_VERDICT_CONST)));
    DIGEST(ok(svmc_policy_set_user_memory(&policy)));
    DIGEST(window(&policy, 0, 1, SVMC_ACCESS_WRITE, SVMC_VERDICT_TERMINATE));
    DIGEST(ok(svmc_policy_set_hcall(&policy, 63, 0, 0)));
    DIGEST(ok(svmc_policy_set_hcall(&policy, 2, 3, 2)));
    DIGEST(ok(svmc_policy_set_ports(&policy, 65535, 1, SVMC_ACCESS_WRITE, SVMC_VERDICT_CONST)));
    DIGEST(ok(svmc_policy_set_ports(&policy, 65535, 1, SVMC_ACCESS_READ, SVMC_VERDICT_CONST)));
    DIGEST(ok(svmc_policy_set_msrs(&policy, 0x1fff, 1, SVMC_ACCESS_WRITE, SVMC_VERDICT_CONST)));
    DIGEST(ok(svmc_policy_set_sysregs(&policy, 0x8000, 1, SVMC_ACCESS_READ, SVMC_VERDICT_CONST)));
    DIGEST(ok(svmc_policy_set_call(&policy, SVMC_KIND_SMC, 0xc4000001, 2, 1)));
    DIGEST(ok(svmc_policy_set_call(&policy, SVMC_KIND_SMC, 1, 0, 0)));
    DIGEST(ok(svmc_policy_set_sysregs(&policy, 0xc010, 4, SVMC_ACCESS_READ, SVMC_VERDICT_CONST)));
    DIGEST(ok(svmc_policy_set_msrs(&policy, 0x1b, 1, SVMC_ACCESS_RW, SVMC_VERDICT_INTERPRET)));
    DIGEST(ok(svmc_policy_set_kind(&policy, SVMC_KIND_RDTSC, SVMC_VERDICT_FAULT)));
#undef DIGEST
    REQUIRE(n == 21);
    CHECK_MEM(digest[0], golden_digest, 32);
    for (unsigned i = 0; i < n; i++)
        for (unsigned j = 0; j < i; j++)
            CHECK(memcmp(digest[i], digest[j], 32) != 0, "%u and %u", i, j);
}

TEST(policy_bytes, a_digest_is_whole_or_zero) /* PO-7 CR-2 CR-3 */
{
    static const uint8_t zero[32];
    struct svmc_crypto_ops without;
    uint8_t digest[32];
    unsigned calls;

    make_golden(&policy);
    fake_crypto_init(&fake);
    CHECK_EQ(svmc_policy_digest(&policy, &fake.ops, digest), SVMC_OK);
    calls = fake.calls;
    CHECK(calls >= 3, "only %u", calls);
    for (unsigned k = 1; k <= calls; k++)
        for (unsigned how = 0; how < 3; how++) {
            static const enum svmc_status failures[] = { SVMC_ERR_CALLBACK, SVMC_ERR_ARG,
                                                         SVMC_ERR_UNSUPPORTED };
            bool told = k == 1 && how == 2; /* begin may say that it does not know */

            fake_crypto_init(&fake);
            fake.fail_at = k;
            fake.failure = failures[how];
            memset(digest, 0x55, sizeof digest);
            CHECK_EQ(svmc_policy_digest(&policy, &fake.ops, digest),
                     told ? SVMC_ERR_UNSUPPORTED : SVMC_ERR_CALLBACK, "call %u", k);
            CHECK_MEM(digest, zero, sizeof digest, "call %u", k);
            CHECK_EQ(fake.open, 0, "call %u", k);
        }
    fake_crypto_init(&fake);
    without = fake.ops;
    without.hash_end = NULL;
    CHECK_EQ(svmc_policy_digest(&policy, &without, digest), SVMC_ERR_ARG);
    CHECK_EQ(fake.calls, 0, "nothing was begun");
}
