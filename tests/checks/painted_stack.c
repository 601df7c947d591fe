/* SPDX-License-Identifier: MIT */
/*
 * What public functions really use of the stack, measured: each call runs on a stack of its own
 * that was painted before; an empty call is measured the same way and taken off. Every call must
 * end with the status that is expected of it: an early refusal would measure little. The callbacks
 * of tests/fakehost stay in the sum. The sums of tools/checks/stack.py are the proof; this run
 * shows that they are not far from the truth.
 */
#include "../intercept/scenarios.h"

#include <svmcore/svmcore.h>
#include <ucontext.h>

#define STACK_BYTES (64u * 1024u)
#define PAINT       0xa5
#define RUN_BYTES   8192u
#define RUN_DATA    4096u
#if defined(__s390x__)
#define BOUND 2048u
#else
#define BOUND 1024u
#endif
#if defined(__x86_64__) && !defined(__clang__)
#define DECODE_BOUND 256u
#else
#define DECODE_BOUND BOUND
#endif

static _Alignas(64) uint8_t stack[STACK_BYTES];
static ucontext_t outside, inside;
static volatile unsigned sink;

/* ---- the measurement ---- */
static enum svmc_status (*measured)(void);
static enum svmc_status status;
static size_t baseline;

static enum svmc_status nothing(void)
{
    return SVMC_OK;
}

static void run_measured(void)
{
    status = measured();
}

static size_t high_water(enum svmc_status (*call)(void))
{
    size_t untouched = 0;

    measured = call;
    memset(stack, PAINT, sizeof stack);
    getcontext(&inside);
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = sizeof stack;
    inside.uc_link = &outside;
    makecontext(&inside, run_measured, 0);
    swapcontext(&outside, &inside);
    while (untouched < sizeof stack && stack[untouched] == PAINT)
        untouched++;
    return sizeof stack - untouched;
}

/* The deepest call of one function, over all that was measured. */
struct deepest {
    size_t used;
    unsigned calls;
    char where[64];
};

/* One call: within the bound, and with the status that it must have. */
static void measure(struct deepest *d, const char *where, enum svmc_status (*call)(void),
                    enum svmc_status want)
{
    size_t used;

    if (baseline == 0)
        baseline = high_water(nothing);
    used = high_water(call) - baseline;
    CHECK_EQ(status, want, "%s", where);
    CHECK(used <= BOUND, "%s: %zu of %u bytes", where, used, BOUND);
    d->calls++;
    if (used > d->used) {
        d->used = used;
        snprintf(d->where, sizeof d->where, "%s", where);
    }
}

static void report_bound(const char *name, const struct deepest *d, unsigned bound)
{
    CHECK(d->calls > 0 && d->used > 0, "%s was not measured", name);
    CHECK(d->used <= bound, "%s: %zu of %u bytes (%s)", name, d->used, bound, d->where);
    printf("%s: %zu of %u bytes (%s), %u calls\n", name, d->used, bound, d->where, d->calls);
}

static void report(const char *name, const struct deepest *d)
{
    report_bound(name, d, BOUND);
}

/* ---- the way of an exit ---- */
static struct lab lab;
static struct fakehost_answer answer;
static unsigned scenario;
static struct svmc_exit next_exit;

static enum svmc_status call_lab_begin(void)
{
    return lab_begin(&lab, scenario);
}
static enum svmc_status call_exit(void)
{
    return svmc_vcpu_exit(&lab.vc, &next_exit, &lab.out);
}
static enum svmc_status call_enter(void)
{
    return svmc_vcpu_enter(&lab.vc, &lab.out);
}
static enum svmc_status call_request_read(void)
{
    static struct svmc_request request;
    static uint8_t data[SVMC_PAGE_DATA_BYTES];

    return svmc_request_read(lab.world.page, &request, data, sizeof data);
}
static enum svmc_status call_reply_write(void)
{
    return svmc_reply_write(lab.world.page, &answer.reply, answer.data);
}

static void start(void)
{
    uint64_t rng = 42;

    lab_init(&lab, &rng);
}

static struct deepest by_exit, by_read, by_write, by_lie, by_retry, by_truth;

static void tell_lies(void)
{
    for (unsigned lie = 0; lie < fakehost_lie_count; lie++) {
        if (!fakehost_lie_applies(lie, &answer.request))
            continue;
        CHECK(fakehost_lie(lab.world.page, &answer, lie));
        measure(&by_lie, fakehost_lies[lie].name, call_enter, SVMC_ERR_HOST_REPLY);
        CHECK_EQ(lab.out.rule, fakehost_lies[lie].rule, "%s", fakehost_lies[lie].name);
    }
}

