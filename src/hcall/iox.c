/* SPDX-License-Identifier: MIT */
/** The I/O descriptor: a word <-> an I/O instruction of x86, and what it does. docs/spec/iox.md. */
#include <svmcore/iox.h>

#include <stdbool.h>

#include "../core/bytes.h"
#include "../core/callbacks.h"
#include "../core/clamp.h"
#include "../core/memory.h"

/* IO-2: bits of the low half, as open-vm-tools lib/include/backdoor_def.h describes them. */
#define W_SIZE       0x3u /* logarithm of the bytes; 3 is invalid */
#define W_IN         0x4u
#define W_WITH       0x8u /* not string: the port is in DX; string: REP */
#define W_STRING     0x10u
#define W_BACKWARD   0x20u /* string */
#define W_PORT_SHIFT 5u    /* neither: the port, 8 bits */
#define W_PORT       (0xffu << W_PORT_SHIFT)

#define RFLAGS_DF 0x400u /* Intel SDM vol. 1, 3.4.3.2 */

/* Opcodes with a port in DX or a string and one byte; SDM vol. 2, IN, OUT, INS, OUTS. */
#define OP_STRING   0x6cu
#define OP_PORT     0xe4u
#define OP_WIDE     0x01u /* 2 or 4 bytes */
#define OP_OUT      0x02u
#define OP_DX       0x08u /* not string */
#define PREFIX_SIZE 0x66u
#define PREFIX_REP  0xf3u

#define PAGE 4096u

/* IO-3: each field is one of its values, and 0 where the form has no use for it. */
static bool is_form(const struct svmc_iox *io)
{
    bool flags = io->in <= 1 && io->string + io->immediate <= 1 && io->repeat <= io->string &&
                 io->backward <= io->string;

    return flags && (io->bytes == 1 || io->bytes == 2 || io->bytes == 4) &&
           (io->immediate || io->port == 0) && io->reserved == 0;
}

enum svmc_status svmc_iox_encode(const struct svmc_iox *io, uint64_t *word)
{
    uint32_t low;

    if (!word)
        return SVMC_ERR_ARG;
    *word = 0;
    if (!io || !is_form(io))
        return SVMC_ERR_ARG;
    low = io->bytes >> 1; /* 1, 2, 4 -> 0, 1, 2 */
    if (io->in)
        low |= W_IN;
    if (io->string)
        low |= W_STRING | (io->backward ? W_BACKWARD : 0);
    if (io->string ? io->repeat : !io->immediate)
        low |= W_WITH;
    *word = (uint64_t)SVMC_IOX_MAGIC << 32 | low | (uint32_t)io->port << W_PORT_SHIFT;
    return SVMC_OK;
}

enum svmc_status svmc_iox_decode_low(uint32_t low, struct svmc_iox *out)
{
    bool string = (low & W_STRING) != 0, with = (low & W_WITH) != 0;
    uint32_t known = W_SIZE | W_IN | W_WITH | W_STRING;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (string)
        known |= W_BACKWARD;
    else if (!with)
        known |= W_PORT;
    if ((low & ~known) != 0 || (low & W_SIZE) == W_SIZE) /* IO-3 */
        return SVMC_ERR_UNDEFINED;
    out->bytes = (uint8_t)(1u << (low & W_SIZE));
    out->in = (low & W_IN) != 0;
    out->string = string;
    out->repeat = string && with;
    out->backward = string && (low & W_BACKWARD);
    out->immediate = !string && !with;
    out->port = (uint8_t)(out->immediate ? low >> W_PORT_SHIFT : 0);
    return SVMC_OK;
}

enum svmc_status svmc_iox_decode(uint64_t word, struct svmc_iox *out)
{
    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (word >> 32 != SVMC_IOX_MAGIC) /* IO-1 */
        return SVMC_ERR_MISMATCH;
    return svmc_iox_decode_low((uint32_t)word, out);
}

/* IO-4: the port of IN and OUT is the operand that is not data. */
static bool from_port(const struct svmc_insn *insn, struct svmc_iox *out)
{
    struct svmc_operand list[SVMC_OPERANDS_MAX];
    uint32_t count;

    if (svmc_insn_operands(insn, list, &count) != SVMC_OK || count != 2)
        return false;
    out->bytes = insn->reg_bytes;
    for (uint32_t i = 0; i < 2; i++)
        if (list[i].kind == SVMC_OPERAND_IMM) {
            out->immediate = 1;
            out->port = (uint8_t)list[i].imm;
        }
    return true;
}

