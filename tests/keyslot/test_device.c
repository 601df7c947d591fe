/* SPDX-License-Identifier: MIT */
/* The device table: direct and with two levels, virtual functions, ARI. */
#include "keyslot_lab.h"

enum { BUSES = 3 };

static struct svmc_devices table;
static _Alignas(64) uint8_t direct[2 * 262144], two_level[BUSES * 1024 + 2 * 512];
static const svmc_key_handle a = { 0x10001 }, b = { 0x10002 };

static void start(bool is_direct)
{
    const struct svmc_devices_config config = { .segments = 2, .buses = is_direct ? 0 : BUSES };

    CHECK_EQ(svmc_devices_init(&table, &config, is_direct ? direct : two_level,
                               is_direct ? sizeof direct : sizeof two_level),
             SVMC_OK);
}

static uint32_t find(uint32_t bdf)
{
    svmc_key_handle handle = { 0xdead };
    enum svmc_status st = svmc_device_find(&table, bdf, &handle);

    CHECK_EQ(st, handle.raw ? SVMC_OK : bdf < 2 << 16 ? SVMC_ERR_REFUSED : SVMC_ERR_ARG, "%x", bdf);
    return handle.raw;
}

TEST(device, a_table_is_laid_out) /* DT-1 DT-2 */
{
    static const struct {
        uint32_t segments, buses;
        size_t bytes;
    } rows[] = {
        { 1, 0, 262144 },
        { 2, 0, 524288 },
        { 256, 0, (size_t)256 * 262144 },
        { 0, 0, 0 },
        { 257, 0, 0 },
        { 1, 1, 1024 + 512 },
        { 1, 8, 8704 },
        { 2, 3, sizeof two_level },
        { 1, 256, 256 * 1024 + 512 },
        { 1, 257, 0 },
        { 256, 65534, (size_t)65534 * 1024 + 131072 },
        { 256, 65535, 0 },
    };
    struct svmc_devices_config c = { .segments = 2, .buses = BUSES };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct svmc_devices_config row = { rows[i].segments, rows[i].buses };

        CHECK_EQ(svmc_devices_bytes(&row), rows[i].bytes, "row %zu", i);
    }
    CHECK_EQ(svmc_devices_bytes(NULL), 0);
    CHECK_EQ(svmc_devices_init(&table, &c, two_level, sizeof two_level - 1), SVMC_ERR_FULL);
    CHECK_EQ(svmc_devices_init(&table, &c, two_level + 4, sizeof two_level), SVMC_ERR_ARG);
    CHECK_EQ(svmc_devices_init(&table, &c, NULL, sizeof two_level), SVMC_ERR_ARG);
    CHECK_EQ(svmc_devices_init(&table, NULL, two_level, sizeof two_level), SVMC_ERR_ARG);
    CHECK_EQ(svmc_devices_init(NULL, &c, two_level, sizeof two_level), SVMC_ERR_ARG);
    memset(two_level, 0xee, sizeof two_level);
    CHECK_EQ(svmc_devices_init(&table, &c, two_level, sizeof two_level), SVMC_OK);
    CHECK_EQ(find(0), 0);
}

