#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each check of the intercept, taken out of the shipped source, is missed by a test.

A row names the rule, the file, the text of the check, which must stand there exactly once, and what
replaces it. The mutant is compiled, linked in front of the core, and the intercept tests run on it:
a mutant that passes them is a FAIL, and so are a rule of docs/spec/reply.md or offer.md without a
mutant (but where the document says that no row declares what it is about) and a row of this file
whose text is not there any more. The unchanged source must pass, or nothing is proved. A run ends
with the first failed check: what counts is that there is one."""
import os
import re
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/checks"))
from common import (Report, core_flags, edited, first_error, need_tools,  # noqa: E402
                    parallel, run, sources)

SECONDS = 60  # of processor time: a mutant may loop, and that is noticed too

R, A = "src/intercept/", "src/intercept/adapt/"
ANY = "call_begin(vc, out, vc && vc->priv.pending.active)"  # whatever is pending
MUTANTS = (
    ("R1", R + "exit.c", "call_begin(vc, out, false)", ANY),
    ("R2", R + "reply.c", "if (reply->seq != pending->seq)", "if (0)"),
    ("R3", R + "usual.c", "    fetch(vc->priv.page, &f);\n",
     "    fetch(vc->priv.page, &f);\n"
     "    f.out[0] = core_shared_get(vc->priv.page, SVMC_PAGE_REP_OUT);\n"),
    ("R4", R + "reply.c", "if (reply->status >= 8 || !(rule->statuses >> reply->status & 1u))",
     "if (reply->status >= 8)"),
    ("R4", R + "reply.c", "if (reply->status >= 8 || ", "if ("),
    ("R5", R + "reply.c", "fetched->reserved | ", ""),
    ("R5", R + "reply.c", "fetched->status >> 32 | ", ""),
    ("R5", R + "reply.c", " | fetched->fault >> 8", ""),
    ("R2", R + "usual.c", "(f->seq ^ p->seq) | ", ""),
    ("R4", R + "usual.c", "(f->status ^ SVMC_REPLY_DONE) | ", ""),
    ("R5", R + "usual.c", " | f->reserved;", ";"),
    ("R6", R + "usual.c", "(f->out_valid ^ rule->out_valid) | ", ""),
    ("R7", R + "usual.c", "f->fault | ", ""),
    ("R8", R + "usual.c", "f->out[0] & rule->beyond[0];", "0;"),
    ("R8", R + "usual.c", "f->out[1] & rule->beyond[1];", "0;"),
    ("R8", R + "usual.c", "(f->out[2] | f->out[3]) & rule->beyond[2];",
     "f->out[2] & rule->beyond[2];"),
    ("R8", R + "usual.c", "(f->out[2] | f->out[3]) & rule->beyond[2];",
     "f->out[3] & rule->beyond[2];"),
    ("R8", R + "usual.c", " & ~width_of(&p->exit)->mask;", " & 0;"),
    ("R8", R + "usual.c", "f->more | ", ""),
    ("R11", R + "usual.c", "(f->done ^ 1) |", ""),
    ("R13", R + "usual.c", "(p->counter != 0 && svmc_intercept_time_check(", "(0 && svmc_intercept_time_check("),
    ("R13", R + "usual.c", "svmc_intercept_time_ask(vc);", ";"),
    ("R13", R + "usual.c",
     "svmc_intercept_time_note(vc, svmc_intercept_time_of(rule, results[0], results[1]));", ";"),
    ("R14", R + "usual.c", "return !svmc_intercept_is_pinned(policy);", "return true;"),
    ("R16", R + "usual.c", "vc->priv.refusals = 0;", ";"),
    ("R17", R + "usual.c", "    forget_usual(p);\n    return SVMC_OK;",
     "    p->active = p->usual = 0;\n    return SVMC_OK;"),
    ("R17", R + "usual.c", "core_wipe((uint8_t *)p + row, sizeof *p - row);",
     "core_wipe((uint8_t *)p + row, offsetof(struct svmc_pending, retries) - row);"),
    ("R17", R + "usual.c", "    wipe_areas(vc->priv.page);\n", ""),
    ("EX-1", R + "usual.c", "SVMC_FROM_STRING_REGS | 0xf0, 0, 0, 0, 0, 0xf0, 0xe0, 0xfe",
     "SVMC_FROM_STRING_REGS | 0xf0, 0, 0, 0, 0, 0xf0, 0, 0xfe"),
    ("EX-1", R + "usual.c", "SVMC_FROM_STRING_REGS | 0xf0, 0, 0, 0, 0, 0xf0, 0xe0, 0xfe",
     "SVMC_FROM_STRING_REGS | 0xf0, 0, 0, 0, 0, 0xf0, 0xe0, 0"),
    ("EX-1", R + "usual.c", "((uint32_t)rule->usual >> (e->isa & 31) & 1u) &&",
     "rule->usual != 0 &&"),
    ("EX-4", R + "usual.c", "rule->kind == e->kind && ", ""),
    ("PG-5", R + "usual.c", " & width->text;", ";"),
    ("PG-6", R + "usual.c", "vc->priv.pending.exit.value & width->mask;",
     "vc->priv.pending.exit.value;"),
    ("PG-6", R + "usual.c", "in[0] &= rule->in[0].mask;", ""),
    ("PG-6", R + "usual.c", "in[1] &= rule->in[1].mask;", ""),
    ("EX-1", R + "usual.c", "size_is_sound(rule, e->size) &&", ""),
    ("EX-1", R + "usual.c", "(rule->out[0].place != PLACE_DEST || dest_is_sound(e))", "true"),
    ("EX-1", R + "usual.c", "e->insn_bytes - 1u < SVMC_INSN_MAX &&", ""),
    ("EX-1", R + "usual.c", "e->count == 1 &&", ""),
    ("EX-5", R + "usual.c", "svmc_intercept_judge(policy, rule, e) == SVMC_VERDICT_DELEGATE;",
     "svmc_intercept_judge(policy, rule, e) != SVMC_VERDICT_FAULT;"),
    ("HC-1", R + "usual.c", "e->address == policy->priv.doorbell - (uint64_t)1", "0"),
    ("EV-5", R + "usual.c", " || e->interrupted.type != SVMC_EVENT_NONE", ""),
    ("R6", R + "reply.c", "if (r->out_valid != want_valid)", "if (r->out_valid & ~want_valid)"),
    ("R6", R + "reply.c", "if (r->out_valid != want_valid)", "if (want_valid & ~r->out_valid)"),
    ("R7", R + "reply.c", "!(rule->faults >> r->fault & 1u)", "0"),
    ("R7", R + "reply.c", ": r->fault != SVMC_FAULT_NONE)", ": 0)"),
    ("R7", R + "fault.c", "fault.has_error = gp;", "fault.has_error = 0;"),
    ("R8", R + "reply.c", "~(i < declared ? rule->out[i].mask & sized : 0);",
     "~(i < declared ? rule->out[i].mask : 0);"),
    ("R8", R + "reply.c", "~(i < declared ? rule->out[i].mask & sized : 0);",
     "~(i < declared ? sized : 0);"),
    ("R8", R + "reply.c", "~(i < declared ? rule->out[i].mask & sized : 0);",
     "~(i < declared ? rule->out[i].mask & sized : ~(uint64_t)0);"),
    ("R9", R + "commit.c", "*value = (old & ~(mask << shift)) | *value << shift;", ";"),
    ("R9", R + "commit.c", "unsigned shift = exit->dest_high ? 8 : 0;", "unsigned shift = 0;"),
    ("R9", R + "stages.h", "if (exit->dest_extend == SVMC_EXTEND_SIGN)", "if (0)"),
    ("R10", R + "reply.c", "svmc_intercept_is_legal(check, &p->exit, r->out);", "true;"),
    ("R10", R + "calls.c", "(CC_SET(check) >> value & 1u) &&", ""),
    ("R10", R + "calls.c", "return H_CODES >> value & 1u;", "return true;"),
    ("R10", R + "calls.c", "value >= H_FLAG_LAST && value < 0", "value < 0"),
    ("EX-69", R + "calls.c", "number % HCALL_STEP != 0", "0"),
    ("EX-69", R + "calls.c", "return args <= row >> 4 && ", "return (args || true) && "),
    ("EX-69", R + "calls.c", "results >= 1 && results <= (row & 7u)", "results >= 1"),
    ("R10", R + "calls.c", "return value > -16 && (legal >> (0 - value) & 1u);",
     "return value > -16;"),
    ("R10", R + "calls.c", "return value < 14 && (legal >> (16 + value) & 1u);",
     "return value < 14;"),
    ("R10", R + "calls.c", "(number <= 0 && number >= -SBI_CODES)", "number <= 0"),
    ("EX-58", R + "policy.c", "said != 0 ? said - 1 : rule->verdict;", "rule->verdict;"),
    ("EX-59", R + "inside.c",
     "if (moves && vc->priv.ops->reg_read(vc->priv.ctx, reg, &pc) != SVMC_OK)",
     "if (moves && vc->priv.ops->reg_read(vc->priv.ctx, reg, &pc) != SVMC_OK && 0)"),
    ("EX-54", R + "policy.c", "if (exit->kind == SVMC_KIND_HVC &&", "if (0 && exit->kind &&"),
    ("R11", R + "reply.c", "r->status == SVMC_REPLY_DONE      ? r->done != p->issued",
     "r->status == SVMC_REPLY_DONE      ? r->done > p->issued"),
    ("R11", R + "reply.c", "r->done == 0 || r->done >= p->issued", "r->done >= p->issued"),
    ("R11", R + "reply.c", "r->done == 0 || r->done >= p->issued", "r->done == 0"),
    ("R11", R + "reply.c", "if (r->data_bytes != (data_in ? (uint64_t)r->done * p->exit.size : 0))",
     "(void)data_in; if (0)"),
    ("R11", R + "enter.c", "if (vc->priv.pending.retries >= vc->priv.policy->priv.retry_limit)",
     "if (0)"),
    ("R12", R + "commit.c",
     "        if (st != SVMC_OK || outcome->fault.raised)\n            return st;\n    }\n    step",
     "        if (st != SVMC_OK)\n            return st;\n    }\n    step"),
    ("R12", R + "commit.c", "fault->vector < vectors", "true"),
    ("R12", R + "commit.c",
     "if (st != SVMC_OK || outcome->fault.raised)\n            return st;\n        end",
     "if (st != SVMC_OK)\n            return st;\n        end"),
    ("R12", R + "commit.c", "if ((gpa.v & (PAGE - 1)) != (at & (PAGE - 1)))", "if (0)"),
    ("R13", R + "time.c", "if (time < last->value)\n", "if (0)\n"),
    ("R13", R + "time.c", "time - last->value > now - last->clock", "0"),
    ("R13", R + "time.c", "if (now < last->clock)", "if (0)"),
    ("R13", R + "time.c", "vc->priv.time[0].known = 0;", ";"),
    ("R13", R + "exit.c", "svmc_intercept_time_ask(vc);", ";"),
    ("R13", R + "commit.c",
     "ops->reg_write(vc->priv.ctx, SVMC_REG_RCX, aux & UINT32_MAX);", ";"),
    ("R14", R + "exit.c", "if (st == SVMC_OK && inside)", "if (0)"),
    ("R14", R + "identity.c", "*inside = *inside || row;", ""),
    ("R15", R + "usual.c",
     "call_begin(vc, out, true)", ANY),
    ("R16", R + "enter.c", "if (++vc->priv.refusals >= vc->priv.policy->priv.refusal_limit)",
     "if (0)"),
    ("R16", R + "enter.c",
     "vc->priv.stats.refused_by_rule[core_clamp(rule, SVMC_REPLY_RULES + 1)]++;", ""),
    ("R16", R + "enter.c", "        vc->priv.refusals = 0;\n", "        ;\n"),
    ("R17", R + "enter.c",
     "svmc_intercept_page_wipe(vc, rule->string ? p->issued * p->exit.size : 0);", ""),
    ("R17", R + "enter.c", "            forget(vc);\n", "            p->active = 0;\n"),
    ("R17", R + "usual.c",
     "core_shared_clear(page, SVMC_PAGE_REP_OUT, SLOTS_OUT);", ""),
    ("R17", R + "page.c", "at < SVMC_PAGE_REP_OUT + SLOTS_OUT * CORE_WORD;",
     "at < SVMC_PAGE_REP_OUT;"),
    ("R18", R + "reply.c", "if (reply->seq >> 48 != id)", "if (0 && id)"),
    ("PG-1", R + "page.c", "    if (bytes < used)\n", "    if (0)\n"),
    ("PG-6", R + "page.c", "*in &= s->bytes != 0 ? s->mask : core_mask(exit->size);", ""),
    ("PG-1", R + "stages.h", "core_shared_clear(page, SVMC_PAGE_REQ_IN + CORE_WORD * slots,",
     "core_shared_clear(page, SVMC_PAGE_REQ_IN + CORE_WORD * slots, 0 *"),
    ("EX-4", R + "intercept_private.h",
     "return rule->kind == kind ? rule : svmc_intercept_rules;", "return rule;"),
    ("EX-5", R + "policy.c", "if ((gpa & 0xfff) + size > 4096)", "if (0)"),
    ("EX-10", R + "resolve.c", "core_mask(rule->address)", "UINT64_MAX"),
    ("EV-5", R + "exit.c", "if (exit->interrupted.type != SVMC_EVENT_NONE)", "if (0)"),
    ("R3", R + "offer.c", "    return offer->reserved | core_shared_any",
     "    offer->seq = core_shared_get(area, SVMC_OFFER_SEQ);\n"
     "    return offer->reserved | core_shared_any"),
    ("OF-1", R + "offer.c", "    if (reserved != 0)\n", "    if (0)\n"),
    ("OF-1", R + "offer.c", "return offer->reserved | core_shared_any", "return core_shared_any"),
    ("OF-1", R + "offer.c", "    core_shared_zero(offers->priv.area, 0, HOST_END);\n", ""),
    ("OF-2", R + "offer.c", "if (offer->seq != next_seq(o))", "if (0)"),
    ("OF-2", R + "offer.c", "    o->priv.seq_count++;\n", ""),
    ("OF-3", R + "offer_rows.c", "rows[i].kind == kind && rows[i].isa == isa",
     "rows[i].kind == kind + 0 * isa"),
    ("OF-3", R + "offer.c", "(row->line ? SVMC_OFFER_LOWER : SVMC_OFFER_RAISE)",
     "SVMC_OFFER_LOWER"),
    ("OF-4", R + "offer.c", "if (!svmc_offer_allowed(o->priv.policy, offer))", "if (0)"),
    ("OF-4", R + "offer_rows.c", "offer->code >= EXCEPTIONS && ", ""),
    ("OF-4", R + "offer_rows.c", "return row && (policy->codes & row->allow);", "return row;"),
    ("OF-4", R + "offer_rows.c", "return policy->io_subclasses >> IO_CLASS(offer->data[1]) & 1u;",
     "return true;"),
    ("OF-5", R + "offer.c", "if (!svmc_offer_fits(row, offer))", "if (0)"),
    ("OF-5", R + "offer_rows.c", "code ? code->data_bits : row->data_bits[0]",
     "row->data_bits[0]"),
    ("OF-5", R + "offer_rows.c", " && (offer->data[1] & ~(uint64_t)IO_WORD) == 0", ""),
    ("OF-6", R + "offer.c", "return !kept && !up;", "return !kept;"),
    ("OF-6", R + "offer.c", "return !kept && !up;", "return !up;"),
    ("OF-6", R + "offer.c", "return kept != up;", "return kept || up;"),
    ("OF-6", R + "offer.c", "if (offer->op == SVMC_OFFER_RAISE)\n", "if (1)\n"),
    ("OF-7", R + "offer.c", "if (++o->priv.refusals >= vc->priv.policy->priv.refusal_limit)",
     "if (0 && vc)"),
    ("OF-7", R + "offer.c", "    o->priv.refusals = 0;\n", ""),
    ("OF-8", R + "offer_masks.c", "*open = (value & bits) == 0;", "*open = true;"),
    ("OF-8", R + "offer_masks.c", "*open = offer->code >> CLASS_SHIFT > (value & CLASS_MASK);",
     "*open = offer->code >> CLASS_SHIFT >= (value & CLASS_MASK);"),
    ("OF-8", R + "offer_masks.c", " || mode == 0;", ";"),
    ("OF-8", R + "offer_masks.c", "(value & bits) == bits || mode == 0", "true"),
    ("OF-8", R + "offer_masks.c", "*open = (value & svmc_offer_subclass(offer)) != 0;",
     "*open = true;"),
    ("OF-9", R + "offer.c", "if (again && again->type != SVMC_EVENT_NONE)", "if (0)"),
    ("OF-9", R + "offer.c", "call_begin(offers->priv.vcpu, &ignored, false)",
     "(ignored.stop = 0, offers->priv.vcpu->priv.stopped ? SVMC_ERR_STATE : SVMC_OK)"),
    ("OF-10", R + "offer.c", "        if (row) {\n",
     "        tell(offers);\n        if (row) {\n"),
    ("OF-10", R + "offer.c", "(uint64_t)o->priv.kept << 16", "(uint64_t)o->priv.up << 16"),
    ("OF-11", R + "offer_masks.c", "    return SVMC_OK;\n}\n\nstatic enum svmc_status pass",
     "    *value = 0;\n    return SVMC_OK;\n}\n\nstatic enum svmc_status pass"),
    ("OF-11", R + "offer.c",
     "        if (st != SVMC_OK)\n            return st;\n        if (open)",
     "        if (open && st == SVMC_OK)"),
    ("OF-12", R + "offer.c", "!svmc_offer_policy_sound(policy) || ", ""),
    ("EX-33", R + "exit_a64.c", "return SVMC_ERR_MISMATCH;\n}\n\n/* A stage-2",
     "return SVMC_OK;\n}\n\n/* A stage-2"),
    ("EX-37", R + "exit_rv.c", "if (raw->htinst != 0 && !agrees(&said, &insn))", "if (0)"),
    ("AU-1", R + "ledger.c", "sums->exits += stats->exits - was->exits;", "sums->exits++;"),
    ("AU-1", R + "ledger.c", "    settle(vc);\n    return st;\n", "    return st;\n"),
    ("AU-2", R + "ledger.c", "return vc->priv.pending.active ? SVMC_ERR_STATE : SVMC_OK;",
     "return SVMC_OK;"),
    ("AU-3", R + "ledger.c", "now > began ? now - began : 0", "now - began"),
    ("AU-5", R + "enter.c",
     "return recorded(vc, rule, SVMC_AUDIT_ENTER, refuse(vc, broken, out), out);",
     "return refuse(vc, broken, out);"),
    ("AU-7", R + "audit.c", "memcpy(ring->priv.last, tag, TAG);", ""),
    ("AU-8", R + "audit.c", "core_crypto_can_hash(m->ops) && !m->key",
     "core_crypto_can_hash(m->ops)"),
    ("AU-9", R + "audit.c", "ring->priv.lost_now += ring->priv.lost_now != UINT32_MAX;",
     "ring->priv.lost_now++;"),
    ("AU-9", R + "audit.c", "    ring->priv.lost_now = 0;\n", ""),
    ("AU-10", R + "audit.c", "memcpy(ring->priv.before, at + AT_TAG, TAG);", ";"),
    ("AU-10", R + "audit.c", "if (from < oldest(ring))", "if (0)"),
    ("AU-11", R + "audit.c", "if (ops->equal(ops->ctx, tag, before, TAG) != SVMC_OK)", "if (0)"),
    ("AU-11", R + "audit.c", "!last || ops->equal(ops->ctx, before, last, TAG) == SVMC_OK", "1"),
    ("AU-11", R + "audit.c", "len % ENTRY != 0 || (!last && !key)", "len % ENTRY != 0"),
    ("AU-12", R + "ledger.c", ".kind = rule->kind,",
     ".kind = (uint16_t)(rule->kind ^ vc->priv.pending.exit.address),"),
    ("AP-1", A + "adapt.c", "    if (n > CORE_WORD)\n",
     "    (void)core_shared_load(from->area, data_at(form, row));\n    if (n > CORE_WORD)\n"),
    ("AP-2", A + "adapt.c",
     "        core_shared_zero(to->area, form.clear_at[i], form.clear_end[i]);\n", "        ;\n"),
    ("AP-3", A + "adapt.c", "return (part->in_valid & ~slots) == 0;", "(void)slots; return true;"),
    ("AP-4", A + "adapt.c", "        reply->status = SVMC_REPLY_PARTIAL;\n", "        ;\n"),
    ("AP-5", A + "adapt.c", "if (request->completion == SVMC_COMPLETION_NONE) /* AP-5 */",
     "if (0)"),
    ("AP-6", A + "adapt.c",
     "    if (broken != 0) { /* AP-6 */\n        memset(reply, 0, sizeof *reply);\n",
     "    if (broken != 0) {\n        reply->done = 1;\n"),
    ("AP-10", A + "ghcb.c", "return has_bits(w, results(row)) ? 0 : 10;",
     "(void)results; (void)row; return 0;"),
    ("AP-10", A + "ghcb.c", "(w->word[VALID0] & ~allowed[0]) != 0 ||", "0 ||"),
    ("AP-10", A + "ghcb.c", "(w->word[VALID1] & ~allowed[1]) != 0 ||", "0 ||"),
    ("AP-10", A + "ghcb.c", "!has_bits(w, 1u << INFO1)", "0"),
    ("AP-10", A + "ghcb.c",
     "return has_bits(w, 1u << INFO2) ? exception(w->word[INFO2], out) : 10;",
     "return exception(w->word[INFO2], out);"),
    ("AP-11", A + "ghcb.c", "if (w->word[INFO1] > 1)", "if ((uint32_t)w->word[INFO1] > 1)"),
    ("AP-12", A + "ghcb.c", "        return 12;\n", "        ;\n"),
    ("AP-13", A + "ghcb.c", "w->word[PROTOCOL] >> 32 == 0 &&", "1 &&"),
    ("AP-13", A + "items.c", "return word == gpa + m->value;", "(void)gpa; return true;"),
    ("AP-13", A + "adapt.c",
     "return (uint64_t)out->size * out->count <= form->data_most || !rule->string;",
     "return true;"),
    ("AP-14", A + "ghcb.c", "w->word[INFO2] == 0 &&", ""),
    ("AP-14", A + "ghcb.c", " && (header >> 16) + 1 == r->count &&", " &&"),
    ("AP-14", A + "ghcb.c", "(header & 0xffff) <= r->count;", "true;"),
    ("AP-14", A + "items.c", "(word & 0xffff) == 0 && word >> 32 == 0 && ", ""),
    ("AP-34", A + "tdx.c", "at < r->address || ", ""),
    ("AP-34", A + "tdx.c", " || at >= r->in[0])", ")"),
    ("AP-34", A + "items.c", "return word != 0 && r->address + word > r->address;", "return true;"),
    ("AP-43", A + "items.c", "(address >= gpa) == (side == 1)", "side != 0"),
    ("AP-43", A + "rmm.c", "row->kind == SVMC_KIND_DATA_ABORT && flags == INJECT_SEA",
     "row->kind != SVMC_KIND_RIPAS && !is_abort(row) && flags == INJECT_SEA"),
    ("AP-44", A + "rmm.c", "out->out[0] = flags & REJECT ? r->address : r->in[0];",
     "out->out[0] = r->in[0];"),
    ("AP-44", A + "rmm.c", "    if (row->kind == SVMC_KIND_RIPAS) { /* AP-44 */", "    {"),
    ("AP-20", A + "kvm_run.c", "        return 20;\n", "        ;\n"),
    ("AP-30", A + "tdx.c", "    if (w->word[RAX] != 0) /* AP-30 */", "    if (0)"),
    ("AP-31", A + "tdx.c", "        return 31;\n", "        return 0;\n"),
    ("AP-33", A + "tdx.c", "(places & ~mask) == 0", "places != 0"),
    ("AP-40", A + "rmm.c", "return flags == 0 ? 0 : 40;", "return 0;"),
    ("AP-41", A + "rmm.c", "        return 41;\n", "        ;\n"),
    ("AP-42", A + "rmm.c", "    } else if (flags == 0) { /* AP-42 */", "    } else if (0) {"),
    ("AP-50", A + "s390.c", "        return 50;\n", "        return 0;\n"),
    ("AP-52", A + "adapt.c", "        core_shared_zero(to->sida, 0, form.data_most);\n",
     "        ;\n"),
    ("AP-52", A + "adapt.c", "    if (most == 0)\n        return SVMC_ERR_UNSUPPORTED;\n",
     "    if (most == 0)\n        most = 1;\n"),
    ("AP-51", A + "s390.c", "    w->word[IPB] |= before->word[IPB] & 0xffffffffu;\n",
     "    (void)w, (void)before;\n"),
    ("EX-61", R + "exit_kvm_words.c", "iss >> ISS_BITS != 0 || (iss & ISS_ISV) || ", ""),
    ("EX-40", R + "exit_rv.c", "(what != STATE && writes) || ", ""),
    ("EX-40", R + "exit_rv.c", "what != STATE && (raw->scounteren >> (csr & 31u) & 1u)",
     "what != STATE"),
    ("EX-40", R + "exit_rv.c", "what != STATE && (raw->scounteren >> (csr & 31u) & 1u)",
     "raw->scounteren >> (csr & 31u) & 1u"),
    ("EX-40", R + "inside.c",
     "rule->out_count == 0 || (rule->in_count != 0 && (exit->finish & SVMC_FINISH_REGS))",
     "rule->out_count == 0"),
    ("EX-40", R + "policy.c",
     "(rule->kind >= SVMC_KIND_CSR_READ && rule->kind <= SVMC_KIND_CSR_CLEAR)", "0"),
    ("AP-21", A + "items.c", "m->n < svmc_intercept_hcall_results(r->address)", "1"),
    ("EX-93", R + "exit_kvm.c", "given > 8 * SLOTS_OUT || ", ""),
    ("EX-90", R + "exit_ppc.c", "if (raw->srr1 & MSR_HV)", "if (0)"),
    ("EX-90", R + "exit_ppc.c", "user ? SVMC_KIND_UNKNOWN : SVMC_KIND_HCALL", "SVMC_KIND_HCALL"),
    ("EX-91", R + "exit_ppc.c", "if (!(raw->hdsisr & IS_STORE) != !(a->flags & STORE))", "if (0)"),
    ("EX-91", R + "exit_ppc.c", "(raw->hdsisr & ~(NO_TRANSLATION | PROTECTION | IS_STORE)) != 0",
     "0"),
    ("EX-91", R + "exit_ppc.c", "(raw->hdar & 0xfff) + a->bytes > 4096", "0"),
    ("EX-92", R + "commit.c", "if (dest && exit->swap)", "if (0)"),
    ("EX-92", R + "resolve.c", "if (e->swap)", "if (0)"),
    ("EX-1", R + "exit.c", "e->swap >> 1 | ", ""),
    ("EX-92", R + "usual.c", "e->swap == 0 &&", ""),
    ("EX-62", R + "exit_kvm_s390.c", "if (!(core_load_be64(run + RUN_VALID_REGS) & SYNC_GPRS))",
     "if (0)"),
    ("EX-1", R + "stages.h", "(size < 16 && (rule->sizes >> size & 1u))",
     "size <= 8"),
    ("EX-1", R + "exit.c", "!(rule->isas >> e->isa & 1u)", "0"),
    ("EX-63", R + "s390.c", "return (exit->value & ~PREFIX_BITS) == 0;", "return true;"),
    ("EX-63", R + "s390.c", "return is_odd(exit->arg[0]);", "return false;"),
    ("EX-64", R + "exit_s390.c", "if (raw->program != PROGRAM_PER)", "if (0)"),
    ("EX-65", R + "exit_s390.c", "(out->user && insn.privilege == SVMC_PRIVILEGE_KERNEL)", "0"),
    ("EX-65", R + "exit_s390.c", "(!listed && !may_be_intercepted(&insn)) ||", "(0 && listed) ||"),
    ("EX-68", R + "s390.c", " && (at & (boundary_of(rule->kind) - 1)) != 0)", " && 0)"),
    ("EX-68", R + "s390.c", "return vc->priv.staging[ORB_X_AT] & 1 ? rule->string : first;",
     "return rule->string;"),
    ("EX-68", R + "s390.c", "        return out[0] <= 1;\n", "        return true;\n"),
    ("EX-68", R + "s390.c", "    default:\n        return out[0] == 0;\n",
     "    default:\n        return true;\n"),
    ("EX-68", R + "s390.c", "        svmc_intercept_s390_gives(rule, out)) /* R12",
     "        true) /* R12"),
    ("EX-68", R + "block.c", "        access |= SVMC_ACCESS_REAL;\n", "        ;\n"),
    ("EX-68", R + "block.c",
     "st = svmc_intercept_block_move(vc, BLOCK_PROBE, p->kept,",
     "(void)(vc, BLOCK_PROBE, p->kept,"),
    ("EX-70", R + "block.c",
     "st = svmc_intercept_block_move(vc, BLOCK_FETCH, first, all, &out->fault);",
     "st = svmc_intercept_block_move(vc, BLOCK_FETCH, 0, all, &out->fault);"),
    ("EX-71", R + "s390.c",
     "if (s->place >= PLACE_ARG && !is_register(reg_file(exit), arg_of(exit, s)))", "if (0)"),
    ("EX-71", R + "s390.c", "if (rule->out_count > 1 && !(exit->finish & SVMC_FINISH_REGS))",
     "if (0)"),
    ("EX-71", R + "s390.c", "return is_odd(exit->arg[1]);", "return false;"),
    ("EX-72", R + "s390.c", "(at & ~SCCB_BITS) != 0 || ", ""),
    ("EX-72", R + "s390.c", " || at < SCCB_LEAST;", ";"),
    ("EX-72", R + "s390.c", "    if (bytes < SCCB_HEADER) {", "    if (0) {"),
    ("EX-72", R + "s390.c", "if (!is_command((uint32_t)p->exit.value))", "if (0)"),
    ("EX-72", R + "s390.c", "else if (bytes > PAGE - (p->exit.buffer.v & (PAGE - 1)))",
     "else if (bytes > PAGE)"),
    ("EX-72", R + "s390.c", " || core_load_be16(vc->priv.staging) <= p->block)", " || 1)"),
    ("EX-72", R + "block.c",
     "        take(vc);\n        svmc_intercept_s390_came(vc);\n    }\n",
     "        take(vc);\n    }\n    if (what == BLOCK_STORE)\n"
     "        svmc_intercept_s390_came(vc);\n"),
    ("EX-72", R + "s390.c", "if (rule->kind == SVMC_KIND_SERVC) /* EX-72 */", "if (0)"),
    ("EX-73", R + "s390.c", "(r0 & STSI_RESERVED_0) != 0 || ", ""),
    ("EX-73", R + "s390.c", "(r1 & STSI_RESERVED_1) != 0 ||", ""),
    ("EX-73", R + "s390.c", "(level != 0 && (p->exit.buffer.v & (PAGE - 1)) != 0)", "0"),
    ("EX-73", R + "s390.c", "if (level == 0 || level > STSI_LEVEL) {", "if (level == 0) {"),
    ("EX-73", R + "s390.c", "        if (level != 0)\n            return SVMC_OK;\n", ""),
    ("EX-73", R + "s390.c", "(status & ~(uint64_t)UINT32_MAX) | ", ""),
    ("EX-74", R + "s390.c", "        return out[0] == 1;\n", "        return true;\n"),
    ("EX-74", R + "s390.c", "exit->buffer.v = TPI_LOWCORE;", ";"),
    ("EX-74", R + "intercept_private.h",
     "p->exit.kind == SVMC_KIND_TPI && !p->exit.value ? TPI_BYTES : ",
     ""),
    ("EX-75", R + "s390.c", " || (pci && exit->size == 0))", ")"),
    ("EX-75", R + "s390.c", "bytes <= 8 || ", ""),
    ("EX-75", R + "s390.c", "bytes > PAGE - (offset & (PAGE - 1)) || ", ""),
    ("EX-75", R + "s390.c", " || ((bytes | offset) & 7) != 0) {", ") {"),
    ("EX-75", R + "s390.c", "s->place == PLACE_STATUS && out[0] == 1)",
     "s->place == PLACE_STATUS)"),
    ("EX-75", R + "s390.c", " && !(failed && rule->kind == SVMC_KIND_PCILG))", ")"),
    ("EX-75", R + "s390.c", "(old & ~PCI_STATUS) | ", ""),
    ("EX-75", R + "exit_s390.c", "(bytes <= 8 ? bytes : 0);", "bytes;"),
    ("EX-76", R + "s390.c", "bytes < CHSC_LEAST || ", ""),
    ("EX-76", R + "s390.c", "bytes > CHSC_MOST || ", ""),
    ("EX-76", R + "s390.c", " || (bytes & 7) != 0)\n            raise", ")\n            raise"),
    ("EX-76", R + "s390.c", "p->kept = (uint16_t)bytes;", ";"),
    ("EX-76", R + "s390.c", "is_odd(exit->arg[0]) || is_odd", "is_odd"),
    ("EX-76", R + "s390.c", " || exit->arg[0] == exit->arg[1];", ";"),
    ("EX-76", R + "s390.c", "return (exit->value & (PAGE - 1)) == 0;", "return true;"),
    ("PG-8", R + "page.c", "kind_word(rule, SVMC_COMPLETION_NONE, SVMC_DIRECTION_NONE)",
     "kind_word(rule, SVMC_COMPLETION_NONE, vc->priv.pending.direction)"),
    ("PG-10", R + "page.c", "is_block(rule) ? (uint64_t)p->at << 32 : 0; /* PG-10 */", "0;"),
    ("PG-10", R + "page.c", "at = is_block(rule) ? p->at : p->at * p->exit.size;",
     "at = p->at * p->exit.size;"),
    ("PG-10", R + "block.c", "p->direction == SVMC_DIRECTION_INOUT ? 0 : p->at;", "p->at;"),
    ("PG-10", R + "block.c",
     "p->completion = last ? SVMC_COMPLETION_CHUNK : SVMC_COMPLETION_PART;",
     "p->completion = SVMC_COMPLETION_CHUNK;"),
    ("PG-10", R + "block.c", "        last = false;\n", "        ;\n"),
    ("PG-9", R + "block.c", "svmc_intercept_page_clear_reply(vc); /* PG-9 */", ";"),
    ("R6", R + "block.c", "p->out_count = last ? rule->out_count : 0;",
     "p->out_count = rule->out_count;"),
    ("R10", R + "calls.c", "(!(check & CHECK_PCI) || is_pci_status(value, out[1]));", "true;"),
    ("R10", R + "calls.c", "return status != 0 && status <= PCI_STATUS_LAST && status % 4 == 0;",
     "return true;"),
    ("R10", R + "calls.c", "    if (cc != 1)\n        return status == 0;\n", ""),
    ("R12", R + "s390.c",
     "        st =\n            svmc_intercept_block_move(vc, BLOCK_STORE,",
     "        (void)svmc_intercept_block_move(vc, BLOCK_STORE,"),
    ("R12", R + "block.c", "    p->at = at; /* as it was: the same reply can be taken again */\n",
     ""),
    ("AP-9", A + "adapt.c", "r->completion > SVMC_COMPLETION_CHUNK || ", ""),
    ("AP-9", A + "adapt.c", "(is_block(rule) && r->address != 0) ||", ""),
    ("AP-9", A + "adapt.c",
     "(r->direction >= SVMC_DIRECTION_INOUT && rule->direction != SVMC_DIRECTION_INOUT);", "0;"),
    ("AP-53", A + "adapt.c", "bytes >= CORE_WORD && ", ""),
    ("AP-53", A + "adapt.c", " && bytes <= SVMC_PAGE_DATA_BYTES ? bytes : 0;", " ? bytes : 0;"),
    ("EX-80", R + "request.c", "if (e->finish != SVMC_FINISH_BACKEND)", "if (0)"),
    ("EX-80", R + "policy.c", "rule->string || rule->space", "rule->space"),
    ("EX-80", R + "page.c", "s->place == PLACE_SECOND ? exit->buffer.v : exit->count;",
     "exit->count;"),
    ("EX-81", R + "request.c", "(entry & ENTRY_UNUSED) != 0 || ", ""),
    ("EX-81", R + "request.c", "ENTRY_OPERATION(entry) == 0 ||", ""),
    ("EX-81", R + "request.c", "ENTRY_OPERATION(entry) > OPERATIONS_LAST ||", ""),
    ("EX-81", R + "request.c", "((entry & ENTRY_LARGE) && (entry & ENTRY_IN_LARGE) != 0)", "0"),
    ("EX-8", R + "policy.c", "        verdict != SVMC_VERDICT_TERMINATE)\n", "        true)\n"),
    ("PG-1", R + "exit.c", "bool wipes = vc->priv.policy->priv.full_wipe != 0;",
     "bool wipes = false;"),
    ("R13", R + "inside.c", "if (rule->timed)", "if (0)"),
    ("EX-81", R + "exit.c", "svmc_intercept_list_sound(vc->priv.staging, p->exit.count)", "true"),
    ("HC-1", R + "exit.c", " && e->finish != SVMC_FINISH_RIP &&", " &&"),
    ("EX-81", R + "exit.c", "e->isa <= SVMC_ISA_X86_64 && e->size < 8 &&",
     "e->isa <= SVMC_ISA_X86_64 &&"),
    ("EX-82", R + "calls.c", "value - exit->address <= exit->value - exit->address && ", ""),
    ("EX-82", R + "calls.c", " && (value & PAGE_MASK) == 0;", ";"),
    ("EX-82", R + "request.c", " && e->address < e->value;", ";"),
    ("EX-82", R + "request.c", "if (e->buffer.v > RIPAS_RAM)", "if (0)"),
    ("EX-82", R + "request.c", "if (!is_page(e->buffer.v))", "if (0)"),
    ("EX-83", R + "calls.c", "value < FIRMWARE_END && (FIRMWARE_CODES >> value & 1u);", "true;"),
    ("EX-83", R + "calls.c", "(extended && value == MESSAGE_ROOM)", "value == MESSAGE_ROOM"),
    ("EX-83", R + "request.c", " || e->address == e->value)", ")"),
    ("EX-83", R + "request.c", "e->address - data >= (uint64_t)e->count * PAGE &&", ""),
    ("EX-83", R + "request.c", "return is_page(data) && e->count <=", "return e->count <="),
    ("EX-84", R + "request.c", "(e->value & AP_UNUSED) == 0 &&", ""),
    ("EX-84", R + "request.c", "AP_REQUEST(e->value) <= AP_DESTROY && ", ""),
    ("EX-84", R + "request.c", " && AP_VMPL(e->value) <= VMPL_LAST;", ";"),
    ("EX-85", R + "request.c", " && (e->value & ~ABORT_SHOWN) == 0;", ";"),
    ("EX-85", R + "exit_a64.c", " || (fetch && open))", ")"),
    ("EX-85", R + "exit_a64.c", "out->value = raw->esr & ABORT_SHOWN;", "out->value = raw->esr;"),
    ("EX-85", R + "exit_a64.c", " || ipa >> ipa_bits != 0)", ")"),
    ("EX-86", R + "request.c", "(e->value & ~SERROR_SHOWN) == 0", "true"),
    ("EX-87", R + "exit_svm.c", "st == SVMC_OK && out->address != number ? SVMC_ERR_MISMATCH : st;",
     "st;"),
    ("EX-87", R + "exit_vmx.c", "f->insn.id == f->row->ids[which];", "true;"),
    ("EX-89", R + "policy.c", "if (is_block(rule) && exit->buffer.v % rule->string != 0 &&",
     "if (0 &&"),
    ("EX-89", R + "s390.c", "p->kept = HOST_CALL_HEAD;", ";"),
    ("EX-89", R + "s390.c",
     "memset(vc->priv.staging + HOST_CALL_IMMEDIATE, 0, HOST_CALL_HEAD - HOST_CALL_IMMEDIATE);",
     ""),
    ("EX-89", R + "commit.c", "vc->priv.pending.exit.isa > SVMC_ISA_X86_64 ? CODES : VECTORS;",
     "VECTORS;"),
    ("AP-45", A + "items.c", "return word <= 0xffff;\n    case ITEM_LENGTH:",
     "return true;\n    case ITEM_LENGTH:"),
    ("AP-45", A + "adapt.c",
     "(is_host_call(row) && request->size != svmc_intercept_rule(row->kind)->string)", "0"),
)
HOOKED = {"R3", "AP-1"}  # about the number of loads: read_once.c


def compile_to(source, target, core, extra=()):
    flags = core_flags("x86_64", "gcc") if core else ["-std=gnu11"]
    return run(["gcc", *flags, "-O1", "-D_GNU_SOURCE", "-DSVMC_TEST_PLAIN", "-w", *extra,
                f"-I{TOP}/include", f"-I{TOP}/src", f"-I{TOP}/tests", f"-I{TOP}/src/intercept",
                f"-I{TOP}/src/intercept/adapt", "-c", source, "-o", target])


def build(out, hook):
    """The core, and the tests with their main: (objects of the core by source, test program's)."""
    define = ["-DCORE_SHARED_HOOK"] if hook else []
    tests = ([TOP / "tests/checks/read_once.c", TOP / "tests/intercept/scenarios.c",
              TOP / "tests/intercept/adapt_lab.c"] if hook else
             sorted((TOP / "tests/intercept").glob("*.c")))
    tests += [*sorted((TOP / "tests/fakehost").glob("*.c")), TOP / "tests/plain_main.c"]
    jobs = [(TOP / s, True) for s in sources("core")] + [(t, False) for t in tests]
    targets = [out / (str(s.relative_to(TOP)).replace("/", "_") + ".o") for s, _ in jobs]
    done = parallel(lambda job: compile_to(job[0][0], job[1], job[0][1], define),
                    list(zip(jobs, targets)))
    faults = [first_error(d.text) for d in done if not d.ok]
    return dict(zip([str(s.relative_to(TOP)) for s, _ in jobs], targets)), faults


def verdict(objects, out, name, likely=None):
    """Link and run: "passed", "noticed" (a check failed, it crashed or did not end), or why not.
    The tests with `likely` in their names run first, alone: it is they that notice most."""
    program = out / name
    done = run(["gcc", "-o", program, *objects])
    if not done.ok:
        return "does not link: " + first_error(done.text)
    for some in [[likely], []] if likely else [[]]:  # none of that name: it fails no check
        done = run(["sh", "-c", f'ulimit -t {SECONDS}; exec "$0" "$@"', program, *some])
        crashed = done.returncode < 0 or done.returncode > 128  # signals, that of the limit too
        if crashed or "failed: " in done.text:
            return "noticed"
    if done.ok:
        return "passed"
    return "no check failed, and yet: " + "\n".join(done.text.splitlines()[-3:])


def try_mutant(job):
    number, (rule, file, old, new), objects, out, hook = job
    copies = edited(file, old, new, out / f"edited{number}")
    if isinstance(copies, str):
        return copies
    for source in copies.values():
        done = compile_to(source, source.with_suffix(".o"), True,
                          ["-DCORE_SHARED_HOOK"] if hook else [])
        if not done.ok:
            return "does not compile: " + first_error(done.text)
    rest = [o for s, o in objects.items() if s not in copies]
    end = verdict([*(c.with_suffix(".o") for c in copies.values()), *rest], out, f"mutant{number}",
                  None if hook else "adapt" if A in file else Path(file).stem.split("_")[0])
    return {"passed": "survives: no test misses the check", "noticed": None}.get(end, end)


def main():
    need_tools("gcc")
    report = Report()
    os.environ.setdefault("SVMC_SEED", "1")
    os.environ["SVMC_FIRST"] = "1"  # one failed check is enough
    with tempfile.TemporaryDirectory() as tmp:
        dirs, builds = {}, {}
        for hook in (False, True):
            dirs[hook] = Path(tmp, f"hook{int(hook)}")
            dirs[hook].mkdir()
            builds[hook], faults = build(dirs[hook], hook)
            end = verdict(builds[hook].values(), dirs[hook], "unchanged")
            report.check(f"unchanged source, {'read-once' if hook else 'intercept tests'}",
                         faults or ([] if end == "passed" else [end]))
        if report.failed == 0:
            jobs = [(n, m, builds[m[0] in HOOKED], dirs[m[0] in HOOKED], m[0] in HOOKED)
                    for n, m in enumerate(MUTANTS)]
            for (rule, file, old, _), fault in zip(MUTANTS, parallel(try_mutant, jobs)):
                report.check(f"{rule} {file}: {old.split(chr(10))[0].strip()[:60]}",
                             [fault] if fault else [])
    for name in ("reply", "offer"):
        stated = dict(re.findall(r"^\| (R\d+|OF-\d+) \|(?:.*\|)? ([^|]*) \|$",
                                 (TOP / f"docs/spec/{name}.md").read_text(), re.M))
        held = {rule for rule, by in stated.items() if not by.startswith("no row declares")}
        report.check(f"each rule of docs/spec/{name}.md that code holds has a mutant",
                     sorted(held - {m[0] for m in MUTANTS}) if held else ["no rule"])
        if name == "reply":
            report.check("docs/spec/reply.md states R1 to R18",
                         sorted({f"R{n}" for n in range(1, 19)} ^ stated.keys()))
    named = "".join(p.read_text() for p in (TOP / "tests").rglob("*.c"))
    attacks = re.findall(r"^\| (AT-\d+) \|[^|]*\| (.*) \|$",
                         (TOP / "docs/spec/attacks.md").read_text(), re.M)
    report.check("each attack of docs/spec/attacks.md has a test",
                 ["no attack is stated"] if not attacks else
                 [a for a, holds in attacks
                  if not re.search(a + r"\b", named) and not holds.startswith("not yet")])
    report.close()


main()
