/* SPDX-License-Identifier: MIT */
/* What exec_native.c compares after an execution, and what it shows of a difference. */
#include "../harness.h"
#include "exec_flags.h"
#include "exec_fpu.h"
#include "exec_native.h"
#include "exec_state.h"

#define SHOWN_MAX 60u

static unsigned count_of(const struct trial *t)
{
    unsigned opcode = t->insn.priv_raw[1] >> 16 & 0xff;
    bool two = t->insn.id == SVMC_X86_SHLD || t->insn.id == SVMC_X86_SHRD;

    if (two ? !(opcode & 1) : opcode < 0xd0)
        return (unsigned)t->insn.imm & 0xff;
    return two || opcode >= 0xd2 ? t->before.general[SVMC_REG_RCX] & 0xff : 1;
}

/*
 * What no manual says, and the library does as Intel's processors (docs/spec/exec.md, end): on
 * another vendor's it is counted and no failure.
 */
static bool is_left_open(const struct trial *t)
{
    bool fault = t->stub.faulted || t->out.action == SVMC_EXEC_FAULT;
    bool repeats = t->insn.flags & (SVMC_INSN_REP | SVMC_INSN_REPNE);

    if (native.cpu.vendor == SVMC_VENDOR_INTEL)
        return false;
    if (fault && ((t->before.rflags & 0x40000) || repeats || t->insn.id == SVMC_X86_CMPS))
        return true;
    if (repeats && native.mode == 64 && t->insn.address_bytes == 4)
        return true;
    if (fault && ((t->insn.access & (SVMC_ACCESS_READ_IF | SVMC_ACCESS_WRITE_IF)) ||
                  (exec_fpu_is(&t->insn) && t->insn.mem_bytes >= 10)))
        return true; /* which byte, how much before it: as far as memory and vectors go */
    if (t->insn.mem_bytes == 10 && exec_fpu_is(&t->insn))
        return true; /* of a signaling NaN there IE is raised on AMD's */
    return t->insn.id == SVMC_X86_PUSH && t->insn.reg_kind == SVMC_REG_KIND_SEGMENT;
}

void exec_show(const struct trial *t, const char *what)
{
    char text[SVMC_INSN_TEXT_MAX] = "";

    if (is_left_open(t)) {
        native.left_open++;
        return;
    }

    if (native.failures++ >= SHOWN_MAX)
        return;
    (void)!svmc_insn_format(&t->insn, text, sizeof text);
    CHECK(false, "%s: %s", text, what);
    printf("  bytes");
    for (unsigned i = 0; i < t->insn.length; i++)
        printf(" %02x", t->c.bytes[i]);
    printf("\n  linear %#" PRIx64 ", action %u, vector %u error %x address %#" PRIx64
           "; processor: %s, %u, %#" PRIx64 ", %#" PRIx64 "\n",
           t->linear, t->out.action, t->out.fault.vector, t->out.fault.error, t->out.fault.address,
           t->stub.faulted ? "fault" : "done", t->stub.vector, t->stub.error, t->stub.address);
    for (unsigned i = 0; i < 16; i++)
        if (t->after.general[i] != t->stub.general[i])
            printf("  register %u: before %#" PRIx64 ", ours %#" PRIx64 ", processor %#" PRIx64
                   "\n",
                   i, t->before.general[i], t->after.general[i], t->stub.general[i]);
    printf("  flags: before %#" PRIx64 ", ours %#" PRIx64 ", processor %#" PRIx64 "\n",
           t->before.rflags, t->after.rflags, t->stub.flags);
    if (t->stub.state != NULL)
        exec_state_show(&t->state, &t->theirs, &t->after);
}

