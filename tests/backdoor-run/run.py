# SPDX-License-Identifier: MIT
"""What the tests of backdoor-run share: running it, its trace, and whether ptrace is allowed."""
import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "mini-vmm"))
from vmm import BUILD, Case, deny, finish, main  # noqa: E402, F401

RUN = BUILD / "backdoor-run" / "backdoor-run"
GUEST = Path(__file__).resolve().parent / "guest.c"

# The documented exit statuses: backdoor-run --help.
FAILED, NOT_RUN, NOT_FOUND = 125, 126, 127


def run(*words, limit=60, **kwargs):
    """backdoor-run with these options, `--`, program and arguments, until it ends."""
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    process = subprocess.Popen([RUN, *map(str, words)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, **kwargs)
    return finish(process, limit)


def calls(trace):
    """The lines of a trace that are calls, not CPUID."""
    return [line for line in trace.splitlines()
            if re.match(r"backdoor-run: \d+ (in|vmcall|vmmcall|mrs) ", line)]


def why_no_ptrace():
    done = run("--", "true")
    if done.status == FAILED and "ptrace is refused" in done.errors:
        return done.errors.strip()
    return None


def need_ptrace(test):
    reason = why_no_ptrace()
    return unittest.skipIf(reason, reason or "")(test)


def child_of(pid):
    """The one process that it has started."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


def compile_guest(folder, *flags):
    program = Path(folder) / "guest"
    subprocess.run([os.environ.get("CC", "gcc"), "-O1", "-pthread", *flags, GUEST, "-o", program],
                   check=True)
    return program
