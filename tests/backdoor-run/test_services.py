#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs of open-vm-tools that want a service, a disk or the whole system: of both processors,
unmodified, in a mount namespace of their own."""
import os
import shlex
import socket
import subprocess
import tarfile
import threading
import unittest
from pathlib import Path

from run import (ARM64, Case, EMULATOR, RUN, finish, main, need_clients, why_no_arm64,
                 why_no_mounts)

# `openssl ca -selfsign` of an EC key, 2000 to 2100
CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBCjCBsgIBATAKBggqhkjOPQQDAjARMQ8wDQYDVQQDDAZ0ZXN0ZXIwIBcNMDAw
MTAxMDAwMDAwWhgPMjEwMDAxMDEwMDAwMDBaMBExDzANBgNVBAMMBnRlc3RlcjBZ
MBMGByqGSM49AgEGCCqGSM49AwEHA0IABOwwdM2vsqThpSPFP1b5N2yQh7d+iWXH
Tucuy2uFQ1AyRyG3LTPz1Ur3pER8a7Uh97wNb5AVE00AwCYoRVpIWycwCgYIKoZI
zj0EAwIDRwAwRAIgSImuYnVDIMONqE26uIEauv6o2q5y1sa1wyPq5rGw6TgCIFqc
CC706WppDE2rsK8dP/kEdBBj2dyjbgBDFIpEJ0uE
-----END CERTIFICATE-----
"""

# What the programs would write to, empty; and the folder of their sockets and the one of aliases.
PRIVATE = """
for at in /run /var/lib /var/log; do mount -t tmpfs none $at; done
mkdir -p /run/vmware /var/lib/vmware/VGAuth
"""

# A shell's script beside a service, which must end well when it is told to.
WITH_SERVICE = """
{service} >service.log 2>&1 &
tries=0
until [ -S /run/vmware/guestServicePipe ] || [ $((tries += 1)) = 300 ]; do sleep 0.1; done
status=0
sh -ec {script} || status=$?
kill $!
wait $! || {{ echo "the service ends with $?"; exit 1; }}
exit $status
"""


class GuestStore(threading.Thread):
    """Plays the service of gueststore, which wants a host's socket family: HTTP on a socket."""

    def __init__(self, path, files):
        super().__init__(daemon=True)
        self.files = files
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            with client, client.makefile("rb") as lines:
                method, name, version = lines.readline().decode().split()
                assert (method, version, lines.readline()) == ("GET", "HTTP/1.1", b"\r\n")
                content = self.files.get(name)
                status = "404 Not Found" if content is None else "200 OK"
                head = f"HTTP/1.1 {status}\r\nContent-Length: {len(content or '')}\r\n\r\n"
                client.sendall(head.encode() + (content or b""))


