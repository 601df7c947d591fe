/* SPDX-License-Identifier: MIT */
/** A ledger's saved state. docs/spec/state.md, ST-17. */
#include <svmcore/audit.h>
#include <svmcore/state.h>

#include "../core/clamp.h"
#include "../core/memory.h"
#include "../core/state.h"
#include "intercept_private.h"

/* The order of both, writing and reading. */
/* clang-format off */
#define SUMS_FIELDS(FIELD)                                                                    \
    FIELD(exits) FIELD(delegated) FIELD(bytes_shown) FIELD(bytes_accepted) FIELD(refused)     \
    FIELD(retries) FIELD(answered) FIELD(ticks_total) FIELD(ticks_worst)
/* clang-format on */

static bool has_counted(const struct svmc_ledger_sums *sums)
{
    uint64_t any = 0;

#define FIELD(name) any |= sums->name;
    SUMS_FIELDS(FIELD)
#undef FIELD
    return any != 0;
}

/* The row with the lowest kind from `kind` on that has counted; SVMC_LEDGER_ROWS: there is none. */
static uint32_t next_row(const struct svmc_ledger *ledger, uint32_t kind)
{
    uint32_t best = SVMC_LEDGER_ROWS, lowest = UINT32_MAX;
    uint16_t its;

    for (uint32_t row = 0; svmc_intercept_row_kind(row, &its); row++)
        if (its >= kind && its < lowest &&
            has_counted(&ledger->priv.by_row[row])) { /* clamp: own */
            best = row;
            lowest = its;
        }
    return best;
}

/* By kind and upwards: rows stand where they like in another build. */
static void put_ledger(struct state_writer *w, const struct svmc_ledger *ledger, size_t bytes)
{
    uint32_t row = next_row(ledger, 0);
    uint16_t kind = 0;

    svmc_core_state_begin(w, SVMC_SAVED_LEDGER, STATE_FIRST, bytes);
    for (; row < SVMC_LEDGER_ROWS; row = next_row(ledger, kind + 1u)) {
        const struct svmc_ledger_sums *sums = &ledger->priv.by_row[row]; /* clamp: of next_row */

        (void)svmc_intercept_row_kind(row, &kind);
        state_put64(w, kind);
#define FIELD(name) state_put64(w, sums->name);
        SUMS_FIELDS(FIELD)
#undef FIELD
    }
}

CORE_COLD enum svmc_status svmc_ledger_save(const struct svmc_ledger *ledger, uint8_t *out,
                                            size_t cap, size_t *len)
{
    struct state_writer w = { NULL, 0 };

    if (!len)
        return SVMC_ERR_ARG;
    *len = 0;
    if (!ledger || ledger->priv.magic != LEDGER_MAGIC || (!out && cap != 0))
        return SVMC_ERR_ARG;
    put_ledger(&w, ledger, 0);
    *len = w.at;
    if (w.at > cap)
        return SVMC_ERR_FULL;
    w = (struct state_writer){ out, 0 };
    put_ledger(&w, ledger, *len);
    return SVMC_OK;
}

/* One row; *from: the lowest kind that may come. */
static enum svmc_status get_sums(struct state_reader *r, struct svmc_ledger *ledger, uint64_t *from)
{
    uint64_t kind = state_get64(r);
    const struct exit_rule *rule = svmc_intercept_rule((uint16_t)kind);
    struct svmc_ledger_sums *sums = &ledger->priv.by_row[core_clamp(rule->row, SVMC_LEDGER_ROWS)];

    if (kind < *from || kind > UINT16_MAX)
        return SVMC_ERR_FORMAT;
    if (rule->kind != kind)
        return SVMC_ERR_UNSUPPORTED;
    *from = kind + 1;
#define FIELD(name) sums->name = state_get64(r);
    SUMS_FIELDS(FIELD)
#undef FIELD
    return has_counted(sums) ? SVMC_OK : SVMC_ERR_FORMAT;
}

CORE_COLD enum svmc_status svmc_ledger_load(struct svmc_ledger *ledger, const uint8_t *bytes,
                                            size_t len)
{
    struct state_reader r;
    enum svmc_status st;
    uint64_t from = 0;

    if (!ledger || ledger->priv.magic != LEDGER_MAGIC || !bytes)
        return SVMC_ERR_ARG;
    if (next_row(ledger, 0) != SVMC_LEDGER_ROWS)
        return SVMC_ERR_STATE;
    st = svmc_core_state_open(&r, SVMC_SAVED_LEDGER, bytes, len);
    while (st == SVMC_OK && r.left != 0 && !r.bad)
        st = get_sums(&r, ledger, &from);
    if (st == SVMC_OK)
        st = svmc_core_state_close(&r);
    if (st != SVMC_OK)
        memset(ledger->priv.by_row, 0, sizeof ledger->priv.by_row);
    return st;
}
