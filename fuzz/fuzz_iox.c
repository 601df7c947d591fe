/* SPDX-License-Identifier: MIT */
/*
 * Any word, any x86 bytes, any registers, memory with holes, ports and memory callbacks that fail
 * or lie. Traps when a word that is accepted is not the one it encodes to, when x86 and the word
 * disagree, when registers are not those of the elements done, or when a run that is broken off
 * ends elsewhere than one that is not.
 */
#include <stdbool.h>
#include <string.h>
#include <svmcore/svmcore.h>

#include "input.h"

#define MEMORY 32768u
#define LONG   300u /* elements that are looked at */

static uint8_t memory[MEMORY], first[MEMORY], whole_memory[MEMORY];
static struct {
    unsigned calls, fail_at, accesses;
    uint32_t sum;
    uint8_t away; /* bit n: page n of the eight */
    uint8_t lie;  /* 0: none */
} world;

static bool fails(void)
{
    return ++world.calls == world.fail_at;
}

static enum svmc_status port_read(void *ctx, uint16_t port, uint32_t bytes, uint32_t *value)
{
    (void)ctx, (void)port;
    require(bytes == 1 || bytes == 2 || bytes == 4);
    if (fails())
        return SVMC_ERR_CALLBACK;
    *value = 0x9e3779b9u * ++world.accesses;
    return SVMC_OK;
}

static enum svmc_status port_write(void *ctx, uint16_t port, uint32_t bytes, uint32_t value)
{
    (void)ctx, (void)port;
    require((bytes == 1 || bytes == 2 || bytes == 4) && (bytes == 4 || value >> 8 * bytes == 0));
    if (fails())
        return SVMC_ERR_CALLBACK;
    world.sum = world.sum * 31 + value + ++world.accesses;
    return SVMC_OK;
}

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    (void)ctx, (void)access;
    require(!fault->raised && !fault->error && !fault->vector && !fault->address);
    if (fails())
        return SVMC_ERR_CALLBACK;
    out->v = at.v % MEMORY ^ (world.lie == 1 ? 64 : 0);
    if (world.away >> (at.v >> 12 & 7) & 1)
        *fault = (struct svmc_fault){ .raised = 1,
                                      .vector = world.lie == 2 ? 200 : 14,
                                      .address = at.v };
    return SVMC_OK;
}

static enum svmc_status guest_span(void *ctx, svmc_gpa at, size_t n, uint32_t access, void **span)
{
    (void)ctx, (void)access;
    require(at.v % 4096 == 0 && n == 4096 && at.v < MEMORY);
    if (fails())
        return SVMC_ERR_CALLBACK;
    *span = world.lie == 3 ? NULL : memory + at.v;
    return SVMC_OK;
}

static const struct svmc_iox_ops ops = {
    sizeof(struct svmc_iox_ops), port_read, port_write, translate, guest_span,
};

static void words(uint64_t word, struct svmc_iox *io)
{
    enum svmc_status st = svmc_iox_decode(word, io);
    struct svmc_iox low, back;
    struct svmc_insn insn;
    uint8_t bytes[SVMC_IOX_X86_MAX];
    uint64_t again;
    uint32_t count;

    require((st == SVMC_ERR_MISMATCH) == (word >> 32 != SVMC_IOX_MAGIC));
    if (st != SVMC_ERR_MISMATCH)
        require(svmc_iox_decode_low((uint32_t)word, &low) == st &&
                memcmp(&low, io, sizeof low) == 0);
    require((st == SVMC_OK) == (io->bytes != 0));
    if (st != SVMC_OK)
        return;
    require(svmc_iox_encode(io, &again) == SVMC_OK && again == word);
    for (enum svmc_isa isa = SVMC_ISA_X86_16; isa <= SVMC_ISA_X86_64; isa++) {
        struct svmc_cpu cpu = { .isa = (uint8_t)isa, .vendor = SVMC_VENDOR_INTEL };

        require(svmc_iox_to_x86(io, isa, bytes, &count) == SVMC_OK);
        require(svmc_insn_decode(&cpu, bytes, count, &insn) == SVMC_OK && insn.length == count);
        require(svmc_iox_from_insn(&insn, io->backward ? 0x400 : 0, &back) == SVMC_OK);
        require(memcmp(&back, io, sizeof back) == 0);
    }
}

