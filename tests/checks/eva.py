#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Frama-C Eva over the intercept's shipped sources, from tests/checks/eva_driver.c: every kind of
exit with --long, else a few of them (SHORT); what is left out is said.

No alarm, no check of the driver left open, nothing called without its body, nearly every statement
reached; and a source with a bound taken out must give an alarm, or the silence proves nothing. The
macro __GNUC__ is undefined for the preprocessor, so that the sources take the branch that they have
for any other compiler: plain volatile accesses in src/core/shared.h, no asm, no builtins.

Coverage: a function counts with the most statements that one of the runs reaches of it, which is no
more than what all of them reach; the driver's own do not count. Every function of the files must be
analysed."""
import os
import re
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/checks"))
from common import ROOT, Report, need_tools, parallel, run, without_comments  # noqa: E402

SECONDS = 3600 if "--long" in sys.argv else 900  # for a run, where others run, too
COVERAGE = 95
DRIVER = "tests/checks/eva_driver.c"
FILES = [f"src/intercept/{name}.c" for name in
         ("usual", "exit", "page", "reply", "mend", "enter", "commit", "resolve", "rules",
          "registers", "fault", "vcpu", "policy", "calls", "identity", "inside", "time", "ledger",
          "block", "s390", "request")] + ["src/core/callbacks.c"]
SHORT = ("exit_in", "exit_list", "enter_in", "enter_ssch", "others")
RUNS = ("exit_ins", "exit_outs", "exit_list", "exit_block", "exit_plain", "exit_more",
        "exit_none", "enter_string", "enter_plain", "enter_more", "enter_block", "others")
MUTANTS = (  # marshal, reply check, commit
    ("exit_in", "src/intercept/stages.h",
     "for (uint32_t i = 0; i < slots; i++)\n        core_shared_put(page, SVMC_PAGE_REQ_IN +",
     "for (uint32_t i = 0; i <= slots; i++)\n        core_shared_put(page, SVMC_PAGE_REQ_IN +"),
    ("enter_in", "src/intercept/reply.c",
     "for (uint32_t i = SLOTS_OUT; i < SVMC_PAGE_SLOTS; i++)",
     "for (uint32_t i = SLOTS_OUT; i <= SVMC_PAGE_SLOTS; i++)"),
    ("enter_in", "src/intercept/commit.c", "core_clamp(at, SVMC_EXIT_DATA_MAX - 8), out[i]",
     "SVMC_EXIT_DATA_MAX - 7, out[i]"),
)

# Where the analysis keeps cases apart: precision and time, never an assumption.
LEVELS = {4: "svmc_intercept_put_data",
          5: "svmc_intercept_record_begin add_ticks has_clock size_is_sound",
          10: "svmc_policy_init svmc_policy_seal plan_step plan_rip find* open is_hypercall write "
              "is_usual own_is_sound backend_is_sound is_delegated svmc_intercept_interpret "
              "open_stsi open_pcistb open_sccb "
              "svmc_intercept_s390_open svmc_intercept_s390_header svmc_intercept_s390_commit",
          20: "fresh svmc_intercept_identity string_is_sound svmc_intercept_has_memory first_case "
              "next_case",
          40: "svmc_intercept_exit_sound call_smccc call_sbi call_papr "
              "svmc_intercept_special_sound svmc_intercept_s390_sound",
          60: "record take_span get_span",
          100: "svmc_vcpu_init check_record enter_string",
          400: "svmc_intercept_begin svmc_intercept_resolved execute answer* answer_inside "
               "svmc_intercept_notify svmc_intercept_request collect "
               "delegate commit_inside svmc_intercept_commit svmc_intercept_take "
               "accept retry svmc_intercept_block_next stage_string svmc_intercept_spans "
               "commit_string svmc_intercept_block_move svmc_intercept_block_stage",
          1000: "svmc_vcpu_exit svmc_vcpu_enter ask* any_exit any_row exits refuses enters "
                "exit_plain exit_more exit_block exit_none enter_plain enter_more enter_string "
                "enter_block"}
BY_RESULT = {"full": "svmc_vcpu_init svmc_vcpu_exit svmc_vcpu_enter ask* svmc_intercept_begin "
                     "svmc_policy_init svmc_policy_seal record take_span get_span "
                     "svmc_intercept_spans answer* svmc_intercept_identity stage_string "
                     "svmc_intercept_block_move svmc_intercept_block_stage open_stsi open_pcistb "
                     "open_sccb svmc_intercept_s390_open svmc_intercept_s390_header",
             "0": "svmc_intercept_exit_sound size_is_sound string_is_sound has_clock is_usual "
                  "own_is_sound backend_is_sound is_delegated execute commit_inside "
                  "svmc_intercept_commit "
                  "answer_inside delegate svmc_intercept_notify svmc_intercept_request collect "
                  "svmc_intercept_interpret write accept retry svmc_intercept_block_next "
                  "svmc_intercept_has_memory find* open plan_step plan_rip is_hypercall"}
RELATIONS = "core_clamp* core_shared_zero* svmc_intercept_spans"  # between two variables
COMMON = ["-machdep", "x86_64", "-c11", "-cpp-extra-args=-U__GNUC__ -Iinclude -Isrc", "-eva",
          "-eva-msg-key=-initial-state,-final-states", "-eva-ilevel", "16", "-eva-slevel", "0",
          "-eva-auto-loop-unroll", "32", "-eva-interprocedural-splits", "-eva-split-limit", "128"]

MORE = {"exit_none": ["-eva-ilevel", "4096"]}  # the kinds of a class: a set, no interval


def with_copies(names, known):
    """`find*`: every function that Frama-C calls so: static ones of several files get numbers."""
    for name in names.split():
        pattern = re.escape(name.rstrip("*")) + (r"(_\d+)?" if name.endswith("*") else "")
        copies = [k for k in known if re.fullmatch(pattern, k)]
        if not copies:
            sys.exit(f"FAIL eva: no function is called {name}")
        yield from copies


def options(known):
    def listed(table):
        return ",".join(f"{function}:{value}" for value, names in table.items()
                        for function in with_copies(names, known))
    octagons = ",".join(f"octagon:{f}" for f in with_copies(RELATIONS, known))
    return [*COMMON, "-eva-slevel-function", listed(LEVELS), "-eva-split-return-function",
            listed(BY_RESULT), "-eva-domains-function", octagons]


def inside(tree):
    return {"cwd": tree, "env": {**os.environ, "PWD": str(tree)}}  # Frama-C believes PWD


def functions(tree):
    """The names of all functions that Frama-C sees in the files and the driver, headers' too."""
    text = run(["frama-c", *COMMON[:COMMON.index("-eva")], "-metrics", DRIVER, *FILES],
               **inside(tree)).text
    said = re.search(r"Defined functions \(\d+\)\n *=+\n(.*?)\n *\n", text, re.S)
    return re.findall(r"(\w+) (?:\(address taken\) )?\(\d+ calls?\)", said.group(1)) if said else []


