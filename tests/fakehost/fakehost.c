/* SPDX-License-Identifier: MIT */
#include "fakehost.h"

#include <stdbool.h>
#include <string.h>

/* What a host knows of each kind; bytes 0: the request's size. By docs/spec/page.md. */
static const struct kind {
    uint16_t kind;
    uint8_t results, bytes;
    bool faults;     /* FAULT is legal */
    bool status;     /* the first result is a status, and 0 one of them */
    bool cc;         /* the first result is a condition code */
    bool data;       /* bytes come in */
    bool reached;    /* the first result is an address, from the request's up to its first value */
    bool message;    /* ... is the status of a guest message */
    uint64_t number; /* of a call; 0: all of them */
} kinds[] = {
    { SVMC_KIND_CPUID, 4, 4, .number = 0 },
    { SVMC_KIND_RDMSR, 2, 4, .faults = true },
    { SVMC_KIND_WRMSR, 0, 0, .faults = true },
    { SVMC_KIND_SYSREG_READ, 1, 0, .faults = true },
    { SVMC_KIND_SYSREG_WRITE, 0, 0, .faults = true },
    { SVMC_KIND_RDTSC, 2, 4, .number = 0 },
    { SVMC_KIND_RDTSCP, 2, 4, .number = 0 },
    { SVMC_KIND_RDTIME, 1, 0, .number = 0 },
    { SVMC_KIND_RDPMC, 2, 4, .faults = true },
    { SVMC_KIND_RDCOUNTER, 1, 0, .faults = true },
    { SVMC_KIND_IN, 1, 0, .number = 0 },
    { SVMC_KIND_MMIO_READ, 1, 0, .number = 0 },
    /* the tests' policy: every call gives all three results */
    { SVMC_KIND_HYPERCALL, 1 + FAKEHOST_HCALL_RESULTS, 8, .status = true },
    { SVMC_KIND_SMC, 4, 0, .number = FAKEHOST_VENDOR_CALL },
    { SVMC_KIND_SMC, 1, 0, .status = true }, /* of PSCI */
    { SVMC_KIND_HVC, 1, 0, .status = true },
    { SVMC_KIND_SBI, 2, 0, .status = true },
    { SVMC_KIND_HCALL, 1, 0, .status = true, .number = FAKEHOST_PUT_TERM },
    { SVMC_KIND_HCALL, 4, 0, .status = true },
    { SVMC_KIND_INS, 0, 0, .data = true },
    { SVMC_KIND_MAP_GPA, 1, 8, .faults = true, .reached = true },
    { SVMC_KIND_RIPAS, 1, 8, .reached = true },
    { SVMC_KIND_S2AP, 1, 8, .reached = true },
    { SVMC_KIND_DEV_MEM, 1, 8, .reached = true },
    { SVMC_KIND_GUEST_REQUEST, 1, 8, .message = true },
    { SVMC_KIND_GUEST_REQUEST_EXT, 2, 8, .message = true },
    { SVMC_KIND_DATA_ABORT, 0, 0, .faults = true },
    { SVMC_KIND_DIAG_288, 0, 0, .faults = true },
    { SVMC_KIND_DIAG_500, 1, 8, .faults = true },
    { SVMC_KIND_CSCH, 1, 8, .faults = true, .cc = true },
    { SVMC_KIND_HSCH, 1, 8, .faults = true, .cc = true },
    { SVMC_KIND_RSCH, 1, 8, .faults = true, .cc = true },
    { SVMC_KIND_XSCH, 1, 8, .faults = true, .cc = true },
    { SVMC_KIND_SAL, 0, 0, .faults = true },
    { SVMC_KIND_RCHP, 1, 8, .faults = true, .cc = true },
    { SVMC_KIND_SSCH, 1, 8, .faults = true, .cc = true },
    { SVMC_KIND_MSCH, 1, 8, .faults = true, .cc = true },
    { SVMC_KIND_STSCH, 1, 8, .faults = true, .cc = true, .data = true },
    { SVMC_KIND_TSCH, 1, 8, .faults = true, .cc = true, .data = true },
};

