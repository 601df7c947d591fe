/* SPDX-License-Identifier: MIT */
/** The run for a reader: console lines, table, summary. 100 columns at most. */
#include "report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

#define WIDTH_BYTES 14
#define WIDTH_TEXT  24
#define WIDTH_SAW   20
#define WIDTH_TOOK  14
#define WIDTH_LINE  100

#define RACE_FLIPS 100000u /* with fewer the race has not run */

static bool room(void **list, size_t count, size_t *capacity, size_t one)
{
    size_t want = *capacity ? *capacity * 2 : 256;
    void *more;

    if (count < *capacity)
        return true;
    if (count >= REPORT_ROWS_MAX)
        return false;
    more = realloc(*list, want * one);
    if (!more)
        return false;
    *list = more;
    *capacity = want;
    return true;
}

/* Under the lock: the line that a vCPU's next call might still have counted up. */
static void print_call(struct report *r, uint32_t vcpu)
{
    const struct call_row *row;

    if (r->open_call[vcpu] == 0)
        return;
    row = &r->calls[r->open_call[vcpu] - 1];
    r->open_call[vcpu] = 0;
    if (r->json || (r->quiet && row->mark < REPORT_GATE))
        return;
    if (r->line_open)
        putchar('\n');
    r->line_open = false;
    fputs(row->text, stdout);
    if (row->count > 1)
        printf("  x%" PRIu64, row->count);
    putchar('\n');
}

static void print_calls(struct report *r)
{
    for (uint32_t i = 0; i < WIRE_VCPUS_MAX; i++)
        print_call(r, i);
}

void report_call(struct report *r, uint32_t vcpu, enum report_mark mark, const char *text)
{
    static const char marks[][5] = { "call", "said", "gate", "dma ", "seal" };
    struct call_row *row = NULL, next = { .vcpu = vcpu, .count = 1, .mark = mark };

    snprintf(next.text, sizeof next.text - (mark >= REPORT_GATE ? 0 : 12), "%s| cpu %u %s",
             marks[mark], vcpu, text);
    pthread_mutex_lock(&r->lock);
    r->calls_total += mark == REPORT_CALL;
    if (r->open_call[vcpu] > 0)
        row = &r->calls[r->open_call[vcpu] - 1];
    if (row && strcmp(row->text, next.text) == 0) {
        row->count++;
    } else {
        print_call(r, vcpu);
        if (r->call_count < REPORT_CALLS &&
            room((void **)&r->calls, r->call_count, &r->call_capacity, sizeof *r->calls)) {
            r->calls[r->call_count] = next;
            r->open_call[vcpu] = ++r->call_count;
        } else {
            r->calls_unlisted++;
        }
    }
    pthread_mutex_unlock(&r->lock);
}

static void print_bytes(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        putchar(bytes[i] >= 0x20 && bytes[i] < 0x7f ? bytes[i] : '?');
}

/* What there is in the end: the guest may have set some. */
static void print_store(const struct report *r)
{
    const struct store *s = r->store;

    printf("\n%" PRIu64 " hypercalls answered by the keeper; the host learned nothing of them\n",
           r->calls_total);
    if (r->calls_unlisted > 0)
        printf("%" PRIu64 " more lines about them dropped\n", r->calls_unlisted);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct store_entry *e = &s->entry[i];
        size_t most = e->value_bytes < 40 ? e->value_bytes : 40;

        fputs("guestinfo.", stdout);
        print_bytes(e->key, e->key_bytes < 30 ? e->key_bytes : 30);
        fputs(" = ", stdout);
        print_bytes(e->value, most);
        printf("%s%s\n", most < e->value_bytes ? "+" : "", e->by_guest ? "  (by the guest)" : "");
    }
}

/* The host is not trusted with the terminal either: printable bytes and newlines only. */
void report_console(void *report, const uint8_t *bytes, size_t n)
{
    struct report *r = report;

    pthread_mutex_lock(&r->lock);
    print_calls(r);
    for (size_t i = 0; i < n; i++) {
        uint8_t c = bytes[i];

        if (c != '\n' && (c < 0x20 || c > 0x7e))
            c = '?';
        if (r->console_bytes < sizeof r->console)
            r->console[r->console_bytes++] = c;
        else
            r->console_dropped++;
        if (r->json)
            continue;
        if (!r->line_open)
            fputs("guest| ", stdout);
        putchar(c);
        r->line_open = c != '\n';
    }
    if (!r->json)
        fflush(stdout);
    pthread_mutex_unlock(&r->lock);
}

