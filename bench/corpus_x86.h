/* SPDX-License-Identifier: MIT */
/**
 * The trapping set: 64-bit forms that make a guest exit, because they touch a device's memory or
 * because a hypervisor intercepts them. Every form is a record of its own; no two are equal.
 */
#ifndef BENCH_CORPUS_X86_H
#define BENCH_CORPUS_X86_H
#include "corpus.h"

#define FORMS_MAX 4096u
#define FORMS_MIN 1000u

enum {           /* of struct op: what may stand before, what stands behind the opcode */
       BYTE = 1, /* 8-bit: prefix 66 and REX.W say nothing new */
       LOCKED = 2,
       IMM8 = 4,
       IMMZ = 8,   /* 2 bytes under prefix 66, else 4 */
       REG = 16,   /* ModRM.reg is a register: REX.R says something */
       NO_66 = 32, /* no other operand size by prefix 66 */
       NO_W = 64,
};

/* One operation on memory: map and opcode as 0x0fxx, 0x0f38xx, mandatory prefix, ModRM.reg. */
struct op {
    uint32_t opcode;
    uint8_t mandatory, reg;
    uint16_t flags;
};

static const struct op integer_ops[] = {
    { 0x88, 0, 1, BYTE | REG },
    { 0x89, 0, 2, REG },
    { 0x8a, 0, 3, BYTE | REG },
    { 0x8b, 0, 0, REG },
    { 0xc6, 0, 0, BYTE | IMM8 },
    { 0xc7, 0, 0, IMMZ },
    { 0x0fb6, 0, 1, REG },
    { 0x0fb7, 0, 2, REG | NO_66 },
    { 0x0fbe, 0, 3, REG },
    { 0x0fbf, 0, 6, REG | NO_66 },
    { 0x63, 0, 0, REG | NO_66 },
    { 0x00, 0, 1, BYTE | REG | LOCKED },
    { 0x01, 0, 0, REG | LOCKED },
    { 0x03, 0, 2, REG },
    { 0x09, 0, 1, REG | LOCKED },
    { 0x0b, 0, 7, REG },
    { 0x21, 0, 1, REG | LOCKED },
    { 0x22, 0, 0, BYTE | REG },
    { 0x23, 0, 6, REG },
    { 0x29, 0, 3, REG | LOCKED },
    { 0x31, 0, 0, REG | LOCKED },
    { 0x33, 0, 1, REG },
    { 0x38, 0, 2, BYTE | REG },
    { 0x39, 0, 7, REG },
    { 0x3a, 0, 0, BYTE | REG },
    { 0x3b, 0, 2, REG },
    { 0x80, 0, 4, BYTE | IMM8 | LOCKED },
    { 0x80, 0, 7, BYTE | IMM8 },
    { 0x81, 0, 1, IMMZ | LOCKED },
    { 0x81, 0, 7, IMMZ },
    { 0x83, 0, 0, IMM8 | LOCKED },
    { 0x83, 0, 4, IMM8 | LOCKED },
    { 0x83, 0, 7, IMM8 },
    { 0x84, 0, 1, BYTE | REG },
    { 0x85, 0, 0, REG },
    { 0x86, 0, 3, BYTE | REG | LOCKED },
    { 0x87, 0, 0, REG | LOCKED },
    { 0xf6, 0, 0, BYTE | IMM8 },
    { 0xf7, 0, 0, IMMZ },
    { 0xf7, 0, 2, LOCKED },
    { 0xf7, 0, 3, LOCKED },
    { 0xf7, 0, 4, 0 },
    { 0xf7, 0, 6, 0 },
    { 0xfe, 0, 0, BYTE | LOCKED },
    { 0xff, 0, 0, LOCKED },
    { 0xff, 0, 1, LOCKED },
    { 0xff, 0, 6, NO_W },
    { 0x8f, 0, 0, NO_W },
    { 0xc1, 0, 4, IMM8 },
    { 0xc1, 0, 5, IMM8 },
    { 0xd1, 0, 5, 0 },
    { 0xd3, 0, 7, 0 },
    { 0x0fa3, 0, 0, REG },
    { 0x0fab, 0, 1, REG | LOCKED },
    { 0x0fb3, 0, 2, REG | LOCKED },
    { 0x0fbb, 0, 3, REG | LOCKED },
    { 0x0fba, 0, 4, IMM8 },
    { 0x0fba, 0, 5, IMM8 | LOCKED },
    { 0x0fba, 0, 6, IMM8 | LOCKED },
    { 0x0fb0, 0, 1, BYTE | REG | LOCKED },
    { 0x0fb1, 0, 2, REG | LOCKED },
    { 0x0fc0, 0, 1, BYTE | REG | LOCKED },
    { 0x0fc1, 0, 0, REG | LOCKED },
    { 0x0fc7, 0, 1, NO_66 | LOCKED },
    { 0x0fc3, 0, 0, REG | NO_66 },
    { 0x0f38f0, 0, 1, REG },
    { 0x0f38f1, 0, 0, REG },
    { 0x0f44, 0, 0, REG },
    { 0x0f94, 0, 0, BYTE },
    { 0x0faf, 0, 2, REG },
};

