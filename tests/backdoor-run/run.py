# SPDX-License-Identifier: MIT
"""What the tests of backdoor-run share: running it, its trace, and whether ptrace is allowed."""
import os
import re
import shutil
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "mini-vmm"))
from vmm import BUILD, Case, deny, finish, main  # noqa: E402, F401

RUN = BUILD / "backdoor-run" / "backdoor-run"
GUEST = Path(__file__).resolve().parent / "guest.c"

# open-vm-tools for arm64, unpacked and not installed
ROOT = Path(os.environ.get("SVMC_ARM64", "/nonexistent"))
ARM64 = ROOT / "usr" / "bin"
QEMU = "qemu-aarch64-static"
EMULATOR = f"{QEMU} -L {ROOT}"

# Each program of the package, and how the tests that run it begin: a new one must be looked at.
PROGRAMS = {
    "VGAuthService": "test_vgauth",
    "vm-support": "test_vm_support",
    "vmhgfs-fuse": "test_vmhgfs_fuse",
    "vmtoolsd": "test_vmtoolsd",
    "vmware-alias-import": "test_alias_import",
    "vmware-checkvm": "test_checkvm",
    "vmware-hgfsclient": "test_hgfsclient",
    "vmware-namespace-cmd": "test_namespace_cmd",
    "vmware-rpctool": "test_rpctool",
    "vmware-toolbox-cmd": "test_toolbox",
    "vmware-vgauth-cmd": "test_vgauth",
    "vmware-vmblock-fuse": "test_vmblock_fuse",
    "vmware-xferlogs": "test_xferlogs",
}

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


def need_clients(test):
    reason = None if shutil.which("vmware-checkvm") else "open-vm-tools is not installed"
    return need_ptrace(unittest.skipIf(reason, reason or "")(test))


def why_no_arm64():
    if not shutil.which(QEMU):
        return f"no {QEMU}"
    if not (ARM64 / "vmware-checkvm").exists():
        return "open-vm-tools of arm64 could not be had: arm64.log of the build says why"
    return None


def child_of(pid):
    """The one process that it has started."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


def compile_guest(folder, *flags):
    program = Path(folder) / "guest"
    subprocess.run([os.environ.get("CC", "gcc"), "-O1", "-pthread", *flags, GUEST, "-o", program],
                   check=True)
    return program


def why_no_mounts():
    if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode != 0:
        return "this user may not mount"
    return None


def why_no_fuse():
    """Mounting wants the device and the right to use it: only an absent device is hardware."""
    if not os.path.exists("/dev/fuse"):
        return "hardware: no /dev/fuse"
    return why_no_mounts()


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

    def look_for_tests(self, *cases):
        names = [name for case in cases for name in dir(case)]
        for program, begin in PROGRAMS.items():
            self.assertTrue(any(name.startswith(begin) for name in names), program)

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
