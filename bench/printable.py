"""Text of others, fit for a terminal, a log or a page: of servers, libraries, files. Imports nothing.

Rules of this file: a character that a terminal would obey, or that hides or turns what follows, is replaced by �. Text
in a message is on one line and of a bounded length. The code that writes HTML or Markdown escapes text for it.
"""

#: The length to which a text is cut in a message, in characters.
LIMIT = 300


def printable(text: str) -> str:
    """Return the whole text without control characters."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def one_line(what: object, limit: int = LIMIT) -> str:
    """Return the text of an object, printable, on one line, and cut at `limit` characters."""
    text = str(what)
    # Text far beyond the limit is not even looked at: a server may have sent megabytes.
    words = " ".join(text[: 10 * limit].split())
    if not words and isinstance(what, BaseException):
        words = type(what).__name__
    line = printable(words)
    is_whole = len(line) <= limit and len(text) <= 10 * limit
    return line if is_whole else line[:limit] + "…"


def error_line(error: BaseException, limit: int = LIMIT) -> str:
    """Return the type and the text of an exception, as `one_line` shows a text."""
    name, text = type(error).__name__, str(error).strip()
    return one_line(f"{name}: {text}" if text else name, limit)
