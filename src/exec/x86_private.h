/* SPDX-License-Identifier: MIT */
/** x86: what the files of one instruction's way share. */
#ifndef EXEC_X86_PRIVATE_H
#define EXEC_X86_PRIVATE_H
#include <svmcore/exec_x86.h>
#include "../decode/x86/x86.h"
#include "exec_private.h"

#define FLAG_CF     0x1u
#define FLAG_PF     0x4u
#define FLAG_AF     0x10u
#define FLAG_ZF     0x40u
#define FLAG_SF     0x80u
#define FLAG_TF     0x100u
#define FLAG_DF     0x400u
#define FLAG_OF     0x800u
#define FLAG_RF     0x10000u
#define FLAG_VM     0x20000u
#define FLAG_AC     0x40000u
#define FLAG_STATUS (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

#define CR0_PE         0x1u
#define CR0_EM         0x4u
#define CR0_TS         0x8u
#define CR0_NE         0x20u
#define CR0_AM         0x40000u
#define CR4_OSFXSR     0x200u
#define CR4_OSXMMEXCPT 0x400u
#define CR4_OSXSAVE    0x40000u
#define XCR0_AVX       0x6u  /* and what it needs */
#define XCR0_AVX512    0xe6u /* the same */
#define FSW_ES         0x80u
#define FSW_TOP        0x3800u

/* SDM vol. 3 table 6-1 */
#define VECTOR_DE 0u
#define VECTOR_DB 1u
#define VECTOR_UD 6u
#define VECTOR_NM 7u
#define VECTOR_SS 12u
#define VECTOR_GP 13u
#define VECTOR_MF 16u
#define VECTOR_AC 17u
#define VECTOR_XM 19u

/* Columns of x86_int.def and its like. */
enum x86_shape {
    SHAPE_NONE = 0, /* UNFINISHED */
    SHAPE_MOVE,     /* memory <- register or immediate; register <- memory, extended */
    SHAPE_MOVBE,
    SHAPE_XLAT,
    SHAPE_CHANGE,   /* memory and another operand, either is changed; flags */
    SHAPE_PAIR,     /* CMPXCHG8B, CMPXCHG16B */
    SHAPE_LINE,     /* MOVDIR64B */
    SHAPE_MULTIPLY, /* from here on memory is read alone ... */
    SHAPE_DIVIDE,
    SHAPE_COUNT,
    SHAPE_CRC32,
    SHAPE_BITS,
    SHAPE_MULX,
    SHAPE_CARRY,
    SHAPE_CMOV,
    SHAPE_SET, /* ... to here */
    SHAPE_STRING,
    SHAPE_PORT,
    SHAPE_MSR,
    SHAPE_PUSH,
    SHAPE_POP,
    SHAPE_ENTER,
    SHAPE_BRANCH,
    SHAPE_RETURN,
    SHAPE_HINT,
    SHAPE_FLUSH,
    /* x86_vec.def */
    SHAPE_VEC_MOVE,
    SHAPE_VEC_HALF,
    SHAPE_VEC_FILL,
    SHAPE_VEC_EXTRACT,
    SHAPE_VEC_INSERT,
    SHAPE_VEC_LANES,
    SHAPE_VEC_SHIFT,
    SHAPE_VEC_PAIRS,
    SHAPE_VEC_PACK,
    SHAPE_VEC_WIDEN,
    SHAPE_VEC_NARROW,
    SHAPE_VEC_UNPACK,
    SHAPE_VEC_SHUFFLE,
    SHAPE_VEC_BLEND,
    SHAPE_VEC_EXPAND,
    SHAPE_VEC_CIPHER,
    SHAPE_VEC_TEST,
    SHAPE_VEC_STRING,
    SHAPE_VEC_MASKED,
    SHAPE_VEC_GATHER,
    /* x86_float.def */
    SHAPE_FLOAT_PACKED,
    SHAPE_FLOAT_ONE,          /* the lowest element; what is above comes from the first source */
    SHAPE_FLOAT_FLAGS,        /* COMISS and its like */
    SHAPE_FLOAT_CONVERT,      /* to a whole register, or memory */
    SHAPE_FLOAT_CONVERT_ONE,  /* as ONE */
    SHAPE_FLOAT_CONVERT_PAIR, /* CVTPI2PS: two of them, as ONE */
    SHAPE_FLOAT_GENERAL,      /* to a general register */
    /* x86_fpu.def; operands of any width */
    SHAPE_FPU_LOAD,
    SHAPE_FPU_STORE,
    SHAPE_FPU_ARITHMETIC,
    SHAPE_FPU_CONTROL,
    SHAPE_FPU_ENVIRONMENT,
    SHAPE_FPU_MXCSR,
    SHAPE_FPU_AREA,
    /* x86_system.def */
    SHAPE_SYS_TABLE,
    SHAPE_SYS_WORD,
    SHAPE_SYS_LOAD,
    SHAPE_SYS_ASK,
    SHAPE_SYS_FORGET,
    SHAPE_SYS_SEGMENT,
    SHAPE_SYS_FAR,
    SHAPE_SYS_BACK,
    SHAPE_SYS_PUSHF,
    SHAPE_SYS_POPF,
    SHAPE_SYS_PUSHA,
    SHAPE_SYS_POPA,
    SHAPE_SYS_BOUND,
    SHAPE_SYS_ARPL
};

