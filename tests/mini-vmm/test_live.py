#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A real guest on /dev/kvm: it passes, its secret stays inside, and its pages tell nothing else."""
import errno
import fcntl
import json
import os
import signal
import subprocess
import time

from vmm import (BACKEND, Case, FAIL, HOST_GONE, NR_PIDFD_OPEN, PASS, TOP, USAGE, VMM, deny,
                 finish, main, need_kvm, start, vmm, vmm_json)

PAGE = 4096
GUEST_RAM = 2 << 20
F_SETPIPE_SZ = 1031

# A host without a cage: it says that it is ready, and stays.
FREE_HOST = """
#include <unistd.h>
int main(void)
{
    unsigned long long ready = 1;
    if (write(5, &ready, sizeof ready) != (ssize_t)sizeof ready)
        return 1;
    for (;;)
        pause();
}
"""


# A confined host that answers each request with SW_EXITINFO1 2: "malformed". Linux asm/svm.h.
GHCB_LIAR = """
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
#include "confine.h"
int main(void)
{
    volatile uint64_t *ghcb = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0);
    uint64_t bell = 1;
    if (ghcb == MAP_FAILED || confine(6, 1) != 0)
        return 1;
    while (write(5, &bell, sizeof bell) == 8 && read(4, &bell, sizeof bell) == 8) {
        ghcb[0x398 / 8] = 2;
        bell = 1;
    }
    return 0;
}
"""


# A confined host that answers a notice, too, and later than the next tick of the keeper's vCPU.
SLOW_LIAR = """
#include <poll.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
#include "confine.h"
int main(void)
{
    volatile uint64_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0);
    uint64_t bell = 1;
    if (page == MAP_FAILED || confine(6, 1) != 0)
        return 1;
    while (write(5, &bell, sizeof bell) == 8 && read(4, &bell, sizeof bell) == 8) {
        uint64_t seq = page[0x10 / 8];
        int notice = (page[8 / 8] >> 16 & 255) == 0;
        if (notice)
            poll(NULL, 0, 250);
        page[0x100 / 8] = seq;
        page[0x110 / 8] = 1;
        page[0x120 / 8] = 1;
        page[0x140 / 8] = 0x5a;
        bell = 1 | (uint64_t)(notice ? LIE + 1 : 0) << 1;
    }
    return 0;
}
"""


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
        self.assertRegex(done.json["console"], r"\nPASS: cpu 0, \d\d+ checks\n$")

    def test_reaches_every_row_that_kvm_can_produce(self):
        exits = vmm_json().json["exits"]
        seen = {(e["kind"], e["size"]) for e in exits}
        rows = {(kind, size) for kind in ("in", "out") for size in (1, 2, 4)}
        rows |= {(kind, size) for kind in ("mmio-read", "mmio-write") for size in (1, 2, 4, 8)}
        self.assertLessEqual(rows | {("ins", 1), ("ins", 2), ("ins", 4)}, seen)
        kinds = {kind for kind, _ in seen}
        self.assertLessEqual({"rdmsr", "wrmsr", "hypercall", "hlt"}, kinds)
        faults = {(e["kind"], e["verdict"]) for e in exits if e["fault"] == 13}
        self.assertEqual(faults, {(kind, verdict) for kind in ("rdmsr", "wrmsr")
                                  for verdict in ("delegate", "fault")})
        idle = [e for e in exits if e["kind"] == "hlt"]
        self.assertEqual({(e["verdict"], e["pages"]) for e in idle}, {("notify", 1)})
        self.assertGreater(len(idle), 1, "it runs on after an idle HLT")
        self.assertGreater(sum(e["count"] for e in exits if e["kind"] == "ins"), 1200)

    def test_a_triple_fault_ends_by_the_policy(self):
        image = self.tmp / "triple.bin"
        image.write_bytes(b"\x0f\x0b")  # ud2, without an IDT
        done = vmm(image)
        self.assertEqual(done.status, FAIL, done.errors)
        self.assertIn("by the policy: shutdown", done.text)

    def test_a_guest_that_fails_is_said_to_fail(self):
        image = self.tmp / "halt.bin"
        image.write_bytes(b"\xb8\x41\x00\x00\x00\xf4")  # mov eax, 0x41; hlt
        done = vmm(image)
        self.assertEqual(done.status, FAIL)
        self.assertIn("the guest halted with RAX 0x41, not PASS", done.text)

    def test_a_guest_that_never_exits_is_stopped(self):
        image = self.tmp / "spin.bin"
        image.write_bytes(b"\xeb\xfe")
        begin = time.monotonic()
        done = vmm("--timeout-ms", 700, image)
        self.assertEqual(done.status, BACKEND, done.text + done.errors)
        self.assertLess(time.monotonic() - begin, 3)

    def test_a_flood_on_the_console_is_counted(self):
        image = self.tmp / "flood.bin"  # mov edx, 0x3f8; mov ecx, 66000; 1: out dx, al; loop 1b
        image.write_bytes(b"\xba\xf8\x03\x00\x00\xb9" + (66000).to_bytes(4, "little") +
                          b"\xee\xe2\xfd\xf4")
        done = vmm_json(image)
        self.assertEqual(len(done.json["console"]), 65536)
        self.assertEqual(done.json["console_dropped"], 66000 - 65536)


