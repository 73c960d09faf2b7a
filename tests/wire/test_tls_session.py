"""A session of TLS in memory: what it decrypts to, and which of it the last record has."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from bench.wire.protocol import Binary
from bench.wire.tls_session import TlsSession
from tests.support.frames import BINARY, frame
from tests.support.wires import wired

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made with openssl")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate with its key."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "server.key")
    command = ["openssl", "req", "-x509", *key, "-out", "server.pem", "-days", "2", "-subj", "/CN=test"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    (folder / "server.pem").write_text((folder / "server.pem").read_text() + (folder / "server.key").read_text())
    return folder / "server.pem"


class Server:
    """The other end, in memory."""

    def __init__(self, certificate: Path, version: ssl.TLSVersion) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.minimum_version = context.maximum_version = version
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ssl = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def take(self, data: bytes) -> None:
        self._incoming.write(data)

    def record(self, data: bytes) -> bytes:
        """Return a record with this in it."""
        self.ssl.write(data)
        return self._outgoing.read()

    def goodbye(self) -> bytes:
        with pytest.raises(ssl.SSLWantReadError):
            self.ssl.unwrap()
        return self._outgoing.read()

    def shake_hands(self, client: TlsSession) -> bytes:
        """Perform the handshake; returns what is left to be told to the client."""
        data, is_done = b"", False
        for _ in range(10):
            is_done = is_done or client.shake_hands(data)
            self.take(client.to_send())
            try:
                self.ssl.do_handshake()
            except ssl.SSLWantReadError:
                pass
            else:
                if is_done:
                    return self._outgoing.read()
            data = self._outgoing.read()
        raise AssertionError("no end of the handshake")


def session() -> TlsSession:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return TlsSession(context, "localhost")


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def ends(request: pytest.FixtureRequest, certificate: Path) -> tuple[TlsSession, Server]:
    client, server = session(), Server(certificate, request.param)
    left = server.shake_hands(client)
    assert list(client.decrypted(left)) == []
    return client, server


def test_both_ways(ends: tuple[TlsSession, Server]) -> None:
    client, server = ends
    server.take(client.encrypted(b"question"))
    assert server.ssl.read(100) == b"question"
    assert list(client.decrypted(server.record(b"answer"))) == [(b"answer", True)]
    assert not client.is_over
    assert list(client.decrypted(server.goodbye())) == []
    assert client.is_over
    assert client.goodbye() != b""


def test_every_cut_of_two_records(ends: tuple[TlsSession, Server]) -> None:
    """The last record alone has the time of the read, and only if it is whole and nothing is behind it."""
    client, server = ends
    first = server.record(b"one")
    assert list(client.decrypted(first)) == [(b"one", True)]
    for cut in range(1, 2 * len(first) + 3):
        first, second = server.record(b"one"), server.record(b"second")
        assert cut < len(first + second)
        found = [list(client.decrypted(data)) for data in ((first + second)[:cut], (first + second)[cut:])]
        if cut < len(first):
            assert found == [[], [(b"one", False), (b"second", True)]]
        else:
            assert found == [[(b"one", cut == len(first))], [(b"second", True)]]


def test_more_than_a_record(ends: tuple[TlsSession, Server]) -> None:
    client, server = ends
    data = bytes(range(256)) * 200
    found = list(client.decrypted(server.record(data)))
    assert b"".join(part for part, _ in found) == data
    assert [is_end for _, is_end in found] == [False] * (len(found) - 1) + [True]


async def test_frames_over_tls(ends: tuple[TlsSession, Server]) -> None:
    client, server = ends
    rest = frame(b"came with the handshake")
    async with wired(rest=rest[:-1], tls=client) as wire:
        wire.send(server.record(rest[-1:]))
        wire.websocket.read_now()
        wire.send(server.record(frame(b"x" * 100_000, BINARY)))
        records = server.record(frame(b"a")) + server.record(frame(b"b"))
        while len(wire.ear.heard) < 2:
            wire.websocket.read_now()
        wire.send(records)
        wire.websocket.read_now()
        texts = [b"came with the handshake", Binary(b"x" * 100_000), b"a", b"b"]
        assert wire.ear.messages == texts
        if wire.websocket.received_clock == "kernel":
            assert [heard.error_ns == 0 for heard in wire.ear.heard[-2:]] == [False, True]
        wire.websocket.send_text(b"back")
        server.take(wire.peer.recv(1000))
        assert len(server.ssl.read(100)) == 4 + 6
        wire.send(server.goodbye())
        assert await wire.ends() == "the server closed the connection"


async def test_what_cannot_be_decrypted_ends_the_connection(ends: tuple[TlsSession, Server]) -> None:
    client, server = ends
    async with wired(tls=client) as wire:
        damaged = bytearray(server.record(frame(b"a")))
        damaged[-1] ^= 1
        wire.send(bytes(damaged))
        reason = await wire.ends()
        assert reason.startswith("TLS failed: ")
        assert reason.kind == "TLS failed"  # type: ignore[attr-defined]
