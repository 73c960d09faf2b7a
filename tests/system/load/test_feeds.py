"""Tests of feeds in real runs: each user has a row of its own, over workers; who has none does not start."""

import re
from pathlib import Path

import pytest

from tests.support.locust_process import LocustProcess

USERS = """
import sys
from locust import constant
from bench import Feed, SocketIOUser, task
from bench.scenarios.catalogue import FOO_BAR_TO_SENDER


class Member(SocketIOUser):
    wait_time = constant(0.1)
    data = Feed.csv("members.csv", unique=True)

    def __init__(self, environment):
        super().__init__(environment)
        self.name = self._lacks_rows or self.data["name"]

    async def before_connect(self):
        sys.stderr.write(f"begins: {self.data['name']} {self.name}\\n")

    @task
    async def foo_bar(self):
        await self.round_trip(FOO_BAR_TO_SENDER)


class Other(Member):
    data = Feed.jsonl("others.jsonl")
"""


def begun(process: LocustProcess) -> list[tuple[str, str]]:
    return sorted(re.findall(r"begins: (\w+) (\w+)", process.output))


def members(folder: Path, rows: int) -> Path:
    (folder / "members.csv").write_text("name\n" + "".join(f"m{number}\n" for number in range(rows)))
    (folder / "others.jsonl").write_text('{"name": "o"}\n')
    locustfile = folder / "users.py"
    locustfile.write_text(USERS)
    return locustfile


@pytest.mark.slow
def test_no_two_users_of_all_workers_have_the_same_row(tmp_path: Path) -> None:
    arguments = ["--processes", "2", "-u", "5", "-r", "5", "-t", "2s", "Member"]
    with LocustProcess(tmp_path, *arguments, locustfile=members(tmp_path, 5)) as process:
        assert process.wait() == 0
    assert begun(process) == [(f"m{number}", f"m{number}") for number in range(5)]
    assert process.result().scenario.users == 5


@pytest.mark.slow
def test_no_user_lacks_a_row_because_another_worker_has_it(tmp_path: Path) -> None:
    # Locust gives all users of one of the two classes to one of the two workers.
    arguments = ["--processes", "2", "-u", "8", "-r", "8", "-t", "3s"]
    with LocustProcess(tmp_path, *arguments, locustfile=members(tmp_path, 4)) as process:
        assert process.wait() == 0, process.output
    assert begun(process) == [*((f"m{number}", f"m{number}") for number in range(4)), *[("o", "o")] * 4]


@pytest.mark.slow
def test_a_user_without_a_row_does_not_start(tmp_path: Path) -> None:
    with LocustProcess(tmp_path, "-u", "4", "-r", "4", "-t", "1s", locustfile=members(tmp_path, 1)) as process:
        assert process.wait() == 1
    assert begun(process) == [("m0", "m0"), ("o", "o"), ("o", "o")]
    assert "a user did not start: members.csv has 1 row, each for one user, and there are more users" in process.output
    assert "members.csv" in str(process.result().partial_reason)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (3, "Member: members.csv has 3 rows, and each of 4 users needs a row of its own: give it more rows"),
        (0, "Member: members.csv has no rows"),
    ],
)
def test_too_few_rows_are_refused_before_the_run(tmp_path: Path, rows: int, said: str) -> None:
    with LocustProcess(tmp_path, "-u", "4", "-t", "1s", "Member", locustfile=members(tmp_path, rows)) as process:
        assert process.wait() == 2
    assert said in process.output
    assert "Traceback" not in process.output
