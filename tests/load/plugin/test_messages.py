"""Messages of workers that cannot be: each is refused in one short line."""

from collections import Counter
from typing import Any

import pytest

from bench.load.metrics.recorder import Recorder
from bench.load.metrics.report import Report, StoredHistogram
from bench.load.metrics.tally import Tally
from bench.load.plugin.messages import MOST_KINDS, MOST_OPERATIONS, MessageError, read_report
from bench.results.load import OperationKey

S = 1_000_000_000


def test_reports_that_cannot_be() -> None:
    good = a_report().model_dump()
    assert read_report(good, elapsed_s=5).seconds[0].second == 1
    nonsense = {"encoded": "nonsense", "min_ns": 1, "max_ns": 1, "sum_ns": 1}
    bad = [
        None,
        good | {"more": 1},
        good | {"began": -1},
        good | {"operations": good["operations"] * (MOST_OPERATIONS + 1)},
        changed(good, "operations", ok=-1),
        changed(good, "operations", ok=1 << 70),
        changed(good, "operations", errors={"lost": -1}),
        changed(good, "operations", errors={str(number): 1 for number in range(MOST_KINDS + 1)}),
        changed(good, "operations", service={"encoded": "nonsense", "min_ns": 1, "max_ns": 1, "sum_ns": 1}),
        changed(good, "operations", received=receive_times(unstamped=-1)),
        changed(good, "operations", received=receive_times(reading=nonsense)),
        changed(good, "seconds", received=receive_times(errors=nonsense)),
        changed(good, "seconds", timed_by_process=-1),
        good | {"clock": {"bound_ns": -1}},
        good | {"clock": {"steps": [[1, 1]] * 101}},
        good | {"clock": {"process_because": "x" * 401}},
        changed(good, "seconds", users=-1),
        changed(good, "seconds", second=-1),
        changed(good, "seconds", second=10**9),
        changed(good, "seconds", loop_lag={"encoded": "", "min_ns": 1, "max_ns": 1, "sum_ns": 1}),
    ]
    for data in bad:
        with pytest.raises(MessageError) as raised:
            read_report(data, elapsed_s=5)
        assert len(str(raised.value)) < 200
        assert str(raised.value).isprintable()


def a_report() -> Report:
    tally = Tally(0, is_open=True)
    tally.open_window(0)
    log = Recorder("echo")
    log.answered(1 * S, 1 * S, 1 * S + 1000)
    batch = log.flush()
    assert batch is not None
    tally.add(batch)
    return tally.report(unfinished=Counter({OperationKey("echo"): 2}), late=Counter(), began=3)


def receive_times(**fields: Any) -> dict[str, Any]:
    empty = StoredHistogram.empty().model_dump()
    return {"exact": 1, "bounded": 0, "unstamped": 0, "errors": empty, "reading": empty} | fields


def changed(report: dict[str, Any], part: str, **fields: Any) -> dict[str, Any]:
    return report | {part: [report[part][0] | fields]}
