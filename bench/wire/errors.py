"""The errors of a client, and the reasons why a connection failed or ended.

Each error and each reason is one short line. A reason has a kind, by which results count it.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Sequence
from typing import Any

from bench.machine.descriptors import OUT_OF_FILES, file_limit_reason, port_limit_reason
from bench.printable import one_line
from bench.secrets import Secrets
from bench.wire.protocol.packets import DEFAULT_NAMESPACE, OldProtocolError, ProtocolError

__all__ = [
    "BROKEN_PACKET",
    "CLOSED",
    "IMPOSSIBLE_FRAME",
    "REFUSED",
    "RESET",
    "CallTimeout",
    "ClientError",
    "ConnectFailed",
    "Disconnected",
    "MessageTooLarge",
    "NotRead",
    "Reason",
    "SettingError",
    "broken",
    "close_reason",
    "closed_instead",
    "impossible_frame",
    "kind_of",
    "no_handshake",
    "no_join",
    "one_line",
    "os_reason",
    "protocol_reason",
    "refusal",
    "refused",
    "tls_hint",
    "tls_reason",
    "too_large",
    "too_large_message",
    "unread",
    "unready",
    "was_reset",
    "with_tls_advice",
    "without_secrets",
]


class ClientError(Exception):
    """A failure between a client and its server, in one line."""


class ConnectFailed(ClientError):
    """The failure of an attempt to connect.

    The server could not be reached, is no Socket.IO server, refused the connection, or did not answer in time.
    """

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(message)
        #: The data that the server added to its refusal, if any.
        self.data = data


class SettingError(ConnectFailed, ValueError):
    """The refusal of a setting that cannot be, in one line that names it. It is found before anything is opened."""


class Disconnected(ClientError):
    """The lack of a connection: it is gone, or was never there."""


class MessageTooLarge(ClientError):
    """The refusal to send a message that is larger than the server's limit. Nothing was sent.

    The server states its limit in the handshake.
    """

    def __init__(self, message: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(message)
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class NotRead(ClientError):
    """An event that is not emitted, because the server does not read those before it."""


class CallTimeout(ClientError):
    """The lack of an acknowledgement in time."""


# uvloop raises these without a number.
_NUMBERS: dict[type[OSError], int] = {
    ConnectionResetError: errno.ECONNRESET,
    ConnectionAbortedError: errno.ECONNABORTED,
    ConnectionRefusedError: errno.ECONNREFUSED,
    BrokenPipeError: errno.EPIPE,
}


#: OpenSSL's words, of several versions and in lower case, with what to do.
_TLS_ADVICE = (
    (
        ("wrong version number", "wrong_version_number", "record layer failure", "record_layer_failure"),
        "the server does not seem to speak TLS: try http://",
    ),
    (
        ("certificate verify failed", "certificate_verify_failed"),
        "trust its authority by --cafile FILE, as Tls(ca_file=…), or whatever it shows by --insecure, for tests alone",
    ),
    (
        ("certificate required", "certificate_required", "bad certificate", "bad_certificate"),
        "the server wants a certificate of the client: --certfile and --keyfile, as Tls(certificate_file=…)",
    ),
)


class Reason(str):
    """The text of a reason. `kind` is what is counted: it leaves out the text of others, which differs each time."""

    kind: str

    def __new__(cls, kind: str, text: str | None = None) -> Reason:
        """Make a reason; `text`, if it is given, says more than the kind."""
        reason = super().__new__(cls, kind if text is None else text)
        reason.kind = kind
        return reason


def kind_of(reason: str) -> str:
    """Return the kind of a reason; a text without a kind of its own is its own kind."""
    return getattr(reason, "kind", reason)


REFUSED = "the server refused the connection"
CLOSED = "the server closed the connection"
RESET = "the server reset the connection"
IMPOSSIBLE_FRAME = "the server sent an impossible frame"
BROKEN_PACKET = "the server sent a broken packet"
OLD_PROTOCOL = "the server speaks the protocol of Socket.IO 2"

# RFC 6455, 7.4: the codes that have a meaning. Others are an application's own, and there may be thousands of them.
_KNOWN_CODES = range(1000, 1016)


def broken(text: str) -> Reason:
    """Return the reason for a server that broke the protocol, as `text` says."""
    return Reason(BROKEN_PACKET, text)


def protocol_reason(error: ProtocolError) -> Reason:
    """Return the reason for a message that does not follow the protocol."""
    if isinstance(error, OldProtocolError):
        return Reason(OLD_PROTOCOL, str(error))
    return broken(f"the server sent {error}")


def refusal(namespace: str, said: str) -> str:
    """Return the namespace and the server's message of a refusal, to stand after REFUSED."""
    where = "" if namespace == DEFAULT_NAMESPACE else f" to {one_line(namespace)}"
    return f"{where}: {one_line(said)}" if said else where


#: The kinds that are words of ours, whatever a secret is: who was told "server" as a password sees them all the same.
_OWN_WORDS = frozenset({REFUSED, CLOSED, RESET, IMPOSSIBLE_FRAME, BROKEN_PACKET, OLD_PROTOCOL})


