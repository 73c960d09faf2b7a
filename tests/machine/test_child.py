"""The end of a log, as an error shows it."""

import pytest

from bench.machine.child import last_lines

TRACEBACK = """INFO: up
Traceback (most recent call last):
  File "chat.py", line 3, in say
    data["text"]
    ~~~~^^^^^^^^
KeyError: 'text'
"""
STACK = """up
TypeError: data is undefined
    at say (server.js:3:5)
    at emit (events.js:1:2)

Node.js v22
"""


@pytest.mark.parametrize(
    ("log", "shown"),
    [
        ("", ""),
        ("\n \n", ""),
        ("a\nb\n\nc\nd\n", "b | c | d"),
        (TRACEBACK, "data[\"text\"] | ~~~~^^^^^^^^ | KeyError: 'text'"),
        (f"{TRACEBACK}INFO: closed\n", "~~~~^^^^^^^^ | KeyError: 'text' | INFO: closed"),
        (f"{TRACEBACK}INFO: a\nINFO: b\nINFO: c\n", "data[\"text\"] | ~~~~^^^^^^^^ | KeyError: 'text'"),
        ("Traceback (most recent call last):\n  cut", "Traceback (most recent call last): | cut"),
        (TRACEBACK + "INFO: more\n" * 100, "INFO: more | INFO: more | INFO: more"),
        (STACK, "TypeError: data is undefined | at say (server.js:3:5)"),
    ],
)
def test_last_lines(log: str, shown: str) -> None:
    assert last_lines(log) == shown
