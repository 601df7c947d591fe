/* SPDX-License-Identifier: MIT */
/* The ground floor: wire values, the clamp, names, the version. */
#include "core/bytes.h"
#include "core/clamp.h"
#include "harness.h"
#include <svmcore/status.h>
#include <svmcore/version.h>

TEST(bytes, load_is_little_endian_at_any_alignment)
{
    static const uint8_t wire[] = { 0xee, 0x01, 0x82, 0x03, 0x84, 0x05, 0x86, 0x07, 0x88, 0xee };

    CHECK_EQ(core_load_le16(wire + 1), 0x8201);
    CHECK_EQ(core_load_le32(wire + 1), 0x84038201u);
    CHECK_EQ(core_load_le64(wire + 1), 0x8807860584038201u);
}

TEST(bytes, store_writes_its_bytes_and_no_other)
{
    uint8_t wire[10];

    memset(wire, 0xee, sizeof wire);
    core_store_le16(wire + 1, 0x8201);
    CHECK_MEM(wire, ((uint8_t[]){ 0xee, 0x01, 0x82, 0xee }), 4);
    core_store_le32(wire + 1, 0x84038201u);
    CHECK_MEM(wire, ((uint8_t[]){ 0xee, 0x01, 0x82, 0x03, 0x84, 0xee }), 6);
    core_store_le64(wire + 1, 0x8807860584038201u);
    CHECK_MEM(wire, ((uint8_t[]){ 0xee, 1, 0x82, 3, 0x84, 5, 0x86, 7, 0x88, 0xee }), 10);
}

TEST(bytes, mask_covers_the_width)
{
    CHECK_EQ(core_mask(1), 0xff);
    CHECK_EQ(core_mask(2), 0xffff);
    CHECK_EQ(core_mask(4), 0xffffffffu);
    CHECK_EQ(core_mask(8), UINT64_MAX);
    CHECK_EQ(core_mask(9), UINT64_MAX);
}

TEST(clamp, keeps_what_is_inside_and_zeroes_the_rest)
{
    static const uint32_t bounds[] = { 1, 2, 3, 255, 256, 65536, 0x7fffffffu, 0x80000000u };

    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        uint32_t bound = bounds[i];

        CHECK_EQ(core_clamp(0, bound), 0);
        CHECK_EQ(core_clamp(bound - 1, bound), bound - 1);
        CHECK_EQ(core_clamp(bound, bound), 0);
        CHECK_EQ(core_clamp(bound + 1, bound), 0);
        CHECK_EQ(core_clamp(UINT32_MAX, bound), 0);
    }
}

TEST(status, every_value_has_its_own_name)
{
    static const struct {
        enum svmc_status status;
        char name[24];
    } rows[] = {
        { 0x00, "SVMC_OK" },
        { 0x10, "SVMC_ERR_ARG" },
        { 0x11, "SVMC_ERR_STATE" },
        { 0x20, "SVMC_ERR_TRUNCATED" },
        { 0x21, "SVMC_ERR_UNDEFINED" },
        { 0x22, "SVMC_ERR_TOO_LONG" },
        { 0x23, "SVMC_ERR_MISMATCH" },
        { 0x30, "SVMC_ERR_CALLBACK" },
        { 0x31, "SVMC_ERR_HOST_REPLY" },
        { 0x32, "SVMC_ERR_AUTH" },
        { 0x33, "SVMC_ERR_FORMAT" },
        { 0x34, "SVMC_ERR_KEY" },
        { 0x35, "SVMC_ERR_OWNER" },
        { 0x36, "SVMC_ERR_PURPOSE" },
        { 0x37, "SVMC_ERR_POLICY" },
        { 0x40, "SVMC_ERR_FULL" },
        { 0x41, "SVMC_ERR_UNSUPPORTED" },
        { 0x50, "SVMC_ERR_STALE" },
        { 0x51, "SVMC_ERR_BUSY" },
        { 0x52, "SVMC_ERR_ABSENT" },
        { 0x60, "SVMC_ERR_REFUSED" },
    };
    unsigned named = 0;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK(strcmp(svmc_status_name(rows[i].status), rows[i].name) == 0, "%s", rows[i].name);
    for (unsigned v = 0; v < 0x100; v++)
        named += strcmp(svmc_status_name((enum svmc_status)v), "SVMC_ERR_?") != 0;
    CHECK_EQ(named, sizeof rows / sizeof rows[0]);
}

TEST(version, header_library_and_build_file_agree)
{
    char text[32];

    CHECK_EQ(svmc_version(), SVMC_VERSION);
    snprintf(text, sizeof text, "%d.%d.%d", SVMC_VERSION / 10000, SVMC_VERSION / 100 % 100,
             SVMC_VERSION % 100);
    CHECK(strcmp(text, BUILD_VERSION) == 0, "%s is not %s", text, BUILD_VERSION);
}
