#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Recorded runs: replayed bit for bit, refused when damaged, and what runs without /dev/kvm."""
import errno
import os
import random
import shutil
import struct
import subprocess
import tempfile
import unittest

from vmm import (Altered, BACKEND, Case, FAIL, HOST_GONE, NR_MEMFD_CREATE, NR_PIDFD_OPEN,
                 NR_SECCOMP, PASS, TRACE, VMM, deny, deny_create_vm, finish, main, need_kvm, vmm,
                 vmm_json)

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
        for line in done.text.splitlines():
            self.assertLessEqual(len(line), 100, line)

    def test_shipped_trace_tells_what_the_host_could_have_seen(self):
        self.assertRegex(vmm("--replay", TRACE, "--quiet").text,
                         r"without the library it sees all at each exit: \d{4,} bytes of registers"
                         r".*\nand 2097152 of memory")
        summary = vmm_json("--replay", TRACE).json["summary"]
        self.assertEqual(summary["state_bytes_memory"], 2 << 20)
        self.assertGreater(summary["state_bytes_registers"], 1000)
        self.assertEqual(summary["bytes_without_library"],
                         summary["exits"] * (summary["state_bytes_memory"] +
                                             summary["state_bytes_registers"]))

    def test_the_ledger_sums_up_and_the_chain_holds(self):  # AU-1 AU-11
        summary = vmm_json("--replay", TRACE).json["summary"]
        kinds = summary["by_kind"].values()
        for total, name in (("exits", "delegated"), ("refused", "refused"), ("retries", "retries"),
                            ("bytes_shown", "bytes_shown"), ("bytes_accepted", "bytes_accepted")):
            also = sum(k["inside"] for k in kinds) if total == "exits" else 0
            self.assertEqual(sum(k[name] for k in kinds) + also, summary[total], total)
        audit, answers = summary["audit"], sum(k["answered"] for k in kinds)
        self.assertEqual(audit["chain"], "holds")
        self.assertEqual(audit["events"], summary["exits"] + answers + summary["refused"])
        self.assertEqual(audit["lost"], 0)
        self.assertGreater(answers, 50)
        self.assertRegex(vmm("--replay", TRACE, "--quiet").text,
                         r"\naudit: \d+ events, .* chain holds, last tag [0-9a-f]{16}\n")

    def test_truncated_anywhere(self):  # TR-1 TR-3
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

    def test_foreign_empty_and_missing(self):  # TR-1
        self.damaged(b"")
        self.damaged(b"#!/bin/sh\n" * 100)
        self.damaged(os.urandom(5000))
        self.one_line_error(vmm("--replay", self.tmp / "nothing"), "nothing")
        self.one_line_error(vmm("--replay", self.tmp), str(self.tmp))
        os.mkfifo(self.tmp / "fifo")
        self.one_line_error(vmm("--replay", self.tmp / "fifo"), "not a regular file")
        self.one_line_error(vmm("--replay", "/dev/zero"), "not a regular file")

    def test_longer_than_it_says(self):
        self.damaged(TRACE.read_bytes() + b"x")


class Changed(Altered, Case):
    """Traces that are whole, with a right checksum, and say something else."""
    EXIT, PAGE, CONSOLE = 3, 9, 12
    trace = TRACE

    def replay(self):
        return vmm("--replay", self.altered(), "--quiet")

    def first(self, kind):
        return next(n for n, r in enumerate(self.records) if r[0] == kind)

    def differs(self, record, *words):
        done = self.replay()
        self.assertEqual(done.status, FAIL, done.text + done.errors)
        for word in (f"record {record + 1}", *words):
            self.assertIn(word, done.text + done.errors)

    def test_unaltered(self):
        self.assertEqual(self.replay().status, PASS)

    def test_versions(self):  # TR-2
        for version, word in ((2, "newer"), (0, "")):
            self.prefix = self.prefix[:8] + struct.pack("<H", version) + self.prefix[10:]
            self.one_line_error(self.replay(), word)
        self.prefix = TRACE.read_bytes()[:15] + b"x"
        self.one_line_error(self.replay())

    def test_too_large(self):  # TR-4
        file = self.tmp / "large.svmtrace"
        file.write_bytes(TRACE.read_bytes() + bytes(16 << 20))
        self.one_line_error(vmm("--replay", file), "large")

    def test_another_type_or_length(self):  # TR-5
        page = self.first(self.PAGE)
        self.records[page][0] = self.CONSOLE
        self.differs(page)
        self.records[page][0] = self.PAGE
        self.records[page][1] += b"x"
        self.differs(page, f"byte {len(self.records[page][1]) - 1}")

    def test_an_input_out_of_its_bounds(self):  # TR-6
        exit_ = self.first(self.EXIT)
        self.records[exit_][1][0] = 1  # a vCPU that is not there
        self.differs(exit_)

    def test_an_output_that_differs(self):  # TR-7
        page = self.first(self.PAGE)
        self.records[page][1][0x30] ^= 1
        self.differs(page, "byte 48")

    def test_records_left_over(self):  # TR-8
        self.records.append([self.CONSOLE, bytearray(b"x")])
        self.assertEqual(self.replay().status, FAIL)


