/* SPDX-License-Identifier: MIT */
/* docs/spec/vmware.md: message channels, as clients use them and as they must not. */
#include "../harness.h"
#include "../random.h"
#include "vmware_lab.h"

static struct lab lab, other;

#define IS(got, want)                                       \
    do {                                                    \
        const char *is_ = (got);                            \
        CHECK(strcmp(is_, want) == 0, "%s: %s", #got, is_); \
    } while (0)

#define STATUS(step, ch, arg1) lab_message(&lab, LAB_##step, ch, arg1, NULL)

/* bytes of all messages that hold room, and that they lie apart and inside */
static uint32_t held(void)
{
    uint32_t sum = 0, at = lab.config.message_bytes;

    for (const struct svmc_vmware_message *m = lab.vm.priv.first; m; m = m->next) {
        uint32_t room = m->bytes ? (m->bytes + 31) / 32 * 32 : 32;

        CHECK(m->at >= at && m->at + room <= lab.config.arena_bytes);
        at = m->at + room;
        sum += room;
    }
    return sum;
}

TEST(vmware_message, guestinfo_is_set_and_got) /* VW-16 VW-9 */
{
    uint32_t keys;

    for (unsigned high = 0; high < 2; high++) {
        lab_start(&lab);
        lab.config.flags = high;
        CHECK_EQ(svmc_vmware_init(&lab.vm, &lab.config, &lab_ops, &lab), SVMC_OK);
        IS(lab_rpc(&lab, "info-set guestinfo.hello a b "), "1 ");
        IS(lab_rpc(&lab, "info-get guestinfo.hello"), "1 a b ");
        IS(lab_rpc(&lab, "info-get GuestInfo.hello"), "1 a b ");
        IS(lab_rpc(&lab, "info-set GUESTINFO.hello "), "1 ");
        IS(lab_rpc(&lab, "info-get guestinfo.hello"), "1 ");
        IS(lab_rpc(&lab, "info-get guestinfo.helli"), "0 No value found");
        IS(lab_rpc(&lab, "info-set guestinfo.full x"), "0 Quota used up");
        IS(lab_rpc(&lab, "info-set guestinfo.other x"), "0 Not permitted");
        IS(lab_rpc(&lab, "info-set guestinfo.hello"), "0 No value given");
        IS(lab_rpc(&lab, "info-set guestinfo.hello x"), "1 ");
        IS(lab_rpc(&lab, "info-get guestinfo.hello there"), "1 x");
        IS(lab_rpc(&lab, "info-get guestinfo.hello "), "1 x");
        keys = lab.keys;
        IS(lab_rpc(&lab, "info-get guestinfo."), "0 No value found");
        IS(lab_rpc(&lab, "info-get guestinfo. hello"), "0 No value found");
        IS(lab_rpc(&lab, "info-set guestinfo. x"), "0 Not permitted");
        CHECK_EQ(lab.keys, keys); /* no key is none of the host's */
        IS(lab_rpc(&lab, "info-get guestinfo.12345678901234567890123456789012"),
           "0 No value found");
        IS(lab_rpc(&lab, "info-get guestinfo.123456789012345678901234567890123"), "0 Key too long");
        IS(lab_rpc(&lab, "info-set guestinfo.123456789012345678901234567890123 x"),
           "0 Key too long");
        IS(lab_rpc(&lab, "log some words"), "1 ");
        IS(lab.last_log, "some words");
        CHECK_EQ(lab.rpcs, 0);
        IS(lab_rpc(&lab, "echo"), "1 said");
        IS(lab_rpc(&lab, "deny"), "0 because");
        IS(lab_rpc(&lab, "long"), "0 Unknown command");
        IS(lab_rpc(&lab, "INFO-GET guestinfo.hello"), "0 Unknown command");
        IS(lab_rpc(&lab, "info-get guestinf0.hello"), "0 Unknown command");
        IS(lab_rpc(&lab, "info-get guestinfo"), "0 Unknown command");
        IS(lab_rpc(&lab, "x"), "0 Unknown command");
        IS(lab_rpc(&lab, ""), "0 Unknown command");
        CHECK_EQ(held(), 0);
    }
}

/* a quota and a log are somebody's: the host learns whose */
TEST(vmware_message, the_host_is_told_who_asks) /* VW-16 */
{
    static const char requests[3][32] = { "info-get guestinfo.hello", "info-set guestinfo.hello x",
                                          "log x" };
    struct svmc_vmware_call call;
    struct lab_channel ch;

    for (unsigned n = 0; n < 3; n++)
        for (uint32_t user = 0; user < 2; user++) {
            lab_start(&lab);
            lab.caller_user = 2;
            CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
            CHECK_EQ(STATUS(SENDSIZE, &ch, (uint32_t)strlen(requests[n])), 0x81);
            call = lab_call(&lab, 0, 1u << 16);
            call.high = call.write = 1;
            call.user = (uint8_t)user;
            call.data = (uint8_t *)(uintptr_t)requests[n];
            call.data_bytes = (uint32_t)strlen(requests[n]);
            call.arg[3] = ch.id << 16;
            call.arg[5] = (uint32_t)ch.cookie;
            call.arg[6] = ch.cookie >> 32;
            CHECK_EQ(lab_handle(&lab, &call).end, SVMC_VMWARE_DONE);
            CHECK(lab.caller_vcpu == 7 && lab.caller_user == user, "%s", requests[n]);
        }
}

TEST(vmware_message, without_its_function_a_word_goes_to_rpc) /* VW-16 */
{
    struct svmc_vmware_ops ops = lab_ops;

    lab_start(&lab);
    ops.info_get = NULL;
    ops.info_set = NULL;
    ops.log = NULL;
    CHECK_EQ(svmc_vmware_init(&lab.vm, &lab.config, &ops, &lab), SVMC_OK);
    IS(lab_rpc(&lab, "info-get guestinfo.hello"), "0 Unknown command");
    IS(lab_rpc(&lab, "info-set guestinfo.hello 1"), "0 Unknown command");
    IS(lab_rpc(&lab, "log x"), "0 Unknown command");
    CHECK_EQ(lab.rpcs, 3);
    ops.rpc = NULL;
    CHECK_EQ(svmc_vmware_init(&lab.vm, &lab.config, &ops, &lab), SVMC_OK);
    IS(lab_rpc(&lab, "echo"), "0 Unknown command");
    CHECK_EQ(lab.rpcs, 3);
}

TEST(vmware_message, long_values_go_both_ways) /* VW-16 VW-12 */
{
    static char request[65536 + 1];
    static uint8_t reply[65536];
    struct lab_channel ch;
    uint32_t bytes;

    for (unsigned high = 0; high < 2; high++) {
        lab_start(&lab);
        lab.memory[0] = 0;
        memset(request, 0, sizeof request);
        snprintf(request, sizeof request, "info-set guestinfo.hello ");
        for (unsigned i = 25; i < 60000; i++)
            request[i] = (char)('a' + i % 23);
        CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
        ch.no_high = !high;
        CHECK(lab_send(&lab, &ch, request, 60001)); /* with its NUL */
        CHECK(lab_receive(&lab, &ch, reply, &bytes));
        CHECK(bytes == 2 && memcmp(reply, "1 ", 2) == 0);
        CHECK_EQ(lab.value_bytes, 60000 - 25);
        CHECK(lab_send(&lab, &ch, "info-get guestinfo.hello", 24));
        lab.away = 0x00000f0f; /* the pages of the reply come one after the other */
        CHECK(lab_receive(&lab, &ch, reply, &bytes));
        CHECK_EQ(bytes, 60000 - 25 + 2);
        CHECK_MEM(reply + 2, request + 25, bytes - 2);
        CHECK_EQ(STATUS(SENDSIZE, &ch, 65536) & 1, 1); /* the longest */
        CHECK_EQ(STATUS(SENDSIZE, &ch, 65537), 0);
        CHECK_EQ(STATUS(SENDSIZE, &ch, 0xffffffff), 0);
        memset(request + 25, 'v', 65001);
        CHECK(lab_send(&lab, &ch, request, 25 + 65001));
        CHECK(lab_receive(&lab, &ch, reply, &bytes));
        CHECK(bytes == 16 && memcmp(reply, "0 Value too long", 16) == 0);
    }
}

/* every step after which a checkpoint may come; the request is done once in every case */
TEST(vmware_message, a_checkpoint_starts_the_step_again) /* VW-14 */
{
    const char *request = "info-set guestinfo.hello 12345";
    uint32_t n = (uint32_t)strlen(request), word;
    struct svmc_vmware_call call;
    struct svmc_vmware_result out;
    struct lab_channel ch;
    uint8_t reply[64];
    uint32_t bytes;

    lab_start(&lab);
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
    for (unsigned sent = 0; sent < n; sent += 4) { /* low bandwidth, after so many bytes */
        CHECK_EQ(STATUS(SENDSIZE, &ch, n), 0x81);
        for (unsigned i = 0; i < sent; i += 4)
            CHECK_EQ(STATUS(SENDPAYLOAD, &ch, 0x78787878), 1);
        CHECK_EQ(svmc_vmware_checkpoint(&lab.vm), SVMC_OK);
        CHECK_EQ(held(), 0);
        CHECK_EQ(STATUS(SENDPAYLOAD, &ch, 0x78787878), SVMC_VMWARE_CHECKPOINT);
        CHECK_EQ(STATUS(SENDPAYLOAD, &ch, 0x78787878), 0); /* once */
    }
    CHECK_EQ(STATUS(SENDSIZE, &ch, n), 0x81); /* high */
    CHECK_EQ(svmc_vmware_checkpoint(&lab.vm), SVMC_OK);
    CHECK_EQ(lab_high(&lab, &ch, true, 0x1000, n, &out), SVMC_VMWARE_CHECKPOINT);
    CHECK_EQ(STATUS(SENDSIZE, &ch, n), 0x81);
    CHECK_EQ(svmc_vmware_checkpoint(&lab.vm), SVMC_OK);
    CHECK(lab.sets == 0 && lab_send(&lab, &ch, request, n)); /* the new size forgets it */
    CHECK_EQ(svmc_vmware_checkpoint(&lab.vm), SVMC_OK);      /* done, not asked for: no notice */
    CHECK_EQ(lab_message(&lab, LAB_RECVSIZE, &ch, 0, &call), 0x83);
    CHECK_EQ(svmc_vmware_checkpoint(&lab.vm), SVMC_OK);
    CHECK_EQ(lab_high(&lab, &ch, false, 0x1000, 2, &out), SVMC_VMWARE_CHECKPOINT);
    CHECK_EQ(STATUS(RECVPAYLOAD, &ch, 1), 0);
    CHECK_EQ(STATUS(RECVSIZE, &ch, 0), 0x83);
    CHECK_EQ(lab_message(&lab, LAB_RECVPAYLOAD, &ch, 1, &call), 1);
    word = (uint32_t)call.arg[1];
    CHECK_EQ(word, '1' | ' ' << 8);
    CHECK_EQ(svmc_vmware_checkpoint(&lab.vm), SVMC_OK);
    CHECK_EQ(STATUS(RECVSTATUS, &ch, 1), SVMC_VMWARE_CHECKPOINT);
    CHECK(lab_receive(&lab, &ch, reply, &bytes));
    CHECK(bytes == 2 && memcmp(reply, "1 ", 2) == 0);
    CHECK(lab.sets == 1 && lab.value_bytes == 5 && held() == 0);
    CHECK_EQ(svmc_vmware_checkpoint(&lab.vm), SVMC_OK);
    CHECK_EQ(STATUS(RECVSIZE, &ch, 0), 1);
}

TEST(vmware_message, an_opening_is_checked) /* VW-10 */
{
    struct lab_channel ch, plain;
    struct svmc_vmware_call call;
    struct svmc_vmware_ops ops = lab_ops;

    lab_start(&lab);
    CHECK_EQ(lab_open(&lab, 0x49435053 | LAB_COOKIE, &ch), 0);
    CHECK_EQ(lab_open(&lab, 0, &ch), 0);
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
    call = lab_call(&lab, SVMC_VMWARE_MESSAGE, LAB_RPCI); /* no cookie: 4 and 5 stay */
    plain.cookie = call.arg[4];
    lab_handle(&lab, &call);
    CHECK_EQ(call.arg[2] >> 16, 1);
    CHECK_EQ(call.arg[4], plain.cookie);
    memset(&plain, 0, sizeof plain);
    plain.id = (uint32_t)call.arg[3] >> 16;
    for (unsigned i = 0; i < 4; i++) {
        plain.cookie = harness_random(&lab.seed);
        CHECK(lab_send(&lab, &plain, "echo", 4));
    }
    lab.config.flags = SVMC_VMWARE_COOKIES;
    ops.tclo = NULL;
    CHECK_EQ(svmc_vmware_init(&lab.vm, &lab.config, &ops, &lab), SVMC_OK);
    CHECK_EQ(lab_open(&lab, LAB_RPCI, &ch), 0);
    CHECK_EQ(lab_open(&lab, LAB_TCLO | LAB_COOKIE, &ch), 0);
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
    call = lab_call(&lab, SVMC_VMWARE_MESSAGE, LAB_RPCI | LAB_COOKIE);
    lab.fail_at = lab.calls + 1;
    {
        struct svmc_vmware_call was = call;
        struct svmc_vmware_result out;

        CHECK_EQ(svmc_vmware_handle(&lab.vm, &call, &out), SVMC_ERR_CALLBACK);
        CHECK(out.end == SVMC_VMWARE_FAILED && memcmp(&was, &call, sizeof call) == 0);
    }
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
    CHECK_EQ(ch.id, 1);
}

TEST(vmware_message, the_cookie_is_asked_for_at_every_step) /* VW-11 VW-15 */
{
    struct lab_channel ch, wrong;
    struct svmc_vmware_result out;

    lab_start(&lab);
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
    CHECK(lab_send(&lab, &ch, "echo", 4));
    for (unsigned bit = 0; bit < 64; bit++) {
        wrong = ch;
        wrong.cookie ^= 1ull << bit;
        for (unsigned step = LAB_SENDSIZE; step <= LAB_CLOSE; step++)
            CHECK_EQ(lab_message(&lab, (enum lab_step)step, &wrong, 1, NULL), 0);
        CHECK_EQ(lab_high(&lab, &wrong, false, 0x1000, 1, &out), 0);
        CHECK_EQ(lab_high(&lab, &wrong, true, 0x1000, 1, &out), 0);
    }
    wrong = ch;
    for (wrong.id = 0; wrong.id < 0x10000; wrong.id++)
        if (wrong.id != ch.id)
            CHECK_EQ(STATUS(RECVSIZE, &wrong, 0), 0);
    for (unsigned step = 7; step < 0x10000; step++)
        CHECK_EQ(lab_message(&lab, (enum lab_step)step, &ch, 1, NULL), 0);
    CHECK_EQ(STATUS(RECVSIZE, &ch, 0), 0x83);
    CHECK_EQ(STATUS(CLOSE, &ch, 0), 1);
    CHECK_EQ(STATUS(CLOSE, &ch, 0), 0);
    CHECK_EQ(STATUS(SENDSIZE, &ch, 1), 0);
    CHECK_EQ(held(), 0);
}

TEST(vmware_message, nothing_of_one_vm_is_in_another) /* VW-1 */
{
    struct lab_channel ch, theirs;
    uint8_t reply[64];
    uint32_t bytes;

    lab_start(&lab);
    lab_start(&other);
    other.seed = 99;
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
    CHECK_EQ(lab_open(&other, LAB_RPCI | LAB_COOKIE, &theirs), 1);
    CHECK(lab_send(&lab, &ch, "echo", 4));
    CHECK_EQ(lab_message(&other, LAB_RECVSIZE, &ch, 0, NULL), 0);
    CHECK_EQ(lab_message(&other, LAB_RECVSIZE, &theirs, 0, NULL), 1);
    CHECK_EQ(svmc_vmware_close(&other.vm, 0), SVMC_OK);
    CHECK(lab_receive(&lab, &ch, reply, &bytes) && bytes == 6);
}

/* a wrong order of steps, too much, too early: status 0, and the message is as it was */
TEST(vmware_message, steps_out_of_order_are_refused) /* VW-11 */
{
    struct lab_channel ch;
    struct svmc_vmware_result out;
    uint8_t reply[64];
    uint32_t bytes;

    lab_start(&lab);
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
    CHECK_EQ(STATUS(SENDPAYLOAD, &ch, 0x6f686365), 0);
    CHECK_EQ(STATUS(RECVPAYLOAD, &ch, 1), 0);
    CHECK_EQ(STATUS(RECVSTATUS, &ch, 1), 0);
    CHECK_EQ(lab_high(&lab, &ch, true, 0x1000, 4, &out), 0);
    CHECK_EQ(lab_high(&lab, &ch, false, 0x1000, 4, &out), 0);
    CHECK_EQ(STATUS(RECVSIZE, &ch, 0), 1);
    CHECK_EQ(STATUS(SENDSIZE, &ch, 8), 0x81);
    CHECK_EQ(STATUS(RECVSIZE, &ch, 0), 1); /* nothing before all is there */
    CHECK_EQ(lab_high(&lab, &ch, true, 0x1000, 9, &out), 0);
    CHECK_EQ(lab_high(&lab, &ch, true, 0x1000, 0x100000008, &out), 0);
    CHECK_EQ(lab_high(&lab, &ch, true, 0x1000, ~0ull, &out), 0);
    CHECK_EQ(lab.rpcs, 0);
    CHECK(lab_send(&lab, &ch, "echo", 4)); /* the new size begins anew */
    CHECK_EQ(STATUS(SENDPAYLOAD, &ch, 0), 0);
    CHECK_EQ(STATUS(RECVPAYLOAD, &ch, 1), 0); /* its size was not asked for */
    CHECK_EQ(STATUS(RECVSIZE, &ch, 0), 0x83);
    CHECK_EQ(STATUS(RECVSTATUS, &ch, 1), 0);
    CHECK_EQ(lab_high(&lab, &ch, false, 0x1000, 7, &out), 0);
    CHECK_EQ(STATUS(RECVPAYLOAD, &ch, 1), 1);
    CHECK_EQ(STATUS(RECVSTATUS, &ch, 1), 0);
    CHECK_EQ(STATUS(RECVPAYLOAD, &ch, 0xffffffff), 1); /* bit 0 counts, no other */
    CHECK_EQ(STATUS(RECVPAYLOAD, &ch, 1), 0);
    CHECK_EQ(STATUS(RECVSIZE, &ch, 0), 0x83);          /* from the front again */
    CHECK_EQ(STATUS(RECVPAYLOAD, &ch, 0xfffffffe), 1); /* given up */
    CHECK_EQ(STATUS(RECVSIZE, &ch, 0), 1);
    CHECK(lab_send(&lab, &ch, "echo", 4));
    CHECK_EQ(STATUS(RECVSIZE, &ch, 0), 0x83);
    CHECK_EQ(STATUS(RECVSTATUS, &ch, 0x82), 1); /* given up too */
    CHECK_EQ(STATUS(RECVSIZE, &ch, 0), 1);
    CHECK(lab_send(&lab, &ch, "deny", 4));
    CHECK(lab_send(&lab, &ch, "echo", 4)); /* the answer of the last is the one that waits */
    CHECK(lab_receive(&lab, &ch, reply, &bytes));
    CHECK(bytes == 6 && memcmp(reply, "1 said", 6) == 0);
    CHECK_EQ(held(), 0);
}

/* What high bandwidth asks of its registers. */
TEST(vmware_message, high_bandwidth_is_strict) /* VW-11 VW-5 VW-4 */
{
    struct svmc_vmware_call good, call;
    struct svmc_vmware_result out;
    struct lab_channel ch;

    lab_start(&lab);
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
    CHECK_EQ(STATUS(SENDSIZE, &ch, 4), 0x81);
    memcpy(lab.memory + 0x1000, "echo", 4);
    good = lab_call(&lab, 0, 1u << 16);
    good.high = good.write = 1;
    good.arg[2] = 4;
    good.arg[3] = ch.id << 16;
    good.arg[4] = 0x1000;
    good.arg[5] = (good.arg[5] & ~0xffffffffull) | (uint32_t)ch.cookie;
    good.arg[6] = (good.arg[6] & ~0xffffffffull) | ch.cookie >> 32;
    for (unsigned i = 0; i < 4; i++) {
        call = good;
        if (i == 0)
            call.arg[1]++; /* another command */
        else if (i == 1)
            call.arg[1] &= ~0x10000ull; /* no success */
        else if (i == 2)
            call.arg[1] |= 0x8000;
        else
            call.write = 0; /* nothing to read, and the cookie is elsewhere */
        out = lab_handle(&lab, &call);
        CHECK(out.end == SVMC_VMWARE_DONE && out.unknown == 0 && call.arg[1] >> 16 == 0);
        CHECK(call.arg[2] == 4 && call.arg[4] == 0x1000);
    }
    call = good;
    call.arg[1] |= 0xfffe0000; /* the other bits are not the guest's */
    out = lab_handle(&lab, &call);
    CHECK(call.arg[1] == 0x10000 && call.arg[2] == 0 && call.arg[4] == 0x1004 && lab.rpcs == 1);
    lab.config.kernel_only[0] = 1u << SVMC_VMWARE_MESSAGE;
    CHECK_EQ(svmc_vmware_init(&lab.vm, &lab.config, &lab_ops, &lab), SVMC_OK);
    call = good;
    call.user = 1;
    out = lab_handle(&lab, &call);
    CHECK(out.unknown == 1 && call.arg[0] == 0xffffffff && call.arg[1] == 0);
    call = good;
    out = lab_handle(&lab, &call);
    CHECK(out.unknown == 0 && call.arg[0] == good.arg[0] && call.arg[1] == 0);
}

TEST(vmware_message, narrow_code_has_narrow_pointers) /* VW-11 */
{
    struct svmc_vmware_call call;
    struct lab_channel ch;

    for (unsigned isa = SVMC_ISA_X86_16; isa <= SVMC_ISA_S390X; isa++) {
        bool narrow = isa == SVMC_ISA_X86_16 || isa == SVMC_ISA_X86_32 || isa == SVMC_ISA_A32 ||
                      isa == SVMC_ISA_T32 || isa == SVMC_ISA_RV32; /* TM-17 gives such calls */

        lab_start(&lab);
        CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
        CHECK_EQ(STATUS(SENDSIZE, &ch, 4), 0x81);
        memcpy(lab.memory + 0x1ffe, "echo", 4);
        call = lab_call(&lab, 0, 1u << 16);
        call.high = call.write = 1;
        call.isa = (uint8_t)isa;
        call.base = 0xfffff000;
        call.arg[2] = narrow ? 0xabcd00000004 : 4;
        call.arg[3] = ch.id << 16;
        call.arg[4] = narrow ? 0x77700002ffe : 0x2ffe - 0xfffff000ull + 0x1fff00000000;
        call.arg[5] = (uint32_t)ch.cookie;
        call.arg[6] = ch.cookie >> 32;
        if (!narrow)
            memcpy(lab.memory + 0x2ffe, "echo", 4);
        CHECK_EQ(lab_handle(&lab, &call).end, SVMC_VMWARE_DONE);
        CHECK_EQ(call.arg[1] >> 16, 1, "%u", isa);
        CHECK_EQ(call.arg[4], narrow ? 0x3002 : 0x3002 - 0xfffff000ull + 0x1fff00000000);
        CHECK_EQ(call.arg[2], 0);
        CHECK_EQ(STATUS(RECVSIZE, &ch, 0), 0x83);
        CHECK_EQ(lab.rpcs, 1);
    }
}

/* as KVM gives the strings: byte after byte, without a pointer */
TEST(vmware_message, chunks_of_a_string_count_as_one) /* VW-11 */
{
    struct svmc_vmware_ops ops = lab_ops;
    struct svmc_vmware_call call, was;
    struct lab_channel ch;
    uint8_t text[] = "echo", got[8] = { 0 };

    lab_start(&lab);
    ops.translate = NULL;
    CHECK_EQ(svmc_vmware_init(&lab.vm, &lab.config, &ops, &lab), SVMC_OK);
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
    CHECK_EQ(STATUS(SENDSIZE, &ch, 4), 0x81);
    CHECK_EQ(lab_high(&lab, &ch, true, 0x1000, 4, NULL), 0); /* there is no memory */
    for (unsigned i = 0; i < 4; i++) {
        call = lab_call(&lab, 0, 1u << 16);
        call.high = call.write = 1;
        call.data = text + i;
        call.data_bytes = 1;
        call.arg[3] = ch.id << 16;
        call.arg[5] = (uint32_t)ch.cookie;
        call.arg[6] = ch.cookie >> 32;
        was = call;
        CHECK_EQ(lab_handle(&lab, &call).end, SVMC_VMWARE_DONE);
        CHECK(call.arg[1] == 0x10000 && call.arg[2] == was.arg[2] && call.arg[4] == was.arg[4]);
        CHECK_EQ(lab.rpcs, i == 3);
    }
    CHECK_EQ(STATUS(RECVSIZE, &ch, 0), 0x83);
    for (unsigned i = 0; i < 2; i++) {
        call = lab_call(&lab, 0, 1u << 16);
        call.high = 1;
        call.data = got + 3 * i;
        call.data_bytes = 3;
        call.arg[3] = ch.id << 16;
        call.arg[4] = ch.cookie >> 32;
        call.arg[6] = (uint32_t)ch.cookie;
        CHECK_EQ(lab_handle(&lab, &call).end, SVMC_VMWARE_DONE);
        CHECK_EQ(call.arg[1], 0x10000);
    }
    CHECK_MEM(got, "1 said", 7);
    CHECK_EQ(STATUS(RECVSTATUS, &ch, 1), 1);
}

/* what a read does not fill is not what stood in the hypervisor's buffer */
TEST(vmware_message, a_refused_read_gives_zeros) /* VW-11 */
{
    static const uint8_t zeros[16];
    struct svmc_vmware_call call;
    struct lab_channel ch;
    uint8_t data[16];

    for (unsigned how = 0; how < 4; how++) {
        lab_start(&lab);
        CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
        CHECK(lab_send(&lab, &ch, "echo", 4));
        CHECK_EQ(STATUS(RECVSIZE, &ch, 0), 0x83);
        lab.config.kernel_only[0] = how == 2 ? 1u << SVMC_VMWARE_MESSAGE : 0;
        if (how == 2)
            CHECK_EQ(svmc_vmware_init(&lab.vm, &lab.config, &lab_ops, &lab), SVMC_OK);
        if (how == 3)
            CHECK_EQ(svmc_vmware_checkpoint(&lab.vm), SVMC_OK);
        memset(data, 0x5e, sizeof data);
        call = lab_call(&lab, 0, 1u << 16);
        call.user = call.high = 1;
        call.data = data;
        call.data_bytes = how == 0 ? 7 : how == 1 ? 16 : 6; /* of 6 */
        call.arg[3] = ch.id << 16;
        call.arg[4] = ch.cookie >> 32;
        call.arg[6] = (uint32_t)ch.cookie;
        CHECK_EQ(lab_handle(&lab, &call).end, SVMC_VMWARE_DONE);
        CHECK_EQ(call.arg[1] >> 16 & 1, 0);
        CHECK_MEM(data, zeros, call.data_bytes, "%u", how);
        CHECK_EQ(data[15], how == 1 ? 0 : 0x5e);
        call.write = 1; /* what the guest gives stays */
        memset(data, 0x5e, sizeof data);
        call.arg[0] = SVMC_VMWARE_MAGIC;
        CHECK_EQ(lab_handle(&lab, &call).end, SVMC_VMWARE_DONE);
        CHECK_EQ(data[0], 0x5e);
    }
}

TEST(vmware_message, a_fault_is_the_guest_s_and_the_call_goes_on) /* VW-11 */
{
    struct svmc_vmware_result out;
    struct svmc_vmware_call call;
    struct lab_channel ch;

    lab_start(&lab);
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
    CHECK_EQ(STATUS(SENDSIZE, &ch, 10000), 0x81);
    lab.away = 1u << 2;
    call = lab_call(&lab, 0, 1u << 16);
    call.high = call.write = 1;
    call.arg[2] = 10000;
    call.arg[3] = ch.id << 16;
    call.arg[4] = 0x0ff0;
    call.arg[5] = (uint32_t)ch.cookie;
    call.arg[6] = ch.cookie >> 32;
    out = lab_handle(&lab, &call);
    CHECK(out.end == SVMC_VMWARE_FAULT && out.fault.raised == 1 && out.fault.vector == 14);
    CHECK(out.fault.error == 4 && out.fault.address == 0x2000);
    CHECK(call.arg[4] == 0x2000 && call.arg[2] == 10000 - 0x1010 &&
          (call.arg[1] >> 16 & 0xffff) == 1);
    out = lab_handle(&lab, &call); /* still away */
    CHECK(out.end == SVMC_VMWARE_FAULT && out.changed == 0);
    lab.away = 0;
    out = lab_handle(&lab, &call);
    CHECK(out.end == SVMC_VMWARE_DONE && call.arg[1] == 0x10000 && call.arg[2] == 0);
    CHECK(out.fault.raised == 0 && out.fault.error == 0 && lab.rpcs == 1);
}

/* a program's pointer can be to a device's page: that is no failure of the hypervisor */
TEST(vmware_message, what_is_no_memory_is_refused) /* VW-21 */
{
    struct svmc_vmware_result out;
    struct svmc_vmware_call call;
    struct lab_channel ch;

    for (unsigned write = 0; write < 2; write++) {
        lab_start(&lab);
        lab.device = 1u << 3;
        lab.value_bytes = 5000;
        CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
        if (write) {
            CHECK_EQ(STATUS(SENDSIZE, &ch, 5000), 0x81);
        } else {
            CHECK(lab_send(&lab, &ch, "info-get guestinfo.hello", 24));
            CHECK_EQ(STATUS(RECVSIZE, &ch, 0), 0x83);
        }
        call = lab_call(&lab, 0, 1u << 16);
        call.user = 1;
        call.high = 1;
        call.write = (uint8_t)write;
        call.arg[2] = 5000;
        call.arg[3] = ch.id << 16;
        call.arg[4] = write ? 0x2ff0 : ch.cookie >> 32;
        call.arg[5] = write ? (uint32_t)ch.cookie : 0x2ff0;
        call.arg[6] = write ? ch.cookie >> 32 : (uint32_t)ch.cookie;
        memset(&out, 0xee, sizeof out);
        CHECK_EQ(svmc_vmware_handle(&lab.vm, &call, &out), SVMC_OK);
        CHECK(out.end == SVMC_VMWARE_DONE && out.unknown == 0 && out.fault.raised == 0);
        CHECK_EQ(call.arg[1], 0); /* status 0 */
        CHECK(call.arg[2] == 5000 - 16 && call.arg[write ? 4 : 5] == 0x3000);
        CHECK_EQ(lab.rpcs, 0);
        IS(lab_rpc(&lab, "echo"), "1 said"); /* the VM goes on */
    }
}

TEST(vmware_message, what_memory_says_is_checked) /* VW-11 */
{
    struct svmc_vmware_result out;
    struct svmc_vmware_call call, was;
    struct lab_channel ch;

    lab_start(&lab);
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
    CHECK_EQ(STATUS(SENDSIZE, &ch, 4), 0x81);
    for (lab.lie = 1; lab.lie <= 3; lab.lie++) {
        call = lab_call(&lab, 0, 1u << 16);
        call.high = call.write = 1;
        call.arg[2] = 4;
        call.arg[3] = ch.id << 16;
        call.arg[4] = 0x1000;
        call.arg[5] = (uint32_t)ch.cookie;
        call.arg[6] = ch.cookie >> 32;
        was = call;
        memset(&out, 0xee, sizeof out);
        CHECK_EQ(svmc_vmware_handle(&lab.vm, &call, &out), SVMC_ERR_CALLBACK, "%u", lab.lie);
        CHECK(out.end == 0 && out.fault.raised == 0 && out.changed == 0);
        CHECK_MEM(&call, &was, sizeof call);
    }
    lab.lie = 5; /* of info_get */
    CHECK(lab_send(&lab, &ch, "info-get guestinfo.hello", 24));
    CHECK_EQ(lab_message(&lab, LAB_RECVSIZE, &ch, 0, &call), 0x83);
    CHECK_EQ(call.arg[1], 16); /* 0 No value found */
}

TEST(vmware_message, channels_are_given_away_in_turn) /* VW-10 VW-13 VW-15 */
{
    static struct lab_channel ch[LAB_CHANNELS + 2];
    unsigned n;

    lab_start(&lab);
    for (n = 0; n < LAB_CHANNELS; n++) {
        CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch[n]), 1);
        CHECK_EQ(ch[n].id, n);
        CHECK(n == 0 || ch[n].cookie != ch[n - 1].cookie);
    }
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch[n]), 0);
    lab.clock = 1000;
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch[n]), 0); /* not longer than the limit */
    CHECK_EQ(STATUS(SENDSIZE, &ch[5], 0), 0x81);
    lab.clock = 1001;
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch[n]), 1);
    CHECK_EQ(STATUS(RECVSIZE, &ch[5], 0), 0x83); /* the one that was used is there */
    CHECK(ch[n].id != 5 && ch[n].id < LAB_CHANNELS);
    for (n = 0; n < LAB_CHANNELS; n++)
        if (n != 5)
            CHECK_EQ(STATUS(RECVSIZE, &ch[n], 0),
                     n == ch[LAB_CHANNELS].id ? 0 : SVMC_VMWARE_TIMEOUT | SVMC_VMWARE_CLOSED);
    CHECK_EQ(STATUS(CLOSE, &ch[5], 0), 1);
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch[5]), 1);
    CHECK_EQ(ch[5].id, 5); /* that nobody asks after goes first */
    lab.config.idle_ticks = 0;
    CHECK_EQ(svmc_vmware_init(&lab.vm, &lab.config, &lab_ops, &lab), SVMC_OK);
    for (n = 0; n < LAB_CHANNELS; n++)
        CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch[n]), 1);
    lab.clock = ~0ull;
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch[n]), 0); /* no limit */
}