def analyse(tree, main, flags):
    began = time.monotonic()
    done = run(["timeout", str(SECONDS), "frama-c", *flags, *MORE.get(main, []), "-metrics",
                "-metrics-eva-cover", "-main", main, DRIVER, *FILES], **inside(tree))
    done.seconds = time.monotonic() - began
    return done


def alarms(text):
    """What Eva warned of, a line each: its alarms, and what it could not show of a condition."""
    found = re.findall(r"^\[eva:alarm\] (.*?)(?=^\[|\Z)", text, re.M | re.S)
    said = re.search(r"(\d+) alarms? generated", text)
    if said and int(said.group(1)) and not found:
        found = [said.group(0)]
    return [" ".join(m.split()) for m in found]


def closing(text):
    """The faults of a run that did not end, or that left something out."""
    if "ANALYSIS SUMMARY" not in text or "Statements analyzed by Eva" not in text:
        return ["no summary: " + " | ".join(text.splitlines()[-3:])]
    return [line for line in text.splitlines()
            if re.search(r"user error|[Nn]either code nor spec|missing code|[Bb]ody of function|"
                         r"no implementation|assigns clause|not preserved|never terminates", line)]


def reached(text):
    """{function: (statements reached, out of)}"""
    rows = re.findall(r"^ *(\w+): (\d+) stmts out of (\d+)", text, re.M)
    return {name: (int(some), int(of)) for name, some, of in rows}


