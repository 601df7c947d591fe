/* SPDX-License-Identifier: MIT */
/*
 * An exit that says too little: the instruction is fetched through the guest's own page tables and
 * finished from its registers. A device that answers later, a LOCK, a page fault; no processor
 * needed. The same on AArch64 and RISC-V: exec_a64.h, exec_rv.h.
 * Build: cc finish.c $(pkg-config --cflags --libs svmcore)
 */
#include <stdio.h>
#include <string.h>
#include <svmcore/svmcore.h>

#define RAM    0x10000u
#define DEVICE 0xfe000000u
#define CODE   0x200000u /* as the guest sees them: code, memory, the device, nothing */
#define DATA   0x201000u
#define MMIO   0x202000u
#define HOLE   0x203000u

/* 1. One vCPU: its memory, its tables, and the record of the instruction that is on its way. */
struct vcpu {
    struct svmc_exec exec;
    struct svmc_walker walker;
    struct svmc_exec_x86 regs;
    uint8_t ram[RAM];
};

/* 2. Memory of the guest, or NULL: a device. Your own map of guest-physical addresses. */
static uint8_t *place(struct vcpu *v, uint64_t at, size_t n)
{
    return at < RAM && n <= RAM - at ? v->ram + at : NULL;
}

static enum svmc_status entry_read(void *ctx, svmc_gpa at, uint32_t bytes, uint64_t *entry)
{
    const uint8_t *from = place(ctx, at.v, bytes);

    *entry = 0;
    if (from == NULL)
        return SVMC_ERR_REFUSED;
    for (uint32_t i = 0; i < bytes; i++) /* where others run: one load */
        *entry |= (uint64_t)from[i] << 8 * i;
    return SVMC_OK;
}

static enum svmc_status entry_exchange(void *ctx, svmc_gpa at, uint32_t bytes, uint64_t was,
                                       uint64_t now)
{
    uint8_t *to = place(ctx, at.v, bytes);
    uint64_t is;

    if (entry_read(ctx, at, bytes, &is) != SVMC_OK)
        return SVMC_ERR_REFUSED;
    if (is != was)
        return SVMC_ERR_BUSY;
    for (uint32_t i = 0; i < bytes; i++) /* where others run: one compare and exchange */
        to[i] = (uint8_t)(now >> 8 * i);
    return SVMC_OK;
}

static const struct svmc_walk_ops tables = { .size = sizeof tables,
                                             .read = entry_read,
                                             .exchange = entry_exchange };

/* 3. What the library asks for. ctx is what svmc_exec_init was given. */
static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    struct vcpu *v = ctx;

    access = svmc_walk_access_from_exec(access, v->regs.cpl == 3);
    return svmc_walk_translate(&v->walker, at, access, out, fault);
}

static enum svmc_status bus_read(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    const uint8_t *from = place(ctx, at.v, n);

    if (from == NULL)
        return SVMC_ERR_BUSY; /* a device: svmc_exec_answer will say */
    memcpy(dst, from, n);
    return SVMC_OK;
}

static enum svmc_status bus_write(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    uint8_t *to = place(ctx, at.v, n);

    if (to == NULL)
        return SVMC_ERR_BUSY; /* src stays where it is until the answer */
    memcpy(to, src, n);
    return SVMC_OK;
}

static enum svmc_status bus_exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                     size_t n)
{
    uint8_t *to = place(ctx, at.v, n), was[16];

    if (to == NULL)
        return SVMC_ERR_UNSUPPORTED; /* a device: it is read, then written */
    memcpy(was, to, n);              /* where others run: LOCK CMPXCHG */
    if (memcmp(was, expected, n) == 0)
        memcpy(to, desired, n);
    memcpy(expected, was, n);
    return SVMC_OK;
}

static const struct svmc_exec_ops ops = { .size = sizeof ops,
                                          .translate = translate,
                                          .read = bus_read,
                                          .write = bus_write,
                                          .exchange = bus_exchange };

/* 4. The exit. What could not have caused it is refused here: this one came of a data access. */
static enum svmc_status finish(struct vcpu *v, struct svmc_exec_result *out)
{
    const struct svmc_cpu cpu = { .isa = SVMC_ISA_X86_64, .vendor = SVMC_VENDOR_INTEL };
    struct svmc_insn insn;
    enum svmc_status st = svmc_exec_x86_fetch(&v->exec, &cpu, &v->regs, &insn, out);

