#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Branch coverage of the intercept's engine and policy by the unit tests: 98 % of gcov's branches.

Arguments: a build of meson's b_coverage without optimisation whose tests/unit-plain is up to date,
and for a trial a part of the tests' names. What gcov counts and no input can take stands in ABSENT
with its reason and is left out; a row that excuses nothing is a FAIL."""
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/checks"))
from common import Report, need_tools, run  # noqa: E402

LEAST = 98.0
FILES = ("calls", "commit", "enter", "exit", "host_page", "inside", "mend", "page", "policy",
         "policy_bytes", "policy_preset", "reply", "time", "usual", "vcpu")
# text of the line, branches of it that nothing takes, why
ABSENT = (
    (r"_count && i < SLOTS_|i < declared && i < SLOTS_", 1,
     "no row has more slots than there are: the second bound is the table's own"),
    (r"plan->count >= PLAN_MAX|i < plan->count && i < PLAN_MAX", 1,
     "a plan has room for all results and RIP: it is the array's own bound"),
    (r"^switch \(\(enum ", 1, "gcov counts a default; every value of the enum has its case"),
    (r"entry < KINDS \? policy", 1, "a row whose verdict is its kind's has an entry"),
    (r"i < policy->priv.window_count && i < SVMC_POLICY_WINDOWS", 1,
     "the setter keeps the count: the second bound is the table's own"),
    (r"call_count \|\| at >= SVMC_POLICY_CALLS", 1, "as above, of calls"),
    (r"port >= SVMC_POLICY_PORTS \|\| size == 0", 1, "EX-1 has refused a port without a size"),
    (r"end - at >= 4", 1, "each range of entries is a multiple of four"),
    (r"i < count && i < SVMC_POLICY_CPUIDS", 1,
     "the header's count was checked: the second bound is the table's own"),
)


def run_tests(build, prefix, part):
    """Run the tests with their counts below prefix: (data files, None), or why not."""
    for note in build.glob("src/libsvmcore*.p/*intercept_*.gcno"):
        target = prefix / note.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(note, target)
    done = run([build / "tests/unit-plain", *part], env={**os.environ, "GCOV_PREFIX": str(prefix)})
    data = [d for d in sorted(prefix.rglob("*.gcda")) if d.with_suffix(".gcno").exists()]
    return data, None if done.ok and data else done.text[-300:] + " (no counts)"


def branches(build, data):
    """{file: [(line, function, [count of each branch])]}, or why not."""
    found = {}
    done = run(["gcov", "--branch-probabilities", "--json-format", "--stdout", *data], cwd=build)
    if not done.ok:
        return found, done.text[-300:]
    for text in done.text.splitlines():
        for file in json.loads(text)["files"] if text.startswith("{") else []:
            path = (build / file["file"]).resolve()
            if path.parent == TOP / "src/intercept" and path.suffix == ".c":
                found.setdefault(path.stem, []).extend(
                    (line["line_number"], line.get("function_name", ""),
                     [branch["count"] for branch in line["branches"]])
                    for line in file["lines"] if line["branches"])
    return found, None


def count_file(name, rows, used):
    """(branches, taken, excused) of one file, the first without the last; prints what is left."""
    text = (TOP / f"src/intercept/{name}.c").read_text().splitlines()
    all_of_it = taken = left_out = 0
    for number, function, counts in sorted(rows):
        line, never = text[number - 1].strip(), counts.count(0)
        excuses = [row for row in ABSENT if never and re.search(row[0], line)]
        used.update(excuses)
        excused = min(never, sum(row[1] for row in excuses))
        all_of_it += len(counts) - excused
        taken += len(counts) - never
        left_out += excused
        if never > excused:
            print(f"{name}.c:{number}: {never - excused} of {len(counts)} never taken: "
                  f"{function}: {line[:80]}")
    return all_of_it, taken, left_out


def main():
    need_tools("gcov")
    report, used, sums = Report(), set(), [0, 0, 0]
    build = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as tmp:
        data, fault = run_tests(build, Path(tmp), sys.argv[2:])
        found, fault = ({}, fault) if fault else branches(build, data)
    report.check("unit tests and gcov", [fault] if fault else [])
    for name in FILES:
        all_of_it, taken, excused = count_file(name, found.get(name, []), used)
        sums = [a + b for a, b in zip(sums, (all_of_it, taken, excused))]
        print(f"{name}.c: {taken} of {all_of_it} branches, {excused} excused")
        report.check(f"{name}.c is measured", [] if all_of_it else ["no branch"])
    share = 100.0 * sums[1] / max(sums[0], 1)
    report.check(f"{sums[1]} of {sums[0]} branches, {share:.1f} %; {sums[2]} excused",
                 [] if share >= LEAST else [f"below {LEAST} %"])
    report.check("every excuse is needed", [row[0] for row in ABSENT if row not in used])
    report.close()


main()
