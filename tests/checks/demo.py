#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/demo as a newcomer meets it: from nothing within 20 s, again within 2 s and silent, and as
a user who may neither write to the tree nor use /dev/kvm. Each run must end in PASS.

Where other parts run beside this one (tools/test says so by SVMC_ALONE=0) the clock on the wall
would measure these: then the processor time decides, what two processors have in those seconds.
Alone both do, and both are printed."""
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/checks"))
from common import Report, copy_tree, run  # noqa: E402

COLD_SECONDS, WARM_SECONDS, PROCESSORS = 20, 2, 2
NOBODY = 65534
ALONE = os.environ.get("SVMC_ALONE") != "0"


def demo(tree, before=(), **environment):
    """Runs it; returns what is wrong with its end, its output, its errors and its seconds."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("SVMC_", "XDG_"))}
    start, used = time.monotonic(), processor_time()
    done = subprocess.run([*before, tree / "tools/demo"], env={**clean, **environment}, text=True,
                          capture_output=True, check=False, stdin=subprocess.DEVNULL)
    seconds = (time.monotonic() - start, processor_time() - used)
    lines = done.stdout.splitlines()
    faults = []
    if done.returncode != 0:
        faults.append(f"exit status {done.returncode}: {(done.stderr + done.stdout)[-300:]}")
    elif lines[-1:] != ["verdict: PASS"]:
        faults.append(f"the last line is {lines[-1:]}")
    return faults, lines, done.stderr.strip(), seconds


def processor_time():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def slow(seconds, most):
    wall, used = seconds
    faults = [f"took {wall:.1f} s, more than {most}"] if ALONE and wall > most else []
    most *= PROCESSORS
    return faults + ([f"{used:.1f} s of processor time, more than {most}"] if used > most else [])


def said(seconds):
    return f"{seconds[0]:.1f} s, {seconds[1]:.1f} s of processor time"


def foreign_user(report, tmp, tree):
    """Somebody else's tree, built by its owner."""
    home = Path(tmp, "home")
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    os.chmod(tmp, 0o755)
    before = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    faults, lines, errors, seconds = demo(tree, before, HOME=str(home), TMPDIR=str(home))
    usable = run([*before, "test", "-r", "/dev/kvm", "-a", "-w", "/dev/kvm"]).ok
    if not usable and not faults and not any("trace" in line for line in lines[:3]):
        faults.append("the first lines do not say that a trace was replayed: "
                      + " | ".join(lines[:3]))
    if errors:
        faults.append(f"stderr: {errors[:200]}")
    report.check(f"as another user, {'with' if usable else 'without'} KVM: {said(seconds)}",
                 faults + slow(seconds, COLD_SECONDS))
    os.chmod(home, 0)  # no place left at all
    os.chown(home, 0, 0)
    faults, _, errors, _ = demo(tree, before, HOME=str(home), TMPDIR=str(home))
    report.check("without a folder to build in it says so",
                 [] if faults and "no folder to build in" in errors else [errors[:200] or "ran"])


def main():
    report = Report()
    with tempfile.TemporaryDirectory() as tmp:
        tree = Path(tmp, "tree")
        copy_tree(tree)
        faults, _, _, seconds = demo(tree)
        report.check(f"from nothing: {said(seconds)}", faults + slow(seconds, COLD_SECONDS))
        faults, _, errors, seconds = demo(tree)
        faults += [f"stderr: {errors[:200]}"] if errors else []
        report.check(f"again: {said(seconds)}", faults + slow(seconds, WARM_SECONDS))
        if os.getuid() == 0:
            foreign_user(report, tmp, tree)
        else:
            report.skip("needs root", "tools/demo as another user")
    report.close()


main()
