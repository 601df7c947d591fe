/* SPDX-License-Identifier: MIT */
/* AP-1 to AP-8 for every form: the way there and back ends as the parameter page's. */
#include "adapt_lab.h"

#define FORM(name) (1u << SVMC_FOREIGN_##name)
#define X86        (FORM(GHCB) | FORM(KVM) | FORM(TDX))
#define ALL        (X86 | FORM(RMM) | FORM(S390))

/* Which form has which scenario's kind and size. */
static const struct {
    char name[32];
    unsigned forms;
} rows[] = {
    { "cpuid own", FORM(GHCB) | FORM(TDX) },
    { "rdmsr kvm", X86 },
    { "rdmsr own", X86 },
    { "wrmsr kvm", X86 },
    { "wrmsr own", X86 },
    { "in 1 kvm", X86 },
    { "in 4 kvm", X86 },
    { "in al own", X86 },
    { "in ax own", X86 },
    { "out 1 kvm", X86 },
    { "out ax own", X86 },
    { "ins 1 kvm", X86 },
    { "ins 4 own", X86 },
    { "ins 2 own, crosses a page", X86 },
    { "outs 1 kvm", X86 },
    { "outs 2 own", X86 },
    { "outs 4 own, crosses a page", X86 },
    { "mmio read 8 kvm", X86 | FORM(RMM) },
    { "mmio read 3 kvm", FORM(GHCB) | FORM(KVM) },
    { "mov ah, m8 own", X86 | FORM(RMM) },
    { "movsx rdx, m16 own", X86 | FORM(RMM) },
    { "mmio write 4 kvm", X86 | FORM(RMM) },
    { "mmio write 8 own", X86 | FORM(RMM) },
    { "a64 ldrsb w5", X86 | FORM(RMM) },
    { "a64 strh w30", X86 | FORM(RMM) },
    { "s390 diag 288", FORM(S390) },
    { "s390 diag 500", FORM(S390) },
    { "s390 csch", FORM(S390) },
    { "s390 hsch", FORM(S390) },
    { "s390 rsch", FORM(S390) },
    { "s390 xsch", FORM(S390) },
    { "s390 sal", FORM(S390) },
    { "s390 rchp", FORM(S390) },
    { "s390 ssch", FORM(S390) },
    { "s390 msch, crosses a page", FORM(S390) },
    { "s390 stsch", FORM(S390) },
    { "s390 tsch, crosses a page", FORM(S390) },
    { "power lbz r0", X86 | FORM(RMM) },
    { "power lwa r31, big-endian", X86 | FORM(RMM) },
    { "power stdbrx r17", X86 | FORM(RMM) },
    { "power sc 1", FORM(KVM) },
    { "power sc 1, one result", FORM(KVM) },
    { "page state", FORM(GHCB) },
    { "map gpa", FORM(TDX) },
    { "guest request", FORM(GHCB) },
    { "guest request, certificates", FORM(GHCB) },
    { "ap create", FORM(GHCB) },
    { "a64 data abort", FORM(RMM) },
    { "a64 protected abort", FORM(RMM) },
    { "a64 instruction abort", FORM(RMM) },
    { "a64 ripas", FORM(RMM) },
    { "a64 s2ap", 0 },
    { "a64 device memory", 0 },
    { "hypercall by doorbell", X86 | FORM(RMM) },
    { "hypercall own", X86 | FORM(RMM) },
};
#define ROWS (sizeof rows / sizeof rows[0])

static struct adapt_lab native, foreign;