static const struct kind *find(const struct svmc_request *r)
{
    static const struct kind none;

    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].kind == r->kind && (!kinds[i].number || kinds[i].number == r->address))
            return &kinds[i];
    return &none;
}

static unsigned result_count(const struct svmc_request *r)
{
    return find(r)->results;
}

static unsigned result_bytes(const struct svmc_request *r)
{
    return find(r)->bytes != 0 ? find(r)->bytes : r->size;
}

static uint64_t low(uint64_t value, unsigned bytes)
{
    return bytes < 8 ? value & (((uint64_t)1 << (8 * bytes)) - 1) : value;
}

bool fakehost_prepare(const volatile void *page, struct fakehost_answer *a)
{
    uint8_t data[SVMC_PAGE_DATA_BYTES];

    memset(a, 0, sizeof *a);
    if (svmc_request_read(page, &a->request, data, sizeof data) != SVMC_OK)
        return false;
    a->reply.seq = a->request.seq;
    a->reply.status = SVMC_REPLY_DONE;
    a->reply.done = a->request.count;
    for (unsigned i = 0; i < result_count(&a->request); i++) {
        a->reply.out_valid |= 1u << i;
        a->reply.out[i] = low(FAKEHOST_PATTERN + i, result_bytes(&a->request));
    }
    if (find(&a->request)->status)
        a->reply.out[0] = 0;
    if (find(&a->request)->cc)
        a->reply.out[0] = 2;
    if (find(&a->request)->reached)
        a->reply.out[0] = a->request.in[0];
    if (find(&a->request)->message)
        a->reply.out[0] = 0;
    if (find(&a->request)->data)
        a->reply.data_bytes = a->request.count * a->request.size;
    for (unsigned i = 0; i < a->reply.data_bytes; i++)
        a->data[i] = (uint8_t)(0xa0 + i * 7);
    return true;
}

bool fakehost_send(volatile void *page, const struct fakehost_answer *a)
{
    return svmc_reply_write(page, &a->reply, a->data) == SVMC_OK;
}

/* number, name, rule, where it applies, what it does to copy `a` (R5: to the page after it) */
#define LIES(X)                                                                                    \
    X(wrong_sequence, 2, 0, a.reply.seq ^= 1)                                                      \
    X(sequence_zero, 2, 0, a.reply.seq &= (uint64_t)0xffff << 48)                                  \
    X(other_vcpu, 18, 0, a.reply.seq ^= (uint64_t)1 << 48)                                         \
    X(status_unknown, 4, 0, a.reply.status = 4)                                                    \
    X(status_huge, 4, 0, a.reply.status = 0x80000000u)                                             \
    X(partial_on_single, 4, NEEDS_NO_STRING, a.reply.status = SVMC_REPLY_PARTIAL)                  \
    X(fault_not_in_row, 4, NEEDS_NO_FAULTS, a.reply.status = SVMC_REPLY_FAULT)                     \
    X(reserved_10c, 5, 0, spoil = 0x10c)                                                           \
    X(reserved_119, 5, 0, spoil = 0x119)                                                           \
    X(reserved_11f, 5, 0, spoil = 0x11f)                                                           \
    X(reserved_128, 5, 0, spoil = 0x128)                                                           \
    X(reserved_13f, 5, 0, spoil = 0x13f)                                                           \
    X(reserved_180, 5, 0, spoil = 0x180)                                                           \
    X(reserved_1ff, 5, 0, spoil = 0x1ff)                                                           \
    X(result_missing, 6, NEEDS_RESULT, a.reply.out_valid >>= 1)                                    \
    X(result_too_many, 6, 0, a.reply.out_valid = a.reply.out_valid * 2 + 1)                        \
    X(result_bit_63, 6, 0, a.reply.out_valid |= (uint64_t)1 << 63)                                 \
    X(fault_with_done, 7, 0, a.reply.fault = SVMC_FAULT_GP)                                        \
    X(wider_than_operand, 8, NEEDS_RESULT | NEEDS_NARROW, a.reply.out[0] |= (uint64_t)1 << 63)     \
    X(slot_not_declared, 8, 0, a.reply.out[7] = 1)                                                 \
    X(no_status, 10, NEEDS_STATUS, a.reply.out[0] = 7)                                             \
    X(no_status_high, 10, NEEDS_STATUS | NEEDS_WIDE, a.reply.out[0] = (uint64_t)1 << 32)           \
    X(condition_code, 10, NEEDS_CC, a.reply.out[0] = 4)                                            \
    X(condition_code_high, 10, NEEDS_CC, a.reply.out[0] = (uint64_t)1 << 63)                       \
    X(reached_before, 10, NEEDS_REACHED, a.reply.out[0] = a.request.address - 4096)                \
    X(reached_behind, 10, NEEDS_REACHED, a.reply.out[0] = a.request.in[0] + 4096)                  \
    X(reached_half_a_page, 10, NEEDS_REACHED, a.reply.out[0] -= 2048)                              \
    X(reached_nothing, 10, NEEDS_REACHED, a.reply.out[0] = 0)                                      \
    X(message_code, 10, NEEDS_MESSAGE, a.reply.out[0] = 0x1e)                                      \
    X(message_code_high, 10, NEEDS_MESSAGE, a.reply.out[0] = 0x29)                                 \
    X(message_both, 10, NEEDS_MESSAGE, a.reply.out[0] = (uint64_t)2 << 32 | 1)                     \
    X(message_host, 10, NEEDS_MESSAGE, a.reply.out[0] = (uint64_t)3 << 32)                         \
    X(done_none, 11, 0, a.reply.done = 0)                                                          \
    X(done_too_many, 11, 0, a.reply.done++)                                                        \
    X(done_wraps, 11, 0, a.reply.done = 0xffffffffu)                                               \
    X(partial_of_all, 11, NEEDS_STRING, a.reply.status = SVMC_REPLY_PARTIAL)                       \
    X(retry_with_done, 11, NEEDS_STRING, a.reply.status = SVMC_REPLY_RETRY; a.reply.out_valid = 0) \
    X(data_too_short, 11, NEEDS_STRING_IN, a.reply.data_bytes--)                                   \
    X(data_unasked, 11, NEEDS_NO_STRING, a.reply.data_bytes = 8)

