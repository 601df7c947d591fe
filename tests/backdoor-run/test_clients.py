#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every program of Debian's open-vm-tools, unmodified, below backdoor-run."""
import itertools
import os
import re
import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path

import test_services
from run import MountCase, PROGRAMS, RUN, calls, main, need_clients, run

WAYS = ("in", "vmcall", "vmmcall")

class ClientCase(MountCase):
    def good(self, *words, text=None, status=0, **kwargs):
        done = run(*words, **kwargs)
        self.assertEqual(done.status, status, (words, done.text, done.errors))
        if text is not None:
            self.assertEqual(done.text, text, words)
        return done


@need_clients
class TwelveWays(ClientCase):
    """IN, VMCALL, VMMCALL; with and without high bandwidth; with and without checkpoints."""

    def each(self, look):
        for way, high, checkpoint in itertools.product(WAYS, ("on", "off"), (False, True)):
            with self.subTest(way=way, high=high, checkpoint=checkpoint):
                options = ["--way", way, "--hb", high] + checkpoint * ["--checkpoint"]
                look(way, high, checkpoint, options)

    def test_checkvm(self):
        self.each(self.checkvm)

    def checkvm(self, way, _high, _checkpoint, options):
        done = self.good(*options, "--trace", "--", "vmware-checkvm",
                         text="VMware software version 6 (good)\n")
        # three probes by IN, two by the others
        lines = calls(done.errors)
        self.assertEqual(len(lines), 3 if way == "in" else 2)
        self.assertTrue(all(f" {way} GETVERSION" in line for line in lines), lines)
        self.good(*options, "--", "vmware-checkvm", "-p", text="Workstation\n")

    def test_rpctool(self):
        self.each(self.rpctool)

    def rpctool(self, way, high, checkpoint, options):
        done = self.good(*options, "--trace", "--set", "guestinfo.hello=hi", "--",
                         "vmware-rpctool", "info-get guestinfo.hello", text="hi\n")
        # probes, open, two sizes, received, close; the payloads, four bytes each or whole; after
        # a checkpoint a size and a payload again, either way
        sent, got = len("info-get guestinfo.hello"), len("1 hi")
        pieces = 2 if high == "on" else (sent + 3) // 4 + (got + 3) // 4
        want = (2 if way == "in" else 1) + 5 + pieces + 4 * checkpoint
        self.assertEqual(len(calls(done.errors)), want, done.errors)
        store = self.tmp / "store"
        store.unlink(missing_ok=True)
        options = [*options, "--store", store, "--", "vmware-rpctool"]
        self.good(*options, "info-set guestinfo.x yes  it is", text="\n")
        self.assertEqual(store.read_text(), 'guestinfo.x = "yes  it is"\n')
        self.good(*options, "info-get guestinfo.x", text="yes  it is\n")
        done = self.good(*options, "info-get guestinfo.none", status=1)
        self.assertIn("No value found", done.text + done.errors)

    def test_60000_bytes(self):
        value = "".join(chr(33 + i * 7 % 94) for i in range(60000)).replace("|", "!")
        for way, high in itertools.product(WAYS, ("on", "off")):
            with self.subTest(way=way, high=high):
                store, trace = self.tmp / f"{way}-{high}", self.tmp / "trace"
                options = ("--way", way, "--hb", high, "--store", store)
                self.good(*options, f"--trace={trace}", "--", "vmware-rpctool",
                          f"info-set guestinfo.big {value}", text="\n")
                bytes_sent = len("info-set guestinfo.big ") + 60000
                pieces = 2 if high == "on" else (bytes_sent + 3) // 4 + 1
                self.assertEqual(len(calls(trace.read_text())),
                                 (2 if way == "in" else 1) + 5 + pieces)
                self.good(*options, "--", "vmware-rpctool", "info-get guestinfo.big",
                          text=value + "\n")