TEST(vmware_message, the_host_closes_all_and_says_why) /* VW-15 */
{
    struct lab_channel ch, plain;

    lab_start(&lab);
    CHECK_EQ(svmc_vmware_close(&lab.vm, 1), SVMC_ERR_ARG);
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
    CHECK_EQ(lab_open(&lab, LAB_RPCI, &plain), 1);
    CHECK(lab_send(&lab, &ch, "echo", 4));
    CHECK_EQ(svmc_vmware_close(&lab.vm, SVMC_VMWARE_POWEROFF), SVMC_OK);
    CHECK_EQ(held(), 0);
    CHECK_EQ(STATUS(RECVSIZE, &ch, 0), 0x24);
    CHECK_EQ(STATUS(SENDSIZE, &plain, 4), 0x24);
    ch.cookie++;
    CHECK_EQ(STATUS(RECVSIZE, &ch, 0), 0);
    IS(lab_rpc(&lab, "echo"), "1 said");
}

/* all of the arena but its scratch is the guests' */
static void start_without_tclo(void)
{
    struct svmc_vmware_ops ops = lab_ops;

    lab_start(&lab);
    ops.tclo = NULL;
    CHECK_EQ(svmc_vmware_init(&lab.vm, &lab.config, &ops, &lab), SVMC_OK);
}

