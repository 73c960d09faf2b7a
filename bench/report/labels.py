"""The notes of a document that show what the user gave to the result: its labels and its note."""

from collections.abc import Iterator, Mapping

from bench.report.document import Note
from bench.results.labels import in_words


def label_notes(labels: Mapping[str, str], note: str | None) -> Iterator[Note]:
    """Yield the labels and the note of a result, where there are any."""
    if labels:
        yield Note(in_words(labels), label="labels", apart=True)
    if note:
        yield Note(note, label="note", apart=not labels)
