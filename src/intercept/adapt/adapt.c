/* SPDX-License-Identifier: MIT */
/** The four ways through a row of a foreign form: AP-1 to AP-8. */
#include "adapt_private.h"

/* The form's description; false: there is no such form, or no area for it. */
static bool open_form(const struct svmc_foreign *foreign, struct adapt_form *form)
{
    memset(form, 0, sizeof *form);
    if (!foreign || !core_shared_usable(foreign->area))
        return false;
    switch (foreign->format) {
    case SVMC_FOREIGN_GHCB:
        svmc_adapt_ghcb_form(form);
        break;
    case SVMC_FOREIGN_KVM:
        svmc_adapt_kvm_form(form);
        break;
    case SVMC_FOREIGN_TDX:
        svmc_adapt_tdx_form(form);
        break;
    case SVMC_FOREIGN_RMM:
        svmc_adapt_rmm_form(form);
        break;
    case SVMC_FOREIGN_S390:
        svmc_adapt_s390_form(form);
        break;
    default:
        return false;
    }
    if (form->data_outside && foreign->sida) /* AP-52 */
        form->data_most = foreign->sida_bytes;
    return ((uintptr_t)foreign->sida & (CORE_WORD - 1)) == 0 &&
           foreign->area_bytes >= form->area_bytes &&
           (foreign->format != SVMC_FOREIGN_GHCB || (foreign->gpa & 0xfff) == 0);
}

/* s390 keeps its fields with the most significant byte first. */
static uint64_t ordered(const struct adapt_form *form, uint64_t word)
{
    uint64_t turned = 0;

    for (uint32_t i = 0; i < CORE_WORD; i++)
        turned = turned << 8 | (word >> (8 * i) & 0xff);
    return form->big_endian ? turned : word;
}

/* AP-1: each place once, into a copy; nothing is read again. */
static void load(const struct svmc_foreign *from, const struct adapt_form *form,
                 struct adapt_words *w)
{
    memset(w, 0, sizeof *w);
    for (uint32_t i = 0; i < form->places && i < PLACES; i++)
        w->word[i] = ordered(form, core_shared_get(from->area, form->offsets[i]));
    if (form->data_outside && form->data_most >= CORE_WORD)
        w->word[OUTSIDE] = core_shared_get(from->sida, 0);
}

static void store(const struct adapt_form *form, volatile void *area, const struct adapt_words *w)
{
    for (uint32_t i = 0; i < form->places && i < PLACES; i++)
        if (w->filled >> i & 1)
            core_shared_put(area, form->offsets[i], ordered(form, w->word[i]));
}

static void ask(const struct svmc_foreign *to, const struct adapt_form *form, struct adapt_words *w)
{
    struct adapt_words before;

    switch (to->format) {
    case SVMC_FOREIGN_GHCB:
        svmc_adapt_ghcb_ask(w);
        break;
    case SVMC_FOREIGN_TDX:
        svmc_adapt_tdx_ask(w);
        break;
    case SVMC_FOREIGN_S390:
        load(to, form, &before);
        svmc_adapt_s390_ask(&before, w);
        break;
    default:
        break;
    }
}

static uint32_t verdict(const struct svmc_foreign *from, const struct adapt_row *row,
                        const struct svmc_request *r, const struct adapt_words *w,
                        struct svmc_reply *out)
{
    switch (from->format) {
    case SVMC_FOREIGN_GHCB:
        return svmc_adapt_ghcb_verdict(row, r, w, out);
    case SVMC_FOREIGN_KVM:
        return svmc_adapt_kvm_verdict(row, w, out);
    case SVMC_FOREIGN_TDX:
        return svmc_adapt_tdx_verdict(row, r, w, out);
    case SVMC_FOREIGN_RMM:
        return svmc_adapt_rmm_verdict(row, r, w, out);
    default:
        return svmc_adapt_s390_verdict(w, out);
    }
}

static bool heard(const struct svmc_foreign *from, const struct adapt_row *row,
                  const struct adapt_words *w)
{
    switch (from->format) {
    case SVMC_FOREIGN_GHCB:
        return svmc_adapt_ghcb_heard(row, w);
    case SVMC_FOREIGN_TDX:
        return svmc_adapt_tdx_heard(row, w);
    default:
        return true;
    }
}

