#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""--protect disk: what a guest writes to its block device lies sealed in a file, and what it reads
was verified before. The VMM is killed at any moment and goes on; whoever changes the file, or puts
something else in its place, is found out, each with its own words."""
import os
import random
import re
import shutil
import signal

from vmm import (BACKEND, BUILD, Case, FAIL, PASS, Stopped, TRACE, USAGE, count_in_dump,
                 deny_create_vm, finish, main, need_kvm, sealed, start, vmm, vmm_json)

HELLO, DISK = BUILD / "guests" / "hello.bin", BUILD / "guests" / "disk.bin"
MODES = ("authentic", "length")
SEED = int(os.environ.get("SVMC_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
CUTS = int(os.environ.get("SVMC_COUNT", "4"))
CANARY = b"CANARY OF THE VM"  # guests/bootinfo.h
SECTOR, EACH, HEAD = 4096, 32, 4096  # guests/bootinfo.h; examples/mini-vmm/disk.c
# docs/spec/disk.md, of 128 sectors and a journal of 64: two maps of a block each, the journal,
# two nodes above the sectors and the one above these, each twice
ROOT, MAP, JOURNAL = HEAD + 4096, HEAD + 3 * 4096, HEAD + 5 * 4096
TREE = JOURNAL + 64 * 4096
DATA = TREE + 2 * 3 * 4096

os.environ["MINI_VMM_PASSPHRASE"] = "of the tests"
CHEAP = ("--key-cost", "1,8")


class Disks(Case):
    def setUp(self):
        super().setUp()
        self.key = ("--key-provider", f"file:{self.tmp}/key", *CHEAP)
        self.file = self.tmp / "disk"
        self.anchor = self.tmp / "disk.anchor"

    def args(self, mode="authentic"):
        return ("--disk", self.file, "--disk-mode", mode, *self.key)

    def run_on(self, *args, mode="authentic"):
        done = vmm_json(*self.args(mode), *args)
        self.assertEqual((done.status, done.json["verdict"]), (PASS, "PASS"), done.json["why"])
        return done.json["console"]

    def forget(self):
        for file in (self.file, self.anchor):
            file.unlink(missing_ok=True)

    def refuse(self, *words, args=None, status=USAGE):
        done = vmm(*(args or self.args()))
        self.one_line_error(done, *words, status=status)


@need_kvm
class Works(Disks):
    def test_it_outlives_the_run_in_both_modes(self):
        for mode in MODES:
            self.forget()
            text = self.run_on("--vcpus", 2, mode=mode)
            self.assertIn("cpu 1: PASS: 24\n", text)
            text = self.run_on("--vcpus", 3, "--protect", "context", mode=mode)
            for line in ("cpu 0 goes on at 24", "cpu 1 goes on at 24", "cpu 2: PASS: 24",
                         "cpu 0: PASS: 48"):
                self.assertIn(line + "\n", text)
            data = self.file.read_bytes()
            self.assertEqual(data.count(CANARY), 0)
            self.assertEqual(len(data), HEAD + 4096 + 4 * EACH * SECTOR if mode == "length" else
                             DATA + 4 * EACH * SECTOR)

    def test_without_a_name_it_is_of_one_run(self):
        for args in ((), ("--disk-mode", "length", "--memory-budget", 30, DISK)):
            done = vmm_json("--protect", "disk", *args)
            self.assertEqual(done.status, PASS, done.json["why"])
            self.assertRegex(done.json["sealed"], r"the disk; ")
            self.assertNotIn("goes on", done.json["console"])
            self.assertRegex(sealed(done.json)[-1], r"^disk: (authentic|length-preserving), AES-256"
                             r"-\w+: \d+ sectors read, \d+ written, \d+ flushes$")

    def test_the_guest_ends_in_the_same_state(self):
        fixed = ("--noise", "4015e", "--seed", "5eed", DISK)
        want = vmm_json("--protect", "disk", *fixed).json["final_state"]
        done = vmm_json("--memory-budget", 10, "--protect", "context,disk,image", "--disk-mode",
                        "length", *fixed)
        self.assertEqual((done.status, done.json["final_state"]), (PASS, want))

    def test_its_device_is_nobody_elses(self):
        self.assertEqual(vmm("--protect", "disk", HELLO).status, PASS)
        self.assertNotEqual(vmm(DISK).status, PASS)  # without the option there is none


@need_kvm
class Cut(Disks):
    def test_killed_at_any_moment_it_goes_on(self):
        dice, killed = random.Random(SEED), 0
        for mode in MODES:
            self.forget()
            for _ in range((CUTS + 1) // 2):
                cpus = dice.randrange(1, 4)
                process = start("--quiet", "--dwell", "--vcpus", cpus, *self.args(mode))
                seen, stop = b"", dice.randrange(12)
                while seen.count(b" has ") < stop:
                    more = os.read(process.stdout.fileno(), 65536)
                    self.assertTrue(more, f"{seen[-200:]} seed {SEED}")
                    seen += more
                process.kill()
                seen += finish(process).text.encode()
                killed += process.status == -signal.SIGKILL
                lasts = {int(c): int(n) for c, n in re.findall(rb"cpu (\d) has (\d+)\n", seen)}
                text = self.run_on("--vcpus", cpus, mode=mode)
                goes = {int(c): int(n) for c, n in re.findall(r"cpu (\d) goes on at (\d+)", text)}
                for cpu, last in lasts.items():  # what was flushed is there
                    self.assertGreaterEqual(goes[cpu], last, f"{mode}, seed {SEED}")
        self.assertGreater(killed, 0)
        print(f"\nseed: SVMC_SEED={SEED}\n{killed} cuts", flush=True)

    def test_cut_off_while_it_is_made(self):
        self.run_on()
        self.file.rename(self.tmp / "disk.new")  # the anchor is there: it has no name yet
        self.assertIn("goes on at 24", self.run_on())
        self.file.rename(self.tmp / "disk.new")  # and no anchor: nobody has used it
        self.anchor.unlink()
        self.assertNotIn("goes on", self.run_on())


@need_kvm
class Hostile(Disks):
    def during(self, spoil, *words, mode="authentic"):
        """A run whose store is spoiled in its middle: `spoil` gets it as it is, and as it was."""
        self.forget()
        self.run_on(mode=mode)
        old = self.file.read_bytes()
        run = Stopped("--dwell", *self.args(mode))
        run.stop_at(" has 40\n")
        data = bytearray(self.file.read_bytes())
        spoil(data, old)
        with open(self.file, "rb+") as file:
            file.write(data)
        done = run.end()
        self.assertEqual(done.status, FAIL, done.text)
        for word in ("verdict: STOPPED", *words):
            self.assertIn(word, done.text)
        self.assertNotIn("FAIL", done.text)  # the guest saw nothing of it
        return done

    def test_what_is_changed_while_it_runs(self):
        def flip(data, _old):
            for at in (*range(JOURNAL, TREE, SECTOR), *range(DATA, len(data), SECTOR)):
                data[at + 77] ^= 1

        def replay(data, old):  # sectors and journal as they were, tags with them
            data[JOURNAL:TREE], data[DATA:] = old[JOURNAL:TREE], old[DATA:]

        def swap(data, _old):
            for at in range(DATA, DATA + EACH * SECTOR, 2 * SECTOR):
                a, b = data[at:at + SECTOR], data[at + SECTOR:at + 2 * SECTOR]
                data[at:at + 2 * SECTOR] = b + a
            data[JOURNAL:TREE] = data[JOURNAL + SECTOR:TREE] + data[JOURNAL:JOURNAL + SECTOR]

        for spoil in (flip, replay, swap):
            done = self.during(spoil, "not what was written last")
            self.assertRegex(done.text, r"disk: sector \d+: ")

    def test_what_is_put_in_its_place(self):
        self.run_on()
        old = self.file.read_bytes()
        self.run_on()
        good = bytearray(self.file.read_bytes())

        def spoiled(spoil, *words):
            data = bytearray(good)
            data = spoil(data) or data
            self.file.write_bytes(data)
            self.refuse(*words)

        def put(at, what):
            def spoil(data):
                data[at:at + len(what)] = what
            return spoil

        spoiled(lambda data: bytearray(old), "not the state that is anchored")
        spoiled(put(ROOT, old[ROOT:DATA]), "not the state that is anchored")
        spoiled(put(ROOT, bytes(2 * 4096)), "metadata was wiped or changed")
        spoiled(put(HEAD, bytes(512)), "no sealed disk")
        spoiled(put(HEAD + 4, b"\x02"), "UNKNOWN")
        spoiled(put(HEAD + 16, b"\x02"), "no sealed disk, or of another form")
        spoiled(put(HEAD + 24, b"another VM"), "another VM's")
        spoiled(put(HEAD + 45, b"12345678"), "its header was changed")
        spoiled(put(0, b"X"), "no disk of mini-vmm")
        spoiled(put(8, b"another VM"), "SVMC_ERR_OWNER")
        spoiled(put(24, b"k"), "another key of the provider's")
        spoiled(put(60, b"wrapped?"), "the key: ")
        spoiled(lambda data: data[:HEAD + 100], "cut: bytes are missing")
        spoiled(lambda data: data[:100], "no disk of mini-vmm, or cut")
        self.file.unlink()
        self.refuse("it is not there, and it was")
        self.file.write_bytes(good)
        self.assertIn("goes on at 48", self.run_on())

    def test_another_disk_of_the_same_guest(self):
        """Made under the same key, and in the place of this one: without an anchor, too."""
        for mode, words in (("length", "another disk of this VM's"),
                            ("authentic", "another disk of this VM's")):
            self.forget()
            self.run_on("--disk-number", 1, mode=mode)
            self.refuse(words, args=(*self.args(mode), "--disk-number", 2))
            self.run_on("--disk-number", 1, mode=mode)

    def test_anchors_and_keys(self):
        self.run_on()
        anchor = self.anchor.read_bytes()
        other = self.tmp / "elsewhere"
        self.refuse("there is no anchor", args=(*self.args(), "--disk-anchor", other))
        other.write_bytes(anchor)
        self.run_on("--disk-anchor", other)
        self.refuse("not the state that is anchored")  # the other one knows
        self.anchor.write_bytes(anchor[:5])
        self.refuse("no anchor: it is cut")
        shutil.copy(other, self.anchor)
        self.refuse("of another form", args=self.args("length"))
        self.run_on()

    def test_one_keeper_at_a_time(self):
        self.run_on()
        run = Stopped("--dwell", *self.args())
        run.stop_at(" has 28\n")
        self.refuse("another mini-vmm has it")
        run.process.kill()
        finish(run.process)

    def test_no_sector_in_the_keeper_when_it_is_not_in_use(self):
        run = Stopped("--dwell", *self.args())
        run.stop_at(" has 4\n")
        found = count_in_dump(run.process.pid, CANARY)
        run.process.kill()
        finish(run.process)
        self.assertLessEqual(found, 2)  # the guest's own two buffers
        self.assertGreater(found, 0)


class Usage(Disks):
    def test_errors_are_one_line(self):
        for args in (("--disk", self.file), ("--protect", "disk", *self.key),
                     ("--disk-mode", "fast"), ("--disk-number", "x"), ("--key-cost", "1"),
                     ("--key-cost", "1,8x"), ("--key-cost", "65,8"),
                     ("--disk-anchor", self.file), ("--protect", "disk", "--dma"),
                     ("--protect", "disk", "--evil"), ("--protect", "disk", "--replay", TRACE),
                     ("--protect", "disk", "--record", self.tmp / "t"),
                     ("--protect", "image", "--record", self.tmp / "t"),
                     ("--protect", "image", "--dump-pages", self.tmp / "p"),
                     ("--protect", "image", "--leak"),
                     ("--disk", self.tmp, *self.key)):
            self.one_line_error(vmm(*args))

    @need_kvm
    def test_a_file_that_cannot_be_made(self):
        self.refuse("No such file", args=("--disk", self.tmp / "no" / "disk", *self.key))

    def test_without_kvm(self):
        done = vmm("--protect", "disk", preexec_fn=deny_create_vm)
        self.one_line_error(done, "--protect needs /dev/kvm", status=BACKEND)

    def test_help(self):
        text = vmm("--help").text
        for word in ("--disk FILE", "--disk-mode MODE", "--disk-anchor FILE", "--disk-number N"):
            self.assertIn(word, text)


main()