@need_kvm
class Instructions(Case):
    """Bytes are shown only where they are those of the instruction that exited."""

    def table(self, code):
        image, trace = self.tmp / "ports.bin", self.tmp / "ports.svmtrace"
        image.write_bytes(b"".join(bytes.fromhex(c) for c in code))
        done = vmm_json("--record", trace, image)
        again = vmm_json("--replay", trace)
        self.assertEqual(done.json["exits"], again.json["exits"])
        return [(e["bytes"], e["text"]) for e in done.json["exits"]]

    def check(self, code, at_least):
        """All of `code` but the first (it loads DX) exits once, in order."""
        rows = self.table(code)
        self.assertEqual(len(rows), len(code) - 1, rows)
        for (shown, text), true in zip(rows, code[1:]):
            self.assertIn(shown, ("", true), rows)
            self.assertEqual(shown == "", text.startswith("~"), rows)
        self.assertGreaterEqual(sum(shown != "" for shown, _ in rows), at_least, rows)

    def test_out_beside_out(self):
        self.check(["bae0000000", "ee", "e6e0", "ee", "f4"], 1)

    def test_in_beside_in(self):
        self.check(["bae0000000", "ec", "e4e0", "ec", "ec", "f4"], 1)

    def test_out_and_in_mixed(self):
        self.check(["bae0000000", "ee", "ec", "e6e0", "e4e0", "ee", "ee", "ec", "f4"], 2)

    def test_prefixes_that_make_two_starts(self):
        self.check(["bae0000000", "66ef", "ef", "66ef", "66e7e0", "f4"], 1)

    def test_strings_beside_plain_ones(self):
        # mov edx, 0xe0; mov esi, edi = 0x9000
        self.check(["bae0000000be00900000bf00900000", "6e", "ee", "6e", "6c", "ec", "6c", "f4"], 1)