/* RETRY is in every row but those of identity, MSRs, time and aborts (R4). */
static void say_retry(const char *name)
{
    unsigned kind = answer.request.kind, class = kind >> 12;
    bool is_abort = kind >= SVMC_KIND_DATA_ABORT && kind <= SVMC_KIND_INSN_ABORT;
    bool is_block = kind == SVMC_KIND_STSI || kind == SVMC_KIND_STHYI;

    answer.reply = (struct svmc_reply){ .seq = answer.request.seq, .status = SVMC_REPLY_RETRY };
    CHECK_EQ(svmc_reply_write(lab.world.page, &answer.reply, NULL), SVMC_OK, "%s", name);
    measure(&by_retry, name, call_enter,
            (class < 2 && !is_block) || class == 8 || is_abort ? SVMC_ERR_HOST_REPLY : SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED, "%s", name);
}

TEST(stack, every_scenario)
{
    for (scenario = 0; scenario < scenario_count; scenario++) {
        const char *name = scenarios[scenario].name;

        start();
        measure(&by_exit, name, call_lab_begin, SVMC_OK);
        CHECK_EQ(lab_parts(&lab), SVMC_OK, "%s", name);
        CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED, "%s", name);
        measure(&by_read, name, call_request_read, SVMC_OK);
        CHECK(fakehost_prepare(lab.world.page, &answer), "%s", name);
        tell_lies();
        say_retry(name);
        CHECK(fakehost_prepare(lab.world.page, &answer), "%s", name);
        measure(&by_write, name, call_reply_write, SVMC_OK);
        measure(&by_truth, name, call_enter, SVMC_OK);
        CHECK_EQ(lab.out.action, SVMC_ACT_RESUME, "%s", name);
    }
    report("svmc_vcpu_exit", &by_exit);
    report("svmc_request_read", &by_read);
    report("svmc_reply_write", &by_write);
    report("svmc_vcpu_enter, a lie", &by_lie);
    report("svmc_vcpu_enter, RETRY", &by_retry);
    report("svmc_vcpu_enter, the truth", &by_truth);
}

TEST(stack, what_is_done_inside)
{
    static const struct {
        char name[24];
        struct svmc_exit exit;
        enum svmc_action want;
    } rows[] = {
        { "notice", { .kind = SVMC_KIND_HLT, .count = 1 }, SVMC_ACT_NOTIFIED },
        { "port not listed",
          { .kind = SVMC_KIND_IN, .size = 1, .count = 1, .address = 0x5f },
          SVMC_ACT_INJECT },
        { "hypercall not defined",
          { .kind = SVMC_KIND_HYPERCALL, .count = 1, .finish = 3, .insn_bytes = 3 },
          SVMC_ACT_RESUME },
        { "shutdown", { .kind = SVMC_KIND_SHUTDOWN, .count = 1 }, SVMC_ACT_STOP },
    };
    struct deepest d = { 0 };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start();
        next_exit = rows[i].exit;
        measure(&d, rows[i].name, call_exit, SVMC_OK);
        CHECK_EQ(lab.out.action, rows[i].want, "%s", rows[i].name);
    }
    report("svmc_vcpu_exit, inside", &d);
}

/* ---- the front ends ---- */
static uint8_t run[RUN_BYTES];
static struct svmc_insn insn;
static struct svmc_cpu cpu = { .isa = SVMC_ISA_X86_64,
                               .vendor = SVMC_VENDOR_AMD,
                               .features = { UINT64_MAX, UINT64_MAX } };
static const uint8_t *code;
static size_t code_bytes;

static enum svmc_status call_from_kvm(void)
{
    return svmc_exit_from_kvm(run, sizeof run, &next_exit);
}
static enum svmc_status call_complete(void)
{
    return svmc_kvm_complete(run, sizeof run, &lab.out);
}
static enum svmc_status call_decode(void)
{
    return svmc_insn_decode(&cpu, code, code_bytes, &insn);
}
static enum svmc_status call_format(void)
{
    static char text[SVMC_INSN_TEXT_MAX];

    return svmc_insn_format(&insn, text, sizeof text);
}
static enum svmc_status call_from_insn(void)
{
    return svmc_exit_from_insn(&insn, (enum svmc_insn_class)insn.insn_class, (svmc_gpa){ LAB_GPA },
                               &next_exit);
}

static void put(unsigned at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        run[at + i] = (uint8_t)(value >> (8 * i));
}

/* A struct kvm_run: reason, then the 32 bytes of its union; IO's data lie at RUN_DATA. */
struct kvm_row {
    char name[16];
    uint8_t reason;
    struct {
        uint8_t at, bytes;
        uint64_t value;
    } field[5];
};