void report_exit(struct report *r, uint32_t vcpu, const struct exit_row *row)
{
    struct exit_list *l = &r->list[vcpu];

    l->exits++;
    if (room((void **)&l->rows, l->count, &l->capacity, sizeof *l->rows))
        l->rows[l->count++] = *row;
    pthread_mutex_lock(&r->lock);
    r->exits++;
    pthread_mutex_unlock(&r->lock);
}

void report_told(struct report *r, uint64_t tag)
{
    uint32_t lie = WIRE_TAG_LIE(tag);

    pthread_mutex_lock(&r->lock);
    r->flips += WIRE_TAG_FLIPS(tag);
    if (lie > 0 && lie <= LIE_ALL)
        r->told[lie - 1]++;
    pthread_mutex_unlock(&r->lock);
}

void report_accepted(struct report *r, uint32_t lie)
{
    pthread_mutex_lock(&r->lock);
    if (lie > 0 && lie <= LIE_ALL)
        r->accepted_lies[lie - 1]++;
    pthread_mutex_unlock(&r->lock);
}

void report_refusal(struct report *r, const struct refusal_row *row)
{
    pthread_mutex_lock(&r->lock);
    r->refusals_total++;
    r->changed_after_refusal += !row->unchanged;
    if (row->lie > 0 && row->lie <= LIE_ALL) {
        r->refused_lies[row->lie - 1]++;
        r->changed_lies[row->lie - 1] += !row->unchanged;
        r->lie_rules[row->lie - 1] |= 1u << (row->rule <= SVMC_REPLY_RULES ? row->rule : 0);
    } else if (!r->replay) {
        r->unexplained++;
    }
    if (room((void **)&r->refusals, r->refusal_count, &r->refusal_capacity, sizeof *r->refusals))
        r->refusals[r->refusal_count++] = *row;
    pthread_mutex_unlock(&r->lock);
}

/* The text of the instruction, or, marked with ~, one made from the exit. */
void report_insn_text(const struct exit_row *row, char *text, size_t cap)
{
    /* with every feature: some processor has executed it */
    static const struct svmc_cpu cpu = { .isa = SVMC_ISA_X86_64,
                                         .vendor = SVMC_VENDOR_AMD,
                                         .features = { UINT64_MAX, UINT64_MAX } };
    struct svmc_insn insn;
    unsigned long long at = (unsigned long long)row->address;

    if (row->insn_bytes > 0 &&
        svmc_insn_decode(&cpu, row->insn, row->insn_bytes, &insn) == SVMC_OK &&
        svmc_insn_format(&insn, text, cap) == SVMC_OK)
        return;
    switch (row->kind) {
    case SVMC_KIND_IN:
        snprintf(text, cap, "~in 0x%llx", at);
        break;
    case SVMC_KIND_OUT:
        snprintf(text, cap, "~out 0x%llx", at);
        break;
    case SVMC_KIND_INS:
        snprintf(text, cap, "~rep ins 0x%llx", at);
        break;
    case SVMC_KIND_OUTS:
        snprintf(text, cap, "~rep outs 0x%llx", at);
        break;
    case SVMC_KIND_MMIO_READ:
        snprintf(text, cap, "~load [0x%llx]", at);
        break;
    case SVMC_KIND_MMIO_WRITE:
        snprintf(text, cap, "~store [0x%llx]", at);
        break;
    default:
        snprintf(text, cap, "~%s", svmc_kind_name(row->kind));
        break;
    }
}

static void insn_hex(const struct exit_row *row, char *text, size_t cap)
{
    size_t n = 0;

    text[0] = 0;
    for (unsigned i = 0; i < row->insn_bytes && n + 3 < cap; i++)
        n += (size_t)snprintf(text + n, cap - n, "%02x", row->insn[i]);
}

const char *report_verdict(const struct exit_row *row)
{
    static const char names[][10] = { "fault", "delegate", "inside", "stop", "notify" };

    return names[row->verdict <= SVMC_VERDICT_NOTIFY ? row->verdict : 0];
}

