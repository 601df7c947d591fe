#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tokens in mini-vmm: a trusted guest program enrols and changes a page through its gate; everybody
else in its VM is refused, each by what is to refuse him. Live, and from the recorded run."""
import struct

from vmm import (Altered, BACKEND, BUILD, Case, FAIL, PASS, TOP, deny_create_vm, main, need_kvm,
                 vmm, vmm_json)

TRACE = TOP / "examples" / "mini-vmm" / "traces" / "tokens.svmtrace"
CALL, MEMORY, GATE = 5, 18, 20  # docs/spec/trace.md
WHO, WALK, HELD = 7, 8, 9

# What is tried, and what must refuse it: docs/spec/token.md, token_page.md, measure.md. By hand.
TRIED = (
    ("to enrol before the program does", "not the measured program"),  # A12
    ("to enrol behind the others", "the window is closed"),  # K1, A12
    ("no token at all", "no such handle"),  # K6
    ("the stolen tag, from other code", "not the token's instruction"),  # A2, A6
    ("the same, from ring 3", "another privilege"),
    ("the gate, called by other code", "another thread, or a return elsewhere"),  # V9, A6
    ("a decoy in the gate", "stub [0-9]+ of 55 is one, an alarm"),  # K10, A14
    ("the gate's trap, with a guess of the tag", "the tag is wrong"),  # K6, A7
    ("the same, with the handle's next generation", "no such handle"),  # A9
    ("the same, with another index", "no such handle"),
    ("a token lent to vCPU 1, on vCPU 0", "another vCPU's"),  # A3
    ("the gate, from another thread", "another thread, or a return elsewhere"),  # V9
    ("the gate, from another address space", "another address space"),  # A3
    ("the gate's page mapped once more elsewhere", "not the token's instruction"),  # A5
    ("its address mapped to a page with code of ours", "not the frame it was"),  # A5
    ("another page table on the way to it", "not the table it was"),  # A5, ME-15
    ("a read of the gate, for its tag", "executable alone: all ones"),  # A1, K14
    ("a write to the gate", "read-only, and judged a stranger's write"),  # K5
    ("a write to the program's code", "read-only, and judged a stranger's write"),  # A10
    ("a write to the page that it keeps", "read-only, and judged a stranger's write"),  # A10
    ("the old tag, when the program has a new one", "the tag is wrong"),  # A9
    ("guesses, until the token is heard no more on this vCPU", "locked out on this vCPU"),  # A7
    ("to keep the program from a call it was asked for", "too late, an event"),  # V10
)
CHANGES = 7


def lines(run):
    return [e["text"].split(" ", 3)[3] for e in run["calls"] if e["text"].startswith("gate|")]


class Tokens(Case):
    def check_run(self, run):
        """Every attempt with its own reason, the program's work between and behind them."""
        self.assertEqual((run["verdict"], run["why"]), ("PASS", ""))
        said = lines(run)
        attempts = [line for line in said if line.startswith("refused: ")]
        self.assertEqual(len(attempts), len(TRIED), said)
        for line, (what, why) in zip(attempts, TRIED):
            self.assertRegex(line, f"^refused: {what}: {why}$")
        puts = [line for line in said if line.startswith("the program: put ")]
        self.assertEqual(len(puts), CHANGES)
        for number, line in enumerate(puts, 1):
            late = ", once it was let in again" if number == 6 else ""  # behind the lock-out
            self.assertEqual(line, f"the program: put {number} -> OK{late}")
        self.assertEqual(said[-3:], [
            puts[-1],
            f"{len(TRIED)} attempts, 0 not refused; the program made {CHANGES} changes, the last "
            "behind them: yes",
            "its pages are as measured: yes; KVM's slots protect them as planned: yes"])
        self.assertFalse([line for line in said if "ACCEPTED" in line or "NOT REF" in line])


