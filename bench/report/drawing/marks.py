"""The places of the labels of marks: in rows above a panel, so that no label lies on data or on another label.

Rules of this file: pure. `script.js` of a page follows the same rules, because there the room depends on the reader's
window. A picture has its places from here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

#: The height of a row of labels, in pixels.
ROW_HEIGHT = 15

#: The room between labels in a row, in pixels.
_GAP = 8


@dataclass(frozen=True)
class Place:
    """The place of a label: its left edge in pixels, and its row. Row 0 is the lowest."""

    left: float
    row: int


def places(marks: Sequence[tuple[float, float]], width: float) -> list[Place]:
    """Return the place of each label. A mark is its distance from the left edge and its label's width, in pixels.

    A label begins at its mark, or ends at the right edge if there is no room. A label that would lie on another, or on
    the line that leads from another to its mark, stands in a row above that.
    """
    found: dict[int, Place] = {}
    for number in sorted(range(len(marks)), key=lambda number: (-marks[number][0], -number)):
        at, label_width = marks[number]
        left = max(0.0, min(at, width - label_width))
        right = left + label_width
        below = [
            place.row
            for other, place in found.items()
            if (left < place.left + marks[other][1] + _GAP and place.left < right + _GAP)
            or left - _GAP < marks[other][0] < right + _GAP
        ]
        found[number] = Place(left, max(below, default=-1) + 1)
    return [found[number] for number in range(len(marks))]


def number_of_rows(placed: Sequence[Place]) -> int:
    """Return the number of rows that these places take."""
    return max((place.row for place in placed), default=-1) + 1