static const struct kvm_row kvm_rows[] = {
    { "kvm in", 2, { { 33, 1, 4 }, { 34, 2, LAB_PORT }, { 36, 4, 1 }, { 40, 8, RUN_DATA } } },
    { "kvm insb", 2, { { 33, 1, 1 }, { 34, 2, LAB_PORT }, { 36, 4, 9 }, { 40, 8, RUN_DATA } } },
    { "kvm outsw",
      2,
      { { 32, 1, 1 }, { 33, 1, 2 }, { 34, 2, LAB_PORT }, { 36, 4, 9 }, { 40, 8, RUN_DATA } } },
    { "kvm mmio read", 6, { { 32, 8, LAB_GPA }, { 48, 4, 8 } } },
    { "kvm mmio write", 6, { { 32, 8, LAB_GPA }, { 40, 8, 7 }, { 48, 4, 4 }, { 52, 1, 1 } } },
    { "kvm rdmsr", 29, { { 44, 4, LAB_MSR } } },
    { "kvm wrmsr", 30, { { 44, 4, LAB_MSR }, { 48, 8, 5 } } },
};

TEST(stack, from_kvm_and_back)
{
    struct deepest from = { 0 }, complete = { 0 };

    for (unsigned i = 0; i < sizeof kvm_rows / sizeof kvm_rows[0]; i++) {
        const struct kvm_row *row = &kvm_rows[i];

        start();
        memset(run, 0, sizeof run);
        put(8, 4, row->reason);
        for (unsigned f = 0; f < 5; f++)
            put(row->field[f].at, row->field[f].bytes, row->field[f].value);
        measure(&from, row->name, call_from_kvm, SVMC_OK);
        CHECK_EQ(call_exit(), SVMC_OK, "%s", row->name);
        CHECK(fakehost_prepare(lab.world.page, &answer), "%s", row->name);
        CHECK(fakehost_send(lab.world.page, &answer), "%s", row->name);
        CHECK_EQ(call_enter(), SVMC_OK, "%s", row->name);
        measure(&complete, row->name, call_complete, SVMC_OK);
    }
    report("svmc_exit_from_kvm", &from);
    report("svmc_kvm_complete", &complete);
}

TEST(stack, instructions)
{
    static const struct {
        char name[48];
        uint8_t count, bytes[15];
        enum svmc_status decode, from_insn;
    } rows[] = {
        { "cut short", 7, { 0x65, 0x48, 0x8b, 0x84, 0xc8, 0x78, 0x56 }, SVMC_ERR_TRUNCATED, 0 },
        { "no opcode", 4, { 0x66, 0x0f, 0x01, 0xc1 }, SVMC_ERR_UNDEFINED, 0 },
        { "evex, no mask to zero",
          6,
          { 0x62, 0xf1, 0x7c, 0xc8, 0x10, 0x00 },
          SVMC_ERR_UNDEFINED,
          0 },
        { "evex, masked store, disp8",
          7,
          { 0x62, 0xf1, 0x7c, 0x49, 0x11, 0x40, 0x01 },
          SVMC_OK,
          SVMC_ERR_UNSUPPORTED },
        { "vex, gather", 6, { 0xc4, 0xe2, 0x69, 0x92, 0x0c, 0x98 }, SVMC_OK, SVMC_ERR_UNSUPPORTED },
        { "xop", 6, { 0x8f, 0xe8, 0x78, 0xc0, 0xc0, 0x01 }, SVMC_OK, SVMC_ERR_MISMATCH },
        { "3dnow", 4, { 0x0f, 0x0f, 0x00, 0x9e }, SVMC_OK, SVMC_ERR_UNSUPPORTED },
        { "lock mov", 3, { 0xf0, 0x89, 0x00 }, SVMC_ERR_UNDEFINED, 0 },
        { "mov gs:[..], imm32",
          13,
          { 0x65, 0x48, 0xc7, 0x84, 0xc8, 0x78, 0x56, 0x34, 0x12, 1, 2, 3, 4 },
          SVMC_OK,
          SVMC_OK },
        { "mov moffs64", 10, { 0x48, 0xa1, 1, 2, 3, 4, 5, 6, 7, 8 }, SVMC_OK, SVMC_OK },
        { "movzx", 6, { 0x48, 0x0f, 0xb6, 0x44, 0x8b, 0x10 }, SVMC_OK, SVMC_OK },
        { "cpuid", 2, { 0x0f, 0xa2 }, SVMC_OK, SVMC_OK },
        { "rdmsr", 2, { 0x0f, 0x32 }, SVMC_OK, SVMC_OK },
        { "in", 2, { 0xe5, 0x60 }, SVMC_OK, SVMC_OK },
        { "rep outsw", 3, { 0x66, 0xf3, 0x6f }, SVMC_OK, SVMC_OK },
        { "rep insd, 32-bit addresses", 3, { 0x67, 0xf3, 0x6d }, SVMC_OK, SVMC_OK },
        { "hlt", 1, { 0xf4 }, SVMC_OK, SVMC_OK },
        { "vmmcall", 3, { 0x0f, 0x01, 0xd9 }, SVMC_OK, SVMC_OK },
        { "movs cannot", 1, { 0xa5 }, SVMC_OK, SVMC_ERR_UNSUPPORTED },
    };
    struct deepest decode = { 0 }, format = { 0 }, from = { 0 };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start();
        code = rows[i].bytes;
        code_bytes = rows[i].count;
        measure(&decode, rows[i].name, call_decode, rows[i].decode);
        if (rows[i].decode != SVMC_OK)
            continue;
        measure(&format, rows[i].name, call_format, SVMC_OK);
        measure(&from, rows[i].name, call_from_insn, rows[i].from_insn);
    }
    report_bound("svmc_insn_decode", &decode, DECODE_BOUND);
    report("svmc_insn_format", &format);
    report("svmc_exit_from_insn", &from);
}