/* What the registers must be after `done` elements, from what they were. */
static void check_registers(const struct svmc_iox *io, const struct svmc_iox_regs *was,
                            const struct svmc_iox_regs *is, uint32_t done)
{
    uint64_t mask = is->address_bytes == 2 ? 0xffff : is->address_bytes == 4 ? UINT32_MAX : ~0ull;
    uint64_t move = (uint64_t)done * io->bytes;
    unsigned pointer = io->in ? SVMC_IOX_DESTINATION : SVMC_IOX_SOURCE;

    for (unsigned n = 0; n < SVMC_IOX_ARGS; n++) {
        bool data = !io->string && io->in && n == SVMC_IOX_DATA;
        uint64_t by = 0;

        if (io->string && n == pointer)
            by = io->backward ? 0 - move : move;
        if (io->repeat && n == SVMC_IOX_COUNT)
            by = 0 - (uint64_t)done;
        if (by == 0 && !data)
            require(is->arg[n] == was->arg[n]);
        else if (!data)
            require((is->arg[n] & mask) == ((was->arg[n] + by) & mask) &&
                    (is->arg[n] & ~mask) == (mask == 0xffff ? was->arg[n] & ~mask : 0));
    }
    require(memcmp(&is->base, &was->base, sizeof *is - offsetof(struct svmc_iox_regs, base)) == 0);
}

/* To the end, or `steps` calls. Breaking off at `fail_at` must not be seen in what is left. */
static unsigned run(const struct svmc_iox *io, struct svmc_iox_regs *regs, uint32_t budget,
                    unsigned fail_at, unsigned steps)
{
    struct svmc_iox_result result;
    unsigned done = 0;

    memcpy(memory, first, sizeof memory);
    world.calls = world.accesses = 0;
    world.sum = 0;
    world.fail_at = fail_at;
    do {
        struct svmc_iox_regs was = *regs;
        unsigned accesses = world.accesses;
        enum svmc_status st = svmc_iox_perform(io, &ops, NULL, budget, regs, &result);

        require(st == SVMC_OK || st == SVMC_ERR_CALLBACK || (st == SVMC_ERR_ARG && done == 0));
        require((st == SVMC_OK) == (result.end != SVMC_IOX_FAILED) && result.done <= budget);
        require((result.end == SVMC_IOX_FAULT) == (result.fault.raised == 1));
        require(result.end != SVMC_IOX_MORE || result.done == budget);
        require(world.accesses - accesses == result.done);
        check_registers(io, &was, regs, result.done);
        done += result.done;
        if (st == SVMC_ERR_CALLBACK && world.calls >= world.fail_at && world.fail_at != 0)
            world.fail_at = 0; /* and once more */
        else if (st != SVMC_OK)
            break;
    } while (--steps > 0 && (result.end == SVMC_IOX_MORE || result.end == SVMC_IOX_FAILED));
    return done;
}

static void perform(const struct svmc_iox *io, struct input *in)
{
    struct svmc_iox_regs regs = { 0 }, start;
    uint32_t budget, sum;
    unsigned fail_at, done;
    uint8_t how = take_byte(in);

    regs.isa = how & 15;
    regs.address_bytes = (uint8_t)(2u << (how >> 4 & 3)); /* 16 is none */
    take(in, regs.arg, sizeof regs.arg);
    if (how & 64)
        take(in, &regs.base, sizeof regs.base);
    regs.arg[SVMC_IOX_COUNT] &= how & 128 ? ~(uint64_t)0 : ~(uint64_t)0xffffff00;
    world.away = take_byte(in);
    world.lie = take_byte(in) & 3;
    budget = 1u + take_byte(in);
    fail_at = take_byte(in);
    for (unsigned i = 0; i < MEMORY; i += 64)
        first[i] = (uint8_t)i;
    start = regs;
    done = run(io, &regs, LONG, 0, 1);
    sum = world.sum;
    memcpy(whole_memory, memory, MEMORY);
    if (done == LONG) /* more is left: the other way stops elsewhere */
        return;
    require(run(io, &start, budget, fail_at, 2 * LONG) == done && world.sum == sum);
    require(memcmp(&start, &regs, sizeof regs) == 0 && memcmp(memory, whole_memory, MEMORY) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };
    uint8_t head = take_byte(&in), text[SVMC_INSN_MAX];
    uint32_t low;
    struct svmc_iox io = { 0 }, refused;
    uint64_t word;

    if (head & 1) { /* bytes of x86 */
        struct svmc_cpu cpu = { .isa = (uint8_t)(1 + (head >> 1) % 3), .vendor = SVMC_VENDOR_AMD };
        struct svmc_insn insn;

        take(&in, text, sizeof text);
        if (svmc_insn_decode(&cpu, text, sizeof text, &insn) == SVMC_OK &&
            svmc_iox_from_insn(&insn, head & 0x80 ? 0x400 : 0, &io) == SVMC_OK) {
            require(svmc_iox_encode(&io, &word) == SVMC_OK);
            words(word, &refused);
            require(memcmp(&io, &refused, sizeof io) == 0);
        }
    } else if (head & 2) { /* a description of any bytes */
        take(&in, &io, sizeof io);
        if (svmc_iox_encode(&io, &word) == SVMC_OK)
            words(word, &refused);
        else
            require(word == 0);
    } else {
        take(&in, &low, sizeof low);
        words((head & 4 ? (uint64_t)head << 32 : 0x8600000000) | (head & 8 ? low : low & 0x1fff),
              &io);
    }
    perform(&io, &in);
    return 0;
}
