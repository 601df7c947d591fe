/* SPDX-License-Identifier: MIT */
/*
 * docs/spec/hypercall.md: the words of the guest's header, and what it does where nobody answers.
 * tests/checks/guest_driver.c makes the calls.
 */
#include <svmcore/guest/hypercall.h>
#include <svmcore/iox.h>

#include "../harness.h"

static uint64_t encoded(struct svmc_iox io)
{
    uint64_t word = 0;

    CHECK_EQ(svmc_iox_encode(&io, &word), SVMC_OK);
    return word;
}

TEST(guest_header, holds_the_words_of_the_io_descriptor) /* HC-15 */
{
    CHECK_EQ(SVMC_VMWARE_IN, encoded((struct svmc_iox){ .bytes = 4, .in = 1 }));
    CHECK_EQ(SVMC_VMWARE_OUTS, encoded((struct svmc_iox){ .bytes = 1, .string = 1, .repeat = 1 }));
    CHECK_EQ(SVMC_VMWARE_INS,
             encoded((struct svmc_iox){ .bytes = 1, .in = 1, .string = 1, .repeat = 1 }));
    CHECK_EQ(SVMC_VMWARE_WORD(0) >> 32, SVMC_IOX_MAGIC);
    /* open-vm-tools, lib/include/backdoor_def.h */
    CHECK_EQ(SVMC_VMWARE_MAGIC, 0x564d5868);
    CHECK_EQ(SVMC_VMWARE_PORT, 0x5658);
    CHECK_EQ(SVMC_VMWARE_PORT_HIGH, 0x5659);
    CHECK_EQ(SVMC_VMWARE_FLAG_HIGH | SVMC_VMWARE_FLAG_WRITE, 3);
}

TEST(guest_header, tells_a_native_call_from_one_of_vmware) /* HC-10 */
{
    CHECK(SVMC_HCALL_MAGIC != SVMC_IOX_MAGIC);
    CHECK(SVMC_HCALL_PORT != SVMC_VMWARE_PORT && SVMC_HCALL_PORT != SVMC_VMWARE_PORT_HIGH);
    /* VMCALL: VMware's magic sets bits that are 0 in each control word */
    CHECK_EQ(SVMC_VMWARE_MAGIC & 0xe0000000, 0x40000000);
    /* opcode 0x0000: the upper half of R1 is VMware's magic, or has the ABI version on top */
    CHECK(SVMC_HCALL_CONTROL(0) >> 56 != SVMC_VMWARE_IN >> 56);
    /* the SBI's range for firmware; z/VM's range for its customers, in steps of 4 */
    CHECK(SVMC_HCALL_EID >= 0x0a000000 && SVMC_HCALL_EID <= 0x0affffff);
    CHECK(SVMC_HCALL_DIAG >= 0x100 && SVMC_HCALL_DIAG <= 0x1fc && SVMC_HCALL_DIAG % 4 == 0);
}

TEST(guest_header, control_word) /* HC-2 HC-7 */
{
    static const uint64_t fields[] = {
        0xffff,
        SVMC_HCALL_OWNER(0x3f),
        SVMC_HCALL_FAST,
        SVMC_HCALL_BATCH,
        SVMC_HCALL_TOKEN,
        SVMC_HCALL_TAGGED,
        SVMC_HCALL_RESUME,
        SVMC_HCALL_SIMD_DEAD,
        SVMC_HCALL_DRY_RUN,
        SVMC_HCALL_REPS(0xfff),
        SVMC_HCALL_START(0xfff),
        (uint64_t)0xff << SVMC_HCALL_ABI_SHIFT,
    };
    uint64_t all = 0;

    for (unsigned i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        CHECK_EQ(all & fields[i], 0, "%u", i);
        CHECK(fields[i] > all, "%u", i); /* from the low end to the high one */
        all |= fields[i];
    }
    CHECK_EQ(all, ~(uint64_t)0xe0000000); /* bits 31:29 are kept */
    CHECK_EQ(SVMC_HCALL_CONTROL(0x1234), 0x0100000000001234);
    CHECK_EQ(SVMC_HCALL_CONTROL(0xf1234), 0x0100000000001234);
    CHECK_EQ(SVMC_HCALL_OWNER(2), 0x20000);
    CHECK_EQ(SVMC_HCALL_OWNER(0x42), 0x20000);
    CHECK_EQ(SVMC_HCALL_REPS(0x1abc), 0xabc00000000);
    CHECK_EQ(SVMC_HCALL_START(0x1abc), (uint64_t)0xabc << 44);
}

TEST(guest_header, status_word) /* HC-4 HC-8 */
{
    const svmc_hcall_word status =
        ((svmc_hcall_word)1 << 63) | ((svmc_hcall_word)0x123 << 32) | 0x0ab50001;

    CHECK(SVMC_HCALL_IS_STATUS(status));
    CHECK_EQ(SVMC_HCALL_CODE_OF(status), SVMC_HCALL_BAD_ARG);
    CHECK_EQ(SVMC_HCALL_BAD_OF(status), 5);
    CHECK_EQ(SVMC_HCALL_HINT_OF(status), 0xab);
    CHECK_EQ(SVMC_HCALL_DONE_OF(status), 0x123);
    CHECK_EQ(SVMC_HCALL_CURSOR_OF(status), 1);
    CHECK_EQ(SVMC_HCALL_CURSOR_OF(status << 1 >> 1), 0);
    for (svmc_hcall_word code = 0; code < SVMC_HCALL_ALL_CODES; code++)
        CHECK(SVMC_HCALL_IS_STATUS(code));
    CHECK_EQ(SVMC_HCALL_CODES, 7); /* a page's reply holds no other (R10) */
}