static void saw_text(const struct exit_row *row, char *text, size_t cap)
{
    size_t n;

    if (row->requests == 0) {
        snprintf(text, cap, "nothing");
        return;
    }
    if (row->verdict == SVMC_VERDICT_NOTIFY) {
        snprintf(text, cap, "that it happened");
        return;
    }
    n = (size_t)snprintf(text, cap, row->kind == SVMC_KIND_HYPERCALL ? "#%" PRIu64 : "%" PRIx64,
                         row->address);
    for (unsigned i = 0; i < row->shown_slots && n < cap; i++)
        n += (size_t)snprintf(text + n, cap - n, "%s%" PRIx64, i ? "," : " <- ", row->shown[i]);
    if (row->shown_data > 0 && n < cap)
        n += (size_t)snprintf(text + n, cap - n, " <- %u bytes", row->shown_data);
    if (row->requests > 1 && n < cap)
        snprintf(text + n, cap - n, " (%u pages)", row->requests);
}

static void took_text(const struct exit_row *row, char *text, size_t cap)
{
    size_t n = 0;

    text[0] = 0;
    if (row->fault.raised)
        snprintf(text, cap, "exception %u", row->fault.vector);
    else if (row->taken_data > 0)
        snprintf(text, cap, "%u bytes", row->taken_data);
    else
        for (unsigned i = 0; i < row->taken_slots && n < cap; i++)
            n += (size_t)snprintf(text + n, cap - n, "%s%" PRIx64, i ? "," : "", row->taken[i]);
}

/* Cut to a column's width, with a + where something is missing. */
static void column(char *text, size_t width)
{
    if (strlen(text) > width) {
        text[width - 1] = '+';
        text[width] = 0;
    }
}

/* "qword ptr [rax]" is "qword [rax]" here: the column is narrow. */
static void shorten(char *text)
{
    for (char *at = text; (at = strstr(at, " ptr ")) != NULL; at++)
        memmove(at, at + 4, strlen(at + 4) + 1);
}

static void print_row(const struct exit_row *row)
{
    char hex[40], text[SVMC_INSN_TEXT_MAX], saw[160], took[120], line[200];
    size_t n;

    insn_hex(row, hex, sizeof hex);
    report_insn_text(row, text, sizeof text);
    saw_text(row, saw, sizeof saw);
    took_text(row, took, sizeof took);
    shorten(text);
    column(hex, WIDTH_BYTES);
    column(text, WIDTH_TEXT);
    column(saw, WIDTH_SAW);
    column(took, WIDTH_TOOK);
    n = (size_t)snprintf(line, sizeof line, "%4" PRIu64 " %-*s %-*s %-10.10s %-8s %-*s %s",
                         row->number, WIDTH_BYTES, hex, WIDTH_TEXT, text, svmc_kind_name(row->kind),
                         report_verdict(row), WIDTH_SAW, saw, took);
    while (n > 0 && line[n - 1] == ' ')
        line[--n] = 0;
    puts(line);
}

static bool alike(const struct exit_row *a, const struct exit_row *b)
{
    return a->kind == b->kind && a->verdict == b->verdict && a->size == b->size &&
           a->count == b->count && a->insn_bytes == b->insn_bytes &&
           memcmp(a->insn, b->insn, sizeof a->insn) == 0 &&
           (a->address == b->address || a->kind == SVMC_KIND_MMIO_WRITE ||
            a->kind == SVMC_KIND_MMIO_READ) &&
           a->requests == b->requests;
}

static void print_list(const struct report *r, uint32_t vcpu)
{
    const struct exit_list *l = &r->list[vcpu];

    printf("\nExits of vCPU %u; ~ means: no instruction bytes for sure, text made from the exit\n",
           vcpu);
    printf("%4s %-*s %-*s %-10s %-8s %-*s %s\n", "#", WIDTH_BYTES, "bytes", WIDTH_TEXT,
           "instruction", "kind", "verdict", WIDTH_SAW, "the host saw", "taken back");
    for (size_t i = 0, same; i < l->count; i += same) {
        print_row(&l->rows[i]);
        for (same = 1; i + same < l->count && alike(&l->rows[i], &l->rows[i + same]);)
            same++;
        if (same == 2 || r->all)
            same = 1;
        else if (same > 2)
            printf("%4s ... %zu more like it (--all shows them)\n", "", same - 1);
    }
    if (l->exits > l->count)
        printf("%4s ... %" PRIu64 " exits not listed\n", "", l->exits - l->count);
}

