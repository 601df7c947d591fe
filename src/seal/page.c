/* SPDX-License-Identifier: MIT */
/** Pages that leave and come back: versions, claims, subkeys in turn. */
#include <svmcore/seal_page.h>

#include "seal_private.h"

#define PAGE_BLOCKS (SVMC_SEAL_PAGE_BYTES / 16 + 1)

_Static_assert(SVMC_PAGES_MAX - 1 <= SVMC_SEAL_NUMBER_MAX, "a page is a unit");

/* The page's entry; NULL: no such page. */
static uint64_t *entry_of(const struct svmc_pages *pages, uint64_t page)
{
    if (!pages || page >= pages->priv.pages)
        return NULL;
    return pages->priv.entry + core_clamp((uint32_t)page, (uint32_t)pages->priv.pages);
}

static size_t words_of(uint64_t pages)
{
    return (size_t)((pages + 63) / 64);
}

/* ---- setting up ------------------------------------------------------------------------------*/

static bool is_possible(const struct svmc_pages_config *c)
{
    return c && c->pages - 1 < SVMC_PAGES_MAX && c->lanes - 1 < SVMC_KEYSLOT_LANES_MAX &&
           c->subkeys >= 2 && c->subkeys <= SVMC_SEAL_TURN_MAX && c->pages <= SIZE_MAX / 16;
}

size_t svmc_pages_bytes(const struct svmc_pages_config *config)
{
    if (!is_possible(config))
        return 0;
    return (size_t)config->lanes * SVMC_SEAL_PAGE_BYTES + config->subkeys * sizeof(struct subkey) +
           lines((size_t)config->pages * sizeof(uint64_t)) +
           lines(words_of(config->pages) * sizeof(uint64_t));
}

enum svmc_status svmc_pages_init(struct svmc_pages *pages, const struct svmc_pages_config *config,
                                 void *memory, size_t bytes)
{
    size_t need = svmc_pages_bytes(config), words;
    enum svmc_seal_reason why;
    enum svmc_status st;
    uint8_t *at = memory;

    if (!pages)
        return SVMC_ERR_ARG;
    memset(pages, 0, sizeof *pages);
    if (need == 0 || !memory || (uintptr_t)memory % SVMC_PAGES_ALIGN != 0 ||
        !has_lanes(config->sealer, config->lanes))
        return SVMC_ERR_ARG;
    if (bytes < need)
        return SVMC_ERR_FULL;
    memset(memory, 0, need);
    pages->priv.turn.sealer = config->sealer;
    pages->priv.turn.subkeys = config->subkeys;
    pages->priv.turn.purpose = SVMC_KEY_PAGE;
    pages->priv.turn.unit_blocks = PAGE_BLOCKS;
    pages->priv.pages = config->pages;
    pages->priv.lanes = config->lanes;
    pages->priv.scratch = at;
    at += (size_t)config->lanes * SVMC_SEAL_PAGE_BYTES;
    pages->priv.turn.subkey = at;
    at += config->subkeys * sizeof(struct subkey);
    pages->priv.entry = (uint64_t *)(void *)at;
    at += lines((size_t)config->pages * sizeof(uint64_t));
    pages->priv.dirty = (uint64_t *)(void *)at;
    words = words_of(config->pages);
    memset(pages->priv.dirty, 0xff, words * sizeof(uint64_t));
    *(pages->priv.dirty + words - 1) >>= (words * 64 - config->pages) & 63;
    why = svmc_seal_turn_begin(&pages->priv.turn);
    if (why == SVMC_SEAL_NONE)
        return SVMC_OK;
    st = svmc_pages_drop(pages); /* nobody is at it */
    return st == SVMC_OK ? svmc_seal_status(why) : st;
}

enum svmc_status svmc_pages_drop(struct svmc_pages *pages)
{
    if (!pages)
        return SVMC_ERR_ARG;
    if (svmc_seal_turn_end(&pages->priv.turn) != SVMC_OK)
        return SVMC_ERR_BUSY;
    memset(pages, 0, sizeof *pages);
    return SVMC_OK;
}

/* ---- which are dirty -------------------------------------------------------------------------*/

/* SE-14: the bits of `word` that are pages. */
static void mark_word(struct svmc_pages *pages, uint64_t word, uint64_t bits)
{
    uint64_t *dirty =
        pages->priv.dirty + core_clamp((uint32_t)word, (uint32_t)words_of(pages->priv.pages));
    uint64_t left = pages->priv.pages - word * 64;

    if (left < 64)
        bits &= ((uint64_t)1 << left) - 1;
    if (bits != 0)
        __atomic_fetch_or(dirty, bits, __ATOMIC_RELEASE);
}

