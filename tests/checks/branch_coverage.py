#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Branch coverage of the intercept's engine by the unit tests: at least 98 % of gcov's branches.

argument: a build of meson's b_coverage without optimisation whose tests/unit-plain is up to date. A
branch that gcov counts but that no input can take stands in ABSENT with its reason, by function and
the text of its line: it is left out, and a row that excuses nothing is a FAIL."""
import json
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/checks"))
from common import Report, need_tools, run  # noqa: E402

LEAST = 98.0
FILES = ("commit", "enter", "exit", "mend", "page", "policy", "policy_bytes", "policy_preset",
         "reply", "vcpu")
ABSENT = ()


def counts(build):
    """{file: [(line, function, [count of each branch])]}, from a run of the unit tests."""
    objects = build / "src/libsvmcore.so.0.1.0.p"
    for old in build.rglob("*.gcda"):
        old.unlink()
    done = run([build / "tests/unit-plain"])
    if not done.ok:
        return None, done.text
    data = sorted(objects.glob("*.gcda"))
    done = run(["gcov", "--branch-probabilities", "--json-format", "--stdout", *data], cwd=build)
    if not done.ok:
        return None, done.text
    found = {}
    for line in done.text.splitlines():
        if not line.startswith("{"):
            continue
        for file in json.loads(line)["files"]:
            path = (build / file["file"]).resolve()
            if path.parent == TOP / "src/intercept":
                found.setdefault(path.stem, []).extend(
                    (l["line_number"], l.get("function_name", ""),
                     [b["count"] for b in l["branches"]])
                    for l in file["lines"] if l["branches"])
    return found, None


def main():
    need_tools("gcov")
    report, build = Report(), Path(sys.argv[1]).resolve()
    found, fault = counts(build)
    if found is None:
        report.fail("unit tests and gcov", fault[-300:])
        report.close()
    used, branches, taken = set(), 0, 0
    for name in FILES:
        text = (TOP / f"src/intercept/{name}.c").read_text().splitlines()
        here = missing = 0
        for number, function, each in sorted(found.get(name, [])):
            line = text[number - 1].strip()
            never = sum(count == 0 for count in each)
            excuse = [row for row in ABSENT if row[0] == name and row[1] in line]
            for row in excuse[:1] if never else []:
                used.add(row)
                never -= min(never, row[2])
                each = each[min(len(each), row[2]):]
            here, missing = here + len(each), missing + never
            if never:
                print(f"{name}.c:{number}: {never} of {len(each)} never: {function}: {line[:90]}")
        branches, taken = branches + here, taken + here - missing
        share = 100.0 * (here - missing) / here if here else 0.0
        report.check(f"{name}.c: {here - missing} of {here} branches, {share:.1f} %",
                     [] if share >= LEAST else [f"below {LEAST} %"])
    report.check(f"the engine: {taken} of {branches} branches",
                 [] if branches and 100.0 * taken / branches >= LEAST else [f"below {LEAST} %"])
    for row in ABSENT:
        if row not in used:
            report.fail(f"{row[0]}.c: {row[1]}", "excuses nothing")
    report.close()


main()
