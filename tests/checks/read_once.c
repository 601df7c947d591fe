/* SPDX-License-Identifier: MIT */
/*
 * R3: the reply is read once, and only the first reading counts. Built with the core's sources and
 * CORE_SHARED_HOOK, which tells of every word that the core loads from the page: a host that
 * changes a word right behind the core's load, at every single load.
 */
#include <svmcore/offer.h>

#include "../intercept/adapt_lab.h"
#include "../intercept/scenarios.h"

void core_shared_hook(const volatile void *base, size_t at);

#define WORDS      (SVMC_PAGE_BYTES / 8)
#define REPLY_WORD (0x100 / 8)

static struct lab lab, honest_run, before;
static struct fakehost_answer honest;
static unsigned loads[WORDS], total, change_at;
static _Alignas(8) uint8_t area[SVMC_OFFER_AREA_BYTES];
static enum { COUNT, CHANGE_WORD, CHANGE_ALL } mode;

static struct adapt_lab foreign;
#define SIDA_BYTES sizeof foreign.sida
static unsigned foreign_loads[(ADAPT_BYTES + SIDA_BYTES) / 8]; /* of the area, then the SIDA */
static bool foreign_changes;

/* A host that changes every word of a foreign area right behind the core's load. */
static void foreign_hook(uint8_t *base, size_t at)
{
    foreign_loads[(base == foreign.sida ? ADAPT_BYTES : 0) / 8 + at / 8]++;
    for (unsigned i = 0; foreign_changes && i < 8; i++)
        base[at / 8 * 8 + i] ^= 0xff;
}

void core_shared_hook(const volatile void *base, size_t at)
{
    uint64_t *words = (uint64_t *)(void *)(base == area ? area : lab.world.page);

    if (base == foreign.area)
        foreign_hook(foreign.area, at);
    if (base == foreign.sida)
        foreign_hook(foreign.sida, at);
    if (base != lab.world.page && base != area)
        return;
    loads[at / 8]++;
    total++;
    if (mode == CHANGE_WORD && total == change_at)
        words[at / 8] = ~words[at / 8];
    for (unsigned w = REPLY_WORD; mode == CHANGE_ALL && total == change_at && w < WORDS; w++)
        words[w] = ~words[w];
}

/* A step is one request of a scenario: of a block in parts there are three (PG-10). */
#define PARTS    3u
#define STEPS    (scenario_count * PARTS)
#define NAME(st) scenarios[(st) / PARTS].name

/* Up to the honest answer to this step; false: there is none. */
static bool reach(unsigned step)
{
    uint64_t rng = 77;

    mode = COUNT;
    lab_init(&lab, &rng);
    CHECK_EQ(lab_begin(&lab, step / PARTS), SVMC_OK, "%s", NAME(step));
    for (unsigned part = 0;; part++) {
        CHECK(fakehost_prepare(lab.world.page, &honest));
        CHECK(fakehost_send(lab.world.page, &honest));
        if (part == step % PARTS)
            return true;
        if (honest.request.completion != SVMC_COMPLETION_PART)
            return false;
        CHECK_EQ(svmc_vcpu_enter(&lab.vc, &lab.out), SVMC_OK, "%s", NAME(step));
    }
}

/* The same, then enter while the hook does its work. */
static enum svmc_status run(unsigned step, int how, unsigned at)
{
    CHECK(reach(step), "%s", NAME(step));
    before = lab;
    memset(loads, 0, sizeof loads);
    total = 0;
    change_at = at;
    mode = how;
    return svmc_vcpu_enter(&lab.vc, &lab.out);
}

static bool same_guest(const struct lab *other)
{
    return memcmp(lab.world.reg, other->world.reg, sizeof lab.world.reg) == 0 &&
           memcmp(lab.world.memory, other->world.memory, sizeof lab.world.memory) == 0 &&
           lab.out.action == other->out.action && lab.out.data_bytes == other->out.data_bytes &&
           memcmp(lab.vc.priv.staging, other->vc.priv.staging, sizeof lab.vc.priv.staging) == 0;
}

TEST(read_once, at1_no_word_is_loaded_twice) /* R3 AT-1; CVE-2023-4155 */
{
    unsigned parts = 0;

    for (unsigned n = 0; n < STEPS; n++) {
        const struct svmc_request *asked = &honest.request;
        unsigned data;

        if (!reach(n))
            continue;
        parts += asked->completion == SVMC_COMPLETION_PART;
        data = asked->direction & SVMC_DIRECTION_IN ? asked->size * asked->count : 0;
        if (asked->completion == SVMC_COMPLETION_SINGLE)
            data = 0;
        CHECK_EQ(run(n, COUNT, 0), SVMC_OK, "%s", NAME(n));
        for (unsigned w = 0; w < WORDS; w++)
            CHECK(loads[w] <= 1, "%s: word 0x%03x loaded %u times", NAME(n), 8 * w, loads[w]);
        for (unsigned w = (0x200 + data + 7) / 8; w < WORDS; w++)
            CHECK_EQ(loads[w], 0, "%s: data nobody asked for, 0x%03x", NAME(n), 8 * w);
        CHECK(total >= 32, "%s: the counting works", NAME(n));
    }
    CHECK(parts >= 4, "only %u", parts);
}

