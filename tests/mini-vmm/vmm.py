# SPDX-License-Identifier: MIT
"""What the end-to-end tests share: running mini-vmm, taking /dev/kvm away, the closing line."""
import ctypes
import errno
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

BUILD = Path(os.environ["SVMC_BUILD"]) / "examples"
VMM = BUILD / "mini-vmm" / "mini-vmm"
TOP = Path(__file__).resolve().parents[2]
TRACE = TOP / "examples" / "mini-vmm" / "traces" / "hello.svmtrace"
LIMIT_S = 60
PAGE = 4096
KVM_CREATE_VM = 0xAE01

# The documented exit statuses: mini-vmm --help.
PASS, FAIL, USAGE, HOST_GONE, BACKEND = range(5)


def why_no_kvm():
    """None if guests run here, else the reason; only an absent device is absent hardware."""
    try:
        with open("/dev/kvm", "rb+", buffering=0) as kvm:
            os.close(fcntl.ioctl(kvm, KVM_CREATE_VM, 0))
    except OSError as e:
        absent = e.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO)
        return f"{'hardware: ' if absent else ''}/dev/kvm: {e.strerror}"
    return None


def need_kvm(test):
    reason = why_no_kvm()
    return unittest.skipIf(reason, reason or "")(test)


def start(*args, prefix=(), **kwargs):
    return subprocess.Popen([*prefix, VMM, *map(str, args)], stdout=subprocess.PIPE,
                            stdin=subprocess.DEVNULL, **{"stderr": subprocess.PIPE, **kwargs})


def finish(process, limit=LIMIT_S):
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"{process.args} hangs") from None
    process.text = out.decode(errors="replace")
    process.errors = (err or b"").decode(errors="replace")
    process.status = process.returncode
    return process


def vmm(*args, **kwargs):
    return finish(start(*args, **kwargs))


def vmm_json(*args, **kwargs):
    done = vmm("--json", *args, **kwargs)
    try:
        done.json = json.loads(done.text)
    except ValueError as e:
        raise AssertionError(f"no JSON ({e}): {done.text[:300]!r} {done.errors!r}") from None
    return done


def sealed(run):
    return [e["text"].split(" ", 3)[3] for e in run["calls"] if e["text"].startswith("seal| ")]


def count_in_dump(pid, needle):
    """How often `needle` lies in pages of the process that are there: a missing one holds nothing,
    and to read it would bring it back."""
    found = 0
    with open(f"/proc/{pid}/mem", "rb") as mem, open(f"/proc/{pid}/pagemap", "rb") as pagemap:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            first, last = (int(x, 16) for x in line.split()[0].split("-"))
            if "rw" not in line.split()[1]:
                continue
            pagemap.seek(first // PAGE * 8)
            entries = pagemap.read((last - first) // PAGE * 8)
            for n in range((last - first) // PAGE):
                if int.from_bytes(entries[n * 8:n * 8 + 8], "little") >> 62 == 0:
                    continue
                mem.seek(first + n * PAGE)
                found += mem.read(PAGE).count(needle)
    return found


class Stopped:
    """A run that is stopped, keeper and vCPU, where it has printed a line with `word`."""

    def __init__(self, *args):
        self.process = start("--quiet", *args)
        self.seen = ""

    def stop_at(self, word):
        while word not in self.seen:
            byte = os.read(self.process.stdout.fileno(), 1)
            if not byte:
                raise AssertionError(f"no {word!r}: {self.seen}")
            self.seen += byte.decode()
        limit = time.monotonic() + 60
        while not self.stops():  # a vCPU may wait in the kernel for a thread that has stopped
            assert time.monotonic() < limit
            self.go_on()
            time.sleep(0.01)

    def stops(self):
        stat = Path(f"/proc/{self.process.pid}/stat")
        os.kill(self.process.pid, signal.SIGSTOP)
        for _ in range(200):
            if stat.read_text().rsplit(")", 1)[1].split()[0] == "T":
                return True
            time.sleep(0.01)
        return False

    def go_on(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def end(self):
        self.go_on()
        return finish(self.process)


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tmp = Path(folder.name)

    def one_line_error(self, done, *words, status=USAGE):
        """Status, one clear line on standard error, nothing on standard output."""
        self.assertEqual(done.status, status, (done.text, done.errors))
        self.assertEqual(done.errors.count("\n"), 1, done.errors)
        self.assertEqual(done.text, "")
        for word in words:
            self.assertIn(word, done.errors)


class Altered:
    """Beside a Case: the records of `trace`, to be changed, and a whole trace of them, with a right
    checksum, that says something else."""
    END = 14  # docs/spec/trace.md

    def setUp(self):
        super().setUp()
        data, at, self.records = self.trace.read_bytes(), 16, []
        self.prefix = data[:16]
        while at < len(data):
            kind, length = struct.unpack_from("<HH", data, at)
            self.records.append([kind, bytearray(data[at + 4:at + 4 + length])])
            at += 4 + length
        self.assertEqual(self.records.pop()[0], self.END)

    def altered(self):
        body = bytearray(self.prefix)
        for kind, payload in self.records:
            body += struct.pack("<HH", kind, len(payload)) + payload
        body += struct.pack("<HHQ", self.END, 16, len(self.records))
        value = 0xcbf29ce484222325  # FNV-1a, docs/spec/trace.md section 1
        for byte in body:
            value = (value ^ byte) * 0x100000001b3 & (1 << 64) - 1
        file = self.tmp / "altered.svmtrace"
        file.write_bytes(body + struct.pack("<Q", value))
        return file


def deny(number, error, request=None):
    """For preexec_fn: a seccomp filter under which this system call (with this request) fails."""
    def insn(code, jt, jf, k):
        return struct.pack("HBBI", code, jt, jf, k)

    def apply():
        libc = ctypes.CDLL(None, use_errno=True)
        code = [insn(0x20, 0, 0, 0)]  # the number
        if request is None:
            code += [insn(0x15, 0, 1, number)]
        else:
            code += [insn(0x15, 0, 3, number), insn(0x20, 0, 0, 24), insn(0x15, 0, 1, request)]
        code += [insn(0x06, 0, 0, 0x00050000 | error), insn(0x06, 0, 0, 0x7fff0000)]
        buffer = ctypes.create_string_buffer(b"".join(code))
        program = struct.pack("HxxxxxxQ", len(code), ctypes.addressof(buffer))
        holder = ctypes.create_string_buffer(program, len(program))
        if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, holder, 0, 0) != 0:
            os._exit(99)

    return apply


deny_create_vm = deny(16, errno.EPERM, KVM_CREATE_VM)
NR_PIDFD_OPEN, NR_MEMFD_CREATE, NR_SECCOMP = 434, 319, 317


def main():
    """unittest, then the line that tools/test counts; a skip names its reason loudly."""
    result = unittest.main(exit=False, verbosity=2).result
    bad = len(result.failures) + len(result.errors)
    for test, reason in result.skipped:
        print(f"SKIPPED: {reason} ({test})")
    print(f"{result.testsRun - bad - len(result.skipped)} passed, {bad} failed, "
          f"{len(result.skipped)} skipped")
    sys.exit(1 if bad else 0)
