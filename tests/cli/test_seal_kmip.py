#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""svmcore seal with keys from the real KMIP server of Debian's python3-pykmip: sealed under its
key, moved between it and a key file, and each reason why there is no key in a line of its own."""
import os
import sys
import tempfile
import warnings

from svmcore import CHEAP, Case, KEY, MEMORY, TOP, main, vm_key

sys.path.insert(0, str(TOP / "tests/port/kmip"))
warnings.simplefilter("ignore")

from kmip.core import enums  # noqa: E402
from kmip.pie.client import ProxyKmipClient  # noqa: E402
from kmip.pie.objects import SymmetricKey  # noqa: E402
from servers import HOST, PyKmip, Silent, free_port, make_certificates  # noqa: E402

USE = [enums.CryptographicUsageMask.ENCRYPT, enums.CryptographicUsageMask.DECRYPT]


class Kmip(Case):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(dir=MEMORY)
        cls.addClassCleanup(folder.cleanup)
        cls.certificates = folder.name
        make_certificates(folder.name)
        cls.server = PyKmip(folder.name)
        cls.addClassCleanup(cls.server.stop)
        cls.server.start()
        cls.key = os.urandom(32)
        with cls.client() as client:
            cls.good_id, cls.early, cls.revoked = (
                client.register(SymmetricKey(enums.CryptographicAlgorithm.AES, 256, data,
                                             masks=USE))
                for data in (cls.key, os.urandom(32), os.urandom(32)))
            client.activate(cls.good_id)
            client.activate(cls.revoked)
            client.revoke(enums.RevocationReasonCode.KEY_COMPROMISE, cls.revoked, "test")

    @classmethod
    def client(cls):
        d = cls.certificates
        return ProxyKmipClient(hostname=HOST, port=cls.server.port, cert=f"{d}/owner.crt",
                               key=f"{d}/owner.key", ca=f"{d}/ca.crt",
                               ssl_version="PROTOCOL_TLSv1_2", config_file="/dev/null")

    def uri(self, key=None, own="owner", port=None, host=HOST, name="localhost", ca="ca"):
        d = self.certificates
        return (f"kmip://{host}:{port or self.server.port}/{key or self.good_id}"
                f"?cert={d}/{own}.crt&key={d}/{own}.key&ca={d}/{ca}.crt&name={name}")

    def setUp(self):
        super().setUp()
        self.raw = self.tmp / "raw"
        self.raw.write_bytes(os.urandom(8 * 4096))
        self.file = self.tmp / "disk"
        self.files = self.keys
        self.keys = ("--key-provider", self.uri(), "--timeout-ms", 5000)
        self.good("seal", "create", "--mode", "authentic", "--from", self.raw, *self.keys,
                  self.file)

    def test_sealed_under_the_servers_key(self):
        self.good("seal", "verify", *self.keys, self.file)
        self.assertEqual(self.content(self.file), self.raw.read_bytes())
        self.assertEqual(len(vm_key((self.tmp / "disk.vmkey").read_bytes(), self.key)), 32)
        escaped = self.uri("%%%02x" % ord(self.good_id[0]) + self.good_id[1:], host="localhost")
        self.good("seal", "verify", "--key-provider", escaped, self.file)

    def test_from_the_server_to_a_key_file_and_back(self):
        to_file = (*self.keys, "--new-key-provider", self.files[1], "--new-passphrase-file",
                   self.files[3], *CHEAP)
        self.good("seal", "rekey", *to_file, self.file)
        self.good("seal", "verify", *self.files, self.file)
        self.refused(KEY, "disk.vmkey", "another key",
                     run=("seal", "verify", *self.keys, self.file))
        self.good("seal", "rekey", *self.files, "--new-key-provider", self.uri(), "--new-vm-key",
                  self.file)
        self.assertEqual(self.content(self.file), self.raw.read_bytes())

    def test_why_there_is_no_key(self):
        silent = Silent()
        self.addCleanup(silent.close)
        for uri, words in ((self.uri("999"), "it has no such key"),
                           (self.uri(self.early), "not active yet"),
                           (self.uri(self.revoked), "compromised"),
                           (self.uri(own="stranger"), "may not have the key"),
                           (self.uri(own="foreign"), "does not take our certificate"),
                           (self.uri(own="expired"), "our certificate has expired"),
                           (self.uri(name="elsewhere"), "another authority or name"),
                           (self.uri(ca="other-ca"), "another authority or name"),
                           (self.uri(port=free_port()), "cannot be reached"),
                           (self.uri(port=silent.port), "no answer in time"),
                           (self.uri(own="nothing"), "cannot be read"),
                           (self.uri(host="no.host.invalid"), "no such host")):
            with self.subTest(words):
                done = self.refused(KEY, words, run=("seal", "verify", "--key-provider", uri,
                                                     "--timeout-ms", 1500, self.file))
                self.assertNotIn("?cert", done.errors)


if __name__ == "__main__":
    main()