static bool say(const struct svmc_foreign *to, const struct adapt_form *form,
                const struct adapt_row *row, const struct svmc_request *r,
                const struct svmc_reply *reply, struct adapt_words *w)
{
    struct adapt_words before;

    switch (to->format) {
    case SVMC_FOREIGN_GHCB:
        return svmc_adapt_ghcb_say(reply, w);
    case SVMC_FOREIGN_KVM:
        return svmc_adapt_kvm_say(row, reply, w);
    case SVMC_FOREIGN_TDX:
        return svmc_adapt_tdx_say(row, r, reply, w);
    case SVMC_FOREIGN_RMM:
        return svmc_adapt_rmm_say(row, r, reply, w);
    default:
        load(to, form, &before);
        return svmc_adapt_s390_say(reply, &before, w);
    }
}

/* AP-14: a list has its header in front, where other strings begin. */
static uint32_t header_bytes(const struct adapt_row *row)
{
    return row->kind == SVMC_KIND_PAGE_STATE ? CORE_WORD : 0;
}

/*
 * AP-45: the registers of a Host call lie from one place on, another one for each way; its
 * immediate is a place of its own.
 */
static bool is_host_call(const struct adapt_row *row)
{
    return row->kind == SVMC_KIND_HOST_CALL;
}

static void load_host_call(const volatile void *area, const uint16_t *offsets,
                           const struct adapt_words *w, uint32_t at, uint8_t *data, size_t n)
{
    uint32_t begin = offsets[at & (PLACES - 1)]; /* clamp: our own place */
    size_t taken = 0;                            /* bytes that are in places, and were loaded so */

    /* clamp: our own places */
    for (; at < PLACES && offsets[at & (PLACES - 1)] == begin + taken; at++) {
        core_store_le64(data + CORE_WORD + taken, w->word[at & (PLACES - 1)]);
        taken += CORE_WORD;
    }
    core_shared_read(area, begin + (uint32_t)taken, data + CORE_WORD + taken,
                     n - CORE_WORD - taken);
}

static uint32_t data_at(const struct adapt_form *form, const struct adapt_row *row)
{
    return form->offsets[form->data_place & (PLACES - 1)] + header_bytes(row);
}

void svmc_adapt_load_string(const struct svmc_foreign *from, const struct adapt_form *form,
                            const struct adapt_row *row, const struct adapt_words *w, uint8_t *data,
                            size_t n)
{
    const volatile void *base = form->data_outside ? from->sida : from->area;
    uint32_t at = form->data_outside ? 0 : data_at(form, row);
    uint8_t first[CORE_WORD];

    if (header_bytes(row) != 0) { /* and the header is that word */
        core_shared_read(base, at, data, n);
        return;
    }
    core_store_le64(first, form->data_outside ? w->word[OUTSIDE]
                                              : w->word[form->data_place & (PLACES - 1)]);
    memcpy(data, first, n < CORE_WORD ? n : CORE_WORD);
    if (n > CORE_WORD)
        core_shared_read(base, at + CORE_WORD, data + CORE_WORD, n - CORE_WORD);
}

static void store_string(const struct svmc_foreign *to, const struct adapt_form *form,
                         const struct adapt_row *row, const uint8_t *data, size_t n)
{
    if (form->data_outside)
        core_shared_write(to->sida, 0, data, n);
    else if (form->data_most > 1)
        core_shared_write(to->area, data_at(form, row), data, n);
}

static const struct adapt_row *find_row(const struct adapt_form *form, uint16_t kind)
{
    for (uint32_t i = 0; i < form->row_count; i++)
        if (form->rows[i].kind == kind)
            return &form->rows[i];
    return NULL;
}

static bool is_string(const struct adapt_row *row)
{
    return svmc_intercept_rule(row->kind)->string != 0;
}

static bool is_in(const struct adapt_row *row)
{
    return (svmc_intercept_rule(row->kind)->direction & SVMC_DIRECTION_IN) != 0;
}

static bool is_out(const struct adapt_row *row)
{
    return (svmc_intercept_rule(row->kind)->direction & SVMC_DIRECTION_OUT) != 0;
}

/* AP-9: a part of a block, or data in both directions where the row has not; no form has these. */
static bool is_strange(const struct adapt_row *row, const struct svmc_request *r)
{
    const struct exit_rule *rule = svmc_intercept_rule(row->kind);

    return r->completion > SVMC_COMPLETION_CHUNK || (is_block(rule) && r->address != 0) ||
           (r->direction >= SVMC_DIRECTION_INOUT && rule->direction != SVMC_DIRECTION_INOUT);
}

