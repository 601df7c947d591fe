#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What KVM cannot emulate is finished: each opcode gives on the device what RAM gives."""
import os
import re
import struct
from pathlib import Path

from vmm import (BACKEND, BUILD, Case, PASS, TOP, USAGE, deny_create_vm, finish, main, need_kvm,
                 start, vmm, vmm_json)

ROWS = re.findall(r"^FORM\((\w+),", (TOP / "examples/guests/finish.def").read_text(), re.M)
# what a processor may lack: the flag of /proc/cpuinfo for it
FLAG = {"lddqu": "pni", "pinsrd": "sse4_1", "popcnt": "popcnt", "crc32": "sse4_2",
        "cmpxchg16b": "cx16", "cmpxchg16b_lock": "cx16", "vmovdqu_load": "avx",
        "vmovdqu_store": "avx", "andn": "bmi1", "lzcnt": "abm", "tzcnt": "bmi1"}
DEVICE = 0xfe000100
VERDICT_PASS = 0x53534150


def flags():
    line = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    return set(line[1].split()) if line else set()


def printed(text):
    """What the guest said of each instruction."""
    return dict(re.findall(r"^guest\| (\w+) (same|other|bsr|refused|absent)$", text, re.M))


@need_kvm
class Finish(Case):
    def test_each_opcode_gives_on_the_device_what_ram_gives(self):
        done = vmm("--finish")
        self.assertEqual(done.status, PASS, done.text + done.errors)
        said = printed(done.text)
        self.assertEqual(list(said), ROWS)
        have = flags()
        for name, result in said.items():
            lacks = name in FLAG and FLAG[name] not in have
            with self.subTest(name):
                self.assertEqual(result, "absent" if lacks else "same")

    def test_without_it_the_vm_is_dead(self):
        done = vmm("--finish", "--no-finish")
        self.assertEqual(done.status, BACKEND, done.text)
        self.assertIn("KVM_EXIT_INTERNAL_ERROR, suberror 1", done.errors)

    def test_a_trace_of_it_runs_anywhere(self):
        trace = self.tmp / "trace"
        live = vmm_json("--finish", "--record", trace)
        self.assertEqual(live.status, PASS)
        again = vmm_json("--replay", trace)
        self.assertEqual(again.status, PASS)
        self.assertEqual(again.json["console"], live.json["console"])
        self.assertEqual(len(again.json["exits"]), len(live.json["exits"]))

    def test_exits_of_a_finished_instruction_are_as_any(self):
        for form in ("kvm_run", "ghcb", "tdx"):
            with self.subTest(form):
                done = vmm("--finish", "--host-format", form)
                self.assertEqual(done.status, PASS, done.text + done.errors)

    def test_registers_are_sealed_between_exits_and_what_kvm_does_wrong_is_seen(self):
        done = vmm("--protect", "context", BUILD / "guests" / "finish.bin")  # without --finish
        self.assertEqual(done.status, PASS, done.text + done.errors)
        said = printed(done.text)
        self.assertEqual(list(said), ROWS)
        for name in ("lzcnt", "tzcnt"):  # KVM's own BSR and BSF, if it still has no LZCNT
            self.assertIn(said.pop(name), ("same", "bsr", "absent"))
        self.assertLessEqual(set(said.values()), {"same", "absent"})

    def test_a_guest_that_is_saved_within_an_instruction_goes_on(self):
        key = f"file:{self.tmp / 'key'}"
        environment = dict(os.environ, MINI_VMM_PASSPHRASE="not empty")
        for at in (95, 120, 203):
            image = self.tmp / f"at-{at}"
            done = vmm(BUILD / "guests" / "finish.bin", "--save", image, "--save-at", at,
                       "--key-provider", key, env=environment)
            self.assertEqual(done.status, PASS, done.text + done.errors)
            done = vmm("--restore", image, "--key-provider", key, env=environment)
            with self.subTest(at):
                self.assertEqual(done.status, PASS, done.text + done.errors)
                self.assertLessEqual(set(printed(done.text).values()), {"same", "bsr", "absent"})

    def guest(self, *code):
        """Ring 0, long mode: the device in RBX; then PASS."""
        path = self.tmp / "guest.bin"
        path.write_bytes(b"\xbb" + struct.pack("<I", DEVICE) + b"".join(code)
                         + b"\xb8" + struct.pack("<I", VERDICT_PASS) + b"\xf4")
        return path

    def test_what_cannot_be_finished_is_named(self):
        done = vmm(self.guest(b"\x0f\x58\xc1"))  # addps xmm0, xmm1
        if done.status == PASS:
            self.skipTest("hardware: this KVM executes ring 0 by a processor")
        self.assertEqual(done.status, BACKEND)
        self.assertIn("KVM cannot emulate addps xmm0, xmm1 (0f 58 c1): its operands are registers",
                      done.errors)

    def test_options_that_do_not_go_together(self):
        for other in (["--hypercalls"], ["--dma"], ["--protect", "context"], ["--vcpus", "2"],
                      ["guest.bin"]):
            with self.subTest(other):
                self.one_line_error(vmm("--finish", *other), "--finish", status=USAGE)


class Trace(Case):
    def test_where_there_is_no_kvm_a_trace_runs(self):
        done = finish(start("--finish", preexec_fn=deny_create_vm))
        self.assertEqual(done.status, PASS, done.text + done.errors)
        self.assertEqual(list(printed(done.text)), ROWS)
        self.assertEqual(set(printed(done.text).values()), {"same"})


if __name__ == "__main__":
    main()