/* Bytes of an element, as a power of two: what masks and operations of x86_vec.def count. */
enum x86_element { ELEMENT_B = 0, ELEMENT_W = 1, ELEMENT_D = 2, ELEMENT_Q = 3, ELEMENT_X = 4 };

enum x86_operation {
    X86_OP_NONE = 0,
    X86_OP_ADD,
    X86_OP_OR,
    X86_OP_ADC,
    X86_OP_SBB,
    X86_OP_AND,
    X86_OP_SUB,
    X86_OP_XOR,
    X86_OP_CMP,
    X86_OP_TEST,
    X86_OP_INC,
    X86_OP_DEC,
    X86_OP_NEG,
    X86_OP_NOT,
    X86_OP_ROL, /* ROL to SAR: shifts */
    X86_OP_ROR,
    X86_OP_RCL,
    X86_OP_RCR,
    X86_OP_SHL,
    X86_OP_SHR,
    X86_OP_SAR,
    X86_OP_SHLD,
    X86_OP_SHRD,
    X86_OP_BT, /* BT to BTC */
    X86_OP_BTS,
    X86_OP_BTR,
    X86_OP_BTC,
    X86_OP_XCHG, /* from here on the register is written as well */
    X86_OP_XADD,
    X86_OP_CMPXCHG,
    X86_OP_MUL,
    X86_OP_IMUL,
    X86_OP_DIV,
    X86_OP_IDIV,
    X86_OP_BSF,
    X86_OP_BSR,
    X86_OP_TZCNT,
    X86_OP_LZCNT,
    X86_OP_POPCNT,
    X86_OP_ANDN,
    X86_OP_BEXTR,
    X86_OP_BLSI,
    X86_OP_BLSMSK,
    X86_OP_BLSR,
    X86_OP_BZHI,
    X86_OP_PDEP,
    X86_OP_PEXT,
    X86_OP_RORX,
    X86_OP_SARX,
    X86_OP_SHLX,
    X86_OP_SHRX,
    X86_OP_ADCX,
    X86_OP_ADOX,
    X86_OP_MOVS,
    X86_OP_STOS,
    X86_OP_LODS,
    X86_OP_SCAS,
    X86_OP_CMPS,
    X86_OP_INS,
    X86_OP_OUTS,
    X86_OP_CALL,
    X86_OP_JMP
};

enum x86_who { WHO_ANY = 0, WHO_IO = 1, WHO_KERNEL = 2, WHO_UMIP = 3 };

struct x86_run {
    struct exec_run r;
    struct svmc_exec_x86 *regs;
    const struct svmc_insn *insn;
    uint64_t next; /* RIP behind it */
    uint8_t shape; /* of the table */
    uint8_t op;
    uint8_t element; /* enum x86_element */
    uint8_t opcode;  /* its last byte */
    bool wide;       /* 64-bit mode */
    uint8_t shadow;  /* behind it, where it casts one */
    bool keeps_rf;   /* IRET: RF is what it has popped */
};

static inline uint64_t x86_get(const struct x86_run *e, unsigned reg, unsigned bytes)
{
    return e->regs->general[reg & 15] & core_mask(bytes); /* clamp: four bits */
}

