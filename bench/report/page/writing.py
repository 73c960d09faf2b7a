"""The file of a page, which `bench report` and the option `--report` of every run write."""

from collections.abc import Sequence
from pathlib import Path

from bench.report.document import Document
from bench.report.page.page import page
from bench.results.option_files import write_option

#: The option of a run that names the file of its page.
REPORT = "--report"

#: The help of that option.
REPORT_HELP = "write the result as a page, too: one file for a browser, which needs no network"


def write_page(option: str, path: Path, documents: Sequence[Document], title: str = "") -> None:
    """Write documents as a page into the file that an option names. Raises ResultError or NotStoredError."""
    write_option(option, path, page(documents, title).encode())