TEST(adapt, ends_as_the_native_page_does) /* AP-1 */
{
    for (unsigned form = 0; form < SVMC_FOREIGN_FORMATS; form++)
        for (unsigned i = 0; i < ROWS; i++) {
            if (!(rows[i].forms >> form & 1))
                continue;
            adapt_init(&native, (enum svmc_foreign_format)form, 0x1111222233334444);
            adapt_init(&foreign, (enum svmc_foreign_format)form, 0x1111222233334444);
            CHECK(adapt_serve_native(&native, rows[i].name));
            CHECK(adapt_serve(&foreign, rows[i].name), "form %u", form);
            CHECK_MEM(native.lab.world.reg, foreign.lab.world.reg, sizeof native.lab.world.reg,
                      "form %u, %s: registers", form, rows[i].name);
            CHECK_MEM(native.lab.world.memory, foreign.lab.world.memory,
                      sizeof native.lab.world.memory, "form %u, %s: memory", form, rows[i].name);
            CHECK_EQ(native.lab.out.data_bytes, foreign.lab.out.data_bytes, "%s", rows[i].name);
            CHECK(native.lab.out.data_bytes == 0 ||
                      memcmp(native.lab.out.data, foreign.lab.out.data,
                             native.lab.out.data_bytes) == 0,
                  "form %u, %s: the backend's data", form, rows[i].name);
            CHECK_MEM(native.device.log, foreign.device.log, sizeof native.device.log,
                      "form %u, %s: what the device was given", form, rows[i].name);
            CHECK_EQ(native.device.given, foreign.device.given, "%s", rows[i].name);
        }
}

TEST(adapt, what_is_not_declared_does_not_matter) /* AP-2 */
{
    for (unsigned form = 0; form < SVMC_FOREIGN_FORMATS; form++)
        for (unsigned i = 0; i < ROWS; i++) {
            bool keeps = form == SVMC_FOREIGN_S390; /* the rest of its page is the host's: AP-51 */

            if (!(rows[i].forms >> form & 1) || strcmp(rows[i].name, "cpuid own") == 0 ||
                strncmp(rows[i].name, "hypercall", 9) == 0 || strstr(rows[i].name, "w30") ||
                strncmp(rows[i].name, "outs", 4) == 0 || strstr(rows[i].name, "ssch") ||
                strstr(rows[i].name, "msch") || strstr(rows[i].name, "stdbrx") ||
                strstr(rows[i].name, "sc 1"))
                continue; /* these declare registers or memory */
            adapt_init(&native, (enum svmc_foreign_format)form, 0);
            adapt_init(&foreign, (enum svmc_foreign_format)form, 0xa5a5a5a55a5a5a5a);
            for (unsigned r = 1; keeps && r < 16; r = r == 4 ? 15 : r + 1) /* theirs are declared */
                native.lab.world.reg[SVMC_REG_S390_R0 + r] =
                    foreign.lab.world.reg[SVMC_REG_S390_R0 + r];
            memset(native.area, keeps ? 0 : 0x33, sizeof native.area);
            memset(foreign.area, keeps ? 0 : 0xcc, sizeof foreign.area);
            REQUIRE(adapt_exit(&native, rows[i].name) && adapt_exit(&foreign, rows[i].name));
            CHECK_EQ(adapt_emit(&native), SVMC_OK);
            CHECK_EQ(adapt_emit(&foreign), SVMC_OK);
            CHECK_MEM(native.area, foreign.area,
                      form == SVMC_FOREIGN_KVM   ? 8192
                      : form == SVMC_FOREIGN_TDX ? 128
                                                 : 4096,
                      "form %u, %s", form, rows[i].name);
        }
}

TEST(adapt, what_a_form_has_not_is_unsupported) /* AP-3 */
{
    for (unsigned form = 0; form < SVMC_FOREIGN_FORMATS; form++)
        for (unsigned i = 0; i < ROWS; i++) {
            if (rows[i].forms >> form & 1)
                continue;
            adapt_init(&foreign, (enum svmc_foreign_format)form, 0x1111222233334444);
            memset(foreign.area, 0x77, sizeof foreign.area);
            REQUIRE(adapt_exit(&foreign, rows[i].name));
            CHECK_EQ(adapt_emit(&foreign), SVMC_ERR_UNSUPPORTED, "form %u, %s", form, rows[i].name);
            for (unsigned at = 0; at < sizeof foreign.area; at++)
                CHECK(foreign.area[at] == 0x77, "form %u, %s: unchanged", form, rows[i].name);
        }
}