/*
 * The request as the form takes it: of a string as many elements as there is room for (AP-4). It is
 * worked out of the request alone, so emit and absorb mean the same elements.
 */
static enum svmc_status shape(const struct adapt_form *form, const struct adapt_row *row,
                              const struct svmc_request *request, struct svmc_request *part)
{
    uint32_t most;

    *part = *request;
    if (is_strange(row, request))
        return SVMC_ERR_UNSUPPORTED;
    if (!is_string(row))
        return request->count <= 1 ? SVMC_OK : SVMC_ERR_ARG;
    if (request->size == 0 || request->count == 0 ||
        (uint64_t)request->size * request->count > SVMC_PAGE_DATA_BYTES ||
        (is_host_call(row) && request->size != svmc_intercept_rule(row->kind)->string))
        return SVMC_ERR_ARG;
    most = form->data_most == 1 ? 1 : (form->data_most - header_bytes(row)) / request->size;
    if (most == 0)
        return SVMC_ERR_UNSUPPORTED;
    if (part->count > most)
        part->count = most;
    return SVMC_OK;
}

/* AP-3: the words of a request; false: something of it has no room. */
static bool fill(const struct svmc_foreign *to, const struct adapt_row *row,
                 const struct svmc_request *part, const uint8_t *data, struct adapt_words *w)
{
    uint64_t slots = 0, word = 0;

    memset(w, 0, sizeof *w);
    for (uint32_t i = 0; i < row->in_count && i < MOVES_IN; i++) {
        const struct move *m = &row->in[i];

        if (!svmc_adapt_item_get(m, part, data, to->gpa, &word))
            return false;
        adapt_put(w, m->at, word);
        if (m->item == ITEM_IN || m->item == ITEM_IN32 || m->item == ITEM_LENGTH ||
            m->item == ITEM_ESR_CLASS)
            slots |= (uint64_t)1 << (m->n & 7);
    }
    return (part->in_valid & ~slots) == 0;
}

enum svmc_status svmc_adapt_emit(const struct svmc_foreign *to, const struct svmc_request *request,
                                 const uint8_t *data)
{
    const struct adapt_row *row;
    struct adapt_form form;
    struct adapt_words w;
    struct svmc_request part;
    enum svmc_status st;

    if (!request || !open_form(to, &form))
        return SVMC_ERR_ARG;
    row = find_row(&form, request->kind);
    if (!row)
        return SVMC_ERR_UNSUPPORTED;
    st = shape(&form, row, request, &part);
    if (st == SVMC_OK && is_string(row) && is_out(row) && !data)
        st = SVMC_ERR_ARG;
    if (st != SVMC_OK)
        return st;
    if (!fill(to, row, &part, data, &w))
        return SVMC_ERR_UNSUPPORTED;
    ask(to, &form, &w);
    for (uint32_t i = 0; i < 2; i++) /* AP-2 */
        core_shared_zero(to->area, form.clear_at[i], form.clear_end[i]);
    store(&form, to->area, &w);
    if (form.data_outside && form.data_most > 0) /* AP-52: nothing of an earlier exit */
        core_shared_zero(to->sida, 0, form.data_most);
    if (is_host_call(row))
        core_shared_write(to->area, form.offsets[row->in[2].at & (PLACES - 1)], data + CORE_WORD,
                          part.size - CORE_WORD);
    else if (is_string(row) && is_out(row))
        store_string(to, &form, row, data, (size_t)part.count * part.size);
    return SVMC_OK;
}

/* What the answer brings with it: R6, R8 and R11 check it all once more. */
static void bring(const struct svmc_foreign *from, const struct adapt_form *form,
                  const struct adapt_row *row, const struct svmc_request *request,
                  const struct svmc_request *part, const struct adapt_words *w,
                  struct svmc_reply *reply, uint8_t *data)
{
    reply->done = part->count;
    for (uint32_t i = 0; i < row->out_count && i < MOVES_OUT; i++)
        svmc_adapt_out_get(&row->out[i], part, w->word[row->out[i].at & (PLACES - 1)], reply, data);
    if (!is_string(row))
        return;
    if (reply->done < request->count) /* AP-4 */
        reply->status = SVMC_REPLY_PARTIAL;
    if (!is_in(row))
        return;
    reply->data_bytes = part->count * part->size;
    if (is_host_call(row)) {
        core_store_le64(data, 0);
        load_host_call(from->area, form->offsets, w, row->out[0].at, data, reply->data_bytes);
    } else if (form->data_most > 1) {
        svmc_adapt_load_string(from, form, row, w, data, reply->data_bytes);
    }
}

