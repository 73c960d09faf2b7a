"""The limit of what the service logs."""

import logging

from app.logs import BoundedFilter


def test_a_kind_of_line_is_logged_so_often_in_a_second_and_no_more() -> None:
    seconds = [0.0]
    bounded = BoundedFilter(2, lambda: seconds[0])

    def logged(line_number: int, text: str) -> str | None:
        record = logging.LogRecord("app", logging.ERROR, "file", line_number, "%s", (text,), None)
        return record.getMessage() if bounded.filter(record) else None

    assert [logged(1, text) for text in "abcd"] == ["a", "b", None, None]
    assert [logged(2, text) for text in "ab"] == ["a", "b"], "another kind"
    seconds[0] = 1.5
    assert [logged(1, text) for text in "efg"] == ["e (and 2 lines like this one before)", "f", None]
    seconds[0] = 9.0
    assert [logged(1, "h"), logged(2, "c")] == ["h (and 1 lines like this one before)", "c"]
