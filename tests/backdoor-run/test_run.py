#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""backdoor-run and programs of our own, good and bad: guest.c. Options, signals, processes."""
import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from run import (Case, FAILED, NOT_FOUND, NOT_RUN, RUN, calls, child_of, compile_guest, deny, main,
                 need_ptrace, run)

NR_PTRACE, NR_READV = 101, 310
HI = ("--set", "guestinfo.hello=hi", "--")


class GuestCase(Case):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.guest = compile_guest(cls.folder.name)

    def good(self, *words, text=None, **kwargs):
        done = run(*words, **kwargs)
        self.assertEqual(done.status, 0, (words, done.text, done.errors))
        if text is not None:
            self.assertEqual(done.text, text)
        return done


@need_ptrace
class Calls(GuestCase):
    def test_in_is_answered_whatever_cpuid_says(self):
        for way in ("in", "vmcall", "vmmcall"):
            self.good("--way", way, "--", self.guest, "in", text="version\n")

    def test_vmcall_and_vmmcall_are_answered_where_cpuid_says_so(self):
        for way in ("in", "vmcall", "vmmcall"):
            for call in ("vmcall", "vmmcall"):
                want = "version\n" if call == way else f"signal {signal.SIGILL:d}\n"
                self.good("--way", way, "--", self.guest, call, text=want)

    def test_cpuid_names_the_way(self):
        for way, bits in (("in", 0), ("vmmcall", 1), ("vmcall", 2)):  # Linux cpu/vmware.c
            self.good("--way", way, "--", self.guest, "leaves", text=f"{bits}\n")

    def test_every_other_signal_is_delivered_as_it_came(self):
        self.good("--", self.guest, "foreign")

    def test_the_same_signals_without_us(self):
        done = subprocess.run([self.guest, "foreign"], stdout=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stdout), (0, b""))

    def test_a_signal_all_the_time(self):
        self.good(*HI, self.guest, "timer")

    def test_threads(self):
        self.good(*HI, self.guest, "threads")

    def test_children_copied_shared_and_other_programs(self):
        self.good(*HI, self.guest, "children")

    def test_a_thread_that_execs(self):
        self.good("--", self.guest, "exec", text="0\n")

    def test_programs_of_every_kind(self):
        for flags in (("-static",), ("-static-pie",), ("-no-pie",), ("-Wl,-z,noseparate-code",)):
            with self.subTest(flags=flags):
                guest = compile_guest(self.tmp, *flags)
                self.good(*HI, guest, "hi")
                self.good("--", guest, "leaves", text="0\n")
                self.good("--way", "vmcall", "--", guest, "vmcall", text="version\n")

    def test_a_program_without_sections(self):
        guest = compile_guest(self.tmp, "-s")
        bytes_ = bytearray(guest.read_bytes())
        bytes_[0x3C:0x3E] = b"\0\0"  # e_shnum
        guest.write_bytes(bytes_)
        self.good(*HI, guest, "hi")
        self.good("--", guest, "leaves", text="0\n")

    def test_as_another_user(self):
        if os.getuid() != 0:
            self.skipTest("not root: nobody else to be")
        self.tmp.chmod(0o755)
        for program in (RUN, self.guest):
            shutil.copy(program, self.tmp)
            (self.tmp / program.name).chmod(0o755)
        done = subprocess.run([self.tmp / RUN.name, *HI, self.tmp / "guest", "hi"],
                              user=65534, group=65534, extra_groups=[], cwd="/")
        self.assertEqual(done.returncode, 0)

    def test_a_library_that_is_loaded_later(self):
        source = self.tmp / "late.c"
        source.write_text("unsigned late(void) { unsigned a = 0x40000000, b, c, d; "
                          '__asm__("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d)); return b; }')
        faults = " cpuid_fault " in Path("/proc/cpuinfo").read_text()  # then each CPUID traps
        for name, options, seen in (("libvmtoolsmine.so", (), True), ("liblate.so", (), faults),
                                    ("liblate.so", ("--rewrite", "liblate*"), True)):
            with self.subTest(name=name, options=options):
                library = self.tmp / name
                subprocess.run(["gcc", "-shared", "-fPIC", source, "-o", library], check=True)
                code = f"import ctypes; print(ctypes.CDLL('{library}').late() == 0x61774d56)"
                self.good(*options, "--", sys.executable, "-c", code, text=f"{seen}\n")

    def test_a_child_that_outlives_the_program(self):
        done = run(*HI, self.guest, "daemon", self.tmp / "out")
        self.assertEqual(done.status, 7)
        self.assertEqual((self.tmp / "out").read_text(), "1\n")

    def test_without_process_vm_readv(self):
        self.good(*HI, self.guest, "hi", preexec_fn=deny(NR_READV, errno.EPERM))

    def test_a_script(self):
        script = self.tmp / "script"
        script.write_text(f"#!/bin/sh\nexec {self.guest} hi\n")
        script.chmod(0o755)
        self.good(*HI, script)