@need_kvm
class Output(Case):
    def test_json_into_a_slow_pipe_is_whole(self):
        read, write = os.pipe()
        fcntl.fcntl(write, F_SETPIPE_SZ, 4096)
        process = subprocess.Popen([VMM, "--json", "--all"], stdout=write, stdin=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)
        os.close(write)
        text = b""
        while piece := os.read(read, 3000):
            text += piece
            if len(text) < 40000:
                time.sleep(0.15)  # longer than a tick
        os.close(read)
        errors = process.communicate()[1]
        self.assertEqual((process.returncode, errors), (PASS, b""))
        self.assertEqual(json.loads(text)["verdict"], "PASS")

    def test_what_cannot_be_written_is_said(self):
        for args in ([], ["--json"]):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([VMM, *args], stdout=full, stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, USAGE)
            self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)

    def test_fits_a_terminal(self):
        for args in ([], ["--all"], ["--evil"], ["--scan", "--quiet"], ["--leak", "--quiet"]):
            for line in vmm(*args).text.splitlines():
                self.assertLessEqual(len(line), 100, line)
                if not line.startswith("guest|"):
                    self.assertEqual(line, line.rstrip())

    def test_json_types(self):
        exits = vmm_json().json["exits"]
        self.assertTrue(all(isinstance(e["address"], str) for e in exits))
        self.assertEqual({e["fault"] for e in exits}, {None, 13})


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
        for options in (["--scan", "--leak"], ["--leak"]):
            done = vmm_json(*options)
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
class Cage(Case):
    def test_what_the_host_has(self):
        for vcpus in (1, 2):
            with self.subTest(vcpus=vcpus):
                self.look(vcpus)

    def look(self, vcpus):
        pid_file, image = self.tmp / f"{vcpus}.pid", self.tmp / "spin.bin"
        image.write_bytes(b"\xeb\xfe")
        process = start("--host-pid-file", pid_file, "--timeout-ms", 1000, "--vcpus", vcpus, image)
        proc = f"/proc/{wait_for(pid_file)}"
        time.sleep(0.2)  # the guest runs by now
        files = {int(n): os.readlink(f"{proc}/fd/{n}") for n in os.listdir(f"{proc}/fd")}
        with open(f"{proc}/status", encoding="utf-8") as status:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
        with open(f"{proc}/maps", encoding="utf-8") as maps:
            spans = [tuple(int(a, 16) for a in line.split()[0].split("-")) for line in maps]
        self.assertEqual(finish(process).status, BACKEND)
        self.assertEqual(set(files), {1, *range(3, 3 + 3 * vcpus)}, files)
        self.assertTrue(files[1].startswith("pipe:"), files)
        for fd in range(3, 3 + 3 * vcpus, 3):
            self.assertIn("memfd:svmc-page", files[fd])
            self.assertIn("eventfd", files[fd + 1])
            self.assertIn("eventfd", files[fd + 2])
        self.assertEqual((fields["Seccomp"], fields["NoNewPrivs"]), ("2", "1"))
        self.assertGreater(len(spans), 5)
        self.assertNotIn(GUEST_RAM, {end - first for first, end in spans})

    def test_a_host_without_a_cage_is_refused(self):
        program, source = self.tmp / "free-host", self.tmp / "free-host.c"
        source.write_text(FREE_HOST)
        subprocess.run(["gcc", "-o", program, source], check=True)
        self.one_line_error(vmm("--host", program), "not confined", status=HOST_GONE)

    def test_a_host_that_ends_at_once(self):
        self.one_line_error(vmm("--host", "/bin/false"), "ended with status 1 before it was ready",
                            status=HOST_GONE)
        self.one_line_error(vmm("--host", self.tmp / "none"), "none", status=HOST_GONE)


@need_kvm
class HostDies(Case):
    def killed(self, how, image=None, delay=0.05, **kwargs):
        pid_file = self.tmp / "host.pid"
        process = start("--host-pid-file", pid_file, *([image] if image else []), **kwargs)
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

    def test_without_pidfd_open(self):
        blind = deny(NR_PIDFD_OPEN, errno.ENOSYS)
        self.assertEqual(vmm("--quiet", preexec_fn=blind).status, PASS)

        def stop_then_kill(pid, delay):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(delay)
            os.kill(pid, signal.SIGKILL)

        done, seconds = self.killed(stop_then_kill, preexec_fn=blind)
        self.assertEqual(done.status, HOST_GONE, done.text + done.errors)
        self.assertLess(seconds, 1)

    def test_silence_ends_too(self):
        pid_file = self.tmp / "host.pid"
        process = start("--host-pid-file", pid_file, "--timeout-ms", 500)
        os.kill(wait_for(pid_file), signal.SIGSTOP)
        done = finish(process, 5)
        self.assertEqual(done.status, HOST_GONE, done.text + done.errors)