class Usage(Case):
    def test_errors_are_one_line(self):
        self.one_line_error(vmm("--frobnicate"), "--frobnicate")
        os.mkfifo(self.tmp / "fifo.bin")
        self.one_line_error(vmm(self.tmp / "fifo.bin"), "fifo.bin")
        self.one_line_error(vmm(self.tmp / "no-guest.bin"), "no-guest.bin")
        self.one_line_error(vmm("--evil=no-such-lie"), "no-such-lie")
        self.one_line_error(vmm("--timeout-ms", "x"), "x")
        self.one_line_error(vmm("--host-format", "xen"), "xen")
        self.one_line_error(vmm("--host-format", "ghcb", "--evil"), "--evil")
        for count in ("0", "5", "-1", "x", ""):
            self.one_line_error(vmm("--vcpus", count), "not a number of that kind")
        self.one_line_error(vmm("--replay"), "--replay")
        self.one_line_error(vmm("a", "b"))
        self.one_line_error(vmm("--record", self.tmp / "no" / "folder"), "folder")
        for more in (["--host", "/bin/true"], ["--noise", "1"], ["--seed", "1"], ["--leak"],
                     ["--scan"], ["--evil"], ["--record", self.tmp / "x"], ["guest.bin"],
                     ["--vcpus", "2"], ["--host-format", "ghcb"]):
            self.one_line_error(vmm("--replay", TRACE, *more), "--replay")
        self.assertFalse((self.tmp / "x").exists())

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

    def hidden(self, *command, extra="", **kwargs):
        """Run a command where /dev holds hardly anything."""
        folder = tempfile.mkdtemp(dir="/tmp")
        self.addCleanup(shutil.rmtree, folder)
        script = HIDE_DEV.format(d=folder) + extra + 'exec "$@"'
        return finish(subprocess.Popen(
            ["unshare", "-m", "--propagation", "unchanged", "sh", "-c", script, "sh", *command],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
            **kwargs))

    def test_no_device(self):
        self.replays(self.hidden(VMM), "/dev/kvm", "No such file")

    def test_what_only_a_live_guest_can_do_is_refused(self):
        for args in (["--scan"], ["--leak"], ["--noise", "1"], ["--record", self.tmp / "x"],
                     ["--vcpus", "2"], ["--host-format", "ghcb"]):
            done = self.hidden(VMM, *map(str, args))
            self.one_line_error(done, "needs /dev/kvm", "No such file", status=BACKEND)
        self.assertFalse((self.tmp / "x").exists())

    def test_no_device_and_an_evil_host(self):
        done = self.hidden(VMM, "--evil")
        self.replays(done)
        self.assertIn("refused", done.text)

    def test_no_device_and_no_way_to_start_a_host(self):
        for number in (NR_MEMFD_CREATE, NR_SECCOMP, NR_PIDFD_OPEN):
            with self.subTest(number=number):
                filtered = deny(number, errno.ENOSYS)
                self.replays(self.hidden(VMM, preexec_fn=filtered), "/dev/kvm", "No such file")
        done = self.hidden(VMM, "--evil", preexec_fn=deny(NR_MEMFD_CREATE, errno.ENOSYS))
        self.one_line_error(done, "parameter page", status=HOST_GONE)

    @need_kvm
    def test_a_host_that_cannot_start_where_a_guest_could_run(self):
        self.one_line_error(vmm(preexec_fn=deny(NR_SECCOMP, errno.ENOSYS)), "before it was ready",
                            status=HOST_GONE)

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

    def test_the_same_rows(self):
        file = self.tmp / "rows.svmtrace"
        live, again = vmm_json("--record", file), vmm_json("--replay", file)
        self.assertEqual(live.json["exits"], again.json["exits"])
        self.assertEqual(live.json["console"], again.json["console"])

    def test_a_guest_that_fails_replays_as_failing(self):
        image, file = self.tmp / "halt.bin", self.tmp / "fail.svmtrace"
        image.write_bytes(b"\xf4")
        self.assertEqual(vmm("--record", file, image).status, FAIL)
        self.assertEqual(vmm("--replay", file).status, FAIL)

    def test_an_evil_run_replays(self):
        file = self.tmp / "evil.svmtrace"
        self.assertEqual(vmm("--evil", "--record", file, "--quiet").status, PASS)
        self.assertEqual(vmm("--replay", file, "--quiet").status, PASS)


main()
