"""The file of a document's charts: a page, SVG or PNG by the ending of its name. It needs the extra `charts`."""

from bench.report.chart_formats import ChartFormat
from bench.report.document import Document
from bench.report.drawing.pictures import picture
from bench.report.page.page import page


def chart_file(document: Document, form: ChartFormat) -> bytes:
    """Return the file in that format. A page has the whole document, a picture its charts alone."""
    return page([document]).encode() if form == "html" else picture(document.charts, form)