    if (st == SVMC_OK && out->action == SVMC_EXEC_NONE)
        st = insn.access == SVMC_ACCESS_NONE && !(insn.flags & SVMC_INSN_STACK)
                 ? SVMC_ERR_MISMATCH
                 : svmc_exec_x86_start(&v->exec, &v->regs, &insn, out);
    while (st == SVMC_OK && out->action == SVMC_EXEC_PENDING) { /* you: leave, and come back */
        static const uint8_t value[SVMC_EXEC_WIDTH_MAX] = { 0x78, 0x56, 0x34, 0x12 };
        const struct svmc_exec_wait *wait = &v->exec.wait;

        printf("device: %s of %u at 0x%llx\n", wait->kind == SVMC_EXEC_READ ? "read" : "write",
               wait->bytes, (unsigned long long)wait->at);
        if (wait->kind == SVMC_EXEC_READ)
            st = svmc_exec_answer(&v->exec, value, wait->bytes);
        else
            st = svmc_exec_answer(&v->exec, NULL, 0);
        if (st == SVMC_OK)
            st = svmc_exec_x86_resume(&v->exec, &v->regs, out);
    }
    return st;
}

static void put(struct vcpu *v, uint64_t at, uint64_t entry)
{
    for (uint32_t i = 0; i < 8; i++)
        v->ram[at + i] = (uint8_t)(entry >> 8 * i);
}

/* 64-bit code at CPL 3; four pages from CODE on. */
static enum svmc_status set_up(struct vcpu *v)
{
    v->regs = (struct svmc_exec_x86){ .cr0 = 0x80010033,
                                      .cr4 = 0x20,
                                      .efer = 0xd01,
                                      .rflags = 2,
                                      .address_bits = 48,
                                      .cpl = 3,
                                      .vendor = SVMC_VENDOR_INTEL };
    v->walker = (struct svmc_walker){ .ops = &tables, .ctx = v, .isa = SVMC_WALK_ISA_X86 };
    v->walker.x86 = (struct svmc_walk_x86){ .cr0 = v->regs.cr0,
                                            .cr3 = 0x1000,
                                            .cr4 = v->regs.cr4,
                                            .efer = v->regs.efer,
                                            .rflags = v->regs.rflags,
                                            .cpl = v->regs.cpl,
                                            .pat = 0x0007040600070406,
                                            .address_bits = 46 };
    put(v, 0x1000, 0x2007);
    put(v, 0x2000, 0x3007);
    put(v, 0x3008, 0x4007);
    put(v, 0x4000, 0x8005);
    put(v, 0x4008, 0x9007);
    put(v, 0x4010, DEVICE | 7);
    return svmc_exec_init(&v->exec, &ops, v);
}

int main(void)
{
    static const struct {
        const char *text;
        uint8_t bytes[4];
        uint64_t rbx;
    } code[] = { { "mov eax, [rbx]", { 0x8b, 0x03 }, MMIO + 0x10 },
                 { "add [rbx], eax", { 0x01, 0x03 }, MMIO + 0x18 },
                 { "lock add [rbx], eax", { 0xf0, 0x01, 0x03 }, DATA },
                 { "mov [rbx], eax", { 0x89, 0x03 }, HOLE + 8 } };
    static struct vcpu v;
    struct svmc_exec_result out;

    if (set_up(&v) != SVMC_OK)
        return 1;
    for (size_t i = 0; i < sizeof code / sizeof code[0]; i++) {
        memcpy(v.ram + 0x8000, code[i].bytes, sizeof code[i].bytes);
        v.regs.rip = CODE;
        v.regs.general[SVMC_REG_RBX] = code[i].rbx;
        if (finish(&v, &out) != SVMC_OK)
            return 1;
        if (out.action == SVMC_EXEC_DONE)
            printf("%s: done, eax 0x%x\n", code[i].text, (unsigned)v.regs.general[0]);
        else if (out.action == SVMC_EXEC_FAULT)
            printf("%s: inject %u, error %u, at 0x%llx\n", code[i].text, out.fault.vector,
                   (unsigned)out.fault.error, (unsigned long long)out.fault.address);
        else
            return 1; /* NEEDS_ATOMIC, NEEDS_VECTOR, UNFINISHED: nothing was done */
    }
    return v.ram[0x9000] == 0x78 ? 0 : 1;
}