/* a guest that floods, never ends, or sends halves: bounded, and told so */
TEST(vmware_message, the_arena_is_the_quota) /* VW-12 VW-13 */
{
    static struct lab_channel ch[LAB_CHANNELS];
    uint32_t given = 0, refused = 0;
    uint8_t reply[64];
    uint32_t bytes;

    start_without_tclo();
    for (unsigned n = 0; n < LAB_CHANNELS; n++)
        CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch[n]), 1);
    for (unsigned n = 0; n < LAB_CHANNELS; n++)
        if (STATUS(SENDSIZE, &ch[n], 65536) & 1)
            given++;
        else
            refused++;
    CHECK(given == 3 && refused == LAB_CHANNELS - 3); /* four longest, one of them scratch */
    CHECK_EQ(held(), 3 * 65536);
    CHECK_EQ(STATUS(SENDSIZE, &ch[9], 0), 0); /* not even a unit */
    CHECK_EQ(STATUS(SENDSIZE, &ch[1], 4), 0x81);
    CHECK_EQ(held(), 2 * 65536 + 32);
    for (unsigned n = 10; n < LAB_CHANNELS; n++)
        CHECK_EQ(STATUS(SENDSIZE, &ch[n], 500), 0x81);
    CHECK_EQ(held(), 2 * 65536 + 32 + 118 * 512); /* of 65536 - 32, 4576 are left */
    CHECK_EQ(STATUS(SENDSIZE, &ch[3], 5089), 0);
    CHECK_EQ(STATUS(SENDSIZE, &ch[3], 5088), 0x81);
    CHECK_EQ(STATUS(SENDSIZE, &ch[4], 1), 0);
    lab.clock = 2000; /* who is quiet makes room for who is not */
    CHECK_EQ(STATUS(SENDSIZE, &ch[4], 65536), 0x81);
    CHECK_EQ(held(), 65536);
    CHECK_EQ(STATUS(SENDPAYLOAD, &ch[0], 1), SVMC_VMWARE_TIMEOUT | SVMC_VMWARE_CLOSED);
    CHECK_EQ(STATUS(SENDSIZE, &ch[4], 0), 0x81);
    CHECK(lab_receive(&lab, &ch[4], reply, &bytes) && bytes == 17); /* Unknown command */
}

