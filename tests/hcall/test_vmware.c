/* SPDX-License-Identifier: MIT */
/* docs/spec/vmware.md: who may call what, the numbers, the clock, the pointer, discovery. */
#include "../harness.h"
#include "../random.h"
#include "vmware_lab.h"

static struct lab lab;

/* What a call gives: arguments 0 to 5 as text, "-" where they are unchanged to the last bit. */
static const char *shown(uint32_t command, uint32_t arg1, bool user)
{
    static char text[200];
    struct svmc_vmware_call call = lab_call(&lab, command, arg1), was;
    struct svmc_vmware_result out;
    size_t at = 0;

    call.user = user;
    was = call;
    out = lab_handle(&lab, &call);
    CHECK_EQ(out.end, SVMC_VMWARE_DONE);
    CHECK_EQ(out.unknown, call.arg[0] == 0xffffffffu && out.changed == 1);
    CHECK_EQ(call.arg[6], was.arg[6]);
    for (unsigned n = 0; n < 6; n++)
        at += (size_t)(call.arg[n] == was.arg[n]
                           ? snprintf(text + at, sizeof text - at, n ? " -" : "-")
                           : snprintf(text + at, sizeof text - at, n ? " %" PRIx64 : "%" PRIx64,
                                      call.arg[n]));
    return text;
}

#define UNKNOWN "ffffffff - - - - -"

