#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hypercalls that mini-vmm's keeper answers itself: both ABIs, from ring 0 and ring 3, a guest that
abuses them, the recorded run, and that the host hears nothing of them."""
import struct

from vmm import (Altered, BACKEND, BUILD, Case, FAIL, PASS, TOP, deny_create_vm, main, need_kvm,
                 vmm, vmm_json)

CALLS = BUILD / "guests" / "calls.bin"
HELLO = BUILD / "guests" / "hello.bin"
TRACE = TOP / "examples" / "mini-vmm" / "traces" / "calls.svmtrace"
VALUE = "a-value-that-only-the-guest-may-see"
CALL, STORE, TRAP, ANSWER, MEMORY, WRITTEN = 5, 15, 16, 17, 18, 19  # docs/spec/trace.md

# An image of raw bytes: mov eax, imm32 and so on, without a C compiler between it and KVM.
MAGIC = b"\xb8\x68\x58\x4d\x56"  # mov eax, 564d5868h: open-vm-tools, backdoor_def.h, BDOOR_MAGIC
PASSED = b"\xb8PASS\xf4"  # mov eax, "PASS"; hlt


def mov(register, value):
    return bytes([0xb8 + register]) + struct.pack("<I", value & 0xffffffff)


EAX, ECX, EDX, EBX, ESI, EDI = 0, 1, 2, 3, 6, 7


def unless_equal(register, value):
    """cmp register, value; je over; mov eax, 0x41; hlt: the guest fails."""
    return bytes([0x81, 0xf8 + register]) + struct.pack("<I", value) + b"\x74\x06" + \
        mov(EAX, 0x41) + b"\xf4"


def lines(run, start="call|"):
    return [(e["vcpu"], e["text"].split(" ", 3)[3], e["count"]) for e in run["calls"]
            if e["text"].startswith(start)]


def failed(run):
    """Why, and which checks the guest itself says have failed."""
    return (run["why"], [e["text"] for e in run["calls"] if " FAIL " in e["text"]])


@need_kvm
class Calls(Case):
    def test_both_abis_from_both_rings(self):
        done = vmm_json("--guestinfo", f"hello={VALUE}")
        self.assertEqual((done.status, done.json["verdict"]), (PASS, "PASS"), done.json["why"])
        texts = [text for _, text, _ in lines(done.json)]
        for ring in ("ring 0", "ring 3"):
            mine = [text for text in texts if text.startswith(ring)]
            # QEMU's hw/i386/vmport.c answers version 6 and the magic, too
            self.assertIn(f"{ring} vmware GETVERSION 10 -> eax=6 ebx=564d5868 ecx=4", mine)
            self.assertIn(f"{ring} vmware GETMEMSIZE 20 -> eax=2", mine)
            self.assertIn(f"{ring} vmware command 99 -> unknown", mine)
            self.assertIn(f"{ring} native 1:0 version -> OK 1 10001", mine)
            self.assertIn(f"{ring} native 1:10 info -> OK {len(VALUE):x}", mine)
            self.assertIn(f"{ring} native 1:9 copy -> OK 14", mine)
            for step in ("open", "send size", "thanks", "close"):
                self.assertTrue(any(f"message: {step} -> success" in text for text in mine), step)
            whole = f"receive {len(VALUE) + 2} bytes at once"
            self.assertIn(f"{ring} vmware message: {whole} -> success", mine)
        self.assertIn("ring 3 native 1:12 lock -> DENIED", texts)
        self.assertIn("ring 0 native 1:12 lock -> OK", texts)
        said = [e["text"] for e in done.json["calls"] if e["text"].startswith("said|")]
        for ring in (0, 3):
            self.assertIn(f"said| cpu 0 ring {ring}: guestinfo.hello is {VALUE}", said)

    def test_the_store_at_the_end(self):
        done = vmm_json("--guestinfo", "hello=x", "--guestinfo", "a=", "--guestinfo", "b=c=d")
        info = {e["key"]: (e["value"], e["by_guest"]) for e in done.json["guestinfo"]}
        self.assertEqual(info, {"hello": ("x", False), "a": ("", False), "b": ("c=d", False),
                                "seen.0.0": ("by the guest", True),
                                "seen.0.3": ("by the guest", True)})

    def test_a_line_a_call_that_fits_a_terminal(self):
        done = vmm("--guestinfo", "hello=" + "w" * 500)
        self.assertEqual(done.status, PASS, done.text[-300:])
        calls = [line for line in done.text.splitlines() if line.startswith(("call|", "said|"))]
        self.assertGreater(len(calls), 50)
        for line in done.text.splitlines():
            self.assertLessEqual(len(line), 100, line)
        quiet = vmm("--hypercalls", "--quiet").text
        self.assertNotIn("call|", quiet)
        self.assertRegex(quiet, r"\n\d+ hypercalls answered by the keeper; the host ")

    def test_every_vcpu(self):
        for count in (2, 4):
            done = vmm_json("--vcpus", count, "--guestinfo", "hello=all")
            self.assertEqual(done.status, PASS, done.json["why"])
            keys = {e["key"] for e in done.json["guestinfo"]}
            self.assertEqual(keys, {"hello", *(f"seen.{n}.{ring}" for n in range(count)
                                               for ring in (0, 3))})

    def test_the_port_is_where_cpuid_says(self):
        done = vmm_json("--native-port", "7000")
        self.assertEqual(done.status, PASS, done.json["why"])
        self.assertTrue(any("native" in text for _, text, _ in lines(done.json)))

    def test_other_forms_of_the_host_change_nothing(self):
        for form in ("kvm_run", "ghcb", "tdx"):
            self.assertEqual(vmm("--hypercalls", "--quiet", "--host-format", form).status, PASS)


@need_kvm
class HostLearnsNothing(Case):
    def test_no_page_depends_on_a_call(self):
        pages = []
        for value in ("one", VALUE, "w" * 400):
            file = self.tmp / f"{len(value)}.pages"
            done = vmm("--seed", "7", "--noise", "8", "--guestinfo", f"hello={value}",
                       "--dump-pages", file, "--quiet")
            self.assertEqual(done.status, PASS, done.text)
            pages.append(file.read_bytes())
            self.assertNotIn(value.encode(), pages[-1])
        self.assertGreater(len(pages[0]), 4096)
        self.assertEqual(pages[0], pages[1])
        self.assertEqual(pages[0], pages[2])

    def test_the_exits_that_it_serves_are_the_console_and_the_end(self):
        done = vmm_json("--hypercalls")
        asked = {(e["kind"], e["address"]) for e in done.json["exits"] if e["pages"] > 0}
        self.assertEqual(asked, {("out", "0x3f8"), ("hlt", "0x0")})
        ports = {e["address"] for e in done.json["exits"]}
        self.assertFalse({"0x5658", "0x5659", "0x565d"} & ports)
        self.assertGreater(done.json["calls_total"], 200)

    def test_the_doorbell_of_the_host_goes_on(self):
        plain = vmm_json(HELLO)
        done = vmm_json("--hypercalls", HELLO)
        self.assertEqual(done.status, PASS, done.json["why"])
        for run in (plain, done):
            calls = [e["address"] for e in run.json["exits"] if e["kind"] == "hypercall"]
            self.assertEqual(set(calls), {"0x1", "0x2", "0x3", "0x4", "0x565c"})
        self.assertEqual(done.json["calls_total"], 0)
        self.assertEqual(vmm("--hypercalls", "--evil", "--quiet", HELLO).status, PASS)
        self.assertEqual(vmm("--hypercalls", "--scan", "--quiet", HELLO).status, PASS)


@need_kvm
class Off(Case):
    """Without the options there is nothing."""

    def test_nobody_announces_anything(self):
        done = vmm_json(CALLS)
        self.assertEqual((done.status, done.json["console"]),
                         (PASS, "nobody announces hypercalls here\nPASS: cpu 0\n"))
        self.assertNotIn("calls", done.json)
        self.assertNotIn("guestinfo", done.json)

    def test_the_port_is_no_device(self):
        image = self.tmp / "backdoor.bin"
        image.write_bytes(MAGIC + mov(ECX, 10) + mov(EDX, 0x5658) + b"\xed" + PASSED)
        done = vmm(image)
        self.assertEqual(done.status, FAIL)
        self.assertIn("the policy refuses this access: in 0x5658", done.text)
        self.assertEqual(vmm("--hypercalls", image).status, PASS)


@need_kvm
class Registers(Case):
    """Raw instructions: which registers a call changes, and which it leaves."""

    def run_bytes(self, code, *options):
        image = self.tmp / "raw.bin"
        image.write_bytes(code)
        return vmm_json("--hypercalls", *options, image)

    def test_get_version(self):
        # rsi, rdi and the upper half of rax are noise from the start
        code = MAGIC + mov(EBX, 0) + mov(ECX, 10) + mov(EDX, 0xabcd5658) + mov(ESI, 0x11111111)
        code += mov(EDI, 0x22222222) + b"\xed"
        for register, value in ((EAX, 6), (EBX, 0x564d5868), (ECX, 4), (EDX, 0xabcd5658),
                                (ESI, 0x11111111), (EDI, 0x22222222)):
            code += unless_equal(register, value)
        done = self.run_bytes(code + PASSED)
        self.assertEqual(done.status, PASS, done.json["why"])

    def test_an_unknown_command(self):
        code = MAGIC + mov(EBX, 5) + mov(ECX, 0x77) + mov(EDX, 0x5658) + b"\xed"
        for register, value in ((EAX, 0xffffffff), (EBX, 5), (ECX, 0x77)):
            code += unless_equal(register, value)
        self.assertEqual(self.run_bytes(code + PASSED).status, PASS)

    def test_by_out_as_well(self):
        code = MAGIC + mov(ECX, 10) + mov(EDX, 0x5658) + b"\xef" + unless_equal(EAX, 6)
        self.assertEqual(self.run_bytes(code + PASSED).status, PASS)

    def test_the_upper_half_of_rax(self):
        code = b"\x48\xb8" + struct.pack("<Q", 0xdeadbeef564d5868) + mov(ECX, 10)
        code += mov(EDX, 0x5658) + b"\xed"
        code += b"\x48\x83\xf8\x06\x74\x06" + mov(EAX, 0x41) + b"\xf4"  # cmp rax, 6; je over
        self.assertEqual(self.run_bytes(code + PASSED).status, PASS)

    def test_what_is_no_call_is_an_empty_bus(self):
        for port in (0x5658, 0x5659, 0x565d):
            for opcode, seen in ((b"\xed", 0xffffffff), (b"\x66\xed", 0x4d5effff),
                                 (b"\xec", 0x4d5e3fff)):
                code = mov(EAX, 0x4d5e3f70) + mov(EDX, port) + opcode + unless_equal(EAX, seen)
                done = self.run_bytes(code + PASSED)
                self.assertEqual(done.status, PASS, (port, opcode, done.json["why"]))
                self.assertEqual(done.json["calls_total"], 0)

    def test_a_byte_in_with_the_magic_is_no_call(self):
        code = MAGIC + mov(ECX, 10) + mov(EDX, 0x5658) + b"\xec" + unless_equal(EAX, 0x564d58ff)
        done = self.run_bytes(code + PASSED)
        self.assertEqual((done.status, done.json["calls_total"]), (PASS, 0))


@need_kvm
class Hostile(Case):
    """guestinfo.mode=hostile: examples/guests/abuse.c says what all is tried."""

    def test_alone(self):
        done = vmm_json("--guestinfo", "mode=hostile")
        self.assertEqual(done.status, PASS, failed(done.json))
        texts = {text for _, text, _ in lines(done.json)}
        for ring in ("ring 0", "ring 3"):
            for what in ("native 1:11 say -> FAULT, argument 1",
                         "native 1:9 copy -> FAULT, argument 3",
                         "native 1:9 copy -> BAD_ARG, argument 4",
                         "native of another version -> VERSION",
                         "vmware message: send size -> refused"):
                self.assertIn(f"{ring} {what}", texts)
        # the flood's channels are taken back after five seconds: a request goes through again
        self.assertTrue(any("info-set guestinfo.hello: not permitted" in e["text"]
                            for e in done.json["calls"]))

    def test_the_other_vcpu_goes_on(self):
        for count in (2, 4):
            done = vmm_json("--guestinfo", "mode=hostile", "--guestinfo", "hello=still-here",
                            "--vcpus", count)
            self.assertEqual(done.status, PASS, failed(done.json))
            said = [e for e in done.json["calls"]
                    if e["text"] == "said| cpu 0 ring 3: guestinfo.hello is still-here"]
            self.assertGreaterEqual(len(said), 1)
            self.assertFalse([e["text"] for e in done.json["calls"] if "FAIL" in e["text"]])

    def test_a_flood_ends_in_counts(self):
        # GETVERSION and GETMEMSIZE in turns: no two lines alike; 1: in; dec edi; jnz 1b
        loop = b"".join(MAGIC + mov(ECX, command) + b"\xed" for command in (10, 20)) + b"\xff\xcf"
        loop += b"\x75" + struct.pack("b", -(len(loop) + 2))
        image = self.tmp / "flood.bin"
        image.write_bytes(mov(EDX, 0x5658) + mov(EDI, 4000) + loop + PASSED)
        done = vmm_json("--hypercalls", image)
        self.assertEqual(done.status, PASS, done.json["why"])
        self.assertEqual(done.json["calls_total"], 8000)
        self.assertEqual(len(done.json["calls"]) + done.json["calls_unlisted"], 8000)
        self.assertLessEqual(len(done.json["calls"]), 4000)

    def test_a_store_that_is_full(self):
        options = [part for n in range(32) for part in ("--guestinfo", f"k{n}=v")]
        self.assertEqual(vmm("--quiet", *options).status, PASS)


class Replay(Altered, Case):
    """The recorded run: the exit glue without KVM, and with records that were changed."""

    trace = TRACE

    def replay(self, *options):
        return vmm("--replay", self.altered(), *(options or ("--quiet",)))

    def nth(self, kind, n=0):
        return [at for at, record in enumerate(self.records) if record[0] == kind][n]

    def test_shipped_trace_is_equal(self):
        done = vmm_json("--replay", TRACE)
        self.assertEqual((done.status, done.json["verdict"]), (PASS, "PASS"), done.errors)
        self.assertGreater(done.json["calls_total"], 200)
        texts = [text for _, text, _ in lines(done.json)]
        self.assertIn("ring 3 native 1:12 lock -> DENIED", texts)
        self.assertEqual(self.replay().status, PASS)

    def test_every_record_of_a_call_counts(self):  # TR-5 TR-7
        for kind in (TRAP, ANSWER, WRITTEN):
            for n in (0, -1):
                at = self.nth(kind, n)
                self.records[at][1][-1] ^= 1
                done = self.replay()
                self.assertEqual(done.status, FAIL, (kind, done.text))
                self.assertIn(f"record {at + 1}", done.text)
                self.records[at][1][-1] ^= 1

    def test_memory_that_was_other(self):
        at = self.nth(MEMORY)
        self.records[at][1][-1] ^= 1
        self.assertEqual(self.replay().status, FAIL)

    def test_memory_of_another_place_or_length(self):  # TR-6
        at = self.nth(MEMORY)
        keep = bytes(self.records[at][1])
        for bad in (keep[:-1], keep + b"x", b"", keep[:7], b"\xff" + keep[1:]):
            self.records[at][1] = bytearray(bad)
            self.assertEqual(self.replay().status, FAIL, bad[:8])

    def test_a_store_that_cannot_be(self):  # TR-6
        at = self.nth(STORE)
        keep = bytes(self.records[at][1])
        for bad in (b"", keep[:9], keep[:-1], keep + b"xxxx", keep[:10] + b"\xff\xff" + keep[12:],
                    keep[:12] + b"\xff\xff" + keep[14:], b"\x58\x56" + keep[2:],
                    keep[:10] + b"\0\0\0\0" + keep[10:]):
            self.records[at][1] = bytearray(bad)
            self.assertEqual(self.replay().status, FAIL, bad[:16])

    def test_another_value_in_the_store(self):
        at = self.nth(STORE)
        self.assertIn(b"helloworld", bytes(self.records[at][1]))
        self.records[at][1] = bytearray(bytes(self.records[at][1]).replace(b"world", b"wurst"))
        self.assertEqual(self.replay().status, FAIL)

    def test_a_caller_that_cannot_be(self):
        """The first record of a call's mode: isa, cpl, iopl, DF."""
        at = next(n for n, (kind, payload) in enumerate(self.records)
                  if kind == CALL and payload[0] == 3)
        keep = bytes(self.records[at][1])
        for index in range(4, 8):
            for value in (2, 9, 0xff):
                if keep[index] != value:
                    self.records[at][1] = bytearray(keep)
                    self.records[at][1][index] = value
                    done = self.replay()
                    self.assertNotEqual(done.status, PASS if index < 6 else -1, (index, value))


