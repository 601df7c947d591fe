/* SPDX-License-Identifier: MIT */
/** A call on its way: found, permitted, checked, made. docs/spec/hcall.md. */
#include "native_private.h"

/* HN-6: exceptions of an unknown instruction and, where there is one, of a privileged one. */
#define VECTOR_UD       6u  /* AMD APM vol. 2, 8.2.7 */
#define VECTOR_GP       13u /* AMD APM vol. 2, 8.2.14 */
#define EC_UNKNOWN      0u  /* Arm ARM D17.2.37 */
#define CAUSE_ILLEGAL   2u  /* RISC-V privileged, table of scause */
#define CODE_OPERATION  1u  /* z/Architecture Principles of Operation, figure 6-3 */
#define CODE_PRIVILEGED 2u

/* Flags of the control word that are defined beside BATCH, and all of them. */
#define KNOWN_FLAGS                                                                          \
    ((uint32_t)(SVMC_HCALL_FAST | SVMC_HCALL_TOKEN | SVMC_HCALL_TAGGED | SVMC_HCALL_RESUME | \
                SVMC_HCALL_SIMD_DEAD | SVMC_HCALL_DRY_RUN))
#define ALL_FLAGS 0xffc00000u

#define IDS_AT offsetof(struct svmc_hcall_run, vm) /* then vcpu, then what comes 0 but user */
_Static_assert(offsetof(struct svmc_hcall_run, vcpu) == IDS_AT + 4, "one copy");
_Static_assert(sizeof(struct svmc_hcall_run) == IDS_AT + 32, "three words are cleared");

CORE_COLD enum svmc_status svmc_native_answer(struct svmc_hcall_result *out, uint32_t code,
                                              unsigned bad)
{
    out->end = SVMC_HCALL_DONE;
    out->status = code | bad << SVMC_HCALL_BAD_SHIFT;
    return SVMC_OK;
}

/* HN-11: whoever takes no notice of the error tells the guest that its call failed. */
CORE_COLD static void broken(struct svmc_hcall_result *out)
{
    memset(out, 0, sizeof *out);
    out->status = SVMC_HCALL_FAILED;
}

/* HN-6 */
CORE_SMALL static enum svmc_status deny(const struct svmc_hcall_vcpu *v, uint64_t missing,
                                        bool in_batch, struct svmc_hcall_result *out)
{
    bool privilege = (missing & ~MAY_PRIVILEGE) == 0;

    if (!v->priv.vm->inject || in_batch)
        return svmc_native_answer(out, SVMC_HCALL_DENIED, 0);
    out->end = SVMC_HCALL_INJECT;
    out->status = SVMC_HCALL_DENIED;
    out->fault.raised = 1;
    switch ((enum svmc_isa)v->priv.isa) {
    case SVMC_ISA_A64:
        out->fault.vector = EC_UNKNOWN;
        out->fault.has_error = 1;
        break;
    case SVMC_ISA_RV64:
        out->fault.vector = CAUSE_ILLEGAL;
        break;
    case SVMC_ISA_S390X:
        out->fault.vector = privilege ? CODE_PRIVILEGED : CODE_OPERATION;
        break;
    default:
        out->fault.vector = privilege ? VECTOR_GP : VECTOR_UD;
        out->fault.has_error = privilege;
    }
    return SVMC_OK;
}

