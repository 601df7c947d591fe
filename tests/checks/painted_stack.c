/* SPDX-License-Identifier: MIT */
/* What public functions really use of the stack, measured: each call runs on a stack of its own
 * that was painted before; an empty call is measured the same way and taken off. The callbacks of
 * the host lent here use almost nothing and stay in the sum. Bound: DESIGN, contracts; the sums of
 * tools/checks/stack.py are the proof, this run shows that they are not far from the truth.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <svmcore/svmcore.h>

#define STACK_BYTES (64u * 1024u)
#define PAINT       0xa5
#define PAGE        4096u
#if defined(__s390x__)
#define BOUND 2048u
#else
#define BOUND 1024u
#endif

static _Alignas(64) uint8_t stack[STACK_BYTES];
static ucontext_t outside, inside;
static volatile unsigned sink;

static const struct svmc_cpu cpu = { .isa = SVMC_ISA_X86_64, .vendor = SVMC_VENDOR_AMD };
static struct svmc_policy policy;
static struct svmc_vcpu vcpu;
static _Alignas(PAGE) uint8_t page[SVMC_PAGE_BYTES];
static _Alignas(PAGE) uint8_t memory[PAGE];

/* ---- a host that answers everything ---- */
static enum svmc_status host_random(void *ctx, void *dst, size_t n)
{
    (void)ctx;
    memset(dst, 0x5a, n);
    return SVMC_OK;
}

static enum svmc_status host_reg_read(void *ctx, uint32_t reg, uint64_t *value)
{
    (void)ctx;
    *value = reg;
    return SVMC_OK;
}

static void host_reg_write(void *ctx, uint32_t reg, uint64_t value)
{
    (void)ctx;
    sink += reg + (unsigned)value;
}

static enum svmc_status host_translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                       struct svmc_fault *fault)
{
    (void)ctx;
    (void)access;
    (void)fault;
    out->v = at.v;
    return SVMC_OK;
}

static enum svmc_status host_span(void *ctx, svmc_gpa at, size_t n, uint32_t access, void **span)
{
    (void)ctx;
    (void)access;
    *span = memory + at.v % PAGE;
    return at.v % PAGE + n <= PAGE ? SVMC_OK : SVMC_ERR_CALLBACK;
}

static const struct svmc_host_ops ops = {
    .size = sizeof ops,
    .random = host_random,
    .reg_read = host_reg_read,
    .reg_write = host_reg_write,
    .translate = host_translate,
    .guest_span = host_span,
};

/* ---- what is measured ---- */
static void nothing(void)
{
    sink++;
}

static void decode_and_format(void)
{
    static const uint8_t code[][8] = {
        { 0x65, 0x48, 0x8b, 0x84, 0xc8, 0x78, 0x56, 0x34 }, /* cut short */
        { 0x48, 0x0f, 0xb6, 0x44, 0x8b, 0x10 },             /* movzx rax, [rbx+rcx*4+0x10] */
        { 0x0f, 0xa2 },
        { 0x66, 0xf3, 0x6d },
    };
    static struct svmc_insn insn;
    static char text[SVMC_INSN_TEXT_MAX];

    for (size_t i = 0; i < sizeof code / sizeof code[0]; i++)
        if (svmc_insn_decode(&cpu, code[i], sizeof code[i], &insn) == SVMC_OK &&
            svmc_insn_format(&insn, text, sizeof text) == SVMC_OK)
            sink += insn.length;
}

static void policy_build(void)
{
    sink += svmc_policy_init(&policy, 4, 4);
    sink += svmc_policy_set_ports(&policy, 0, 65536, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE);
    sink += svmc_policy_set_msrs(&policy, 0, 8192, SVMC_ACCESS_RW, SVMC_VERDICT_DELEGATE);
    sink += svmc_policy_add_window(&policy, (svmc_gpa){ 0xfee00000u }, PAGE, SVMC_ACCESS_RW,
                                   SVMC_VERDICT_DELEGATE);
    sink += svmc_policy_set_hcall(&policy, 1, 6, 3);
    sink += svmc_policy_seal(&policy);
}

static void vcpu_make(void)
{
    sink += svmc_vcpu_init(&vcpu, &ops, NULL, &policy, page, 1);
}

