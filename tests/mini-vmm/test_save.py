#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""--save and --restore: a guest of one or several vCPUs, with exits that wait for their answers,
with sealed memory, contexts and disk, goes on in another process and ends as if nothing had been,
from one file or from one and deltas; what is not the file that was written is refused, each fault
with its own message, and nothing of it runs."""
import contextlib
import importlib.util
import json
import os
import pty
import random
import socket
import struct
import sys
import threading
import time
import unittest
from pathlib import Path

from vmm import (BACKEND, BUILD, Case, FAIL, PASS, Stopped, TOP, TRACE, USAGE, deny_create_vm,
                 finish, main, need_kvm, start, vmm, vmm_json)

DEBIAN = "/usr/bin/python3"  # whose python3-pykmip it is
if importlib.util.find_spec("kmip") is None and os.path.realpath(sys.executable) != \
        os.path.realpath(DEBIAN) and os.path.exists(DEBIAN):
    os.execv(DEBIAN, [DEBIAN, *sys.argv])

sys.path.insert(0, str(TOP / "tests" / "port" / "kmip"))

HELLO, BUDGET, DISK = (BUILD / "guests" / f"{name}.bin" for name in ("hello", "budget", "disk"))
FIXED = ("--noise", "4015e", "--seed", "5eed")
# A guest, what is sealed, how many answers of the host it waits for at least, and whether it always
# ends in the same state. The last two have a disk.
SCENES = (((*FIXED, HELLO), (), 240, True),
          (("--vcpus", 2, HELLO), ("--protect", "context"), 150, False),
          ((*FIXED, DISK), ("--protect", "context,image", "--memory-budget", 10), 60, True),
          (("--vcpus", 2, DISK), ("--protect", "context"), 60, False))
SEED = int(os.environ.get("SVMC_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
PLACES = int(os.environ.get("SVMC_COUNT", "10"))
HEAD, HEADER = 512, 192  # save.h; svmcore/image.h
CHUNK, TABLE = 65536 + 64, 64 + 48 * 6  # of one vCPU
LAST = 4  # docs/spec/image.md, the byte of the kind
CANARY = bytes.fromhex("11ca41d44152594f646f626f6e6b6577")  # guests/bootinfo.h

os.environ["MINI_VMM_PASSPHRASE"] = "of the tests"
CHEAP = ("--key-cost", "1,8")


class Saves(Case):
    def setUp(self):
        super().setUp()
        self.key = ("--key-provider", f"file:{self.tmp}/key", *CHEAP)
        self.file = self.tmp / "vm"

    def disk(self):
        """A disk for a run, which begins anew."""
        for name in ("disk", "disk.anchor"):
            (self.tmp / name).unlink(missing_ok=True)
        return ("--disk", self.tmp / "disk")

    def save(self, at, *args, file=None, key=None):
        done = vmm_json("--save", file or self.file, "--save-at", at, *(key or self.key), *args)
        self.assertEqual((done.status, done.json["verdict"]), (PASS, "SAVED"), done.json["why"])
        return done

    def restore(self, *args, file=None, key=None):
        return vmm_json("--restore", file or self.file, *(key or self.key), *args)


@need_kvm
class GoesOn(Saves):
    def test_saved_anywhere_it_ends_the_same_way(self):
        dice, want = random.Random(SEED), {}
        for turn in range(PLACES):
            guest, sealed, answers, alike = scene = SCENES[turn % len(SCENES)]
            disk = self.disk() if scene[0][-1] == DISK else ()
            if alike and scene not in want:
                want[scene] = vmm_json(*guest, *disk, *(self.key if disk else ())).json[
                    "final_state"]
                self.disk()
            at = 1 if turn == 0 else dice.randrange(1, answers)
            self.save(at, *guest, *sealed, *disk)
            done = self.restore(*disk, *sealed)
            self.assertEqual((done.status, done.json["verdict"]), (PASS, "PASS"),
                             f"{guest} at {at}, seed {SEED}: {done.json['why']}")
            if alike:
                self.assertEqual(done.json["final_state"], want[scene], f"at {at}, seed {SEED}")
        print(f"\nseed: SVMC_SEED={SEED}\n{PLACES} restores", flush=True)

    def test_one_process_after_another(self):
        want = vmm_json(*FIXED, HELLO).json["final_state"]
        self.save(1, *FIXED, HELLO)
        for _ in range(min(PLACES, 100)):
            done = self.restore("--save", self.file, "--save-at", 2)
            self.assertEqual((done.status, done.json["verdict"]), (PASS, "SAVED"),
                             done.json["why"])
        self.assertEqual(self.restore().json["final_state"], want)

    def test_with_sealed_memory_and_contexts(self):
        for before, behind in (((), ("--memory-budget", 50)),
                               (("--memory-budget", "50,slots"), ()),
                               (("--protect", "memory,context", "--vcpus", 3),
                                ("--memory-budget", 30, "--protect", "context"))):
            self.save(30, *before, BUDGET)
            done = self.restore(*behind)
            self.assertEqual((done.status, done.json["verdict"]), (PASS, "PASS"),
                             done.json["why"])
            self.assertEqual(done.json["guest"], "budget.bin")

    def test_the_file_shows_nothing_of_the_guest(self):
        self.save(30, BUDGET)
        data = self.file.read_bytes()
        self.assertEqual(data.count(CANARY), 0)
        self.assertEqual(data.count(b"half of the work"), 0)
        self.assertEqual(data.count(b"budget.bin"), 0)

    def test_a_guest_that_ends_before(self):
        done = vmm_json("--save", self.file, "--save-at", 100000, *self.key, HELLO)
        self.assertEqual((done.status, done.json["why"]), (FAIL, "--save: the guest ended before"))
        self.assertFalse(self.file.exists())

    def test_a_file_that_cannot_be_written(self):
        done = vmm_json("--save", self.tmp / "none" / "vm", *self.key, HELLO)
        self.assertEqual(done.status, FAIL)
        self.assertIn("No such file or directory", done.json["why"])


@need_kvm
class Deltas(Saves):
    """A file, and what changed since, and since then."""

    def files(self, *names):
        return [arg for name in names for arg in ("--restore", self.tmp / name)]

    def make(self, guest, disk=(), at=(30, 20, 15)):
        self.save(at[0], *guest, *disk, file=self.tmp / "a")
        for n, name in enumerate("bc", 1):
            done = vmm_json(*self.files(*"abc"[:n]), "--save-delta", self.tmp / name, "--save-at",
                            at[n], *disk, *self.key)
            self.assertEqual((done.status, done.json["verdict"]), (PASS, "SAVED"),
                             done.json["why"])

    def test_all_of_them_are_the_guest(self):
        for guest in ((*FIXED, HELLO), (*FIXED, DISK)):
            disk = self.disk() if DISK in guest else ()
            want = vmm_json(*guest, *disk, *(self.key if disk else ())).json["final_state"]
            self.make(guest, disk and self.disk())
            done = vmm_json(*self.files(*"abc"), *disk, *self.key)
            self.assertEqual((done.status, done.json["final_state"]), (PASS, want),
                             done.json["why"])
        sizes = [(self.tmp / name).stat().st_size for name in "abc"]
        self.assertLess(max(sizes[1:]), sizes[0] / 3)

    def test_what_does_not_belong_to_them(self):
        self.make((HELLO,))
        self.save(9, HELLO, file=self.tmp / "x")
        missing = "its parent is not among these files"
        order = "its parent is not the one before it"
        for names, at, words in (("ac", "c", missing), ("acb", "c", order), ("abb", "b", order),
                                 ("b", "b", "a delta, and its base comes first"),
                                 ("aa", "a", "not a delta"), ("xb", "b", "OTHER_VM"),
                                 ("ax", "x", "OTHER_VM")):
            done = vmm(*self.files(*names), *self.key)
            self.one_line_error(done, words, f"({self.tmp / at})")
            self.assertEqual("WRONG_PARENT" in done.errors, "OTHER" not in words)
        done = vmm(*self.files(*"ab"), "--generation", 3, *self.key)
        self.one_line_error(done, "OLD: older than what is asked for")
        data = bytearray((self.tmp / "c").read_bytes())
        for at in (HEAD + 100, len(data) // 2, len(data) - 1):
            data[at] ^= 4
            (self.tmp / "y").write_bytes(data)
            self.one_line_error(vmm(*self.files(*"aby"), *self.key), "the image: ")
            data[at] ^= 4
        (self.tmp / "y").write_bytes(data[:-9])
        self.one_line_error(vmm(*self.files(*"aby"), *self.key), "CUT")
        done = vmm_json(*self.files(*"abc"), "--generation", 3, *self.key)
        self.assertEqual(done.status, PASS, done.json["why"])


@need_kvm
class WithDisk(Saves):
    def test_only_the_disk_as_it_was_belongs_to_it(self):
        disk = self.disk()
        self.save(50, *disk)
        kept = disk[1].read_bytes()
        self.one_line_error(vmm("--restore", self.file, *self.key), "has a disk: --disk FILE")
        self.assertEqual(self.restore(*disk).status, PASS)
        done = vmm("--restore", self.file, *disk, *self.key)
        self.one_line_error(done, "not as it was when the guest was saved")
        disk[1].write_bytes(kept)  # and both, as they were
        done = self.restore(*disk)
        self.assertEqual((done.status, done.json["verdict"]), (PASS, "PASS"), done.json["why"])
        disk[1].unlink()
        done = vmm("--restore", self.file, *disk, *self.key)
        self.one_line_error(done, "it is not there, and it was")
        self.save(5, HELLO)
        done = vmm("--restore", self.file, *disk, *self.key)
        self.one_line_error(done, "the saved guest has no disk")

    def test_protect_image_once_and_for_all(self):
        self.save(9, HELLO)
        done = vmm("--restore", self.file, "--protect", "image", *self.key)
        self.one_line_error(done, "it was saved without")
        self.save(9, "--protect", "image", HELLO)
        done = self.restore("--save", self.file, "--save-at", 3)
        self.assertEqual(done.json["verdict"], "SAVED")
        self.assertEqual(self.restore("--protect", "image").status, PASS)
        run = Stopped("--dwell", "--restore", self.file, *self.key)
        run.stop_at("sealed: the image")
        limits = Path(f"/proc/{run.process.pid}/limits").read_text()
        self.assertRegex(limits, r"Max core file size +0 +0 ")
        self.assertEqual(run.end().status, PASS)


@need_kvm
class Terminal(Saves):
    def seen(self, *args):
        """What a terminal sees of standard error."""
        here, there = pty.openpty()
        done = finish(start(*args, *self.key, stderr=there))
        os.close(there)
        text = b""
        with contextlib.suppress(OSError):
            while more := os.read(here, 4096):
                text += more
        os.close(here)
        self.assertEqual(done.status, PASS, text)
        return text.decode()

    def test_how_far_it_is(self):
        for args, what in ((("--save", self.file), "saving"), (("--restore", self.file,), "resto"),
                           (("--restore", self.file, "--save-delta", self.tmp / "b"), "saving wh")):
            text = self.seen(*args)
            self.assertRegex(text, what + r"[a-z ]* \[#{40}\] 100 %, (\d+\.\d) of \1 MiB\r\n$")
            self.assertEqual(self.seen("--json", *args), "")
        self.assertEqual(self.seen("--quiet", "--restore", self.file), "")
        self.assertEqual(vmm("--restore", self.file, *self.key).errors, "")  # no terminal


@need_kvm
class Refused(Saves):
    def setUp(self):
        super().setUp()
        self.save(20, HELLO)
        self.good = self.file.read_bytes()

    def refuse(self, data, *words):
        self.file.write_bytes(data)
        done = vmm("--restore", self.file, *self.key)
        self.one_line_error(done, *words, status=USAGE)
        return done.errors

    def flipped(self, at, bit=0):
        data = bytearray(self.good)
        data[at] ^= 1 << bit
        return data

    def test_changed_bytes(self):
        image, first = HEAD, HEAD + HEADER + TABLE
        for at, word in ((0, "no saved VM"), (8, "OWNER"), (24, "another key of the provider's"),
                         (40, "FORMAT"), (44, "UNSUPPORTED"), (48, "KEY"), (100, "KEY"),
                         (190, ""), (image, "NOT_ONE"), (image + 4, ""), (image + 60, ""),
                         (image + HEADER - 1, "HEADER"), (first + 64, "CHANGED"),
                         (first + CHUNK + 64 + 5, "CHANGED"), (len(self.good) - 1, "END")):
            self.refuse(self.flipped(at), word)
        dice = random.Random(SEED)
        for _ in range(PLACES):
            at = dice.randrange(image, len(self.good))
            self.refuse(self.flipped(at, dice.randrange(8)))

    def test_cut_and_longer(self):
        for size in (0, 100, HEAD, HEAD + 50, HEAD + HEADER, len(self.good) // 2,
                     len(self.good) - 1):
            self.refuse(self.good[:size])
        self.refuse(self.good + b"x", "LONG")

    def test_chunks_in_another_order_and_of_another_image(self):
        first = HEAD + HEADER + TABLE
        data = bytearray(self.good)
        data[first:first + CHUNK], data[first + CHUNK:first + 2 * CHUNK] = (
            self.good[first + CHUNK:first + 2 * CHUNK], self.good[first:first + CHUNK])
        self.refuse(data, "MOVED")
        other = self.tmp / "other"
        self.save(20, HELLO, file=other)
        strange = other.read_bytes()
        data = bytearray(self.good)
        data[first:first + CHUNK] = strange[first:first + CHUNK]
        self.refuse(data)
        self.refuse(strange[:HEAD] + self.good[HEAD:], "OTHER_VM")  # another VM's key

    def test_an_older_one(self):
        for generation, verdict in ((7, "PASS"), (6, "PASS"), (8, None)):
            self.save(20, HELLO, "--generation", 7)
            if verdict:
                done = self.restore("--generation", generation)
                self.assertEqual((done.status, done.json["verdict"]), (PASS, verdict))
            else:
                done = vmm("--restore", self.file, *self.key, "--generation", generation)
                self.one_line_error(done, "the image: OLD")

    def test_another_key(self):
        os.environ["MINI_VMM_PASSPHRASE"] = "a wrong one"
        self.addCleanup(os.environ.__setitem__, "MINI_VMM_PASSPHRASE", "of the tests")
        self.refuse(self.good, "another passphrase")
        done = vmm("--restore", self.file, "--key-provider", f"file:{self.tmp}/no-such-key")
        self.one_line_error(done, "No such file")
        self.save(3, HELLO, file=self.tmp / "b", key=("--key-provider", f"file:{self.tmp}/key-2",
                                                       *CHEAP))
        done = vmm("--restore", self.file, "--key-provider", f"file:{self.tmp}/key-2")
        self.one_line_error(done, "the key: SVMC_ERR_KEY")
        del os.environ["MINI_VMM_PASSPHRASE"]
        self.refuse(self.good, "no passphrase")


class Between(threading.Thread):
    """Between sender and receiver: `spoil` gets the images that have come so far and says what is
    sent for the last of them: a list of images."""

    def __init__(self, folder, spoil):
        super().__init__(daemon=True)
        self.entrance, self.exit, self.spoil = folder / "entrance", folder / "exit", spoil
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(self.entrance))
        self.socket.listen(1)
        self.images = []
        self.start()

    @staticmethod
    def take(source, n):
        data = b""
        while len(data) < n:
            more = source.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def run(self):
        source, sink = self.socket.accept()[0], socket.socket(socket.AF_UNIX)
        for _ in range(500):
            try:
                sink.connect(str(self.exit))
                break
            except OSError:
                time.sleep(0.02)
        with source, sink, self.socket, contextlib.suppress(EOFError, OSError):
            sink.sendall(self.take(source, HEAD))
            source.sendall(self.take(sink, 16))  # the session
            while True:
                self.images.append(self.take(source, struct.unpack(
                    "<Q", self.take(source, 8))[0]))
                for image in self.spoil(self.images):
                    sink.sendall(struct.pack("<Q", len(image)) + image)
                if self.images[-1][8] == LAST:
                    source.sendall(self.take(sink, 1))


@need_kvm
class Moves(Saves):
    """Live migration of a guest that takes a second: the first image, rounds, the last."""

    def move(self, spoil=lambda images: images[-1:], what=("--dwell", BUDGET), there=()):
        between = Between(self.tmp, spoil)
        receiver = start("--json", "--migrate-from", self.tmp / "exit", *self.key, *there)
        sender = vmm_json("--migrate-to", self.tmp / "entrance", *self.key, *what)
        receiver = finish(receiver)
        between.join(10)
        (self.tmp / "entrance").unlink()
        return sender, receiver, between.images

    def setUp(self):
        super().setUp()
        self.save(1, "--dwell", BUDGET)  # with it a key file for both ends, too

    def test_a_guest_moves_while_it_runs(self):
        for what in (("--dwell", BUDGET), ("--dwell", "--vcpus", 3, BUDGET), (DISK, "--vcpus", 2)):
            disk = self.disk() if DISK in what else ()
            sender, receiver, images = self.move(what=(*what, *disk), there=disk)
            self.assertEqual((sender.status, sender.json["verdict"]), (PASS, "MOVED"),
                             sender.json["why"])
            self.assertEqual(receiver.status, PASS, receiver.text + receiver.errors)
            there = json.loads(receiver.text)
            self.assertEqual((there["verdict"], there["guest"]),
                             ("PASS", "disk.bin" if disk else "budget.bin"))
            self.assertGreaterEqual(len(images), 2 if disk else 3)
            self.assertGreater(len(images[0]), 1 << 19 if disk else 1 << 20)
            self.assertEqual([image[8] for image in images], [3] * (len(images) - 1) + [LAST])
            self.assertEqual(b"".join(images).count(CANARY), 0)

    def test_what_was_changed_on_the_way_is_not_run(self):
        kept = []

        def flip(images):
            data = bytearray(images[-1])
            data[len(data) // 2] ^= 1
            return [data] if len(images) == 2 else images[-1:]

        def again(images):
            return images[-1:] * (2 if len(images) == 2 else 1)

        def left_out(images):
            return [] if len(images) == 2 else images[-1:]

        def another(images):  # what came of an earlier migration
            if len(kept) < len(images):
                kept.append(images[-1])
            return [kept[len(images) - 1]]

        def stopped(images):
            if len(images) == 2:
                raise EOFError
            return images[-1:]

        same = ("--restore", self.file)  # one VM, one key
        self.assertEqual(self.move(another, same)[1].status, PASS)
        for spoil, word, what in ((flip, "the image: ", same), (again, "WRONG_ROUND", same),
                                  (left_out, "WRONG_ROUND", same), (stopped, "sender", same),
                                  (another, "WRONG_SESSION", same),
                                  (another, "OTHER_VM", ("--dwell", BUDGET))):
            sender, receiver, _ = self.move(spoil, what)
            self.one_line_error(receiver, word)
            self.assertEqual((sender.status, sender.json["verdict"]), (FAIL, "ERROR"), spoil)
            self.assertIn("the receiver", sender.json["why"])

    def test_nobody_there(self):
        self.one_line_error(vmm("--migrate-from", self.tmp / "no" / "where", *self.key), "No such")


@need_kvm
class Kmip(Saves):
    """The real server, on loopback."""

    def test_a_key_from_a_server(self):
        try:
            from kmip import enums
            from kmip.pie.client import ProxyKmipClient
            from kmip.pie.objects import SymmetricKey
            from servers import HOST, PyKmip, make_certificates
        except ImportError as e:
            raise unittest.SkipTest(f"python3-pykmip: {e}")
        make_certificates(self.tmp)
        server = PyKmip(self.tmp)
        server.start()
        self.addCleanup(server.stop)
        client = ProxyKmipClient(hostname=HOST, port=server.port, cert=f"{self.tmp}/owner.crt",
                                 key=f"{self.tmp}/owner.key", ca=f"{self.tmp}/ca.crt",
                                 ssl_version="PROTOCOL_TLSv1_2", config_file="/dev/null")
        masks = [enums.CryptographicUsageMask.ENCRYPT, enums.CryptographicUsageMask.DECRYPT]
        with client:
            key = client.register(SymmetricKey(enums.CryptographicAlgorithm.AES, 256,
                                               os.urandom(32), masks))
            client.activate(key)

        def uri(certificate):
            return ("--key-provider", f"kmip://{HOST}:{server.port}/{key}?{self.tmp}/ca.crt,"
                    f"{self.tmp}/{certificate}.crt,{self.tmp}/{certificate}.key,localhost")

        self.save(20, HELLO, key=uri("owner"))
        done = self.restore(key=uri("owner"))
        self.assertEqual((done.status, done.json["verdict"]), (PASS, "PASS"), done.json["why"])
        done = vmm("--restore", self.file, *uri("foreign"))
        self.one_line_error(done, "SVMC_FETCH_OWN_REFUSED")
        with client:
            client.revoke(enums.RevocationReasonCode.KEY_COMPROMISE, key)
        done = vmm("--restore", self.file, *uri("owner"))
        self.one_line_error(done, "SVMC_FETCH_COMPROMISED")
        server.stop()
        done = vmm("--restore", self.file, *uri("owner"))
        self.one_line_error(done, "SVMC_FETCH_UNREACHABLE")


class Usage(Saves):
    def test_errors_are_one_line(self):
        for args in (("--migrate-to", "s", "--save", self.file), ("--migrate-from", "s", HELLO),
                     ("--migrate-from", "s", "--restore", self.file),
                     ("--migrate-to", "s", "--protect", "context")):
            self.one_line_error(vmm(*args, *self.key), "--migrate-")
        for other in (("--tokens",), ("--dma",), ("--hypercalls",), ("--evil",),
                      ("--record", self.tmp / "t"), ("--host-format", "ghcb")):
            self.one_line_error(vmm("--save", self.file, *self.key, *other), "that are saved")
        for args in (("--save", self.file), self.key, ("--restore", self.file),
                     ("--restore", self.file, *self.key, HELLO),
                     ("--restore", self.file, *self.key, "--replay", TRACE),
                     ("--save", self.file, "--save-at", 0, *self.key),
                     ("--restore", self.file, *self.key, "--vcpus", 2),
                     ("--save-delta", self.file, *self.key),
                     ("--save-delta", self.file, "--restore", self.file, *self.key,
                      "--memory-budget", 50),
                     ("--save", self.file, *self.key, "--protect", "disk"),
                     ("--restore", *["a", "--restore"] * 16, "a", *self.key),
                     ("--save", self.file, "--key-provider", "http://x"),
                     ("--save", self.file, "--key-provider", "kmip://x"),
                     ("--restore", self.tmp / "none", *self.key)):
            self.one_line_error(vmm(*args))
        Path(self.tmp / "key").unlink(missing_ok=True)

    def test_without_kvm(self):
        done = vmm("--save", self.file, *self.key, preexec_fn=deny_create_vm)
        self.one_line_error(done, "--save needs /dev/kvm", status=BACKEND)

    def test_help(self):
        for word in ("--save FILE", "--save-at N", "--save-delta FILE", "--restore FILE",
                     "--key-provider URI"):
            self.assertIn(word, vmm("--help").text)


main()
