#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Spin goes through every state of tests/checks/token_life.pml: no error. And with each of the
faults that the model can have there is one. With --long a tag more is drawn."""
import re
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/checks"))
from common import Report, first_error, need_tools, parallel, run  # noqa: E402

MODEL = TOP / "tests/checks/token_life.pml"
FAULTS = ("NO_REREAD", "TAG_BEFORE_DEATH", "NO_VERSION", "NO_RETIRE")
MORE = "NO_RETIRE"  # needs a tag more


def search(fault):
    """(errors, states, None), or (0, 0, why not)."""
    more = fault == MORE or "--long" in sys.argv
    defines = [*([f"-D{fault}"] if fault else []), *(["-DTAGS=3"] if more else [])]
    with tempfile.TemporaryDirectory() as tmp:
        done = run(["spin", "-a", *defines, MODEL], cwd=tmp)
        if done.ok:
            done = run(["gcc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c"],
                       cwd=tmp)
        if not done.ok:
            return 0, 0, first_error(done.text)
        done = run(["./pan", "-m100000"], cwd=tmp)
    found = re.search(r"errors: (\d+)", done.text)
    states = re.search(r"(\d+) states, stored", done.text)
    if not found or not states:
        return 0, 0, first_error(done.text)
    if not fault and re.search(r"max search depth too small|out of memory", done.text):
        return 0, 0, "not exhaustive"
    return int(found.group(1)), int(states.group(1)), None


def main():
    need_tools("spin", "gcc")
    report = Report()
    for fault, (errors, states, why) in zip((None, *FAULTS), parallel(search, (None, *FAULTS))):
        name = fault or "the model"
        print(f"{name}: {errors} errors, {states} states")
        if fault:
            report.check(f"{name} is found", [why] if why else [] if errors else ["no error"])
        else:
            report.check(f"{name}, exhaustive", [why] if why else
                         [f"{errors} errors"] if errors else
                         [] if states > 10000 else ["too few states"])
    report.close()


main()
