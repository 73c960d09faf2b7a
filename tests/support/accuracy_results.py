"""A result of `bench accuracy`, built through the model."""

import datetime as dt
from typing import Any

from bench.results.header import CommitInfo, MachineInfo
from bench.validation.accuracy.model import Accuracy, Row, Run, Scenario


def result_of(*rows: Row, runs: tuple[Run, ...] = (), **changed: Any) -> Accuracy:
    scenario = Scenario(name="stall", title="a stall", rate_per_s=500, duration_s=10, rows=rows, runs=runs)
    fields: dict[str, Any] = {
        "datetime": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "commit_info": CommitInfo(id="0" * 40),
        "machine_info": MachineInfo(),
        "packages": {},
        "server_core": 1,
        "generator_cores": (0,),
        "awake_cores": (),
        "quick": False,
        "peers": {"k6": "k6 v1"},
        "peers_rate_per_s": 500,
        "scenarios": (scenario,),
        "absent": (),
    }
    return Accuracy.model_validate(fields | changed)