/* HN-12: the token, by the arguments that the handler gets, and HN-18: the same one as before. */
CORE_COLD static enum svmc_status judge(struct native_work *w, bool in_batch)
{
    const struct svmc_hcall_ops *ops = w->v->priv.vm->ops;
    struct svmc_hcall_call judged;
    struct svmc_hcall_accepted accepted = { 0 };
    enum svmc_status st;

    if (w->call->control & SVMC_HCALL_TOKEN) {
        if (!CORE_HAS_OP(ops, token))
            return svmc_native_answer(w->out, SVMC_HCALL_NOT_DEFINED, 0);
        judged = *w->call;
        memcpy(judged.arg, w->arg, sizeof judged.arg);
        judged.classes = (uint16_t)(w->entry->may >> CLASS_SHIFT);
        st = ops->token(w->v->priv.vm->ctx, w->v->priv.ids[1], &judged, &accepted);
        core_wipe(judged.token, sizeof judged.token); /* TK-14 */
        if (st == SVMC_ERR_STALE)
            return svmc_native_answer(w->out, SVMC_HCALL_TOKEN_STALE, 0);
        if (st == SVMC_ERR_AUTH)
            return deny(w->v, SVMC_HCALL_ANY_CLASS, in_batch, w->out);
        if (st != SVMC_OK || accepted.token_class - 1u >= 15)
            return SVMC_ERR_CALLBACK;
        w->token = (uint32_t)w->call->token[0]; /* the handle; a counter is of one call */
    }
    w->v->priv.run.token_class = (uint8_t)accepted.token_class;
    w->v->priv.run.rights = accepted.rights;
    w->v->priv.run.token = accepted.handle;
    if (!(w->entry->may & SVMC_HCALL_CLASS(accepted.token_class)))
        return accepted.token_class == 0 ? svmc_native_answer(w->out, SVMC_HCALL_NEED_TOKEN, 0)
                                         : deny(w->v, SVMC_HCALL_ANY_CLASS, in_batch, w->out);
    if (w->slot &&
        (w->slot->priv.token != w->token || w->slot->priv.token_class != accepted.token_class))
        return svmc_native_answer(w->out, SVMC_HCALL_BAD_ARG, 1);
    return SVMC_OK;
}

/* HN-12: who calls comes first, so that a token cannot be tried from anywhere. */
CORE_COLD static enum svmc_status permit(struct native_work *w, bool in_batch)
{
    uint64_t who = native_who(w->v, w->call);
    uint64_t missing = who & MAY_FIELDS & ~w->entry->may & ~SVMC_HCALL_ANY_CLASS;

    if (missing != 0)
        return deny(w->v, missing, in_batch, w->out);
    w->who = who & MAY_SAME;
    w->arg = w->call->arg;
    if ((w->call->control & SVMC_HCALL_RESUME) && !svmc_native_resume(w)) /* HN-18 */
        return svmc_native_answer(w->out, SVMC_HCALL_BAD_ARG, 1);
    return judge(w, in_batch);
}

/* HN-1: flags and repetitions, beside a number that is there. */
CORE_SMALL static bool is_known(const struct native_entry *e, uint64_t control)
{
    uint32_t flags = (uint32_t)control & ALL_FLAGS;

    if ((flags & ~KNOWN_FLAGS) != 0 ||
        (flags & (SVMC_HCALL_TOKEN | SVMC_HCALL_TAGGED)) == SVMC_HCALL_TAGGED)
        return false;
    if ((flags & SVMC_HCALL_FAST) && e->schema->special)
        return false;
    if ((flags & SVMC_HCALL_RESUME) && !(e->call->flags & SVMC_HCALL_MAY_PARTIAL))
        return false;
    return (control & BEFORE_ABI) == 0 ||
           ((e->call->flags & SVMC_HCALL_MAY_REPEAT) && START(control) <= REPS(control));
}

/* HN-8: all 64 bits of each are looked at, and taken. 1 to 6: the first that is not in order. */
CORE_SMALL static unsigned check(const struct native_schema *s, const uint64_t *arg,
                                 struct svmc_hcall_run *run)
{
    for (unsigned n = 0; n < REGS; n++) {
        if (arg[n] - s->check[n].min > s->check[n].span || (arg[n] & s->check[n].clear) != 0)
            return n + 1;
        run->arg[n] = arg[n];
    }
    return 0;
}

