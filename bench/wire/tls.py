"""The settings of TLS, for `https://` and `wss://`: whom a client trusts, and who it is.

Loading certificates costs milliseconds and memory, so equal settings share one context per process.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from functools import cache

from bench.wire.errors import ConnectFailed


@dataclass(frozen=True)
class Tls:
    """The settings for verifying a server, and for showing it a certificate of the client. All files are PEM."""

    #: Certificates of the authorities to trust instead of the system's.
    ca_file: str | None = None
    #: The client's certificate, if the server asks for it; its key may be in the same file.
    certificate_file: str | None = None
    key_file: str | None = None
    key_password: str | None = field(default=None, repr=False)
    #: Believe whatever certificate the server shows: for tests alone. Not together with `ca_file`.
    insecure: bool = False

    def context(self) -> ssl.SSLContext:
        """Return the context for asyncio, the same object for equal settings. Raises ConnectFailed."""
        return _context(self)


#: The system's authorities, no client certificate.
SYSTEM = Tls()


@cache
def _context(tls: Tls) -> ssl.SSLContext:
    if tls.insecure and tls.ca_file is not None:
        raise ConnectFailed(f"TLS: either trust {tls.ca_file} or be insecure, not both")
    for path in (tls.ca_file, tls.certificate_file, tls.key_file):
        if path is not None and not os.access(path, os.R_OK):
            raise ConnectFailed(f"TLS: {path!r} is no file that can be read")
    if tls.certificate_file is None and (tls.key_file is not None or tls.key_password is not None):
        raise ConnectFailed("TLS: a key without its certificate: give certificate_file too")
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except (ssl.SSLError, OSError) as error:
        raise ConnectFailed(f"TLS: {tls.ca_file!r} holds no certificates in PEM form: {error}") from None
    if tls.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate_file is not None:
        # Without a password OpenSSL would ask for it in the terminal.
        password = tls.key_password if tls.key_password is not None else str
        try:
            context.load_cert_chain(tls.certificate_file, tls.key_file, password)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise ConnectFailed(f"TLS: {tls.certificate_file!r} and its key cannot be used: {error}") from None
    return context