static const struct op vector_ops[] = {
    { 0x0f10, 0, 0, 0 },    { 0x0f11, 0, 1, 0 },    { 0x0f28, 0, 2, 0 },    { 0x0f29, 0, 3, 0 },
    { 0x0f2b, 0, 1, 0 },    { 0x0f12, 0, 0, 0 },    { 0x0f13, 0, 0, 0 },    { 0x0f16, 0, 1, 0 },
    { 0x0f17, 0, 1, 0 },    { 0x0f10, 0x66, 0, 0 }, { 0x0f11, 0x66, 1, 0 }, { 0x0f28, 0x66, 2, 0 },
    { 0x0f29, 0x66, 3, 0 }, { 0x0f10, 0xf3, 1, 0 }, { 0x0f11, 0xf3, 2, 0 }, { 0x0f10, 0xf2, 3, 0 },
    { 0x0f11, 0xf2, 0, 0 }, { 0x0f6f, 0, 0, 0 },    { 0x0f7f, 0, 1, 0 },    { 0x0f6f, 0x66, 0, 0 },
    { 0x0f7f, 0x66, 1, 0 }, { 0x0f6f, 0xf3, 2, 0 }, { 0x0f7f, 0xf3, 3, 0 }, { 0x0f6e, 0x66, 0, 0 },
    { 0x0f7e, 0x66, 1, 0 }, { 0x0f7e, 0xf3, 0, 0 }, { 0x0fd6, 0x66, 1, 0 }, { 0x0fe7, 0, 0, 0 },
    { 0x0fe7, 0x66, 1, 0 }, { 0x0ff0, 0xf2, 0, 0 },
};

/* VEX.pp, opcode in map 0F: loads and stores of 16 and 32 bytes. */
static const uint8_t avx_ops[][2] = { { 0, 0x10 }, { 0, 0x11 }, { 0, 0x28 }, { 0, 0x29 },
                                      { 0, 0x2b }, { 1, 0x6f }, { 1, 0x7f }, { 2, 0x6f },
                                      { 2, 0x7f }, { 1, 0xe7 }, { 1, 0x28 }, { 1, 0x29 } };

/* mod and rm, then SIB and displacement; REX bits that go with them. */
struct shape {
    uint8_t modrm, count, tail[5], rex;
};

static const struct shape shapes[] = {
    { 0x03, 0, { 0 }, 0 },                            /* [rbx] */
    { 0x47, 1, { 0x10 }, 0 },                         /* [rdi+0x10] */
    { 0x04, 1, { 0x8b }, 0 },                         /* [rbx+rcx*4] */
    { 0x05, 4, { 0x34, 0x12, 0x00, 0x00 }, 0 },       /* [rip+0x1234] */
    { 0x84, 5, { 0x24, 0x80, 0x00, 0x00, 0x00 }, 0 }, /* [rsp+0x80] */
    { 0x44, 2, { 0xc8, 0xf8 }, 0 },                   /* [rax+rcx*8-8] */
    { 0x80, 4, { 0x00, 0x10, 0x00, 0x00 }, 1 },       /* [r8+0x1000] */
    { 0x45, 1, { 0x00 }, 1 },                         /* [r13+0] */
    { 0x04, 5, { 0x25, 0xf0, 0x00, 0xe0, 0x00 }, 0 }, /* [0xe000f0] */
    { 0x44, 2, { 0x54, 0x20 }, 3 },                   /* [r12+r10*2+0x20] */
    { 0x04, 5, { 0x4d, 0x00, 0x00, 0xc0, 0xfe }, 0 }, /* [rcx*2-0x1400000] */
    { 0x86, 4, { 0xb0, 0x00, 0x00, 0x00 }, 0 },       /* [rsi+0xb0] */
};

#define SHAPE_COUNT (sizeof shapes / sizeof shapes[0])

