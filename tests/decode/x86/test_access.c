/* SPDX-License-Identifier: MIT */
/*
 * Accesses of memory that a mask or an index vector decides. DE-18; SDM vol. 1 15.6.4, vol. 2 2.8
 * and the page of each instruction.
 */
#include "../decode_rows.h"

#define R    SVMC_ACCESS_READ
#define W    SVMC_ACCESS_WRITE
#define R_IF (SVMC_ACCESS_READ | SVMC_ACCESS_READ_IF)
#define W_IF (SVMC_ACCESS_WRITE | SVMC_ACCESS_WRITE_IF)
#define NO   SVMC_ACCESS_NONE

struct access_row {
    char name[44];
    uint8_t count, bytes[8], access;
};

/* The first memory operand of the list, and the fields of the instruction. */
static void check_access(const struct access_row *row)
{
    struct svmc_operand ops[SVMC_OPERANDS_MAX];
    struct svmc_insn insn;
    uint32_t count = 0, at = 0;

    REQUIRE(decode64(INTEL, row->bytes, row->count, &insn) == SVMC_OK, "%s", row->name);
    CHECK_EQ(insn.access, row->access, "%s", row->name);
    REQUIRE(svmc_insn_operands(&insn, ops, &count) == SVMC_OK, "%s", row->name);
    while (at < count && ops[at].kind != SVMC_OPERAND_MEM)
        at++;
    REQUIRE(at < count, "%s", row->name);
    CHECK_EQ(ops[at].access, row->access, "%s, operand %u", row->name, at);
}

#define CHECK_ACCESSES(rows)                                          \
    do {                                                              \
        for (size_t i_ = 0; i_ < sizeof(rows) / sizeof *(rows); i_++) \
            check_access(&(rows)[i_]);                                \
    } while (0)

TEST(x86_access, a_mask_leaves_elements_out) /* DE-18: SDM vol. 1 15.6.4 */
{
    static const struct access_row rows[] = {
        { "vmovups zmm0, [rax]", 6, { 0x62, 0xf1, 0x7c, 0x48, 0x10, 0x00 }, R },
        { "vmovups zmm0{k1}, [rax]", 6, { 0x62, 0xf1, 0x7c, 0x49, 0x10, 0x00 }, R_IF },
        { "vmovups zmm0{k1}{z}, [rax]", 6, { 0x62, 0xf1, 0x7c, 0xc9, 0x10, 0x00 }, R_IF },
        { "vmovups [rax], zmm0", 6, { 0x62, 0xf1, 0x7c, 0x48, 0x11, 0x00 }, W },
        { "vmovups [rax]{k1}, zmm0", 6, { 0x62, 0xf1, 0x7c, 0x49, 0x11, 0x00 }, W_IF },
        { "vmovss xmm0{k7}, [rax]", 6, { 0x62, 0xf1, 0x7e, 0x0f, 0x10, 0x00 }, R_IF },
        { "vaddps zmm0, zmm1, [rax]{1to16}", 6, { 0x62, 0xf1, 0x74, 0x58, 0x58, 0x00 }, R },
        { "vaddps zmm0{k1}, zmm1, [rax]{1to16}", 6, { 0x62, 0xf1, 0x74, 0x59, 0x58, 0x00 }, R_IF },
        { "vcmpps k2{k1}, zmm1, [rax], 0", 7, { 0x62, 0xf1, 0x74, 0x49, 0xc2, 0x10, 0 }, R_IF },
        { "vblendmps zmm0{k1}, zmm1, [rax]", 6, { 0x62, 0xf2, 0x75, 0x49, 0x65, 0x00 }, R_IF },
        { "vpslld zmm0{k1}, [rax], 1", 7, { 0x62, 0xf1, 0x7d, 0x49, 0x72, 0x30, 1 }, R_IF },
        { "vgf2p8mulb zmm0{k1}, zmm1, [rax]", 6, { 0x62, 0xf2, 0x75, 0x49, 0xcf, 0x00 }, R_IF },
        { "vextractf32x4 [rax]{k1}, zmm0, 1", 7, { 0x62, 0xf3, 0x7d, 0x49, 0x19, 0, 1 }, W_IF },
        { "vaddps ymm0, ymm1, [rax]: VEX", 4, { 0xc5, 0xf4, 0x58, 0x00 }, R },
    };

    CHECK_ACCESSES(rows);
}

