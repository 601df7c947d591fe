#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each check of intercept, hcall, token, exec, ciphers, keys, seal and states, taken out of the
source, is missed by a test.

The rows are those of mutants_*.py beside this file: the rule, the file, the text of the check,
which must stand there exactly once, and what replaces it. The mutant is compiled, linked in front
of the core, and their tests run on it: a mutant that passes them is a FAIL, and so are a rule of
docs/spec/reply.md or offer.md without a mutant (but where the document says that no row declares
what it is about) and a row whose text is not there any more. The unchanged source must pass, or
nothing is proved. A run ends with the first failed check: what counts is that there is one.

A run takes one mutant in EACH, those after the first MUTANT (a number; else another one every day),
and says so; with --long all of them."""
import os
import re
import sys
import tempfile
from importlib import import_module
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/checks"))
sys.dont_write_bytecode = True
from common import (Report, by_day, core_flags, edited, first_error, need_tools,  # noqa: E402
                    parallel, run, sources)

EACH = 64
SECONDS = 60  # of processor time: a mutant may loop, and that is noticed too

TABLES = {p.stem: import_module(p.stem).ROWS
          for p in sorted(Path(__file__).parent.glob("mutants_*.py"))}
ATTACKS = TABLES.pop("mutants_attacks")
MUTANTS = sum(TABLES.values(), ())
A, W, T = "src/intercept/adapt/", "src/hcall/vmware/", "src/token/"
LIKELY = {"src/seal/page.c": "pages", "src/seal/turn.c": "pages",
          "src/keyslot/slot_subkey.c": "sealer"}  # whose tests are not called as the file
HOOKED = {"R3", "AP-1", "AT-1"}  # about the number of loads: read_once.c


def compile_to(source, target, core, extra=()):
    flags = core_flags("x86_64", "gcc") if core else ["-std=gnu11"]
    return run(["gcc", *flags, "-O1", "-D_GNU_SOURCE", "-DSVMC_TEST_PLAIN", "-w", *extra,
                f"-I{TOP}/include", f"-I{TOP}/src", f"-I{TOP}/tests",
                *(f"-iquote{TOP / d}" for d in sorted({Path(s).parent for s in sources("core")})),
                "-c", source, "-o", target])


def build(out, hook):
    """The core, and the tests with their main: (objects of the core by source, test program's)."""
    define = ["-DCORE_SHARED_HOOK"] if hook else []
    tests = ([TOP / "tests/checks/read_once.c", TOP / "tests/intercept/scenarios.c",
              TOP / "tests/intercept/adapt_lab.c"] if hook else
             [*sorted(p for d in ("intercept", "hcall", "token", "judge", "keyslot", "seal", "exec")
                      for p in (TOP / "tests" / d).glob("*.c")), TOP / "tests/core/test_crypto.c"])
    tests += [*sorted((TOP / "tests/fakehost").glob("*.c")), TOP / "tests/plain_main.c"]
    jobs = [(TOP / s, True) for s in sources("core")] + [(t, False) for t in tests]
    targets = [out / (str(s.relative_to(TOP)).replace("/", "_") + ".o") for s, _ in jobs]
    done = parallel(lambda job: compile_to(job[0][0], job[1], job[0][1], define),
                    list(zip(jobs, targets)))
    faults = [first_error(d.text) for d in done if not d.ok]
    return dict(zip([str(s.relative_to(TOP)) for s, _ in jobs], targets)), faults


def verdict(objects, out, name, likely=None, alone=False):
    """Link and run: "passed", "noticed" (a check failed, it crashed or did not end), or why not.
    The tests with `likely` in their names run first: it is they that notice most. alone: no other
    does, and a check has to fail."""
    program = out / name
    done = run(["gcc", "-o", program, *objects])
    if not done.ok:
        return "does not link: " + first_error(done.text)
    for some in [[likely], []][:2 - alone] if likely else [[]]:  # of no such name: fails no check
        done = run(["sh", "-c", f'ulimit -t {SECONDS}; exec "$0" "$@"', program, *some])
        crashed = done.returncode < 0 or done.returncode > 128  # signals, that of the limit too
        if (crashed and not alone) or "failed: " in done.text:
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
    attack = rule.startswith("AT-")
    end = verdict([*(c.with_suffix(".o") for c in copies.values()), *rest], out, f"mutant{number}",
                  f".at{rule[3:]}_" if attack else None if hook else "adapt" if A in file else
                  "vmware" if W in file else "token" if T in file else
                  LIKELY.get(file) or
                  Path(file).stem.split("_")[0], attack)
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
            chosen = by_day(MUTANTS, EACH, "mutants", "MUTANT")
            chosen += by_day(ATTACKS, EACH, "attacks", "MUTANT")
            report.check("the text of every mutant stands once",
                         [f"{rule} {file}: {old}" for rule, file, old, _ in MUTANTS + ATTACKS
                          if (TOP / file).read_text().count(old) != 1])
            jobs = [(n, m, builds[m[0] in HOOKED], dirs[m[0] in HOOKED], m[0] in HOOKED)
                    for n, m in enumerate(chosen)]
            for (rule, file, old, _), fault in zip(chosen, parallel(try_mutant, jobs)):
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
    report.check("each attack of docs/spec/attacks.md has a test, and a mutant that it misses",
                 ["no attack is stated"] if not attacks else
                 [a for a, holds in attacks
                  if not re.search(a + r"\b", named) or
                  (a not in {m[0] for m in ATTACKS} and "test_offer.c" not in holds)])
    report.close()


main()
