/* SPDX-License-Identifier: MIT */
/** The report as one JSON document. 64-bit values are strings: "0x...". */
#include <inttypes.h>

#include "report.h"
#include "store.h"

static void string(const char *name, const char *text, size_t n, const char *after)
{
    printf("\"%s\":\"", name);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20 || c > 0x7e)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    printf("\"%s", after);
}

static void text(const char *name, const char *value, const char *after)
{
    size_t n = 0;

    while (value[n])
        n++;
    string(name, value, n, after);
}

static void number(const char *name, uint64_t value, const char *after)
{
    printf("\"%s\":%" PRIu64 "%s", name, value, after);
}

static void words(const char *name, const uint64_t *value, unsigned n, const char *after)
{
    printf("\"%s\":[", name);
    for (unsigned i = 0; i < n; i++)
        printf("%s\"0x%" PRIx64 "\"", i ? "," : "", value[i]);
    printf("]%s", after);
}

static void row(uint32_t vcpu, const struct exit_row *e)
{
    char insn[SVMC_INSN_TEXT_MAX], address[24], hex[2 * SVMC_INSN_MAX + 1] = "";

    for (unsigned i = 0; i < e->insn_bytes; i++)
        snprintf(hex + 2 * i, 3, "%02x", e->insn[i]);
    report_insn_text(e, insn, sizeof insn);
    putchar('{');
    number("vcpu", vcpu, ",");
    number("number", e->number, ",");
    text("bytes", hex, ",");
    text("text", insn, ",");
    text("kind", svmc_kind_name(e->kind), ",");
    text("verdict", report_verdict(e), ",");
    snprintf(address, sizeof address, "0x%" PRIx64, e->address);
    text("address", address, ",");
    number("size", e->size, ",");
    number("count", e->count, ",");
    number("pages", e->requests, ",");
    words("shown", e->shown, e->shown_slots, ",");
    number("shown_data_bytes", e->shown_data, ",");
    words("taken", e->taken, e->taken_slots, ",");
    number("taken_data_bytes", e->taken_data, ",");
    if (e->fault.raised)
        number("fault", e->fault.vector, ",");
    else
        printf("\"fault\":null,");
    number("refused", e->refused, "}");
}

static void lie(const struct report *r, unsigned i)
{
    putchar('{');
    text("name", lies[i].name, ",");
    number("told", r->told[i], ",");
    number("refused", r->refused_lies[i], ",");
    number("accepted", r->accepted_lies[i], ",");
    printf("\"guest_unchanged\":%s,\"rules\":[", r->changed_lies[i] ? "false" : "true");
    for (unsigned rule = 0, first = 1; rule <= SVMC_REPLY_RULES; rule++)
        if (r->lie_rules[i] >> rule & 1u) {
            printf("%s%u", first ? "" : ",", rule);
            first = 0;
        }
    printf("]}");
}

static void refusals(const struct report *r)
{
    printf("\"refusals\":[");
    for (size_t i = 0; i < r->refusal_count; i++) {
        const struct refusal_row *e = &r->refusals[i];

        printf("%s{", i ? "," : "");
        number("vcpu", e->vcpu, ",");
        number("exit", e->exit, ",");
        text("lie", e->lie > 0 && e->lie <= LIE_ALL ? lies[e->lie - 1].name : "", ",");
        number("rule", e->rule, ",");
        printf("\"guest_unchanged\":%s}", e->unchanged ? "true" : "false");
    }
    printf("],\"lies\":[");
    for (unsigned i = 0; i < LIE_ALL; i++) {
        printf("%s", i > 0 ? "," : "");
        lie(r, i);
    }
    printf("],\"race\":{");
    number("flips", r->flips, ",");
    number("refused", r->refused_lies[LIE_RACE], ",");
    number("accepted", r->accepted_lies[LIE_RACE], "},");
    printf("\"guest_unchanged\":%s,", r->changed_after_refusal ? "false" : "true");
}

/* Ticks are nanoseconds, and left out where they say nothing. */
static void by_kind(const struct totals *t, bool replay)
{
    bool first = true;

    printf("\"by_kind\":{");
    for (uint32_t i = 0; i < t->row_count; i++) {
        const struct svmc_ledger_entry *e = &t->rows[i];
        const struct svmc_ledger_sums *s = &e->sums;

        if (s->exits == 0)
            continue;
        printf("%s\"%s\":{", first ? "" : ",", e->name);
        number("delegated", s->delegated, ",");
        number("inside", s->exits - s->delegated, ",");
        number("refused", s->refused, ",");
        number("retries", s->retries, ",");
        number("bytes_shown", s->bytes_shown, ",");
        number("bytes_accepted", s->bytes_accepted, ",");
        if (!replay && e->timed) {
            number("total_ns", s->ticks_total, ",");
            number("worst_ns", s->ticks_worst, ",");
        }
        number("answered", s->answered, "}");
        first = false;
    }
    printf("},");
}

