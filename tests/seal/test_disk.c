/* SPDX-License-Identifier: MIT */
#include "disk_lab.h"

static struct disk_lab lab;

TEST(disk, what_was_written_is_read_after_a_start) /* DK-9 DK-11 */
{
    disk_lab_init(&lab, 1, 150);
    REQUIRE(disk_lab_format(&lab) == SVMC_OK);
    for (uint64_t s = 0; s < 150; s++)
        CHECK(disk_lab_is(&lab, s, 0), "%" PRIu64, s);
    for (uint64_t n = 0; n < 60; n++)
        CHECK_EQ(disk_lab_write(&lab, n * 7 % 150, n + 1), SVMC_OK, "%" PRIu64, n);
    for (uint64_t n = 0; n < 60; n++)
        CHECK(disk_lab_is(&lab, n * 7 % 150, n + 1), "%" PRIu64, n);
    CHECK_EQ(svmc_disk_flush(&lab.disk, &lab.result), SVMC_OK);
    disk_lab_cut(&lab, DISK_LAB_LOSES, NULL);
    disk_lab_boot(&lab);
    REQUIRE(CHECK_EQ(disk_lab_open(&lab), SVMC_OK));
    for (uint64_t n = 0; n < 60; n++)
        CHECK(disk_lab_is(&lab, n * 7 % 150, n + 1), "%" PRIu64, n);
    CHECK_EQ(svmc_disk_check(&lab.disk, 0, 150, &lab.result), SVMC_OK);
    CHECK_EQ(lab.result.done, 150);
    CHECK_EQ(svmc_disk_drop(&lab.disk), SVMC_OK);
}