static struct svmc_exit next_exit;
static struct svmc_outcome outcome;

static void vcpu_exit(void)
{
    sink += svmc_vcpu_exit(&vcpu, &next_exit, &outcome);
}

static void vcpu_enter(void)
{
    sink += svmc_vcpu_enter(&vcpu, &outcome);
}

static void host_answers(void)
{
    static struct svmc_request request;
    static struct svmc_reply reply;
    static uint8_t data[SVMC_PAGE_DATA_BYTES];

    if (svmc_request_read(page, &request, data, sizeof data) != SVMC_OK)
        return;
    memset(&reply, 0, sizeof reply);
    reply.seq = request.seq;
    reply.out_valid = request.kind == SVMC_KIND_INS || request.direction != SVMC_DIRECTION_IN;
    reply.out_valid = request.kind == SVMC_KIND_IN ? 1 : 0;
    reply.done = request.count;
    reply.data_bytes = request.kind == SVMC_KIND_INS ? request.size * request.count : 0;
    sink += svmc_reply_write(page, &reply, reply.data_bytes ? data : NULL);
}

/* ---- the measurement ---- */
static void (*measured)(void);

static void enter(void)
{
    measured();
}

static size_t high_water(void (*call)(void))
{
    size_t untouched = 0;

    measured = call;
    memset(stack, PAINT, sizeof stack);
    getcontext(&inside);
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = sizeof stack;
    inside.uc_link = &outside;
    makecontext(&inside, enter, 0);
    swapcontext(&outside, &inside);
    while (untouched < sizeof stack && stack[untouched] == PAINT)
        untouched++;
    return sizeof stack - untouched;
}

static unsigned passed, failed;
static size_t baseline;

static void measure(const char *name, void (*call)(void))
{
    size_t used = high_water(call) - baseline;
    bool ok = used <= BOUND;

    printf("%s %s: %zu of %u bytes\n", ok ? "ok" : "FAIL", name, used, BOUND);
    passed += ok;
    failed += !ok;
}

/* One exit of each shape, and its answer. The answer must have come: an early refusal would measure
 * nothing. */
static void measure_exit(const char *name, struct svmc_exit exit, unsigned want)
{
    char text[64];

    next_exit = exit;
    snprintf(text, sizeof text, "vcpu-exit %s", name);
    measure(text, vcpu_exit);
    if (outcome.action == SVMC_ACT_DELEGATED) {
        host_answers();
        snprintf(text, sizeof text, "vcpu-enter %s", name);
        measure(text, vcpu_enter);
    }
    if (outcome.action != want) {
        printf("FAIL %s ended with action %u, not %u\n", name, outcome.action, want);
        failed++;
    }
    svmc_vcpu_cancel(&vcpu);
}

static void too_deep(void)
{
    volatile uint8_t big[BOUND + 512];

    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)i;
    sink += big[sink % sizeof big];
}

int main(int argc, char **argv)
{
    baseline = high_water(nothing);
    if (argc > 1 && strcmp(argv[1], "too-deep") == 0)
        measure("meant to fail", too_deep);
    measure("decode and format", decode_and_format);
    measure("policy", policy_build);
    measure("vcpu-init", vcpu_make);
    measure("request-read and reply-write", host_answers);
    measure_exit("in",
                 (struct svmc_exit){ .kind = SVMC_KIND_IN,
                                     .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                                     .size = 4,
                                     .count = 1,
                                     .address = 0x3f8,
                                     .insn_bytes = 1,
                                     .dest_reg = SVMC_REG_RAX,
                                     .dest_bytes = 4,
                                     .dest_extend = SVMC_EXTEND_ZERO },
                 SVMC_ACT_RESUME);
    measure_exit("rep insb",
                 (struct svmc_exit){ .kind = SVMC_KIND_INS,
                                     .finish = SVMC_FINISH_REGS | SVMC_FINISH_RIP,
                                     .size = 1,
                                     .count = 64,
                                     .address = 0x3f8,
                                     .buffer = { 0x100 },
                                     .insn_bytes = 2,
                                     .repeat = 1,
                                     .address_bytes = 8 },
                 SVMC_ACT_RESUME);
    printf("%u passed, %u failed, 0 skipped\n", passed, failed);
    return failed != 0;
}