@need_kvm
class Vcpus(Case):
    """Several vCPUs: a thread, a page and doorbells each, one host for all."""
    # test edi, edi; jz to `spin`, a jump to itself behind the code of the second vCPU
    SECOND = b"\x85\xff\x74"

    def two(self, name, second, first=b"\xeb\xfe"):
        """A guest whose vCPU 1 runs `second`, and whose vCPU 0 runs `first`, else it spins."""
        image = self.tmp / name
        image.write_bytes(self.SECOND + bytes([len(second)]) + second + first)
        return image

    def test_each_gets_its_own_answers(self):
        for count in (2, 3, 4):
            done = vmm_json("--vcpus", count)
            self.assertEqual(done.status, PASS, done.text[-300:] + done.errors)
            lines = [line.split(",")[0] for line in done.json["console"].splitlines()]
            self.assertEqual(sorted(lines), [*(f"PASS: cpu {n}" for n in range(count)),
                                             "hello from a secure guest",
                                             "the host sees parameters only"])
            exits = [[e["number"] for e in done.json["exits"] if e["vcpu"] == n]
                     for n in range(count)]
            for numbers in exits:
                self.assertGreater(len(numbers), 200)
                self.assertEqual(numbers, list(range(1, len(numbers) + 1)))
            self.assertEqual(done.json["summary"]["exits"], sum(map(len, exits)))

    def test_table_fits_a_terminal(self):
        done = vmm("--vcpus", 2)
        self.assertEqual(done.status, PASS, done.text + done.errors)
        for vcpu in (0, 1):
            self.assertEqual(done.text.count(f"Exits of vCPU {vcpu};"), 1)
        for line in done.text.splitlines():
            self.assertLessEqual(len(line), 100, line)

    def pages(self, noise):
        file = self.tmp / f"{noise}.pages"
        done = vmm("--vcpus", 2, "--seed", "77", "--noise", noise, "--dump-pages", file, "--quiet")
        self.assertEqual(done.status, PASS, done.text + done.errors)
        return file.read_bytes(), file.with_name(file.name + ".1").read_bytes()

    def test_pages_depend_on_parameters_only(self):
        first = self.pages("1")
        self.assertEqual(self.pages("2"), first)
        for vcpu, pages in enumerate(first):
            self.assertGreater(len(pages), 200 * PAGE)
            numbers = {int.from_bytes(pages[at + 14:at + 16], "little")
                       for at in range(0, len(pages), PAGE)}
            self.assertEqual(len(numbers), 1, vcpu)

    def test_the_secret_stays_inside(self):
        done = vmm_json("--vcpus", 2, "--scan")
        self.assertEqual((done.status, done.json["scan"]["hits"]), (PASS, 0), done.errors)
        self.assertEqual(done.json["scan"]["pages"], done.json["summary"]["request_pages"])
        self.assertEqual(vmm("--vcpus", 2, "--leak", "--quiet").status, FAIL)

    def test_a_trace_each(self):
        file = self.tmp / "two.svmtrace"
        live = vmm_json("--vcpus", 2, "--record", file)
        self.assertEqual(live.status, PASS, live.errors)
        for vcpu, trace in enumerate((file, file.with_name(file.name + ".1"))):
            again = vmm_json("--replay", trace)
            self.assertEqual(again.status, PASS, again.errors)
            self.assertEqual([e for e in live.json["exits"] if e["vcpu"] == vcpu],
                             again.json["exits"])
            self.assertEqual(again.json["console"], "" if vcpu else live.json["console"])

    def test_an_evil_host_that_races_too(self):
        done = vmm_json("--vcpus", 2, "--evil")
        self.assertEqual(done.status, PASS, (done.json["why"], done.errors))
        self.assertTrue(done.json["guest_unchanged"])
        for lie in done.json["lies"]:
            if lie["name"] not in ("race", "endless-retry", "only-lies"):
                self.assertGreater(lie["told"], 0, lie)
                self.assertEqual((lie["refused"], lie["accepted"]), (lie["told"], 0), lie)
        self.assertGreaterEqual(done.json["race"]["flips"], 100000)
        for raced in (False, True):
            self.assertEqual({e["vcpu"] for e in done.json["refusals"]
                              if (e["lie"] == "race") == raced}, {0, 1})

    def test_only_lies_stop_all(self):
        done = vmm_json("--vcpus", 4, "--evil=only-lies")
        self.assertEqual((done.status, done.json["verdict"]), (FAIL, "STOPPED"), done.errors)
        self.assertRegex(done.json["why"], r"^vCPU [0-3]: the host gave 16 wrong replies in a row")

    def test_one_that_fails_ends_all(self):
        begin = time.monotonic()
        done = vmm("--vcpus", 2, self.two("halt.bin", b"\xb8\x41\x00\x00\x00\xf4"))
        self.assertEqual(done.status, FAIL, done.errors)
        self.assertIn("vCPU 1: the guest halted with RAX 0x41, not PASS", done.text)
        done = vmm("--vcpus", 2, self.two("triple.bin", b"\x0f\x0b"))
        self.assertEqual(done.status, FAIL, done.errors)
        self.assertIn("vCPU 1: by the policy: shutdown", done.text)
        self.assertLess(time.monotonic() - begin, 3)

    def test_one_that_fails_ends_one_that_waits_for_the_host(self):
        pid_file = self.tmp / "host.pid"
        # mov ecx, 2^15; 1: dec ecx; jnz 1b; ud2; the other: mov edx, 0x510; 1: in eax, dx; jmp 1b
        image = self.two("wait.bin", b"\xb9\0\x80\0\0\xff\xc9\x75\xfc\x0f\x0b",
                         b"\xba\x10\x05\0\0\xed\xeb\xfd")
        process = start("--vcpus", 2, "--timeout-ms", 30000, "--quiet", "--host-pid-file",
                        pid_file, image)
        os.kill(wait_for(pid_file), signal.SIGSTOP)
        begin = time.monotonic()
        done = finish(process)
        self.assertEqual(done.status, FAIL, done.text + done.errors)
        self.assertIn("vCPU 1: by the policy: shutdown", done.text)
        self.assertLess(time.monotonic() - begin, 15)

    def test_a_guest_hangs_when_no_vcpu_of_it_exits(self):
        begin = time.monotonic()
        done = vmm("--vcpus", 2, "--timeout-ms", 700, self.two("spin.bin", b""))
        self.assertEqual(done.status, BACKEND, done.text + done.errors)
        self.assertLess(time.monotonic() - begin, 4)

    def test_a_host_killed_in_mid_exit_ends_all(self):
        for count in (2, 4):
            pid_file = self.tmp / f"{count}.pid"
            process = start("--vcpus", count, "--host-pid-file", pid_file)
            pid = wait_for(pid_file)
            os.kill(pid, signal.SIGSTOP)  # from here on every exit of every vCPU stays unanswered
            time.sleep(0.2)
            os.kill(pid, signal.SIGKILL)
            begin = time.monotonic()
            done = finish(process)
            self.assertEqual(done.status, HOST_GONE, done.text + done.errors)
            self.assertRegex(done.errors, r"vCPU [0-3]: the host died: killed by signal 9")
            self.assertLess(time.monotonic() - begin, 1.5)

    def test_a_host_killed_at_any_moment(self):
        for n in range(8):
            pid_file = self.tmp / f"{n}.pid"
            process = start("--vcpus", 2, "--host-pid-file", pid_file)
            pid = wait_for(pid_file)
            time.sleep(n * 0.01)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            done = finish(process)
            self.assertIn(done.status, (HOST_GONE, PASS), done.text + done.errors)


