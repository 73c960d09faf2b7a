"""Loads without replies: what is emitted, what comes unasked, the time of blocks. The service's counts judge."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.results.load import CONNECT, LoadResult, Operation, OperationKey
from bench.server import ServerProcess
from bench.timing.rates import RateProfile
from tests.support.folders import APPS, LOCUSTFILES
from tests.support.locust_process import LocustProcess, run, wait_until
from tests.support.service_counts import service_counts

UNANSWERED = LOCUSTFILES / "unanswered.py"


@pytest.fixture
def chatty() -> Iterator[ServerProcess]:
    with ServerProcess("chatty:app", directory=APPS) as server:
        yield server


def rows_of(result: LoadResult) -> dict[OperationKey, Operation]:
    return {row.key: row for row in result.operations}


def test_who_emits_and_who_listens(tmp_path: Path, chatty: ServerProcess) -> None:
    statistics = tmp_path / "statistics"
    arguments = ["TypingUser", "ListeningUser", "--host", chatty.url, "-u", "4", "-r", "10", "-t", "2s"]
    code, locust = run(tmp_path, *arguments, "--json-file", str(statistics), locustfile=UNANSWERED)
    assert code == 0, locust.output
    result = locust.result()
    rows = rows_of(result)
    assert [key.kind for key in rows] == ["connect", "emission"]
    typing = rows[OperationKey("typing", "emission")]
    assert typing.sent == typing.ok == service_counts(chatty.url)["typing"] > 10
    assert (typing.service_us, typing.response_us, typing.times_of) == (None, None, None)
    assert typing.sent_bytes is not None
    assert typing.sent_bytes > typing.sent * len('42["typing",{"id":""}]')
    assert sum(second.sent for second in result.timeline) == typing.sent
    assert sum(second.sent_bytes or 0 for second in result.timeline) == typing.sent_bytes
    (welcome,) = result.received
    assert (welcome.name, welcome.count) == ("welcome", 4)
    assert welcome.received_bytes == 4 * len('42["welcome",{"text":"hello"}]')
    assert re.search(rf"^typing \(emission\) +{typing.sent:,} +- +-", locust.output, re.M)
    assert "no tasks left" not in locust.output
    locusts = {entry["name"]: entry for entry in json.loads(statistics.with_suffix(".json").read_text())}
    assert (locusts["typing"]["method"], locusts["typing"]["num_requests"]) == ("EMIT", typing.sent)
    assert locusts["typing"]["num_none_requests"] == typing.sent


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_arrivals_begin_with_an_emission(tmp_path: Path, chatty: ServerProcess, processes: int) -> None:
    rate = "100:2s"
    more = ["--processes", "2"] if processes > 1 else []
    arguments = ["TalkingUser", "HandlingUser", "ListeningUser", "--host", chatty.url, "-u", "12", "-r", "50", *more]
    code, locust = run(tmp_path, *arguments, "--rate", rate, "--arrivals", "constant", locustfile=UNANSWERED)
    assert code == 0, locust.output
    result = locust.result()
    rows = rows_of(result)
    assert set(rows) == {
        OperationKey(CONNECT, CONNECT),
        OperationKey("say"),
        OperationKey("typing", "emission"),
        OperationKey("talk", "transaction"),
    }
    typing, say = rows[OperationKey("typing", "emission")], rows[OperationKey("say")]
    talk = rows[OperationKey("talk", "transaction")]
    expected = RateProfile.parse(rate).expected(2)
    assert typing.scheduled == pytest.approx(expected, abs=2)
    assert service_counts(chatty.url) == {"typing": typing.sent, "say": say.sent}
    assert say.ok == talk.ok == typing.sent
    assert talk.service_us is not None
    assert talk.service_us.min is not None
    assert say.service_us is not None
    assert say.service_us.min is not None
    assert talk.service_us.min >= say.service_us.min
    assert (talk.response_us, typing.response_us) == (None, None)
    assert say.response_us is not None
    assert result.generator.send_lateness_us is not None
    assert sum(second.ok for second in result.timeline) == typing.ok + say.ok, "the transaction is not in it"
    received = {event.name: event.count for event in result.received}
    assert received == {"welcome": 12, "said": say.ok * 11}, "all but the user's own replies, handled or not"
    said = next(event for event in result.received if event.name == "said")
    assert said.received_bytes == 11 * (say.received_bytes or 0), "the same messages"
    assert say.sent_bytes == (say.received_bytes or 0) - say.ok, "say is shorter than said, and all else is the same"


def test_how_blocks_end(tmp_path: Path, chatty: ServerProcess) -> None:
    with LocustProcess(tmp_path, "BlockUser", "--host", chatty.url, "-u", "1", locustfile=UNANSWERED) as locust:
        locust.wait_for_output("all done")
        locust.interrupt()
        assert locust.wait() == 1, "a block has raised"
    rows = {key.name: row for key, row in rows_of(locust.result()).items() if key.kind == "transaction"}
    told = {name: (row.sent, row.ok, row.unfinished, list(row.errors)) for name, row in rows.items()}
    raising = told.pop("raising")
    assert raising[:3] == (1, 0, 0)
    assert raising[3][0].startswith("ValueError: no such thing (unanswered.py:")
    assert told == {
        "outer": (1, 1, 0, []),
        "inner": (3, 3, 0, []),
        "concurrent": (5, 5, 0, []),
        "cancelled": (1, 0, 0, ["cancelled"]),
        "rescheduled": (1, 1, 0, []),
        "ask": (1, 1, 0, []),
        "cut off": (1, 0, 1, []),
    }
    assert "ask (transaction)" in locust.output, "a round trip has the same name"


def test_what_cannot_be_emitted_is_counted_with_its_reason(tmp_path: Path, chatty: ServerProcess) -> None:
    arguments = ["PastingUser", "MistakenUser", "--host", chatty.url, "-u", "2", "-r", "10", "-t", "1s"]
    code, locust = run(tmp_path, *arguments, locustfile=UNANSWERED)
    assert code == 1
    paste = rows_of(locust.result())[OperationKey("paste", "emission")]
    assert (paste.sent, paste.dropped > 0) == (0, True)
    ((reason, number),) = paste.dropped_because.items()
    assert (reason[:11], number) == ("too large: ", paste.dropped)
    assert "emit takes an Emission, not 'typing': make it with Emission(name, emit=event, data=…)" in locust.output


@pytest.mark.slow
def test_a_server_that_does_not_read(tmp_path: Path, chatty: ServerProcess) -> None:
    """Neither the loop nor the memory suffers: emissions wait, and are then counted as not sent."""
    arguments = ["EndlessUser", "TypingUser", "--host", chatty.url, "-u", "2", "-r", "10", "-t", "4s"]
    with LocustProcess(tmp_path, *arguments, locustfile=UNANSWERED) as locust:
        locust.wait_for_output("All users spawned")
        wait_until(lambda: service_counts(chatty.url).get("typing", 0) > 10, "something has been emitted")
        os.kill(chatty.pid, signal.SIGSTOP)
        try:
            assert locust.wait() == 1
        finally:
            os.kill(chatty.pid, signal.SIGCONT)
    rows = rows_of(locust.result())
    much = rows[OperationKey("much", "emission")]
    assert much.sent > 10
    assert set(much.dropped_because) == {"the server does not read"}
    assert 1 <= much.dropped <= 5
    assert rows[OperationKey("typing", "emission")].sent > 10
