#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""svmcore seal: every command, every refusal by its message, hostile files, and a process that is
killed at each call that changes files: there is the old file or the new one, and its key."""
import hashlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import tempfile
import time

from svmcore import (Case, CHEAP, GOOD, KEY, LIMIT_S, REFUSED, SECTOR, SYSTEM, TOOL, TOP, USAGE,
                     main, pattern, provider_key, start, tool, vm_key)

HEADER_DISK, HEADER_IMAGE = 112, 192  # bytes that say something; docs/spec/disk.md, image.md
EPOCH_AT, SECTORS_OF_METADATA = 72, 1 + 2 + 2 + 8 + 2


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


class Commands(Case):
    def test_help_of_each_command(self):
        for command in ("create", "inspect", "verify", "rekey", "convert", "passphrase"):
            self.assertIn(f"usage: svmcore seal {command}",
                          self.good("seal", command, "--help").text)
        self.assertIn("Exit status", self.good("seal", "--help").text)
        self.assertRegex(self.good("--version").text, r"^svmcore \d+\.\d+\.\d+\n$")

    def test_a_disk_has_what_the_raw_file_had(self):
        for mode in ("authentic", "length"):
            with self.subTest(mode):
                file, raw = self.disk(mode, mode)
                self.assertNotIn(raw[:64], file.read_bytes())
                self.good("seal", "verify", *self.keys, file)
                self.assertEqual(self.content(file), raw)
                self.assertEqual(file.stat().st_mode & 0o777, 0o600)

    def test_an_empty_disk_reads_as_zeros(self):
        file = self.tmp / "empty"
        self.good("seal", "create", "--mode", "authentic", "--size", "1M", *self.keys, *CHEAP, file)
        self.assertEqual(self.content(file), bytes(1 << 20))

    def test_odd_sectors_of_512_bytes(self):
        raw = self.tmp / "raw"
        raw.write_bytes(pattern(2)[:512 * 9])
        self.good("seal", "create", "--mode", "length", "--from", raw, *self.keys, *CHEAP,
                  self.tmp / "disk")
        self.assertEqual(self.content(self.tmp / "disk"), raw.read_bytes())

    def test_every_cipher(self):
        for name in ("chacha20-poly1305", "xchacha20-poly1305", "aes-256-gcm"):
            file, raw = self.disk(name, options=("--cipher", name))
            shown = json.loads(self.good("seal", "inspect", "--json", file).text)[0]
            self.assertEqual(shown["cipher"].lower(), name)
            self.assertEqual(self.content(file), raw)

    def number(self, file):
        return json.loads(self.good("seal", "inspect", "--json", file).text)[0]["number"]

    def test_a_disk_keeps_its_number(self):
        file, raw = self.disk("disk", "length", options=("--number", 7))
        self.assertEqual(self.number(file), 7)
        self.good("seal", "convert", "--to", "authentic", *self.keys, file)
        self.good("seal", "rekey", "--new-vm-key", *self.keys, file)
        self.assertEqual((self.number(file), self.content(file)), (7, raw))
        self.good("seal", "convert", "--to", "length", "--number", 8, *self.keys, file)
        self.assertEqual((self.number(file), self.content(file)), (8, raw))

    def test_convert_in_place_and_beside(self):
        file, raw = self.disk("disk", "length")
        vmkey = self.tmp / "disk.vmkey"
        self.good("seal", "convert", "--to", "authentic", *self.keys, file)
        self.good("seal", "convert", "--to", "length", *self.keys, file, self.tmp / "beside")
        self.assertEqual((self.content(file), self.content(self.tmp / "beside")), (raw, raw))
        self.good("seal", "convert", "--to", "raw", *self.keys, file)
        self.assertEqual((file.read_bytes(), vmkey.exists()), (raw, False))
        self.good("seal", "convert", "--to", "authentic", *self.keys, file)
        self.assertEqual(self.content(file), raw)

    def test_rekey_wraps_anew_and_seals_anew(self):
        file, raw = self.disk()
        for options, same_file, same_key in (((), True, True), (("--new-epoch",), False, True),
                                             (("--new-vm-key",), False, False)):
            with self.subTest(options):
                before, blob = file.read_bytes(), (self.tmp / "disk.vmkey").read_bytes()
                self.good("seal", "rekey", *options, *self.keys, file)
                after = (self.tmp / "disk.vmkey").read_bytes()
                provider = provider_key(self.tmp / "key", self.word)
                self.assertEqual(file.read_bytes() == before, same_file)
                self.assertNotEqual(after, blob)
                self.assertEqual(vm_key(after, provider) == vm_key(blob, provider), same_key)
                self.assertEqual(self.content(file), raw)

    def test_rekey_to_another_provider(self):
        for name, (file, options) in {"wrap": (self.disk()[0], ()),
                                      "seal": (self.image()[0], ("--new-vm-key",))}.items():
            with self.subTest(name):
                other = ("--key-provider", f"file:{self.tmp}/key-{name}", "--passphrase-file",
                         self.tmp / "wrong")
                self.good("seal", "rekey", *options, *self.keys, "--new-key-provider", other[1],
                          "--new-passphrase-file", other[3], *CHEAP, file)
                self.good("seal", "verify", *other, file)
                self.refused(KEY, f"{file}.vmkey", "another key",
                             run=("seal", "verify", *self.keys, file))

    def test_an_image_has_its_sections(self):
        file, memory = self.image(options=("--generation", 5))
        self.assertLess(file.stat().st_size, len(memory))  # zero pages take no room
        for _ in range(2):
            self.assertIn("generation 5", self.good("seal", "verify", *self.keys, file).text)
            out = self.tmp / "out"
            self.good("seal", "convert", "--to", "raw", *self.keys, file, out)
            self.assertEqual({p.name: p.read_bytes() for p in out.iterdir()},
                             {"memory-0": memory, "device-7": b"a device's state",
                              "0x1234-1": b"a device's state"})
            for part in out.iterdir():
                part.unlink()
            out.rmdir()
            self.good("seal", "rekey", "--new-vm-key", *self.keys, file)

    def test_inspect_says_all_but_secrets(self):
        file, raw = self.disk()
        image, _ = self.image()
        files = (file, image, f"{file}.vmkey", self.tmp / "key")
        shown = json.loads(self.good("seal", "inspect", "--json", *files).text)
        self.assertEqual([f["kind"] for f in shown],
                         ["sealed disk", "sealed image", "wrapped VM key", "key file"])
        data = file.read_bytes()
        self.assertEqual((shown[0]["vm"], shown[0]["epoch"]),
                         (data[24:40].hex(), data[EPOCH_AT:EPOCH_AT + 16].hex()))
        self.assertEqual((shown[0]["mode"], shown[0]["sectors"], shown[0]["complete"]),
                         ("authentic", 16, "yes"))
        self.assertGreater(shown[0]["generation"], 1)
        provider = provider_key(self.tmp / "key", self.word)
        secrets = [provider, self.word, vm_key((self.tmp / "disk.vmkey").read_bytes(), provider),
                   raw[:32]]
        for options in ((), ("--json",)):
            done = self.good("seal", "inspect", *options, *files)
            for secret in secrets:
                self.assertNotIn(secret, done.all)
                self.assertNotIn(secret.hex().encode(), done.all.lower())

    def passphrase(self, *options, old="word", new="wrong"):
        return ("seal", "passphrase", "--passphrase-file", self.tmp / old,
                "--new-passphrase-file", self.tmp / new, *options, self.tmp / "key")

    def test_another_passphrase_for_the_same_key(self):
        file, raw = self.disk()
        before, secret = (self.tmp / "key").read_bytes(), provider_key(self.tmp / "key", self.word)
        self.good(*self.passphrase())
        after = (self.tmp / "key").read_bytes()
        self.assertEqual(after[:16] + after[56:128], before[:16] + before[56:128])  # cost, name
        for at, n in ((16, 16), (32, 24), (128, 32), (160, 32)):  # salt, nonce, what they make
            self.assertNotEqual(after[at:at + n], before[at:at + n])
        other = (*self.keys[:3], self.tmp / "wrong")
        self.assertEqual(provider_key(self.tmp / "key", b"battery staple"), secret)
        self.assertEqual(self.content(file, other), raw)
        self.refused(KEY, "another passphrase", run=("seal", "verify", *self.keys, file))
        self.refused(KEY, "another passphrase", run=self.passphrase())
        self.assertEqual((self.tmp / "key").read_bytes(), after)
        (self.tmp / "both").write_bytes(b"battery staple\ncorrect horse\n")
        with open(self.tmp / "both", "rb") as both:
            self.good("seal", "passphrase", "--passphrase-file", "-", "--new-passphrase-file", "-",
                      "--key-cost", "2,16", self.tmp / "key", stdin=both)
        shown = json.loads(self.good("seal", "inspect", "--json", self.tmp / "key").text)[0]
        self.assertEqual((shown["passes"], shown["memory-kib"]), (2, 16))
        self.assertEqual(self.content(file), raw)

    def test_passphrases_that_are_not_changed(self):
        self.disk()
        data, before = (self.tmp / "key").read_bytes(), self.litter()
        (self.tmp / "empty").write_bytes(b"\n")
        (self.tmp / "no-key").write_bytes(data[:-1])
        for status, words, run in (
                (USAGE, ("KEYFILE is missing",), ("seal", "passphrase")),
                (USAGE, ("x", "too many"), (*self.passphrase(), "x")),
                (USAGE, ("not possible",), self.passphrase("--key-cost", "65,8")),
                (USAGE, ("--key-cost",), self.passphrase("--key-cost", "1,2097152")),
                (KEY, ("empty", "no passphrase"), self.passphrase(new="empty")),
                (KEY, ("no-key", "is cut"), (*self.passphrase()[:-1], self.tmp / "no-key")),
                (KEY, ("disk", "longer"), (*self.passphrase()[:-1], self.tmp / "disk")),
                (SYSTEM, ("nothing", "No such file"), self.passphrase(old="nothing")),
                (SYSTEM, ("nothing", "No such file"), self.passphrase(new="nothing")),
                (SYSTEM, ("gone", "No such file"), (*self.passphrase()[:-1], self.tmp / "gone"))):
            with self.subTest(words):
                self.refused(status, *words, run=run)
                self.assertEqual((self.tmp / "key").read_bytes(), data)
        for name in ("empty", "no-key"):
            (self.tmp / name).unlink()
        self.assertEqual(self.litter(), before)

    def test_an_anchor_refuses_an_older_disk(self):
        anchor = ("--anchor", self.tmp / "anchor")
        file, raw = self.disk(options=anchor)
        old = file.read_bytes()
        self.good("seal", "verify", *self.keys, *anchor, file)
        self.good("seal", "rekey", "--new-epoch", *self.keys, *anchor, file)
        self.good("seal", "verify", *self.keys, *anchor, file)
        file.write_bytes(old)
        self.good("seal", "verify", *self.keys, file)
        self.refused(REFUSED, file, "not the state that the anchor names",
                     run=("seal", "verify", *self.keys, *anchor, file))

    def test_a_terminal_is_asked_without_echo(self):
        file, _ = self.disk()
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(TOOL, [TOOL, "seal", "verify", *self.keys[:2], str(file)])
        shown = b""
        while b": " not in shown:
            shown += os.read(terminal, 1000)
        os.write(terminal, self.word + b"\n")
        try:
            while more := os.read(terminal, 1000):
                shown += more
        except OSError:
            pass  # it has ended
        os.close(terminal)
        self.assertEqual(os.waitpid(pid, 0)[1], 0, shown)
        self.assertIn(b"genuine", shown)
        self.assertNotIn(self.word, shown)


class Refusals(Case):
    def test_usage(self):
        for run, words in (
                (("seal", "melt"), ("melt", "no command")),
                (("freeze",), ("freeze", "no subcommand")),
                (("seal", "verify"), ("FILE is missing",)),
                (("seal", "verify", "x"), ("--key-provider is missing",)),
                (("seal", "verify", "--melt", "x"), ("--melt", "is no option")),
                (("seal", "verify", "--mode", "length", "x"), ("does not take",)),
                (("seal", "convert", "x"), ("--to is missing",)),
                (("seal", "convert", "--to", "soup", "x"), ("soup", "--to wants")),
                (("seal", "create", "x"), ("--mode is missing",)),
                (("seal", "create", "--mode", "length", "x"), ("--from", "--size")),
                (("seal", "create", "--mode", "length", "--size", "1Q", "x"), ("1Q",)),
                (("seal", "create", "--mode", "length", "--size", "-1", "x"), ("-1",)),
                (("seal", "create", "--mode", "authentic", "--size", "5000", "x"),
                 ("multiple of 4096",)),
                (("seal", "create", "--section", "memory:0=x", "x"), ("--section wants",)),
                (("seal", "create", "--vm", "12", "x"), ("32 hexadecimal",)),
                (("seal", "create", "--cipher", "rot13", "x"), ("rot13",)),
                (("seal", "rekey", "x", "y"), ("y", "too many"))):
            with self.subTest(run):
                self.refused(USAGE, *words, run=run, cwd=self.tmp)
        for uri in ("soup", "file:", "kmip://host", "kmip://h/1?cert=a&key=b",
                    "kmip://h/1?cert=a&key=b&ca=c&x=y", "kmip:///1?cert=a&key=b&ca=c"):
            with self.subTest(uri):
                self.disk("disk", options=("--force",))
                self.refused(USAGE, "--key-provider",
                             run=("seal", "verify", "--key-provider", uri, self.tmp / "disk"))

    def test_what_is_there_is_not_replaced(self):
        file, raw = self.disk()
        again = ("seal", "create", "--mode", "length", "--size", "1M", *self.keys)
        self.refused(USAGE, file, "there already", run=(*again, file))
        (self.tmp / "other.vmkey").write_bytes(b"dear")
        self.refused(USAGE, "other.vmkey", "there already", run=(*again, self.tmp / "other"))
        self.assertEqual(self.content(file), raw)
        self.good(*again, "--force", file)

    def test_keys_that_are_none(self):
        file, _ = self.disk()
        verify = ("seal", "verify", "--key-provider")
        provider, word = self.keys[1], ("--passphrase-file", self.tmp / "word")
        self.refused(KEY, "key: another passphrase", run=(*verify, provider, "--passphrase-file",
                                                          self.tmp / "wrong", file))
        self.refused(SYSTEM, "nothing", run=(*verify, f"file:{self.tmp}/nothing", *word, file))
        self.refused(KEY, "word: is no key file", run=(*verify, f"file:{self.tmp}/word", *word,
                                                       file))
        empty = self.tmp / "empty"
        empty.write_bytes(b"\n")
        self.refused(KEY, empty, "no passphrase",
                     run=(*verify, provider, "--passphrase-file", empty, file))
        self.refused(KEY, "no terminal", run=(*verify, provider, file), start_new_session=True)
        data = (self.tmp / "key").read_bytes()
        for at in range(len(data)):
            (self.tmp / "key").write_bytes(flipped(data, at))
            if at % 8 == 0 or at < 16:
                self.refused(KEY, "key", run=(*verify, provider, *word, file))
        (self.tmp / "key").write_bytes(data)
        self.good(*verify, provider, *word, file)

    def test_wrapped_keys_that_do_not_fit(self):
        file, _ = self.disk()
        other, _ = self.disk("other", seed=2)
        vmkey, blob = self.tmp / "disk.vmkey", (self.tmp / "disk.vmkey").read_bytes()
        verify = ("seal", "verify", *self.keys, file)
        for data, word in (((self.tmp / "other.vmkey").read_bytes(), "another VM"),
                           (blob[:-1], "is cut"), (b"", "is cut"), (blob * 4, "longer"),
                           (bytes(160), "no wrapped VM key"), (flipped(blob, 4), "version"),
                           (flipped(blob, 150), "was changed"), (flipped(blob, 90), "another key")):
            with self.subTest(word):
                vmkey.write_bytes(data)
                self.refused(KEY, vmkey, word, run=verify)
        for at in range(0, len(blob), 5):
            vmkey.write_bytes(flipped(blob, at))
            self.refused(KEY, vmkey, run=verify)
        vmkey.unlink()
        self.refused(SYSTEM, vmkey, "No such file", run=verify)
        vmkey.write_bytes(flipped(blob, 150) + blob)  # a change that was cut off: one of them fits
        self.assertIn("genuine", tool(*verify).text)

    def test_a_key_of_the_same_vm_that_is_not_the_files(self):
        name = ("--vm", "00112233445566778899aabbccddeeff")
        file, _ = self.disk(options=name)
        self.disk("other", seed=2, options=name)
        (self.tmp / "disk.vmkey").write_bytes((self.tmp / "other.vmkey").read_bytes())
        self.refused(REFUSED, file, "another VM key than the one in",
                     run=("seal", "verify", *self.keys, file))

    def test_no_room_leaves_all_as_it_was(self):
        file, _ = self.disk()
        vmkey = self.tmp / "disk.vmkey"
        before, data = self.litter(), (file.read_bytes(), vmkey.read_bytes())
        limit = "ulimit -f 20; trap '' XFSZ; exec \"$@\""
        for run in (("convert", "--to", "raw", *self.keys, file, self.tmp / "out"),
                    ("convert", "--to", "raw", *self.keys, file),
                    ("convert", "--to", "length", *self.keys, file),
                    ("rekey", "--new-vm-key", *self.keys, file)):
            with self.subTest(run[:3]):
                done = subprocess.run(["sh", "-c", limit, "sh", TOOL, "seal", *map(str, run)],
                                      capture_output=True, timeout=LIMIT_S)
                self.assertEqual(done.returncode, SYSTEM, done.stderr)
                self.assertIn(b": File too large", done.stderr)
                self.assertEqual((self.litter(), (file.read_bytes(), vmkey.read_bytes())),
                                 (before, data))


class Hostile(Case):
    """What others have written. Many files a run: the passphrase is dear."""

    def sweep(self, file, data_of, allowed, word="svmcore: "):
        """verify and inspect of each: an error each, from verify, and nothing but text."""
        files = [self.copy(file, f"h{n}", data) for n, data in enumerate(data_of)]
        done = tool("seal", "verify", *self.keys, *files)
        self.assertEqual(done.text, "")
        lines = done.errors.splitlines()
        self.assertEqual(len(lines), len(files), lines)
        for name, line in zip(files, lines):
            self.assertTrue(line.startswith(f"svmcore: {name}"), line)
            self.assertRegex(line, allowed)
        self.assertNotEqual(done.status, GOOD)
        shown = tool("seal", "inspect", *files)
        self.assertIn(shown.status, (GOOD, REFUSED))
        self.assertTrue(shown.text.isprintable() or re.fullmatch(r"[\n -~]*", shown.text))
        for line in shown.errors.splitlines():
            self.assertRegex(line, "^svmcore: .*(is no|numbers|vers|wants|algor|cut|something)")
        return lines

    def test_each_byte_of_a_disks_header(self):
        for mode in ("authentic", "length"):
            file, _ = self.disk(mode, mode, sectors=4)
            data = file.read_bytes()
            self.sweep(file, (flipped(data, at) for at in range(HEADER_DISK)),
                       "header was changed|numbers|is no|neither|version|is cut|another VM")
            self.sweep(file, (flipped(data, at) for at in range(HEADER_DISK, 512, 9)), "is no")

    def test_each_byte_of_an_images_header(self):
        file, _ = self.image()
        data = file.read_bytes()
        self.sweep(file, (flipped(data, at) for at in range(HEADER_IMAGE)),
                   "header was|numbers|is no|neither|version|algorithm|is cut|behind|another VM|"
                   "something else|migration|round|stands on")

    def test_the_rest_of_a_disk(self):
        file, _ = self.disk()
        data = file.read_bytes()
        tail = len(data) - 16 * SECTOR
        lines = self.sweep(file, (flipped(data, tail + n * SECTOR + 77) for n in range(3)),
                           "sector|metadata")
        self.assertIn("sector 0 is not as it was written last", lines[0])
        wiped = data[:SECTOR] + bytes(2 * SECTOR) + data[3 * SECTOR:]
        moved = data[:tail] + data[tail + SECTOR:tail + 2 * SECTOR] + data[tail + SECTOR:]
        lines = self.sweep(file, (data[:-1], data[:512], data[:100], wiped, moved),
                           "is cut|no root|sector 0")
        self.assertIn(f"has {len(data) - 1} bytes of {len(data)}", lines[0])

    def test_the_rest_of_an_image(self):
        file, _ = self.image()
        other, _ = self.image("other")
        data, foreign = file.read_bytes(), other.read_bytes()
        step = 64 + 65536
        first = 192 + 64 + 48 * 4
        swapped = (data[:first] + data[first + step:first + 2 * step] +
                   data[first:first + step] + data[first + 2 * step:])
        lines = self.sweep(
            file, (flipped(data, first + step + 99), flipped(data, 260),
                   flipped(data, len(data) - 1), swapped, data[:-1], data + b"x",
                   data[:first] + foreign[first:first + step] + data[first + step:]),
            "chunk 1 is not what|table of sections|its end|chunk 0 is of another place|is cut|"
            "behind|chunk 0 is of another image")
        for line, word in zip(lines, ("chunk 1", "table", "end", "another place", "cut", "behind",
                                      "another image")):
            self.assertIn(word, line)

    def test_what_is_not_genuine_does_not_get_out(self):
        for file, size in ((self.disk()[0], 16), (self.image()[0], 1)):
            with self.subTest(file.name):
                data = file.read_bytes()
                bad = self.copy(file, "bad", flipped(data, len(data) - 14 * SECTOR))
                before = self.litter()
                self.refused(REFUSED, bad, run=("seal", "convert", "--to", "raw", *self.keys, bad,
                                                self.tmp / "out"))
                self.refused(REFUSED, bad, run=("seal", "rekey", "--new-vm-key", *self.keys, bad))
                self.assertEqual(self.litter(), before)

    def test_no_such_formats(self):
        for data in (b"", b"SV", b"SVMD", b"SVMI", b"SVMK", b"SVMF", b"SVMD" + bytes(4096),
                     b"SVMI" + b"\xff" * 4096, pattern(1)):
            file = self.tmp / "\x1b[2J"
            file.write_bytes(data)
            (self.tmp / "\x1b[2J.vmkey").write_bytes(bytes(160))
            done = self.refused(REFUSED, run=("seal", "inspect", file))
            self.assertNotIn("\x1b", done.errors)
        self.refused(USAGE, "no file", run=("seal", "inspect", self.tmp))
        self.refused(SYSTEM, "No such file", run=("seal", "inspect", self.tmp / "nothing"))


class Rounds(Case):
    """Deltas and migrations, which a VM writes, and the tool reads."""
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.program = f"{cls.folder.name}/rounds"
        build = TOOL.parent.parent / "src"
        subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-o", cls.program,
                        f"-I{TOP}/include", TOP / "tests/cli/rounds.c",
                        build / "port/libsvmcore-sodium.a", build / "libsvmcore.a", "-lsodium"],
                       check=True)

    def setUp(self):
        super().setUp()
        self.disk()
        vmkey = self.tmp / "disk.vmkey"
        name = (self.tmp / "key").read_bytes()[64:96]
        subprocess.run([self.program, vmkey,
                        hashlib.blake2b(name, digest_size=32).hexdigest()[:32],
                        provider_key(self.tmp / "key", self.word).hex(), self.tmp], check=True)
        for file in ("whole", "delta-1", "delta-2", "round-0", "round-1", "last", "other-0",
                     "other-last", "alone"):
            shutil.copy(vmkey, self.tmp / f"{file}.vmkey")

    def verify(self, *names):
        return ("seal", "verify", *self.keys, *(self.tmp / n for n in names))

    def test_rows_that_stand_on_one_another(self):
        for names in (("whole", "delta-1", "delta-2"), ("round-0", "round-1", "last"),
                      ("other-0", "other-last"), ("whole", "alone")):
            with self.subTest(names):
                lines = self.good(*self.verify(*names)).text.splitlines()
                self.assertEqual([line.split(":")[0].split("/")[-1] for line in lines],
                                 list(names))
                self.assertTrue(all("genuine" in line for line in lines))
        self.good("seal", "verify", "--generation", 2, *self.keys, self.tmp / "alone")
        self.refused(REFUSED, "whole", "older generation",
                     run=("seal", "verify", "--generation", 2, *self.keys, self.tmp / "whole"))

    def test_rows_that_do_not(self):
        for names, words in ((("delta-1",), ("delta-1", "stands on another")),
                             (("alone", "delta-1"), ("delta-1", "stands on another")),
                             (("whole", "delta-2"), ("delta-2", "stands on another")),
                             (("whole", "delta-1", "delta-1"), ("delta-1", "stands on another")),
                             (("whole", "last"), ("last", "round")),
                             (("round-1",), ("round-1", "round")),
                             (("round-0", "last"), ("last", "next round")),
                             (("round-0", "round-0"), ("round-0", "round")),
                             (("round-0", "round-1", "round-1"), ("round-1", "round")),
                             (("round-0", "other-last"), ("other-last", "stands on another")),
                             (("round-0", "round-1", "last", "last"), ("last", "round"))):
            with self.subTest(names):
                done = tool(*self.verify(*names))
                self.assertEqual(done.status, REFUSED, done.text)
                self.assertEqual(done.errors.count("\n"), 1, done.errors)
                self.assertEqual(done.text.count("genuine"), len(names) - 1)
                for word in words:
                    self.assertIn(word, done.errors)

    def test_only_a_whole_image_is_taken_apart_or_sealed_anew(self):
        self.good("seal", "convert", "--to", "raw", *self.keys, self.tmp / "whole",
                  self.tmp / "out")
        self.assertEqual((self.tmp / "out/memory-0").read_bytes()[:9],
                         b"\x01" + bytes(7) + b"\x01")
        before = self.litter()
        for name in ("delta-1", "round-0", "round-1", "last"):
            with self.subTest(name):
                file = self.tmp / name
                data = file.read_bytes()
                for run in (("convert", "--to", "raw", *self.keys, file, self.tmp / "part"),
                            ("rekey", "--new-vm-key", *self.keys, file),
                            ("rekey", "--new-epoch", *self.keys, file),
                            ("rekey", *self.keys, file)):
                    self.refused(USAGE, name, "no whole image", run=("seal", *run))
                self.assertEqual((file.read_bytes(), self.litter()), (data, before))

    def test_inspect_says_what_they_are(self):
        shown = json.loads(self.good("seal", "inspect", "--json", *(
            self.tmp / n for n in ("whole", "delta-1", "round-1", "last"))).text)
        self.assertEqual([s["image-kind"] for s in shown],
                         ["whole", "delta", "round", "last round"])
        self.assertEqual([s["generation"] for s in shown], [1, 2, 5, 6])
        self.assertEqual(shown[1]["parent"], shown[0]["image"])
        self.assertEqual([s.get("round") for s in shown], [None, None, 1, 2])
        self.assertEqual([s.get("session") for s in shown],
                         [None, None, *2 * [(b"a migration ..." + b"\1").hex()]])


class CutOff(Case):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.library = f"{cls.folder.name}/cut.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", cls.library,
                        TOP / "tests/cli/cut.c", "-ldl"], check=True)

    def cut(self, at, *run):
        env = {**os.environ, "LD_PRELOAD": self.library, "SVMC_CUT": str(at)}
        return tool("seal", *run, env=env).status

    def everywhere(self, make, run, check):
        """Killed before and behind each call that changes files, till there are no more."""
        turns = 0
        for sign in (1, -1):
            at, status = 0, None
            while status != GOOD:
                at += 1
                file = make()
                status = self.cut(sign * at, *run(file))
                self.assertIn(status, (GOOD, -signal.SIGKILL))
                check(file)
            turns += at - 1
        return turns

    def old_or_new(self, raw, anchor=()):
        def check(file):
            done = tool("seal", "verify", *self.keys, *anchor, file)
            self.assertEqual(done.status, GOOD, done.errors)
            out = self.tmp / "content"
            out.unlink(missing_ok=True)
            self.assertEqual(tool("seal", "convert", "--to", "raw", *self.keys, *anchor, file,
                                  out).status, GOOD)
            self.assertEqual(out.read_bytes(), raw)
        return check

    def begin(self, file, anchor=None):
        state = {name: (self.tmp / name).read_bytes()
                 for name in (file.name, f"{file.name}.vmkey", *([anchor] if anchor else []))}

        def make():
            for name, data in state.items():
                (self.tmp / name).write_bytes(data)
            return file
        return make

    def test_rekey_of_a_disk(self):
        anchor = ("--anchor", self.tmp / "anchor")
        file, raw = self.disk(sectors=4, options=anchor)
        turns = self.everywhere(
            self.begin(file, "anchor"),
            lambda f: ("rekey", "--new-vm-key", *self.keys, *anchor, f),
            self.old_or_new(raw, anchor))
        self.assertGreater(turns, 30)

    def test_rekey_that_wraps_anew(self):
        file, raw = self.disk(sectors=4)
        self.everywhere(self.begin(file), lambda f: ("rekey", *self.keys, f), self.old_or_new(raw))

    def test_convert_in_place(self):
        file, raw = self.disk(mode="length", sectors=4)
        self.everywhere(self.begin(file),
                        lambda f: ("convert", "--to", "authentic", *self.keys, f),
                        self.old_or_new(raw))

    def test_convert_in_place_to_raw(self):
        file, raw = self.disk(sectors=4)
        whole = self.old_or_new(raw)
        self.everywhere(self.begin(file), lambda f: ("convert", "--to", "raw", *self.keys, f),
                        lambda f: f.read_bytes() == raw or whole(f))

    def old_or_new_image(self, *memories):
        def check(file):
            done = tool("seal", "verify", *self.keys, file)
            self.assertEqual(done.status, GOOD, done.errors)
            out = self.tmp / "out"
            self.good("seal", "convert", "--to", "raw", *self.keys, file, out)
            self.assertIn((out / "memory-0").read_bytes(), memories)
            shutil.rmtree(out)
        return check

    def test_rekey_of_an_image(self):
        file, memory = self.image()
        turns = self.everywhere(self.begin(file),
                                lambda f: ("rekey", "--new-vm-key", *self.keys, f),
                                self.old_or_new_image(memory))
        self.assertGreater(turns, 20)

    def test_rekey_of_an_image_that_wraps_anew(self):
        file, memory = self.image()
        self.everywhere(self.begin(file), lambda f: ("rekey", *self.keys, f),
                        self.old_or_new_image(memory))

    def test_create_that_replaces(self):
        """There is the old disk or the new one, which has another key and another content."""
        anchor = ("--anchor", self.tmp / "anchor")
        file, raw = self.disk(sectors=4, options=anchor)
        new = self.tmp / "new.raw"
        new.write_bytes(pattern(4, seed=9))

        def check(f):
            done = tool("seal", "verify", *self.keys, *anchor, f)
            self.assertEqual(done.status, GOOD, done.errors)
            self.assertIn(self.content(f, (*self.keys, *anchor)), (raw, new.read_bytes()))
        self.everywhere(self.begin(file, "anchor"),
                        lambda f: ("create", "--force", "--mode", "authentic", "--from", new,
                                   "--journal", 8, *self.keys, *anchor, f), check)

    def test_create_of_an_image_that_replaces(self):
        file, memory = self.image()
        new = self.tmp / "new.memory"
        new.write_bytes(pattern(40, seed=9))

        self.everywhere(self.begin(file),
                        lambda f: ("create", "--force", "--section", f"memory:0@0={new}",
                                   *self.keys, f),
                        self.old_or_new_image(memory, new.read_bytes()))

    def test_create_where_nothing_was(self):
        """No file without its key; a key without a file is in nobody's way with --force."""
        raw = self.tmp / "some.raw"
        raw.write_bytes(pattern(4))
        self.disk()
        file = self.tmp / "fresh"

        def make():
            for path in (file, self.tmp / "fresh.vmkey"):
                path.unlink(missing_ok=True)
            return file

        def check(f):
            if f.exists():
                self.assertEqual(self.content(f), raw.read_bytes())
        self.everywhere(make, lambda f: ("create", "--mode", "authentic", "--from", raw,
                                         "--journal", 8, *self.keys, f), check)

    def test_another_passphrase(self):
        """The key file opens with the old passphrase or the new one."""
        self.disk(sectors=4)
        key = self.tmp / "key"
        secret = provider_key(key, self.word)
        data = key.read_bytes()

        def make():
            key.write_bytes(data)
            return key

        def check(f):
            keys = []
            for word in (self.word, b"battery staple"):
                try:
                    keys.append(provider_key(f, word))
                except AssertionError:
                    pass
            self.assertEqual(keys, [secret])
        turns = self.everywhere(make, lambda f: (
            "passphrase", "--passphrase-file", self.tmp / "word", "--new-passphrase-file",
            self.tmp / "wrong", f), check)
        self.assertGreater(turns, 7)

    def test_what_was_cut_off_is_mended_by_the_next(self):
        file, raw = self.disk(sectors=4)
        vmkey = self.tmp / "disk.vmkey"
        self.begin(file)()
        status, at = -signal.SIGKILL, 0
        while vmkey.stat().st_size != 320:
            self.assertEqual(status, -signal.SIGKILL, "there never are two keys")
            at += 1
            status = self.cut(-at, "rekey", "--new-vm-key", *self.keys, file)
        self.assertIn("2 keys", tool("seal", "verify", *self.keys, file).errors)
        self.good("seal", "rekey", *self.keys, file)
        self.assertEqual(vmkey.stat().st_size, 160)
        self.assertEqual(self.content(file), raw)

    def test_killed_at_any_time(self):
        file, raw = self.disk(sectors=1024)
        check, before = self.old_or_new(raw), self.litter()
        for turn in range(8):
            process = start("seal", "rekey", "--new-vm-key", *self.keys, file)
            time.sleep(0.002 * turn * turn)
            process.kill()
            process.communicate()
            check(file)
        (self.tmp / "content").unlink()
        self.assertEqual(self.litter(), before)  # nameless until it is whole

    def test_stopped_by_a_signal(self):
        file, raw = self.disk(sectors=16384)
        data, before = file.read_bytes(), self.litter()
        process = start("seal", "convert", "--to", "length", *self.keys, file)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        self.assertIn(process.returncode, (5, -signal.SIGINT), errors)
        if process.returncode == 5:
            self.assertIn(b"stopped; nothing is changed", errors)
        self.assertEqual((file.read_bytes() == data, self.litter()), (True, before))


if __name__ == "__main__":
    main()