TEST(guest_header, what_others_leave_is_no_status_word) /* HC-8 */
{
    CHECK(!SVMC_HCALL_IS_STATUS(SVMC_HCALL_NOBODY));
    for (long error = -1; error >= -4095; error--) /* Linux, KVM, Xen, SMCCC, the SBI */
        CHECK(!SVMC_HCALL_IS_STATUS((svmc_hcall_word)error), "%ld", error);
    for (uint32_t error = 1; error <= 4095; error++) /* and those that write 32 bits */
        CHECK(!SVMC_HCALL_IS_STATUS((svmc_hcall_word)(0 - error)), "%u", error);
    CHECK(!SVMC_HCALL_IS_STATUS((svmc_hcall_word)(uint16_t)-2));
    for (svmc_hcall_word number = 0; number < 8; number++) /* a control word that came back */
        CHECK(!SVMC_HCALL_IS_STATUS(SVMC_HCALL_CONTROL(number)));
}

TEST(guest_header, discovery_ends_where_owners_begin) /* HC-13 */
{
    static const unsigned asked[] = {
        SVMC_HCALL_ASK_VERSION, SVMC_HCALL_ASK_FEATURES, SVMC_HCALL_ASK_UID,
        SVMC_HCALL_ASK_LIMITS,  SVMC_HCALL_ASK_NEXT,     SVMC_HCALL_ASK_ARGUMENT,
    };

    for (unsigned i = 0; i < sizeof asked / sizeof asked[0]; i++)
        CHECK_EQ(asked[i], i);
    CHECK_EQ(SVMC_HCALL_FIRST, 8);
}

#if SVMC_HCALL_HERE
static unsigned attempts;

static int never(void *ctx, void (*call)(void *), void *of)
{
    attempts++;
    return call && of && ctx == &attempts ? -1 : 0;
}

TEST(guest_header, a_way_that_is_not_there_is_no_call) /* HC-10 */
{
    const struct svmc_guest nowhere = { .way = SVMC_WAY_NONE, .vmware = SVMC_WAY_NONE };
    const struct svmc_hcall_token token = { 1, 2, 3 };
    const struct svmc_guest_channel channel = { 1, 2, 3 };
    svmc_hcall_word word[6] = { 1, 2, 3, 4, 5, 6 };
    char memory[4] = "abc";

    CHECK_EQ(svmc_call(&nowhere, SVMC_HCALL_CONTROL(9), word), SVMC_HCALL_NOBODY);
    CHECK_EQ(svmc_call_tok(&nowhere, SVMC_HCALL_CONTROL(9), word, &token), SVMC_HCALL_NOBODY);
    for (unsigned i = 0; i < 6; i++)
        CHECK_EQ(word[i], i + 1);
    CHECK_EQ(svmc_call2(&nowhere, SVMC_HCALL_CONTROL(9), 7, 8, word), SVMC_HCALL_NOBODY);
    CHECK_EQ(word[1], 8);
    CHECK_EQ(svmc_call0(&nowhere, SVMC_HCALL_CONTROL(9), NULL), SVMC_HCALL_NOBODY);
    CHECK_EQ(svmc_vmware_low(&nowhere, word), UINT32_MAX);
    CHECK_EQ(svmc_vmware_send(&nowhere, 30, &channel, memory, 3), 0);
    CHECK_EQ(svmc_vmware_receive(&nowhere, 30, &channel, memory, 3), 0);
    CHECK_MEM(memory, "abc", 4);
}

TEST(guest_header, a_probe_believes_no_attempt_that_failed) /* HC-14 */
{
    struct svmc_probe_how how = { .attempt = never, .ctx = &attempts };
    struct svmc_guest guest;

    attempts = 0;
    memset(&guest, 0xa5, sizeof guest);
    CHECK_EQ(svmc_probe(&guest, &how), 0);
    CHECK_EQ(guest.way, SVMC_WAY_NONE);
    CHECK_EQ(guest.vmware, SVMC_WAY_NONE);
    CHECK(attempts >= 2 && attempts <= 4, "%u", attempts); /* two ways of two ABIs */
#if !defined(__x86_64__) /* there CPUID is asked, and this machine may have something to say */
    memset(&guest, 0xa5, sizeof guest);
    CHECK_EQ(svmc_probe(&guest, NULL), 0);
    CHECK_EQ(guest.way, SVMC_WAY_NONE);
    CHECK_EQ(guest.vmware, SVMC_WAY_NONE);
    CHECK_EQ(guest.abi, 0);
#endif
    CHECK_EQ(guest.port, SVMC_HCALL_PORT);
}

TEST(guest_header, who_asked_nobody_takes_the_trap_of_programs) /* HC-1 HC-10 */
{
    struct svmc_guest guest = svmc_guest_default();

#if defined(__x86_64__)
    CHECK_EQ(guest.way, SVMC_WAY_PORT);
#else
    CHECK_EQ(guest.way, SVMC_WAY_TRAP);
#endif
    CHECK_EQ(guest.vmware, guest.way);
    CHECK_EQ(guest.port, 0x565c);
    CHECK_EQ(guest.abi, 0);
}
#endif
