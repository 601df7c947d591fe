#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every rule that docs/spec/ defines is cited in a comment of the code that keeps it and of a test
that holds it, and no comment cites a rule that is not there. `DE-1 to DE-14` names a document, not
a rule, and counts for nothing; `R2-R4` counts for three.

A row of docs/spec/ that begins with a name of the outside, XSA or CVE, has a rule and tests, which
are there and bear the name; each such name in tests/ has a row."""
import re

from common import ROOT, Report

GROUPS = ("A64 AD AN AP AU CR DE DK DM DT EA ER EV EX FO HC HN IM IO JU KF KH KM KS KV ME MO OF PG "
          "PO PR RV S390 SE ST TK TM TP TR VW WK XE XS").split()
GROUP = f"(?:{'|'.join(GROUPS)})-"
DEFINED = re.compile(rf"^(?:\*\*|\| )({GROUP}\d+|R\d+)(?: \|| [^*\n]+\.\*\*)", re.M)
CITED = re.compile(rf"\b({GROUP}|R)(\d+)(?:-\1(\d+))?(?!\w)")
DOCUMENT = re.compile(rf"\b(?:{GROUP}|R)\d+ to (?:{GROUP}|R)\d+\b")
REGISTER = re.compile(r"\b[RE](?:[A-D]X|[SD]I|[SB]P|IP)\b")  # R8 beside RDI is one too
NAME = re.compile(r"\b(?:XSA-\d+|CVE-\d{4}-\d+)\b")
CASE = re.compile(r"^\| ((?:XSA|CVE)-[^|]+) \| ([^|]+) \| ([^|]+) \|$", re.M)
TEST = re.compile(r"(?:^/\*(?:[^*]|\*(?!/))*\*/\n)?^TEST\((\w+), (\w+)\).*?^\}", re.M | re.S)
ABSENT = {}  # rules that this release defines and has no code for: id -> why
CODE, TESTS = ("src", "include", "examples"), ("tests", "fuzz")
IGNORED = {"can_fail.py"}  # lays trees with rules of their own
C_LIKE, PLAIN = {".c", ".h", ".def", ".S"}, {".dat", ".py", ".sh"}


def comments(path, text):
    """The lines that may cite: a C file's comments, all of a script or table."""
    if path.suffix in C_LIKE:
        text = "\n".join(re.findall(r"/\*.*?\*/|//[^\n]*", text, re.S))
    return DOCUMENT.sub("", re.sub(r"\s*\n\s*\*?\s+to ", " to ", text)).splitlines()


def cited(path):
    """The ids that a file cites. In the decoder and its tests R8 to R15 are registers."""
    for line in comments(path, path.read_text(errors="replace")):
        for prefix, first, last in CITED.findall(line):
            if prefix == "R" and ("decode" in path.parts or REGISTER.search(line)):
                continue
            for number in range(int(first), int(last or first) + 1):
                yield f"{prefix}{number}"


def citations(folders):
    """id -> the files that cite it."""
    found = {}
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in C_LIKE | PLAIN and path.name not in IGNORED:
                for name in cited(path):
                    found.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    return found


def name_cases(report, spec, rules):
    """Each name has its rule and its tests."""
    tests, borne = {}, {}
    for path in sorted((ROOT / "tests").rglob("*.c")):
        text = path.read_text(errors="replace")
        for name in NAME.findall("\n".join(comments(path, text))):
            borne.setdefault(name, str(path.relative_to(ROOT)))
        for match in TEST.finditer(text):
            tests[f"{match.group(1)}.{match.group(2)}"] = match.group()
    rows = CASE.findall(spec)
    for names, rule, wanted in rows:
        wanted = wanted.split(", ")
        faults = [f"no test {test}" for test in wanted if test not in tests]
        faults += [f"rule {rule} is not defined"] if rule not in rules else []
        faults += [f"{name} does not stand at {test}" for name in names.split(", ")
                   for test in wanted if test in tests and name not in NAME.findall(tests[test])]
        report.check(f"case {names}", faults)
    known = NAME.findall(" ".join(row[0] for row in rows))
    for name in sorted(set(borne) - set(known)):
        report.fail(f"case {name}", f"no row of docs/spec/ has it: {borne[name]}")


def main():
    report = Report()
    spec = "\n".join(path.read_text() for path in sorted((ROOT / "docs/spec").glob("*.md")))
    rules = DEFINED.findall(spec)
    code, tests = citations(CODE), citations(TESTS)
    report.check("each rule is defined once",
                 sorted({f"{name} twice" for name in rules if rules.count(name) > 1}))
    for name in rules:
        if name in ABSENT:
            print(f"absent {name}: {ABSENT[name]}")
            continue
        faults = [] if name in code else ["no code cites it"]
        report.check(f"rule {name}", faults + ([] if name in tests else ["no test cites it"]))
    for name in sorted((code.keys() | tests.keys()) - set(rules)):
        where = sorted(code.get(name, set()) | tests.get(name, set()))
        report.fail(f"rule {name}", f"cited but not defined: {', '.join(where)}")
    name_cases(report, spec, rules)
    if not rules:
        report.fail("docs/spec", "no rule is defined")
    report.close()


main()