static void compare_fault(struct trial *t)
{
    const struct svmc_fault *fault = &t->out.fault;

    if (exec_fpu_area(&t->insn) == 64 && (t->insn.access & SVMC_ACCESS_RW) == SVMC_ACCESS_READ &&
        t->stub.vector + fault->vector == 13 + 14)
        return; /* a bad header and a page that is not there: exec.md, end */
    if (exec_fpu_is(&t->insn) && t->insn.mem_bytes > 10 &&
        t->linear >> 47 != (t->linear + t->insn.mem_bytes - 1) >> 47 &&
        t->stub.vector + fault->vector == 13 + 14)
        return; /* the end of all addresses, and a page: exec.md, end */
    if (exec_fpu_is(&t->insn) && t->insn.mem_bytes == 10 && fault->vector / 2 == 6 &&
        t->stub.vector == 14 && t->stub.address == t->linear)
        return; /* eight bytes, then two: the page of the ones, the limit of the others: likewise */
    if ((t->insn.access & (SVMC_ACCESS_READ_IF | SVMC_ACCESS_WRITE_IF)) && fault->vector == 17 &&
        t->stub.vector / 2 == 6 && t->linear >> 47 != (t->linear + t->insn.mem_bytes - 1) >> 47)
        return; /* #SS, #GP: XE-14: of a masked operand that ends beyond all addresses */
    if (t->stub.vector != fault->vector)
        exec_show(t, "another vector");
    else if (fault->has_error && t->stub.error != fault->error)
        exec_show(t, "another error code");
    else if (fault->vector == 14 && t->stub.address != fault->address &&
             !(((t->insn.access & SVMC_ACCESS_WRITE_IF) ||
                (exec_fpu_is(&t->insn) && t->insn.mem_bytes > 10)) &&
               t->stub.address >> 12 == fault->address >> 12)) /* which byte: exec.md, end */
        exec_show(t, "another address");
}

void exec_compare(struct trial *t, uint64_t value)
{
    uint64_t mask = ~(uint64_t)0x10100 & 0x3fffff;
    bool fault = t->out.action == SVMC_EXEC_FAULT;

    if (!fault || (t->insn.flags & (SVMC_INSN_REP | SVMC_INSN_REPNE)))
        mask &= ~exec_undefined_flags(&t->insn, count_of(t), value);
    if (t->stub.faulted != fault)
        exec_show(t, "the one faults, the other does not");
    else if (fault)
        compare_fault(t);
    if (memcmp(t->stub.general, t->after.general, sizeof t->stub.general) != 0)
        exec_show(t, "registers differ");
    else if ((t->stub.flags ^ t->after.rflags) & mask)
        exec_show(t, "flags differ");
    if (t->stub.state != NULL && exec_state_differs(&t->theirs, &t->after, fault) != NULL)
        exec_show(t, exec_state_differs(&t->theirs, &t->after, fault));
    if (!fault && t->after.rip != t->before.rip + t->insn.length && t->after.rip != stub_back())
        exec_show(t, "RIP");
}

/*
 * A component in its initial state may count as in use (SDM vol. 1 13.6): after a switch of tasks
 * it does. Then the processor has written what that state is: zeros, and the control word.
 */
static void take_in_use(const struct trial *t)
{
    const uint64_t at = t->linear - ARENA;
    uint8_t *ours = native.shadow + at;
    const uint8_t *theirs = arena + at;
    uint8_t more = 0, less = 0;
    unsigned bytes = 0;

    if (exec_fpu_area(&t->insn) != 64 || !(t->insn.access & SVMC_ACCESS_WRITE) ||
        t->out.action != SVMC_EXEC_DONE || !exec_in_arena(t->linear, 576))
        return;
    for (unsigned i = 512; i < 520; i++) {
        more |= theirs[i] & (uint8_t)~ours[i];
        less |= ours[i] & (uint8_t)~theirs[i];
    }
    if (more == 0 || less != 0)
        return;
    for (; bytes < 4096 && at + bytes < ARENA_BYTES; bytes++)
        if (theirs[bytes] != ours[bytes] && (bytes < 512 || bytes >= 520) &&
            theirs[bytes] != (bytes < 2 ? 0x37f >> 8 * bytes & 0xff : 0))
            return;
    memcpy(ours, theirs, bytes);
}