@need_kvm
class Live(Tokens):
    def test_all_are_refused_and_the_program_works(self):
        done = vmm_json("--tokens")
        self.assertEqual(done.status, PASS, done.json["calls"][-6:])
        self.check_run(done.json)
        self.assertEqual(done.json["backend"]["type"], "kvm")

    def test_tags_and_stubs_are_others_each_time(self):  # K4
        seen = {next(line for line in lines(vmm_json("--tokens").json) if "a decoy" in line)
                for _ in range(6)}
        self.assertGreater(len(seen), 1)

    def test_what_it_prints(self):
        done = vmm("--tokens")
        self.assertEqual(done.status, PASS, done.text)
        self.assertTrue(done.text.startswith("backend: /dev/kvm"))
        for line in done.text.splitlines():
            self.assertLessEqual(len(line), 100, line)
        self.assertNotIn("call|", done.text)
        self.assertLess(len(done.text.splitlines()), 60)
        self.assertIn("call|", vmm("--tokens", "--all").text)

    def test_the_host_learns_nothing(self):
        done = vmm_json("--tokens")
        asked = {(e["kind"], e["address"]) for e in done.json["exits"] if e["pages"] > 0}
        self.assertEqual(asked, {("out", "0x3f8"), ("hlt", "0x0")})

    def test_what_was_recorded_replays(self):
        file = self.tmp / "tokens.svmtrace"
        live, again = vmm_json("--tokens", "--record", file), vmm_json("--replay", file)
        self.assertEqual((live.status, again.status), (PASS, PASS), again.json["why"])
        self.assertEqual(live.json["calls"], again.json["calls"])


# An image of raw bytes whose program is our own: what the keeper must notice of itself.
BASE, PROGRAM, PORT, OWNER = 0x100000, 0x120000, 0x565d, 2
TRY, TRIED_NOW, ENROL, SEAL = 8, 9, 10, 11


def native(number, *args):
    """mov eax, owner | number with the ABI above; rdi, rsi, r8; out dx, eax."""
    code = b"\x48\xb8" + struct.pack("<Q", 1 << 56 | OWNER << 16 | number)
    for opcode, value in zip((b"\x48\xbf", b"\x48\xbe", b"\x49\xb8"), (*args, 0, 0, 0)):
        code += opcode + struct.pack("<Q", value)
    return code + b"\xba" + struct.pack("<I", PORT) + b"\xef"


@need_kvm
class KeeperSeesIt(Tokens):
    """A run in which something gets through does not pass."""

    def run_program(self, code):
        image = bytearray(PROGRAM - BASE + 4096)
        image[:5] = b"\xe9" + struct.pack("<i", PROGRAM - BASE - 5)  # jmp PROGRAM
        text = b"an attempt"
        image[64:64 + len(text)] = text
        code += b"\xb8PASS\xf4"
        image[PROGRAM - BASE:PROGRAM - BASE + len(code)] = code
        file = self.tmp / "raw.bin"
        file.write_bytes(image)
        return vmm_json("--tokens", file)

    BEGIN = native(TRY, BASE + 64, 10)

    def test_what_is_not_refused(self):
        done = self.run_program(self.BEGIN + native(TRIED_NOW))
        self.assertEqual(done.status, FAIL)
        self.assertIn("NOT REFUSED: an attempt: ", lines(done.json))

    def test_what_is_accepted(self):
        done = self.run_program(self.BEGIN + native(ENROL) + native(TRIED_NOW))
        self.assertEqual(done.status, FAIL)
        self.assertIn("ACCEPTED: an attempt: ", lines(done.json))

    def test_a_page_that_changes_behind_its_back(self):
        """The program closes nothing: a write is refused, and the run of no attempts fails."""
        write = b"\xc7\x04\x25" + struct.pack("<II", 0xa1000, 666)  # mov dword [kept], 666
        done = self.run_program(native(ENROL) + native(SEAL) + write)
        self.assertEqual(done.status, FAIL)
        self.assertIn("0 attempts", lines(done.json)[-2])
        self.assertIn("as measured: yes", lines(done.json)[-1])

    def test_the_gate_where_it_could_be_read_meanwhile(self):
        """What is not a stub's start is not executed, nor a return that would fault: A1."""
        middle = b"\x48\xff\xc6\xff\xe6"  # inc rsi; jmp rsi: the gate's address + 1
        no_stack = b"\x48\xbc" + struct.pack("<Q", 0x7fff0000) + b"\xff\xe6"  # mov rsp; jmp rsi
        for code in (middle, no_stack):
            done = self.run_program(native(ENROL) + code)
            self.assertEqual(done.status, BACKEND, done.json["why"])
            self.assertNotIn("PASS", done.json["verdict"])

    def test_a_guest_without_a_program(self):
        file = self.tmp / "short.bin"
        file.write_bytes(b"\xf4")
        done = vmm("--tokens", file)
        self.assertNotEqual(done.status, PASS)
        self.assertIn("no program", done.errors)


