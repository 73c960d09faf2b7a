"""The stored results of a machine, as far as a list shows them.

Rules of this file: files are read for the few fields that a list needs, and no histogram is decoded. So a list of many
results is there at once. A file that is damaged is named, and hides no other.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.results.ab import AB_SCHEMAS
from bench.results.errors import ResultError
from bench.results.files import read_file
from bench.results.forms import refused
from bench.results.header import CommitInfo
from bench.results.labels import has_labels
from bench.results.load import LOAD_SCHEMAS, Distribution, OperationKind
from bench.results.store import listed, machine_id, numbered

_LISTED = ConfigDict(frozen=True, extra="ignore")


class ListedObjective(BaseModel):
    """An objective of a result, as far as it is listed."""

    model_config = _LISTED

    metric: str = ""
    verdict: str | None = None


class ListedHeader(BaseModel):
    """The fields that are listed of a result of any kind."""

    model_config = _LISTED

    schema_: str | None = Field(default=None, alias="schema")
    datetime: dt.datetime
    commit_info: CommitInfo = CommitInfo()
    labels: dict[str, str] = {}
    note: str | None = None

    @property
    def when(self) -> dt.datetime:
        """The start of the measurement, in UTC. Older versions of pytest-benchmark wrote it without a zone."""
        return (self.datetime if self.datetime.tzinfo else self.datetime.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)

    @property
    def given_labels(self) -> Mapping[str, str]:
        """The labels that the user gave."""
        return self.labels

    @property
    def given_note(self) -> str | None:
        """The note that the user gave; None without."""
        return self.note


class ListedOperation(BaseModel):
    """An operation of a load."""

    model_config = _LISTED

    name: str
    kind: OperationKind = "round trip"
    scheduled: int
    sent: int
    ok: int
    throughput_per_s: float | None = None
    service_us: Distribution | None = None
    response_us: Distribution | None = None


class ListedScenario(BaseModel):
    """The load that was asked for."""

    model_config = _LISTED

    users: int
    url: str | None = None
    app: str | None = None


class ListedServer(BaseModel):
    """The service that a load has started."""

    model_config = _LISTED

    command: str | None = None


class ListedGenerator(BaseModel):
    """The verdict on a load's generator."""

    model_config = _LISTED

    verdict: str | None = None


class ListedLoad(ListedHeader):
    """A load result."""

    scenario: ListedScenario
    server: ListedServer | None = None
    generator: ListedGenerator
    operations: tuple[ListedOperation, ...]
    partial: bool = False
    invalid_reason: str | None = None
    service_loss: dict[str, Any] | None = None
    objectives: tuple[ListedObjective, ...] = ()


class ListedTimes(BaseModel):
    """The statistics of a latency benchmark, in seconds."""

    model_config = _LISTED

    median: float


class ListedBenchmark(BaseModel):
    """A latency benchmark. Its `extra_info` belongs to everybody: what is in it may be anything."""

    model_config = _LISTED

    name: str
    stats: ListedTimes
    extra_info: dict[str, Any] = {}

    def texts(self, name: str) -> dict[str, str]:
        """Return a table of texts of `extra_info`; an empty table if it has something else there."""
        found = self.extra_info.get(name)
        is_one = isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
        return found if found and is_one else {}

    def text(self, name: str) -> str | None:
        """Return a text of `extra_info`; None if it has something else there."""
        found = self.extra_info.get(name)
        return found if isinstance(found, str) else None

    @property
    def failures(self) -> int:
        """The number of benchmarks of the session that failed. The first benchmark tells it."""
        found = self.extra_info.get("failures")
        return len(found) if isinstance(found, list) else 0

    @property
    def objectives(self) -> tuple[ListedObjective, ...]:
        """The objectives of the benchmark."""
        found = self.extra_info.get("objectives")
        verdicts = [each.get("verdict") for each in found if isinstance(each, dict)] if isinstance(found, list) else []
        return tuple(ListedObjective(verdict=verdict) for verdict in verdicts if isinstance(verdict, str))


class ListedLatency(ListedHeader):
    """A latency result, as pytest-benchmark stores it."""

    benchmarks: tuple[ListedBenchmark, ...]

    @property
    def given_labels(self) -> Mapping[str, str]:
        """The labels that the user gave."""
        return next((found for each in self.benchmarks if (found := each.texts("labels"))), {})

    @property
    def given_note(self) -> str | None:
        """The note that the user gave; None without."""
        return next((found for each in self.benchmarks if (found := each.text("note"))), None)


class ListedMetric(BaseModel):
    """A metric of a comparison of two revisions."""

    model_config = _LISTED

    metric: str
    effect: float
    verdict: str


class ListedCompared(BaseModel):
    """A benchmark of a comparison of two revisions."""

    model_config = _LISTED

    name: str
    metrics: tuple[ListedMetric, ...]


class ListedSide(BaseModel):
    """A side of a comparison of two revisions, as the user named it."""

    model_config = _LISTED

    revision: str


class ListedAb(ListedHeader):
    """A comparison of two revisions."""

    a: ListedSide
    b: ListedSide
    benchmarks: tuple[ListedCompared, ...]
    objectives: tuple[ListedObjective, ...] = ()


#: The model of each kind that has figures here, and the schemas that it reads; None: pytest-benchmark names none.
_MODELS: dict[str, tuple[type[ListedHeader], Sequence[str | None]]] = {
    "latency": (ListedLatency, (None,)),
    "load": (ListedLoad, LOAD_SCHEMAS),
    "ab": (ListedAb, AB_SCHEMAS),
}


@dataclass(frozen=True)
class Listed:
    """A stored result in a list: its kind and number, its file, and the part of it that was read."""

    kind: str
    number: int
    path: Path
    content: ListedHeader

    @property
    def reference(self) -> str:
        """The name by which commands find it."""
        return f"{self.kind}/{self.number}"


def stored_results(
    root: Path,
    kinds: Sequence[str],
    leave_out: Callable[[Path, str], object],
    labels: Mapping[str, str] | None = None,
    models: Mapping[str, type[ListedHeader]] | None = None,
) -> list[Listed]:
    """Return this machine's results that have these labels, the newest first.

    `leave_out` is called with each file that cannot be read, and with the reason. `models` has the model of each kind
    of which this file knows nothing but the header. Raises ResultError for a folder that may not be read.
    """
    found: list[Listed] = []
    for kind in kinds:
        for number, path in numbered(root / kind / machine_id()):
            try:
                content = _read(path, kind, (models or {}).get(kind, ListedHeader))
            except ResultError as error:
                leave_out(path, str(error))
            else:
                if has_labels(content.given_labels, labels or {}):
                    found.append(Listed(kind, number, path, content))
    return sorted(found, key=lambda result: (result.content.when, result.number), reverse=True)


def other_machines(root: Path, kinds: Iterable[str]) -> list[str]:
    """Return the names of other machines that have results there, in the form of their folders."""
    names = {folder.name for kind in kinds for folder in listed(root / kind) if folder.is_dir() and numbered(folder)}
    return sorted(names - {machine_id()})


def _read(path: Path, kind: str, header: type[ListedHeader]) -> ListedHeader:
    """Read a file of a kind. Raises ResultError, in one line that begins with its name."""
    model, schemas = _MODELS.get(kind, (header, ()))
    try:
        content = model.model_validate_json(read_file(path))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise ResultError(f"{path}: {f'{where}: ' if where else ''}{problem['msg']}") from None
    except (OSError, ValueError) as error:
        raise ResultError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if schemas and content.schema_ not in schemas:
        raise ResultError(refused(path, content.schema_, filter(None, schemas)))
    return content