#define IS(got, want)                                       \
    do {                                                    \
        const char *is_ = (got);                            \
        CHECK(strcmp(is_, want) == 0, "%s: %s", #got, is_); \
    } while (0)

/* QEMU hw/i386/vmport.c, Linux arch/x86/kernel/cpu/vmware.c, drivers/ptp/ptp_vmw.c, open-vm-tools
   services/plugins/timeSync/timeSync.c; numbers by hand */
TEST(vmware, numbers_come_from_the_configuration) /* VW-6 VW-7 VW-3 */
{
    lab_start(&lab);
    lab.time = (struct svmc_vmware_time){ 0x1234567890, 654321987, 1000000, 250, 0 };
    IS(shown(10, ~SVMC_VMWARE_MAGIC, true), "6 564d5868 4 - - -");
    IS(shown(1, 0, true), "1388 - - - - -");
    IS(shown(45, 0, true), "2a05f5e8 1 3ef1480 - - -"); /* 5000001000, 66000000 */
    IS(shown(17, 0, true), "11 564d5868 - - - -");
    IS(shown(19, 0, true), "13121110 17161514 1b1a1918 1f1e1d1c - -");
    IS(shown(20, 0, true), "20000000 - - - - -");
    IS(shown(68, 0, true), "8 - - - - -");
    IS(shown(23, 0, true), "34567890 9fbf1 f433a - - -");
    IS(shown(46, 0, true), "564d5868 9fbf1 f433a 34567890 12 -");
    IS(shown(55, 0, true), "564d5868 9fbf1 f4240 34567890 12 fa");
    lab.time.seconds = 0x12345678; /* 305419896654321987 ns in all */
    IS(shown(97, 0, true), "0 43d11c7 1f6ad943 - - -");
    IS(shown(97 | 1 << 16, 0, true), UNKNOWN);
    lab.time.nanoseconds = 1000000000;
    IS(shown(46, 0, true), UNKNOWN);
    lab.time.nanoseconds = 999999999;
    lab.fail_at = ++lab.calls + 1;
    IS(shown(46, 0, true), UNKNOWN);
    IS(shown(23, 0, true), "12345678 f423f f433a - - -");
}

TEST(vmware, what_a_vm_does_not_have_is_unknown) /* VW-1 VW-5 VW-6 VW-7 */
{
    struct svmc_vmware_config config = { .size = sizeof config };
    struct svmc_vmware_ops none = { .size = sizeof none };

    lab_start(&lab);
    for (uint32_t n = 0; n < 0x10000; n++) {
        bool ours = n < 128 && (lab.config.commands[n / 32] >> n % 32 & 1);

        if (!ours)
            CHECK(strcmp(shown(n, 0, n & 1), UNKNOWN) == 0, "%u", n);
    }
    CHECK_EQ(lab.commands, 0);
    CHECK_EQ(svmc_vmware_init(&lab.vm, &config, &none, &lab), SVMC_OK);
    for (uint32_t n = 0; n < 256; n++)
        CHECK(strcmp(shown(n, 0, n & 1), UNKNOWN) == 0, "%u", n);
    config = lab.config; /* there, and nothing to answer them with */
    config.tsc_khz = 0;
    config.idle_ticks = 0;
    memset(&none, 0, sizeof none);
    none.size = offsetof(struct svmc_vmware_ops, time); /* an older host's table */
    none.random = lab_ops.random;
    none.time = lab_ops.time;
    none.command = lab_ops.command;
    CHECK_EQ(svmc_vmware_init(&lab.vm, &config, &none, &lab), SVMC_OK); /* VW-2 */
    IS(shown(1, 0, false), UNKNOWN);
    IS(shown(45, 0, false), UNKNOWN);
    IS(shown(23, 0, false), UNKNOWN);
    IS(shown(46, 0, false), UNKNOWN);
    IS(shown(97, 0, false), UNKNOWN);
    IS(shown(3, 0, false), UNKNOWN);
    CHECK_EQ(lab.calls + lab.commands, 0);
}

/* backdoor_def.h of open-vm-tools: "CPL0 only" */
TEST(vmware, user_privilege_stops_at_the_list) /* VW-4 VW-8 */
{
    static const uint8_t kernel[] = { 2,  18, 28, 37, 43, 48, 49, 50, 54, 62, 64, 65, 69, 70,
                                      71, 73, 74, 75, 76, 77, 78, 79, 80, 85, 91, 92, 93, 103 };
    struct svmc_vmware_config config;

    lab_start(&lab);
    config = lab.config;
    memset(config.commands, 0xff, sizeof config.commands);
    config.kernel_only[0] = 1u << 10;
    config.kernel_only[3] = 1u << 31;
    CHECK_EQ(svmc_vmware_init(&lab.vm, &config, &lab_ops, &lab), SVMC_OK);
    for (uint32_t n = 0; n < 128; n++) {
        bool listed = n == 10 || n == 127, ours = false;
        uint32_t before = lab.commands;

        for (unsigned i = 0; i < sizeof kernel; i++)
            listed |= kernel[i] == n;
        for (uint32_t i = 0; i < 128; i++)
            ours |= i == n && (lab.config.commands[n / 32] >> n % 32 & 1);
        ours &= n != 3 && n != 93 && n != 101 && n != 103;
        if (ours && n != 10)
            continue;
        if (listed)
            IS(shown(n, 0, true), UNKNOWN);
        CHECK_EQ(lab.commands, before, "%u", n);
        if (n == 10)
            IS(shown(n, 0, false), "6 564d5868 4 - - -");
        else
            IS(shown(n, 0, false), "1234 - - - 5678 -");
        CHECK_EQ(lab.commands, before + !ours, "%u", n);
        CHECK(ours || lab.last_command == n, "%u", n);
        if (!listed && !ours)
            IS(shown(n, 0, true), "1234 - - - 5678 -");
    }
    lab.fail_at = lab.calls + 1; /* what it has written is not seen */
    IS(shown(3, 0, false), UNKNOWN);
}

TEST(vmware, without_the_magic_nothing_happens) /* VW-3 VW-2 */
{
    struct svmc_vmware_call call, was;
    struct svmc_vmware_result out;

    lab_start(&lab);
    call = lab_call(&lab, 10, 0);
    call.arg[0] ^= 1;
    was = call;
    out = lab_handle(&lab, &call);
    CHECK(out.end == SVMC_VMWARE_NOT_OURS && out.changed == 0 && out.unknown == 0);
    CHECK_MEM(&call, &was, sizeof call);
    call.high = 1;
    CHECK_EQ(lab_handle(&lab, &call).end, SVMC_VMWARE_NOT_OURS);
    call = lab_call(&lab, 10, 0);
    CHECK_EQ(svmc_vmware_init(&lab.vm, NULL, &lab_ops, &lab), SVMC_ERR_ARG);
    CHECK_EQ(lab_handle(&lab, &call).end, SVMC_VMWARE_NOT_OURS);
    CHECK_EQ(svmc_vmware_close(&lab.vm, 0), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmware_checkpoint(&lab.vm), SVMC_ERR_ARG);
}

TEST(vmware, every_way_in_gives_the_same) /* VW-3 */
{
    static const uint8_t isas[] = { SVMC_ISA_X86_16, SVMC_ISA_X86_32, SVMC_ISA_X86_64,
                                    SVMC_ISA_A64,    SVMC_ISA_A32,    SVMC_ISA_T32,
                                    SVMC_ISA_RV64,   SVMC_ISA_S390X };
    struct svmc_vmware_call call;

    lab_start(&lab);
    for (unsigned i = 0; i < sizeof isas; i++)
        for (uint8_t way = 0; way < 8; way++) {
            call = lab_call(&lab, 10, 0);
            call.isa = isas[i];
            call.way = way;
            call.write = way & 1;
            CHECK_EQ(lab_handle(&lab, &call).end, SVMC_VMWARE_DONE);
            CHECK(call.arg[0] == 6 && call.arg[1] == 0x564d5868 && call.arg[2] == 4);
        }
}

TEST(vmware, bad_arguments_are_refused) /* VW-2 VW-3 */
{
    struct svmc_vmware_call good, call;
    struct svmc_vmware_result out;
    struct svmc_vmware_config c;
    uint8_t data = 0;

    lab_start(&lab);
    good = lab_call(&lab, 10, 0);
#define REFUSED(set)                                                           \
    do {                                                                       \
        call = good;                                                           \
        (set);                                                                 \
        memset(&out, 0xee, sizeof out);                                        \
        CHECK_EQ(svmc_vmware_handle(&lab.vm, &call, &out), SVMC_ERR_ARG);      \
        CHECK(out.end == 0 && out.changed == 0 && call.arg[1] == good.arg[1]); \
    } while (0)
    REFUSED(call.isa = SVMC_ISA_NONE);
    REFUSED(call.isa = SVMC_ISA_PPC64);
    REFUSED(call.user = 2);
    REFUSED(call.high = 2);
    REFUSED(call.write = 3);
    REFUSED(call.iopl = 2);
    REFUSED(call.reserved[0] = 1);
    REFUSED(call.reserved[1] = 1);
    REFUSED(call.reserved2 = 1);
    REFUSED(call.data_bytes = 1);
    REFUSED((call.data = &data, call.data_bytes = 65537));
    CHECK_EQ(svmc_vmware_handle(NULL, &good, &out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmware_handle(&lab.vm, NULL, &out), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmware_handle(&lab.vm, &good, NULL), SVMC_ERR_ARG);
#define NO_VM(set)                                                                   \
    do {                                                                             \
        c = lab.config;                                                              \
        (set);                                                                       \
        CHECK_EQ(svmc_vmware_init(&lab.vm, &c, &lab_ops, &lab), SVMC_ERR_ARG, #set); \
    } while (0)
    NO_VM(c.size--);
    NO_VM(c.flags = 4);
    NO_VM(c.vcpu_info = 1u << 31);
    NO_VM(c.bus_khz = 4294968);
    NO_VM(c.cpuid_ways = 4);
    NO_VM(c.channels = NULL);
    NO_VM(c.arena = NULL);
    NO_VM(c.channel_count = 0);
    NO_VM(c.channel_count = 129);
    NO_VM(c.message_bytes = 32);
    NO_VM(c.message_bytes = 65568);
    NO_VM(c.message_bytes = 1000);
    NO_VM(c.arena_bytes = 65536 + 65504);
    NO_VM(c.arena_bytes = 4 * 65536 - 1);
    CHECK_EQ(svmc_vmware_init(NULL, &lab.config, &lab_ops, &lab), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmware_init(&lab.vm, &lab.config, NULL, &lab), SVMC_ERR_ARG);
    {
        struct svmc_vmware_ops ops = lab_ops;

        ops.random = NULL;
        CHECK_EQ(svmc_vmware_init(&lab.vm, &lab.config, &ops, &lab), SVMC_ERR_ARG);
        ops = lab_ops;
        ops.ticks = NULL; /* no channel would ever be idle */
        CHECK_EQ(svmc_vmware_init(&lab.vm, &lab.config, &ops, &lab), SVMC_ERR_ARG);
        c = lab.config;
        c.idle_ticks = 0;
        CHECK_EQ(svmc_vmware_init(&lab.vm, &c, &ops, &lab), SVMC_OK);
        ops = lab_ops;
        ops.size = 4;
        CHECK_EQ(svmc_vmware_init(&lab.vm, &lab.config, &ops, &lab), SVMC_ERR_ARG);
        ops.size = offsetof(struct svmc_vmware_ops, random) + 4; /* half a pointer is none */
        CHECK_EQ(svmc_vmware_init(&lab.vm, &c, &ops, &lab),
                 sizeof(void *) == 8 ? SVMC_ERR_ARG : SVMC_OK);
    }
    c = lab.config;
    c.arena_bytes = 2 * 65536;
    c.channel_count = 1;
    CHECK_EQ(svmc_vmware_init(&lab.vm, &c, &lab_ops, &lab), SVMC_OK);
}

/* Linux drivers/input/mouse/vmmouse.c: vmmouse_enable, vmmouse_report_events, vmmouse_disable */
TEST(vmware, the_pointer_serves_the_driver_of_linux) /* VW-18 */
{
    struct svmc_vmware_pointer move = { 0x20, 0x1234, 0xffff, -1 };

    lab_start(&lab);
    CHECK_EQ(svmc_vmware_pointer_move(&lab.vm, &move), SVMC_ERR_STALE);
    CHECK_EQ(svmc_vmware_pointer_move(&lab.vm, NULL), SVMC_ERR_ARG);
    IS(shown(40, 0, false), "ffff0000 - - - - -");
    IS(shown(41, 0x53424152, false), "- - - - - -"); /* off: not heard */
    IS(shown(36, 0, false), "0 - - - - -");
    IS(shown(41, 0x45414552, false), "- - - - - -");
    IS(shown(40, 0, false), "1 - - - - -");
    IS(shown(39, 1, false), "3442554a - - - - -");
    IS(shown(40, 0, false), "0 - - - - -");
    CHECK_EQ(svmc_vmware_pointer_move(&lab.vm, &move), SVMC_OK);
    IS(shown(39, 4, false), "10020 1234 ffff ffffffff - -"); /* relative */
    IS(shown(41, 0x53424152, false), "- - - - - -");
    IS(shown(36, 0, false), "1 - - - - -");
    CHECK_EQ(svmc_vmware_pointer_move(&lab.vm, &move), SVMC_OK);
    move.buttons = 0x10;
    CHECK_EQ(svmc_vmware_pointer_move(&lab.vm, &move), SVMC_OK);
    IS(shown(40, 0, false), "8 - - - - -");
    IS(shown(39, 4, false), "20 1234 ffff ffffffff - -");
    IS(shown(39, 2, false), "10 1234 - - - -");
    IS(shown(41, 0x4c455252, false), "- - - - - -");
    IS(shown(36, 0, false), "0 - - - - -");
    IS(shown(41, 0x12345678, false), "- - - - - -");
    IS(shown(40, 0, false), "2 - - - - -");
    IS(shown(41, 0xf5, false), "- - - - - -");
    IS(shown(40, 0, false), "ffff0000 - - - - -");
    IS(shown(41, 0x45414552, false),
       "- - - - - -"); /* the version is first: nothing old is there */
    IS(shown(39, 1, false), "3442554a - - - - -");
}

TEST(vmware, a_greedy_reader_turns_the_pointer_off) /* VW-18 */
{
    static const uint32_t wrong[] = { 0, 7, 6, 0x80000004u, 0xffffffffu };
    struct svmc_vmware_pointer move = { 0, 1, 2, 3 };
    unsigned packets = 0;

    lab_start(&lab);
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        shown(41, 0x45414552, false);
        for (unsigned n = 0; n < (wrong[i] == 7 ? 2 : 1); n++)
            CHECK_EQ(svmc_vmware_pointer_move(&lab.vm, &move), SVMC_OK);
        IS(shown(40, 0, false), wrong[i] == 7 ? "9 - - - - -" : "5 - - - - -");
        IS(shown(39, wrong[i], false), "- - - - - -");
        IS(shown(40, 0, false), "ffff0000 - - - - -");
    }
    shown(41, 0x45414552, false);
    shown(39, 1, false);
    while (svmc_vmware_pointer_move(&lab.vm, &move) == SVMC_OK)
        packets++;
    CHECK_EQ(packets, SVMC_VMWARE_POINTER_WORDS / 4);
    CHECK_EQ(svmc_vmware_pointer_move(&lab.vm, &move), SVMC_ERR_FULL);
    shown(41, 0x45414552, false); /* no room for a version */
    IS(shown(40, 0, false), "80 - - - - -");
    IS(shown(39, 6, false), "10000 1 2 3 10000 1");
    IS(shown(39, 2, false), "2 3 - - - -");
    IS(shown(40, 0, false), "78 - - - - -");
}

TEST(vmware, the_pointer_can_be_kept_from_users) /* VW-18 */
{
    struct svmc_vmware_call call;

    lab_start(&lab);
    IS(shown(86, 3, false), UNKNOWN);
    for (uint32_t n = 0; n < 3; n++) /* a program cannot lock out another one */
        IS(shown(86, n, true), UNKNOWN);
    IS(shown(40, 0, true), "ffff0000 - - - - -");
    call = lab_call(&lab, 86, 1); /* with IOPL 3 it cannot lock out itself */
    call.user = call.iopl = 1;
    CHECK(lab_handle(&lab, &call).unknown == 1);
    call = lab_call(&lab, 86, 2);
    call.user = call.iopl = 1;
    CHECK(lab_handle(&lab, &call).unknown == 0);
    IS(shown(40, 0, true), UNKNOWN);
    IS(shown(86, 0, true), UNKNOWN);
    IS(shown(86, 1, false), "- - - - - -");
    for (uint32_t n = 36; n <= 86; n++)
        if (n == 36 || (n >= 39 && n <= 41) || n == 86) {
            IS(shown(n, 0, true), UNKNOWN);
            CHECK(strcmp(shown(n, n == 86 ? 1 : 0, false), UNKNOWN) != 0);
        }
    IS(shown(86, 2, false), "- - - - - -");
    IS(shown(40, 0, true), UNKNOWN);
    call = lab_call(&lab, 40, 0); /* Xorg's driver: user, IOPL 3 */
    call.user = call.iopl = 1;
    CHECK(lab_handle(&lab, &call).unknown == 0);
    CHECK_EQ(call.arg[0], 0xffff0000);
    IS(shown(86, 1, false), "- - - - - -");
    call = lab_call(&lab, 40, 0);
    call.user = call.iopl = 1;
    CHECK(lab_handle(&lab, &call).unknown == 1);
    CHECK_EQ(svmc_vmware_close(&lab.vm, 0), SVMC_OK); /* VW-15 */
    CHECK(strcmp(shown(40, 0, true), UNKNOWN) != 0);
}

/* Linux arch/x86/kernel/cpu/vmware.c: vmware_select_hypercall, vmware_platform */
TEST(vmware, cpuid_says_vmware) /* VW-19 */
{
    uint32_t regs[4], name[4] = { 0 };

    lab_start(&lab);
    memset(regs, 0x11, sizeof regs);
    CHECK_EQ(svmc_vmware_cpuid(&lab.config, 1, regs), SVMC_OK);
    CHECK(regs[0] == 0x11111111 && regs[1] == 0x11111111 && regs[2] == 0x91111111 &&
          regs[3] == 0x11111111);
    CHECK_EQ(svmc_vmware_cpuid(&lab.config, 0x40000000, regs), SVMC_OK);
    CHECK_EQ(regs[0], 0x40000010);
    for (unsigned i = 0; i < 12; i++)
        name[i / 4] |= (uint32_t) "VMwareVMware"[i] << 8 * (i % 4);
    CHECK_MEM(regs + 1, name, 12);
    memset(regs, 0x11, sizeof regs);
    CHECK_EQ(svmc_vmware_cpuid(&lab.config, 0x40000010, regs), SVMC_OK);
    CHECK(regs[0] == 5000001 && regs[1] == 66000 && regs[2] == 3 && regs[3] == 0);
    for (uint32_t leaf = 0x40000001; leaf < 0x40000010; leaf++) {
        memset(regs, 0x11, sizeof regs);
        CHECK_EQ(svmc_vmware_cpuid(&lab.config, leaf, regs), SVMC_OK);
        CHECK(regs[0] == 0 && regs[1] == 0 && regs[2] == 0 && regs[3] == 0);
    }
    memset(regs, 0x11, sizeof regs);
    for (unsigned i = 0; i < 4; i++) {
        static const uint32_t others[] = { 0, 2, 0x3fffffff, 0x40000011 };

        CHECK_EQ(svmc_vmware_cpuid(&lab.config, others[i], regs), SVMC_ERR_MISMATCH);
        CHECK_EQ(regs[i], 0x11111111);
    }
    CHECK_EQ(svmc_vmware_cpuid(NULL, 1, regs), SVMC_ERR_ARG);
    CHECK_EQ(svmc_vmware_cpuid(&lab.config, 1, NULL), SVMC_ERR_ARG);
}
