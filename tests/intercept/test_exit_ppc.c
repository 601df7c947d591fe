/* SPDX-License-Identifier: MIT */
/*
 * EX-90 to EX-92. Vectors and HDSISR by hand from Linux asm/kvm_asm.h, asm/reg.h and
 * kvmppc_handle_exit_hv; words by LLVM 14, ppc64.
 */
#include <svmcore/exit_ppc.h>

#include "scenarios.h"

#define SF          ((uint64_t)1 << 63)
#define HV          ((uint64_t)1 << 60)
#define PREFIXED    0x20000000u
#define PR          0x4000u
#define LE          1u
#define NOHPTE      0x40000000u
#define PROTFAULT   0x08000000u
#define ISSTORE     0x02000000u
#define H_DATA      0xe00u
#define R(n)        (SVMC_REG_PPC_R0 + (n))
#define NO_REGISTER 0xffu

static struct svmc_exit e;
static const struct svmc_exit zero;
static struct svmc_ppc_exit raw;

/* The instruction as it lies in memory. */
static enum svmc_status take(uint32_t word, size_t count)
{
    bool little = (raw.srr1 & LE) != 0;
    uint8_t bytes[4];

    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(word >> (little ? 8 * i : 24 - 8 * i));
    memset(&e, 0xee, sizeof e);
    return svmc_exit_from_ppc(&raw, count ? bytes : NULL, count, &e);
}

static void fault(uint32_t hdsisr, bool little)
{
    raw = (struct svmc_ppc_exit){ .vector = H_DATA,
                                  .hdsisr = hdsisr,
                                  .hdar = 0xc008000012345010,
                                  .asdr = LAB_GPA & ~(uint64_t)0xfff,
                                  .srr1 = SF | (little ? LE : 0) };
}

static const struct row {
    const char *name;
    uint32_t word;
    uint8_t reg, size;
    bool store, sign, reversed;
} rows[] = {
    { "lbz", 0x88640008, 3, 1, false, false, false },
    { "lhz", 0xa3e1fffe, 31, 2, false, false, false },
    { "lha", 0xa8a90000, 5, 2, false, true, false },
    { "lwz", 0x801e0010, 0, 4, false, false, false },
    { "lwa", 0xe8c4000a, 6, 4, false, true, false },
    { "ld", 0xe8e40018, 7, 8, false, false, false },
    { "stb", 0x99040001, 8, 1, true, false, false },
    { "sth", 0xb1240002, 9, 2, true, false, false },
    { "stw", 0x91440004, 10, 4, true, false, false },
    { "std", 0xf9640008, 11, 8, true, false, false },
    { "lbzx", 0x7d8428ae, 12, 1, false, false, false },
    { "lhzx", 0x7da42a2e, 13, 2, false, false, false },
    { "lhax", 0x7dc42aae, 14, 2, false, true, false },
    { "lwzx", 0x7de0282e, 15, 4, false, false, false },
    { "lwax", 0x7e042aaa, 16, 4, false, true, false },
    { "ldx", 0x7e24282a, 17, 8, false, false, false },
    { "stbx", 0x7e4429ae, 18, 1, true, false, false },
    { "sthx", 0x7e642b2e, 19, 2, true, false, false },
    { "stwx", 0x7e84292e, 20, 4, true, false, false },
    { "stdx", 0x7ea4292a, 21, 8, true, false, false },
    { "lhbrx", 0x7ec42e2c, 22, 2, false, false, true },
    { "lwbrx", 0x7ee42c2c, 23, 4, false, false, true },
    { "ldbrx", 0x7f042c28, 24, 8, false, false, true },
    { "sthbrx", 0x7f242f2c, 25, 2, true, false, true },
    { "stwbrx", 0x7f442d2c, 26, 4, true, false, true },
    { "stdbrx", 0x7f642d28, 27, 8, true, false, true },
};