enum svmc_status svmc_iox_from_insn(const struct svmc_insn *insn, uint64_t rflags,
                                    struct svmc_iox *out)
{
    struct svmc_iox io = { 0 };
    bool known = true;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!insn)
        return SVMC_ERR_ARG;
    if (insn->isa < SVMC_ISA_X86_16 || insn->isa > SVMC_ISA_X86_64)
        return SVMC_ERR_MISMATCH;
    io.in = insn->id == SVMC_X86_IN || insn->id == SVMC_X86_INS;
    io.string = insn->id == SVMC_X86_INS || insn->id == SVMC_X86_OUTS;
    if (io.string) {
        io.bytes = (uint8_t)insn->mem_bytes;
        io.repeat = (insn->flags & SVMC_INSN_REP) != 0;
        io.backward = (rflags & RFLAGS_DF) != 0;
    } else if (insn->id == SVMC_X86_IN || insn->id == SVMC_X86_OUT) {
        known = from_port(insn, &io);
    } else {
        known = false;
    }
    if (!known || !is_form(&io))
        return SVMC_ERR_MISMATCH;
    *out = io;
    return SVMC_OK;
}

enum svmc_status svmc_iox_to_x86(const struct svmc_iox *io, enum svmc_isa isa,
                                 uint8_t bytes[SVMC_IOX_X86_MAX], uint32_t *count)
{
    uint8_t text[4] = { 0 }; /* one more than is ever used: 66 and a port are not with a REP */
    uint32_t n = 0;

    if (!bytes || !count)
        return SVMC_ERR_ARG;
    memset(bytes, 0, SVMC_IOX_X86_MAX);
    *count = 0;
    if (!io || !is_form(io) || isa < SVMC_ISA_X86_16 || isa > SVMC_ISA_X86_64)
        return SVMC_ERR_ARG;
    if (io->bytes == (isa == SVMC_ISA_X86_16 ? 4 : 2)) /* IO-5: not the default of the mode */
        text[n++] = PREFIX_SIZE;
    if (io->repeat)
        text[n++] = PREFIX_REP;
    text[n++] = (uint8_t)((io->string ? OP_STRING : OP_PORT) | (io->bytes > 1 ? OP_WIDE : 0) |
                          (io->in ? 0 : OP_OUT) | (io->string || io->immediate ? 0 : OP_DX));
    if (io->immediate)
        text[n++] = io->port;
    memcpy(bytes, text, SVMC_IOX_X86_MAX);
    *count = n;
    return SVMC_OK;
}

/* IO-6 */
enum svmc_reg svmc_iox_reg(enum svmc_isa isa, unsigned n)
{
    static const uint8_t x86[SVMC_IOX_ARGS + 1] = {
        SVMC_REG_RAX, SVMC_REG_RBX, SVMC_REG_RCX, SVMC_REG_RDX,
        SVMC_REG_RSI, SVMC_REG_RDI, SVMC_REG_RBP, SVMC_REG_NONE,
    };

    if (n > SVMC_IOX_ARGS)
        return SVMC_REG_NONE;
    switch (isa) {
    case SVMC_ISA_X86_16:
    case SVMC_ISA_X86_32:
    case SVMC_ISA_X86_64:
        return (enum svmc_reg)x86[core_clamp(n, SVMC_IOX_ARGS + 1)];
    case SVMC_ISA_A64:
    case SVMC_ISA_A32:
    case SVMC_ISA_T32:
        return (enum svmc_reg)(SVMC_REG_X0 + n);
    case SVMC_ISA_RV32:
    case SVMC_ISA_RV64:
        return (enum svmc_reg)(SVMC_REG_RV_X0 + 10 + n); /* a0 to a7 */
    case SVMC_ISA_S390X:                                 /* r2 to r8; the word: r1 */
        return (enum svmc_reg)(SVMC_REG_S390_R0 + (n == SVMC_IOX_ARGS ? 1 : n + 2));
    default:
        return SVMC_REG_NONE;
    }
}