static void audit(const struct totals *t)
{
    char last[2 * SVMC_AUDIT_TAG_BYTES + 1];

    for (unsigned i = 0; i < SVMC_AUDIT_TAG_BYTES; i++)
        snprintf(last + 2 * i, 3, "%02x", t->last[i]);
    printf("\"audit\":{");
    number("events", t->events, ",");
    number("overwritten", t->overwritten, ",");
    number("lost", t->lost, ",");
    text("chain", t->chains == 0 ? "none" : t->broken == 0 ? "holds" : "broken", ",");
    text("last_tag", t->chains > 0 ? last : "", "},");
}

static void summary(const struct report *r)
{
    uint64_t state = r->state_bytes_registers + r->state_bytes_memory;

    printf("\"summary\":{");
    number("exits", r->exits, ",");
    by_kind(&r->totals, r->replay);
    audit(&r->totals);
    number("request_pages", r->stats.requests, ",");
    number("bytes_shown", r->stats.bytes_shown, ",");
    number("bytes_accepted", r->stats.bytes_accepted, ",");
    number("state_bytes_registers", r->state_bytes_registers, ",");
    number("state_bytes_memory", r->state_bytes_memory, ",");
    number("bytes_without_library", state * r->exits, ",");
    number("retries", r->stats.retries, ",");
    number("refused", r->stats.refused, ",");
    printf("\"refused_by_rule\":{");
    for (unsigned i = 1, first = 1; i <= SVMC_REPLY_RULES; i++)
        if (r->stats.refused_by_rule[i] > 0) {
            printf("%s\"R%u\":%" PRIu64, first ? "" : ",", i, r->stats.refused_by_rule[i]);
            first = 0;
        }
    printf("},");
    printf("\"seconds\":%.3f},", r->seconds);
}

/* Only where the keeper answers hypercalls, or devices do DMA. */
static void calls(const struct report *r)
{
    printf("\"calls\":[");
    for (size_t i = 0; i < r->call_count; i++) {
        printf("%s{", i > 0 ? "," : "");
        number("vcpu", r->calls[i].vcpu, ",");
        text("text", r->calls[i].text, ",");
        number("count", r->calls[i].count, "}");
    }
    printf("],");
    number("calls_total", r->calls_total, ",");
    number("calls_unlisted", r->calls_unlisted, ",");
    printf("\"guestinfo\":[");
    for (uint32_t i = 0; r->store && i < r->store->count; i++) {
        const struct store_entry *e = &r->store->entry[i];

        printf("%s{", i > 0 ? "," : "");
        string("key", (const char *)e->key, e->key_bytes, ",");
        string("value", (const char *)e->value, e->value_bytes, ",");
        printf("\"by_guest\":%s}", e->by_guest ? "true" : "false");
    }
    printf("],");
}

void report_json(const struct report *r)
{
    printf("{\"backend\":{");
    text("type", r->from_trace ? "trace" : "kvm", ",");
    text("text", r->backend, r->from_trace ? "," : "},");
    if (r->from_trace) {
        text("trace", r->trace, ",");
        text("recorded_on", r->recorded, "},");
    }
    text("guest", r->guest, ",");
    text("host", r->host, ",");
    text("sealed", r->sealed, ",");
    string("console", (const char *)r->console, r->console_bytes, ",");
    number("console_dropped", r->console_dropped, ",");
    printf("\"exits\":[");
    for (uint32_t v = 0, first = 1; v < WIRE_VCPUS_MAX; v++)
        for (size_t i = 0; i < r->list[v].count; i++, first = 0) {
            if (!first)
                putchar(',');
            row(v, &r->list[v].rows[i]);
        }
    printf("],");
    refusals(r);
    if (r->store || r->call_count > 0)
        calls(r);
    summary(r);
    if (r->scan.ran) {
        printf("\"scan\":{");
        number("rounds", r->scan.rounds, ",");
        number("bytes", r->scan.bytes, ",");
        number("pages", r->scan.pages, ",");
        number("hits", r->scan.hits, ",");
        number("unreadable_mappings", r->scan.skipped, ",");
        printf("\"failed\":%s,", r->scan.failed ? "true" : "false");
        text("first_hit", r->scan.first_hit, "},");
    }
    if (r->final_state)
        words("final_state", &r->final_state, 1, ",");
    if (r->replay)
        number("replayed_records", r->records, ",");
    text("verdict", r->verdict, ",");
    text("why", r->why, ",");
    printf("\"exit_status\":%d}\n", r->status);
}
