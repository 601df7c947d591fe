/* SPDX-License-Identifier: MIT */
/*
 * Any exit, any registers, any configuration, registers that cannot be read. Traps when a call gets
 * through a way that is closed or in an ABI that is not spoken, when VMware's has no magic, when an
 * an exception is none of the processor's, when a verdict has beside it what it does not use.
 */
#include <stdbool.h>
#include <string.h>
#include <svmcore/svmcore.h>

#include "input.h"

enum { X86 = 0, A64 = 1, RV = 2, S390 = 3 };

static struct {
    uint64_t reg[256];
    unsigned calls, fail_at;
} vcpu;
static struct {
    struct svmc_trap_config config;
    uint8_t processor;
    struct svmc_trap_x86 x86;
    struct svmc_trap_a64 a64;
    struct svmc_trap_rv rv;
    struct svmc_trap_s390 s390;
    uint8_t text[SVMC_INSN_MAX];
    size_t count;
} exit_;

static enum svmc_status reg_read(void *ctx, uint32_t reg, uint64_t *value)
{
    require(ctx == &vcpu && reg < 256 && *value == 0);
    *value = vcpu.reg[reg];
    return ++vcpu.calls == vcpu.fail_at ? SVMC_ERR_STATE : SVMC_OK;
}

static const struct svmc_host_ops ops = { .size = sizeof(struct svmc_host_ops),
                                          .reg_read = reg_read };

static enum svmc_status match(const struct svmc_trap_config *config, struct svmc_trap *out)
{
    memset(out, 0xee, sizeof *out);
    vcpu.calls = 0;
    switch (exit_.processor) {
    case X86:
        return svmc_trap_from_x86(config, &exit_.x86, exit_.text, exit_.count, &ops, &vcpu, out);
    case A64:
        return svmc_trap_from_a64(config, &exit_.a64, &ops, &vcpu, out);
    case RV:
        return svmc_trap_from_rv(config, &exit_.rv, exit_.text, exit_.count, &ops, &vcpu, out);
    default:
        return svmc_trap_from_s390(config, &exit_.s390, &ops, &vcpu, out);
    }
}

static bool is_zero(const void *at, size_t n)
{
    const uint8_t *byte = at;

    while (n > 0 && byte[n - 1] == 0)
        n--;
    return n == 0;
}

static void check_call(const struct svmc_trap *t)
{
    const struct svmc_trap_config *config = &exit_.config;
    struct svmc_iox io;
    uint64_t word;

    require(((t->user ? config->user : config->kernel) >> t->way & 1) != 0);
    require(config->abis >> t->abi & 1);
    require(is_zero(&t->fault, sizeof t->fault) && t->value == 0 && t->dest == 0);
    require((t->back != 0) == (t->way == SVMC_TRAP_WAY_HVC || exit_.processor == S390));
    require(t->back == 0 || (t->insn_bytes == 0 && t->back <= 6));
    require(t->abi == SVMC_TRAP_VMWARE || (!t->high && !t->write));
    if (t->abi == SVMC_TRAP_NATIVE) {
        require(is_zero(&t->io, sizeof t->io) && is_zero(t->arg, sizeof t->arg));
        require(t->isa == SVMC_ISA_X86_64 || t->isa == SVMC_ISA_A64 || t->isa == SVMC_ISA_RV64 ||
                t->isa == SVMC_ISA_S390X);
        return;
    }
    require(t->abi == SVMC_TRAP_VMWARE || t->abi == SVMC_TRAP_IO);
    require(svmc_iox_encode(&t->io, &word) == SVMC_OK && svmc_iox_decode(word, &io) == SVMC_OK);
    require(memcmp(&io, &t->io, sizeof io) == 0);
    for (unsigned n = 0; n < SVMC_IOX_ARGS; n++) {
        enum svmc_reg reg = svmc_trap_reg(t, n);

        require(t->arg[n] == (reg == SVMC_REG_NONE ? 0 : vcpu.reg[reg]) ||
                (t->way == SVMC_TRAP_WAY_TDX && n == 2));
    }
    if (t->abi == SVMC_TRAP_IO) {
        require(exit_.processor != X86);
        return;
    }
    require((uint32_t)t->arg[0] == 0x564d5868);
    require(t->high == t->io.string && t->write == !t->io.in && !t->io.backward);
}