/* IO-8: the address sizes of the code that calls, as a sum of their bytes; 0: refused. */
static unsigned address_sizes(uint8_t isa)
{
    switch ((enum svmc_isa)isa) {
    case SVMC_ISA_X86_16:
    case SVMC_ISA_X86_32:
        return 2 | 4;
    case SVMC_ISA_X86_64:
        return 4 | 8;
    case SVMC_ISA_A32:
    case SVMC_ISA_T32:
    case SVMC_ISA_RV32:
        return 4;
    case SVMC_ISA_A64:
    case SVMC_ISA_RV64:
    case SVMC_ISA_S390X:
        return 8;
    default:
        return 0;
    }
}

static bool is_usable(const struct svmc_iox *io, const struct svmc_iox_regs *regs)
{
    unsigned reserved = 0, size = regs->address_bytes, sizes = address_sizes(regs->isa);

    for (unsigned i = 0; i < sizeof regs->reserved; i++)
        reserved |= regs->reserved[i];
    if (io->string && ((size != 2 && size != 4 && size != 8) || (size & sizes) == 0))
        return false;
    return sizes != 0 && reserved == 0;
}

/* One call of svmc_iox_perform. */
struct run {
    const struct svmc_iox *io;
    const struct svmc_iox_ops *ops;
    void *ctx;
    struct svmc_iox_regs *regs;
    struct svmc_fault *fault;
    uint16_t port;
    bool no_memory; /* IO-13: where the element lies */
    struct {
        uint64_t page; /* linear */
        uint8_t *at;   /* NULL: not looked for yet */
    } window[2];       /* IO-9: even and odd pages: an element lies in one of each at most */
};

/* IO-7: 1 and 2 bytes keep the rest of the register, 4 zero it: APM vol. 1, 3.1.2. */
static uint64_t merge(uint64_t old, uint64_t value, unsigned bytes)
{
    uint64_t mask = core_mask(bytes);

    return (bytes < 4 ? old & ~mask : 0) | (value & mask);
}

/* IO-9: where the byte at `linear` lies; NULL with a fault or an error, or it is no memory. */
static uint8_t *find(struct run *r, uint64_t linear, enum svmc_status *st)
{
    uint32_t access = r->io->in ? SVMC_ACCESS_WRITE : SVMC_ACCESS_READ;
    uint64_t page = linear & ~(uint64_t)(PAGE - 1), in_page = linear & (PAGE - 1);
    unsigned slot = linear >> 12 & 1u;
    struct svmc_fault *fault = r->fault;
    svmc_gva gva = { linear };
    svmc_gpa gpa = { 0 };
    void *span = NULL;

    *st = SVMC_OK;
    if (r->window[slot].at && r->window[slot].page == page)
        return r->window[slot].at + in_page;
    *st = SVMC_ERR_CALLBACK;
    memset(fault, 0, sizeof *fault);
    if (r->ops->translate(r->ctx, gva, access, &gpa, fault) != SVMC_OK)
        return NULL;
    if (fault->raised) { /* IO-10: what a callback gives is checked */
        if (svmc_core_is_fault(fault, r->regs->isa <= SVMC_ISA_X86_64))
            *st = SVMC_OK;
        return NULL;
    }
    if ((gpa.v & (PAGE - 1)) != in_page)
        return NULL;
    gpa.v -= in_page;
    if (r->ops->guest_span(r->ctx, gpa, PAGE, access, &span) != SVMC_OK)
        return NULL;
    *st = SVMC_OK;
    if (!span) { /* IO-13 */
        r->no_memory = true;
        return NULL;
    }
    r->window[slot].page = page;
    r->window[slot].at = span;
    return r->window[slot].at + in_page;
}

/* One access to the port; it can have failed before it did anything. */
static enum svmc_status one_port(struct run *r, uint32_t *value)
{
    enum svmc_status st;

    if (r->io->in) {
        *value = 0; /* not what the guest has, if the callback leaves it */
        st = r->ops->port_read(r->ctx, r->port, r->io->bytes, value);
    } else {
        st = r->ops->port_write(r->ctx, r->port, r->io->bytes, *value);
    }
    return st == SVMC_OK ? SVMC_OK : SVMC_ERR_CALLBACK; /* IO-11 */
}