TEST(device, a_function_has_the_slot_it_is_bound_to) /* DT-3 DT-4 DT-5 DT-8 */
{
    static const uint32_t at[] = { SVMC_BDF(0, 0, 0, 0),    SVMC_BDF(0, 0, 31, 7),
                                   SVMC_BDF(0, 255, 0, 1),  SVMC_BDF_ARI(0, 255, 255),
                                   SVMC_BDF(1, 255, 30, 7), SVMC_BDF_ARI(1, 255, 9) };
    svmc_key_handle handle;

    CHECK_EQ(SVMC_BDF(1, 255, 31, 7), 0x1ffff);
    CHECK_EQ(SVMC_BDF(0, 2, 3, 4), 0x21c); /* 02:03.4 */
    CHECK_EQ(SVMC_BDF_ARI(0, 2, 200), 0x2c8);
    for (int is_direct = 0; is_direct < 2; is_direct++) {
        start(is_direct);
        for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
            CHECK_EQ(find(at[i]), 0);
            CHECK_EQ(svmc_device_bind(&table, at[i], a), SVMC_OK, "%x", at[i]);
            CHECK_EQ(find(at[i]), a.raw);
            CHECK_EQ(svmc_device_bind(&table, at[i], b), SVMC_ERR_STATE);
            CHECK_EQ(find(at[i]), a.raw);
            CHECK_EQ(find(at[i] ^ 2), 0);
            CHECK_EQ(find(at[i] ^ 0x10000), 0);
        }
        CHECK_EQ(svmc_device_unbind(&table, at[1]), SVMC_OK);
        CHECK_EQ(svmc_device_unbind(&table, at[1]), SVMC_ERR_STATE);
        CHECK_EQ(svmc_device_bind(&table, at[1], b), SVMC_OK);
        CHECK_EQ(svmc_device_unbind_slot(&table, a), 5);
        CHECK_EQ(svmc_device_unbind_slot(&table, a), 0);
        CHECK_EQ(find(at[0]), 0);
        CHECK_EQ(find(at[1]), b.raw);
        for (uint32_t beyond = 0x20000; beyond != 0; beyond <<= 1) {
            CHECK_EQ(find(beyond), 0);
            CHECK_EQ(svmc_device_bind(&table, beyond, a), SVMC_ERR_ARG);
            CHECK_EQ(svmc_device_unbind(&table, beyond), SVMC_ERR_ARG);
        }
        CHECK_EQ(svmc_device_bind(&table, 1, (svmc_key_handle){ 0 }), SVMC_ERR_ARG);
        CHECK_EQ(svmc_device_bind(NULL, 1, a), SVMC_ERR_ARG);
        CHECK_EQ(svmc_device_unbind(NULL, 1), SVMC_ERR_ARG);
        CHECK_EQ(svmc_device_unbind_slot(NULL, a), 0);
        CHECK_EQ(svmc_device_unbind_slot(&table, (svmc_key_handle){ 0 }), 0);
        CHECK_EQ(svmc_device_find(NULL, 1, &handle), SVMC_ERR_ARG);
        CHECK_EQ(svmc_device_find(&table, at[1], NULL), SVMC_ERR_ARG);
    }
}

TEST(device, a_small_table_has_room_for_its_buses) /* DT-2 DT-4 */
{
    start(false);
    for (uint32_t bus = 0; bus < BUSES; bus++)
        CHECK_EQ(svmc_device_bind(&table, SVMC_BDF(bus & 1, 7 * bus, 1, 0), a), SVMC_OK);
    CHECK_EQ(svmc_device_bind(&table, SVMC_BDF(1, 200, 0, 0), a), SVMC_ERR_FULL);
    CHECK_EQ(find(SVMC_BDF(1, 200, 0, 0)), 0);
    CHECK_EQ(svmc_device_bind(&table, SVMC_BDF(1, 7, 30, 0), b), SVMC_OK);
    CHECK_EQ(svmc_device_unbind(&table, SVMC_BDF(1, 200, 0, 0)), SVMC_ERR_STATE);
    CHECK_EQ(svmc_device_unbind_slot(&table, a), BUSES);
    CHECK_EQ(svmc_device_bind(&table, SVMC_BDF(1, 7, 1, 0), b), SVMC_OK); /* its row is there */
    CHECK_EQ(find(SVMC_BDF(1, 7, 30, 0)), b.raw);
}

/* Linux, drivers/pci/iov.c, pci_iov_virtfn_bus and _devfn, with vf_id counted from 0. */
static uint32_t linux_vf(const struct svmc_sriov *s, uint32_t vf_id)
{
    uint32_t devfn = s->pf & 255, bus = s->pf >> 8 & 255,
             sum = devfn + s->first + s->stride * vf_id;

    return (s->pf & ~0xffffu) | (bus + (sum >> 8)) << 8 | (sum & 0xff);
}

TEST(device, virtual_functions_are_where_the_capability_says) /* DT-6 */
{
    static const struct svmc_sriov rows[] = {
        { SVMC_BDF(0, 3, 0, 0), 128, 2, 63, 0 }, /* Intel 82599's numbers */
        { SVMC_BDF(1, 3, 0, 1), 128, 2, 63, 0 },    { SVMC_BDF(0, 5, 0, 0), 8, 1, 248, 0 },
        { SVMC_BDF(1, 250, 0, 0), 256, 256, 5, 0 }, { SVMC_BDF(0, 0, 0, 0), 1, 0, 1, 0 },
    };
    static const struct svmc_sriov bad[] = {
        { SVMC_BDF(1, 250, 0, 0), 256, 256, 6, 0 }, /* the last one is in the next segment */
        { SVMC_BDF(0, 255, 31, 7), 1, 1, 1, 0 },
        { SVMC_BDF(0, 1, 0, 0), 65535, 65535, 65535, 0 },
        { SVMC_BDF(0, 1, 0, 0), 0, 1, 1, 0 },
        { SVMC_BDF(0, 1, 0, 0), 4, 0, 2, 0 },
    };
    uint32_t bdf;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (uint32_t n = 1; n <= rows[i].count; n++) {
            CHECK_EQ(svmc_device_vf(&rows[i], n, &bdf), SVMC_OK);
            CHECK_EQ(bdf, linux_vf(&rows[i], n - 1), "row %zu, %u", i, n);
        }
        CHECK_EQ(svmc_device_vf(&rows[i], 0, &bdf), SVMC_ERR_ARG);
        CHECK_EQ(svmc_device_vf(&rows[i], rows[i].count + 1u, &bdf), SVMC_ERR_ARG);
        CHECK_EQ(svmc_device_vf(&rows[i], UINT32_MAX, &bdf), SVMC_ERR_ARG);
        CHECK_EQ(bdf, 0);
        CHECK_EQ(svmc_device_vf(&rows[i], 1, NULL), SVMC_ERR_ARG);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_EQ(svmc_device_vf(&bad[i], bad[i].count, &bdf), SVMC_ERR_ARG, "row %zu", i);
    CHECK_EQ(svmc_device_vf(NULL, 1, &bdf), SVMC_ERR_ARG);
}

