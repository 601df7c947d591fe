/* SPDX-License-Identifier: MIT */
/* The areas of FXSAVE and XSAVE: docs/spec/exec.md, XE-58, XE-59, XE-80, XE-81. */
#include "fpu_lab.h"

#define AREA    (LAB_LINEAR + LAB_PAGE - 0x400) /* ends on the second page */
#define COMPACT ((uint64_t)1 << 63)

static struct fpu_lab fpu, other;
static struct exec_lab *const lab = &fpu.lab;

#define RUN(...)                                             \
    exec_lab_run(&fpu.lab, (const uint8_t[]){ __VA_ARGS__ }, \
                 sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void check_fault(unsigned vector)
{
    CHECK_EQ(lab->out.action, SVMC_EXEC_FAULT);
    CHECK_EQ(lab->out.fault.vector, vector);
}

static uint8_t byte_of(unsigned file, unsigned number, unsigned i)
{
    return (uint8_t)(file * 77 + number * 29 + i * 3 + 1);
}

static void fill_registers(struct fpu_lab *f)
{
    for (unsigned n = 0; n < 32; n++)
        for (unsigned i = 0; i < 64; i++)
            f->lab.vector[n][i] = byte_of(1, n, i);
    for (unsigned n = 0; n < 8; n++)
        for (unsigned i = 0; i < 10; i++) {
            f->lab.x87[n][i] = byte_of(2, n, i);
            if (i < 8)
                f->lab.mask[n][i] = byte_of(3, n, i);
        }
    f->lab.regs.fcw = 0x27f;
    f->lab.regs.fsw = 5 << 11;
    f->lab.regs.ftw = 0x5a;
    f->lab.regs.fop = 0x123;
    f->lab.regs.fip = 0x1122334455667788;
    f->lab.regs.fdp = 0x99aabbccddeeff00;
    f->lab.regs.mxcsr = 0x1fa0;
    f->lab.regs.pkru = 0x55555554;
}

static void open_area(unsigned isa)
{
    fpu_lab_open(&fpu, isa);
    fill_registers(&fpu);
    lab->regs.general[SVMC_REG_RBX] = AREA;
    lab->regs.general[SVMC_REG_RAX] = 0xffffffff;
    lab->regs.general[SVMC_REG_RDX] = 0xffffffff;
    for (unsigned i = 0; i < 0x1000; i++)
        exec_lab_store(lab, AREA + i, 1, 0xcc);
}

static void check_bytes(unsigned at, unsigned file, unsigned number, unsigned from, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        CHECK_EQ(exec_lab_load(lab, AREA + at + i, 1), byte_of(file, number, from + i),
                 "byte %u, register %u of file %u", at + i, number, file);
}

static void check_legacy(unsigned registers)
{
    for (unsigned i = 0; i < 8; i++)
        check_bytes(32 + 16 * i, 2, (5 + i) & 7, 0, 10);
    for (unsigned i = 0; i < registers; i++)
        check_bytes(160 + 16 * i, 1, i, 0, 16);
    CHECK_EQ(exec_lab_load(lab, AREA, 8), 0x0123005a2800027f);
    CHECK_EQ(exec_lab_load(lab, AREA + 24, 8), 0xffff00001fa0);
    CHECK_EQ(exec_lab_load(lab, AREA + 160 + 16 * registers, 8), 0xcccccccccccccccc);
}

/* SDM vol. 1 10.5.1 */
TEST(fpu_area, fxsave_has_two_forms_and_fxrstor_takes_them_back) /* XE-58 XE-80 */
{
    open_area(SVMC_ISA_X86_64);
    CHECK_EQ(RUN(0x48, 0x0f, 0xae, 0x03), SVMC_OK); /* FXSAVE64 */
    CHECK_EQ(lab->out.action, SVMC_EXEC_DONE);
    check_legacy(16);
    CHECK_EQ(exec_lab_load(lab, AREA + 8, 8), 0x1122334455667788);
    CHECK_EQ(exec_lab_load(lab, AREA + 16, 8), 0x99aabbccddeeff00);
    memset(fpu.lab.x87, 0, sizeof fpu.lab.x87);
    memset(fpu.lab.vector, 0, sizeof fpu.lab.vector);
    lab->regs.fcw = 0x37f;
    lab->regs.fsw = lab->regs.ftw = 0;
    lab->regs.mxcsr = 0x1f80;
    CHECK_EQ(RUN(0x48, 0x0f, 0xae, 0x0b), SVMC_OK); /* FXRSTOR64 */
    CHECK_EQ(lab->out.action, SVMC_EXEC_DONE);
    CHECK_EQ(lab->regs.fcw, 0x27f);
    CHECK_EQ(lab->regs.fsw, 5 << 11);
    CHECK_EQ(lab->regs.ftw, 0x5a);
    CHECK_EQ(lab->regs.mxcsr, 0x1fa0);
    CHECK_EQ(fpu.lab.x87[3][9], byte_of(2, 3, 9));
    CHECK_EQ(fpu.lab.vector[15][15], byte_of(1, 15, 15));
    CHECK_EQ(fpu.lab.vector[15][16], 0);

    open_area(SVMC_ISA_X86_32);
    lab->regs.fcs = 0x23;
    lab->regs.fds = 0x2b;
    CHECK_EQ(RUN(0x0f, 0xae, 0x03), SVMC_OK);
    check_legacy(8);
    CHECK_EQ(exec_lab_load(lab, AREA + 8, 8), 0x2355667788);
    CHECK_EQ(exec_lab_load(lab, AREA + 16, 8), 0x2bddeeff00);

    open_area(SVMC_ISA_X86_64);
    lab->regs.quirks = SVMC_FPU_FAST_FXSAVE;
    CHECK_EQ(RUN(0x0f, 0xae, 0x03), SVMC_OK);
    check_legacy(0);
}

TEST(fpu_area, what_may_not_be_saved) /* XE-58 */
{
    open_area(SVMC_ISA_X86_64);
    lab->regs.general[SVMC_REG_RBX] = AREA + 8;
    CHECK_EQ(RUN(0x0f, 0xae, 0x03), SVMC_OK);
    check_fault(13);
    lab->regs.general[SVMC_REG_RBX] = AREA + 16;
    CHECK_EQ(RUN(0x0f, 0xae, 0x03), SVMC_OK);
    CHECK_EQ(lab->out.action, SVMC_EXEC_DONE);
    CHECK_EQ(RUN(0x0f, 0xae, 0x23), SVMC_OK); /* XSAVE */
    check_fault(13);
    lab->regs.cpl = 3;
    lab->regs.cr0 |= 0x40000;
    lab->regs.rflags |= 0x40000;
    CHECK_EQ(RUN(0x0f, 0xae, 0x23), SVMC_OK);
    check_fault(13); /* a multiple of 4 */
    lab->regs.general[SVMC_REG_RBX] = AREA + 2;
    CHECK_EQ(RUN(0x0f, 0xae, 0x23), SVMC_OK);
    check_fault(17);
    lab->regs.cr4 &= ~(uint64_t)0x40000;
    CHECK_EQ(RUN(0x0f, 0xae, 0x23), SVMC_OK);
    check_fault(6);

    open_area(SVMC_ISA_X86_64);
    lab->regs.cr0 |= 8;
    CHECK_EQ(RUN(0x0f, 0xae, 0x23), SVMC_OK);
    check_fault(7);
    lab->regs.cr0 &= ~(uint64_t)8;
    lab->regs.xcr0 |= 0x60000; /* tiles */
    CHECK_EQ(RUN(0x0f, 0xae, 0x23), SVMC_OK);
    CHECK_EQ(lab->out.action, SVMC_EXEC_UNFINISHED);
    CHECK_EQ(lab->out.reason, SVMC_EXEC_REASON_COMPONENT);
    lab->regs.general[SVMC_REG_RAX] = 0x2e7;
    lab->read_only[1] = true;
    CHECK_EQ(RUN(0x0f, 0xae, 0x23), SVMC_OK);
    check_fault(14);
    CHECK_EQ(exec_lab_load(lab, AREA, 8), 0xcccccccccccccccc);
    lab->regs.general[SVMC_REG_RAX] = 3; /* what is used ends before */
    CHECK_EQ(RUN(0x0f, 0xae, 0x23), SVMC_OK);
    CHECK_EQ(lab->out.action, SVMC_EXEC_DONE);
    lab->regs.cpl = 3;
    CHECK_EQ(RUN(0x0f, 0xc7, 0x2b), SVMC_OK); /* XSAVES */
    check_fault(13);
}

/* SDM vol. 1 table 13-1 and CPUID.D of processors with AVX-512; AMD's from Zen 4. */
TEST(fpu_area, standard_form_lies_where_cpuid_says) /* XE-58 XE-59 XE-81 */
{
    static const uint16_t places[3][5] = { { 576, 1088, 1152, 1664, 2688 },
                                           { 576, 832, 896, 1408, 2432 },
                                           { 640, 896, 960, 1472, 2496 } };

    for (unsigned k = 0; k < 3; k++) {
        unsigned pauses = 0;

        open_area(SVMC_ISA_X86_64);
        exec_lab_store(lab, AREA + 512, 8, 0xf00000000000f000);
        lab->regs.vendor = k == 1 ? SVMC_VENDOR_AMD : SVMC_VENDOR_INTEL;
        if (k == 2)
            for (unsigned i = 0; i < 5; i++)
                lab->regs.component[i == 0 ? 2 : i == 4 ? 9 : 4 + i] = places[k][i];
        lab->regs.xcr0 &= k == 2 ? ~(uint64_t)1 : ~(uint64_t)0;
        CHECK_EQ(RUN(0x48, 0x0f, 0xae, 0x23), SVMC_OK); /* XSAVE64 */
        for (; lab->out.action == SVMC_EXEC_PENDING; pauses++) {
            CHECK_EQ(lab->x.wait.kind, SVMC_EXEC_PAUSE);
            CHECK(lab->out.accesses <= SVMC_EXEC_ACCESSES_MAX, "%u", lab->out.accesses);
            CHECK_EQ(svmc_exec_answer(&lab->x, NULL, 0), SVMC_ERR_STATE);
            CHECK_EQ(svmc_exec_x86_resume(&lab->x, &lab->regs, &lab->out), SVMC_OK);
        }
        CHECK_EQ(lab->out.action, SVMC_EXEC_DONE);
        CHECK_EQ(pauses, 1);
        if (k != 2)
            check_legacy(16);
        for (unsigned i = 0; i < 16; i++) {
            check_bytes(places[k][0] + 16 * i, 1, i, 16, 16);
            check_bytes(places[k][2] + 32 * i, 1, i, 32, 32);
            check_bytes(places[k][3] + 64 * i, 1, 16 + i, 0, 64);
        }
        for (unsigned i = 0; i < 8; i++)
            check_bytes(places[k][1] + 8 * i, 3, i, 0, 8);
        CHECK_EQ(exec_lab_load(lab, AREA + places[k][4], 8), 0x55555554);
        CHECK_EQ(exec_lab_load(lab, AREA + 512, 8), 0xf00000000000f000 | (k == 2 ? 0x2e6 : 0x2e7));
        CHECK_EQ(exec_lab_load(lab, AREA + 520, 8), 0xcccccccccccccccc);
    }
}

TEST(fpu_area, what_is_in_its_initial_state_is_left_out) /* XE-59 */
{
    open_area(SVMC_ISA_X86_64);
    memset(fpu.lab.mask, 0, sizeof fpu.lab.mask);
    for (unsigned i = 0; i < 16; i++)
        memset(fpu.lab.vector[i] + 16, 0, 16);
    CHECK_EQ(RUN(0x0f, 0xc7, 0x23), SVMC_OK); /* XSAVEC */
    CHECK_EQ(exec_lab_go_on(&fpu.lab), SVMC_OK);
    CHECK_EQ(lab->out.action, SVMC_EXEC_DONE);
    CHECK_EQ(exec_lab_load(lab, AREA + 512, 8), 0x2c3);
    CHECK_EQ(exec_lab_load(lab, AREA + 520, 8), COMPACT | 0x2e7);
    CHECK_EQ(exec_lab_load(lab, AREA + 528, 8), 0xcccccccccccccccc);
    CHECK_EQ(exec_lab_load(lab, AREA + 576, 8), 0xcccccccccccccccc);       /* AVX */
    CHECK_EQ(exec_lab_load(lab, AREA + 576 + 256, 8), 0xcccccccccccccccc); /* masks */
    check_bytes(576 + 256 + 64, 1, 0, 32, 32);
    check_bytes(576 + 256 + 64 + 512, 1, 16, 0, 64);
    CHECK_EQ(exec_lab_load(lab, AREA + 576 + 256 + 64 + 512 + 1024, 8), 0x55555554);

    open_area(SVMC_ISA_X86_64);
    memset(fpu.lab.vector, 0, sizeof fpu.lab.vector);
    lab->regs.general[SVMC_REG_RAX] = 6;
    CHECK_EQ(RUN(0x0f, 0xae, 0x33), SVMC_OK); /* XSAVEOPT: MXCSR in any case */
    CHECK_EQ(exec_lab_load(lab, AREA + 24, 4), 0x1fa0);
    CHECK_EQ(exec_lab_load(lab, AREA + 160, 8), 0xcccccccccccccccc);
    CHECK_EQ(exec_lab_load(lab, AREA + 512, 8), 0xccccccccccccccc8);
    lab->regs.general[SVMC_REG_RAX] = 3;
    CHECK_EQ(RUN(0x0f, 0xc7, 0x2b), SVMC_OK); /* XSAVES: MXCSR counts as SSE */
    CHECK_EQ(exec_lab_load(lab, AREA + 512, 8), 3);
    CHECK_EQ(exec_lab_load(lab, AREA + 160, 8), 0);
}

/* XSAVE and XSAVEC of everything, and back; initial where the header says so. */
TEST(fpu_area, a_restore_undoes_a_save) /* XE-80 XE-81 */
{
    for (unsigned k = 0; k < 3; k++) {
        const uint8_t save[2][4] = { { 0x48, 0x0f, 0xae, 0x23 }, { 0x48, 0x0f, 0xc7, 0x23 } };

        open_area(SVMC_ISA_X86_64);
        for (unsigned i = 0; i < 64; i++)
            exec_lab_store(lab, AREA + 512 + i, 1, 0);
        CHECK_EQ(exec_lab_run(&fpu.lab, save[k & 1], 4), SVMC_OK);
        CHECK_EQ(exec_lab_go_on(&fpu.lab), SVMC_OK);
        other = fpu;
        memset(fpu.lab.vector, 0x11, sizeof fpu.lab.vector);
        memset(fpu.lab.x87, 0x11, sizeof fpu.lab.x87);
        memset(fpu.lab.mask, 0x11, sizeof fpu.lab.mask);
        lab->regs.fcw = 0x37f;
        lab->regs.fsw = lab->regs.ftw = lab->regs.fop = 0;
        lab->regs.fip = lab->regs.fdp = lab->regs.mxcsr = lab->regs.pkru = 0;
        if (k == 2)
            exec_lab_store(lab, AREA + 512, 8, 0);
        CHECK_EQ(RUN(0x48, 0x0f, 0xae, 0x2b), SVMC_OK); /* XRSTOR64 */
        CHECK_EQ(exec_lab_go_on(&fpu.lab), SVMC_OK);
        CHECK_EQ(lab->out.action, SVMC_EXEC_DONE);
        if (k == 2) {
            CHECK_EQ(fpu.lab.vector[31][63] | fpu.lab.vector[0][0] | fpu.lab.x87[7][9] |
                         fpu.lab.mask[7][7],
                     0);
            CHECK_EQ(lab->regs.fcw, 0x37f);
            CHECK_EQ(lab->regs.mxcsr, 0x1fa0); /* of memory, whatever SSE is */
            continue;
        }
        CHECK(memcmp(fpu.lab.vector, other.lab.vector, sizeof fpu.lab.vector) == 0);
        CHECK(memcmp(fpu.lab.x87, other.lab.x87, sizeof fpu.lab.x87) == 0);
        CHECK(memcmp(fpu.lab.mask, other.lab.mask, sizeof fpu.lab.mask) == 0);
        CHECK_EQ(lab->regs.fsw, 5 << 11);
        CHECK_EQ(lab->regs.fdp, 0x99aabbccddeeff00);
        CHECK_EQ(lab->regs.mxcsr, 0x1fa0);
        CHECK_EQ(lab->regs.pkru, 0x55555554);
    }
}

TEST(fpu_area, what_is_not_asked_for_stays) /* XE-80 */
{
    open_area(SVMC_ISA_X86_64);
    for (unsigned i = 0; i < 64; i++)
        exec_lab_store(lab, AREA + 512 + i, 1, 0);
    exec_lab_store(lab, AREA + 512, 1, 4);
    exec_lab_store(lab, AREA + 24, 4, 0x1f80);
    lab->regs.general[SVMC_REG_RAX] = 4;
    CHECK_EQ(RUN(0x0f, 0xae, 0x2b), SVMC_OK);
    CHECK_EQ(lab->out.action, SVMC_EXEC_DONE);
    CHECK_EQ(fpu.lab.vector[3][15], byte_of(1, 3, 15));
    CHECK_EQ(fpu.lab.vector[3][16], 0xcc);
    CHECK_EQ(fpu.lab.vector[3][31], 0xcc);
    CHECK_EQ(fpu.lab.vector[3][32], byte_of(1, 3, 32));
    CHECK_EQ(lab->regs.mxcsr, 0x1f80);
    CHECK_EQ(lab->regs.fcw, 0x27f);
}

struct header_row {
    char name[28];
    uint16_t at;
    uint64_t state, format, value; /* value: at `at` */
    bool supervisor, refused;
};

TEST(fpu_area, headers_that_no_processor_takes) /* XE-80 */
{
    static const struct header_row rows[] = {
        { "nothing", 528, 0, 0, 0, false, false },
        { "standard", 528, 7, 0, 0, false, false },
        { "not in XCR0", 528, 0x8, 0, 0, false, true },
        { "a format without its bit", 528, 7, 7, 0, false, true },
        { "bytes 16 to 23", 528, 7, 0, 1, false, true },
        { "bytes 24 on, standard", 536, 7, 0, 1, false, false },
        { "compact", 536, 7, COMPACT | 7, 0, false, false },
        { "bytes 24 on, compact", 536, 7, COMPACT | 7, 1, false, true },
        { "not in the format", 528, 7, COMPACT | 3, 0, false, true },
        { "format not in XCR0", 528, 3, COMPACT | 0xb, 0, false, true },
        { "state with bit 63", 528, COMPACT | 3, COMPACT | 3, 0, false, true },
        { "MXCSR", 24, 3, COMPACT | 3, 0x10000, false, true },
        { "MXCSR not restored", 24, 1, COMPACT | 3, 0x10000, false, false },
        { "MXCSR, standard", 24, 0, 0, 0x10000, false, true },
        { "XRSTORS, standard", 528, 3, 0, 0, true, true },
        { "XRSTORS", 528, 3, COMPACT | 3, 0, true, false },
        { "XRSTORS, in IA32_XSS", 528, 3, COMPACT | 0x803, 0, true, true },
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct header_row *r = &rows[i];

        open_area(SVMC_ISA_X86_64);
        for (unsigned n = 0; n < 64; n++)
            exec_lab_store(lab, AREA + 512 + n, 1, 0);
        exec_lab_store(lab, AREA + 24, 8, 0x1f80);
        exec_lab_store(lab, AREA + 512, 8, r->state);
        exec_lab_store(lab, AREA + 520, 8, r->format);
        exec_lab_store(lab, AREA + r->at, 8, r->value);
        other = fpu;
        CHECK_EQ(r->supervisor ? RUN(0x0f, 0xc7, 0x1b) : RUN(0x0f, 0xae, 0x2b), SVMC_OK);
        CHECK_EQ(exec_lab_go_on(&fpu.lab), SVMC_OK);
        CHECK_EQ(lab->out.action, r->refused ? SVMC_EXEC_FAULT : SVMC_EXEC_DONE, "%s", r->name);
        if (!r->refused)
            continue;
        CHECK_EQ(lab->out.fault.vector, 13, "%s", r->name);
        CHECK(memcmp(&lab->regs, &other.lab.regs, sizeof lab->regs) == 0 &&
                  memcmp(fpu.lab.vector, other.lab.vector, sizeof fpu.lab.vector) == 0,
              "%s", r->name);
    }
    open_area(SVMC_ISA_X86_64);
    for (unsigned n = 0; n < 64; n++)
        exec_lab_store(lab, AREA + 512 + n, 1, 0);
    exec_lab_store(lab, AREA + 520, 8, COMPACT | 0x803);
    lab->regs.xss = 0x800;
    lab->regs.general[SVMC_REG_RAX] = 7;
    CHECK_EQ(RUN(0x0f, 0xc7, 0x1b), SVMC_OK); /* XRSTORS of a shadow stack's component */
    CHECK_EQ(lab->out.reason, SVMC_EXEC_REASON_COMPONENT);
    lab->regs.quirks = SVMC_FPU_NO_XSAVEC;
    CHECK_EQ(RUN(0x0f, 0xae, 0x2b), SVMC_OK); /* XRSTOR, compact */
    check_fault(13);
}

/* ---- each callback fails, waits, faults or lies at each call ---- */

struct kth_row {
    char name[20];
    uint8_t count, bytes[4];
    bool restores; /* registers of the record are written in several accesses */
};

static const struct kth_row kth[] = {
    { "fld m32", 2, { 0xd9, 0x03 }, false },       { "fld m80", 2, { 0xdb, 0x2b }, false },
    { "fild m64", 2, { 0xdf, 0x2b }, false },      { "fbld", 2, { 0xdf, 0x23 }, false },
    { "fst m32", 2, { 0xd9, 0x13 }, false },       { "fstp m64", 2, { 0xdd, 0x1b }, false },
    { "fstp m80", 2, { 0xdb, 0x3b }, false },      { "fistp m16", 2, { 0xdf, 0x1b }, false },
    { "fbstp", 2, { 0xdf, 0x33 }, false },         { "fadd m64", 2, { 0xdc, 0x03 }, false },
    { "ficomp m32", 2, { 0xda, 0x1b }, false },    { "fldcw", 2, { 0xd9, 0x2b }, false },
    { "fnstsw", 2, { 0xdd, 0x3b }, false },        { "fnstenv", 2, { 0xd9, 0x33 }, false },
    { "fldenv", 2, { 0xd9, 0x23 }, false },        { "fnsave", 2, { 0xdd, 0x33 }, false },
    { "frstor", 2, { 0xdd, 0x23 }, true },         { "ldmxcsr", 3, { 0x0f, 0xae, 0x13 }, false },
    { "stmxcsr", 3, { 0x0f, 0xae, 0x1b }, false }, { "fxsave", 3, { 0x0f, 0xae, 0x03 }, false },
    { "fxrstor", 3, { 0x0f, 0xae, 0x0b }, true },  { "xsave", 3, { 0x0f, 0xae, 0x23 }, false },
    { "xsavec", 3, { 0x0f, 0xc7, 0x23 }, false },  { "xrstor", 3, { 0x0f, 0xae, 0x2b }, true },
};

static void prepare(const struct kth_row *r, unsigned place)
{
    static const uint32_t places[] = { 0x100, LAB_PAGE - 3, LAB_PAGE - 0x200 };
    const bool area = r->bytes[0] == 0x0f && (r->bytes[2] & 0x38) / 8 != 2 &&
                      !(r->bytes[1] == 0xae && (r->bytes[2] & 0x38) / 8 == 3);
    uint64_t at = LAB_LINEAR + places[area && place == 1 ? 2 : place];

    open_area(SVMC_ISA_X86_64);
    lab->regs.general[SVMC_REG_RBX] = at;
    lab->regs.ftw = r->bytes[0] == 0x0f || (r->bytes[1] & 0x38) == 0x18 ? 0x20 : 0;
    if (r->bytes[0] == 0xd9 || r->bytes[0] >= 0xda)
        lab->regs.ftw = 0x20; /* ST(0) alone */
    for (unsigned i = 0; i < 3000; i++)
        exec_lab_store(lab, at + i, 1, i * 7 & 0x7f);
    if (r->bytes[0] == 0x0f) {
        exec_lab_store(lab, at, 4, 0x1f80);
        exec_lab_store(lab, at + 24, 4, 0x1f80);
        for (unsigned i = 0; i < 64; i++)
            exec_lab_store(lab, at + 512 + i, 1, 0);
        exec_lab_store(lab, at + 512, 2, 0x2e7);
    } else if (r->bytes[0] == 0xd9 || r->bytes[0] == 0xdd) {
        exec_lab_store(lab, at, 8, 0x37f);
    }
    memset(fpu.lab.x87[5], 0, 10);
    fpu.lab.x87[5][7] = 0xa0; /* 2.5 */
    fpu.lab.x87[5][8] = 0x00;
    fpu.lab.x87[5][9] = 0x40;
}

static bool is_same(const struct fpu_lab *a, const struct fpu_lab *b)
{
    return memcmp(&a->lab.regs, &b->lab.regs, sizeof a->lab.regs) == 0 &&
           memcmp(a->lab.ram, b->lab.ram, sizeof a->lab.ram) == 0 &&
           memcmp(a->lab.x87, b->lab.x87, sizeof a->lab.x87) == 0 &&
           memcmp(a->lab.vector, b->lab.vector, sizeof a->lab.vector) == 0 &&
           memcmp(a->lab.mask, b->lab.mask, sizeof a->lab.mask) == 0;
}

static void strike(const struct kth_row *r, unsigned place, enum exec_lab_mode mode, unsigned k)
{
    static struct fpu_lab before;
    enum svmc_status st;

    prepare(r, place);
    before = fpu;
    lab->mode = mode;
    lab->fail_at = k;
    st = exec_lab_run(&fpu.lab, r->bytes, r->count);
    while (st == SVMC_OK && lab->out.action == SVMC_EXEC_PENDING &&
           (mode == LAB_BUSY || lab->x.wait.kind == SVMC_EXEC_PAUSE))
        st = exec_lab_go_on(&fpu.lab);
    if (mode == LAB_BUSY) {
        CHECK_EQ(st, SVMC_OK, "%s, call %u", r->name, k);
        CHECK_EQ(lab->out.action, SVMC_EXEC_DONE, "%s, call %u", r->name, k);
        CHECK(is_same(&fpu, &other), "%s, place %u, call %u waits", r->name, place, k);
        return;
    }
    if (mode == LAB_FAIL)
        CHECK_EQ(st, SVMC_ERR_CALLBACK, "%s, place %u, call %u", r->name, place, k);
    if (st == SVMC_OK && lab->out.action == SVMC_EXEC_DONE)
        return; /* it was no translation that the mode is about */
    CHECK(memcmp(&lab->regs, &before.lab.regs, sizeof lab->regs) == 0, "%s, call %u", r->name, k);
    CHECK_EQ(lab->x.wait.kind, SVMC_EXEC_NO_ACCESS, "%s, call %u", r->name, k);
    if (st == SVMC_OK || !r->restores) /* XE-80 */
        CHECK(memcmp(fpu.lab.vector, before.lab.vector, sizeof fpu.lab.vector) == 0 &&
                  memcmp(fpu.lab.x87, before.lab.x87, sizeof fpu.lab.x87) == 0,
              "%s, call %u", r->name, k);
    for (unsigned i = 0; i < sizeof lab->ram; i++) /* XE-59: what was written before */
        if (lab->ram[i] != before.lab.ram[i] &&
            (lab->out.action == SVMC_EXEC_FAULT || lab->ram[i] != other.lab.ram[i]))
            CHECK(false, "%s, mode %u, call %u: memory at %#x", r->name, mode, k, i);
}

TEST(fpu_area, each_callback_fails_waits_faults_or_lies_at_each_call) /* XE-59 XE-80 XE-81 */
{
    unsigned scenarios = 0;

    for (unsigned i = 0; i < sizeof kth / sizeof kth[0] * 2; i++) {
        const struct kth_row *r = &kth[i / 2];
        unsigned calls;

        prepare(r, i & 1);
        CHECK_EQ(exec_lab_run(&fpu.lab, r->bytes, r->count), SVMC_OK, "%s", r->name);
        CHECK_EQ(exec_lab_go_on(&fpu.lab), SVMC_OK, "%s", r->name);
        if (!CHECK_EQ(lab->out.action, SVMC_EXEC_DONE, "%s, place %u", r->name, i & 1))
            continue;
        other = fpu;
        calls = lab->calls;
        for (unsigned k = 1; k <= calls; k++)
            for (unsigned mode = LAB_FAIL; mode <= LAB_LIE; mode++, scenarios++)
                strike(r, i & 1, (enum exec_lab_mode)mode, k);
    }
    CHECK(scenarios >= 500, "%u", scenarios);
}
