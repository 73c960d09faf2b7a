"""Elements of HTML as text. Every text in them is escaped here, and nowhere else.

Rules of this file: an element takes texts, which it escapes, and Markup, which it does not. So a text that was not
escaped cannot come into a page by mistake.
"""

import html
from collections.abc import Iterable

from bench.printable import printable

#: Elements without an end tag.
_VOID = frozenset({"br", "hr", "meta", "input"})


class Markup:
    """A piece of HTML that is whole and safe."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


def element(name: str, /, *contents: "str | Markup | None", **attributes: "str | int | bool | None") -> Markup:
    """Return an element. Contents of None are left out.

    An attribute of None or False is left out, and of True has no value. A trailing underscore of its name is dropped,
    other underscores become hyphens.
    """
    start = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    if name in _VOID:
        return Markup(start)
    return Markup(f"{start}{joined(contents)}</{name}>")


def joined(contents: "Iterable[str | Markup | None]") -> Markup:
    """Return contents one after the other."""
    return Markup("".join(_escaped(content) for content in contents if content is not None))


def _escaped(content: "str | Markup") -> str:
    return content.text if isinstance(content, Markup) else html.escape(printable(content), quote=False)


def _attribute(key: str, value: "str | int | bool | None") -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(printable(str(value)))}"'