class Services:
    """The tests; what runs a program is the processor's."""

    def sh(self, program, *words, options=()):
        """One command of a script."""
        return shlex.join(map(str, [*self.command(program, options), *words]))

    def private(self, script, limit=120):
        # timeout: it ends what the script has started, too
        words = ["unshare", "-m", "timeout", str(limit), "sh", "-ec", PRIVATE + script]
        done = finish(subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       stdin=subprocess.DEVNULL, cwd=self.tmp), limit + 10)
        self.assertEqual(done.status, 0, (script, done.text, done.errors))
        return done

    def with_service(self, script):
        service = self.sh("VGAuthService", "-s")
        done = self.private(WITH_SERVICE.format(service=service, script=shlex.quote(script)))
        self.assertIn("vgauth.conf", (self.tmp / "service.log").read_text())
        return done

    def test_vgauth(self):
        (self.tmp / "c.pem").write_text(CERTIFICATE)
        tool = "vmware-vgauth-cmd"
        alias = "--username=root", "--file=c.pem", "--subject=one"
        show = self.sh(tool, "list", "--username=root")
        done = self.with_service(f"{self.sh(tool, 'add', *alias, '--comment=hi')}; {show}\n"
                                 f"echo; {self.sh(tool, 'remove', *alias)}; {show}")
        self.assertEqual(done.text, CERTIFICATE + "\tSubject: one Comment: hi\n\n")

    ALIAS = {"certificate": CERTIFICATE, "subject": "two", "comment": "of a host",
             "guestUsername": "root", "addMapped": "TRUE"}

    def test_alias_import(self):
        show = self.sh("vmware-vgauth-cmd", "list", "--username=root")
        mapped = self.sh("vmware-vgauth-cmd", "list")
        done = self.with_service(f"{self.import_aliases()}; {show}; echo; {mapped}")
        aliases, mapped = done.text.split("\n\n")
        self.assertEqual(aliases, CERTIFICATE + "\tSubject: two Comment: of a host")
        self.assertEqual(mapped, CERTIFICATE + "Username:root\n\tSubject: two\n")

    def test_vm_support(self):
        done = self.private(self.vm_support("-u", "-x") + "\n" +
                            self.sh("vmware-xferlogs", "dec", "vm.log"))
        archive, = self.tmp.glob("vm-[0-9]*.tar.gz")
        with tarfile.open(archive) as tar:
            self.assertIn(os.uname().release.encode(), self.in_archive(tar, "tmp/uname.txt"))
            self.assertEqual(self.in_archive(tar, "etc/vmware-tools/vgauth.conf"),
                             Path("/etc/vmware-tools/vgauth.conf").read_bytes())
            self.assertGreater(len(tar.getnames()), 30)
        # -x: the host has it in its log; -u: and has been told how far it was
        sent, = self.tmp.glob("vm-support-0-*")
        self.assertEqual(sent.read_bytes(), archive.read_bytes())
        for state in (1, 2, 3):  # begins, runs, ends
            self.assertIn(f'"tools.vmsupport.status {state}"', done.errors)
        self.assertNotIn("Could not transfer", done.text)

    def in_archive(self, tar, name):
        found, = [n for n in tar.getnames() if n.endswith("/" + name)]
        return tar.extractfile(found).read()

    def test_gueststore(self):
        content = bytes(range(256)) * 1000
        GuestStore(self.tmp / "store", {"/a%20folder/file": content, "/empty": b""}).start()

        def get(name, to):
            return self.sh("vmware-toolbox-cmd", "gueststore", "getcontent", name, to)

        none = "gone=0; {} || gone=$?; [ $gone = {} ]\n"
        done = self.private(none.format(get("/empty", "none"), 8) +  # GSLIBERR_CONNECT_GENERIC
                            "ln -s $PWD/store /run/vmware/guestStorePipe\n"
                            f"{get('/a folder/file', 'got')}; {get('/empty', 'empty')}\n" +
                            none.format(get("/no", "none"), 16))  # GSLIBERR_CONTENT_NOT_FOUND
        self.assertIn("Content not found", done.errors)
        self.assertEqual((self.tmp / "got").read_bytes(), content)
        self.assertEqual((self.tmp / "empty").read_bytes(), b"")
        self.assertFalse((self.tmp / "none").exists())

    def test_disk(self):
        # a disk by its major number, with 2 MiB behind it, is all that is mounted
        (self.tmp / "disk").mkdir()
        (self.tmp / "etc").mkdir()
        (self.tmp / "etc" / "mtab").write_text(f"{self.tmp}/sda {self.tmp}/disk ext4 rw 0 0\n")

        def disk(*words):
            return self.sh("vmware-toolbox-cmd", "disk", *words,
                           options=["--trace", "--reply", "disk.wiper.enable=1 1",
                                    "--reply", "disk.shrink=1 "])

        done = self.private("mknod sda b 8 0\nmount -t tmpfs -o size=2m none disk\n"
                            "mount -t overlay -o lowerdir=etc:/etc none /etc\n"
                            f"{disk('list')}; {disk('wipe', self.tmp / 'disk')}\n"
                            f"{disk('shrink', self.tmp / 'disk')}; {disk('shrinkonly')}\n"
                            "ls -A disk\n")
        self.assertTrue(done.text.startswith(f"{self.tmp}/disk\n"), done.text)
        self.assertEqual(done.text.count("Progress: 100"), 2, done.text)
        self.assertTrue(done.text.endswith("Disk shrinking complete.\n"), done.text)
        self.assertEqual(done.text.count("Disk shrinking complete.\n"), 2, done.text)
        self.assertEqual(done.errors.count('-> ok "disk.shrink"'), 2, done.errors)


@need_clients
@unittest.skipIf(why_no_mounts(), why_no_mounts() or "")
class X86(Services, Case):
    def command(self, program, options):
        return [RUN, *options, "--", program]

    def import_aliases(self):
        script = "".join(shlex.join(["vmware-namespace-cmd", "set-key", "ns", "-k", k, "-v", v]) +
                         "; " for k, v in self.ALIAS.items())
        script += "vmware-alias-import ns; vmware-namespace-cmd get-value ns -k imported >when"
        return self.sh("sh", "-ec", script)

    def vm_support(self, *words):
        return self.sh("vm-support", *words, options=["--trace", "--log", "vm.log"])


@unittest.skipIf(why_no_arm64() or why_no_mounts(), why_no_arm64() or why_no_mounts() or "")
class Arm64(Services, Case):
    def command(self, program, options):
        return [RUN, *options, "--emulator", EMULATOR, "--", ARM64 / program]

    def import_aliases(self):
        options = [f"--namespace=ns/{key}={value}" for key, value in self.ALIAS.items()]
        return self.sh("vmware-alias-import", "ns", options=options)

    def vm_support(self, *words):
        """A shell's script, so no emulator runs it: it runs here, and what it calls there. A line
        of the log takes ten milliseconds there, so what is long is left out of the archive."""
        call = self.command("vmware-xferlogs", ["--trace", "--log", self.tmp / "vm.log"])
        program = self.tmp / "xferlogs"
        program.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, call))} "$@"\n')
        program.chmod(0o755)
        return (f"mount --bind {program} /usr/bin/vmware-xferlogs\n"
                "cp /etc/vmware-tools/vgauth.conf .\n"
                "mount -t tmpfs none /etc/vmware-tools\n"
                "cp vgauth.conf /etc/vmware-tools\n"
                "for long in dmesg ps lspci; do\n"
                "  ! at=$(command -v $long) || mount --bind /bin/true $at\n"
                "done\n" + shlex.join([str(ARM64 / "vm-support"), *words]))


if __name__ == "__main__":
    main()