/* the clock jumps, or goes back, while a channel is at work */
TEST(vmware_message, who_makes_room_keeps_its_channel) /* VW-13 */
{
    struct lab_channel ch[4];

    for (unsigned back = 0; back < 2; back++) {
        start_without_tclo();
        for (unsigned n = 0; n < 4; n++)
            CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch[n]), 1);
        for (unsigned n = 0; n < 3; n++)
            CHECK_EQ(STATUS(SENDSIZE, &ch[n], 65536), 0x81);
        lab.clock = 1u << 20;
        lab.clock_step = back ? ~0ull : 5000;
        CHECK_EQ(STATUS(SENDSIZE, &ch[3], 65536), 0x81);
        CHECK_EQ(held(), 65536);
        CHECK_EQ(STATUS(SENDSIZE, &ch[3], 4), 0x81);
        CHECK_EQ(STATUS(SENDSIZE, &ch[0], 4), SVMC_VMWARE_TIMEOUT | SVMC_VMWARE_CLOSED);
    }
}

TEST(vmware_message, who_is_idle_makes_room_for_a_reply) /* VW-12 VW-13 */
{
    static uint8_t reply[65536];
    struct lab_channel idle[3], ch;
    uint32_t bytes;

    start_without_tclo();
    lab.value_bytes = 60000;
    for (unsigned n = 0; n < 3; n++) {
        CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &idle[n]), 1);
        CHECK_EQ(STATUS(SENDSIZE, &idle[n], 65000), 0x81);
    }
    lab.clock = 5000;
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
    CHECK(lab_send(&lab, &ch, "info-get guestinfo.hello", 24)); /* this fits */
    CHECK(lab_receive(&lab, &ch, reply, &bytes));
    CHECK_EQ(bytes, 60002);
    CHECK_EQ(STATUS(SENDPAYLOAD, &idle[0], 1), SVMC_VMWARE_TIMEOUT | SVMC_VMWARE_CLOSED);
}