/* XE-19 */
static inline void x86_set(struct x86_run *e, unsigned reg, unsigned bytes, uint64_t value)
{
    uint64_t *at = &e->regs->general[reg & 15]; /* clamp: four bits */
    uint64_t mask = core_mask(bytes);

    *at = bytes >= 4 ? value & mask : (*at & ~mask) | (value & mask);
}

/* The register operand of the instruction, AH to BH as well. */
static inline uint64_t x86_get_reg(const struct x86_run *e)
{
    unsigned shift = e->insn->flags & SVMC_INSN_HIGH_REG ? 8 : 0;

    return (e->regs->general[e->insn->reg & 15] >> shift) & /* clamp: four bits */
           core_mask(e->insn->reg_bytes);
}

static inline void x86_set_reg(struct x86_run *e, uint64_t value)
{
    uint64_t *at = &e->regs->general[e->insn->reg & 15]; /* clamp: four bits */

    if (e->insn->flags & SVMC_INSN_HIGH_REG)
        *at = (*at & ~(uint64_t)0xff00) | (value & 0xff) << 8;
    else
        x86_set(e, e->insn->reg, e->insn->reg_bytes, value);
}

static inline unsigned x86_vvvv(const struct x86_run *e)
{
    return x86_vvvv_of(e->insn->priv_raw[2], e->wide) & 15;
}

static inline void x86_set_status(struct x86_run *e, uint64_t flags)
{
    e->regs->rflags = (e->regs->rflags & ~(uint64_t)FLAG_STATUS) | (flags & FLAG_STATUS);
}

/* The bytes that a bit string is away from its address (XE-22). */
static inline bool x86_is_bit_string(const struct x86_run *e)
{
    return e->op >= X86_OP_BT && e->op <= X86_OP_BTC && e->insn->reg_kind == SVMC_REG_KIND_GPR;
}

/** XE-13: the linear address of bytes at seg:offset, or a fault. access: READ, WRITE bits. */
EXEC_FN bool svmc_exec_x86_linear_slow(struct x86_run *e, unsigned segment, uint64_t offset,
                                       unsigned bytes, uint32_t access, uint64_t *linear);

/** XE-14: an address that its width does not divide, with RFLAGS.AC; true: no matter. */
EXEC_FN bool svmc_exec_x86_misaligned(struct x86_run *e);

static inline bool x86_is_canonical(const struct x86_run *e, uint64_t address)
{
    return (uint64_t)core_sign_extend(address, e->regs->address_bits) == address;
}

/* SDM vol. 3 table 6-7: what an address has to be a multiple of; the rest has rules of its own. */
static inline unsigned x86_unit(unsigned bytes)
{
    if (__builtin_expect(bytes <= 8, 1))
        return bytes;
    return bytes == 10 ? 8 : bytes == 28 || bytes == 108 ? 4 : bytes == 14 || bytes == 94 ? 2 : 1;
}

/* XE-14 */
static inline bool x86_is_aligned(struct x86_run *e, uint64_t linear, unsigned bytes)
{
    return __builtin_expect(!(e->regs->rflags & FLAG_AC), 1) ||
           (linear & (x86_unit(bytes) - 1)) == 0 || svmc_exec_x86_misaligned(e);
}

/** Address, checks, translation (XE-1) of an operand at seg:offset. */
static inline bool x86_reach(struct x86_run *e, unsigned segment, uint64_t offset, unsigned bytes,
                             uint32_t access, struct exec_span *span)
{
    uint64_t linear = offset;

    if (__builtin_expect(!e->wide || segment >= SVMC_SEG_FS || !x86_is_canonical(e, offset) ||
                             !x86_is_canonical(e, offset + bytes - 1),
                         0) &&
        !svmc_exec_x86_linear_slow(e, segment, offset, bytes, access, &linear))
        return false;
    return x86_is_aligned(e, linear, bytes) && exec_reach(&e->r, linear, bytes, access, span);
}

