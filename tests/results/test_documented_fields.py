"""docs/reading-results.md names every field of every stored result."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from bench.compare.model import Comparison, DifferenceKind
from bench.machine.disturbances import DisturbanceKind
from bench.report.listing import ListFile
from bench.results.ab import AbResult
from bench.results.latency import LatencyDetails, LatencyStats
from bench.results.load import LoadResult
from bench.trend.model import TrendFile
from bench.validation.accuracy.model import Accuracy
from bench.validation.peers.model import Peers
from bench.validation.wire.model import Wire

PAGE = (Path(__file__).parents[2] / "docs" / "reading-results.md").read_text()

#: Every word in a code span, such as both in `a`, `b`.
NAMED = {word for span in re.findall(r"`([^`\n]+)`", PAGE) for word in re.findall(r"[A-Za-z0-9_]+", span)}

#: The description of the machine is pytest-benchmark's.
STORED = (LatencyStats, LatencyDetails, LoadResult, AbResult, Accuracy, Wire, Peers, Comparison, TrendFile, ListFile)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Return the models in a type, such as that in `tuple[Model, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def names_in(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[str]:
    """Return the names of a model's fields as they are stored, and of all models in it."""
    if model in seen:
        return
    seen.add(model)
    for name, field in model.model_fields.items():
        yield field.alias or name
        for inner in models_in(field.annotation):
            yield from names_in(inner, seen)


@pytest.mark.parametrize("model", STORED, ids=lambda model: model.__name__)
def test_every_field_is_on_the_page(model: type[BaseModel]) -> None:
    assert set(names_in(model, set())) - NAMED == set()


def test_every_kind_of_disturbance_is_on_the_page() -> None:
    for kind in get_args(DisturbanceKind):
        assert f"`{kind}`" in PAGE


def test_a_field_that_is_not_on_the_page_would_be_found() -> None:
    class Unheard(BaseModel):
        never_heard_of: tuple[LatencyStats, ...]

    assert set(names_in(Unheard, set())) - NAMED == {"never_heard_of"}
    assert DifferenceKind.MACHINE not in NAMED
