#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each check of the intercept, taken out of the shipped source, is missed by a test.

A row names the rule, the file, the text of the check, which must stand there exactly once, and what
replaces it. The mutant is compiled, linked in front of the core, and the intercept tests run on it:
a mutant that passes them is a FAIL, and so are a rule of docs/spec/reply.md without a mutant and a
row whose text is not there any more. The unchanged source must pass, or nothing is proved."""
import os
import re
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/checks"))
from common import (Report, core_flags, first_error, need_tools, parallel,  # noqa: E402
                    run, sources)

SECONDS = 120  # a mutant may loop: that is noticed too

R = "src/intercept/"
PENDING = "return (vc->priv.pending.active != 0) == pending ? SVMC_OK : SVMC_ERR_STATE;"
MUTANTS = (
    ("R1", R + "vcpu.c", PENDING, "return SVMC_OK;"),
    ("R2", R + "reply.c", "if (reply->seq != pending->seq)", "if (0)"),
    ("R3", R + "reply.c", "    return reserved;\n}",
     "    reply->out[0] = core_shared_get(page, SVMC_PAGE_REP_OUT);\n    return reserved;\n}"),
    ("R4", R + "reply.c", "if (reply->status >= 8 || !(rule->statuses >> reply->status & 1u))",
     "if (reply->status >= 8)"),
    ("R4", R + "reply.c", "if (reply->status >= 8 || ", "if ("),
    ("R5", R + "reply.c", "if (reserved != 0)", "if (0)"),
    ("R5", R + "reply.c", "reserved = word >> 32;", "reserved = 0;"),
    ("R5", R + "reply.c", "reserved |= word >> 8;", ""),
    ("R6", R + "reply.c", "if (r->out_valid != want_valid)", "if (r->out_valid & ~want_valid)"),
    ("R6", R + "reply.c", "if (r->out_valid != want_valid)", "if (want_valid & ~r->out_valid)"),
    ("R7", R + "reply.c", "!(rule->faults >> r->fault & 1u)", "0"),
    ("R7", R + "reply.c", ": r->fault != SVMC_FAULT_NONE)", ": 0)"),
    ("R7", R + "fault.c", "fault.has_error = gp;", "fault.has_error = 0;"),
    ("R8", R + "reply.c", "beyond |= r->out[i] >> (8 * slot_bytes(s, &p->exit) - 1) >> 1;", ""),
    ("R8", R + "reply.c", "        beyond |= r->out[i];\n", "        ;\n"),
    ("R9", R + "commit.c", "*value = (old & ~(mask << shift)) | (*value & mask) << shift;",
     "*value = *value & mask;"),
    ("R9", R + "commit.c", "unsigned shift = high ? 8 : 0;", "unsigned shift = 0; (void)high;"),
    ("R9", R + "commit.c", "if (how == SVMC_EXTEND_SIGN)", "if (0 && how)"),
    ("R10", R + "reply.c", "(s->check != CHECK_HCALL_STATUS || r->out[i] < SVMC_HCALL_CODES)",
     "true"),
    ("R10", R + "reply.c", "(s->check != CHECK_CC || r->out[i] <= CC_MOST)", "true"),
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
    ("R12", R + "commit.c", "if (st == SVMC_OK && !outcome->fault.raised)",
     "if (st == SVMC_OK)"),
    ("R12", R + "block.c",
     "    if (st != SVMC_OK || fault->raised)\n        return st;\n    for (size_t i = 0, at = 0;",
     "    if (st != SVMC_OK)\n        return st;\n    for (size_t i = 0, at = 0;"),
    ("R12", R + "commit.c", "if ((gpa.v & (PAGE - 1)) != (at & (PAGE - 1)))", "if (0)"),
    ("R14", R + "exit.c", "if (st == SVMC_OK && inside)", "if (0)"),
    ("R14", R + "identity.c", "*inside = *inside || row;", ""),
    ("R15", R + "vcpu.c", PENDING,
     "return pending || vc->priv.pending.active == 0 ? SVMC_OK : SVMC_ERR_STATE;"),
    ("R16", R + "enter.c", "if (++vc->priv.refusals >= vc->priv.policy->priv.refusal_limit)",
     "if (0)"),
    ("R16", R + "enter.c",
     "vc->priv.stats.refused_by_rule[core_clamp(rule, SVMC_REPLY_RULES + 1)]++;", ""),
    ("R16", R + "enter.c", "        vc->priv.refusals = 0;\n", "        ;\n"),
    ("R17", R + "enter.c",
     "svmc_intercept_page_wipe(vc, rule->string ? p->issued * p->exit.size : 0);", ""),
    ("R17", R + "enter.c", "            svmc_intercept_forget(vc);\n",
     "            p->active = 0;\n"),
    ("R17", R + "page.c",
     "core_shared_zero(page, SVMC_PAGE_REP_OUT, SVMC_PAGE_REP_OUT + CORE_WORD * p->out_count);",
     ""),
    ("R18", R + "reply.c", "if (reply->seq >> 48 != id)", "if (0 && id)"),
    ("PG-1", R + "page.c", "    if (bytes < used)\n", "    if (0)\n"),
    ("PG-6", R + "exit.c", "in[i] &= core_mask(slot_bytes(s, &p->exit));", ""),
    ("EX-4", R + "rules.c", "if (op >= HIGH_FIRST + HIGH || (op >= LOW && op < HIGH_FIRST))",
     "if (0)"),
    ("EX-5", R + "policy.c", "if ((gpa & 0xfff) + size > 4096)", "if (0)"),
    ("EX-10", R + "resolve.c", "core_mask(svmc_intercept_address_bytes(rule))", "UINT64_MAX"),
    ("EV-5", R + "exit.c", "if (exit->interrupted.type != SVMC_EVENT_NONE)", "if (0)"),
    ("EX-33", R + "exit_a64.c", "return SVMC_ERR_MISMATCH;\n}\n\n/* A stage-2",
     "return SVMC_OK;\n}\n\n/* A stage-2"),
    ("EX-37", R + "exit_rv.c", "if (raw->htinst != 0 && !agrees(&said, &insn))", "if (0)"),
    ("EX-61", R + "exit_kvm_words.c", "iss >> ISS_BITS != 0 || (iss & ISS_ISV) || ", ""),
    ("EX-62", R + "exit_kvm_s390.c", "if (!(core_load_be64(run + RUN_VALID_REGS) & SYNC_GPRS))",
     "if (0)"),
    ("EX-63", R + "s390.c", "if (exit->isa != SVMC_ISA_S390X)", "if (0)"),
    ("EX-63", R + "s390.c", "rule->kind != SVMC_KIND_SPX || (exit->value & ~PREFIX_BITS) == 0",
     "true"),
    ("EX-63", R + "s390.c", "(rule->kind == SVMC_KIND_DIAG_288 && odd) || ",
     "(0 && odd) || "),
    ("EX-64", R + "exit_s390.c", "if (raw->program != PROGRAM_PER)", "if (0)"),
    ("EX-65", R + "exit_s390.c", "(out->user && insn.privilege == SVMC_PRIVILEGE_KERNEL)", "0"),
    ("EX-65", R + "exit_s390.c", "(!listed && !may_be_intercepted(&insn)) ||", "(0 && listed) ||"),
    ("EX-68", R + "s390.c", "(is_block(rule) && (exit->buffer.v & 3) != 0)", "0"),
    ("EX-68", R + "block.c", " || out[0] == CC_MOST", ""),
    ("EX-68", R + "block.c", " || !(vc->priv.staging[ORB_X_AT] & 1)", ""),
)
NONE = {"R13"}  # no row declares time: docs/spec/reply.md says so


def compile_to(source, target, core, extra=()):
    flags = core_flags("x86_64", "gcc") if core else ["-std=gnu11"]
    return run(["gcc", *flags, "-O1", "-D_GNU_SOURCE", "-DSVMC_TEST_PLAIN", "-w", *extra,
                f"-I{TOP}/include", f"-I{TOP}/src", f"-I{TOP}/tests", f"-I{TOP}/src/intercept",
                "-c", source, "-o", target])


def build(out, hook):
    """The core, and the tests with their main: (objects of the core by source, test program's)."""
    define = ["-DCORE_SHARED_HOOK"] if hook else []
    tests = ([TOP / "tests/checks/read_once.c", TOP / "tests/intercept/scenarios.c"] if hook else
             sorted((TOP / "tests/intercept").glob("*.c")))
    tests += [*sorted((TOP / "tests/fakehost").glob("*.c")), TOP / "tests/plain_main.c"]
    jobs = [(TOP / s, True) for s in sources("core")] + [(t, False) for t in tests]
    targets = [out / (str(s.relative_to(TOP)).replace("/", "_") + ".o") for s, _ in jobs]
    done = parallel(lambda job: compile_to(job[0][0], job[1], job[0][1], define),
                    list(zip(jobs, targets)))
    faults = [first_error(d.text) for d in done if not d.ok]
    return dict(zip([str(s.relative_to(TOP)) for s, _ in jobs], targets)), faults


def verdict(objects, out, name):
    """Link and run: "passed", "noticed" (a check failed, it crashed or did not end), or why not."""
    program = out / name
    done = run(["gcc", "-o", program, *objects])
    if not done.ok:
        return "does not link: " + first_error(done.text)
    done = run(["timeout", str(SECONDS), program])
    if done.ok:
        return "passed"
    crashed = done.returncode < 0 or done.returncode >= 124  # timeout's 124, and signals
    if crashed or "failed: " in done.text:
        return "noticed"
    return "no check failed, and yet: " + "\n".join(done.text.splitlines()[-3:])


def try_mutant(job):
    number, (rule, file, old, new), objects, out, hook = job
    text = (TOP / file).read_text()
    if text.count(old) != 1:
        return f"the text of the check stands {text.count(old)} times in {file}"
    source, target = out / f"mutant{number}.c", out / f"mutant{number}.o"
    source.write_text(text.replace(old, new))
    done = compile_to(source, target, True, ["-DCORE_SHARED_HOOK"] if hook else [])
    if not done.ok:
        return "does not compile: " + first_error(done.text)
    rest = [o for s, o in objects.items() if s != file]
    end = verdict([target, *rest], out, f"mutant{number}")
    return {"passed": "survives: no test misses the check", "noticed": None}.get(end, end)


def main():
    need_tools("gcc", "timeout")
    report = Report()
    os.environ.setdefault("SVMC_SEED", "1")
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
            jobs = [(n, m, builds[m[0] == "R3"], dirs[m[0] == "R3"], m[0] == "R3")
                    for n, m in enumerate(MUTANTS)]
            for (rule, file, old, _), fault in zip(MUTANTS, parallel(try_mutant, jobs)):
                report.check(f"{rule} {file}: {old.split(chr(10))[0].strip()[:60]}",
                             [fault] if fault else [])
    stated = set(re.findall(r"^\| (R\d+) \|", (TOP / "docs/spec/reply.md").read_text(), re.M))
    report.check("each rule of docs/spec/reply.md has a mutant",
                 sorted(stated - NONE - {m[0] for m in MUTANTS}))
    named = "".join(p.read_text() for p in (TOP / "tests").rglob("*.c"))
    attacks = re.findall(r"^\| (AT-\d+) \|[^|]*\| (.*) \|$",
                         (TOP / "docs/spec/attacks.md").read_text(), re.M)
    report.check("each attack of docs/spec/attacks.md has a test",
                 ["no attack is stated"] if not attacks else
                 [a for a, holds in attacks
                  if not re.search(a + r"\b", named) and not holds.startswith("not yet")])
    report.close()


main()
