#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The programs of open-vm-tools for arm64, unmodified, in QEMU's user-mode emulation."""
import os
import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path

import test_services
from run import (ARM64, Case, EMULATOR, MountCase, NOT_FOUND, PROGRAMS, QEMU, RUN, calls, main,
                 run, why_no_arm64)


@unittest.skipIf(why_no_arm64(), why_no_arm64() or "")
class Arm64(MountCase):
    def good(self, options, program, *words, text=None, status=0, **kwargs):
        done = run(*options, "--emulator", EMULATOR, "--", ARM64 / program, *words, **kwargs)
        self.assertEqual(done.status, status, (program, words, done.text, done.errors))
        if text is not None:
            self.assertEqual(done.text, text)
        return done

    def test_checkvm(self):
        done = self.good(["--trace"], "vmware-checkvm", text="VMware software version 6 (good)\n")
        self.assertEqual(len(calls(done.errors)), 3, done.errors)
        self.good([], "vmware-checkvm", "-p", text="Workstation\n")

    def test_rpctool(self):
        for high in ("on", "off"):
            for checkpoint in (False, True):
                options = ["--hb", high] + checkpoint * ["--checkpoint"]
                with self.subTest(options=options):
                    self.good([*options, "--set", "guestinfo.hello=hi"], "vmware-rpctool",
                              "info-get guestinfo.hello", text="hi\n")
                    store = self.tmp / f"store-{high}-{checkpoint}"
                    options += ["--store", store]
                    self.good(options, "vmware-rpctool", "info-set guestinfo.x yes it is")
                    self.assertEqual(store.read_text(), 'guestinfo.x = "yes it is"\n')

    def test_many_bytes(self):
        for high, n in (("on", 60000), ("off", 2000)):  # four bytes cost a millisecond there
            value = "".join(chr(65 + i % 26) for i in range(n))
            options = ["--hb", high, "--store", self.tmp / high]
            self.good(options, "vmware-rpctool", f"info-set guestinfo.big {value}")
            self.good(options, "vmware-rpctool", "info-get guestinfo.big", text=value + "\n")

    def test_toolbox(self):
        def tool(*words, options=(), **kwargs):
            return self.good(options, "vmware-toolbox-cmd", *words, **kwargs).text

        told = time.mktime(time.strptime(tool("stat", "hosttime").strip(), "%d %b %Y %H:%M:%S"))
        self.assertLess(abs(told - time.time()), 10)
        self.assertRegex(tool("stat", "speed"), r"^\d+ MHz\n$")
        self.assertRegex(tool("stat", "sessionid"), r"^0x[0-9a-f]+\n$")
        tool("stat", "balloon", text="0 MB\n")
        tool("timesync", "status", text="Disabled\n", status=69)  # EX_UNAVAILABLE
        tool("timesync", "enable", text="Enabled\n")
        tool("device", "list", options=["--device", "Net"], text="Net: Enabled\n")
        tool("device", "disable", "Net", options=["--device", "Net"], text="Disabled\n")
        tool("info", "update", "network")

    def test_every_program_of_the_package_is_here(self):
        self.assertEqual(set(os.listdir(ARM64)), set(PROGRAMS))
        self.look_for_tests(Arm64, test_services.Arm64)

    def test_hgfsclient(self):
        self.good(["--share", "docs"], "vmware-hgfsclient", text="docs\n")

    def test_namespace_cmd(self):
        tool, given = "vmware-namespace-cmd", ["--namespace", "ns/a=one", "--namespace", "b/a=two"]
        self.good(given, tool, "get-value", "ns", "-k", "a", text="one")
        self.good(given, tool, "get-value", "b", "-k", "a", text="two")
        self.good(given, tool, "set-key", "ns", "-k", "a", "-v", "three", "-o", "one", text="")
        self.good(given, tool, "delete-key", "b", "-k", "a", text="")
        # what is not there: no value, no old one
        self.good(given, tool, "get-value", "c", "-k", "a", status=1)
        self.good(given, tool, "set-key", "b", "-k", "a", "-v", "three", "-o", "one", status=1)

    def test_vmblock_fuse(self):
        self.mounted(["--emulator", EMULATOR, "--", ARM64 / "vmware-vmblock-fuse", "-f"], [],
                     self.look_at_vmblock)

    def test_vmhgfs_fuse(self):
        folder = self.folder_to_share()
        self.mounted(["--share", f"docs={folder}", "--emulator", EMULATOR, "--",
                      ARM64 / "vmhgfs-fuse", "-f", "-s"], [".host:/"],  # one thread that calls
                     lambda at: self.same_files(at / "docs", folder))

    def test_xferlogs(self):
        data, log = self.tmp / "data.txt", self.tmp / "vm.log"
        data.write_bytes(bytes(range(256)) * 4)
        self.good(["--log", log], "vmware-xferlogs", "enc", data)
        self.good([], "vmware-xferlogs", "dec", log, cwd=self.tmp)
        got = list(self.tmp.glob("vm-support-0-*"))
        self.assertEqual([p.read_bytes() for p in got], [data.read_bytes()])

    def test_vmtoolsd(self):
        self.good(["--set", "guestinfo.hello=hi"], "vmtoolsd", "--cmd", "info-get guestinfo.hello",
                  text="hi\n")

    def test_vmtoolsd_as_a_service(self):
        trace = self.tmp / "trace"
        process = subprocess.Popen([RUN, f"--trace={trace}", "--send", "ping", "--emulator",
                                    EMULATOR, "--", ARM64 / "vmtoolsd"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while 'reply of the program "OK "' not in (trace.read_text() if trace.exists() else ""):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        time.sleep(1)
        process.terminate()
        self.assertEqual(process.wait(20), 0)

    def test_terminate(self):
        process = subprocess.Popen([RUN, "--emulator", EMULATOR, "--",
                                    ARM64 / "vmware-rpctool", "-"], stdin=subprocess.PIPE)
        process.terminate()
        process.communicate(timeout=20)
        self.assertNotEqual(process.returncode, 0)


CROSS = "aarch64-linux-gnu-gcc"


@unittest.skipUnless(shutil.which(QEMU) and shutil.which(CROSS), f"no {QEMU} or no {CROSS}")
class OwnProgram(Case):
    def test_calls_good_and_bad(self):
        guest = self.tmp / "guest"
        source = Path(__file__).resolve().parent / "guest_a64.c"
        for flags in (["-static"], []):
            with self.subTest(flags=flags):
                subprocess.run([CROSS, "-O1", *flags, source, "-o", guest], check=True)
                done = run("--emulator", f"{QEMU} -L /usr/aarch64-linux-gnu", "--", guest)
                self.assertEqual((done.status, done.text), (0, "good\n"), done.errors)

    def test_status_of_the_program(self):
        source, guest = self.tmp / "s.c", self.tmp / "s"
        for body, status in (("return 7;", 7), ("*(volatile int *)8 = 0;", -signal.SIGSEGV),
                             ("__builtin_trap();", -signal.SIGTRAP)):
            with self.subTest(body=body):
                source.write_text(f"int main(void) {{ {body} }}")
                subprocess.run([CROSS, "-static", source, "-o", guest], check=True)
                alone = subprocess.run([QEMU, guest], stderr=subprocess.DEVNULL)
                self.assertEqual(alone.returncode, status)
                self.assertEqual(run("--emulator", QEMU, "--", guest).status, status)


class Refused(Case):
    def test_no_such_emulator(self):
        self.one_line_error(run("--emulator", "/no/such -x", "--", "true"), "cannot run",
                            status=NOT_FOUND)

    def test_an_emulator_that_is_none(self):
        done = run("--emulator", "sleep", "--", "0")  # it does not know -g and ends
        self.assertNotEqual(done.status, 0)


if __name__ == "__main__":
    main()
