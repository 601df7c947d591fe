# SPDX-License-Identifier: MIT
"""What the tests of the tool share: running it, small disks and images, the keys that no output may
show, taken out of their files by another way than the library's."""
import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

TOOL = Path(os.environ["SVMC_BUILD"]) / "cli" / "svmcore"
TOP = Path(__file__).resolve().parents[2]
LIMIT_S = 60
GOOD, REFUSED, USAGE, SYSTEM, KEY, STOPPED = range(6)
SECTOR = 4096
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # an fsync there is for nothing
CHEAP = ("--make-key", "--key-cost", "1,8")


def start(*args, **kwargs):
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([TOOL, *map(str, args)], **{**options, **kwargs})


def tool(*args, **kwargs):
    process = start(*args, **kwargs)
    try:
        out, err = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"{process.args} hangs") from None
    process.text, process.errors = out.decode(errors="replace"), err.decode(errors="replace")
    process.status = process.returncode
    process.all = out + err
    return process


def pattern(sectors, seed=1, holes=True):
    """Sectors that differ, every fourth one zero."""
    return b"".join(bytes(SECTOR) if holes and n % 4 == 3 else
                    hashlib.shake_128(b"%d %d" % (seed, n)).digest(SECTOR) for n in range(sectors))


def provider_key(file, passphrase):
    """docs/spec/keyfile.md, KF-1 and KF-2, by libsodium."""
    sodium = ctypes.CDLL("libsodium.so.23")
    data = Path(file).read_bytes()
    word, derived = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
    passes, memory = (int.from_bytes(data[n:n + 4], "little") for n in (8, 12))
    size = ctypes.c_ulonglong
    assert sodium.crypto_pwhash(word, size(32), passphrase, size(len(passphrase)), data[16:32],
                                size(passes), ctypes.c_size_t(memory * 1024), 2) == 0
    derived = hashlib.blake2b(data[:128], key=word.raw, digest_size=64).digest()
    key = ctypes.create_string_buffer(32)
    assert sodium.crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
        key, None, data[160:192], size(32), data[192:208], data[:160], size(160), data[32:56],
        derived[:32]) == 0
    return key.raw


def vm_key(blob, provider):
    """docs/spec/keys.md, KH-2 and KH-3."""
    derived = hashlib.blake2b(b"svmcore wrap   1" + blob[:80], key=provider, digest_size=64)
    return ChaCha20Poly1305(derived.digest()[:32]).decrypt(blob[40:52], blob[112:], blob[:112])


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir=MEMORY)
        self.addCleanup(folder.cleanup)
        self.tmp = Path(folder.name)
        self.word = b"correct horse"
        (self.tmp / "word").write_bytes(self.word + b"\n")
        (self.tmp / "wrong").write_bytes(b"battery staple\n")
        self.keys = ("--key-provider", f"file:{self.tmp}/key", "--passphrase-file",
                     self.tmp / "word")

    def good(self, *args, **kwargs):
        done = tool(*args, **kwargs)
        self.assertEqual((done.status, done.errors), (GOOD, ""), done.text)
        return done

    def refused(self, status, *words, run, **kwargs):
        """Status, one clear line on standard error, nothing on standard output."""
        done = tool(*run, **kwargs)
        self.assertEqual(done.status, status, (done.text, done.errors))
        self.assertEqual(done.errors.count("\n"), 1, done.errors)
        self.assertTrue(done.errors.startswith("svmcore: "), done.errors)
        self.assertEqual(done.text, "")
        for word in words:
            self.assertIn(str(word), done.errors)
        return done

    def disk(self, name="disk", mode="authentic", sectors=16, seed=1, options=()):
        """A sealed disk, and what is on it."""
        raw = self.tmp / f"{name}.raw"
        raw.write_bytes(pattern(sectors, seed))
        journal = ("--journal", 8) if mode == "authentic" else ()
        self.good("seal", "create", "--mode", mode, "--from", raw, *journal, *self.keys, *CHEAP,
                  *options, self.tmp / name)
        return self.tmp / name, raw.read_bytes()

    def image(self, name="image", options=()):
        memory, state = self.tmp / f"{name}.memory", self.tmp / f"{name}.state"
        memory.write_bytes(pattern(40))
        state.write_bytes(b"a device's state")
        self.good("seal", "create", "--section", f"memory:0@0x1000={memory}", "--section",
                  f"device:7={state}", "--section", f"0x1234:1={state}", *self.keys, *CHEAP,
                  *options, self.tmp / name)
        return self.tmp / name, memory.read_bytes()

    def content(self, file, keys=None):
        """What is on a sealed disk now."""
        out = self.tmp / "content"
        out.unlink(missing_ok=True)
        self.good("seal", "convert", "--to", "raw", *(keys or self.keys), file, out)
        return out.read_bytes()

    def copy(self, file, name, data=None):
        """The file under another name, with its key; data: what it has instead."""
        to = self.tmp / name
        to.write_bytes(file.read_bytes() if data is None else data)
        shutil.copy(f"{file}.vmkey", f"{to}.vmkey")
        return to

    def litter(self):
        return sorted(p.name for p in self.tmp.iterdir())


def main():
    """unittest, then the line that tools/test counts; a skip names its reason loudly."""
    result = unittest.main(exit=False, verbosity=2).result
    bad = len(result.failures) + len(result.errors)
    for test, reason in result.skipped:
        print(f"SKIPPED: {reason} ({test})")
    print(f"{result.testsRun - bad - len(result.skipped)} passed, {bad} failed, "
          f"{len(result.skipped)} skipped")
    sys.exit(1 if bad else 0)
