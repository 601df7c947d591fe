#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A real guest on /dev/kvm: it passes, its secret stays inside, and its pages tell nothing else."""
import os
import signal
import time

from vmm import Case, FAIL, HOST_GONE, PASS, BACKEND, finish, main, need_kvm, start, vmm, vmm_json

PAGE = 4096


def wait_for(path, limit=5.0):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if path.exists() and path.read_text().strip():
            return int(path.read_text())
        time.sleep(0.002)
    raise AssertionError(f"{path} never came")


@need_kvm
class Guest(Case):
    def test_passes_and_says_what_ran(self):
        done = vmm()
        self.assertEqual(done.status, PASS, done.text + done.errors)
        lines = done.text.splitlines()
        self.assertIn("/dev/kvm", lines[0])
        self.assertEqual(lines[-1], "verdict: PASS")

    def test_json_tells_the_same(self):
        done = vmm_json()
        self.assertEqual(done.status, PASS)
        self.assertEqual(done.json["verdict"], "PASS")
        self.assertGreater(len(done.json["exits"]), 50)
        kinds = {e["kind"] for e in done.json["exits"]}
        self.assertLessEqual({"in", "out", "ins", "mmio-read", "mmio-write", "rdmsr", "wrmsr",
                              "hypercall", "hlt"}, kinds)

    def test_a_guest_that_fails_is_said_to_fail(self):
        image = self.tmp / "halt.bin"
        image.write_bytes(b"\xf4")  # hlt, without a verdict
        self.assertEqual(vmm(image).status, FAIL)

    def test_a_guest_that_crashes_is_said_to_crash(self):
        image = self.tmp / "crash.bin"
        image.write_bytes(b"\x0f\x0b")  # ud2, without an IDT: shutdown
        self.assertIn(vmm(image).status, (FAIL, BACKEND))

    def test_a_guest_that_never_exits_is_stopped(self):
        image = self.tmp / "spin.bin"
        image.write_bytes(b"\xeb\xfe")
        begin = time.monotonic()
        done = vmm("--timeout-ms", 700, image)
        self.assertEqual(done.status, BACKEND, done.text + done.errors)
        self.assertLess(time.monotonic() - begin, 3)


@need_kvm
class Secret(Case):
    def test_is_nowhere_in_the_host_or_a_page(self):
        done = vmm_json("--scan")
        self.assertEqual(done.status, PASS, done.errors)
        scan = done.json["scan"]
        self.assertEqual(scan["hits"], 0)
        self.assertGreater(scan["bytes"], 100000, "the host's address space was read")
        self.assertGreater(scan["pages"], 50)
        self.assertGreater(scan["rounds"], 2)

    def test_scan_finds_what_leaks(self):
        done = vmm_json("--scan", "--leak")
        self.assertEqual(done.status, FAIL)
        self.assertGreater(done.json["scan"]["hits"], 0)


@need_kvm
class Pages(Case):
    def pages(self, noise, seed="1234"):
        file = self.tmp / f"{noise}-{seed}.pages"
        done = vmm("--seed", seed, "--noise", noise, "--dump-pages", file, "--quiet")
        self.assertEqual(done.status, PASS, done.text + done.errors)
        return file.read_bytes()

    def test_guests_that_differ_inside_look_the_same(self):
        first = self.pages("1")
        self.assertGreater(len(first), 50 * PAGE)
        self.assertEqual(len(first) % PAGE, 0)
        for noise in ("2", "deadbeefcafe", "ffffffffffffffff"):
            self.assertEqual(self.pages(noise), first, f"noise {noise}")

    def test_the_comparison_can_fail(self):
        self.assertNotEqual(self.pages("1", "1234"), self.pages("1", "1235"))


@need_kvm
class HostDies(Case):
    def killed(self, how, image=None, delay=0.05):
        pid_file = self.tmp / "host.pid"
        process = start("--host-pid-file", pid_file, *([image] if image else []))
        pid = wait_for(pid_file)
        how(pid, delay)
        begin = time.monotonic()
        done = finish(process)
        return done, time.monotonic() - begin

    def test_in_mid_exit(self):
        def stop_then_kill(pid, delay):
            os.kill(pid, signal.SIGSTOP)  # from here on every exit stays unanswered
            time.sleep(delay)
            os.kill(pid, signal.SIGKILL)

        done, seconds = self.killed(stop_then_kill)
        self.assertEqual(done.status, HOST_GONE, done.text + done.errors)
        self.assertLess(seconds, 1)
        self.assertIn("host", done.errors)

    def test_while_the_guest_runs(self):
        image = self.tmp / "spin.bin"
        image.write_bytes(b"\xeb\xfe")

        def kill(pid, delay):
            time.sleep(delay)
            os.kill(pid, signal.SIGKILL)

        done, seconds = self.killed(kill, image, 0.3)
        self.assertEqual(done.status, HOST_GONE, done.text + done.errors)
        self.assertLess(seconds, 1)

    def test_at_any_moment(self):
        def kill(pid, delay):
            time.sleep(delay)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

        for n in range(12):
            (self.tmp / "host.pid").unlink(missing_ok=True)
            done, seconds = self.killed(kill, None, n * 0.004)
            self.assertIn(done.status, (HOST_GONE, PASS), done.text + done.errors)
            self.assertLess(seconds, 1)

    def test_silence_ends_too(self):
        pid_file = self.tmp / "host.pid"
        process = start("--host-pid-file", pid_file, "--timeout-ms", 500)
        os.kill(wait_for(pid_file), signal.SIGSTOP)
        done = finish(process, 5)
        self.assertEqual(done.status, HOST_GONE, done.text + done.errors)


@need_kvm
class Evil(Case):
    def test_every_lie_is_refused_and_the_guest_is_intact(self):
        names = vmm("--list-lies").text.split("\n")
        done = vmm_json("--evil")
        self.assertEqual(done.status, PASS, done.errors)
        self.assertGreater(len(names), 20)
        lies = done.json["lies"]
        for lie in lies:
            if lie["name"] in ("race", "endless-retry"):
                continue
            self.assertGreater(lie["told"], 0, lie)
            self.assertEqual(lie["told"], lie["refused"], lie)
            self.assertEqual(lie["accepted"], 0, lie)
        self.assertTrue(done.json["guest_unchanged"])
        rules = {r for lie in lies for r in lie["rules"]}
        self.assertLessEqual({2, 4, 5, 6, 7, 8, 10, 11, 18}, rules)

    def test_the_race_runs_long_enough(self):
        done = vmm_json("--evil=race")
        self.assertEqual(done.status, PASS, done.errors)
        self.assertGreaterEqual(done.json["race"]["flips"], 100000)
        self.assertTrue(done.json["guest_unchanged"])

    def test_endless_retry_is_bounded(self):
        done = vmm("--evil=endless-retry")
        self.assertNotEqual(done.status, PASS)
        self.assertIn("retr", (done.text + done.errors).lower())


main()
