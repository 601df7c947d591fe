/* SPDX-License-Identifier: MIT */
/* What the files of exec_native.c share: a form, an execution of it, the test's state. */
#ifndef CHECKS_EXEC_NATIVE_H
#define CHECKS_EXEC_NATIVE_H
#include <stdbool.h>
#include <svmcore/svmcore.h>

#include "../harness.h"
#include "exec_stub.h"

#define FORMS_MAX   8192u
#define ARENA_BYTES (ARENA_PAGES * ARENA_PAGE)

enum map {
    MAP_1,
    MAP_0F,
    MAP_0F38,
    MAP_0F3A,
    MAP_VEX1,
    MAP_VEX2,
    MAP_VEX3,
    MAP_EVEX1,
    MAP_EVEX2,
    MAP_EVEX3,
    MAPS
};

/* What a form's encodings have in common; the rest is drawn. */
struct form {
    uint8_t map, opcode, pp, w, reg, lock;
    uint8_t length, broadcast; /* of vectors: 0, 1, 2: 128, 256, 512 bits; EVEX.b */
    bool group;                /* reg is part of the opcode */
    bool sib;                  /* and wants a SIB byte */
    bool state;                /* vector registers are loaded and compared */
    uint16_t id, mem_bytes, flags;
    uint8_t reg_bytes, operand_bytes, access;
    uint64_t runs, faults;
};

/* An encoding in hand, and where its displacement stands. */
struct code {
    uint8_t bytes[SVMC_INSN_MAX + 8];
    unsigned count, disp_at, disp_bytes;
};

struct trial {
    struct code c;
    struct svmc_insn insn;
    struct svmc_exec_x86 before, after;
    struct svmc_exec_result out;
    struct stub stub;
    struct stub_state state, theirs; /* before; the processor's after */
    uint64_t linear;                 /* of the memory operand */
};

struct exec_native {
    struct form forms[FORMS_MAX];
    unsigned form_count;
    bool unfinished[2048]; /* by enum svmc_x86_id: with memory, and left to others */
    struct svmc_cpu cpu;
    uint64_t seed, failures, skipped, left_open;
    unsigned mode; /* bits of the code */
    uint8_t shadow[ARENA_BYTES];
    bool out_of_reach; /* the case at hand asks for memory whose state is not known */
    struct svmc_exec record;
};
extern struct exec_native native;
static uint8_t *const arena = (uint8_t *)(uintptr_t)ARENA;

/* exec_form.c. plain: nothing is drawn, and the bytes are the same each time. */
void exec_form_encode(struct code *c, const struct form *f, bool plain);
bool exec_form_is(const struct form *f, const struct svmc_insn *insn);
/* All forms of the mode: forms, form_count, unfinished. */
void exec_form_find(void);
/* Segments as the program has them: user_desc of the stub, flat ones of Linux. */
void exec_form_set_mode(struct svmc_exec_x86 *regs);

/* exec_draw.c */
unsigned exec_draw(unsigned bound);
bool exec_in_arena(uint64_t at, unsigned bytes);
/* Bytes that are of the form: whether some were found. */
bool exec_draw_encoding(struct trial *t, const struct form *f);
/* Registers, vectors (first: all of them), memory. False: not to be executed; where the length is 0
   its encoding is of no more use. */
bool exec_draw_case(struct trial *t, const struct form *f, bool first);

/* exec_compare.c. value: what memory held before; all: of the arena. */
void exec_show(const struct trial *t, const char *what);
void exec_compare(struct trial *t, uint64_t value);
void exec_compare_memory(struct trial *t, bool all);

#endif