@need_kvm
class Forms(Case):
    """The host reads struct kvm_run, a GHCB or TDVMCALL registers instead of the page."""
    FORMS = ("kvm_run", "ghcb", "tdx")
    SAME = ("--seed", "5", "--noise", "6")

    def run_form(self, form, *more):
        done = vmm_json("--host-format", form, *more)
        self.assertEqual(done.status, PASS, (form, done.json["why"], done.errors))
        return done.json

    def asked(self, run):
        """What the guest asked for, row by row, and what it got; no clock, no results of calls."""
        clock = ("0x510", "0x514")
        return [(e["kind"], e["address"], e["size"], e["count"], e["fault"], e["shown"],
                 [] if e["address"] in clock else e["taken"])
                for e in run["exits"] if e["kind"] != "hypercall"]

    def test_the_guest_ends_alike(self):
        for vcpus in (1, 2):
            page = self.run_form("page", "--vcpus", vcpus, *self.SAME)
            for form in self.FORMS:
                run = self.run_form(form, "--vcpus", vcpus, *self.SAME)
                self.assertEqual(run["final_state"], page["final_state"], form)
                self.assertEqual(sorted(run["console"].splitlines()),
                                 sorted(page["console"].splitlines()))
                self.assertEqual(self.asked(run), self.asked(page), form)

    def test_the_comparison_can_fail(self):
        states = {self.run_form("page", "--noise", n)["final_state"][0] for n in "123"}
        self.assertEqual(len(states), 3)

    def test_calls_without_results_only(self):
        for form in self.FORMS:
            calls = [e for e in self.run_form(form)["exits"] if e["kind"] == "hypercall"]
            self.assertEqual({e["address"] for e in calls if e["verdict"] == "delegate"}, {"0x4"})
            self.assertEqual({e["pages"] for e in calls}, {0, 1})

    def test_strings_go_as_far_as_there_is_room(self):
        pages = {form: max(e["pages"] for e in self.run_form(form)["exits"])
                 for form in ("page", *self.FORMS)}
        self.assertEqual(pages["kvm_run"], pages["page"])
        self.assertEqual(pages["tdx"], max(e["count"] for e in self.run_form("tdx")["exits"]))

    def test_the_secret_stays_inside(self):
        for form in self.FORMS:
            self.assertEqual(self.run_form(form, "--scan")["scan"]["hits"], 0)
            leak = vmm_json("--host-format", form, "--leak")
            self.assertEqual(leak.status, FAIL)
            self.assertGreater(leak.json["scan"]["hits"], 0)

    def test_what_was_recorded_replays(self):
        for form in self.FORMS:
            file = self.tmp / f"{form}.svmtrace"
            live = self.run_form(form, "--record", file)
            again = vmm_json("--replay", file)
            self.assertEqual(again.status, PASS, again.errors)
            self.assertEqual(live["exits"], again.json["exits"])

    def test_a_host_killed_in_mid_exit(self):
        for form in self.FORMS:
            pid_file = self.tmp / f"{form}.pid"
            process = start("--host-format", form, "--host-pid-file", pid_file)
            os.kill(wait_for(pid_file), signal.SIGSTOP)
            time.sleep(0.05)
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
            self.assertEqual(finish(process).status, HOST_GONE)

    def test_a_broken_answer_is_refused_and_counted(self):
        program, source = self.tmp / "liar", self.tmp / "liar.c"
        source.write_text(GHCB_LIAR)
        folder = TOP / "examples" / "mini-vmm"
        subprocess.run(["gcc", "-D_GNU_SOURCE", "-I", folder, "-o", program, source,
                        folder / "confine.c"], check=True)
        done = vmm_json("--host-format", "ghcb", "--host", program)
        self.assertEqual((done.status, done.json["verdict"]), (FAIL, "STOPPED"), done.errors)
        self.assertIn("16 wrong replies in a row", done.json["why"])
        self.assertEqual(done.json["summary"]["refused"], 16)
        self.assertEqual(done.json["summary"]["bytes_accepted"], 0)


