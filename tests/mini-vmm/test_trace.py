#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Recorded runs: replayed bit for bit, refused when damaged, and what runs without /dev/kvm."""
import os
import random
import shutil
import subprocess
import tempfile
import unittest

from vmm import Case, PASS, TRACE, VMM, deny_create_vm, finish, main, need_kvm, vmm

HIDE_DEV = """
set -e
mount --make-rprivate / 2>/dev/null || mount --make-rprivate /dev  # nothing may reach the machine
mkdir {d}/dev && mount -t tmpfs none {d}/dev
for n in null zero urandom random tty; do : > {d}/dev/$n; mount --bind /dev/$n {d}/dev/$n; done
mount --rbind {d}/dev /dev
"""


class Damaged(Case):
    def damaged(self, data, *words):
        file = self.tmp / "bad.svmtrace"
        file.write_bytes(data)
        self.one_line_error(vmm("--replay", file), *words)

    def test_shipped_trace_is_equal(self):
        done = vmm("--replay", TRACE)
        self.assertEqual(done.status, PASS, done.text + done.errors)
        self.assertIn("trace", done.text.splitlines()[0])

    def test_truncated_anywhere(self):
        whole = TRACE.read_bytes()
        for at in [0, 1, 7, 8, 15, 31, *random.Random(1).sample(range(len(whole)), 40)]:
            with self.subTest(at=at):
                self.damaged(whole[:at])

    def test_a_bit_flipped_anywhere(self):
        whole = TRACE.read_bytes()
        for at in [*range(0, 64, 3), *random.Random(2).sample(range(len(whole)), 60)]:
            with self.subTest(at=at):
                bad = bytearray(whole)
                bad[at] ^= 1 << at % 8
                self.damaged(bytes(bad))

    def test_foreign_empty_and_missing(self):
        self.damaged(b"")
        self.damaged(b"#!/bin/sh\n" * 100)
        self.damaged(os.urandom(5000))
        self.one_line_error(vmm("--replay", self.tmp / "nothing"), "nothing")
        self.one_line_error(vmm("--replay", self.tmp), str(self.tmp))

    def test_longer_than_it_says(self):
        self.damaged(TRACE.read_bytes() + b"x")


class Usage(Case):
    def test_errors_are_one_line(self):
        self.one_line_error(vmm("--frobnicate"), "--frobnicate")
        self.one_line_error(vmm(self.tmp / "no-guest.bin"), "no-guest.bin")
        self.one_line_error(vmm("--evil=no-such-lie"), "no-such-lie")
        self.one_line_error(vmm("--timeout-ms", "x"), "x")
        self.one_line_error(vmm("--replay"), "--replay")
        self.one_line_error(vmm("a", "b"))

    def test_help_and_version(self):
        done = vmm("--help")
        self.assertEqual(done.status, PASS)
        for word in ("--evil", "--json", "--record", "--replay", "--list-lies", "exit status"):
            self.assertIn(word, done.text.lower())
        self.assertIn("0.1.0", vmm("--version").text)


@unittest.skipUnless(os.geteuid() == 0, "needs root: another user, a mount namespace")
class WithoutKvm(Case):
    def replays(self, done, *words):
        head = "\n".join(done.text.splitlines()[:3])
        self.assertEqual(done.status, PASS, done.text + done.errors)
        self.assertIn("trace", head)
        for word in words:
            self.assertIn(word, head)
        self.assertTrue(done.text.rstrip().endswith("verdict: PASS"))

    def hidden(self, *command, extra=""):
        """Run a command where /dev holds hardly anything."""
        folder = tempfile.mkdtemp(dir="/tmp")
        self.addCleanup(shutil.rmtree, folder)
        script = HIDE_DEV.format(d=folder) + extra + 'exec "$@"'
        return finish(subprocess.Popen(
            ["unshare", "-m", "--propagation", "unchanged", "sh", "-c", script, "sh", *command],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL))

    def test_no_device(self):
        self.replays(self.hidden(VMM), "/dev/kvm", "No such file")

    def test_no_device_and_an_evil_host(self):
        done = self.hidden(VMM, "--evil")
        self.replays(done)
        self.assertIn("refused", done.text)

    @need_kvm
    def test_another_user(self):
        tree = self.tmp / "tree"  # somewhere that user may read
        tree.mkdir()
        os.chmod(self.tmp, 0o755)
        for file in (VMM, VMM.with_name("mini-host"), TRACE):
            (tree / file.name).write_bytes(file.read_bytes())
            os.chmod(tree / file.name, 0o755)
        done = self.hidden("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                           tree / "mini-vmm", extra="mknod -m 600 /dev/kvm c 10 232\n")
        self.replays(done, "Permission denied")

    @need_kvm
    def test_a_filter_that_fails_the_ioctl(self):
        self.replays(vmm(preexec_fn=deny_create_vm), "KVM_CREATE_VM")


@need_kvm
class Record(Case):
    def test_what_was_recorded_replays(self):
        file = self.tmp / "run.svmtrace"
        self.assertEqual(vmm("--record", file, "--quiet").status, PASS)
        live = file.read_bytes()
        self.assertGreater(len(live), 1000)
        self.assertEqual(vmm("--replay", file, "--quiet").status, PASS)

    def test_an_evil_run_replays(self):
        file = self.tmp / "evil.svmtrace"
        self.assertEqual(vmm("--evil", "--record", file, "--quiet").status, PASS)
        self.assertEqual(vmm("--replay", file, "--quiet").status, PASS)


main()