class Replay(Altered, Tokens):
    """The recorded run, as it is, and with records that were changed."""

    trace = TRACE

    def replay(self):
        return vmm_json("--replay", self.altered())

    def test_the_shipped_trace(self):
        done = vmm_json("--replay", TRACE)
        self.assertEqual(done.status, PASS, done.json["why"])
        self.check_run(done.json)

    def test_every_line_counts(self):  # TR-7
        for at in [n for n, (kind, _) in enumerate(self.records) if kind == GATE][::5]:
            self.records[at][1][-1] ^= 1
            self.assertEqual(self.replay().status, FAIL)
            self.records[at][1][-1] ^= 1

    def change(self, kind, first, offset, n=-1):
        """One record's byte: the n-th of its kind, whose payload begins with `first`."""
        at = [i for i, (k, p) in enumerate(self.records)
              if k == kind and (first is None or p[0] == first)][n]
        self.records[at][1][offset] ^= 1
        done = self.replay()
        self.records[at][1][offset] ^= 1
        return done

    def test_the_last_change_from_elsewhere(self):
        """Each part of who makes it counts."""
        who = [i for i, (k, p) in enumerate(self.records) if k == CALL and p[0] == WHO][-1]
        for offset in (4, 12 + 2, 20, 28 + 2):  # address, root, thread, return
            self.records[who][1][offset] ^= 1
            self.assertEqual(self.replay().status, FAIL, offset)
            self.records[who][1][offset] ^= 1

    def test_the_last_walk_leads_elsewhere(self):
        for offset in (4 + 2, 4 + 16, 4 + 24 + 1):  # frame; place and value of the first entry
            self.assertEqual(self.change(CALL, WALK, offset).status, FAIL, offset)

    def test_a_page_that_is_not_as_measured(self):
        self.assertEqual(self.change(MEMORY, None, 8 + 100).status, FAIL)

    def test_protection_that_is_not_as_planned(self):
        self.assertEqual(self.change(CALL, HELD, 4).status, FAIL)
        self.assertEqual(self.change(CALL, HELD, 4 + 8).status, FAIL)


class Fallback(Tokens):
    """Where /dev/kvm cannot be used."""

    def test_the_recorded_run(self):
        done = vmm("--tokens", preexec_fn=deny_create_vm)
        self.assertEqual(done.status, PASS, done.text + done.errors)
        head = "\n".join(done.text.splitlines()[:2])
        self.assertIn("recorded trace, as /dev/kvm cannot be used", head)
        self.assertIn("tokens.svmtrace", head)
        for what, _ in TRIED:
            self.assertIn(f"refused: {what}: ", done.text)
        self.assertIn("backend: recorded trace\nverdict: PASS", done.text)

    def test_what_only_a_live_guest_can_do(self):
        done = vmm("--tokens", BUILD / "guests" / "tokens.bin", preexec_fn=deny_create_vm)
        self.one_line_error(done, "needs /dev/kvm", status=BACKEND)


class Usage(Tokens):
    def test_errors_are_one_line(self):
        self.one_line_error(vmm("--tokens", "--vcpus", 2), "--tokens", "one vCPU")
        self.one_line_error(vmm("--tokens", "--replay", TRACE), "--replay")
        self.one_line_error(vmm("--tokens", "--evil"), "--evil")

    def test_help(self):
        self.assertIn("--tokens", vmm("--help").text)


main()