class Fallback(Case):
    """Where /dev/kvm cannot be used."""

    def test_the_recorded_run(self):
        done = vmm("--hypercalls", preexec_fn=deny_create_vm)
        self.assertEqual(done.status, PASS, done.text + done.errors)
        head = "\n".join(done.text.splitlines()[:2])
        self.assertIn("calls.svmtrace", head)
        self.assertIn("call| cpu 0 ring 3 native 1:12 lock -> DENIED", done.text)

    def test_what_only_a_live_guest_can_do(self):
        for args in (["--guestinfo", "a=b"], ["--native-port", "7000"],
                     ["--hypercalls", "--vcpus", "2"]):
            done = vmm(*args, preexec_fn=deny_create_vm)
            self.one_line_error(done, "needs /dev/kvm", status=BACKEND)


class Usage(Case):
    def test_errors_are_one_line(self):
        for info in ("", "=", "=x", "key", "k" * 65 + "=v", "k=" + "v" * 513, "a b=c"):
            self.one_line_error(vmm("--guestinfo", info), "KEY=VALUE")
        many = [part for n in range(33) for part in ("--guestinfo", f"k{n}=v")]
        self.one_line_error(vmm(*many), "32 times")
        for port in ("", "x", "3f8", "5655", "5658", "565c", "fffd", "10000"):
            self.one_line_error(vmm("--native-port", port), "not a port")
        for more in (["--hypercalls"], ["--guestinfo", "a=b"], ["--native-port", "7000"]):
            self.one_line_error(vmm("--replay", TRACE, *more), "--replay")
        self.one_line_error(vmm("--hypercalls", "--vcpus", 2, "--record", self.tmp / "x"),
                            "--record")
        self.one_line_error(vmm("--hypercalls", "--evil"), "--evil")
        self.assertFalse((self.tmp / "x").exists())

    def test_help(self):
        text = vmm("--help").text
        for word in ("--hypercalls", "--guestinfo KEY=VALUE", "--native-port"):
            self.assertIn(word, text)


@need_kvm
class Record(Case):
    def test_what_was_recorded_replays(self):
        for options in (["--hypercalls"], ["--guestinfo", "mode=hostile"]):
            file = self.tmp / "calls.svmtrace"
            live, again = vmm_json(*options, "--record", file), vmm_json("--replay", file)
            self.assertEqual((live.status, again.status), (PASS, PASS),
                             failed(again.json))
            self.assertEqual(live.json["calls"], again.json["calls"])
            self.assertEqual(live.json["guestinfo"], again.json["guestinfo"])
            self.assertEqual(live.json["console"], again.json["console"])


main()