TEST(adapt, what_a_form_has_no_room_for_is_unsupported) /* AP-3 */
{
    static const struct {
        unsigned form;
        struct svmc_request request;
    } wide[] = {
        { FORM(GHCB) | FORM(TDX) | FORM(KVM),
          { .kind = SVMC_KIND_RDMSR, .completion = 1, .count = 1, .address = 0x100000000 } },
        { X86,
          { .kind = SVMC_KIND_IN, .completion = 1, .count = 1, .size = 1, .address = 0x10000 } },
        { X86, { .kind = SVMC_KIND_IN, .completion = 1, .count = 1, .size = 3, .address = 0x60 } },
        { X86 | FORM(RMM),
          { .kind = SVMC_KIND_HYPERCALL,
            .completion = 1,
            .count = 1,
            .address = 1,
            .in_valid = 0x7f } },
        { FORM(GHCB) | FORM(TDX),
          { .kind = SVMC_KIND_HYPERCALL,
            .completion = 1,
            .count = 1,
            .address = 1,
            .in_valid = 0x1f } },
        { FORM(TDX), { .kind = SVMC_KIND_HYPERCALL, .completion = 1, .count = 1, .address = 0 } },
        { FORM(RMM),
          { .kind = SVMC_KIND_HYPERCALL, .completion = 1, .count = 1, .address = 0x10000 } },
        { FORM(RMM),
          { .kind = SVMC_KIND_MMIO_READ,
            .completion = 1,
            .count = 1,
            .size = 4,
            .address = 0x0100000000000000 } },
        { X86 | FORM(RMM),
          { .kind = SVMC_KIND_MMIO_READ, .completion = 1, .count = 1, .size = 9 } },
        { ALL, { .kind = SVMC_KIND_UNKNOWN, .completion = 1, .count = 1 } },
    };

    for (unsigned form = 0; form < SVMC_FOREIGN_FORMATS; form++)
        for (unsigned i = 0; i < sizeof wide / sizeof wide[0]; i++) {
            adapt_init(&foreign, (enum svmc_foreign_format)form, 0);
            if (wide[i].form >> form & 1)
                CHECK_EQ(svmc_adapt_emit(&foreign.foreign, &wide[i].request, NULL),
                         SVMC_ERR_UNSUPPORTED, "form %u, row %u", form, i);
        }
}

TEST(adapt, a_string_goes_as_far_as_there_is_room) /* AP-4 */
{
    static uint8_t data[SVMC_PAGE_DATA_BYTES];
    struct svmc_request r = { .kind = SVMC_KIND_OUTS,
                              .completion = SVMC_COMPLETION_CHUNK,
                              .direction = SVMC_DIRECTION_OUT,
                              .size = 4,
                              .count = 896,
                              .address = 0x60 };
    static const unsigned fits[] = { 508, 896, 1 };
    struct svmc_reply reply;

    for (unsigned form = 0; form <= SVMC_FOREIGN_TDX; form++) {
        adapt_init(&foreign, (enum svmc_foreign_format)form, 0);
        CHECK_EQ(svmc_adapt_emit(&foreign.foreign, &r, data), SVMC_OK);
        CHECK_EQ(adapt_host(&foreign), SVMC_OK);
        CHECK_EQ(foreign.device.taken, 4 * fits[form], "form %u", form);
        CHECK_EQ(svmc_adapt_absorb(&foreign.foreign, &r, &reply, NULL, NULL), SVMC_OK);
        CHECK_EQ(reply.done, fits[form]);
        CHECK_EQ(reply.status, form == SVMC_FOREIGN_KVM ? SVMC_REPLY_DONE : SVMC_REPLY_PARTIAL);
        CHECK_EQ(reply.data_bytes, 0);
        CHECK_EQ(svmc_adapt_emit(&foreign.foreign, &r, NULL), SVMC_ERR_ARG, "no data");
        r.count = 897;
        CHECK_EQ(svmc_adapt_emit(&foreign.foreign, &r, data), SVMC_ERR_ARG, "more than a page");
        r.count = 896;
    }
}