static void check(const struct svmc_trap *t, enum svmc_status st)
{
    static const uint8_t vectors[] = { X86, 6, X86, 13, RV, 2, S390, 1, S390, 2, S390, 6 };
    bool known = exit_.processor == A64 && t->fault.vector < 64;

    if (st != SVMC_OK || t->verdict == SVMC_TRAP_NOT_OURS) {
        require(is_zero(t, sizeof *t));
        return;
    }
    require(t->verdict <= SVMC_TRAP_MASKED && t->user <= 1);
    if (t->verdict == SVMC_TRAP_MASKED) {
        require(exit_.processor == A64 && !t->user && is_zero(&t->fault, sizeof t->fault));
        require(t->abi == 0 && t->insn_bytes == 0 && t->back == 0 && t->value == 0);
        return;
    }
    if (t->verdict == SVMC_TRAP_CALL) {
        check_call(t);
        return;
    }
    require(t->abi == 0 && is_zero(&t->io, sizeof t->io) && is_zero(t->arg, sizeof t->arg));
    if (t->verdict != SVMC_TRAP_FORWARD) {
        require(exit_.processor == A64 && t->insn_bytes == 4 && t->back == 0);
        require(is_zero(&t->fault, sizeof t->fault));
        require(t->verdict == SVMC_TRAP_EMULATE_WRITE
                    ? (t->value >> 12 & 1) == 0
                    : (t->dest >= SVMC_REG_X0 && t->dest <= SVMC_REG_XZR) ||
                          t->dest == SVMC_REG_PSTATE || t->dest == SVMC_REG_NONE);
        return;
    }
    for (unsigned i = 0; i < sizeof vectors; i += 2)
        known = known || (vectors[i] == exit_.processor && vectors[i + 1] == t->fault.vector);
    require(known && t->fault.raised == 1 && t->value == 0 && t->dest == 0);
    require(t->back == 0 || (t->way == SVMC_TRAP_WAY_HVC && t->back == 4));
    require((exit_.processor == S390) == (t->insn_bytes != 0));
}

/* Registers: what a call needs, with a few of them made different. */
static void fill_registers(struct input *in)
{
    static const uint64_t words[] = { 0x860000000e, 0x8600000018, 0x860000001c,     0x8700000000,
                                      0x0a53564d,   0x564d5868,   0x100000000000008 };
    uint8_t word = take_byte(in), high = take_byte(in);
    uint64_t port = high & 1 ? 0x5659 : high & 2 ? high & 3 : 0x5658;
    unsigned changes = take_byte(in) % 8;

    memset(vcpu.reg, 0, sizeof vcpu.reg);
    vcpu.reg[SVMC_REG_RAX] = words[high & 4 ? 6 : 5];
    vcpu.reg[SVMC_REG_X0] = vcpu.reg[SVMC_REG_RV_X0 + 10] = words[5];
    vcpu.reg[SVMC_REG_S390_R0 + 2] = vcpu.reg[SVMC_REG_R12] = words[5];
    vcpu.reg[SVMC_REG_RDX] = vcpu.reg[SVMC_REG_X0 + 3] = port;
    vcpu.reg[SVMC_REG_RV_X0 + 13] = vcpu.reg[SVMC_REG_S390_R0 + 5] = port;
    vcpu.reg[SVMC_REG_R10] = 0x1af7e4909;
    vcpu.reg[SVMC_REG_R11] = 1;
    vcpu.reg[SVMC_REG_X0 + 8] = vcpu.reg[SVMC_REG_RV_X0 + 5] = 0x86;
    vcpu.reg[SVMC_REG_X0 + 7] = vcpu.reg[SVMC_REG_RV_X0 + 17] = words[word % 7];
    vcpu.reg[SVMC_REG_S390_R0 + 1] = words[word % 7];
    while (changes-- > 0)
        take(in, &vcpu.reg[take_byte(in)], sizeof(uint64_t));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct svmc_trap_config off;
    struct input in = { data, size };
    struct svmc_trap first, again;
    struct svmc_trap_config closed;
    enum svmc_status st;
    unsigned calls;

    exit_.processor = take_byte(&in) & 3;
    take(&in, &exit_.config, sizeof exit_.config);
    take(&in, &exit_.x86, sizeof exit_.x86);
    exit_.a64.tdcc = exit_.x86.way & 1;
    take(&in, &exit_.a64.esr, sizeof exit_.a64 - sizeof exit_.a64.tdcc);
    take(&in, &exit_.rv, sizeof exit_.rv);
    take(&in, &exit_.s390, sizeof exit_.s390);
    take(&in, exit_.text, sizeof exit_.text);
    exit_.count = take_byte(&in) & 15;
    fill_registers(&in);

    vcpu.fail_at = 0;
    st = match(&exit_.config, &first);
    check(&first, st);
    calls = vcpu.calls;
    require(st != SVMC_ERR_CALLBACK && match(&exit_.config, &again) == st);
    require(memcmp(&first, &again, sizeof first) == 0);
    for (vcpu.fail_at = 1; vcpu.fail_at <= calls; vcpu.fail_at++) {
        require(match(&exit_.config, &again) == SVMC_ERR_CALLBACK || st != SVMC_OK);
        require(is_zero(&again, sizeof again) && vcpu.calls == vcpu.fail_at);
    }
    vcpu.fail_at = 0;
    if (first.verdict == SVMC_TRAP_CALL) { /* closed to this caller it is none */
        closed = exit_.config;
        *(first.user ? &closed.user : &closed.kernel) &= ~(1u << first.way);
        require(match(&closed, &again) == SVMC_OK && again.verdict != SVMC_TRAP_CALL);
    }
    (void)match(&off, &again);
    require(is_zero(&again, sizeof again) && vcpu.calls == 0);
    return 0;
}
