/* SPDX-License-Identifier: MIT */
/*
 * The smallest embedding: one vCPU, one exit, one answer, no processor needed.
 * A guest executes `in al, 0x60`; the hypervisor knows only the bytes at RIP.
 * Build: cc first-exit.c $(pkg-config --cflags --libs svmcore)
 */
#include <stdio.h>
#include <svmcore/svmcore.h>

/* 1. What you lend the library: your guest's registers, and randomness. */
struct guest {
    uint64_t reg[20]; /* by enum svmc_reg */
};

static enum svmc_status my_random(void *ctx, void *dst, size_t n)
{
    FILE *f = fopen("/dev/urandom", "rb");
    size_t got = f ? fread(dst, 1, n, f) : 0;

    (void)ctx;
    if (f)
        fclose(f);
    return got == n ? SVMC_OK : SVMC_ERR_CALLBACK;
}

static enum svmc_status my_reg_read(void *ctx, uint32_t reg, uint64_t *value)
{
    *value = ((struct guest *)ctx)->reg[reg];
    return SVMC_OK;
}

static void my_reg_write(void *ctx, uint32_t reg, uint64_t value)
{
    ((struct guest *)ctx)->reg[reg] = value;
}

static const struct svmc_host_ops ops = {
    .size = sizeof(struct svmc_host_ops),
    .random = my_random,
    .reg_read = my_reg_read,
    .reg_write = my_reg_write,
};

/* 2. The untrusted side: sees the page, and nothing but the page. */
static void host(volatile void *page)
{
    struct svmc_request ask;
    struct svmc_reply say = { .status = SVMC_REPLY_DONE, .out_valid = 1, .out = { 0x1c } };

    if (svmc_request_read(page, &ask, NULL, 0) != SVMC_OK || ask.completion == SVMC_COMPLETION_NONE)
        return; /* nothing was asked */
    printf("host: %s, port 0x%x, %u byte\n", svmc_kind_name(ask.kind), (unsigned)ask.address,
           ask.size);
    say.seq = ask.seq;
    say.done = ask.count;
    if (svmc_reply_write(page, &say, NULL) != SVMC_OK)
        printf("host: cannot answer\n");
}

#define TRY(call)                                                      \
    do {                                                               \
        enum svmc_status st_ = (call);                                 \
        if (st_ != SVMC_OK) {                                          \
            fprintf(stderr, "%s: %s\n", #call, svmc_status_name(st_)); \
            return 1;                                                  \
        }                                                              \
    } while (0)

int main(void)
{
    static struct svmc_policy policy;
    static struct svmc_vcpu vcpu;
    static _Alignas(4096) uint8_t page[SVMC_PAGE_BYTES];
    static const uint8_t at_rip[] = { 0xe4, 0x60 };
    /* features: what your CPUID says; here all of them */
    const struct svmc_cpu cpu = { .isa = SVMC_ISA_X86_64,
                                  .vendor = SVMC_VENDOR_AMD,
                                  .features = { UINT64_MAX, UINT64_MAX } };
    struct guest guest = { .reg = {
                               [SVMC_REG_RAX] = 0x1122334455667788, [SVMC_REG_RIP] = 0x1000 } };
    struct svmc_insn insn;
    struct svmc_exit exit;
    struct svmc_outcome out;

    /* 3. Once per VM: the policy. Once per vCPU: init. */
    TRY(svmc_policy_init(&policy, 16, 1000));
    TRY(svmc_policy_set_ports(&policy, 0x60, 1, SVMC_ACCESS_READ, SVMC_VERDICT_DELEGATE));
    TRY(svmc_policy_seal(&policy));
    TRY(svmc_vcpu_init(&vcpu, &ops, &guest, &policy, page, 0));

    /* 4. On every exit. */
    TRY(svmc_insn_decode(&cpu, at_rip, sizeof at_rip, &insn));
    TRY(svmc_exit_from_insn(&insn, SVMC_CLASS_PORT, (svmc_gpa){ 0 }, &exit));
    TRY(svmc_vcpu_exit(&vcpu, &exit, &out));
    while (out.action == SVMC_ACT_DELEGATED) {
        host(page); /* yours: ring a doorbell, return, come back on any thread */
        if (svmc_vcpu_enter(&vcpu, &out) == SVMC_ERR_HOST_REPLY)
            printf("core: refused by rule R%u\n", out.rule);
    }
    printf("guest: rax 0x%llx, rip 0x%llx\n", (unsigned long long)guest.reg[SVMC_REG_RAX],
           (unsigned long long)guest.reg[SVMC_REG_RIP]);
    svmc_vcpu_drop(&vcpu);
    return out.action == SVMC_ACT_RESUME ? 0 : 1;
}
