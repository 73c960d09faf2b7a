"""The command that a load keeps: to type again, and without what only the program knows."""

import shlex

from bench.load.plugin.load_command import SCENARIOS_LOCUSTFILE, load_command
from bench.secrets import Secrets


def kept(*arguments: str) -> str | None:
    return load_command(arguments, Secrets.of_values(["s3cret-of-a-class"]).hide, headless=True)


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


def test_secrets_are_hidden() -> None:
    assert kept("locust", "--header", "X-Key: abc", "--tag", "s3cret-of-a-class") == (
        "locust --header 'X-Key: ...' --tag ..."
    )


def test_a_run_that_the_page_started_has_none() -> None:
    assert load_command(["locust", "-u", "5"], str, headless=False) is None