/* A lie that has a rule of its own was refused by another one. */
static bool wrong_rule(const struct report *r, unsigned i)
{
    uint32_t right = 1u << lies[i].rule;

    if (i == LIE_RING_EARLY)
        right |= 1u << 18; /* an empty reply also names vCPU 0 */
    return lies[i].rule != 0 && (r->lie_rules[i] & ~right) != 0;
}

static void print_lies(const struct report *r)
{
    uint64_t told = 0, accepted = 0;

    printf("\nThe host lied. What each lie met:\n%-20s %-6s %6s %8s %8s  %s\n", "lie", "rule",
           "told", "refused", "accepted", "guest unchanged");
    for (unsigned i = 0; i < LIE_ALL; i++) {
        char rule[16];

        if (r->told[i] == 0)
            continue;
        snprintf(rule, sizeof rule, lies[i].rule ? "R%u" : "any", lies[i].rule);
        printf("%-20s %-6s %6" PRIu64 " %8" PRIu64 " %8" PRIu64 "  %s%s\n", lies[i].name, rule,
               r->told[i], r->refused_lies[i], r->accepted_lies[i],
               r->changed_lies[i] ? "NO" : "yes",
               wrong_rule(r, i) ? "  (another rule refused it)" : "");
        if (i < LIE_COUNT) {
            told += r->told[i];
            accepted += r->accepted_lies[i];
        }
    }
    printf("guest unchanged: %s (%s)\n", r->changed_after_refusal ? "NO" : "yes",
           r->memory_guarded ? "general registers, memory, kvm_run and the pending\n"
                               "record compared byte for byte after each refusal"
           : r->from_trace   ? "general registers, kvm_run and the pending record\n"
                               "compared; a trace has no guest memory"
                             : "general registers, kvm_run and the pending record\n"
                               "compared; the memory belongs to the other vCPUs, too");
    if (r->told[LIE_RACE])
        printf("race: %" PRIu64 " words flipped, %" PRIu64 " replies refused, %" PRIu64
               " taken because they read right\n",
               r->flips, r->refused_lies[LIE_RACE], r->accepted_lies[LIE_RACE]);
    printf("%" PRIu64 " lies told, %" PRIu64 " refused, %" PRIu64 " accepted\n", told,
           told - accepted, accepted);
}

/* Nanoseconds as microseconds; a replay waits for nobody, so its times say nothing. */
static void print_time(const struct report *r, const struct svmc_ledger_entry *e, uint64_t ns)
{
    if (e->sums.answered > 0 && e->timed && !r->replay)
        printf(" %10.1f", (double)ns / 1000);
    else
        printf(" %10s", "-");
}

static void print_ledger(const struct report *r)
{
    printf("\n%-12s %9s %9s %9s %9s %9s %9s %10s %10s\n", "exits", "delegated", "inside", "refused",
           "retries", "shown B", "taken B", "mean us", "worst us");
    for (uint32_t i = 0; i < r->totals.row_count; i++) {
        const struct svmc_ledger_entry *e = &r->totals.rows[i];
        const struct svmc_ledger_sums *s = &e->sums;

        if (s->exits == 0)
            continue;
        printf("%-12s %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64,
               e->name, s->delegated, s->exits - s->delegated, s->refused, s->retries,
               s->bytes_shown, s->bytes_accepted);
        print_time(r, e, s->answered ? s->ticks_total / s->answered : 0);
        print_time(r, e, s->ticks_worst);
        putchar('\n');
    }
}

static void print_chain(const struct totals *t)
{
    if (t->chains == 0) {
        printf("audit: no chain of events: this build has no libsodium\n");
        return;
    }
    printf("audit: %" PRIu64 " events, %" PRIu64 " of them overwritten, %" PRIu64
           " lost; BLAKE2b chain %s, last tag ",
           t->events, t->overwritten, t->lost, t->broken == 0 ? "holds" : "IS BROKEN");
    for (unsigned i = 0; i < 8; i++)
        printf("%02x", t->last[i]);
    putchar('\n');
}

