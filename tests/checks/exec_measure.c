/* SPDX-License-Identifier: MIT */
/*
 * What the executor makes of the instructions of a program: tools/measure-insns. Records of 16
 * bytes come in: how many bytes the instruction has as a disassembler sees it, then those bytes. A
 * line a form goes out, tab-separated: how often, what becomes of it (yes, no, undecoded, odd: a
 * length of which there are two opinions), its encoding, its text with the registers left out.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <svmcore/svmcore.h>

#define FORMS_MAX 65536u

struct form {
    uint64_t key[2];
    uint64_t count;
    uint8_t bytes[16];
    const char *fate;
};

static struct form forms[FORMS_MAX];
static unsigned formed;

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    (void)ctx, (void)access, (void)fault;
    out->v = at.v;
    return SVMC_OK;
}

static enum svmc_status read_some(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    (void)ctx, (void)at;
    memset(dst, 0, n);
    return SVMC_OK;
}

static enum svmc_status write_some(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    (void)ctx, (void)at, (void)src, (void)n;
    return SVMC_OK;
}

static enum svmc_status exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                 size_t n)
{
    (void)ctx, (void)at, (void)desired;
    memset(expected, 0, n);
    return SVMC_OK;
}

static enum svmc_status port_read(void *ctx, uint32_t port, void *dst, size_t n)
{
    (void)ctx, (void)port;
    memset(dst, 0, n);
    return SVMC_OK;
}

static enum svmc_status port_write(void *ctx, uint32_t port, const void *src, size_t n)
{
    (void)ctx, (void)port, (void)src, (void)n;
    return SVMC_OK;
}

static enum svmc_status vector_read(void *ctx, uint32_t kind, uint32_t number, void *dst, size_t n)
{
    (void)ctx, (void)kind, (void)number;
    memset(dst, 0, n);
    return SVMC_OK;
}

static enum svmc_status vector_write(void *ctx, uint32_t kind, uint32_t number, const void *src,
                                     size_t n)
{
    (void)ctx, (void)kind, (void)number, (void)src, (void)n;
    return SVMC_OK;
}

static enum svmc_status vec_op(void *ctx, struct svmc_exec_vec_op *op)
{
    (void)ctx;
    memset(op->out, 0, sizeof op->out);
    return SVMC_OK;
}

static enum svmc_status forget(void *ctx, uint32_t what, uint32_t pcid, svmc_gva at)
{
    (void)ctx, (void)what, (void)pcid, (void)at;
    return SVMC_OK;
}

static const struct svmc_exec_ops ops = { .size = sizeof ops,
                                          .translate = translate,
                                          .read = read_some,
                                          .write = write_some,
                                          .exchange = exchange,
                                          .port_read = port_read,
                                          .port_write = port_write,
                                          .vector_read = vector_read,
                                          .vector_write = vector_write,
                                          .vec_op = vec_op,
                                          .forget = forget };

static const struct svmc_cpu cpu = { .isa = SVMC_ISA_X86_64,
                                     .vendor = SVMC_VENDOR_INTEL,
                                     .features = { UINT64_MAX, UINT64_MAX } };

/* Done, or the guest gets a fault that its operands ask for; #UD and no answer do not count. */
static bool is_finished(const struct svmc_insn *insn)
{
    struct svmc_exec_x86 regs = { .rip = 0x1000,
                                  .rflags = 2,
                                  .cr0 = 0x80000001,
                                  .cr4 = 0x40600,
                                  .xcr0 = 0xe7,
                                  .efer = 0x500,
                                  .mxcsr = 0x1f80,
                                  .fcw = 0x37f,
                                  .address_bits = 48,
                                  .vendor = SVMC_VENDOR_INTEL };
    struct svmc_exec_result out;
    struct svmc_exec x;

    for (unsigned i = 0; i < 16; i++)
        regs.general[i] = 0x10000;
    return svmc_exec_init(&x, &ops, NULL) == SVMC_OK &&
           svmc_exec_x86_start(&x, &regs, insn, &out) == SVMC_OK &&
           (out.action == SVMC_EXEC_DONE || out.action == SVMC_EXEC_AGAIN ||
            (out.action == SVMC_EXEC_FAULT && out.fault.vector != 6));
}