TEST(vmware_message, who_is_idle_makes_room_for_the_host) /* VW-13 VW-17 */
{
    struct lab_channel idle[3], ch;
    uint32_t first, second;

    lab_start(&lab);
    CHECK_EQ(lab_open(&lab, LAB_TCLO | LAB_COOKIE, &idle[2]), 1);
    first = lab.tclo_channel;
    CHECK_EQ(lab_open(&lab, LAB_TCLO | LAB_COOKIE, &ch), 1);
    second = lab.tclo_channel;
    for (unsigned n = 0; n < 2; n++) {
        CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &idle[n]), 1);
        CHECK_EQ(STATUS(SENDSIZE, &idle[n], 65000), 0x81);
    }
    CHECK_EQ(svmc_vmware_tclo_send(&lab.vm, first, lab.value, 65536), SVMC_OK);
    CHECK_EQ(svmc_vmware_tclo_send(&lab.vm, second, lab.value, 4096), SVMC_ERR_FULL);
    lab.clock = 5000;
    CHECK_EQ(svmc_vmware_tclo_send(&lab.vm, second, lab.value, 4096), SVMC_OK);
    CHECK_EQ(held(), 4096);
    CHECK(lab.events == 3 && lab.last_event == SVMC_VMWARE_TCLO_CLOSED &&
          lab.tclo_channel == first);
    CHECK_EQ(STATUS(RECVSIZE, &ch, 0), 0x83); /* the channel itself is as idle, and there */
}

