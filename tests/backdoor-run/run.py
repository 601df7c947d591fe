# SPDX-License-Identifier: MIT
"""What the tests of backdoor-run share: running it, its trace, and whether ptrace is allowed."""
import os
import re
import subprocess
import sys
import time
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


def why_no_fuse():
    """Mounting wants the device and the right to use it: only an absent device is hardware."""
    if not os.path.exists("/dev/fuse"):
        return "hardware: no /dev/fuse"
    if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode != 0:
        return "this user may not mount"
    return None


class MountCase(Case):
    def mounted(self, before, source, look):
        """backdoor-run *before *source FOLDER, which mounts; look(FOLDER) then."""
        if why_no_fuse():
            self.skipTest(why_no_fuse())
        at = self.tmp / "mnt"
        at.mkdir()
        said = open(self.tmp / "said", "w+", encoding="utf-8", errors="replace")
        self.addCleanup(said.close)
        process = subprocess.Popen([RUN, *before, *source, at], stdout=said, stderr=said,
                                   stdin=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 30
            while not os.path.ismount(at) and time.monotonic() < deadline:
                time.sleep(0.05)
            self.assertTrue(os.path.ismount(at))
            look(at)
        finally:
            subprocess.run(["umount", "-l", at], check=False)
            process.wait(20)
        said.seek(0)
        self.assertEqual(process.returncode, 0, said.read())

    def look_at_vmblock(self, at):
        self.assertEqual(set(os.listdir(at)), {"blockdir", "dev", "notifydir"})

    def folder_to_share(self):
        folder = self.tmp / "folder"
        (folder / "sub").mkdir(parents=True)
        (folder / "a.txt").write_text("hello")
        (folder / "sub" / "big").write_bytes(os.urandom(300000))
        return folder

    def same_files(self, seen, folder):
        self.assertEqual((seen / "a.txt").read_text(), "hello")
        big = seen / "sub" / "big"
        self.assertEqual(big.stat().st_size, 300000)
        self.assertEqual(big.read_bytes(), (folder / "sub" / "big").read_bytes())