/* The rest, as bytes: count first. */
static const uint8_t other_forms[][12] = {
    /* ports */
    { 2, 0xe4, 0x60 },
    { 2, 0xe5, 0x60 },
    { 2, 0xe6, 0x80 },
    { 2, 0xe7, 0x80 },
    { 3, 0x66, 0xe5, 0x40 },
    { 3, 0x66, 0xe7, 0x43 },
    { 1, 0xec },
    { 1, 0xed },
    { 1, 0xee },
    { 1, 0xef },
    { 2, 0x66, 0xed },
    { 2, 0x66, 0xef },
    /* moffs */
    { 9, 0xa0, 0xf0, 0, 0xe0, 0xfe, 0, 0, 0, 0 },
    { 9, 0xa1, 0xf0, 0, 0xe0, 0xfe, 0, 0, 0, 0 },
    { 9, 0xa2, 0xf0, 0, 0xe0, 0xfe, 0, 0, 0, 0 },
    { 9, 0xa3, 0xf0, 0, 0xe0, 0xfe, 0, 0, 0, 0 },
    { 10, 0x66, 0xa1, 0xf0, 0, 0xe0, 0xfe, 0, 0, 0, 0 },
    { 10, 0x66, 0xa3, 0xf0, 0, 0xe0, 0xfe, 0, 0, 0, 0 },
    { 10, 0x48, 0xa1, 0xf0, 0, 0xe0, 0xfe, 0, 0, 0, 0 },
    { 10, 0x48, 0xa3, 0xf0, 0, 0xe0, 0xfe, 0, 0, 0, 0 },
    { 6, 0x67, 0xa1, 0xf0, 0, 0xe0, 0xfe },
    { 6, 0x67, 0xa3, 0xf0, 0, 0xe0, 0xfe },
    /* CPUID, MSR, time, random, idle */
    { 2, 0x0f, 0xa2 },
    { 2, 0x0f, 0x30 },
    { 2, 0x0f, 0x32 },
    { 2, 0x0f, 0x31 },
    { 3, 0x0f, 0x01, 0xf9 },
    { 2, 0x0f, 0x33 },
    { 3, 0x0f, 0xc7, 0xf0 },
    { 4, 0x48, 0x0f, 0xc7, 0xf2 },
    { 3, 0x0f, 0xc7, 0xf9 },
    { 1, 0xf4 },
    { 2, 0xf3, 0x90 },
    { 3, 0x0f, 0x01, 0xc8 },
    { 3, 0x0f, 0x01, 0xc9 },
    { 4, 0xf3, 0x0f, 0xc7, 0xf8 },
    /* control and debug registers */
    { 3, 0x0f, 0x20, 0xc0 },
    { 3, 0x0f, 0x20, 0xd1 },
    { 3, 0x0f, 0x20, 0xda },
    { 3, 0x0f, 0x20, 0xe3 },
    { 4, 0x44, 0x0f, 0x20, 0xc0 },
    { 3, 0x0f, 0x22, 0xc0 },
    { 3, 0x0f, 0x22, 0xd1 },
    { 3, 0x0f, 0x22, 0xda },
    { 3, 0x0f, 0x22, 0xe6 },
    { 4, 0x44, 0x0f, 0x22, 0xc7 },
    { 3, 0x0f, 0x21, 0xc0 },
    { 3, 0x0f, 0x21, 0xf9 },
    { 3, 0x0f, 0x23, 0xc0 },
    { 3, 0x0f, 0x23, 0xfa },
    { 2, 0x0f, 0x06 },
    { 3, 0x0f, 0x01, 0xf0 },
    { 3, 0x0f, 0x01, 0x33 },
    { 3, 0x0f, 0x01, 0xe0 },
    { 3, 0x0f, 0x01, 0x23 },
    { 3, 0x0f, 0x01, 0xd1 },
    { 3, 0x0f, 0x01, 0xd0 },
    /* descriptor tables, segments */
    { 3, 0x0f, 0x01, 0x03 },
    { 4, 0x0f, 0x01, 0x4b, 0x10 },
    { 3, 0x0f, 0x01, 0x13 },
    { 4, 0x0f, 0x01, 0x5b, 0x10 },
    { 3, 0x0f, 0x00, 0xc0 },
    { 3, 0x0f, 0x00, 0x0b },
    { 3, 0x0f, 0x00, 0xd0 },
    { 3, 0x0f, 0x00, 0x1b },
    { 3, 0x0f, 0x00, 0xe0 },
    { 3, 0x0f, 0x00, 0xe8 },
    { 3, 0x0f, 0x02, 0xc1 },
    { 3, 0x0f, 0x03, 0xc1 },
    { 2, 0x8e, 0xd8 },
    { 2, 0x8c, 0xd8 },
    { 2, 0x8e, 0x03 },
    { 3, 0x0f, 0x01, 0xf8 },
    /* TLB and caches */
    { 3, 0x0f, 0x01, 0x3b },
    { 4, 0x41, 0x0f, 0x01, 0x38 },
    { 5, 0x66, 0x0f, 0x38, 0x82, 0x0b },
    { 3, 0x0f, 0x01, 0xdf },
    { 3, 0x0f, 0x01, 0xfe },
    { 3, 0x0f, 0x01, 0xff },
    { 2, 0x0f, 0x08 },
    { 2, 0x0f, 0x09 },
    { 3, 0xf3, 0x0f, 0x09 },
    { 3, 0x0f, 0xae, 0x3b },
    { 4, 0x66, 0x0f, 0xae, 0x3b },
    { 4, 0x66, 0x0f, 0xae, 0x33 },
    /* hypercalls, virtualisation: AMD's */
    { 3, 0x0f, 0x01, 0xd9 },
    { 4, 0xf3, 0x0f, 0x01, 0xd9 },
    { 3, 0x0f, 0x01, 0xd8 },
    { 3, 0x0f, 0x01, 0xda },
    { 3, 0x0f, 0x01, 0xdb },
    { 3, 0x0f, 0x01, 0xdc },
    { 3, 0x0f, 0x01, 0xdd },
    { 3, 0x0f, 0x01, 0xde },
    /* extended state */
    { 3, 0x0f, 0xae, 0x03 },
    { 3, 0x0f, 0xae, 0x0b },
    { 3, 0x0f, 0xae, 0x23 },
    { 3, 0x0f, 0xae, 0x2b },
    { 3, 0x0f, 0xc7, 0x1b },
    { 3, 0x0f, 0xc7, 0x23 },
    { 3, 0x0f, 0xc7, 0x2b },
    /* interrupts, returns, the interrupt flag */
    { 2, 0xcd, 0x80 },
    { 1, 0xcc },
    { 1, 0xf1 },
    { 1, 0xcf },
    { 2, 0x48, 0xcf },
    { 1, 0xfa },
    { 1, 0xfb },
    { 1, 0x9c },
    { 1, 0x9d },
    { 2, 0x0f, 0x05 },
    { 3, 0x48, 0x0f, 0x07 },
};