TEST(read_once, what_changes_behind_the_load_has_no_effect) /* R3 */
{
    for (unsigned n = 0; n < STEPS; n++) {
        unsigned loaded;

        if (!reach(n))
            continue;
        CHECK_EQ(run(n, COUNT, 0), SVMC_OK, "%s", NAME(n));
        honest_run = lab;
        loaded = total;
        for (unsigned k = 1; k <= loaded; k++) {
            CHECK_EQ(run(n, CHANGE_WORD, k), SVMC_OK, "%s, load %u", NAME(n), k);
            CHECK(same_guest(&honest_run), "%s, load %u", NAME(n), k);
        }
    }
}

TEST(read_once, a_page_that_turns_into_lies_is_refused_or_read_before) /* R3 */
{
    unsigned refused = 0;

    for (unsigned n = 0; n < STEPS; n++) {
        if (!reach(n))
            continue;
        CHECK_EQ(run(n, COUNT, 0), SVMC_OK, "%s", NAME(n));
        honest_run = lab;
        for (unsigned k = 1; k < 32; k++) { /* in mid-header: what is read later is a lie */
            enum svmc_status st = run(n, CHANGE_ALL, k);

            refused += st == SVMC_ERR_HOST_REPLY;
            CHECK(st == SVMC_ERR_HOST_REPLY, "%s, load %u", NAME(n), k);
            CHECK(lab_same(&lab, &before), "%s, load %u", NAME(n), k);
        }
    }
    CHECK(refused > 0, "nothing was refused");
}

TEST(read_once, at1_an_offer_is_the_one_that_was_read) /* OF-1 AT-1 */
{
    static const struct svmc_offer_policy policy = { .vectors = { 0, 2, 0, 0 },
                                                     .kinds = 1u << SVMC_OFFER_X86_INTERRUPT };
    struct svmc_offer offer = { .kind = SVMC_OFFER_X86_INTERRUPT, .code = 0x41 };
    struct svmc_offer_notice notice;
    struct svmc_offer_result result;
    struct svmc_offers offers;
    uint64_t rng = 7;

    for (unsigned k = 0; k <= 8; k++) { /* 0: nothing changes */
        mode = COUNT;
        lab_init(&lab, &rng);
        CHECK_EQ(svmc_offers_init(&offers, &lab.vc, &policy, area, SVMC_ISA_X86_64), SVMC_OK);
        CHECK_EQ(svmc_offer_notice_read(area, &notice), SVMC_OK);
        offer.seq = notice.next;
        CHECK_EQ(svmc_offer_write(area, &offer), SVMC_OK);
        memset(loads, 0, sizeof loads);
        total = 0;
        change_at = k;
        mode = CHANGE_WORD;
        CHECK_EQ(svmc_offers_fetch(&offers, &result), SVMC_OK, "load %u", k);
        CHECK_EQ(offers.priv.held[SVMC_OFFER_X86_INTERRUPT].code, 0x41, "load %u", k);
        for (unsigned w = 0; w < SVMC_OFFER_AREA_BYTES / 8; w++)
            CHECK_EQ(loads[w], w < 8, "word %u", w);
    }
}

/* Load nothing twice, whoever reads: the host's decode, then the core's absorb. */
static void one_foreign(enum svmc_foreign_format format, const char *scenario)
{
    static uint8_t data[SVMC_PAGE_DATA_BYTES], out[SVMC_PAGE_DATA_BYTES];
    struct svmc_request request;
    struct svmc_reply reply;
    unsigned decoded = 0, absorbed = 0;
    static uint8_t asked[ADAPT_BYTES], sida[SIDA_BYTES];

    foreign_changes = false;
    adapt_init(&foreign, format, 0x1111222233334444);
    if (!adapt_exit(&foreign, scenario) || adapt_emit(&foreign) != SVMC_OK)
        return; /* no form has this kind, or not this one */
    memcpy(asked, foreign.area, sizeof asked);
    memcpy(sida, foreign.sida, sizeof sida);
    memset(foreign_loads, 0, sizeof foreign_loads);
    foreign_changes = true;
    CHECK_EQ(svmc_adapt_decode(&foreign.foreign, &request, data), SVMC_OK, "%s", scenario);
    foreign_changes = false;
    for (unsigned w = 0; w < sizeof foreign_loads / sizeof foreign_loads[0]; w++) {
        CHECK(foreign_loads[w] <= 1, "%s, form %u: decode loads 0x%03x", scenario, format, 8 * w);
        decoded += foreign_loads[w];
    }
    memcpy(foreign.area, asked, sizeof asked);
    memcpy(foreign.sida, sida, sizeof sida);
    device_answer(&foreign.device, &request, data, &reply, out);
    CHECK_EQ(svmc_adapt_answer(&foreign.foreign, &request, &reply, out), SVMC_OK);
    memset(foreign_loads, 0, sizeof foreign_loads);
    foreign_changes = true;
    CHECK_EQ(adapt_enter(&foreign), SVMC_OK, "%s, form %u", scenario, format);
    for (unsigned w = 0; w < sizeof foreign_loads / sizeof foreign_loads[0]; w++) {
        CHECK(foreign_loads[w] <= 1, "%s, form %u: absorb loads 0x%03x", scenario, format, 8 * w);
        absorbed += foreign_loads[w];
    }
    CHECK(decoded > 2 && absorbed > 2, "%s, form %u: the counting works", scenario, format);
}

TEST(read_once, no_word_of_a_foreign_area_is_loaded_twice) /* AP-1; CVE-2023-4155 */
{
    for (unsigned form = 0; form < SVMC_FOREIGN_FORMATS; form++)
        for (unsigned n = 0; n < scenario_count; n++)
            one_foreign((enum svmc_foreign_format)form, scenarios[n].name);
}