TEST(adapt, a_notice_awaits_nothing) /* AP-5 */
{
    static const struct {
        unsigned form;
        uint16_t kind;
    } idle[] = {
        { SVMC_FOREIGN_KVM, SVMC_KIND_HLT }, { SVMC_FOREIGN_KVM, SVMC_KIND_SHUTDOWN },
        { SVMC_FOREIGN_TDX, SVMC_KIND_HLT }, { SVMC_FOREIGN_RMM, SVMC_KIND_WFI },
        { SVMC_FOREIGN_RMM, SVMC_KIND_WFE },
    };
    struct svmc_request r = { .count = 0 }, got;
    struct svmc_reply reply;

    for (unsigned i = 0; i < sizeof idle / sizeof idle[0]; i++) {
        adapt_init(&foreign, (enum svmc_foreign_format)idle[i].form, 0);
        r.kind = idle[i].kind;
        CHECK_EQ(svmc_adapt_emit(&foreign.foreign, &r, NULL), SVMC_OK);
        CHECK_EQ(svmc_adapt_decode(&foreign.foreign, &got, NULL), SVMC_OK);
        CHECK_EQ(got.kind, r.kind, "form %u", idle[i].form);
        CHECK_EQ(got.completion, SVMC_COMPLETION_NONE);
        CHECK_EQ(got.count, 0);
        CHECK_EQ(svmc_adapt_absorb(&foreign.foreign, &r, &reply, NULL, NULL), SVMC_ERR_STATE);
        memset(&reply, 0, sizeof reply);
        CHECK_EQ(svmc_adapt_answer(&foreign.foreign, &got, &reply, NULL), SVMC_ERR_STATE);
    }
}

TEST(adapt, what_is_decoded_is_what_was_asked)
{
    struct svmc_request got;
    static uint8_t data[SVMC_PAGE_DATA_BYTES];

    for (unsigned form = 0; form < SVMC_FOREIGN_FORMATS; form++)
        for (unsigned i = 0; i < ROWS; i++) {
            bool cut = form == SVMC_FOREIGN_TDX && strstr(rows[i].name, "s ") != NULL;

            if (!(rows[i].forms >> form & 1) || cut)
                continue;
            adapt_init(&foreign, (enum svmc_foreign_format)form, 0x1111222233334444);
            REQUIRE(adapt_exit(&foreign, rows[i].name));
            REQUIRE(CHECK_EQ(adapt_emit(&foreign), SVMC_OK));
            REQUIRE(CHECK_EQ(svmc_adapt_decode(&foreign.foreign, &got, data), SVMC_OK, "form %u %s",
                             form, rows[i].name));
            CHECK_EQ(got.seq | got.vcpu, 0);
            got.seq = foreign.request.seq;
            got.vcpu = foreign.request.vcpu;
            CHECK_EQ(got.in_valid & foreign.request.in_valid, foreign.request.in_valid);
            got.in_valid = foreign.request.in_valid; /* a hypercall may have fewer */
            if (form >= SVMC_FOREIGN_RMM || strncmp(rows[i].name, "a64", 3) == 0 ||
                (strncmp(rows[i].name, "power", 5) == 0 && got.kind != SVMC_KIND_HCALL))
                /* its own text */
                memcpy(got.insn, foreign.request.insn, sizeof got.insn);
            CHECK_MEM(&got, &foreign.request, sizeof got, "form %u, %s", form, rows[i].name);
            if (got.kind == SVMC_KIND_OUTS)
                CHECK_MEM(data, foreign.data, got.size * got.count);
        }
}

TEST(adapt, arguments)
{
    struct svmc_request r = { .kind = SVMC_KIND_RDMSR, .completion = 1, .count = 1 }, out;
    struct svmc_reply reply = { .done = 1, .out_valid = 3 };
    uint32_t rule = 99;

    for (unsigned form = 0; form < SVMC_FOREIGN_FORMATS; form++) {
        struct svmc_foreign f;

        adapt_init(&foreign, (enum svmc_foreign_format)form, 0);
        for (unsigned wrong = 0; wrong < 5; wrong++) {
            f = foreign.foreign;
            if (wrong == 0)
                f.area = NULL;
            else if (wrong == 1)
                f.area = foreign.area + 4;
            else if (wrong == 2)
                f.area_bytes = form == SVMC_FOREIGN_TDX    ? 127
                               : form == SVMC_FOREIGN_S390 ? 1023
                                                           : 4095;
            else if (wrong == 3)
                f.format = SVMC_FOREIGN_FORMATS;
            else if (form == SVMC_FOREIGN_GHCB)
                f.gpa++;
            else
                continue;
            memset(&out, 0xee, sizeof out);
            CHECK_EQ(svmc_adapt_emit(&f, &r, NULL), SVMC_ERR_ARG);
            CHECK_EQ(svmc_adapt_absorb(&f, &r, &reply, NULL, &rule), SVMC_ERR_ARG);
            CHECK_EQ(rule, 0);
            CHECK_EQ(reply.done, 0, "zeroed");
            CHECK_EQ(svmc_adapt_decode(&f, &out, NULL), SVMC_ERR_ARG);
            CHECK_EQ(out.kind, 0, "zeroed");
            CHECK_EQ(svmc_adapt_answer(&f, &r, &reply, NULL), SVMC_ERR_ARG);
        }
        CHECK_EQ(svmc_adapt_emit(NULL, &r, NULL), SVMC_ERR_ARG);
        CHECK_EQ(svmc_adapt_emit(&foreign.foreign, NULL, NULL), SVMC_ERR_ARG);
        CHECK_EQ(svmc_adapt_absorb(&foreign.foreign, &r, NULL, NULL, NULL), SVMC_ERR_ARG);
        CHECK_EQ(svmc_adapt_absorb(&foreign.foreign, NULL, &reply, NULL, NULL), SVMC_ERR_ARG);
        CHECK_EQ(svmc_adapt_decode(&foreign.foreign, NULL, NULL), SVMC_ERR_ARG);
        CHECK_EQ(svmc_adapt_answer(&foreign.foreign, &r, NULL, NULL), SVMC_ERR_ARG);
    }
}