void svmc_pages_mark(struct svmc_pages *pages, uint64_t first, uint64_t count)
{
    uint64_t end;

    if (!pages || first >= pages->priv.pages || count == 0)
        return;
    end = count < pages->priv.pages - first ? first + count : pages->priv.pages;
    for (uint64_t word = first / 64; word <= (end - 1) / 64; word++) {
        uint64_t bits = UINT64_MAX;

        if (word == first / 64)
            bits &= UINT64_MAX << first % 64;
        if (word == (end - 1) / 64)
            bits &= UINT64_MAX >> (63 - (end - 1) % 64);
        mark_word(pages, word, bits);
    }
}

void svmc_pages_log(struct svmc_pages *pages, uint64_t first, const uint64_t *log, size_t words)
{
    if (!pages || !log || first % 64 != 0)
        return;
    for (size_t i = 0; i < words && first < pages->priv.pages; i++, first += 64)
        mark_word(pages, first / 64, log[i]);
}

static uint64_t word_at(const uint64_t *dirty, size_t at)
{
    return __atomic_load_n(dirty + at, __ATOMIC_RELAXED);
}

/* SE-15: the first word from `at` on that has a bit, eight at a time while none has. */
static size_t next_word(const uint64_t *dirty, size_t at, size_t words)
{
    uint64_t any = 0;

    for (; at < words && at % 8 != 0; at++)
        if (word_at(dirty, at) != 0)
            return at;
    for (; at + 8 <= words; at += 8) {
        for (uint32_t i = 0; i < 8; i++)
            any |= word_at(dirty, at + i);
        if (any != 0)
            break;
    }
    while (at < words && word_at(dirty, at) == 0)
        at++;
    return at;
}

/* SE-15: where the lowest bit of a word is, which is not 0: the six bits that a de Bruijn sequence
   has behind it are of that place alone. A builtin may be a call of libgcc. */
static uint32_t lowest_bit(uint64_t word)
{
    static const uint8_t place[64] = { 0,  1,  2,  7,  3,  13, 8,  19, 4,  25, 14, 28, 9,
                                       34, 20, 40, 5,  17, 26, 38, 15, 46, 29, 48, 10, 31,
                                       35, 54, 21, 50, 41, 57, 63, 6,  12, 18, 24, 27, 33,
                                       39, 16, 37, 45, 47, 30, 53, 49, 56, 62, 11, 23, 32,
                                       36, 44, 52, 55, 61, 22, 43, 51, 60, 42, 59, 58 };

    word = (word & (0 - word)) * UINT64_C(0x0218a392cd3d5dbf);
    return place[word >> 58]; /* clamp: six bits are left */
}

uint64_t svmc_pages_next_dirty(const struct svmc_pages *pages, uint64_t from)
{
    size_t words, at;
    uint64_t word;

    if (!pages || from >= pages->priv.pages)
        return pages ? pages->priv.pages : 0;
    words = words_of(pages->priv.pages);
    at = core_clamp((uint32_t)(from / 64), (uint32_t)words);
    word = word_at(pages->priv.dirty, at) & UINT64_MAX << from % 64;
    while (word == 0) {
        at = next_word(pages->priv.dirty, at + 1, words);
        if (at >= words)
            return pages->priv.pages;
        word = word_at(pages->priv.dirty, at);
    }
    return (uint64_t)at * 64 + lowest_bit(word);
}

static bool is_dirty(const struct svmc_pages *pages, uint64_t page)
{
    const uint64_t *word = pages->priv.dirty +
                           core_clamp((uint32_t)(page / 64), (uint32_t)words_of(pages->priv.pages));

    return (__atomic_load_n(word, __ATOMIC_ACQUIRE) >> page % 64 & 1) != 0;
}

/* @return whether it was. */
static bool clear_dirty(struct svmc_pages *pages, uint64_t page)
{
    uint64_t bit = (uint64_t)1 << page % 64;
    uint64_t *word = pages->priv.dirty +
                     core_clamp((uint32_t)(page / 64), (uint32_t)words_of(pages->priv.pages));

    return (__atomic_fetch_and(word, ~bit, __ATOMIC_ACQ_REL) & bit) != 0;
}

uint32_t svmc_pages_state(const struct svmc_pages *pages, uint64_t page)
{
    const uint64_t *e = entry_of(pages, page);
    uint64_t entry = e ? __atomic_load_n(e, __ATOMIC_ACQUIRE) : 0;

    if ((entry & ENTRY_OUT) != 0)
        return SVMC_PAGE_OUT;
    return version_of(entry) == 0 || is_dirty(pages, page) ? SVMC_PAGE_DIRTY : SVMC_PAGE_CLEAN;
}

