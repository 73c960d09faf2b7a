"""The two clients over TLS, over every transport: whom they trust, and who they are."""

import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio

from bench.server import UvicornTestServer
from bench.wire.client import FastClient
from bench.wire.connection import TransportName
from bench.wire.errors import ConnectFailed
from bench.wire.host_http import HostHttp
from bench.wire.reference import ReferenceClient
from bench.wire.tls import Tls

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made with openssl")

Kind = type[FastClient | ReferenceClient]
LIMIT_S = 60
PASSWORD = "sésame"
TRANSPORTS: dict[str, tuple[TransportName, ...]] = {
    "websocket": ("websocket",),
    "polling": ("polling",),
    "upgrade": ("polling", "websocket"),
}


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


def sign(folder: Path, name: str, extensions: str) -> None:
    """Write a key and a certificate of our authority."""
    (folder / f"{name}.ext").write_text(extensions)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key")
    openssl(folder, "req", *key, "-out", f"{name}.csr", "-subj", f"/CN={name}")
    authority = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", *authority, "-days", "2", "-extfile", f"{name}.ext",
            "-out", f"{name}.pem")  # fmt: skip


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`ca.pem`, and `<server|client>.<pem|key>` signed by it; `locked.key` is the client's, with a password."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "ca.key")
    openssl(folder, "req", "-x509", *key, "-out", "ca.pem", "-days", "2", "-subj", "/CN=authority of the tests")
    sign(folder, "server", "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    sign(folder, "client", "extendedKeyUsage=clientAuth\n")
    openssl(folder, "ec", "-in", "client.key", "-out", "locked.key", "-aes256", "-passout", f"pass:{PASSWORD}")
    return folder


@pytest.fixture(params=[FastClient, ReferenceClient], ids=["fast", "reference"])
def kind(request: pytest.FixtureRequest) -> Kind:
    made: Kind = request.param
    return made


@pytest.fixture(params=TRANSPORTS)
def transports(request: pytest.FixtureRequest) -> tuple[TransportName, ...]:
    return TRANSPORTS[request.param]


@asynccontextmanager
async def secure_server(certificates: Path, **settings: Any) -> AsyncIterator[UvicornTestServer]:
    sio = socketio.AsyncServer(async_mode="asgi")
    sio.on("ECHO", lambda sid, value: value)
    async with UvicornTestServer(
        socketio.ASGIApp(sio, on_shutdown=sio.shutdown),
        ssl_certfile=str(certificates / "server.pem"),
        ssl_keyfile=str(certificates / "server.key"),
        timeout_graceful_shutdown=0,
        **settings,
    ) as server:
        yield server


async def is_answered(kind: Kind, url: str, transports: tuple[TransportName, ...], tls: Tls | None) -> bool:
    client = kind()
    await client.connect(url, transports=transports, tls=tls, wait_timeout=LIMIT_S)
    try:
        return bool(await client.call("ECHO", "x" * 100_000, timeout=LIMIT_S) == "x" * 100_000)
    finally:
        await client.disconnect()


async def test_whom_a_client_trusts(kind: Kind, transports: tuple[TransportName, ...], certificates: Path) -> None:
    trusting = Tls(ca_file=str(certificates / "ca.pem"))
    async with secure_server(certificates) as server:
        assert await is_answered(kind, server.url, transports, trusting)
        assert await is_answered(kind, server.url.replace("https://", "wss://"), transports, trusting)
        assert await is_answered(kind, server.url.replace("127.0.0.1", "localhost"), transports, trusting)
        assert await is_answered(kind, server.url, transports, Tls(insecure=True))
        with pytest.raises(
            ConnectFailed, match=r"certificate verify failed.*; trust its authority by --cafile FILE"
        ) as raised:
            await is_answered(kind, server.url, transports, None)
        assert str(raised.value).count("--insecure") == 1


async def test_whom_the_http_side_trusts(certificates: Path) -> None:
    async with secure_server(certificates) as server:
        for tls in (Tls(ca_file=str(certificates / "ca.pem")), Tls(insecure=True)):
            async with HostHttp(server.url.replace("https", "wss"), tls, LIMIT_S) as http:
                assert (await http.get("/nothing")).status == 404
        async with HostHttp(server.url, None, LIMIT_S) as http:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await http.get("/nothing")


async def test_a_certificate_of_another_name(
    kind: Kind, transports: tuple[TransportName, ...], certificates: Path
) -> None:
    async with secure_server(certificates, host="127.0.0.2") as server:
        with pytest.raises(ConnectFailed, match=r"127\.0\.0\.2"):
            await is_answered(kind, server.url, transports, Tls(ca_file=str(certificates / "ca.pem")))
        assert await is_answered(kind, server.url, transports, Tls(insecure=True))


async def test_who_a_client_is(kind: Kind, transports: tuple[TransportName, ...], certificates: Path) -> None:
    def named(name: str) -> str:
        return str(certificates / name)

    ca_file = named("ca.pem")
    async with secure_server(certificates, ssl_ca_certs=ca_file, ssl_cert_reqs=2) as server:
        for tls in (
            Tls(ca_file, named("client.pem"), named("client.key")),
            Tls(ca_file, named("client.pem"), named("locked.key"), PASSWORD),
        ):
            assert await is_answered(kind, server.url, transports, tls)
        with pytest.raises(ConnectFailed) as raised:
            await is_answered(kind, server.url, transports, Tls(ca_file))
        assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"ca_file": "missing.pem"}, "missing.pem' is no file that can be read"),
        ({"ca_file": "server.ext"}, "server.ext' holds no certificates in PEM form"),
        ({"ca_file": "ca.pem", "insecure": True}, "either trust .*ca.pem or be insecure, not both"),
        ({"key_file": "client.key"}, "a key without its certificate"),
        ({"certificate_file": "client.pem"}, "client.pem' and its key cannot be used"),
        ({"certificate_file": "client.pem", "key_file": "server.key"}, "client.pem' and its key cannot be used"),
        ({"certificate_file": "client.pem", "key_file": "locked.key"}, "client.pem' and its key cannot be used"),
        (
            {"certificate_file": "client.pem", "key_file": "locked.key", "key_password": "guess"},
            "client.pem' and its key cannot be used",
        ),
    ],
)
async def test_settings_that_cannot_work(kind: Kind, certificates: Path, settings: dict[str, Any], reason: str) -> None:
    paths: dict[str, Any] = {
        name: str(certificates / value) if "_file" in name else value for name, value in settings.items()
    }
    with pytest.raises(ConnectFailed, match=reason):
        await kind().connect("https://127.0.0.1:1", tls=Tls(**paths))


def test_equal_settings_share_a_context(certificates: Path) -> None:
    ca_file = str(certificates / "ca.pem")
    assert Tls(ca_file).context() is Tls(ca_file).context()
    assert Tls(ca_file).context() is not Tls(insecure=True).context()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_http_where_tls_is_spoken_and_the_other_way_round(
    kind: Kind, transport: TransportName, certificates: Path
) -> None:
    async with secure_server(certificates) as server:
        with pytest.raises(ConnectFailed) as raised:
            await is_answered(kind, server.url.replace("https://", "http://"), (transport,), None)
    if kind is FastClient:
        assert "expects TLS" in str(raised.value)
    sio = socketio.AsyncServer(async_mode="asgi")
    async with UvicornTestServer(socketio.ASGIApp(sio), timeout_graceful_shutdown=0) as plain:
        with pytest.raises(ConnectFailed, match="does not seem to speak TLS: try http://"):
            await is_answered(kind, plain.url.replace("http://", "https://"), (transport,), None)
