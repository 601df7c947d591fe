#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No branch and no index on a byte of a tag, and the same instructions for every token (TK-5).

The pool is built with gcc and clang, -O0 to -O3, and tests/checks/token_secret.c runs all of it
under valgrind with tags that are taken for undefined; a compare that leaves early must be found in
each build. As built for use, 100 checks each of a right token, a wrong first byte, a wrong last
byte, a stale handle and three that are none: callgrind counts as many instructions for all."""
import re
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/checks"))
from common import Report, core_flags, first_error, need_tools, parallel, run  # noqa: E402

FORMS = ("right", "wrong first byte", "wrong last byte", "stale", "not given out yet",
         "no such entry", "handle 0")


def build(compiler, level, out):
    core = [f for f in core_flags("x86_64", compiler) if not re.fullmatch(r"-O\w", f)]
    sources = [*sorted((TOP / "src/token").glob("pool*.c")), TOP / "src/core/state.c"]
    objects = []
    for source, flags in [(s, [*core, "-DTOKEN_SECRET_HOOK"]) for s in sources] + [
            (TOP / "tests/checks/token_secret.c", ["-std=gnu11"])]:
        target = out / f"{source.stem}.o"
        done = run([compiler, *flags, level, f"-I{TOP}/include", f"-I{TOP}/src", "-c", source,
                    "-o", target])
        if not done.ok:
            return None, first_error(done.text)
        objects.append(target)
    done = run([compiler, "-o", out / "secret", *objects])
    return (out / "secret", None) if done.ok else (None, first_error(done.text))


def memcheck(program, *args):
    return run(["valgrind", "-q", "--error-exitcode=9", program, *args])


def count(program, form, out):
    """Instructions of svmc_token_check in 100 calls."""
    kept = out / f"callgrind{form}"
    done = run(["valgrind", "-q", "--tool=callgrind", "--toggle-collect=svmc_token_check",
                f"--callgrind-out-file={kept}", program, str(form)])
    found = re.search(r"^(?:summary|totals): (\d+)", kept.read_text(), re.M) if done.ok else None
    return int(found.group(1)) if found else 0


def one(job):
    compiler, level = job
    faults = []
    with tempfile.TemporaryDirectory() as tmp:
        out = Path(tmp)
        program, fault = build(compiler, level, out)
        if fault:
            return [fault]
        done = memcheck(program)
        if not done.ok:
            faults.append("a branch or index on a tag: " + " ".join(done.text.split())[:300])
        if memcheck(program, "leak").returncode != 9:
            faults.append("the early exit was not found")
        if level != "-O2":
            return faults
        counts = [count(program, form, out) for form in range(len(FORMS))]
        if counts[0] < 1000 or len(set(counts)) != 1:
            faults.append("instructions: " +
                          ", ".join(f"{f} {c}" for f, c in zip(FORMS, counts)))
        print(f"{compiler} {level}: {counts[0] // 100} instructions a check")
    return faults


def main():
    need_tools("gcc", "clang", "valgrind")
    report = Report()
    jobs = [(c, f"-O{n}") for c in ("gcc", "clang") for n in range(4)]
    for (compiler, level), faults in zip(jobs, parallel(one, jobs)):
        report.check(f"{compiler} {level}", faults)
    report.close()


main()