/* HN-11: a code that is none, or what there are no rules for, is the embedder's mistake. */
CORE_COLD static enum svmc_status finish(const struct native_entry *e,
                                         const struct svmc_hcall_run *run, uint32_t code,
                                         struct svmc_hcall_result *out)
{
    if (code >= SVMC_HCALL_ALL_CODES || run->bad > REGS || run->done > 0xfff ||
        (code == SVMC_HCALL_PARTIAL && !(e->call->flags & SVMC_HCALL_MAY_PARTIAL)))
        return SVMC_ERR_CALLBACK;
    (void)svmc_native_answer(out, code, code == SVMC_HCALL_BAD_ARG ? run->bad : 0);
    if (code == SVMC_HCALL_RETRY)
        out->status |= (uint32_t)run->hint << SVMC_HCALL_HINT_SHIFT;
    out->status |= (uint64_t)run->done << SVMC_HCALL_DONE_SHIFT;
    out->results = code == SVMC_HCALL_OK ? e->schema->results : 0;
    return SVMC_OK;
}

/* HN-10 HN-17: what goes with the answer of a call that is more than registers. */
CORE_SMALL static enum svmc_status settle(struct native_work *w, uint32_t code)
{
    enum svmc_status st = finish(w->entry, &w->v->priv.run, code, w->out);
    bool partial = code == SVMC_HCALL_PARTIAL;

    if (st != SVMC_OK)
        return st;
    if ((w->entry->call->flags & SVMC_HCALL_MAY_PARTIAL) && code != SVMC_HCALL_RETRY)
        svmc_native_keep(w, partial);
    if (w->v->priv.run.buffer && (partial || code == SVMC_HCALL_OK))
        svmc_native_put(w->v);
    memcpy(w->call->arg, w->v->priv.run.arg, w->out->results * sizeof w->v->priv.run.arg[0]);
    if (partial) {
        w->out->status |= (uint64_t)1 << SVMC_HCALL_CURSOR_SHIFT;
        w->out->results = 1;
        w->call->arg[0] = w->cursor;
    }
    return SVMC_OK;
}

/* HN-9 HN-13 HN-17: what a call has that is more than registers, in front of the handler. */
CORE_SMALL static enum svmc_status prepare(struct native_work *w)
{
    enum svmc_status st = SVMC_OK;

    if (w->entry->schema->special)
        st = svmc_native_fetch(w);
    if (st != SVMC_OK || w->out->end != SVMC_HCALL_BROKEN)
        return st;
    if (w->call->control & SVMC_HCALL_DRY_RUN)
        return svmc_native_answer(w->out, SVMC_HCALL_OK, 0);
    return w->entry->call->flags & SVMC_HCALL_MAY_PARTIAL ? svmc_native_cursor(w) : SVMC_OK;
}

/* Of a control word that finds no handler. */
CORE_SMALL static enum svmc_status astray(struct native_work *w)
{
    uint64_t control = w->call->control;
    uint32_t code = SVMC_HCALL_NOT_DEFINED;

    if (control >> SVMC_HCALL_ABI_SHIFT != SVMC_HCALL_ABI) /* HN-1 */
        code = SVMC_HCALL_VERSION;
    else if (w->entry && w->entry->call) /* HN-3: there was one */
        code = SVMC_HCALL_DROPPED;
    else if (w->entry && (control >> FLAGS_SHIFT) == PLAIN_CONTROL)
        return svmc_native_ask(w);
    return svmc_native_answer(w->out, code, 0);
}

/* HN-3: NULL: there is no such owner or number. */
static const struct native_entry *find(const struct svmc_hcall_table *table, uint64_t control)
{
    uint32_t number = (uint16_t)control;
    uint32_t owner = (uint32_t)control >> SVMC_HCALL_OWNER_SHIFT & (SVMC_HCALL_OWNERS - 1);
    uint32_t count = table->priv.row[owner].count; /* clamp: six bits of 64 rows */

    if (SELDOM(number >= count))
        return NULL;
    number = table->priv.row[owner].first + core_clamp(number, count); /* clamp: as above */
    return native_entries(table) + number;
}