struct forms {
    struct corpus all;
    size_t integer; /* bytes of the records before the first with a vector register */
};

static void form_add(struct corpus *c, const uint8_t *bytes, size_t count)
{
    uint8_t record[CORPUS_RECORD] = { 0 };

    if (c->count == FORMS_MAX * CORPUS_RECORD || count > CORPUS_WINDOW)
        corpus_fail("trapping set", "does not fit");
    memcpy(record, bytes, count);
    for (size_t i = 0; i < c->count; i += CORPUS_RECORD)
        if (memcmp(c->bytes + i, record, sizeof record) == 0)
            return;
    memcpy(c->bytes + c->count, record, sizeof record);
    c->count += CORPUS_RECORD;
}

static size_t put_opcode(uint8_t *f, uint32_t opcode)
{
    size_t n = 0;

    for (int shift = 16; shift >= 0; shift -= 8)
        if (opcode >> shift || shift == 0)
            f[n++] = (uint8_t)(opcode >> shift);
    return n;
}

/* prefixes[0..count), a REX with these bits where there are some, the operation on the shape. */
static void form_memory(struct corpus *c, const struct op *op, const struct shape *shape,
                        const uint8_t *prefixes, size_t count, uint8_t rex)
{
    uint8_t f[24];
    size_t n = 0, immediate = 0;

    for (size_t i = 0; i < count; i++)
        f[n++] = prefixes[i];
    if (op->mandatory)
        f[n++] = op->mandatory;
    if (rex | shape->rex)
        f[n++] = (uint8_t)(0x40 | rex | shape->rex);
    n += put_opcode(f + n, op->opcode);
    f[n++] = (uint8_t)(shape->modrm | op->reg << 3);
    memcpy(f + n, shape->tail, shape->count);
    n += shape->count;
    if (op->flags & IMM8)
        immediate = 1;
    if (op->flags & IMMZ)
        immediate = count && prefixes[0] == 0x66 && !(rex & 8) ? 2 : 4;
    while (immediate--)
        f[n++] = (uint8_t)(0x12 + immediate);
    form_add(c, f, n);
}