/* DE-18: SDM vol. 2 2.8, types E4NF, E5NF, E6NF; and four whose page says so. */
TEST(x86_access, a_load_whose_faults_no_mask_suppresses)
{
    static const struct access_row rows[] = {
        { "vpermd zmm0{k1}, zmm1, [rax]", 6, { 0x62, 0xf2, 0x75, 0x49, 0x36, 0x00 }, R },
        { "vshufps zmm0{k1}, zmm1, [rax], 0", 7, { 0x62, 0xf1, 0x74, 0x49, 0xc6, 0, 0 }, R },
        { "vpslld zmm0{k1}, zmm1, [rax]: the count", 6, { 0x62, 0xf1, 0x75, 0x49, 0xf2, 0 }, R },
        { "vmovddup zmm0{k1}, [rax]", 6, { 0x62, 0xf1, 0xff, 0x49, 0x12, 0x00 }, R },
        { "vinsertf32x4 zmm0{k1}, zmm1, [rax], 1", 7, { 0x62, 0xf3, 0x75, 0x49, 0x18, 0, 1 }, R },
        { "vcvtne2ps2bf16 zmm0{k1}, zmm1, [rax]", 6, { 0x62, 0xf2, 0x77, 0x49, 0x72, 0x00 }, R },
        { "vdbpsadbw zmm0{k1}, zmm1, [rax], 0", 7, { 0x62, 0xf3, 0x75, 0x49, 0x42, 0, 0 }, R },
        { "vgf2p8affineqb zmm0{k1}, zmm1, [rax], 0", 7, { 0x62, 0xf3, 0xf5, 0x49, 0xce, 0 }, R },
        { "vgf2p8affineinvqb, the same", 7, { 0x62, 0xf3, 0xf5, 0x49, 0xcf, 0, 0 }, R },
    };

    CHECK_ACCESSES(rows);
}

TEST(x86_access, masks_in_vectors) /* DE-18: SDM vol. 2 VMASKMOV, VPMASKMOV, MASKMOVQ, MASKMOVDQU */
{
    static const struct access_row rows[] = {
        { "vmaskmovps xmm0, xmm1, [rax]", 5, { 0xc4, 0xe2, 0x71, 0x2c, 0x00 }, R_IF },
        { "vmaskmovpd ymm0, ymm1, [rax]", 5, { 0xc4, 0xe2, 0x75, 0x2d, 0x00 }, R_IF },
        { "vmaskmovps [rax], xmm1, xmm0", 5, { 0xc4, 0xe2, 0x71, 0x2e, 0x00 }, W_IF },
        { "vmaskmovpd [rax], ymm1, ymm0", 5, { 0xc4, 0xe2, 0x75, 0x2f, 0x00 }, W_IF },
        { "vpmaskmovd xmm0, xmm1, [rax]", 5, { 0xc4, 0xe2, 0x71, 0x8c, 0x00 }, R_IF },
        { "vpmaskmovq ymm0, ymm1, [rax]", 5, { 0xc4, 0xe2, 0xf5, 0x8c, 0x00 }, R_IF },
        { "vpmaskmovd [rax], xmm1, xmm0", 5, { 0xc4, 0xe2, 0x71, 0x8e, 0x00 }, W_IF },
        { "vpmaskmovq [rax], ymm1, ymm0", 5, { 0xc4, 0xe2, 0xf5, 0x8e, 0x00 }, W_IF },
        { "maskmovq mm0, mm1", 3, { 0x0f, 0xf7, 0xc1 }, W_IF },
        { "maskmovdqu xmm0, xmm1", 4, { 0x66, 0x0f, 0xf7, 0xc1 }, W_IF },
        { "vmaskmovdqu xmm0, xmm1", 4, { 0xc5, 0xf9, 0xf7, 0xc1 }, W_IF },
    };

    CHECK_ACCESSES(rows);
}