enum svmc_status svmc_adapt_absorb(const struct svmc_foreign *from,
                                   const struct svmc_request *request, struct svmc_reply *reply,
                                   uint8_t *data, uint32_t *rule)
{
    const struct adapt_row *row;
    struct adapt_form form;
    struct adapt_words w;
    struct svmc_request part;
    enum svmc_status st;
    uint32_t broken;

    if (rule)
        *rule = 0;
    if (!reply)
        return SVMC_ERR_ARG;
    memset(reply, 0, sizeof *reply);
    if (!request || !open_form(from, &form))
        return SVMC_ERR_ARG;
    row = find_row(&form, request->kind);
    if (!row)
        return SVMC_ERR_UNSUPPORTED;
    if (request->completion == SVMC_COMPLETION_NONE) /* AP-5 */
        return SVMC_ERR_STATE;
    st = shape(&form, row, request, &part);
    if (st == SVMC_OK && is_string(row) && is_in(row) && !data)
        st = SVMC_ERR_ARG;
    if (st != SVMC_OK)
        return st;
    load(from, &form, &w);
    broken = verdict(from, row, &part, &w, reply);
    if (broken != 0) { /* AP-6 */
        memset(reply, 0, sizeof *reply);
        if (rule)
            *rule = broken;
        return SVMC_ERR_HOST_REPLY;
    }
    reply->seq = request->seq;
    if (reply->status == SVMC_REPLY_DONE)
        bring(from, &form, row, request, &part, &w, reply, data);
    return SVMC_OK;
}

/* AP-53: how long an SCCB says that it is, if that goes in one exchange. */
static uint32_t sccb_bytes(const struct adapt_words *w)
{
    uint32_t bytes =
        (uint32_t)(w->word[OUTSIDE] << 8 & 0xff00) | (uint32_t)(w->word[OUTSIDE] >> 8 & 0xff);

    return bytes >= CORE_WORD && bytes <= SVMC_PAGE_DATA_BYTES ? bytes : 0;
}

static uint32_t block_bytes(const struct exit_rule *rule, const struct adapt_words *w)
{
    if (rule->kind == SVMC_KIND_SERVC)
        return sccb_bytes(w);
    return is_block(rule) ? rule->string : 0;
}

/* A request out of a row; false: it does not fit. */
static bool parse(const struct svmc_foreign *from, const struct adapt_form *form,
                  const struct adapt_row *row, const struct adapt_words *w,
                  struct svmc_request *out)
{
    const struct exit_rule *rule = svmc_intercept_rule(row->kind);
    bool power = row->kind == SVMC_KIND_HCALL;
    struct svmc_exit exit = { .isa = power ? SVMC_ISA_PPC64 : (uint8_t)form->isa };

    memset(out, 0, sizeof *out);
    out->kind = row->kind;
    out->count = 1;
    out->size = power ? 8 : block_bytes(rule, w);
    if (is_block(rule) && out->size == 0)
        return false;
    for (uint32_t i = 0; i < row->in_count && i < MOVES_IN; i++)
        if (!svmc_adapt_item_set(&row->in[i], w->word[row->in[i].at & (PLACES - 1)], from->gpa,
                                 out))
            return false;
    out->direction = rule->direction;
    out->completion = rule->statuses == 0 ? SVMC_COMPLETION_NONE
                      : rule->string      ? SVMC_COMPLETION_CHUNK
                                          : SVMC_COMPLETION_SINGLE;
    if (out->completion == SVMC_COMPLETION_NONE)
        out->count = 0;             /* PG-8 */
    exit.size = (uint8_t)out->size; /* an item's: at most 8 */
    exit.address = out->address;
    core_store_le64(out->insn, svmc_intercept_insn_text(rule, &exit));
    return (uint64_t)out->size * out->count <= form->data_most || !rule->string;
}

