"""Documents as a page of HTML: a single file that needs no network, for a browser, a mail or an artefact of CI."""

from bench.report.document import Document
from bench.report.page.page import page


def render(document: Document) -> str:
    """Return the document as a page."""
    return page([document])
