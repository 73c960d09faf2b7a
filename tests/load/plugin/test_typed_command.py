"""The command that a result keeps: to type again, and without what is secret."""

import shlex

import pytest

from bench.load.plugin.typed_command import SCENARIOS_LOCUSTFILE, typed_command
from bench.secrets import Secrets


def kept(*arguments: str) -> str | None:
    return typed_command(arguments, Secrets.of_values(["s3cret-of-a-class"]).hide, headless=True)


def test_it_can_be_typed_again() -> None:
    arguments = ["/env/bin/locust", "-f", "my users.py", "--rate", "100:10s, 200:10s", "EchoUser"]
    command = kept(*arguments)
    assert command is not None
    assert shlex.split(command) == ["locust", *arguments[1:]]


def test_bench_load_has_not_the_locustfile_that_nobody_typed() -> None:
    assert kept("bench load", "-f", str(SCENARIOS_LOCUSTFILE), "--scenarios", "chat.py") == (
        "bench load --scenarios chat.py"
    )
    assert kept("bench load", "-f", "users.py") == "bench load -f users.py"


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (["--auth", '{"t":"x"}'], "--auth ..."),
        (['--auth={"t":"x"}'], "--auth=..."),
        (["--auth", "@env:TOKEN"], "--auth @env:TOKEN"),
        (["--header", "X-Key: abc"], "--header 'X-Key: ...'"),
        (["--head", "X-Key: abc"], "--head 'X-Key: ...'"),
        (["--cookie", "a=b"], "--cookie a=..."),
        (["--cookie", "a=@file"], "--cookie a=@file"),
        (["--query=room=7"], "--query=room=..."),
        (["--host", "http://me:pass@there:80"], "--host http://...@there:80"),
        (["-H", "https://there/?apikey=k3y"], "-H 'https://there/?...'"),
        (["--host=http://there:80/a?b=c&d=e f"], "'--host=http://there:80/a?...'"),
        (["--api-token", "abc"], "--api-token ..."),
        (["--tag", "s3cret-of-a-class"], "--tag ..."),
        (["--headless", "-u", "5"], "--headless -u 5"),
    ],
)
def test_secrets_are_hidden(typed: list[str], shown: str) -> None:
    assert kept("locust", *typed) == f"locust {shown}"


def test_a_run_that_the_page_started_has_none() -> None:
    assert typed_command(["locust", "-u", "5"], str, headless=False) is None