/* HN-3 HN-5 HN-8: every call in its order; what finds something for the guest ends it. */
CORE_SMALL static enum svmc_status go(struct native_work *w, bool in_batch)
{
    const struct svmc_hcall_vm *vm = w->v->priv.vm;
    uint64_t control = w->call->control;
    enum svmc_status st;
    uint32_t code;
    unsigned bad;

    if (!is_known(w->entry, control))
        return svmc_native_answer(w->out, SVMC_HCALL_NOT_DEFINED, 0);
    st = permit(w, in_batch);
    if (st != SVMC_OK || w->out->end != SVMC_HCALL_BROKEN)
        return st;
    bad = check(w->entry->schema, w->arg, &w->v->priv.run);
    if (bad != 0)
        return svmc_native_answer(w->out, SVMC_HCALL_BAD_ARG, bad);
    w->v->priv.run.control = control;
    w->v->priv.run.ip = w->call->ip;
    w->v->priv.run.vm = w->v->priv.ids[0];
    w->v->priv.run.vcpu = w->v->priv.ids[1];
    w->v->priv.run.user = w->call->user;
    st = prepare(w);
    if (st != SVMC_OK || w->out->end != SVMC_HCALL_BROKEN)
        return st;
    code = w->entry->handler(vm->ctx, &w->v->priv.run);
    return settle(w, code);
}

CORE_COLD enum svmc_status svmc_native_one(struct svmc_hcall_vcpu *v, struct svmc_hcall_call *call,
                                           bool in_batch, struct svmc_hcall_result *out)
{
    struct native_work w = { .v = v, .call = call, .out = out };
    enum svmc_status st;

    w.entry = find(v->priv.vm->table, call->control);
    if (!w.entry || !w.entry->handler || call->control >> SVMC_HCALL_ABI_SHIFT != SVMC_HCALL_ABI)
        return astray(&w);
    memset(&v->priv.run, 0, sizeof v->priv.run);
    st = go(&w, in_batch);
    if (w.held != 0 && CORE_HAS_OP(v->priv.vm->ops, release))
        svmc_native_release(&w);
    return st;
}

/* A call of registers alone that its caller may make, by a shorter way; false: not one of those. */
static inline bool is_plain(struct svmc_hcall_vcpu *v, struct svmc_hcall_call *call,
                            struct svmc_hcall_result *out, enum svmc_status *st)
{
    const struct svmc_hcall_vm *vm = v->priv.vm;
    const struct native_entry *entry = find(vm->table, call->control);
    const struct native_schema *s;
    struct svmc_hcall_run run;
    uint32_t code;

    if (SELDOM(call->control >> FLAGS_SHIFT != PLAIN_CONTROL || !entry ||
               (native_who(v, call) & ~entry->may) != 0))
        return false;
    s = entry->schema;
    CORE_UNROLL
    for (unsigned n = 0; n < REGS; n++) {
        uint64_t value = call->arg[n];

        if (SELDOM(value - s->check[n].min > s->check[n].span || (value & s->check[n].clear) != 0))
            return false;
        run.arg[n] = value;
    }
    run.control = call->control;
    run.progress = 0;
    run.buffer = NULL;
    run.ip = call->ip;
    memcpy((uint8_t *)&run + IDS_AT, v->priv.ids, sizeof v->priv.ids);
    memset((uint8_t *)&run + IDS_AT + sizeof v->priv.ids, 0,
           sizeof run - IDS_AT - sizeof v->priv.ids);
    run.user = call->user;
    code = entry->handler(vm->ctx, &run);
    *st = SVMC_OK;
    if (SELDOM((code | run.bad | run.done) != SVMC_HCALL_OK)) {
        *st = finish(entry, &run, code, out);
    } else {
        out->end = SVMC_HCALL_DONE;
        out->results = s->results;
    }
    for (unsigned n = 0; n < REGS && n < out->results; n++)
        call->arg[n] = run.arg[n];
    return true;
}

enum svmc_status svmc_hcall_dispatch(struct svmc_hcall_vcpu *v, struct svmc_hcall_call *call,
                                     struct svmc_hcall_result *out)
{
    enum svmc_status st;

    if (!out)
        return SVMC_ERR_ARG;
    memset(out, 0, sizeof *out);
    if (SELDOM(!v || !call || !v->priv.vm || call->user > 1)) {
        broken(out);
        return SVMC_ERR_ARG;
    }
    if (SELDOM(!is_plain(v, call, out, &st)))
        st = svmc_native_apart(v, call, out);
    if (SELDOM(st != SVMC_OK))
        broken(out);
    return st;
}
