"""The service's configuration: environment variables that start with `FOOBAR_`, and arguments that win over them.

Rules: every setting is checked before anything starts. A field's description says what is allowed, and is the only
documentation. `python -m app --help` and the error about a bad value both print it. Under another launcher than `python
-m app`, host, port, loop, WebSocket implementation and log level are that launcher's to choose.
"""

import importlib.util
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

ENVIRONMENT_PREFIX = "FOOBAR_"

#: The package that a value needs, where that is not part of uvicorn.
_PACKAGES = {
    "uvloop": "uvloop",
    "websockets": "websockets",
    "websockets-sansio": "websockets",
    "wsproto": "wsproto",
}


class SettingsError(ValueError):
    """Settings that are not allowed; the message has a line for each: its name, its value and what is allowed."""


class Settings(BaseSettings):
    """The service's settings, checked. The defaults are the fastest that was measured."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, frozen=True, hide_input_in_errors=True)

    host: Annotated[str, Field(min_length=1, description="an address or host name of this machine")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="0 to 65535; 0 means any free port")] = 8000
    loop: Annotated[Literal["auto", "asyncio", "uvloop"], Field(description="auto, asyncio or uvloop")] = "uvloop"
    ws: Annotated[
        Literal["auto", "websockets", "websockets-sansio", "wsproto"],
        Field(description="auto, websockets, websockets-sansio or wsproto"),
    ] = "websockets-sansio"
    log_level: Annotated[
        Literal["critical", "error", "warning", "info", "debug", "trace"],
        Field(description="critical, error, warning, info, debug or trace"),
    ] = "info"
    max_message_bytes: Annotated[
        int,
        Field(
            ge=1024,
            le=2**30,
            description="1024 to 1073741824, for a WebSocket message, the body of a polling request, "
            "or an event with its attachments",
        ),
    ] = 1_000_000
    token: Annotated[
        SecretStr | None,
        Field(min_length=1, description="at least one character; when it is unset, clients need no token"),
    ] = None

    stamps: Annotated[
        bool,
        Field(description="true or false; whether a BAR tells when its FOO was handled, as bench's --breakdown asks"),
    ] = False

    @field_validator("loop", "ws")
    @classmethod
    def _is_installed(cls, value: str) -> str:
        package = _PACKAGES.get(value)
        if package is not None and importlib.util.find_spec(package) is None:
            raise ValueError(f"the package {package} is not installed")
        return value


def read_settings(arguments: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of the environment, replaced by those of `arguments` (a setting's name to its text).

    Raises:
        SettingsError: a value is not allowed.
    """
    given = dict(arguments or {})
    try:
        return Settings(**given)  # type: ignore[arg-type]  # texts, which pydantic turns into what they stand for
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
        raise SettingsError("\n".join(_complaint(detail, given) for detail in details)) from None


def _complaint(detail: ErrorDetails, given: Mapping[str, str]) -> str:
    name = str(detail["loc"][0])
    source = f"--{name.replace('_', '-')}" if name in given else ENVIRONMENT_PREFIX + name.upper()
    # a secret is not repeated, even a bad one
    value = "" if name == "token" else f" {detail['input']!r}"
    if detail["type"] == "value_error":
        return f"{source}{value}: {detail['msg'].removeprefix('Value error, ')}"
    return f"{source}{value} is not allowed; allowed: {Settings.model_fields[name].description}"
