/* SPDX-License-Identifier: MIT */
/*
 * The executor beside the processor that runs the test: every form of every instruction that is
 * finished, user mode, 64, 32 and 16 bits, with random registers, flags, memory and operands, by
 * both. Registers, flags, memory, faults with their error code and address have to be the same
 * outside of what the manual leaves undefined (exec_flags.h).
 *
 * The forms are found by asking the decoder about all opcodes. SVMC_COUNT executions are shared out
 * among them, at least SVMC_LEAST each; SVMC_FORMS names a file that gets the count of each form,
 * SVMC_NAMES how the text of the forms begins that are tried at all.
 * Rules XE-1 XE-9 XE-11 XE-13 XE-14 XE-15 XE-18 XE-19 XE-20 XE-22.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../decode/x86/native_features.h"
#include "../harness.h"
#include "exec_float.h"
#include "exec_fpu.h"
#include "exec_native.h"
#include "exec_state.h"

#define LEAST 2000u

struct exec_native native;

/* ---- the library's side: a copy of the arena ---- */

static bool is_there(uint64_t at, uint32_t access)
{
    uint64_t page = (at - ARENA) / ARENA_PAGE;

    if (at < ARENA || page >= ARENA_PAGES)
        return false;
    return page >= 1 && (page <= 3 || (page == 4 && !(access & SVMC_ACCESS_WRITE)));
}

static enum svmc_status translate(void *ctx, svmc_gva at, uint32_t access, svmc_gpa *out,
                                  struct svmc_fault *fault)
{
    uint64_t page = (at.v - ARENA) / ARENA_PAGE;

    (void)ctx;
    out->v = at.v;
    if (is_there(at.v, access))
        return SVMC_OK;
    if (at.v < 0x10000 || at.v >> 32 != 0 || (at.v >= STUB_BASE && at.v < STUB_END))
        native.out_of_reach = true;
    *fault = (struct svmc_fault){ .raised = 1,
                                  .vector = 14,
                                  .has_error = 1,
                                  .error = (page == 4 && at.v >= ARENA ? 1u : 0u) |
                                           (access & SVMC_ACCESS_WRITE ? 2u : 0u) |
                                           (access & SVMC_EXEC_USER ? 4u : 0u),
                                  .address = at.v };
    return SVMC_OK;
}

static enum svmc_status read(void *ctx, svmc_gpa at, void *dst, size_t n)
{
    (void)ctx;
    memcpy(dst, native.shadow + (at.v - ARENA), n);
    return SVMC_OK;
}

static enum svmc_status write(void *ctx, svmc_gpa at, const void *src, size_t n)
{
    (void)ctx;
    memcpy(native.shadow + (at.v - ARENA), src, n);
    return SVMC_OK;
}

static enum svmc_status exchange(void *ctx, svmc_gpa at, void *expected, const void *desired,
                                 size_t n)
{
    uint8_t held[16];

    (void)ctx;
    memcpy(held, native.shadow + (at.v - ARENA), n);
    if (memcmp(held, expected, n) == 0)
        memcpy(native.shadow + (at.v - ARENA), desired, n);
    memcpy(expected, held, n);
    return SVMC_OK;
}

static const struct svmc_exec_ops ops = {
    .size = sizeof ops,
    .translate = translate,
    .read = read,
    .write = write,
    .exchange = exchange,
    .vector_read = exec_state_read,
    .vector_write = exec_state_write,
    .vec_op = exec_float_op,
};

/* ---- one execution ---- */

/* XE-81: what makes many accesses pauses. */
static enum svmc_status finish(struct trial *t)
{
    enum svmc_status st = svmc_exec_x86_start(&native.record, &t->after, &t->insn, &t->out);

    while (st == SVMC_OK && t->out.action == SVMC_EXEC_PENDING &&
           native.record.wait.kind == SVMC_EXEC_PAUSE)
        st = svmc_exec_x86_resume(&native.record, &t->after, &t->out);
    return st;
}

static void execute(struct trial *t, struct form *f)
{
    uint64_t value = 0;

    if (exec_in_arena(t->linear, 8))
        memcpy(&value, native.shadow + (t->linear - ARENA), 8);
    t->after = t->before;
    t->stub.state = NULL;
    if (f->state) {
        t->state = exec_state.now;
        t->theirs = exec_state.now;
        t->stub.state = &t->theirs;
    }
    native.out_of_reach = false;
    if (finish(t) != SVMC_OK ||
        (t->out.action != SVMC_EXEC_DONE && t->out.action != SVMC_EXEC_FAULT)) {
        exec_show(t, "not finished");
        return;
    }
    if (t->out.action == SVMC_EXEC_DONE && t->after.rip != t->before.rip + t->insn.length &&
        t->after.rip != stub_back())
        native.out_of_reach = true; /* a branch to where nothing stands */
    if (native.out_of_reach) {      /* or something may be mapped there */
        memcpy(native.shadow + ARENA_PAGE, arena + ARENA_PAGE, 4 * ARENA_PAGE);
        native.skipped++;
        return;
    }
    memcpy(t->stub.general, t->before.general, sizeof t->stub.general);
    t->stub.flags = t->before.rflags;
    stub_run(t->c.bytes, t->insn.length, &t->stub);
    for (unsigned i = 0; i < 16 && native.mode != 64; i++) /* upper halves are nobody's there */
        t->stub.general[i] = i < 8 ? (uint32_t)t->stub.general[i] : t->after.general[i];
    exec_compare(t, value);
    exec_compare_memory(t, (++f->runs & 63) == 0 || exec_fpu_area(&t->insn) != 0);
    f->faults += t->out.action == SVMC_EXEC_FAULT;
}

