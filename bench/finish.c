/* SPDX-License-Identifier: MIT */
/*
 * finish.mov-mmio: MOV to a device's register, decoded and finished, beside Unicorn, which executes
 * the same instruction at the same address with a callback for that page. finish.load, .add, .lock,
 * .movs: classes of others, one instruction each, without a peer. --count: for tools/bench, which
 * has callgrind count the instructions of finishing MOV, above those of decoding it.
 */
#define _POSIX_C_SOURCE 200809L
#include <string.h>
#include <svmcore/svmcore.h>
#include <unicorn/unicorn.h>

#include "figure.h"

#define DEVICE  0xfee00000u
#define CODE    0x1000u
#define PASS    64u
#define COUNTED 16u

static uint64_t sink;

static inline enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                         struct svmc_fault *fault)
{
    (void)ctx, (void)access, (void)fault;
    out->v = at.v;
    return SVMC_OK;
}

static inline enum svmc_status read_device(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    (void)ctx, (void)at, (void)n;
    *(uint8_t *)dst = (uint8_t)sink;
    return SVMC_OK;
}

static inline enum svmc_status write_device(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    (void)ctx, (void)at, (void)n;
    sink += *(const uint8_t *)src;
    return SVMC_OK;
}

static inline enum svmc_status exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                        size_t n)
{
    (void)ctx, (void)at, (void)expected, (void)desired, (void)n;
    return SVMC_OK;
}

static const struct svmc_exec_ops ops = { .size = sizeof ops,
                                          .translate = translate,
                                          .read = read_device,
                                          .write = write_device,
                                          .exchange = exchange };

static struct svmc_exec x;
static struct svmc_exec_x86 regs;
static uc_engine *peer;

static const uint8_t mov[] = { 0x89, 0x43, 0x10 }; /* MOV [RBX+10h], EAX */

static void must(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "bench: %s\n", what);
        exit(1);
    }
}

static void finish(const uint8_t *bytes, size_t count)
{
    const struct svmc_cpu cpu = { .isa = SVMC_ISA_X86_64, .vendor = SVMC_VENDOR_INTEL };
    struct svmc_exec_result out;
    struct svmc_insn insn;

    for (unsigned i = 0; i < PASS; i++) {
        regs.rip = CODE;
        regs.general[SVMC_REG_RSI] = DEVICE;
        regs.general[SVMC_REG_RDI] = DEVICE + 8;
        must(svmc_insn_decode(&cpu, bytes, count, &insn) == SVMC_OK &&
                 svmc_exec_x86_start(&x, &regs, &insn, &out) == SVMC_OK &&
                 out.action == SVMC_EXEC_DONE,
             "not finished");
    }
}

static void finish_mov(void)
{
    finish(mov, sizeof mov);
}

static void finish_load(void)
{
    static const uint8_t load[] = { 0x8b, 0x43, 0x10 };

    finish(load, sizeof load);
}

static void finish_add(void)
{
    static const uint8_t add[] = { 0x01, 0x43, 0x10 };

    finish(add, sizeof add);
}

static void finish_lock(void)
{
    static const uint8_t lock[] = { 0xf0, 0x01, 0x43, 0x10 };

    finish(lock, sizeof lock);
}

static void finish_movs(void)
{
    static const uint8_t movs[] = { 0x48, 0xa5 };

    finish(movs, sizeof movs);
}

static uint64_t peer_read(uc_engine *uc, uint64_t at, unsigned n, void *ctx)
{
    (void)uc, (void)at, (void)n, (void)ctx;
    return sink;
}

static void peer_write(uc_engine *uc, uint64_t at, unsigned n, uint64_t value, void *ctx)
{
    (void)uc, (void)at, (void)n, (void)ctx;
    sink += (uint8_t)value;
}

static void peer_mov(void)
{
    for (unsigned i = 0; i < PASS; i++)
        must(uc_emu_start(peer, CODE, CODE + sizeof mov, 0, 1) == UC_ERR_OK, "Unicorn stops");
}

static void value_of(const char *name, void (*work)(void))
{
    double ours[FIGURE_ROUNDS], from;

    for (unsigned r = 0; r < FIGURE_ROUNDS; r++) {
        from = figure_now();
        for (unsigned i = 0; i < 500; i++)
            work();
        ours[r] = (figure_now() - from) / 500 / PASS;
    }
    figure_value(name, figure_median(ours, FIGURE_ROUNDS), "ns");
}

/* callgrind counts what svmc_exec_x86_start does here, callbacks included. */
static int count(void)
{
    for (unsigned i = 0; i < COUNTED; i++)
        finish_mov();
    printf("%u\n", COUNTED * PASS);
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t device = DEVICE;

    must(svmc_exec_init(&x, &ops, NULL) == SVMC_OK, "no record");
    regs = (struct svmc_exec_x86){ .address_bits = 48, .rflags = 2, .cr0 = 1 };
    regs.general[SVMC_REG_RBX] = DEVICE;
    if (argc > 1 && strcmp(argv[1], "--count") == 0)
        return count();
    must(uc_open(UC_ARCH_X86, UC_MODE_64, &peer) == UC_ERR_OK &&
             uc_mem_map(peer, CODE, 4096, UC_PROT_ALL) == UC_ERR_OK &&
             uc_mmio_map(peer, DEVICE, 4096, peer_read, NULL, peer_write, NULL) == UC_ERR_OK &&
             uc_mem_write(peer, CODE, mov, sizeof mov) == UC_ERR_OK &&
             uc_reg_write(peer, UC_X86_REG_RBX, &device) == UC_ERR_OK,
         "no Unicorn");
    figure("finish.mov-mmio", finish_mov, "unicorn", peer_mov, 20, PASS);
    value_of("finish.load", finish_load);
    value_of("finish.add", finish_add);
    value_of("finish.lock", finish_lock);
    value_of("finish.movs", finish_movs);
    uc_close(peer);
    return 0;
}
