#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""--protect and --memory-budget: what of a guest is not in use is sealed. A dump of the keeper
shows the working set alone, the guest finds everything as it left it, and a sealed page that
somebody has changed is not given to it."""
import errno
import os
import re

from vmm import (BACKEND, BUILD, Case, PASS, Stopped, TRACE, count_in_dump, deny, deny_create_vm,
                 main, need_kvm, sealed, vmm, vmm_json)

BUDGET, HELLO = BUILD / "guests" / "budget.bin", BUILD / "guests" / "hello.bin"
WAYS = ("userfaultfd", "slots")
PAGE = 4096
CANARY = bytes.fromhex("11ca41d44152594f646f626f6e6b6577")  # guests/bootinfo.h
CANARIES = 8 * 64  # pages and lines of guests/budget.c
NR_USERFAULTFD, NR_IOCTL, IOC_NEW = 323, 16, 0xaa00


def deny_faults():
    """Neither the call nor the device."""
    deny(NR_USERFAULTFD, errno.EPERM)()
    deny(NR_IOCTL, errno.EPERM, IOC_NEW)()


def counts(run):
    """(open at most, of all, came back, sealed anew, unchanged, completed) of the lines."""
    first, second = [line for line in sealed(run) if line.startswith("memory:")][:2]
    return (*map(int, re.findall(r"\d+", first)), *map(int, re.findall(r"\d+", second)))


def store_of(pid):
    """The file with the sealed pages."""
    for fd in os.listdir(f"/proc/{pid}/fd"):
        if "sealed-pages" in os.readlink(f"/proc/{pid}/fd/{fd}"):
            return open(f"/proc/{pid}/fd/{fd}", "rb+", buffering=0)
    raise AssertionError("no file with sealed pages")


@need_kvm
class Memory(Case):
    def test_a_guest_that_does_not_fit_finishes_its_work(self):
        for way in WAYS:
            done = vmm_json("--memory-budget", f"50,{way}")
            self.assertEqual((done.status, done.json["verdict"]), (PASS, "PASS"), done.json["why"])
            self.assertIn("all memory but 256 of 512 pages, by " + ("slots of one page" if way ==
                          "slots" else way), done.json["sealed"])
            most, pages, back, anew, unchanged, completed = counts(done.json)
            self.assertEqual((most, pages), (256, 512))
            self.assertGreater(back, 400)  # it has 352 pages, and the hot ones stay
            self.assertLess(back, 3000)
            self.assertGreater(anew, 300)
            self.assertGreater(unchanged, 20)
            self.assertEqual(completed > 0, way == "slots")

    def test_several_vcpus_under_one_budget(self):
        for args in (("--vcpus", 2), ("--vcpus", 4, "--protect", "context,disk")):
            done = vmm_json("--memory-budget", 20, *args, BUDGET)
            self.assertEqual((done.status, done.json["verdict"]), (PASS, "PASS"), done.json["why"])
            most, _, back, anew, unchanged, _ = counts(done.json)
            self.assertEqual((most, unchanged), (102, 0))
            self.assertGreater(back, 800)
            self.assertGreater(anew, 700)

    def test_the_way_is_chosen_and_said(self):
        self.assertIn("by userfaultfd;", vmm_json("--protect", "memory", HELLO).json["sealed"])
        done = vmm_json("--protect", "memory", HELLO, preexec_fn=deny_faults)
        self.assertEqual(done.status, PASS, done.errors)
        self.assertIn("by slots of one page (userfaultfd: Operation not permitted);",
                      done.json["sealed"])
        done = vmm("--memory-budget", "50,userfaultfd", preexec_fn=deny_faults)
        self.one_line_error(done, "userfaultfd: Operation not permitted", status=BACKEND)
        done = vmm("--memory-budget", 50, "--vcpus", 2, preexec_fn=deny_faults)
        self.one_line_error(done, "several vCPUs need it", status=BACKEND)

    def test_the_guest_ends_in_the_same_state(self):
        fixed = ("--noise", "4015e", "--seed", "5eed", HELLO)
        want = vmm_json(*fixed).json["final_state"]
        for args in (("--memory-budget", "50,slots"), ("--memory-budget", "10,userfaultfd"),
                     ("--protect", "context"), ("--memory-budget", 10, "--protect", "context")):
            done = vmm_json(*args, *fixed)
            self.assertEqual((done.status, done.json["final_state"]), (PASS, want), args)

    def test_a_dump_shows_the_working_set(self):
        for args in ((), *(("--memory-budget", f"50,{way}") for way in WAYS)):
            run = Stopped("--dwell", *args, BUDGET)
            run.stop_at("half of the work is done")
            found = count_in_dump(run.process.pid, CANARY)
            done = run.end()
            self.assertEqual(done.status, PASS, done.text + done.errors)
            self.assertNotIn("all of it", run.seen)
            if args:
                self.assertEqual(found, 0, args)
            else:  # the control: it is there to be found
                self.assertGreaterEqual(found, CANARIES)

    def spoiled(self, way, spoil, cpus=1):
        """What becomes of a run whose store is spoiled at half of its work."""
        run = Stopped("--dwell", "--memory-budget", f"50,{way}", "--vcpus", cpus, BUDGET)
        run.stop_at("sealed:")
        with store_of(run.process.pid) as store:
            old = store.read()
            run.go_on()
            run.stop_at("half of the work is done")
            store.seek(0)
            new = bytearray(store.read())
            spoil(new, old)
            store.seek(0)
            store.write(new)
        done = run.end()
        self.assertNotEqual(done.status, PASS)
        self.assertIn("its sealed copy is not what was written last", done.text)
        self.assertNotIn("PASS", done.text)
        self.assertNotIn("FAIL: a page", done.text)  # the guest saw nothing of it

    def test_a_page_that_somebody_changed_is_not_given_to_the_guest(self):
        tags = 512 * 2 * 16

        def flip(new, _old):
            for page in range(512 * 2):
                new[tags + page * PAGE + 77] ^= 1

        def replay(new, old):  # each copy is the one from before, wherever it lies
            new[:] = old
            for size, at in ((16, 0), (PAGE, tags)):
                for i in range(0, 512 * 2, 2):
                    a, b, c = at + i * size, at + i * size + size, at + i * size + 2 * size
                    if not any(new[a:b]):
                        new[a:b] = new[b:c]
                    if not any(new[b:c]):
                        new[b:c] = new[a:b]

        def swap(new, _old):  # each page with its neighbour, tags with them
            for size, at in ((2 * 16, 0), (2 * PAGE, tags)):
                for i in range(0, 512, 2):
                    a, b, c = at + i * size, at + i * size + size, at + i * size + 2 * size
                    new[a:b], new[b:c] = new[b:c], new[a:b]

        def cut(new, _old):  # a tag's last byte
            for page in range(512 * 2):
                new[page * 16 + 15] ^= 0x80

        for n, spoil in enumerate((flip, replay, swap, cut)):
            self.spoiled(WAYS[n % 2], spoil, 1 + (n == 2))

    def test_the_smallest_budget(self):
        for way in WAYS:
            done = vmm_json("--memory-budget", f"1,{way}")
            self.assertEqual(done.status, PASS, done.json["why"])
            self.assertEqual(counts(done.json)[0], 48)  # pager.h: with less nothing runs

    def test_what_it_prints(self):
        done = vmm("--memory-budget", 50)
        self.assertEqual(done.status, PASS, done.text)
        for line in done.text.splitlines():
            self.assertLessEqual(len(line), 100, line)
        self.assertRegex(done.text, r"seal\| cpu 0 memory: at most 256 of 512 pages open")
        self.assertRegex(done.text, r"seal\| cpu 0 memory: .* the guest ran [\d.]+ times as long")


@need_kvm
class Context(Case):
    def check(self, *args):
        done = vmm_json("--protect", "context", *args)
        self.assertEqual((done.status, done.json["verdict"]), (PASS, "PASS"), done.json["why"])
        lines = [line for line in sealed(done.json) if line.startswith("context:")]
        for line in lines:
            self.assertRegex(line, r"^context: \d{4,} bytes sealed \d{2,} times, .* left in KVM: 0 "
                             "times$")
        return lines

    def test_a_guest_runs_on_after_each_of_its_exits(self):
        self.assertEqual(len(self.check()), 1)

    def test_several_vcpus_each_have_their_own(self):
        self.assertEqual(len(self.check("--vcpus", 3)), 3)

    def test_with_all_else_that_a_guest_can_do(self):
        for args in (("--hypercalls",), ("--tokens",), ("--dma",), ("--evil",), ("--scan",),
                     ("--host-format", "ghcb"), ("--memory-budget", "50,slots"),
                     ("--memory-budget", "50,userfaultfd")):
            self.assertTrue(self.check(*args), args)

    def test_a_recorded_run_replays(self):
        file = self.tmp / "context.svmtrace"
        self.check("--record", file)
        self.assertEqual(vmm("--replay", file).status, PASS)


class Usage(Case):
    def test_errors_are_one_line(self):
        for args in (("--protect", "disc"), ("--protect", ""), ("--protect", "memory,,context"),
                     ("--memory-budget", 0), ("--memory-budget", 100), ("--memory-budget", "x"),
                     ("--memory-budget", "50,fast"), ("--memory-budget", "-1"),
                     ("--protect", "context", "--replay", TRACE)):
            self.one_line_error(vmm(*args))
        for other in (("--hypercalls",), ("--tokens",), ("--dma",), ("--evil",)):
            self.one_line_error(vmm("--memory-budget", 50, *other), "nobody but the guest reads")
        self.one_line_error(vmm("--memory-budget", "50,slots", "--vcpus", 2), "of one vCPU")

    def test_without_kvm(self):
        done = vmm("--protect", "memory", preexec_fn=deny_create_vm)
        self.one_line_error(done, "--protect needs /dev/kvm", status=BACKEND)

    def test_help(self):
        text = vmm("--help").text
        self.assertIn("--protect LIST", text)
        self.assertIn("--memory-budget N", text)


main()