TEST(device, virtual_functions_are_bound_together) /* DT-7 */
{
    const struct svmc_sriov s = { SVMC_BDF(0, 3, 0, 0), 128, 2, 100, 0 };

    for (int is_direct = 0; is_direct < 2; is_direct++) {
        start(is_direct);
        CHECK_EQ(svmc_device_bind_vfs(&table, &s, 1, 100, a), SVMC_OK); /* on two buses */
        for (uint32_t n = 1; n <= 100; n++)
            CHECK_EQ(find(linux_vf(&s, n - 1)), a.raw);
        CHECK_EQ(find(linux_vf(&s, 100)), 0);
        CHECK_EQ(find(linux_vf(&s, 0) + 1), 0);
        CHECK_EQ(svmc_device_unbind_slot(&table, a), 100);
        CHECK_EQ(svmc_device_bind(&table, linux_vf(&s, 49), b), SVMC_OK);
        CHECK_EQ(svmc_device_bind_vfs(&table, &s, 41, 10, a), SVMC_ERR_STATE);
        CHECK_EQ(svmc_device_unbind_slot(&table, a), 0); /* none of them is */
        CHECK_EQ(svmc_device_bind_vfs(&table, &s, 41, 9, a), SVMC_OK);
        CHECK_EQ(svmc_device_bind_vfs(&table, &s, 51, 51, a), SVMC_ERR_ARG);
        CHECK_EQ(svmc_device_bind_vfs(&table, &s, 0, 1, a), SVMC_ERR_ARG);
        CHECK_EQ(svmc_device_bind_vfs(&table, &s, 1, 0, a), SVMC_ERR_ARG);
        CHECK_EQ(svmc_device_bind_vfs(&table, &s, 1, 101, a), SVMC_ERR_ARG);
        CHECK_EQ(svmc_device_bind_vfs(&table, &s, UINT32_MAX, 3, a), SVMC_ERR_ARG);
        CHECK_EQ(svmc_device_bind_vfs(&table, NULL, 1, 1, a), SVMC_ERR_ARG);
        CHECK_EQ(svmc_device_bind_vfs(NULL, &s, 1, 1, a), SVMC_ERR_ARG);
        CHECK_EQ(svmc_device_bind_vfs(&table, &s, 1, 1, (svmc_key_handle){ 0 }), SVMC_ERR_ARG);
        CHECK_EQ(svmc_device_unbind_slot(&table, a), 9);
    }
    {
        const struct svmc_sriov wide = { SVMC_BDF(0, 10, 0, 0), 8, 256, 4, 0 };

        start(false);
        CHECK_EQ(svmc_device_bind_vfs(&table, &wide, 1, 4, a), SVMC_ERR_FULL); /* four buses */
        CHECK_EQ(svmc_device_unbind_slot(&table, a), 0);
        CHECK_EQ(svmc_device_bind_vfs(&table, &wide, 1, 3, a), SVMC_OK);
    }
}

TEST(device, the_capability_that_was_judged_is_bound) /* DT-7 */
{
    /* the segment of its PF lies where the row of the functions' bus will be noted */
    const uint32_t high = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, bus = 40 + high;
    const struct svmc_sriov s = { SVMC_BDF(0, 3, 0, 0), (uint16_t)((bus - 3) * 256), 1, 2, 0 };
    void *at = two_level + BUSES * 1024 + 2 * 40;

    start(false);
    memcpy(at, &s, sizeof s);
    CHECK_EQ(svmc_device_bind_vfs(&table, at, 1, 2, a), SVMC_OK);
    CHECK(memcmp(at, &s, sizeof s) != 0, "it has changed");
    CHECK_EQ(find(SVMC_BDF(0, bus, 0, 0)), a.raw);
    CHECK_EQ(find(SVMC_BDF(0, bus, 0, 1)), a.raw);
}