/* three programs' half messages, or a hundred's: the host's longest fits all the same */
TEST(vmware_message, the_host_has_room_of_its_own) /* VW-12 */
{
    struct lab_channel ch, bad[5];
    uint32_t given = 0;

    lab_start(&lab);
    CHECK_EQ(lab_open(&lab, LAB_TCLO | LAB_COOKIE, &ch), 1);
    for (unsigned n = 0; n < 5; n++) {
        CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &bad[n]), 1);
        given += STATUS(SENDSIZE, &bad[n], 65536) & 1;
    }
    CHECK_EQ(given, 2);
    CHECK_EQ(STATUS(SENDSIZE, &bad[4], 0), 0);
    CHECK_EQ(svmc_vmware_tclo_send(&lab.vm, lab.tclo_channel, lab.value, 65536), SVMC_OK);
    CHECK_EQ(held(), 3 * 65536);
    CHECK_EQ(STATUS(SENDSIZE, &bad[4], 0), 0);
    lab.config.arena_bytes = 2 * 65536; /* too small to keep any: whoever comes first */
    CHECK_EQ(svmc_vmware_init(&lab.vm, &lab.config, &lab_ops, &lab), SVMC_OK);
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
    CHECK_EQ(STATUS(SENDSIZE, &ch, 65536), 0x81);
}