/* IO-9: the memory first, so that nothing is read from a port that has no place to go. */
static enum svmc_status one_element(struct run *r, uint64_t linear, uint64_t linear_mask)
{
    uint32_t bytes = r->io->bytes, here = PAGE - (uint32_t)(linear & (PAGE - 1)), value;
    uint8_t raw[4] = { 0 }, *low, *high = NULL;
    enum svmc_status st;

    if (here > bytes)
        here = bytes;
    low = find(r, linear, &st);
    if (low && here < bytes)
        high = find(r, (linear + here) & linear_mask, &st);
    if (st != SVMC_OK || r->fault->raised || r->no_memory)
        return st;
    if (!r->io->in) {
        memcpy(raw, low, here);
        if (high)
            memcpy(raw + here, high, bytes - here);
    }
    value = core_load_le32(raw);
    st = one_port(r, &value);
    if (st != SVMC_OK || !r->io->in)
        return st;
    core_store_le32(raw, value);
    memcpy(low, raw, here);
    if (high)
        memcpy(high, raw + here, bytes - here);
    return SVMC_OK;
}

/* IO-8, IO-12: element by element; registers move after each, so that every stop is a clean one. */
static enum svmc_status perform_string(struct run *r, uint32_t budget, struct svmc_iox_result *out)
{
    const struct svmc_iox *io = r->io;
    unsigned size = r->regs->address_bytes;
    uint64_t mask = core_mask(size), step = io->backward ? 0 - (uint64_t)io->bytes : io->bytes;
    uint64_t linear_mask = core_mask(address_sizes(r->regs->isa) & 8 ? 8 : 4), linear;
    uint64_t *count = &r->regs->arg[SVMC_IOX_COUNT];
    uint64_t *at = io->in ? &r->regs->arg[SVMC_IOX_DESTINATION] : &r->regs->arg[SVMC_IOX_SOURCE];
    bool over = io->repeat && (*count & mask) == 0;
    enum svmc_status st;

    while (!over) {
        if (out->done == budget) {
            out->end = SVMC_IOX_MORE;
            return SVMC_OK;
        }
        linear = (r->regs->base + (*at & mask)) & linear_mask;
        st = one_element(r, linear, linear_mask);
        if (st != SVMC_OK)
            return st;
        if (r->fault->raised || r->no_memory) { /* IO-10, IO-13 */
            out->end = r->no_memory ? SVMC_IOX_NO_MEMORY : SVMC_IOX_FAULT;
            return SVMC_OK;
        }
        *at = merge(*at, *at + step, size);
        if (io->repeat)
            *count = merge(*count, *count - 1, size);
        over = !io->repeat || (*count & mask) == 0;
        out->done++;
    }
    out->end = SVMC_IOX_DONE;
    return SVMC_OK;
}

enum svmc_status svmc_iox_perform(const struct svmc_iox *io, const struct svmc_iox_ops *ops,
                                  void *ctx, uint32_t budget, struct svmc_iox_regs *regs,
                                  struct svmc_iox_result *out)
{
    struct run r = { .io = io, .ops = ops, .ctx = ctx, .regs = regs };
    uint64_t *data;
    uint32_t value;
    enum svmc_status st;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!io || !ops || !regs || budget == 0 || !CORE_HAS_OP(ops, port_read) ||
        !CORE_HAS_OP(ops, port_write) || !is_form(io) || !is_usable(io, regs))
        return SVMC_ERR_ARG;
    if (io->string && (!CORE_HAS_OP(ops, translate) || !CORE_HAS_OP(ops, guest_span)))
        return SVMC_ERR_UNSUPPORTED;
    r.fault = &out->fault;
    r.port = (uint16_t)(io->immediate ? io->port : regs->arg[SVMC_IOX_PORT]);
    if (io->string) {
        st = perform_string(&r, budget, out);
        if (out->end != SVMC_IOX_FAULT)
            memset(&out->fault, 0, sizeof out->fault);
        return st;
    }
    data = &regs->arg[SVMC_IOX_DATA];
    value = (uint32_t)(*data & core_mask(io->bytes));
    st = one_port(&r, &value);
    if (st != SVMC_OK)
        return st;
    if (io->in)
        *data = merge(*data, value, io->bytes);
    out->done = 1;
    out->end = SVMC_IOX_DONE;
    return SVMC_OK;
}
