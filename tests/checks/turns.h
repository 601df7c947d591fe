/* SPDX-License-Identifier: MIT */
/**
 * For the checks that take millions of exits: a cheap guest, a random exit of any row of the table,
 * and a second reading of docs/spec/page.md and reply.md that says what a reply may change.
 */
#ifndef CHECKS_TURNS_H
#define CHECKS_TURNS_H
#include "../../src/intercept/intercept_private.h"
#include "../fakehost/world.h"

#define GUEST_MEMORY (4u * 4096u)
#define GUEST_LINEAR 0x40000000u /* linear address of guest-physical 0 */
#define GUEST_LOG    8u
#define REPLY_WORDS  32u /* the reply area, 100 to 1ff */

#define TURN_TIMES 2u /* counters, R13 */

/** What a host has said of the time, and the embedder's clock, which goes on as the test says. */
struct times {
    uint64_t clock;
    bool timed; /* the embedder lends it */
    struct guest_time {
        bool known;
        uint64_t value;
        uint64_t asked; /* the clock then */
    } last[TURN_TIMES];
};

/** Registers and memory, and a log of what the core wrote to since the caller emptied it. */
struct guest {
    uint64_t reg[WORLD_REGS];
    uint8_t memory[GUEST_MEMORY];
    uint64_t random; /* what the random callback gives */
    struct times times;
    uint32_t writes, spans;         /* how many, the ones that the log has no room for too */
    uint8_t written[GUEST_LOG];     /* registers */
    struct span span_of[GUEST_LOG]; /* writable memory that was handed out */
};

extern const struct svmc_host_ops guest_ops, guest_ops_timed; /* with a clock: times.timed */

uint64_t turn_random(uint64_t *state); /* xorshift64: cheap; state is never 0 */
/** n bytes of a random pool, from a random place on. */
void turn_fill(void *dst, size_t n, uint64_t *rng);

/**
 * The rows of the table that this file knows, in order of their kinds. *unknown: how many more
 * there are; each is named on the output and needs its line in models of turns.c.
 */
#define TURN_ROWS 128u
unsigned turn_rows(const struct exit_rule *rows[TURN_ROWS], unsigned *unknown);

/** What docs/spec/exit.md says of the row under turn_policy; neither: the host learns nothing. */
bool turn_delegates(const struct exit_rule *rule);
bool turn_notifies(const struct exit_rule *rule);

/** Everything delegated that a policy can delegate, in mode STRICT; sealed. */
void turn_policy(struct svmc_policy *policy, bool full_wipe, enum svmc_mode mode);

/** What an exit declares: the inputs of its row, and nothing else. */
struct ask {
    const struct exit_rule *rule;
    uint32_t isa; /* one of its family: x86 stands for all three modes */
    uint32_t size;
    uint32_t count;        /* elements of the first request */
    uint8_t args, results; /* hypercalls and calls */
    uint64_t address, value, in[SLOTS_IN];
    uint8_t data[SVMC_PAGE_DATA_BYTES]; /* strings that go out: count * size bytes */
};

/** One of the many exits that declare the same. */
struct turn {
    const struct ask *ask;
    struct times *times;
    uint64_t asked; /* times.clock as it stood */
    struct svmc_exit exit;
    uint8_t data[SVMC_EXIT_DATA_MAX]; /* a backend's string */
    bool own, rip, backward;
    uint32_t total;  /* elements of the whole instruction */
    uint32_t at;     /* elements done by earlier replies */
    uint32_t issued; /* elements asked for now */
    uint32_t memory; /* own strings: guest-physical address of the first element */
};

/** Bytes of data that count as the guest's: the rest are 0, whatever it has there. */
uint32_t ask_bytes(const struct ask *ask);
void ask_make(struct ask *ask, const struct exit_rule *rule, uint64_t *rng);
/** Choose all that is not declared at random; sets the guest's registers and memory for it. */
void turn_make(struct turn *turn, const struct ask *ask, struct guest *guest, uint64_t *rng);

/** The row's results by docs/spec/page.md; false: this file has no line for the kind. */
bool turn_results(const struct turn *turn, unsigned *count, unsigned bytes[SLOTS_OUT]);

/** A reply area as numbers: word n is that at 100 + 8 n. */
struct reply_words {
    uint64_t w[REPLY_WORDS];
};

/** The complete right reply to a request with this sequence number. */
void turn_right(const struct turn *turn, uint64_t seq, struct reply_words *reply, uint64_t *rng);
/** The number of the rule that the reply breaks, the first in the order of reply.md, or 0. */
unsigned turn_breaks(const struct turn *turn, uint64_t seq, const struct reply_words *reply);

/** What a right reply does. */
struct effects {
    uint8_t action; /* enum svmc_action */
    bool fault;     /* INJECT */
    uint8_t vector, has_error;
    uint32_t error;
    uint32_t writes;
    struct {
        uint32_t reg;
        uint64_t value;
    } write[SLOTS_OUT + 1];
    uint32_t memory_bytes;        /* of the data area, to turn.memory */
    uint32_t given_bytes;         /* what a backend gets */
    uint8_t given[8 * SLOTS_OUT]; /* its value; a string's bytes are the data area's */
};
void turn_effects(const struct turn *turn, const struct reply_words *reply,
                  const uint64_t reg[WORLD_REGS], struct effects *out);
/**
 * How the guest differs from what these effects make of shadow, which gets them; NULL: in nothing.
 * data: what the reply brings for turn.memory.
 */
const char *turn_differs(const struct turn *turn, const struct effects *effects,
                         const struct guest *guest, struct guest *shadow, const uint8_t *data);
/** The other way round: what a guest that ran on has got, as the one reply that could give it. */
void turn_given(const struct turn *turn, uint64_t seq, const struct guest *before,
                const struct guest *guest, const struct svmc_outcome *out,
                struct reply_words *reply);
/** A time that no register gets: what a host said cannot be seen. */
bool turn_hides_time(const struct turn *turn);
/** A reply was taken; where it left a part of a backend's string undone: the next request. */
void turn_next(struct turn *turn, const struct reply_words *reply);

void page_put(volatile uint8_t *page, const struct reply_words *reply);
/** As a host: the right reply to what the page asks for; false: it asks for nothing. least: of a
 *  time. */
bool page_right(const volatile uint8_t *page, uint64_t least, struct reply_words *reply,
                uint64_t *rng);
/** What a page asks for beside the data of a string, by page.md; NULL: just that. */
const char *turn_shows(const struct turn *turn, const volatile uint8_t *page);
uint64_t page_seq(const volatile uint8_t *page);

#endif