/* steps that end nothing do not keep a channel */
TEST(vmware_message, a_hoarder_is_idle_however_busy) /* VW-13 */
{
    static const uint32_t steps[] = { LAB_SENDSIZE,    LAB_SENDPAYLOAD, LAB_RECVSIZE,
                                      LAB_RECVPAYLOAD, LAB_RECVSTATUS,  99 };
    struct lab_channel bad[3], ch;

    for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++) {
        start_without_tclo();
        for (unsigned n = 0; n < 3; n++) {
            CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &bad[n]), 1);
            CHECK_EQ(STATUS(SENDSIZE, &bad[n], 65536), 0x81);
        }
        for (unsigned round = 0; round < 3; round++) {
            lab.clock += 400;
            for (unsigned n = 0; n < 3; n++)
                (void)lab_message(&lab, (enum lab_step)steps[i], &bad[n], 65536, NULL);
        }
        CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
        CHECK_EQ(STATUS(SENDSIZE, &ch, 24), 0x81, "step %u", steps[i]);
    }
    lab_start(&lab); /* a message that was sent, a reply that was thanked for do */
    lab.config.channel_count = 1;
    CHECK_EQ(svmc_vmware_init(&lab.vm, &lab.config, &lab_ops, &lab), SVMC_OK);
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch), 1);
    for (unsigned round = 0; round < 3; round++) {
        uint32_t bytes;

        lab.clock += 900;
        CHECK(lab_send(&lab, &ch, "echo", 4));
        lab.clock += 900;
        CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &bad[0]), 0);
        CHECK(lab_receive(&lab, &ch, lab.value, &bytes) && bytes == 6);
        lab.clock += 900;
        CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &bad[0]), 0);
    }
}

TEST(vmware_message, a_reply_without_room_is_a_refusal) /* VW-12 */
{
    static uint8_t reply[65536];
    static const uint32_t taken[] = { 5504, 5505, 65504 };
    struct lab_channel ch[4];
    uint32_t bytes;

    start_without_tclo();
    lab.value_bytes = 60000; /* with "1 " it takes 60032 */
    for (unsigned n = 0; n < 4; n++)
        CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &ch[n]), 1);
    CHECK_EQ(STATUS(SENDSIZE, &ch[1], 65536), 0x81);
    CHECK_EQ(STATUS(SENDSIZE, &ch[2], 65536), 0x81);
    for (unsigned n = 0; n < 3; n++) {
        CHECK_EQ(STATUS(SENDSIZE, &ch[3], taken[n]), 0x81);
        CHECK(lab_send(&lab, &ch[0], "info-get guestinfo.hello", 24));
        CHECK(lab_receive(&lab, &ch[0], reply, &bytes));
        if (n == 0)
            CHECK_EQ(bytes, 60002);
        else
            CHECK(bytes == 9 && memcmp(reply, "0 No room", 9) == 0);
    }
    CHECK_EQ(held(), 2 * 65536 + 65504);
}

