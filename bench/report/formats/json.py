"""Documents as JSON: all of their data, for programs that show results in their own way."""

import dataclasses
import json

from bench.report.document import Document

#: The schema that each file names.
DOCUMENT_SCHEMA = "document/1"


def render(document: Document) -> str:
    """Return the document as indented JSON, with its schema in front."""
    made = dataclasses.replace(document, charts=tuple(document.charts))
    fields = {"schema": DOCUMENT_SCHEMA, **dataclasses.asdict(made)}
    return json.dumps(fields, indent=2, ensure_ascii=False) + "\n"