def defined(path):
    """The names of the functions that a file defines."""
    return set(re.findall(r"^[a-z][\w \*]*?\b(\w+)\((?:[^;{}]*?)\)\n\{",
                          without_comments(path.read_text()), re.M))


def union(texts):
    """The most that a run reaches of each function, without the driver's own."""
    own = defined(ROOT / DRIVER)
    best = {}
    for text in texts:
        for name, (some, of) in reached(text).items():
            if name not in own:
                best[name] = (max(some, best.get(name, (0, of))[0]), of)
    return best


def unseen(best):
    """The functions of the files that no run analyses; names can stand in several files."""
    wanted, seen = {}, {}
    for file in FILES:
        for name in defined(ROOT / file):
            wanted[name] = wanted.get(name, 0) + 1
    for name in best:
        for base in {name, re.sub(r"_\d+$", "", name)}:
            seen[base] = seen.get(base, 0) + 1
    if not wanted:
        return ["no function was found in the files"]
    return sorted(name for name, count in wanted.items() if seen.get(name, 0) < count)


def copy_tree(to):
    os.symlink(ROOT / "include", Path(to, "include"))
    for name in ("src/core", "src/intercept", "tests/checks"):
        os.makedirs(Path(to, name))
        for source in (ROOT / name).iterdir():
            if source.is_file():
                Path(to, name, source.name).write_bytes(source.read_bytes())


def mutant_faults(mutant, flags, before):
    main, file, old, new = mutant
    with tempfile.TemporaryDirectory() as tmp:
        copy_tree(tmp)
        text = Path(tmp, file).read_text()
        if text.count(old) != 1:
            return [f"the text stands {text.count(old)} times"]
        Path(tmp, file).write_text(text.replace(old, new))
        done = analyse(tmp, main, flags)
        if closing(done.text):
            return closing(done.text)
        return [] if set(alarms(done.text)) - before else ["no new alarm"]


def check_runs(report, names, flags):
    """{run: its text}, and what each has to say for itself."""
    texts = {}
    for name, done in zip(names, parallel(lambda name: analyse(ROOT, name, flags), names)):
        found = alarms(done.text)
        for alarm in found:
            print(f"alarm in {name}:", alarm[:200])
        said = re.search(r"\d+ statements reached \(out of \d+\): \d+% coverage", done.text)
        print(f"== {name}: {len(found)} alarms, {said.group(0) if said else 'no end'}, "
              f"{done.seconds:.0f} s")
        report.check(f"{name}: the analysis ends and leaves nothing out", closing(done.text))
        report.check(f"{name}: no alarm", [str(len(found))] if found else [])
        texts[name] = done.text
    return texts


def check_coverage(report, texts):
    best = union(texts)
    some, of = (sum(row[i] for row in best.values()) for i in (0, 1))
    percent = 100 * some / of if of else 0
    for name, (part, whole) in sorted(best.items()):
        if part < whole:
            print(f"not reached: {whole - part} of {whole} in {name}")
    print(f"== all runs: {some} statements reached (out of {of}): {percent:.1f} %")
    report.check(f"{COVERAGE} % of the statements are reached",
                 [] if percent >= COVERAGE else [f"{percent:.1f} %"])
    report.check("every function of the files is analysed", unseen(best))


def main():
    need_tools("frama-c", "timeout")
    if sys.argv[1:] not in ([], ["--long"]):
        sys.exit("usage: eva.py [--long]")
    names = RUNS if sys.argv[1:] else SHORT
    report = Report()
    flags = options(functions(ROOT))
    print("files:", *FILES)
    print("frama-c", " ".join(f"'{f}'" if " " in f else f for f in flags))
    texts = check_runs(report, names, flags)
    if names == RUNS:
        check_coverage(report, texts.values())
    else:
        print("LEFT TO --long:", *(name for name in RUNS if name not in names),
              "(all other kinds of exit), coverage, every function")
    found = {alarm for text in texts.values() for alarm in alarms(text)}
    for mutant, faults in zip(MUTANTS, parallel(lambda m: mutant_faults(m, flags, found), MUTANTS)):
        report.check(f"{mutant[1]} without a bound ({mutant[3].split(chr(10))[0][:50]}) gives an "
                     "alarm", faults)
    report.close()


if __name__ == "__main__":
    main()
