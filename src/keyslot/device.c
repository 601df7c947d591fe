/* SPDX-License-Identifier: MIT */
/** The device table: bind, unbind, find, and where virtual functions are. */
#include "device_private.h"

static bool is_possible(const struct svmc_devices_config *c)
{
    return c && c->segments - 1 < SVMC_DEVICE_SEGMENTS_MAX && c->buses <= c->segments * 256 &&
           c->buses < UINT16_MAX;
}

/* Entries come first: they are whole lines. */
static size_t entry_bytes(const struct svmc_devices_config *c)
{
    size_t entries = c->buses == 0 ? (size_t)c->segments * FUNCTIONS_OF_SEGMENT
                                   : (size_t)c->buses * FUNCTIONS_OF_BUS;

    return entries * sizeof(uint32_t);
}

size_t svmc_devices_bytes(const struct svmc_devices_config *config)
{
    if (!is_possible(config))
        return 0;
    return entry_bytes(config) +
           (config->buses == 0 ? 0 : (size_t)config->segments * 256 * sizeof(uint16_t));
}

/* DT-1, DT-2 */
enum svmc_status svmc_devices_init(struct svmc_devices *table,
                                   const struct svmc_devices_config *config, void *memory,
                                   size_t bytes)
{
    size_t need = svmc_devices_bytes(config);

    if (!table)
        return SVMC_ERR_ARG;
    memset(table, 0, sizeof *table);
    if (need == 0 || !memory || (uintptr_t)memory % SVMC_DEVICE_ALIGN != 0)
        return SVMC_ERR_ARG;
    if (bytes < need)
        return SVMC_ERR_FULL;
    memset(memory, 0, need);
    table->priv.entry = memory;
    table->priv.functions = config->segments * FUNCTIONS_OF_SEGMENT;
    table->priv.rows = config->buses;
    if (config->buses != 0)
        table->priv.bus = (uint16_t *)(void *)((uint8_t *)memory + entry_bytes(config));
    return SVMC_OK;
}

/* ---- one function ----------------------------------------------------------------------------*/

/* DT-3: whether it can be bound, and what it still needs: a row for its bus. */
static enum svmc_status judge(const struct svmc_devices *t, uint32_t bdf, uint32_t *rows)
{
    if (bdf >= t->priv.functions)
        return SVMC_ERR_ARG;
    *rows += device_entry(t, bdf) == NULL;
    return device_handle(t, bdf) == 0 ? SVMC_OK : SVMC_ERR_STATE;
}

/* What judge() let through. The row is empty before anybody can see it. */
static void store(struct svmc_devices *t, uint32_t bdf, svmc_key_handle handle)
{
    uint32_t *entry = device_entry(t, bdf);

    if (!entry) {
        uint16_t *bus = t->priv.bus + core_clamp(bdf, t->priv.functions) / FUNCTIONS_OF_BUS;

        __atomic_store_n(bus, (uint16_t)++t->priv.used, __ATOMIC_RELEASE);
        entry = device_entry(t, bdf);
    }
    __atomic_store_n(entry, handle.raw, __ATOMIC_SEQ_CST);
}

/* DT-3, DT-4 */
enum svmc_status svmc_device_bind(struct svmc_devices *table, uint32_t bdf, svmc_key_handle handle)
{
    enum svmc_status st;
    uint32_t rows = 0;

    if (!table || handle.raw == 0)
        return SVMC_ERR_ARG;
    st = judge(table, bdf, &rows);
    if (st != SVMC_OK)
        return st;
    if (rows > table->priv.rows - table->priv.used)
        return SVMC_ERR_FULL;
    store(table, bdf, handle);
    return SVMC_OK;
}

