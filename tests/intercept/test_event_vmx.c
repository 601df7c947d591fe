/* SPDX-License-Identifier: MIT */
/* EX-27: events as VMX writes them. Values by hand from the Intel SDM, tables 24-13 and 24-16. */
#include <svmcore/exit_vmx.h>

#include "../harness.h"

static const struct svmc_event none;

/* Golden pairs: the fields on one side, the event on the other. */
static const struct row {
    char name[20];
    uint32_t info, error, length;
    struct svmc_event event;
} rows[] = {
    { "nothing", 0, 0, 0, { .type = SVMC_EVENT_NONE } },
    { "irq 32", 0x80000020, 0, 0, { .type = SVMC_EVENT_INTERRUPT, .vector = 32 } },
    { "irq 255", 0x800000ff, 0, 0, { .type = SVMC_EVENT_INTERRUPT, .vector = 255 } },
    { "nmi", 0x80000202, 0, 0, { .type = SVMC_EVENT_NMI, .vector = 2 } },
    { "#DE", 0x80000300, 0, 0, { .type = SVMC_EVENT_EXCEPTION, .vector = 0 } },
    { "#UD", 0x80000306, 0, 0, { .type = SVMC_EVENT_EXCEPTION, .vector = 6 } },
    { "#DF", 0x80000b08, 0, 0, { .type = SVMC_EVENT_EXCEPTION, .vector = 8, .has_error = 1 } },
    { "#TS",
      0x80000b0a,
      0x28,
      0,
      { .type = SVMC_EVENT_EXCEPTION, .vector = 10, .has_error = 1, .error = 0x28 } },
    { "#GP",
      0x80000b0d,
      0xfffa,
      0,
      { .type = SVMC_EVENT_EXCEPTION, .vector = 13, .has_error = 1, .error = 0xfffa } },
    { "#GP in real mode", 0x8000030d, 0, 0, { .type = SVMC_EVENT_EXCEPTION, .vector = 13 } },
    { "#PF of SGX",
      0x80000b0e,
      0x8007,
      0,
      { .type = SVMC_EVENT_EXCEPTION, .vector = 14, .has_error = 1, .error = 0x8007 } },
    { "#AC", 0x80000b11, 0, 0, { .type = SVMC_EVENT_EXCEPTION, .vector = 17, .has_error = 1 } },
    { "#CP",
      0x80000b15,
      3,
      0,
      { .type = SVMC_EVENT_EXCEPTION, .vector = 21, .has_error = 1, .error = 3 } },
    { "int 0x80",
      0x80000480,
      0,
      2,
      { .type = SVMC_EVENT_SOFT_INTERRUPT, .vector = 0x80, .insn_bytes = 2 } },
    { "int1",
      0x80000501,
      0,
      1,
      { .type = SVMC_EVENT_SOFT_EXCEPTION, .vector = 1, .insn_bytes = 1 } },
    { "int3",
      0x80000603,
      0,
      1,
      { .type = SVMC_EVENT_SOFT_EXCEPTION, .vector = 3, .insn_bytes = 1 } },
    { "into",
      0x80000604,
      0,
      15,
      { .type = SVMC_EVENT_SOFT_EXCEPTION, .vector = 4, .insn_bytes = 15 } },
};

TEST(event_vmx, golden_pairs_both_ways) /* EX-27 */
{
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        struct svmc_event event;
        uint32_t info = 1, error = 1, length = 1;

        memset(&event, 0xee, sizeof event);
        CHECK_EQ(svmc_event_from_vmx(r->info, r->error, r->length, &event), SVMC_OK, "%s", r->name);
        CHECK_MEM(&event, &r->event, sizeof event, "%s", r->name);
        CHECK_EQ(svmc_event_to_vmx(&r->event, &info, &error, &length), SVMC_OK, "%s", r->name);
        CHECK_EQ(info, r->info, "%s", r->name);
        CHECK_EQ(error, r->error, "%s", r->name);
        CHECK_EQ(length, r->length, "%s", r->name);
    }
}

TEST(event_vmx, undefined_fields_do_not_matter) /* EX-27 */
{
    struct svmc_event event;

    memset(&event, 0xee, sizeof event);
    CHECK_EQ(svmc_event_from_vmx(0x7fffffff, 9, 99, &event), SVMC_OK, "not valid");
    CHECK_MEM(&event, &none, sizeof none);
    CHECK_EQ(svmc_event_from_vmx(0x80001306, UINT32_MAX, UINT32_MAX, &event), SVMC_OK, "bit 12");
    CHECK_EQ(event.error, 0);
    CHECK_EQ(event.insn_bytes, 0);
    CHECK_EQ(svmc_event_from_vmx(0x80000480, UINT32_MAX, 0, &event), SVMC_OK, "no length");
    CHECK_EQ(event.insn_bytes, 0);
}