enum {
#define X(name_, rule_, needs_, ...) LIE_##name_,
    LIES(X)
#undef X
};

const struct fakehost_lie fakehost_lies[] = {
#define X(name_, rule_, needs_, ...) { .name = #name_, .rule = rule_, .needs = needs_ },
    LIES(X)
#undef X
};
const unsigned fakehost_lie_count = sizeof fakehost_lies / sizeof fakehost_lies[0];

int fakehost_lie_applies(unsigned n, const struct svmc_request *r)
{
    unsigned needs = fakehost_lies[n].needs;
    /* not a block, which is one element */
    bool string = r->kind >> 12 == 3 || r->kind == SVMC_KIND_PAGE_STATE;
    bool faults = find(r)->faults;

    return !((needs & NEEDS_RESULT && result_count(r) == 0) || (needs & NEEDS_STRING && !string) ||
             (needs & NEEDS_NARROW && result_bytes(r) == 8) ||
             (needs & NEEDS_WIDE && result_bytes(r) != 8) || (needs & NEEDS_CC && !find(r)->cc) ||
             (needs & NEEDS_STATUS && !find(r)->status) || (needs & NEEDS_NO_STRING && string) ||
             (needs & NEEDS_STRING_IN && r->kind != SVMC_KIND_INS) ||
             (needs & NEEDS_REACHED && !find(r)->reached) ||
             (needs & NEEDS_MESSAGE && !find(r)->message) || (needs & NEEDS_NO_FAULTS && faults));
}

bool fakehost_lie(volatile void *page, const struct fakehost_answer *honest, unsigned n)
{
    struct fakehost_answer a = *honest;
    unsigned spoil = 0;

    switch (n) {
#define X(name_, rule_, needs_, ...) \
    case LIE_##name_:                \
        __VA_ARGS__;                 \
        break;
        LIES(X)
#undef X
    }
    if (!fakehost_send(page, &a))
        return false;
    if (spoil != 0)
        ((volatile uint8_t *)page)[spoil] ^= 0x80;
    return true;
}