/* DT-5 */
enum svmc_status svmc_device_unbind(struct svmc_devices *table, uint32_t bdf)
{
    if (!table || bdf >= table->priv.functions)
        return SVMC_ERR_ARG;
    if (device_handle(table, bdf) == 0)
        return SVMC_ERR_STATE;
    __atomic_store_n(device_entry(table, bdf), 0, __ATOMIC_SEQ_CST);
    return SVMC_OK;
}

static uint32_t replace(struct svmc_devices *table, svmc_key_handle handle, uint32_t by)
{
    uint32_t entries, count = 0;

    if (!table || handle.raw == 0)
        return 0;
    entries = table->priv.bus ? table->priv.used * FUNCTIONS_OF_BUS : table->priv.functions;
    for (uint32_t i = 0; i < entries; i++) {
        uint32_t *entry = table->priv.entry + i;

        if (__atomic_load_n(entry, __ATOMIC_RELAXED) != handle.raw)
            continue;
        __atomic_store_n(entry, by, __ATOMIC_SEQ_CST);
        count++;
    }
    return count;
}

uint32_t svmc_device_unbind_slot(struct svmc_devices *table, svmc_key_handle handle)
{
    return replace(table, handle, 0);
}

/* DT-9 */
uint32_t svmc_device_rebind_slot(struct svmc_devices *table, svmc_key_handle from,
                                 svmc_key_handle to)
{
    return to.raw != 0 ? replace(table, from, to.raw) : 0;
}

/* DT-8 */
enum svmc_status svmc_device_find(const struct svmc_devices *table, uint32_t bdf,
                                  svmc_key_handle *handle)
{
    if (!handle)
        return SVMC_ERR_ARG;
    handle->raw = 0;
    if (!table || bdf >= table->priv.functions)
        return SVMC_ERR_ARG;
    handle->raw = device_handle(table, bdf);
    return handle->raw != 0 ? SVMC_OK : SVMC_ERR_REFUSED;
}

/* ---- virtual functions -----------------------------------------------------------------------*/

/* DT-6: what would carry into the next segment is refused. */
enum svmc_status svmc_device_vf(const struct svmc_sriov *sriov, uint32_t n, uint32_t *bdf)
{
    uint64_t rid;

    if (!bdf)
        return SVMC_ERR_ARG;
    *bdf = 0;
    if (!sriov || n - 1 >= sriov->count || sriov->first == 0 || (n > 1 && sriov->stride == 0))
        return SVMC_ERR_ARG;
    rid = (sriov->pf & (FUNCTIONS_OF_SEGMENT - 1)) + (uint64_t)sriov->first +
          (uint64_t)(n - 1) * sriov->stride;
    if (rid >= FUNCTIONS_OF_SEGMENT)
        return SVMC_ERR_ARG;
    *bdf = (sriov->pf & ~(FUNCTIONS_OF_SEGMENT - 1)) | (uint32_t)rid;
    return SVMC_OK;
}

/* DT-7: the rows that they need: they ascend, so a bus comes once. */
enum svmc_status svmc_device_bind_vfs(struct svmc_devices *table, const struct svmc_sriov *sriov,
                                      uint32_t n, uint32_t count, svmc_key_handle handle)
{
    uint32_t bdf, rows = 0, last = UINT32_MAX;

    if (!table || !sriov || handle.raw == 0 || count == 0 || count > sriov->count)
        return SVMC_ERR_ARG;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t more = 0;
        enum svmc_status st = svmc_device_vf(sriov, n + i, &bdf);

        if (st == SVMC_OK)
            st = judge(table, bdf, &more);
        if (st != SVMC_OK)
            return st;
        rows += bdf / FUNCTIONS_OF_BUS != last ? more : 0;
        last = bdf / FUNCTIONS_OF_BUS;
    }
    if (rows > table->priv.rows - table->priv.used)
        return SVMC_ERR_FULL;
    for (uint32_t i = 0; i < count; i++)
        if (svmc_device_vf(sriov, n + i, &bdf) == SVMC_OK)
            store(table, bdf, handle);
    return SVMC_OK;
}
