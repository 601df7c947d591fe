#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every public header compiles alone, in every language and compiler an embedder may use."""
import re
import tempfile
from pathlib import Path

from common import ROOT, WARNINGS, Report, first_error, need_tools, parallel, run

GNU89 = [w for w in WARNINGS if w != "-Wpedantic"]
WAYS = [(f"{name} {std}", [name, f"-std={std}", "-x", language, *flags])
        for language, names, stds in (("c", ("gcc", "clang"), ("c99", "c11", "gnu89")),
                                      ("c++", ("g++", "clang++"), ("c++17",)))
        for name in names for std in stds
        for flags in [GNU89 if std == "gnu89" else WARNINGS]]
LINES_MAX = 250
GENERATED = {"x86_ids.h"}


def guard_fault(path, text):
    """The include guard is the path: svmcore/guest/x.h -> SVMCORE_GUEST_X_H."""
    guard = re.sub(r"\W", "_", str(path.relative_to(ROOT / "include"))).upper()
    if f"#ifndef {guard}\n#define {guard}\n" not in text:
        return [f"include guard is not {guard}"]
    return []


def compile_alone(job):
    header, (name, command) = job
    with tempfile.TemporaryDirectory() as tmp:
        # twice: the guard works too
        unit = Path(tmp, "alone.c")
        include = header.relative_to(ROOT / "include")
        unit.write_text(f"#include <{include}>\n#include <{include}>\n"
                        "int svmc_alone(void);\nint svmc_alone(void) { return 0; }\n")
        done = run([*command, "-I", ROOT / "include", "-O1", "-c", unit, "-o", Path(tmp, "o")])
    return f"{include} {name}", [] if done.ok else [first_error(done.text)]


def main():
    need_tools("gcc", "g++", "clang", "clang++")
    report = Report()
    headers = sorted((ROOT / "include").rglob("*.h"))
    if not headers:
        report.fail("include", "no header was found")
    for name, faults in parallel(compile_alone, [(h, w) for h in headers for w in WAYS]):
        report.check(name, faults)
    for header in headers:
        text = header.read_text()
        faults = guard_fault(header, text)
        lines = text.count("\n")
        if lines > LINES_MAX and header.name not in GENERATED:
            faults.append(f"{lines} lines, more than {LINES_MAX}")
        report.check(f"{header.relative_to(ROOT)} guard and size", faults)
    report.close()


main()
