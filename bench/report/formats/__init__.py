"""Formats of documents, a file each: a module of this package with `render(document) -> str` is a format by its name.

Rules of this package: a format knows documents and no result. Nothing else lists the formats, so another file here is
all that another format takes.
"""

import importlib
import pkgutil

from bench.report.document import Document

#: The format of a terminal.
TEXT = "text"


def formats() -> tuple[str, ...]:
    """Return the names of all formats."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def render(document: Document, name: str) -> str:
    """Return the document in the format of that name, with its last line end. Raises ValueError for another name."""
    if name not in formats():
        raise ValueError(f"{name}: there is no such format, only {', '.join(formats())}")
    text: str = importlib.import_module(f"{__name__}.{name}").render(document)
    return text
