"""The settings of the service: which values they may have, and where they come from."""

import importlib.util
import os

import pytest

from app.settings import Settings, SettingsError, read_settings

TIMEOUT_S = 60


@pytest.fixture(autouse=True)
def no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("FOOBAR_"):
            monkeypatch.delenv(name)


# --- what is allowed


def test_the_defaults_are_the_fastest() -> None:
    settings = read_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert (settings.loop, settings.ws) == ("uvloop", "websockets-sansio")
    assert settings.token is None


def test_arguments_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOBAR_PORT", "8001")
    monkeypatch.setenv("FOOBAR_LOOP", "asyncio")
    assert read_settings().port == 8001
    settings = read_settings({"port": "8002"})
    assert (settings.port, settings.loop) == (8002, "asyncio")


def test_a_bad_environment_does_not_matter_where_an_argument_replaces_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOBAR_PORT", "none")
    assert read_settings({"port": "8002"}).port == 8002


BAD_SETTINGS = [
    ("host", "", "an address or host name of this machine"),
    ("port", "http", "0 to 65535; 0 means any free port"),
    ("port", "", "0 to 65535; 0 means any free port"),
    ("port", "-1", "0 to 65535; 0 means any free port"),
    ("port", "65536", "0 to 65535; 0 means any free port"),
    ("port", "80.5", "0 to 65535; 0 means any free port"),
    ("loop", "gevent", "auto, asyncio or uvloop"),
    ("ws", "none", "auto, websockets, websockets-sansio or wsproto"),
    ("log_level", "INFO", "critical, error, warning, info, debug or trace"),
    (
        "max_message_bytes",
        "1023",
        "1024 to 1073741824, for a WebSocket message, the body of a polling request, or an event with its attachments",
    ),
    (
        "max_message_bytes",
        "1MB",
        "1024 to 1073741824, for a WebSocket message, the body of a polling request, or an event with its attachments",
    ),
]


@pytest.mark.parametrize(("name", "value", "allowed"), BAD_SETTINGS)
def test_a_bad_argument_is_one_line(name: str, value: str, allowed: str) -> None:
    with pytest.raises(SettingsError) as error:
        read_settings({name: value})
    argument = f"--{name.replace('_', '-')}"
    assert str(error.value) == f"{argument} {value!r} is not allowed; allowed: {allowed}"


@pytest.mark.parametrize(("name", "value", "allowed"), BAD_SETTINGS)
def test_a_bad_variable_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str) -> None:
    variable = f"FOOBAR_{name.upper()}"
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as error:
        read_settings()
    assert str(error.value) == f"{variable} {value!r} is not allowed; allowed: {allowed}"


def test_each_bad_setting_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOBAR_LOOP", "twisted")
    with pytest.raises(SettingsError) as error:
        read_settings({"port": "http"})
    first, second = str(error.value).splitlines()
    assert first.startswith("--port 'http' ")
    assert second.startswith("FOOBAR_LOOP 'twisted' ")


def test_an_empty_token_is_no_token_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOBAR_TOKEN", "")
    with pytest.raises(SettingsError, match=r"^FOOBAR_TOKEN is not allowed; allowed: at least one character; "):
        read_settings()


def test_the_token_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOBAR_TOKEN", "sesame")
    settings = read_settings()
    assert settings.token is not None
    assert settings.token.get_secret_value() == "sesame"
    assert "sesame" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_an_implementation_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"^--loop 'uvloop': the package uvloop is not installed$"):
        read_settings({"loop": "uvloop", "ws": "auto"})


def test_every_setting_says_what_is_allowed() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


# --- python -m app