TEST(event_vmx, what_no_event_has_is_refused) /* EX-27 */
{
    static const uint32_t infos[] = {
        0x80000100, 0x80000700, 0x80000701, /* types 1 and 7 */
        0x80000203, 0x80000200,             /* an NMI's vector is 2 */
        0x80000320, 0x800003ff,             /* exceptions are below 32 */
        0x80000820, 0x80000a02,             /* an error code of an interrupt, an NMI */
        0x80000b06, 0x80000b09, 0x80000b0f, /* of #UD, 9, 15 */
        0x80000c80, 0x80000d01, 0x80000e03, /* of soft ones */
        0x80000503, 0x80000601, 0x80000605, /* privileged is 1, the others 3 and 4 */
    };
    struct svmc_event event;

    for (unsigned i = 0; i < sizeof infos / sizeof infos[0]; i++) {
        memset(&event, 0xee, sizeof event);
        CHECK_EQ(svmc_event_from_vmx(infos[i], 0, 1, &event), SVMC_ERR_MISMATCH, "%x", infos[i]);
        CHECK_MEM(&event, &none, sizeof none);
    }
    for (unsigned bit = 13; bit < 31; bit++)
        CHECK_EQ(svmc_event_from_vmx(0x80000020 | 1u << bit, 0, 0, &event), SVMC_ERR_MISMATCH);
    CHECK_EQ(svmc_event_from_vmx(0x80000b0d, 0x10000, 0, &event), SVMC_ERR_MISMATCH, "error");
    CHECK_EQ(svmc_event_from_vmx(0x80000480, 0, 16, &event), SVMC_ERR_MISMATCH, "length");
    CHECK_EQ(svmc_event_from_vmx(0x80000480, 0, 257, &event), SVMC_ERR_MISMATCH, "length");
    CHECK_EQ(svmc_event_from_vmx(0x80000020, 0, 0, NULL), SVMC_ERR_ARG);
}

static enum svmc_status put(struct svmc_event event)
{
    uint32_t info = 1, error = 1, length = 1;
    enum svmc_status st = svmc_event_to_vmx(&event, &info, &error, &length);

    CHECK(st == SVMC_OK || (info == 0 && error == 0 && length == 0), "zero after an error");
    return st;
}

#define PUT(...) put((struct svmc_event){ __VA_ARGS__ })

TEST(event_vmx, what_entry_would_refuse_is_refused) /* EX-27, 26.2.1.3 */
{
    const struct svmc_event irq = { .type = SVMC_EVENT_INTERRUPT, .vector = 32 };
    const struct svmc_event longer = { .type = SVMC_EVENT_NMI, .vector = 2, .insn_bytes = 3 };
    uint32_t a, b, c;

    CHECK_EQ(svmc_event_to_vmx(&longer, &a, &b, &c), SVMC_OK);
    CHECK_EQ(c, 0, "no instruction made it");
    CHECK_EQ(PUT(.type = SVMC_EVENT_SHUTDOWN), SVMC_ERR_UNSUPPORTED);
    CHECK_EQ(PUT(.type = 7), SVMC_ERR_ARG);
    CHECK_EQ(PUT(.type = SVMC_EVENT_NMI, .vector = 3), SVMC_ERR_ARG);
    CHECK_EQ(PUT(.type = SVMC_EVENT_EXCEPTION, .vector = 32), SVMC_ERR_ARG);
    CHECK_EQ(PUT(.type = SVMC_EVENT_EXCEPTION, .vector = 6, .has_error = 1), SVMC_ERR_ARG);
    CHECK_EQ(PUT(.type = SVMC_EVENT_EXCEPTION, .vector = 13, .has_error = 2), SVMC_ERR_ARG);
    CHECK_EQ(PUT(.type = SVMC_EVENT_EXCEPTION, .vector = 13, .has_error = 1, .error = 0x10000),
             SVMC_ERR_ARG);
    CHECK_EQ(PUT(.type = SVMC_EVENT_INTERRUPT, .vector = 13, .has_error = 1), SVMC_ERR_ARG);
    CHECK_EQ(PUT(.type = SVMC_EVENT_SOFT_INTERRUPT, .vector = 3), SVMC_ERR_ARG, "no length");
    CHECK_EQ(PUT(.type = SVMC_EVENT_SOFT_INTERRUPT, .vector = 3, .insn_bytes = 16), SVMC_ERR_ARG);
    CHECK_EQ(PUT(.type = SVMC_EVENT_SOFT_EXCEPTION, .vector = 1), SVMC_ERR_ARG, "no length");
    CHECK_EQ(PUT(.type = SVMC_EVENT_SOFT_EXCEPTION, .vector = 5, .insn_bytes = 1), SVMC_ERR_ARG);
    CHECK_EQ(svmc_event_to_vmx(NULL, &a, &b, &b), SVMC_ERR_ARG);
    CHECK_EQ(svmc_event_to_vmx(&irq, NULL, &a, &b), SVMC_ERR_ARG);
    CHECK_EQ(svmc_event_to_vmx(&irq, &a, NULL, &b), SVMC_ERR_ARG);
    CHECK_EQ(svmc_event_to_vmx(&irq, &a, &b, NULL), SVMC_ERR_ARG);
}

TEST(event_vmx, every_word_comes_back_or_is_refused) /* EX-27 */
{
    unsigned taken = 0;

    for (uint32_t low = 0; low < 0x1000; low++) {
        uint32_t info, error, length;
        struct svmc_event event;

        if (svmc_event_from_vmx(0x80000000 | low, 5, 3, &event) != SVMC_OK)
            continue;
        taken++;
        CHECK_EQ(svmc_event_to_vmx(&event, &info, &error, &length), SVMC_OK, "%x", low);
        CHECK_EQ(info, 0x80000000 | low, "%x", low);
        CHECK_EQ(error, low & 0x800 ? 5u : 0u, "%x", low);
        CHECK_EQ(length, (low >> 8 & 7) >= 4 ? 3u : 0u, "%x", low);
    }
    CHECK_EQ(taken, 256 + 1 + 32 + 8 + 256 + 1 + 2);
}
