"""Replies that say no, that list many, and of several events: in a load, counted against the service's own counts."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.server import ServerProcess
from bench.wire.client import FastClient
from tests.support.folders import APPS, LOCUSTFILES
from tests.support.locust_process import run

CHOOSY = LOCUSTFILES / "choosy.py"


@pytest.fixture
def choosy() -> Iterator[ServerProcess]:
    with ServerProcess("choosy:app", directory=APPS) as server:
        yield server


def counted(url: str) -> dict[str, int]:
    """Return the service's own counts."""

    async def ask() -> Any:
        client = FastClient()
        await client.connect(url)
        try:
            return await client.call("counts")
        finally:
            await client.disconnect()

    counts: dict[str, int] = asyncio.run(ask())
    return counts


@pytest.mark.parametrize(
    "rate", [[], pytest.param(["--rate", "100:3s"], marks=pytest.mark.slow)], ids=["closed", "open"]
)
def test_a_wrong_reply_is_an_error_with_its_reason(tmp_path: Path, choosy: ServerProcess, rate: list[str]) -> None:
    arguments = ["-u", "8", "-r", "8", *(rate or ["-t", "3s"])]
    code, locust = run(tmp_path, "--host", choosy.url, *arguments, locustfile=CHOOSY)
    assert code == 1
    result, counts = locust.result(), counted(choosy.url)
    assert result.invalid_reason is None
    rows = {row.name: row for row in result.operations}
    assert not sum(row.timeouts for row in rows.values()), locust.output

    listed = rows["list"]
    assert listed.ok == listed.sent == counts["list"] > 0
    orders = [rows[name] for name in ("order", "too many", "mistaken", "raising")]
    assert sum(row.sent for row in orders) == counts["order"]
    assert rows["order"].ok == rows["order"].sent > 0
    assert rows["order"].error_replies == 0
    assert rows["too many"].errors == {"wrong reply: chair … is out of stock": counts["no such item"]}
    assert (rows["too many"].ok, rows["too many"].service_us) == (0, None)
    assert rows["find"].sent + rows["find any"].sent == counts["find"]
    assert rows["find"].errors == {"wrong reply: it is refused": rows["find"].error_count}
    assert rows["find"].ok > 0
    assert rows["find any"].ok == rows["find any"].sent > 0
    assert counts["found"] < counts["find"]

    (kind,) = rows["mistaken"].errors
    assert kind == "the check returned True: it has to return None, or the reason as a text"
    (kind,) = rows["raising"].errors
    line = CHOOSY.read_text().partition("RAISING =")[0].count("\n") + 1
    assert kind == f"the check raised KeyError: 'okay' (choosy.py:{line} in <lambda>)"
    for row in (rows["too many"], rows["mistaken"], rows["raising"]):
        assert row.error_count == row.sent > 0
        assert row.received_bytes is not None
        assert row.received_bytes > len('43[{"ok":true}]') * row.sent, "a wrong reply was received, too"
    assert "wrong reply: chair … is out of stock" in locust.output
    assert "Traceback" not in locust.output