TEST(exit_ppc, loads_and_stores) /* EX-91 EX-92 */
{
    for (unsigned i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i / 2];
        bool little = (i & 1) != 0;

        fault(r->store ? NOHPTE | ISSTORE : PROTFAULT, little);
        CHECK_EQ(take(r->word, 4), SVMC_OK, "%s", r->name);
        CHECK_EQ(e.kind, r->store ? SVMC_KIND_MMIO_WRITE : SVMC_KIND_MMIO_READ, "%s", r->name);
        CHECK_EQ(e.isa, SVMC_ISA_PPC64);
        CHECK_EQ(e.size, r->size, "%s", r->name);
        CHECK_EQ(e.count, 1);
        CHECK_EQ(e.address, LAB_GPA, "%s", r->name);
        CHECK_EQ(e.insn_bytes, 4);
        CHECK_EQ(e.finish, SVMC_FINISH_REGS | SVMC_FINISH_RIP);
        CHECK_EQ(r->store ? e.value_reg : e.dest_reg, R(r->reg), "%s", r->name);
        CHECK_EQ(e.from, r->store ? SVMC_FROM_VALUE_REG : 0, "%s", r->name);
        CHECK_EQ(e.dest_bytes, r->store ? 0 : 8, "%s", r->name);
        CHECK_EQ(e.dest_extend, r->store ? 0 : r->sign ? 2 : 1, "%s", r->name);
        CHECK_EQ(e.swap, r->size > 1 && r->reversed == little, "%s, %s", r->name,
                 little ? "little-endian" : "big-endian");
        raw.hdsisr ^= ISSTORE;
        CHECK_EQ(take(r->word, 4), SVMC_ERR_MISMATCH, "%s the other way", r->name);
        CHECK_MEM(&e, &zero, sizeof e, "%s", r->name);
        raw.hdsisr ^= ISSTORE;
        for (size_t n = 0; n < 4; n++)
            CHECK_EQ(take(r->word, n), SVMC_ERR_TRUNCATED, "%s, %u bytes", r->name, (unsigned)n);
        raw.srr1 ^= LE; /* the same bytes of the other guest are another instruction, or none */
        raw.srr1 |= PR;
        CHECK_EQ(take(r->word, 4), SVMC_OK, "%s of the problem state", r->name);
        CHECK_EQ(e.user, 1);
    }
}

TEST(exit_ppc, what_is_more_than_one_load_is_not_finished) /* EX-91 */
{
    static const struct {
        const char *name;
        uint32_t word;
    } others[] = {
        { "lbzu", 0x8c640001 },
        { "lhzu", 0xa4640002 },
        { "lhau", 0xac640002 },
        { "lwzu", 0x84640004 },
        { "ldu", 0xe8640009 },
        { "stbu", 0x9c640001 },
        { "sthu", 0xb4640002 },
        { "stwu", 0x94640004 },
        { "stdu", 0xf8640009 },
        { "lbzux", 0x7c6428ee },
        { "lhzux", 0x7c642a6e },
        { "lhaux", 0x7c642aee },
        { "lwzux", 0x7c64286e },
        { "lwaux", 0x7c642aea },
        { "ldux", 0x7c64286a },
        { "stbux", 0x7c6429ee },
        { "sthux", 0x7c642b6e },
        { "stwux", 0x7c64296e },
        { "stdux", 0x7c64296a },
        { "lmw", 0xbbc40000 },
        { "stmw", 0xbfc40000 },
        { "lswi", 0x7c6424aa },
        { "lwarx", 0x7c642828 },
        { "ldarx", 0x7c6428a8 },
        { "stwcx.", 0x7c64292d },
        { "stdcx.", 0x7c6429ad },
        { "lfs", 0xc0240000 },
        { "lfd", 0xc8240000 },
        { "stfd", 0xd8240000 },
        { "lvx", 0x7c2428ce },
        { "lxvd2x", 0x7c242e98 },
        { "lq", 0xe0860010 },
        { "stq", 0xf8860012 },
        { "lbzcix", 0x7c642eaa },
        { "lwzcix", 0x7c642e2a },
        { "stdcix", 0x7c642fea },
        { "dcbz", 0x7c042fec },
        { "addi", 0x38640005 },
        { "sc 1", 0x44000022 },
        { "a prefix", 0x06000000 },
        { "0", 0 },
    };

    for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++)
        for (unsigned way = 0; way < 4; way++) {
            fault(NOHPTE | (way & 1 ? ISSTORE : 0), way >> 1);
            CHECK_EQ(take(others[i].word, 4), SVMC_ERR_UNSUPPORTED, "%s", others[i].name);
            CHECK_MEM(&e, &zero, sizeof e, "%s", others[i].name);
        }
}