TEST(x86_access, elements_by_mask_alone) /* DE-18: SDM vol. 2 VPCOMPRESSD, VPEXPANDD */
{
    static const struct access_row rows[] = {
        { "vpcompressd [rax], zmm0", 6, { 0x62, 0xf2, 0x7d, 0x48, 0x8b, 0x00 }, W },
        { "vpcompressd [rax]{k1}, zmm0", 6, { 0x62, 0xf2, 0x7d, 0x49, 0x8b, 0x00 }, W_IF },
        { "vcompresspd [rax]{k1}, zmm0", 6, { 0x62, 0xf2, 0xfd, 0x49, 0x8a, 0x00 }, W_IF },
        { "vpcompressb [rax]{k1}, zmm0", 6, { 0x62, 0xf2, 0x7d, 0x49, 0x63, 0x00 }, W_IF },
        { "vpexpandd zmm0, [rax]", 6, { 0x62, 0xf2, 0x7d, 0x48, 0x89, 0x00 }, R },
        { "vpexpandd zmm0{k1}, [rax]", 6, { 0x62, 0xf2, 0x7d, 0x49, 0x89, 0x00 }, R_IF },
        { "vexpandps zmm0{k1}{z}, [rax]", 6, { 0x62, 0xf2, 0x7d, 0xc9, 0x88, 0x00 }, R_IF },
        { "vpexpandw zmm0{k1}, [rax]", 6, { 0x62, 0xf2, 0xfd, 0x49, 0x62, 0x00 }, R_IF },
    };

    CHECK_ACCESSES(rows);
}

TEST(x86_access, gathers_scatters_and_hints) /* DE-18: SDM vol. 2 VPGATHERDD, VGATHERDPS, ... */
{
    static const struct access_row rows[] = {
        { "vpgatherdd xmm2, [rax+xmm1*4], xmm3", 6, { 0xc4, 0xe2, 0x61, 0x90, 0x14, 0x88 }, R_IF },
        { "vgatherqpd ymm2, [rax+ymm1*4], ymm3", 6, { 0xc4, 0xe2, 0xe5, 0x93, 0x14, 0x88 }, R_IF },
        { "vgatherdps zmm2{k1}, [rax+zmm1*4]",
          7,
          { 0x62, 0xf2, 0x7d, 0x49, 0x92, 0x14, 0x88 },
          R_IF },
        { "vpscatterdd [rax+zmm1*4]{k1}, zmm2",
          7,
          { 0x62, 0xf2, 0x7d, 0x49, 0xa0, 0x14, 0x88 },
          W_IF },
        { "vgatherpf0dps [rax+zmm1*4]{k1}", 7, { 0x62, 0xf2, 0x7d, 0x49, 0xc6, 0x0c, 0x88 }, NO },
        { "vscatterpf1qpd [rax+zmm1*4]{k1}", 7, { 0x62, 0xf2, 0xfd, 0x49, 0xc7, 0x34, 0x88 }, NO },
        { "prefetcht0 [rax]", 3, { 0x0f, 0x18, 0x08 }, NO },
        { "prefetchw [rax]", 3, { 0x0f, 0x0d, 0x08 }, NO },
        { "nop [rax]", 3, { 0x0f, 0x1f, 0x00 }, NO },
    };

    CHECK_ACCESSES(rows);
}

/* AD-6: as many lanes as the wider of index and element leaves room for. SDM vol. 2, the pages'
 * operations: KL. */