/* AP-8: the first row that fits; *known: one at least has this code. */
static const struct adapt_row *find_request(const struct svmc_foreign *from,
                                            const struct adapt_form *form,
                                            const struct adapt_words *w, struct svmc_request *out,
                                            bool *known)
{
    for (uint32_t i = 0; i < form->row_count; i++) {
        const struct adapt_row *row = &form->rows[i];
        const struct move *code = &row->in[0];

        if (!svmc_adapt_item_set(code, w->word[code->at & (PLACES - 1)], from->gpa, out))
            continue;
        *known = true;
        if (parse(from, form, row, w, out) && heard(from, row, w))
            return row;
    }
    return NULL;
}

enum svmc_status svmc_adapt_decode(const struct svmc_foreign *from, struct svmc_request *out,
                                   uint8_t *data)
{
    const struct adapt_row *row;
    struct adapt_form form;
    struct adapt_words w;
    bool known = false;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (!open_form(from, &form))
        return SVMC_ERR_ARG;
    load(from, &form, &w);
    row = find_request(from, &form, &w, out, &known);
    if (!row) {
        memset(out, 0, sizeof *out);
        return known ? SVMC_ERR_MISMATCH : SVMC_ERR_UNSUPPORTED;
    }
    if (is_host_call(row) && data) {
        core_store_le64(data, w.word[row->in[1].at & (PLACES - 1)]);
        load_host_call(from->area, form.offsets, &w, row->in[2].at, data, out->size);
    } else if (is_string(row) && is_out(row) && data) {
        svmc_adapt_load_string(from, &form, row, &w, data, (size_t)out->size * out->count);
    }
    return SVMC_OK;
}

/* Whether a reply is a whole answer to this request. */
static bool reply_fits(const struct adapt_row *row, const struct svmc_request *r,
                       const struct svmc_reply *reply, const uint8_t *data)
{
    struct svmc_reply all = { .out_valid = 0 };
    bool data_in = is_string(row) && is_in(row);

    if (reply->status != SVMC_REPLY_DONE)
        return reply->out_valid == 0 && reply->done == 0 && reply->data_bytes == 0;
    for (uint32_t i = 0; i < row->out_count && i < MOVES_OUT; i++)
        if (row->out[i].item != ITEM_OUT_ELEMENT)
            svmc_adapt_out_get(&row->out[i], r, 0, &all, NULL);
    return reply->out_valid == all.out_valid && reply->done == r->count &&
           reply->data_bytes == (data_in ? (uint64_t)r->size * r->count : 0) && (!data_in || data);
}

enum svmc_status svmc_adapt_answer(const struct svmc_foreign *to,
                                   const struct svmc_request *request,
                                   const struct svmc_reply *reply, const uint8_t *data)
{
    const struct adapt_row *row;
    struct adapt_form form;
    struct adapt_words w;
    struct svmc_request part;

    if (!request || !reply || !open_form(to, &form))
        return SVMC_ERR_ARG;
    row = find_row(&form, request->kind);
    if (!row)
        return SVMC_ERR_UNSUPPORTED;
    if (request->completion == SVMC_COMPLETION_NONE)
        return SVMC_ERR_STATE;
    if (reply->status == SVMC_REPLY_PARTIAL)
        return SVMC_ERR_UNSUPPORTED;
    if (is_strange(row, request))
        return SVMC_ERR_UNSUPPORTED;
    if (shape(&form, row, request, &part) != SVMC_OK || part.count != request->count ||
        !reply_fits(row, request, reply, data))
        return SVMC_ERR_ARG;
    memset(&w, 0, sizeof w);
    for (uint32_t i = 0; i < row->out_count && i < MOVES_OUT && reply->status == SVMC_REPLY_DONE;
         i++)
        if (svmc_adapt_out_has(&row->out[i], request))
            adapt_put(&w, row->out[i].at, svmc_adapt_out_set(&row->out[i], request, reply, data));
    if (!say(to, &form, row, request, reply, &w))
        return SVMC_ERR_UNSUPPORTED;
    if (is_host_call(row) && reply->data_bytes > CORE_WORD)
        core_shared_write(to->area, form.offsets[row->out[0].at & (PLACES - 1)], data + CORE_WORD,
                          reply->data_bytes - CORE_WORD);
    else if (reply->data_bytes > 0)
        store_string(to, &form, row, data, reply->data_bytes);
    store(&form, to->area, &w);
    return SVMC_OK;
}
