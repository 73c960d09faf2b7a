"""The results of checks in a list of stored results: `accuracy`, `wire` and `peers`.

Rules of this file: pure. Of each file those fields are read that a list shows.
"""

import statistics
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from bench.report.formatting import count, counted, duration
from bench.report.listing import Summarise, Summary
from bench.results.figure import Figure
from bench.results.listing import ListedHeader
from bench.validation.peers.model import OURS

_LISTED = ConfigDict(frozen=True, extra="ignore")


class _Row(BaseModel):
    model_config = _LISTED

    inside: bool | None = None


class _Scenario(BaseModel):
    model_config = _LISTED

    name: str
    rows: tuple[_Row, ...]


class _Accuracy(ListedHeader):
    quick: bool
    scenarios: tuple[_Scenario, ...]


class _Tool(BaseModel):
    model_config = _LISTED

    title: str
    rows: tuple[dict[str, object], ...]


class _Wire(ListedHeader):
    tools: tuple[_Tool, ...]


class _Round(BaseModel):
    model_config = _LISTED

    cpu_us_per_round_trip: float


class _Figures(BaseModel):
    model_config = _LISTED

    peer: str
    connections: int
    rounds: tuple[_Round, ...]


class _Peers(ListedHeader):
    figures: tuple[_Figures, ...]


def _of_accuracy(content: ListedHeader) -> Summary:
    assert isinstance(content, _Accuracy)
    judged = [row.inside for scenario in content.scenarios for row in scenario.rows if row.inside is not None]
    names = ", ".join(scenario.name for scenario in content.scenarios)
    verdict = "" if not judged else "inside" if all(judged) else "outside"
    return Summary(names, f"{count(sum(judged))} of {count(len(judged))}", verdict)


def _of_wire(content: ListedHeader) -> Summary:
    assert isinstance(content, _Wire)
    rows = sum(len(tool.rows) for tool in content.tools)
    return Summary(", ".join(tool.title for tool in content.tools), counted(rows, "row"))


def _of_peers(content: ListedHeader) -> Summary:
    assert isinstance(content, _Peers)
    ours = [figures for figures in content.figures if figures.peer == OURS and figures.rounds]
    times_us = [statistics.median(each.cpu_us_per_round_trip for each in figures.rounds) for figures in ours[:1]]
    names = ", ".join(dict.fromkeys(figures.peer for figures in content.figures))
    return Summary(names, "".join(f"ours {duration(Figure(time_us))}" for time_us in times_us))


#: The model of each kind.
MODELS: Mapping[str, type[ListedHeader]] = {"accuracy": _Accuracy, "wire": _Wire, "peers": _Peers}

#: The way to sum up a result of each kind.
SUMMARIES: Mapping[str, Summarise] = {"accuracy": _of_accuracy, "wire": _of_wire, "peers": _of_peers}
