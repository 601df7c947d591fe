/* SPDX-License-Identifier: MIT */
/** KV-26: one line for whoever looks after the VM. */
#include "finish_private.h"

#include <string.h>

struct line {
    char *at;
    size_t cap, n;
    bool cut;
};

static void put(struct line *l, const char *text)
{
    size_t n = strlen(text), room = l->cap - 1 - l->n;

    l->cut = l->cut || n > room;
    n = n < room ? n : room;
    memcpy(l->at + l->n, text, n);
    l->n += n;
    l->at[l->n] = 0;
}

static void put_byte(struct line *l, uint8_t byte, const char *before)
{
    static const char digits[] = "0123456789abcdef";
    char text[3] = { digits[byte >> 4], digits[byte & 15], 0 };

    put(l, before);
    put(l, text);
}

static const char *why(const struct svmc_kvm_finished *out)
{
    switch (out->action) {
    case SVMC_EXEC_DONE:
        return "finished";
    case SVMC_EXEC_AGAIN:
        return "the guest is entered at it again";
    case SVMC_EXEC_FAULT:
        return "the guest gets exception ";
    case SVMC_EXEC_PENDING:
        return "a device is asked";
    case SVMC_EXEC_NEEDS_ATOMIC:
        return "nothing here replaces this memory in one step";
    case SVMC_EXEC_NEEDS_VECTOR:
        return "it needs vector or FP registers that are not lent";
    default:
        break;
    }
    switch (out->exec.reason) {
    case SVMC_EXEC_REASON_NO_ROW:
        return "no row of this build finishes it";
    case SVMC_EXEC_REASON_NO_ACCESS:
        return "its operands are registers, nothing of it had to exit";
    case SVMC_EXEC_REASON_CALLBACK:
        return "what it asks for is not lent";
    default:
        return "nothing is claimed about these bytes";
    }
}

enum svmc_status svmc_kvm_finish_format(const struct svmc_kvm_finished *out, char *text, size_t cap)
{
    struct line l = { .at = text, .cap = cap };
    char insn[SVMC_INSN_TEXT_MAX];

    if (!text || cap == 0)
        return SVMC_ERR_ARG;
    text[0] = 0;
    if (!out || out->count > SVMC_INSN_MAX)
        return SVMC_ERR_ARG;
    if (out->insn.length == 0 || svmc_insn_format(&out->insn, insn, sizeof insn) != SVMC_OK)
        put(&l, "no instruction");
    else
        put(&l, insn);
    for (unsigned i = 0; i < out->count; i++)
        put_byte(&l, out->bytes[i], i == 0 ? " (" : " ");
    put(&l, out->count > 0 ? "): " : ": ");
    put(&l, why(out));
    if (out->action == SVMC_EXEC_FAULT)
        put_byte(&l, out->exec.fault.vector, "0x");
    return l.cut ? SVMC_ERR_FULL : SVMC_OK;
}