/* What can be the cause of an exit. LEA and NOP have memory operands that are not accessed. */
static bool counts(const struct svmc_insn *insn)
{
    if (insn->mem_count != 0 &&
        (insn->access != SVMC_ACCESS_NONE || insn->insn_class == SVMC_CLASS_CACHE ||
         insn->insn_class == SVMC_CLASS_TLB))
        return true;
    return (insn->flags & SVMC_INSN_STACK) || insn->insn_class == SVMC_CLASS_PORT;
}

/* VEX, XOP and EVEX stand behind prefixes of segment and address size alone. */
static const char *encoding(const uint8_t *bytes)
{
    while (*bytes == 0x67 || (*bytes & 0xe7) == 0x26 || (*bytes & 0xfe) == 0x64)
        bytes++;
    if (*bytes == 0x62)
        return "evex";
    if (*bytes == 0xc4 || *bytes == 0xc5)
        return "vex";
    return *bytes == 0x8f && (bytes[1] & 0x1f) >= 8 ? "xop" : "legacy";
}

static void note(const uint64_t key[2], const uint8_t *record, const struct svmc_insn *insn,
                 const char *fate)
{
    struct form *f = forms;

    while (f < forms + formed && (f->key[0] != key[0] || f->key[1] != key[1]))
        f++;
    if (f == forms + formed) {
        if (formed == FORMS_MAX - 1)
            abort();
        formed++;
        memcpy(f->key, key, sizeof f->key);
        memcpy(f->bytes, record, sizeof f->bytes);
        f->fate = fate != NULL ? fate : is_finished(insn) ? "yes" : "no";
    }
    f->count++;
    while (f > forms && f[-1].count < f->count) { /* the frequent ones come first */
        struct form other = f[-1];

        f[-1] = *f;
        *f-- = other;
    }
}

static void take(const uint8_t record[16])
{
    const uint8_t *bytes = record + 1;
    struct svmc_insn insn;
    enum svmc_status st = svmc_insn_decode(&cpu, bytes, SVMC_INSN_MAX, &insn);
    uint64_t key[2] = { st, insn.refusal };

    if (st != SVMC_OK) {
        note(key, record, &insn, "undecoded");
    } else if (insn.length != record[0]) {
        key[1] = 1u << 16 | insn.id;
        note(key, record, &insn, "odd");
    } else if (counts(&insn)) {
        key[0] = 1u << 31 | (uint64_t)insn.id << 32 | (uint64_t)insn.mem_bytes << 48;
        key[1] = (uint64_t)insn.access | (uint64_t)insn.reg_kind << 8 |
                 (uint64_t)insn.reg_bytes << 16 | (uint64_t)(insn.flags & 15) << 24 |
                 (uint64_t)(uint8_t)encoding(bytes)[0] << 32 |
                 (uint64_t)(insn.index == SVMC_REG_NONE) << 40 | (uint64_t)insn.operand_bytes << 48;
        note(key, record, &insn, NULL);
    }
}

static void show(const struct form *f)
{
    char text[SVMC_INSN_TEXT_MAX] = "";
    struct svmc_insn insn;

    printf("%llu\t%s\t%s\t", (unsigned long long)f->count, f->fate, encoding(f->bytes + 1));
    if (svmc_insn_decode(&cpu, f->bytes + 1, SVMC_INSN_MAX, &insn) == SVMC_OK &&
        svmc_insn_format(&insn, text, sizeof text) == SVMC_OK)
        printf("%s\t", text);
    else
        printf("-\t");
    for (unsigned i = 0; i < f->bytes[0] && i < 15; i++)
        printf("%02x", f->bytes[i + 1]);
    putchar('\n');
}

int main(void)
{
    uint8_t record[16];

    while (fread(record, 1, sizeof record, stdin) == sizeof record)
        take(record);
    for (unsigned i = 0; i < formed; i++)
        show(&forms[i]);
    return ferror(stdin) || fflush(stdout) != 0;
}