/** The offset of the instruction's memory operand (AD-2 to AD-8 of docs/spec/address.md). */
static inline uint64_t x86_offset(const struct x86_run *e)
{
    const struct svmc_insn *insn = e->insn;
    const uint64_t *general = e->regs->general;
    uint64_t at = (uint64_t)insn->disp;

    if (insn->base < 16)
        at += general[insn->base & 15]; /* clamp: four bits */
    else if (insn->base == SVMC_REG_RIP)
        at += e->regs->rip + insn->length;
    if (insn->index < 16)
        at += general[insn->index & 15] * insn->scale; /* clamp: four bits */
    return at;
}

/** The instruction's memory operand, translated. */
static inline bool x86_reach_memory(struct x86_run *e, uint32_t access, struct exec_span *span)
{
    return x86_reach(e, e->insn->segment, x86_offset(e) & core_mask(e->insn->address_bytes),
                     e->insn->mem_bytes, access, span);
}

/** Read as a number; false: stop. */
static inline bool x86_read(struct x86_run *e, const struct exec_span *span, uint64_t *value)
{
    const uint8_t *data = svmc_exec_read(&e->r, span);

    if (data == NULL)
        return false;
    *value = core_load_le64(data); /* above its bytes it is zero */
    return true;
}

/* Shapes: true: done, registers but RIP are written. */
EXEC_FN bool svmc_exec_x86_change(struct x86_run *e);
EXEC_FN bool svmc_exec_x86_pair(struct x86_run *e);
EXEC_FN bool svmc_exec_x86_line(struct x86_run *e);
EXEC_FN bool svmc_exec_x86_compute(struct x86_run *e);
EXEC_FN bool svmc_exec_x86_push(struct x86_run *e);
EXEC_FN bool svmc_exec_x86_pop(struct x86_run *e);
EXEC_FN bool svmc_exec_x86_enter(struct x86_run *e);
EXEC_FN bool svmc_exec_x86_branch(struct x86_run *e);
EXEC_FN bool svmc_exec_x86_return(struct x86_run *e);
EXEC_FN bool svmc_exec_x86_msr(struct x86_run *e);
EXEC_FN bool svmc_exec_x86_segment(struct x86_run *e);
EXEC_FN bool svmc_exec_x86_system(struct x86_run *e);
EXEC_FN bool svmc_exec_x86_port(struct x86_run *e);

bool svmc_exec_x86_vec(struct x86_run *e);   /* x86_vec.def */
bool svmc_exec_x86_float(struct x86_run *e); /* x86_float.def */

/** A string instruction; with false the action may be AGAIN. */
EXEC_FN bool svmc_exec_x86_string(struct x86_run *e);

/** XE-17 */
EXEC_FN bool svmc_exec_x86_may_use_port(struct x86_run *e, unsigned port, unsigned bytes);

/*
 * Arithmetic of `bits` bits. flags: those before; the result's status flags are put in.
 */
EXEC_FN uint64_t svmc_exec_x86_alu(unsigned op, uint64_t a, uint64_t b, unsigned bits,
                                   uint64_t *flags);
EXEC_FN uint64_t svmc_exec_x86_shift(unsigned op, uint64_t a, unsigned by, unsigned bits,
                                     uint64_t *flags);
EXEC_FN uint64_t svmc_exec_x86_shift_two(unsigned op, uint64_t a, uint64_t b, unsigned by,
                                         unsigned bits, uint64_t *flags);
/** Low half of a product; *high: the other. is_signed: both factors are sign-extended. */
EXEC_FN uint64_t svmc_exec_x86_multiply(uint64_t a, uint64_t b, unsigned bits, bool is_signed,
                                        uint64_t *high);
/** out: quotient, rest; false: #DE. */
EXEC_FN bool svmc_exec_x86_divide(uint64_t high, uint64_t low, uint64_t by, unsigned bits,
                                  bool is_signed, uint64_t out[2]);
/** BSF and BSR: of a value that is not 0. */
EXEC_FN uint64_t svmc_exec_x86_count(unsigned op, uint64_t value, unsigned bits, uint64_t *flags);
EXEC_FN uint64_t svmc_exec_x86_bits(unsigned op, uint64_t a, uint64_t b, unsigned bits,
                                    uint64_t *flags);
EXEC_FN uint32_t svmc_exec_x86_crc32(uint32_t crc, uint64_t value, unsigned bytes);
/** A condition by its four bits (SDM vol. 2 appendix B.1.4.7). */
EXEC_FN bool svmc_exec_x86_condition(unsigned code, uint64_t flags);

#endif