static void run_form(struct form *f, uint64_t count)
{
    static struct trial t;
    uint64_t tries = 0;

    while (f->runs < count && tries++ < 4 * count) {
        memset(&t.before, 0, sizeof t.before);
        t.before.rip = stub_rip();
        t.before.cpl = 3;
        t.before.cr0 = 0x40021;
        t.before.cr4 = 0x40600;
        t.before.xcr0 = stub_xcr0();
        exec_form_set_mode(&t.before);
        exec_fpu_describe(&t.before);
        t.before.vendor = native.cpu.vendor;
        t.before.task.rights = SVMC_RIGHTS_UNUSABLE;
        if (!exec_draw_encoding(&t, f)) {
            CHECK(false, "no encoding of form %02x", f->opcode);
            return;
        }
        for (unsigned i = 0; i < 8 && f->runs < count; i++) {
            if (exec_draw_case(&t, f, i == 0))
                execute(&t, f);
            else if (t.insn.length == 0)
                break;
        }
    }
}

static uint64_t wanted(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

static void write_counts(void)
{
    const char *name = getenv("SVMC_FORMS");
    FILE *file = name != NULL ? fopen(name, native.mode == 64 ? "w" : "a") : NULL;

    for (unsigned i = 0; file != NULL && i < native.form_count; i++) {
        struct svmc_insn insn;
        char text[SVMC_INSN_TEXT_MAX] = "";
        struct code c;

        exec_form_encode(&c, &native.forms[i], true);
        if (svmc_insn_decode(&native.cpu, c.bytes, SVMC_INSN_MAX, &insn) == SVMC_OK)
            (void)!svmc_insn_format(&insn, text, sizeof text);
        fprintf(file, "%u\t%" PRIu64 "\t%" PRIu64 "\t%s\n", native.mode, native.forms[i].runs,
                native.forms[i].faults, text);
    }
    if (file != NULL)
        fclose(file);
}

static bool open_arena(void)
{
    return mprotect(arena, ARENA_PAGE, PROT_NONE) == 0 &&
           mprotect(arena + 4 * ARENA_PAGE, ARENA_PAGE, PROT_READ) == 0 &&
           mprotect(arena + 5 * ARENA_PAGE, ARENA_PAGE, PROT_NONE) == 0;
}

/* All forms of a mode, `count` executions of them together. */
static void run_mode(unsigned bits, uint64_t count)
{
    static const uint8_t isas[3] = { SVMC_ISA_X86_16, SVMC_ISA_X86_32, SVMC_ISA_X86_64 };
    const char *missing = stub_open(bits);
    uint64_t each, total = 0, least = ~(uint64_t)0;
    unsigned left = 0;

    native.mode = bits;
    if (missing != NULL) {
        harness_skip("hardware: %s", missing);
        return;
    }
    REQUIRE(open_arena() && svmc_exec_init(&native.record, &ops, NULL) == SVMC_OK);
    native.cpu.isa = isas[bits >> 5]; /* clamp: 0, 1, 2 */
    native.form_count = 0;
    memset(native.unfinished, 0, sizeof native.unfinished);
    exec_form_find();
    memcpy(native.shadow + ARENA_PAGE, arena + ARENA_PAGE, 3 * ARENA_PAGE);
    REQUIRE(native.form_count != 0);
    each = count / native.form_count + 1;
    if (each < wanted("SVMC_LEAST", LEAST))
        each = wanted("SVMC_LEAST", LEAST);
    for (unsigned i = 0; i < native.form_count; i++) {
        run_form(&native.forms[i], each);
        total += native.forms[i].runs;
        least = native.forms[i].runs < least ? native.forms[i].runs : least;
    }
    for (unsigned i = 0; i < 2048; i++)
        left += native.unfinished[i];
    write_counts();
    CHECK(least >= LEAST || least >= each, "a form has %" PRIu64 " executions only", least);
    printf("exec-native: %u-bit code: %u forms, %" PRIu64 " executions, at least %" PRIu64
           " each, %" PRIu64 " differ, %" PRIu64
           " skipped; %u instructions with memory are not finished\n",
           bits, native.form_count, total, least, native.failures, native.skipped, left);
    if (native.left_open != 0)
        printf("exec-native: %" PRIu64 " differ where no manual says what is right\n",
               native.left_open);
}

TEST(exec, does_what_the_processor_does)
{
    uint64_t count = wanted("SVMC_COUNT", 1000000);

    native.seed = harness_seed();
    if (!native_cpu(&native.cpu)) {
        harness_skip("hardware: another vendor's processor");
        return;
    }
    run_mode(64, count / 2);
    run_mode(32, count / 4);
    run_mode(16, count / 4);
}
