#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Spin goes through every state of the models below: no error. And with each of the faults that a
model can have there is one. With --long the models are bigger."""
import re
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/checks"))
from common import Report, first_error, need_tools, parallel, run  # noqa: E402

LONG = "--long" in sys.argv
TOKEN, SLOT = "token_life", "keyslot_life"
# model, what it is built with, fault
RUNS = (
    (TOKEN, "TAGS=3" if LONG else "", None),
    (TOKEN, "", "NO_REREAD"),
    (TOKEN, "", "TAG_BEFORE_DEATH"),
    (TOKEN, "", "NO_VERSION"),
    (TOKEN, "TAGS=3", "NO_RETIRE"),
    (SLOT, "SOFTWARE", None),
    (SLOT, "LANES=2" if LONG else "LANES=1", None),
    (SLOT, "SOFTWARE", "LOAD_OVER_REFS"),
    (SLOT, "SOFTWARE", "NO_RETIRE"),
    (SLOT, "SOFTWARE", "LOOK_FIRST"),
    (SLOT, "SOFTWARE", "DRAIN_OVER_REFS"),
    (SLOT, "SOFTWARE", "WORD_FIRST"),
    (SLOT, "SOFTWARE", "NO_ASK"),
    (SLOT, "SOFTWARE", "COUNT_AFTER"),
    (SLOT, "LANES=1", "NO_SECOND_LOOK"),
    (SLOT, "LANES=1", "RESIDENT_FIRST"),
)


def search(one):
    """(errors, states, None), or (0, 0, why not)."""
    model, how, fault = one
    defines = [f"-D{name}" for name in (how, fault) if name]
    with tempfile.TemporaryDirectory() as tmp:
        done = run(["spin", "-a", *defines, TOP / f"tests/checks/{model}.pml"], cwd=tmp)
        if done.ok:
            done = run(["gcc", "-O0" if fault else "-O2", "-w", "-DSAFETY", "-DCOLLAPSE",
                        "-o", "pan", "pan.c"], cwd=tmp)
        if not done.ok:
            return 0, 0, first_error(done.text)
        done = run(["./pan", "-m1000000"], cwd=tmp)
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
    for (model, how, fault), (errors, states, why) in zip(RUNS, parallel(search, RUNS)):
        name = " ".join(word for word in (model, how, fault) if word)
        print(f"{name}: {errors} errors, {states} states")
        if fault:
            report.check(f"{name} is found", [why] if why else [] if errors else ["no error"])
        else:
            report.check(f"{name}, exhaustive", [why] if why else
                         [f"{errors} errors"] if errors else
                         [] if states > 10000 else ["too few states"])
    for model in (TOKEN, SLOT):
        text = (TOP / f"tests/checks/{model}.pml").read_text()
        stated = set(re.findall(r"-D([A-Z_]+)[,.]", text.split("*/")[1]))
        report.check(f"each fault that {model} states is looked for",
                     sorted(stated ^ {fault for of, _, fault in RUNS if of == model and fault}))
    report.close()


main()