TEST(adapt, a_reply_that_does_not_fit_is_not_written) /* AP-8 */
{
    for (unsigned form = 0; form <= SVMC_FOREIGN_TDX; form++)
        for (unsigned wrong = 0; wrong < 6; wrong++) {
            static uint8_t before[ADAPT_BYTES];
            struct svmc_request r;
            struct svmc_reply reply;
            enum svmc_status want = SVMC_ERR_ARG;

            adapt_init(&foreign, (enum svmc_foreign_format)form, 0);
            REQUIRE(adapt_exit(&foreign, "in 1 kvm"));
            CHECK_EQ(adapt_emit(&foreign), SVMC_OK);
            CHECK_EQ(svmc_adapt_decode(&foreign.foreign, &r, NULL), SVMC_OK);
            device_answer(&foreign.device, &r, NULL, &reply, NULL);
            if (wrong == 0)
                reply.out_valid = 3;
            else if (wrong == 1)
                reply.done = 0;
            else if (wrong == 2)
                reply.data_bytes = 1;
            else if (wrong == 3)
                reply.status = SVMC_REPLY_FAULT, reply.fault = SVMC_FAULT_GP;
            else if (wrong == 4)
                reply.status = SVMC_REPLY_PARTIAL, want = SVMC_ERR_UNSUPPORTED;
            else
                reply = (struct svmc_reply){ .status = 9 }, want = SVMC_ERR_UNSUPPORTED;
            memcpy(before, foreign.area, sizeof before);
            CHECK_EQ(svmc_adapt_answer(&foreign.foreign, &r, &reply, NULL), want, "form %u, %u",
                     form, wrong);
            CHECK_MEM(before, foreign.area, sizeof before);
        }
}

TEST(adapt, a_hypercall_brings_back_its_status_alone) /* AP-7 */
{
    adapt_init(&foreign, SVMC_FOREIGN_RMM, 0x1111222233334444);
    svmc_vcpu_drop(&foreign.lab.vc);
    CHECK_EQ(svmc_policy_init(&foreign.lab.policy, 8, 4), SVMC_OK);
    CHECK_EQ(svmc_policy_set_hcall(&foreign.lab.policy, LAB_HCALL, 4, 1), SVMC_OK);
    CHECK_EQ(svmc_policy_seal(&foreign.lab.policy), SVMC_OK);
    CHECK_EQ(svmc_vcpu_init(&foreign.lab.vc, &world_ops, &foreign.lab.world, &foreign.lab.policy,
                            foreign.lab.world.page, 7),
             SVMC_OK);
    REQUIRE(adapt_exit(&foreign, "hypercall own"));
    CHECK_EQ(adapt_emit(&foreign), SVMC_OK);
    CHECK_EQ(adapt_host(&foreign), SVMC_OK);
    CHECK_EQ(adapt_enter(&foreign), SVMC_ERR_HOST_REPLY);
    CHECK_EQ(foreign.lab.out.rule, 6);
}
