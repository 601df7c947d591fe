# SPDX-License-Identifier: MIT
"""What stands behind a KMIP client in these tests: certificates, the real server, servers that lie,
and a proxy that breaks connections."""
import datetime
import os
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOST = "127.0.0.1"
CONFIG = """[server]
hostname={host}
port={port}
certificate_path={d}/server.crt
key_path={d}/server.key
ca_path={d}/ca.crt
auth_suite=TLS1.2
policy_path={d}/policy
enable_tls_client_auth=True
logging_level=ERROR
database_path={d}/kmip.db
"""


# ---- certificates -------------------------------------------------------------------------------
class Authority:
    """Writes NAME.crt and NAME.key below a folder."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.key, self.certificate = self.make(name, None, is_ca=True)

    def make(self, name, usage, days=1, is_ca=False, alternatives=()):
        now = datetime.datetime.utcnow()
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (x509.CertificateBuilder().subject_name(subject).public_key(key.public_key())
                   .issuer_name(subject if is_ca else self.certificate.subject)
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(days=3))
                   .not_valid_after(now + datetime.timedelta(days=days))
                   .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), True))
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(
                [x509.DNSName(a) for a in alternatives]), False)
        certificate = builder.sign(key if is_ca else self.key, hashes.SHA256())
        Path(self.folder, name + ".crt").write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM))
        Path(self.folder, name + ".key").write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        return key, certificate

    def client(self, name, days=1):
        self.make(name, ExtendedKeyUsageOID.CLIENT_AUTH, days)

    def server(self, name, alternatives, days=1):
        self.make(name, ExtendedKeyUsageOID.SERVER_AUTH, days, alternatives=alternatives)


def make_certificates(folder):
    ours, other = Authority(folder, "ca"), Authority(folder, "other-ca")
    ours.server("server", ["localhost"])
    ours.server("server-other-name", ["elsewhere"])
    ours.server("server-expired", ["localhost"], days=-1)
    other.server("server-other-ca", ["localhost"])
    ours.client("owner")
    ours.client("stranger")
    ours.client("expired", days=-1)
    other.client("foreign")


def free_port():
    with closing(socket.socket()) as s:
        s.bind((HOST, 0))
        return s.getsockname()[1]


# ---- the real server ----------------------------------------------------------------------------
class PyKmip:
    """Debian's python3-pykmip on loopback."""

    def __init__(self, folder):
        self.folder, self.port, self.process, self.guard = folder, free_port(), None, None
        Path(folder, "policy").mkdir(exist_ok=True)
        Path(folder, "server.conf").write_text(
            CONFIG.format(host=HOST, port=self.port, d=folder))

    def start(self):
        self.process = subprocess.Popen(
            ["/usr/bin/python3", "/usr/bin/pykmip-server", "-f", f"{self.folder}/server.conf",
             "-l", f"{self.folder}/server.log"], start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # a test that is killed stops nothing: its end of the pipe goes, and so does the group
        self.guard = subprocess.Popen(["sh", "-c", f"cat; kill -s KILL -- -{self.process.pid}"],
                                      stdin=subprocess.PIPE, start_new_session=True)
        for _ in range(200):
            with suppress(OSError), closing(socket.create_connection((HOST, self.port), 1)):
                return
            time.sleep(0.05)
        raise RuntimeError("the KMIP server does not listen")

    def signal(self, number):
        os.killpg(self.process.pid, number)
        while number == signal.SIGSTOP and not all(stat[2] in "TtZ" for stat in self.processes()):
            time.sleep(0.001)

    def processes(self):
        """What /proc says of each process of the group: its number, "", state; its group in [4]."""
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                stat = path.read_text()
                fields = [stat.split()[0], "", *stat[stat.rindex(")") + 2:].split()]
                if int(fields[4]) == self.process.pid:
                    yield fields

    def stop(self):
        if self.process:
            self.guard.kill()
            self.guard.communicate()
            with suppress(ProcessLookupError):
                self.signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


# ---- servers that lie ---------------------------------------------------------------------------
def ttlv(tag, kind, value):
    return (struct.pack(">I", tag << 8 | kind) + struct.pack(">I", len(value)) + value +
            bytes(-len(value) % 8))


def structure(tag, *items):
    return ttlv(tag, 1, b"".join(items))


def number(tag, kind, value):
    return ttlv(tag, kind, struct.pack(">I", value))


def attribute(name, kind, value):
    return structure(0x420008, ttlv(0x42000a, 7, name), number(0x42000b, kind, value))


def question(name):
    """What src/port/kmip/message.c asks."""
    asked = ("State", "Cryptographic Algorithm", "Cryptographic Length",
             "Cryptographic Usage Mask")
    return structure(
        0x420078,
        structure(0x420077, structure(0x420069, number(0x42006a, 2, 1), number(0x42006b, 2, 2)),
                  number(0x420050, 2, 8192), number(0x42000d, 2, 2)),
        structure(0x42000f, number(0x42005c, 5, 0x0b), ttlv(0x420093, 8, b"\0"),
                  structure(0x420079, ttlv(0x420094, 7, name),
                            *(ttlv(0x42000a, 7, a.encode()) for a in asked))),
        structure(0x42000f, number(0x42005c, 5, 0x0a), ttlv(0x420093, 8, b"\1"),
                  structure(0x420079, ttlv(0x420094, 7, name), number(0x420042, 5, 1))))


def answer(name=b"1", state=2, key=bytes(32), bits=256, usage=12):
    """A whole answer to the question of src/port/kmip/message.c."""
    return structure(
        0x42007b,
        structure(0x42007a, structure(0x420069, number(0x42006a, 2, 1), number(0x42006b, 2, 2)),
                  ttlv(0x420092, 9, struct.pack(">Q", int(time.time()))), number(0x42000d, 2, 2)),
        structure(0x42000f, number(0x42005c, 5, 0x0b), ttlv(0x420093, 8, b"\0"),
                  number(0x42007f, 5, 0),
                  structure(0x42007c, ttlv(0x420094, 7, name), attribute(b"State", 5, state),
                            attribute(b"Cryptographic Algorithm", 5, 3),
                            attribute(b"Cryptographic Length", 2, bits),
                            attribute(b"Cryptographic Usage Mask", 2, usage))),
        structure(0x42000f, number(0x42005c, 5, 0x0a), ttlv(0x420093, 8, b"\1"),
                  number(0x42007f, 5, 0),
                  structure(0x42007c, number(0x420057, 5, 2), ttlv(0x420094, 7, name),
                            structure(0x42008f, structure(
                                0x420040, number(0x420042, 5, 1),
                                structure(0x420045, ttlv(0x420043, 8, key)),
                                number(0x420028, 5, 3), number(0x42002a, 2, bits))))))


class Listener:
    """A thread for each connection, until it is closed."""

    def __init__(self):
        self.port, self.open = free_port(), True
        self.accepted = 0
        self.listen()

    def listen(self):
        self.socket = socket.create_server((HOST, self.port))
        threading.Thread(target=self.accept, args=(self.socket,), daemon=True).start()

    def accept(self, listening):
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                self.accepted += 1
                threading.Thread(target=self.guarded, args=(connection,), daemon=True).start()

    def guarded(self, connection):
        with connection:
            with suppress(OSError, ssl.SSLError):
                self.serve(connection)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # though another thread is at it

    def close(self):
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Liar(Listener):
    """A server with our certificates that sends what it was told to, in pieces."""

    def __init__(self, folder, pieces=(), certificate="server", version=None, pause=0.0,
                 stay=True, graceful=False):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(f"{folder}/{certificate}.crt", f"{folder}/{certificate}.key")
        self.context.load_verify_locations(f"{folder}/ca.crt")
        self.context.verify_mode = ssl.CERT_REQUIRED
        if version:
            self.context.minimum_version = self.context.maximum_version = version
        self.pieces, self.pause, self.stay, self.graceful = pieces, pause, stay, graceful
        super().__init__()

    def session(self, connection):
        """A handshake. Whom it refuses it lets read why: a reset would take that away."""
        tls = self.context.wrap_socket(connection, server_side=True,
                                       do_handshake_on_connect=False)
        try:
            tls.do_handshake()
        except ssl.SSLError:
            raw = socket.socket(fileno=tls.detach())
            with raw, suppress(OSError):
                raw.settimeout(1)
                while raw.recv(4096):
                    pass
            raise
        return tls

    def serve(self, connection):
        with self.session(connection) as tls:
            while tls.recv(4096):
                for piece in self.pieces:
                    tls.sendall(piece)
                    time.sleep(self.pause)
                if self.graceful:
                    tls.unwrap()
                if not self.stay:
                    return


class Flood(Liar):
    """Sends a row of tickets at once, behind its handshake, and then the answer."""

    def __init__(self, folder, pieces, tickets):
        super().__init__(folder, pieces, version=ssl.TLSVersion.TLSv1_3)
        self.context.num_tickets = tickets

    def serve(self, connection):
        came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context.wrap_bio(came, goes, server_side=True)
        for step in (tls.do_handshake, lambda: tls.read(4096)):
            while True:
                try:
                    step()
                    break
                except ssl.SSLWantReadError:
                    connection.sendall(goes.read())
                    came.write(connection.recv(4096))
        for piece in self.pieces:
            tls.write(piece)
        connection.sendall(goes.read())
        while connection.recv(4096):
            pass


class Silent(Listener):
    """Takes the connection and says nothing."""

    def serve(self, connection):
        while connection.recv(4096):
            pass


class Proxy(Listener):
    """Passes everything on to the real server, till it breaks the first record of an answer."""

    def __init__(self, target):
        self.target, self.breaks = target, False
        super().__init__()

    def serve(self, connection):
        with socket.create_connection((HOST, self.target)) as server:
            threading.Thread(target=self.there, args=(connection, server), daemon=True).start()
            while True:
                head = self.exactly(server, 5)
                body = self.exactly(server, struct.unpack(">H", head[3:])[0])
                if self.breaks and head[0] == 23:  # application data
                    connection.sendall(head + body[:len(body) // 2])
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                          struct.pack("ii", 1, 0))  # a close is a reset
                    connection.shutdown(socket.SHUT_RD)  # and nobody else is at it
                    time.sleep(0.01)
                    connection.close()
                    return
                connection.sendall(head + body)

    @staticmethod
    def exactly(source, n):
        data = b""
        while len(data) < n:
            more = source.recv(n - len(data))
            if not more:
                raise OSError("closed")
            data += more
        return data

    @staticmethod
    def there(connection, server):
        with suppress(OSError):
            while data := connection.recv(4096):
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)