/* Every word: a row of `rows`, but for its registers and displacement, or UNSUPPORTED. */
TEST(exit_ppc, no_other_opcode_is_taken) /* EX-91 */
{
    unsigned taken = 0;

    for (uint32_t op = 0; op < 64; op++)
        for (uint32_t low = 0; low < 2048; low++) {
            uint32_t word = op << 26 | 5u << 21 | 4u << 16 | low;
            uint32_t mask = op == 31 ? 0x7ff : op == 58 || op == 62 ? 3 : 0;
            const struct row *is = NULL;

            for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
                if (((rows[i].word ^ word) & (0xfc000000 | mask)) == 0)
                    is = &rows[i];
            fault(is && is->store ? NOHPTE | ISSTORE : NOHPTE, false);
            CHECK_EQ(take(word, 4), is ? SVMC_OK : SVMC_ERR_UNSUPPORTED, "%x", (unsigned)word);
            taken += is != NULL;
        }
    CHECK_EQ(taken, 7 * 2048 + 3 * 512 + 16, "seven of D-form, three of DS-form, the rest");
}

TEST(exit_ppc, only_a_missing_translation_can_be_a_device) /* EX-91 */
{
    for (unsigned bit = 0; bit < 32; bit++) {
        uint32_t one = (uint32_t)1 << bit;
        bool fine = one == NOHPTE || one == PROTFAULT;

        fault(one, false);
        CHECK_EQ(take(rows[0].word, 4), fine ? SVMC_OK : SVMC_ERR_UNSUPPORTED, "%x alone",
                 (unsigned)one);
        fault(NOHPTE | one, false);
        CHECK_EQ(take(rows[one == ISSTORE ? 6 : 0].word, 4),
                 fine || one == ISSTORE ? SVMC_OK : SVMC_ERR_UNSUPPORTED, "with %x", (unsigned)one);
    }
    fault(0x7fff, false); /* Linux HDSISR_CANARY */
    CHECK_EQ(take(rows[0].word, 4), SVMC_ERR_UNSUPPORTED);
    fault(NOHPTE, false);
    raw.srr1 |= PREFIXED;
    CHECK_EQ(take(rows[0].word, 4), SVMC_ERR_UNSUPPORTED, "a prefixed instruction");
    fault(NOHPTE, false);
    raw.srr1 &= ~SF;
    CHECK_EQ(take(rows[0].word, 4), SVMC_ERR_UNSUPPORTED, "32-bit mode");
    fault(NOHPTE, false);
    raw.hdar |= 0xffc;
    CHECK_EQ(take(0xe8e40018, 4), SVMC_ERR_UNSUPPORTED, "ld over the end of a page");
    CHECK_EQ(take(0x801e0010, 4), SVMC_OK, "lwz just before it");
    CHECK_EQ(e.address, (LAB_GPA & ~(uint64_t)0xfff) | 0xffc);
    raw.asdr = UINT64_MAX;
    CHECK_EQ(take(0x801e0010, 4), SVMC_OK);
    CHECK_EQ(e.address, 0x0ffffffffffffffc, "60 bits of a real address");
}