/* Instruction and data pointers: AMD's processors may keep those of exceptions alone (XE-54). */
static void take_pointers(const struct trial *t)
{
    static const struct {
        uint16_t bytes, from, to;
    } rows[] = { { 14, 6, 14 },   { 94, 6, 14 },  { 28, 12, 28 },
                 { 108, 12, 28 }, { 512, 6, 24 }, { 576, 6, 24 } };
    const uint64_t at = t->linear - ARENA;

    if (native.cpu.vendor == SVMC_VENDOR_INTEL || !exec_fpu_is(&t->insn) ||
        !(t->insn.access & SVMC_ACCESS_WRITE) || t->out.action != SVMC_EXEC_DONE)
        return;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].bytes == t->insn.mem_bytes && exec_in_arena(t->linear, rows[i].to))
            memcpy(native.shadow + at + rows[i].from, arena + at + rows[i].from,
                   rows[i].to - rows[i].from);
}

/* An ENTER that faults has pushed what comes before that here; XE-30 has it push nothing. */
static void take_frame(const struct trial *t)
{
    const unsigned bytes = t->insn.operand_bytes * ((t->insn.priv_form & 31) + 1u);
    uint64_t at = t->before.general[SVMC_REG_RSP] + t->before.segment[SVMC_SEG_SS].base;

    if (t->insn.id != SVMC_X86_ENTER || t->out.action != SVMC_EXEC_FAULT)
        return;
    for (unsigned i = 1; i <= bytes; i++)
        if (exec_in_arena(at - i, 1))
            native.shadow[at - i - ARENA] = arena[at - i - ARENA];
}

void exec_compare_memory(struct trial *t, bool all)
{
    uint64_t from = t->linear < ARENA + ARENA_PAGE ? 0 : t->linear - ARENA - 64;
    unsigned undefined = exec_undefined_value(&t->insn, count_of(t)) ? t->insn.mem_bytes : 0;

    /* before its #GP this processor pushes what SDM vol. 2 CALL has it push after the check */
    if (t->insn.id == SVMC_X86_CALL && t->out.fault.vector == 13 &&
        exec_in_arena(t->before.general[SVMC_REG_RSP] - 8, 8))
        memcpy(native.shadow + (t->before.general[SVMC_REG_RSP] - 8 - ARENA),
               arena + (t->before.general[SVMC_REG_RSP] - 8 - ARENA), 8);
    /* before the #PF of the second page this processor writes 8 of 10 bytes to the first one */
    if (t->insn.mem_bytes == 10 && t->out.action == SVMC_EXEC_FAULT && exec_in_arena(t->linear, 1))
        memcpy(native.shadow + (t->linear - ARENA), arena + (t->linear - ARENA),
               ARENA_PAGE - t->linear % ARENA_PAGE < 10 ? ARENA_PAGE - t->linear % ARENA_PAGE : 10);
    take_pointers(t);
    take_in_use(t);
    take_frame(t);
    if (undefined && exec_in_arena(t->linear, undefined))
        memcpy(native.shadow + (t->linear - ARENA), arena + (t->linear - ARENA), undefined);
    if (!all && (from < ARENA_PAGE || from > 4 * ARENA_PAGE - 192))
        return;
    if (all)
        from = ARENA_PAGE;
    if (memcmp(native.shadow + from, arena + from, all ? 4 * ARENA_PAGE : 192) != 0) {
        exec_show(t, all ? "memory differs, here or a little before" : "memory differs");
        for (unsigned i = ARENA_PAGE; i < 5 * ARENA_PAGE; i++)
            if (native.shadow[i] != arena[i] && native.failures < SHOWN_MAX)
                printf("  at %#x ours %02x, processor %02x\n", ARENA + i, native.shadow[i],
                       arena[i]);
        memcpy(native.shadow + ARENA_PAGE, arena + ARENA_PAGE, 4 * ARENA_PAGE);
    }
}