/* Sizes and register banks on shapes in turn, then one form a prefix. */
static void add_integer(struct corpus *c)
{
    static const uint8_t osize[] = { 0x66 }, asize[] = { 0x67 }, fs[] = { 0x64 }, gs[] = { 0x65 },
                         lock[] = { 0xf0 };
    unsigned turn = 0;

    for (unsigned i = 0; i < sizeof integer_ops / sizeof integer_ops[0]; i++) {
        const struct op *op = &integer_ops[i];
        bool sizes = !(op->flags & BYTE);

        for (unsigned j = 0; j < 5; j++)
            form_memory(c, op, &shapes[turn++ % SHAPE_COUNT], NULL, 0, 0);
        for (unsigned j = 0; j < 3; j++) {
            if (sizes && !(op->flags & NO_66))
                form_memory(c, op, &shapes[turn++ % SHAPE_COUNT], osize, 1, 0);
            if (sizes && !(op->flags & NO_W))
                form_memory(c, op, &shapes[turn++ % SHAPE_COUNT], NULL, 0, 8);
        }
        for (unsigned j = 0; j < 2 && op->flags & REG; j++)
            form_memory(c, op, &shapes[turn++ % SHAPE_COUNT], NULL, 0, sizes && j ? 12 : 4);
        form_memory(c, op, &shapes[turn++ % SHAPE_COUNT], asize, 1, 0);
        form_memory(c, op, &shapes[turn++ % SHAPE_COUNT], i % 2 ? fs : gs, 1, 0);
        if (op->flags & LOCKED) {
            form_memory(c, op, &shapes[turn++ % SHAPE_COUNT], lock, 1, 0);
            if (sizes)
                form_memory(c, op, &shapes[turn++ % SHAPE_COUNT], lock, 1, 8);
        }
    }
}

static void add_strings(struct corpus *c)
{
    static const uint8_t strings[] = { 0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac,
                                       0xad, 0xae, 0xaf, 0x6c, 0x6d, 0x6e, 0x6f };
    static const uint8_t prefixes[][4] = { { 0 },
                                           { 1, 0xf3 },
                                           { 1, 0x66 },
                                           { 1, 0x48 },
                                           { 2, 0x66, 0xf3 },
                                           { 2, 0xf3, 0x48 },
                                           { 2, 0x67, 0xf3 },
                                           { 1, 0xf2 } };

    for (unsigned i = 0; i < sizeof strings; i++)
        for (unsigned j = 0; j < sizeof prefixes / sizeof prefixes[0]; j++) {
            const uint8_t *p = prefixes[j];
            uint8_t f[4] = { 0 };
            bool is_byte = !(strings[i] & 1), compares = (strings[i] & ~9u) == 0xa6;

            if ((is_byte && (p[1] == 0x66 || p[p[0]] == 0x48)) || (p[1] == 0xf2 && !compares))
                continue;
            if (strings[i] < 0x70 && p[p[0]] == 0x48)
                continue;
            memcpy(f, p + 1, p[0]);
            f[p[0]] = strings[i];
            form_add(c, f, p[0] + 1u);
        }
}

static void add_vector(struct corpus *c)
{
    unsigned turn = 0;

    for (unsigned i = 0; i < sizeof vector_ops / sizeof vector_ops[0]; i++) {
        for (unsigned j = 0; j < 3; j++)
            form_memory(c, &vector_ops[i], &shapes[turn++ % SHAPE_COUNT], NULL, 0, 0);
        form_memory(c, &vector_ops[i], &shapes[turn++ % SHAPE_COUNT], NULL, 0, 4);
    }
    for (unsigned i = 0; i < sizeof avx_ops / sizeof avx_ops[0]; i++)
        for (unsigned j = 0; j < 4; j++) {
            const struct shape *s = &shapes[turn++ % 6]; /* those without REX bits */
            uint8_t f[12] = { 0xc5, (uint8_t)(0x78 | (j & 1) << 2 | avx_ops[i][0] | (j & 2) << 6),
                              avx_ops[i][1], (uint8_t)(s->modrm | 1 << 3) };

            memcpy(f + 4, s->tail, s->count);
            form_add(c, f, 4u + s->count);
        }
}

static struct forms forms_x86(void)
{
    struct forms f = { .all = { corpus_alloc(FORMS_MAX * CORPUS_RECORD), 0, CORPUS_RECORD } };

    add_integer(&f.all);
    add_strings(&f.all);
    for (unsigned i = 0; i < sizeof other_forms / sizeof other_forms[0]; i++)
        form_add(&f.all, other_forms[i] + 1, other_forms[i][0]);
    f.integer = f.all.count;
    add_vector(&f.all);
    if (f.all.count < FORMS_MIN * CORPUS_RECORD)
        corpus_fail("trapping set", "has too few forms");
    return f;
}

#endif