TEST(x86_access, lanes)
{
    static const struct {
        char name[24];
        uint8_t count, bytes[7], lanes, lane_bytes;
    } rows[] = {
        { "vpgatherdd xmm", 6, { 0xc4, 0xe2, 0x61, 0x90, 0x14, 0x88 }, 4, 4 },
        { "vpgatherdd ymm", 6, { 0xc4, 0xe2, 0x65, 0x90, 0x14, 0x88 }, 8, 4 },
        { "vpgatherdq xmm", 6, { 0xc4, 0xe2, 0xe1, 0x90, 0x14, 0x88 }, 2, 4 },
        { "vpgatherdq ymm", 6, { 0xc4, 0xe2, 0xe5, 0x90, 0x14, 0x88 }, 4, 4 },
        { "vpgatherqd, xmm index", 6, { 0xc4, 0xe2, 0x61, 0x91, 0x14, 0x88 }, 2, 8 },
        { "vpgatherqd, ymm index", 6, { 0xc4, 0xe2, 0x65, 0x91, 0x14, 0x88 }, 4, 8 },
        { "vpgatherqq xmm", 6, { 0xc4, 0xe2, 0xe1, 0x91, 0x14, 0x88 }, 2, 8 },
        { "vpgatherqq ymm", 6, { 0xc4, 0xe2, 0xe5, 0x91, 0x14, 0x88 }, 4, 8 },
        { "vpgatherdd zmm", 7, { 0x62, 0xf2, 0x7d, 0x49, 0x90, 0x14, 0x88 }, 16, 4 },
        { "vpgatherdq zmm", 7, { 0x62, 0xf2, 0xfd, 0x49, 0x90, 0x14, 0x88 }, 8, 4 },
        { "vpgatherdq xmm, EVEX", 7, { 0x62, 0xf2, 0xfd, 0x09, 0x90, 0x14, 0x88 }, 2, 4 },
        { "vpgatherqd, zmm index", 7, { 0x62, 0xf2, 0x7d, 0x49, 0x91, 0x14, 0x88 }, 8, 8 },
        { "vpgatherqd, ymm, EVEX", 7, { 0x62, 0xf2, 0x7d, 0x29, 0x91, 0x14, 0x88 }, 4, 8 },
        { "vpgatherqq zmm", 7, { 0x62, 0xf2, 0xfd, 0x49, 0x91, 0x14, 0x88 }, 8, 8 },
        { "vscatterqps zmm index", 7, { 0x62, 0xf2, 0x7d, 0x49, 0xa3, 0x14, 0x88 }, 8, 8 },
        { "vscatterdpd zmm", 7, { 0x62, 0xf2, 0xfd, 0x49, 0xa2, 0x14, 0x88 }, 8, 4 },
        { "vgatherpf0dps", 7, { 0x62, 0xf2, 0x7d, 0x49, 0xc6, 0x0c, 0x88 }, 16, 4 },
        { "vgatherpf0dpd", 7, { 0x62, 0xf2, 0xfd, 0x49, 0xc6, 0x0c, 0x88 }, 8, 4 },
        { "vgatherpf0qps", 7, { 0x62, 0xf2, 0x7d, 0x49, 0xc7, 0x0c, 0x88 }, 8, 8 },
        { "vaddps zmm, no index", 6, { 0x62, 0xf1, 0x74, 0x49, 0x58, 0x00 }, 0, 0 },
        { "tileloadd", 6, { 0xc4, 0xe2, 0x7b, 0x4b, 0x04, 0x08 }, 0, 0 },
        { "mov eax, [rax+rcx]", 3, { 0x8b, 0x04, 0x08 }, 0, 0 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct svmc_operand op = UNUSED;
        struct svmc_insn insn;

        REQUIRE(decode64(INTEL, rows[i].bytes, rows[i].count, &insn) == SVMC_OK, "%s",
                rows[i].name);
        for (unsigned n = 0; op.kind != SVMC_OPERAND_MEM && n < SVMC_OPERANDS_MAX; n++)
            op = operand_at(&insn, n);
        CHECK_EQ(op.lanes, rows[i].lanes, "%s", rows[i].name);
        CHECK_EQ(op.lane_bytes, rows[i].lane_bytes, "%s", rows[i].name);
        CHECK(op.index_bytes >= op.lanes * op.lane_bytes, "%s: all of them are in the vector",
              rows[i].name);
    }
}