/* ---- subkeys in turn -------------------------------------------------------------------------*/

enum svmc_seal_reason svmc_pages_tend(struct svmc_pages *pages)
{
    return pages && pages->priv.pages != 0 ? svmc_seal_turn_tend(&pages->priv.turn)
                                           : SVMC_SEAL_RANGE;
}

uint64_t svmc_pages_left(const struct svmc_pages *pages)
{
    return pages && pages->priv.pages != 0 ? svmc_seal_turn_left(&pages->priv.turn) : 0;
}

/* SE-22 */
uint64_t svmc_pages_next_old(const struct svmc_pages *pages, uint64_t from)
{
    uint64_t entry;
    uint32_t old;

    if (!pages || pages->priv.pages == 0)
        return 0;
    old = svmc_seal_turn_next(&pages->priv.turn);
    for (; from < pages->priv.pages; from++) {
        entry = __atomic_load_n(pages->priv.entry + from, __ATOMIC_RELAXED);
        if (version_of(entry) != 0 && subkey_of(entry) == old)
            return from;
    }
    return pages->priv.pages;
}

/* ---- the way of a page -----------------------------------------------------------------------*/

static struct svmc_sealed_unit unit_of(uint64_t page, uint64_t version, void *text, uint8_t *tag)
{
    return (struct svmc_sealed_unit){ .number = page,
                                      .version = version,
                                      .in = text,
                                      .out = text,
                                      .bytes = SVMC_SEAL_PAGE_BYTES,
                                      .tag = tag };
}

/* A whole page by the embedder's memcpy: of a constant gcc makes a string instruction, which is
   slower than one with vectors. */
static void copy_page(void *to, const void *from)
{
    size_t n = SVMC_SEAL_PAGE_BYTES;

    CORE_KEEP(n);
    memcpy(to, from, n);
}

/* SE-17: in the lane's scratch, so that nobody writes what is being sealed; then it is copied. */
static enum svmc_seal_reason seal(struct svmc_pages *pages, uint32_t lane,
                                  const struct svmc_page_copy *copy, const void *in, void *out,
                                  uint8_t *tag)
{
    uint8_t *scratch =
        pages->priv.scratch + (size_t)core_clamp(lane, pages->priv.lanes) * SVMC_SEAL_PAGE_BYTES;
    struct svmc_seal_use use = subkey_at(&pages->priv.turn, copy->subkey)->use;
    uint8_t own_tag[SVMC_TAG_BYTES];
    struct svmc_sealed_unit u = unit_of(copy->page, copy->version, scratch, own_tag);
    enum svmc_seal_reason why;

    u.in = in;
    use.calls = 1; /* of what take counted */
    use.blocks = PAGE_BLOCKS;
    why = svmc_seal_unit(pages->priv.turn.sealer, lane, &use, &u);
    if (why != SVMC_SEAL_NONE)
        return why;
    copy_page(out, scratch);
    memcpy(tag, own_tag, sizeof own_tag);
    return SVMC_SEAL_NONE;
}

enum svmc_seal_reason svmc_pages_seal(struct svmc_pages *pages, uint32_t lane, uint64_t page,
                                      const void *in, void *out, uint8_t *tag,
                                      struct svmc_page_copy *copy)
{
    uint64_t *e = entry_of(pages, page), entry;
    enum svmc_seal_reason why;

    if (!copy)
        return SVMC_SEAL_RANGE;
    memset(copy, 0, sizeof *copy);
    if (!e || !in || !out || !tag || lane >= pages->priv.lanes)
        return SVMC_SEAL_RANGE;
    why = claim(e, false, &entry);
    if (why != SVMC_SEAL_NONE)
        return why;
    if (!svmc_seal_turn_take(&pages->priv.turn, &copy->subkey)) {
        settle(e, entry);
        return SVMC_SEAL_BUDGET;
    }
    copy->page = page;
    copy->dirty = clear_dirty(pages, page); /* SE-14: before the page is read */
    /* SE-18: one count for all pages, so that what is aborted is never given out again */
    copy->version = __atomic_add_fetch(&pages->priv.version, 1, __ATOMIC_RELAXED);
    why = seal(pages, lane, copy, in, out, tag);
    if (why != SVMC_SEAL_NONE)
        (void)svmc_pages_abort(pages, copy);
    return why;
}

