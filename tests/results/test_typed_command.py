"""The command that a result keeps: to type again, and without what is secret."""

import shlex

import pytest

from bench.results.typed_command import typed_bench_command, typed_command
from bench.secrets import Secrets


def test_it_can_be_typed_again() -> None:
    arguments = ["--payload", '{"id": "{token}"}', "--slo", "p99 < 50 ms", "-k", "websocket and uvloop"]
    assert shlex.split(typed_command("bench latency", arguments)) == ["bench", "latency", *arguments]


def test_a_command_of_bench_is_that_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/env/bin/bench", "ab", "main", "WORKTREE", "--auth", "s3cret"])
    assert typed_bench_command() == "bench ab main WORKTREE --auth ..."


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
        (["--payload", '{"id":"{token}"}'], """--payload '{"id":"{token}"}'"""),
        (["--payload", '{"token":"{token}"}'], """--payload '{"token":"{token}"}'"""),
        (["--payload", '{"user":{"password":"abc"}}'], """--payload '{"user": {"password": "..."}}'"""),
        (['--payload=[{"api_key":7}]'], """'--payload=[{"api_key": "..."}]'"""),
        (["--payload", "no JSON: password"], "--payload 'no JSON: password'"),
    ],
)
def test_secrets_are_hidden(typed: list[str], shown: str) -> None:
    hide = Secrets.of_values(["s3cret-of-a-class"]).hide
    assert typed_command("locust", typed, hide) == f"locust {shown}"