TEST(exit_ppc, every_vector_has_an_answer) /* EX-90 */
{
    /* what kvmppc_handle_exit_hv makes a program interrupt */
    static const uint32_t refused[] = { 0x700, 0xe40, 0xf80 };

    for (uint32_t vector = 0; vector < 0x6000; vector++) {
        bool refuse = false;

        raw = (struct svmc_ppc_exit){ .vector = vector, .srr1 = SF };
        for (unsigned i = 0; i < 3; i++)
            refuse = refuse || vector == refused[i];
        CHECK_EQ(take(0, 0), refuse || vector == 0xc00 ? SVMC_OK : SVMC_ERR_UNSUPPORTED, "%x",
                 (unsigned)vector);
        CHECK_EQ(e.kind,
                 refuse            ? SVMC_KIND_UNKNOWN
                 : vector == 0xc00 ? SVMC_KIND_HCALL
                                   : 0,
                 "%x", (unsigned)vector);
        CHECK_EQ(e.insn_bytes, refuse ? 4 : 0, "%x", (unsigned)vector);
        raw.srr1 |= PREFIXED;
        CHECK_EQ(take(0, 0), refuse || vector == 0xc00 ? SVMC_OK : SVMC_ERR_UNSUPPORTED);
        CHECK_EQ(e.insn_bytes, refuse ? 8 : 0, "%x, prefixed", (unsigned)vector);
        raw.srr1 |= HV;
        CHECK_EQ(take(0, 0), SVMC_ERR_UNSUPPORTED, "%x from hypervisor state", (unsigned)vector);
    }
    raw = (struct svmc_ppc_exit){ .vector = 0xffff0c00, .srr1 = SF };
    CHECK_EQ(take(0, 0), SVMC_ERR_UNSUPPORTED, "32 bits of a vector");
    CHECK_EQ(svmc_exit_from_ppc(NULL, NULL, 0, &e), SVMC_ERR_ARG);
    CHECK_EQ(svmc_exit_from_ppc(&raw, NULL, 4, &e), SVMC_ERR_ARG);
    CHECK_MEM(&e, &zero, sizeof e, "zeroed");
    CHECK_EQ(svmc_exit_from_ppc(&raw, NULL, 0, NULL), SVMC_ERR_ARG);
}

/* ---- what becomes of them --------------------------------------------------------------------*/

static struct lab lab;
static struct fakehost_answer answer;

static void start(void)
{
    uint64_t rng = 5;

    lab_init(&lab, &rng);
}

TEST(exit_ppc, a_hypercall_is_the_kernels) /* EX-90 EX-69 */
{
    raw = (struct svmc_ppc_exit){ .vector = 0xc00, .srr1 = SF };
    CHECK_EQ(take(0, 0), SVMC_OK);
    CHECK_EQ(e.finish, SVMC_FINISH_REGS, "NIA stands behind it");
    start();
    lab.world.reg[R(3)] = LAB_PAPR;
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_DELEGATED);
    svmc_vcpu_cancel(&lab.vc);
    raw.srr1 |= PR;
    CHECK_EQ(take(0, 0), SVMC_OK);
    CHECK_EQ(e.user, 1);
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK);
    CHECK_EQ(lab.out.action, SVMC_ACT_INJECT);
    CHECK_EQ(lab.out.fault.vector, 7, "program");
}

TEST(exit_ppc, a_load_is_swapped_and_extended_inside) /* EX-92 R9 */
{
    /* value: the byte at the address is its lowest; by hand from book I, 3.3.2 and 3.3.5 */
    static const struct {
        const char *name;
        uint32_t word;
        bool little;
        uint64_t value, want;
    } loads[] = {
        { "lbz, big", 0x88640008, false, 0x80, 0x80 },
        { "lhz, big", 0xa3e1fffe, false, 0x1180, 0x8011 },
        { "lha, big", 0xa8a90000, false, 0x1180, 0xffffffffffff8011 },
        { "lha, big, positive", 0xa8a90000, false, 0x8011, 0x1180 },
        { "lwz, big", 0x801e0010, false, 0x112233c4, 0xc4332211 },
        { "lwa, big", 0xe8c4000a, false, 0x112233c4, 0xffffffffc4332211 },
        { "ld, big", 0xe8e40018, false, 0x1122334455667788, 0x8877665544332211 },
        { "lhbrx, big", 0x7ec42e2c, false, 0x8011, 0x8011 },
        { "lwbrx, big", 0x7ee42c2c, false, 0xc4332211, 0xc4332211 },
        { "ldbrx, big", 0x7f042c28, false, 0x8877665544332211, 0x8877665544332211 },
        { "lha, little", 0xa8a90000, true, 0x8011, 0xffffffffffff8011 },
        { "lwa, little", 0xe8c4000a, true, 0xc4332211, 0xffffffffc4332211 },
        { "lwz, little", 0x801e0010, true, 0xc4332211, 0xc4332211 },
        { "lhbrx, little", 0x7ec42e2c, true, 0x1180, 0x8011 },
        { "lwbrx, little", 0x7ee42c2c, true, 0x112233c4, 0xc4332211 },
        { "ldbrx, little", 0x7f042c28, true, 0x1122334455667788, 0x8877665544332211 },
    };

    for (unsigned i = 0; i < sizeof loads / sizeof loads[0]; i++) {
        uint64_t before[WORLD_REGS];

        fault(NOHPTE, loads[i].little);
        REQUIRE(take(loads[i].word, 4) == SVMC_OK, "%s", loads[i].name);
        start();
        memcpy(before, lab.world.reg, sizeof before);
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK, "%s", loads[i].name);
        REQUIRE(lab.out.action == SVMC_ACT_DELEGATED, "%s", loads[i].name);
        REQUIRE(fakehost_prepare(lab.world.page, &answer), "%s", loads[i].name);
        CHECK_EQ(answer.request.size, e.size, "%s", loads[i].name);
        CHECK_EQ(answer.request.address, LAB_GPA, "%s", loads[i].name);
        if (e.size < 8) { /* the size is checked, whatever the instruction does with the rest */
            answer.reply.out[0] = loads[i].value | (uint64_t)1 << 8 * e.size;
            CHECK(fakehost_send(lab.world.page, &answer));
            CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_ERR_HOST_REPLY, "%s", loads[i].name);
            CHECK_EQ(lab.out.rule, 8, "%s", loads[i].name);
        }
        answer.reply.out[0] = loads[i].value;
        CHECK(fakehost_send(lab.world.page, &answer));
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK, "%s", loads[i].name);
        for (unsigned r = 0; r < WORLD_REGS; r++)
            CHECK_EQ(lab.world.reg[r],
                     r == e.dest_reg         ? loads[i].want
                     : r == SVMC_REG_PPC_NIA ? before[r] + 4
                                             : before[r],
                     "%s, register %u", loads[i].name, r);
    }
}

