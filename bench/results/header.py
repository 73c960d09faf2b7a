"""The parts that every stored result has: kind, commit, machine, and the forms of its numbers.

Rules of this file: data and its invariants only, no files, no clock. The models of our own results are strict: no
unknown field, and no coercion when they are read back. Units are in the names.
"""

import base64
import binascii
import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    JsonValue,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from bench.results.folder import KINDS as KINDS  # part of what this module offers
from bench.results.folder import Kind as Kind

#: The configuration of the models that we write.
WRITTEN = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

NonNegative = Annotated[FiniteFloat, Field(ge=0)]

_HISTOGRAM_V2 = b"\x1c\x84\x93\x14"  # the cookie that a compressed HdrHistogram of version 2 begins with


def _histogram(encoded: str) -> str:
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from None
    if not decoded.startswith(_HISTOGRAM_V2):
        raise ValueError("not an HdrHistogram in V2 form")
    return encoded


#: An HdrHistogram of nanoseconds in the standard V2 form: compressed, base64.
Histogram = Annotated[str, AfterValidator(_histogram)]


class CommitInfo(BaseModel):
    """The commit of the service's repository, with pytest-benchmark's fields.

    `id` is the full hash, "unversioned" outside of a repository, or "unknown" if git could not tell. `error` says why,
    and is written only then. `dirty` means uncommitted changes to tracked files.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = "unknown"
    time: str | None = None
    author_time: str | None = None
    dirty: bool = False
    project: str | None = None
    branch: str | None = None
    error: str | None = None

    @model_serializer(mode="wrap")
    def _without_absent_error(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        if fields.get("error") is None:
            fields.pop("error", None)
        return fields


class MachineInfo(BaseModel):
    """The machine and its Python, with pytest-benchmark's fields and the fields that plugins added."""

    model_config = ConfigDict(frozen=True, extra="allow")

    node: str = ""
    processor: str = ""
    machine: str = ""
    python_compiler: str = ""
    python_implementation: str = ""
    python_implementation_version: str = ""
    python_version: str = ""
    python_build: tuple[str, ...] = ()
    release: str = ""
    system: str = ""
    cpu: dict[str, JsonValue] = {}


def _as_pytest_benchmark_writes_it(value: dt.datetime) -> str:
    return value.isoformat()


#: A time with its zone, in the form that pytest-benchmark's JSON has.
IsoDatetime = Annotated[AwareDatetime, PlainSerializer(_as_pytest_benchmark_writes_it)]


class Header(BaseModel):
    """The fields with which every result of ours begins. pytest-benchmark's JSON has them too, but for the schema.

    `schema_` names the kind and the version of the form, as in "load/2"; each kind narrows it to those that it reads.
    `datetime` is the start of the measurement, `commit_info` the commit of the service. `labels` and `note` are those
    that the user gave to the result. Each is written only if it was given.

    New in load/5 and ab/3, and in files of the other kinds that were given any: labels, note.
    """

    model_config = WRITTEN

    schema_: str = Field(alias="schema")
    datetime: AwareDatetime
    commit_info: CommitInfo
    machine_info: MachineInfo
    packages: dict[str, str]
    labels: dict[str, str] = {}
    note: str | None = None

    @model_serializer(mode="wrap")
    def _without_words_that_were_not_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_absent_words(handler(self))

    def to_json(self) -> bytes:
        """Return the result as it is stored: indented UTF-8 JSON."""
        return self.model_dump_json(by_alias=True, indent=2).encode() + b"\n"


def without_absent_words(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a result without the labels and the note, where there are none."""
    return {name: value for name, value in fields.items() if value or name not in ("labels", "note")}


def way_in_words(transports: Sequence[str], serializer: str) -> str:
    """Return the way that messages go, as results have it: the transports, and the serializer unless that is JSON."""
    return "+".join(transports) + ("" if serializer == "json" else f" ({serializer})")