TEST(vmware_message, the_host_speaks_on_tclo) /* VW-17 */
{
    struct lab_channel ch, rpci;
    struct svmc_vmware_call call;
    struct svmc_vmware_result out;
    uint8_t got[64];
    uint32_t handle, bytes;

    lab_start(&lab);
    CHECK_EQ(lab_open(&lab, LAB_TCLO | LAB_COOKIE, &ch), 1);
    CHECK(lab.events == 1 && lab.last_event == SVMC_VMWARE_TCLO_OPENED);
    handle = lab.tclo_channel;
    CHECK_EQ(lab_open(&lab, LAB_RPCI | LAB_COOKIE, &rpci), 1);
    CHECK_EQ(lab.events, 1);
    CHECK(lab_send(&lab, &ch, "", 0)); /* rpcin.c: nothing to say, anything to do? */
    CHECK(lab_receive(&lab, &ch, got, &bytes) && bytes == 0 && lab.events == 1);
    CHECK_EQ(svmc_vmware_tclo_send(&lab.vm, handle, (const uint8_t *)"reset", 5), SVMC_OK);
    CHECK_EQ(svmc_vmware_tclo_send(&lab.vm, handle, (const uint8_t *)"ping", 4), SVMC_ERR_FULL);
    CHECK(lab_send(&lab, &ch, "", 0)); /* polling takes nothing away */
    CHECK(lab_receive(&lab, &ch, got, &bytes) && bytes == 5 && memcmp(got, "reset", 5) == 0);
    CHECK_EQ(svmc_vmware_tclo_send(&lab.vm, handle, (const uint8_t *)"ping", 4), SVMC_OK);
    CHECK(lab_send(&lab, &ch, "OK ATR toolbox", 14));
    CHECK(lab.events == 2 && lab.last_event == SVMC_VMWARE_TCLO_REPLY &&
          lab.tclo_channel == handle);
    CHECK(lab.answer_bytes == 14 && memcmp(lab.answer, "OK ATR toolbox", 14) == 0);
    CHECK_EQ(lab_message(&lab, LAB_RECVSIZE, &ch, 0, &call), 0x83);
    CHECK_EQ(svmc_vmware_tclo_send(&lab.vm, handle, NULL, 0), SVMC_OK); /* taken back */
    CHECK_EQ(lab_high(&lab, &ch, false, 0x1000, 4, &out), SVMC_VMWARE_UNSENT);
    CHECK_EQ(STATUS(RECVSIZE, &ch, 0), 1);
    CHECK_EQ(svmc_vmware_tclo_send(&lab.vm, handle, (const uint8_t *)"more", 4), SVMC_OK);
    CHECK_EQ(svmc_vmware_tclo_send(&lab.vm, handle, NULL, 0), SVMC_OK); /* not begun: no notice */
    CHECK_EQ(STATUS(RECVPAYLOAD, &ch, 1), 0);
    CHECK_EQ(svmc_vmware_tclo_send(&lab.vm, handle, NULL, 4), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmware_tclo_send(&lab.vm, handle, lab.memory, 65537), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmware_tclo_send(NULL, handle, lab.memory, 1), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmware_tclo_send(&lab.vm, handle + 1, lab.memory, 1), SVMC_ERR_STALE); /* RPCI */
    CHECK_EQ(svmc_vmware_tclo_send(&lab.vm, handle ^ 0x80, lab.memory, 1), SVMC_ERR_STALE);
    CHECK_EQ(STATUS(CLOSE, &ch, 0), 1);
    CHECK(lab.events == 3 && lab.last_event == SVMC_VMWARE_TCLO_CLOSED);
    CHECK_EQ(svmc_vmware_tclo_send(&lab.vm, handle, lab.memory, 1), SVMC_ERR_STALE);
    CHECK_EQ(lab_open(&lab, LAB_TCLO | LAB_COOKIE, &ch), 1);
    CHECK(lab.tclo_channel != handle && ch.id == 0); /* the same id, another channel */
    CHECK_EQ(svmc_vmware_tclo_send(&lab.vm, handle, lab.memory, 1), SVMC_ERR_STALE);
    CHECK_EQ(svmc_vmware_close(&lab.vm, 0), SVMC_OK);
    CHECK(lab.events == 5 && lab.last_event == SVMC_VMWARE_TCLO_CLOSED && held() == 0);
}

TEST(vmware_message, a_callback_cannot_come_back_in) /* VW-20 */
{
    lab_start(&lab);
    lab.inner = &lab.vm;
    IS(lab_rpc(&lab, "echo"), "1 said");
    IS(lab_rpc(&lab, "echo"), "1 said");
}

/* A whole conversation, with the k-th callback failing, for every k: it ends, the client is told,
   nothing stays, and the next one is as ever. */
TEST(vmware_message, the_kth_callback_may_fail) /* VW-11 VW-16 */
{
    struct svmc_vmware_call call;
    struct svmc_vmware_result out;
    struct lab_channel ch = { 0 };
    unsigned calls = 1, failed = 0;

    for (unsigned k = 1; k <= calls; k++) {
        lab_start(&lab);
        lab.value_bytes = 9000;
        lab.fail_at = k;
        for (unsigned step = 0; step < 4; step++) {
            static const char request[] = "info-get guestinfo.hello";

            memcpy(lab.memory + 0x1ffa, request, 24);
            for (unsigned tries = 0; tries < 4; tries++) {
                enum svmc_status st;

                call = lab_call(&lab, SVMC_VMWARE_MESSAGE, LAB_RPCI | LAB_COOKIE);
                if (step == 1 || step == 3) {
                    if (tries == 0)
                        CHECK_EQ(step == 1 ? STATUS(SENDSIZE, &ch, 24)
                                           : lab_message(&lab, LAB_RECVSIZE, &ch, 0, NULL),
                                 step == 1 ? 0x81 : 0x83);
                    call.high = 1;
                    call.write = step == 1;
                    call.arg[1] = 1u << 16;
                    call.arg[2] = step == 1 ? 24 : lab.channels[ch.id].priv.message[1].bytes;
                    call.arg[3] = ch.id << 16;
                    call.arg[4] = step == 1 ? 0x1ffa : ch.cookie >> 32;
                    call.arg[5] = step == 1 ? (uint32_t)ch.cookie : 0x4321;
                    call.arg[6] = step == 1 ? ch.cookie >> 32 : (uint32_t)ch.cookie;
                } else if (step == 2) {
                    break;
                }
                st = svmc_vmware_handle(&lab.vm, &call, &out);
                for (; st == SVMC_ERR_CALLBACK && call.high; failed++) /* it can be made again */
                    st = svmc_vmware_handle(&lab.vm, &call, &out);
                if (st == SVMC_ERR_CALLBACK) {
                    failed++;
                    continue;
                }
                CHECK_EQ(st, SVMC_OK);
                CHECK_EQ(call.arg[call.high ? 1 : 2] >> 16 & 1, 1);
                if (step == 0) {
                    ch.id = (uint32_t)call.arg[3] >> 16;
                    ch.cookie = call.arg[4] << 32 | (uint32_t)call.arg[5];
                }
                break;
            }
        }
        CHECK(memcmp(lab.memory + 0x4321, "1 ", 2) == 0 ||
              memcmp(lab.memory + 0x4321, "0 No value found", 16) == 0);
        CHECK_EQ(STATUS(RECVSTATUS, &ch, 1), 1);
        if (calls == 1)
            calls = 20;
        if (lab.calls < k)
            break;
        lab.fail_at = 0;
        IS(lab_rpc(&lab, "echo"), "1 said");
        CHECK_EQ(held(), 0);
    }
    CHECK(failed > 6, "%u", failed);
}