@need_kvm
class Evil(Case):
    def test_every_lie_is_refused_and_the_guest_is_intact(self):
        listed = vmm("--list-lies").text.splitlines()
        by_name = {line.split()[0] for line in listed if "only by name" in line}
        done = vmm_json("--evil")
        self.assertEqual(done.status, PASS, done.errors)
        lies = {lie["name"]: lie for lie in done.json["lies"]}
        self.assertGreater(len(lies), 25)
        self.assertEqual(set(lies), {line.split()[0] for line in listed})
        self.assertEqual(by_name, {"endless-retry", "only-lies"})
        self.assertEqual({n for n, lie in lies.items() if lie["told"] > 0}, set(lies) - by_name)
        for lie in lies.values():
            self.assertTrue(lie["guest_unchanged"], lie)
            if lie["name"] != "race":
                self.assertEqual((lie["refused"], lie["accepted"]), (lie["told"], 0), lie)
        self.assertTrue(done.json["guest_unchanged"])
        self.assertEqual(lies["ring-early"]["rules"], [2])
        self.assertEqual(lies["answer-a-notice"]["rules"], [15])
        rules = {r for lie in lies.values() for r in lie["rules"]}
        self.assertLessEqual({2, 4, 5, 6, 7, 8, 10, 11, 15, 18}, rules)

    def test_a_late_answer_to_a_notice_is_that_notices(self):
        program, source, image = self.tmp / "liar", self.tmp / "liar.c", self.tmp / "rests.bin"
        names = [line.split()[0] for line in vmm("--list-lies").text.splitlines()]
        source.write_text(SLOW_LIAR)
        folder = TOP / "examples" / "mini-vmm"
        subprocess.run(["gcc", "-D_GNU_SOURCE", f"-DLIE={names.index('answer-a-notice')}", "-I",
                        folder, "-o", program, source, folder / "confine.c"], check=True)
        # mov eax, "IDLE"; hlt; mov edx, 0x510; in eax, dx; three times; mov eax, "PASS"; hlt
        image.write_bytes(b"\xb8IDLE\xf4\xba\x10\x05\0\0\xed" * 3 + b"\xb8PASS\xf4")
        done = vmm_json("--evil=answer-a-notice", "--host", program, image)
        self.assertEqual(done.status, PASS, (done.json["why"], done.errors))
        lie = next(e for e in done.json["lies"] if e["name"] == "answer-a-notice")
        self.assertEqual((lie["told"], lie["refused"], lie["accepted"]), (4, 4, 0))
        self.assertEqual(lie["rules"], [15])
        self.assertEqual(done.json["summary"]["refused"], 0)

    def test_the_race_runs_long_enough(self):
        done = vmm_json("--evil=race")
        self.assertEqual(done.status, PASS, done.errors)
        self.assertGreaterEqual(done.json["race"]["flips"], 100000)
        self.assertGreater(done.json["race"]["refused"], 0)
        self.assertIn(8, next(e for e in done.json["lies"] if e["name"] == "race")["rules"])
        self.assertTrue(done.json["guest_unchanged"])

    def test_one_lie_alone(self):
        done = vmm_json("--evil=wrong-seq")
        self.assertEqual(done.status, PASS, done.errors)
        self.assertEqual({e["name"] for e in done.json["lies"] if e["told"]}, {"wrong-seq"})
        self.assertGreater(len(done.json["lies"]), 25)

    def test_a_host_that_only_lies_stops_the_guest(self):
        done = vmm_json("--evil=only-lies")
        self.assertEqual(done.status, FAIL, done.errors)
        self.assertEqual(done.json["verdict"], "STOPPED")
        self.assertIn("16 wrong replies in a row", done.json["why"])
        self.assertTrue(done.json["guest_unchanged"])
        self.assertEqual(len(done.json["exits"]), 1)

    def test_endless_retry_is_bounded(self):
        done = vmm("--evil=endless-retry")
        self.assertNotEqual(done.status, PASS)
        self.assertIn("retr", (done.text + done.errors).lower())


main()