static void print_summary(const struct report *r)
{
    uint64_t state = r->state_bytes_registers + r->state_bytes_memory;

    print_ledger(r);
    printf("%" PRIu64 " exits, %" PRIu64 " request pages, %" PRIu64 " replies refused", r->exits,
           r->stats.requests, r->stats.refused);
    printf("%s", r->stats.refused > 0 ? "\nby rule:" : "");
    for (unsigned i = 1; i <= SVMC_REPLY_RULES; i++)
        if (r->stats.refused_by_rule[i] > 0)
            printf(" R%u:%" PRIu64, i, r->stats.refused_by_rule[i]);
    printf("\nthe host was shown %" PRIu64 " bytes of the guest and gave %" PRIu64 ".\n",
           r->stats.bytes_shown, r->stats.bytes_accepted);
    print_chain(&r->totals);
    if (r->state_bytes_memory > 0)
        printf(
            "without the library it sees all at each exit: %" PRIu64 " bytes of registers (GPRs, "
            "sregs, XSAVE)\nand %" PRIu64 " of memory, over %" PRIu64 " exits %" PRIu64 " bytes\n",
            r->state_bytes_registers, r->state_bytes_memory, r->exits, state * r->exits);
    if (r->scan.ran)
        printf("scan: %" PRIu64 " bytes of the host's memory in %" PRIu64 " rounds, %" PRIu64
               " pages, %" PRIu64 " hits\n%s%s",
               r->scan.bytes, r->scan.rounds, r->scan.pages, r->scan.hits, r->scan.first_hit,
               r->scan.hits ? "\n" : "");
}

void report_begin(struct report *r)
{
    char backend[sizeof r->backend];

    if (r->json)
        return;
    snprintf(backend, sizeof backend, "%s", r->backend);
    column(backend, WIDTH_LINE - strlen("backend: "));
    printf("backend: %s\n", backend);
    if (r->from_trace)
        printf("trace: %s, recorded on\n       %s\n", r->trace, r->recorded);
    printf("guest: %s\n", r->guest);
    if (r->host[0])
        printf("host: %s\n", r->host);
    if (r->sealed[0])
        printf("sealed: %s\n", r->sealed);
    putchar('\n');
    fflush(stdout);
}

void report_end(struct report *r)
{
    if (r->json) {
        report_json(r);
        return;
    }
    if (r->line_open)
        putchar('\n');
    r->line_open = false;
    print_calls(r);
    if (r->console_dropped > 0)
        printf("console: %zu more bytes dropped\n", r->console_dropped);
    for (uint32_t i = 0; !r->quiet && i < WIRE_VCPUS_MAX; i++)
        if (r->list[i].count > 0)
            print_list(r, i);
    if (r->evil)
        print_lies(r);
    if (r->store)
        print_store(r);
    if (r->exits > 0)
        print_summary(r);
    if (r->replay)
        printf("replay: %" PRIu64 " records, every output compared\n", r->records);
    printf("backend: %s\n", r->from_trace ? "recorded trace" : "live /dev/kvm");
    printf("verdict: %s%s%s\n", r->verdict, r->why[0] ? ": " : "", r->why);
}

void report_drop(struct report *r)
{
    for (uint32_t i = 0; i < WIRE_VCPUS_MAX; i++) {
        free(r->list[i].rows);
        r->list[i] = (struct exit_list){ 0 };
    }
    free(r->refusals);
    r->refusals = NULL;
    free(r->calls);
    r->calls = NULL;
}

bool report_lies_good(const struct report *r, const uint8_t wanted[LIE_ALL], char *why, size_t cap)
{
    for (unsigned i = 0; i < LIE_COUNT; i++) {
        const char *what = r->told[i] == 0 && wanted[i] && (r->msr_exits || !lie_needs_msr(i))
                               ? "was never told"
                           : r->accepted_lies[i] > 0 ? "was accepted"
                           : wrong_rule(r, i)        ? "was refused by another rule than its own"
                           : r->refused_lies[i] != r->told[i] ? "was not refused each time"
                                                              : NULL;

        if (what) {
            snprintf(why, cap, "lie %s %s", lies[i].name, what);
            return false;
        }
    }
    if (r->changed_after_refusal > 0 || r->unexplained > 0) {
        snprintf(why, cap,
                 r->unexplained ? "a true reply was refused" : "a refused reply changed the guest");
        return false;
    }
    if (wanted[LIE_RACE] && r->flips < RACE_FLIPS) {
        snprintf(why, cap, "the race flipped only %" PRIu64 " words", r->flips);
        return false;
    }
    return true;
}