/* ---- everything else ---- */
#define RW       SVMC_ACCESS_RW
#define DELEGATE SVMC_VERDICT_DELEGATE
static struct svmc_policy policy;
static struct svmc_stats stats;
static struct svmc_ledger ledger;
static struct svmc_ledger_entry ledger_entry;
static struct svmc_audit_entry audit_entry;
static const uint8_t entry_bytes[SVMC_AUDIT_ENTRY_BYTES];

#define CALLS(X)                                                                                   \
    X(svmc_policy_init, svmc_policy_init(&policy, 4, 4))                                           \
    X(svmc_policy_set_ports, svmc_policy_set_ports(&policy, 0, 65536, RW, DELEGATE))               \
    X(svmc_policy_set_msrs, svmc_policy_set_msrs(&policy, 0xc0000000, 8192, RW, DELEGATE))         \
    X(svmc_policy_add_window,                                                                      \
      svmc_policy_add_window(&policy, (svmc_gpa){ LAB_GPA }, 4096, RW, DELEGATE))                  \
    X(svmc_policy_set_doorbell, svmc_policy_set_doorbell(&policy, 0x565c))                         \
    X(svmc_policy_set_hcall, svmc_policy_set_hcall(&policy, 1, 6, 3))                              \
    X(svmc_policy_seal, svmc_policy_seal(&policy))                                                 \
    X(svmc_vcpu_init, svmc_vcpu_init(&lab.vc, &world_ops, &lab.world, &policy, lab.world.page, 1)) \
    X(svmc_vcpu_stats, svmc_vcpu_stats(&lab.vc, &stats))                                           \
    X(svmc_vcpu_set_ledger, svmc_vcpu_set_ledger(&lab.vc, &ledger))                                \
    X(svmc_vcpu_set_audit, svmc_vcpu_set_audit(&lab.vc, NULL))                                     \
    X(svmc_ledger_read, svmc_ledger_read(&ledger, 0, &ledger_entry))                               \
    X(svmc_audit_entry_read, svmc_audit_entry_read(entry_bytes, &audit_entry))                     \
    X(svmc_vcpu_cancel, (svmc_vcpu_cancel(&lab.vc), SVMC_OK))                                      \
    X(svmc_vcpu_drop, (svmc_vcpu_drop(&lab.vc), SVMC_OK))                                          \
    X(svmc_kind_name, (sink += (unsigned)*svmc_kind_name(SVMC_KIND_HLT), SVMC_OK))                 \
    X(svmc_status_name, (sink += (unsigned)*svmc_status_name(SVMC_ERR_ARG), SVMC_OK))              \
    X(svmc_version, (sink += svmc_version(), SVMC_OK))

#define X(name, call)                         \
    static enum svmc_status call_##name(void) \
    {                                         \
        return call;                          \
    }
CALLS(X)
#undef X

TEST(stack, setters_and_the_rest)
{
    start();
#define X(name, call)                                          \
    {                                                          \
        struct deepest d = { 0 };                              \
        measure(&d, #name, call_##name, SVMC_OK);              \
        printf("%s: %zu of %u bytes\n", #name, d.used, BOUND); \
    }
    CALLS(X)
#undef X
}

#ifdef PAINTED_STACK_TOO_DEEP /* the canary: this bound can be broken */
static enum svmc_status too_deep(void)
{
    volatile uint8_t big[BOUND + 512];

    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)i;
    sink += big[sink % sizeof big];
    return SVMC_OK;
}

TEST(stack, too_deep)
{
    struct deepest d = { 0 };

    measure(&d, "meant to fail", too_deep, SVMC_OK);
}

TEST(stack, another_status)
{
    struct deepest d = { 0 };

    measure(&d, "meant to fail", nothing, SVMC_ERR_ARG);
}
#endif