def without_secrets(reason: str, secrets: Secrets) -> Reason:
    """Return the reason without the secrets that the server may have repeated in it."""
    kind = kind_of(reason)
    if kind in _OWN_WORDS and reason.startswith(kind):
        return Reason(kind, kind + secrets.hide(reason.removeprefix(kind)))
    return Reason(secrets.hide(kind), secrets.hide(reason))


def refused(refusals: Sequence[str]) -> Reason:
    """Return the reason for a server that refused the connection, from what `refusal` returns for each namespace."""
    return Reason(REFUSED, f"{REFUSED}{'; and'.join(refusals)}")


def unready(seconds: float) -> Reason:
    """Return the reason for settings that a function had to return within so many seconds."""
    return Reason(f"the function for auth, headers or cookies did not return within {seconds:g} s")


def no_handshake(seconds: float) -> Reason:
    """Return the reason for a server that has said nothing within so many seconds."""
    return Reason(f"the server did not answer the handshake within {seconds:g} s")


def no_join(seconds: float, namespaces: Sequence[str]) -> Reason:
    """Return the reason for a server that has answered all but the requests to join these namespaces."""
    names = " and ".join(map(one_line, namespaces))
    return Reason(
        f"the server answered the handshake, but not the request to join {names} within {seconds:g} s: "
        "its connect handler takes longer, or it failed and the service's log says why"
    )


def closed_instead(reason: str, namespaces: Sequence[str], auth: Any) -> Reason:
    """Return the reason for a server that closed the connection where it had to answer a request to join."""
    names = " and ".join(map(one_line, namespaces))
    hint = "a server that speaks another serializer does that, see --serializer"
    if auth is not None and not isinstance(auth, dict):
        hint += ', and one of Node does, if auth is no object, such as {"token": …}'
    return Reason(CLOSED, f"{reason} instead of answering the request to join {names}; {hint}")


def too_large(limit_bytes: int) -> Reason:
    """Return the reason for a server that sent more than a client takes."""
    return Reason(f"the server sent a message of more than {limit_bytes} bytes, the client's max_message_bytes")


def unread(limit_bytes: int) -> Reason:
    """Return the reason for a server that asks and asks, but does not read the answers."""
    return Reason(f"the server does not read what it asks for, {limit_bytes} bytes by now")


def too_large_message(size_bytes: int, limit_bytes: int) -> Reason:
    """Return the reason for a frame that announces more than a client takes."""
    text = f"the server sent a message of {size_bytes} bytes, more than the client's max_message_bytes, {limit_bytes}"
    return Reason(str(too_large(limit_bytes)), text)


def impossible_frame(what: str) -> Reason:
    """Return the reason for a WebSocket frame that cannot be; `what` says why not."""
    return Reason(IMPOSSIBLE_FRAME, f"{IMPOSSIBLE_FRAME}: {one_line(what)}")


def close_reason(code: int, said: str) -> Reason:
    """Return the reason for a WebSocket's close frame with this code, and with this text if it has any.

    1005 stands for a frame without a code.
    """
    is_usual = code in (1000, 1001, 1005)
    text = CLOSED if is_usual and not said else f"{CLOSED} (WebSocket code {code}{': ' + said if said else ''})"
    if is_usual:
        return Reason(CLOSED, text)
    if code == _TOO_BIG:
        text += "; a message was larger than the server takes"
    return Reason(f"{CLOSED} (WebSocket code {code if code in _KNOWN_CODES else 'of its own'})", text)


#: The code of a peer that got a larger message than it takes.
_TOO_BIG = 1009

# The kernel's states of a connection (include/net/tcp_states.h); after an orderly end by the peer it is CLOSE_WAIT.
_TCP_CLOSE = 7


def was_reset(connection: Any) -> bool:
    """Return whether the connection of a socket, which is just ending, was reset instead of closed.

    Only Linux can tell.
    """
    if not hasattr(socket, "TCP_INFO"):
        return False
    try:
        return bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _TCP_CLOSE)
    except OSError:
        return False


def tls_hint(is_tls: bool) -> str:
    """Return a hint at the other mistake that looks like it, if a server hangs up on a request without TLS."""
    return "" if is_tls else "; a server that expects TLS does that: try https://"


def os_reason(error: OSError) -> str:
    """Return the operating system's reason alone: asyncio and uvloop wrap it in differing words."""
    if isinstance(error, ssl.SSLError):  # its number is OpenSSL's
        return tls_reason(error)
    number = error.errno or _NUMBERS.get(type(error), 0)
    if number in OUT_OF_FILES:
        return file_limit_reason(number)
    if number == errno.EADDRNOTAVAIL and (reason := port_limit_reason()) is not None:
        return reason
    if isinstance(error, socket.gaierror) and error.strerror:  # its number is the resolver's
        return one_line(error.strerror).lower()
    return os.strerror(number).lower() if number > 0 else one_line(error)


def tls_reason(error: object) -> str:
    """Return why TLS failed, and what to do if the server does not speak it."""
    return f"TLS failed: {with_tls_advice(one_line(error))}"


def with_tls_advice(text: str) -> str:
    """Return the text of an error, and what to do if it is a usual one of TLS."""
    lower = text.lower()
    for signs, advice in _TLS_ADVICE:
        if any(sign in lower for sign in signs):
            return text if advice in text else f"{text}; {advice}"
    return text