@need_ptrace
class Hostile(GuestCase):
    def test_pointers_to_nothing_fault(self):
        self.good(*HI, self.guest, "pointers")

    def test_half_messages_on_every_channel_cost_only_channels(self):
        done = run("--set", "guestinfo.hello=hi", "--", "sh", "-c",
                   f"{self.guest} leak; {self.guest} leak")
        first, second = map(int, done.text.split())
        self.assertEqual(first, 128)  # all that a VM has: guest_msg_def.h
        self.assertEqual(second, 0)
        self.assertEqual(done.status, 0)

    def test_a_flood_of_anything(self):
        self.good("--", self.guest, "flood", 20000, text="survived\n")

    def test_a_flood_of_requests(self):
        (self.tmp / "sub").mkdir()
        (self.tmp / "a.txt").write_text("hello")
        self.good("--share", f"docs={self.tmp}", "--share", "empty", "--", self.guest, "requests",
                  5000, text="answered\n")

    def test_memory_that_another_thread_takes_away(self):
        self.good("--", self.guest, "race", text="survived\n")

    def test_a_key_too_long_a_value_too_long_and_no_key(self):
        for key in ("x" * 300 + " 1", "a=b 1", 'a"b 1', " 1"):
            with self.subTest(key=key[:8]):
                done = run("--store", self.tmp / "s", "--", "sh", "-c",
                           'command -v vmware-rpctool >/dev/null || exit 77; '
                           f"vmware-rpctool 'info-set guestinfo.{key}'")
                if done.status == 77:
                    self.skipTest("vmware-rpctool is not installed")
                self.assertEqual(done.status, 1, (done.text, done.errors))
                self.assertFalse((self.tmp / "s").exists())


@need_ptrace
class Status(GuestCase):
    def test_exit_status(self):
        for status in (0, 1, 77, 255):
            self.assertEqual(run("--", "sh", "-c", f"exit {status}").status, status)

    def test_a_signal_ends_both(self):
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGUSR1):
            self.assertEqual(run("--", self.guest, "die", int(number)).status, -number)

    def test_no_such_program(self):
        self.one_line_error(run("--", "/no/such"), "cannot run", "/no/such", status=NOT_FOUND)

    def test_a_program_that_cannot_be_run(self):
        file = self.tmp / "file"
        file.write_text("")
        self.one_line_error(run("--", file), "cannot run", status=NOT_RUN)

    def test_terminate_is_passed_on(self):
        process = subprocess.Popen([RUN, "--", "sleep", "60"])
        time.sleep(0.3)
        process.terminate()
        self.assertEqual(process.wait(10), -signal.SIGTERM)

    def test_the_program_dies_with_us(self):
        process = subprocess.Popen([RUN, "--", "sh", "-c", "echo $$; exec sleep 60"],
                                   stdout=subprocess.PIPE)
        pid = int(process.stdout.readline())
        process.kill()
        process.wait()
        process.stdout.close()
        for _ in range(100):
            if not os.path.exists(f"/proc/{pid}") or self.is_zombie(pid):
                return
            time.sleep(0.05)
        self.fail("it lives on")

    @staticmethod
    def is_zombie(pid):
        try:
            with open(f"/proc/{pid}/stat") as file:
                return file.read().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            return True

    def test_stop_and_continue(self):
        process = subprocess.Popen([RUN, "--", "sh", "-c", "kill -STOP $$; exit 5"])
        time.sleep(0.5)
        self.assertIsNone(process.poll())
        os.kill(child_of(process.pid), signal.SIGCONT)
        self.assertEqual(process.wait(10), 5)

    def test_standard_streams_are_the_programs(self):
        process = subprocess.run([RUN, "--", "cat"], input=b"abc", stdout=subprocess.PIPE)
        self.assertEqual(process.stdout, b"abc")