@need_clients
class Clients(ClientCase):
    @unittest.skipUnless(shutil.which("dpkg"), "not a Debian system")
    def test_every_program_of_the_package_is_here(self):
        listed = subprocess.run(["dpkg", "-L", "open-vm-tools"], stdout=subprocess.PIPE,
                                text=True, check=True).stdout.split()
        names = {Path(p).name for p in listed if re.match(r"/(usr/)?s?bin/.", p)}
        self.assertEqual(names, set(PROGRAMS))
        self.look_for_tests(Clients, TwelveWays, test_services.X86)

    def test_toolbox_stat(self):
        def stat(*words, status=0):
            return self.good("--", "vmware-toolbox-cmd", "stat", *words, status=status).text

        told = time.mktime(time.strptime(stat("hosttime").strip(), "%d %b %Y %H:%M:%S"))
        self.assertLess(abs(told - time.time()), 10)
        mhz = re.search(r"cpu MHz\s*: (\d+)", Path("/proc/cpuinfo").read_text())
        if mhz:
            self.assertLess(abs(int(stat("speed").split()[0]) - int(mhz[1])), 2000)
        self.assertRegex(stat("sessionid"), r"^0x[0-9a-f]+\n$")
        for name in ("balloon", "swap", "memres"):
            self.assertEqual(stat(name), "0 MB\n")
        self.assertEqual(stat("cpures"), "0 MHz\n")
        self.assertEqual(stat("memlimit"), "4294967295 MB\n")  # unlimited
        self.assertEqual(stat("cpulimit"), "4294967295 MHz\n")
        answer = "--reply", "guestlib.stat.get=1 session = 5", "--"
        self.good(*answer, "vmware-toolbox-cmd", "stat", "raw", "text", "session",
                  text="session = 5")

    def test_toolbox_timesync(self):
        tool = "vmware-toolbox-cmd timesync"
        done = self.good("--", "sh", "-c", f"{tool} status; {tool} enable; {tool} status; "
                         f"{tool} disable; {tool} status", status=69)  # EX_UNAVAILABLE
        self.assertEqual(done.text.split(), ["Disabled", "Enabled", "Enabled", "Disabled",
                                             "Disabled"])

    def test_toolbox_device(self):
        tool = "vmware-toolbox-cmd device"
        done = self.good("--device", "CD/DVD drive 1", "--device", "Net", "--", "sh", "-c",
                         f"{tool} disable Net; {tool} list; {tool} status Net; "
                         f"{tool} enable Net; {tool} status 'CD/DVD drive 1'; {tool} status Net")
        self.assertEqual(done.text.splitlines(),
                         ["Disabled", "CD/DVD drive 1: Enabled", "Net: Disabled", "Disabled",
                          "Enabled", "Enabled", "Enabled"])
        self.good("--", "vmware-toolbox-cmd", "device", "list", text="")
        self.good("--", "vmware-toolbox-cmd", "device", "status", "x", status=72)  # EX_OSFILE

    def test_toolbox_disk_of_other_hosts(self):
        # one that cannot shrink disks, and one that has it switched off: EX_TEMPFAIL
        done = self.good("--", "vmware-toolbox-cmd", "disk", "list", status=75)
        self.assertIn("not available", done.errors)
        done = self.good("--reply", "disk.wiper.enable=1 0", "--", "vmware-toolbox-cmd", "disk",
                         "list", status=75)
        self.assertIn("disabled", done.errors)

    def test_toolbox_that_stays_in_the_guest(self):
        for words in (("-v",), ("help",), ("config", "get", "logging", "log"),
                      ("logging", "level", "get", "vmsvc"), ("script", "power", "default"),
                      ("globalconf", "status")):
            self.good("--", "vmware-toolbox-cmd", *words)

    def test_toolbox_info(self):
        done = self.good("--trace", "--", "vmware-toolbox-cmd", "info", "update", "network")
        self.assertIn('"SetGuestInfo  10 ', done.errors)  # guestInfo.h: INFO_IPADDRESS_V3

    def test_hgfsclient(self):
        for way in WAYS:
            self.good("--way", way, "--share", "docs", "--share", "my files", "--",
                      "vmware-hgfsclient", text="docs\nmy files\n")
        self.good("--", "vmware-hgfsclient", text="")

    def test_namespace_cmd(self):
        done = self.good("--namespace", "given/key=host's", "--", "sh", "-ec", """
            tool=vmware-namespace-cmd
            no() { if "$@"; then exit 1; fi; }
            $tool set-key ns -k a -v one; $tool get-value ns -k a; echo
            $tool set-key other -k a -v another; $tool get-value ns -k a; echo
            $tool set-key ns -k a -v two -o one; $tool get-value ns -k a; echo
            no $tool set-key ns -k a -v three -o one
            $tool delete-key ns -k a
            no $tool get-value ns -k a
            $tool get-value other -k a; echo
            $tool set-key a/b -k c -v slash; no $tool get-value a -k b/c
            $tool get-value a/b -k c; echo
            $tool get-value given -k key; echo; no $tool get-value given -k a""")
        self.assertEqual(done.text.splitlines(),
                         ["one", "one", "two", "another", "slash", "host's"])

    def test_namespace_cmd_of_long_values(self):
        value = self.tmp / "value"
        value.write_text("v" * 16384)  # the most that the client sends
        done = self.good("--", "sh", "-ec", "vmware-namespace-cmd set-key ns -k a -f $0; "
                         "vmware-namespace-cmd get-value ns -k a", value)
        self.assertEqual(done.text, "v" * 16384)

    def test_xferlogs(self):
        data, log = self.tmp / "data.txt", self.tmp / "vm.log"
        data.write_bytes(bytes(range(256)) * 20)
        self.good("--log", log, "--", "vmware-xferlogs", "enc", data)
        self.good("--", "vmware-xferlogs", "dec", log, cwd=self.tmp)
        got = list(self.tmp.glob("vm-support-0-*"))
        self.assertEqual([p.read_bytes() for p in got], [data.read_bytes()])
        done = self.good("--trace", "--", "vmware-xferlogs", "upd", "1")
        self.assertIn('"tools.vmsupport.status 1"', done.errors)

    def test_several_values_of_a_namespace(self):
        """What is not there is empty; but one must be there."""
        done = self.good("--namespace", "ns/subject=two", "--namespace", "ns/guestUsername=root",
                         "--trace", "--", "vmware-alias-import", "ns", status=1)
        self.assertIn(r'"1 \x00two\x00\x00root\x00\x00"', done.errors)
        done = self.good("--namespace", "other/subject=two", "--", "vmware-alias-import", "ns",
                         status=1)
        self.assertIn("Key not found", done.errors)

    def test_vmtoolsd(self):
        self.good("--set", "guestinfo.hello=hi", "--", "vmtoolsd", "--cmd",
                  "info-get guestinfo.hello", text="hi\n")
        for way in WAYS:
            self.daemon("--way", way)
        self.daemon("--hb", "off", "--checkpoint")

    def daemon(self, *options):
        """It registers, answers what its host sends, and ends when it is told to."""
        trace, store = self.tmp / "trace", self.tmp / "store"
        trace.unlink(missing_ok=True)
        store.unlink(missing_ok=True)
        process = subprocess.Popen([RUN, *options, f"--trace={trace}", "--store", store,
                                    "--send", "ping", "--send", "No_Such_Command", "--",
                                    "vmtoolsd"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        want = ['reply of the program "OK ATR toolbox"', 'reply of the program "OK "',
                'reply of the program "ERROR Unknown Command"']
        try:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                text = trace.read_text() if trace.exists() else ""
                if all(line in text for line in want):
                    break
                time.sleep(0.1)
            else:
                self.fail(text[-3000:])
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        self.assertIn("guestinfo.vmtools.versionString", store.read_text())
        self.assertEqual(process.returncode, 0)

    def test_vmblock_fuse(self):
        self.mounted(["--", "vmware-vmblock-fuse", "-f"], [], self.look_at_vmblock)

    def test_vmhgfs_fuse(self):
        self.good("--", "vmhgfs-fuse", "--enabled")
        folder = self.folder_to_share()
        (folder / "inside").symlink_to("a.txt")
        (folder / "outside").symlink_to("/etc/passwd")

        def look(at):
            docs = at / "docs"
            self.assertEqual(set(os.listdir(at)), {"docs", "empty"})
            self.assertEqual(set(os.listdir(docs)), set(os.listdir(folder)))
            self.assertEqual(os.listdir(at / "empty"), [])
            self.same_files(docs, folder)
            self.assertEqual((docs / "inside").read_text(), "hello")
            big = docs / "sub" / "big"
            self.assertLess(abs(big.stat().st_mtime - (folder / "sub" / "big").stat().st_mtime), 2)
            self.assertFalse((docs / "none").exists())
            for attempt in (lambda: (docs / "outside").read_text(),
                            lambda: (docs / "new").write_text("x"),
                            lambda: (docs / "a.txt").write_text("x"),
                            lambda: (docs / "a.txt").unlink()):
                with self.assertRaises(PermissionError):
                    attempt()
            self.assertEqual((folder / "a.txt").read_text(), "hello")

        self.mounted(["--share", f"docs={folder}", "--share", "empty", "--", "vmhgfs-fuse", "-f"],
                     [".host:/"], look)


if __name__ == "__main__":
    main()