/* SE-18: the entry that a copy has claimed; NULL: none has. */
static uint64_t *claimed(const struct svmc_pages *pages, struct svmc_page_copy *copy)
{
    uint64_t *e = copy && copy->version != 0 ? entry_of(pages, copy->page) : NULL;
    uint64_t entry = e ? __atomic_load_n(e, __ATOMIC_RELAXED) : 0;

    return (entry & (ENTRY_BUSY | ENTRY_OUT)) == ENTRY_BUSY &&
                   copy->subkey < pages->priv.turn.subkeys && copy->version > version_of(entry)
               ? e
               : NULL;
}

enum svmc_seal_reason svmc_pages_publish(struct svmc_pages *pages, struct svmc_page_copy *copy)
{
    uint64_t *e = claimed(pages, copy), entry;

    if (!e)
        return SVMC_SEAL_STATE;
    entry = __atomic_load_n(e, __ATOMIC_RELAXED);
    settle(e, copy->version | (uint64_t)copy->subkey << SUBKEY_SHIFT);
    if (version_of(entry) != 0)
        svmc_seal_turn_give_up(&pages->priv.turn, subkey_of(entry));
    memset(copy, 0, sizeof *copy);
    return SVMC_SEAL_NONE;
}

enum svmc_seal_reason svmc_pages_abort(struct svmc_pages *pages, struct svmc_page_copy *copy)
{
    uint64_t *e = claimed(pages, copy);

    if (!e)
        return SVMC_SEAL_STATE;
    if (copy->dirty != 0)
        svmc_pages_mark(pages, copy->page, 1);
    svmc_seal_turn_give_up(&pages->priv.turn, copy->subkey);
    settle(e, __atomic_load_n(e, __ATOMIC_RELAXED) & ~ENTRY_BUSY);
    memset(copy, 0, sizeof *copy);
    return SVMC_SEAL_NONE;
}

/* SE-19 */
enum svmc_seal_reason svmc_pages_leave(struct svmc_pages *pages, uint64_t page)
{
    uint64_t *e = entry_of(pages, page), entry;
    enum svmc_seal_reason why;
    bool clean;

    if (!e)
        return SVMC_SEAL_RANGE;
    why = claim(e, false, &entry);
    if (why != SVMC_SEAL_NONE)
        return why;
    clean = version_of(entry) != 0 && !is_dirty(pages, page);
    settle(e, clean ? entry | ENTRY_OUT : entry);
    return clean ? SVMC_SEAL_NONE : SVMC_SEAL_STATE;
}

/* SE-20: a copy is opened, so that what was verified is what is used. */
enum svmc_seal_reason svmc_pages_open(struct svmc_pages *pages, uint32_t lane, uint64_t page,
                                      const void *from, const uint8_t *tag, void *to)
{
    uint64_t *e = entry_of(pages, page), entry;
    uint8_t own_tag[SVMC_TAG_BYTES];
    struct svmc_sealed_unit u;
    enum svmc_seal_reason why;

    if (!to)
        return SVMC_SEAL_RANGE;
    why =
        !e || !from || !tag || lane >= pages->priv.lanes ? SVMC_SEAL_RANGE : claim(e, true, &entry);
    if (why != SVMC_SEAL_NONE) {
        memset(to, 0, SVMC_SEAL_PAGE_BYTES);
        return why;
    }
    if (to != from)
        copy_page(to, from);
    memcpy(own_tag, tag, sizeof own_tag);
    u = unit_of(page, version_of(entry), to, own_tag);
    why = svmc_open_unit(pages->priv.turn.sealer, lane,
                         &subkey_at(&pages->priv.turn, subkey_of(entry))->use, &u);
    if (why != SVMC_SEAL_NONE)
        memset(to, 0, SVMC_SEAL_PAGE_BYTES);
    settle(e, why == SVMC_SEAL_NONE ? entry & ~ENTRY_OUT : entry);
    return why;
}

/* SE-21 */
enum svmc_seal_reason svmc_pages_forget(struct svmc_pages *pages, uint64_t page)
{
    uint64_t *e = entry_of(pages, page), entry;
    enum svmc_seal_reason why;

    if (!e)
        return SVMC_SEAL_RANGE;
    why = claim(e, false, &entry);
    if (why != SVMC_SEAL_NONE)
        return why;
    svmc_pages_mark(pages, page, 1);
    if (version_of(entry) != 0)
        svmc_seal_turn_give_up(&pages->priv.turn, subkey_of(entry));
    settle(e, 0);
    return SVMC_SEAL_NONE;
}