TEST(exit_ppc, a_store_shows_its_bytes_in_their_order) /* EX-92 PG-6 */
{
    static const struct {
        const char *name;
        uint32_t word;
        bool little;
        uint64_t shown; /* of 0102030405060708 */
    } stores[] = {
        { "stb, big", 0x99040001, false, 0x08 },
        { "sth, big", 0xb1240002, false, 0x0807 },
        { "stw, big", 0x91440004, false, 0x08070605 },
        { "std, big", 0xf9640008, false, 0x0807060504030201 },
        { "sthbrx, big", 0x7f242f2c, false, 0x0708 },
        { "stwbrx, big", 0x7f442d2c, false, 0x05060708 },
        { "stdbrx, big", 0x7f642d28, false, 0x0102030405060708 },
        { "stw, little", 0x91440004, true, 0x05060708 },
        { "std, little", 0xf9640008, true, 0x0102030405060708 },
        { "sthbrx, little", 0x7f242f2c, true, 0x0807 },
        { "stwbrx, little", 0x7f442d2c, true, 0x08070605 },
        { "stdbrx, little", 0x7f642d28, true, 0x0807060504030201 },
    };

    for (unsigned i = 0; i < sizeof stores / sizeof stores[0]; i++) {
        fault(NOHPTE | ISSTORE, stores[i].little);
        REQUIRE(take(stores[i].word, 4) == SVMC_OK, "%s", stores[i].name);
        start();
        lab.world.reg[e.value_reg] = 0x0102030405060708;
        CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_OK, "%s", stores[i].name);
        REQUIRE(fakehost_prepare(lab.world.page, &answer), "%s", stores[i].name);
        CHECK_EQ(answer.request.in[0], stores[i].shown, "%s", stores[i].name);
        CHECK_EQ(answer.request.size, e.size, "%s", stores[i].name);
        for (unsigned at = 0x20; at < 0x30; at++)
            CHECK_EQ(lab.world.page[at], 0, "no instruction is shown");
        CHECK(fakehost_send(lab.world.page, &answer));
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK, "%s", stores[i].name);
        CHECK_EQ(lab.world.reg[e.value_reg], 0x0102030405060708);
    }
}

TEST(exit_ppc, an_order_is_one_of_two) /* EX-1 EX-92 */
{
    fault(NOHPTE, false);
    CHECK_EQ(take(0x801e0010, 4), SVMC_OK);
    start();
    e.swap = 2;
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG);
    e.swap = 1;
    e.dest_reg = SVMC_REG_PPC_NIA;
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG, "no general register");
    e.dest_reg = NO_REGISTER;
    CHECK_EQ(svmc_vcpu_exit(&lab.vc, &e, &lab.out), SVMC_ERR_ARG);
}
