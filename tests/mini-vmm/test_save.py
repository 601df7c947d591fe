#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""--save and --restore: a guest that is saved with an exit that waits for its answer goes on in
another process and ends as if nothing had been; what is not the file that was written is refused,
each fault with its own message, and nothing of it runs."""
import importlib.util
import os
import random
import sys
import unittest
from pathlib import Path

from vmm import (BACKEND, BUILD, Case, FAIL, PASS, TOP, TRACE, USAGE, deny_create_vm, main,
                 need_kvm, vmm, vmm_json)

DEBIAN = "/usr/bin/python3"  # whose python3-pykmip it is
if importlib.util.find_spec("kmip") is None and os.path.realpath(sys.executable) != \
        os.path.realpath(DEBIAN) and os.path.exists(DEBIAN):
    os.execv(DEBIAN, [DEBIAN, *sys.argv])

sys.path.insert(0, str(TOP / "tests" / "port" / "kmip"))

HELLO, BUDGET = BUILD / "guests" / "hello.bin", BUILD / "guests" / "budget.bin"
ANSWERS = 240  # of the host, at least, to hello.bin
FIXED = ("--noise", "4015e", "--seed", "5eed")
SEED = int(os.environ.get("SVMC_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
PLACES = int(os.environ.get("SVMC_COUNT", "10"))
HEAD, HEADER = 512, 192  # save.h; svmcore/image.h
CHUNK, TABLE = 65536 + 64, 64 + 48 * 6
CANARY = bytes.fromhex("11ca41d44152594f646f626f6e6b6577")  # guests/bootinfo.h

os.environ["MINI_VMM_PASSPHRASE"] = "of the tests"


class Saves(Case):
    def setUp(self):
        super().setUp()
        self.key = ("--key-provider", f"file:{self.tmp}/key")
        self.file = self.tmp / "vm"

    def save(self, at, *args, file=None, key=None):
        done = vmm_json("--save", file or self.file, "--save-at", at, *(key or self.key), *args)
        self.assertEqual((done.status, done.json["verdict"]), (PASS, "SAVED"), done.json["why"])
        return done

    def restore(self, *args, file=None, key=None):
        return vmm_json("--restore", file or self.file, *(key or self.key), *args)


@need_kvm
class GoesOn(Saves):
    def test_saved_anywhere_it_ends_the_same_way(self):
        want = vmm_json(*FIXED, HELLO).json["final_state"]
        dice = random.Random(SEED)
        for at in (1, *sorted(dice.sample(range(2, ANSWERS), PLACES))):
            self.save(at, *FIXED, HELLO)
            done = self.restore()
            self.assertEqual((done.status, done.json["verdict"], done.json["final_state"]),
                             (PASS, "PASS", want), f"at {at}, seed {SEED}: {done.json['why']}")

    def test_one_process_after_another(self):
        want = vmm_json(*FIXED, HELLO).json["final_state"]
        self.save(1, *FIXED, HELLO)
        for _ in range(2 * PLACES):
            done = self.restore("--save", self.file, "--save-at", 2)
            self.assertEqual((done.status, done.json["verdict"]), (PASS, "SAVED"),
                             done.json["why"])
        self.assertEqual(self.restore().json["final_state"], want)

    def test_with_sealed_memory_and_contexts(self):
        for before, behind in (((), ("--memory-budget", 50)),
                               (("--memory-budget", "50,slots"), ()),
                               (("--protect", "memory,context"), ("--protect", "context"))):
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
        self.save(3, HELLO, file=self.tmp / "b", key=("--key-provider", f"file:{self.tmp}/key-2"))
        done = vmm("--restore", self.file, "--key-provider", f"file:{self.tmp}/key-2")
        self.one_line_error(done, "the key: SVMC_ERR_KEY")
        del os.environ["MINI_VMM_PASSPHRASE"]
        self.refuse(self.good, "no passphrase")


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
        for other in (("--vcpus", 2), ("--tokens",), ("--dma",), ("--hypercalls",), ("--evil",),
                      ("--record", self.tmp / "t"), ("--host-format", "ghcb")):
            self.one_line_error(vmm("--save", self.file, *self.key, *other), "one vCPU")
        for args in (("--save", self.file), self.key, ("--restore", self.file),
                     ("--restore", self.file, *self.key, HELLO),
                     ("--restore", self.file, *self.key, "--replay", TRACE),
                     ("--save", self.file, "--save-at", 0, *self.key),
                     ("--save", self.file, "--key-provider", "http://x"),
                     ("--save", self.file, "--key-provider", "kmip://x"),
                     ("--restore", self.tmp / "none", *self.key)):
            self.one_line_error(vmm(*args))
        Path(self.tmp / "key").unlink(missing_ok=True)

    def test_without_kvm(self):
        done = vmm("--save", self.file, *self.key, preexec_fn=deny_create_vm)
        self.one_line_error(done, "--save needs /dev/kvm", status=BACKEND)

    def test_help(self):
        for word in ("--save FILE", "--save-at N", "--restore FILE", "--key-provider URI"):
            self.assertIn(word, vmm("--help").text)


main()