class Refused(Case):
    def test_usage(self):
        for words, say in (((), "no program"), (("--nonsense", "--", "true"), "unknown option"),
                           (("--way", "int", "--", "true"), "--way is"),
                           (("--hb", "yes", "--", "true"), "--hb is"),
                           (("--set", "hello=hi", "--", "true"), "guestinfo.KEY=VALUE"),
                           (("--set", "guestinfo.=hi", "--", "true"), "no key"),
                           (("--set", "guestinfo.a", "--", "true"), "guestinfo.KEY=VALUE"),
                           (("--set", "guestinfo.a=" + "x" * 65001, "--", "true"), "too long"),
                           (("--set-file", "guestinfo.a=/no/such", "--", "true"), "/no/such"),
                           (("--namespace", "a=b/c", "--", "true"), "NAME/KEY=VALUE"),
                           (("--namespace", "a/b", "--", "true"), "NAME/KEY=VALUE"),
                           (("--namespace", "a/b c=d", "--", "true"), "refused"),
                           (("--reply", "a=b", "--", "true"), "--reply wants"),
                           (("--share", "a=/no/such", "--", "true"), "/no/such"),
                           (("--share", "/a", "--", "true"), "--share wants"),
                           (("--trace=/no/such/file", "--", "true"), "/no/such/file"),
                           (("--way",), "wants an argument")):
            with self.subTest(words=str(words)[:40]):
                self.one_line_error(run(*words), say, status=FAILED)

    def test_a_store_of_another_form(self):
        for text in ('displayName = "x"\n', "guestinfo.a = b\n", 'guestinfo.a = "|4"\n',
                     'guestinfo.a = "x" y\n', 'guestinfo.a b = "x"\n', "\0"):
            with self.subTest(text=text):
                (self.tmp / "s").write_text(text)
                done = run("--store", self.tmp / "s", "--", "true")
                self.one_line_error(done, "s:1:", status=FAILED)

    def test_ptrace_is_refused(self):
        done = run("--", "true", preexec_fn=deny(NR_PTRACE, errno.EPERM))
        self.one_line_error(done, "ptrace is refused", "SYS_PTRACE", status=FAILED)

    def test_help_names_every_option(self):
        done = run("--help")
        self.assertEqual((done.status, done.errors), (0, ""))
        for option in ("set", "set-file", "store", "namespace", "reply", "send", "share", "device",
                       "way", "hb", "checkpoint", "emulator", "rewrite", "trace", "log", "help",
                       "version"):
            self.assertIn(f"--{option}", done.text)
        self.assertLessEqual(max(map(len, done.text.splitlines())), 100)


@need_ptrace
class Trace(GuestCase):
    def test_a_line_for_each_call(self):
        done = run("--trace", *HI, self.guest, "hi")
        lines = calls(done.errors)
        self.assertEqual(len(lines), 7)  # open, size, payload, size, payload, received, close
        self.assertIn("open 0xc9435052", lines[0])
        self.assertIn('"info-get guestinfo.hello"', lines[2])
        self.assertIn('"1 hi"', lines[4])

    def test_into_a_file(self):
        done = run(f"--trace={self.tmp / 't'}", *HI, self.guest, "hi")
        self.assertEqual((done.status, done.errors), (0, ""))
        self.assertEqual(len(calls((self.tmp / "t").read_text())), 7)

    def test_the_store_is_private(self):
        store = self.tmp / "s"
        store.write_text('guestinfo.hello = "h|69"\n\n')
        store.chmod(0o640)
        self.good("--store", store, "--", self.guest, "hi")
        self.assertEqual(stat.S_IMODE(store.stat().st_mode), 0o640)


if __name__ == "__main__":
    main()
